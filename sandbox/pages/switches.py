"""Habits of Shopify that vary, or that nobody could confirm: switches, so that both are seen."""

import math

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox.pages.shopify import NOT_DONE
from sandbox.pages.vendors import Vendors
from sandbox.shopify import Shop
from sandbox.shopify.orders import TransactionKind
from sandbox.shopify.webhooks import Accident

# A lag of more than a day is a slip on the keyboard.
LONGEST_SECONDS = 24 * 3600.0

REFUNDS = frozenset({TransactionKind.REFUND})

LAGS = {
    "search_lag": ("Search index lags by", "Seconds until a search finds a change."),
    "tag_lag": ("Tags lag by", "Seconds until a search finds a tag; an hour is 3600."),
    "risk_delay": ("Risk is assessed after", "Seconds, for orders from now on."),
}
TICKS = {
    "receipts_are_text": "receiptJson is a string of JSON, not an object",
    "refunds_name_card": "Receipts of refunds name the gift card",
    "pending_is_listed": "A risk not assessed yet shows as an assessment of level PENDING",
    "checkout_shows": "Checkouts and refunds show among a card's transactions",
    "shows_customers": "The app may see customers' names and addresses (protected customer data)",
    "hiding_has_a_code": "Where it may not, the refusal carries the code ACCESS_DENIED",
}
ACCIDENT_WORDS = {
    Accident.DUPLICATE: "Send the next notice twice",
    Accident.DELAY: "Send the next notice a minute late",
    Accident.REORDER: "Send the next notice after the one behind it",
    Accident.LOSE: "Lose the next notice",
}
DELAY_SECONDS = 60.0


def switches_pages(vendors: Vendors) -> Blueprint:
    """The page at `/switches`."""
    pages = Blueprint("switches", __name__)
    shop = vendors.shop

    def page(typed: dict[str, str], wrong: str | None = None) -> str:
        return render_template(
            "switches.html",
            lags=LAGS,
            ticks=TICKS,
            typed=typed,
            wrong=wrong,
            webhooks=shop.webhooks,
            accidents={str(accident): words for accident, words in ACCIDENT_WORDS.items()},
        )

    @pages.get("/switches")
    def show() -> str:
        return page(_now(shop))

    @pages.post("/switches")
    def throw() -> Response | tuple[str, int]:
        typed = request.form.to_dict()
        seconds = {name: _seconds(typed.get(name, "")) for name in LAGS}
        if None in seconds.values():
            return page(typed, "Seconds are a number from 0 to a day's 86400."), NOT_DONE
        shop.set_search_lag(seconds["search_lag"] or 0.0)
        shop.orders.set_tag_lag(seconds["tag_lag"] or 0.0)
        shop.orders.risk_delay_seconds = seconds["risk_delay"] or 0.0
        shop.orders.receipts_are_text = "receipts_are_text" in typed
        shop.orders.kinds_without_receipt = frozenset() if "refunds_name_card" in typed else REFUNDS
        shop.orders.pending_risk_is_listed = "pending_is_listed" in typed
        shop.checkout_in_transactions = "checkout_shows" in typed
        shop.shows_customer_data = "shows_customers" in typed
        shop.hiding_has_a_code = "hiding_has_a_code" in typed
        return redirect(url_for("switches.show"), code=303)

    @pages.post("/switches/webhooks")
    def send_to() -> Response | tuple[str, int]:
        address = request.form.get("address", "").strip()
        if address and not address.startswith(("http://", "https://")):
            return page(_now(shop), "A web address begins with http:// or https://."), NOT_DONE
        shop.webhooks.send_to(address or None, secret=request.form.get("secret", ""))
        return redirect(url_for("switches.show"), code=303)

    @pages.post("/switches/accidents/<accident>")
    def order(accident: str) -> Response | tuple[str, int]:
        if accident not in set(Accident):
            return page(_now(shop), "There is no such accident."), NOT_DONE
        shop.webhooks.order_accident(Accident(accident), seconds=DELAY_SECONDS)
        return redirect(url_for("switches.show"), code=303)

    @pages.get("/switches/webhooks")
    @pages.get("/switches/accidents/<accident>")
    def show_again(accident: str = "") -> Response:
        """Where something refused stood: asked for again, it is the page of all switches."""
        del accident
        return redirect(url_for("switches.show"))

    return pages


def _now(shop: Shop) -> dict[str, str]:
    """How the switches stand, as the form would say it."""
    lags = {
        "search_lag": shop.search_lag.total_seconds(),
        "tag_lag": shop.orders.tag_lag.total_seconds(),
        "risk_delay": shop.orders.risk_delay_seconds,
    }
    ticks = {
        "receipts_are_text": shop.orders.receipts_are_text,
        "refunds_name_card": TransactionKind.REFUND not in shop.orders.kinds_without_receipt,
        "pending_is_listed": shop.orders.pending_risk_is_listed,
        "checkout_shows": shop.checkout_in_transactions,
        "shows_customers": shop.shows_customer_data,
        "hiding_has_a_code": shop.hiding_has_a_code,
    }
    shown = {name: f"{seconds:g}" for name, seconds in lags.items()}
    return shown | {name: "yes" for name, is_on in ticks.items() if is_on}


def _seconds(typed: str) -> float | None:
    try:
        seconds = float(typed.strip() or "0")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and 0 <= seconds <= LONGEST_SECONDS else None
