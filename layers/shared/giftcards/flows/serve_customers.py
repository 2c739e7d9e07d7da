"""Serve customers' mail: deliveries by Klaviyo, balances by SES, and mails that came back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from giftcards.errors import NeedsAPerson
from giftcards.flows.answer_check import AnswerCheck
from giftcards.flows.deliver import Deliver
from giftcards.flows.note_bounce import NoteBounce
from giftcards.flows.sale import CHECK
from giftcards.store.journal import Journal


@dataclass(frozen=True, kw_only=True)
class ServeCustomers:
    """Takes one message at a time, and knows whose it is."""

    journal: Journal
    deliver: Callable[[], Deliver]
    answer_check: AnswerCheck
    note_bounce: NoteBounce

    def take(self, message: Mapping[str, Any]) -> None:
        """Take `{"operation": key}`, with `"again": true` from a dead letter, or SES's event."""
        key = message.get("operation")
        if key is None:
            self.note_bounce.note(message)
            return
        operation = self.journal.load(key)
        if operation is None:
            raise NeedsAPerson(f"{key} is not in the journal")
        if operation.kind == CHECK:
            self.answer_check.answer(operation)
        else:
            self.deliver().deliver(key, again=bool(message.get("again")))
