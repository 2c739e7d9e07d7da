"""What a person sees: the form is filled in, the mail is read, the tables tell the rest."""

import re
import uuid
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from sandbox.demo import Sandbox
from tests.browser.launching import base_url, browser_type_launch_args

__all__ = ["base_url", "browser_type_launch_args"]  # fixtures, found here by their names

pytestmark = [pytest.mark.deployed, pytest.mark.browser, pytest.mark.sockets]

# The day's own rows may be served first, and a tick is up to a minute away when the stack is new.
ANSWER_MILLISECONDS = 120_000

AMOUNT, BALANCE_AFTER = "12.50", "37.50"


def test_a_form_is_filled_in_and_its_answer_is_read(page: Page, sandbox: Sandbox) -> None:
    card = sandbox.day.cards["fresh"]
    masked = f"•••• {card.code[-4:]}"
    employee = f"Maya {uuid.uuid4().hex[:6]}"
    expect.set_options(timeout=ANSWER_MILLISECONDS)

    # The form, as the store fills it in: the code as it is printed on the card.
    page.goto(sandbox.pages_url)
    page.get_by_role("link", name="Redeem a gift card").click()
    page.get_by_label("Store").select_option(label="Northgate Mall")
    page.get_by_label("Employee").fill(employee)
    page.get_by_label("Gift Card Code").fill(
        "-".join(re.findall("....", card.code.upper())),
    )
    page.get_by_label("Amount").fill(AMOUNT)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="Thank you for submitting the form!")).to_be_visible()
    row_id = page.url.rpartition("/")[2]

    # The mail comes by itself, while the store looks at its inbox.
    page.get_by_role("link", name="Open the store's inbox").click()
    mail = page.locator(f"#live-mails a:has-text('{masked}')").filter(has_text=AMOUNT)
    expect(mail.first).to_be_visible()
    mail.first.click()
    letter = page.frame_locator("iframe").locator("body")
    for words in (masked, AMOUNT, BALANCE_AFTER, employee):
        expect(letter).to_contain_text(words)
    expect(letter).not_to_contain_text(card.code)

    # The row is processed, its code masked, and linked to the card.
    page.goto(f"{sandbox.pages_url}/tables/Redemptions")
    row = page.locator(f"[data-row='{row_id}']")
    expect(row.locator("[data-label='Gift Card'] a")).to_have_text(masked)
    expect(row.locator("[data-label='Status']")).to_have_text("Processed")
    expect(row.locator("[data-label='Outcome']")).to_have_text("REDEEMED")
    expect(row.locator("[data-label='Gift Card Code']")).to_have_text(masked)
    expect(row.locator("[data-label='Balance After']")).to_have_text(f"${BALANCE_AFTER}")
    expect(page.get_by_text(card.code)).to_have_count(0)

    # The card's new balance, the paper trail, and how the prong fares.
    page.get_by_role("link", name="Gift Cards").first.click()
    mirrored = page.get_by_role("row").filter(has_text=masked)
    expect(mirrored.locator("[data-label='Balance']")).to_have_text(f"${BALANCE_AFTER}")
    page.get_by_role("link", name="Receipts").click()
    receipt = page.get_by_role("row").filter(has_text=row_id)
    expect(receipt.locator("[data-label='Outcome']")).to_have_text("Done")
    expect(receipt.locator("[data-label='Amount']")).to_have_text(f"${AMOUNT}")
    expect(receipt.locator("[data-label='Actor']")).to_contain_text(employee)
    page.get_by_role("navigation", name="Tables").get_by_role("link", name="Status").click()
    prong = page.get_by_role("row").filter(has_text="store_transactions")
    expect(prong.locator("[data-label='State']")).to_have_text("Executing")

    # Money moved once.
    assert sandbox.shop.card(card.id).balance == Decimal(BALANCE_AFTER)
    assert len(sandbox.shop.card(card.id).transactions) == 1
