"""Every accident of Shopify's at every call of Shopify, alone and with a worker dying of it."""

import pytest

from giftcards.domain.outcomes import Outcome
from sandbox.faults import Fault
from tests.flows.stories import (
    STORIES,
    Story,
    Told,
    begun,
    check,
    come_to_rest,
    operation_of,
    some_minutes,
)
from tests.world import When, World

pytestmark = pytest.mark.slow

# Applied 90 s late is within the settling time; an index 30 s old does not know the card yet.
SECONDS = {Fault.APPLY_LATE: 90.0, Fault.STALE_SEARCH: 30.0}

# Between them these stories make every call of Shopify that a redemption can make.
TOLD = ("redeemed", "a lost reply, then found", "nobody's code")
# The writer asks for the shop's facts where it has to learn how many points Shopify has left.
ALL_CALLS = {
    "FindCard",
    "ReadCard",
    "DebitCard",
    "ReadCards",
    "CardMovements",
    "NewestCards",
    "ShopFacts",
    # The web shop's prong looks on beside the stories.
    "FindOrders",
    "ChangedCards",
}


def tell(world: World) -> None:
    some_minutes(world)
    come_to_rest(world)


def calls_of_shopify(world: World, story: str) -> list[tuple[int, str]]:
    """Where the telling that just ended called Shopify, and what for."""
    calls = [
        (place, name.split()[-1])
        for place, name in enumerate(world.effects.seen)
        if name.startswith(("POST query", "POST mutation"))
    ]
    # The debit of the lost reply has its accident already.
    return [one for one in calls if story == "redeemed" or one[1] != "DebitCard"]


def can_suffer(operation: str, accident: Fault) -> bool:
    """Only a change can be applied late, and only the search for a code can be stale."""
    if accident is Fault.APPLY_LATE:
        return operation == "DebitCard"
    return accident is not Fault.STALE_SEARCH or operation == "FindCard"


def order_at(world: World, place: int, operation: str, accident: Fault, *, times: int) -> None:
    """Have the accident happen to the call that is the effect at this place."""

    def order(_: str) -> None:
        if len(world.effects.seen) == place + 1:
            seconds = SECONDS.get(accident, 0.0)
            world.shop.faults.add(accident, operation=operation, times=times, seconds=seconds)

    world.effects.watch = order


def test_the_stories_make_every_call() -> None:
    made: set[str] = set()
    for name in TOLD:
        with begun(STORIES[name]) as (world, _, _):
            tell(world)
            made |= {operation for _, operation in calls_of_shopify(world, name)}
    assert made == ALL_CALLS


@pytest.mark.parametrize("accident", Fault)
@pytest.mark.parametrize("name", TOLD)
@pytest.mark.parametrize("times", [1, 3])
def test_shopify_has_an_accident_at_any_call(name: str, accident: Fault, times: int) -> None:
    story = STORIES[name]
    with begun(story) as (world, told, start):
        tell(world)
        for place, operation in calls_of_shopify(world, name):
            if not can_suffer(operation, accident):
                continue
            world.go_back(start)
            order_at(world, place, operation, accident, times=times)
            tell(world)
            waiting = [order.times for order in world.shop.faults.waiting()]
            assert waiting != [times], f"{accident} never happened to {operation}"
            expect(world, story, told, expected(story, operation, accident), f"{place} {operation}")


def expected(story: Story, operation: str, accident: Fault) -> Outcome:
    """What the store reads. Only of a debit that failed without a word does nobody know anything.

    What Shopify said it did not run is sent again; what it may have run is found.
    """
    if operation == "DebitCard" and accident is Fault.FAIL_BEFORE:
        return Outcome.NOT_CHARGED
    return story.outcome


def expect(world: World, story: Story, told: Told, outcome: Outcome, where: str) -> None:
    try:
        assert check(world, story, told) is outcome
    except AssertionError as error:
        raise AssertionError(f"at {where}: {error}") from error


@pytest.mark.parametrize("accident", Fault)
@pytest.mark.parametrize("name", TOLD)
@pytest.mark.parametrize("when", ["before", "after"])
def test_and_the_worker_dies_of_it(name: str, accident: Fault, when: When) -> None:
    """Dead before the call, the accident happens to whoever makes it next."""
    story = STORIES[name]
    with begun(story) as (world, told, start):
        tell(world)
        for place, operation in calls_of_shopify(world, name):
            if not can_suffer(operation, accident):
                continue
            world.go_back(start)
            order_at(world, place, operation, accident, times=1)
            world.effects.kill_at = {place: when}
            tell(world)
            assert world.effects.deaths == 1
            where = f"{place} {operation}"
            expect(world, story, told, expected_of_the_dead(world, story, told, where), where)


def expected_of_the_dead(world: World, story: Story, told: Told, where: str) -> Outcome:
    """A debit is found or it is not; the rest of a dead worker's work others finish."""
    card = world.shop.card(told.card_id)
    debited = any(transaction.note == told.key for transaction in card.transactions)
    if story.outcome is not Outcome.REDEEMED or debited:
        return story.outcome
    assert operation_of(world, told).sent_at is not None, where
    assert "DebitCard" in where, "not charged, although nobody died over the debit"
    return Outcome.NOT_CHARGED
