"""What we have seen of the web shop's orders, so that a search costs us nothing twice.

An order's item holds the `updatedAt` up to which it was judged. A search that returns the order
with the same one, because its index or its tags lag, has nothing new to say. What may change
without touching `updatedAt` (an assessment, the office's word) stands in a line of its own, by the
time at which it has to be looked at again.

How far a pass through the changed orders got is kept by Shopify's times: where a clock of ours is
kept, it can only have more read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from giftcards.store.table import ORDERS_QUEUE, Item, Table, pack_moment, unpack_moment

SEEN_PREFIX = "seen#"
WATERMARK_PREFIX = "watermark#"

# Later than anything is due.
END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How an order looked when it was judged.

    `number` is Shopify's number of it, `order_id` its global id. `look_at` is when to look at it
    again although nothing seems to have changed. `unticked` is the number of the last notice to the
    office behind which its `Release` was seen without a tick, `failures` how often in a row it
    could not be looked at for a reason of its own.
    """

    number: str
    order_id: str
    updated_at: datetime
    look_at: datetime | None = None
    is_held: bool = False
    unticked: int = 0
    failures: int = 0

    def covers(self, updated_at: datetime) -> bool:
        """Whether a sight of the order with this `updatedAt` has nothing new to say."""
        return updated_at <= self.updated_at


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far the orders that a search finds were read.

    `newest` is the change up to which finished passes have read all. Of the pass under way, `since`
    is the change from which it reads, `began_at` when it began, `cursor` how far it got, and `seen`
    the newest change it has seen.
    """

    newest: datetime | None = None
    since: datetime | None = None
    began_at: datetime | None = None
    cursor: str | None = None
    seen: datetime | None = None


class Orders:
    """Remembers sights of orders. Only the holder of the prong's lease writes here."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def seen(self, numbers: Iterable[str]) -> dict[str, Seen]:
        """What is known of those of these orders that were judged before, by number."""
        items = self._table.get_many(SEEN_PREFIX + number for number in numbers)
        return {seen.number: seen for seen in map(_unpack, items.values())}

    def waiting(self, *, until: datetime = END_OF_TIME, limit: int) -> list[Seen]:
        """Orders to be looked at again until then, whatever a search says; the longest due first.

        The index lags a little: one that was looked at just now may still be among them.
        """
        keys = self._table.queued(ORDERS_QUEUE, until=until, limit=limit)
        items = self._table.get_many(keys)
        return [_unpack(items[key]) for key in keys if key in items]

    def note(self, seen: Seen) -> None:
        """Remember how an order looked."""
        item: Item = {
            "key": SEEN_PREFIX + seen.number,
            "order_id": seen.order_id,
            "updated_at": pack_moment(seen.updated_at),
            "held": seen.is_held,
            "unticked": seen.unticked,
            "failures": seen.failures,
        }
        if seen.look_at is not None:
            item |= {"queue": ORDERS_QUEUE, "due_at": int(seen.look_at.timestamp())}
        self._table.put(item)

    def watermark(self, search: str) -> Watermark:
        """How far the orders that a search finds were read."""
        item = self._table.get(WATERMARK_PREFIX + search)
        if item is None:
            return Watermark()
        return Watermark(
            newest=_moment(item, "newest"),
            since=_moment(item, "since"),
            # Earlier versions kept none. A pass did begin after the change from which it reads.
            began_at=_moment(item, "began_at") or _moment(item, "since"),
            cursor=item.get("cursor"),
            seen=_moment(item, "seen"),
        )

    def keep_watermark(self, search: str, watermark: Watermark) -> None:
        """Keep how far they were read by now."""
        item: Item = {"key": WATERMARK_PREFIX + search}
        for name, moment in (
            ("newest", watermark.newest),
            ("since", watermark.since),
            ("began_at", watermark.began_at),
            ("seen", watermark.seen),
        ):
            if moment is not None:
                item[name] = pack_moment(moment)
        if watermark.cursor is not None:
            item["cursor"] = watermark.cursor
        self._table.put(item)


def _moment(item: Item, name: str) -> datetime | None:
    return unpack_moment(item[name]) if name in item else None


def _unpack(item: Item) -> Seen:
    look_at = item.get("due_at")
    return Seen(
        number=str(item["key"]).removeprefix(SEEN_PREFIX),
        order_id=item["order_id"],
        updated_at=unpack_moment(item["updated_at"]),
        look_at=None if look_at is None else datetime.fromtimestamp(int(look_at), UTC),
        is_held=item["held"],
        unticked=int(item["unticked"]),
        failures=int(item.get("failures", 0)),
    )
