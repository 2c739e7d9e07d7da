"""The books are compared: what only that can find has to be found, and put right.

At rest they are, where something may be found only so; and in a story while accidents go on.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from giftcards.store.control import lease_key
from giftcards.store.runs import Runs
from giftcards.store.table import Table
from giftcards.wiring import RECONCILE_PRONG
from simulator.faults import MINUTE
from tests.template_resources import TABLE_NAME

if TYPE_CHECKING:
    from simulator.world import World

# The function that compares them, as the effects name it, and how often its timer comes.
COMPARES = "reconcile"
TIMER = 5 * MINUTE

# A comparison of a few cards takes one turn before the second look, and one behind it; between them
# are fifteen minutes.
TURNS = 10


def compare_the_books(world: "World", *, at_most: int) -> bool:
    """Somebody asks for a comparison, and time passes until it is over; False if it never is."""
    world.ask_office(lambda app: app.runs.wish(reads_all=False))
    for _ in range(TURNS):
        if not world.go_on(at_most=at_most):
            return False
        if are_compared(world):
            return True
        world.arrange(world.timeline.us + TIMER, lambda: world.invoke(COMPARES, {}))
    return False


def begin_to_compare(world: "World") -> None:
    """Somebody asks for a comparison; the function's timer comes until it is over.

    Whoever died in it still has the lease, which lasts as long as a worker may: longer than others.
    """
    world.ask_office(lambda app: app.runs.wish(reads_all=False))
    world.arrange(world.timeline.us + TIMER, partial(_go_on_comparing, world))


def _go_on_comparing(world: "World") -> None:
    item = world.items.get(lease_key(RECONCILE_PRONG), {})
    leased_until = item.get("lease_until", 0) / 1000
    if not are_compared(world) or leased_until > world.clock().timestamp():
        world.invoke(COMPARES, {})
        world.arrange(world.timeline.us + TIMER, partial(_go_on_comparing, world))


def are_compared(world: "World") -> bool:
    """Whether a comparison is over, and nobody has asked for another one since it began."""
    runs = Runs(Table(cast("Any", world.dynamodb), name=TABLE_NAME), key=lease_key(RECONCILE_PRONG))
    standing = runs.standing()
    return standing.last is not None and standing.under_way is None and not standing.is_wished
