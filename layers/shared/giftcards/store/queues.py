"""The queues: ticks to ourselves, and the one-offs that follow from an operation.

A message says which operation, card or prong to look at, never what to do with it: the journal
knows, and a message that comes twice or late finds there what is still true.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

# Airtable has two writers, one message after the other in each: what a row should read must never
# wait for a receipt, a card's row or a link; a group waits while one of its messages stays away.
OUTCOMES_GROUP = "outcomes"
RECORDS_GROUP = "records"

# Cards are made one slice after the other: bulk work needs no more than one worker, and a slice
# that goes to the end of the line lets the next sale have its turn.
ISSUE_GROUP = "issue"

# Money that moves for nobody who waits, and tags: one after the other, for the same reason.
ADJUST_GROUP = "adjust"
TAG_GROUP = "tag"

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

# An answer that comes for the eighth time has been tried for nine minutes: that is no hiccup of
# SES, and told now, it is known within the quarter of an hour that a store's patience lasts.
ANSWER_LATE_RECEIVES = 8

# A delivery that Klaviyo did not take waits by the journal's clock, not by SQS's: these waits are
# for what goes wrong on our side before that, such as a table that is too busy.
DELIVER_RETRY_SECONDS = (5, 30, 120, 300)

# The same for what customers are mailed by SES (balances): it has been tried for twelve minutes
# then; the try before that comes after seven.
DELIVER_LATE_RECEIVES = 6

# The same for making cards, where a message that stays away keeps the others waiting.
ISSUE_RETRY_SECONDS = (2, 5, 15)

# The same for giving money back and for tags.
ADJUST_RETRY_SECONDS = (2, 5, 15)
TAG_RETRY_SECONDS = (5, 15, 30)

# SQS delays a message by at most a quarter of an hour.
LONGEST_DELAY_SECONDS = 900

# A worker is gone by the time Lambda gave it; its messages are shown again this much later. It is
# more than clocks differ, and with the function's 30 s less than the 45 s within which a store is
# to read what a dead worker owed it.
AFTER_THE_WORKER_SECONDS = 5

# While a message of a FIFO group stays away, the whole group does: no outcome may wait for long.
WRITE_RETRY_SECONDS = (2, 5, 15)


class Queues:
    """Sends to the application's queues, and sends failed messages back for another try."""

    def __init__(
        self,
        client: "SQSClient",
        *,
        tick_url: str,
        answer_store_url: str,
        write_airtable_url: str,
        issue_cards_url: str,
        deliver_url: str,
        deliver_dead_letters_url: str,
        adjust_balance_url: str,
        tag_order_url: str,
    ) -> None:
        self._client = client
        self._tick_url = tick_url
        self._answer_store_url = answer_store_url
        self._write_airtable_url = write_airtable_url
        self._issue_cards_url = issue_cards_url
        self._deliver_url = deliver_url
        self._deliver_dead_letters_url = deliver_dead_letters_url
        self._adjust_balance_url = adjust_balance_url
        self._tag_order_url = tag_order_url

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

    def issue_cards(self, operation_key: str) -> None:
        """Have the cards of a sale made, or its next slice."""
        self._send_in_line(self._issue_cards_url, {"operation": operation_key}, group=ISSUE_GROUP)

    def adjust_balance(self, operation_key: str) -> None:
        """Have money given back to a card, or a returned card taken out of use."""
        self._send_in_line(
            self._adjust_balance_url, {"operation": operation_key}, group=ADJUST_GROUP
        )

    def tag_order(self, operation_key: str) -> None:
        """Have an order tagged at Shopify."""
        self._send_in_line(self._tag_order_url, {"operation": operation_key}, group=TAG_GROUP)

    def deliver(self, operation_key: str, *, delay_seconds: int = 0) -> None:
        """Have something sent to a customer, `delay_seconds` from now (0 to 900, SQS)."""
        self._client.send_message(
            QueueUrl=self._deliver_url,
            MessageBody=json.dumps({"operation": operation_key}),
            DelaySeconds=delay_seconds,
        )

    def give_up_delivery(self, operation_key: str) -> None:
        """Put a delivery among the dead letters; sent again from there, it is tried again."""
        self._client.send_message(
            QueueUrl=self._deliver_dead_letters_url,
            MessageBody=json.dumps({"operation": operation_key, "again": True}),
        )

    def write_operation(self, operation_key: str) -> None:
        """Have the operation's row in Airtable show what it came to."""
        self._write_airtable({"operation": operation_key}, group=OUTCOMES_GROUP)

    def write_records(self, *operation_keys: str) -> None:
        """Have Airtable show what else follows from operations: receipts, cards, links."""
        self._write_airtable({"records": list(operation_keys)}, group=RECORDS_GROUP)

    def write_cards(self, *card_ids: str) -> None:
        """Have Airtable show cards as they are now, whatever moved them."""
        self._write_airtable({"cards": list(card_ids)}, group=RECORDS_GROUP)

    def write_status(self, prong: str) -> None:
        """Have Airtable show how a prong fares."""
        self._write_airtable({"prong": prong}, group=RECORDS_GROUP)

    def write_again(self, *, rows: Sequence[str], others: Sequence[str]) -> None:
        """Have Airtable show rows, and orders and cards, that an earlier request may have spoilt.

        The things are named as in `store/rewrites.py`.
        """
        if rows:
            self._write_airtable({"again": list(rows)}, group=OUTCOMES_GROUP)
        if others:
            self._write_airtable({"again": list(others)}, group=RECORDS_GROUP)

    def _write_airtable(self, body: dict[str, Any], *, group: str) -> None:
        self._send_in_line(self._write_airtable_url, body, group=group)

    def _send_in_line(self, url: str, body: dict[str, Any], *, group: str) -> None:
        # A new deduplication id each time: two messages that look alike are two things that
        # happened, and dropping the second would leave a moved balance unmirrored.
        self._client.send_message(
            QueueUrl=url,
            MessageBody=json.dumps(body),
            MessageGroupId=group,
            MessageDeduplicationId=uuid4().hex,
        )

    def keep_answer(self, receipt_handle: str, *, seconds_left: int) -> bool:
        """Keep an answer only for as long as its worker lives, which is `seconds_left` at most.

        The queue's own time is six times as long, for Lambda's sake; a store whose answer died with
        its mailer would wait it out. False where SQS has given the message to somebody else.
        """
        return self._retry_soon(
            self._answer_store_url, receipt_handle, seconds_left + AFTER_THE_WORKER_SECONDS
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

    def written(self, receipt_handle: str) -> bool:
        """Take a message off the writers' queue whose part of its batch is done.

        False where that failed: Lambda deletes it once the batch has ended.
        """
        try:
            self._client.delete_message(
                QueueUrl=self._write_airtable_url, ReceiptHandle=receipt_handle
            )
        except (BotoCoreError, ClientError):
            return False
        return True

    def retry_issue_soon(self, receipt_handle: str, *, receive_count: int) -> bool:
        """Let a sale's failed slice come back after a wait that grows with each try; as above."""
        return self._retry_soon(
            self._issue_cards_url, receipt_handle, _wait(ISSUE_RETRY_SECONDS, receive_count)
        )

    def retry_adjust_soon(self, receipt_handle: str, *, receive_count: int) -> bool:
        """Let a failed change of a balance come back after a wait that grows; as above."""
        return self._retry_soon(
            self._adjust_balance_url, receipt_handle, _wait(ADJUST_RETRY_SECONDS, receive_count)
        )

    def retry_tag_soon(self, receipt_handle: str, *, receive_count: int) -> bool:
        """Let a failed tag come back after a wait that grows with each try; as above."""
        return self._retry_soon(
            self._tag_order_url, receipt_handle, _wait(TAG_RETRY_SECONDS, receive_count)
        )

    def retry_delivery_soon(self, receipt_handle: str, *, receive_count: int) -> bool:
        """Let a failed delivery come back after a wait that grows with each try; as above."""
        return self._retry_soon(
            self._deliver_url, receipt_handle, _wait(DELIVER_RETRY_SECONDS, receive_count)
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
