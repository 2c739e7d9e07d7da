"""Where a world's AWS comes from: in memory, which is quick, or moto, which speaks botocore."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Lock, get_ident
from typing import Any, Literal, Protocol, cast
from unittest.mock import patch

import boto3
import botocore.loaders
import botocore.session
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends
from moto.sqs.models import sqs_backends

from tests import aws_in_memory
from tests.effects import Effects

REGION = "us-east-1"

AccountKind = Literal["in memory", "moto"]

# Reading AWS's service descriptions takes longer than everything else in a world's beginning.
SERVICE_DESCRIPTIONS = botocore.loaders.create_loader()


class SentMail(Protocol):
    """A mail as SES took it."""

    @property
    def subject(self) -> str: ...

    @property
    def body(self) -> str: ...

    @property
    def destinations(self) -> dict[str, list[str]]: ...

    @property
    def tags(self) -> dict[str, str]: ...


class AwsAccount(Protocol):
    """An account: sessions for workers, and what can be seen from outside."""

    def session(self, effects: Effects | None = None) -> boto3.session.Session:
        """A session; every call of its clients is one of `effects`."""

    def mails(self) -> list[SentMail]:
        """All mail SES has sent."""

    def queued(self, url: str) -> list[tuple[str, float]]:
        """Every message in a queue: its body, and when it becomes visible, in epoch seconds."""

    def parts(self) -> list[object]:
        """The objects that hold all of the account's state."""


class AccountInMemory:
    """The account that most worlds have."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._account = aws_in_memory.Account(clock)

    def session(self, effects: Effects | None = None) -> boto3.session.Session:
        return cast("boto3.session.Session", self._account.session(effects))

    def mails(self) -> list[SentMail]:
        return list(self._account.ses.sent())

    def queued(self, url: str) -> list[tuple[str, float]]:
        return self._account.sqs.waiting(url)

    def parts(self) -> list[object]:
        return [*vars(self._account).values()]


class MotoAccount:
    """moto's account. Only within `moto_account()`."""

    def session(self, effects: Effects | None = None) -> boto3.session.Session:
        """A session of its own that reads AWS's service descriptions once for all of them."""
        inner = botocore.session.Session()
        inner.register_component("data_loader", SERVICE_DESCRIPTIONS)
        aws = boto3.session.Session(botocore_session=inner, region_name=REGION)
        if effects is not None:
            _count_calls(aws, effects)
        return aws

    def mails(self) -> list[SentMail]:
        return list(ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages)

    def queued(self, url: str) -> list[tuple[str, float]]:
        queue = sqs_backends[DEFAULT_ACCOUNT_ID][REGION].queues[url.rpartition("/")[2]]
        return [
            (message.body, max(message.delayed_until, message.visible_at) / 1000)
            for message in queue._messages  # noqa: SLF001 - moto shows them nowhere else
        ]

    def parts(self) -> list[object]:
        raise NotImplementedError("moto's account cannot be kept")


@contextmanager
def moto_account() -> Iterator[MotoAccount]:
    """An empty account of moto's, which takes one call at a time.

    moto's tables are not made for several threads; the workers' own threads go on side by side.
    What several writers do to one table at once is shown on the embedded AWS.
    """
    turn = Lock()
    answer = BotocoreStubber.__call__

    def in_turn(stubber: BotocoreStubber, *arguments: Any, **named: Any) -> Any:
        with turn:
            return answer(stubber, *arguments, **named)

    with mock_aws(), patch.object(BotocoreStubber, "__call__", in_turn):
        yield MotoAccount()


def _count_calls(aws: boto3.session.Session, effects: Effects) -> None:
    """Make every call of this session's clients an effect."""
    running: dict[int, int] = {}

    def asked(params: dict[str, Any], model: Any, **_: Any) -> None:
        effects.note_asked(f"{model.service_model.service_name} {model.name}", params)

    def before(model: Any, **_: Any) -> None:
        name = f"{model.service_model.service_name} {model.name}"
        running[get_ident()] = effects.begin(name)

    def after(**_: Any) -> None:
        effects.end(running.pop(get_ident()))

    aws.events.register("before-parameter-build", asked)
    aws.events.register("before-call", before)
    aws.events.register("after-call", after)
