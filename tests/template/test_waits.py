"""The waits fit each other: time-outs, leases, visibility, and how many workers run at once."""

import re
from typing import Any

import pytest

from giftcards.flows.redeem import CLOCK_SKEW_SECONDS
from giftcards.store.queues import (
    ANSWER_RETRY_SECONDS,
    DELIVER_RETRY_SECONDS,
    ISSUE_GROUP,
    ISSUE_RETRY_SECONDS,
    OUTCOMES_GROUP,
    RECORDS_GROUP,
    WRITE_RETRY_SECONDS,
)
from tests.template.reading import FUNCTION, QUEUE, attribute_of, events, of_type

# AWS's advice for a queue read by a function, so that no message comes back while it is worked on.
VISIBILITY_TIMES_TIMEOUT = 6

# What a new AWS account may have (AWS Lambda quotas).
WORKERS_OF_A_NEW_ACCOUNT = 10

# A run of a prong is under way, and the next tick comes.
AT_ONCE_OF_A_PRONG = 2

# A FIFO queue has as many readers at work as it has groups with messages (AWS Lambda and SQS FIFO).
GROUPS = {
    "WriteAirtable": len({OUTCOMES_GROUP, RECORDS_GROUP}),
    "IssueCards": len({ISSUE_GROUP}),
}
UNBOUNDED = 1000

# They hold the lock of a card while money moves.
MOVE_MONEY = ("StoreTransactions", "Sweep")

# SES answers within 2 s to connect and 5 s to read (giftcards.wiring), or the mail is tried again.
SECONDS_PER_MAIL = 7


def _default(template: dict[str, Any], parameter: str) -> int:
    return int(template["Parameters"][parameter]["Default"])


def _rate_seconds(template: dict[str, Any], schedule: Any) -> int:
    if isinstance(schedule, dict):
        schedule = template["Parameters"][schedule["Ref"]]["Default"]
    match = re.fullmatch(r"rate\((\d+) minutes?\)", schedule)
    assert match, schedule
    return int(match.group(1)) * 60


def test_no_message_comes_back_while_it_is_worked_on(template: dict[str, Any]) -> None:
    queues = of_type(template, QUEUE)
    for name, function in of_type(template, FUNCTION).items():
        for event in events(function, "SQS"):
            queue = queues[attribute_of(event["Queue"])]
            least = VISIBILITY_TIMES_TIMEOUT * function["Timeout"]
            assert queue["VisibilityTimeout"] >= least, name


def test_whoever_lost_a_lease_is_dead_by_default(template: dict[str, Any]) -> None:
    lease = _default(template, "LeaseSeconds")
    http = _default(template, "HttpTimeoutSeconds")
    for name in MOVE_MONEY:
        timeout = template["Resources"][name]["Properties"]["Timeout"]
        assert lease > timeout + http + CLOCK_SKEW_SECONDS, name


def test_whoever_lost_a_lease_is_dead_whatever_a_retailer_sets(template: dict[str, Any]) -> None:
    least_lease = template["Parameters"]["LeaseSeconds"]["MinValue"]
    longest_http = template["Parameters"]["HttpTimeoutSeconds"]["MaxValue"]
    for name in MOVE_MONEY:
        timeout = template["Resources"][name]["Properties"]["Timeout"]
        assert least_lease > timeout + longest_http + CLOCK_SKEW_SECONDS, name


def test_a_charge_settles_only_after_its_call_is_over(template: dict[str, Any]) -> None:
    settling = template["Parameters"]["SettlingSeconds"]

    assert _default(template, "SettlingSeconds") >= 10 * _default(template, "HttpTimeoutSeconds")
    assert settling["MinValue"] >= _default(template, "HttpTimeoutSeconds")


def test_ticks_are_dropped_before_the_next_one_is_due(template: dict[str, Any]) -> None:
    offsets = [
        int(part) for part in template["Parameters"]["TickOffsetsSeconds"]["Default"].split(",")
    ]
    gaps = [later - earlier for earlier, later in zip([0, *offsets], [*offsets, 60], strict=True)]

    assert _default(template, "TickToleranceSeconds") < min(gaps)


def test_a_tick_that_failed_can_come_back_before_it_is_forgotten(template: dict[str, Any]) -> None:
    queue = template["Resources"]["StoreTicksQueue"]["Properties"]
    receives = queue["RedrivePolicy"]["maxReceiveCount"]

    assert queue["MessageRetentionPeriod"] > 60 + queue["VisibilityTimeout"] * receives


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("AnswerStoreQueue", ANSWER_RETRY_SECONDS),
        ("WriteAirtableQueue", WRITE_RETRY_SECONDS),
        ("IssueCardsQueue", ISSUE_RETRY_SECONDS),
        ("DeliverToCustomerQueue", DELIVER_RETRY_SECONDS),
    ],
)
def test_one_offs_are_tried_through_an_outage_of_an_hour(
    template: dict[str, Any], name: str, steps: tuple[int, ...]
) -> None:
    queue = template["Resources"][name]["Properties"]
    tries = queue["RedrivePolicy"]["maxReceiveCount"]
    waits = [steps[min(n, len(steps) - 1)] for n in range(tries - 1)]
    assert sum(waits) > 3600
    assert sum(waits) < queue["MessageRetentionPeriod"]


def test_a_batch_of_mails_fits_into_the_functions_time(template: dict[str, Any]) -> None:
    function = template["Resources"]["AnswerStore"]["Properties"]
    (answers,) = events(function, "SQS")

    assert answers["BatchSize"] * SECONDS_PER_MAIL < function["Timeout"]


def test_timers_end_before_they_ring_again(template: dict[str, Any]) -> None:
    for name, function in of_type(template, FUNCTION).items():
        for event in events(function, "Schedule"):
            assert function["Timeout"] < _rate_seconds(template, event["Schedule"]), name


def test_a_prongs_runs_overlap_by_two_at_most(template: dict[str, Any]) -> None:
    """Ticks come this far apart, and whoever finds the prong's lease held is gone at once."""
    offsets = [
        int(part) for part in template["Parameters"]["TickOffsetsSeconds"]["Default"].split(",")
    ]
    gaps = [later - earlier for earlier, later in zip([0, *offsets], [*offsets, 60], strict=True)]
    prong = template["Resources"]["StoreTransactions"]["Properties"]

    assert prong["Timeout"] < AT_ONCE_OF_A_PRONG * min(gaps)


def test_a_new_account_has_workers_for_the_worst_case(template: dict[str, Any]) -> None:
    worst = 0
    for name, function in of_type(template, FUNCTION).items():
        queues = events(function, "SQS")
        timers = len(events(function, "Schedule"))  # one at a time: see the test above
        if timers and queues:
            worst += AT_ONCE_OF_A_PRONG
            continue
        worst += timers
        worst += sum(
            min(event["ScalingConfig"]["MaximumConcurrency"], GROUPS.get(name, UNBOUNDED))
            for event in queues
        )

    assert 0 < worst <= WORKERS_OF_A_NEW_ACCOUNT
