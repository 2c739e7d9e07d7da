"""Shopify's side: the cards as the web shop knows them, and what its customers can do to them."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox.pages.vendors import Vendors
from sandbox.pages.wording import (
    USUAL_DECIMALS,
    NotAnAmountError,
    read_amount,
    symbol_of,
    write_amount,
    write_moment,
)
from sandbox.shopify import GiftCard, Kind, Refusal, Shop

# A refused request is answered as HTTP has it: understood, and not done.
NOT_DONE = 422

WORDS_FOR_KINDS = {
    Kind.DEBIT: "Debited",
    Kind.CREDIT: "Credited",
    Kind.CASH_OUT: "Paid out in cash",
}


@dataclass(frozen=True, slots=True)
class MovementView:
    """One movement on a card, in words."""

    id: str
    at: str
    what: str
    amount: str
    negative: bool
    note: str


@dataclass(frozen=True, slots=True)
class CardView:
    """One gift card, in words. `tone` colours its state: good, warn or bad."""

    id: str
    number: int
    code: str
    masked: str
    state: str
    tone: str
    balance: str
    initial_value: str
    good_until: str
    created: str
    deactivated: str | None
    note: str
    movements: list[MovementView]


def state_of(shop: Shop, card: GiftCard) -> tuple[str, str]:
    """What a shopkeeper calls the card's state, and the tone to show it in."""
    if not card.enabled:
        return "Deactivated", "bad"
    if shop.is_expired(card):
        return "Expired", "bad"
    if card.balance == 0:
        return "Empty", "warn"
    if card.balance < card.initial_value:
        return "Partly spent", "good"
    return "Not spent yet", "good"


def look_at_card(shop: Shop, card: GiftCard) -> CardView:
    """A card in words, its movements newest first."""
    symbol = symbol_of(shop.currency)
    state, tone = state_of(shop, card)
    movements = [
        MovementView(
            id=each.id,
            at=write_moment(each.processed_at, shop.time_zone),
            what=WORDS_FOR_KINDS[each.kind],
            amount=write_amount(each.amount, symbol),
            negative=each.amount < 0,
            note=each.note or "",
        )
        for each in reversed(shop.visible_transactions(card))
    ]
    return CardView(
        id=card.id,
        number=card.number,
        code=card.code,
        masked=f"•••• {card.last_characters}",
        state=state,
        tone=tone,
        balance=write_amount(card.balance, symbol),
        initial_value=write_amount(card.initial_value, symbol),
        good_until="for ever" if card.expires_on is None else f"{card.expires_on:%B %d, %Y}",
        created=write_moment(card.created_at, shop.time_zone),
        deactivated=(
            None
            if card.deactivated_at is None
            else write_moment(card.deactivated_at, shop.time_zone)
        ),
        note=card.note or "",
        movements=movements,
    )


def shopify_pages(vendors: Vendors) -> Blueprint:
    """The pages at `/shopify`."""
    pages = Blueprint("shopify", __name__)
    shop = vendors.shop

    def find(number: int) -> GiftCard:
        card = shop.find(f"gid://shopify/GiftCard/{number}")
        return card if card is not None else abort(404)

    def page(
        card: GiftCard, *, refused: str | None = None, typed: str = "", typed_change: str = ""
    ) -> str:
        return render_template(
            "card.html",
            card=look_at_card(shop, card),
            currency=symbol_of(shop.currency).strip(),
            refused=refused,
            typed=typed,
            typed_change=typed_change,
        )

    @pages.get("/shopify")
    def show() -> str:
        cards = [look_at_card(shop, card) for card in reversed(shop.cards)]
        return render_template("shopify.html", cards=cards)

    # Where a refused adjustment stood: asked for again, it is the card.
    @pages.get("/shopify/<int:number>/adjust", endpoint="card_again")
    @pages.get("/shopify/<int:number>")
    def card(number: int) -> str:
        return page(find(number))

    @pages.post("/shopify/<int:number>")
    def spend(number: int) -> Response | tuple[str, int]:
        card = find(number)
        typed = request.form.get("amount", "")
        refused = _refusal_of(lambda: shop.spend_on_web(card.id, _payable(typed, shop.currency)))
        if refused is not None:
            return page(card, refused=refused, typed=typed), NOT_DONE
        return redirect(url_for("shopify.card", number=number), code=303)

    @pages.post("/shopify/<int:number>/adjust")
    def adjust(number: int) -> Response | tuple[str, int]:
        card = find(number)
        typed = request.form.get("change", "")
        refused = _refusal_of(lambda: _adjust(shop, card, _payable(typed, shop.currency)))
        if refused is not None:
            return page(card, refused=refused, typed_change=typed), NOT_DONE
        return redirect(url_for("shopify.card", number=number), code=303)

    @pages.post("/shopify/<int:number>/deactivate")
    def deactivate(number: int) -> Response:
        shop.deactivate(find(number).id)
        return redirect(url_for("shopify.card", number=number), code=303)

    return pages


def _adjust(shop: Shop, card: GiftCard, change: Decimal) -> None:
    """The office changes a balance by hand; the movement on the card names nobody's reference."""
    move = shop.debit if change < 0 else shop.credit
    move(card.id, amount=abs(change), note="Adjusted in the admin")


def _payable(typed: str, currency: str) -> Decimal:
    """An amount that a checkout can charge; raises `NotAnAmountError` for anything else."""
    amount = read_amount(typed, symbol_of(currency))
    if amount != round(amount, USUAL_DECIMALS):
        raise NotAnAmountError("A checkout charges whole cents.")
    return amount


def _refusal_of(act: Callable[[], object]) -> str | None:
    """Do it; say why it was refused, if it was."""
    try:
        act()
    except NotAnAmountError as problem:
        return str(problem)
    except Refusal as refusal:
        return refusal.message
    return None
