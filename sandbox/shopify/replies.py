"""What all answers share: who asks, how values are written, and how a list comes in pages.

A field of the schema that nobody filled is an error when it is asked for (`fill`), never a silent
null.
"""

import base64
import binascii
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import overload

from graphql import GraphQLError, GraphQLResolveInfo

from sandbox.shopify.refusals import Refusal
from sandbox.shopify.shop import Shop

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
    if moment is None:
        return None
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def need(info: GraphQLResolveInfo, scope: str) -> Shop:
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


def check_global_id(global_id: str) -> None:
    """Raise Shopify's error for what is no global id at all."""
    if not re.fullmatch(r"gid://shopify/[A-Za-z]+/[0-9]+", global_id):
        raise GraphQLError(
            f"Invalid global id '{global_id}'", extensions={"code": "argumentLiteralsIncompatible"}
        )


# ---- lists in pages -------------------------------------------------------------------------

# Under this name a node holds the text it is sorted by, for its cursor; no field is called so.
SORTED_BY = "(sorted by)"


def _number(node: View) -> int:
    return int(str(node["id"]).rpartition("/")[2])


def _bad_request(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_REQUEST"})


def _cursor(node: View) -> str:
    number = str(node["id"]).rpartition("/")[2]
    place: dict[str, object] = {"last_id": int(number)}
    if SORTED_BY in node:
        place["last_value"] = node[SORTED_BY]
    return base64.b64encode(json.dumps(place).encode()).decode()


class Numbered[Thing](Sequence[View]):
    """A list sorted by the numbers in its ids, whose nodes are made only where they are shown."""

    def __init__(
        self,
        things: Sequence[Thing],
        *,
        number: Callable[[Thing], int],
        look: Callable[[Thing], View],
    ) -> None:
        self._things = things
        self._number = number
        self._look = look

    @overload
    def __getitem__(self, place: int) -> View: ...

    @overload
    def __getitem__(self, place: slice) -> list[View]: ...

    def __getitem__(self, place: int | slice) -> View | list[View]:
        if isinstance(place, int):
            return self._look(self._things[place])
        return [self._look(one) for one in self._things[place]]

    def __len__(self) -> int:
        return len(self._things)

    def position(self, number: int) -> int:
        """The place of that number, or of the one before where it is not there any more."""
        return bisect_right(self._things, number, key=self._number) - 1


def _position(nodes: Sequence[View], cursor: str) -> int:
    """The place of what a cursor points to; where it would be if it is not there any more.

    That needs the value a list is sorted by, rising: what has changed meanwhile has moved on.
    """
    try:
        place = json.loads(base64.b64decode(cursor, validate=True))
        last_id, last_value = place["last_id"], place.get("last_value")
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise _bad_request("Invalid cursor for current pagination sort.") from None
    if isinstance(nodes, Numbered):
        return nodes.position(int(last_id))
    if last_value is not None and all(SORTED_BY in node for node in nodes):
        behind = (str(last_value), int(last_id))
        return sum((str(node[SORTED_BY]), _number(node)) <= behind for node in nodes) - 1
    for position, node in enumerate(nodes):
        if str(node["id"]).rpartition("/")[2] == str(last_id):
            return position
    raise _bad_request("Invalid cursor for current pagination sort.")


def page_of(
    nodes: Sequence[View],
    *,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
    look: Callable[[View], View] | None = None,
) -> View:
    """One page of a list as a GraphQL connection.

    With `look`, the nodes are only their ids, and those on the page are looked at in full.
    """
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
    shown = [each if look is None else look(each) for each in nodes[start:end]]
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


def money(shop: Shop, amount: Decimal) -> View:
    """A `MoneyV2` in the shop's currency."""
    return {"amount": format_amount(amount), "currencyCode": shop.currency}


def search_warning(info: GraphQLResolveInfo, query: str, ignored: list[str]) -> View:
    """The entry of `extensions.search` for fields that a search ignored."""
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


def user_error(refusal: Refusal) -> View:
    """A refusal as an entry of `userErrors` that has a code."""
    return {"field": refusal.at, "code": refusal.code, "message": refusal.message}
