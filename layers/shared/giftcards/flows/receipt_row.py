"""How a receipt reads in Airtable, told from the journal."""

from collections.abc import Iterator
from datetime import timedelta

from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.receipts import Receipt
from giftcards.store.journal import Operation
from giftcards.store.table import pack_moment, unpack_moment


def due_receipts(operation: Operation) -> Iterator[tuple[Receipt, timedelta | None]]:
    """The receipts that Airtable should show by now, and how long the store waited, if one did.

    A redemption's receipt tells that, so it is written after the answer was mailed: `answer_store`
    sends for the writer again.
    """
    if operation.result is None:
        return
    waited = _waited(operation)
    if waited is None and operation.kind == REDEMPTION:
        return
    for receipt in operation.result.receipts:
        yield receipt, waited


def receipt_cells(receipt: Receipt, waited: timedelta | None) -> dict[str, object]:
    """The cells of a receipt's row, by our names for the fields; what it lacks is left out."""
    details = receipt.details
    if waited is not None:
        details += f" Answered after {waited.total_seconds():.0f} s."
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


def _waited(operation: Operation) -> timedelta | None:
    """From a redemption's creation to its answer's handing to SES; `None` before that."""
    if operation.kind != REDEMPTION or operation.answered_at is None:
        return None
    return operation.answered_at - unpack_moment(operation.snapshot["row_created_at"])
