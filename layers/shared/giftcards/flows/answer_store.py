"""Answer a store: mail it the outcome of its request, once the outcome is final."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from giftcards.clients.mail import Mailer
from giftcards.domain.codes import mask
from giftcards.domain.outcomes import Outcome
from giftcards.errors import NeedsAPerson
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.flows.redeem import Asked
from giftcards.flows.serve_stores import NOTICE_KIND
from giftcards.mails import Mail, StoreAnswer, compose_office_notice, compose_store_answer
from giftcards.store.journal import Journal, Operation, Result


@dataclass(frozen=True, kw_only=True)
class AnswerStore:
    """Mails what an operation came to; an operation that was answered is not answered again.

    SES takes no token that would make a second sending of the same mail harmless. A worker that
    dies between SES and our note sends the same answer twice: better than never.
    """

    journal: Journal
    mailer: Mailer
    clock: Callable[[], datetime]

    def answer(self, operation_key: str) -> None:
        """Mail the outcome of the operation, unless that was done before."""
        operation = self.journal.load(operation_key)
        if operation is None or operation.result is None:
            raise NeedsAPerson(f"{operation_key} has no outcome in the journal to be mailed")
        if operation.answered_at is not None or operation.result.mail_to is None:
            return
        mail = self._compose(operation, operation.result, to=operation.result.mail_to)
        message_id = self.mailer.send(mail)
        self.journal.mark_answered(operation, message_id=message_id, now=self.clock())

    def _compose(self, operation: Operation, result: Result, *, to: str) -> Mail:
        if operation.kind == NOTICE_KIND:
            return compose_office_notice(
                to=to,
                subject="A redemption row is waiting for the office",
                lines=[result.reason or result.outcome],
                reference=operation.key,
            )
        if operation.kind != REDEMPTION:
            raise NeedsAPerson(f"nobody knows how to answer {operation.kind} ({operation.key})")
        asked = Asked.unpack(operation.snapshot)
        outcome = Outcome(result.outcome)
        answer = StoreAnswer(
            outcome=outcome,
            store_name=asked.store.name,
            employee=asked.employee,
            masked_card=None if asked.last4 is None else mask(asked.last4),
            amount=asked.amount,
            typed_amount=None,
            balance=result.balance if _may_show_balance(outcome) else None,
            reason=result.reason,
            reference=operation.key,
            asked_at=asked.row_created_at,
            answered_at=self.clock(),
            time_zone=asked.time_zone,
        )
        return compose_store_answer(answer, to=to)


def _may_show_balance(outcome: Outcome) -> bool:
    """Whoever holds a working card may know what is on it; nobody learns it of a dead one."""
    match outcome:
        case Outcome.REDEEMED | Outcome.INSUFFICIENT_BALANCE:
            return True
        case (
            Outcome.CODE_FORMAT_INCORRECT
            | Outcome.CODE_NOT_FOUND
            | Outcome.AMOUNT_INVALID
            | Outcome.CARD_EXPIRED
            | Outcome.CARD_DISABLED
            | Outcome.NOT_CHARGED
        ):
            return False
        case _:
            assert_never(outcome)
