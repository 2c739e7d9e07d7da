"""An order gets its tag, whoever dies and whatever Shopify does, and holds up no other order."""

from collections.abc import Iterator

import pytest

from giftcards.flows.kinds import TAG, tag_key
from giftcards.flows.park import FAILURES_TO_BE_PARKED
from giftcards.flows.tag import TAGGED
from giftcards.store.journal import Operation, State
from giftcards.wiring import now
from sandbox.faults import TIMED_FAULTS, Fault
from sandbox.shopify.order_desk import CartLine
from sandbox.shopify.payments import Pay
from tests.flows.stories import moments_that_differ
from tests.template_resources import batch_size
from tests.world import World, running_world

TAG_TEXT = "gift-cards-processed"


def claim(world: World, order_id: str) -> str:
    """What the purchases' prong leaves behind once an order's cards are ordered; the key."""
    number = order_id.rpartition("/")[2]
    world.app.journal.claim(
        tag_key(number),
        kind=TAG,
        snapshot={"order_id": order_id, "order": number, "tag": TAG_TEXT},
        now=now(),
        due_at=now(),
    )
    return tag_key(number)


def place(world: World) -> str:
    """An order of which no prong wants anything, so that only its tag is at work."""
    return world.shop.orders.place([CartLine("THROW-SAND")], Pay()).id


def operation_of(world: World, key: str) -> Operation:
    operation = world.journal.load(key)
    assert operation is not None
    return operation


def is_tagged(world: World, order_id: str) -> bool:
    return TAG_TEXT in world.shop.orders.get(order_id).tags


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as world:
        yield world


def test_an_order_is_tagged_and_that_is_all(world: World) -> None:
    order_id = place(world)
    key = claim(world, order_id)
    world.app.queues.tag_order(key)
    world.drain()

    assert is_tagged(world, order_id)
    done = operation_of(world, key)
    assert (done.state, done.result and done.result.outcome) == (State.SETTLED, TAGGED)
    world.come_to_rest()
    assert not world.mails()
    assert not [row for row in world.cells("Receipts") if row["Operation"] == key]


def test_the_sweep_comes_back_to_a_tag_whose_message_was_never_sent(world: World) -> None:
    order_id = place(world)
    claim(world, order_id)
    world.come_to_rest()
    assert is_tagged(world, order_id)


def test_a_message_that_comes_twice_changes_nothing(world: World) -> None:
    order_id = place(world)
    key = claim(world, order_id)
    for _ in range(2):
        world.app.queues.tag_order(key)
        world.drain()
    assert world.shop.orders.get(order_id).tags.count(TAG_TEXT) == 1
    assert sum("TagOrder" in name for name in world.effects.seen) == 1


def test_what_was_committed_by_a_worker_that_died_is_settled(world: World) -> None:
    order_id = place(world)
    key = claim(world, order_id)
    world.app.queues.tag_order(key)
    killed = False

    def die_between(name: str) -> None:
        nonlocal killed
        if not killed and operation_of(world, key).state is State.COMMITTED:
            killed = True
            world.effects.kill_on = {name: "before"}

    world.effects.watch = die_between
    world.drain()
    assert killed
    assert operation_of(world, key).state is State.COMMITTED
    world.effects.watch = None
    world.advance(600)
    world.drain()  # its message is there again, and no sweep was
    assert operation_of(world, key).state is State.SETTLED


def test_nothing_is_tagged_while_the_system_is_paused(world: World) -> None:
    order_id = place(world)
    key = claim(world, order_id)
    world.app.control.throw_switch(run=False, by="tests", now=now())
    world.app.queues.tag_order(key)
    world.drain()
    world.advance(300)
    world.sweep()
    world.drain()
    assert not is_tagged(world, order_id)
    assert operation_of(world, key).state is State.CLAIMED
    world.app.control.throw_switch(run=True, by="tests", now=now())
    world.come_to_rest()
    assert is_tagged(world, order_id)


def test_a_refusal_is_parked_after_a_few_tries_and_no_other_order_waits_for_it(
    world: World,
) -> None:
    refused = claim(world, "gid://shopify/Order/999")
    order_id = place(world)
    other = claim(world, order_id)
    world.app.queues.tag_order(refused)
    world.app.queues.tag_order(other)
    world.drain()
    assert is_tagged(world, order_id), "it stood behind the other one in its queue"

    for _ in range(4 * FAILURES_TO_BE_PARKED):
        assert operation_of(world, refused).state in {State.CLAIMED, State.PARKED}
        world.advance(120)
        world.sweep()
        world.drain()
    parked = operation_of(world, refused)
    assert parked.state is State.PARKED
    assert sum("TagOrder" in name for name in world.effects.seen) == FAILURES_TO_BE_PARKED + 1
    assert parked.parked_because is not None
    assert f"the tag “{TAG_TEXT}”" in parked.parked_because


def test_a_message_about_what_nobody_knows_is_a_bad_message(world: World) -> None:
    world.app.queues.tag_order("tag#1")
    row_id = world.sell()
    world.tick()
    world.app.queues.tag_order(f"sale#{row_id}")
    world.drain()
    assert len(world.queued_in("TagOrderQueue")) == 2


def test_a_worker_whose_time_is_nearly_over_leaves_the_rest_to_the_next_one(world: World) -> None:
    """Each call of Shopify may wait for points: a batch of them must not be cut off in between."""
    order_ids = [place(world) for _ in range(batch_size("TagOrderQueue"))]
    for order_id in order_ids:
        world.app.queues.tag_order(claim(world, order_id))
    asked = []

    def be_slow(name: str) -> None:
        if "TagOrder" in name:
            asked.append(name)
            world.advance(8)

    world.effects.watch = be_slow
    world._consume("TagOrderQueue", world._tag)  # noqa: SLF001 - one batch, no more
    assert len(asked) == 2, "after 16 of 30 seconds a call of 20 could be cut off"
    world.effects.watch = None
    world.come_to_rest()
    assert all(is_tagged(world, order_id) for order_id in order_ids)


def test_a_worker_dies_at_any_effect(world: World) -> None:
    order_id = place(world)
    key = claim(world, order_id)
    world.app.queues.tag_order(key)
    world.effects.forget()
    start = world.keep()

    def tell() -> None:
        world.drain()
        world.come_to_rest()

    tell()
    moments = moments_that_differ(world)
    assert len(moments) > 4
    for moment, when in moments:
        world.go_back(start)
        world.effects.kill_at = {moment: when}
        tell()
        assert world.effects.deaths == 1
        assert world.shop.orders.get(order_id).tags.count(TAG_TEXT) == 1
        assert operation_of(world, key).state is State.SETTLED


@pytest.mark.parametrize("accident", [fault for fault in Fault if fault is not Fault.STALE_SEARCH])
@pytest.mark.parametrize("times", [1, 3])
def test_whatever_shopify_does_the_order_gets_its_tag(
    world: World, accident: Fault, times: int
) -> None:
    order_id = place(world)
    key = claim(world, order_id)
    world.shop.faults.add(
        accident,
        operation="tagsAdd",
        times=times,
        seconds=90.0 if accident in TIMED_FAULTS else 0.0,
    )
    world.app.queues.tag_order(key)
    world.drain()
    world.come_to_rest()
    assert world.shop.orders.get(order_id).tags.count(TAG_TEXT) == 1
    assert operation_of(world, key).state is State.SETTLED
