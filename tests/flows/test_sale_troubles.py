"""What goes wrong with one sale, one card or one customer stays with that one, and mends itself."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from giftcards.errors import NeedsAPerson
from giftcards.flows.deliver import WAITS
from giftcards.store.journal import Operation, State
from giftcards.wiring import now
from sandbox.faults import Fault
from tests.flows.adjust_stories import decide_parked
from tests.flows.sale_stories import (
    CODE,
    DELIVERED,
    ROSA,
    a_minute,
    check_receipts,
    codes_in,
    to_of,
)
from tests.world import OFFICE, World, running_world


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as one:
        yield one


def operation(world: World, key: str) -> Operation:
    found = world.journal.load(key)
    assert found is not None
    return found


def sold(world: World, row_id: str) -> list[Any]:
    return [card for card in world.shop.cards if (card.note or "").startswith(f"issue#{row_id}#")]


def delivered(world: World) -> list[Any]:
    return [event for event in world.klaviyo.events if event.metric == DELIVERED]


def make_wrongly(world: World, note: str) -> None:
    """Shopify makes the card of this note with another value than it was asked for."""
    rightly = world.shop.create

    def wrongly(**asked: Any) -> Any:
        if asked.get("note") == note:
            asked["amount"] += Decimal(1)
        return rightly(**asked)

    world.shop.create = wrongly  # type: ignore[method-assign]


# ------------------------------------------------------------------------------------- making cards


def test_a_card_that_cannot_be_made_is_parked_and_all_others_are_made(world: World) -> None:
    first = world.sell(Quantity=12)
    make_wrongly(world, f"issue#{first}#2")
    world.tick()
    second = world.sell(Recipient_Email="other@example.com")
    for _ in range(3):
        a_minute(world)
    assert world.request(second)["Outcome"] == "ISSUED"  # held up by nobody
    for _ in range(30):
        a_minute(world)
    spoiled = operation(world, f"issue#{first}#2")
    assert spoiled.state is State.PARKED
    assert "another value" in (spoiled.parked_because or "")
    assert len(sold(world, first)) == 12  # the wrong one was made once, and no second for it
    assert operation(world, f"sale#{first}").progress == 11
    assert world.request(first)["Message"] == "11 of 12 cards are made."
    assert [event.profile for event in delivered(world)] == ["other@example.com"]
    assert not world.queued_in("IssueCardsQueue")


def test_a_card_whose_note_shopify_keeps_otherwise_is_made_once(world: World) -> None:
    rightly = world.shop.create

    def create(**asked: Any) -> Any:
        return rightly(**asked | {"note": f"{asked['note']} "})

    world.shop.create = create  # type: ignore[method-assign]
    row_id = world.sell()
    for _ in range(30):
        a_minute(world)
    parked = operation(world, f"issue#{row_id}#1")
    (card,) = sold(world, row_id)
    assert parked.state is State.PARKED
    assert card.id in (parked.parked_because or "")
    assert parked.counter == 0
    assert not delivered(world)


def test_a_card_that_was_made_and_renamed_is_not_made_again(world: World) -> None:
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardCreate")
    row_id = world.sell()
    with suppress(NeedsAPerson):
        world.tick()
    world.drain()
    (card,) = sold(world, row_id)
    key = str(card.note)
    world.shop.update(card.id, note="for Rosa")
    for _ in range(5):
        a_minute(world)
    parked = operation(world, key)
    assert parked.state is State.PARKED
    assert all(part in (parked.parked_because or "") for part in (card.id, key, "retry"))
    assert [one.id for one in world.shop.cards] == [card.id]
    # A person puts the note back, and has it tried again.
    world.shop.update(card.id, note=key)
    assert decide_parked(world, "retry") == 1
    world.come_to_rest()
    assert [one.id for one in world.shop.cards] == [card.id]
    assert world.request(row_id)["Outcome"] == "ISSUED"
    assert len(delivered(world)) == 1


def test_what_shopify_refuses_is_parked_at_once_and_all_others_are_made(world: World) -> None:
    row_id = world.sell(Quantity=3)
    rightly = world.shop.create
    limit = world.shop.issue_limit

    def create(**asked: Any) -> Any:
        world.shop.issue_limit = Decimal(1) if asked.get("note") == f"issue#{row_id}#2" else limit
        return rightly(**asked)

    world.shop.create = create  # type: ignore[method-assign]
    world.serve()
    for _ in range(5):
        a_minute(world)
    assert operation(world, f"issue#{row_id}#2").state is State.PARKED
    assert len(sold(world, row_id)) == 2
    world.shop.create = rightly  # type: ignore[method-assign]
    world.shop.issue_limit = limit
    world.journal.unpark(operation(world, f"issue#{row_id}#2"), due_at=now())
    world.come_to_rest()
    assert len(sold(world, row_id)) == 3
    assert len(codes_in(delivered(world)[0])) == 3


def test_a_token_that_is_refused_for_hours_loses_no_sale(world: World) -> None:
    world.shop.faults.add(Fault.REFUSE_TOKEN, operation="giftCardCreate", times=None)
    row_id = world.sell(Quantity=2)
    for _ in range(120):
        a_minute(world)
    assert not world.queued_in("IssueCardsDeadLetters")
    world.shop.faults.clear()
    world.come_to_rest()
    assert len(sold(world, row_id)) == 2
    assert len(delivered(world)) == 1


def test_two_workers_at_one_sale_make_each_card_once_and_close_it(world: World) -> None:
    row_id = world.sell(Quantity=4)
    world.tick()
    others = [3]

    def overlap(name: str) -> None:
        if "CreateCard" in name and others:
            others.pop()
            flow = world.new_worker().issue_cards()
            flow.take_turn(f"sale#{row_id}", deadline=now() + timedelta(seconds=60))

    world.effects.watch = overlap
    world.drain()
    assert not others
    assert len(sold(world, row_id)) == 4
    assert world.request(row_id)["Outcome"] == "ISSUED"  # without waiting for the sweep
    world.come_to_rest()
    assert len(delivered(world)) == 1
    check_receipts(world)


def test_two_workers_who_find_the_same_foreign_card_take_the_same_next_code(world: World) -> None:
    row_id = world.sell()
    codes = world.app.issue_cards().codes
    code = codes.code_for(f"issue#{row_id}#1", 0, codes.newest_key_version)
    world.shop.issue_card(code=code.value, amount=7, note="made by hand")
    world.tick()
    journaled: list[int] = []
    others = [1]

    def overlap(name: str) -> None:
        if "CreateCard" in name:
            journaled.append(operation(world, f"issue#{row_id}#1").counter)
        if "FindCreated" in name and others:
            others.pop()
            flow = world.new_worker().issue_cards()
            flow.take_turn(f"sale#{row_id}", deadline=now() + timedelta(seconds=60))

    world.effects.watch = overlap
    world.drain()
    world.come_to_rest()
    assert journaled == [0, 0, 1]  # the counter stands in the journal before its code is tried
    assert len(sold(world, row_id)) == 1
    assert operation(world, f"issue#{row_id}#1").counter == 1


def test_a_paused_stack_makes_no_card_and_sends_nothing_and_goes_on_by_itself(world: World) -> None:
    row_id = world.sell(Quantity=25)
    scheduled = world.sell(Send_On="2026-11-24")
    world.tick()
    app = world.app
    turns = [2]

    def pause(name: str) -> None:
        if name == "sqs ReceiveMessage":
            return
        if "CreateCard" in name and turns:
            turns.pop()
            app.control.throw_switch(run=False, by="tests", now=now())

    world.effects.watch = pause
    world.drain()
    made = len(world.shop.cards)
    assert 0 < made <= 10  # the turn that was under way was ended
    for _ in range(30):
        world.advance(3600)
        world.sweep()
        world.drain()
    assert len(world.shop.cards) == made
    assert delivered(world) == []
    world.effects.watch = None
    world.app.control.throw_switch(run=True, by="tests", now=now())
    world.come_to_rest()
    assert len(sold(world, row_id)) == 25
    assert len(sold(world, scheduled)) == 1
    assert len(delivered(world)) == 2


# --------------------------------------------------------------------------------------- delivering


def test_a_card_that_dies_between_two_tries_leaves_no_other_unsent(world: World) -> None:
    row_id = world.sell(Quantity=60)
    calls = []

    def fail_the_second(name: str) -> None:
        if "/api/events" in name:
            calls.append(name)
            if len(calls) == 2:
                world.klaviyo.faults.add(Fault.FAIL_BEFORE, operation="event")
                world.shop.deactivate(sold(world, row_id)[2].id)

    world.effects.watch = fail_the_second
    world.serve()
    for _ in range(10):
        a_minute(world)
    told = [code for event in delivered(world) for code in codes_in(event)]
    assert len(told) == len(set(told))
    assert {card.code for card in sold(world, row_id)} <= set(told)


def test_a_delivery_refused_for_good_is_told_each_time_it_is_given_up(world: World) -> None:
    row_id = world.sell(Recipient_Email="rosa@example.c")  # which Klaviyo takes for none
    world.serve()
    for times in (1, 2):
        notices = [mail for mail in world.mails() if to_of(mail) == OFFICE]
        assert len(notices) == times
        assert operation(world, f"delivery#{row_id}").state is State.PARKED
        assert "could not be sent to rosa@example.c" in world.request(row_id)["Message"]
        assert len([line for line in world.cells("Receipts") if line["Outcome"] == "Failed"]) == (
            times
        )
        check_receipts(world)
        (letter,) = world.queued_in("DeliverToCustomerDeadLetters")
        url = world.queue_urls["DeliverToCustomerDeadLetters"]
        (dead,) = world.sqs.receive_message(QueueUrl=url)["Messages"]
        world.sqs.delete_message(QueueUrl=url, ReceiptHandle=dead["ReceiptHandle"])
        world.sqs.send_message(
            QueueUrl=world.queue_urls["DeliverToCustomerQueue"], MessageBody=letter
        )
        world.drain()


def test_the_row_says_that_the_purchaser_could_not_be_told(world: World) -> None:
    row_id = world.sell(Is_Gift=True, Purchaser_Name="Tom", Purchaser_Email="tom@example.c")
    world.serve()
    world.advance(60)
    world.serve()
    assert len(delivered(world)) == 1
    assert "could not be sent to tom@example.c" in world.request(row_id)["Message"]


def test_what_klaviyo_took_later_does_not_hide_where_the_cards_went(world: World) -> None:
    world.klaviyo.faults.add(Fault.THROTTLE, operation="event", times=2)
    row_id = world.sell(Is_Gift=True, Purchaser_Name="Tom", Purchaser_Email="tom@example.com")
    world.serve()
    for _ in range(5):
        a_minute(world)
    assert len(world.klaviyo.events) == 2
    assert world.request(row_id)["Message"] == f"Sent to {ROSA}."


def test_messages_that_come_twice_shorten_no_wait(world: World) -> None:
    world.klaviyo.faults.add(Fault.THROTTLE, operation="event", times=None)
    row_id = world.sell()
    world.serve()
    key = f"delivery#{row_id}"
    assert operation(world, key).tries == 1
    tried: list[float] = []

    def note(name: str) -> None:
        if "/api/events" in name:
            tried.append(now().timestamp())

    world.effects.watch = note
    for _ in range(300):
        for _ in range(2):
            world.app.queues.deliver(key)
        world.drain()
        world.advance(1)
    gaps = [later - earlier for earlier, later in pairwise(tried)]
    assert gaps
    assert operation(world, key).tries == 1 + len(tried)
    for gap, wait in zip(gaps, WAITS[1:], strict=False):
        assert gap >= max(wait, 10)  # 10 is what the box asks for


def test_a_key_that_is_refused_is_a_wait_of_the_journals_as_well(world: World) -> None:
    world.klaviyo.faults.add(Fault.REFUSE_TOKEN, operation="event", times=None)
    row_id = world.sell()
    world.serve()
    key = f"delivery#{row_id}"
    for _ in range(120):
        a_minute(world)
        # The next try's message, and the one that failed, which finds that it is too early.
        assert len(world.queued_in("DeliverToCustomerQueue")) <= 2
    assert 4 <= operation(world, key).tries <= len(WAITS)
    assert not world.queued_in("DeliverToCustomerDeadLetters")
    world.klaviyo.faults.clear()
    for _ in range(10):
        world.advance(1800)
        world.sweep()
        world.drain()
    assert len(delivered(world)) == 1


# ----------------------------------------------------------------------------- at the stores' prong


def test_trouble_with_the_offices_ticks_keeps_no_store_from_selling(world: World) -> None:
    world.base.faults.add(Fault.FAIL_BEFORE, operation="list Gift Cards", times=None)
    row_id = world.sell()
    world.serve()
    assert len(sold(world, row_id)) == 1


def test_an_aws_that_is_away_parks_no_request(world: World) -> None:
    row_id = world.sell()
    check = world.check_balance("zzzz9999zzzz9999")

    def away(name: str) -> None:
        if name in {"dynamodb TransactWriteItems", "POST query FindCard"}:
            raise EndpointConnectionError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com")

    world.effects.watch = away
    for _ in range(5):
        with suppress(EndpointConnectionError, NeedsAPerson):
            a_minute(world)
    world.effects.watch = None
    world.come_to_rest()
    assert len(sold(world, row_id)) == 1
    assert world.base.table("Balance Checks").get(check)["fields"]["Status"] == "Processed"


@pytest.mark.parametrize("effect", ["CardLimits", "TransactWriteItems"])
def test_a_sale_that_kills_its_worker_stops_no_redemption(world: World, effect: str) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    poison = world.sell()
    for number in range(6):
        row_id = world.ask(Gift_Card_Code=CODE, Amount=1 + number)
        world.effects.watch = lambda name: _die_of_the_sale(world, name, effect)
        a_minute(world)
        a_minute(world)
        assert world.row(row_id)["Outcome"] == "REDEEMED"
    assert world.app.attempts.parked(now=now(), limit=5) == [poison]
    healthy = world.sell(Recipient_Email="other@example.com")
    world.effects.forget()
    a_minute(world)
    assert len(sold(world, healthy)) == 1
    assert sold(world, poison) == []
    world.app.attempts.unpark(poison)
    world.come_to_rest()
    assert len(sold(world, poison)) == 1


def _die_of_the_sale(world: World, name: str, effect: str) -> None:
    """The worker that came as far as this after its redemptions dies of it."""
    mine = world.effects.worker_of[-1]
    its = [
        one
        for one, worker in zip(world.effects.seen, world.effects.worker_of, strict=True)
        if worker == mine
    ]
    if effect in name and any("CardLimits" in one for one in its):
        world.effects.kill_on = {effect: "before"}


def test_a_check_that_kills_its_worker_stops_nobody(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.serve()  # the index knows the card: from here on only the check is searched for
    poison = world.check_balance("zzzz9999zzzz9999")

    def die_of_the_check(name: str) -> None:
        if "FindCard" in name:
            world.effects.kill_on = {"FindCard": "before"}

    world.effects.watch = die_of_the_check
    for number in range(5):
        row_id = world.ask(Gift_Card_Code=CODE, Amount=1 + number)
        a_minute(world)
        a_minute(world)
        assert world.row(row_id)["Outcome"] == "REDEEMED"
        sale = world.sell(Recipient_Email=f"r{number}@example.com")
        a_minute(world)
        assert len(sold(world, sale)) == 1
    assert world.app.attempts.parked(now=now(), limit=5) == [poison]


def test_parked_checks_stand_in_nobodys_way(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    for number in range(12):
        row_id = world.check_balance("zzzz9999zzzz9999", email=f"r{number}@example.com")
        for _ in range(3):
            world.app.attempts.begin(row_id)
    world.check_balance(CODE)
    for _ in range(3):
        a_minute(world)
    assert [to_of(mail) for mail in world.mails()] == [ROSA]


def test_a_row_that_is_edited_while_it_is_being_held_is_held_once(world: World) -> None:
    row_id = world.sell(Amount=501)
    world.tick()
    world.base.table("Creation Requests").update(row_id, {"Employee": "Ben"})
    world.advance(60)
    end = world.tick()
    assert end is not None
    world.drain()
    assert world.request(row_id)["Status"] == "Held"
    assert len(world.mails()) == 1
    world.base.table("Creation Requests").update(row_id, {"Status": None})
    for _ in range(15):
        a_minute(world)
    assert world.request(row_id)["Status"] == "Held"
    assert len(world.mails()) == 1


def test_a_sale_that_is_edited_after_it_was_taken_is_what_it_was(world: World) -> None:
    row_id = world.sell(Amount=25)
    world.tick()
    cells = {"Amount": 400, "Recipient Email": "thief@example.com", "Quantity": 9}
    world.base.table("Creation Requests").update(row_id, cells)
    world.advance(60)
    world.serve()
    world.come_to_rest()
    (card,) = sold(world, row_id)
    assert card.balance == 25
    assert [event.profile for event in delivered(world)] == [ROSA]


def test_messages_that_come_twice_late_and_out_of_order_change_nothing(world: World) -> None:
    world.sell(Quantity=3)
    world.tick()
    world.drain()
    keys = [item["key"].removeprefix("op#") for item in world.items() if "op#" in item["key"]]
    before = (len(world.mails()), len(world.klaviyo.events), len(world.shop.cards))
    for key in reversed(keys):
        if key.startswith(("sale#", "issue#")):
            world.app.queues.issue_cards(key)
        if key.startswith("delivery#"):
            body = json.dumps({"operation": key, "again": True})
            url = world.queue_urls["DeliverToCustomerQueue"]
            world.sqs.send_message(QueueUrl=url, MessageBody=body)
            world.app.queues.answer_store(key)
        world.app.queues.write_records(key)
        world.app.queues.write_operation(key)
    world.drain()
    world.come_to_rest()
    assert before == (len(world.mails()), len(world.klaviyo.events), len(world.shop.cards))
    check_receipts(world)
    (request,) = world.cells("Creation Requests")
    assert (request["Status"], request["Message"]) == ("Processed", f"Sent to {ROSA}.")
