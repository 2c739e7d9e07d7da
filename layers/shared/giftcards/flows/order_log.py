"""What the journal knows of an order that sells cards: what we did with it, and what it waited for.

    order#<order>, order#<order>#2, …              our changes, each recorded once and for ever
    held-order#<order>, held-order#<order>#2, …    why it waited for the office

Nothing sums them up anywhere: what an order's lines have come to is reckoned from them.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from giftcards.domain.money import Money
from giftcards.domain.purchases import Batch, Change, Event, Past, Reason, Unit
from giftcards.errors import NeedsAPerson
from giftcards.flows.kinds import held_order_key, order_key
from giftcards.store.journal import Journal, Operation
from giftcards.store.table import pack_money

# How many are asked for at once; hardly an order has more.
ENTRIES_A_READ = 10

# Far more than edits and refunds make of an order; beyond it somebody should look.
MOST_ENTRIES = 1_000

# How an entry ends.
TAKEN = "TAKEN"
NO_CARD = "NO_CARD"
UNITS_RETURNED = "UNITS_RETURNED"
NO_LONGER_HELD = "NO_LONGER_HELD"


@dataclass(frozen=True, slots=True)
class History:
    """An order's entries and notices, the oldest first."""

    entries: Sequence[Operation]
    notices: Sequence[Operation]

    @property
    def past(self) -> Past:
        """What was done with its units."""
        return Past(unpack_change(entry.snapshot) for entry in self.entries)

    def next_key(self, number: str) -> str:
        """The key of the next entry of the order of that number."""
        return order_key(number, len(self.entries) + 1)

    def was_entered_since(self, moment: datetime, *, but_for: Collection[str]) -> bool:
        """Whether anything was entered since then, these entries apart."""
        return any(
            one.result is not None and one.result.decided_at > moment and one.key not in but_for
            for one in self.entries
        )

    @property
    def told(self) -> frozenset[Reason]:
        """The reasons to hold it that the office was told of."""
        return frozenset(
            Reason(reason) for notice in self.notices for reason in notice.snapshot["reasons"]
        )

    @property
    def open_notice(self) -> Operation | None:
        """The notice for whose sake it waits; None where it went on, or never waited."""
        if not self.notices:
            return None
        newest = self.notices[-1]
        since = self.entries[int(newest.snapshot["after"]) :]
        return None if any(map(_goes_on, since)) else newest


class OrderLog:
    """Reads what the journal knows of orders."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def read(self, number: str) -> History:
        """All entries and notices of an order."""
        return History(
            entries=list(self._all(partial(order_key, number))),
            notices=list(self._all(partial(held_order_key, number))),
        )

    def _all(self, key_of: Callable[[int], str]) -> Iterator[Operation]:
        """The operations 1, 2 and so on, up to the first that is not there."""
        for first in range(1, MOST_ENTRIES, ENTRIES_A_READ):
            keys = [key_of(number) for number in range(first, first + ENTRIES_A_READ)]
            known = self._journal.load_many(keys)
            for key in keys:
                if key not in known:
                    return
                yield known[key]
        raise NeedsAPerson(f"{key_of(1)} has more than {MOST_ENTRIES} entries: look at the order")


def pack_change(change: Change) -> dict[str, Any]:
    """A change as it stands in an entry's snapshot."""
    return {
        "units": [
            {
                "line": batch.line,
                "first": batch.first,
                "quantity": batch.quantity,
                "price": pack_money(batch.price),
            }
            for batch in change.added
        ],
        "returned": [{"line": unit.line, "unit": unit.number} for unit in change.returned],
        "events": [str(event) for event in change.events],
        "let_through": [str(reason) for reason in change.let_through],
    }


def unpack_change(snapshot: Mapping[str, Any]) -> Change:
    """The change that `pack_change` packed."""
    return Change(
        added=tuple(
            Batch(
                line=one["line"],
                first=int(one["first"]),
                quantity=int(one["quantity"]),
                price=Money(int(one["price"]["minor"]), one["price"]["currency"]),
            )
            for one in snapshot["units"]
        ),
        returned=tuple(Unit(one["line"], int(one["unit"])) for one in snapshot["returned"]),
        events=tuple(Event(event) for event in snapshot["events"]),
        let_through=tuple(Reason(reason) for reason in snapshot["let_through"]),
    )


def _goes_on(entry: Operation) -> bool:
    """Whether an entry says that an order waits no longer."""
    return entry.result is not None and entry.result.outcome in {TAKEN, NO_CARD, NO_LONGER_HELD}
