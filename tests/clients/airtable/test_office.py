"""What the office says of orders and redemptions: release one, give so much of another back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

from giftcards.clients.airtable import (
    CARD_IS_FROZEN,
    ORDER_IS_DONE,
    ORDER_IS_HELD,
    ORDER_MAKES_NO_CARD,
    ORDER_WAITS,
    Airtable,
    expected_tables,
    read_schema,
    resolve_layout,
)
from giftcards.domain.reversals import ReversalRow
from giftcards.errors import AccessRefused, BaseMismatch, NotSent, TryAgain
from sandbox.airtable import Base
from sandbox.faults import Fault

from .conftest import NOON, URL, Clock

LONG_AGO = NOON - timedelta(days=1)


@pytest.fixture
def reconnect(base: Base, session: requests.Session) -> Callable[[], Airtable]:
    """A client of the base as it is then."""

    def make() -> Airtable:
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
        )

    return make


def note(base: Base, name: str, status: str = ORDER_IS_HELD, *, release: bool = True) -> str:
    cells = {"Order ID": name, "Status": status} | ({"Release": True} if release else {})
    return base.table("Processed Orders").create(cells)["id"]


def redeem(base: Base, **cells: Any) -> str:
    row = {name.replace("_", " "): value for name, value in cells.items()}
    return base.table("Redemptions").create(row)["id"]


def totals(airtable: Airtable) -> list[str]:
    return [row.typed_total for row in airtable.reversals(since=LONG_AGO)]


# ---- orders that are released -----------------------------------------------------------------


def test_an_order_is_released_while_it_is_held_and_ticked(base: Base, airtable: Airtable) -> None:
    note(base, "5003")
    held = note(base, "5001")
    note(base, "5002", release=False)
    for status in (ORDER_IS_DONE, ORDER_MAKES_NO_CARD, ORDER_WAITS):
        note(base, f"5004/{status}", status)
    assert airtable.released_orders() == ["5001", "5003"]
    base.table("Processed Orders").update(held, {"Status": ORDER_IS_DONE})
    assert airtable.released_orders() == ["5003"]


def test_an_order_is_seen_without_a_tick_only_while_its_row_reads_held(
    base: Base, airtable: Airtable
) -> None:
    note(base, "5001")
    note(base, "5002", release=False)
    note(base, "5003", ORDER_IS_DONE, release=False)
    assert [
        name for name in ("5001", "5002", "5003", "5004") if airtable.is_held_unticked(name)
    ] == ["5002"]


def test_a_row_without_a_name_releases_nothing_and_a_copied_one_no_more(
    base: Base, airtable: Airtable
) -> None:
    table = base.table("Processed Orders")
    table.create({"Status": ORDER_IS_HELD, "Release": True})
    note(base, " ")
    note(base, "5001")
    note(base, " 5001 ")
    assert airtable.released_orders() == ["5001"]


def test_a_base_in_which_nobody_can_tick_releases_nothing(
    base: Base, reconnect: Callable[[], Airtable]
) -> None:
    note(base, "5001")
    assert reconnect().released_orders() == ["5001"]
    base.table("Processed Orders").delete_field("Release")
    assert reconnect().released_orders() == []
    assert not reconnect().is_held_unticked("5001")
    assert reconnect().has_table("Processed Orders")
    base.delete_table("Processed Orders")
    assert reconnect().released_orders() == []
    assert not reconnect().is_held_unticked("5001")
    assert not reconnect().has_table("Processed Orders")


def test_a_base_whose_words_are_texts_releases_as_well(
    base: Base, reconnect: Callable[[], Airtable]
) -> None:
    table = base.table("Processed Orders")
    table.delete_field("Status")
    table.create_field({"name": "Status", "type": "singleLineText"})
    note(base, "5001")
    assert reconnect().released_orders() == ["5001"]


# ---- what is to be given back -----------------------------------------------------------------


def test_a_filled_total_is_given_back(base: Base, airtable: Airtable, clock: Clock) -> None:
    late = clock.now + timedelta(seconds=60)
    redeem(base, Amount=10)
    first = redeem(base, Amount=10, Reverse_Amount=2.5)
    clock.go_on(60)
    second = redeem(base, Amount=10, Reverse_Amount=10, Approved=True, Status="Processed")
    assert airtable.reversals(since=LONG_AGO) == [
        ReversalRow(first, NOON, "2.5", is_approved=False),
        ReversalRow(second, late, "10", is_approved=True),
    ]
    assert [row.id for row in airtable.reversals(since=late)] == [second]


def test_what_was_given_back_leaves_the_list_until_the_total_changes(
    base: Base, airtable: Airtable
) -> None:
    row_id = redeem(base, Amount=10, Reverse_Amount=2.5)
    airtable.update_rows("Redemptions", {row_id: {"Reversed": 2}})
    assert totals(airtable) == ["2.5"]
    base.table("Redemptions").update(row_id, {"Reversed": 2.5})
    assert totals(airtable) == []
    base.table("Redemptions").update(row_id, {"Reverse Amount": 1})
    assert totals(airtable) == ["1"]  # a lower total is for others to refuse, but it is seen
    base.table("Redemptions").update(row_id, {"Reverse Amount": 0})
    assert totals(airtable) == ["0"]
    base.table("Redemptions").update(row_id, {"Reverse Amount": None})
    assert totals(airtable) == []


def test_amounts_are_told_as_they_were_typed(base: Base, reconnect: Callable[[], Airtable]) -> None:
    base.table("Redemptions").delete_field("Reverse Amount")
    base.table("Redemptions").create_field(
        {"name": "Reverse Amount", "type": "number", "options": {"precision": 8}}
    )
    redeem(base, Reverse_Amount=0.1)
    redeem(base, Reverse_Amount=1.234567)
    redeem(base, Reverse_Amount=-5)
    assert sorted(totals(reconnect())) == ["-5", "0.1", "1.234567"]


@pytest.mark.parametrize("typed", ["2.50", "2.5", "two fifty", " 2.50"])
def test_a_total_may_be_typed_into_a_text_field(
    base: Base, reconnect: Callable[[], Airtable], typed: str
) -> None:
    base.table("Redemptions").delete_field("Reverse Amount")
    base.table("Redemptions").create_field({"name": "Reverse Amount", "type": "singleLineText"})
    redeem(base)
    row_id = redeem(base, Reverse_Amount=typed)
    assert totals(reconnect()) == [typed]
    base.table("Redemptions").update(row_id, {"Reversed": 2.5})
    assert totals(reconnect()) == (["two fifty"] if typed == "two fifty" else [])


def test_a_base_without_the_offices_field_gives_nothing_back(
    base: Base, reconnect: Callable[[], Airtable]
) -> None:
    redeem(base, Reverse_Amount=2)
    base.table("Redemptions").delete_field("Approved")
    (row,) = reconnect().reversals(since=LONG_AGO)
    assert not row.is_approved
    base.table("Redemptions").delete_field("Reverse Amount")
    assert reconnect().reversals(since=LONG_AGO) == []


def test_without_reversed_every_filled_total_stays_in_the_list(
    base: Base, reconnect: Callable[[], Airtable]
) -> None:
    base.table("Redemptions").delete_field("Reversed")
    redeem(base, Reverse_Amount=2)
    assert totals(reconnect()) == ["2"]


def test_a_list_that_done_rows_have_filled_is_for_a_person(
    base: Base, reconnect: Callable[[], Airtable]
) -> None:
    """New rows would stand behind them, and nobody would ever see them."""
    for _ in range(100):
        redeem(base, Reverse_Amount=2)
    assert len(reconnect().reversals(since=LONG_AGO, most_pages=1)) == 100
    base.table("Redemptions").delete_field("Reversed")
    with pytest.raises(BaseMismatch, match="Reversed"):
        reconnect().reversals(since=LONG_AGO, most_pages=1)
    assert len(reconnect().reversals(since=LONG_AGO, most_pages=2)) == 100


def test_what_was_given_back_never_stands_before_what_was_not(
    base: Base, airtable: Airtable
) -> None:
    for _ in range(100):
        redeem(base, Reverse_Amount=2, Reversed=2)
    row_id = redeem(base, Reverse_Amount=2)
    rows = airtable.reversals(since=LONG_AGO, most_pages=1)
    assert [row.id for row in rows] == [row_id]


def test_a_text_field_full_of_what_was_given_back_is_for_a_person(
    base: Base, reconnect: Callable[[], Airtable]
) -> None:
    base.table("Redemptions").delete_field("Reverse Amount")
    base.table("Redemptions").create_field({"name": "Reverse Amount", "type": "singleLineText"})
    for _ in range(100):
        redeem(base, Reverse_Amount="2.00", Reversed=2)
    with pytest.raises(BaseMismatch, match="currency field"):
        reconnect().reversals(since=LONG_AGO, most_pages=1)


@pytest.mark.parametrize(
    "read",
    [
        lambda airtable: airtable.released_orders(),
        lambda airtable: airtable.is_held_unticked("5001"),
        lambda airtable: airtable.reversals(since=LONG_AGO),
    ],
)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.DROP_REPLY, TryAgain),
        (Fault.FAIL_BEFORE, TryAgain),
        (Fault.THROTTLE, NotSent),
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
    assert not read(airtable)


# ---- what the base has to offer ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "word"),
    [
        *(
            ("Processed Orders", one)
            for one in (ORDER_IS_DONE, ORDER_IS_HELD, ORDER_MAKES_NO_CARD, ORDER_WAITS)
        ),
        ("Gift Cards", CARD_IS_FROZEN),
    ],
)
def test_a_select_has_to_offer_every_word_of_ours(
    base: Base, reconnect: Callable[[], Airtable], table: str, word: str
) -> None:
    choices = base.table(table).field("Status").options["choices"]
    choices[:] = [choice for choice in choices if choice["name"] != word]
    with pytest.raises(BaseMismatch, match=f"“{word}”"):
        reconnect()


def test_the_table_of_orders_is_held_against_what_we_need(
    base: Base, reconnect: Callable[[], Airtable]
) -> None:
    expected = expected_tables()["Processed Orders"].fields
    required = [field.name for field in expected if field.required]
    for name in required[1:]:  # the first is the table's primary field, which nobody can delete
        base.table("Processed Orders").delete_field(name)
    with pytest.raises(BaseMismatch) as caught:
        reconnect()
    assert required[1:] == [
        "Order ID", "Kind", "Status", "Amount", "Gift Cards", "Processed At", "Message",
    ]  # fmt: skip
    for name in required[1:]:
        assert f"has no field “{name}”" in str(caught.value)
    assert "Release" not in str(caught.value)
