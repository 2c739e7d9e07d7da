"""A worker dies at any effect of taking or changing an order: all ends as if it had not."""

import pytest

from tests.flows.purchase_stories import STORIES, PurchaseStory, begun, check_promises
from tests.flows.sale_stories import picture
from tests.flows.stories import Moment, moments_that_differ
from tests.flows.test_sale_crash import compare
from tests.world import World

pytestmark = pytest.mark.slow

# What the calls are called that change nothing.
READS = ("dynamodb GetItem", "dynamodb BatchGetItem", "dynamodb Query", "GET ", "POST query ")


def tell_to_the_end(world: World, story: PurchaseStory) -> None:
    story.tell(world)
    world.come_to_rest()


def without_reads(world: World, moments: list[Moment]) -> list[Moment]:
    """Dying before a read is dying before what the same worker does next: nobody notices a read."""
    seen, workers = world.effects.seen, world.effects.worker_of
    return [
        (place, when)
        for place, when in moments
        if when == "after"
        or not seen[place].startswith(READS)
        or place + 1 == len(seen)
        or workers[place + 1] != workers[place]
    ]


@pytest.mark.parametrize("name", STORIES)
def test_a_worker_dies_at_any_effect(name: str) -> None:
    story = STORIES[name]
    with begun(story) as (world, start):
        tell_to_the_end(world, story)
        check_promises(world, story)
        undisturbed = picture(world)
        effects = list(world.effects.seen)
        moments = without_reads(world, moments_that_differ(world))
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
