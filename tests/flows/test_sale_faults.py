"""Every accident of Shopify's, Klaviyo's and Airtable's at every call of a sale, and with a death.

However a vendor fails, the story comes to the picture that it comes to undisturbed: no call here is
one that must not be made again. (Airtable has each accident once: what its writer does
of three in a row, and of a death of them, its own tests show.)
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from giftcards.errors import NeedsAPerson
from sandbox.airtable import Base
from sandbox.faults import TIMED_FAULTS, Fault, FaultOrderError, Faults
from sandbox.klaviyo import Klaviyo
from sandbox.shopify import Shop
from tests.flows.sale_stories import (
    STORIES,
    Picture,
    SaleStory,
    a_minute,
    begun,
    check_no_code,
    check_promises,
    picture,
)
from tests.world import KeptMoment, When, World

pytestmark = pytest.mark.slow

# Three accidents in a row fail three runs at most. A row that nobody could take yet shows nowhere
# but in Airtable, so the shop seems to be at rest meanwhile.
RUNS_THAT_FAIL = 4

# Applied that late, or so old an index.
SECONDS = 90.0

# Between them these stories make every call of a vendor that sales and balance checks make.
LAGS = "a lost reply, and a search that lags"
TOLD = ("a gift", LAGS, "a balance")
SHOPIFY_CALLS = {"CardLimits", "CreateCard", "FindCreated", "ReadCards", "FindCard", "ReadCard"}

# Only a change can be applied late, only a search be stale. (Whoever asks for the balance of a card
# that the search does not know yet hears that there is none: that is no accident.)
CHANGES = {"CreateCard"}
SEARCHES = {"FindCreated"}


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a vendor: its place among the effects, and the vendor's own word for it."""

    place: int
    vendor: str
    operation: str | None


def calls_of(world: World) -> Iterator[Call]:
    """The calls of vendors in the telling that just ended."""
    for place, name in enumerate(world.effects.seen):
        if name.startswith(("POST query", "POST mutation")):
            yield Call(place, "Shopify", name.split()[-1])
        elif name == "POST /api/events":
            yield Call(place, "Klaviyo", "event")
        elif "/v0/" in name:
            yield Call(place, "Airtable", None)


def faults_of(world: World, vendor: str) -> Faults:
    owner: Shop | Klaviyo | Base = {
        "Shopify": world.shop,
        "Klaviyo": world.klaviyo,
        "Airtable": world.base,
    }[vendor]  # type: ignore[assignment]
    return owner.faults


def can_suffer(call: Call, accident: Fault) -> bool:
    """Which accidents mean anything at this call."""
    if accident is Fault.STALE_SEARCH:
        return call.vendor == "Shopify" and call.operation in SEARCHES
    if accident is Fault.APPLY_LATE:
        return call.vendor == "Shopify" and call.operation in CHANGES
    return True


def order_at(world: World, call: Call, accident: Fault, *, times: int) -> None:
    """Have the accident happen to the call that is the effect at this place."""

    def order(_: str) -> None:
        if len(world.effects.seen) == call.place + 1:
            faults_of(world, call.vendor).add(
                accident,
                operation=call.operation,
                times=times,
                seconds=SECONDS if accident in TIMED_FAULTS else 0.0,
            )

    world.effects.watch = order


def tell(world: World, story: SaleStory) -> None:
    """The story, and all that time brings; runs may fail meanwhile for want of a person."""
    with suppress(NeedsAPerson):
        story.tell(world)
    rest(world)


def rest(world: World) -> None:
    """All that time brings."""
    for _ in range(RUNS_THAT_FAIL):
        a_minute(world)
    for _ in range(RUNS_THAT_FAIL):
        with suppress(NeedsAPerson):
            world.come_to_rest()
            return
    raise AssertionError("the runs never stopped failing")


def undisturbed(world: World, story: SaleStory) -> tuple[Picture, list[Call]]:
    """What the story comes to, and the calls that its own steps make."""
    story.tell(world)
    calls = [call for call in calls_of(world) if is_followed(story, call)]
    rest(world)
    check_promises(world, story)
    return picture(world), calls


def is_followed(story: SaleStory, call: Call) -> bool:
    """The story of the lost reply is told for the calls that only it makes."""
    return story is not STORIES[LAGS] or call.operation in {"CreateCard", "FindCreated"}


def test_the_stories_make_every_call() -> None:
    made: set[str] = set()
    for name in TOLD:
        with begun(STORIES[name]) as (world, _):
            tell(world, STORIES[name])
            made |= {str(call.operation) for call in calls_of(world)}
    assert made >= SHOPIFY_CALLS | {"event"}


@pytest.mark.parametrize("accident", Fault)
@pytest.mark.parametrize("name", TOLD)
@pytest.mark.parametrize("times", [1, 3])
def test_a_vendor_has_an_accident_at_any_call(name: str, accident: Fault, times: int) -> None:
    story = STORIES[name]
    with begun(story) as (world, start):
        wanted, calls = undisturbed(world, story)
        for call in calls:
            if can_suffer(call, accident) and (times == 1 or call.vendor != "Airtable"):
                suffer(world, start, story, call, accident, times=times, kills=None)
                compare(world, wanted, f"{accident} at {call}")


@pytest.mark.parametrize("accident", Fault)
@pytest.mark.parametrize("name", TOLD)
@pytest.mark.parametrize("when", ["before", "after"])
def test_and_the_worker_dies_of_it(name: str, accident: Fault, when: When) -> None:
    story = STORIES[name]
    with begun(story) as (world, start):
        wanted, calls = undisturbed(world, story)
        for call in calls:
            if can_suffer(call, accident) and call.vendor != "Airtable":
                suffer(world, start, story, call, accident, times=1, kills=when)
                compare(world, wanted, f"{accident} at {call}, killed {when}")


def suffer(
    world: World,
    start: KeptMoment,
    story: SaleStory,
    call: Call,
    accident: Fault,
    *,
    times: int,
    kills: When | None,
) -> None:
    world.go_back(start)
    order_at(world, call, accident, times=times)
    if kills is not None:
        world.effects.kill_at = {call.place: kills}
    try:
        tell(world, story)
    except FaultOrderError:
        world.go_back(start)  # this vendor has no such accident
        tell(world, story)


def compare(world: World, wanted: Picture, where: str) -> None:
    seen = picture(world)
    for part in wanted:
        assert seen[part] == wanted[part], f"{where}: {part}"
    check_no_code(world)
