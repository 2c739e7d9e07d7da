"""What a dead letter is about, and whether sending it again can lead to anything.

A function takes a message many times before it ends as a dead letter. Once what stood in its way
has been mended, most of them have something left to do; some never will: their operation is done,
or waits for a person, or was never written, or nobody can read them. Nothing of a message is shown
but which operation it names: its text may be anybody's.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from giftcards.domain.hiding import hide_codes
from giftcards.flows.sale import CHECK, CONFIRMATION, DELIVERY, RESEND
from giftcards.store.journal import Journal, Operation, State

# Keys of operations are shorter; whatever is longer is none.
LONGEST_NAME = 120

# What only names things to be shown in Airtable as they are: it can be done whenever.
SHOWN_AS_THEY_ARE = ("cards", "again", "prong")

# A tick is a wake-up: taken late, it is dropped by the function itself.
TICK = "due"

# A mail that came back, as SES tells of it: an event of EventBridge.
BOUNCED = "aws.ses"

# Delivered by Klaviyo; the message that gave one up takes it out of the park.
DELIVERED = {DELIVERY, CONFIRMATION, RESEND}


class Prospect(Enum):
    """What sending it again can lead to."""

    GOES_ON = auto()
    IS_DONE = auto()
    IS_STUCK = auto()


@dataclass(frozen=True, slots=True)
class Judged:
    """What a message is about, in words without a code, and its prospect."""

    prospect: Prospect
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message as it was taken from a dead-letter queue."""

    id: str
    handle: str
    body: str
    group: str | None
    sent_at: datetime


def judge(letters: Sequence[Letter], *, queue: str, journal: Journal) -> dict[str, Judged]:
    """What each of these messages of `queue` is about, by the message's id."""
    read = {letter.id: _read(letter.body) for letter in letters}
    keys = {key for body in read.values() if body is not None for key in _keys(body)}
    operations = journal.load_many(keys)
    return {
        letter_id: Judged(Prospect.IS_STUCK, "nobody can read it")
        if body is None
        else _judge(body, queue=queue, operations=operations)
        for letter_id, body in read.items()
    }


def _read(body: str) -> Mapping[str, Any] | None:
    """The message, if it is one of ours at all."""
    try:
        message = json.loads(body)
    except ValueError:
        return None
    if not isinstance(message, dict):
        return None
    if any(not isinstance(message.get(name, []), list) for name in ("records", "cards")):
        return None
    return message


def _keys(message: Mapping[str, Any]) -> list[str]:
    """The operations that a message names."""
    named = [message["operation"]] if "operation" in message else []
    return [key for key in (*named, *message.get("records", ())) if isinstance(key, str)]


def _judge(
    message: Mapping[str, Any], *, queue: str, operations: Mapping[str, Operation]
) -> Judged:
    keys = _keys(message)
    lost = [key for key in keys if key not in operations]
    if lost:
        return Judged(Prospect.IS_STUCK, f"{_name(lost[0])}, which the journal does not know")
    if queue == "write-airtable":
        shown = [*keys, *(name for name in SHOWN_AS_THEY_ARE if name in message)]
        if shown:
            return Judged(Prospect.GOES_ON, _several([_state(operations, key) for key in shown]))
    elif keys:
        return _judge_operation(operations[keys[0]], message, queue=queue)
    if TICK in message:
        return Judged(Prospect.GOES_ON, "a tick, which is dropped as late")
    if message.get("source") == BOUNCED:
        return Judged(Prospect.GOES_ON, "a mail that came back")
    return Judged(Prospect.IS_STUCK, "it names nothing of ours")


def _judge_operation(operation: Operation, message: Mapping[str, Any], *, queue: str) -> Judged:
    """Whether an operation's function has anything left to do."""
    about = _describe(operation)
    if queue == "answer-store" or operation.kind == CHECK:
        return _judge_mail(operation)
    if operation.state is State.PARKED:
        if operation.kind in DELIVERED and message.get("again"):
            return Judged(Prospect.GOES_ON, f"{about}, and is tried again by this")
        return Judged(Prospect.IS_STUCK, f"{about}: `ops redrive --parked` says how it is decided")
    is_done = operation.state is State.SETTLED
    return Judged(Prospect.IS_DONE if is_done else Prospect.GOES_ON, about)


def _judge_mail(operation: Operation) -> Judged:
    """Whether an outcome has still to be mailed by SES."""
    about = _describe(operation)
    if operation.result is None:
        return Judged(Prospect.IS_STUCK, f"{about}: there is nothing to be mailed yet")
    if operation.answered_at is not None:
        return Judged(Prospect.IS_DONE, f"{about}, and was mailed")
    return Judged(Prospect.GOES_ON, about)


def _describe(operation: Operation) -> str:
    ended = "" if operation.result is None else f" ({operation.result.outcome})"
    return f"{_name(operation.key)} is {operation.state}{ended}"


def _state(operations: Mapping[str, Operation], name: str) -> str:
    return _describe(operations[name]) if name in operations else f"{name} as they are now"


def _several(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _name(key: str) -> str:
    return hide_codes(key[:LONGEST_NAME])
