"""Park what nobody but a person can finish: it stops coming back, and the alarm rings."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from giftcards.store.attempts import Attempts
from giftcards.store.journal import Journal, Operation

# A failure that repetition does not mend shows again and again; then the operation is parked.
FAILURES_TO_BE_PARKED = 6

# Until it is parked it is looked at again about this often.
LOOK_AGAIN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Park:
    """Sets operations and rows aside; `ops park` shows and decides them.

    The alarm rings before the write: nobody comes back to what is parked, so a worker that dies
    between the two would leave it parked in silence. Rung twice is better than never.
    """

    journal: Journal
    attempts: Attempts
    logger: Logger
    clock: Callable[[], datetime]
    note_parked: Callable[[], None]

    def count_failure(self, operation: Operation, error: Exception) -> None:
        """Count a failure of an operation; leave it to a person after too many."""
        now = self.clock()
        later = now + timedelta(seconds=LOOK_AGAIN_SECONDS)
        if self.journal.note_failure(operation, due_at=later) < FAILURES_TO_BE_PARKED:
            return
        self.park_operation(operation, because=str(error))

    def park_operation(self, operation: Operation, *, because: str) -> None:
        """Leave an operation to a person at once: trying again would change nothing."""
        self.note_parked()
        self.journal.park(operation, because=because, now=self.clock())
        self.logger.error("an operation is parked", extra={"operation": operation.key})

    def park_row(self, row_id: str) -> None:
        """A row that kills its worker again and again."""
        self.note_parked()
        self.attempts.park(row_id, now=self.clock())
        self.logger.error("a row is parked", extra={"row": row_id})
