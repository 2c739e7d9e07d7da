"""The answers a store can get, and what a row in the redemption table asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """How a redemption ended, for ever. The names are what the office reads in Airtable."""

    REDEEMED = "REDEEMED"
    CODE_FORMAT_INCORRECT = "CODE_FORMAT_INCORRECT"
    CODE_NOT_FOUND = "CODE_NOT_FOUND"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    AMOUNT_INVALID = "AMOUNT_INVALID"
    CARD_EXPIRED = "CARD_EXPIRED"
    CARD_DISABLED = "CARD_DISABLED"
    CARD_ONLINE_ONLY = "CARD_ONLINE_ONLY"
    POSSIBLE_DUPLICATE = "POSSIBLE_DUPLICATE"
    NOT_CHARGED = "NOT_CHARGED"
    HELD = "HELD"

    @property
    def is_success(self) -> bool:
        """Whether money moved and the customer has paid."""
        return self is Outcome.REDEEMED

    @property
    def is_final(self) -> bool:
        """Whether the request is over. A held row is not: the office may still release it."""
        return self is not Outcome.HELD


# A sentence for each outcome; a test compares the two lists.
EXPLANATIONS: Final[Mapping[Outcome, str]] = {
    Outcome.REDEEMED: "The card was charged.",
    Outcome.CODE_FORMAT_INCORRECT: "What was typed is not a card code.",
    Outcome.CODE_NOT_FOUND: "No card has this code.",
    Outcome.INSUFFICIENT_BALANCE: "The card holds less than the amount; nothing was charged.",
    Outcome.AMOUNT_INVALID: "The amount cannot be charged.",
    Outcome.CARD_EXPIRED: "The card has expired; nothing was charged.",
    Outcome.CARD_DISABLED: "The card is out of use; nothing was charged.",
    Outcome.CARD_ONLINE_ONLY: "The card is good in the web shop only; nothing was charged.",
    Outcome.POSSIBLE_DUPLICATE: (
        "This looks like a redemption that was made before; nothing was charged."
    ),
    Outcome.NOT_CHARGED: "The card was not charged.",
    Outcome.HELD: "The row waits for the office; nothing was charged.",
}


@dataclass(frozen=True, slots=True)
class RedemptionRow:
    """What a store typed into the redemption form, as Airtable holds it.

    `store` is what the cell says: a store's record id where the field is a link, else its name.
    `typed_amount` is the cell's number or text written as text, `None` where the cell is empty.
    `is_approved` is the office's tick, `is_confirmed` the store's: this is no duplicate.
    `typed_code` holds a card's code, so it is left out of the representation.
    """

    id: str
    created_at: datetime
    store: str | None
    employee: str
    typed_code: str = field(repr=False)
    typed_amount: str | None
    is_approved: bool = False
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Store:
    """A shop of ours: `id` is its Airtable record id, `email` where its answers go."""

    id: str
    name: str
    email: str


def explain(outcome: Outcome, reason: str | None = None) -> str:
    """One sentence for the office: what the outcome means, with its reason where there is one."""
    sentence = EXPLANATIONS[outcome]
    return sentence if reason is None else f"{sentence} {reason[:1].upper()}{reason[1:]}"
