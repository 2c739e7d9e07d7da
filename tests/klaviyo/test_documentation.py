"""The tables in docs/klaviyo.md list exactly the properties that events have."""

import re
from pathlib import Path

from tests.klaviyo.samples import CARD, confirmed, delivered

PAGE = Path(__file__).parents[2] / "docs" / "klaviyo.md"

PROPERTY = re.compile(r"^\| `([a-z_]+)` \|", re.MULTILINE)


def _table_after(words: str) -> list[str]:
    """The properties in the table that follows `words`."""
    _, _, rest = PAGE.read_text("utf-8").partition(f"\n{words}\n\n")
    assert rest, f"docs/klaviyo.md has no “{words}”"
    return PROPERTY.findall(rest.partition("\n\n")[0])


def test_the_delivery_is_documented() -> None:
    assert _table_after("### `Gift Card Delivered`") == list(delivered().properties())


def test_each_card_of_it_is_documented() -> None:
    assert _table_after("Each of the `cards`:") == list(CARD.properties())


def test_the_confirmation_is_documented() -> None:
    assert _table_after("### `Gift Card Gift Confirmation`") == list(confirmed().properties())


def test_every_metric_is_documented() -> None:
    page = PAGE.read_text("utf-8")
    for delivery in (delivered(), confirmed()):
        assert f"| `{delivery.kind.value}` |" in page
