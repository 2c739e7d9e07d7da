"""Whether SES may send the stores' answers, and whether mailboxes will believe it.

A mail that is not signed for its sender's domain (DKIM) fails that domain's DMARC policy where it
has one, and is refused or filed as spam. SES signs for a domain that it knows as an identity, not
for an address alone (Amazon SES, "Complying with DMARC").
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_sesv2.client import SESV2Client

# Where SES publishes what the records point to, if it does not say so itself.
SIGNING_ZONE = "dkim.amazonses.com"

SUPPORT = "SES console, Account dashboard, “Request production access”"


@dataclass(frozen=True)
class MailReport:
    """What the engineer reads, line by line, and whether anything is left to do."""

    lines: tuple[str, ...]
    is_ready: bool


def report_mail(aws: boto3.session.Session, sender: str) -> MailReport:
    """How SES in the stack's region stands to the address that stores are answered from.

    Raises botocore's `ClientError` where SES cannot be asked.
    """
    ses: SESV2Client = aws.client("sesv2")
    domain = sender.partition("@")[2]
    is_known = False
    lines: list[str] = []
    for name in _parents(domain):
        identity = _identity(ses, name)
        if identity is not None:
            is_known, lines = _about_domain(name, identity)
            break
    else:
        lines = list(_without_domain(_identity(ses, sender), sender, domain))
    is_let_out = bool(ses.get_account().get("ProductionAccessEnabled"))
    if not is_let_out:
        lines += [
            "This account is in SES's sandbox: it mails verified addresses only, so stores and",
            f"customers read nothing yet. Ask AWS to lift it: {SUPPORT}.",
        ]
    return MailReport(tuple(lines), is_ready=is_known and is_let_out)


def _parents(domain: str) -> Iterator[str]:
    """The domain and those above it: an identity is good for all domains below it."""
    labels = domain.split(".")
    for start in range(len(labels) - 1):
        yield ".".join(labels[start:])


def _identity(ses: "SESV2Client", name: str) -> Mapping[str, Any] | None:
    try:
        return ses.get_email_identity(EmailIdentity=name)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NotFoundException":
            return None
        raise


def _about_domain(domain: str, identity: Mapping[str, Any]) -> tuple[bool, list[str]]:
    """Whether SES sends for the domain and signs what it sends, and what is left to do."""
    signing = identity.get("DkimAttributes", {})
    is_signed = bool(signing.get("SigningEnabled")) and signing.get("Status") == "SUCCESS"
    if identity.get("VerifiedForSendingStatus") and is_signed:
        return True, [f"{domain} is verified, and its mail is signed (DKIM)."]
    tokens = signing.get("Tokens") or []
    if not tokens or not signing.get("SigningEnabled"):
        return False, [
            f"{domain} is known to SES, but its mail is not signed: switch “Easy DKIM” on, in the",
            "SES console, Identities.",
        ]
    zone = signing.get("SigningHostedZone") or SIGNING_ZONE
    state = signing.get("Status", "unknown")
    return False, [
        f"{domain} is not verified yet ({state}). Put these records into its DNS; SES looks for",
        "them for 72 hours:",
        *(f"  {token}._domainkey.{domain}  CNAME  {token}.{zone}" for token in tokens),
    ]


def _without_domain(address: Mapping[str, Any] | None, sender: str, domain: str) -> Iterator[str]:
    if address is None:
        yield f"SES in this region knows neither {domain} nor {sender}: no store is answered."
    elif not address.get("VerifiedForSendingStatus"):
        yield f"{sender} is not verified: click the link that SES mailed to it."
    else:
        yield f"{sender} is verified, but its domain is not, so nothing is signed: mailboxes may"
        yield "refuse the answers, or file them as spam. That is good for a trial only."
    yield f"Deploy with CreateMailIdentity=domain to have {domain} verified and its mail signed."
