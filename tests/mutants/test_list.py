"""The list of mutants cannot rot: its texts, its tests and its table are what they were."""

import ast
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from mutants.catalogue import MUTANTS
from mutants.document import DOCUMENT, document
from mutants.mutant import PROJECT, Guard, Mutant
from mutants.recorded import Recorded

# "Each guard more than once": one way of breaking it may be noticed by luck.
FEWEST_OF_A_GUARD = 2


def by_name(mutant: Mutant) -> str:
    return mutant.name


@cache
def names_in(file: Path) -> set[str]:
    """The tests of a file as pytest names them: functions, and methods of test classes."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            methods = (each for each in node.body if isinstance(each, ast.FunctionDef))
            found |= {f"{node.name}::{method.name}" for method in methods}
    return {name for name in found if name.rpartition("::")[2].startswith("test_")}


@pytest.mark.parametrize("mutant", MUTANTS, ids=by_name)
def test_the_old_text_occurs_once_and_is_replaced(mutant: Mutant, tmp_path: Path) -> None:
    text = (PROJECT / mutant.file).read_text(encoding="utf-8")
    copy = tmp_path / mutant.file
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(text, encoding="utf-8")
    mutant.apply(tmp_path)
    broken = copy.read_text(encoding="utf-8")
    assert broken != text
    assert len(broken) == len(text) - len(mutant.old) + len(mutant.new)
    if copy.suffix == ".py":
        ast.parse(broken)


def test_a_stale_old_text_is_refused(tmp_path: Path) -> None:
    mutant = MUTANTS[0]
    copy = tmp_path / mutant.file
    copy.parent.mkdir(parents=True, exist_ok=True)
    for text in ("", mutant.old * 2):
        copy.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="not once"):
            mutant.apply(tmp_path)


@pytest.mark.parametrize("mutant", MUTANTS, ids=by_name)
def test_each_named_test_exists(mutant: Mutant) -> None:
    assert mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert name in names_in(PROJECT / file), test


def test_each_guard_is_broken_in_more_than_one_way_and_each_name_given_once() -> None:
    of_guard = Counter(mutant.guard for mutant in MUTANTS)
    assert set(of_guard) == set(Guard)
    assert min(of_guard.values()) >= FEWEST_OF_A_GUARD
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)


def test_the_proof_is_of_this_list_and_of_what_was_recorded() -> None:
    written = document(MUTANTS, Recorded.read())
    assert DOCUMENT.read_text(encoding="utf-8") == written, "write it anew: python -m mutants.proof"
    assert all(f"(`{mutant.name}`)" in written for mutant in MUTANTS)


def test_no_cell_of_the_table_breaks_it() -> None:
    for mutant in MUTANTS:
        assert not {"|", "\n"} & set(mutant.breaks + mutant.name)
