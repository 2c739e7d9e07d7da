"""Write again what was answered and still waits in Airtable.

A row leaves the list of those that wait as soon as `write_airtable` has written it. One that is
still there long after was missed, or somebody emptied its Status.
"""

from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from giftcards.store.journal import Journal, Operation, State
from giftcards.store.queues import Queues

# More than the writer is ever behind on a healthy day.
WRITE_AGAIN_SECONDS = 600


def write_again(
    operation: Operation, *, journal: Journal, queues: Queues, logger: Logger, now: datetime
) -> None:
    """Have a row written once more, after a while. What is COMMITTED is written by itself."""
    if operation.state is State.COMMITTED:
        return
    since = operation.written_again_at or operation.settled_at or operation.claimed_at
    if now - since < timedelta(seconds=WRITE_AGAIN_SECONDS):
        return
    logger.warning("a row that was taken still waits in Airtable", operation=operation.key)
    journal.note_written_again(operation, now=now)
    queues.write_operation(operation.key)
