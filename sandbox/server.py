"""Puts the vendors in a box where browsers and functions on this machine reach them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# Nothing outside this machine can reach it.
LOOPBACK = "127.0.0.1"

# How soon a server notices that it is to stop.
POLL_SECONDS = 0.1


class _QuietHandler(WSGIRequestHandler):
    """Reports what goes wrong, not every request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        del code, size


@contextmanager
def serve(app: "WSGIApplication") -> Iterator[str]:
    """Serve `app` on a free port of the loopback interface, each request in its own thread.

    Yields the address, such as `http://127.0.0.1:40123`.
    """
    server = make_server(LOOPBACK, 0, app, threaded=True, request_handler=_QuietHandler)
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
