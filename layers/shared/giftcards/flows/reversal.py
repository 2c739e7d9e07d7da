"""What the office gives back for a redemption: one step towards the total it typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from giftcards.domain.money import Money
from giftcards.domain.outcomes import Store
from giftcards.flows.kinds import REVERSAL
from giftcards.flows.redeem import operation_key
from giftcards.store.journal import Operation
from giftcards.store.table import pack_moment, pack_money, unpack_moment, unpack_money

# How it ends; the names are what the office reads in Airtable.
REVERSED = "REVERSED"
NOT_REVERSED = "NOT_REVERSED"

# Who asks for it, as receipts say: Airtable does not tell us which of its people.
OFFICE = "the office"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """What is to be given back, as we first saw it. The row may change afterwards; this does not.

    `taken` is what the redemption took, `total` what the office wants to have been given back of it
    in all, and `amount` what is missing to that.
    """

    row_id: str
    row_created_at: datetime
    store: Store
    employee: str
    card_id: str
    last4: str
    amount: Money
    total: Money
    taken: Money
    time_zone: str

    @property
    def redemption(self) -> str:
        """The business key of the redemption."""
        return operation_key(self.row_id)

    @property
    def before(self) -> Money:
        """What had been given back before."""
        return self.total - self.amount

    def is_step(self, reference: str) -> bool:
        """Whether a credit with this reference gives back something for the same redemption."""
        return reference.startswith(f"{REVERSAL}#{self.row_id}#")

    def pack(self) -> dict[str, Any]:
        """The snapshot as the journal keeps it."""
        return {
            "row_id": self.row_id,
            "row_created_at": pack_moment(self.row_created_at),
            "store": {"id": self.store.id, "name": self.store.name, "email": self.store.email},
            "employee": self.employee,
            "card_id": self.card_id,
            "last4": self.last4,
            "amount": pack_money(self.amount),
            "total": pack_money(self.total),
            "taken": pack_money(self.taken),
            "time_zone": self.time_zone,
        }

    @classmethod
    def of(cls, operation: Operation) -> "Reversal":
        """The reversal that an operation of its kind is about."""
        snapshot = operation.snapshot
        return cls(
            row_id=snapshot["row_id"],
            row_created_at=unpack_moment(snapshot["row_created_at"]),
            store=Store(**snapshot["store"]),
            employee=snapshot["employee"],
            card_id=snapshot["card_id"],
            last4=snapshot["last4"],
            amount=_amount(snapshot, "amount"),
            total=_amount(snapshot, "total"),
            taken=_amount(snapshot, "taken"),
            time_zone=snapshot["time_zone"],
        )


def _amount(snapshot: Mapping[str, Any], name: str) -> Money:
    amount = unpack_money(snapshot[name])
    if amount is None:
        raise AssertionError(f"a reversal of row {snapshot['row_id']} has no {name}")
    return amount
