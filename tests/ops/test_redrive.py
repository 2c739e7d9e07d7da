"""What gave up is shown, sent again where that leads to anything, and never lost."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from giftcards.flows.kinds import DRIFT, OWED, tag_key
from giftcards.flows.park import FAILURES_TO_BE_PARKED
from giftcards.receipts import Action
from giftcards.store.journal import Operation, State
from giftcards.wiring import now
from ops.command_line import main, park_decide_all
from ops.command_line import redrive as command
from ops.redrive import HIDDEN_SECONDS, DeadLetters, Redrive, dead_letter_queues
from ops.redrive_command import redrive
from sandbox.faults import Fault
from sandbox.shopify import CartLine, Pay
from tests.cloudformation import load_template
from tests.effects import WorkerKilled
from tests.flows.reconcile_stories import compare
from tests.web_spending import CODE as OWN_CODE
from tests.web_spending import known_card
from tests.world import World, running_world

CODE = "wxyz2345abcd6789"
NAMES = {
    "answer-store": "AnswerStore",
    "write-airtable": "WriteAirtable",
    "issue-cards": "IssueCards",
    "deliver-to-customer": "DeliverToCustomer",
    "adjust-balance": "AdjustBalance",
    "tag-order": "TagOrder",
    "store-ticks": "StoreTicks",
}


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as world:
        yield world


def outputs(world: World) -> dict[str, str]:
    """The outputs of a stack with this world's queues."""
    urls = world.queue_urls
    return {f"{stem}DeadLettersUrl": urls[f"{stem}DeadLetters"] for stem in NAMES.values()} | {
        f"{stem}QueueUrl": urls[f"{stem}Queue"] for stem in NAMES.values()
    }


def queues(world: World) -> dict[str, DeadLetters]:
    return dead_letter_queues(outputs(world))


def give(
    world: World,
    queue: str | None = None,
    *,
    every: bool = False,
    drop: tuple[str, ...] = (),
    yes: bool = True,
) -> int:
    """Give the command; the person has said yes before unless told otherwise."""
    options = argparse.Namespace(queue=queue, all=every, drop=list(drop), yes=yes)
    return redrive(world.app, queues(world), options)


def work(world: World) -> Redrive:
    return Redrive(
        sqs=world.app.aws.client("sqs"),
        journal=world.app.journal,
        drop_message=world.app.drop_message(),
        clock=now,
    )


def bury(world: World, queue: str, body: object, *, group: str | None = None) -> str:
    """A message gave up; returns its id."""
    more: dict[str, Any] = {}
    if group is not None:
        more = {"MessageGroupId": group, "MessageDeduplicationId": uuid4().hex}
    text = body if isinstance(body, str) else json.dumps(body)
    url = queues(world)[queue].url
    return str(world.sqs.send_message(QueueUrl=url, MessageBody=text, **more)["MessageId"])


def lying(world: World, queue: str) -> list[str]:
    return world.queued_in(f"{NAMES[queue]}DeadLetters")


def waiting(world: World, queue: str) -> list[str]:
    return world.queued_in(f"{NAMES[queue]}Queue")


def unanswered(world: World) -> str:
    """A redemption whose answer was not mailed and is in no queue; returns its key."""
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.tick()
    world.sqs.purge_queue(QueueUrl=world.queue_urls["AnswerStoreQueue"])
    return f"redemption#{row_id}"


def operation_of(world: World, key: str) -> Operation:
    operation = world.journal.load(key)
    assert operation is not None
    return operation


# ---- what is shown ----------------------------------------------------------------------------


def test_the_queues_are_known_from_the_stacks_outputs(world: World) -> None:
    found = queues(world)
    assert set(found) == set(NAMES)
    assert found["write-airtable"].source_url == world.queue_urls["WriteAirtableQueue"]
    assert found["write-airtable"].is_fifo
    assert not found["answer-store"].is_fifo


def test_every_dead_letter_queue_of_the_template_can_be_sent_again() -> None:
    template = load_template()
    dead = [name for name in template["Resources"] if name.endswith("DeadLetters")]
    told = {name: name for name in template["Outputs"]}
    assert {queue.url for queue in dead_letter_queues(told).values()} == {
        f"{name}Url" for name in dead
    }


def test_without_a_queue_all_are_shown_and_nothing_is_moved(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    key = unanswered(world)
    bury(world, "answer-store", {"operation": key})
    world.advance(2 * 3600 + 60)
    assert give(world) == 0
    said = capsys.readouterr().out
    assert "answer-store: 1 messages gave up" in said
    assert "tag-order: no messages gave up" in said
    assert f"2 h 1 m  goes on: {key} is SETTLED (REDEEMED)" in said
    assert waiting(world, "answer-store") == []
    assert len(lying(world, "answer-store")) == 1
    assert give(world, "answer-store") == 0  # and looking hid it from nobody
    assert waiting(world, "answer-store") != []


def test_no_code_and_no_text_of_anybodys_is_shown(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    bury(world, "answer-store", f"card {CODE}")
    bury(world, "answer-store", {"operation": f"redemption#{CODE}"})
    bury(world, "answer-store", {"code": CODE})
    give(world, "answer-store")
    said = "".join(capsys.readouterr())
    assert "nobody can read it" in said
    assert "it names nothing of ours" in said
    assert CODE not in said


# ---- what is sent again -----------------------------------------------------------------------


def test_an_answer_that_gave_up_is_sent_again_and_mailed_once(world: World) -> None:
    key = unanswered(world)
    bury(world, "answer-store", {"operation": key})
    assert give(world, "answer-store") == 0
    assert lying(world, "answer-store") == []
    world.drain()
    (mail,) = world.mails()
    assert mail.subject.startswith("Paid")


def test_the_few_that_lie_on_another_of_sqs_s_servers_are_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever does not wait is answered by some servers, and not told what the others hold."""
    bury(world, "answer-store", {"operation": unanswered(world)})
    monkeypatch.setattr(world.sqs, "short_misses", True)
    assert give(world, "answer-store") == 0
    assert lying(world, "answer-store") == []
    assert len(waiting(world, "answer-store")) == 1


def test_what_is_done_or_stuck_stays(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    key = unanswered(world)
    world.app.queues.answer_store(key)
    world.drain()
    bury(world, "answer-store", {"operation": key})
    bury(world, "answer-store", {"operation": "redemption#recNobodyKnows000"})
    bury(world, "answer-store", "{")
    bury(world, "answer-store", "[]")
    bury(world, "answer-store", {"operation": ["?"]})
    assert give(world, "answer-store") == 0
    said = capsys.readouterr().out
    assert f"is done: {key} is SETTLED (REDEEMED), and was mailed" in said
    assert "is stuck: redemption#recNobodyKnows000, which the journal does not know" in said
    assert "Nothing to be sent again" in said
    assert len(lying(world, "answer-store")) == 5
    assert waiting(world, "answer-store") == []


@pytest.mark.parametrize(("answer", "moved"), [("no", 0), ("", 0), ("yes", 1)])
def test_it_asks_first(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: str, moved: int
) -> None:
    bury(world, "answer-store", {"operation": unanswered(world)})
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert give(world, "answer-store", yes=False) == 1 - moved
    assert len(waiting(world, "answer-store")) == moved


def test_all_queues_at_once(world: World) -> None:
    key = unanswered(world)
    world.drain()
    bury(world, "answer-store", {"operation": key})
    bury(world, "write-airtable", {"records": [key]}, group="records")
    bury(world, "store-ticks", {"due": now().isoformat(), "offset": 0})
    assert give(world, every=True) == 0
    assert [len(waiting(world, name)) for name in ("answer-store", "write-airtable")] == [1, 1]
    assert not any(lying(world, name) for name in NAMES)


def test_a_fifo_queue_keeps_group_and_order_however_many(world: World) -> None:
    key = unanswered(world)
    world.drain()
    sent = [{"records": [key], "cards": [f"card {number}"]} for number in range(25)]
    for body in sent:
        bury(world, "write-airtable", body, group="records")
    bury(world, "write-airtable", {"operation": key}, group="outcomes")
    assert give(world, "write-airtable") == 0
    assert lying(world, "write-airtable") == []
    moved = [json.loads(body) for body in waiting(world, "write-airtable")]
    assert [body for body in moved if "cards" in body] == sent
    (first, *_) = world.sqs.receive_message(
        QueueUrl=world.queue_urls["WriteAirtableQueue"], AttributeNames=["All"]
    )["Messages"]
    assert first["Attributes"]["MessageGroupId"] == "records"


def test_what_its_own_queue_had_within_minutes_is_not_dropped_as_the_same(world: World) -> None:
    key = unanswered(world)
    world.drain()
    text = json.dumps({"records": [key]})
    queue = queues(world)["write-airtable"]
    for url in (queue.source_url, queue.url):
        world.sqs.send_message(
            QueueUrl=url, MessageBody=text, MessageGroupId="records", MessageDeduplicationId="same"
        )
    assert give(world, "write-airtable") == 0
    assert waiting(world, "write-airtable") == [text, text]


def test_what_leads_to_nothing_holds_up_nothing_behind_it_in_a_fifo_queue(world: World) -> None:
    key = unanswered(world)
    world.drain()
    for number in range(9):
        bury(world, "write-airtable", {"records": [f"redemption#lost{number}"]}, group="records")
    for _ in range(5):
        bury(world, "write-airtable", {"records": [key]}, group="records")
    assert give(world, "write-airtable") == 0
    assert len(waiting(world, "write-airtable")) == 5
    assert len(lying(world, "write-airtable")) == 9


def test_ten_in_front_that_lead_to_nothing_have_to_be_dropped_first(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    key = unanswered(world)
    world.drain()
    lost = [
        bury(world, "write-airtable", {"records": [f"redemption#lost{number}"]}, group="records")
        for number in range(10)
    ]
    bury(world, "write-airtable", {"records": [key]}, group="records")
    assert give(world, "write-airtable") == 1
    said = "".join(capsys.readouterr())
    assert "and what stands behind them" in said
    assert "drop those" in said
    assert give(world, "write-airtable", drop=(lost[0],)) == 0
    assert give(world, "write-airtable") == 0
    assert len([body for body in waiting(world, "write-airtable") if key in body]) == 1


def test_whoever_dies_on_the_way_loses_nothing(world: World) -> None:
    """Before and after each call: the message is in one of the queues, or in both."""
    key = unanswered(world)
    body = {"operation": key}
    kept = world.keep()
    world.effects.forget()
    bury(world, "answer-store", body)
    work(world).move(queues(world)["answer-store"])
    calls = len(world.effects.seen)
    assert calls >= 5
    for place in range(calls):
        for when in ("before", "after"):
            world.go_back(kept)
            bury(world, "answer-store", body)
            world.effects.forget()
            world.effects.kill_at = {place: when}
            with pytest.raises(WorkerKilled):
                work(world).move(queues(world)["answer-store"])
            assert lying(world, "answer-store") + waiting(world, "answer-store"), (place, when)
            world.new_worker()
            world.advance(HIDDEN_SECONDS + 1)
            work(world).move(queues(world)["answer-store"])
            assert lying(world, "answer-store") == []
            assert set(waiting(world, "answer-store")) == {json.dumps(body)}
            world.drain()
            assert len(world.mails()) == 1


def test_two_people_at_once_do_not_send_the_same_twice(world: World) -> None:
    key = unanswered(world)
    for _ in range(15):
        bury(world, "answer-store", {"operation": key})
    other: list[int] = []

    def meanwhile(name: str) -> None:
        if name == "sqs SendMessage" and not other:
            other.append(0)
            found = work(world).move(queues(world)["answer-store"])
            other[0] = len(found.moved)

    world.effects.watch = meanwhile
    found = work(world).move(queues(world)["answer-store"])
    assert (len(found.moved), other) == (10, [5])
    assert len(waiting(world, "answer-store")) == 15


def test_what_took_longer_than_it_was_hidden_stops_no_other(world: World) -> None:
    """SQS refuses to delete it, and it is sent once more."""
    key = unanswered(world)
    world.drain()
    for _ in range(2):
        bury(world, "write-airtable", {"records": [key]}, group="records")
    slow = ["sqs SendMessage"]

    def take_long(name: str) -> None:
        if name in slow:
            slow.remove(name)
            world.advance(HIDDEN_SECONDS + 1)

    world.effects.watch = take_long
    found = work(world).move(queues(world)["write-airtable"])
    assert len(found.moved) == 4
    assert lying(world, "write-airtable") == []


def test_what_others_may_have_by_now_is_left_to_them(world: World) -> None:
    stuck = bury(world, "answer-store", "{")
    looks: list[str] = []

    def take_long(name: str) -> None:
        looks.extend([name] if name == "sqs ReceiveMessage" else [])
        if len(looks) == 2:  # it has found nothing more
            world.effects.watch_end = None
            world.advance(HIDDEN_SECONDS + 1)

    world.effects.watch_end = take_long
    found = work(world).look(queues(world)["answer-store"])
    assert [letter.id for letter, _ in found.left] == [stuck]
    assert found.is_all


def test_more_than_a_run_takes_says_so(world: World) -> None:
    key = unanswered(world)
    for _ in range(25):
        bury(world, "answer-store", {"operation": key})
    found = replace(work(world), most_messages=20).move(queues(world)["answer-store"])
    assert (len(found.moved), found.is_all) == (20, False)
    assert len(lying(world, "answer-store")) == 5
    assert give(world, "answer-store") == 0


# ---- by function ------------------------------------------------------------------------------


def test_a_delivery_that_was_given_up_is_taken_out_of_the_park_by_its_own_message(
    world: World,
) -> None:
    world.klaviyo.faults.add(Fault.FAIL_BEFORE, times=None)
    world.sell()
    for _ in range(60):
        world.advance(1800)
        world.serve()
        world.sweep()
        world.drain()
        if lying(world, "deliver-to-customer"):
            break
    world.klaviyo.faults.clear()
    assert give(world, "deliver-to-customer") == 0
    world.drain()
    assert len(world.klaviyo.events) == 1


def test_a_message_about_something_parked_waits_for_the_persons_word(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    key = parked_tag(world)
    bury(world, "tag-order", {"operation": key}, group="tag")
    assert give(world, "tag-order") == 0
    assert f"is stuck: {key} is PARKED: `ops redrive --parked`" in capsys.readouterr().out
    assert waiting(world, "tag-order") == []


def test_a_message_about_what_the_sweep_has_finished_is_done(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    order = world.shop.orders.place([CartLine("GIFT-CARD-50")], Pay())
    world.buy_tick()
    world.come_to_rest()
    bury(world, "tag-order", {"operation": tag_key(str(order.number))}, group="tag")
    assert give(world, "tag-order") == 0
    assert "is done: tag#" in capsys.readouterr().out


def parked_tag(world: World) -> str:
    """An order that Shopify refuses its tag; returns the operation's key."""
    order = world.shop.orders.place([CartLine("GIFT-CARD-50")], Pay())
    world.buy_tick()
    key = tag_key(str(order.number))
    operation = operation_of(world, key)
    for _ in range(FAILURES_TO_BE_PARKED):
        world.app.park().count_failure(operation, ValueError("refused"))
    assert operation_of(world, key).state is State.PARKED
    world.sqs.purge_queue(QueueUrl=world.queue_urls["TagOrderQueue"])
    return key


# ---- what is dropped --------------------------------------------------------------------------


def test_a_message_is_dropped_by_its_id_with_a_receipt(world: World) -> None:
    message_id = bury(world, "answer-store", "{")
    other = bury(world, "answer-store", {"operation": unanswered(world)})
    assert give(world, "answer-store", drop=(message_id,)) == 0
    assert len(lying(world, "answer-store")) == 1
    world.come_to_rest()
    (receipt,) = [r for r in world.cells("Receipts") if r["Action"] == Action.DROP_MESSAGE]
    assert receipt["Actor"].endswith(", by ops")
    assert receipt["Details"].endswith(
        "of answer-store that had given up was dropped: nobody can read it."
    )
    assert other not in receipt["Operation"]
    assert give(world, "answer-store", drop=(message_id,)) == 1  # it is not there any more


def test_all_that_is_done_is_dropped_by_one_word_and_nothing_else(world: World) -> None:
    key = unanswered(world)
    bury(world, "answer-store", {"operation": key})
    world.app.queues.answer_store(key)
    stuck = bury(world, "answer-store", "{")
    world.drain()
    second = world.ask(Gift_Card_Code="WXYZ")
    world.tick()
    world.sqs.purge_queue(QueueUrl=world.queue_urls["AnswerStoreQueue"])
    bury(world, "answer-store", {"operation": f"redemption#{second}"})
    assert give(world, "answer-store", drop=("done",)) == 0
    assert sorted(lying(world, "answer-store")) == sorted(
        ["{", json.dumps({"operation": f"redemption#{second}"})]
    )
    assert give(world, "answer-store", drop=("done",)) == 0
    assert give(world, "answer-store", drop=(stuck,)) == 0
    assert lying(world, "answer-store") == [json.dumps({"operation": f"redemption#{second}"})]


def test_the_receipt_stands_before_the_message_is_gone(world: World) -> None:
    message_id = bury(world, "answer-store", "{")
    world.effects.kill_on = {"DeleteMessage": "before"}
    queue = queues(world)["answer-store"]
    with pytest.raises(WorkerKilled):
        work(world).drop(queue, frozenset([message_id]), by="Ana")
    world.new_worker()
    assert world.journal.load(f"dropped#{message_id}") is not None
    world.advance(HIDDEN_SECONDS + 1)
    work(world).drop(queue, frozenset([message_id]), by="Ben")
    world.come_to_rest()
    (receipt,) = [r for r in world.cells("Receipts") if r["Action"] == Action.DROP_MESSAGE]
    assert receipt["Actor"] == "Ana"


@pytest.mark.parametrize(
    ("queue", "drop", "said"),
    [("nobody", (), "There is no queue nobody"), (None, ("x",), "Say from which queue")],
)
def test_what_makes_no_sense_is_said(
    world: World,
    capsys: pytest.CaptureFixture[str],
    queue: str | None,
    drop: tuple[str, ...],
    said: str,
) -> None:
    assert give(world, queue, drop=drop) == 1
    assert said in capsys.readouterr().err


# ---- what is parked ---------------------------------------------------------------------------


def test_parked_ones_are_shown_with_the_words_that_decide_them(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    key = parked_tag(world)
    assert give_parked(world) == 0
    said = capsys.readouterr().out
    assert f"ops park decide {key} retry --stack a-stack\n" in said
    assert "All of them: ops park decide --all-of-kind tag retry --stack a-stack\n" in said
    assert "Some of them: ops redrive --parked KEY… --stack a-stack\n" in said
    assert operation_of(world, key).state is State.PARKED


def give_parked(world: World, *keys: str, queue: str | None = None, yes: bool = True) -> int:
    """`ops redrive --parked KEY…`; the person has said yes before unless told otherwise."""
    options = argparse.Namespace(
        parked=list(keys), queue=queue, all=False, drop=[], yes=yes, stack="a-stack"
    )
    return command(world.app, options)


def test_parked_ones_that_are_named_are_tried_again_and_come_to_their_end(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    key, other, left = parked_tag(world), parked_tag(world), parked_tag(world)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.app.attempts.park(row_id, now=now())
    assert give_parked(world, key, other, key, f"row#{row_id}") == 0
    because = operation_of(world, left).parked_because
    assert capsys.readouterr().out.count(f"\n  {key}  {because}\n") == 1
    assert operation_of(world, left).state is State.PARKED
    assert give_parked(world, left) == 0
    world.come_to_rest()
    assert {operation_of(world, one).state for one in (key, other, left)} == {State.SETTLED}
    assert operation_of(world, f"redemption#{row_id}").state is State.SETTLED


@pytest.mark.parametrize(("answer", "state"), [("", State.PARKED), ("yes", State.CLAIMED)])
def test_also_a_single_one_is_asked_back_for(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: str, state: State
) -> None:
    key = parked_tag(world)
    asked: list[str] = []

    def reply(question: str) -> str:
        asked.append(question)
        return answer

    monkeypatch.setattr("builtins.input", reply)
    assert give_parked(world, key, yes=False) == (state is State.PARKED)
    assert asked == ["Try 1 again? Type yes: "]
    assert operation_of(world, key).state is state


def test_what_waits_for_a_decision_is_not_tried_again(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A debit that came twice, and money that went there and back: what would a try do?"""
    card = known_card(world)
    row_id = world.ask(Gift_Card_Code=OWN_CODE)
    world.serve()
    world.shop.debit(card.id, amount=Decimal(10), note=f"redemption#{row_id}")
    world.shop.debit(card.id, amount=Decimal(5))
    world.shop.credit(card.id, amount=Decimal(5))
    compare(world, reads_all=True)
    waiting = {one.kind: one.key for one in world.journal.parked(now=now(), limit=10)}
    assert set(waiting) == {OWED, DRIFT}
    key = parked_tag(world)
    capsys.readouterr()
    assert give_parked(world) == 0
    shown = capsys.readouterr().out
    assert f"ops park decide {waiting[DRIFT]} dismiss --stack" in shown
    assert "--all-of-kind drift" not in shown
    assert give_parked(world, *waiting.values(), key) == 1
    said = capsys.readouterr().err
    assert f"{waiting[DRIFT]} waits for a decision, not for a try: dismiss.\n" in said
    assert f"{waiting[OWED]} waits for a decision, not for a try: credit-back or " in said
    assert {operation_of(world, one).state for one in waiting.values()} == {State.PARKED}
    assert operation_of(world, key).state is State.CLAIMED


def test_a_queue_and_what_is_parked_are_two_commands(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    key = parked_tag(world)
    assert give_parked(world, key, queue="tag-order") == 1
    assert "What is parked lies in no queue" in capsys.readouterr().err
    assert operation_of(world, key).state is State.PARKED


@pytest.mark.parametrize("by_kind", [True, False])
def test_many_are_tried_again_by_one_command(world: World, *, by_kind: bool) -> None:
    keys = [parked_tag(world), parked_tag(world)]
    options = argparse.Namespace(
        keys=[] if by_kind else keys,
        all_of_kind="tag" if by_kind else None,
        decision="retry",
        yes=True,
    )
    assert park_decide_all(world.app, options) == 0
    assert {operation_of(world, key).state for key in keys} == {State.CLAIMED}
    world.come_to_rest()
    assert {operation_of(world, key).state for key in keys} == {State.SETTLED}


@pytest.mark.parametrize(("answer", "state"), [("no", State.PARKED), ("yes", State.CLAIMED)])
def test_many_are_asked_back_for(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: str, state: State
) -> None:
    keys = [parked_tag(world), parked_tag(world)]
    monkeypatch.setattr("builtins.input", lambda _: answer)
    options = argparse.Namespace(keys=keys, all_of_kind=None, decision="retry", yes=False)
    park_decide_all(world.app, options)
    assert {operation_of(world, key).state for key in keys} == {state}


def test_one_that_cannot_be_decided_so_stops_no_other(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    key = parked_tag(world)
    options = argparse.Namespace(keys=["tag#1", key], all_of_kind=None, decision="retry", yes=True)
    assert park_decide_all(world.app, options) == 1
    assert "tag#1 is not parked" in capsys.readouterr().err
    assert operation_of(world, key).state is State.CLAIMED


def test_nor_does_one_of_which_the_word_cannot_be_true(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    world.base.table("Redemptions").update(row_id, {"Reverse Amount": 10})
    world.advance(60)
    world.tick()
    key = f"reverse#{row_id}#1000"
    for _ in range(FAILURES_TO_BE_PARKED):
        world.app.park().count_failure(operation_of(world, key), ValueError("refused"))
    options = argparse.Namespace(
        keys=[key, "tag#1"], all_of_kind=None, decision="credited", yes=True
    )
    assert park_decide_all(world.app, options) == 1
    said = capsys.readouterr().err
    assert f"Cannot decide {key}: {key} was never sent to Shopify" in said
    assert "tag#1 is not parked" in said


def test_nothing_of_a_kind_is_said(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    options = argparse.Namespace(keys=[], all_of_kind="tag", decision="retry", yes=True)
    assert park_decide_all(world.app, options) == 1
    assert "nothing of the kind is parked" in capsys.readouterr().err


def test_the_command_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["redrive", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "Send again what gave up" in said
    assert "--parked [KEY ...] only what is parked; with keys, these are tried again" in said
