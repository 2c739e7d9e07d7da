"""An amount is whole minor units of one currency, read exactly or refused in plain words."""

import time
from decimal import Decimal

import iso4217
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from giftcards.domain.money import (
    LARGEST_AMOUNT_MINOR,
    LONGEST_AMOUNT_TEXT,
    MINOR_UNIT_EXPONENTS,
    Money,
    MoneyError,
    minor_unit_exponent,
)

currency_codes = st.sampled_from(sorted(iso4217.Currency.__members__)).map(
    lambda name: iso4217.Currency[name].code
)
amounts = st.builds(Money, st.integers(-LARGEST_AMOUNT_MINOR, LARGEST_AMOUNT_MINOR), currency_codes)


def test_every_currency_of_iso_4217_has_its_number_of_decimals() -> None:
    published = {
        currency.code: currency.exponent
        for currency in iso4217.Currency
        if currency.exponent is not None  # gold, test codes and funds have no minor unit
    }
    assert len(published) > 150
    assert {code: minor_unit_exponent(code) for code in published} == published
    assert set(MINOR_UNIT_EXPONENTS) <= set(published)


@given(amounts)
def test_an_amount_is_read_back_from_how_it_is_written(amount: Money) -> None:
    assert Money.parse(amount.decimal(), amount.currency) == amount
    assert Money.parse(str(amount.decimal()), amount.currency) == amount
    number, currency = str(amount).split(" ")
    assert Money.parse(number.replace(",", ""), currency) == amount


@given(amounts)
def test_an_amount_is_written_with_exactly_its_currency_s_decimals(amount: Money) -> None:
    decimals = str(amount).split(" ")[0].partition(".")[2]
    assert len(decimals) == minor_unit_exponent(amount.currency)


@pytest.mark.parametrize(
    ("text", "currency", "minor", "written"),
    [
        ("12.5", "USD", 1250, "12.50 USD"),
        ("12.50", "USD", 1250, "12.50 USD"),
        ("0012", "USD", 1200, "12.00 USD"),
        ("1250", "JPY", 1250, "1,250 JPY"),
        ("1.234", "KWD", 1234, "1.234 KWD"),
        ("0.0001", "CLF", 1, "0.0001 CLF"),
        ("-3.0", "USD", -300, "-3.00 USD"),
        ("-0", "USD", 0, "0.00 USD"),
        ("1E3", "USD", 100_000, "1,000.00 USD"),
        ("12.5000000000000000000000000000", "USD", 1250, "12.50 USD"),
        ("10000000000", "USD", LARGEST_AMOUNT_MINOR, "10,000,000,000.00 USD"),
    ],
)
def test_what_is_an_amount(text: str, currency: str, minor: int, written: str) -> None:
    amount = Money.parse(text, currency)
    assert amount == Money(minor, currency)
    assert str(amount) == written


@pytest.mark.parametrize(
    "text", ["", " ", "ten", "12,50", "$12", "NaN", "sNaN", "Infinity", "-inf", "0x10"]
)
def test_what_is_no_number_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(MoneyError, match=r"^that is not a number$"):
        Money.parse(text, "USD")


@given(st.text(min_size=8))
def test_a_text_is_never_repeated_because_it_may_be_a_card_code(text: str) -> None:
    try:
        Decimal(text)
    except ArithmeticError:
        with pytest.raises(MoneyError) as refused:
            Money.parse(text, "USD")
        assert str(refused.value) in {
            "that is not a number",
            "that is too long to be an amount",
        }


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("12.345", "USD"),
        ("0.5", "JPY"),
        ("1.2345", "KWD"),
        ("0.00001", "UYW"),
        ("12.500000000000000000000000000000001", "USD"),  # beyond the usual 28 digits
        ("1e-9999999", "USD"),
        ("1e-999999999999999999", "USD"),
    ],
)
def test_too_many_decimals_are_refused_however_small(text: str, currency: str) -> None:
    with pytest.raises(MoneyError, match=r"more than \d decimals"):
        Money.parse(text, currency)


@given(st.decimals(allow_nan=False, allow_infinity=False), currency_codes)
def test_no_decimal_is_ever_rounded(number: Decimal, currency: str) -> None:
    try:
        amount = Money.parse(number, currency)
    except MoneyError:
        return
    assert amount.decimal() == number


@pytest.mark.parametrize(
    "text",
    ["10000000000.01", "1e11", "-1e11", "1e999999", "1e999999999", "9" * LONGEST_AMOUNT_TEXT],
)
def test_what_is_too_large_is_refused(text: str) -> None:
    with pytest.raises(MoneyError, match="too large"):
        Money.parse(text, "USD")


@pytest.mark.parametrize("text", ["1e999999999999", "1e-999999999999", "9" * 10_000_000])
def test_a_huge_number_costs_neither_time_nor_memory(text: str) -> None:
    started = time.process_time()
    with pytest.raises(MoneyError) as refused:
        Money.parse(text, "USD")
    assert len(str(refused.value)) < 100
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize("text", ["0." + "1" * 1000, "1" * (LONGEST_AMOUNT_TEXT + 1)])
def test_a_text_without_end_is_refused_in_a_short_sentence(text: str) -> None:
    with pytest.raises(MoneyError, match=r"^that is too long to be an amount$"):
        Money.parse(text, "USD")


def test_nothing_is_nothing_whatever_its_exponent() -> None:
    assert Money.parse("0e999999999999", "USD") == Money.zero("USD")


@pytest.mark.parametrize("currency", ["", "usd", "US", "USDX", "U$D", "US1", "USD\n"])
def test_a_currency_is_three_capital_letters(currency: str) -> None:
    with pytest.raises(MoneyError, match="ISO 4217"):
        Money(1, currency)


@given(amounts, amounts)
def test_two_currencies_are_never_mixed(one: Money, other: Money) -> None:
    assume(one.currency != other.currency)
    for mix in (
        Money.__add__,
        Money.__sub__,
        Money.__lt__,
        Money.__le__,
        Money.__gt__,
        Money.__ge__,
    ):
        with pytest.raises(MoneyError, match="two currencies"):
            mix(one, other)
    assert one != other


@given(st.integers(), st.integers())
def test_sums_and_comparisons_are_those_of_the_minor_units(one: int, other: int) -> None:
    first, second = Money(one, "USD"), Money(other, "USD")
    assert first + second == Money(one + other, "USD")
    assert first - second == Money(one - other, "USD")
    assert -first == Money.zero("USD") - first
    assert (first < second, first <= second) == (one < other, one <= other)
    assert (first > second, first >= second) == (one > other, one >= other)
    assert first - second + second == first
