"""A store that read "nothing was charged" is not charged, and reads nothing older afterwards."""

from datetime import timedelta

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.store.journal import State
from giftcards.wiring import now
from sandbox.faults import Fault
from tests.flows.taken_up import CODE, operation_of, take_up
from tests.world import World


def subjects(world: World) -> list[str]:
    return [mail.subject.split(":")[0].split(" (")[0] for mail in world.mails()]


def test_a_worker_by_whose_clock_it_is_too_late_does_not_deny_anothers_debit(world: World) -> None:
    row_id = take_up(world)
    world.advance(890)
    seen_before = world.app.journal.load(f"redemption#{row_id}")
    assert seen_before is not None
    world.tick()  # debited
    world.advance(15)
    world.app.redeem().finish(seen_before, deadline=now() + timedelta(seconds=20))
    world.drain()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert world.app.journal.load(f"held#{row_id}") is None
    assert "Not paid" not in subjects(world)


def test_a_worker_that_dies_between_holding_and_telling_leaves_nobody_untold(
    world: World,
) -> None:
    row_id = take_up(world)
    world.drain()
    world.advance(901)
    world.base.table("Redemptions").delete(row_id)  # only the sweep sees it now
    world.effects.kill_on = {"PutItem": "before"}
    world.sweep()
    assert world.effects.deaths == 1
    world.come_to_rest()
    assert subjects(world) == ["Please wait", "Not paid"]


def test_please_wait_does_not_follow_the_news_that_a_row_is_held(world: World) -> None:
    row_id = take_up(world)
    world.advance(901)
    world.tick()
    world.app.answer_store().answer(f"held#{row_id}")
    world.app.answer_store().answer(f"interim#{row_id}")
    assert subjects(world) == ["Not paid"]


def test_a_known_card_is_held_in_time_while_shopify_is_away(world: World) -> None:
    """The store reads that nothing was taken while its customer may still be there."""
    world.shop.issue_card(code=CODE, amount=50)
    before = world.ask(Gift_Card_Code=CODE, Amount=1)
    world.serve()
    assert world.row(before)["Outcome"] == Outcome.REDEEMED
    world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    assert operation_of(world, row_id).state is State.CLAIMED
    world.advance(901)
    world.serve()
    assert world.row(row_id)["Status"] == "Held"
    assert subjects(world)[-1] == "Not paid"


@pytest.mark.parametrize("amount", ["12_50", "1e1"])
def test_an_amount_is_read_as_a_person_would(world: World, amount: str) -> None:
    redemptions = world.base.table("Redemptions")
    redemptions.delete_field("Amount")
    redemptions.create_field({"name": "Amount", "type": "singleLineText"})
    world.resume()
    card = world.shop.issue_card(code=CODE, amount=5000)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=amount)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.AMOUNT_INVALID
    assert world.shop.card(card.id).balance == 5000
