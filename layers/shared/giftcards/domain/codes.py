"""A card's code: what staff type, cleaned; how it is shown; how it is found again.

A code is 8 to 20 letters and digits, and capitals make no difference (Shopify). People type it with
blanks, dashes, words in front, from a keyboard of another alphabet, or paste it twice. Cleaning
undoes what cannot change the code, and refuses whatever leaves two readings: a refusal costs a
minute, another customer's card costs trust. The rules, in the order in which they are applied:

1. **Characters.** Full-width forms, ligatures and foreign digits become plain ones; letters of the
   Cyrillic and Greek alphabets that look like a Latin letter become that letter; invisible
   characters vanish; dashes, dots, quotes and brackets separate groups and are no part of the code.
   Any other character is refused, never skipped.
2. **Words in front.** A word goes only where something marks it as no part of the code: `Code:`,
   `GC#`, `Card no. =`. What a scanner reads from Shopify's own QR code (`shopify-giftcard-v1-…`)
   is such a mark too. Without a mark, a phrase known to stand in front ("gift card") goes only if
   the text would be too long for a code with it; if both readings are codes, the text is refused.
   A single unmarked word ("gc", "code") always stays: codes do begin that way.
3. **One code or two.** Groups are joined, whatever stands between them, because joining cannot hit
   another card: it only makes a code longer. But where two lines, or two groups between blanks,
   are each long enough to be a code, they are two codes: the same one twice is taken once, two
   different ones are refused. So `ABCD 1234 EFGH 5678` is one code, `ABCD1234 EFGH5678` is two, and
   so is `ABCD 1234` above `EFGH 5678`. A dash or a dot without blanks always joins
   (`ABCD1234-EFGH5678` is one code), and so does a dash at the end of a line. Commas, semicolons
   and slashes count as line ends. What nobody can tell apart is one code of four groups from two
   codes of two groups in one line: it is read as one.
4. **Pasted twice without a blank.** Where the whole is too long and consists of equal parts, one
   part is the code. Where the whole is itself a possible code (`ABCD1234ABCD1234`), it is read as
   typed, and its half is among the second tries (`look_alikes`).
"""

import hmac
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Never, Self, final

# Shopify, GiftCardCreateInput.code: 8 to 20 letters and digits, case-insensitive.
SHORTEST_CODE: Final = 8
LONGEST_CODE: Final = 20
LEGAL_CODE = re.compile(f"[a-z0-9]{{{SHORTEST_CODE},{LONGEST_CODE}}}")

# A longer text is a letter or a whole table pasted into the wrong cell, not a code typed badly.
LONGEST_CELL: Final = 500

# Somebody pastes a code twice, or leans on the scanner's button; four times is something else.
MOST_COPIES: Final = 3

# How many other readings of a code are worth a question to Shopify (each one counts as a miss).
MOST_LOOK_ALIKES: Final = 3

# What replaces a typed text in which no code was recognised: it may hold one all the same.
UNREADABLE_CODE: Final = "•••• ????"

# A masked code, as `mask` writes it.
MASKED: Final = re.compile(r"•••• [^\W_]{0,4}")

# Letters of other alphabets that are drawn like a Latin one and could stand for no other.
# Left out on purpose: what looks like one Latin letter when small and like another when capital
# (Greek ν is v or N, η is n or H, υ is u or Y, μ is u or M), and what only resembles (з and 3).
TWIN_LETTERS = {
    **dict(zip("авекмнорстухіјѕүһԛԝ", "abekmhopctyxijsyhqw", strict=True)),  # Cyrillic
    **dict(zip("αβεζικορτχ", "abezikoptx", strict=True)),  # Greek
    **dict(zip("ıİ", "ii", strict=True)),  # the two letters i of a Turkish keyboard
}

# What each character means to us, beyond letters and digits.
BLANK, DASH, DOT, BREAK, MARK, MASK = " ", "-", ".", "\n", ":", "*"
MEANINGS = {
    **dict.fromkeys("\t\x02\x03\x04\x1d\x1e", BLANK),  # a tab; what scanners frame a code with
    **dict.fromkeys("\u115f\u1160\u2800\u3164\uffa0", BLANK),  # drawn as nothing, though not blanks
    **dict.fromkeys("\"'`´‘’‚‛“”„‟‹›«»′″‵‶〝〞〟「」『』", BLANK),  # quotes
    **dict.fromkeys("()[]{}<>", BLANK),
    **dict.fromkeys("−ーｰ⁃", DASH),  # minus, the Japanese long-vowel sign, the hyphen bullet
    **dict.fromkeys("._·‧∙⋅・｡。…", DOT),
    **dict.fromkeys("\n\r\v\f\x1c\x85\u2028\u2029,;/|&、", BREAK),
    **dict.fromkeys(":#=№", MARK),
    **dict.fromkeys("*•●∗⁎", MASK),
}
CATEGORY_MEANINGS = {"Zs": BLANK, "Pd": DASH}  # Unicode's general categories: spaces, dashes
# Drawn as nothing, beside Unicode's category Cf: joiners, and selectors of a glyph's variant.
INVISIBLE = frozenset("\u034f\u180b\u180c\u180d\u180f") | frozenset(map(chr, range(0xFE00, 0xFE10)))

# The words that stand in front of a code on cards, mails and forms. Never "pin": digits follow it.
_WORDS = """
    gc gift egift card cards code codes no nr num number id voucher coupon certificate
    gutschein karte nummer carte cadeau numéro numero n° tarjeta regalo código codigo
"""
# One word that says as much as two, so that it is a phrase by itself.
_COMPOUNDS = """
    giftcard egiftcard giftcode giftcardcode giftcardnumber giftcardno cardnumber cardcode cardno
    gcno gccode geschenkkarte gutscheincode gutscheinkarte kartennummer kartencode no. nr.
"""
LABEL_COMPOUNDS = frozenset(_COMPOUNDS.split())
LABEL_WORDS = LABEL_COMPOUNDS | frozenset(_WORDS.split())
# Shopify, Liquid object gift_card, qr_identifier: "shopify-giftcard-v1-3TKWJKJBM3X7PBRK".
SCANNED_PREFIX = re.compile(
    rf"(?<!\S)shopify-giftcard-v1-(?=(?:[^a-z0-9]*[a-z0-9]){{{SHORTEST_CODE}}})"
)
MASKED_FORM = re.compile(r"\*[ .-]*\*")
HYPHENATED_LINE = re.compile(r"-[ ]*\n[ \n]*")
NOT_READ = re.compile(r"[^a-z0-9 .\-\n]")

# Second tries: every reading of letters and digits that are drawn alike, most plausible first.
# Digits come first, because alphabets made for cards (Crockford's) keep 0 and 1 and drop O, I, L.
LOOK_ALIKE_READINGS = tuple(
    str.maketrans(seen, meant)
    for seen, meant in (
        ("oil", "011"),
        ("01", "oi"),
        ("01", "ol"),
        ("o", "0"),
        ("0", "o"),
        ("il", "11"),
        ("1", "i"),
        ("1", "l"),
        ("i", "l"),
        ("l", "i"),
    )
)
LOOK_ALIKES_OF = {"0": "o", "o": "0", "1": "il", "i": "1l", "l": "1i"}


@final
class Code:
    """A card's full code, normalised: 8 to 20 of a–z and 0–9. Only `value` tells it.

    It shows itself masked everywhere else (`str`, `repr`, f-strings, logs), is copied as itself,
    and refuses to be pickled: a code is in no table, queue or file of ours. It is not a dataclass,
    because `dataclasses.asdict` would spell it out.
    Raises `ValueError` for anything that is not normalised; what people type goes through `clean`.
    """

    __match_args__ = ("value",)
    __slots__ = ("value",)
    value: str

    def __init__(self, value: str) -> None:
        if not LEGAL_CODE.fullmatch(value):  # the message must not hold what was given
            raise ValueError(
                f"a normalised code is {SHORTEST_CODE} to {LONGEST_CODE} of a-z and 0-9"
            )
        object.__setattr__(self, "value", value)

    @property
    def last4(self) -> str:
        """The last four characters, lower case: all that may be shown, and what Shopify shows."""
        return self.value[-4:]

    @property
    def masked(self) -> str:
        """The form for people: `•••• 2b5a`."""
        return mask(self.last4)

    def __repr__(self) -> str:
        return f"Code({self.masked})"

    def __str__(self) -> str:
        return self.masked

    def __format__(self, format_spec: str) -> str:
        return format(self.masked, format_spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Code) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError("a code never changes")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError("a code never changes")

    def __reduce__(self) -> Never:
        raise TypeError("a full card code is never pickled; keep its fingerprint instead")


@dataclass(frozen=True, slots=True)
class FormatIncorrect:
    """What was typed is no card code. `reason` helps the store in plain words, quoting nothing."""

    reason: str


def mask(last4: str) -> str:
    """The masked form of a card whose code ends with `last4`: `•••• 2b5a`, never more than four."""
    return f"•••• {last4[-4:]}"


def is_masked(text: str) -> bool:
    """Whether what should be a masked code holds no other: it is one, or unreadable, or empty."""
    return text in {"", UNREADABLE_CODE} or MASKED.fullmatch(text) is not None


def fingerprint(code: Code, pepper: bytes) -> str:
    """The keyed fingerprint by which our index finds a card: HMAC-SHA256 as 64 hexadecimal digits.

    Without `pepper` it cannot be guessed back. Raises `ValueError` for an empty pepper.
    """
    if not pepper:
        raise ValueError("an empty pepper would make fingerprints guessable")
    return hmac.new(pepper, code.value.encode("ascii"), "sha256").hexdigest()


def clean(typed: str) -> Code | FormatIncorrect:
    """Read what staff typed as one card code, by the rules at the top of this module."""
    if len(typed) > LONGEST_CELL:
        return FormatIncorrect("That is far too much text for a card code. Type only the code.")
    text = "".join(_read_character(character) for character in typed)
    if MASKED_FORM.search(text):
        return FormatIncorrect(
            "That is the masked form of a code, as our mails show it. Type the whole code, as it"
            " stands on the card."
        )
    text = HYPHENATED_LINE.sub(DASH, text.replace(MASK, BLANK))
    lines = _without_marked_words(SCANNED_PREFIX.sub(BREAK, text))
    if lines is None:
        return FormatIncorrect(
            "There is a “:”, “#” or “=” beside the code, with something before it that is not a"
            " usual word for a card. Type only the code."
        )
    unread = NOT_READ.search(BREAK.join(lines))
    if unread and unread[0].isalpha():
        return FormatIncorrect(
            "There is a letter with an accent or of another alphabet. A card code has only the"
            " letters A to Z and digits: check the keyboard's language and type it again."
        )
    if unread:
        return FormatIncorrect(
            "There is a sign that no card code has. Type only its letters and digits."
        )
    return _without_phrase([line.split() for line in lines])


def look_alikes(code: Code) -> tuple[Code, ...]:
    """At most three other codes that `code` may have been misread from, most plausible first.

    A second try, for a code that no card has: letters and digits drawn alike (O and 0; I, L and 1),
    and one half of a code pasted twice. Never `code` itself, never the same one twice.
    Whoever tries them accepts a card only if exactly one of them exists: where two do, nobody knows
    which was meant.
    """
    others = dict.fromkeys(value for value in _other_readings(code.value) if value != code.value)
    return tuple(Code(value) for value in list(others)[:MOST_LOOK_ALIKES])


def _other_readings(value: str) -> Iterator[str]:
    """Every other reading of `value`, most plausible first; `value` itself may be among them.

    Whoever misreads a letter misreads it everywhere, so whole readings come before single letters.
    """
    if (half := _one_copy(value, copies=2)) is not None:
        yield half
    for reading in LOOK_ALIKE_READINGS:
        yield value.translate(reading)
    for place, character in enumerate(value):
        for other in LOOK_ALIKES_OF.get(character, ""):
            yield value[:place] + other + value[place + 1 :]


def _read_character(character: str) -> str:
    """What one typed character means: small letters, digits, and the six signs of `MEANINGS`.

    What has no meaning for us comes back unchanged, to be refused.
    """
    if character in MEANINGS:
        return MEANINGS[character]
    return "".join(map(_read_plain, unicodedata.normalize("NFKC", character)))


def _read_plain(character: str) -> str:
    """`_read_character`, for a character in Unicode's plain form (NFKC)."""
    if character in MEANINGS:
        return MEANINGS[character]
    category = unicodedata.category(character)
    if category == "Cf" or character in INVISIBLE:
        return ""
    if category in CATEGORY_MEANINGS:
        return CATEGORY_MEANINGS[category]
    if category == "Nd":
        return str(unicodedata.decimal(character))
    small = character.lower()
    return TWIN_LETTERS.get(character) or TWIN_LETTERS.get(small) or small


def _without_marked_words(text: str) -> list[str] | None:
    """The lines of `text` without the words that a mark (`:`, `#`, `=`) shows to be no code.

    `None` where what stands before a mark is not such a word: it could be a code, or a PIN.
    """
    lines: list[str] = []
    for line in text.split(BREAK):
        *labelled, last = line.split(MARK)
        for place, part in enumerate(labelled):
            words = part.split()
            content = list(words)
            while content and _is_label(content[-1]):
                content.pop()
            if content and (place == 0 or content == words):
                return None
            lines.append(BLANK.join(content))
        lines.append(last)
    return lines


def _is_label(word: str) -> bool:
    """Whether `word` is made of words that stand in front of codes: `card`, `gutschein-nr.`."""
    parts = [part for part in re.split(r"[.-]+", word) if part]
    return _letters(word) in LABEL_WORDS or (
        bool(parts) and all(part in LABEL_WORDS for part in parts)
    )


def _is_phrase(words: list[str]) -> bool:
    """Whether labels say enough to be known as such without a mark: two words, or a compound."""
    parts = [part for word in words for part in re.split(r"[.-]+", word) if part]
    return len(parts) > 1 or any(word in LABEL_COMPOUNDS for word in words)


def _without_phrase(lines: list[list[str]]) -> Code | FormatIncorrect:
    """Read groups as one code, without an unmarked phrase in front where it cannot belong to it."""
    words = [word for line in lines for word in line]
    phrase = 0
    while phrase < len(words) and _is_label(words[phrase]):
        phrase += 1
    too_little_is_left = len(_letters("".join(words[phrase:]))) < SHORTEST_CODE
    if not _is_phrase(words[:phrase]) or too_little_is_left:
        return _join(lines)
    if len(_letters("".join(words))) <= LONGEST_CODE:
        return FormatIncorrect(
            "There are words in front that may or may not belong to the code. Leave them out;"
            " if they do belong to it, write everything together, without blanks."
        )
    return _join(_drop_words(lines, phrase))


def _drop_words(lines: list[list[str]], count: int) -> list[list[str]]:
    """`lines` without their first `count` words."""
    kept: list[list[str]] = []
    for line in lines:
        kept.append(line[count:])
        count = max(0, count - len(line))
    return kept


def _join(lines: list[list[str]]) -> Code | FormatIncorrect:
    """Join groups of letters and digits to one code, unless they are two."""
    words = [letters for line in lines for word in line if (letters := _letters(word))]
    whole_lines = [letters for line in lines if (letters := _letters("".join(line)))]
    joined = "".join(words)
    if not joined:
        return FormatIncorrect("The card code is missing.")
    for pieces in (whole_lines, words):
        if sum(len(piece) >= SHORTEST_CODE for piece in pieces) > 1:
            once = _same_piece_again(pieces)
            return (
                Code(once)
                if once
                else FormatIncorrect(
                    "There seem to be two different codes, or something beside the code. Type only"
                    " one card's code, and file each card in a row of its own."
                )
            )
    if LEGAL_CODE.fullmatch(joined):
        return Code(joined)
    for copies in range(2, MOST_COPIES + 1):
        if once := _one_copy(joined, copies=copies):
            return Code(once)
    question = (
        "Is a part missing?"
        if len(joined) < SHORTEST_CODE
        else "Is it two codes, or is there a word or an amount beside the code?"
    )
    return FormatIncorrect(
        f"That is {len(joined)} letters and digits; a card code has {SHORTEST_CODE} to"
        f" {LONGEST_CODE}. {question}"
    )


def _letters(word: str) -> str:
    """The letters and digits of a word, without the dashes and dots between them."""
    return word.replace(DASH, "").replace(DOT, "")


def _one_copy(joined: str, *, copies: int) -> str | None:
    """The code of which `joined` is `copies` copies and nothing else, or `None`."""
    once = joined[: len(joined) // copies]
    return once if once * copies == joined and LEGAL_CODE.fullmatch(once) else None


def _same_piece_again(pieces: list[str]) -> str | None:
    """The one code that `pieces` hold several times over, or `None` if they hold two codes."""
    joined = "".join(pieces)
    for copies in range(2, MOST_COPIES + 1):
        once = _one_copy(joined, copies=copies)
        if once is None:
            continue
        as_pasted = pieces[: len(pieces) // copies] * copies == pieces
        if as_pasted or all(piece == once for piece in pieces if len(piece) >= SHORTEST_CODE):
            return once
    return None
