"""Serve the counter: redemptions first, then sales, customers' questions, and the office's wishes.

A customer with a card in hand never waits for bulk work, so what is asked for at the counter comes
first in each run, and the rest only takes notes. Each look at a table is a call of Airtable, so
sales, checks and what the office wants given back are looked for at some of the ticks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from giftcards.errors import GiftCardError
from giftcards.flows.serve_checks import ServeChecks
from giftcards.flows.serve_sales import ServeSales
from giftcards.flows.serve_stores import ServeStores
from giftcards.flows.take_reversals import TakeReversals
from giftcards.flows.tally import Tally

# What a look at another table may take: three pages at our pace, their answers, and taking notes.
# None is begun that would not have so long; what waits there is seen at one of the next ticks.
LOOK_SECONDS = 6


@dataclass(frozen=True, kw_only=True)
class ServeCounter:
    """One run of the stores' prong. Offsets are seconds after the minute, 0 the minute itself.

    `sales` and `checks` are `None` where the base has no such table. `refuse_settings` raises
    `ConfigurationError` where some of what is asked for would never be looked for.
    """

    redemptions: ServeStores
    sales: ServeSales | None
    checks: ServeChecks | None
    reversals: TakeReversals
    sale_offsets_seconds: Sequence[int]
    check_offsets_seconds: Sequence[int]
    reversal_offsets_seconds: Sequence[int]
    refuse_settings: Callable[[], None]
    clock: Callable[[], datetime]
    logger: Logger

    def run(self, deadline: datetime, *, offset_seconds: int) -> Tally:
        """Serve what waits until `deadline` nears. Trouble with the one leaves the others alone."""
        tally = self.redemptions.run(deadline)
        parts: list[Callable[[datetime], Tally]] = []
        if self.sales is not None and offset_seconds in self.sale_offsets_seconds:
            parts.append(self.sales.run)
        if self.checks is not None and offset_seconds in self.check_offsets_seconds:
            parts.append(self.checks.run)
        if offset_seconds in self.reversal_offsets_seconds:
            parts.append(self.reversals.run)
        trouble: GiftCardError | None = None
        for part in parts:
            if self.clock() + timedelta(seconds=LOOK_SECONDS) > deadline:
                self.logger.info("no time for all looks of this tick")
                break
            try:
                tally.add(part(deadline))
            except GiftCardError as error:
                self.logger.warning("a part of the run failed", extra={"reason": str(error)})
                trouble = trouble or error
        if trouble is not None:
            raise trouble  # after all others, so that status and alarm tell of it
        tally.raise_if_all_failed()  # a vendor that is away is told of first
        self.refuse_settings()
        return tally
