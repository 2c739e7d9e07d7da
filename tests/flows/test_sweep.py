"""What a crash left half done is finished, and what cannot be finished hides nothing."""

from datetime import timedelta

from giftcards.domain.outcomes import Outcome
from giftcards.flows.sweep import OPERATIONS_PER_SWEEP
from giftcards.store.journal import State
from giftcards.wiring import now
from tests.world import World

CODE = "wxyz2345abcd6789"


def state_of(world: World, row_id: str) -> State:
    operation = world.app.journal.load(f"redemption#{row_id}")
    assert operation is not None
    return operation.state


def test_a_claim_whose_row_was_deleted_is_finished(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.effects.kill_on = {"ReadCard": "before"}
    world.tick()
    world.base.table("Redemptions").delete(row_id)
    world.advance(60)
    world.sweep()
    world.drain()
    assert state_of(world, row_id) is State.SETTLED
    assert world.shop.card(card.id).balance == 40
    assert len(world.mails()) == 1


def test_an_outcome_that_was_not_handed_over_is_handed_over(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.effects.kill_on = {"DebitCard": "after"}
    world.tick()
    world.advance(60)
    world.effects.kill_on = {"sqs SendMessage": "before"}
    world.sweep()
    assert state_of(world, row_id) is State.COMMITTED
    world.advance(60)
    world.sweep()
    world.drain()
    assert state_of(world, row_id) is State.SETTLED
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert len(world.mails()) == 1


def test_what_nobody_can_finish_hides_nothing_that_can(world: World) -> None:
    """More operations than one sweep takes wait in front, for a system that is paused."""
    for number in range(OPERATIONS_PER_SWEEP + 5):
        world.app.journal.claim(
            f"redemption#rec{number}",
            kind="redemption",
            snapshot={"number": number},
            now=now(),
            due_at=now() - timedelta(hours=1),
        )
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.effects.kill_on = {"DebitCard": "after"}
    world.tick()
    world.app.control.throw_switch(run=False, by="tests", now=now())
    world.advance(60)
    world.sweep()
    world.advance(60)
    world.sweep()
    world.drain()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED


def test_what_kills_the_sweep_hides_nothing_that_can_be_finished(world: World) -> None:
    """A reply that no worker survives stands in front; another customer's debit waits behind."""
    world.shop.issue_card(code=CODE, amount=50)
    world.shop.issue_card(code="mnpq2345mnpq6789", amount=50)
    deadly = world.ask(Gift_Card_Code=CODE)
    world.effects.kill_on = {"DebitCard": "after"}
    world.tick()
    world.advance(40)
    row_id = world.ask(Gift_Card_Code="mnpq2345mnpq6789")
    world.base.table("Redemptions").delete(deadly)
    world.effects.kill_on = {"DebitCard": "after"}
    world.tick()
    world.advance(120)
    world.effects.kill_on = {"CardMovements": "before"}
    world.sweep()
    world.sweep()
    assert state_of(world, deadly) is State.SENT
    assert state_of(world, row_id) is State.SETTLED


def test_nothing_is_begun_for_which_there_is_no_time(world: World) -> None:
    """A call of a vendor may take five seconds; with less left, the operation keeps its turn."""
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.effects.kill_on = {"ReadCard": "before"}
    world.tick()
    world.advance(60)
    began = len(world.effects.seen)
    assert world.app.sweep().run(now() + timedelta(seconds=5)) == 0
    assert not [name for name in world.effects.seen[began:] if "UpdateItem" in name]
    assert world.app.sweep().run(now() + timedelta(seconds=20)) == 1
    assert state_of(world, row_id) is State.SETTLED
