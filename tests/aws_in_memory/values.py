"""Values as a boto3 resource translates them: into what DynamoDB holds, and back as fresh copies.

Held are `str`, `Decimal`, `bool`, `None`, dicts and lists of them, and sets of texts, which
DynamoDB knows as long as they hold something. A float is refused as boto3 refuses it. Bytes and
other sets exist in DynamoDB too; our table has none.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import DYNAMODB_CONTEXT

from tests.aws_in_memory.errors import UnknownHereError

type Value = Any


# What is held as it comes, and handed out as it is held: nobody can change it.
_PLAIN = frozenset({str, bool, type(None)})
_HELD_PLAIN = _PLAIN | {Decimal}


def to_dynamodb(value: Value) -> Value:  # noqa: PLR0911 - one return for each kind of value
    """A copy of `value` as DynamoDB holds it."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:  # by far the most frequent, so it is asked for first
        return {
            name if type(name) is str else _name(name): (
                part if type(part) in _PLAIN else to_dynamodb(part)
            )
            for name, part in value.items()
        }
    if isinstance(value, str):
        return str.__str__(value)  # of an enumeration, too, only the text is kept
    if isinstance(value, int | Decimal):
        return DYNAMODB_CONTEXT.create_decimal(value)
    if isinstance(value, Mapping):
        return {_name(name): to_dynamodb(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_dynamodb(part) for part in value]
    if isinstance(value, set | frozenset) and value and all(isinstance(one, str) for one in value):
        return frozenset(value)
    if isinstance(value, float):
        raise TypeError("Float types are not supported. Use Decimal types instead.")
    raise UnknownHereError(f"a {kind.__name__} in an item")


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"an attribute is called by a text, not by {name!r}")
    return str.__str__(name)


def from_dynamodb(value: Value) -> Value:
    """A copy of what is held: whoever changes it changes nothing here."""
    kind = type(value)
    if kind is dict:
        return {
            name: part if type(part) in _HELD_PLAIN else from_dynamodb(part)
            for name, part in value.items()
        }
    if kind is list:
        return [part if type(part) in _HELD_PLAIN else from_dynamodb(part) for part in value]
    return set(value) if kind is frozenset else value
