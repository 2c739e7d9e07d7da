"""Answer a balance check: mail the balance, or the uniform sentence, to the address given."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from giftcards.clients.mail import Mailer
from giftcards.domain.cards import ShopFacts
from giftcards.errors import NeedsAPerson
from giftcards.flows.sale import CHECK
from giftcards.mails import compose_balance_answer
from giftcards.store.journal import Journal, Operation


@dataclass(frozen=True, kw_only=True)
class AnswerCheck:
    """Mails what a check came to; what was answered is not answered again (see `answer_store`)."""

    journal: Journal
    mailer: Mailer
    facts: ShopFacts
    clock: Callable[[], datetime]

    def answer(self, operation: Operation) -> None:
        """Mail the answer, unless that was done before or none is due."""
        result = operation.result
        if operation.kind != CHECK or result is None:
            raise NeedsAPerson(f"{operation.key} has no answer for a customer")
        if result.mail_to is None or operation.answered_at is not None:
            return
        mail = compose_balance_answer(
            to=result.mail_to,
            balance=result.balance,
            card=operation.snapshot["card"],
            is_online_only=operation.snapshot["is_online_only"],
            shop_name=self.facts.name,
            told_at=result.decided_at,
            time_zone=operation.snapshot["time_zone"],
        )
        message_id = self.mailer.send(mail, operation=operation.key)
        self.journal.mark_answered(operation, message_id=message_id, now=self.clock())
