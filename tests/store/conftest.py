"""One contract, four AWS: in memory, the simulator's, moto, and the embedded AWS.

What the tests in this folder say of a backend is what our code relies on. Where one is known not to
behave so, the test says `@pytest.mark.gap(backend, reason)`, and notices when the gap is closed.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine
from moto import mock_aws

from giftcards.store.table import Table
from sandbox.embedded_aws import EmbeddedAws, running_aws
from simulator.world import WatchedQueues, WatchedTable
from tests import aws_in_memory
from tests.aws_in_memory.kms import Kms
from tests.aws_in_memory.s3 import S3
from tests.aws_in_memory.ses import Ses
from tests.template_resources import create_journal

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
REGION = "us-east-1"

NUMBERS = count(1)


@dataclass(frozen=True)
class Backend:
    """One AWS: its clients, and how time passes there. `mark` keeps names of tests apart."""

    name: str
    dynamodb: Any
    sqs: Any
    ses: Any
    kms: Any
    s3: Any
    wait: Callable[[float], None]
    mark: str


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    with running_aws(tmp_path_factory.mktemp("aws")) as aws:
        yield aws


@pytest.fixture(
    params=[
        "in memory",
        "simulated",
        "moto",
        pytest.param("embedded", marks=[pytest.mark.deployed, pytest.mark.sockets]),
    ]
)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    name: str = request.param
    for gap in request.node.iter_markers("gap"):
        if gap.args[0] == name:
            request.applymarker(pytest.mark.xfail(strict=True, reason=gap.kwargs["reason"]))
    if name == "embedded":
        aws: EmbeddedAws = request.getfixturevalue("embedded_aws")
        yield _backend(name, aws.session(), time.sleep, endpoint_url=aws.url)
    elif name == "moto":
        with _still_time() as wait, mock_aws():
            yield _backend(name, boto3.session.Session(region_name=REGION), wait)
    elif name == "simulated":
        with _still_time() as wait:
            yield _simulated(wait)
    else:
        with _still_time() as wait:
            account = aws_in_memory.Account(lambda: datetime.now(UTC))
            yield _backend(name, account.session(), wait)


def _simulated(wait: Callable[[float], None]) -> Backend:
    """The AWS of the simulator, which watches what is written."""
    watcher: Any = SimpleNamespace(clock=lambda: datetime.now(UTC), look_at=lambda _: None)
    return Backend(
        name="simulated",
        dynamodb=WatchedTable(),
        sqs=WatchedQueues(watcher),
        ses=Ses(),
        kms=Kms(),
        s3=S3(),
        wait=wait,
        mark=f"t{next(NUMBERS)}",
    )


@contextmanager
def _still_time() -> Iterator[Callable[[float], None]]:
    """Time stands still but for what is waited."""
    with time_machine.travel(START, tick=False) as traveller:
        yield lambda seconds: traveller.shift(timedelta(seconds=seconds))


def _backend(name: str, aws: Any, wait: Callable[[float], None], **where: Any) -> Backend:
    return Backend(
        name=name,
        dynamodb=aws.resource("dynamodb", **where).meta.client,
        sqs=aws.client("sqs", **where),
        ses=aws.client("sesv2", **where),
        kms=aws.client("kms", **where),
        s3=aws.client("s3", **where),
        wait=wait,
        mark=f"t{next(NUMBERS)}",
    )


@pytest.fixture
def table(backend: Backend) -> Table:
    """The template's table, empty, and ours on top of it."""
    name = f"{backend.mark}-journal"
    create_journal(backend.dynamodb, name=name)
    return Table(backend.dynamodb, name=name)
