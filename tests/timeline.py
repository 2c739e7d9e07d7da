"""Work that goes on side by side in time that is only reckoned, the same way in every run.

Each task is a greenlet: it runs alone until it sleeps, and the clock moves on to whoever wakes
next. Tasks that wake at one moment go on in the order in which they fell asleep. So a minute in
which five functions overlap takes what their computing takes, and nothing depends on the machine.
"""

import heapq
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from itertools import count
from math import ceil
from typing import Any, override

from greenlet import getcurrent, greenlet

from giftcards.wiring import now


class Timeline:
    """Tasks and the moments at which they go on; `advance` moves the clock by some seconds."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        self._advance = advance
        self._due: list[tuple[datetime, int, greenlet]] = []
        self._order = count()
        self._hub = getcurrent()

    def start(self, work: Callable[[], None]) -> None:
        """Have `work` begin at this moment, beside whatever else is going on."""
        self.wake(greenlet(work, parent=self._hub))

    def run(self) -> None:
        """Let time pass until every task has ended; what one of them raises is raised here."""
        while self._due:
            at, _, task = heapq.heappop(self._due)
            if at > now():
                self._advance((at - now()).total_seconds())
            task.switch()

    def sleep(self, seconds: float) -> None:
        """Let the others go on for so long; as with a real sleep, rather longer than shorter."""
        wakes_at = now() + timedelta(microseconds=ceil(seconds * 1_000_000))
        heapq.heappush(self._due, (wakes_at, next(self._order), getcurrent()))
        self._hub.switch()

    def wait(self) -> None:
        """Let the others go on until one of them wakes this task."""
        self._hub.switch()

    def wake(self, task: greenlet) -> None:
        """Have a task go on at this moment."""
        heapq.heappush(self._due, (now(), next(self._order), task))


class Threads(Executor):
    """Stands where a pool of threads stands: so many tasks of a timeline at once."""

    def __init__(self, timeline: Timeline, most: int) -> None:
        self._timeline = timeline
        self._most = most
        self._busy = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._closing: greenlet | None = None

    @override
    def submit[**P, Result](
        self, fn: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[Result]:
        future: Future[Result] = Future()

        def work() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - as a pool: whoever asks for it gets it
                future.set_exception(error)

        self._waiting.append(work)
        if self._busy < self._most:
            self._busy += 1
            self._timeline.start(self._serve)
        return future

    def _serve(self) -> None:
        while self._waiting:
            self._waiting.popleft()()
        self._busy -= 1
        if self._busy == 0 and self._closing is not None:
            self._timeline.wake(self._closing)

    @override
    def shutdown(self, wait: bool = True, **given: Any) -> None:
        """Wait for all of it, as the end of a `with` does."""
        while self._busy:
            self._closing = getcurrent()
            self._timeline.wait()


class Turn(AbstractContextManager[None]):
    """Stands where a lock stands: whoever finds it taken sleeps until it is free, in order."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._is_taken = False
        self._waiting: deque[greenlet] = deque()

    @override
    def __enter__(self) -> None:
        while self._is_taken:
            self._waiting.append(getcurrent())
            self._timeline.wait()
        self._is_taken = True

    @override
    def __exit__(self, *error: object) -> None:
        self._is_taken = False
        if self._waiting:
            self._timeline.wake(self._waiting.popleft())
