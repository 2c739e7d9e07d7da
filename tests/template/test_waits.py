"""The waits fit each other: time-outs, leases, visibility, and how many workers run at once."""

import re
from datetime import timedelta
from typing import Any

import pytest

from giftcards.clients.airtable.client import RECORDS_A_PAGE
from giftcards.clients.airtable.connection import RECONCILE_REQUESTS_A_SECOND, SPACED_OUT
from giftcards.flows.money_moves import CLOCK_SKEW_SECONDS
from giftcards.flows.reconcile.phase import STEP_SECONDS
from giftcards.flows.reconcile.reconcile import OVERDUE
from giftcards.store.queues import (
    ADJUST_GROUP,
    ADJUST_RETRY_SECONDS,
    ANSWER_RETRY_SECONDS,
    DELIVER_RETRY_SECONDS,
    ISSUE_GROUP,
    ISSUE_RETRY_SECONDS,
    OUTCOMES_GROUP,
    RECORDS_GROUP,
    TAG_GROUP,
    TAG_RETRY_SECONDS,
    WRITE_RETRY_SECONDS,
)
from giftcards.wiring import RECONCILE_LEASE_SECONDS
from ops.workers import WORKERS_NEEDED
from tests.template.reading import FUNCTION, QUEUE, attribute_of, events, of_type

# AWS's advice for a queue read by a function, so that no message comes back while it is worked on.
VISIBILITY_TIMES_TIMEOUT = 6

# What a new AWS account may have (AWS Lambda quotas).
WORKERS_OF_A_NEW_ACCOUNT = 10

# A run of a prong is under way, and the next tick comes.
AT_ONCE_OF_A_PRONG = 2

# The web shop's prongs look less often: each look is over before the next one is due.
LOOKS_AT_ORDERS = ("ShopifyPurchases", "ShopifyRedemptions")

# A FIFO queue has as many readers at work as it has groups with messages (AWS Lambda and SQS FIFO).
GROUPS = {
    "WriteAirtable": len({OUTCOMES_GROUP, RECORDS_GROUP}),
    "IssueCards": len({ISSUE_GROUP}),
    "AdjustBalance": len({ADJUST_GROUP}),
    "TagOrder": len({TAG_GROUP}),
}
UNBOUNDED = 1000

# What a store with a customer at its counter waits for: its prong, its answer, and of the writers
# the one whose group is what rows should read.
STORES_PATH = {
    "StoreTransactions": AT_ONCE_OF_A_PRONG,
    "AnswerStore": 2,
    "WriteAirtable": len({OUTCOMES_GROUP}),
}

# They hold the lock of a card while money moves.
MOVE_MONEY = ("StoreTransactions", "AdjustBalance", "Sweep")

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


def test_whoever_lost_the_lease_of_a_comparison_is_dead_before_it_ends(
    template: dict[str, Any],
) -> None:
    function = template["Resources"]["Reconcile"]["Properties"]
    longest_http = template["Parameters"]["HttpTimeoutSeconds"]["MaxValue"]
    (timer,) = events(function, "Schedule")

    assert function["Timeout"] + longest_http + CLOCK_SKEW_SECONDS < RECONCILE_LEASE_SECONDS
    assert 3 * _rate_seconds(template, timer["Schedule"]) > RECONCILE_LEASE_SECONDS


def test_a_large_table_is_read_within_one_turn(template: dict[str, Any]) -> None:
    """Airtable promises no place in a list to whoever is away from it for minutes."""
    turn = template["Resources"]["Reconcile"]["Properties"]["Timeout"] - STEP_SECONDS
    rows = turn * RECONCILE_REQUESTS_A_SECOND / SPACED_OUT * RECORDS_A_PAGE

    assert rows > _default(template, "AirtableRecords") / 2


def test_a_comparison_is_overdue_only_after_a_day_and_what_it_may_take(
    template: dict[str, Any],
) -> None:
    turn = template["Resources"]["Reconcile"]["Properties"]["Timeout"]

    # A day of 25 hours, and two turns; the wait between them is added to it.
    assert timedelta(days=1) + timedelta(hours=1) + timedelta(seconds=2 * turn) < OVERDUE


def test_what_is_still_to_be_explained_is_not_looked_at_again(template: dict[str, Any]) -> None:
    assert _default(template, "SecondLookSeconds") > _default(template, "ExplainSeconds")
    # What a lost reply or a slow queue holds up is settled by then, too.
    assert _default(template, "SecondLookSeconds") > _default(template, "SettlingSeconds")


def test_a_charge_settles_only_after_its_call_is_over(template: dict[str, Any]) -> None:
    settling = template["Parameters"]["SettlingSeconds"]

    assert _default(template, "SettlingSeconds") >= 10 * _default(template, "HttpTimeoutSeconds")
    assert settling["MinValue"] >= _default(template, "HttpTimeoutSeconds")


@pytest.mark.parametrize("parameter", ["TickOffsetsSeconds", "OrderOffsetsSeconds"])
def test_ticks_are_dropped_before_the_next_one_is_due(
    template: dict[str, Any], parameter: str
) -> None:
    assert _default(template, "TickToleranceSeconds") < min(_gaps(template, parameter))


@pytest.mark.parametrize("name", ["StoreTicksQueue", "PurchaseTicksQueue", "RedemptionTicksQueue"])
def test_a_tick_that_failed_can_come_back_before_it_is_forgotten(
    template: dict[str, Any], name: str
) -> None:
    queue = template["Resources"][name]["Properties"]
    receives = queue["RedrivePolicy"]["maxReceiveCount"]

    assert queue["MessageRetentionPeriod"] > 60 + queue["VisibilityTimeout"] * receives


def test_each_prong_ticks_by_a_queue_of_its_own(template: dict[str, Any]) -> None:
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    ticking = {}
    for name, function in of_type(template, FUNCTION).items():
        if events(function, "Schedule") and events(function, "SQS"):
            (ticks,) = events(function, "SQS")
            settings = shared | function["Environment"]["Variables"]
            ticking[name] = attribute_of(ticks["Queue"])
            assert settings["TICK_QUEUE_URL"] == {"Ref": ticking[name]}, name

    assert set(ticking) == {"StoreTransactions", *LOOKS_AT_ORDERS}
    assert len(set(ticking.values())) == len(ticking)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("AnswerStoreQueue", ANSWER_RETRY_SECONDS),
        ("WriteAirtableQueue", WRITE_RETRY_SECONDS),
        ("IssueCardsQueue", ISSUE_RETRY_SECONDS),
        ("DeliverToCustomerQueue", DELIVER_RETRY_SECONDS),
        ("AdjustBalanceQueue", ADJUST_RETRY_SECONDS),
        ("TagOrderQueue", TAG_RETRY_SECONDS),
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
            if name != "Reconcile":  # whose lease sends home who comes meanwhile
                assert function["Timeout"] < _rate_seconds(template, event["Schedule"]), name


def test_a_prongs_runs_overlap_by_two_at_most(template: dict[str, Any]) -> None:
    """Ticks come this far apart, and whoever finds the prong's lease held is gone at once."""
    prong = template["Resources"]["StoreTransactions"]["Properties"]

    assert prong["Timeout"] < AT_ONCE_OF_A_PRONG * min(_gaps(template, "TickOffsetsSeconds"))


@pytest.mark.parametrize("name", LOOKS_AT_ORDERS)
def test_a_look_at_orders_is_over_before_the_next_one(template: dict[str, Any], name: str) -> None:
    prong = template["Resources"][name]["Properties"]
    settings = prong["Environment"]["Variables"]
    late = _default(template, "TickToleranceSeconds")

    assert settings["TICK_OFFSETS_SECONDS"] == {"Ref": "OrderOffsetsSeconds"}
    assert prong["Timeout"] + late <= min(_gaps(template, "OrderOffsetsSeconds"))


def _gaps(template: dict[str, Any], parameter: str) -> list[int]:
    """The seconds from each tick of a minute to the next one."""
    offsets = [int(part) for part in template["Parameters"][parameter]["Default"].split(",")]
    return [later - earlier for earlier, later in zip([0, *offsets], [*offsets, 60], strict=True)]


def _most_workers(template: dict[str, Any], name: str) -> int:
    """How many workers of a function can be at work at the same moment."""
    function = template["Resources"][name]["Properties"]
    queues = events(function, "SQS")
    timers = len(events(function, "Schedule"))  # one at work at a time: see the tests above
    if timers and queues:
        return 1 if name in LOOKS_AT_ORDERS else AT_ONCE_OF_A_PRONG
    return timers + sum(
        min(int(event["ScalingConfig"]["MaximumConcurrency"]), GROUPS.get(name, UNBOUNDED))
        for event in queues
    )


def test_the_engineer_is_told_of_as_many_workers_as_the_worst_case_takes(
    template: dict[str, Any],
) -> None:
    worst = sum(_most_workers(template, name) for name in of_type(template, FUNCTION))

    assert worst == WORKERS_NEEDED


def test_the_stores_alone_fit_into_a_new_account_twice(template: dict[str, Any]) -> None:
    for name, workers in STORES_PATH.items():
        assert workers <= _most_workers(template, name), name
    assert 2 * sum(STORES_PATH.values()) <= WORKERS_OF_A_NEW_ACCOUNT
