"""A mutant is really tested in its copy: one that breaks a guard dies, a harmless one survives."""

from dataclasses import replace

import pytest

from mutants.catalogue import MUTANTS
from mutants.mutant import PROJECT
from mutants.verdict import why_not_green, why_not_killed
from mutants.workshop import copied_tree, run_mutant, run_tests

# Each of them starts a pytest of its own.
pytestmark = pytest.mark.slow

(LOCK_ENDS_EARLY,) = (mutant for mutant in MUTANTS if mutant.name == "lock-ends-early")
HARMLESS = replace(LOCK_ENDS_EARLY, new=LOCK_ENDS_EARLY.old + " ")
MISSPELT = replace(LOCK_ENDS_EARLY, old="owner = uuid4().hex", new="owner = uid4().hex")
UNREADABLE = replace(LOCK_ENDS_EARLY, old="owner = uuid4().hex", new="owner = =")


def test_a_broken_guard_is_noticed_in_the_copy_and_the_project_stays_whole() -> None:
    original = PROJECT / LOCK_ENDS_EARLY.file
    before = original.read_bytes()
    assert why_not_killed(LOCK_ENDS_EARLY, run_mutant(LOCK_ENDS_EARLY)) is None
    assert original.read_bytes() == before


def test_a_harmless_change_survives() -> None:
    problem = why_not_killed(HARMLESS, run_mutant(HARMLESS))
    assert problem == f"{HARMLESS.tests[0]}: passed"


def test_a_misspelt_mutant_is_not_killed_by_python() -> None:
    problem = why_not_killed(MISSPELT, run_mutant(MISSPELT))
    assert problem is not None
    assert problem.endswith("met a mistyped mutant: NameError")


def test_a_mutant_that_cannot_be_imported_is_not_killed() -> None:
    problem = why_not_killed(UNREADABLE, run_mutant(UNREADABLE))
    assert problem is not None
    assert "could not be collected" in problem


def test_a_skipped_test_and_a_hanging_one_are_told_apart() -> None:
    with copied_tree() as tree:
        (tree / "tests" / "test_extra.py").write_text(
            "import time\n\nimport pytest\n\n\n"
            "@pytest.mark.skip\ndef test_skipped():\n    assert False\n\n\n"
            "def test_endless():\n    time.sleep(600)\n",
            encoding="utf-8",
        )
        skipped = "tests/test_extra.py::test_skipped"
        problem = why_not_green([skipped], run_tests(tree, [skipped], seconds=60))
        assert problem == f"{skipped}: skipped Skipped"
        endless = run_tests(tree, ["tests/test_extra.py::test_endless"], seconds=5)
        assert endless.timed_out
    assert not tree.exists()
