"""Hand over what follows from an outcome: the store's answer first, then Airtable."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from giftcards.store.cards import Cards
from giftcards.store.journal import Journal, Operation
from giftcards.store.queues import Queues


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """Empties an operation's outbox. Handed over twice is done once: the consumers look first."""

    journal: Journal
    cards: Cards
    queues: Queues
    clock: Callable[[], datetime]

    def hand_over(self, operation: Operation) -> None:
        """Send a committed operation's follow-ups to their queues, then mark it settled.

        A worker that dies in between leaves it COMMITTED, and `sweep` hands over again.
        """
        if operation.result is None:
            raise AssertionError(f"{operation.key} has no outcome yet: nothing follows from it")
        if operation.result.mail_to is not None:
            self.queues.answer_store(operation.key)
        if operation.result.moved_card is not None:
            self.cards.note_move(operation.result.moved_card)
        self.queues.write_operation(operation.key)
        if operation.result.receipts:
            self.queues.write_records(operation.key)
        self.journal.settle(operation, now=self.clock())
