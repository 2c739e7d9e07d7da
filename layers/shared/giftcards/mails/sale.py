"""What a store is told of its sale: refused, held, made for later, sent, or not to be sent."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from giftcards.domain.creation import LONGEST_NAME as LONGEST_NAME_TAKEN
from giftcards.domain.money import Money
from giftcards.mails.mail import Mail, one_line, typed_line
from giftcards.mails.rendering import Letter, Tone, read_words, render
from giftcards.mails.store_answer import LONGEST_NAME, show_moment


class SaleNews(StrEnum):
    """What there is to tell; the values name the templates of words."""

    REFUSED = "refused"
    HELD = "held"
    SCHEDULED = "scheduled"
    DELIVERED = "delivered"
    DELIVERED_IN_PART = "delivered_in_part"
    CARD_DEAD = "card_dead"


# A sale may be above all three caps at once, and each reason takes a line and a half.
LONGEST_REASON: Final = 600

TONES: Final = {
    SaleNews.REFUSED: Tone.MEND,
    SaleNews.HELD: Tone.STOP,
    SaleNews.SCHEDULED: Tone.GOOD,
    SaleNews.DELIVERED: Tone.GOOD,
    SaleNews.DELIVERED_IN_PART: Tone.STOP,
    SaleNews.CARD_DEAD: Tone.STOP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleAnswer:
    """What a store is told. Times are aware; `time_zone` is the shop's (IANA name).

    `amount` is what each card holds, `None` where the request was refused. `problems` are what has
    to be mended, `reason` why the sale waits, or why cards were left out.
    """

    news: SaleNews
    store_name: str
    employee: str
    amount: Money | None = None
    quantity: int = 1
    recipient: str = ""
    is_gift: bool = False
    send_on: date | None = None
    problems: tuple[str, ...] = ()
    reason: str = ""
    reference: str
    asked_at: datetime
    told_at: datetime
    time_zone: str


def compose_sale_answer(answer: SaleAnswer, *, to: str) -> Mail:
    """The mail for the store. Raises `NeedsAPerson` where `to` is not one mail address."""
    words = read_words(
        f"sale/{answer.news}.words",
        {
            "problems": [typed_line(problem) for problem in answer.problems],
            "reason": typed_line(answer.reason, longest=LONGEST_REASON),
            "quantity": answer.quantity,
            "recipient": one_line(answer.recipient),
            "is_gift": answer.is_gift,
            "day": "" if answer.send_on is None else _day(answer.send_on),
        },
    )
    facts = [
        ("For", one_line(answer.recipient)),
        ("Store", one_line(answer.store_name, longest=LONGEST_NAME)),
        ("Filed by", typed_line(answer.employee, longest=LONGEST_NAME_TAKEN)),
        ("Filed", show_moment(answer.asked_at, answer.time_zone)),
        ("Answered", show_moment(answer.told_at, answer.time_zone)),
    ]
    letter = Letter(
        subject=words.headline if answer.amount is None else f"{words.headline} ({_worth(answer)})",
        tone=TONES[answer.news],
        words=words,
        figures=[] if answer.amount is None else [(_what(answer), _worth(answer))],
        facts=[(label, value) for label, value in facts if value],
        small_print=(f"Reference: {one_line(answer.reference)}",),
    )
    return render(letter, to=to)


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _what(answer: SaleAnswer) -> str:
    return "One card" if answer.quantity == 1 else f"{answer.quantity} cards"


def _worth(answer: SaleAnswer) -> str:
    if answer.quantity == 1:
        return str(answer.amount)
    return f"{answer.quantity} × {answer.amount}"
