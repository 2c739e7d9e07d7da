"""The final answers a store can get, and what a row in the redemption table asks for."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """How a redemption ended, for ever. The names are what the office reads in Airtable."""

    REDEEMED = "REDEEMED"
    CODE_FORMAT_INCORRECT = "CODE_FORMAT_INCORRECT"
    CODE_NOT_FOUND = "CODE_NOT_FOUND"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    AMOUNT_INVALID = "AMOUNT_INVALID"
    CARD_EXPIRED = "CARD_EXPIRED"
    CARD_DISABLED = "CARD_DISABLED"
    NOT_CHARGED = "NOT_CHARGED"

    @property
    def is_success(self) -> bool:
        """Whether money moved and the customer has paid."""
        return self is Outcome.REDEEMED


@dataclass(frozen=True, slots=True)
class RedemptionRow:
    """What a store typed into the redemption form, as Airtable holds it.

    `store` is what the cell says: a store's record id where the field is a link, else its name.
    `typed_amount` is the cell's number or text written as text, `None` where the cell is empty.
    `typed_code` holds a card's code, so it is left out of the representation.
    """

    id: str
    created_at: datetime
    store: str | None
    employee: str
    typed_code: str = field(repr=False)
    typed_amount: str | None


@dataclass(frozen=True, slots=True)
class Store:
    """A shop of ours: `id` is its Airtable record id, `email` where its answers go."""

    id: str
    name: str
    email: str
