"""Take a card out of use whose purchase was refunded: only the unit that was given back.

    its card is not begun ─► it never will be: DROPPED
    its card is being made ─► look again later
    its card is there ─► lock it, read it
         untouched         ─► deactivate it ─► CARD_RETURNED
         partly spent      ─► take the rest off, a debit under the protocol ─► REST_TAKEN
         nothing left      ─► ALREADY_SPENT
         dead already      ─► CARD_DEAD

Deactivating twice changes nothing, so it needs no mark; that *we* are about to do it is noted
first, so that nobody looks for another hand. The debit follows the protocol (`money_moves`); where
nobody knows what became of it, a person looks, as with money that is given back (`reverse`).

What a customer has spent of a card that he gave back, and whether its code is in somebody's inbox,
is the office's to settle: it is told.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from giftcards.clients.shopify import Shopify
from giftcards.domain.cards import (
    Card,
    Deactivated,
    DeactivateRefused,
    Debited,
    DebitRefused,
    DebitReply,
    InsufficientFunds,
    Movement,
    ShopFacts,
)
from giftcards.domain.codes import mask
from giftcards.domain.hiding import hide_codes
from giftcards.domain.money import Money
from giftcards.errors import GiftCardError, NeedsAPerson, NotSent, VendorSurprise
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.money_moves import MoneyMoves, Unfound
from giftcards.flows.park import Park
from giftcards.flows.sale import (
    CARD_DEAD,
    DELIVERED,
    DELIVERED_IN_PART,
    DROPPED,
    ISSUE,
    SALE,
    Sale,
    delivery_key,
)
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.cards import Cards, lock_key
from giftcards.store.journal import Journal, Operation, Result, State
from giftcards.store.leases import Lease, Leases
from giftcards.store.ledger import Ledger, Ledgers
from giftcards.store.queues import Queues

# How a return ends, besides `DROPPED` and `CARD_DEAD`; the names are what the office reads.
CARD_RETURNED = "CARD_RETURNED"
REST_TAKEN = "REST_TAKEN"
ALREADY_SPENT = "ALREADY_SPENT"
NOT_RETURNED = "NOT_RETURNED"

# Whoever does it, as receipts say.
WEB_SHOP = "the web shop"

# How often one looks whether a card that is being made is there.
CARD_IS_BEING_MADE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The unit that was given back: of which order, and by which operations it was sold."""

    order: str
    order_name: str
    issue: str
    sale: str
    because: str

    @classmethod
    def of(cls, operation: Operation) -> "Returned":
        """The unit that an operation of its kind is about."""
        snapshot = operation.snapshot
        names = ("order", "order_name", "issue", "sale", "because")
        return cls(**{name: str(snapshot[name]) for name in names})


@dataclass(frozen=True, slots=True)
class Found:
    """The unit's card: its id, and what it was made with."""

    card_id: str
    value: Money


@dataclass(frozen=True, kw_only=True)
class ReturnCard:
    """Takes one card out of use; every method may be called again at any moment."""

    shopify: Shopify
    journal: Journal
    ledgers: Ledgers
    locks: Leases
    moves: MoneyMoves
    follow_up: FollowUp
    queues: Queues
    cards: Cards
    park: Park
    facts: ShopFacts
    clock: Callable[[], datetime]
    office_email: str

    def finish(self, operation: Operation, *, deadline: datetime) -> Operation:
        """Go on from where the journal says it stands. Nothing is sent after `deadline`.

        Raises `TryAgain` where it cannot be done just now: soon is early enough.
        """
        match operation.state:
            case State.CLAIMED:
                return self._return(operation, deadline=deadline)
            case State.SENT:
                return self._find_out(operation)
            case State.HELD | State.COMMITTED | State.SETTLED | State.PARKED:
                return operation
            case _:
                assert_never(operation.state)

    def decide(self, operation: Operation, *, charged: bool, by: str) -> Operation:
        """A person has looked: the rest was taken off the parked card, or it was not."""
        found = self._found(operation)
        if charged and (operation.parked_in is not State.SENT or found is None):
            raise NeedsAPerson(
                f"{operation.key} was never sent to Shopify, so it cannot have been charged"
            )
        if charged and found is not None:
            card = self._read_if_possible(found.card_id)
            return self._commit_rest(operation, found, card, because=f", decided by {by}")
        return self._commit(
            operation,
            NOT_RETURNED,
            f"the card was left as it is, decided by {by}",
            found=found,
            card=None if found is None else self._read_if_possible(found.card_id),
        )

    def _return(self, operation: Operation, *, deadline: datetime) -> Operation:
        returned = Returned.of(operation)
        issue = self.journal.load(returned.issue) or self._drop(returned)
        if issue.result is None:
            later = self.clock() + timedelta(seconds=CARD_IS_BEING_MADE_SECONDS)
            self.journal.postpone(operation, due_at=later)
            return operation
        found = _found_in(issue)
        if found is None:
            return self._commit(operation, DROPPED, "it had no card yet, and none is made")
        lock = self.locks.acquire(lock_key(found.card_id), now=self.clock())
        if lock is None:
            raise NotSent(f"{operation.key} waits: money moves on its card at this moment")
        try:
            return self._return_locked(operation, found, lock=lock, deadline=deadline)
        finally:
            self.locks.release(lock)

    def _drop(self, returned: Returned) -> Operation:
        """Nobody has begun the card: note under its own key that it is never made.

        Whoever was quicker and has begun it stands.
        """
        now = self.clock()
        issue = self.journal.record(
            returned.issue,
            kind=ISSUE,
            snapshot={"sale": returned.sale},
            result=Result(outcome=DROPPED, decided_at=now),
            due_at=self.moves.look_again_at(now),
        )
        if issue.state is State.COMMITTED:
            self.follow_up.hand_over(issue)
            if self.journal.load(returned.sale) is not None:
                self.queues.issue_cards(returned.sale)  # it may have waited for this one only
        return issue

    def _return_locked(
        self, operation: Operation, found: Found, *, lock: Lease, deadline: datetime
    ) -> Operation:
        card = self.shopify.read_card(found.card_id)
        if card is None:
            raise VendorSurprise(f"Shopify has no card {found.card_id} any more")
        ledger = self.ledgers.of([found.card_id]).get(found.card_id, Ledger(found.card_id))
        if card.deactivated_at is not None or not card.enabled:
            if ledger.is_deactivated_by_us:
                return self._commit_returned(operation, found, card)
            return self._commit(
                operation, CARD_DEAD, "the card had been deactivated before", found=found, card=card
            )
        if card.expires_on is not None and card.expires_on < self._today():
            says = f"the card had expired before, with {card.balance} on it: don't extend it"
            return self._commit(operation, CARD_DEAD, says, found=found, card=card)
        if _is_untouched(card, ledger):
            return self._deactivate(operation, found, lock=lock, deadline=deadline)
        if not card.balance.minor:
            return self._commit(
                operation, ALREADY_SPENT, "nothing was left on the card", found=found, card=card
            )
        return self._take_rest(operation, found, card, lock=lock, deadline=deadline)

    def _deactivate(
        self, operation: Operation, found: Found, *, lock: Lease, deadline: datetime
    ) -> Operation:
        if not self.moves.seconds_to_send(lock=lock, deadline=deadline):
            raise NotSent(f"{operation.key} waits: this worker's time is nearly over")
        self.ledgers.note_deactivated_by_us(found.card_id)
        reply = self.shopify.deactivate(found.card_id)
        match reply:
            case Deactivated():
                # The web shop may have taken money between our first look and this.
                card = self._read_if_possible(found.card_id) or reply.card
                return self._commit_returned(operation, found, card)
            case DeactivateRefused():
                raise VendorSurprise(
                    f"Shopify does not deactivate {found.card_id}:"
                    f" {hide_codes(reply.message)} ({reply.code})"
                )
            case _:
                assert_never(reply)

    def _take_rest(
        self, operation: Operation, found: Found, card: Card, *, lock: Lease, deadline: datetime
    ) -> Operation:
        """Take off what is left, at most what the card was made with: the rest was a gift."""
        rest = min(card.balance, found.value)
        time_left = self.moves.seconds_to_send(lock=lock, deadline=deadline)
        with self.shopify.room_to_debit(within_seconds=time_left) as room:
            sent, reply = self.moves.send(
                operation,
                lambda: self.shopify.debit(
                    found.card_id, amount=rest, reference=operation.key, room=room
                ),
                amount=rest,
                recent=lock.seen.get("recent", []),
                lock=lock,
                deadline=deadline,
            )
        if reply is not None:
            return self._commit_reply(sent, found, card, reply)
        if sent.state is State.CLAIMED:
            raise NotSent(f"{operation.key} waits: this worker's time is nearly over")
        return sent  # nobody knows: the next look finds out

    def _commit_reply(
        self, sent: Operation, found: Found, card: Card, reply: DebitReply
    ) -> Operation:
        match reply:
            case Debited():
                return self._commit_rest(
                    sent,
                    found,
                    card,
                    balance=reply.balance_after,
                    transaction_id=reply.transaction_id,
                )
            case InsufficientFunds():
                # The web shop spent from the card between our read and our debit.
                self.journal.take_back_sent(sent, due_at=self.moves.look_again_at(self.clock()))
                raise NotSent(f"{sent.key} waits: its card was spent from at this moment")
            case DebitRefused():
                # It did not run; the next look judges the card anew, and knows why.
                self.journal.take_back_sent(sent, due_at=self.moves.look_again_at(self.clock()))
                raise VendorSurprise(
                    f"Shopify takes nothing off {found.card_id}:"
                    f" {hide_codes(reply.message)} ({reply.code})"
                )
            case _:
                assert_never(reply)

    def _find_out(self, operation: Operation) -> Operation:
        """A debit may have been sent and nobody heard the answer: look for it at Shopify."""
        found = self._found(operation)
        if found is None or operation.sent_amount is None:
            raise AssertionError(f"{operation.key} is SENT without a card or an amount")
        seen = self.moves.find_out(operation, card_id=found.card_id, amount=operation.sent_amount)
        match seen:
            case Movement():
                card = self._read_if_possible(found.card_id)
                return self._commit_rest(operation, found, card, transaction_id=seen.id)
            case Unfound.NOT_YET:
                return operation
            case Unfound.NOT_THERE:
                return self.moves.leave_to_a_person(
                    operation,
                    park=self.park,
                    because=f"nobody knows whether {operation.sent_amount} was taken off"
                    f" {found.card_id}: look for a transaction with this reference in Shopify's"
                    " admin, then decide charged, not-charged or retry",
                )
            case _:
                assert_never(seen)

    def _found(self, operation: Operation) -> Found | None:
        issue = self.journal.load(Returned.of(operation).issue)
        return None if issue is None else _found_in(issue)

    def _read_if_possible(self, card_id: str) -> Card | None:
        """The card as it is now, for a better answer; the answer must not depend on it."""
        try:
            return self.shopify.read_card(card_id)
        except GiftCardError:
            return None

    def _commit_returned(self, operation: Operation, found: Found, card: Card) -> Operation:
        says = f"the card was deactivated with {card.balance} on it"
        return self._commit(operation, CARD_RETURNED, says, found=found, card=card)

    def _commit_rest(
        self,
        operation: Operation,
        found: Found,
        card: Card | None,
        *,
        balance: Money | None = None,
        transaction_id: str | None = None,
        because: str = "",
    ) -> Operation:
        rest = operation.sent_amount
        if rest is None:
            raise AssertionError(f"{operation.key} is SENT without an amount")
        if balance is None and card is not None:
            balance = card.balance
        return self._commit(
            operation,
            REST_TAKEN,
            f"{rest} was taken off the card{because}",
            found=found,
            card=card,
            rest=rest,
            balance=balance,
            transaction_id=transaction_id,
        )

    def _commit(
        self,
        operation: Operation,
        outcome: str,
        says: str,
        *,
        found: Found | None = None,
        card: Card | None = None,
        rest: Money | None = None,
        balance: Money | None = None,
        transaction_id: str | None = None,
    ) -> Operation:
        """Make the outcome final; `rest` is what was taken off, `balance` what is left then."""
        returned = Returned.of(operation)
        now = self.clock()
        used = _used(found, card, rest)
        mailed = None if found is None else self._mailed_to(returned.sale, found, now)
        story = [f"Order {returned.order_name}: {returned.because}; {says}."]
        if used is not None:
            story.append(f"{used} of it had been used.")
        if mailed is not None:
            story.append(f"Its code went, or may have gone, to {mailed} by mail.")
        is_well = outcome in {CARD_RETURNED, REST_TAKEN, DROPPED}
        message = " ".join(story)
        receipt = Receipt(
            id=f"{operation.key}#1",
            at=now,
            action=Action.RETURN_CARD,
            actor=f"{WEB_SHOP}, order {returned.order_name}",
            card=None if card is None else mask(card.last4),
            amount=rest,
            balance_after=balance,
            outcome=ReceiptOutcome.DONE if is_well else ReceiptOutcome.FAILED,
            operation=operation.key,
            details=f"{outcome}: {message}",
        )
        result = Result(
            outcome=outcome,
            decided_at=now,
            balance=balance,
            transaction_id=transaction_id,
            reason=message,
            receipts=(receipt,),
            mail_to=self.office_email if used or mailed or not is_well else None,
            moved_card=None if found is None else found.card_id,
            moved=None if rest is None else -rest,
            purchase=returned.order,
        )
        return self.journal.commit(operation, result, due_at=self.moves.look_again_at(now))

    def _mailed_to(self, sale_key: str, found: Found, now: datetime) -> str | None:
        """Whose inboxes hold the code, or may in a moment; `None` where nobody's does.

        Where the office has had it sent again to a better address, that is the owner's.
        """
        delivery = self.journal.load(delivery_key(sale_key.removeprefix(f"{SALE}#")))
        sale_operation = self.journal.load(sale_key)
        if delivery is None or sale_operation is None:
            return None
        sale = Sale.of(sale_operation)
        if delivery.result is not None:
            was_sent = delivery.result.outcome in {DELIVERED, DELIVERED_IN_PART}
        else:
            was_sent = sale.send_at is None or sale.send_at <= now
        about = self.cards.about([found.card_id]).get(found.card_id)
        owner = sale.recipient_email if about is None else about.owner_email
        inboxes = ([sale.recipient_email] if was_sent else []) + (
            [owner] if owner != sale.recipient_email else []
        )
        return " and ".join(inboxes) or None

    def _today(self) -> date:
        return self.clock().astimezone(ZoneInfo(self.facts.time_zone)).date()


def _found_in(issue: Operation) -> Found | None:
    """The card that was made, if one was."""
    result = issue.result
    if result is None or result.moved_card is None or result.balance is None:
        return None
    return Found(result.moved_card, result.balance)


def _is_untouched(card: Card, ledger: Ledger) -> bool:
    """Whether nobody has paid with the card, or is about to.

    A full balance alone does not say so: what was spent may have been given back since.
    """
    was_spent = any(amount.minor < 0 for amount in ledger.lines.values())
    is_reserved = sum(amount.minor for amount in ledger.reserved.values()) > 0
    return card.balance == card.initial_value and not was_spent and not is_reserved


def _used(found: Found | None, card: Card | None, rest: Money | None) -> Money | None:
    """How much of the card had been used, as far as that is known; `None` for nothing."""
    if found is None:
        return None
    if rest is not None:
        used = found.value - rest
    elif card is not None:
        used = found.value - card.balance
    else:
        return None
    return used if used.minor > 0 else None
