"""Two writes that meet: DynamoDB refuses one of them, which is neither a "no" nor an outage.

No stand-in has such a conflict, so what DynamoDB answers then is put in its mouth here (DynamoDB,
"Transaction conflict handling").
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from giftcards.errors import NotSent
from giftcards.store.table import TRIES_AT_ONCE, Change, Table, is_away

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

CANCELLED = "TransactionCanceledException"


class Meeting:
    """DynamoDB as it answers while somebody else writes: so often a conflict, then yes."""

    def __init__(self, *, conflicts: int, reason: str = "", code: str = CANCELLED) -> None:
        self.conflicts = conflicts
        self.reason = reason
        self.code = code
        self.asked = 0

    def transact_write_items(self, **_: Any) -> dict[str, Any]:
        return self._answer("TransactWriteItems")

    def put_item(self, **_: Any) -> dict[str, Any]:
        return self._answer("PutItem")

    def update_item(self, **_: Any) -> dict[str, Any]:
        return self._answer("UpdateItem") | {"Attributes": {"n": 1}}

    def _answer(self, operation: str) -> dict[str, Any]:
        self.asked += 1
        if self.asked > self.conflicts:
            return {}
        said: Any = {"Error": {"Code": self.code, "Message": "refused"}}
        if self.code == CANCELLED:
            said["CancellationReasons"] = [{"Code": "None"}, {"Code": self.reason}]
        raise ClientError(said, operation)


def table_of(client: Meeting) -> Table:
    return Table(cast("DynamoDBClient", client), name="any")


def update_through(client: Meeting) -> bool:
    changes = [Change(key, "SET #n = :n", condition=None, values={"n": 1}) for key in ("a", "b")]
    return table_of(client).update_together(*changes)


# What a plain write does, and what it returns once it is made.
PLAIN_WRITES: Mapping[str, tuple[Callable[[Table], object], object]] = {
    "put": (lambda table: table.put({"key": "a"}), None),
    "put if absent": (lambda table: table.put_if_absent({"key": "a"}), True),
    "update": (lambda table: table.update("a", "SET #n = :n", values={"n": 1}), {"n": 1}),
}


@pytest.mark.parametrize("name", PLAIN_WRITES)
def test_a_plain_write_that_meets_a_transaction_is_tried_again_at_once(name: str) -> None:
    write, made = PLAIN_WRITES[name]
    client = Meeting(conflicts=TRIES_AT_ONCE - 1, code="TransactionConflictException")
    assert write(table_of(client)) == made
    assert client.asked == TRIES_AT_ONCE


@pytest.mark.parametrize("name", PLAIN_WRITES)
def test_a_plain_write_that_meets_one_again_and_again_was_not_sent(name: str) -> None:
    write, _ = PLAIN_WRITES[name]
    client = Meeting(conflicts=99, code="TransactionConflictException")
    with pytest.raises(NotSent):
        write(table_of(client))
    assert client.asked == TRIES_AT_ONCE


@pytest.mark.parametrize("name", PLAIN_WRITES)
def test_what_else_aws_says_of_a_plain_write_is_told_at_once(name: str) -> None:
    write, _ = PLAIN_WRITES[name]
    client = Meeting(conflicts=99, code="ValidationException")
    with pytest.raises(ClientError, match="ValidationException") as caught:
        write(table_of(client))
    assert client.asked == 1
    assert not is_away(caught.value)


def test_a_conflict_is_tried_again_at_once() -> None:
    client = Meeting(conflicts=TRIES_AT_ONCE - 1, reason="TransactionConflict")
    assert update_through(client)
    assert client.asked == TRIES_AT_ONCE


def test_a_conflict_that_stays_was_not_sent() -> None:
    client = Meeting(conflicts=99, reason="TransactionConflict")
    with pytest.raises(NotSent):
        update_through(client)
    assert client.asked == TRIES_AT_ONCE


def test_a_condition_that_refuses_is_no_conflict() -> None:
    client = Meeting(conflicts=99, reason="ConditionalCheckFailed")
    assert not update_through(client)
    assert client.asked == 1


@pytest.mark.parametrize("reason", ["ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_for_which_there_is_no_capacity_is_neither(reason: str) -> None:
    client = Meeting(conflicts=99, reason=reason)
    with pytest.raises(ClientError) as caught:
        update_through(client)
    assert client.asked == 1
    assert is_away(caught.value)


def test_another_reason_is_nobodys_timing() -> None:
    client = Meeting(conflicts=99, reason="ValidationError")
    with pytest.raises(ClientError) as caught:
        update_through(client)
    assert client.asked == 1
    assert not is_away(caught.value)
