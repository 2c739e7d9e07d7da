"""Shopify's own gift cards: made by Shopify when their order is paid, and mailed by it.

The code stands in that mail and nowhere else; the API shows its last four letters, as ever.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from sandbox.shopify.catalog import MESSAGE, RECIPIENT_EMAIL, RECIPIENT_NAME, SEND_ON
from sandbox.shopify.orders import LineItem, Order

if TYPE_CHECKING:
    from sandbox.shopify.shop import GiftCard, Shop


SENDER = "store@shopify.example.com"


@dataclass(frozen=True, slots=True)
class ShopifyMail:
    """A mail of Shopify's own, to one address. `at` may lie ahead: it is sent then."""

    id: str
    to: str
    sender: str
    subject: str
    text: str = field(repr=False)
    at: datetime


def issue_native_cards(shop: "Shop", order: Order, moment: datetime) -> list[ShopifyMail]:
    """Make the cards that the order's native lines still lack, and write their mails.

    A test order makes none.
    """
    if order.is_test:
        return []
    mails: list[ShopifyMail] = []
    for line in order.lines:
        if not line.is_gift_card:
            continue
        for _ in range(line.current_quantity - len(line.native_card_ids)):
            card = shop.create(amount=line.price, created_at=moment, source="purchased")
            line.native_card_ids.append(card.id)
            mail = _mail(shop, order, line, card, moment)
            if mail is not None:
                mails.append(mail)
    return mails


def _mail(
    shop: "Shop", order: Order, line: LineItem, card: "GiftCard", moment: datetime
) -> ShopifyMail | None:
    asked = dict(line.properties)
    to = asked.get(RECIPIENT_EMAIL) or order.email
    if not to:
        return None
    name = asked.get(RECIPIENT_NAME) or order.customer_name or "there"
    code = " ".join(card.code[place : place + 4] for place in range(0, len(card.code), 4))
    message = f"\n\n{asked[MESSAGE]}" if asked.get(MESSAGE) else ""
    return ShopifyMail(
        id=f"shopify-{card.number}",
        to=to,
        sender=SENDER,
        subject=f"Your {card.initial_value:.2f} {shop.currency} gift card for {shop.name} is ready",
        text=f"Hello {name},{message}\n\nyour gift card is worth {card.initial_value:.2f}"
        f" {shop.currency}.\n\nCode: {code.upper()}\n",
        at=_send_at(shop, asked.get(SEND_ON), moment),
    )


def _send_at(shop: "Shop", send_on: str | None, moment: datetime) -> datetime:
    """The beginning of the day that was asked for, on the shop's calendar; else at once."""
    try:
        day = date.fromisoformat(send_on or "")
    except ValueError:
        return moment
    return max(moment, datetime.combine(day, time(), shop.time_zone).astimezone(UTC))
