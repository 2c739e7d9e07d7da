"""What a customer is mailed about cards: the cards themselves, or the news that a gift went out.

Both become an event at Klaviyo, whose flow turns it into a mail. `properties()` is all that the
mail's template may know, and `docs/klaviyo.md` describes each of them. Amounts and days come twice:
written for people, and plain for whoever filters by them in Klaviyo.

Only `CardsDelivered` carries codes, and it spells them out in `properties()` alone: an event's
properties stay on the customer's timeline, where the shop's marketing people can read them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import batched

from giftcards.domain.codes import Code
from giftcards.domain.money import Money

# Where no theme is named, and where the named one has no template.
STANDARD_THEME = "standard"

# What stands in front of an amount; other currencies are named behind it.
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}

# People read and type a code in groups of four; Shopify's checkout and our stores' form ignore the
# blanks between them.
CODE_GROUP = 4

type Json = Mapping[str, "Json"] | Sequence["Json"] | str | int | bool


class DeliveryKind(StrEnum):
    """The kinds of news, each by the name of its metric at Klaviyo."""

    CARDS_DELIVERED = "Gift Card Delivered"
    GIFT_CONFIRMED = "Gift Card Gift Confirmation"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who gets a mail. `name` may be empty."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class DeliveredCard:
    """A card as its owner has to know it: the one place, besides the checkout, that tells a code.

    `expires_on` is a day of the shop's calendar, the last one on which the card is good.
    """

    code: Code
    amount: Money
    expires_on: date | None

    def properties(self) -> dict[str, Json]:
        """The card in an event, code and all."""
        return {
            "code": grouped(self.code),
            "masked": self.code.masked,
            "amount": amount_for_people(self.amount),
            "amount_plain": f"{self.amount.decimal():f}",
            "currency": self.amount.currency,
            "expires_on": _plain(self.expires_on),
            "expires_on_text": _for_people(self.expires_on),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CardsDelivered:
    """One or several cards for one address.

    `operation` and `resend` (0 for the first mail) make the `unique_id`. `giver` is empty unless it
    is a gift. `is_test` marks the event by which Klaviyo gets to know the metric.
    """

    operation: str
    resend: int
    to: Person
    cards: tuple[DeliveredCard, ...]
    giver: str
    message: str
    theme: str
    shop_name: str
    shop_url: str
    is_test: bool = False

    def __post_init__(self) -> None:
        if not self.cards:
            raise ValueError("a delivery without a card tells its customer nothing")

    @property
    def kind(self) -> DeliveryKind:
        """The metric."""
        return DeliveryKind.CARDS_DELIVERED

    @property
    def unique_id(self) -> str:
        """The same for each try to send this mail, another one for each resend."""
        return unique_id(self.operation, self.resend)

    def properties(self) -> dict[str, Json]:
        """The event's properties. They hold codes: give them to Klaviyo and to nobody else."""
        total = _total([card.amount for card in self.cards])
        return {
            "recipient_name": self.to.name,
            "giver": self.giver,
            "message": self.message,
            "theme": theme_name(self.theme),
            "cards": [card.properties() for card in self.cards],
            "quantity": len(self.cards),
            "total": amount_for_people(total),
            "total_plain": f"{total.decimal():f}",
            "currency": total.currency,
            "shop_name": self.shop_name,
            "shop_url": self.shop_url,
            "is_test": self.is_test,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftConfirmed:
    """Tells who bought a gift what goes to whom and when, so that a wrong address is noticed.

    No code is in it: the purchaser is not the owner. `amount` is each card's.
    """

    operation: str
    resend: int
    to: Person
    recipient: Person
    amount: Money
    quantity: int
    send_on: date
    message: str
    theme: str
    shop_name: str
    shop_url: str
    is_test: bool = False

    @property
    def kind(self) -> DeliveryKind:
        """The metric."""
        return DeliveryKind.GIFT_CONFIRMED

    @property
    def unique_id(self) -> str:
        """The same for each try to send this mail, another one for each resend."""
        return unique_id(self.operation, self.resend)

    def properties(self) -> dict[str, Json]:
        """The event's properties, without any code."""
        return {
            "purchaser_name": self.to.name,
            "recipient_name": self.recipient.name,
            "recipient_email": self.recipient.email,
            "amount": amount_for_people(self.amount),
            "amount_plain": f"{self.amount.decimal():f}",
            "currency": self.amount.currency,
            "quantity": self.quantity,
            "send_on": _plain(self.send_on),
            "send_on_text": _for_people(self.send_on),
            "message": self.message,
            "theme": theme_name(self.theme),
            "shop_name": self.shop_name,
            "shop_url": self.shop_url,
            "is_test": self.is_test,
        }


Delivery = CardsDelivered | GiftConfirmed


def unique_id(operation: str, resend: int) -> str:
    """By what Klaviyo knows a delivery again: the operation and how often it was sent anew."""
    return f"{operation}/{resend}"


def theme_name(chosen: str) -> str:
    """A theme as templates are named: `" Wedding "` is `wedding`, nothing is `standard`.

    Whether it has a template, only Klaviyo knows; its flow sends all others the standard one.
    """
    return "-".join(chosen.lower().split()) or STANDARD_THEME


def grouped(code: Code) -> str:
    """The full code for its owner's eyes: `WXYZ 2345 ABCD 6789`."""
    groups = batched(code.value.upper(), CODE_GROUP, strict=False)
    return " ".join("".join(group) for group in groups)


def amount_for_people(amount: Money) -> str:
    """An amount as a customer reads it: `$1,250.00`, `¥5,000`, `80.00 CHF`."""
    symbol = SYMBOLS.get(amount.currency)
    return str(amount) if symbol is None else f"{symbol}{amount.decimal():,f}"


def _total(amounts: Sequence[Money]) -> Money:
    total = Money.zero(amounts[0].currency)
    for amount in amounts:
        total += amount
    return total


def _plain(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _for_people(day: date | None) -> str:
    """`November 3, 2031`, or nothing where there is no such day."""
    return "" if day is None else f"{day:%B} {day.day}, {day.year}"
