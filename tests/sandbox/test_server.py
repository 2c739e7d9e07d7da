"""Serving a vendor in a box: on loopback alone, several requests at once, and quietly."""

import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from urllib.parse import urlsplit

import pytest
import requests

from sandbox.server import serve

pytestmark = pytest.mark.sockets

TIMEOUT_SECONDS = 10


def _hello(_: object, start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


def test_it_serves_on_loopback_and_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with serve(_hello) as url:
        assert url.startswith("http://127.0.0.1:")
        assert requests.get(url, timeout=TIMEOUT_SECONDS).text == "hello"

    assert capfd.readouterr() == ("", "")


def test_two_apps_get_ports_of_their_own() -> None:
    with serve(_hello) as one, serve(_hello) as other:
        assert one != other


def test_requests_do_not_wait_for_each_other() -> None:
    both = Barrier(2, timeout=TIMEOUT_SECONDS)

    def meet(environ: object, start_response: Callable[..., object]) -> Iterable[bytes]:
        both.wait()  # breaks unless the other request is under way as well
        return _hello(environ, start_response)

    with serve(meet) as url, ThreadPoolExecutor() as people:
        replies = [people.submit(requests.get, url, timeout=TIMEOUT_SECONDS) for _ in range(2)]
        assert [reply.result().text for reply in replies] == ["hello", "hello"]


def test_afterwards_nobody_answers() -> None:
    with serve(_hello) as url:
        port = urlsplit(url).port
    assert port is not None

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS).close()


def test_an_answer_is_closed_also_where_a_browser_leaves_without_reading_it() -> None:
    sent, left, closed = Event(), Event(), Event()

    class Answer:
        """A file, as it were."""

        def __iter__(self) -> Iterator[bytes]:
            yield b"hello"
            sent.set()
            assert left.wait(TIMEOUT_SECONDS)

        def close(self) -> None:
            closed.set()

    def show(environ: object, start_response: Callable[..., object]) -> Iterable[bytes]:
        _hello(environ, start_response)
        return Answer()

    with serve(show) as url:
        browser = socket.create_connection(("127.0.0.1", urlsplit(url).port), TIMEOUT_SECONDS)
        browser.sendall(b"GET / HTTP/1.1\r\nHost: sandbox\r\n\r\n")
        assert sent.wait(TIMEOUT_SECONDS)
        # Without waiting for anybody: the connection is reset.
        browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        browser.close()
        left.set()
        assert closed.wait(TIMEOUT_SECONDS)
