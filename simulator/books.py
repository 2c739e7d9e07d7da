"""The books are compared, once: what only that can find has to be found, and put right."""

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
    runs = Runs(Table(cast("Any", world.dynamodb), name=TABLE_NAME), key=lease_key(RECONCILE_PRONG))
    for _ in range(TURNS):
        if not world.go_on(at_most=at_most):
            return False
        standing = runs.standing()
        if standing.last is not None and standing.under_way is None and not standing.is_wished:
            return True
        world.arrange(world.timeline.us + TIMER, lambda: world.invoke(COMPARES, {}))
    return False
