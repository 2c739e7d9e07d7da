"""How a run goes on: lost places, failures, lost leases, too much of everything, and its report."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from io import StringIO
from itertools import batched

import pytest

from giftcards.domain.drift import Difference, Drift
from giftcards.domain.money import Money
from giftcards.flows.reconcile.phase import STEP_SECONDS, Ending, Part, Run, Step
from giftcards.flows.reconcile.reconcile import MOST_FAILURES, MOST_RESTARTS, RunEnd
from giftcards.flows.reconcile.report import COLUMNS, Line, as_csv, summarize
from giftcards.flows.write_again import WRITE_AGAIN_SECONDS
from giftcards.metrics import Metric
from giftcards.receipts import Action
from giftcards.store.pieces import Done, Kind, Pieces, Place
from giftcards.wiring import now
from sandbox.airtable import RecordJson
from sandbox.airtable import Table as SandboxTable
from sandbox.faults import Fault
from tests.flows.reconcile_stories import (
    TIMER_SECONDS,
    card_row,
    compare,
    move_beyond_reading,
    read_report,
)
from tests.template_resources import function_seconds
from tests.web_spending import CODE, known_card, load, look, receipts
from tests.world import START, World, running_world

ROWS = 250  # three pages of Airtable's


def many_rows(world: World) -> None:
    """Cards that have a row each, on several pages."""
    table = world.base.table("Gift Cards")
    for number in range(ROWS):
        card = world.shop.issue_card(code=f"wxyz2345{number:08}", amount=10)
        table.create({"Shopify ID": card.id, "Balance": 10, "Card": "•••• 0000"})


def forget_the_lists(world: World) -> None:
    """Airtable has forgotten all places in its lists."""
    world.base._iterators.clear()  # noqa: SLF001 - it does so after some minutes


def test_a_list_that_lost_its_place_is_read_again_from_its_top(world: World) -> None:
    many_rows(world)
    pages = 0

    def watch(name: str) -> None:
        nonlocal pages
        if name.startswith("GET /v0/"):
            pages += 1
            if pages == 2:
                forget_the_lists(world)

    world.effects.watch = watch
    compared = compare(world)
    assert compared.lines == []
    assert f"Rows of cards: {ROWS}" in compared.page
    assert not compared.last.is_failed


def test_a_list_that_is_always_lost_ends_the_run(world: World) -> None:
    many_rows(world)

    def watch(name: str) -> None:
        if name.startswith("GET /v0/"):
            forget_the_lists(world)

    world.effects.watch = watch
    compared = compare(world)
    assert "rows of cards could not be read to the end" in compared.last.summary
    assert compared.last.summary.startswith("Given up at ")
    assert compared.last.is_failed
    assert MOST_RESTARTS > 1
    (receipt,) = receipts(world, Action.RECONCILE)
    assert receipt["Outcome"] == "Failed"
    (status,) = (row for row in world.cells("Status") if row["Prong"] == "reconcile")
    assert status["State"] == "Offline"
    assert world.app.runs.standing().since is None  # nothing was read to the end


def test_a_step_that_fails_again_and_again_ends_the_run(world: World) -> None:
    known_card(world)
    world.base.token = "patOther"
    number = world.app.runs.wish(reads_all=False)
    for _ in range(MOST_FAILURES):
        assert world.reconcile() is None
        world.advance(TIMER_SECONDS)
    assert world.reconcile() is RunEnd.FINISHED
    last = world.app.runs.standing().last
    assert last is not None
    assert last.granted == number
    assert "rows of cards failed again and again" in last.summary
    assert len(world.alarms) == MOST_FAILURES


def test_a_vendor_that_is_away_only_delays_it(world: World) -> None:
    known_card(world)
    world.app.runs.wish(reads_all=False)
    world.shop.faults.add(Fault.THROTTLE, operation="giftCards")
    assert world.reconcile() is RunEnd.GOES_ON
    assert world.alarms == []
    assert world.reconcile() is RunEnd.FINISHED


def bounded(world: World, *, most_differences: int, most_unread: int) -> Callable[[], RunEnd]:
    """A worker's turn that gives up sooner."""
    flow = replace(
        world.app.reconcile(), most_differences=most_differences, most_unread=most_unread
    )
    return lambda: flow.run(now() + timedelta(seconds=function_seconds("Reconcile")))


def test_too_many_differences_are_no_list(world: World) -> None:
    many_rows(world)
    for record in world.base.table("Gift Cards").records():
        world.base.table("Gift Cards").update(record["id"], {"Balance": 1})
    compared = compare(world, turn=bounded(world, most_differences=2, most_unread=0))
    assert "more than 2 differences" in compared.last.summary
    assert compared.last.is_failed
    assert all(row["Balance"] == 1 for row in world.cells("Gift Cards"))  # nothing was changed


def test_how_full_the_base_is_is_counted_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """And no row goes while the books are in doubt."""
    with running_world(airtable_records=ROWS + 30) as world:
        old = known_card(world)
        world.ask(Gift_Card_Code=old.code)
        world.come_to_rest()
        world.advance(401 * 86_400)
        many_rows(world)
        for record in world.base.table("Gift Cards").records()[:3]:
            world.base.table("Gift Cards").update(record["id"], {"Balance": 1})
        held = world.base.count_records()
        capsys.readouterr()
        compared = compare(world, turn=bounded(world, most_differences=2, most_unread=0))
        assert compared.last.summary.startswith("Given up at ")
        assert f'"{Metric.BASE_FILLS}":' in capsys.readouterr().out
        assert f"The Airtable base holds {held} of {ROWS + 30} records." in compared.page
        assert len(world.cells("Redemptions")) == 1
        assert "Put right" not in str(compared.lines)


def test_too_much_that_cannot_be_compared_ends_the_run(world: World) -> None:
    card = known_card(world)
    move_beyond_reading(world, card)
    compared = compare(world, turn=bounded(world, most_differences=2, most_unread=0))
    assert "more than 0 things could not be compared" in compared.last.summary


def test_a_worker_that_was_taken_for_dead_writes_nothing_more(world: World) -> None:
    known_card(world)
    flow = world.app.reconcile()
    runs = flow.runs
    runs.wish(reads_all=False)
    assert world.reconcile() is RunEnd.FINISHED
    runs.wish(reads_all=False)
    slow = flow.leases.acquire(runs.key, now=now())
    assert slow is not None
    state = flow._begin(slow, runs.held(slow))  # noqa: SLF001 - it stops in the middle
    world.advance(900)
    assert world.reconcile() is RunEnd.FINISHED
    assert not runs.save(slow, replace(state, step=7))
    assert runs.standing().under_way is None
    last = runs.standing().last
    assert last is not None
    assert last.id == state.id  # taken up by the other one


def test_a_run_that_takes_several_turns_is_told_of_as_one(world: World) -> None:
    many_rows(world)
    world.app.runs.wish(reads_all=False)
    turns = 0
    while world.work(lambda app: app.reconcile().run(now())) is not RunEnd.FINISHED:  # no time
        turns += 1
        world.advance(30)
        assert turns < 30
    assert turns >= 4
    last = world.app.runs.standing().last
    assert last is not None
    compared = read_report(world, last)
    assert compared.lines == []
    assert f"Rows of cards: {ROWS}" in compared.page
    assert f"over {ROWS} cards" in compared.last.summary


def test_duplicates_are_found_across_pages_and_turns(world: World) -> None:
    many_rows(world)
    first = world.shop.cards[0]
    world.base.table("Gift Cards").create({"Shopify ID": first.id, "Balance": 10, "Card": "x"})
    world.app.runs.wish(reads_all=False)
    for _ in range(30):
        if world.work(lambda app: app.reconcile().run(now())) is RunEnd.FINISHED:
            break
        world.advance(200)
    last = world.app.runs.standing().last
    assert last is not None
    compared = read_report(world, last)
    assert [(line["Difference"], line["What"]) for line in compared.lines] == [
        (Drift.DUPLICATE_ROWS, first.id)
    ]


def test_only_what_is_found_twice_in_the_same_words_counts(world: World) -> None:
    card = known_card(world)
    row_id = card_row(world, card)["id"]
    world.base.table("Gift Cards").update(row_id, {"Balance": 7})
    world.app.runs.wish(reads_all=False)
    assert world.reconcile() is RunEnd.WAITS
    run = world.app.runs.standing().under_way
    assert run is not None
    assert run.not_before is not None
    assert (run.not_before - now()).total_seconds() == world.config.second_look_seconds
    assert len(Pieces(world.app.bucket, run=run.id).places(Kind.FOUND)) == 1
    world.base.table("Gift Cards").update(row_id, {"Balance": 8})
    world.advance(world.config.second_look_seconds)
    assert world.reconcile() is RunEnd.FINISHED
    last = world.app.runs.standing().last
    assert last is not None
    assert last.differences == 0
    look(world)


# ------------------------------------------------------------------------ how long a step takes

# One piece of differences, as large as it ever was; and more than are put right in one turn.
A_FEW, MANY = 25, 210

type Harm = Callable[[SandboxTable, RecordJson], object]

# What is done to a receipt's row, by what the comparison calls it.
HARMS: dict[Drift, Harm] = {
    Drift.RECEIPT_ALTERED: lambda table, row: table.update(row["id"], {"Amount": 99}),
    Drift.DUPLICATE_ROWS: lambda table, row: table.create(row["fields"]),
    Drift.RECEIPT_MISSING: lambda table, row: table.delete(row["id"]),
}


def harm_receipts(world: World, drift: Drift, count: int) -> None:
    """Something is done to so many receipts that were written long ago."""
    load(world, count)
    look(world)
    for some in batched(range(count), 50, strict=False):
        for number in some:
            world.ask(Gift_Card_Code=CODE, Amount=1, Confirm_Duplicate=True, Employee=f"e{number}")
        world.come_to_rest()
    world.advance(WRITE_AGAIN_SECONDS + 1)
    table = world.base.table("Receipts")
    rows = [one for one in table.records() if one["fields"]["Action"] == Action.REDEEM_IN_STORE]
    for row in rows[:count]:
        HARMS[drift](table, row)


@dataclass(frozen=True)
class Measured:
    """A part of a run; how many seconds each of its steps takes, beside its name."""

    part: Part
    seconds: list[tuple[float, str]]

    @property
    def name(self) -> str:
        """See `Part`."""
        return self.part.name

    def step(self, run: Run, cursor: str | None) -> Step:
        """See `Part`."""
        began = now()
        step = self.part.step(run, cursor)
        self.seconds.append(((now() - began).total_seconds(), self.name))
        return step


def step_seconds(world: World) -> tuple[float, str]:
    """How many seconds the longest step of a comparison takes, and of which part it is."""
    seconds = list[tuple[float, str]]()
    flow = world.app.reconcile()
    measured = replace(flow, parts=lambda: [Measured(part, seconds) for part in flow.parts()])
    compare(
        world,
        turn=lambda: measured.run(now() + timedelta(seconds=function_seconds("Reconcile"))),
    )
    return max(seconds)


@pytest.mark.parametrize("drift", HARMS)
def test_no_step_takes_longer_than_a_step_is_given(world: World, drift: Drift) -> None:
    harm_receipts(world, drift, A_FEW)
    longest = step_seconds(world)
    assert longest <= (STEP_SECONDS, "")
    last = world.app.runs.standing().last
    assert last is not None
    assert f"{A_FEW} {drift}" in last.summary


def test_nor_does_one_in_which_airtable_refuses_each_choice(world: World) -> None:
    """Somebody deleted a choice, and with it the cell of each receipt that had it."""
    harm_receipts(world, Drift.RECEIPT_ALTERED, A_FEW)
    table = world.base.table("Receipts")
    for row in table.records():
        table.update(row["id"], {"Outcome": None, "Action": None})
    for name in ("Outcome", "Action"):
        table.field(name).type = "singleSelect"
        table.field(name).options["choices"] = [{"name": "Failed"}]
    assert step_seconds(world) <= (STEP_SECONDS, "")
    last = world.app.runs.standing().last
    assert last is not None
    assert f"{A_FEW + 1} not put right" in last.summary  # and that of the card itself


def test_a_turn_with_many_differences_ends_before_its_function_does(world: World) -> None:
    harm_receipts(world, Drift.RECEIPT_ALTERED, MANY)
    turns = list[float]()

    def turn() -> None:
        began = now()
        world.reconcile()
        turns.append((now() - began).total_seconds())

    compared = compare(world, turn=turn)
    assert f"{MANY} {Drift.RECEIPT_ALTERED}" in compared.last.summary
    assert len([seconds for seconds in turns if seconds > STEP_SECONDS]) > 1  # more than one holds
    assert max(turns) < function_seconds("Reconcile")


# --------------------------------------------------------------------------------- the report


def done(ending: Ending = Ending.PUT_RIGHT, **about: object) -> Done:
    facts: dict[str, object] = {
        "drift": Drift.STALE_BALANCE,
        "subject": "gid://shopify/GiftCard/7",
        "card_id": "gid://shopify/GiftCard/7",
        "expected": Money(-500, "USD"),
        "found": None,
        "details": "It differs.",
    }
    return Done(Difference(**(facts | about)), ending.name, "it is written anew")  # type: ignore[arg-type] # facts of a test


def a_run(name: str) -> Run:
    return Run(
        id=name,
        began_at=START,
        since=None,
        reads_all=False,
        deadline=START,
        seen=lambda _: (),
        looked_at={"cards": 1_234},
    )


@pytest.mark.parametrize(
    "typed", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "\0x", "\uff1d1+1", "\uff20x"]
)
def test_no_cell_of_the_spreadsheet_is_a_formula(typed: str) -> None:
    text = as_csv([Line.of(done(subject=typed, card_id=typed, details=typed))])
    (line,) = csv.DictReader(StringIO(text, newline=""))
    for column in ("What", "Card", "What it is"):
        assert line[column] == f"'{typed}"
    assert line["Should be"] == "'-5.00 USD"
    assert tuple(line) == COLUMNS


def test_what_people_typed_is_no_html(world: World) -> None:
    run = a_run("20261123T000000Z-1")
    pieces = Pieces(world.app.bucket, run=run.id)
    report = next(part for part in world.app.reconcile().parts() if part.name == "report")
    pieces.put_done(Place.of("cards", 0), [done(subject="<script>alert(1)</script>")])
    report.step(run, None)
    page = world.app.bucket.get("reports/2026-11-23/20261123T000000Z-1.html")
    assert page is not None
    assert b"<script>" not in page
    assert b"&lt;script&gt;" in page
    assert b"1 drift over 1,234 cards at 10:00: 1 stale balance" in page


def test_the_line_for_eyes_says_what_matters() -> None:
    run = a_run("r")
    assert summarize(run, [], at="03:10") == "0 drift over 1,234 cards at 03:10"
    late = done(Ending.LEFT, drift=Drift.LATE_DEBIT)
    several = [done(), done(Ending.KNOWN), late, late]
    assert summarize(run, several, at="03:10") == (
        "3 drift over 1,234 cards at 03:10: 2 late debit, 1 stale balance; 2 not put right;"
        " 1 known from before"
    )
    assert "; 2 could not be compared" in summarize(replace(run, unread=2), [], at="03:10")
    assert summarize(replace(run, trouble="why"), several, at="03:10") == "Given up at 03:10: why"
