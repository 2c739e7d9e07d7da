"""Sends a mail through Amazon's mail service (SES), and says what a failure means for a second try.

SES takes no token that would make sending the same mail twice harmless. So nothing is repeated in
here, and a failure says which of three things is true: the mail was certainly not sent, it may have
been sent, or somebody has to mend something first.
"""

import re
from typing import TYPE_CHECKING, Final, Never

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NeverConnectedError

from giftcards.errors import (
    AccessRefused,
    ConfigurationError,
    NeedsAPerson,
    NotSent,
    Unconfirmed,
    VendorSurprise,
)
from giftcards.mails import Mail

if TYPE_CHECKING:
    from mypy_boto3_sesv2.client import SESV2Client

CHARACTER_SET: Final = "UTF-8"
FIRST_SERVER_ERROR: Final = 500
TOO_MANY_REQUESTS: Final = 429

# SES says by these that it did not send because of its limits; after a wait it will.
# LimitExceeded is the day's quota. (SES API v2, SendEmail, and the errors all AWS services share.)
THROTTLED = frozenset(
    ["TooManyRequestsException", "LimitExceededException", "Throttling", "ThrottlingException"]
)
REFUSED = frozenset(
    """
    AccessDenied AccessDeniedException UnrecognizedClientException InvalidClientTokenId
    InvalidSignatureException SignatureDoesNotMatch ExpiredToken ExpiredTokenException
    OptInRequired MissingAuthenticationToken MissingAuthenticationTokenException
    """.split()  # noqa: SIM905 - a list of names reads better as words
)
# What a person has to do, by SES's error code. (SES API v2, SendEmail, section "Errors".)
WHAT_TO_DO = {
    "MessageRejected": (
        "If it names an address that is not verified: verify it in SES, and move the account out of"
        " the SES sandbox, in which only verified addresses receive mail"
    ),
    "MailFromDomainNotVerifiedException": (
        "verify the domain of MAIL_FROM in SES (its MX and SPF records)"
    ),
    "AccountSuspendedException": (
        "AWS has stopped this account's mail for good: open a case with AWS support"
    ),
    "SendingPausedException": (
        "sending is paused for this account: look at its reputation in the SES console, then resume"
    ),
    "NotFoundException": "verify MAIL_FROM in SES, in this region",
    "BadRequestException": "look at the store's address in Stores and at MAIL_FROM",
}


# The tag by which a mail names its operation. SES takes letters, digits, _, -, . and @ in it, and
# no more than 256 of them (SES API v2, MessageTag).
OPERATION_TAG: Final = "operation"
LONGEST_TAG: Final = 256


def tag_of(operation: str) -> str:
    """An operation's key as a tag: what SES does not take becomes a dot (`redemption.rec1`)."""
    return re.sub(r"[^A-Za-z0-9_.@-]", ".", operation)[:LONGEST_TAG]


class Mailer:
    """Mail by SES. `sender` is the verified address that the shop's mails come from.

    `configuration_set` is the SES configuration set that reports the mails that come back.
    """

    def __init__(self, ses: "SESV2Client", *, sender: str, configuration_set: str) -> None:
        self._ses = ses
        self._sender = sender
        self._configuration_set = configuration_set

    def send(self, mail: Mail, *, operation: str) -> str:
        """Send one mail, once; returns SES's message id.

        `operation` is the key of the operation that the mail tells of: SES names it again where the
        mail comes back (see `note_bounce`).

        Raises `NotSent` (no connection, throttled, the day's quota used up), `Unconfirmed` (the
        reply never came, or SES failed: the mail may be on its way), `AccessRefused`, and
        `NeedsAPerson` with what to do where SES will not send this mail or any.
        """
        try:
            reply = self._ses.send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [mail.to]},
                ConfigurationSetName=self._configuration_set,
                EmailTags=[{"Name": OPERATION_TAG, "Value": tag_of(operation)}],
                Content={
                    "Simple": {
                        "Subject": {"Data": mail.subject, "Charset": CHARACTER_SET},
                        "Body": {
                            "Text": {"Data": mail.text, "Charset": CHARACTER_SET},
                            "Html": {"Data": mail.html, "Charset": CHARACTER_SET},
                        },
                    }
                },
            )
        except ClientError as error:
            self._translate_answer(error)
        except NeverConnectedError as error:
            raise NotSent(f"SES could not be reached: {error}") from error
        except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
            raise ConfigurationError(
                f"there are no AWS credentials to send mail with: {error}"
            ) from error
        except ParamValidationError as error:
            raise VendorSurprise(f"boto3 does not take this mail: {error}") from error
        except BotoCoreError as error:
            # A time-out or a closed connection after the request went out.
            raise Unconfirmed(f"SES did not answer; the mail may be on its way: {error}") from error
        return reply["MessageId"]

    def _translate_answer(self, error: ClientError) -> Never:
        """Raise what SES's refusal means for us."""
        code = error.response.get("Error", {}).get("Code", "")
        message = error.response.get("Error", {}).get("Message", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        said = f"SES answered {code} ({status}): {message}"
        if code in THROTTLED or status == TOO_MANY_REQUESTS:
            raise NotSent(said) from error
        if status >= FIRST_SERVER_ERROR:
            raise Unconfirmed(f"{said}. The mail may be on its way") from error
        if code in REFUSED:
            raise AccessRefused(
                f"{said}. The function's role needs ses:SendEmail for {self._sender}"
            ) from error
        if code in WHAT_TO_DO:
            raise NeedsAPerson(f"{said}. {WHAT_TO_DO[code]}") from error
        raise VendorSurprise(f"{said}. This answer is in no documentation we know") from error
