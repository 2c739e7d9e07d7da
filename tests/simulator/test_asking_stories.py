"""Questions of customers and cards that are sent again: how the stories end, and what is seen."""

import pytest

from simulator.history import Spec, tell
from simulator.stories import PROMISES
from simulator.stories.selling import ROSA, TOM
from simulator.world import World


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def broken(world: World) -> set[str]:
    return {name for name, promise in PROMISES for _ in promise(world)}


def told(world: World, name: str) -> None:
    assert tell(world, Spec(name)).violations == ()
    assert broken(world) == set()


@pytest.mark.parametrize(("name", "holds"), [("check", True), ("check-nobodys", False)])
def test_a_question_is_answered_by_mail(world: World, name: str, holds: bool) -> None:  # noqa: FBT001 - a case
    told(world, name)
    (mail,) = world.ses.sent()
    assert mail.destinations["ToAddresses"] == [ROSA]
    assert ("50.00" in mail.text) is holds


def test_a_question_without_its_answer_and_an_answer_to_somebody_else_are_seen(
    world: World,
) -> None:
    told(world, "check")
    (row_id,) = world.asked
    world.asked[row_id] = TOM
    assert broken(world) == {"ONE_ANSWER"}
    world.asked = {"rec": ROSA}
    assert broken(world) == {"ONE_ANSWER"}


def test_a_card_is_sent_again_once(world: World) -> None:
    told(world, "resend")
    sent = [one.email for one in world.klaviyo.events if one.metric == "Gift Card Delivered"]
    assert sent == [ROSA, TOM]
    (row,) = world.rows("Gift Cards")
    assert row["Owner Email"] == TOM
    table = world.base.table("Gift Cards")
    table.update(next(iter(table.record_ids())), {"Resend": True})
    assert broken(world) == {"ONE_CARD"}


def test_a_card_that_was_sent_again_to_nobody_is_seen(world: World) -> None:
    told(world, "resend")
    world.sent_again = dict.fromkeys(world.sent_again, "mina@example.com")
    assert broken(world) == {"ONE_CARD"}
