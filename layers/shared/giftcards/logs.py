"""What the application writes down about its work: one JSON line an event, never a card's code.

Nobody should log a code, and a `Code` masks itself. Behind that stand two gates, so that a mistake
elsewhere does no harm:

    logger.info(…) ──► Redaction (a filter on our logger and on Lambda's own handlers)
                          └──► JSON formatter ──► the serializer masks once more ──► CloudWatch
    libraries ─────────► Redaction ──► Lambda's own handler

The serializer sees everything that ends up in a line: message and arguments, extra keys however
deeply nested, keys added to the logger, exceptions with their chain, notes and traceback. The
filter serves whoever else listens to our records, and the libraries that log past us.

How a code is recognised, `giftcards.domain.hiding` explains. Whoever handles a row tells its code
for the time being, so that it is recognised in any spelling and without guessing:

    with hiding(row.typed_code):
        …

Lambda prints an exception that leaves a handler by itself, past all of this. Therefore messages of
exceptions never hold a code either.
"""

import json
import logging
import math
import os
import re
import traceback
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import RESERVED_LOG_ATTRS

from giftcards.domain.codes import Code
from giftcards.domain.hiding import hide_codes

# A record that is nested deeper is written as text; nobody reads so far down in CloudWatch.
MOST_NESTED: Final = 8
# Nobody reads more of one text, and looking for codes takes a second per 20,000 at worst.
LONGEST_TEXT: Final = 20_000
SAFE_DISTANCE: Final = 200
# Shopify's tokens, and Airtable's: https://airtable.com/developers/web/guides/personal-access-tokens
SECRET = re.compile(r"shp[a-z]{2}_[0-9A-Za-z]{16,}|pat[0-9A-Za-z]{14}\.[0-9a-f]{16,}")
HIDDEN_SECRET: Final = "(secret)"  # noqa: S105 - it stands where a secret was

_codes_being_handled: ContextVar[tuple[str, ...]] = ContextVar("codes being handled", default=())


def build_logger(service: str, *, names: Collection[str] = ()) -> Logger:
    """The logger of one function: JSON lines, with the redaction behind it.

    `names` are names of ours that look like a code (a table's, a queue's) and may be logged; the
    function's own name is known. The level comes from `LOG_LEVEL` (Powertools).
    Libraries that log through Python's root logger are guarded too, at the handlers it has by now.
    """
    own_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
    redaction = Redaction(names=frozenset([*names, own_name]))
    logger = Logger(
        service=service, json_serializer=redaction.serialize, utc=True, use_rfc3339=True
    )
    guarded: list[logging.Filterer] = [
        logging.getLogger(logger.name),
        *logging.getLogger().handlers,
    ]
    for place in guarded:
        if not any(isinstance(one, Redaction) for one in place.filters):
            place.addFilter(redaction)
    return logger


@contextmanager
def hiding(*codes: str | Code) -> Iterator[None]:
    """Mask these codes, as typed or normalised, in every spelling in all that is logged meanwhile.

    It holds for this thread (and for tasks begun in it); a new thread has to say it again.
    """
    told = tuple(code.value if isinstance(code, Code) else code for code in codes)
    token = _codes_being_handled.set(_codes_being_handled.get() + told)
    try:
        yield
    finally:
        _codes_being_handled.reset(token)


@dataclass(frozen=True, eq=False)
class Redaction:
    """Masks codes in log records, and in what becomes of them."""

    names: frozenset[str]

    def filter(self, record: logging.LogRecord) -> logging.LogRecord:
        """A copy of the record without codes: logging takes it in place of the record (3.12)."""
        safe = logging.makeLogRecord(record.__dict__)
        safe.msg = self.hide(record.getMessage() if record.args else record.msg)
        safe.args = None
        for key in set(record.__dict__) - set(RESERVED_LOG_ATTRS):
            del safe.__dict__[key]
            safe.__dict__[self.hide_text(key)] = self.hide(record.__dict__[key])
        if record.exc_info and record.exc_info[0]:  # formatters take exc_text where it stands
            safe.exc_text = self.hide_text("".join(traceback.format_exception(*record.exc_info)))
        if record.stack_info:
            safe.stack_info = self.hide_text(record.stack_info)
        return safe

    def serialize(self, line: Mapping[str, Any]) -> str:
        """A log line as JSON, after everything in it was made safe."""
        return json.dumps(self.hide(line), ensure_ascii=False, separators=(",", ":"))

    def hide_text(self, text: str) -> str:
        """`text` without codes and without the vendors' tokens."""
        safe = hide_codes(
            SECRET.sub(HIDDEN_SECRET, text[:LONGEST_TEXT]),
            known=_codes_being_handled.get(),
            names=self.names,
        )
        if len(text) <= LONGEST_TEXT:
            return safe
        # Where a code was cut in two, its first part may not look like one: it goes as well.
        return f"{safe[: LONGEST_TEXT - SAFE_DISTANCE]}… ({len(text)} characters)"

    def hide(self, value: object, *, depth: int = 0) -> object:
        """`value` as JSON can hold it, without codes: texts, keys, numbers, however nested."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return self._hide_number(value)
        if isinstance(value, Mapping) and depth < MOST_NESTED:
            return {
                self.hide_text(_to_text(key)): self.hide(item, depth=depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset) and depth < MOST_NESTED:
            return self._hide_list(list(value), depth=depth + 1)
        return self.hide_text(_to_text(value))

    def _hide_number(self, number: float) -> object:
        """A number is left as it is unless its digits are a code."""
        text = str(number)
        safe = self.hide_text(text)
        return (number if math.isfinite(number) else text) if safe == text else safe

    def _hide_list(self, items: list[object], *, depth: int) -> object:
        """A list, unless its texts together are a code: `["ABCD", "1234", …]`."""
        safe = [self.hide(item, depth=depth) for item in items]
        if len(items) > 1 and all(isinstance(item, str) for item in items):
            together = " ".join(map(_to_text, items))
            if self.hide_text(together) != " ".join(map(_to_text, safe)):
                return self.hide_text(together)
        return safe


def _to_text(value: object) -> str:
    """How a thing writes itself; a thing that cannot must not cost us the line."""
    if isinstance(value, bytes | bytearray):  # without the zeros between the letters of UTF-16
        return bytes(value).decode("utf-8", "backslashreplace").replace("\0", "")
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - whatever a foreign object raises here, the line is written
        return f"<{type(value).__name__} that cannot be written>"
