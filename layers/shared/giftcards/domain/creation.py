"""A store asks for gift cards: what its form says, what is wrong with it, and who has to allow it.

A request is taken or refused as a whole, and a refusal names every mistake at once, each with the
field and what to do: whoever sells a card has a customer before them and files the form again once.

Nothing here trusts the form. Its texts may be of any script and length, hold a card's code typed
into the wrong cell, or control characters; whatever is kept of them went through `typed_text`.
"""

import calendar
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from giftcards.domain.addresses import is_one_address
from giftcards.domain.cards import CardLimits, ShopFacts
from giftcards.domain.money import Money, MoneyError, read_amount
from giftcards.domain.outcomes import Store
from giftcards.domain.typed_text import clean_line, clean_lines

# Longer names than this are sentences.
LONGEST_NAME: Final = 100
# A gift's message is read on a phone, above the code; much more is a letter.
LONGEST_MESSAGE: Final = 500
# Nobody asks for ten thousand cards by writing more digits than this.
LONGEST_NUMBER: Final = 20
# Cleaning a text takes time for its length: one that is this many times too long is not looked at.
LOOKED_AT_TIMES: Final = 10

# US federal law (15 U.S.C. 1693l-1): a paid card lasts five years at least. It holds for all shops
# here, because a shop that sells on the web sells to the United States sooner or later.
FEWEST_PAID_YEARS: Final = 5

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class CardKind(StrEnum):
    """Whether somebody paid for the card: law and accounts tell them apart."""

    PAID = "Paid"
    PROMOTIONAL = "Promotional"


@dataclass(frozen=True, slots=True)
class CreationRow:
    """What a store typed into the form that asks for cards, as Airtable holds it.

    Numbers and days are written as text; an empty cell is `None` or an empty text.
    `store` is what the cell says: a store's record id where the field is a link, else its name.
    What people wrote is left out of the representation: it may hold names, or a code.
    """

    id: str
    created_at: datetime
    store: str | None
    employee: str = field(repr=False)
    amount: str | None
    quantity: str | None
    recipient_name: str = field(repr=False)
    recipient_email: str = field(repr=False)
    is_gift: bool
    purchaser_name: str = field(repr=False)
    purchaser_email: str = field(repr=False)
    message: str = field(repr=False)
    theme: str = field(repr=False)
    send_on: str = field(repr=False)
    kind: str = field(repr=False)
    is_approved: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who gets mail: a name of any script, and one address."""

    name: str = field(repr=False)
    email: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CreationRequest:
    """A request without mistakes. `amount` is what each card holds.

    `purchaser` is set for a gift only. `send_on` is a later day of the shop's calendar, or None:
    now. `message` may have lines.
    """

    row_id: str
    store: Store
    employee: str = field(repr=False)
    amount: Money
    quantity: int
    recipient: Person
    purchaser: Person | None
    message: str = field(repr=False)
    theme: str
    send_on: date | None
    kind: CardKind

    @property
    def total(self) -> Money:
        """What all its cards hold together."""
        return Money(self.amount.minor * self.quantity, self.amount.currency)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: the field it is in, by our name for it, and what to do, for shop staff.

    No text that was typed is repeated in it: it goes into mails, and the text may be a code.
    """

    field: str
    says: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The request is refused as a whole; `problems` names every mistake, in the form's order."""

    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class SellingRules:
    """What a shop sells. `themes` are names, the standard one first; `largest_quantity` is a row's.

    `promotional_days` is how long a promotional card is good (None: for ever), `paid_years` the
    same for a paid one, five at least. `furthest_days` bounds how far ahead a card may be sent.
    Raises `ValueError` for a policy that the law rules out, or no theme.
    """

    themes: tuple[str, ...] = ("Standard", "Birthday", "Wedding", "Holiday")
    largest_quantity: int = 50
    promotional_days: int | None = None
    paid_years: int | None = None
    furthest_days: int = 366

    def __post_init__(self) -> None:
        if not self.themes or len({_bare(theme) for theme in self.themes}) != len(self.themes):
            raise ValueError("the themes need different names, the standard one first")
        if self.largest_quantity < 1 or self.furthest_days < 0:
            raise ValueError("a request is for one card at least, and for no day in the past")
        if self.paid_years is not None and self.paid_years < FEWEST_PAID_YEARS:
            raise ValueError(f"a paid card has to be good for {FEWEST_PAID_YEARS} years at least")
        if self.promotional_days is not None and self.promotional_days < 1:
            raise ValueError("a promotional card has to be good for a day at least")


# What a request may issue at most without the office's word, and what was issued today already.


class Cap(StrEnum):
    """The three caps; the values are for people."""

    CARD = "one card"
    STORE_AND_DAY = "the store's cards of one day"
    RECIPIENT_AND_DAY = "one recipient's cards of one day"


@dataclass(frozen=True, slots=True)
class Caps:
    """How much may be issued without the office's `Approved`; None: as much as the shop's limits.

    A link to the form is a secret that can leak: these bound what it alone can do.
    """

    per_card: Money | None = None
    per_store_and_day: Money | None = None
    per_recipient_and_day: Money | None = None


@dataclass(frozen=True, slots=True)
class CapExceeded:
    """A request is above a cap. `says` is why it waits, for the store and for the office."""

    cap: Cap
    says: str


def caps_exceeded(
    request: CreationRequest, caps: Caps, *, by_store: Money, to_recipient: Money
) -> tuple[CapExceeded, ...]:
    """Why the request needs the office's `Approved`; empty where it needs none.

    `by_store` and `to_recipient` are what was issued on this day of the shop's calendar before this
    request: by its store, and to its recipient (by `same_mailbox`). A cap may be reached, not
    passed. All amounts are of one currency; otherwise `MoneyError`.
    """
    totals = (
        (Cap.CARD, request.amount, caps.per_card),
        (Cap.STORE_AND_DAY, by_store + request.total, caps.per_store_and_day),
        (Cap.RECIPIENT_AND_DAY, to_recipient + request.total, caps.per_recipient_and_day),
    )
    return tuple(
        CapExceeded(cap, f"{total} for {cap} is above the {most} that need no approval")
        for cap, total, most in totals
        if most is not None and total > most
    )


def read_request(
    row: CreationRow,
    *,
    store: Store | None,
    facts: ShopFacts,
    limits: CardLimits,
    rules: SellingRules,
    today: date,
) -> CreationRequest | Refused:
    """The row as a request, or everything that has to be mended.

    `store` is the one that the row names, None where there is none. `today` is the day on the
    shop's calendar. Caps are another matter (`caps_exceeded`): above them a request waits, it is
    not wrong.
    """
    reader = _Reader(row)
    employee = reader.name("Employee", row.employee, "who sells it")
    amount = reader.amount(facts.currency, limits)
    quantity = reader.quantity(rules.largest_quantity)
    recipient = Person(
        name=reader.name("Recipient Name", row.recipient_name, "who gets the card"),
        email=reader.address("Recipient Email", row.recipient_email, "the card goes there"),
    )
    purchaser = None
    if row.is_gift:
        purchaser = Person(
            name=reader.name("Purchaser Name", row.purchaser_name, "who gives the card"),
            email=reader.address(
                "Purchaser Email", row.purchaser_email, "the confirmation of a gift goes there"
            ),
        )
    message = reader.message()
    theme = reader.theme(rules.themes)
    send_on = reader.send_on(facts.time_zone, today=today, furthest_days=rules.furthest_days)
    kind = reader.kind()
    if store is None:
        reader.problems.insert(0, Problem("Store", "Choose one of the stores in the list."))
    if reader.problems or store is None or amount is None:
        return Refused(tuple(reader.problems))
    return CreationRequest(
        row_id=row.id,
        store=store,
        employee=employee,
        amount=amount,
        quantity=quantity,
        recipient=recipient,
        purchaser=purchaser,
        message=message,
        theme=theme,
        send_on=send_on,
        kind=kind,
    )


class _Reader:
    """Reads one row field by field, and notes each mistake in the form's order.

    Where a field is wrong, what its method returns is of no use to anybody.
    """

    def __init__(self, row: CreationRow) -> None:
        self._row = row
        self.problems: list[Problem] = []

    def _wrong(self, name: str, says: str) -> None:
        self.problems.append(Problem(name, says))

    def name(self, name: str, typed: str, whose: str) -> str:
        """A name in any script, on one line."""
        if len(typed) > LONGEST_NAME * LOOKED_AT_TIMES:
            self._wrong(name, f"That is far too long. Type a name ({whose}).")
            return ""
        text = clean_line(typed)
        if not any(character.isalnum() for character in text):
            self._wrong(name, f"Type a name ({whose}).")
        elif len(text) > LONGEST_NAME:
            self._wrong(name, f"Type a shorter name: at most {LONGEST_NAME} characters.")
        return text

    def address(self, name: str, typed: str, why: str) -> str:
        """One mail address."""
        text = typed.strip()
        if not text:
            self._wrong(name, f"Type one mail address: {why}.")
        elif not is_one_address(text):
            self._wrong(
                name,
                "This is not one mail address such as ana@example.com. Look for a missing @ or dot,"
                " a blank, a comma, a second address, or a letter with an accent.",
            )
        return text

    def amount(self, currency: str, limits: CardLimits) -> Money | None:
        """What each card holds."""
        try:
            amount = read_amount(self._row.amount, currency=currency)
        except MoneyError as error:
            said = clean_line(str(error))
            self._wrong("Amount", f"{said[:1].upper()}{said[1:]}.")
            return None
        most = limits.issue
        # A limit in another currency is Shopify's to apply: it answers when the card is made.
        if most is not None and most.currency == currency and amount > most:
            self._wrong(
                "Amount", f"A card of this shop holds at most {most}: split it into several cards."
            )
        return amount

    def quantity(self, largest: int) -> int:
        """How many cards; one where the cell is empty."""
        typed = (self._row.quantity or "").strip()
        if not typed:
            return 1
        count = _whole_number(typed)
        if count is None or count < 1:
            self._wrong("Quantity", "Type a whole number of cards: 1, 2, 3 and so on.")
            return 0
        if count > largest:
            self._wrong("Quantity", f"One request is for at most {largest} cards: file several.")
        return count

    def message(self) -> str:
        """What the recipient reads; may be empty."""
        says = f"Type a shorter message: at most {LONGEST_MESSAGE} characters"
        if len(self._row.message) > LONGEST_MESSAGE * LOOKED_AT_TIMES:
            self._wrong("Gift Message", f"{says}.")
            return ""
        text = clean_lines(self._row.message)
        if len(text) > LONGEST_MESSAGE:
            self._wrong("Gift Message", f"{says}; it has {len(text)}.")
        return text

    def theme(self, themes: tuple[str, ...]) -> str:
        """The name of a theme as the shop writes it; the standard one where the cell is empty."""
        chosen = theme_named(self._row.theme, themes)
        if chosen is None:
            self._wrong("Theme", f"Choose one of {', '.join(themes)}, or leave it empty.")
        return chosen or themes[0]

    def send_on(self, time_zone: str, *, today: date, furthest_days: int) -> date | None:
        """A later day of the shop's calendar; None for today, and where the cell is empty."""
        typed = self._row.send_on.strip()
        if not typed:
            return None
        day = read_day(typed, time_zone)
        if day is None:
            self._wrong("Send On", "Type a day such as 2026-12-24, or leave it empty for now.")
        elif day < today:
            self._wrong(
                "Send On",
                f"This day is over: choose {today.isoformat()} or later, or leave it empty.",
            )
        elif (day - today).days > furthest_days:
            self._wrong("Send On", f"Choose a day within the next {furthest_days} days.")
        return None if day == today else day

    def kind(self) -> CardKind:
        """Paid where the cell is empty: the stricter rules hold for what nobody said."""
        typed = _bare(self._row.kind)
        for kind in CardKind:
            if typed == _bare(kind):
                return kind
        if typed:
            self._wrong("Kind", f"Choose {' or '.join(CardKind)}, or leave it empty for Paid.")
        return CardKind.PAID


def last_day(
    kind: CardKind, rules: SellingRules, *, issued_on: date, send_on: date | None
) -> date | None:
    """The last day on which a card is good; None: it never expires.

    Counted from the day it is issued or sent, whichever is later: a gift that waits for its day
    loses none. `issued_on` is the day on the shop's calendar on which the card is made, so compute
    this once and keep it with the operation. A paid card of 29 February lasts until 1 March.
    """
    first = issued_on if send_on is None else max(issued_on, send_on)
    if kind is CardKind.PROMOTIONAL:
        days = rules.promotional_days
        return None if days is None else first + timedelta(days=days)
    if rules.paid_years is None:
        return None
    year = first.year + rules.paid_years
    if (first.month, first.day) == (2, 29) and not calendar.isleap(year):
        return date(year, 3, 1)
    return first.replace(year=year)


def send_at(send_on: date, *, time_zone: str, hour: int) -> datetime:
    """The moment, in UTC, at which clocks of `time_zone` (an IANA name) show `hour` on `send_on`.

    Where the clock is put forward over that hour, the moment is as long after the jump as the hour
    is after its beginning (02:00 becomes 03:00); where it is put back and shows the hour twice, the
    moment is the first of the two. Where a whole day was left out of a calendar, it is a day later.
    """
    wall = datetime.combine(send_on, time(hour), ZoneInfo(time_zone))
    # PEP 495: fold=0, the default, reads both kinds of hour by the offset from before the change.
    return wall.astimezone(UTC)


def theme_named(typed: str, themes: tuple[str, ...]) -> str | None:
    """The theme that was typed, as the shop writes it; the standard one for an empty text.

    None for a theme that the shop does not have.
    """
    bare = _bare(typed)
    if not bare:
        return themes[0]
    return next((theme for theme in themes if _bare(theme) == bare), None)


def _bare(text: str) -> str:
    return " ".join(text.split()).casefold()


def _whole_number(typed: str) -> int | None:
    """A typed whole number; None for anything else. `3.0` is 3, as a form may write it."""
    if len(typed) > LONGEST_NUMBER:
        return None
    try:
        number = Decimal(typed)
    except InvalidOperation:
        return None
    if not number.is_finite() or number.adjusted() > LONGEST_NUMBER:
        return None
    return int(number) if number == number.to_integral_value() else None


def read_day(typed: str, time_zone: str) -> date | None:
    """A typed day (2026-12-24); of a moment, the day it falls on in the shop. None for neither.

    A moment without its offset is none: nobody knows which day it means.
    """
    try:
        if _DAY.fullmatch(typed):
            return date.fromisoformat(typed)
        moment = datetime.fromisoformat(typed)
        # Beyond the calendar's ends there is no other time zone (OverflowError).
        return None if moment.tzinfo is None else moment.astimezone(ZoneInfo(time_zone)).date()
    except (ValueError, OverflowError):
        return None
