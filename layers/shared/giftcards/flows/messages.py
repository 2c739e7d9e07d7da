"""Take messages off a queue: what succeeds is done, what fails comes back soon, one for itself."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from aws_lambda_powertools import Logger

from giftcards.errors import TryAgain

Message = Mapping[str, Any]


class RetrySoon(Protocol):
    """Lets a failed message come back after a short wait."""

    def __call__(self, receipt_handle: str, *, receive_count: int) -> bool:
        """Make the message visible again in a while, the longer the more often it came."""


def take_each(
    event: Mapping[str, Any],
    take: Callable[[Message], None],
    *,
    retry_soon: RetrySoon,
    logger: Logger,
) -> dict[str, Any]:
    """Take messages one by one; return those that failed as SQS wants them (partial batch)."""
    failed = [
        record
        for record in event["Records"]
        if not _succeeds(lambda message: take(message[0]), [record], logger=logger)
    ]
    return _report(failed, retry_soon=retry_soon, logger=logger)


def take_together(
    event: Mapping[str, Any],
    take: Callable[[Sequence[Message]], None],
    *,
    retry_soon: RetrySoon,
    logger: Logger,
) -> dict[str, Any]:
    """Take a batch as a whole; where that fails, one by one, so that one bad message stands alone.

    For messages that may be taken twice and in any order.
    """
    records = event["Records"]
    if _succeeds(take, records, logger=logger):
        return _report([], retry_soon=retry_soon, logger=logger)
    if len(records) == 1:
        return _report(records, retry_soon=retry_soon, logger=logger)
    failed = [record for record in records if not _succeeds(take, [record], logger=logger)]
    return _report(failed, retry_soon=retry_soon, logger=logger)


def _succeeds(
    take: Callable[[Sequence[Message]], None],
    records: Sequence[Mapping[str, Any]],
    *,
    logger: Logger,
) -> bool:
    messages = [json.loads(record["body"]) for record in records]
    try:
        take(messages)
    except TryAgain as error:
        logger.warning("to be tried again", extra={"queued": messages, "reason": str(error)})
        return False
    except Exception:  # the outer loop: the other messages go on, this one ends as a dead letter
        logger.exception("a message failed", extra={"queued": messages})
        return False
    return True


def _report(
    records: Sequence[Mapping[str, Any]], *, retry_soon: RetrySoon, logger: Logger
) -> dict[str, Any]:
    for record in records:
        in_time = retry_soon(
            record["receiptHandle"],
            receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
        )
        if not in_time:
            logger.warning("SQS took the message back", extra={"message_id": record["messageId"]})
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in records]}
