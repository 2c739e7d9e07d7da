"""A worker dies at any effect of an undo, a credit-back or a return: the money moves once.

Or a person is asked.

As in `test_crash`, nobody lists the effects: an undisturbed telling shows them.
"""

import pytest

from tests.flows.adjust_stories import STORIES, Story, begun, check, rest, tell
from tests.flows.stories import moments_that_differ
from tests.world import KeptMoment, StoppedAtDeath, When, World

pytestmark = pytest.mark.slow

# The pairs of one story are told in as many tests, for as many processors.
PARTS = 2

# Of all pairs, every so many-th second death, beginning with another one for each first death, so
# that over the first deaths each kind of second one is met. All pairs are for a quiet evening.
STRIDE = 3

# The call that nobody can take back, by story.
SENDS = {
    "undone": "CreditCard",
    "undone in two steps": "CreditCard",
    "held, then undone": "CreditCard",
    "debited twice, credited back": "CreditCard",
    "returned partly spent": "DebitCard",
}


def effects_of(world: World, story: Story, start: KeptMoment) -> list[str]:
    world.go_back(start)
    assert tell(world, story) == 0
    return list(world.effects.seen)


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_dies_at_any_effect(name: str, when: When) -> None:
    story = STORIES[name]
    with begun(story) as (world, told, start):
        effects = effects_of(world, story, start)
        check(world, story, told)
        assert len(effects) > 10
        asked = 0
        for place, effect in enumerate(effects):
            world.go_back(start)
            world.effects.kill_at = {place: when}
            decisions = tell(world, story)
            assert world.effects.deaths == 1
            try:
                check(world, story, told)
                assert decisions == needs_a_person(name, effects, place, when)
            except AssertionError as error:
                raise AssertionError(f"killed {when} effect {place}, {effect}: {error}") from error
            asked += decisions
        assert asked == (1 if name in SENDS else 0)


def needs_a_person(name: str, effects: list[str], place: int, when: When) -> bool:
    """Dead between the SENT mark and the call: nobody can know that it was not sent.

    Dying after the mark is dying before the call, so each of the two tests meets it once.
    """
    if name not in SENDS:
        return False
    call = next(i for i, effect in enumerate(effects) if SENDS[name] in effect)
    return 2 * call - 1 == 2 * place + (when == "after") - (when == "before")


@pytest.mark.parametrize("part", range(PARTS))
def test_a_worker_dies_at_any_moment_of_an_undo_and_so_does_the_next(part: int) -> None:
    """Pairs of deaths: the second worker's wherever the first one left off."""
    story, pairs = STORIES["undone"], 0
    with begun(story) as (world, told, start):
        world.go_back(start)  # what happens from here on counts
        tell(world, story)
        firsts = list(enumerate(moments_that_differ(world)))
        for number, first in firsts[part::PARTS]:
            left_behind = die(world, start, first)
            world.go_back(left_behind)
            go_on(world)
            for second in moments_that_differ(world)[number % STRIDE :: STRIDE]:
                world.go_back(left_behind)
                world.effects.deaths = 1  # going back forgets the first one
                world.effects.kill_at = dict([second])
                go_on(world)
                assert world.effects.deaths == 2
                pairs += 1
                try:
                    check(world, story, told)
                except AssertionError as error:
                    raise AssertionError(f"killed at {first}, then at {second}: {error}") from error
    assert pairs > 100


def die(world: World, start: KeptMoment, moment: tuple[int, When]) -> KeptMoment:
    """Tell the story until its worker dies; return what it left behind."""
    world.go_back(start)
    world.stops_at_death = True
    world.effects.kill_at = dict([moment])
    with pytest.raises(StoppedAtDeath):
        tell(world, STORIES["undone"])
    return world.keep()


def go_on(world: World) -> None:
    world.drain()
    rest(world)
