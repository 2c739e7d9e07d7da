"""Put right what Airtable does not show, shows altered, or shows twice.

    not shown           the record we know is gone: it is begun anew, and the writer makes it
    altered             a receipt's cells are written as the journal has them
    shown twice         copies that hold nothing of anybody's are deleted; else a person decides

Every rule looks first whether there still is anything to put right, so all may be done twice.
"""

from dataclasses import dataclass

from giftcards.clients.airtable import Airtable, BaseRow
from giftcards.flows.kinds import held_order_key, order_key, spend_key
from giftcards.flows.receipt_row import (
    FIELDS,
    differing_fields,
    find_receipt,
    operation_of,
    receipt_cells,
    waited,
)
from giftcards.flows.reconcile.named_rows import NamedRows
from giftcards.flows.reconcile.phase import Ending, Remedy
from giftcards.flows.write_airtable import ORDERS, RECEIPTS
from giftcards.store.journal import Journal
from giftcards.store.queues import Queues
from giftcards.store.records import Records

# What the writer tells of an order, anew whenever something happens: these are nobody else's words.
WRITTEN_ABOUT_ORDERS = frozenset(
    {"Order", "Order ID", "Kind", "Status", "Amount", "Gift Cards", "Processed At", "Message"}
)


@dataclass(frozen=True, kw_only=True)
class PutRowsRight:
    """Puts right what is wrong with rows of receipts and orders, by our names for them."""

    airtable: Airtable
    journal: Journal
    records: Records
    queues: Queues
    rows: NamedRows

    def write_again(self, table: str, name: str) -> Remedy:
        """Have the writer make a row that is not there."""
        key = self._operation_behind(table, name)
        if key is None:
            return _left("the journal has nothing that the row could be told from: see who made it")
        if self.rows.read(table, [name])[name].kept is not None:
            return _done("somebody has written it meanwhile")
        gone = self.records.known(table, [name]).get(name)
        if gone is not None:
            self.records.begin_anew(table, name, gone=gone)
        self.queues.write_records(key)
        return _done("it is written again from the journal")

    def _operation_behind(self, table: str, name: str) -> str | None:
        """The key of an operation whose records, written again, hold this row."""
        if table == RECEIPTS:
            keys = [operation_of(name)]
        else:
            order, _, payment = name.partition("/")
            keys = [order_key(order), held_order_key(order)]
            if payment:
                keys = [spend_key(payment, gives_back=back) for back in (False, True)]
        known = self.journal.load_many(keys)
        return next((key for key in keys if key in known and known[key].result), None)

    def write_as_it_was(self, name: str) -> Remedy:
        """Write a receipt's cells once more; only what reads otherwise."""
        operation = self.journal.load(operation_of(name))
        receipt = find_receipt(name, operation)
        if receipt is None or operation is None:
            return _left("see who made the row, and delete it")
        row = self.rows.read(RECEIPTS, [name])[name].kept
        if row is None:
            return _done("its row is gone: that it is missing is told by itself")
        wanted = receipt_cells(receipt, waited(operation))
        fields = list(differing_fields(wanted, row))
        report = self.airtable.update_rows(
            RECEIPTS, {row.id: {field: wanted.get(field) for field in fields}}
        )
        if report.refused_choices or report.missing_fields:
            lacking = ", ".join(sorted(report.refused_choices | report.missing_fields))
            return _left(f"have the fields {lacking} take what they should read")
        return _done("its cells are written as the journal has them")

    def delete_copies(self, table: str, name: str) -> Remedy:
        """Keep the row that we write to; delete the others where nothing of anybody is lost."""
        named = self.rows.read(table, [name])[name]
        if named.kept is None or not named.copies:
            return _done("only one row is left")
        if any(self._holds_more(table, name, kept=named.kept, copy=copy) for copy in named.copies):
            return _left(
                "a copy says something that the row and the journal do not: see which one is to"
                " stay, and delete the others"
            )
        # First, so that the writer never takes a copy for the row.
        self.records.remember(table, name, record_id=named.kept.id)
        self.airtable.delete(table, [copy.id for copy in named.copies])
        return _done(f"{_counted(len(named.copies))} deleted, which said nothing else")

    def _holds_more(self, table: str, name: str, *, kept: BaseRow, copy: BaseRow) -> bool:
        """Whether a copy says anything that would be lost with it.

        What the writer tells of orders it tells anew at any time, so an older telling is none.
        """
        ours = WRITTEN_ABOUT_ORDERS if table == ORDERS else frozenset(FIELDS)
        if any(
            cell != kept.cells.get(field) for field, cell in copy.cells.items() if field not in ours
        ):
            return True
        if table == ORDERS:
            return False
        operation = self.journal.load(operation_of(name))
        receipt = find_receipt(name, operation)
        if receipt is None or operation is None:
            return True
        return any(True for _ in differing_fields(receipt_cells(receipt, waited(operation)), copy))


def _done(words: str) -> Remedy:
    return Remedy(Ending.PUT_RIGHT, words)


def _left(words: str) -> Remedy:
    return Remedy(Ending.LEFT, words)


def _counted(copies: int) -> str:
    return "1 copy" if copies == 1 else f"{copies} copies"
