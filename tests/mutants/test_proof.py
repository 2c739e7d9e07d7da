"""The proof says what the runs came to, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mutants import proof
from mutants.catalogue import MUTANTS
from mutants.document import (
    coverage_table,
    document,
    last_line_of,
    not_run_yet,
    not_told_whole,
    summary_of,
    table_in,
    table_of,
    table_of_whole,
)
from mutants.mutant import PROJECT
from mutants.promises import STORIES
from mutants.proof import (
    TOLD_WITH,
    accidents_in,
    coverage_in,
    digest,
    group_of,
    last_line,
    tell_all,
)
from mutants.recorded import Recorded
from mutants.whole import WHOLE
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
    of_now = WHOLE_RUN | {"told_with": "0123456789ab"}
    table = table_of_whole({"triples of b": broken, "doubles of a": of_now})
    assert table.splitlines()[2:] == [
        "| doubles of a | 1,234 | 5,678 | none | 2 | 0123456789ab |",
        "| triples of b | 1,234 | 5,678 | ONE_DEBIT 1,200, IN_STEP 1 | 2 | an earlier one |",
    ]
    assert "Not run yet" in table_of_whole({})


LINE = {
    "histories": 10,
    "days": 0,
    "effects": 700,
    "faults": {"throttled": 2, "echoed": 0},
    "violations": {},
    "compared": 1,
    "seconds": 0.4,
    "processor_seconds": 0.1,
    "seed": 1,
}
BEFORE = "doubles of b, 1/2, told with "


class Runs:
    """Stands where the simulator is run; the `bad` one of its runs breaks a promise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, bad: int | None) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._bad = bad
        monkeypatch.setattr(proof, "run", self.run)
        monkeypatch.setattr(proof, "WHOLE", (("doubles", "a"), ("doubles", "b")))
        monkeypatch.setattr(proof, "PARTS", 2)
        monkeypatch.setattr(Recorded, "keep", lambda _: None)

    def run(self, command: tuple[str, ...]) -> tuple[int, list[str]]:
        self.asked.append(command)
        return int(len(self.asked) == self._bad), ["1 s", json.dumps(LINE)]


def test_a_whole_run_is_told_and_recorded_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(monkeypatch, bad=None)
    of_now = WHOLE_RUN | {"told_with": digest()}
    recorded = Recorded(whole={"doubles of a": of_now, "doubles of what was": WHOLE_RUN})
    assert tell_all(recorded)
    part = ("simulator", "--all", "doubles", "--stories", "b", "--part")
    assert runs.asked == [(*part, "1/2"), (*part, "2/2")]
    assert recorded.whole == {
        "doubles of a": of_now,
        "doubles of b": {
            "histories": 20,
            "days": 0,
            "effects": 1400,
            "faults": {"throttled": 4, "echoed": 0},
            "violations": {},
            "compared": 2,
            "seconds": 0.8,
            "processor_seconds": 0.2,
            "seed": 1,
            "told_with": digest(),
        },
    }
    assert recorded.parts == {}


@pytest.mark.parametrize(("bad", "parts"), [(1, 0), (2, 1)])
def test_only_parts_that_went_well_are_recorded(
    monkeypatch: pytest.MonkeyPatch, bad: int, parts: int
) -> None:
    Runs(monkeypatch, bad=bad)
    recorded = Recorded(whole={"doubles of a": WHOLE_RUN | {"told_with": digest()}})
    assert not tell_all(recorded)
    assert recorded.whole.keys() == {"doubles of a"}
    assert list(recorded.parts) == [BEFORE + digest()][:parts]


def test_parts_are_told_again_once_the_code_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(monkeypatch, bad=None)
    whole = {"doubles of a": WHOLE_RUN | {"told_with": digest()}}
    of_this_code = Recorded(whole=dict(whole), parts={BEFORE + digest(): LINE})
    assert tell_all(of_this_code)
    assert [command[-1] for command in runs.asked] == ["2/2"]
    runs.asked.clear()
    of_another = Recorded(whole=dict(whole), parts={BEFORE + "0" * 12: LINE})
    assert tell_all(of_another)
    assert [command[-1] for command in runs.asked] == ["1/2", "2/2"]
    assert of_another.parts == {}


@pytest.mark.parametrize("told", [WHOLE_RUN, WHOLE_RUN | {"told_with": "0" * 12}])
def test_what_was_told_whole_with_other_code_is_told_again_after_what_never_was(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]
) -> None:
    runs = Runs(monkeypatch, bad=3)
    recorded = Recorded(whole={"doubles of a": told})
    assert not tell_all(recorded)
    assert [command[4] for command in runs.asked] == ["b", "b", "a"]
    assert recorded.whole["doubles of a"] == told, "what it came to is known until the new one is"
    assert tell_all(recorded)
    assert {one["told_with"] for one in recorded.whole.values()} == {digest()}


def test_the_digest_is_of_all_that_the_simulator_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(proof, "PROJECT", tmp_path)
    digests = [digest()]
    for place in TOLD_WITH:
        file = tmp_path / place if Path(place).suffix else tmp_path / place / "deep" / "mail.words"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("one = 1")
        digests.append(digest())
    file.write_text("one = 2")
    digests.append(digest())
    file.rename(file.with_name("other.py"))
    digests.append(digest())
    assert len(set(digests)) == len(digests)


LOADED = """
import sys
opened = set()
sys.addaudithook(lambda event, told: opened.add(str(told[0])) if event == "open" else None)

import simulator.__main__
from simulator.history import Spec, tell
from simulator.world import World

tell(World(), Spec("redeem"))
loaded = {getattr(module, "__file__", None) or "" for module in sys.modules.values()}
print(*sorted(opened | loaded), sep="\\n")
"""

# What is loaded beside: the package that holds the vendors, which has no code in it.
NOT_RUN_BY_HISTORIES = {PROJECT / "sandbox" / "__init__.py"}


def test_what_the_simulator_reads_of_us_is_in_the_digest() -> None:
    told = subprocess.run(  # noqa: S603 - these lines, with nothing from outside
        [sys.executable, "-c", LOADED],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    ours = {PROJECT / place for place in ("functions", "layers", "sandbox", "simulator", "tests")}
    read = {
        file
        for file in map(Path, told.stdout.split("\n"))
        if file.is_file() and file.suffix != ".pyc"
        if file.parent == PROJECT or ours & set(file.parents)
    } - NOT_RUN_BY_HISTORIES
    known = {PROJECT / place for place in TOLD_WITH}
    assert len(read) > 150
    assert {PROJECT / "template.yaml", PROJECT / "functions/answer_store/handler.py"} <= read
    assert {file for file in read if not known & {file, *file.parents}} == set()


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


def test_the_document_says_what_has_no_record_yet() -> None:
    names = [f"{kind} of {story}" for kind, story in WHOLE]
    whole = dict.fromkeys(names[2:], WHOLE_RUN)
    assert not_told_whole(whole) == f"To be told yet: {names[0]}, {names[1]}.\n"
    whole |= dict.fromkeys(names[:2], WHOLE_RUN)
    assert not_told_whole(whole) == "That is all that is to be told whole.\n"
    assert not_run_yet(MUTANTS[:3], {"mutants": 3}) == "So many are in the list below.\n"
    assert "has 3: since then it has changed" in not_run_yet(MUTANTS[:3], {"mutants": 2})
    assert not_run_yet(MUTANTS[:3], {}) == ""


def test_the_summary_tells_who_was_not_asked_from_what_was_not_found() -> None:
    known = [one for one in MUTANTS if one.guard in STORIES][:3]
    foreign = next(one for one in MUTANTS if one.guard not in STORIES)
    asked: dict[str, str | None] = {known[0].name: "ONE_DEBIT", known[1].name: None}
    told = summary_of([*known, foreign], asked)
    assert "has 4 mutants, and the simulator has stories for the guards of 3.\n" in told
    assert "was shown 2, and found a broken promise in 1. The other 1 it was not shown yet" in told
    assert "not shown yet" not in summary_of(known[:2], asked)
