"""Giving money back to a card, reading what moved on it, and taking a card out of use."""

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from giftcards.clients.shopify import moving
from giftcards.domain.cards import (
    CardSight,
    Credited,
    CreditRefused,
    CreditReply,
    Deactivated,
    DeactivateRefused,
    Movement,
)
from giftcards.domain.money import Money
from giftcards.errors import AccessRefused, NotSent, SafeToRepeat, Unconfirmed, VendorSurprise
from sandbox.faults import Fault
from sandbox.shopify.shop import ALL_SCOPES
from tests.clients.shopify.counter import CODE, START, TOKEN, Counter, dollars, open_counter

REFERENCE = "reverse#rec1#300"
THREE = dollars("3")
UNKNOWN = "gid://shopify/GiftCard/1"


def credit(counter: Counter, card_id: str, amount: Money = THREE) -> CreditReply:
    return counter.client.credit(card_id, amount=amount, reference=REFERENCE)


def balance(counter: Counter, card_id: str) -> Decimal:
    return counter.shop.card(card_id).balance


def find(counter: Counter, card_id: str, amount: Money = THREE) -> Movement | None:
    return counter.client.find_movement(
        card_id, reference=REFERENCE, amount=amount, since=counter.now, is_credit=True
    )


# ---- giving back ------------------------------------------------------------------------------


def test_a_credit_tells_its_transaction_and_the_balance_after_it(counter: Counter) -> None:
    card = counter.card("25")
    reply = credit(counter, card.id, dollars("3.05"))
    (transaction,) = counter.shop.card(card.id).transactions
    assert reply == Credited(transaction_id=transaction.id, balance_after=dollars("28.05"))
    assert (transaction.note, transaction.amount) == (REFERENCE, Decimal("3.05"))
    sent = json.loads(counter.adapter.sent[-1].body or b"")
    assert sent["variables"]["credit"] == {
        "creditAmount": {"amount": "3.05", "currencyCode": "USD"},
        "note": REFERENCE,
    }


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 500), ("KWD", 1_005), ("USD", 1)])
def test_every_currency_is_credited_by_its_own_decimals(currency: str, minor: int) -> None:
    counter = open_counter(currency=currency)
    card = counter.card("2000")
    reply = credit(counter, card.id, Money(minor, currency))
    assert isinstance(reply, Credited)
    assert reply.balance_after == Money.parse("2000", currency) + Money(minor, currency)


def test_refusals_are_values_with_shopifys_code(counter: Counter) -> None:
    expired = counter.card(code="expired1expired1", expires_on=date(2026, 11, 22))
    ended = counter.card(code="ended123ended123")
    counter.shop.deactivate(ended.id)
    good = counter.card()
    replies = [
        credit(counter, expired.id),
        credit(counter, ended.id),
        credit(counter, UNKNOWN),
        credit(counter, good.id, Money(100, "EUR")),
        credit(counter, good.id, dollars("0")),
        credit(counter, good.id, dollars("10000")),
    ]
    assert all(isinstance(reply, CreditRefused) for reply in replies)
    assert [reply.code for reply in replies if isinstance(reply, CreditRefused)] == [
        "INVALID",
        "INVALID",
        "GIFT_CARD_NOT_FOUND",
        "MISMATCHING_CURRENCY",
        "NEGATIVE_OR_ZERO_AMOUNT",
        "GIFT_CARD_LIMIT_EXCEEDED",
    ]
    assert balance(counter, good.id) == 25


@pytest.mark.parametrize(
    ("fault", "applied"),
    [
        (Fault.DROP_REPLY, True),
        (Fault.BREAK_CONNECTION, True),
        (Fault.FAIL_AFTER, True),  # INTERNAL_SERVER_ERROR, with HTTP 200
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
    counter.shop.faults.add(fault, operation="giftCardCredit", seconds=seconds, times=1)
    with pytest.raises(Unconfirmed):
        credit(counter, card.id)
    assert len(counter.adapter.sent) == 1
    assert balance(counter, card.id) == (28 if applied else 25)
    assert (find(counter, card.id) is not None) is applied


@pytest.mark.parametrize("fault", [Fault.REFUSE_CONNECTION, Fault.THROTTLE, Fault.THROTTLE_429])
def test_where_it_certainly_did_not_run_it_is_not_sent(counter: Counter, fault: Fault) -> None:
    card = counter.card("25")
    counter.shop.faults.add(fault, operation="giftCardCredit")
    with pytest.raises(NotSent):
        credit(counter, card.id)
    assert len(counter.adapter.sent) == 1
    assert isinstance(credit(counter, card.id), Credited)
    assert balance(counter, card.id) == 28


def test_an_old_token_means_that_it_did_not_run(counter: Counter) -> None:
    card = counter.card("25")
    counter.shop.faults.add(Fault.REFUSE_TOKEN, operation="giftCardCredit")
    with pytest.raises(AccessRefused, match="401"):
        credit(counter, card.id)
    assert balance(counter, card.id) == 25


def test_a_missing_permission_to_credit_is_for_a_person(counter: Counter) -> None:
    counter.shop.add_static_token(TOKEN, scopes=ALL_SCOPES - {"write_gift_card_transactions"})
    card = counter.card("25")
    with pytest.raises(AccessRefused, match="write_gift_card_transactions"):
        credit(counter, card.id)
    assert balance(counter, card.id) == 25


CREDITED: dict[str, Any] = {
    "id": "gid://shopify/GiftCardCreditTransaction/1",
    "amount": {"amount": "3.0", "currencyCode": "USD"},
    "giftCard": {"id": "c", "balance": {"amount": "28.0", "currencyCode": "USD"}},
}


def credited(**changes: Any) -> dict[str, Any]:
    return {"userErrors": [], "giftCardCreditTransaction": CREDITED | changes}


def test_the_answer_that_the_next_test_spoils_is_a_good_one(counter: Counter) -> None:
    counter.answer_json({"data": {"giftCardCredit": credited()}})
    assert credit(counter, UNKNOWN) == Credited(CREDITED["id"], dollars("28"))


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"userErrors": [], "giftCardCreditTransaction": None},
        {"giftCardCreditTransaction": CREDITED},
        {"userErrors": [{"code": "INTERNAL_ERROR", "message": "?"}]},
        {"userErrors": [{"code": None, "message": "?"}]},
        credited(amount={"amount": "-3.0", "currencyCode": "USD"}),
        credited(amount={"amount": "4.0", "currencyCode": "USD"}),
        credited(amount={"amount": "3.0", "currencyCode": "CAD"}),
        credited(giftCard=None),
        credited(id=None),
    ],
)
def test_an_answer_nobody_can_read_leaves_the_credit_unconfirmed(
    counter: Counter, payload: object
) -> None:
    counter.answer_json({"data": {"giftCardCredit": payload}})
    with pytest.raises(Unconfirmed):
        credit(counter, UNKNOWN)
    assert len(counter.adapter.sent) == 1


def test_a_credit_never_waits_on_its_own_and_takes_the_room_it_was_given(counter: Counter) -> None:
    card = counter.card("25")
    counter.shop.spend_points(1_995)
    counter.client.shop_facts()
    before = counter.now
    with pytest.raises(NotSent):
        credit(counter, card.id)
    assert counter.now == before
    with counter.client.room_to_credit(within_seconds=1) as room:
        assert counter.now > before
        reply = counter.client.credit(card.id, amount=THREE, reference=REFERENCE, room=room)
    assert isinstance(reply, Credited)
    assert counter.shop.refused_as_too_fast == 0


# ---- finding a credit -------------------------------------------------------------------------


def test_a_credit_is_found_among_pages_of_others(counter: Counter) -> None:
    card = counter.card("25")
    counter.shop.credit(card.id, amount=Decimal(3), note=REFERENCE)
    for number in range(2 * moving.MOVEMENTS_PER_PAGE):
        counter.shop.credit(card.id, amount=Decimal(3), note=f"other#{number}")
    found = find(counter, card.id)
    assert found is not None
    assert (found.note, found.amount) == (REFERENCE, THREE)
    assert len(counter.adapter.sent) == 3


def test_a_debit_is_no_credit_and_a_credit_no_debit(counter: Counter) -> None:
    card = counter.card("25")
    counter.shop.debit(card.id, amount=Decimal(3), note=REFERENCE)
    assert find(counter, card.id) is None
    counter.shop.credit(card.id, amount=Decimal(3), note=REFERENCE)
    found = find(counter, card.id)
    assert found is not None
    assert found.amount == THREE
    debit = counter.client.find_movement(
        card.id, reference=REFERENCE, amount=THREE, since=counter.now
    )
    assert debit is not None
    assert debit.amount == -THREE


def test_our_reference_with_another_amount_is_a_surprise(counter: Counter) -> None:
    card = counter.card("25")
    counter.shop.credit(card.id, amount=Decimal(4), note=REFERENCE)
    with pytest.raises(VendorSurprise, match=REFERENCE):
        find(counter, card.id)


# ---- what moved -------------------------------------------------------------------------------


def test_what_moved_comes_newest_first_with_its_sign(counter: Counter) -> None:
    card = counter.card("25")
    counter.shop.debit(card.id, amount=Decimal(5), note="a")
    counter.advance(60)
    counter.shop.credit(card.id, amount=Decimal(2))
    counter.shop.cash_out(card.id, 1)
    moved = counter.client.movements(card.id, since=START)
    assert [(str(one.amount), one.note) for one in moved] == [
        ("-1.00 USD", None),
        ("2.00 USD", None),
        ("-5.00 USD", "a"),
    ]
    assert moved[2].processed_at == START


def test_clocks_may_differ_so_a_little_more_is_read(counter: Counter) -> None:
    card = counter.card("25")
    for note in ("early", "late"):
        counter.shop.debit(card.id, amount=Decimal(1), note=note)
        counter.advance(1)
    since = START + moving.CLOCK_SKEW_MARGIN + timedelta(seconds=1)
    assert [one.note for one in counter.client.movements(card.id, since=since)] == ["late"]


def test_all_pages_are_read_back_to_the_time_asked_for(counter: Counter) -> None:
    card = counter.card("1000")
    for _ in range(350):
        counter.shop.debit(card.id, amount=Decimal(1))
        counter.advance(60)
    assert len(counter.client.movements(card.id, since=START)) == 350
    assert len(counter.adapter.sent) == 4
    counter.adapter.sent.clear()
    since = counter.now - timedelta(minutes=150)
    assert len(counter.client.movements(card.id, since=since)) == 160
    assert len(counter.adapter.sent) == 3  # the third page is the first with older ones only


def test_a_movement_that_was_dated_back_hides_no_other_of_its_page(counter: Counter) -> None:
    card = counter.card("25")
    long_ago = START - timedelta(days=1)
    counter.shop.debit(card.id, amount=Decimal(1), note="ours")
    counter.shop.debit(card.id, amount=Decimal(1), note="dated back", processed_at=long_ago)
    assert [one.note for one in counter.client.movements(card.id, since=START)] == ["ours"]


def test_a_card_that_is_gone_is_not_one_that_never_moved(counter: Counter) -> None:
    with pytest.raises(VendorSurprise):
        counter.client.movements(UNKNOWN, since=START)
    assert counter.client.movements(counter.card().id, since=START) == []


def test_more_pages_than_any_card_has_are_for_a_person(counter: Counter) -> None:
    most = moving.MOST_MOVEMENT_PAGES * moving.MOVEMENTS_PER_PAGE
    card = counter.card("1000")
    for _ in range(most):
        counter.shop.debit(card.id, amount=Decimal("0.01"))
    assert len(counter.client.movements(card.id, since=START)) == most
    counter.shop.debit(card.id, amount=Decimal("0.01"))
    with pytest.raises(VendorSurprise, match="transactions"):
        counter.client.movements(card.id, since=START)


# ---- taking out of use ------------------------------------------------------------------------


def test_a_card_is_taken_out_of_use(counter: Counter) -> None:
    card = counter.card("25")
    reply = counter.client.deactivate(card.id)
    assert isinstance(reply, Deactivated)
    assert reply.card == counter.client.read_card(card.id)
    assert reply.card.deactivated_at == START
    assert reply.card.balance == dollars("25")


def test_a_second_time_changes_nothing_and_sends_nothing(counter: Counter) -> None:
    card = counter.card("25")
    first = counter.client.deactivate(card.id)
    counter.advance(60)
    counter.adapter.sent.clear()
    assert counter.client.deactivate(card.id) == first
    assert len(counter.adapter.sent) == 1
    assert b"mutation" not in (counter.adapter.sent[0].body or b"")


def test_a_card_that_is_not_there_is_refused(counter: Counter) -> None:
    reply = counter.client.deactivate(UNKNOWN)
    assert isinstance(reply, DeactivateRefused)
    assert reply.code == "GIFT_CARD_NOT_FOUND"


def test_shopifys_own_refusal_is_a_value(counter: Counter) -> None:
    refusal = {"field": ["id"], "code": "GIFT_CARD_NOT_FOUND", "message": "Gone."}
    answer_after_reading(counter, {"giftCard": None, "userErrors": [refusal]})
    assert counter.client.deactivate(UNKNOWN) == DeactivateRefused("GIFT_CARD_NOT_FOUND", "Gone.")


IN_USE: dict[str, Any] = {
    "id": UNKNOWN,
    "lastCharacters": "2b5a",
    "balance": {"amount": "25.0", "currencyCode": "USD"},
    "initialValue": {"amount": "25.0", "currencyCode": "USD"},
    "enabled": True,
    "expiresOn": None,
    "deactivatedAt": None,
    "createdAt": "2026-11-23T17:00:00Z",
}
OUT_OF_USE = IN_USE | {"enabled": False, "deactivatedAt": "2026-11-23T17:00:00Z"}


def answer_after_reading(counter: Counter, payload: object) -> None:
    counter.answer_json({"data": {"giftCard": IN_USE}})
    counter.answer_json({"data": {"giftCardDeactivate": payload}})


def test_the_payload_that_the_next_test_spoils_is_a_good_one(counter: Counter) -> None:
    answer_after_reading(counter, {"giftCard": OUT_OF_USE, "userErrors": []})
    assert isinstance(counter.client.deactivate(UNKNOWN), Deactivated)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"giftCard": None, "userErrors": []},
        {"giftCard": OUT_OF_USE, "userErrors": None},
        {"giftCard": IN_USE, "userErrors": []},
        {"giftCard": OUT_OF_USE | {"id": None}, "userErrors": []},
        {"giftCard": None, "userErrors": [{"code": None, "message": "?"}]},
        {"giftCard": None, "userErrors": [{"code": "X", "message": None}]},
    ],
)
def test_a_payload_that_says_nothing_is_not_taken_for_done(
    counter: Counter, payload: object
) -> None:
    answer_after_reading(counter, payload)
    with pytest.raises(SafeToRepeat):
        counter.client.deactivate(UNKNOWN)


@pytest.mark.parametrize(
    ("fault", "applied"),
    [
        (Fault.DROP_REPLY, True),
        (Fault.BREAK_CONNECTION, True),
        (Fault.FAIL_AFTER, True),  # INTERNAL_SERVER_ERROR, with HTTP 200
        (Fault.FAIL_BEFORE, False),  # HTTP 500
    ],
)
def test_where_nobody_knows_a_card_may_be_taken_out_of_use_again(
    counter: Counter,
    fault: Fault,
    applied: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    card = counter.card()
    counter.shop.faults.add(fault, operation="giftCardDeactivate")
    with pytest.raises(SafeToRepeat):
        counter.client.deactivate(card.id)
    assert len(counter.adapter.sent) == 2
    assert (counter.shop.card(card.id).deactivated_at is not None) is applied
    assert isinstance(counter.client.deactivate(card.id), Deactivated)


@pytest.mark.parametrize("fault", [Fault.REFUSE_CONNECTION, Fault.THROTTLE, Fault.THROTTLE_429])
def test_where_it_certainly_was_not_sent(counter: Counter, fault: Fault) -> None:
    card = counter.card()
    counter.shop.faults.add(fault, operation="giftCardDeactivate")
    with pytest.raises(NotSent):
        counter.client.deactivate(card.id)
    assert counter.shop.card(card.id).enabled


def test_a_time_out_names_nothing_of_the_request(counter: Counter) -> None:
    counter.answer_json({"data": {"giftCard": IN_USE}})
    counter.adapter.canned.append(requests.ReadTimeout("body was secret"))
    with pytest.raises(SafeToRepeat) as caught:
        counter.client.deactivate(UNKNOWN)
    assert "secret" not in str(caught.value)


def test_a_missing_permission_to_end_cards_is_for_a_person(counter: Counter) -> None:
    card = counter.card()
    counter.shop.add_static_token(TOKEN, scopes=ALL_SCOPES - {"write_gift_cards"})
    with pytest.raises(AccessRefused, match=r"\bwrite_gift_cards\b"):
        counter.client.deactivate(card.id)
    assert counter.shop.card(card.id).enabled


# ---- all cards --------------------------------------------------------------------------------


def test_the_card_that_changed_last_comes_first(counter: Counter) -> None:
    cards = [counter.card(code=f"abcdefgh{number:04}") for number in range(3)]
    counter.advance(60)
    counter.shop.spend_on_web(cards[0].id, 5)
    counter.shop.update(cards[0].id, note="from the office")
    page = counter.client.changed_cards(count=2)
    first, second = page.cards
    assert first == CardSight(
        card=counter.client.read_cards([cards[0].id])[cards[0].id],
        updated_at=START + timedelta(seconds=60),
        note="from the office",
    )
    assert first.card.balance == dollars("20")
    assert (second.card.id, second.note) == (cards[2].id, None)
    last = counter.client.changed_cards(count=2, after=page.end_cursor)
    assert [sight.card.id for sight in last.cards] == [cards[1].id]
    assert last.end_cursor is None


def test_all_cards_come_once_in_an_order_that_no_change_touches(counter: Counter) -> None:
    cards = [counter.card(code=f"abcdefgh{number:04}") for number in range(4)]
    counter.advance(60)
    page = counter.client.all_cards(count=2)
    assert page == counter.client.all_cards(count=2)
    assert [sight.card.id for sight in page.cards] == [card.id for card in cards[:2]]
    assert page.cards[0].updated_at == START
    for card in cards[:3]:
        counter.shop.spend_on_web(card.id, 5)  # the two that were read, and one that was not
    fresh = counter.card(code="abcdefgh9999")
    rest = counter.client.all_cards(count=3, after=page.end_cursor)
    assert [sight.card.id for sight in rest.cards] == [cards[2].id, cards[3].id, fresh.id]
    assert rest.cards[0].card.balance == dollars("20")
    assert rest.end_cursor is None


def test_a_shop_may_have_no_cards(counter: Counter) -> None:
    for page in (counter.client.changed_cards(count=50), counter.client.all_cards(count=50)):
        assert (page.cards, page.end_cursor) == ((), None)


def test_a_list_of_changes_does_not_lag(counter: Counter) -> None:
    counter.shop.set_search_lag(60)
    card = counter.card()
    assert [sight.card.id for sight in counter.client.changed_cards(count=5).cards] == [card.id]
    assert CODE not in repr(counter.client.changed_cards(count=5))


@pytest.mark.parametrize(
    "changes",
    [{"updatedAt": None}, {"updatedAt": "2026-11-23T17:00:00"}, {"id": None}, {"balance": None}],
)
def test_a_card_in_a_list_that_cannot_be_read_is_a_surprise(
    counter: Counter, changes: dict[str, Any]
) -> None:
    good = IN_USE | {"updatedAt": "2026-11-23T17:00:00Z", "note": 7}
    place = {"hasNextPage": False, "endCursor": None}
    counter.answer_json({"data": {"giftCards": {"nodes": [good], "pageInfo": place}}})
    (sight,) = counter.client.changed_cards(count=1).cards
    assert sight.note is None
    counter.answer_json({"data": {"giftCards": {"nodes": [good | changes], "pageInfo": place}}})
    with pytest.raises(VendorSurprise):
        counter.client.changed_cards(count=1)


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.DROP_REPLY, Fault.FAIL_AFTER])
def test_a_list_that_cannot_be_read_now_is_for_the_next_run(counter: Counter, fault: Fault) -> None:
    counter.shop.faults.add(fault, operation="giftCards")
    with pytest.raises(NotSent):
        counter.client.changed_cards(count=5)
