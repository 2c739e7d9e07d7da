"""Taking money off a card: once, and afterwards it can be found out whether it happened."""

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
import requests

from giftcards.clients.shopify import moving
from giftcards.domain.cards import Debited, DebitRefused, InsufficientFunds, Movement
from giftcards.domain.money import Money
from giftcards.errors import (
    AccessRefused,
    NotSent,
    Unconfirmed,
    VendorSurprise,
)
from sandbox.faults import Fault
from sandbox.shopify.shop import ALL_SCOPES
from tests.clients.shopify.counter import REFERENCE, TOKEN, Counter, dollars, open_counter

THREE = dollars("3")


def debit(counter: Counter, card_id: str, amount: Money = THREE) -> object:
    return counter.client.debit(card_id, amount=amount, reference=REFERENCE)


def balance(counter: Counter, card_id: str) -> Decimal:
    return counter.shop.card(card_id).balance


def test_a_debit_tells_its_transaction_and_the_balance_after_it(counter: Counter) -> None:
    card = counter.card("25")
    reply = debit(counter, card.id, dollars("3.05"))
    (transaction,) = counter.shop.card(card.id).transactions
    assert reply == Debited(transaction_id=transaction.id, balance_after=dollars("21.95"))
    assert transaction.note == REFERENCE
    sent = json.loads(counter.adapter.sent[-1].body or b"")
    assert sent["variables"]["debit"]["debitAmount"]["amount"] == "3.05"
    assert "processedAt" not in sent["variables"]["debit"]
    assert REFERENCE not in sent["query"]


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 500), ("KWD", 1_005), ("USD", 1)])
def test_every_currency_is_debited_by_its_own_decimals(currency: str, minor: int) -> None:
    counter = open_counter(currency=currency)
    card = counter.card("2000")
    reply = debit(counter, card.id, Money(minor, currency))
    whole = Money.parse("2000", currency)
    assert isinstance(reply, Debited)
    assert reply.balance_after == whole - Money(minor, currency)


def test_too_little_on_the_card_is_a_value(counter: Counter) -> None:
    card = counter.card("25")
    assert debit(counter, card.id, dollars("25.01")) == InsufficientFunds()
    assert balance(counter, card.id) == 25


def test_other_refusals_are_values_with_shopifys_code(counter: Counter) -> None:
    expired = counter.card(code="expired1expired1", expires_on=date(2026, 11, 22))
    ended = counter.card(code="ended123ended123")
    counter.shop.deactivate(ended.id)
    good = counter.card()
    replies = [
        debit(counter, expired.id),
        debit(counter, ended.id),
        debit(counter, "gid://shopify/GiftCard/1"),
        debit(counter, good.id, Money(100, "EUR")),
        debit(counter, good.id, dollars("0")),
    ]
    assert all(isinstance(reply, DebitRefused) for reply in replies)
    assert [reply.code for reply in replies if isinstance(reply, DebitRefused)] == [
        "INVALID",
        "INVALID",
        "GIFT_CARD_NOT_FOUND",
        "MISMATCHING_CURRENCY",
        "NEGATIVE_OR_ZERO_AMOUNT",
    ]
    first, second = replies[:2]
    assert isinstance(first, DebitRefused)
    assert isinstance(second, DebitRefused)
    assert first.message != second.message


# ---- every accident: is it known whether it ran, and is it never sent twice? ------------------


@pytest.mark.parametrize(
    ("fault", "applied"),
    [
        (Fault.DROP_REPLY, True),
        (Fault.BREAK_CONNECTION, True),
        (Fault.FAIL_AFTER, True),
        (Fault.FAIL_BEFORE, False),  # HTTP 500: nobody can tell it from one after
        (Fault.APPLY_LATE, False),  # not yet
    ],
)
def test_where_nobody_knows_it_is_unconfirmed_and_was_sent_once(
    counter: Counter,
    fault: Fault,
    applied: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    card = counter.card("25")
    seconds = 30 if fault is Fault.APPLY_LATE else 0
    counter.shop.faults.add(fault, operation="giftCardDebit", seconds=seconds, times=1)
    with pytest.raises(Unconfirmed):
        debit(counter, card.id)
    assert len(counter.adapter.sent) == 1
    assert balance(counter, card.id) == (22 if applied else 25)
    found = counter.client.find_movement(
        card.id, reference=REFERENCE, amount=THREE, since=counter.now
    )
    assert (found is not None) is applied


def test_a_debit_applied_late_is_found_when_it_has_been(counter: Counter) -> None:
    card = counter.card("25")
    sent_at = counter.now
    counter.shop.faults.add(Fault.APPLY_LATE, operation="giftCardDebit", seconds=30)
    with pytest.raises(Unconfirmed):
        debit(counter, card.id)

    def look() -> object:
        return counter.client.find_movement(
            card.id, reference=REFERENCE, amount=THREE, since=sent_at
        )

    counter.advance(29)
    assert look() is None
    counter.advance(1)
    assert look() is not None
    assert balance(counter, card.id) == 22


@pytest.mark.parametrize("fault", [Fault.REFUSE_CONNECTION, Fault.THROTTLE, Fault.THROTTLE_429])
def test_where_it_certainly_did_not_run_it_is_not_sent(counter: Counter, fault: Fault) -> None:
    card = counter.card("25")
    counter.shop.faults.add(fault, operation="giftCardDebit")
    with pytest.raises(NotSent):
        debit(counter, card.id)
    assert len(counter.adapter.sent) == 1
    assert balance(counter, card.id) == 25
    assert isinstance(debit(counter, card.id), Debited)


def test_an_empty_bucket_of_points_is_not_sent(counter: Counter) -> None:
    card = counter.card("25")
    counter.shop.spend_points(2_000)
    with pytest.raises(NotSent, match="THROTTLED"):
        debit(counter, card.id)
    counter.advance(1)
    assert isinstance(debit(counter, card.id), Debited)


def test_a_refused_token_is_for_a_person(counter: Counter) -> None:
    card = counter.card("25")
    counter.shop.revoke_tokens()
    with pytest.raises(AccessRefused, match="401"):
        debit(counter, card.id)
    assert len(counter.adapter.sent) == 1
    assert balance(counter, card.id) == 25


def without(*scopes: str) -> Counter:
    counter = open_counter()
    counter.shop.add_static_token(TOKEN, scopes=ALL_SCOPES - set(scopes))
    return counter


def test_a_missing_permission_to_debit_is_for_a_person() -> None:
    counter = without("write_gift_card_transactions")
    card = counter.card("25")
    with pytest.raises(AccessRefused, match="write_gift_card_transactions"):
        debit(counter, card.id)
    assert balance(counter, card.id) == 25


def test_a_denied_part_of_the_answer_leaves_the_debit_unconfirmed(counter: Counter) -> None:
    """The debit ran; only what it made may not be read. Saying "not sent" would be a lie."""
    denied = {"message": "Access denied", "extensions": {"code": "ACCESS_DENIED"}}
    nothing: object = {"giftCardDebit": None}
    something: object = {"giftCardDebit": {"userErrors": []}}
    for path, data in (
        (["giftCardDebit", "giftCardDebitTransaction"], nothing),
        (["giftCardDebit"], something),
        (None, None),
    ):
        counter.answer_json({"data": data, "errors": [{**denied, "path": path}]})
        with pytest.raises(Unconfirmed):
            debit(counter, "gid://shopify/GiftCard/1")


def debited(answer: object) -> str:
    return json.dumps({"data": {"giftCardDebit": answer}})


def failed(*codes: str | None) -> str:
    errors = [{"message": "?", "extensions": {"code": code}} for code in codes]
    return json.dumps({"errors": errors})


ANOTHER_AMOUNT = {
    "id": "gid://shopify/GiftCardDebitTransaction/1",
    "amount": {"amount": "-4.0", "currencyCode": "USD"},
    "giftCard": {"id": "c", "balance": {"amount": "21.0", "currencyCode": "USD"}},
}


@pytest.mark.parametrize(
    "body",
    [
        "<html>We'll be back soon</html>",
        "",
        "[]",
        "{}",
        '{"data": null}',
        '{"errors": "Unavailable"}',
        failed("SOMETHING_NEW"),
        failed("THROTTLED", None),
        debited(None),
        debited({"userErrors": [], "giftCardDebitTransaction": None}),
        debited({"giftCardDebitTransaction": None}),
        debited({"userErrors": [], "giftCardDebitTransaction": ANOTHER_AMOUNT}),
        debited({"userErrors": [{"code": "INTERNAL_ERROR", "message": "?"}]}),
        debited({"userErrors": [{"code": None, "message": "?"}]}),
    ],
)
def test_an_answer_nobody_can_read_leaves_the_debit_unconfirmed(
    counter: Counter, body: str
) -> None:
    counter.answer_text(body)
    with pytest.raises(Unconfirmed):
        debit(counter, "gid://shopify/GiftCard/1")
    assert len(counter.adapter.sent) == 1


@pytest.mark.parametrize(
    "problem",
    [
        requests.exceptions.ReadTimeout("slow"),
        requests.exceptions.ChunkedEncodingError("cut"),
        requests.exceptions.ContentDecodingError("garbled"),
        requests.exceptions.SSLError("broken"),
        requests.exceptions.ConnectionError("reset"),
    ],
)
def test_any_trouble_after_connecting_leaves_the_debit_unconfirmed(
    counter: Counter, problem: Exception
) -> None:
    counter.adapter.canned.append(problem)
    with pytest.raises(Unconfirmed):
        debit(counter, "gid://shopify/GiftCard/1")
    assert len(counter.adapter.sent) == 1


def test_a_connection_that_took_too_long_was_none(counter: Counter) -> None:
    counter.adapter.canned.append(requests.exceptions.ConnectTimeout("slow"))
    with pytest.raises(NotSent):
        debit(counter, "gid://shopify/GiftCard/1")


# ---- finding out ----------------------------------------------------------------------------


def find(counter: Counter, card_id: str, *, ago: float = 0, amount: Money = THREE) -> object:
    since = counter.now - timedelta(seconds=ago)
    return counter.client.find_movement(card_id, reference=REFERENCE, amount=amount, since=since)


def test_a_debit_is_found_among_pages_of_others() -> None:
    counter = open_counter()
    card = counter.card("1000")
    counter.shop.debit(card.id, amount=THREE.decimal(), note=REFERENCE)
    for number in range(2 * moving.MOVEMENTS_PER_PAGE):
        counter.shop.debit(card.id, amount=THREE.decimal(), note=f"other#{number}")
    found = find(counter, card.id)
    assert found == next(iter(counter_movements(counter, card.id)))
    assert len(counter.adapter.sent) == 3


def counter_movements(counter: Counter, card_id: str) -> list[object]:
    return [
        Movement(each.id, Money.parse(each.amount, "USD"), each.note, each.processed_at)
        for each in counter.shop.card(card_id).transactions
    ]


def test_other_references_and_credits_are_not_our_debit(counter: Counter) -> None:
    card = counter.card("25")
    counter.shop.debit(card.id, amount=THREE.decimal(), note="redemption#other")
    counter.shop.debit(card.id, amount=THREE.decimal(), note=REFERENCE + "x")
    counter.shop.debit(card.id, amount=THREE.decimal())
    counter.shop.credit(card.id, amount=THREE.decimal(), note=REFERENCE)
    counter.shop.cash_out(card.id, 1)
    assert find(counter, card.id) is None


def test_our_reference_with_another_amount_is_a_surprise(counter: Counter) -> None:
    card = counter.card("25")
    counter.shop.debit(card.id, amount=dollars("4").decimal(), note=REFERENCE)
    with pytest.raises(VendorSurprise, match=REFERENCE):
        find(counter, card.id)


def test_debits_of_long_before_are_not_looked_at_but_clocks_may_differ(counter: Counter) -> None:
    card = counter.card("25")
    counter.shop.debit(card.id, amount=THREE.decimal(), note=REFERENCE)
    counter.advance(moving.CLOCK_SKEW_MARGIN.total_seconds())
    assert find(counter, card.id) is not None
    counter.advance(1)
    assert find(counter, card.id) is None
    assert find(counter, card.id, ago=1) is not None


def test_a_backdated_transaction_hides_no_debit(counter: Counter) -> None:
    card = counter.card("25")
    counter.shop.debit(card.id, amount=THREE.decimal(), note=REFERENCE)
    long_ago = counter.now - timedelta(days=1)
    counter.shop.debit(card.id, amount=THREE.decimal(), processed_at=long_ago)
    assert find(counter, card.id) is not None


def test_a_card_that_is_gone_is_a_surprise_not_a_no(counter: Counter) -> None:
    with pytest.raises(VendorSurprise, match="giftCard"):
        find(counter, "gid://shopify/GiftCard/1")


def test_pages_without_end_are_a_surprise_not_a_no(counter: Counter) -> None:
    place = {"hasPreviousPage": True, "startCursor": "again"}
    page = {"data": {"giftCard": {"transactions": {"nodes": [], "pageInfo": place}}}}
    for _ in range(moving.MOST_MOVEMENT_PAGES):
        counter.answer_json(page)
    with pytest.raises(VendorSurprise, match="more than"):
        find(counter, "gid://shopify/GiftCard/1")
    assert len(counter.adapter.sent) == moving.MOST_MOVEMENT_PAGES


def test_a_failed_look_is_never_a_no(counter: Counter) -> None:
    card = counter.card("25")
    counter.shop.faults.add(Fault.FAIL_AFTER, operation="giftCard")
    with pytest.raises(NotSent):
        find(counter, card.id)
    denied = without("read_gift_card_transactions")
    with pytest.raises(AccessRefused):
        find(denied, denied.card("25").id)
