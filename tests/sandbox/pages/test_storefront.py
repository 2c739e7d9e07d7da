"""The web shop and the office's orders, as a browser without JavaScript gets them."""

import re
from decimal import Decimal

import pytest
from werkzeug.test import TestResponse

from sandbox.shopify import Order
from sandbox.shopify.orders import FinancialStatus, Recommendation
from tests.sandbox.pages.little_shop import LittleShop

CARD = "/storefront/gift-card"
LANTERN = "/storefront/brass-lantern"
GIFT = {
    "is_gift": "yes",
    "Recipient name": "Mei-Lin 陳",
    "Recipient email": "meilin@customers.example.com",
    "Message": "Happy <birthday>!",
    "Theme": "Birthday",
    "Send on": "2026-12-24",
}


def variant(little_shop: LittleShop, path: str, place: int = 0) -> str:
    handle = path.rpartition("/")[2]
    (product,) = [each for each in little_shop.shop.orders.products if each.handle == handle]
    return product.variants[place].id


def buy(little_shop: LittleShop, path: str = LANTERN, **typed: str) -> TestResponse:
    form = {
        "variant": variant(little_shop, path),
        "quantity": "1",
        "name": "Zoë Customer",
        "email": "zoe@customers.example.com",
        "rest": "credit",
    }
    return little_shop.client.post(path, data=form | typed)


def newest(little_shop: LittleShop) -> Order:
    return little_shop.shop.orders.all[-1]


def act(little_shop: LittleShop, order: Order, action: str, **typed: str) -> TestResponse:
    return little_shop.client.post(f"/orders/{order.number}/{action}", data=typed)


# ---- buying ----


def test_the_storefront_shows_everything_there_is(little_shop: LittleShop) -> None:
    shown = little_shop.page("/storefront")
    for product in little_shop.shop.orders.products:
        assert f'href="/storefront/{product.handle}"' in shown
        assert product.title in little_shop.page(f"/storefront/{product.handle}")
    assert little_shop.client.get("/storefront/nothing").status_code == 404
    assert little_shop.client.get("/storefront/orders/1").status_code == 404
    assert 'class="nav"' not in shown, "it is a page for customers"


def test_a_card_bought_as_a_gift_carries_what_was_typed(little_shop: LittleShop) -> None:
    second = variant(little_shop, CARD, 1)
    reply = buy(little_shop, CARD, variant=second, quantity="2", **GIFT)
    order = newest(little_shop)
    assert (reply.status_code, order.status) == (303, FinancialStatus.PAID)
    (line,) = order.lines
    assert (line.sku, line.quantity, line.is_gift_card) == ("GIFT-CARD-50", 2, False)
    assert dict(line.properties) == {k: v for k, v in GIFT.items() if k != "is_gift"}
    assert (order.email, order.customer_name) == ("zoe@customers.example.com", "Zoë Customer")

    thanks = little_shop.page(reply.location)
    assert "Thank you, Zoë Customer." in thanks
    assert "Happy &lt;birthday&gt;!" in thanks
    assert "$100.00" in thanks
    assert "by credit card" in thanks


def test_no_page_runs_what_was_typed_into_an_order(little_shop: LittleShop) -> None:
    harm = '"><img src=x onerror=alert(1)><script>alert(1)</script>{{ 7*7 }}'
    typed = GIFT | dict.fromkeys(("Recipient name", "Message", "Theme", "Send on"), harm)
    reply = buy(little_shop, CARD, name=harm, **typed)
    order = newest(little_shop)
    pages = [little_shop.page(path) for path in (reply.location, f"/orders/{order.number}")]
    pages += [little_shop.page("/orders"), little_shop.page("/inbox")]
    assert sum("&lt;img src=x" in page for page in pages) >= 3, "what was typed is shown"
    for page in pages:
        assert "<img src=x" not in page
        assert "<script>alert" not in page


def test_no_gift_no_properties(little_shop: LittleShop) -> None:
    buy(little_shop, CARD, **(GIFT | {"is_gift": ""}))
    assert newest(little_shop).lines[0].properties == ()
    buy(little_shop, LANTERN, **GIFT)
    assert newest(little_shop).lines[0].properties == (), "a lantern is no gift card"


def test_a_native_card_is_mailed_by_shopify(little_shop: LittleShop) -> None:
    before = len(little_shop.shop.cards)
    buy(little_shop, "/storefront/web-gift-card", email="bo@customers.example.com")
    card = little_shop.shop.cards[-1]
    assert len(little_shop.shop.cards) == before + 1
    mailed = little_shop.page(f"/inbox/bo@customers.example.com?mail=shopify-{card.number}")
    assert "by Shopify" in mailed
    assert card.code[:4].upper() in mailed


def test_two_cards_and_a_credit_card_pay(little_shop: LittleShop) -> None:
    cards = little_shop.day.cards
    few, fresh = cards["a few cents left"], cards["fresh"]
    reply = buy(
        little_shop, quantity="2", first_code=few.code, second_code=f" {fresh.code.upper()}"
    )
    paid = [(each.gateway, each.amount) for each in newest(little_shop).transactions]
    assert paid == [
        ("gift_card", Decimal("0.35")),
        ("gift_card", Decimal(50)),
        ("shopify_payments", Decimal("17.65")),
    ]
    assert (few.balance, fresh.balance) == (Decimal(0), Decimal(0))
    thanks = little_shop.page(reply.location)
    assert f"gift card •••• {fresh.last_characters}" in thanks
    assert fresh.code not in thanks.lower()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"quantity": "0"}, "How many?"),
        ({"quantity": "²"}, "How many?"),
        ({"quantity": "101"}, "How many?"),
        ({"variant": "gid://shopify/ProductVariant/1"}, "choose one"),
        ({"first_code": "nosuchcode"}, "valid gift card"),
        ({"first_code": "7k2m4q8xw3r9hn5t", "second_code": "7K2M-4Q8X-W3R9-HN5T"}, "already"),
        ({"first_code": "7k2m4q8xw3r9hn5t", "rest": "cards", "quantity": "2"}, "do not cover"),
    ],
)
def test_a_refused_order_keeps_what_was_typed_and_takes_nothing(
    little_shop: LittleShop, typed: dict[str, str], said: str
) -> None:
    before = len(little_shop.shop.orders.all)
    reply = buy(little_shop, **typed, name="Zoë <b>")
    assert (reply.status_code, len(little_shop.shop.orders.all)) == (422, before)
    assert said in reply.text
    assert "Zoë &lt;b&gt;" in reply.text
    assert little_shop.day.cards["fresh"].balance == 50


def test_no_code_stands_in_an_address(little_shop: LittleShop) -> None:
    code = little_shop.day.cards["fresh"].code
    assert code not in buy(little_shop, first_code=code).location
    assert '<form class="website-form" method="post"' in little_shop.page(LANTERN)


@pytest.mark.parametrize(
    ("risk", "is_assessed", "advice"),
    [
        ("accept", True, Recommendation.ACCEPT),
        ("investigate", True, Recommendation.INVESTIGATE),
        ("cancel", True, Recommendation.CANCEL),
        ("late", False, Recommendation.NONE),
        ("never", False, Recommendation.NONE),
        ("made up", True, Recommendation.ACCEPT),
    ],
)
def test_a_buyer_chooses_what_shopify_makes_of_the_order(
    little_shop: LittleShop,
    risk: str,
    is_assessed: bool,  # noqa: FBT001 - a case
    advice: Recommendation,
) -> None:
    buy(little_shop, CARD, risk=risk)
    known = newest(little_shop).risk
    assert (known.is_assessed, known.recommendation) == (is_assessed, advice)


def test_an_order_can_be_a_test_only_authorised_or_without_an_address(
    little_shop: LittleShop,
) -> None:
    buy(little_shop, is_test="yes", is_authorised_only="yes", email=" ", name="")
    order = newest(little_shop)
    assert (order.is_test, order.status) == (True, FinancialStatus.AUTHORIZED)
    assert (order.email, order.customer_name) == (None, None)
    assert "Thank you." in little_shop.page(f"/storefront/orders/{order.number}")
    shown = little_shop.page(f"/orders/{order.number}")
    assert "nobody named" in shown
    assert "Capture $34.00" in shown


# ---- the office ----


def test_the_orders_stand_newest_first_with_tags_and_risk(little_shop: LittleShop) -> None:
    order = newest(little_shop)
    little_shop.shop.orders.add_tags(order.id, ["issued <x>"])
    shown = little_shop.page("/orders")
    names = re.findall(r">(#\d+)</a>", shown)
    assert names == [each.name for each in reversed(little_shop.day.orders)]
    assert "issued &lt;x&gt;" in shown
    for words in ("Partially refunded", "Pending", "Cancel", "Test", "no mail address"):
        assert words in shown, words
    for seeded in little_shop.day.orders:
        assert seeded.name in little_shop.page(f"/orders/{seeded.id.rpartition('/')[2]}")
    assert little_shop.client.get("/orders/1").status_code == 404


def test_an_order_is_refunded_in_full(little_shop: LittleShop) -> None:
    card = little_shop.day.cards["fresh"]
    buy(little_shop, quantity="2", first_code=card.code)
    order = newest(little_shop)
    assert act(little_shop, order, "refund").status_code == 303
    assert (order.status, card.balance) == (FinancialStatus.REFUNDED, Decimal(50))
    shown = little_shop.page(f"/orders/{order.number}")
    assert "−$50.00" in shown
    assert f'href="/shopify/{card.number}"' in shown
    assert "Refund in full" not in shown
    again = act(little_shop, order, "refund")
    assert (again.status_code, "Shopify refused" in again.text) == (422, True)


def test_a_unit_is_refunded_to_where_it_came_from_or_in_cash(little_shop: LittleShop) -> None:
    card = little_shop.day.cards["generous"]
    buy(little_shop, quantity="3", first_code=card.code)
    order = newest(little_shop)
    line = order.lines[0].id
    act(little_shop, order, "refund-unit", line=line)
    assert (order.lines[0].current_quantity, card.balance) == (2, Decimal(182))
    act(little_shop, order, "refund-unit", line=line, tender="cash")
    assert (order.lines[0].current_quantity, card.balance) == (1, Decimal(182))
    assert order.transactions[-1].gateway == "cash"
    assert act(little_shop, order, "refund-unit", line="nothing").status_code == 422


def test_units_are_added_paid_removed_and_given_back(little_shop: LittleShop) -> None:
    buy(little_shop, CARD)
    order = newest(little_shop)
    line = order.lines[0].id
    act(little_shop, order, "add-unit", line=line)
    assert "Take $25.00 by credit card" in little_shop.page(f"/orders/{order.number}")
    act(little_shop, order, "pay")
    assert (order.lines[0].current_quantity, order.status) == (2, FinancialStatus.PAID)
    act(little_shop, order, "remove-unit", line=line)
    assert "Give back $25.00" in little_shop.page(f"/orders/{order.number}")
    act(little_shop, order, "refund-rest")
    assert order.refunded == 25
    assert "Give back" not in little_shop.page(f"/orders/{order.number}")
    assert act(little_shop, order, "remove-unit", line="nothing").status_code == 422


def test_an_authorised_order_is_captured_or_voided(little_shop: LittleShop) -> None:
    for action, status in (("capture", FinancialStatus.PAID), ("void", FinancialStatus.VOIDED)):
        buy(little_shop, is_authorised_only="yes")
        order = newest(little_shop)
        act(little_shop, order, action)
        assert order.status is status


def test_an_order_is_cancelled_and_disputed(little_shop: LittleShop) -> None:
    buy(little_shop, CARD)
    order = newest(little_shop)
    act(little_shop, order, "charge-back")
    act(little_shop, order, "cancel")
    shown = little_shop.page(f"/orders/{order.number}")
    assert "Chargeback needs response" in shown
    assert "Cancelled" in shown
    assert "Add a unit" not in shown
    assert act(little_shop, order, "cancel").status_code == 422


def test_an_action_that_is_none_is_no_page(little_shop: LittleShop) -> None:
    order = newest(little_shop)
    assert act(little_shop, order, "shred").status_code == 404
    again = little_shop.client.get(f"/orders/{order.number}/refund")
    assert (again.status_code, again.location) == (302, f"/orders/{order.number}")
    assert order.refunds == [], "looking at an address refunds nothing"


def test_a_change_to_an_order_reaches_open_pages(little_shop: LittleShop) -> None:
    before = little_shop.version()
    little_shop.shop.orders.add_tags(newest(little_shop).id, ["vip"])
    assert little_shop.version() != before


@pytest.mark.parametrize(("typed", "balance"), [("5", 55), ("-20.50", Decimal("29.50"))])
def test_the_office_adjusts_a_card(
    little_shop: LittleShop, typed: str, balance: Decimal | int
) -> None:
    card = little_shop.day.cards["fresh"]
    reply = little_shop.client.post(f"/shopify/{card.number}/adjust", data={"change": typed})
    assert (reply.status_code, card.balance) == (303, Decimal(balance))
    assert "Adjusted in the admin" in little_shop.page(f"/shopify/{card.number}")


@pytest.mark.parametrize("typed", ["", "0", "-50.01", "1.005", "lots", "99999"])
def test_an_adjustment_that_shopify_refuses_moves_nothing(
    little_shop: LittleShop, typed: str
) -> None:
    card = little_shop.day.cards["fresh"]
    reply = little_shop.client.post(f"/shopify/{card.number}/adjust", data={"change": typed})
    assert (reply.status_code, card.balance) == (422, Decimal(50))
    assert "Shopify refused" in reply.text
    assert "Facts" in little_shop.page(f"/shopify/{card.number}/adjust")
