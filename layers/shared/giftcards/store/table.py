"""The one DynamoDB table, and what stands under which key.

    key                          item                                        written by
    ---------------------------  ------------------------------------------  -----------------------
    control                      running or paused, since when, by whom      ops
    layout                       ids of Airtable's tables and fields         ops resume
    facts                        the shop's currency, time zone and name     ops resume
    prong#<name>                 lease (owner, until, fence) and how the     the prong
                                 last run ended; of `reconcile` also how
                                 far its run is, and how often somebody
                                 asked for one
    op#<business key>            an operation: snapshot, state, outcome,     flows, through Journal
                                 and what follows from it (the outbox)
    card#<Shopify's id>          lock (owner, until, fence), and how often   flows, through Cards
                                 its balance moved (wanted) and was
                                 mirrored (synced); its recent
                                 redemptions, to notice a duplicate; whether
                                 it is frozen, by whom and why; of one
                                 that we issued, its owner and operation
                                 (about), and how often it was sent again
    code#<fingerprint>           card id: our index of codes                 flows, through Cards
    row#<record id>              how often work on a row was begun           the prong
    answering#<record id>        lease: mails about one row take turns       answer_store
    misses#<store id>            when a store's codes were not found         the prong
    issued#<day>#<store id>      what a store sold on a day, for its cap     the prong, in the
    issued#<day>#to#<hash>       what one recipient was sold on that day     sale's own claim
    sold#<sale>                  a line of the office's digest               likewise
    checks#<day>#<hash>          balance checks and misses of one address    the prong
    checks#<day>T<hour>#all      misses of all addresses                     the prong
    seen#<order>                 how an order of the web shop looked when    the purchases' prong
                                 it was judged, and when to look again
    watermark#<search>           how far the orders it finds were read       the prong
    ledger#<Shopify's id>        what moved on the card, a line each, and    flows, through Ledgers
                                 how it looked when it was last read
    payments                     up to which change orders were read         shopify_redemptions
    paid#<order>                 the change of an order up to which its      shopify_redemptions
                                 payments were noted
    looks                        up to which change cards were looked at     shopify_redemptions
    record#<table>#<our name>    the Airtable record we made for it, or in   write_airtable,
                                 which object of the bucket it is archived   reconcile
    archive                      what is on its way to the archive, and how  reconcile
                                 full the base is
    untold#<operation>           a change of a balance at Shopify that the   flows, through Untold
                                 office is to read of, and when
    again#<row, order or card>   what may be written by an earlier request   write_airtable
                                 yet, and when to write it once more

    index `due`: queue = "open", "parked", "digest", "changed", "orders", "look" or "again", due_at
    = epoch seconds. Only unfinished and parked items, undigested days, changes of which the office
    has not read, orders that wait, cards of whose balance something is unexplained, and what is
    written once more carry the two attributes, so the index holds just what is left to do.

Every write is conditional, or harmless when it happens twice. boto3 retries a write whose reply was
lost, so a condition that fails may have been met by our own first try: whoever gets "no" looks at
the item before believing it (`Journal.mark_sent`, `Leases.acquire`).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import batched
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from giftcards.domain.money import Money
from giftcards.errors import NotSent

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

# DynamoDB's own bound for BatchGetItem (API reference).
KEYS_PER_BATCH_GET = 100

# DynamoDB hands back what it had no capacity for; on-demand tables catch up within a few rounds.
BATCH_GET_ROUNDS = 5

# Two writes meet within milliseconds, and boto3 does not try again what DynamoDB refuses then.
TRIES_AT_ONCE = 3

# How DynamoDB refuses a write, alone or in a transaction, because of another transaction on an item
# of it, and a transaction that is tried again while its first try is still at it.
OTHERS_WRITE = {"TransactionConflictException", "TransactionInProgressException"}

# What AWS answers, besides its throttling errors, to whom it has no capacity for.
TOO_BUSY = {"ProvisionedThroughputExceededException", "RequestLimitExceeded"}
TOO_BUSY_FOR_A_TRANSACTION = {"ThrottlingError", "ProvisionedThroughputExceeded"}
FIRST_SERVER_ERROR = 500

# Our code has about a hundred expressions.
EXPRESSIONS_KEPT = 300

DUE_INDEX = "due"
OPEN_QUEUE = "open"
PARKED_QUEUE = "parked"
DIGEST_QUEUE = "digest"
CHANGED_QUEUE = "changed"
ORDERS_QUEUE = "orders"
LOOK_QUEUE = "look"
AGAIN_QUEUE = "again"

Item = dict[str, Any]


def condition_failed(error: ClientError) -> bool:
    """Whether DynamoDB refused a write because its condition, or one of a transaction's, failed."""
    code = error.response["Error"]["Code"]
    if code == "TransactionCanceledException":
        return "ConditionalCheckFailed" in _reasons(error)
    return code == "ConditionalCheckFailedException"


def met_another_write(error: ClientError) -> bool:
    """Whether DynamoDB refused a write only because of another one's timing: it was not made.

    (DynamoDB, "Transaction conflict handling".)
    """
    code = error.response["Error"]["Code"]
    return code in OTHERS_WRITE or "TransactionConflict" in _reasons(error)


def is_away(error: Exception) -> bool:
    """Whether AWS itself is in trouble: no connection, no answer in time, too busy, failing."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = error.response.get("Error", {}).get("Code", "")
        is_busy = "Throttl" in code or code in TOO_BUSY
        is_busy = is_busy or bool(TOO_BUSY_FOR_A_TRANSACTION & _reasons(error))
        return status >= FIRST_SERVER_ERROR or is_busy
    return isinstance(error, BotoCoreError)


def _reasons(error: ClientError) -> set[str]:
    """Why a transaction was cancelled, as far as that is why a write was refused."""
    return {reason.get("Code", "") for reason in error.response.get("CancellationReasons", [])}


def epoch_milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, rounded down: leases compare as integers."""
    return int(moment.timestamp() * 1000)


def pack_money(amount: Money | None) -> Item | None:
    """An amount as it stands in an item: minor units and currency."""
    return None if amount is None else {"minor": amount.minor, "currency": amount.currency}


def unpack_money(item: Item | None) -> Money | None:
    """The amount that `pack_money` packed."""
    return None if item is None else Money(int(item["minor"]), item["currency"])


def pack_moment(moment: datetime) -> str:
    """A moment as it stands in an item: ISO 8601 in UTC, so that text sorts as time."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def unpack_moment(text: str) -> datetime:
    """The moment that `pack_moment` packed."""
    return datetime.fromisoformat(text)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one item, conditional or not, as `Table.update` takes it."""

    key: str
    change: str
    condition: str | None
    values: Mapping[str, Any]


@lru_cache(EXPRESSIONS_KEPT)
def _names_in(expressions: str) -> tuple[tuple[str, str], ...]:
    """What each `#name` in them stands for: itself."""
    return tuple((f"#{name}", name) for name in dict.fromkeys(re.findall(r"#(\w+)", expressions)))


class Table:
    """Reads and conditional writes on the one table, in Python's own types.

    `client` must come from a boto3 *resource* (`resource.meta.client`), which translates types.
    In expressions, `#name` is an attribute and `:name` a value; the names are filled in from the
    expression's own words, so that no reserved word needs care.
    """

    def __init__(self, client: "DynamoDBClient", *, name: str) -> None:
        self._client = client
        self.name = name

    def get(self, key: str) -> Item | None:
        """The item as it is now (a strongly consistent read), or `None`."""
        reply = self._client.get_item(TableName=self.name, Key={"key": key}, ConsistentRead=True)
        return reply.get("Item")

    def get_many(self, keys: Iterable[str]) -> dict[str, Item]:
        """The items that exist among `keys`, by key, as they are now."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Item] = {}
        for chunk in batched(wanted, KEYS_PER_BATCH_GET, strict=False):
            asked: Any = {self.name: {"Keys": [{"key": k} for k in chunk], "ConsistentRead": True}}
            for _ in range(BATCH_GET_ROUNDS):
                reply = self._client.batch_get_item(RequestItems=asked)
                for item in reply["Responses"].get(self.name, []):
                    found[str(item["key"])] = item
                asked = reply.get("UnprocessedKeys")
                if not asked:
                    break
            else:
                raise NotSent("DynamoDB is too busy to answer a batch of reads")
        return found

    def put_if_absent(self, item: Item) -> bool:
        """Write a new item; False where its key exists already. Raises `NotSent` as `update`."""
        reply = self._write(
            lambda: self._client.put_item(
                TableName=self.name,
                Item=item,
                ConditionExpression="attribute_not_exists(#key)",
                ExpressionAttributeNames={"#key": "key"},
            )
        )
        return reply is not None

    def put(self, item: Item) -> None:
        """Write an item, whatever stood there. Raises `NotSent` as `update`."""
        self._write(lambda: self._client.put_item(TableName=self.name, Item=item))

    def update(
        self,
        key: str,
        change: str,
        *,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> Item | None:
        """Change an item (an update expression); return it as it is now, `None` if refused.

        Raises `NotSent` where a transaction on it was under way at that moment, again and again.
        """
        arguments = self._expression(key, change, condition, values)
        reply = self._write(lambda: self._client.update_item(**arguments, ReturnValues="ALL_NEW"))
        return None if reply is None else reply["Attributes"]

    def update_together(self, *together: Change) -> bool:
        """Change several items at the same moment, or none; False where a condition refuses.

        Raises `NotSent` where another write to one of them was under way at that moment.
        """
        changes: list[Any] = [
            {"Update": self._expression(one.key, one.change, one.condition, one.values)}
            for one in together
        ]
        reply = self._write(lambda: self._client.transact_write_items(TransactItems=changes))
        return reply is not None

    def queued(self, queue: str, *, until: datetime, limit: int) -> list[str]:
        """Keys of the items in `queue` that are due at `until`, the longest due first.

        The index lags a little behind the table (DynamoDB: eventually consistent), so read the item
        itself before acting on it.
        """
        reply = self._client.query(
            TableName=self.name,
            IndexName=DUE_INDEX,
            KeyConditionExpression="#queue = :queue AND #due_at <= :until",
            ExpressionAttributeNames={"#queue": "queue", "#due_at": "due_at"},
            ExpressionAttributeValues={":queue": queue, ":until": int(until.timestamp())},
            Limit=limit,
        )
        return [str(item["key"]) for item in reply["Items"]]

    def scan_page(
        self, *, after: Item | None = None, limit: int | None = None
    ) -> tuple[list[Item], Item | None]:
        """Some of all items, in DynamoDB's own order, and where the next page begins.

        Strongly consistent; `after` is what the page before returned, `None` at the beginning, and
        what is returned last is `None` at the end. A page holds at most 1 MB (DynamoDB, Scan).
        Items that are written meanwhile may be in it or not.
        """
        arguments: dict[str, Any] = {"TableName": self.name, "ConsistentRead": True}
        if after is not None:
            arguments["ExclusiveStartKey"] = after
        if limit is not None:
            arguments["Limit"] = limit
        reply = self._client.scan(**arguments)
        return reply["Items"], reply.get("LastEvaluatedKey")

    def _expression(
        self, key: str, change: str, condition: str | None, values: Mapping[str, Any] | None
    ) -> Any:  # noqa: ANN401 - one shape serves UpdateItem and a transaction's entry
        arguments: dict[str, Any] = {
            "TableName": self.name,
            "Key": {"key": key},
            "ExpressionAttributeNames": dict(_names_in(f"{change} {condition}")),
            "UpdateExpression": change,
        }
        if condition is not None:
            arguments["ConditionExpression"] = condition
        if values:
            arguments["ExpressionAttributeValues"] = {f":{k}": v for k, v in values.items()}
        return arguments

    def _write[Reply](self, write: Callable[[], Reply]) -> Reply | None:
        """Make a write, again where it meets another one; `None` where a condition refuses it."""
        for _ in range(TRIES_AT_ONCE):
            try:
                return write()
            except ClientError as error:
                if condition_failed(error):
                    return None
                if not met_another_write(error):
                    raise
        raise NotSent("others are writing one of the items at this moment")
