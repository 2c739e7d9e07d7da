"""Which histories are told: everything small exhaustively, the rest by a seeded chance.

    singles    every accident at every effect of every story
    doubles    every first accident, and behind it every second one
    triples    the same with three, at the calls from the claim of a redemption to its commit
    pairs      two operations on one card: two accidents and two preemptions by chance, or up to
               two and two at the calls of the redemption from its claim to its commit
    by chance  any story, any latencies, a few accidents
    days       an hour of dozens of operations, counted apart

Singles are told as far as they fit: the shorter stories' all. The others, of which there are
millions, are sampled; or all of one story's are told, and nothing else. The report says how
many of how many. What was never struck is struck at the end, in pieces of ten.
"""

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import batched
from math import ceil, isqrt
from random import Random
from time import process_time
from typing import TYPE_CHECKING

from simulator.effects import PEOPLES
from simulator.faults import BEYOND_SETTLING, RARELY, Kind, Planned
from simulator.history import Spec, Told, tell
from simulator.shares import shared_out
from simulator.stories import STORIES

if TYPE_CHECKING:
    from simulator.gate import Step
    from simulator.world import World

# All singles are told where they are no more than this of all histories; else so many of them.
ALL_SINGLES_UP_TO = 0.85
SHARE_OF_SINGLES = 0.3

# Of each story some are told, however long it is: so many with one accident in them.
SINGLES_AT_LEAST = 16
BY_CHANCE_AT_LEAST = 2

# Of what is left after the singles, how much each kind of history gets; the rest is by chance.
SHARES = {"doubles": 0.35, "triples": 0.03, "pairs": 0.12}

# Of the histories by chance, those in which a request may be applied after the settling time; and
# what such a request makes or changes. They take twice the time, since the books are compared.
SHARE_OF_LATE = 0.05
MOVING = frozenset(
    f"shopify {name}" for name in ("create_card", "debit_card", "credit_card", "deactivate_card")
)

# A report of thousands of broken promises helps nobody.
MOST_KEPT = 20

ROUNDS_OF_STRIKING = 5
STRIKES_AT_ONCE = 10

# The singles of one story are so many pieces of work, that all processes have their share.
PARTS_OF_SINGLES = 12

# A piece of doubles or triples begins with a history that was told as a single, so that it should
# not stand for few.
BEHIND_A_FIRST = 20

# So many histories of chance are one piece of work.
AT_ONCE = {"pairs": 50, "by chance": 50, "days": 5}

# Two operations that meet in one way: so many times with accidents, once without.
PAIRS_OF_A_SEED = 4

# All pairs: at the calls of the window so many hold-ups, and so many accidents of other kinds. What
# people do beside is what the pair is about already; and in an outage ticks come and go for
# minutes, each of them with calls of the window.
PREEMPTIONS = 2
FAULTS = 2
NOT_IN_PAIRS = frozenset({*PEOPLES, Kind.RECORD_DOUBLED, Kind.VENDOR_AWAY})


@dataclass(slots=True)
class Tally:
    """What some histories came to; tallies add up."""

    histories: Counter[str] = field(default_factory=Counter)
    possible: Counter[str] = field(default_factory=Counter)
    effects: int = 0
    accidents: Counter[Kind] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    struck: Counter[tuple[str, Kind]] = field(default_factory=Counter)
    example: dict[str, tuple[str, int, tuple[Kind, ...]]] = field(default_factory=dict)
    chance_of: dict[tuple[Kind, str], tuple[str, Planned]] = field(default_factory=dict)
    broken: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[str, tuple[tuple[str, str], ...]]] = field(default_factory=list)
    compared: int = 0
    virtual_seconds: float = 0.0
    processor_seconds: dict[str, float] = field(default_factory=dict)

    def note(self, kind: str, told: Told) -> None:
        """Count one history of this kind."""
        self.histories[kind] += 1
        self.effects += len(told.trace)
        self.virtual_seconds += told.seconds
        self.compared += told.is_compared
        self.seen.update([effect.label for effect, _, _, _ in told.trace])
        if len(self.seen) > len(self.example):
            self._note_examples(told)
        for met in told.met:
            self.accidents[met.kind] += 1
            self.struck[met.effect, met.kind] += 1
        if told.violations:
            self.broken.update(told.broken)
            if len(self.violations) < MOST_KEPT:
                self.violations.append((str(told.spec), told.violations))

    def _note_examples(self, told: Told) -> None:
        """Where the effects that were not seen before, and the accidents at them, can be had."""
        for effect, nth, kinds, _ in told.trace:
            label = effect.label
            if label not in self.example:
                self.example[label] = (str(told.spec), nth, kinds)
                for one in kinds:
                    chance = (str(told.spec), Planned(label, nth, one))
                    self.chance_of.setdefault((one, label), chance)

    def add(self, other: "Tally") -> None:
        """Count what was counted elsewhere, too."""
        self.histories += other.histories
        self.possible += other.possible
        self.effects += other.effects
        self.accidents += other.accidents
        self.seen += other.seen
        self.struck += other.struck
        # Which process ended first does not decide what will be struck.
        for label, example in other.example.items():
            self.example[label] = min(example, self.example.get(label, example))
        for accident, chance in other.chance_of.items():
            self.chance_of[accident] = min(chance, self.chance_of.get(accident, chance))
        self.broken += other.broken
        self.violations = sorted([*self.violations, *other.violations])[:MOST_KEPT]
        self.compared += other.compared
        self.virtual_seconds += other.virtual_seconds
        for kind, seconds in other.processor_seconds.items():
            self.processor_seconds[kind] = self.processor_seconds.get(kind, 0.0) + seconds

    @property
    def total(self) -> int:
        """How many histories, days apart."""
        return self.histories.total() - self.histories["days"]

    @property
    def unstruck(self) -> list[str]:
        """The effects that no accident ever met."""
        met = {effect for effect, _ in self.struck}
        return sorted(self.seen.keys() - met)

    def chances_of(self, kind: Kind) -> list[tuple[str, Planned]]:
        """Where a kind of accident could happen, if there is something for it to change."""
        return sorted((one for (k, _), one in self.chance_of.items() if k is kind))

    @property
    def never_met(self) -> list[Kind]:
        """The kinds of accidents that never happened."""
        return sorted(kind for kind in Kind if self.accidents[kind] == 0)


def accidents_after(
    trace: Sequence["Step"], start: int, *, among: Collection[str] | None = None
) -> Iterator[Planned]:
    """Every accident at the steps from `start` on that makes a difference of its own.

    Dying after an effect is dying before the next one of the same worker; reading changes nothing,
    so dying after a read is dying before it: a call earlier, which matters only to who else comes
    first. And whoever is told to ask less often (and not for how long, as here) does what he does
    without a connection. One that stands for another has to be among those told: only the effects
    of the labels `among`, where they are given.
    """

    def is_told(place: int | None) -> bool:
        return place is not None and place >= start and (among is None or label(place) in among)

    def label(place: int) -> str:
        return trace[place][0].label

    following = followers(trace)
    latest: dict[int, int] = {}
    for place, (effect, nth, kinds, invocation) in enumerate(trace):
        before = latest.get(invocation)
        latest[invocation] = place
        if not is_told(place):
            continue
        has_just_read = before is not None and not trace[before][0].changes
        for kind in kinds:
            is_like_another = (
                (kind is Kind.CRASH_AFTER and is_told(following.get(place)))
                or (kind is Kind.CRASH_BEFORE and has_just_read and is_told(before))
                or (kind is Kind.THROTTLED and Kind.REFUSED in kinds)
            )
            if kind not in RARELY and not is_like_another:
                yield Planned(effect.label, nth, kind)


def followers(trace: Sequence["Step"]) -> dict[int, int]:
    """The next step of the same invocation, for each that has one."""
    latest: dict[int, int] = {}
    following: dict[int, int] = {}
    for place, (_, _, _, invocation) in enumerate(trace):
        if invocation in latest:
            following[latest[invocation]] = place
        latest[invocation] = place
    return following


def outages_in(traces: Mapping[str, Sequence["Step"]], chance: Random) -> dict[str, frozenset[int]]:
    """Where in these stories an hour's outage begins: for each function and vendor once, by chance.

    It costs as much as thirty other histories, and an outage of three minutes begins at every one.
    """
    places: dict[tuple[str, str], dict[str, list[int]]] = {}
    for name, trace in traces.items():
        for place, (effect, _, kinds, _) in enumerate(trace):
            if not RARELY.isdisjoint(kinds):
                where = places.setdefault((effect.role, effect.vendor), {})
                where.setdefault(name, []).append(place)
    chosen: dict[str, set[int]] = {}
    for where in places.values():
        name = chance.choice(sorted(where))
        chosen.setdefault(name, set()).add(chance.choice(where[name]))
    return {name: frozenset(some) for name, some in chosen.items()}


def place_of(trace: Sequence["Step"], planned: Planned) -> int:
    """Where in a history an accident happened."""
    for place, (effect, nth, _, _) in enumerate(trace):
        if effect.label == planned.effect and nth == planned.nth:
            return place
    return len(trace)


def within(
    trace: Sequence["Step"], window: Sequence[str], *, after: Planned | None = None
) -> list[Planned]:
    """The accidents at the effects of these labels.

    They begin where the first of the labels comes, or behind the accident given, and end where the
    call of the last of them comes for the last time, whichever function makes it.
    """
    labels = [step[0].label for step in trace]
    if window[0] not in labels:
        return []
    last = window[-1].partition(": ")[2]
    ends = [
        place
        for place, label in enumerate(labels)
        if label in window and label.partition(": ")[2] == last
    ]
    end = ends[-1] + 1 if ends else len(labels)
    start = labels.index(window[0]) if after is None else place_of(trace, after) + 1
    return list(accidents_after(trace[:end], start, among=window))


def beside(planned: Sequence[Planned], accidents: Iterable[Planned]) -> list[Planned]:
    """Those of the accidents that a pair has room for beside what is planned already."""
    hold_ups = sum(one.kind is Kind.PREEMPTED for one in planned)
    has_room = {True: hold_ups < PREEMPTIONS, False: len(planned) - hold_ups < FAULTS}
    return [
        one
        for one in accidents
        if one.kind not in NOT_IN_PAIRS and has_room[one.kind is Kind.PREEMPTED]
    ]


# ------------------------------------------------------------------------------- pieces of work


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of work for one process, of which `seed` chooses what is told.

    Of singles that is a `share` of what is possible, and an hour's outage at each of the steps
    `outages`; of all others so many as `count` says; of doubles and triples where it is 0, and of
    pairs that begin with a `first` accident, all. A piece stands for others that were not chosen:
    for so many altogether, itself included.
    """

    kind: str
    story: str
    seed: int
    share: float = 1.0
    first: Planned | None = None
    count: int = 0
    part: int = 0
    outages: frozenset[int] = frozenset()
    stands_for: float = 1.0
    late: bool = False

    def tell(self, world: "World") -> Tally:
        """Tell its histories."""
        tally, began = Tally(), process_time()
        seed = f"{self.kind} {self.story} {self.seed} {self.first} {self.part}"
        chance = Random(seed)  # noqa: S311 - no secrets
        {
            "singles": self._singles,
            "doubles": self._doubles,
            "triples": self._triples,
            "pairs": self._pairs,
            "by chance": self._by_chance,
            "days": self._days,
        }[self.kind](world, tally, chance)
        tally.processor_seconds[self.kind] = process_time() - began
        return tally

    def _spec(self, *planned: Planned, seed: int = 0, most: int = 0) -> Spec:
        return Spec(self.story, seed, planned, most, late=self.late)

    def _singles(self, world: "World", tally: Tally, chance: Random) -> None:
        base = told_plainly(world, self.story, late=self.late)
        if self.part == 0:
            tally.possible["singles"] += 1
            tally.note("singles", base)
        for place in range(self.part, len(base.trace), PARTS_OF_SINGLES):
            effect, nth, kinds, _ = base.trace[place]
            for kind in kinds:
                is_rare = kind in RARELY
                is_elsewhere = is_rare and place not in self.outages
                if is_elsewhere or (self.late and kind not in BEYOND_SETTLING):
                    continue
                tally.possible["singles"] += 1
                if is_rare or chance.random() < self.share:
                    told = tell(world, self._spec(Planned(effect.label, nth, kind)))
                    tally.note("singles", told)

    def _doubles(self, world: "World", tally: Tally, chance: Random) -> None:
        if self.first is None:
            return
        once = tell(world, self._spec(self.first))
        seconds = list(accidents_after(once.trace, place_of(once.trace, self.first) + 1))
        if self.late and self.first.kind not in BEYOND_SETTLING:
            seconds = [one for one in seconds if one.kind in BEYOND_SETTLING]
        tally.possible["doubles"] += round(len(seconds) * self.stands_for)
        for second in _some(seconds, self.count, chance):
            tally.note("doubles", tell(world, self._spec(self.first, second)))

    def _triples(self, world: "World", tally: Tally, chance: Random) -> None:
        window = STORIES[self.story].window
        if self.first is None or window is None:
            return
        once = tell(world, self._spec(self.first))
        seconds = within(once.trace, window, after=self.first)
        # So many at either step, that together they are as many as are wanted.
        at_a_step = isqrt(self.count)
        chosen = _some(seconds, at_a_step, chance)
        for second in chosen:
            twice = tell(world, self._spec(self.first, second))
            thirds = within(twice.trace, window, after=second)
            stands_for = self.stands_for * len(seconds) / len(chosen)
            tally.possible["triples"] += round(len(thirds) * stands_for)
            for third in _some(thirds, at_a_step, chance):
                told = tell(world, self._spec(self.first, second, third))
                tally.note("triples", told)

    def _pairs(self, world: "World", tally: Tally, chance: Random) -> None:
        window = STORIES[self.story].window
        if self.first is not None and window is not None:
            self._all_pairs(world, tally, window, (self.first,))
            return
        told = 0
        while told < self.count:
            seed = chance.randrange(1, 1 << 30)
            base = tell(world, self._spec(seed=seed))
            tally.note("pairs", base)
            accidents = list(accidents_after(base.trace, 0))
            preemptions = [one for one in accidents if one.kind is Kind.PREEMPTED]
            others = [one for one in accidents if one.kind is not Kind.PREEMPTED]
            behind = min(self.count - told - 1, PAIRS_OF_A_SEED)
            for _ in range(behind):
                planned = [*chance.sample(preemptions, 2), *chance.sample(others, 2)]
                tally.note("pairs", tell(world, self._spec(*planned, seed=seed)))
            told += 1 + behind

    def _all_pairs(
        self, world: "World", tally: Tally, window: Sequence[str], planned: Sequence[Planned]
    ) -> None:
        told = tell(world, self._spec(*planned))
        tally.possible["pairs"] += 1
        tally.note("pairs", told)
        behind = within(told.trace, window, after=planned[-1])
        for one in beside(planned, behind):
            self._all_pairs(world, tally, window, (*planned, one))

    def _by_chance(self, world: "World", tally: Tally, chance: Random) -> None:
        for _ in range(self.count):
            seed = chance.randrange(1, 1 << 30)
            spec = self._spec(seed=seed, most=chance.choice((1, 1, 2, 2, 3, 4, 6)))
            tally.note("by chance", tell(world, spec))

    def _days(self, world: "World", tally: Tally, chance: Random) -> None:
        for _ in range(self.count):
            seed = chance.randrange(1, 1 << 30)
            most = chance.choice((0, 4, 8, 12, 20))
            tally.note("days", tell(world, self._spec(seed=seed, most=most)))


def singles(world: "World", seed: int, names: Sequence[str], *, wanted: int) -> list[Piece]:
    """Every accident at every effect, and every request applied too late.

    Where that were too much of what is wanted, only of the shorter stories all are told, and of the
    longer ones so many as fit, chosen by the seed; and an hour's outage is not told for each
    function and vendor of every story, but of one.
    """
    traces = {name: told_plainly(world, name).trace for name in names if not STORIES[name].is_day}
    possible = {name: sum(len(kinds) for _, _, kinds, _ in trace) for name, trace in traces.items()}
    alone = {name: trace for name, trace in traces.items() if not STORIES[name].is_pair}
    chance = Random(f"outages {seed}")  # noqa: S311 - no secrets
    shares = possible
    if sum(possible.values()) <= ALL_SINGLES_UP_TO * wanted:
        of_each = [outages_in({name: trace}, chance) for name, trace in alone.items()]
        outages = {name: places for one in of_each for name, places in one.items()}
    else:
        outages = outages_in(alone, chance)
        lengths = {name: len(trace) for name, trace in traces.items()}
        shares = shared_out(
            round(SHARE_OF_SINGLES * wanted), lengths, most=possible, at_least=SINGLES_AT_LEAST
        )
    return [
        Piece(
            "singles",
            name,
            seed,
            part=part,
            late=late,
            share=shares[name] / possible[name],
            outages=outages.get(name, frozenset()),
        )
        for name in traces
        for late in (False, True)
        for part in range(PARTS_OF_SINGLES)
    ]


def every(kind: str, world: "World", name: str, *, seed: int) -> list[Piece]:
    """All singles of one story; of doubles, triples or pairs a piece for each first accident.

    Of doubles also those in which one of the two is a request applied after the settling time.
    """
    if kind == "singles":
        return singles(world, seed, [name], wanted=sys.maxsize)
    pieces = [Piece(kind, name, seed, first=first) for first in _firsts(kind, world, name)]
    if kind == "doubles" and pieces:
        late = _firsts(kind, world, name, late=True)
        pieces += [Piece(kind, name, seed, first=first, late=True) for first in late]
    return pieces


def sampled(
    kind: str, world: "World", names: Sequence[str], *, seed: int, budget: int
) -> list[Piece]:
    """Doubles or triples by chance: of the shorter stories more, so that none drowns another.

    With a request that is applied after the settling time they come by chance.
    """
    chance = Random(f"{kind} {seed}")  # noqa: S311 - no secrets
    pieces: list[Piece] = []
    counts = shared_out(budget, lengths(world, [name for name in names if _has(kind, name)]))
    for name, count in counts.items():
        every_one = [one for one in every(kind, world, name, seed=seed) if not one.late]
        if not count or not every_one:
            continue
        some = chance.sample(every_one, min(len(every_one), ceil(count / BEHIND_A_FIRST)))
        stands_for = len(every_one) / len(some)
        behind = ceil(count / len(some))
        pieces += [replace(one, count=behind, stands_for=stands_for) for one in some]
    chance.shuffle(pieces)
    return pieces


def lengths(world: "World", names: Sequence[str]) -> dict[str, int]:
    """How many effects each story has when nothing goes wrong."""
    return {name: len(told_plainly(world, name).trace) for name in names}


def told_plainly(world: "World", name: str, *, late: bool = False) -> Told:
    """A story in which nothing goes wrong: whatever asks for it, each process tells it once."""
    spec = Spec(name, late=late)
    known = world.told_plainly.get(spec)
    if known is None:
        known = world.told_plainly[spec] = tell(world, spec)
    return known


def _some(planned: Sequence[Planned], count: int, chance: Random) -> Sequence[Planned]:
    """So many of them by chance, or all: where there are no more, or `count` is 0."""
    if not 0 < count < len(planned):
        return planned
    return chance.sample(planned, count)


def _has(kind: str, name: str) -> bool:
    """Whether all doubles, triples or pairs of a story can be told."""
    story = STORIES[name]
    if kind == "doubles":
        return not story.is_day
    return story.window is not None and story.is_pair == (kind == "pairs")


def _firsts(kind: str, world: "World", name: str, *, late: bool = False) -> list[Planned]:
    if not _has(kind, name):
        return []
    told = told_plainly(world, name, late=late)
    window = STORIES[name].window
    if kind == "doubles" or window is None:
        return list(accidents_after(told.trace, told.prepared))
    firsts = within(told.trace, window)
    return beside((), firsts) if kind == "pairs" else firsts


def pairs(world: "World", seed: int, names: Sequence[str], budget: int) -> list[Piece]:
    """Two operations on one card."""
    meeting = [name for name in names if STORIES[name].is_pair]
    return _by_count("pairs", shared_out(budget, lengths(world, meeting)), seed)


def by_chance(world: "World", seed: int, names: Sequence[str], budget: int) -> list[Piece]:
    """Anything short; some of it in the regime in which requests may be applied too late."""
    short = [name for name in names if not STORIES[name].is_day]
    moving = [name for name in short if moves_money(world, name)]
    count = round(budget * SHARE_OF_LATE) if moving else 0
    shares = shared_out(count, lengths(world, moving), at_least=BY_CHANCE_AT_LEAST)
    late = _by_count("by chance", shares, seed + 1, late=True)
    shares = shared_out(budget - count, lengths(world, short), at_least=BY_CHANCE_AT_LEAST)
    return late + _by_count("by chance", shares, seed)


def moves_money(world: "World", name: str) -> bool:
    """Whether we make or change a card in a story, so that it can be applied too late.

    Where two operations meet it hangs on the moment which of them is left something to do.
    """
    trace = told_plainly(world, name, late=True).trace
    is_moved = any(
        not BEYOND_SETTLING.isdisjoint(kinds) and effect.name in MOVING
        for effect, _, kinds, _ in trace
    )
    return is_moved or STORIES[name].is_pair


def days(seed: int, names: Sequence[str], count: int) -> list[Piece]:
    """Long days, of each kind as many."""
    long = [name for name in names if STORIES[name].is_day]
    shares = {name: len(range(place, count, len(long))) for place, name in enumerate(long)}
    return _by_count("days", shares, seed)


def _by_count(
    kind: str, shares: Mapping[str, int], seed: int, *, late: bool = False
) -> list[Piece]:
    """Pieces of some histories each, in which all stories come in turn."""
    pieces: list[Piece] = []
    left = dict(shares)
    while any(left.values()):
        for name in [name for name, count in left.items() if count]:
            some = min(left[name], AT_ONCE[kind])
            number = seed * 1_000_003 + len(pieces)
            pieces.append(Piece(kind, name, number, count=some, late=late))
            left[name] -= some
    return pieces


@dataclass(frozen=True, slots=True)
class Strikes:
    """Histories that strike what was never struck: a piece of work, too."""

    specs: tuple[Spec, ...]
    kind: str = "by chance"

    def tell(self, world: "World") -> Tally:
        """Tell them."""
        tally, began = Tally(), process_time()
        for spec in self.specs:
            tally.note(self.kind, tell(world, spec))
        tally.processor_seconds[self.kind] = process_time() - began
        return tally


def strike(tally: Tally, work: Callable[[Sequence[Strikes]], None]) -> None:
    """Have struck what was never struck: each such effect, once, where it was first seen.

    So it is with a kind of accident that never happened, where some effect has room for it: in each
    round at another one, since there may be nothing yet that it could change. What is struck shows
    new effects at times, so this goes on for some rounds. `work` tells what it is given, and adds
    it to the tally.
    """
    tried: set[tuple[str, Planned]] = set()
    for _ in range(ROUNDS_OF_STRIKING):
        missing: list[tuple[str, Planned]] = []
        for kind in tally.never_met:
            missing += [one for one in tally.chances_of(kind) if one not in tried][:1]
        tried.update(missing)
        for label in tally.unstruck:
            text, nth, kinds = tally.example[label]
            kind = Kind.PREEMPTED if Kind.PREEMPTED in kinds else kinds[0]
            missing.append((text, Planned(label, nth, kind)))
        if not missing:
            return
        specs = [
            replace(spec, planned=(*spec.planned, planned), most=0)
            for spec, planned in ((Spec.read(text), planned) for text, planned in missing)
        ]
        work([Strikes(tuple(some)) for some in batched(specs, STRIKES_AT_ONCE, strict=False)])
