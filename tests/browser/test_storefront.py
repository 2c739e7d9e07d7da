"""A customer buys in the web shop, and the office's page of orders follows by itself."""

from decimal import Decimal

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from sandbox.shopify.orders import FinancialStatus
from tests.sandbox.pages.little_shop import LittleShop

pytestmark = [pytest.mark.browser, pytest.mark.sockets]


def test_a_gift_is_bought_with_a_card_and_refunded(
    page: Page, browser: Browser, little_shop: LittleShop, address: str
) -> None:
    card = little_shop.day.cards["fresh"]
    office = browser.new_page()
    office.goto(f"{address}/orders")
    expect(office.get_by_role("row").filter(has_text="Ingrid")).to_have_count(0)

    page.goto(address)
    page.get_by_role("link", name="Buy in the web shop").click()
    page.get_by_role("link", name="Good in our web shop and in every store").click()
    page.get_by_label("Which one").select_option(label="$100.00")
    expect(page.get_by_label("Recipient's name")).to_be_hidden()
    page.get_by_label("This is a gift").check()
    page.get_by_label("Recipient's name").fill("Mei-Lin 陳")
    page.get_by_label("Recipient's email").fill("meilin@customers.example.com")
    page.get_by_label("Message").fill("To many happy years!")
    page.get_by_label("Theme").select_option(label="Wedding")
    page.get_by_label("Send it on").fill("2027-02-14")
    page.get_by_label("Your name").fill("Ingrid Marlow")
    page.get_by_label("Your email").fill("ingrid.marlow@customers.example.com")
    page.get_by_label("Gift card code", exact=True).fill("7K2M-4Q8X-W3R9-HN5T")
    page.get_by_role("button", name="Pay now").click()
    expect(page.get_by_role("heading", name="Thank you, Ingrid Marlow.")).to_be_visible()
    expect(page.get_by_text("Send on: 2027-02-14")).to_be_visible()
    assert card.balance == Decimal(0)

    office.get_by_role("row").filter(has_text="Ingrid Marlow").get_by_role("link").click()
    expect(office.get_by_text("Message: To many happy years!")).to_be_visible()
    office.get_by_role("button", name="Refund in full").click()
    expect(office.get_by_text("Refunded", exact=True).first).to_be_visible()
    assert card.balance == Decimal(50)
    office.get_by_role("link", name=f"gift card •••• {card.last_characters}").first.click()
    expect(office.get_by_text("Nothing has moved on this card yet")).to_be_visible()
    office.close()


def test_a_second_click_while_the_first_is_on_its_way_buys_nothing_more(
    page: Page, little_shop: LittleShop, address: str
) -> None:
    before = len(little_shop.shop.orders.all)
    on_their_way: list[Route] = []

    def hold(route: Route) -> None:
        on_their_way.append(route)

    page.goto(f"{address}/storefront/brass-lantern")
    page.route("**/storefront/brass-lantern", hold)
    page.get_by_role("button", name="Pay now").evaluate(
        """async (button) => {
          button.click();
          await new Promise((resolve) => setTimeout(resolve, 50));
          button.click();
          await new Promise((resolve) => setTimeout(resolve, 50));
        }"""
    )
    for each in on_their_way:
        each.continue_()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert len(little_shop.shop.orders.all) == before + 1


def test_an_order_is_cancelled_after_being_asked(
    page: Page, little_shop: LittleShop, address: str
) -> None:
    (order,) = [each for each in little_shop.shop.orders.all if each.name == "#1002"]
    page.goto(f"{address}/orders/{order.number}")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Cancel the order").click()
    assert order.cancelled_at is None
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel the order").click()
    expect(page.get_by_text("Cancelled", exact=True)).to_be_visible()
    assert order.status is FinancialStatus.REFUNDED
