"""Move rows that nobody needs any more from Airtable to the bucket: a base holds so many records.

    read a page ─► who is finished? ─► note into which object ─► write it to the bucket
                                                                       │
    count what was moved ◄─ ten by ten: read again, note as archived, delete in Airtable

The journal keeps everything anyway; the bucket keeps what people wrote into the rows. A worker may
die between any two steps: the next one finds what is on its way noted (`store/archiving.py`), and
finishes that first. Somebody may have changed a row since it was written to the bucket, in a field
of his own perhaps: so ten rows are read again right before they are deleted, and one that reads
otherwise stays, and is looked at anew with its page. (So is one with a formula that reads otherwise
by then; the bucket then has it as it was and as it is.)

On the way all rows are counted, and the alarm rings before the base is full: a full base refuses
even the stores' forms.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from itertools import batched
from typing import Any

from aws_lambda_powertools import Logger

from giftcards.clients.airtable import RECORDS_A_WRITE, Airtable, BaseRow
from giftcards.clients.airtable.cells import write_cell, write_moment
from giftcards.domain.hiding import hide_codes
from giftcards.errors import PlaceLost
from giftcards.flows.finished import ARCHIVED_TABLES, Finished
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import ARCHIVE, archive_key
from giftcards.flows.receipt_row import FIELDS as RECEIPT_FIELDS
from giftcards.flows.reconcile.phase import Run, Step
from giftcards.flows.write_airtable import GIFT_CARDS, RECEIPTS, STATUS
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.archiving import Archiving, ArchivingStates, Batch
from giftcards.store.bucket import Bucket
from giftcards.store.journal import Journal, Result, State
from giftcards.store.records import Records

# The order in which tables are read; the last three are only counted. The newest receipts are those
# of archiving itself, which come after all.
COUNTED_TABLES = ("Stores", GIFT_CARDS, STATUS)
TABLES = (*ARCHIVED_TABLES, *COUNTED_TABLES)

# Where the cursor stands when all tables are read.
THE_END = "the end"

# The alarm rings when so much of what the plan allows is used: months before a base is full.
ALARM_PERCENT = 80

# A mail address may look like a code, and is none.
ADDRESSES = frozenset({"Email", "Recipient Email", "Purchaser Email"})

# How the comparison calls its part that has counted the rows of cards before.
ROWS_OF_CARDS = "rows of cards"

# Enough of a digest to tell the objects of one run apart.
DIGEST_BYTES = 8

ARCHIVED = "ARCHIVED"

# Who does it, as receipts say.
ACTOR = "the nightly comparison"

# How soon somebody looks after a receipt whose worker died before handing it over.
LOOK_AGAIN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Archive:
    """The last part of comparing the books. `keep_days` 0 keeps everything, and only counts.

    Where the run was given up, it only counts as well: no row goes while the books are in doubt.

    `records_allowed` is how many records the base may hold by its plan; `note_base_fills` rings the
    alarm.
    """

    airtable: Airtable
    bucket: Bucket
    states: ArchivingStates
    finished: Finished
    records: Records
    journal: Journal
    follow_up: FollowUp
    logger: Logger
    clock: Callable[[], datetime]
    keep_days: int
    records_allowed: int
    note_base_fills: Callable[[], None]

    @property
    def name(self) -> str:
        """See `Part`."""
        return "archive"

    def step(self, run: Run, cursor: str | None) -> Step:
        """One page of one table; at last what all came to. See `Part`.

        What a worker left on its way is finished first, in a step of its own: a batch of a page
        takes most of the time that a step has.
        """
        state = self.states.load() or Archiving(run=run.id)
        if state.batch is not None:
            self._finish_batch(state)
            return Step(next=cursor or _next_table(()))
        if state.run != run.id:
            # What a run moved that was given up before it could tell, this one tells.
            state = Archiving(run=run.id, moved=state.moved)
        if cursor == THE_END:
            return self._tell(run, state)
        table, _, offset = (cursor or _next_table(state.over)).partition("|")
        if table == THE_END or table in state.over:
            return Step(next=_next_table(state.over))
        cards = run.looked_at.get(ROWS_OF_CARDS) if table == GIFT_CARDS else None
        if run.trouble is not None:
            cards = None  # they may have been counted in part
        if cards is not None or not self.airtable.has_table(table):
            return self._over(replace(state, rows={**state.rows, table: cards or 0}), table)
        return self._read(run, state, table, offset)

    def _read(self, run: Run, state: Archiving, table: str, offset: str) -> Step:
        """Read a page of a table, and move what is over."""
        try:
            page = self.airtable.page(table, None, offset=offset or None)
        except PlaceLost:
            return self._begin_anew(state, table)
        state = self._move(run, _counted(state, table, offset, len(page.rows)), table, page.rows)
        if page.next is None:
            return self._over(state, table, looked_at=len(page.rows))
        self.states.keep(state)
        return Step(next=f"{table}|{page.next}", looked_at=len(page.rows))

    def _move(self, run: Run, state: Archiving, table: str, rows: Sequence[BaseRow]) -> Archiving:
        """Move what is over of a page's rows."""
        if table not in ARCHIVED_TABLES or not self.keep_days or run.trouble is not None:
            return state
        until = run.began_at - timedelta(days=self.keep_days)
        over = self.finished.of(table, rows, before=until)
        if not over:
            return state
        return self._finish_batch(self._note_batch(run, state, table, over))

    def _begin_anew(self, state: Archiving, table: str) -> Step:
        """Read a table from its top again, as long as there is less of it than the last time.

        Where nothing was moved since, the comparison counts how often it begins anew.
        """
        moved = state.moved.get(table, 0)
        if moved <= state.lost_at.get(table, 0):
            raise PlaceLost(f"Airtable lost its place in “{table}” before anything was archived")
        self.states.keep(replace(state, lost_at={**state.lost_at, table: moved}))
        return Step(next=f"{table}|")

    def _over(self, state: Archiving, table: str, *, looked_at: int = 0) -> Step:
        """A table is read to its end, or need not be read."""
        state = replace(state, over=(*state.over, table))
        self.states.keep(state)
        return Step(next=_next_table(state.over), looked_at=looked_at)

    # ------------------------------------------------------------------------------- one batch

    def _note_batch(
        self, run: Run, state: Archiving, table: str, rows: Mapping[str, BaseRow]
    ) -> Archiving:
        """Note where these rows go, and write them there; nothing is deleted yet.

        The object's name follows from what it holds: what was written before is never overwritten
        with anything else.
        """
        body = "".join(f"{line_of(table, name, row)}\n" for name, row in rows.items()).encode()
        digest = blake2b(body, digest_size=DIGEST_BYTES).hexdigest()
        year = min(row.created_at for row in rows.values()).year
        where = f"archive/{_slug(table)}/{year}/{run.id}-{digest}.jsonl"
        state = replace(state, batch=Batch(table, where))
        self.states.keep(state)
        self.bucket.put(where, body, content_type="application/jsonl")
        return state

    def _finish_batch(self, state: Archiving) -> Archiving:
        """Delete in Airtable what stands in the bucket, and count it; or forget an empty plan."""
        batch = state.batch
        if batch is None:
            return state
        body = self.bucket.get(batch.where)
        lines = [] if body is None else body.decode().removesuffix("\n").split("\n")
        count = sum(
            self._delete(batch, {line["id"]: line for line in map(json.loads, some)})
            for some in batched(lines, RECORDS_A_WRITE, strict=False)
        )
        moved = {**state.moved, batch.table: state.moved.get(batch.table, 0) + count}
        left = {**state.rows, batch.table: max(0, state.rows.get(batch.table, 0) - count)}
        state = replace(state, batch=None, moved=moved, rows=left)
        self.states.keep(state)
        return state

    def _delete(self, batch: Batch, archived: Mapping[str, Mapping[str, Any]]) -> int:
        """Delete these rows, unless they read otherwise by now; return how many were archived.

        What somebody writes between the reading and the deleting is lost: Airtable cannot be asked
        to delete a row only as long as it has not changed. So it is as many as one call deletes.
        """
        read = dict[str, BaseRow]()
        if self.airtable.has_table(batch.table):  # somebody may have deleted it meanwhile
            read = self.airtable.rows_by_id(batch.table, archived)
        changed = {
            record_id
            for record_id, row in read.items()
            if json.loads(line_of(batch.table, "", row))["cells"] != archived[record_id]["cells"]
        }
        moved = [one for one in archived.values() if one["id"] not in changed]
        for one in moved:
            self.records.note_archived(
                batch.table, one["name"], record_id=one["id"], where=batch.where
            )
        self.airtable.delete(batch.table, [one["id"] for one in moved if one["id"] in read])
        for record_id in changed:  # a worker that died may have noted it
            self.records.forget_archived(
                batch.table, archived[record_id]["name"], record_id=record_id
            )
        if changed:
            self.logger.info(
                "rows were changed while they were archived, and stay",
                extra={"table": batch.table, "rows": sorted(changed)},
            )
        return len(moved)

    # ---------------------------------------------------------------------------- what it came to

    def _tell(self, run: Run, state: Archiving) -> Step:
        """A receipt for each table that rows were moved from, and whether the base fills."""
        notes = [self._receipt(run, table, count) for table, count in _moved(state)]
        held = sum(state.rows.values())
        notes.append(f"The Airtable base holds {held:,} of {self.records_allowed:,} records.")
        if held * 100 >= self.records_allowed * ALARM_PERCENT:
            self.note_base_fills()
            notes.append(
                f"That is {ALARM_PERCENT} % or more. A full base refuses the stores' forms: set"
                " KeepDays lower, or upgrade the plan."
            )
        self.states.keep(replace(state, moved={}))
        return Step(next=None, notes=tuple(notes))

    def _receipt(self, run: Run, table: str, count: int) -> str:
        """Record that so many rows of a table were moved; return it in words."""
        key = archive_key(_slug(table), run.id)
        now = self.clock()
        says = f"{count:,} {'row' if count == 1 else 'rows'} of {table} moved to the archive."
        receipt = Receipt(
            id=f"{key}#1",
            at=now,
            action=Action.ARCHIVE,
            actor=ACTOR,
            card=None,
            amount=None,
            balance_after=None,
            outcome=ReceiptOutcome.DONE,
            operation=key,
            details=f"{ARCHIVED}: {says}",
        )
        recorded = self.journal.record(
            key,
            kind=ARCHIVE,
            snapshot={"table": table, "run": run.id, "rows": count},
            result=Result(outcome=ARCHIVED, decided_at=now, receipts=(receipt,)),
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )
        if recorded.state is State.COMMITTED:
            self.follow_up.hand_over(recorded)
        return says


def line_of(table: str, name: str, row: BaseRow) -> str:
    """A row as it stands in the archive: one line of JSON, all its cells by our names for them.

    Codes are masked in the row already; what looks like one in a cell that people typed is masked
    here. A receipt is only archived where it reads as the journal has it.
    """
    cells = {
        field: cell if _is_harmless(table, field, cell) else _without_codes(cell)
        for field, cell in row.cells.items()
    }
    line = {"id": row.id, "name": name, "created": write_moment(row.created_at), "cells": cells}
    return json.dumps(line, default=_number, ensure_ascii=False, sort_keys=True)


def _is_harmless(table: str, field: str, cell: object) -> bool:
    """Whether a cell is left as it is: a mail address, or what reads as the journal has it."""
    if table == RECEIPTS:
        return field in RECEIPT_FIELDS
    return field in ADDRESSES and "@" in str(cell)


def _number(value: object) -> object:
    """A number of Airtable's, as JSON has it."""
    if not isinstance(value, Decimal):
        raise TypeError(f"a row holds no {type(value).__name__}")
    return write_cell(value)


def _without_codes(cell: object) -> object:
    match cell:
        case str():
            return hide_codes(cell)
        case list():
            return [_without_codes(one) for one in cell]
        case dict():
            return {name: _without_codes(one) for name, one in cell.items()}
        case _:
            return cell


def _slug(table: str) -> str:
    """A table's name as a part of a key: those hold no blanks."""
    return table.lower().replace(" ", "-")


def _counted(state: Archiving, table: str, offset: str, count: int) -> Archiving:
    """The page at `offset` is counted, once; the first one begins the table's count anew."""
    place = f"{table}|{offset}"
    if offset and state.counted == place:
        return state
    before = state.rows.get(table, 0) if offset else 0
    return replace(state, counted=place, rows={**state.rows, table: before + count})


def _next_table(over: Iterable[str]) -> str:
    """The cursor at the beginning of the next table."""
    left = [table for table in TABLES if table not in set(over)]
    return f"{left[0]}|" if left else THE_END


def _moved(state: Archiving) -> list[tuple[str, int]]:
    return [(table, count) for table in TABLES if (count := state.moved.get(table, 0))]
