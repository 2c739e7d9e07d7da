"""The mail between question and answer: nobody can tell yet whether the card was charged."""

from dataclasses import dataclass
from datetime import datetime

from giftcards.domain.money import Money
from giftcards.mails.mail import Mail, one_line, typed_line
from giftcards.mails.rendering import Letter, Tone, read_words, render
from giftcards.mails.store_answer import LONGEST_NAME, show_moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Interim:
    """What a store is told while its answer is unknown. Times are aware, `time_zone` the shop's.

    `masked_card` and `amount` are `None` where what was typed could not be read.
    """

    store_name: str
    employee: str
    masked_card: str | None = None
    amount: Money | None
    reference: str
    asked_at: datetime
    told_at: datetime
    time_zone: str


def compose_interim(interim: Interim, *, to: str) -> Mail:
    """The mail that asks a store to wait.

    Raises `NeedsAPerson` where `to` is not one mail address.
    """
    words = read_words("store_answer/not_confirmed_yet.words", {})
    known = [str(part) for part in (interim.masked_card, interim.amount) if part is not None]
    about = f" ({', '.join(known)})" if known else ""
    facts = [
        ("Card", interim.masked_card),
        ("Store", one_line(interim.store_name, longest=LONGEST_NAME)),
        ("Filed by", typed_line(interim.employee, longest=LONGEST_NAME)),
        ("Filed", show_moment(interim.asked_at, interim.time_zone)),
        ("As of", show_moment(interim.told_at, interim.time_zone)),
    ]
    letter = Letter(
        subject=f"{words.headline}{about}",
        tone=Tone.MEND,
        words=words,
        figures=[] if interim.amount is None else [("Not confirmed yet", str(interim.amount))],
        facts=[(label, value) for label, value in facts if value],
        small_print=(f"Reference: {one_line(interim.reference)}",),
    )
    return render(letter, to=to)
