"""One history: a story with accidents in it, told to its rest, and every promise looked at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from simulator.books import compare_the_books
from simulator.faults import BEYOND_SETTLING, BY_OTHERS, Kind, Planned
from simulator.gate import ByChance, Given, Plan, PlannedOnes, Step
from simulator.stories import PROMISES, SETTLERS, STORIES

if TYPE_CHECKING:
    from simulator.world import World

# At rest people decide what waits for them; what follows may need them again, but not for ever.
ROUNDS_OF_PEOPLE = 4


@dataclass(frozen=True, slots=True)
class Spec:
    """Which history: all that it needs to be told again, the same in every step.

    `seed` chooses latencies and what the story leaves to chance; 0 stands for the plain one, in
    which every call takes what it mostly takes. `planned` are the accidents; where `most` is not 0,
    so many more come by chance. In a `late` one, a request may be applied after the settling time.
    """

    story: str
    seed: int = 0
    planned: tuple[Planned, ...] = ()
    most: int = 0
    late: bool = False

    def __str__(self) -> str:
        parts = [self.story, str(self.seed), "late" if self.late else "in-time", str(self.most)]
        return ";".join([*parts, *map(str, self.planned)])

    @classmethod
    def read(cls, text: str) -> "Spec":
        """The history that `str` wrote down."""
        story, seed, regime, most, *planned = text.split(";")
        return cls(
            story=story,
            seed=int(seed),
            planned=tuple(map(Planned.read, planned)),
            most=int(most),
            late=regime == "late",
        )


@dataclass(frozen=True, slots=True)
class Told:
    """What became of it.

    `trace` holds every step until the accidents stopped; the first `prepared` of them came before
    what the story is about began.
    """

    spec: Spec
    violations: tuple[tuple[str, str], ...]
    met: tuple[Planned, ...]
    trace: Sequence[Step]
    prepared: int
    met_at: tuple[int, ...]
    seconds: float
    is_compared: bool

    @property
    def broken(self) -> frozenset[str]:
        """The names of the promises that were broken."""
        return frozenset(name for name, _ in self.violations)


def tell(world: "World", spec: Spec) -> Told:
    """Tell a history."""
    story = STORIES[spec.story]
    jitter = Random(f"latency {spec.seed}") if spec.seed else None  # noqa: S311 - no secrets
    plan: Plan = PlannedOnes(spec.planned)
    if spec.most:
        share = 0.01 if story.is_day else 0.04
        chance = Random(f"accidents {spec.seed}")  # noqa: S311 - no secrets
        plan = ByChance(chance, share=share, most=spec.most)
    if story.given:
        plan = Given(PlannedOnes(story.given), plan)
    world.begin(plan, allowed=allowed(spec), jitter=jitter)
    world.story, world.may_be_late = story, spec.late
    try:
        story.begin(world, Random(f"story {spec.seed}"))  # noqa: S311 - no secrets
        if story.own_from:
            world.timeline.at(story.own_from, world.gate.note_beginning)
        world.is_restless = not world.live(at_most=story.longest)
        if story.is_approved and not world.is_restless and world.let_people_decide(SETTLERS):
            world.is_restless = not world.go_on(at_most=story.longest)
        world.gate.plan = PlannedOnes(())
        faulted = len(world.gate.trace)
        _let_people_decide(world, story.longest)
        if not world.is_restless and is_to_be_compared(world):
            _compare(world, story.longest)
        world.settle_clock()
        world.look()
        violations = [(name, text) for name, promise in PROMISES for text in promise(world)]
    finally:
        world.end()
    return Told(
        spec=replace(spec, planned=_beside(story.given, world.gate.met), most=0),
        violations=tuple(violations),
        met=tuple(world.gate.met),
        trace=world.gate.trace[:faulted],
        prepared=world.gate.prepared,
        met_at=tuple(world.gate.met_at),
        seconds=world.timeline.seconds(),
        is_compared=world.is_compared,
    )


def _beside(given: Sequence[Planned], met: Sequence[Planned]) -> tuple[Planned, ...]:
    """What has to be planned to tell it again; what belongs to the story comes by itself."""
    return tuple(one for one in met if one not in given)


def _let_people_decide(world: "World", at_most: int) -> None:
    """Until nothing waits for a person any more."""
    for _ in range(ROUNDS_OF_PEOPLE):
        if world.is_restless or not world.let_people_decide(SETTLERS):
            return
        world.is_restless = not world.go_on(at_most=at_most)


def is_to_be_compared(world: "World") -> bool:
    """Whether something happened that may be found only when the books are compared."""
    return world.may_be_doubled or any(one.kind in BEYOND_SETTLING for one in world.gate.met)


def _compare(world: "World", at_most: int) -> None:
    """One comparison; what it leaves to people they decide."""
    world.is_restless = not compare_the_books(world, at_most=at_most)
    world.is_compared = True
    _let_people_decide(world, at_most)


_ALLOWED: dict[tuple[str, bool], frozenset[Kind]] = {}


def allowed(spec: Spec) -> frozenset[Kind]:
    """The accidents that can happen in a history of this story and regime."""
    key = (spec.story, spec.late)
    known = _ALLOWED.get(key)
    if known is None:
        peoples = BY_OTHERS - {Kind.OVERLAPPED}
        known = frozenset(Kind) - (peoples - STORIES[spec.story].accidents.keys())
        if not spec.late:
            known -= BEYOND_SETTLING
        _ALLOWED[key] = known
    return known
