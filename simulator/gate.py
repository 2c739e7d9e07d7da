"""Where a worker meets the outside: the call takes its time, and what is planned happens to it."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from simulator.effects import ALONE_ROLES, AT_THE_BEGINNING, Effect
from simulator.faults import (
    AWAY_FOR,
    BY_OTHERS,
    DOWN_FOR,
    HIDDEN_SECONDS,
    LATE_BY,
    MESSAGE_LATE_BY,
    ONCE,
    PAUSED_FOR,
    PREEMPTED_FOR,
    RARELY,
    SECOND,
    SKEW,
    STALE_SECONDS,
    TAG_LAG_SECONDS,
    TOO_LATE_BY,
    Kind,
    Planned,
)

if TYPE_CHECKING:
    from simulator.worker import Worker
    from simulator.world import World

# How long a worker waits for a reply that does not come: the product's time-out for vendors, and
# for AWS, whose client asks three times within it.
TIME_OUT = 5 * SECOND

# Of the accidents that last an hour, chance lets so many happen.
RARELY_SHARE = 0.2

# A history in which a request may be applied after the settling time is told for that: beside the
# other accidents it happens to so many of the requests, until it has happened once.
LATE_SHARE = 0.5

# What happens before a call, or stays from there on; the call itself goes as it would.
APPLIED_AS_EVER = frozenset(
    {Kind.PREEMPTED, Kind.PAUSED, Kind.SKEW_AHEAD, Kind.SKEW_BEHIND, Kind.TAGS_INVISIBLE}
)

# A call that is refused takes a moment, too.
REFUSED_AFTER = SECOND // 10


# An effect, which time it came, what could go wrong there, and the invocation it belonged to.
type Step = tuple[Effect, int, tuple[Kind, ...], int]


class WorkerKilled(BaseException):
    """The worker's process is gone. Nothing of the product may catch this."""


class Seam(Protocol):
    """How a vendor's client says what went wrong, as the real one says it."""

    def error(self, kind: Kind, *, changes: bool) -> Exception:
        """What the caller of the client sees of this accident."""


class Plan(Protocol):
    """Which accident happens at an effect, if any."""

    def at(self, effect: Effect, nth: int, kinds: tuple[Kind, ...]) -> Kind | None:
        """The accident at the `nth` time (from 0) that this effect comes."""


class PlannedOnes:
    """Exactly these accidents."""

    def __init__(self, planned: tuple[Planned, ...]) -> None:
        self._planned = {(one.effect, one.nth): one.kind for one in planned}

    def at(self, effect: Effect, nth: int, kinds: tuple[Kind, ...]) -> Kind | None:
        """What was planned, where it can happen there."""
        if not self._planned:
            return None
        kind = self._planned.get((effect.label, nth))
        return kind if kind in kinds else None


class ByChance:
    """Accidents by a seeded chance, `most` of them, each effect with the same `share`.

    Where a request may be applied after the settling time, one mostly is, beside those.
    """

    def __init__(self, chance: Random, *, share: float, most: int) -> None:
        self._chance = chance
        self._share = share
        self._left = most
        self._had: set[Kind] = set()

    def at(self, effect: Effect, nth: int, kinds: tuple[Kind, ...]) -> Kind | None:
        """One of those that can happen there, or mostly none."""
        del effect, nth
        if self._is_late(kinds):
            self._had.add(Kind.APPLIED_TOO_LATE)
            return Kind.APPLIED_TOO_LATE
        if self._left == 0 or self._chance.random() >= self._share:
            return None
        kind = self._chance.choice(kinds)
        if kind in self._had and kind in ONCE:
            return None
        if kind in RARELY and self._chance.random() >= RARELY_SHARE:
            return None
        self._had.add(kind)
        self._left -= 1
        return kind

    def _is_late(self, kinds: tuple[Kind, ...]) -> bool:
        """Whether this is the request that is applied after the settling time."""
        if Kind.APPLIED_TOO_LATE not in kinds or Kind.APPLIED_TOO_LATE in self._had:
            return False
        return self._chance.random() < LATE_SHARE


class Given:
    """What belongs to a story, and beside it what a history plans."""

    def __init__(self, given: Plan, more: Plan) -> None:
        self._given = given
        self._more = more

    def at(self, effect: Effect, nth: int, kinds: tuple[Kind, ...]) -> Kind | None:
        """What the history has planned there; where that is nothing, what the story has."""
        return self._more.at(effect, nth, kinds) or self._given.at(effect, nth, kinds)


class Gate:
    """Every effect of a history passes here, in order."""

    def __init__(self, world: "World", plan: Plan, *, jitter: Random | None) -> None:
        self.world = world
        self.plan = plan
        self.met: list[Planned] = []
        self.met_at: list[int] = []
        self.trace: list[Step] = []
        self.prepared = 0
        self.counts: dict[Effect, int] = {}
        self._down: dict[str, int] = {}
        self._jitter = jitter
        self._kinds, self._kinds_at_first = world.kinds_at.setdefault(world.allowed, ({}, {}))
        self.stale_seconds = 0.0
        self.hidden_seconds = 0.0

    def note_beginning(self) -> None:
        """What came so far was only before what the story is about."""
        self.prepared = len(self.trace)

    def kinds(self, effect: Effect, *, is_first: bool) -> tuple[Kind, ...]:
        """The accidents that can happen at an effect of this history."""
        kinds = self._kinds_at_first if is_first else self._kinds
        known = kinds.get(effect)
        if known is None:
            all_kinds = effect.kinds + AT_THE_BEGINNING if is_first else effect.kinds
            known = tuple(
                kind
                for kind in all_kinds
                if kind in self.world.allowed
                and not (kind is Kind.OVERLAPPED and effect.role in ALONE_ROLES)
            )
            kinds[effect] = known
        return known

    def do[Result](
        self, worker: "Worker", effect: Effect, seam: Seam, act: Callable[[], Result]
    ) -> Result:
        """Make a call: wait what it takes, apply it, and return what it returns, if all goes well.

        `act` may be called later, twice or never. What others do has happened only where it changed
        something: nobody spends of an empty card.
        """
        timeline = self.world.timeline
        if worker.is_dead or self.world.is_over:
            raise WorkerKilled(effect.name)
        if timeline.us > worker.ends_at:
            worker.die()
            raise WorkerKilled(effect.name)
        nth = self.counts.get(effect, 0)
        self.counts[effect] = nth + 1
        is_first, worker.is_fresh = worker.is_fresh, False
        kinds = self.kinds(effect, is_first=is_first)
        self.trace.append((effect, nth, kinds, worker.invocation))
        kind = self.plan.at(effect, nth, kinds)
        if kind is not None and (kind not in BY_OTHERS or self.world.happen(kind, worker)):
            self.met.append(Planned(effect.label, nth, kind))
            self.met_at.append(timeline.us)
            if kind not in BY_OTHERS:
                result: Result = self._go_wrong(worker, effect, seam, act, kind)
                return result
        self._wait(worker, effect)
        if self._down and self._down.get(effect.vendor, 0) > timeline.us:
            raise seam.error(Kind.REFUSED, changes=effect.changes)
        return act()

    def _wait(self, worker: "Worker", effect: Effect) -> None:
        us = effect.us
        if self._jitter is not None:
            us = int(us * (0.5 + self._jitter.random()))
        self._sleep(worker, us)

    def _sleep(self, worker: "Worker", us: int) -> None:
        self.world.timeline.sleep(us)
        if worker.is_dead or self.world.is_over:
            raise WorkerKilled

    def _go_wrong(
        self,
        worker: "Worker",
        effect: Effect,
        seam: Seam,
        act: Callable[[], Any],
        kind: Kind,
    ) -> Any:  # noqa: ANN401 - it returns what the act returns
        world = self.world
        match kind:
            case Kind.CRASH_BEFORE:
                self._sleep(worker, effect.us)
                worker.die()
                raise WorkerKilled
            case Kind.PREEMPTED | Kind.PAUSED:
                frozen = PREEMPTED_FOR if kind is Kind.PREEMPTED else PAUSED_FOR
                worker.ends_at += frozen
                self._sleep(worker, frozen)
            case Kind.SKEW_AHEAD | Kind.SKEW_BEHIND:
                worker.skew = SKEW if kind is Kind.SKEW_AHEAD else -SKEW
            case Kind.TAGS_INVISIBLE:
                world.shop.orders.set_tag_lag(TAG_LAG_SECONDS)
            case Kind.VENDOR_DOWN | Kind.VENDOR_AWAY:
                gone = DOWN_FOR if kind is Kind.VENDOR_DOWN else AWAY_FOR
                self._down[effect.vendor] = world.timeline.us + gone
                world.note_late(gone)
            case _:
                pass  # it happens to the call, not to the worker
        self._wait(worker, effect)
        return self._apply(worker, effect, seam, act, kind)

    def _apply(
        self,
        worker: "Worker",
        effect: Effect,
        seam: Seam,
        act: Callable[[], Any],
        kind: Kind,
    ) -> Any:  # noqa: ANN401 - it returns what the act returns
        match kind:
            case Kind.CRASH_AFTER:
                _try(act)
                worker.die()
                raise WorkerKilled
            case Kind.REPLY_LOST | Kind.FAILED_AFTER:
                _try(act)
            case Kind.APPLIED_LATE | Kind.APPLIED_TOO_LATE:
                late = LATE_BY if kind is Kind.APPLIED_LATE else TOO_LATE_BY
                self.world.timeline.at(self.world.timeline.us + late, lambda: _try(act))
                self.world.note_late(late)
            case Kind.ECHOED:
                _try(act)
                return act()
            case Kind.MESSAGE_TWICE:
                self.world.sqs.deliver_twice = True
                return act()
            case Kind.MESSAGE_DELAYED:
                self.world.sqs.delayed_by = MESSAGE_LATE_BY
                return act()
            case Kind.STALE_SEARCH:
                self.stale_seconds = STALE_SECONDS
                return act()
            case Kind.MOVEMENT_HIDDEN:
                self.hidden_seconds = HIDDEN_SECONDS
                return act()
            case _ if kind in APPLIED_AS_EVER:
                return act()
            case _:
                pass  # nothing is applied
        waits_in_vain = kind in {Kind.REPLY_LOST, Kind.APPLIED_LATE, Kind.APPLIED_TOO_LATE}
        self._sleep(worker, TIME_OUT if waits_in_vain else REFUSED_AFTER)
        raise seam.error(kind, changes=effect.changes)


def _try(act: Callable[[], object]) -> None:
    """Apply what nobody will hear of, whether it is refused or not."""
    try:
        act()
    except Exception:  # noqa: BLE001 - a vendor's refusal, whatever its kind: its reply is lost
        return
