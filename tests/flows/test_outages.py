"""Vendors away for an hour, workers that freeze: what the store reads, and what moves."""

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.store.journal import State
from sandbox.faults import Fault
from tests.world import World

CODE = "wxyz2345abcd6789"


def live(world: World, minutes: int) -> None:
    """Minutes pass: a tick, a sweep, and whatever is in the queues."""
    for _ in range(minutes):
        world.advance(60)
        world.tick()
        world.sweep()
        world.drain()


def subjects(world: World) -> list[str]:
    return [mail.subject.split(":")[0] for mail in world.mails()]


def test_airtable_is_away_for_an_hour_after_a_debit(world: World) -> None:
    """The store is answered at once; Airtable catches up by itself, with nothing lost."""
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.tick()
    world.base.is_down = True
    world.drain()
    assert subjects(world) == ["Paid"]
    live(world, 60)
    world.base.is_down = False
    world.come_to_rest()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert world.cells("Gift Cards")[0]["Balance"] == 40
    assert len(world.redemption_receipts()) == 1
    assert world.shop.card(card.id).balance == 40


def test_airtable_is_away_for_an_hour_before_anybody_saw_the_row(world: World) -> None:
    """The customer has left by then: nothing is charged unasked."""
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.base.is_down = True
    live(world, 60)
    world.base.is_down = False
    world.come_to_rest()
    assert world.row(row_id)["Status"] == "Held"
    assert subjects(world) == ["Not paid"]
    assert world.shop.card(card.id).balance == 50


def test_shopify_is_away_for_an_hour(world: World) -> None:
    """The store reads "please wait" once, and later that the office has to look."""
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
    live(world, 60)
    world.shop.faults.clear()
    world.come_to_rest()
    assert world.row(row_id)["Status"] == "Held"
    assert subjects(world) == ["Please wait", "Not paid"]
    assert world.shop.card(card.id).balance == 50


@pytest.mark.parametrize("seconds", [1, 20])
def test_a_debit_whose_reply_was_lost_is_applied_later(world: World, seconds: int) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.APPLY_LATE, operation="giftCardDebit", seconds=seconds)
    world.serve()
    live(world, 5)
    assert subjects(world) == ["Please wait", "Paid"]
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert world.shop.card(card.id).balance == 40


def test_a_debit_applied_beyond_the_settling_time_is_never_sent_again(world: World) -> None:
    """Then the promise is another one: never sent twice, and never another answer."""
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.APPLY_LATE, operation="giftCardDebit", seconds=200)
    world.serve()
    live(world, 10)
    assert subjects(world) == ["Please wait", "Not paid"]
    assert world.row(row_id)["Outcome"] == Outcome.NOT_CHARGED
    assert len(world.shop.card(card.id).transactions) == 1


class Freeze:
    """Freezes a worker before a call of its own, while another worker goes on."""

    def __init__(self, world: World, word: str, seconds: int) -> None:
        self._world = world
        self._word = word
        self._seconds = seconds

    def __call__(self, name: str) -> None:
        if self._word not in name:
            return
        self._world.effects.watch = None
        frozen = self._world.app
        self._world.advance(self._seconds)
        self._world.new_worker()
        self._world.tick()
        self._world.app = frozen


@pytest.mark.parametrize("call", ["ReadCard", "Transact", "DebitCard"])
def test_a_worker_frozen_past_its_lease_wakes_up_and_charges_nobody_twice(
    world: World, call: str
) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.effects.watch = Freeze(world, call, seconds=40)
    world.tick()
    world.come_to_rest()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert len(world.shop.card(card.id).transactions) == 1
    assert world.shop.card(card.id).balance == 40
    operation = world.app.journal.load(f"redemption#{row_id}")
    assert operation is not None
    assert operation.state is State.SETTLED
