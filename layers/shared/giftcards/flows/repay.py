"""Give back to a card what an operation took too late, or twice: a credit, once.

The credit is `credit`'s. The amount is the one that was found to have moved; nobody types it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from giftcards.domain.codes import mask
from giftcards.domain.money import Money
from giftcards.flows.credit import Credit, CreditCards, Ended
from giftcards.flows.owe import owed_amount
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.flows.redeem import Asked
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.journal import Journal, Operation, Result

# How it ends.
REPAID = "REPAID"
NOT_REPAID = "NOT_REPAID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repayment:
    """What is given back to which card, for which operation, and who decided it."""

    card_id: str
    operation: str
    amount: Money
    by: str

    @classmethod
    def of(cls, operation: Operation) -> "Repayment":
        """The repayment that an operation of its kind is about."""
        return cls(
            card_id=operation.snapshot["card_id"],
            operation=operation.snapshot["operation"],
            amount=owed_amount(operation),
            by=operation.snapshot["by"],
        )


@dataclass(frozen=True, kw_only=True)
class Repay:
    """Gives back what was taken wrongly; every method may be called again at any moment."""

    credits: CreditCards
    journal: Journal
    clock: Callable[[], datetime]
    office_email: str

    def finish(self, operation: Operation, *, deadline: datetime) -> Operation:
        """Go on from where the journal says it stands. Nothing is sent after `deadline`.

        Raises `TryAgain` where it cannot be done just now: soon is early enough.
        """
        return self.credits.finish(operation, self._credit(operation), deadline=deadline)

    def decide(self, operation: Operation, *, credited: bool, by: str) -> Operation:
        """A person has looked: the parked credit was applied, or it was not."""
        return self.credits.decide(operation, self._credit(operation), credited=credited, by=by)

    def _credit(self, operation: Operation) -> Credit:
        repayment = Repayment.of(operation)
        return Credit(
            card_id=repayment.card_id,
            amount=repayment.amount,
            is_step=lambda reference: reference == operation.key,
            commit=self._commit,
            since=self._row_filed_at(repayment),
        )

    def _row_filed_at(self, repayment: Repayment) -> datetime | None:
        """When the row was filed whose debit is given back, if it is a redemption's.

        Its claim would not do: a journal that was restored may have claimed it anew.
        """
        about = self.journal.load(repayment.operation)
        if about is None or about.kind != REDEMPTION:
            return None
        return Asked.unpack(about.snapshot).row_created_at

    def _commit(self, operation: Operation, ended: Ended) -> Operation:
        """Make the outcome final, and tell the office of it."""
        repayment = Repayment.of(operation)
        now = self.clock()
        is_done, card = ended.is_done, ended.card
        outcome = REPAID if is_done else NOT_REPAID
        because = "" if ended.reason is None else f" ({ended.reason})"
        verb = "was given back" if is_done else "was not given back"
        message = f"{repayment.amount} for {repayment.operation} {verb} to the card{because}."
        if not is_done:
            message += f" {ended.otherwise}."
        receipt = Receipt(
            id=f"{operation.key}#1",
            at=now,
            action=Action.PUT_RIGHT,
            actor=repayment.by,
            card=None if card is None else mask(card.last4),
            amount=repayment.amount,
            balance_after=ended.balance,
            outcome=ReceiptOutcome.DONE if is_done else ReceiptOutcome.FAILED,
            operation=operation.key,
            details=f"{outcome}: {message}",
        )
        result = Result(
            outcome=outcome,
            decided_at=now,
            balance=ended.balance,
            transaction_id=ended.transaction_id,
            reason=message,
            receipts=(receipt,),
            mail_to=self.office_email,
            moved_card=repayment.card_id,
            moved=repayment.amount if is_done else None,
        )
        return self.journal.commit(operation, result, due_at=self.credits.moves.look_again_at(now))
