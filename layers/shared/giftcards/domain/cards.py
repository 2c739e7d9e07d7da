"""A gift card as Shopify knows it, and what a change of it can answer."""

from dataclasses import dataclass
from datetime import date, datetime

from giftcards.domain.money import Money


@dataclass(frozen=True, slots=True)
class Card:
    """One gift card, read at one moment. The full code is not among its facts: nobody can read it.

    `id` is Shopify's global id (`gid://shopify/GiftCard/1`); `last4` is lower case, as Shopify
    tells it.
    `expires_on` is a day of the shop's calendar: the card is good until that day is over.
    `enabled` stays true on an expired card (Shopify), so look at `expires_on` as well.
    """

    id: str
    last4: str
    balance: Money
    initial_value: Money
    enabled: bool
    expires_on: date | None
    deactivated_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ShopFacts:
    """What Shopify says of the shop: its currency (ISO 4217) and its time zone (IANA name)."""

    name: str
    currency: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Debited:
    """The debit was applied: the transaction's id and the balance right after it."""

    transaction_id: str
    balance_after: Money


@dataclass(frozen=True, slots=True)
class InsufficientFunds:
    """The debit was refused because the card holds less than the amount."""


@dataclass(frozen=True, slots=True)
class DebitRefused:
    """The debit was refused for another reason: Shopify's error code, and its message."""

    code: str
    message: str


DebitReply = Debited | InsufficientFunds | DebitRefused


@dataclass(frozen=True, slots=True)
class Credited:
    """The credit was applied: the transaction's id and the balance right after it."""

    transaction_id: str
    balance_after: Money


@dataclass(frozen=True, slots=True)
class CreditRefused:
    """The credit was refused: Shopify's error code, and its message."""

    code: str
    message: str


CreditReply = Credited | CreditRefused


@dataclass(frozen=True, slots=True)
class Deactivated:
    """The card is out of use for ever, by this call or an earlier one: the card as it is now."""

    card: Card


@dataclass(frozen=True, slots=True)
class DeactivateRefused:
    """The card was not taken out of use: Shopify's error code, and its message."""

    code: str
    message: str


DeactivateReply = Deactivated | DeactivateRefused


@dataclass(frozen=True, slots=True)
class Movement:
    """One transaction on a card. `amount` is signed as Shopify signs it: debits are negative."""

    id: str
    amount: Money
    note: str | None
    processed_at: datetime


@dataclass(frozen=True, slots=True)
class CardSight:
    """A card as the list of all cards shows it: when it was last changed, and its note."""

    card: Card
    updated_at: datetime
    note: str | None


@dataclass(frozen=True, slots=True)
class CardPage:
    """A page of the list of all cards; `end_cursor` leads to the next, `None` where none is."""

    cards: tuple[CardSight, ...]
    end_cursor: str | None


@dataclass(frozen=True, slots=True)
class CardLimits:
    """What a card may hold by the shop's own settings; `None` where Shopify names no limit.

    `issue` bounds cards that are issued, `purchase` cards that customers buy on the web.
    """

    issue: Money | None
    purchase: Money | None


@dataclass(frozen=True, slots=True)
class NotedCard:
    """A card and the note it was made with: the note tells ours from anybody else's."""

    card: Card
    note: str | None


@dataclass(frozen=True, slots=True)
class Created:
    """The card was made, with the code we gave."""

    card: Card


@dataclass(frozen=True, slots=True)
class CodeTaken:
    """A card with this code exists, or existed: most likely our own, made by an earlier try."""


@dataclass(frozen=True, slots=True)
class CreateRefused:
    """The card was refused for another reason: Shopify's error code, and its message."""

    code: str
    message: str


CreateReply = Created | CodeTaken | CreateRefused
