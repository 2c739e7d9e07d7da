"""DynamoDB's expressions, as far as we write them: conditions, changes, and keys of an index.

    condition   attribute_exists(#a)   attribute_not_exists(#a)   #a = :v   #a < :v   <=   >   >=
                AND, OR, NOT and brackets; NOT binds closest, then AND
    change      SET #a = :v, …   ADD #a :v, …   REMOVE #a, …

Attributes are always named by `#name`. Everything else raises `UnknownHereError`.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from tests.aws_in_memory.errors import UnknownHereError, invalid
from tests.aws_in_memory.values import Value

type Item = dict[str, Value]
type Holds = Callable[[Mapping[str, Value], "Bound"], bool]

# Our code has some thirty expressions; the bound only keeps a generated flood from staying.
REMEMBERED_EXPRESSIONS = 1000

TOKEN = re.compile(r"\s*(?:([#:]\w+)|(\w+)|(<=|>=|<>|[=<>(),]))")
COMPARED = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ABSENT = object()


@dataclass(frozen=True, slots=True)
class Bound:
    """What `#names` and `:values` stand for in one request."""

    names: Mapping[str, str]
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`#name` compared with `:value`."""

    name: str
    sign: str
    value: str

    def holds(self, item: Mapping[str, Value], bound: Bound) -> bool:
        """Whether the item's attribute is there, of the value's kind, and compares so."""
        left = item.get(bound.names[self.name], ABSENT)
        right = bound.values[self.value]
        if not (isinstance(right, str | Decimal) or (self.sign == "=" and _is_plain(right))):
            raise UnknownHereError(f"comparing with {right!r} by {self.sign}")
        # Python's True equals 1; DynamoDB's does not.
        return type(left) is type(right) and bool(COMPARED[self.sign](left, right))


def _is_plain(value: Value) -> bool:
    return value is None or isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition understood: whether it `holds`, its words, and its parts where AND joins them."""

    holds: Holds
    words: frozenset[str]
    parts: tuple[Comparison, ...] | None


@dataclass(frozen=True, slots=True)
class Change:
    """A change understood: which `#name` gets, grows by or loses which `:value`."""

    gets: tuple[tuple[str, str], ...]
    grows: tuple[tuple[str, str], ...]
    loses: tuple[str, ...]
    words: frozenset[str]

    def apply(self, item: Item, bound: Bound, operation: str) -> None:
        """Change the item; raises DynamoDB's refusal where a number is missing."""
        for name, value in self.gets:
            item[bound.names[name]] = bound.values[value]
        for name, value in self.grows:
            more = bound.values[value]
            before = item.get(bound.names[name], type(more)())
            if isinstance(before, Decimal) and isinstance(more, Decimal):
                item[bound.names[name]] = before + more
            elif isinstance(before, frozenset) and isinstance(more, frozenset):
                item[bound.names[name]] = before | more
            else:
                message = "An operand in the update expression has an incorrect data type"
                raise invalid(operation, message)
        for name in self.loses:
            item.pop(bound.names[name], None)

    def touched(self, bound: Bound) -> list[str]:
        """The attributes it touches."""
        names = [name for name, _ in (*self.gets, *self.grows)]
        return [bound.names[name] for name in (*names, *self.loses)]


class Tokens:
    """The words of an expression, taken from the left."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._left: list[str] = []
        position = 0
        end = len(text.rstrip())
        while position < end:
            match = TOKEN.match(text, position)
            if match is None:
                raise UnknownHereError(f"the expression {text!r} at {text[position:]!r}")
            self._left.append(next(filter(None, match.groups())))
            position = match.end()
        self.words = frozenset(word for word in self._left if word[0] in "#:")

    def next_is(self, *words: str) -> bool:
        """Whether one of these comes next."""
        return bool(self._left) and self._left[0].upper() in words

    def take(self, *words: str) -> bool:
        """Take the next one if it is one of these."""
        if found := self.next_is(*words):
            self._left.pop(0)
        return found

    def need(self, pattern: str) -> str:
        """Take the next one, which has to look like this."""
        if not self._left or not re.fullmatch(pattern, self._left[0]):
            raise UnknownHereError(f"the expression {self.text!r} at {self._left[:1]}")
        return self._left.pop(0)

    def end(self) -> None:
        """There must be nothing left."""
        if self._left:
            raise UnknownHereError(f"the expression {self.text!r} at {self._left}")


@lru_cache(REMEMBERED_EXPRESSIONS)
def read_condition(text: str) -> Condition:
    """Understand a condition or a key condition."""
    tokens = Tokens(text)
    parts: list[Comparison] | None = []
    holds, parts = _either(tokens)
    tokens.end()
    return Condition(holds, tokens.words, None if parts is None else tuple(parts))


type _Read = tuple[Holds, list[Comparison] | None]


def _either(tokens: Tokens) -> _Read:
    first, parts = _both(tokens)
    while tokens.take("OR"):
        left, (right, _) = first, _both(tokens)
        first, parts = _or(left, right), None
    return first, parts


def _or(left: Holds, right: Holds) -> Holds:
    return lambda item, bound: left(item, bound) or right(item, bound)


def _both(tokens: Tokens) -> _Read:
    first, parts = _one(tokens)
    while tokens.take("AND"):
        left, (right, more) = first, _one(tokens)
        first = _and(left, right)
        parts = None if parts is None or more is None else parts + more
    return first, parts


def _and(left: Holds, right: Holds) -> Holds:
    return lambda item, bound: left(item, bound) and right(item, bound)


def _one(tokens: Tokens) -> _Read:
    if tokens.take("NOT"):
        inner, _ = _one(tokens)
        return lambda item, bound: not inner(item, bound), None
    if tokens.take("("):
        inner, parts = _either(tokens)
        tokens.need(r"\)")
        return inner, parts
    if tokens.next_is("ATTRIBUTE_EXISTS", "ATTRIBUTE_NOT_EXISTS"):
        wanted = tokens.need("attribute_exists|attribute_not_exists") == "attribute_exists"
        tokens.need(r"\(")
        name = tokens.need(r"#\w+")
        tokens.need(r"\)")
        return lambda item, bound: (bound.names[name] in item) is wanted, None
    comparison = Comparison(
        tokens.need(r"#\w+"), tokens.need("|".join(COMPARED)), tokens.need(r":\w+")
    )
    return comparison.holds, [comparison]


@lru_cache(REMEMBERED_EXPRESSIONS)
def read_change(text: str) -> Change:
    """Understand an update expression."""
    tokens = Tokens(text)
    gets: list[tuple[str, str]] = []
    grows: list[tuple[str, str]] = []
    loses: list[str] = []
    begun = set()
    while tokens.next_is("SET", "ADD", "REMOVE"):
        section = tokens.need(r"\w+").upper()
        if section in begun:
            raise UnknownHereError(f"{section} twice in {text!r}")
        begun.add(section)
        while True:
            name = tokens.need(r"#\w+")
            if section == "SET":
                tokens.need("=")
                gets.append((name, tokens.need(r":\w+")))
            elif section == "ADD":
                grows.append((name, tokens.need(r":\w+")))
            else:
                loses.append(name)
            if not tokens.take(","):
                break
    tokens.end()
    if not begun:
        raise UnknownHereError(f"the change {text!r}")
    return Change(tuple(gets), tuple(grows), tuple(loses), tokens.words)


def bind(
    operation: str,
    words: frozenset[str],
    names: Mapping[str, str] | None,
    values: Mapping[str, Any] | None,
) -> Bound:
    """Check that what is used is given and what is given is used, as DynamoDB does."""
    given_names, given_values = names or {}, values or {}
    given = given_names.keys() | given_values.keys()
    if missing := words - given:
        raise invalid(operation, f"Invalid expression: {sorted(missing)} is not defined")
    if unused := given - words:
        raise invalid(operation, f"Value provided but unused in expressions: {sorted(unused)}")
    return Bound(given_names, given_values)
