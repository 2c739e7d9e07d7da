"""Mail that does not go out for ten minutes rings: nobody else would hear of it for hours."""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from giftcards.errors import AccessRefused, NotSent
from giftcards.flows.deliver import LATE_TRIES, LATE_WAIT_SECONDS, WAITS
from giftcards.flows.messages import Late, take_each
from giftcards.logs import build_logger
from giftcards.metrics import Metric
from giftcards.store.queues import (
    ANSWER_LATE_RECEIVES,
    ANSWER_RETRY_SECONDS,
    DELIVER_LATE_RECEIVES,
    DELIVER_RETRY_SECONDS,
)
from sandbox.faults import Fault
from tests.aws_in_memory.errors import refusal
from tests.world import World

CODE = "wxyz2345abcd6789"

# How often somebody looks into the queues; more than any wait is rounded by.
LOOK_SECONDS = 5

# What a mail has been tried for when it rings: no hiccup, and with the minutes CloudWatch takes for
# it no later than a quarter of an hour.
EARLIEST_SECONDS = 480
LATEST_SECONDS = 780

# An hour in which nothing is sent, and mail is tried again each five minutes.
OUTAGE_SECONDS = 3600


def rings_in(output: str) -> int:
    """How often the functions' logs counted a mail that waits."""
    told = [json.loads(line) for line in output.splitlines() if f'"{Metric.MAIL_WAITED}"' in line]
    units = [
        one["Unit"]
        for line in told
        for sent in line["_aws"]["CloudWatchMetrics"]
        for one in sent["Metrics"]
    ]
    return units.count("Count")


def no_quota(name: str) -> None:
    if "SendEmail" in name:
        raise refusal("SendEmail", "LimitExceededException", "Daily message quota exceeded.")


def nothing_special(name: str) -> None:
    del name


def moments_of_rings(
    world: World, capsys: pytest.CaptureFixture[str], *, seconds: int
) -> list[int]:
    """After how many seconds each ring came, while the queues are served."""
    moments = []
    capsys.readouterr()
    for passed in range(0, seconds, LOOK_SECONDS):
        world.drain()
        moments += [passed] * rings_in(capsys.readouterr().out)
        world.advance(LOOK_SECONDS)
    return moments


def a_redemption(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)


def a_question(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.check_balance(CODE)


@pytest.mark.parametrize("ask", [a_redemption, a_question])
def test_a_used_up_quota_of_ses_rings_in_time_and_as_long_as_it_lasts(
    world: World, capsys: pytest.CaptureFixture[str], ask: Callable[[World], None]
) -> None:
    ask(world)
    world.effects.watch = no_quota
    world.tick()
    moments = moments_of_rings(world, capsys, seconds=OUTAGE_SECONDS)
    assert EARLIEST_SECONDS <= moments[0] <= LATEST_SECONDS
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert max(gaps) <= ANSWER_RETRY_SECONDS[-1] + 2 * LOOK_SECONDS
    world.effects.watch = nothing_special
    world.come_to_rest()
    assert len(world.mails()) == 1


@pytest.mark.parametrize("ask", [a_redemption, a_question])
def test_a_hiccup_of_ses_does_not_ring(
    world: World, capsys: pytest.CaptureFixture[str], ask: Callable[[World], None]
) -> None:
    ask(world)
    world.effects.watch = no_quota
    world.tick()
    moments = moments_of_rings(world, capsys, seconds=300)
    assert world.mails() == []
    world.effects.watch = nothing_special
    moments += moments_of_rings(world, capsys, seconds=OUTAGE_SECONDS)
    assert len(world.mails()) == 1
    assert moments == []


def test_klaviyo_away_rings_in_time(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.klaviyo.faults.add(Fault.THROTTLE, operation="event", times=None)
    world.sell()
    world.tick()
    moments = moments_of_rings(world, capsys, seconds=LATEST_SECONDS + LOOK_SECONDS)
    assert len(moments) == 1
    assert moments[0] >= EARLIEST_SECONDS


def test_klaviyo_that_asks_for_long_waits_rings_at_once(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its fifth refusal would come after hours."""
    wait = LATE_WAIT_SECONDS
    world.klaviyo.faults.add(Fault.THROTTLE, operation="event", times=1, seconds=wait)
    world.sell()
    world.tick()
    assert moments_of_rings(world, capsys, seconds=LOOK_SECONDS) == [0]


def test_a_hiccup_of_klaviyo_does_not_ring(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.klaviyo.faults.add(Fault.THROTTLE, operation="event", times=LATE_TRIES - 1)
    world.sell()
    world.tick()
    moments = moments_of_rings(world, capsys, seconds=LATEST_SECONDS + LOOK_SECONDS)
    assert len(world.klaviyo.events) == 1
    assert moments == []


def test_a_refused_key_of_klaviyo_rings_as_what_a_person_has_to_mend(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.klaviyo.faults.add(Fault.REFUSE_TOKEN, operation="event", times=None)
    world.sell()
    world.tick()
    capsys.readouterr()
    failed = 0
    for _ in range(0, LATEST_SECONDS, LOOK_SECONDS):
        world.drain()
        world.advance(LOOK_SECONDS)
        output = capsys.readouterr().out
        failed += output.count(f'"{Metric.MESSAGE_FAILED}":')
        assert rings_in(output) == 0
    assert failed >= LATE_TRIES


def record(receive_count: int) -> dict[str, Any]:
    return {
        "messageId": "m",
        "receiptHandle": "h",
        "body": json.dumps({"operation": "redemption#rec1"}),
        "attributes": {"ApproximateReceiveCount": str(receive_count)},
    }


class Bells:
    """Counts which of them rings."""

    def __init__(self) -> None:
        self.rung: list[str] = []

    def take(self, receive_count: int, error: Exception | None, *, late: bool = True) -> list[str]:
        """Take one message that came so often and ends so; return what rang."""

        def work(_: object) -> None:
            if error is not None:
                raise error

        take_each(
            {"Records": [record(receive_count)]},
            work,
            retry_soon=lambda _, *, receive_count: receive_count > 0,
            logger=build_logger("tests"),
            note_failed=lambda: self.rung.append("failed"),
            late=Late(receives=5, note=lambda: self.rung.append("late")) if late else None,
        )
        return self.rung


@pytest.mark.parametrize(
    ("receive_count", "error", "rung"),
    [
        (1, NotSent("SES is away"), []),
        (4, NotSent("SES is away"), []),
        (5, NotSent("SES is away"), ["late"]),
        (6, NotSent("SES is away"), ["late"]),
        (5, None, []),
        (5, AccessRefused("no permission"), ["failed"]),
        (5, KeyError("a bug"), ["failed"]),
    ],
)
def test_what_was_to_be_tried_again_too_often_rings(
    receive_count: int, error: Exception | None, rung: list[str]
) -> None:
    assert Bells().take(receive_count, error) == rung


def test_what_is_no_mail_does_not_ring_for_being_late() -> None:
    assert Bells().take(300, NotSent("Shopify is away"), late=False) == []


@pytest.mark.parametrize(
    ("waits", "tries"),
    [
        (ANSWER_RETRY_SECONDS, ANSWER_LATE_RECEIVES),
        (DELIVER_RETRY_SECONDS, DELIVER_LATE_RECEIVES),
        (WAITS, LATE_TRIES),
    ],
)
def test_a_mail_is_late_as_soon_as_it_is_no_hiccup(waits: tuple[int, ...], tries: int) -> None:
    """Whatever somebody makes of the waits: the first try that comes late enough rings."""
    tried_for = [sum(waits[min(n, len(waits) - 1)] for n in range(count)) for count in range(20)]
    assert tried_for[tries - 2] < EARLIEST_SECONDS <= tried_for[tries - 1] <= LATEST_SECONDS
