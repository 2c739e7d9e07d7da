"""No log line holds a card's code, whichever way somebody lets it in; everything else passes."""

import dataclasses
import io
import json
import logging
import re
import threading
import unicodedata
from collections import OrderedDict, UserDict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from types import SimpleNamespace
from typing import Any, Never

import pytest
import time_machine
from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import clear_context_keys
from hypothesis import given
from hypothesis import strategies as st

from giftcards.domain.codes import Code
from giftcards.domain.outcomes import Outcome, RedemptionRow
from giftcards.logs import LONGEST_TEXT, MOST_NESTED, build_logger, hiding

# One for each logger.
NUMBERS = count()

OPERATION = "redemption#recA1b2C3d4E5f6G7"
CODE = "abcd1234efgh5678"
FORMS = [
    CODE,
    CODE.upper(),
    "ABCD-1234-EFGH-5678",
    "ABCD 1234 EFGH 5678",
    "ABCD\u00a01234\u00a0EFGH\u00a05678",
    "ABCD–1234–EFGH–5678",
    "ABCD\n1234\nEFGH\n5678",
    "A\u200bBCD1234EFGH567\u200b8",
    "“ABCD1234EFGH5678”",
    "Code: ABCD1234EFGH5678",
    "GC#ABCD1234EFGH5678",
    "ＡＢＣＤ１２３４ＥＦＧＨ５６７８",
    "ABCD1234EFGH5678ABCD1234EFGH5678",
    "ABCD%201234%20EFGH%205678",
]


class Written:
    """What a logger has written since the last look."""

    def __init__(self, logger: Logger) -> None:
        self.stream = io.StringIO()
        handler = logger.registered_handler
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(self.stream)

    def __call__(self) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.stream.getvalue().split("\n") if line]
        self.stream.seek(0)
        self.stream.truncate()
        return lines


@pytest.fixture
def logger() -> Logger:
    """A logger of its own, since Python keeps loggers by name for ever; no code's letters in it."""
    in_letters = str.maketrans("0123456789", "qrstuvwxyz")
    return build_logger(f"tests-{str(next(NUMBERS)).translate(in_letters)}")


@pytest.fixture
def read(logger: Logger) -> Written:
    return Written(logger)


def shows(line: object, code: str = CODE) -> bool:
    """Whether five characters of the code can be read outside of masks, whatever stands between."""
    if isinstance(line, dict):  # at 12:34:56 the time reads like a code of digits
        line = {key: value for key, value in line.items() if key != "timestamp"}
    text = json.dumps(line, ensure_ascii=False) if not isinstance(line, str) else line
    text = unicodedata.normalize("NFKC", text).lower()
    text = text.replace("\\n", "").replace("\\u0000", "")
    read = re.sub(r"[^a-z0-9•]", "", re.sub(r"•••• \w{1,4}", "•", text))
    return any(code[at : at + 5] in read for at in range(len(code) - 4))


@dataclasses.dataclass
class Holder:
    code: str


class Talker:
    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return f"talker of {self.text}"

    __repr__ = __str__


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def complain(text: str) -> Never:
    raise KeyError(text)


def complain_again(text: str) -> Never:
    try:
        complain(text)
    except KeyError:
        raise ValueError(f"seen {text}")  # noqa: B904 - an exception with a context and no cause


def raised(text: str) -> RuntimeError:
    """An exception with the text in itself, in its cause, in that one's context, and in a note."""
    last = RuntimeError(f"because of {text}", text)
    last.add_note(f"note {text}")
    try:
        complain_again(text)
    except ValueError as error:
        last.__cause__ = error
    return last


def nested(text: str, depth: int) -> object:
    return [nested(text, depth - 1)] if depth else {"cell": text}


def log_raised(log: Logger, text: str) -> None:
    try:
        raise raised(text)
    except RuntimeError:
        log.exception("a row could not be served: %s", text)


def log_group(log: Logger, text: str) -> None:
    group = ExceptionGroup(f"two: {text}", [ValueError(text), raised(text)])
    log.error("x", exc_info=group)


def log_appended(append_keys: Callable[..., None], log: Logger, text: str) -> None:
    append_keys(cell=text)
    log.info("x")
    clear_context_keys()


WAYS: dict[str, Callable[[Logger, str], None]] = {
    "message": lambda log, text: log.info(text),
    "f-string": lambda log, text: log.info(f"read {text} now"),  # noqa: G004 - this is one of the ways
    "argument": lambda log, text: log.info("read %s now", text),
    "repr of an argument": lambda log, text: log.info("read %r now", [text]),
    "named argument": lambda log, text: log.info("read %(cell)s", {"cell": text}),
    "dict message": lambda log, text: log.info({"cell": text, "more": {"cell": [text]}}),
    "list message": lambda log, text: log.info([text]),
    "json message": lambda log, text: log.info(json.dumps({"cell": text})),
    "json in json": lambda log, text: log.info(json.dumps({"body": json.dumps({"cell": text})})),
    "extra": lambda log, text: log.info("x", extra={"cell": text}),
    "nested extra": lambda log, text: log.info("x", extra={"a": {"b": [{"c": (text, {text})}]}}),
    "very deep extra": lambda log, text: log.info("x", extra={"a": nested(text, MOST_NESTED + 3)}),
    "keyword": lambda log, text: log.info("x", cell=text),
    "key": lambda log, text: log.info("x", extra={text: 1}),
    "nested key": lambda log, text: log.info("x", cells={text: {text: True}}),
    "key that is a tuple": lambda log, text: log.info("x", cells={(1, text): True}),
    "appended key": lambda log, text: log_appended(log.append_keys, log, text),
    "appended thread key": lambda log, text: log_appended(log.thread_safe_append_keys, log, text),
    "list": lambda log, text: log.info("x", cells=[text, [text]]),
    "list of groups": lambda log, text: log.info("x", cells=text.replace("\n", " ").split(" ")),
    "set": lambda log, text: log.info("x", cells={text}),
    "frozenset": lambda log, text: log.info("x", cells=frozenset([text])),
    "ordered dict": lambda log, text: log.info("x", cells=OrderedDict(cell=text)),
    "user dict": lambda log, text: log.info("x", cells=UserDict(cell=text)),
    "dataclass": lambda log, text: log.info("x", row=Holder(text)),
    "dataclass in a list": lambda log, text: log.info("x", rows=[Holder(text)]),
    "object": lambda log, text: log.info("x", row=Talker(text)),
    "object as message": lambda log, text: log.info(Talker(text)),
    "namespace": lambda log, text: log.info("x", row=SimpleNamespace(cell=text)),
    "type": lambda log, text: log.info("x", row=type(f"Row_{text}", (), {})),
    "bytes": lambda log, text: log.info("x", body=text.encode()),
    "bytes as message": lambda log, text: log.info("%s", text.encode("utf-8")),
    "bytearray": lambda log, text: log.info("x", body=bytearray(text.encode())),
    "bytes of utf-16": lambda log, text: log.info("x", body=text.encode("utf-16")),
    "memory": lambda log, text: log.info("x", body=bytes(memoryview(text.encode()))),
    "exception": log_raised,
    "exception as value": lambda log, text: log.info("x", error=raised(text)),
    "exception as message": lambda log, text: log.info(raised(text)),
    "exception as argument": lambda log, text: log.error("failed: %s", raised(text)),
    "exc_info": lambda log, text: log.error("x", exc_info=raised(text)),
    "exception group": log_group,
    "reserved keys": lambda log, text: log.info("x", exception=text, exception_name=text),
    "warning": lambda log, text: log.warning("read %s", text),
    "critical": lambda log, text: log.critical("read %s", text),
}


# -------------------- it is fed codes in every way


@pytest.mark.parametrize("way", WAYS)
def test_no_way_lets_a_code_out(way: str, logger: Logger, read: Written) -> None:
    for form in FORMS:
        WAYS[way](logger, form)
        lines = read()
        assert len(lines) == 1
        assert not shows(lines[0]), lines[0]


WORDS_AND_NUMBERS = ["welcomes", "12345678", "abcdefghijklmnop", "1234567812345678"]


@pytest.mark.parametrize("way", WAYS)
def test_a_code_that_was_told_is_hidden_even_if_it_is_a_word(
    way: str, logger: Logger, read: Written
) -> None:
    for code in WORDS_AND_NUMBERS:
        with hiding(code):
            WAYS[way](logger, "-".join(code.upper()))
        assert not shows(read()[0], code)


@pytest.mark.parametrize("at", ["2026-11-23T12:34:56Z", "2026-12-31T02:34:56.812Z"])
def test_a_time_that_reads_like_a_code_is_none(at: str, logger: Logger, read: Written) -> None:
    with time_machine.travel(at, tick=False):
        logger.info("x")
    assert not shows(read()[0], "1234567812345678")


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=8, max_size=20).map(Code))
def test_a_code_object_never_shows_more_than_its_mask(code: Code) -> None:
    lines = list(lines_of_all_ways(code))
    assert all(code.value[-5:] not in line and code.value[:5] not in line for line in lines)


def lines_of_all_ways(code: Code) -> Iterator[str]:
    """What the formatter makes of a `Code` in the places where one is logged."""
    formatter = build_logger("code_objects").registered_formatter
    for fields in (
        {"msg": code},
        {"msg": "%s %r", "args": (code, code)},
        {"msg": {"a": code}},
        {"msg": "", "b": code},
        {"msg": "", "b": [code, {code: code}, {code}]},
    ):
        line = json.loads(formatter.format(logging.makeLogRecord(fields)))
        yield json.dumps([line["message"], line.get("b")], ensure_ascii=False)


@pytest.mark.parametrize("number", [1234567812345678, -1234567812345678, 1234567812345678.0])
def test_a_code_that_became_a_number_is_masked(
    number: float, logger: Logger, read: Written
) -> None:
    logger.info("x", cell=number, cells=[Decimal(str(number))])
    line = read()[0]
    assert "•••• " in line["cell"]
    assert "12345678" not in json.dumps(line)


def test_a_told_number_is_masked_as_a_number_too(logger: Logger, read: Written) -> None:
    with hiding("12345678"):
        logger.info("x", cell=12345678, other=1234)
    line = read()[0]
    assert (line["cell"], line["other"]) == ("•••• 5678", 1234)


def test_vendors_tokens_are_hidden(logger: Logger, read: Written) -> None:
    shopify, airtable = f"shpat_{'0a' * 16}", f"patAbCdEfGhIjKlMn.{'0a' * 32}"
    logger.info("sent %s", shopify, headers={"Authorization": f"Bearer {airtable}"})
    line = read()[0]
    assert line["message"] == "sent (secret)"
    assert line["headers"] == {"Authorization": "Bearer (secret)"}


# -------------------- what is told


def test_a_typed_cell_is_hidden_as_long_as_it_is_handled(logger: Logger, read: Written) -> None:
    with hiding("Welcomes"):
        logger.info("read welcomes")
        with hiding(Code("12345678")):
            logger.info("it is 1234 5678 and WELCOMES")
        logger.info("it is 1234 5678")
    logger.info("read welcomes")
    assert [line["message"] for line in read()] == [
        "read •••• omes",
        "it is •••• 5678 and •••• omes",
        "it is 1234 5678",
        "read welcomes",
    ]


def test_what_is_told_is_forgotten_when_the_work_fails(logger: Logger, read: Written) -> None:
    with pytest.raises(ValueError, match="broken"), hiding("welcomes"):
        raise ValueError("broken")
    logger.info("welcomes")
    assert read()[0]["message"] == "welcomes"


def test_what_is_told_holds_for_the_thread_that_told_it(logger: Logger, read: Written) -> None:
    with hiding("welcomes"):
        other = threading.Thread(target=logger.info, args=["welcomes"])
        other.start()
        other.join()
        logger.info("welcomes")
    assert [line["message"] for line in read()] == ["welcomes", "•••• omes"]


# -------------------- whoever else listens


CLOCKS_AND_IDS = {"created", "msecs", "relativeCreated", "thread", "process"}
"""What Python adds by itself: numbers, in which now and then part of a code is read by chance."""


def told(record: logging.LogRecord) -> str:
    """All that a record holds and somebody may have put into it."""
    return str({name: held for name, held in vars(record).items() if name not in CLOCKS_AND_IDS})


class Listener(logging.Handler):
    """A handler that somebody hung on Python's root logger, as Lambda does."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(f"{logging.Formatter('%(message)s').format(record)} {told(record)}")


@pytest.fixture
def listener() -> Iterator[Listener]:
    heard = Listener()
    logging.getLogger().addHandler(heard)
    yield heard
    logging.getLogger().removeHandler(heard)


@pytest.mark.parametrize("form", FORMS[:4])
def test_a_library_that_logs_past_us_is_guarded_at_lambda_s_handler(
    listener: Listener, form: str
) -> None:
    build_logger("guards_libraries")
    library = logging.getLogger("urllib3.connectionpool")
    library.warning("Retrying %s", f"/v0/app?formula={form}", extra={"url": form, form: 1})
    try:
        raise raised(form)
    except RuntimeError:
        library.exception("broken: %s", form, stack_info=True)
    assert len(listener.heard) == 2
    for heard in listener.heard:
        said = heard.partition("'exc_info'")
        assert not shows(said[0] + said[2].partition("'exc_text'")[2])


def test_whoever_listens_to_our_logger_hears_no_code_either(
    logger: Logger, caplog: pytest.LogCaptureFixture
) -> None:
    logger.warning("cell: %s", FORMS[2], extra={"cell": FORMS[3]})
    record = caplog.records[-1]
    assert record.getMessage() == "cell: •••• 5678"
    assert not record.args
    assert not shows(told(record))


def test_two_minutes_after_the_start_are_not_taken_for_a_code() -> None:
    record = logging.makeLogRecord({"msg": "x", "relativeCreated": 123_456.7})
    assert shows(str(vars(record)))  # "…created1234…"
    assert not shows(told(record))
    record.msg = CODE
    assert shows(told(record))


def test_the_stack_of_a_record_is_guarded_too(logger: Logger) -> None:
    record = logging.makeLogRecord({"msg": "x", "stack_info": f"in read({FORMS[2]!r})"})
    guarded = logging.getLogger(logger.name).filter(record)
    assert isinstance(guarded, logging.LogRecord)
    assert guarded.stack_info == "in read('•••• 5678')"


# -------------------- everything else passes


def test_an_ordinary_line_passes_unharmed(logger: Logger, read: Written) -> None:
    told = {
        "operation": OPERATION,
        "card": "gid://shopify/GiftCard/523564253315",
        "masked": "•••• 2b5a",
        "request_id": "8f0c1a52-0b1f-4b4e-9d3c-2a1b3c4d5e6f",
        "row": "recA1b2C3d4E5f6G7",
        "amount": "12.50 USD",
        "at": "2026-11-23T19:52:00.123456+00:00",
        "due_at": 1763928000,
        "milliseconds": 1763928000123,
        "seconds": 0.12345678901234567,
        "epoch": 1763928000.123456,
        "rows": ["recA1b2C3d4E5f6G7", "recZ9y8X7w6V5u4T3"],
        "counts": {"served": 3, "failed": 0},
        "paused": False,
        "nothing_yet": [None],
        "queued": [{"operation": OPERATION, "wanted": 12}],
    }
    logger.info("committed as %s", Outcome.INSUFFICIENT_BALANCE, extra=told)
    line = read()[0]
    assert {key: line[key] for key in told} == told
    assert line["message"] == "committed as INSUFFICIENT_BALANCE"
    assert line["level"] == "INFO"
    assert line["service"] == logger.service
    assert line["location"].startswith("test_an_ordinary_line_passes_unharmed:")


def test_the_operation_is_a_key_of_every_line(logger: Logger, read: Written) -> None:
    logger.append_keys(operation=OPERATION)
    logger.info("claimed")
    logger.info("sent")
    assert [line["operation"] for line in read()] == [OPERATION, OPERATION]


def test_times_are_utc_with_an_offset(logger: Logger, read: Written) -> None:
    before = datetime.now(UTC)
    logger.info("x")
    written = datetime.fromisoformat(read()[0]["timestamp"])
    assert written.utcoffset() is not None
    assert abs((written - before).total_seconds()) < 5


def test_a_text_without_end_is_cut_and_no_code_is_cut_in_two(logger: Logger, read: Written) -> None:
    for filling in range(LONGEST_TEXT - 30, LONGEST_TEXT, 3):
        logger.info("x", cell="-" * filling + FORMS[2] + "-" * 100)
        line = read()[0]
        assert not re.search("abcd|1234|efgh", line["cell"].lower())
        assert line["cell"].endswith(f"… ({filling + 119} characters)")


def test_what_contains_itself_is_written_all_the_same(logger: Logger, read: Written) -> None:
    cells: list[object] = [FORMS[2]]
    cells.append(cells)
    logger.info("x", cells=cells)
    assert "•••• 5678" in json.dumps(read()[0], ensure_ascii=False)


def test_other_values_are_written_as_text(logger: Logger, read: Written) -> None:
    logger.info(
        "x",
        at=datetime(2026, 11, 23, 19, 52, tzinfo=UTC),
        amount=Decimal("12.50"),
        outcome=Outcome.REDEEMED,
        broken=Broken(),
        nan=float("nan"),
        card=Code(CODE),
    )
    line = read()[0]
    assert line["at"] == "2026-11-23 19:52:00+00:00"
    assert line["amount"] == "12.50"
    assert line["outcome"] == "REDEEMED"
    assert line["broken"] == "<Broken that cannot be written>"
    assert line["nan"] == "nan"
    assert line["card"] == "•••• 5678"


def test_an_exception_keeps_what_an_engineer_needs(logger: Logger, read: Written) -> None:
    try:
        raise raised("nothing secret")
    except RuntimeError:
        logger.exception("failed")
    line = read()[0]
    assert line["exception_name"] == "RuntimeError"
    assert "because of nothing secret" in line["exception"]
    assert "seen nothing secret" in line["exception"]
    assert (
        line["stack_trace"]["frames"][0]["function"]
        == "test_an_exception_keeps_what_an_engineer_needs"
    )


def test_the_function_s_own_name_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "giftcards-prod-StoreTransactions-AbC123dEf456"
    table = "giftcards-prod-Table-1A2B3C4D5E6F7"
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", name)
    logger = build_logger("own_names", names=[table])
    read = Written(logger)
    logger.info("x", function_name=name, table=table, other="1A2B3C4D5E6F")
    line = read()[0]
    assert (line["function_name"], line["table"], line["other"]) == (name, table, "•••• 5e6f")


def test_building_the_logger_again_does_not_write_twice() -> None:
    read = Written(build_logger("built_again"))
    build_logger("built_again").info("once")
    assert [line["message"] for line in read()] == ["once"]
    assert len(logging.getLogger("built_again").filters) == 1


def test_a_row_that_is_logged_whole_keeps_its_code(logger: Logger, read: Written) -> None:
    row = RedemptionRow(
        id="recA1b2C3d4E5f6G7",
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        store="Downtown",
        employee=f"Anna {CODE}",
        typed_code="ABCD 1234 EFGH 5678",
        typed_amount="12.50",
    )
    logger.info("row", row=row)
    line = read()[0]
    assert not shows(line)
    assert "recA1b2C3d4E5f6G7" in line["row"]
