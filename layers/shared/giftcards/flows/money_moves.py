"""Move money on a card once: what every debit and every credit has in common.

    mark SENT under the card's lock ─► look at the clock ─► call ─┬─► answered: the caller commits
              │                               │                   ├─► did not run: mark taken back
              └─ too late: not marked         └─ too late:        └─► nobody knows: find out
                                                 taken back

The one step that cannot be repeated is the call. So after the SENT mark nobody sends again before
Shopify was asked for a transaction with our reference and amount; that none has turned up counts
only once the settling time is over. Only where Shopify said that the call did not run is the mark
taken back.

Shopify answers only so fast. Where a call has to wait for its turn, it does so before the mark:
after it, nothing stands between the last look at the clock and the call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from giftcards.clients.shopify import Shopify
from giftcards.domain.cards import Movement
from giftcards.domain.money import Money
from giftcards.errors import AccessRefused, NotSent, Unconfirmed
from giftcards.flows.park import Park
from giftcards.store.journal import Journal, Operation, State
from giftcards.store.leases import Lease
from giftcards.store.table import Item

# When somebody looks at an operation again that nobody finished: after every worker that may have
# begun it is dead (its lease is over), so that the second look finds facts, not a race.
LOOK_AGAIN_SECONDS = 10

# Clocks of two machines in one AWS region differ by milliseconds; a second is generous.
CLOCK_SKEW_SECONDS = 1


class Unfound(Enum):
    """Shopify shows no transaction of ours."""

    NOT_YET = auto()  # one may still turn up: asked again later
    NOT_THERE = auto()  # the settling time is over


@dataclass(frozen=True, kw_only=True)
class MoneyMoves:
    """Sends a debit or a credit, and finds out what became of one that nobody answered."""

    shopify: Shopify
    journal: Journal
    clock: Callable[[], datetime]
    http_timeout_seconds: int
    settling_seconds: int

    def seconds_to_send(self, *, lock: Lease, deadline: datetime) -> float:
        """How long a call may wait for its turn at Shopify."""
        time_left = (self._latest_send(lock, deadline) - self.clock()).total_seconds()
        return max(0.0, time_left)

    def send[Reply](
        self,
        operation: Operation,
        call: Callable[[], Reply],
        *,
        amount: Money,
        recent: Sequence[Item],
        lock: Lease,
        deadline: datetime,
        unless_frozen: bool = False,
    ) -> tuple[Operation, Reply | None]:
        """Mark the operation SENT, and call; return it as it stands then, and the reply.

        No reply: it was too late for this run, or somebody else has moved the operation, or nobody
        knows whether the call was applied. `recent` is left on the card with the mark. With
        `unless_frozen`, a card that was frozen since its lock was given is not charged. Raises what
        the call raises where it did not run.
        """
        sent = self._mark_sent(
            operation, amount, recent, lock=lock, deadline=deadline, unless_frozen=unless_frozen
        )
        if sent.state is not State.SENT or sent.sent_by != lock.owner:
            return sent, None  # too late for this run, or somebody else has moved it
        try:
            return sent, call()
        except (NotSent, AccessRefused):
            self.journal.take_back_sent(sent, due_at=self.look_again_at(self.clock()))
            raise
        except Unconfirmed:
            return sent, None  # it may have been applied: the next look asks Shopify

    def _mark_sent(
        self,
        operation: Operation,
        amount: Money,
        recent: Sequence[Item],
        *,
        lock: Lease,
        deadline: datetime,
        unless_frozen: bool,
    ) -> Operation:
        """Mark the operation SENT if there is time to send; return it as it stands then."""
        latest = self._latest_send(lock, deadline)
        now = self.clock()
        if now >= latest:
            return operation
        sent = self.journal.mark_sent(
            operation,
            lock=lock,
            amount=amount,
            recent=recent,
            now=now,
            due_at=self.look_again_at(now),
            unless_frozen=unless_frozen,
        )
        if sent is None:
            return self.journal.load(operation.key) or operation
        if self.clock() >= latest:  # the mark itself may have taken long
            self.journal.take_back_sent(sent, due_at=self.clock())
            return operation
        return sent

    def find_out(
        self, operation: Operation, *, card_id: str, amount: Money, is_credit: bool = False
    ) -> Movement | Unfound:
        """Look at Shopify for what may have been sent and nobody heard the answer of.

        The look counts as "not there" only if it began after the settling time.
        """
        if operation.sent_at is None:
            raise AssertionError(f"{operation.key} is SENT without a time")
        looked_at = self.clock()
        movement = self.shopify.find_movement(
            card_id,
            reference=operation.key,
            amount=amount,
            since=operation.sent_at,
            is_credit=is_credit,
        )
        if movement is not None:
            return movement
        if looked_at < operation.sent_at + timedelta(seconds=self.settling_seconds):
            self.journal.postpone(operation, due_at=self.look_again_at(looked_at))
            return Unfound.NOT_YET
        return Unfound.NOT_THERE

    def leave_to_a_person(self, operation: Operation, *, park: Park, because: str) -> Operation:
        """It may have been sent, was looked for in vain, and nobody waits for it.

        Sending it again could move the money twice, so a person looks first. Where one has done so
        and had it tried again, it goes back to be sent once more; raises `NotSent` then.
        """
        if operation.may_send_again:
            self.journal.take_back_unfound(operation, due_at=self.look_again_at(self.clock()))
            raise NotSent(f"{operation.key} is sent again, as a person has decided")
        park.park_operation(operation, because=because)
        return self.journal.load(operation.key) or operation

    def look_again_at(self, now: datetime) -> datetime:
        """When somebody looks at an operation again that is left as it is."""
        return now + timedelta(seconds=LOOK_AGAIN_SECONDS)

    def _latest_send(self, lock: Lease, deadline: datetime) -> datetime:
        """The last moment to send: the reply must come while lock and function live."""
        reserve = timedelta(seconds=self.http_timeout_seconds + CLOCK_SKEW_SECONDS)
        return min(lock.until - reserve, deadline - reserve)
