"""What counts as noticed, and what does not."""

import pytest

from mutants.mutant import Guard, Mutant, named
from mutants.verdict import Case, Run, why_not_green, why_not_killed

TESTS = named("flows/test_a.py", "test_one", "test_two")
ONE, TWO = TESTS


def mutant(*, may_hang: bool = False) -> Mutant:
    return Mutant(
        name="claim-x",
        guard=Guard.CLAIM,
        breaks="Everything.",
        file="a.py",
        old="old",
        new="new",
        tests=TESTS,
        may_hang=may_hang,
    )


def run(*cases: tuple[str, str, str | None]) -> Run:
    return Run(cases=[Case(*case) for case in cases], complaints=())


RED = (ONE, "failed", "AssertionError")


def test_a_mutant_is_killed_when_each_of_its_tests_went_red() -> None:
    assert why_not_killed(mutant(), run(RED, (TWO, "failed", "KeyError"))) is None


def test_one_red_set_of_parameters_is_enough() -> None:
    cases = (RED, (f"{TWO}[1]", "passed", None), (f"{TWO}[2]", "failed", "AssertionError"))
    assert why_not_killed(mutant(), run(*cases)) is None


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ((TWO, "passed", None), "passed"),
        ((TWO, "skipped", "Skipped"), "skipped"),
        ((TWO, "error", "AssertionError"), "error"),
        ((f"{TWO}_of_another_name", "failed", "AssertionError"), "did not run"),
        ((TWO, "failed", "NameError"), "mistyped mutant: NameError"),
        ((TWO, "failed", "ModuleNotFoundError"), "mistyped mutant: ModuleNotFoundError"),
    ],
)
def test_a_test_that_noticed_nothing_kills_nothing(
    second: tuple[str, str, str | None], why: str
) -> None:
    problem = why_not_killed(mutant(), run(RED, second))
    assert problem is not None
    assert TWO in problem
    assert why in problem


def test_what_cannot_be_collected_kills_nothing() -> None:
    cases = [Case(*RED), Case(TWO, "failed", "AssertionError")]
    problem = why_not_killed(mutant(), Run(cases=cases, complaints=["test_a.py: no"]))
    assert problem == "test_a.py: no"


def test_a_run_without_end_kills_only_where_the_list_says_so() -> None:
    endless = Run(cases=(), complaints=(), timed_out=True)
    assert why_not_killed(mutant(), endless) is not None
    assert why_not_killed(mutant(may_hang=True), endless) is None
    assert why_not_green(TESTS, endless) is not None


@pytest.mark.parametrize("outcome", ["failed", "skipped", "error"])
def test_green_means_that_each_test_ran_and_passed(outcome: str) -> None:
    assert why_not_green(TESTS, run((ONE, "passed", None), (f"{TWO}[1]", "passed", None))) is None
    assert why_not_green(TESTS, run((ONE, "passed", None))) == f"{TWO} did not run"
    problem = why_not_green(
        TESTS,
        run((ONE, "passed", None), (f"{TWO}[1]", "passed", None), (f"{TWO}[2]", outcome, None)),
    )
    assert problem == f"{TWO}[2]: {outcome}"
    assert why_not_green(TESTS, Run(cases=(), complaints=["no"])) == "no"
