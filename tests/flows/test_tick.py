"""Ticks: every fifteen seconds, one run at a time, never late, never while paused."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from giftcards.errors import ConfigurationError
from giftcards.flows.tick import TickEnd
from giftcards.store.control import lease_key
from giftcards.wiring import STORES_PRONG, now
from tests.world import World, running_world

CODE = "wxyz2345abcd6789"


def test_the_minute_sends_three_delayed_ticks(redemptions_only: World) -> None:
    world = redemptions_only
    assert world.tick() is TickEnd.RAN
    bodies = world.delayed_ticks()
    assert [delay for delay, _ in bodies] == [15, 30, 45]
    assert [body["offset"] for _, body in bodies] == [15, 30, 45]
    due = [body["due"] for _, body in bodies]
    assert due == [(now() + timedelta(seconds=s)).isoformat() for s in (15, 30, 45)]


def test_a_tick_in_time_runs(world: World) -> None:
    row_id = world.ask(Gift_Card_Code="WXYZ")
    assert world.delayed_tick(late_by_seconds=10) is TickEnd.RAN
    world.drain()
    assert world.row(row_id)["Status"] == "Processed"


def test_a_late_tick_is_dropped(world: World) -> None:
    row_id = world.ask(Gift_Card_Code="WXYZ")
    assert world.delayed_tick(late_by_seconds=11) is TickEnd.LATE
    world.drain()
    assert "Status" not in world.row(row_id)


def test_a_delayed_tick_sends_no_further_ticks(world: World) -> None:
    world.delayed_tick(late_by_seconds=0)
    assert world.delayed_ticks() == []


def test_a_held_lease_is_respected(world: World) -> None:
    lease = world.app.leases.acquire(lease_key(STORES_PRONG), now=now())
    assert lease is not None
    assert world.tick() is TickEnd.HELD
    world.app.leases.release(lease)
    assert world.tick() is TickEnd.RAN


def test_a_dead_workers_lease_is_taken_over(world: World) -> None:
    row_id = world.ask(Gift_Card_Code="WXYZ")
    world.effects.kill_on = {"/v0/": "before"}
    assert world.tick() is None
    world.advance(15)
    assert world.tick() is TickEnd.HELD
    world.advance(16)
    assert world.tick() is TickEnd.RAN
    world.drain()
    assert world.row(row_id)["Status"] == "Processed"


def test_a_run_gives_its_lease_back(world: World) -> None:
    assert world.tick() is TickEnd.RAN
    assert world.tick() is TickEnd.RAN


def test_a_new_stack_is_paused(world: World) -> None:
    world.app.table.update("control", "REMOVE #running", values=None)
    item = world.app.table.get("control")
    assert item is not None
    world.dynamodb.delete_item(TableName="journal", Key={"key": "control"})
    row_id = world.ask(Gift_Card_Code="WXYZ")
    assert world.tick() is TickEnd.PAUSED
    assert "Status" not in world.row(row_id)


def test_a_paused_stack_charges_nothing_but_finds_out_what_was_sent(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    sent = world.ask(Gift_Card_Code=CODE)
    world.effects.kill_on = {"DebitCard": "after"}
    world.tick()
    claimed = world.ask(Gift_Card_Code=CODE)
    world.advance(60)
    world.effects.kill_on = {"DebitCard": "before"}
    world.tick()
    world.app.control.throw_switch(run=False, by="tests", now=now())
    for _ in range(5):
        world.advance(60)
        assert world.tick() is TickEnd.PAUSED
        world.sweep()
        world.drain()
    assert world.row(sent)["Status"] == "Processed"
    assert world.shop.card(card.id).balance == 40
    assert claimed


def test_a_restored_journal_is_paused(world: World) -> None:
    """The switch was thrown for a table of another name."""
    item = world.app.table.get("control")
    assert item is not None
    world.app.table.put(item | {"table": "journal-before-the-restore"})
    assert world.tick() is TickEnd.PAUSED


def test_status_is_written_when_it_changes_and_every_ten_minutes(world: World) -> None:
    for minute in range(21):
        world.tick()
        written = [body for body in world.queued_bodies() if "prong" in body]
        assert len(written) == 1 + minute // 10
        world.advance(60)


@pytest.mark.parametrize("offsets", [(5,), (10, 20, 30, 40, 50)])
def test_how_often_is_configuration(offsets: tuple[int, ...]) -> None:
    with running_world(
        tick_offsets_seconds=offsets,
        sale_offsets_seconds=offsets[-1:],
        check_offsets_seconds=offsets[-1:],
        reversal_offsets_seconds=offsets[-1:],
    ) as world:
        world.tick()
        assert tuple(delay for delay, _ in world.delayed_ticks()) == offsets


@pytest.mark.parametrize(
    ("setting", "parameter"),
    [
        ("sale_offsets_seconds", "SaleOffsetsSeconds"),
        ("check_offsets_seconds", "CheckOffsetsSeconds"),
        ("reversal_offsets_seconds", "ReversalOffsetsSeconds"),
    ],
)
def test_what_no_tick_would_look_for_is_refused_and_the_office_reads_it(
    world: World, setting: str, parameter: str
) -> None:
    """Whoever stands at a till is served all the same."""
    row_id = world.ask(Gift_Card_Code="WXYZ")
    looks: dict[str, Any] = {setting: (0, 20)}
    world.config = replace(world.config, **looks)
    world.new_worker()
    with pytest.raises(ConfigurationError, match=parameter):
        world.tick()
    world.drain()
    assert world.row(row_id)["Status"] == "Processed"
    (told,) = [row for row in world.cells("Status") if row["Prong"] == STORES_PRONG]
    assert f"{parameter} (0,20) has 20" in told["Last Error"]


def test_the_web_shops_prongs_have_ticks_of_their_own(world: World) -> None:
    world.config = replace(world.config, tick_offsets_seconds=(20, 40))
    world.new_worker()
    assert world.buy_tick() is TickEnd.RAN
    assert world.spend_tick() is TickEnd.RAN
