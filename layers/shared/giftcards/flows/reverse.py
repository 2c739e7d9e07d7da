"""Give money back to a card for a redemption: a credit, once.

    lock the card ─► read it ─► make room at Shopify ─► mark SENT ─► credit ─► commit, together with
                      │ takes no money                                         what was given back
                      └─► NOT_REVERSED                                         for the redemption

The protocol is a debit's (`money_moves`). Two things differ. What was given back grows only with
the commit, in one transaction, on condition that nobody else has made it grow. And where nobody
knows whether the credit was applied, and it has not turned up after the settling time, the answer
is not "never": nobody stands at a till, and a second credit would be a gift. It is parked, and a
person looks at the card.
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
from giftcards.flows.park import Park
from giftcards.flows.reversal import NOT_REVERSED, OFFICE, REVERSED, Reversal
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.cards import lock_key
from giftcards.store.journal import Journal, Operation, Result, RowWrite, State
from giftcards.store.leases import Lease, Leases

OTHERWISE = "Give it back another way, for example as a new card"


@dataclass(frozen=True, kw_only=True)
class Reverse:
    """Gives back one step of a redemption; every method may be called again at any moment."""

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
            card = self._read_if_possible(Reversal.of(operation).card_id)
            balance = None if card is None else card.balance
            return self._commit(operation, REVERSED, balance=balance, reason=f"decided by {by}")
        return self._commit(operation, NOT_REVERSED, reason=f"decided by {by}")

    def _credit(self, operation: Operation, *, deadline: datetime) -> Operation:
        card_id = Reversal.of(operation).card_id
        lock = self.locks.acquire(lock_key(card_id), now=self.clock())
        if lock is None:
            raise NotSent(f"{operation.key} waits: money moves on its card at this moment")
        try:
            return self._credit_locked(operation, lock=lock, deadline=deadline)
        finally:
            self.locks.release(lock)

    def _credit_locked(self, operation: Operation, *, lock: Lease, deadline: datetime) -> Operation:
        reversal = Reversal.of(operation)
        reason = self._why_not(self.shopify.read_card(reversal.card_id), reversal)
        if reason is not None:
            return self._commit(operation, NOT_REVERSED, reason=reason)
        time_left = self.moves.seconds_to_send(lock=lock, deadline=deadline)
        with self.shopify.room_to_credit(within_seconds=time_left) as room:
            sent, reply = self.moves.send(
                operation,
                lambda: self.shopify.credit(
                    reversal.card_id, amount=reversal.amount, reference=operation.key, room=room
                ),
                amount=reversal.amount,
                recent=lock.seen.get("recent", []),
                lock=lock,
                deadline=deadline,
            )
        if reply is not None:
            return self._commit_reply(sent, reversal, reply)
        if sent.state is State.CLAIMED:
            raise NotSent(f"{operation.key} waits: this worker's time is nearly over")
        return sent  # nobody knows: the next look finds out

    def _commit_reply(self, sent: Operation, reversal: Reversal, reply: CreditReply) -> Operation:
        match reply:
            case Credited():
                return self._commit(
                    sent,
                    REVERSED,
                    balance=reply.balance_after,
                    transaction_id=reply.transaction_id,
                )
            case CreditRefused():
                # The card's facts say it better than Shopify's prose, where they say it.
                card = self._read_if_possible(reversal.card_id)
                reason = None if card is None else self._why_not(card, reversal)
                refused = hide_codes(f"Shopify refused: {reply.message} ({reply.code})")
                return self._commit(sent, NOT_REVERSED, reason=reason or refused)
            case _:
                assert_never(reply)

    def _find_out(self, operation: Operation) -> Operation:
        """A credit may have been sent and nobody heard the answer: look for it at Shopify."""
        reversal = Reversal.of(operation)
        found = self.moves.find_out(
            operation, card_id=reversal.card_id, amount=reversal.amount, is_credit=True
        )
        match found:
            case Movement():
                card = self._read_if_possible(reversal.card_id)
                return self._commit(
                    operation,
                    REVERSED,
                    balance=None if card is None else card.balance,
                    transaction_id=found.id,
                )
            case Unfound.NOT_YET:
                return operation
            case Unfound.NOT_THERE:
                return self.moves.leave_to_a_person(
                    operation,
                    park=self.park,
                    because=f"nobody knows whether {reversal.amount} was given back to"
                    f" {reversal.card_id}: look for a transaction with this reference in Shopify's"
                    " admin, then decide credited, not-credited or retry",
                )
            case _:
                assert_never(found)

    def _why_not(self, card: Card | None, reversal: Reversal) -> str | None:
        """Why the card takes no money, in words for the office; `None` where it does."""
        if card is None:
            return "Shopify has no such card any more"
        if card.deactivated_at is not None or not card.enabled:
            return "the card was deactivated, which cannot be undone"
        if card.expires_on is not None and card.expires_on < self._today():
            return "the card has expired"
        if card.balance.currency != reversal.amount.currency:
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
        reversal = Reversal.of(operation)
        now = self.clock()
        is_done = outcome == REVERSED
        message = _message(reversal, reason, is_done=is_done)
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
            transaction_id=transaction_id,
            reason=reason if is_done else f"{message} {_about(reversal)}",
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
            due_at=self.moves.look_again_at(now),
            also=[grows] if is_done else [],
        )

    def _today(self) -> date:
        return self.clock().astimezone(ZoneInfo(self.facts.time_zone)).date()


def _message(reversal: Reversal, reason: str | None, *, is_done: bool) -> str:
    """What the row says."""
    because = "" if reason is None else f" ({reason})"
    if not is_done:
        return f"{reversal.amount} was not given back{because}. {OTHERWISE}."
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
