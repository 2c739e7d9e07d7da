"""Adjust balances for which no customer waits: what the office gives back, and returned cards.

One worker at a time takes them, in their order. One that cannot be finished now stands in nobody's
way: a vendor that is away is away for all, and what nobody can explain is left to the sweep, and in
the end to a person.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from giftcards.errors import JournalConflict, NeedsAPerson, VendorSurprise
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import REPAY, RETURN, REVERSAL
from giftcards.flows.park import Park
from giftcards.flows.repay import Repay
from giftcards.flows.return_card import ReturnCard
from giftcards.flows.reverse import Reverse
from giftcards.store.control import Control
from giftcards.store.journal import Journal, Operation, State

# While its message comes back, the sweep need not send another one.
LOOK_AGAIN_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class AdjustBalance:
    """Takes one operation after the other; may be called again with each at any moment."""

    journal: Journal
    control: Control
    reverse: Reverse
    return_card: ReturnCard
    repay: Repay
    follow_up: FollowUp
    park: Park
    logger: Logger
    clock: Callable[[], datetime]

    def adjust(self, key: str, *, deadline: datetime) -> None:
        """Go on with the operation. Nothing is sent to Shopify after `deadline`.

        While the system is paused no money is moved; what was sent before is still found out.
        Raises `TryAgain` where it cannot be done just now.
        """
        operation = self.journal.load(key)
        if operation is None:
            raise NeedsAPerson(f"{key} is not in the journal")
        if operation.state is State.CLAIMED and not self.control.switch().is_running:
            return  # the sweep comes back to it
        if operation.state is State.CLAIMED:
            later = self.clock() + timedelta(seconds=LOOK_AGAIN_SECONDS)
            self.journal.postpone(operation, due_at=later)
        try:
            operation = self._finish(operation, deadline)
        except (VendorSurprise, JournalConflict) as error:
            # Not raised: in a FIFO queue all others behind this one would wait for it.
            self.logger.exception("a balance was not adjusted", extra={"operation": key})
            self.park.count_failure(operation, error)
            return
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)

    def decide(self, operation: Operation, *, moved: bool, by: str) -> Operation:
        """A person has looked: the money of a parked operation moved, or it did not."""
        if operation.kind == REVERSAL:
            decided = self.reverse.decide(operation, credited=moved, by=by)
        elif operation.kind == REPAY:
            decided = self.repay.decide(operation, credited=moved, by=by)
        else:
            decided = self.return_card.decide(operation, charged=moved, by=by)
        if decided.state is State.COMMITTED:
            self.follow_up.hand_over(decided)
        return decided

    def _finish(self, operation: Operation, deadline: datetime) -> Operation:
        if operation.kind == REVERSAL:
            return self.reverse.finish(operation, deadline=deadline)
        if operation.kind == RETURN:
            return self.return_card.finish(operation, deadline=deadline)
        if operation.kind == REPAY:
            return self.repay.finish(operation, deadline=deadline)
        raise NeedsAPerson(f"{operation.key} adjusts no balance")
