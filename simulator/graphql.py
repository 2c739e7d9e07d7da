"""Answers the product's GraphQL documents from the shop, without the machinery of a server.

A document is read and checked once, against the same schema as the shop's front door; from then on
answering it is a walk along its fields. The contract suite holds this to what the front door
answers to the same documents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLObjectType,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    Undefined,
    VariableNode,
    get_named_type,
    value_from_ast,
)
from graphql.execution.values import get_variable_values

from sandbox.shopify.answers import ROOT
from sandbox.shopify.replies import Caller
from sandbox.shopify.schema import WrongDocument, pruned_schema, read_document


@dataclass(slots=True)
class Path:
    """Where a field stands in an answer, as far as anybody asks."""

    keys: list[str]

    def as_list(self) -> list[str]:
        """The keys from the top."""
        return self.keys


@dataclass(slots=True)
class ParentType:
    """The type that a field belongs to."""

    name: str


@dataclass(slots=True)
class Info:
    """What a field's function may ask about the question it answers."""

    context: Caller
    field_name: str
    parent_type: ParentType
    path: Path


@dataclass(frozen=True, slots=True)
class Selected:
    """One field that a document asks for: its arguments, and what is asked of its value.

    `only_for` are the types to which a fragment applies; `None` where it stands outside of any.
    """

    key: str
    name: str
    parent: ParentType
    given: Mapping[str, Any]
    variables: Sequence[tuple[str, str]]
    below: "Sequence[Selected] | None"
    only_for: frozenset[str] | None

    def arguments(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Its arguments in a question with these variables."""
        arguments = dict(self.given)
        for name, variable in self.variables:
            if variable in values:
                arguments[name] = values[variable]
        return arguments


@dataclass(frozen=True, slots=True)
class Document:
    """A document, understood."""

    operation: OperationDefinitionNode
    fields: Sequence[Selected]

    @property
    def is_change(self) -> bool:
        """Whether it changes anything."""
        return self.operation.operation is OperationType.MUTATION

    def answer(self, given: Mapping[str, object], caller: Caller) -> dict[str, Any]:
        """The `data` of the answer; raises `GraphQLError` where the front door answers `errors`."""
        values = given
        if self.is_change:
            definitions = list(self.operation.variable_definitions)
            read = get_variable_values(pruned_schema(), definitions, dict(given))
            if isinstance(read, list):
                raise read[0]
            values = read
        return _object(ROOT, self.fields, values, caller)


def _object(
    view: Mapping[str, Any],
    fields: Sequence[Selected],
    values: Mapping[str, Any],
    caller: Caller,
) -> dict[str, Any]:
    kind = view.get("__typename")
    answer: dict[str, Any] = {}
    for one in fields:
        if one.only_for is not None and kind not in one.only_for:
            continue
        if one.name == "__typename":
            answer[one.key] = kind
            continue
        if one.name not in view:
            raise NotImplementedError(f"{one.parent.name}.{one.name} is not emulated")
        value = view[one.name]
        if callable(value):
            info = Info(caller, one.name, one.parent, Path([one.key]))
            value = value(info, **one.arguments(values))
        answer[one.key] = _value(value, one, values, caller)
    return answer


def _value(value: Any, one: Selected, values: Mapping[str, Any], caller: Caller) -> Any:  # noqa: ANN401 - JSON
    if one.below is None or value is None:
        return value
    if isinstance(value, list | tuple):
        return [_value(each, one, values, caller) for each in value]
    return _object(value, one.below, values, caller)


@cache
def understood(text: str) -> Document:
    """Read and check a document; raises `GraphQLError` for one the shop does not understand."""
    document = read_document(text)
    if isinstance(document, WrongDocument):
        raise GraphQLError(str(document.errors))
    (operation,) = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    fragments = {
        one.name.value: one
        for one in document.definitions
        if isinstance(one, FragmentDefinitionNode)
    }
    schema = pruned_schema()
    root = (
        schema.mutation_type if operation.operation is OperationType.MUTATION else schema.query_type
    )
    read = _Reader(fragments)
    return Document(operation, read.selections(operation.selection_set, root, only_for=None))


class _Reader:
    """Turns what a document selects into fields with their arguments."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments

    def selections(
        self,
        selected: SelectionSetNode,
        parent: Any,  # noqa: ANN401 - graphql-core's types of types
        *,
        only_for: frozenset[str] | None,
    ) -> list[Selected]:
        """The fields, those of fragments among them."""
        fields: list[Selected] = []
        for node in selected.selections:
            if isinstance(node, FieldNode):
                fields.append(self._field(node, parent, only_for))
                continue
            fragment: Any = (
                self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            )
            kind = fragment.type_condition
            named = parent if kind is None else pruned_schema().type_map[kind.name.value]
            fields += self.selections(fragment.selection_set, named, only_for=_types(named))
        return fields

    def _field(
        self,
        node: FieldNode,
        parent: Any,  # noqa: ANN401 - graphql-core's types of types
        only_for: frozenset[str] | None,
    ) -> Selected:
        key = node.alias.value if node.alias else node.name.value
        if node.name.value == "__typename":
            return Selected(key, "__typename", ParentType(parent.name), {}, (), None, only_for)
        definition = parent.fields[node.name.value]
        given: dict[str, Any] = {
            name: argument.default_value
            for name, argument in definition.args.items()
            if argument.default_value is not Undefined
        }
        variables = []
        for argument in node.arguments:
            name = argument.name.value
            if isinstance(argument.value, VariableNode):
                variables.append((name, argument.value.name.value))
            else:
                given[name] = value_from_ast(argument.value, definition.args[name].type)
        named = get_named_type(definition.type)
        below = None
        if node.selection_set is not None:
            below = self.selections(node.selection_set, named, only_for=None)
        return Selected(
            key, node.name.value, ParentType(parent.name), given, variables, below, only_for
        )


def _types(named: Any) -> frozenset[str]:  # noqa: ANN401 - graphql-core's types of types
    """The names of the objects that are of a type: itself, or what an interface stands for."""
    if isinstance(named, GraphQLObjectType):
        return frozenset({named.name})
    return frozenset(one.name for one in pruned_schema().get_possible_types(named))
