"""A worker dies at any effect of taking or changing an order: all ends as if it had not."""

import pytest

from tests.flows.purchase_stories import STORIES, PurchaseStory, begun, check_promises
from tests.flows.sale_stories import picture
from tests.flows.stories import moments_that_differ
from tests.flows.test_sale_crash import compare
from tests.world import World

pytestmark = pytest.mark.slow


def tell_to_the_end(world: World, story: PurchaseStory) -> None:
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
