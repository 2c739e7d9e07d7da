"""Give back to a card what an operation took too late, or twice: a credit, once.

The protocol is a reversal's (`reverse`): what nobody knows of is looked for, and left to a person
where it does not turn up. The amount is the one that was found to have moved; nobody types it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import assert_never
from zoneinfo import ZoneInfo

from giftcards.clients.shopify import Shopify
from giftcards.domain.cards import Card, Credited, CreditRefused, CreditReply, Movement, ShopFacts
from giftcards.domain.codes import mask
from giftcards.domain.hiding import hide_codes
from giftcards.domain.money import Money
from giftcards.errors import GiftCardError, NeedsAPerson, NotSent
from giftcards.flows.money_moves import MoneyMoves, Unfound
from giftcards.flows.owe import owed_amount
from giftcards.flows.park import Park
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.cards import lock_key
from giftcards.store.journal import Journal, Operation, Result, State
from giftcards.store.leases import Lease, Leases

OTHERWISE = "Give it back another way, for example as a new card"

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

    shopify: Shopify
    journal: Journal
    locks: Leases
    moves: MoneyMoves
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
                return self._credit(operation, deadline=deadline)
            case State.SENT:
                return self._find_out(operation)
            case State.HELD | State.COMMITTED | State.SETTLED | State.PARKED:
                return operation
            case _:
                assert_never(operation.state)

    def decide(self, operation: Operation, *, credited: bool, by: str) -> Operation:
        """A person has looked: the parked credit was applied, or it was not."""
        if credited and operation.parked_in is not State.SENT:
            raise NeedsAPerson(
                f"{operation.key} was never sent to Shopify, so it cannot have been credited"
            )
        if credited:
            card = self._read_if_possible(Repayment.of(operation).card_id)
            balance = None if card is None else card.balance
            return self._commit(operation, REPAID, balance=balance, reason=f"decided by {by}")
        return self._commit(operation, NOT_REPAID, reason=f"decided by {by}")

    def _credit(self, operation: Operation, *, deadline: datetime) -> Operation:
        card_id = Repayment.of(operation).card_id
        lock = self.locks.acquire(lock_key(card_id), now=self.clock())
        if lock is None:
            raise NotSent(f"{operation.key} waits: money moves on its card at this moment")
        try:
            return self._credit_locked(operation, lock=lock, deadline=deadline)
        finally:
            self.locks.release(lock)

    def _credit_locked(self, operation: Operation, *, lock: Lease, deadline: datetime) -> Operation:
        repayment = Repayment.of(operation)
        reason = self._why_not(self.shopify.read_card(repayment.card_id), repayment)
        if reason is not None:
            return self._commit(operation, NOT_REPAID, reason=reason)
        time_left = self.moves.seconds_to_send(lock=lock, deadline=deadline)
        with self.shopify.room_to_credit(within_seconds=time_left) as room:
            sent, reply = self.moves.send(
                operation,
                lambda: self.shopify.credit(
                    repayment.card_id, amount=repayment.amount, reference=operation.key, room=room
                ),
                amount=repayment.amount,
                recent=lock.seen.get("recent", []),
                lock=lock,
                deadline=deadline,
            )
        if reply is not None:
            return self._commit_reply(sent, repayment, reply)
        if sent.state is State.CLAIMED:
            raise NotSent(f"{operation.key} waits: this worker's time is nearly over")
        return sent  # nobody knows: the next look finds out

    def _commit_reply(self, sent: Operation, repayment: Repayment, reply: CreditReply) -> Operation:
        match reply:
            case Credited():
                return self._commit(
                    sent,
                    REPAID,
                    balance=reply.balance_after,
                    transaction_id=reply.transaction_id,
                )
            case CreditRefused():
                # The card's facts say it better than Shopify's prose, where they say it.
                card = self._read_if_possible(repayment.card_id)
                reason = None if card is None else self._why_not(card, repayment)
                refused = hide_codes(f"Shopify refused: {reply.message} ({reply.code})")
                return self._commit(sent, NOT_REPAID, reason=reason or refused)
            case _:
                assert_never(reply)

    def _find_out(self, operation: Operation) -> Operation:
        """A credit may have been sent and nobody heard the answer: look for it at Shopify."""
        repayment = Repayment.of(operation)
        found = self.moves.find_out(
            operation, card_id=repayment.card_id, amount=repayment.amount, is_credit=True
        )
        match found:
            case Movement():
                card = self._read_if_possible(repayment.card_id)
                return self._commit(
                    operation,
                    REPAID,
                    balance=None if card is None else card.balance,
                    transaction_id=found.id,
                )
            case Unfound.NOT_YET:
                return operation
            case Unfound.NOT_THERE:
                return self.moves.leave_to_a_person(
                    operation,
                    park=self.park,
                    because=f"nobody knows whether {repayment.amount} was given back to"
                    f" {repayment.card_id}: look for a transaction with this reference in Shopify's"
                    " admin, then decide credited, not-credited or retry",
                )
            case _:
                assert_never(found)

    def _why_not(self, card: Card | None, repayment: Repayment) -> str | None:
        """Why the card takes no money, in words for the office; `None` where it does."""
        if card is None:
            return "Shopify has no such card any more"
        if card.deactivated_at is not None or not card.enabled:
            return "the card was deactivated, which cannot be undone"
        if card.expires_on is not None and card.expires_on < self._today():
            return "the card has expired"
        if card.balance.currency != repayment.amount.currency:
            return f"the card holds {card.balance.currency} now"
        return None

    def _read_if_possible(self, card_id: str) -> Card | None:
        """The card as it is now, for a better answer; the answer must not depend on it."""
        try:
            return self.shopify.read_card(card_id)
        except GiftCardError:
            return None

    def _commit(
        self,
        operation: Operation,
        outcome: str,
        *,
        balance: Money | None = None,
        transaction_id: str | None = None,
        reason: str | None = None,
    ) -> Operation:
        """Make the outcome final; what was given back for the redemption grows with it."""
        repayment = Repayment.of(operation)
        now = self.clock()
        is_done = outcome == REPAID
        because = "" if reason is None else f" ({reason})"
        verb = "was given back" if is_done else "was not given back"
        message = f"{repayment.amount} for {repayment.operation} {verb} to the card{because}."
        if not is_done:
            message += f" {OTHERWISE}."
        card = self._read_if_possible(repayment.card_id)
        receipt = Receipt(
            id=f"{operation.key}#1",
            at=now,
            action=Action.PUT_RIGHT,
            actor=repayment.by,
            card=None if card is None else mask(card.last4),
            amount=repayment.amount,
            balance_after=balance,
            outcome=ReceiptOutcome.DONE if is_done else ReceiptOutcome.FAILED,
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
            mail_to=self.office_email,
            moved_card=repayment.card_id,
            moved=repayment.amount if is_done else None,
        )
        return self.journal.commit(operation, result, due_at=self.moves.look_again_at(now))

    def _today(self) -> date:
        return self.clock().astimezone(ZoneInfo(self.facts.time_zone)).date()
