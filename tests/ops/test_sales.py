"""What the engineer reads of sales and customers' mail, and what he can decide of them."""

import argparse
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from giftcards.store.journal import Operation, State
from ops.command_line import park_decide, park_list, resume, show_status
from sandbox.faults import Fault
from tests.world import World, running_world

NO_OPTIONS = argparse.Namespace()
DELIVERED = "Gift Card Delivered"

type Read = Callable[[], str]


@pytest.fixture
def world() -> Iterator[World]:
    """A world that runs."""
    with running_world() as world:
        yield world


@pytest.fixture
def read(capsys: pytest.CaptureFixture[str]) -> Read:
    """What was printed since the last look."""
    return lambda: "".join(capsys.readouterr())


def decide(world: World, key: str, decision: str) -> int:
    return park_decide(world.app, argparse.Namespace(key=key, decision=decision))


def operation(world: World, key: str) -> Operation:
    found = world.journal.load(key)
    assert found is not None
    return found


def delivered(world: World) -> list[str]:
    return [event.profile for event in world.klaviyo.events if event.metric == DELIVERED]


def live_on(world: World, *, hours: int) -> None:
    for _ in range(hours):
        world.advance(3600)
        world.tick()
        world.sweep()
        world.drain()


def test_resume_counts_requests_and_checks_as_well(read: Read) -> None:
    with running_world(resumed=False) as world:
        world.sell()
        world.sell()
        world.check_balance("zzzz9999zzzz9999")
        assert resume(world.app, argparse.Namespace(yes=True)) == 0
        said = read()
        assert "Would process 0 waiting redemption rows\n" in said
        assert "Would process 2 waiting creation requests\n" in said
        assert "Would process 1 waiting balance checks\n" in said
        world.serve()
        assert len(delivered(world)) == 2


def test_status_shows_how_far_a_sale_is(world: World, read: Read) -> None:
    row_id = world.sell(Quantity=12)
    world.tick()
    minute = timedelta(seconds=60)
    world.work(
        lambda app: app.issue_cards().take_turn(f"sale#{row_id}", deadline=app.clock() + minute)
    )
    read()
    show_status(world.app)
    said = read()
    assert "Sales in progress: 1\n" in said
    assert f"sale#{row_id}  10 of 12 cards made, since 2026-11-23T15:00" in said
    world.come_to_rest()
    read()
    show_status(world.app)
    said = read()
    assert "Sales in progress: 0\n" in said
    assert "Customers' mail not sent yet: 0\n" in said


def test_status_shows_the_mail_that_waits_for_its_day_and_the_one_that_is_refused(
    world: World, read: Read
) -> None:
    later = world.sell(Send_On="2026-12-24")
    world.serve()
    world.klaviyo.faults.add(Fault.FAIL_BEFORE, times=None)
    refused = world.sell()
    world.serve()
    read()
    show_status(world.app)
    said = read()
    assert "Customers' mail not sent yet: 2\n" in said
    assert f"delivery#{later}  is to be sent at 2026-12-24T13:00:00+00:00" in said
    assert f"delivery#{refused}  was tried 1 times, and is tried again" in said
    live_on(world, hours=40)
    read()
    show_status(world.app)
    assert f"delivery#{refused}  was given up" in read()


def test_a_mail_that_was_given_up_is_sent_once_it_is_decided(world: World, read: Read) -> None:
    world.klaviyo.faults.add(Fault.FAIL_BEFORE, times=None)
    row_id = world.sell()
    live_on(world, hours=40)
    key = f"delivery#{row_id}"
    read()
    park_list(world.app, NO_OPTIONS)
    assert f"{key}  was CLAIMED: could not be sent to rosa@example.com" in read()
    world.klaviyo.faults.clear()
    for decision in ("charged", "not-charged"):
        assert decide(world, key, decision) == 1
        assert "charges no card" in read()
        assert operation(world, key).state is State.PARKED
    assert decide(world, key, "retry") == 0
    world.come_to_rest()
    assert delivered(world) == ["rosa@example.com"]
    assert operation(world, key).state is State.SETTLED


def test_a_card_that_shopify_refused_is_made_once_it_is_decided(world: World, read: Read) -> None:
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardCreate")
    world.shop.set_search_lag(3 * 3600)
    row_id = world.sell()
    live_on(world, hours=2)
    key = f"issue#{row_id}#1"
    read()
    park_list(world.app, NO_OPTIONS)
    assert f"{key}  was CLAIMED: Shopify says that the card's code is taken" in read()
    assert decide(world, key, "charged") == 1
    assert "charges no card" in read()
    world.shop.set_search_lag(0)
    assert decide(world, key, "retry") == 0
    world.come_to_rest()
    assert delivered(world) == ["rosa@example.com"]
    assert len([card for card in world.shop.cards if card.note == key]) == 1
    assert world.request(row_id)["Outcome"] == "ISSUED"
