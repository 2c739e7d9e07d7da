"""Every call a worker makes to the outside, counted, and deadly where a test wants it so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal

When = Literal["before", "after"]


class WorkerKilled(BaseException):
    """The worker's process is gone. Nothing of ours may catch this."""


@dataclass
class Effects:
    """Counts every call a worker makes to the outside, and kills it at the chosen ones.

    `kill_at` chooses by place, `kill_on` the next call whose name holds a word; `watch` is told of
    each call before it happens, `watch_end` after it; `watch_asked` is told what each call of AWS
    asks for, and stays when the counting begins anew. A dead worker has no effects: whatever its
    `finally` blocks still try raises again. `worker_of` says for each effect which worker's it was.
    """

    seen: list[str] = field(default_factory=list)
    worker_of: list[int] = field(default_factory=list)
    kill_at: dict[int, When] = field(default_factory=dict)
    kill_on: dict[str, When] = field(default_factory=dict)
    watch: Callable[[str], None] | None = None
    watch_end: Callable[[str], None] | None = None
    watch_asked: Callable[[str, Mapping[str, Any]], None] | None = None
    dead: bool = False
    deaths: int = 0
    workers: int = 0
    turn: Lock = field(default_factory=Lock)

    def forget(self) -> None:
        """Count anew from here, and kill nobody."""
        self.seen.clear()
        self.worker_of.clear()
        self.kill_at.clear()
        self.kill_on.clear()
        self.watch = None
        self.watch_end = None
        self.deaths = 0

    def revive(self) -> None:
        """The next worker starts."""
        self.dead = False

    def note_asked(self, name: str, parameters: Mapping[str, Any]) -> None:
        """A call such as "dynamodb GetItem" is about to ask for this."""
        if self.watch_asked is not None and not self.dead:
            self.watch_asked(name, parameters)

    def begin(self, name: str) -> int:
        """An effect is about to happen; returns its place among all of them."""
        if self.dead:
            raise WorkerKilled(name)
        with self.turn:
            place = len(self.seen)
            self.seen.append(name)
            self.worker_of.append(self.workers)
        if self.watch is not None:
            self.watch(name)
        self._kill_if_due(place, "before")
        return place

    def end(self, place: int) -> None:
        """The effect has happened."""
        if self.watch_end is not None and not self.dead:
            self.watch_end(self.seen[place])
        self._kill_if_due(place, "after")

    def _kill_if_due(self, place: int, when: When) -> None:
        name = self.seen[place]
        words = [word for word, at in self.kill_on.items() if at == when and word in name]
        for word in words:
            del self.kill_on[word]
        if words or self.kill_at.get(place) == when:
            self.dead = True
            self.deaths += 1
            raise WorkerKilled(f"{when} {name}")
