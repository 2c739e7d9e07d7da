"""A moment of a world, kept, so that one beginning can have many continuations.

`Snapshot.of(anchors)` keeps the state of some objects and of all they hold; `restore()` brings
those very objects back to it. Whoever holds one of them, a Flask app or a client, then holds it as
it was. What the clock, a thread or a worker's process holds is not in it.
"""

import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock, RLock
from typing import Any, override

LOCKS = {type(Lock()): Lock, type(RLock()): RLock}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the anchors at one moment."""

    anchors: Sequence[object]
    state: bytes

    @classmethod
    def of(cls, anchors: Sequence[object]) -> "Snapshot":
        """Keep the state of these objects. Nobody may be using them."""
        kept = io.BytesIO()
        _Keeper(kept, anchors).dump([vars(anchor) for anchor in anchors])
        return cls(anchors, kept.getvalue())

    def restore(self) -> None:
        """Bring the anchors back. Nobody may be using them."""
        states = _Restorer(io.BytesIO(self.state), self.anchors).load()
        for anchor, state in zip(self.anchors, states, strict=True):
            vars(anchor).clear()
            vars(anchor).update(state)


class _Keeper(pickle.Pickler):
    """Pickles what the anchors hold; an anchor itself is only named. Locks are kept as free."""

    def __init__(self, file: io.BytesIO, anchors: Sequence[object]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._places = {id(anchor): place for place, anchor in enumerate(anchors)}

    @override
    def persistent_id(self, obj: object) -> int | None:
        return self._places.get(id(obj))

    @override
    def reducer_override(self, obj: object) -> Any:
        new = LOCKS.get(type(obj))
        return NotImplemented if new is None else (new, ())


class _Restorer(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, anchors: Sequence[object]) -> None:
        super().__init__(file)
        self._anchors = anchors

    @override
    def persistent_load(self, pid: int) -> object:
        return self._anchors[pid]
