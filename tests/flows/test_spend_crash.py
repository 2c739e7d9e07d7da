"""A worker dies at any effect of what follows from a card's use on the web: all ends as if not.

Nobody lists the effects. A first, undisturbed telling shows them; then the same story is told again
once for each moment at which a death makes a difference, with the worker killed there.
"""

import pytest

from tests.flows.spend_stories import EXPLAIN_SECONDS, STORIES, check_promises, picture
from tests.flows.stories import moments_that_differ
from tests.world import running_world

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", STORIES)
def test_a_worker_dies_at_any_effect(name: str) -> None:
    story = STORIES[name]
    with running_world(explain_seconds=EXPLAIN_SECONDS) as world:
        story.begin(world)
        world.effects.forget()
        start = world.keep()
        story.tell(world)
        check_promises(world, story)
        undisturbed = picture(world)
        effects = list(world.effects.seen)
        moments = moments_that_differ(world)
        assert len(moments) > 10
        for place, when in moments:
            world.go_back(start)
            world.effects.kill_at = {place: when}
            story.tell(world)
            assert world.effects.deaths == 1
            try:
                check_promises(world, story)
                seen = picture(world)
                for part, wanted in undisturbed.items():
                    assert seen[part] == wanted, part
            except AssertionError as error:
                where = f"killed {when} effect {place}, {effects[place]}"
                raise AssertionError(f"{where}: {error}") from error
