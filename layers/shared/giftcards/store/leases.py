"""Only one at a time: a lease in DynamoDB, for a prong's run and for a card.

    worker A   acquire ──────── works ──────── release
    worker B        acquire: held        acquire: fence + 1 ── works …
    worker C   (A died: its lease ends by itself, C takes over with fence + 1)

A lease ends by the clock, compared in the write's own condition: DynamoDB's time-to-live deletes
days late. The item is never deleted and its fence only grows, so a worker that lost its lease can
be told from the one that holds it, even when both believe in theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from giftcards.store.table import Table, epoch_milliseconds


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that was given: on `key`, to `owner` (one attempt, not one worker), until `until`.

    `seen` is the whole item as it stood when the lease was given; nobody else changes it meanwhile.
    """

    key: str
    owner: str
    fence: int
    until: datetime
    seen: Mapping[str, Any] = field(default_factory=dict, compare=False)


class Leases:
    """Gives and takes back leases that last `seconds`."""

    def __init__(self, table: Table, *, seconds: int) -> None:
        self._table = table
        self._seconds = seconds

    def acquire(self, key: str, *, now: datetime) -> Lease | None:
        """Take the lease on `key`, or return `None` while somebody else holds it.

        Condition: there is no lease, or it ended before `now`. The owner is new for each call, so
        where a retry inside boto3 meets our own first write, we recognise it.
        """
        owner = uuid4().hex
        until = now + timedelta(seconds=self._seconds)
        item = self._table.update(
            key,
            "SET #lease_owner = :owner, #lease_until = :until ADD #lease_fence :one",
            condition="attribute_not_exists(#lease_until) OR #lease_until < :now",
            values={
                "owner": owner,
                "until": epoch_milliseconds(until),
                "now": epoch_milliseconds(now),
                "one": 1,
            },
        )
        if item is None:
            item = self._table.get(key)
            if item is None or item.get("lease_owner") != owner:
                return None
        return Lease(key=key, owner=owner, fence=int(item["lease_fence"]), until=until, seen=item)

    def release(self, lease: Lease) -> None:
        """Give the lease back. Where it was lost meanwhile, the new holder's stays as it is."""
        self._table.update(
            lease.key,
            "SET #lease_until = :over",
            condition="#lease_owner = :owner AND #lease_fence = :fence",
            values={"over": 0, "owner": lease.owner, "fence": lease.fence},
        )
