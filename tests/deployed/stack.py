"""Looks at a deployed stack from outside: its outputs, its logs, its runs."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from giftcards.wiring import STORES_PRONG
from sandbox.demo import Sandbox

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

LOOK_EVERY_SECONDS = 0.5

# What SQS counts as still in a queue: waiting, in work or failed a moment ago, and not due yet.
STILL_THERE = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def wait_until(
    true: Callable[[], bool],
    *,
    seconds: float,
    what: str,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until something holds, looking often; fail saying `what` did not come in `seconds`."""
    deadline = clock() + seconds
    while not true():
        assert clock() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(LOOK_EVERY_SECONDS)


@dataclass(frozen=True)
class Stack:
    """The deployed stack of a running sandbox."""

    sandbox: Sandbox
    since: datetime = field(default_factory=lambda: datetime.now(UTC))

    def client(self, service: str) -> Any:
        """A boto3 client of the embedded AWS."""
        aws = self.sandbox.aws
        session: Any = aws.session()
        return session.client(service, endpoint_url=aws.url)

    def outputs(self) -> dict[str, str]:
        """The stack's outputs, by name."""
        return self.sandbox.aws.outputs(self.sandbox.stack)

    def has_nothing_on_its_way(self) -> bool:
        """Whether all that follows from what was decided is done; a tick decides nothing.

        What one follows from another is sent before the other is taken out of its queue, so that
        nothing is on its way where all are empty.
        """
        sqs = self.client("sqs")
        for name, url in self.outputs().items():
            if name.endswith("QueueUrl") and not name.endswith("TicksQueueUrl"):
                told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
                if any(int(told[count]) for count in STILL_THERE):
                    return False
        return True

    def log_lines(self) -> list[str]:
        """Everything the functions have logged so far, all of them together."""
        logs: CloudWatchLogsClient = self.client("logs")
        prefix = f"/aws/lambda/{self.sandbox.stack}-"
        groups = logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
        lines = []
        for group in groups:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group["logGroupName"]
            )
            lines += [event["message"] for page in pages for event in page["events"]]
        return lines

    def finished_runs(self) -> list[datetime]:
        """When runs of the stores' prong ended well, by the heartbeats in the log."""
        beats = [json.loads(line) for line in self.log_lines() if re.match(r'\s*{"_aws"', line)]
        return sorted(
            datetime.fromtimestamp(beat["_aws"]["Timestamp"] / 1000, UTC)
            for beat in beats
            if "RunFinished" in beat and beat["prong"] == STORES_PRONG
        )
