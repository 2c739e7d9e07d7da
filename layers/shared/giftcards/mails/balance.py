"""The answer to a customer who asks for a balance: the balance, or one sentence for the rest."""

from datetime import datetime

from giftcards.domain.money import Money
from giftcards.mails.mail import Mail, one_line
from giftcards.mails.rendering import Letter, Tone, read_words, render
from giftcards.mails.store_answer import show_moment


def compose_balance_answer(
    *,
    to: str,
    balance: Money | None,
    card: str | None,
    is_online_only: bool = False,
    shop_name: str,
    told_at: datetime,
    time_zone: str,
) -> Mail:
    """The mail for whoever asked. Without a `balance` it says the same whatever the reason was.

    `card` is masked; one that `is_online_only` is from before our stores took cards. Raises
    `NeedsAPerson` where `to` is not one mail address.
    """
    if balance is None:
        words = read_words("balance/none.words", {})
        figures = []
    else:
        words = read_words(
            "balance/found.words",
            {"balance": balance, "is_online_only": is_online_only},
        )
        figures = [("On the card", str(balance))]
    facts = [
        ("Card", None if balance is None or card is None else one_line(card)),
        ("As of", show_moment(told_at, time_zone)),
    ]
    letter = Letter(
        subject=words.headline,
        tone=Tone.PLAIN if balance is None else Tone.GOOD,
        words=words,
        figures=figures,
        facts=[(label, value) for label, value in facts if value],
        small_print=(one_line(shop_name),),
    )
    return render(letter, to=to)
