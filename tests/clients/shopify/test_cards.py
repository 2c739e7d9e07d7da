"""Finding and reading cards: never another customer's, never by a search we cannot trust."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from graphql import parse, validate
from hypothesis import given
from hypothesis import strategies as st

import giftcards.clients.shopify
from giftcards.clients.shopify.client import NEWEST_CARDS
from giftcards.clients.shopify.documents import document
from giftcards.domain.cards import Card, ShopFacts
from giftcards.domain.codes import Code
from giftcards.errors import AccessRefused, ConfigurationError, NotSent, VendorSurprise
from sandbox.faults import Fault
from sandbox.shopify.schema import pruned_schema
from tests.clients.shopify.counter import CODE, START, Counter, dollars, open_counter

UNKNOWN = "gid://shopify/GiftCard/1"
FACTS = {
    "id": UNKNOWN,
    "lastCharacters": "2b5a",
    "enabled": True,
    "expiresOn": None,
    "deactivatedAt": None,
    "createdAt": "2026-11-23T17:00:00Z",
    "balance": {"amount": "5.0", "currencyCode": "USD"},
    "initialValue": {"amount": "5.0", "currencyCode": "USD"},
}


def documents() -> list[str]:
    folder = Path(giftcards.clients.shopify.__file__).parent
    return sorted(file.stem for file in folder.glob("*.graphql"))


@pytest.mark.parametrize("name", documents())
def test_every_document_is_valid_against_shopifys_schema(name: str) -> None:
    text = document(name)
    assert "#" not in text
    assert validate(pruned_schema(), parse(text)) == []


def test_there_are_documents() -> None:
    assert documents() == [
        "all_cards",
        "card_limits",
        "card_movements",
        "changed_cards",
        "create_card",
        "credit_card",
        "deactivate_card",
        "debit_card",
        "find_card",
        "find_created",
        "find_orders",
        "granted_scopes",
        "newest_cards",
        "order_lines",
        "read_card",
        "read_cards",
        "read_order",
        "read_payments",
        "shop_facts",
        "tag_order",
    ]


def test_the_shop_tells_its_currency_and_time_zone() -> None:
    counter = open_counter(currency="KWD", time_zone="Asia/Kuwait", name="Souq")
    assert counter.client.shop_facts() == ShopFacts("Souq", "KWD", "Asia/Kuwait")


def test_a_card_is_found_by_its_code_with_all_its_facts(counter: Counter) -> None:
    issued = counter.card("25", expires_on=date(2031, 1, 31))
    counter.shop.spend_on_web(issued.id, "4.50")
    assert counter.client.find_card(Code(CODE)) == Card(
        id=issued.id,
        last4="2b5a",
        balance=dollars("20.50"),
        initial_value=dollars("25"),
        enabled=True,
        expires_on=date(2031, 1, 31),
        deactivated_at=None,
        created_at=START,
    )


def test_a_deactivated_card_is_found_and_says_so(counter: Counter) -> None:
    issued = counter.card()
    counter.advance(90)
    counter.shop.deactivate(issued.id)
    card = counter.client.find_card(Code(CODE))
    assert card is not None
    assert card.enabled is False
    assert card.deactivated_at == datetime(2026, 11, 23, 17, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "3000"), ("KWD", "1.234")])
def test_amounts_of_every_kind_of_currency(currency: str, amount: str) -> None:
    counter = open_counter(currency=currency)
    card = counter.client.read_card(counter.card(amount).id)
    assert card is not None
    assert str(card.balance.decimal()) == amount


def test_no_card_has_this_code(counter: Counter) -> None:
    counter.card()
    assert counter.client.find_card(Code("zzzz9999zzzz9999")) is None


def test_capitals_make_no_difference(counter: Counter) -> None:
    counter.answer_json({"data": {"giftCards": {"nodes": [{**FACTS, "lastCharacters": "2B5A"}]}}})
    card = counter.client.find_card(Code(CODE))
    assert card is not None
    assert card.last4 == "2b5a"


def test_a_code_that_is_the_beginning_of_another_is_not_that_card(counter: Counter) -> None:
    counter.card()
    assert counter.client.find_card(Code("abcdefgh1234")) is None


def test_a_code_found_in_two_cards_is_neither(counter: Counter) -> None:
    counter.card(code="ccccdddd2b5a")
    counter.card(code="aaaaccccdddd2b5a")
    assert counter.client.find_card(Code("ccccdddd2b5a")) is None


@given(
    codes=st.lists(st.text("ab1", min_size=8, max_size=10), min_size=1, max_size=6, unique=True),
    typed=st.text("ab1", min_size=8, max_size=10),
)
def test_what_is_found_ends_like_the_code_and_is_the_only_one(codes: list[str], typed: str) -> None:
    counter = open_counter()
    for code in codes:
        counter.card(code=code)
    holders = [card for card in counter.shop.cards if typed in card.code]
    found = counter.client.find_card(Code(typed))
    if found is None:
        assert len(holders) != 1 or not holders[0].code.endswith(typed[-4:])
    else:
        assert [card.id for card in holders] == [found.id]
        assert holders[0].code.endswith(typed[-4:])


def test_a_search_that_was_not_applied_is_not_trusted(counter: Counter) -> None:
    """Were the code ever taken for a search field, the only card of a new shop would be found."""
    warning = {"field": "x", "code": "invalid_field", "message": "Invalid search field."}
    search = {"path": ["giftCards"], "query": f"x:{CODE}", "warnings": [warning]}
    counter.answer_json(
        {"data": {"giftCards": {"nodes": [FACTS]}}, "extensions": {"search": [search]}}
    )
    with pytest.raises(VendorSurprise, match="invalid_field") as surprise:
        counter.client.find_card(Code(CODE))
    assert CODE not in str(surprise.value)


def test_a_fresh_card_may_be_missed_by_code_but_not_by_id(counter: Counter) -> None:
    counter.shop.set_search_lag(30)
    issued = counter.card()
    assert counter.client.find_card(Code(CODE)) is None
    assert counter.client.read_card(issued.id) is not None
    counter.advance(30)
    assert counter.client.find_card(Code(CODE)) is not None
    counter.shop.faults.add(Fault.STALE_SEARCH, seconds=60)
    assert counter.client.find_card(Code(CODE)) is None
    assert counter.client.find_card(Code(CODE)) is not None


# ---- a card sold moments ago ----------------------------------------------------------------

SAME_END = "zzzz9999zzzz2b5a"


def test_a_card_sold_lately_is_known_while_the_search_still_misses_it(counter: Counter) -> None:
    counter.shop.set_search_lag(30)
    assert counter.client.sold_lately([Code(CODE)], now=counter.now) is False
    counter.card()
    counter.advance(20)
    assert counter.client.find_card(Code(CODE)) is None
    assert counter.client.sold_lately([Code(CODE)], now=counter.now) is True


def test_only_the_end_of_the_code_is_compared(counter: Counter) -> None:
    counter.card()
    assert counter.client.sold_lately([Code(SAME_END)], now=counter.now) is True
    assert counter.client.sold_lately([Code("abcdefgh12342b5b")], now=counter.now) is False


def test_look_alikes_ends_are_looked_for_in_the_same_question(counter: Counter) -> None:
    counter.card()
    typed = Code("abcdefgh12342bsa")
    assert counter.client.sold_lately([typed], now=counter.now) is False
    sent = len(counter.adapter.sent)
    assert counter.client.sold_lately([typed, Code(CODE)], now=counter.now) is True
    assert len(counter.adapter.sent) == sent + 1


def test_a_card_sold_ten_minutes_ago_was_not_sold_lately(counter: Counter) -> None:
    counter.card()
    counter.advance(599)
    assert counter.client.sold_lately([Code(CODE)], now=counter.now) is True
    counter.advance(1)
    assert counter.client.sold_lately([Code(CODE)], now=counter.now) is False


def test_shopifys_clock_may_be_ahead_of_ours(counter: Counter) -> None:
    counter.card()
    assert counter.client.sold_lately([Code(CODE)], now=START - timedelta(seconds=5)) is True


def test_the_newest_cards_are_looked_through_and_no_more(counter: Counter) -> None:
    counter.card()
    for number in range(NEWEST_CARDS - 1):
        counter.advance(1)
        counter.card(code=f"abcdefgh{number:04}")
    assert counter.client.sold_lately([Code(CODE)], now=counter.now) is True
    counter.advance(1)
    counter.card("1", code="abcdefgh7777")
    assert counter.client.sold_lately([Code(CODE)], now=counter.now) is False
    assert counter.client.sold_lately([Code("zzzzzzzz7777")], now=counter.now) is True


def test_the_code_does_not_leave_us_when_asking_what_was_sold_lately(counter: Counter) -> None:
    counter.card()
    counter.client.sold_lately([Code(CODE)], now=counter.now)
    (request,) = counter.adapter.sent
    body = json.loads(request.body or b"")
    assert body["variables"] == {"count": NEWEST_CARDS}
    assert CODE not in str(request.body)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.DROP_REPLY, NotSent),
        (Fault.FAIL_BEFORE, NotSent),
        (Fault.FAIL_AFTER, NotSent),
        (Fault.THROTTLE, NotSent),
        (Fault.THROTTLE_429, NotSent),
        (Fault.REFUSE_TOKEN, AccessRefused),
    ],
)
def test_nobody_knows_what_was_sold_lately_when_shopify_does_not_say(
    counter: Counter, fault: Fault, error: type[Exception]
) -> None:
    counter.card()
    counter.shop.faults.add(fault, operation="giftCards")
    with pytest.raises(error):
        counter.client.sold_lately([Code(CODE)], now=counter.now)
    assert len(counter.adapter.sent) == 1
    assert counter.client.sold_lately([Code(CODE)], now=counter.now) is True


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, ConfigurationError),
        (400, VendorSurprise),
        (403, AccessRefused),
        (404, ConfigurationError),
        (429, NotSent),
        (430, NotSent),
        (500, NotSent),
        (503, NotSent),
    ],
)
def test_a_status_means_for_it_what_it_means_for_every_question(
    counter: Counter, status: int, error: type[Exception]
) -> None:
    counter.answer_with(status, b"{}")
    with pytest.raises(error):
        counter.client.sold_lately([Code(CODE)], now=counter.now)


@pytest.mark.parametrize("fault", [Fault.BREAK_CONNECTION, Fault.REFUSE_CONNECTION])
def test_what_was_sold_lately_is_asked_twice_when_the_connection_breaks(
    counter: Counter, fault: Fault
) -> None:
    counter.card()
    counter.shop.faults.add(fault, operation="giftCards")
    assert counter.client.sold_lately([Code(CODE)], now=counter.now) is True
    counter.shop.faults.add(fault, operation="giftCards", times=2)
    with pytest.raises(NotSent):
        counter.client.sold_lately([Code(CODE)], now=counter.now)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"giftCards": None},
        {"giftCards": {"nodes": None}},
        {"giftCards": {"nodes": [{**FACTS, "createdAt": "2026-11-23T17:00:00"}]}},
        {"giftCards": {"nodes": [{**FACTS, "lastCharacters": None}]}},
    ],
)
def test_an_answer_that_cannot_be_read_does_not_mean_that_nothing_was_sold(
    counter: Counter, answer: object
) -> None:
    counter.answer_json({"data": answer})
    with pytest.raises((NotSent, VendorSurprise)) as caught:
        counter.client.sold_lately([Code(CODE)], now=counter.now)
    assert CODE not in str(caught.value)


# ---- cards by their ids ---------------------------------------------------------------------


def test_no_card_has_this_id(counter: Counter) -> None:
    assert counter.client.read_card(UNKNOWN) is None


def test_many_cards_are_read_at_once_and_the_unknown_left_out(counter: Counter) -> None:
    ids = [counter.card(code=f"abcdefgh{number:04}").id for number in range(199)]
    counter.shop.spend_on_web(ids[198], 5)
    read = counter.client.read_cards([*ids, ids[0], UNKNOWN])
    assert list(read) == ids
    assert read[ids[198]].balance == dollars("20")
    assert len(counter.adapter.sent) == 2  # a hundred at a time, each once
    assert counter.client.read_cards([]) == {}
    assert len(counter.adapter.sent) == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("balance", {"amount": "5.005", "currencyCode": "USD"}),
        ("balance", {"amount": 5, "currencyCode": "USD"}),
        ("balance", None),
        ("lastCharacters", None),
        ("enabled", None),
        ("expiresOn", "someday"),
        ("createdAt", "2026-11-23T17:00:00"),
        ("createdAt", "yesterday"),
    ],
)
def test_a_card_that_cannot_be_read_is_a_surprise(
    counter: Counter, key: str, value: object
) -> None:
    counter.answer_json({"data": {"giftCard": FACTS}})
    assert counter.client.read_card(UNKNOWN) is not None
    counter.answer_json({"data": {"giftCard": {**FACTS, key: value}}})
    with pytest.raises(VendorSurprise):
        counter.client.read_card(UNKNOWN)
