"""The final answers a store can get, and what a row in the redemption table asks for."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import assert_never


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


def explain(outcome: Outcome, reason: str | None = None) -> str:
    """One sentence for the office: what the outcome means, with its reason where there is one."""
    match outcome:
        case Outcome.REDEEMED:
            sentence = "The card was charged."
        case Outcome.CODE_FORMAT_INCORRECT:
            sentence = "What was typed is not a card code."
        case Outcome.CODE_NOT_FOUND:
            sentence = "No card has this code."
        case Outcome.INSUFFICIENT_BALANCE:
            sentence = "The card holds less than the amount; nothing was charged."
        case Outcome.AMOUNT_INVALID:
            sentence = "The amount cannot be charged."
        case Outcome.CARD_EXPIRED:
            sentence = "The card has expired; nothing was charged."
        case Outcome.CARD_DISABLED:
            sentence = "The card was deactivated; nothing was charged."
        case Outcome.NOT_CHARGED:
            sentence = "The card was not charged."
        case _:
            assert_never(outcome)
    return sentence if reason is None else f"{sentence} {reason[:1].upper()}{reason[1:]}"
