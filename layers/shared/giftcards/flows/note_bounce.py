"""Note a mail that came back: a receipt, and the office reads it in the store's stead.

SES reports bounces and complaints as events; each names the mail's tags, among them the operation
the mail told of, and has an id of its own, so that one that comes twice is noted once. The alarm
counts the events where EventBridge hands them on, whatever becomes of them here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from giftcards.clients.mail import OPERATION_TAG
from giftcards.errors import NeedsAPerson
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.sale import BOUNCE_KIND
from giftcards.mails import one_line
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.journal import Journal, Result, State

BOUNCED = "BOUNCED"

# What SES calls the events that mean: nobody has read this (SES, "Event publishing").
CAME_BACK = {"Bounce", "Complaint", "Reject"}

# How soon somebody looks after a note whose worker died before handing it over.
LOOK_AGAIN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class NoteBounce:
    """Takes SES's events about mails that came back."""

    journal: Journal
    follow_up: FollowUp
    clock: Callable[[], datetime]
    office_email: str

    def note(self, event: Mapping[str, Any]) -> None:
        """Note one event, as EventBridge hands it on; `detail` is SES's own.

        A mail to the office that comes back is noted, but not mailed to the office.
        """
        detail = event.get("detail")
        kind = detail.get("eventType") if isinstance(detail, Mapping) else None
        if kind not in CAME_BACK or not isinstance(detail, Mapping):
            raise NeedsAPerson("this is no event of SES about a mail that came back")
        mail = detail.get("mail", {})
        message_id = str(mail.get("messageId", ""))
        tag = (mail.get("tags", {}).get(OPERATION_TAG) or ["unknown"])[0]
        to = ", ".join(str(address) for address in mail.get("destination", []))
        now = self.clock()
        key = f"{BOUNCE_KIND}#{message_id}"
        details = one_line(f"the mail about {tag} to {to} came back ({_why(detail)})")
        is_offices = to.casefold() == self.office_email.casefold()
        noted = self.journal.record(
            key,
            kind=BOUNCE_KIND,
            snapshot={"operation": tag, "message_id": message_id},
            result=Result(
                outcome=BOUNCED,
                decided_at=now,
                reason=f"{details[:1].upper()}{details[1:]}.",
                receipts=(
                    Receipt(
                        id=f"{key}#1",
                        at=now,
                        action=Action.MAIL_BOUNCED,
                        actor="Amazon SES",
                        card=None,
                        amount=None,
                        balance_after=None,
                        outcome=ReceiptOutcome.FAILED,
                        operation=key,
                        details=f"{BOUNCED}: {details}",
                    ),
                ),
                mail_to=None if is_offices else self.office_email,
            ),
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )
        if noted.state is State.COMMITTED:
            self.follow_up.hand_over(noted)


def _why(detail: Mapping[str, Any]) -> str:
    """SES's own words for the kind, such as `Bounce, Permanent, General`."""
    about = detail.get("bounce") or detail.get("complaint") or detail.get("reject") or {}
    words = [
        str(detail.get("eventType")),
        str(about.get("bounceType") or about.get("complaintFeedbackType") or ""),
        str(about.get("bounceSubType") or about.get("reason") or ""),
    ]
    return ", ".join(word for word in words if word)
