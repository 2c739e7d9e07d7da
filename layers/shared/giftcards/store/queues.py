"""The queues: ticks to ourselves, and the one-offs that follow from an operation.

A message says which operation, card or prong to look at, never what to do with it: the journal
knows, and a message that comes twice or late finds there what is still true.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

# Airtable has two writers, one message after the other in each: what a row should read must never
# wait for a receipt, a card's row or a link; a group waits while one of its messages stays away.
OUTCOMES_GROUP = "outcomes"
RECORDS_GROUP = "records"

# What SQS answers when a message's time with us was over before we gave it back.
# boto3 reports some of them under the codes of SQS's older protocol (`awsQueryCompatible`).
MESSAGE_IS_GONE = {
    "ReceiptHandleIsInvalid",
    "MessageNotInflight",
    "AWS.SimpleQueueService.MessageNotInflight",
    "InvalidParameterValue",
}

# How long a message that failed stays away: short at first, because a customer may be waiting.
# SQS would otherwise let it wait for the whole visibility time-out, which is minutes. With the
# queues' `maxReceiveCount` a vendor may be away for more than an hour.
ANSWER_RETRY_SECONDS = (2, 5, 15, 30, 60, 120, 300)

# While a message of a FIFO group stays away, the whole group does: no outcome may wait for long.
WRITE_RETRY_SECONDS = (2, 5, 15)


class Queues:
    """Sends to the application's queues, and sends failed messages back for another try."""

    def __init__(
        self, client: "SQSClient", *, tick_url: str, answer_store_url: str, write_airtable_url: str
    ) -> None:
        self._client = client
        self._tick_url = tick_url
        self._answer_store_url = answer_store_url
        self._write_airtable_url = write_airtable_url

    def send_tick(self, body: dict[str, Any], *, delay_seconds: int) -> None:
        """Call ourselves again `delay_seconds` from now (0 to 900, SQS)."""
        self._client.send_message(
            QueueUrl=self._tick_url, MessageBody=json.dumps(body), DelaySeconds=delay_seconds
        )

    def answer_store(self, operation_key: str) -> None:
        """Have the store told how its operation ended."""
        self._client.send_message(
            QueueUrl=self._answer_store_url, MessageBody=json.dumps({"operation": operation_key})
        )

    def write_operation(self, operation_key: str) -> None:
        """Have the operation's row in Airtable show what it came to."""
        self._write_airtable({"operation": operation_key}, group=OUTCOMES_GROUP)

    def write_records(self, operation_key: str) -> None:
        """Have Airtable show what else follows from an operation: receipts, card, link."""
        self._write_airtable({"records": operation_key}, group=RECORDS_GROUP)

    def write_status(self, prong: str) -> None:
        """Have Airtable show how a prong fares."""
        self._write_airtable({"prong": prong}, group=RECORDS_GROUP)

    def _write_airtable(self, body: dict[str, Any], *, group: str) -> None:
        # A new deduplication id each time: two messages that look alike are two things that
        # happened, and dropping the second would leave a moved balance unmirrored.
        self._client.send_message(
            QueueUrl=self._write_airtable_url,
            MessageBody=json.dumps(body),
            MessageGroupId=group,
            MessageDeduplicationId=uuid4().hex,
        )

    def retry_answer_soon(self, receipt_handle: str, *, receive_count: int) -> bool:
        """Let a failed answer come back after a wait that grows with each try.

        False where SQS does not know the message any more; it then comes back in its own time.
        """
        return self._retry_soon(
            self._answer_store_url, receipt_handle, _wait(ANSWER_RETRY_SECONDS, receive_count)
        )

    def retry_write_soon(self, receipt_handle: str, *, receive_count: int) -> bool:
        """Let a failed write come back after a wait that grows with each try; as above."""
        return self._retry_soon(
            self._write_airtable_url, receipt_handle, _wait(WRITE_RETRY_SECONDS, receive_count)
        )

    def _retry_soon(self, url: str, receipt_handle: str, seconds: int) -> bool:
        try:
            self._client.change_message_visibility(
                QueueUrl=url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in MESSAGE_IS_GONE:
                return False
            raise
        return True


def _wait(steps: Sequence[int], receive_count: int) -> int:
    return steps[min(receive_count, len(steps)) - 1]
