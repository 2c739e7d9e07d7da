"""The differences that comparing the books can find, by name.

Three sides tell of each card: Shopify (what it holds, and every movement), the journal (what we
did, and every line of its ledger), Airtable (what people see). A difference is one of
these, and only what is still there at a second look, with all read anew, counts as one.
"""

from dataclasses import dataclass
from enum import StrEnum

from giftcards.domain.money import Money


class Drift(StrEnum):
    """What can be wrong. The names stand in reports, receipts and metrics and never change."""

    MISSING_ROW = "missing row"  # a card or an order of ours that Airtable does not show
    STALE_BALANCE = "stale balance"  # Airtable shows another balance than Shopify
    DUPLICATE_ROWS = "duplicate rows"  # Airtable shows the same thing in more rows than one
    RECEIPT_MISSING = "receipt missing"  # a receipt of the journal that Airtable does not show
    RECEIPT_ALTERED = "receipt altered"  # Airtable shows it with other money than the journal
    UNEXPLAINED_MOVEMENT = "unexplained movement"  # nothing of ours explains the balance
    DEBIT_WITHOUT_OPERATION = "debit without operation"  # a reference of ours, none of this card
    OPERATION_WITHOUT_DEBIT = "operation without debit"  # the journal has it, Shopify does not
    DUPLICATE_DEBIT = "duplicate debit"  # one operation, moved more often or by more than it says
    LATE_DEBIT = "late debit"  # an operation that was given up, applied after all
    CARD_GONE = "card gone"  # the journal and Airtable know it, Shopify does not

    @property
    def slug(self) -> str:
        """The name as a part of a key: those hold no blanks."""
        return self.value.replace(" ", "-")


# What is about money that nobody can account for: these ring the alarm.
UNEXPLAINED_MONEY = frozenset(
    {
        Drift.UNEXPLAINED_MOVEMENT,
        Drift.DEBIT_WITHOUT_OPERATION,
        Drift.OPERATION_WITHOUT_DEBIT,
        Drift.DUPLICATE_DEBIT,
        Drift.LATE_DEBIT,
        Drift.CARD_GONE,
    }
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    `subject` is a card's Shopify id, an operation's key, a receipt's id or a row's name, whichever
    it is about; `card_id` the card, where there is one. `expected` and `found` are the money of
    either side, where it is about money; `details` say in plain words what differs. Codes stand
    nowhere in it.
    """

    drift: Drift
    subject: str
    card_id: str | None
    expected: Money | None
    found: Money | None
    details: str
