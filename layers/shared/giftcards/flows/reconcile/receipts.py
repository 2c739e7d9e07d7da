"""Compare the receipts that Airtable shows with those of the journal: each once, and unaltered.

A receipt is written once and never changed; what Airtable shows is a copy. So a copy that reads
otherwise was altered by somebody, and a row that is called like a receipt of ours and is none was
made by somebody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from giftcards.clients.airtable import Airtable, BaseRow
from giftcards.domain.drift import Difference, Drift
from giftcards.domain.money import Money, MoneyError
from giftcards.flows.receipt_row import (
    FIELDS,
    MONEY_FIELDS,
    differing_fields,
    find_receipt,
    operation_of,
    receipt_cells,
    waited,
)
from giftcards.flows.reconcile.named_rows import NamedRows, duplicate, is_named
from giftcards.flows.reconcile.phase import Remedy, Run, Step, name_number
from giftcards.flows.reconcile.put_rows_right import PutRowsRight
from giftcards.flows.write_airtable import RECEIPTS
from giftcards.receipts import Receipt
from giftcards.store.journal import Journal, Operation

NO_SUCH_RECEIPT = "Airtable shows it, and the journal has no such receipt."


@dataclass(frozen=True, kw_only=True)
class ReceiptsPhase:
    """Reads every row of the receipts' table, a hundred a step."""

    airtable: Airtable
    journal: Journal
    rows: NamedRows
    repairs: PutRowsRight

    @property
    def name(self) -> str:
        """See `Phase`."""
        return "receipts"

    def step(self, run: Run, cursor: str | None) -> Step:
        """See `Phase`."""
        del run
        page = self.airtable.page(RECEIPTS, FIELDS, offset=cursor)
        ours = {row.id: row for row in page.rows if is_named(RECEIPTS, row.text("Receipt"))}
        names = {record_id: row.text("Receipt") for record_id, row in ours.items()}
        doubtful = self.rows.read(RECEIPTS, self.rows.doubtful(RECEIPTS, names))
        found = list[Difference]()
        copies = set[str]()
        for record_id, name in names.items():
            named = doubtful.get(name)
            if named is None or not named.copies:
                continue
            copies |= {copy.id for copy in named.copies}
            # Told once, on the page of the first copy.
            if record_id == named.copies[0].id and (told := duplicate(name, named)) is not None:
                found.append(told)
        counting = {names[one]: row for one, row in ours.items() if one not in copies}
        found += self._altered(counting)
        return Step(
            next=page.next,
            looked_at=len(page.rows),
            found=tuple(found),
            seen=tuple(name_number(name) for name in dict.fromkeys(names.values())),
        )

    def judge_again(self, run: Run, differences: Sequence[Difference]) -> list[Difference]:
        """See `Phase`."""
        del run
        named = self.rows.read(RECEIPTS, (one.subject for one in differences))
        told = [duplicate(name, rows) for name, rows in named.items()]
        kept = {name: rows.kept for name, rows in named.items() if rows.kept is not None}
        return [one for one in told if one is not None] + self._altered(kept)

    def put_right(self, difference: Difference) -> Remedy:
        """See `Phase`."""
        if difference.drift is Drift.DUPLICATE_ROWS:
            return self.repairs.delete_copies(RECEIPTS, difference.subject)
        return self.repairs.write_as_it_was(difference.subject)

    def _altered(self, rows: Mapping[str, BaseRow]) -> list[Difference]:
        """What of these rows, by the receipts' ids, reads otherwise than the journal has it."""
        operations = self.journal.load_many(operation_of(name) for name in rows)
        altered = (
            altered_receipt(name, row, operations.get(operation_of(name)))
            for name, row in rows.items()
        )
        return [one for one in altered if one is not None]


def altered_receipt(name: str, row: BaseRow, operation: Operation | None) -> Difference | None:
    """The difference that a row is which reads otherwise than its receipt."""
    receipt = find_receipt(name, operation)
    if receipt is None or operation is None:
        return Difference(Drift.RECEIPT_ALTERED, name, None, None, None, NO_SUCH_RECEIPT)
    wanted = receipt_cells(receipt, waited(operation))
    fields = list(differing_fields(wanted, row))
    if not fields:
        return None
    expected, found = _money(fields, receipt, row)
    return Difference(
        drift=Drift.RECEIPT_ALTERED,
        subject=name,
        card_id=None if operation.result is None else operation.result.moved_card,
        expected=expected,
        found=found,
        # What the cells read is not repeated: somebody may have pasted anything into them.
        details=f"Airtable shows another {', '.join(fields)} than the journal.",
    )


def _money(
    fields: Sequence[str], receipt: Receipt, row: BaseRow
) -> tuple[Money | None, Money | None]:
    """What the first money field that differs should read, and what it reads."""
    field = next((one for one in fields if one in MONEY_FIELDS), None)
    if field is None:
        return None, None
    expected = receipt.amount if field == "Amount" else receipt.balance_after
    return expected, _shown(row.number(field), receipt)


def _shown(number: Decimal | None, receipt: Receipt) -> Money | None:
    """A number as money, where the receipt says of which currency and it has its decimals."""
    money = receipt.amount or receipt.balance_after
    if number is None or money is None:
        return None
    try:
        return Money.parse(number, money.currency)
    except MoneyError:
        return None
