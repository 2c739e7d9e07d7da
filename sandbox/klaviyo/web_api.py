"""Klaviyo's events API: `POST /api/events`, JSON:API in both directions.

202 means that the event was taken, not that any mail was sent. The fault switches are those of
`sandbox.faults`, for the operation `event`.
"""

import re
import uuid
from typing import TYPE_CHECKING

from flask import Flask, Response, jsonify, request

from sandbox.faults import Fault, faults_blueprint
from sandbox.klaviyo.events import Klaviyo, KlaviyoError
from sandbox.wsgi import Loss, LossyConnections, lose_reply

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

JSON_API = "application/vnd.api+json"
JSON_TYPES = (JSON_API, "application/json")

# How long a caller who was too fast is told to wait, in seconds.
RETRY_AFTER_SECONDS = 10


def create_app(klaviyo: Klaviyo) -> "WSGIApplication":
    """The events API of one account, as a WSGI app."""
    app = Flask(__name__)
    app.register_blueprint(faults_blueprint(klaviyo.faults))
    app.register_error_handler(KlaviyoError, _refuse)

    @app.post("/api/events", strict_slashes=False)
    def create_event() -> Response:
        _check_headers(klaviyo)
        order = klaviyo.faults.take(["event"])
        fault = None if order is None else order.fault
        _fail_before(fault)
        if fault is not Fault.REFUSE_CONNECTION:
            body = request.get_json(silent=True, force=True)
            if not isinstance(body, dict) or "data" not in body:
                raise KlaviyoError(400, "invalid", "The document needs 'data'", "/data")
            klaviyo.take_event(body["data"])
        match fault:
            case Fault.FAIL_AFTER:
                raise KlaviyoError(500, "error", "A server error occurred")
            case Fault.DROP_REPLY:
                lose_reply(request.environ, Loss.TIMED_OUT)
            case Fault.BREAK_CONNECTION:
                lose_reply(request.environ, Loss.RESET)
            case Fault.REFUSE_CONNECTION:
                lose_reply(request.environ, Loss.REFUSED)
            case _:
                pass
        return Response(status=202)

    return LossyConnections(app)


def _check_headers(klaviyo: Klaviyo) -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if not key:
        raise KlaviyoError(
            401, "not_authenticated", "Authentication credentials were not provided."
        )
    if scheme != "Klaviyo-API-Key" or key != klaviyo.key:
        raise KlaviyoError(401, "authentication_failed", "Incorrect authentication credentials.")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", request.headers.get("revision", "")):
        raise KlaviyoError(400, "invalid", "The header 'revision' is missing or invalid")
    if request.mimetype not in JSON_TYPES:
        raise KlaviyoError(415, "unsupported_media_type", f"Send {JSON_API}")


def _fail_before(fault: Fault | None) -> None:
    match fault:
        case Fault.FAIL_BEFORE:
            raise KlaviyoError(500, "error", "A server error occurred")
        case Fault.THROTTLE | Fault.THROTTLE_429:
            raise KlaviyoError(429, "throttled", "Request was throttled.")
        case Fault.REFUSE_TOKEN:
            raise KlaviyoError(401, "not_authenticated", "Incorrect authentication credentials.")
        case _:
            pass


def _refuse(error: KlaviyoError) -> Response:
    source = {} if error.pointer is None else {"pointer": error.pointer}
    titles = {400: "Invalid input.", 429: "Request was throttled."}
    reply = jsonify(
        {
            "errors": [
                {
                    "id": str(uuid.uuid4()),
                    "status": error.status,
                    "code": error.code,
                    "title": titles.get(error.status, str(error)),
                    "detail": str(error),
                    "source": source,
                }
            ]
        }
    )
    reply.status_code = error.status
    reply.mimetype = JSON_API
    if error.status == 429:  # noqa: PLR2004 - HTTP: too many requests
        reply.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return reply
