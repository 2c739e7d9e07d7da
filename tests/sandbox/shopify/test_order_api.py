"""Orders as the API answers: fields, pages, scopes, tags, faults, and what a question costs."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from sandbox.faults import Fault
from sandbox.shopify import CartLine, Order, OrderPlan, Pay
from sandbox.shopify.catalog import RECIPIENT_EMAIL, RECIPIENT_NAME
from sandbox.shopify.orders import CancelReason, Recommendation, SourceName, TransactionKind
from sandbox.shopify.shop import ALL_SCOPES
from tests.sandbox.shopify.harness import DOCUMENTS, NOON, Caller

FIFTY = CartLine("GIFT-CARD-50")


def read(caller: Caller, order: Order, **pages: object) -> Any:
    sizes = {"lines": 5, "transactions": 5, "refunds": 5}
    return caller.run("read_order", id=order.id, **(sizes | pages))["order"]


def amount(bag: Any) -> str:
    assert bag["shopMoney"] == bag["presentmentMoney"]
    assert bag["shopMoney"]["currencyCode"] == "USD"
    return str(bag["shopMoney"]["amount"])


def test_an_order_reads_as_it_stands(caller: Caller) -> None:
    orders = caller.shop.orders
    card = caller.shop.issue_card(amount=20)
    gift = {RECIPIENT_NAME: "Rosa", RECIPIENT_EMAIL: "rosa@customers.example.com"}
    cart = [CartLine("GIFT-CARD-50", 2, gift), CartLine("LANTERN-S")]
    order = orders.place(cart, Pay([card.code]), plan=OrderPlan(note="Ring twice."))
    orders.refund(order.id, units={order.lines[0].id: 1}, note="one too many")

    shown = read(caller, order)
    assert shown["id"] == order.id
    assert shown["legacyResourceId"] == str(order.number)
    assert (shown["name"], shown["note"]) == ("#1001", "Ring twice.")
    assert shown["email"] == "customer@customers.example.com"
    assert shown["billingAddress"] == {
        "name": "Casey Customer",
        "firstName": "Casey",
        "lastName": "Customer",
    }
    assert (shown["test"], shown["sourceName"], shown["edited"]) == (False, "web", False)
    assert shown["displayFinancialStatus"] == "PARTIALLY_REFUNDED"
    assert shown["paymentGatewayNames"] == ["gift_card", "shopify_payments"]
    assert (shown["cancelledAt"], shown["cancelReason"]) == (None, None)
    assert shown["createdAt"] == shown["processedAt"] == "2026-11-23T17:00:00Z"
    sums = ("totalPriceSet", "currentTotalPriceSet", "totalReceivedSet", "totalRefundedSet")
    assert [amount(shown[name]) for name in sums] == ["134.0", "84.0", "134.0", "50.0"]
    assert amount(shown["totalOutstandingSet"]) == "0.0"

    first, second = shown["lineItems"]["nodes"]
    assert (first["sku"], first["isGiftCard"]) == ("GIFT-CARD-50", False)
    assert (first["quantity"], first["currentQuantity"]) == (2, 1)
    assert first["customAttributes"] == [{"key": k, "value": v} for k, v in gift.items()]
    assert second["customAttributes"] == []
    assert amount(first["originalUnitPriceSet"]) == "50.0"

    (refund,) = shown["refunds"]
    assert (refund["note"], amount(refund["totalRefundedSet"])) == ("one too many", "50.0")
    (line,) = refund["refundLineItems"]["nodes"]
    assert (line["quantity"], line["lineItem"]["id"]) == (1, first["id"])
    back = refund["transactions"]["nodes"]
    assert [amount(each["amountSet"]) for each in back] == ["20.0", "30.0"]
    assert [each["id"] for each in back] == [each["id"] for each in shown["transactions"][2:]]


@pytest.mark.parametrize("as_text", [True, False])
def test_a_receipt_is_a_string_or_an_object(caller: Caller, as_text: bool) -> None:  # noqa: FBT001 - a case
    orders = caller.shop.orders
    orders.receipts_are_text = as_text
    orders.kinds_without_receipt = frozenset({TransactionKind.REFUND})
    card = caller.shop.issue_card(amount=50)
    order = orders.place([FIFTY], Pay([card.code]))
    orders.refund(order.id)
    sale, refund = read(caller, order)["transactions"]
    receipt = {"gift_card_id": card.number, "gift_card_last_characters": card.last_characters}
    assert sale["receiptJson"] == (json.dumps(receipt) if as_text else receipt)
    assert (sale["kind"], sale["status"], sale["gateway"]) == ("SALE", "SUCCESS", "gift_card")
    assert sale["parentTransaction"] is None
    assert refund["receiptJson"] == ("{}" if as_text else {})
    assert refund["parentTransaction"]["receiptJson"] == sale["receiptJson"]


@pytest.mark.parametrize(
    ("advice", "level"), [("ACCEPT", "LOW"), ("INVESTIGATE", "MEDIUM"), ("CANCEL", "HIGH")]
)
def test_the_risk_has_no_word_for_not_yet(caller: Caller, advice: str, level: str) -> None:
    orders = caller.shop.orders
    plan = OrderPlan(risk=Recommendation(advice), risk_after_seconds=60)
    order = orders.place([FIFTY], Pay(), plan=plan)
    pending = {"recommendation": "NONE", "assessments": [{"riskLevel": "PENDING"}]}
    assert read(caller, order)["risk"] == pending
    orders.pending_risk_is_listed = False
    assert read(caller, order)["risk"] == {"recommendation": "NONE", "assessments": []}
    caller.clock.advance(60)
    done = {"recommendation": advice, "assessments": [{"riskLevel": level}]}
    assert read(caller, order)["risk"] == done


def test_a_till_a_chargeback_and_a_cancellation_can_be_read(caller: Caller) -> None:
    orders = caller.shop.orders
    plan = OrderPlan(email=None, customer_name=None, source_name=SourceName.POS)
    order = orders.place([FIFTY], Pay(rest_by="cash"), plan=plan)
    orders.charge_back(order.id)
    orders.cancel(order.id, CancelReason.FRAUD)
    shown = read(caller, order)
    assert (shown["email"], shown["billingAddress"]) == (None, None)
    assert (shown["cancelReason"], shown["cancelledAt"]) == ("FRAUD", "2026-11-23T17:00:00Z")
    assert shown["risk"] == {"recommendation": "NONE", "assessments": []}
    (dispute,) = shown["disputes"]
    assert (dispute["initiatedAs"], dispute["status"]) == ("CHARGEBACK", "NEEDS_RESPONSE")


def test_lines_come_in_pages_and_transactions_are_cut(caller: Caller) -> None:
    cards = [caller.shop.issue_card(amount=5) for _ in range(3)]
    cart = [CartLine("LANTERN-S") for _ in range(3)]
    order = caller.shop.orders.place(cart, Pay([card.code for card in cards]))
    ids = [line.id for line in order.lines]
    page = read(caller, order, lines=2, transactions=3)
    assert [node["id"] for node in page["lineItems"]["nodes"]] == ids[:2]
    assert page["lineItems"]["pageInfo"]["hasNextPage"] is True
    assert len(page["transactions"]) == 3  # and nothing says that there was a fourth
    after = page["lineItems"]["pageInfo"]["endCursor"]
    rest = read(caller, order, lines=2, after=after, transactions=None)
    assert [node["id"] for node in rest["lineItems"]["nodes"]] == ids[2:]
    assert len(rest["transactions"]) == 4


def test_anything_of_an_order_is_found_by_its_id(caller: Caller) -> None:
    orders = caller.shop.orders
    order = orders.place([FIFTY], Pay())
    refund = orders.refund(order.id)

    def node(global_id: str) -> Any:
        return caller.run("node", id=global_id, first=5)["node"]

    whole = ALL_SCOPES | {"read_customers"}
    caller.shop.add_static_token(caller.token, scopes=whole)
    assert node(order.id)["customer"]["displayName"] == "Casey Customer"
    assert node(order.lines[0].id)["currentQuantity"] == 0
    assert node(order.transactions[0].id)["order"] == {"id": order.id, "name": "#1001"}
    assert node(refund.id)["itsOrder"]["id"] == order.id
    assert len(node(refund.id)["transactions"]["nodes"]) == 1
    for kind in ("Order", "LineItem", "OrderTransaction", "Refund", "GiftCard"):
        assert node(f"gid://shopify/{kind}/1") is None
    found = caller.run("nodes", ids=[order.id, "gid://shopify/Order/1"])["nodes"]
    assert [each and each["id"] for each in found] == [order.id, None]
    with pytest.raises(NotImplementedError):
        node("gid://shopify/Product/1")


# ---- scopes ----


def errors_of(caller: Caller, document: str, **variables: object) -> list[str]:
    body = caller.send((DOCUMENTS / f"{document}.graphql").read_text("utf-8"), variables)
    return [error["extensions"]["requiredAccess"] for error in body["errors"]]


def test_orders_need_their_scopes(caller: Caller) -> None:
    order = caller.shop.orders.place([FIFTY], Pay())
    caller.shop.add_static_token(caller.token, scopes=frozenset({"read_orders"}))
    assert read(caller, order)["name"] == "#1001"
    assert errors_of(caller, "add_tags", id=order.id, tags=["x"]) == [
        "`write_orders` access scope."
    ]
    assert errors_of(caller, "node", id=order.id) == ["`read_customers` access scope."]
    caller.shop.add_static_token(caller.token, scopes=frozenset({"read_gift_cards"}))
    for document, variables in (
        ("list_orders", {"first": 1}),
        ("read_order", {"id": order.id, "lines": 1}),
        ("nodes", {"ids": [order.id]}),
    ):
        assert errors_of(caller, document, **variables) == ["`read_orders` access scope."]


@pytest.mark.parametrize("has_a_code", [False, True])
def test_customers_names_and_addresses_are_hidden_apart_from_scopes(
    caller: Caller,
    has_a_code: bool,  # noqa: FBT001 - a case
) -> None:
    """As documented, field by field, with the rest of the answer as it was."""
    scopes = ALL_SCOPES | {"read_customers"}
    caller.shop.add_static_token(caller.token, scopes=scopes)
    order = caller.shop.orders.place([FIFTY], Pay())
    caller.shop.shows_customer_data = False
    caller.shop.hiding_has_a_code = has_a_code
    text = """query($id: ID!) { order(id: $id) {
        name email billingAddress { name lastName } displayAddress { name }
        customer { id displayName }
    } }"""
    body = caller.send(text, {"id": order.id})
    assert caller.last.status_code == 200
    assert body["data"]["order"] == {
        "name": "#1001",
        "email": None,
        "billingAddress": {"name": None, "lastName": None},
        "displayAddress": {"name": None},
        "customer": None,  # a customer cannot be without what is hidden
    }
    said = {".".join(error["path"]): error for error in body["errors"]}
    assert set(said) == {
        "order.email",
        "order.billingAddress.name",
        "order.billingAddress.lastName",
        "order.displayAddress.name",
        "order.customer.displayName",
    }
    email = said["order.email"]
    assert email["message"].startswith("This app is not approved to use the email field. See")
    codes = {error.get("extensions", {}).get("code") for error in said.values()}
    assert codes == ({"ACCESS_DENIED"} if has_a_code else {None})


def test_without_the_scope_for_all_of_them_older_orders_are_not_there(caller: Caller) -> None:
    orders = caller.shop.orders
    old = orders.place([FIFTY], Pay(), at=NOON - timedelta(days=60, seconds=1))
    new = orders.place([FIFTY], Pay(), at=NOON - timedelta(days=60))

    def listed() -> list[str]:
        nodes = caller.run("list_orders", first=5)["orders"]["nodes"]
        assert "search" not in caller.last.json()["extensions"]
        return [node["id"] for node in nodes]

    assert listed() == [old.id, new.id]
    caller.shop.add_static_token(caller.token, scopes=ALL_SCOPES - {"read_all_orders"})
    assert listed() == [new.id]
    assert read(caller, old) is None
    part = old.transactions[0].id
    assert caller.run("nodes", ids=[old.id, part, new.id])["nodes"][:2] == [None, None]


# ---- tags ----


def test_an_order_is_tagged_and_read_back(caller: Caller) -> None:
    order = caller.shop.orders.place([FIFTY], Pay())
    caller.clock.advance(5)
    answer = caller.run("add_tags", id=order.id, tags=["Zebra", "issued, vip"])["tagsAdd"]
    assert answer["userErrors"] == []
    assert answer["node"] == {"id": order.id, "tags": ["issued", "vip", "Zebra"]}
    assert read(caller, order)["updatedAt"] == "2026-11-23T17:00:05Z"
    answer = caller.run("remove_tags", id=order.id, tags=["VIP"])["tagsRemove"]
    assert answer["node"]["tags"] == ["issued", "Zebra"]


def test_nobody_tags_what_is_no_order(caller: Caller) -> None:
    unknown = "gid://shopify/Order/1"
    for document, root in (("add_tags", "tagsAdd"), ("remove_tags", "tagsRemove")):
        answer = caller.run(document, id=unknown, tags=["x"])[root]
        assert answer == {
            "node": None,
            "userErrors": [{"field": ["id"], "message": "Order does not exist"}],
        }
    order = caller.shop.orders.place([FIFTY], Pay())
    answer = caller.run("add_tags", id=order.id, tags=["x" * 41])["tagsAdd"]
    assert answer["userErrors"][0]["field"] == ["tags"]


# ---- faults and costs ----


def test_a_tag_is_applied_though_its_reply_is_lost(caller: Caller) -> None:
    order = caller.shop.orders.place([FIFTY], Pay())
    caller.shop.faults.add(Fault.DROP_REPLY, operation="tagsAdd")
    with pytest.raises(requests.Timeout):
        caller.run("add_tags", id=order.id, tags=["issued"])
    assert order.tags == ["issued"]
    caller.shop.faults.add(Fault.FAIL_BEFORE, operation="tagsAdd")
    assert caller.send("mutation { tagsAdd(id: 1, tags: []) { node { id } } }") == {
        "errors": "Internal Server Error"
    }
    caller.shop.faults.add(Fault.APPLY_LATE, operation="AddTags", seconds=20)
    with pytest.raises(requests.Timeout):
        caller.run("add_tags", id=order.id, tags=["late"])
    assert caller.shop.orders.get(order.id).tags == ["issued"]
    caller.clock.advance(20)
    assert caller.shop.orders.get(order.id).tags == ["issued", "late"]


def test_only_a_search_for_orders_is_stale(caller: Caller) -> None:
    order = caller.shop.orders.place([FIFTY], Pay(), at=NOON - timedelta(seconds=30))
    for _ in range(2):
        caller.shop.faults.add(Fault.STALE_SEARCH, seconds=60)
    assert caller.run("list_orders", first=5)["orders"]["nodes"] == []
    assert read(caller, order)["id"] == order.id
    assert len(caller.shop.faults.waiting()) == 1


def cost_of(caller: Caller, query: str) -> tuple[int, int]:
    body = caller.send(query)
    assert "errors" not in body, body
    cost = body["extensions"]["cost"]
    return cost["requestedQueryCost"], cost["actualQueryCost"]


def test_a_page_of_orders_costs_what_it_asks_for_and_then_what_it_got(caller: Caller) -> None:
    query = """{ orders(first: 10) { nodes { id lineItems(first: 5) { nodes { sku } }
               transactions(first: 4) { id amountSet { shopMoney { amount } } } } } }"""
    # A page 2; each order 1, its lines 2 and 1 each, its transactions 1 each and 1 for the bag.
    assert cost_of(caller, query) == (2 + 10 * (1 + 2 + 5 + 4 * 2), 2)
    caller.shop.orders.place([FIFTY, FIFTY], Pay())
    assert cost_of(caller, query)[1] == 2 + (1 + 2 + 2 + 2)


def test_a_list_that_is_not_cut_counts_once_however_long_it_is(caller: Caller) -> None:
    cards = [caller.shop.issue_card(amount=5) for _ in range(3)]
    order = caller.shop.orders.place([FIFTY], Pay([card.code for card in cards]))
    query = f'{{ order(id: "{order.id}") {{ transactions {{ id }} refunds {{ id }} }} }}'
    assert cost_of(caller, query) == (1 + 1 + 1, 1 + 1)


def test_too_many_orders_in_one_question_are_too_dear(caller: Caller) -> None:
    body = caller.send(
        "{ orders(first: 100) { nodes { lineItems(first: 10) { nodes { sku } } } } }"
    )
    assert body["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


def test_a_tag_costs_ten_points_and_its_order(caller: Caller) -> None:
    order = caller.shop.orders.place([FIFTY], Pay())
    mutation = f'mutation {{ tagsAdd(id: "{order.id}", tags: ["x"]) {{ node {{ id }} }} }}'
    assert cost_of(caller, mutation) == (11, 11)


def test_cards_changed_last_come_first(caller: Caller) -> None:
    """What finds changes of balances that no order explains."""
    shop = caller.shop
    first, second = shop.issue_card(amount=50), shop.issue_card(amount=50)
    caller.clock.advance(1)
    order = shop.orders.place([FIFTY], Pay([first.code]))
    assert caller.found("", sortKey="UPDATED_AT", reverse=True)[0] == first.last_characters
    caller.clock.advance(1)
    shop.credit(second.id, amount=Decimal(5))
    assert caller.found("", sortKey="UPDATED_AT", reverse=True)[0] == second.last_characters
    caller.clock.advance(1)
    shop.orders.refund(order.id)
    assert caller.found("", sortKey="UPDATED_AT", reverse=True)[0] == first.last_characters
