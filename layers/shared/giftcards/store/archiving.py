"""How far archiving has got: what is on its way, what a run has moved, and how full the base is.

Before rows are written to the bucket, it is noted into which object. So a worker that dies leaves
either nothing, or an object that whoever comes next finds named here and finishes with: no row is
deleted before it stands in the bucket, and none stands there twice as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from giftcards.store.table import Item, Table

KEY = "archive"


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one table that are on their way into the object `where` of the bucket."""

    table: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Archiving:
    """What the item says. `run` is the comparison of the books that it belongs to.

    `over` are the tables that this run has been through, `rows` how many rows each was found to
    hold, those moved left out. `moved` is how many were moved since it was last told of in a
    receipt; `batch` is what is on its way. `counted` is where the page began that was counted last:
    a worker that died of what came next reads it again. `lost_at` is how many were moved of a table
    when Airtable last lost its place there.
    """

    run: str
    over: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)
    moved: Mapping[str, int] = field(default_factory=dict)
    batch: Batch | None = None
    counted: str | None = None
    lost_at: Mapping[str, int] = field(default_factory=dict)


class ArchivingStates:
    """Keeps the item. Only the holder of the comparison's lease writes here."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def load(self) -> Archiving | None:
        """What the item says now; `None` where nothing was ever archived."""
        item = self._table.get(KEY)
        if item is None:
            return None
        batch = item.get("batch")
        return Archiving(
            run=item["run"],
            over=tuple(item["over"]),
            rows=_counts(item["rows"]),
            moved=_counts(item["moved"]),
            batch=None if batch is None else Batch(batch["table"], batch["where"]),
            counted=item.get("counted"),
            lost_at=_counts(item["lost_at"]),
        )

    def keep(self, state: Archiving) -> None:
        """Keep how far it has got."""
        batch = state.batch
        item: Item = {
            "key": KEY,
            "run": state.run,
            "over": list(state.over),
            "rows": dict(state.rows),
            "moved": dict(state.moved),
            "lost_at": dict(state.lost_at),
        }
        if state.counted is not None:
            item["counted"] = state.counted
        if batch is not None:
            item["batch"] = {"table": batch.table, "where": batch.where}
        self._table.put(item)


def _counts(item: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(count) for name, count in item.items()}
