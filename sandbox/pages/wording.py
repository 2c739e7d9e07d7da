"""How amounts and times are written for people, and how typed amounts are read."""

from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}

# Airtable's currency fields show two decimals unless set up otherwise.
USUAL_DECIMALS = 2

# Beyond this a float has no cents left, and no till has ever taken so much.
LARGEST_TYPED_AMOUNT = Decimal(10) ** 15


class NotAnAmountError(ValueError):
    """What was typed is no number; the message says so in plain words."""


def symbol_of(currency: str) -> str:
    """What stands in front of an amount: `$`, or the currency's code and a blank."""
    return SYMBOLS.get(currency, f"{currency} ")


def write_amount(amount: Decimal, symbol: str, *, decimals: int = USUAL_DECIMALS) -> str:
    """An amount for people: `$1,234.50`, `−$3.00`.

    More decimals than usual are shown rather than rounded away: whoever wonders why an amount was
    refused has to see them.
    """
    whole = amount.quantize(Decimal(1).scaleb(-decimals)) if _fits(amount, decimals) else amount
    sign = "−" if whole < 0 else ""
    return f"{sign}{symbol}{abs(whole):,f}"


def _fits(amount: Decimal, decimals: int) -> bool:
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -decimals


def read_amount(typed: str, symbol: str) -> Decimal:
    """The number somebody typed into a currency cell, read as Airtable reads it: `$1,234.5`.

    Negative numbers and any number of decimals are taken. Raises `NotAnAmountError`.
    """
    text = typed.strip().replace("−", "-").replace(symbol.strip(), "").replace(",", "").strip()
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise NotAnAmountError("This has to be a number, such as 12.50.") from None
    if not amount.is_finite():
        raise NotAnAmountError("This has to be a number, such as 12.50.")
    if abs(amount) > LARGEST_TYPED_AMOUNT:
        raise NotAnAmountError("This number is too large for a cell.")
    return amount


def write_moment(moment: datetime, zone: tzinfo) -> str:
    """A moment on the shop's own clock: `Nov 23, 14:05:09`."""
    local = moment.astimezone(zone)
    return f"{local:%b} {local.day}, {local:%H:%M:%S}"


def peek(text: str, length: int = 90) -> str:
    """The beginning of a mail's text, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
