"""Redeem a card: a store asks, a customer waits, and money moves once or not at all.

    look up the card ─► claim the row ─► lock the card ─► read it and judge
                                                           │ may be charged
            answer, row, ◄─ commit ◄─ debit ◄─ mark SENT ◄─ make room at Shopify
            receipt, sync

Whatever stops a worker between two of these steps, the next look at the operation goes on from what
the journal says. The one step that cannot be repeated is the debit (`money_moves`). After the SENT
mark nobody sends it again: we ask Shopify for a transaction with our reference and amount, and when
none has turned up after the settling time, the answer is "not charged", for ever.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from giftcards.clients.airtable import ROW_IS_DONE, ROW_IS_HELD
from giftcards.clients.shopify import Room, Shopify
from giftcards.domain.cards import (
    Card,
    Debited,
    DebitRefused,
    DebitReply,
    InsufficientFunds,
    Movement,
    ShopFacts,
)
from giftcards.domain.codes import UNREADABLE_CODE, Code, FormatIncorrect, clean, mask
from giftcards.domain.duplicates import (
    RecentRedemption,
    alike,
    earlier_filing,
    still_remembered,
)
from giftcards.domain.hiding import hide_codes
from giftcards.domain.money import Money, MoneyError, read_amount
from giftcards.domain.outcomes import Outcome, RedemptionRow, Store, explain
from giftcards.domain.typed_text import clean_line
from giftcards.errors import GiftCardError, NeedsAPerson
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import repay_key
from giftcards.flows.look_up import LookUp, codes_to_try
from giftcards.flows.money_moves import MoneyMoves, Unfound
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.cards import Cards, is_frozen, lock_key, pack_recent, recent_of
from giftcards.store.journal import Journal, Operation, Result, RowWrite, State
from giftcards.store.leases import Lease, Leases
from giftcards.store.misses import Misses
from giftcards.store.table import pack_moment, pack_money, unpack_moment, unpack_money

KIND = "redemption"

HELD_KIND = "held"

# Why a row is held, in words for the store.
TOO_OLD = (
    "it could not be served in time, and the customer has probably paid otherwise;"
    " the office can still approve it"
)
TOO_MANY_MISSES = (
    "too many codes of this store were not found within minutes;"
    " the office has to approve further ones"
)

# Why a card that Shopify would debit is refused, in words for the store.
FROZEN = "the office has frozen this card"

# A name longer than this is a text pasted into the wrong cell; the journal's item has its limit.
LONGEST_NAME = 200

# Why a redemption was called off is one sentence in a mail and in a receipt.
LONGEST_REASON = 300


def operation_key(row_id: str) -> str:
    """The business key of a redemption, which is also the reference in the debit's note."""
    return f"{KIND}#{row_id}"


def held_key(row_id: str) -> str:
    """The key under which it is noted that a row was held."""
    return f"{HELD_KIND}#{row_id}"


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
    is_approved: bool
    is_confirmed: bool

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
            "approved": self.is_approved,
            "confirmed": self.is_confirmed,
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
            is_approved=snapshot["approved"],
            is_confirmed=snapshot["confirmed"],
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

    def remembered(
        self, operation: Operation, at: datetime, *, was_refused: bool
    ) -> RecentRedemption:
        """This charge as the card's item remembers it."""
        return RecentRedemption(
            operation=operation.key,
            store_id=self.asked.store.id,
            amount=self.amount,
            at=at,
            was_refused=was_refused,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a retailer sets: times in seconds, `live_from` an aware moment."""

    live_from: datetime
    accept_historical: bool
    patience_seconds: int
    duplicate_seconds: int
    look_again_seconds: int
    most_misses: int


@dataclass(frozen=True, kw_only=True)
class Redeem:
    """Serves one redemption row at a time; every method may be called again at any moment."""

    shopify: Shopify
    journal: Journal
    cards: Cards
    locks: Leases
    misses: Misses
    follow_up: FollowUp
    look_up: LookUp
    moves: MoneyMoves
    facts: ShopFacts
    clock: Callable[[], datetime]
    rules: Rules

    def serve(self, row: RedemptionRow, *, store: Store, deadline: datetime) -> Operation | None:
        """Answer a row that nobody has answered yet. Nothing is sent to Shopify after `deadline`.

        `None` where the code may belong to a card sold so recently that the search lags: the row
        is looked at again. Raises `TryAgain` where a vendor could not be reached; the row is then
        still waiting.
        """
        asked = Asked(
            row_id=row.id,
            row_created_at=row.created_at,
            store=store,
            # Somebody may type the code into the wrong cell, and the name goes into receipts.
            employee=hide_codes(row.employee[:LONGEST_NAME], known=[row.typed_code]),
            amount=None,
            card_id=None,
            last4=None,
            time_zone=self.facts.time_zone,
            is_approved=row.is_approved,
            is_confirmed=row.is_confirmed,
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
        if self._is_too_old(asked) and not asked.is_approved:
            return self._hold(asked, reason=TOO_OLD)
        found = self.look_up.find(code)
        if found is None:
            return self._answer_miss(asked, code)
        now = self.clock()
        operation = self.journal.claim(
            operation_key(row.id),
            kind=KIND,
            snapshot=replace(asked, card_id=found.card_id, last4=found.last4).pack(),
            now=now,
            due_at=self.moves.look_again_at(now),
        )
        return self.finish(operation, deadline=deadline)

    def finish(self, operation: Operation, *, deadline: datetime) -> Operation:
        """Go on with an operation from where the journal says it stands."""
        match operation.state:
            case State.CLAIMED:
                operation = self._charge(operation, deadline=deadline)
            case State.SENT:
                operation = self._find_out(operation)
            case State.HELD:
                self._say_held(operation, Charge.of(operation))
            case State.COMMITTED | State.SETTLED | State.PARKED:
                pass
            case _:
                assert_never(operation.state)
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)
        return operation

    def release(self, operation: Operation, *, deadline: datetime) -> Operation:
        """The office has approved a row whose claim was held: go on with it."""
        now = self.clock()
        released = self.journal.release(operation, due_at=self.moves.look_again_at(now))
        return self.finish(released, deadline=deadline)

    def decide(self, operation: Operation, *, charged: bool, by: str) -> Operation:
        """A person has looked: the parked debit was applied, or it was not. The answer goes out.

        Shopify is not asked again: the person did. An operation that was never sent can only be
        decided as not charged.
        """
        charge = Charge.of(operation)
        if charged and operation.parked_in is not State.SENT:
            raise NeedsAPerson(
                f"{operation.key} was never sent to Shopify, so it cannot have been charged"
            )
        card = self._read_if_possible(charge.card_id)
        decided = self._commit(
            operation,
            charge,
            Outcome.REDEEMED if charged else Outcome.NOT_CHARGED,
            balance=card.balance if card is not None and charged else None,
            reason=f"decided by {by}",
        )
        if decided.state is State.COMMITTED:
            self.follow_up.hand_over(decided)
        return decided

    def call_off(self, operation: Operation, *, because: str, by: str) -> Operation:
        """A person has decided that a claim, held or not, is never charged; return what stands.

        Shopify is not asked. Raises `NeedsAPerson`, and changes nothing, where the debit may have
        been sent or the row has its answer; where another worker moves it at this very moment, the
        operation that is returned is his: sent, held or released, and without an outcome yet.
        """
        if operation.state not in {State.CLAIMED, State.HELD}:
            raise NeedsAPerson(
                f"{operation.key} is {operation.state}: only what was never sent to Shopify and"
                " has no answer can be called off"
            )
        called_off = self._commit(
            operation,
            Charge.of(operation),
            Outcome.NOT_CHARGED,
            reason=f"called off by {by}: {clean_line(because[:LONGEST_REASON]).rstrip('.')}",
        )
        if called_off.state is State.COMMITTED:
            self.follow_up.hand_over(called_off)
        return called_off

    def find_forgotten(self, operation: Operation) -> Operation:
        """Look for the debit of a claim that this journal never sent; return what stands.

        A journal that was restored to an earlier moment does not know what was sent since. What is
        found ends as charged, as after a lost reply. Raises `NeedsAPerson`, and changes nothing,
        where the card shows another amount, or that it was given back.
        """
        if operation.state is not State.CLAIMED:
            return operation
        charge = Charge.of(operation)
        since = charge.asked.row_created_at
        movements = self.shopify.movements(charge.card_id, since=since)
        ours = [one for one in movements if one.note == operation.key and one.amount.minor < 0]
        if not ours:
            return operation
        if any(one.note == repay_key(operation.key) for one in movements):
            raise NeedsAPerson(
                f"{operation.key} was charged, and given back by {repay_key(operation.key)}:"
                " call it off"
            )
        if [one.amount for one in ours] != [-charge.amount]:
            shown = ", ".join(str(-one.amount) for one in ours)
            raise NeedsAPerson(
                f"{operation.key} asks for {charge.amount}, and its card shows {shown} charged:"
                " compare them with the receipt, then call it off and put the card right by hand"
            )
        charged = self._commit_found(operation, charge, ours[0])
        if charged.state is State.COMMITTED:
            self.follow_up.hand_over(charged)
        return charged

    def _charge(self, operation: Operation, *, deadline: datetime) -> Operation:
        charge = Charge.of(operation)
        if self._is_too_old(charge.asked) and not (
            charge.asked.is_approved or operation.is_released
        ):
            return self._hold_claim(operation, charge)
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
        if is_frozen(lock):
            return self._commit(operation, charge, Outcome.CARD_DISABLED, reason=FROZEN)
        card = self.shopify.read_card(charge.card_id)
        refusal = self._judge(card, charge.amount)
        if refusal is not None:
            balance = card.balance if card and refusal is Outcome.INSUFFICIENT_BALANCE else None
            return self._commit(operation, charge, refusal, balance=balance)
        recent = still_remembered(recent_of(lock), now=self.clock())
        earlier = self._find_earlier(operation, charge, recent)
        if earlier is not None:
            return self._refuse_duplicate(operation, charge, earlier, recent, lock=lock)
        time_left = self.moves.seconds_to_send(lock=lock, deadline=deadline)
        with self.shopify.room_to_debit(within_seconds=time_left) as room:
            return self._send(operation, charge, recent, room, lock=lock, deadline=deadline)

    def _send(
        self,
        operation: Operation,
        charge: Charge,
        recent: Sequence[RecentRedemption],
        room: Room,
        *,
        lock: Lease,
        deadline: datetime,
    ) -> Operation:
        others = [one for one in recent if one.operation != operation.key]
        remembered = charge.remembered(operation, self.clock(), was_refused=False)
        sent, reply = self.moves.send(
            operation,
            lambda: self.shopify.debit(
                charge.card_id, amount=charge.amount, reference=operation.key, room=room
            ),
            amount=charge.amount,
            recent=pack_recent([*others, remembered]),
            lock=lock,
            deadline=deadline,
            unless_frozen=True,
        )
        if reply is None:
            return sent  # not sent, or nobody knows: the next look finds out
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
                refusal = card and self._judge(card, charge.amount)
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
        except GiftCardError:
            return None

    def _find_out(self, operation: Operation) -> Operation:
        """A debit may have been sent and nobody heard the answer: look for it at Shopify."""
        charge = Charge.of(operation)
        found = self.moves.find_out(operation, card_id=charge.card_id, amount=charge.amount)
        match found:
            case Movement():
                return self._commit_found(operation, charge, found)
            case Unfound.NOT_YET:
                return operation
            case Unfound.NOT_THERE:
                return self._commit(operation, charge, Outcome.NOT_CHARGED)
            case _:
                assert_never(found)

    def _commit_found(self, operation: Operation, charge: Charge, found: Movement) -> Operation:
        card = self._read_if_possible(charge.card_id)
        return self._commit(
            operation,
            charge,
            Outcome.REDEEMED,
            balance=None if card is None else card.balance,
            transaction_id=found.id,
        )

    def _judge(self, card: Card | None, amount: Money) -> Outcome | None:
        since = None if self.rules.accept_historical else self.rules.live_from
        return judge(card, amount, today=self._today(), universal_since=since)

    def _find_earlier(
        self, operation: Operation, charge: Charge, recent: Sequence[RecentRedemption]
    ) -> RecentRedemption | None:
        """The redemption that this one may repeat; judged while nobody else can touch the card."""
        asked = charge.asked
        if asked.is_confirmed or asked.is_approved or operation.is_released:
            return None
        like_it = alike(
            recent, operation=operation.key, store_id=asked.store.id, amount=charge.amount
        )
        charged = [one for one in like_it if one.was_refused or self._may_be_charged(one)]
        window = timedelta(seconds=self.rules.duplicate_seconds)
        return earlier_filing(charged, now=self.clock(), window=window)

    def _may_be_charged(self, earlier: RecentRedemption) -> bool:
        """Whether an earlier redemption stands, or nobody knows yet that it did not go through.

        Of a held one the store has read that nothing was taken: to file it again is no mistake.
        """
        operation = self.journal.load(earlier.operation)
        if operation is not None and operation.state is State.HELD:
            return False
        if operation is None or operation.result is None:
            return True
        is_given_back = operation.given_back >= earlier.amount.minor  # all of it, by the office
        return operation.result.outcome == Outcome.REDEEMED and not is_given_back

    def _refuse_duplicate(
        self,
        operation: Operation,
        charge: Charge,
        earlier: RecentRedemption,
        recent: Sequence[RecentRedemption],
        *,
        lock: Lease,
    ) -> Operation:
        """Refuse what was filed twice, naming the first; a third filing then goes through."""
        now = self.clock()
        refused = charge.remembered(operation, now, was_refused=True)
        self.cards.leave_recent(lock, [*recent, refused])
        at = earlier.at.astimezone(ZoneInfo(self.facts.time_zone))
        reason = (
            f"the same amount was filed for this card at {at:%H:%M}, receipt {earlier.operation}#1"
        )
        return self._commit(operation, charge, Outcome.POSSIBLE_DUPLICATE, reason=reason)

    def _answer_miss(self, asked: Asked, code: Code) -> Operation | None:
        """No card has this code: look again if it may be brand-new, else say so.

        A store with many misses within minutes is mistyping badly or guessing: its further misses
        wait for the office, and nobody learns from them which codes exist.
        """
        now = self.clock()
        young = timedelta(seconds=self.rules.look_again_seconds)
        tried = codes_to_try(code)
        if now - asked.row_created_at < young and self.shopify.sold_lately(tried, now=now):
            return None
        misses = self.misses.note(asked.store.id, count=len(tried), now=now)
        if misses > self.rules.most_misses and not asked.is_approved:
            return self._hold(asked, reason=TOO_MANY_MISSES)
        return self._refuse(asked, Outcome.CODE_NOT_FOUND)

    def _is_too_old(self, asked: Asked) -> bool:
        patience = timedelta(seconds=self.rules.patience_seconds)
        return self.clock() - asked.row_created_at > patience

    def _hold_claim(self, operation: Operation, charge: Charge) -> Operation:
        """A claim that waited too long: the customer has paid otherwise or left.

        Held first, told then: nobody may read "nothing was charged" while another worker, by whose
        clock it is not too late yet, sends the debit.
        """
        held = self.journal.hold(operation)
        if held.state is State.HELD:
            self._say_held(held, charge)
        return held

    def _say_held(self, operation: Operation, charge: Charge) -> None:
        self._hold(charge.asked, reason=TOO_OLD)
        self.journal.set_aside(operation)

    def _hold(self, asked: Asked, *, reason: str) -> Operation:
        """Let a row wait for the office, and say so to store and office, once."""
        now = self.clock()
        key = held_key(asked.row_id)
        message = explain(Outcome.HELD, reason)
        result = Result(
            outcome=Outcome.HELD,
            decided_at=now,
            reason=reason,
            row=RowWrite(
                table="Redemptions",
                record_id=asked.row_id,
                cells={"Status": ROW_IS_HELD, "Outcome": str(Outcome.HELD), "Message": message},
            ),
            mail_to=asked.store.email,
        )
        held = self.journal.record(
            key,
            kind=HELD_KIND,
            snapshot=asked.pack(),
            result=result,
            due_at=self.moves.look_again_at(now),
        )
        if held.state is State.COMMITTED:
            self.follow_up.hand_over(held)
        return held

    def _refuse(self, asked: Asked, outcome: Outcome, *, reason: str | None = None) -> Operation:
        """Answer without having touched any card: claim and outcome are one write."""
        now = self.clock()
        key = operation_key(asked.row_id)
        operation = self.journal.record(
            key,
            kind=KIND,
            snapshot=asked.pack(),
            result=self._result(key, asked, outcome, now=now, reason=reason),
            due_at=self.moves.look_again_at(now),
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
        return self.journal.commit(operation, result, due_at=self.moves.look_again_at(now))

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
                link_field="Gift Card",
                cards=() if asked.card_id is None else (asked.card_id,),
            ),
            mail_to=asked.store.email,
            moved_card=asked.card_id,
            moved=-asked.amount if outcome.is_success and asked.amount is not None else None,
        )

    def _today(self) -> date:
        return self.clock().astimezone(ZoneInfo(self.facts.time_zone)).date()


def judge(
    card: Card | None, amount: Money, *, today: date, universal_since: datetime | None
) -> Outcome | None:
    """Why a card may not be charged, or `None` where it may.

    Cards made before `universal_since` are good on the web only; `None` accepts them all.
    `enabled` stays true on an expired card (Shopify), so the day decides; a card is good until its
    last day is over in the shop's time zone.
    """
    if card is None:
        return Outcome.CODE_NOT_FOUND
    too_old = universal_since is not None and card.created_at < universal_since
    reasons = (
        (card.deactivated_at is not None or not card.enabled, Outcome.CARD_DISABLED),
        (card.expires_on is not None and card.expires_on < today, Outcome.CARD_EXPIRED),
        (too_old, Outcome.CARD_ONLINE_ONLY),
        # The shop changed its currency after the card was made.
        (card.balance.currency != amount.currency, Outcome.NOT_CHARGED),
    )
    for applies, outcome in reasons:
        if applies:
            return outcome
    return Outcome.INSUFFICIENT_BALANCE if card.balance < amount else None
