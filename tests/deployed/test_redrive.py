"""A function breaks and its message gives up; mended, `ops redrive` has the store answered."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ops.command_line import main
from sandbox.demo import Sandbox
from tests.deployed.stack import Stack, wait_until

pytestmark = [pytest.mark.deployed, pytest.mark.sockets]

# A tick, a try or two of a worker that cannot start, and a busy machine.
GIVES_UP_SECONDS = 120
IS_ANSWERED_SECONDS = 60

# The rows of the seeded day take several runs, and their answers would give up as well.
DAY_SECONDS = 180

# In production it takes thirty tries over two hours.
TRIES = "2"
SECONDS_A_TRY = "2"


@contextmanager
def broken(stack: Stack, function: str) -> Iterator[None]:
    """The function cannot start meanwhile: somebody took its table's name away."""
    functions = stack.client("lambda")
    name = stack.outputs()[function]
    settings = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    without = {key: value for key, value in settings.items() if key != "TABLE_NAME"}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": without})
    try:
        yield
    finally:
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": settings}
        )


@contextmanager
def impatient(stack: Stack, url: str) -> Iterator[None]:
    """The queue gives up after seconds instead of hours."""
    sqs = stack.client("sqs")
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    before = {name: told[name] for name in ("VisibilityTimeout", "RedrivePolicy")}
    policy = json.loads(before["RedrivePolicy"]) | {"maxReceiveCount": TRIES}
    changed = {"VisibilityTimeout": SECONDS_A_TRY, "RedrivePolicy": json.dumps(policy)}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=changed)
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


def day_is_answered(sandbox: Sandbox, stack: Stack, url: str) -> bool:
    """Every row of the seeded day that gets an outcome has it, and no answer is on its way."""
    rows = {row["id"]: row["fields"] for row in sandbox.base.table("Redemptions").records()}
    told = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    counts = (
        told["Attributes"]["ApproximateNumberOfMessages"],
        told["Attributes"]["ApproximateNumberOfMessagesNotVisible"],
    )
    answered = [row.id for row in sandbox.day.rows if row.expected.is_outcome]
    return set(counts) == {"0"} and all("Outcome" in rows[row_id] for row_id in answered)


def lying(stack: Stack, url: str) -> list[str]:
    """What lies there, as far as one look shows; nobody is kept from it."""
    reply: dict[str, Any] = stack.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return [message["Body"] for message in reply.get("Messages", [])]


def test_what_gave_up_is_shown_sent_again_and_completes(
    sandbox: Sandbox,
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.aws.url)
    outputs = stack.outputs()
    dead = outputs["AnswerStoreDeadLettersUrl"]
    assert lying(stack, dead) == []
    store = sandbox.day.stores[0]
    queue = outputs["AnswerStoreQueueUrl"]
    wait_until(
        lambda: day_is_answered(sandbox, stack, queue), seconds=DAY_SECONDS, what="the day is over"
    )

    with (
        impatient(stack, queue),
        broken(stack, "AnswerStoreFunction"),
    ):
        row_id = sandbox.base.submit_form(
            "Redemptions",
            {"Store": [store.id], "Employee": "Ana", "Amount": 1, "Gift Card Code": "no code"},
        )["id"]
        key = f"redemption#{row_id}"
        wait_until(
            lambda: any(key in body for body in lying(stack, dead)),
            seconds=GIVES_UP_SECONDS,
            what="it gives up",
        )

    def answers() -> list[str]:
        return [mail.to for mail in sandbox.inbox.mails() if key in mail.text]

    assert answers() == []
    command = ["redrive", "answer-store", "--stack", sandbox.stack, "--region", "us-east-1"]
    assert main([*command, "--yes"]) == 0
    said = capsys.readouterr().out
    assert f"goes on: {key} is SETTLED (CODE_FORMAT_INCORRECT)" in said
    assert "sent again" in said
    wait_until(lambda: bool(answers()), seconds=IS_ANSWERED_SECONDS, what="the store is answered")
    assert answers() == [store.email]
    assert lying(stack, dead) == []
