"""Every call a worker makes to the outside, by name: who calls, whom, and for what.

    prong: journal.commit      the stores' prong commits an outcome (a write to DynamoDB)
    prong: shopify debit_card  it sends a debit
    write: airtable create Receipts

A call to DynamoDB is named after the method of the store that makes it: that says what it is for.
"""

from dataclasses import dataclass
from types import CodeType, FrameType

from simulator.faults import Kind

WORKERS_OWN = (Kind.CRASH_BEFORE, Kind.CRASH_AFTER, Kind.PREEMPTED, Kind.PAUSED)
AT_THE_BEGINNING = (Kind.SKEW_AHEAD, Kind.SKEW_BEHIND, Kind.OVERLAPPED)

# Who types a command; a person, and no function.
OFFICE = "office"

# A message of a FIFO queue is in one worker's hands at a time, and nobody types beside himself.
ALONE_ROLES = frozenset({"write", "issue", "adjust", "tag", OFFICE})
PEOPLES = (Kind.ROW_EDITED, Kind.ROW_DELETED, Kind.WEB_SPENDS, Kind.OTHER_STORE)

# What a call takes, in microseconds: Shopify's and Airtable's as seen on live stores.
LATENCIES = {
    "dynamodb": 8_000,
    "sqs": 8_000,
    "kms": 8_000,
    "s3": 30_000,
    "ses": 100_000,
    "shopify": 300_000,
    "airtable": 220_000,
    "klaviyo": 200_000,
}

# Shopify's documents that look into an index, which lags.
SEARCHES = frozenset({"find_card", "find_created", "find_orders"})

# Writes of several items at once, which another such write can cancel.
TRANSACTIONS = frozenset({"journal.mark_sent", "journal.claim_with"})

_ASKED_OVER_HTTP = (Kind.REFUSED, Kind.REPLY_LOST, Kind.THROTTLED, Kind.FAILED_BEFORE)
_SENT_OVER_HTTP = (*_ASKED_OVER_HTTP, Kind.FAILED_AFTER, Kind.APPLIED_LATE)
_TO_A_VENDOR = (Kind.TOKEN_REFUSED, Kind.VENDOR_AWAY, Kind.VENDOR_DOWN)


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """One kind of call of one function; there is one object for each name.

    `kinds` are the accidents that can happen at it, whatever came before.
    """

    role: str
    name: str
    vendor: str
    changes: bool
    kinds: tuple[Kind, ...]
    us: int
    label: str

    def __str__(self) -> str:
        return self.label


_KNOWN: dict[tuple[str, str, str, bool], Effect] = {}


def effect_of(role: str, name: str, vendor: str, *, changes: bool) -> Effect:
    """The effect of this name."""
    key = (role, name, vendor, changes)
    known = _KNOWN.get(key)
    if known is None:
        kinds = WORKERS_OWN + _kinds(name, vendor, changes=changes)
        known = _KNOWN[key] = Effect(
            role, name, vendor, changes, kinds, LATENCIES[vendor], f"{role}: {name}"
        )
    return known


def _kinds(name: str, vendor: str, *, changes: bool) -> tuple[Kind, ...]:
    """What can go wrong at a call, beside what happens to the worker itself."""
    match vendor:
        case "dynamodb" | "sqs":
            return _kinds_at_aws(name, vendor, changes=changes)
        case "ses":
            return (*_ASKED_OVER_HTTP, Kind.FAILED_AFTER, *_TO_A_VENDOR)
        case "kms" | "s3":
            return (Kind.REFUSED, Kind.REPLY_LOST, Kind.THROTTLED)
        case "shopify":
            return _kinds_at_shopify(name, changes=changes)
        case "airtable":
            doubled = (Kind.RECORD_DOUBLED,) if " create " in name else ()
            over = _SENT_OVER_HTTP if changes else _ASKED_OVER_HTTP
            return (*over, *_TO_A_VENDOR, *PEOPLES, *doubled)
        case _:
            return (*_SENT_OVER_HTTP, *_TO_A_VENDOR)


def _kinds_at_aws(name: str, vendor: str, *, changes: bool) -> tuple[Kind, ...]:
    if not changes:
        return (Kind.REFUSED, Kind.THROTTLED)
    if name.startswith("queues.retry") or name in {"queues.keep_answer", "queues.written"}:
        return (Kind.REFUSED, Kind.REPLY_LOST)
    written = (Kind.REFUSED, Kind.THROTTLED, Kind.REPLY_LOST, Kind.ECHOED)
    if vendor == "sqs":
        return (*written, Kind.MESSAGE_TWICE, Kind.MESSAGE_DELAYED)
    together = (Kind.COLLIDED,) if name in TRANSACTIONS else ()
    return (*written, *together, *PEOPLES)


def _kinds_at_shopify(name: str, *, changes: bool) -> tuple[Kind, ...]:
    if changes:
        return (*_SENT_OVER_HTTP, Kind.APPLIED_TOO_LATE, *_TO_A_VENDOR, *PEOPLES)
    document = name.partition(" ")[2]
    stale = (Kind.STALE_SEARCH,) if document in SEARCHES else ()
    tags = (Kind.TAGS_INVISIBLE,) if document == "find_orders" else ()
    hidden = (Kind.MOVEMENT_HIDDEN,) if document == "card_movements" else ()
    return (*_ASKED_OVER_HTTP, *_TO_A_VENDOR, *stale, *tags, *hidden, *PEOPLES)


# Code of these files is on the way from a method of the store to DynamoDB and names nothing.
_BETWEEN = ("store/table.py", "simulator/clients.py", "contextlib.py")
# By the code's address, since its hash is made anew of all that is in it; kept, it stays there.
_LABELS: dict[int, tuple[CodeType, str | None]] = {}


def store_method(frame: FrameType | None) -> str:
    """The method of the store (or of `Queues`) that a call to AWS was made for."""
    while frame is not None:
        code = frame.f_code
        known = _LABELS.get(id(code))
        if known is None:
            known = _LABELS[id(code)] = (code, _label(code))
        label = known[1]
        if label is not None:
            return label
        frame = frame.f_back
    return "somebody"


def _label(code: CodeType) -> str | None:
    name = code.co_name
    if name.startswith(("_", "<")) or code.co_filename.endswith(_BETWEEN):
        return None
    module = code.co_filename.rpartition("/")[2].removesuffix(".py")
    return f"{module}.{name}"
