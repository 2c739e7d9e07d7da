"""The form for selling a card, as a browser without JavaScript gets it."""

import re
from collections.abc import Mapping

import pytest

from sandbox.airtable import RecordJson
from tests.sandbox.pages.little_shop import LittleShop

FORM = "/forms/sell"

# As Airtable's form asks, in its order.
ASKED = [
    "Store",
    "Employee",
    "Amount",
    "Quantity",
    "Recipient Name",
    "Recipient Email",
    "Is Gift",
    "Purchaser Name",
    "Purchaser Email",
    "Gift Message",
    "Theme",
    "Send On",
    "Kind",
]


def filled_in(little_shop: LittleShop, changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a browser sends of a form in which only what is required was filled in."""
    return {
        "Store": little_shop.day.stores[0].id,
        "Employee": "Maya Ortiz",
        "Amount": "50.00",
        "Quantity": "1",
        "Recipient Name": "Elena Vasquez",
        "Recipient Email": "elena@customers.example.com",
        "Purchaser Name": "",
        "Purchaser Email": "",
        "Gift Message": "",
        "Theme": "Standard",
        "Send On": "",
        "Kind": "Paid",
        **(changes or {}),
    }


GIFT = {
    "Is Gift": "yes",
    "Purchaser Name": "Ingrid Solberg",
    "Purchaser Email": "ingrid@customers.example.com",
    "Gift Message": "To many happy years!\r\nIngrid",
    "Theme": "Wedding",
    "Send On": "2026-12-24",
}


def requests_of(little_shop: LittleShop) -> list[RecordJson]:
    return little_shop.base.table("Creation Requests").records()


def test_a_gift_is_a_row_as_airtable_files_it(little_shop: LittleShop) -> None:
    reply = little_shop.client.post(FORM, data=filled_in(little_shop, GIFT | {"Quantity": "2"}))

    assert reply.status_code == 303
    assert requests_of(little_shop)[-1]["fields"] == {
        "Store": [little_shop.day.stores[0].id],
        "Employee": "Maya Ortiz",
        "Amount": 50,
        "Quantity": 2,
        "Recipient Name": "Elena Vasquez",
        "Recipient Email": "elena@customers.example.com",
        "Is Gift": True,
        "Purchaser Name": "Ingrid Solberg",
        "Purchaser Email": "ingrid@customers.example.com",
        "Gift Message": "To many happy years!\nIngrid",
        "Theme": "Wedding",
        "Send On": "2026-12-24",
        "Kind": "Paid",
    }
    thanks = little_shop.page(reply.location)
    assert "Thank you" in thanks
    assert 'href="/tables/Creation%20Requests"' in thanks
    assert f"/inbox/{little_shop.day.stores[0].email}" in thanks


def test_without_the_tick_the_questions_about_a_gift_are_not_submitted(
    little_shop: LittleShop,
) -> None:
    little_shop.client.post(FORM, data=filled_in(little_shop, GIFT | {"Is Gift": ""}))
    cells = requests_of(little_shop)[-1]["fields"]
    assert not {"Is Gift", "Purchaser Name", "Purchaser Email", "Gift Message"} & set(cells)
    assert cells["Theme"] == "Wedding"


def test_the_form_asks_its_fields_in_their_order_and_nothing_that_is_ours(
    little_shop: LittleShop,
) -> None:
    shown = little_shop.page(FORM)
    names = re.findall(r'name="([^"]+)"', shown)
    assert [name for name in names if name not in {"viewport", "color-scheme"}] == ASKED


def test_the_form_opens_with_one_paid_card_in_the_standard_theme(little_shop: LittleShop) -> None:
    shown = little_shop.page(FORM)
    assert re.findall(r'name="Quantity"[^>]*value="([^"]*)"', shown) == ["1"]
    assert re.findall(r'<option value="([^"]*)" selected', shown) == ["Standard", "Paid"]
    for choice in ("Birthday", "Wedding", "Holiday", "Promotional"):
        assert f'<option value="{choice}">' in shown


def test_what_is_not_required_may_be_empty(little_shop: LittleShop) -> None:
    empty = {"Quantity": "", "Theme": "", "Kind": ""}
    assert little_shop.client.post(FORM, data=filled_in(little_shop, empty)).status_code == 303
    assert set(requests_of(little_shop)[-1]["fields"]) == {
        "Store", "Employee", "Amount", "Recipient Name", "Recipient Email"
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["Store", "Employee", "Amount", "Recipient Name", "Recipient Email"]
)
def test_an_empty_required_field_is_refused_and_nothing_typed_is_lost(
    little_shop: LittleShop, name: str
) -> None:
    before = len(requests_of(little_shop))
    reply = little_shop.client.post(FORM, data=filled_in(little_shop, GIFT | {name: " "}))

    assert reply.status_code == 422
    assert len(requests_of(little_shop)) == before
    assert reply.text.count("This field is required.") == 1
    assert "To many happy years!" in reply.text
    assert 'value="2026-12-24"' in reply.text
    assert re.findall(r'<option value="([^"]*)" selected', reply.text)[-2:] == ["Wedding", "Paid"]
    assert re.search(r'name="Is Gift"[^>]* checked', reply.text)


@pytest.mark.parametrize(
    ("name", "typed", "kept"),
    [
        ("Amount", "-25", -25),
        ("Amount", "12.345", 12.345),
        ("Quantity", "0", 0),
        ("Quantity", "1.5", 1.5),
        ("Quantity", "100000", 100000),
        ("Recipient Email", "elena.customers.example.com", "elena.customers.example.com"),
        ("Send On", "1999-12-31", "1999-12-31"),
    ],
)
def test_mistakes_that_airtable_takes_are_left_to_the_application(
    little_shop: LittleShop, name: str, typed: str, kept: object
) -> None:
    reply = little_shop.client.post(FORM, data=filled_in(little_shop, {name: typed}))
    assert reply.status_code == 303
    assert requests_of(little_shop)[-1]["fields"][name] == kept


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Amount", "fifty"),
        ("Quantity", "a dozen"),
        ("Send On", "tomorrow"),
        ("Theme", "easter"),
        ("Kind", "stolen"),
        ("Store", "recNoSuchStore0000"),
    ],
)
def test_what_no_cell_can_hold_is_refused_in_words(
    little_shop: LittleShop, name: str, typed: str
) -> None:
    before = len(requests_of(little_shop))
    reply = little_shop.client.post(FORM, data=filled_in(little_shop, {name: typed}))
    assert reply.status_code == 422
    assert 'role="alert"' in reply.text
    assert 'value="Elena Vasquez"' in reply.text
    assert len(requests_of(little_shop)) == before


def test_a_form_sent_twice_is_two_rows(little_shop: LittleShop) -> None:
    before = len(requests_of(little_shop))
    for _ in range(2):
        little_shop.client.post(FORM, data=filled_in(little_shop))
    assert len(requests_of(little_shop)) == before + 2


def test_the_thank_you_page_follows_the_cards_and_finds_the_answer(
    little_shop: LittleShop,
) -> None:
    table = little_shop.base.table("Creation Requests")
    path = little_shop.client.post(FORM, data=filled_in(little_shop)).location
    row = requests_of(little_shop)[-1]
    assert "waits for the next tick" in little_shop.page(path)

    table.update(row["id"], {"Status": "In Progress", "Message": "37 of 50"})
    shown = little_shop.page(path)
    assert "The cards are being made." in shown
    assert "37 of 50" in shown
    assert "It is answered" not in shown

    table.update(row["id"], {"Status": "Processed", "Outcome": "ISSUED", "Message": "Done"})
    little_shop.mail(little_shop.day.stores[0].email, subject="Its own", text=f"re {row['id']}")
    shown = little_shop.page(path)
    assert "being made" not in shown
    assert 'class="pill good">ISSUED' in shown
    assert "Its own" in shown


def test_every_form_is_offered_on_one_page(little_shop: LittleShop) -> None:
    shown = little_shop.page("/forms")
    for path in ("/forms/redeem", FORM, "/gift-card-balance"):
        assert f'href="{path}"' in shown
        assert little_shop.client.get(path).status_code == 200
