"""Words for tests in which the books are compared: a shop's history, and what is planted in it."""

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from itertools import batched
from typing import Any

from giftcards.clients.shopify.moving import MOST_MOVEMENT_PAGES, MOVEMENTS_PER_PAGE
from giftcards.domain.money import Money
from giftcards.store.bucket import Bucket
from giftcards.store.runs import LastRun, Runs
from giftcards.store.table import Table, pack_money
from giftcards.wiring import now
from ops.command_line import park_decide
from sandbox.shopify.order_desk import CartLine
from sandbox.shopify.payments import Pay
from sandbox.shopify.shop import GiftCard
from tests.template_resources import BUCKET_NAME, TABLE_NAME
from tests.web_spending import (
    CODE,
    OTHER,
    debit_given_up,
    known_card,
    load,
    look,
    native_sku,
    order,
    rest,
)
from tests.world import World

# The timer's five minutes.
TIMER_SECONDS = 300

# A run over a small shop takes two turns and the wait between the two looks.
TURNS = 40


@dataclass(frozen=True)
class Compared:
    """A run that is over, and the lines of its report."""

    last: LastRun
    lines: list[dict[str, str]]
    page: str

    def kinds(self) -> list[str]:
        """The names of the differences, sorted."""
        return sorted(line["Difference"] for line in self.lines)


def compare(
    world: World,
    *,
    reads_all: bool = False,
    meanwhile: Callable[[], object] | None = None,
    turn: Callable[[], object] | None = None,
) -> Compared:
    """Ask for a run, and let time pass until it is over; the queues are emptied as ever.

    `turn` takes a worker's turn where it is not to be the deployed function's.
    """
    runs = Runs(Table(world.dynamodb, name=TABLE_NAME), key=world.app.runs.key)  # no effects
    number = runs.wish(reads_all=reads_all)
    for _ in range(TURNS):
        (turn or world.reconcile)()
        world.drain()
        last = runs.standing().last
        if last is not None and last.granted >= number:
            return read_report(world, last)
        if meanwhile is not None:
            meanwhile()
        world.advance(TIMER_SECONDS)
    raise AssertionError(f"the books were never compared: {runs.standing()}")


def move_beyond_reading(world: World, card: GiftCard) -> None:
    """Somebody moves money on a card more often than the client reads pages of it."""
    for _ in range(MOST_MOVEMENT_PAGES * MOVEMENTS_PER_PAGE + 1):
        world.shop.credit(card.id, amount=Decimal("0.01"), note="redemption#recNobody")


def read_report(world: World, last: LastRun) -> Compared:
    """The report as it stands in the bucket."""
    assert last.report is not None
    bucket = Bucket(world.s3, name=BUCKET_NAME)
    page = bucket.get(last.report)
    table = bucket.get(last.report.replace(".html", ".csv"))
    assert page is not None
    assert table is not None
    lines = list(csv.DictReader(StringIO(table.decode("utf-8-sig"), newline="")))
    return Compared(last=last, lines=lines, page=page.decode())


def stock(world: World, cards: int) -> None:
    """So many cards, each shown in Airtable as it is."""
    world.base.records_limit = 2 * cards
    rows = []
    for number in range(cards):
        card = world.shop.issue_card(code=f"wxyz2345{number:08}", amount=10)
        rows.append({"Shopify ID": card.id, "Balance": 10, "Card": "•••• 0000"})
        shown = pack_money(Money(1000, "USD"))
        item: Any = {"key": f"card#{card.id}", "wanted": 1, "synced": 1, "shown": shown}
        world.dynamodb.put_item(TableName=TABLE_NAME, Item=item)
    table = world.base.table("Gift Cards")
    for some in batched(rows, 10, strict=False):
        table.create_many(some)


# ------------------------------------------------------------------------------ a healthy history


def a_history(world: World, *, shown: bool) -> None:
    """All that happens to cards in a shop; `shown`: the checkout leaves movements, too."""
    world.shop.checkout_in_transactions = shown
    card = known_card(world, 100)
    redemption = redeem(world, 30)
    order(world, (CODE, 20))
    authorised = order(world, (CODE, 5), is_captured=False)
    world.shop.orders.void(authorised.id)
    order(world, (CODE, 5), is_captured=False)
    refunded = order(world, (CODE, 10))
    paid = next(one for one in refunded.transactions if one.card_id is not None)
    shares = {paid.id: Decimal(4)}
    world.shop.orders.refund(refunded.id, units={}, amount=Decimal(4), shares=shares)
    world.base.table("Redemptions").update(redemption, {"Reverse Amount": 10})
    world.shop.credit(card.id, amount=Decimal(3), note="sorry")
    settle(world)
    sell_and_buy(world)
    give_back_what_came_twice(world)
    settle(world)


def sell_and_buy(world: World) -> None:
    """Cards that a store sold, that the web shop sold, and that Shopify made; one is returned."""
    world.sell(Amount=25, Quantity=2)
    (variant,) = (
        one.sku
        for product in world.shop.orders.products
        for one in product.variants
        if one.sku == "GIFT-CARD-50"
    )
    bought = world.shop.orders.place([CartLine(str(variant), quantity=2)], Pay())
    world.shop.orders.place([CartLine(native_sku(world))], Pay())
    settle(world)
    line = next(iter(bought.lines))
    world.shop.orders.refund(bought.id, units={line.id: 1}, amount=Decimal(50))


def give_back_what_came_twice(world: World) -> None:
    """A debit that was given up, applied all the same, and credited back."""
    late_debit(world, OTHER)
    rest(world)
    (parked,) = world.journal.parked(now=now(), limit=2)
    park_decide(world.app, argparse.Namespace(key=parked.key, decision="credit-back"))


def late_debit(world: World, code: str = CODE, amount: int = 10) -> str:
    """A redemption that is answered as not charged, and applied afterwards; returns its key."""
    card = load(world, code=code)
    look(world)
    return debit_given_up(world, card, code=code, amount=amount)


def redeem(world: World, amount: int = 10, *, code: str = CODE) -> str:
    """A store takes money off a card; returns the row."""
    row_id = world.ask(Gift_Card_Code=code, Amount=amount, Confirm_Duplicate=True)
    world.serve()
    assert world.row(row_id)["Outcome"] == "REDEEMED"
    return row_id


def settle(world: World) -> None:
    """Whatever was begun comes to its end."""
    for _ in range(3):
        world.advance(60)
        world.buy_tick()
        world.drain()
    rest(world)


def a_card(world: World) -> GiftCard:
    """The card that stores know."""
    return next(card for card in world.shop.cards if card.code == CODE)


def card_row(world: World, card: GiftCard) -> dict[str, Any]:
    """Its row in Airtable."""
    (row,) = (
        record
        for record in world.base.table("Gift Cards").records()
        if record["fields"].get("Shopify ID") == card.id
    )
    return dict(row)
