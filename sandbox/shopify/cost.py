"""What a question costs in points, before it is answered and after.

Shopify publishes the shape of the sum ("GraphQL Admin API rate limits"): scalars nothing, an object
1, a mutation 10, a list by the size that was asked for; and that a field may have a price of its
own. Which fields do is not published, so theirs come from what was recorded on live stores:
`giftCard(id)` 9, a debit with its transaction and the card's balance 11, four aliased debits
without their transactions 40.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_argument_values,
    get_named_type,
)
from graphql.type import GraphQLInterfaceType, GraphQLNamedType

COMPOSITE = (GraphQLObjectType, GraphQLInterfaceType)

MUTATION_POINTS = 10
OBJECT_POINTS = 1
CONNECTION_POINTS = 2
LARGEST_QUERY = 1_000

# What fields with a price of their own cost, the plain objects in them included; lists are on top.
FIELD_POINTS = {
    ("QueryRoot", "giftCard"): 9,
    # The card that a transaction belongs to was loaded with it.
    ("GiftCardTransaction", "giftCard"): 0,
    ("GiftCardCashOutTransaction", "giftCard"): 0,
    ("GiftCardCreditTransaction", "giftCard"): 0,
    ("GiftCardDebitTransaction", "giftCard"): 0,
}

# Values that are part of the object they stand in, not objects of their own.
FREE_TYPES = frozenset({"MoneyV2", "PageInfo"})
FREE_ENDINGS = ("Payload", "UserError")


class _InAdvance:
    """Stands for data that is not known yet."""


IN_ADVANCE = _InAdvance()


@dataclass(frozen=True, slots=True)
class Pricing:
    """Prices one operation: in advance from what it asks for, afterwards from what it got."""

    schema: GraphQLSchema
    document: DocumentNode
    operation: OperationDefinitionNode
    variables: Mapping[str, object]

    def requested(self) -> int:
        """The points the operation may cost at most: this many must be in the bucket."""
        return self._selected(self.operation.selection_set, self._root(), IN_ADVANCE)

    def actual(self, data: Mapping[str, object] | None) -> int:
        """The points the operation did cost: what was reserved beyond that is given back."""
        return self._selected(self.operation.selection_set, self._root(), data or {})

    def _root(self) -> GraphQLObjectType:
        is_mutation = self.operation.operation is OperationType.MUTATION
        root = self.schema.mutation_type if is_mutation else self.schema.query_type
        if root is None:
            raise TypeError("the schema lacks the root of this operation")
        return root

    def _fields(self, selections: SelectionSetNode | None) -> Iterator[FieldNode]:
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from self._fields(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                for definition in self.document.definitions:
                    if (
                        isinstance(definition, FragmentDefinitionNode)
                        and definition.name.value == node.name.value
                    ):
                        yield from self._fields(definition.selection_set)

    def _selected(
        self, selections: SelectionSetNode | None, parent: GraphQLNamedType, data: object
    ) -> int:
        return sum(self._field(node, parent, data) for node in self._fields(selections))

    def _field(self, node: FieldNode, parent: GraphQLNamedType, data: object) -> int:
        fields = parent.fields if isinstance(parent, COMPOSITE) else {}
        definition = fields.get(node.name.value)
        if definition is None or node.selection_set is None:
            return 0
        named = get_named_type(definition.type)
        found = _below(node, data)
        own = MUTATION_POINTS if parent == self.schema.mutation_type else 0
        if found is None or named.name in FREE_TYPES:
            return own
        if named.name.endswith(FREE_ENDINGS):
            return own + self._selected(node.selection_set, named, found)
        arguments = get_argument_values(definition, node, dict(self.variables))
        if named.name.endswith("Connection"):
            asked = arguments.get("first") or arguments.get("last") or 0
            return CONNECTION_POINTS + self._connection(node, named, found, asked)
        fixed = FIELD_POINTS.get((parent.name, node.name.value))
        if fixed is not None:
            return fixed + self._selected(node.selection_set, named, found)
        asked = arguments.get("first") or len(arguments.get("ids", []))
        return self._plain(node, named, found, asked)

    def _plain(self, node: FieldNode, named: GraphQLNamedType, found: object, asked: int) -> int:
        """An object, or a list without pages: as many as were asked for.

        Where a list is not cut, nobody knows in advance how long it is, so it counts once.
        """
        if asked or not isinstance(found, list):
            return self._objects(node, named, found, asked or 1)
        return max([self._objects(node, named, each, 1) for each in found], default=0)

    def _connection(
        self, node: FieldNode, connection: GraphQLNamedType, found: object, asked: int
    ) -> int:
        """A page of a list, whether its nodes were selected directly, through edges, or both."""
        prices = [0]
        for part in self._fields(node.selection_set):
            inner = (
                connection.fields[part.name.value] if isinstance(connection, COMPOSITE) else None
            )
            if inner is None or part.name.value not in {"nodes", "edges"}:
                continue
            named = get_named_type(inner.type)
            prices.append(self._objects(part, named, _below(part, found), asked))
        return max(prices)

    def _objects(self, node: FieldNode, named: GraphQLNamedType, found: object, asked: int) -> int:
        if isinstance(found, _InAdvance):
            return asked * (OBJECT_POINTS + self._edge(node, named, found))
        many = found if isinstance(found, list) else [found]
        return sum(
            OBJECT_POINTS + self._edge(node, named, each) for each in many if each is not None
        )

    def _edge(self, node: FieldNode, named: GraphQLNamedType, found: object) -> int:
        """What stands below one object; an edge and its node together count as one object."""
        below = self._selected(node.selection_set, named, found)
        return below - OBJECT_POINTS if named.name.endswith("Edge") and below else below


def _below(node: FieldNode, data: object) -> object:
    if isinstance(data, _InAdvance):
        return data
    key = node.alias.value if node.alias else node.name.value
    return data.get(key) if isinstance(data, Mapping) else None
