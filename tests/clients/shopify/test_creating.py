"""Making a card: a second try with the same code makes no second card, and finds the first."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import requests

from giftcards.domain.cards import (
    CardLimits,
    CodeTaken,
    Created,
    CreateRefused,
    CreateReply,
    NotedCard,
)
from giftcards.domain.codes import Code
from giftcards.domain.money import Money
from giftcards.errors import AccessRefused, NotSent, Unconfirmed, VendorSurprise
from sandbox.faults import Fault
from sandbox.shopify.shop import ALL_SCOPES, GiftCard
from tests.clients.shopify.counter import CODE, TOKEN, Counter, dollars, open_counter

REFERENCE = "issue#rec1#1"
TEN = dollars("10")
MADE = {
    "id": "gid://shopify/GiftCard/1",
    "lastCharacters": "2b5a",
    "balance": {"amount": "10.0", "currencyCode": "USD"},
    "initialValue": {"amount": "10.0", "currencyCode": "USD"},
    "enabled": True,
    "expiresOn": None,
    "deactivatedAt": None,
    "createdAt": "2026-11-23T17:00:00Z",
    "note": REFERENCE,
}


def create(
    counter: Counter,
    *,
    amount: Money = TEN,
    code: str = CODE,
    reference: str = REFERENCE,
    expires_on: date | None = None,
    template_suffix: str | None = None,
) -> CreateReply:
    return counter.client.create_card(
        code=Code(code),
        amount=amount,
        reference=reference,
        expires_on=expires_on,
        template_suffix=template_suffix,
    )


def only_card(counter: Counter) -> GiftCard:
    (card,) = counter.shop.cards
    return card


def answer(
    counter: Counter, *, code: str | None = CODE, refusal: object = None, **card: Any
) -> None:
    """Put an answer in the shop's mouth: a card, or why there is none."""
    payload = {
        "giftCardCode": None if refusal else code,
        "giftCard": None if refusal else MADE | card,
        "userErrors": [refusal] if refusal else [],
    }
    counter.answer_json({"data": {"giftCardCreate": payload}})


# ---- what is made ---------------------------------------------------------------------------


def test_a_card_is_made_with_our_code_and_our_reference(counter: Counter) -> None:
    reply = create(counter, expires_on=date(2027, 11, 23), template_suffix="birthday")
    made = only_card(counter)
    assert isinstance(reply, Created)
    assert reply.card == counter.client.read_card(made.id)
    assert (made.code, made.note, made.initial_value) == (CODE, REFERENCE, Decimal(10))
    assert (made.expires_on, made.template_suffix) == (date(2027, 11, 23), "birthday")
    (first, _) = counter.adapter.sent
    body = json.loads(first.body or b"")
    assert CODE not in body["query"]
    # With a customer or a recipient Shopify might write to somebody by itself.
    assert set(body["variables"]["input"]) == {
        "code", "initialAmount", "note", "expiresOn", "templateSuffix",
    }  # fmt: skip


def test_without_a_last_day_and_a_theme_nothing_is_said_about_them(counter: Counter) -> None:
    assert isinstance(create(counter), Created)
    body = json.loads(counter.adapter.sent[0].body or b"")
    assert set(body["variables"]["input"]) == {"code", "initialAmount", "note"}
    assert only_card(counter).expires_on is None


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 500), ("KWD", 1_005), ("USD", 1)])
def test_every_currency_is_written_by_its_own_decimals(currency: str, minor: int) -> None:
    counter = open_counter(currency=currency)
    reply = create(counter, amount=Money(minor, currency))
    assert isinstance(reply, Created)
    assert reply.card.initial_value == reply.card.balance == Money(minor, currency)


def test_shopify_echoes_the_code_in_any_case(counter: Counter) -> None:
    answer(counter, code=CODE.upper())
    assert isinstance(create(counter), Created)


# ---- a code exists once ---------------------------------------------------------------------


@pytest.mark.parametrize("with_code", [False, True])
def test_a_taken_code_is_a_value_in_both_forms(counter: Counter, with_code: bool) -> None:  # noqa: FBT001 - the two forms
    counter.shop.taken_has_a_code = with_code
    counter.card(note="somebody else's")
    assert create(counter) == CodeTaken()
    assert len(counter.shop.cards) == 1


def test_a_code_is_taken_for_ever(counter: Counter) -> None:
    card = counter.card()
    counter.shop.deactivate(card.id)
    assert create(counter) == CodeTaken()


def test_a_second_try_with_the_same_code_makes_no_second_card(counter: Counter) -> None:
    """What looks like the dangerous retry is none: a code exists once."""
    assert isinstance(create(counter), Created)
    assert create(counter) == CodeTaken()
    found = counter.client.find_created(Code(CODE))
    assert found is not None
    assert (found.note, found.card.id) == (REFERENCE, only_card(counter).id)


@pytest.mark.parametrize(
    "refusal",
    [
        {"field": ["input", "code"], "code": None, "message": "Code has already been taken"},
        {"field": ["input", "code"], "code": "TAKEN", "message": "Anything"},
    ],
)
def test_taken_is_read_whichever_way_it_is_said(counter: Counter, refusal: object) -> None:
    answer(counter, refusal=refusal)
    assert create(counter) == CodeTaken()


@pytest.mark.parametrize(
    "refusal",
    [
        {"field": ["input", "code"], "code": None, "message": "Code is wrong"},
        {"field": ["input", "note"], "code": None, "message": "Code has already been taken"},
        {"field": None, "code": None, "message": "Code has already been taken"},
        {"field": ["input"], "code": "INTERNAL_ERROR", "message": "Oops"},
        {"field": ["input"], "code": None, "message": "Oops"},
        {"field": ["input"], "code": 7, "message": "Oops"},
    ],
)
def test_a_refusal_that_says_nothing_certain_is_unconfirmed(
    counter: Counter, refusal: object
) -> None:
    answer(counter, refusal=refusal)
    with pytest.raises(Unconfirmed):
        create(counter)


# ---- why no card is made --------------------------------------------------------------------


def test_a_card_above_the_limit_is_refused_with_shopifys_code() -> None:
    counter = open_counter(issue_limit=Decimal(100))
    reply = create(counter, amount=dollars("100.01"))
    assert isinstance(reply, CreateRefused)
    assert reply.code == "GIFT_CARD_LIMIT_EXCEEDED"
    assert counter.shop.cards == []
    assert isinstance(create(counter, amount=dollars("100")), Created)


def test_a_card_of_nothing_is_refused(counter: Counter) -> None:
    reply = create(counter, amount=dollars("0"))
    assert isinstance(reply, CreateRefused)
    assert reply.code == "GREATER_THAN"


def test_a_refusal_never_shows_the_code(counter: Counter) -> None:
    shown = "ABCD efgh-1234 2b5a"
    answer(
        counter,
        refusal={"field": ["input", "code"], "code": "INVALID", "message": f"{shown} is no code"},
    )
    reply = create(counter)
    assert reply == CreateRefused("INVALID", "•••• 2b5a is no code")


# ---- every accident: is it known whether it ran, and how it goes on ---------------------------


@pytest.mark.parametrize(
    ("fault", "made"),
    [
        (Fault.DROP_REPLY, True),
        (Fault.BREAK_CONNECTION, True),
        (Fault.FAIL_AFTER, True),
        (Fault.FAIL_BEFORE, False),  # HTTP 500: nobody can tell it from one after
        (Fault.APPLY_LATE, False),  # not yet
    ],
)
def test_where_nobody_knows_the_same_call_again_finds_out(
    counter: Counter,
    fault: Fault,
    made: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    seconds = 30 if fault is Fault.APPLY_LATE else 0
    counter.shop.faults.add(fault, operation="giftCardCreate", seconds=seconds)
    with pytest.raises(Unconfirmed) as caught:
        create(counter)
    assert CODE not in str(caught.value)
    assert len(counter.adapter.sent) == 1
    again = create(counter)
    assert again == CodeTaken() if made else isinstance(again, Created)
    counter.advance(31)  # what was to be applied late, is now: it finds its code taken
    found = counter.client.find_created(Code(CODE))
    assert found is not None
    assert found.note == REFERENCE
    assert len(counter.shop.cards) == 1


@pytest.mark.parametrize("fault", [Fault.REFUSE_CONNECTION, Fault.THROTTLE, Fault.THROTTLE_429])
def test_where_it_certainly_did_not_run_it_is_not_sent(counter: Counter, fault: Fault) -> None:
    counter.shop.faults.add(fault, operation="giftCardCreate")
    with pytest.raises(NotSent):
        create(counter)
    assert len(counter.adapter.sent) == 1
    assert counter.shop.cards == []
    assert isinstance(create(counter), Created)


def test_a_refused_token_is_for_a_person(counter: Counter) -> None:
    counter.shop.faults.add(Fault.REFUSE_TOKEN, operation="giftCardCreate")
    with pytest.raises(AccessRefused, match="401"):
        create(counter)
    assert counter.shop.cards == []


def test_every_fault_switch_was_thrown_at_a_creation() -> None:
    """A new switch belongs into the tests above; a search that is stale is a question's."""
    thrown = {
        Fault.DROP_REPLY, Fault.BREAK_CONNECTION, Fault.FAIL_AFTER, Fault.FAIL_BEFORE,
        Fault.APPLY_LATE, Fault.REFUSE_CONNECTION, Fault.THROTTLE, Fault.THROTTLE_429,
        Fault.REFUSE_TOKEN,
    }  # fmt: skip
    assert set(Fault) == thrown | {Fault.STALE_SEARCH}


def test_a_missing_permission_to_make_cards_is_for_a_person(counter: Counter) -> None:
    counter.shop.add_static_token(TOKEN, scopes=ALL_SCOPES - {"write_gift_cards"})
    with pytest.raises(AccessRefused, match=r"\bwrite_gift_cards\b"):
        create(counter)
    assert counter.shop.cards == []


# ---- an answer that is not what we asked for --------------------------------------------------


@pytest.mark.parametrize(
    "card",
    [
        {"lastCharacters": "9999"},
        {"initialValue": {"amount": "100.0", "currencyCode": "USD"}},
        {"initialValue": {"amount": "10.0", "currencyCode": "CAD"}},
        {"note": None},
        {"note": "issue#rec1#2"},
        {"expiresOn": "2027-01-01"},
    ],
)
def test_a_card_other_than_we_asked_for_is_for_a_person(
    counter: Counter, card: dict[str, Any]
) -> None:
    answer(counter, **card)
    with pytest.raises(VendorSurprise, match="gid://shopify/GiftCard/1") as caught:
        create(counter)
    assert CODE not in str(caught.value)


def test_a_card_with_a_code_of_shopifys_own_is_for_a_person(counter: Counter) -> None:
    answer(counter, code="zzzzzzzzzzzz2b5a")
    with pytest.raises(VendorSurprise, match="another code"):
        create(counter)


def test_a_code_that_is_not_echoed_may_still_be_ours(counter: Counter) -> None:
    answer(counter, code=None)
    assert isinstance(create(counter), Created)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"userErrors": [], "giftCard": None, "giftCardCode": None},
        {"userErrors": [], "giftCard": {"id": "gid://shopify/GiftCard/1"}, "giftCardCode": CODE},
        {"userErrors": None, "giftCard": MADE, "giftCardCode": CODE},
    ],
)
def test_an_answer_that_cannot_be_read_is_unconfirmed(counter: Counter, payload: object) -> None:
    counter.answer_json({"data": {"giftCardCreate": payload}})
    with pytest.raises(Unconfirmed):
        create(counter)


def test_a_time_out_names_no_code(counter: Counter) -> None:
    counter.adapter.canned.append(requests.ReadTimeout(f"body was {CODE}"))
    with pytest.raises(Unconfirmed) as caught:
        create(counter)
    assert CODE not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


# ---- finding what was made --------------------------------------------------------------------


def test_a_card_is_found_with_its_note(counter: Counter) -> None:
    counter.card("25", note="office")
    found = counter.client.find_created(Code(CODE))
    card = counter.client.find_card(Code(CODE))
    assert card is not None
    assert found == NotedCard(card, "office")


def test_a_foreign_card_may_have_no_note(counter: Counter) -> None:
    counter.card("25")
    found = counter.client.find_created(Code(CODE))
    assert found is not None
    assert found.note is None


def test_a_fresh_card_is_missed_while_the_search_lags(counter: Counter) -> None:
    counter.shop.set_search_lag(30)
    assert isinstance(create(counter), Created)
    assert counter.client.find_created(Code(CODE)) is None
    counter.advance(30)
    assert counter.client.find_created(Code(CODE)) is not None
    counter.shop.faults.add(Fault.STALE_SEARCH, seconds=60)
    assert counter.client.find_created(Code(CODE)) is None


@pytest.mark.parametrize("other", [f"{CODE}99", f"zz{CODE}9"])
def test_a_fragment_of_another_cards_code_is_not_found(counter: Counter, other: str) -> None:
    counter.card(code=other)
    assert counter.client.find_created(Code(CODE)) is None


def test_two_cards_are_none(counter: Counter) -> None:
    counter.card(code=f"zz{CODE}")
    counter.card(code=f"yy{CODE}")
    assert counter.client.find_created(Code(CODE)) is None


def test_a_search_that_was_not_applied_is_not_trusted(counter: Counter) -> None:
    warning = {"field": "x", "code": "invalid_field", "message": "Invalid search field."}
    search = {"path": ["giftCards"], "query": f"x:{CODE}", "warnings": [warning]}
    counter.answer_json(
        {"data": {"giftCards": {"nodes": [MADE]}}, "extensions": {"search": [search]}}
    )
    with pytest.raises(VendorSurprise, match="invalid_field") as surprise:
        counter.client.find_created(Code(CODE))
    assert CODE not in str(surprise.value)


# ---- the shop's limits ------------------------------------------------------------------------


def test_the_shop_tells_its_limits() -> None:
    counter = open_counter(
        currency="KWD", issue_limit=Decimal("500.5"), purchase_limit=Decimal(100)
    )
    assert counter.client.card_limits() == CardLimits(
        issue=Money(500_500, "KWD"), purchase=Money(100_000, "KWD")
    )


def test_a_shop_may_have_no_limit(counter: Counter) -> None:
    none = {"giftCardConfiguration": {"issueLimit": None, "purchaseLimit": None}}
    counter.answer_json({"data": none})
    assert counter.client.card_limits() == CardLimits(None, None)


@pytest.mark.parametrize(
    "data",
    [{}, {"giftCardConfiguration": None}, {"giftCardConfiguration": {"issueLimit": {"amount": 1}}}],
)
def test_limits_that_cannot_be_read_are_not_no_limits(counter: Counter, data: object) -> None:
    counter.answer_json({"data": data})
    with pytest.raises((NotSent, VendorSurprise)):
        counter.client.card_limits()
