"""Send dead letters again, once a person has mended what stood in their way.

    dead-letter queue            its own queue
    -----------------            -------------
    receive, hidden for a while
    judge
                          ───►   send
    delete

Whoever dies between sending and deleting has sent it twice, which every function bears; nothing is
lost. Two people at once do not get in each other's way: what one of them has is hidden from the
other. AWS has a task of its own for this (StartMessageMoveTask); it moves what can never be
completed with the rest, and tells of neither.

Messages of a FIFO queue keep their group and their order, and get new deduplication ids: with the
old ones SQS would drop what is sent again within five minutes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

from giftcards.flows.drop_message import DropMessage
from giftcards.store.journal import Journal
from giftcards.store.queues import MESSAGE_IS_GONE
from ops.dead_letters import Judged, Letter, Prospect, judge

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

# What SQS hands out at a time.
MESSAGES_A_TIME = 10

# Longer than ten messages take to be judged and sent; whoever is cut off leaves them for so long.
HIDDEN_SECONDS = 60

# With a wait, however short, SQS asks all its servers. Without one it asks some of them, and has
# nothing to tell of a few messages that lie on others (Amazon SQS, "Short and long polling").
WAIT_SECONDS = 2

# More than an outage leaves, and some minutes' work; the command can be given again.
MOST_MESSAGES = 1_000

# What becomes of messages: sent again, dropped, and left where they are because sending them again
# leads to nothing.
DONE = "done"

DEAD_LETTERS_OUTPUT = "DeadLettersUrl"
QUEUE_OUTPUT = "QueueUrl"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """A dead-letter queue, and the queue whose messages end there."""

    name: str
    url: str
    source_url: str

    @property
    def is_fifo(self) -> bool:
        """Whether messages come in the order of sending (SQS: so such queues are named)."""
        return self.url.endswith(".fifo")


def dead_letter_queues(outputs: Mapping[str, str]) -> dict[str, DeadLetters]:
    """The stack's dead-letter queues by name, as its outputs have them."""
    queues = {}
    for output, url in sorted(outputs.items()):
        if output.endswith(DEAD_LETTERS_OUTPUT):
            stem = output.removesuffix(DEAD_LETTERS_OUTPUT)
            name = re.sub(r"(?<!^)(?=[A-Z])", "-", stem).lower()
            queues[name] = DeadLetters(name=name, url=url, source_url=outputs[stem + QUEUE_OUTPUT])
    return queues


@dataclass(slots=True)
class Found:
    """What a pass through a dead-letter queue came to. `is_all` is False where it ended early."""

    moved: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    left: list[tuple[Letter, Judged]] = field(default_factory=list)
    is_all: bool = True


@dataclass(frozen=True, kw_only=True)
class Redrive:
    """Looks through dead-letter queues, and moves or drops what lies there."""

    sqs: "SQSClient"
    journal: Journal
    drop_message: DropMessage
    clock: Callable[[], datetime]
    most_messages: int = MOST_MESSAGES

    def count(self, queue: DeadLetters) -> int:
        """About how many messages lie there, those included that somebody has just now."""
        reply = self.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"])
        told = reply["Attributes"]
        return int(told["ApproximateNumberOfMessages"]) + int(
            told["ApproximateNumberOfMessagesNotVisible"]
        )

    def look(self, queue: DeadLetters) -> Found:
        """What lies there, without a change. Of a FIFO group only the first ten can be seen."""
        return self._pass(queue, move=False, drop=frozenset(), by="")

    def move(self, queue: DeadLetters) -> Found:
        """Send again what can go on."""
        return self._pass(queue, move=True, drop=frozenset(), by="")

    def drop(self, queue: DeadLetters, which: frozenset[str], *, by: str) -> Found:
        """Drop the messages of these ids, or with `DONE` those that are done, each with a receipt.

        A message that can go on is dropped by its id only.
        """
        return self._pass(queue, move=False, drop=which, by=by)

    def _pass(self, queue: DeadLetters, *, move: bool, drop: frozenset[str], by: str) -> Found:
        """Go through a queue once: every message is taken, judged, and dealt with or let go."""
        found = Found()
        kept: dict[str, Letter] = {}
        try:
            for letters in self._batches(queue, kept, found):
                judged = judge(letters, queue=queue.name, journal=self.journal)
                for letter in letters:
                    verdict = judged[letter.id]
                    if letter.id in drop or (DONE in drop and verdict.prospect is Prospect.IS_DONE):
                        self.drop_message.note(
                            letter.id, queue=queue.name, about=verdict.about, by=by
                        )
                        self._delete(queue, letter)
                        found.dropped.append(letter.id)
                    elif move and verdict.prospect is Prospect.GOES_ON:
                        self._send_again(queue, letter)
                        self._delete(queue, letter)
                        found.moved.append(letter.id)
                    else:
                        if letter.id not in kept:
                            found.left.append((letter, verdict))
                        kept[letter.id] = letter
        finally:
            self._let_go(queue, kept.values())
        return found

    def _batches(
        self, queue: DeadLetters, kept: dict[str, Letter], found: Found
    ) -> Iterator[list[Letter]]:
        """Messages, ten at a time, until none is new.

        A group of a FIFO queue is closed as long as one of its messages is out. So what was kept
        of it is let go before more is asked for, and comes again in front: ten of those, and
        nobody gets past them.
        """
        taken = 0
        while taken < self.most_messages:
            if queue.is_fifo:
                self._let_go(queue, kept.values())
            letters = self._receive(queue)
            if not letters:
                return
            if all(letter.id in kept for letter in letters):
                found.is_all = len(letters) < MESSAGES_A_TIME
                kept |= {letter.id: letter for letter in letters}  # with handles that are good
                return
            taken += len(letters)
            yield letters
        found.is_all = False

    def _receive(self, queue: DeadLetters) -> list[Letter]:
        reply = self.sqs.receive_message(
            QueueUrl=queue.url,
            MaxNumberOfMessages=MESSAGES_A_TIME,
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=WAIT_SECONDS,
            AttributeNames=["All"],
        )
        messages: Sequence[Any] = reply.get("Messages", ())
        return [
            Letter(
                id=message["MessageId"],
                handle=message["ReceiptHandle"],
                body=message["Body"],
                group=message["Attributes"].get("MessageGroupId"),
                sent_at=datetime.fromtimestamp(
                    int(message["Attributes"]["SentTimestamp"]) / 1000, UTC
                ),
            )
            for message in messages
        ]

    def _send_again(self, queue: DeadLetters, letter: Letter) -> None:
        if letter.group is None:
            self.sqs.send_message(QueueUrl=queue.source_url, MessageBody=letter.body)
            return
        self.sqs.send_message(
            QueueUrl=queue.source_url,
            MessageBody=letter.body,
            MessageGroupId=letter.group,
            MessageDeduplicationId=uuid4().hex,
        )

    def _delete(self, queue: DeadLetters, letter: Letter) -> None:
        """It is done with. Where our time with it was over, it may be dealt with once more."""
        try:
            self.sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=letter.handle)
        except ClientError as error:
            if error.response["Error"]["Code"] not in MESSAGE_IS_GONE:
                raise

    def _let_go(self, queue: DeadLetters, letters: Iterable[Letter]) -> None:
        """Let others have what we keep nothing of."""
        for letter in letters:
            try:
                self.sqs.change_message_visibility(
                    QueueUrl=queue.url, ReceiptHandle=letter.handle, VisibilityTimeout=0
                )
            except ClientError as error:
                if error.response["Error"]["Code"] not in MESSAGE_IS_GONE:
                    raise
