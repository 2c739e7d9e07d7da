"""The tests' shop passes over idle minutes, and over nothing else."""

from datetime import UTC, datetime, timedelta

from giftcards.store.rewrites import Rewrites
from sandbox.faults import Fault
from tests.world import World

# A worker's minute is left, in which what is due is found.
A_MINUTE = 60
DUE_IN = 600


def passed(world: World) -> int:
    """Whole minutes that pass at once."""
    before = datetime.now(UTC)
    world.let_idle_minutes_pass()
    return round((datetime.now(UTC) - before).total_seconds() / A_MINUTE)


def note(world: World, *, due_in: int) -> None:
    due_at = datetime.now(UTC) + timedelta(seconds=due_in)
    Rewrites(world.app.table).note("card#1", due_at=due_at)


def test_time_goes_on_to_the_minute_before_something_is_due(world: World) -> None:
    note(world, due_in=DUE_IN)
    assert passed(world) == 9
    assert passed(world) == 0


def test_a_message_that_will_be_seen_is_not_passed_over(world: World) -> None:
    note(world, due_in=DUE_IN)
    world.app.queues.write_cards("gid://shopify/GiftCard/1")
    world.sqs.receive_message(
        QueueUrl=world.queue_urls["WriteAirtableQueue"], VisibilityTimeout=180
    )
    assert passed(world) == 2


def test_nothing_passes_while_an_accident_waits(world: World) -> None:
    note(world, due_in=DUE_IN)
    world.base.faults.add(Fault.FAIL_BEFORE)
    assert passed(world) == 0


def test_nothing_passes_where_nothing_is_left_to_do(world: World) -> None:
    assert passed(world) == 0
