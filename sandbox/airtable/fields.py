"""What a cell may hold: one rule per kind of field, as Airtable applies it to what a caller sends.

Values are Airtable's JSON. An empty cell is no value at all: null, "", false and [] are never kept.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sandbox.airtable.errors import AirtableError, invalid_value

Json = Any  # what json.loads returns; Airtable's cells are as loose as that

# Airtable, "Field types and cell values": these exist, but no API call can create them.
NOT_CREATABLE_BY_API = frozenset(
    {
        "aiText", "autoNumber", "button", "count", "createdBy", "createdTime", "externalSyncSource",
        "formula", "lastModifiedBy", "lastModifiedTime", "lookup", "multipleLookupValues", "rollup",
    }
)  # fmt: skip

# Airtable, field options: decimals a number or a currency may show.
HIGHEST_PRECISION = {"number": 8, "currency": 7}


@dataclass(slots=True)
class Field:
    """One column. `options` are Airtable's own, as the Metadata API shows them."""

    id: str
    name: str
    type: str
    options: dict[str, Json] = field(default_factory=dict)
    description: str | None = None

    def schema(self) -> dict[str, Json]:
        """The field as the Metadata API shows it."""
        shown: dict[str, Json] = {"id": self.id, "name": self.name, "type": self.type}
        if self.description is not None:
            shown["description"] = self.description
        return shown | {"options": self.options} if self.options else shown

    @property
    def choices(self) -> list[str]:
        """The names a choice field knows, in order."""
        return [choice["name"] for choice in self.options.get("choices", [])]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a field's rule needs to know of the base around it.

    `resolve_link` checks one linked record id (and with typecast finds or makes one by its name);
    `add_choice` adds a choice to a choice field.
    """

    typecast: bool
    resolve_link: Callable[[Field, Json], str]
    add_choice: Callable[[Field, str], None]


# Airtable, field options: what a creation has to say, by kind of field.
NEEDED_OPTIONS = {
    "number": {"precision"},
    "currency": {"precision", "symbol"},
    "checkbox": {"icon", "color"},
    "singleSelect": {"choices"},
    "multipleRecordLinks": {"linkedTableId"},
    "date": {"dateFormat"},
    "dateTime": {"dateFormat", "timeFormat", "timeZone"},
}


def check_options(kind: str, options: Mapping[str, Json]) -> None:
    """Refuse a field's options as the Metadata API does where they are missing or out of range."""
    needed = NEEDED_OPTIONS.get(kind, set())
    fits = needed <= set(options) and (bool(needed) or not options)
    if fits and kind in HIGHEST_PRECISION:
        precision = options["precision"]
        fits = isinstance(precision, int) and 0 <= precision <= HIGHEST_PRECISION[kind]
    if fits and kind == "singleSelect":
        choices = options["choices"]
        fits = isinstance(choices, list) and all("name" in choice for choice in choices)
    if not fits:
        raise AirtableError(
            422, "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE", f"Invalid options for {kind} field"
        )


def accept(cell_field: Field, value: Json, around: Surroundings) -> Json:
    """The value as the base keeps it, `None` for an empty cell; raises `AirtableError`."""
    return None if value is None else RULES[cell_field.type](cell_field, value, around)


def as_airtable_writes(moment: datetime) -> str:
    """A moment in Airtable's notation: UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(cell_field: Field, value: Json, around: Surroundings) -> str | None:
    if around.typecast and isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise invalid_value(cell_field.name)
    return value or None


def _number(cell_field: Field, value: Json, around: Surroundings) -> int | float | None:
    if around.typecast and isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None  # Airtable: a text that is no number leaves the cell empty
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise invalid_value(cell_field.name)
    # Numbers are JavaScript's: 25.0 is written 25.
    return int(value) if float(value).is_integer() else float(value)


def _checkbox(cell_field: Field, value: Json, around: Surroundings) -> bool | None:
    if around.typecast and value in ("true", "false"):
        value = value == "true"
    if not isinstance(value, bool):
        raise invalid_value(cell_field.name)
    return value or None


def _choice(cell_field: Field, value: Json, around: Surroundings) -> str | None:
    if not isinstance(value, str):
        raise invalid_value(cell_field.name)
    if value in cell_field.choices:
        return value
    if not around.typecast:
        raise AirtableError(
            422,
            "INVALID_MULTIPLE_CHOICE_OPTIONS",
            f'Insufficient permissions to create new select option ""{value}""',
        )
    if not value:
        return None
    around.add_choice(cell_field, value)
    return value


def _links(cell_field: Field, value: Json, around: Surroundings) -> list[str] | None:
    if not isinstance(value, list):
        raise AirtableError(422, "INVALID_VALUE_FOR_COLUMN", "Value is not an array of record IDs.")
    linked = [around.resolve_link(cell_field, item) for item in value]
    return list(dict.fromkeys(linked)) or None


def _date(cell_field: Field, value: Json, _around: Surroundings) -> str | None:
    if value == "":
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        return _moment_of(cell_field, value).date().isoformat()


def _moment(cell_field: Field, value: Json, _around: Surroundings) -> str | None:
    return None if value == "" else as_airtable_writes(_moment_of(cell_field, value))


def _moment_of(cell_field: Field, value: Json) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise invalid_value(cell_field.name) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


# How each kind of field reads what it is given.
RULES: Mapping[str, Callable[[Field, Json, Surroundings], Json]] = {
    **dict.fromkeys(["singleLineText", "multilineText", "email", "url", "phoneNumber"], _text),
    **dict.fromkeys(["number", "currency"], _number),
    "checkbox": _checkbox,
    "singleSelect": _choice,
    "multipleRecordLinks": _links,
    "date": _date,
    "dateTime": _moment,
}
