"""DynamoDB in memory: tables with one key, conditional writes, transactions, and indexes."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from threading import Lock
from typing import Any
from zlib import crc32

from botocore.exceptions import ClientError

from tests.aws_in_memory.errors import UnknownHereError, invalid, known_only, refusal
from tests.aws_in_memory.expressions import (
    REMEMBERED_EXPRESSIONS,
    Bound,
    Change,
    Comparison,
    Condition,
    Item,
    bind,
    read_change,
    read_condition,
)
from tests.aws_in_memory.values import from_dynamodb, to_dynamodb

# DynamoDB's own bounds (API reference).
KEYS_PER_BATCH_GET = 100
WRITES_PER_TRANSACTION = 100

KINDS = {"S": str, "N": Decimal}

REFUSED = "The conditional request failed"


@dataclass(frozen=True, slots=True)
class Index:
    """A sparse index: items that have both attributes, those alike in `hash` sorted by `range`."""

    hash: str
    range: str


@dataclass(slots=True)
class Table:
    """A table: its key attribute, the kinds of its key attributes, its indexes and items."""

    key: str
    kinds: Mapping[str, type]
    indexes: Mapping[str, Index]
    items: dict[str, Item] = field(default_factory=dict)
    _scanned: dict[str, None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def in_order(self) -> list[str]:
        """The keys in the order of a scan; sorted anew only where some came or went."""
        if self._scanned.keys() != self.items.keys():
            self._scanned = dict.fromkeys(sorted(self.items, key=_place))
        return list(self._scanned)


@dataclass(frozen=True, slots=True)
class Update:
    """One conditional change of one item, understood."""

    table: Table
    key: str
    change: Change
    condition: Condition | None
    bound: Bound

    def is_allowed(self) -> bool:
        """Whether the condition holds of the item as it stands."""
        standing = self.table.items.get(self.key, {})
        return self.condition is None or self.condition.holds(standing, self.bound)

    def changed(self, operation: str) -> Item:
        """The item as the change would leave it."""
        standing = self.table.items.get(self.key)
        if standing is None and not (self.change.gets or self.change.grows):
            raise UnknownHereError("REMOVE alone on an item that does not exist")
        item = {self.table.key: self.key} if standing is None else dict(standing)
        self.change.apply(item, self.bound, operation)
        _check_kinds(self.table, item, operation)
        return item


def _check_kinds(table: Table, item: Item, operation: str) -> None:
    for name, kind in table.kinds.items():
        if name in item and not isinstance(item[name], kind):
            raise invalid(operation, f"Type mismatch for {name}, which is a key")


class DynamoDB:
    """The client that a boto3 *resource* has: it speaks Python's own types."""

    def __init__(self) -> None:
        self._tables: dict[str, Table] = {}
        self._lock = Lock()

    def create_table(
        self,
        *,
        TableName: str,
        BillingMode: str,
        KeySchema: Sequence[Mapping[str, str]],
        AttributeDefinitions: Sequence[Mapping[str, str]],
        GlobalSecondaryIndexes: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """Create a table that is paid by the request."""
        if BillingMode != "PAY_PER_REQUEST":
            raise UnknownHereError(f"BillingMode {BillingMode}")
        kinds = {one["AttributeName"]: KINDS[one["AttributeType"]] for one in AttributeDefinitions}
        (key,) = KeySchema
        if key["KeyType"] != "HASH" or kinds[key["AttributeName"]] is not str:
            raise UnknownHereError(f"the key {key}")
        with self._lock:
            if TableName in self._tables:
                raise refusal(
                    "CreateTable", "ResourceInUseException", f"Table already exists: {TableName}"
                )
            self._tables[TableName] = Table(
                key=key["AttributeName"],
                kinds=kinds,
                indexes={one["IndexName"]: _index(one) for one in GlobalSecondaryIndexes},
            )
        return {"TableDescription": {"TableName": TableName, "TableStatus": "ACTIVE"}}

    def get_item(
        self, *, TableName: str, Key: Mapping[str, Any], ConsistentRead: bool = False
    ) -> dict[str, Any]:
        """The item, if there is one."""
        del ConsistentRead  # here every read is
        with self._lock:
            table = self._table("GetItem", TableName)
            item = table.items.get(_key("GetItem", table, Key))
            return {} if item is None else {"Item": from_dynamodb(item)}

    def batch_get_item(self, *, RequestItems: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """The items that exist among those asked for."""
        operation = "BatchGetItem"
        if sum(len(asked["Keys"]) for asked in RequestItems.values()) > KEYS_PER_BATCH_GET:
            raise invalid(operation, "Too many items requested for the BatchGetItem call")
        answers: dict[str, list[Item]] = {}
        with self._lock:
            for name, asked in RequestItems.items():
                known_only(asked, {"Keys", "ConsistentRead"}, operation)
                table = self._table(operation, name)
                keys = [_key(operation, table, key) for key in asked["Keys"]]
                if not keys or len(set(keys)) < len(keys):
                    raise invalid(operation, "Provided list of item keys contains duplicates")
                found = (table.items.get(key) for key in keys)
                answers[name] = [from_dynamodb(item) for item in found if item is not None]
        return {"Responses": answers, "UnprocessedKeys": {}}

    def put_item(
        self,
        *,
        TableName: str,
        Item: Mapping[str, Any],
        ConditionExpression: str | None = None,
        ExpressionAttributeNames: Mapping[str, str] | None = None,
        ExpressionAttributeValues: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Write a whole item, if its condition allows it."""
        operation = "PutItem"
        item = to_dynamodb(Item)
        condition = None if ConditionExpression is None else read_condition(ConditionExpression)
        words = frozenset[str]() if condition is None else condition.words
        values = to_dynamodb(ExpressionAttributeValues or {})
        bound = bind(operation, words, ExpressionAttributeNames, values)
        with self._lock:
            table = self._table(operation, TableName)
            key = _key(operation, table, {n: v for n, v in item.items() if n == table.key})
            _check_kinds(table, item, operation)
            if condition is not None and not condition.holds(table.items.get(key, {}), bound):
                raise _condition_failed(operation)
            table.items[key] = item
        return {}

    def update_item(self, *, ReturnValues: str = "NONE", **update: Any) -> dict[str, Any]:
        """Change an item, or make a new one, if its condition allows it."""
        operation = "UpdateItem"
        if ReturnValues not in {"NONE", "ALL_NEW"}:
            raise UnknownHereError(f"ReturnValues {ReturnValues}")
        with self._lock:
            change = self._read_update(operation, update)
            if not change.is_allowed():
                raise _condition_failed(operation)
            item = change.changed(operation)
            change.table.items[change.key] = item
            return {"Attributes": from_dynamodb(item)} if ReturnValues == "ALL_NEW" else {}

    def transact_write_items(self, *, TransactItems: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Change several items at one moment, or none."""
        operation = "TransactWriteItems"
        if not 0 < len(TransactItems) <= WRITES_PER_TRANSACTION:
            raise invalid(operation, "a transaction has 1 to 100 writes")
        with self._lock:
            changes = []
            for one in TransactItems:
                known_only(one, {"Update"}, operation)
                changes.append(self._read_update(operation, one["Update"]))
            if len({(id(change.table), change.key) for change in changes}) < len(changes):
                message = "Transaction request cannot include multiple operations on one item"
                raise invalid(operation, message)
            allowed = [change.is_allowed() for change in changes]
            if not all(allowed):
                raise _cancelled(operation, allowed)
            items = [change.changed(operation) for change in changes]
            for change, item in zip(changes, items, strict=True):
                change.table.items[change.key] = item
        return {}

    def delete_item(self, *, TableName: str, Key: Mapping[str, Any]) -> dict[str, Any]:
        """Delete an item, if there is one."""
        with self._lock:
            table = self._table("DeleteItem", TableName)
            table.items.pop(_key("DeleteItem", table, Key), None)
        return {}

    def query(
        self,
        *,
        TableName: str,
        IndexName: str,
        KeyConditionExpression: str,
        ExpressionAttributeNames: Mapping[str, str],
        ExpressionAttributeValues: Mapping[str, Any],
        Limit: int | None = None,
    ) -> dict[str, Any]:
        """The index's items of one hash, within a range, in the range's order."""
        operation = "Query"
        condition = read_condition(KeyConditionExpression)
        values = to_dynamodb(ExpressionAttributeValues)
        bound = bind(operation, condition.words, ExpressionAttributeNames, values)
        if Limit is not None and Limit < 1:
            raise invalid(operation, "Limit has to be at least 1")
        with self._lock:
            table = self._table(operation, TableName)
            index = table.indexes.get(IndexName)
            if index is None:
                raise invalid(
                    operation, f"The table does not have the specified index: {IndexName}"
                )
            _check_key_condition(condition.parts, bound, index)
            found = [
                {name: item[name] for name in (table.key, index.hash, index.range)}
                for item in table.items.values()
                if index.hash in item and index.range in item and condition.holds(item, bound)
            ]
        found.sort(key=lambda item: (item[index.range], item[table.key]))
        page = found[:Limit]
        reply: dict[str, Any] = {"Items": page, "Count": len(page), "ScannedCount": len(page)}
        if len(page) == Limit:
            reply["LastEvaluatedKey"] = page[-1]
        return reply

    def scan(
        self,
        *,
        TableName: str,
        ConsistentRead: bool = False,
        Limit: int | None = None,
        ExclusiveStartKey: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """All items, page by page, in an order that nobody can foresee."""
        del ConsistentRead
        operation = "Scan"
        if Limit is not None and Limit < 1:
            raise invalid(operation, "Limit has to be at least 1")
        with self._lock:
            table = self._table(operation, TableName)
            keys = table.in_order()
            if ExclusiveStartKey is not None:
                after = _place(_key(operation, table, ExclusiveStartKey))
                keys = keys[bisect_right(keys, after, key=_place) :]
            page = keys[:Limit]
            found = [from_dynamodb(table.items[key]) for key in page]
        reply: dict[str, Any] = {"Items": found, "Count": len(found), "ScannedCount": len(found)}
        if page and len(page) == Limit:
            reply["LastEvaluatedKey"] = {table.key: page[-1]}
        return reply

    def _table(self, operation: str, name: str) -> Table:
        table = self._tables.get(name)
        if table is None:
            code = "ResourceNotFoundException"
            raise refusal(operation, code, "Requested resource not found")
        return table

    def _read_update(self, operation: str, update: Mapping[str, Any]) -> Update:
        """Understand an update as UpdateItem and a transaction's entry take it."""
        known_only(update, UPDATE_PARAMETERS, operation)
        table = self._table(operation, update["TableName"])
        values = to_dynamodb(update.get("ExpressionAttributeValues", {}))
        names = update.get("ExpressionAttributeNames") or {}
        change, condition = _read_expressions(
            operation,
            table.key,
            update["UpdateExpression"],
            update.get("ConditionExpression"),
            names=tuple(names.items()),
            values=tuple(values),
        )
        key = _key(operation, table, update["Key"])
        return Update(table, key, change, condition, Bound(names, values))


@lru_cache(REMEMBERED_EXPRESSIONS)
def _read_expressions(
    operation: str,
    key: str,
    change_text: str,
    condition_text: str | None,
    *,
    names: tuple[tuple[str, str], ...],
    values: tuple[str, ...],
) -> tuple[Change, Condition | None]:
    """An update's change and condition, where they fit each other and what is given for them."""
    change = read_change(change_text)
    condition = None if condition_text is None else read_condition(condition_text)
    words = change.words if condition is None else change.words | condition.words
    bound = bind(operation, words, dict(names), dict.fromkeys(values))
    touched = change.touched(bound)
    if key in touched:
        raise invalid(operation, f"Cannot update attribute {key}: it is the key")
    if len(set(touched)) < len(touched):
        raise invalid(operation, "Two document paths overlap with each other")
    return change, condition


UPDATE_PARAMETERS = {
    "TableName",
    "Key",
    "UpdateExpression",
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
}


def _index(described: Mapping[str, Any]) -> Index:
    known_only(described, {"IndexName", "KeySchema", "Projection"}, "an index")
    if described["Projection"] != {"ProjectionType": "KEYS_ONLY"}:
        raise UnknownHereError(f"the projection {described['Projection']}")
    parts = {part["KeyType"]: part["AttributeName"] for part in described["KeySchema"]}
    return Index(hash=parts["HASH"], range=parts["RANGE"])


def _key(operation: str, table: Table, key: Mapping[str, Any]) -> str:
    value = key.get(table.key)
    if len(key) != 1 or not isinstance(value, str):
        raise invalid(operation, "The provided key element does not match the schema")
    if not value:
        raise invalid(operation, "The value of a key must not be an empty text")
    return str.__str__(value)


def _check_key_condition(parts: tuple[Comparison, ...] | None, bound: Bound, index: Index) -> None:
    """A key condition names one hash, and may bound the range once."""
    named = [(bound.names[part.name], part.sign) for part in parts or ()]
    ranges = [name for name, _ in named[1:]]
    if not named or named[0] != (index.hash, "=") or ranges not in ([], [index.range]):
        raise UnknownHereError(f"the key condition {named}")


def _place(key: str) -> tuple[int, str]:
    """Where an item stands in a scan: by its key's hash, so in no order that means anything."""
    return crc32(key.encode()), key


def _condition_failed(operation: str) -> ClientError:
    return refusal(operation, "ConditionalCheckFailedException", REFUSED)


def _cancelled(operation: str, allowed: Sequence[bool]) -> ClientError:
    reasons = [
        {"Code": "None"} if one else {"Code": "ConditionalCheckFailed", "Message": REFUSED}
        for one in allowed
    ]
    codes = ", ".join(reason["Code"] for reason in reasons)
    message = (
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    )
    code = "TransactionCanceledException"
    return refusal(operation, code, message, CancellationReasons=reasons)
