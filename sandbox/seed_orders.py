"""The web shop's part of the seeded day: orders of every kind, each with what has to become of it.

They are placed as customers and office would: nothing here writes a state that no act leads to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from sandbox.shopify import CartLine, GiftCard, Order, OrderPlan, Pay, Shop
from sandbox.shopify.catalog import MESSAGE, RECIPIENT_EMAIL, RECIPIENT_NAME, SEND_ON, THEME
from sandbox.shopify.orders import CancelReason, Recommendation, SourceName

# As old as the redemptions of the day: minutes.
FIRST_ORDER_AGE = timedelta(minutes=6)
BETWEEN_ORDERS = timedelta(seconds=15)

# Before the go-live.
OLD_ORDER_AGE = timedelta(days=30)

# Longer than any demo lasts: the order stays unassessed, and once it has waited for as long as the
# shop has patience, the office is asked.
NEVER_ASSESSED_SECONDS = 30 * 24 * 3600.0


class ExpectedOfOrder(StrEnum):
    """What has to become of a seeded order."""

    ISSUED = "our cards are made and mailed, and the order is tagged"
    MIRRORED = "Shopify has made the card itself: it is shown in Airtable"
    SPENT = "what it took off our cards, or gave back, is shown in Airtable"
    HELD = "held for the office, which is told"
    WAITS = "waits until Shopify has assessed its risk, or somebody has paid"
    NO_CARD = "no card is made; that is noted"
    SKIPPED = "paid with a card from before the go-live: noted once"
    NOTHING = "no gift card has anything to do with it"
    NEVER_TOUCHED = "older than the go-live: never read, never changed"


@dataclass(frozen=True, slots=True)
class SeededOrder:
    """An order: why it is there, and what has to become of it.

    `cards_to_make` counts the cards of ours that its units are worth, `recipients` are the mail
    addresses they go to. `moved` says what the order has done to each card's balance so far, by the
    card's id: negative where it paid.
    """

    id: str
    name: str
    why: str
    expected: ExpectedOfOrder
    cards_to_make: int
    recipients: frozenset[str]
    moved: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class _OrderStory:
    """An order to place. `cards` name the cards that pay; `after` is what happens to it then."""

    why: str
    expected: ExpectedOfOrder
    cart: tuple[CartLine, ...]
    who: tuple[str | None, str | None]
    cards: tuple[str, ...] = ()
    is_paid: bool = True
    is_captured: bool = True
    plan: Mapping[str, object] = field(default_factory=dict)
    after: Callable[[Shop, Order], object] | None = None
    cards_to_make: int = 0
    recipients: frozenset[str] = frozenset()
    age: timedelta | None = None


def _customer(name: str) -> tuple[str, str]:
    """A name, and the address that belongs to it; the domain is reserved for examples."""
    return name, f"{name.lower().replace(' ', '.')}@customers.example.com"


def _refund_one(shop: Shop, order: Order) -> None:
    shop.orders.refund(order.id, units={order.lines[0].id: 1}, note="one too many")


CLARA = _customer("Clara Jensen")
OWN = frozenset({CLARA[1]})


def _stories(shop: Shop) -> tuple[_OrderStory, ...]:
    """The orders, oldest first."""
    (native,) = [each for each in shop.orders.products if each.is_gift_card]
    soon = (shop.today() + timedelta(days=9)).isoformat()
    gift = {
        RECIPIENT_NAME: "Mina Okafor",
        RECIPIENT_EMAIL: "mina.okafor@customers.example.com",
        MESSAGE: "For your new home. Buy the lamp!",
        THEME: "Birthday",
    }
    return (
        _OrderStory(
            "It was paid before the go-live: somebody has made the card by hand since.",
            ExpectedOfOrder.NEVER_TOUCHED,
            (CartLine("GIFT-CARD-50"),),
            _customer("Otto Lehmann"),
            age=OLD_ORDER_AGE,
        ),
        _OrderStory(
            "A customer buys a card for herself.",
            ExpectedOfOrder.ISSUED,
            (CartLine("GIFT-CARD-50"),),
            CLARA,
            cards_to_make=1,
            recipients=OWN,
        ),
        _OrderStory(
            "A gift with a message and a theme.",
            ExpectedOfOrder.ISSUED,
            (CartLine("GIFT-CARD-100", 1, gift),),
            _customer("Leo Marchetti"),
            cards_to_make=1,
            recipients=frozenset({gift[RECIPIENT_EMAIL]}),
        ),
        _OrderStory(
            "Three cards in two lines beside a lantern; two of them are sent later.",
            ExpectedOfOrder.ISSUED,
            (
                CartLine("GIFT-CARD-25", 2, gift | {SEND_ON: soon}),
                CartLine("GIFT-CARD-100"),
                CartLine("LANTERN-S"),
            ),
            CLARA,
            cards_to_make=3,
            recipients=OWN | {gift[RECIPIENT_EMAIL]},
        ),
        _OrderStory(
            "Three cards, one refunded before we looked: two are left.",
            ExpectedOfOrder.ISSUED,
            (CartLine("GIFT-CARD-25", 3),),
            CLARA,
            after=_refund_one,
            cards_to_make=2,
            recipients=OWN,
        ),
        _OrderStory(
            "Cancelled before we looked.",
            ExpectedOfOrder.NO_CARD,
            (CartLine("GIFT-CARD-50"),),
            _customer("Dina Haddou"),
            after=lambda shop, order: shop.orders.cancel(order.id, CancelReason.CUSTOMER),
        ),
        _OrderStory(
            "A test order: nobody has paid real money.",
            ExpectedOfOrder.NO_CARD,
            (CartLine("GIFT-CARD-100"),),
            _customer("Tess Trial"),
            plan={"is_test": True},
        ),
        _OrderStory(
            "Shopify has not assessed the risk yet.",
            ExpectedOfOrder.WAITS,
            (CartLine("GIFT-CARD-100"),),
            _customer("Paul Sorel"),
            plan={"risk_after_seconds": NEVER_ASSESSED_SECONDS},
        ),
        _OrderStory(
            "Paid by bank transfer, which has not come yet.",
            ExpectedOfOrder.WAITS,
            (CartLine("GIFT-CARD-50"),),
            _customer("Karin Holt"),
            is_paid=False,
            plan={"source_name": SourceName.DRAFT},
        ),
        _OrderStory(
            "Ten of the dearest cards: Shopify advises to cancel the order.",
            ExpectedOfOrder.HELD,
            (CartLine("GIFT-CARD-100", 10),),
            _customer("Rich Quick"),
            plan={"risk": Recommendation.CANCEL},
        ),
        _OrderStory(
            "The order has no mail address: nobody knows whom to send the card to.",
            ExpectedOfOrder.HELD,
            (CartLine("GIFT-CARD-25"),),
            ("Nora Quist", None),
        ),
        _OrderStory(
            "Shopify's own gift card.",
            ExpectedOfOrder.MIRRORED,
            (CartLine(native.variants[0].id),),
            _customer("Theo Brandao"),
        ),
        _OrderStory(
            "Paid with one of our cards, and the rest by credit card.",
            ExpectedOfOrder.SPENT,
            (CartLine("THROW-MOSS"),),
            _customer("Sofia Lund"),
            cards=("paying on the web",),
        ),
        _OrderStory(
            "Paid with two of our cards; the payment is captured in two steps.",
            ExpectedOfOrder.SPENT,
            (CartLine("LANTERN-S", 2),),
            _customer("Amir Rahimi"),
            cards=("paying with another", "the other paying"),
            is_captured=False,
            after=_capture_in_two,
        ),
        _OrderStory(
            "Paid with one of our cards, and partly refunded to it.",
            ExpectedOfOrder.SPENT,
            (CartLine("LANTERN-S", 2),),
            _customer("Joan Price"),
            cards=("given back",),
            after=_refund_one,
        ),
        _OrderStory(
            "Paid with a card from before the go-live, which is none of ours.",
            ExpectedOfOrder.SKIPPED,
            (CartLine("LANTERN-S"),),
            _customer("Emil Varga"),
            cards=("from before",),
        ),
        _OrderStory(
            "A lantern, paid by credit card.",
            ExpectedOfOrder.NOTHING,
            (CartLine("LANTERN-S"),),
            _customer("Ada Moreau"),
        ),
    )


def _capture_in_two(shop: Shop, order: Order) -> None:
    shop.orders.capture(order.id, Decimal(20))
    shop.orders.capture(order.id)


def place_orders(shop: Shop, cards: Mapping[str, GiftCard]) -> tuple[SeededOrder, ...]:
    """Place the day's orders, oldest first; `cards` by the name of their story."""
    placed_at, seeded = shop.now() - FIRST_ORDER_AGE, []
    for story in _stories(shop):
        if story.age is None:
            at, placed_at = placed_at, placed_at + BETWEEN_ORDERS
        else:
            at = shop.now() - story.age
        paying = [cards[name] for name in story.cards]
        before = [card.balance for card in paying]
        order = _place(shop, story, paying, at)
        if story.after is not None:
            story.after(shop, order)
        moved = {
            card.id: card.balance - was
            for card, was in zip(paying, before, strict=True)
            if card.balance != was
        }
        seeded.append(
            SeededOrder(
                id=order.id,
                name=order.name,
                why=story.why,
                expected=story.expected,
                cards_to_make=story.cards_to_make,
                recipients=story.recipients,
                moved=moved,
            )
        )
    return tuple(seeded)


def _place(shop: Shop, story: _OrderStory, paying: Sequence[GiftCard], at: datetime) -> Order:
    name, email = story.who
    plan = OrderPlan(email=email, customer_name=name, **story.plan)  # type: ignore[arg-type] # the stories above name its fields
    codes = [card.code for card in paying]
    pay = Pay(codes, is_captured=story.is_captured) if story.is_paid else None
    return shop.orders.place(story.cart, pay, plan=plan, at=at)
