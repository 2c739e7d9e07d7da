"""The start page: what this is, where to click, cards to try, and how things stand."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint, render_template, url_for

from sandbox.pages.cells import CellView, pill
from sandbox.pages.forms import CODE_FIELD
from sandbox.pages.inbox import Box, boxes_of
from sandbox.pages.shopify import CardView, look_at_card
from sandbox.pages.tables import has_table, stores_of
from sandbox.pages.vendors import Vendors
from sandbox.pages.wording import symbol_of, write_amount

# The seeded day issues those for trying first, one or two of every state; all of them stand on the
# Shopify page.
CARDS_SHOWN = 7


@dataclass(frozen=True, slots=True)
class Tile:
    """One number at a glance, and where it comes from."""

    value: str
    words: str
    href: str


@dataclass(frozen=True, slots=True)
class ProngView:
    """One part of the application, as its row in `Status` tells."""

    name: str
    state: CellView
    says: str


def start_pages(vendors: Vendors) -> Blueprint:
    """The page at `/`."""
    pages = Blueprint("start", __name__)

    @pages.get("/")
    def show() -> str:
        return render_template(
            "start.html",
            tiles=list(_tiles(vendors)),
            cards=_cards_to_try(vendors),
            code_field=CODE_FIELD,
            **_boxes(vendors),
            problem=vendors.inbox.problem,
            prongs=_prongs(vendors),
        )

    return pages


def _tiles(vendors: Vendors) -> Iterator[Tile]:
    redemptions = url_for("tables.show", name="Redemptions")
    rows = vendors.base.table("Redemptions").records()
    waiting = sum(1 for row in rows if not row["fields"].get("Status"))
    loaded = sum((card.balance for card in vendors.shop.cards), Decimal(0))
    yield Tile(str(waiting), "redemptions waiting", redemptions)
    yield Tile(str(len(rows) - waiting), "redemptions served", redemptions)
    yield Tile(str(len(vendors.inbox.mails())), "mails sent", url_for("inbox.show_all"))
    orders = str(len(vendors.shop.orders.all))
    yield Tile(orders, "orders in the web shop", url_for("orders.show"))
    amount = write_amount(loaded, symbol_of(vendors.shop.currency))
    yield Tile(amount, "on all gift cards", url_for("shopify.show"))


def _cards_to_try(vendors: Vendors) -> list[CardView]:
    """The oldest cards, in the order in which they were issued."""
    return [look_at_card(vendors.shop, card) for card in vendors.shop.cards[:CARDS_SHOWN]]


def _boxes(vendors: Vendors) -> dict[str, object]:
    """The stores' boxes one by one. Customers come by the dozen: `others` counts their mails."""
    boxes = boxes_of(vendors)
    stores = len([store for store in stores_of(vendors.base) if store.email])
    others: list[Box] = boxes[stores:]
    return {"boxes": boxes[:stores], "others": sum(box.count for box in others)}


def _prongs(vendors: Vendors) -> list[ProngView]:
    if not has_table(vendors.base, "Status"):
        return []
    return [
        ProngView(
            name=str(row["fields"].get("Prong", "")),
            state=pill(str(row["fields"].get("State", "unknown"))),
            says=str(row["fields"].get("Last Error") or row["fields"].get("Summary", "")),
        )
        for row in vendors.base.table("Status").records()
    ]
