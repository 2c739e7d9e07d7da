"""What the stores sold yesterday, for the office: a link that leaked shows here first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from giftcards.domain.money import Money
from giftcards.mails.mail import Mail, one_line, typed_line
from giftcards.mails.rendering import Letter, Tone, Words, render

STORY: Final = (
    "What each employee sold through the stores' form, the largest total first."
    " Look twice at whatever you did not expect: the form's link is a secret."
)


@dataclass(frozen=True, slots=True)
class SoldBy:
    """What one employee of one store sold on the day."""

    store_name: str
    employee: str
    quantity: int
    total: Money


def compose_digest(*, to: str, day: date, sold: Sequence[SoldBy], reference: str) -> Mail:
    """The mail for the office, a line for each employee, the largest total first.

    Raises `NeedsAPerson` where `to` is not one mail address, and `ValueError` where nothing was
    sold.
    """
    if not sold:
        raise ValueError("there is nothing to tell of a day without sales")
    total = Money(sum(one.total.minor for one in sold), sold[0].total.currency)
    cards = sum(one.quantity for one in sold)
    headline = f"Gift cards sold on {day.day} {day:%B %Y}: {total}"
    ordered = sorted(sold, key=lambda one: (-one.total.minor, one.store_name, one.employee))
    letter = Letter(
        subject=headline,
        tone=Tone.PLAIN,
        words=Words(
            headline=headline,
            story=[STORY],
            next_steps=[],
        ),
        figures=[("Cards", str(cards)), ("Together", str(total))],
        facts=[
            (
                f"{typed_line(one.store_name)}, {typed_line(one.employee) or 'somebody'}",
                f"{one.total} ({one.quantity} {'card' if one.quantity == 1 else 'cards'})",
            )
            for one in ordered
        ],
        small_print=(f"Reference: {one_line(reference)}",),
    )
    return render(letter, to=to)
