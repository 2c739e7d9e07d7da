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

    def begin_anew(self, table: str, name: str, *, gone: str) -> bool:
        """Write down that the record `gone`, deleted in Airtable, is about to be created again.

        Condition: it is the one that is known. False where another one is by now, or may be about
        to be: somebody else was quicker, so look for it in Airtable before creating any.
        """
        item = self._table.update(
            _key(table, name),
            "REMOVE #record_id, #archived",
            condition="#record_id = :gone",
            values={"gone": gone},
        )
        return item is not None

    def remember(self, table: str, name: str, *, record_id: str) -> None:
        """Write down the record's id."""
        self._table.put({"key": _key(table, name), "record_id": record_id})

    def note_archived(self, table: str, name: str, *, record_id: str, where: str) -> None:
        """Write down that the record stands in the archive, in the object `where` of the bucket.

        From now on nobody misses it in Airtable. Whoever makes it anew, because something happened
        to what it is about, takes the note away.
        """
        self._table.put({"key": _key(table, name), "record_id": record_id, "archived": where})

    def forget_archived(self, table: str, name: str, *, record_id: str) -> None:
        """The record stays in Airtable after all. Condition: it is the one that was noted."""
        self._table.update(
            _key(table, name),
            "REMOVE #archived",
            condition="#record_id = :record",
            values={"record": record_id},
        )

    def archived(self, table: str, names: Iterable[str]) -> dict[str, str]:
        """In which object of the bucket those that were archived stand, by name."""
        keys = {_key(table, name): name for name in names}
        return {
            keys[key]: item["archived"]
            for key, item in self._table.get_many(keys).items()
            if "archived" in item
        }


def _key(table: str, name: str) -> str:
    return f"record#{table}#{name}"
