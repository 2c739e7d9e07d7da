"""Stores, the web shop and the office use one card at once: IN_STEP and NO_OVERSPEND, to the cent.

The web shop sold the card itself. Then everything that can move its money does so side by side: the
stores' prong redeems, customers pay on the web and are refunded, the office undoes a redemption,
and the prongs' ticks, the sweep and the one-offs overlap as on Lambda. A seed decides who does what
and when, and how long each effect takes, so who goes on next; each seed is another order of the
same things.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.flows.tick import TickEnd
from giftcards.receipts import Action
from giftcards.store.journal import State
from sandbox.shopify.order_desk import CartLine
from sandbox.shopify.orders import Order, OrderTransaction, TransactionKind
from sandbox.shopify.payments import Pay
from sandbox.shopify.refusals import Refusal
from sandbox.shopify.shop import GiftCard
from tests.busy_shop import BusyShop
from tests.flows.sale_stories import codes_in
from tests.flows.test_purchases import buy
from tests.web_spending import SIGNS, check_in_step, goods, receipts, rest
from tests.world import World, running_world

pytestmark = pytest.mark.slow

SEEDS = 36

LOADED = Decimal(100)

# So many rows of so much that all of them together never fit on the card.
ROWS = 7
LEAST_ROW, MOST_ROW = 1_500, 3_500

# What customers do on the web while the stores' rows are served.
PAYMENTS = 6
REFUNDS = 4
MOST_PAYMENT = 2_000

# How long people wait before what they do next, at most: the stores' rows come in several runs.
STORES_PAUSE = 4.0
WEB_PAUSE = 5.0

# All three prongs look all the time, and each look of the stores' is for what to undo as well: then
# hardly anything happens that does not happen beside something else.
LOOK_SECONDS = 4
LOOKS = tuple(range(0, 60, LOOK_SECONDS))


@dataclass
class OneCard:
    """A card in a busy shop, and what people did with it.

    `beside` counts what happened, each together with a function that was at work just then.
    """

    shop: BusyShop
    card: GiftCard
    code: str
    chance: Random
    rows: dict[str, Decimal] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    undone: dict[str, Decimal] = field(default_factory=dict)
    refused: int = 0
    beside: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def world(self) -> World:
        return self.shop.world

    # ------------------------------------------------------------------------- what people do

    def pause(self) -> None:
        self.shop.sleep(self.chance.uniform(0, WEB_PAUSE))

    def ask_in_stores(self) -> None:
        """Stores file their rows, no two of one amount: none is a possible duplicate."""
        for cents in self.chance.sample(range(LEAST_ROW, MOST_ROW), ROWS):
            amount = Decimal(cents) / 100
            self.rows[self.shop.ask(self.code, amount=float(amount))] = amount
            self.shop.sleep(self.chance.uniform(0, STORES_PAUSE))

    def pay_on_the_web(self) -> None:
        """Customers order, some of them another gift card as well, and pay a part by this one."""
        world = self.world
        for _ in range(PAYMENTS):
            self.pause()
            cart = [CartLine(goods(world), quantity=9)]
            if self.chance.random() < 0.3:
                cart.append(CartLine("GIFT-CARD-25"))
            share = Decimal(self.chance.randint(1, MOST_PAYMENT)) / 100
            try:
                placed = world.shop.orders.place(cart, Pay(cards=[(self.code, share)]))
            except Refusal:
                self.refused += 1  # the stores were first
            else:
                self.orders.append(placed)
                self.look("payment")

    def refund(self) -> None:
        """The office gives back parts of what orders took off the card, to the card."""
        for _ in range(REFUNDS):
            self.pause()
            open_orders = [(order, left) for order in self.orders if (left := self.left_of(order))]
            if open_orders:
                order, left = self.chance.choice(open_orders)
                amount = Decimal(self.chance.randint(1, int(left * 100))) / 100
                shares = {self.payment(order).id: amount}
                self.world.shop.orders.refund(order.id, units={}, amount=amount, shares=shares)
                self.look("refund")

    def undo(self) -> None:
        """The office undoes the first redemption that it sees, or a part of it."""
        while True:
            rows = {row_id: self.world.row(row_id).get("Outcome") for row_id in self.rows}
            done = [row_id for row_id, outcome in rows.items() if outcome == Outcome.REDEEMED]
            if done:
                break
            if len(rows) == ROWS and all(rows.values()):
                return
            self.shop.sleep(0.5)
        total = self.rows[done[0]]
        if self.chance.random() < 0.5:
            total = Decimal(self.chance.randint(1, int(total * 100))) / 100
        self.undone[done[0]] = total
        self.world.base.table("Redemptions").update(done[0], {"Reverse Amount": float(total)})

    def payment(self, order: Order) -> OrderTransaction:
        """The step by which the card paid an order."""
        (paid,) = steps(order, self.card, TransactionKind.SALE)
        return paid

    def left_of(self, order: Order) -> Decimal:
        return order.refundable(self.payment(order))

    # ---------------------------------------------------------------------- what is to be seen

    def look(self, what: str) -> None:
        """Look at the balance, and note beside which functions something happened."""
        assert 0 <= self.world.shop.card(self.card.id).balance <= LOADED  # NO_OVERSPEND
        self.beside.update((what, name) for name, count in self.shop.at_work.items() if count)

    def is_done(self) -> bool:
        """Every row has its outcome, and so has the undo."""
        if not all("Outcome" in self.world.row(row_id) for row_id in self.rows):
            return False
        return all("Reversed" in self.world.row(row_id) for row_id in self.undone)

    def seen(self) -> Counter[str]:
        """How often what is rare happened."""
        moved = Counter(name.split("#")[0] for name in self.movements())
        debits = self.world.effects.seen.count("POST mutation DebitCard")
        return Counter(
            {
                "rows without enough": ROWS - moved["redemption"],
                "rows that a payment overtook": debits - moved["redemption"],
                "payments without enough": self.refused,
                "refunds": moved["order-refund"],
                "undone": moved["reverse"],
            }
        )

    def movements(self) -> dict[str, Decimal]:
        """What changed the balance according to those who did it: amounts by operation."""
        moved = {
            f"redemption#{row_id}": -amount
            for row_id, amount in self.rows.items()
            if self.world.row(row_id)["Outcome"] == Outcome.REDEEMED
        }
        for row_id, total in self.undone.items():
            moved[f"reverse#{row_id}#{int(total * 100)}"] = total
        for order in self.orders:
            for step in steps(order, self.card, TransactionKind.SALE):
                moved[f"order-spend#{step.number}"] = -step.amount
            for step in steps(order, self.card, TransactionKind.REFUND):
                moved[f"order-refund#{step.number}"] = step.amount
        return moved


def steps(order: Order, card: GiftCard, kind: TransactionKind) -> list[OrderTransaction]:
    return [one for one in order.transactions if one.kind is kind and one.card_id == card.id]


def sold_on_the_web(world: World) -> tuple[GiftCard, str]:
    """A card that the web shop sold, and the code in its customer's mail."""
    buy(world, CartLine("GIFT-CARD-100"))
    world.buy_tick()
    world.drain()
    rest(world)
    (card,) = world.shop.cards
    (code,) = [code for event in world.klaviyo.events for code in codes_in(event)]
    assert (card.code, card.balance) == (code, LOADED)
    return card, code


def live(world: World, seed: int) -> OneCard:
    """All of it at once, in the seed's order, until nothing is left to do."""
    card, code = sold_on_the_web(world)
    shop = BusyShop(
        world,
        seed=seed,
        sells_on_the_web=True,
        spends_on_the_web=True,
        order_seconds=LOOK_SECONDS,
    )
    chance = Random(seed)  # noqa: S311 - an order of things, no secrets
    one = OneCard(shop, card, code, chance)
    come_back = world.effects.watch_end
    assert come_back is not None

    def look(name: str) -> None:
        one.look(name)
        come_back(name)

    world.effects.watch_end = look
    acts = [one.ask_in_stores, one.pay_on_the_web, one.refund, one.undo]
    chance.shuffle(acts)
    shop.live(*acts, until=one.is_done)
    world.effects.watch = world.effects.watch_end = None
    world.new_worker()
    world.come_to_rest()
    rest(world)
    return one


def check_rows(one: OneCard) -> None:
    """One final outcome for each row: in the journal, in the row, and in a mail."""
    world = one.world
    for row_id in one.rows:
        operation = world.journal.load(f"redemption#{row_id}")
        assert operation is not None
        assert operation.result is not None
        assert operation.state is State.SETTLED
        outcome = world.row(row_id)["Outcome"]
        assert outcome == operation.result.outcome
        assert outcome in {Outcome.REDEEMED, Outcome.INSUFFICIENT_BALANCE}
        told = [mail for mail in world.mails() if mail.tags["operation"] == f"redemption.{row_id}"]
        assert told
        assert all(f"Outcome: {outcome}<" in mail.body for mail in told)


def check_money(one: OneCard) -> None:
    """The balance is what everybody did, and each of it has one receipt, to the cent."""
    world, card = one.world, one.world.shop.card(one.card.id)
    moved = one.movements()
    assert card.balance == LOADED + sum(moved.values())
    told = [
        (row["Operation"], SIGNS[Action(row["Action"])] * Decimal(str(row["Amount"])))
        for row in receipts(world)
        if row["Outcome"] == "Done" and row["Action"] in SIGNS
    ]
    assert sorted(told) == sorted(moved.items())
    assert not receipts(world, Action.RAISED_AT_SHOPIFY, Action.LOWERED_AT_SHOPIFY)
    asked = Counter(row["Operation"] for row in receipts(world, Action.REDEEM_IN_STORE))
    assert asked == {f"redemption#{row_id}": 1 for row_id in one.rows}
    check_in_step(world, *world.shop.cards)
    ledger = world.app.ledgers.of([card.id])[card.id]
    assert {name: line.decimal() for name, line in ledger.lines.items()} == moved


def check_all_was_seen(seen: Counter[str], beside: Counter[tuple[str, str]]) -> None:
    """The orders of things differed, and the prongs really were at work at once."""
    assert seen["rows without enough"]
    assert seen["rows that a payment overtook"]  # between a run's look at the card and its debit
    assert seen["payments without enough"]
    assert seen["refunds"]
    assert seen["undone"] == SEEDS
    for what in ("payment", "refund", "POST mutation DebitCard", "POST mutation CreditCard"):
        for function in ("ticks", "orders", "spends", "WriteAirtableQueue"):
            assert beside[what, function], f"{what} never came beside {function}"


def test_one_card_is_used_by_everybody_at_once() -> None:
    seen: Counter[str] = Counter()
    beside: Counter[tuple[str, str]] = Counter()
    for seed in range(SEEDS):
        try:
            with running_world(
                tick_offsets_seconds=LOOKS[1:],
                sale_offsets_seconds=LOOKS[:1],
                reversal_offsets_seconds=LOOKS,
            ) as world:
                one = live(world, seed)
                check_rows(one)
                check_money(one)
                assert not world.alarms
                assert TickEnd.FAILED not in {*one.shop.tick_ends, *one.shop.spend_ends}
        except Exception as error:
            error.add_note(f"the seed was {seed}")
            raise
        seen.update(one.seen())
        beside.update(one.beside)
    check_all_was_seen(seen, beside)
