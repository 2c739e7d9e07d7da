"""What moved on each card, as far as we can explain it: a line for each movement, each once.

Shopify's balance is the truth. The lines are there to tell which part of it nobody explains: a
staff adjustment, a cash-out at a till, a debit that was applied after it had been given up.

A line names its operation and the amount by which the balance changed. All lines of a card are one
set in one item, so that a line written twice stands there once, and no transaction is needed. At
some 50 bytes a line, an item (400 KB, DynamoDB's limit) has room for several thousand movements of
one card.

Beside the lines stands how the card looked when it was last read. A card of which something is
unexplained is queued to be looked at again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from giftcards.domain.explaining import Look
from giftcards.domain.money import Money
from giftcards.store.table import (
    LOOK_QUEUE,
    Item,
    Table,
    pack_moment,
    pack_money,
    unpack_moment,
    unpack_money,
)

LEDGER_PREFIX = "ledger#"


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is known of one card's movements.

    `lines` are changes of the balance by operation; `reserved` are changes of what authorised
    payments keep back (positive: kept, negative: no longer), by payment. `look` is how the card
    looked when it was last read, `looks` how often that was noted. `is_deactivated_by_us` says that
    we took the card out of use, or were about to.
    """

    card_id: str
    lines: Mapping[str, Money] = field(default_factory=dict)
    reserved: Mapping[str, Money] = field(default_factory=dict)
    look: Look | None = None
    looks: int = 0
    is_deactivated_by_us: bool = False


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
                look=_unpack_look(item["look"]) if "look" in item else None,
                looks=int(item.get("looks", 0)),
                is_deactivated_by_us=item.get("deactivated_by_us", False),
            )
            for key, item in items.items()
            for card_id in [key.removeprefix(LEDGER_PREFIX)]
        }

    def note_look(self, ledger: Ledger, look: Look, *, look_again_at: datetime | None) -> bool:
        """Keep how a card looked, and when it is to be looked at again without having changed.

        Condition: nobody noted a look since this ledger was read; False where somebody did.
        """
        values: dict[str, Any] = {"look": _pack_look(look), "next": ledger.looks + 1}
        change = "SET #look = :look, #looks = :next"
        if look_again_at is None:
            change += " REMOVE #queue, #due_at"
        else:
            change += ", #queue = :queue, #due_at = :due"
            values |= {"queue": LOOK_QUEUE, "due": int(look_again_at.timestamp())}
        condition = "attribute_not_exists(#looks)"
        if ledger.looks:
            condition = "#looks = :before"
            values["before"] = ledger.looks
        item = self._table.update(
            LEDGER_PREFIX + ledger.card_id, change, condition=condition, values=values
        )
        return item is not None

    def look_again(self, card_id: str, *, at: datetime) -> None:
        """Have a card looked at again although it has not changed: something went wrong with it."""
        self._table.update(
            LEDGER_PREFIX + card_id,
            "SET #queue = :queue, #due_at = :due",
            values={"queue": LOOK_QUEUE, "due": int(at.timestamp())},
        )

    def forget_look(self, card_id: str) -> None:
        """A card is gone: nothing is left to be looked at. Condition: the item is there."""
        self._table.update(
            LEDGER_PREFIX + card_id,
            "REMOVE #queue, #due_at",
            condition="attribute_exists(#key)",
        )

    def to_look_at(self, *, now: datetime, limit: int) -> list[str]:
        """The cards whose time to be looked at again has come, the longest due first."""
        keys = self._table.queued(LOOK_QUEUE, until=now, limit=limit)
        return [key.removeprefix(LEDGER_PREFIX) for key in keys]

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


def _pack_look(look: Look) -> Item:
    return {
        "updated_at": None if look.updated_at is None else pack_moment(look.updated_at),
        "balance": pack_money(look.balance),
        "disabled": look.is_disabled,
        "expires_on": None if look.expires_on is None else look.expires_on.isoformat(),
        "changes": look.changes,
        "base": pack_money(look.base),
        "open": pack_money(look.open),
        "open_since": None if look.open_since is None else pack_moment(look.open_since),
    }


def _unpack_look(item: Item) -> Look:
    updated_at, open_since = (
        None if item[name] is None else unpack_moment(item[name])
        for name in ("updated_at", "open_since")
    )
    expires_on = item["expires_on"]
    return Look(
        updated_at=updated_at,
        balance=unpack_money(item["balance"]),
        is_disabled=item["disabled"],
        expires_on=None if expires_on is None else date.fromisoformat(expires_on),
        changes=int(item["changes"]),
        base=unpack_money(item["base"]),
        open=unpack_money(item["open"]),
        open_since=open_since,
    )
