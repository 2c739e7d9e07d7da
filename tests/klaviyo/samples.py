"""A card, and the news of it, for whoever renders mails."""

from datetime import date
from typing import Any

from giftcards.domain.codes import Code
from giftcards.domain.deliveries import CardsDelivered, DeliveredCard, GiftConfirmed, Person
from giftcards.domain.money import Money

CODE = Code("wxyz2345bcdf6789hjkm")
CARD = DeliveredCard(CODE, Money(5_000, "USD"), date(2031, 11, 3))
OTHER_CARD = DeliveredCard(Code("hjkm4567npqr2345"), Money(125_000, "USD"), None)


def delivered(**given: Any) -> CardsDelivered:
    facts: dict[str, Any] = {
        "operation": "issue#recA#1",
        "resend": 0,
        "to": Person("Mia", "mia@example.com"),
        "cards": (CARD,),
        "giver": "Rosa",
        "message": "Happy day!\nBuy something nice.",
        "theme": "standard",
        "shop_name": "Lantern & Loom",
        "shop_url": "https://lantern.example",
    }
    return CardsDelivered(**(facts | given))


def confirmed(**given: Any) -> GiftConfirmed:
    facts: dict[str, Any] = {
        "operation": "issue#recA#1",
        "resend": 0,
        "to": Person("Rosa", "rosa@example.com"),
        "recipient": Person("Mia", "mia@example.com"),
        "amount": Money(5_000, "USD"),
        "quantity": 1,
        "send_on": date(2026, 12, 24),
        "message": "Happy day!\nBuy something nice.",
        "theme": "standard",
        "shop_name": "Lantern & Loom",
        "shop_url": "https://lantern.example",
    }
    return GiftConfirmed(**(facts | given))
