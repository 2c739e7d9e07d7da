"""What the engineer is told of how many workers the account may run at once."""

from datetime import UTC, datetime
from typing import cast

import boto3
import pytest

from ops.command_line import resume
from ops.workers import WORKERS_NEEDED, describe_workers
from tests.aws_in_memory import Account
from tests.ops.test_command_line import YES
from tests.world import running_world


def said_of(workers: int | None) -> list[str]:
    account = Account(lambda: datetime(2026, 11, 23, tzinfo=UTC))
    account.functions.workers = workers
    return list(describe_workers(cast("boto3.session.Session", account.session())))


@pytest.mark.parametrize("workers", [WORKERS_NEEDED, 1000])
def test_an_account_with_enough_workers_is_said_in_a_line(workers: int) -> None:
    (line,) = said_of(workers)
    assert f"may run {workers:,} workers at once; needed: {WORKERS_NEEDED}" in line


@pytest.mark.parametrize("workers", [10, WORKERS_NEEDED - 1])
def test_an_account_with_too_few_is_told_what_that_means_and_what_to_do(workers: int) -> None:
    told = "\n".join(said_of(workers))
    assert f"may run {workers} workers at once" in told
    assert "a store may then wait behind bulk work" in told
    assert "Service Quotas" in told


def test_a_quota_that_nobody_may_read_is_said_to_be_unknown() -> None:
    (line,) = said_of(None)
    assert "nobody can say how many workers" in line
    assert "lambda:GetAccountSettings" in line
    assert str(WORKERS_NEEDED) in line


def test_resume_says_it_before_it_asks(capsys: pytest.CaptureFixture[str]) -> None:
    with running_world(resumed=False) as world:
        assert resume(world.app, YES) == 0
    told = capsys.readouterr().out
    assert 0 < told.index("workers at once") < told.index("Running")
