"""Which questions this shop understands: Shopify's real schema, and its words for a wrong question.

`read_document` parses and validates a GraphQL document against the pruned schema beside this file
and words what is wrong as the real API does (`undefinedField` and so on, with HTTP 200).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from importlib import resources

from graphql import (
    ArgumentNode,
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FieldsOnCorrectTypeRule,
    FloatValueNode,
    GraphQLError,
    GraphQLScalarType,
    GraphQLSchema,
    IntValueNode,
    KnownArgumentNamesRule,
    Node,
    OperationDefinitionNode,
    StringValueNode,
    ValidationRule,
    ValueNode,
    build_schema,
    parse,
    specified_rules,
    validate,
)

# Documents are few (ours, and a person's experiments); a parsed one is kept.
KEPT_DOCUMENTS = 256

type Json = dict[str, object]


def _read_decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise GraphQLError(f"Invalid decimal {value!r}")
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise GraphQLError(f"Invalid decimal {value!r}") from None
    if not amount.is_finite():
        raise GraphQLError(f"Invalid decimal {value!r}")
    return amount


def _read_date(value: object) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise GraphQLError(f"invalid date '{value}'") from None


def _read_datetime(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise GraphQLError(f"invalid timestamp '{value}'") from None
    if moment.tzinfo is None:
        raise GraphQLError(f"timestamp '{value}' has no offset")
    return moment


SCALARS: dict[str, Callable[[object], object]] = {
    "Decimal": _read_decimal,
    "Date": _read_date,
    "DateTime": _read_datetime,
}


@cache
def pruned_schema() -> GraphQLSchema:
    """The schema this shop answers by, its scalars read strictly."""
    text = resources.files("sandbox.shopify").joinpath("schema.graphql").read_text("utf-8")
    schema = build_schema(text)
    for name, read in SCALARS.items():
        scalar = schema.type_map[name]
        if not isinstance(scalar, GraphQLScalarType):
            raise TypeError(f"{name} is no scalar")
        _teach(scalar, read)
    return schema


def _teach(scalar: GraphQLScalarType, read: Callable[[object], object]) -> None:
    """Have `scalar` read values, and literals in a document, by `read`."""

    def read_literal(node: ValueNode, _variables: object = None) -> object:
        if not isinstance(node, StringValueNode | IntValueNode | FloatValueNode):
            raise GraphQLError(f"{scalar.name} cannot be written like this")
        return read(node.value)

    # graphql-core means its readers to be set like this on a schema built from SDL.
    vars(scalar).update(parse_value=read, parse_literal=read_literal)


def _path(ancestors: Sequence[object], node: FieldNode) -> list[str]:
    """Where a field stands, as the real API writes it: operation, then fields downwards."""
    path: list[str] = []
    for ancestor in ancestors:
        if isinstance(ancestor, OperationDefinitionNode):
            name = f" {ancestor.name.value}" if ancestor.name else ""
            path.append(f"{ancestor.operation.value}{name}")
        elif isinstance(ancestor, FieldNode):
            path.append(ancestor.alias.value if ancestor.alias else ancestor.name.value)
    return [*path, node.name.value]


class UndefinedField(ValidationRule):
    """A field the type does not have."""

    def enter_field(
        self, node: FieldNode, _key: object, _parent: object, _: object, ancestors: list[Node]
    ) -> None:
        """Report a field the schema lacks, pruned away or never there."""
        parent = self.context.get_parent_type()
        if parent is None or self.context.get_field_def():
            return
        name = node.name.value
        self.report_error(
            GraphQLError(
                f"Field '{name}' doesn't exist on type '{parent.name}'",
                node,
                extensions={
                    "code": "undefinedField",
                    "typeName": parent.name,
                    "fieldName": name,
                    "path": _path(ancestors, node),
                },
            )
        )


class ArgumentNotAccepted(ValidationRule):
    """An argument the field does not take."""

    def enter_argument(self, node: ArgumentNode, *_: object) -> None:
        """Report an argument the schema lacks."""
        definition = self.context.get_field_def()
        parent = self.context.get_parent_type()
        if (
            self.context.get_directive()
            or self.context.get_argument()
            or not definition
            or not parent
        ):
            return
        (field,) = [
            name for name, each in getattr(parent, "fields", {}).items() if each is definition
        ]
        self.report_error(
            GraphQLError(
                f"Field '{field}' doesn't accept argument '{node.name.value}'",
                node,
                extensions={
                    "code": "argumentNotAccepted",
                    "name": field,
                    "typeName": "Field",
                    "argumentName": node.name.value,
                },
            )
        )


def _rules() -> list[type[ASTValidationRule]]:
    """GraphQL's own rules, with two of them in Shopify's words."""
    worded = {FieldsOnCorrectTypeRule, KnownArgumentNamesRule}
    kept = [rule for rule in specified_rules if rule not in worded]
    return [UndefinedField, ArgumentNotAccepted, *kept]


def error_json(error: GraphQLError) -> Json:
    """One entry of the top-level `errors`, in the shape the real API gives it."""
    entry: Json = {"message": error.message}
    if error.locations:
        entry["locations"] = [
            {"line": place.line, "column": place.column} for place in error.locations
        ]
    extensions = dict(error.extensions or {})
    path = extensions.pop("path", None) or error.path
    if path:
        entry["path"] = path
    if extensions:
        entry["extensions"] = extensions
    return entry


@dataclass(frozen=True, slots=True)
class WrongDocument:
    """A document that cannot run: the `errors` to answer with."""

    errors: list[Json]


@lru_cache(maxsize=KEPT_DOCUMENTS)
def read_document(text: str) -> DocumentNode | WrongDocument:
    """Parse and validate a document; what is wrong with it comes back as a value."""
    try:
        document = parse(text)
    except GraphQLError as problem:
        return WrongDocument([error_json(problem)])
    problems = validate(pruned_schema(), document, _rules())
    if problems:
        return WrongDocument([error_json(problem) for problem in problems])
    return document
