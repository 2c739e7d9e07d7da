"""Codes worked out from digests: nobody mixes them up, guesses them, or gets one twice."""

import hashlib
import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from giftcards.domain.codes import LABEL_WORDS, LOOK_ALIKES_OF, Code, clean, look_alikes
from giftcards.domain.deliveries import grouped
from giftcards.domain.derived_codes import (
    ALPHABET,
    CODE_LENGTH,
    CODES,
    DIGEST_BYTES,
    LONGEST_MESSAGE_BYTES,
    code_message,
    derive_code,
)
from giftcards.domain.hiding import hide_codes

digests = st.binary(min_size=DIGEST_BYTES, max_size=DIGEST_BYTES)
# Texts of the signs that parts are joined with are the ones that could be taken for joints.
parts = st.text("0123456789:,|ab", min_size=1, max_size=8) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8
)
inputs = st.tuples(parts, parts, parts, st.integers(0, 120))


def message(given_input: tuple[str, str, str, int]) -> bytes:
    stage, shop, operation, counter = given_input
    return code_message(stage=stage, shop=shop, operation=operation, counter=counter)


# ---- the alphabet ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "alike", ["0o", "1il", "uv", "5s", "8b", "2z", "9gq", "mn", "b6", "vw", "bv", "fs", "uw"]
)
def test_of_characters_taken_for_each_other_at_most_one_is_left(alike: str) -> None:
    assert len(set(alike) & set(ALPHABET)) <= 1


def test_the_alphabet_has_no_vowel_and_no_character_twice() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET) == 17
    assert "".join(sorted(ALPHABET)) == ALPHABET
    assert not set(ALPHABET) & set("aeiou")
    assert not set(ALPHABET) & set(LOOK_ALIKES_OF)


def test_no_group_of_a_code_can_be_a_label_that_cleaning_drops() -> None:
    whole_groups = {word for word in LABEL_WORDS if len(word) >= 4}
    assert not [word for word in whole_groups if set(word) <= set(ALPHABET)]


def test_a_code_holds_at_least_80_bits() -> None:
    assert CODES == 17**20
    assert 81.7 < math.log2(CODES) < 81.8
    assert CODES >= 2**80
    assert math.log2(len(ALPHABET) ** (CODE_LENGTH - 1)) < 80


# ---- from digest to code --------------------------------------------------------------------


def test_a_digest_is_one_number_and_its_remainder_is_the_code() -> None:
    assert derive_code(bytes(32)).value == "3" * 20
    assert derive_code((1).to_bytes(32)).value == "3" * 19 + "4"
    assert derive_code((17).to_bytes(32)).value == "3" * 18 + "43"
    assert derive_code((CODES - 1).to_bytes(32)).value == "y" * 20
    assert derive_code(CODES.to_bytes(32)).value == "3" * 20
    known = derive_code(hashlib.sha256(b"universal gift cards").digest())
    # Cards that were sold have their codes from this very rule: it may never change.
    assert known.value == "k36dfxxdrww6wwkxpcdh"


@given(st.integers(0, CODES - 1), st.integers(0, 2**256 // CODES - 1))
def test_every_code_is_met_and_two_remainders_are_two_codes(number: int, times: int) -> None:
    code = derive_code((times * CODES + number).to_bytes(32))
    read = 0
    for character in code.value:
        read = read * len(ALPHABET) + ALPHABET.index(character)
    assert read == number


def test_no_code_is_likelier_than_another_by_more_than_one_part_in_2_to_the_174() -> None:
    fewest, rest = divmod(2**256, CODES)
    assert rest  # so some codes are hit once more than others
    likeliest, least_likely = Fraction(fewest + 1, 2**256), Fraction(fewest, 2**256)
    assert (likeliest - least_likely) / least_likely < Fraction(1, 2**174)


def test_each_character_is_as_frequent_as_every_other_at_every_place() -> None:
    """Deterministic: 17,000 digests. Chi-squared with 16 degrees of freedom exceeds 59.7 once in
    1.8 million; a character that is taken by a byte's remainder would exceed it at once."""
    codes = [derive_code(hashlib.sha256(b"%d" % n).digest()).value for n in range(17_000)]
    assert len(set(codes)) == len(codes)
    for place in range(CODE_LENGTH):
        counts = Counter(code[place] for code in codes)
        assert set(counts) == set(ALPHABET)
        assert sum((count - 1_000) ** 2 / 1_000 for count in counts.values()) < 59.7


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_digest_of_another_length_is_refused_and_not_repeated(length: int) -> None:
    mac = (b"secret--" * 8)[:length]
    with pytest.raises(ValueError, match="32 bytes") as caught:
        derive_code(mac)
    assert "secret" not in str(caught.value)


# ---- as people type it ----------------------------------------------------------------------


@given(digests)
@example(bytes(32))  # a code of equal groups
def test_a_code_is_read_back_however_people_group_it(mac: bytes) -> None:
    code = derive_code(mac)
    printed = grouped(code)
    assert [len(group) for group in printed.split(" ")] == [4] * 5
    typed = [
        code.value,
        code.value.upper(),
        printed,
        printed.lower(),
        printed.replace(" ", "-"),
        f" {printed}\n",
        f"Code: {printed}",
        f"Gift card {printed}",
        f"shopify-giftcard-v1-{code.value.upper()}",
        f"{printed}\n{printed}",
        code.value * 2,
    ]
    assert [clean(text) for text in typed] == [code] * len(typed)


@given(digests.map(derive_code))
def test_a_code_has_no_second_reading_of_its_own_length(code: Code) -> None:
    assert all(len(other.value) < CODE_LENGTH for other in look_alikes(code))


@given(digests.map(derive_code).filter(lambda code: any(map(str.isdigit, code.value))))
def test_a_code_is_masked_wherever_it_is_written(code: Code) -> None:
    for text in (code.value, code.value.upper(), grouped(code).replace(" ", "-")):
        assert hide_codes(f"it is {text}.") == f"it is {code}."


# ---- the message ----------------------------------------------------------------------------


def test_the_message_never_changes() -> None:
    """Cards that were sold have their codes from these very bytes."""
    assert message(("prod", "corner-shop", "issue#rec1#2", 0)) == (
        b"16:gift-card-code-1,4:prod,11:corner-shop,12:issue#rec1#2,1:0,"
    )


@given(inputs, inputs)
@example(("a|b", "c", "d", 0), ("a", "b|c", "d", 0))
@example(("a", "1:b,", "c", 0), ("a,1:b", "c", "c", 0))
@example(("a", "b", "c1", 0), ("a", "b", "c", 10))
@example(("ä", "b", "c", 0), ("a\u0308", "b", "c", 0))
def test_two_different_inputs_never_give_one_message(
    one: tuple[str, str, str, int], other: tuple[str, str, str, int]
) -> None:
    assert (message(one) == message(other)) is (one == other)


@given(inputs)
def test_the_input_can_be_read_back_from_the_message(
    given_input: tuple[str, str, str, int],
) -> None:
    """So no two inputs share one: whatever can be read back in one way was written in one way."""
    left, read = message(given_input), []
    while left:
        length, _, rest = left.partition(b":")
        read.append(rest[: int(length)].decode())
        assert rest[int(length) : int(length) + 1] == b","
        left = rest[int(length) + 1 :]
    assert read[0] == "gift-card-code-1"
    assert (*read[1:4], int(read[4])) == given_input


@pytest.mark.parametrize("empty", ["stage", "shop", "operation"])
def test_an_empty_part_is_a_mistake(empty: str) -> None:
    given_parts = {"stage": "prod", "shop": "corner-shop", "operation": "issue#1"} | {empty: ""}
    with pytest.raises(ValueError, match=empty):
        code_message(**given_parts, counter=0)


def test_a_counter_begins_at_nought_and_a_message_fits_into_kms() -> None:
    with pytest.raises(ValueError, match="counter"):
        code_message(stage="a", shop="b", operation="c", counter=-1)
    frame = len(message(("a", "b", "x" * 1000, 0))) - 1000
    longest = "x" * (LONGEST_MESSAGE_BYTES - frame)
    assert len(message(("a", "b", longest, 0))) == LONGEST_MESSAGE_BYTES
    with pytest.raises(ValueError, match="4096"):
        message(("a", "b", longest + "x", 0))
