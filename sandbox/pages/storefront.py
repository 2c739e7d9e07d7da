"""The web shop's storefront: choose something, say whom it is for, pay, and read the confirmation.

What is typed about a gift travels as properties of the line, as storefronts send it. Below the
payment stands what a real shop would not ask: what Shopify shall make of the order.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox.pages.shopify import NOT_DONE
from sandbox.pages.vendors import Vendors
from sandbox.pages.wording import symbol_of, write_amount
from sandbox.shopify import CartLine, Order, OrderPlan, Pay, Refusal, Shop
from sandbox.shopify.catalog import (
    MESSAGE,
    RECIPIENT_EMAIL,
    RECIPIENT_NAME,
    SEND_ON,
    THEME,
    Product,
    Variant,
)
from sandbox.shopify.orders import (
    CREDIT_CARD,
    GIFT_CARD,
    TEST_GATEWAY,
    OrderTransaction,
    Recommendation,
)

THEMES = ("Standard", "Birthday", "Wedding", "Holiday")
GIFT_FIELDS = (RECIPIENT_NAME, RECIPIENT_EMAIL, MESSAGE, THEME, SEND_ON)

# Nobody buys more of one thing here; a slip on the keyboard is no order.
MOST_UNITS = 100

# Longer than any demo: the risk of such an order stays open.
NEVER_SECONDS = 7 * 24 * 3600.0

RISKS = {
    "accept": (Recommendation.ACCEPT, None),
    "investigate": (Recommendation.INVESTIGATE, None),
    "cancel": (Recommendation.CANCEL, None),
    "late": (Recommendation.ACCEPT, 60.0),
    "never": (Recommendation.ACCEPT, NEVER_SECONDS),
}
RISK_WORDS = {
    "accept": "Accept it, at once",
    "investigate": "Investigate it",
    "cancel": "Cancel it: it looks like fraud",
    "late": "Accept it, after a minute",
    "never": "Nothing, for days",
}


GATEWAY_WORDS = {CREDIT_CARD: "credit card", TEST_GATEWAY: "test credit card"}


@dataclass(frozen=True, slots=True)
class ProductView:
    """A product as the storefront shows it; `choices` are its variants."""

    handle: str
    title: str
    words: str
    price: str
    kind: str
    choices: list[tuple[str, str]]
    asks_for_recipient: bool
    has_theme: bool


@dataclass(frozen=True, slots=True)
class LineView:
    """What was bought, in words."""

    what: str
    quantity: int
    price: str
    details: list[tuple[str, str]]


def _look_at(shop: Shop, product: Product) -> ProductView:
    symbol = symbol_of(shop.currency)
    prices = [variant.price for variant in product.variants]
    least = write_amount(min(prices), symbol)
    return ProductView(
        handle=product.handle,
        title=product.title,
        words=product.words,
        price=least if len(set(prices)) == 1 else f"from {least}",
        kind="gift" if product.asks_for_recipient else "ware",
        choices=[(variant.id, _name_of_choice(variant, symbol)) for variant in product.variants],
        asks_for_recipient=product.asks_for_recipient,
        has_theme=product.asks_for_recipient and not product.is_gift_card,
    )


def _name_of_choice(variant: Variant, symbol: str) -> str:
    """A variant and its price; one that is called by its price says it once."""
    price = write_amount(variant.price, symbol)
    return price if variant.title.startswith(symbol) else f"{variant.title} – {price}"


def name_of_payment(shop: Shop, transaction: OrderTransaction) -> str:
    """By what somebody paid: a masked card, or the gateway."""
    if transaction.gateway != GIFT_CARD:
        return GATEWAY_WORDS.get(transaction.gateway, transaction.gateway)
    card = None if transaction.card_id is None else shop.find(transaction.card_id)
    return "gift card" if card is None else f"gift card •••• {card.last_characters}"


def storefront_pages(vendors: Vendors) -> Blueprint:
    """The pages at `/storefront`."""
    pages = Blueprint("storefront", __name__)
    shop = vendors.shop

    def find(handle: str) -> Product:
        found = [each for each in shop.orders.products if each.handle == handle]
        return found[0] if found else abort(404)

    def page(product: Product, typed: Mapping[str, str], refused: str | None = None) -> str:
        return render_template(
            "product.html",
            product=_look_at(shop, product),
            typed=typed,
            refused=refused,
            themes=THEMES,
            risks=RISK_WORDS,
        )

    @pages.get("/storefront")
    def show() -> str:
        products = [_look_at(shop, product) for product in shop.orders.products]
        return render_template("storefront.html", products=products)

    @pages.get("/storefront/<handle>")
    def product(handle: str) -> str:
        return page(find(handle), {})

    @pages.post("/storefront/<handle>")
    def buy(handle: str) -> Response | tuple[str, int]:
        chosen = find(handle)
        typed = request.form.to_dict()
        try:
            order = shop.orders.place(
                [_cart_line(chosen, typed)], _payment(typed), plan=_plan(typed)
            )
        except Refusal as refusal:
            return page(chosen, typed, refusal.message), NOT_DONE
        return redirect(url_for("storefront.thanks", number=order.number), code=303)

    @pages.get("/storefront/orders/<int:number>")
    def thanks(number: int) -> str:
        order = shop.orders.find(f"gid://shopify/Order/{number}") or abort(404)
        return render_template("order_thanks.html", order=order, **_confirmation(shop, order))

    return pages


def _cart_line(product: Product, typed: Mapping[str, str]) -> CartLine:
    variant = product.variant(typed.get("variant", ""))
    if variant is None:
        raise Refusal(None, "Please choose one of these.", ["variant"])
    text = typed.get("quantity", "1").strip()
    quantity = int(text) if text.isdecimal() and text.isascii() else 0
    if not 0 < quantity <= MOST_UNITS:
        raise Refusal(None, f"How many? A whole number from 1 to {MOST_UNITS}.", ["quantity"])
    properties: dict[str, str] = {}
    if product.asks_for_recipient and typed.get("is_gift"):
        properties = {
            name: typed[name].strip() for name in GIFT_FIELDS if typed.get(name, "").strip()
        }
    return CartLine(variant.id, quantity, properties)


def _payment(typed: Mapping[str, str]) -> Pay:
    codes = [typed.get(name, "").strip() for name in ("first_code", "second_code")]
    cards = [code for code in codes if code]
    is_captured = not typed.get("is_authorised_only")
    if typed.get("rest") == "cards":
        return Pay(cards, rest_by=None, is_captured=is_captured)
    return Pay(cards, is_captured=is_captured)


def _plan(typed: Mapping[str, str]) -> OrderPlan:
    advice, seconds = RISKS.get(typed.get("risk", ""), RISKS["accept"])
    return OrderPlan(
        email=typed.get("email", "").strip() or None,
        customer_name=typed.get("name", "").strip() or None,
        is_test=bool(typed.get("is_test")),
        risk=advice,
        risk_after_seconds=seconds,
    )


def _confirmation(shop: Shop, order: Order) -> dict[str, object]:
    symbol = symbol_of(shop.currency)
    return {
        "lines": [
            LineView(
                what=f"{line.title}, {line.variant_title}",
                quantity=line.quantity,
                price=write_amount(line.price * line.quantity, symbol),
                details=list(line.properties),
            )
            for line in order.lines
        ],
        "payments": [
            (name_of_payment(shop, each), write_amount(each.amount, symbol))
            for each in order.payments or order.authorizations
        ],
        "total": write_amount(order.due, symbol),
    }
