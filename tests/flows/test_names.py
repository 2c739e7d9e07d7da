"""Names in any script reach everybody as they were typed, and none of them gets into a header."""

from html import unescape
from typing import Any

import pytest

from ops.klaviyo_templates import read_templates
from sandbox.klaviyo.language import fill_in_html, fill_in_text, subject_in
from tests.world import World

NAMES = {
    "Arabic": "فاطمة الزهراء",
    "Persian": "علی\u200cرضا",
    "Hebrew": "שָׁלוֹם כהן",
    "Devanagari": "नरेन्द्र क्\u200dष",
    "Sinhala": "ශ්\u200dරී",
    "Chinese": "李小龍",
    "emoji": "👩\u200d👩\u200d👧‍👦 Weber ❤️",
    "combining": "Jose\u0301 Z\u0351\u036balgo",
    "outside the plane": "𐐔𐐯𐑅𐐨𐑉𐐯𐐻 𠮷",
    "signs": 'O’Neill & <Søn> "Zoë"',
    "a hundred": "नि" * 50,
    "a hundred wide": "李" * 100,
}

# What may stand in a form and must not stand in a name: it turns text around, or ends a line.
NASTY = {
    "\u202eanA\u202c \u2066x\u2069": "anA x",
    "Ana\u200d\r\nBcc: x@example.com": "Ana\u200d Bcc: x@example.com",
    "\u200fدانا\u200f": "دانا",
    "Ana\x00\x1b[31m\ufeff": "Ana[31m",
}


def rendered(event: Any) -> list[str]:
    """The event as Klaviyo mails it: its text, its subject, and its HTML as read."""
    read = []
    for mail in read_templates():
        if (mail.kind, mail.theme) == (event.metric, "standard"):
            html = fill_in_html(mail.template.html, event.properties)
            read += [unescape(html), fill_in_text(mail.template.text, event.properties)]
            assert "\n" not in subject_in(html)
    assert read
    return read


@pytest.mark.parametrize(
    ("typed", "kept"),
    [*((name, name) for name in NAMES.values()), *NASTY.items()],
    ids=[*NAMES, "turned around", "a header", "right to left", "control"],
)
def test_a_name_reaches_everybody(world: World, typed: str, kept: str) -> None:
    row_id = world.sell(
        Recipient_Name=typed,
        Employee=typed,
        Is_Gift=True,
        Purchaser_Name=typed,
        Purchaser_Email="tom@example.com",
        Gift_Message=f"{typed}",
    )
    world.serve()
    sale = world.journal.load(f"sale#{row_id}")
    assert sale is not None
    assert sale.snapshot["recipient_name"] == kept
    delivered = next(e for e in world.klaviyo.events if e.metric == "Gift Card Delivered")
    confirmed = next(e for e in world.klaviyo.events if e.metric != "Gift Card Delivered")
    assert delivered.properties["recipient_name"] == kept
    assert delivered.properties["giver"] == kept
    for words in rendered(delivered):
        assert kept in words
    assert confirmed.properties["purchaser_name"] == kept
    for words in rendered(confirmed):
        assert kept in words
    (mail,) = world.mails()
    assert kept in unescape(mail.body)
    assert len(mail.subject.splitlines()) == 1
    (card,) = world.cells("Gift Cards")
    assert card["Owner"] == kept
    (receipt,) = [line for line in world.cells("Receipts") if line["Action"] == "Sell in store"]
    assert str(receipt["Actor"]).startswith(kept)
