"""What a store sold: one request for one card or many, as we first saw it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from giftcards.domain.money import Money
from giftcards.domain.outcomes import Store
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


def sale_key(row_id: str) -> str:
    """The business key of a creation request."""
    return f"{SALE}#{row_id}"


def held_sale_key(row_id: str) -> str:
    """The key under which it is noted that a request waits for the office."""
    return f"held#{row_id}"


def issue_key(row_id: str, number: int) -> str:
    """The business key of one card of a request, which is also the reference in the card's note.

    `number` counts from 1.
    """
    return f"{ISSUE}#{row_id}#{number}"


def sale_key_of_issue(key: str) -> str:
    """The business key of the request that a card was made for."""
    return sale_key(key.split("#")[1])


def delivery_key(row_id: str) -> str:
    """The business key of bringing a request's cards to their recipient."""
    return f"{DELIVERY}#{row_id}"


def confirmation_key(row_id: str) -> str:
    """The business key of telling the purchaser of a gift where it goes."""
    return f"{CONFIRMATION}#{row_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """An accepted request, none of it missing. The row may change afterwards; this does not.

    `send_at` is when the cards go to the recipient (`None`: as soon as they are made), `sent_on`
    the day the store typed for it. `expires_on` is a day of the shop's calendar.
    """

    row_id: str
    row_created_at: datetime
    store: Store
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

    @property
    def total(self) -> Money:
        """What all its cards hold together."""
        return Money(self.amount.minor * self.quantity, self.amount.currency)

    @property
    def issue_keys(self) -> list[str]:
        """The business keys of its cards, in their order."""
        return [issue_key(self.row_id, number) for number in range(1, self.quantity + 1)]

    def pack(self) -> dict[str, Any]:
        """The snapshot as the journal keeps it."""
        return {
            "row_id": self.row_id,
            "row_created_at": pack_moment(self.row_created_at),
            "store": {"id": self.store.id, "name": self.store.name, "email": self.store.email},
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

    @classmethod
    def unpack(cls, snapshot: Mapping[str, Any]) -> "Sale":
        """The snapshot that `pack` packed."""
        amount = unpack_money(snapshot["amount"])
        if amount is None:
            raise AssertionError(f"the sale of row {snapshot['row_id']} has no amount")
        send_at = snapshot["send_at"]
        return cls(
            row_id=snapshot["row_id"],
            row_created_at=unpack_moment(snapshot["row_created_at"]),
            store=Store(**snapshot["store"]),
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
        )

    @classmethod
    def of(cls, operation: Operation) -> "Sale":
        """The sale that an operation of its kind is about."""
        return cls.unpack(operation.snapshot)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
