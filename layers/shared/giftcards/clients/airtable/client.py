"""The shop's Airtable base: what stores ask for is read here, and what we did is written here.

Fields go by their ids in every request, so a rename breaks nothing; and every list names the fields
it wants, so a deleted one is an error rather than a cell that looks empty.

What a method raises, whatever it does:

    no connection, too many requests              NotSent
    no reply, HTTP 5xx, unreadable reply          TryAgain when reading, Unconfirmed when writing
    token refused, month's calls used up          AccessRefused
    table or field gone, or of another type       BaseMismatch
    anything the documentation rules out          VendorSurprise
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import batched
from typing import Any, Self

import requests
from pyairtable import Api
from pyairtable import formulas as formula
from pyairtable.api.table import Table
from pyairtable.api.types import RecordDict

from giftcards.clients.airtable.cells import (
    Json,
    read_amount,
    read_cell,
    read_moment,
    read_text,
    write_cell,
    write_moment,
)
from giftcards.clients.airtable.connection import (
    STORES_PRONG_REQUESTS_A_SECOND,
    Pace,
    connect,
)
from giftcards.clients.airtable.layout import (
    ORDER_IS_HELD,
    ROW_IS_HELD,
    BaseField,
    BaseTable,
    Layout,
    expected_tables,
)
from giftcards.clients.airtable.refusals import (
    Call,
    Refused,
    refusals_caught,
    refusals_translated,
)
from giftcards.domain.balance import BalanceRow
from giftcards.domain.creation import CreationRow
from giftcards.domain.outcomes import RedemptionRow, Store
from giftcards.domain.reversals import ReversalRow
from giftcards.errors import BaseMismatch, TryAgain, Unconfirmed, VendorSurprise

# Airtable's limits: records in one write, records on one page of a list.
RECORDS_A_WRITE = 10
RECORDS_A_PAGE = 100

# How much of a list is read at most: 1,000 rows. More waiting rows than that are hours of work, and
# more stores or equally named records than that are a mistake.
MOST_PAGES = 10

# How much of the waiting rows is read in one run: each page costs 1.1 s of it. What is served
# leaves the list, so the next run reads on.
PAGES_OF_WAITING_ROWS = 3

# So many rows with a total to be given back are read in one run, and no more.
MOST_REVERSALS = PAGES_OF_WAITING_ROWS * RECORDS_A_PAGE

# A list that lost its place at Airtable is begun once more.
LIST_ATTEMPTS = 2

# How many values one formula asks for: a formula of this size is still quick to read and to answer.
VALUES_A_FORMULA = 50

# Airtable's error where a single select does not have the choice that is to be written.
LACKS_A_CHOICE = "INVALID_MULTIPLE_CHOICE_OPTIONS"

REDEMPTIONS = "Redemptions"
CREATION_REQUESTS = "Creation Requests"
BALANCE_CHECKS = "Balance Checks"
GIFT_CARDS = "Gift Cards"
PROCESSED_ORDERS = "Processed Orders"
STORES = "Stores"
REDEMPTION_FIELDS = ("Store", "Employee", "Gift Card Code", "Amount")
# Ticks that a shop's base may lack: a store that says it means it, and the office's word.
REDEMPTION_TICKS = ("Confirm Duplicate", "Approved")

CREATION_FIELDS = ("Store", "Employee", "Amount", "Recipient Name", "Recipient Email")
# Fields of the form that a shop's base may lack; a missing one reads as an empty cell.
OPTIONAL_CREATION_FIELDS = (
    "Quantity", "Is Gift", "Purchaser Name", "Purchaser Email", "Gift Message", "Theme", "Send On",
    "Kind", "Approved",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """What `update_rows` could not write, while all else was written.

    `missing_rows` are ids of rows that were deleted; `missing_fields` our names of fields that were
    deleted or that the shop's base never had; `missing_links` ids of records that cells were to
    link to and that were deleted; `refused_choices` our names of single selects that lack one of
    our words.
    """

    missing_rows: frozenset[str] = frozenset()
    missing_fields: frozenset[str] = frozenset()
    missing_links: frozenset[str] = frozenset()
    refused_choices: frozenset[str] = frozenset()

    def __or__(self, other: Self) -> "UpdateReport":
        """Both reports in one."""
        return UpdateReport(
            self.missing_rows | other.missing_rows,
            self.missing_fields | other.missing_fields,
            self.missing_links | other.missing_links,
            self.refused_choices | other.refused_choices,
        )


@dataclass(frozen=True, slots=True)
class ResendRow:
    """A card that the office wants mailed again.

    `id` is the record's, `card_id` Shopify's; `to` is a corrected address, `None` for the old one.
    """

    id: str
    card_id: str
    to: str | None


@dataclass(frozen=True, slots=True)
class BaseRow:
    """A row as it is in a shop's base: what it holds, by our names for the fields.

    A field that is none of ours goes by Airtable's id. Numbers are `Decimal`; an empty cell is
    absent.
    """

    id: str
    created_at: datetime
    cells: Mapping[str, object]

    def text(self, field: str) -> str:
        """A cell as text (`read_text`); empty for an empty one."""
        return read_text(self.cells.get(field))

    def number(self, field: str) -> Decimal | None:
        """A cell as a number, `None` where it is empty or holds none."""
        cell = self.cells.get(field)
        return cell if isinstance(cell, Decimal) else None


@dataclass(frozen=True, slots=True)
class RowPage:
    """Up to a hundred rows of a table, in the base's own order, and where the next ones begin.

    `next` is `None` on the last page. Airtable remembers the place for some minutes only.
    """

    rows: tuple[BaseRow, ...]
    next: str | None


class Airtable:
    """One shop's base. For one thread at a time; every request has a time-out, and keeps the pace.

    `session` carries our requests and keeps its own headers. `pace` is this client's share of the
    five requests a second that Airtable allows; without one, it is the store prong's.
    """

    def __init__(
        self,
        token: str,
        *,
        base_id: str,
        layout: Layout,
        session: requests.Session | None,
        endpoint_url: str,
        timeout_seconds: float,
        pace: Pace | None = None,
    ) -> None:
        self._layout = layout
        self._base_id = base_id
        self._pace = pace or Pace(STORES_PRONG_REQUESTS_A_SECOND)
        self._api = connect(
            token,
            session=session,
            endpoint_url=endpoint_url,
            timeout_seconds=timeout_seconds,
            pace=self._pace,
        )

    def rest(self) -> None:
        """Wait until somebody else may go on at our pace: before a share of it changes hands."""
        self._pace.rest()

    def has_field(self, table: str, field: str) -> bool:
        """Whether the shop's base has a field that it may lack."""
        return self._layout.field_id(table, field) is not None

    def has_table(self, table: str) -> bool:
        """Whether the shop's base has a table that it may lack."""
        return self._layout.has(table)

    # Reading.

    def waiting_redemptions(
        self,
        *,
        since: datetime,
        most_pages: int = PAGES_OF_WAITING_ROWS,
        can_serve: Callable[[Sequence[RedemptionRow]], bool] | None = None,
    ) -> list[RedemptionRow]:
        """Rows that wait, made at `since` or later; oldest first, at most `most_pages` hundreds.

        A row waits while its status is empty, and again once it was held and the office approved.
        While `can_serve` says no of all that was read, reading goes on, up to a thousand rows.

        Airtable picks them, but cannot sort by creation: where more than a thousand wait, these are
        the oldest of the first thousand. Airtable knows creation times to the second.
        """
        records = self._list(
            REDEMPTIONS,
            self._row_fields(),
            self._waiting(REDEMPTIONS, since=since),
            doing="reading waiting rows",
            most_pages=most_pages if can_serve is None else MOST_PAGES,
            enough=None
            if can_serve is None
            else lambda read: (
                len(read) >= most_pages * RECORDS_A_PAGE
                and can_serve([self._redemption_row(record) for record in read])
            ),
        )
        rows = [self._redemption_row(record) for record in records]
        return sorted(rows, key=lambda row: (row.created_at, row.id))

    def waiting_creations(
        self, *, since: datetime, most_pages: int = PAGES_OF_WAITING_ROWS
    ) -> list[CreationRow]:
        """Requests for cards that wait, as `waiting_redemptions`; none where the table is absent.

        A row waits while its status is empty, and again once it was held and the office approved.
        """
        if not self._layout.has(CREATION_REQUESTS):
            return []
        records = self._list(
            CREATION_REQUESTS,
            self._present(CREATION_REQUESTS, CREATION_FIELDS, OPTIONAL_CREATION_FIELDS),
            self._waiting(CREATION_REQUESTS, since=since),
            doing="reading waiting rows",
            most_pages=most_pages,
        )
        rows = [self._creation_row(record) for record in records]
        return sorted(rows, key=lambda row: (row.created_at, row.id))

    def creation(self, record_id: str) -> CreationRow | None:
        """One request for cards as it reads now, `None` if it was deleted."""
        records = self._list(
            CREATION_REQUESTS,
            self._present(CREATION_REQUESTS, CREATION_FIELDS, OPTIONAL_CREATION_FIELDS),
            formula.EQ(formula.RECORD_ID(), record_id),
            doing="reading a row",
        )
        return self._creation_row(records[0]) if records else None

    def waiting_balance_checks(
        self, *, since: datetime, most_pages: int = PAGES_OF_WAITING_ROWS
    ) -> list[BalanceRow]:
        """Customers' questions that wait, oldest first; none where the table is absent."""
        if not self._layout.has(BALANCE_CHECKS):
            return []
        records = self._list(
            BALANCE_CHECKS,
            ("Gift Card Code", "Email"),
            self._waiting(BALANCE_CHECKS, since=since),
            doing="reading waiting rows",
            most_pages=most_pages,
        )
        rows = [
            BalanceRow(
                id=record["id"],
                created_at=read_moment(record["createdTime"]),
                typed_code=self._typed(BALANCE_CHECKS, "Gift Card Code", record),
                email=self._typed(BALANCE_CHECKS, "Email", record).strip(),
            )
            for record in records
        ]
        return sorted(rows, key=lambda row: (row.created_at, row.id))

    def cards_to_resend(self) -> list[ResendRow]:
        """The cards whose `Resend` the office ticked, by record id; none where nobody can tick it.

        Whoever mailed a card again empties the tick: until then the card stays in this list.
        """
        resend = self._layout.field_id(GIFT_CARDS, "Resend")
        if resend is None:
            return []
        records = self._list(
            GIFT_CARDS,
            self._present(GIFT_CARDS, ("Shopify ID",), ("Resend To",)),
            formula.Field(resend),
            doing="reading cards to mail again",
            most_pages=PAGES_OF_WAITING_ROWS,
        )
        rows = [
            ResendRow(
                id=record["id"],
                card_id=self._typed(GIFT_CARDS, "Shopify ID", record).strip(),
                to=self._typed(GIFT_CARDS, "Resend To", record).strip() or None,
            )
            for record in records
        ]
        return sorted(rows, key=lambda row: row.id)

    def released_orders(self) -> list[str]:
        """The `Order ID` of orders that are held and whose `Release` the office ticked.

        None where nobody can tick it. Once an order's `Status` reads otherwise, it leaves the list.
        """
        if not self._layout.has(PROCESSED_ORDERS):
            return []
        release = self._layout.field_id(PROCESSED_ORDERS, "Release")
        if release is None:
            return []
        status = formula.Field(self._layout.required_field_id(PROCESSED_ORDERS, "Status"))
        records = self._list(
            PROCESSED_ORDERS,
            ("Order ID",),
            formula.AND(formula.EQ(status, ORDER_IS_HELD), formula.Field(release)),
            doing="reading released orders",
            most_pages=PAGES_OF_WAITING_ROWS,
        )
        names = (self._typed(PROCESSED_ORDERS, "Order ID", record).strip() for record in records)
        return sorted({name for name in names if name})

    def is_held_unticked(self, name: str) -> bool:
        """Whether the order of that `Order ID` reads held, and its `Release` has no tick.

        False where nobody can tick it, and as long as its row reads otherwise.
        """
        if not self._layout.has(PROCESSED_ORDERS):
            return False
        release = self._layout.field_id(PROCESSED_ORDERS, "Release")
        if release is None:
            return False
        status, order_id = (
            formula.Field(self._layout.required_field_id(PROCESSED_ORDERS, field))
            for field in ("Status", "Order ID")
        )
        records = self._list(
            PROCESSED_ORDERS,
            ("Order ID",),
            formula.AND(
                formula.EQ(order_id, name),
                formula.EQ(status, ORDER_IS_HELD),
                formula.NOT(formula.Field(release)),
            ),
            doing="reading whether an order is released",
            most_pages=1,
        )
        return bool(records)

    def reversals(
        self, *, since: datetime, most_pages: int = PAGES_OF_WAITING_ROWS
    ) -> list[ReversalRow]:
        """Redemptions made at `since` or later whose `Reverse Amount` is not what was `Reversed`.

        Oldest first; none where the base has no `Reverse Amount`. Without `Reversed` each filled
        one stays in the list for ever, and with a text field for amounts Airtable lists those that
        are done as well. Where these have filled all that is read, new ones would never be seen:
        `BaseMismatch` then, with what to do.
        """
        total = self._layout.field_id(REDEMPTIONS, "Reverse Amount")
        if total is None:
            return []
        done = self._layout.field_id(REDEMPTIONS, "Reversed")
        picked = [
            # Joined to a text, an empty cell differs from a zero.
            formula.NE(formula.CONCATENATE(formula.Field(total), ""), ""),
            formula.NOT(formula.IS_BEFORE(formula.CREATED_TIME(), _parsed(since))),
        ]
        if done is not None:
            picked.append(formula.NE(formula.Field(total), formula.Field(done)))
        records = self._list(
            REDEMPTIONS,
            self._present(REDEMPTIONS, ("Reverse Amount",), ("Reversed", "Approved")),
            formula.AND(*picked),
            doing="reading what to give back",
            most_pages=most_pages,
        )
        open_ones = [record for record in records if not self._is_reversed(record)]
        if len(records) >= most_pages * RECORDS_A_PAGE and (done is None or not open_ones):
            raise BaseMismatch(
                f"The Airtable table “{REDEMPTIONS}” has {len(records)} rows with a “Reverse"
                " Amount”, and no more are read: make it a currency field, add the currency field"
                " “Reversed”, and run `ops resume`"
            )
        rows = [
            ReversalRow(
                id=record["id"],
                created_at=read_moment(record["createdTime"]),
                typed_total=self._amount(REDEMPTIONS, "Reverse Amount", record) or "",
                is_approved=self._is_ticked("Approved", record),
            )
            for record in open_ones
        ]
        return sorted(rows, key=lambda row: (row.created_at, row.id))

    def stores(self) -> list[Store]:
        """All stores, by name. `email` is empty where nobody filled it in."""
        records = self._list(STORES, ("Name", "Email"), None, doing="reading the stores")
        if len(records) == RECORDS_A_PAGE * MOST_PAGES:
            raise BaseMismatch(
                f"The Airtable table “{STORES}” holds more rows than any shop stores"
            )
        stores = [
            Store(
                id=record["id"],
                name=read_text(self._cell(STORES, "Name", record)).strip(),
                email=read_text(self._cell(STORES, "Email", record)).strip(),
            )
            for record in records
        ]
        return sorted(stores, key=lambda store: (store.name.casefold(), store.id))

    def find_rows(self, table: str, field: str, values: Sequence[str]) -> dict[str, list[str]]:
        """The ids of the rows whose `field` reads exactly so, oldest first, for each of `values`.

        A value no row has comes with an empty list. An empty text is found in rows without a value.
        """
        found = self.rows_named(table, field, values, fields=())
        return {value: [row.id for row in rows] for value, rows in found.items()}

    def rows_by_id(self, table: str, record_ids: Iterable[str]) -> dict[str, BaseRow]:
        """These rows as they are now, by record id, with all that they hold; none that is gone."""
        rows = dict[str, BaseRow]()
        for some in batched(dict.fromkeys(record_ids), VALUES_A_FORMULA, strict=False):
            one_of = formula.OR(*(formula.EQ(formula.RECORD_ID(), one) for one in some))
            records = self._list(table, None, one_of, doing="reading rows again")
            rows |= {record["id"]: self._base_row(table, record) for record in records}
        return rows

    def rows_named(
        self, table: str, field: str, values: Sequence[str], *, fields: Sequence[str] | None
    ) -> dict[str, list[BaseRow]]:
        """The rows whose `field` reads exactly so, as `find_rows`, with these fields, or all."""
        found: dict[str, list[BaseRow]] = {value: [] for value in values}
        field_id = self._layout.required_field_id(table, field)
        names = None
        if fields is not None:
            asked = (one for one in fields if self._layout.field_id(table, one) is not None)
            names = (field, *asked)
        for some in batched(found, VALUES_A_FORMULA, strict=False):
            one_of = formula.OR(*(formula.EQ(formula.Field(field_id), value) for value in some))
            records = self._list(table, names, one_of, doing=f"looking for rows by {field}")
            if len(records) == RECORDS_A_PAGE * MOST_PAGES:
                raise VendorSurprise(f"Hundreds of rows of “{table}” have the same “{field}”")
            rows = [self._base_row(table, record) for record in records]
            for row in sorted(rows, key=lambda one: (one.created_at, one.id)):
                # Airtable compares more loosely than we do (an empty cell equals 0 there).
                if row.text(field) in some:
                    found[row.text(field)].append(row)
        return found

    def page(self, table: str, fields: Sequence[str] | None, *, offset: str | None) -> RowPage:
        """A hundred rows of a table, of all that it holds: with these fields, or with every one.

        `offset` is `RowPage.next` of the page before, `None` for the first one. Fields that the
        shop's base lacks are left out. A row that is made meanwhile may be missing, one that is
        deleted is. Raises `PlaceLost` where Airtable has forgotten the place: begin anew.
        """
        options: dict[str, Any] = {"page_size": RECORDS_A_PAGE, "use_field_ids": True}
        if fields is not None:
            asked = (self._layout.field_id(table, field) for field in fields)
            options["fields"] = [field_id for field_id in asked if field_id is not None]
        if offset is not None:
            options["offset"] = offset
        call = Call(doing="reading its rows", table=table, changes=False)
        with refusals_translated(call, self._layout):
            reply: Any = self._api.get(self._table(table).urls.records, options=options)
            rows = tuple(self._base_row(table, record) for record in reply["records"])
            return RowPage(rows, reply.get("offset"))

    def _base_row(self, table: str, record: RecordDict) -> BaseRow:
        names = {one: name for name, one in self._layout.field_ids.get(table, {}).items()}
        return BaseRow(
            id=record["id"],
            created_at=read_moment(record["createdTime"]),
            cells={names.get(one, one): read_cell(cell) for one, cell in record["fields"].items()},
        )

    # Writing.

    def delete(self, table: str, record_ids: Iterable[str]) -> None:
        """Delete rows, ten a call; one that is gone already is no error.

        `Unconfirmed` means: do it again.
        """
        for some in batched(dict.fromkeys(record_ids), RECORDS_A_WRITE, strict=False):
            self._delete_what_is_there(table, some)

    def update_rows(self, table: str, changes: Mapping[str, Mapping[str, object]]) -> UpdateReport:
        """Change cells, by record id and our field names; `None` empties a cell. Ten rows a call.

        A row, field or linked record that was deleted never stops the others, nor does a single
        select that lacks a word of ours: it is reported.
        Writing the same again is harmless, so `Unconfirmed` means: do it again.
        """
        report = UpdateReport()
        rows: dict[str, dict[str, Json]] = {}
        for record_id, cells in changes.items():
            rows[record_id], absent = self._by_field_id(table, cells)
            report |= UpdateReport(missing_fields=frozenset(absent))
        for some in batched(rows, RECORDS_A_WRITE, strict=False):
            report |= self._update_what_is_there(table, {one: rows[one] for one in some})
        return report

    def create_rows(self, table: str, rows: Sequence[Mapping[str, object]]) -> list[str]:
        """Make rows, by our field names; return their record ids, in order. Ten rows a call.

        Optional fields that the shop's base does not have are left out. Raises `Unconfirmed` where
        some rows may have been made and their ids are not known: look for them (`find_rows`) before
        making them again. `NotSent` and every `NeedsAPerson` say that none was made, unless rows of
        an earlier call of ten were: then that is `Unconfirmed` too.
        """
        call = Call(doing="making rows", table=table, changes=True)
        ready = [self._by_field_id(table, cells)[0] for cells in rows]
        made: list[str] = []
        for some in batched(ready, RECORDS_A_WRITE, strict=False):
            try:
                with refusals_translated(call, self._layout):
                    records = self._table(table).batch_create(
                        [dict[str, Any](cells) for cells in some]
                    )
                    made += [record["id"] for record in records]
            except TryAgain as error:
                if not made or isinstance(error, Unconfirmed):
                    raise
                raise Unconfirmed(f"{len(made)} rows were made, then: {error}") from error
        if len(made) != len(ready):
            raise Unconfirmed(f"Airtable made {len(made)} rows of {call.where}, not {len(ready)}")
        return made

    # The inside.

    def _table(self, table: str) -> Table:
        return self._api.table(self._base_id, self._layout.table_id(table))

    def _cell(self, table: str, field: str, record: RecordDict) -> object:
        return record["fields"].get(self._layout.required_field_id(table, field))

    def _redemption_row(self, record: RecordDict) -> RedemptionRow:
        store = read_text(self._cell(REDEMPTIONS, "Store", record)).strip()
        return RedemptionRow(
            id=record["id"],
            created_at=read_moment(record["createdTime"]),
            store=store or None,
            employee=read_text(self._cell(REDEMPTIONS, "Employee", record)).strip(),
            typed_code=read_text(self._cell(REDEMPTIONS, "Gift Card Code", record)),
            typed_amount=read_amount(self._cell(REDEMPTIONS, "Amount", record)),
            is_confirmed=self._is_ticked("Confirm Duplicate", record),
            is_approved=self._is_ticked("Approved", record),
        )

    def _waiting(self, table: str, *, since: datetime) -> formula.Formula:
        """Picks rows made at `since` or later without a status, or held and then approved."""
        status = formula.Field(self._layout.required_field_id(table, "Status"))
        too_old = formula.IS_BEFORE(formula.CREATED_TIME(), _parsed(since))
        open_row: formula.Formula = formula.EQ(status, "")
        approved = self._optional_field_id(table, "Approved")
        if approved is not None:
            released = formula.AND(formula.EQ(status, ROW_IS_HELD), formula.Field(approved))
            open_row = formula.OR(open_row, released)
        return formula.AND(open_row, formula.NOT(too_old))

    def _optional_field_id(self, table: str, field: str) -> str | None:
        """As `Layout.field_id`; `None` for a field that the table never has, too."""
        known = {expected.name for expected in expected_tables()[table].fields}
        return self._layout.field_id(table, field) if field in known else None

    def _present(self, table: str, fields: Sequence[str], optional: Sequence[str]) -> list[str]:
        """The names of `fields` and of those `optional` ones that the shop's base has."""
        there = [one for one in optional if self._layout.field_id(table, one) is not None]
        return [*fields, *there]

    def _typed(self, table: str, field: str, record: RecordDict) -> str:
        """A cell as text; empty where the shop's base does not have the field."""
        field_id = self._layout.field_id(table, field)
        return "" if field_id is None else read_text(record["fields"].get(field_id))

    def _creation_row(self, record: RecordDict) -> CreationRow:
        def typed(field: str) -> str:
            return self._typed(CREATION_REQUESTS, field, record)

        return CreationRow(
            id=record["id"],
            created_at=read_moment(record["createdTime"]),
            store=typed("Store").strip() or None,
            employee=typed("Employee"),
            amount=self._amount(CREATION_REQUESTS, "Amount", record),
            quantity=self._amount(CREATION_REQUESTS, "Quantity", record),
            recipient_name=typed("Recipient Name"),
            recipient_email=typed("Recipient Email"),
            is_gift=self._is_ticked("Is Gift", record, table=CREATION_REQUESTS),
            purchaser_name=typed("Purchaser Name"),
            purchaser_email=typed("Purchaser Email"),
            message=typed("Gift Message"),
            theme=typed("Theme"),
            send_on=typed("Send On"),
            kind=typed("Kind"),
            is_approved=self._is_ticked("Approved", record, table=CREATION_REQUESTS),
        )

    def _amount(self, table: str, field: str, record: RecordDict) -> str | None:
        """A typed number as text; `None` for an empty cell, or a field the base does not have."""
        field_id = self._layout.field_id(table, field)
        return None if field_id is None else read_amount(record["fields"].get(field_id))

    def _is_reversed(self, record: RecordDict) -> bool:
        """Whether a row's `Reversed` is what was typed: a text `5.00` is five as well."""
        typed = self._amount(REDEMPTIONS, "Reverse Amount", record)
        done = self._amount(REDEMPTIONS, "Reversed", record)
        try:
            return typed is not None and done is not None and Decimal(typed) == Decimal(done)
        except InvalidOperation:
            return False

    def _row_fields(self) -> list[str]:
        ticks = [f for f in REDEMPTION_TICKS if self._layout.field_id(REDEMPTIONS, f) is not None]
        return [*REDEMPTION_FIELDS, *ticks]

    def _is_ticked(self, field: str, record: RecordDict, *, table: str = REDEMPTIONS) -> bool:
        """Whether a tick that the shop's base may lack is set; Airtable leaves empty ones out."""
        field_id = self._layout.field_id(table, field)
        return field_id is not None and record["fields"].get(field_id) is True

    def _list(
        self,
        table: str,
        fields: Sequence[str] | None,
        picked: formula.Formula | None,
        *,
        doing: str,
        most_pages: int = MOST_PAGES,
        enough: Callable[[Sequence[RecordDict]], bool] | None = None,
    ) -> list[RecordDict]:
        """The records a formula picks, with these or all fields, at most `most_pages` pages.

        Reading ends early once `enough` says so of all that was read.
        """
        call = Call(doing=doing, table=table, changes=False)
        options: dict[str, Any] = {"page_size": RECORDS_A_PAGE}
        if fields is not None:
            options["fields"] = [self._layout.required_field_id(table, one) for one in fields]
        if picked is not None:
            options["formula"] = picked
        for attempt in range(1, LIST_ATTEMPTS + 1):
            try:
                records: list[RecordDict] = []
                pages = self._table(table).iterate(**options)
                for _ in range(most_pages):
                    with refusals_caught(call, self._layout):
                        page = next(pages, None)
                    records += page or []
                    if page is None or (enough is not None and enough(records)):
                        break
            except Refused as refused:
                lost = refused.refusal.kind == "LIST_RECORDS_ITERATOR_NOT_AVAILABLE"
                if not lost or attempt == LIST_ATTEMPTS:
                    raise refused.error from refused.__cause__
            else:
                return records
        raise AssertionError("the last attempt returns or raises")

    def _by_field_id(
        self, table: str, cells: Mapping[str, object]
    ) -> tuple[dict[str, Json], set[str]]:
        """Cells by Airtable's field ids, and the names of fields the shop's base does not have."""
        ready: dict[str, Json] = {}
        absent: set[str] = set()
        for name, value in cells.items():
            field_id = self._layout.field_id(table, name)
            if field_id is None:
                absent.add(name)
            else:
                ready[field_id] = write_cell(value)
        return ready, absent

    def _update_what_is_there(
        self, table: str, rows: Mapping[str, dict[str, Json]]
    ) -> UpdateReport:
        """Write at most ten rows; leave out what Airtable says is gone, one thing at a time."""
        call = Call(doing="writing rows", table=table, changes=True)
        left = {record_id: dict(cells) for record_id, cells in rows.items() if cells}
        report = UpdateReport()
        # Each refusal takes away a row, a field or a linked record, so it ends within this many.
        most = 1 + len(left) + sum(_count_targets(cells) for cells in left.values())
        for _ in range(most):
            if not left:
                return report
            changes: list[Any] = [{"id": one, "fields": cells} for one, cells in left.items()]
            try:
                with refusals_caught(call, self._layout):
                    self._table(table).batch_update(changes)
                    return report
            except Refused as refused:
                if refused.refusal.kind == LACKS_A_CHOICE:
                    return report | self._update_without_choices(table, left, refused)
                gone = self._what_is_gone(table, refused, left)
            report |= gone
            left = _without(left, gone, field_ids=self._layout.field_ids.get(table, {}))
        raise VendorSurprise(f"Airtable keeps refusing to write rows of “{table}”")

    def _delete_what_is_there(self, table: str, record_ids: Sequence[str]) -> None:
        """Delete at most ten rows; leave out what Airtable no longer has."""
        call = Call(doing="deleting rows", table=table, changes=True)
        left = list(record_ids)
        # Airtable deletes all of them or none, so each refusal has to take a row away.
        for _ in record_ids:
            try:
                with refusals_caught(call, self._layout):
                    self._table(table).batch_delete(left)
                    return
            except Refused as refused:
                # How it names a row that is gone is not documented: so we look.
                gone = self._deleted(table, left) if _may_miss_a_row(refused) else frozenset()
                if not gone:
                    raise refused.error from refused.__cause__
            left = [one for one in left if one not in gone]
            if not left:
                return
        raise VendorSurprise(f"Airtable keeps refusing to delete rows of “{table}”")

    def _update_without_choices(
        self, table: str, left: Mapping[str, dict[str, Json]], refused: Refused
    ) -> UpdateReport:
        """A select lacks a word of ours, and Airtable says neither which nor in which row.

        So each row is written by itself, first without its choices, then choice by choice.
        """
        choices = self._layout.choice_fields(table)
        if not any(cells.keys() & choices for cells in left.values()):
            raise refused.error from refused.__cause__
        report = UpdateReport()
        for record_id, cells in left.items():
            rest = {one: cell for one, cell in cells.items() if one not in choices}
            report |= self._update_what_is_there(table, {record_id: rest})
            for field_id in cells.keys() & choices:
                report |= self._choose(table, record_id, field_id, cells[field_id])
        return report

    def _choose(self, table: str, record_id: str, field_id: str, choice: Json) -> UpdateReport:
        """Write one choice into one row; report it where the select does not have it."""
        call = Call(doing="writing a choice", table=table, changes=True)
        changes: list[Any] = [{"id": record_id, "fields": {field_id: choice}}]
        try:
            with refusals_caught(call, self._layout):
                self._table(table).batch_update(changes)
        except Refused as refused:
            name = self._layout.field_name(table, field_id)
            if refused.refusal.kind == LACKS_A_CHOICE and name is not None:
                return UpdateReport(refused_choices=frozenset([name]))
            return self._what_is_gone(table, refused, {record_id: {field_id: choice}})
        return UpdateReport()

    def _what_is_gone(
        self, table: str, refused: Refused, left: Mapping[str, Mapping[str, Json]]
    ) -> UpdateReport:
        """What a refusal says was deleted; raises the refusal's own error if it says nothing."""
        match refused.refusal.kind:
            case "UNKNOWN_FIELD_NAME":
                names = {
                    name
                    for field_id in refused.refusal.field_ids
                    if (name := self._layout.field_name(table, field_id)) is not None
                }
                if names:
                    return UpdateReport(missing_fields=frozenset(names))
            case "ROW_DOES_NOT_EXIST":
                named = frozenset(refused.refusal.record_ids)
                rows = named & left.keys() if named else self._deleted(table, list(left))
                links = named - rows
                if rows or links & _linked(left):
                    return UpdateReport(missing_rows=frozenset(rows), missing_links=links)
            case _:
                pass
        raise refused.error from refused.__cause__

    def _deleted(self, table: str, record_ids: Sequence[str]) -> frozenset[str]:
        """Which of these rows are not there: for the day when Airtable's refusal names none."""
        some_field = next(one.name for one in expected_tables()[table].fields if one.required)
        any_of = formula.OR(*(formula.EQ(formula.RECORD_ID(), one) for one in record_ids))
        there = self._list(table, (some_field,), any_of, doing="looking for deleted rows")
        return frozenset(record_ids) - {record["id"] for record in there}


def read_schema(
    token: str,
    *,
    base_id: str,
    session: requests.Session | None,
    endpoint_url: str,
    timeout_seconds: float,
) -> list[BaseTable]:
    """Every table and field of a base, for `resolve_layout`. Raises as `Airtable` does."""
    api: Api = connect(
        token,
        session=session,
        endpoint_url=endpoint_url,
        timeout_seconds=timeout_seconds,
        pace=Pace(STORES_PRONG_REQUESTS_A_SECOND),
    )
    call = Call(doing="reading its tables and fields", table=None, changes=False)
    with refusals_translated(call, None):
        # Not by pyairtable's models: they would refuse a kind of field that is newer than they.
        body = api.get(api.base(base_id).urls.tables)
        return [
            BaseTable(
                id=table["id"],
                name=table["name"],
                fields=tuple(
                    BaseField(
                        id=one["id"],
                        name=one["name"],
                        type=one["type"],
                        choices=_choices(one),
                        links_to=one.get("options", {}).get("linkedTableId"),
                    )
                    for one in table["fields"]
                ),
            )
            for table in body["tables"]
        ]


def _may_miss_a_row(refused: Refused) -> bool:
    """Whether a refusal may mean that a row is gone; 429 and 401 never do."""
    return refused.refusal.status in {403, 404, 422}


def _choices(described: Mapping[str, Any]) -> frozenset[str]:
    """The choices of a single select, as the schema describes it."""
    if described["type"] != "singleSelect":
        return frozenset()
    return frozenset(choice["name"] for choice in described["options"]["choices"])


def _parsed(moment: datetime) -> formula.Formula:
    return formula.DATETIME_PARSE(write_moment(moment))


def _links(cell: Json) -> list[str]:
    return [one for one in cell if isinstance(one, str)] if isinstance(cell, list) else []


def _linked(rows: Mapping[str, Mapping[str, Json]]) -> frozenset[str]:
    """Every record id that these rows link to."""
    return frozenset(
        linked for cells in rows.values() for cell in cells.values() for linked in _links(cell)
    )


def _count_targets(cells: Mapping[str, Json]) -> int:
    """How many things could turn out to be gone: the fields, and the records linked to."""
    return len(cells) + sum(len(_links(cell)) for cell in cells.values())


def _without(
    rows: Mapping[str, Mapping[str, Json]],
    gone: UpdateReport,
    *,
    field_ids: Mapping[str, str],
) -> dict[str, dict[str, Json]]:
    """The rows without what is gone; a link with nothing left to link to is left as it is."""
    gone_fields = {field_ids[name] for name in gone.missing_fields}
    kept: dict[str, dict[str, Json]] = {}
    for record_id, cells in rows.items():
        if record_id in gone.missing_rows:
            continue
        left = dict(_relinked(cells, gone.missing_links, gone_fields))
        if left:
            kept[record_id] = left
    return kept


def _relinked(
    cells: Mapping[str, Json], gone_links: frozenset[str], gone_fields: Iterable[str]
) -> Iterable[tuple[str, Json]]:
    for field_id, cell in cells.items():
        links = _links(cell)
        still: list[Json] = [one for one in links if one not in gone_links]
        if field_id in gone_fields or (links and not still):
            continue
        yield field_id, still if links else cell
