"""How a receipt reads in Airtable, told from the journal, and whether a row reads so."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from giftcards.clients.airtable import BaseRow
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.receipts import Receipt
from giftcards.store.journal import Operation
from giftcards.store.table import pack_moment, unpack_moment

MONEY_FIELDS = ("Amount", "Balance After")
TEXT_FIELDS = ("Action", "Actor", "Gift Card", "Outcome", "Operation", "Details")
FIELDS = ("Receipt", "At", *MONEY_FIELDS, *TEXT_FIELDS)

# People see minutes in Airtable, and a field may be set to show no more.
A_MINUTE = timedelta(minutes=1)


def due_receipts(operation: Operation) -> Iterator[tuple[Receipt, timedelta | None]]:
    """The receipts that Airtable should show by now, and how long the store waited, if one did.

    A redemption's receipt tells that, so it is written after the answer was mailed: `answer_store`
    sends for the writer again.
    """
    if operation.result is None:
        return
    its_wait = waited(operation)
    if its_wait is None and operation.kind == REDEMPTION:
        return
    for receipt in operation.result.receipts:
        yield receipt, its_wait


def receipt_cells(receipt: Receipt, its_wait: timedelta | None) -> dict[str, object]:
    """The cells of a receipt's row, by our names for the fields; what it lacks is left out."""
    details = receipt.details
    if its_wait is not None:
        details += f" Answered after {its_wait.total_seconds():.0f} s."
    cells: dict[str, object] = {
        "Receipt": receipt.id,
        "At": pack_moment(receipt.at),
        "Action": str(receipt.action),
        "Actor": receipt.actor,
        "Outcome": str(receipt.outcome),
        "Operation": receipt.operation,
        "Details": details,
    }
    if receipt.card is not None:
        cells["Gift Card"] = receipt.card
    if receipt.amount is not None:
        cells["Amount"] = receipt.amount.decimal()
    if receipt.balance_after is not None:
        cells["Balance After"] = receipt.balance_after.decimal()
    return cells


def waited(operation: Operation) -> timedelta | None:
    """From a redemption's creation to its answer's handing to SES; `None` before that."""
    if operation.kind != REDEMPTION or operation.answered_at is None:
        return None
    return operation.answered_at - unpack_moment(operation.snapshot["row_created_at"])


def operation_of(receipt_id: str) -> str:
    """The business key of the operation that a receipt stands in."""
    return receipt_id.rpartition("#")[0]


def find_receipt(receipt_id: str, operation: Operation | None) -> Receipt | None:
    """The receipt in its operation; `None` where there is none."""
    if operation is None or operation.result is None:
        return None
    return next((one for one in operation.result.receipts if one.id == receipt_id), None)


def differing_fields(wanted: Mapping[str, object], row: BaseRow) -> Iterable[str]:
    """The fields of a receipt's row that do not say what they should."""
    for field in MONEY_FIELDS:
        if wanted.get(field) != row.number(field) or not _is_number(row, field):
            yield field
    for field in TEXT_FIELDS:
        if _plain(str(wanted.get(field, ""))) != _plain(row.text(field)):
            yield field
    if not _is_same_time(str(wanted["At"]), row.text("At")):
        yield "At"


def _is_number(row: BaseRow, field: str) -> bool:
    return row.cells.get(field) is None or row.number(field) is not None


def _plain(text: str) -> str:
    """A text without what a cell may make of its blanks and ends of lines."""
    return " ".join(text.split())


def _is_same_time(wanted: str, shown: str) -> bool:
    try:
        return abs(unpack_moment(shown) - unpack_moment(wanted)) < A_MINUTE
    except (ValueError, TypeError):  # no moment, or a day without its time
        return False
