"""Read the orders that changed, page by page: what is alike for all who pass through a search.

A pass goes from the order that has not changed for longest to the newest. What a run does not
finish, a later one goes on with from the page it got to. Once a pass is finished, the next one
begins where it had read all, minus an overlap for what the search shows late.
"""

from datetime import datetime

from aws_lambda_powertools import Logger

from giftcards.clients.shopify import Shopify
from giftcards.domain.orders import OrderPage
from giftcards.errors import VendorSurprise

# A pass has this many pages at most in one run, 10,000 orders: a run's time ends long before, and
# the next run goes on.
MOST_PAGES = 200


class StaleCursor(Exception):
    """Shopify does not go on from where a pass got."""


def next_page(shopify: Shopify, search: str, *, cursor: str | None, logger: Logger) -> OrderPage:
    """The page behind `cursor`, the first one without; raises `StaleCursor`: begin anew."""
    try:
        return shopify.order_page(search, after=cursor)
    except VendorSurprise as surprise:
        if cursor is None:
            raise
        logger.warning("a pass begins anew", extra={"reason": str(surprise)})
        raise StaleCursor from surprise


def read_until(*, seen: datetime, began_at: datetime) -> datetime:
    """Up to which change a finished pass has read all orders; `seen` is the newest it came to.

    Not further than when it began. A pass may take longer than the overlap; what changed meanwhile
    and was hidden by the search would then show up before the next one's beginning. `seen` is in
    Shopify's times, and `began_at` in ours, which can only have more read.
    """
    return min(seen, began_at)
