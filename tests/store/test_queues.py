"""What we rely on in SQS: delays, visibility, the order within a group, dead letters."""

import json
from typing import Any
from uuid import uuid4

import pytest

from giftcards.store.queues import OUTCOMES_GROUP, RECORDS_GROUP, Queues
from tests.store.conftest import Backend
from tests.store.refused import refusal_code
from tests.template_resources import create_queues

# On the embedded AWS these seconds really pass.
SHORT = 1
A_LITTLE_LONGER = 1.3
A_MOMENT = 0.01


class Line:
    """A queue of its own, with dead letters, whose messages come back after a second."""

    def __init__(self, backend: Backend, *, is_fifo: bool, most_receives: int = 3) -> None:
        self.sqs = backend.sqs
        self.wait = backend.wait
        self.is_fifo = is_fifo
        suffix = ".fifo" if is_fifo else ""
        kind = {"FifoQueue": "true"} if is_fifo else {}
        dead = self.sqs.create_queue(QueueName=f"{backend.mark}-dead{suffix}", Attributes=kind)
        self.dead_url: str = dead["QueueUrl"]
        arn = self.attributes(self.dead_url)["QueueArn"]
        policy = {"deadLetterTargetArn": arn, "maxReceiveCount": most_receives}
        made = self.sqs.create_queue(
            QueueName=f"{backend.mark}-line{suffix}",
            Attributes=kind
            | {"VisibilityTimeout": str(SHORT), "RedrivePolicy": json.dumps(policy)},
        )
        self.url: str = made["QueueUrl"]

    def attributes(self, url: str) -> dict[str, str]:
        reply = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return dict(reply["Attributes"])

    def counts(self) -> tuple[int, int, int]:
        """How many messages are visible, in flight, delayed."""
        numbers = self.attributes(self.url)
        visible, in_flight, delayed = (
            int(numbers[f"ApproximateNumberOfMessages{which}"])
            for which in ("", "NotVisible", "Delayed")
        )
        return visible, in_flight, delayed

    def send(self, body: str, *, group: str = "one", **more: Any) -> str:
        if self.is_fifo:
            more = {"MessageGroupId": group, "MessageDeduplicationId": uuid4().hex} | more
        return str(self.sqs.send_message(QueueUrl=self.url, MessageBody=body, **more)["MessageId"])

    def receive(self, most: int = 10, *, dead: bool = False) -> list[dict[str, Any]]:
        reply = self.sqs.receive_message(
            QueueUrl=self.dead_url if dead else self.url,
            MaxNumberOfMessages=most,
            AttributeNames=["All"],
        )
        return [dict(message) for message in reply.get("Messages", [])]

    def bodies(self, most: int = 10, *, dead: bool = False) -> list[str]:
        return [message["Body"] for message in self.receive(most, dead=dead)]

    def delete(self, message: dict[str, Any]) -> None:
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def show_again_in(self, message: dict[str, Any], seconds: int) -> None:
        self.sqs.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )


@pytest.fixture(params=["standard", "fifo"])
def line(request: pytest.FixtureRequest, backend: Backend) -> Line:
    return Line(backend, is_fifo=request.param == "fifo")


@pytest.fixture
def standard(backend: Backend) -> Line:
    return Line(backend, is_fifo=False)


@pytest.fixture
def fifo(backend: Backend) -> Line:
    return Line(backend, is_fifo=True)


def test_a_message_is_received_until_it_is_deleted(line: Line) -> None:
    message_id = line.send("hello")
    assert line.counts() == (1, 0, 0)
    (message,) = line.receive()
    assert (message["MessageId"], message["Body"]) == (message_id, "hello")
    assert line.counts() == (0, 1, 0)
    assert line.receive() == []
    line.delete(message)
    line.wait(A_LITTLE_LONGER)
    assert line.receive() == []
    assert line.counts() == (0, 0, 0)


def test_a_message_that_nobody_deletes_comes_back_and_counts(line: Line) -> None:
    line.send("hello")
    counts = []
    for _ in range(2):
        (message,) = line.receive()
        counts.append(message["Attributes"]["ApproximateReceiveCount"])
        line.wait(A_LITTLE_LONGER)
    assert counts == ["1", "2"]


def test_a_message_can_be_asked_to_come_back_sooner_or_later(line: Line) -> None:
    line.send("hello")
    (message,) = line.receive()
    line.show_again_in(message, 0)
    line.wait(A_MOMENT)
    (message,) = line.receive()
    line.show_again_in(message, 60)
    line.wait(A_LITTLE_LONGER)
    assert line.receive() == []


def test_whoever_receives_says_for_how_long_others_do_not(line: Line) -> None:
    line.send("hello")
    asked = {"QueueUrl": line.url, "MaxNumberOfMessages": 10}
    assert line.sqs.receive_message(**asked, VisibilityTimeout=60)["Messages"]
    line.wait(A_LITTLE_LONGER)
    assert line.receive() == []


def test_a_message_received_too_often_is_a_dead_letter(line: Line) -> None:
    line.send("poison")
    for _ in range(3):
        assert line.bodies() == ["poison"]
        line.wait(A_LITTLE_LONGER)
    assert line.bodies() == []
    assert line.bodies(dead=True) == ["poison"]
    assert line.counts() == (0, 0, 0)


def test_a_delayed_message_comes_when_its_time_has_come(standard: Line) -> None:
    standard.send("later", DelaySeconds=SHORT)
    assert standard.counts() == (0, 0, 1)
    assert standard.bodies() == []
    standard.wait(A_LITTLE_LONGER)
    assert standard.bodies() == ["later"]


def test_others_are_not_held_up_on_a_standard_queue(standard: Line) -> None:
    standard.send("a")
    standard.receive()
    standard.send("b")
    assert standard.bodies() == ["b"]


def test_a_group_comes_in_its_order(fifo: Line) -> None:
    for body in "abcde":
        fifo.send(body)
    assert fifo.bodies(2) == ["a", "b"]


def test_a_group_waits_for_its_first(fifo: Line) -> None:
    fifo.send("a")
    fifo.send("b")
    (first,) = fifo.receive(1)
    fifo.send("other", group="two")
    assert fifo.bodies() == ["other"]  # the other group does not wait
    fifo.show_again_in(first, 0)
    fifo.wait(A_MOMENT)
    assert fifo.bodies() == ["a", "b"]


def test_a_group_goes_on_when_its_first_is_deleted(fifo: Line) -> None:
    fifo.send("a")
    fifo.send("b")
    (first,) = fifo.receive(1)
    fifo.delete(first)
    assert fifo.bodies() == ["b"]


def test_a_group_goes_on_behind_a_dead_letter(fifo: Line) -> None:
    fifo.send("poison")
    for _ in range(3):
        fifo.receive(1)
        fifo.wait(A_LITTLE_LONGER)
    fifo.send("healthy")
    assert fifo.bodies() == ["healthy"]
    assert fifo.bodies(dead=True) == ["poison"]


@pytest.mark.gap("moto", reason="moto gives the second message an id of its own")
def test_the_same_deduplication_id_is_the_same_message(fifo: Line) -> None:
    first = fifo.send("a", MessageDeduplicationId="once")
    assert fifo.send("a", MessageDeduplicationId="once") == first
    assert fifo.bodies() == ["a"]


def test_a_message_to_a_fifo_queue_names_its_group_and_itself(fifo: Line) -> None:
    send = fifo.sqs.send_message
    assert refusal_code(send, QueueUrl=fifo.url, MessageBody="a", MessageDeduplicationId="1") == (
        "MissingParameter"
    )
    assert refusal_code(send, QueueUrl=fifo.url, MessageBody="a", MessageGroupId="one") == (
        "InvalidParameterValue"
    )


def test_a_message_of_a_fifo_queue_cannot_be_delayed(fifo: Line) -> None:
    code = refusal_code(fifo.send, body="a", DelaySeconds=5)
    assert code == "InvalidParameterValue"


@pytest.mark.gap("embedded", reason="ministack takes any delay")
def test_a_delay_has_its_limit(standard: Line) -> None:
    assert refusal_code(standard.send, body="a", DelaySeconds=901) == "InvalidParameterValue"


def test_a_queue_that_nobody_made_is_not_found(standard: Line) -> None:
    code = refusal_code(standard.sqs.send_message, QueueUrl=standard.url + "x", MessageBody="a")
    assert code == "AWS.SimpleQueueService.NonExistentQueue"


def test_purging_forgets_everything(standard: Line) -> None:
    standard.send("a")
    standard.send("b")
    standard.receive(1)
    standard.sqs.purge_queue(QueueUrl=standard.url)
    standard.wait(A_LITTLE_LONGER)
    assert standard.bodies() == []


# ------------------------------------------------------------------------------ through our code


@pytest.fixture
def urls(backend: Backend) -> dict[str, str]:
    return create_queues(backend.sqs, prefix=f"{backend.mark}-")


@pytest.fixture
def queues(backend: Backend, urls: dict[str, str]) -> Queues:
    return Queues(
        backend.sqs,
        tick_url=urls["StoreTicksQueue"],
        answer_store_url=urls["AnswerStoreQueue"],
        write_airtable_url=urls["WriteAirtableQueue"],
        issue_cards_url=urls["IssueCardsQueue"],
        deliver_url=urls["DeliverToCustomerQueue"],
        deliver_dead_letters_url=urls["DeliverToCustomerDeadLetters"],
        adjust_balance_url=urls["AdjustBalanceQueue"],
        tag_order_url=urls["TagOrderQueue"],
    )


def take(backend: Backend, url: str) -> list[Any]:
    reply = backend.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]
    )
    return list(reply.get("Messages", []))


def test_what_follows_from_an_operation_reaches_its_queues(
    backend: Backend, urls: dict[str, str], queues: Queues
) -> None:
    queues.answer_store("redemption#1")
    queues.write_operation("redemption#1")
    queues.write_operation("redemption#1")  # it happened twice, so it comes twice
    queues.write_records("redemption#1")
    queues.write_status("store_transactions")
    (answer,) = take(backend, urls["AnswerStoreQueue"])
    assert json.loads(answer["Body"]) == {"operation": "redemption#1"}
    writes = take(backend, urls["WriteAirtableQueue"])
    assert [
        (write["Attributes"]["MessageGroupId"], json.loads(write["Body"])) for write in writes
    ] == [
        (OUTCOMES_GROUP, {"operation": "redemption#1"}),
        (OUTCOMES_GROUP, {"operation": "redemption#1"}),
        (RECORDS_GROUP, {"records": ["redemption#1"]}),
        (RECORDS_GROUP, {"prong": "store_transactions"}),
    ]


def test_a_tick_comes_when_it_is_due(
    backend: Backend, urls: dict[str, str], queues: Queues
) -> None:
    queues.send_tick({"due": "soon"}, delay_seconds=SHORT)
    assert take(backend, urls["StoreTicksQueue"]) == []
    backend.wait(A_LITTLE_LONGER)
    (tick,) = take(backend, urls["StoreTicksQueue"])
    assert json.loads(tick["Body"]) == {"due": "soon"}


def test_a_failed_answer_comes_back_after_a_wait(
    backend: Backend, urls: dict[str, str], queues: Queues
) -> None:
    queues.answer_store("redemption#1")
    (answer,) = take(backend, urls["AnswerStoreQueue"])
    assert queues.retry_answer_soon(answer["ReceiptHandle"], receive_count=1)
    assert take(backend, urls["AnswerStoreQueue"]) == []
    backend.wait(2.3)
    (again,) = take(backend, urls["AnswerStoreQueue"])
    assert again["MessageId"] == answer["MessageId"]


def test_a_message_that_is_gone_cannot_come_back_and_that_is_no_error(
    backend: Backend, urls: dict[str, str], queues: Queues
) -> None:
    queues.answer_store("redemption#1")
    (answer,) = take(backend, urls["AnswerStoreQueue"])
    backend.sqs.delete_message(
        QueueUrl=urls["AnswerStoreQueue"], ReceiptHandle=answer["ReceiptHandle"]
    )
    assert not queues.retry_answer_soon(answer["ReceiptHandle"], receive_count=1)


@pytest.mark.gap("moto", reason="moto hides a message that came back by itself once more")
@pytest.mark.gap("embedded", reason="ministack hides a message that came back by itself once more")
def test_a_message_that_came_back_by_itself_cannot_be_sent_away_and_that_is_no_error(
    backend: Backend, urls: dict[str, str], queues: Queues
) -> None:
    """Its visibility was over before we gave it back: somebody else may have it by now."""
    queues.answer_store("redemption#1")
    (answer,) = take(backend, urls["AnswerStoreQueue"])
    assert queues.retry_answer_soon(answer["ReceiptHandle"], receive_count=1)
    backend.wait(2.3)
    assert not queues.retry_answer_soon(answer["ReceiptHandle"], receive_count=7)
    assert len(take(backend, urls["AnswerStoreQueue"])) == 1
