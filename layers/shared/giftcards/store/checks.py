"""How often balances are asked for, and how often in vain: by address and day, by all in an hour.

A worker that dies may count a row twice: the counts are a brake, not an account.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from giftcards.store.table import Table

PREFIX = "checks#"

# DynamoDB may delete a count once its day is surely over.
KEPT_FOR = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted so far: the address's checks and misses today, all misses of the hour."""

    checks: int
    misses: int
    misses_of_all: int


class CheckCounts:
    """Counts balance checks and misses. Days and hours are UTC's: a limit needs no time zone."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def so_far(self, who: str, *, now: datetime) -> Counted:
        """What was counted of `who` (an address's fingerprint) today, and of all in this hour."""
        mine_key, all_key = _day_key(who, now), _hour_key(now)
        items = self._table.get_many((mine_key, all_key))
        mine, of_all = items.get(mine_key, {}), items.get(all_key, {})
        return Counted(
            checks=int(mine.get("checks", 0)),
            misses=int(mine.get("misses", 0)),
            misses_of_all=int(of_all.get("misses", 0)),
        )

    def note_check(self, who: str, *, now: datetime) -> None:
        """Count a check that is being answered, or refused."""
        self._add(_day_key(who, now), "checks", 1, now)

    def note_misses(self, who: str, *, count: int, now: datetime) -> None:
        """Count codes that `who` had looked for in vain."""
        for key in (_day_key(who, now), _hour_key(now)):
            self._add(key, "misses", count, now)

    def _add(self, key: str, name: str, count: int, now: datetime) -> None:
        self._table.update(
            key,
            f"SET #forget_at = :forget_at ADD #{name} :count",
            values={"forget_at": int((now + KEPT_FOR).timestamp()), "count": count},
        )


def _day_key(who: str, now: datetime) -> str:
    return f"{PREFIX}{now.astimezone(UTC):%Y-%m-%d}#{who}"


def _hour_key(now: datetime) -> str:
    return f"{PREFIX}{now.astimezone(UTC):%Y-%m-%dT%H}#all"
