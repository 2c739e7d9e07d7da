"""A credit moves once, whatever Shopify, the clock and other workers do meanwhile."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.errors import NeedsAPerson, NotSent
from giftcards.flows.reversal import NOT_REVERSED, REVERSED
from giftcards.store.cards import lock_key
from giftcards.store.journal import Operation, State
from giftcards.wiring import BULK_RESERVE_POINTS, Application, now
from ops.command_line import pause
from sandbox.faults import Fault
from tests.flows.adjust_stories import (
    CODE,
    LOADED,
    STORIES,
    TAKEN,
    Told,
    begun,
    check,
    check_card,
    decide_parked,
    operation_of,
    redeem,
    rest,
    tell,
    undo,
    wish,
)
from tests.flows.test_crash_and_faults import can_suffer, order_at
from tests.snapshots import Snapshot
from tests.world import WORKER_SECONDS, World, running_world

# Longer than the settling time and all that follows it.
MINUTES_TO_PARK = 10


def credits_of(world: World) -> list[Decimal]:
    (card,) = world.shop.cards
    return [one.amount for one in card.transactions if one.amount > 0]


def sent(world: World) -> int:
    """How often a credit was sent to Shopify."""
    return sum("CreditCard" in name for name in world.effects.seen)


def claim(world: World) -> Told:
    """An undo that is claimed, and whose message nobody has taken."""
    told = undo(world)
    world.tick()
    assert operation_of(world, told.key).state is State.CLAIMED
    world.effects.seen.clear()
    return told


def adjust(app: Application, key: str, *, seconds: float = WORKER_SECONDS) -> None:
    app.adjust_balance().adjust(key, deadline=now() + timedelta(seconds=seconds))


def at(world: World, word: str, do: Callable[[], object]) -> None:
    """Have something happen before the next call whose name holds `word`."""

    def watch(name: str) -> None:
        if word in name:
            world.effects.watch = None
            do()

    world.effects.watch = watch


def some_minutes(world: World, minutes: int = MINUTES_TO_PARK) -> None:
    for _ in range(minutes):
        world.advance(60)
        world.tick()
        world.sweep()
        world.drain()


def park(world: World) -> Told:
    """A credit that failed without a word, looked for in vain."""
    told = claim(world)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardCredit")
    some_minutes(world)
    assert operation_of(world, told.key).state is State.PARKED
    return told


def outcome(world: World, told: Told) -> str | None:
    result = operation_of(world, told.key).result
    return None if result is None else result.outcome


# ------------------------------------------------------------------------------- lost replies


@pytest.mark.parametrize("fault", [Fault.DROP_REPLY, Fault.BREAK_CONNECTION, Fault.FAIL_AFTER])
def test_a_credit_that_was_applied_is_found_and_not_sent_again(world: World, fault: Fault) -> None:
    told = claim(world)
    world.shop.faults.add(fault, operation="giftCardCredit")
    world.drain()
    assert operation_of(world, told.key).state is State.SENT
    assert rest(world) == 0
    assert sent(world) == 1
    check(world, STORIES["undone"], told)


@pytest.mark.parametrize(
    "fault", [Fault.THROTTLE, Fault.THROTTLE_429, Fault.REFUSE_TOKEN, Fault.REFUSE_CONNECTION]
)
def test_a_credit_that_shopify_did_not_run_is_sent_again(world: World, fault: Fault) -> None:
    told = claim(world)
    world.shop.faults.add(fault, operation="giftCardCredit", times=2)
    assert rest(world) == 0
    check(world, STORIES["undone"], told)


def test_a_credit_that_is_applied_late_is_found_within_the_settling_time(world: World) -> None:
    told = claim(world)
    world.shop.faults.add(Fault.APPLY_LATE, operation="giftCardCredit", seconds=90)
    assert rest(world) == 0
    assert sent(world) == 1
    check(world, STORIES["undone"], told)


def test_a_look_that_began_within_the_settling_time_decides_nothing(world: World) -> None:
    told = claim(world)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardCredit")
    world.drain()
    world.advance(world.config.settling_seconds - 5)
    adjust(world.app, told.key)
    assert operation_of(world, told.key).state is State.SENT


# --------------------------------------------------------------------------- a person has to look


def test_a_credit_that_is_not_found_waits_for_a_person_and_is_not_sent_again(world: World) -> None:
    """A second one would be a gift, and nobody stands at a till."""
    told = park(world)
    some_minutes(world)
    assert sent(world) == 1
    assert credits_of(world) == []
    assert "Message" in world.row(str(told.row_id))
    assert "Reversed" not in world.row(str(told.row_id))
    parked = operation_of(world, told.key)
    assert "look for a transaction with this reference" in str(parked.parked_because)


def test_a_raised_total_waits_for_that_person_too(world: World) -> None:
    told = park(world)
    wish(world, str(told.row_id), 29)
    some_minutes(world)
    assert world.journal.load(f"reverse#{told.row_id}#2900") is None


def test_retry_looks_once_more_and_sends_it_once(world: World) -> None:
    told = park(world)
    assert decide_parked(world, "retry") == 1
    assert rest(world) == 0
    assert sent(world) == 2
    check(world, STORIES["undone"], told)


def test_retry_finds_what_was_applied_after_the_settling_time(world: World) -> None:
    told = claim(world)
    world.shop.faults.add(Fault.APPLY_LATE, operation="giftCardCredit", seconds=1200)
    some_minutes(world)
    assert operation_of(world, told.key).state is State.PARKED
    world.advance(1200)
    assert decide_parked(world, "retry") == 1
    assert rest(world) == 0
    assert sent(world) == 1
    check(world, STORIES["undone"], told)


def test_each_retry_is_good_for_one_sending(world: World) -> None:
    told = park(world)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardCredit")
    decide_parked(world, "retry")
    some_minutes(world)
    assert operation_of(world, told.key).state is State.PARKED
    assert sent(world) == 2
    some_minutes(world)
    assert sent(world) == 2
    decide_parked(world, "retry")
    rest(world)
    assert sent(world) == 3
    check(world, STORIES["undone"], told)


def test_a_retry_of_what_was_never_sent_allows_no_second_sending(world: World) -> None:
    """It was parked before its call: a person has decided nothing about what comes after."""
    told = claim(world)
    operation = operation_of(world, told.key)
    world.app.park().park_operation(operation, because="somebody's test")
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardCredit")
    decide_parked(world, "retry")
    some_minutes(world)
    assert operation_of(world, told.key).state is State.PARKED
    assert sent(world) == 1


@pytest.mark.parametrize(
    ("word", "ends", "given_back"),
    [("credited", REVERSED, 3000), ("not-credited", NOT_REVERSED, 0)],
)
def test_a_persons_decision_is_the_end(world: World, word: str, ends: str, given_back: int) -> None:
    told = park(world)
    assert decide_parked(world, word) == 1
    world.drain()
    assert outcome(world, told) == ends
    assert operation_of(world, f"redemption#{told.row_id}").given_back == given_back
    assert "decided by" in world.row(str(told.row_id))["Message"]
    assert sent(world) == 1
    if given_back == 0:
        return
    wish(world, str(told.row_id), TAKEN + 1)
    some_minutes(world)
    assert credits_of(world) == []  # what the person counted as given back is


def test_what_was_never_sent_cannot_be_decided_as_credited(world: World) -> None:
    told = claim(world)
    world.app.park().park_operation(operation_of(world, told.key), because="somebody's test")
    with pytest.raises(NeedsAPerson, match="never sent"):
        world.app.adjust_balance().decide(operation_of(world, told.key), moved=True, by="Ana")
    assert outcome(world, told) is None


def test_a_reference_on_another_amount_is_left_to_a_person(world: World) -> None:
    told = claim(world)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardCredit")
    world.drain()
    world.shop.credit(str(told.card_id), amount=Decimal(7), note=told.key)
    some_minutes(world, 30)
    parked = operation_of(world, told.key)
    assert parked.state is State.PARKED
    assert "compare it with the receipt" in str(parked.parked_because)
    assert world.queued_in("AdjustBalanceQueue") == []  # nobody else waits for it


# --------------------------------------------------------- a journal that was put back to a moment


def given_back(world: World, name: str) -> tuple[Told, Snapshot]:
    """A story told to its end, and the journal of before that money was given back."""
    story = STORIES[name]
    told = story.begin(world)
    if not story.steps:
        world.tick()
        assert operation_of(world, told.key).state is State.CLAIMED
    kept = world.keep_journal()
    assert tell(world, story) == 0
    check(world, story, told)
    world.effects.seen.clear()
    return told, kept


@pytest.mark.parametrize("name", ["undone", "undone in two steps", "debited twice, credited back"])
def test_what_a_restored_journal_forgot_to_have_sent_is_found(world: World, name: str) -> None:
    """Shopify shows it with our reference, and it ends as what is found after a lost reply does."""
    told, kept = given_back(world, name)
    kept.restore()
    assert tell(world, STORIES[name]) == 0
    assert sent(world) == 0
    operation = operation_of(world, told.key)
    assert operation.result is not None
    assert operation.result.transaction_id is not None
    assert (operation.state, operation.result.outcome) == (State.SETTLED, STORIES[name].outcome)
    check_card(world, STORIES[name], told)


def test_an_undo_that_a_restored_journal_forgot_altogether_is_begun_anew_and_found(
    world: World,
) -> None:
    """A base without `Reversed` lists each of them for ever."""
    told = undo(world)
    kept = world.keep_journal()
    assert rest(world) == 0
    kept.restore()
    world.base.table("Redemptions").update(str(told.row_id), {"Reversed": None})
    assert rest(world) == 0
    assert credits_of(world) == [TAKEN]
    assert outcome(world, told) == REVERSED
    check_card(world, STORIES["undone"], told)
    assert world.row(str(told.row_id))["Reversed"] == TAKEN
    assert operation_of(world, f"redemption#{told.row_id}").given_back == 100 * TAKEN


def test_it_is_found_also_on_a_card_that_takes_no_money_any_more(world: World) -> None:
    told, kept = given_back(world, "undone")
    kept.restore()
    world.shop.deactivate(str(told.card_id))
    assert rest(world) == 0
    assert outcome(world, told) == REVERSED


def test_a_total_that_was_raised_since_is_left_to_the_office(world: World) -> None:
    """Ten were given back, and the journal has forgotten it: the whole total would be too much."""
    row_id = redeem(world)
    kept = world.keep_journal()
    first = wish(world, row_id, 10)
    assert rest(world) == 0
    kept.restore()
    told = wish(world, row_id, TAKEN)
    assert rest(world) == 0
    assert credits_of(world) == [10]
    assert world.journal.load(first.key) is None
    assert outcome(world, told) == NOT_REVERSED
    assert world.row(row_id)["Message"] == (
        "30.00 USD was not given back (Shopify shows 10.00 USD given back before that the journal"
        " does not know of). Give back only what is missing, another way."
    )
    assert operation_of(world, f"redemption#{row_id}").given_back == 0
    raised = wish(world, row_id, TAKEN - 1)
    assert rest(world) == 0
    assert outcome(world, raised) == NOT_REVERSED
    assert credits_of(world) == [10]


def forget_two_steps(world: World) -> tuple[str, Told]:
    """Ten and then ten more were given back, and the journal forgot both; the row asks for 20."""
    row_id = redeem(world)
    kept = world.keep_journal()
    wish(world, row_id, 10)
    assert rest(world) == 0
    told = wish(world, row_id, 20)
    assert rest(world) == 0
    kept.restore()
    world.base.table("Redemptions").update(row_id, {"Reversed": None})
    assert rest(world) == 0
    return row_id, told


def give_ten_by_hand(world: World) -> str:
    """Our credit did not go through; a person gave the ten without our reference, and said so."""
    row_id = redeem(world)
    wish(world, row_id, 10)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardCredit")
    some_minutes(world)
    assert decide_parked(world, "credited") == 1
    some_minutes(world)
    return row_id


def test_the_reference_on_another_amount_is_not_sent_beside_it(world: World) -> None:
    """It was the step from 10 to 20, and has become the one from nothing to 20."""
    row_id, told = forget_two_steps(world)
    assert credits_of(world) == [10, 10]
    assert outcome(world, told) == NOT_REVERSED
    assert "20.00 USD given back before" in world.row(row_id)["Message"]


def test_the_reference_on_less_is_not_sent_again_whatever_was_before(world: World) -> None:
    """A person's word stands for ten that no movement shows, so a sum says too little."""
    row_id = give_ten_by_hand(world)
    told = wish(world, row_id, 20)
    world.tick()
    assert operation_of(world, told.key).state is State.CLAIMED
    world.shop.credit(str(told.card_id), amount=Decimal(7), note=told.key)
    assert rest(world) == 0
    assert credits_of(world) == [7]
    assert outcome(world, told) == NOT_REVERSED


def test_a_part_that_is_forgotten_counts_whatever_a_person_said_of_another(world: World) -> None:
    """Ten were given by hand, without our reference: the sum on the card says too little."""
    row_id = give_ten_by_hand(world)
    kept = world.keep_journal()
    wish(world, row_id, 20)
    assert rest(world) == 0
    kept.restore()
    told = wish(world, row_id, TAKEN)
    assert rest(world) == 0
    assert credits_of(world) == [10]
    assert outcome(world, told) == NOT_REVERSED
    assert "10.00 USD given back before" in world.row(row_id)["Message"]


def test_what_this_journal_refused_to_send_is_still_forgotten(world: World) -> None:
    """Its operation exists by then, and says nothing about the credit that is on the card."""
    row_id, _ = forget_two_steps(world)
    assert "20.00 USD given back before" in world.row(row_id)["Message"]
    told = wish(world, row_id, 25)
    assert rest(world) == 0
    assert credits_of(world) == [10, 10]
    assert outcome(world, told) == NOT_REVERSED
    assert "20.00 USD given back before" in world.row(row_id)["Message"]


def test_a_part_that_another_row_or_nobody_gave_back_is_none_of_it(world: World) -> None:
    told = claim(world)
    card_id = str(told.card_id)
    for note in ("goodwill", None, f"reverse#{told.row_id}0#1000", "reverse#"):
        world.shop.credit(card_id, amount=Decimal(1), note=note)
    world.drain()
    assert outcome(world, told) == REVERSED
    assert sent(world) == 1


def test_what_the_journal_knows_to_have_come_too_late_is_no_part_of_it(world: World) -> None:
    """A person has been told of it, and sees to it: the next total is given back as it is."""
    row_id = redeem(world)
    first = wish(world, row_id, 10)
    world.tick()
    world.shop.faults.add(Fault.APPLY_LATE, operation="giftCardCredit", seconds=1200)
    some_minutes(world)
    assert decide_parked(world, "not-credited") == 1
    world.advance(1200)
    told = wish(world, row_id, TAKEN)
    assert outcome(world, first) == NOT_REVERSED
    some_minutes(world)
    assert outcome(world, told) == REVERSED
    assert credits_of(world) == [10, TAKEN]


def test_what_moved_before_the_redemption_is_not_read_to_its_beginning(world: World) -> None:
    """A card that is used daily for years would cost more points than there are."""
    card = world.shop.issue_card(code=CODE, amount=LOADED)
    for _ in range(400):
        world.shop.credit(card.id, amount=Decimal("0.01"), note=None)
    world.advance(3600)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=TAKEN)
    world.serve()
    world.effects.seen.clear()
    told = wish(world, row_id, TAKEN)
    assert rest(world) == 0
    assert outcome(world, told) == REVERSED
    before = world.effects.seen[: world.effects.seen.index("POST mutation CreditCard")]
    assert before.count("POST query CardMovements") == 2  # one page of new ones, one of old ones


def test_it_is_looked_for_once_before_it_is_sent(world: World) -> None:
    claim(world)
    world.drain()
    calls = [name.split()[-1] for name in world.effects.seen if "POST" in name]
    before = calls[: calls.index("CreditCard")]
    assert before == ["ShopFacts", "ReadCard", "CardMovements"]


# ------------------------------------------------------------------------- lock, fence and clock


def test_a_card_on_which_another_worker_moves_money_waits(world: World) -> None:
    told = claim(world)
    lock = world.app.leases.acquire(lock_key(str(told.card_id)), now=now())
    assert lock is not None
    with pytest.raises(NotSent, match="money moves on its card"):
        adjust(world.app, told.key)
    assert not [name for name in world.effects.seen if "ReadCard" in name]
    world.app.leases.release(lock)
    adjust(world.app, told.key)
    assert credits_of(world) == [TAKEN]


def test_the_lock_is_given_back(world: World) -> None:
    told = claim(world)
    adjust(world.app, told.key)
    assert world.app.leases.acquire(lock_key(str(told.card_id)), now=now()) is not None


@pytest.mark.parametrize(
    ("word", "seconds", "worker"), [("ReadCard", 15, 20), ("ReadCard", 25, 3600)]
)
def test_what_is_too_late_is_not_even_marked(
    world: World, word: str, seconds: int, worker: int
) -> None:
    """The reply has to come while the worker lives, and while the lock is its own."""
    told = claim(world)
    at(world, word, lambda: world.advance(seconds))
    with pytest.raises(NotSent):
        adjust(world.app, told.key, seconds=worker)
    assert sent(world) == 0
    assert operation_of(world, told.key).state is State.CLAIMED
    assert rest(world) == 0
    check(world, STORIES["undone"], told)


def test_a_mark_that_took_long_is_taken_back(world: World) -> None:
    told = claim(world)
    at(world, "TransactWriteItems", lambda: world.advance(15))
    with pytest.raises(NotSent):
        adjust(world.app, told.key)
    assert sent(world) == 0
    standing = operation_of(world, told.key)
    assert (standing.state, standing.sent_by) == (State.CLAIMED, None)
    assert rest(world) == 0
    check(world, STORIES["undone"], told)


def test_a_worker_that_thaws_does_not_send_what_another_sent(world: World) -> None:
    told = claim(world)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardCredit")

    def inherit() -> None:
        frozen = world.app
        world.advance(world.config.lease_seconds + 1)
        adjust(world.new_worker(), told.key)
        world.app = frozen

    at(world, "TransactWriteItems", inherit)
    adjust(world.app, told.key)
    assert sent(world) == 1
    assert rest(world) == 0
    check(world, STORIES["undone"], told)


def test_the_card_remembers_what_stores_filed(world: World) -> None:
    """The mark is written together with the card's recent redemptions: they stay."""
    told = undo(world)
    world.base.table("Redemptions").update(str(told.row_id), {"Reverse Amount": 10})
    world.serve()
    assert credits_of(world) == [10]
    again = world.ask(Gift_Card_Code=CODE, Amount=TAKEN)
    world.serve()
    assert world.row(again)["Outcome"] == Outcome.POSSIBLE_DUPLICATE


def test_while_the_system_is_paused_nothing_is_sent_and_what_was_is_found_out(
    world: World,
) -> None:
    told = claim(world)
    pause(world.app, None)  # type: ignore[arg-type]
    world.drain()
    assert sent(world) == 0
    world.app.control.throw_switch(run=True, by="tests", now=now())
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardCredit")
    some_minutes(world, 1)
    while operation_of(world, told.key).state is State.CLAIMED:
        some_minutes(world, 1)
    pause(world.app, None)  # type: ignore[arg-type]
    some_minutes(world)
    assert outcome(world, told) == REVERSED


def test_it_leaves_shopifys_points_to_the_stores(world: World) -> None:
    told = claim(world)
    assert world.shop.spend_points(1_000)
    begun_at = now()
    with pytest.raises(NotSent):
        adjust(world.app, told.key)
    assert (now() - begun_at).total_seconds() < 5  # the card's next customer waits no longer
    assert world.shop.throttle_status().currently_available >= 1_000 - 1  # asked how many there are
    world.advance(10)
    adjust(world.app, told.key)
    assert credits_of(world) == [TAKEN]
    assert world.shop.throttle_status().currently_available >= BULK_RESERVE_POINTS - 30


def test_what_is_no_adjustment_is_refused(world: World) -> None:
    row_id = redeem(world)
    with pytest.raises(NeedsAPerson, match="not in the journal"):
        adjust(world.app, "reverse#nobody#1")
    world.app.journal.claim(
        "tag#1", kind="tag", snapshot={"row_id": row_id}, now=now(), due_at=now()
    )
    with pytest.raises(NeedsAPerson, match="adjusts no balance"):
        adjust(world.app, "tag#1")


# ----------------------------------------------------------------------------- all at the same time


@pytest.mark.slow
def test_an_undo_a_redemption_and_the_web_shop_meet_on_one_card_to_the_cent() -> None:
    """At each effect of the undo, another worker redeems, and the web shop takes money."""
    with running_world() as world:
        told = claim(world)
        start = world.keep()
        world.drain()
        places = len(world.effects.seen)
        for place in range(places):
            world.go_back(start)
            met: list[str] = []

            def meet(_: str, place: int = place, met: list[str] = met) -> None:
                if len(world.effects.seen) != place + 1:
                    return
                world.effects.watch = None
                frozen = world.app
                app = world.new_worker()
                met.append(world.ask(Gift_Card_Code=CODE, Amount=11.11))
                world.take_tick(app, {"source": "aws.events"})
                world.shop.debit(str(told.card_id), amount=Decimal("5.55"), note="checkout")
                world.app = frozen

            world.effects.watch = meet
            world.drain()
            rest(world)
            (row_id,) = met
            assert world.row(row_id)["Outcome"] == Outcome.REDEEMED, place
            assert world.shop.cards[0].balance == Decimal("33.34"), place  # 50 - 11.11 - 5.55
            assert credits_of(world) == [TAKEN], place
            (mirror,) = world.cells("Gift Cards")
            assert mirror["Balance"] == 33.34, place


@pytest.mark.slow
@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("name", STORIES)
def test_shopify_has_an_accident_at_any_call(name: str, fault: Fault) -> None:
    """Only a credit or a debit that failed without a word needs a person."""
    story = STORIES[name]
    with begun(story) as (world, told, start):
        world.go_back(start)
        tell(world, story)
        calls = [
            (place, effect.split()[-1])
            for place, effect in enumerate(world.effects.seen)
            if effect.startswith(("POST query", "POST mutation"))
        ]
        assert calls
        for place, call in calls:
            moves = call in {"CreditCard", "DebitCard"}
            if not (can_suffer(call, fault) or (moves and fault is Fault.APPLY_LATE)):
                continue
            world.go_back(start)
            order_at(world, place, call, fault, times=1)
            decisions = tell(world, story)
            assert world.shop.faults.waiting() == [], f"{fault} never happened to {call}"
            try:
                check(world, story, told)
                assert decisions == (moves and fault is Fault.FAIL_BEFORE)
            except AssertionError as error:
                raise AssertionError(f"at {place} {call}: {error}") from error


def test_operations_of_before_have_none_of_the_new_marks(world: World) -> None:
    """What an earlier version has written is read as nothing given back."""
    row_id = redeem(world)
    operation: Operation = operation_of(world, f"redemption#{row_id}")
    assert (operation.reversal, operation.given_back) == (None, 0)
    assert operation.may_send_again is False
