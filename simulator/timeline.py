"""Work that goes on side by side in time that is only reckoned, the same way in every run.

Each task is a greenlet: it runs alone until it sleeps, and the clock moves on to whoever wakes
next. What is due at one moment happens in the order in which it was arranged.

Two things make it quick. A task that sleeps while nobody else is due goes on at once, without a
switch; and a moment is a whole number of microseconds since the beginning.
"""

import heapq
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self, override

from greenlet import getcurrent, greenlet


class Timer(partial[object]):
    """What looks whether there is something to do, and does nothing if there is not."""


class Timeline:
    """What is to happen when, and the clock, which moves on only here."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self.began = start.timestamp()
        self.us = 0
        self._now = start
        self._now_is_of = 0
        self._due: list[tuple[int, int, Callable[..., object]]] = []
        self._order = 0
        self._hub = getcurrent()

    def now(self) -> datetime:
        """The moment, aware."""
        if self._now_is_of != self.us:
            self._now = self._start + timedelta(microseconds=self.us)
            self._now_is_of = self.us
        return self._now

    def seconds(self) -> float:
        """Seconds since the beginning, as a monotonic clock tells them."""
        return self.us / 1_000_000

    def at(self, us: int, do: Callable[[], object]) -> None:
        """Have something done at that moment, which may not sleep."""
        self._order += 1
        heapq.heappush(self._due, (max(us, self.us), self._order, do))

    def start(self, work: Callable[[], object], *, at: int | None = None) -> None:
        """Have `work` begin, beside whatever else is going on; it may sleep."""
        self.at(self.us if at is None else at, greenlet(work, parent=self._hub).switch)

    def next_but_timers(self) -> int:
        """When the next thing happens that is no `Timer`; 0 where nothing does."""
        return min((at for at, _, do in self._due if type(do) is not Timer), default=0)

    def sleep(self, us: int) -> None:
        """Let the others go on for so long. Only within what was `start`ed."""
        wakes_at = self.us + us
        due = self._due
        if not due or due[0][0] > wakes_at:
            self.us = wakes_at
            return
        self.at(wakes_at, getcurrent().switch)
        self._hub.switch()

    def wait(self) -> None:
        """Let the others go on until one of them wakes this task."""
        self._hub.switch()

    def wake(self, task: greenlet) -> None:
        """Have a task go on at this moment."""
        self.at(self.us, task.switch)

    def run(self, *, until: Callable[[], bool]) -> None:
        """Let time pass until `until` says so, asked after each step, or nothing is left to do."""
        due = self._due
        while due:
            at, _, do = heapq.heappop(due)
            self.us = max(self.us, at)
            do()
            if until():
                return

    def forget(self) -> None:
        """Nothing is due any more; tasks that sleep never wake."""
        self._due.clear()


class Outcome:
    """What a task in a pool came to, as a `Future` tells it."""

    __slots__ = ("error", "value")

    def __init__(self) -> None:
        self.value: Any = None
        self.error: BaseException | None = None

    def result(self) -> Any:  # noqa: ANN401 - whatever was submitted returns
        """What it returned; raises what it raised."""
        if self.error is not None:
            raise self.error
        return self.value


class Pool:
    """Stands where a pool of threads stands: so many tasks of a timeline at once."""

    def __init__(self, timeline: Timeline, most: int) -> None:
        self._timeline = timeline
        self._most = most
        self._busy = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._closing: greenlet | None = None

    def submit(self, work: Callable[..., object], *given: object) -> Outcome:
        """Have `work` done beside the others."""
        outcome = Outcome()

        def do() -> None:
            try:
                outcome.value = work(*given)
            except BaseException as error:  # noqa: BLE001 - a death too is the caller's to learn of
                outcome.error = error

        self._waiting.append(do)
        if self._busy < self._most:
            self._busy += 1
            self._timeline.start(self._serve)
        return outcome

    def _serve(self) -> None:
        while self._waiting:
            self._waiting.popleft()()
        self._busy -= 1
        if self._busy == 0 and self._closing is not None:
            self._timeline.wake(self._closing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        while self._busy:
            self._closing = getcurrent()
            self._timeline.wait()


class Turn(AbstractContextManager[None]):
    """Stands where a lock stands: whoever finds it taken waits until it is free, in order."""

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
