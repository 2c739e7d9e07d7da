"""What a restored journal has forgotten to have charged is found on its card."""

import argparse
from collections.abc import Iterator
from decimal import Decimal

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.flows.kinds import repay_key
from giftcards.store.journal import State
from ops.call_off import call_off, find_charged
from ops.command_line import main
from sandbox.faults import Fault
from tests.flows import taken_up
from tests.flows.taken_up import CODE, operation_of
from tests.snapshots import Snapshot
from tests.world import World, running_world

NOTHING = argparse.Namespace()

# Half a year of a card that is used daily: more than a page of Shopify's.
MOVEMENTS_BEFORE = 250


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as world:
        yield world


def take_up(world: World, **cells: object) -> tuple[str, Snapshot]:
    """A row is claimed and not sent, and that is what the journal holds."""
    row_id = taken_up.take_up(world, **cells)
    assert operation_of(world, row_id).state is State.CLAIMED
    return row_id, world.keep_journal()


def balance(world: World) -> Decimal:
    (card,) = world.shop.cards
    return card.balance


@pytest.mark.parametrize("approved", [False, True])
@pytest.mark.parametrize("minutes", [1, 70])
def test_what_was_charged_since_ends_as_charged(
    world: World, capsys: pytest.CaptureFixture[str], *, approved: bool, minutes: int
) -> None:
    row_id, kept = take_up(world, Approved=approved)
    world.serve()
    assert balance(world) == 40
    kept.restore()
    world.advance(60 * minutes)
    assert find_charged(world.app, NOTHING) == 0
    assert f"redemption#{row_id}  was charged since" in capsys.readouterr().out
    world.come_to_rest()
    assert balance(world) == 40
    operation = operation_of(world, row_id)
    assert operation.state is State.SETTLED
    assert operation.result is not None
    assert operation.result.outcome == Outcome.REDEEMED
    assert operation.result.transaction_id is not None
    assert world.row(row_id)["Status"] == "Processed"
    assert {mail.subject.split(":")[0] for mail in world.mails()} <= {"Please wait", "Paid"}


def test_what_was_not_charged_is_served_as_usual(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    row_id, kept = take_up(world)
    kept.restore()
    (card,) = world.shop.cards
    world.shop.debit(card.id, amount=Decimal(10), note=f"redemption#{row_id}0")
    world.shop.credit(card.id, amount=Decimal(10), note=f"redemption#{row_id}")
    assert find_charged(world.app, NOTHING) == 0
    assert f"redemption#{row_id}  was not charged" in capsys.readouterr().out
    assert operation_of(world, row_id).state is State.CLAIMED
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert balance(world) == 40


def test_what_was_given_back_since_is_left_to_a_person(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    row_id, kept = take_up(world)
    world.serve()
    kept.restore()
    (card,) = world.shop.cards
    world.shop.credit(card.id, amount=Decimal(10), note=repay_key(f"redemption#{row_id}"))
    assert find_charged(world.app, NOTHING) == 1
    assert "given back by repay#" in capsys.readouterr().err
    assert operation_of(world, row_id).state is State.CLAIMED
    assert call_off(world.app, argparse.Namespace(keys=[row_id], because="given back")) == 0
    world.come_to_rest()
    assert balance(world) == 50


def test_another_amount_is_left_to_a_person_and_the_next_is_found_all_the_same(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id, other = world.ask(Gift_Card_Code=CODE), world.ask(Gift_Card_Code=CODE, Amount=5)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="ReadCard", times=2)
    world.tick()
    kept = world.keep_journal()
    world.serve()
    kept.restore()
    (card,) = world.shop.cards
    world.shop.debit(card.id, amount=Decimal(3), note=f"redemption#{row_id}")
    assert find_charged(world.app, NOTHING) == 1
    told = capsys.readouterr()
    assert "its card shows 3.00 USD, 10.00 USD charged" in told.err
    assert f"redemption#{other}  was charged since" in told.out
    assert operation_of(world, row_id).state is State.CLAIMED


def test_a_card_that_was_used_for_long_is_not_read_to_its_beginning(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    for _ in range(MOVEMENTS_BEFORE):
        world.shop.credit(card.id, amount=Decimal("0.01"), note=None)
    world.advance(3600)
    _, kept = take_up(world)
    world.serve()
    kept.restore()
    world.effects.seen.clear()
    assert find_charged(world.app, NOTHING) == 0
    pages = [name for name in world.effects.seen if "CardMovements" in name]
    assert len(pages) == 2  # one that has the debit, one of what moved before


def test_it_says_so_where_it_could_not_look_through_all(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    take_up(world)
    assert find_charged(world.app, NOTHING, most=1) == 1
    assert "Not all was looked through" in capsys.readouterr().err


def test_the_command_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["find-charged", "--help"])
    assert ended.value.code == 0
    assert "restored" in capsys.readouterr().out
