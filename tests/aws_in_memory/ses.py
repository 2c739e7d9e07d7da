"""SES in memory: mail is sent from addresses it knows, and kept."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from tests.aws_in_memory.errors import invalid, known_only, refusal
from tests.aws_in_memory.sqs import REGION

# What SES takes in a tag (SES API v2, MessageTag).
TAG = re.compile(r"[A-Za-z0-9_.@-]{1,256}")


@dataclass(frozen=True, slots=True)
class SentMail:
    """One mail that SES took; `body` is the HTML one, `text` the other, `tags` what it names."""

    id: str
    source: str
    destinations: dict[str, list[str]]
    subject: str
    body: str
    text: str
    tags: dict[str, str]


class Ses:
    """The SESv2 client."""

    def __init__(self) -> None:
        # Whether AWS has let the account out of SES's sandbox, and domains whose DNS lacks records.
        self.is_let_out = True
        self.pending: set[str] = set()
        self._identities: set[str] = set()
        self._configuration_sets: set[str] = set()
        self._sent: list[SentMail] = []
        self._lock = Lock()

    def sent(self) -> list[SentMail]:
        """All mail so far, the oldest first."""
        with self._lock:
            return list(self._sent)

    def create_email_identity(self, *, EmailIdentity: str) -> dict[str, Any]:
        """Know an address or a domain; the click that verifies it is taken as done."""
        with self._lock:
            if EmailIdentity in self._identities:
                message = f"Email identity {EmailIdentity} already exist."
                raise refusal("CreateEmailIdentity", "AlreadyExistsException", message)
            self._identities.add(EmailIdentity)
        kind = "EMAIL_ADDRESS" if "@" in EmailIdentity else "DOMAIN"
        return {"IdentityType": kind, "VerifiedForSendingStatus": True}

    def get_email_identity(self, *, EmailIdentity: str) -> dict[str, Any]:
        """What is known of an address, or of a domain, whose mail is signed once it is verified."""
        with self._lock:
            if EmailIdentity not in self._identities:
                message = f"Email identity {EmailIdentity} does not exist."
                raise refusal("GetEmailIdentity", "NotFoundException", message, status=404)
        is_verified = EmailIdentity not in self.pending
        if "@" in EmailIdentity:
            return {"VerifiedForSendingStatus": is_verified, "DkimAttributes": {"Tokens": []}}
        signing = {
            "SigningEnabled": True,
            "Status": "SUCCESS" if is_verified else "PENDING",
            "Tokens": ["aaaaaa", "bbbbbb", "cccccc"],
        }
        return {"VerifiedForSendingStatus": is_verified, "DkimAttributes": signing}

    def get_account(self) -> dict[str, Any]:
        """Whether the account may mail whom it likes."""
        return {"ProductionAccessEnabled": self.is_let_out, "SendingEnabled": True}

    def create_configuration_set(self, *, ConfigurationSetName: str) -> dict[str, Any]:
        """Know a configuration set; its event destinations are the template's matter."""
        with self._lock:
            self._configuration_sets.add(ConfigurationSetName)
        return {}

    def delete_email_identity(self, *, EmailIdentity: str) -> dict[str, Any]:
        """Forget an address or a domain."""
        with self._lock:
            if EmailIdentity not in self._identities:
                message = f"Email identity {EmailIdentity} does not exist."
                raise refusal("DeleteEmailIdentity", "NotFoundException", message, status=404)
            self._identities.remove(EmailIdentity)
        return {}

    def send_email(
        self,
        *,
        FromEmailAddress: str,
        Destination: Mapping[str, list[str]],
        Content: Mapping[str, Any],
        ConfigurationSetName: str | None = None,
        EmailTags: Sequence[Mapping[str, str]] = (),
    ) -> dict[str, Any]:
        """Send a mail with a text and an HTML body."""
        known_only(Destination, {"ToAddresses"}, "SendEmail")
        known_only(Content, {"Simple"}, "SendEmail")
        if ConfigurationSetName not in {None, *self._configuration_sets}:
            message = f"Configuration set <{ConfigurationSetName}> does not exist."
            raise refusal("SendEmail", "NotFoundException", message, status=404)
        for tag in EmailTags:
            known_only(tag, {"Name", "Value"}, "SendEmail")
            if not TAG.fullmatch(tag["Name"]) or not TAG.fullmatch(tag["Value"]):
                raise invalid("SendEmail", f"Invalid tag {tag}")
        simple = Content["Simple"]
        known_only(simple, {"Subject", "Body"}, "SendEmail")
        known_only(simple["Body"], {"Text", "Html"}, "SendEmail")
        for part in (simple["Subject"], *simple["Body"].values()):
            known_only(part, {"Data", "Charset"}, "SendEmail")
        with self._lock:
            _, _, domain = FromEmailAddress.rpartition("@")
            if not self._identities & {FromEmailAddress, domain}:
                raise refusal(
                    "SendEmail",
                    "MessageRejected",
                    "Email address is not verified. The following identities failed the check"
                    f" in region {REGION.upper()}: {FromEmailAddress}",
                )
            mail = SentMail(
                id=f"{len(self._sent) + 1:016x}-000000",
                source=FromEmailAddress,
                destinations={name: list(to) for name, to in Destination.items()},
                subject=simple["Subject"]["Data"],
                body=simple["Body"]["Html"]["Data"],
                text=simple["Body"]["Text"]["Data"],
                tags={tag["Name"]: tag["Value"] for tag in EmailTags},
            )
            self._sent.append(mail)
            return {"MessageId": mail.id}
