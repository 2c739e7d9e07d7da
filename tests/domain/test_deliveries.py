"""What is told of a delivery: everything to the template, no code to anybody else."""

import pickle
from datetime import date
from typing import Any

import pytest

from giftcards.domain.codes import Code
from giftcards.domain.deliveries import (
    CardsDelivered,
    DeliveredCard,
    GiftConfirmed,
    Person,
    amount_for_people,
    grouped,
    theme_name,
)
from giftcards.domain.money import Money

CODE = Code("wxyz2345abcd6789")
CARD = DeliveredCard(CODE, Money(5_000, "USD"), date(2031, 11, 3))


def delivered(**given: Any) -> CardsDelivered:
    facts: dict[str, Any] = {
        "operation": "issue#recA#1",
        "resend": 0,
        "to": Person("Mia", "mia@example.com"),
        "cards": (CARD,),
        "giver": "Rosa",
        "message": "Enjoy",
        "theme": "birthday",
        "shop_name": "Lantern & Loom",
        "shop_url": "https://lantern.example",
    }
    return CardsDelivered(**(facts | given))


def confirmed(**given: Any) -> GiftConfirmed:
    facts: dict[str, Any] = {
        "operation": "issue#recA#1",
        "resend": 0,
        "to": Person("Rosa", "rosa@example.com"),
        "recipient": Person("Mia", "mia@example.com"),
        "amount": Money(5_000, "USD"),
        "quantity": 1,
        "send_on": date(2026, 12, 24),
        "message": "Enjoy",
        "theme": "birthday",
        "shop_name": "Lantern & Loom",
        "shop_url": "https://lantern.example",
    }
    return GiftConfirmed(**(facts | given))


def test_a_card_is_told_for_people_and_plain() -> None:
    assert CARD.properties() == {
        "code": "WXYZ 2345 ABCD 6789",
        "masked": "•••• 6789",
        "amount": "$50.00",
        "amount_plain": "50.00",
        "currency": "USD",
        "expires_on": "2031-11-03",
        "expires_on_text": "November 3, 2031",
    }
    never = DeliveredCard(CODE, Money(1, "KWD"), None).properties()
    assert (never["expires_on"], never["expires_on_text"]) == ("", "")
    assert (never["amount"], never["amount_plain"]) == ("0.001 KWD", "0.001")


def test_several_cards_for_one_address_are_added_up() -> None:
    properties = delivered(cards=(CARD, CARD, CARD)).properties()
    assert (properties["quantity"], properties["total"]) == (3, "$150.00")
    assert properties["total_plain"] == "150.00"


def test_a_delivery_without_a_card_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="without a card"):
        delivered(cards=())


def test_only_the_properties_of_a_delivery_spell_a_code_out() -> None:
    delivery = delivered()
    for shown in (repr(delivery), str(delivery), f"{delivery}", repr(CARD)):
        assert CODE.value not in shown.lower()
        assert "wxyz" not in shown.lower()
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(delivery)
    assert grouped(CODE) in repr(delivery.properties())


def test_the_confirmation_has_all_that_the_purchaser_checks() -> None:
    properties = confirmed(quantity=2).properties()
    assert properties["recipient_email"] == "mia@example.com"
    assert (properties["amount"], properties["quantity"]) == ("$50.00", 2)
    assert (properties["send_on"], properties["send_on_text"]) == (
        "2026-12-24",
        "December 24, 2026",
    )


def test_each_resend_has_an_id_of_its_own_and_each_retry_the_same() -> None:
    assert delivered().unique_id == delivered().unique_id == "issue#recA#1/0"
    assert delivered(resend=1).unique_id == confirmed(resend=1).unique_id == "issue#recA#1/1"


@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        ("birthday", "birthday"),
        (" Wedding ", "wedding"),
        ("Spring Sale", "spring-sale"),
        ("", "standard"),
        ("  ", "standard"),
    ],
)
def test_a_theme_is_named_as_its_template(chosen: str, name: str) -> None:
    assert theme_name(chosen) == name


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (Money(125_000, "USD"), "$1,250.00"),
        (Money(5_000, "JPY"), "¥5,000"),
        (Money(1_250, "EUR"), "€12.50"),
        (Money(8_000, "CHF"), "80.00 CHF"),
        (Money(12_345, "KWD"), "12.345 KWD"),
    ],
)
def test_amounts_are_written_with_the_currencys_decimals(amount: Money, shown: str) -> None:
    assert amount_for_people(amount) == shown


@pytest.mark.parametrize("length", [8, 10, 16, 20])
def test_codes_of_any_length_are_grouped(length: int) -> None:
    code = Code("abcdefghjkmnpqrstuvw"[:length])
    assert grouped(code).replace(" ", "").lower() == code.value
    assert all(len(group) <= 4 for group in grouped(code).split(" "))
