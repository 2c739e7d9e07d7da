"""What a store is told when the office gives back what it had taken."""

from dataclasses import dataclass
from datetime import datetime

from giftcards.domain.money import Money
from giftcards.mails.mail import Mail, one_line
from giftcards.mails.rendering import Letter, Tone, read_words, render
from giftcards.mails.store_answer import LONGEST_NAME, show_moment


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalNews:
    """What the store is told. Times are aware; `time_zone` is the shop's (IANA name).

    `amount` was given back now, `total` in all, of `taken`.
    """

    store_name: str
    masked_card: str
    amount: Money
    total: Money
    taken: Money
    reference: str
    filed_at: datetime
    given_back_at: datetime
    time_zone: str


def compose_reversal(news: ReversalNews, *, to: str) -> Mail:
    """The mail for the store. Raises `NeedsAPerson` where `to` is not one mail address."""
    words = read_words(
        "reversal/given_back.words",
        {
            "total": news.total,
            "taken": news.taken,
            "is_all": news.total == news.taken,
            "is_step": news.amount != news.total,
        },
    )
    letter = Letter(
        subject=f"{words.headline}: {news.amount} ({news.masked_card})",
        tone=Tone.GOOD,
        words=words,
        figures=[("Given back", str(news.amount))],
        facts=[
            ("Card", news.masked_card),
            ("Store", one_line(news.store_name, longest=LONGEST_NAME)),
            ("Taken", f"{news.taken}, filed {show_moment(news.filed_at, news.time_zone)}"),
            ("Given back", show_moment(news.given_back_at, news.time_zone)),
        ],
        small_print=(f"Reference: {one_line(news.reference)}",),
    )
    return render(letter, to=to)
