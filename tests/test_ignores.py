"""Every ignored security rule of the linter (flake8-bandit's, S…) says why, and is a narrow one."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FOLDERS = ("layers", "functions", "ops", "sandbox", "simulator", "mutants", "benchmarks", "tests")
IGNORE = re.compile(r"#\s*noqa\b(?P<codes>: [A-Z0-9, ]+)?(?P<reason>.*)")
SECURITY = re.compile(r"\bS\d{3}\b")

# Of the whole project only tests may ignore a security rule by their folder, and only these.
TESTS_MAY = {"S101", "S105", "S106"}


def ignores(text: str) -> Iterator[re.Match[str]]:
    return IGNORE.finditer(text)


def is_bad(ignore: re.Match[str]) -> bool:
    """An ignore of everything, or one of a security rule without words behind it."""
    codes = ignore["codes"]
    if codes is None:
        return True
    return bool(SECURITY.search(codes)) and not re.fullmatch(r"\s*- \S.{3,}", ignore["reason"])


def test_every_ignored_security_rule_has_its_reason() -> None:
    files = [
        path
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if path != Path(__file__)
    ]
    found = [(path, one) for path in files for one in ignores(path.read_text())]

    assert any(SECURITY.search(one["codes"] or "") for _, one in found), "the search finds nothing"
    assert not [f"{path.relative_to(ROOT)}: {one[0]}" for path, one in found if is_bad(one)]


def test_an_ignore_without_a_reason_would_be_found() -> None:
    for line in ("x = 1  # noqa", "x = 1  # noqa: S603", "x = 1  # noqa: BLE001, S112 -  "):
        (ignore,) = ignores(line)
        assert is_bad(ignore), line


def test_whole_folders_ignore_no_security_rule_but_tests() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    by_folder: dict[str, Any] = lint["per-file-ignores"]

    assert lint["select"] == ["ALL"]
    assert not [code for code in lint["ignore"] if re.fullmatch(r"S(\d{1,3})?", code)]
    for folder, codes in by_folder.items():
        ignored = {code for code in codes if re.fullmatch(r"S(\d{1,3})?", code)}
        assert ignored <= (TESTS_MAY if folder.startswith("tests/") else set()), folder


def test_the_linter_does_look_for_what_is_dangerous(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("eval(input())\n")
    done = subprocess.run(  # noqa: S603 - our own linter, from our own environment
        [
            Path(sys.executable).with_name("ruff"),
            "check",
            "--config",
            ROOT / "pyproject.toml",
            "--output-format=concise",
            bad,
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "S307" in done.stdout
