"""After a day of sales, questions and redemptions no full code is anywhere but where it belongs.

It belongs to Shopify, to the customers' mail, and to cells that nobody has served yet.
"""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import requests

from sandbox.demo import Sandbox
from tests.deployed.stack import Stack, wait_until

pytestmark = [pytest.mark.deployed, pytest.mark.sockets]

# A tick comes every 15 s, and the writer may have a queue to work off on a busy machine.
STEP_SECONDS = 180

ONE_OFFS = ("IssueCards", "DeliverToCustomer", "AnswerStore", "WriteAirtable")

# Nobody else of that name files anything.
EMPLOYEE = "Ada of the scan"

# The cells that a form fills in with a code; they are masked once their row is processed.
TYPED = "Gift Card Code"


@dataclass(frozen=True)
class Seen:
    """Everything that was found, by the place where it stood; each text as it was kept there."""

    texts: dict[str, list[str]]

    def places_with(self, codes: set[str]) -> dict[str, int]:
        """In which places a code stands, whatever its capitals, blanks and dashes, how often."""
        found = {}
        for place, texts in self.texts.items():
            bare = [re.sub(r"[^a-z0-9]", "", text.lower()) for text in texts]
            count = sum(any(code in text for code in codes) for text in bare)
            if count:
                found[place] = count
        return found


def queued(stack: Stack) -> dict[str, list[str]]:
    """All messages that are in a queue now, waiting or in work, by the queue's address."""
    address = f"{stack.sandbox.aws.url}/_ministack/sqs/messages"
    reply = requests.get(address, timeout=10).json()
    return {
        url: [json.dumps(message) for message in messages]
        for regions in reply["messages"].values()
        for queues in regions.values()
        for url, messages in queues.items()
    }


@contextmanager
def asleep(stack: Stack) -> Iterator[Callable[[str], None]]:
    """Let no one-off take messages, until it is woken by its name, or all at the end."""
    client, outputs = stack.client("lambda"), stack.outputs()

    def mappings(name: str) -> list[str]:
        function = outputs[f"{name}Function"]
        listed = client.list_event_source_mappings(FunctionName=function)
        return [each["UUID"] for each in listed["EventSourceMappings"]]

    def switch(name: str, *, on: bool) -> None:
        for mapping in mappings(name):
            client.update_event_source_mapping(UUID=mapping, Enabled=on)
            wait_until(
                lambda mapping=mapping: (  # type: ignore[misc]
                    client.get_event_source_mapping(UUID=mapping)["State"]
                    == ("Enabled" if on else "Disabled")
                ),
                seconds=30,
                what=f"{name} is {'awake' if on else 'asleep'}",
            )

    try:
        for name in ONE_OFFS:
            switch(name, on=False)
        yield lambda name: switch(name, on=True)
    finally:
        for name in ONE_OFFS:
            switch(name, on=True)


def give_up(stack: Stack) -> None:
    """Take the customers' messages and fail, as often as their queue allows: they are dead then."""
    queue, url = stack.client("sqs"), stack.outputs()["DeliverToCustomerQueueUrl"]
    about = queue.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    most = int(json.loads(about["Attributes"]["RedrivePolicy"])["maxReceiveCount"])
    for _ in range(most + 1):
        queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)


def send_again(stack: Stack) -> None:
    """Send the dead messages back to where they came from, as a person does."""
    queue, outputs = stack.client("sqs"), stack.outputs()
    dead = outputs["DeliverToCustomerDeadLettersUrl"]
    while messages := queue.receive_message(QueueUrl=dead, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            queue.send_message(
                QueueUrl=outputs["DeliverToCustomerQueueUrl"], MessageBody=message["Body"]
            )
            queue.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])


def sell(sandbox: Sandbox, recipient: str) -> str:
    cells = {
        "Store": [sandbox.day.stores[1].id],
        "Employee": EMPLOYEE,
        "Amount": 15.0,
        "Quantity": 2,
        "Recipient Name": "Grace Hopper",
        "Recipient Email": recipient,
    }
    row: str = sandbox.base.submit_form("Creation Requests", cells)["id"]
    return row


def ask_and_redeem(sandbox: Sandbox, code: str, email: str) -> None:
    """Type one code into both forms, as it stands in a customer's mail."""
    typed = " ".join(re.findall(".{1,4}", code.upper()))
    sandbox.base.submit_form("Balance Checks", {TYPED: typed, "Email": email})
    cells = {
        "Store": [sandbox.day.stores[1].id],
        "Employee": EMPLOYEE,
        TYPED: typed,
        "Amount": 1.25,
    }
    sandbox.base.submit_form("Redemptions", cells)


def live_through(sandbox: Sandbox, stack: Stack) -> dict[str, list[str]]:
    """Sell two cards, ask about and spend one, give a message up; return all messages met.

    Each one-off sleeps until what the others send it has been looked at.
    """
    met: dict[str, list[str]] = {}

    def look_for(output: str, what: str) -> None:
        def is_there() -> bool:
            found = queued(stack)
            for url, messages in found.items():
                met.setdefault(url, []).extend(messages)
            (mine,) = [m for url, m in found.items() if url.endswith(name)]
            return any(what in message for message in mine)

        name = stack.outputs()[output].rpartition("/")[2]
        wait_until(is_there, seconds=STEP_SECONDS, what=f"{what} in {output}")

    somebody = f"grace.{uuid.uuid4().hex[:8]}@customers.example.com"
    with asleep(stack) as wake:
        sale = sell(sandbox, somebody)
        look_for("IssueCardsQueueUrl", f"sale#{sale}")
        wake("IssueCards")
        look_for("DeliverToCustomerQueueUrl", f"delivery#{sale}")
        (card, _) = [
            card for card in sandbox.shop.cards if (card.note or "").startswith(f"issue#{sale}#")
        ]
        ask_and_redeem(sandbox, card.code, somebody)
        look_for("DeliverToCustomerQueueUrl", "check#")
        look_for("AnswerStoreQueueUrl", "redemption#")
        give_up(stack)
        look_for("DeliverToCustomerDeadLettersUrl", f"delivery#{sale}")
        send_again(stack)
        look_for("WriteAirtableQueueUrl", f"sale#{sale}")

    wait_until(
        lambda: len(sandbox.inbox.mails(somebody)) == 2,
        seconds=STEP_SECONDS,
        what="the customer has the cards and the balance",
    )
    return met


def cells(sandbox: Sandbox, table: str) -> list[str]:
    """What stands in a table, but for the code in rows that wait or are held: it is needed yet."""
    texts = []
    for row in sandbox.base.table(table).records():
        is_over = row["fields"].get("Status") == "Processed"
        texts += [
            json.dumps(value) for name, value in row["fields"].items() if is_over or name != TYPED
        ]
    return texts


def items(stack: Stack) -> list[str]:
    """Every item of the journal."""
    pages = stack.client("dynamodb").get_paginator("scan")
    found = pages.paginate(TableName=stack.outputs()["TableName"])
    return [repr(item) for page in found for item in page["Items"]]


def logs(stack: Stack) -> dict[str, list[str]]:
    """Every line of every log group there is."""
    client = stack.client("logs")
    groups = client.get_paginator("describe_log_groups").paginate()
    found = {}
    for group in (each["logGroupName"] for page in groups for each in page["logGroups"]):
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group)
        found[group] = [event["message"] for page in pages for event in page["events"]]
    return found


@pytest.fixture(scope="module")
def seen(sandbox: Sandbox, stack: Stack) -> Seen:
    """Everything that this system has kept anywhere, once the scenario is over."""
    met = live_through(sandbox, stack)
    wait_until(
        lambda: not [text for text in cells_of_open_rows(sandbox) if EMPLOYEE in text],
        seconds=STEP_SECONDS,
        what="the scenario's rows are processed",
    )
    for url, messages in queued(stack).items():
        met.setdefault(url, []).extend(messages)
    tables = {table.name: cells(sandbox, table.name) for table in sandbox.base.tables()}
    # What SES sent: answers, notices, balances. The cards themselves go by Klaviyo alone.
    mails = [mail for mail in sandbox.inbox.mails() if mail.channel == "ses"]
    by_ses = {"SES": [mail.subject + mail.text + mail.html for mail in mails]}
    return Seen(met | tables | by_ses | logs(stack) | {"journal": items(stack)})


def cells_of_open_rows(sandbox: Sandbox) -> list[str]:
    return [
        json.dumps(row["fields"])
        for table in ("Redemptions", "Creation Requests")
        for row in sandbox.base.table(table).records()
        if "Status" not in row["fields"]
    ]


def test_no_full_code_is_kept_anywhere(sandbox: Sandbox, stack: Stack, seen: Seen) -> None:
    codes = {card.code for card in sandbox.shop.cards}
    queues = {name for name in seen.texts if name.startswith("http")}

    assert len(codes) > len(sandbox.day.cards), "cards were sold"
    assert set(queued(stack)) == queues
    assert len(queues) >= 2 * len(ONE_OFFS), "every queue with its dead letters"
    for place in ("journal", "SES", "Receipts", "Gift Cards", "Redemptions", "Balance Checks"):
        assert seen.texts[place], place
    for function in ("store-transactions", "issue-cards", "deliver-to-customer", "answer-store"):
        assert seen.texts[f"/aws/lambda/{sandbox.stack}-{function}"], function
    assert seen.places_with(codes) == {}


def test_every_kind_of_message_was_looked_at(stack: Stack, seen: Seen) -> None:
    outputs = stack.outputs()
    for name in (*ONE_OFFS, "DeliverToCustomerDeadLetters"):
        output = f"{name}Url" if name.endswith("Letters") else f"{name}QueueUrl"
        queue = outputs[output].rpartition("/")[2]
        (messages,) = [texts for url, texts in seen.texts.items() if url.endswith(f"/{queue}")]
        assert any("operation" in message for message in messages), name


def test_the_search_finds_codes_where_they_belong(sandbox: Sandbox) -> None:
    sold = {card.code for card in sandbox.shop.cards if (card.note or "").startswith("issue#")}
    events = [json.dumps(event.properties) for event in sandbox.klaviyo.events]
    mails = [mail.text for mail in sandbox.klaviyo.mails]
    found = Seen({"events": events, "mails": mails}).places_with(sold)
    assert set(found) == {"events", "mails"}
    assert Seen({"a cell": ["7K2M-4q8x w3r9.HN5T"]}).places_with({"7k2m4q8xw3r9hn5t"})
