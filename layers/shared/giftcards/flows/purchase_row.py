"""How the row of an order that sold cards reads in Airtable, told from the journal as it is now.

Nobody keeps a row's text: whatever changes about an order, its row is told anew at the moment of
writing, so that a message that comes late cannot bring back what was true before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from giftcards.clients.airtable import ORDER_IS_DONE, ORDER_IS_HELD, ORDER_MAKES_NO_CARD
from giftcards.domain.money import Money
from giftcards.domain.purchases import Batch, Event, Past, Unit
from giftcards.flows.order_log import NO_CARD, History, OrderLog
from giftcards.flows.sale import (
    DELIVERED,
    DELIVERED_IN_PART,
    Sale,
    delivery_key,
    issue_key,
    sale_key,
    units_name,
)
from giftcards.store.journal import Journal, Operation, OrderRow, State
from giftcards.store.table import pack_moment

# What `Kind` reads on the rows of orders that sold cards.
PURCHASE = "Purchase"


@dataclass(frozen=True, kw_only=True)
class PurchaseRow:
    """Tells the rows of orders; only reads."""

    journal: Journal
    log: OrderLog

    def of(self, number: str) -> OrderRow | None:
        """The row of the order of that number; `None` where nothing was done about it yet."""
        history = self.log.read(number)
        newest = [*history.notices[-1:], *history.entries[:1]]
        if not newest:
            return None
        past = history.past
        known = self._known(past)
        cells: dict[str, Any] = {
            "Order": newest[0].snapshot["name"],
            "Kind": PURCHASE,
            "Status": _status(history),
            "Message": _message(history, known),
            "Processed At": pack_moment(newest[0].claimed_at),
        }
        if (amount := _worth(past)) is not None:
            cells["Amount"] = amount.decimal()
        return OrderRow(name=number, cells=cells, cards=tuple(_cards(past, known)))

    def _known(self, past: Past) -> Mapping[str, Operation]:
        """The operations behind an order's units: their sales, cards and deliveries."""
        keys: list[str] = []
        for batch in past.batches:
            name = units_name(batch.line, batch.first)
            keys += [sale_key(name), delivery_key(name)]
            keys += [issue_key(batch.line, unit) for unit in batch.units]
        return self.journal.load_many(keys)


def _status(history: History) -> str:
    if history.open_notice is not None:
        return ORDER_IS_HELD
    return ORDER_IS_DONE if history.past.batches else ORDER_MAKES_NO_CARD


def _worth(past: Past) -> Money | None:
    """What the units that were not given back are worth."""
    worth = None
    for batch in past.batches:
        live = sum(Unit(batch.line, unit) not in past.returned for unit in batch.units)
        part = Money(batch.price.minor * live, batch.price.currency)
        worth = part if worth is None else worth + part
    return worth


def _cards(past: Past, known: Mapping[str, Operation]) -> Sequence[str]:
    """The cards that exist, those of units that were given back as well."""
    keys = [issue_key(batch.line, unit) for batch in past.batches for unit in batch.units]
    results = [known[key].result for key in keys if key in known]
    return [result.moved_card for result in results if result and result.moved_card]


def _message(history: History, known: Mapping[str, Operation]) -> str:
    """What became of the order, in sentences."""
    said: list[str] = []
    past = history.past
    notice = history.open_notice
    if notice is not None and notice.result is not None and notice.result.reason:
        said.append(notice.result.reason)
    first = history.entries[0].result if history.entries else None
    if first is not None and first.outcome == NO_CARD and not past.batches:
        said.append(f"No card is made: {first.reason}.")
    live = [
        (batch, unit)
        for batch in past.batches
        for unit in batch.units
        if Unit(batch.line, unit) not in past.returned
    ]
    if live:
        said += _progress(live, known)
    if past.returned:
        said.append(f"Given back: {_counted(len(past.returned))}.")
    if Event.CHARGEBACK in past.events:
        said.append("There was a chargeback: the cards were frozen.")
    if Event.CANCELLED in past.events:
        said.append("It was cancelled without giving back its gift cards: they stay good.")
    remarks = [remark for entry in history.entries for remark in entry.snapshot["remarks"]]
    said += [f"{remark}." for remark in dict.fromkeys(remarks)]
    return " ".join(said)


def _progress(live: Sequence[tuple[Batch, int]], known: Mapping[str, Operation]) -> list[str]:
    """How far the cards got that were not given back."""
    made = [
        (batch, unit)
        for batch, unit in live
        if (issue := known.get(issue_key(batch.line, unit))) and issue.result is not None
    ]
    if len(made) < len(live):
        return [f"{len(made)} of {_counted(len(live))} made."]
    sent, later, stuck = 0, dict[str, int](), 0
    for batch, _ in made:
        name = units_name(batch.line, batch.first)
        delivery = known.get(delivery_key(name))
        if delivery is not None and delivery.result is not None:
            sent += delivery.result.outcome in {DELIVERED, DELIVERED_IN_PART}
        elif delivery is not None and delivery.state is State.PARKED:
            stuck += 1
        elif (sale := known.get(sale_key(name))) and (day := Sale.of(sale).send_on):
            later[day.isoformat()] = later.get(day.isoformat(), 0) + 1
    told = [f"{_counted(len(live))} made."]
    if sent:
        told.append(f"Sent: {_counted(sent)}.")
    told += [f"To be sent on {day}: {_counted(later[day])}." for day in sorted(later)]
    if stuck:
        told.append(f"Could not be sent: {_counted(stuck)}; the receipts say why.")
    return told


def _counted(count: int) -> str:
    return "1 card" if count == 1 else f"{count} cards"
