"""How often a store's codes were not found lately: staff mistype, thieves guess."""

from datetime import datetime, timedelta

from giftcards.store.table import Table, epoch_milliseconds

MISSES_PREFIX = "misses#"

# Beyond this many the answer is clear, and the item stays small.
MOST_REMEMBERED = 200


class Misses:
    """Counts the misses of each store within `window`."""

    def __init__(self, table: Table, *, window: timedelta) -> None:
        self._table = table
        self._window = window

    def note(self, store_id: str, *, count: int, now: datetime) -> int:
        """Note `count` more codes that nobody has; return how many there were within the window.

        Two workers that note at once may forget one of them: the count is a brake, not an account.
        """
        key = MISSES_PREFIX + store_id
        item = self._table.get(key) or {}
        earliest = epoch_milliseconds(now - self._window)
        times = [int(time) for time in item.get("times", []) if int(time) > earliest]
        times = (times + [epoch_milliseconds(now)] * count)[-MOST_REMEMBERED:]
        self._table.put({"key": key, "times": times})
        return len(times)
