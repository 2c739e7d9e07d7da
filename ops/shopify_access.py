"""What Shopify lets our app do and see, looked at before anything is switched on.

A scope opens what an app may do. Customers' names and addresses are opened apart from it, field by
field, and whether they are shows only when an order is read (Shopify, "Work with protected customer
data"). So one order is read in full, as it would be when a card was bought in it.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from giftcards.clients.shopify.graphql import NEEDED_SCOPES
from giftcards.clients.shopify.searching import any_orders
from giftcards.domain.orders import WebOrder
from giftcards.errors import AccessRefused, VendorSurprise
from giftcards.wiring import Application

# Shopify grants it on request, and may take its time; all but old orders is served without it.
ALL_ORDERS: Final = "read_all_orders"

# What an app without that scope can see.
DAYS_OF_ORDERS: Final = 60


def missing_scopes(granted: Collection[str]) -> tuple[str, ...]:
    """The scopes we need and were not granted. Whoever may write may read, without being told so.

    (Shopify, "API access scopes": a scope to write holds the one to read.)
    """
    allowed = {scope.replace("write_", "read_", 1) for scope in granted} | set(granted)
    return tuple(scope for scope in NEEDED_SCOPES if scope not in allowed)


def describe_access(app: Application) -> list[str]:
    """What there is to say of scopes and customers' data; `AccessRefused` names what is missing."""
    missing = missing_scopes(app.shopify.granted_scopes())
    if set(missing) - {ALL_ORDERS}:
        raise AccessRefused(
            f"Shopify has not granted our app the scopes {', '.join(missing)}: add them to the app,"
            " release that version, and let the shop approve it"
        )
    lines = [
        f"lacks {scope}: refunds of orders older than {DAYS_OF_ORDERS} days stay unseen"
        for scope in missing
    ]
    return [*lines, *_describe_an_order(app)]


def _describe_an_order(app: Application) -> list[str]:
    """Whether an order can be read as the prongs will read it; nothing of a customer is shown."""
    since = app.clock() - timedelta(days=DAYS_OF_ORDERS)
    # Even to list orders an app needs the right to see customers' data, if not their names.
    sights = [
        sight
        for page in app.shopify.find_orders(any_orders(since=since), most_pages=1)
        for sight in page
    ]
    if not app.config.gift_card_skus:
        return []
    order: WebOrder | None = None
    if sights:
        try:
            order = app.shopify.read_order(sights[-1].id)
        except VendorSurprise as surprise:
            # One odd order keeps nobody from going live: its own run will say so as well.
            return [f"an order cannot be understood: {surprise}"]
    if order is None:
        nobody_knows = (
            f"no order of the last {DAYS_OF_ORDERS} days: whether our app may see customers' names"
            " and addresses (protected customer data) shows with the first"
        )
        return [nobody_knows]
    return [f"order {order.name} can be read in full, with what it tells of its customer"]
