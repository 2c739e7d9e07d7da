"""The orders of the seeded day are what they say they are."""

from datetime import timedelta
from decimal import Decimal

import pytest

from sandbox.seed import Day
from sandbox.seed_orders import ExpectedOfOrder, SeededOrder
from sandbox.shopify import Order
from sandbox.shopify.catalog import RECIPIENT_EMAIL, SEND_ON, THEME
from sandbox.shopify.orders import GIFT_CARD, FinancialStatus, Recommendation
from tests.sandbox.pages.little_shop import LittleShop

OUR_SKU = "GIFT-CARD-"


@pytest.fixture
def day(little_shop: LittleShop) -> Day:
    return little_shop.day


def orders_of(
    little_shop: LittleShop, *expected: ExpectedOfOrder
) -> list[tuple[SeededOrder, Order]]:
    found = [
        (each, little_shop.shop.orders.get(each.id))
        for each in little_shop.day.orders
        if each.expected in expected
    ]
    assert found
    return found


def our_units(order: Order) -> int:
    return sum(
        line.current_quantity for line in order.lines if (line.sku or "").startswith(OUR_SKU)
    )


def test_there_is_an_order_for_everything_that_can_be_expected(day: Day) -> None:
    assert {each.expected for each in day.orders} == set(ExpectedOfOrder)
    assert len({each.why for each in day.orders}) == len(day.orders)


def test_all_orders_are_seeded_ones_and_stand_in_their_order(little_shop: LittleShop) -> None:
    orders = little_shop.shop.orders.all
    assert [each.id for each in orders] == [each.id for each in little_shop.day.orders]
    moments = [order.processed_at for order in orders]
    assert moments == sorted(moments)
    now = little_shop.shop.now()
    assert all(now - at < timedelta(minutes=7) for at in moments[1:])
    (old,) = orders_of(little_shop, ExpectedOfOrder.NEVER_TOUCHED)
    assert old[1].processed_at < little_shop.day.live_from < moments[1]
    assert not any(order.tags for order in orders)


def test_cards_are_to_be_made_for_every_unit_that_is_left(little_shop: LittleShop) -> None:
    for seeded, order in orders_of(little_shop, ExpectedOfOrder.ISSUED):
        assert our_units(order) == seeded.cards_to_make > 0, seeded.why
        assert order.status in {FinancialStatus.PAID, FinancialStatus.PARTIALLY_REFUNDED}
        assert order.risk.recommendation is Recommendation.ACCEPT
        assert not order.is_test
        addresses = {
            dict(line.properties).get(RECIPIENT_EMAIL, order.email)
            for line in order.lines
            if (line.sku or "").startswith(OUR_SKU)
        }
        assert addresses == seeded.recipients, seeded.why
    for seeded in little_shop.day.orders:
        is_issued = seeded.expected is ExpectedOfOrder.ISSUED
        assert (seeded.cards_to_make > 0) == bool(seeded.recipients) == is_issued


def test_they_cover_gifts_later_days_several_lines_and_a_refund(little_shop: LittleShop) -> None:
    issued = [order for _, order in orders_of(little_shop, ExpectedOfOrder.ISSUED)]
    properties = [dict(line.properties) for order in issued for line in order.lines]
    assert any(THEME in each for each in properties)
    assert any(SEND_ON in each for each in properties)
    assert any(len(order.lines) > 1 for order in issued)
    assert any(order.status is FinancialStatus.PARTIALLY_REFUNDED for order in issued)


def test_no_card_is_to_be_made_where_nobody_paid_real_money(little_shop: LittleShop) -> None:
    reasons = [
        (order.is_test, order.cancelled_at is not None)
        for _, order in orders_of(little_shop, ExpectedOfOrder.NO_CARD)
    ]
    assert sorted(reasons) == [(False, True), (True, False)]
    reasons = [
        (order.status is FinancialStatus.PENDING, order.risk.is_assessed)
        for _, order in orders_of(little_shop, ExpectedOfOrder.WAITS)
    ]
    assert sorted(reasons) == [(False, False), (True, True)]
    reasons = [
        (order.email is None, order.risk.recommendation is Recommendation.CANCEL)
        for _, order in orders_of(little_shop, ExpectedOfOrder.HELD)
    ]
    assert sorted(reasons) == [(False, True), (True, False)]


def test_a_native_card_exists_already(little_shop: LittleShop) -> None:
    ((_, order),) = orders_of(little_shop, ExpectedOfOrder.MIRRORED)
    (card_id,) = order.lines[0].native_card_ids
    assert little_shop.shop.card(card_id).created_at > little_shop.day.live_from
    assert [mail.to for mail in little_shop.shop.orders.mails] == [order.email]


def test_what_orders_took_off_cards_is_said(little_shop: LittleShop, day: Day) -> None:
    paying: list[str] = []
    for seeded, order in orders_of(little_shop, *ExpectedOfOrder):
        cards = {each.card_id for each in order.transactions if each.gateway == GIFT_CARD}
        assert set(seeded.moved) == cards, seeded.why
        spends = seeded.expected in {ExpectedOfOrder.SPENT, ExpectedOfOrder.SKIPPED}
        assert bool(cards) == spends, seeded.why
        for card_id, moved in seeded.moved.items():
            card = little_shop.shop.card(card_id)
            assert moved == card.balance - card.initial_value
            is_historical = card.created_at < day.live_from
            assert is_historical == (seeded.expected is ExpectedOfOrder.SKIPPED)
            paying.append(card_id)
    assert len(paying) == len(set(paying)), "no order depends on another"
    redeemed = {row.code for row in day.rows if row.expected.is_outcome}
    assert not redeemed & {little_shop.shop.card(each).code for each in paying}
    (given_back,) = [
        seeded
        for seeded, order in orders_of(little_shop, ExpectedOfOrder.SPENT)
        if order.refunded > 0
    ]
    assert list(given_back.moved.values()) == [Decimal(-34)]


def test_customers_of_orders_are_nobody_else(little_shop: LittleShop, day: Day) -> None:
    """So that a test can look for their mails without finding others."""
    others = {sale.recipient for sale in day.sales} | {check.email for check in day.checks}
    others |= {sale.purchaser for sale in day.sales if sale.purchaser}
    assert not others & {order.email for order in little_shop.shop.orders.all}
    assert not others & {each for seeded in day.orders for each in seeded.recipients}
