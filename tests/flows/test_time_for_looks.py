"""The stores' prong looks at other tables only while it has the time: redemptions come first."""

from datetime import timedelta

from giftcards.flows.serve_counter import LOOK_SECONDS
from giftcards.flows.tally import Tally
from giftcards.wiring import now
from tests.world import World


def run(world: World, seconds: float) -> Tally:
    deadline = now() + timedelta(seconds=seconds)
    return world.app.serve_counter().run(deadline, offset_seconds=0)


def taken(world: World) -> list[str]:
    """What was noted of the sales that wait."""
    return [item["key"] for item in world.items() if item["key"].startswith("op#sale#")]


def test_a_look_that_may_outlive_the_worker_waits_for_a_later_tick(world: World) -> None:
    row_id = world.sell()
    run(world, LOOK_SECONDS - 0.1)
    assert taken(world) == []
    world.advance(60)
    run(world, LOOK_SECONDS + 3)  # redemptions are looked for first
    assert taken(world) == [f"op#sale#{row_id}"]
