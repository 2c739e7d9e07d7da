"""A vendor in a box answers without a network, and can lose a reply as a real network does.

`WsgiAdapter(app)` is a transport adapter for `requests`: mounted on a session, it calls the WSGI
app in the same process, so tests and simulations open no socket:

    session.mount("https://shop.test", WsgiAdapter(create_app(shop)))

A vendor's app loses a reply by calling `lose_reply(environ, how)` and returning anything; it has to
be wrapped once in `LossyConnections`. In-process the caller then sees the exception `requests`
raises for that accident; over HTTP (werkzeug's own server) the connection is closed unanswered.
"""

import contextlib
import io
import socket
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, override
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, NewConnectionError
from werkzeug.test import EnvironBuilder, run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_LOSSES = "sandbox.losses"
_IN_PROCESS = "sandbox.in_process"


class Loss(StrEnum):
    """How a reply gets lost."""

    TIMED_OUT = "timed-out"  # the caller waits until its time-out is over
    RESET = "reset"  # the connection breaks while the caller waits
    REFUSED = "refused"  # there never was a connection


class _ReplyLostError(Exception):
    """Carries a loss from the app to the adapter; nobody else sees it."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(loss)
        self.loss = loss


def lose_reply(environ: "WSGIEnvironment", loss: Loss) -> None:
    """Have `LossyConnections` throw this request's reply away, whatever the app returns."""
    losses = environ.get(_LOSSES)
    if not isinstance(losses, list):
        raise TypeError("wrap the app in LossyConnections first")
    losses.append(loss)


class LossyConnections:
    """WSGI middleware that really loses the replies an app marked with `lose_reply`."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer as the app does, unless the reply is to be lost.

        Raises `TypeError` on a server that gives no access to its socket (it must be
        werkzeug's, or the in-process adapter): a fault that does nothing would mislead.
        """
        losses: list[Loss] = []
        environ[_LOSSES] = losses
        replies, status, headers = run_wsgi_app(self._app, environ, buffered=True)
        if not losses:
            start_response(status, headers.to_wsgi_list())
            return replies
        if environ.get(_IN_PROCESS):
            raise _ReplyLostError(losses[0])
        connection = environ.get("werkzeug.socket")
        if not isinstance(connection, socket.socket):
            raise TypeError("serve this app with werkzeug: no other server can drop a reply")
        with contextlib.suppress(OSError):  # the caller may be gone already
            connection.shutdown(socket.SHUT_RDWR)
        start_response("503 Reply Lost", [])  # goes nowhere: the socket is shut
        return []


class WsgiAdapter(HTTPAdapter):
    """Sends a `requests` session's requests to a WSGI app in this process, without sockets."""

    def __init__(self, app: "WSGIApplication") -> None:
        super().__init__()
        self._app = app

    @override
    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: object = None,
        verify: object = True,
        cert: object = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Call the app; raises what `requests` raises when a reply is lost."""
        url = request.url or ""
        parts = urlsplit(url)
        body = request.body or b""
        builder = EnvironBuilder(
            path=parts.path or "/",
            query_string=parts.query,
            base_url=f"{parts.scheme}://{parts.netloc}",
            method=request.method or "GET",
            headers=list(request.headers.items()),
            data=body.encode() if isinstance(body, str) else body,
            environ_base={"REMOTE_ADDR": "127.0.0.1", _IN_PROCESS: True},
        )
        environ = builder.get_environ()
        builder.close()
        try:
            replies, status, headers = run_wsgi_app(self._app, environ, buffered=True)
        except _ReplyLostError as lost:
            raise _as_requests_says_it(lost.loss, request) from None
        code, _, reason = status.partition(" ")
        raw = urllib3.HTTPResponse(
            body=io.BytesIO(b"".join(replies)),
            headers=urllib3.HTTPHeaderDict(headers.to_wsgi_list()),
            status=int(code),
            reason=reason,
            preload_content=False,
        )
        return self.build_response(request, raw)


def _as_requests_says_it(loss: Loss, request: requests.PreparedRequest) -> Exception:
    """The exception a caller sees, nested as `requests` nests it over a real network."""
    host = urlsplit(request.url or "").hostname or "nowhere"
    match loss:
        case Loss.TIMED_OUT:
            return requests.exceptions.ReadTimeout("Read timed out.", request=request)
        case Loss.RESET:
            broken = urllib3.exceptions.ProtocolError(
                "Connection aborted.", ConnectionResetError(104, "Connection reset by peer")
            )
            return requests.exceptions.ConnectionError(broken, request=request)
        case Loss.REFUSED:
            refused = NewConnectionError(HTTPConnection(host), "Connection refused")
            failed = MaxRetryError(HTTPConnectionPool(host), request.url or "", refused)
            return requests.exceptions.ConnectionError(failed, request=request)
