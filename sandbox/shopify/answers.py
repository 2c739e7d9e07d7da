"""What the shop answers to each question: the fields of Shopify's schema, filled from the shop.

Each function here gives one root field. A field of the schema that nobody filled is an error when
it is asked for (`fill`), never a silent null.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

from graphql import GraphQLError, GraphQLResolveInfo

from sandbox.shopify.search import UnsupportedSearch, find_cards, parse_search
from sandbox.shopify.shop import GiftCard, Refusal, Shop, Transaction

LARGEST_PAGE = 250

type View = dict[str, object]


@dataclass(slots=True)
class Caller:
    """Who asks, and what comes beside the answer: the warnings about searches.

    `stale_seconds` makes the searches of this one call see an old index.
    """

    shop: Shop
    scopes: frozenset[str]
    stale_seconds: float = 0.0
    search_warnings: list[View] = field(default_factory=list)


def fill(source: object, info: GraphQLResolveInfo, **arguments: object) -> object:
    """Give one field from a view; a view without it is a gap of this sandbox and an error."""
    if not isinstance(source, Mapping) or info.field_name not in source:
        raise NotImplementedError(f"{info.parent_type.name}.{info.field_name} is not emulated")
    value = source[info.field_name]
    return value(info, **arguments) if callable(value) else value


def format_amount(amount: Decimal) -> str:
    """An amount as Shopify writes it: `5.0`, `3000.0`, `12.34`, `-3.0`."""
    text = f"{amount.normalize():f}"
    return text if "." in text else f"{text}.0"


def format_moment(moment: datetime | None) -> str | None:
    """A time as Shopify writes it: `2026-09-07T15:50:00Z`."""
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _need(info: GraphQLResolveInfo, scope: str) -> Shop:
    """The shop, if the caller has the access scope; otherwise Shopify's ACCESS_DENIED."""
    caller: Caller = info.context
    if scope in caller.scopes:
        return caller.shop
    required = f"`{scope}` access scope."
    raise GraphQLError(
        f"Access denied for {info.field_name} field. Required access: {required}",
        extensions={
            "code": "ACCESS_DENIED",
            "documentation": "https://shopify.dev/api/usage/access-scopes",
            "requiredAccess": required,
        },
    )


def _check_global_id(global_id: str) -> None:
    if not re.fullmatch(r"gid://shopify/[A-Za-z]+/[0-9]+", global_id):
        raise GraphQLError(
            f"Invalid global id '{global_id}'", extensions={"code": "argumentLiteralsIncompatible"}
        )


# ---- lists in pages -------------------------------------------------------------------------


def _bad_request(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_REQUEST"})


def _cursor(node: View) -> str:
    number = str(node["id"]).rpartition("/")[2]
    return base64.b64encode(json.dumps({"last_id": int(number)}).encode()).decode()


def _position(nodes: Sequence[View], cursor: str) -> int:
    try:
        last_id = json.loads(base64.b64decode(cursor, validate=True))["last_id"]
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise _bad_request("Invalid cursor for current pagination sort.") from None
    for position, node in enumerate(nodes):
        if str(node["id"]).rpartition("/")[2] == str(last_id):
            return position
    raise _bad_request("Invalid cursor for current pagination sort.")


def _page(
    nodes: Sequence[View],
    *,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
) -> View:
    """One page of a list as a GraphQL connection."""
    if first is None and last is None:
        raise _bad_request("you must provide one of first or last")
    if first is not None and last is not None:
        raise _bad_request("providing both first and last is not supported")
    size, name = (first, "first") if first is not None else (last or 0, "last")
    if size > LARGEST_PAGE:
        raise _bad_request(f"{name} cannot exceed {LARGEST_PAGE}")
    if size < 0:
        raise _bad_request(f"{name} cannot be negative")
    start = _position(nodes, after) + 1 if after else 0
    end = _position(nodes, before) if before else len(nodes)
    if first is not None:
        end = min(end, start + size)
    else:
        start = max(start, end - size)
    shown = list(nodes[start:end])
    return {
        "nodes": shown,
        "edges": [{"cursor": _cursor(node), "node": node} for node in shown],
        "pageInfo": {
            "hasNextPage": end < len(nodes),
            "hasPreviousPage": start > 0,
            "startCursor": _cursor(shown[0]) if shown else None,
            "endCursor": _cursor(shown[-1]) if shown else None,
        },
    }


# ---- what a card looks like -----------------------------------------------------------------


def _money(shop: Shop, amount: Decimal) -> View:
    return {"amount": format_amount(amount), "currencyCode": shop.currency}


def _card_view(shop: Shop, card: GiftCard) -> View:
    def transactions(info: GraphQLResolveInfo, *, reverse: bool = False, **paging: object) -> View:
        _need(info, "read_gift_card_transactions")
        views = [_transaction_view(shop, each) for each in shop.visible_transactions(card)]
        return _page(views[::-1] if reverse else views, **paging)  # type: ignore[arg-type] # the schema checked them

    return {
        "__typename": "GiftCard",
        "id": card.id,
        "balance": _money(shop, card.balance),
        "initialValue": _money(shop, card.initial_value),
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
        "amount": _money(shop, transaction.amount),
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


def _gift_card(info: GraphQLResolveInfo, *, id: str) -> View | None:  # noqa: A002 - the schema's name
    shop = _need(info, "read_gift_cards")
    _check_global_id(id)
    card = shop.find(id)
    return None if card is None else _card_view(shop, card)


def _nodes(info: GraphQLResolveInfo, *, ids: list[str]) -> list[View | None]:
    shop = _need(info, "read_gift_cards")
    for each in ids:
        _check_global_id(each)
    views: dict[str, View] = {}
    for card in shop.cards:
        if card.id in ids:
            views[card.id] = _card_view(shop, card)
        for transaction in shop.visible_transactions(card):
            if transaction.id in ids:
                views[transaction.id] = _transaction_view(shop, transaction)
    return [views.get(each) for each in ids]


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
    shop = _need(info, "read_gift_cards")
    caller: Caller = info.context
    key = SORT_KEYS.get(sortKey or "ID")
    if key is None:
        raise NotImplementedError(f"sorting by {sortKey} is not emulated")
    try:
        search = parse_search(query or "")
        # A plain list comes from the shop's database; only a search needs the index that lags.
        found = list(
            find_cards(shop, search, stale_seconds=caller.stale_seconds) if query else shop.cards
        )
    except UnsupportedSearch as problem:
        raise NotImplementedError(f"this search is not emulated: {problem}") from problem
    if search.ignored_fields:
        caller.search_warnings.append(_search_warning(info, query or "", search.ignored_fields))
    found.sort(key=lambda card: (key(card), card.number), reverse=bool(reverse))
    return _page([_card_view(shop, card) for card in found], **paging)  # type: ignore[arg-type] # the schema checked them


def _search_warning(info: GraphQLResolveInfo, query: str, ignored: list[str]) -> View:
    return {
        "path": info.path.as_list(),
        "query": query,
        "warnings": [
            {
                "field": name,
                "message": "Invalid search field for this query.",
                "code": "invalid_field",
            }
            for name in ignored
        ],
    }


def _configuration(info: GraphQLResolveInfo) -> View:
    shop = _need(info, "read_gift_cards")
    return {
        "issueLimit": _money(shop, shop.issue_limit),
        "purchaseLimit": _money(shop, shop.purchase_limit),
    }


# ---- changes --------------------------------------------------------------------------------


def _user_error(refusal: Refusal) -> View:
    return {"field": refusal.at, "code": refusal.code, "message": refusal.message}


def _create(info: GraphQLResolveInfo, *, input: Mapping[str, object]) -> View:  # noqa: A002 - the schema's name
    shop = _need(info, "write_gift_cards")
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
        return {"giftCard": None, "giftCardCode": None, "userErrors": [_user_error(refusal)]}
    return {"giftCard": _card_view(shop, card), "giftCardCode": card.code, "userErrors": []}


def _mover(verb: str) -> Callable[..., View]:
    """`giftCardDebit` and `giftCardCredit` differ in nothing but the direction."""
    result = f"giftCard{verb.capitalize()}Transaction"

    def move(info: GraphQLResolveInfo, *, id: str, **inputs: Mapping[str, object]) -> View:  # noqa: A002 - the schema's name
        shop = _need(info, "write_gift_card_transactions")
        _check_global_id(id)
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
            return {result: None, "userErrors": [_user_error(refusal)]}
        return {result: _transaction_view(shop, transaction), "userErrors": []}

    return move


def _deactivate(info: GraphQLResolveInfo, *, id: str) -> View:  # noqa: A002 - the schema's name
    shop = _need(info, "write_gift_cards")
    _check_global_id(id)
    try:
        card = shop.deactivate(id)
    except Refusal as refusal:
        return {"giftCard": None, "userErrors": [_user_error(refusal)]}
    return {"giftCard": _card_view(shop, card), "userErrors": []}


UPDATED = {"note": "note", "expiresOn": "expires_on", "templateSuffix": "template_suffix"}


def _update(
    info: GraphQLResolveInfo,
    *,
    id: str,  # noqa: A002 - the schema's name
    input: Mapping[str, str | date | None],  # noqa: A002 - likewise
) -> View:
    shop = _need(info, "write_gift_cards")
    _check_global_id(id)
    try:
        card = shop.update(id, **{UPDATED[name]: value for name, value in input.items()})
    except Refusal as refusal:
        return {"giftCard": None, "userErrors": [_user_error(refusal)]}
    return {"giftCard": _card_view(shop, card), "userErrors": []}


ROOT: View = {
    "shop": _shop,
    "giftCard": _gift_card,
    "giftCards": _gift_cards,
    "giftCardConfiguration": _configuration,
    "nodes": _nodes,
    "giftCardCreate": _create,
    "giftCardDebit": _mover("debit"),
    "giftCardCredit": _mover("credit"),
    "giftCardDeactivate": _deactivate,
    "giftCardUpdate": _update,
}
