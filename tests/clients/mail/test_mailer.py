"""A mail is sent once, and a failure says whether it may be sent again."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    SSLError,
)
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from giftcards.clients.mail import Mailer
from giftcards.errors import (
    AccessRefused,
    ConfigurationError,
    GiftCardError,
    NeedsAPerson,
    NotSent,
    Unconfirmed,
    VendorSurprise,
)
from giftcards.mails import Mail

if TYPE_CHECKING:
    from mypy_boto3_sesv2.client import SESV2Client

SENDER = "giftcards@example.com"
MAIL = Mail(
    to="downtown@example.com",
    subject="Paid: 12.50 € (•••• 2b5a)",
    text="Bezahlt – fertig.",
    html="<p>é</p>",
)
URL = "https://email.us-east-1.amazonaws.com"


@pytest.fixture
def ses() -> Iterator["SESV2Client"]:
    with mock_aws():
        yield boto3.client(
            "sesv2", region_name="us-east-1", config=Config(retries={"total_max_attempts": 1})
        )


class Wire:
    """Stands where the request leaves botocore: keeps what was sent, answers what it is told."""

    def __init__(self, ses: "SESV2Client", answer: AWSResponse | Exception | None = None) -> None:
        self.sent: list[AWSRequest] = []
        self.answer = answer
        ses.meta.events.register_first("before-send.sesv2.SendEmail", self.take)  # type: ignore[arg-type]  # the stubs forget that this handler may answer

    def take(self, request: AWSRequest, **_: Any) -> AWSResponse | None:
        self.sent.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Body:
    """The bytes of an answer, as botocore reads them off the wire."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.content


def refusal(code: str, status: int, message: str = "because") -> AWSResponse:
    """An answer as SES words it (restJson1: the code in a header, the message in the body)."""
    headers = HTTPHeaders()
    headers.add_header("x-amzn-ErrorType", code)
    headers.add_header("content-type", "application/json")
    return AWSResponse(URL, status, headers, Body(f'{{"message": "{message}"}}'.encode()))


def test_a_mail_reaches_ses_whole(ses: "SESV2Client") -> None:
    ses.create_email_identity(EmailIdentity=SENDER)
    wire = Wire(ses)
    message_id = Mailer(ses, sender=SENDER, configuration_set="tests").send(
        MAIL, operation="redemption#rec1"
    )
    sent = ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages
    assert [message.id for message in sent] == [message_id]
    assert sent[0].source == SENDER
    assert sent[0].destinations["ToAddresses"] == [MAIL.to]
    assert sent[0].subject == MAIL.subject
    assert sent[0].body == MAIL.html
    assert len(wire.sent) == 1


def test_both_parts_and_the_subject_go_out_as_utf_8(ses: "SESV2Client") -> None:
    requests: list[dict[str, Any]] = []
    ses.meta.events.register(
        "provide-client-params.sesv2.SendEmail", lambda params, **_: requests.append(params)
    )
    ses.create_email_identity(EmailIdentity=SENDER)
    Mailer(ses, sender=SENDER, configuration_set="tests").send(MAIL, operation="redemption#rec1")
    assert requests == [
        {
            "FromEmailAddress": SENDER,
            "Destination": {"ToAddresses": [MAIL.to]},
            "ConfigurationSetName": "tests",
            "EmailTags": [{"Name": "operation", "Value": "redemption.rec1"}],
            "Content": {
                "Simple": {
                    "Subject": {"Data": MAIL.subject, "Charset": "UTF-8"},
                    "Body": {
                        "Text": {"Data": MAIL.text, "Charset": "UTF-8"},
                        "Html": {"Data": MAIL.html, "Charset": "UTF-8"},
                    },
                }
            },
        }
    ]


def test_a_sender_that_nobody_verified_needs_a_person(ses: "SESV2Client") -> None:
    with pytest.raises(NeedsAPerson, match="verify it in SES"):
        Mailer(ses, sender=SENDER, configuration_set="tests").send(
            MAIL, operation="redemption#rec1"
        )


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (refusal("TooManyRequestsException", 429), NotSent, "TooManyRequests"),
        (refusal("LimitExceededException", 400), NotSent, "LimitExceeded"),
        (refusal("ThrottlingException", 400, "Rate exceeded"), NotSent, "Rate exceeded"),
        (refusal("Nobody knows", 429), NotSent, "429"),
        (refusal("InternalServiceErrorException", 500), Unconfirmed, "may be on its way"),
        (refusal("ServiceUnavailable", 503), Unconfirmed, "may be on its way"),
        (refusal("MessageRejected", 400, "Email address is not verified"), NeedsAPerson, "sandbox"),
        (refusal("MailFromDomainNotVerifiedException", 400), NeedsAPerson, "MAIL_FROM"),
        (refusal("AccountSuspendedException", 400), NeedsAPerson, "AWS support"),
        (refusal("SendingPausedException", 400), NeedsAPerson, "resume"),
        (refusal("NotFoundException", 404), NeedsAPerson, "in this region"),
        (refusal("BadRequestException", 400), NeedsAPerson, "store's address"),
        (refusal("AccessDeniedException", 403), AccessRefused, "ses:SendEmail"),
        (refusal("ExpiredTokenException", 403), AccessRefused, "ses:SendEmail"),
        (refusal("SomethingNew", 400), VendorSurprise, "SomethingNew"),
        (EndpointConnectionError(endpoint_url=URL), NotSent, "could not be reached"),
        (ConnectTimeoutError(endpoint_url=URL), NotSent, "could not be reached"),
        (
            SSLError(endpoint_url=URL, error=ValueError("bad certificate")),
            NotSent,
            "could not be reached",
        ),
        (ReadTimeoutError(endpoint_url=URL), Unconfirmed, "may be on its way"),
        (ConnectionClosedError(endpoint_url=URL), Unconfirmed, "may be on its way"),
        (NoCredentialsError(), ConfigurationError, "credentials"),
    ],
)
def test_a_failure_says_whether_the_mail_may_be_sent_again(
    ses: "SESV2Client", answer: AWSResponse | Exception, error: type[GiftCardError], says: str
) -> None:
    wire = Wire(ses, answer)
    with pytest.raises(error, match=says) as raised:
        Mailer(ses, sender=SENDER, configuration_set="tests").send(
            MAIL, operation="redemption#rec1"
        )
    assert raised.type is error
    assert len(wire.sent) == 1, "the client repeats nothing"
    assert MAIL.text not in str(raised.value)


def test_a_mail_that_boto3_does_not_take_is_a_surprise(ses: "SESV2Client") -> None:
    broken = Mailer(ses, sender=b"no text", configuration_set="tests")  # type: ignore[arg-type]  # what boto3 refuses is tried here
    with pytest.raises(VendorSurprise, match="boto3"):
        broken.send(MAIL, operation="redemption#rec1")
