"""A customer asks for a balance: one mail, one sentence for every miss, and not too often."""

from datetime import timedelta
from typing import Any

import pytest

from sandbox.faults import Fault
from tests.world import World, running_world

CODE = "wxyz2345abcd6789"


def texts(world: World) -> list[tuple[str, str]]:
    return [(mail.subject, mail.body) for mail in world.mails()]


def test_the_balance_goes_to_the_address_given(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.check_balance("WXYZ 2345 ABCD 6789")
    world.serve()
    (mail,) = world.mails()
    assert mail.destinations["ToAddresses"] == ["rosa@example.com"]
    assert mail.subject == "Your gift card holds 50.00 USD"
    row = dict(world.base.table("Balance Checks").get(row_id)["fields"])
    assert (row["Status"], row["Gift Card Code"]) == ("Processed", "•••• 6789")
    (receipt,) = world.cells("Receipts")
    assert (receipt["Action"], receipt["Outcome"]) == ("Check balance", "Done")


@pytest.mark.parametrize("accepted", [False, True])
def test_nobody_is_sent_to_a_store_with_a_card_that_stores_do_not_take(*, accepted: bool) -> None:
    with running_world(accept_historical=accepted) as world:
        card = world.shop.issue_card(code=CODE, amount=50)
        card.created_at = world.config.live_from - timedelta(days=1)
        world.check_balance(CODE)
        world.serve()
        (mail,) = world.mails()
        assert mail.subject == "Your gift card holds 50.00 USD"
        assert ("every one of our stores" in mail.body) is accepted
        assert ("they cannot take it" in mail.body) is not accepted


def test_every_miss_reads_the_same() -> None:
    answers = set()
    for kind in ("unknown", "mistyped", "expired", "disabled"):
        with running_world() as world:
            card = world.shop.issue_card(code=CODE, amount=50)
            if kind == "expired":
                world.shop.update(card.id, expires_on=world.shop.today() - timedelta(days=1))
            if kind == "disabled":
                world.shop.deactivate(card.id)
            world.check_balance({"unknown": "zzzz9999zzzz9999", "mistyped": "??"}.get(kind, CODE))
            world.serve()
            (answer,) = texts(world)
            answers.add(answer)
    assert len(answers) == 1
    assert "could not find a balance" in answers.pop()[0]


def test_one_address_is_answered_so_often_a_day_and_no_more(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    for _ in range(8):
        world.check_balance(CODE)
        world.serve()
        world.advance(60)
    assert len(world.mails()) == 5
    outcomes = [receipt["Details"].split(":")[0] for receipt in world.cells("Receipts")]
    assert outcomes == ["BALANCE_SENT"] * 5 + ["TOO_MANY_CHECKS"] * 3
    world.check_balance(CODE, email="other@example.com")
    world.serve()
    assert len(world.mails()) == 6
    world.advance(86400)
    world.check_balance(CODE)
    world.serve()
    assert len(world.mails()) == 7


def test_a_plus_in_an_address_gets_nobody_more_mail(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    for number in range(8):
        world.check_balance(CODE, email=f"rosa+{number}@example.com")
        world.serve()
        world.advance(60)
    assert len(world.mails()) == 5


@pytest.mark.parametrize("whose", ["one", "all"])
def test_who_misses_again_and_again_is_not_looked_for_any_more(whose: str) -> None:
    settings: dict[str, Any] = {
        "most_checks": 100,
        "most_check_misses": 4,
        "most_check_misses_of_all": 100,
    }
    if whose == "all":
        settings |= {"most_check_misses": 100, "most_check_misses_of_all": 4}
    with running_world(**settings) as world:
        world.shop.issue_card(code=CODE, amount=50)
        for number in range(4):
            email = f"a{number}@example.com" if whose == "all" else "a@example.com"
            world.check_balance("zzzz9999zzzz9999", email=email)
            world.serve()
            world.advance(60)
        told = len(world.mails())
        world.effects.forget()
        world.check_balance(CODE, email="b@example.com" if whose == "all" else "a@example.com")
        world.serve()
        assert not any("FindCard" in effect for effect in world.effects.seen)
        assert len(world.mails()) == told
        assert world.cells("Receipts")[-1]["Details"].startswith("LOCKED_OUT")


def test_a_question_that_waits_for_shopify_is_one_question(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.check_balance(CODE)
    world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
    for _ in range(7):
        world.tick()
        world.advance(60)
    assert world.mails() == []
    world.shop.faults.clear()
    world.serve()
    assert [mail.subject for mail in world.mails()] == ["Your gift card holds 50.00 USD"]


def test_a_message_that_comes_twice_is_answered_once(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.check_balance(CODE)
    world.serve()
    world.app.queues.deliver(f"check#{row_id}")
    world.drain()
    assert len(world.mails()) == 1


def test_an_impossible_address_gets_nothing(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.check_balance(CODE, email="nobody at all")
    world.serve()
    assert world.mails() == []
    assert world.cells("Receipts")[0]["Details"].startswith("ADDRESS_INVALID")


def test_a_redemption_comes_before_a_question(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.check_balance(CODE)
    world.ask(Gift_Card_Code=CODE, Amount=10)
    world.serve()
    subjects = [mail.subject for mail in world.mails()]
    assert subjects[0].startswith("Paid")
    assert subjects[1] == "Your gift card holds 40.00 USD"
