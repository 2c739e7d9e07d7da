"""The proof says what the runs came to, and nothing else."""

from pathlib import Path

import pytest

from mutants import proof
from mutants.catalogue import MUTANTS
from mutants.document import (
    coverage_table,
    document,
    last_line_of,
    table_in,
    table_of,
    table_of_whole,
)
from mutants.proof import accidents_in, coverage_in, group_of, last_line, tell_all
from mutants.recorded import Recorded
from simulator.__main__ import coverage
from simulator.explore import Tally
from simulator.faults import Kind

LINES = [
    "    12 s  100 histories, singles are told",
    "prong: shopify debit_card (1,234): crash-before 5, throttled 1,007",
    "prong: shopify find_card (9): throttled 2",
    "write: airtable create Receipts (9): throttled 3",
    "write: records.known (read) (70): crash-before 4",
    "write: records.remember (70): never struck",
    "singles: 100 of about 100",
    '{"histories": 100, "violations": {}}',
]


def test_the_last_line_is_taken_as_it_is() -> None:
    told = last_line(LINES)
    assert told == {"histories": 100, "violations": {}}
    assert '"violations": {}' in last_line_of(told)
    assert "Not run yet" in last_line_of({})


def test_what_met_what_is_added_up_by_whom_a_call_is_to() -> None:
    assert coverage_in(LINES) == {
        "crash-before": {"Shopify changed": 5, "DynamoDB read": 4},
        "throttled": {"Airtable changed": 3, "Shopify asked": 2, "Shopify changed": 1007},
    }
    assert "| throttled | 3 | 0 | 2 | 1,007 |" in coverage_table(coverage_in(LINES))


def test_the_lines_are_those_that_the_simulator_says() -> None:
    tally = Tally()
    tally.seen["prong: queues.write_records"] = 3
    tally.struck["prong: queues.write_records", Kind.MESSAGE_TWICE] = 2
    tally.struck["prong: queues.write_records", Kind.PAUSED] = 1
    assert sorted(accidents_in(coverage(tally))) == [
        ("queues.write_records", "message-twice", 2),
        ("queues.write_records", "paused-past-lease", 1),
    ]
    assert group_of("queues.write_records") == "queues"
    assert group_of("klaviyo send_event") == "mail and keys"


WHOLE_RUN = {"histories": 1234, "effects": 5678, "violations": {}, "processor_seconds": 90.0}


def test_a_whole_run_has_its_line_and_says_what_it_broke() -> None:
    broken = WHOLE_RUN | {"violations": {"ONE_DEBIT": 1200, "IN_STEP": 1}}
    table = table_of_whole({"triples of b": broken, "doubles of a": WHOLE_RUN})
    assert table.splitlines()[2:] == [
        "| doubles of a | 1,234 | 5,678 | none | 2 |",
        "| triples of b | 1,234 | 5,678 | ONE_DEBIT 1,200, IN_STEP 1 | 2 |",
    ]
    assert "Not run yet" in table_of_whole({})


@pytest.mark.parametrize(
    ("code", "kept"), [(0, {"doubles of a", "doubles of b"}), (1, {"doubles of a"})]
)
def test_only_whole_runs_that_went_well_are_recorded(
    monkeypatch: pytest.MonkeyPatch, code: int, kept: set[str]
) -> None:
    asked: list[tuple[str, ...]] = []

    def run(command: tuple[str, ...]) -> tuple[int, list[str]]:
        asked.append(command)
        return code, ["1 s", "{}"]

    monkeypatch.setattr(proof, "run", run)
    monkeypatch.setattr(proof, "WHOLE", (("doubles", "a"), ("doubles", "b")))
    monkeypatch.setattr(Recorded, "keep", lambda _: None)
    recorded = Recorded(whole={"doubles of a": WHOLE_RUN, "doubles of what was": WHOLE_RUN})
    assert tell_all(recorded) is (code == 0)
    assert asked == [("simulator", "--all", "doubles", "--stories", "b")]
    assert recorded.whole.keys() == kept


def test_what_was_recorded_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "recorded.json"
    assert Recorded.read(file) == Recorded()
    recorded = Recorded(mutants={"killed": 3}, promises={"a": None, "b": "ONE_DEBIT"})
    recorded.keep(file)
    assert Recorded.read(file) == recorded


def test_the_table_shows_the_promise_a_dash_or_nothing() -> None:
    one, two, three = MUTANTS[:3]
    table = table_of([one, two, three], {one.name: "ONE_DEBIT", two.name: None})
    lines = {
        name: line
        for line in table.splitlines()
        for name in (one.name, two.name, three.name)
        if f"(`{name}`)" in line
    }
    assert lines[one.name].endswith("| ONE_DEBIT |")
    assert lines[two.name].endswith("| — |")
    assert lines[three.name].endswith("|  |")
    assert table_in(document([one, two, three], Recorded())).count("\n") == table.count("\n")
