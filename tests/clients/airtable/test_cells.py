"""What is read from a cell of any kind, and what is written into one."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftcards.clients.airtable.cells import (
    read_amount,
    read_text,
    write_cell,
)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        ("Main Street", "Main Street"),
        (["recAAAAAAAAAAAAAA"], "recAAAAAAAAAAAAAA"),
        (["recAAAAAAAAAAAAAA", "recBBBBBBBBBBBBBB"], ""),
        ([], ""),
        ([12.5], "12.5"),
        (20261123, "20261123"),
        (1e21, "1000000000000000000000"),
        (0.1, "0.1"),
        ({"text": "2b5a2b5a", "type": "code128"}, "2b5a2b5a"),
        ({"id": "usr1", "email": "ada@shop.test"}, "ada@shop.test"),
        ({"id": "usr1", "email": "ada@shop.test", "name": "Ada"}, "Ada"),
        (True, ""),
        ({"unheard": "of"}, ""),
    ],
)
def test_a_cell_of_any_kind_as_text(cell: object, text: str) -> None:
    assert read_text(cell) == text


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        (12.5, "12.5"),
        (25, "25"),
        (0, "0"),
        (-3.1, "-3.1"),
        (1e-7, "0.0000001"),
        ("12,50 ", "12,50 "),
        (None, None),
        ("", None),
        ([19.99], "19.99"),
        ({"specialValue": "NaN"}, "NaN"),
    ],
)
def test_an_amount_stays_what_was_typed(cell: object, amount: str | None) -> None:
    assert read_amount(cell) == amount


@given(st.decimals(min_value=-(10**10), max_value=10**10, places=2))
def test_money_goes_out_and_comes_back_as_it_was(amount: Decimal) -> None:
    written = write_cell(amount)
    assert isinstance(written, int | float)
    back = read_amount(written)
    assert back is not None
    assert Decimal(back) == amount


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, None),
        ("text", "text"),
        (True, True),
        (3, 3),
        (Decimal("12.50"), 12.5),
        (Decimal("1E+2"), 100),
        (["recAAAAAAAAAAAAAA"], ["recAAAAAAAAAAAAAA"]),
        (date(2026, 11, 23), "2026-11-23"),
        (datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=UTC), "2026-11-23T01:02:03.456Z"),
    ],
)
def test_what_goes_into_a_cell(value: object, cell: object) -> None:
    assert write_cell(value) == cell


@pytest.mark.parametrize("value", [1.5, {"a": 1}, b"x", object()])
def test_what_has_no_place_in_a_cell(value: object) -> None:
    with pytest.raises(TypeError):
        write_cell(value)


def test_a_number_that_json_would_bend_is_refused() -> None:
    with pytest.raises(ValueError, match="digits"):
        write_cell(Decimal("0.12345678901234567890"))
