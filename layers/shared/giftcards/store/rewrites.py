"""What is written to Airtable once more, because an earlier request may be carried out late.

A request whose reply nobody heard may be carried out after one that was sent later, and then shows
an older word, or an older balance, for good:

    the writer                            Airtable shows    the item `again#…`
    ------------------------------------  ----------------  -----------------------------------
    message 1: balance 40 ─► no reply     (nothing yet)
    message 1 comes again                                   noted, before anything is written
    message 1: balance 40 ─► done         40
    message 2: balance 30 ─► done         30
                                          40 (the first)
                                                            due: nothing that was sent before it
                                                            was noted can be under way any more
    the sweep sends for it
    message 3: balance 30 ─► done         30                forgotten

A worker that dies says nothing, so it is the message that tells: one that comes a second time may
have been written before. What it names is noted before it is written again, so whoever dies after
that leaves the note, and whoever dies before it leaves the message.

A card and an order are read anew whenever they are written. A row shows the words of operations,
and which of them is the last one the order of writing tells: so as long as a row is noted, whatever
is written to it is noted beside it, and all of it is written again in that order. One writer at a
time reads and changes these items: they belong to the groups of its queue.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from giftcards.store.table import AGAIN_QUEUE, Table

AGAIN_PREFIX = "again#"

# What is written again: the words of operations in a row, an order's row, a card's row.
ROW = "row#"
ORDER = "order#"
CARD = "card#"

# Long enough to look after an accident; nothing reads it once it was written again.
KEPT_FOR = timedelta(days=30)


class Rewrites:
    """Notes what has to be written again, and when.

    A thing is named by what it is and its id: `row#<record id>`, `order#<operation>`, whose order's
    row is meant, or `card#<Shopify's id>`.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def note(self, thing: str, *, due_at: datetime | None, operations: Sequence[str] = ()) -> None:
        """Have a thing written again at `due_at`, a row with the words of these operations.

        A later time counts, and so does a later list. Without a time, one that is noted keeps its
        own. Harmless when it happens twice.
        """
        change = "SET #operations = :operations"
        values: dict[str, object] = {"operations": list(operations)}
        if due_at is not None:
            change += ", #queue = :queue, #due_at = :due, #forget_at = :forget"
            values |= {
                "queue": AGAIN_QUEUE,
                "due": int(due_at.timestamp()),
                "forget": int((due_at + KEPT_FOR).timestamp()),
            }
        self._table.update(AGAIN_PREFIX + thing, change, values=values)

    def standing(self, things: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Those of these things that are noted, with their operations in the order of writing."""
        items = self._table.get_many(AGAIN_PREFIX + thing for thing in things)
        return {
            key.removeprefix(AGAIN_PREFIX): tuple(item["operations"])
            for key, item in items.items()
            if "queue" in item
        }

    def due(self, *, now: datetime, limit: int) -> list[str]:
        """The things whose time has come, the longest due first."""
        keys = self._table.queued(AGAIN_QUEUE, until=now, limit=limit)
        return [key.removeprefix(AGAIN_PREFIX) for key in keys]

    def forget(self, thing: str, *, now: datetime) -> None:
        """It was written again. Condition: its time has come, and was not put off since."""
        self._table.update(
            AGAIN_PREFIX + thing,
            "REMOVE #queue, #due_at, #operations",
            condition="#due_at <= :now",
            values={"now": int(now.timestamp())},
        )
