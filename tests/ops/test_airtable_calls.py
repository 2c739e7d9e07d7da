"""Calls of Airtable a month: as many as are really made, and as the documents say."""

from typing import Any

import pytest

from giftcards.clients.airtable import Layout
from ops.airtable_calls import (
    CALLS_OF_TEAM,
    CHECKS,
    MINUTES_A_MONTH,
    READINGS_OF_A_RECORD,
    REDEMPTIONS,
    RESENDS,
    REVERSALS,
    SALES,
    calls_a_month,
    comparing_calls_a_month,
    describe_plan,
)
from tests.cloudformation import TEMPLATE, load_template
from tests.flows.reconcile_stories import a_history, compare
from tests.world import World, running_world

README = TEMPLATE.parent / "README.md"


def calls(world: World) -> dict[str, int]:
    layout = world.app.control.layout()
    assert layout is not None
    return calls_a_month(world.config, Layout.from_json(layout))


def about(count: int) -> str:
    return f"{round(count, -3):,}"


def default(parameter: str) -> tuple[int, ...]:
    text = load_template()["Parameters"][parameter]["Default"]
    return tuple(int(part) for part in text.split(","))


def by_default() -> dict[str, int]:
    """What the template's own settings come to."""
    with running_world(
        tick_offsets_seconds=default("TickOffsetsSeconds"),
        sale_offsets_seconds=default("SaleOffsetsSeconds"),
        check_offsets_seconds=default("CheckOffsetsSeconds"),
        reversal_offsets_seconds=default("ReversalOffsetsSeconds"),
    ) as world:
        return calls(world)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tick_offsets_seconds": (), "sale_offsets_seconds": (0,)},
        {"sale_offsets_seconds": (0, 15, 30, 45), "check_offsets_seconds": (15, 45)},
        {"reversal_offsets_seconds": (15, 30)},
    ],
)
def test_a_quiet_minute_takes_the_calls_that_are_told(settings: dict[str, Any]) -> None:
    with running_world(**settings) as world:
        world.tick()
        for offset in world.config.tick_offsets_seconds:
            world.advance(15)
            world.delayed_tick(late_by_seconds=0, offset_seconds=offset)
        made = [effect for effect in world.effects.seen if effect.startswith("GET /v0/")]
        assert len(made) * MINUTES_A_MONTH == sum(calls(world).values())


def test_a_table_that_is_absent_takes_no_calls() -> None:
    with running_world(resumed=False) as world:
        world.base.delete_table("Creation Requests")
        world.base.delete_table("Balance Checks")
        world.base.table("Redemptions").delete_field("Reverse Amount")
        world.resume()
        assert calls(world) == {REDEMPTIONS: 4 * MINUTES_A_MONTH}


def test_the_readme_says_what_the_defaults_come_to() -> None:
    counts = by_default()
    told = (
        f"about {about(sum(counts.values()))} calls of Airtable a month:"
        f" {about(counts[REDEMPTIONS])} for redemptions,"
        f" {about(counts[SALES] + counts[RESENDS])} for sales and for cards to be sent again,"
        f" {about(counts[CHECKS])} for balance checks,"
        f" {about(counts[REVERSALS])} for what is to be given back"
    )
    assert told in " ".join(README.read_text(encoding="utf-8").split())


def test_the_readme_says_what_looking_less_often_comes_to() -> None:
    with running_world(tick_offsets_seconds=(30,), sale_offsets_seconds=(0,)) as world:
        told = (
            "`TickOffsetsSeconds` 30 and `SaleOffsetsSeconds` 0 make it about"
            f" {about(sum(calls(world).values()))},"
        )
    assert told in " ".join(README.read_text(encoding="utf-8").split())


def test_each_parameter_says_what_its_default_costs() -> None:
    counts = by_default()
    for parameter, count in (
        ("TickOffsetsSeconds", counts[REDEMPTIONS]),
        ("SaleOffsetsSeconds", counts[SALES] + counts[RESENDS]),
        ("CheckOffsetsSeconds", counts[CHECKS]),
        ("ReversalOffsetsSeconds", counts[REVERSALS]),
    ):
        description = load_template()["Parameters"][parameter]["Description"]
        assert f"the default makes about {about(count)} a month" in description


def test_more_calls_than_the_plan_team_has_are_told_with_what_comes_of_it() -> None:
    counts = by_default()
    told = describe_plan(sum(counts.values()))
    assert "100,000" in told
    assert "used up on day 7 of it" in told  # of 438,000: 30.4 days / 4.38
    assert "2 requests a second" in told
    assert "TickOffsetsSeconds" in told


@pytest.mark.parametrize(
    ("calls_a_month", "is_beyond"), [(CALLS_OF_TEAM, False), (CALLS_OF_TEAM + 1, True)]
)
def test_as_many_calls_as_the_plan_has_are_enough(
    calls_a_month: int,
    is_beyond: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    assert ("used up" in describe_plan(calls_a_month)) is is_beyond


def test_the_readme_and_the_runbook_name_what_the_plan_has() -> None:
    runbook = README.with_name("docs") / "runbook.md"
    for page in (README, runbook):
        assert f"{CALLS_OF_TEAM:,}" in page.read_text(encoding="utf-8")


def test_a_night_takes_no_more_calls_than_are_told() -> None:
    with running_world() as world:
        a_history(world, shown=True)
        pages = sum(-(-len(table.records()) // 100) for table in world.base.tables())
        begun = len(world.effects.seen)
        compare(world)
        made = [effect for effect in world.effects.seen[begun:] if effect.startswith("GET /v0/")]
        assert 0 < len(made) <= READINGS_OF_A_RECORD * pages


def test_the_readme_says_what_comparing_a_full_base_comes_to() -> None:
    with running_world() as world:
        most = comparing_calls_a_month(world.config)
    assert (world.config.airtable_records, most) == (50_000, 30_416)
    told = f"in a base that is full, about {round(most, -4):,} calls a month"
    assert told in " ".join(README.read_text(encoding="utf-8").split())
