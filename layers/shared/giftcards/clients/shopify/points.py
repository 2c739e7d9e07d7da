"""Never ask Shopify faster than it answers: what requests cost, and how much the bucket holds.

Shopify gives our app a bucket of points that fills at a steady rate (Standard: 2,000 points, 100 a
second). A request is refused (THROTTLED) unless the bucket holds what it may cost at most, and
each reply says how full the bucket was. From that we know beforehand what would be refused:

    in the bucket at the last reply  +  restored since  -  promised to requests of ours under way

Other functions of ours drink from the same bucket, and we see them only in the replies. So what a
reply said counts for a few seconds; before the first one, and after a silence, little is assumed.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from giftcards.errors import NotSent

# What each of our documents asks for at most, as recorded and by Shopify's rules (an object 1, a
# list 2 and its objects, a change 10): enough until the first reply says it itself.
REQUESTED_POINTS = {
    "all_cards": 2,
    "card_limits": 1,
    "card_movements": 111,
    "changed_cards": 2,
    "create_card": 11,
    "credit_card": 11,
    "deactivate_card": 11,
    "debit_card": 11,
    "find_card": 4,
    "find_created": 4,
    "find_orders": 52,
    "granted_scopes": 2,
    "newest_cards": 2,
    "order_lines": 203,
    "read_card": 9,
    "read_cards": 0,
    "read_order": 229,
    "read_payments": 1,
    "shop_facts": 1,
    "tag_order": 10,
}

# What some of them cost on top: for each of the `ids`, or of the `count`, that they ask for.
POINTS_EACH = {
    "all_cards": 1,
    "changed_cards": 1,
    "newest_cards": 1,
    "read_cards": 1,
    "read_payments": 3,
}

# A question waits at most this long for its points. Ten threads that all find an empty bucket pass
# through it in 1.1 seconds (ten debits of 11 points, 100 restored a second); who has to wait twice
# as long competes with more than ourselves. A worker has 20 seconds, and two questions go before a
# debit, so a longer wait would end in the middle of a row.
MOST_WAIT_SECONDS = 2.0

# As long as no reply has told, the bucket is taken to hold this and to fill at Standard's rate:
# enough for ten searches side by side, and what the smallest plan restores in half a second.
ASSUMED_POINTS = 50
ASSUMED_RESTORED_A_SECOND = 100

# After this long without a reply (a tick), other functions may have emptied what we saw full.
BELIEVED_SECONDS = 15.0

# A wait ends so much later than reckoned, so that no fraction of a point is missing then.
WAKE_LATE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class ThrottleStatus:
    """The bucket as one reply described it (`extensions.cost.throttleStatus`)."""

    maximum: float
    available: float
    restored_a_second: float


@dataclass(slots=True, eq=False)
class Room:
    """Points promised to one request. What became of it decides what the bucket has lost."""

    points: float
    was_sent: bool = False
    was_told: bool = False


class Bucket:
    """What one worker knows of the shop's bucket. Safe to use from threads.

    `reserve_points` are left alone, for those who must not wait: they count only as far as the
    bucket is larger. `most_wait_seconds` bounds each wait.
    """

    def __init__(
        self,
        *,
        reserve_points: int = 0,
        most_wait_seconds: float = MOST_WAIT_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reserve_points = reserve_points
        self._most_wait_seconds = most_wait_seconds
        self._sleep = sleep
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._status: ThrottleStatus | None = None
        self._status_at = 0.0
        self._told_at = 0.0
        self._rooms: list[Room] = []  # in the order in which they were asked for
        self._side_by_side = False
        self._learnt: dict[tuple[str, int], float] = {}

    @property
    def keeps_a_reserve(self) -> bool:
        """Whether some points are left for others."""
        return self._reserve_points > 0

    def is_known(self) -> bool:
        """Whether a reply has told lately how full the bucket is."""
        with self._lock:
            return self._is_known(self._monotonic())

    def points_of(self, name: str, variables: Mapping[str, object]) -> float:
        """What a document may cost at most, as its last reply said, else as we know it."""
        count = _count(variables)
        with self._lock:
            reckoned = REQUESTED_POINTS[name] + POINTS_EACH.get(name, 0) * count
            return self._learnt.get((name, count), reckoned)

    def learn(self, name: str, variables: Mapping[str, object], points: float) -> None:
        """A reply said what its document may cost at most."""
        with self._lock:
            self._learnt[name, _count(variables)] = points

    @contextmanager
    def room(self, points: float, *, within_seconds: float | None = None) -> Iterator[Room]:
        """Have `points` promised as long as the block lasts; wait for them at the beginning.

        Raises `NotSent` where that would take longer than `within_seconds` (or `most_wait_seconds`
        if that is less); zero does not wait at all. Who asked first is served first.
        """
        most = self._most_wait_seconds
        within = most if within_seconds is None else min(most, within_seconds)
        room = Room(points)
        with self._lock:
            self._side_by_side = bool(self._rooms)
            self._rooms.append(room)
        try:
            self._wait(room, within)
            yield room
        finally:
            with self._lock:
                self._rooms.remove(room)
                if room.was_sent and not room.was_told:
                    self._assume_spent(room.points)

    def note(self, room: Room, status: ThrottleStatus) -> None:
        """A reply has told how full the bucket is: the one to the request that has `room`.

        Replies overtake one another, and an old one would show points that are spent. So among
        several side by side the lower figure counts; a request that was alone is believed.
        """
        with self._lock:
            now = self._monotonic()
            available = status.available
            if self._side_by_side and self._is_known(now):
                available = min(available, self._available(now))
            self._status = replace(status, available=available)
            self._status_at = self._told_at = now
            room.was_told = True

    def _wait(self, room: Room, within_seconds: float) -> None:
        """Sleep until the points are there, and look again: others may have been quicker."""
        until = self._monotonic() + within_seconds
        while True:  # each round lasts WAKE_LATE_SECONDS at least, and `until` ends it
            with self._lock:
                now = self._monotonic()
                pause = self._pause_before(room, now)
            if pause <= 0:
                return
            pause += WAKE_LATE_SECONDS
            if now + pause > until:
                raise NotSent(
                    "Shopify's bucket of points is too empty for this request right now,"
                    " so it was not sent"
                )
            self._sleep(pause)

    def _pause_before(self, room: Room, now: float) -> float:
        """Seconds until the bucket covers this request and those before it; zero or less: now."""
        place = self._rooms.index(room)
        needed = sum(other.points for other in self._rooms[: place + 1])
        if self._status is not None and self._is_known(now):
            # A reserve that this bucket cannot hold means: not before it is full.
            reserve = min(float(self._reserve_points), self._status.maximum - room.points)
            missing = needed + max(0.0, reserve) - self._available(now)
            return missing / self._status.restored_a_second
        if place == 0:
            return 0.0  # somebody has to go ahead and learn how full the bucket is
        return (needed - self._available(now)) / ASSUMED_RESTORED_A_SECOND

    def _available(self, now: float) -> float:
        """What the bucket holds as far as we know, before what is promised."""
        if self._status is None:
            return ASSUMED_POINTS
        restored = (now - self._status_at) * self._status.restored_a_second
        available = min(self._status.maximum, self._status.available + restored)
        return available if self._is_known(now) else min(available, ASSUMED_POINTS)

    def _is_known(self, now: float) -> bool:
        return self._status is not None and now - self._told_at <= BELIEVED_SECONDS

    def _assume_spent(self, points: float) -> None:
        """A request went out and no reply told: it may have cost what it may cost at most."""
        if self._status is not None:
            now = self._monotonic()
            available = self._available(now) - points
            self._status = replace(self._status, available=available)
            self._status_at = now


def _count(variables: Mapping[str, object]) -> int:
    """How many things a request asks for where each has its price; one for any other request."""
    ids, count = variables.get("ids"), variables.get("count")
    if isinstance(ids, list):
        return len(ids)
    return count if isinstance(count, int) else 1
