"""Orders of the web shop that sell our cards: they are made, sent, held, given back, disputed."""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from giftcards.clients.airtable import ORDER_IS_DONE, ORDER_MAKES_NO_CARD
from giftcards.flows.kinds import RETURN, order_key
from giftcards.flows.order_log import TAKEN
from giftcards.flows.return_card import (
    ALREADY_SPENT,
    CARD_RETURNED,
    NOT_RETURNED,
    REST_TAKEN,
)
from giftcards.flows.sale import CARD_DEAD, DROPPED, ISSUE
from giftcards.receipts import ReceiptOutcome
from giftcards.store.journal import Operation, State
from giftcards.wiring import Application
from sandbox.shopify import CartLine, GiftCard, Order, OrderPlan, Pay
from sandbox.shopify.orders import CancelReason, LineItem, Recommendation
from simulator.faults import HOUR, MINUTE, SECOND, Kind
from simulator.stories import redeeming
from simulator.stories.redeeming import void
from simulator.stories.story import Act, Promise, Settle, Story

if TYPE_CHECKING:
    from simulator.world import World

CASEY = "casey@example.com"
MINA = "mina@example.com"

# By then the order has been read, and its cards are begun on a good day.
FIRST_LOOK = 4 * SECOND

# Long after an order was served on a good day, and its cards are in their owners' hands.
MUCH_LATER = 10 * MINUTE


def buy(world: "World", *lines: CartLine, **plan: Any) -> Order:  # noqa: ANN401 - any of a plan
    """A customer orders and pays; a card of 50 unless told otherwise."""
    cart = lines or (CartLine("GIFT-CARD-50"),)
    return world.shop.orders.place(cart, Pay(), plan=OrderPlan(email=CASEY, **plan))


def give_back(world: "World", order: Order, units: int = 1) -> None:
    """The office refunds units of the order's first line."""
    line = order.lines[0]
    world.shop.orders.refund(order.id, units={line.id: units})


def double_records(world: "World") -> None:
    """Somebody duplicates what we have written so far, rows of orders included."""
    redeeming.double_records(world)
    table = world.base.table("Processed Orders")
    for record in table.records():
        table.create(record["fields"])


ACCIDENTS: dict[Kind, Act] = {Kind.RECORD_DOUBLED: double_records}

# ------------------------------------------------------------------------------------ the stories


def one_card(world: "World", chance: Random) -> None:
    """Casey buys a card of 50."""
    del chance
    buy(world)


def a_gift_and_another(world: "World", chance: Random) -> None:
    """Casey buys a gift for Mina, and two cards."""
    del chance
    gift = {"Recipient name": "Mina", "Recipient email": MINA, "Message": "With love"}
    buy(world, CartLine("GIFT-CARD-100", properties=gift), CartLine("GIFT-CARD-25", 2))


def a_risky_one(world: "World", chance: Random) -> None:
    """Shopify advises against the order once it has assessed it."""
    del chance
    buy(world, risk=Recommendation.CANCEL, risk_after_seconds=40)


def given_back_at_once(world: "World", chance: Random) -> None:
    """Of two units one is refunded while their cards are made."""
    order = buy(world, CartLine("GIFT-CARD-50", 2))
    at = FIRST_LOOK + chance.randrange(8 * SECOND)
    world.arrange(at, lambda: give_back(world, order))


def given_back_later(world: "World", chance: Random) -> None:
    """A card is refunded when it was sent long ago."""
    del chance
    order = buy(world)
    world.arrange(MUCH_LATER, lambda: give_back(world, order))


def given_back_partly_spent(world: "World", chance: Random) -> None:
    """A card is refunded of which a store has taken 10."""
    del chance
    order = buy(world)
    world.arrange(MUCH_LATER, lambda: spend_in_store(world, order))
    world.arrange(MUCH_LATER + 2 * MINUTE, lambda: give_back(world, order))


def spend_in_store(world: "World", order: Order, amount: int = 10) -> None:
    """The owner of an order's first card pays in a store, if it was made by now."""
    cards = cards_of(world, order.lines[0])
    if cards:
        redeeming.file(world, code=cards[0].code, amount=amount)


def cancelled_first(world: "World", chance: Random) -> None:
    """An order is cancelled before anybody has looked at it."""
    del chance
    world.shop.orders.cancel(buy(world).id, CancelReason.CUSTOMER)


def a_native_one(world: "World", chance: Random) -> None:
    """Shopify makes a card of its own and mails it; its owner is at a store's counter soon."""
    del chance
    native = next(one for one in world.shop.orders.products if one.is_gift_card)
    order = buy(world, CartLine(native.variants[0].id))
    card = world.shop.card(order.lines[0].native_card_ids[0])
    world.arrange(3 * SECOND, lambda: void(redeeming.file(world, code=card.code)))


def disputed(world: "World", chance: Random) -> None:
    """The customer's bank disputes the payment; a store refuses the card, until it is released."""
    del chance
    order = buy(world)
    world.arrange(MUCH_LATER, lambda: void(world.shop.orders.charge_back(order.id)))
    world.arrange(MUCH_LATER + 2 * MINUTE, lambda: spend_in_store(world, order))
    world.arrange(MUCH_LATER + 3 * HOUR, partial(release_cards, world))


def release_cards(world: "World") -> None:
    """The office releases every frozen card."""
    world.ask_office(_release_frozen)


def _release_frozen(app: Application) -> None:
    for card in app.shopify.changed_cards(count=10).cards:
        app.freeze().release(card.card.id, by="the office", because="the dispute was won")


STORIES: Mapping[str, Story] = {
    "buy": Story(
        words="Casey buys a card of 50 in the web shop.",
        begin=one_card,
        accidents=ACCIDENTS,
        is_on_web=True,
    ),
    "buy-gift": Story(
        words="Casey buys a card for Mina in the web shop, and two for himself.",
        begin=a_gift_and_another,
        accidents=ACCIDENTS,
        is_on_web=True,
    ),
    "buy-risky": Story(
        words="Casey buys a card; Shopify advises against the order, and the office releases it.",
        begin=a_risky_one,
        accidents=ACCIDENTS,
        is_approved=True,
        is_on_web=True,
    ),
    "buy-two-one-returned": Story(
        words="Casey buys two cards, and one is refunded while they are made.",
        begin=given_back_at_once,
        accidents=ACCIDENTS,
        is_pair=True,
        is_on_web=True,
    ),
    "buy-returned": Story(
        words="Casey buys a card; it is refunded when he has it.",
        begin=given_back_later,
        accidents=ACCIDENTS,
        own_from=MUCH_LATER,
        is_on_web=True,
    ),
    "buy-returned-partly-spent": Story(
        words="Casey buys a card and pays with it in a store; then it is refunded.",
        begin=given_back_partly_spent,
        accidents=ACCIDENTS,
        own_from=MUCH_LATER,
        is_on_web=True,
    ),
    "buy-cancelled": Story(
        words="Casey buys a card, and cancels before anybody has looked.",
        begin=cancelled_first,
        accidents=ACCIDENTS,
        is_on_web=True,
    ),
    "buy-native": Story(
        words="Casey buys a card of Shopify's own, and pays with it in a store at once.",
        begin=a_native_one,
        accidents=ACCIDENTS,
        is_on_web=True,
    ),
    "buy-disputed": Story(
        words="Casey's bank disputes his payment of a card; the office releases it later.",
        begin=disputed,
        accidents=ACCIDENTS,
        own_from=MUCH_LATER,
        longest=8 * HOUR,
        is_on_web=True,
    ),
}

# ---------------------------------------------------------------------------------- the promises

# How the card of a unit that was given back may end.
GIVEN_BACK = frozenset({CARD_RETURNED, REST_TAKEN, ALREADY_SPENT, CARD_DEAD, NOT_RETURNED, DROPPED})


def cards_of(world: "World", line: LineItem) -> list[GiftCard]:
    """The cards that were made for a line."""
    beginning = f"{ISSUE}#{line.number}#"
    return [card for card in world.shop.cards if (card.note or "").startswith(beginning)]


def one_card_a_paid_unit(world: "World") -> Iterator[str]:
    """Every unit that was paid and not given back is one card; of the others none can be spent."""
    for order in world.shop.orders.all:
        for line in _our_lines(world, order):
            made = Counter(str(card.note) for card in cards_of(world, line))
            returns = {
                key.replace(f"{RETURN}#", f"{ISSUE}#", 1): one
                for key, one in world.operations.items()
                if key.startswith(f"{RETURN}#{line.number}#")
            }
            for key, count in made.items():
                if count > 1 or _unit(key) > line.quantity:
                    yield f"of {line.quantity} units of order {order.name}, {key} became {count}"
            good = [card for card in cards_of(world, line) if card.note not in returns]
            if [card.initial_value for card in good] != [line.price] * line.current_quantity:
                wanted = f"{line.current_quantity} units of {line.price}"
                yield f"order {order.name} has {wanted}, and {len(good)} cards were made"
            for operation in returns.values():
                if operation.result is None or operation.result.outcome not in GIVEN_BACK:
                    yield f"{operation.key} never took its card out of use"
            yield from _are_out_of_use(world, line, returns)


def _unit(key: str) -> int:
    """The number of a unit of its line; they count from 1."""
    return int(key.rpartition("#")[2])


def _are_out_of_use(
    world: "World", line: LineItem, returns: Mapping[str, Operation]
) -> Iterator[str]:
    for card in cards_of(world, line):
        operation = returns.get(card.note or "")
        outcome = None if operation is None or operation.result is None else operation.result
        if outcome is None or outcome.outcome == NOT_RETURNED:
            continue  # a person has said that it stays
        if card.enabled and card.balance:
            yield f"{card.id} was given back, and can still be spent: {card.balance}"


def orders_are_shown(world: "World") -> Iterator[str]:
    """Every order that sells our cards has one row, and those that were taken have their tag."""
    rows = world.rows("Processed Orders")
    count = Counter(row["Order ID"] for row in rows)
    by_id = {row["Order ID"]: row for row in rows}
    for order in world.shop.orders.all:
        lines = _our_lines(world, order)
        if not lines:
            continue
        number = str(order.number)
        entry = world.operations.get(order_key(number))
        if entry is None or entry.result is None:
            yield f"order {order.name} was never judged"
            continue
        if world.config.processed_tag not in order.tags:
            yield f"order {order.name} has no tag"
        if count[number] != 1:
            yield f"order {order.name} has {count[number]} rows in Airtable"
        else:
            yield from _reads_right(world, order, by_id[number], entry)


def _reads_right(
    world: "World", order: Order, row: Mapping[str, Any], entry: Operation
) -> Iterator[str]:
    taken = entry.result is not None and entry.result.outcome == TAKEN
    wanted = ORDER_IS_DONE if taken else ORDER_MAKES_NO_CARD
    if row["Status"] != wanted:
        yield f"the row of order {order.name} reads {row['Status']}, and not {wanted}"
    made = sum(len(cards_of(world, line)) for line in order.lines)
    if len(row.get("Gift Cards", ())) != made:
        linked = len(row.get("Gift Cards", ()))
        yield f"the row of order {order.name} links to {linked} cards, and {made} were made"


def returns_leave_receipts(world: "World") -> Iterator[str]:
    """Every unit that was given back has one receipt, which says how its card ended."""
    for operation in world.operations.values():
        result = operation.result
        if operation.kind != RETURN or result is None:
            continue
        if len(result.receipts) != 1:
            yield f"{operation.key} is {result.outcome} and has {len(result.receipts)} receipts"
        elif result.outcome == REST_TAKEN and result.receipts[0].outcome is not ReceiptOutcome.DONE:
            yield f"the receipt of {operation.key} says {result.receipts[0].outcome}"


def _our_lines(world: "World", order: Order) -> list[LineItem]:
    return [line for line in order.lines if line.sku in world.config.gift_card_skus]


PROMISES: tuple[tuple[str, Promise], ...] = (
    ("ONE_CARD", one_card_a_paid_unit),
    ("NOTHING_LOST", orders_are_shown),
    ("ONE_RECEIPT", returns_leave_receipts),
)


def settle_return(world: "World", app: Application, operation: Operation) -> None:
    """A person looks whether the rest was taken off the card that was given back."""
    is_charged = has_moved(world, operation)
    if is_charged or decides_it_is_over(world):
        app.adjust_balance().decide(operation, moved=is_charged, by="the office")
    else:
        app.journal.unpark(operation, due_at=world.clock())


def has_moved(world: "World", operation: Operation) -> bool:
    """Whether Shopify's page of a card shows a movement of a parked operation."""
    if operation.parked_in is not State.SENT:
        return False
    return any(
        movement.note == operation.key
        for card in world.shop.cards
        for movement in card.transactions
    )


def decides_it_is_over(world: "World") -> bool:
    """One person says that it did not move, another one has it tried again: both do, by chance."""
    return bool(world.timeline.us // SECOND % 2)


SETTLERS: Mapping[str, Settle] = {RETURN: settle_return}
