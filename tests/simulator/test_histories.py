"""The simulator itself: the same history twice is the same, and it sees what it is there to see."""

import json
from datetime import timedelta
from random import Random

import pytest

from sandbox.shopify import Shop
from simulator.__main__ import main
from simulator.explore import Piece, Tally, outages_in, strike
from simulator.faults import HOUR, SECOND, WORDS, Kind, Planned
from simulator.gate import PlannedOnes
from simulator.history import Spec, tell
from simulator.shrink import in_words, shrink
from simulator.stories import STORIES, redeeming
from simulator.world import START, World

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


def test_every_kind_of_accident_has_words() -> None:
    assert WORDS.keys() == set(Kind)


def test_a_lost_reply_is_found_again_and_a_refused_connection_is_tried_again(world: World) -> None:
    for kind in (Kind.REPLY_LOST, Kind.REFUSED, Kind.APPLIED_LATE):
        told = tell(world, Spec("redeem", planned=(Planned(DEBIT, 0, kind),)))
        assert told.violations == ()
        assert [one.kind for one in told.met] == [kind]
        assert world.shop.cards[0].balance == 40


def test_a_debit_that_comes_after_it_was_given_up_waits_for_reconcile(world: World) -> None:
    planned = (Planned(DEBIT, 0, Kind.APPLIED_TOO_LATE),)
    told = tell(world, Spec("redeem", planned=planned, late=True))
    assert told.violations == ()
    assert told.awaiting_reconcile == 1
    assert world.shop.cards[0].balance == 40


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
    assert f"--replay '{smallest.spec}'" in words


def test_what_was_never_struck_is_struck(world: World) -> None:
    tally = Tally()
    tally.note("singles", tell(world, Spec("redeem-no-code")))
    assert len(tally.unstruck) == len(tally.seen)
    strike(world, tally)
    assert tally.unstruck == []


def test_an_hours_outage_begins_once_for_each_function_and_vendor(world: World) -> None:
    trace = tell(world, Spec("redeem")).trace
    places = [outages_in(trace, Random(seed)) for seed in range(20)]  # noqa: S311 - no secrets
    met = [sorted(f"{trace[n][0].role} {trace[n][0].vendor}" for n in some) for some in places]
    once = ["answer ses", "prong airtable", "prong shopify", "write airtable", "write shopify"]
    assert met == [once] * 20
    assert len(set(map(frozenset, places))) > 5


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


def test_the_last_line_is_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = "simulator --stories redeem-no-code --histories 900 --days 0 --processes 1"
    monkeypatch.setattr("sys.argv", command.split())
    assert main() == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert facts["violations"] == {}
    assert facts["histories"] >= 900
    assert facts["effects_never_struck"] == 0
    assert len(facts["faults"]) >= 16
