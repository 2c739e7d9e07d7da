"""Close what was left to a person and nobody waits for: the person has looked, and seen to it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import DRIFT, GIVEN_BACK, OWED, SPEND, UNREAD_ORDER
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.journal import Journal, Operation, Result, State
from giftcards.store.table import unpack_money

# What such a thing would have been, had we known enough of it.
DISMISSED_KINDS = {
    SPEND: Action.SPEND_ON_WEB,
    GIVEN_BACK: Action.REFUND_ON_WEB,
    UNREAD_ORDER: Action.SPEND_ON_WEB,
    OWED: Action.CHANGED_AT_SHOPIFY,
    DRIFT: Action.RECONCILE,
}

DISMISSED = "DISMISSED"

# How soon somebody looks after one whose command was cut off before handing it over.
LOOK_AGAIN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Dismiss:
    """Closes parked operations; no money is moved by it."""

    journal: Journal
    follow_up: FollowUp
    clock: Callable[[], datetime]

    def dismiss(self, operation: Operation, *, by: str) -> Operation:
        """Close a parked operation of one of `DISMISSED_KINDS`, with a receipt that says by whom.

        The receipt counts as failed: nothing was done by us, and no amount is accounted for by it.
        """
        now = self.clock()
        receipt = Receipt(
            id=f"{operation.key}#1",
            at=now,
            action=DISMISSED_KINDS[operation.kind],
            actor=by,
            card=None,
            amount=unpack_money(operation.snapshot.get("amount")),
            balance_after=None,
            outcome=ReceiptOutcome.FAILED,
            operation=operation.key,
            details=f"{DISMISSED}: dismissed by {by}. It was parked: {operation.parked_because}",
        )
        result = Result(outcome=DISMISSED, decided_at=now, reason=f"by {by}", receipts=(receipt,))
        due_at = now + timedelta(seconds=LOOK_AGAIN_SECONDS)
        closed = self.journal.commit(operation, result, due_at=due_at)
        if closed.state is State.COMMITTED:
            self.follow_up.hand_over(closed)
        return closed
