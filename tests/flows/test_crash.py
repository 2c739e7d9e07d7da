"""A worker dies before or after any of its effects: one debit, one answer, one receipt, in step.

Nobody lists the effects. A first, undisturbed telling shows them; then the same story is told again
once for each effect and each side of it, with the worker killed there. Two deaths in a row are told
by the simulator (`tests/simulator/test_deaths.py`).
"""

import pytest

from giftcards.domain.outcomes import Outcome
from tests.flows.stories import STORIES, begun, check, effects_of
from tests.world import When

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
