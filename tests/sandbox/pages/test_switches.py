"""The page with Shopify's habits: each switch is the one it says it is."""

import re

import pytest

from sandbox.shopify.orders import TransactionKind
from sandbox.shopify.webhooks import Delivery
from tests.sandbox.pages.little_shop import LittleShop

PAGE = "/switches"
LAGS = {"search_lag": "20", "tag_lag": "3600", "risk_delay": "90.5"}


def ticked(little_shop: LittleShop) -> set[str]:
    return set(re.findall(r'name="(\w+)" value="yes" checked', little_shop.page(PAGE)))


def test_the_page_shows_how_the_switches_stand(little_shop: LittleShop) -> None:
    assert ticked(little_shop) == {
        "receipts_are_text",
        "refunds_name_card",
        "pending_is_listed",
        "shows_customers",
    }
    assert little_shop.page(PAGE).count('value="0"') == 3


def test_lags_are_set(little_shop: LittleShop) -> None:
    assert little_shop.client.post(PAGE, data=LAGS).status_code == 303
    shop = little_shop.shop
    assert shop.search_lag.total_seconds() == 20
    assert shop.orders.tag_lag.total_seconds() == 3600
    assert shop.orders.risk_delay_seconds == 90.5
    shown = little_shop.page(PAGE)
    assert all(f'value="{seconds}"' in shown for seconds in LAGS.values())


@pytest.mark.parametrize(
    "name",
    [
        "receipts_are_text",
        "refunds_name_card",
        "pending_is_listed",
        "checkout_shows",
        "shows_customers",
        "hiding_has_a_code",
    ],
)
def test_each_tick_is_its_own(little_shop: LittleShop, name: str) -> None:
    little_shop.client.post(PAGE, data={name: "yes"})
    assert ticked(little_shop) == {name}
    orders = little_shop.shop.orders
    stands = {
        "receipts_are_text": orders.receipts_are_text,
        "refunds_name_card": orders.kinds_without_receipt == frozenset(),
        "pending_is_listed": orders.pending_risk_is_listed,
        "checkout_shows": little_shop.shop.checkout_in_transactions,
        "shows_customers": little_shop.shop.shows_customer_data,
        "hiding_has_a_code": little_shop.shop.hiding_has_a_code,
    }
    assert [each for each, is_on in stands.items() if is_on] == [name]
    if name != "refunds_name_card":
        assert orders.kinds_without_receipt == {TransactionKind.REFUND}


@pytest.mark.parametrize("typed", ["-1", "soon", "nan", "86401"])
def test_a_lag_that_is_none_is_refused_and_changes_nothing(
    little_shop: LittleShop, typed: str
) -> None:
    reply = little_shop.client.post(PAGE, data=LAGS | {"tag_lag": typed})
    assert (reply.status_code, f'value="{typed}"' in reply.text) == (422, True)
    assert little_shop.shop.search_lag.total_seconds() == 0


def test_webhooks_are_sent_to_an_address_until_it_is_taken_away(little_shop: LittleShop) -> None:
    webhooks = little_shop.shop.webhooks
    address = "http://127.0.0.1:4001/shopify"
    reply = little_shop.client.post(
        f"{PAGE}/webhooks", data={"address": f" {address} ", "secret": "hush"}
    )
    assert (reply.status_code, webhooks.address, webhooks.secret) == (303, address, "hush")
    shown = little_shop.page(PAGE)
    assert address in shown
    assert "hush" not in shown
    webhooks.deliveries.append(Delivery("e1", "orders/paid", little_shop.shop.now(), None))
    assert "no answer" in little_shop.page(PAGE)
    reply = little_shop.client.post(f"{PAGE}/webhooks", data={"address": "ftp://x"})
    assert (reply.status_code, webhooks.address) == (422, address)
    little_shop.client.post(f"{PAGE}/webhooks", data={"address": ""})
    assert webhooks.address is None


def test_the_next_notice_suffers_what_was_ordered(little_shop: LittleShop) -> None:
    shop = little_shop.shop
    shop.webhooks.send_to("http://127.0.0.1:4001/shopify", secret="hush")
    (order,) = [each for each in shop.orders.all if each.name == "#1002"]
    for accident in ("lose", "duplicate", "delay", "reorder"):
        assert little_shop.client.post(f"{PAGE}/accidents/{accident}").status_code == 303
    assert little_shop.client.post(f"{PAGE}/accidents/explode").status_code == 422
    line = order.lines[0].id
    counts = []
    for _ in range(4):
        shop.orders.edit(order.id, units={line: 2})
        shop.orders.refund(order.id, units={line: 1}, amount=order.due * 0)
        counts.append(len(shop.webhooks.waiting))
    assert counts == [0, 2, 3, 4]
    assert [each.is_overtaken for each in shop.webhooks.waiting] == [False, False, False, True]


@pytest.mark.parametrize("path", [f"{PAGE}/webhooks", f"{PAGE}/accidents/lose"])
def test_the_address_of_a_refusal_is_the_page(little_shop: LittleShop, path: str) -> None:
    assert little_shop.client.get(path).location == PAGE
