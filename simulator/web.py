"""When the web shop's two prongs have something to do.

Both are called four times a minute, and mostly find nothing. Such a look is left out: as long as
nothing has changed at Shopify since the last one that went well began, nothing that it left for
later is due, and the office has let no order go on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from giftcards.flows.tick import TickEnd
from giftcards.store.attempts import ROW_PREFIX
from giftcards.store.orders import WATERMARK_PREFIX
from giftcards.store.progress import LOOKS_KEY, ORDER_PREFIX, ORDERS_PLACE_KEY
from giftcards.store.table import LOOK_QUEUE, ORDERS_QUEUE, PARKED_QUEUE
from giftcards.wiring import PURCHASES_PRONG, REDEMPTIONS_PRONG
from sandbox.shopify import Shop
from sandbox.shopify.orders import TransactionKind, TransactionStatus

if TYPE_CHECKING:
    from simulator.world import World

# The functions of the two prongs, as the effects name them.
ORDERS = "orders"
SPENDS = "spends"
WEB_ROLES = (ORDERS, SPENDS)

# As they name themselves, and what they say when a run is over.
PRONGS = {ORDERS: PURCHASES_PRONG, SPENDS: REDEMPTIONS_PRONG}
RUN_END = "run finished"

# Where each of them notes what it has to look at again.
QUEUES = {ORDERS: ORDERS_QUEUE, SPENDS: LOOK_QUEUE}

# What each step of an order does to the card that pays: a capture takes what was kept back before.
SIGNS = {
    TransactionKind.SALE: 1,
    TransactionKind.AUTHORIZATION: 1,
    TransactionKind.CAPTURE: 0,
    TransactionKind.REFUND: -1,
    TransactionKind.VOID: -1,
}


def spent_in_orders(shop: Shop) -> dict[str, Decimal]:
    """What the web shop's orders hold of each card by now, by its id."""
    spent: dict[str, Decimal] = {}
    for order in shop.orders.all:
        for step in order.transactions:
            if step.card_id is not None and step.status is TransactionStatus.SUCCESS:
                known = spent.get(step.card_id, Decimal(0))
                spent[step.card_id] = known + SIGNS[step.kind] * step.amount
    return spent


@dataclass(slots=True)
class Look:
    """One run of a prong: how things stood when it began, and how it ended."""

    version: int
    accidents: int
    releases: int
    end: TickEnd | None = None


class WebProngs:
    """Tells when a look would find something."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.begin()

    def begin(self) -> None:
        """A new history: nobody has looked."""
        self._looked: dict[str, Look] = {}
        self.releases = 0

    @contextmanager
    def looking(self, role: str) -> Iterator[Look]:
        """A worker looks; how that ends says whether it was shown all that there was."""
        world = self._world
        look = Look(world.shop.version, len(world.gate.met), self.releases)
        said = len(world.log.lines)
        yield look
        is_undisturbed = len(world.gate.met) == look.accidents
        is_over = look.end is TickEnd.RAN and not self._has_failed(role, since=said)
        if is_over and is_undisturbed and not self._is_left(role):
            self._looked[role] = look

    def _has_failed(self, role: str, *, since: int) -> bool:
        """Whether a run that is over left something that went wrong, by what it said at its end."""
        ends = [
            more["extra"] for message, more in self._world.log.lines[since:] if message == RUN_END
        ]
        failed = [end["failed"] for end in ends if end["prong"] == PRONGS[role]]
        if not failed:
            raise AssertionError(f"a run of {PRONGS[role]} was over, and did not say so")
        return any(failed)

    def waits(self, role: str) -> bool:
        """Whether there is something to look at now."""
        if self._has_news(role):
            return True
        now = self._world.clock().timestamp()
        wanted = QUEUES[role]
        queued = self._world.dynamodb.queued.values()
        return any(queue == wanted and at <= now for queue, at in queued)

    @property
    def are_quiet(self) -> bool:
        """Whether nothing is left to look at but what waits for the office.

        That are orders that are held, or that killed their workers and are parked; and, where
        something is parked, cards: what moved on one is not explained before somebody has decided
        what became of it.
        """
        if any(map(self._has_news, WEB_ROLES)):
            return False
        dynamodb = self._world.dynamodb
        is_parked = any(queue == PARKED_QUEUE for queue, _ in dynamodb.queued.values())
        return not any(
            (queue == LOOK_QUEUE and not is_parked)
            or (queue == ORDERS_QUEUE and not self._waits_for_a_person(key))
            for key, (queue, _) in dynamodb.queued.items()
        )

    def _waits_for_a_person(self, key: str) -> bool:
        """Whether an order is held, or set aside because it killed its workers."""
        dynamodb = self._world.dynamodb
        row = f"{ROW_PREFIX}order-{key.partition('#')[2]}"
        return dynamodb.items[key]["held"] or dynamodb.queued.get(row, ("", 0))[0] == PARKED_QUEUE

    def _has_news(self, role: str) -> bool:
        looked = self._looked.get(role)
        if looked is None or looked.version != self._world.shop.version:
            return True
        return role == ORDERS and looked.releases != self.releases

    def _is_left(self, role: str) -> bool:
        """Whether a look stopped before the end of a list, or has to be sure of an order."""
        items: dict[str, Any] = self._world.items
        if role == ORDERS:
            return any(
                item.get("cursor") is not None
                for key, item in items.items()
                if key.startswith(WATERMARK_PREFIX)
            )
        places = (items.get(ORDERS_PLACE_KEY), items.get(LOOKS_KEY))
        if any(place is not None and place.get("cursor") is not None for place in places):
            return True
        return any(not item["sure"] for key, item in items.items() if key.startswith(ORDER_PREFIX))
