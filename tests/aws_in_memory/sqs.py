"""SQS in memory: standard and FIFO queues, visibility, delays, and dead letters.

A message is delivered in the order of sending, one at a time; real standard queues promise neither.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any

from botocore.exceptions import ClientError

from tests.aws_in_memory.errors import UnknownHereError, refusal

# SQS's own bounds and defaults (SQS quotas, CreateQueue, FIFO queues).
MOST_RECEIVED = 10
MOST_DELAY_SECONDS = 900
MOST_VISIBILITY_SECONDS = 43_200
VISIBILITY_SECONDS = 30
RETENTION_SECONDS = 345_600
DEDUPLICATION_SECONDS = 300

ACCOUNT = "123456789012"
REGION = "us-east-1"

QUEUE_ATTRIBUTES = {"VisibilityTimeout", "MessageRetentionPeriod", "FifoQueue", "RedrivePolicy"}


@dataclass(slots=True)
class Message:
    """A message; `visible_at` in epoch seconds, `handle` of its last delivery."""

    id: str
    body: str
    sent_at: float
    visible_at: float
    sequence: int
    group: str | None = None
    deduplication: str | None = None
    receives: int = 0
    first_received_at: float = 0
    handle: str | None = None

    def is_in_flight(self, now: float) -> bool:
        """Whether somebody has it, and his time is not over."""
        return self.receives > 0 and self.visible_at > now


@dataclass(slots=True)
class Queue:
    """A queue and the messages it holds, in the order of sending."""

    name: str
    url: str
    is_fifo: bool
    visibility_seconds: int
    retention_seconds: int
    dead_letters: "Queue | None" = None
    most_receives: int = 0
    messages: list[Message] = field(default_factory=list)
    sent_lately: dict[str, tuple[float, str]] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The queue's name in policies."""
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.name}"

    def forget_what_is_too_old(self, now: float) -> None:
        """Messages that stayed longer than the queue keeps them are gone."""
        kept = [m for m in self.messages if m.sent_at + self.retention_seconds > now]
        self.messages[:] = kept

    def bury(self, message: Message, now: float) -> None:
        """Move a message to the dead letters."""
        dead = self.dead_letters
        if dead is None:
            raise AssertionError("a queue without dead letters buries nothing")
        self.messages.remove(message)
        if dead.is_fifo:
            message.sent_at = now  # on a standard queue its age goes on (SQS, dead-letter queues)
        message.visible_at, message.receives, message.handle = now, 0, None
        dead.messages.append(message)


class Sqs:
    """The SQS client."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._queues: dict[str, Queue] = {}
        self._lock = Lock()
        self._counted = 0
        self.short_misses = False

    def waiting(self, url: str) -> list[tuple[str, float]]:
        """Every message the queue holds: its body, and when it becomes visible (epoch seconds)."""
        with self._lock:
            return [(m.body, m.visible_at) for m in self._queue("", url).messages]

    def create_queue(self, *, QueueName: str, Attributes: Mapping[str, str]) -> dict[str, Any]:
        """Create a queue; its dead-letter queue has to exist."""
        if unknown := set(Attributes) - QUEUE_ATTRIBUTES:
            raise UnknownHereError(f"a queue with {sorted(unknown)}")
        is_fifo = Attributes.get("FifoQueue") == "true"
        if is_fifo is not QueueName.endswith(".fifo"):
            message = "The name of a FIFO queue, and of no other, ends with .fifo"
            raise refusal("CreateQueue", "InvalidParameterValue", message)
        url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{QueueName}"
        queue = Queue(
            name=QueueName,
            url=url,
            is_fifo=is_fifo,
            visibility_seconds=int(Attributes.get("VisibilityTimeout", VISIBILITY_SECONDS)),
            retention_seconds=int(Attributes.get("MessageRetentionPeriod", RETENTION_SECONDS)),
        )
        with self._lock:
            if url in self._queues:
                raise UnknownHereError(f"creating {QueueName} a second time")
            if "RedrivePolicy" in Attributes:
                policy = json.loads(Attributes["RedrivePolicy"])
                arn = policy["deadLetterTargetArn"]
                queue.dead_letters = next(q for q in self._queues.values() if q.arn == arn)
                queue.most_receives = int(policy["maxReceiveCount"])
            self._queues[url] = queue
        return {"QueueUrl": url}

    def send_message(
        self,
        *,
        QueueUrl: str,
        MessageBody: str,
        DelaySeconds: int | None = None,
        MessageGroupId: str | None = None,
        MessageDeduplicationId: str | None = None,
    ) -> dict[str, Any]:
        """Put a message into a queue."""
        operation = "SendMessage"
        with self._lock:
            now = self._now()
            queue = self._queue(operation, QueueUrl)
            _check_sending(queue, DelaySeconds, MessageGroupId, MessageDeduplicationId)
            self._counted += 1
            message = Message(
                id=f"00000000-0000-4000-8000-{self._counted:012x}",
                body=MessageBody,
                sent_at=now,
                visible_at=now + (DelaySeconds or 0),
                sequence=self._counted,
                group=MessageGroupId,
                deduplication=MessageDeduplicationId,
            )
            if MessageDeduplicationId is not None:
                earlier = queue.sent_lately.get(MessageDeduplicationId)
                if earlier is not None and earlier[0] + DEDUPLICATION_SECONDS > now:
                    return {"MessageId": earlier[1]}
                queue.sent_lately[MessageDeduplicationId] = (now, message.id)
            queue.messages.append(message)
            return {"MessageId": message.id}

    def receive_message(
        self,
        *,
        QueueUrl: str,
        MaxNumberOfMessages: int = 1,
        AttributeNames: Sequence[str] = (),
        VisibilityTimeout: int | None = None,
        WaitTimeSeconds: int = 0,
    ) -> dict[str, Any]:
        """Take visible messages; they are hidden from others meanwhile.

        Time does not pass for who would wait. Who would not may miss what is there: `short_misses`.
        """
        operation = "ReceiveMessage"
        if not 1 <= MaxNumberOfMessages <= MOST_RECEIVED:
            words = "MaxNumberOfMessages must be between 1 and 10"
            raise refusal(operation, "InvalidParameterValue", words)
        if list(AttributeNames) not in ([], ["All"]):
            raise UnknownHereError(f"AttributeNames {AttributeNames}")
        with self._lock:
            now = self._now()
            queue = self._queue(operation, QueueUrl)
            queue.forget_what_is_too_old(now)
            if not WaitTimeSeconds and self.short_misses:
                return {}
            hidden = queue.visibility_seconds if VisibilityTimeout is None else VisibilityTimeout
            taken = self._take(queue, now, MaxNumberOfMessages, hidden)
            with_attributes = bool(AttributeNames)
            found = [_delivered(message, with_attributes=with_attributes) for message in taken]
            return {"Messages": found} if found else {}

    def _take(self, queue: Queue, now: float, most: int, hidden: int) -> list[Message]:
        busy = {m.group for m in queue.messages if m.is_in_flight(now)} if queue.is_fifo else set()
        taken: list[Message] = []
        for message in list(queue.messages):
            if len(taken) == most:
                break
            if message.visible_at > now or (queue.is_fifo and message.group in busy):
                continue
            if queue.dead_letters is not None and message.receives >= queue.most_receives:
                queue.bury(message, now)
                continue
            self._counted += 1
            message.handle = f"{message.id}/{self._counted}"
            message.first_received_at = message.first_received_at or now
            message.receives += 1
            message.visible_at = now + hidden
            taken.append(message)
        return taken

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> dict[str, Any]:
        """The message is done with; deleted twice is deleted."""
        operation = "DeleteMessage"
        with self._lock:
            queue = self._queue(operation, QueueUrl)
            message = self._by_handle(operation, queue, ReceiptHandle)
            if message is None or message.handle != ReceiptHandle:
                return {}  # SQS: the request succeeds, the message may stay
            if queue.is_fifo and not message.is_in_flight(self._now()):
                raise refusal(
                    operation,
                    "InvalidParameterValue",
                    f"Value {ReceiptHandle} for parameter ReceiptHandle is invalid."
                    " Reason: The receipt handle has expired.",
                )
            queue.messages.remove(message)
            return {}

    def change_message_visibility(
        self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int
    ) -> dict[str, Any]:
        """The message becomes visible `VisibilityTimeout` seconds from now."""
        operation = "ChangeMessageVisibility"
        if not 0 <= VisibilityTimeout <= MOST_VISIBILITY_SECONDS:
            words = "VisibilityTimeout must be between 0 and 43200"
            raise refusal(operation, "InvalidParameterValue", words)
        with self._lock:
            now = self._now()
            queue = self._queue(operation, QueueUrl)
            message = self._by_handle(operation, queue, ReceiptHandle)
            if message is None:
                raise refusal(
                    operation,
                    "InvalidParameterValue",
                    f"Value {ReceiptHandle} for parameter ReceiptHandle is invalid. Reason:"
                    " Message does not exist or is not available for visibility timeout change.",
                )
            if message.handle != ReceiptHandle or not message.is_in_flight(now):
                raise refusal(
                    operation,
                    # So boto3 calls it: SQS keeps the codes of its older protocol.
                    "AWS.SimpleQueueService.MessageNotInflight",
                    "The specified message isn't in flight.",
                )
            message.visible_at = now + VisibilityTimeout
            return {}

    def get_queue_attributes(
        self, *, QueueUrl: str, AttributeNames: Sequence[str]
    ) -> dict[str, Any]:
        """The queue's numbers, all of them."""
        if list(AttributeNames) != ["All"]:
            raise UnknownHereError(f"AttributeNames {AttributeNames}")
        with self._lock:
            now = self._now()
            queue = self._queue("GetQueueAttributes", QueueUrl)
            queue.forget_what_is_too_old(now)
            in_flight = sum(m.is_in_flight(now) for m in queue.messages)
            visible = sum(m.visible_at <= now for m in queue.messages)
            numbers = {
                "ApproximateNumberOfMessages": visible,
                "ApproximateNumberOfMessagesNotVisible": in_flight,
                "ApproximateNumberOfMessagesDelayed": len(queue.messages) - visible - in_flight,
                "VisibilityTimeout": queue.visibility_seconds,
                "MessageRetentionPeriod": queue.retention_seconds,
            }
            attributes = {name: str(number) for name, number in numbers.items()}
            return {"Attributes": attributes | {"QueueArn": queue.arn}}

    def purge_queue(self, *, QueueUrl: str) -> dict[str, Any]:
        """Forget every message."""
        with self._lock:
            self._queue("PurgeQueue", QueueUrl).messages.clear()
        return {}

    def _now(self) -> float:
        return self._clock().timestamp()

    def _queue(self, operation: str, url: str) -> Queue:
        queue = self._queues.get(url)
        if queue is None:
            code = "AWS.SimpleQueueService.NonExistentQueue"
            raise refusal(operation, code, "The specified queue does not exist.")
        return queue

    def _by_handle(self, operation: str, queue: Queue, handle: str) -> Message | None:
        """The message that was delivered under this handle, lately or before."""
        message_id, slash, _ = handle.partition("/")
        if not slash:
            raise _invalid_handle(operation)
        return next((m for m in queue.messages if m.id == message_id), None)


def _invalid_handle(operation: str) -> ClientError:
    code = "ReceiptHandleIsInvalid"
    return refusal(operation, code, "The input receipt handle is invalid.")


def _check_sending(
    queue: Queue, delay_seconds: int | None, group: str | None, deduplication: str | None
) -> None:
    """Raise what SQS answers to a message that does not fit its queue."""
    operation = "SendMessage"
    code = "InvalidParameterValue"
    if delay_seconds is not None and not 0 <= delay_seconds <= MOST_DELAY_SECONDS:
        raise refusal(operation, code, "DelaySeconds must be between 0 and 900")
    if not queue.is_fifo:
        if group is not None or deduplication is not None:
            raise UnknownHereError("a group or deduplication id on a standard queue")
        return
    if delay_seconds is not None:
        raise refusal(operation, code, "DelaySeconds is not allowed on a message of a FIFO queue")
    if group is None:
        message = "The request must contain the parameter MessageGroupId."
        raise refusal(operation, "MissingParameter", message)
    if deduplication is None:
        message = "The queue should have MessageDeduplicationId provided explicitly"
        raise refusal(operation, code, message)


def _delivered(message: Message, *, with_attributes: bool) -> dict[str, Any]:
    delivered: dict[str, Any] = {
        "MessageId": message.id,
        "ReceiptHandle": message.handle,
        "Body": message.body,
    }
    if with_attributes:
        attributes = {
            "ApproximateReceiveCount": str(message.receives),
            "SentTimestamp": str(int(message.sent_at * 1000)),
            "ApproximateFirstReceiveTimestamp": str(int(message.first_received_at * 1000)),
        }
        if message.group is not None and message.deduplication is not None:
            attributes["MessageGroupId"] = message.group
            attributes["MessageDeduplicationId"] = message.deduplication
            attributes["SequenceNumber"] = f"{message.sequence:020}"
        delivered["Attributes"] = attributes
    return delivered
