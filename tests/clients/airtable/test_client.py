"""What the Airtable client reads, writes and reports, on a base with all its accidents."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, override

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from giftcards.clients.airtable import (
    Airtable,
    Layout,
    Pace,
    UpdateReport,
    read_schema,
    resolve_layout,
)
from giftcards.clients.airtable.client import PAGES_OF_WAITING_ROWS
from giftcards.clients.airtable.connection import SPACED_OUT
from giftcards.errors import (
    AccessRefused,
    BaseMismatch,
    NeedsAPerson,
    NotSent,
    PlaceLost,
    TryAgain,
    Unconfirmed,
    VendorSurprise,
)
from sandbox.airtable import Base
from sandbox.faults import Fault

from .conftest import NOON, URL, Clock

SECRET = "gift2b5asecret"
TICKED = [(), ("Approved",), ("Confirm_Duplicate",), ("Approved", "Confirm_Duplicate")]


def file_redemption(base: Base, **cells: object) -> str:
    typed = {"Employee": "Ada", "Gift Card Code": SECRET, "Amount": 12.5, **cells}
    return base.submit_form("Redemptions", {k.replace("_", " "): v for k, v in typed.items()})["id"]


def ids(airtable: Airtable) -> list[str]:
    """The ids of all rows that wait."""
    return [row.id for row in airtable.waiting_redemptions(since=NOON)]


def connect_anew(base: Base, session: requests.Session) -> Airtable:
    """A client whose layout is read from the base as it is now."""
    schema = read_schema(
        base.token, base_id=base.id, session=session, endpoint_url=URL, timeout_seconds=5
    )
    return Airtable(
        base.token,
        base_id=base.id,
        layout=resolve_layout(schema, {}),
        session=session,
        endpoint_url=URL,
        timeout_seconds=5,
        pace=Pace(1000),
    )


def garble(airtable: Airtable, *, status: int, body: bytes, to_status: int | None = None) -> None:
    """Put other words into every reply of this status, on its way to the client."""

    def hook(response: requests.Response, **_: object) -> None:
        if response.status_code == status:
            response._content = body  # noqa: SLF001 - the wire
            response.status_code = to_status or status

    airtable._api.session.hooks["response"].append(hook)  # noqa: SLF001 - the wire


class TestPages:
    """Every row of a table, whoever wrote it, page by page."""

    def test_a_table_is_read_in_pages_of_a_hundred(self, base: Base, airtable: Airtable) -> None:
        made = [base.table("Receipts").create({"Receipt": f"r{n}"})["id"] for n in range(205)]
        first = airtable.page("Receipts", ("Receipt",), offset=None)
        second = airtable.page("Receipts", ("Receipt",), offset=first.next)
        last = airtable.page("Receipts", ("Receipt",), offset=second.next)
        assert [len(page.rows) for page in (first, second, last)] == [100, 100, 5]
        assert last.next is None
        assert [row.id for page in (first, second, last) for row in page.rows] == made
        assert first.rows[7].text("Receipt") == "r7"
        assert first.rows[7].created_at == NOON

    def test_cells_go_by_our_names_and_numbers_are_exact(
        self, base: Base, session: requests.Session
    ) -> None:
        table = base.table("Receipts")
        table.create_field(
            {"name": "The office's own", "type": "number", "options": {"precision": 2}}
        )
        own = table.field("The office's own").id
        table.create({"Receipt": "r", "Amount": 0.1, own: 7.25})
        table.field("Receipt").name = "Beleg"
        renamed = {"Receipts": {"Receipt": "Beleg"}}
        schema = read_schema(
            base.token, base_id=base.id, session=session, endpoint_url=URL, timeout_seconds=5
        )
        airtable = Airtable(
            base.token,
            base_id=base.id,
            layout=resolve_layout(schema, renamed),
            session=session,
            endpoint_url=URL,
            timeout_seconds=5,
            pace=Pace(1000),
        )
        (row,) = airtable.page("Receipts", None, offset=None).rows
        assert row.cells == {"Receipt": "r", "Amount": Decimal("0.1"), own: Decimal("7.25")}
        assert row.number("Amount") == Decimal("0.1")
        assert row.number("Receipt") is row.number("Balance After") is None
        assert row.text("Amount") == "0.1"
        (some,) = airtable.page("Receipts", ("Amount", "Details"), offset=None).rows
        assert some.cells == {"Amount": Decimal("0.1")}

    def test_a_field_that_the_base_lacks_is_left_out(
        self, base: Base, session: requests.Session
    ) -> None:
        base.table("Processed Orders").delete_field("Release")
        base.table("Processed Orders").create({"Order": "#1"})
        airtable = connect_anew(base, session)
        (row,) = airtable.page("Processed Orders", ("Order", "Release"), offset=None).rows
        assert row.cells == {"Order": "#1"}

    @pytest.mark.parametrize("how", ["forgotten", "too old"])
    def test_a_place_that_is_lost_is_said(
        self, base: Base, airtable: Airtable, clock: Clock, how: str
    ) -> None:
        for number in range(101):
            base.table("Receipts").create({"Receipt": f"r{number}"})
        first = airtable.page("Receipts", ("Receipt",), offset=None)
        if how == "forgotten":
            base.forget_offsets()
        else:
            clock.go_on(301)
        with pytest.raises(PlaceLost, match="lost its place"):
            airtable.page("Receipts", ("Receipt",), offset=first.next)

    def test_a_place_that_airtable_calls_invalid_is_lost_as_well(self, airtable: Airtable) -> None:
        body = b'{"error": {"type": "INVALID_OFFSET_VALUE", "message": "The value is invalid"}}'
        garble(airtable, status=422, body=body)
        with pytest.raises(PlaceLost, match="lost its place"):
            airtable.page("Receipts", ("Receipt",), offset="itrOld/recGone")

    def test_a_page_without_reply_is_asked_for_again_later(
        self, base: Base, airtable: Airtable
    ) -> None:
        base.faults.add(Fault.DROP_REPLY, operation="list Receipts")
        with pytest.raises(TryAgain) as caught:
            airtable.page("Receipts", None, offset=None)
        assert not isinstance(caught.value, Unconfirmed)

    def test_a_reply_of_another_form_is_a_surprise(self, base: Base, airtable: Airtable) -> None:
        base.table("Receipts").create({"Receipt": SECRET})
        garble(
            airtable, status=200, body=b'{"records": [{"fields": {"x": "%s"}}]}' % SECRET.encode()
        )
        with pytest.raises(VendorSurprise) as caught:
            airtable.page("Receipts", None, offset=None)
        assert SECRET not in str(caught.value)

    def test_rows_are_read_by_what_a_field_says(self, base: Base, airtable: Airtable) -> None:
        table = base.table("Receipts")
        table.create_field({"name": "The office's own", "type": "singleLineText"})
        own = table.field("The office's own").id
        first = table.create({"Receipt": "r1", "Amount": 5.5, own: "seen"})["id"]
        second = table.create({"Receipt": "r1"})["id"]
        table.create({"Receipt": "R1"})
        read = airtable.rows_named("Receipts", "Receipt", ["r1", "r2"], fields=None)
        assert read.keys() == {"r1", "r2"}
        assert read["r2"] == []
        assert sorted(row.id for row in read["r1"]) == sorted([first, second])
        (kept,) = (row for row in read["r1"] if row.id == first)
        assert kept.cells == {"Receipt": "r1", "Amount": Decimal("5.5"), own: "seen"}

    def test_rows_are_read_by_their_ids_but_for_those_that_are_gone(
        self, base: Base, airtable: Airtable
    ) -> None:
        made = [base.table("Receipts").create({"Receipt": f"r{n}"})["id"] for n in range(60)]
        base.table("Receipts").delete(made[7])
        rows = airtable.rows_by_id("Receipts", made[:55])
        assert sorted(rows) == sorted({*made[:55]} - {made[7]})
        assert rows[made[3]].cells == {"Receipt": "r3"}


class TestDeleting:
    def test_ten_rows_a_call(self, base: Base, airtable: Airtable, clock: Clock) -> None:
        made = [base.table("Receipts").create({"Receipt": f"r{n}"})["id"] for n in range(23)]
        kept = made.pop(5)
        started = clock.now
        airtable.delete("Receipts", made)
        assert list(base.table("Receipts").record_ids()) == [kept]
        assert (clock.now - started).total_seconds() == pytest.approx(2 * SPACED_OUT / 1000)

    def test_what_is_gone_already_is_no_error(self, base: Base, airtable: Airtable) -> None:
        made = [base.table("Receipts").create({"Receipt": f"r{n}"})["id"] for n in range(12)]
        kept = made.pop()
        for gone in made[:10:3]:
            base.table("Receipts").delete(gone)
        airtable.delete("Receipts", made)
        assert list(base.table("Receipts").record_ids()) == [kept]
        airtable.delete("Receipts", made)
        assert list(base.table("Receipts").record_ids()) == [kept]

    def test_nothing_is_deleted_where_nothing_is_named(
        self, base: Base, airtable: Airtable
    ) -> None:
        base.table("Receipts").create({"Receipt": "r"})
        airtable.delete("Receipts", [])
        assert len(base.table("Receipts").record_ids()) == 1

    def test_a_reply_that_is_lost_is_no_answer_and_again_is_harmless(
        self, base: Base, airtable: Airtable
    ) -> None:
        made = [base.table("Receipts").create({"Receipt": f"r{n}"})["id"] for n in range(3)]
        base.faults.add(Fault.DROP_REPLY, operation="delete Receipts")
        with pytest.raises(Unconfirmed):
            airtable.delete("Receipts", made)
        assert list(base.table("Receipts").record_ids()) == []
        airtable.delete("Receipts", made)

    def test_a_token_that_may_not_delete_is_told_though_all_rows_are_there(
        self, base: Base, airtable: Airtable
    ) -> None:
        made = [base.table("Receipts").create({"Receipt": "r"})["id"]]
        forbidden = b'{"error": {"type": "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND"}}'
        base.faults.add(Fault.FAIL_BEFORE, operation="delete Receipts")
        garble(airtable, status=500, body=forbidden, to_status=403)
        with pytest.raises(AccessRefused):
            airtable.delete("Receipts", made)
        assert list(base.table("Receipts").record_ids()) == made


class TestWaitingRedemptions:
    def test_reads_what_a_store_typed(self, base: Base, airtable: Airtable) -> None:
        store = base.table("Stores").create({"Name": "Main Street"})["id"]
        row_id = file_redemption(base, Store=[store])
        (row,) = airtable.waiting_redemptions(since=NOON)
        assert row.id == row_id
        assert row.created_at == NOON
        assert row.store == store
        assert row.employee == "Ada"
        assert row.typed_code == SECRET
        assert row.typed_amount == "12.5"

    def test_oldest_first(self, base: Base, airtable: Airtable, clock: Clock) -> None:
        filed = []
        for _ in range(5):
            clock.go_on(1)
            filed.append(file_redemption(base))
        assert ids(airtable) == filed

    def test_rows_of_one_second_come_in_the_order_of_their_ids(
        self, base: Base, airtable: Airtable
    ) -> None:
        filed = [file_redemption(base) for _ in range(20)]
        rows = airtable.waiting_redemptions(since=NOON)
        assert [row.id for row in rows] == sorted(filed)

    def test_leaves_out_processed_rows_and_rows_from_before(
        self, base: Base, airtable: Airtable, clock: Clock
    ) -> None:
        file_redemption(base)
        clock.go_on(60)
        file_redemption(base, Status="Processed")
        waiting = file_redemption(base)
        since = NOON + timedelta(seconds=60)
        rows = airtable.waiting_redemptions(since=since)
        assert [row.id for row in rows] == [waiting]
        assert airtable.waiting_redemptions(since=since + timedelta(seconds=1)) == []

    def test_since_may_be_of_any_time_zone(self, base: Base, airtable: Airtable) -> None:
        file_redemption(base)
        there = NOON.astimezone(timezone(timedelta(hours=-5)))
        assert len(airtable.waiting_redemptions(since=there)) == 1

    def test_goes_on_to_further_pages(self, base: Base, airtable: Airtable, clock: Clock) -> None:
        for _ in range(250):
            file_redemption(base)
        clock.go_on(1)
        last = file_redemption(base)
        rows = airtable.waiting_redemptions(since=NOON)
        assert len(rows) == 251
        assert rows[-1].id == last

    def test_an_empty_row_is_a_row(self, base: Base, airtable: Airtable) -> None:
        base.submit_form("Redemptions", {})
        (row,) = airtable.waiting_redemptions(since=NOON)
        assert (row.store, row.employee, row.typed_code, row.typed_amount) == (None, "", "", None)

    def test_a_row_of_two_stores_names_none(self, base: Base, airtable: Airtable) -> None:
        stores = [base.table("Stores").create({"Name": name})["id"] for name in "AB"]
        file_redemption(base, Store=stores)
        (row,) = airtable.waiting_redemptions(since=NOON)
        assert row.store is None

    def test_a_renamed_field_is_still_read(self, base: Base, airtable: Airtable) -> None:
        row_id = file_redemption(base)
        base.table("Redemptions").rename_field("Gift Card Code", "Code on the card")
        base.table("Redemptions").rename_field("Status", "Done?")
        base.table("Redemptions").rename("Requests")
        (row,) = airtable.waiting_redemptions(since=NOON)
        assert (row.id, row.typed_code) == (row_id, SECRET)

    @pytest.mark.parametrize("field", ["Amount", "Gift Card Code", "Status", "Store"])
    def test_a_deleted_field_is_an_error_and_not_an_empty_cell(
        self, base: Base, airtable: Airtable, field: str
    ) -> None:
        file_redemption(base)
        base.table("Redemptions").delete_field(field)
        with pytest.raises(BaseMismatch, match=f"“Redemptions” does not have “{field}”"):
            airtable.waiting_redemptions(since=NOON)

    def test_a_list_that_lost_its_place_is_begun_again(
        self, base: Base, airtable: Airtable
    ) -> None:
        for _ in range(150):
            file_redemption(base)
        restarts = iter([True])

        def restart_once(*_: object, **__: object) -> None:
            if next(restarts, False):
                base.forget_offsets()

        airtable._api.session.hooks["response"].append(restart_once)  # noqa: SLF001 - the wire
        assert len(airtable.waiting_redemptions(since=NOON)) == 150

    def test_reads_at_most_so_many_pages(self, base: Base, airtable: Airtable) -> None:
        for _ in range(100 * PAGES_OF_WAITING_ROWS + 50):
            file_redemption(base)
        waiting = airtable.waiting_redemptions(since=NOON)
        assert len(waiting) == 100 * PAGES_OF_WAITING_ROWS
        assert len(airtable.waiting_redemptions(since=NOON, most_pages=1)) == 100


class TestHeldRows:
    """A row that waits for the office comes back once the office has ticked Approved."""

    def test_a_held_row_waits_again_once_it_is_approved(
        self, base: Base, airtable: Airtable, clock: Clock
    ) -> None:
        held = file_redemption(base, Status="Held")
        clock.go_on(1)
        waiting = file_redemption(base)
        assert ids(airtable) == [waiting]
        base.table("Redemptions").update(held, {"Approved": True})
        assert ids(airtable) == [held, waiting]

    def test_a_processed_row_stays_processed_whatever_is_ticked(
        self, base: Base, airtable: Airtable
    ) -> None:
        file_redemption(base, Status="Processed", Approved=True, Confirm_Duplicate=True)
        assert ids(airtable) == []

    def test_the_stores_own_tick_releases_nothing(self, base: Base, airtable: Airtable) -> None:
        file_redemption(base, Status="Held", Confirm_Duplicate=True)
        assert ids(airtable) == []

    def test_a_held_row_from_before_the_go_live_is_left_alone(
        self, base: Base, airtable: Airtable, clock: Clock
    ) -> None:
        file_redemption(base, Status="Held", Approved=True)
        clock.go_on(60)
        since = NOON + timedelta(seconds=60)
        assert airtable.waiting_redemptions(since=since) == []

    @pytest.mark.parametrize("ticked", TICKED, ids=", ".join)
    def test_each_tick_is_read_as_what_it_is(
        self, base: Base, airtable: Airtable, ticked: tuple[str, ...]
    ) -> None:
        row_id = file_redemption(base, **dict.fromkeys(ticked, True))
        (row,) = airtable.waiting_redemptions(since=NOON)
        assert row.id == row_id
        assert row.is_approved == ("Approved" in ticked)
        assert row.is_confirmed == ("Confirm_Duplicate" in ticked)

    def test_a_tick_taken_away_holds_the_row_again(self, base: Base, airtable: Airtable) -> None:
        held = file_redemption(base, Status="Held", Approved=True)
        assert ids(airtable) == [held]
        base.table("Redemptions").update(held, {"Approved": False})
        assert ids(airtable) == []

    @pytest.mark.parametrize(
        "absent",
        [("Approved",), ("Confirm Duplicate",), ("Approved", "Confirm Duplicate")],
        ids=", ".join,
    )
    def test_a_base_that_never_had_these_ticks_is_served_all_the_same(
        self, base: Base, session: requests.Session, absent: tuple[str, ...]
    ) -> None:
        for field in absent:
            base.table("Redemptions").delete_field(field)
        airtable = connect_anew(base, session)
        there = {"Approved", "Confirm Duplicate"} - set(absent)
        row_id = file_redemption(base, **{field.replace(" ", "_"): True for field in there})
        file_redemption(base, Status="Held")
        (row,) = airtable.waiting_redemptions(since=NOON)
        assert row.id == row_id
        assert row.is_approved == ("Approved" in there)
        assert row.is_confirmed == ("Confirm Duplicate" in there)

    def test_a_text_where_the_tick_should_be_is_refused(
        self, base: Base, session: requests.Session
    ) -> None:
        """“no” is a text like any other: Airtable's formula would take it for the office's word."""
        redemptions = base.table("Redemptions")
        redemptions.delete_field("Approved")
        redemptions.create_field({"name": "Approved", "type": "singleLineText"})
        with pytest.raises(BaseMismatch, match=r"“Approved” is of .* has to be a checkbox"):
            connect_anew(base, session)


def test_stores_by_name_with_and_without_a_mail_address(base: Base, airtable: Airtable) -> None:
    base.table("Stores").create({"Name": "main street ", "Email": " main@shop.test "})
    base.table("Stores").create({"Name": "Airport"})
    stores = airtable.stores()
    assert [(store.name, store.email) for store in stores] == [
        ("Airport", ""),
        ("main street", "main@shop.test"),
    ]


class TestUpdateRows:
    def test_writes_money_links_and_moments_as_airtable_wants_them(
        self, base: Base, airtable: Airtable, session: requests.Session
    ) -> None:
        row_id = file_redemption(base)
        card = base.table("Gift Cards").create({"Card": "•••• 2b5a"})["id"]
        sent: list[bytes] = []
        adapter = session.get_adapter("https://airtable.test")
        send = adapter.send

        def noting(request: requests.PreparedRequest, **kwargs: object) -> requests.Response:
            body = request.body or b""
            sent.append(body.encode() if isinstance(body, str) else body)
            return send(request, **kwargs)  # type: ignore[arg-type]  # handed on as it came

        adapter.send = noting  # type: ignore[method-assign,assignment]  # watches the wire
        report = airtable.update_rows(
            "Redemptions",
            {
                row_id: {
                    "Status": "Processed",
                    "Gift Card": [card],
                    "Balance After": Decimal("37.10"),
                    "Processed At": datetime(
                        2026, 11, 23, 7, 0, 5, tzinfo=timezone(-timedelta(hours=5))
                    ),
                    "Gift Card Code": None,
                }
            },
        )
        assert report == UpdateReport()
        cells = base.table("Redemptions").get(row_id)["fields"]
        assert cells["Gift Card"] == [card]
        assert cells["Processed At"] == "2026-11-23T12:00:05.000Z"
        assert "Gift Card Code" not in cells
        assert Decimal(str(cells["Balance After"])) == Decimal("37.10")
        assert b": 37.1" in sent[0]
        assert json.loads(sent[0])["typecast"] is False

    def test_ten_rows_a_call(
        self, base: Base, connect: Callable[..., Airtable], clock: Clock
    ) -> None:
        rows = [file_redemption(base) for _ in range(20)]
        connect(requests_a_second=1).update_rows(
            "Redemptions", {row: {"Status": "Processed"} for row in rows}
        )
        assert len(clock.slept) == 1  # two calls, the first without a wait
        left = [r for r in base.table("Redemptions").records() if "Status" not in r["fields"]]
        assert left == []

    def test_a_deleted_row_stops_no_other(self, base: Base, airtable: Airtable) -> None:
        rows = [file_redemption(base) for _ in range(10)]
        for gone in (rows[0], rows[4]):
            base.table("Redemptions").delete(gone)
        report = airtable.update_rows("Redemptions", {row: {"Status": "Processed"} for row in rows})
        assert report == UpdateReport(missing_rows=frozenset({rows[0], rows[4]}))
        written = [r["fields"].get("Status") for r in base.table("Redemptions").records()]
        assert written == ["Processed"] * 8

    def test_a_refusal_that_names_no_row_is_looked_into(
        self, base: Base, airtable: Airtable
    ) -> None:
        garble(airtable, status=422, body=b'{"error":{"type":"ROW_DOES_NOT_EXIST"}}')
        rows = [file_redemption(base) for _ in range(4)]
        base.table("Redemptions").delete(rows[2])
        report = airtable.update_rows("Redemptions", {row: {"Message": "x"} for row in rows})
        assert report == UpdateReport(missing_rows=frozenset({rows[2]}))
        assert base.table("Redemptions").get(rows[3])["fields"]["Message"] == "x"

    @pytest.mark.parametrize(
        "kind", ["UNKNOWN_FIELD_NAME", "INVALID_VALUE_FOR_COLUMN", "ROW_DOES_NOT_EXIST", "NEW"]
    )
    def test_a_refusal_that_explains_nothing_ends_at_once(
        self, base: Base, airtable: Airtable, kind: str
    ) -> None:
        row = file_redemption(base)
        base.faults.add(Fault.FAIL_BEFORE, operation="update", times=None)
        garble(airtable, status=500, body=b'{"error":{"type":"%s"}}' % kind.encode(), to_status=422)
        with pytest.raises(NeedsAPerson):
            airtable.update_rows("Redemptions", {row: {"Message": "x"}})

    def test_every_row_deleted(self, base: Base, airtable: Airtable) -> None:
        rows = [file_redemption(base) for _ in range(3)]
        for row in rows:
            base.table("Redemptions").delete(row)
        report = airtable.update_rows("Redemptions", {row: {"Message": "x"} for row in rows})
        assert report.missing_rows == frozenset(rows)

    def test_a_deleted_field_stops_no_other(self, base: Base, airtable: Airtable) -> None:
        row = file_redemption(base)
        for field in ("Message", "Outcome"):
            base.table("Redemptions").delete_field(field)
        cells = {"Status": "Processed", "Outcome": "REDEEMED", "Message": "Done."}
        report = airtable.update_rows("Redemptions", {row: cells})
        assert report == UpdateReport(missing_fields=frozenset({"Message", "Outcome"}))
        assert base.table("Redemptions").get(row)["fields"]["Status"] == "Processed"

    def test_a_link_to_a_deleted_record_is_left_out_and_told_apart_from_a_deleted_row(
        self, base: Base, airtable: Airtable
    ) -> None:
        row = file_redemption(base)
        cards = [base.table("Gift Cards").create({"Card": card})["id"] for card in "AB"]
        base.table("Gift Cards").delete(cards[0])
        report = airtable.update_rows(
            "Redemptions", {row: {"Gift Card": cards, "Status": "Processed"}}
        )
        assert report == UpdateReport(missing_links=frozenset({cards[0]}))
        cells = base.table("Redemptions").get(row)["fields"]
        assert cells["Gift Card"] == [cards[1]]
        assert cells["Status"] == "Processed"

    def test_row_field_and_link_gone_at_once(self, base: Base, airtable: Airtable) -> None:
        rows = [file_redemption(base) for _ in range(3)]
        card = base.table("Gift Cards").create({"Card": "A"})["id"]
        base.table("Gift Cards").delete(card)
        base.table("Redemptions").delete(rows[1])
        base.table("Redemptions").delete_field("Message")
        cells = {"Gift Card": [card], "Message": "Done.", "Status": "Processed"}
        report = airtable.update_rows("Redemptions", dict.fromkeys(rows, cells))
        assert report == UpdateReport(
            frozenset({rows[1]}), frozenset({"Message"}), frozenset({card})
        )
        assert base.table("Redemptions").get(rows[2])["fields"]["Status"] == "Processed"

    def test_an_optional_field_the_base_never_had_is_reported(
        self, base: Base, airtable: Airtable, layout: Layout
    ) -> None:
        row = file_redemption(base)
        del layout.field_ids["Redemptions"]["Approved"]  # type: ignore[attr-defined]  # a dict
        report = airtable.update_rows("Redemptions", {row: {"Approved": True, "Message": "x"}})
        assert report.missing_fields == {"Approved"}
        assert base.table("Redemptions").get(row)["fields"]["Message"] == "x"

    def test_a_word_the_select_lacks_is_reported_and_all_else_is_written(
        self, base: Base, airtable: Airtable
    ) -> None:
        rows = [file_redemption(base), file_redemption(base)]
        changes = {
            rows[0]: {"Status": SECRET, "Message": "one"},
            rows[1]: {"Status": "Processed", "Message": "two"},
        }
        report = airtable.update_rows("Redemptions", changes)
        assert report == UpdateReport(refused_choices=frozenset(["Status"]))
        first, second = (base.table("Redemptions").get(row)["fields"] for row in rows)
        assert (first.get("Status"), first["Message"]) == (None, "one")
        assert (second["Status"], second["Message"]) == ("Processed", "two")

    def test_a_field_of_our_imagination_is_our_mistake(self, airtable: Airtable) -> None:
        with pytest.raises(KeyError, match="Statsu"):
            airtable.update_rows("Redemptions", {"recAAAAAAAAAAAAAA": {"Statsu": "x"}})

    def test_money_is_never_a_float(self, airtable: Airtable) -> None:
        with pytest.raises(TypeError, match="float"):
            airtable.update_rows("Redemptions", {"recAAAAAAAAAAAAAA": {"Balance After": 1.5}})

    def test_a_reply_that_never_came_may_be_written_again(
        self, base: Base, airtable: Airtable
    ) -> None:
        row = file_redemption(base)
        base.faults.add(Fault.DROP_REPLY, operation="update Redemptions")
        changes = {row: {"Status": "Processed"}}
        with pytest.raises(Unconfirmed, match="“Redemptions”"):
            airtable.update_rows("Redemptions", changes)
        assert airtable.update_rows("Redemptions", changes) == UpdateReport()


class TestCreateRows:
    def test_ids_in_order(self, base: Base, airtable: Airtable) -> None:
        names = [f"receipt#{number}" for number in range(23)]
        ids = airtable.create_rows("Receipts", [{"Receipt": name} for name in names])
        made = {row["id"]: row["fields"]["Receipt"] for row in base.table("Receipts").records()}
        assert [made[one] for one in ids] == names

    def test_a_day_and_an_amount(self, base: Base, airtable: Airtable) -> None:
        airtable.create_rows(
            "Gift Cards",
            [{"Card": "•••• 2b5a", "Balance": Decimal(25), "Expires On": date(2030, 1, 31)}],
        )
        (card,) = base.table("Gift Cards").records()
        assert card["fields"]["Balance"] == 25
        assert card["fields"]["Expires On"] == "2030-01-31"

    @pytest.mark.parametrize(
        "fault", [Fault.DROP_REPLY, Fault.BREAK_CONNECTION, Fault.FAIL_AFTER, Fault.FAIL_BEFORE]
    )
    def test_an_unknown_reply_is_never_repeated(
        self, base: Base, airtable: Airtable, fault: Fault
    ) -> None:
        base.faults.add(fault, operation="create Receipts")
        with pytest.raises(Unconfirmed):
            airtable.create_rows("Receipts", [{"Receipt": "one"}])
        made = base.table("Receipts").records()
        assert len(made) == (0 if fault is Fault.FAIL_BEFORE else 1)

    def test_applied_late_is_unknown_too(
        self, base: Base, airtable: Airtable, clock: Clock
    ) -> None:
        base.faults.add(Fault.APPLY_LATE, operation="create", seconds=8)
        with pytest.raises(Unconfirmed):
            airtable.create_rows("Receipts", [{"Receipt": "one"}])
        assert base.table("Receipts").records() == []
        clock.go_on(8)
        assert airtable.find_rows("Receipts", "Receipt", ["one"])["one"] != []

    @pytest.mark.parametrize("fault", [Fault.REFUSE_CONNECTION, Fault.THROTTLE])
    def test_not_sent_where_airtable_did_not_run_it(
        self, base: Base, airtable: Airtable, fault: Fault
    ) -> None:
        base.faults.add(fault, operation="create Receipts")
        with pytest.raises(NotSent):
            airtable.create_rows("Receipts", [{"Receipt": "one"}])
        assert base.table("Receipts").records() == []

    def test_not_sent_at_the_second_ten_is_unknown_as_a_whole(
        self, base: Base, connect: Callable[..., Airtable], clock: Clock
    ) -> None:
        def refuse_the_next(seconds: float) -> None:
            clock.go_on(seconds)
            base.faults.add(Fault.REFUSE_CONNECTION)

        airtable = connect(requests_a_second=1)
        airtable._api.session._pace._sleep = refuse_the_next  # type: ignore[attr-defined]  # noqa: SLF001 - between the calls
        with pytest.raises(Unconfirmed, match="10 rows were made"):
            airtable.create_rows("Receipts", [{"Receipt": str(n)} for n in range(20)])

    def test_a_deleted_field_is_named(self, base: Base, airtable: Airtable) -> None:
        base.table("Receipts").delete_field("Details")
        with pytest.raises(BaseMismatch, match="“Receipts” does not have “Details”"):
            airtable.create_rows("Receipts", [{"Receipt": "one", "Details": "x"}])

    def test_a_full_base_needs_a_person(self, base: Base, airtable: Airtable) -> None:
        base.records_limit = 0
        with pytest.raises(NeedsAPerson, match="takes no more rows"):
            airtable.create_rows("Receipts", [{"Receipt": "one"}])


class TestFindRows:
    def test_each_value_with_its_rows_oldest_first(
        self, base: Base, airtable: Airtable, clock: Clock
    ) -> None:
        first = base.table("Receipts").create({"Receipt": "a"})["id"]
        clock.go_on(1)
        second = base.table("Receipts").create({"Receipt": "a"})["id"]
        other = base.table("Receipts").create({"Receipt": "A"})["id"]
        found = airtable.find_rows("Receipts", "Receipt", ["a", "A", "b"])
        assert found == {"a": [first, second], "A": [other], "b": []}

    def test_many_values(self, base: Base, airtable: Airtable) -> None:
        names = [f"receipt {number}" for number in range(120)]
        made = {name: base.table("Receipts").create({"Receipt": name})["id"] for name in names}
        found = airtable.find_rows("Receipts", "Receipt", names)
        assert found == {name: [record_id] for name, record_id in made.items()}

    def test_nothing_asked_nothing_sent(self, base: Base, airtable: Airtable) -> None:
        base.is_down = True
        assert airtable.find_rows("Receipts", "Receipt", []) == {}

    def test_no_value_equals_no_number(self, base: Base, airtable: Airtable) -> None:
        """In Airtable an empty cell equals 0; here it does not."""
        empty = base.table("Receipts").create({"Actor": "x"})["id"]
        found = airtable.find_rows("Receipts", "Receipt", ["0", ""])
        assert found == {"0": [], "": [empty]}

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
    @given(
        values=st.lists(
            st.text(min_size=1)
            | st.sampled_from(["'", "\\", "\\'", '"', "{Receipt}", "' OR 1=1", "\n", "a', 'b"]),
            min_size=1,
            max_size=8,
            unique=True,
        ),
        data=st.data(),
    )
    def test_any_text_is_found_exactly(
        self, base: Base, airtable: Airtable, values: list[str], data: st.DataObject
    ) -> None:
        for record in base.table("Receipts").records():
            base.table("Receipts").delete(record["id"])
        made = {value: base.table("Receipts").create({"Receipt": value})["id"] for value in values}
        asked = data.draw(st.lists(st.sampled_from(values), unique=True))
        found = airtable.find_rows("Receipts", "Receipt", asked)
        assert found == {value: [made[value]] for value in asked}


class TestWhatGoesWrong:
    def read(self, airtable: Airtable) -> object:
        return airtable.waiting_redemptions(since=NOON)

    def test_a_wrong_token_says_where_to_mend_it(self, connect: Callable[..., Airtable]) -> None:
        with pytest.raises(AccessRefused, match="airtable-token"):
            self.read(connect(token="patWrong"))

    def test_a_deleted_table_names_the_scopes_and_the_table(
        self, base: Base, airtable: Airtable
    ) -> None:
        base.delete_table("Redemptions")
        with pytest.raises(AccessRefused, match=r"“Redemptions”.*data\.records:read"):
            self.read(airtable)

    @pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.THROTTLE_429])
    def test_too_fast_gives_up_at_once(
        self, base: Base, airtable: Airtable, clock: Clock, fault: Fault
    ) -> None:
        base.faults.add(fault, operation="list")
        with pytest.raises(NotSent, match="30 s"):
            self.read(airtable)
        assert clock.slept == []
        clock.go_on(30)
        assert self.read(airtable) == []

    def test_down(self, base: Base, airtable: Airtable) -> None:
        base.is_down = True
        with pytest.raises(TryAgain, match="HTTP 503"):
            self.read(airtable)
        with pytest.raises(Unconfirmed, match="HTTP 503"):
            airtable.create_rows("Receipts", [{"Receipt": "x"}])

    def test_a_read_that_timed_out_is_not_repeated(self, base: Base, airtable: Airtable) -> None:
        base.faults.add(Fault.DROP_REPLY, operation="list")
        with pytest.raises(TryAgain, match="did not answer"):
            self.read(airtable)
        assert base.faults.waiting() == []

    @pytest.mark.parametrize("fault", [Fault.BREAK_CONNECTION, Fault.REFUSE_CONNECTION])
    def test_a_read_whose_connection_broke_is_asked_once_more(
        self, base: Base, airtable: Airtable, fault: Fault
    ) -> None:
        base.faults.add(fault, operation="list")
        assert self.read(airtable) == []
        base.faults.add(fault, operation="list", times=2)
        with pytest.raises(TryAgain):
            self.read(airtable)
        assert base.faults.waiting() == []

    def test_the_calls_of_a_month_are_used_up(
        self, connect: Callable[..., Airtable], base: Base
    ) -> None:
        base.calls_left = 0
        with pytest.raises(AccessRefused, match="calls of this month"):
            self.read(connect())

    def test_an_unreadable_reply(self, airtable: Airtable) -> None:
        garble(airtable, status=200, body=b"<html>maintenance</html>")
        with pytest.raises(TryAgain):
            self.read(airtable)
        with pytest.raises(Unconfirmed):
            airtable.create_rows("Receipts", [{"Receipt": "x"}])

    @pytest.mark.parametrize("body", [b"[]", b"{}", b'{"records": [{"id": 7}]}'])
    def test_a_reply_of_an_unknown_form(self, airtable: Airtable, body: bytes) -> None:
        garble(airtable, status=200, body=body)
        with pytest.raises(Unconfirmed):
            airtable.create_rows("Receipts", [{"Receipt": "x"}])
        if body != b"{}":  # a list without records is an empty list
            with pytest.raises(VendorSurprise):
                self.read(airtable)

    def test_fewer_rows_than_were_sent(self, airtable: Airtable) -> None:
        garble(airtable, status=200, body=b'{"records": []}')
        with pytest.raises(Unconfirmed, match="0 rows"):
            airtable.create_rows("Receipts", [{"Receipt": "x"}])

    def test_no_connection_in_time_is_not_repeated(
        self, airtable: Airtable, session: requests.Session
    ) -> None:
        tried: list[object] = []

        class Far(requests.adapters.HTTPAdapter):
            @override
            def send(self, request: requests.PreparedRequest, *_: Any, **how: Any) -> Any:
                tried.append(how["timeout"])
                raise requests.ConnectTimeout(request=request)

        session.mount(URL, Far())
        with pytest.raises(NotSent, match="could not be reached"):
            self.read(airtable)
        assert tried == [(5, 5)]

    @pytest.mark.parametrize("kind", [Fault.FAIL_BEFORE, Fault.DROP_REPLY, Fault.REFUSE_TOKEN])
    def test_no_message_holds_a_cell(self, base: Base, airtable: Airtable, kind: Fault) -> None:
        base.faults.add(kind, times=None)
        calls: list[Callable[[], object]] = [
            lambda: airtable.find_rows("Receipts", "Receipt", [SECRET]),
            lambda: airtable.create_rows("Receipts", [{"Receipt": SECRET}]),
            lambda: airtable.update_rows("Receipts", {"recAAAAAAAAAAAAAA": {"Receipt": SECRET}}),
        ]
        for call in calls:
            with pytest.raises((TryAgain, NeedsAPerson)) as caught:
                call()
            assert SECRET not in str(caught.value)

    def test_a_shared_session_never_carries_our_token(
        self, airtable: Airtable, session: requests.Session
    ) -> None:
        self.read(airtable)
        assert "Authorization" not in session.headers


def test_the_pace_lets_so_many_requests_through_in_any_second(
    base: Base, connect: Callable[..., Airtable], clock: Clock
) -> None:
    airtable = connect(requests_a_second=4)
    started = clock.now
    for _ in range(9):
        airtable.stores()
    assert (clock.now - started).total_seconds() == pytest.approx(2 * SPACED_OUT)
    assert base.count_records() == 0


def test_two_workers_that_take_turns_at_a_pace_keep_it_together(
    base: Base, connect: Callable[..., Airtable], clock: Clock
) -> None:
    """Neither knows of the other: whoever gives the work away rests first."""
    started = clock.now
    for _ in range(5):
        for worker in (connect(requests_a_second=4), connect(requests_a_second=4)):
            worker.stores()
            worker.rest()
    assert (clock.now - started).total_seconds() == pytest.approx(2.5 * SPACED_OUT)
    assert base.refused_as_too_fast == 0


def test_utc_is_what_goes_out(base: Base, airtable: Airtable) -> None:
    (row,) = airtable.create_rows("Receipts", [{"At": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}])
    assert base.table("Receipts").get(row)["fields"]["At"] == "2026-01-02T03:04:05.000Z"
    with pytest.raises(ValueError, match="time zone"):
        airtable.create_rows("Receipts", [{"At": datetime(2026, 1, 2)}])  # noqa: DTZ001 - refused
