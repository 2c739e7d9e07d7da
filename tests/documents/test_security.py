"""docs/security.md and docs/simulator.md name tests that are there."""

import ast
import re
from collections.abc import Sequence
from math import log2

import pytest

from giftcards.domain.derived_codes import ALPHABET, CODE_LENGTH, CODES
from tests.cloudformation import TEMPLATE

ROOT = TEMPLATE.parent
NAMED = re.compile(r"`(?:tests/)?([\w/]+\.py)((?:::\w+)+)`")


def is_there(path: str, names: str) -> bool:
    """Whether a file of tests has this one: `::test_so` or `::TestThat::test_so`."""
    block: Sequence[ast.stmt] = ast.parse((ROOT / "tests" / path).read_text()).body
    for name in names.removeprefix("::").split("::"):
        known = {n.name: n for n in block if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        if name not in known:
            return False
        block = known[name].body
    return True


@pytest.mark.parametrize(("document", "at_least"), [("security.md", 20), ("simulator.md", 9)])
def test_each_named_test_exists(document: str, at_least: int) -> None:
    named = NAMED.findall((ROOT / "docs" / document).read_text())

    assert len(named) > at_least, "the document names its tests in another way"
    assert not [(path, names) for path, names in named if not is_there(path, names)]


def test_a_test_of_a_class_is_looked_for_in_it() -> None:
    path = "flows/test_books_of_rows.py"
    there = "TestReceipts::test_an_altered_one_is_found_and_written_as_it_was"

    assert NAMED.findall(f"`tests/{path}::{there}`") == [(path, f"::{there}")]
    assert is_there(path, f"::{there}")
    assert not is_there(path, f"::{there}_not")
    assert not is_there(path, f"::{there.replace('Receipts', 'Orders')}")


def test_every_threat_names_a_test() -> None:
    text = (ROOT / "docs" / "security.md").read_text().partition("## Threats")[2]
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]

    assert len(rows) >= 10
    assert all(NAMED.search(row) for row in rows)


def test_the_codes_are_as_told() -> None:
    text = " ".join((ROOT / "docs" / "security.md").read_text().split())
    characters = f"{CODE_LENGTH} of the {len(ALPHABET)} characters `{ALPHABET}`"

    assert f"A code has {characters}: 17²⁰ ≈ 4·10²⁴, {log2(CODES):.1f} bits" in text
