"""Changes of balances that the office has not read of yet: a pointer to each one's operation.

A pointer is written before its operation is entered, so that none is forgotten; one without an
operation leads to nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from giftcards.store.table import CHANGED_QUEUE, Item, Table

UNTOLD_PREFIX = "untold#"

# DynamoDB may delete a pointer once nobody asks for it any more.
KEPT_FOR = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Pointer:
    """To an operation that was entered on this day of the shop's calendar."""

    operation: str
    day: date


class Untold:
    """Writes and reads pointers."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def note(self, pointer: Pointer, *, tell_at: datetime) -> None:
        """The office is to read of it at that time."""
        self._table.update(
            UNTOLD_PREFIX + pointer.operation,
            "SET #operation = :operation, #day = :day, #queue = :queue, #due_at = :due,"
            " #forget_at = :forget_at",
            values={
                "operation": pointer.operation,
                "day": pointer.day.isoformat(),
                "queue": CHANGED_QUEUE,
                "due": int(tell_at.timestamp()),
                "forget_at": int((tell_at + KEPT_FOR).timestamp()),
            },
        )

    def due(self, *, now: datetime, limit: int) -> list[Pointer]:
        """Those that the office is to read of by now, the earliest day first."""
        keys = self._table.queued(CHANGED_QUEUE, until=now, limit=limit)
        pointers = (
            _unpack(item) for item in self._table.get_many(keys).values() if "queue" in item
        )
        return sorted(pointers, key=lambda one: (one.day, one.operation))

    def note_told(self, operations: Iterable[str]) -> None:
        """The office is being told of these, or there is nothing to tell."""
        for operation in operations:
            self._table.update(
                UNTOLD_PREFIX + operation,
                "REMOVE #queue, #due_at",
                condition="attribute_exists(#key)",
            )


def _unpack(item: Item) -> Pointer:
    return Pointer(operation=item["operation"], day=date.fromisoformat(item["day"]))
