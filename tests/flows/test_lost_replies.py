"""Shopify falls silent: a debit is sent once, and what became of it is found out by asking."""

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.store.journal import State
from giftcards.wiring import now
from sandbox.faults import Fault
from tests.world import World

CODE = "wxyz2345abcd6789"
DEBIT = "giftCardDebit"


def state_of(world: World, row_id: str) -> State:
    operation = world.app.journal.load(f"redemption#{row_id}")
    assert operation is not None
    return operation.state


@pytest.mark.parametrize("fault", [Fault.DROP_REPLY, Fault.BREAK_CONNECTION, Fault.FAIL_AFTER])
def test_a_debit_that_was_applied_is_found_again(world: World, fault: Fault) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(fault, operation=DEBIT)
    world.serve()
    assert state_of(world, row_id) is State.SENT
    (interim,) = world.mails()
    assert interim.subject.startswith("Please wait")
    world.come_to_rest()
    assert world.mails()[-1].subject.startswith("Paid")
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert len(world.shop.card(card.id).transactions) == 1
    assert world.row(row_id)["Balance After"] == 40


def test_a_debit_that_never_ran_is_not_charged_for_ever(redemptions_only: World) -> None:
    world = redemptions_only
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation=DEBIT)
    world.serve()
    operation = world.journal.load(f"redemption#{row_id}")
    assert operation is not None
    assert operation.sent_at is not None
    world.advance((operation.sent_at - now()).total_seconds() + 119)
    world.serve()
    assert state_of(world, row_id) is State.SENT  # the settling time is not over
    world.advance(2)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.NOT_CHARGED
    world.come_to_rest()
    assert world.shop.card(card.id).transactions == []
    interim, mail = world.mails()
    assert interim.subject.startswith("Please wait")
    assert "not charged" in mail.body.lower()


def test_a_debit_that_is_applied_late_is_found_within_the_settling_time(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.APPLY_LATE, operation=DEBIT, seconds=90)
    world.serve()
    world.come_to_rest()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert len(world.shop.card(card.id).transactions) == 1


def test_our_own_debit_does_not_look_like_an_empty_card(world: World) -> None:
    """The debit lowered the balance; judging the balance first would refuse the customer."""
    world.shop.issue_card(code=CODE, amount=10)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=10)
    world.shop.faults.add(Fault.DROP_REPLY, operation=DEBIT)
    world.serve()
    world.come_to_rest()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert world.row(row_id)["Balance After"] == 0


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.THROTTLE_429, Fault.REFUSE_CONNECTION])
def test_a_debit_that_shopify_did_not_run_is_sent_again(world: World, fault: Fault) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(fault, operation=DEBIT)
    world.serve()
    assert state_of(world, row_id) is State.CLAIMED
    world.advance(15)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert len(world.shop.card(card.id).transactions) == 1


def test_another_debit_of_the_same_amount_is_not_taken_for_ours(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    first = world.ask(Gift_Card_Code=CODE)
    world.serve()
    world.advance(1)
    second = world.ask(Gift_Card_Code=CODE, Confirm_Duplicate=True)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation=DEBIT)
    world.serve()
    world.come_to_rest()
    assert world.row(first)["Outcome"] == Outcome.REDEEMED
    assert world.row(second)["Outcome"] == Outcome.NOT_CHARGED
    assert world.shop.card(card.id).balance == 40


def test_the_web_spends_the_card_between_our_read_and_our_debit(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=40)

    def spend_before_debit(name: str) -> None:
        if "DebitCard" in name:
            world.shop.spend_on_web(card.id, 45)

    world.effects.watch = spend_before_debit
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.INSUFFICIENT_BALANCE
    assert world.shop.card(card.id).balance == 5


def test_a_shop_that_is_away_leaves_the_rows_waiting(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
    world.serve()
    assert "Status" not in world.row(row_id)
    (status,) = world.cells("Status")
    assert status["State"] == "Offline"
    assert "Shopify" in status["Last Error"]
    world.shop.faults.clear()
    world.advance(60)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert world.shop.card(card.id).balance == 40
    (status,) = world.cells("Status")
    assert status["State"] == "Executing"
