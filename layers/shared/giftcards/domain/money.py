"""An amount of money: whole minor units and their currency, never a float."""

import re
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import Self

# How many decimals a currency has, where that is not two.
# ISO 4217, list one (active codes), column "minor units"; a test compares it with a library's copy.
CURRENCIES_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
MINOR_UNIT_EXPONENTS = {
    currency: exponent
    for exponent, currencies in CURRENCIES_BY_EXPONENT.items()
    for currency in currencies.split()
}
DEFAULT_EXPONENT = 2

CURRENCY = re.compile(r"[A-Z]{3}")

# Digits and a decimal point. Python would also read 12_50 as 1250, and 1e3 as a thousand.
PLAIN_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)"

# No shop's card holds a billion; a longer number is a scanned barcode in the wrong cell.
LARGEST_AMOUNT_MINOR = 10**12
# No amount up to there needs more characters; a longer text is something pasted by mistake.
LONGEST_AMOUNT_TEXT = 40


class MoneyError(ValueError):
    """What was given is not an amount of that currency; the message says why, in plain words."""


def minor_unit_exponent(currency: str) -> int:
    """How many decimals `currency` (an ISO 4217 code) has: 2 for USD, 0 for JPY, 3 for KWD."""
    return MINOR_UNIT_EXPONENTS.get(currency, DEFAULT_EXPONENT)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in whole minor units (cents, yen, fils) of one ISO 4217 currency.

    Amounts of two currencies are never added or compared: `MoneyError`.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if not CURRENCY.fullmatch(self.currency):
            raise MoneyError(f"{self.currency!r} is not an ISO 4217 currency code such as USD")

    @classmethod
    def parse(cls, text: str | Decimal, currency: str) -> Self:
        """Read a decimal number of major units: `"12.5"` USD is 1250 cents. Negative is allowed.

        Raises `MoneyError` for anything that is not a number, has more decimals than the currency,
        or is beyond `LARGEST_AMOUNT_MINOR`. Its message never repeats a text: it may be a code.
        """
        if isinstance(text, str) and len(text) > LONGEST_AMOUNT_TEXT:
            raise MoneyError("that is too long to be an amount")
        try:
            major = Decimal(text)
        except InvalidOperation:
            raise MoneyError("that is not a number") from None
        if not major.is_finite():
            raise MoneyError("that is not a number")
        exponent = minor_unit_exponent(currency)
        if major.copy_abs() > LARGEST_AMOUNT_MINOR:  # abs() would overflow on 1e9999999
            raise MoneyError("that is too large to be an amount")
        # Python's usual 28 digits would round a 30th decimal away, and 1e-9999999 down to nothing.
        exact = Context(prec=len(major.as_tuple().digits), Emin=MIN_EMIN, Emax=MAX_EMAX)
        minor = major.scaleb(exponent, context=exact)
        if minor != minor.to_integral_value():
            raise MoneyError(
                f"{major} has more than {exponent} decimals, which {currency} does not have"
            )
        if abs(minor) > LARGEST_AMOUNT_MINOR:
            raise MoneyError("that is too large to be an amount")
        return cls(int(minor), currency)

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Nothing, in `currency`."""
        return cls(0, currency)

    def decimal(self) -> Decimal:
        """The amount in major units, with exactly the currency's decimals: 1250 USD is `12.50`."""
        return Decimal(self.minor).scaleb(-minor_unit_exponent(self.currency))

    def __str__(self) -> str:
        """Write it for people: `12.50 USD`."""
        return f"{self.decimal():,f} {self.currency}"

    def _same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise MoneyError(f"{self} and {other} are of two currencies")

    def __add__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        self._same_currency(other)
        return self.minor < other.minor

    def __le__(self, other: "Money") -> bool:
        self._same_currency(other)
        return self.minor <= other.minor

    def __gt__(self, other: "Money") -> bool:
        return other < self

    def __ge__(self, other: "Money") -> bool:
        return other <= self


def read_amount(typed: str | None, *, currency: str) -> Money:
    """The amount a store typed; raises `MoneyError` in words for the store where it is none."""
    if typed is None or not typed.strip():
        raise MoneyError("the amount is missing")
    if re.fullmatch(PLAIN_NUMBER, typed.strip(), re.ASCII) is None:
        raise MoneyError("that is not a number")
    amount = Money.parse(typed.strip(), currency)
    if amount <= Money.zero(currency):
        raise MoneyError(f"the amount is {amount}; it has to be more than zero")
    return amount
