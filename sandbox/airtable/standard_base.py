"""The base a shop starts with: each table and field the gift cards need, by its default name."""

from collections.abc import Mapping, Sequence

from sandbox.airtable.base import Base
from sandbox.airtable.fields import Json

FieldWish = Mapping[str, Json]

OUTCOMES = [
    "REDEEMED",
    "CODE_FORMAT_INCORRECT",
    "CODE_NOT_FOUND",
    "INSUFFICIENT_BALANCE",
    "AMOUNT_INVALID",
    "CARD_EXPIRED",
    "CARD_DISABLED",
    "CARD_ONLINE_ONLY",
    "POSSIBLE_DUPLICATE",
    "NOT_CHARGED",
    "HELD",
]

# What the form for selling a card offers.
THEMES = ["Standard", "Birthday", "Wedding", "Holiday"]
KINDS = ["Paid", "Promotional"]


def build_standard_base(base: Base) -> None:
    """Make the tables of the gift cards in an empty base; links come after what they link to."""
    base.create_table("Stores", [_text("Name"), _of("email", "Email")])
    base.create_table("Gift Cards", _gift_cards(stores=base.table("Stores").id))
    stores, cards = base.table("Stores").id, base.table("Gift Cards").id
    base.create_table("Redemptions", _redemptions(stores=stores, cards=cards))
    base.create_table("Creation Requests", _creation_requests(stores=stores, cards=cards))
    base.create_table("Balance Checks", _balance_checks())
    base.create_table("Processed Orders", _processed_orders(cards=cards))
    base.create_table("Receipts", _receipts())
    base.create_table("Status", _status())


def _gift_cards(*, stores: str) -> Sequence[FieldWish]:
    return [
        _text("Card"),
        _text("Shopify ID"),
        _money("Balance"),
        _money("Initial Value"),
        _text("Currency"),
        _choice("Status", ["Active", "Disabled", "Frozen", "Expired"]),
        _text("Owner"),
        _of("email", "Owner Email"),
        _text("Source"),
        _link("Store", stores),
        _text("Theme"),
        _text("Kind"),
        _moment("Issued At"),
        _day("Expires On"),
        _moment("Last Synced"),
        _tick("Resend"),
        _of("email", "Resend To"),
    ]


def _redemptions(*, stores: str, cards: str) -> Sequence[FieldWish]:
    return [
        # A primary field cannot be a link, so the first of the form's texts stands in front.
        _text("Employee"),
        _link("Store", stores),
        _text("Gift Card Code"),
        _money("Amount"),
        _tick("Confirm Duplicate"),
        _choice("Status", ["Processed", "Held"]),
        _choice("Outcome", OUTCOMES),
        _link("Gift Card", cards),
        _money("Balance After"),
        _moment("Processed At"),
        _of("multilineText", "Message"),
        _tick("Approved"),
        _money("Reverse Amount"),
        _money("Reversed"),
    ]


def _creation_requests(*, stores: str, cards: str) -> Sequence[FieldWish]:
    return [
        _text("Employee"),
        _link("Store", stores),
        _money("Amount"),
        _of("number", "Quantity", {"precision": 0}),
        _text("Recipient Name"),
        _of("email", "Recipient Email"),
        _tick("Is Gift"),
        _text("Purchaser Name"),
        _of("email", "Purchaser Email"),
        _of("multilineText", "Gift Message"),
        _choice("Theme", THEMES),
        _day("Send On"),
        _choice("Kind", KINDS),
        _choice("Status", ["Processed", "Held", "In Progress"]),
        _text("Outcome"),
        _link("Gift Cards", cards),
        _moment("Processed At"),
        _of("multilineText", "Message"),
        _tick("Approved"),
    ]


def _balance_checks() -> Sequence[FieldWish]:
    return [
        _text("Gift Card Code"),
        _of("email", "Email"),
        _choice("Status", ["Processed"]),
        _moment("Processed At"),
    ]


def _processed_orders(*, cards: str) -> Sequence[FieldWish]:
    return [
        _text("Order"),
        _text("Order ID"),
        _text("Kind"),
        _choice("Status", ["Processed", "Held", "No Card", "Waiting"]),
        _money("Amount"),
        _link("Gift Cards", cards),
        _moment("Processed At"),
        _of("multilineText", "Message"),
        _tick("Release"),
    ]


def _receipts() -> Sequence[FieldWish]:
    return [
        _text("Receipt"),
        _moment("At"),
        _text("Action"),
        _text("Actor"),
        _text("Gift Card"),
        _money("Amount"),
        _money("Balance After"),
        _choice("Outcome", ["Done", "Failed"]),
        _text("Operation"),
        _of("multilineText", "Details"),
    ]


def _status() -> Sequence[FieldWish]:
    return [
        _text("Prong"),
        _choice("State", ["Executing", "Offline"]),
        _moment("Since"),
        _moment("Last Finished"),
        _of("multilineText", "Last Error"),
        _text("Summary"),
    ]


def _of(kind: str, name: str, options: Mapping[str, Json] | None = None) -> FieldWish:
    wish = {"name": name, "type": kind}
    return wish if options is None else wish | {"options": options}


def _text(name: str) -> FieldWish:
    return _of("singleLineText", name)


def _money(name: str) -> FieldWish:
    return _of("currency", name, {"precision": 2, "symbol": "$"})


def _tick(name: str) -> FieldWish:
    return _of("checkbox", name, {"icon": "check", "color": "greenBright"})


def _choice(name: str, choices: Sequence[str]) -> FieldWish:
    return _of("singleSelect", name, {"choices": [{"name": choice} for choice in choices]})


def _link(name: str, table_id: str) -> FieldWish:
    return _of("multipleRecordLinks", name, {"linkedTableId": table_id})


def _day(name: str) -> FieldWish:
    return _of("date", name, {"dateFormat": {"name": "iso"}})


def _moment(name: str) -> FieldWish:
    return _of(
        "dateTime",
        name,
        {"dateFormat": {"name": "iso"}, "timeFormat": {"name": "24hour"}, "timeZone": "client"},
    )
