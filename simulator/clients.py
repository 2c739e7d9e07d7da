"""The product's clients, reaching the vendors below HTTP: every call is an effect at the gate.

    Shopify    the product's own client, on a `GraphQL` that answers from the shop's state machine
    Airtable   the product's own client, on tables that stand where pyairtable's stand
    Klaviyo    the product's own client, on a session that hands events to the account
    AWS        the product's own store, queues, mailer and code maker, on the AWS in memory

What an accident looks like to each is said here, as the real client meets it.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import requests
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from graphql import GraphQLError

from giftcards.clients.airtable import Airtable, Layout, Pace
from giftcards.clients.shopify import Room, Shopify
from giftcards.clients.shopify.documents import document
from giftcards.clients.shopify.graphql import NOT_UNDERSTOOD, Answer, GraphQL
from giftcards.errors import AccessRefused, NotSent, TryAgain, Unconfirmed, VendorSurprise
from sandbox.airtable import AirtableError, Base, Page, Query
from sandbox.klaviyo import Klaviyo as KlaviyoAccount
from sandbox.klaviyo import KlaviyoError
from sandbox.shopify import Shop
from sandbox.shopify.replies import Caller
from sandbox.shopify.shop import ALL_SCOPES
from simulator.effects import Effect, effect_of, store_method
from simulator.faults import Kind
from simulator.gate import Gate
from simulator.graphql import understood

if TYPE_CHECKING:
    from simulator.worker import Worker

AWS_URL = "https://aws.test"

# ---------------------------------------------------------------------------------------- AWS


class AwsSeam:
    """How boto3 tells of an accident; `service` is its name for the service."""

    def __init__(self, service: str) -> None:
        self._service = service

    def error(self, kind: Kind, *, changes: bool) -> Exception:
        """A botocore error, or AWS's own refusal."""
        del changes
        match kind:
            case Kind.REFUSED | Kind.VENDOR_DOWN | Kind.VENDOR_AWAY:
                return EndpointConnectionError(endpoint_url=AWS_URL)
            case Kind.THROTTLED:
                code = {
                    "dynamodb": "ProvisionedThroughputExceededException",
                    "ses": "TooManyRequestsException",
                }.get(self._service, "ThrottlingException")
                return _refusal(code, 429 if self._service == "ses" else 400)
            case Kind.COLLIDED:
                return _refusal(
                    "TransactionCanceledException",
                    400,
                    CancellationReasons=[{"Code": "TransactionConflict"}, {"Code": "None"}],
                )
            case Kind.TOKEN_REFUSED:
                return _refusal("AccessDeniedException", 403)
            case Kind.FAILED_BEFORE | Kind.FAILED_AFTER:
                return _refusal("InternalServerError", 500)
            case _:
                return ReadTimeoutError(endpoint_url=AWS_URL)


def _refusal(code: str, status: int, **details: Any) -> ClientError:  # noqa: ANN401 - boto3's reply
    reply: Any = {
        "Error": {"Code": code, "Message": code},
        "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": 2},
    } | details
    return ClientError(reply, "Call")


READS = frozenset({"get_item", "batch_get_item", "query", "scan", "get_object", "list_objects_v2"})


class GatedClient:
    """A client of AWS of one worker, every call an effect named after who makes it."""

    def __init__(self, worker: "Worker", vendor: str, service: object) -> None:
        self._worker = worker
        self._vendor = vendor
        self._service = service
        self._seam = AwsSeam(vendor)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        call = getattr(self._service, method)
        worker, seam, vendor, gate = self._worker, self._seam, self._vendor, self._worker.gate
        changes = method not in READS
        do = gate.do
        effects: dict[str, Effect] = {}

        def gated(**parameters: Any) -> Any:  # noqa: ANN401 - boto3's replies
            name = store_method(sys._getframe(1))  # noqa: SLF001 - nobody is told it otherwise
            effect = effects.get(name)
            if effect is None:
                called = name if changes else f"{name} (read)"
                effect = effects[name] = effect_of(worker.role, called, vendor, changes=changes)
            return do(worker, effect, seam, lambda: call(**parameters))

        setattr(self, method, gated)  # found at once the next time
        return gated


class GatedSession:
    """Stands where the product takes a `boto3.session.Session`."""

    def __init__(self, worker: "Worker", services: Mapping[str, object]) -> None:
        self._worker = worker
        self._services = services

    def client(self, name: str, *, config: object = None) -> Any:  # noqa: ANN401 - as boto3's
        """A client by boto3's name."""
        del config
        vendor = {"sesv2": "ses"}.get(name, name)
        return GatedClient(self._worker, vendor, self._services[vendor])

    def resource(self, name: str, *, config: object = None) -> Any:  # noqa: ANN401 - as boto3's
        """DynamoDB's resource, of which `meta.client` is all that is used."""
        return SimpleNamespace(meta=SimpleNamespace(client=self.client(name, config=config)))


# ------------------------------------------------------------------------------------- Shopify


class ShopifySeam:
    """How the product's `GraphQL` tells of an accident: the table in its module."""

    def error(self, kind: Kind, *, changes: bool) -> Exception:
        """What `ask` or `change` raises."""
        unclear = Unconfirmed if changes else NotSent
        match kind:
            case Kind.REFUSED | Kind.VENDOR_DOWN | Kind.VENDOR_AWAY:
                return NotSent("No connection to Shopify (ConnectTimeout)")
            case Kind.THROTTLED:
                return NotSent("Shopify is asked too much right now (THROTTLED)")
            case Kind.TOKEN_REFUSED:
                return AccessRefused(
                    "Shopify refused our access token (HTTP 401): store a valid one, or install"
                    " the app"
                )
            case Kind.FAILED_BEFORE | Kind.FAILED_AFTER:
                return unclear("Shopify failed inside (INTERNAL_SERVER_ERROR)")
            case _:
                return unclear("Shopify did not answer (ReadTimeout)")


class ShopifyBelowHttp(Shopify):
    """The product's client on the shop's state machine; points are plenty, and never waited for."""

    def __init__(self, worker: "Worker", shop: Shop, *, most_wait_seconds: float) -> None:
        # Its own `__init__` would make a client of HTTP.
        self._most_wait_seconds = most_wait_seconds
        self._graphql = cast("GraphQL", GraphqlBelowHttp(worker, shop))


class GraphqlBelowHttp:
    """Stands where the product's `GraphQL` stands."""

    def __init__(self, worker: "Worker", shop: Shop) -> None:
        self._worker = worker
        self._shop = shop
        self._seam = ShopifySeam()
        self._effects: dict[str, Effect] = {}

    def ask(self, name: str, variables: Mapping[str, object]) -> Answer:
        """Ask the question in `name`.graphql."""
        return self._send(name, variables, unclear=NotSent)

    def change(
        self, name: str, variables: Mapping[str, object], *, room: Room | None = None
    ) -> Answer:
        """Send the change in `name`.graphql, once."""
        del room
        return self._send(name, variables, unclear=Unconfirmed)

    def room_for(
        self, name: str, variables: Mapping[str, object], *, within_seconds: float
    ) -> AbstractContextManager[Room]:
        """There is always room."""
        del name, variables, within_seconds
        return nullcontext(Room(0))

    def _send(
        self, name: str, variables: Mapping[str, object], *, unclear: type[TryAgain]
    ) -> Answer:
        effect = self._effects.get(name)
        if effect is None:
            changes = understood(document(name)).is_change
            role = self._worker.role
            effect = self._effects[name] = effect_of(
                role, f"shopify {name}", "shopify", changes=changes
            )
        gate = self._worker.gate
        return gate.do(
            self._worker,
            effect,
            self._seam,
            lambda: self._answer(name, variables, gate, unclear=unclear),
        )

    def _answer(
        self, name: str, variables: Mapping[str, object], gate: Gate, *, unclear: type[TryAgain]
    ) -> Answer:
        caller = Caller(self._shop, ALL_SCOPES, stale_seconds=gate.stale_seconds)
        if gate.hidden_seconds:
            self._shop.set_transaction_lag(gate.hidden_seconds)
        try:
            with self._shop.at_rest():
                data = understood(document(name)).answer(variables, caller)
        except GraphQLError as refusal:
            code = str((refusal.extensions or {}).get("code"))
            if code in NOT_UNDERSTOOD:
                raise VendorSurprise(
                    f"Shopify does not understand a request of ours ({code})"
                ) from None
            raise unclear(f"Shopify failed inside ({code})") from None
        finally:
            gate.stale_seconds = 0.0
            if gate.hidden_seconds:
                gate.hidden_seconds = 0.0
                self._shop.set_transaction_lag(0.0)
        warnings = tuple(
            str(warning["code"])
            for search in caller.search_warnings
            for warning in cast("list[Mapping[str, object]]", search["warnings"])
        )
        return Answer(data, warnings)


# ------------------------------------------------------------------------------------ Airtable


class AirtableSeam:
    """How `requests` tells of an accident on the way to Airtable."""

    def error(self, kind: Kind, *, changes: bool) -> Exception:
        """What a call of pyairtable raises."""
        del changes
        match kind:
            case Kind.REFUSED | Kind.VENDOR_DOWN | Kind.VENDOR_AWAY:
                return requests.exceptions.ConnectTimeout()
            case Kind.THROTTLED:
                too_fast = {"error": "RATE_LIMIT_REACHED", "message": "Rate limit exceeded"}
                return _http_error(429, {"errors": [too_fast]})
            case Kind.TOKEN_REFUSED:
                unknown = {"type": "AUTHENTICATION_REQUIRED", "message": "Required"}
                return _http_error(401, {"error": unknown})
            case Kind.FAILED_BEFORE | Kind.FAILED_AFTER:
                return _http_error(500, {"error": {"type": "SERVER_ERROR"}})
            case _:
                return requests.exceptions.ReadTimeout()


def _http_error(status: int, body: Mapping[str, Any]) -> requests.HTTPError:
    return requests.HTTPError(response=_response(status, body))


def _response(status: int, body: Any) -> requests.Response:  # noqa: ANN401 - any JSON
    response = requests.Response()
    response.status_code = status
    response._content = json.dumps(body).encode()  # noqa: SLF001 - it has no other entrance
    return response


class AirtableBelowHttp(Airtable):
    """The product's client on the base itself."""

    def __init__(self, worker: "Worker", base: Base, *, layout: Layout, pace: Pace) -> None:
        # Its own `__init__` would make a client of HTTP.
        self._layout = layout
        self._base_id = base.id
        self._pace = pace
        self._api = cast("Any", ApiBelowHttp(worker, base, pace))


class ApiBelowHttp:
    """Stands where pyairtable's `Api` stands."""

    def __init__(self, worker: "Worker", base: Base, pace: Pace) -> None:
        self._worker = worker
        self._base = base
        self._pace = pace
        self._tables: dict[str, TableBelowHttp] = {}

    def table(self, base_id: str, table_id: str) -> "TableBelowHttp":
        """A table by its id."""
        del base_id
        known = self._tables.get(table_id)
        if known is None:
            known = TableBelowHttp(self._worker, self._base, self._pace, table_id)
            self._tables[table_id] = known
        return known

    def get(self, url: str, *, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """A page of a table's records, by the address that the table names."""
        page = self._tables[url].page(
            fields=options.get("fields"),
            page_size=options["page_size"],
            offset=options.get("offset"),
        )
        return {"records": page.records} | ({} if page.offset is None else {"offset": page.offset})


class TableBelowHttp:
    """Stands where pyairtable's `Table` stands: fields by id, ten records a call."""

    def __init__(self, worker: "Worker", base: Base, pace: Pace, table_id: str) -> None:
        self._worker = worker
        self._base = base
        self._pace = pace
        self._table = base.table(table_id)
        self._seam = AirtableSeam()
        self.urls = SimpleNamespace(records=table_id)

    def iterate(
        self, *, fields: Sequence[str] | None = None, page_size: int, formula: object = None
    ) -> Iterator[list[Any]]:
        """The pages of a list."""
        offset: str | None = None
        while True:
            page = self._call("list", partial(self._page, fields, page_size, formula, offset))
            yield page.records
            offset = page.offset
            if offset is None:
                return

    def page(self, *, fields: Sequence[str] | None, page_size: int, offset: str | None) -> Page:
        """One page of all records."""
        return self._call("list", partial(self._page, fields, page_size, None, offset))

    def _page(
        self, fields: Sequence[str] | None, page_size: int, formula: object, offset: str | None
    ) -> Page:
        if not self._table.record_ids():  # quicker than asking a formula about nothing
            return Page([], None)
        query = Query(
            formula=None if formula is None else str(formula),
            fields=fields,
            by_field_id=True,
            page_size=page_size,
        )
        return self._table.list_page(query, offset)

    def batch_create(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Make records."""
        copies = [dict(row) for row in rows]
        return self._call("create", lambda: self._table.create_many(copies, by_id=True))

    def batch_update(self, changes: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Change records."""
        pairs = [(one["id"], dict(one["fields"])) for one in changes]
        return self._call("update", lambda: self._table.update_many(pairs, by_id=True))

    def batch_delete(self, record_ids: Sequence[str]) -> None:
        """Delete records."""
        ids = list(record_ids)
        self._call("delete", lambda: self._table.delete_many(ids))

    def _call[Result](self, verb: str, act: Callable[[], Result]) -> Result:
        self._pace.wait()
        effect = effect_of(
            self._worker.role,
            f"airtable {verb} {self._table.name}",
            "airtable",
            changes=verb != "list",
        )

        def admitted() -> Result:
            self._base.admit()
            return act()

        try:
            return self._worker.gate.do(self._worker, effect, self._seam, admitted)
        except AirtableError as refusal:
            raise _http_error(refusal.status, refusal.body()) from None


# ------------------------------------------------------------------------------------- Klaviyo


class KlaviyoSeam:
    """How `requests` tells of an accident on the way to Klaviyo; statuses are replies there."""

    def error(self, kind: Kind, *, changes: bool) -> Exception:
        """What the session raises, or answers (see `Answered`)."""
        del changes
        match kind:
            case Kind.REFUSED | Kind.VENDOR_DOWN | Kind.VENDOR_AWAY:
                return requests.exceptions.ConnectTimeout()
            case Kind.THROTTLED:
                return Answered(429)
            case Kind.TOKEN_REFUSED:
                return Answered(401)
            case Kind.FAILED_BEFORE | Kind.FAILED_AFTER:
                return Answered(500)
            case _:
                return requests.exceptions.ReadTimeout()


class Answered(Exception):
    """The vendor answered with this status."""

    def __init__(self, status: int, body: object = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class KlaviyoSession:
    """Stands where the product's client of Klaviyo takes a session."""

    def __init__(self, worker: "Worker", account: KlaviyoAccount) -> None:
        self._worker = worker
        self._account = account
        self._seam = KlaviyoSeam()
        self._effect = effect_of(worker.role, "klaviyo send_event", "klaviyo", changes=True)

    def get_adapter(self, url: str) -> object:
        """Nothing that repeats a request."""
        del url
        return self

    def request(self, method: str, url: str, **request: Any) -> requests.Response:  # noqa: ANN401 - requests' own
        """Hand an event to the account."""
        if (method, url.partition("/api/")[2]) != ("POST", "events"):
            raise NotImplementedError(f"{method} {url}")
        data = request["json"]["data"]
        try:
            self._worker.gate.do(self._worker, self._effect, self._seam, lambda: self._take(data))
        except Answered as answer:
            return _response(answer.status, answer.body)
        return _response(202, None)

    def _take(self, data: Any) -> None:  # noqa: ANN401 - any JSON
        try:
            self._account.take_event(data)
        except KlaviyoError as refusal:
            entry = {"code": refusal.code, "source": {"pointer": refusal.pointer}}
            raise Answered(refusal.status, {"errors": [entry]}) from None
