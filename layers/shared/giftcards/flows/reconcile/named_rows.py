"""Rows of our own in Airtable, by our names for them: the one that counts, and its copies.

A name should have one row. Airtable may apply a creation late, after we had looked for it in vain,
and people copy rows. The one that counts is the one that we write to; where none is known, the
oldest.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from giftcards.clients.airtable import Airtable, BaseRow
from giftcards.domain.drift import Difference, Drift
from giftcards.flows.write_airtable import NAMED_BY, ORDERS, RECEIPTS
from giftcards.store.records import Records

# How we name rows; what reads otherwise is somebody else's. Airtable is asked for rows by name, and
# a text of any length does not fit into that question.
NAMES: Final[Mapping[str, re.Pattern[str]]] = {
    RECEIPTS: re.compile(r"[a-z-]{1,30}#[\w#+./:@=-]{1,180}#[0-9]{1,3}"),
    ORDERS: re.compile(r"[0-9]{1,20}(/[0-9]{1,20})?"),
}


@dataclass(frozen=True, slots=True)
class Named:
    """The rows of one name: `kept` is the one that counts, `copies` are the others."""

    kept: BaseRow | None
    copies: tuple[BaseRow, ...]

    def ids(self) -> list[str]:
        """All of them, by record id, sorted."""
        kept = () if self.kept is None else (self.kept,)
        return sorted(row.id for row in (*kept, *self.copies))


@dataclass(frozen=True, kw_only=True)
class NamedRows:
    """Reads rows by name, fifty names a call of Airtable."""

    airtable: Airtable
    records: Records

    def read(
        self, table: str, names: Iterable[str], *, fields: Sequence[str] | None = None
    ) -> dict[str, Named]:
        """What Airtable holds under each of these names now: with these fields, or all."""
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return {}
        known = self.records.known(table, wanted)
        read = self.airtable.rows_named(table, NAMED_BY[table], wanted, fields=fields)
        return {name: _sorted_out(rows, known.get(name)) for name, rows in read.items()}

    def doubtful(self, table: str, rows: Mapping[str, str]) -> set[str]:
        """Of these rows (names by record id), the names of which we know another row, or none."""
        known = self.records.known(table, rows.values())
        return {name for record_id, name in rows.items() if known.get(name) != record_id}


def is_named(table: str, name: str) -> bool:
    """Whether a row is called as we call the rows of this table."""
    return NAMES[table].fullmatch(name) is not None


def duplicate(name: str, named: Named) -> Difference | None:
    """The difference that a name with more rows than one is."""
    if named.kept is None or not named.copies:
        return None
    rows = named.ids()
    return Difference(
        drift=Drift.DUPLICATE_ROWS,
        subject=name,
        card_id=None,
        expected=None,
        found=None,
        details=f"Airtable shows it in {len(rows)} rows: {', '.join(rows)}.",
    )


def _sorted_out(rows: list[BaseRow], known: str | None) -> Named:
    if not rows:
        return Named(None, ())
    kept = next((row for row in rows if row.id == known), rows[0])
    return Named(kept, tuple(row for row in rows if row.id != kept.id))
