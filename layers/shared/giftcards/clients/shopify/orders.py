"""Find orders of the web shop, read what they sold, and tag them.

A search says which orders to look at, and nothing else: it lags behind, and so do its tags. What
counts is read by id.
"""

from collections.abc import Iterator
from datetime import datetime

from giftcards.clients.shopify import replies
from giftcards.clients.shopify.graphql import GraphQL
from giftcards.clients.shopify.payments import all_steps, time_of
from giftcards.domain.orders import Advice, OrderLine, OrderPage, OrderSight, PaymentKind, WebOrder
from giftcards.errors import ConfigurationError, SafeToRepeat, Unconfirmed, VendorSurprise

# As `read_order.graphql` asks for: nearly every order has fewer payments, and each costs a point.
PAYMENTS_WITH_AN_ORDER = 20

# 1,000 lines. Shopify's checkout takes 500; beyond this a person looks, because a line that was not
# read is a card that is not made.
MOST_LINE_PAGES = 20

# A dispute that ended for the shop. Any other one counts, an inquiry of the bank's as well: the
# field does not tell whether a chargeback came out of it.
ENDED_WELL = frozenset({"WON", "PREVENTED"})

PAYING = frozenset({PaymentKind.SALE, PaymentKind.CAPTURE})


def find_orders(graphql: GraphQL, search: str, *, most_pages: int) -> Iterator[list[OrderSight]]:
    """Pages of what a search finds, those first that have not changed for longest."""
    after: str | None = None
    for _ in range(most_pages):
        page = order_page(graphql, search, after=after)
        yield list(page.orders)
        after = page.end_cursor
        if after is None:
            return


def order_page(graphql: GraphQL, search: str, *, after: str | None) -> OrderPage:
    """One page of what a search finds, from its beginning or from where a cursor leads."""
    answer = graphql.ask("find_orders", {"search": search, "after": after})
    if answer.search_warnings:
        raise VendorSurprise(
            "Shopify did not search orders as asked"
            f" ({', '.join(answer.search_warnings)}): its results are not to be trusted"
        )
    page = replies.part(answer.data, "orders")
    sights = (
        OrderSight(id=replies.text(node, "id"), updated_at=replies.moment(node, "updatedAt"))
        for node in replies.parts(page, "nodes")
    )
    return OrderPage(orders=tuple(sights), end_cursor=replies.next_cursor(page))


def read_order(graphql: GraphQL, order_id: str) -> WebOrder | None:
    """One order with all its lines; None where there is none, or none that we may see."""
    order = replies.part_or_none(graphql.ask("read_order", {"id": order_id}).data, "order")
    if order is None:
        return None
    risk = replies.part(order, "risk")
    # Of Shopify's own, which alone name no app as their provider.
    levels = [
        replies.text(one, "riskLevel")
        for one in replies.parts(risk, "assessments")
        if replies.part_or_none(one, "provider") is None
    ]
    disputes = [replies.text(one, "status") for one in replies.parts(order, "disputes")]
    paid_at = _paid_at(graphql, order)
    cancelled = order.get("cancelledAt") is not None
    return WebOrder(
        id=replies.text(order, "id"),
        name=replies.text(order, "name"),
        email=replies.words_or_none(order, "email"),
        customer_name=_name_in(order, "billingAddress") or _name_in(order, "displayAddress") or "",
        is_test=replies.flag(order, "test"),
        source_name=replies.words_or_none(order, "sourceName") or "",
        created_at=replies.moment(order, "createdAt"),
        processed_at=replies.moment(order, "processedAt"),
        updated_at=replies.moment(order, "updatedAt"),
        cancelled_at=replies.moment(order, "cancelledAt") if cancelled else None,
        status=replies.words_or_none(order, "displayFinancialStatus") or "",
        is_fully_paid=replies.flag(order, "fullyPaid"),
        tags=frozenset(replies.texts(order, "tags")),
        advice=_advice(replies.text(risk, "recommendation")),
        is_assessed=bool(levels) and "PENDING" not in levels,
        has_chargeback=any(status not in ENDED_WELL for status in disputes),
        first_paid_at=min(paid_at, default=None),
        last_paid_at=max(paid_at, default=None),
        lines=tuple(_lines(graphql, order)),
    )


def tag_order(graphql: GraphQL, order_id: str, tag: str, *, within_seconds: float) -> str | None:
    """Tag an order; the words of a refusal, or None when it has the tag now."""
    if "," in tag:
        # Shopify would take it for several tags, and the search for this one would never find it.
        raise ConfigurationError(f"{tag!r} is no tag: a tag must not hold a comma")
    variables = {"id": order_id, "tags": [tag]}
    try:
        with graphql.room_for("tag_order", variables, within_seconds=within_seconds) as room:
            answer = graphql.change("tag_order", variables, room=room)
    except Unconfirmed as unknown:
        raise SafeToRepeat(f"Nobody knows whether an order was tagged: {unknown}") from unknown
    try:
        refusals = replies.parts(replies.part(answer.data, "tagsAdd"), "userErrors")
        return replies.text(refusals[0], "message") if refusals else None
    except VendorSurprise as surprise:
        raise SafeToRepeat(f"A tag's answer cannot be read: {surprise}") from surprise


def _paid_at(graphql: GraphQL, order: replies.Json) -> list[datetime]:
    """When the order's successful payments were made."""
    steps = replies.parts(order, "transactions")
    if len(steps) >= PAYMENTS_WITH_AN_ORDER:
        order_id = replies.text(order, "id")
        read = all_steps(graphql, order_id)
        if read is None:
            raise VendorSurprise(f"{order_id} vanished while it was read")
        steps = replies.parts(read, "transactions")
    return [
        time_of(step)
        for step in steps
        if replies.text(step, "status") == "SUCCESS" and replies.text(step, "kind") in PAYING
    ]


def _lines(graphql: GraphQL, order: replies.Json) -> Iterator[OrderLine]:
    """Every line of an order, whose first page is read already."""
    order_id = replies.text(order, "id")
    page = replies.part(order, "lineItems")
    for _ in range(MOST_LINE_PAGES):
        yield from map(_line, replies.parts(page, "nodes"))
        after = replies.next_cursor(page)
        if after is None:
            return
        answer = graphql.ask("order_lines", {"id": order_id, "after": after})
        page = replies.part(replies.part(answer.data, "order"), "lineItems")
    raise VendorSurprise(
        f"{order_id} has more lines than any order can have: look at it in Shopify's admin"
    )


def _line(source: replies.Json) -> OrderLine:
    price = replies.part(source, "originalUnitPriceSet")
    return OrderLine(
        id=replies.text(source, "id"),
        title=replies.words_or_none(source, "title") or "",
        sku=replies.words_or_none(source, "sku"),
        is_native=replies.flag(source, "isGiftCard"),
        quantity=replies.count(source, "quantity"),
        current_quantity=replies.count(source, "currentQuantity"),
        price=replies.money(price, "shopMoney"),
        paid=replies.money(
            replies.part(source, "discountedUnitPriceAfterAllDiscountsSet"), "shopMoney"
        ),
        sold_in=replies.text(replies.part(price, "presentmentMoney"), "currencyCode"),
        properties={
            replies.text(one, "key"): replies.words_or_none(one, "value") or ""
            for one in replies.parts(source, "customAttributes")
        },
    )


def _advice(word: str) -> Advice:
    try:
        return Advice(word)
    except ValueError:
        raise VendorSurprise(f"Shopify advises {word} of an order, a word we don't know") from None


def _name_in(order: replies.Json, address: str) -> str | None:
    found = replies.part_or_none(order, address)
    return None if found is None else replies.words_or_none(found, "name")
