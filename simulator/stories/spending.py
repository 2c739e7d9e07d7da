"""What the web shop, the office and staff do to cards: payments, refunds, undoing, adjusting."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from giftcards.flows.kinds import (
    GIVEN_BACK,
    OWED,
    REFUSED_REVERSAL,
    REPAY,
    REVERSAL,
    SPEND,
    reversal_key,
    spend_key,
)
from giftcards.flows.owe import owed_amount
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.flows.reversal import NOT_REVERSED, REVERSED, Reversal
from giftcards.receipts import Receipt, ReceiptOutcome
from giftcards.store.journal import Operation
from giftcards.wiring import Application
from sandbox.shopify import CartLine, Order, OrderPlan, Pay, Refusal
from sandbox.shopify.orders import OrderTransaction, TransactionKind, TransactionStatus
from simulator.faults import HOUR, MINUTE, SECOND, Kind
from simulator.stories import buying, redeeming
from simulator.stories.buying import decides_it_is_over, has_moved
from simulator.stories.redeeming import CODE, void
from simulator.stories.story import Act, Promise, Settle, Story
from tests.web_spending import SIGNS

if TYPE_CHECKING:
    from simulator.world import World

OTHER = "wxyz2345abcd7777"

# When all of a redemption is written, the office wants it back; or Shopify takes it a second time.
WANTED_BACK = 2 * MINUTE
CHARGED_AGAIN = 10 * MINUTE

# What the web shop sells that is no card, and enough of it that any share can be paid.
MANY = 9


def order(world: "World", *shares: tuple[str, Decimal | int], is_captured: bool = True) -> Order:
    """A customer orders goods, and pays these shares by gift card, the rest by credit card."""
    goods = next(
        variant.id
        for product in world.shop.orders.products
        if not product.is_gift_card
        for variant in product.variants
        if variant.sku not in world.config.gift_card_skus
    )
    pay = Pay(cards=[(code, Decimal(amount)) for code, amount in shares], is_captured=is_captured)
    return world.shop.orders.place([CartLine(goods, MANY)], pay, plan=OrderPlan(email=buying.CASEY))


def pay_on_web(world: "World", amount: Decimal | int | None = None) -> None:
    """A customer pays an order with the first card: so much, or else 45 or all that is left."""
    card = world.shop.cards[0]
    with suppress(Refusal):
        order(world, (card.code, redeeming.at_checkout(card) if amount is None else amount))


def want_back(world: "World", total: int, row: int = 0) -> None:
    """The office types the total that is to be given back for a redemption."""
    row_id = world.filed[row]
    if world.base.table("Redemptions").get(row_id)["fields"].get("Status") == "Processed":
        world.base.table("Redemptions").update(row_id, {"Reverse Amount": total})
        world.reversals[row_id] = total


def charge_twice(world: "World") -> None:
    """Shopify takes once more what a store's redemption took."""
    card, key = world.shop.cards[0], f"{REDEMPTION}#{world.filed[0]}"
    if any(movement.note == key for movement in card.transactions):
        with suppress(Refusal):
            world.shop.debit(card.id, amount=Decimal(10), note=key)
            world.charged_by_mistake[key] = Decimal(10)


ACCIDENTS: dict[Kind, Act] = {
    Kind.WEB_SPENDS: pay_on_web,
    Kind.OTHER_STORE: redeeming.ACCIDENTS[Kind.OTHER_STORE],
    Kind.RECORD_DOUBLED: buying.double_records,
}

# ------------------------------------------------------------------------------------ the stories


def one_payment(world: "World", chance: Random) -> None:
    """An order is paid with 20 of a card."""
    del chance
    redeeming.issue(world)
    order(world, (CODE, 20))


def two_cards_and_refunds(world: "World", chance: Random) -> None:
    """An order is paid with two cards, and two parts of one share are given back, soon."""
    del chance
    redeeming.issue(world)
    redeeming.issue(world, OTHER)
    placed = order(world, (CODE, 20), (OTHER, 30))
    paid = next(one for one in placed.transactions if one.card_id is not None)
    for at, part in ((40 * SECOND, Decimal("5.50")), (70 * SECOND, Decimal("4.50"))):
        world.arrange(at, partial(_refund_part, world, placed, paid, part))


def _refund_part(world: "World", placed: Order, paid: OrderTransaction, part: Decimal) -> None:
    world.shop.orders.refund(placed.id, units={}, amount=part, shares={paid.id: part})


def kept_back(world: "World", chance: Random) -> None:
    """A payment is authorised, taken in part, and the rest is let go."""
    del chance
    redeeming.issue(world)
    placed = order(world, (CODE, 30), is_captured=False)
    world.shop.orders.capture(placed.id, Decimal(10))
    world.arrange(40 * SECOND, lambda: void(world.shop.orders.void(placed.id)))


def beside_a_store(world: "World", chance: Random) -> None:
    """An order and a store take from one card at once; whoever comes second finds less on it."""
    redeeming.issue(world)
    redeeming.file(world)
    world.arrange(chance.randrange(6 * SECOND), partial(pay_on_web, world))


def by_staff(world: "World", chance: Random) -> None:
    """Staff credit a card at Shopify, and a till pays a part of it in cash."""
    del chance
    card = redeeming.issue(world)

    def change() -> None:
        world.shop.credit(card.id, amount=Decimal(5), note="sorry")
        world.shop.cash_out(card.id, 2)
        world.note_web(card.id, -3)

    world.arrange(40 * SECOND, change)


def undone(world: "World", chance: Random) -> None:
    """A redemption is given back in part, and then the rest of it."""
    del chance
    redeeming.issue(world)
    redeeming.file(world, amount=30)
    world.arrange(WANTED_BACK, partial(want_back, world, 20))
    world.arrange(9 * MINUTE, partial(want_back, world, 30))


def undone_once(world: "World", chance: Random) -> None:
    """A redemption is given back."""
    del chance
    redeeming.issue(world)
    redeeming.file(world)
    world.arrange(WANTED_BACK, partial(want_back, world, 10))


def undone_above_the_cap(world: "World", chance: Random) -> None:
    """What is to be given back is more than the cap: the office approves it."""
    del chance
    redeeming.issue(world, amount=300)
    redeeming.file(world, amount=250)
    world.arrange(WANTED_BACK, partial(want_back, world, 250))


def undone_and_spent(world: "World", chance: Random) -> None:
    """A redemption is given back while the card's owner is at the checkout."""
    redeeming.issue(world)
    redeeming.file(world)
    world.arrange(WANTED_BACK, partial(want_back, world, 10))
    # The minute's tick takes it up.
    at = WANTED_BACK + chance.randrange(8 * SECOND)
    world.arrange(at, partial(pay_on_web, world, 40))


def charged_twice(world: "World", chance: Random) -> None:
    """Shopify applies a debit a second time, much later: a person has it given back."""
    del chance
    redeeming.issue(world)
    redeeming.file(world)
    world.arrange(CHARGED_AGAIN, partial(charge_twice, world))


def frozen(world: "World", chance: Random) -> None:
    """The office freezes a card while a store charges it, and releases it an hour later."""
    redeeming.issue(world)
    redeeming.file(world)
    at = chance.randrange(4 * SECOND)
    world.arrange(at, lambda: world.ask_office(_freeze_first))
    world.arrange(HOUR, partial(buying.release_cards, world))


def _freeze_first(app: Application) -> None:
    (card,) = app.shopify.changed_cards(count=1).cards
    app.freeze().freeze(card.card.id, by="the office", because="it was stolen")


def a_day(world: "World", chance: Random) -> None:
    """An hour of stores, orders that sell cards, orders paid with cards, refunds and undoing."""
    redeeming.a_day(world, chance)
    codes = [card.code for card in world.shop.cards]
    for _ in range(chance.randint(3, 8)):
        at, units = chance.randrange(HOUR), chance.choice((1, 1, 2, 3))
        world.arrange(at, partial(_buy_at_times_give_back, world, chance, units))
    for _ in range(chance.randint(3, 8)):
        at, amount, code = chance.randrange(HOUR), chance.choice((5, 20)), chance.choice(codes)
        world.arrange(at, partial(_pay_at_times_refund, world, chance, amount, code))
    for _ in range(chance.randint(1, 4)):
        row = chance.randrange(20)
        world.arrange(HOUR + chance.randrange(HOUR), partial(_want_all_back, world, row))


def _buy_at_times_give_back(world: "World", chance: Random, units: int) -> None:
    placed = buying.buy(world, CartLine("GIFT-CARD-25", units))
    if chance.random() < 1 / 3:
        at = world.timeline.us + chance.randrange(40 * MINUTE)
        world.arrange(at, partial(buying.give_back, world, placed))


def _pay_at_times_refund(world: "World", chance: Random, amount: int, code: str) -> None:
    with suppress(Refusal):
        placed = order(world, (code, amount))
        if chance.random() < 1 / 3:
            at = world.timeline.us + chance.randrange(40 * MINUTE)
            world.arrange(at, lambda: void(world.shop.orders.refund(placed.id)))


def _want_all_back(world: "World", row: int) -> None:
    cells = world.base.table("Redemptions").get(world.filed[row])["fields"]
    if cells.get("Outcome") == "REDEEMED":
        want_back(world, cells["Amount"], row)


STORIES: Mapping[str, Story] = {
    "spend": Story(
        words="An order is paid with 20 of a card of 50.",
        begin=one_payment,
        accidents=ACCIDENTS,
        is_on_web=True,
    ),
    "spend-two": Story(
        words="An order is paid with two cards; one of them gets two parts of it back.",
        begin=two_cards_and_refunds,
        accidents=ACCIDENTS,
        is_on_web=True,
    ),
    "spend-authorised": Story(
        words="A payment by card is authorised, taken in part, and the rest is let go.",
        begin=kept_back,
        accidents=ACCIDENTS,
        is_on_web=True,
    ),
    "spend-and-redeem": Story(
        words="An order takes 45 of a card of 50, or what is left, while a store takes 10.",
        begin=beside_a_store,
        accidents=ACCIDENTS,
        is_pair=True,
        is_on_web=True,
    ),
    "spend-by-staff": Story(
        words="Staff credit a card at Shopify, and a till pays a part of it in cash.",
        begin=by_staff,
        accidents=ACCIDENTS,
        is_on_web=True,
    ),
    "undo": Story(
        words="A store redeems 10, and the office gives them back.",
        begin=undone_once,
        accidents=ACCIDENTS,
        own_from=WANTED_BACK,
        is_on_web=True,
    ),
    "undo-in-parts": Story(
        words="A store redeems 30; the office gives back 20, and then the rest.",
        begin=undone,
        accidents=ACCIDENTS,
        own_from=WANTED_BACK,
        is_on_web=True,
    ),
    "undo-approved": Story(
        words="A store redeems 250; the office wants them back, and has to say so twice.",
        begin=undone_above_the_cap,
        accidents=ACCIDENTS,
        own_from=WANTED_BACK,
        is_approved=True,
        is_on_web=True,
    ),
    "undo-and-spend": Story(
        words="The office gives back 10 while the card's owner pays 40 at the checkout.",
        begin=undone_and_spent,
        accidents=ACCIDENTS,
        own_from=WANTED_BACK,
        is_pair=True,
        is_on_web=True,
    ),
    "charged-twice": Story(
        words="Shopify takes 10 twice for one redemption; a person has them given back.",
        begin=charged_twice,
        accidents=ACCIDENTS,
        own_from=CHARGED_AGAIN,
        is_approved=True,
        is_on_web=True,
    ),
    "frozen": Story(
        words="The office freezes a card while a store redeems 10 of it.",
        begin=frozen,
        accidents=ACCIDENTS,
        is_pair=True,
        is_on_web=True,
    ),
    "web-day": Story(
        words="An hour in which stores, the web shop and the office are all busy.",
        begin=a_day,
        is_day=True,
        longest=40 * HOUR,
        is_on_web=True,
    ),
}

# ---------------------------------------------------------------------------------- the promises

MOVING = {
    TransactionKind.SALE: False,
    TransactionKind.CAPTURE: False,
    TransactionKind.REFUND: True,
}


def payments_are_noted(world: "World") -> Iterator[str]:
    """Each step of an order that moved a card's money has one receipt, and one row."""
    if not world.is_on_web:
        return
    shown = world.rows("Processed Orders")
    rows = Counter(row["Order ID"] for row in shown)
    amounts = {row["Order ID"]: row.get("Amount") for row in shown}
    for placed, step in _steps(world):
        key = spend_key(str(step.number), gives_back=MOVING[step.kind])
        operation = world.operations.get(key)
        if operation is None or operation.result is None:
            yield f"{key}, {step.amount} of order {placed.name}, was never noted"
            continue
        receipts = operation.result.receipts
        if len(receipts) != 1 or receipts[0].outcome is not ReceiptOutcome.DONE:
            yield f"{key} is {operation.result.outcome} and has the receipts {receipts}"
        elif receipts[0].amount is None or receipts[0].amount.decimal() != step.amount:
            yield f"the receipt of {key} names {receipts[0].amount}, and {step.amount} moved"
        name = f"{placed.number}/{step.number}"
        if rows[name] != 1:
            yield f"{key} has {rows[name]} rows in Airtable"
        elif Decimal(str(amounts[name])) != step.amount:
            yield f"the row of {key} shows {amounts[name]} in Airtable, and {step.amount} moved"


def _steps(world: "World") -> Iterator[tuple[Order, OrderTransaction]]:
    for placed in world.shop.orders.all:
        for step in placed.transactions:
            has_moved_money = step.kind in MOVING and step.status is TransactionStatus.SUCCESS
            if step.card_id is not None and has_moved_money:
                yield placed, step


def receipts_add_up(world: "World") -> Iterator[str]:
    """What a card's receipts say was moved comes to what it holds, to the cent."""
    if not world.is_on_web:
        return
    moved: dict[str, Decimal] = {}
    for operation in world.operations.values():
        result = operation.result
        for receipt in () if result is None or result.moved_card is None else result.receipts:
            if result is not None and result.moved_card is not None:
                card_id = result.moved_card
                moved[card_id] = moved.get(card_id, Decimal(0)) + _signed(receipt)
    for card in world.shop.cards:
        told, changed = moved.get(card.id, Decimal(0)), card.balance - card.initial_value
        if told != changed:
            yield f"{card.id} changed by {changed}, and its receipts tell of {told}"


def _signed(receipt: Receipt) -> Decimal:
    if receipt.amount is None or receipt.outcome is not ReceiptOutcome.DONE:
        return Decimal(0)
    return SIGNS.get(receipt.action, 0) * receipt.amount.decimal()


def one_credit(world: "World") -> Iterator[str]:
    """What the office gave back was credited once, and what was not is nowhere; its row says so."""
    for operation in world.operations.values():
        if operation.kind not in {REVERSAL, REPAY} or operation.result is None:
            continue
        credits_made = [
            movement.amount
            for card in world.shop.cards
            for movement in card.transactions
            if movement.note == operation.key
        ]
        moved, outcome = operation.result.moved, operation.result.outcome
        wanted = [] if moved is None else [moved.decimal()]
        if credits_made != wanted and not _is_put_right(world, operation, credits_made):
            yield f"{operation.key} is {outcome} and was credited {credits_made}"
        if len(operation.result.receipts) != 1:
            yield f"{operation.key} has {len(operation.result.receipts)} receipts"
    for row_id, total in world.reversals.items():
        yield from _is_given_back(world, row_id, total)


def _is_put_right(world: "World", operation: Operation, made: list[Decimal]) -> bool:
    """Whether a credit that came too late, or twice, was found, so that somebody took it back."""
    if not world.may_be_late:
        return False
    owed = world.operations.get(f"{OWED}#{operation.key}")
    moved = operation.result.moved if operation.result is not None else None
    known = Decimal(0) if moved is None else moved.decimal()
    return owed is not None and owed_amount(owed).decimal() == sum(made) - known


def _is_given_back(world: "World", row_id: str, total: Decimal | int) -> Iterator[str]:
    """The last total that was typed for a row was given back, or it says why not."""
    reversals = [
        one
        for one in world.operations.values()
        if one.kind == REVERSAL and Reversal.of(one).row_id == row_id
    ]
    if any(one.result is None for one in reversals):
        yield f"an undo of the row {row_id} never ended"
    wanted = reversal_key(row_id, int(Decimal(total) * 100))
    last = next((one for one in reversals if one.key == wanted), None)
    cells = world.base.table("Redemptions").get(row_id)["fields"]
    if last is None:
        if not any(_is_refused(one, row_id) for one in world.operations.values()):
            yield f"{total} were to be given back for the row {row_id}, and nobody did"
    elif last.result is not None and last.result.outcome == REVERSED:
        if Decimal(str(cells.get("Reversed", 0))) != Decimal(total):
            yield f"the row {row_id} reads {cells.get('Reversed')} given back, and not {total}"
    elif last.result is not None and last.result.outcome != NOT_REVERSED:
        yield f"{wanted} ended as {last.result.outcome}"


def _is_refused(operation: Operation, row_id: str) -> bool:
    return operation.kind == REFUSED_REVERSAL and operation.snapshot["row_id"] == row_id


PROMISES: tuple[tuple[str, Promise], ...] = (
    ("ONE_RECEIPT", payments_are_noted),
    ("ONE_RECEIPT", receipts_add_up),
    ("ONE_DEBIT", one_credit),
)


def settle_credit(world: "World", app: Application, operation: Operation) -> None:
    """A person looks whether a card was credited; what Shopify took by mistake has to be."""
    is_credited = has_moved(world, operation)
    if is_credited or (operation.kind == REVERSAL and decides_it_is_over(world)):
        app.adjust_balance().decide(operation, moved=is_credited, by="the office")
    else:
        app.journal.unpark(operation, due_at=world.clock())


def settle_owed(world: "World", app: Application, operation: Operation) -> None:
    """What was taken wrongly is given back by us; what was given wrongly, staff take at Shopify."""
    amount = owed_amount(operation)
    if amount.minor < 0:
        app.credit_back().begin(operation, by="the office")
        return
    card_id = str(operation.snapshot["card_id"])
    note = f"for {operation.key}"
    card = world.shop.card(card_id)
    if all(movement.note != note for movement in card.transactions):
        with suppress(Refusal):  # it was spent meanwhile: the shop bears it
            world.shop.debit(card_id, amount=amount.decimal(), note=note)
            world.note_web(card_id, amount.decimal())
    app.dismiss().dismiss(operation, by="the office")


def dismiss(world: "World", app: Application, operation: Operation) -> None:
    """A person has looked, and nothing is left to do."""
    del world
    app.dismiss().dismiss(operation, by="the office")


SETTLERS: Mapping[str, Settle] = {
    REVERSAL: settle_credit,
    REPAY: settle_credit,
    OWED: settle_owed,
    SPEND: dismiss,
    GIVEN_BACK: dismiss,
}
