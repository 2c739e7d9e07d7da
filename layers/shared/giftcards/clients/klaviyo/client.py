"""Klaviyo, as the rest of the application speaks of it: hand over a delivery; keep the templates.

Klaviyo sends a mail when an event of a metric arrives and a flow in the shop's account waits for
it. What is handed over here is therefore the event; that the mail goes out is the flow's doing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import requests

from giftcards.clients.klaviyo.connection import Connection, Method
from giftcards.domain.deliveries import Delivery
from giftcards.errors import DeliveryRefused, SafeToRepeat, Unconfirmed, VendorSurprise

# Klaviyo answers 202: taken, not yet processed. Any other success is not its events API's.
ACCEPTED = 202
OK = 200
CREATED = 201


@dataclass(frozen=True, slots=True)
class Template:
    """A mail's template in Klaviyo's language; accounts know it by `name`."""

    name: str
    html: str
    text: str


class TemplateChange(StrEnum):
    """What it took to bring the account's template up to date."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Klaviyo:
    """One account's events and templates.

    `key` is a private API key. `base_url` is `https://a.klaviyo.com` outside the sandbox.
    `timeout_seconds` bounds each request in all. `session` is made to send each request once.
    """

    def __init__(
        self, key: str, *, base_url: str, session: requests.Session, timeout_seconds: float
    ) -> None:
        self._connection = Connection(
            key, base_url=base_url, session=session, timeout_seconds=timeout_seconds
        )

    def send_event(self, delivery: Delivery) -> None:
        """Hand over a delivery. Returning means that Klaviyo has taken it, or had it already.

        Sending the same delivery again is always safe: Klaviyo takes each `unique_id` once for a
        person and metric. Raises `NotSent` and `SafeToRepeat` (wait `retry_after_seconds` if it is
        given), `DeliveryRefused` if Klaviyo does not take this one (mostly for its address), and
        `AccessRefused`, `ConfigurationError` or `VendorSurprise` if it would take none.

        Nothing but the address is told of the person: an event's profile overwrites what the shop
        knows of a customer, and a store's spelling of a name should not.
        """
        self._connection.exchange(
            "POST", "/api/events", body={"data": _event(delivery)}, expected={ACCEPTED}
        )

    def put_template(self, template: Template) -> TemplateChange:
        """Make the account's template of this name read like `template`.

        Safe to run again. Raises what the table in `connection` says; `VendorSurprise` also where
        several templates have the name, for nobody knows which one a person would choose. A flow's
        mail is Klaviyo's copy of a template, made when it was chosen: this changes no copy.
        """
        found = self._find_template(template.name)
        wanted = {"name": template.name, "html": template.html, "text": template.text}
        if found is None:
            created = {"type": "template", "attributes": {**wanted, "editor_type": "CODE"}}
            self._speak_of_templates("POST", data=created, expected=CREATED)
            return TemplateChange.CREATED
        template_id, attributes = found
        if all(attributes.get(name) == value for name, value in wanted.items()):
            return TemplateChange.UNCHANGED
        changed = {"type": "template", "id": template_id, "attributes": wanted}
        self._speak_of_templates("PATCH", f"/{template_id}", data=changed, expected=OK)
        return TemplateChange.UPDATED

    def _find_template(self, name: str) -> tuple[str, Mapping[str, object]] | None:
        """The id and the attributes of the template with exactly this name."""
        reply = self._speak_of_templates(
            "GET", parameters={"filter": f'equals(name,"{name}")'}, expected=OK
        )
        found = [entry for entry in _entries(reply) if entry[1].get("name") == name]
        if len(found) > 1:
            raise VendorSurprise(
                f"Klaviyo has {len(found)} templates named “{name}”: delete all but one"
                " (the flows' mails are copies, and stay as they are)"
            )
        return found[0] if found else None

    def _speak_of_templates(
        self,
        method: Method,
        path: str = "",
        *,
        data: object = None,
        parameters: Mapping[str, str] | None = None,
        expected: int,
    ) -> requests.Response:
        try:
            return self._connection.exchange(
                method,
                f"/api/templates{path}",
                body=None if data is None else {"data": data},
                parameters=parameters,
                unclear=SafeToRepeat if method == "GET" else Unconfirmed,
                expected={expected},
            )
        except DeliveryRefused as refused:
            raise VendorSurprise(f"Klaviyo takes no templates from us: {refused}") from None


def _event(delivery: Delivery) -> dict[str, object]:
    """The delivery as a JSON:API resource.

    It has no `value`: Klaviyo adds values up as revenue, and the card was paid for elsewhere.
    """
    return {
        "type": "event",
        "attributes": {
            "unique_id": delivery.unique_id,
            "metric": {"data": {"type": "metric", "attributes": {"name": delivery.kind.value}}},
            "profile": {"data": {"type": "profile", "attributes": {"email": delivery.to.email}}},
            "properties": delivery.properties(),
        },
    }


def _entries(reply: requests.Response) -> list[tuple[str, Mapping[str, object]]]:
    """The ids and attributes of a list of resources."""
    try:
        body = reply.json()
        return [(str(entry["id"]), dict(entry["attributes"])) for entry in body["data"]]
    except (requests.JSONDecodeError, KeyError, TypeError, ValueError):
        raise VendorSurprise("Klaviyo's list of templates cannot be read") from None
