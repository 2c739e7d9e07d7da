"""Know the stores: read from Airtable now and then, not for every customer."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from threading import Lock

from giftcards.domain.addresses import is_one_address
from giftcards.domain.outcomes import Store

# A store's new mail address may take this long to be used. Reading the stores before each row would
# cost the waiting customer 1.1 s: the prong's share of Airtable is one request a second, and a
# tenth more between two.
GOOD_FOR_SECONDS = 300

# A name that is not in the book may have been added just now; but one row with a wrong name must
# not make every tick read the stores again.
UNKNOWN_AGAIN_SECONDS = 30


class StoreBook:
    """The stores that have a mail address, by record id (a link's value) and by name (a text's)."""

    def __init__(
        self, clock: Callable[[], datetime], *, turn: AbstractContextManager[object] | None = None
    ) -> None:
        self._clock = clock
        self._stores: dict[str, Store] = {}
        self._read_at: datetime | None = None
        self._turn = Lock() if turn is None else turn

    def find(self, name: str | None, *, read: Callable[[], Sequence[Store]]) -> Store | None:
        """The store a row names, or `None`; `read` fetches the stores where the book is too old."""
        wanted = _bare(name)
        if not wanted:
            return None
        with self._turn:  # rows are served side by side; one of them reads for all
            if self._is_older_than(GOOD_FOR_SECONDS):
                self._fill(read())
            if wanted not in self._stores and self._is_older_than(UNKNOWN_AGAIN_SECONDS):
                self._fill(read())
            return self._stores.get(wanted)

    def remembered(self, name: str | None) -> Store | None:
        """The store a row names if the book knows it, without asking anybody."""
        with self._turn:
            return self._stores.get(_bare(name))

    def _is_older_than(self, seconds: float) -> bool:
        if self._read_at is None:
            return True
        return self._clock() - self._read_at > timedelta(seconds=seconds)

    def _fill(self, stores: Sequence[Store]) -> None:
        reachable = [store for store in stores if can_be_mailed(store)]
        # A name that two stores have is nobody's: the answer might go to the wrong one.
        names = Counter(_bare(store.name) for store in stores)
        self._stores = {
            _bare(store.name): store for store in reachable if names[_bare(store.name)] == 1
        }
        self._stores |= {_bare(store.id): store for store in reachable}
        self._read_at = self._clock()


def can_be_mailed(store: Store) -> bool:
    """Whether the store has one mail address: a store that cannot be answered is not served."""
    return is_one_address(store.email)


def _bare(name: str | None) -> str:
    return (name or "").strip().casefold()
