"""What a store reads comes in the order of what happened, and in time, whoever dies meanwhile."""

from datetime import datetime

import pytest
from botocore.exceptions import EndpointConnectionError

from giftcards.domain.outcomes import Outcome
from giftcards.errors import AccessRefused
from giftcards.flows.tick import TickEnd
from giftcards.wiring import now
from sandbox.faults import Fault
from tests.documents.day import Day
from tests.world import MAIL_FROM, When, World

CODE = "wxyz2345abcd6789"


def subjects(world: World) -> list[str]:
    return [mail.subject.split(":")[0] for mail in world.mails()]


def code_of(number: int) -> str:
    return f"wxyz{number:04d}abcd6789".translate(str.maketrans("01", "kh"))


def test_please_wait_is_dropped_where_the_row_was_held_meanwhile(world: World) -> None:
    """SES takes nothing for a quarter of an hour; the younger mail is tried again sooner."""
    ses = world.ses
    day = Day(world)
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
    ses.delete_email_identity(EmailIdentity=MAIL_FROM)
    day.pass_by(930)
    ses.create_email_identity(EmailIdentity=MAIL_FROM)
    day.pass_by(900)
    assert [mail.subject[:8] for mail in day.read] == ["Not paid"]


def test_held_is_dropped_where_the_office_was_quicker_than_the_mail(world: World) -> None:
    """Nobody may read "not paid" behind "paid" for the same form."""
    ses = world.ses
    day = Day(world)
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.base.is_down = True
    day.pass_by(910)
    ses.delete_email_identity(EmailIdentity=MAIL_FROM)
    world.base.is_down = False
    day.pass_by(600)
    assert world.row(row_id)["Outcome"] == Outcome.HELD
    world.base.table("Redemptions").update(row_id, {"Approved": True})
    day.pass_by(60)
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    ses.create_email_identity(EmailIdentity=MAIL_FROM)
    day.pass_by(900)
    assert [mail.subject[:4] for mail in day.read] == ["Paid"]


def test_a_row_that_is_approved_and_then_waits_again_may_be_asked_to_wait(world: World) -> None:
    """The office's word begins the request anew: "please wait" comes behind "held" then."""
    day = Day(world)
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.base.is_down = True
    day.pass_by(910)
    world.base.is_down = False
    day.pass_by(60)
    world.base.table("Redemptions").update(row_id, {"Approved": True})
    world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
    day.pass_by(60)
    assert [mail.subject[:8] for mail in day.read] == ["Not paid", "Please w"]


def test_please_wait_is_sent_in_time_although_its_mailer_died(world: World) -> None:
    """SQS gives the message back after three minutes; the store is told 45 s after."""
    day = Day(world)
    world.shop.issue_card(code=CODE, amount=50)
    day.pass_by(60)
    world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
    began = len(world.effects.seen)
    world.effects.kill_on = {"SendEmail": "before"}
    day.pass_by(16)
    assert any("SendEmail" in name for name in world.effects.seen[began:])
    assert day.read == []
    day.pass_by(44)
    assert [mail.subject[:8] for mail in day.read] == ["Please w"]


def test_rows_that_a_run_has_no_time_for_are_asked_to_wait_as_well(world: World) -> None:
    """Shopify is silent: ten calls at once take five seconds, so a run reaches thirty rows."""
    world.shop.faults.add(Fault.DROP_REPLY, times=None)

    def half_a_second(name: str) -> None:
        if "FindCard" in name:
            world.advance(0.5)

    rows = [world.ask(Gift_Card_Code=code_of(number)) for number in range(60)]
    world.effects.watch = half_a_second
    world.advance(10)
    world.tick()
    world.drain()
    assert len([name for name in world.effects.seen if "FindCard" in name]) < len(rows)
    assert subjects(world) == ["Please wait"] * len(rows)


def test_a_refused_token_leaves_nobody_in_the_dark(world: World) -> None:
    """The first row of a card's line ends the run; those behind it are told as well."""
    world.shop.issue_card(code=CODE, amount=50)
    world.shop.faults.add(Fault.REFUSE_TOKEN, times=None)
    for amount in (10, 11, 12):
        world.ask(Gift_Card_Code=CODE, Amount=amount)
    with pytest.raises(AccessRefused):
        world.tick()
    world.drain()
    assert subjects(world) == ["Please wait"] * 3


def test_a_store_is_told_while_a_fresh_card_is_looked_for_again(world: World) -> None:
    """Shopify's search does not know the card yet: a customer waits for up to a minute."""
    day = Day(world)
    world.shop.set_search_lag(40)
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    day.pass_by(29)
    assert [mail.subject[:8] for mail in day.read] == ["Please w"]
    day.pass_by(60)
    assert [mail.subject[:4] for mail in day.read] == ["Plea", "Paid"]


def test_please_wait_names_the_form_and_a_row_edited_meanwhile_stops_nobody(world: World) -> None:
    """Shopify is away; the clerk corrects a cell of the waiting row."""
    world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
    row_id = world.ask(Gift_Card_Code=CODE)
    assert world.tick() is TickEnd.FAILED
    world.base.table("Redemptions").update(row_id, {"Employee": "Bob", "Amount": 11})
    world.advance(15)
    assert world.tick() is TickEnd.FAILED  # and not by an error that nobody expected
    world.drain()
    (mail,) = world.mails()
    assert mail.subject == "Please wait: not confirmed yet (•••• 6789, 10.00 USD)"


# A worker that died is noticed by what it left, and what it owed is made good within so long.
AFTER_A_DEATH_SECONDS = 45


def pass_by_until_somebody_dies(day: Day) -> datetime:
    """Let time pass, a second at a time; returns when the worker died."""
    for _ in range(60):
        day.pass_by(1)
        if day.world.effects.deaths:
            return now()
    raise AssertionError("nobody died")


@pytest.mark.parametrize(
    ("effect", "when"),
    [("ChangeMessageVisibility", "after"), ("SendEmail", "before"), ("SendEmail", "after")],
)
def test_an_answer_is_read_in_time_although_its_mailer_died(
    world: World, effect: str, when: When
) -> None:
    day = Day(world)
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.effects.kill_on = {effect: when}
    died = pass_by_until_somebody_dies(day)
    day.pass_by(AFTER_A_DEATH_SECONDS)
    sent_before = effect == "SendEmail" and when == "after"  # then the same answer goes out again
    assert [mail.subject[:4] for mail in day.read] == ["Paid"] * (2 if sent_before else 1)
    assert (day.read[-1].at - died).total_seconds() <= AFTER_A_DEATH_SECONDS


def test_an_answer_is_read_in_time_although_its_mailer_died_in_its_turn(world: World) -> None:
    """The store was asked to wait, so the answer is sent under the row's lease: it has to end."""
    day = Day(world)
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    world.serve()
    assert subjects(world) == ["Please wait"]
    world.effects.kill_on = {"SendEmail": "before"}
    died = pass_by_until_somebody_dies(day)
    day.pass_by(AFTER_A_DEATH_SECONDS)
    assert [mail.subject[:4] for mail in day.read] == ["Plea", "Paid"]
    assert (day.read[1].at - died).total_seconds() <= AFTER_A_DEATH_SECONDS


def test_answers_go_out_although_sqs_cannot_be_told_how_long_to_keep_them(world: World) -> None:
    def no_visibility(name: str) -> None:
        if "ChangeMessageVisibility" in name:
            raise EndpointConnectionError(endpoint_url="https://sqs.us-east-1.amazonaws.com")

    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.effects.watch = no_visibility
    world.serve()
    assert any("ChangeMessageVisibility" in name for name in world.effects.seen)
    assert [subject[:4] for subject in subjects(world)] == ["Paid"]
