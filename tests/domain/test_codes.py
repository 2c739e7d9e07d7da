"""What staff type becomes one card's code, or a refusal that says what to do."""

import copy
import dataclasses
import json
import logging
import pickle
import re
import string
import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from giftcards.domain.codes import (
    INVISIBLE,
    LABEL_COMPOUNDS,
    LABEL_WORDS,
    LONGEST_CELL,
    LONGEST_CODE,
    MEANINGS,
    MOST_LOOK_ALIKES,
    SHORTEST_CODE,
    TWIN_LETTERS,
    Code,
    FormatIncorrect,
    clean,
    fingerprint,
    look_alikes,
    mask,
)

LETTERS_AND_DIGITS = string.ascii_lowercase + string.digits
LEGAL = re.compile(r"[a-z0-9]{8,20}")

legal_values = st.text(LETTERS_AND_DIGITS, min_size=SHORTEST_CODE, max_size=LONGEST_CODE)
codes = legal_values.map(Code)


def read(typed: str) -> str:
    """The normalised code that was read; anything else fails the test."""
    answer = clean(typed)
    assert isinstance(answer, Code), answer
    return answer.value


def refusal(typed: str) -> str:
    """The reason of a refusal; anything else fails the test."""
    answer = clean(typed)
    assert isinstance(answer, FormatIncorrect), f"read as {answer.value}"
    return answer.reason


# -------------------- what every decoration leaves whole


def glyphs_of(character: str) -> list[str]:
    """Every way a keyboard or a PDF writes one letter or digit of a code."""
    plain = [character, character.upper()]
    full_width = [chr(ord(one) + 0xFEE0) for one in plain]
    twins = [twin for twin, latin in TWIN_LETTERS.items() if latin == character]
    capital_twins = [twin.upper() for twin in twins if twin not in "ıİ"]
    if character.isdigit():
        arabic, devanagari = chr(0x660 + int(character)), chr(0x966 + int(character))
        return [*plain, *full_width, arabic, devanagari]
    bold = chr(0x1D400 + string.ascii_lowercase.index(character))
    return [*plain, *full_width, *twins, *capital_twins, bold]


BLANKS = [" ", "\t", "\u00a0", "\u2009", "\u3000", "  ", "\u3164", '" "', " (", ") ", " • "]
DASHES = ["-", "–", "—", "\u2010", "\u2011", "\u2212", "－", "ー", "_", "--", "‒", "﹣"]
DOTS = [".", "·", "．", "・", "…", "‧"]
NOTHING_SEEN = ["\u200b", "\u200d", "\ufeff", "\u00ad", "\u2060", "\u202d", "\ufe0f", "\u034f"]
SPACED = [" - ", " . ", "- ", " –"]
BREAKS = ["\n", "\r\n", "\n\n", "\r", "\u2028", " \n ", ",", ", ", ";", " / "]
HYPHENATED = ["-\n", "- \n  ", "–\r\n", "\u00ad-\n"]
MARKED_WORDS = [
    "Code:", "code: ", "CODE :", "GC#", "gc # ", "GC:", "#", "Gift card: ", "Gift Card Code: ",
    "Gift-card no.: ", "giftcard#", "Card no. #", "Card #", "e-Gift Card: ", "Karte: ", "Code = ",
    "Gutschein-Nr.: ", "Kartennummer：", "№ ", "Carte cadeau n°: ", "Código: ", "Соde: ", "GC#: ",
    "shopify-giftcard-v1-", "“Code”: ", "\u200bCode\u200b:\n",
]  # fmt: skip
WRAPPINGS = [
    ("", ""), ("“", "”"), ('"', '"'), ("'", "'"), ("«", "»"), ("(", ")"), ("*", "*"), ("  ", "\n"),
    ("\x02", "\x03"), ("„", "“"), ("", "."), ("", ","), ("- ", ""), ("• ", ""), ("`", "`"),
]  # fmt: skip


@st.composite
def written_groups(draw: st.DrawFn, value: str, blanks: list[str], joiners: list[str]) -> str:
    """`value` cut by blanks and joiners, its letters drawn in any way.

    Between two blanks are at most seven characters, so that no group is a code by itself.
    """
    written = draw(st.sampled_from(glyphs_of(value[0])))
    since_blank = 1
    for character in value[1:]:
        if blanks and (since_blank == SHORTEST_CODE - 1 or draw(st.integers(0, 3)) == 0):
            written += draw(st.sampled_from(blanks))
            since_blank = 0
        elif joiners and draw(st.integers(0, 3)) == 0:
            written += draw(st.sampled_from(joiners))
        written += draw(st.sampled_from(glyphs_of(character)))
        since_blank += 1
    return written


JOINERS = [*DASHES, *DOTS, *NOTHING_SEEN]
GROUPINGS = [
    (BLANKS + SPACED, JOINERS),
    (BLANKS + SPACED, [*JOINERS, *HYPHENATED]),
    ([], [*JOINERS, *HYPHENATED]),
    (BREAKS, NOTHING_SEEN),
    ([], NOTHING_SEEN),
]


@st.composite
def decorated(draw: st.DrawFn) -> tuple[str, str]:
    """A legal code, and one of the many ways in which somebody types just that code."""
    value = draw(legal_values)
    blanks, joiners = draw(st.sampled_from(GROUPINGS))
    first, last = draw(st.sampled_from(WRAPPINGS))
    marked = draw(st.sampled_from(["", *MARKED_WORDS]))
    return value, marked + first + draw(written_groups(value, blanks, joiners)) + last


def begins_like_a_phrase(value: str) -> bool:
    """Whether blanks could turn the beginning of this code into "gift card": see rule 2."""
    return any(value.startswith(word) for word in LABEL_WORDS)


@given(decorated())
def test_every_decoration_of_a_code_is_undone(example_of: tuple[str, str]) -> None:
    value, typed = example_of
    assume(not begins_like_a_phrase(value))
    assert read(typed) == value


@given(legal_values)
@example("giftcard")
@example("giftcardcode")
@example("gutscheincode")
@example("gc123456")
@example("code1234efgh")
@example("shopifygiftcardv1abc")
@example("abcd1234abcd1234")
def test_a_normalised_code_is_read_as_itself(value: str) -> None:
    assert read(value) == value
    assert read(value.upper()) == value


@given(st.text() | decorated().map(lambda pair: pair[1]))
def test_cleaning_twice_changes_nothing(typed: str) -> None:
    answer = clean(typed)
    if isinstance(answer, Code):
        assert clean(answer.value) == answer


SIGNS = sorted({*MEANINGS, *INVISIBLE, *TWIN_LETTERS, *LETTERS_AND_DIGITS, *"ABCOIL019 -?é$"})
PIECES = sorted(
    {*SIGNS, *LABEL_WORDS, *MARKED_WORDS, *BREAKS, "Gift card ", "shopify-giftcard-v1-"}
)
arbitrary = st.text() | st.text(SIGNS) | st.lists(st.sampled_from(PIECES)).map("".join)

# Every reason there is, its numbers replaced: nothing typed can be in one of these.
REASONS = """
The card code is missing.
That is far too much text for a card code. Type only the code.
That is the masked form of a code, as our mails show it. Type the whole code, as it stands on
  the card.
There is a “:”, “#” or “=” beside the code, with something before it that is not a usual word for
  a card. Type only the code.
There is a letter with an accent or of another alphabet. A card code has only the letters A to Z
  and digits: check the keyboard's language and type it again.
There is a sign that no card code has. Type only its letters and digits.
There are words in front that may or may not belong to the code. Leave them out; if they do belong
  to it, write everything together, without blanks.
There seem to be two different codes, or something beside the code. Type only one card's code, and
  file each card in a row of its own.
That is N letters and digits; a card code has N to N. Is a part missing?
That is N letters and digits; a card code has N to N. Is it two codes, or is there a word or an
  amount beside the code?
""".replace("\n  ", " ").splitlines()


@given(arbitrary)
def test_whatever_is_typed_is_a_legal_code_or_a_refusal_that_quotes_nothing(typed: str) -> None:
    answer = clean(typed)
    if isinstance(answer, Code):
        assert LEGAL.fullmatch(answer.value)
    else:
        assert re.sub(r"\d+", "N", answer.reason) in REASONS[1:]


@given(arbitrary)
def test_no_letter_or_digit_is_lost_without_a_mark(typed: str) -> None:
    """Without `:`, `#`, `=` and known words, a code holds all that was typed, or equal copies."""
    assume("№" not in typed)
    assume(not any(MEANINGS.get(sign) == ":" for sign in unicodedata.normalize("NFKC", typed)))
    assume(not any(word in typed.lower() for word in ("shopify", *LABEL_WORDS)))
    answer = clean(typed)
    if isinstance(answer, Code):
        whole = "".join(
            sign
            for one in typed
            for sign in (
                TWIN_LETTERS.get(one.lower()) or unicodedata.normalize("NFKC", one).lower()
            )
            if sign in LETTERS_AND_DIGITS
        )
        assume(len(whole) >= len(answer.value))  # foreign digits are not counted here
        copies, rest = divmod(len(whole), len(answer.value))
        assert (rest, whole) == (0, answer.value * copies)


# -------------------- one code or two

BETWEEN_CODES = [
    " ", "  ", "\t", *BREAKS, " - ", " and ", " & ", "|", "\n\n", " . ", '" "', "\n- ", " und ",
]  # fmt: skip


@given(legal_values, legal_values, st.sampled_from(BETWEEN_CODES))
def test_two_different_codes_are_never_read_as_one(one: str, other: str, between: str) -> None:
    assume(one != other)
    refusal(one + between + other)


@given(legal_values, legal_values, st.data())
def test_two_different_codes_in_groups_are_never_read_as_one(
    one: str, other: str, data: st.DataObject
) -> None:
    """Groups with dashes beside blanks, and groups with blanks in lines of their own."""
    assume(one != other)
    assume(not begins_like_a_phrase(one) and not begins_like_a_phrase(other))
    blanks, joiners, between = data.draw(
        st.sampled_from(
            [([], DASHES, " "), ([], DOTS, "\t"), (BLANKS, JOINERS, "\n"), (BLANKS, [], ", ")]
        )
    )
    typed = between.join(data.draw(written_groups(code, blanks, joiners)) for code in (one, other))
    refusal(typed)


@given(legal_values, st.sampled_from([*BREAKS, " ", "\t", " - "]), st.integers(2, 3))
def test_the_same_code_pasted_again_is_one_code(value: str, between: str, copies: int) -> None:
    assert read(between.join([value] * copies)) == value


@given(legal_values, st.sampled_from(["Code: ", "GC#", "shopify-giftcard-v1-"]))
def test_a_whole_line_pasted_twice_is_one_code(value: str, marked: str) -> None:
    assert read(f"{marked}{value}\n{marked}{value}") == value
    assert read(f"{marked}{value} {marked}{value}") == value


@given(st.text(LETTERS_AND_DIGITS, min_size=LONGEST_CODE // 2 + 1, max_size=LONGEST_CODE))
def test_pasted_twice_without_a_blank_is_one_code_where_the_whole_is_too_long(value: str) -> None:
    assert read(value + value) == value


@given(st.text(LETTERS_AND_DIGITS, min_size=SHORTEST_CODE, max_size=LONGEST_CODE // 2))
def test_pasted_twice_without_a_blank_stays_whole_where_the_whole_may_be_a_code(half: str) -> None:
    whole = read(half + half)
    assert whole == half + half
    assert look_alikes(Code(whole))[0] == Code(half)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("ABCD 1234 EFGH 5678", "abcd1234efgh5678"),
        ("ABCD1234-EFGH5678", "abcd1234efgh5678"),
        ("ABCD1234.EFGH5678", "abcd1234efgh5678"),
        ("ABCD1234EF GH5678", "abcd1234efgh5678"),  # a slip of the thumb
        ("ABCD1234EFGH\n5678", "abcd1234efgh5678"),  # a line that was too narrow
        ("ABCD-1234-\nEFGH-5678", "abcd1234efgh5678"),  # likewise, with a dash
        ("ABCD 1234 WXYZ 9876", "abcd1234wxyz9876"),  # cannot be told from two; joining is harmless
        ("ABCD 1234 EFGH-5678", "abcd1234efgh5678"),
        ("ABCD1234\nEFGH\n5678", "abcd1234efgh5678"),
        ("ABCD1234EF GHIJK ABCD1234EF GHIJK", "abcd1234efghijk"),  # pasted twice, slip and all
        ("a" * 24, "a" * 12),
    ],
)
def test_what_is_one_code(typed: str, value: str) -> None:
    assert read(typed) == value


@pytest.mark.parametrize(
    "typed",
    [
        "ABCD1234 EFGH5678",
        "ABCD1234- EFGH5678",
        "ABCD 1234\nEFGH 5678",
        "ABCD1234,EFGH5678",
        "- ABCD1234\n- EFGH5678",
        "Code: ABCD1234 Code: EFGH5678",
        "GC#ABCD1234#EFGH5678",
        "ABCD1234 ABCD1234ABCD1234",  # a code, and the code that looks like it twice
        "ABCD1234 ABCD1234 EFGH5678",
        "ABCD1234EFGH5678 ABCD1234EFGH5679",
    ],
)
def test_what_is_two_codes(typed: str) -> None:
    refusal(typed)


# -------------------- words in front


@given(legal_values, st.sampled_from(sorted(LABEL_WORDS)), st.sampled_from([":", "#", " : ", "="]))
def test_a_marked_word_is_no_part_of_the_code(value: str, word: str, marking: str) -> None:
    assert read(word + marking + value) == value
    assert read(word.upper() + marking + value.upper()) == value


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("gc12345678", "gc12345678"),
        ("GC-1234-5678", "gc12345678"),
        ("GC 1234 5678", "gc12345678"),
        ("CODE 1234 EFGH", "code1234efgh"),
        ("Code: CODE1234", "code1234"),
        ("GC#GC123456", "gc123456"),
        ("NO-1234-5678", "no12345678"),
        ("giftcard2024", "giftcard2024"),
    ],
)
def test_a_code_that_begins_like_a_word_survives(typed: str, value: str) -> None:
    assert read(typed) == value


@pytest.mark.parametrize(
    "phrase",
    ["Gift card", "GIFT CARD CODE", "Giftcard", "Card no.", "gift-card no", "Karte Nr."],
)
def test_a_phrase_goes_only_where_it_cannot_belong_to_the_code(phrase: str) -> None:
    assert read(f"{phrase} ABCD 1234 EFGH 5678") == "abcd1234efgh5678"
    assert "words in front" in refusal(f"{phrase} ABCD1234")


def test_a_phrase_with_nothing_behind_it_is_read_as_it_stands() -> None:
    assert read("Gift card") == "giftcard"
    assert "8 to 20" in refusal("Card no.")


@pytest.mark.parametrize("compound", sorted(LABEL_COMPOUNDS))
def test_a_compound_is_a_phrase(compound: str) -> None:
    assert read(f"{compound} ABCD1234EFGH5678XYZ") == "abcd1234efgh5678xyz"


@pytest.mark.parametrize("typed", ["Anna: ABCD1234", "PIN: 12345678", "ABCD1234: 25", "ABCD1234#"])
def test_an_unknown_word_before_a_mark_is_refused(typed: str) -> None:
    assert "beside the code" in refusal(typed)


@pytest.mark.parametrize("typed", ["ABCD1234EFGH PIN: 4711", "Code: ABCD1234 PIN: 4711"])
def test_a_pin_is_never_read_as_a_part_of_the_code(typed: str) -> None:
    assert "beside the code" in refusal(typed)


# -------------------- refusals that help


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("", "missing"),
        (" \n\t\u200b ", "missing"),
        ("Code:", "missing"),
        ("ABC-123", "That is 6 letters and digits; a card code has 8 to 20. Is a part missing?"),
        ("A" * 23, "That is 23 letters and digits; a card code has 8 to 20. Is it two codes,"),
        ("•••• 2b5a", "masked form"),
        ("**** **** **** 2B5A", "masked form"),
        ("Card •••• 2b5a", "masked form"),
        ("ABCD?234", "no card code has"),
        ("1.23457E+15", "no card code has"),  # what a spreadsheet makes of a long number
        ("anna@example.com", "no card code has"),
        ("ABCDÉ1234", "keyboard"),
        ("ABCDЖ1234", "keyboard"),
        ("ABCDν1234", "keyboard"),  # Greek ν is v or N: nobody knows which
        ("ABCDµ1234", "keyboard"),
        ("x" * (LONGEST_CELL + 1), "far too much text"),
    ],
)
def test_a_refusal_says_what_to_do(typed: str, hint: str) -> None:
    assert hint in refusal(typed)


def test_a_cell_of_the_longest_length_is_still_looked_at() -> None:
    assert read(" " * (LONGEST_CELL - 8) + "abcd1234") == "abcd1234"


def test_letters_that_could_be_two_latin_ones_have_no_twin() -> None:
    """Only letters whose small and capital form do not look like two different Latin letters."""
    assert not set("νημυγωпгбз") & set(TWIN_LETTERS)
    assert set(TWIN_LETTERS.values()) <= set(string.ascii_lowercase)


# -------------------- second tries

look_alike_heavy = st.text("0o1ilab", min_size=SHORTEST_CODE, max_size=LONGEST_CODE).map(Code)


@given(codes | look_alike_heavy)
def test_second_tries_are_few_distinct_legal_and_never_the_code_itself(code: Code) -> None:
    others = look_alikes(code)
    assert len(others) <= MOST_LOOK_ALIKES
    assert len(set(others)) == len(others)
    assert code not in others
    assert look_alikes(code) == others


@given(look_alike_heavy)
def test_second_tries_change_only_what_looks_alike(code: Code) -> None:
    def drawn(value: str) -> str:
        return value.translate(str.maketrans("oil", "011"))

    for other in look_alikes(code):
        half = code.value[: len(code.value) // 2]
        assert drawn(other.value) == drawn(code.value) or other.value * 2 == half * 2 == code.value


@given(st.text("abcdefgh2345678", min_size=17, max_size=LONGEST_CODE).filter(lambda t: len(t) % 2))
def test_a_code_without_look_alikes_has_no_second_try(value: str) -> None:
    assert look_alikes(Code(value)) == ()


@pytest.mark.parametrize(
    ("value", "others"),
    [
        ("abcdefg0", ["abcdefgo"]),
        ("abcdefgo", ["abcdefg0"]),
        ("abcdefg1", ["abcdefgi", "abcdefgl"]),
        ("abcdefgl", ["abcdefg1", "abcdefgi"]),
        ("oabcdefl", ["0abcdef1", "0abcdefl", "oabcdef1"]),
        ("oabcdoef", ["0abcd0ef", "0abcdoef", "oabcd0ef"]),
        ("abcd1234abcd1234", ["abcd1234", "abcdi234abcdi234", "abcdl234abcdl234"]),
    ],
)
def test_the_most_plausible_second_try_comes_first(value: str, others: list[str]) -> None:
    assert [other.value for other in look_alikes(Code(value))] == others


# -------------------- a code keeps quiet


@dataclasses.dataclass(frozen=True)
class Holder:
    code: Code


def hidden_in(shown: str, code: Code) -> bool:
    return code.value[-5:] not in shown.lower() and code.value[:5] not in shown.lower()


@given(codes)
def test_a_code_shows_only_its_last_four_characters(code: Code) -> None:
    shown = [
        repr(code),
        str(code),
        f"{code}",
        f"{code!r:>40}",
        f"{code:>40}",
        "{}".format(code),  # noqa: UP032 - this very form is what is tried here
        "%s %r" % (code, code),  # noqa: UP031 - likewise
        repr([code]),
        repr({code: code}),
        repr(Holder(code)),
        str(dataclasses.asdict(Holder(code))),
        json.dumps({"code": code}, default=str),
        json.dumps({"code": code}, default=repr),
        logging.LogRecord("x", 20, "x", 1, "card %s", (code,), None).getMessage(),
    ]
    for text in shown:
        assert hidden_in(text, code)
        assert code.last4 in text
    assert code.masked == mask(code.last4) == f"•••• {code.value[-4:]}"


@given(codes)
def test_a_code_is_in_no_serialised_form(code: Code) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(code)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(code, protocol)
    assert not hasattr(code, "__dict__")


@given(codes)
def test_copies_of_a_code_are_the_code(code: Code) -> None:
    assert copy.copy(code) is code
    assert copy.deepcopy([code])[0] is code


@given(codes)
def test_a_code_never_changes(code: Code) -> None:
    with pytest.raises(AttributeError):
        code.value = "abcd1234"
    with pytest.raises(AttributeError):
        del code.value


@given(codes, codes)
def test_codes_are_equal_by_value(one: Code, other: Code) -> None:
    assert (one == other) == (one.value == other.value)
    assert Code(one.value) == one
    assert hash(Code(one.value)) == hash(one)
    assert one != one.value


@pytest.mark.parametrize(
    "value",
    ["", "abc1234", "a" * 21, "ABCD1234", "abcd-1234", "abcd1234\n", "аbcd1234", "abcd１234"],
)
def test_a_code_is_built_from_its_normalised_form_only(value: str) -> None:
    with pytest.raises(ValueError, match="8 to 20") as refused:
        Code(value)
    assert not value or value not in str(refused.value)


@given(legal_values)
def test_a_mask_never_shows_more_than_four_characters(value: str) -> None:
    assert mask(value) == mask(value[-4:]) == "•••• " + value[-4:]


# -------------------- fingerprints

peppers = st.binary(min_size=1)


@given(decorated(), peppers)
def test_a_fingerprint_does_not_depend_on_how_the_code_was_typed(
    example_of: tuple[str, str], pepper: bytes
) -> None:
    value, typed = example_of
    assume(not begins_like_a_phrase(value))
    read_code = clean(typed)
    assert isinstance(read_code, Code)
    assert fingerprint(read_code, pepper) == fingerprint(Code(value), pepper)


@given(codes, codes, st.binary(min_size=16), st.binary(min_size=16))
def test_a_fingerprint_depends_on_the_code_and_on_the_pepper(
    one: Code, other: Code, pepper: bytes, new_pepper: bytes
) -> None:
    assert (fingerprint(one, pepper) == fingerprint(other, pepper)) == (one == other)
    # HMAC fills a short key up with zeros, so only those count as the same pepper.
    same_pepper = pepper.rstrip(b"\0") == new_pepper.rstrip(b"\0")
    assert (fingerprint(one, pepper) == fingerprint(one, new_pepper)) == same_pepper


def test_a_fingerprint_is_the_published_construction() -> None:
    """HMAC-SHA256 by OpenSSL: printf abcd1234 | openssl dgst -sha256 -hmac pepper."""
    expected = "1f733bd962b157b25fc81b2471e125bf51fec7c9c65c1f97a6db079eddc75efe"
    assert fingerprint(Code("abcd1234"), b"pepper") == expected


def test_an_empty_pepper_is_refused() -> None:
    with pytest.raises(ValueError, match="pepper"):
        fingerprint(Code("abcd1234"), b"")
