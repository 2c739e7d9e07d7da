"""How fast Klaviyo lets one account go: two fixed windows, a second and a minute.

(Klaviyo, "Rate limits, status codes, and errors"; the numbers stand with each endpoint's
description.) A window begins on the whole second and minute of the clock.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

BURST_SECONDS = 1
STEADY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an endpoint allows: so many requests a second, and so many a minute."""

    burst: int
    steady: int


EVENTS = Allowance(burst=350, steady=3_500)
TEMPLATES = Allowance(burst=75, steady=750)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the minute's window stands; `wait_seconds` is 0 for a request that may pass."""

    limit: int
    remaining: int
    reset_seconds: int
    wait_seconds: int


class Windows:
    """Counts the requests to one endpoint. Safe to use from several threads."""

    def __init__(self, allowance: Allowance, clock: Callable[[], datetime]) -> None:
        self._allowance = allowance
        self._clock = clock
        self._lock = threading.Lock()
        self._counts = {BURST_SECONDS: (0, 0), STEADY_SECONDS: (0, 0)}

    def enter(self) -> Standing:
        """Count one request, unless it is too much."""
        with self._lock:
            now = self._clock().timestamp()
            used = {}
            for seconds, (window, count) in self._counts.items():
                current = int(now // seconds)
                used[seconds] = (current, count if window == current else 0)
            wait = 0.0
            for seconds, most in (
                (BURST_SECONDS, self._allowance.burst),
                (STEADY_SECONDS, self._allowance.steady),
            ):
                window, count = used[seconds]
                if count >= most:
                    wait = max(wait, (window + 1) * seconds - now)
            if not wait:
                used = {seconds: (window, count + 1) for seconds, (window, count) in used.items()}
            self._counts = used
            window, count = used[STEADY_SECONDS]
            return Standing(
                limit=self._allowance.steady,
                remaining=self._allowance.steady - count,
                reset_seconds=math.ceil((window + 1) * STEADY_SECONDS - now),
                wait_seconds=math.ceil(wait),
            )
