"""The office's side of the web shop: orders as Shopify's admin shows them, and what one can do.

Each button is what a clerk, the customer's bank or Shopify itself would do; our application hears
of none of them but by reading.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox.pages.shopify import NOT_DONE
from sandbox.pages.storefront import name_of_payment
from sandbox.pages.vendors import Vendors
from sandbox.pages.wording import symbol_of, write_amount, write_moment
from sandbox.shopify import Order, Pay, Refusal, Shop
from sandbox.shopify.orders import (
    CancelReason,
    FinancialStatus,
    LineItem,
    OrderTransaction,
    Recommendation,
    TransactionKind,
    TransactionStatus,
)

STATUS_TONES = {
    FinancialStatus.PAID: "good",
    FinancialStatus.PENDING: "warn",
    FinancialStatus.AUTHORIZED: "warn",
    FinancialStatus.PARTIALLY_PAID: "warn",
    FinancialStatus.PARTIALLY_REFUNDED: "calm",
    FinancialStatus.REFUNDED: "calm",
    FinancialStatus.VOIDED: "calm",
}
RISK_TONES = {
    Recommendation.NONE: "calm",
    Recommendation.ACCEPT: "good",
    Recommendation.INVESTIGATE: "warn",
    Recommendation.CANCEL: "bad",
}
KIND_WORDS = {
    TransactionKind.AUTHORIZATION: "Authorised",
    TransactionKind.CAPTURE: "Captured",
    TransactionKind.SALE: "Paid",
    TransactionKind.REFUND: "Refunded",
    TransactionKind.VOID: "Voided",
}
GIVING = frozenset({TransactionKind.REFUND, TransactionKind.VOID})

# To where a unit's price may go back, by the form's word for it.
TENDERS = {"original": None, "cash": "cash"}


@dataclass(frozen=True, slots=True)
class LineView:
    """A line, in words: `units` are left of `quantity`."""

    id: str
    what: str
    sku: str
    price: str
    quantity: int
    units: int
    details: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class PaymentView:
    """One transaction of an order, in words. `card` is the number of the gift card behind it."""

    id: str
    at: str
    what: str
    by: str
    card: int | None
    amount: str
    negative: bool


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order, in words."""

    number: int
    name: str
    at: str
    customer: str
    email: str
    status: str
    tone: str
    risk: str
    risk_tone: str
    marks: list[str]
    tags: list[str]
    total: str
    source: str
    lines: list[LineView]
    payments: list[PaymentView]
    units: int
    outstanding: str | None
    owed_back: str | None
    reserved: str | None
    is_cancelled: bool
    has_money: bool


def look_at_order(shop: Shop, order: Order) -> OrderView:
    """An order in words, its transactions newest first."""
    symbol = symbol_of(shop.currency)
    risk = order.risk.recommendation.capitalize() if order.risk.is_assessed else "Pending"
    marks = ["Test"] if order.is_test else []
    marks += ["Cancelled"] if order.cancelled_at else []
    marks += [f"Chargeback {each.status.replace('_', ' ').lower()}" for each in order.disputes]
    marks += ["Edited"] if order.is_edited else []
    is_open = order.cancelled_at is None
    return OrderView(
        number=order.number,
        name=order.name,
        at=write_moment(order.processed_at, shop.time_zone),
        customer=order.customer_name or "",
        email=order.email or "",
        status=order.status.replace("_", " ").capitalize(),
        tone=STATUS_TONES[order.status],
        risk="Never assessed" if order.risk.exempt else risk,
        risk_tone=RISK_TONES[order.risk.recommendation],
        marks=marks,
        tags=list(order.tags),
        total=write_amount(order.due, symbol),
        source=order.source_name.replace("_", " "),
        lines=[_look_at_line(line, symbol) for line in order.lines],
        payments=[_look_at_payment(shop, each, symbol) for each in reversed(order.transactions)],
        units=sum(line.current_quantity for line in order.lines),
        outstanding=(
            write_amount(order.outstanding, symbol) if is_open and order.outstanding > 0 else None
        ),
        owed_back=(
            write_amount(-order.outstanding, symbol)
            if -order.outstanding > order.refunded
            else None
        ),
        reserved=write_amount(order.reserved, symbol) if order.reserved > 0 else None,
        is_cancelled=not is_open,
        has_money=order.received > order.refunded,
    )


def _look_at_line(line: LineItem, symbol: str) -> LineView:
    return LineView(
        id=line.id,
        what=f"{line.title}, {line.variant_title}",
        sku=line.sku or ("Shopify's gift card" if line.is_gift_card else "no SKU"),
        price=write_amount(line.price, symbol),
        quantity=line.quantity,
        units=line.current_quantity,
        details=list(line.properties),
    )


def _look_at_payment(shop: Shop, transaction: OrderTransaction, symbol: str) -> PaymentView:
    card = None if transaction.card_id is None else shop.find(transaction.card_id)
    is_giving = transaction.kind in GIVING
    did = KIND_WORDS[transaction.kind]
    failed = transaction.status is not TransactionStatus.SUCCESS
    return PaymentView(
        id=transaction.id,
        at=write_moment(transaction.processed_at, shop.time_zone),
        what=f"{did}: {transaction.status.lower()}" if failed else did,
        by=name_of_payment(shop, transaction),
        card=None if card is None else card.number,
        amount=write_amount(-transaction.amount if is_giving else transaction.amount, symbol),
        negative=is_giving,
    )


def orders_pages(vendors: Vendors) -> Blueprint:
    """The pages at `/orders`."""
    pages = Blueprint("orders", __name__)
    shop = vendors.shop

    def find(number: int) -> Order:
        return shop.orders.find(f"gid://shopify/Order/{number}") or abort(404)

    def page(order: Order, refused: str | None = None) -> str:
        return render_template("order.html", order=look_at_order(shop, order), refused=refused)

    @pages.get("/orders")
    def show() -> str:
        orders = [look_at_order(shop, order) for order in reversed(shop.orders.all)]
        return render_template("orders.html", orders=orders)

    @pages.get("/orders/<int:number>")
    def order(number: int) -> str:
        return page(find(number))

    @pages.post("/orders/<int:number>/<action>")
    def act(number: int, action: str) -> Response | tuple[str, int]:
        wanted = find(number)
        do = ACTIONS.get(action) or abort(404)
        try:
            do(shop, wanted)
        except Refusal as refusal:
            return page(wanted, refusal.message), NOT_DONE
        return redirect(url_for("orders.order", number=number), code=303)

    @pages.get("/orders/<int:number>/<action>")
    def show_again(number: int, action: str) -> Response:
        """Where a refused action stood: asked for again, it is the order."""
        del action
        return redirect(url_for("orders.order", number=number))

    return pages


# ---- what the buttons do --------------------------------------------------------------------


def _refund_all(shop: Shop, order: Order) -> None:
    shop.orders.refund(order.id, amount=order.received - order.refunded)


def _refund_unit(shop: Shop, order: Order) -> None:
    tender = TENDERS.get(request.form.get("tender", "original"))
    shop.orders.refund(order.id, units={_line_id(): 1}, other_tender=tender)


def _refund_rest(shop: Shop, order: Order) -> None:
    """Give back what an edit left over."""
    shop.orders.refund(order.id, units={}, amount=-order.outstanding - order.refunded)


def _add_unit(shop: Shop, order: Order) -> None:
    shop.orders.edit(order.id, units={_line_id(): _units_of(order) + 1})


def _remove_unit(shop: Shop, order: Order) -> None:
    shop.orders.edit(order.id, units={_line_id(): _units_of(order) - 1})


def _line_id() -> str:
    return request.form.get("line", "")


def _units_of(order: Order) -> int:
    line = order.line(_line_id())
    if line is None:
        raise Refusal(None, "There is no such line.", ["lineItemId"])
    return line.current_quantity


ACTIONS: dict[str, Callable[[Shop, Order], object]] = {
    "pay": lambda shop, order: shop.orders.pay(order.id, Pay()),
    "capture": lambda shop, order: shop.orders.capture(order.id),
    "void": lambda shop, order: shop.orders.void(order.id),
    "refund": _refund_all,
    "refund-unit": _refund_unit,
    "refund-rest": _refund_rest,
    "add-unit": _add_unit,
    "remove-unit": _remove_unit,
    "cancel": lambda shop, order: shop.orders.cancel(order.id, CancelReason.CUSTOMER),
    "charge-back": lambda shop, order: shop.orders.charge_back(order.id),
}
