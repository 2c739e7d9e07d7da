"""A worker dies at any effect of an undo, a credit-back or a return: the money moves once.

Or a person is asked.

As in `test_crash`, nobody lists the effects: an undisturbed telling shows them.
"""

import pytest

from tests.flows.adjust_stories import STORIES, Story, begun, check, tell
from tests.world import KeptMoment, When, World

pytestmark = pytest.mark.slow

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
