"""A row that names no store we know cannot be answered: it waits, and the office is told once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from giftcards.flows.follow_up import FollowUp
from giftcards.store.journal import Journal, Result, RowWrite, State
from giftcards.store.table import pack_moment

NOTICE_KIND = "notice"

# How soon somebody looks after a note whose worker died before handing it over.
LOOK_AGAIN_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Stray:
    """A row without a store we know: where it is, since when, and whether it names one at all."""

    table: str
    row_id: str
    created_at: datetime
    names_a_store: bool


@dataclass(frozen=True, kw_only=True)
class Strays:
    """Tells the office of stray rows. Once its store is there, a row is served by itself."""

    journal: Journal
    follow_up: FollowUp
    clock: Callable[[], datetime]
    office_email: str

    def tell_office(self, rows: Sequence[Stray], *, while_true: Callable[[], bool]) -> None:
        """Write into each row what it lacks, and mail the office: once for each, `while_true`."""
        noted = self.journal.load_many(notice_key(row.row_id) for row in rows)
        for row in rows:
            if notice_key(row.row_id) not in noted and while_true():
                self._note(row)

    def _note(self, row: Stray) -> None:
        named = (
            "names a store that the Stores table does not know, or knows without one mail address"
            if row.names_a_store
            else "names no store"
        )
        message = (
            f"Waiting: this row {named}. Choose a store here, or complete the Stores table; "
            "the row is then served by itself. No card was charged or made."
        )
        now = self.clock()
        operation = self.journal.record(
            notice_key(row.row_id),
            kind=NOTICE_KIND,
            snapshot={"row_id": row.row_id, "row_created_at": pack_moment(row.created_at)},
            result=Result(
                outcome="STORE_UNKNOWN",
                decided_at=now,
                reason=message,
                row=RowWrite(table=row.table, record_id=row.row_id, cells={"Message": message}),
                mail_to=self.office_email,
            ),
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)


def notice_key(row_id: str) -> str:
    """The key under which it is noted that the office was told of a row without a store."""
    return f"{NOTICE_KIND}#{row_id}#store"
