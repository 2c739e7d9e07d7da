"""Airtable carries out a request late, over what was written since: it is put right by itself."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.flows.write_airtable import WRITER_SECONDS
from giftcards.store.queues import OUTCOMES_GROUP, RECORDS_GROUP
from giftcards.store.rewrites import Rewrites
from giftcards.store.table import AGAIN_QUEUE
from sandbox.faults import Fault
from sandbox.shopify import CartLine, OrderPlan, Pay
from sandbox.shopify.orders import Recommendation
from tests.template_resources import function_seconds
from tests.world import When, World, running_world

CODE = "wxyz2345abcd6789"

# How late a request is carried out: within the settling time of two minutes, after all that is
# written since.
LATE_SECONDS = 100

# A failed write comes back after two seconds, then five.
COMES_BACK_SECONDS = 3

# A batch of the writer's queue takes ten.
MORE_THAN_A_BATCH = 12

# Two tries of a card and one that puts it right make more calls than these.
LEAST_EFFECTS = 20


def redeem(world: World, *, employee: str = "Ana") -> str:
    row_id = world.ask(Gift_Card_Code=CODE, Employee=employee, Confirm_Duplicate=True)
    world.advance(1)
    world.serve()
    return row_id


def issue(world: World) -> None:
    """A card that was looked at, so that nobody but the writer shows it again."""
    world.shop.issue_card(code=CODE, amount=50)
    world.come_to_rest()


def late(world: World, operation: str, *, seconds: float = LATE_SECONDS) -> None:
    world.base.faults.add(Fault.APPLY_LATE, operation=operation, seconds=seconds)


def comes_again(world: World) -> None:
    """What failed comes back and is written."""
    world.advance(COMES_BACK_SECONDS)
    world.drain()


def is_carried_out(world: World, *, within: float = LATE_SECONDS) -> None:
    """The late request is carried out, and nobody of ours has looked again yet."""
    world.advance(within)
    world.base.settle()


def noted(world: World) -> list[str]:
    return [str(item["key"]) for item in notes(world)]


def notes(world: World) -> list[dict[str, Any]]:
    return [item for item in world.items() if item.get("queue") == AGAIN_QUEUE]


def until_nothing_is_late(world: World) -> None:
    """What was noted is due."""
    world.advance(world.config.settling_seconds + WRITER_SECONDS)
    world.base.settle()


# ---- cards ------------------------------------------------------------------------------------


def balance(world: World) -> object:
    (row,) = world.cells("Gift Cards")
    return row["Balance"]


@contextmanager
def three_redemptions() -> Iterator[World]:
    """The card's row was made; a write of 30 had no reply; 20 is what it holds by now."""
    with running_world() as world:
        issue(world)
        redeem(world)
        late(world, "update Gift Cards")
        redeem(world)
        comes_again(world)
        assert balance(world) == 30
        redeem(world)
        assert balance(world) == 20
        yield world


def test_an_older_balance_that_is_written_late_is_put_right() -> None:
    with three_redemptions() as world:
        is_carried_out(world)
        assert balance(world) == 30
        world.come_to_rest()
        assert balance(world) == 20
        assert noted(world) == []


def test_it_is_not_written_again_before_nothing_can_be_late_any_more() -> None:
    with three_redemptions() as world:
        writes = []
        world.effects.watch = lambda name: writes.append(name) if name.startswith("PATCH") else None
        world.advance(world.config.settling_seconds)
        world.sweep()
        world.drain()
        assert writes == []
        world.advance(WRITER_SECONDS)
        world.sweep()
        world.drain()
        assert len(writes) == 1


def test_a_card_that_is_shown_for_itself_is_put_right_as_well(world: World) -> None:
    issue(world)
    redeem(world)
    late(world, "update Gift Cards")
    world.app.queues.write_cards(world.shop.cards[0].id)
    world.drain()
    comes_again(world)
    redeem(world)
    assert balance(world) == 30
    is_carried_out(world)
    assert balance(world) == 40
    world.come_to_rest()
    assert balance(world) == 30


def test_what_cannot_be_written_hides_nothing_that_may_be_late(world: World) -> None:
    """One of a batch has no answer, and another one cannot be written until somebody mends it."""
    issue(world)
    redeem(world)
    (card,) = world.shop.cards
    world.base.table("Receipts").delete_field("Details")
    late(world, "update Gift Cards")
    world.ask(Gift_Card_Code="WXYZ")
    world.tick()
    world.app.queues.write_cards(card.id)
    world.drain()
    comes_again(world)
    assert noted(world) == [f"again#card#{card.id}"]


def test_what_cannot_be_written_again_at_once_is_not_forgotten() -> None:
    with three_redemptions() as world:
        until_nothing_is_late(world)
        assert balance(world) == 30
        world.base.faults.add(Fault.REFUSE_CONNECTION, operation="update Gift Cards")
        world.sweep()
        world.drain()
        assert balance(world) == 30
        comes_again(world)
        assert balance(world) == 20


def test_what_is_written_again_may_be_late_itself() -> None:
    with three_redemptions() as world:
        until_nothing_is_late(world)
        late(world, "update Gift Cards")
        world.sweep()
        world.drain()
        comes_again(world)
        redeem(world)
        assert balance(world) == 10
        is_carried_out(world)
        assert balance(world) == 20
        world.come_to_rest()
        assert balance(world) == 10


def test_what_several_sweeps_send_for_is_written_again_once() -> None:
    """A writer that is behind has not come to it when the next sweep looks."""
    with three_redemptions() as world:
        until_nothing_is_late(world)
        for _ in range(MORE_THAN_A_BATCH):
            world.sweep()
        writes = []
        world.effects.watch = lambda name: writes.append(name) if name.startswith("PATCH") else None
        world.drain()
        assert len(writes) == 1


def test_each_is_written_again_by_the_writer_of_its_kind(world: World) -> None:
    """Rows belong to one of the two writers, and all else to the other one."""
    rewrites = Rewrites(world.app.table)
    for thing in ("row#rec1", "order#redemption#rec1", "card#1"):
        rewrites.note(thing, due_at=world.app.clock())
    world.sweep()
    reply = world.sqs.receive_message(
        QueueUrl=world.queue_urls["WriteAirtableQueue"],
        MaxNumberOfMessages=10,
        AttributeNames=["All"],
    )
    assert {
        message["Attributes"]["MessageGroupId"]: sorted(json.loads(message["Body"])["again"])
        for message in reply["Messages"]
    } == {OUTCOMES_GROUP: ["row#rec1"], RECORDS_GROUP: ["card#1", "order#redemption#rec1"]}


def test_a_writer_lives_no_longer_than_is_reckoned_with() -> None:
    assert function_seconds("WriteAirtable") == WRITER_SECONDS


def test_a_writer_that_dies_of_the_lost_reply_leaves_it_to_be_put_right(world: World) -> None:
    issue(world)
    redeem(world)
    late(world, "update Gift Cards", seconds=400)  # after its message came again
    table = world.base.table("Gift Cards").id
    world.effects.kill_on = {f"PATCH /v0/{world.base.id}/{table}": "after"}
    redeem(world)
    assert world.effects.deaths == 1
    world.advance(361)
    world.drain()
    redeem(world)
    assert balance(world) == 20
    is_carried_out(world, within=40)
    assert balance(world) == 30
    world.come_to_rest()
    assert balance(world) == 20


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_whoever_dies_on_the_way_an_older_balance_does_not_stay(world: World, when: When) -> None:
    issue(world)
    redeem(world)
    kept = world.keep()
    _go_on(world)
    patch = f"PATCH /v0/{world.base.id}/{world.base.table('Gift Cards').id}"
    writers = [
        place
        for place, worker in enumerate(world.effects.worker_of)
        if patch in _effects_of(world, worker)
    ]
    sweeps = [place for place, name in enumerate(world.effects.seen) if name == "dynamodb Query"]
    assert len(writers) > LEAST_EFFECTS
    for place in (*writers, *sweeps):
        world.go_back(kept)
        world.effects.kill_at = {place: when}
        _go_on(world)
        held = world.shop.cards[0].balance
        assert balance(world) == held, (place, when, world.effects.seen[place])
        assert noted(world) == []


def _go_on(world: World) -> None:
    late(world, "update Gift Cards")
    redeem(world)
    comes_again(world)
    redeem(world)
    is_carried_out(world)
    world.come_to_rest()


def _effects_of(world: World, worker: int) -> list[str]:
    pairs = zip(world.effects.seen, world.effects.worker_of, strict=True)
    return [name for name, one in pairs if one == worker]


def test_an_airtable_that_never_answers_for_an_hour_makes_no_storm(world: World) -> None:
    issue(world)
    redeem(world)
    world.base.faults.add(Fault.DROP_REPLY, operation="update Gift Cards", times=None)
    redeem(world)
    for _ in range(30):  # as often as the sweep comes
        world.advance(120)
        world.drain()
        world.sweep()
    assert len(world.queued_in("WriteAirtableQueue")) <= 2
    assert noted(world) == [f"again#card#{world.shop.cards[0].id}"]
    world.base.faults.clear()
    writes = []
    world.effects.watch = lambda name: writes.append(name) if name.startswith("PATCH") else None
    world.come_to_rest()
    assert len(writes) <= 4
    assert balance(world) == 30


def test_an_airtable_that_cannot_be_reached_for_an_hour_makes_no_storm_either(world: World) -> None:
    """Nobody can know that of a message that comes again, but a second write is all it costs."""
    issue(world)
    redeem(world)
    world.ask(Gift_Card_Code=CODE, Confirm_Duplicate=True)
    world.tick()
    world.base.faults.add(Fault.REFUSE_CONNECTION, times=None)
    for _ in range(30):
        world.advance(120)
        world.drain()
        world.sweep()
    assert len(world.queued_in("WriteAirtableQueue")) <= 5
    world.base.faults.clear()
    world.come_to_rest()
    assert balance(world) == 30
    assert noted(world) == []


# ---- rows of stores ---------------------------------------------------------------------------


def test_a_held_that_is_written_late_does_not_hide_that_the_customer_has_paid(
    world: World,
) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.advance(world.config.patience_seconds + 10)
    late(world, "update Redemptions")
    world.serve()
    comes_again(world)
    assert world.row(row_id)["Status"] == "Held"
    world.base.table("Redemptions").update(row_id, {"Approved": True})
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    is_carried_out(world)
    assert world.row(row_id)["Status"] == "Held"
    world.come_to_rest()
    assert world.row(row_id)["Status"] == "Processed"
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert "•" in world.row(row_id)["Gift Card Code"]
    assert noted(world) == []


def test_an_answer_that_is_written_late_does_not_hide_what_was_given_back(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    late(world, "update Redemptions")
    row_id = redeem(world)
    comes_again(world)
    world.base.table("Redemptions").update(row_id, {"Reverse Amount": 4})
    world.advance(20)
    world.serve()
    message = world.row(row_id)["Message"]
    assert "given back" in message
    is_carried_out(world)
    assert world.row(row_id)["Message"] != message
    world.come_to_rest()
    assert world.row(row_id)["Message"] == message
    assert world.row(row_id)["Reversed"] == 4
    assert world.row(row_id)["Balance After"] == 44


def test_a_progress_that_is_written_late_does_not_hide_that_all_cards_are_made(
    world: World,
) -> None:
    row_id = world.sell(Quantity=12)
    late(world, "update Creation Requests")
    world.serve()
    comes_again(world)
    for _ in range(4):
        world.advance(5)
        world.serve()
    done = world.request(row_id)
    assert done["Status"] == "Processed"
    is_carried_out(world)
    assert world.request(row_id)["Status"] == "In Progress"
    world.come_to_rest()
    assert world.request(row_id) == done


def test_a_row_is_noted_before_it_is_written_a_second_time(world: World) -> None:
    """It may never pass, and then nobody else would note it."""
    world.shop.issue_card(code=CODE, amount=50)
    world.base.faults.add(Fault.DROP_REPLY, operation="update Redemptions", times=None)
    row_id = redeem(world)
    comes_again(world)
    assert "Outcome" in world.row(row_id)
    assert f"again#row#{row_id}" in noted(world)


def test_each_word_about_a_row_is_written_again_in_the_order_of_writing(world: World) -> None:
    """A later word that does not know of the earlier one: which comes last only we remember."""
    row_id, message = held_and_given_back(world)
    is_carried_out(world)
    assert world.row(row_id)["Message"] != message
    world.come_to_rest()
    assert world.row(row_id)["Message"] == message


def test_a_later_word_does_not_put_off_when_a_row_is_put_right(world: World) -> None:
    row_id = held_late(world)
    (before,) = notes(world)
    world.advance(60)
    give_back(world, row_id)
    (after,) = notes(world)
    assert len(after["operations"]) == len(before["operations"]) + 1
    assert after["due_at"] == before["due_at"]


def test_what_is_written_again_covers_no_word_of_the_same_batch(world: World) -> None:
    row_id, message = held_and_given_back(world)
    until_nothing_is_late(world)
    assert world.row(row_id)["Message"] != message
    world.app.queues.write_operation(f"reverse#{row_id}#30000")
    world.sweep()
    world.drain()
    assert world.row(row_id)["Message"] == message


def test_a_row_that_is_written_again_may_be_late_itself(world: World) -> None:
    row_id = held_late(world)
    until_nothing_is_late(world)
    late(world, "update Redemptions")
    world.sweep()
    world.drain()
    comes_again(world)
    message = give_back(world, row_id)
    is_carried_out(world)
    assert world.row(row_id)["Message"] != message
    world.come_to_rest()
    assert world.row(row_id)["Message"] == message


def held_late(world: World) -> str:
    """To give back 300 waits for the office's word, and the row was told so twice."""
    row_id = redeem_and_wish(world, 300, loaded=500)
    late(world, "update Redemptions")
    world.serve()
    comes_again(world)
    assert "Approved" in world.row(row_id)["Message"]
    return row_id


def give_back(world: World, row_id: str) -> str:
    """The office gives its word; returns what the row says then."""
    world.base.table("Redemptions").update(row_id, {"Approved": True})
    world.serve()
    message = str(world.row(row_id)["Message"])
    assert "given back" in message
    return message


def held_and_given_back(world: World) -> tuple[str, str]:
    row_id = held_late(world)
    return row_id, give_back(world, row_id)


def redeem_and_wish(world: World, total: int, *, loaded: int) -> str:
    world.shop.issue_card(code=CODE, amount=loaded)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=loaded)
    world.serve()
    world.base.table("Redemptions").update(row_id, {"Reverse Amount": total})
    return row_id


def test_the_offices_tick_is_not_taken_away_a_second_time(world: World) -> None:
    """It may be a new wish by then."""
    world.sell()
    for _ in range(3):
        world.advance(30)
        world.serve()
    (record,) = world.base.table("Gift Cards").records()
    table = world.base.table("Gift Cards")
    world.base.faults.add(Fault.DROP_REPLY, operation="update Gift Cards")
    table.update(record["id"], {"Resend": True})
    for _ in range(3):
        world.advance(30)
        world.serve()
    assert "Resend" not in table.get(record["id"])["fields"]
    assert not [thing for thing in noted(world) if thing.startswith("again#row#")]


# ---- rows of orders ---------------------------------------------------------------------------


def test_a_held_order_that_is_written_late_does_not_hide_that_its_card_is_made(
    world: World,
) -> None:
    risky = OrderPlan(risk=Recommendation.INVESTIGATE)
    order = world.shop.orders.place([CartLine("GIFT-CARD-50")], Pay(), plan=risky)
    world.buy_tick()
    world.drain()
    late(world, "update Processed Orders")
    _whatever_writes_it_again(world, order.id)
    comes_again(world)
    (row,) = world.cells("Processed Orders")
    assert row["Status"] == "Held"
    (record,) = world.base.table("Processed Orders").records()
    world.base.table("Processed Orders").update(record["id"], {"Release": True})
    world.buy_tick()
    world.drain()
    assert processed(world) == "Processed"
    is_carried_out(world)
    assert processed(world) == "Held"
    world.come_to_rest()
    assert processed(world) == "Processed"


def processed(world: World) -> object:
    (row,) = world.cells("Processed Orders")
    return row["Status"]


def _whatever_writes_it_again(world: World, order_id: str) -> None:
    number = order_id.rpartition("/")[2]
    world.app.queues.write_records(f"held-order#{number}")
    world.drain()
