"""Fills in the templates: the words once, then the same words as plain text and as HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from giftcards.mails.mail import Mail, one_line

# What each template of words has to set.
PARTS = ("headline", "story", "next_steps")


class Tone(StrEnum):
    """How a mail looks at a glance; the words say the same without colour."""

    GOOD = "good"
    MEND = "mend"
    STOP = "stop"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Words:
    """What a mail says in its own words: the headline, what happened, what to do next."""

    headline: str
    story: Sequence[str]
    next_steps: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Everything a mail shows, from top to bottom. `figures` are large, `facts` a list of lines."""

    subject: str
    tone: Tone
    words: Words
    figures: Sequence[tuple[str, str]] = ()
    facts: Sequence[tuple[str, str]] = ()
    small_print: Sequence[str]


def read_words(template_name: str, values: Mapping[str, object]) -> Words:
    """The words of one mail. A value that the template needs and does not get is an error."""
    module = _templates().get_template(template_name).make_module(dict(values))
    headline, story, next_steps = (str(getattr(module, part)) for part in PARTS)
    return Words(
        headline=one_line(headline), story=_paragraphs(story), next_steps=_paragraphs(next_steps)
    )


def render(letter: Letter, *, to: str) -> Mail:
    """The mail, as plain text and as HTML."""
    templates = _templates()
    return Mail(
        to=to,
        subject=one_line(letter.subject),
        text=templates.get_template("layout.txt").render(letter=letter),
        html=templates.get_template("layout.html").render(letter=letter),
    )


def _paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, each as one line; empty lines stand between them."""
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]


@cache
def _templates() -> Environment:
    """The templates, read when the first mail is composed. Only HTML is escaped, and all of it."""
    return Environment(
        loader=PackageLoader("giftcards.mails", "templates"),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,  # a deployed file does not change, so nobody has to look whether it did
    )
