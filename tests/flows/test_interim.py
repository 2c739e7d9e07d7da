"""While nobody knows the answer, the store is told so in time; the answer follows, never before."""

import re

import pytest

from giftcards.domain.outcomes import Outcome
from sandbox.faults import Fault
from tests.world import WorkerKilled, World

CODE = "wxyz2345abcd6789"


def subjects(world: World) -> list[str]:
    return [mail.subject for mail in world.mails()]


def run_ticks(world: World, seconds: int) -> None:
    """Time passes as in a shop: a tick every fifteen seconds, and all that follows from it."""
    for _ in range(0, seconds, 15):
        world.advance(15)
        world.tick()
        world.drain()


@pytest.mark.parametrize(
    ("fault", "operation"),
    [
        (Fault.DROP_REPLY, "giftCardDebit"),
        (Fault.FAIL_BEFORE, "giftCardDebit"),
        (Fault.REFUSE_CONNECTION, None),
        (Fault.FAIL_BEFORE, None),
        (Fault.THROTTLE, None),
    ],
)
def test_a_store_is_told_within_thirty_seconds(
    world: World, fault: Fault, operation: str | None
) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.tick()
    world.shop.faults.add(fault, operation=operation, times=None)
    world.ask(Gift_Card_Code=CODE)
    run_ticks(world, 30)
    assert subjects(world)[0].startswith("Please wait")
    assert sum(subject.startswith("Please wait") for subject in subjects(world)) == 1


def test_a_store_is_told_within_45_seconds_of_a_workers_death(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.effects.kill_on = {"DebitCard": "before"}
    world.tick()
    run_ticks(world, 45)
    assert [subject[:11] for subject in subjects(world)] == ["Please wait"]


def test_the_store_is_asked_to_wait_once_and_then_answered(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
    run_ticks(world, 120)
    world.shop.faults.clear()
    run_ticks(world, 30)
    assert [subject[:4] for subject in subjects(world)] == ["Plea", "Paid"]
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED


def test_please_wait_is_dropped_where_the_answer_is_known(world: World) -> None:
    """It was queued, then the answer came before the queue did."""
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    world.tick()  # its follow-ups stay in their queues
    world.advance(15)
    world.tick()
    world.drain()
    assert [subject[:4] for subject in subjects(world)] == ["Paid"]


def test_the_answer_waits_while_please_wait_is_on_its_way(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    world.tick()
    world.effects.kill_on = {"SendEmail": "before"}  # it dies while it holds the row's turn
    world.drain()
    world.advance(5)
    world.tick()
    world.drain()
    assert subjects(world) == []
    world.come_to_rest()
    assert [subject[:4] for subject in subjects(world)] == ["Paid"]
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED


def test_a_receipt_says_how_long_the_store_waited(redemptions_only: World) -> None:
    world = redemptions_only
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.advance(12)
    world.serve()
    (receipt,) = world.redemption_receipts()
    assert re.search(r"Answered after 1[23] s\.", receipt["Details"])


def test_ses_refusing_loses_nothing(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.ses.delete_email_identity(EmailIdentity="cards@shop.example")
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED  # Airtable waits for no mail
    assert world.mails() == []
    assert world.redemption_receipts() == []
    world.ses.create_email_identity(EmailIdentity="cards@shop.example")
    world.come_to_rest()
    assert [subject[:4] for subject in subjects(world)] == ["Paid"]
    (receipt,) = world.redemption_receipts()
    assert "Answered after" in receipt["Details"]


def test_a_worker_that_dies_after_the_mail_leaves_no_receipt_behind(world: World) -> None:
    """The writer was quicker than the mail, and found no answer to write a receipt about."""
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.tick()
    world.app.write_airtable().write([{"operation": f"redemption#{row_id}"}])
    assert world.redemption_receipts() == []
    world.effects.kill_on = {"sqs SendMessage": "before"}
    with pytest.raises(WorkerKilled):
        world.app.answer_store().answer(f"redemption#{row_id}")
    world.new_worker()
    world.sqs.purge_queue(QueueUrl=world.queue_urls["WriteAirtableQueue"])
    world.advance(60)
    world.drain()
    assert len(world.mails()) == 1
    assert len(world.redemption_receipts()) == 1
