"""How far was read: it only grows, and it is counted in Shopify's times."""

from datetime import UTC, datetime, timedelta

from giftcards.store.orders import Orders, Watermark
from giftcards.store.progress import CardsPlace, OrdersPlace, Progress, ReadOrder
from giftcards.store.table import Table, pack_moment

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)
ORDER = "gid://shopify/Order/5001"


def test_how_far_orders_were_read_only_grows(table: Table) -> None:
    progress = Progress(table)
    assert progress.payments_until() is None
    progress.note_payments_until(LATER)
    progress.note_payments_until(NOON)
    assert progress.payments_until() == LATER


def test_what_was_read_of_an_order_gives_way_to_a_later_change_only(table: Table) -> None:
    progress = Progress(table)
    assert progress.read_orders([ORDER]) == {}
    early = ReadOrder(updated_at=NOON, read_at=LATER, is_sure=True)
    newer = ReadOrder(updated_at=LATER, read_at=LATER, is_sure=False)
    progress.note_read_order(ORDER, newer)
    progress.note_read_order(ORDER, early)
    assert progress.read_orders([ORDER, "gid://shopify/Order/5002"]) == {ORDER: newer}
    item = table.get("paid#5001")
    assert item is not None
    assert item["forget_at"] > LATER.timestamp()  # it may be forgotten: then it is read once more


def test_the_place_among_the_orders_is_kept_until_the_pass_is_over(table: Table) -> None:
    progress = Progress(table)
    assert progress.orders_place() is None
    place = OrdersPlace(since=NOON, began_at=LATER, cursor="abc", seen=LATER)
    progress.note_orders_place(place)
    assert progress.orders_place() == place
    progress.note_orders_place(None)
    assert progress.orders_place() is None


def test_how_far_orders_that_sell_cards_were_read_is_kept_as_it_is(table: Table) -> None:
    orders = Orders(table)
    assert orders.watermark("changed") == Watermark()
    under_way = Watermark(newest=NOON, since=NOON, began_at=LATER, cursor="abc", seen=LATER)
    for mark in (under_way, Watermark(newest=LATER)):
        orders.keep_watermark("changed", mark)
        assert orders.watermark("changed") == mark
        assert orders.watermark("unprocessed") == Watermark()


def test_a_watermark_of_an_earlier_version_is_read(table: Table) -> None:
    """It kept no beginning of a pass: that counts as begun where it reads from, and no later."""
    moments = {"newest": pack_moment(LATER), "since": pack_moment(NOON), "seen": pack_moment(LATER)}
    table.put({"key": "watermark#changed", "cursor": "abc"} | moments)
    mark = Orders(table).watermark("changed")
    assert mark == Watermark(newest=LATER, since=NOON, began_at=NOON, cursor="abc", seen=LATER)
    table.put({"key": "watermark#changed", "newest": pack_moment(NOON)})
    assert Orders(table).watermark("changed") == Watermark(newest=NOON)


def test_the_place_among_the_cards_is_kept_as_it_is(table: Table) -> None:
    progress = Progress(table)
    assert progress.cards_place() == CardsPlace()
    for place in (CardsPlace(seen=NOON, cursor="abc", goal=LATER), CardsPlace(seen=LATER)):
        progress.note_cards_place(place)
        assert progress.cards_place() == place
