"""What the shop's search finds among orders, by Shopify's published search fields.

The index lags behind the orders, and its tags may lag much longer (`Orders.set_tag_lag`); what is
found is then shown as it is now. A word without a field is not answered here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from sandbox.shopify.orders import Order, OrderIndexEntry
from sandbox.shopify.search import Search, UnsupportedSearch, Vocabulary, read_time
from sandbox.shopify.shop import Shop

# Without the scope `read_all_orders` older orders are not there, silently.
RECENT = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class OrderCandidate:
    """An order as the index knows it, at the moment of the search."""

    order: Order
    entry: OrderIndexEntry


def _is_one_of(words: frozenset[str] | tuple[str, ...], wanted: str) -> bool:
    """Whether a word is among those, whatever its capitals; `GIFT*` finds what begins so."""
    if "," in wanted:
        raise UnsupportedSearch("several values in one field")
    text = wanted.casefold()
    if text.endswith("*"):
        return any(word.casefold().startswith(text[:-1]) for word in words)
    return any(word.casefold() == text for word in words)


def _text(stands: Callable[[OrderCandidate], str | None]) -> Callable[[OrderCandidate, str], bool]:
    def judge(candidate: OrderCandidate, wanted: str) -> bool:
        found = stands(candidate)
        return found is not None and _is_one_of((found,), wanted)

    return judge


def _status(candidate: OrderCandidate, value: str) -> bool:
    entry = candidate.entry
    match value:
        case "open":
            return not entry.is_closed and not entry.is_cancelled
        case "closed":
            return entry.is_closed
        case "not_closed":
            return not entry.is_closed
        case "cancelled":
            return entry.is_cancelled
        case _:
            raise UnsupportedSearch(f"status:{value}")


def _test(candidate: OrderCandidate, value: str) -> bool:
    if value not in {"true", "false"}:
        raise UnsupportedSearch(f"test:{value}")
    return candidate.order.is_test == (value == "true")


def _bare(_: OrderCandidate, __: str) -> bool:
    raise UnsupportedSearch("a word without a field")


ORDERS = Vocabulary[OrderCandidate](
    compared={
        "id": (int, lambda candidate: candidate.order.number),
        "created_at": (read_time, lambda candidate: candidate.order.created_at),
        "updated_at": (read_time, lambda candidate: candidate.entry.updated_at),
        "processed_at": (read_time, lambda candidate: candidate.order.processed_at),
    },
    named={
        "sku": lambda candidate, value: _is_one_of(candidate.entry.skus, value),
        "tag": lambda candidate, value: _is_one_of(candidate.entry.tags, value),
        "tag_not": lambda candidate, value: not _is_one_of(candidate.entry.tags, value),
        "gateway": lambda candidate, value: _is_one_of(candidate.entry.gateways, value),
        "financial_status": _text(lambda candidate: candidate.entry.status),
        "email": _text(lambda candidate: candidate.order.email),
        "name": _text(lambda candidate: candidate.order.name),
        "source_name": _text(lambda candidate: candidate.order.source_name),
        "status": _status,
        "test": _test,
    },
    without_data=frozenset(
        {
            "cart_token",
            "channel",
            "channel_id",
            "chargeback_status",
            "checkout_token",
            "confirmation_number",
            "credit_card_last4",
            "current_total_price",
            "customer_id",
            "delivery_method",
            "discount_code",
            "fraud_protection_level",
            "fulfillment_location_id",
            "fulfillment_status",
            "location_id",
            "payment_id",
            "payment_provider_id",
            "po_number",
            "reference_location_id",
            "return_status",
            "risk_level",
            "sales_channel",
            "source_identifier",
            "subtotal_line_items_quantity",
            "total_weight",
        }
    ),
    bare=_bare,
)


def is_visible(shop: Shop, order: Order, *, sees_all: bool) -> bool:
    """Whether a caller may see the order at all."""
    return sees_all or order.created_at >= shop.now() - RECENT


def find_orders(
    shop: Shop, search: Search[OrderCandidate], *, sees_all: bool, stale_seconds: float = 0.0
) -> Iterator[Order]:
    """The orders the index finds, as it stood `stale_seconds` ago at the latest, oldest first."""
    for order in shop.orders.all:
        if not is_visible(shop, order, sees_all=sees_all):
            continue
        entry = shop.orders.index_entry(order, stale_seconds=stale_seconds)
        if entry is not None and search.condition(OrderCandidate(order, entry)):
            yield order
