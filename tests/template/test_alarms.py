"""Somebody hears of it when something fails, and reads what to do."""

import json
import re
from typing import Any, NamedTuple

import pytest

from giftcards.metrics import Metric, Metrics
from giftcards.store.queues import (
    ANSWER_RETRY_SECONDS,
    DELIVER_RETRY_SECONDS,
    LONGEST_DELAY_SECONDS,
)
from ops.command_line import PRONGS
from tests.cloudformation import TEMPLATE
from tests.handlers import handler_file
from tests.template.reading import (
    ALARM,
    FUNCTION,
    attribute_of,
    dead_letter_queue_of,
    events,
    of_type,
    reference_to,
    work_queues,
)

RUNBOOK = TEMPLATE.parent / "docs" / "runbook.md"

STAGE = "prod"

# So many series an AWS account has for nothing (CloudWatch pricing), and the design no more.
FREE_SERIES = 10

# Within so long CloudWatch has a number and has looked at it.
SECONDS_TO_BE_TOLD = 120

# Sections of the runbook that belong to no alarm.
ALSO_IN_THE_RUNBOOK = {
    "Before anything else",
    "Sending dead letters again",
    "Restoring the journal",
}


def _watching(template: dict[str, Any], metric: str) -> dict[str, dict[str, Any]]:
    return {
        name: alarm
        for name, alarm in of_type(template, ALARM).items()
        if alarm["MetricName"] == metric
    }


def _dimension(alarm: dict[str, Any], name: str) -> Any:
    return {each["Name"]: each["Value"] for each in alarm["Dimensions"]}[name]


def test_every_alarm_tells_a_person(template: dict[str, Any]) -> None:
    topic = template["Resources"]["Alarms"]["Properties"]

    assert topic["Subscription"] == [{"Protocol": "email", "Endpoint": {"Ref": "AlarmEmail"}}]
    # CloudWatch may not use the key alias/aws/sns: alarms would be lost without a trace.
    assert "KmsMasterKeyId" not in topic
    for name, alarm in of_type(template, ALARM).items():
        assert alarm["AlarmActions"] == [{"Ref": "Alarms"}], name
        assert "ActionsEnabled" not in alarm, name


def test_cloudwatch_may_tell_that_person(template: dict[str, Any]) -> None:
    policy = template["Resources"]["AlarmsPolicy"]["Properties"]
    (statement,) = policy["PolicyDocument"]["Statement"]

    assert policy["Topics"] == [{"Ref": "Alarms"}]
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statement["Action"] == "sns:Publish"
    assert statement["Resource"] == {"Ref": "Alarms"}


def test_every_functions_errors_raise_an_alarm(template: dict[str, Any]) -> None:
    watched = {
        reference_to(_dimension(alarm, "FunctionName"))
        for alarm in _watching(template, "Errors").values()
        if alarm["Threshold"] == 1 and alarm["Statistic"] == "Sum"
    }

    assert watched == set(of_type(template, FUNCTION))


def test_an_alarm_still_looks_at_the_minute_in_which_a_long_run_began(
    template: dict[str, Any],
) -> None:
    """AWS counts an error at the moment its function was called, and tells of it at its end."""
    functions = of_type(template, FUNCTION)
    usual = template["Globals"]["Function"].get("Timeout")
    for name, alarm in _watching(template, "Errors").items():
        function = functions[reference_to(_dimension(alarm, "FunctionName"))]
        looks_back = alarm["Period"] * alarm["EvaluationPeriods"]
        assert looks_back >= function.get("Timeout", usual) + SECONDS_TO_BE_TOLD, name


def test_every_mail_that_comes_back_raises_an_alarm(template: dict[str, Any]) -> None:
    # Events of the default bus are counted by their rule's name alone (EventBridge, "Metrics").
    rule = template["Resources"]["MailCameBack"]["Properties"]
    (alarm,) = (
        alarm for alarm in of_type(template, ALARM).values() if alarm["Namespace"] == "AWS/Events"
    )

    assert "EventBusName" not in rule
    assert alarm["Dimensions"] == [{"Name": "RuleName", "Value": {"Ref": "MailCameBack"}}]
    assert (alarm["MetricName"], alarm["Statistic"]) == ("Invocations", "Sum")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanOrEqualToThreshold", 1)


def test_every_dead_letter_raises_an_alarm(template: dict[str, Any]) -> None:
    watched = {
        attribute_of(_dimension(alarm, "QueueName"))
        for alarm in _watching(template, "ApproximateNumberOfMessagesVisible").values()
        if alarm["Threshold"] == 1 and alarm["Statistic"] == "Maximum"
    }

    assert watched == {dead_letter_queue_of(queue) for queue in work_queues(template).values()}


def test_a_prong_that_finishes_nothing_for_five_minutes_raises_an_alarm(
    template: dict[str, Any],
) -> None:
    alarms = _watching(template, "RunFinished")

    assert {_dimension(alarm, "prong") for alarm in alarms.values()} == set(PRONGS)
    assert len(alarms) == len(PRONGS)
    for name, alarm in alarms.items():
        assert alarm["Period"] * alarm["EvaluationPeriods"] == 300, name
        assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"], name
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1), name
        assert alarm["Statistic"] == "Sum", name
        assert alarm["TreatMissingData"] == "breaching", name


def test_a_timer_that_nobody_rings_any_more_raises_an_alarm(template: dict[str, Any]) -> None:
    timers = {
        name
        for name, function in of_type(template, FUNCTION).items()
        if events(function, "Schedule") and not events(function, "SQS")
    }
    watched = {
        reference_to(_dimension(alarm, "FunctionName"))
        for alarm in _watching(template, "Invocations").values()
        if alarm["Namespace"] == "AWS/Lambda"
        and (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
        and (alarm["Statistic"], alarm["TreatMissingData"]) == ("Sum", "breaching")
        # The schedule may be set to ring nearly as rarely as once an hour.
        and alarm["Period"] == 3600
    }

    assert watched == timers == {"Reconcile", "Sweep"}


def test_mail_that_waits_rings_at_once_and_as_long_as_it_lasts(template: dict[str, Any]) -> None:
    (alarm,) = (one for one in _watching(template, "MailWaited").values() if one["Unit"] == "Count")

    assert (alarm["Statistic"], alarm["DatapointsToAlarm"]) == ("Sum", 1)
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanOrEqualToThreshold", 1)
    longest = max(*ANSWER_RETRY_SECONDS, *DELIVER_RETRY_SECONDS)
    assert alarm["Period"] * alarm["EvaluationPeriods"] >= longest + SECONDS_TO_BE_TOLD


def test_whatever_waits_in_a_queue_without_an_order_rings(template: dict[str, Any]) -> None:
    """There SQS tells no age of what was tried three times; ticks are dropped instead."""
    queues = work_queues(template)
    ringing = {
        name
        for name in of_type(template, FUNCTION)
        if "late=app." in handler_file(name).read_text()
    }
    reading = {
        name
        for name, function in of_type(template, FUNCTION).items()
        for source in events(function, "SQS")
        if not events(function, "Schedule")
        and not queues[attribute_of(source["Queue"])].get("FifoQueue")
    }
    mailing = {
        name
        for name in of_type(template, FUNCTION)
        if "ses:SendEmail" in json.dumps(template["Resources"][f"{name}Role"])
    }

    assert ringing == reading == mailing == {"AnswerStore", "DeliverToCustomer"}


def test_a_queue_that_nobody_reads_raises_an_alarm(template: dict[str, Any]) -> None:
    """Without an invocation there is no error, and without a receive no dead letter.

    Ticks are left out: while they are not read, their prong's runs stay away as well.
    """
    ticks = {
        attribute_of(source["Queue"])
        for function in of_type(template, FUNCTION).values()
        if events(function, "Schedule")
        for source in events(function, "SQS")
    }
    watched = set()
    for name, alarm in _watching(template, "ApproximateAgeOfOldestMessage").items():
        watched.add(attribute_of(_dimension(alarm, "QueueName")))
        assert alarm["Statistic"] == "Maximum", name
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold", name
        assert alarm["Threshold"] == 2 * LONGEST_DELAY_SECONDS, name
        assert alarm["Threshold"] < min(
            queue["MessageRetentionPeriod"]
            for name, queue in work_queues(template).items()
            if name not in ticks
        )

    assert ticks
    assert watched == set(work_queues(template)) - ticks


class Said(NamedTuple):
    """What CloudWatch knows a number by, and its unit."""

    namespace: str
    name: str
    unit: str
    dimensions: dict[str, str]

    @property
    def series(self) -> tuple[object, ...]:
        """What CloudWatch charges for: name and dimensions, whatever the unit ("Metrics")."""
        return (self.name, *sorted(self.dimensions.items()))


def said_by(metric: Metric, capsys: pytest.CaptureFixture[str]) -> list[Said]:
    """What the functions write into their logs for a metric."""
    metrics = Metrics(STAGE)
    if metric is Metric.RUN_FINISHED:
        for prong in PRONGS:
            metrics.count_finished_run(prong)
    else:
        metrics.count(metric)
    if metric is Metric.MAIL_WAITED:
        metrics.note_seconds(metric, 9)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [
        Said(
            namespace=sent["Namespace"],
            name=one["Name"],
            unit=one["Unit"],
            dimensions={name: said[name] for name in dimensions},
        )
        for said in lines
        for sent in said["_aws"]["CloudWatchMetrics"]
        for one in sent["Metrics"]
        for dimensions in sent["Dimensions"]
    ]


@pytest.mark.parametrize("metric", Metric)
def test_an_alarm_listens_to_what_is_really_said(
    template: dict[str, Any], metric: Metric, capsys: pytest.CaptureFixture[str]
) -> None:
    # CloudWatch takes metrics of other dimensions for other metrics, and would never hear a beat.
    said = said_by(metric, capsys)
    units = {one.unit for one in said}
    listened_to = [
        Said(
            namespace=alarm["Namespace"],
            name=alarm["MetricName"],
            # Without one, an alarm on a metric of two units is unpredictable (PutMetricAlarm).
            unit=alarm["Unit"] if len(units) > 1 else alarm.get("Unit", *units),
            dimensions=_listens_to(alarm),
        )
        for alarm in _watching(template, metric).values()
    ]
    assert len(said) == len(listened_to)
    assert all(one in listened_to for one in said)


def _listens_to(alarm: dict[str, Any]) -> dict[str, str]:
    return {
        each["Name"]: value["Fn::Sub"].replace("${Stage}", STAGE)
        if isinstance(value := each["Value"], dict)
        else value
        for each in alarm["Dimensions"]
    }


def test_there_are_no_more_series_than_are_free(
    template: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    series = set()
    for function in of_type(template, FUNCTION).values():
        service = function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", service)
        for metric in Metric:
            series |= {said.series for said in said_by(metric, capsys)}
    assert len(Metric) <= len(series) <= FREE_SERIES


def test_nothing_is_counted_past_the_list_of_metrics() -> None:
    layer = TEMPLATE.parent / "layers" / "shared" / "giftcards"
    counting = {path.name for path in layer.rglob("*.py") if "single_metric(" in path.read_text()}
    assert counting == {"metrics.py"}
    # Each further prong with a heartbeat is a further series.
    assert (layer / "wiring.py").read_text().count("count_finished_run(") == 1
    handlers = (TEMPLATE.parent / "functions").rglob("*.py")
    assert not [path for path in handlers if "metric" in path.read_text().lower()]


def test_every_alarm_says_what_it_means_and_where_to_read_on(template: dict[str, Any]) -> None:
    sections = set(re.findall(r"^## (.+)$", RUNBOOK.read_text(), flags=re.MULTILINE))
    named = set()
    for name, alarm in of_type(template, ALARM).items():
        found = re.search(r'^(.{20,}) docs/runbook\.md, "(.+)"\.$', alarm["AlarmDescription"])
        assert found, f"{name} does not say where to read on"
        named.add(found.group(2))

    assert named == sections - ALSO_IN_THE_RUNBOOK


def test_every_section_of_an_alarm_answers_the_same_questions(template: dict[str, Any]) -> None:
    text = RUNBOOK.read_text()
    questions = [
        "**What it means.**",
        "**What customers and shops notice.**",
        "**What to look at.**",
        "**What to do.**",
    ]
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        if section.splitlines()[0] not in ALSO_IN_THE_RUNBOOK:
            assert [q for q in questions if q in section] == questions, section.splitlines()[0]
    assert len(of_type(template, ALARM)) > 0
