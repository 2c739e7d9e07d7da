"""The mail boxes, on what the embedded AWS (ministack 1.5.33) really answered."""

from datetime import UTC, datetime

import requests
from flask import Flask, Response, jsonify

from sandbox.inbox import FRESH_SECONDS, Inbox
from sandbox.wsgi import WsgiAdapter

AWS = "http://aws.test"

# Recorded: what ministack shows after three SES v2 calls, the second to two people.
TO_ONE = {
    "MessageId": "1d677e38-ea46-48a1-94ee-b2ed92025e0e@email.amazonses.com",
    "Source": "Gift cards <gift-cards@shop.example.com>",
    "To": ["harbor.street@stores.example.com"],
    "CC": [],
    "BCC": [],
    "Subject": "Paid: 12.00 USD — ✓",
    "BodyText": "Hello Maya,\n12.00 USD",
    "BodyHtml": "<p>Hello <b>Maya</b></p>",
    "Timestamp": 1795465076.2914047,
    "Type": "v2.SendEmail",
}
TO_TWO = TO_ONE | {
    "MessageId": "9ac81630-af08-47d4-9734-558eb3afd1a2@email.amazonses.com",
    "To": ["old.mill@stores.example.com", "office@shop.example.com"],
    "Timestamp": 1795465076.2938893,
}
PLAIN = TO_ONE | {
    "MessageId": "0c90291d-99f8-4031-a038-0b4f09916688@email.amazonses.com",
    "To": ["office@shop.example.com"],
    "Subject": "text only",
    "BodyHtml": "",
    "Timestamp": 1795465076.2956452,
}


class EmbeddedAws:
    """Answers as ministack does, counts how often it is asked, and can be away."""

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []
        self.is_up = True
        self.asked = 0
        self.app = Flask(__name__)
        self.app.add_url_rule("/_ministack/ses/messages", view_func=self.messages)

    def messages(self) -> Response:
        self.asked += 1
        accounts = {"000000000000": self.sent} if self.sent else {}
        reply = jsonify({"messages": accounts})
        reply.status_code = 200 if self.is_up else 503
        return reply


class Watch:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def pass_freshness(self) -> None:
        self.seconds += FRESH_SECONDS


def open_inbox(aws: EmbeddedAws, watch: Watch) -> Inbox:
    session = requests.Session()
    session.mount(AWS, WsgiAdapter(aws.app))
    return Inbox(AWS, session=session, monotonic_seconds=watch)


def test_every_addressee_has_the_mail_in_a_box_of_his_own_newest_first() -> None:
    aws = EmbeddedAws()
    aws.sent = [TO_ONE, TO_TWO, PLAIN]
    inbox = open_inbox(aws, Watch())

    assert [(mail.to, mail.subject) for mail in inbox.mails()] == [
        ("office@shop.example.com", "text only"),
        ("old.mill@stores.example.com", "Paid: 12.00 USD — ✓"),
        ("office@shop.example.com", "Paid: 12.00 USD — ✓"),
        ("harbor.street@stores.example.com", "Paid: 12.00 USD — ✓"),
    ]
    assert [mail.subject for mail in inbox.mails("Office@shop.example.com")] == [
        "text only",
        "Paid: 12.00 USD — ✓",
    ]
    assert len({mail.id for mail in inbox.mails()}) == 4


def test_a_mail_says_what_inbox_json_promises_and_nothing_else() -> None:
    aws = EmbeddedAws()
    aws.sent = [TO_ONE]
    (mail,) = open_inbox(aws, Watch()).mails()

    assert mail.to_json() == {
        "to": "harbor.street@stores.example.com",
        "from": "Gift cards <gift-cards@shop.example.com>",
        "subject": "Paid: 12.00 USD — ✓",
        "text": "Hello Maya,\n12.00 USD",
        "html": "<p>Hello <b>Maya</b></p>",
        "channel": "ses",
        "at": datetime.fromtimestamp(1795465076.2914047, tz=UTC).isoformat(),
    }
    assert mail.at.tzinfo is UTC


def test_many_open_pages_ask_the_aws_once() -> None:
    aws, watch = EmbeddedAws(), Watch()
    inbox = open_inbox(aws, watch)
    for _ in range(5):
        inbox.mails()
    assert inbox.version == inbox.version
    assert aws.asked == 1

    watch.pass_freshness()
    inbox.mails()
    assert aws.asked == 2


def test_the_version_changes_when_mail_comes() -> None:
    aws, watch = EmbeddedAws(), Watch()
    inbox = open_inbox(aws, watch)
    before = inbox.version
    aws.sent = [TO_ONE]
    watch.pass_freshness()
    assert inbox.version != before


def test_while_the_aws_is_away_the_mails_read_before_stay_and_the_page_can_say_why() -> None:
    aws, watch = EmbeddedAws(), Watch()
    aws.sent = [TO_ONE]
    inbox = open_inbox(aws, watch)
    assert len(inbox.mails()) == 1
    assert inbox.problem is None

    aws.is_up = False
    watch.pass_freshness()
    assert len(inbox.mails()) == 1
    assert "does not answer" in str(inbox.problem)

    aws.is_up = True
    watch.pass_freshness()
    assert inbox.problem is None


def test_an_aws_that_was_never_there_is_an_empty_box_with_a_reason() -> None:
    aws = EmbeddedAws()
    aws.is_up = False
    inbox = open_inbox(aws, Watch())
    assert inbox.mails() == []
    assert inbox.problem is not None
