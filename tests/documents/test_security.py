"""docs/security.md and docs/simulator.md name tests that are there."""

import ast
import re
from math import log2

import pytest

from giftcards.domain.derived_codes import ALPHABET, CODE_LENGTH, CODES
from tests.cloudformation import TEMPLATE

ROOT = TEMPLATE.parent
NAMED = re.compile(r"`(?:tests/)?([\w/]+\.py)::(\w+)`")


def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text())
    return {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}


@pytest.mark.parametrize(("document", "at_least"), [("security.md", 20), ("simulator.md", 9)])
def test_each_named_test_exists(document: str, at_least: int) -> None:
    named = NAMED.findall((ROOT / "docs" / document).read_text())

    assert len(named) > at_least, "the document names its tests in another way"
    assert not [(path, name) for path, name in named if name not in names_in(path)]


def test_every_threat_names_a_test() -> None:
    text = (ROOT / "docs" / "security.md").read_text().partition("## Threats")[2]
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]

    assert len(rows) >= 10
    assert all(NAMED.search(row) for row in rows)


def test_the_codes_are_as_told() -> None:
    text = " ".join((ROOT / "docs" / "security.md").read_text().split())
    characters = f"{CODE_LENGTH} of the {len(ALPHABET)} characters `{ALPHABET}`"

    assert f"A code has {characters}: 17²⁰ ≈ 4·10²⁴, {log2(CODES):.1f} bits" in text
