"""Free text made safe to show: whatever may be a card's code in it is masked, in logs and in mails.

Nothing here is needed as long as everybody writes masked cards only. It stands behind that, for the
text that others wrote: a name in which somebody pasted the code, a vendor's error that repeats what
it was asked. There are two guards, because neither suffices:

- **What is known.** Whoever handles a row names its code, and every spelling of it is masked: other
  capitals, blanks and dashes anywhere, full-width, Cyrillic or Greek letters, inside a URL.
- **What looks like a code.** Codes of which nobody told us are known by their shape: a run of at
  least eight letters *and* digits, a long number, a long run of capitals, or groups of equal size
  (`ABCD 1234 EFGH 5678`). Codes that we derived are known by their letters as well: twenty of the
  few that we use, none of them a vowel, are no word. What has the shape of our own and the
  vendors' ids passes: Airtable's (`rec…`), Shopify's (`gid://…`), UUIDs and trace ids, digests,
  times, and masked cards.

The second guard cannot be complete: somebody else's code of small letters only is a word, and one
of eight digits is a number. (Of random codes of sixteen letters and digits, one in two hundred has
no digit.) And a code of 17 characters that begins with `rec` passes for an Airtable id. The first
guard knows them. It errs the other way too: `terminal12` is masked. Neither is silent: a mask keeps
four characters.
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal
from urllib.parse import quote, quote_plus

from giftcards.domain.codes import (
    LONGEST_CODE,
    SHORTEST_CODE,
    TWIN_LETTERS,
    Code,
    clean,
    mask,
)
from giftcards.domain.derived_codes import ALPHABET, CODE_LENGTH

# All letters and digits; what else people type into a code is no reason to grow.
SPELLINGS_KEPT: Final = 128

# Numbers up to 14 digits are Shopify's ids, times in milliseconds, account numbers.
SHORTEST_NUMERIC_CODE: Final = 15
# REDEEMED and INSUFFICIENT are words; sixteen capitals in a row are not.
SHORTEST_CODE_OF_CAPITALS: Final = 16
# How cards print a code that is grouped with blanks. Threes are too often words: "the 5th and 3rd".
SIZES_BETWEEN_BLANKS: Final = (4, 5)
# Of words or numbers in groups of equal size there are many pairs and few triples.
FEWEST_GROUPS: Final = 3
# Beside the larger part of a code, "5678" is its rest and "25" is an amount.
SHORTEST_NUMBER_THAT_CLINGS: Final = 4
MOST_SIGNS_BETWEEN: Final = 6  # between two characters of a known code: "- \n", or "%20%2D"

_OUR_ALPHABET: Final = frozenset(ALPHABET)

_UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_HALF_TWICE = r"(?!(?P<half>[0-9a-f]{8,20})(?P=half)(?![0-9a-z]))"
# What has the length of a code and is none.
HARMLESS = "|".join(
    (
        r"•••• [^\W_]{0,4}",  # a masked card
        "(?:rec|app|tbl|fld|viw|usr|sel|wsp|att)[A-Za-z0-9]{14}",  # Airtable's ids
        r"gid://shopify/[A-Za-z]+/\d+",  # Shopify's
        f"[0-9a-f]{{16}}-{_UUID}-[0-9]{{6}}",  # SES's message ids
        _UUID,  # AWS's request ids, SQS's message ids
        "1-[0-9a-f]{8}-[0-9a-f]{24}",  # X-Ray's trace ids
        f"{_HALF_TWICE}(?:[0-9a-f]{{64}}|[0-9a-f]{{40}}|[0-9a-f]{{32}}|[0-9a-f]{{24}})",  # digests
        "[A-Z0-9]{52}",  # DynamoDB's request ids
        r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?",
        r"\d{8}T\d{6}Z",  # a time, and the one above
        r"\d{1,3}\.\d+(?!\.)",  # a measured number, as Python writes it
        r"(?<=at )0x[0-9a-f]{6,16}",  # an object's address
    )
)
# What stands between groups without a blank; also as JSON escapes it.
_TIGHT = (
    r"[-‐-―−－._·\u00ad\u200b-\u200f\u2060\ufeff]"
    r"|\\u(?:00ad|200[b-f]|201[0-5]|2060|2212|feff)"
)
# A blank, or what a URL, JSON or the traceback of an exception group makes of one.
_BLANK = r"\n *\| |[\s+]|%[0-9A-Fa-f]{2}|\\(?:[nrt]|u[0-9a-fA-F]{4})"


@dataclass(frozen=True, slots=True)
class Run:
    """Letters and digits that stand together, and what stands between them and the run before.

    A run is mixed if it has both, as few words and most codes have. `could_be_ours`: all of it is
    of the alphabet in which we write codes.
    """

    start: int
    end: int
    after: Literal["tight", "blank", "other"]
    has_digit: bool
    has_letter: bool
    is_capitals: bool
    could_be_ours: bool

    @property
    def length(self) -> int:
        """How many letters and digits it has."""
        return self.end - self.start

    @property
    def is_mixed(self) -> bool:
        """Whether letters and digits stand together."""
        return self.has_digit and self.has_letter


def hide_codes(text: str, *, known: Collection[str] = (), names: Collection[str] = ()) -> str:
    """`text` with everything masked that is, or looks like, a full card code.

    `known` are codes being handled, as typed or normalised: every spelling of them is masked.
    `names` are ours (a function's, a table's) and pass although they look like a code.
    """
    for typed in known:
        text = _hide_known(text, typed)
    masked: list[tuple[int, int]] = []
    for start, end in _spans_like_codes(_runs(text, names)):
        if masked and not any(sign.isalnum() for sign in text[masked[-1][1] : start]):
            start = masked.pop()[0]  # noqa: PLW2901 - two masks side by side would show eight characters
        masked.append((start, end))
    for start, end in reversed(masked):
        text = text[:start] + _mask_of(text[start:end]) + text[end:]
    return text


def _hide_known(text: str, typed: str) -> str:
    """Mask one known code in every spelling; what was typed is masked even if it is no code."""
    code = clean(typed)
    if isinstance(code, Code):
        # Possessive, and one reading of a blank at a time: a text full of signs that could be read
        # in two ways must not be tried in all their combinations.
        for sign in (rf"(?:{_BLANK}|[\W_])", r"[\W_]"):
            between = rf"{sign}{{0,{MOST_SIGNS_BETWEEN}}}+"
            spelled = between.join(_spellings(character) for character in code.value)
            text = re.sub(spelled, code.masked, text)
        written = code.masked
    else:
        written = _mask_of(typed)
    if len(typed.strip()) < SHORTEST_CODE:
        return text  # a typed "25" would mask every amount
    for write in (str, str.strip, repr, json.dumps, quote, quote_plus):
        text = text.replace(write(typed).strip("'\""), written)
    return text


@lru_cache(SPELLINGS_KEPT)
def _spellings(character: str) -> str:
    """A pattern for every way to write one letter or digit of a code."""
    same = {character, character.upper()}
    same |= {chr(ord(one) + 0xFEE0) for one in same}  # full-width forms
    for twin, latin in TWIN_LETTERS.items():
        if latin == character:
            same |= {twin, *twin.upper()}
    return f"[{''.join(sorted(same))}]"


def _mask_of(text: str) -> str:
    """The mask of a text: its last four letters and digits."""
    return mask("".join(sign for sign in text if sign.isalnum()).lower())


def _runs(text: str, names: Collection[str]) -> list[list[Run]]:
    """The runs of letters and digits in `text`, in chains that harmless ids and other signs cut."""
    ours = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True) if name)
    harmless = f"{ours}|{HARMLESS}" if ours else HARMLESS
    scanner = re.compile(
        rf"(?P<harmless>(?<![^\W_])(?:{harmless})(?![^\W_]))"
        rf"|(?P<tight>(?:{_TIGHT})+)|(?P<blank>(?:{_BLANK})+)|(?P<run>[^\W_]+)"
    )
    chains: list[list[Run]] = [[]]
    after: Literal["tight", "blank", "other"] = "other"
    last_end = 0
    for found in scanner.finditer(text):
        if found.start() != last_end or found.lastgroup == "harmless":
            after = "other"
        last_end = found.end()
        if found.lastgroup == "run":
            if after == "other":
                chains.append([])
            chains[-1].append(_run(found, after))
            after = "tight"
        elif found.lastgroup == "blank":
            after = "other" if after == "other" else "blank"
        elif found.lastgroup == "harmless":
            after = "other"
    return chains


def _run(found: re.Match[str], after: Literal["tight", "blank", "other"]) -> Run:
    text = found[0]
    return Run(
        start=found.start(),
        end=found.end(),
        after=after,
        has_digit=any(character.isdigit() for character in text),
        has_letter=not text.isdigit(),
        is_capitals=text.isupper(),
        could_be_ours=set(text.lower()) <= _OUR_ALPHABET,
    )


def _spans_like_codes(chains: list[list[Run]]) -> Iterator[tuple[int, int]]:
    """Where codes seem to stand: start and end in the text, from left to right."""
    for chain in chains:
        place = 0
        while place < len(chain):
            length = _longest_code_at(chain, place)
            if length:
                yield chain[place].start, chain[place + length - 1].end
            place += length or 1


def _longest_code_at(chain: Sequence[Run], place: int) -> int:
    """How many runs from `place` on look like one code together; 0 where none do."""
    longest = 0
    letters = 0
    tight = True
    contains_code = False
    for end in range(place, min(len(chain), place + LONGEST_CODE)):
        run = chain[end]
        letters += run.length
        if letters > LONGEST_CODE and end > place:
            break
        tight = tight and (end == place or run.after == "tight")
        contains_code = contains_code or _is_code_by_itself(run)
        if not contains_code and not tight and chain[place].length not in SIZES_BETWEEN_BLANKS:
            continue  # the usual case: words
        if _looks_like_a_code(chain[place : end + 1], letters):
            longest = end - place + 1
    return longest


def _looks_like_a_code(runs: Sequence[Run], letters: int) -> bool:
    """Whether these neighbours look like one code: see the module's docstring."""
    if len(runs) == 1:
        return _is_code_by_itself(runs[0])
    if letters < SHORTEST_CODE:
        return False
    if letters == CODE_LENGTH and all(run.could_be_ours for run in runs):
        return True
    if any(_is_code_by_itself(run) for run in runs):
        # A code that was cut in two: what stands beside its larger part belongs to it.
        return all(_is_code_by_itself(run) or _clings(runs, run) for run in runs)
    return _is_in_groups(runs, letters)


def _clings(runs: Sequence[Run], run: Run) -> bool:
    """Whether `run` is likely to be a part of the code beside it, rather than the next word."""
    place = runs.index(run)
    after = runs[place].after if place else "blank"
    before = runs[place + 1].after if place + 1 < len(runs) else "blank"
    return "tight" in (after, before) or (
        run.has_digit and run.length >= SHORTEST_NUMBER_THAT_CLINGS
    )


def _is_code_by_itself(run: Run) -> bool:
    """Whether one run has the shape of a code."""
    if run.is_mixed:
        return run.length >= SHORTEST_CODE
    if run.has_digit:
        return run.length >= SHORTEST_NUMERIC_CODE
    if run.could_be_ours and run.length == CODE_LENGTH:
        return True
    return run.is_capitals and run.length >= SHORTEST_CODE_OF_CAPITALS


def _is_in_groups(runs: Sequence[Run], letters: int) -> bool:
    """Whether several short runs have the shape of a code in groups."""
    tight = all(run.after == "tight" for run in runs[1:])
    mixed = sum(run.is_mixed for run in runs)
    if tight and mixed > 1:
        return True
    size = runs[0].length
    sizes = [run.length for run in runs]
    # The last group may be shorter, but two have to be equal: python3.13 is no code.
    even = set(sizes[:-1]) == {size} and sizes[-1] <= size and sizes.count(size) > 1
    if not even or not (tight or size in SIZES_BETWEEN_BLANKS):
        return False
    numbers = sum(not run.has_letter for run in runs)
    words = [run for run in runs if not run.has_digit]
    capitals = all(word.is_capitals for word in words)
    if numbers == len(runs):
        return letters >= SHORTEST_NUMERIC_CODE
    if len(words) == len(runs):
        return capitals and len(runs) >= FEWEST_GROUPS and size in SIZES_BETWEEN_BLANKS
    return capitals or mixed + numbers > 1 or (tight and len(runs) >= FEWEST_GROUPS)
