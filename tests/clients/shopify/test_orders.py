"""Orders of the web shop: found page by page, read by id with all their lines, and tagged."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from giftcards.clients.shopify import orders as orders_module
from giftcards.clients.shopify import searching
from giftcards.clients.shopify.documents import document
from giftcards.domain.money import Money
from giftcards.domain.orders import Advice, OrderLine, OrderSight, WebOrder
from giftcards.errors import (
    AccessRefused,
    ConfigurationError,
    NotSent,
    SafeToRepeat,
    VendorSurprise,
)
from sandbox.faults import Fault
from sandbox.shopify.order_desk import CartLine, OrderPlan
from sandbox.shopify.orders import DisputeStatus, Recommendation, SourceName
from sandbox.shopify.payments import Pay
from sandbox.shopify.shop import ALL_SCOPES
from tests.clients.shopify.counter import CODE, START, TOKEN, Counter, dollars, open_counter

FIFTY = CartLine("GIFT-CARD-50")
ORDER_ID = "gid://shopify/Order/1"
LINE: dict[str, Any] = {
    "id": "gid://shopify/LineItem/1",
    "title": "Gift card",
    "sku": "GIFT-CARD-50",
    "isGiftCard": False,
    "quantity": 2,
    "currentQuantity": 1,
    "originalUnitPriceSet": {
        "shopMoney": {"amount": "50.0", "currencyCode": "USD"},
        "presentmentMoney": {"currencyCode": "USD"},
    },
    "discountedUnitPriceAfterAllDiscountsSet": {
        "shopMoney": {"amount": "50.0", "currencyCode": "USD"}
    },
    "customAttributes": [],
}
ORDER: dict[str, Any] = {
    "id": ORDER_ID,
    "name": "#1001",
    "email": "customer@example.com",
    "billingAddress": {"name": "Casey Customer"},
    "displayAddress": {"name": "Somebody Else"},
    "test": False,
    "sourceName": "web",
    "createdAt": "2026-11-23T17:00:00Z",
    "processedAt": "2026-11-23T17:00:01Z",
    "updatedAt": "2026-11-23T17:00:02Z",
    "cancelledAt": None,
    "displayFinancialStatus": "PAID",
    "fullyPaid": True,
    "tags": ["vip"],
    "risk": {"recommendation": "ACCEPT", "assessments": [{"riskLevel": "LOW"}]},
    "disputes": [],
    "transactions": [],
    "lineItems": {"nodes": [LINE], "pageInfo": {"hasNextPage": False, "endCursor": "c"}},
}


def read(counter: Counter, order_id: str) -> WebOrder:
    order = counter.client.read_order(order_id)
    assert order is not None
    return order


def told(counter: Counter, **changes: Any) -> WebOrder:
    """What we read where Shopify answers so."""
    counter.answer_json({"data": {"order": ORDER | changes}})
    return read(counter, ORDER_ID)


def line_told(counter: Counter, **changes: Any) -> OrderLine:
    page = {"nodes": [LINE | changes], "pageInfo": {"hasNextPage": False, "endCursor": "c"}}
    (line,) = told(counter, lineItems=page).lines
    return line


# ---- finding ----------------------------------------------------------------------------------


def test_orders_come_in_pages_of_fifty_the_one_unchanged_longest_first(counter: Counter) -> None:
    placed = []
    for _ in range(101):
        placed.append(counter.shop.orders.place([FIFTY], Pay()).id)
        counter.advance(1)
    counter.shop.orders.archive(placed[0])
    search = searching.changed_sales(["GIFT-CARD-50"], since=START)
    pages = list(counter.client.find_orders(search, most_pages=5))
    assert [len(page) for page in pages] == [50, 50, 1]
    assert [sight.id for page in pages for sight in page] == [*placed[1:], placed[0]]
    assert pages[0][0] == OrderSight(placed[1], START + timedelta(seconds=1))
    assert len(counter.adapter.sent) == 3


def test_pages_are_asked_for_when_they_are_reached_and_no_more_than_wanted(
    counter: Counter,
) -> None:
    for _ in range(101):
        counter.shop.orders.place([FIFTY], Pay())
    search = searching.changed_sales(["GIFT-CARD-50"], since=START)
    pages = counter.client.find_orders(search, most_pages=2)
    assert counter.adapter.sent == []
    next(pages)
    assert len(counter.adapter.sent) == 1
    assert [len(page) for page in pages] == [50]
    assert len(counter.adapter.sent) == 2
    assert list(counter.client.find_orders(search, most_pages=0)) == []


def test_a_page_leads_to_the_next_even_for_another_client(counter: Counter) -> None:
    placed = [counter.shop.orders.place([FIFTY], Pay()).id for _ in range(51)]
    search = searching.changed_sales(["GIFT-CARD-50"], since=START)
    first = counter.client.order_page(search)
    assert [sight.id for sight in first.orders] == placed[:50]
    assert first.end_cursor is not None
    last = counter.client.order_page(search, after=first.end_cursor)
    assert [sight.id for sight in last.orders] == placed[50:]
    assert last.end_cursor is None
    with pytest.raises(VendorSurprise, match="invalid_field"):
        counter.client.order_page("gatewey:gift_card")


def test_nothing_found_is_one_empty_page(counter: Counter) -> None:
    search = searching.card_payments(since=START)
    assert list(counter.client.find_orders(search, most_pages=5)) == [[]]


def test_a_search_that_was_not_applied_is_not_trusted(counter: Counter) -> None:
    counter.shop.orders.place([FIFTY], Pay())
    with pytest.raises(VendorSurprise, match="invalid_field"):
        list(counter.client.find_orders("gatewey:gift_card", most_pages=5))


@pytest.mark.parametrize(
    "page",
    [
        None,
        {"nodes": None, "pageInfo": {"hasNextPage": False}},
        {"nodes": []},
        {"nodes": [], "pageInfo": {"hasNextPage": None}},
        {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}},
        {"nodes": [{"id": ORDER_ID}], "pageInfo": {"hasNextPage": False}},
        {
            "nodes": [{"id": None, "updatedAt": "2026-11-23T17:00:00Z"}],
            "pageInfo": {"hasNextPage": False},
        },
        {
            "nodes": [{"id": ORDER_ID, "updatedAt": "2026-11-23T17:00:00"}],
            "pageInfo": {"hasNextPage": False},
        },
    ],
)
def test_a_page_that_cannot_be_read_is_a_surprise(counter: Counter, page: object) -> None:
    counter.answer_json({"data": {"orders": page}})
    with pytest.raises(VendorSurprise):
        list(counter.client.find_orders("gateway:gift_card", most_pages=1))


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.THROTTLE_429, Fault.DROP_REPLY])
def test_a_search_without_an_answer_is_for_the_next_run(counter: Counter, fault: Fault) -> None:
    counter.shop.faults.add(fault, operation="orders")
    with pytest.raises(NotSent):
        list(counter.client.find_orders("gateway:gift_card", most_pages=1))


# ---- reading ----------------------------------------------------------------------------------


def test_an_order_is_read_with_all_that_matters_of_it(counter: Counter) -> None:
    asked = {"Recipient name": "Bea", "Recipient email": "bea@example.com", "Message": ""}
    counter.card("30")
    order = counter.shop.orders.place(
        [CartLine("GIFT-CARD-50", 2, asked), CartLine("LANTERN-S")],
        Pay(cards=[CODE]),
        plan=OrderPlan(source_name=SourceName.POS, is_test=True),
    )
    counter.advance(60)
    counter.shop.orders.add_tags(order.id, ["vip", "gift cards issued"])
    counter.shop.orders.refund(order.id, units={order.lines[0].id: 1})
    seen = read(counter, order.id)
    assert seen == WebOrder(
        id=order.id,
        name="#1001",
        email="customer@customers.example.com",
        customer_name="Casey Customer",
        is_test=True,
        source_name="pos",
        created_at=START,
        processed_at=START,
        updated_at=START + timedelta(seconds=60),
        cancelled_at=None,
        status="PARTIALLY_REFUNDED",
        is_fully_paid=True,
        tags=frozenset({"vip", "gift cards issued"}),
        advice=Advice.NONE,
        is_assessed=False,
        has_chargeback=False,
        first_paid_at=START,
        last_paid_at=START,
        lines=(
            OrderLine(
                id=order.lines[0].id,
                title="Gift card",
                sku="GIFT-CARD-50",
                is_native=False,
                quantity=2,
                current_quantity=1,
                price=dollars("50"),
                paid=dollars("50"),
                sold_in="USD",
                properties=asked,
            ),
            OrderLine(
                id=order.lines[1].id,
                title=order.lines[1].title,
                sku="LANTERN-S",
                is_native=False,
                quantity=1,
                current_quantity=1,
                price=Money.parse(order.lines[1].price, "USD"),
                paid=Money.parse(order.lines[1].price, "USD"),
                sold_in="USD",
            ),
        ),
    )
    assert "bea" not in repr(seen)
    assert len(counter.adapter.sent) == 1


def test_there_may_be_no_such_order(counter: Counter) -> None:
    assert counter.client.read_order(ORDER_ID) is None


def test_an_order_we_may_not_see_is_none(counter: Counter) -> None:
    counter.shop.add_static_token(TOKEN, scopes=ALL_SCOPES - {"read_all_orders"})
    order = counter.shop.orders.place([FIFTY], Pay(), at=START - timedelta(days=61))
    assert counter.client.read_order(order.id) is None


def test_no_permission_for_customers_is_needed() -> None:
    assert "read_customers" not in ALL_SCOPES
    for name in ("read_order", "order_lines", "read_payments", "find_orders"):
        assert "customer" not in document(name)


@pytest.mark.parametrize("count", [49, 50, 51, 120])
def test_every_line_of_an_order_is_read(counter: Counter, count: int) -> None:
    order = counter.shop.orders.place([CartLine("GIFT-CARD-50", 1) for _ in range(count)], Pay())
    seen = read(counter, order.id)
    assert [line.id for line in seen.lines] == [line.id for line in order.lines]
    assert len(counter.adapter.sent) == 1 + (count - 1) // 50


def test_an_order_with_more_lines_than_any_can_have_is_for_a_person(counter: Counter) -> None:
    page = {"nodes": [LINE], "pageInfo": {"hasNextPage": True, "endCursor": "c"}}
    counter.answer_json({"data": {"order": ORDER | {"lineItems": page}}})
    for _ in range(orders_module.MOST_LINE_PAGES):
        counter.answer_json({"data": {"order": {"lineItems": page}}})
    with pytest.raises(VendorSurprise, match="more lines"):
        counter.client.read_order(ORDER_ID)
    assert len(counter.adapter.sent) == 1 + orders_module.MOST_LINE_PAGES


def test_an_order_that_vanishes_between_its_pages_is_not_read_in_part(counter: Counter) -> None:
    page = {"nodes": [LINE], "pageInfo": {"hasNextPage": True, "endCursor": "c"}}
    counter.answer_json({"data": {"order": ORDER | {"lineItems": page}}})
    counter.answer_json({"data": {"order": None}})
    with pytest.raises(VendorSurprise):
        counter.client.read_order(ORDER_ID)


def test_a_native_gift_card_is_told_from_ours(counter: Counter) -> None:
    assert line_told(counter, isGiftCard=True, sku=None).is_native


@pytest.mark.parametrize(("currency", "price"), [("JPY", 50), ("KWD", 50_000), ("USD", 5_000)])
def test_prices_are_the_shops_own_in_every_currency(currency: str, price: int) -> None:
    counter = open_counter(currency=currency)
    order = counter.shop.orders.place([FIFTY], Pay())
    (line,) = read(counter, order.id).lines
    assert line.price == Money(price, currency)


# ---- when it was paid -------------------------------------------------------------------------


def test_the_first_and_the_last_payment_count(counter: Counter) -> None:
    desk = counter.shop.orders
    order = desk.place([FIFTY])
    assert read(counter, order.id).first_paid_at is None
    desk.note_failed_payment(order.id, counter.card("9").code, Decimal(9))
    counter.advance(60)
    desk.pay(order.id, Pay(is_captured=False))
    assert read(counter, order.id).last_paid_at is None
    for _ in range(2):
        counter.advance(60)
        desk.capture(order.id, Decimal(25))
    counter.advance(60)
    desk.refund(order.id)
    seen = read(counter, order.id)
    assert seen.first_paid_at == START + timedelta(seconds=120)
    assert seen.last_paid_at == START + timedelta(seconds=180)


@pytest.mark.parametrize("failed", [18, 19, 20, 130])
def test_many_payments_are_read_to_the_last(counter: Counter, failed: int) -> None:
    """Shopify cuts the list without a word, and an order that was paid would read as unpaid."""
    desk = counter.shop.orders
    counter.card("9")
    order = desk.place([FIFTY])
    for _ in range(failed):
        desk.note_failed_payment(order.id, CODE, Decimal(9))
    counter.advance(60)
    desk.pay(order.id, Pay())
    assert read(counter, order.id).last_paid_at == counter.now


def test_a_unit_that_was_added_and_not_paid_shows(counter: Counter) -> None:
    desk = counter.shop.orders
    order = desk.place([FIFTY], Pay())
    assert read(counter, order.id).is_fully_paid
    desk.edit(order.id, add=[FIFTY])
    assert not read(counter, order.id).is_fully_paid
    desk.pay(order.id, Pay())
    assert read(counter, order.id).is_fully_paid


def test_more_payments_than_shopify_shows_are_for_a_person(counter: Counter) -> None:
    counter.card("9")
    order = counter.shop.orders.place([FIFTY])
    for _ in range(250):
        counter.shop.orders.note_failed_payment(order.id, CODE, Decimal(9))
    with pytest.raises(VendorSurprise, match="250"):
        counter.client.read_order(order.id)


def test_a_payment_may_lack_the_time_it_was_processed(counter: Counter) -> None:
    paid = {
        "kind": "SALE", "status": "SUCCESS", "processedAt": None,
        "createdAt": "2026-11-23T17:00:05Z",
    }  # fmt: skip
    seen = told(counter, transactions=[paid])
    assert seen.first_paid_at == datetime(2026, 11, 23, 17, 0, 5, tzinfo=UTC)


# ---- risk and disputes ------------------------------------------------------------------------


@pytest.mark.parametrize("is_listed", [True, False])
def test_an_assessment_that_is_pending_is_none(counter: Counter, is_listed: bool) -> None:  # noqa: FBT001 - the two habits
    counter.shop.orders.pending_risk_is_listed = is_listed
    plan = OrderPlan(risk=Recommendation.INVESTIGATE, risk_after_seconds=30)
    order = counter.shop.orders.place([FIFTY], Pay(), plan=plan)
    seen = read(counter, order.id)
    assert (seen.advice, seen.is_assessed) == (Advice.NONE, False)
    counter.advance(30)
    seen = read(counter, order.id)
    assert (seen.advice, seen.is_assessed) == (Advice.INVESTIGATE, True)


@pytest.mark.parametrize("is_listed", [True, False])
def test_what_a_fraud_app_says_is_no_assessment_of_shopify_s(
    counter: Counter,
    is_listed: bool,  # noqa: FBT001 - the two habits
) -> None:
    counter.shop.orders.pending_risk_is_listed = is_listed
    plan = OrderPlan(risk_after_seconds=30)
    order = counter.shop.orders.place([FIFTY], Pay(), plan=plan)
    order.risk.levels_by_apps.append("LOW")
    assert not read(counter, order.id).is_assessed
    counter.advance(30)
    assert read(counter, order.id).is_assessed


def test_a_line_tells_what_was_paid_for_it_and_in_which_currency_it_was_sold(
    counter: Counter,
) -> None:
    cheaper = replace(FIFTY, discount=Decimal("5.01"), sold_in="EUR")
    order = counter.shop.orders.place([cheaper], Pay())
    (line,) = read(counter, order.id).lines
    assert (line.price, line.paid, line.sold_in) == (dollars("50"), dollars("44.99"), "EUR")


def test_one_of_two_assessments_may_be_pending(counter: Counter) -> None:
    levels = [{"riskLevel": "LOW"}, {"riskLevel": "PENDING"}]
    seen = told(counter, risk={"recommendation": "ACCEPT", "assessments": levels})
    assert not seen.is_assessed


def test_an_advice_we_do_not_know_is_a_surprise(counter: Counter) -> None:
    with pytest.raises(VendorSurprise, match="SHRUG"):
        told(counter, risk={"recommendation": "SHRUG", "assessments": []})


def test_a_chargeback_counts_until_the_shop_has_won(counter: Counter) -> None:
    order = counter.shop.orders.place([FIFTY], Pay())
    assert not read(counter, order.id).has_chargeback
    counter.shop.orders.charge_back(order.id)
    assert read(counter, order.id).has_chargeback
    counter.shop.orders.decide_dispute(order.id, DisputeStatus.LOST)
    assert read(counter, order.id).has_chargeback
    counter.shop.orders.decide_dispute(order.id, DisputeStatus.WON)
    assert not read(counter, order.id).has_chargeback
    counter.shop.orders.charge_back(order.id)
    assert read(counter, order.id).has_chargeback


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        ("ACCEPTED", True),
        ("CHARGE_REFUNDED", True),
        ("LOST", True),
        ("NEEDS_RESPONSE", True),
        ("PREVENTED", False),
        ("UNDER_REVIEW", True),
        ("WON", False),
        ("A_WORD_OF_TOMORROW", True),
    ],
)
def test_every_state_of_a_dispute(counter: Counter, status: str, counts: bool) -> None:  # noqa: FBT001 - the table's column
    assert told(counter, disputes=[{"status": status}]).has_chargeback is counts


# ---- what Shopify may leave out, and what it may not --------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"email": None}, "email", None),
        ({"email": ""}, "email", None),
        ({"billingAddress": None}, "customer_name", "Somebody Else"),
        ({"billingAddress": {"name": None}}, "customer_name", "Somebody Else"),
        ({"billingAddress": None, "displayAddress": None}, "customer_name", ""),
        ({"sourceName": None}, "source_name", ""),
        ({"displayFinancialStatus": None}, "status", ""),
        ({"tags": []}, "tags", frozenset()),
        (
            {"cancelledAt": "2026-11-23T18:00:00Z"},
            "cancelled_at",
            datetime(2026, 11, 23, 18, tzinfo=UTC),
        ),
    ],
)
def test_what_may_be_missing(
    counter: Counter, changes: dict[str, Any], field: str, value: object
) -> None:
    assert getattr(told(counter, **changes), field) == value


def test_a_customer_may_leave_everything_out(counter: Counter) -> None:
    plan = OrderPlan(email=None, customer_name=None)
    seen = read(counter, counter.shop.orders.place([FIFTY], Pay(), plan=plan).id)
    assert (seen.email, seen.customer_name) == (None, "")


@pytest.mark.parametrize(
    "field",
    [
        "id", "name", "test", "createdAt", "processedAt", "updatedAt", "fullyPaid", "tags", "risk",
        "disputes", "transactions", "lineItems",
    ],
)  # fmt: skip
def test_what_must_not_be_missing(counter: Counter, field: str) -> None:
    with pytest.raises(VendorSurprise):
        told(counter, **{field: None})


@pytest.mark.parametrize(
    "changes",
    [
        {"email": 7},
        {"tags": [7]},
        {"createdAt": "2026-11-23T17:00:00"},
        {"cancelledAt": "yesterday"},
        {"risk": {"recommendation": None, "assessments": []}},
        {"risk": {"recommendation": "ACCEPT", "assessments": None}},
        {"risk": {"recommendation": "ACCEPT", "assessments": [{"riskLevel": None}]}},
        {"disputes": [{"status": None}]},
        {"transactions": [{"kind": "SALE", "status": None}]},
        {"transactions": [{"kind": None, "status": "SUCCESS"}]},
        {"transactions": [{"kind": "SALE", "status": "SUCCESS"}]},
    ],
)
def test_what_is_not_as_documented_is_a_surprise(counter: Counter, changes: dict[str, Any]) -> None:
    with pytest.raises(VendorSurprise):
        told(counter, **changes)


def test_what_a_line_may_leave_out(counter: Counter) -> None:
    asked = [{"key": "Message", "value": None}, {"key": "Theme", "value": "Wedding"}]
    line = line_told(counter, sku=None, customAttributes=asked, title="")
    assert (line.sku, line.title) == (None, "")
    assert line.properties == {"Message": "", "Theme": "Wedding"}
    assert line_told(counter, sku="").sku is None


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"isGiftCard": None},
        {"quantity": None},
        {"quantity": True},
        {"quantity": "2"},
        {"currentQuantity": -1},
        {"originalUnitPriceSet": None},
        {"originalUnitPriceSet": {"shopMoney": None}},
        {"discountedUnitPriceAfterAllDiscountsSet": None},
        {"originalUnitPriceSet": {"shopMoney": {"amount": "5.005", "currencyCode": "USD"}}},
        {"customAttributes": None},
        {"customAttributes": [{"key": None, "value": "x"}]},
        {"customAttributes": [{"key": "x", "value": 7}]},
    ],
)
def test_a_line_that_cannot_be_read_is_a_surprise(
    counter: Counter, changes: dict[str, Any]
) -> None:
    with pytest.raises(VendorSurprise):
        line_told(counter, **changes)


@pytest.mark.parametrize(
    "fault", [Fault.THROTTLE, Fault.THROTTLE_429, Fault.DROP_REPLY, Fault.FAIL_AFTER]
)
def test_an_order_that_cannot_be_read_now_is_for_the_next_run(
    counter: Counter, fault: Fault
) -> None:
    order = counter.shop.orders.place([FIFTY], Pay())
    counter.shop.faults.add(fault, operation="order")
    with pytest.raises(NotSent):
        counter.client.read_order(order.id)
    assert counter.client.read_order(order.id) is not None


def test_a_missing_permission_to_read_orders_is_for_a_person(counter: Counter) -> None:
    counter.shop.add_static_token(TOKEN, scopes=ALL_SCOPES - {"read_orders"})
    with pytest.raises(AccessRefused, match="read_orders"):
        counter.client.read_order(ORDER_ID)


PROTECTED = (
    "This app is not approved to use the email field. See"
    " https://shopify.dev/docs/apps/launch/protected-customer-data for more details."
)


@pytest.mark.parametrize("has_a_code", [False, True])
def test_customers_data_that_is_not_opened_to_our_app_is_for_a_person(
    counter: Counter,
    has_a_code: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    """Every scope is granted: only the fields, and where they are opened, help anybody."""
    order = counter.shop.orders.place([FIFTY], Pay())
    counter.shop.shows_customer_data = False
    counter.shop.hiding_has_a_code = has_a_code
    with pytest.raises(AccessRefused, match="protected customer data") as caught:
        counter.client.read_order(order.id)
    said = str(caught.value)
    assert "order.email, order.billingAddress.name, order.displayAddress.name" in said
    assert "Dev Dashboard" in said
    assert "Name, Email and Address" in said
    assert "read_orders" not in said
    assert counter.client.read_payments(order.id) is not None
    counter.shop.shows_customer_data = True
    assert read(counter, order.id).email == order.email


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({"message": PROTECTED, "path": ["orders", 0, "email"]}, "(orders.email)"),
        ({"message": PROTECTED, "path": ["order", "no word of ours"]}, "(order)"),
        ({"message": PROTECTED}, "(email)"),
        ({"message": "This app is not approved to access the Order object."}, "(Order)"),
        ({"message": "not approved to use abcdefgh12342b5a"}, "customers' data: in"),
    ],
)
def test_what_is_refused_is_named_by_where_it_stands(
    counter: Counter, entry: dict[str, object], named: str
) -> None:
    counter.answer_json({"data": {"order": None}, "errors": [entry]})
    with pytest.raises(AccessRefused) as caught:
        counter.client.read_order(ORDER_ID)
    assert named in str(caught.value)
    assert CODE not in str(caught.value)
    assert "no word" not in str(caught.value)


def test_refused_data_is_told_although_something_else_is_wrong_as_well(counter: Counter) -> None:
    """Many refusals of one kind make Shopify give up the answer with an error of its own."""
    other = {"message": "Too many execution errors, max error limit reached. Results truncated"}
    counter.answer_json({"data": None, "errors": [{"message": PROTECTED}, other]})
    with pytest.raises(AccessRefused, match="protected customer data"):
        counter.client.read_order(ORDER_ID)


# ---- what our app was granted ------------------------------------------------------------------


def test_the_scopes_that_our_app_was_granted(counter: Counter) -> None:
    assert counter.client.granted_scopes() == ALL_SCOPES
    counter.shop.add_static_token(TOKEN, scopes=frozenset({"read_orders"}))
    assert counter.client.granted_scopes() == {"read_orders"}


# ---- tagging ----------------------------------------------------------------------------------


def test_an_order_is_tagged_once_however_often(counter: Counter) -> None:
    order = counter.shop.orders.place([FIFTY], Pay())
    counter.shop.orders.add_tags(order.id, ["vip"])
    for _ in range(2):
        assert counter.client.tag_order(order.id, "gift cards issued") is None
    assert counter.shop.orders.get(order.id).tags == ["vip", "gift cards issued"]
    assert read(counter, order.id).tags == {"vip", "gift cards issued"}


def test_a_refused_tag_says_why(counter: Counter) -> None:
    assert counter.client.tag_order(ORDER_ID, "done") == "Order does not exist"
    order = counter.shop.orders.place([FIFTY], Pay())
    assert "40" in (counter.client.tag_order(order.id, "x" * 41) or "")


def test_a_tag_with_a_comma_would_be_two(counter: Counter) -> None:
    order = counter.shop.orders.place([FIFTY], Pay())
    with pytest.raises(ConfigurationError, match="comma"):
        counter.client.tag_order(order.id, "gift,cards")
    assert counter.adapter.sent == []


@pytest.mark.parametrize(
    ("fault", "applied"),
    [
        (Fault.DROP_REPLY, True),
        (Fault.BREAK_CONNECTION, True),
        (Fault.FAIL_AFTER, True),  # INTERNAL_SERVER_ERROR, with HTTP 200
        (Fault.FAIL_BEFORE, False),  # HTTP 500
    ],
)
def test_where_nobody_knows_it_is_safe_to_repeat(
    counter: Counter,
    fault: Fault,
    applied: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    order = counter.shop.orders.place([FIFTY], Pay())
    counter.shop.faults.add(fault, operation="tagsAdd")
    with pytest.raises(SafeToRepeat):
        counter.client.tag_order(order.id, "done")
    assert len(counter.adapter.sent) == 1
    assert (counter.shop.orders.get(order.id).tags == ["done"]) is applied
    assert counter.client.tag_order(order.id, "done") is None


@pytest.mark.parametrize("fault", [Fault.REFUSE_CONNECTION, Fault.THROTTLE, Fault.THROTTLE_429])
def test_where_a_tag_certainly_was_not_sent(counter: Counter, fault: Fault) -> None:
    order = counter.shop.orders.place([FIFTY], Pay())
    counter.shop.faults.add(fault, operation="tagsAdd")
    with pytest.raises(NotSent):
        counter.client.tag_order(order.id, "done")
    assert counter.shop.orders.get(order.id).tags == []


@pytest.mark.parametrize("body", ["", "[]", "<html>", '{"data": null}', '{"errors": "?"}'])
def test_an_answer_nobody_can_read_is_safe_to_repeat(counter: Counter, body: str) -> None:
    counter.answer_text(body)
    with pytest.raises(SafeToRepeat):
        counter.client.tag_order(ORDER_ID, "done")


@pytest.mark.parametrize(
    "payload",
    [None, {}, {"userErrors": None}, {"userErrors": [{"field": ["id"], "message": None}]}],
)
def test_a_payload_that_says_nothing_is_not_taken_for_done(
    counter: Counter, payload: object
) -> None:
    counter.answer_json({"data": {"tagsAdd": payload}})
    with pytest.raises(SafeToRepeat):
        counter.client.tag_order(ORDER_ID, "done")


def test_a_time_out_after_a_tag_names_nothing_of_the_request(counter: Counter) -> None:
    counter.adapter.canned.append(requests.ReadTimeout("body was secret"))
    with pytest.raises(SafeToRepeat) as caught:
        counter.client.tag_order(ORDER_ID, "done")
    assert "secret" not in str(caught.value)


def test_a_missing_permission_to_tag_is_for_a_person(counter: Counter) -> None:
    counter.shop.add_static_token(TOKEN, scopes=ALL_SCOPES - {"write_orders"})
    order = counter.shop.orders.place([FIFTY], Pay())
    with pytest.raises(AccessRefused, match="write_orders"):
        counter.client.tag_order(order.id, "done")


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        # The change itself was refused: it did not run.
        ({"message": PROTECTED, "path": ["tagsAdd"]}, AccessRefused),
        # It ran, and something in its answer may not be seen.
        ({"message": PROTECTED, "path": ["tagsAdd", "node", "email"]}, SafeToRepeat),
        ({"message": PROTECTED}, SafeToRepeat),
    ],
)
def test_a_change_with_refused_data_did_not_run_only_where_all_of_it_was_refused(
    counter: Counter, entry: dict[str, object], error: type[Exception]
) -> None:
    counter.answer_json({"data": {"tagsAdd": None}, "errors": [entry]})
    with pytest.raises(error):
        counter.client.tag_order(ORDER_ID, "done")


def test_a_change_that_failed_inside_as_well_may_have_run(counter: Counter) -> None:
    failed = {"message": "?", "extensions": {"code": "INTERNAL_SERVER_ERROR"}, "path": ["tagsAdd"]}
    refused = {"message": PROTECTED, "path": ["tagsAdd"]}
    counter.answer_json({"data": {"tagsAdd": None}, "errors": [refused, failed]})
    with pytest.raises(SafeToRepeat):
        counter.client.tag_order(ORDER_ID, "done")


def test_what_is_sent_with_a_tag(counter: Counter) -> None:
    order = counter.shop.orders.place([FIFTY], Pay())
    counter.client.tag_order(order.id, "done")
    sent = json.loads(counter.adapter.sent[-1].body or b"")
    assert sent["variables"] == {"id": order.id, "tags": ["done"]}
