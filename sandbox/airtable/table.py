"""One table of a base: its fields, its records, and what Airtable refuses to do with them."""

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

from sandbox.airtable import errors
from sandbox.airtable.fields import (
    NOT_CREATABLE_BY_API,
    RULES,
    Field,
    Json,
    Surroundings,
    accept,
    as_airtable_writes,
    check_options,
)
from sandbox.airtable.formula import Row, Value, compile_formula

if TYPE_CHECKING:
    from sandbox.airtable.base import Base

# Airtable's limits: records in one write, records on one page.
RECORDS_A_WRITE = 10
RECORDS_A_PAGE = 100

# Airtable, performUpsert: "at least one and at most three field names or IDs".
MOST_MERGE_FIELDS = 3


class RecordJson(TypedDict):
    """A record as Airtable's JSON shows it; cells by name, or by id where asked."""

    id: str
    createdTime: str
    fields: dict[str, Json]


@dataclass(slots=True)
class _Record:
    id: str
    created_time: datetime
    cells: dict[str, Json] = field(default_factory=dict)  # by field id


@dataclass(frozen=True, slots=True)
class Query:
    """What a list asks for. `sort` holds pairs of a field (name or id) and "asc" or "desc"."""

    formula: str | None = None
    sort: Sequence[tuple[str, str]] = ()
    fields: Sequence[str] | None = None
    by_field_id: bool = False
    page_size: int = RECORDS_A_PAGE
    max_records: int | None = None
    view: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; `offset` is None on the last."""

    records: list[RecordJson]
    offset: str | None


@dataclass(frozen=True, slots=True)
class Upserted:
    """What an upsert did: all records in order, and which of them are new."""

    records: list[RecordJson]
    created: list[str]
    updated: list[str]


class Table:
    """One table of a base. Cells go in and come out by field name, or by field id where asked."""

    def __init__(self, base: "Base", table_id: str, name: str, description: str | None) -> None:
        self.base = base
        self.id = table_id
        self.name = name
        self.description = description
        self.view_id = base.new_id("viw")
        self._fields: dict[str, Field] = {}
        self._records: dict[str, _Record] = {}

    # The table's shape.

    def fields(self) -> list[Field]:
        """The fields, the primary one first."""
        with self.base.lock:
            return list(self._fields.values())

    def field(self, name_or_id: str) -> Field:
        """A field by name or id; raises `AirtableError` (unknown field name) otherwise."""
        with self.base.lock:
            if name_or_id in self._fields:
                return self._fields[name_or_id]
            for one in self._fields.values():
                if name_or_id == one.name:
                    return one
        raise errors.unknown_field(name_or_id)

    def create_field(self, wanted: Mapping[str, Json]) -> Field:
        """Add a field; raises `AirtableError` for what Airtable's API cannot create either."""
        name, kind, options = wanted.get("name"), wanted.get("type"), wanted.get("options") or {}
        if not isinstance(name, str) or not name or not isinstance(kind, str):
            raise errors.invalid_request()
        if kind in NOT_CREATABLE_BY_API:
            raise errors.AirtableError(
                422,
                "UNSUPPORTED_FIELD_TYPE_FOR_CREATE",
                f"Creating {kind} fields is not supported at this time",
            )
        if kind not in RULES:
            raise errors.AirtableError(
                422, "UNSUPPORTED_FIELD_TYPE_FOR_CREATE", f"The sandbox has no {kind} fields"
            )
        with self.base.lock:
            if any(one.name.casefold() == name.casefold() for one in self._fields.values()):
                raise errors.AirtableError(
                    422,
                    "DUPLICATE_OR_EMPTY_FIELD_NAME",
                    f'Field "{name}" already exists on this table',
                )
            check_options(kind, options)
            one = Field(
                self.base.new_id("fld"),
                name,
                kind,
                self._complete_options(kind, options),
                wanted.get("description"),
            )
            self._fields[one.id] = one
            self.base.changed()
            return one

    def _complete_options(self, kind: str, options: Mapping[str, Json]) -> dict[str, Json]:
        """Add to a field's options what Airtable adds."""
        complete = dict(options)
        if kind == "singleSelect":
            complete["choices"] = [
                {"color": "blueLight2", **choice, "id": self.base.new_id("sel")}
                for choice in options["choices"]
            ]
        if kind == "multipleRecordLinks":
            self.base.table(options["linkedTableId"])
            complete = {"isReversed": False, "prefersSingleRecordLink": False, **complete}
        if kind in ("date", "dateTime"):
            complete["dateFormat"] = {"format": "YYYY-MM-DD", **options["dateFormat"]}
        if kind == "dateTime":
            complete["timeFormat"] = {"format": "HH:mm", **options["timeFormat"]}
        return complete

    def rename_field(self, name_or_id: str, name: str) -> None:
        """Give a field another name, as a person can; its id stays."""
        with self.base.lock:
            self.field(name_or_id).name = name
            self.base.changed()

    def delete_field(self, name_or_id: str) -> None:
        """Throw a field away with its cells, as a person can; never the primary one."""
        with self.base.lock:
            gone = self.field(name_or_id)
            if gone is self.fields()[0]:
                raise errors.invalid_request("The primary field cannot be deleted")
            del self._fields[gone.id]
            for record in self._records.values():
                record.cells.pop(gone.id, None)
            self.base.changed()

    def rename(self, name: str) -> None:
        """Give the table another name, as a person can; its id stays."""
        with self.base.lock:
            self.name = name
            self.base.changed()

    def schema(self) -> dict[str, Json]:
        """The table as the Metadata API shows it."""
        with self.base.lock:
            shown: dict[str, Json] = {
                "id": self.id,
                "name": self.name,
                "primaryFieldId": self.fields()[0].id,
                "fields": [one.schema() for one in self.fields()],
                "views": [{"id": self.view_id, "name": "Grid view", "type": "grid"}],
            }
            return shown if self.description is None else shown | {"description": self.description}

    # Records, one at a time: for people, pages and seeds.

    def records(self, *, by_field_id: bool = False) -> list[RecordJson]:
        """All records, oldest first."""
        with self.base.lock:
            return [self._show(record, by_id=by_field_id) for record in self._records.values()]

    def get(self, record_id: str, *, by_field_id: bool = False) -> RecordJson:
        """One record; raises `AirtableError` (404) if it is not there."""
        with self.base.lock:
            if record_id not in self._records:
                raise errors.not_found()
            return self._show(self._records[record_id], by_id=by_field_id)

    def create(self, cells: Mapping[str, Json], *, typecast: bool = False) -> RecordJson:
        """Make one record."""
        return self.create_many([cells], typecast=typecast)[0]

    def update(
        self, record_id: str, cells: Mapping[str, Json], *, typecast: bool = False
    ) -> RecordJson:
        """Change some cells of one record; `None` empties a cell."""
        return self.update_many([(record_id, cells)], typecast=typecast)[0]

    def delete(self, record_id: str) -> None:
        """Throw one record away; raises `AirtableError` if it is not there."""
        self.delete_many([record_id])

    # Records, up to ten at a time: what the API does. All or nothing.

    def create_many(
        self, rows: Sequence[Mapping[str, Json]], *, typecast: bool = False, by_id: bool = False
    ) -> list[RecordJson]:
        """Make records, in order."""
        with self.base.lock:
            _check_batch_size(len(rows), "created")
            self.base.check_room(len(rows))
            accepted = [self._accept(cells, typecast=typecast) for cells in rows]
            return [self._show(self._add(cells), by_id=by_id) for cells in accepted]

    def update_many(
        self,
        changes: Sequence[tuple[str, Mapping[str, Json]]],
        *,
        replace: bool = False,
        typecast: bool = False,
        by_id: bool = False,
    ) -> list[RecordJson]:
        """Change records; with `replace`, cells not given are emptied."""
        with self.base.lock:
            _check_batch_size(len(changes), "updated")
            self._check_there([record_id for record_id, _ in changes])
            accepted = [(rid, self._accept(cells, typecast=typecast)) for rid, cells in changes]
            return [
                self._show(self._change(r, c, replace=replace), by_id=by_id) for r, c in accepted
            ]

    def upsert_many(
        self,
        rows: Sequence[tuple[str | None, Mapping[str, Json]]],
        *,
        merge_on: Sequence[str],
        replace: bool = False,
        typecast: bool = False,
        by_id: bool = False,
    ) -> Upserted:
        """Change the record whose `merge_on` cells equal the row's, or make one where none does.

        Raises `AirtableError`, with nothing applied, where more than one matches.
        """
        with self.base.lock:
            _check_batch_size(len(rows), "upserted")
            if not 1 <= len(merge_on) <= MOST_MERGE_FIELDS:
                raise errors.invalid_request()
            keys = [self.field(name).id for name in merge_on]
            accepted = [(rid, self._accept(cells, typecast=typecast)) for rid, cells in rows]
            targets = [rid or self._match(cells, keys) for rid, cells in accepted]
            self._check_there([target for target in targets if target is not None])
            self.base.check_room(targets.count(None))
            done = [
                self._add(cells) if target is None else self._change(target, cells, replace=replace)
                for target, (_, cells) in zip(targets, accepted, strict=True)
            ]
            pairs = list(zip(targets, done, strict=True))
            return Upserted(
                records=[self._show(record, by_id=by_id) for record in done],
                created=[record.id for target, record in pairs if target is None],
                updated=[record.id for target, record in pairs if target is not None],
            )

    def delete_many(self, record_ids: Sequence[str]) -> None:
        """Throw records away."""
        with self.base.lock:
            _check_batch_size(len(record_ids), "deleted")
            self._check_there(record_ids)
            for record_id in record_ids:
                del self._records[record_id]
                self.base.unlink(record_id)
            self.base.changed()

    # Lists.

    def list_page(self, query: Query, offset: str | None = None) -> Page:
        """One page of a list, begun anew or at an `offset` from the page before."""
        with self.base.lock:
            if not 1 <= query.page_size <= RECORDS_A_PAGE:
                raise errors.invalid_request()
            if query.view not in (None, "", "Grid view", self.view_id):
                raise errors.AirtableError(
                    422, "VIEW_NAME_NOT_FOUND", f"View {query.view} not found"
                )
            wanted = None if query.fields is None else [self.field(f).id for f in query.fields]
            if offset is None:
                rest = self._pick(query)[: query.max_records]
            else:
                rest = self.base.continue_list(self.id, offset)
            now, later = rest[: query.page_size], rest[query.page_size :]
            return Page(
                records=[
                    self._show(self._records[record_id], by_id=query.by_field_id, wanted=wanted)
                    for record_id in now
                    if record_id in self._records
                ],
                offset=f"{self.base.begin_list(self.id, later)}/{later[0]}" if later else None,
            )

    def _pick(self, query: Query) -> list[str]:
        """The ids of the records a query asks for, in its order."""
        picked = list(self._records.values())
        if query.formula:
            picks = compile_formula(query.formula, field_ids=self._field_ids())
            picked = [record for record in picked if picks(self._as_row(record))]
        for name, direction in reversed(query.sort):
            sort_field = self.field(name)
            picked.sort(
                key=functools.partial(self._sort_key, sort_field), reverse=direction == "desc"
            )
        return [record.id for record in picked]

    def _sort_key(self, by: Field, record: _Record) -> tuple[bool, float, str]:
        """Empty cells first, numbers and dates by size, texts by letters whatever their case."""
        match self._read(record, by.id):
            case None:
                return (False, 0.0, "")
            case datetime() as moment:
                return (True, moment.timestamp(), "")
            case str() as text:
                return (True, 0.0, text.casefold())
            case number:
                return (True, float(number), "")

    def _as_row(self, record: _Record) -> Row:
        return Row(
            record_id=record.id,
            created_time=record.created_time,
            now=self.base.clock(),
            cell=lambda field_id: self._read(record, field_id),
        )

    def _read(self, record: _Record, field_id: str) -> Value:
        """A cell as a formula sees it."""
        value = record.cells.get(field_id)
        match self._fields[field_id].type:
            case "multipleRecordLinks" if value:
                linked = self.base.table(self._fields[field_id].options["linkedTableId"])
                return ", ".join(linked.name_of(record_id) for record_id in value)
            case "date" | "dateTime" if value:
                moment = datetime.fromisoformat(value)
                return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
            case "checkbox":
                return bool(value)
            case "number" | "currency" if value is not None:
                return float(value)
            case _:
                return None if value is None else str(value)

    # The inside.

    def record_ids(self) -> Collection[str]:
        """The ids of the records that are there."""
        return self._records.keys()

    def name_of(self, record_id: str) -> str:
        """What a link to the record shows: its primary cell as text."""
        value = self._records[record_id].cells.get(self.fields()[0].id)
        return "" if value is None else str(value)

    def forget_link(self, record_id: str) -> None:
        """Take a deleted record out of this table's links."""
        links = [one.id for one in self._fields.values() if one.type == "multipleRecordLinks"]
        for record in self._records.values():
            for field_id in links:
                left = [linked for linked in record.cells.get(field_id, []) if linked != record_id]
                _put(record.cells, field_id, left or None)

    def _field_ids(self) -> dict[str, str]:
        by_name = {one.name: one.id for one in self._fields.values()}
        return by_name | {field_id: field_id for field_id in self._fields}

    def _accept(self, cells: Mapping[str, Json], *, typecast: bool) -> dict[str, Json]:
        """Cells by field id, each checked by its field's rule."""
        around = Surroundings(
            typecast=typecast,
            resolve_link=lambda link, item: self._resolve_link(link, item, typecast=typecast),
            add_choice=self._add_choice,
        )
        known = [(self.field(name), value) for name, value in cells.items()]
        return {one.id: accept(one, value, around) for one, value in known}

    def _add_choice(self, choice_field: Field, name: str) -> None:
        choice_field.options["choices"].append(
            {"id": self.base.new_id("sel"), "name": name, "color": "blueLight2"}
        )

    def _resolve_link(self, link: Field, item: Json, *, typecast: bool) -> str:
        """The id of a linked record; raises `AirtableError` for one that cannot be linked."""
        linked = self.base.table(link.options["linkedTableId"])
        if not isinstance(item, str):
            raise errors.invalid_value(link.name)
        if item in linked.record_ids():
            return item
        owner = self.base.table_of(item)
        if owner is not None:
            raise errors.AirtableError(
                422,
                "ROW_TABLE_DOES_NOT_MATCH_LINKED_TABLE",
                f"Record ID {item} belongs to table {owner.id}, "
                f"but the field links to table {linked.id}",
            )
        if typecast:
            named = [rid for rid in linked.record_ids() if linked.name_of(rid) == item]
            return named[0] if named else linked.create({linked.fields()[0].name: item})["id"]
        if not item.startswith("rec"):
            raise errors.AirtableError(
                422, "INVALID_RECORD_ID", f'Value "{item}" is not a valid record ID.'
            )
        raise errors.row_does_not_exist(item)

    def _check_there(self, record_ids: Sequence[str]) -> None:
        if len(set(record_ids)) != len(record_ids):
            raise errors.invalid_records(
                "You cannot update the same record multiple times in a single request."
            )
        for record_id in record_ids:
            if record_id not in self._records:
                raise errors.row_does_not_exist(record_id)

    def _match(self, cells: Mapping[str, Json], keys: Sequence[str]) -> str | None:
        if any(cells.get(key) is None for key in keys):
            raise errors.invalid_request("Every record needs a value in each field to merge on")
        matching = [
            record.id
            for record in self._records.values()
            if all(record.cells.get(key) == cells[key] for key in keys)
        ]
        if len(matching) > 1:
            raise errors.several_match()
        return matching[0] if matching else None

    def _add(self, cells: Mapping[str, Json]) -> _Record:
        # Airtable tells the second in which a record was made, never the fraction.
        created_time = self.base.clock().astimezone(UTC).replace(microsecond=0)
        record = _Record(self.base.new_id("rec"), created_time)
        for field_id, value in cells.items():
            _put(record.cells, field_id, value)
        self._records[record.id] = record
        self.base.changed()
        return record

    def _change(self, record_id: str, cells: Mapping[str, Json], *, replace: bool) -> _Record:
        record = self._records[record_id]
        if replace:
            record.cells.clear()
        for field_id, value in cells.items():
            _put(record.cells, field_id, value)
        self.base.changed()
        return record

    def _show(
        self, record: _Record, *, by_id: bool, wanted: Sequence[str] | None = None
    ) -> RecordJson:
        shown = {
            (one.id if by_id else one.name): record.cells[one.id]
            for one in self._fields.values()
            if one.id in record.cells and (wanted is None or one.id in wanted)
        }
        return {
            "id": record.id,
            "createdTime": as_airtable_writes(record.created_time),
            "fields": shown,
        }


def _put(cells: dict[str, Json], field_id: str, value: Json) -> None:
    """An empty cell is no cell."""
    if value is None:
        cells.pop(field_id, None)
    else:
        cells[field_id] = value


def _check_batch_size(count: int, done: str) -> None:
    if count > RECORDS_A_WRITE:
        raise errors.invalid_records(
            f"A maximum of {RECORDS_A_WRITE} records can be {done} per request "
            f"but you have provided {count}."
        )
