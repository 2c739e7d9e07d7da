"""One cell of a table: how it is shown, what stands in it while it is edited, what may be typed.

A form and an office's hand get the same checks from Airtable: a currency cell takes any number and
no text, a link takes rows that exist. What the number means is none of its business.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from decimal import Decimal

from sandbox.airtable import Field
from sandbox.airtable.fields import Json
from sandbox.pages.wording import NotAnAmountError, read_amount, write_amount, write_moment

NUMBER_TYPES = frozenset({"number", "currency"})
LINK_TYPE = "multipleRecordLinks"

# How Airtable hints at a column's kind, in signs that every font has.
GLYPHS = {
    "singleLineText": "A",
    "multilineText": "≡",
    "email": "@",
    "currency": "$",
    "number": "#",
    "checkbox": "☑",
    "singleSelect": "▾",
    LINK_TYPE: "↗",
    "date": "◷",
    "dateTime": "◷",
}

# Names of choices that mean good or bad news; any other is shown in grey.
TONES = {
    **dict.fromkeys(("REDEEMED", "ISSUED", "Done", "Active"), "good"),
    **dict.fromkeys(("Executing", "Sent", "Delivered"), "good"),
    **dict.fromkeys(("INSUFFICIENT_BALANCE", "NOT_CHARGED", "HELD", "POSSIBLE_DUPLICATE"), "warn"),
    **dict.fromkeys(("CODE_FORMAT_INCORRECT", "CODE_NOT_FOUND", "AMOUNT_INVALID"), "warn"),
    **dict.fromkeys(("CARD_EXPIRED", "CARD_DISABLED", "CARD_ONLINE_ONLY"), "warn"),
    **dict.fromkeys(("REFUSED", "Held", "Waiting", "Frozen"), "warn"),
    **dict.fromkeys(("Failed", "Offline", "Disabled"), "bad"),
}

# Linked rows that a cell shows; of a large order, the others are only counted. An ordinary column
# has room for two.
LINKS_SHOWN = 3
LINKS_IN_ORDINARY_COLUMN = 2

# Columns whose cells are words for people rather than values: they get room and several lines.
WORDY = frozenset({"Message", "Gift Message", "Details", "Last Error", "Summary"})

# Columns of text that read like a choice, whether or not the base made them one.
LIKE_CHOICES = frozenset({"Status", "Outcome", "State"})


class NotAcceptedError(ValueError):
    """The field does not take what was typed; the message tells the person who typed it."""


@dataclass(frozen=True, slots=True)
class LinkView:
    """One linked row: its primary cell's text, and where it can be looked at."""

    text: str
    href: str | None


@dataclass(frozen=True, slots=True)
class CellView:
    """One cell in words. `kind` is text, money, links, pill, tick or time; `css` its classes."""

    kind: str
    text: str = ""
    css: str = ""
    tone: str = ""
    hint: str = ""
    links: tuple[LinkView, ...] = ()
    moment: datetime | None = None

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to see in the cell."""
        return not self.text and not self.links


def pill(text: str) -> CellView:
    """A word on a coloured ground."""
    return CellView("pill", text, tone=TONES.get(text, ""))


def look_at_cell(
    field: Field, value: Json, *, links: Mapping[str, LinkView], zone: tzinfo
) -> CellView:
    """A cell in words. `links` knows the rows that link cells may name; `zone` is the shop's."""
    if value is None:
        return CellView("text")
    if field.type in NUMBER_TYPES:
        return _look_at_number(field, Decimal(str(value)))
    if field.type == "singleSelect" or field.name in LIKE_CHOICES:
        return pill(str(value))
    match field.type:
        case "multipleRecordLinks":
            found = tuple(
                links.get(each, LinkView("a deleted row", None)) for each in value[:LINKS_SHOWN]
            )
            more = len(value) - len(found)
            view = CellView(
                "links",
                f"and {more} more" if more else "",
                css="several" if len(value) > LINKS_IN_ORDINARY_COLUMN else "",
                links=found,
            )
        case "checkbox":
            view = CellView("tick", "yes")
        case "dateTime":
            moment = datetime.fromisoformat(value)
            view = CellView("time", write_moment(moment, zone), moment=moment)
        case "date":
            day = date.fromisoformat(value)
            view = CellView("text", f"{day:%b} {day.day}, {day.year}")
        case _:
            css = "wide" if field.name in WORDY else ""
            view = CellView("text", str(value), css=css, hint=str(value))
    return view


def _look_at_number(field: Field, amount: Decimal) -> CellView:
    css = "money negative" if amount < 0 else "money"
    return CellView("money", write_number(field, amount), css=css)


def write_number(field: Field, amount: Decimal, *, with_symbol: bool = True) -> str:
    """A number with the field's own decimals and, for money, its symbol."""
    symbol = str(field.options.get("symbol", "")) if with_symbol else ""
    return write_amount(amount, symbol, decimals=int(field.options.get("precision", 0)))


@dataclass(frozen=True, slots=True)
class InputView:
    """A field to fill in.

    `input` names its kind: area, choice, choices, tick,
    money, number, email, day or text.
    """

    name: str
    input: str
    help: str
    symbol: str


INPUTS = {
    "multilineText": "area",
    "singleSelect": "choice",
    LINK_TYPE: "choices",
    "checkbox": "tick",
    "currency": "money",
    "number": "number",
    "email": "email",
    "date": "day",
}


def look_at_input(field: Field, *, help_text: str = "", one_link: bool = False) -> InputView:
    """The field as something to fill in; `one_link` offers one row of a link, as a form does."""
    kind = INPUTS.get(field.type, "text")
    return InputView(
        name=field.name,
        input="choice" if kind == "choices" and one_link else kind,
        help=help_text,
        symbol=str(field.options.get("symbol", "")),
    )


def typed_from_cell(field: Field, value: Json) -> str | list[str]:
    """What stands in the input when a row is opened for editing; `read_cell` reads it back."""
    if value is None:
        return [] if field.type == LINK_TYPE else ""
    if field.type == LINK_TYPE:
        return [str(each) for each in value]
    if field.type == "checkbox":
        return "yes"
    if field.type in NUMBER_TYPES:
        return write_number(field, Decimal(str(value)), with_symbol=False)
    return str(value)


def read_cell(field: Field, typed: Sequence[str]) -> Json:
    """Airtable's JSON for what was typed, None for an empty cell; raises `NotAcceptedError`."""
    filled = [text for text in typed if text.strip()]
    if not filled:
        return None
    if field.type == LINK_TYPE:
        return filled
    text = filled[0]
    match field.type:
        case "currency" | "number":
            return _read_number(field, text)
        case "checkbox":
            return True
        case "date" | "dateTime":
            return _read_moment(field, text.strip())
        case _:
            # A browser's text area sends CRLF; Airtable keeps plain line ends.
            return text.replace("\r\n", "\n")


def _read_number(field: Field, text: str) -> float:
    try:
        return float(read_amount(text, str(field.options.get("symbol", ""))))
    except NotAnAmountError as problem:
        raise NotAcceptedError(str(problem)) from None


def _read_moment(field: Field, text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        example = "2026-11-23" if field.type == "date" else "2026-11-23T14:05:00Z"
        raise NotAcceptedError(f"This has to be a time such as {example}.") from None
    return text
