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
from tests.flows.stories import moments_that_differ
from tests.world import World

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
