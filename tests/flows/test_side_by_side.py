"""Many rows in one run: cards side by side, one card's rows one after the other, few calls."""

from collections import Counter
from decimal import Decimal

from giftcards.domain.outcomes import Outcome
from tests.world import World


def code_of(number: int) -> str:
    return f"wxyz{number:04d}abcd6789".translate(str.maketrans("01", "kh"))


def file_rows(world: World, count: int) -> list[str]:
    """A waiting row for each of `count` cards that our index knows."""
    for number in range(count):
        world.shop.issue_card(code=code_of(number), amount=50)
        world.ask(Gift_Card_Code=code_of(number), Amount=1)
    world.serve()
    world.advance(60)
    world.effects.seen.clear()
    return [world.ask(Gift_Card_Code=code_of(number), Amount=10) for number in range(count)]


def test_a_hundred_cards_in_one_run_cost_one_read_and_one_debit_each(
    redemptions_only: World,
) -> None:
    world = redemptions_only
    rows = file_rows(world, 100)
    world.tick()
    calls = Counter(
        name.removeprefix("POST ") for name in world.effects.seen if name.startswith("POST ")
    )
    assert calls == {"query ReadCard": 100, "mutation DebitCard": 100}
    assert sum(name.startswith("GET /v0/") for name in world.effects.seen) == 1
    world.effects.seen.clear()
    world.drain()
    assert all(world.row(row_id)["Outcome"] == Outcome.REDEEMED for row_id in rows)
    assert len(world.mails()) == 200
    # Ten records a call: rows, receipts, card rows and links, none of them one by one.
    writes = [name for name in world.effects.seen if name.split()[0] in {"PATCH", "POST"}]
    airtable = [name for name in writes if "/v0/" in name]
    assert len(airtable) <= 4 * 2 * 10 + 10


def test_twenty_rows_of_one_card_are_served_in_their_order(world: World) -> None:
    card = world.shop.issue_card(code=code_of(1), amount=100)
    rows = []
    for number in range(20):
        world.advance(1)
        rows.append(world.ask(Gift_Card_Code=code_of(1), Amount=10 + number / 100))
    world.serve()
    outcomes = [world.row(row_id)["Outcome"] for row_id in rows]
    assert outcomes == [Outcome.REDEEMED] * 9 + [Outcome.INSUFFICIENT_BALANCE] * 11
    taken = sum(Decimal(1000 + number) / 100 for number in range(9))
    assert world.shop.card(card.id).balance == 100 - taken


def test_one_rows_trouble_is_its_own(world: World) -> None:
    rows = file_rows(world, 12)
    world.shop.faults.add("fail-before", operation="giftCardDebit", times=1)
    world.serve()
    outcomes = Counter(world.row(row_id).get("Outcome") for row_id in rows)
    assert outcomes == {Outcome.REDEEMED: 11, None: 1}
    world.come_to_rest()
    outcomes = Counter(world.row(row_id).get("Outcome") for row_id in rows)
    assert outcomes == {Outcome.REDEEMED: 11, Outcome.NOT_CHARGED: 1}
