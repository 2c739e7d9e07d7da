"""An order of the web shop, as far as gift cards are concerned: what it sold, and how it was paid.

Shopify's words for states and kinds are kept as they are, so that they can be looked up there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from giftcards.domain.money import Money


class Advice(StrEnum):
    """What Shopify advises after it has assessed an order's risk (`OrderRiskRecommendationResult`).

    It has no word for "not assessed yet": see `WebOrder.is_assessed`.
    """

    NONE = "NONE"
    ACCEPT = "ACCEPT"
    INVESTIGATE = "INVESTIGATE"
    CANCEL = "CANCEL"


@dataclass(frozen=True, slots=True)
class OrderSight:
    """An order as a search shows it: its global id, and when it was last changed."""

    id: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class OrderPage:
    """A page of a search; `end_cursor` leads to the next, `None` where none is."""

    orders: tuple[OrderSight, ...]
    end_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """Some units of one thing. `quantity` counts the units that were refunded or removed as well.

    `id` is Shopify's global id; `price` is what one unit costs before discounts, in the shop's
    currency, which is what a card sold as that unit is worth, and `paid` what it costs after all of
    them. `sold_in` is the currency the customer was shown. `is_native` marks the gift cards that
    Shopify makes itself. `properties` are what the storefront asked for, by its names.
    """

    id: str
    title: str
    sku: str | None
    is_native: bool
    quantity: int
    current_quantity: int
    price: Money
    paid: Money
    sold_in: str
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOrder:
    """An order as it is at the moment it is read (by id, which does not lag).

    `status` is Shopify's `displayFinancialStatus`; of a partly refunded order it does not say
    whether a unit that was added is paid, `is_fully_paid` does. `first_paid_at` and `last_paid_at`
    are the first and the last successful payment (both `None` while there is none; an order that
    costs nothing has neither and is PAID). `has_chargeback` says that the customer's bank disputes
    it, and the shop has not won that.
    """

    id: str
    name: str
    email: str | None
    customer_name: str
    is_test: bool
    source_name: str
    created_at: datetime
    processed_at: datetime
    updated_at: datetime
    cancelled_at: datetime | None
    status: str
    is_fully_paid: bool
    tags: frozenset[str]
    advice: Advice
    is_assessed: bool
    has_chargeback: bool
    first_paid_at: datetime | None
    last_paid_at: datetime | None
    lines: tuple[OrderLine, ...]


class PaymentKind(StrEnum):
    """A step of a payment (`OrderTransactionKind`), as far as it is read here."""

    AUTHORIZATION = "AUTHORIZATION"
    SALE = "SALE"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    REFUND = "REFUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPayment:
    """One successful step of a payment by gift card. `amount` is positive, whatever its kind.

    `card_id` is the global id of the card: from the step's own receipt, else from that of the step
    it follows (`parent_id`); `None` where neither tells.
    """

    id: str
    kind: PaymentKind
    amount: Money
    processed_at: datetime
    parent_id: str | None
    card_id: str | None
    is_test: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidOrder:
    """How gift cards paid an order, and what was given back to them; the oldest step first."""

    id: str
    name: str
    updated_at: datetime
    is_test: bool
    steps: tuple[CardPayment, ...]


def number_of(global_id: str) -> str:
    """Shopify's number in a global id: `gid://shopify/Order/5001` → `5001`."""
    return global_id.rpartition("/")[2].partition("?")[0]
