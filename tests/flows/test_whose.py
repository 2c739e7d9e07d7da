"""Whose movement it is: an operation may have moved its own card, and no other."""

import pytest

from giftcards.domain.money import Money
from giftcards.flows.whose import Named, whose
from giftcards.store.journal import State
from giftcards.store.ledger import Ledger
from sandbox.faults import Fault
from tests.flows.adjust_stories import operation_of, return_before_its_card_is_made
from tests.flows.adjust_stories import return_partly_spent as begin_return
from tests.web_spending import CODE, load, look, operations, rest
from tests.world import World

OTHER_CARD = "gid://shopify/GiftCard/7"


def named(world: World, key: str, ledger: Ledger) -> Named:
    return whose([operation_of(world, key)], ledger=ledger, journal=world.journal)


@pytest.mark.parametrize("is_over", [False, True])
def test_a_return_is_of_the_card_that_was_made_for_its_unit(world: World, *, is_over: bool) -> None:
    """Before it is over, only the operation that made the card knows which it is."""
    told = begin_return(world)
    if is_over:
        world.come_to_rest()
    assert told.card_id is not None
    assert (operation_of(world, told.key).result is not None) is is_over
    here = named(world, told.key, Ledger(told.card_id))
    assert (list(here.own), here.foreign) == ([told.key], frozenset())
    there = named(world, told.key, Ledger(OTHER_CARD))
    assert (list(there.own), there.foreign) == ([], frozenset({told.key}))


def test_a_return_whose_card_is_not_made_yet_moved_none(world: World) -> None:
    told = return_before_its_card_is_made(world)
    there = named(world, told.key, Ledger(OTHER_CARD))
    assert (list(there.own), there.foreign) == ([], frozenset({told.key}))


def test_the_rest_of_a_returned_card_is_never_taken_for_a_change_at_shopify(world: World) -> None:
    """Its reply is lost, and nobody asks what became of it for longer than our patience."""
    told = begin_return(world)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    look(world, 25)
    assert operation_of(world, told.key).state is State.SENT
    assert world.shop.cards[0].balance == 0
    assert not operations(world, "adjusted")
    rest(world)
    assert operation_of(world, told.key).state is State.SETTLED
    (checkout,) = operations(world, "adjusted")
    assert checkout["result"]["moved"]["minor"] == -1000


def test_a_request_that_reached_no_card_moved_none(world: World) -> None:
    card = load(world)
    key = f"redemption#{world.ask(Gift_Card_Code=CODE, Amount=-1)}"
    world.serve()
    there = named(world, key, Ledger(card.id))
    assert (list(there.own), there.foreign) == ([], frozenset({key}))


@pytest.mark.parametrize("prefix", ["", "late#"])
def test_what_was_entered_on_a_card_is_of_that_card(world: World, prefix: str) -> None:
    """An earlier version entered what moved with another card's reference under its name."""
    load(world)
    key = f"redemption#{world.ask(Gift_Card_Code=CODE)}"
    world.serve()
    ledger = Ledger(OTHER_CARD, lines={f"{prefix}{key}": Money(-500, "USD")})
    assert list(named(world, key, ledger).own) == [key]


def test_what_moves_nothing_by_its_key_may_be_noted_by_people(world: World) -> None:
    card = load(world)
    look(world)
    (mirrored,) = operations(world, "mirrored")
    key = str(mirrored["key"]).removeprefix("op#")
    here = named(world, key, Ledger(card.id))
    assert (list(here.own), here.foreign) == ([], frozenset())
    there = named(world, key, Ledger(OTHER_CARD))
    assert (list(there.own), there.foreign) == ([], frozenset({key}))
