"""Shopify's word that an order changed wakes the web shop's prongs, and does nothing else."""

import json
import re
from typing import Any

import pytest

from giftcards.flows.tally import Tally
from giftcards.flows.tick import TickEnd
from giftcards.wiring import PURCHASES_PRONG, now
from tests.template.reading import attribute_of, reference_to
from tests.world import running_world

PLACEHOLDER = re.compile(r"<(\w+)>")


def webhook(topic: str, *, time: str = "2026-11-23T15:00:00Z") -> dict[str, Any]:
    """A webhook as it comes by EventBridge (Shopify, "Deliver webhooks through EventBridge")."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "shopifyWebhook",
        "source": "aws.partner/shopify.com/123456789/my-shop",
        "account": "123456789012",
        "time": time,
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "payload": {"id": 5123456789012, "note": '"}, {"due": "never'},
            "metadata": {
                "Content-Type": "application/json",
                "X-Shopify-Topic": topic,
                "X-Shopify-Shop-Domain": "my-shop.myshopify.com",
            },
        },
    }


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """EventBridge's rule: each field that the pattern names has one of the values it lists."""
    return all(
        matches(wanted, event.get(field, {}))
        if isinstance(wanted, dict)
        else event.get(field) in wanted
        for field, wanted in pattern.items()
    )


def transformed(target: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """The message that EventBridge makes of an event for a target."""
    transformer = target["InputTransformer"]
    paths = {name: path.removeprefix("$.") for name, path in transformer["InputPathsMap"].items()}
    text = PLACEHOLDER.sub(lambda found: str(event[paths[found[1]]]), transformer["InputTemplate"])
    return {"Records": [{"body": json.dumps(json.loads(text))}]}


@pytest.fixture
def rule(template: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = template["Resources"]["OrdersChanged"]["Properties"]
    return properties


@pytest.mark.parametrize("topic", ["orders/paid", "orders/updated", "refunds/create"])
def test_what_concerns_gift_cards_wakes_both_prongs(rule: dict[str, Any], topic: str) -> None:
    assert matches(rule["EventPattern"], webhook(topic))
    assert [attribute_of(target["Arn"]) for target in rule["Targets"]] == [
        "PurchaseTicksQueue",
        "RedemptionTicksQueue",
    ]


def test_other_news_wakes_nobody(rule: dict[str, Any]) -> None:
    assert not matches(rule["EventPattern"], webhook("products/update"))
    assert not matches(rule["EventPattern"], webhook("orders/paid") | {"detail-type": "other"})


def test_the_prong_takes_it_for_a_tick_that_is_due_now(rule: dict[str, Any]) -> None:
    for target in rule["Targets"]:
        with running_world() as world:
            event = transformed(target, webhook("orders/paid", time=f"{now():%Y-%m-%dT%H:%M:%SZ}"))
            runs: list[int] = []

            def work(offset: int, runs: list[int] = runs) -> Tally:
                runs.append(offset)
                return Tally()

            tick = world.app.tick(PURCHASES_PRONG)
            assert tick.take(event, work) is TickEnd.RAN
            assert runs == [0]
            assert not world.delayed_ticks(), "only a minute sends the ticks of its minute"

            world.advance(world.config.tick_tolerance_seconds + 1)
            assert tick.take(event, work) is TickEnd.LATE
            assert runs == [0]


def test_nothing_of_what_shopify_says_gets_into_the_queue(rule: dict[str, Any]) -> None:
    for target in rule["Targets"]:
        (record,) = transformed(target, webhook("orders/paid"))["Records"]
        assert set(json.loads(record["body"])) == {"due", "offset"}


@pytest.mark.parametrize("queue", ["PurchaseTicksQueue", "RedemptionTicksQueue"])
def test_only_this_rule_may_send_to_the_prongs_queues(template: dict[str, Any], queue: str) -> None:
    policy = template["Resources"][f"{queue}Policy"]["Properties"]
    (statement,) = policy["PolicyDocument"]["Statement"]

    assert [reference_to(each) for each in policy["Queues"]] == [queue]
    assert attribute_of(statement["Resource"]) == queue
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    source = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert attribute_of(source) == "OrdersChanged"


def test_a_shop_without_the_bus_has_none_of_it(template: dict[str, Any]) -> None:
    for name in ("OrdersChanged", "PurchaseTicksQueuePolicy", "RedemptionTicksQueuePolicy"):
        assert template["Resources"][name]["Condition"] == "HearsOfOrders"
    assert template["Parameters"]["ShopifyEventBus"]["Default"] == ""
    assert template["Conditions"]["HearsOfOrders"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "ShopifyEventBus"}, ""]}]
    }
