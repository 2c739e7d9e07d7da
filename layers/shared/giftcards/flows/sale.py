"""What was sold, in a store or by the web shop: one card or many, as we first saw it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from giftcards.domain.money import Money
from giftcards.domain.outcomes import Store
from giftcards.receipts import Action
from giftcards.store.journal import Operation
from giftcards.store.table import pack_moment, pack_money, unpack_moment, unpack_money

SALE = "sale"
ISSUE = "issue"
DELIVERY = "delivery"
CONFIRMATION = "confirmation"
RESEND = "resend"
HELD_SALE_KIND = "held-sale"
GIVEN_UP_KIND = "given-up"
BOUNCE_KIND = "bounce"
CHECK = "check"

# How a request ends, or a delivery; the names are what the office reads in Airtable.
ISSUED = "ISSUED"
DROPPED = "DROPPED"
REFUSED = "REFUSED"
HELD = "HELD"
DELIVERED = "DELIVERED"
DELIVERED_IN_PART = "DELIVERED_IN_PART"
CARD_DEAD = "CARD_DEAD"
NOT_DELIVERED = "NOT_DELIVERED"
GIVEN_BACK_FIRST = "GIVEN_BACK"

# Where a card comes from, as the office reads it in Airtable.
FROM_A_STORE = "Store"
FROM_THE_WEB = "Web"

# Between the line and the first unit in the name of what a web order sold.
UNITS_FROM = "+"


def sale_key(row_id: str) -> str:
    """The business key of a creation request, or of units of a web order's line."""
    return f"{SALE}#{row_id}"


def units_name(line: str, first_unit: int) -> str:
    """What stands for a row's id where units of a web order's line were sold."""
    return f"{line}{UNITS_FROM}{first_unit}"


def held_sale_key(row_id: str) -> str:
    """The key under which it is noted that a request waits for the office."""
    return f"held#{row_id}"


def issue_key(row_id: str, number: int) -> str:
    """The business key of one card of a request, which is also the reference in the card's note.

    `number` counts from 1. For a web order `row_id` is the number of its line, whose units are
    numbered through.
    """
    return f"{ISSUE}#{row_id}#{number}"


def delivery_key(row_id: str) -> str:
    """The business key of bringing a request's cards to their recipient."""
    return f"{DELIVERY}#{row_id}"


def confirmation_key(row_id: str) -> str:
    """The business key of telling the purchaser of a gift where it goes."""
    return f"{CONFIRMATION}#{row_id}"


@dataclass(frozen=True, slots=True)
class SoldIn:
    """The web order that something was sold in: Shopify's number, and the name people know."""

    number: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """An accepted request, none of it missing. The row may change afterwards; this does not.

    Either a `store` has sold it, and `row_id` is the row of its request, or the web shop in an
    `order`, and `row_id` is the name of the units (`units_name`), which begin with `first_unit`.
    `send_at` is when the cards go to the recipient (`None`: as soon as they are made), `sent_on`
    the day the store typed for it. `expires_on` is a day of the shop's calendar.
    """

    row_id: str
    row_created_at: datetime
    store: Store | None
    employee: str
    amount: Money
    quantity: int
    recipient_name: str
    recipient_email: str
    is_gift: bool
    purchaser_name: str
    purchaser_email: str
    message: str
    theme: str
    kind: str
    expires_on: date | None
    send_on: date | None
    send_at: datetime | None
    time_zone: str
    order: SoldIn | None = None
    first_unit: int = 1

    @property
    def source(self) -> str:
        """Where its cards come from."""
        return FROM_A_STORE if self.order is None else FROM_THE_WEB

    @property
    def action(self) -> Action:
        """What its receipts say was done."""
        return Action.SELL_IN_STORE if self.order is None else Action.SELL_ON_WEB

    @property
    def seller(self) -> str:
        """Who did it, as its receipts say: whoever sold in a store, whoever bought on the web."""
        if self.order is not None:
            return f"{self.purchaser_name or 'a customer'}, order {self.order.name}"
        return f"{self.employee or 'somebody'}, {self.sold_by.name}"

    @property
    def sold_by(self) -> Store:
        """The store; only asked where there is one."""
        if self.store is None:
            raise AssertionError(f"no store has sold {self.row_id}")
        return self.store

    @property
    def store_email(self) -> str | None:
        """Whom to tell what became of it; nobody waits for news of a web order."""
        return None if self.store is None else self.store.email

    @property
    def order_number(self) -> str | None:
        """The web order whose row shows it."""
        return None if self.order is None else self.order.number

    @property
    def units(self) -> range:
        """The numbers of its cards."""
        return range(self.first_unit, self.first_unit + self.quantity)

    @property
    def line(self) -> str:
        """What its cards are numbered by: the row of the request, or the line of the order."""
        return self.row_id.partition(UNITS_FROM)[0]

    @property
    def total(self) -> Money:
        """What all its cards hold together."""
        return Money(self.amount.minor * self.quantity, self.amount.currency)

    @property
    def issue_keys(self) -> list[str]:
        """The business keys of its cards, in their order."""
        return [issue_key(self.line, number) for number in self.units]

    def pack(self) -> dict[str, Any]:
        """The snapshot as the journal keeps it."""
        packed: dict[str, Any] = {
            "row_id": self.row_id,
            "row_created_at": pack_moment(self.row_created_at),
            "employee": self.employee,
            "amount": pack_money(self.amount),
            "quantity": self.quantity,
            "recipient_name": self.recipient_name,
            "recipient_email": self.recipient_email,
            "is_gift": self.is_gift,
            "purchaser_name": self.purchaser_name,
            "purchaser_email": self.purchaser_email,
            "message": self.message,
            "theme": self.theme,
            "kind": self.kind,
            "expires_on": None if self.expires_on is None else self.expires_on.isoformat(),
            "send_on": None if self.send_on is None else self.send_on.isoformat(),
            "send_at": None if self.send_at is None else pack_moment(self.send_at),
            "time_zone": self.time_zone,
        }
        if self.store is not None:
            store = self.store
            packed["store"] = {"id": store.id, "name": store.name, "email": store.email}
        if self.order is not None:
            packed["order"] = {"number": self.order.number, "name": self.order.name}
            packed["first_unit"] = self.first_unit
        return packed

    @classmethod
    def unpack(cls, snapshot: Mapping[str, Any]) -> "Sale":
        """The snapshot that `pack` packed."""
        amount = unpack_money(snapshot["amount"])
        if amount is None:
            raise AssertionError(f"the sale of row {snapshot['row_id']} has no amount")
        send_at, store, order = snapshot["send_at"], snapshot.get("store"), snapshot.get("order")
        return cls(
            row_id=snapshot["row_id"],
            row_created_at=unpack_moment(snapshot["row_created_at"]),
            store=None if store is None else Store(**store),
            employee=snapshot["employee"],
            amount=amount,
            quantity=int(snapshot["quantity"]),
            recipient_name=snapshot["recipient_name"],
            recipient_email=snapshot["recipient_email"],
            is_gift=snapshot["is_gift"],
            purchaser_name=snapshot["purchaser_name"],
            purchaser_email=snapshot["purchaser_email"],
            message=snapshot["message"],
            theme=snapshot["theme"],
            kind=snapshot["kind"],
            expires_on=_day(snapshot["expires_on"]),
            send_on=_day(snapshot["send_on"]),
            send_at=None if send_at is None else unpack_moment(send_at),
            time_zone=snapshot["time_zone"],
            order=None if order is None else SoldIn(**order),
            first_unit=int(snapshot.get("first_unit", 1)),
        )

    @classmethod
    def of(cls, operation: Operation) -> "Sale":
        """The sale that an operation of its kind is about."""
        return cls.unpack(operation.snapshot)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
