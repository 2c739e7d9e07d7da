"""Serve the stores: answer every waiting row of the redemption table, oldest first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger

from giftcards.clients.airtable import Airtable
from giftcards.domain.outcomes import RedemptionRow
from giftcards.errors import AccessRefused, GiftCardError, JournalConflict
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.redeem import Redeem, operation_key
from giftcards.flows.store_book import StoreBook
from giftcards.logs import hiding
from giftcards.store.journal import Journal, Operation, Result, RowWrite, State
from giftcards.store.table import pack_moment

NOTICE_KIND = "notice"

# A redemption alone takes up to three calls of Shopify and a handful of DynamoDB: with less time
# than that left, the row waits for the next tick rather than being cut off in the middle.
CALLS_PER_ROW = 3

# A settled row leaves the waiting list as soon as `write_airtable` has written it. One that is
# still there after this long was missed, or somebody emptied its Status: it is written again.
WRITE_AGAIN_SECONDS = 600


@dataclass(slots=True)
class Tally:
    """What one run did. `first_error` is the first thing that went wrong, if anything did."""

    answered: int = 0
    waiting: int = 0
    failed: int = 0
    first_error: Exception | None = None

    def raise_if_all_failed(self) -> None:
        """Raise what went wrong if nothing went right: then a vendor is down, and the run failed.

        One bad row among good ones is that row's matter: it stays waiting, and the log names it.
        """
        if self.first_error is not None and not self.answered:
            raise self.first_error


@dataclass(frozen=True, kw_only=True)
class ServeStores:
    """One run of the stores' prong."""

    airtable: Airtable
    stores: StoreBook
    journal: Journal
    redeem: Redeem
    follow_up: FollowUp
    logger: Logger
    clock: Callable[[], datetime]
    live_from: datetime
    office_email: str
    rows_per_run: int
    http_timeout_seconds: int

    def run(self, deadline: datetime) -> Tally:
        """Serve what waits until `deadline` nears; one row's trouble never stops the others."""
        tally = Tally()
        rows = self.airtable.waiting_redemptions(since=self.live_from, limit=self.rows_per_run)
        if not rows:
            return tally
        operations = self.journal.load_many(operation_key(row.id) for row in rows)
        reserve = timedelta(seconds=CALLS_PER_ROW * self.http_timeout_seconds)
        for place, row in enumerate(rows):
            if self.clock() + reserve >= deadline:
                tally.waiting += len(rows) - place
                break
            try:
                with hiding(row.typed_code):
                    operation = self._serve(row, operations, deadline)
            except AccessRefused:
                raise  # the next row would be refused the same way: somebody has to mend a token
            except Exception as error:  # noqa: BLE001 - the outer loop: other rows go on
                self._note_failure(tally, row, error)
            else:
                if operation is not None and operation.result is not None:
                    tally.answered += 1
                else:
                    tally.waiting += 1
        return tally

    def _serve(
        self,
        row: RedemptionRow,
        operations: Mapping[str, Operation],
        deadline: datetime,
    ) -> Operation | None:
        operation = operations.get(operation_key(row.id))
        if operation is None:
            store = self.stores.find(row.store, read=self.airtable.stores)
            if store is None:
                self._ask_office(row)
                return None
            try:
                return self.redeem.serve(row, store=store, deadline=deadline)
            except JournalConflict:
                # Another worker saw the row before it was edited: his sight counts.
                operation = self.journal.load(operation_key(row.id))
                if operation is None:
                    raise
        if operation.state is State.SETTLED:
            self._write_again(operation)
            return operation
        return self.redeem.finish(operation, deadline=deadline)

    def _write_again(self, operation: Operation) -> None:
        """A row that was answered still waits in Airtable: have it written once more."""
        now = self.clock()
        since = operation.written_again_at or operation.settled_at
        if since is None or now - since < timedelta(seconds=WRITE_AGAIN_SECONDS):
            return
        self.logger.warning("an answered row still waits in Airtable", operation=operation.key)
        self.journal.note_written_again(operation, now=now)
        self.follow_up.queues.write_operation(operation.key)

    def _ask_office(self, row: RedemptionRow) -> None:
        """A row without a store we know can't be answered: it waits; the office is told, once."""
        named = (
            "names a store that the Stores table does not know, or knows without a mail address"
            if row.store
            else "names no store"
        )
        message = (
            f"Waiting: this row {named}. Choose a store here, or complete the Stores table; "
            "the row is then served by itself. No card was charged."
        )
        now = self.clock()
        operation = self.journal.record(
            f"{NOTICE_KIND}#{row.id}#store",
            kind=NOTICE_KIND,
            snapshot={"row_id": row.id, "row_created_at": pack_moment(row.created_at)},
            result=Result(
                outcome="STORE_UNKNOWN",
                decided_at=now,
                reason=message,
                row=RowWrite(table="Redemptions", record_id=row.id, cells={"Message": message}),
                mail_to=self.office_email,
            ),
            due_at=now + timedelta(seconds=WRITE_AGAIN_SECONDS),
        )
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)

    def _note_failure(self, tally: Tally, row: RedemptionRow, error: Exception) -> None:
        tally.failed += 1
        tally.first_error = tally.first_error or error
        expected = isinstance(error, GiftCardError)
        details: dict[str, Any] = {"operation": operation_key(row.id), "reason": str(error)}
        self.logger.warning("a row could not be served now", exc_info=not expected, extra=details)
