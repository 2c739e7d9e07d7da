"""How often work on a row was begun and never ended: a row that kills its worker is set aside."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from giftcards.errors import GiftCardError
from giftcards.store.table import PARKED_QUEUE, Table, is_away

ROW_PREFIX = "row#"


@dataclass(frozen=True, slots=True)
class RowAttempts:
    """How many attempts at a row were begun and not ended, and whether it waits for a person."""

    unended: int
    is_parked: bool


NEVER_BEGUN = RowAttempts(unended=0, is_parked=False)


class Attempts:
    """Counts beginnings, and forgets those that came to an end; parks a row that never does."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def of(self, row_ids: Iterable[str]) -> dict[str, RowAttempts]:
        """What is known of these rows' attempts; a row that was never begun is left out."""
        items = self._table.get_many(ROW_PREFIX + row_id for row_id in row_ids)
        return {
            key.removeprefix(ROW_PREFIX): RowAttempts(
                unended=int(item.get("begun", 0)), is_parked="queue" in item
            )
            for key, item in items.items()
        }

    @contextmanager
    def counted(self, row_id: str) -> Iterator[None]:
        """Work on the row: begun, and ended unless its worker dies or fails as it never should.

        An error we know, or AWS being away, kills nobody; any other one counts as a death.
        """
        self.begin(row_id)
        try:
            yield
        except Exception as error:
            if isinstance(error, GiftCardError) or is_away(error):
                self.end(row_id)
            raise
        self.end(row_id)

    def begin(self, row_id: str) -> None:
        """Note that work on the row begins."""
        self._table.update(ROW_PREFIX + row_id, "ADD #begun :one", values={"one": 1})

    def end(self, row_id: str) -> None:
        """The worker survived: all beginnings are forgotten."""
        self._table.update(ROW_PREFIX + row_id, "SET #begun = :none", values={"none": 0})

    def park(self, row_id: str, *, now: datetime) -> None:
        """Leave the row to a person."""
        self._table.update(
            ROW_PREFIX + row_id,
            "SET #queue = :queue, #due_at = :now",
            values={"queue": PARKED_QUEUE, "now": int(now.timestamp())},
        )

    def parked(self, *, now: datetime, limit: int) -> list[str]:
        """Ids of the rows that wait for a person."""
        keys = self._table.queued(PARKED_QUEUE, until=now, limit=limit)
        return [key.removeprefix(ROW_PREFIX) for key in keys if key.startswith(ROW_PREFIX)]

    def unpark(self, row_id: str) -> bool:
        """It waits for a person no longer, and its beginnings are counted anew.

        Condition: it is parked; False where it is not, or where nobody ever began it.
        """
        item = self._table.update(
            ROW_PREFIX + row_id,
            "SET #begun = :none REMOVE #queue, #due_at",
            condition="#queue = :parked",
            values={"none": 0, "parked": PARKED_QUEUE},
        )
        return item is not None
