"""What moved on each card, as far as we can explain it: a line for each movement, each once.

Shopify's balance is the truth. The lines are there to tell which part of it nobody explains: a
staff adjustment, a cash-out at a till, a debit that was applied after it had been given up.

A line names its operation and the amount by which the balance changed. All lines of a card are one
set in one item, so that a line written twice stands there once, and no transaction is needed. At
some 50 bytes a line, an item (400 KB, DynamoDB's limit) has room for several thousand movements of
one card.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from giftcards.domain.money import Money
from giftcards.store.table import Table

LEDGER_PREFIX = "ledger#"


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is known of one card's movements.

    `lines` are changes of the balance by operation; `reserved` are changes of what authorised
    payments keep back (positive: kept, negative: no longer), by payment. `is_deactivated_by_us`
    says that we took the card out of use, or were about to. `seen` is the whole item.
    """

    card_id: str
    lines: Mapping[str, Money] = field(default_factory=dict)
    reserved: Mapping[str, Money] = field(default_factory=dict)
    is_deactivated_by_us: bool = False
    seen: Mapping[str, Any] = field(default_factory=dict, compare=False)


class Ledgers:
    """Writes and reads the lines of cards."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def note(self, card_id: str, *, operation: str, amount: Money) -> None:
        """The card's balance changed by `amount` (signed) because of this operation."""
        self._add(card_id, "lines", operation, amount)

    def note_reserved(self, card_id: str, *, payment: str, amount: Money) -> None:
        """What authorised payments keep back on the card changed by `amount` (signed)."""
        self._add(card_id, "reserved", payment, amount)

    def note_deactivated_by_us(self, card_id: str) -> None:
        """We are about to take the card out of use: nobody else has to explain that it is."""
        self._table.update(
            LEDGER_PREFIX + card_id, "SET #deactivated_by_us = :true", values={"true": True}
        )

    def of(self, card_ids: Iterable[str]) -> dict[str, Ledger]:
        """The ledgers of these cards, by Shopify id; a card of which nothing is known is left out.

        Strongly consistent: a line that was written is seen.
        """
        items = self._table.get_many(LEDGER_PREFIX + card_id for card_id in card_ids)
        return {
            card_id: Ledger(
                card_id=card_id,
                lines=_unpack(item.get("lines", ())),
                reserved=_unpack(item.get("reserved", ())),
                is_deactivated_by_us=item.get("deactivated_by_us", False),
                seen=item,
            )
            for key, item in items.items()
            for card_id in [key.removeprefix(LEDGER_PREFIX)]
        }

    def _add(self, card_id: str, attribute: str, name: str, amount: Money) -> None:
        self._table.update(
            LEDGER_PREFIX + card_id,
            f"ADD #{attribute} :line",
            values={"line": {f"{name} {amount.minor} {amount.currency}"}},
        )


def _unpack(lines: Iterable[str]) -> dict[str, Money]:
    """The lines by name; operations' keys hold no blanks."""
    unpacked = {}
    for line in lines:
        name, minor, currency = line.split(" ")
        unpacked[name] = Money(int(minor), currency)
    return unpacked
