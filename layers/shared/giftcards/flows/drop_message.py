"""Note that a person dropped a message that leads to nothing any more, before it is deleted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import DROPPED_MESSAGE, dropped_message_key
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.journal import Journal, Result, State

DROPPED = "DROPPED"

# How soon somebody looks after one whose command was cut off before handing it over.
LOOK_AGAIN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class DropMessage:
    """Leaves the receipt of a message that is dropped; deleting it is the caller's."""

    journal: Journal
    follow_up: FollowUp
    clock: Callable[[], datetime]

    def note(self, message_id: str, *, queue: str, about: str, by: str) -> None:
        """Note it; a second time changes nothing. `about` says without a code what it was."""
        now = self.clock()
        key = dropped_message_key(message_id)
        receipt = Receipt(
            id=f"{key}#1",
            at=now,
            action=Action.DROP_MESSAGE,
            actor=by,
            card=None,
            amount=None,
            balance_after=None,
            outcome=ReceiptOutcome.DONE,
            operation=key,
            details=f"{DROPPED}: a message of {queue} that had given up was dropped: {about}.",
        )
        operation = self.journal.record(
            key,
            kind=DROPPED_MESSAGE,
            snapshot={"queue": queue},
            result=Result(outcome=DROPPED, decided_at=now, receipts=(receipt,)),
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)
