"""At no moment of a sale, a delivery or a check does a code stand in a queue, an item or a log."""

import pytest

from tests.flows.sale_stories import STORIES, bare, begun, check_no_code, codes_of
from tests.world import World


@pytest.mark.parametrize("name", STORIES)
def test_no_code_is_anywhere_at_any_moment(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    seen: set[str] = set()
    with begun(STORIES[name]) as (world, _):

        def look(_: str) -> None:
            seen.update(world.queued_bodies())
            seen.update(str(item) for item in world.items())

        world.effects.watch = look
        STORIES[name].tell(world)
        world.come_to_rest()
        look("the end")
        check_no_code(world)
        codes = codes_of(world)
    logged = capsys.readouterr().out
    assert len(seen) > 5
    for text in map(bare, [*seen, logged]):
        assert not [code for code in codes if code in text]


def test_the_search_for_codes_would_find_one(world: World) -> None:
    world.sell(Employee="wxyz 2345-ABCD 6789")  # what a form holds is the form's own
    with pytest.raises(AssertionError):
        check_no_code(world)
