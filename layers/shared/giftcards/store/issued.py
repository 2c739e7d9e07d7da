"""What was sold on a day of the shop's calendar: for the caps, and for the office's digest.

A total for each store and day, a total for each recipient and day, and a line for each sale. All
change in the transaction that claims the sale, so each sale is counted once. A line stands in the
digest's queue until the office has read it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from giftcards.domain.money import Money
from giftcards.store.table import DIGEST_QUEUE, Change, Item, Table, pack_money, unpack_money

ISSUED_PREFIX = "issued#"
SOLD_PREFIX = "sold#"

# DynamoDB may delete totals and lines once nobody asks for them any more. (The sale itself, an
# operation of money, stays for ever.)
KEPT_FOR = timedelta(days=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldLine:
    """One sale as the digest tells it: who sold, how many cards, what they hold together."""

    sale: str
    day: date
    store_id: str
    store_name: str
    employee: str
    quantity: int
    total: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCaps:
    """The most that may be sold on a day, by one store and to one recipient; `None` is no cap."""

    by_store: Money | None
    to_recipient: Money | None


class Issued:
    """Counts what is sold, by day and store, and by day and recipient."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def on_day(
        self, day: date, *, store_id: str, recipient: str, currency: str
    ) -> tuple[Money, Money]:
        """What was sold on `day` so far by this store, and to this recipient (a fingerprint)."""
        keys = (_store_key(day, store_id), _recipient_key(day, recipient))
        items = self._table.get_many(keys)
        by_store, to_recipient = (
            Money(int(items.get(key, {}).get("total", 0)), currency) for key in keys
        )
        return by_store, to_recipient

    def changes(
        self, line: SoldLine, *, recipient: str, caps: DayCaps, digest_at: datetime
    ) -> list[Change]:
        """The changes that count one sale, to be made together with its claim.

        Conditions: neither total passes its cap.
        """
        forget_at = int((digest_at + KEPT_FOR).timestamp())
        return [
            _count(_store_key(line.day, line.store_id), line.total, caps.by_store, forget_at),
            _count(_recipient_key(line.day, recipient), line.total, caps.to_recipient, forget_at),
            Change(
                SOLD_PREFIX + line.sale,
                "SET #sold = :sold, #queue = :queue, #due_at = :due, #forget_at = :forget_at",
                condition=None,
                values={
                    "sold": {
                        "sale": line.sale,
                        "day": line.day.isoformat(),
                        "store_id": line.store_id,
                        "store_name": line.store_name,
                        "employee": line.employee,
                        "quantity": line.quantity,
                        "total": pack_money(line.total),
                    },
                    "queue": DIGEST_QUEUE,
                    "due": int(digest_at.timestamp()),
                    "forget_at": forget_at,
                },
            ),
        ]

    def undigested(self, *, now: datetime, limit: int) -> list[SoldLine]:
        """Sales of days that are over and that the office has not read of yet."""
        keys = self._table.queued(DIGEST_QUEUE, until=now, limit=limit)
        lines = (_unpack(item) for item in self._table.get_many(keys).values() if "queue" in item)
        return sorted(lines, key=lambda line: (line.day, line.store_name, line.sale))

    def note_digested(self, lines: Iterable[SoldLine]) -> None:
        """The office is being told of these."""
        for line in lines:
            self._table.update(
                SOLD_PREFIX + line.sale,
                "REMOVE #queue, #due_at",
                condition="attribute_exists(#key)",
            )


def _count(key: str, total: Money, most: Money | None, forget_at: int) -> Change:
    values = {"total": total.minor, "forget_at": forget_at}
    if most is None:
        condition = None
    else:
        condition = "attribute_not_exists(#total) OR #total <= :left"
        values["left"] = (most - total).minor
    return Change(
        key, "SET #forget_at = :forget_at ADD #total :total", condition=condition, values=values
    )


def _store_key(day: date, store_id: str) -> str:
    return f"{ISSUED_PREFIX}{day.isoformat()}#{store_id}"


def _recipient_key(day: date, recipient: str) -> str:
    return f"{ISSUED_PREFIX}{day.isoformat()}#to#{recipient}"


def _unpack(item: Item) -> SoldLine:
    sold = item["sold"]
    total = unpack_money(sold["total"])
    if total is None:
        raise AssertionError(f"{item['key']} has no total")
    return SoldLine(
        sale=sold["sale"],
        day=date.fromisoformat(sold["day"]),
        store_id=sold["store_id"],
        store_name=sold["store_name"],
        employee=sold["employee"],
        quantity=int(sold["quantity"]),
        total=total,
    )
