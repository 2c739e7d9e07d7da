"""Tell which rows of Airtable nobody needs any more: all that follows from them is over, for long.

    Redemptions         answered and mailed; nothing held, owed or being given back
    Creation Requests   refused, or every card made and delivered
    Balance Checks      answered
    Processed Orders    the row we write to; nothing waits, every card is made, sent or taken back
    Receipts            the row we write to, reading as the journal has it

What was never ours (a row from before the go-live, say) stays: only its owner knows what it is for.
So does a row whose code is not masked, and one whose `Reverse Amount` is not what was given back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from giftcards.clients.airtable import ORDER_IS_HELD, ROW_IS_DONE, BaseRow
from giftcards.clients.airtable.client import (
    BALANCE_CHECKS,
    CREATION_REQUESTS,
    PROCESSED_ORDERS,
    REDEMPTIONS,
)
from giftcards.domain.codes import is_masked
from giftcards.domain.money import Money, MoneyError
from giftcards.domain.purchases import Past
from giftcards.flows.check_balance import check_key
from giftcards.flows.kinds import owed_key, repay_key, return_key, spend_key
from giftcards.flows.order_log import OrderLog
from giftcards.flows.receipt_row import differing_fields, find_receipt, operation_of, receipt_cells
from giftcards.flows.receipt_row import waited as answered_after
from giftcards.flows.redeem import Asked, held_key, operation_key
from giftcards.flows.sale import (
    ISSUED,
    confirmation_key,
    delivery_key,
    held_sale_key,
    issue_key,
    sale_key,
    units_name,
)
from giftcards.flows.serve_stores import interim_key
from giftcards.flows.write_airtable import RECEIPTS
from giftcards.store.attempts import NEVER_BEGUN, Attempts
from giftcards.store.journal import Journal, Operation, State
from giftcards.store.orders import Orders
from giftcards.store.records import Records

# In these tables a row goes by Airtable's id; in the others by the name that we gave it.
FILED_BY_PEOPLE = (REDEMPTIONS, CREATION_REQUESTS, BALANCE_CHECKS)
ARCHIVED_TABLES = (*FILED_BY_PEOPLE, PROCESSED_ORDERS, RECEIPTS)

type Known = Mapping[str, Operation]


@dataclass(frozen=True, kw_only=True)
class Finished:
    """Judges rows; only reads."""

    journal: Journal
    log: OrderLog
    orders: Orders
    attempts: Attempts
    records: Records

    def of(self, table: str, rows: Sequence[BaseRow], *, before: datetime) -> dict[str, BaseRow]:
        """Those of these rows that were over `before` then, by the names we know them by."""
        old = [row for row in rows if row.created_at < before]
        if not old:
            return {}
        match table:
            case "Redemptions":
                return self._redemptions(old, before)
            case "Creation Requests":
                return self._creations(old, before)
            case "Balance Checks":
                return self._checks(old, before)
            case "Processed Orders":
                return self._orders(old, before)
            case "Receipts":
                return self._receipts(old, before)
            case _:
                raise AssertionError(f"{table} is not archived")

    def _filed(self, rows: Iterable[BaseRow]) -> list[BaseRow]:
        """Of rows that people filed, those that read as done, hold no code, and are not parked."""
        done = [
            row
            for row in rows
            if row.text("Status") == ROW_IS_DONE and is_masked(row.text("Gift Card Code"))
        ]
        attempts = self.attempts.of(row.id for row in done)
        return [row for row in done if not attempts.get(row.id, NEVER_BEGUN).is_parked]

    def _redemptions(self, rows: Sequence[BaseRow], before: datetime) -> dict[str, BaseRow]:
        rows = self._filed(rows)
        known = self.journal.load_many(
            key
            for row in rows
            for key in (operation_key(row.id), held_key(row.id), interim_key(row.id))
        )
        moved = [
            key
            for row in rows
            if (redemption := known.get(operation_key(row.id))) is not None
            for key in (redemption.key, redemption.reversal)
            if key is not None
        ]
        known |= self.journal.load_many(
            key for one in moved for key in (one, owed_key(one), repay_key(one))
        )
        return {row.id: row for row in rows if _redemption_is_over(row, known, before)}

    def _creations(self, rows: Sequence[BaseRow], before: datetime) -> dict[str, BaseRow]:
        rows = self._filed(rows)
        keys_of = {
            row.id: (
                sale_key(row.id),
                delivery_key(row.id),
                confirmation_key(row.id),
                held_sale_key(row.id),
            )
            for row in rows
        }
        known = self.journal.load_many(key for keys in keys_of.values() for key in keys)
        return {
            row.id: row
            for row in rows
            if _sale_is_over(row.id, known, before) and _all_over(keys_of[row.id], known, before)
        }

    def _checks(self, rows: Sequence[BaseRow], before: datetime) -> dict[str, BaseRow]:
        rows = self._filed(rows)
        known = self.journal.load_many(check_key(row.id) for row in rows)
        return {row.id: row for row in rows if _is_over(known.get(check_key(row.id)), before)}

    def _orders(self, rows: Sequence[BaseRow], before: datetime) -> dict[str, BaseRow]:
        named = self._ours(PROCESSED_ORDERS, "Order ID", rows)
        waiting = self.orders.seen(name for name in named if "/" not in name)
        attempts = self.attempts.of(f"order-{name}" for name in named)
        over = {}
        for name, row in named.items():
            order, _, payment = name.partition("/")
            seen = waiting.get(order)
            is_waiting = seen is not None and (seen.is_held or seen.look_at is not None)
            is_parked = attempts.get(f"order-{name}", NEVER_BEGUN).is_parked
            if is_waiting or is_parked or row.text("Status") == ORDER_IS_HELD:
                continue
            if (
                self._payment_is_over(payment, before)
                if payment
                else self._order_is_over(order, before)
            ):
                over[name] = row
        return over

    def _payment_is_over(self, payment: str, before: datetime) -> bool:
        keys = [spend_key(payment, gives_back=back) for back in (False, True)]
        known = self.journal.load_many([*keys, *map(owed_key, keys)])
        present = [key for key in keys if key in known]
        return bool(present) and _all_over(known, known, before)

    def _order_is_over(self, order: str, before: datetime) -> bool:
        """Whether nothing that an order has sold is under way."""
        history = self.log.read(order)
        entries = [*history.entries, *history.notices]
        if not entries or history.open_notice is not None:
            return False
        if not all(_is_over(entry, before) for entry in entries):
            return False
        sales = [units_name(batch.line, batch.first) for batch in history.past.batches]
        keys = [*(key for name in sales for key in _sale_keys(name)), *_unit_keys(history.past)]
        known = self.journal.load_many(keys)
        return all(_sale_is_over(name, known, before) for name in sales) and _all_over(
            keys, known, before
        )

    def _receipts(self, rows: Sequence[BaseRow], before: datetime) -> dict[str, BaseRow]:
        named = self._ours(RECEIPTS, "Receipt", rows)
        known = self.journal.load_many(map(operation_of, named))
        return {
            name: row
            for name, row in named.items()
            if _receipt_is_over(name, row, known.get(operation_of(name)), before)
        }

    def _ours(self, table: str, field: str, rows: Iterable[BaseRow]) -> dict[str, BaseRow]:
        """The rows that we write to, by name; a copy of one is none."""
        named = [(row.text(field), row) for row in rows if row.text(field)]
        known = self.records.known(table, (name for name, _ in named))
        return {name: row for name, row in named if known.get(name) == row.id}


def _is_over(operation: Operation | None, before: datetime) -> bool:
    """Whether an operation has ended, and all that follows from it was handed over, for long."""
    if operation is None or operation.result is None or operation.settled_at is None:
        return False
    if operation.result.mail_to is not None and operation.answered_at is None:
        return False  # its mail is among the dead letters
    moments = [operation.settled_at, operation.answered_at]
    is_old = all(one < before for one in moments if one is not None)
    return operation.state is State.SETTLED and is_old


def _all_over(keys: Iterable[str], known: Known, before: datetime) -> bool:
    """Whether those of these operations that exist are over."""
    return all(_is_over(known[key], before) for key in keys if key in known)


def _redemption_is_over(row: BaseRow, known: Known, before: datetime) -> bool:
    redemption = known.get(operation_key(row.id))
    if redemption is None or redemption.answered_at is None or not _is_over(redemption, before):
        return False
    moved = [redemption.key] + ([redemption.reversal] if redemption.reversal is not None else [])
    keys = [held_key(row.id), interim_key(row.id), *moved, *map(owed_key, moved)]
    return _all_over([*keys, *map(repay_key, moved)], known, before) and _is_reversed(
        row, redemption
    )


def _is_reversed(row: BaseRow, redemption: Operation) -> bool:
    """Whether the office has all given back that it wants; an empty cell wants nothing."""
    wanted = row.text("Reverse Amount").strip()
    if not wanted:
        return True
    amount = Asked.unpack(redemption.snapshot).amount
    try:
        return amount is not None and Money.parse(wanted, amount.currency) == Money(
            redemption.given_back, amount.currency
        )
    except MoneyError:
        return False


def _sale_keys(name: str) -> tuple[str, ...]:
    return sale_key(name), delivery_key(name), confirmation_key(name)


def _sale_is_over(name: str, known: Known, before: datetime) -> bool:
    """Whether a sale was refused, or its cards were brought to their recipient."""
    sale = known.get(sale_key(name))
    if sale is None or sale.result is None or not _is_over(sale, before):
        return False
    return sale.result.outcome != ISSUED or _is_over(known.get(delivery_key(name)), before)


def _unit_keys(past: Past) -> list[str]:
    """The operations of an order's units: their cards, and their returns."""
    units = [(batch.line, unit) for batch in past.batches for unit in batch.units]
    return [key(*unit) for unit in units for key in (issue_key, return_key)]


def _receipt_is_over(
    name: str, row: BaseRow, operation: Operation | None, before: datetime
) -> bool:
    receipt = find_receipt(name, operation)
    if receipt is None or operation is None or not _is_over(operation, before):
        return False
    return not list(differing_fields(receipt_cells(receipt, answered_after(operation)), row))
