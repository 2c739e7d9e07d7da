"""The accidents: what can go wrong at an effect, each a thing that happens to real shops."""

from dataclasses import dataclass
from enum import StrEnum

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


class Kind(StrEnum):
    """The kinds of accidents; `WORDS` says what each does."""

    CRASH_BEFORE = "crash-before"
    CRASH_AFTER = "crash-after"
    PREEMPTED = "preempted"
    PAUSED = "paused-past-lease"
    SKEW_AHEAD = "clock-ahead"
    SKEW_BEHIND = "clock-behind"
    REPLY_LOST = "reply-lost"
    APPLIED_LATE = "applied-late"
    APPLIED_TOO_LATE = "applied-too-late"
    REFUSED = "no-connection"
    THROTTLED = "throttled"
    FAILED_BEFORE = "failed-before"
    FAILED_AFTER = "failed-after"
    TOKEN_REFUSED = "token-refused"  # noqa: S105 - the name of an accident
    ECHOED = "echoed"
    COLLIDED = "collided"
    STALE_SEARCH = "stale-search"
    TAGS_INVISIBLE = "tags-invisible"
    MOVEMENT_HIDDEN = "movement-hidden"
    MESSAGE_TWICE = "message-twice"
    MESSAGE_DELAYED = "message-delayed"
    OVERLAPPED = "overlapped"
    VENDOR_AWAY = "vendor-away"
    VENDOR_DOWN = "vendor-down"
    ROW_EDITED = "row-edited"
    ROW_DELETED = "row-deleted"
    RECORD_DOUBLED = "record-doubled"
    WEB_SPENDS = "web-spends"
    OTHER_STORE = "other-store"


# What each kind does, in words that complete "the worker …, and …".
WORDS = {
    Kind.CRASH_BEFORE: "dies before it",
    Kind.CRASH_AFTER: "dies after it",
    Kind.PREEMPTED: "is held up for 4 s before it, while others go on",
    Kind.PAUSED: "is frozen for 45 s before it, longer than its lease, and thaws",
    Kind.SKEW_AHEAD: "reads a clock that is 0.9 s fast from here on",
    Kind.SKEW_BEHIND: "reads a clock that is 0.9 s slow from here on",
    Kind.REPLY_LOST: "hears nothing: it was applied and the reply was lost",
    Kind.APPLIED_LATE: "hears nothing: it is applied a minute later",
    Kind.APPLIED_TOO_LATE: "hears nothing: it is applied seven minutes later",
    Kind.REFUSED: "gets no connection",
    Kind.THROTTLED: "is told to ask less often",
    Kind.FAILED_BEFORE: "gets an internal error, with nothing applied",
    Kind.FAILED_AFTER: "gets an internal error, after it was applied",
    Kind.TOKEN_REFUSED: "is refused for its token",
    Kind.ECHOED: "loses the first reply inside boto3, which sends it again",
    Kind.COLLIDED: "meets another write at the same moment and is cancelled",
    Kind.STALE_SEARCH: "searches an index that is 90 s old",
    Kind.TAGS_INVISIBLE: "searches an index that from here on shows tags ten minutes late",
    Kind.MOVEMENT_HIDDEN: "does not see what moved on the card within the last 45 s",
    Kind.MESSAGE_TWICE: "sends a message that is delivered twice",
    Kind.MESSAGE_DELAYED: "sends a message that arrives five minutes later",
    Kind.OVERLAPPED: "has a second worker of its function started beside it",
    Kind.VENDOR_AWAY: "gets no connection, and nobody does for the next three minutes",
    Kind.VENDOR_DOWN: "gets no connection, and nobody does for the next hour",
    Kind.ROW_EDITED: "goes on, and somebody edits the row before it",
    Kind.ROW_DELETED: "goes on, and somebody deletes the row before it",
    Kind.RECORD_DOUBLED: "goes on, and somebody duplicates the records made so far",
    Kind.WEB_SPENDS: "goes on, and the card is spent at the checkout before it",
    Kind.OTHER_STORE: "goes on, and another store files a redemption of the card before it",
}

# How long things take, in microseconds of the virtual clock.
PREEMPTED_FOR = 4 * SECOND
PAUSED_FOR = 45 * SECOND
SKEW = 900_000
LATE_BY = MINUTE
# Beyond the settling time (120 s) by far.
TOO_LATE_BY = 7 * MINUTE
MESSAGE_LATE_BY = 5 * MINUTE
AWAY_FOR = 3 * MINUTE
DOWN_FOR = HOUR
STALE_SECONDS = 90.0
TAG_LAG_SECONDS = 600.0
# Less than a minute, so that a write that is late itself and hidden as well is seen in time.
HIDDEN_SECONDS = 45.0

# In the regime in which nothing is applied after the settling time these do not happen. A frozen
# worker that thaws sends within the settling time, so it may.
BEYOND_SETTLING = frozenset({Kind.APPLIED_TOO_LATE})

# Nothing of these happens to the worker itself: somebody else does something at that moment.
BY_OTHERS = frozenset(
    {
        Kind.ROW_EDITED,
        Kind.ROW_DELETED,
        Kind.RECORD_DOUBLED,
        Kind.WEB_SPENDS,
        Kind.OTHER_STORE,
        Kind.OVERLAPPED,
    }
)

# What does not begin at every effect. An hour's outage costs as much as thirty other histories, and
# the shorter one goes the same ways but for the patience.
RARELY = frozenset({Kind.VENDOR_DOWN})

# A person who is struck by one of these twice in a history is not what the product is for.
ONCE = frozenset(
    {Kind.VENDOR_DOWN, Kind.VENDOR_AWAY, Kind.ROW_EDITED, Kind.ROW_DELETED, Kind.WEB_SPENDS}
)


@dataclass(frozen=True, slots=True, order=True)
class Planned:
    """An accident planned: at the `nth` time (from 0) that the effect of this name comes."""

    effect: str
    nth: int
    kind: Kind

    def __str__(self) -> str:
        return f"{self.effect}*{self.nth}={self.kind}"

    @classmethod
    def read(cls, text: str) -> "Planned":
        """The accident that `str` wrote down."""
        place, _, kind = text.rpartition("=")
        effect, _, nth = place.rpartition("*")
        return cls(effect, int(nth), Kind(kind))
