"""What the shop answers to each question: the fields of Shopify's schema, filled from the shop.

Each function here gives one root field about gift cards, or about anything by its id; orders have
theirs in `order_answers`.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import partial
from operator import attrgetter

from graphql import GraphQLResolveInfo

from sandbox.shopify.order_answers import ORDER_ROOT, find_order_node
from sandbox.shopify.refusals import Refusal
from sandbox.shopify.replies import (
    Caller,
    Numbered,
    View,
    check_global_id,
    format_moment,
    money,
    need,
    page_of,
    search_warning,
    user_error,
)
from sandbox.shopify.search import CARDS, UnsupportedSearch, find_cards, parse_search
from sandbox.shopify.shop import GiftCard, Kind, Shop, Transaction

# ---- what a card looks like -----------------------------------------------------------------


def _card_view(shop: Shop, card: GiftCard) -> View:
    def transactions(info: GraphQLResolveInfo, *, reverse: bool = False, **paging: object) -> View:
        need(info, "read_gift_card_transactions")
        views = [_transaction_view(shop, each) for each in shop.visible_transactions(card)]
        return page_of(views[::-1] if reverse else views, **paging)  # type: ignore[arg-type] # the schema checked them

    return {
        "__typename": "GiftCard",
        "id": card.id,
        "balance": money(shop, card.balance),
        "initialValue": money(shop, card.initial_value),
        "lastCharacters": card.last_characters,
        "maskedCode": card.masked_code,
        "enabled": card.enabled,
        "expiresOn": card.expires_on.isoformat() if card.expires_on else None,
        "deactivatedAt": format_moment(card.deactivated_at),
        "createdAt": format_moment(card.created_at),
        "updatedAt": format_moment(card.updated_at),
        "note": card.note,
        "templateSuffix": card.template_suffix,
        "transactions": transactions,
    }


def _transaction_view(shop: Shop, transaction: Transaction) -> View:
    return {
        "__typename": str(transaction.kind),
        "id": transaction.id,
        "amount": money(shop, transaction.amount),
        "note": transaction.note,
        "processedAt": format_moment(transaction.processed_at),
        "giftCard": lambda _info: _card_view(shop, shop.card(transaction.card_id)),
    }


# ---- questions ------------------------------------------------------------------------------


def _shop(info: GraphQLResolveInfo) -> View:
    shop: Shop = info.context.shop
    return {
        "id": "gid://shopify/Shop/1",
        "name": shop.name,
        "currencyCode": shop.currency,
        "ianaTimezone": shop.time_zone.key,
        "myshopifyDomain": shop.domain,
    }


def _installation(info: GraphQLResolveInfo) -> View:
    """What the calling app was granted; it needs no scope to ask for that."""
    caller: Caller = info.context
    return {"accessScopes": [{"handle": scope} for scope in sorted(caller.scopes)]}


def _gift_card(info: GraphQLResolveInfo, *, id: str) -> View | None:  # noqa: A002 - the schema's name
    shop = need(info, "read_gift_cards")
    check_global_id(id)
    card = shop.find(id)
    return None if card is None else _card_view(shop, card)


MOVEMENTS = frozenset(str(kind) for kind in Kind)


def _find(info: GraphQLResolveInfo, global_id: str) -> View | None:
    """Anything the shop knows by a global id; None where there is nothing."""
    check_global_id(global_id)
    kind = global_id.split("/")[3]
    if kind == "GiftCard":
        card = need(info, "read_gift_cards").find(global_id)
        return None if card is None else _card_view(info.context.shop, card)
    if kind in MOVEMENTS:
        shop = need(info, "read_gift_cards")
        for card in shop.cards:
            for movement in shop.visible_transactions(card):
                if movement.id == global_id:
                    return _transaction_view(shop, movement)
        return None
    return find_order_node(info, kind, global_id)


def _node(info: GraphQLResolveInfo, *, id: str) -> View | None:  # noqa: A002 - the schema's name
    return _find(info, id)


def _nodes(info: GraphQLResolveInfo, *, ids: list[str]) -> list[View | None]:
    return [_find(info, each) for each in ids]


SORT_KEYS: dict[str, Callable[[GiftCard], object]] = {
    "ID": lambda card: card.number,
    "CREATED_AT": lambda card: card.created_at,
    "UPDATED_AT": lambda card: card.updated_at,
    "BALANCE": lambda card: card.balance,
    "INITIAL_VALUE": lambda card: card.initial_value,
    "AMOUNT_SPENT": lambda card: card.initial_value - card.balance,
    "CODE": lambda card: card.last_characters,
    "EXPIRES_ON": lambda card: card.expires_on or date.max,
    "DISABLED_AT": lambda card: card.deactivated_at or datetime.max.replace(tzinfo=UTC),
}


def _gift_cards(
    info: GraphQLResolveInfo,
    *,
    query: str | None = None,
    sortKey: str | None = None,  # noqa: N803 - the schema's name
    reverse: bool | None = None,
    **paging: object,
) -> View:
    shop = need(info, "read_gift_cards")
    caller: Caller = info.context
    key = SORT_KEYS.get(sortKey or "ID")
    if key is None:
        raise NotImplementedError(f"sorting by {sortKey} is not emulated")
    if not query and not reverse and sortKey in {None, "ID"}:
        # In the order of their numbers, and maybe many.
        by_number = Numbered(
            shop.cards, number=attrgetter("number"), look=partial(_card_view, shop)
        )
        return page_of(by_number, **paging)  # type: ignore[arg-type] # the schema checked them
    try:
        search = parse_search(query or "", CARDS)
        # A plain list comes from the shop's database; only a search needs the index that lags.
        found = list(
            find_cards(shop, search, stale_seconds=caller.stale_seconds) if query else shop.cards
        )
    except UnsupportedSearch as problem:
        raise NotImplementedError(f"this search is not emulated: {problem}") from problem
    if search.ignored_fields:
        caller.search_warnings.append(search_warning(info, query or "", search.ignored_fields))
    found.sort(key=lambda card: (key(card), card.number), reverse=bool(reverse))
    return page_of([_card_view(shop, card) for card in found], **paging)  # type: ignore[arg-type] # the schema checked them


def _configuration(info: GraphQLResolveInfo) -> View:
    shop = need(info, "read_gift_cards")
    return {
        "issueLimit": money(shop, shop.issue_limit),
        "purchaseLimit": money(shop, shop.purchase_limit),
    }


# ---- changes --------------------------------------------------------------------------------


def _create(info: GraphQLResolveInfo, *, input: Mapping[str, object]) -> View:  # noqa: A002 - the schema's name
    shop = need(info, "write_gift_cards")
    money = input.get("initialAmount")
    amount = money["amount"] if isinstance(money, Mapping) else input.get("initialValue")
    if isinstance(money, Mapping) and money["currencyCode"] != shop.currency:
        raise NotImplementedError("cards in a currency other than the shop's are not emulated")
    try:
        card = shop.create(
            amount=amount,  # type: ignore[arg-type] # the schema's Decimal was read already
            code=input.get("code"),  # type: ignore[arg-type] # likewise
            note=input.get("note"),  # type: ignore[arg-type] # likewise
            expires_on=input.get("expiresOn"),  # type: ignore[arg-type] # likewise
            template_suffix=input.get("templateSuffix"),  # type: ignore[arg-type] # likewise
        )
    except Refusal as refusal:
        return {"giftCard": None, "giftCardCode": None, "userErrors": [user_error(refusal)]}
    return {"giftCard": _card_view(shop, card), "giftCardCode": card.code, "userErrors": []}


def _mover(verb: str) -> Callable[..., View]:
    """`giftCardDebit` and `giftCardCredit` differ in nothing but the direction."""
    result = f"giftCard{verb.capitalize()}Transaction"

    def move(info: GraphQLResolveInfo, *, id: str, **inputs: Mapping[str, object]) -> View:  # noqa: A002 - the schema's name
        shop = need(info, "write_gift_card_transactions")
        check_global_id(id)
        given = inputs[f"{verb}Input"]
        money = given[f"{verb}Amount"]
        if not isinstance(money, Mapping):
            raise TypeError("the schema lets no such amount through")
        change = shop.debit if verb == "debit" else shop.credit
        try:
            transaction = change(
                id,
                amount=money["amount"],
                currency=money["currencyCode"],
                note=given.get("note"),  # type: ignore[arg-type] # the schema's String was read already
                processed_at=given.get("processedAt"),  # type: ignore[arg-type] # likewise
            )
        except Refusal as refusal:
            return {result: None, "userErrors": [user_error(refusal)]}
        return {result: _transaction_view(shop, transaction), "userErrors": []}

    return move


def _deactivate(info: GraphQLResolveInfo, *, id: str) -> View:  # noqa: A002 - the schema's name
    shop = need(info, "write_gift_cards")
    check_global_id(id)
    try:
        card = shop.deactivate(id)
    except Refusal as refusal:
        return {"giftCard": None, "userErrors": [user_error(refusal)]}
    return {"giftCard": _card_view(shop, card), "userErrors": []}


UPDATED = {"note": "note", "expiresOn": "expires_on", "templateSuffix": "template_suffix"}


def _update(
    info: GraphQLResolveInfo,
    *,
    id: str,  # noqa: A002 - the schema's name
    input: Mapping[str, str | date | None],  # noqa: A002 - likewise
) -> View:
    shop = need(info, "write_gift_cards")
    check_global_id(id)
    try:
        card = shop.update(id, **{UPDATED[name]: value for name, value in input.items()})
    except Refusal as refusal:
        return {"giftCard": None, "userErrors": [user_error(refusal)]}
    return {"giftCard": _card_view(shop, card), "userErrors": []}


ROOT: View = {
    "shop": _shop,
    "currentAppInstallation": _installation,
    "giftCard": _gift_card,
    "giftCards": _gift_cards,
    "giftCardConfiguration": _configuration,
    "node": _node,
    "nodes": _nodes,
    "giftCardCreate": _create,
    "giftCardDebit": _mover("debit"),
    "giftCardCredit": _mover("credit"),
    "giftCardDeactivate": _deactivate,
    "giftCardUpdate": _update,
    **ORDER_ROOT,
}
