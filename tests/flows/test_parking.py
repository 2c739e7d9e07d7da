"""What only a person can finish is set aside, shown, decided, and then finished."""

import argparse
from contextlib import suppress
from decimal import Decimal

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.errors import VendorSurprise
from giftcards.store.journal import Operation, State
from giftcards.wiring import now
from ops.command_line import park_decide, park_list
from sandbox.faults import Fault
from tests.world import World

CODE = "wxyz2345abcd6789"
OTHER = "mnpq2345mnpq6789"


def park_a_sent_debit(world: World) -> tuple[str, str]:
    """A debit whose reply was lost, with our reference on another amount: nobody can explain it."""
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.effects.kill_on = {"DebitCard": "before"}
    world.tick()
    world.shop.debit(card.id, amount=Decimal(7), note=f"redemption#{row_id}")
    for _ in range(30):
        world.advance(120)
        with suppress(VendorSurprise):  # the run had nothing but this row, so it failed
            world.tick()
        world.sweep()
        world.drain()
    return card.id, row_id


def operation(world: World, row_id: str) -> Operation:
    found = world.app.journal.load(f"redemption#{row_id}")
    assert found is not None
    return found


def decide(world: World, key: str, decision: str) -> int:
    return park_decide(world.app, argparse.Namespace(key=key, decision=decision))


def test_what_nobody_can_explain_is_parked_and_shown(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    _, row_id = park_a_sent_debit(world)
    assert operation(world, row_id).state is State.PARKED
    capsys.readouterr()
    park_list(world.app, argparse.Namespace())
    said = capsys.readouterr().out
    assert f"redemption#{row_id}  was SENT" in said
    assert "compare it with the receipt" in said


def test_a_parked_operation_holds_no_lock_and_no_other_customer(world: World) -> None:
    card_id, _ = park_a_sent_debit(world)
    other = world.ask(Gift_Card_Code=CODE, Amount=11)
    world.serve()
    assert world.row(other)["Outcome"] == Outcome.REDEEMED
    assert world.shop.card(card_id).balance == 32


@pytest.mark.parametrize(
    ("decision", "outcome"), [("charged", Outcome.REDEEMED), ("not-charged", Outcome.NOT_CHARGED)]
)
def test_a_persons_decision_is_the_answer(world: World, decision: str, outcome: Outcome) -> None:
    _, row_id = park_a_sent_debit(world)
    assert decide(world, f"redemption#{row_id}", decision) == 0
    world.drain()
    assert world.row(row_id)["Outcome"] == outcome
    assert world.mails()[-1].subject.startswith(
        "Paid" if outcome is Outcome.REDEEMED else "Not paid"
    )
    assert len(world.cells("Receipts")) == 1
    assert world.app.journal.parked(now=now(), limit=10) == []


def test_what_is_retried_goes_on_where_it_was(world: World) -> None:
    card_id, row_id = park_a_sent_debit(world)
    card = world.shop.card(card_id)
    card.transactions.clear()  # the shop's admin has put it right
    assert decide(world, f"redemption#{row_id}", "retry") == 0
    world.come_to_rest()
    assert world.row(row_id)["Outcome"] == Outcome.NOT_CHARGED


def test_what_is_not_parked_cannot_be_decided(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    assert decide(world, f"redemption#{row_id}", "not-charged") == 1
    assert "is not parked" in capsys.readouterr().err
    assert operation(world, row_id).state is State.SETTLED


class Deadly:
    """Kills every worker that reads one card, as a poison row would."""

    def __init__(self, world: World) -> None:
        self.deaths = 0
        self._world = world

    def __call__(self, name: str) -> None:
        if "FindCard" in name:
            self.deaths += 1
            self._world.effects.kill_on = {"FindCard": "before"}


def test_a_row_that_kills_its_worker_goes_last_and_is_set_aside(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.shop.issue_card(code=OTHER, amount=50)
    world.ask(Gift_Card_Code=OTHER)
    world.serve()  # its code is in our index from now on: no search kills it
    poison = world.ask(Gift_Card_Code=CODE)
    deadly = Deadly(world)
    world.effects.watch = deadly
    for _ in range(12):
        world.advance(60)
        world.tick()
    assert deadly.deaths == 6
    healthy = world.ask(Gift_Card_Code=OTHER, Amount=11)
    world.serve()
    assert world.row(healthy)["Outcome"] == Outcome.REDEEMED
    capsys.readouterr()
    park_list(world.app, argparse.Namespace())
    assert f"row#{poison}" in capsys.readouterr().out

    world.effects.watch = None
    world.effects.kill_on = {}
    assert decide(world, f"row#{poison}", "charged") == 1
    assert decide(world, f"row#{poison}", "retry") == 0
    world.base.table("Redemptions").update(poison, {"Approved": True})
    world.serve()
    assert world.row(poison)["Outcome"] == Outcome.CODE_NOT_FOUND


def test_a_deadly_row_is_served_after_all_others(world: World) -> None:
    world.shop.issue_card(code=OTHER, amount=50)
    world.ask(Gift_Card_Code=OTHER)
    world.serve()
    world.ask(Gift_Card_Code=CODE)
    world.effects.watch = Deadly(world)
    for _ in range(3):
        world.advance(60)
        world.tick()
    world.advance(60)
    younger = world.ask(Gift_Card_Code=OTHER, Amount=11)
    world.tick()
    world.drain()
    assert world.row(younger)["Outcome"] == Outcome.REDEEMED


def test_shopify_down_for_an_hour_parks_nothing(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    world.serve()
    world.shop.faults.add(Fault.FAIL_BEFORE, times=None)
    for _ in range(60):
        world.advance(60)
        world.serve()
        world.sweep()
    assert operation(world, row_id).state is State.SENT
    world.shop.faults.clear()
    world.come_to_rest()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
