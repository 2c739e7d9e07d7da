"""The store's answer: did the customer pay, what is left on the card, and what to do next."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never
from zoneinfo import ZoneInfo

from giftcards.domain.codes import mask
from giftcards.domain.money import Money
from giftcards.domain.outcomes import Outcome
from giftcards.mails.mail import Mail, one_line, typed_line
from giftcards.mails.rendering import Letter, Tone, Words, read_words, render

LONGEST_NAME: Final = 80  # of an employee or a store: what fits two lines of a phone
LONGEST_TYPED_AMOUNT: Final = 30


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What a store is told about its request. Times are aware; `time_zone` is the shop's (IANA).

    `masked_card` is `None` where no code could be read, `amount` where no amount could be, and
    `typed_amount` is then what stood in the cell. `reason` explains in plain words where the
    outcome alone does not. `balance` is what the card holds after the answer; it is shown only to
    whoever holds a working card (`REDEEMED`, `INSUFFICIENT_BALANCE`).
    """

    outcome: Outcome
    store_name: str
    employee: str
    masked_card: str | None
    amount: Money | None
    typed_amount: str | None
    balance: Money | None
    reason: str | None
    reference: str
    asked_at: datetime
    answered_at: datetime
    time_zone: str


def compose_store_answer(answer: StoreAnswer, *, to: str) -> Mail:
    """The mail for the store, in the words of its outcome.

    Raises `NeedsAPerson` where `to` is not one mail address.
    """
    words = read_words(f"store_answer/{answer.outcome.lower()}.words", _values(answer))
    letter = Letter(
        subject=_subject(answer, words),
        tone=_tone(answer.outcome),
        words=words,
        figures=_figures(answer),
        facts=_facts(answer),
        small_print=(f"Outcome: {answer.outcome}", f"Reference: {one_line(answer.reference)}"),
    )
    return render(letter, to=to)


def _subject(answer: StoreAnswer, words: Words) -> str:
    """The headline first, because a phone shows little more, and then which request it was."""
    charged = answer.amount if answer.outcome.is_success else None
    says = words.headline if charged is None else f"{words.headline}: {charged}"
    return f"{says}{_about(answer)}"


def _about(answer: StoreAnswer) -> str:
    """Which request it was, for the subject: the card, and the amount where it is not said yet."""
    amount = None if answer.outcome.is_success else answer.amount
    about = [str(part) for part in (_card(answer), amount) if part is not None]
    return f" ({', '.join(about)})" if about else ""


def _tone(outcome: Outcome) -> Tone:
    """Green: done. Amber: the store can mend it. Red: the customer has to pay another way."""
    match outcome:
        case Outcome.REDEEMED:
            return Tone.GOOD
        case (
            Outcome.CODE_FORMAT_INCORRECT
            | Outcome.CODE_NOT_FOUND
            | Outcome.AMOUNT_INVALID
            | Outcome.POSSIBLE_DUPLICATE
        ):
            return Tone.MEND
        case (
            Outcome.INSUFFICIENT_BALANCE
            | Outcome.CARD_ONLINE_ONLY
            | Outcome.HELD
            | Outcome.CARD_EXPIRED
            | Outcome.CARD_DISABLED
            | Outcome.NOT_CHARGED
        ):
            return Tone.STOP
        case _:
            assert_never(outcome)


def _values(answer: StoreAnswer) -> dict[str, object]:
    """What the words of this outcome may speak of. A value that is not here cannot be shown."""
    reason = None if answer.reason is None else _sentence(answer.reason)
    match answer.outcome:
        case Outcome.REDEEMED:
            return {"balance": answer.balance}
        case Outcome.INSUFFICIENT_BALANCE:
            return {"balance": answer.balance, "rest": _rest(answer)}
        case Outcome.CODE_NOT_FOUND:
            return {"card": _card(answer)}
        case (
            Outcome.CODE_FORMAT_INCORRECT
            | Outcome.AMOUNT_INVALID
            | Outcome.POSSIBLE_DUPLICATE
            | Outcome.HELD
            | Outcome.NOT_CHARGED
            | Outcome.CARD_DISABLED
        ):
            return {"reason": reason}
        case Outcome.CARD_EXPIRED | Outcome.CARD_ONLINE_ONLY:
            return {}
        case _:
            assert_never(answer.outcome)


def _figures(answer: StoreAnswer) -> list[tuple[str, str]]:
    """The figures that are read at a glance."""
    match answer.outcome:
        case Outcome.REDEEMED:
            figures = [("Charged", answer.amount), ("Left on the card", answer.balance)]
        case Outcome.INSUFFICIENT_BALANCE:
            figures = [("Asked for", answer.amount), ("On the card", answer.balance)]
        case (
            Outcome.CODE_FORMAT_INCORRECT
            | Outcome.CODE_NOT_FOUND
            | Outcome.AMOUNT_INVALID
            | Outcome.CARD_EXPIRED
            | Outcome.CARD_DISABLED
            | Outcome.CARD_ONLINE_ONLY
            | Outcome.POSSIBLE_DUPLICATE
            | Outcome.HELD
            | Outcome.NOT_CHARGED
        ):
            figures = [("Not charged", answer.amount)]
        case _:
            assert_never(answer.outcome)
    return [(label, str(amount)) for label, amount in figures if amount is not None]


def _facts(answer: StoreAnswer) -> list[tuple[str, str]]:
    """What identifies the request, one line each."""
    typed = None
    if answer.amount is None and answer.typed_amount is not None:
        typed = typed_line(answer.typed_amount, longest=LONGEST_TYPED_AMOUNT)
    facts = [
        ("Card", _card(answer)),
        ("Amount", typed),
        ("Store", one_line(answer.store_name, longest=LONGEST_NAME)),
        ("Filed by", typed_line(answer.employee, longest=LONGEST_NAME)),
        ("Filed", show_moment(answer.asked_at, answer.time_zone)),
        ("Answered", show_moment(answer.answered_at, answer.time_zone)),
    ]
    return [(label, value) for label, value in facts if value]


def _card(answer: StoreAnswer) -> str | None:
    """The masked card; never more than four characters, whatever was passed."""
    if answer.masked_card is None:
        return None
    shown = "".join(sign for sign in answer.masked_card if sign.isalnum())
    return mask(shown) if shown else None


def _rest(answer: StoreAnswer) -> Money | None:
    """What the customer pays another way if the card pays all it holds."""
    if answer.amount is None or answer.balance is None:
        return None
    return answer.amount - answer.balance


def show_moment(moment: datetime, time_zone: str) -> str:
    """A time as the shop's clocks show it: `Mon 23 Nov 2026, 14:05:12 EST`."""
    return f"{moment.astimezone(ZoneInfo(time_zone)):%a %d %b %Y, %H:%M:%S %Z}"


def _sentence(text: str) -> str:
    """A reason as a sentence: a capital in front, a full stop behind."""
    line = typed_line(text)
    end = "" if line.endswith((".", "!", "?", "…")) else "."
    return f"{line[:1].upper()}{line[1:]}{end}" if line else ""
