"""A hundred thousand cards are compared in little memory, and leave stores the points they need."""

import tracemalloc
from decimal import Decimal
from itertools import batched
from typing import Any

import pytest

from giftcards.domain.drift import Drift
from giftcards.domain.money import Money
from giftcards.store.table import pack_money
from giftcards.wiring import BULK_RESERVE_POINTS
from tests.flows.reconcile_stories import compare
from tests.template_resources import TABLE_NAME
from tests.world import World, running_world

CARDS = 100_000

# What the numbers of two phases take, eight bytes each, while they are sorted in, and a page.
MOST_BYTES_OF_OURS = 12_000_000

# The same with all that the libraries hold of a page, and what the vendors in the box do.
MOST_BYTES = 40_000_000

# How often the memory is measured: it takes a while.
PAGES_BETWEEN_LOOKS = 100


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


class Looks:
    """What is seen of a run from outside: the least points it left, the most memory it took."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.least_points = float("inf")
        self.most_bytes = 0
        self.pages = 0

    def look(self, name: str) -> None:
        """A call is over."""
        if " query " not in name:
            return
        left = self.world.shop.throttle_status().currently_available
        self.least_points = min(self.least_points, left)
        self.pages += 1
        if self.pages % PAGES_BETWEEN_LOOKS == 0:
            ours = tracemalloc.take_snapshot().filter_traces(
                [tracemalloc.Filter(inclusive=True, filename_pattern="*/giftcards/*")]
            )
            size = sum(one.size for one in ours.traces)
            self.most_bytes = max(self.most_bytes, size)


@pytest.mark.slow
def test_a_hundred_thousand_cards_are_compared() -> None:
    with running_world() as world:
        stock(world, CARDS)
        cards = world.shop.cards
        rows = list(world.base.table("Gift Cards").record_ids())
        for number in (5, 77_777):  # as the writer remembers them
            key = f"record#Gift Cards#{cards[number].id}"
            item = {"key": key, "record_id": rows[number]}
            world.dynamodb.put_item(TableName=TABLE_NAME, Item=item)
        world.base.table("Gift Cards").update(rows[5], {"Balance": 9})
        world.base.table("Gift Cards").delete(rows[77_777])
        world.shop.debit(cards[99_999].id, amount=Decimal(3), note="return#1#1")
        looks = Looks(world)
        world.effects.watch_end = looks.look
        tracemalloc.start()
        try:
            compared = compare(world)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert compared.kinds() == [
            Drift.DEBIT_WITHOUT_OPERATION,
            Drift.MISSING_ROW,
            Drift.STALE_BALANCE,
            Drift.STALE_BALANCE,
        ]
        assert f"over {CARDS:,} cards" in compared.last.summary
        assert looks.pages > 2 * CARDS // 100
        assert looks.most_bytes < MOST_BYTES_OF_OURS
        assert peak < MOST_BYTES
        assert looks.least_points >= BULK_RESERVE_POINTS
