"""What we rely on in DynamoDB itself."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from giftcards.store.table import Change, Table
from tests.store.conftest import Backend
from tests.store.refused import refusal, refusal_code

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW_SECONDS = int(NOW.timestamp())


def put(table: Table, **items: dict[str, Any]) -> None:
    for key, item in items.items():
        table.put({"key": key} | item)


def test_an_item_comes_back_as_it_was_put(table: Table) -> None:
    item = {
        "key": "a",
        "text": "•••• 2b5a",
        "number": 1000,
        "big": 1_900_000_000_123,
        "yes": True,
        "no": False,
        "nothing": None,
        "empty": "",
        "list": [1, "two", {"three": 3}, []],
        "map": {"minor": 1000, "currency": "USD", "inner": {}},
    }
    table.put(item)
    read = table.get("a")
    assert read == item
    assert isinstance(read["number"], Decimal)
    assert read["yes"] is True
    assert read["nothing"] is None


def test_whoever_changes_what_he_read_or_wrote_changes_no_item(table: Table) -> None:
    written: dict[str, Any] = {"key": "a", "list": [{"x": 1}]}
    table.put(written)
    written["list"].append(2)
    read = table.get("a")
    assert read is not None
    read["list"][0]["x"] = 3
    assert table.get("a") == {"key": "a", "list": [{"x": 1}]}


def test_a_float_is_refused(table: Table) -> None:
    with pytest.raises(TypeError, match="Float types are not supported"):
        table.put({"key": "a", "amount": 1.5})


def test_what_is_not_there_is_not_there(table: Table) -> None:
    put(table, a={})
    assert table.get("b") is None
    assert table.get_many(["a", "b"]) == {"a": {"key": "a"}}


def test_only_the_first_put_counts_where_nothing_may_stand(table: Table) -> None:
    assert table.put_if_absent({"key": "a", "n": 1})
    assert not table.put_if_absent({"key": "a", "n": 2})
    assert table.get("a") == {"key": "a", "n": 1}


def test_a_put_replaces_the_whole_item(table: Table) -> None:
    put(table, a={"n": 1, "m": 1})
    put(table, a={"n": 2})
    assert table.get("a") == {"key": "a", "n": 2}


def test_a_change_sets_adds_and_removes(table: Table) -> None:
    put(table, a={"n": 1, "m": 1, "gone": 1, "gone_too": 1})
    item = table.update(
        "a",
        "SET #m = :m, #new = :new ADD #n :two, #other :two REMOVE #gone, #gone_too, #never",
        values={"m": [1], "new": None, "two": 2},
    )
    assert item == {"key": "a", "n": 3, "m": [1], "new": None, "other": 2}
    assert table.get("a") == item


def test_a_change_of_nothing_makes_the_item(table: Table) -> None:
    assert table.update("a", "ADD #n :one", values={"one": 1}) == {"key": "a", "n": 1}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("attribute_exists(#n)", True),
        ("attribute_exists(#none)", False),
        ("attribute_not_exists(#none)", True),
        ("attribute_not_exists(#n)", False),
        ("#n = :five", True),
        ("#n = :text", False),
        ("#none = :five", False),
        ("#n < :five", False),
        ("#n <= :five", True),
        ("#n > :four", True),
        ("#n >= :five", True),
        pytest.param(
            "#n < :text",
            False,
            marks=pytest.mark.gap("moto", reason="moto cannot compare a number with a text"),
        ),
        ("#none < :five", False),
        ("#text = :text", True),
        ("#yes = :true", True),
        pytest.param(
            "#one = :true",
            False,
            marks=pytest.mark.gap("moto", reason="moto takes the number 1 for true"),
        ),
        ("#text < :later", True),
        ("#n = :four OR #text = :text", True),
        ("#n = :five OR #text = :later AND #n = :four", True),
        ("(#n = :five OR #text = :later) AND #n = :four", False),
        ("NOT #n = :four AND #text = :text", True),
        ("attribute_not_exists(#none) OR #none < :five", True),
        ("attribute_not_exists(#n) OR #n < :five", False),
    ],
)
def test_a_change_happens_if_its_condition_holds(
    table: Table, condition: str, *, holds: bool
) -> None:
    item = {"n": 5, "text": "b", "yes": True, "one": 1}
    put(table, a=item)
    values = {"five": 5, "four": 4, "text": "b", "later": "c", "true": True}
    used = {name: value for name, value in values.items() if f":{name}" in condition}
    changed = table.update("a", "SET #done = :done", condition=condition, values=used | {"done": 1})
    assert (changed is not None) is holds
    assert table.get("a") == {"key": "a"} | item | ({"done": 1} if holds else {})


def test_a_condition_sees_the_item_that_does_not_exist_as_empty(table: Table) -> None:
    values = {"one": 1, "x": 1}
    assert table.update("a", "SET #n = :one", condition="#n = :x", values=values) is None
    assert (
        table.update("a", "SET #n = :x", condition="attribute_exists(#key)", values={"x": 1})
        is None
    )
    assert table.get("a") is None


def change(key: str, condition: str | None, **values: object) -> Change:
    return Change(
        key, "SET #n = :n", condition=condition or "attribute_exists(#key)", values=values
    )


def test_two_changes_happen_together(table: Table) -> None:
    put(table, a={"n": 1}, b={"n": 1})
    assert table.update_together(change("a", None, n=2), change("b", "#n = :was", n=3, was=1))
    assert table.get_many(["a", "b"]) == {"a": {"key": "a", "n": 2}, "b": {"key": "b", "n": 3}}


@pytest.mark.parametrize("refused", ["a", "b"])
def test_two_changes_are_refused_together(table: Table, refused: str) -> None:
    put(table, a={"n": 1}, b={"n": 1})
    first, second = (
        change(key, "#n = :was", n=2, was=0 if key == refused else 1) for key in ("a", "b")
    )
    assert not table.update_together(first, second)
    assert table.get_many(["a", "b"]) == {"a": {"key": "a", "n": 1}, "b": {"key": "b", "n": 1}}


def update(table: Table, key: str, text: str, condition: str, **values: object) -> dict[str, Any]:
    return {
        "TableName": table.name,
        "Key": {"key": key},
        "UpdateExpression": text,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {"#n": "n"},
        "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
    }


def test_a_refused_transaction_says_which_condition_failed(backend: Backend, table: Table) -> None:
    put(table, a={"n": 1}, b={"n": 1})
    answer = refusal(
        backend.dynamodb.transact_write_items,
        TransactItems=[
            {"Update": update(table, "a", "SET #n = :n", "#n < :n", n=2)},
            {"Update": update(table, "b", "SET #n = :n", "#n > :n", n=2)},
        ],
    )
    assert answer["Error"]["Code"] == "TransactionCanceledException"
    codes = [reason["Code"] for reason in answer["CancellationReasons"]]
    assert codes == ["None", "ConditionalCheckFailed"]


def test_a_transaction_touches_an_item_once(backend: Backend, table: Table) -> None:
    put(table, a={"n": 1})
    twice = [{"Update": update(table, "a", "SET #n = :n", "#n < :n", n=2)}] * 2
    call = backend.dynamodb.transact_write_items
    assert refusal_code(call, TransactItems=twice) == "ValidationException"


def test_a_refused_condition_has_its_own_code(backend: Backend, table: Table) -> None:
    wrong = update(table, "a", "SET #n = :n", "#n < :n", n=2)
    code = refusal_code(backend.dynamodb.update_item, **wrong)
    assert code == "ConditionalCheckFailedException"


TRUSTED_BY_MOTO = pytest.mark.gap("moto", reason="moto does not check the expression as a whole")


@pytest.mark.parametrize(
    ("text", "condition", "values"),
    [
        pytest.param(*("SET #n = :n", "#n < :other", {"n": 2}), marks=TRUSTED_BY_MOTO),
        pytest.param(*("SET #n = :n", "#m < :n", {"n": 2}), marks=TRUSTED_BY_MOTO),
        ("SET #n = :n", "#n < :n", {"n": 2, "unused": 3}),
        pytest.param(
            *("SET #n = :n REMOVE #n", "#n < :n", {"n": 2}),
            marks=[
                TRUSTED_BY_MOTO,
                pytest.mark.gap("embedded", reason="ministack looks at the condition first"),
            ],
        ),
        ("ADD #n :n", "attribute_not_exists(#n)", {"n": "text"}),
    ],
)
def test_an_expression_that_makes_no_sense_is_refused(
    backend: Backend, table: Table, text: str, condition: str, values: dict[str, Any]
) -> None:
    wrong = update(table, "a", text, condition, **values)
    assert refusal_code(backend.dynamodb.update_item, **wrong) == "ValidationException"


def test_the_key_cannot_be_changed(backend: Backend, table: Table) -> None:
    wrong = update(table, "a", "SET #n = :n", "attribute_not_exists(#n)", n="b")
    wrong["ExpressionAttributeNames"] = {"#n": "key"}
    assert refusal_code(backend.dynamodb.update_item, **wrong) == "ValidationException"


def test_a_key_is_a_text_with_something_in_it(backend: Backend, table: Table) -> None:
    for key in ("", 5):
        code = refusal_code(backend.dynamodb.put_item, TableName=table.name, Item={"key": key})
        assert code == "ValidationException"


@pytest.mark.gap("moto", reason="moto does not check the kinds of an index's keys")
def test_what_the_index_sorts_by_is_a_number(backend: Backend, table: Table) -> None:
    item = {"key": "a", "queue": "open", "due_at": "soon"}
    code = refusal_code(backend.dynamodb.put_item, TableName=table.name, Item=item)
    assert code == "ValidationException"


def test_a_table_that_nobody_made_is_not_found(backend: Backend) -> None:
    code = refusal_code(backend.dynamodb.get_item, TableName="nobodys", Key={"key": "a"})
    assert code == "ResourceNotFoundException"


def test_a_batch_asks_for_at_most_a_hundred_keys_once_each(backend: Backend, table: Table) -> None:
    for keys in ([str(number) for number in range(101)], ["a", "a"]):
        asked = {table.name: {"Keys": [{"key": key} for key in keys], "ConsistentRead": True}}
        code = refusal_code(backend.dynamodb.batch_get_item, RequestItems=asked)
        assert code == "ValidationException"


def test_the_index_holds_what_is_queued_the_longest_due_first(table: Table) -> None:
    put(
        table,
        late={"queue": "open", "due_at": NOW_SECONDS + 1},
        now={"queue": "open", "due_at": NOW_SECONDS},
        first={"queue": "open", "due_at": NOW_SECONDS - 9},
        second={"queue": "open", "due_at": NOW_SECONDS - 5},
        elsewhere={"queue": "parked", "due_at": NOW_SECONDS - 5},
        without_time={"queue": "open"},
        without_queue={"due_at": NOW_SECONDS},
    )
    assert table.queued("open", until=NOW, limit=10) == ["first", "second", "now"]
    assert table.queued("open", until=NOW, limit=2) == ["first", "second"]
    assert table.queued("parked", until=NOW, limit=10) == ["elsewhere"]
    table.update("first", "REMOVE #queue, #due_at")
    table.update("second", "SET #due_at = :later", values={"later": NOW_SECONDS + 60})
    assert table.queued("open", until=NOW, limit=10) == ["now"]


def test_a_deleted_item_is_gone_from_table_and_index(backend: Backend, table: Table) -> None:
    put(table, a={"queue": "open", "due_at": 1}, b={})
    backend.dynamodb.delete_item(TableName=table.name, Key={"key": "a"})
    assert table.get("a") is None
    assert table.queued("open", until=NOW, limit=10) == []
    items = backend.dynamodb.scan(TableName=table.name, ConsistentRead=True)["Items"]
    assert items == [{"key": "b"}]


def scanned(table: Table, limit: int | None) -> list[list[str]]:
    """The keys of all items, by page."""
    pages, after = [], None
    while True:
        items, after = table.scan_page(after=after, limit=limit)
        pages.append([str(item["key"]) for item in items])
        if after is None:
            return pages


@pytest.mark.parametrize("limit", [1, 3, 7, 100, None])
def test_a_scan_finds_every_item_once_however_long_its_pages(
    table: Table, limit: int | None
) -> None:
    keys = [f"op#{number}" for number in range(7)]
    put(table, **{key: {"n": number} for number, key in enumerate(keys)})
    pages = scanned(table, limit)
    assert sorted(key for page in pages for key in page) == sorted(keys)
    assert max(len(page) for page in pages) <= (limit or 7)


def test_a_scan_of_an_empty_table_is_over_at_once(table: Table) -> None:
    assert table.scan_page() == ([], None)
    assert table.scan_page(limit=5) == ([], None)


def test_the_next_scan_finds_what_came_and_not_what_went(backend: Backend, table: Table) -> None:
    put(table, **{f"op#{number}": {} for number in range(4)})
    assert len(scanned(table, None)[0]) == 4
    put(table, **{"op#4": {}})
    backend.dynamodb.delete_item(TableName=table.name, Key={"key": "op#2"})
    assert sorted(scanned(table, None)[0]) == ["op#0", "op#1", "op#3", "op#4"]


def test_a_scan_goes_on_where_an_item_was_deleted_meanwhile(backend: Backend, table: Table) -> None:
    put(table, **{f"op#{number}": {} for number in range(6)})
    items, after = table.scan_page(limit=3)
    backend.dynamodb.delete_item(TableName=table.name, Key={"key": items[-1]["key"]})
    rest, _ = table.scan_page(after=after, limit=100)
    assert {str(one["key"]) for one in [*items, *rest]} == {f"op#{n}" for n in range(6)}
    assert len(rest) == 3
