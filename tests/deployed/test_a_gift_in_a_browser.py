"""What people see of a gift: a store sells it, three mails are read, and the card is spent.

The pictures it takes along the way stand in `.sandbox/a-gift/`, for whoever wants to look.
"""

import re
import uuid
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from sandbox.demo import Sandbox
from sandbox.embedded_aws import PROJECT
from tests.browser.launching import base_url, browser_type_launch_args
from tests.deployed.stack import wait_until

__all__ = ["base_url", "browser_type_launch_args"]  # fixtures, found here by their names

pytestmark = [pytest.mark.deployed, pytest.mark.browser, pytest.mark.sockets]

# The day's own rows may be served first, and a tick is up to a minute away when the stack is new.
ANSWER_MILLISECONDS = 120_000

THANKS = "Thank you for submitting the form!"

PICTURES = PROJECT / ".sandbox" / "a-gift"
PHONE_WIDTH, PHONE_HEIGHT = 375, 780

STORE, EMPLOYEE = "Northgate Mall", "Aisha Bello"
AMOUNT, SPENT, LEFT = "90.00", "34.50", "55.50"
RECIPIENT, GIVER = "Zoë & Björn", "Ingrid Solberg"
MESSAGE = "May the roof never leak, and the soup never burn."


class Story:
    """One gift and the window that people look through; `window` is part of the pictures' names."""

    def __init__(self, page: Page, sandbox: Sandbox, window: str) -> None:
        self.page = page
        self.sandbox = sandbox
        self.window = window
        somebody = uuid.uuid4().hex[:6]
        self.recipient = f"zoe.and.bjorn.{somebody}@customers.example.com"
        self.purchaser = f"ingrid.{somebody}@customers.example.com"

    def picture(self, name: str) -> None:
        path: Path = PICTURES / f"{self.window}-{name}.png"
        self.page.screenshot(path=path, full_page=True, animations="disabled")
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= self.page.evaluate("innerWidth"), f"{name} scrolls sideways"

    def sell(self) -> str:
        """The store files the form for a wedding gift; returns the row's id."""
        page = self.page
        page.goto(self.sandbox.pages_url)
        page.get_by_role("link", name="Sell a gift card").click()
        page.get_by_label("Store").select_option(label=STORE)
        page.get_by_label("Employee").fill(EMPLOYEE)
        page.get_by_label("Amount").fill(AMOUNT)
        page.get_by_label("Recipient Name").fill(RECIPIENT)
        page.get_by_label("Recipient Email").fill(self.recipient)
        page.get_by_label("Is Gift").check()
        page.get_by_label("Purchaser Name").fill(GIVER)
        page.get_by_label("Purchaser Email").fill(self.purchaser)
        page.get_by_label("Gift Message").fill(MESSAGE)
        page.get_by_label("Theme").select_option(label="Wedding")
        self.picture("1-the-form")
        page.get_by_role("button", name="Submit").click()
        expect(
            page.get_by_role("heading", name="Thank you for submitting the form!")
        ).to_be_visible()
        return page.url.rpartition("/")[2]

    def open_mail(self, box: str, subject: str) -> FrameLocator:
        """Open a box, wait for a mail whose subject begins so, and read it as it is designed."""
        self.page.goto(f"{self.sandbox.pages_url}/inbox/{box}")
        mail = self.page.locator("#live-mails a").filter(has_text=subject).first
        expect(mail).to_be_visible()
        mail.click()
        return self.page.frame_locator("iframe")

    def read_the_gift(self) -> str:
        """The recipient reads the mail, and returns the code as it stands there."""
        letter = self.open_mail(self.recipient, "your wedding")
        for words in (GIVER, MESSAGE, "$90.00"):
            expect(letter.locator("body")).to_contain_text(words)
        self.picture("2-the-recipients-mail")
        code = letter.locator(".code").inner_text()
        assert re.fullmatch(r"(?:\w{4} ){4}\w{4}", code)
        return code

    def ask_for_the_balance(self, code: str) -> None:
        page = self.page
        page.goto(self.sandbox.pages_url)
        page.get_by_role("link", name="Check a balance").click()
        page.get_by_label("Gift card code").fill(code)
        page.get_by_label("Email").fill(self.recipient)
        self.picture("5-the-question")
        page.get_by_role("button", name="Mail me the balance").click()
        expect(page.get_by_role("heading", name=re.compile("mail"))).to_be_visible()

    def redeem(self, code: str) -> str:
        page = self.page
        page.goto(self.sandbox.pages_url)
        page.get_by_role("link", name="Redeem a gift card").click()
        page.get_by_label("Store").select_option(label="Harbor Street")
        page.get_by_label("Employee").fill("Maya Ortiz")
        page.get_by_label("Gift Card Code").fill(code)
        page.get_by_label("Amount").fill(SPENT)
        page.get_by_role("button", name="Submit").click()
        expect(
            page.get_by_role("heading", name="Thank you for submitting the form!")
        ).to_be_visible()
        return page.url.rpartition("/")[2]


def live_through(story: Story) -> None:
    """A gift from the counter to the till, as all who take part in it see it."""
    sandbox, page = story.sandbox, story.page
    expect.set_options(timeout=ANSWER_MILLISECONDS)
    sale_id = story.sell()
    code = story.read_the_gift()
    bare = code.replace(" ", "").lower()
    masked = f"•••• {bare[-4:]}"

    confirmation = story.open_mail(story.purchaser, "Your wedding gift").locator("body")
    for words in (RECIPIENT, story.recipient, "$90.00", MESSAGE):
        expect(confirmation).to_contain_text(words)
    assert bare not in confirmation.inner_text().replace(" ", "").lower()
    story.picture("3-the-purchasers-mail")

    (store,) = [store for store in sandbox.day.stores if store.name == STORE]
    told = story.open_mail(store.email, "Done: the card was sent (90.00 USD)").locator("body")
    for words in (story.recipient, EMPLOYEE, sale_id):
        expect(told).to_contain_text(words)
    assert bare not in told.inner_text().replace(" ", "").lower()
    story.picture("4-the-stores-mail")

    story.ask_for_the_balance(code)
    answer = story.open_mail(story.recipient, f"Your gift card holds {AMOUNT} USD").locator("body")
    expect(answer).to_contain_text(masked)
    story.picture("6-the-balance")

    row_id = story.redeem(code)
    (till,) = [store for store in sandbox.day.stores if store.name == "Harbor Street"]
    paid = story.open_mail(till.email, f"Paid: {SPENT} USD ({masked})").locator("body")
    for words in (masked, SPENT, LEFT, row_id):
        expect(paid).to_contain_text(words)
    story.picture("7-paid")

    # The office sees one card, with its owner and what is left; no page of it shows the code.
    page.goto(f"{sandbox.pages_url}/tables/Gift Cards")
    card = page.get_by_role("row").filter(has_text=story.recipient)
    expect(card.locator("[data-label='Balance']")).to_have_text(f"${LEFT}")
    expect(card).to_contain_text(masked)
    story.picture("8-the-card")
    page.goto(f"{sandbox.pages_url}/tables/Creation Requests")
    sale = page.locator(f"[data-row='{sale_id}']")
    expect(sale.locator("[data-label='Gift Cards'] a")).to_have_text(masked)
    expect(sale.locator("[data-label='Outcome']")).to_have_text("ISSUED")
    story.picture("9-the-sale")
    # A row is masked with its outcome, which may come moments after the mail.
    wait_until(
        lambda: all(
            "Status" in row["fields"]
            for table in ("Balance Checks", "Redemptions")
            for row in sandbox.base.table(table).records()
            if bare in str(row["fields"].get("Gift Card Code", "")).replace(" ", "").lower()
        ),
        seconds=60,
        what="rows with the card's code that are done",
    )
    for table in ("Balance Checks", "Redemptions", "Gift Cards", "Creation Requests", "Receipts"):
        page.goto(f"{sandbox.pages_url}/tables/{table}")
        assert bare not in page.locator("main").inner_text().replace(" ", "").lower(), table

    (issued,) = [c for c in sandbox.shop.cards if (c.note or "") == f"issue#{sale_id}#1"]
    assert issued.code == bare
    assert issued.balance == Decimal(LEFT)


def test_a_gift_is_sold_read_asked_for_and_spent(page: Page, sandbox: Sandbox) -> None:
    page.set_viewport_size({"width": 1180, "height": 900})
    live_through(Story(page, sandbox, "desktop"))


def test_a_gift_is_sold_read_asked_for_and_spent_on_a_phone(
    browser: Browser, sandbox: Sandbox
) -> None:
    context = browser.new_context(
        viewport={"width": PHONE_WIDTH, "height": PHONE_HEIGHT}, color_scheme="dark"
    )
    try:
        live_through(Story(context.new_page(), sandbox, "phone"))
    finally:
        context.close()
