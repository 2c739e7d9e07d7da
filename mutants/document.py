"""`docs/proof.md`, put together from the list of mutants and what was recorded of the last runs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mutants.mutant import PROJECT, Guard, Mutant
from mutants.promises import STORIES
from mutants.recorded import Recorded
from mutants.whole import WHOLE

DOCUMENT: Final = PROJECT / "docs" / "proof.md"

TABLE_BEGINS: Final = "| guard | what is broken | in | test that goes red | promise |\n"

# Folders that hold most of what is broken, and so go without saying.
FOLDERS: Final = ("layers/shared/giftcards/", "tests/")

HEAD: Final = """\
# The proof

*Written by `python -m mutants.proof` from the list in `mutants/` and from what the commands below
came to when they were last run (`make proof` runs them, and takes hours). Nobody edits it
by hand; `make check` sees that the table is the list.*
"""

SIMULATE: Final = """\
## Histories with accidents: `make simulate`
The application's own flows, on vendors and an AWS in memory, with accidents at every call, and
every promise of the design looked at by name at the end of each ([how](simulator.md)). Its last
line:
"""

COVERAGE: Final = """\
How often each kind of accident met each kind of call ([the kinds](../simulator/faults.py)); which
call of which function it was, `make simulate COVERAGE=1` tells.
"""

TOLD_WHOLE: Final = """\
Some stories are told to the last of them: behind every accident at every call of what the story is
about every other one (`make simulate ALL=doubles STORIES=redeem`), or every three at the calls from
the claim of a redemption to its commit (`ALL=triples`), or at these calls of two operations on one
card up to two accidents and two hold-ups (`ALL=pairs`); of accidents that go alike, one
([which](simulator.md)). The last column says with which code: a digest of the application, the
sandbox’s vendors, the simulator and the AWS in memory, or “an earlier one”. `make proof` tells
again what was told with other code than it finds.
"""

MUTANTS: Final = """\
## Every guard taken out once: `make mutants`
A guard that no test misses is a comment. So each guard is broken in a copy of the code, and the
tests named beforehand have to go red there. A test that is missing, skipped or cannot be imported
counts for nothing, nor does one that met a misspelt mutant. The last line:
"""

PROMISES: Final = """\
The last column is what the simulator alone says of the broken code, without knowing what is broken:
the promises it found broken first. “—” means that no single accident at any effect of the stories
that the guard is for broke one: two accidents might, a second guard behind the first may keep the
promise, or it lies in what the simulator leaves out. Where the cell is empty it was not asked: it
has no story for that guard, or was not shown that mutant yet.
"""

NOT_RUN: Final = "Not run yet: `make proof`."


def document(mutants: Sequence[Mutant], recorded: Recorded) -> str:
    """The whole document."""
    return "\n".join(
        [
            HEAD,
            SIMULATE,
            last_line_of(recorded.simulate),
            COVERAGE,
            coverage_table(recorded.coverage),
            TOLD_WHOLE,
            table_of_whole(recorded.whole),
            not_told_whole(recorded.whole),
            MUTANTS,
            last_line_of(recorded.mutants),
            not_run_yet(mutants, recorded.mutants),
            PROMISES,
            summary_of(mutants, recorded.promises),
            table_of(mutants, recorded.promises),
        ]
    )


def last_line_of(told: Mapping[str, Any]) -> str:
    """A last line as it was, in lines that fit."""
    if not told:
        return NOT_RUN + "\n"
    parts = [f'"{name}": {json.dumps(value)}' for name, value in told.items()]
    return "```json\n{" + ",\n ".join(parts) + "}\n```\n"


def coverage_table(coverage: Mapping[str, Mapping[str, int]]) -> str:
    """A line for each kind of accident, a column for each kind of call."""
    if not coverage:
        return NOT_RUN + "\n"
    groups = sorted({group for counts in coverage.values() for group in counts})
    lines = [f"| accident | {' | '.join(groups)} |", "|---|" + "--:|" * len(groups)]
    lines += [
        f"| {kind} | " + " | ".join(f"{counts.get(group, 0):,}" for group in groups) + " |"
        for kind, counts in coverage.items()
    ]
    return "\n".join(lines) + "\n"


def table_of_whole(whole: Mapping[str, Mapping[str, Any]]) -> str:
    """A line for each story that was told to the last of its doubles, triples or pairs."""
    if not whole:
        return NOT_RUN + "\n"
    lines = ["| all | histories | calls in them | broken promises | processor minutes | code |"]
    lines += ["|---|--:|--:|---|--:|---|"]
    lines += [
        f"| {name} | {told['histories']:,} | {told['effects']:,} |"
        f" {_counts(told['violations'])} | {told['processor_seconds'] / 60:.0f} |"
        f" {told.get('told_with', 'an earlier one')} |"
        for name, told in sorted(whole.items())
    ]
    return "\n".join(lines) + "\n"


def not_told_whole(whole: Mapping[str, Mapping[str, Any]]) -> str:
    """What is to be told whole and has no record yet."""
    names = [f"{kind} of {story}" for kind, story in WHOLE]
    left = [name for name in names if name not in whole]
    if not left:
        return "That is all that is to be told whole.\n"
    return f"To be told yet: {', '.join(left)}.\n"


def not_run_yet(mutants: Sequence[Mutant], told: Mapping[str, Any]) -> str:
    """Whether all of the list was run the last time."""
    if not told:
        return ""
    if told["mutants"] == len(mutants):
        return "So many are in the list below.\n"
    return f"The list below has {len(mutants)}: since then it has changed.\n"


def _counts(broken: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in broken.items()) or "none"


def summary_of(mutants: Sequence[Mutant], promises: Mapping[str, str | None]) -> str:
    """Of how many the simulator alone finds out."""
    with_story = [mutant.name for mutant in mutants if mutant.guard in STORIES]
    asked = [promises[name] for name in with_story if name in promises]
    found = sum(told is not None for told in asked)
    left = len(with_story) - len(asked)
    rest = f" The other {left} it was not shown yet: `make proof` does so." if left else ""
    return (
        f"The list has {len(mutants)} mutants, and the simulator has stories for the guards of"
        f" {len(with_story)}.\nOf these it was shown {len(asked)}, and found a broken promise in"
        f" {found}.{rest}\n"
    )


def table_of(mutants: Sequence[Mutant], promises: Mapping[str, str | None]) -> str:
    """The table of mutants, guard by guard."""
    order = list(Guard)
    lines = [
        f"| {mutant.guard} | {mutant.breaks} (`{mutant.name}`) | `{_short(mutant.file)}` |"
        f" {_tests(mutant)} | {_promise(mutant, promises)} |\n"
        for mutant in sorted(mutants, key=lambda mutant: order.index(mutant.guard))
    ]
    return TABLE_BEGINS + "|---|---|---|---|---|\n" + "".join(lines)


def table_in(text: str) -> str:
    """The table that stands in the document; raises `ValueError` where there is none."""
    return text[text.index(TABLE_BEGINS) :]


def _promise(mutant: Mutant, promises: Mapping[str, str | None]) -> str:
    if mutant.name not in promises:
        return ""
    return promises[mutant.name] or "—"


def _tests(mutant: Mutant) -> str:
    return "<br>".join(f"`{_short(test)}`" for test in mutant.tests)


def _short(path: str) -> str:
    for folder in FOLDERS:
        path = path.removeprefix(folder)
    return path
