"""The functions themselves, called as Lambda calls them: found by the template, in their own files.

Only what a cold start brings is another one: where a handler asks for the application, it is given
that of the worker at work, whose AWS, vendors and clock the caller has made.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from runpy import run_path
from types import FunctionType
from typing import Any

from giftcards.wiring import Application
from tests.cloudformation import TEMPLATE, load_template
from tests.template_resources import function_seconds

# Each thread and each greenlet has its own.
_application: ContextVar[Application] = ContextVar("application")


@dataclass(frozen=True, slots=True)
class Context:
    """What the functions ask of Lambda's context."""

    ends_at: datetime
    clock: Callable[[], datetime]

    def get_remaining_time_in_millis(self) -> int:
        """Until Lambda ends this invocation, in milliseconds."""
        return round((self.ends_at - self.clock()) / timedelta(milliseconds=1))


def handle(
    function: str,
    app: Application,
    event: Mapping[str, Any],
    *,
    clock: Callable[[], datetime],
) -> dict[str, Any]:
    """Invoke a function of the template, by its logical id; what it returns, or raises.

    `clock` is Lambda's own, which may not be the worker's.
    """
    ends_at = clock() + timedelta(seconds=function_seconds(function))
    token = _application.set(app)
    try:
        report: dict[str, Any] = _handler(function)(dict(event), Context(ends_at, clock))
        return report
    finally:
        _application.reset(token)


def handler_file(function: str) -> Path:
    """Where the template has Lambda find a function's handler."""
    code: str = load_template()["Resources"][function]["Properties"]["CodeUri"]
    return TEMPLATE.parent / code / "handler.py"


@cache
def _handler(function: str) -> FunctionType:
    # Not imported: that would leave compiled files in the folders that are deployed.
    handler: FunctionType = run_path(str(handler_file(function)))["handle"]
    handler.__globals__["application"] = _application.get
    return handler
