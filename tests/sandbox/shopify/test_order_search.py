"""Searching for orders: the published fields, an index that lags, tags that lag much longer."""

from datetime import timedelta

import pytest

from sandbox.shopify import CartLine, OrderPlan, Pay
from sandbox.shopify.orders import SourceName
from tests.sandbox.shopify.harness import NOON, Caller

FIFTY = CartLine("GIFT-CARD-50")
LANTERN = CartLine("LANTERN-S")


def found(caller: Caller, query: str, **more: object) -> list[str]:
    """The names of the orders a search finds, in its order."""
    data = caller.run("list_orders", query=query, **{"first": 50, **more})
    return [node["name"] for node in data["orders"]["nodes"]]


@pytest.fixture
def stocked(caller: Caller) -> Caller:
    """1001 paid by a card, 1002 pending, 1003 refunded in part, 1004 of ordinary goods."""
    orders = caller.shop.orders
    card = caller.shop.issue_card(amount=100)
    orders.place([FIFTY], Pay([card.code]), at=NOON - timedelta(hours=3))
    plan = OrderPlan(email="Draft@customers.example.com", source_name=SourceName.DRAFT)
    orders.place([FIFTY], plan=plan, at=NOON - timedelta(hours=2))
    twice = orders.place(
        [CartLine("GIFT-CARD-25", 2)],
        Pay(),
        plan=OrderPlan(is_test=True),
        at=NOON - timedelta(hours=1),
    )
    orders.refund(twice.id, units={twice.lines[0].id: 1})
    lantern = orders.place([LANTERN], Pay())
    orders.add_tags(lantern.id, ["Done With", "vip"])
    return caller


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "1001 1002 1003 1004"),
        ("sku:GIFT-CARD-50", "1001 1002"),
        ("sku:gift-card-50", "1001 1002"),
        ("sku:GIFT-CARD-*", "1001 1002 1003"),
        ("sku:GIFT-CARD", ""),
        ("sku:GIFT-CARD-25 OR sku:LANTERN-S", "1003 1004"),
        ("financial_status:paid", "1001 1004"),
        ("financial_status:partially_refunded", "1003"),
        ("(financial_status:paid OR financial_status:partially_refunded) sku:GIFT*", "1001 1003"),
        ("tag:vip", "1004"),
        ("tag:'done with'", "1004"),
        ("tag_not:'Done With'", "1001 1002 1003"),
        ("tag_not:VIP financial_status:paid", "1001"),
        ("-tag:vip", "1001 1002 1003"),
        ("gateway:gift_card", "1001"),
        ("gateway:bogus", "1003"),
        ("test:true", "1003"),
        ("test:false source_name:web", "1001 1004"),
        ("email:draft@customers.example.com", "1002"),
        ("name:'#1002'", "1002"),
        ("created_at:>='2026-11-23T16:00:00Z'", "1003 1004"),
        ('created_at:<"2026-11-23T10:00:00-05:00"', "1001"),
        ("processed_at:>'2026-11-23T16:00:00Z'", "1004"),
        ("updated_at:>='2026-11-23T17:00:00Z'", "1003 1004"),
        ("id:5612345000002", "1002"),
        ("id:>5612345000002", "1003 1004"),
        ("status:open", "1001 1002 1003 1004"),
        ("status:cancelled", ""),
    ],
)
def test_what_a_search_finds(stocked: Caller, query: str, names: str) -> None:
    assert found(stocked, query) == [f"#{name}" for name in names.split()]
    assert "search" not in stocked.last.json()["extensions"]


@pytest.mark.parametrize("name", ["processed", "risk", "line_items"])
def test_a_field_that_is_none_is_ignored_with_nothing_but_a_warning(
    stocked: Caller, name: str
) -> None:
    assert found(stocked, f"{name}:x tag:vip") == ["#1004"]
    (search,) = stocked.last.json()["extensions"]["search"]
    assert search["path"] == ["orders"]
    assert [(each["field"], each["code"]) for each in search["warnings"]] == [
        (name, "invalid_field")
    ]
    assert len(found(stocked, f"{name}:x")) == 4


@pytest.mark.parametrize(
    "query",
    [
        "created_at:>2026-11-23T16:00:00Z",  # a time that is not quoted
        "created_at:>'2026-11-23'",
        "risk_level:high",  # a real field, without data here
        "sku:a,b",
        "status:any",
        "test:maybe",
        "lantern",
    ],
)
def test_what_the_box_cannot_answer_is_an_error(stocked: Caller, query: str) -> None:
    with pytest.raises(NotImplementedError, match="not emulated"):
        found(stocked, query)


def test_orders_come_sorted_and_in_pages(stocked: Caller) -> None:
    assert found(stocked, "", reverse=True)[0] == "#1004"
    assert found(stocked, "", sortKey="TOTAL_PRICE")[0] == "#1004"
    assert found(stocked, "", sortKey="UPDATED_AT")[:2] == ["#1001", "#1002"]
    for key in ("ID", "ORDER_NUMBER", "CREATED_AT", "PROCESSED_AT"):
        assert found(stocked, "", sortKey=key)[0] == "#1001"
    with pytest.raises(NotImplementedError):
        found(stocked, "", sortKey="DESTINATION")
    names, after = [], None
    for _ in range(2):
        page = stocked.run("list_orders", query="sku:GIFT*", first=2, after=after)["orders"]
        names += [node["name"] for node in page["nodes"]]
        assert [edge["node"]["id"] for edge in page["edges"]] == [n["id"] for n in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert names == ["#1001", "#1002", "#1003"]
    assert page["pageInfo"]["hasNextPage"] is False


def test_the_index_lags_while_reads_by_id_do_not(caller: Caller) -> None:
    caller.shop.set_search_lag(20)
    order = caller.shop.orders.place([FIFTY])
    assert found(caller, "") == []
    read = caller.run("read_order", id=order.id, lines=1)["order"]
    assert read["displayFinancialStatus"] == "PENDING"
    caller.clock.advance(20)
    caller.shop.orders.pay(order.id, Pay())
    assert found(caller, "financial_status:paid") == []
    page = caller.run("list_orders", query="financial_status:pending", first=1)["orders"]
    assert page["nodes"][0]["displayFinancialStatus"] == "PAID"  # shown as it is now
    caller.clock.advance(20)
    assert found(caller, "financial_status:paid") == ["#1001"]


def test_a_tag_can_stay_invisible_for_an_hour(caller: Caller) -> None:
    orders = caller.shop.orders
    caller.shop.set_search_lag(5)
    orders.set_tag_lag(3600)
    order = orders.place([FIFTY], Pay())
    caller.clock.advance(10)
    orders.add_tags(order.id, ["issued"])
    orders.refund(order.id)
    caller.clock.advance(3599)
    assert found(caller, "tag_not:issued") == ["#1001"]
    assert found(caller, "tag:issued") == []
    # Everything else of the same moment has long arrived, and so has the tag, for whoever asks it.
    assert found(caller, "tag_not:issued financial_status:refunded") == ["#1001"]
    assert caller.run("read_order", id=order.id, lines=1)["order"]["tags"] == ["issued"]
    caller.clock.advance(1)
    assert found(caller, "tag_not:issued") == []
    orders.remove_tags(order.id, ["issued"])
    caller.clock.advance(3599)
    assert found(caller, "tag:issued") == ["#1001"]
    caller.clock.advance(1)
    assert found(caller, "tag:issued") == []


def test_an_archived_order_is_left_out_only_where_its_status_is_asked_for(caller: Caller) -> None:
    order = caller.shop.orders.place([FIFTY], Pay())
    assert found(caller, "status:closed") == []
    caller.shop.orders.archive(order.id)
    for search in ("", "status:closed"):
        assert found(caller, search) == ["#1001"]
    for search in ("status:open", "status:not_closed", "status:cancelled"):
        assert found(caller, search) == []


def test_an_edit_makes_an_order_findable_by_its_new_sku(caller: Caller) -> None:
    order = caller.shop.orders.place([LANTERN], Pay())
    assert found(caller, "sku:GIFT-CARD-50") == []
    caller.shop.orders.edit(order.id, add=[FIFTY])
    assert found(caller, "sku:GIFT-CARD-50") == ["#1001"]
