"""Serve the customers' balance checks: the last thing a run of the stores' prong does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from giftcards.clients.airtable import Airtable
from giftcards.domain.balance import BalanceRow
from giftcards.errors import GiftCardError
from giftcards.flows.check_balance import CheckBalance, check_key
from giftcards.flows.park import Park
from giftcards.flows.tally import Tally
from giftcards.flows.write_again import write_again
from giftcards.logs import hiding
from giftcards.store.attempts import NEVER_BEGUN, Attempts
from giftcards.store.journal import Journal, Operation
from giftcards.store.queues import Queues

# So many are answered in one run: a few seconds of Shopify's time. A wave of them is a bot's.
CHECKS_A_RUN = 10

# A check costs up to two calls of Shopify, and four more where its code has look-alikes.
CALLS_TO_HAVE_TIME_FOR = 2

# See `serve_sales`.
DEATHS_TO_BE_PARKED = 3


@dataclass(frozen=True, kw_only=True)
class ServeChecks:
    """One look at what customers ask."""

    airtable: Airtable
    journal: Journal
    attempts: Attempts
    park: Park
    check: CheckBalance
    queues: Queues
    logger: Logger
    clock: Callable[[], datetime]
    live_from: datetime
    http_timeout_seconds: int

    def run(self, deadline: datetime) -> Tally:
        """Answer what waits until `deadline` nears; one row's trouble never stops the others."""
        tally = Tally()
        listed = self.airtable.waiting_balance_checks(since=self.live_from)
        if not listed:
            return tally
        operations = self.journal.load_many(check_key(row.id) for row in listed)
        for operation in operations.values():
            write_again(
                operation,
                journal=self.journal,
                queues=self.queues,
                logger=self.logger,
                now=self.clock(),
            )
        reserve = timedelta(seconds=CALLS_TO_HAVE_TIME_FOR * self.http_timeout_seconds)
        for row in self._rows_to_answer(listed, operations):
            if self.clock() + reserve >= deadline:
                tally.waiting += 1
                continue
            with hiding(row.typed_code):
                self._answer(row, tally)
        return tally

    def _rows_to_answer(
        self, listed: Sequence[BalanceRow], operations: Mapping[str, Operation]
    ) -> list[BalanceRow]:
        """The rows that nobody has answered yet, at most `CHECKS_A_RUN`; what is parked is none."""
        fresh = [row for row in listed if check_key(row.id) not in operations]
        attempts = self.attempts.of(row.id for row in fresh)
        healthy = []
        for row in fresh:
            known = attempts.get(row.id, NEVER_BEGUN)
            if known.unended < DEATHS_TO_BE_PARKED:
                healthy.append(row)
            elif not known.is_parked:
                self.park.park_row(row.id)
        return healthy[:CHECKS_A_RUN]

    def _answer(self, row: BalanceRow, tally: Tally) -> None:
        try:
            with self.attempts.counted(row.id):
                self.check.answer(row)
        except Exception as error:
            tally.note_failure(error)
            self.logger.warning(
                "a balance check could not be answered now",
                exc_info=not isinstance(error, GiftCardError),
                extra={"operation": check_key(row.id), "reason": str(error)},
            )
        else:
            tally.answered += 1
