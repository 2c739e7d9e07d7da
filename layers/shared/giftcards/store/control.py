"""Whether the system runs at all, how each prong fares, and where Airtable's fields are.

A stack starts paused: with an empty journal nobody has looked yet at what it would process, and
with a restored one it does not know what happened since. The switch remembers the table it was
thrown for, so that a journal restored under another name is paused too.
"""

from dataclasses import dataclass
from datetime import datetime

from giftcards.domain.cards import ShopFacts
from giftcards.store.table import Item, Table, pack_moment, unpack_moment

CONTROL_KEY = "control"
LAYOUT_KEY = "layout"
FACTS_KEY = "facts"
PRONG_PREFIX = "prong#"


@dataclass(frozen=True, slots=True)
class Switch:
    """Whether prongs run, since when, and who threw the switch."""

    is_running: bool
    since: datetime | None
    by: str | None


@dataclass(frozen=True, slots=True)
class ProngState:
    """How a prong fares.

    `since` is when `is_failing` last changed, `told_at` when Airtable was last told. `summary` says
    what its last run came to in one line, where that is worth one.
    """

    prong: str
    is_failing: bool
    since: datetime
    last_finished: datetime | None
    last_error: str | None
    told_at: datetime | None
    summary: str | None = None


class Control:
    """The switch, the prongs' states, and the layout of the Airtable base."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def switch(self) -> Switch:
        """How the switch stands."""
        item = self._table.get(CONTROL_KEY)
        if item is None:
            return Switch(is_running=False, since=None, by=None)
        return Switch(
            is_running=item["running"] and item["table"] == self._table.name,
            since=unpack_moment(item["since"]),
            by=item["by"],
        )

    def throw_switch(self, *, run: bool, by: str, now: datetime) -> None:
        """Resume or pause."""
        self._table.put(
            {
                "key": CONTROL_KEY,
                "running": run,
                "table": self._table.name,
                "since": pack_moment(now),
                "by": by,
            }
        )

    def facts(self) -> ShopFacts | None:
        """What Shopify said of the shop when `resume` asked, or `None` before."""
        item = self._table.get(FACTS_KEY)
        if item is None:
            return None
        return ShopFacts(name=item["name"], currency=item["currency"], time_zone=item["time_zone"])

    def keep_facts(self, facts: ShopFacts) -> None:
        """Keep the shop's facts, so that a cold start can work while Shopify is away."""
        self._table.put(
            {
                "key": FACTS_KEY,
                "name": facts.name,
                "currency": facts.currency,
                "time_zone": facts.time_zone,
            }
        )

    def layout(self) -> str | None:
        """The layout of the Airtable base as `resume` found it (JSON), or `None` before."""
        item = self._table.get(LAYOUT_KEY)
        return None if item is None else str(item["json"])

    def keep_layout(self, layout: str) -> None:
        """Keep the ids of the base's tables and fields."""
        self._table.put({"key": LAYOUT_KEY, "json": layout})

    def prong(self, prong: str) -> ProngState | None:
        """How the prong fares, or `None` before its first run ended."""
        item = self._table.get(lease_key(prong))
        return None if item is None or "since" not in item else _unpack(prong, item)

    def note_run(self, state: ProngState) -> None:
        """Keep how a run ended; only the holder of the prong's lease calls this."""
        changes = {
            "failing": state.is_failing,
            "since": pack_moment(state.since),
            "last_finished": _pack_optional(state.last_finished),
            "last_error": state.last_error,
            "told_at": _pack_optional(state.told_at),
            "summary": state.summary,
        }
        self._table.update(
            lease_key(state.prong),
            "SET " + ", ".join(f"#{name} = :{name}" for name in changes),
            values=changes,
        )


def lease_key(prong: str) -> str:
    """The key of the item that holds a prong's lease and state."""
    return PRONG_PREFIX + prong


def _pack_optional(moment: datetime | None) -> str | None:
    return None if moment is None else pack_moment(moment)


def _unpack_optional(text: str | None) -> datetime | None:
    return None if text is None else unpack_moment(text)


def _unpack(prong: str, item: Item) -> ProngState:
    return ProngState(
        prong=prong,
        is_failing=item["failing"],
        since=unpack_moment(item["since"]),
        last_finished=_unpack_optional(item["last_finished"]),
        last_error=item["last_error"],
        told_at=_unpack_optional(item["told_at"]),
        summary=item.get("summary"),  # states that were kept before there was one lack it
    )
