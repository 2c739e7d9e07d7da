"""Many orders at once: each is processed once, no run takes too long, and no store waits for it."""

from collections import Counter
from collections.abc import Collection
from datetime import timedelta

import pytest

from giftcards.flows.tick import TickEnd
from giftcards.wiring import now
from sandbox.shopify import CartLine, OrderPlan, Pay
from tests.busy_shop import BusyShop
from tests.flows.test_purchases import TAG, minutes, operations
from tests.template_resources import function_seconds
from tests.world import World, running_world

STALE_ORDERS = 200
WAITING_ORDERS = 1_000

REDEMPTIONS = 120

# How much longer a customer may wait in a store while orders are drained.
AT_MOST_TIMES = 1.2


def place(world: World, count: int, *, minutes_ago: float) -> None:
    """So many customers have bought a card each, within some minutes."""
    begin = now() - timedelta(minutes=minutes_ago)
    for number in range(count):
        world.shop.orders.place(
            [CartLine("GIFT-CARD-25")],
            Pay(),
            plan=OrderPlan(email=f"customer{number}@customers.example.com"),
            at=begin + timedelta(minutes=minutes_ago) * number / count,
        )


def see_that_each_was_served_once(world: World, count: int, others: Collection[str] = ()) -> None:
    """ONE_CARD: a card for each order, sent once, and the order tagged; `others` are not theirs."""
    notes = Counter(card.note for card in world.shop.cards if card.code not in others)
    assert len(notes) == count
    assert set(notes.values()) == {1}
    sent = Counter(e.profile for e in world.klaviyo.events if e.metric == "Gift Card Delivered")
    assert len(sent) == count
    assert set(sent.values()) == {1}
    assert all(order.tags == [TAG] for order in world.shop.orders.all)


def run_to_the_end(world: World) -> None:
    """An hour and a half of the prong, in minutes."""
    for _ in range(90):
        minutes(world)


@pytest.mark.slow
def test_with_tags_invisible_for_an_hour_every_order_is_processed_once(world: World) -> None:
    world.shop.orders.set_tag_lag(3600)
    place(world, STALE_ORDERS, minutes_ago=30)
    run_to_the_end(world)
    see_that_each_was_served_once(world, STALE_ORDERS)
    assert len(operations(world, "order#")) == STALE_ORDERS
    assert len(operations(world, "tag#")) == STALE_ORDERS
    # Later it costs nothing any more: the index has caught up.
    world.effects.forget()
    world.buy_tick()
    assert not [name for name in world.effects.seen if "ReadOrder" in name]


def redemption_code(number: int) -> str:
    return f"wxyz2345abcd{number:04}"


def answered_after(*, orders: int) -> list[float]:
    """How long each of some redemptions took, sorted, while so many orders were drained."""
    with running_world() as world:
        for number in range(REDEMPTIONS):
            world.shop.issue_card(code=redemption_code(number), amount=50)
        place(world, orders, minutes_ago=50)
        shop = BusyShop(world, seed=7, sells_on_the_web=True)

        def customers() -> None:
            shop.sleep(REDEMPTIONS)  # the drain is in full swing by then
            for number in range(REDEMPTIONS):
                shop.ask(redemption_code(number), amount=1)
                shop.sleep(1)

        def all_is_done() -> bool:
            answered = all(row.answered_at is not None for row in shop.redemptions.values())
            return answered and all(order.tags for order in world.shop.orders.all)

        shop.live(customers, until=all_is_done)
        if orders:
            see_that_each_was_served_once(
                world, orders, others={redemption_code(n) for n in range(REDEMPTIONS)}
            )
        see_that_no_run_took_too_long(shop, orders)
        assert world.shop.refused_as_too_fast == 0
        assert world.base.refused_as_too_fast == 0
        return sorted(row.answered_after for row in shop.redemptions.values())


def see_that_no_run_took_too_long(shop: BusyShop, orders: int) -> None:
    most = function_seconds("ShopifyPurchases")
    assert all(seconds < most for _, seconds in shop.buy_runs)
    ran = [end for end, _ in shop.buy_runs if end is TickEnd.RAN]
    assert len(ran) >= (orders > 0) * 10  # one run alone has no time for them


def percentile(sorted_seconds: list[float], percent: int) -> float:
    return sorted_seconds[-(-len(sorted_seconds) * percent // 100) - 1]


@pytest.mark.slow
def test_a_thousand_waiting_orders_drain_and_a_store_is_served_as_quickly_as_ever() -> None:
    quiet = answered_after(orders=0)
    busy = answered_after(orders=WAITING_ORDERS)
    assert percentile(busy, 95) <= AT_MOST_TIMES * percentile(quiet, 95)
