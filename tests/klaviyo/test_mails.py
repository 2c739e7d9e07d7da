"""The customers' mails, rendered from the very files that are uploaded to Klaviyo."""

import re
import tomllib
from html.parser import HTMLParser
from typing import Any, override

import pytest

from giftcards.domain.deliveries import STANDARD_THEME, Delivery, DeliveryKind, Person, grouped
from ops.klaviyo_templates import TEMPLATES, THEMES, MailTemplate, make_files, read_templates
from sandbox.klaviyo.language import fill_in_html, fill_in_text, subject_in
from tests.klaviyo.samples import CARD, CODE, OTHER_CARD, confirmed, delivered

MAILS = read_templates()
each_mail = pytest.mark.parametrize("mail", MAILS, ids=lambda mail: mail.template.name)
each_delivered = pytest.mark.parametrize(
    "mail",
    [mail for mail in MAILS if mail.kind is DeliveryKind.CARDS_DELIVERED],
    ids=lambda mail: mail.theme,
)
each_confirmed = pytest.mark.parametrize(
    "mail",
    [mail for mail in MAILS if mail.kind is DeliveryKind.GIFT_CONFIRMED],
    ids=lambda mail: mail.theme,
)

# A name as an attacker would write it, who knows that it is mailed to somebody.
NASTY = '<script>alert("x")</script><a href="https://evil.test">click</a>'

# Gmail cuts a longer mail off.
LONGEST_HTML_BYTES = 102_000

# WCAG 2.2, success criterion 1.4.3: text and its background.
LEAST_CONTRAST = 4.5
WHITE, DARK_SHEET, DARK_INK = "#ffffff", "#1c1c22", "#101014"


class Page(HTMLParser):
    """A mail taken apart: its text as read, its addresses, its elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._hidden = 0
        self.feed(html)
        self.close()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src"}]
        self._hidden += tag in {"style", "title"}

    @override
    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"style", "title"}

    @override
    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


def sample(mail: MailTemplate, **given: Any) -> Delivery:
    make = delivered if mail.kind is DeliveryKind.CARDS_DELIVERED else confirmed
    return make(theme=mail.theme, **given)


def read(mail: MailTemplate, delivery: Delivery) -> Page:
    return Page(fill_in_html(mail.template.html, delivery.properties()))


def plain(mail: MailTemplate, delivery: Delivery) -> str:
    return fill_in_text(mail.template.text, delivery.properties())


# ---- the files ----------------------------------------------------------------------------------


def test_the_files_are_what_layouts_and_themes_make() -> None:
    """If this fails: make templates."""
    kept = {path.relative_to(TEMPLATES): path.read_text("utf-8") for path in TEMPLATES.rglob("*.*")}
    assert kept == make_files()


def test_there_is_a_mail_for_every_kind_and_theme() -> None:
    themes = set(tomllib.loads(THEMES.read_text("utf-8")))
    assert themes >= {STANDARD_THEME, "birthday", "wedding", "holiday"}
    assert {(mail.kind, mail.theme) for mail in MAILS} == {
        (kind, theme) for kind in DeliveryKind for theme in themes
    }


@each_mail
def test_a_template_uses_only_what_its_event_has(mail: MailTemplate) -> None:
    event, card = set(sample(mail).properties()), set(CARD.properties())
    for source in (mail.template.html, mail.template.text, mail.subject):
        assert set(re.findall(r"\bevent\.(\w+)", source)) <= event
        assert set(re.findall(r"\bcard\.(\w+)", source)) <= card


@each_mail
def test_free_text_is_escaped_even_where_klaviyo_would_not(mail: MailTemplate) -> None:
    """Whether Klaviyo escapes by itself is not published, so the template does."""
    free = "giver message shop_name shop_url recipient_name recipient_email purchaser_name theme"
    printed = re.findall(r"{{\s*(event\.\w+)(.*?)}}", mail.template.html)
    assert printed
    for name, filters in printed:
        if name.removeprefix("event.") in free.split():
            assert "|escape" in filters, f"{name}{filters}"


# ---- what is read -------------------------------------------------------------------------------


@each_mail
def test_subject_html_and_text_are_complete(mail: MailTemplate) -> None:
    delivery = sample(mail)
    html = fill_in_html(mail.template.html, delivery.properties())
    subject = subject_in(html)
    assert subject == fill_in_text(mail.subject, delivery.properties())
    assert 10 <= len(subject) <= 78  # RFC 5322: a line
    for words in (html, plain(mail, delivery), subject):
        assert not re.search(r"{{|}}|{%|%}|\[\[|\]\]|\[%", words)
    assert len(html.encode()) < LONGEST_HTML_BYTES


@each_delivered
def test_the_recipient_reads_code_amount_message_giver_and_expiry(mail: MailTemplate) -> None:
    delivery = sample(mail)
    for words in (read(mail, delivery).text, " ".join(plain(mail, delivery).split())):
        assert "WXYZ 2345 BCDF 6789 HJKM" in words
        assert "$50.00" in words
        assert "Happy day! Buy something nice." in words
        assert "Rosa sent you a gift card" in words
        assert "Good until November 3, 2031" in words
        assert "Lantern & Loom" in words
        assert "at the checkout" in words
        assert "at the till" in words


@each_delivered
def test_several_cards_stand_in_one_mail(mail: MailTemplate) -> None:
    delivery = sample(mail, cards=(CARD, OTHER_CARD))
    for words in (read(mail, delivery).text, " ".join(plain(mail, delivery).split())):
        assert "2 gift cards, $1,300.00 in all" in words
        for card in (CARD, OTHER_CARD):
            assert words.count(grouped(card.code)) == 1
        assert "gift card, 1 of 2" in words
        assert "$1,250.00" in words
        assert "It never expires" in words


@each_delivered
def test_fifty_cards_still_fit_into_a_mail(mail: MailTemplate) -> None:
    delivery = sample(mail, cards=(CARD,) * 50)
    html = fill_in_html(mail.template.html, delivery.properties())
    assert len(html.encode()) < LONGEST_HTML_BYTES


@each_delivered
def test_a_card_bought_for_oneself_thanks_its_buyer(mail: MailTemplate) -> None:
    delivery = sample(mail, giver="", message="", to=Person("", "mia@example.com"))
    for words in (read(mail, delivery).text, plain(mail, delivery)):
        assert "Thank you for your purchase" in words
        assert "sent you" not in words
        assert "None" not in words
        assert " ," not in words


@each_confirmed
def test_the_purchaser_reads_to_whom_and_when_and_no_code(mail: MailTemplate) -> None:
    delivery = sample(mail)
    for words in (read(mail, delivery).text, " ".join(plain(mail, delivery).split())):
        for fact in ("Mia", "mia@example.com", "$50.00", "December 24, 2026", "Happy day!"):
            assert fact in words
        assert "Is this address right?" in words
        assert mail.theme.capitalize() in words
        assert CODE.value not in words.replace(" ", "").lower()
        assert CODE.last4 not in words


@each_mail
def test_no_address_in_it_holds_a_code_and_nothing_is_fetched(mail: MailTemplate) -> None:
    page = read(mail, sample(mail))
    expected = ["https://lantern.example"]
    assert page.addresses == (expected if mail.kind is DeliveryKind.CARDS_DELIVERED else [])
    assert not {tag for tag, _ in page.elements} & {"img", "script", "link", "iframe", "form"}
    assert "url(" not in mail.template.html
    assert "@import" not in mail.template.html


@each_mail
def test_a_shop_without_an_address_gets_no_empty_button(mail: MailTemplate) -> None:
    assert read(mail, sample(mail, shop_url="")).addresses == []


@each_mail
def test_nobodys_name_becomes_part_of_the_page(mail: MailTemplate) -> None:
    who = Person(NASTY, "mia@example.com")
    given: dict[str, Any] = {"message": NASTY, "shop_name": NASTY, "to": who}
    if mail.kind is DeliveryKind.CARDS_DELIVERED:
        given |= {"giver": NASTY, "shop_url": '"><script>'}
    else:
        given |= {"recipient": who}
    page = read(mail, sample(mail, **given))
    usual = read(mail, sample(mail, shop_url="x"))
    assert [tag for tag, _ in page.elements if tag != "br"] == [
        tag for tag, _ in usual.elements if tag != "br"
    ]
    assert NASTY in page.text


@each_mail
def test_a_test_event_cannot_be_taken_for_a_card(mail: MailTemplate) -> None:
    is_test, is_real = sample(mail, is_test=True), sample(mail)
    assert "This is a test" in read(mail, is_test).text
    assert "This is a test" in plain(mail, is_test)
    assert "This is a test" not in read(mail, is_real).text
    assert "This is a test" not in plain(mail, is_real)


# ---- how it looks -------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """WCAG's relative luminance of `#rrggbb`."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", sorted(tomllib.loads(THEMES.read_text("utf-8"))))
def test_every_theme_can_be_read_by_day_and_by_night(name: str) -> None:
    theme = tomllib.loads(THEMES.read_text("utf-8"))[name]
    pairs = [
        (theme["ink"], theme["face"]),
        (theme["ink"], theme["face_end"]),
        (theme["accent"], WHITE),
        (WHITE, theme["accent"]),
        (theme["accent_dark"], DARK_SHEET),
        (DARK_INK, theme["accent_dark"]),
    ]
    for one, other in pairs:
        assert contrast(one, other) >= LEAST_CONTRAST, (name, one, other)


@each_mail
def test_the_page_declares_that_it_can_do_without_light(mail: MailTemplate) -> None:
    html = mail.template.html
    assert '<meta name="color-scheme" content="light dark">' in html
    for colour in (DARK_SHEET, DARK_INK):
        assert colour in html.split("prefers-color-scheme: dark")[1]


@each_mail
def test_layout_tables_say_that_they_are_none(mail: MailTemplate) -> None:
    """Screen readers would announce rows and columns otherwise."""
    tables = [given for tag, given in read(mail, sample(mail)).elements if tag == "table"]
    assert tables
    assert all(given.get("role") == "presentation" for given in tables)
