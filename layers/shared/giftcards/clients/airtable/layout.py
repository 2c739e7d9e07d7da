"""Where things are in a shop's Airtable base: our names for tables and fields, and Airtable's ids.

A shop may call its tables and fields what it likes. When the application is set up, each name of
ours is looked up once in the base (by default under the same name) and its id is kept: from then on
a rename in Airtable breaks nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Self

from giftcards.domain.outcomes import Outcome
from giftcards.errors import BaseMismatch, ConfigurationError
from giftcards.receipts import Action, ReceiptOutcome

# The key under which a shop's names hold the table's own name.
TABLE_ITSELF = ""

# What a shop may do without: its stores redeem cards all the same, and the web shop's orders are
# served, whether they are shown or not.
SELLING = "selling cards in stores"
ANSWERING_BALANCES = "balance checks"
SHOWING_ORDERS = "rows about the web shop's orders"


class Kind(Enum):
    """What a field has to be; the value says it in words, for people."""

    TYPED = "any field"  # people fill it in: we read it as well as we can, and never write it
    TEXT = "a text field"
    ADDRESS = "a text or e-mail field"
    CHOICE = "a text or single select field"
    MONEY = "a currency or number field"
    TICK = "a checkbox"
    LINK = "a link to another table"
    DAY = "a date field"
    MOMENT = "a date field that includes the time"


_TEXT_TYPES = frozenset({"singleLineText", "multilineText", "richText"})

# Airtable's field types that take what we write, by kind (Airtable, "Field types and cell values").
TYPES_OF_KIND: Mapping[Kind, frozenset[str]] = {
    Kind.TEXT: _TEXT_TYPES,
    Kind.ADDRESS: _TEXT_TYPES | {"email"},
    Kind.CHOICE: _TEXT_TYPES | {"singleSelect"},
    Kind.MONEY: frozenset({"currency", "number"}),
    Kind.TICK: frozenset({"checkbox"}),
    Kind.LINK: frozenset({"multipleRecordLinks"}),
    Kind.DAY: frozenset({"date", "dateTime"}),
    Kind.MOMENT: frozenset({"dateTime"}),
}


# What `Status` of a row comes to. An empty cell means waiting; what waits for the office is held.
ROW_IS_DONE = "Processed"
ROW_IS_HELD = "Held"
ROW_IS_IN_PROGRESS = "In Progress"

# What `State` of a prong reads.
PRONG_IS_WELL = "Executing"
PRONG_IS_FAILING = "Offline"

# What `Status` of a card reads.
CARD_IS_ACTIVE = "Active"
CARD_IS_DISABLED = "Disabled"
CARD_IS_FROZEN = "Frozen"

# What `Status` of a web shop's order, or of a part of one, reads.
ORDER_IS_DONE = "Processed"
ORDER_IS_HELD = "Held"
ORDER_MAKES_NO_CARD = "No Card"
ORDER_WAITS = "Waiting"

# By table and field: what we write where a shop may have a single select, which takes only words
# that it offers.
WORDS_WE_WRITE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Redemptions": {"Status": (ROW_IS_DONE, ROW_IS_HELD), "Outcome": tuple(Outcome)},
    "Creation Requests": {
        "Status": (ROW_IS_DONE, ROW_IS_HELD, ROW_IS_IN_PROGRESS),
        "Outcome": ("ISSUED", "REFUSED", "HELD"),
    },
    "Balance Checks": {"Status": (ROW_IS_DONE,)},
    "Gift Cards": {"Status": (CARD_IS_ACTIVE, CARD_IS_DISABLED, CARD_IS_FROZEN)},
    "Processed Orders": {
        "Status": (ORDER_IS_DONE, ORDER_IS_HELD, ORDER_MAKES_NO_CARD, ORDER_WAITS),
    },
    "Receipts": {"Action": tuple(Action), "Outcome": tuple(ReceiptOutcome)},
    "Status": {"State": (PRONG_IS_WELL, PRONG_IS_FAILING)},
}


# By table and field: the table of ours to which a link that we write has to lead, because Airtable
# refuses to link a row of another one.
LINKS_WE_WRITE: Mapping[str, Mapping[str, str]] = {
    "Redemptions": {"Gift Card": "Gift Cards"},
    "Gift Cards": {"Store": "Stores"},
    "Creation Requests": {"Gift Cards": "Gift Cards"},
    "Processed Orders": {"Gift Cards": "Gift Cards"},
}


@dataclass(frozen=True, slots=True)
class ExpectedField:
    """A field by our name for it. One that is not required may be absent from a shop's base.

    `words` are what we write into it; a single select has to offer them all.
    """

    name: str
    kind: Kind
    required: bool = True
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectedTable:
    """A table by our name for it, with the fields we read or write.

    `part` names the part of the application that a base without this table does without; a table
    of no such part has to be there.
    """

    name: str
    fields: tuple[ExpectedField, ...]
    part: str | None = None

    def field(self, name: str) -> ExpectedField:
        """The field of that name; raises `KeyError` for a name the design does not have."""
        for expected in self.fields:
            if expected.name == name:
                return expected
        raise KeyError(f"{self.name!r} has no field {name!r} in the design")


@dataclass(frozen=True, slots=True)
class BaseField:
    """A field as it is in a shop's base. `type` is Airtable's word for it.

    `choices` are what a single select offers; empty for any other field. `links_to` is the id of
    the table that a link leads to.
    """

    id: str
    name: str
    type: str
    choices: frozenset[str] = frozenset()
    links_to: str | None = None


@dataclass(frozen=True, slots=True)
class BaseTable:
    """A table as it is in a shop's base."""

    id: str
    name: str
    fields: tuple[BaseField, ...]


@cache
def expected_tables() -> Mapping[str, ExpectedTable]:
    """The tables this application works with, by our names for them."""
    typed, text, choice, money = Kind.TYPED, Kind.TEXT, Kind.CHOICE, Kind.MONEY
    tables = [
        _table("Stores", {"Name": typed, "Email": typed}),
        _table(
            "Redemptions",
            {
                "Store": typed,
                "Employee": typed,
                "Gift Card Code": text,  # it is masked once the row is done
                "Amount": typed,
                "Status": choice,
                "Outcome": choice,
                "Gift Card": Kind.LINK,
                "Balance After": money,
                "Processed At": Kind.MOMENT,
                "Message": text,
            },
            optional={
                # A text such as "no" would count as filled in.
                "Confirm Duplicate": Kind.TICK,
                "Approved": Kind.TICK,
                "Reverse Amount": typed,
                # What was given back: without it, every `Reverse Amount` is looked at for ever.
                "Reversed": money,
            },
        ),
        _table(
            "Gift Cards",
            {
                "Card": text,
                "Shopify ID": text,
                "Balance": money,
                "Initial Value": money,
                "Currency": choice,
                "Status": choice,
                "Issued At": Kind.MOMENT,
                "Expires On": Kind.DAY,
                "Last Synced": Kind.MOMENT,
            },
            # What is known of cards that we issued; a shop that only redeems may lack all of it.
            optional={
                "Owner": text,
                "Owner Email": Kind.ADDRESS,
                "Source": choice,
                "Store": Kind.LINK,
                "Theme": choice,
                "Kind": choice,
                "Resend": Kind.TICK,
                "Resend To": typed,
            },
        ),
        _table(
            "Creation Requests",
            {
                "Store": typed,
                "Employee": typed,
                "Amount": typed,
                "Recipient Name": typed,
                "Recipient Email": typed,
                "Status": choice,
                "Outcome": choice,
                "Gift Cards": Kind.LINK,
                "Processed At": Kind.MOMENT,
                "Message": text,
            },
            # A form without one of these asks for what its absence means: one card, no gift, the
            # standard theme, now, paid. Without `Approved` nobody can release what a cap holds.
            optional={
                "Quantity": typed,
                "Is Gift": typed,
                "Purchaser Name": typed,
                "Purchaser Email": typed,
                "Gift Message": typed,
                "Theme": typed,
                "Send On": typed,
                "Kind": typed,
                "Approved": typed,
            },
            part=SELLING,
        ),
        _table(
            "Balance Checks",
            {
                "Gift Card Code": text,  # it is masked once the row is done
                "Email": typed,
                "Status": choice,
                "Processed At": Kind.MOMENT,
            },
            part=ANSWERING_BALANCES,
        ),
        _table(
            "Processed Orders",
            {
                "Order": text,
                "Order ID": text,
                "Kind": text,
                "Status": choice,
                "Amount": money,
                "Gift Cards": Kind.LINK,
                "Processed At": Kind.MOMENT,
                "Message": text,
            },
            # Without it nobody can release an order that is held.
            optional={"Release": Kind.TICK},
            part=SHOWING_ORDERS,
        ),
        _table(
            "Receipts",
            {
                "Receipt": text,
                "At": Kind.MOMENT,
                "Action": choice,
                "Actor": choice,
                "Gift Card": text,
                "Amount": money,
                "Balance After": money,
                "Outcome": choice,
                "Operation": text,
                "Details": text,
            },
        ),
        _table(
            "Status",
            {
                "Prong": text,
                "State": choice,
                "Since": Kind.MOMENT,
                "Last Finished": Kind.MOMENT,
                "Last Error": text,
            },
            optional={"Summary": text},
        ),
    ]
    return {table.name: table for table in tables}


def _table(
    name: str,
    required: Mapping[str, Kind],
    *,
    optional: Mapping[str, Kind] | None = None,
    part: str | None = None,
) -> ExpectedTable:
    words = WORDS_WE_WRITE.get(name, {})
    fields = [
        ExpectedField(field, kind, words=words.get(field, ())) for field, kind in required.items()
    ]
    fields += [
        ExpectedField(field, kind, required=False) for field, kind in (optional or {}).items()
    ]
    return ExpectedTable(name, tuple(fields), part)


@dataclass(frozen=True, slots=True)
class Layout:
    """Airtable's ids by our names: `table_ids` by table, `field_ids` by table and then field."""

    table_ids: Mapping[str, str]
    field_ids: Mapping[str, Mapping[str, str]]

    def has(self, table: str) -> bool:
        """Whether the shop's base has the table: one that a whole part needs may be absent."""
        return table in self.table_ids

    def parts_off(self) -> dict[str, list[str]]:
        """The parts of the application that are off, each with the tables it lacks, by our names.

        What `ops resume` tells: a base without them is one of a shop that does not want them yet.
        """
        off: dict[str, list[str]] = {}
        for table in expected_tables().values():
            if table.part is not None and not self.has(table.name):
                off.setdefault(table.part, []).append(table.name)
        return off

    def table_id(self, table: str) -> str:
        """The id of a table; raises `BaseMismatch` if it was not looked up yet."""
        try:
            return self.table_ids[table]
        except KeyError:
            raise BaseMismatch(
                f"Nobody has looked up the table “{table}” of the Airtable base yet: "
                "`ops resume` does"
            ) from None

    def field_id(self, table: str, field: str) -> str | None:
        """The id of a field; `None` for an optional one that the shop's base does not have.

        Raises `BaseMismatch` if a required one was not looked up yet, and `KeyError` for a name
        that the design does not have: that is a mistake of ours, not of a shop.
        """
        field_id = self.field_ids.get(table, {}).get(field)
        if field_id is None and expected_tables()[table].field(field).required:
            raise BaseMismatch(
                f"Nobody has looked up the field “{field}” of the table “{table}” in the Airtable "
                "base yet: `ops resume` does"
            )
        return field_id

    def required_field_id(self, table: str, field: str) -> str:
        """The id of a field that we cannot do without; raises `BaseMismatch` otherwise."""
        field_id = self.field_id(table, field)
        if field_id is None:
            raise BaseMismatch(f"The table “{table}” of the Airtable base has no field “{field}”")
        return field_id

    def choice_fields(self, table: str) -> frozenset[str]:
        """The ids of a table's fields that may be single selects, with choices of their own."""
        fields = expected_tables()[table].fields
        ids = self.field_ids.get(table, {})
        return frozenset(
            ids[one.name] for one in fields if one.kind is Kind.CHOICE and one.name in ids
        )

    def field_name(self, table: str, field_id: str) -> str | None:
        """Our name for a field id, in whatever case Airtable repeats it; `None` if not ours."""
        for name, known_id in self.field_ids.get(table, {}).items():
            if known_id.casefold() == field_id.casefold():
                return name
        return None

    def to_json(self) -> str:
        """The layout as text, to be kept."""
        return json.dumps(
            {
                "tables": dict(self.table_ids),
                "fields": {t: dict(f) for t, f in self.field_ids.items()},
            },
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The layout that `to_json` wrote; raises `ConfigurationError` for anything else."""
        try:
            kept: Any = json.loads(text)
            return cls(
                table_ids={str(name): str(table_id) for name, table_id in kept["tables"].items()},
                field_ids={
                    str(table): {str(name): str(field_id) for name, field_id in fields.items()}
                    for table, fields in kept["fields"].items()
                },
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ConfigurationError(
                "What we kept of the Airtable base's layout cannot be read: run `ops resume` again"
            ) from None


def resolve_layout(schema: Sequence[BaseTable], names: Mapping[str, Mapping[str, str]]) -> Layout:
    """Look up every table and field in a shop's base.

    `names` holds what the shop calls them where it differs from our names: by our table name, then
    by our field name (`""` for the table itself); a name or an id of Airtable's.
    Raises `BaseMismatch` naming at once everything that is missing or of the wrong kind. A table of
    a part that a shop may do without is missed only where `names` mentions it; where it is there,
    it has to fit.
    """
    tables = expected_tables()
    problems = list(_unknown_names(tables, names))
    table_ids: dict[str, str] = {}
    field_ids: dict[str, dict[str, str]] = {}
    fields: dict[tuple[str, str], BaseField] = {}
    for table in tables.values():
        shop_names = names.get(table.name, {})
        wanted = shop_names.get(TABLE_ITSELF, table.name)
        found = next((there for there in schema if _is_called(there, wanted)), None)
        if found is None and table.part is not None and table.name not in names:
            continue
        if found is None:
            problems.append(
                f"there is no table “{wanted}”: add it, or say in AirtableNames which table "
                f"holds our “{table.name}”"
            )
            continue
        table_ids[table.name] = found.id
        field_ids[table.name] = {}
        for expected in table.fields:
            match = _find_field(expected, found, shop_names)
            if isinstance(match, BaseField):
                field_ids[table.name][expected.name] = match.id
                fields[table.name, expected.name] = match
            elif match is not None:
                problems.append(match)
    problems += _links_astray(fields, table_ids, {there.id: there.name for there in schema})
    if problems:
        raise BaseMismatch("The Airtable base does not fit yet.\n- " + "\n- ".join(problems))
    return Layout(table_ids, field_ids)


def _is_called(there: BaseTable | BaseField, wanted: str) -> bool:
    """By id, or by name in any case: Airtable allows no two names that differ in case only."""
    return there.id == wanted or there.name.strip().casefold() == wanted.strip().casefold()


def _find_field(
    expected: ExpectedField, table: BaseTable, shop_names: Mapping[str, str]
) -> BaseField | str | None:
    """The field; or what is wrong, in words; or `None` for an optional one that is not there."""
    wanted = shop_names.get(expected.name, expected.name)
    found = next((there for there in table.fields if _is_called(there, wanted)), None)
    if found is None:
        if not expected.required and expected.name not in shop_names:
            return None
        return (
            f"table “{table.name}” has no field “{wanted}” ({expected.kind.value}): add it, or say "
            f"in AirtableNames which field holds our “{expected.name}”"
        )
    if expected.kind is not Kind.TYPED and found.type not in TYPES_OF_KIND[expected.kind]:
        return (
            f"table “{table.name}”: field “{found.name}” is of Airtable's type {found.type}, "
            f"but has to be {expected.kind.value}"
        )
    lacking = [word for word in expected.words if word not in found.choices]
    if found.type == "singleSelect" and lacking:
        return (
            f"table “{table.name}”: the single select “{found.name}” lacks the choices "
            f"{', '.join(f'“{word}”' for word in lacking)}: add them, or make it a text field"
        )
    return found


def _links_astray(
    fields: Mapping[tuple[str, str], BaseField],
    table_ids: Mapping[str, str],
    shop_names: Mapping[str, str],
) -> Iterator[str]:
    """Links of the base that lead to another table than the one whose rows we write there."""
    for table, links in LINKS_WE_WRITE.items():
        for name, target in links.items():
            field, meant = fields.get((table, name)), table_ids.get(target)
            if field is None or meant is None or field.links_to in {None, meant}:
                continue
            leads = shop_names.get(field.links_to or "", "another base's table")
            yield (
                f"table “{shop_names[table_ids[table]]}”: the field “{field.name}” links to"
                f" “{leads}”, but has to link to “{shop_names[meant]}”"
            )


def _unknown_names(
    tables: Mapping[str, ExpectedTable], names: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    """What AirtableNames mentions and we have never heard of: most likely mistyped."""
    for table_name, fields in names.items():
        table = tables.get(table_name)
        if table is None:
            known = ", ".join(f"“{name}”" for name in tables)
            yield f"AirtableNames mentions a table “{table_name}”; our tables are {known}"
            continue
        known_fields = {expected.name for expected in table.fields} | {TABLE_ITSELF}
        for field_name in fields:
            if field_name not in known_fields:
                yield (
                    f"AirtableNames mentions a field “{field_name}” of “{table_name}”, "
                    "which is none of ours"
                )
