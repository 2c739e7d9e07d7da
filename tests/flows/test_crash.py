"""A worker dies before or after any of its effects: one debit, one answer, one receipt, in step.

Nobody lists the effects. A first, undisturbed telling shows them; then the same story is told again
once for each effect and each side of it, with the worker killed there.
"""

import pytest

from giftcards.domain.outcomes import Outcome
from tests.flows.stories import STORIES, begun, check, effects_of, moments_that_differ
from tests.world import KeptMoment, StoppedAtDeath, When, World

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_dies_at_any_effect(story: str, when: When) -> None:
    chosen = STORIES[story]
    with begun(chosen) as (world, told, start):
        effects = effects_of(world, chosen.tell, start)
        assert len(effects) > 10
        for place, name in enumerate(effects):
            world.go_back(start)
            world.effects.kill_at = {place: when}
            chosen.tell(world)
            world.come_to_rest()
            assert world.effects.deaths == 1
            try:
                outcome = check(world, chosen, told)
                if story == "redeemed":
                    assert outcome is outcome_after(effects, place, when)
            except AssertionError as error:
                raise AssertionError(f"killed {when} effect {place}, {name}: {error}") from error


def outcome_after(effects: list[str], place: int, when: When) -> Outcome:
    """What the store reads when the worker died there in the middle of a redemption.

    Dead after the SENT mark and before the debit, nobody can know that it was not sent: it is never
    sent again, and after the settling time the answer is "not charged". Everywhere else the
    customer gets what would have come without the crash.
    """
    marked = next(i for i, name in enumerate(effects) if "TransactWriteItems" in name)
    debited = next(i for i, name in enumerate(effects) if "DebitCard" in name)
    moment = 2 * place + (when == "after")
    return Outcome.NOT_CHARGED if 2 * marked < moment <= 2 * debited else Outcome.REDEEMED


# ------------------------------------------------------------------------------- twice in a row

# So many tests share the first deaths between them, so that several processors can work.
PARTS = 12


@pytest.mark.parametrize("part", range(PARTS))
def test_a_worker_dies_at_any_moment_and_so_does_the_next(part: int) -> None:
    """All pairs: the second worker dies at each of its own effects, wherever the first left off."""
    story = STORIES["redeemed"]
    pairs = 0
    with begun(story) as (world, told, start):
        story.tell(world)
        for first in moments_that_differ(world)[part::PARTS]:
            left_behind = die(world, start, first)
            world.go_back(left_behind)
            go_on(world)
            seconds = moments_that_differ(world)
            for second in seconds:
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
    assert pairs > 50


def die(world: World, start: KeptMoment, moment: tuple[int, When]) -> KeptMoment:
    """Tell the story of a redemption until its worker dies; return what it left behind."""
    world.go_back(start)
    world.stops_at_death = True
    world.effects.kill_at = dict([moment])
    with pytest.raises(StoppedAtDeath):
        STORIES["redeemed"].tell(world)
    return world.keep()


def go_on(world: World) -> None:
    """What comes after a death: the messages that are there, and all that time brings."""
    world.drain()
    world.come_to_rest()
