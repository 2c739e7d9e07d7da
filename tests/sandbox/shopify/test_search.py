"""The search box: fragments, lag, ignored fields, and what it refuses to guess."""

from datetime import date, timedelta

import pytest

from sandbox.shopify.search import CARDS, UnsupportedSearch, parse_search
from tests.sandbox.shopify.harness import NOON, Caller

CODES = ["abcdefgh12342b5a", "zzzzyyyy2b5b", "qqqqwwwwor12"]


@pytest.fixture
def stocked(caller: Caller) -> Caller:
    for number, code in enumerate(CODES):
        caller.shop.issue_card(amount=10 * (number + 1), code=code)
    return caller


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("abcdefgh12342b5a", ["2b5a"]),
        ("ABCDEFGH12342B5A", ["2b5a"]),
        ("abcd-efgh-1234-2b5a", ["2b5a"]),
        ("2B5", ["2b5a", "2b5b"]),  # fragments match
        ("efgh1234", ["2b5a"]),
        ("abcd 2b5a", ["2b5a"]),
        ("abcd AND 2b5b", []),
        ("2b5a OR or12", ["2b5a", "or12"]),
        ("or12", ["or12"]),
        ("2b5 -2b5a", ["2b5b"]),
        ("NOT (2b5a OR 2b5b)", ["or12"]),
        ("initial_value:>=20", ["2b5b", "or12"]),
        ("initial_value:<20", ["2b5a"]),
        ("initial_value:20", ["2b5b"]),
        ("source:manual status:enabled", ["2b5a", "2b5b", "or12"]),
        ("created_at:>='2026-11-23T17:00:00Z'", ["2b5a", "2b5b", "or12"]),
        ("created_at:<2026-11-23", None),
        ("", ["2b5a", "2b5b", "or12"]),
    ],
)
def test_what_a_search_finds(stocked: Caller, query: str, found: list[str] | None) -> None:
    if found is None:
        with pytest.raises(NotImplementedError):
            stocked.found(query)
        return
    assert stocked.found(query) == found
    assert "search" not in stocked.last.json()["extensions"]


def test_states_can_be_searched_for(caller: Caller) -> None:
    caller.shop.issue_card(amount=5, code="aaaaaaaaexpd", expires_on=date(2026, 11, 22))
    caller.shop.issue_card(amount=5, code="aaaaaaaasoon", expires_on=date(2026, 12, 1))
    spent = caller.shop.issue_card(amount=5, code="aaaaaaaapart")
    empty = caller.shop.issue_card(amount=5, code="aaaaaaaavoid")
    ended = caller.shop.issue_card(amount=5, code="aaaaaaaadead")
    caller.shop.spend_on_web(spent.id, 1)
    caller.shop.spend_on_web(empty.id, 5)
    caller.shop.deactivate(ended.id)
    assert caller.found("status:expired") == ["expd"]
    assert caller.found("status:expiring") == ["soon"]
    assert caller.found("status:disabled") == ["dead"]
    assert caller.found("status:enabled") == ["soon", "part", "void"]
    assert caller.found("balance_status:partial") == ["part"]
    assert caller.found("balance_status:empty") == ["void"]
    assert caller.found("balance_status:full status:enabled") == ["soon"]
    assert caller.found("expires_on:<=2026-11-30") == ["expd"]
    assert caller.found(f"id:>{ended.number - 1}") == ["dead"]


@pytest.mark.parametrize("name", ["last_characters", "updated_at", "enabled"])
def test_a_field_that_is_none_is_ignored_with_nothing_but_a_warning(
    stocked: Caller, name: str
) -> None:
    assert stocked.found(f"{name}:2b5a") == ["2b5a", "2b5b", "or12"]
    (search,) = stocked.last.json()["extensions"]["search"]
    assert search["path"] == ["giftCards"]
    (warning,) = search["warnings"]
    assert (warning["field"], warning["code"]) == (name, "invalid_field")
    assert stocked.found(f"2b5b {name}:x") == ["2b5b"]
    assert stocked.found(f"-{name}:x or12") == ["or12"]


def test_an_ignored_field_in_an_alternative_lets_everything_through(stocked: Caller) -> None:
    assert stocked.found("2b5b OR enabled:true") == ["2b5a", "2b5b", "or12"]


@pytest.mark.parametrize(
    "query", ["(2b5a", "status:odd", "id:abc", "customer_id:1", "status:>enabled", "created_at:x"]
)
def test_what_the_box_cannot_answer_is_an_error(stocked: Caller, query: str) -> None:
    with pytest.raises(NotImplementedError, match="not emulated"):
        stocked.found(query)


def test_a_search_that_cannot_be_parsed_is_named_by_its_column_only() -> None:
    with pytest.raises(UnsupportedSearch) as problem:
        parse_search("abcd1234secret ((", CARDS)
    assert "secret" not in str(problem.value)


def test_the_index_lags_while_reads_by_id_do_not(caller: Caller) -> None:
    caller.shop.set_search_lag(20)
    card = caller.shop.issue_card(amount=5, code="aaaaaaaafresh")
    assert caller.found("aaaaaaaafresh") == []
    assert caller.run("card_transactions", id=card.id, first=1)["giftCard"]["id"] == card.id
    caller.clock.advance(20)
    assert caller.found("aaaaaaaafresh") == ["resh"]
    caller.shop.deactivate(card.id)
    assert caller.found("status:disabled") == []
    (node,) = caller.run("list_cards", first=1, query="status:enabled")["giftCards"]["nodes"]
    assert node["enabled"] is False  # found by the old index, shown as it is now
    caller.clock.advance(20)
    assert caller.found("status:disabled") == ["resh"]


def test_a_list_without_a_search_does_not_lag(caller: Caller) -> None:
    caller.shop.set_search_lag(20)
    caller.shop.issue_card(amount=5, code="aaaaaaaafresh")
    assert caller.found("") == ["resh"]


def test_cards_issued_in_the_past_are_found_at_once(caller: Caller) -> None:
    caller.shop.set_search_lag(20)
    caller.shop.issue_card(amount=5, code="aaaaaaaalongago", at=NOON - timedelta(days=3))
    assert caller.found("longago") == ["gago"]


def test_cards_come_sorted_and_in_pages(stocked: Caller) -> None:
    assert stocked.found("", sortKey="INITIAL_VALUE", reverse=True) == ["or12", "2b5b", "2b5a"]
    stocked.shop.spend_on_web(stocked.shop.cards[2].id, 29)
    assert stocked.found("", sortKey="BALANCE") == ["or12", "2b5a", "2b5b"]
    page = stocked.run("list_cards", first=2)["giftCards"]
    assert page["pageInfo"]["hasNextPage"] is True
    rest = stocked.run("list_cards", first=2, after=page["pageInfo"]["endCursor"])["giftCards"]
    assert [node["lastCharacters"] for node in rest["nodes"]] == ["or12"]
    assert stocked.found("", first=None, last=1) == ["or12"]
    with pytest.raises(NotImplementedError):
        stocked.found("", sortKey="CUSTOMER_NAME")
