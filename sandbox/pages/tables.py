"""The base's tables as the office sees them: grids, and a page per row to edit or delete it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from sandbox.airtable import AirtableError, Base, Field, RecordJson, Table
from sandbox.pages.cells import (
    GLYPHS,
    LINK_TYPE,
    NUMBER_TYPES,
    CellView,
    LinkView,
    NotAcceptedError,
    look_at_cell,
    look_at_input,
    read_cell,
    typed_from_cell,
)
from sandbox.pages.shopify import NOT_DONE
from sandbox.pages.vendors import Vendors
from sandbox.pages.wording import write_moment

# A page of more rows is slow to draw on a phone every time something changes.
ROWS_SHOWN = 200

# What a row is called when its first cell is empty, as Airtable calls it.
UNNAMED = "Unnamed record"

# Hidden inputs hold what stood in a cell when the page was opened, under this and the field's name.
WAS = "was:"

ABOUT = {
    "Redemptions": "What the stores' form filed. An empty Status waits to be served;"
    " a served row holds its card's masked code.",
    "Creation Requests": "What the stores' form for selling cards filed. Approved, the office's"
    " tick, lets a held request through.",
    "Balance Checks": "What customers ask on the web site; the answers go by mail.",
    "Gift Cards": "A copy of what Shopify knows, refreshed whenever a card moves. Resend, the"
    " office's tick, mails a card again, to Resend To if that is filled in.",
    "Processed Orders": "What the web shop's orders came to: cards they bought, what they took off"
    " cards, and what they gave back. Release, the office's tick, lets a held order through.",
    "Receipts": "The paper trail: one line for everything that was done, never changed.",
    "Status": "How each part of the application fares.",
    "Stores": "Who may redeem, and where the answers go.",
}

# The tables a visitor wants first; the others follow in the base's own order.
FIRST_TABLES = (
    "Redemptions",
    "Creation Requests",
    "Balance Checks",
    "Gift Cards",
    "Processed Orders",
    "Receipts",
    "Status",
    "Stores",
)

# Where a row of the table is filed: an endpoint and what it takes.
FORM_PAGES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "Redemptions": ("forms.show", {"slug": "redeem"}),
    "Creation Requests": ("forms.show", {"slug": "sell"}),
    "Balance Checks": ("website.balance", {}),
}

# Where a table asks for much, what an office wants to see without scrolling stands in front.
FIRST_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "Creation Requests": (
        "Employee",
        "Store",
        "Amount",
        "Quantity",
        "Recipient Name",
        "Status",
        "Outcome",
        "Message",
        "Gift Cards",
    ),
    "Processed Orders": ("Kind", "Status", "Amount", "Gift Cards", "Message", "Release"),
}

# Columns that only a person fills in, and rarely: they stand behind the others.
LAST_COLUMNS = frozenset(
    {"Confirm Duplicate", "Approved", "Reverse Amount", "Reversed", "Resend", "Resend To"}
)


@dataclass(frozen=True, slots=True)
class Tab:
    """A table's name and how many rows it has."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading."""

    name: str
    glyph: str
    is_number: bool


@dataclass(frozen=True, slots=True)
class RowView:
    """A row in words; `title` is its primary cell's text."""

    id: str
    title: str
    cells: list[CellView]
    created: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class GridView:
    """A table in words, newest row first."""

    name: str
    columns: list[Column]
    rows: list[RowView]
    hidden_rows: int


@dataclass(frozen=True, slots=True)
class StoreView:
    """A row of `Stores`; an empty cell is an empty text."""

    id: str
    name: str
    email: str


def stores_of(base: Base) -> list[StoreView]:
    """The stores, by name; a base without that table has none."""
    if not has_table(base, "Stores"):
        return []
    stores = [
        StoreView(
            row["id"], str(row["fields"].get("Name", "")), str(row["fields"].get("Email", ""))
        )
        for row in base.table("Stores").records()
    ]
    return sorted(stores, key=lambda store: store.name)


def has_table(base: Base, name: str) -> bool:
    """Whether the base has a table of that name."""
    return any(table.name == name for table in base.tables())


def find_row(base: Base, name: str, record_id: str) -> RecordJson | None:
    """The row with that id, None if somebody has deleted it."""
    return next((row for row in base.table(name).records() if row["id"] == record_id), None)


def ordered_tables(base: Base) -> list[Table]:
    """The base's tables, those a visitor wants first in front."""
    place = {name: number for number, name in enumerate(FIRST_TABLES)}
    return sorted(base.tables(), key=lambda table: place.get(table.name, len(place)))


def primary_text(table: Table, row: RecordJson) -> str:
    """The text of the row's first cell, as other rows' links show it."""
    return str(row["fields"].get(table.fields()[0].name, "")) or UNNAMED


def created_at(row: RecordJson) -> datetime:
    """When the row was made: an aware moment, whole seconds."""
    return datetime.fromisoformat(row["createdTime"])


def _linked_table(field: Field, base: Base) -> Table:
    return base.table(field.options["linkedTableId"])


def link_choices(field: Field, base: Base) -> list[tuple[str, str]]:
    """The rows a link cell may name: record id and primary text, by text."""
    table = _linked_table(field, base)
    choices = [(row["id"], primary_text(table, row)) for row in table.records()]
    return sorted(choices, key=lambda choice: choice[1])


def choices_of(field: Field, base: Base) -> list[tuple[str, str]]:
    """What a choice field, or a link, lets a person choose from."""
    if field.type == LINK_TYPE:
        return link_choices(field, base)
    return [(name, name) for name in field.choices]


def _links_from(table: Table, base: Base) -> dict[str, LinkView]:
    """Every row that this table's link cells may name."""
    linked = {
        each.id: each
        for each in (_linked_table(f, base) for f in table.fields() if f.type == LINK_TYPE)
    }
    return {
        row["id"]: LinkView(
            primary_text(each, row),
            url_for("tables.edit", name=each.name, record_id=row["id"]),
        )
        for each in linked.values()
        for row in each.records()
    }


def _ordered_columns(table: Table) -> list[Field]:
    """The table's fields as the office's view shows them; the primary field stays the first."""
    first = {name: place for place, name in enumerate(FIRST_COLUMNS.get(table.name, ()))}

    def place_of(field: Field) -> tuple[bool, int]:
        return field.name in LAST_COLUMNS, first.get(field.name, len(first))

    primary, *others = table.fields()
    return [primary, *sorted(others, key=place_of)]


def look_at_table(table: Table, vendors: Vendors) -> GridView:
    """A table in words: the newest rows, newest first."""
    links = _links_from(table, vendors.base)
    zone = vendors.shop.time_zone
    # Of two rows made in the same second, the one filed later stands first.
    newest = sorted(table.records(), key=created_at)[::-1]
    fields = _ordered_columns(table)
    rows = [
        RowView(
            id=row["id"],
            title=primary_text(table, row),
            cells=[
                look_at_cell(field, row["fields"].get(field.name), links=links, zone=zone)
                for field in fields
            ],
            created=write_moment(created_at(row), zone),
            created_at=created_at(row),
        )
        for row in newest[:ROWS_SHOWN]
    ]
    columns = [
        Column(field.name, GLYPHS.get(field.type, "A"), field.type in NUMBER_TYPES)
        for field in fields
    ]
    return GridView(table.name, columns, rows, hidden_rows=max(0, len(newest) - ROWS_SHOWN))


def tables_pages(vendors: Vendors) -> Blueprint:
    """The pages at `/tables`."""
    pages = Blueprint("tables", __name__)
    _add_grids(pages, vendors)
    _add_rows(pages, vendors)
    return pages


def _find_table(base: Base, name: str) -> Table:
    return base.table(name) if has_table(base, name) else abort(404)


def _form_address(name: str) -> str | None:
    """Where a row of that table is filed, None where only the application writes."""
    if name not in FORM_PAGES:
        return None
    endpoint, values = FORM_PAGES[name]
    return url_for(endpoint, **values)


def _add_grids(pages: Blueprint, vendors: Vendors) -> None:
    base = vendors.base

    @pages.get("/tables")
    def first() -> Response:
        return redirect(url_for("tables.show", name=ordered_tables(base)[0].name))

    @pages.get("/tables/<name>")
    def show(name: str) -> str:
        table = _find_table(base, name)
        tabs = [Tab(each.name, len(each.records())) for each in ordered_tables(base)]
        return render_template(
            "table.html",
            grid=look_at_table(table, vendors),
            tabs=tabs,
            about=ABOUT.get(name),
            form_address=_form_address(name),
        )


def _add_rows(pages: Blueprint, vendors: Vendors) -> None:
    base = vendors.base

    def row_page(
        table: Table,
        row: RecordJson,
        *,
        typed: Mapping[str, Any],
        was: Mapping[str, str],
        wrong: Mapping[str, str],
    ) -> str:
        return render_template(
            "row.html",
            name=table.name,
            record_id=row["id"],
            title=primary_text(table, row),
            created=write_moment(created_at(row), vendors.shop.time_zone),
            fields=[look_at_input(field) for field in table.fields()],
            typed=typed,
            was=was,
            choices={field.name: choices_of(field, base) for field in table.fields()},
            wrong=wrong,
            was_prefix=WAS,
        )

    @pages.get("/tables/<name>/<record_id>")
    def edit(name: str, record_id: str) -> str:
        table = _find_table(base, name)
        row = find_row(base, name, record_id) or abort(410)
        typed = {
            field.name: typed_from_cell(field, row["fields"].get(field.name))
            for field in table.fields()
        }
        was = {name: _in_one_text(text) for name, text in typed.items()}
        return row_page(table, row, typed=typed, was=was, wrong={})

    @pages.post("/tables/<name>/<record_id>")
    def save(name: str, record_id: str) -> Response | tuple[str, int]:
        table = _find_table(base, name)
        row = find_row(base, name, record_id) or abort(410)
        changes, wrong = _read_changes(table, request.form)
        if not wrong:
            try:
                table.update(record_id, changes)
            except AirtableError as refusal:
                wrong = {table.fields()[0].name: refusal.message or refusal.kind}
        if wrong:
            typed = {
                field.name: _typed(field, request.form.getlist(field.name))
                for field in table.fields()
            }
            was = {field.name: request.form.get(WAS + field.name, "") for field in table.fields()}
            return row_page(table, row, typed=typed, was=was, wrong=wrong), NOT_DONE
        return redirect(url_for("tables.show", name=name), code=303)

    @pages.post("/tables/<name>/<record_id>/delete")
    def delete(name: str, record_id: str) -> Response:
        table = _find_table(base, name)
        if find_row(base, name, record_id) is not None:
            table.delete(record_id)
        return redirect(url_for("tables.show", name=name), code=303)


def _in_one_text(typed: str | list[str]) -> str:
    """What is typed, so that two of them can be compared: linked rows have no order."""
    text = ",".join(sorted(typed)) if isinstance(typed, list) else typed
    return text.replace("\r\n", "\n")


def _typed(field: Field, texts: list[str]) -> str | list[str]:
    if field.type == LINK_TYPE:
        return texts
    return texts[0] if texts else ""


def _read_changes(table: Table, form: MultiDict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The cells that were changed on the page, and what is wrong with some.

    Only those: the application may have written others since the page was opened, and an office
    that edits one cell in Airtable does not put the old values of its neighbours back.
    """
    changes: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for field in table.fields():
        texts = form.getlist(field.name)
        if _in_one_text(_typed(field, texts)) == _in_one_text(form.get(WAS + field.name, "")):
            continue
        try:
            changes[field.name] = read_cell(field, texts)
        except NotAcceptedError as problem:
            wrong[field.name] = str(problem)
    return changes, wrong
