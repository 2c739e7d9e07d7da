"""No text that is shown holds a card's code, and ordinary records pass as they are."""

import json
import re
import string
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from giftcards.domain.codes import TWIN_LETTERS, Code, clean
from giftcards.domain.hiding import hide_codes

LETTERS_AND_DIGITS = string.ascii_lowercase + string.digits
codes = st.text(LETTERS_AND_DIGITS, min_size=8, max_size=20)


def is_recognised(group: str) -> bool:
    """Whether a group has letters and digits, as all but one in two hundred random codes have."""
    return bool(re.search(r"\d", group) and re.search(r"[A-Za-z]", group))


mixed_codes = codes.filter(is_recognised)


def shows_a_part(text: str, code: str) -> bool:
    """Whether five characters of the code can be read outside of masks, whatever stands between."""
    unmasked = re.sub(r"•••• \w{1,4}", "•", text.lower())
    read = re.sub(r"[^a-z0-9•]", "", unmasked)
    return any(code[at : at + 5] in read for at in range(len(code) - 4))


# -------------------- what looks like a code

AROUND = [
    "{}", "card {} was read", "Code:{}", '{{"code": "{}"}}', "code={}&x=1", "({})", "'{}'", "<{}>",
    "https://shop.test/cards?query={}&first=2", "x\n{}\ny", "ValueError: {}", "#{}", "{}…", "a/{}",
    "redemption#{}", "Карта {} тут", "gc_{}", "Code-{}", "•••• {}x", "{}!", "@{}",
]  # fmt: skip


@given(mixed_codes, st.sampled_from(AROUND), st.booleans())
def test_a_code_is_masked_wherever_it_stands(code: str, around: str, capitals: bool) -> None:  # noqa: FBT001 - Hypothesis fills it in
    assume(not re.fullmatch(r"(rec|app|tbl|fld|viw|usr|sel|wsp|att)[a-z0-9]{14}", code))
    assume(not re.fullmatch(r"\d{8}t\d{6}z", code))
    typed = code.upper() if capitals else code
    hidden = hide_codes(around.format(typed))
    assume(not shows_a_part(around.format(""), code))
    assert not shows_a_part(hidden, code)
    assert "••••" in hidden


sixteen = st.text("ABCDEFGHJKMNPQRSTUVWXYZ23456789", min_size=16, max_size=16)
SEPARATORS = [
    "-",
    " ",
    "  ",
    "–",
    ".",
    "_",
    "\u200b",
    "\u00a0",
    "%20",
    "+",
    "\\n",
    "\\u00a0",
    "\n",
    " - ",
]


@given(sixteen, st.sampled_from(SEPARATORS))
@example("ABCD1234EFGH5678", " ")
@example("1234567812345678", "-")
@example("ABCDEFGHJKMNPQRS", " ")
def test_a_code_in_groups_of_four_is_masked(code: str, separator: str) -> None:
    groups = [code[at : at + 4] for at in range(0, 16, 4)]
    hidden = hide_codes(f"the card {separator.join(groups)} was read")
    # The word before it has four letters as well, and may be taken for a group.
    assert hidden in {f"the {card}•••• {code[-4:].lower()} was read" for card in ("card ", "")}


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("ABCD1234EFGH5678ABCD1234EFGH5678", "•••• 5678"),
        ("giftcardABCD1234EFGH5678", "•••• 5678"),
        ("ＡＢＣＤ１２３４", "•••• １２３４"),
        ("АВСЕ1234Х", "•••• 234х"),
        ("ABCD1234EF GH5678", "•••• 5678"),
        ("ABCD1234-EFGH", "•••• efgh"),
        ("GC-ABCD1234", "•••• 1234"),
        ("ABCD 1234", "•••• 1234"),
        ("abcd-1234-efgh", "•••• efgh"),
        ("ABCD1-234EF-GH567", "•••• h567"),
        ("AB1-CDE23-F4G5H", "•••• 4g5h"),
        ("A-B-C-D-1-2-3-4", "•••• 1234"),
        ("1234 5678 9012 3456", "•••• 3456"),
        ("123456789012345", "•••• 2345"),
        ("ABCDEFGHIJKLMNOP", "•••• mnop"),
        ("0123456789abcdef0123456789abcdef", "•••• cdef"),  # a code twice, not a digest
        ("ABCD1234EFGH5678 WXYZ1234WXYZ5678", "•••• 5678"),
        ("ABCD1234 paid 25.00 USD", "•••• 1234 paid 25.00 USD"),
        ("ABCD1234 25.00 USD", "•••• 1234 25.00 USD"),
    ],
)
def test_what_is_masked(text: str, hidden: str) -> None:
    assert hide_codes(text) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "",
        "redemption#recA1b2C3d4E5f6G7 committed as INSUFFICIENT_BALANCE",
        "recA1b2C3d4E5f6G7 in tblX9y8Z7w6V5u4T3 of appQ1w2E3r4T5y6U7, field fldA1s2D3f4G5h6J7",
        "gid://shopify/GiftCard/523564253315 and gid://shopify/GiftCardDebitTransaction/99887766554433",
        "card •••• 2b5a charged 12.50 USD, balance 1,234,567.89 USD",
        "cards •••• 2b5a •••• 3c4d and •••• 1234 5678 at last",
        "request 8f0c1a52-0b1f-4b4e-9d3c-2a1b3c4d5e6f",
        "trace 1-5759e988-bd862e3fe1be46a994272793",
        "mail 0100018c1a2b3c4d-8f0c1a52-0b1f-4b4e-9d3c-2a1b3c4d5e6f-000000",
        "RequestId KG3VNE2TP4UDUQ9B5S0MPO0N2BVV4KQNSO5AEMVJF66Q9ASUAAJG",
        "fingerprint 3f0a1b2c4d5e6f708192a3b4c5d6e7f83f0a1b2c4d5e6f708192a3b4c5d6e7f9",
        "2026-11-23T19:52:00.123456+00:00 and 2026-11-23 19:52:00,123+0000 and 20261123T195200Z",
        "2026-11-23 2026-11-24 2026-11-25",
        "took 0.12345678901234567 s, 3.5 s at most, 1763928000123 ms since 1970",
        "arn:aws:sqs:us-east-1:123456789012:answer-store",
        "https://sqs.us-east-1.amazonaws.com/123456789012/write-airtable.fifo",
        "https://my-shop.myshopify.com/admin/api/2026-10/graphql.json answered 502",
        "HTTPSConnectionPool(host='api.airtable.com', port=443): Read timed out. (read timeout=5)",
        "An error occurred (ConditionalCheckFailedException) when calling the TransactWriteItems",
        'File "/opt/python/lib/python3.13/site-packages/requests/adapters.py", line 644, in send',
        "<giftcards.clients.mail.Mailer object at 0x7f12ab34cd56>",
        "Store 12, 10115 Berlin, +49 30 1234567",
        "paid 1250 from card with code from 2026 on",
        "the 5th and 3rd tick of 24h",
        "CODE_FORMAT_INCORRECT CODE_NOT_FOUND AMOUNT_INVALID",
        "SERIALIZATION_EXCEPTION ThrottlingException UnrecognizedClientException",
        "store_transactions answer_store write_airtable lambda_handler",
        "python3.13 boto3 1.43.102 urllib3/2.5.0 x86_64 utf-8 us-east-1",
        "1 row, 12 cards, 12345678 calls",
        "mail to downtown@example.com, office@example.com",
        '{"operation": "redemption#recA1b2C3d4E5f6G7", "attempt": 3}',
    ],
)
def test_ordinary_records_pass_unharmed(text: str) -> None:
    assert hide_codes(text) == text


@given(st.text() | st.text("ABab12 -•.:#…"))
def test_hiding_twice_changes_nothing_more(text: str) -> None:
    once = hide_codes(text)
    assert hide_codes(once) == once


def test_names_of_ours_pass_though_they_look_like_a_code() -> None:
    name = "giftcards-prod-StoreTransactions-AbC123dEf456"
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    assert hide_codes(arn) != arn
    assert hide_codes(arn, names=[name]) == arn
    assert hide_codes(f"{name} ABCD1234", names=[name, ""]) == f"{name} •••• 1234"


@pytest.mark.parametrize(
    "part", ["a1-", "1 ", "abcd ", "ab12 ", "%20", "x", "A1B2C3D4", "0" * 16, "\n  "]
)
def test_a_long_text_is_looked_through_in_bounded_time(part: str) -> None:
    text = part * (20_000 // len(part))
    started = time.process_time()
    hide_codes(text)
    hide_codes(text, known=["ABCD1234EFGH5678"])
    assert time.process_time() - started < 5  # a second on the slowest machine we know


# -------------------- what is known to be a code


def spell(draw: st.DrawFn, code: str) -> str:
    """`code` with any letters drawn differently, and signs between them."""
    spelled = ""
    for character in code:
        twins = [twin for twin, latin in TWIN_LETTERS.items() if latin == character]
        spelled += draw(
            st.sampled_from([character, character.upper(), chr(ord(character) + 0xFEE0), *twins])
        )
        spelled += draw(
            st.sampled_from(["", "", "", " ", "-", "\n", "\u200b", "%20", "\\n", " - "])
        )
    return spelled


spelled_codes = st.composite(lambda draw: (code := draw(codes), spell(draw, code)))()


@given(spelled_codes, st.sampled_from(AROUND), codes)
def test_a_known_code_is_masked_in_every_spelling(
    example_of: tuple[str, str], around: str, other: str
) -> None:
    code, spelled = example_of
    text = around.replace("query=", "").format(spelled)
    for known in ([code], [code.upper()], [other, f"Code: {code}"]):
        hidden = hide_codes(text, known=known)
        assert code not in "".join(sign for sign in hidden.lower() if sign.isalnum()).replace(
            "".join(sign for sign in around.lower() if sign.isalnum()), ""
        )


@pytest.mark.parametrize("known", ["welcomes", "12345678", "abcdefghijklmnop"])
def test_a_known_code_that_looks_like_a_word_or_a_number_is_masked(known: str) -> None:
    text = f"it says {known}, {known.upper()}, {'-'.join(known)} and x{known}y"
    hidden = hide_codes(text, known=[known])
    masked = f"•••• {known[-4:]}"
    assert hidden == f"it says {masked}, {masked}, {masked} and x{masked}y"


TYPED_CODES = [
    "ABCD 1234\nEFGH 5678 WXYZ",
    "Code: «ABCD–1234–EFGH»",
    "ÀBCD-1234-ZÜRI",
    "АВСЕ 1234 КМНО",
    "ABCDEFGH and IJKLMNOP",
    'quoted "ABCDEFGH"',
]


def write_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@pytest.mark.parametrize("typed", TYPED_CODES)
@pytest.mark.parametrize("write", [str, repr, json.dumps, write_json, quote, quote_plus])
def test_a_known_cell_text_is_masked_however_it_is_written(
    typed: str, write: Callable[[str], str]
) -> None:
    hidden = hide_codes(f"row: {write(typed)}.", known=[typed])
    code = clean(typed)
    shown = code.last4 if isinstance(code, Code) else typed[-4:].lower()
    for part in re.findall(r"\w{4,}", typed):
        assert part.lower() in {shown, "code"} or part not in hidden


def test_a_short_cell_text_does_not_mask_every_amount() -> None:
    assert hide_codes("row with 25.00 USD", known=["25"]) == "row with 25.00 USD"
    assert hide_codes("nothing", known=["", "  "]) == "nothing"


# -------------------- codes of ours without a digit

OURS = "cdfhjkprtwxycdfhjkpr"


@pytest.mark.parametrize("write", [str, str.upper, str.title])
@pytest.mark.parametrize("size", [20, 10, 5, 4])
@pytest.mark.parametrize("between", [" ", "-", "", " – "])
@pytest.mark.parametrize("around", ["{}", "Dear Ana, {} is yours", "code={}&x=1", "a/{}"])
def test_a_code_of_ours_without_a_digit_is_masked(
    write: Callable[[str], str], size: int, between: str, around: str
) -> None:
    if between in {" ", " – "} and size == 10:
        return  # nobody prints a card so
    groups = [OURS[at : at + size] for at in range(0, len(OURS), size)]
    hidden = hide_codes(around.format(write(between.join(groups))))
    assert not shows_a_part(hidden, OURS)
    assert hidden == around.format(f"•••• {OURS[-4:]}")


@pytest.mark.parametrize(
    "text",
    [
        "internationalization", "counterrevolutionary", "uncharacteristically", "Pfffrrrrrttttttt",
        "Grrrrrrrrrrrrrrrrrrr!!", "hydrochlorofluorocarbon", "why try dry", "Krk, Brno, Vlk, Smrt",
        OURS[:-1], OURS + "c", OURS[:-1] + "b", "twyk park hark dark cart",
    ],
)  # fmt: skip
def test_words_with_few_vowels_pass(text: str) -> None:
    assert hide_codes(text) == text
