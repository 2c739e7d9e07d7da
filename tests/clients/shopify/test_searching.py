"""What orders are searched for: no SKU breaks out of its quotes, and a time is quoted."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from giftcards.clients.shopify import searching
from giftcards.errors import ConfigurationError
from sandbox.shopify.order_desk import CartLine
from sandbox.shopify.payments import Pay
from tests.clients.shopify.counter import CODE, Counter

SINCE = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
GIFT_CARD = CartLine("GIFT-CARD-50")
SKUS = ["GIFT-CARD-25", "GIFT-CARD-50"]


def found(counter: Counter, search: str) -> list[str]:
    pages = counter.client.find_orders(search, most_pages=3)
    return [counter.shop.orders.get(sight.id).name for page in pages for sight in page]


def test_what_is_searched_for() -> None:
    assert searching.unprocessed_orders(["A", "B C"], tag="gift cards", since=SINCE) == (
        "(sku:'A' OR sku:'B C')"
        " AND (financial_status:paid OR financial_status:partially_refunded)"
        " AND tag_not:'gift cards' AND updated_at:>='2026-11-23T17:00:00Z'"
    )
    assert searching.changed_sales(["A", "A"], since=SINCE) == (
        "(sku:'A') AND updated_at:>='2026-11-23T17:00:00Z'"
    )
    assert searching.card_payments(since=SINCE) == (
        "gateway:gift_card AND updated_at:>='2026-11-23T17:00:00Z'"
    )
    assert searching.any_orders(since=SINCE) == "updated_at:>='2026-11-23T17:00:00Z'"


def test_a_time_is_rounded_down_and_told_in_utc() -> None:
    here = timezone(timedelta(hours=-5))
    late = datetime(2026, 11, 23, 12, 0, 0, 999_999, tzinfo=here)
    assert searching.card_payments(since=late).endswith("'2026-11-23T17:00:00Z'")
    with pytest.raises(ValueError, match="offset"):
        searching.card_payments(since=datetime(2026, 11, 23))  # noqa: DTZ001 - that is the point


def test_a_sku_with_a_single_quote_stands_in_double_ones() -> None:
    assert '(sku:"MUM\'S CARD")' in searching.changed_sales(["MUM'S CARD"], since=SINCE)


@pytest.mark.parametrize(
    "sku",
    [
        "",
        " ",
        "A\\",
        "A\\' OR tag:'x",
        'A"',
        "A' OR sku:\"B",
        "GIFT*",
        "A,B",
        "A\n",
        "A\x00",
    ],
)
def test_what_cannot_be_quoted_safely_is_for_a_person(sku: str) -> None:
    with pytest.raises(ConfigurationError):
        searching.changed_sales(["GOOD", sku], since=SINCE)
    with pytest.raises(ConfigurationError):
        searching.unprocessed_orders(["GOOD"], tag=sku, since=SINCE)


def test_without_skus_nothing_is_searched_for() -> None:
    """An empty search would find every order of the shop."""
    with pytest.raises(ConfigurationError, match="GiftCardSkus"):
        searching.changed_sales([], since=SINCE)


@pytest.mark.parametrize(
    "sku", ["MUM'S CARD", "CARD (50)", "CARD: 50", "CARD OR 50", "-CARD", "AND", "B>=1 C"]
)
def test_the_shop_finds_what_was_quoted_and_nothing_else(counter: Counter, sku: str) -> None:
    order = counter.shop.orders.place([GIFT_CARD, CartLine("LANTERN-S")], Pay())
    assert found(counter, searching.changed_sales([sku], since=SINCE)) == []
    line = order.lines[0]
    line.sku = sku
    counter.shop.orders.edit(order.id)
    assert found(counter, searching.changed_sales([sku], since=SINCE)) == ["#1001"]


def test_paid_and_partly_refunded_orders_without_the_tag_are_unprocessed(
    counter: Counter,
) -> None:
    desk = counter.shop.orders
    desk.place([GIFT_CARD], Pay())
    partly = desk.place([CartLine("GIFT-CARD-25", 2)], Pay())
    desk.refund(partly.id, units={partly.lines[0].id: 1})
    tagged = desk.place([GIFT_CARD], Pay())
    desk.add_tags(tagged.id, ["gift cards issued"])
    refunded = desk.place([GIFT_CARD], Pay())
    desk.refund(refunded.id)
    desk.place([GIFT_CARD])  # nobody paid yet
    desk.place([CartLine("LANTERN-S")], Pay())
    search = searching.unprocessed_orders(SKUS, tag="gift cards issued", since=SINCE)
    assert found(counter, search) == ["#1001", "#1002"]
    counter.advance(1)
    later = searching.unprocessed_orders(SKUS, tag="gift cards issued", since=counter.now)
    assert found(counter, later) == []


def test_cancelled_and_archived_orders_are_found_as_well(counter: Counter) -> None:
    desk = counter.shop.orders
    counter.card("500")
    cancelled = desk.place([GIFT_CARD], Pay(cards=[CODE]))
    desk.cancel(cancelled.id)
    kept = desk.place([GIFT_CARD], Pay(cards=[CODE]))
    desk.cancel(kept.id, is_refunded=False)
    archived = desk.place([GIFT_CARD], Pay(cards=[CODE]))
    desk.archive(archived.id)
    every = ["#1001", "#1002", "#1003"]
    assert found(counter, searching.changed_sales(SKUS, since=SINCE)) == every
    assert found(counter, searching.card_payments(since=SINCE)) == every
    unprocessed = searching.unprocessed_orders(SKUS, tag="done", since=SINCE)
    assert found(counter, unprocessed) == ["#1002", "#1003"]


def test_orders_that_a_card_paid_in_part_are_found_by_their_gateway(counter: Counter) -> None:
    counter.card("10")
    counter.shop.orders.place([CartLine("LANTERN-S")], Pay())
    counter.shop.orders.place([GIFT_CARD], Pay(cards=[CODE]))
    assert found(counter, searching.card_payments(since=SINCE)) == ["#1002"]
