"""One mail, ready to be sent: to whom, its subject, and the same words as plain text and HTML."""

import unicodedata
from dataclasses import dataclass
from typing import Final

from giftcards.domain.addresses import is_one_address
from giftcards.domain.hiding import hide_codes
from giftcards.domain.typed_text import JOINERS
from giftcards.errors import NeedsAPerson

# A phone shows some 40 characters of a subject; whatever is longer than this was pasted.
LONGEST_LINE: Final = 200

_BECOMES_A_BLANK = {"Cc", "Zl", "Zp"}  # Unicode's categories: control characters, line ends
_VANISHES = {"Cf", "Cs", "Co", "Cn"}  # invisible characters (text direction), halves, unassigned


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to one address. Raises `NeedsAPerson` where `to` is not exactly one mail address.

    `subject` is one line. `text` and `html` say the same.
    """

    to: str
    subject: str
    text: str
    html: str

    def __post_init__(self) -> None:
        # A second address, a name or a line break never gets into a header.
        if not is_one_address(self.to):
            raise NeedsAPerson(
                "a mail can only be sent to one address such as store@example.com: look at the"
                " store's Email in Stores, and at the office's address in the configuration"
            )
        if self.subject != one_line(self.subject):
            raise ValueError("a subject is one line without control characters")


def one_line(text: str, *, longest: int = LONGEST_LINE) -> str:
    """`text` as one line of at most `longest` characters, without what is invisible.

    The two joiners stay: Persian, the languages of India and emoji are written with them.
    """
    line = " ".join("".join(map(_see, text)).split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def _see(character: str) -> str:
    if character in JOINERS:
        return character
    category = unicodedata.category(character)
    if category in _BECOMES_A_BLANK:
        return " "
    return "" if category in _VANISHES else character


def typed_line(text: str, *, longest: int = LONGEST_LINE) -> str:
    """`one_line` of what somebody typed or a vendor wrote: any card code in it is masked."""
    # Far more than is shown, so that a code that is cut in two here is cut away below.
    return one_line(hide_codes(text[: 10 * longest]), longest=longest)
