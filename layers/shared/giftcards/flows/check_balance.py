"""Check a balance: a customer asks on the website, and the answer goes to the address given.

The form is public, so whoever asks is a stranger. He reads the balance, or one and the same
sentence for every code that is unknown, mistyped, expired or deactivated; and at most a few mails a
day, so that nobody can be showered with them. Who misses again and again is not looked for any
more, and when all together miss too often, nobody is, for the rest of the hour: bots try millions
of codes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from aws_lambda_powertools import Logger

from giftcards.clients.airtable import ROW_IS_DONE
from giftcards.clients.shopify import Shopify
from giftcards.domain.addresses import is_one_address, mailbox_key
from giftcards.domain.balance import BalanceRow
from giftcards.domain.cards import Card, ShopFacts
from giftcards.domain.codes import UNREADABLE_CODE, Code, clean, mask
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.look_up import LookUp, codes_to_try
from giftcards.flows.sale import CHECK
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.checks import CheckCounts
from giftcards.store.journal import Journal, Operation, Result, RowWrite, State
from giftcards.store.table import pack_moment

# How soon somebody looks after an answer whose worker died before handing it over.
LOOK_AGAIN_SECONDS = 60


class CheckOutcome(StrEnum):
    """What came of a check, for the office. Customers can tell the first from the second only."""

    BALANCE_SENT = "BALANCE_SENT"
    NO_BALANCE = "NO_BALANCE"
    TOO_MANY_CHECKS = "TOO_MANY_CHECKS"
    LOCKED_OUT = "LOCKED_OUT"
    ADDRESS_INVALID = "ADDRESS_INVALID"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRules:
    """What a retailer allows.

    Answers and misses are of one address in a day, `most_misses_of_all` of everybody in an hour.
    Cards from before `live_from` are good in the web shop only, unless `accept_historical`.
    """

    most_answers: int
    most_misses: int
    most_misses_of_all: int
    live_from: datetime
    accept_historical: bool


@dataclass(frozen=True, kw_only=True)
class CheckBalance:
    """Answers one balance check at a time; may be called again for the same row at any moment."""

    journal: Journal
    shopify: Shopify
    look_up: LookUp
    counts: CheckCounts
    follow_up: FollowUp
    facts: ShopFacts
    logger: Logger
    clock: Callable[[], datetime]
    rules: CheckRules
    note_locked_out: Callable[[], None]

    def answer(self, row: BalanceRow) -> Operation:
        """Decide what the row gets, note it, and have it sent.

        Raises `TryAgain` where Shopify could not be reached; the row then still waits.
        """
        if not is_one_address(row.email):
            return self._record(row, None, CheckOutcome.ADDRESS_INVALID)
        who = mailbox_key(row.email)
        now = self.clock()
        counted = self.counts.so_far(who, now=now)
        if counted.checks >= self.rules.most_answers:
            return self._record(row, None, CheckOutcome.TOO_MANY_CHECKS)
        if (
            counted.misses >= self.rules.most_misses
            or counted.misses_of_all >= self.rules.most_misses_of_all
        ):
            self.note_locked_out()
            return self._record(row, None, CheckOutcome.LOCKED_OUT)
        code = clean(row.typed_code)
        card = self._find(code) if isinstance(code, Code) else None
        # Counted behind the search: a question that waits while Shopify is away is still one.
        self.counts.note_check(who, now=now)
        if card is None:
            tried = len(codes_to_try(code)) if isinstance(code, Code) else 1
            self.counts.note_misses(who, count=tried, now=now)
            last4 = code.last4 if isinstance(code, Code) else None
            return self._record(row, last4, CheckOutcome.NO_BALANCE)
        return self._record(row, card.last4, CheckOutcome.BALANCE_SENT, card=card)

    def _find(self, code: Code) -> Card | None:
        """The living card with this code. A dead one is no card, for whoever asks here."""
        found = self.look_up.find(code)
        card = None if found is None else self.shopify.read_card(found.card_id)
        if card is None or card.deactivated_at is not None or not card.enabled:
            return None
        today = self.clock().astimezone(ZoneInfo(self.facts.time_zone)).date()
        return None if card.expires_on is not None and card.expires_on < today else card

    def _is_online_only(self, card: Card) -> bool:
        return not self.rules.accept_historical and card.created_at < self.rules.live_from

    def _record(
        self,
        row: BalanceRow,
        last4: str | None,
        outcome: CheckOutcome,
        *,
        card: Card | None = None,
    ) -> Operation:
        now = self.clock()
        balance = None if card is None else card.balance
        key = check_key(row.id)
        answered = outcome in {CheckOutcome.BALANCE_SENT, CheckOutcome.NO_BALANCE}
        masked = None if last4 is None else mask(last4)
        receipt = Receipt(
            id=f"{key}#1",
            at=now,
            action=Action.CHECK_BALANCE,
            actor="a customer",
            card=masked if balance is not None else None,
            amount=None,
            balance_after=balance,
            outcome=ReceiptOutcome.DONE if balance is not None else ReceiptOutcome.FAILED,
            operation=key,
            details=f"{outcome}: {_DETAILS[outcome]}",
        )
        result = Result(
            outcome=outcome,
            decided_at=now,
            balance=balance,
            receipts=(receipt,),
            row=RowWrite(
                table="Balance Checks",
                record_id=row.id,
                cells={
                    "Status": ROW_IS_DONE,
                    "Processed At": pack_moment(now),
                    "Gift Card Code": masked or UNREADABLE_CODE,
                },
            ),
            mail_to=row.email.strip() if answered else None,
        )
        operation = self.journal.record(
            key,
            kind=CHECK,
            snapshot={
                "row_id": row.id,
                "row_created_at": pack_moment(row.created_at),
                "card": masked if balance is not None else None,
                "is_online_only": card is not None and self._is_online_only(card),
                "time_zone": self.facts.time_zone,
            },
            result=result,
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)
        return operation


_DETAILS = {
    CheckOutcome.BALANCE_SENT: "the balance was mailed.",
    CheckOutcome.NO_BALANCE: "no living card has this code; the uniform answer was mailed.",
    CheckOutcome.TOO_MANY_CHECKS: "this address had its answers for today; nothing was mailed.",
    CheckOutcome.LOCKED_OUT: "too many misses; the code was not looked for, nothing was mailed.",
    CheckOutcome.ADDRESS_INVALID: "what was typed is not one mail address; nothing was mailed.",
}


def check_key(row_id: str) -> str:
    """The business key of a balance check."""
    return f"{CHECK}#{row_id}"
