"""How gift cards paid an order: each step once, with the card it is about."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from giftcards.clients.shopify.payments import STEPS_ASKED_FOR
from giftcards.clients.shopify.points import Bucket
from giftcards.domain.money import Money
from giftcards.domain.orders import CardPayment, PaidOrder, PaymentKind
from giftcards.errors import AccessRefused, NotSent, VendorSurprise
from sandbox.faults import Fault
from sandbox.shopify.order_desk import CartLine, OrderPlan
from sandbox.shopify.orders import Order, TransactionKind, TransactionStatus
from sandbox.shopify.payments import Pay
from sandbox.shopify.shop import ALL_SCOPES
from tests.clients.shopify.counter import CODE, START, TOKEN, Counter, dollars, open_counter

FIFTY = CartLine("GIFT-CARD-50")
OTHER_CODE = "zyxwvuts43219999"
ORDER_ID = "gid://shopify/Order/1"
CARD_ID = "gid://shopify/GiftCard/523564253315"
RECEIPT = {"gift_card_id": 523564253315, "gift_card_last_characters": "mqpb"}


def step_id(number: int) -> str:
    return f"gid://shopify/OrderTransaction/{number}"


def step(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A step of a payment as Shopify tells it."""
    return {
        "id": step_id(number),
        "kind": "SALE",
        "status": "SUCCESS",
        "gateway": "gift_card",
        "test": False,
        "createdAt": "2026-11-23T17:00:00Z",
        "processedAt": "2026-11-23T17:00:00Z",
        "amountSet": {"shopMoney": {"amount": "50.0", "currencyCode": "USD"}},
        "receiptJson": RECEIPT,
        "parentTransaction": None,
    } | changes


def parent(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": step_id(number), "gateway": "gift_card", "receiptJson": None} | changes


def told(counter: Counter, *steps: object, **changes: Any) -> tuple[CardPayment, ...]:
    """What we read where Shopify answers so."""
    order: dict[str, Any] = {
        "id": ORDER_ID, "name": "#1001", "updatedAt": "2026-11-23T17:00:00Z", "test": False,
        "transactions": list(steps),
    }  # fmt: skip
    counter.answer_json({"data": {"order": order | changes}})
    read = counter.client.read_payments(ORDER_ID)
    assert read is not None
    return read.steps


def paid(counter: Counter, order: Order) -> PaidOrder:
    read = counter.client.read_payments(order.id)
    assert read is not None
    return read


def in_short(read: PaidOrder) -> list[tuple[str, str, str | None]]:
    return [(str(one.kind), str(one.amount), one.card_id) for one in read.steps]


# ---- which steps count ------------------------------------------------------------------------


def test_a_payment_by_card_is_read_with_its_card(counter: Counter) -> None:
    card = counter.card("30")
    order = counter.shop.orders.place([FIFTY], Pay(cards=[CODE]))
    sale = order.transactions[0]
    assert paid(counter, order) == PaidOrder(
        id=order.id,
        name="#1001",
        updated_at=START,
        is_test=False,
        steps=(
            CardPayment(
                id=sale.id,
                kind=PaymentKind.SALE,
                amount=dollars("30"),
                processed_at=START,
                parent_id=None,
                card_id=card.id,
                is_test=False,
            ),
        ),
    )


def test_an_order_without_a_card_has_no_steps(counter: Counter) -> None:
    order = counter.shop.orders.place([FIFTY], Pay())
    assert paid(counter, order).steps == ()
    assert counter.client.read_payments(ORDER_ID) is None


def test_two_cards_are_two_steps(counter: Counter) -> None:
    first, second = counter.card("20"), counter.card("30", code=OTHER_CODE)
    order = counter.shop.orders.place([FIFTY], Pay(cards=[CODE, OTHER_CODE], rest_by=None))
    assert in_short(paid(counter, order)) == [
        ("SALE", "20.00 USD", first.id),
        ("SALE", "30.00 USD", second.id),
    ]


def test_partial_captures_follow_the_authorisation(counter: Counter) -> None:
    card = counter.card("50")
    desk = counter.shop.orders
    order = desk.place([FIFTY], Pay(cards=[CODE], is_captured=False))
    desk.capture(order.id, Decimal(20))
    desk.capture(order.id, Decimal(10))
    desk.void(order.id)
    read = paid(counter, order)
    assert in_short(read) == [
        ("AUTHORIZATION", "50.00 USD", card.id),
        ("CAPTURE", "20.00 USD", card.id),
        ("CAPTURE", "10.00 USD", card.id),
        ("VOID", "20.00 USD", card.id),
    ]
    assert [one.parent_id for one in read.steps] == [None, *[read.steps[0].id] * 3]


@pytest.mark.parametrize(
    "status", [each for each in TransactionStatus if each is not TransactionStatus.SUCCESS]
)
def test_only_what_succeeded_moved_money(counter: Counter, status: TransactionStatus) -> None:
    counter.card("50")
    order = counter.shop.orders.place([FIFTY])
    counter.shop.orders.note_failed_payment(order.id, CODE, Decimal(50), status)
    assert paid(counter, order).steps == ()


def test_a_refund_to_another_tender_is_no_refund_to_the_card(counter: Counter) -> None:
    """It follows the card's sale, so whoever looked at the parent first would count it."""
    card = counter.card("50")
    desk = counter.shop.orders
    order = desk.place([CartLine("GIFT-CARD-25", 2)], Pay(cards=[CODE], rest_by=None))
    line = order.lines[0].id
    desk.refund(order.id, units={line: 1}, other_tender="cash")
    assert order.transactions[-1].parent_id == order.transactions[0].id
    assert in_short(paid(counter, order)) == [("SALE", "50.00 USD", card.id)]
    desk.refund(order.id, units={line: 1})
    assert in_short(paid(counter, order))[1:] == [("REFUND", "25.00 USD", card.id)]


def test_a_refund_in_cash_that_names_no_gateway_is_none_to_the_card(counter: Counter) -> None:
    sale = step(1)
    assert told(counter, sale, step(2, kind="REFUND", gateway=None))[1:] == ()
    assert told(counter, sale, step(2, kind="REFUND", gateway=""))[1:] == ()


def test_the_oldest_step_comes_first_whatever_their_order(counter: Counter) -> None:
    late = {"processedAt": "2026-11-23T17:00:09Z"}
    steps = [step(9), step(11, kind="REFUND", **late), step(10), step(2, **late)]
    assert [one.id for one in told(counter, *steps)] == [step_id(n) for n in (9, 10, 2, 11)]


def test_a_test_order_says_so(counter: Counter) -> None:
    counter.card("50")
    order = counter.shop.orders.place([FIFTY], Pay(cards=[CODE]), plan=OrderPlan(is_test=True))
    read = paid(counter, order)
    assert read.is_test
    assert read.steps[0].is_test


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 50), ("KWD", 50_000), ("USD", 5_000)])
def test_every_currency_is_read_by_its_own_decimals(currency: str, minor: int) -> None:
    counter = open_counter(currency=currency)
    counter.card("1000")
    order = counter.shop.orders.place([FIFTY], Pay(cards=[CODE]))
    assert paid(counter, order).steps[0].amount == Money(minor, currency)


# ---- which card -------------------------------------------------------------------------------


@pytest.mark.parametrize("is_text", [True, False])
def test_a_receipt_is_read_as_text_and_as_an_object(counter: Counter, is_text: bool) -> None:  # noqa: FBT001 - the two habits
    counter.shop.orders.receipts_are_text = is_text
    card = counter.card("50")
    order = counter.shop.orders.place([FIFTY], Pay(cards=[CODE]))
    assert paid(counter, order).steps[0].card_id == card.id


@pytest.mark.parametrize("is_text", [True, False])
@pytest.mark.parametrize(
    "silent",
    [
        frozenset({TransactionKind.REFUND}),
        frozenset({TransactionKind.REFUND, TransactionKind.CAPTURE}),
    ],
)
def test_a_receipt_without_the_card_falls_back_on_what_it_follows(
    counter: Counter,
    silent: frozenset[TransactionKind],
    is_text: bool,  # noqa: FBT001 - the two habits
) -> None:
    desk = counter.shop.orders
    desk.receipts_are_text, desk.kinds_without_receipt = is_text, silent
    card = counter.card("50")
    order = desk.place([FIFTY], Pay(cards=[CODE], is_captured=False))
    desk.capture(order.id)
    desk.refund(order.id)
    read = paid(counter, order)
    assert [str(one.kind) for one in read.steps] == ["AUTHORIZATION", "CAPTURE", "REFUND"]
    assert [one.card_id for one in read.steps] == [card.id] * 3


def test_the_card_is_none_where_nobody_tells(counter: Counter) -> None:
    counter.shop.orders.kinds_without_receipt = frozenset(TransactionKind)
    counter.card("50")
    order = counter.shop.orders.place([FIFTY], Pay(cards=[CODE]))
    counter.shop.orders.refund(order.id)
    read = paid(counter, order)
    assert [one.card_id for one in read.steps] == [None, None]
    assert read.steps[1].parent_id == read.steps[0].id


def test_a_steps_own_receipt_counts_before_that_of_what_it_follows(counter: Counter) -> None:
    other = {"gift_card_id": 77}
    refund = step(2, kind="REFUND", receiptJson=other, parentTransaction=parent(1))
    assert [one.card_id for one in told(counter, step(1), refund)] == [
        CARD_ID,
        "gid://shopify/GiftCard/77",
    ]


def test_what_a_step_follows_may_be_told_beside_it_only(counter: Counter) -> None:
    refund = step(
        2, kind="REFUND", receiptJson=None, parentTransaction=parent(1, receiptJson=RECEIPT)
    )
    assert [one.card_id for one in told(counter, refund)] == [CARD_ID]
    by_card = parent(1, receiptJson=RECEIPT, gateway="shopify_payments")
    refund = step(2, kind="REFUND", receiptJson=None, parentTransaction=by_card)
    assert [one.card_id for one in told(counter, refund)] == [None]


def test_steps_that_follow_each_other_in_a_circle_end(counter: Counter) -> None:
    one = step(1, receiptJson=None, parentTransaction=parent(2))
    other = step(2, receiptJson=None, parentTransaction=parent(1))
    assert [each.card_id for each in told(counter, one, other)] == [None, None]


@pytest.mark.parametrize(
    "receipt",
    [
        json.dumps(RECEIPT),
        {"gift_card_id": "523564253315"},
        {"gift_card_id": CARD_ID},
        {"gift_card_id": 523564253315, "more": {"to": "come"}},
    ],
)
def test_receipts_that_name_the_card(counter: Counter, receipt: object) -> None:
    assert told(counter, step(receiptJson=receipt))[0].card_id == CARD_ID


@pytest.mark.parametrize(
    "receipt",
    [
        None, "", "null", "not json", "[]", "7", [], {}, 7, True,
        {"gift_card_id": None}, {"gift_card_id": ""}, {"gift_card_id": 0},
        {"gift_card_id": True}, {"gift_card_id": 1.5}, {"gift_card_id": "mqpb"},
        {"gift_card_id": -5}, {"gift_card_id": [5]}, {"gift_card_id": "5?x=1"},
        {"gift_card_id": "5\n"}, {"gift_card_id": "٥"},
        {"gift_card_last_characters": "mqpb"}, json.dumps({"gift_card_id": None}),
        "\ud800", '{"gift_card_id": 1e400}', '{"gift_card_id": NaN}',
    ],
)  # fmt: skip
def test_receipts_that_name_no_card(counter: Counter, receipt: object) -> None:
    assert told(counter, step(receiptJson=receipt))[0].card_id is None


# ---- a list that is cut -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "lists"),
    [
        (1, [20]), (19, [20]), (20, [20, 100]), (21, [20, 100]), (99, [20, 100]),
        (100, [20, 100, 250]), (101, [20, 100, 250]), (249, [20, 100, 250]),
    ],
)  # fmt: skip
def test_every_step_is_read_however_many(counter: Counter, count: int, lists: list[int]) -> None:
    counter.card("100")
    desk = counter.shop.orders
    order = desk.place([FIFTY], Pay(cards=[CODE]))
    for _ in range(count - 1):
        desk.refund(order.id, units={}, amount=Decimal("0.01"))
    read = paid(counter, order)
    assert len({one.id for one in read.steps}) == len(read.steps) == count
    assert [asked(request) for request in counter.adapter.sent] == lists


def asked(request: Any) -> int:
    return int(json.loads(request.body)["variables"]["count"])


def test_a_list_that_is_full_to_the_brim_is_never_taken_for_whole(counter: Counter) -> None:
    counter.card("100")
    desk = counter.shop.orders
    order = desk.place([FIFTY], Pay(cards=[CODE]))
    for _ in range(249):
        desk.refund(order.id, units={}, amount=Decimal("0.01"))
    with pytest.raises(VendorSurprise, match="250 payments or more"):
        counter.client.read_payments(order.id)


def test_no_list_costs_more_than_a_question_may() -> None:
    bucket = Bucket()
    costs = [bucket.points_of("read_payments", {"count": count}) for count in STEPS_ASKED_FOR]
    assert costs == [61, 301, 751]


def test_the_price_of_a_long_list_is_not_taken_for_that_of_a_short_one(counter: Counter) -> None:
    counter.card("100")
    desk = counter.shop.orders
    order = desk.place([FIFTY], Pay(cards=[CODE]))
    for _ in range(150):
        desk.refund(order.id, units={}, amount=Decimal("0.01"))
    paid(counter, order)
    left = counter.shop.throttle_status().currently_available
    assert counter.shop.spend_points(left - 62)
    counter.client.shop_facts()
    short = desk.place([FIFTY], Pay(cards=[CODE]))
    before = counter.now
    assert len(paid(counter, short).steps) == 1
    assert counter.now == before  # 61 points are there: nothing to wait for


# ---- what cannot be read ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"kind": None},
        {"kind": "CHANGE"},
        {"kind": "SUGGESTED_REFUND"},
        {"status": None},
        {"gateway": 7},
        {"test": None},
        {"amountSet": None},
        {"amountSet": {"shopMoney": None}},
        {"amountSet": {"shopMoney": {"amount": "1.005", "currencyCode": "USD"}}},
        {"processedAt": None, "createdAt": None},
        {"processedAt": "2026-11-23T17:00:00"},
        {"parentTransaction": {"id": None, "gateway": "gift_card", "receiptJson": None}},
    ],
)
def test_a_step_that_cannot_be_read_is_a_surprise(
    counter: Counter, changes: dict[str, Any]
) -> None:
    with pytest.raises(VendorSurprise):
        told(counter, step(**changes))


def test_a_strange_step_of_another_gateway_is_none_of_ours(counter: Counter) -> None:
    assert told(counter, step(gateway="cash", kind="CHANGE", amountSet=None)) == ()


def test_a_step_may_lack_the_time_it_was_processed(counter: Counter) -> None:
    (one,) = told(counter, step(processedAt=None, createdAt="2026-11-23T17:00:07Z"))
    assert one.processed_at == datetime(2026, 11, 23, 17, 0, 7, tzinfo=UTC)


@pytest.mark.parametrize("field", ["id", "name", "updatedAt", "test", "transactions"])
def test_what_an_order_must_not_leave_out(counter: Counter, field: str) -> None:
    with pytest.raises(VendorSurprise):
        told(counter, **{field: None})


@pytest.mark.parametrize(
    "fault", [Fault.THROTTLE, Fault.THROTTLE_429, Fault.DROP_REPLY, Fault.FAIL_AFTER]
)
def test_payments_that_cannot_be_read_now_are_for_the_next_run(
    counter: Counter, fault: Fault
) -> None:
    order = counter.shop.orders.place([FIFTY], Pay())
    counter.shop.faults.add(fault, operation="order")
    with pytest.raises(NotSent):
        counter.client.read_payments(order.id)


def test_orders_we_may_not_see(counter: Counter) -> None:
    old = counter.shop.orders.place([FIFTY], Pay(), at=START - timedelta(days=61))
    assert counter.client.read_payments(old.id) is not None
    counter.shop.add_static_token(TOKEN, scopes=ALL_SCOPES - {"read_all_orders"})
    assert counter.client.read_payments(old.id) is None
    counter.shop.add_static_token(TOKEN, scopes=ALL_SCOPES - {"read_orders"})
    with pytest.raises(AccessRefused):
        counter.client.read_payments(old.id)
