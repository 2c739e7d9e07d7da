"""The formula language of the box: what it understands, and that it refuses the rest."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyairtable import formulas as build

from sandbox.airtable import AirtableError
from sandbox.airtable.formula import Row, Value, compile_formula

MADE = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CELLS: Mapping[str, Value] = {
    "fldText0000000000": "Ada",
    "fldNumber00000000": 12.5,
    "fldEmpty000000000": None,
    "fldTick0000000000": True,
    "fldDate0000000000": datetime(2026, 12, 1, tzinfo=UTC),
    "fldOdd00000000000": "odd",
}
NAMES = {
    "Text": "fldText0000000000",
    "Number": "fldNumber00000000",
    "Empty": "fldEmpty000000000",
    "Tick": "fldTick0000000000",
    "Date": "fldDate0000000000",
    "An odd } name": "fldOdd00000000000",
}
FIELD_IDS = NAMES | {field_id: field_id for field_id in CELLS}


def picks(text: str, cells: Mapping[str, Value] = CELLS) -> bool:
    row = Row(record_id="recAAAAAAAAAAAAAA", created_time=MADE, now=MADE, cell=cells.__getitem__)
    return compile_formula(text, field_ids=FIELD_IDS)(row)


@pytest.mark.parametrize(
    "formula",
    [
        "{Text}='Ada'",
        'Text = "Ada"',
        "{fldText0000000000}='Ada'",
        r"{An odd \} name}='odd'",
        "{Text}!='ada'",
        "LOWER({Text})='ada'",
        "UPPER('ß')='SS'",
        "TRIM('  a b ')='a b'",
        "LEN({Text})=3",
        "{Text}&'!'&1='Ada!1'",
        "CONCATENATE('a', 1.5, TRUE())='a1.51'",
        "FIND('d', {Text})=2",
        "FIND('D', {Text})=0",
        "SEARCH('D', {Text})=2",
        "NOT(SEARCH('x', {Text}))",
        "{Number}=12.5",
        "{Number}>12",
        "{Number}>=12.5",
        "{Number}<13",
        "{Number}<=12.5",
        "NOT({Number}<12.5)",
        "1+2*3-4/2=5",
        "(1+2)*3=9",
        "-1 < 0",
        "2--1=3",
        "{Empty}=''",
        "{Empty}=BLANK()",
        "{Empty}=0",
        "{Empty}=FALSE()",
        "NOT({Empty})",
        "{Text}!=BLANK()",
        "{Tick}",
        "{Tick}=TRUE()",
        "{Tick}=1",
        "AND({Tick}, OR(FALSE(), {Text}='Ada'))",
        "and(true(), true())",
        "IF({Tick}, 1, 0)=1",
        "IF(FALSE(), 1)=BLANK()",
        "RECORD_ID()='recAAAAAAAAAAAAAA'",
        "CREATED_TIME()=DATETIME_PARSE('2026-11-23T12:00:00.000Z')",
        "NOT(IS_BEFORE(CREATED_TIME(), DATETIME_PARSE('2026-11-23T12:00:00.000Z')))",
        "IS_BEFORE(CREATED_TIME(), {Date})",
        "IS_AFTER({Date}, '2026-11-30')",
        "IS_SAME({Date}, DATETIME_PARSE('2026-12-01'))",
        "{Date} > NOW()",
        "NOT(IS_AFTER({Empty}, NOW()))",
        "NOT(IS_BEFORE({Empty}, NOW()))",
        r"'it\'s'=" + '"it\'s"',
        r"'a\\b\n\t'!='ab'",
        "'two\nlines'='two\nlines'",
        "  {Text}  =\n'Ada'  ",
    ],
)
def test_true(formula: str) -> None:
    assert picks(formula)


@pytest.mark.parametrize(
    "formula", ["{Text}='ada'", "{Text}=''", "0", "''", "BLANK()", "{Empty}", "1/0", "1/0=1/0"]
)
def test_not_picked(formula: str) -> None:
    assert not picks(formula)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("{Nobody}=1", "Unknown field names: nobody"),
        ("Nobody=1", "Unknown field names: nobody"),
        ("{text}='Ada'", "Unknown field names: text"),
        ("{Text='Ada'", "check your formula text"),
        ("{Text}=='Ada'", "check your formula text"),
        ("AND(", "check your formula text"),
        ("", "check your formula text"),
        ("'unfinished", "check your formula text"),
        (r"'\q'=1", "check your formula text"),
        ("{Text};DROP", "check your formula text"),
        ("REGEX_MATCH({Text}, 'A')", "does not know REGEX_MATCH"),
        ("AND()", "does not know AND"),
        ("RECORD_ID(1)", "does not know RECORD_ID"),
        ("NOT(1, 2)", "number of arguments for NOT"),
        ("LEN()", "number of arguments for LEN"),
        ("DATETIME_PARSE('1.2.2026', 'D.M.YYYY')", "number of arguments"),
        ("DATETIME_PARSE('1.2.2026')=NOW()", "ISO 8601"),
        ("{Text} < 'B'", "a number is needed"),
        ("{Text}+1=2", "a number is needed"),
        ("{Date}='2026-12-01'", "a date is needed"),
        ("-{Text}", "a number is needed"),
        ("(" * 150 + "1" + ")" * 150, None),
        ("-" * 150 + "1", "nested too deeply"),
    ],
)
def test_refused(formula: str, words: str | None) -> None:
    if words is None:
        assert picks(formula)  # brackets alone nest nothing
        return
    with pytest.raises(AirtableError) as caught:
        picks(formula)
    assert caught.value.kind == "INVALID_FILTER_BY_FORMULA"
    assert caught.value.status == 422
    assert words in str(caught.value)


@given(cell=st.text(), other=st.text())
def test_any_text_that_pyairtable_quotes_is_compared_exactly(cell: str, other: str) -> None:
    cells = dict(CELLS) | {"fldText0000000000": cell or None}
    assert picks(str(build.EQ(build.Field("Text"), cell)), cells)
    assert picks(str(build.EQ(build.Field("Text"), other)), cells) == (cell == other)


@given(st.text(min_size=1).filter(lambda name: "\\" not in name))
def test_any_field_name_that_pyairtable_quotes_is_read(name: str) -> None:
    row = Row("recAAAAAAAAAAAAAA", MADE, MADE, lambda _field_id: "here")
    formula = str(build.EQ(build.Field(name), "here"))
    assert compile_formula(formula, field_ids={name: "fldText0000000000"})(row)
