"""What a customer has paid otherwise is called off, and never charged; too late is said plainly."""

import argparse
from collections.abc import Iterator
from datetime import timedelta

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.errors import NeedsAPerson
from giftcards.store.journal import Operation, State
from giftcards.wiring import now
from ops.call_off import call_off
from ops.command_line import main, pause, resume
from sandbox.faults import Fault
from tests.flows.taken_up import CODE, operation_of, take_up
from tests.world import World, running_world

NOTHING = argparse.Namespace()
YES = argparse.Namespace(yes=True)


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as world:
        yield world


def call(world: World, *keys: str, because: str = "the customer has paid in cash") -> int:
    return call_off(world.app, argparse.Namespace(keys=list(keys), because=because))


def balance(world: World) -> int:
    (card,) = world.shop.cards
    return int(card.balance)


def test_what_is_called_off_while_paused_is_not_charged_afterwards(world: World) -> None:
    row_id = take_up(world)
    assert operation_of(world, row_id).state is State.CLAIMED
    pause(world.app, NOTHING)
    world.base.table("Redemptions").delete(row_id)
    assert call(world, row_id) == 0
    assert resume(world.app, YES) == 0
    world.come_to_rest()
    assert balance(world) == 50
    result = operation_of(world, row_id).result
    assert result is not None
    assert result.outcome == Outcome.NOT_CHARGED
    last = world.mails()[-1]
    assert last.subject.startswith("Not paid")
    assert "by ops: the customer has paid in cash." in last.body
    (receipt,) = world.redemption_receipts()
    assert "the customer has paid in cash" in receipt["Details"]


def test_the_row_shows_it_and_whoever_saw_the_claim_does_not_charge(world: World) -> None:
    row_id = take_up(world)
    seen_before = operation_of(world, row_id)
    assert call(world, f"redemption#{row_id}", because=f"no {CODE} any more.") == 0
    world.app.redeem().finish(seen_before, deadline=now() + timedelta(seconds=20))
    world.come_to_rest()
    assert balance(world) == 50
    assert world.row(row_id)["Status"] == "Processed"
    assert world.row(row_id)["Outcome"] == Outcome.NOT_CHARGED
    assert CODE not in world.row(row_id)["Message"]
    assert world.row(row_id)["Message"].endswith("any more")


def test_what_is_held_is_over_once_it_is_called_off(world: World) -> None:
    row_id = take_up(world)
    world.advance(901)
    world.serve()
    assert operation_of(world, row_id).state is State.HELD
    assert call(world, row_id) == 0
    world.base.table("Redemptions").update(row_id, {"Approved": True})
    world.come_to_rest()
    assert balance(world) == 50
    assert world.row(row_id)["Outcome"] == Outcome.NOT_CHARGED


def test_what_was_sent_is_too_late(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.shop.faults.add(Fault.APPLY_LATE, operation="giftCardDebit", seconds=20)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.tick()
    assert operation_of(world, row_id).state is State.SENT
    assert call(world, row_id) == 1
    assert "too late to call it off" in capsys.readouterr().err
    with pytest.raises(NeedsAPerson, match="is SENT"):
        world.app.redeem().call_off(operation_of(world, row_id), because="", by="Ana")
    world.come_to_rest()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert call(world, row_id) == 1
    assert "has its answer already: REDEEMED" in capsys.readouterr().err


def test_what_another_worker_sends_at_that_moment_is_too_late(world: World) -> None:
    row_id = take_up(world)
    seen_before = operation_of(world, row_id)
    world.shop.faults.add(Fault.APPLY_LATE, operation="giftCardDebit", seconds=20)
    world.tick()
    stands = world.app.redeem().call_off(seen_before, because="too late", by="Ana")
    assert stands.state is State.SENT
    assert stands.result is None
    world.come_to_rest()
    assert balance(world) == 40
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED


def test_without_a_key_it_shows_what_was_taken_up(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    row_id = take_up(world)
    assert call(world) == 0
    said = capsys.readouterr().out
    assert "Taken up, and not sent to Shopify: 1" in said
    assert f"redemption#{row_id}  10.00 USD of •••• 6789, Main Street, filed 2026-" in said
    resume(world.app, YES)
    assert "1 are taken up" in capsys.readouterr().out


def test_what_is_taken_up_shows_behind_much_else_that_is_unfinished(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """In an outage deliveries by the hundred wait before it."""
    for number in range(150):
        world.journal.claim(
            f"delivery#{number}", kind="delivery", snapshot={}, now=now(), due_at=now()
        )
    row_id = take_up(world)
    assert call(world) == 0
    said = capsys.readouterr().out
    assert f"redemption#{row_id}" in said
    assert "not all was looked through" not in said


def test_it_says_so_where_it_could_not_look_through_all(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    take_up(world)
    nothing = argparse.Namespace(keys=[], because="")
    assert call_off(world.app, nothing, most=1) == 0
    assert "not all was looked through" in capsys.readouterr().out


def test_what_a_tick_holds_at_that_moment_is_called_off_all_the_same(world: World) -> None:
    row_id = take_up(world)
    world.drain()
    world.advance(901)
    held: list[Operation] = []

    def hold(name: str) -> None:
        if "UpdateItem" in name and not held:
            held.append(world.journal.hold(operation_of(world, row_id)))

    world.effects.watch = hold
    assert call(world, row_id) == 0
    assert held[0].state is State.HELD
    result = operation_of(world, row_id).result
    assert result is not None
    assert result.outcome == Outcome.NOT_CHARGED


def test_what_nobody_has_taken_up_is_ended_in_airtable(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    row_id = world.ask(Gift_Card_Code=CODE)
    assert call(world, row_id, "held#x") == 1
    said = capsys.readouterr().err
    assert f"Nobody has taken up a redemption redemption#{row_id}." in said
    assert "Nobody has taken up a redemption held#x." in said
    assert "Status" not in world.row(row_id)


def test_a_reason_has_to_be_given(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    row_id = take_up(world)
    assert call(world, row_id, because=" ") == 1
    assert "--because" in capsys.readouterr().err
    assert operation_of(world, row_id).state is State.CLAIMED


def test_the_command_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["call-off", "--help"])
    assert ended.value.code == 0
    assert "redemption#rec" in capsys.readouterr().out
