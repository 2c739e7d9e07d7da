"""Leave to a person what moved on a card wrongly: too late, or twice.

    what moved wrongly ─► owed#<operation>, parked ─┬─► credit-back: committed, repay#<op> follows
                                                    └─► dismiss: committed, nothing follows

Both decisions are one conditional write to one item, so only one of them ever stands.

A redemption that was charged twice can also be undone by the office, which may have meant this.
So whoever credits back is told of an undo, and has to say that it is meant as well; and an undo
waits for this decision, and for the office's second word after it (`take_reversals`). Each is
decided on condition that the redemption's item is as it was judged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from giftcards.domain.money import Money
from giftcards.errors import NeedsAPerson
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import OWED, REPAY, owed_key, repay_key
from giftcards.flows.park import Park
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.journal import Journal, Next, Operation, Result, State
from giftcards.store.table import Change, pack_money, unpack_money

# How soon somebody looks after one whose worker died before parking it or handing it over.
LOOK_AGAIN_SECONDS = 60

# How what is owed ends where it is given back.
CREDIT_BACK = "CREDIT_BACK"


@dataclass(frozen=True, kw_only=True)
class Owe:
    """Parks what is owed for an operation, once; the amount is what moved, signed."""

    journal: Journal
    park: Park
    clock: Callable[[], datetime]

    def owe(self, *, card_id: str, operation: str, amount: Money) -> Operation:
        """Have a person put right that `amount` moved wrongly on the card; negative: a debit.

        Raises `JournalConflict` where another amount was found for the operation before.
        """
        now = self.clock()
        owed = self.journal.claim(
            owed_key(operation),
            kind=OWED,
            snapshot={"card_id": card_id, "operation": operation, "amount": pack_money(amount)},
            now=now,
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )
        self.leave_to_a_person(owed)
        return owed

    def leave_to_a_person(self, owed: Operation) -> None:
        """Park it, unless that was done before."""
        if owed.state is not State.CLAIMED:
            return
        amount = owed_amount(owed)
        remedy = "credit-back gives it back, dismiss" if amount.minor < 0 else "dismiss"
        self.park.park_operation(
            owed,
            because=(
                f"for {owed.snapshot['operation']} Shopify moved {amount} on the card"
                f" {owed.snapshot['card_id']} too late or too often: {remedy} says that it was"
                " put right by hand"
            ),
        )


@dataclass(frozen=True, kw_only=True)
class CreditBack:
    """Decides that what is owed is given back to the card; `repay` does it."""

    journal: Journal
    follow_up: FollowUp
    clock: Callable[[], datetime]

    def begin(self, owed: Operation, *, by: str, too: bool = False) -> Operation:
        """Close what is owed, and have its amount given back; return what stands.

        Asked twice, or after a dismissal, the first decision stands: look at its `result`. Raises
        `NeedsAPerson` where nothing was taken off the card, or where something was given back for
        the same row by the office and it was not said that this is meant `too`.
        """
        amount = owed_amount(owed)
        if owed.kind != OWED or amount.minor >= 0:
            raise NeedsAPerson(f"{owed.key} took nothing off a card, so nothing is given back")
        now = self.clock()
        receipt = Receipt(
            id=f"{owed.key}#1",
            at=now,
            action=Action.CHANGED_AT_SHOPIFY,
            actor=by,
            card=None,
            amount=None,
            balance_after=None,
            outcome=ReceiptOutcome.DONE,
            operation=owed.key,
            details=f"{CREDIT_BACK}: {-amount} is given back, decided by {by}",
        )
        repay = Next(
            key=repay_key(str(owed.snapshot["operation"])),
            kind=REPAY,
            snapshot={**owed.snapshot, "amount": pack_money(-amount), "by": by},
            due_at=now,
        )
        result = Result(
            outcome=CREDIT_BACK,
            decided_at=now,
            reason=f"by {by}",
            receipts=(receipt,),
            follows=(repay,),
        )
        due_at = now + timedelta(seconds=LOOK_AGAIN_SECONDS)
        also = self._beside_an_undo(owed, -amount.minor, too=too)
        closed = self.journal.commit(owed, result, due_at=due_at, also=also)
        if closed.state is State.COMMITTED:
            self.follow_up.hand_over(closed)
        return closed

    def _beside_an_undo(self, owed: Operation, minor: int, *, too: bool) -> list[Change]:
        """The redemption's part, if it is about one. Raises as `begin`."""
        about = self.journal.load(str(owed.snapshot["operation"]))
        if about is None or about.kind != REDEMPTION:
            return []
        undo = None if about.reversal is None else self.journal.load(about.reversal)
        is_open = undo is not None and undo.result is None
        if (about.given_back or is_open) and not too:
            raise NeedsAPerson(
                f"{about.reversal} gives something back for this row already, by Reverse Amount."
                f" If that was meant for what {owed.key} is about, dismiss it; if the sale was"
                " undone and the card was charged too often as well, decide credit-back-too"
            )
        return [self.journal.credited_back(about, minor=minor)]


def owed_amount(operation: Operation) -> Money:
    """By how much the balance changed wrongly, or what is given back for it."""
    amount = unpack_money(operation.snapshot["amount"])
    if amount is None:
        raise AssertionError(f"{operation.key} has no amount")
    return amount
