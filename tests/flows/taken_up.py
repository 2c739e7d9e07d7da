"""A redemption that was taken up and could not be sent: what may still be called off or held."""

from giftcards.store.journal import Operation
from sandbox.faults import Fault
from tests.world import World

CODE = "wxyz2345abcd6789"


def operation_of(world: World, row_id: str) -> Operation:
    """The redemption of a row, as the journal has it."""
    operation = world.journal.load(f"redemption#{row_id}")
    assert operation is not None, "nobody has taken up the row"
    return operation


def take_up(world: World, **cells: object) -> str:
    """A row is claimed, and then Shopify is away for a moment; a card of 50 unless one is there."""
    if not world.shop.cards:
        world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(**({"Gift_Card_Code": CODE} | cells))
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="ReadCard", times=1)
    world.tick()
    return row_id
