"""Puts the vendors in a box where browsers and functions on this machine reach them."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, override

from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Nothing outside this machine can reach it.
LOOPBACK = "127.0.0.1"

# How soon a server notices that it is to stop.
POLL_SECONDS = 0.1

# Where a request's environment keeps what it is answered with.
ANSWER = "sandbox.answer"


class _QuietHandler(WSGIRequestHandler):
    """Reports what goes wrong, not every request."""

    @override
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        del code, size

    @override
    def connection_dropped(
        self, error: BaseException, environ: "WSGIEnvironment | None" = None
    ) -> None:
        """Close the answer, a file perhaps: Werkzeug leaves it open for a browser that has left."""
        close = getattr((environ or {}).get(ANSWER), "close", None)
        if close is not None:
            close()


@contextmanager
def serve(app: "WSGIApplication") -> Iterator[str]:
    """Serve `app` on a free port of the loopback interface, each request in its own thread.

    Yields the address, such as `http://127.0.0.1:40123`.
    """

    def remembering(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        environ[ANSWER] = answer = app(environ, start)
        return answer

    server = make_server(LOOPBACK, 0, remembering, threaded=True, request_handler=_QuietHandler)
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
