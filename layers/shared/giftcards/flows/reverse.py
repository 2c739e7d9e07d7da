"""Give back to a card what a store took, or a part of it: one step of the undo of a redemption.

The credit is `credit`'s. What was given back for the redemption grows only with the commit, in one
transaction, on condition that nobody else has made it grow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from giftcards.domain.codes import mask
from giftcards.flows.credit import Credit, CreditCards, Ended
from giftcards.flows.reversal import NOT_REVERSED, OFFICE, REVERSED, Reversal
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.journal import Journal, Operation, Result, RowWrite


@dataclass(frozen=True, kw_only=True)
class Reverse:
    """Gives back one step of a redemption; every method may be called again at any moment."""

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
        reversal = Reversal.of(operation)
        return Credit(
            card_id=reversal.card_id,
            amount=reversal.amount,
            is_step=reversal.is_step,
            commit=self._commit,
            since=reversal.row_created_at,
        )

    def _commit(self, operation: Operation, ended: Ended) -> Operation:
        """Make the outcome final; what was given back for the redemption grows with it."""
        reversal = Reversal.of(operation)
        now = self.clock()
        is_done, balance = ended.is_done, ended.balance
        outcome = REVERSED if is_done else NOT_REVERSED
        message = _message(reversal, ended)
        receipt = Receipt(
            id=f"{operation.key}#1",
            at=now,
            action=Action.REVERSE,
            actor=OFFICE,
            card=mask(reversal.last4),
            amount=reversal.amount,
            balance_after=balance,
            outcome=ReceiptOutcome.DONE if is_done else ReceiptOutcome.FAILED,
            operation=operation.key,
            details=f"{outcome}: {message}",
        )
        cells: dict[str, object] = {"Message": message}
        if is_done:
            cells["Reversed"] = reversal.total.decimal()
            if balance is not None:
                cells["Balance After"] = balance.decimal()
        result = Result(
            outcome=outcome,
            decided_at=now,
            balance=balance,
            transaction_id=ended.transaction_id,
            reason=ended.reason if is_done else f"{message} {_about(reversal)}",
            receipts=(receipt,),
            row=RowWrite(table="Redemptions", record_id=reversal.row_id, cells=cells),
            mail_to=reversal.store.email if is_done else self.office_email,
            moved_card=reversal.card_id,
            moved=reversal.amount if is_done else None,
        )
        grows = self.journal.reversal_done(
            reversal.redemption,
            by=operation.key,
            before=reversal.before.minor,
            after=reversal.total.minor,
        )
        return self.journal.commit(
            operation,
            result,
            due_at=self.credits.moves.look_again_at(now),
            also=[grows] if is_done else [],
        )


def _message(reversal: Reversal, ended: Ended) -> str:
    """What the row says."""
    because = "" if ended.reason is None else f" ({ended.reason})"
    if not ended.is_done:
        return f"{reversal.amount} was not given back{because}. {ended.otherwise}."
    says = f"{reversal.amount} was given back to the card{because}."
    if reversal.before.minor:
        says += f" With what was given back before that is {reversal.total}."
    if reversal.total < reversal.taken:
        says += f" {reversal.taken} had been taken."
    return says


def _about(reversal: Reversal) -> str:
    """Which redemption it is about, for whoever reads it without the row in front of him."""
    return (
        f"(It is about {reversal.taken} of {mask(reversal.last4)}, filed by {reversal.store.name}.)"
    )
