"""The pages in a real browser, on vendors in memory: they update by themselves and fit a phone."""

import re
from decimal import Decimal
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from sandbox.shopify import CartLine, OrderPlan, Pay
from tests.sandbox.pages.little_shop import LittleShop

pytestmark = [pytest.mark.browser, pytest.mark.sockets]

PHONE_WIDTH, PHONE_HEIGHT = 375, 740

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


def fill_in(page: Page, *, store: str, code: str, amount: str) -> None:
    page.get_by_label("Store").select_option(label=store)
    page.get_by_label("Employee").fill("Maya Ortiz")
    page.get_by_label("Gift Card Code").fill(code)
    page.get_by_label("Amount").fill(amount)


def pages_of(little_shop: LittleShop) -> list[str]:
    """One address of every page there is."""
    row, card = little_shop.day.rows[1], little_shop.day.cards["partly spent"]
    store = little_shop.day.stores[0].email
    tables = [f"/tables/{table.name}" for table in little_shop.base.tables()]
    orders = [each.id.rpartition("/")[2] for each in little_shop.day.orders]
    products = [each.handle for each in little_shop.shop.orders.products]
    return [
        "/",
        "/forms/redeem",
        f"/forms/redeem/thanks/{row.id}",
        "/forms",
        "/forms/sell",
        f"/forms/sell/thanks/{little_shop.day.sales[2].id}",
        "/gift-card-balance",
        "/gift-card-balance/asked",
        *tables,
        f"/tables/Redemptions/{row.id}",
        f"/tables/Creation Requests/{little_shop.day.sales[2].id}",
        "/inbox",
        f"/inbox/{store}",
        f"/inbox/{store}?mail=m0-0",
        f"/inbox/{store}?mail=m0-0&part=text",
        "/shopify",
        f"/shopify/{card.number}",
        "/storefront",
        *[f"/storefront/{handle}" for handle in products],
        f"/storefront/orders/{orders[3]}",
        "/orders",
        *[f"/orders/{number}" for number in orders],
        "/switches",
        "/faults",
        "/nothing",
    ]


def test_a_filled_in_form_is_a_row_that_another_page_shows_by_itself(
    page: Page, browser: Browser, little_shop: LittleShop, address: str
) -> None:
    office = browser.new_page()
    office.goto(f"{address}/tables/Redemptions")
    expect(office.get_by_text("$33.21")).to_have_count(0)

    page.goto(address)
    page.get_by_role("link", name="Redeem a gift card").click()
    fill_in(page, store="Harbor Street", code="7K2M-4Q8X-W3R9-HN5T", amount="33.21")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="Thank you for submitting the form!")).to_be_visible()
    expect(page.get_by_text("It waits for the next tick")).to_be_visible()

    expect(office.get_by_role("row").filter(has_text="7K2M-4Q8X-W3R9-HN5T")).to_contain_text(
        "$33.21"
    )
    office.close()

    row = little_shop.base.table("Redemptions").records()[-1]
    little_shop.base.table("Redemptions").update(
        row["id"], {"Status": "Processed", "Outcome": "REDEEMED"}
    )
    expect(page.get_by_text("REDEEMED")).to_be_visible()
    page.get_by_role("link", name="Submit another").click()
    expect(page.get_by_label("Gift Card Code")).to_have_value("")


def click_twice(page: Page, button: str, *, posts_to: str) -> int:
    """Click a button twice while the first request is on its way; return how many were sent."""
    on_their_way: list[Route] = []

    def hold(route: Route) -> None:
        on_their_way.append(route)

    page.route(f"**{posts_to}", hold)
    page.get_by_role("button", name=button).evaluate(
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
    return len(on_their_way)


def test_a_second_click_on_submit_while_the_first_is_on_its_way_does_nothing(
    page: Page, little_shop: LittleShop, address: str
) -> None:
    before = len(little_shop.base.table("Redemptions").records())
    page.goto(f"{address}/forms/redeem")
    fill_in(page, store="Old Mill", code="7k2m4q8xw3r9hn5t", amount="1")
    assert click_twice(page, "Submit", posts_to="/forms/redeem") == 1
    assert len(little_shop.base.table("Redemptions").records()) == before + 1


def test_a_store_sells_a_gift_however_often_it_clicks(
    page: Page, browser: Browser, little_shop: LittleShop, address: str
) -> None:
    table = little_shop.base.table("Creation Requests")
    before = len(table.records())
    office = browser.new_page()
    office.goto(f"{address}/tables/Creation Requests")

    page.goto(address)
    page.get_by_role("link", name="Sell a gift card").click()
    page.get_by_label("Store").select_option(label="Harbor Street")
    page.get_by_label("Employee").fill("Maya Ortiz")
    page.get_by_label("Amount").fill("75.25")
    page.get_by_label("Recipient Name").fill("Mei-Lin 陳")
    page.get_by_label("Recipient Email").fill("meilin@customers.example.com")
    for label in ("Purchaser Name", "Purchaser Email", "Gift Message"):
        expect(page.get_by_label(label)).to_be_hidden()
    page.get_by_label("Is Gift").check()
    page.get_by_label("Purchaser Name").fill("Ingrid Solberg")
    page.get_by_label("Purchaser Email").fill("ingrid@customers.example.com")
    page.get_by_label("Gift Message").fill("To many happy years!")
    page.get_by_label("Theme").select_option(label="Wedding")
    page.get_by_label("Send On").fill("2026-12-24")
    assert click_twice(page, "Submit", posts_to="/forms/sell") == 1
    expect(page.get_by_text("It waits for the next tick")).to_be_visible()

    row = office.get_by_role("row").filter(has_text="Mei-Lin 陳")
    expect(row).to_contain_text("$75.25")
    assert len(table.records()) == before + 1
    request = table.records()[-1]
    assert request["fields"] == {
        "Store": [little_shop.day.stores[0].id],
        "Employee": "Maya Ortiz",
        "Amount": 75.25,
        "Quantity": 1,
        "Recipient Name": "Mei-Lin 陳",
        "Recipient Email": "meilin@customers.example.com",
        "Is Gift": True,
        "Purchaser Name": "Ingrid Solberg",
        "Purchaser Email": "ingrid@customers.example.com",
        "Gift Message": "To many happy years!",
        "Theme": "Wedding",
        "Send On": "2026-12-24",
        "Kind": "Paid",
    }

    row.get_by_role("link").first.click()
    office.get_by_label("Approved").check()
    office.get_by_role("button", name="Save").click()
    expect(office.get_by_role("heading", name="Creation Requests")).to_be_visible()
    assert table.get(request["id"])["fields"] == request["fields"] | {"Approved": True}
    office.close()


def test_a_customer_asks_for_a_balance_however_often_she_clicks(
    page: Page, little_shop: LittleShop, address: str
) -> None:
    table = little_shop.base.table("Balance Checks")
    before = len(table.records())
    page.goto(address)
    page.get_by_role("link", name="Check a balance").click()
    page.get_by_label("Gift card code").fill("7K2M-4Q8X-W3R9-HN5T")
    page.get_by_role("button", name="Mail me the balance").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Email").fill("lucia@customers.example.com")
    assert click_twice(page, "Mail me the balance", posts_to="/gift-card-balance") == 1
    assert "7K2M" not in page.url
    assert [row["fields"] for row in table.records()[before:]] == [
        {"Gift Card Code": "7K2M-4Q8X-W3R9-HN5T", "Email": "lucia@customers.example.com"}
    ]


def test_of_many_tabs_on_a_phone_the_open_one_is_in_sight(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": PHONE_WIDTH, "height": PHONE_HEIGHT})
    page.goto(f"{address}/tables/Stores")
    expect(page.locator(".tabs [aria-current]")).to_be_in_viewport(ratio=1)
    page.close()


def test_what_is_being_typed_survives_an_update(
    page: Page, little_shop: LittleShop, address: str
) -> None:
    page.goto(f"{address}/faults")
    page.get_by_text("Another accident").first.click()
    page.get_by_label("Operation").first.fill("giftCardDe")
    little_shop.shop.faults.add("throttle", operation="somethingElse")
    expect(page.get_by_text("somethingElse")).to_be_visible()
    expect(page.get_by_label("Operation").first).to_have_value("giftCardDe")
    expect(page.get_by_label("Operation").first).to_be_focused()


def test_an_update_leaves_a_scrolled_table_where_it_was(
    page: Page, little_shop: LittleShop, address: str
) -> None:
    page.set_viewport_size({"width": 900, "height": 700})
    page.goto(f"{address}/tables/Redemptions")
    scroller = page.get_by_role("region", name="Redemptions, scrolls sideways")
    scroller.evaluate("element => { element.scrollLeft = 120 }")
    little_shop.base.table("Redemptions").create({"Employee": "Newcomer"})
    expect(page.get_by_role("link", name="Newcomer")).to_be_visible()
    assert scroller.evaluate("element => element.scrollLeft") == 120
    expect(page.get_by_role("row").filter(has_text="Newcomer")).to_have_class(re.compile("fresh"))


def test_new_mail_appears_by_itself_and_is_read_in_its_own_design(
    page: Page, little_shop: LittleShop, address: str
) -> None:
    store = little_shop.day.stores[2]
    page.goto(f"{address}/inbox/{store.email}")
    expect(page.get_by_text("No mail yet.")).to_be_visible()

    little_shop.mail(
        store.email,
        subject="Paid: 5.00 USD",
        text="Hello.",
        html="<h1>Paid</h1><script>document.title = 'taken over'</script>",
    )
    page.get_by_role("link", name="Paid: 5.00 USD").click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Paid")).to_be_visible()
    expect(page).not_to_have_title("taken over")
    page.get_by_role("link", name="Plain text").click()
    expect(page.get_by_text("Hello.", exact=True).last).to_be_visible()


def test_the_page_says_when_the_sandbox_is_gone_and_when_it_is_back(
    page: Page, address: str
) -> None:
    page.goto(f"{address}/tables/Status")
    page.route("**/version", lambda route: route.abort())
    expect(page.get_by_role("status")).to_have_text("The sandbox does not answer; trying again")
    page.unroute("**/version")
    expect(page.get_by_role("status")).to_have_text(re.compile("^Live"))


def test_the_office_deletes_a_row_after_being_asked(
    page: Page, little_shop: LittleShop, address: str
) -> None:
    row = little_shop.day.rows[2]
    table = little_shop.base.table("Redemptions")
    page.goto(f"{address}/tables/Redemptions/{row.id}")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Delete this row").click()
    assert row.id in [each["id"] for each in table.records()]

    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete this row").click()
    expect(page.get_by_role("heading", name="Redemptions")).to_be_visible()
    assert row.id not in [each["id"] for each in table.records()]


def test_what_moved_on_a_card_is_seen_whole_with_its_reference(
    page: Page, little_shop: LittleShop, address: str
) -> None:
    card = little_shop.day.cards["fresh"]
    little_shop.shop.debit(card.id, amount=Decimal("12.50"), note="redemption#recAbcdefghijklmn")
    page.set_viewport_size({"width": 1180, "height": 900})
    page.goto(f"{address}/shopify/{card.number}")
    moves = page.get_by_role("region", name="Movements, scrolls sideways")
    expect(moves.get_by_text("redemption#recAbcdefghijklmn")).to_be_visible()
    assert moves.evaluate("element => element.scrollWidth <= element.clientWidth")


@pytest.mark.parametrize("width", [PHONE_WIDTH, 1180])
def test_a_mail_box_with_a_long_address_can_be_read_whole(
    browser: Browser, little_shop: LittleShop, address: str, width: int
) -> None:
    customer = "zoe.and.bjorn.of.the.mill@customers.example.com"
    little_shop.mail(customer)
    page = browser.new_page(viewport={"width": width, "height": PHONE_HEIGHT})
    page.goto(f"{address}/inbox/{customer}?mail=m0-0")
    expect(page.locator(".mail-reader p").filter(has_text=customer)).to_be_visible()
    cut = page.locator(".mail-reader p, h1").evaluate_all(
        "all => all.filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent)"
    )
    assert cut == []
    if width > PHONE_WIDTH:
        lines = page.locator("h1").evaluate(
            "e => e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).lineHeight)"
        )
        assert round(lines) == 1, "there is room for it"
    page.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_page_scrolls_sideways_on_a_phone_or_complains(
    browser: Browser, little_shop: LittleShop, address: str, scheme: Scheme
) -> None:
    mail = "<table width='900'><tr><td>wide</td></tr></table>"
    customer = "wolfeschlegelsteinhausenbergerdorff.and.family@customers.example.com"
    for reader in (little_shop.day.stores[0].email, customer):
        little_shop.mail(reader, subject="W" * 80, text="w" * 200, html=mail)
    little_shop.base.table("Receipts").create({"Receipt": "r" * 90, "Details": "d" * 400})
    little_shop.shop.faults.add("throttle", operation="o" * 60)
    gift = {"Recipient email": customer, "Message": "m" * 90}
    order = little_shop.shop.orders.place(
        [CartLine("GIFT-CARD-50", 1, gift)], Pay(), plan=OrderPlan(email=customer)
    )
    bought = (f"/storefront/orders/{order.number}", f"/orders/{order.number}")
    context = browser.new_context(
        viewport={"width": PHONE_WIDTH, "height": PHONE_HEIGHT}, color_scheme=scheme
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    mailed = (f"/inbox/{customer}", f"/inbox/{customer}?mail=m1-0")
    for path in (*pages_of(little_shop), *mailed, *bought):
        page.goto(f"{address}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE_WIDTH, path
        assert page.evaluate(CUT_OFF) == [], path
        # What updates by itself holds nothing that somebody may be typing in.
        live_inputs = page.locator("[data-live] :is(input:not([type=hidden]), textarea, select)")
        assert live_inputs.count() == 0, path
    assert complaints == []
    context.close()


def test_every_page_can_be_read_in_both_schemes(
    browser: Browser, little_shop: LittleShop, address: str
) -> None:
    """Text stands out from its ground by at least 4.5 to 1 (WCAG 2.2, contrast minimum)."""
    little_shop.mail(little_shop.day.stores[0].email, html="")
    little_shop.base.table("Status").create({"Prong": "store_transactions", "State": "Offline"})
    for scheme in SCHEMES:
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        for path in pages_of(little_shop):
            page.goto(f"{address}{path}")
            faint = page.evaluate(FAINT_TEXTS)
            assert faint == [], (scheme, path)
        context.close()


# Every element beyond the screen's edge that cannot be scrolled to and shows no ellipsis.
CUT_OFF = """() => {
  const reachable = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (["auto", "scroll"].includes(style.overflowX)) return true;
      const fits = at.getBoundingClientRect().right <= innerWidth + 1;
      if (fits && style.overflowX === "hidden" && style.textOverflow === "ellipsis") return true;
      if (style.clipPath !== "none") return true;
    }
    return false;
  };
  return [...document.querySelectorAll("body *")]
    .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1)
    .filter((e) => !reachable(e))
    .map((e) => `${e.tagName} ${e.className}`);
}"""

# Every visible text with a plain ground behind it, and its contrast where that is too low.
FAINT_TEXTS = """() => {
  const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const read = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== "none") return null;
      const [r, g, b, a] = read(style.backgroundColor);
      if (a === 255) return [r, g, b];
      if (a > 0) return null;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility() || element.matches("option, script")) continue;
    const behind = ground(element);
    if (!behind) continue;
    const [r, g, b] = read(getComputedStyle(element).color);
    const lights = [light([r, g, b]), light(behind)].sort((x, y) => y - x);
    const contrast = (lights[0] + 0.05) / (lights[1] + 0.05);
    if (contrast < 4.5) faint.push([element.textContent.trim().slice(0, 30), contrast.toFixed(2)]);
  }
  return faint;
}"""
