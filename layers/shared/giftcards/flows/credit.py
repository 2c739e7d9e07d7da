"""Credit a card, once: what an undo and a credit-back have in common.

    lock the card ─► read it ─► look for it ─► make room at Shopify ─► mark SENT ─► credit ─► commit
                      │             │ it was given back before
                      │             └─► commit that it was; of another amount: that it was not
                      └─ takes no money: commit that it was not credited

The protocol is a debit's (`money_moves`), with two differences. Where nobody knows whether the
credit was applied, and it has not turned up after the settling time, the answer is not "never":
nobody stands at a till, and a second credit would be a gift. It is parked, and a person looks. And
as nobody waits, the card's movements are looked through before anything is sent: a journal that was
restored to an earlier moment does not know what was sent since.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import assert_never
from zoneinfo import ZoneInfo

from giftcards.clients.shopify import Shopify
from giftcards.domain.cards import Card, Credited, CreditRefused, CreditReply, Movement, ShopFacts
from giftcards.domain.hiding import hide_codes
from giftcards.domain.money import Money
from giftcards.errors import GiftCardError, NeedsAPerson, NotSent
from giftcards.flows.money_moves import MoneyMoves, Unfound
from giftcards.flows.park import Park
from giftcards.store.cards import lock_key
from giftcards.store.journal import Journal, Operation, State
from giftcards.store.leases import Lease, Leases

# What the office reads about money that a card does not take any more.
OTHERWISE = "Give it back another way, for example as a new card"

# What it reads where some of it is on the card, and the journal does not know by what.
ONLY_THE_REST = "Give back only what is missing, another way"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a credit ended, for good.

    `card` is the card as it was last read, if it could be; `balance` and `transaction_id` are known
    of a credit that was applied, as far as Shopify told. `reason` says why it was not, or who has
    decided; `otherwise` what the office can do instead.
    """

    is_done: bool
    card: Card | None
    balance: Money | None = None
    transaction_id: str | None = None
    reason: str | None = None
    otherwise: str = OTHERWISE


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """`amount` for a card, and what makes its end final, with all that follows from it.

    It may be one step of several that give back one thing: `is_step` tells the references of them
    all. None of them is older than `since`; where that is not known, the card's whole history is
    looked through.
    """

    card_id: str
    amount: Money
    is_step: Callable[[str], bool]
    commit: Callable[[Operation, Ended], Operation]
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class CreditCards:
    """Credits cards; every method may be called again at any moment. References are the keys."""

    shopify: Shopify
    journal: Journal
    locks: Leases
    moves: MoneyMoves
    park: Park
    facts: ShopFacts
    clock: Callable[[], datetime]

    def finish(self, operation: Operation, credit: Credit, *, deadline: datetime) -> Operation:
        """Go on from where the journal says it stands. Nothing is sent after `deadline`.

        Raises `TryAgain` where it cannot be done just now: soon is early enough.
        """
        match operation.state:
            case State.CLAIMED:
                return self._credit(operation, credit, deadline=deadline)
            case State.SENT:
                return self._find_out(operation, credit)
            case State.HELD | State.COMMITTED | State.SETTLED | State.PARKED:
                return operation
            case _:
                assert_never(operation.state)

    def decide(self, operation: Operation, credit: Credit, *, credited: bool, by: str) -> Operation:
        """A person has looked: the parked credit was applied, or it was not."""
        if credited and operation.parked_in is not State.SENT:
            raise NeedsAPerson(
                f"{operation.key} was never sent to Shopify, so it cannot have been credited"
            )
        card = self._read_if_possible(credit.card_id)
        ended = Ended(
            is_done=credited,
            card=card,
            balance=card.balance if credited and card is not None else None,
            reason=f"decided by {by}",
        )
        return credit.commit(operation, ended)

    def _credit(self, operation: Operation, credit: Credit, *, deadline: datetime) -> Operation:
        lock = self.locks.acquire(lock_key(credit.card_id), now=self.clock())
        if lock is None:
            raise NotSent(f"{operation.key} waits: money moves on its card at this moment")
        try:
            return self._credit_locked(operation, credit, lock=lock, deadline=deadline)
        finally:
            self.locks.release(lock)

    def _credit_locked(
        self, operation: Operation, credit: Credit, *, lock: Lease, deadline: datetime
    ) -> Operation:
        card = self.shopify.read_card(credit.card_id)
        ended = None if card is None else self._end_if_given(operation, credit, card)
        if ended is not None:
            return ended
        reason = self._why_not(card, credit)
        if reason is not None:
            return credit.commit(operation, Ended(is_done=False, card=card, reason=reason))
        time_left = self.moves.seconds_to_send(lock=lock, deadline=deadline)
        with self.shopify.room_to_credit(within_seconds=time_left) as room:
            sent, reply = self.moves.send(
                operation,
                lambda: self.shopify.credit(
                    credit.card_id, amount=credit.amount, reference=operation.key, room=room
                ),
                amount=credit.amount,
                recent=lock.seen.get("recent", []),
                lock=lock,
                deadline=deadline,
            )
        if reply is not None:
            return credit.commit(sent, self._ended(card, credit, reply))
        if sent.state is State.CLAIMED:
            raise NotSent(f"{operation.key} waits: this worker's time is nearly over")
        return sent  # nobody knows: the next look finds out

    def _end_if_given(self, operation: Operation, credit: Credit, card: Card) -> Operation | None:
        """Commit what came of it before, where the card shows more than the journal knows of.

        What was sent with its own reference and amount is done. Otherwise some of it is on the
        card, in other steps than the journal would make: a person gives back what is missing.
        """
        steps = [
            one
            for one in self.shopify.movements(card.id, since=credit.since or card.created_at)
            if one.note is not None
            and credit.is_step(one.note)
            and one.amount.currency == credit.amount.currency
            and one.amount.minor > 0
        ]
        for one in steps:
            if one.note == operation.key and one.amount == credit.amount:
                return self._commit_found(operation, credit, one)
        known = self._sent(one.note for one in steps if one.note is not None)
        forgotten = [one for one in steps if one.note not in known]
        if not forgotten:
            return None  # what came too late, too: a person was told of it
        ended = Ended(
            is_done=False,
            card=card,
            reason=f"Shopify shows {_sum(forgotten, credit)} given back before that the journal"
            " does not know of",
            otherwise=ONLY_THE_REST,
        )
        return credit.commit(operation, ended)

    def _sent(self, keys: Iterable[str]) -> set[str]:
        """Those of the credits that this journal has sent, or has found to be sent."""
        return {
            key
            for key, one in self.journal.load_many(keys).items()
            if one.sent_at is not None
            or (one.result is not None and one.result.transaction_id is not None)
        }

    def _ended(self, card: Card | None, credit: Credit, reply: CreditReply) -> Ended:
        match reply:
            case Credited():
                return Ended(
                    is_done=True,
                    card=card,
                    balance=reply.balance_after,
                    transaction_id=reply.transaction_id,
                )
            case CreditRefused():
                # The card's facts say it better than Shopify's prose, where they say it.
                now = self._read_if_possible(credit.card_id)
                reason = None if now is None else self._why_not(now, credit)
                refused = hide_codes(f"Shopify refused: {reply.message} ({reply.code})")
                return Ended(is_done=False, card=now or card, reason=reason or refused)
            case _:
                assert_never(reply)

    def _find_out(self, operation: Operation, credit: Credit) -> Operation:
        """A credit may have been sent and nobody heard the answer: look for it at Shopify."""
        found = self.moves.find_out(
            operation, card_id=credit.card_id, amount=credit.amount, is_credit=True
        )
        match found:
            case Movement():
                return self._commit_found(operation, credit, found)
            case Unfound.NOT_YET:
                return operation
            case Unfound.NOT_THERE:
                return self.moves.leave_to_a_person(
                    operation,
                    park=self.park,
                    because=f"nobody knows whether {credit.amount} was given back to"
                    f" {credit.card_id}: look for a transaction with this reference in Shopify's"
                    " admin, then decide credited, not-credited or retry",
                )
            case _:
                assert_never(found)

    def _commit_found(self, operation: Operation, credit: Credit, found: Movement) -> Operation:
        card = self._read_if_possible(credit.card_id)
        ended = Ended(
            is_done=True,
            card=card,
            balance=None if card is None else card.balance,
            transaction_id=found.id,
        )
        return credit.commit(operation, ended)

    def _why_not(self, card: Card | None, credit: Credit) -> str | None:
        """Why the card takes no money, in words for the office; `None` where it does."""
        if card is None:
            return "Shopify has no such card any more"
        if card.deactivated_at is not None or not card.enabled:
            return "the card was deactivated, which cannot be undone"
        if card.expires_on is not None and card.expires_on < self._today():
            return "the card has expired"
        if card.balance.currency != credit.amount.currency:
            return f"the card holds {card.balance.currency} now"
        return None

    def _read_if_possible(self, card_id: str) -> Card | None:
        """The card as it is now, for a better answer; the answer must not depend on it."""
        try:
            return self.shopify.read_card(card_id)
        except GiftCardError:
            return None

    def _today(self) -> date:
        return self.clock().astimezone(ZoneInfo(self.facts.time_zone)).date()


def _sum(movements: Iterable[Movement], credit: Credit) -> Money:
    return sum((one.amount for one in movements), Money.zero(credit.amount.currency))
