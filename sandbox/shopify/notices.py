"""What stands in the shop's notices: orders and refunds as the REST API writes them.

Only what a receiver may want to wake up for: ids, states, lines and payments. A full code of a gift
card is in none of them.
"""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.shopify.orders import LineItem, Order, OrderTransaction, Refund
    from sandbox.shopify.shop import Shop

type Json = dict[str, object]


def order_json(shop: "Shop", order: "Order") -> Json:
    """The body of `orders/paid`."""
    return {
        "id": order.number,
        "admin_graphql_api_id": order.id,
        "name": order.name,
        "email": order.email or "",
        "created_at": _moment(shop, order.created_at),
        "updated_at": _moment(shop, order.updated_at),
        "processed_at": _moment(shop, order.processed_at),
        "cancelled_at": None if order.cancelled_at is None else _moment(shop, order.cancelled_at),
        "currency": shop.currency,
        "financial_status": order.status.lower(),
        "source_name": str(order.source_name),
        "tags": ", ".join(order.tags),
        "test": order.is_test,
        "total_price": _amount(order.due),
        "line_items": [_line_json(line) for line in order.lines],
    }


def refund_json(shop: "Shop", order: "Order", refund: "Refund") -> Json:
    """The body of `refunds/create`."""
    lines = {line.id: line for line in order.lines}
    return {
        "id": refund.number,
        "admin_graphql_api_id": refund.id,
        "order_id": order.number,
        "created_at": _moment(shop, refund.created_at),
        "processed_at": _moment(shop, refund.created_at),
        "note": refund.note,
        "refund_line_items": [
            {
                "id": int(each.id.rpartition("/")[2]),
                "line_item_id": lines[each.line_id].number,
                "quantity": each.quantity,
                "subtotal": _amount(each.subtotal),
                "line_item": _line_json(lines[each.line_id]),
            }
            for each in refund.lines
        ],
        "transactions": [
            _transaction_json(shop, order, each)
            for each in order.transactions
            if each.id in refund.transaction_ids
        ],
    }


def _line_json(line: "LineItem") -> Json:
    return {
        "id": line.number,
        "admin_graphql_api_id": line.id,
        "title": line.title,
        "variant_title": line.variant_title,
        "sku": line.sku or "",
        "price": _amount(line.price),
        "quantity": line.quantity,
        "current_quantity": line.current_quantity,
        "gift_card": line.is_gift_card,
        "properties": [{"name": name, "value": value} for name, value in line.properties],
    }


def _transaction_json(shop: "Shop", order: "Order", transaction: "OrderTransaction") -> Json:
    parent = order.transaction(transaction.parent_id)
    return {
        "id": transaction.number,
        "admin_graphql_api_id": transaction.id,
        "order_id": order.number,
        "parent_id": None if parent is None else parent.number,
        "kind": transaction.kind.lower(),
        "status": transaction.status.lower(),
        "gateway": transaction.gateway,
        "amount": _amount(transaction.amount),
        "currency": shop.currency,
        "created_at": _moment(shop, transaction.processed_at),
        "receipt": dict(transaction.receipt),
        "test": order.is_test,
    }


def _amount(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _moment(shop: "Shop", moment: datetime) -> str:
    return moment.astimezone(shop.time_zone).isoformat(timespec="seconds")
