"""Take messages off a queue: what succeeds is done, what fails comes back soon, one for itself."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from math import ceil
from typing import Any, Protocol

from aws_lambda_powertools import Logger

from giftcards.errors import TryAgain
from giftcards.store.table import is_away

Message = Mapping[str, Any]

# Added to a message that SQS hands out once more: an earlier worker may have done a part of it.
CAME_AGAIN = "came_again"

# The line in the log, with its reason, for each time the alarm on mail that waits is rung.
MAIL_WAITS = "a mail waits for long"


class RetrySoon(Protocol):
    """Lets a failed message come back after a short wait."""

    def __call__(self, receipt_handle: str, *, receive_count: int) -> bool:
        """Make the message visible again in a while, the longer the more often it came."""


class KeepWhileAlive(Protocol):
    """Lets a message come back soon after its worker is dead."""

    def __call__(self, receipt_handle: str, *, seconds_left: int) -> bool:
        """Hide the message for a little longer than its worker can live."""


def keep_while_alive(
    event: Mapping[str, Any],
    keep: KeepWhileAlive,
    *,
    milliseconds_left: int,
    logger: Logger,
) -> None:
    """Before the work: what dies with this worker is to come back as soon as it must be dead.

    A queue's visibility time-out is several times its function's, for messages that Lambda has to
    hold back itself. Where SQS cannot be asked just now, that stands, and the work goes on.
    """
    seconds_left = ceil(milliseconds_left / 1000)
    for record in event["Records"]:
        try:
            keep(record["receiptHandle"], seconds_left=seconds_left)
        except Exception as error:
            if not is_away(error):
                raise
            logger.warning("SQS is away", extra={"message_id": record["messageId"]})
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """Rings for what SQS hands out for the `receives`th time and is to be tried again even so.

    For queues without an order: of what was received three times SQS tells no age (Amazon SQS,
    `ApproximateAgeOfOldestMessage`), and a dead letter comes of it only after hours.
    """

    receives: int
    note: Callable[[], None]

    def look_at(self, records: Sequence[Mapping[str, Any]]) -> bool:
        """Ring where one of them came so often."""
        is_late = any(_receives(record) >= self.receives for record in records)
        if is_late:
            self.note()
        return is_late


class FreeSoon(Protocol):
    """Takes a message that is done off its queue before its batch ends."""

    def __call__(self, receipt_handle: str) -> bool:
        """Delete the message; false where that failed, and the batch's end deletes it."""


def take_each(
    event: Mapping[str, Any],
    take: Callable[[Message], None],
    *,
    retry_soon: RetrySoon,
    logger: Logger,
    note_failed: Callable[[], None],
    late: Late | None = None,
) -> dict[str, Any]:
    """Take messages one by one; return those that failed as SQS wants them (partial batch).

    `note_failed` rings, long before a message ends as a dead letter, for what does not pass, and
    `late` for what might pass and has not for long.
    """
    failed = [
        record
        for record in event["Records"]
        if _try(
            lambda message: take(message[0]),
            [record],
            logger=logger,
            note_failed=note_failed,
            late=late,
        )
        is not Taken.DONE
    ]
    return _report(failed, retry_soon=retry_soon, logger=logger)


def take_together(
    event: Mapping[str, Any],
    take: Callable[[Sequence[Message]], None],
    *,
    first_group: str,
    free_soon: FreeSoon,
    retry_soon: RetrySoon,
    logger: Logger,
    note_failed: Callable[[], None],
) -> dict[str, Any]:
    """Take a batch as a whole; where that fails, one by one, so that one bad message stands alone.

    For messages that may be taken twice and in any order. A vendor that is away is away for each of
    them, so then the batch comes back as it is. SQS may mix groups in a batch; what fails in one
    must not hold up another, so each is taken for itself, `first_group` before the others. A group
    is closed as long as one of its messages is out, so what is done leaves the queue before the
    next group's turn, not with the batch.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for record in event["Records"]:
        groups.setdefault(record["attributes"].get("MessageGroupId", ""), []).append(record)
    report: list[dict[str, str]] = []
    names = sorted(groups, key=lambda name: name != first_group)
    for name in names:
        records = groups[name]
        taken = _try(take, records, logger=logger, note_failed=note_failed)
        failed: list[Mapping[str, Any]] = []
        if taken is Taken.BAD and len(records) > 1:
            failed = [
                one
                for one in records
                if _try(take, [one], logger=logger, note_failed=note_failed) is not Taken.DONE
            ]
        elif taken is not Taken.DONE:
            failed = records
        if name != names[-1]:
            _free([one for one in records if one not in failed], free_soon, logger)
        report += _report(failed, retry_soon=retry_soon, logger=logger)["batchItemFailures"]
    return {"batchItemFailures": report}


def _free(records: Sequence[Mapping[str, Any]], free_soon: FreeSoon, logger: Logger) -> None:
    for record in records:
        if not free_soon(record["receiptHandle"]):
            logger.warning("a message stays till its batch ends", extra={"id": record["messageId"]})


class Taken(Enum):
    """How it went: done, to be tried again as it is, or bad."""

    DONE = auto()
    LATER = auto()
    BAD = auto()


def _try(
    take: Callable[[Sequence[Message]], None],
    records: Sequence[Mapping[str, Any]],
    *,
    logger: Logger,
    note_failed: Callable[[], None],
    late: Late | None = None,
) -> Taken:
    messages = [_message(record) for record in records]
    try:
        take(messages)
    except TryAgain as error:
        is_late = late is not None and late.look_at(records)
        logger.warning(
            MAIL_WAITS if is_late else "to be tried again",
            extra={"queued": messages, "reason": str(error)},
        )
        return Taken.LATER
    except Exception:  # the outer loop: the other messages go on, this one ends as a dead letter
        logger.exception("a message failed", extra={"queued": messages})
        note_failed()
        return Taken.BAD
    return Taken.DONE


def _message(record: Mapping[str, Any]) -> dict[str, Any]:
    """The message's body, and whether it was handed out before."""
    body: dict[str, Any] = json.loads(record["body"])
    came_before = _receives(record) > 1
    return body | {CAME_AGAIN: True} if came_before else body


def _receives(record: Mapping[str, Any]) -> int:
    return int(record["attributes"].get("ApproximateReceiveCount", 1))


def _report(
    records: Sequence[Mapping[str, Any]], *, retry_soon: RetrySoon, logger: Logger
) -> dict[str, Any]:
    for record in records:
        in_time = retry_soon(
            record["receiptHandle"],
            receive_count=_receives(record),
        )
        if not in_time:
            logger.warning("SQS took the message back", extra={"message_id": record["messageId"]})
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in records]}
