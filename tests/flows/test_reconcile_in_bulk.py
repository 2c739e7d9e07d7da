"""Many cards are compared: they are not held in memory, and stores have the points they need."""

import tracemalloc
from decimal import Decimal
from itertools import batched

import pytest

from giftcards.clients.airtable import RECONCILE_REQUESTS_A_SECOND
from giftcards.clients.airtable.client import RECORDS_A_PAGE
from giftcards.domain.drift import Drift
from giftcards.wiring import BULK_RESERVE_POINTS, now
from tests.flows.reconcile_stories import compare, stock
from tests.flows.row_books import phases, run_of, walk
from tests.template_resources import TABLE_NAME
from tests.world import running_world

CARDS = 100_000

# Memory is measured on fewer, since it takes four times as long: by how much more they take.
FEWER = (4_000, 12_000)

# For each card more: what two phases keep of it while they sort its number in, eight bytes each.
MOST_BYTES_OF_OURS = 120

# The same with all that the libraries hold, and what the vendors in the box do.
MOST_BYTES = 400

# How often the memory is measured: it takes a while.
PAGES_BETWEEN_LOOKS = 10


@pytest.mark.slow
def test_a_hundred_thousand_cards_are_compared() -> None:
    least_points = float("inf")
    pages = 0

    def look(name: str) -> None:
        nonlocal least_points, pages
        if " query " in name:
            pages += 1
            left = world.shop.throttle_status().currently_available
            least_points = min(least_points, left)

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
        world.effects.watch_end = look
        compared = compare(world)
        assert compared.kinds() == [
            Drift.DEBIT_WITHOUT_OPERATION,
            Drift.MISSING_ROW,
            Drift.STALE_BALANCE,
            Drift.STALE_BALANCE,
        ]
        assert f"over {CARDS:,} cards" in compared.last.summary
        assert pages > 2 * CARDS // 100
        assert least_points >= BULK_RESERVE_POINTS


def test_rows_are_read_at_the_share_of_requests_that_comparing_has() -> None:
    pages = 5
    with running_world() as world:
        receipts = [{"Receipt": f"r{number}"} for number in range(pages * RECORDS_A_PAGE)]
        for some in batched(receipts, 10, strict=False):
            world.base.table("Receipts").create_many(some)
        (reading,) = (phase for phase in phases(world) if phase.name == "receipts")
        began = now()
        walk(reading, run_of(world))
        seconds = (now() - began).total_seconds()
        assert seconds >= (pages - 1) / RECONCILE_REQUESTS_A_SECOND
        assert world.base.refused_as_too_fast == 0


@pytest.mark.slow
def test_the_cards_that_are_compared_are_not_held_in_memory() -> None:
    (of_ours, of_all), (of_ours_then, of_all_then) = map(most_bytes, FEWER)
    more = FEWER[1] - FEWER[0]
    assert 0 < of_ours_then - of_ours < MOST_BYTES_OF_OURS * more
    assert 0 < of_all_then - of_all < MOST_BYTES * more


def most_bytes(cards: int) -> tuple[int, int]:
    """The most memory that comparing so many cards takes: ours, measured at times, and all."""
    most_of_ours = pages = 0

    def look(name: str) -> None:
        nonlocal most_of_ours, pages
        if " query " not in name:
            return
        pages += 1
        if pages % PAGES_BETWEEN_LOOKS == 0:
            ours = tracemalloc.take_snapshot().filter_traces(
                [tracemalloc.Filter(inclusive=True, filename_pattern="*/giftcards/*")]
            )
            most_of_ours = max(most_of_ours, sum(one.size for one in ours.traces))

    with running_world() as world:
        stock(world, cards)
        world.effects.watch_end = look
        tracemalloc.start()
        try:
            compared = compare(world)
            _, most_of_all = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert f"0 drift over {cards:,} cards" in compared.last.summary
    return most_of_ours, most_of_all
