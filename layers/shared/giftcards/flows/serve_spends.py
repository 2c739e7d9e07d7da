"""Serve what the web shop charged: first what orders say of cards, then what cards say themselves.

Orders paid by card that changed are searched for, the oldest change first, in a window that reaches
back behind what was read before: the search shows some of them late. What was read is skipped. How
far was read is counted in Shopify's times; our clock can only have more read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from giftcards.clients.shopify import Shopify, card_payments
from giftcards.domain.orders import OrderPage, OrderSight
from giftcards.errors import AccessRefused, ConfigurationError, TryAgain
from giftcards.flows.look_at_cards import LookAtCards
from giftcards.flows.note_payments import NotePayments
from giftcards.flows.order_pass import MOST_PAGES, StaleCursor, next_page, read_until
from giftcards.flows.tally import Tally
from giftcards.store.progress import OrdersPlace, Progress, ReadOrder

# Shopify's times are whole seconds. An order that was read in the second of its change is read once
# more after it; our workers' clocks differ by less than the rest of this.
SAME_SECOND = timedelta(seconds=5)

# Of a run's time, what the orders may take when they are many: the cards get the rest.
ORDERS_SHARE = 0.6


@dataclass(frozen=True, kw_only=True)
class ServeSpends:
    """One run of the prong of what the web shop charged."""

    shopify: Shopify
    progress: Progress
    payments: NotePayments
    looks: LookAtCards
    logger: Logger
    clock: Callable[[], datetime]
    live_from: datetime
    overlap_seconds: int
    http_timeout_seconds: int

    def run(self, deadline: datetime) -> Tally:
        """Note what orders did to cards, then look at the cards, until `deadline` nears.

        One order's or card's trouble leaves the others alone; a vendor that is away ends the run.
        """
        tally = Tally()
        now = self.clock()
        try:
            self._read_orders(tally, now + (deadline - now) * ORDERS_SHARE)
            self.looks.run(tally, deadline)
        except TryAgain as error:
            self.logger.warning("the run ends early", extra={"reason": str(error)})
            tally.note_failure(error)
        return tally

    def _read_orders(self, tally: Tally, deadline: datetime) -> None:
        """Read the orders that changed since they were last read.

        A pass that a run does not finish is gone on with by the next one, from the page it got to:
        were it begun anew, more orders within the overlap than a run can list would hide all that
        changed after them. How far was read moves once the pass is finished.
        """
        until = self.progress.payments_until() or self.live_from
        since = max(self.live_from, until - timedelta(seconds=self.overlap_seconds))
        loaded = self.progress.orders_place()
        place = loaded or OrdersPlace(since=since, began_at=self.clock())
        try:
            for _ in range(MOST_PAGES):
                search = card_payments(since=place.since)
                page = next_page(self.shopify, search, cursor=place.cursor, logger=self.logger)
                if not self._read_page(tally, page.orders, deadline):
                    return
                place = replace(place, cursor=page.end_cursor, seen=_newest(place, page, until))
                if page.end_cursor is None:
                    self._move_on(until, place)
                    return
                if not self._has_time(deadline):
                    return
        except StaleCursor:
            place = replace(place, cursor=None)
        finally:
            after = None if place.cursor is None else place
            if after != loaded:
                self.progress.note_orders_place(after)

    def _move_on(self, until: datetime, place: OrdersPlace) -> None:
        """The pass is finished: the next one begins where it had read all, minus the overlap."""
        if place.seen is None:
            return
        read = read_until(seen=place.seen, began_at=place.began_at)
        if read > until:
            self.progress.note_payments_until(read)

    def _read_page(self, tally: Tally, page: Sequence[OrderSight], deadline: datetime) -> bool:
        """Read the orders of a page that need it; False where time did not suffice."""
        before = self.progress.read_orders(sight.id for sight in page)
        was_delayed = False
        for sight in page:
            read = before.get(sight.id)
            if read is not None and not self._is_due(sight, read):
                continue
            if not self._has_time(deadline):
                return False
            try:
                self._read_order(tally, sight, read)
            except TryAgain as error:
                if was_delayed:
                    raise  # two in a row: Shopify is away, or has no points left for us
                # It may be this one alone, for a long order costs many points: the sweep waits
                # longer for them, and the other orders go on.
                was_delayed = True
                tally.note_failure(error)
                self._leave_to_the_sweep(sight)
            else:
                was_delayed = False
        return True

    def _is_due(self, sight: OrderSight, read: ReadOrder) -> bool:
        """Whether an order has to be read again."""
        if sight.updated_at > read.updated_at:
            return True
        return not read.is_sure and self.clock() - read.read_at >= SAME_SECOND

    def _read_order(self, tally: Tally, sight: OrderSight, before: ReadOrder | None) -> None:
        """Note an order's payments; what cannot be noted is left to the sweep, and never lost.

        Raises `TryAgain` where nothing was read.
        """
        read_at = self.clock()
        updated_at, is_sure = sight.updated_at, True
        try:
            order = self.shopify.read_payments(sight.id)
            if order is not None:
                tally.answered += self.payments.note(order) > 0
                updated_at = order.updated_at
                is_sure = before is not None and before.updated_at == updated_at
        except (TryAgain, AccessRefused, ConfigurationError):
            raise  # all other orders would fare alike
        except Exception as error:  # the outer loop: other orders go on
            self.logger.exception("an order's payments cannot be read", extra={"order": sight.id})
            tally.note_failure(error)
            self._leave_to_the_sweep(sight)
            return
        self.progress.note_read_order(
            sight.id, ReadOrder(updated_at=updated_at, read_at=read_at, is_sure=is_sure)
        )

    def _leave_to_the_sweep(self, sight: OrderSight) -> None:
        """An order stands in nobody's way, and is not lost either."""
        self.payments.read_later(sight.id, updated_at=sight.updated_at)
        read = ReadOrder(updated_at=sight.updated_at, read_at=self.clock(), is_sure=True)
        self.progress.note_read_order(sight.id, read)

    def _has_time(self, deadline: datetime) -> bool:
        """Whether a call of Shopify's may begin: cut off in the middle it would harm nobody."""
        return self.clock() + timedelta(seconds=self.http_timeout_seconds) < deadline


def _newest(place: OrdersPlace, page: OrderPage, until: datetime) -> datetime:
    """The newest change a pass came to."""
    return max([place.seen or until, *(sight.updated_at for sight in page.orders)])
