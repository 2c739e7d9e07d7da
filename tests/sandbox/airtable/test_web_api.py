"""The Web API of the box, as pyairtable and plain requests see it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from pyairtable import Api
from pyairtable.api.table import Table

from sandbox.airtable import AirtableError, Base, build_standard_base
from sandbox.faults import Fault

from .conftest import URL, Clock, connect


def refusal(call: Any) -> tuple[int, Any]:
    with pytest.raises(requests.HTTPError) as caught:
        call()
    return caught.value.response.status_code, caught.value.response.json()


def error_of(call: Any) -> tuple[int, str, str]:
    status, body = refusal(call)
    return status, body["error"]["type"], body["error"]["message"]


class TestRecords:
    def test_empty_cells_are_absent(self, redemptions: Table) -> None:
        made = redemptions.create(
            {"Employee": "", "Confirm Duplicate": False, "Amount": None, "Store": []}
        )
        assert made["fields"] == {}
        assert made["createdTime"] == "2026-11-23T12:00:00.000Z"
        assert made["id"].startswith("rec")
        assert len(made["id"]) == 17

    def test_zero_is_not_empty(self, redemptions: Table) -> None:
        assert redemptions.create({"Amount": 0})["fields"] == {"Amount": 0}

    def test_update_merges_and_replace_empties(self, redemptions: Table) -> None:
        record_id = redemptions.create({"Employee": "Ada", "Amount": 3})["id"]
        assert redemptions.update(record_id, {"Amount": 4.5})["fields"] == {
            "Employee": "Ada",
            "Amount": 4.5,
        }
        replaced = redemptions.update(record_id, {"Amount": 5}, replace=True)
        assert replaced["fields"] == {"Amount": 5}
        assert redemptions.update(record_id, {"Amount": None})["fields"] == {}

    def test_by_field_id_in_and_out(self, base: Base, redemptions: Table) -> None:
        amount = base.table("Redemptions").field("Amount").id
        made = redemptions.create({amount: 3}, use_field_ids=True)
        assert made["fields"] == {amount: 3}
        assert redemptions.get(made["id"], use_field_ids=True)["fields"] == {amount: 3}
        assert redemptions.get(made["id"])["fields"] == {"Amount": 3}

    def test_the_second_is_all_airtable_tells_of_the_time(
        self, redemptions: Table, clock: Clock
    ) -> None:
        clock.go_on(0.9)
        assert redemptions.create({})["createdTime"] == "2026-11-23T12:00:00.000Z"

    def test_a_form_sent_twice_is_two_records(self, base: Base) -> None:
        base.submit_form("Redemptions", {"Employee": "Ada"})
        base.submit_form("Redemptions", {"Employee": "Ada"})
        assert len(base.table("Redemptions").records()) == 2

    def test_delete(self, redemptions: Table) -> None:
        ids = [redemptions.create({})["id"] for _ in range(12)]
        assert redemptions.delete(ids[0]) == {"id": ids[0], "deleted": True}
        assert redemptions.batch_delete(ids[1:]) == [{"id": i, "deleted": True} for i in ids[1:]]
        assert refusal(lambda: redemptions.delete(ids[0])) == (404, {"error": "NOT_FOUND"})
        assert refusal(lambda: redemptions.get(ids[0])) == (404, {"error": "NOT_FOUND"})

    def test_at_most_ten_are_deleted_in_one_call_and_all_or_none(
        self, redemptions: Table, api: Api
    ) -> None:
        ids = [redemptions.create({})["id"] for _ in range(11)]
        url = redemptions.urls.records
        assert refusal(lambda: api.delete(url, params={"records[]": ids}))[0] == 422
        redemptions.delete(ids[3])
        assert error_of(lambda: redemptions.batch_delete(ids[:10])) == (
            422,
            "ROW_DOES_NOT_EXIST",
            f"Record ID {ids[3]} does not exist in this table",
        )
        assert len(redemptions.all()) == 10

    def test_a_deleted_record_leaves_every_link(self, base: Base) -> None:
        stores = [base.table("Stores").create({"Name": name})["id"] for name in "AB"]
        row = base.table("Redemptions").create({"Store": stores})["id"]
        base.table("Stores").delete(stores[0])
        assert base.table("Redemptions").get(row)["fields"]["Store"] == [stores[1]]
        base.table("Stores").delete(stores[1])
        assert "Store" not in base.table("Redemptions").get(row)["fields"]

    def test_a_batch_with_one_deleted_row_changes_nothing(self, redemptions: Table) -> None:
        ids = [redemptions.create({})["id"] for _ in range(3)]
        redemptions.delete(ids[1])
        changes: Any = [{"id": one, "fields": {"Employee": "Ada"}} for one in ids]
        assert error_of(lambda: redemptions.batch_update(changes)) == (
            422,
            "ROW_DOES_NOT_EXIST",
            f"Record ID {ids[1]} does not exist in this table",
        )
        assert redemptions.get(ids[0])["fields"] == {}

    def test_a_batch_with_one_bad_value_makes_nothing(self, redemptions: Table) -> None:
        refusal(lambda: redemptions.batch_create([{"Employee": "A"}, {"Amount": "3"}]))
        assert redemptions.all() == []

    @pytest.mark.parametrize("verb", ["POST", "PATCH", "PUT"])
    def test_at_most_ten(self, redemptions: Table, api: Api, verb: str) -> None:
        rows = [{"id": f"rec{n:014}", "fields": {}} for n in range(11)]
        url = str(redemptions.urls.records)
        _, kind, message = error_of(lambda: api.request(verb, url, json={"records": rows}))
        assert kind == "INVALID_RECORDS"
        assert "A maximum of 10 records can be" in message

    def test_the_same_record_twice(self, redemptions: Table) -> None:
        record_id = redemptions.create({})["id"]
        twice: Any = [{"id": record_id, "fields": {}}] * 2
        assert error_of(lambda: redemptions.batch_update(twice))[1] == "INVALID_RECORDS"


class TestValues:
    @pytest.mark.parametrize(
        ("cells", "kind"),
        [
            ({"Amount": "12.50"}, "INVALID_VALUE_FOR_COLUMN"),
            ({"Amount": True}, "INVALID_VALUE_FOR_COLUMN"),
            ({"Amount": [1]}, "INVALID_VALUE_FOR_COLUMN"),
            ({"Employee": 7}, "INVALID_VALUE_FOR_COLUMN"),
            ({"Approved": "yes"}, "INVALID_VALUE_FOR_COLUMN"),
            ({"Processed At": "yesterday"}, "INVALID_VALUE_FOR_COLUMN"),
            ({"Store": "Main Street"}, "INVALID_VALUE_FOR_COLUMN"),
            ({"Store": [1]}, "INVALID_VALUE_FOR_COLUMN"),
            ({"Store": ["Main Street"]}, "INVALID_RECORD_ID"),
            ({"Store": ["recAAAAAAAAAAAAAA"]}, "ROW_DOES_NOT_EXIST"),
            ({"Status": "Unheard of"}, "INVALID_MULTIPLE_CHOICE_OPTIONS"),
            ({"Status": ""}, "INVALID_MULTIPLE_CHOICE_OPTIONS"),
            ({"Status": ["Processed"]}, "INVALID_VALUE_FOR_COLUMN"),
            ({"Nobody": 1}, "UNKNOWN_FIELD_NAME"),
            ({"amount": 1}, "UNKNOWN_FIELD_NAME"),
        ],
    )
    def test_refused(self, redemptions: Table, cells: Any, kind: str) -> None:
        status, told, message = error_of(lambda: redemptions.create(cells))
        assert (status, told) == (422, kind)
        assert message

    def test_a_select_quotes_what_it_lacks_as_airtable_does(self, redemptions: Table) -> None:
        assert error_of(lambda: redemptions.create({"Status": "New"}))[2] == (
            'Insufficient permissions to create new select option ""New""'
        )

    def test_a_link_to_another_table(self, base: Base, redemptions: Table) -> None:
        card = base.table("Gift Cards").create({"Card": "x"})["id"]
        _, kind, message = error_of(lambda: redemptions.create({"Store": [card]}))
        assert kind == "ROW_TABLE_DOES_NOT_MATCH_LINKED_TABLE"
        assert base.table("Stores").id in message

    @pytest.mark.parametrize(
        ("cells", "kept"),
        [
            ({"Amount": "12.5"}, {"Amount": 12.5}),
            ({"Amount": "a lot"}, {}),
            ({"Employee": 7}, {"Employee": "7"}),
            ({"Status": "New"}, {"Status": "New"}),
            ({"Approved": "true"}, {"Approved": True}),
        ],
    )
    def test_typecast(self, redemptions: Table, cells: Any, kept: Any) -> None:
        assert redemptions.create(cells, typecast=True)["fields"] == kept

    def test_typecast_links_by_name(self, base: Base, redemptions: Table) -> None:
        store = base.table("Stores").create({"Name": "Main"})["id"]
        made = redemptions.create({"Store": ["Main", "New"]}, typecast=True)
        assert made["fields"]["Store"][0] == store
        assert [one["fields"]["Name"] for one in base.table("Stores").records()] == ["Main", "New"]

    def test_dates(self, base: Base) -> None:
        made = base.table("Gift Cards").create(
            {"Expires On": "2030-01-31", "Issued At": "2026-11-23T07:00:00-05:00"}
        )
        assert made["fields"] == {
            "Expires On": "2030-01-31",
            "Issued At": "2026-11-23T12:00:00.000Z",
        }

    def test_money_is_a_number_with_all_its_decimals(self, redemptions: Table) -> None:
        assert redemptions.create({"Amount": 12.345})["fields"] == {"Amount": 12.345}


class TestLists:
    def test_pages(self, base: Base, redemptions: Table) -> None:
        for number in range(25):
            base.table("Redemptions").create({"Amount": number})
        pages = list(redemptions.iterate(page_size=10))
        assert [len(page) for page in pages] == [10, 10, 5]
        amounts = [record["fields"]["Amount"] for page in pages for record in page]
        assert amounts == list(range(25))
        assert len(redemptions.all(max_records=12, page_size=10)) == 12
        assert len(redemptions.all(max_records=3)) == 3

    def test_a_row_deleted_while_reading_is_left_out(self, base: Base, redemptions: Table) -> None:
        ids = [base.table("Redemptions").create({})["id"] for _ in range(4)]
        pages = redemptions.iterate(page_size=2)
        next(pages)
        base.table("Redemptions").delete(ids[2])
        assert [record["id"] for record in next(pages)] == [ids[3]]

    @pytest.mark.parametrize("how", ["restart", "too old"])
    def test_an_offset_does_not_last(
        self, base: Base, redemptions: Table, clock: Clock, how: str
    ) -> None:
        for _ in range(3):
            base.table("Redemptions").create({})
        pages = redemptions.iterate(page_size=2)
        next(pages)
        if how == "restart":
            base.forget_offsets()
        else:
            clock.go_on(301)
        assert refusal(lambda: next(pages)) == (
            422,
            {"error": {"type": "LIST_RECORDS_ITERATOR_NOT_AVAILABLE"}},
        )

    def test_sort(self, base: Base, redemptions: Table) -> None:
        for name, amount in [("b", 2), ("A", 10), ("c", None), ("a", 2)]:
            base.table("Redemptions").create({"Employee": name, "Amount": amount})

        def names(*sort: str) -> list[str]:
            return [r["fields"]["Employee"] for r in redemptions.all(sort=list(sort))]

        assert names("Amount", "Employee") == ["c", "a", "b", "A"]
        assert names("-Amount", "Employee") == ["A", "a", "b", "c"]
        assert error_of(lambda: names("Nobody"))[1] == "UNKNOWN_FIELD_NAME"

    def test_fields(self, base: Base, redemptions: Table) -> None:
        base.table("Redemptions").create({"Employee": "Ada", "Amount": 1})
        (record,) = redemptions.all(fields=["Amount"])
        assert record["fields"] == {"Amount": 1}
        assert error_of(lambda: redemptions.all(fields=["Amount", "fldGone0000000000"])) == (
            422,
            "UNKNOWN_FIELD_NAME",
            'Unknown field name: "fldGone0000000000"',
        )

    def test_a_filter_reads_links_by_the_names_they_show(
        self, base: Base, redemptions: Table
    ) -> None:
        stores = [base.table("Stores").create({"Name": name})["id"] for name in ("A", "B")]
        row = base.table("Redemptions").create({"Store": stores})["id"]
        assert [r["id"] for r in redemptions.all(formula="{Store}='A, B'")] == [row]

    def test_a_formula_too_long_for_an_address_goes_by_post(
        self, base: Base, redemptions: Table
    ) -> None:
        base.table("Redemptions").create({"Employee": "x" * 20_000, "Amount": 1})
        found = redemptions.all(
            formula=f"{{Employee}}='{'x' * 20_000}'", fields=["Amount"], sort=["-Amount"]
        )
        assert [record["fields"] for record in found] == [{"Amount": 1}]

    def test_a_bad_formula(self, redemptions: Table) -> None:
        assert error_of(lambda: redemptions.all(formula="{Nobody}=1")) == (
            422,
            "INVALID_FILTER_BY_FORMULA",
            "The formula for filtering records is invalid: Unknown field names: nobody",
        )

    @pytest.mark.parametrize(
        "parameters",
        ["pageSize=101", "pageSize=0", "pageSize=ten", "unheardOf=1", "cellFormat=string"],
    )
    def test_what_a_list_does_not_understand_is_refused(
        self, api: Api, redemptions: Table, parameters: str
    ) -> None:
        url = f"{redemptions.urls.records}?{parameters}"
        assert error_of(lambda: api.get(url))[1] == "INVALID_REQUEST_UNKNOWN"

    def test_views(self, redemptions: Table) -> None:
        assert redemptions.all(view="Grid view") == []
        assert error_of(lambda: redemptions.all(view="Mine"))[1] == "VIEW_NAME_NOT_FOUND"


class TestUpsert:
    def test_updates_and_creates(self, receipts: Table) -> None:
        there = receipts.create({"Receipt": "a", "Actor": "x"})["id"]
        rows = [{"fields": {"Receipt": name, "Actor": "y"}} for name in ("a", "b")]
        done = receipts.batch_upsert(rows, key_fields=["Receipt"])
        assert done["updatedRecords"] == [there]
        assert len(done["createdRecords"]) == 1
        assert [r["fields"]["Actor"] for r in receipts.all()] == ["y", "y"]

    def test_a_key_that_matches_twice_fails_as_a_whole(self, receipts: Table) -> None:
        receipts.batch_create([{"Receipt": "twice"}, {"Receipt": "twice"}])
        rows = [{"fields": {"Receipt": name}} for name in ("new", "twice")]
        status, kind, _ = error_of(lambda: receipts.batch_upsert(rows, key_fields=["Receipt"]))
        assert (status, kind) == (422, "INVALID_RECORDS")
        assert len(receipts.all()) == 2

    def test_by_id(self, receipts: Table) -> None:
        there = receipts.create({"Receipt": "a"})["id"]
        rows = [{"id": there, "fields": {"Receipt": "b"}}]
        assert receipts.batch_upsert(rows, key_fields=["Receipt"])["updatedRecords"] == [there]

    @pytest.mark.parametrize("merge_on", [[], ["Receipt"] * 4, "Receipt", ["Actor"]])
    def test_bad_keys(self, api: Api, receipts: Table, merge_on: Any) -> None:
        body = {
            "performUpsert": {"fieldsToMergeOn": merge_on},
            "records": [{"fields": {"Receipt": "a"}}],
        }
        status, _ = refusal(lambda: api.patch(str(receipts.urls.records), json=body))
        assert status == 422


class TestMetadata:
    def test_schema(self, api: Api, base: Base) -> None:
        schema = api.base(base.id).schema()
        assert [table.name for table in schema.tables] == [
            "Stores", "Gift Cards", "Redemptions", "Creation Requests", "Balance Checks",
            "Processed Orders", "Receipts", "Status",
        ]  # fmt: skip
        store = schema.table("Redemptions").field("Store")
        assert store.type == "multipleRecordLinks"
        assert schema.table("Redemptions").field("Amount").type == "currency"
        assert schema.table("Redemptions").primary_field_id == (
            base.table("Redemptions").field("Employee").id
        )

    def test_create_table_and_field(self, api: Api, base: Base) -> None:
        made = api.base(base.id).create_table(
            "Notes", [{"name": "Note", "type": "singleLineText"}], description="For us"
        )
        made.create_field("Price", "number", options={"precision": 2})
        made.create_field("Kind", "singleSelect", options={"choices": [{"name": "A"}]})
        assert made.create({"Note": "x", "Price": 1.5, "Kind": "A"})["fields"]["Price"] == 1.5

    @pytest.mark.parametrize("kind", ["formula", "autoNumber", "createdTime", "rollup", "button"])
    def test_kinds_that_no_call_can_create(self, redemptions: Table, kind: str) -> None:
        assert error_of(lambda: redemptions.create_field("New", kind)) == (
            422,
            "UNSUPPORTED_FIELD_TYPE_FOR_CREATE",
            f"Creating {kind} fields is not supported at this time",
        )

    @pytest.mark.parametrize(
        ("name", "kind", "options"),
        [
            ("amount", "singleLineText", None),
            ("New", "number", None),
            ("New", "number", {"precision": 9}),
            ("New", "currency", {"precision": 2}),
            ("New", "singleSelect", {}),
            ("New", "singleLineText", {"precision": 1}),
            ("New", "date", {}),
            ("New", "checkbox", {}),
            ("New", "rating", {"max": 5}),
            ("", "singleLineText", None),
        ],
    )
    def test_bad_fields(
        self, redemptions: Table, name: str, kind: str, options: dict[str, Any] | None
    ) -> None:
        assert refusal(lambda: redemptions.create_field(name, kind, options=options))[0] == 422

    def test_bad_tables(self, api: Api, base: Base) -> None:
        fields = [{"name": "Note", "type": "singleLineText"}]
        ours = api.base(base.id)
        assert error_of(lambda: ours.create_table("redemptions", fields))[1] == (
            "DUPLICATE_TABLE_NAME"
        )
        assert refusal(lambda: ours.create_table("New", []))[0] == 422

    def test_what_people_do_to_a_base(self, base: Base, redemptions: Table) -> None:
        record_id = redemptions.create({"Employee": "Ada", "Amount": 3})["id"]
        table = base.table("Redemptions")
        table.rename_field("Amount", "Value")
        assert redemptions.get(record_id)["fields"] == {"Employee": "Ada", "Value": 3}
        table.delete_field("Value")
        assert redemptions.get(record_id)["fields"] == {"Employee": "Ada"}
        with pytest.raises(AirtableError, match="primary"):
            table.delete_field("Employee")


class TestAccess:
    @pytest.mark.parametrize("token", ["patWrong", ""])
    def test_a_wrong_token(self, base: Base, token: str) -> None:
        api = connect(base, token or "x")
        if not token:
            del api.session.headers["Authorization"]
        assert refusal(lambda: api.table(base.id, "Stores").all()) == (
            401,
            {"error": {"type": "AUTHENTICATION_REQUIRED", "message": "Authentication required"}},
        )

    def test_no_such_base_or_table(self, api: Api, base: Base) -> None:
        for base_id, table in [("appAnother0000000", "Stores"), (base.id, "Nothing")]:
            status, kind, _ = error_of(api.table(base_id, table).all)
            assert (status, kind) == (403, "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND")

    def test_no_such_address(self, api: Api) -> None:
        assert refusal(lambda: api.get(f"{URL}/v0/a/b/c/d")) == (404, {"error": "NOT_FOUND"})


class TestLimits:
    @pytest.fixture
    def strict(self, clock: Clock) -> Base:
        base = Base(clock=clock)
        build_standard_base(base)
        return base

    def test_one_too_many_costs_thirty_seconds(self, strict: Base, clock: Clock) -> None:
        stores = connect(strict).table(strict.id, "Stores")
        for _ in range(5):
            stores.all()
        assert refusal(stores.all) == (
            429,
            {
                "errors": [
                    {
                        "error": "RATE_LIMIT_REACHED",
                        "message": "Rate limit exceeded. Please try again later",
                    }
                ]
            },
        )
        clock.go_on(29.9)
        assert refusal(stores.all)[0] == 429
        clock.go_on(0.1)
        assert stores.all() == []
        assert strict.refused_as_too_fast == 2

    def test_five_in_any_second_are_fine(self, strict: Base, clock: Clock) -> None:
        stores = connect(strict).table(strict.id, "Stores")
        for _ in range(30):
            stores.all()
            clock.go_on(0.2)

    def test_people_do_not_count(self, strict: Base) -> None:
        for _ in range(20):
            strict.submit_form("Redemptions", {})
        assert strict.count_records() == 20

    def test_a_full_base_refuses_even_the_form(self, clock: Clock) -> None:
        base = Base(clock=clock, requests_a_second=None, records_limit=1)
        build_standard_base(base)
        base.submit_form("Redemptions", {})
        with pytest.raises(AirtableError, match="limit of 1"):
            base.submit_form("Redemptions", {})
        receipts = connect(base).table(base.id, "Receipts")
        assert refusal(lambda: receipts.create({}))[0] == 422
        rows = [{"fields": {"Receipt": "a"}}]
        assert refusal(lambda: receipts.batch_upsert(rows, key_fields=["Receipt"]))[0] == 422

    def test_the_calls_of_a_month(self, clock: Clock) -> None:
        base = Base(clock=clock, requests_a_second=None, calls_a_month=1)
        build_standard_base(base)
        api = connect(base)
        stores = api.table(base.id, "Stores")
        stores.all()
        status, body = refusal(stores.all)
        assert (status, body["errors"][0]["error"]) == (429, "PUBLIC_API_BILLING_LIMIT_EXCEEDED")
        assert api.base(base.id).schema().tables  # the Metadata API goes on


class TestFaults:
    def test_by_operation_and_table(self, base: Base, redemptions: Table, receipts: Table) -> None:
        base.faults.add(Fault.FAIL_BEFORE, operation="create Receipts")
        redemptions.create({})
        assert refusal(lambda: receipts.create({}))[0] == 500
        assert receipts.all() == []

    @pytest.mark.parametrize(
        ("fault", "raised"),
        [
            (Fault.DROP_REPLY, requests.ReadTimeout),
            (Fault.BREAK_CONNECTION, requests.ConnectionError),
            (Fault.FAIL_AFTER, requests.HTTPError),
        ],
    )
    def test_applied_all_the_same(
        self, base: Base, receipts: Table, fault: Fault, raised: type[Exception]
    ) -> None:
        base.faults.add(fault, operation="create")
        with pytest.raises(raised):
            receipts.create({"Receipt": "a"})
        assert len(receipts.all()) == 1

    def test_applied_late(self, base: Base, receipts: Table, clock: Clock) -> None:
        base.faults.add(Fault.APPLY_LATE, operation="create", seconds=10)
        with pytest.raises(requests.ReadTimeout):
            receipts.create({"Receipt": "a"})
        assert receipts.all() == []
        clock.go_on(10)
        assert len(receipts.all()) == 1

    def test_late_and_then_refused_is_refused_unseen(
        self, base: Base, receipts: Table, clock: Clock
    ) -> None:
        base.faults.add(Fault.APPLY_LATE, operation="create", seconds=10)
        with pytest.raises(requests.ReadTimeout):
            receipts.create({"Details": "a"})
        base.table("Receipts").delete_field("Details")
        clock.go_on(10)
        base.settle()
        assert receipts.all() == []

    def test_a_throttle_brings_the_whole_penalty(
        self, base: Base, receipts: Table, clock: Clock
    ) -> None:
        base.faults.add(Fault.THROTTLE, operation="create")
        assert refusal(lambda: receipts.create({}))[0] == 429
        assert refusal(receipts.all)[0] == 429
        clock.go_on(30)
        assert receipts.all() == []

    def test_down(self, base: Base, receipts: Table, api: Api) -> None:
        assert api.session.put(f"{URL}/_sandbox/down", json={"down": True}, timeout=5).json() == {
            "down": True
        }
        assert refusal(receipts.all)[0] == 503
        base.is_down = False
        assert receipts.all() == []

    def test_over_http(self, api: Api, receipts: Table) -> None:
        order = {"fault": "refuse-token", "operation": "list Receipts"}
        assert api.session.post(f"{URL}/_sandbox/faults", json=order, timeout=5).status_code == 200
        assert refusal(receipts.all)[0] == 401
        assert receipts.all() == []


def test_the_version_grows_with_each_change_and_only_then(base: Base, redemptions: Table) -> None:
    seen = [base.version]

    def grew() -> bool:
        seen.append(base.version)
        return seen[-1] > seen[-2]

    record_id = redemptions.create({})["id"]
    assert grew()
    redemptions.update(record_id, {"Amount": 1})
    assert grew()
    redemptions.all()
    refusal(lambda: redemptions.create({"Nobody": 1}))
    assert not grew()
    redemptions.delete(record_id)
    assert grew()


def test_many_at_once_lose_nothing(base: Base) -> None:
    def file(number: int) -> None:
        base.submit_form("Redemptions", {"Amount": number})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(file, range(400)))
    amounts = sorted(r["fields"]["Amount"] for r in base.table("Redemptions").records())
    assert amounts == list(range(400))
