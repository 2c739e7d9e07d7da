"""The simulator itself: the same history twice is the same, and it sees what it is there to see."""

import json
import shutil
import subprocess
from argparse import ArgumentTypeError
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from giftcards.domain.drift import Drift
from giftcards.domain.outcomes import Outcome
from giftcards.flows import serve_checks, serve_sales, serve_stores
from giftcards.flows.kinds import DRIFT
from giftcards.metrics import Metric
from giftcards.store.journal import Journal
from sandbox.shopify import Shop
from simulator.__main__ import HISTORIES, a_part, main
from simulator.explore import (
    PARTS_OF_SINGLES,
    Piece,
    Strikes,
    Tally,
    accidents_after,
    beside,
    by_chance,
    every,
    outages_in,
    place_of,
    sampled,
    singles,
    strike,
    within,
)
from simulator.faults import HOUR, RARELY, SECOND, WORDS, Kind, Planned
from simulator.gate import PlannedOnes, Step
from simulator.history import Spec, tell
from simulator.last_line import LastLine, last_line
from simulator.shrink import in_words, shrink
from simulator.stories import STORIES, redeeming
from simulator.world import FUNCTIONS, START, World
from tests.cloudformation import load_template

ROOT = Path(__file__).parents[2]
DEBIT = "prong: shopify debit_card"


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.mark.parametrize("name", STORIES)
def test_a_story_without_accidents_keeps_every_promise(world: World, name: str) -> None:
    for seed in (0, 1, 2):
        told = tell(world, Spec(name, seed=seed))
        assert told.violations == ()
        assert len(told.trace) > 40


@pytest.mark.parametrize("name", ["redeem-two-stores", "sell-day"])
def test_a_history_told_again_is_the_same(world: World, name: str) -> None:
    once = tell(world, Spec(name, seed=11, most=6))
    other = tell(world, Spec("redeem", seed=3, most=2))
    again = tell(world, Spec(name, seed=11, most=6))
    replayed = tell(world, Spec.read(str(once.spec)))
    assert once.met
    assert other.met != once.met
    assert again.trace == once.trace == replayed.trace
    assert again.met == once.met == replayed.met


def test_a_history_is_written_down_and_read_again() -> None:
    spec = Spec("redeem", 7, (Planned(DEBIT, 0, Kind.REPLY_LOST),), 0, late=True)
    assert Spec.read(str(spec)) == spec


def test_every_kind_of_accident_has_words_and_stands_in_the_document() -> None:
    assert WORDS.keys() == set(Kind)
    document = (ROOT / "docs" / "simulator.md").read_text()
    assert [kind for kind in Kind if f"`{kind}`" not in document] == []


def test_a_lost_reply_is_found_again_and_a_refused_connection_is_tried_again(world: World) -> None:
    for kind in (Kind.REPLY_LOST, Kind.REFUSED, Kind.APPLIED_LATE):
        told = tell(world, Spec("redeem", planned=(Planned(DEBIT, 0, kind),)))
        assert told.violations == ()
        assert [one.kind for one in told.met] == [kind]
        assert world.shop.cards[0].balance == 40


def test_a_debit_that_comes_after_it_was_given_up_is_found_and_given_back(world: World) -> None:
    planned = (Planned(DEBIT, 0, Kind.APPLIED_TOO_LATE),)
    told = tell(world, Spec("redeem", planned=planned, late=True))
    assert told.violations == ()
    assert told.is_compared
    (card,) = world.shop.cards
    assert [movement.amount for movement in card.transactions] == [-10, 10]
    found = {one.snapshot["drift"] for one in world.operations.values() if one.kind == DRIFT}
    assert Drift.LATE_DEBIT in found


def test_an_order_whose_tag_does_not_show_is_looked_at_again_and_sold_once(world: World) -> None:
    without = tell(world, Spec("buy"))
    planned = (Planned("orders: shopify find_orders", 2, Kind.TAGS_INVISIBLE),)
    told = tell(world, Spec("buy", planned=planned))
    assert told.violations == ()
    assert [one.kind for one in told.met] == [Kind.TAGS_INVISIBLE]
    assert len(told.trace) > len(without.trace) + 10
    assert len(world.shop.cards) == 1


@pytest.mark.parametrize("kind", [Kind.THROTTLED, Kind.REFUSED])
def test_a_command_that_aws_refuses_is_typed_again(world: World, kind: Kind) -> None:
    planned = (Planned("office: cards.freeze", 0, kind),)
    told = tell(world, Spec("frozen", planned=planned))
    assert [one.kind for one in told.met] == [kind]
    assert told.violations == ()


def test_the_functions_are_those_of_the_template_with_their_queues() -> None:
    resources = load_template()["Resources"]
    functions = {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    queues = {
        name: [
            event["Properties"]["Queue"]["Fn::GetAtt"][0]
            for event in function["Events"].values()
            if event["Type"] == "SQS"
        ]
        for name, function in functions.items()
    }
    ours = {one.resource: one.queue for one in FUNCTIONS}
    assert ours.keys() == queues.keys()
    others = {name for name, queue in ours.items() if queue not in (queues[name] or [None])}
    # The web shop's prongs are not sent their later ticks here.
    assert others == {"ShopifyPurchases", "ShopifyRedemptions"}


@pytest.mark.parametrize("name", STORIES)
def test_only_a_function_can_be_started_twice(world: World, name: str) -> None:
    told = tell(world, Spec(name))
    twice = {effect.role for effect, _, kinds, _ in told.trace if Kind.OVERLAPPED in kinds}
    assert twice
    assert twice <= world.functions.keys()


def test_what_shopify_said_is_lost_where_it_cannot_be_written_down(world: World) -> None:
    held = Planned(DEBIT, 0, Kind.PREEMPTED)
    lost = Planned("prong: journal.commit", 0, Kind.REFUSED)
    told = tell(world, Spec("redeem-and-deactivate", planned=(held, lost)))
    ends = {one.kind: one.result.outcome for one in world.operations.values() if one.result}
    assert ends["redemption"] == "NOT_CHARGED"
    assert told.violations == ()


def test_a_refusal_whose_reason_cannot_be_asked_for_is_no_redemption_given_up(
    world: World,
) -> None:
    held = Planned(DEBIT, 0, Kind.PREEMPTED)
    away = Planned("prong: shopify read_card", 1, Kind.VENDOR_AWAY)
    told = tell(world, Spec("redeem-and-deactivate", planned=(held, away)))
    (operation,) = world.operations.values()
    assert operation.result is not None
    assert operation.result.outcome == Outcome.NOT_CHARGED
    assert str(operation.result.reason).startswith("Shopify refused: ")
    assert told.violations == ()


def test_a_redemption_that_is_given_up_though_nothing_was_sent_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Journal, "take_back_sent", lambda *_, **__: False)
    told = tell(world, Spec("redeem", planned=(Planned(DEBIT, 0, Kind.REFUSED),)))
    assert "NOT_IN_VAIN" in told.broken


@pytest.mark.parametrize(
    ("name", "parked_after"),
    [
        ("check", serve_checks.DEATHS_TO_BE_PARKED),
        ("sell", serve_sales.DEATHS_TO_BE_PARKED),
        ("redeem", serve_stores.DEATHS_TO_BE_PARKED),
    ],
)
def test_a_row_that_killed_too_many_workers_is_decided_by_a_person(
    world: World, name: str, parked_after: int
) -> None:
    begin = "prong: attempts.begin"
    deaths = tuple(Planned(begin, nth, Kind.CRASH_AFTER) for nth in range(parked_after))
    told = tell(world, Spec(name, planned=deaths))
    assert told.violations == ()
    assert told.met == deaths
    labels = [effect.label for effect, _, _, _ in world.gate.trace]
    assert [label for label in labels if "park" in label] == [
        "prong: attempts.park",
        "office: attempts.unpark",
    ]


def test_a_late_debit_that_nobody_finds_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shop, "visible_transactions", lambda *_: [])  # it shows no movement at all
    planned = (Planned(DEBIT, 0, Kind.APPLIED_TOO_LATE),)
    told = tell(world, Spec("redeem", planned=planned, late=True))
    assert "ONE_DEBIT" in told.broken


def test_a_card_in_two_rows_is_found_and_a_person_removes_one(world: World) -> None:
    planned = (Planned("write: airtable create Gift Cards", 0, Kind.APPLIED_LATE),)
    told = tell(world, Spec("redeem", planned=planned))
    assert told.violations == ()
    assert told.is_compared
    assert len(world.rows("Gift Cards")) == 1
    found = {one.snapshot["drift"] for one in world.operations.values() if one.kind == DRIFT}
    assert found == {Drift.DUPLICATE_ROWS}


def test_a_history_in_which_all_is_found_without_it_compares_nothing(world: World) -> None:
    told = tell(world, Spec("redeem", planned=(Planned(DEBIT, 0, Kind.APPLIED_LATE),)))
    assert not told.is_compared


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Spec:
    """A shop that debits twice what a reference asks for once; a history that shows it."""
    move = Shop._move  # noqa: SLF001 - the shop that breaks its word is the sandbox's

    def moved_twice(shop: Shop, *given: object) -> object:
        move(shop, *given)  # type: ignore[arg-type] # as it was called
        return move(shop, *given)  # type: ignore[arg-type] # as it was called

    monkeypatch.setattr(Shop, "_move", moved_twice)
    return Spec(
        "redeem-twice",
        seed=5,
        planned=(
            Planned("write: airtable list Stores", 0, Kind.REFUSED),
            Planned("answer: mail.send", 0, Kind.REPLY_LOST),
        ),
    )


def test_a_vendor_that_debits_twice_is_seen_and_the_history_shrinks(
    world: World, broken: Spec
) -> None:
    told = tell(world, broken)
    assert "ONE_DEBIT" in told.broken
    smallest = shrink(world, broken, told.broken)
    assert smallest.spec.planned == ()
    assert smallest.spec.seed == 0
    words = in_words(smallest)
    assert "ONE_DEBIT is broken" in words
    again = f".venv/bin/python -m simulator --replay '{smallest.spec}'"
    assert words.endswith(f"with seed 0, by which nothing is left to chance:\n  {again}")
    assert "to see it again, with seed 5:\n" in in_words(told)


@pytest.mark.parametrize("name", [name for name, story in STORIES.items() if story.own_from])
def test_doubles_begin_with_what_the_story_is_about(world: World, name: str) -> None:
    told = tell(world, Spec(name))
    assert 50 < told.prepared < len(told.trace) - 50
    firsts = [piece.first for piece in every("doubles", world, name, seed=1) if not piece.late]
    assert None not in firsts
    places = [place_of(told.trace, first) for first in firsts if first is not None]
    assert min(places) == told.prepared
    assert max(places) == len(told.trace) - 1


def test_what_is_struck_at_the_end_does_not_hang_on_who_ended_first(world: World) -> None:
    one, two = (Piece("by chance", "redeem", seed, count=2).tell(world) for seed in (1, 2))
    there, back = Tally(), Tally()
    for tally, parts in ((there, (one, two)), (back, (two, one))):
        for part in parts:
            tally.add(part)
    assert one.example != two.example
    assert (there.example, there.chance_of) == (back.example, back.chance_of)


def strike_all(world: World, tally: Tally) -> None:
    def work(pieces: Sequence[Strikes]) -> None:
        for piece in pieces:
            tally.add(piece.tell(world))

    strike(tally, work)


def test_what_was_never_struck_is_struck(world: World) -> None:
    tally = Tally()
    tally.note("singles", tell(world, Spec("redeem-no-code")))
    assert len(tally.unstruck) == len(tally.seen)
    strike_all(world, tally)
    assert tally.unstruck == []


def test_an_hours_outage_begins_once_for_each_function_and_vendor(world: World) -> None:
    traces = {name: tell(world, Spec(name)).trace for name in ("redeem", "redeem-too-much")}
    several = [outages_in(traces, Random(seed)) for seed in range(20)]  # noqa: S311 - no secrets
    met = [
        sorted(
            f"{traces[name][place][0].role} {traces[name][place][0].vendor}"
            for name, places in where.items()
            for place in places
        )
        for where in several
    ]
    once = ["answer ses", "prong airtable", "prong shopify", "write airtable", "write shopify"]
    assert met == [once] * 20
    assert {len(where) for where in several} == {1, 2}
    assert len({str(where) for where in several}) > 5


def test_make_simulate_as_it_stands_tells_all_singles(world: World) -> None:
    """New stories bring new singles: once they are too many, the limit has to be raised."""
    names = [name for name, story in STORIES.items() if not story.is_day]
    pieces = singles(world, 1, names, wanted=HISTORIES)
    assert {piece.story for piece in pieces} == set(names)
    assert {piece.share for piece in pieces} == {1.0}


def test_where_not_all_singles_are_told_an_hours_outage_is_of_one_story(world: World) -> None:
    names = ["redeem-no-code", "redeem-too-much"]
    places = {name: outages_in({name: tell(world, Spec(name)).trace}, Random(1)) for name in names}  # noqa: S311 - no secrets
    of_each = [len(places[name][name]) for name in names]
    all_of_them = {one.story: len(one.outages) for one in singles(world, 1, names, wanted=5000)}
    assert list(all_of_them.values()) == of_each
    some = {one.story: one for one in singles(world, 1, names, wanted=500) if not one.late}
    assert sum(len(one.outages) for one in some.values()) == max(of_each)
    (piece, *_) = (one for one in some.values() if one.outages)
    told = replace(piece, share=0.0, part=min(piece.outages) % PARTS_OF_SINGLES).tell(world)
    assert told.accidents.keys() == RARELY


def test_a_row_after_hours_of_nothing_is_served_at_once(world: World) -> None:
    world.begin(PlannedOnes(()), allowed=frozenset(), jitter=None)
    world.arrange(7 * HOUR + 11 * SECOND, lambda: redeeming.file(world))
    assert world.live(at_most=8 * HOUR)
    assert world.clock() - START < timedelta(hours=7, seconds=45)
    assert world.base.table("Redemptions").records()[0]["fields"]["Status"] == "Processed"
    world.end()


def test_a_piece_of_doubles_tells_each_second_accident_once(world: World) -> None:
    first = Planned("prong: journal.settle", 0, Kind.CRASH_BEFORE)
    tally = Piece("doubles", "redeem-no-code", 1, first=first).tell(world)
    assert tally.histories["doubles"] == tally.possible["doubles"] > 100
    assert tally.broken.total() == 0


def test_no_minute_is_passed_over_while_a_row_waits(world: World) -> None:
    died = Planned("prong: queues.send_tick", 0, Kind.CRASH_BEFORE)
    world.begin(PlannedOnes((died,)), allowed=frozenset(Kind), jitter=None)
    redeeming.issue(world)
    redeeming.file(world)
    world.arrange(2 * HOUR, lambda: None)
    assert world.live(at_most=3 * HOUR)
    assert [seconds for metric, seconds in world.noted if metric is Metric.MAIL_WAITED] == [
        pytest.approx(64, abs=3)
    ]
    world.end()


def test_what_belongs_to_a_story_comes_however_it_is_told(world: World) -> None:
    story = STORIES["redeem-unheard"]
    plain = tell(world, Spec("redeem-unheard"))
    assert plain.met == story.given
    assert "prong: shopify card_movements" in {effect.label for effect, _, _, _ in plain.trace}
    assert plain.spec == Spec("redeem-unheard")
    by_chance = tell(world, Spec("redeem-unheard", seed=3, most=3))
    assert set(by_chance.met) > set(story.given)
    assert tell(world, Spec.read(str(by_chance.spec))).met == by_chance.met
    instead = Planned(DEBIT, 0, Kind.REFUSED)
    assert tell(world, Spec("redeem-unheard", planned=(instead,))).met == (instead,)


def test_a_story_with_an_accident_of_its_own_shrinks_to_itself(world: World, broken: Spec) -> None:
    spec = replace(broken, story="redeem-unheard")
    smallest = shrink(world, spec, tell(world, spec).broken)
    assert smallest.spec == Spec("redeem-unheard")
    assert smallest.met == STORIES["redeem-unheard"].given


def test_of_doubles_a_shorter_story_has_more(world: World) -> None:
    names = ["redeem-no-code", "sell-gift"]
    pieces = sampled("doubles", world, names, seed=1, budget=120)
    told = {}
    for name in names:
        its = [one for one in pieces if one.story == name]
        firsts = sum(not one.late for one in every("doubles", world, name, seed=1))
        assert sum(one.stands_for for one in its) == pytest.approx(firsts)
        told[name] = sum(one.tell(world).histories["doubles"] for one in its)
    assert told["redeem-no-code"] > 2 * told["sell-gift"] > 0


def test_a_pair_has_room_for_two_accidents_and_two_hold_ups() -> None:
    def planned(*kinds: Kind) -> list[Planned]:
        return [Planned(DEBIT, nth, kind) for nth, kind in enumerate(kinds)]

    every_kind = planned(*Kind)
    rest = set(Kind) - {Kind.PREEMPTED}
    not_here = {Kind.VENDOR_AWAY, *redeeming.ACCIDENTS}

    def has_room_for(*kinds: Kind) -> set[Kind]:
        return {one.kind for one in beside(planned(*kinds), every_kind)}

    held, died, lost = Kind.PREEMPTED, Kind.CRASH_BEFORE, Kind.REPLY_LOST
    assert has_room_for() == has_room_for(held, died) == {held, *rest} - not_here
    assert has_room_for(held, died, held) == rest - not_here
    assert has_room_for(died, lost, held) == {held}
    assert has_room_for(held, held, lost, died) == set()


@pytest.mark.parametrize(
    ("name", "held_at", "debits", "outcome"),
    [
        ("redeem-and-web", None, 1, Outcome.REDEEMED),
        ("redeem-and-web", DEBIT, 1, Outcome.INSUFFICIENT_BALANCE),
        ("redeem-and-web", "prong: shopify read_card", 0, Outcome.INSUFFICIENT_BALANCE),
        ("redeem-and-credit", None, 0, Outcome.INSUFFICIENT_BALANCE),
        ("redeem-and-credit", "prong: shopify read_card", 1, Outcome.REDEEMED),
    ],
)
def test_a_hold_up_lets_what_happens_meanwhile_come_first(
    world: World, name: str, held_at: str | None, debits: int, outcome: Outcome
) -> None:
    planned = () if held_at is None else (Planned(held_at, 0, Kind.PREEMPTED),)
    told = tell(world, Spec(name, planned=planned))
    assert told.violations == ()
    assert sum(effect.label == DEBIT for effect, _, _, _ in told.trace) == debits
    (operation,) = world.operations.values()
    assert operation.result is not None
    assert operation.result.outcome == outcome


def test_all_pairs_are_told_once_each(world: World) -> None:
    window = redeeming.WINDOW
    first = Planned("prong: journal.commit", 0, Kind.REFUSED)
    told = Piece("pairs", "redeem-and-web", 1, first=first).tell(world)

    def count(*planned: Planned) -> int:
        trace = tell(world, Spec("redeem-and-web", planned=planned)).trace
        behind = beside(planned, within(trace, window, after=planned[-1]))
        return 1 + sum(count(*planned, one) for one in behind)

    assert told.total == told.possible["pairs"] == count(first) > 10
    assert told.broken.total() == 0
    assert first in {piece.first for piece in every("pairs", world, "redeem-and-web", seed=1)}
    assert every("pairs", world, "redeem", seed=1) == []
    assert every("triples", world, "redeem-and-web", seed=1) == []


@pytest.mark.parametrize("name", ["redeem", "redeem-unheard", "check"])
def test_what_is_left_out_of_doubles_goes_as_another_one_does(world: World, name: str) -> None:
    trace = tell(world, Spec(name)).trace
    told = {
        Planned(effect.label, nth, kind): place
        for place, (effect, nth, kinds, _) in enumerate(trace)
        for kind in kinds
        if kind not in RARELY
    }
    left_out = told.keys() - set(accidents_after(trace, 0))
    assert {one.kind for one in left_out} == {
        Kind.CRASH_AFTER,
        Kind.CRASH_BEFORE,
        Kind.THROTTLED,
    }
    assert 0.15 < len(left_out) / len(told) < 0.35
    for one in left_out:
        place = told[one]
        _, _, _, invocation = trace[place]
        its = [at for at, step in enumerate(trace) if step[3] == invocation]
        match one.kind:
            case Kind.THROTTLED:
                other, kind = place, Kind.REFUSED
            case Kind.CRASH_AFTER:
                other, kind = its[its.index(place) + 1], Kind.CRASH_BEFORE
            case _:
                other, kind = its[its.index(place) - 1], Kind.CRASH_BEFORE
        effect, nth, _, _ = trace[other]
        alike = Planned(effect.label, nth, kind)
        dies = invocation if kind is Kind.CRASH_BEFORE else 0
        assert what_others_do(world, name, one, dies) == what_others_do(world, name, alike, dies)


def what_others_do(world: World, name: str, one: Planned, dies: int) -> tuple[object, ...]:
    """What each other invocation does, in its order; and how all ends."""
    told = tell(world, Spec(name, 0, (one,)))
    assert one in told.met
    steps: dict[int, list[str]] = {}
    for effect, _, _, invocation in told.trace:
        if invocation != dies:
            steps.setdefault(invocation, []).append(effect.label)
    return steps, told.seconds, told.violations


def test_a_death_that_another_one_stands_for_is_left_out_only_where_that_one_is_told(
    world: World,
) -> None:
    held_up = Planned("prong: shopify read_card", 0, Kind.PREEMPTED)
    once = tell(world, Spec("redeem", 0, (held_up,))).trace
    dead_then = Planned("prong: journal.mark_sent", 0, Kind.CRASH_BEFORE)
    assert dead_then not in accidents_after(once, 0)
    assert dead_then in accidents_after(once, place_of(once, held_up) + 1)
    # Before the claim comes a read that is no call of the window.
    window = STORIES["redeem"].window
    assert window is not None
    first = Planned("prong: journal.claim", 0, Kind.CRASH_BEFORE)
    again = tell(world, Spec("redeem", 0, (first,))).trace
    dead_again = Planned("prong: journal.claim", 1, Kind.CRASH_BEFORE)
    assert dead_again in within(again, window, after=first)
    # And behind the tick's own lease, too.
    leased = next(step for step in again[place_of(again, first) + 1 :] if step[0].label in window)
    assert leased[0].label == "prong: leases.acquire"
    dead_behind = Planned(leased[0].label, leased[1], Kind.CRASH_AFTER)
    assert dead_behind in within(again, window, after=first)
    assert dead_behind not in accidents_after(again, 0)
    # Behind the commit nothing of the window comes.
    assert Planned("prong: journal.commit", 0, Kind.CRASH_AFTER) in within(
        tell(world, Spec("redeem")).trace, window
    )


def test_three_accidents_come_between_the_claim_of_a_redemption_and_its_commit(
    world: World,
) -> None:
    window = STORIES["redeem"].window
    assert window is not None
    plain = tell(world, Spec("redeem"))
    firsts = within(plain.trace, window)
    assert {one.effect for one in firsts} == {label for label in window if "prong" in label} - {
        "prong: shopify card_movements",
        "prong: journal.take_back_sent",
    }
    lost = Planned(DEBIT, 0, Kind.REPLY_LOST)
    once = tell(world, Spec("redeem", 0, (lost,)))
    seconds = within(once.trace, window, after=lost)
    assert lost in firsts
    assert {(one.effect, one.nth) for one in seconds} >= {
        ("prong: shopify card_movements", 0),
        ("prong: journal.commit", 0),
    }
    assert all(place_of(once.trace, one) > place_of(once.trace, lost) for one in seconds)
    assert within(once.trace, ("prong: nobody", "prong: journal.commit")) == []


def test_accidents_come_where_the_sweep_makes_the_debit_or_finds_it(world: World) -> None:
    window = STORIES["redeem"].window
    assert window is not None
    deleted = Planned("prong: shopify read_card", 0, Kind.ROW_DELETED)
    died = Planned("prong: journal.mark_sent", 0, Kind.CRASH_BEFORE)
    made = tell(world, Spec("redeem", 0, (deleted, died)))
    calls = ("leases.acquire", "shopify read_card", "journal.mark_sent", "shopify debit_card")
    assert {one.effect for one in within(made.trace, window, after=died)} == {
        f"sweep: {call}" for call in (*calls, "journal.commit")
    }
    lost = Planned(DEBIT, 0, Kind.CRASH_AFTER)
    found = tell(world, Spec("redeem", 0, (deleted, lost)))
    assert {one.effect for one in within(found.trace, window, after=lost)} == {
        f"sweep: {call}"
        for call in ("shopify card_movements", "shopify read_card", "journal.commit")
    }
    for told in (made, found):
        assert within(told.trace, window)[-1].effect == "sweep: journal.commit"


def test_doubles_are_told_in_which_one_of_the_two_is_a_request_applied_too_late(
    world: World,
) -> None:
    pieces = [one for one in every("doubles", world, "redeem", seed=1) if one.late]
    too_late = Planned(DEBIT, 0, Kind.APPLIED_TOO_LATE)
    held_up = Planned("prong: journal.mark_sent", 0, Kind.PREEMPTED)
    by_first = {one.first: one for one in pieces}
    assert {too_late, held_up} <= by_first.keys()
    told = by_first[held_up].tell(world)
    assert told.total == told.accidents[Kind.APPLIED_TOO_LATE] == told.compared > 0
    assert told.possible["doubles"] == told.total
    behind = list(accidents_after(*trace_behind(world, too_late)))
    assert len({one.kind for one in behind}) > 10
    some = replace(by_first[too_late], count=12).tell(world)
    assert some.possible["doubles"] == len(behind)
    assert some.accidents[Kind.APPLIED_TOO_LATE] >= some.total == 12
    assert some.broken == told.broken == {}


def trace_behind(world: World, first: Planned) -> tuple[Sequence[Step], int]:
    trace = tell(world, Spec("redeem", planned=(first,), late=True)).trace
    return trace, place_of(trace, first) + 1


def test_a_request_is_applied_too_late_in_many_histories_that_are_told_for_that(
    world: World,
) -> None:
    pieces = by_chance(world, 1, list(STORIES), 6000)
    late = [piece for piece in pieces if piece.late]
    assert sum(piece.count for piece in late) == 300
    moving = {"redeem", "redeem-held", "redeem-and-credit", "sell", "buy"}
    still = {"check", "check-nobodys", "redeem-no-code", "redeem-nobodys-code", "redeem-too-much"}
    stories = {piece.story for piece in late}
    assert stories >= moving
    assert not stories & (still | {"buy-cancelled"})
    assert {piece.story for piece in pieces if not piece.late} >= moving | still
    piece = next(piece for piece in late if piece.story == "redeem")
    tally = replace(piece, count=20).tell(world)
    assert tally.compared >= tally.accidents[Kind.APPLIED_TOO_LATE] > 5
    assert tally.accidents.total() > 20
    assert tally.broken == {}
    alone = by_chance(world, 1, ["check", "redeem-no-code"], 100)
    assert {(piece.late, piece.story) for piece in alone} == {
        (False, "check"),
        (False, "redeem-no-code"),
    }


def test_every_double_of_a_story_is_told_in_parts() -> None:
    whole = every("doubles", World(), "redeem-no-code", seed=1)
    assert len({(piece.first, piece.late) for piece in whole}) == len(whole) > 700
    assert {piece.share for piece in whole} == {1.0}
    parts = [whole[part - 1 :: parts] for part, parts in map(a_part, ("1/3", "2/3", "3/3"))]
    assert sorted(map(str, whole)) == sorted(str(piece) for part in parts for piece in part)
    with pytest.raises(ArgumentTypeError, match="4/3"):
        a_part("4/3")


def test_every_single_of_a_story_is_told(world: World) -> None:
    tally = Tally()
    for piece in every("singles", world, "redeem-no-code", seed=1):
        tally.add(piece.tell(world))
    trace = tell(world, Spec("redeem-no-code")).trace
    frequent = sum(kind not in RARELY for _, _, kinds, _ in trace for kind in kinds)
    assert tally.possible["singles"] == tally.histories["singles"] > frequent > 300


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["simulator", "--processes", "1", *arguments])
    return main()


@pytest.mark.parametrize(
    ("stories", "which"), [("redeem,check", "pairs"), ("redeem-and-*", "triples")]
)
def test_what_none_of_the_stories_has_cannot_all_be_told(
    monkeypatch: pytest.MonkeyPatch, stories: str, which: str
) -> None:
    with pytest.raises(SystemExit, match=f"none of these stories has {which}"):
        run(monkeypatch, "--stories", stories, "--all", which)


def test_the_last_line_says_what_was_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = "--stories redeem-no-code --histories 900 --days 0 --seed 3"
    assert run(monkeypatch, *arguments.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    facts = json.loads(lines[-1])
    assert list(facts) == [one.name for one in fields(LastLine)]
    by_kind = [line for line in lines if line.endswith("ms of processor each")]
    assert (
        sum(int(line.split(":")[1].split()[0].strip(",")) for line in by_kind)
        == (facts["histories"])
    )
    assert 900 <= facts["histories"] < 950
    assert (facts["days"], facts["seed"]) == (0, 3)
    assert facts["effects"] > 50 * facts["histories"]
    assert facts["violations"] == {}
    assert facts["effects_never_struck"] == facts["kinds_never_met"] == []
    assert facts["faults"].keys() == set(Kind)
    assert sum(count > 0 for count in facts["faults"].values()) >= 16
    assert facts["seconds"] > 0 < facts["processor_seconds"]


def test_what_met_what_is_shown_above_the_last_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make = shutil.which("make")
    assert make is not None, "the project's commands are make's"
    asked = subprocess.run(  # noqa: S603 - our own Makefile, and -n runs nothing of it
        [make, "-n", "simulate", "SEED=1", "COVERAGE=1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert '-m simulator --seed "1" --coverage' in asked.stdout
    arguments = "--stories redeem --histories 40 --days 0 --coverage"
    run(monkeypatch, *arguments.split())
    *lines, last = capsys.readouterr().out.splitlines()
    assert json.loads(last)["histories"] >= 40
    met = {effect for line in lines if (effect := line.partition(" (")[0]).startswith("prong: ")}
    assert {DEBIT, "prong: journal.commit"} <= met


def test_the_last_line_counts_the_histories_that_broke_a_promise(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, broken: Spec
) -> None:
    del broken  # from now on the shop breaks its word
    arguments = "--stories redeem --histories 1 --days 0 --first"
    assert run(monkeypatch, *arguments.split()) == 1
    told = capsys.readouterr().out
    facts = json.loads(told.splitlines()[-1])
    assert facts["violations"]["ONE_DEBIT"] > 0
    assert "A store redeems 10 of a card of 50." in told
    assert "ONE_DEBIT is broken" in told
    assert ".venv/bin/python -m simulator --replay 'redeem;0;in-time;0" in told


def test_a_kind_of_accident_is_tried_elsewhere_where_it_changes_nothing(world: World) -> None:
    too_early = Planned("write: airtable create Receipts", 0, Kind.RECORD_DOUBLED)
    assert tell(world, Spec("redeem-held", planned=(too_early,))).met == ()
    tally = Tally()
    tally.chance_of[too_early.kind, too_early.effect] = (str(Spec("redeem-held")), too_early)
    strike_all(world, tally)
    assert tally.accidents[Kind.RECORD_DOUBLED] == 1


def test_a_kind_of_accident_that_never_happened_is_struck_or_fails_the_run(world: World) -> None:
    tally = Tally()
    tally.note("singles", tell(world, Spec("redeem")))
    assert set(tally.never_met) == set(Kind)
    strike_all(world, tally)
    # In this regime nothing is applied later than the settling time; no order is searched here.
    never = tally.never_met
    assert never == [Kind.APPLIED_TOO_LATE, Kind.TAGS_INVISIBLE]
    line = last_line(tally, needs_all_kinds=True, seconds=1.0, seed=1)
    assert line.kinds_never_met == never
    assert not line.is_good
    assert last_line(tally, needs_all_kinds=False, seconds=1.0, seed=1).is_good
