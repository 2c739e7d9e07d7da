"""Copies the tree, breaks one guard in the copy, and runs tests there."""

import importlib
import json
import multiprocessing
import os
import resource
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from mutants import witness
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
    "simulator",
    "tests",
    "pyproject.toml",
    "samconfig.toml",
    "template.yaml",
)
COMPILED = "__pycache__"
LEFT_OUT = ("images",)

# Other people's code that the tests load. What brings a plugin for pytest is not among it: pytest
# wants to load that itself.
LIBRARIES = [
    "aws_lambda_powertools",
    "boto3",
    "flask",
    "graphql",
    "jinja2",
    "lark",
    "moto",
    "moto.dynamodb.models",
    "moto.ses.models",
    "moto.sqs.models",
    "moto.ssm.models",
    "pyairtable",
    "pytest",
    "yaml",
]

# A copy has no embedded AWS and no browser beside it; the other backends show the same.
QUICK = "not deployed and not browser"

# A laptop has two cores at least, and a mutant's tests are busy with one.
WORKERS = 2

# The named tests of one mutant take seconds; a machine busy with many other things gets more.
SECONDS_PER_MUTANT = 300

# All named tests, one after the other.
SECONDS_FOR_ALL_TESTS = 1800

# Settings of the caller's that would change what Python imports or how pytest behaves.
STRAY_PREFIXES = ("PYTHON", "PYTEST", "MUTANTS_")


class WorkshopError(Exception):
    """The tests could not be run in the copy at all; the message says why."""


@contextmanager
def copied_tree(source: Path = PROJECT) -> Iterator[Path]:
    """A copy of the project's code, gone afterwards.

    What is compiled is copied from another copy only: there nobody edits while we copy. A mutant's
    file is younger than what was compiled of it before, so Python compiles that one anew.
    """
    left_out = LEFT_OUT if source != PROJECT else (*LEFT_OUT, COMPILED)
    with TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder) / "tree"
        tree.mkdir()
        for name in COPIED:
            if (source / name).is_dir():
                ignore = shutil.ignore_patterns(*left_out)
                shutil.copytree(source / name, tree / name, ignore=ignore)
            else:
                shutil.copy2(source / name, tree / name)
        yield tree


def run_tests(tree: Path, tests: Sequence[str], *, seconds: float) -> Run:
    """Run tests on the code in `tree`, which is made sure to be what they import.

    Where even a `conftest.py` cannot be imported, that is the run's complaint. Raises
    `WorkshopError` where pytest got nowhere else, or imported other code.
    """
    report, log = tree.parent / "report.json", tree.parent / "pytest.log"
    child = _processes().Process(target=_be_pytest, args=(tree, tuple(tests), report, log))
    child.start()
    child.join(seconds)
    if child.is_alive():
        child.kill()
        child.join()
        return Run(cases=(), complaints=(), timed_out=True)
    if child.exitcode == pytest.ExitCode.USAGE_ERROR:
        return Run(cases=(), complaints=[f"could not be collected: {_first_line(log)}"])
    if not report.exists():
        raise WorkshopError(f"pytest got nowhere in {tree}:\n{log.read_text(encoding='utf-8')}")
    told = json.loads(report.read_text(encoding="utf-8"))
    if not Path(told["code"]).is_relative_to(tree.resolve()):
        raise WorkshopError(f"not the copy in {tree} was tested, but {told['code']}")
    cases = [Case(**case) for case in told["cases"]]
    return Run(
        cases=cases,
        complaints=told["complaints"],
        code=told["code"],
        processor_seconds=told["processor_seconds"],
    )


@cache
def _processes() -> ForkServerContext:
    """Processes that begin with the libraries loaded and nothing of ours: that takes the time."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(LIBRARIES)
    return processes


def _be_pytest(tree: Path, tests: Sequence[str], report: Path, log: Path) -> None:
    """In a process of its own: run tests as if `tree` were the project."""
    _be_at_home_in(tree, log)
    os.environ |= {REPORT_VARIABLE: str(report), TREE_VARIABLE: str(tree)}
    options = ["-q", "-p", "no:cacheprovider", "--tb=line", "-m", QUICK]
    sys.exit(pytest.main([*options, *tests], plugins=[witness]))


def run_simulator(tree: Path, *, stories: str, processor_seconds: int) -> list[str]:
    """Tell every single accident of `stories` on the code in `tree`, until a promise breaks.

    Returns the names of the promises that broke first. Raises `WorkshopError` where that took more
    than `processor_seconds`, or the broken code broke the simulator itself.
    """
    log = tree.parent / "simulator.log"
    given = (tree, stories, processor_seconds, log)
    child = _processes().Process(target=_be_simulator, args=given)
    child.start()
    child.join(SECONDS_FOR_ALL_TESTS)
    if child.is_alive():
        child.kill()
        child.join()
    last_line = log.read_text(encoding="utf-8").rstrip("\n").rpartition("\n")[2]
    if not last_line.startswith("{"):
        raise WorkshopError(f"the simulator did not come to an end: {last_line}")
    return sorted(json.loads(last_line)["violations"])


def _be_simulator(tree: Path, stories: str, processor_seconds: int, log: Path) -> None:
    """In a process of its own: the simulator of the project in `tree`, for so long."""
    _be_at_home_in(tree, log)
    resource.setrlimit(resource.RLIMIT_CPU, (processor_seconds, processor_seconds))
    command = importlib.import_module("simulator.__main__")
    options = {"--all": "singles", "--processes": "1", "--stories": stories}
    sys.argv = ["simulator", "--first", *(part for option in options.items() for part in option)]
    sys.exit(command.main())


def _be_at_home_in(tree: Path, log: Path) -> None:
    """Import from `tree`, and write to `log` what would go to the terminal."""
    with log.open("w", encoding="utf-8") as output:
        os.dup2(output.fileno(), sys.stdout.fileno())
        os.dup2(output.fileno(), sys.stderr.fileno())
    for name in [name for name in os.environ if name.startswith(STRAY_PREFIXES)]:
        del os.environ[name]
    os.chdir(tree)
    sys.dont_write_bytecode = False  # whatever the caller's shell says: further copies need it
    sys.path[:0] = [str(tree / "layers" / "shared"), str(tree)]


def _first_line(log: Path) -> str:
    """What pytest said first: a `conftest.py` that cannot be imported, a file that is not there."""
    return log.read_text(encoding="utf-8").partition("\n")[0]


def run_mutant(mutant: Mutant, source: Path = PROJECT) -> Run:
    """Break the mutant's guard in a copy of its own, and run its tests there."""
    with copied_tree(source) as tree:
        mutant.apply(tree)
        return run_tests(tree, mutant.tests, seconds=SECONDS_PER_MUTANT)


def run_unbroken(tree: Path, tests: Sequence[str]) -> Run:
    """Run the tests in a copy in which nothing is broken, which leaves it compiled."""
    return run_tests(tree, tests, seconds=SECONDS_FOR_ALL_TESTS)
