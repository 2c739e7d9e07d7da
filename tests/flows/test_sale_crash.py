"""A worker dies at any effect of a sale, a delivery or a check: all ends as if it had not.

Nobody lists the effects. A first, undisturbed telling shows them; then the same story is told again
once for each moment at which a death makes a difference, with the worker killed there.
"""

from collections import Counter

import pytest

from tests.flows.sale_stories import (
    STORIES,
    Picture,
    SaleStory,
    begun,
    check_no_code,
    check_promises,
    picture,
    to_of,
)
from tests.flows.stories import Moment, moments_that_differ
from tests.world import KeptMoment, StoppedAtDeath, World

pytestmark = pytest.mark.slow


def tell_to_the_end(world: World, story: SaleStory) -> None:
    story.tell(world)
    world.come_to_rest()


@pytest.mark.parametrize("name", STORIES)
def test_a_worker_dies_at_any_effect(name: str) -> None:
    story = STORIES[name]
    with begun(story) as (world, start):
        tell_to_the_end(world, story)
        check_promises(world, story)
        undisturbed = picture(world)
        effects = list(world.effects.seen)
        moments = moments_that_differ(world)
        assert len(moments) > 10
        for place, when in moments:
            world.go_back(start)
            world.effects.kill_at = {place: when}
            tell_to_the_end(world, story)
            assert world.effects.deaths == 1
            try:
                compare(world, undisturbed)
            except AssertionError as error:
                where = f"killed {when} effect {place}, {effects[place]}"
                raise AssertionError(f"{where}: {error}") from error


def compare(world: World, undisturbed: Picture) -> None:
    """The world reads like the undisturbed one, and nobody was mailed more often than deaths."""
    seen = picture(world)
    for part, wanted in undisturbed.items():
        assert seen[part] == wanted, part
    mails = Counter((to_of(mail), mail.body.split("At ")[0]) for mail in world.mails())
    assert all(count <= 1 + world.effects.deaths for count in mails.values())
    check_no_code(world)


# ------------------------------------------------------------------------------- twice in a row

# So many tests share the first deaths between them, so that several processors can work.
PARTS = 3

# Of all pairs, every so many-th second death, beginning with another one for each first death, so
# that over the first deaths each kind of second one is met. All pairs are for a quiet evening.
STRIDE = 24


@pytest.mark.parametrize("name", ["a gift", "three cards"])
@pytest.mark.parametrize("part", range(PARTS))
def test_a_worker_dies_at_any_moment_and_so_does_the_next(name: str, part: int) -> None:
    story = STORIES[name]
    pairs = 0
    with begun(story) as (world, start):
        tell_to_the_end(world, story)
        undisturbed = picture(world)
        world.go_back(start)
        story.tell(world)
        firsts = moments_that_differ(world)
        for number, first in list(enumerate(firsts))[part::PARTS]:
            left_behind = die(world, start, story, first)
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
                    compare(world, undisturbed)
                except AssertionError as error:
                    raise AssertionError(f"killed at {first}, then at {second}: {error}") from error
    assert pairs > 20


def die(world: World, start: KeptMoment, story: SaleStory, moment: Moment) -> KeptMoment:
    """Tell the story until its worker dies; return what it left behind."""
    world.go_back(start)
    world.stops_at_death = True
    world.effects.kill_at = dict([moment])
    with pytest.raises(StoppedAtDeath):
        story.tell(world)
    return world.keep()


def go_on(world: World) -> None:
    """What comes after a death: the messages that are there, and all that time brings."""
    world.drain()
    world.come_to_rest()
