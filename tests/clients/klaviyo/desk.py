"""Our client at the desk of an account in a box; what goes over the wire is in the test's hands."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from giftcards.clients.klaviyo import Klaviyo
from sandbox.klaviyo import Klaviyo as Account
from sandbox.klaviyo import create_app
from sandbox.wsgi import WsgiAdapter

ADDRESS = "https://klaviyo.test"
KEY = "pk_very_secret"
START = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


class CountingAdapter(WsgiAdapter):
    """Counts what really goes over the wire, and can answer in Klaviyo's place."""

    def __init__(self, account: Account) -> None:
        super().__init__(create_app(account))
        self.sent: list[requests.PreparedRequest] = []
        self.given: list[dict[str, Any]] = []
        self.canned: list[requests.Response | Exception] = []

    def send(self, request: requests.PreparedRequest, **given: Any) -> requests.Response:  # type: ignore[override] # passes on what it is given
        self.sent.append(request)
        self.given.append(given)
        if self.canned:
            answer = self.canned.pop(0)
            if isinstance(answer, Exception):
                raise answer
            answer.request = request
            return answer
        return super().send(request, **given)


@dataclass
class Desk:
    """`advance` moves the account's clock."""

    account: Account
    adapter: CountingAdapter
    session: requests.Session
    client: Klaviyo
    moments: list[datetime]

    def advance(self, seconds: float) -> None:
        self.moments[0] += timedelta(seconds=seconds)

    def answer_with(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Put one answer in Klaviyo's mouth."""
        reply = requests.Response()
        reply.status_code = status
        reply._content = body  # noqa: SLF001 - requests has no other way to make a response
        reply.headers.update(headers)
        self.adapter.canned.append(reply)


def open_desk(*, key: str = KEY) -> Desk:
    """An account whose key is `KEY`; the client uses `key`."""
    moments = [START]
    account = Account(clock=lambda: moments[0], key=KEY)
    adapter = CountingAdapter(account)
    session = requests.Session()
    session.mount(ADDRESS, adapter)
    client = Klaviyo(key, base_url=ADDRESS, session=session, timeout_seconds=5)
    return Desk(account, adapter, session, client, moments)
