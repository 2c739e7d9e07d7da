"""Two workers at the same moment, and calls that take too long: what each guard is there for.

`make mutants` takes each guard out once; the tests here are those that no other test stands in for.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from giftcards.domain.outcomes import Outcome
from giftcards.store.cards import lock_key
from giftcards.store.journal import Operation, State
from giftcards.store.table import TRIES_AT_ONCE
from giftcards.wiring import Application, now
from sandbox.faults import Fault
from tests.world import WORKER_SECONDS, World

CODE = "wxyz2345abcd6789"


def outcome(world: World, row_id: str) -> str | None:
    return world.row(row_id).get("Outcome")


def operation_of(world: World, row_id: str) -> Operation:
    operation = world.app.journal.load(f"redemption#{row_id}")
    assert operation is not None
    return operation


def debits(world: World) -> int:
    """How often a debit was sent to Shopify."""
    return sum("DebitCard" in name for name in world.effects.seen)


def claim(world: World, count: int = 1) -> tuple[str, list[str]]:
    """A card, and rows for it that were claimed while Shopify could not be asked."""
    card = world.shop.issue_card(code=CODE, amount=50)
    rows = [world.ask(Gift_Card_Code=CODE) for _ in range(count)]
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="ReadCard", times=count)
    world.tick()
    assert {operation_of(world, row_id).state for row_id in rows} == {State.CLAIMED}
    world.effects.seen.clear()
    return card.id, rows


def finish(app: Application, operation: Operation, *, seconds: float = WORKER_SECONDS) -> Operation:
    return app.redeem().finish(operation, deadline=now() + timedelta(seconds=seconds))


def at(world: World, word: str, do: Callable[[], object]) -> None:
    """Have something happen before the next call whose name holds `word`."""

    def watch(name: str) -> None:
        if word in name:
            world.effects.watch = None
            do()

    world.effects.watch = watch


def at_another_worker(world: World, word: str, work: Callable[[Application], object]) -> None:
    """Freeze the worker before that call, while another one works."""

    def do() -> None:
        frozen = world.app
        work(world.new_worker())
        world.app = frozen

    at(world, word, do)


# -------------------------------------------------------------------------------- two at a time


def test_a_row_that_two_workers_see_at_once_is_charged_once(world: World) -> None:
    """A run that overlaps another one: both read the row before either has claimed it."""

    def run(app: Application) -> None:
        app.serve_counter().run(now() + timedelta(seconds=WORKER_SECONDS), offset_seconds=15)

    card = world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE, Amount=1)
    world.serve()  # from now on the index knows the code, so the next item put is a claim
    row_id = world.ask(Gift_Card_Code=CODE)
    at_another_worker(world, "PutItem", run)
    run(world.app)
    assert world.effects.watch is None
    world.come_to_rest()
    assert outcome(world, row_id) == Outcome.REDEEMED
    assert world.shop.card(card.id).balance == 39


def test_a_card_on_which_another_worker_moves_money_waits(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    lock = world.app.leases.acquire(lock_key(card.id), now=now())
    assert lock is not None
    world.tick()
    assert not [name for name in world.effects.seen if "ReadCard" in name or "DebitCard" in name]
    assert operation_of(world, row_id).state is State.CLAIMED
    world.app.leases.release(lock)
    world.advance(15)
    world.serve()
    assert outcome(world, row_id) == Outcome.REDEEMED
    assert world.shop.card(card.id).balance == 40


def test_a_form_filed_twice_is_noticed_by_two_workers_at_the_same_moment(world: World) -> None:
    """One worker is about to lock the card while the other charges it for the second form."""
    card_id, (first, second) = claim(world, count=2)
    twin = operation_of(world, second)
    at_another_worker(world, "UpdateItem", lambda app: finish(app, twin))
    finish(world.app, operation_of(world, first))
    world.come_to_rest()
    assert outcome(world, second) == Outcome.REDEEMED
    assert outcome(world, first) == Outcome.POSSIBLE_DUPLICATE
    assert world.shop.card(card_id).balance == 40


def test_a_worker_that_thaws_does_not_send_what_another_sent(world: World) -> None:
    """It froze before its mark; the heir of its lock has sent, and nobody knows what came of it."""
    card_id, (row_id,) = claim(world)
    operation = operation_of(world, row_id)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")

    def inherit(app: Application) -> None:
        world.advance(world.config.lease_seconds + 1)
        assert finish(app, operation).state is State.SENT

    at_another_worker(world, "TransactWriteItems", inherit)
    finish(world.app, operation)
    assert debits(world) == 1
    world.come_to_rest()
    assert outcome(world, row_id) == Outcome.REDEEMED
    assert world.shop.card(card_id).balance == 40


# ------------------------------------------------------------------------------------ too late


def later_it_is_charged_once(world: World, card_id: str, row_id: str) -> None:
    world.come_to_rest()
    assert outcome(world, row_id) == Outcome.REDEEMED
    assert world.shop.card(card_id).balance == 40


def test_what_is_too_late_is_not_even_marked(world: World) -> None:
    """A worker that died with the mark in place would leave a customer "not charged" for nothing.

    The read takes 15 of 20 seconds: a reply could still take five and a clock's second.
    """
    card_id, (row_id,) = claim(world)
    at(world, "ReadCard", lambda: world.advance(15))
    assert finish(world.app, operation_of(world, row_id)).state is State.CLAIMED
    assert not [name for name in world.effects.seen if "Transact" in name]
    assert debits(world) == 0
    later_it_is_charged_once(world, card_id, row_id)


def test_a_mark_that_took_long_is_taken_back(world: World) -> None:
    card_id, (row_id,) = claim(world)
    at(world, "TransactWriteItems", lambda: world.advance(15))
    finish(world.app, operation_of(world, row_id))
    assert debits(world) == 0
    standing = operation_of(world, row_id)
    assert (standing.state, standing.sent_by) == (State.CLAIMED, None)
    later_it_is_charged_once(world, card_id, row_id)


def test_nobody_sends_when_the_reply_could_outlive_the_lock(world: World) -> None:
    """However much time the worker has: after 25 of 30 seconds the heir of the lock may be near."""
    card_id, (row_id,) = claim(world)
    at(world, "ReadCard", lambda: world.advance(25))
    assert finish(world.app, operation_of(world, row_id), seconds=3600).state is State.CLAIMED
    assert debits(world) == 0
    later_it_is_charged_once(world, card_id, row_id)


@pytest.mark.parametrize(("before", "state"), [(1, State.SENT), (0, State.SETTLED)])
def test_a_look_that_began_within_the_settling_time_is_no_answer(
    world: World, before: int, state: State
) -> None:
    """It was too early to see what was applied in the settling time's last moment."""
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardDebit")
    world.serve()
    operation = operation_of(world, row_id)
    assert operation.sent_at is not None
    settled = operation.sent_at + timedelta(seconds=world.config.settling_seconds - before)
    world.advance((settled - now()).total_seconds())
    at(world, "CardMovements", lambda: world.advance(3))
    finish(world.app, operation)
    assert operation_of(world, row_id).state is state
    world.come_to_rest()
    assert outcome(world, row_id) == Outcome.NOT_CHARGED


# ------------------------------------------------------------------------- writes that meet


@pytest.mark.parametrize("times", [1, TRIES_AT_ONCE])
def test_a_commit_that_meets_a_transaction_is_made_all_the_same(world: World, times: int) -> None:
    """At once, or by the next look; it is neither a death of the worker nor an alarm."""
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    sent: list[str] = []
    refused: list[str] = []

    def meet(name: str) -> None:
        if "DebitCard" in name:
            sent.append(name)
        elif sent and "UpdateItem" in name and len(refused) < times:
            refused.append(name)
            raise conflict

    said: Any = {"Error": {"Code": "TransactionConflictException", "Message": "under way"}}
    conflict = ClientError(said, "UpdateItem")
    world.effects.watch = meet
    world.tick()
    assert len(refused) == times
    assert operation_of(world, row_id).state is (State.SENT if times > 1 else State.SETTLED)
    attempts = world.app.attempts.of([row_id]).get(row_id)
    assert attempts is not None
    assert attempts.unended == 0
    assert world.alarms == []
    world.effects.watch = None
    world.come_to_rest()
    assert outcome(world, row_id) == Outcome.REDEEMED
    assert world.shop.card(card.id).balance == 40
