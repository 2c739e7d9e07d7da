"""A plugin for pytest, inside the copy: what was really imported, and how each test ended."""

import json
import os
from collections.abc import Generator
from importlib import import_module
from pathlib import Path

import pytest

# Where to write to, and the folder from which the code has to come.
REPORT_VARIABLE = "MUTANTS_REPORT"
TREE_VARIABLE = "MUTANTS_TREE"

# A mutant of a package that is imported from elsewhere would be tested by nobody.
PACKAGES = ("giftcards", "sandbox", "tests.world")

imported: dict[str, str] = {}
cases: list[dict[str, str | None]] = []
complaints: list[str] = []


def pytest_sessionstart() -> None:
    """Stop at once where the code under test is not the copy's."""
    tree = Path(os.environ[TREE_VARIABLE]).resolve()
    for name in PACKAGES:
        try:
            file = Path(str(import_module(name).__file__)).resolve()
        except Exception as error:  # noqa: BLE001 - a mutant may fail to be imported in any way
            complaints.append(f"{name} cannot be imported: {type(error).__name__}")
            continue
        if not file.is_relative_to(tree):
            pytest.exit(f"{name} was imported from {file}, not from {tree}", returncode=3)
        imported[name] = str(file)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Keep what could not be collected."""
    if report.failed:
        complaints.append(f"{report.nodeid} could not be collected")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep how the test's body ended, and what failed or was skipped around it."""
    report = yield
    if report.when == "call" or report.outcome != "passed":
        outcome = "error" if report.when != "call" and report.failed else report.outcome
        exception = call.excinfo.typename if call.excinfo is not None else None
        cases.append({"test": item.nodeid, "outcome": outcome, "exception": exception})
    return report


def pytest_sessionfinish() -> None:
    """Write all of it down."""
    report = {"imported": imported, "cases": cases, "complaints": complaints}
    Path(os.environ[REPORT_VARIABLE]).write_text(json.dumps(report), encoding="utf-8")
