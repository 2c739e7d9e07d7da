"""Serve the web shop's sales: find every order that may have something new, and look at it.

    orders that wait     for an assessment, for the office          from our own list
    unprocessed orders   paid, with our SKUs, without our tag       search, from the go-live on
    changed orders       with our SKUs, in any state, with any tag  search, from where the last pass
                                                                    had read all, minus an overlap

Both searches go from the order that has not changed for longest to the newest, page by page. A pass
that a run does not finish is gone on with by the next one, from where it got. What a search shows
of an order that was judged since its last change has nothing new to say: a lagging index or tag
costs a read of our own table, a hundred orders at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from giftcards.clients.airtable import Airtable
from giftcards.clients.shopify import Shopify
from giftcards.clients.shopify.searching import changed_sales, unprocessed_orders
from giftcards.domain.orders import OrderSight, number_of
from giftcards.errors import (
    AccessRefused,
    BaseMismatch,
    ConfigurationError,
    GiftCardError,
    NeedsAPerson,
    TryAgain,
)
from giftcards.flows.order_pass import MOST_PAGES, StaleCursor, next_page, read_until
from giftcards.flows.park import FAILURES_TO_BE_PARKED, Park
from giftcards.flows.purchase import Purchase, unseen
from giftcards.flows.tally import Tally
from giftcards.store.attempts import NEVER_BEGUN, Attempts
from giftcards.store.orders import Orders, Seen, Watermark
from giftcards.store.table import is_away

# So many of the orders that wait are looked through in one run. Those due first come first, and
# whoever was looked at goes to the end, so that all have their turn.
WAITING_A_RUN = 100

# How the time of a run is shared: those that wait have at most a third of it, the unprocessed ones
# at most half of what is left then. What is not used falls to the next.
SHARE_OF_WAITING = 3
SHARE_OF_UNPROCESSED = 2

# After so many failures in a row that no order is to blame for, a vendor is away or refuses us, and
# the run ends: the next one tries again.
FAILURES_IN_A_ROW = 3

# An order that could not be looked at is looked at again after this, whatever a search says.
AFTER_A_FAILURE_SECONDS = 60

# How soon one that is parked is looked at once a person has it tried again, at most.
AFTER_PARKING_SECONDS = 300

# An order that killed its worker so often is left to a person: each death keeps this prong from its
# next run until its lease is over.
DEATHS_TO_BE_PARKED = 3

# What no order is to blame for: every other one fares as it does, so none is set aside for it.
EVERYBODYS_TROUBLE = (AccessRefused, BaseMismatch, ConfigurationError)

# The two passes, as their watermarks are called.
UNPROCESSED = "unprocessed"
CHANGED = "changed"


class _VendorIsAway(Exception):
    """Too many orders in a row could not be looked at."""


@dataclass(slots=True)
class _Run:
    """What one run has come to so far."""

    tally: Tally = field(default_factory=Tally)
    looked_at: set[str] = field(default_factory=set)
    failures_in_a_row: int = 0
    released: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """A pass through what one search finds; `until` is when this run leaves it to the next."""

    name: str
    search: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class _Office:
    """What the office says of one order, asked when it matters."""

    has_ticked: Callable[[], bool]
    has_unticked: Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class ServePurchases:
    """One run of the purchases' prong. `seconds_for_an_order` is what one look may take."""

    shopify: Shopify
    airtable: Callable[[], Airtable]
    orders: Orders
    attempts: Attempts
    park: Park
    purchase: Purchase
    logger: Logger
    clock: Callable[[], datetime]
    skus: tuple[str, ...]
    tag: str
    live_from: datetime
    overlap: timedelta
    seconds_for_an_order: float

    def run(self, deadline: datetime) -> Tally:
        """Look at what there is time for; one order's trouble never stops the others."""
        run = _Run()
        if not self.skus:
            return run.tally
        # What is begun later could be cut off in the middle.
        end = deadline - timedelta(seconds=self.seconds_for_an_order)
        try:
            self._look_at_waiting(run, self._share(end, SHARE_OF_WAITING))
            self._look_for_unprocessed(run, self._share(end, SHARE_OF_UNPROCESSED))
            self._look_for_changed(run, end)
        except _VendorIsAway:
            self.logger.warning("a vendor is away, or refuses us: the next run goes on")
        except TryAgain as error:
            run.tally.note_failure(error)
            self.logger.warning("orders cannot be searched now", extra={"reason": str(error)})
        if run.tally.known:
            self.logger.info(
                "a search returned orders that were dealt with", extra={"orders": run.tally.known}
            )
        return run.tally

    def _share(self, end: datetime, part: int) -> datetime:
        now = self.clock()
        return now + max(timedelta(0), end - now) / part

    def _has_time(self, until: datetime) -> bool:
        return self.clock() < until

    # ------------------------------------------------------------------------ those that wait

    def _look_at_waiting(self, run: _Run, until: datetime) -> None:
        """Those whose time has come, and those that the office has released."""
        waiting = self.orders.waiting(limit=WAITING_A_RUN)
        now = self.clock()
        due = {one.number: one for one in waiting if one.look_at is None or one.look_at <= now}
        if any(one.is_held for one in waiting):
            released = self._released(run)
            known = {one.number: one for one in waiting}
            known |= self.orders.seen(released - known.keys())
            # First, because somebody waits for them.
            ticked = {n: known[n] for n in released if n in known and known[n].is_held}
            due = ticked | due
        for seen in due.values():
            if not self._has_time(until):
                run.tally.waiting += 1
                continue
            self._look(run, seen.number, seen.order_id, seen)

    def _released(self, run: _Run) -> frozenset[str]:
        """The orders the office has released, asked once a run; none while Airtable is away."""
        if run.released is None:
            try:
                run.released = frozenset(self.airtable().released_orders())
            except GiftCardError as error:
                run.released = frozenset()
                run.tally.note_failure(error)
                self.logger.warning("releases cannot be read", extra={"reason": str(error)})
        return run.released

    def _is_unticked(self, run: _Run, number: str) -> bool:
        """Whether an order's row reads held and has no tick; no while Airtable is away."""
        try:
            return self.airtable().is_held_unticked(number)
        except GiftCardError as error:
            run.tally.note_failure(error)
            self.logger.warning("a release cannot be read", extra={"reason": str(error)})
            return False

    # ------------------------------------------------------------------------ the two searches

    def _look_for_unprocessed(self, run: _Run, until: datetime) -> None:
        """From the go-live on, again and again: what the other search missed is found here."""
        mark = self.orders.watermark(UNPROCESSED)
        since = mark.since or self.live_from
        search = unprocessed_orders(self.skus, tag=self.tag, since=since)
        self._go_on(run, _Pass(name=UNPROCESSED, search=search, since=since, until=until), mark)

    def _look_for_changed(self, run: _Run, until: datetime) -> None:
        """From where the last pass had read all, minus an overlap for what shows up late."""
        mark = self.orders.watermark(CHANGED)
        newest = mark.newest
        begin = self.live_from if newest is None else max(newest - self.overlap, self.live_from)
        since = mark.since or begin
        search = changed_sales(self.skus, since=since)
        self._go_on(run, _Pass(name=CHANGED, search=search, since=since, until=until), mark)

    def _go_on(self, run: _Run, one: _Pass, mark: Watermark) -> None:
        """Go on with a pass, page by page, and keep how far it got."""
        loaded = mark
        began_at = mark.began_at or self.clock()
        try:
            for _ in range(MOST_PAGES):
                page = next_page(self.shopify, one.search, cursor=mark.cursor, logger=self.logger)
                known = self.orders.seen(number_of(sight.id) for sight in page.orders)
                for sight in page.orders:
                    seen = known.get(number_of(sight.id))
                    if not self._look_if_new(run, one, sight, seen):
                        return
                seen_now = _latest(mark.seen, *(sight.updated_at for sight in page.orders))
                if page.end_cursor is None:
                    if seen_now is not None:
                        seen_now = read_until(seen=seen_now, began_at=began_at)
                    mark = Watermark(newest=_latest(mark.newest, seen_now))
                    return
                mark = Watermark(
                    newest=mark.newest,
                    since=one.since,
                    began_at=began_at,
                    cursor=page.end_cursor,
                    seen=seen_now,
                )
                if not self._has_time(one.until):
                    return
        except StaleCursor:
            mark = Watermark(newest=mark.newest)
        finally:
            if mark != loaded:
                self.orders.keep_watermark(one.name, mark)

    def _look_if_new(self, run: _Run, one: _Pass, sight: OrderSight, seen: Seen | None) -> bool:
        """Look at an order that a search shows, unless that is old news; False for want of time."""
        number = number_of(sight.id)
        if number in run.looked_at:
            return True
        if seen is not None and seen.covers(sight.updated_at):
            # Of the unprocessed ones it should be none: its tag is invisible, or was taken away.
            run.tally.known += one.name == UNPROCESSED and seen.look_at is None
            return True
        if not self._has_time(one.until):
            run.tally.waiting += 1
            return False
        self._look(run, number, sight.id, seen)
        return True

    # ----------------------------------------------------------------------------- one order

    def _look(self, run: _Run, number: str, order_id: str, before: Seen | None) -> None:
        """Look at an order and remember how it looked; whatever goes wrong, look again later."""
        run.looked_at.add(number)
        row = _row(number)
        if self._is_poison(row):
            # By the time a person has it tried again, no search may show it any more.
            later = self.clock() + timedelta(seconds=AFTER_PARKING_SECONDS)
            self.orders.note(unseen(before, number, order_id, look_at=later))
            run.tally.waiting += 1
            return
        try:
            with self.attempts.counted(row):
                office = _Office(
                    has_ticked=lambda: number in self._released(run),
                    has_unticked=lambda: self._is_unticked(run, number),
                )
                look = self.purchase.look(order_id, before, office=office)
        except Exception as error:  # the outer loop: other orders go on
            self.logger.warning(
                "an order could not be looked at now",
                exc_info=not isinstance(error, GiftCardError),
                extra={"order": number, "reason": str(error)},
            )
            self._note_failure(run, number, order_id, before, error)
            return
        run.failures_in_a_row = 0
        if look is None:
            if before is not None:
                self.orders.note(replace(before, look_at=None, is_held=False))
            return
        self.orders.note(look.seen)
        run.tally.answered += look.has_changed
        run.tally.waiting += look.waits

    def _is_poison(self, row: str) -> bool:
        """Whether an order has killed its worker too often; it is parked, once."""
        known = self.attempts.of([row]).get(row, NEVER_BEGUN)
        if known.is_parked:
            return True
        if known.unended < DEATHS_TO_BE_PARKED:
            return False
        self.park.park_row(row)
        return True

    def _note_failure(
        self, run: _Run, number: str, order_id: str, before: Seen | None, error: Exception
    ) -> None:
        run.tally.note_failure(error)
        later = self.clock() + timedelta(seconds=AFTER_A_FAILURE_SECONDS)
        noted = unseen(before, number, order_id, look_at=later)
        if isinstance(error, NeedsAPerson) and not isinstance(error, EVERYBODYS_TROUBLE):
            noted = replace(noted, failures=noted.failures + 1)
            if noted.failures >= FAILURES_TO_BE_PARKED:
                self.park.park_row(_row(number))
        self.orders.note(noted)
        run.failures_in_a_row += 1
        is_everybodys = isinstance(error, (TryAgain, *EVERYBODYS_TROUBLE)) or is_away(error)
        if is_everybodys and run.failures_in_a_row >= FAILURES_IN_A_ROW:
            raise _VendorIsAway from error


def _row(number: str) -> str:
    """What an order is called where attempts are counted, and in `ops park list`."""
    return f"order-{number}"


def _latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)
