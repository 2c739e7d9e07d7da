"""Copies the tree, breaks one guard in the copy, and runs tests there."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mutants.mutant import PROJECT, Mutant
from mutants.verdict import Case, Run
from mutants.witness import REPORT_VARIABLE, TREE_VARIABLE

# What tests need; environments, caches and pictures stay where they are.
COPIED = (
    "docs",
    "events",
    "functions",
    "layers",
    "mutants",
    "ops",
    "sandbox",
    "tests",
    "pyproject.toml",
    "samconfig.toml",
    "template.yaml",
)
LEFT_OUT = shutil.ignore_patterns("__pycache__", "images")

# The named tests of one mutant take seconds; a machine busy with other things gets more.
SECONDS_PER_MUTANT = 120

# All named tests, one after the other.
SECONDS_FOR_ALL_TESTS = 900

# Settings of the caller's that would change what Python imports or how pytest behaves.
STRAY_PREFIXES = ("PYTHON", "PYTEST", "MUTANTS_")


class WorkshopError(Exception):
    """The tests could not be run in the copy at all; the message says why."""


@contextmanager
def copied_tree() -> Iterator[Path]:
    """A copy of the project's code, without anything compiled, gone afterwards."""
    with TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder) / "tree"
        tree.mkdir()
        for name in COPIED:
            source = PROJECT / name
            if source.is_dir():
                shutil.copytree(source, tree / name, ignore=LEFT_OUT)
            else:
                shutil.copy2(source, tree / name)
        yield tree


def run_tests(tree: Path, tests: Sequence[str], *, seconds: float) -> Run:
    """Run tests on the code in `tree`, which is made sure to be what they import.

    Raises `WorkshopError` where pytest got nowhere, or imported other code.
    """
    report = tree.parent / "report.json"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(STRAY_PREFIXES)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "mutants.witness"]
    command += ["-p", "no:cacheprovider", "--tb=line", *tests]
    try:
        done = subprocess.run(  # noqa: S603 - our own tests, from our own environment
            command,
            cwd=tree,
            env=kept
            | {
                "PYTHONPATH": f"{tree / 'layers' / 'shared'}{os.pathsep}{tree}",
                "PYTHONDONTWRITEBYTECODE": "1",
                REPORT_VARIABLE: str(report),
                TREE_VARIABLE: str(tree),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Run(cases=(), complaints=(), timed_out=True)
    if not report.exists():
        raise WorkshopError(f"pytest got nowhere in {tree}:\n{done.stdout}")
    told = json.loads(report.read_text(encoding="utf-8"))
    code = str(told["imported"].get("giftcards"))
    if not Path(code).is_relative_to(tree.resolve()):
        raise WorkshopError(f"the copy in {tree} was not what was tested:\n{done.stdout}")
    cases = [Case(**case) for case in told["cases"]]
    return Run(cases=cases, complaints=told["complaints"], code=code)


def run_mutant(mutant: Mutant) -> Run:
    """Break the mutant's guard in a copy of its own, and run its tests there."""
    with copied_tree() as tree:
        mutant.apply(tree)
        return run_tests(tree, mutant.tests, seconds=SECONDS_PER_MUTANT)


def run_unbroken(tests: Sequence[str]) -> Run:
    """Run the tests in a copy in which nothing is broken."""
    with copied_tree() as tree:
        return run_tests(tree, tests, seconds=SECONDS_FOR_ALL_TESTS)
