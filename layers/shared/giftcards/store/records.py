"""Which Airtable record we made for what, so that nothing is created twice.

Airtable cannot say "create unless there". So before a record is created, the intention is written
down; afterwards its id. An intention without an id means that a reply may have been lost: look for
the record in Airtable before creating it again.
"""

from collections.abc import Iterable

from giftcards.store.table import Table


class Records:
    """Record ids of rows we create, by Airtable table and our own name for the row."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def known(self, table: str, names: Iterable[str]) -> dict[str, str | None]:
        """For each name seen before: the record's id, or `None` where creating it was begun."""
        keys = {_key(table, name): name for name in names}
        return {
            keys[key]: item.get("record_id") for key, item in self._table.get_many(keys).items()
        }

    def note_intention(self, table: str, name: str) -> None:
        """Write down that the record is about to be created."""
        self._table.put_if_absent({"key": _key(table, name)})

    def begin_anew(self, table: str, name: str) -> None:
        """Write down that a record which was deleted in Airtable is about to be created again."""
        self._table.put({"key": _key(table, name)})

    def remember(self, table: str, name: str, *, record_id: str) -> None:
        """Write down the record's id."""
        self._table.put({"key": _key(table, name), "record_id": record_id})


def _key(table: str, name: str) -> str:
    return f"record#{table}#{name}"
