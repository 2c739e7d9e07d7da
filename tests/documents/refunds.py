"""Writes the parts of docs/refunds.md that the code itself can tell.

python -m tests.documents.refunds        what `make docs` runs

Each cell of the matrix is one order in a world of its own: two lanterns (34.00 each) and one of our
gift cards (25.00), paid in one of the ways and met by one of the events.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.shopify import CartLine, GiftCard, Order, OrderPlan, Pay
from sandbox.shopify.orders import SourceName
from tests.documents.document import Document
from tests.world import World, running_world

CARD, CARD_AND_CREDIT, TWO_CARDS, WITH_NATIVE = (
    "one card",
    "a card and a credit card",
    "two cards",
    "a card of ours and a native one",
)

# What the paying cards hold before the order, the native one being the last: 93.00 are to be paid.
HOLD: Mapping[str, Sequence[str]] = {
    CARD: ("100",),
    CARD_AND_CREDIT: ("50",),
    TWO_CARDS: ("50", "60"),
    WITH_NATIVE: ("50", "60"),
}

HEAD = (
    "| what happens | paying cards then | the card that was bought | in `Processed Orders`"
    " | receipts | mails |"
)

CART = (CartLine("LANTERN-S", 2), CartLine("GIFT-CARD-25"))
CUSTOMER = "customer@customers.example.com"
CODES = ("wxyz2345abcd6789", "hjkm2345abcd7777")
NATIVE_60 = 1  # which variant of the native card holds 60.00


@dataclass(frozen=True, slots=True)
class Event:
    """What happens to an order: how it is placed, and what the office, a bank or Shopify does."""

    what: str
    after: Callable[[World, Order], object] | None = None
    at_once: bool = False
    plan: OrderPlan | None = None


def _lanterns(order: Order) -> str:
    return order.lines[0].id


def _card_line(order: Order) -> str:
    return order.lines[1].id


def _add_a_card(world: World, order: Order) -> None:
    world.shop.orders.edit(order.id, units={_card_line(order): 2})
    world.shop.orders.pay(order.id, Pay())


def _cancel(world: World, order: Order) -> None:
    world.shop.orders.cancel(order.id)


def _from(source: SourceName) -> OrderPlan:
    return OrderPlan(source_name=source)


EVENTS: Mapping[str, Event] = {
    "paid": Event("nothing more happens"),
    "full refund": Event(
        "everything is given back, to where it came from",
        lambda world, order: world.shop.orders.refund(order.id),
    ),
    "partial refund": Event(
        "one lantern is given back: 34.00, to the oldest payment first",
        lambda world, order: world.shop.orders.refund(order.id, units={_lanterns(order): 1}),
    ),
    "other tender": Event(
        "everything is given back, in cash",
        lambda world, order: world.shop.orders.refund(order.id, other_tender="cash"),
    ),
    "cancel before": Event("cancelled and given back before we looked", _cancel, at_once=True),
    "cancel after": Event("cancelled and given back after the card was mailed", _cancel),
    "edit adds": Event("an edit adds a gift card, which is paid by credit card", _add_a_card),
    "edit removes": Event(
        "an edit removes the gift card; no money moves",
        lambda world, order: world.shop.orders.edit(order.id, units={_card_line(order): 0}),
    ),
    "chargeback": Event(
        "the customer's bank takes the payment back",
        lambda world, order: world.shop.orders.charge_back(order.id),
    ),
    "subscription": Event("the order of a subscription", plan=_from(SourceName.SUBSCRIPTION)),
    "draft": Event("a draft order that was paid", plan=_from(SourceName.DRAFT)),
    "test": Event("a test order", plan=OrderPlan(is_test=True)),
    "pos": Event("a sale at a Shopify POS", plan=_from(SourceName.POS)),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """What came of one order.

    `balances` are the paying cards' at the end, `bought` says for each card that the order bought
    what it holds and how it stands, `rows` are those in `Processed Orders`, `receipts` and `mails`
    count what was written and sent since the order was placed; `differences` are cards that
    Airtable shows otherwise than Shopify.
    """

    balances: tuple[Decimal, ...]
    bought: tuple[tuple[Decimal, str], ...]
    rows: tuple[tuple[str, str, Decimal | None], ...]
    receipts: Counter[str]
    mails: Counter[tuple[str, str]]
    differences: tuple[str, ...]


def live_through(payment: str, event: Event) -> Cell:
    """Place the order, let the event happen, and look at everything once it is quiet."""
    with running_world() as world:
        paying = _give_cards(world, payment)
        world.come_to_rest()
        before = _receipts(world)
        known = {card.id for card in world.shop.cards}
        mails = len(world.mails()) + len(world.klaviyo.events)
        assert mails == 0
        order = world.shop.orders.place(CART, Pay([card.code for card in paying]), plan=event.plan)
        if not event.at_once:
            world.come_to_rest()
        if event.after is not None:
            event.after(world, order)
        world.come_to_rest()
        cards = {card.id: card for card in world.shop.cards}
        return Cell(
            balances=tuple(cards[card.id].balance for card in paying),
            bought=tuple(
                (card.balance, _stands(world, card))
                for card in cards.values()
                if card.id not in known
            ),
            rows=tuple(
                (row["Kind"], row["Status"], _amount(row))
                for row in world.cells("Processed Orders")
                if row["Order"] == order.name
            ),
            receipts=_receipts(world) - before,
            mails=_mails(world),
            differences=tuple(_differences(world)),
        )


def _give_cards(world: World, payment: str) -> list[GiftCard]:
    """The cards that will pay, fresh and known to everybody."""
    amounts = HOLD[payment]
    ours = amounts[:-1] if payment == WITH_NATIVE else amounts
    cards = [
        world.shop.issue_card(code=code, amount=amount)
        for code, amount in zip(CODES, ours, strict=False)
    ]
    if payment == WITH_NATIVE:
        (product,) = [each for each in world.shop.orders.products if each.is_gift_card]
        order = world.shop.orders.place([CartLine(product.variants[NATIVE_60].id)], Pay())
        (made,) = order.lines[0].native_card_ids
        cards.append(world.shop.card(made))
    return cards


def _receipts(world: World) -> Counter[str]:
    return Counter(f"{row['Action']}, {row['Outcome']}" for row in world.cells("Receipts"))


def _amount(row: Mapping[str, Any]) -> Decimal | None:
    return Decimal(str(row["Amount"])) if "Amount" in row else None


def _stands(world: World, card: GiftCard) -> str:
    """How a card stands in Airtable, where people look."""
    shown = [row for row in world.cells("Gift Cards") if row["Shopify ID"] == card.id]
    return str(shown[0]["Status"]) if shown else "not shown"


def _mails(world: World) -> Counter[tuple[str, str]]:
    """Mails by their reader and what they are: subjects of ours, events of Klaviyo's."""
    read = Counter((mail.destinations["ToAddresses"][0], mail.subject) for mail in world.mails())
    read.update((str(event.email), event.metric) for event in world.klaviyo.events)
    return read


def _differences(world: World) -> list[str]:
    """Cards of which Airtable shows another balance than Shopify has."""
    shown = {row["Shopify ID"]: Decimal(str(row["Balance"])) for row in world.cells("Gift Cards")}
    return [
        card.id for card in world.shop.cards if card.id in shown and shown[card.id] != card.balance
    ]


def matrix() -> str:
    """One table for each way to pay."""
    parts = []
    for payment, amounts in HOLD.items():
        total = ", ".join(f"{Decimal(amount):.2f}" for amount in amounts)
        parts += [
            f"### Paid by {payment}",
            "",
            f"The paying cards held {total} before.",
            "",
            HEAD,
            "|---|---|---|---|---|---|",
        ]
        parts += [_show(event, live_through(payment, event)) for event in EVENTS.values()]
        parts.append("")
    return "\n".join(parts).rstrip()


def _show(event: Event, cell: Cell) -> str:
    bought = "<br>".join(f"{balance:.2f}, {stands}" for balance, stands in cell.bought) or "none"
    rows = "<br>".join(
        f"{kind}: {status}" + (f", {amount:.2f}" if amount is not None else "")
        for kind, status, amount in cell.rows
    )
    receipts = "<br>".join(_count(what, count) for what, count in sorted(cell.receipts.items()))
    mails = "<br>".join(
        _count(f"{to}: {subject}", count) for (to, subject), count in sorted(cell.mails.items())
    )
    balances = ", ".join(f"{balance:.2f}" for balance in cell.balances)
    return f"| {event.what} | {balances} | {bought} | {rows} | {receipts} | {mails or 'none'} |"


def _count(what: str, count: int) -> str:
    return what if count == 1 else f"{count} × {what}"


DOCUMENT = Document("refunds.md", {"matrix": matrix})

if __name__ == "__main__":
    DOCUMENT.write()
