"""The customers' mails fit a phone, and show the code large, by day and by night."""

from typing import Any

import pytest
from playwright.sync_api import Browser

from giftcards.domain.deliveries import DeliveryKind, Person, grouped
from ops.klaviyo_templates import MailTemplate, read_templates
from sandbox.klaviyo.language import fill_in_html
from tests.klaviyo.samples import CARD, CODE, confirmed, delivered

pytestmark = pytest.mark.browser

# Nobody breaks such a word for us, and people do have such addresses.
LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff"
LONG_ADDRESS = f"{LONG_NAME.lower()}.and.family@mail.some-where.example.com"

SMALLEST_CODE_PIXELS = 20
MOST_CODE_LINES = 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 375, 640])
@pytest.mark.parametrize("mail", read_templates(), ids=lambda mail: mail.template.name)
def test_a_mail_fits_its_window_and_its_code_is_large(
    browser: Browser, mail: MailTemplate, width: int, scheme: Any
) -> None:
    delivery = (
        delivered(theme=mail.theme, giver=LONG_NAME, message=LONG_NAME * 2, cards=(CARD, CARD))
        if mail.kind is DeliveryKind.CARDS_DELIVERED
        else confirmed(theme=mail.theme, recipient=Person(LONG_NAME, LONG_ADDRESS))
    )
    context = browser.new_context(viewport={"width": width, "height": 700}, color_scheme=scheme)
    try:
        page = context.new_page()
        page.set_content(fill_in_html(mail.template.html, delivery.properties()))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        sheet = page.evaluate("getComputedStyle(document.querySelector('.sheet')).backgroundColor")
        assert sheet == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(28, 28, 34)")
        for code in page.locator(".code").all():
            assert code.inner_text() == grouped(CODE)
            pixels = code.evaluate("cell => parseFloat(getComputedStyle(cell).fontSize)")
            assert pixels >= SMALLEST_CODE_PIXELS
            lines = code.evaluate(
                "cell => { const range = document.createRange(); range.selectNodeContents(cell);"
                " return new Set([...range.getClientRects()].map(each => each.top)).size; }"
            )
            assert lines <= MOST_CODE_LINES
    finally:
        context.close()
