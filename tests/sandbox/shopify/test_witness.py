"""A witness is told of each call as it arrives and once it is applied, and may lose it there."""

from decimal import Decimal

import pytest
import requests

from sandbox.server import serve
from sandbox.shopify import Shop, create_app
from sandbox.shopify.shop import Call, CallLost, Stage
from tests.sandbox.shopify.harness import DOCUMENTS, TOKEN, Caller


def test_it_hears_of_a_call_before_and_after_it_is_applied(caller: Caller) -> None:
    card = caller.shop.issue_card(amount=25)
    heard = []

    def witness(call: Call, stage: Stage) -> None:
        assert "giftCardDebit" in call.names
        assert call.variables["id"] == card.id
        assert call.port is None  # no socket in between
        heard.append((stage, caller.shop.card(card.id).balance))

    caller.shop.witness = witness
    caller.debit(card.id, "1")

    assert heard == [(Stage.ARRIVED, Decimal(25)), (Stage.APPLIED, Decimal(24))]


@pytest.mark.parametrize(("lost_when", "left"), [(Stage.ARRIVED, 25), (Stage.APPLIED, 24)])
def test_a_call_lost_there_is_applied_or_not(caller: Caller, lost_when: Stage, left: int) -> None:
    card = caller.shop.issue_card(amount=25)

    def witness(_: Call, stage: Stage) -> None:
        if stage is lost_when:
            raise CallLost

    caller.shop.witness = witness
    with pytest.raises(requests.ConnectionError):
        caller.debit(card.id, "1")

    assert caller.shop.card(card.id).balance == left


@pytest.mark.sockets
def test_over_a_socket_it_knows_the_callers_port() -> None:
    shop = Shop()
    shop.add_static_token(TOKEN)
    ports = []
    shop.witness = lambda call, _: ports.append(call.port)

    with serve(create_app(shop)) as url, requests.Session() as session:
        question = {"query": (DOCUMENTS / "shop_and_limits.graphql").read_text("utf-8")}
        reply = session.post(
            f"{url}/admin/api/2026-10/graphql.json",
            json=question,
            headers={"X-Shopify-Access-Token": TOKEN},
            timeout=5,
        )

    assert reply.ok
    assert ports[0] is not None
    assert ports == ports[:1] * 2
