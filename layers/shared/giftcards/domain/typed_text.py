"""What people type into a form, made fit to be kept and shown: any script, no code, no tricks.

Letters of every script stay as they are, and so do the two invisible joiners that Persian, the
languages of India and emoji are written with. What vanishes: control characters, characters that
turn the direction of the text around, and what Unicode has no character for. Whatever is, or looks
like, a card's code is masked (`hiding`), after that, so that an invisible character inside a code
cannot hide it from the mask.
"""

import unicodedata
from typing import Final

from giftcards.domain.hiding import hide_codes

JOINERS: Final = frozenset("\u200c\u200d")
# Unicode's categories: control characters, invisible ones, halves, private ones, unassigned ones.
_VANISHES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_LINE_ENDS: Final = str.maketrans(dict.fromkeys("\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", "\n"))


def clean_line(text: str) -> str:
    """`text` as one line: blanks in a row are one, codes are masked."""
    return hide_codes(" ".join(_visible(text).split()))


def clean_lines(text: str) -> str:
    """`text` with its lines kept, at most one of them empty in a row; codes are masked."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").translate(_LINE_ENDS).split("\n"):
        bare = " ".join(_visible(line).split())
        if bare or (lines and lines[-1]):
            lines.append(bare)
    return hide_codes("\n".join(lines).strip())


def _visible(text: str) -> str:
    return "".join(map(_see, text))


def _see(character: str) -> str:
    if character in JOINERS:
        return character
    if character.isspace():  # a tab and a line's end are control characters, too
        return " "
    return "" if unicodedata.category(character) in _VANISHES else character
