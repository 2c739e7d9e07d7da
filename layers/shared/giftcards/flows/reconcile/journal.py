"""Look through the journal: does Airtable show what it should, and has Shopify all cards we know?

The journal is read in DynamoDB's own order, and what the phases before have seen of Airtable and of
Shopify is looked up. What was done lately is left to the next run: it may not be written yet.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from giftcards.clients.airtable import Airtable
from giftcards.clients.shopify import Shopify
from giftcards.domain.drift import Difference, Drift
from giftcards.flows.kinds import ADJUSTED, DRIFT, held_order_key, order_key
from giftcards.flows.receipt_row import due_receipts, find_receipt, operation_of
from giftcards.flows.reconcile.named_rows import NamedRows
from giftcards.flows.reconcile.phase import Ending, Remedy, Run, Step, card_number, name_number
from giftcards.flows.reconcile.put_rows_right import PutRowsRight
from giftcards.flows.write_again import WRITE_AGAIN_SECONDS
from giftcards.flows.write_airtable import ORDERS, RECEIPTS
from giftcards.store.cards import CARD_PREFIX
from giftcards.store.journal import OPERATION_PREFIX, Journal, Operation, operations_in
from giftcards.store.ledger import LEDGER_PREFIX
from giftcards.store.records import Records
from giftcards.store.table import Item, Table

# Of items of 1 to 2 KB this is about one page of DynamoDB's megabyte, and half a second of work.
ITEMS_A_STEP = 500

NOT_SHOWN = "The journal has it, and Airtable does not show it."
CARD_IS_GONE = "The journal knows a card that Shopify does not know."


@dataclass(frozen=True, kw_only=True)
class JournalPhase:
    """Reads every item of the journal's table."""

    table: Table
    journal: Journal
    records: Records
    airtable: Airtable
    shopify: Shopify
    rows: NamedRows
    repairs: PutRowsRight

    @property
    def name(self) -> str:
        """See `Phase`."""
        return "journal"

    def step(self, run: Run, cursor: str | None) -> Step:
        """See `Phase`."""
        after = None if cursor is None else {"key": cursor}
        items, following = self.table.scan_page(after=after, limit=ITEMS_A_STEP)
        operations = operations_in(
            item for item in items if str(item["key"]).startswith(OPERATION_PREFIX)
        )
        settled = [one for one in operations if _should_be_shown(one, run.began_at)]
        found = [
            *self._missing_receipts(run, settled),
            *self._missing_orders(run, settled),
            *self._cards_gone(run, _cards_in(items)),
        ]
        return Step(
            next=None if following is None else str(following["key"]),
            looked_at=len(items),
            found=tuple(found),
            changed=tuple(_told(one) for one in operations if _was_changed(one, run)),
        )

    def judge_again(self, run: Run, differences: Sequence[Difference]) -> list[Difference]:
        """See `Phase`."""
        del run
        by_drift: dict[Drift, list[str]] = {}
        for one in differences:
            by_drift.setdefault(one.drift, []).append(one.subject)
        receipts = self._unseen(RECEIPTS, by_drift.get(Drift.RECEIPT_MISSING, []))
        operations = self.journal.load_many(map(operation_of, receipts))
        orders = list[str]()
        if self.airtable.has_table(ORDERS):
            orders = self._unseen(ORDERS, by_drift.get(Drift.MISSING_ROW, []))
        return [
            *(_missing_receipt(one, operations.get(operation_of(one))) for one in receipts),
            *map(_missing_order, orders),
            *self._gone_at_shopify(by_drift.get(Drift.CARD_GONE, [])),
        ]

    def put_right(self, difference: Difference) -> Remedy:
        """See `Phase`."""
        match difference.drift:
            case Drift.RECEIPT_MISSING:
                return self.repairs.write_again(RECEIPTS, difference.subject)
            case Drift.MISSING_ROW:
                return self.repairs.write_again(ORDERS, difference.subject)
            case _:
                words = "nobody knows what became of the card: look for it in Shopify's admin"
                return Remedy(Ending.LEFT, words)

    def _missing_receipts(self, run: Run, operations: Iterable[Operation]) -> list[Difference]:
        seen = run.seen("receipts")
        missing = {
            receipt.id: operation
            for operation in operations
            if not _tells_of_a_missing_one(operation)
            for receipt, _ in due_receipts(operation)
            if name_number(receipt.id) not in seen
        }
        archived = self.records.archived(RECEIPTS, missing)
        return [
            _missing_receipt(name, operation)
            for name, operation in missing.items()
            if name not in archived
        ]

    def _missing_orders(self, run: Run, operations: Sequence[Operation]) -> list[Difference]:
        if not self.airtable.has_table(ORDERS):
            return []
        seen = run.seen("orders")
        told = {one.key: name for one in operations if (name := order_row_told_by(one)) is not None}
        missing = {key: name for key, name in told.items() if name_number(name) not in seen}
        taken = self.journal.load_many(
            order_key(name) for key, name in missing.items() if key == held_order_key(name)
        )
        archived = self.records.archived(ORDERS, missing.values())
        return [
            _missing_order(name)
            for key, name in missing.items()
            if name not in archived
            and not (key == held_order_key(name) and order_key(name) in taken)
        ]

    def _cards_gone(self, run: Run, card_ids: Iterable[str]) -> list[Difference]:
        """Those that Shopify did not list. What has a row in Airtable was told of there."""
        seen, shown = run.seen("cards"), run.seen("rows of cards")
        numbers = {one: card_number(one) for one in card_ids}
        return self._gone_at_shopify(
            [one for one, number in numbers.items() if number not in seen and number not in shown]
        )

    def _gone_at_shopify(self, card_ids: Sequence[str]) -> list[Difference]:
        """Of these cards, those that Shopify does not have: the newest may not have been seen."""
        there = self.shopify.read_cards(card_ids) if card_ids else {}
        return [_gone_card(one) for one in card_ids if one not in there]

    def _unseen(self, table: str, names: Sequence[str]) -> list[str]:
        """Of these names, those that Airtable shows nowhere and that were not archived."""
        archived = self.records.archived(table, names)
        named = self.rows.read(table, (name for name in names if name not in archived))
        return [name for name, rows in named.items() if rows.kept is None]


def order_row_told_by(operation: Operation) -> str | None:
    """The row about an order that is told of with this operation, by name: each with one alone.

    That of a payment with the payment; that of an order that sold cards with its first entry, or,
    where it has none, with the first notice that it is held.
    """
    result = operation.result
    if result is None:
        return None
    if result.order_row is not None:
        return result.order_row.name
    name = result.purchase
    is_first = name is not None and operation.key in {order_key(name), held_order_key(name)}
    return name if is_first else None


def _should_be_shown(operation: Operation, began_at: datetime) -> bool:
    """Whether all that follows from it was handed over so long ago that it should be written."""
    behind = timedelta(seconds=WRITE_AGAIN_SECONDS)
    moments = [operation.settled_at, operation.answered_at]
    lately = [one for one in moments if one is not None and one > began_at - behind]
    return operation.settled_at is not None and not lately


def _was_changed(operation: Operation, run: Run) -> bool:
    """Whether a balance was changed at Shopify since the last complete run began."""
    result = operation.result
    return (
        operation.kind == ADJUSTED
        and result is not None
        and (run.since is None or run.since <= result.decided_at)
        and result.decided_at < run.began_at
    )


def _told(operation: Operation) -> str:
    """A change in the words of its receipt, for the report."""
    result = operation.result
    if result is None:
        raise AssertionError(f"{operation.key} has no outcome")
    (receipt,) = result.receipts
    return f"{receipt.card}: {receipt.amount} ({operation.key}). {receipt.details}"


def _tells_of_a_missing_one(operation: Operation) -> bool:
    """Whether it says that a receipt was written again: nobody misses that one.

    Else, as long as the writer stands still, each night would tell of twice as many.
    """
    return operation.kind == DRIFT and operation.snapshot["drift"] == Drift.RECEIPT_MISSING


def _cards_in(items: Iterable[Item]) -> list[str]:
    """The cards that some of these items are about."""
    keys = (str(item["key"]) for item in items)
    return list(
        dict.fromkeys(
            key.removeprefix(prefix)
            for key in keys
            for prefix in (CARD_PREFIX, LEDGER_PREFIX)
            if key.startswith(prefix)
        )
    )


def _missing_receipt(name: str, operation: Operation | None) -> Difference:
    receipt = find_receipt(name, operation)
    result = None if operation is None else operation.result
    return Difference(
        drift=Drift.RECEIPT_MISSING,
        subject=name,
        card_id=None if result is None else result.moved_card,
        expected=None if receipt is None else receipt.amount,
        found=None,
        details=NOT_SHOWN,
    )


def _missing_order(name: str) -> Difference:
    return Difference(Drift.MISSING_ROW, name, None, None, None, NOT_SHOWN)


def _gone_card(card_id: str) -> Difference:
    return Difference(Drift.CARD_GONE, card_id, card_id, None, None, CARD_IS_GONE)
