"""What to search orders for, in Shopify's search syntax.

Values are quoted, so that a SKU with a blank or a bracket stays one value. None of our searches
names a `status`: without it open, closed and cancelled orders are all found.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from giftcards.errors import ConfigurationError

# Shopify publishes no way to write these inside quotes: a backslash may or may not escape, a star
# finds what begins so, and a comma makes several values of one.
UNSEARCHABLE = frozenset('\\*,"')


def unprocessed_orders(skus: Iterable[str], *, tag: str, since: datetime) -> str:
    """Paid orders with one of `skus` and without `tag` that were changed at `since` or later.

    Partly refunded ones are paid as well: what is left of them counts. The tag is no more than a
    hint, because it reaches the search late. Raises `ConfigurationError` for what cannot be quoted.
    """
    paid = "(financial_status:paid OR financial_status:partially_refunded)"
    return f"{_one_of(skus)} AND {paid} AND tag_not:{_quoted(tag)} AND {_changed(since)}"


def changed_sales(skus: Iterable[str], *, since: datetime) -> str:
    """Orders with one of `skus`, in any state and with any tag, changed at `since` or later.

    Raises `ConfigurationError` for what cannot be quoted.
    """
    return f"{_one_of(skus)} AND {_changed(since)}"


def card_payments(*, since: datetime) -> str:
    """Orders that a gift card paid, in whole or in part, changed at `since` or later."""
    return f"gateway:gift_card AND {_changed(since)}"


def any_orders(*, since: datetime) -> str:
    """All orders of the shop, changed at `since` or later."""
    return _changed(since)


def _one_of(skus: Iterable[str]) -> str:
    wanted: Sequence[str] = list(dict.fromkeys(skus))
    if not wanted:
        # An empty search would find every order of the shop.
        raise ConfigurationError("no SKU of a gift card is set: name them in GiftCardSkus")
    return f"({' OR '.join(f'sku:{_quoted(sku)}' for sku in wanted)})"


def _quoted(value: str) -> str:
    """One value, whatever blanks or brackets it holds; raises `ConfigurationError`."""
    if not value.strip() or not value.isprintable() or not UNSEARCHABLE.isdisjoint(value):
        raise ConfigurationError(
            f"Shopify cannot be searched for {value!r}: a SKU of ours, or our tag, must not be"
            " empty and must not hold a double quote, a backslash, a star or a comma"
        )
    return f'"{value}"' if "'" in value else f"'{value}'"


def _changed(since: datetime) -> str:
    """A time of Shopify's search, which knows seconds: rounded down, so that nothing is missed."""
    if since.tzinfo is None:
        raise ValueError("a time without its offset cannot be searched for")
    return f"updated_at:>='{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'"
