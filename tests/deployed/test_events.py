"""Each function takes the events it is sent: the samples in events/, on the deployed stack."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from giftcards.flows.reconcile.reconcile import RunEnd
from ops.command_line import main
from ops.workers import describe_workers
from sandbox.demo import OFFICE_EMAIL
from sandbox.embedded_aws import PROJECT, WORKERS_OF_A_NEW_ACCOUNT
from tests.deployed.stack import Stack, wait_until

pytestmark = [
    pytest.mark.deployed,
    pytest.mark.sockets,
    pytest.mark.usefixtures("day_is_over"),
]

# A run of the prong holds its lease for moments; a killed one would for 30 s.
LEASE_SECONDS = 45

# A prong that failed runs again within a minute; this machine may be busy.
WELL_SECONDS = 120


def invoke(stack: Stack, output: str, event: dict[str, Any]) -> Any:
    """Run a function with an event; fail with what it raised."""
    reply = stack.client("lambda").invoke(
        FunctionName=stack.outputs()[output], Payload=json.dumps(event)
    )
    answer = json.loads(reply["Payload"].read())
    assert "FunctionError" not in reply, answer
    return answer


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((PROJECT / "events" / f"{name}.json").read_text())
    return event


def test_every_sample_belongs_to_a_function_and_every_function_has_one() -> None:
    functions = {path.parent.name for path in (PROJECT / "functions").glob("*/handler.py")}
    samples = {path.name.split(".")[0] for path in (PROJECT / "events").glob("*.json")}
    assert samples == functions


PRONGS = [
    ("StoreTransactionsFunction", "store_transactions"),
    ("ShopifyPurchasesFunction", "shopify_purchases"),
    ("ShopifyRedemptionsFunction", "shopify_redemptions"),
]


@pytest.mark.parametrize(("output", "name"), PRONGS)
def test_eventbridges_minute_makes_the_prong_run(stack: Stack, output: str, name: str) -> None:
    wait_until(
        lambda: invoke(stack, output, sample(f"{name}.schedule")) == {"tick": "ran"},
        seconds=LEASE_SECONDS,
        what="a run that finds the lease free",
    )


@pytest.mark.parametrize(("output", "name"), PRONGS)
def test_the_sampled_tick_is_long_over_and_dropped(stack: Stack, output: str, name: str) -> None:
    assert invoke(stack, output, sample(f"{name}.tick")) == {"tick": "late"}


@pytest.mark.parametrize(("output", "name"), PRONGS)
def test_a_tick_that_is_due_now_is_taken(stack: Stack, output: str, name: str) -> None:
    event = sample(f"{name}.tick")
    event["Records"][0]["body"] = json.dumps({"due": datetime.now(UTC).isoformat()})
    assert invoke(stack, output, event)["tick"] in {"ran", "held"}


def test_the_sweeps_timer_finds_nothing_to_do_or_does_it(stack: Stack) -> None:
    assert invoke(stack, "SweepFunction", sample("sweep"))["finished"] >= 0


def test_the_timer_takes_a_turn_at_comparing_the_books(stack: Stack) -> None:
    ends = {str(end) for end in RunEnd} - {RunEnd.PAUSED}
    assert invoke(stack, "ReconcileFunction", sample("reconcile"))["reconcile"] in ends


@pytest.mark.parametrize(
    ("output", "name"),
    [
        ("AnswerStoreFunction", "answer_store"),
        ("WriteAirtableFunction", "write_airtable"),
        ("IssueCardsFunction", "issue_cards"),
        ("DeliverToCustomerFunction", "deliver_to_customer.delivery"),
        ("AdjustBalanceFunction", "adjust_balance"),
        ("TagOrderFunction", "tag_order"),
    ],
)
def test_a_message_about_an_operation_nobody_knows_fails_alone(
    stack: Stack, output: str, name: str
) -> None:
    """Only the message that names the unknown operation is sent back to its queue."""
    event = sample(name)
    unknown = [record for record in event["Records"] if "operation" in record["body"]]
    assert invoke(stack, output, event) == {
        "batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in unknown]
    }


def test_the_sampled_bounce_is_noted_once(stack: Stack) -> None:
    event = sample("deliver_to_customer.bounce")
    about = json.loads(event["Records"][0]["body"])["detail"]["mail"]
    key = {"key": {"S": f"op#bounce#{about['messageId']}"}}

    for _ in range(2):
        assert invoke(stack, "DeliverToCustomerFunction", event) == {"batchItemFailures": []}

    journal = stack.client("dynamodb")
    noted = journal.get_item(TableName=stack.outputs()["TableName"], Key=key)["Item"]
    assert noted["kind"]["S"] == "bounce"
    office = f"Reference: bounce#{about['messageId']}"

    def told() -> list[str]:
        mails = stack.sandbox.inbox.mails()
        return [mail.to for mail in mails if office in mail.text.splitlines()]

    wait_until(lambda: bool(told()), seconds=60, what="the office is told")
    assert told() == [OFFICE_EMAIL]


def test_ops_reads_the_deployed_stack(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.sandbox.aws.url)
    said = ""

    def all_are_well() -> bool:
        nonlocal said
        assert main(["status", "--stack", stack.sandbox.stack, "--region", "us-east-1"]) == 0
        said = capsys.readouterr().out
        return all(f"{prong}: well since" in said for _, prong in PRONGS)

    wait_until(all_are_well, seconds=WELL_SECONDS, what="each prong has ended a run well")
    assert "Running since" in said
    assert "Dead letters: 0" in said
    assert "Books: " in said


def test_ops_reads_how_many_workers_the_account_may_run(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.sandbox.aws.url)
    first, *advice = describe_workers(stack.sandbox.aws.session())
    assert f"may run {WORKERS_OF_A_NEW_ACCOUNT} workers at once" in first
    assert advice, "a new account has too few"


def test_ops_names_a_stack_that_does_not_exist(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.sandbox.aws.url)
    assert main(["status", "--stack", "nowhere", "--region", "us-east-1"]) == 1
    assert "nowhere" in capsys.readouterr().err
