"""Rows that nobody can serve now stand in nobody's way, and whoever waits is told so."""

import pytest
from botocore.exceptions import EndpointConnectionError

from giftcards.domain.outcomes import Outcome
from giftcards.store.journal import State
from sandbox.faults import Fault
from tests.world import World, running_world

CODE = "wxyz2345abcd6789"
OTHER = "mnpq2345mnpq6789"


def subjects(world: World) -> list[str]:
    return [mail.subject.split(":")[0].split(" (")[0] for mail in world.mails()]


def test_an_edited_row_that_still_waits_stops_nobody(world: World) -> None:
    """The store was asked to wait; then somebody mended the name, and Shopify is still away."""
    first = world.ask(Gift_Card_Code=CODE)
    world.advance(1)
    world.ask(Gift_Card_Code=CODE, Amount=11)
    world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
    world.serve()
    world.base.table("Redemptions").update(first, {"Employee": "Bea"})
    world.advance(15)
    world.ask(Gift_Card_Code=CODE, Amount=12)
    world.serve()
    assert subjects(world) == ["Please wait"] * 3


def test_a_very_long_name_does_not_keep_a_store_from_being_told(world: World) -> None:
    """DynamoDB takes no item of more than 400 KB."""
    row_id = world.ask(Gift_Card_Code=CODE, Employee="😀" * 99_999)
    world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
    world.serve()
    assert subjects(world) == ["Please wait"]
    interim = world.app.journal.load(f"interim#{row_id}")
    assert interim is not None
    assert len(interim.snapshot["employee"]) <= 200


def test_held_rows_that_airtable_does_not_show_as_held_stop_nobody() -> None:
    """The writer is behind, or `Status` lacks the word: they keep coming back."""
    with running_world(rows_per_run=5) as world:
        world.shop.issue_card(code=CODE, amount=50)
        for number in range(5):
            world.ask(Gift_Card_Code=CODE, Amount=1 + number)
        world.advance(901)
        world.tick()  # held, but nothing of it is written
        row_id = world.ask(Gift_Card_Code=CODE)
        world.advance(15)
        world.tick()
        operation = world.app.journal.load(f"redemption#{row_id}")
        assert operation is not None
        assert operation.state is State.SETTLED


def test_a_held_row_is_not_looked_for_at_every_tick() -> None:
    """Else its misses would count again and again, and its store would never be free of them."""
    with running_world(most_misses=4) as world:
        for number in range(5):
            world.ask(Gift_Card_Code=f"qqqq2345qqqq{2200 + number}")
        world.advance(61)
        world.tick()
        world.effects.seen.clear()
        world.advance(15)
        world.tick()
        assert not [name for name in world.effects.seen if "FindCard" in name]


def test_hundreds_of_rows_that_nobody_can_serve_hide_no_customer(world: World) -> None:
    """Airtable hands out rows in its own order: three pages without a store, then a customer."""
    for _ in range(301):
        world.ask(Store=None, Gift_Card_Code=CODE)
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.tick()
    operation = world.app.journal.load(f"redemption#{row_id}")
    assert operation is not None
    assert operation.result is not None
    assert operation.result.outcome == Outcome.REDEEMED


def test_a_customer_is_served_before_the_office_is_told_of_rows_without_a_store(
    world: World,
) -> None:
    world.ask(Store=None, Gift_Card_Code=CODE)
    world.advance(1)
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.tick()
    seen = world.effects.seen
    debited = next(place for place, name in enumerate(seen) if "DebitCard" in name)
    messages = [place for place, name in enumerate(seen) if "sqs SendMessage" in name]
    assert len([place for place in messages if place < debited]) == 3  # the ticks


class Slow:
    """Shopify lets every call wait until it times out."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, name: str) -> None:
        if "query" in name:
            self._world.advance(5)


def test_rows_that_a_slow_shopify_leaves_no_time_for_are_told_to_wait_too(world: World) -> None:
    """The oldest take all the time of each run; the others must not hear nothing for an hour."""
    for number in range(10):
        world.ask(Gift_Card_Code=CODE, Amount=1 + number)
    world.shop.faults.add(Fault.FAIL_BEFORE, times=None)
    world.effects.watch = Slow(world)
    world.advance(15)
    world.tick()
    world.advance(10)
    world.tick()
    world.effects.watch = None
    world.drain()
    assert subjects(world) == ["Please wait"] * 10


class Deadly:
    """Kills every worker that searches Shopify for a card."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, name: str) -> None:
        if "FindCard" in name:
            self._world.effects.kill_on = {"FindCard": "before"}


def test_the_store_of_a_row_that_kills_its_worker_is_told_to_wait(world: World) -> None:
    world.ask(Gift_Card_Code=CODE)
    world.effects.watch = Deadly(world)
    world.tick()
    world.advance(45)
    world.tick()
    world.drain()
    assert subjects(world) == ["Please wait"]


def no_queue(name: str) -> None:
    """SQS cannot be reached."""
    if "sqs SendMessage" in name:
        raise EndpointConnectionError(endpoint_url="https://sqs.us-east-1.amazonaws.com")


def test_queues_that_are_away_park_no_row(world: World) -> None:
    """AWS's own trouble kills no worker: like a vendor's, it counts for nothing."""
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.effects.watch = no_queue
    for _ in range(7):
        with pytest.raises(EndpointConnectionError):
            world.delayed_tick(late_by_seconds=0)
        world.advance(31)
    world.effects.watch = None
    assert world.app.attempts.of([row_id])[row_id].unended == 0
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED


def test_queues_that_are_away_keep_no_other_row_from_its_turn(world: World) -> None:
    """The first row can neither be handed over nor told to wait; the deadly one comes after it."""
    world.ask(Gift_Card_Code="WXYZ")
    deadly = world.ask(Gift_Card_Code="WXYZ", Amount=11)
    for _ in range(3):
        world.app.attempts.begin(deadly)
    world.effects.watch = no_queue
    with pytest.raises(EndpointConnectionError):
        world.delayed_tick(late_by_seconds=0)
    operation = world.app.journal.load(f"redemption#{deadly}")
    assert operation is not None
    assert operation.state is State.COMMITTED
    assert world.app.attempts.of([deadly])[deadly].unended == 0
