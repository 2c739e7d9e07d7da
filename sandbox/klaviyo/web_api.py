"""Klaviyo's events and templates APIs, JSON:API in both directions.

    POST  /api/events            202: the event was taken, not that any mail was sent
    GET   /api/templates         filter=equals(name,"…"), pages of ten
    GET   /api/templates/<id>
    POST  /api/templates
    PATCH /api/templates/<id>

The fault switches are those of `sandbox.faults`, for the operations `event`, `list templates`,
`get template`, `create template` and `update template`.
"""

import re
import uuid
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from flask import Flask, Response, g, jsonify, request

from sandbox.faults import Fault, FaultOrder, faults_blueprint
from sandbox.klaviyo.account import Klaviyo
from sandbox.klaviyo.errors import KlaviyoError
from sandbox.klaviyo.events import Json
from sandbox.klaviyo.limits import Windows
from sandbox.wsgi import Loss, LossyConnections, lose_reply

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

JSON_API = "application/vnd.api+json"
JSON_TYPES = (JSON_API, "application/json")

# How long a caller whom the switch calls too fast is told to wait, in seconds.
RETRY_AFTER_SECONDS = 10

# Klaviyo, "Events API overview": an event's payload.
LARGEST_BODY_BYTES = 5_000_000

TITLES = {400: "Invalid input.", 404: "Not found.", 429: "Request was throttled."}

type Act = Callable[[], tuple[int, Json]]


def create_app(klaviyo: Klaviyo) -> "WSGIApplication":
    """The APIs of one account, as a WSGI app."""
    app = Flask(__name__)
    app.register_blueprint(faults_blueprint(klaviyo.faults))
    app.register_error_handler(KlaviyoError, _refuse)
    app.after_request(_tell_standing)

    @app.post("/api/events", strict_slashes=False)
    def create_event() -> Response:
        def act() -> tuple[int, Json]:
            klaviyo.take_event(_data())
            return 202, None

        return _serve(klaviyo, "event", klaviyo.event_limits, act)

    _add_templates(app, klaviyo)
    return LossyConnections(app)


def _add_templates(app: Flask, klaviyo: Klaviyo) -> None:
    limits = klaviyo.template_limits

    @app.get("/api/templates", strict_slashes=False)
    def list_templates() -> Response:
        def act() -> tuple[int, Json]:
            asked = request.args
            page, following = klaviyo.templates.page(
                asked.get("filter", ""), asked.get("page[cursor]", ""), asked.get("page[size]", "")
            )
            here = request.base_url
            further = None if following is None else f"{here}?page[cursor]={following}"
            return 200, {
                "data": [template.resource() for template in page],
                "links": {"self": here, "next": further, "prev": None},
            }

        return _serve(klaviyo, "list templates", limits, act)

    @app.post("/api/templates", strict_slashes=False)
    def create_template() -> Response:
        def act() -> tuple[int, Json]:
            return 201, {"data": klaviyo.create_template(_data()).resource()}

        return _serve(klaviyo, "create template", limits, act)

    @app.get("/api/templates/<template_id>", strict_slashes=False)
    def get_template(template_id: str) -> Response:
        def act() -> tuple[int, Json]:
            return 200, {"data": klaviyo.templates.get(template_id).resource()}

        return _serve(klaviyo, "get template", limits, act)

    @app.patch("/api/templates/<template_id>", strict_slashes=False)
    def update_template(template_id: str) -> Response:
        def act() -> tuple[int, Json]:
            return 200, {"data": klaviyo.update_template(template_id, _data()).resource()}

        return _serve(klaviyo, "update template", limits, act)


def _serve(klaviyo: Klaviyo, operation: str, limits: Windows, act: Act) -> Response:
    """Answer one request: headers, limits, accidents, and what was asked for."""
    _check_headers(klaviyo)
    standing = limits.enter()
    if standing.wait_seconds:
        raise KlaviyoError(
            429,
            "throttled",
            f"Request was throttled. Expected available in {standing.wait_seconds} seconds.",
            retry_after=standing.wait_seconds,
        )
    g.standing = standing
    order = klaviyo.faults.take([operation])
    fault = None if order is None else order.fault
    _fail_before(order)
    if fault is Fault.REFUSE_CONNECTION:
        lose_reply(request.environ, Loss.REFUSED)
        return Response(status=503)
    status, body = act()
    match fault:
        case Fault.FAIL_AFTER:
            raise KlaviyoError(500, "error", "A server error occurred")
        case Fault.DROP_REPLY:
            lose_reply(request.environ, Loss.TIMED_OUT)
        case Fault.BREAK_CONNECTION:
            lose_reply(request.environ, Loss.RESET)
        case _:
            pass
    if body is None:
        return Response(status=status)
    reply = jsonify(body)
    reply.status_code = status
    reply.mimetype = JSON_API
    return reply


def _data() -> Json:
    """The `data` of the request's document."""
    if len(request.get_data()) > LARGEST_BODY_BYTES:
        raise KlaviyoError(413, "request_too_large", "The payload is larger than 5 MB")
    body = request.get_json(silent=True, force=True)
    if not isinstance(body, dict) or "data" not in body:
        raise KlaviyoError(400, "invalid", "The document needs 'data'", "/data")
    return body["data"]


def _check_headers(klaviyo: Klaviyo) -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if not key:
        raise KlaviyoError(
            401, "not_authenticated", "Authentication credentials were not provided."
        )
    if scheme != "Klaviyo-API-Key" or key != klaviyo.key:
        raise KlaviyoError(401, "authentication_failed", "Incorrect authentication credentials.")
    if not _is_revision(request.headers.get("revision", "")):
        raise KlaviyoError(400, "invalid", "The header 'revision' is missing or invalid")
    if request.method != "GET" and request.mimetype not in JSON_TYPES:
        raise KlaviyoError(415, "unsupported_media_type", f"Send {JSON_API}")


def _is_revision(text: str) -> bool:
    """Whether this is how Klaviyo names its API's versions: a day, at times with a suffix."""
    day = re.fullmatch(r"(\d{4}-\d{2}-\d{2})(\.[a-z]+)?", text)
    try:
        return day is not None and date.fromisoformat(day[1]) is not None
    except ValueError:
        return False


def _fail_before(order: FaultOrder | None) -> None:
    match None if order is None else order.fault:
        case Fault.FAIL_BEFORE:
            raise KlaviyoError(500, "error", "A server error occurred")
        case Fault.THROTTLE | Fault.THROTTLE_429:
            asked = 0 if order is None else round(order.seconds)
            wait = asked or RETRY_AFTER_SECONDS
            raise KlaviyoError(429, "throttled", "Request was throttled.", retry_after=wait)
        case Fault.REFUSE_TOKEN:
            raise KlaviyoError(401, "not_authenticated", "Incorrect authentication credentials.")
        case _:
            pass


def _tell_standing(reply: Response) -> Response:
    """Every answer but a 429 tells how the minute's window stands."""
    standing = g.pop("standing", None)
    if standing is not None and reply.status_code != 429:  # noqa: PLR2004 - HTTP: too many requests
        reply.headers["RateLimit-Limit"] = str(standing.limit)
        reply.headers["RateLimit-Remaining"] = str(standing.remaining)
        reply.headers["RateLimit-Reset"] = str(standing.reset_seconds)
    return reply


def _refuse(error: KlaviyoError) -> Response:
    pointer = error.pointer
    kind = "pointer" if pointer is not None and pointer.startswith("/") else "parameter"
    reply = jsonify(
        {
            "errors": [
                {
                    "id": str(uuid.uuid4()),
                    "status": error.status,
                    "code": error.code,
                    "title": TITLES.get(error.status, str(error)),
                    "detail": str(error),
                    "source": {} if pointer is None else {kind: pointer},
                }
            ]
        }
    )
    reply.status_code = error.status
    reply.mimetype = JSON_API
    if error.retry_after is not None:
        reply.headers["Retry-After"] = str(error.retry_after)
    return reply
