"""The mail boxes of stores, office and customers: every mail that was sent, newest first.

Stores and office get theirs by SES, customers most of theirs by Klaviyo, and those who bought one
of Shopify's own gift cards by Shopify.

The embedded AWS (ministack) keeps what SES sent and shows it at `GET /_ministack/ses/messages`:

    {"messages": {"000000000000": [{"MessageId", "Source", "To": [...], "CC", "BCC", "Subject",
                                    "BodyText", "BodyHtml", "Timestamp", "Type"}]}}

`Inbox` asks there, at most twice a second however many pages are open. While the AWS is away it
goes on showing what it has read before, and `problem` says why nothing new arrives.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import requests

from sandbox.klaviyo import CustomerMail, Klaviyo
from sandbox.shopify import Shop, ShopifyMail

# The AWS stands on the same machine: a reply that takes longer than this is not coming, and the
# page that asked should not hang with it.
TIMEOUT_SECONDS = 2.0

# Open pages ask every second; two of them asking together share one reading.
FRESH_SECONDS = 0.5

_MESSAGES_PATH = "/_ministack/ses/messages"


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """One mail in one addressee's box. `at` is aware (UTC); `html` is empty if it was plain text.

    `channel` is `ses`, `klaviyo` or `shopify`. `id` is SES's message id and the addressee's place
    among the mail's addressees, or the other senders' own.
    """

    id: str
    to: str
    sender: str
    subject: str
    text: str
    html: str
    channel: str
    at: datetime

    def to_json(self) -> dict[str, str]:
        """The mail as `/inbox.json` lists it; `at` in ISO 8601, UTC."""
        return {
            "to": self.to,
            "from": self.sender,
            "subject": self.subject,
            "text": self.text,
            "html": self.html,
            "channel": self.channel,
            "at": self.at.isoformat(),
        }


class Inbox:
    """Reads the mails the embedded AWS at `aws_url`, and `klaviyo` and `shop` if given, have sent.

    Safe to use from several threads.

    `monotonic_seconds` is the clock that says when a reading is no longer fresh.
    """

    def __init__(
        self,
        aws_url: str,
        *,
        klaviyo: Klaviyo | None = None,
        shop: Shop | None = None,
        session: requests.Session | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        monotonic_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = aws_url.rstrip("/") + _MESSAGES_PATH
        self._klaviyo = klaviyo
        self._shop = shop
        self._session = requests.Session() if session is None else session
        self._timeout_seconds = timeout_seconds
        self._monotonic_seconds = monotonic_seconds
        self._lock = threading.Lock()
        self._mails: tuple[ReceivedMail, ...] = ()
        self._problem: str | None = None
        self._read_at: float | None = None

    @property
    def problem(self) -> str | None:
        """Why the last reading failed, in plain words; None if it went well."""
        self._refresh()
        return self._problem

    @property
    def version(self) -> str:
        """Differs whenever the boxes differ: pages compare it to know that mail has come."""
        mails = self.mails()
        newest = mails[0].id if mails else "none"
        return f"{len(mails)}-{newest}-{'down' if self._problem else 'up'}"

    def mails(self, to: str | None = None) -> list[ReceivedMail]:
        """The mails, newest first: all, or those to the address `to` (capitals do not matter)."""
        self._refresh()
        sent_by_klaviyo = [] if self._klaviyo is None else self._klaviyo.mails
        sent_by_shopify = [] if self._shop is None else self._shop.orders.mails
        everything = [
            *self._mails,
            *map(_from_klaviyo, sent_by_klaviyo),
            *map(_from_shopify, sent_by_shopify),
        ]
        everything.sort(key=lambda mail: mail.at, reverse=True)
        if to is None:
            return everything
        return [mail for mail in everything if mail.to.casefold() == to.casefold()]

    def _refresh(self) -> None:
        with self._lock:
            now = self._monotonic_seconds()
            if self._read_at is not None and now - self._read_at < FRESH_SECONDS:
                return
            try:
                reply = self._session.get(self._url, timeout=self._timeout_seconds)
                reply.raise_for_status()
                mails = _read_mails(reply.json())
            except requests.RequestException as error:
                self._problem = (
                    f"The embedded AWS does not answer at the moment ({type(error).__name__});"
                    " mails already read are shown."
                )
            else:
                self._mails = tuple(mails)
                self._problem = None
            self._read_at = self._monotonic_seconds()


def _from_klaviyo(mail: CustomerMail) -> ReceivedMail:
    return ReceivedMail(
        id=mail.id,
        to=mail.to,
        sender=mail.sender,
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        channel="klaviyo",
        at=mail.at,
    )


def _from_shopify(mail: ShopifyMail) -> ReceivedMail:
    return ReceivedMail(
        id=mail.id,
        to=mail.to,
        sender=mail.sender,
        subject=mail.subject,
        text=mail.text,
        html="",
        channel="shopify",
        at=mail.at,
    )


def _read_mails(reply: dict[str, dict[str, list[dict[str, object]]]]) -> list[ReceivedMail]:
    """One mail per addressee: everybody in To, Cc and Bcc has a box of his own."""
    return [
        ReceivedMail(
            id=f"{message['MessageId']}-{place}",
            to=address,
            sender=str(message["Source"]),
            subject=str(message["Subject"]),
            text=str(message["BodyText"] or ""),
            html=str(message["BodyHtml"] or ""),
            channel="ses",
            at=datetime.fromtimestamp(float(str(message["Timestamp"])), tz=UTC),
        )
        for messages in reply["messages"].values()
        for message in messages
        for place, address in enumerate(_addresses(message))
    ]


def _addresses(message: dict[str, object]) -> list[str]:
    found: list[str] = []
    for field in ("To", "CC", "BCC"):
        listed = message[field]
        if isinstance(listed, list):
            found.extend(str(address) for address in listed)
    return found
