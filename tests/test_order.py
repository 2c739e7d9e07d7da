"""The order in which the tests of the stack come."""

import subprocess
import sys
from itertools import groupby
from pathlib import Path

PROJECT = Path(__file__).parents[1]
COLLECT = ("-m", "pytest", "--collect-only", "--quiet", "tests/deployed", "tests/browser")


def test_the_tests_of_the_stack_come_in_the_order_of_their_files() -> None:
    collected = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, *COLLECT], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    names = [line.partition("::")[0] for line in collected.splitlines() if "::" in line]
    of_the_stack = [name for name in names if name.startswith("tests/deployed/")]
    modules = [name for name, _ in groupby(of_the_stack)]
    assert len(modules) > 10
    assert modules == sorted(set(modules))
