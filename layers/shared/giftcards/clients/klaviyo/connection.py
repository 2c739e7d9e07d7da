"""One request to Klaviyo and what its answer means: may the same request be sent again?

    what comes back                              an event or a question    a template (`change`)
    -------------------------------------------  ------------------------  -----------------------
    no connection could be made                  NotSent                   NotSent
    HTTP 429                                     NotSent, with the wait    NotSent, with the wait
    time-out, broken connection, HTTP 408, 5xx   SafeToRepeat              Unconfirmed
    HTTP 401, 403                                AccessRefused             AccessRefused
    HTTP 400                                     DeliveryRefused: which    VendorSurprise
                                                 part, never its value
    another address (HTTP 3xx, 404, 410)         ConfigurationError        ConfigurationError
    anything else                                VendorSurprise            VendorSurprise

An event may be repeated because its `unique_id` is Klaviyo's own protection against doubles: of a
profile and metric it keeps the first and forgets the others (Klaviyo, "Create Event").

Nothing is repeated in here, and redirects are not followed: they would carry the key and a card's
code to somewhere else. No message holds the request or Klaviyo's own text, which may quote it.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

import requests

from giftcards.clients.sending import in_all, never_connected, send_once
from giftcards.errors import (
    AccessRefused,
    ConfigurationError,
    DeliveryRefused,
    NotSent,
    SafeToRepeat,
    TryAgain,
    VendorSurprise,
)

# The version of Klaviyo's API that this client was written for; each stays for two years.
REVISION = "2026-07-15"
JSON_API = "application/vnd.api+json"

BAD_REQUEST = 400
REFUSED_STATUSES = frozenset({401, 403})
ELSEWHERE_STATUSES = frozenset({*range(300, 400), 404, 410})
REQUEST_TIMEOUT = 408
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500

# Twelve hours: the longest an SQS message can be put off. Whatever asks for more is a mistake.
LONGEST_WAIT_SECONDS = 12 * 60 * 60

# Of a refusal's pointer only names that we wrote ourselves are told; the rest could be a value.
NAMES_WE_WRITE = frozenset(
    {
        "data",
        "type",
        "attributes",
        "metric",
        "name",
        "profile",
        "email",
        "properties",
        "unique_id",
        "html",
        "text",
        "editor_type",
    }
)
MOST_POINTERS = 5

type Method = Literal["GET", "POST", "PATCH"]


@dataclass(frozen=True, slots=True)
class _Key:
    value: str = field(repr=False)


class Connection:
    """Carries requests to one Klaviyo account. `timeout_seconds` bounds each of them in all."""

    def __init__(
        self, key: str, *, base_url: str, session: requests.Session, timeout_seconds: float
    ) -> None:
        self._key = _Key(key)
        self._base_url = base_url.rstrip("/")
        self._session = session
        self._timeout_seconds = timeout_seconds
        send_once(session, self._base_url)

    def exchange(
        self,
        method: Method,
        path: str,
        *,
        body: object = None,
        parameters: Mapping[str, str] | None = None,
        unclear: type[TryAgain] = SafeToRepeat,
        expected: Collection[int],
    ) -> requests.Response:
        """Send one request, once; the module's table has the errors.

        `unclear` is what it means that no usable answer came.
        """
        try:
            reply = self._session.request(
                method,
                f"{self._base_url}{path}",
                json=body,
                params=parameters,
                headers={
                    "Authorization": f"Klaviyo-API-Key {self._key.value}",
                    "revision": REVISION,
                    "Accept": JSON_API,
                    "Content-Type": JSON_API,
                },
                timeout=in_all(self._timeout_seconds),
                allow_redirects=False,
            )
        except requests.RequestException as problem:
            # The cause is named, not chained: its request carries the key and maybe a code.
            kind = type(problem).__name__
            if never_connected(problem):
                raise NotSent(f"No connection to Klaviyo ({kind})") from None
            raise unclear(f"Klaviyo did not answer ({kind})") from None
        if reply.status_code not in expected:
            _complain(reply, unclear)
        return reply


def _complain(reply: requests.Response, unclear: type[TryAgain]) -> None:
    """Raise what an unexpected status means."""
    status = reply.status_code
    if status in REFUSED_STATUSES:
        raise AccessRefused(
            f"Klaviyo refused our private key (HTTP {status}): store a valid one as klaviyo-key,"
            " with the scopes events:write, templates:read and templates:write"
        )
    if status == TOO_MANY_REQUESTS:
        raise NotSent(
            f"Klaviyo is asked too much right now (HTTP {status})",
            retry_after_seconds=_wait(reply),
        )
    if status in ELSEWHERE_STATUSES:
        raise ConfigurationError(
            f"Klaviyo's API is not at the address we have (HTTP {status}): check KLAVIYO_URL, it is"
            " https://a.klaviyo.com"
        )
    if status == REQUEST_TIMEOUT or status >= SERVER_ERROR:
        raise unclear(f"Klaviyo failed to answer (HTTP {status})", retry_after_seconds=_wait(reply))
    if status == BAD_REQUEST:
        pointers = _pointers(reply)
        named = ", ".join(pointers) or "no part that it names"
        raise DeliveryRefused(f"Klaviyo refused what we sent it: {named}", pointers=pointers)
    raise VendorSurprise(f"Klaviyo answered a request of ours with HTTP {status}")


def _wait(reply: requests.Response) -> int | None:
    """The seconds that `Retry-After` asks for; Klaviyo sends a whole number."""
    text = reply.headers.get("Retry-After", "").strip()
    if not re.fullmatch(r"[0-9]{1,9}", text):
        return None
    return min(int(text), LONGEST_WAIT_SECONDS)


def _pointers(reply: requests.Response) -> tuple[str, ...]:
    """Which parts of the request were refused, in names of ours only, each once."""
    try:
        body = reply.json()
    except requests.JSONDecodeError:
        return ()
    errors = body.get("errors") if isinstance(body, dict) else None
    found: dict[str, None] = {}
    for error in errors if isinstance(errors, list) else ():
        source = error.get("source") if isinstance(error, dict) else None
        pointer = source.get("pointer") if isinstance(source, dict) else None
        if isinstance(pointer, str):
            found["/".join(map(_name_we_write, pointer.split("/")))] = None
    return tuple(found)[:MOST_POINTERS]


def _name_we_write(part: str) -> str:
    return part if not part or part in NAMES_WE_WRITE else "…"
