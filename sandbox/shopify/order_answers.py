"""What the shop answers about orders: the fields of Shopify's schema, filled from the order desk.

Each function at the end gives one root field; `find_order_node` gives anything of an order by its
global id.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial

from graphql import GraphQLError, GraphQLResolveInfo

from sandbox.shopify.order_search import ORDERS, find_orders, is_visible
from sandbox.shopify.orders import (
    Dispute,
    LineItem,
    Order,
    OrderTransaction,
    Recommendation,
    Refund,
    RefundLine,
)
from sandbox.shopify.refusals import Refusal
from sandbox.shopify.replies import (
    SORTED_BY,
    Caller,
    View,
    check_global_id,
    format_moment,
    money,
    need,
    page_of,
    search_warning,
)
from sandbox.shopify.search import UnsupportedSearch, parse_search
from sandbox.shopify.shop import Shop

READ = "read_orders"
READ_ALL = "read_all_orders"
WRITE = "write_orders"

# What the assessments of an order say where Shopify advises this.
LEVELS = {
    Recommendation.NONE: "NONE",
    Recommendation.ACCEPT: "LOW",
    Recommendation.INVESTIGATE: "MEDIUM",
    Recommendation.CANCEL: "HIGH",
}

A_FRAUD_APP = {"id": "gid://shopify/App/1"}

GATEWAY_NAMES = {
    "gift_card": "Gift Card",
    "shopify_payments": "Shopify Payments",
    "bogus": "(for testing) Bogus Gateway",
    "manual": "Manual",
    "cash": "Cash",
}


def _paged(views: Sequence[View]) -> Callable[..., View]:
    """A field that gives these views in pages."""

    def page(_: GraphQLResolveInfo, *, reverse: bool = False, **paging: object) -> View:
        return page_of(views[::-1] if reverse else views, **paging)  # type: ignore[arg-type] # the schema checked them

    return page


def _cut(views: Sequence[View]) -> Callable[..., list[View]]:
    """A field that gives these views as a plain list, cut to its `first`."""

    def cut(_: GraphQLResolveInfo, *, first: int | None = None) -> list[View]:
        return list(views if first is None else views[:first])

    return cut


def _bag(shop: Shop, amount: Decimal) -> View:
    """An amount in the shop's currency and the customer's, which are the same here."""
    return {"shopMoney": money(shop, amount), "presentmentMoney": money(shop, amount)}


PROTECTED_DATA_PAGE = "https://shopify.dev/docs/apps/launch/protected-customer-data"


def _protected(shop: Shop, value: str | None) -> object:
    """A field of the customer's name or address, which Shopify shows to approved apps alone."""

    def refuse(info: GraphQLResolveInfo) -> object:
        code = {"code": "ACCESS_DENIED", "documentation": PROTECTED_DATA_PAGE}
        raise GraphQLError(
            f"This app is not approved to use the {info.field_name} field."
            f" See {PROTECTED_DATA_PAGE} for more details.",
            extensions=code if shop.hiding_has_a_code else None,
        )

    return value if shop.shows_customer_data else refuse


# ---- what an order looks like ---------------------------------------------------------------


def _order_view(shop: Shop, order: Order) -> View:
    first, _, last = (order.customer_name or "").partition(" ")
    named = {
        "name": _protected(shop, order.customer_name),
        "firstName": _protected(shop, first or None),
        "lastName": _protected(shop, last or None),
    }
    return {
        "__typename": "Order",
        "id": order.id,
        "legacyResourceId": str(order.number),
        "name": order.name,
        "email": _protected(shop, order.email),
        "customer": lambda info: _customer_view(info, order),
        "billingAddress": named if order.customer_name else None,
        "displayAddress": named if order.customer_name else None,
        "note": order.note,
        "tags": sorted(order.tags, key=str.casefold),
        "test": order.is_test,
        "sourceName": str(order.source_name),
        "edited": order.is_edited,
        "createdAt": format_moment(order.created_at),
        "updatedAt": format_moment(order.updated_at),
        "processedAt": format_moment(order.processed_at),
        "cancelledAt": format_moment(order.cancelled_at),
        "cancelReason": order.cancel_reason and str(order.cancel_reason),
        "currencyCode": shop.currency,
        "displayFinancialStatus": str(order.status),
        "fullyPaid": order.received >= order.due,
        "paymentGatewayNames": list(dict.fromkeys(each.gateway for each in order.transactions)),
        "totalPriceSet": _bag(shop, order.due),
        "currentTotalPriceSet": _bag(
            shop,
            sum((line.paid_price * line.current_quantity for line in order.lines), Decimal(0)),
        ),
        "totalReceivedSet": _bag(shop, order.received),
        "totalRefundedSet": _bag(shop, order.refunded),
        "totalOutstandingSet": _bag(shop, order.due - order.received),
        "risk": _risk_view(shop, order),
        "disputes": [_dispute_view(each) for each in order.disputes],
        "lineItems": _paged([_line_view(shop, each) for each in order.lines]),
        "transactions": _cut([_transaction_view(shop, order, each) for each in order.transactions]),
        "refunds": _cut([_refund_view(shop, order, each) for each in order.refunds]),
    }


def _customer_view(info: GraphQLResolveInfo, order: Order) -> View | None:
    shop = need(info, "read_customers")
    if order.customer_name is None:
        return None
    first, _, last = order.customer_name.partition(" ")
    return {
        "id": f"gid://shopify/Customer/{order.number}",
        "displayName": _protected(shop, order.customer_name),
        "firstName": _protected(shop, first),
        "lastName": _protected(shop, last or None),
    }


def _risk_view(shop: Shop, order: Order) -> View:
    levels: list[str] = []
    if order.risk.is_assessed:
        levels = [LEVELS[order.risk.recommendation]]
    elif shop.orders.pending_risk_is_listed and not order.risk.exempt:
        levels = ["PENDING"]
    return {
        "recommendation": str(order.risk.recommendation),
        "assessments": [
            *({"riskLevel": level, "provider": A_FRAUD_APP} for level in order.risk.levels_by_apps),
            *({"riskLevel": level, "provider": None} for level in levels),
        ],
    }


def _dispute_view(dispute: Dispute) -> View:
    return {"id": dispute.id, "initiatedAs": "CHARGEBACK", "status": str(dispute.status)}


def _line_view(shop: Shop, line: LineItem) -> View:
    return {
        "__typename": "LineItem",
        "id": line.id,
        "name": f"{line.title} - {line.variant_title}",
        "title": line.title,
        "variantTitle": line.variant_title,
        "sku": line.sku,
        "quantity": line.quantity,
        "currentQuantity": line.current_quantity,
        "refundableQuantity": line.current_quantity,
        "isGiftCard": line.is_gift_card,
        "customAttributes": [{"key": key, "value": value} for key, value in line.properties],
        "originalUnitPriceSet": _shown(_bag(shop, line.price), line),
        "discountedUnitPriceSet": _shown(_bag(shop, line.paid_price), line),
        "discountedUnitPriceAfterAllDiscountsSet": _shown(_bag(shop, line.paid_price), line),
    }


def _shown(bag: View, line: LineItem) -> View:
    """A price as the customer was shown it; one rate for all currencies is enough here."""
    if line.sold_in is None:
        return bag
    return bag | {"presentmentMoney": {"amount": "1.0", "currencyCode": line.sold_in}}


def _transaction_view(shop: Shop, order: Order, transaction: OrderTransaction) -> View:
    def parent(_: GraphQLResolveInfo) -> View | None:
        found = order.transaction(transaction.parent_id)
        return None if found is None else _transaction_view(shop, order, found)

    receipt = dict(transaction.receipt)
    return {
        "__typename": "OrderTransaction",
        "id": transaction.id,
        "kind": str(transaction.kind),
        "status": str(transaction.status),
        "gateway": transaction.gateway,
        "formattedGateway": GATEWAY_NAMES.get(transaction.gateway, transaction.gateway),
        "test": order.is_test,
        "amountSet": _bag(shop, transaction.amount),
        "createdAt": format_moment(transaction.processed_at),
        "processedAt": format_moment(transaction.processed_at),
        "receiptJson": json.dumps(receipt) if shop.orders.receipts_are_text else receipt,
        "parentTransaction": parent,
        "order": lambda _info: _order_view(shop, order),
    }


def _refund_view(shop: Shop, order: Order, refund: Refund) -> View:
    written = [each for each in order.transactions if each.id in refund.transaction_ids]
    return {
        "__typename": "Refund",
        "id": refund.id,
        "note": refund.note,
        "createdAt": format_moment(refund.created_at),
        "processedAt": format_moment(refund.created_at),
        "updatedAt": format_moment(refund.created_at),
        "totalRefundedSet": _bag(shop, refund.total),
        "refundLineItems": _paged([_refund_line_view(shop, order, each) for each in refund.lines]),
        "transactions": _paged([_transaction_view(shop, order, each) for each in written]),
        "order": lambda _info: _order_view(shop, order),
    }


def _refund_line_view(shop: Shop, order: Order, refund_line: RefundLine) -> View:
    (line,) = [each for each in order.lines if each.id == refund_line.line_id]
    return {
        "id": refund_line.id,
        "quantity": refund_line.quantity,
        "subtotalSet": _bag(shop, refund_line.subtotal),
        "lineItem": lambda _info: _line_view(shop, line),
    }


# ---- questions ------------------------------------------------------------------------------


def find_order_node(info: GraphQLResolveInfo, kind: str, global_id: str) -> View | None:
    """An order or a part of one by its global id; raises `NotImplementedError` for other kinds."""
    if kind not in {"Order", "LineItem", "OrderTransaction", "Refund"}:
        raise NotImplementedError(f"finding a {kind} by its id is not emulated")
    shop = need(info, READ)
    sees_all = READ_ALL in info.context.scopes
    if kind == "Order":
        found = shop.orders.find(global_id)
        is_seen = found is not None and is_visible(shop, found, sees_all=sees_all)
        return _order_view(shop, found) if found is not None and is_seen else None
    for order in shop.orders.all:
        part = _part_view(shop, order, global_id)
        if part is not None:
            return part if is_visible(shop, order, sees_all=sees_all) else None
    return None


def _part_view(shop: Shop, order: Order, global_id: str) -> View | None:
    """A line, a transaction or a refund of the order."""
    line, transaction = order.line(global_id), order.transaction(global_id)
    if line is not None:
        return _line_view(shop, line)
    if transaction is not None:
        return _transaction_view(shop, order, transaction)
    refunds = [each for each in order.refunds if each.id == global_id]
    return _refund_view(shop, order, refunds[0]) if refunds else None


def _order(info: GraphQLResolveInfo, *, id: str) -> View | None:  # noqa: A002 - the schema's name
    need(info, READ)
    check_global_id(id)
    return find_order_node(info, "Order", id) if "/Order/" in id else None


# Their cursors tell a place in time, so that they stay good when an order has left the list.
SORTED_BY_TIME = {"CREATED_AT", "UPDATED_AT", "PROCESSED_AT"}

SORT_KEYS: dict[str, Callable[[Order], object]] = {
    "ID": lambda order: order.number,
    "ORDER_NUMBER": lambda order: order.number,
    "CREATED_AT": lambda order: order.created_at,
    "UPDATED_AT": lambda order: order.updated_at,
    "PROCESSED_AT": lambda order: order.processed_at,
    "TOTAL_PRICE": lambda order: order.due,
}


def _orders(
    info: GraphQLResolveInfo,
    *,
    query: str | None = None,
    sortKey: str | None = None,  # noqa: N803 - the schema's name
    reverse: bool | None = None,
    **paging: object,
) -> View:
    shop = need(info, READ)
    caller: Caller = info.context
    key = SORT_KEYS.get(sortKey or "PROCESSED_AT")
    if key is None:
        raise NotImplementedError(f"sorting orders by {sortKey} is not emulated")
    sees_all = READ_ALL in caller.scopes
    try:
        search = parse_search(query or "", ORDERS)
        # Whether a list without a search lags too is not known; here it does.
        found = list(
            find_orders(shop, search, sees_all=sees_all, stale_seconds=caller.stale_seconds)
        )
    except UnsupportedSearch as problem:
        raise NotImplementedError(f"this search is not emulated: {problem}") from problem
    if search.ignored_fields:
        caller.search_warnings.append(search_warning(info, query or "", search.ignored_fields))
    found.sort(key=lambda order: (key(order), order.number), reverse=bool(reverse))
    by_id = {order.id: order for order in found}
    ids: list[View] = [{"id": each.id} for each in found]
    if sortKey in SORTED_BY_TIME and not reverse:
        ids = [{"id": each.id, SORTED_BY: format_sorted(key(each))} for each in found]
    look = partial(_look, shop, by_id)
    return page_of(ids, look=look, **paging)  # type: ignore[arg-type] # the schema checked them


def format_sorted(moment: object) -> str:
    """A time as it stands in a cursor: text that sorts as time."""
    return moment.isoformat(timespec="microseconds") if isinstance(moment, datetime) else ""


def _look(shop: Shop, orders: Mapping[str, Order], node: View) -> View:
    return _order_view(shop, orders[str(node["id"])])


# ---- changes --------------------------------------------------------------------------------


def _tagger(verb: str) -> Callable[..., View]:
    """`tagsAdd` and `tagsRemove`; of all that has tags only orders are here."""

    def change(info: GraphQLResolveInfo, *, id: str, tags: list[str]) -> View:  # noqa: A002 - the schema's name
        shop = need(info, WRITE)
        check_global_id(id)
        # A list of one text with commas in it is several tags, as in the admin.
        wanted = [tag for each in tags for tag in each.split(",")]
        act = shop.orders.add_tags if verb == "add" else shop.orders.remove_tags
        try:
            order = act(id, wanted)
        except Refusal as refusal:
            # These errors are plain ones: they have no code.
            error: View = {"field": refusal.at, "message": refusal.message}
            return {"node": None, "userErrors": [error]}
        return {"node": _order_view(shop, order), "userErrors": []}

    return change


ORDER_ROOT: View = {
    "order": _order,
    "orders": _orders,
    "tagsAdd": _tagger("add"),
    "tagsRemove": _tagger("remove"),
}
