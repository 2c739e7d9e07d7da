"""The switches for accidents, as buttons."""

import math
from dataclasses import dataclass

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox.faults import Fault, FaultOrder, FaultOrderError, Faults
from sandbox.pages.shopify import NOT_DONE
from sandbox.pages.vendors import Vendors


@dataclass(frozen=True, slots=True)
class Preset:
    """One accident worth a button of its own. An empty `times` means until it is cleared."""

    words: str
    fault: Fault
    operation: str = ""
    times: str = "1"
    seconds: str = ""


@dataclass(frozen=True, slots=True)
class OrderView:
    """An accident that waits to happen, in words."""

    fault: str
    operation: str | None
    how: str


@dataclass(frozen=True, slots=True)
class VendorView:
    """One vendor's switches."""

    slug: str
    name: str
    presets: tuple[Preset, ...]
    faults: list[str]
    operation_help: str
    orders: list[OrderView]


@dataclass(frozen=True, slots=True)
class Switchboard:
    """One vendor's faults, and the buttons for them."""

    slug: str
    name: str
    faults: Faults
    presets: tuple[Preset, ...]
    operation_help: str

    def look(self) -> VendorView:
        """What the page shows of it now."""
        return VendorView(
            slug=self.slug,
            name=self.name,
            presets=self.presets,
            faults=[str(fault) for fault in Fault],
            operation_help=self.operation_help,
            orders=[_look_at_order(order) for order in self.faults.waiting()],
        )


SHOPIFY_PRESETS = (
    Preset("Lose the reply to the next debit", Fault.DROP_REPLY, "giftCardDebit"),
    Preset(
        "Answer the next debit with an error, having done it", Fault.FAIL_AFTER, "giftCardDebit"
    ),
    Preset("Do the next debit 20 seconds late", Fault.APPLY_LATE, "giftCardDebit", seconds="20"),
    Preset("No connection for the next three calls", Fault.REFUSE_CONNECTION, times="3"),
    Preset("Too fast: throttle the next three calls", Fault.THROTTLE, times="3"),
    Preset(
        "Search orders in an index that is an hour old, twenty times",
        Fault.STALE_SEARCH,
        "orders",
        times="20",
        seconds="3600",
    ),
    Preset("Lose the reply when the next order is tagged", Fault.DROP_REPLY, "tagsAdd"),
    Preset("Refuse the token until cleared", Fault.REFUSE_TOKEN, times=""),
)
AIRTABLE_PRESETS = (
    Preset("Lose the reply when the next receipt is written", Fault.DROP_REPLY, "create Receipts"),
    Preset("Lose the reply to the next update of a row", Fault.DROP_REPLY, "update"),
    Preset("Fail the next three calls", Fault.FAIL_BEFORE, times="3"),
    Preset("No connection until cleared", Fault.REFUSE_CONNECTION, times=""),
    Preset("Too fast: throttle the next call", Fault.THROTTLE),
    Preset("Refuse the token until cleared", Fault.REFUSE_TOKEN, times=""),
)
KLAVIYO_PRESETS = (
    Preset("Lose the reply to the next event", Fault.DROP_REPLY, "event"),
    Preset("Fail the next three events", Fault.FAIL_BEFORE, "event", times="3"),
    Preset("Too fast: throttle the next event", Fault.THROTTLE, "event"),
    Preset("No connection until cleared", Fault.REFUSE_CONNECTION, times=""),
    Preset("Refuse the key until cleared", Fault.REFUSE_TOKEN, times=""),
)


def _look_at_order(order: FaultOrder) -> OrderView:
    how = "until cleared" if order.times is None else f"{order.times} times"
    if order.times == 1:
        how = "once"
    if order.seconds:
        how += f", {order.seconds:g} s"
    return OrderView(fault=order.fault, operation=order.operation, how=how)


def faults_pages(vendors: Vendors) -> Blueprint:
    """The page at `/faults`."""
    pages = Blueprint("faults", __name__)
    boards = {
        board.slug: board
        for board in (
            Switchboard(
                slug="shopify",
                name="Shopify",
                faults=vendors.shop.faults,
                presets=SHOPIFY_PRESETS,
                operation_help="Otherwise a field of the API, such as giftCardDebit.",
            ),
            Switchboard(
                slug="airtable",
                name="Airtable",
                faults=vendors.base.faults,
                presets=AIRTABLE_PRESETS,
                operation_help="Otherwise list, get, create, update or delete, alone or with a"
                " table behind it: create Receipts.",
            ),
            Switchboard(
                slug="klaviyo",
                name="Klaviyo",
                faults=vendors.klaviyo.faults,
                presets=KLAVIYO_PRESETS,
                operation_help="Otherwise event, list templates, create template or update"
                " template.",
            ),
        )
    }

    def page(wrong: str | None = None) -> str:
        views = [board.look() for board in boards.values()]
        return render_template("faults.html", vendors=views, wrong=wrong)

    @pages.get("/faults")
    def show() -> str:
        return page()

    @pages.post("/faults/<vendor>")
    def order(vendor: str) -> Response | tuple[str, int]:
        board = boards.get(vendor) or abort(404)
        try:
            board.faults.add(
                request.form.get("fault", ""),
                operation=request.form.get("operation", "").strip() or None,
                times=_whole_number(request.form.get("times", "")),
                seconds=_seconds(request.form.get("seconds", "")),
            )
        except FaultOrderError as problem:
            return page(wrong=str(problem)), NOT_DONE
        return redirect(url_for("faults.show"), code=303)

    @pages.get("/faults/<vendor>")
    def show_again(vendor: str) -> Response:
        """Where a refused order stood: asked for again, it is the page of all switches."""
        del vendor
        return redirect(url_for("faults.show"))

    @pages.post("/faults/<vendor>/clear")
    def clear(vendor: str) -> Response:
        (boards.get(vendor) or abort(404)).faults.clear()
        return redirect(url_for("faults.show"), code=303)

    return pages


def _whole_number(typed: str) -> int | None:
    text = typed.strip()
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise FaultOrderError("How many times has to be a whole number, or empty.") from None


def _seconds(typed: str) -> float:
    text = typed.strip()
    try:
        seconds = float(text) if text else 0.0
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise FaultOrderError("Seconds have to be a number, or empty.")
    return seconds
