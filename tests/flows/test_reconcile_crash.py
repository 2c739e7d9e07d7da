"""A worker dies at any effect of a comparison: what was planted is put right, once, and reported.

As in `test_crash`, nobody lists the effects: an undisturbed telling shows them.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal

import pytest

from giftcards.domain.drift import Drift
from tests.flows.reconcile_stories import Compared, a_card, card_row, compare, late_debit, redeem
from tests.flows.stories import moments_that_differ
from tests.web_spending import OTHER, load, look, rest
from tests.world import KeptMoment, World, running_world

pytestmark = pytest.mark.slow

# The moments are shared between tests, so that several processors can work.
PARTS = 4

PLANTED = {
    Drift.DEBIT_WITHOUT_OPERATION: 1,
    Drift.DUPLICATE_DEBIT: 1,
    Drift.LATE_DEBIT: 1,
    Drift.MISSING_ROW: 1,
    Drift.STALE_BALANCE: 2,
    Drift.UNEXPLAINED_MOVEMENT: 1,
}


@contextmanager
def planted() -> Iterator[tuple[World, KeptMoment]]:
    """A small shop with a difference of nearly each kind, and that moment, to come back to it."""
    with running_world() as world:
        twice = load(world, code=OTHER)
        look(world)
        key = f"redemption#{redeem(world, 10, code=OTHER)}"
        lost = load(world, code="abcd2345abcd2345")
        rest(world)
        late_debit(world)
        world.shop.debit(twice.id, amount=Decimal(10), note=key)
        world.shop.debit(lost.id, amount=Decimal(8), note="return#1#1")
        world.shop.credit(a_card(world).id, amount=Decimal(3))
        world.base.table("Gift Cards").delete(card_row(world, lost)["id"])
        yield world, world.keep()


def picture(world: World, compared: Compared) -> Mapping[str, object]:
    """What is to be the same whoever died when: all but times, and how often Airtable was told."""
    run = compared.last.id
    return {
        "lines": [
            {name: text.replace(run, "RUN") for name, text in line.items()}
            for line in compared.lines
        ],
        "summary": re.sub(r"at \d\d:\d\d", "at HH:MM", compared.last.summary),
        "failed": compared.last.is_failed,
        "operations": Counter(
            item["key"].replace(run, "RUN")
            for item in world.items()
            if item["key"].startswith("op#")
        ),
        "ledgers": {
            item["key"]: sorted(item.get("lines", ()))
            for item in world.items()
            if item["key"].startswith("ledger#")
        },
        "receipts": Counter(
            (row["Receipt"].replace(run, "RUN"), row["Action"], row.get("Amount"), row["Outcome"])
            for row in world.cells("Receipts")
        ),
        "cards": Counter((row["Shopify ID"], row["Balance"]) for row in world.cells("Gift Cards")),
        "balances": {card.id: card.balance for card in world.shop.cards},
    }


def tell(world: World) -> Mapping[str, object]:
    compared = compare(world)
    rest(world)
    return picture(world, compared)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_worker_dies_at_any_effect(part: int) -> None:
    with planted() as (world, start):
        world.go_back(start)
        undisturbed = tell(world)
        assert Counter(line["Difference"] for line in compare_lines(undisturbed)) == PLANTED
        effects = list(world.effects.seen)
        moments = [
            moment for moment in moments_that_differ(world) if is_of_a_comparison(world, *moment)
        ]
        assert len(moments) > 60
        for place, when in moments[part::PARTS]:
            world.go_back(start)
            world.effects.kill_at = {place: when}
            try:
                assert tell(world) == undisturbed
                assert world.effects.deaths == 1
            except AssertionError as error:
                where = f"killed {when} effect {place}, {effects[place]}"
                raise AssertionError(f"{where}: {error}") from error


def compare_lines(picture: Mapping[str, object]) -> list[Mapping[str, str]]:
    lines = picture["lines"]
    assert isinstance(lines, list)
    return lines


def is_of_a_comparison(world: World, place: int, when: str) -> bool:
    """Whether the effect is one of a worker that compares: how others die is told elsewhere."""
    del when
    worker = world.effects.worker_of[place]
    names = {
        name
        for name, of in zip(world.effects.seen, world.effects.worker_of, strict=True)
        if of == worker
    }
    return any(name.startswith("s3 ") for name in names)
