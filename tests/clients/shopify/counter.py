"""Our client at the counter of a shop in a box; requests and clock are in the test's hands."""

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from giftcards.clients.shopify import ClientCredentials, Shopify, StaticToken
from giftcards.domain.money import Money
from sandbox.shopify import GiftCard, Shop, create_app
from sandbox.wsgi import WsgiAdapter

ADDRESS = "https://shop.test"
TOKEN = "shpat_secret_token"
CODE = "abcdefgh12342b5a"
REFERENCE = "redemption#rec1"
START = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


def dollars(text: str) -> Money:
    return Money.parse(text, "USD")


class CountingAdapter(WsgiAdapter):
    """Counts what really goes over the wire, and can answer in the shop's place."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(create_app(shop))
        self.sent: list[requests.PreparedRequest] = []
        self.canned: list[requests.Response | Exception] = []
        self.pause_seconds = 0.0

    def send(self, request: requests.PreparedRequest, **given: Any) -> requests.Response:  # type: ignore[override] # passes on what it is given
        self.sent.append(request)
        time.sleep(self.pause_seconds)
        if self.canned:
            answer = self.canned.pop(0)
            if isinstance(answer, Exception):
                raise answer
            answer.request = request
            return answer
        return super().send(request, **given)


@dataclass
class Counter:
    """`now` is everybody's clock."""

    shop: Shop
    adapter: CountingAdapter
    session: requests.Session
    client: Shopify
    moments: list[datetime]
    mismatches: list[tuple[str, str]] = field(default_factory=list)

    def advance(self, seconds: float) -> None:
        self.moments[0] += timedelta(seconds=seconds)

    @property
    def now(self) -> datetime:
        return self.moments[0]

    def card(self, amount: str = "25", **given: Any) -> GiftCard:
        return self.shop.issue_card(amount=amount, **{"code": CODE, **given})

    def answer_with(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        """Put one answer in the shop's mouth."""
        reply = requests.Response()
        reply.status_code = status
        reply._content = body  # noqa: SLF001 - requests has no other way to make a response
        reply.headers.update(headers)
        self.adapter.canned.append(reply)

    def answer_text(self, text: str) -> None:
        self.answer_with(200, text.encode())

    def answer_json(self, body: object) -> None:
        self.answer_text(json.dumps(body))


def open_counter(
    credentials: StaticToken | ClientCredentials | None = None, **settings: Any
) -> Counter:
    """A shop with a static token and an app; the client uses the token unless told otherwise."""
    moments = [START]

    def clock() -> datetime:
        return moments[0]

    def sleep(seconds: float) -> None:
        moments[0] += timedelta(seconds=seconds)

    shop = Shop(**{"clock": clock, **settings})
    shop.add_static_token(TOKEN)
    shop.add_app("app", "app_secret")
    adapter = CountingAdapter(shop)
    session = requests.Session()
    session.mount(ADDRESS, adapter)
    mismatches: list[tuple[str, str]] = []
    client = Shopify(
        credentials or StaticToken(TOKEN),
        base_url=ADDRESS,
        session=session,
        timeout_seconds=5,
        clock=clock,
        on_version_mismatch=lambda asked, answered: mismatches.append((asked, answered)),
        sleep=sleep,
        monotonic=lambda: clock().timestamp(),
    )
    return Counter(shop, adapter, session, client, moments, mismatches)
