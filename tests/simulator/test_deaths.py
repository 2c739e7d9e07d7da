"""Two workers die in a row: the first at any moment of a story, whoever goes on at any of his.

A death before an effect is the death after the one before it, so of those that go alike one is told
(`accidents_after`). One death at every moment is told through the real clients, in
`tests/flows/test_crash.py` and its like.
"""

from collections.abc import Sequence

import pytest

from simulator.explore import accidents_after, place_of
from simulator.faults import Kind, Planned
from simulator.gate import Step
from simulator.history import Spec, tell
from simulator.world import World

pytestmark = pytest.mark.slow

DEATHS = frozenset({Kind.CRASH_BEFORE, Kind.CRASH_AFTER})

# So many tests share the first deaths between them, so that several processors can work.
PARTS = 4

# The plainest stories of each kind of operation. Of the longer ones only every fourth or eighth
# second death is told, beginning with another one for each first death, so that over the first
# deaths each kind of second one is met.
STRIDES = {
    "redeem": 1,
    "check": 1,
    "sell": 1,
    "sell-gift": 8,
    "spend": 1,
    "buy-cancelled": 1,
    "buy": 4,
    "undo": 4,
}


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def deaths_after(trace: Sequence[Step], start: int = 0) -> list[Planned]:
    """The deaths that differ, from a step on."""
    return [one for one in accidents_after(trace, start) if one.kind in DEATHS]


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("story", STRIDES)
def test_a_worker_dies_at_any_moment_and_so_does_the_next(
    world: World, story: str, part: int
) -> None:
    stride, told = STRIDES[story], 0
    firsts = deaths_after(tell(world, Spec(story)).trace)
    for number, first in list(enumerate(firsts))[part::PARTS]:
        once = tell(world, Spec(story, 0, (first,))).trace
        seconds = deaths_after(once, place_of(once, first) + 1)
        for second in seconds[number % stride :: stride]:
            twice = tell(world, Spec(story, 0, (first, second)))
            assert twice.met == (first, second)
            assert not twice.violations, str(twice.spec)
            told += 1
    assert told > 100
