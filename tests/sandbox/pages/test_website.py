"""The web site's page for customers who ask what is left on their card."""

import re

import pytest

from sandbox.airtable import RecordJson
from tests.sandbox.pages.little_shop import LittleShop

PAGE = "/gift-card-balance"


def asking(code: str, email: str = "lucia@customers.example.com") -> dict[str, str]:
    return {"Gift Card Code": code, "Email": email}


def checks_of(little_shop: LittleShop) -> list[RecordJson]:
    return little_shop.base.table("Balance Checks").records()


def test_a_question_is_a_row_as_airtable_files_it(little_shop: LittleShop) -> None:
    code = little_shop.day.cards["fresh"].code.upper()
    reply = little_shop.client.post(PAGE, data=asking(code))
    assert reply.status_code == 303
    assert checks_of(little_shop)[-1]["fields"] == asking(code)


def test_what_the_customer_reads_tells_nothing_about_any_card(little_shop: LittleShop) -> None:
    """Good, expired, deactivated, unknown and no code at all: the same page, letter by letter."""
    cards = little_shop.day.cards
    codes = [cards[name].code for name in ("fresh", "expired", "deactivated")]
    replies = {
        (reply.status_code, reply.location)
        for reply in (
            little_shop.client.post(PAGE, data=asking(code, email))
            for code in [*codes, "zz7pqm4kzz8wtr5n", "?"]
            for email in ("lucia@customers.example.com", "no address")
        )
    }
    assert replies == {(303, f"{PAGE}/asked")}
    asked = little_shop.page(f"{PAGE}/asked")
    assert "look into your mail" in asked
    assert "balance is" not in asked


@pytest.mark.parametrize("name", ["Gift Card Code", "Email"])
def test_an_empty_field_is_refused_and_nothing_typed_is_lost(
    little_shop: LittleShop, name: str
) -> None:
    before = len(checks_of(little_shop))
    typed = asking("abc <1>", "zoë@customers.example.com") | {name: " "}
    reply = little_shop.client.post(PAGE, data=typed)
    assert reply.status_code == 422
    assert reply.text.count("This field is required.") == 1
    kept = "zoë@customers.example.com" if name == "Gift Card Code" else "abc &lt;1&gt;"
    assert kept in reply.text
    assert len(checks_of(little_shop)) == before


def test_the_page_asks_for_code_and_address_and_for_nothing_else(little_shop: LittleShop) -> None:
    shown = little_shop.page(PAGE)
    names = re.findall(r'name="([^"]+)"', shown)
    assert [name for name in names if name not in {"viewport", "color-scheme"}] == [
        "Gift Card Code",
        "Email",
    ]
    # More in what is sent than what is asked goes nowhere.
    little_shop.client.post(PAGE, data=asking("abcd") | {"Status": "Processed"})
    assert checks_of(little_shop)[-1]["fields"] == asking("abcd")


def test_no_code_is_taken_from_the_address_or_put_into_it(little_shop: LittleShop) -> None:
    code = little_shop.day.cards["fresh"].code
    assert code not in little_shop.page(f"{PAGE}?prefill_Gift+Card+Code={code}")
    assert '<form class="website-form" method="post"' in little_shop.page(PAGE)


def test_it_is_a_page_for_customers_without_the_staffs_links(little_shop: LittleShop) -> None:
    shown = little_shop.page(PAGE)
    assert 'class="nav"' not in shown
    assert "/forms" not in shown


def test_a_full_base_is_said_in_words(little_shop: LittleShop) -> None:
    typed = asking("abcd")
    little_shop.base.records_limit = little_shop.base.count_records()
    reply = little_shop.client.post(PAGE, data=typed)
    assert reply.status_code == 422
    assert "That did not work" in reply.text
    assert "limit" not in reply.text, "why is nothing for customers"
    assert 'value="abcd"' in reply.text
