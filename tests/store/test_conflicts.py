"""Two writes that meet: DynamoDB refuses one of them, which is neither a "no" nor an outage.

No stand-in has such a conflict, so what DynamoDB answers then is put in its mouth here (DynamoDB,
"Transaction conflict handling").
"""

from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from giftcards.errors import NotSent
from giftcards.store.table import TRIES_AT_ONCE, Change, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient


class Meeting:
    """DynamoDB as it answers while somebody else writes: so often a conflict, then yes."""

    def __init__(self, *, conflicts: int, reason: str) -> None:
        self.conflicts = conflicts
        self.reason = reason
        self.asked = 0

    def transact_write_items(self, **_: Any) -> dict[str, Any]:
        self.asked += 1
        if self.asked > self.conflicts:
            return {}
        said: Any = {
            "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
            "CancellationReasons": [{"Code": "None"}, {"Code": self.reason}],
        }
        raise ClientError(said, "TransactWriteItems")


def update_through(client: Meeting) -> bool:
    table = Table(cast("DynamoDBClient", client), name="any")
    changes = [Change(key, "SET #n = :n", condition=None, values={"n": 1}) for key in ("a", "b")]
    return table.update_together(*changes)


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


def test_another_reason_is_neither() -> None:
    client = Meeting(conflicts=99, reason="ThrottlingError")
    with pytest.raises(ClientError):
        update_through(client)
    assert client.asked == 1
