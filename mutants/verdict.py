"""What a run of the named tests means: did they notice, and for the right reason?"""

from collections.abc import Sequence
from dataclasses import dataclass

from mutants.mutant import Mutant

# A mutant that fails like this is mistyped: Python noticed it, not the test.
MISTYPED = frozenset(
    {
        "AttributeError",
        "ImportError",
        "IndentationError",
        "ModuleNotFoundError",
        "NameError",
        "SyntaxError",
        "TypeError",
        "UnboundLocalError",
    }
)


@dataclass(frozen=True, slots=True)
class Case:
    """One test with one set of parameters: how its body ended, and the kind of its exception.

    `outcome` is `passed`, `failed`, `skipped`, or `error` where it failed outside its body.
    """

    test: str
    outcome: str
    exception: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of pytest came to.

    `complaints` are files that could not be imported or collected; `code` is the file that
    `import giftcards` led to. `processor_seconds` is what it took, as far as that is known.
    """

    cases: Sequence[Case]
    complaints: Sequence[str]
    timed_out: bool = False
    code: str = ""
    processor_seconds: float = 0.0


def why_not_green(tests: Sequence[str], run: Run) -> str | None:
    """What is wrong with the tests on the code as it is, or `None` where each of them passed."""
    if run.timed_out:
        return "they did not end in time"
    if run.complaints:
        return "; ".join(run.complaints)
    for test in tests:
        cases = _cases_of(test, run)
        if not cases:
            return f"{test} did not run"
        for case in cases:
            if case.outcome != "passed":
                return f"{case.test}: {case.outcome} {case.exception or ''}".rstrip()
    return None


def why_not_killed(mutant: Mutant, run: Run) -> str | None:
    """Why a mutant counts as not noticed, or `None` where each of its tests went red.

    Red is a test whose body failed. One that is missing, skipped, cannot be collected or imported,
    or that only met a mistyped mutant has noticed nothing.
    """
    if run.timed_out:
        return None if mutant.may_hang else "the tests did not end in time"
    if run.complaints:
        return "; ".join(run.complaints)
    for test in mutant.tests:
        cases = _cases_of(test, run)
        if not cases:
            return f"{test} did not run"
        failed = [case for case in cases if case.outcome == "failed"]
        if not failed:
            return f"{test}: {', '.join(sorted({case.outcome for case in cases}))}"
        mistyped = [case.exception for case in failed if case.exception in MISTYPED]
        if mistyped:
            return f"{test} met a mistyped mutant: {mistyped[0]}"
    return None


def _cases_of(test: str, run: Run) -> list[Case]:
    return [case for case in run.cases if case.test.partition("[")[0] == test]
