"""Words for tests in which cards are spent on the web: what customers do, what the office reads."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from giftcards.domain.money import Money
from giftcards.receipts import Action
from giftcards.store.table import LOOK_QUEUE, OPEN_QUEUE, unpack_money
from sandbox.faults import Fault
from sandbox.shopify.order_desk import CartLine, OrderPlan
from sandbox.shopify.orders import Order
from sandbox.shopify.payments import Pay
from sandbox.shopify.shop import GiftCard
from tests.world import World

CODE = "wxyz2345abcd6789"
OTHER = "mnpq2345mnpq7788"

# Ticks of the prong come this far apart.
TICK_SECONDS = 30

# An adjustment takes the patience and a look; much longer, and something never ends.
MINUTES_TO_REST = 60

# What a receipt of each action does to a balance.
SIGNS = {
    Action.REDEEM_IN_STORE: -1,
    Action.SPEND_ON_WEB: -1,
    Action.REFUND_ON_WEB: 1,
    Action.RAISED_AT_SHOPIFY: 1,
    Action.LOWERED_AT_SHOPIFY: -1,
    Action.REVERSE: 1,
    Action.PUT_RIGHT: 1,
    Action.RETURN_CARD: -1,
}


def goods(world: World) -> str:
    """A SKU of the shop that is no card, of some price."""
    skus = (
        variant.sku
        for product in world.shop.orders.products
        for variant in product.variants
        if not product.is_gift_card
    )
    return next(sku for sku in skus if sku and sku not in world.config.gift_card_skus)


def load(world: World, amount: int = 50, *, code: str = CODE, **about: Any) -> GiftCard:
    """A card that Shopify made."""
    return world.shop.issue_card(code=code, amount=amount, **about)


def order(
    world: World,
    *shares: tuple[str, int | str],
    is_captured: bool = True,
    plan: OrderPlan | None = None,
) -> Order:
    """A customer orders something and pays these shares by card, the rest by credit card."""
    cards = [(code, Decimal(str(amount))) for code, amount in shares]
    pay = Pay(cards=cards, is_captured=is_captured)
    return world.shop.orders.place([CartLine(goods(world), quantity=9)], pay, plan=plan)


def look(world: World, times: int = 1) -> None:
    """So many ticks of the prong, with all that follows from each."""
    for _ in range(times):
        world.advance(TICK_SECONDS)
        world.spend_tick()
        world.drain()


def native_sku(world: World) -> str:
    """What Shopify's own gift card is bought by."""
    return next(
        variant.id
        for product in world.shop.orders.products
        for variant in product.variants
        if product.is_gift_card
    )


def known_card(world: World, amount: int = 50, *, code: str = CODE) -> GiftCard:
    """A card that was looked at, so that only what comes now is news."""
    card = load(world, amount, code=code)
    look(world)
    return card


def debit_given_up(world: World, card: GiftCard, *, code: str = CODE, amount: int = 10) -> str:
    """A redemption that is answered as not charged, and applied afterwards; returns its key."""
    row_id = world.ask(Gift_Card_Code=code, Amount=amount)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardDebit")
    world.serve()
    for _ in range(5):
        world.advance(60)
        world.tick()
        world.drain()
    assert world.row(row_id)["Outcome"] == "NOT_CHARGED"
    rest(world)
    world.shop.debit(card.id, amount=Decimal(amount), note=f"redemption#{row_id}")
    return f"redemption#{row_id}"


def rest(world: World) -> None:
    """Let time pass until nothing is left to look at, whatever may be parked."""
    for _ in range(MINUTES_TO_REST):
        deaths = world.effects.deaths
        world.advance(60)
        world.tick()
        world.spend_tick()
        world.sweep()
        world.drain()
        if deaths == world.effects.deaths and not _left(world):
            return
    raise AssertionError(f"the cards never came to rest: {_left(world)}")


def _left(world: World) -> list[str]:
    left = {OPEN_QUEUE, LOOK_QUEUE}
    items = [str(item["key"]) for item in world.items() if item.get("queue") in left]
    return items + [body for queue, _ in world.one_offs() for body in world.queued_in(queue)]


def operations(world: World, kind: str) -> list[Mapping[str, Any]]:
    """The operations of a kind as they stand in the table."""
    return [
        item for item in world.items() if item["key"].startswith("op#") and item["kind"] == kind
    ]


def receipts(world: World, *actions: Action) -> list[dict[str, Any]]:
    """The receipts in Airtable, of these actions or all."""
    return [row for row in world.cells("Receipts") if not actions or row["Action"] in actions]


def moved_by_receipts(world: World, card: GiftCard) -> Money:
    """What the journal's receipts say a card's balance was changed by in all."""
    total = Money.zero(world.shop.currency)
    for item in world.items():
        result = item.get("result")
        if result is None or result["moved_card"] != card.id:
            continue
        for receipt in result["receipts"]:
            amount = unpack_money(receipt["amount"])
            sign = SIGNS.get(Action(receipt["action"]), 0)
            if amount is not None and receipt["outcome"] == "Done":
                total += Money(sign * amount.minor, amount.currency)
    return total


def check_in_step(world: World, *cards: GiftCard) -> None:
    """Each card's mirror shows its balance, and its receipts come to what moved, to the cent."""
    mirrors = {row["Shopify ID"]: row for row in world.cells("Gift Cards")}
    for card in cards:
        now_there = world.shop.card(card.id)
        assert Decimal(str(mirrors[card.id]["Balance"])) == now_there.balance
        moved = Money.parse(now_there.balance - now_there.initial_value, world.shop.currency)
        assert moved_by_receipts(world, card) == moved
