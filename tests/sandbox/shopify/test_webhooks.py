"""Notices of the shop: off until asked for, signed, sent again, and with their real accidents."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event

import pytest
import requests
from flask import Flask, Response, request

from sandbox.server import serve
from sandbox.shopify import CartLine, Pay
from sandbox.shopify.webhooks import (
    RETRY_AFTER_SECONDS,
    Accident,
    deliver_due,
    delivering,
    sign,
)
from sandbox.wsgi import Loss, LossyConnections, WsgiAdapter, lose_reply
from tests.sandbox.shopify.harness import Caller

ADDRESS = "https://receiver.test/shopify"
SECRET = "hush"
FIFTY = CartLine("GIFT-CARD-50")


@dataclass
class Receiver:
    """Takes notices and remembers them; `status` is what it answers, None nothing at all."""

    session: requests.Session
    app: Flask
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int | None = 200

    def names(self) -> list[str]:
        return [
            f"{headers['X-Shopify-Topic']} {json.loads(body)['id']}" for headers, body in self.taken
        ]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    app = Flask("receiver")
    app.wsgi_app = LossyConnections(app.wsgi_app)  # type: ignore[method-assign] # how Flask wraps middleware
    with requests.Session() as session:
        session.mount("https://receiver.test", WsgiAdapter(app))
        receiver = Receiver(session, app)

        @app.post("/shopify")
        def take() -> Response:
            receiver.taken.append((dict(request.headers), request.get_data()))
            if receiver.status is None:
                lose_reply(request.environ, Loss.TIMED_OUT)
            return Response(status=receiver.status or 503, headers={"Location": "/shopify"})

        yield receiver


@pytest.fixture
def telling(caller: Caller) -> Caller:
    caller.shop.webhooks.send_to(ADDRESS, secret=SECRET)
    return caller


def deliver(caller: Caller, receiver: Receiver) -> int:
    return deliver_due(caller.shop, receiver.session)


def place(caller: Caller) -> str:
    return f"orders/paid {caller.shop.orders.place([FIFTY], Pay()).number}"


def test_nobody_is_told_until_somebody_asks(caller: Caller, receiver: Receiver) -> None:
    caller.shop.orders.place([FIFTY], Pay())
    assert deliver(caller, receiver) == 0
    caller.shop.webhooks.send_to(ADDRESS, secret=SECRET)
    assert deliver(caller, receiver) == 0  # what happened before is not told
    caller.shop.orders.place([FIFTY], Pay())
    caller.shop.webhooks.send_to(None)
    assert caller.shop.webhooks.waiting == []


def test_a_paid_order_and_a_refund_are_told_and_signed(telling: Caller, receiver: Receiver) -> None:
    orders = telling.shop.orders
    card = telling.shop.issue_card(amount=20)
    order = orders.place([FIFTY])
    orders.pay(order.id, Pay([card.code]))
    orders.add_tags(order.id, ["no notice of its own"])
    refund = orders.refund(order.id)
    assert deliver(telling, receiver) == 2
    assert receiver.names() == [f"orders/paid {order.number}", f"refunds/create {refund.number}"]
    (paid_headers, paid), (_, refunded) = receiver.taken
    digest = hmac.new(SECRET.encode(), paid, hashlib.sha256).digest()
    assert paid_headers["X-Shopify-Hmac-Sha256"] == base64.b64encode(digest).decode()
    assert paid_headers["X-Shopify-Shop-Domain"] == telling.shop.domain
    assert paid_headers["X-Shopify-Api-Version"] == "2026-10"
    assert len({headers["X-Shopify-Event-Id"] for headers, _ in receiver.taken}) == 2
    body = json.loads(paid)
    assert (body["admin_graphql_api_id"], body["financial_status"]) == (order.id, "paid")
    assert body["line_items"][0]["sku"] == "GIFT-CARD-50"
    body = json.loads(refunded)
    assert (body["order_id"], body["refund_line_items"][0]["quantity"]) == (order.number, 1)
    first = body["transactions"][0]
    assert (first["kind"], first["gateway"], first["amount"]) == ("refund", "gift_card", "20.00")
    assert first["receipt"]["gift_card_id"] == card.number
    assert first["parent_id"] == order.transactions[0].number
    assert card.code not in str(receiver.taken)
    assert deliver(telling, receiver) == 0


def test_an_order_paid_again_after_an_edit_is_told_again(
    telling: Caller, receiver: Receiver
) -> None:
    orders = telling.shop.orders
    order = orders.place([FIFTY], Pay())
    orders.edit(order.id, add=[FIFTY])
    orders.pay(order.id, Pay())
    deliver(telling, receiver)
    assert receiver.names() == [f"orders/paid {order.number}"] * 2


@pytest.mark.parametrize("status", [500, 404, 302, None])
def test_what_is_not_taken_comes_again_as_it_was_so_many_times(
    telling: Caller, receiver: Receiver, status: int | None
) -> None:
    place(telling)
    receiver.status = status
    assert deliver(telling, receiver) == 1
    for seconds in RETRY_AFTER_SECONDS:
        telling.clock.advance(seconds - 1)
        assert deliver(telling, receiver) == 0
        telling.clock.advance(1)
        assert deliver(telling, receiver) == 1
    telling.clock.advance(24 * 3600)
    assert deliver(telling, receiver) == 0
    assert len(receiver.taken) == 9
    assert len({(headers["X-Shopify-Event-Id"], body) for headers, body in receiver.taken}) == 1
    assert {each.status for each in telling.shop.webhooks.deliveries} == {status}


def test_four_hours_of_trying() -> None:
    assert len(RETRY_AFTER_SECONDS) == 8
    assert sum(RETRY_AFTER_SECONDS) == 4 * 3600
    assert sorted(RETRY_AFTER_SECONDS) == list(RETRY_AFTER_SECONDS)


def test_a_notice_taken_the_second_time_is_not_sent_a_third(
    telling: Caller, receiver: Receiver
) -> None:
    place(telling)
    receiver.status = 503
    deliver(telling, receiver)
    receiver.status, version = 204, telling.shop.version
    telling.clock.advance(RETRY_AFTER_SECONDS[0])
    deliver(telling, receiver)
    assert [each.status for each in telling.shop.webhooks.deliveries] == [503, 204]
    assert telling.shop.version > version  # pages that list deliveries follow
    assert telling.shop.webhooks.waiting == []


def test_a_notice_may_come_twice_under_one_id(telling: Caller, receiver: Receiver) -> None:
    telling.shop.webhooks.order_accident(Accident.DUPLICATE)
    first, second = place(telling), place(telling)
    deliver(telling, receiver)
    assert receiver.names() == [first, first, second]
    ids = [headers["X-Shopify-Event-Id"] for headers, _ in receiver.taken]
    assert ids[0] == ids[1] != ids[2]


def test_a_notice_may_be_lost(telling: Caller, receiver: Receiver) -> None:
    telling.shop.webhooks.order_accident(Accident.LOSE, times=2)
    place(telling)
    place(telling)
    third = place(telling)
    deliver(telling, receiver)
    assert receiver.names() == [third]


def test_a_notice_may_come_late(telling: Caller, receiver: Receiver) -> None:
    telling.shop.webhooks.order_accident(Accident.DELAY, seconds=90)
    late, other = place(telling), place(telling)
    deliver(telling, receiver)
    telling.clock.advance(90)
    deliver(telling, receiver)
    assert receiver.names() == [other, late]


def test_a_notice_may_be_overtaken(telling: Caller, receiver: Receiver) -> None:
    telling.shop.webhooks.order_accident(Accident.REORDER)
    first = place(telling)
    assert deliver(telling, receiver) == 0
    second = place(telling)
    deliver(telling, receiver)
    assert receiver.names() == [second, first]
    telling.shop.webhooks.order_accident(Accident.REORDER)
    alone = place(telling)
    telling.clock.advance(600)
    deliver(telling, receiver)
    assert receiver.names()[2:] == [alone]


@pytest.mark.parametrize(("times", "seconds"), [(0, 1.0), (1, 0.0)])
def test_an_accident_that_makes_no_sense_is_refused(
    caller: Caller, times: int, seconds: float
) -> None:
    with pytest.raises(ValueError, match="accident"):
        caller.shop.webhooks.order_accident(Accident.DELAY, times=times, seconds=seconds)


@pytest.mark.sockets
def test_they_are_sent_in_the_background(caller: Caller, receiver: Receiver) -> None:
    with serve(receiver.app) as url, delivering(caller.shop):
        caller.shop.webhooks.send_to(f"{url}/shopify", secret=SECRET)
        place(caller)
        for _ in range(500):  # ten seconds at most
            if caller.shop.webhooks.deliveries:
                break
            pause()
    assert [each.status for each in caller.shop.webhooks.deliveries] == [200]
    headers, body = receiver.taken[0]
    assert headers["X-Shopify-Hmac-Sha256"] == sign(body, SECRET)


def pause() -> None:
    """Let the background work for a moment."""
    Event().wait(0.02)
