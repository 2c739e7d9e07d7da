"""An Airtable base in memory: tables, typed cells, and what the real one refuses, without HTTP.

    base = Base()
    build_standard_base(base)
    row = base.table("Stores").create({"Name": "Main Street", "Email": "main@shop.test"})

Everything under one base happens under one lock, one thing after the other. `version` grows with
each change, so that a page can ask whether anything is new.
"""

import random
import string
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sandbox.airtable import errors
from sandbox.airtable.fields import Json
from sandbox.airtable.table import RecordJson, Table
from sandbox.faults import Faults

# Airtable's limits: requests a second to one base, and how long it sulks after one too many.
REQUESTS_A_SECOND = 5
PENALTY_SECONDS = 30

# Airtable promises a list's offset for a while only ("client inactivity"); five minutes is ours.
ITERATOR_SECONDS = 300

# Records a base holds on the Team plan, all tables together.
RECORDS_LIMIT = 50_000

ID_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class _Iterator:
    table_id: str
    record_ids: list[str]
    last_used: datetime


class Base:
    """One base. All methods may be called from several threads.

    `requests_a_second` counts only what comes in by the API (`admit`); `None` means no limit, for
    tests whose clock stands still. `calls_a_month` works likewise.
    `chance` makes the ids; a seeded one makes them repeatable. `refused_as_too_fast` counts the
    requests that the limit or its penalty turned away.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] | None = None,
        token: str = "patSandbox.token",  # noqa: S107 - opens a sandbox, nothing else
        base_id: str = "appSandboxBase001",
        requests_a_second: int | None = REQUESTS_A_SECOND,
        calls_a_month: int | None = None,
        records_limit: int = RECORDS_LIMIT,
        chance: random.Random | None = None,
    ) -> None:
        self.id = base_id
        self.token = token
        self.faults = Faults()
        self.is_down = False
        self.clock = clock or (lambda: datetime.now(UTC))
        self.lock = threading.RLock()
        self.version = 0
        self.refused_as_too_fast = 0
        self._requests_a_second = requests_a_second
        self.calls_left = calls_a_month
        self.records_limit = records_limit
        self._chance = chance or random.SystemRandom()
        self._tables: dict[str, Table] = {}
        self._recent: list[datetime] = []
        self._penalty_until: datetime | None = None
        self._iterators: dict[str, _Iterator] = {}
        self._late: list[tuple[datetime, Callable[[], object]]] = []

    # What people and the Metadata API do with the base as a whole.

    def tables(self) -> list[Table]:
        """The tables, oldest first."""
        with self.lock:
            return list(self._tables.values())

    def table(self, name_or_id: str) -> Table:
        """A table by its name or id; raises `AirtableError` (model not found) otherwise."""
        with self.lock:
            if name_or_id in self._tables:
                return self._tables[name_or_id]
            for table in self._tables.values():
                if name_or_id == table.name:
                    return table
        raise errors.model_not_found()

    def create_table(
        self, name: str, fields: Sequence[Mapping[str, Json]], description: str | None = None
    ) -> Table:
        """Make a table with these fields (`{"name", "type", "options"}`), the first its primary.

        Raises `AirtableError` for a name that is taken, no field, or one the API cannot create.
        """
        with self.lock:
            if any(table.name.casefold() == name.casefold() for table in self._tables.values()):
                raise errors.AirtableError(
                    422, "DUPLICATE_TABLE_NAME", f"Duplicate table name: {name}"
                )
            if not name or not fields:
                raise errors.invalid_request()
            table = Table(self, self.new_id("tbl"), name, description)
            for one in fields:
                table.create_field(one)
            self._tables[table.id] = table
            self.changed()
            return table

    def delete_table(self, name_or_id: str) -> None:
        """Throw a table away with all its records, as a person can."""
        with self.lock:
            del self._tables[self.table(name_or_id).id]
            self.changed()

    def submit_form(self, table: str, typed: Mapping[str, Json]) -> RecordJson:
        """A person sends a form: one new record, each time anew, however often it was sent before.

        Raises `AirtableError` if the base is full or a value does not fit.
        """
        return self.table(table).create(typed)

    def count_records(self) -> int:
        """How many records all tables hold together."""
        with self.lock:
            return sum(len(table.record_ids()) for table in self._tables.values())

    # What the API goes through on its way in.

    def admit(self, *, counts_as_call: bool = True) -> None:
        """Let one API request in, or raise what Airtable answers instead: 503 or 429."""
        with self.lock:
            self._apply_what_is_late()
            if self.is_down:
                raise errors.service_unavailable()
            now = self.clock()
            if self._penalty_until is not None and now < self._penalty_until:
                self.refused_as_too_fast += 1
                raise errors.rate_limit_reached()
            self._recent = [at for at in self._recent if now - at < timedelta(seconds=1)]
            if self._requests_a_second is not None and len(self._recent) >= self._requests_a_second:
                self.refused_as_too_fast += 1
                self.punish()
                raise errors.rate_limit_reached()
            self._recent.append(now)
            if counts_as_call and self.calls_left is not None:
                if self.calls_left == 0:
                    raise errors.monthly_calls_used_up()
                self.calls_left -= 1

    def punish(self) -> None:
        """Begin the penalty: for thirty seconds every request is answered 429."""
        with self.lock:
            self._penalty_until = self.clock() + timedelta(seconds=PENALTY_SECONDS)

    def apply_later(self, seconds: float, change: Callable[[], object]) -> None:
        """Have `change` happen once the clock has gone on so far and somebody looks again."""
        with self.lock:
            self._late.append((self.clock() + timedelta(seconds=seconds), change))

    def settle(self) -> None:
        """Apply what is due by now (see `apply_later`)."""
        with self.lock:
            self._apply_what_is_late()

    def forget_offsets(self) -> None:
        """Make every list begun so far start again, as a restart at Airtable does."""
        with self.lock:
            self._iterators.clear()

    def _apply_what_is_late(self) -> None:
        now = self.clock()
        due = [change for at, change in self._late if at <= now]
        self._late = [(at, change) for at, change in self._late if at > now]
        for change in due:
            change()

    # For the tables of this base.

    def changed(self) -> None:
        """Note that something is different now."""
        self.version += 1

    def new_id(self, prefix: str) -> str:
        """A fresh id: `rec` and fourteen letters or digits."""
        return prefix + "".join(self._chance.choices(ID_ALPHABET, k=14))

    def check_room(self, more: int) -> None:
        """Raise `AirtableError` where the base cannot hold `more` records."""
        if self.count_records() + more > self.records_limit:
            raise errors.base_is_full(self.records_limit)

    def table_of(self, record_id: str) -> Table | None:
        """The table in which a record is, if it is anywhere."""
        return next((t for t in self._tables.values() if record_id in t.record_ids()), None)

    def unlink(self, record_id: str) -> None:
        """Take a deleted record out of every link to it, as Airtable does."""
        for table in self._tables.values():
            table.forget_link(record_id)

    def begin_list(self, table_id: str, record_ids: list[str]) -> str:
        """Remember the rest of a list; return what its offset begins with."""
        iterator_id = self.new_id("itr")
        self._iterators[iterator_id] = _Iterator(table_id, record_ids, self.clock())
        return iterator_id

    def continue_list(self, table_id: str, offset: str) -> list[str]:
        """The rest of a list begun before; raises `AirtableError` if it is too old or unknown."""
        iterator_id, _, next_id = offset.partition("/")
        iterator = self._iterators.pop(iterator_id, None)
        oldest = self.clock() - timedelta(seconds=ITERATOR_SECONDS)
        if iterator is None or iterator.table_id != table_id or iterator.last_used < oldest:
            raise errors.iterator_not_available()
        if iterator.record_ids[0] != next_id:
            raise errors.iterator_not_available()
        return iterator.record_ids
