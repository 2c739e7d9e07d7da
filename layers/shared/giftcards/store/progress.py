"""How far what the web shop did was read: its orders, and the list of its cards.

Both are read by when they were last changed at Shopify, and by Shopify's times: where a clock of
ours is kept, it can only have more read. Losing these items means reading more, never doing twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from giftcards.domain.orders import number_of
from giftcards.store.table import Item, Table, pack_moment, unpack_moment

PAYMENTS_KEY = "payments"
ORDERS_PLACE_KEY = "payments-place"
LOOKS_KEY = "looks"
ORDER_PREFIX = "paid#"

# An order's item spares reading it again as long as it is in the window that each look reads anew,
# which is hours; what is forgotten then is read once more.
REMEMBERED = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """Up to which change an order's payments were noted, and when it was read for that.

    Shopify's times are whole seconds, so an order may change again within the second of its last
    change. `is_sure`: it was read once more after that second.
    """

    updated_at: datetime
    read_at: datetime
    is_sure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersPlace:
    """Where a pass through the orders stands that no run has finished yet.

    It reads what changed since `since`, and goes on behind `cursor`. `seen` is the newest change it
    came to. What an order that was hidden from it changed before `began_at` is not seen by it.
    """

    since: datetime
    began_at: datetime
    cursor: str | None = None
    seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardsPlace:
    """Where the reading of changed cards stands.

    All cards that changed before `seen` were looked at. Where one look could not read back to
    there, the next goes on behind `cursor`, and once it arrives, `goal` has been seen.
    """

    seen: datetime | None = None
    cursor: str | None = None
    goal: datetime | None = None


class Progress:
    """Keeps how far was read."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def payments_until(self) -> datetime | None:
        """The newest change up to which all orders were read, `None` before the first pass."""
        item = self._table.get(PAYMENTS_KEY)
        return None if item is None else unpack_moment(item["until"])

    def note_payments_until(self, until: datetime) -> None:
        """All orders that changed up to then were read. Condition: it grows."""
        self._table.update(
            PAYMENTS_KEY,
            "SET #until = :until",
            condition="attribute_not_exists(#until) OR #until < :until",
            values={"until": pack_moment(until)},
        )

    def orders_place(self) -> OrdersPlace | None:
        """Where the pass through the orders stands; `None` where the last one is finished."""
        item = self._table.get(ORDERS_PLACE_KEY)
        if item is None or item["cursor"] is None:
            return None
        return OrdersPlace(
            since=unpack_moment(item["since"]),
            began_at=unpack_moment(item["began_at"]),
            cursor=item["cursor"],
            seen=unpack_moment(item["seen"]),
        )

    def note_orders_place(self, place: OrdersPlace | None) -> None:
        """Keep where the pass stands. Only the prong's one run does this."""
        item: Item = {"key": ORDERS_PLACE_KEY, "cursor": None}
        if place is not None and place.cursor is not None and place.seen is not None:
            item |= {
                "since": pack_moment(place.since),
                "began_at": pack_moment(place.began_at),
                "cursor": place.cursor,
                "seen": pack_moment(place.seen),
            }
        self._table.put(item)

    def read_orders(self, order_ids: Iterable[str]) -> Mapping[str, ReadOrder]:
        """What was read of these orders, by their global ids."""
        ids = {_order_key(order_id): order_id for order_id in order_ids}
        return {
            ids[key]: ReadOrder(
                updated_at=unpack_moment(item["updated_at"]),
                read_at=unpack_moment(item["read_at"]),
                is_sure=item["sure"],
            )
            for key, item in self._table.get_many(ids).items()
        }

    def note_read_order(self, order_id: str, read: ReadOrder) -> None:
        """An order's payments were noted. Condition: nobody noted a later change."""
        self._table.update(
            _order_key(order_id),
            "SET #updated_at = :updated_at, #read_at = :read_at, #sure = :sure,"
            " #forget_at = :forget_at",
            condition="attribute_not_exists(#updated_at) OR #updated_at <= :updated_at",
            values={
                "updated_at": pack_moment(read.updated_at),
                "read_at": pack_moment(read.read_at),
                "sure": read.is_sure,
                "forget_at": int((read.read_at + REMEMBERED).timestamp()),
            },
        )

    def cards_place(self) -> CardsPlace:
        """Where the reading of changed cards stands."""
        item = self._table.get(LOOKS_KEY) or {}
        seen, goal = (
            None if item.get(name) is None else unpack_moment(item[name])
            for name in ("seen", "goal")
        )
        return CardsPlace(seen=seen, cursor=item.get("cursor"), goal=goal)

    def note_cards_place(self, place: CardsPlace) -> None:
        """Keep where the reading of changed cards stands. Only the prong's one run does this."""
        seen, goal = (
            None if moment is None else pack_moment(moment) for moment in (place.seen, place.goal)
        )
        self._table.put({"key": LOOKS_KEY, "seen": seen, "cursor": place.cursor, "goal": goal})


def _order_key(order_id: str) -> str:
    return ORDER_PREFIX + number_of(order_id)
