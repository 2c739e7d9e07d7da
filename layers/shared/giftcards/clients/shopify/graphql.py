"""One request to Shopify and what its answer means: did it run, may it be sent again?

    what comes back                                  a question (`ask`)   a change (`change`)
    -----------------------------------------------  -------------------  -------------------------
    (too few points in the bucket: not even sent)    NotSent              NotSent
    no connection could be made                      NotSent              NotSent
    time-out, broken connection, HTTP 5xx,
      INTERNAL_SERVER_ERROR, unreadable reply        NotSent              Unconfirmed
    THROTTLED, HTTP 429 or 430                       NotSent              NotSent
    HTTP 401                                         renewed once, then AccessRefused
    HTTP 403, ACCESS_DENIED, customers' data that    AccessRefused        AccessRefused if it did
      our app is not approved for                                         not run, else Unconfirmed
    another address (HTTP 3xx, 404)                  ConfigurationError   ConfigurationError
    a document Shopify does not understand           VendorSurprise       VendorSurprise

Shopify answers errors in three layers: the HTTP status, `errors` at the top of a reply with HTTP
200, and `userErrors` inside it. The first two end here; the third is read by the method that knows
what was asked.

A change is sent once. The session does not repeat it either (`send_once`), and redirects are not
followed: they would send it again, somewhere else. A question is asked a second time when
its connection breaks: behind a pause (a frozen Lambda) the kept connection is often dead, and
because a question goes before each change, the change finds a live one.

Before anything is sent there is room for it in Shopify's bucket of points (`points`): a question
waits a little for it, a change does not wait here, because its caller has looked at the clock.

No message here holds variables or Shopify's own text: a search carries a card's code. The names of
fields are taken out of it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NoReturn, TypeGuard

import requests

from giftcards.clients.sending import in_all, never_connected
from giftcards.clients.shopify.documents import document
from giftcards.clients.shopify.points import Bucket, Room, ThrottleStatus
from giftcards.clients.shopify.tokens import TokenKeeper
from giftcards.errors import (
    AccessRefused,
    ConfigurationError,
    NotSent,
    TryAgain,
    Unconfirmed,
    VendorSurprise,
)

API_VERSION = "2026-10"

OK = 200
UNAUTHORISED = 401
# Forbidden; the shop is frozen for want of payment; the shop is locked.
SHUT_STATUSES = frozenset({402, 403, 423})
# Too many requests; Shopify's own "looks malicious", likewise refused before anything runs.
TOO_FAST_STATUSES = frozenset({429, 430})
NOT_FOUND = 404
REQUEST_TIMEOUT = 408
SERVER_ERROR = 500
REDIRECTS = range(300, 400)

# A question whose connection breaks is asked this often; a change once.
ATTEMPTS_OF_A_QUESTION = 2

# Codes of top-level errors that a document or its variables are refused by before anything runs.
NOT_UNDERSTOOD = frozenset(
    {
        "undefinedField",
        "undefinedType",
        "argumentNotAccepted",
        "argumentLiteralsIncompatible",
        "missingRequiredArguments",
        "missingRequiredInputObjectAttribute",
        "selectionMismatch",
        "variableMismatch",
        "variableNotDefined",
        "variableRequiresValidType",
        "INVALID_VARIABLE",
        "MAX_COST_EXCEEDED",
        "BAD_REQUEST",
    }
)

# What our app needs, in the order in which people are told.
NEEDED_SCOPES = (
    "read_gift_cards",
    "write_gift_cards",
    "read_gift_card_transactions",
    "write_gift_card_transactions",
    "read_orders",
    "read_all_orders",
    "write_orders",
)

DENIED = "ACCESS_DENIED"

# Customers' names and addresses are opened to each app apart from its scopes
# (shopify.dev/docs/apps/launch/protected-customer-data). What is not open comes as null with a
# sentence such as "This app is not approved to use the email field"; a code may stand beside it.
NOT_APPROVED = re.compile(r"not approved to (?:access|use)\b", re.IGNORECASE)
NAMED_IN_A_SENTENCE = re.compile(r"\bthe ([A-Za-z]{1,40}) (?:field|object)\b")

type Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request brought: the data, and the warnings about a search in it."""

    data: Json
    search_warnings: tuple[str, ...]


class GraphQL:
    """Sends our documents to one shop's Admin API."""

    def __init__(
        self,
        tokens: TokenKeeper,
        *,
        url: str,
        session: requests.Session,
        timeout_seconds: float,
        bucket: Bucket,
        on_version_mismatch: Callable[[str, str], None] | None,
    ) -> None:
        self._tokens = tokens
        self._bucket = bucket
        self._url = url
        self._session = session
        self._timeout_seconds = timeout_seconds
        self._on_version_mismatch = on_version_mismatch
        self._mismatch_told = False

    def ask(self, name: str, variables: Json) -> Answer:
        """Ask the question in `name`.graphql. Safe to repeat; the module's table has the errors.

        Waits for room in the bucket. Whoever leaves a reserve to others has to know how full it is
        before spending from it, and asks the cheapest of all questions first.
        """
        if self._bucket.keeps_a_reserve and not self._bucket.is_known():
            self._ask("shop_facts", {})
        return self._ask(name, variables)

    def _ask(self, name: str, variables: Json) -> Answer:
        with self._bucket.room(self._bucket.points_of(name, variables)) as room:
            return self._answer(
                name, variables, room, unclear=NotSent, attempts=ATTEMPTS_OF_A_QUESTION
            )

    def change(self, name: str, variables: Json, *, room: Room | None = None) -> Answer:
        """Send the change in `name`.graphql, once. The module's table has the errors.

        `room` is what `room_for` gave; without one there has to be room at once.
        """
        held: AbstractContextManager[Room] = (
            self.room_for(name, variables, within_seconds=0) if room is None else nullcontext(room)
        )
        with held as points:
            return self._answer(name, variables, points, unclear=Unconfirmed, attempts=1)

    def room_for(
        self, name: str, variables: Json, *, within_seconds: float
    ) -> AbstractContextManager[Room]:
        """Room in the bucket for one request, kept as long as the block lasts; see `Bucket`."""
        points = self._bucket.points_of(name, variables)
        return self._bucket.room(points, within_seconds=within_seconds)

    def _answer(
        self, name: str, variables: Json, room: Room, *, unclear: type[TryAgain], attempts: int
    ) -> Answer:
        token = self._tokens.token()
        room.was_sent = True
        reply = self._send(name, variables, token, unclear=unclear, attempts=attempts)
        if reply.status_code == UNAUTHORISED and self._tokens.renewed_after(token):
            if unclear is Unconfirmed:
                # It did not run. Whether there is still time to send it, the caller has to judge.
                raise NotSent("Shopify refused an old access token; there is a new one now")
            token = self._tokens.token()
            reply = self._send(name, variables, token, unclear=unclear, attempts=attempts)
        self._compare_version(reply)
        self._note_cost(name, variables, room, reply)
        _check_status(reply.status_code, unclear)
        body = _read_body(reply, unclear)
        data = body.get("data")
        errors = body.get("errors")
        if errors:
            _raise_errors(errors, data, unclear)
        if not isinstance(data, dict):
            raise unclear("Shopify answered without data")
        return Answer(data, _search_warnings(body))

    def _note_cost(self, name: str, variables: Json, room: Room, reply: requests.Response) -> None:
        """Learn from a reply, a refusal too, what was asked for and what the bucket holds now."""
        cost = _read_cost(reply)
        status = _read_throttle_status(cost.get("throttleStatus"))
        requested = cost.get("requestedQueryCost")
        if _is_number(requested) and requested > 0:
            self._bucket.learn(name, variables, requested)
        if status is not None:
            self._bucket.note(room, status)

    def _send(
        self, name: str, variables: Json, token: str, *, unclear: type[TryAgain], attempts: int
    ) -> requests.Response:
        try:
            return self._session.post(
                self._url,
                json={"query": document(name), "variables": variables},
                headers={"X-Shopify-Access-Token": token, "Accept": "application/json"},
                timeout=in_all(self._timeout_seconds),
                allow_redirects=False,
            )
        except requests.RequestException as problem:
            broken = isinstance(problem, requests.ConnectionError)
            if attempts > 1 and broken and not isinstance(problem, requests.Timeout):
                return self._send(name, variables, token, unclear=unclear, attempts=attempts - 1)
            # The cause is named, not chained: its request carries the token and maybe a code.
            kind = type(problem).__name__
            if never_connected(problem):
                raise NotSent(f"No connection to Shopify ({kind})") from None
            raise unclear(f"Shopify did not answer ({kind})") from None

    def _compare_version(self, reply: requests.Response) -> None:
        """Tell, once, that Shopify answered by another version than the one we were built for."""
        answered = reply.headers.get("X-Shopify-API-Version", API_VERSION)
        if answered != API_VERSION and self._on_version_mismatch and not self._mismatch_told:
            self._mismatch_told = True
            self._on_version_mismatch(API_VERSION, answered)


def _check_status(status: int, unclear: type[TryAgain]) -> None:
    """The first layer of errors: the HTTP status."""
    if status == OK:
        return
    if status == UNAUTHORISED:
        raise AccessRefused(
            "Shopify refused our access token (HTTP 401): store a valid one, or install the app"
        )
    if status in SHUT_STATUSES:
        raise AccessRefused(f"Shopify lets nobody into this shop (HTTP {status}): see its admin")
    if status in TOO_FAST_STATUSES:
        raise NotSent(f"Shopify is asked too much right now (HTTP {status})")
    if status in REDIRECTS or status == NOT_FOUND:
        raise ConfigurationError(
            f"There is no Admin API {API_VERSION} at Shopify's address (HTTP {status}):"
            " check SHOPIFY_URL, it is the shop's own …myshopify.com"
        )
    if status == REQUEST_TIMEOUT or status >= SERVER_ERROR:
        raise unclear(f"Shopify failed to answer (HTTP {status})")
    raise VendorSurprise(f"Shopify answered a request of ours with HTTP {status}")


def _read_body(reply: requests.Response, unclear: type[TryAgain]) -> Json:
    try:
        body = reply.json()
    except requests.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise unclear("Shopify's answer cannot be read")
    return body


def _read_cost(reply: requests.Response) -> Json:
    """`extensions.cost` of a reply. Nothing depends on it but our pace, so it may be missing."""
    try:
        body = reply.json()
    except requests.JSONDecodeError:
        return {}
    extensions = body.get("extensions") if isinstance(body, dict) else None
    cost = extensions.get("cost") if isinstance(extensions, dict) else None
    return cost if isinstance(cost, dict) else {}


def _read_throttle_status(status: object) -> ThrottleStatus | None:
    named = status if isinstance(status, dict) else {}
    maximum = named.get("maximumAvailable")
    available = named.get("currentlyAvailable")
    restored = named.get("restoreRate")
    if not (_is_number(maximum) and _is_number(available) and _is_number(restored)):
        return None
    return ThrottleStatus(maximum, available, restored) if restored > 0 else None


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _raise_errors(errors: object, data: object, unclear: type[TryAgain]) -> NoReturn:
    """The second layer: `errors` at the top of a reply with HTTP 200."""
    entries = (
        [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    )
    codes = {_error_code(each) for each in entries} or {"unnamed"}
    named = ", ".join(sorted(codes))
    if codes == {"THROTTLED"}:
        raise NotSent("Shopify is asked too much right now (THROTTLED)")
    hidden = [each for each in entries if _is_hidden(each)]
    if hidden or codes == {DENIED}:
        if unclear is Unconfirmed and not _denied_as_a_whole(entries, data):
            # The change may have run, and only what it made may not be read by us.
            raise Unconfirmed("Shopify denied us a part of the answer to a change")
        raise AccessRefused(_ask_for_customers_data(hidden) if hidden else _ask_for_scopes())
    if codes <= NOT_UNDERSTOOD:
        raise VendorSurprise(f"Shopify does not understand a request of ours ({named})")
    raise unclear(f"Shopify failed inside ({named})")


def _error_code(entry: Json) -> str:
    extensions = entry.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return code if isinstance(code, str) else "unnamed"


def _is_hidden(entry: Json) -> bool:
    """Whether Shopify keeps a customer's data from our app, whatever its scopes are."""
    return NOT_APPROVED.search(str(entry.get("message"))) is not None


def _ask_for_scopes() -> str:
    *most, last = NEEDED_SCOPES
    return (
        "Our access token lacks a permission (ACCESS_DENIED): give the app the scopes"
        f" {', '.join(most)} and {last}"
    )


def _ask_for_customers_data(hidden: Sequence[Json]) -> str:
    fields = dict.fromkeys(field for field in map(_hidden_field, hidden) if field)
    named = f" ({', '.join(fields)})" if fields else ""
    return (
        f"Shopify keeps from our app what it needs of customers' data{named}: in the Dev Dashboard,"
        " among the app's API access requests, switch on protected customer data with the fields"
        " Name, Email and Address. No scope opens it; for an app that was made in the shop's admin"
        " it is a matter of the shop's plan"
    )


def _hidden_field(entry: Json) -> str:
    """Where in our question a field stands that Shopify hides: `order.email`; empty if unnamed."""
    path = entry.get("path")
    steps = path if isinstance(path, list) else []
    names = [step for step in steps if isinstance(step, str) and step.isidentifier()]
    found = NAMED_IN_A_SENTENCE.search(str(entry.get("message")))
    return ".".join(names) or (found[1] if found else "")


def _denied_as_a_whole(entries: Sequence[Json], data: object) -> bool:
    """Whether all that is wrong is that the change itself was denied: nothing came back from it."""
    made = [value for value in data.values() if value is not None] if isinstance(data, dict) else []
    paths = [entry.get("path") for entry in entries]
    return (
        not made
        and all(_is_hidden(entry) or _error_code(entry) == DENIED for entry in entries)
        and all(isinstance(path, list) and len(path) == 1 for path in paths)
    )


def _search_warnings(body: Json) -> tuple[str, ...]:
    """The codes of warnings about searches (`invalid_field`): the search was not what we meant."""
    extensions = body.get("extensions")
    searches = extensions.get("search") if isinstance(extensions, dict) else None
    warnings = [
        warning
        for search in (searches if isinstance(searches, list) else [])
        if isinstance(search, dict)
        for warning in search.get("warnings") or ()
    ]
    return tuple(
        str(warning.get("code")) if isinstance(warning, dict) else "unnamed" for warning in warnings
    )
