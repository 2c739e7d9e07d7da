"""One Klaviyo account: timelines, templates, and flows that turn events into mails.

Klaviyo takes each `unique_id` once for a profile and metric: the first one wins, later ones are
accepted and forgotten.

People build flows by hand, so the box has a convention instead: a metric whose template is there
has a live flow. Its mail about an event of the theme `wedding` is made from the template

    Gift Card Delivered (wedding)          or, where there is none,
    Gift Card Delivered (standard)

The subject, which people type into the flow, is what stands in the template's `<title>`. As in a
real account, an event from before the template was there is never mailed.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.faults import Fault, Faults
from sandbox.klaviyo.events import Event, Json, read_event
from sandbox.klaviyo.language import fill_in_html, fill_in_text, subject_in
from sandbox.klaviyo.limits import EVENTS, TEMPLATES, Windows
from sandbox.klaviyo.templates import Template, Templates

STANDARD_THEME = "standard"
SENDER = "gift-cards@shop.example.com"


@dataclass(frozen=True, slots=True)
class CustomerMail:
    """A mail that a flow has sent. `text` and `html` say the same."""

    id: str
    to: str
    sender: str
    subject: str
    text: str
    html: str
    at: datetime


class Klaviyo:
    """One account. `version` grows with each event that is kept and each template that changes."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] | None = None,
        key: str = "pk_sandbox",
        sender: str = SENDER,
    ) -> None:
        self.key = key
        self.sender = sender
        self.faults = Faults(
            supported={
                Fault.DROP_REPLY,
                Fault.BREAK_CONNECTION,
                Fault.FAIL_BEFORE,
                Fault.REFUSE_CONNECTION,
                Fault.FAIL_AFTER,
                Fault.THROTTLE,
                Fault.THROTTLE_429,
                Fault.REFUSE_TOKEN,
            }
        )
        self.clock = clock or (lambda: datetime.now(UTC))
        self.version = 0
        self.templates = Templates(self.clock)
        self.event_limits = Windows(EVENTS, self.clock)
        self.template_limits = Windows(TEMPLATES, self.clock)
        self._lock = threading.Lock()
        self._events: dict[tuple[str, str, str], Event] = {}
        self._mails: list[CustomerMail] = []

    @property
    def events(self) -> list[Event]:
        """What the timelines hold, oldest first."""
        with self._lock:
            return list(self._events.values())

    @property
    def mails(self) -> list[CustomerMail]:
        """What the flows have sent, oldest first."""
        with self._lock:
            return list(self._mails)

    def take_event(self, data: Json) -> None:
        """Keep one event, given as the `data` of a JSON:API request; raises `KlaviyoError`."""
        event = read_event(data, self.clock())
        with self._lock:
            key = (event.profile, event.metric, event.unique_id)
            if key in self._events:
                return
            self._events[key] = event
            self.version += 1
            if mail := self._flow_mail(event):
                self._mails.append(mail)

    def create_template(self, data: Json) -> Template:
        """Make a template; raises `KlaviyoError`."""
        made = self.templates.create(data)
        self._note_change()
        return made

    def update_template(self, template_id: str, data: Json) -> Template:
        """Change a template; raises `KlaviyoError`."""
        changed = self.templates.update(template_id, data)
        self._note_change()
        return changed

    def _note_change(self) -> None:
        with self._lock:
            self.version += 1

    def _flow_mail(self, event: Event) -> CustomerMail | None:
        """What the metric's flow sends about this event, if there is a flow."""
        theme = event.properties.get("theme") or STANDARD_THEME
        template = self.templates.named(f"{event.metric} ({theme})") or self.templates.named(
            f"{event.metric} ({STANDARD_THEME})"
        )
        if template is None or event.email is None or event.is_backfill:
            return None
        html = fill_in_html(template.html, event.properties)
        return CustomerMail(
            id=f"klaviyo-{len(self._mails) + 1}",
            to=event.email,
            sender=self.sender,
            subject=subject_in(html),
            text=fill_in_text(template.text, event.properties),
            html=html,
            at=self.clock(),
        )
