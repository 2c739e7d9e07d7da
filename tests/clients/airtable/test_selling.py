"""What stores and customers ask for beside redemptions, read from the base; and a base without."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

from giftcards.clients.airtable import (
    ROW_IS_HELD,
    ROW_IS_IN_PROGRESS,
    Airtable,
    Layout,
    ResendRow,
    expected_tables,
    read_schema,
    resolve_layout,
)
from giftcards.domain.balance import BalanceRow
from giftcards.domain.creation import CreationRow
from giftcards.errors import AccessRefused, BaseMismatch, NotSent, TryAgain
from sandbox.airtable import Base
from sandbox.faults import Fault

from .conftest import NOON, URL, Clock

LONG_AGO = NOON - timedelta(days=1)
CODE = "ABCD1234EFGH5678"


def file(base: Base, **cells: Any) -> str:
    """A store files a request; field names with underscores."""
    store = base.table("Stores").create({"Name": "Main Street", "Email": "main@shop.example"})
    row = {
        "Store": [store["id"]],
        "Employee": "Ana",
        "Amount": 25,
        "Recipient Name": "Bea",
        "Recipient Email": "bea@example.com",
    }
    row |= {name.replace("_", " "): value for name, value in cells.items()}
    return base.table("Creation Requests").create(row)["id"]


def resolve(base: Base, session: requests.Session, names: Any = None) -> Layout:
    schema = read_schema(
        base.token, base_id=base.id, session=session, endpoint_url=URL, timeout_seconds=5
    )
    return resolve_layout(schema, names or {})


def client_of(base: Base, session: requests.Session) -> Airtable:
    """A client of the base as it is now."""
    return Airtable(
        base.token,
        base_id=base.id,
        layout=resolve(base, session),
        session=session,
        endpoint_url=URL,
        timeout_seconds=5,
    )


# ---- requests for cards -----------------------------------------------------------------------


def test_a_request_with_everything_filled_in(base: Base, airtable: Airtable) -> None:
    row_id = file(
        base,
        Amount=12.5,
        Quantity=3,
        Is_Gift=True,
        Purchaser_Name="Cid",
        Purchaser_Email="cid@example.com",
        Gift_Message="All the best,\nCid",
        Theme="Wedding",
        Send_On="2026-12-24",
        Kind="Promotional",
    )
    (store,) = airtable.stores()
    assert airtable.waiting_creations(since=LONG_AGO) == [
        CreationRow(
            id=row_id,
            created_at=NOON,
            store=store.id,
            employee="Ana",
            amount="12.5",
            quantity="3",
            recipient_name="Bea",
            recipient_email="bea@example.com",
            is_gift=True,
            purchaser_name="Cid",
            purchaser_email="cid@example.com",
            message="All the best,\nCid",
            theme="Wedding",
            send_on="2026-12-24",
            kind="Promotional",
            is_approved=False,
        )
    ]
    assert airtable.creation(row_id) == airtable.waiting_creations(since=LONG_AGO)[0]
    assert airtable.creation("recNobodyHasThis0") is None


def test_empty_cells_are_empty(base: Base, airtable: Airtable) -> None:
    row_id = base.table("Creation Requests").create({})["id"]
    assert airtable.creation(row_id) == CreationRow(
        id=row_id, created_at=NOON, store=None, employee="", amount=None, quantity=None,
        recipient_name="", recipient_email="", is_gift=False, purchaser_name="",
        purchaser_email="", message="", theme="", send_on="", kind="", is_approved=False,
    )  # fmt: skip


def test_a_request_waits_while_its_status_is_empty_or_once_the_office_approved(
    base: Base, airtable: Airtable
) -> None:
    waits = file(base)
    file(base, Status="Processed")
    file(base, Status=ROW_IS_IN_PROGRESS)
    file(base, Status="Processed", Approved=True)
    held = file(base, Status=ROW_IS_HELD)
    assert [row.id for row in airtable.waiting_creations(since=LONG_AGO)] == [waits]
    base.table("Creation Requests").update(held, {"Approved": True})
    rows = airtable.waiting_creations(since=LONG_AGO)
    assert {row.id: row.is_approved for row in rows} == {waits: False, held: True}


def test_the_oldest_comes_first_and_what_is_from_before_going_live_never(
    base: Base, airtable: Airtable, clock: Clock
) -> None:
    file(base)
    clock.go_on(60)
    live_from = clock()
    filed = []
    for _ in range(3):
        filed.append(file(base))
        clock.go_on(60)
    assert [row.id for row in airtable.waiting_creations(since=live_from)] == filed


def test_rows_are_read_in_hundreds_up_to_a_bound(base: Base, airtable: Airtable) -> None:
    for _ in range(101):
        base.table("Creation Requests").create({"Employee": "Ana"})
    assert len(airtable.waiting_creations(since=LONG_AGO, most_pages=1)) == 100
    assert len(airtable.waiting_creations(since=LONG_AGO)) == 101


def test_a_form_without_the_optional_questions_asks_for_one_paid_card(
    base: Base, session: requests.Session
) -> None:
    for field in expected_tables()["Creation Requests"].fields:
        if not field.required:
            base.table("Creation Requests").delete_field(field.name)
    file(base)
    (row,) = client_of(base, session).waiting_creations(since=LONG_AGO)
    assert (row.quantity, row.is_gift, row.theme, row.send_on) == (None, False, "", "")
    assert (row.kind, row.message, row.is_approved) == ("", "", False)
    assert row.amount == "25"


# ---- questions for a balance ------------------------------------------------------------------


def test_questions_for_a_balance_wait_oldest_first(
    base: Base, airtable: Airtable, clock: Clock
) -> None:
    checks = base.table("Balance Checks")
    checks.create({"Gift Card Code": "from before"})
    clock.go_on(60)
    first = checks.create({"Gift Card Code": f" {CODE}", "Email": " bea@example.com "})["id"]
    clock.go_on(60)
    second = checks.create({})["id"]
    checks.create({"Gift Card Code": CODE, "Status": "Processed"})
    rows = airtable.waiting_balance_checks(since=NOON + timedelta(seconds=30))
    assert rows == [
        BalanceRow(
            id=first,
            created_at=NOON + timedelta(seconds=60),
            typed_code=f" {CODE}",
            email="bea@example.com",
        ),
        BalanceRow(id=second, created_at=NOON + timedelta(seconds=120), typed_code="", email=""),
    ]
    assert CODE not in repr(rows)
    assert "bea" not in repr(rows)


# ---- mail a card again ------------------------------------------------------------------------


def test_the_office_ticks_which_cards_are_mailed_again(base: Base, airtable: Airtable) -> None:
    cards = base.table("Gift Cards")
    cards.create({"Shopify ID": "gid://shopify/GiftCard/1"})
    old = cards.create({"Shopify ID": "gid://shopify/GiftCard/2", "Resend": True})["id"]
    new = cards.create(
        {"Shopify ID": "gid://shopify/GiftCard/3", "Resend": True, "Resend To": " new@x.com "}
    )["id"]
    expected = [
        ResendRow(old, "gid://shopify/GiftCard/2", None),
        ResendRow(new, "gid://shopify/GiftCard/3", "new@x.com"),
    ]
    assert airtable.cards_to_resend() == sorted(expected, key=lambda row: row.id)
    airtable.update_rows("Gift Cards", {old: {"Resend": None}, new: {"Resend": None}})
    assert airtable.cards_to_resend() == []


def test_where_nobody_can_tick_it_nothing_is_mailed_again(
    base: Base, session: requests.Session
) -> None:
    base.table("Gift Cards").create({"Resend": True})
    base.table("Gift Cards").delete_field("Resend To")
    (row,) = client_of(base, session).cards_to_resend()
    assert row.to is None
    base.table("Gift Cards").delete_field("Resend")
    assert client_of(base, session).cards_to_resend() == []


# ---- a base without ---------------------------------------------------------------------------


def test_a_base_without_the_two_tables_still_redeems(base: Base, session: requests.Session) -> None:
    for table in ("Creation Requests", "Balance Checks"):
        base.delete_table(table)
    base.table("Redemptions").create({"Employee": "Ana", "Gift Card Code": CODE})
    airtable = client_of(base, session)
    assert airtable.waiting_creations(since=LONG_AGO) == []
    assert airtable.waiting_balance_checks(since=LONG_AGO) == []
    assert len(airtable.waiting_redemptions(since=LONG_AGO)) == 1


def test_what_is_off_is_named_with_the_tables_it_lacks(
    base: Base, session: requests.Session
) -> None:
    assert resolve(base, session).parts_off() == {}
    base.delete_table("Balance Checks")
    assert resolve(base, session).parts_off() == {"balance checks": ["Balance Checks"]}
    base.delete_table("Creation Requests")
    layout = resolve(base, session)
    assert layout.parts_off() == {
        "selling cards in stores": ["Creation Requests"],
        "balance checks": ["Balance Checks"],
    }
    assert Layout.from_json(layout.to_json()).parts_off() == layout.parts_off()


def test_only_these_three_tables_may_be_absent(base: Base, session: requests.Session) -> None:
    optional = {table.name for table in expected_tables().values() if table.part is not None}
    assert optional == {"Creation Requests", "Balance Checks", "Processed Orders"}
    base.delete_table("Receipts")
    with pytest.raises(BaseMismatch, match="no table “Receipts”"):
        resolve(base, session)


def test_a_table_that_the_shop_names_has_to_be_there(base: Base, session: requests.Session) -> None:
    with pytest.raises(BaseMismatch, match="no table “Sales”"):
        resolve(base, session, {"Creation Requests": {"": "Sales"}})
    base.delete_table("Creation Requests")
    with pytest.raises(BaseMismatch, match="no table “Creation Requests”"):
        resolve(base, session, {"Creation Requests": {"Amount": "Value"}})


def test_a_table_that_is_there_has_to_fit(base: Base, session: requests.Session) -> None:
    base.table("Creation Requests").delete_field("Recipient Email")
    base.table("Gift Cards").delete_field("Resend")
    base.table("Gift Cards").create_field({"name": "Resend", "type": "singleLineText"})
    with pytest.raises(BaseMismatch) as caught:
        resolve(base, session)
    assert "“Creation Requests” has no field “Recipient Email”" in str(caught.value)
    assert "field “Resend” is of Airtable's type singleLineText" in str(caught.value)


def test_a_base_that_only_redeems_may_lack_what_is_known_of_issued_cards(
    base: Base, session: requests.Session
) -> None:
    for field in expected_tables()["Gift Cards"].fields:
        if not field.required:
            base.table("Gift Cards").delete_field(field.name)
    layout = resolve(base, session)
    assert layout.field_id("Gift Cards", "Owner") is None


# ---- what goes wrong --------------------------------------------------------------------------

READS: list[Callable[[Airtable], object]] = [
    lambda airtable: airtable.waiting_creations(since=LONG_AGO),
    lambda airtable: airtable.waiting_balance_checks(since=LONG_AGO),
    lambda airtable: airtable.cards_to_resend(),
    lambda airtable: airtable.creation("rec00000000000000"),
]


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.FAIL_BEFORE, TryAgain),
        (Fault.DROP_REPLY, TryAgain),
        (Fault.THROTTLE_429, NotSent),
        (Fault.REFUSE_CONNECTION, NotSent),
        (Fault.REFUSE_TOKEN, AccessRefused),
    ],
)
def test_reading_fails_as_every_reading_does(
    base: Base,
    airtable: Airtable,
    clock: Clock,
    *,
    read: Callable[[Airtable], object],
    fault: Fault,
    error: type[Exception],
) -> None:
    base.faults.add(fault, times=None)
    with pytest.raises(error):
        read(airtable)
    base.faults.clear()
    clock.go_on(31)  # a 429 costs half a minute
    assert read(airtable) in ([], None)
