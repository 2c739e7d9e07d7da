"""Serve the stores' sales: take every waiting creation request, and what the office has sent again.

The second thing a run of the stores' prong does: redemptions come first, and what is taken here is
only noted and handed on. Making cards is the work of `issue_cards`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aws_lambda_powertools import Logger

from giftcards.clients.airtable import Airtable
from giftcards.domain.creation import CreationRow
from giftcards.errors import GiftCardError
from giftcards.flows.park import Park
from giftcards.flows.resend import Resend
from giftcards.flows.sale import HELD_SALE_KIND, sale_key
from giftcards.flows.sell import Sell
from giftcards.flows.store_book import StoreBook
from giftcards.flows.strays import Stray, Strays
from giftcards.flows.tally import Tally
from giftcards.flows.write_again import write_again
from giftcards.store.attempts import NEVER_BEGUN, Attempts
from giftcards.store.journal import Journal, Operation
from giftcards.store.queues import Queues
from giftcards.store.table import is_away

# So many requests are taken in one run: about a second of work, so that the next redemption, which
# waits for this run to end, hardly waits.
REQUESTS_A_RUN = 20

# A row that killed its worker so often is left to a person: each death keeps the stores' prong from
# its next run until its lease is over.
DEATHS_TO_BE_PARKED = 3


@dataclass(frozen=True, kw_only=True)
class ServeSales:
    """One look at what stores want to sell."""

    airtable: Airtable
    stores: StoreBook
    journal: Journal
    attempts: Attempts
    park: Park
    sell: Sell
    resend: Resend
    strays: Strays
    queues: Queues
    logger: Logger
    clock: Callable[[], datetime]
    live_from: datetime

    def run(self, deadline: datetime) -> Tally:
        """Take what waits; one row's trouble never stops the others."""
        tally = Tally()
        listed = self.airtable.waiting_creations(since=self.live_from)
        operations = self.journal.load_many(sale_key(row.id) for row in listed)
        for row in self._rows_to_take(listed, operations, tally, deadline):
            if self.clock() >= deadline:
                tally.waiting += 1
                continue
            self._take(row, tally)
        self._send_again(tally)
        return tally

    def _send_again(self, tally: Tally) -> None:
        """What the office ticked. Trouble with that keeps no store from selling."""
        try:
            self.resend.run()
        except Exception as error:
            if not isinstance(error, GiftCardError) and not is_away(error):
                raise
            tally.note_failure(error)
            self.logger.warning("cards cannot be sent again now", extra={"reason": str(error)})

    def _rows_to_take(
        self,
        listed: Sequence[CreationRow],
        operations: Mapping[str, Operation],
        tally: Tally,
        deadline: datetime,
    ) -> list[CreationRow]:
        """The rows that nobody has taken yet, oldest first, at most `REQUESTS_A_RUN`."""
        rows, strays = [], []
        for row in listed:
            operation = operations.get(sale_key(row.id))
            if operation is not None:
                self._write_again(operation)
            elif self.stores.find(row.store, read=self.airtable.stores) is None:
                strays.append(Stray("Creation Requests", row.id, row.created_at, bool(row.store)))
            else:
                rows.append(row)
        self.strays.tell_office(strays, while_true=lambda: self.clock() < deadline)
        attempts = self.attempts.of(row.id for row in rows)
        healthy = []
        for row in rows:
            known = attempts.get(row.id, NEVER_BEGUN)
            if known.unended < DEATHS_TO_BE_PARKED:
                healthy.append(row)
            elif not known.is_parked:
                self.park.park_row(row.id)
        tally.waiting += len(rows) - len(healthy[:REQUESTS_A_RUN])
        return healthy[:REQUESTS_A_RUN]

    def _write_again(self, operation: Operation) -> None:
        write_again(
            operation,
            journal=self.journal,
            queues=self.queues,
            logger=self.logger,
            now=self.clock(),
        )

    def _take(self, row: CreationRow, tally: Tally) -> None:
        store = self.stores.find(row.store, read=self.airtable.stores)
        if store is None:
            tally.waiting += 1  # it was taken out of the book a moment ago
            return
        try:
            with self.attempts.counted(row.id):
                operation = self.sell.take(row, store=store)
                if operation.kind == HELD_SALE_KIND:  # held before, and its row does not say so
                    self._write_again(operation)
        except Exception as error:
            tally.note_failure(error)
            self.logger.warning(
                "a sale could not be taken now",
                exc_info=not isinstance(error, GiftCardError),
                extra={"operation": sale_key(row.id), "reason": str(error)},
            )
        else:
            tally.answered += 1
