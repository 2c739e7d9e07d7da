"""What stands in a cell, in both directions: read with patience, written with care.

Who built the base chose the kinds of the fields people fill in. A store may be a link, a choice or
a text; an amount a number or a text; a code may come from a scanner. We take what can be taken, and
an empty cell, which Airtable leaves out altogether, is empty for us too.
"""

from datetime import UTC, date, datetime
from decimal import Decimal

# Airtable's JSON, and what we hand to it.
Json = str | int | float | bool | list["Json"] | dict[str, "Json"] | None


def read_text(cell: object) -> str:
    """A cell as text: of a list its only entry, of a barcode or a person its text or name.

    Empty for an empty cell, and for a list of several: which one is meant, nobody can say.
    """
    match cell:
        case str():
            return cell
        case bool() | None:
            return ""
        case int() | float() | Decimal():
            return write_number(Decimal(str(cell)))
        case [only]:
            return read_text(only)
        case {"text": str() as text} | {"name": str() as text} | {"email": str() as text}:
            return text
        case _:
            return ""


def read_amount(cell: object) -> str | None:
    """A typed amount as text, `None` for an empty cell. `12.5` of JSON is `12.5`, never 12.4999.

    A formula field without a value arrives as `{"specialValue": "NaN"}`.
    """
    match cell:
        case {"specialValue": str() as special}:
            return special
        case _:
            return read_text(cell) or None


def read_cell(cell: object) -> object:
    """A cell as it is, whatever it holds, with every number in it as `Decimal`."""
    match cell:
        case bool() | None | str():
            return cell
        case int() | float():
            return Decimal(str(cell))
        case list():
            return [read_cell(one) for one in cell]
        case dict():
            return {str(name): read_cell(one) for name, one in cell.items()}
        case _:
            raise TypeError(f"JSON holds no {type(cell).__name__}")


def read_moment(text: str) -> datetime:
    """A moment in Airtable's notation (ISO 8601 with `Z`)."""
    return datetime.fromisoformat(text)


def write_number(value: Decimal) -> str:
    """A number in plain digits, without an exponent."""
    return format(value, "f")


def write_cell(value: object) -> Json:
    """What we want in a cell, as Airtable's JSON.

    Raises `TypeError` for what has no place in a cell (a float has none: money is `Decimal`) and
    `ValueError` for a number that JSON would not carry exactly, or a moment without its time zone.
    """
    match value:
        case None | str() | bool() | int():
            return str(value) if isinstance(value, str) else value
        case Decimal():
            return _write_exactly(value)
        case datetime():
            return write_moment(value)
        case date():
            return value.isoformat()
        case list() | tuple() | frozenset() | set():
            return [write_cell(one) for one in value]
        case _:
            raise TypeError(f"a cell cannot hold a {type(value).__name__}")


def write_moment(moment: datetime) -> str:
    """A moment as Airtable writes it: UTC, milliseconds, `Z`; raises `ValueError` if naive."""
    if moment.tzinfo is None:
        raise ValueError("a moment without its time zone cannot be written")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write_exactly(value: Decimal) -> int | float:
    """A JSON number that reads back as the same decimal number."""
    if value == value.to_integral_value():
        return int(value)
    number = float(value)
    if Decimal(str(number)) != value:
        raise ValueError("the number has more digits than JSON carries")
    return number
