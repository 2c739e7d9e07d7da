"""How far comparing the books has got, in the item of its lease; and what the last run found.

    prong#reconcile   the lease, and beside it
                      run      the run under way: its phase, where in it, what was counted so far
                      last     how the last run ended
                      complete_from   when the last complete run began
                      wishes   how often somebody asked for a run; all_wished: the last of those
                               wishes that asked for everything

Whoever holds the lease saves after each step, on condition that it still does. So a worker that
was taken for dead writes nothing more, and a run goes on from where it was saved last.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from giftcards.store.leases import Lease
from giftcards.store.table import Item, Table, pack_moment, unpack_moment


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """A run under way.

    `granted` is the number of the last wish that it grants. `phase` is what it is at, `cursor`
    where in it, and `step` how many steps of it are done; `has_seen` says whether any of them saw
    something, and `folded` of how many of them the numbers stand in one object. `restarts` counts
    how often the phase was begun anew, `failures` how often the step that is next has failed.
    `not_before` is when the next step may begin. `steps` are how many steps each part had that is
    over, `looked_at` what each has looked at, `found` how many differences were found in all,
    `unread` how much could not be compared, and `changed` how many balances were found to have been
    changed at Shopify since the last complete run began. `trouble` says why the run is given up, if
    it is.
    """

    id: str
    began_at: datetime
    since: datetime | None
    reads_all: bool
    granted: int
    phase: str
    cursor: str | None = None
    step: int = 0
    folded: int = 0
    has_seen: bool = False
    restarts: int = 0
    failures: int = 0
    not_before: datetime | None = None
    steps: Mapping[str, int] = field(default_factory=dict)
    looked_at: Mapping[str, int] = field(default_factory=dict)
    found: int = 0
    unread: int = 0
    changed: int = 0
    trouble: str | None = None

    def enter(self, phase: str, *, not_before: datetime | None = None) -> "RunState":
        """The same run at the beginning of another phase."""
        return replace(
            self,
            phase=phase,
            cursor=None,
            step=0,
            folded=0,
            has_seen=False,
            restarts=0,
            failures=0,
            not_before=not_before,
            steps={**self.steps, self.phase: self.step},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """How a run ended. `summary` is the line for people; `report` the report's key, if one is."""

    id: str
    began_at: datetime
    ended_at: datetime
    granted: int
    is_failed: bool
    differences: int
    summary: str
    report: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How comparing the books stands. `wishes` and `all_wished` are numbers of wishes, from 1."""

    under_way: RunState | None = None
    last: LastRun | None = None
    since: datetime | None = None
    wishes: int = 0
    all_wished: int = 0

    @property
    def is_wished(self) -> bool:
        """Whether somebody asked for a run since the last one began."""
        return self.wishes > (0 if self.last is None else self.last.granted)


class Runs:
    """Keeps how far the run under way is, in the item with this key."""

    def __init__(self, table: Table, *, key: str) -> None:
        self._table = table
        self.key = key

    def standing(self) -> Standing:
        """How it stands now."""
        return _unpack(self._table.get(self.key) or {})

    def held(self, lease: Lease) -> Standing:
        """How it stood when the lease was given: nobody else changes it meanwhile."""
        return _unpack(lease.seen)

    def wish(self, *, reads_all: bool) -> int:
        """Ask for a run; returns the wish's number, which a later run's `granted` reaches.

        Asked twice, because the reply was lost, is granted by the same run or a second one.
        """
        item = self._table.update(self.key, "ADD #wishes :one", values={"one": 1}) or {}
        number = int(item["wishes"])
        if reads_all:
            self._table.update(
                self.key,
                "SET #all_wished = :number",
                condition="attribute_not_exists(#all_wished) OR #all_wished < :number",
                values={"number": number},
            )
        return number

    def save(self, lease: Lease, state: RunState) -> bool:
        """Keep how far the run is. False where the lease was lost, and somebody else goes on."""
        return self._put(lease, "SET #run = :run", {"run": _pack_state(state)})

    def end(self, lease: Lease, last: LastRun, *, is_complete: bool) -> bool:
        """The run is over. As `save`; only what a complete run has read need not be read again."""
        change = "SET #last = :last"
        values: dict[str, Any] = {"last": _pack_last(last)}
        if is_complete:
            change += ", #complete_from = :complete_from"
            values["complete_from"] = pack_moment(last.began_at)
        return self._put(lease, f"{change} REMOVE #run", values)

    def _put(self, lease: Lease, change: str, values: dict[str, Any]) -> bool:
        """Change the item on condition that the lease is still ours."""
        item = self._table.update(
            self.key,
            change,
            condition="#lease_owner = :owner AND #lease_fence = :fence",
            values=values | {"owner": lease.owner, "fence": lease.fence},
        )
        return item is not None


def _unpack(item: Mapping[str, Any]) -> Standing:
    run, last = item.get("run"), item.get("last")
    return Standing(
        under_way=None if run is None else _unpack_state(run),
        last=None if last is None else _unpack_last(last),
        since=None if "complete_from" not in item else unpack_moment(item["complete_from"]),
        wishes=int(item.get("wishes", 0)),
        all_wished=int(item.get("all_wished", 0)),
    )


def _pack_state(state: RunState) -> Item:
    return _pack(asdict(state)) | {
        "steps": dict(state.steps),
        "looked_at": dict(state.looked_at),
    }


def _pack_last(last: LastRun) -> Item:
    return _pack(asdict(last))


def _pack(fields: Mapping[str, Any]) -> Item:
    return {
        name: pack_moment(value) if isinstance(value, datetime) else value
        for name, value in fields.items()
    }


def _unpack_state(item: Item) -> RunState:
    return RunState(
        id=item["id"],
        began_at=unpack_moment(item["began_at"]),
        since=_moment(item["since"]),
        reads_all=item["reads_all"],
        granted=int(item["granted"]),
        phase=item["phase"],
        cursor=item["cursor"],
        step=int(item["step"]),
        folded=int(item["folded"]),
        has_seen=item["has_seen"],
        restarts=int(item["restarts"]),
        failures=int(item["failures"]),
        not_before=_moment(item["not_before"]),
        steps=_counts(item["steps"]),
        looked_at=_counts(item["looked_at"]),
        found=int(item["found"]),
        unread=int(item["unread"]),
        changed=int(item.get("changed", 0)),
        trouble=item["trouble"],
    )


def _unpack_last(item: Item) -> LastRun:
    return LastRun(
        id=item["id"],
        began_at=unpack_moment(item["began_at"]),
        ended_at=unpack_moment(item["ended_at"]),
        granted=int(item["granted"]),
        is_failed=item["is_failed"],
        differences=int(item["differences"]),
        summary=item["summary"],
        report=item["report"],
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else unpack_moment(text)


def _counts(item: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(count) for name, count in item.items()}
