r"""Which rows a formula picks: the part of Airtable's formula language that the sandbox speaks.

Understood are

    {Field name} {fldId} Name      a cell; `\}` for a brace in a name; braces left out for one word
    'text' "text" 12 12.5          with the escapes \' \" \\ \n \r \t
    = != < <= > >=   &   + - * /   comparison, joining texts, arithmetic
    AND OR NOT IF TRUE FALSE BLANK
    RECORD_ID CREATED_TIME NOW DATETIME_PARSE IS_BEFORE IS_AFTER IS_SAME
    LOWER UPPER TRIM LEN CONCATENATE FIND SEARCH

Everything else is an error, never ignored: a filter that silently means something else would hide a
mistake until it costs money. So are a text compared with a date, and texts compared with `<`.

As in Airtable an empty cell equals "", 0 and FALSE(), a link reads as the names of the records
linked, and functions may be spelled in small letters.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from sandbox.airtable.errors import invalid_formula

Value = str | float | bool | datetime | None

# Deeper than any formula people write; keeps a hostile one from exhausting the stack.
DEEPEST_NESTING = 100

# A prong asks by one formula, the writer by a few; a formula may be 16 KB long. Asked again and
# again, one costs less to use than to take apart.
FORMULAS_REMEMBERED = 100

GRAMMAR = r"""
    ?start: expression
    ?expression: joined | expression COMPARE joined -> comparison
    ?joined: sum | joined "&" sum -> joining
    ?sum: product | sum SIGN product -> arithmetic
    ?product: unary | product TIMES unary -> arithmetic
    ?unary: atom | "-" unary -> negative
    ?atom: NUMBER -> number
         | STRING -> string
         | FIELD -> field
         | NAME -> field
         | NAME "(" [expression ("," expression)*] ")" -> call
         | "(" expression ")"

    COMPARE: "=" | "!=" | "<=" | ">=" | "<" | ">"
    SIGN: "+" | "-"
    TIMES: "*" | "/"
    NUMBER: /\d+(\.\d+)?|\.\d+/
    STRING: /'(\\.|[^'\\])*'|"(\\.|[^"\\])*"/s
    FIELD: /\{(\\.|[^}\\])+\}/s
    NAME: /[^\W\d]\w*/
    %ignore /\s+/
"""

ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Row:
    """What a formula can read of a record; `cell` takes a field id."""

    record_id: str
    created_time: datetime
    now: datetime
    cell: Callable[[str], Value]


Expression = Callable[[Row], Value]


class _FormulaFailed(Exception):
    """The formula has no value for this row."""


@functools.cache
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr")


def compile_formula(text: str, *, field_ids: Mapping[str, str]) -> Callable[[Row], bool]:
    """Whether a row is picked. `field_ids` maps the table's field names and ids to field ids.

    Raises `AirtableError` for anything not understood, at once or when a row is read.
    """
    expression = _compile(text, tuple(field_ids.items()))
    return lambda row: _picks(expression, row)


@functools.lru_cache(FORMULAS_REMEMBERED)
def _compile(text: str, field_ids: tuple[tuple[str, str], ...]) -> "Expression":
    """The formula as something that reads rows of a table with these fields."""
    try:
        tree = _parser().parse(text)
    except UnexpectedInput:
        raise invalid_formula("Invalid formula. Please check your formula text.") from None
    return _Compiler(dict(field_ids)).compile(tree, depth=0)


class _Compiler:
    """Turns a parsed formula into something that reads rows."""

    def __init__(self, field_ids: Mapping[str, str]) -> None:
        self._field_ids = field_ids

    def compile(  # noqa: PLR0911 - one return for each rule of the grammar
        self, node: Tree[Token], *, depth: int
    ) -> Expression:
        """The expression that `node` is."""
        if depth > DEEPEST_NESTING:
            raise invalid_formula("The formula is nested too deeply.")
        parts = [
            self.compile(child, depth=depth + 1)
            for child in node.children
            if isinstance(child, Tree)
        ]
        tokens = [str(child) for child in node.children if isinstance(child, Token)]
        match node.data:
            case "number":
                number = float(tokens[0])
                return lambda _row: number
            case "string":
                text = _unescape(tokens[0][1:-1])
                return lambda _row: text
            case "field":
                return self._field(tokens[0])
            case "negative":
                return lambda row: -_number(parts[0](row))
            case "joining":
                return lambda row: _text(parts[0](row)) + _text(parts[1](row))
            case "arithmetic":
                return _arithmetic(tokens[0], *parts)
            case "comparison":
                return _comparison(tokens[0], *parts)
            case "call":
                return _call(tokens[0], parts)
            case _:
                raise AssertionError(f"the grammar has no rule {node.data}")

    def _field(self, token: str) -> Expression:
        name = re.sub(r"\\(.)", r"\1", token[1:-1]) if token.startswith("{") else token
        field_id = self._field_ids.get(name)
        if field_id is None:
            raise invalid_formula(f"Unknown field names: {name.lower()}")
        return lambda row: row.cell(field_id)


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        meaning = ESCAPES.get(match[1])
        if meaning is None:
            raise invalid_formula("Invalid formula. Please check your formula text.")
        return meaning

    return re.sub(r"\\(.)", one, text, flags=re.DOTALL)


def _truth(value: Value) -> bool:
    return bool(value) if not isinstance(value, datetime) else True


def _number(value: Value) -> float:
    match value:
        case None:
            return 0.0
        case bool() | int() | float():
            return float(value)
        case _:
            raise invalid_formula("A text or a date was given where a number is needed.")


def _text(value: Value) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "1" if value else "0"
        case int() | float():
            return str(int(value)) if float(value).is_integer() else str(value)
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case _:
            return value


def _moment(value: Value) -> datetime:
    if not isinstance(value, datetime):
        raise invalid_formula("A text or a number was given where a date is needed.")
    return value


def _equal(left: Value, right: Value) -> bool:
    if left is None or right is None:
        return left in (None, "", 0, False) and right in (None, "", 0, False)
    if isinstance(left, datetime) or isinstance(right, datetime):
        return _moment(left) == _moment(right)
    if isinstance(left, str) or isinstance(right, str):
        return _text(left) == _text(right)
    return float(left) == float(right)


def _order(left: Value, right: Value) -> int | None:
    """-1, 0 or 1; `None` where a date is compared with an empty cell: neither before nor after."""
    if not isinstance(left, datetime) and not isinstance(right, datetime):
        first, second = _number(left), _number(right)
        return (first > second) - (first < second)
    if left is None or right is None:
        return None
    one, other = _moment(left), _moment(right)
    return (one > other) - (one < other)


# Which orders (`_order`) each sign of comparison allows.
ORDERS = {"<": {-1}, "<=": {-1, 0}, ">": {1}, ">=": {0, 1}}


def _comparison(sign: str, left: Expression, right: Expression) -> Expression:
    match sign:
        case "=":
            return lambda row: _equal(left(row), right(row))
        case "!=":
            return lambda row: not _equal(left(row), right(row))
        case _:
            return lambda row: _order(left(row), right(row)) in ORDERS[sign]


def _arithmetic(sign: str, left: Expression, right: Expression) -> Expression:
    match sign:
        case "+":
            return lambda row: _number(left(row)) + _number(right(row))
        case "-":
            return lambda row: _number(left(row)) - _number(right(row))
        case "*":
            return lambda row: _number(left(row)) * _number(right(row))
        case _:
            return lambda row: _divide(_number(left(row)), _number(right(row)))


def _divide(left: float, right: float) -> float:
    if right == 0:
        raise _FormulaFailed
    return left / right


def _parse_moment(value: Value) -> Value:
    if value is None or isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(_text(value))
    except ValueError:
        raise invalid_formula("DATETIME_PARSE is understood for ISO 8601 texts only.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _compare_moments(order: int) -> Callable[[Value, Value], bool]:
    return lambda left, right: _order_of_moments(left, right) == order


def _order_of_moments(left: Value, right: Value) -> int | None:
    first, second = _parse_moment(left), _parse_moment(right)
    return None if first is None or second is None else _order(first, second)


def _find(needle: Value, text: Value) -> float:
    """Counted from 1; 0 where it is not there."""
    return float(_text(text).find(_text(needle)) + 1)


def _search(needle: Value, text: Value) -> Value:
    """As FIND, whatever the case of the letters; empty where it is not there."""
    place = _text(text).casefold().find(_text(needle).casefold()) + 1
    return float(place) if place else None


@dataclass(frozen=True, slots=True)
class _Function:
    """One function: how few and how many values it takes (None: any number)."""

    fewest: int
    most: int | None
    call: Callable[..., Value]


@functools.cache
def _functions() -> Mapping[str, _Function]:
    return {
        "TRUE": _Function(0, 0, lambda: True),
        "FALSE": _Function(0, 0, lambda: False),
        "BLANK": _Function(0, 0, lambda: None),
        "NOT": _Function(1, 1, lambda value: not _truth(value)),
        "DATETIME_PARSE": _Function(1, 1, _parse_moment),
        "IS_BEFORE": _Function(2, 2, _compare_moments(-1)),
        "IS_AFTER": _Function(2, 2, _compare_moments(1)),
        "IS_SAME": _Function(2, 2, _compare_moments(0)),
        "LOWER": _Function(1, 1, lambda value: _text(value).lower()),
        "UPPER": _Function(1, 1, lambda value: _text(value).upper()),
        "TRIM": _Function(1, 1, lambda value: _text(value).strip()),
        "LEN": _Function(1, 1, lambda value: float(len(_text(value)))),
        "CONCATENATE": _Function(1, None, lambda *values: "".join(map(_text, values))),
        "FIND": _Function(2, 2, _find),
        "SEARCH": _Function(2, 2, _search),
    }


def _call(  # noqa: PLR0911 - one return for each special function
    name: str, arguments: Sequence[Expression]
) -> Expression:
    """A function call; what reads the row itself, or not all of its values, is special."""
    match name.upper():
        case "AND" if arguments:
            return lambda row: all(_truth(argument(row)) for argument in arguments)
        case "OR" if arguments:
            return lambda row: any(_truth(argument(row)) for argument in arguments)
        case "IF" if len(arguments) in (2, 3):
            test, then, *other = arguments
            otherwise = other[0] if other else lambda _row: None
            return lambda row: then(row) if _truth(test(row)) else otherwise(row)
        case "RECORD_ID" if not arguments:
            return lambda row: row.record_id
        case "CREATED_TIME" if not arguments:
            return lambda row: row.created_time
        case "NOW" if not arguments:
            return lambda row: row.now
        case upper:
            function = _functions().get(upper)
    if function is None:
        raise invalid_formula(f"The sandbox does not know {name.upper()} with these arguments.")
    count = len(arguments)
    if count < function.fewest or (function.most is not None and count > function.most):
        raise invalid_formula(f"Invalid number of arguments for {name.upper()}.")
    return lambda row: function.call(*(argument(row) for argument in arguments))


def _picks(expression: Expression, row: Row) -> bool:
    """A row for which the formula has no value is not picked."""
    try:
        return _truth(expression(row))
    except _FormulaFailed:
        return False
