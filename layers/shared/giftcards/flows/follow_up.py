"""Hand over what follows from an outcome: the store's answer first, then Airtable."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from giftcards.flows.kinds import REPAY, RETURN, REVERSAL, TAG
from giftcards.flows.sale import CONFIRMATION, DELIVERY, ISSUE, RESEND, SALE
from giftcards.store.cards import Cards
from giftcards.store.journal import Journal, Next, Operation, Result
from giftcards.store.ledger import Ledgers
from giftcards.store.queues import Queues

# The answer to a customer's question of a balance: a store's answer never queues behind it.
MAILED_TO_CUSTOMERS = frozenset({"check"})

# When the sweep begins what was claimed by a worker that died before saying so.
LOOK_AGAIN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """Empties an operation's outbox. Handed over twice is done once: the consumers look first."""

    journal: Journal
    cards: Cards
    ledgers: Ledgers
    queues: Queues
    clock: Callable[[], datetime]

    def hand_over(self, operation: Operation) -> None:
        """Send a committed operation's follow-ups to their queues, then mark it settled.

        A worker that dies in between leaves it COMMITTED, and `sweep` hands over again.
        """
        result = _result_of(operation)
        if result.mail_to is not None:
            if operation.kind in MAILED_TO_CUSTOMERS:
                self.queues.deliver(operation.key)
            else:
                self.queues.answer_store(operation.key)
        self._note_move(operation, result)
        for one in result.follows:
            self._begin(one)
        if result.row is not None:
            self.queues.write_operation(operation.key)
        if _leaves_records(result):
            self.queues.write_records(operation.key)
        self.journal.settle(operation, now=self.clock())

    def hand_over_together(self, operations: Sequence[Operation]) -> None:
        """The same for several that only leave records: in one message, so written in one go."""
        if not operations:
            return
        for operation in operations:
            result = _result_of(operation)
            if result.mail_to is not None or result.row is not None or result.follows:
                raise AssertionError(
                    f"{operation.key} leaves more than records: hand it over alone"
                )
            self._note_move(operation, result)
        self.queues.write_records(*(operation.key for operation in operations))
        for operation in operations:
            self.journal.settle(operation, now=self.clock())

    def _note_move(self, operation: Operation, result: Result) -> None:
        if result.moved_card is None:
            return
        if result.moved is not None:
            self.ledgers.note(result.moved_card, operation=operation.key, amount=result.moved)
        self.cards.note_move(result.moved_card)

    def _begin(self, one: Next) -> None:
        """Claim what follows: what is due now begins at once, the rest by the sweep."""
        now = self.clock()
        fallback = max(one.due_at, now + timedelta(seconds=LOOK_AGAIN_SECONDS))
        self.journal.claim(one.key, kind=one.kind, snapshot=one.snapshot, now=now, due_at=fallback)
        send = one_off_of(one.kind, self.queues)
        if send is not None and one.due_at <= now:
            send(one.key)


def one_off_of(kind: str, queues: Queues) -> Callable[[str], None] | None:
    """What sends an operation of this kind to the function that finishes it, if one does."""
    return {
        SALE: queues.issue_cards,
        ISSUE: queues.issue_cards,
        DELIVERY: queues.deliver,
        CONFIRMATION: queues.deliver,
        RESEND: queues.deliver,
        RETURN: queues.adjust_balance,
        REVERSAL: queues.adjust_balance,
        REPAY: queues.adjust_balance,
        TAG: queues.tag_order,
    }.get(kind)


def _leaves_records(result: Result) -> bool:
    return bool(
        result.receipts
        or result.moved_card
        or result.order_row
        or result.purchase
        or (result.row and result.row.cards)
    )


def _result_of(operation: Operation) -> Result:
    if operation.result is None:
        raise AssertionError(f"{operation.key} has no outcome yet: nothing follows from it")
    return operation.result
