"""A shop in a box, a clock that obeys, and a caller that speaks HTTP to it without a socket."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from sandbox.shopify import Shop, create_app
from sandbox.wsgi import WsgiAdapter

DOCUMENTS = Path(__file__).with_name("documents")
ADDRESS = "https://shop.test"
TOKEN = "shpat_test"
NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)  # noon in New York


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Caller:
    """Sends the documents of this folder to a shop."""

    shop: Shop
    clock: Clock
    session: requests.Session
    token: str = TOKEN
    version: str = "2026-10"
    last: requests.Response = field(default_factory=requests.Response)

    def send(self, query: str, variables: Mapping[str, object] | None = None) -> Any:
        """The whole reply body of one GraphQL request; the response itself is `last`."""
        self.last = self.session.post(
            f"{ADDRESS}/admin/api/{self.version}/graphql.json",
            json={"query": query, "variables": variables or {}},
            headers={"X-Shopify-Access-Token": self.token},
            timeout=1,
        )
        return self.last.json()

    def run(self, document: str, **variables: object) -> Any:
        """The `data` of a document of this folder; a top-level error fails the test."""
        body = self.send((DOCUMENTS / f"{document}.graphql").read_text("utf-8"), variables)
        assert "errors" not in body, body
        return body["data"]

    def debit(self, card_id: str, amount: object, *, currency: str = "USD", **more: object) -> Any:
        """What `giftCardDebit` answers."""
        money = {"amount": amount, "currencyCode": currency}
        data = self.run("debit_card", id=card_id, debit={"debitAmount": money, **more})
        return data["giftCardDebit"]

    def create(self, **given: object) -> Any:
        """What `giftCardCreate` answers."""
        fields = {"initialAmount": {"amount": "25", "currencyCode": "USD"}, **given}
        return self.run("create_card", input=fields)["giftCardCreate"]

    def found(self, query: str, **more: object) -> list[str]:
        """The last characters of the cards a search finds, in its order."""
        nodes = self.run("list_cards", query=query, **{"first": 50, **more})["giftCards"]["nodes"]
        return [node["lastCharacters"] for node in nodes]

    def transactions(self, card_id: str, **paging: object) -> Any:
        """The connection of a card's transactions."""
        return self.run("card_transactions", id=card_id, **paging)["giftCard"]["transactions"]


def open_shop(**settings: Any) -> Caller:
    """A shop with one static token, and someone to call it."""
    clock = Clock()
    shop = Shop(**{"clock": clock, **settings})
    shop.add_static_token(TOKEN)
    session = requests.Session()
    session.mount(ADDRESS, WsgiAdapter(create_app(shop)))
    return Caller(shop, clock, session)
