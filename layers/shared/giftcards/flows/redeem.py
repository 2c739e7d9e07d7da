"""Redeem a card: a store asks, a customer waits, and money moves once or not at all.

    look up the card ─► claim the row ─► lock the card ─► read it and judge
                                                           │ may be charged
                             answer, row, ◄─ commit ◄─ debit ◄─ mark SENT
                             receipt, sync

Whatever stops a worker between two of these steps, the next look at the operation goes on from what
the journal says. The one step that cannot be repeated is the debit. So after the SENT mark nobody
sends again: we ask Shopify for a transaction with our reference and amount, and when none has
turned up after the settling time, the answer is "not charged", for ever. Only where Shopify said
that the debit did not run is the mark taken back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from giftcards.clients.shopify import Shopify
from giftcards.domain.cards import (
    Card,
    Debited,
    DebitRefused,
    DebitReply,
    InsufficientFunds,
    ShopFacts,
)
from giftcards.domain.codes import Code, FormatIncorrect, clean, fingerprint, look_alikes, mask
from giftcards.domain.hiding import hide_codes
from giftcards.domain.money import Money, MoneyError
from giftcards.domain.outcomes import Outcome, RedemptionRow, Store, explain
from giftcards.errors import AccessRefused, NotSent, TryAgain, Unconfirmed
from giftcards.flows.follow_up import FollowUp
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.cards import Cards, lock_key
from giftcards.store.journal import Journal, Operation, Result, RowWrite, State
from giftcards.store.leases import Lease, Leases
from giftcards.store.table import pack_moment, pack_money, unpack_moment, unpack_money

KIND = "redemption"

# What the office reads in `Status`; an empty cell means waiting.
ROW_IS_DONE = "Processed"

# What replaces a typed text in which no code was recognised: it may hold one all the same.
UNREADABLE_CODE = "•••• ????"

# When somebody looks at an operation again that nobody finished: after every worker that may have
# begun it is dead (its lease is over), so that the second look finds facts, not a race.
LOOK_AGAIN_SECONDS = 10

# Clocks of two machines in one AWS region differ by milliseconds; a second is generous.
CLOCK_SKEW_SECONDS = 1


def operation_key(row_id: str) -> str:
    """The business key of a redemption, which is also the reference in the debit's note."""
    return f"{KIND}#{row_id}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a store asked for, as we first saw it. The row may change afterwards; this does not.

    `time_zone` is the shop's, so that the answer can be written while Shopify is away.
    """

    row_id: str
    row_created_at: datetime
    store: Store
    employee: str
    amount: Money | None
    card_id: str | None
    last4: str | None
    time_zone: str

    def pack(self) -> dict[str, Any]:
        """The snapshot as the journal keeps it."""
        return {
            "row_id": self.row_id,
            "row_created_at": pack_moment(self.row_created_at),
            "store": {"id": self.store.id, "name": self.store.name, "email": self.store.email},
            "employee": self.employee,
            "amount": pack_money(self.amount),
            "card_id": self.card_id,
            "last4": self.last4,
            "time_zone": self.time_zone,
        }

    @classmethod
    def unpack(cls, snapshot: Mapping[str, Any]) -> "Asked":
        """The snapshot that `pack` packed."""
        return cls(
            row_id=snapshot["row_id"],
            row_created_at=unpack_moment(snapshot["row_created_at"]),
            store=Store(**snapshot["store"]),
            employee=snapshot["employee"],
            amount=unpack_money(snapshot["amount"]),
            card_id=snapshot["card_id"],
            last4=snapshot["last4"],
            time_zone=snapshot["time_zone"],
        )


@dataclass(frozen=True, slots=True)
class Charge:
    """A redemption that reached a card: what is needed to debit it, none of it missing."""

    asked: Asked
    card_id: str
    amount: Money

    @classmethod
    def of(cls, operation: Operation) -> "Charge":
        """The charge of a claimed redemption."""
        asked = Asked.unpack(operation.snapshot)
        if asked.card_id is None or asked.amount is None:
            raise AssertionError(f"{operation.key} was claimed without a card or an amount")
        return cls(asked=asked, card_id=asked.card_id, amount=asked.amount)


@dataclass(frozen=True, kw_only=True)
class Redeem:
    """Serves one redemption row at a time; every method may be called again at any moment."""

    shopify: Shopify
    journal: Journal
    cards: Cards
    locks: Leases
    follow_up: FollowUp
    facts: ShopFacts
    peppers: Sequence[bytes]
    clock: Callable[[], datetime]
    http_timeout_seconds: int
    settling_seconds: int

    def serve(self, row: RedemptionRow, *, store: Store, deadline: datetime) -> Operation:
        """Answer a row that nobody has answered yet. Nothing is sent to Shopify after `deadline`.

        Raises `TryAgain` where a vendor could not be reached; the row is then still waiting.
        """
        asked = Asked(
            row_id=row.id,
            row_created_at=row.created_at,
            store=store,
            # Somebody may type the code into the wrong cell, and the name goes into receipts.
            employee=hide_codes(row.employee, known=[row.typed_code]),
            amount=None,
            card_id=None,
            last4=None,
            time_zone=self.facts.time_zone,
        )
        code = clean(row.typed_code)
        if isinstance(code, FormatIncorrect):
            return self._refuse(asked, Outcome.CODE_FORMAT_INCORRECT, reason=code.reason)
        asked = replace(asked, last4=code.last4)
        try:
            amount = read_amount(row.typed_amount, currency=self.facts.currency)
        except MoneyError as error:
            return self._refuse(asked, Outcome.AMOUNT_INVALID, reason=str(error))
        asked = replace(asked, amount=amount)
        found = self._look_up(code)
        if found is None:
            return self._refuse(asked, Outcome.CODE_NOT_FOUND)
        card_id, last4 = found
        now = self.clock()
        operation = self.journal.claim(
            operation_key(row.id),
            kind=KIND,
            snapshot=replace(asked, card_id=card_id, last4=last4).pack(),
            now=now,
            due_at=self._look_again_at(now),
        )
        return self.finish(operation, deadline=deadline)

    def finish(self, operation: Operation, *, deadline: datetime) -> Operation:
        """Go on with an operation from where the journal says it stands."""
        match operation.state:
            case State.CLAIMED:
                operation = self._charge(operation, deadline=deadline)
            case State.SENT:
                operation = self._find_out(operation)
            case State.COMMITTED | State.SETTLED:
                pass
            case _:
                assert_never(operation.state)
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)
        return operation

    def _look_up(self, code: Code) -> tuple[str, str] | None:
        """The card's id and last four: of the code as typed, else of the look-alike that exists.

        Two look-alikes that both exist are two people's cards: neither is taken.
        """
        found = self._find(code)
        if found is not None:
            return found
        others = [card for other in look_alikes(code) if (card := self._find(other)) is not None]
        return others[0] if len(others) == 1 else None

    def _find(self, code: Code) -> tuple[str, str] | None:
        card_id = self.cards.find(fingerprint(code, pepper) for pepper in self.peppers)
        if card_id is not None:
            return card_id, code.last4
        card = self.shopify.find_card(code)
        if card is None:
            return None
        self.cards.remember(fingerprint(code, self.peppers[0]), card_id=card.id)
        return card.id, card.last4

    def _charge(self, operation: Operation, *, deadline: datetime) -> Operation:
        charge = Charge.of(operation)
        lock = self.locks.acquire(lock_key(charge.card_id), now=self.clock())
        if lock is None:
            return operation  # somebody else moves money on this card; the next look goes on
        try:
            return self._charge_locked(operation, charge, lock=lock, deadline=deadline)
        finally:
            self.locks.release(lock)

    def _charge_locked(
        self, operation: Operation, charge: Charge, *, lock: Lease, deadline: datetime
    ) -> Operation:
        card = self.shopify.read_card(charge.card_id)
        refusal = judge(card, charge.amount, today=self._today())
        if refusal is not None:
            balance = card.balance if card and refusal is Outcome.INSUFFICIENT_BALANCE else None
            return self._commit(operation, charge, refusal, balance=balance)
        latest = self._latest_send(lock, deadline)
        if self.clock() >= latest:
            return operation
        now = self.clock()
        sent = self.journal.mark_sent(
            operation, lock=lock, now=now, due_at=self._look_again_at(now)
        )
        if sent is None:
            return self.journal.load(operation.key) or operation
        if self.clock() >= latest:  # the mark itself may have taken long
            self.journal.take_back_sent(sent, due_at=self.clock())
            return operation
        try:
            reply = self.shopify.debit(
                charge.card_id, amount=charge.amount, reference=operation.key
            )
        except (NotSent, AccessRefused):
            self.journal.take_back_sent(sent, due_at=self._look_again_at(self.clock()))
            raise
        except Unconfirmed:
            return sent  # it may have been applied: the next look asks Shopify
        return self._commit_reply(sent, charge, reply)

    def _commit_reply(self, sent: Operation, charge: Charge, reply: DebitReply) -> Operation:
        match reply:
            case Debited():
                return self._commit(
                    sent,
                    charge,
                    Outcome.REDEEMED,
                    balance=reply.balance_after,
                    transaction_id=reply.transaction_id,
                )
            case InsufficientFunds():
                # The web shop spent from the card between our read and our debit.
                card = self._read_if_possible(charge.card_id)
                return self._commit(
                    sent,
                    charge,
                    Outcome.INSUFFICIENT_BALANCE,
                    balance=None if card is None else card.balance,
                )
            case DebitRefused():
                # Shopify tells "expired" from "deactivated" in prose only; the card's facts tell it
                # reliably. What they don't explain is still certain in one thing: no charge.
                card = self._read_if_possible(charge.card_id)
                refusal = card and judge(card, charge.amount, today=self._today())
                return self._commit(
                    sent,
                    charge,
                    refusal or Outcome.NOT_CHARGED,
                    reason=hide_codes(f"Shopify refused: {reply.message} ({reply.code})"),
                )
            case _:
                assert_never(reply)

    def _read_if_possible(self, card_id: str) -> Card | None:
        """The card as it is now, for a better answer; the answer must not depend on it."""
        try:
            return self.shopify.read_card(card_id)
        except TryAgain:
            return None

    def _find_out(self, operation: Operation) -> Operation:
        """A debit may have been sent and nobody heard the answer: look for it at Shopify.

        The look counts as "not there" only if it began after the settling time.
        """
        charge = Charge.of(operation)
        if operation.sent_at is None:
            raise AssertionError(f"{operation.key} is SENT without a time")
        looked_at = self.clock()
        movement = self.shopify.find_movement(
            charge.card_id,
            reference=operation.key,
            amount=charge.amount,
            since=operation.sent_at,
        )
        if movement is not None:
            card = self.shopify.read_card(charge.card_id)
            return self._commit(
                operation,
                charge,
                Outcome.REDEEMED,
                balance=None if card is None else card.balance,
                transaction_id=movement.id,
            )
        if looked_at < operation.sent_at + timedelta(seconds=self.settling_seconds):
            self.journal.postpone(operation, due_at=self._look_again_at(looked_at))
            return operation
        return self._commit(operation, charge, Outcome.NOT_CHARGED)

    def _refuse(self, asked: Asked, outcome: Outcome, *, reason: str | None = None) -> Operation:
        """Answer without having touched any card: claim and outcome are one write."""
        now = self.clock()
        key = operation_key(asked.row_id)
        operation = self.journal.record(
            key,
            kind=KIND,
            snapshot=asked.pack(),
            result=self._result(key, asked, outcome, now=now, reason=reason),
            due_at=self._look_again_at(now),
        )
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)
        return operation

    def _commit(
        self,
        operation: Operation,
        charge: Charge,
        outcome: Outcome,
        *,
        balance: Money | None = None,
        transaction_id: str | None = None,
        reason: str | None = None,
    ) -> Operation:
        now = self.clock()
        result = self._result(
            operation.key,
            charge.asked,
            outcome,
            now=now,
            balance=balance,
            transaction_id=transaction_id,
            reason=reason,
        )
        return self.journal.commit(operation, result, due_at=self._look_again_at(now))

    def _result(
        self,
        key: str,
        asked: Asked,
        outcome: Outcome,
        *,
        now: datetime,
        balance: Money | None = None,
        transaction_id: str | None = None,
        reason: str | None = None,
    ) -> Result:
        """The outcome and everything that follows from it: receipt, row, mail, mirror."""
        masked = None if asked.last4 is None else mask(asked.last4)
        balance_after = balance if outcome.is_success else None
        message = explain(outcome, reason)
        receipt = Receipt(
            id=f"{key}#1",
            at=now,
            action=Action.REDEEM_IN_STORE,
            actor=f"{asked.employee or 'somebody'}, {asked.store.name}",
            card=masked,
            amount=asked.amount,
            balance_after=balance_after,
            outcome=ReceiptOutcome.DONE if outcome.is_success else ReceiptOutcome.FAILED,
            operation=key,
            details=f"{outcome}: {message}",
        )
        cells: dict[str, Any] = {
            "Status": ROW_IS_DONE,
            "Outcome": str(outcome),
            "Processed At": pack_moment(now),
            "Message": message,
            "Gift Card Code": masked or UNREADABLE_CODE,
        }
        if balance_after is not None:
            cells["Balance After"] = balance_after.decimal()
        return Result(
            outcome=outcome,
            decided_at=now,
            balance=balance,
            transaction_id=transaction_id,
            reason=reason,
            receipts=(receipt,),
            row=RowWrite(
                table="Redemptions",
                record_id=asked.row_id,
                cells=cells,
                card_link=None if asked.card_id is None else ("Gift Card", asked.card_id),
            ),
            mail_to=asked.store.email,
            moved_card=asked.card_id,
        )

    def _latest_send(self, lock: Lease, deadline: datetime) -> datetime:
        """The last moment to send a debit: its reply must come while lock and function live."""
        reserve = timedelta(seconds=self.http_timeout_seconds + CLOCK_SKEW_SECONDS)
        return min(lock.until - reserve, deadline - reserve)

    def _look_again_at(self, now: datetime) -> datetime:
        return now + timedelta(seconds=LOOK_AGAIN_SECONDS)

    def _today(self) -> date:
        return self.clock().astimezone(ZoneInfo(self.facts.time_zone)).date()


def read_amount(typed: str | None, *, currency: str) -> Money:
    """The amount a store typed; raises `MoneyError` in words for the store where it is none."""
    if typed is None or not typed.strip():
        raise MoneyError("the amount is missing")
    amount = Money.parse(typed.strip(), currency)
    if amount <= Money.zero(currency):
        raise MoneyError(f"the amount is {amount}; it has to be more than zero")
    return amount


def judge(card: Card | None, amount: Money, *, today: date) -> Outcome | None:
    """Why a card may not be charged, or `None` where it may.

    `enabled` stays true on an expired card (Shopify), so the day decides; a card is good until its
    last day is over in the shop's time zone.
    """
    if card is None:
        return Outcome.CODE_NOT_FOUND
    if card.deactivated_at is not None or not card.enabled:
        return Outcome.CARD_DISABLED
    if card.expires_on is not None and card.expires_on < today:
        return Outcome.CARD_EXPIRED
    if card.balance < amount:
        return Outcome.INSUFFICIENT_BALANCE
    return None
