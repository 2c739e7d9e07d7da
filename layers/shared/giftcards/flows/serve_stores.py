"""Serve the stores: answer every waiting row of the redemption table, oldest first."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from aws_lambda_powertools import Logger

from giftcards.clients.airtable import Airtable
from giftcards.domain.codes import Code, clean
from giftcards.domain.hiding import hide_codes
from giftcards.domain.money import MoneyError, read_amount
from giftcards.domain.outcomes import RedemptionRow, Store
from giftcards.errors import (
    AccessRefused,
    GiftCardError,
    JournalConflict,
    VendorSurprise,
)
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.park import Park
from giftcards.flows.redeem import LONGEST_NAME, Asked, Redeem, held_key, operation_key
from giftcards.flows.store_book import StoreBook
from giftcards.flows.strays import Stray, Strays
from giftcards.flows.tally import Tally
from giftcards.flows.write_again import write_again
from giftcards.logs import hiding
from giftcards.store.attempts import NEVER_BEGUN, Attempts, RowAttempts
from giftcards.store.journal import Journal, Operation, Result, State
from giftcards.store.table import pack_moment, pack_money

INTERIM_KIND = "interim"

# With less time left than one call of a vendor may take, a row waits for the next tick. (Being cut
# off in the middle would harm nobody, and no debit is sent that late: `redeem` looks at the clock.)
CALLS_TO_HAVE_TIME_FOR = 1

# How soon somebody looks after a note whose worker died before handing it over.
LOOK_AGAIN_SECONDS = 15

# So many cards are served side by side: a hundred, at two calls of Shopify each and half a second a
# call, take ten seconds, which is less than a tick.
WORKERS = 10

# A row that killed its worker this often is served last, and this often not at all any more.
DEATHS_TO_GO_LAST = 3
DEATHS_TO_BE_PARKED = 6

# A store is told within half a minute that nobody knows its answer yet. The next look is a tick of
# 15 s away and takes some seconds to reach a row, so what is older than this is told now.
TELL_AFTER_SECONDS = 10

# A "please wait" that was handed over and not sent within the first of these was probably taken by
# a mailer that died. SQS gives it back after minutes only, so it is handed over again. No longer
# than the second: from then on it is SES that refuses, and each tick would add a message.
MAILER_IS_DEAD_SECONDS = 25
SES_REFUSES_SECONDS = 60

# How it went with a row: answered; put off until the next look; sent, and nobody knows what became
# of it; or waiting for a person, which the store has been told.
Served = Literal["answered", "delayed", "unknown", "waiting"]


@dataclass(frozen=True, slots=True)
class Sight:
    """The waiting rows, sorted by what can be done for them, each kind in their order.

    `operations` are the redemptions that exist, by key. `shown_late` were answered or held, and
    Airtable does not show it yet.
    """

    operations: Mapping[str, Operation]
    attempts: Mapping[str, RowAttempts]
    to_serve: Sequence[RedemptionRow]
    to_park: Sequence[RedemptionRow]
    strays: Sequence[Stray]
    shown_late: Sequence[Operation]

    def operation(self, row: RedemptionRow) -> Operation | None:
        """The row's redemption, if there is one."""
        return self.operations.get(operation_key(row.id))

    def unended(self, row: RedemptionRow) -> int:
        """How many workers died of the row, or beside it."""
        return self.attempts.get(row.id, NEVER_BEGUN).unended


@dataclass(frozen=True, kw_only=True)
class ServeStores:
    """One run of the stores' prong; `threads` makes what serves so many lines side by side."""

    airtable: Airtable
    stores: StoreBook
    strays: Strays
    journal: Journal
    attempts: Attempts
    park: Park
    redeem: Redeem
    follow_up: FollowUp
    logger: Logger
    clock: Callable[[], datetime]
    live_from: datetime
    rows_per_run: int
    http_timeout_seconds: int
    threads: Callable[[int], Executor]

    def run(self, deadline: datetime) -> Tally:
        """Serve what waits until `deadline` nears; one row's trouble never stops the others.

        Redemptions of one card run one after the other, of different cards side by side. Every
        thread has ended when this returns: one that Lambda froze would go on in another run.
        """
        tally = Tally()
        listed = self.airtable.waiting_redemptions(
            since=self.live_from, can_serve=lambda read: bool(self._look_over(read).to_serve)
        )
        if not listed:
            return tally
        sight = self._look_over(listed)
        rows = sight.to_serve[: self.rows_per_run]
        left = sight.to_serve[self.rows_per_run :]
        tally.waiting += len(listed) - len(rows) - len(sight.shown_late)
        healthy = [row for row in rows if sight.unended(row) < DEATHS_TO_GO_LAST]
        deadly = [row for row in rows if sight.unended(row) >= DEATHS_TO_GO_LAST]
        with self.threads(WORKERS) as pool:
            futures = [
                pool.submit(self._serve_line, line, sight, deadline) for line in _lines(healthy)
            ]
        for future in futures:
            tally.add(future.result())
        for row in deadly:  # each alone and after all others, so that it takes nobody with it
            tally.add(self._serve_line([row], sight, deadline))
        self._see_to_the_others(tally, sight, left, deadline)
        return tally

    def _look_over(self, listed: Sequence[RedemptionRow]) -> Sight:
        """Sort the rows: what is answered, or waits for the office, stands in nobody's way."""
        operations = self.journal.load_many(operation_key(row.id) for row in listed)
        held = self.journal.load_many(held_key(row.id) for row in listed if not row.is_approved)
        attempts = self.attempts.of(row.id for row in listed)
        to_serve, to_park, strays, shown_late = [], [], [], []
        for row in listed:
            operation = operations.get(operation_key(row.id))
            hold = held.get(held_key(row.id))
            known = attempts.get(row.id, NEVER_BEGUN)
            may_be_held = operation is None or operation.state is State.HELD
            if operation is not None and operation.state is State.SETTLED:
                shown_late.append(operation)
            elif hold is not None and hold.state is State.SETTLED and may_be_held:
                shown_late.append(hold)
            elif operation is not None and operation.state is State.PARKED:
                continue
            elif operation is None and self._store_of(row) is None:
                strays.append(Stray("Redemptions", row.id, row.created_at, bool(row.store)))
            elif known.unended < DEATHS_TO_BE_PARKED:
                to_serve.append(row)
            elif not known.is_parked:
                to_park.append(row)
        return Sight(operations, attempts, to_serve, to_park, strays, shown_late)

    def _see_to_the_others(
        self, tally: Tally, sight: Sight, left: Sequence[RedemptionRow], deadline: datetime
    ) -> None:
        """What is owed to rows that were not served: after all that were, while there is time."""
        for row in sight.to_park:
            self._tell_to_wait(tally, row, sight.operation(row))
            self.park.park_row(row.id)
        for row in left:
            if self._has_time(deadline):
                self._tell_if_late(tally, row, sight.operation(row))
        for operation in sight.shown_late:
            if self._has_time(deadline):
                write_again(
                    operation,
                    journal=self.journal,
                    queues=self.follow_up.queues,
                    logger=self.logger,
                    now=self.clock(),
                )
        self.strays.tell_office(sight.strays, while_true=lambda: self._has_time(deadline))

    def _has_time(self, deadline: datetime) -> bool:
        reserve = timedelta(seconds=CALLS_TO_HAVE_TIME_FOR * self.http_timeout_seconds)
        return self.clock() + reserve < deadline

    def _store_of(self, row: RedemptionRow) -> Store | None:
        return self.stores.find(row.store, read=self.airtable.stores)

    def _serve_line(self, line: Sequence[RedemptionRow], sight: Sight, deadline: datetime) -> Tally:
        """Serve rows that name one code, in their order."""
        tally = Tally()
        for place, row in enumerate(line):
            operation = sight.operation(row)
            if not self._has_time(deadline):
                tally.waiting += 1
                self._tell_to_wait(tally, row, operation)
                continue
            if sight.unended(row):  # a worker died: this one may, too, and nobody would be told
                self._tell_to_wait(tally, row, operation)
            try:
                with hiding(row.typed_code):
                    served = self._serve(row, operation, deadline)
            except AccessRefused:
                for unserved in line[place:]:
                    self._tell_to_wait(tally, unserved, sight.operation(unserved))
                raise  # the next row would be refused the same way: somebody has to mend a token
            except Exception as error:  # noqa: BLE001 - the outer loop: other rows go on
                self._note_failure(tally, row, error)
                self._tell_to_wait(tally, row, operation)
            else:
                tally.answered += served == "answered"
                tally.waiting += served != "answered"
                if served == "unknown":
                    tally.unknown += 1
                    self._tell_to_wait(tally, row, operation)
                elif served == "delayed":
                    self._tell_if_late(tally, row, operation)
        return tally

    def _serve(self, row: RedemptionRow, operation: Operation | None, deadline: datetime) -> Served:
        with self.attempts.counted(row.id):
            operation = self._go_on(row, operation, deadline)
        if operation is None or operation.state is State.CLAIMED:
            return "delayed"
        if operation.result is not None:
            return "answered"
        return "unknown" if operation.state is State.SENT else "waiting"

    def _go_on(
        self, row: RedemptionRow, operation: Operation | None, deadline: datetime
    ) -> Operation | None:
        if operation is None:
            store = self._store_of(row)
            if store is None:
                return None  # the store was taken out of the book a moment ago
            return self._begin(row, store, deadline)
        if operation.state is State.HELD and row.is_approved:
            return self.redeem.release(operation, deadline=deadline)
        return self._finish(operation, deadline)

    def _begin(self, row: RedemptionRow, store: Store, deadline: datetime) -> Operation | None:
        try:
            return self.redeem.serve(row, store=store, deadline=deadline)
        except JournalConflict:
            # Another worker saw the row before it was edited: his sight counts.
            operation = self.journal.load(operation_key(row.id))
            if operation is None:
                raise
            return self.redeem.finish(operation, deadline=deadline)

    def _finish(self, operation: Operation, deadline: datetime) -> Operation:
        try:
            return self.redeem.finish(operation, deadline=deadline)
        except VendorSurprise as error:
            self.park.count_failure(operation, error)
            raise

    def _tell_if_late(self, tally: Tally, row: RedemptionRow, operation: Operation | None) -> None:
        """The row has to wait for the next look: the store is told, unless that comes in time."""
        is_open = operation is None or operation.state in {State.CLAIMED, State.SENT}
        if is_open and self.clock() - row.created_at >= timedelta(seconds=TELL_AFTER_SECONDS):
            self._tell_to_wait(tally, row, operation)

    def _tell_to_wait(self, tally: Tally, row: RedemptionRow, operation: Operation | None) -> None:
        """Nobody knows yet: the store is told so, once; the final answer follows.

        Where that fails too (AWS is away, say), the next look tells it: the other rows go on.
        """
        try:
            self._note_and_tell(row, operation)
        except Exception as error:  # noqa: BLE001 - it stands beside the outer loop, and in its `except`
            tally.first_error = tally.first_error or error
            self._log_failure("a store could not be told to wait", row, error)

    def _note_and_tell(self, row: RedemptionRow, operation: Operation | None) -> None:
        if operation is not None:
            store: Store | None = Asked.unpack(operation.snapshot).store
        else:
            store = self.stores.remembered(row.store)
        if store is None:
            return  # the base could not be read: who asked is not known yet
        now = self.clock()
        try:
            # The first note stands: the row may have been edited since.
            interim = self.journal.load(interim_key(row.id)) or self._note_interim(row, store, now)
        except JournalConflict:
            return  # another worker told it at this moment, and the row was edited in between
        if interim.state is State.COMMITTED:
            self.follow_up.hand_over(interim)
        elif interim.answered_at is None and interim.settled_at is not None:
            under_way = (now - interim.settled_at).total_seconds()
            if MAILER_IS_DEAD_SECONDS <= under_way < SES_REFUSES_SECONDS:
                self.follow_up.queues.answer_store(interim.key)

    def _note_interim(self, row: RedemptionRow, store: Store, now: datetime) -> Operation:
        """Note that the store is asked to wait, and which of its forms that is about."""
        code = clean(row.typed_code)
        amount = None
        with suppress(MoneyError):  # its answer will say that the amount cannot be read
            amount = read_amount(row.typed_amount, currency=self.redeem.facts.currency)
        return self.journal.record(
            interim_key(row.id),
            kind=INTERIM_KIND,
            snapshot={
                "row_id": row.id,
                "row_created_at": pack_moment(row.created_at),
                "store": {"id": store.id, "name": store.name, "email": store.email},
                "employee": hide_codes(row.employee[:LONGEST_NAME], known=[row.typed_code]),
                "last4": code.last4 if isinstance(code, Code) else None,
                "amount": pack_money(amount),
                "time_zone": self.redeem.facts.time_zone,
            },
            result=Result(outcome="NOT_CONFIRMED_YET", decided_at=now, mail_to=store.email),
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )

    def _note_failure(self, tally: Tally, row: RedemptionRow, error: Exception) -> None:
        tally.note_failure(error)
        self._log_failure("a row could not be served now", row, error)

    def _log_failure(self, what: str, row: RedemptionRow, error: Exception) -> None:
        expected = isinstance(error, GiftCardError)
        details: dict[str, Any] = {"operation": operation_key(row.id), "reason": str(error)}
        self.logger.warning(what, exc_info=not expected, extra=details)


def interim_key(row_id: str) -> str:
    """The key under which it is noted that a store was asked to wait."""
    return f"{INTERIM_KIND}#{row_id}"


def _lines(rows: Sequence[RedemptionRow]) -> list[list[RedemptionRow]]:
    """The rows in lines: those that name one code stand in one, in their order."""
    lines: dict[str, list[RedemptionRow]] = {}
    for row in rows:
        code = clean(row.typed_code)
        name = code.value if isinstance(code, Code) else row.id
        lines.setdefault(name, []).append(row)
    return list(lines.values())
