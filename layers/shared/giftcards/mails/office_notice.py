"""A note to the office: something waits for a person, and nobody else would see it."""

from collections.abc import Sequence

from giftcards.mails.mail import Mail, one_line, typed_line
from giftcards.mails.rendering import Letter, Tone, Words, render


def compose_office_notice(
    *,
    to: str,
    subject: str,
    lines: Sequence[str],
    reference: str,
    next_steps: Sequence[str] = (),
) -> Mail:
    """The mail for the office: `subject` is its headline as well, each line a paragraph.

    `next_steps` are sentences of ours.

    Raises `NeedsAPerson` where `to` is not one mail address.
    """
    headline = typed_line(subject)
    letter = Letter(
        subject=headline,
        tone=Tone.PLAIN,
        words=Words(
            headline=headline,
            story=[typed_line(line, longest=2000) for line in lines],
            next_steps=next_steps,
        ),
        small_print=(f"Reference: {one_line(reference)}",),
    )
    return render(letter, to=to)
