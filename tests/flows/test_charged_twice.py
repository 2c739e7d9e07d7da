"""A card that was charged twice for a row is credited back once, though the row can be undone too.

The second debit is 10, the sale was 10: whoever gives back 20 has to have said that he means both.
"""

import argparse
from collections.abc import Iterator
from decimal import Decimal

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.errors import JournalConflict, NeedsAPerson
from giftcards.flows.reversal import REVERSED
from giftcards.receipts import Action
from giftcards.store.journal import Operation, State
from giftcards.wiring import now
from ops.command_line import park_decide
from tests.web_spending import CODE, check_in_step, known_card, receipts, rest
from tests.world import World, running_world


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as world:
        yield world


def charge_twice(world: World) -> str:
    """A row redeemed 10 of a card of 50, which was charged 20; returns the row's id."""
    known_card(world)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    charge_again(world, row_id)
    assert held(world) == 30
    return row_id


def charge_again(world: World, row_id: str) -> None:
    """Shopify takes the 10 a second time, and the looks find it."""
    (card,) = world.shop.cards
    world.shop.debit(card.id, amount=Decimal(10), note=f"redemption#{row_id}")
    rest(world)
    assert [one.key for one in world.journal.parked(now=now(), limit=10)] == [owed_of(row_id)]


def owed_of(row_id: str) -> str:
    return f"owed#redemption#{row_id}"


def held(world: World) -> Decimal:
    (card,) = world.shop.cards
    return card.balance


def undo(world: World, row_id: str, total: int = 10, **cells: object) -> None:
    """The office types what is to be given back, and minutes pass."""
    world.base.table("Redemptions").update(row_id, {"Reverse Amount": total} | cells)
    minutes(world)


def minutes(world: World) -> None:
    for _ in range(3):
        world.advance(60)
        world.serve()
        world.sweep()
        world.drain()


def decide(world: World, row_id: str, word: str) -> int:
    code = park_decide(world.app, argparse.Namespace(key=owed_of(row_id), decision=word))
    minutes(world)
    return code


def message(world: World, row_id: str) -> str:
    return str(world.row(row_id)["Message"])


def load(world: World, key: str) -> Operation:
    operation = world.journal.load(key)
    assert operation is not None
    return operation


def test_an_undo_waits_until_somebody_has_decided_about_the_second_debit(world: World) -> None:
    row_id = charge_twice(world)
    undo(world, row_id)
    assert held(world) == 30
    assert "charged too often for this row" in message(world, row_id)
    assert owed_of(row_id) in message(world, row_id)
    assert decide(world, row_id, "dismiss") == 0  # the office's undo is to put it right
    assert held(world) == 40
    assert load(world, f"reverse#{row_id}#1000").result is not None


def test_after_a_credit_back_an_undo_needs_the_offices_second_word(world: World) -> None:
    row_id = charge_twice(world)
    assert decide(world, row_id, "credit-back") == 0
    assert held(world) == 40
    undo(world, row_id)
    assert held(world) == 40
    assert "10.00 USD was credited back for this row before" in message(world, row_id)
    undo(world, row_id, Approved=True)
    assert held(world) == 50
    result = load(world, f"reverse#{row_id}#1000").result
    assert result is not None
    assert result.outcome == REVERSED
    (card,) = world.shop.cards
    rest(world)
    check_in_step(world, card)


def test_what_was_typed_before_the_credit_back_needs_the_word_as_well(world: World) -> None:
    """It was refused first, with a mail; after the decision it is looked at anew."""
    row_id = charge_twice(world)
    undo(world, row_id)
    assert decide(world, row_id, "credit-back") == 0
    assert held(world) == 40
    assert "was credited back for this row before" in message(world, row_id)


def test_both_reasons_for_the_second_word_are_told() -> None:
    with running_world(cap_per_reversal=Decimal(5)) as capped:
        row_id = charge_twice(capped)
        decide(capped, row_id, "credit-back")
        undo(capped, row_id)
        assert "10.00 USD is more than 5.00 USD; 10.00 USD was credited" in message(capped, row_id)


def test_a_row_held_for_its_cap_says_what_was_credited_back_since() -> None:
    """The office was told of the one reason before there was the other."""
    with running_world(cap_per_reversal=Decimal(5)) as capped:
        known_card(capped)
        row_id = capped.ask(Gift_Card_Code=CODE)
        capped.serve()
        undo(capped, row_id)
        assert "10.00 USD is more than 5.00 USD. If" in message(capped, row_id)
        charge_again(capped, row_id)
        assert decide(capped, row_id, "credit-back") == 0
        assert "10.00 USD is more than 5.00 USD; 10.00 USD was credited" in message(capped, row_id)


def test_the_tick_of_before_is_no_word_about_an_undo_after_a_credit_back(world: World) -> None:
    """It let the redemption through, which had waited too long to be charged unasked."""
    known_card(world)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.advance(world.config.patience_seconds + 60)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.HELD
    world.base.table("Redemptions").update(row_id, {"Approved": True})
    minutes(world)
    assert held(world) == 40
    charge_again(world, row_id)
    assert decide(world, row_id, "credit-back") == 0
    undo(world, row_id)
    assert held(world) == 40
    assert "take the tick off Approved" in message(world, row_id)


def test_after_an_undo_a_credit_back_has_to_be_meant_as_well(world: World) -> None:
    """The undo came first: the second debit turned up after it."""
    card = known_card(world)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    undo(world, row_id)
    assert held(world) == 50
    charge_again(world, row_id)
    with pytest.raises(NeedsAPerson, match="for this row already, by Reverse Amount"):
        decide(world, row_id, "credit-back")
    assert load(world, owed_of(row_id)).state is State.PARKED
    assert held(world) == 40
    assert decide(world, row_id, "credit-back-too") == 0
    assert held(world) == 50
    assert len([one for one in card.transactions if one.amount > 0]) == 2


def test_an_undo_that_was_begun_and_has_no_end_yet_counts(world: World) -> None:
    row_id = charge_twice(world)
    assert decide(world, row_id, "dismiss") == 0
    world.base.table("Redemptions").update(row_id, {"Reverse Amount": 10})
    world.tick()  # claimed, and not credited yet
    assert load(world, f"reverse#{row_id}#1000").result is None
    owed = Operation(
        key="owed#again",
        kind="owed",
        state=State.PARKED,
        claimed_at=now(),
        snapshot=load(world, owed_of(row_id)).snapshot,
    )
    with pytest.raises(NeedsAPerson, match="by Reverse Amount"):
        world.app.credit_back().begin(owed, by="Ana")


def test_an_undo_that_was_judged_before_the_credit_back_does_not_begin(world: World) -> None:
    row_id = charge_twice(world)
    before = load(world, f"redemption#{row_id}")
    assert decide(world, row_id, "credit-back") == 0
    journal = world.app.journal
    begun = journal.claim_with(
        f"reverse#{row_id}#1000",
        kind="reverse",
        snapshot={},
        now=now(),
        due_at=now(),
        also=[journal.reversal_begun(before, by=f"reverse#{row_id}#1000")],
    )
    assert begun is None


def test_a_credit_back_that_was_judged_before_an_undo_does_not_begin(world: World) -> None:
    row_id = charge_twice(world)
    owed = load(world, owed_of(row_id))
    begun: list[object] = []

    def meanwhile(name: str) -> None:
        if name == "dynamodb TransactWriteItems" and not begun:
            begun.append(name)
            redemption = load(world, f"redemption#{row_id}")
            change = world.journal.reversal_begun(redemption, by="reverse#other")
            assert world.app.table.update_together(change)

    world.effects.watch = meanwhile
    with pytest.raises(JournalConflict, match="not as it was judged"):
        world.app.credit_back().begin(owed, by="Ana")
    assert load(world, owed_of(row_id)).state is State.PARKED
    assert held(world) == 30


def test_what_was_credited_back_stands_beside_what_was_given_back(world: World) -> None:
    row_id = charge_twice(world)
    assert decide(world, row_id, "credit-back") == 0
    redemption = load(world, f"redemption#{row_id}")
    assert (redemption.credited_back, redemption.given_back) == (1000, 0)
    assert redemption.result is not None
    assert redemption.result.outcome == Outcome.REDEEMED
    (receipt,) = receipts(world, Action.PUT_RIGHT)
    assert receipt["Outcome"] == "Done"
