"""Takes the pictures of the README: forms are filled in on the running system, and answered.

python -m sandbox.screenshots        what `make screenshots` runs; writes docs/images/*.png
"""

import sys
from pathlib import Path

from playwright.sync_api import Error, Page, ViewportSize, sync_playwright

from sandbox.chromium import NoBrowserError, find_chromium
from sandbox.demo import Sandbox, running_sandbox
from sandbox.embedded_aws import PROJECT, SandboxError

IMAGES = PROJECT / "docs" / "images"

# Windows in CSS pixels, and how many real ones each becomes: the README shows pictures smaller.
WINDOW: ViewportSize = {"width": 1180, "height": 960}
TALL_WINDOW: ViewportSize = {"width": 1180, "height": 1440}
WIDE_WINDOW: ViewportSize = {"width": 1840, "height": 940}
PHONE: ViewportSize = {"width": 375, "height": 780}
PIXELS = 1.5

# The seeded day is served first; Airtable makes whoever is too quick wait for half a minute.
ANSWER_MILLISECONDS = 180_000

# No sandbox: Chromium refuses its own where it runs as root, and the pages are ours alone.
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]

STORE, EMPLOYEE, AMOUNT = "Harbor Street", "Maya Ortiz", "12.50"
RECIPIENT = "zoe.and.bjorn@customers.example.com"


def take_pictures(page: Page, sandbox: Sandbox, images: Path) -> None:
    """Redeem a card as a store does, and photograph each step."""
    start = sandbox.pages_url
    card = sandbox.day.cards["fresh"]
    masked = f"•••• {card.code[-4:]}"

    page.goto(f"{start}/forms/redeem")
    page.get_by_label("Store").select_option(label=STORE)
    page.get_by_label("Employee").fill(EMPLOYEE)
    page.get_by_label("Gift Card Code").fill(card.code.upper())
    page.get_by_label("Amount").fill(AMOUNT)
    _picture(page, images / "form.png")
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("link", name="Open the store's inbox").click()

    mail = page.locator(f"#live-mails a:has-text('{masked}')").first
    mail.click(timeout=ANSWER_MILLISECONDS)
    page.frame_locator("iframe").get_by_text(masked).first.wait_for()
    _picture(page, images / "inbox.png")

    page.goto(f"{start}/tables/Redemptions")
    page.locator(f"[data-label='Gift Card'] >> text={masked}").first.wait_for(
        timeout=ANSWER_MILLISECONDS
    )
    page.reload()  # without the flash of a row that has just changed
    page.set_viewport_size(WIDE_WINDOW)
    _picture(page, images / "redemptions.png")


def take_pictures_of_a_gift(page: Page, sandbox: Sandbox, images: Path) -> None:
    """Sell a wedding gift as a store does, and photograph the form and the recipient's mail."""
    start = sandbox.pages_url
    page.goto(f"{start}/forms/sell")
    page.get_by_label("Store").select_option(label=STORE)
    page.get_by_label("Employee").fill(EMPLOYEE)
    page.get_by_label("Amount").fill("90.00")
    page.get_by_label("Recipient Name").fill("Zoë & Björn")
    page.get_by_label("Recipient Email").fill(RECIPIENT)
    page.get_by_label("Is Gift").check()
    page.get_by_label("Purchaser Name").fill("Ingrid Solberg")
    page.get_by_label("Purchaser Email").fill("ingrid@customers.example.com")
    page.get_by_label("Gift Message").fill("May the roof never leak, and the soup never burn.")
    page.get_by_label("Theme").select_option(label="Wedding")
    page.evaluate("scrollTo(0, 0)")
    _picture(page, images / "sell.png")
    page.get_by_role("button", name="Submit").click()

    page.get_by_role("heading", name="Thank you").wait_for()
    page.goto(f"{start}/inbox/{RECIPIENT}")
    page.locator("#live-mails a").first.click(timeout=ANSWER_MILLISECONDS)
    page.frame_locator("iframe").locator(".code").wait_for()
    page.set_viewport_size(TALL_WINDOW)
    _picture(page, images / "gift.png")


def take_phone_picture(page: Page, sandbox: Sandbox, images: Path) -> None:
    """The table of redemptions as a phone in the dark shows it."""
    page.goto(f"{sandbox.pages_url}/tables/Redemptions")
    _picture(page, images / "phone.png")


def _picture(page: Page, path: Path) -> None:
    page.mouse.move(0, 0)
    page.screenshot(path=path, animations="disabled", caret="hide")
    sys.stdout.write(f"   {path.relative_to(PROJECT)}\n")


def main() -> int:
    """Bring the whole system up, photograph it, take it away; return the exit code."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    try:
        with running_sandbox() as sandbox, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
            window = browser.new_page(viewport=WINDOW, device_scale_factor=PIXELS)
            take_pictures(window, sandbox, IMAGES)
            till = browser.new_page(viewport=WINDOW, device_scale_factor=PIXELS)
            take_pictures_of_a_gift(till, sandbox, IMAGES)
            phone = browser.new_page(
                viewport=PHONE, device_scale_factor=PIXELS, color_scheme="dark"
            )
            take_phone_picture(phone, sandbox, IMAGES)
            browser.close()
    except (SandboxError, NoBrowserError, Error) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
