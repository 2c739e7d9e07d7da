"""Stories of redemptions: what is said to meet on a card does meet, and what is done is done."""

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.flows.redeem import KIND
from simulator.faults import Kind, Planned
from simulator.history import Spec, tell
from simulator.world import World

CLAIM = "prong: journal.claim"
COMMIT = "prong: journal.commit"


@pytest.fixture(scope="module")
def world() -> World:
    """What all of these tests tell their histories in, one after another."""
    return World()


@pytest.mark.parametrize(
    "planned", [(), (Planned("prong: shopify debit_card", 0, Kind.PREEMPTED),)], ids=str
)
def test_two_stores_charge_one_card_side_by_side(
    world: World, planned: tuple[Planned, ...]
) -> None:
    told = tell(world, Spec("redeem-two-stores", planned=planned))
    assert told.violations == ()
    steps = {(effect.label, nth): place for place, (effect, nth, _, _) in enumerate(told.trace)}
    assert steps[CLAIM, 1] < steps[COMMIT, 0]
    invocations = [step[3] for step in told.trace]
    assert invocations[steps[CLAIM, 0]] == invocations[steps[CLAIM, 1]]
    outcomes = [one.result.outcome for one in world.operations.values() if one.result is not None]
    assert sorted(outcomes) == [Outcome.INSUFFICIENT_BALANCE, Outcome.REDEEMED]


def test_another_store_charges_the_card_that_the_story_is_about(world: World) -> None:
    planned = (Planned(CLAIM, 0, Kind.OTHER_STORE),)
    told = tell(world, Spec("redeem-two-stores", planned=planned))
    assert told.violations == ()
    redemptions = [one for one in world.operations.values() if one.kind == KIND]
    assert {one.snapshot["card_id"] for one in redemptions} == {world.shop.cards[0].id}
    assert len(redemptions) == 3
