from typing import Any

import boto3
from botocore.stub import Stubber

from giftcards.store.queues import Queues

WRITER_URL = "https://sqs.test/write.fifo"


def test_two_messages_that_look_alike_are_two_things_that_happened() -> None:
    """SQS drops the second of two messages with one deduplication id, and with it a balance."""
    client = boto3.session.Session(region_name="us-east-1").client("sqs")
    sent: list[Any] = []

    def note(params: Any, **_: object) -> None:
        sent.append(dict(params))

    client.meta.events.register("provide-client-params.sqs.SendMessage", note)
    queues = Queues(
        client,
        tick_url="https://sqs.test/ticks",
        answer_store_url="https://sqs.test/answers",
        write_airtable_url=WRITER_URL,
        issue_cards_url="https://sqs.test/issue.fifo",
        deliver_url="https://sqs.test/deliver",
        deliver_dead_letters_url="https://sqs.test/dead",
        adjust_balance_url="https://sqs.test/adjust.fifo",
        tag_order_url="https://sqs.test/tag.fifo",
    )
    with Stubber(client) as sqs:
        sqs.add_response("send_message", {"MessageId": "1"})
        sqs.add_response("send_message", {"MessageId": "2"})
        queues.write_operation("redemption#rec1")
        queues.write_operation("redemption#rec1")
    first, second = sent
    assert first["QueueUrl"] == second["QueueUrl"] == WRITER_URL
    assert first["MessageBody"] == second["MessageBody"]
    assert first["MessageDeduplicationId"] != second["MessageDeduplicationId"]
