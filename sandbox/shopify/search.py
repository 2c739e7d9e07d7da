"""What the shop's search box finds: cards by a piece of their code, or by `status:` and the like.

The syntax and its two habits are the same for orders; their fields are in `order_search`.

Follows Shopify's published search syntax: terms joined by blanks or AND, by OR, turned round by
NOT or `-`, grouped in parentheses; a term is `field:value`, `field:>=value`, or a bare word that
looks into the codes. Two habits of the real one matter to callers and are kept:

- a bare word also finds **fragments** ("2b5" finds cards ending 2b5a and 2b5b);
- a field that is no search field is **ignored**, as if it had not been written, and the only sign
  of it is a warning beside the result.

What this box cannot parse or has no data for is an error (`UnsupportedSearch`), never ignored.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from lark import Lark, Token, Transformer, Tree, exceptions

from sandbox.shopify.shop import GiftCard, IndexEntry, Shop

if TYPE_CHECKING:
    from collections.abc import Iterable

GRAMMAR = r"""
    ?query: either?
    ?either: both ("OR" both)*
    ?both: one (("AND")? one)*
    ?one: ("NOT" | "-") one -> negated
        | "(" either ")"
        | FIELD ":" COMPARATOR? value -> field_term
        | value -> bare_term
    value: QUOTED | WORD
    FIELD.2: /[a-z_]+(?=:)/
    COMPARATOR: ">=" | "<=" | ">" | "<"
    QUOTED: /"[^"]*"/ | /'[^']*'/
    WORD: /(?!(?:OR|AND|NOT)\b)[^\s:()"'<>=-][^\s:()"'<>=]*/
    %ignore /\s+/
"""

# `status:expiring`: cards that expire soon. Shopify does not publish how soon; a month here.
EXPIRING_WITHIN = timedelta(days=30)

# A search is asked again every minute or for the same card; more than a page of them is no use.
SEARCHES_REMEMBERED = 100

type Comparable = Decimal | date | datetime | int


class UnsupportedSearch(Exception):
    """The search asks for something this box cannot do; it says so instead of ignoring it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A card as the index knows it, at the moment of the search."""

    card: GiftCard
    entry: IndexEntry
    today: date


type Condition[C] = Callable[[C], bool]


@dataclass(frozen=True, slots=True)
class Vocabulary[C]:
    """The fields that one kind of thing can be searched by; `C` is a thing as the index knows it.

    `compared` fields are read from the search, and from the thing; `named` ones decide by
    themselves; `bare` judges a word without a field. A field `without_data` is a real one that this
    box cannot answer; any other is ignored.
    """

    compared: Mapping[str, tuple[Callable[[str], Comparable], Callable[[C], Comparable | None]]]
    named: Mapping[str, Callable[[C, str], bool]]
    without_data: frozenset[str]
    bare: Callable[[C, str], bool]


@dataclass(slots=True)
class Search[C]:
    """A parsed search: the condition, and the fields that were ignored."""

    condition: Condition[C]
    ignored_fields: list[str] = field(default_factory=list)


def _ignored(_: object) -> bool:
    return True


def _compare(comparator: str, left: Comparable, right: Comparable) -> bool:
    if comparator in {"<", "<="}:
        return left < right or (comparator == "<=" and left == right)  # type: ignore[operator] # both come from the same reader
    if comparator in {">", ">="}:
        return left > right or (comparator == ">=" and left == right)  # type: ignore[operator] # likewise
    return left == right


def _status(candidate: Candidate, value: str) -> bool:
    expires_on = candidate.entry.expires_on
    expired = expires_on is not None and expires_on < candidate.today
    match value:
        case "disabled":
            return candidate.entry.deactivated
        case "enabled":
            return not candidate.entry.deactivated and not expired
        case "expired":
            return expired
        case "expiring":
            soon = candidate.today + EXPIRING_WITHIN
            return expires_on is not None and not expired and expires_on <= soon
        case _:
            raise UnsupportedSearch(f"status:{value}")


def _balance_status(candidate: Candidate, value: str) -> bool:
    balance, initial = candidate.entry.balance, candidate.card.initial_value
    match value:
        case "full":
            return balance == initial
        case "partial":
            return 0 < balance < initial
        case "empty":
            return balance == 0
        case "full_or_partial":
            return balance > 0
        case _:
            raise UnsupportedSearch(f"balance_status:{value}")


def read_time(text: str) -> datetime:
    """A time in a search; raises `UnsupportedSearch` for one that names no offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise UnsupportedSearch("a time without its offset")
    return moment


def _has_fragment(candidate: Candidate, word: str) -> bool:
    return re.sub(r"[\s-]", "", word).lower() in candidate.card.code


CARDS = Vocabulary[Candidate](
    compared={
        "id": (int, lambda candidate: candidate.card.number),
        "created_at": (read_time, lambda candidate: candidate.card.created_at),
        "expires_on": (date.fromisoformat, lambda candidate: candidate.entry.expires_on),
        "initial_value": (Decimal, lambda candidate: candidate.card.initial_value),
    },
    named={
        "status": _status,
        "balance_status": _balance_status,
        "source": lambda candidate, value: candidate.card.source == value,
    },
    without_data=frozenset({"customer_id", "recipient_id"}),
    bare=_has_fragment,
)


class _Conditions[C](Transformer[Token, Condition[C]]):
    """Turns the parsed search into one condition."""

    def __init__(self, vocabulary: Vocabulary[C]) -> None:
        super().__init__()
        self._vocabulary = vocabulary
        self.ignored_fields: list[str] = []

    def query(self, _: list[Condition[C]]) -> Condition[C]:
        return _ignored

    def either(self, terms: list[Condition[C]]) -> Condition[C]:
        return lambda candidate: any(term(candidate) for term in terms)

    def both(self, terms: list[Condition[C]]) -> Condition[C]:
        return lambda candidate: all(term(candidate) for term in terms)

    def negated(self, terms: list[Condition[C]]) -> Condition[C]:
        (term,) = terms
        return term if term is _ignored else lambda candidate: not term(candidate)

    def value(self, tokens: list[Token]) -> str:
        (token,) = tokens
        return str(token)[1:-1] if token.type == "QUOTED" else str(token)

    def bare_term(self, values: list[str]) -> Condition[C]:
        (word,) = values
        return lambda candidate: self._vocabulary.bare(candidate, word)

    def field_term(self, parts: list[str]) -> Condition[C]:
        name, value = str(parts[0]), str(parts[-1])
        comparator = str(parts[1]) if len(parts) > 2 else ""  # noqa: PLR2004 - name, sign, value
        words = self._vocabulary
        if name in words.without_data:
            raise UnsupportedSearch(name)
        if name not in words.named and name not in words.compared:
            self.ignored_fields.append(name)
            return _ignored
        return self._field_condition(name, comparator, value)

    def _field_condition(self, name: str, comparator: str, value: str) -> Condition[C]:
        judge = self._vocabulary.named.get(name)
        if judge is not None:
            if comparator:
                raise UnsupportedSearch(f"{name} cannot be compared by {comparator}")
            return lambda candidate: judge(candidate, value)
        read, stands = self._vocabulary.compared[name]
        try:
            wanted = read(value)
        except (ValueError, InvalidOperation) as problem:
            raise UnsupportedSearch(f"{name} with a value that is none of its kind") from problem

        def compare(candidate: C) -> bool:
            found = stands(candidate)
            return found is not None and _compare(comparator, found, wanted)

        return compare


@cache
def _parser() -> Lark:
    return Lark(GRAMMAR, start="query", parser="lalr", maybe_placeholders=False)


@lru_cache(SEARCHES_REMEMBERED)
def _parse(text: str) -> Tree[Token]:
    """The search taken apart, which costs more than making it."""
    return _parser().parse(text)


def parse_search[C](text: str, vocabulary: Vocabulary[C]) -> Search[C]:
    """Read a search as Shopify's syntax has it; raises `UnsupportedSearch`."""
    conditions = _Conditions(vocabulary)
    try:
        condition = conditions.transform(_parse(text))
    except exceptions.VisitError as problem:
        if isinstance(problem.orig_exc, UnsupportedSearch):
            raise problem.orig_exc from None
        raise
    except exceptions.UnexpectedInput as problem:
        raise UnsupportedSearch(f"the search at column {problem.column}") from None
    return Search(condition, conditions.ignored_fields)


def find_cards(
    shop: Shop, search: Search[Candidate], *, stale_seconds: float = 0.0
) -> "Iterable[GiftCard]":
    """The cards the index finds, as it stood `stale_seconds` ago at the latest, oldest first."""
    today = shop.today()
    for card in shop.cards:
        entry = shop.index_entry(card, stale_seconds=stale_seconds)
        if entry is not None and search.condition(Candidate(card, entry, today)):
            yield card
