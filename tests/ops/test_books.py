"""`ops reconcile` leaves a wish, waits if it is told to, and `ops status` tells how it stands."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from giftcards.store.control import lease_key
from giftcards.store.leases import Lease
from giftcards.store.runs import LastRun, RunState
from giftcards.wiring import RECONCILE_PRONG, Application, now
from ops.books import LOOK_EVERY_SECONDS, MOST_LOOKS
from ops.command_line import reconcile, show_status
from ops.deployment import count_dead_letters
from tests.world import World, running_world

LINE = "0 drift over 1,234 cards at 03:10"
NOT_WAITING = argparse.Namespace(all=False, wait=False)
ALL = argparse.Namespace(all=True, wait=False)
WAITING = argparse.Namespace(all=False, wait=True)


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as opened:
        yield opened


def lease(app: Application) -> Lease:
    """The right to compare, as the function takes it."""
    taken = app.leases.acquire(lease_key(RECONCILE_PRONG), now=app.clock())
    assert taken is not None
    return taken


def under_way(app: Application, *, wish: int = 0) -> RunState:
    return RunState(
        id="20261123T1510Z",
        began_at=app.clock(),
        since=None,
        reads_all=False,
        granted=wish,
        phase="cards",
        step=3,
        looked_at={"rows of cards": 1234},
    )


def ended(app: Application, *, wish: int = 0, is_failed: bool = False) -> LastRun:
    return LastRun(
        id="20261123T1510Z",
        began_at=app.clock() - timedelta(minutes=10),
        ended_at=app.clock(),
        granted=wish,
        is_failed=is_failed,
        differences=int(is_failed),
        summary=LINE,
        report="reports/2026-11-23/20261123T1510Z.html",
    )


def test_a_stack_that_never_compared_says_so(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    show_status(world.app)
    assert "Books: never compared yet" in capsys.readouterr().out


def test_status_tells_the_last_result_and_where_its_report_lies(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    app = world.app
    app.runs.end(lease(app), ended(app), is_complete=True)
    show_status(app)
    said = capsys.readouterr().out
    assert f"Books: {LINE}" in said
    assert f"s3://{app.config.bucket}/reports/2026-11-23/20261123T1510Z.html" in said
    assert "under way" not in said


def test_status_tells_how_far_one_under_way_has_got(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    app = world.app
    app.runs.save(lease(app), under_way(app))
    show_status(app)
    said = capsys.readouterr().out
    assert "under way since 2026-11-23T15:00:00+00:00: cards, 3 steps of it done" in said
    assert "rows of cards 1,234" in said


def test_a_comparison_is_asked_for(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert reconcile(world.app, NOT_WAITING) == 0
    standing = world.app.runs.standing()
    assert (standing.is_wished, standing.wishes, standing.all_wished) == (True, 1, 0)
    show_status(world.app)
    assert "one is asked for" in capsys.readouterr().out


def test_nothing_is_asked_for_while_all_is_paused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.app.control.throw_switch(run=False, by="Ann", now=now())
    assert reconcile(world.app, WAITING) == 1
    assert "Paused" in capsys.readouterr().err
    assert not world.app.runs.standing().is_wished


def test_every_movement_is_asked_for(world: World) -> None:
    reconcile(world.app, NOT_WAITING)
    reconcile(world.app, ALL)
    assert world.app.runs.standing().all_wished == 2


def sleeping(app: Application, *meanwhile: Callable[[], object]) -> tuple[Application, list[float]]:
    """The application of somebody who waits, and how long it slept; what happens at each sleep."""
    slept: list[float] = []
    left = list(meanwhile)

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if left:
            left.pop(0)()

    return replace(app, sleep=sleep), slept


@pytest.mark.parametrize(("is_failed", "code"), [(False, 0), (True, 1)])
def test_waiting_ends_with_the_run_that_was_asked_for(
    world: World, capsys: pytest.CaptureFixture[str], *, is_failed: bool, code: int
) -> None:
    app, taken = world.app, lease(world.app)
    waiting, slept = sleeping(
        app,
        lambda: app.runs.end(taken, ended(app), is_complete=True),  # begun before the wish
        lambda: app.runs.save(taken, under_way(app, wish=1)),
        lambda: None,
        lambda: app.runs.end(taken, ended(app, wish=1, is_failed=is_failed), is_complete=True),
    )
    assert reconcile(waiting, WAITING) == code
    said = capsys.readouterr().out
    assert slept == [LOOK_EVERY_SECONDS] * 4
    assert said.count("one is under way") == 1, "told once for each phase"
    assert f"Books: {LINE}" in said


def test_waiting_ends_even_where_the_run_does_not(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting, slept = sleeping(world.app)
    assert reconcile(waiting, WAITING) == 1
    assert len(slept) == MOST_LOOKS
    assert "`ops status`" in capsys.readouterr().err


def test_status_counts_what_is_parked(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.app.attempts.begin("rec1")
    world.app.attempts.park("rec1", now=now())
    show_status(world.app)
    assert "Parked: 0 operations, 1 rows" in capsys.readouterr().out


def test_dead_letters_are_counted_by_their_queue(world: World) -> None:
    outputs = {f"{name}Url": url for name, url in world.queue_urls.items()}
    world.sqs.send_message(QueueUrl=world.queue_urls["AnswerStoreDeadLetters"], MessageBody="{}")
    world.sqs.send_message(QueueUrl=world.queue_urls["AnswerStoreQueue"], MessageBody="{}")
    counts = count_dead_letters(outputs, world.app.aws)
    assert len(counts) == sum(name.endswith("DeadLetters") for name in world.queue_urls)
    assert {name: count for name, count in counts.items() if count} == {"AnswerStore": 1}
