"""A plugin for pytest, inside the copy: what was really imported, and how each test ended."""

import json
import os
import sys
import time
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path

import pytest

# Where to write to, and the folder from which the code has to come.
REPORT_VARIABLE = "MUTANTS_REPORT"
TREE_VARIABLE = "MUTANTS_TREE"

# A mutant of a package that is imported from elsewhere would be tested by nobody.
PACKAGES = frozenset({"functions", "giftcards", "ops", "sandbox", "simulator", "tests"})

cases: list[dict[str, str | None]] = []
complaints: list[str] = []


def pytest_sessionstart() -> None:
    """Stop at once where `import giftcards` leads anywhere else than into the copy."""
    if not _is_ours(_code()):
        pytest.exit(f"giftcards would be imported from {_code()}", returncode=3)


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
    """Write all of it down, and what was imported from elsewhere after all."""
    imported = {
        name: str(file)
        for name, module in sorted(sys.modules.items())
        if name.partition(".")[0] in PACKAGES
        if (file := getattr(module, "__file__", None)) is not None
    }
    told: dict[str, object] = {"code": _code(), "cases": cases, "imported": imported}
    told["processor_seconds"] = time.process_time()
    strangers = [
        f"{name} came from {file}" for name, file in imported.items() if not _is_ours(file)
    ]
    told["complaints"] = complaints + strangers
    Path(os.environ[REPORT_VARIABLE]).write_text(json.dumps(told), encoding="utf-8")


def _code() -> str:
    """Where `import giftcards` leads."""
    spec = find_spec("giftcards")
    return "nowhere" if spec is None else str(spec.origin)


def _is_ours(file: str) -> bool:
    return Path(file).resolve().is_relative_to(Path(os.environ[TREE_VARIABLE]).resolve())
