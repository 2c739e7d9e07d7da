"""The list of mutants as `docs/decisions.md` shows it."""

from collections.abc import Sequence
from pathlib import Path

from mutants.mutant import PROJECT, Guard, Mutant

DOCUMENT = PROJECT / "docs" / "decisions.md"
BEGIN = "<!-- mutants: `python -m mutants --table` writes this table -->\n"
END = "<!-- mutants end -->\n"

HEADER = "| guard | what was taken out | test that went red |\n|---|---|---|\n"


def table_of(mutants: Sequence[Mutant]) -> str:
    """The table in Markdown, guard by guard."""
    order = list(Guard)
    lines = [
        f"| {mutant.guard} | {mutant.breaks} (`{mutant.name}`) | {_tests(mutant)} |\n"
        for mutant in sorted(mutants, key=lambda mutant: order.index(mutant.guard))
    ]
    return HEADER + "".join(lines)


def table_in(text: str) -> str:
    """The table that stands in the document; raises `ValueError` where its marks are missing."""
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)]


def write_table(mutants: Sequence[Mutant], document: Path = DOCUMENT) -> None:
    """Bring the document's table up to date."""
    text = document.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    document.write_text(before + BEGIN + table_of(mutants) + END + after, encoding="utf-8")


def _tests(mutant: Mutant) -> str:
    """The tests without the folder they all stand in."""
    return "<br>".join(f"`{test.removeprefix('tests/')}`" for test in mutant.tests)
