"""Orders: what they cost, who paid, what was given back, and what it did to the gift cards."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from sandbox.shopify import CartLine, GiftCard, Order, OrderPlan, Orders, Pay, Refusal
from sandbox.shopify.catalog import MESSAGE, RECIPIENT_EMAIL, RECIPIENT_NAME, SEND_ON
from sandbox.shopify.orders import (
    CancelReason,
    DisputeStatus,
    FinancialStatus,
    Recommendation,
    SourceName,
    TransactionKind,
    TransactionStatus,
)
from tests.sandbox.shopify.harness import NOON, Caller
from tests.snapshots import Snapshot

FIFTY = CartLine("GIFT-CARD-50")
LANTERN = CartLine("LANTERN-S")  # 34.00


@pytest.fixture
def orders(caller: Caller) -> Orders:
    return caller.shop.orders


def card_of(caller: Caller, amount: int) -> GiftCard:
    return caller.shop.issue_card(amount=amount)


def kinds(order: Order) -> list[tuple[str, str, Decimal]]:
    return [(str(each.kind), each.gateway, each.amount) for each in order.transactions]


def status_of(order: Order) -> FinancialStatus:
    return order.status


def native(orders: Orders) -> str:
    (product,) = [each for each in orders.products if each.is_gift_card]
    return product.variants[0].id


# ---- paying ----


def test_an_order_paid_by_credit_card_is_paid(orders: Orders) -> None:
    order = orders.place([FIFTY, CartLine("LANTERN-S", 2)], Pay())
    assert (order.name, order.status, order.due) == ("#1001", FinancialStatus.PAID, Decimal(118))
    assert kinds(order) == [("SALE", "shopify_payments", Decimal(118))]
    assert orders.place([LANTERN], Pay()).name == "#1002"
    assert orders.all[0] is order


def test_cards_pay_first_and_the_credit_card_the_rest(caller: Caller, orders: Orders) -> None:
    first, second = card_of(caller, 20), card_of(caller, 100)
    typed = f"{first.code[:4]}-{first.code[4:]}".upper()
    order = orders.place([FIFTY], Pay([typed, (second.code, Decimal(15))]))
    assert kinds(order) == [
        ("SALE", "gift_card", Decimal(20)),
        ("SALE", "gift_card", Decimal(15)),
        ("SALE", "shopify_payments", Decimal(15)),
    ]
    assert (first.balance, second.balance) == (Decimal(0), Decimal(85))
    assert order.transactions[0].receipt == {
        "gift_card_id": first.number,
        "gift_card_last_characters": first.last_characters,
    }
    assert first.transactions == []  # the checkout debits without a movement on the card
    assert order.status is FinancialStatus.PAID


@pytest.mark.parametrize(
    "pay",
    [
        lambda code: Pay([code], rest_by=None),  # 20 does not cover 50
        lambda code: Pay([(code, Decimal("20.01"))]),
        lambda code: Pay([(code, Decimal(0))]),
        lambda code: Pay([code, code]),
        lambda code: Pay([code, "no-such-code"]),
    ],
)
def test_a_refused_payment_leaves_no_order_and_takes_nothing(
    caller: Caller, orders: Orders, pay: Callable[[str], Pay]
) -> None:
    card = card_of(caller, 20)
    with pytest.raises(Refusal):
        orders.place([FIFTY], pay(card.code))
    assert card.balance == 20
    assert orders.all == []


def test_a_second_card_that_is_refused_leaves_the_first_alone(
    caller: Caller, orders: Orders
) -> None:
    first, second = card_of(caller, 20), card_of(caller, 100)
    for amount in (Decimal("100.01"), Decimal("30.01")):  # more than it has, more than is due
        with pytest.raises(Refusal, match="not enough"):
            orders.place([FIFTY], Pay([first.code, (second.code, amount)]))
    assert (first.balance, second.balance) == (Decimal(20), Decimal(100))


def test_no_card_pays_that_is_empty_expired_or_deactivated(caller: Caller, orders: Orders) -> None:
    shop = caller.shop
    empty, ended, expired = (card_of(caller, 50) for _ in range(3))
    shop.spend_on_web(empty.id, 50)
    shop.deactivate(ended.id)
    shop.update(expired.id, expires_on=shop.today() - timedelta(days=1))
    for card in (empty, ended, expired):
        with pytest.raises(Refusal):
            orders.place([FIFTY], Pay([card.code]))
    with pytest.raises(Refusal, match="empty"):
        orders.place([], Pay())
    with pytest.raises(Refusal, match="not sell"):
        orders.place([CartLine("NOTHING")], Pay())
    with pytest.raises(Refusal, match="quantity"):
        orders.place([CartLine("LANTERN-S", 0)], Pay())


def test_a_pending_order_is_paid_later(caller: Caller, orders: Orders) -> None:
    plan = OrderPlan(email=None, customer_name=None, source_name=SourceName.DRAFT)
    order = orders.place([FIFTY], plan=plan)
    assert (order.status, order.transactions) == (FinancialStatus.PENDING, [])
    caller.clock.advance(60)
    orders.pay(order.id, Pay(rest_by="manual"))
    assert order.status is FinancialStatus.PAID
    assert order.updated_at == NOON + timedelta(seconds=60)
    with pytest.raises(Refusal, match="nothing to pay"):
        orders.pay(order.id, Pay())


def test_an_authorisation_reserves_a_capture_takes_and_a_void_gives_back(
    caller: Caller, orders: Orders
) -> None:
    card = card_of(caller, 30)
    order = orders.place([FIFTY], Pay([card.code], is_captured=False))
    assert status_of(order) is FinancialStatus.AUTHORIZED
    assert (card.balance, order.received, order.reserved) == (Decimal(0), Decimal(0), Decimal(50))
    with pytest.raises(Refusal, match="more than"):
        orders.capture(order.id, Decimal(51))

    orders.capture(order.id, Decimal(10))
    assert status_of(order) is FinancialStatus.PARTIALLY_PAID
    orders.capture(order.id, Decimal(25))
    assert kinds(order)[2:] == [
        ("CAPTURE", "gift_card", Decimal(10)),
        ("CAPTURE", "gift_card", Decimal(20)),
        ("CAPTURE", "shopify_payments", Decimal(5)),
    ]
    assert order.transactions[2].parent_id == order.transactions[0].id
    assert card.balance == 0  # a capture takes nothing twice

    orders.void(order.id)
    assert kinds(order)[-1] == ("VOID", "shopify_payments", Decimal(15))
    assert (card.balance, order.received, order.reserved) == (Decimal(0), Decimal(35), Decimal(0))
    with pytest.raises(Refusal, match="Nothing is authorised"):
        orders.void(order.id)


def test_a_voided_authorisation_of_a_card_is_back_on_it(caller: Caller, orders: Orders) -> None:
    card = card_of(caller, 80)
    order = orders.place([FIFTY], Pay([card.code], is_captured=False))
    orders.capture(order.id, Decimal(20))
    orders.void(order.id)
    assert card.balance == 60
    other = orders.place([FIFTY], Pay([card.code], is_captured=False))
    orders.void(other.id)
    assert (card.balance, other.status) == (Decimal(60), FinancialStatus.VOIDED)


def test_the_whole_order_is_captured_at_once(orders: Orders) -> None:
    order = orders.place([FIFTY], Pay(is_captured=False))
    orders.capture(order.id)
    assert order.status is FinancialStatus.PAID


def test_a_failed_payment_stands_on_the_order_and_moves_nothing(
    caller: Caller, orders: Orders
) -> None:
    card = card_of(caller, 80)
    order = orders.place([FIFTY])
    orders.note_failed_payment(order.id, card.code, Decimal(50))
    orders.note_failed_payment(order.id, card.code, Decimal(50), TransactionStatus.PENDING)
    assert [each.status for each in order.transactions] == ["FAILURE", "PENDING"]
    assert order.transactions[0].receipt["gift_card_id"] == card.number
    assert (card.balance, order.received, order.status) == (
        Decimal(80),
        Decimal(0),
        FinancialStatus.PENDING,
    )


def test_test_orders_are_paid_at_the_bogus_gateway(orders: Orders) -> None:
    order = orders.place([FIFTY, CartLine(native(orders))], Pay(), plan=OrderPlan(is_test=True))
    assert (order.is_test, order.transactions[0].gateway) == (True, "bogus")
    assert orders.mails == []  # and no native card is made
    assert order.lines[1].native_card_ids == []


# ---- giving back ----


def test_a_full_refund_goes_back_where_it_came_from(caller: Caller, orders: Orders) -> None:
    first, second = card_of(caller, 20), card_of(caller, 10)
    order = orders.place([FIFTY, LANTERN], Pay([first.code, second.code]))
    refund = orders.refund(order.id, note="wrong size")
    assert order.status is FinancialStatus.REFUNDED
    assert (first.balance, second.balance) == (Decimal(20), Decimal(10))
    assert [line.current_quantity for line in order.lines] == [0, 0]
    assert (refund.total, refund.note, len(refund.lines)) == (Decimal(84), "wrong size", 2)
    written = [order.transaction(each) for each in refund.transaction_ids]
    sales = order.transactions[:3]
    assert [each and each.parent_id for each in written] == [sale.id for sale in sales]
    assert [each and each.receipt for each in written] == [sale.receipt for sale in sales]
    with pytest.raises(Refusal):
        orders.refund(order.id)


def test_a_refund_by_unit_takes_the_oldest_payment_first(caller: Caller, orders: Orders) -> None:
    card = card_of(caller, 60)
    order = orders.place([CartLine("GIFT-CARD-50", 3), LANTERN], Pay([card.code]))
    (line, _) = order.lines
    orders.refund(order.id, units={line.id: 1})
    assert (line.quantity, line.current_quantity) == (3, 2)
    assert (card.balance, order.status) == (Decimal(50), FinancialStatus.PARTIALLY_REFUNDED)
    orders.refund(order.id, units={line.id: 1})
    assert card.balance == 60  # only ten were left of what it had paid
    assert order.transactions[-1].gateway == "shopify_payments"
    with pytest.raises(Refusal, match="more units"):
        orders.refund(order.id, units={line.id: 2})


def test_units_and_money_may_part(caller: Caller, orders: Orders) -> None:
    card = card_of(caller, 60)
    order = orders.place([FIFTY], Pay([card.code]))
    orders.refund(order.id, units={order.lines[0].id: 1}, amount=Decimal(0))
    assert (order.status, order.lines[0].current_quantity) == (FinancialStatus.PAID, 0)
    orders.refund(order.id, units={}, amount=Decimal("12.50"))
    assert card.balance == Decimal("22.50")
    too_much, nothing = "more than what was paid", "nothing to refund"
    for amount, said in (("37.51", too_much), ("-1", too_much), ("0", nothing)):
        with pytest.raises(Refusal, match=said):
            orders.refund(order.id, units={}, amount=Decimal(amount))


def test_shares_say_which_payment_gives_how_much(caller: Caller, orders: Orders) -> None:
    card = card_of(caller, 20)
    order = orders.place([FIFTY], Pay([card.code]))
    by_card, by_bank = (each.id for each in order.transactions)
    shares = {by_card: Decimal(5), by_bank: Decimal(25)}
    orders.refund(order.id, units={}, amount=Decimal(30), shares=shares)
    assert card.balance == 5
    for wrong in ({by_card: Decimal(16)}, {by_card: Decimal(1)}):
        with pytest.raises(Refusal):
            orders.refund(order.id, units={}, amount=Decimal(16), shares=wrong)
    assert card.balance == 5


def test_a_refund_to_another_tender_leaves_the_card_alone(caller: Caller, orders: Orders) -> None:
    card = card_of(caller, 50)
    order = orders.place([FIFTY], Pay([card.code]))
    orders.refund(order.id, other_tender="cash")
    refund = order.transactions[-1]
    assert (refund.gateway, refund.receipt, refund.card_id) == ("cash", {}, None)
    assert refund.parent_id == order.transactions[0].id
    assert (card.balance, order.status) == (Decimal(0), FinancialStatus.REFUNDED)


def test_an_expired_card_takes_its_refund_and_a_deactivated_one_does_not(
    caller: Caller, orders: Orders
) -> None:
    expired, ended = card_of(caller, 30), card_of(caller, 30)
    order = orders.place([FIFTY], Pay([expired.code, ended.code]))
    caller.shop.update(expired.id, expires_on=caller.shop.today() - timedelta(days=1))
    caller.shop.deactivate(ended.id)
    with pytest.raises(Refusal, match="deactivated"):
        orders.refund(order.id)
    with pytest.raises(Refusal, match="deactivated"):
        orders.cancel(order.id)
    assert (expired.balance, order.refunds, order.cancelled_at) == (Decimal(0), [], None)
    orders.refund(order.id, units={}, amount=Decimal(30))
    assert expired.balance == 30
    orders.refund(order.id, other_tender="manual")
    assert order.status is FinancialStatus.REFUNDED


def test_receipts_can_leave_the_card_out(caller: Caller, orders: Orders) -> None:
    card = card_of(caller, 50)
    orders.kinds_without_receipt = frozenset({TransactionKind.REFUND, TransactionKind.CAPTURE})
    order = orders.place([FIFTY], Pay([card.code], is_captured=False))
    orders.capture(order.id)
    orders.refund(order.id)
    named = [(each.kind, bool(each.receipt), each.gateway) for each in order.transactions]
    assert named == [
        ("AUTHORIZATION", True, "gift_card"),
        ("CAPTURE", False, "gift_card"),
        ("REFUND", False, "gift_card"),
    ]
    assert card.balance == 50


@pytest.mark.parametrize("shows", [True, False])
def test_the_checkout_may_show_among_a_cards_movements(caller: Caller, shows: bool) -> None:  # noqa: FBT001 - a case
    shop = caller.shop
    shop.checkout_in_transactions = shows
    card = card_of(caller, 50)
    order = shop.orders.place([LANTERN], Pay([card.code]))
    shop.orders.refund(order.id)
    assert card.balance == 50
    assert [each.amount for each in card.transactions] == ([-34, 34] if shows else [])


# ---- cancelling and editing ----


def test_a_cancelled_order_gives_everything_back(caller: Caller, orders: Orders) -> None:
    card = card_of(caller, 30)
    order = orders.place([FIFTY], Pay([card.code]))
    orders.cancel(order.id, CancelReason.FRAUD)
    assert (order.cancelled_at, order.cancel_reason) == (NOON, "FRAUD")
    assert (card.balance, order.status) == (Decimal(30), FinancialStatus.REFUNDED)
    assert order.lines[0].current_quantity == 0
    with pytest.raises(Refusal, match="already"):
        orders.cancel(order.id)


def test_a_cancelled_order_without_payment_is_voided(caller: Caller, orders: Orders) -> None:
    card = card_of(caller, 50)
    pending = orders.place([FIFTY])
    held = orders.place([FIFTY], Pay([card.code], is_captured=False))
    for order in (pending, held):
        orders.cancel(order.id)
        assert order.status is FinancialStatus.VOIDED
        assert order.lines[0].current_quantity == 0
        assert [refund.transaction_ids for refund in order.refunds] == [()]
    assert card.balance == 50
    with pytest.raises(Refusal, match="nothing to pay"):
        orders.pay(pending.id, Pay())


def test_an_order_can_be_cancelled_without_giving_anything_back(
    caller: Caller, orders: Orders
) -> None:
    card = card_of(caller, 50)
    order = orders.place([FIFTY], Pay([card.code]))
    orders.cancel(order.id, is_refunded=False)
    assert (card.balance, order.status) == (Decimal(0), FinancialStatus.PAID)
    assert order.lines[0].current_quantity == 1
    with pytest.raises(Refusal, match="cancelled"):
        orders.edit(order.id, add=[LANTERN])


def test_an_added_unit_is_to_be_paid(orders: Orders) -> None:
    order = orders.place([FIFTY], Pay())
    orders.edit(order.id, units={order.lines[0].id: 2}, add=[LANTERN])
    assert (order.is_edited, order.status) == (True, FinancialStatus.PARTIALLY_PAID)
    assert [(line.quantity, line.current_quantity) for line in order.lines] == [(2, 2), (1, 1)]
    assert order.outstanding == 84
    orders.pay(order.id, Pay())
    assert order.status is FinancialStatus.PAID


def test_a_removed_unit_leaves_money_to_give_back(caller: Caller, orders: Orders) -> None:
    card = card_of(caller, 100)
    order = orders.place([CartLine("GIFT-CARD-50", 2)], Pay([card.code]))
    orders.edit(order.id, units={order.lines[0].id: 1})
    assert (order.lines[0].quantity, order.lines[0].current_quantity) == (2, 1)
    assert (order.status, order.outstanding, card.balance) == (
        FinancialStatus.PAID,
        Decimal(-50),
        Decimal(0),
    )
    orders.refund(order.id, units={}, amount=Decimal(50))
    assert (card.balance, order.lines[0].current_quantity) == (Decimal(50), 1)
    with pytest.raises(Refusal, match="no such line"):
        orders.edit(order.id, units={"gid://shopify/LineItem/1": 1})


# ---- risk, disputes, tags ----


def test_the_risk_is_assessed_after_a_while_and_does_not_touch_the_order(
    caller: Caller, orders: Orders
) -> None:
    orders.risk_delay_seconds = 90
    order = orders.place([FIFTY], Pay(), plan=OrderPlan(risk=Recommendation.CANCEL))
    caller.clock.advance(89)
    assert not orders.get(order.id).risk.is_assessed
    assert order.risk.recommendation is Recommendation.NONE
    version = caller.shop.version
    caller.clock.advance(1)
    assert orders.get(order.id).risk.recommendation is Recommendation.CANCEL
    assert order.updated_at == NOON
    assert caller.shop.version > version


def test_a_sale_at_a_till_is_never_assessed(caller: Caller, orders: Orders) -> None:
    plan = OrderPlan(source_name=SourceName.POS, risk=Recommendation.ACCEPT)
    order = orders.place([FIFTY], Pay(rest_by="cash"), plan=plan)
    caller.clock.advance(3600)
    assert not orders.get(order.id).risk.is_assessed


def test_a_chargeback_is_listed_and_moves_nothing(orders: Orders) -> None:
    order = orders.place([FIFTY], Pay())
    with pytest.raises(Refusal):
        orders.decide_dispute(order.id, DisputeStatus.LOST)
    orders.charge_back(order.id)
    orders.decide_dispute(order.id, DisputeStatus.LOST)
    assert [each.status for each in order.disputes] == ["LOST"]
    assert (order.status, len(order.transactions)) == (FinancialStatus.PAID, 1)


def test_a_tag_is_there_once_whatever_its_capitals(orders: Orders) -> None:
    order = orders.place([FIFTY], Pay())
    orders.add_tags(order.id, ["Gift Cards Issued", " gift cards issued ", "vip", ""])
    assert order.tags == ["Gift Cards Issued", "vip"]
    orders.remove_tags(order.id, ["VIP", "never there"])
    assert order.tags == ["Gift Cards Issued"]
    with pytest.raises(Refusal, match="characters"):
        orders.add_tags(order.id, ["x" * 41])
    with pytest.raises(Refusal, match="does not exist"):
        orders.add_tags("gid://shopify/Order/1", ["vip"])


# ---- native cards ----


def test_native_cards_are_made_when_they_are_paid_and_mailed_to_whom_they_are_for(
    caller: Caller, orders: Orders
) -> None:
    gift = {
        RECIPIENT_NAME: "Rosa",
        RECIPIENT_EMAIL: "rosa@customers.example.com",
        MESSAGE: "For the trip.",
        SEND_ON: "2026-11-25",
    }
    cart = [CartLine(native(orders), 2), CartLine(native(orders), 1, gift), LANTERN]
    order = orders.place(cart)
    assert caller.shop.cards == []
    orders.pay(order.id, Pay())
    cards = caller.shop.cards
    assert [(card.balance, card.source) for card in cards] == [(Decimal(30), "purchased")] * 3
    assert [len(line.native_card_ids) for line in order.lines] == [2, 1, 0]

    own = orders.mails
    assert [mail.to for mail in own] == ["customer@customers.example.com"] * 2
    caller.clock.advance(36 * 3600)  # midnight in New York has passed
    (for_rosa,) = [mail for mail in orders.mails if mail not in own]
    assert for_rosa.to == "rosa@customers.example.com"
    assert "For the trip." in for_rosa.text
    for mail, card in zip([*own, for_rosa], cards, strict=True):
        assert card.code in mail.text.replace(" ", "").lower()
        assert card.code not in repr(mail)


def test_a_native_card_that_an_edit_adds_is_made_once_it_is_paid(
    caller: Caller, orders: Orders
) -> None:
    order = orders.place([CartLine(native(orders))], Pay())
    orders.edit(order.id, units={order.lines[0].id: 2})
    assert len(caller.shop.cards) == 1
    orders.pay(order.id, Pay())
    assert len(caller.shop.cards) == 2
    orders.add_tags(order.id, ["vip"])
    assert len(caller.shop.cards) == 2


def test_a_moment_of_a_shop_with_orders_can_be_kept(caller: Caller) -> None:
    """Tests of crashes go back to one beginning again and again."""
    shop = caller.shop
    card = card_of(caller, 50)
    order = shop.orders.place([FIFTY], Pay([card.code]), plan=OrderPlan(risk_after_seconds=60))
    kept = Snapshot.of([shop, caller.clock])
    shop.orders.refund(order.id)
    kept.restore()
    (again,) = shop.orders.all
    assert (again.status, shop.cards[0].balance) == (FinancialStatus.PAID, Decimal(0))
    caller.clock.advance(60)
    assert shop.orders.get(order.id).risk.is_assessed
    shop.orders.refund(order.id)
    assert shop.cards[0].balance == 50
