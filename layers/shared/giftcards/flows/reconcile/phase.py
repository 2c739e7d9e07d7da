"""What a part of comparing the books has to be: it reads one page after the other, each once.

    step, step, step ... ─► differences, and the numbers of what was seen
    some minutes later   ─► the differences are judged again, all of it read anew
    what is still there  ─► is put right, or left to a person

Nothing of a part is kept in memory between two workers. Each may die at any moment, and then its
step is done again from the same cursor: so a second time changes nothing more.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from hashlib import blake2b
from typing import Protocol

from giftcards.domain.drift import Difference
from giftcards.domain.orders import number_of

# Nearly every step takes seconds, a page of cards that all changed may take a minute. None is begun
# that would not have so long: one that is cut off rings an alarm, and begins anew.
STEP_SECONDS = 60

# Eight bytes tell a hundred thousand things apart: that two of them are taken for one another has a
# chance of one in three thousand million (n squared / 2^65).
NUMBER_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One comparison of the books.

    `id` sorts as time. `since` is when the last complete run began, `None` before the first one;
    `reads_all` asks for everything, also of cards that have not changed since. `deadline` is when
    this worker has to be done: a step that takes long may end early, with its own cursor. `seen`
    gives the numbers that a phase has seen so far, by its name. `looked_at` counts what each part
    has looked at, `unread` what could not be compared, and `changed` the balances that were changed
    at Shopify since the last complete run began, up to the beginning of this one. `trouble` says
    why the comparison was given up, if it was.
    """

    id: str
    began_at: datetime
    since: datetime | None
    reads_all: bool
    deadline: datetime
    seen: Callable[[str], Container[int]]
    looked_at: Mapping[str, int] = field(default_factory=dict)
    unread: int = 0
    changed: int = 0
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one page came to.

    `next` is the cursor of the next page; `None` ends the part. `looked_at` counts the things on
    this one, and `seen` are their numbers. `notes` are lines for the report, and so are `changed`,
    each a balance that was changed at Shopify, and `unread`: each says what could not be compared,
    and fails the run although the others go on.
    """

    next: str | None
    looked_at: int = 0
    found: tuple[Difference, ...] = ()
    seen: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def run_stamp(began_at: datetime) -> str:
    """How the id of a run begins: so they sort as the moments at which they began."""
    return f"{began_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


class Part(Protocol):
    """One part of a run."""

    @property
    def name(self) -> str:
        """Its name in the state, in the bucket and in the report; it never changes."""

    def step(self, run: Run, cursor: str | None) -> Step:
        """Do what is at `cursor`, the first of it for `None`.

        Raises `PlaceLost` where the vendor does not know the cursor any more: then the part begins
        anew. Raises `TryAgain` where a vendor is away: then the step is done again later.
        """


class Phase(Part, Protocol):
    """A part that compares, and that changes nothing while it does."""

    def judge_again(self, run: Run, differences: Sequence[Difference]) -> list[Difference]:
        """Judge what these are about once more, with everything read anew.

        What is the same as before counts; so a difference holds nothing that changes by itself.
        """

    def put_right(self, difference: Difference) -> "Remedy":
        """Repair what can be repaired for certain; a second time changes nothing more.

        Receipts, and what is left to a person, are the matter of `putting_right`.
        """


class Ending(Enum):
    """What becomes of a difference."""

    PUT_RIGHT = auto()
    LEFT = auto()  # only a person can tell what it is
    LATER = auto()  # nothing was done, and the next run looks again
    KNOWN = auto()  # it was left to a person, or decided, before


@dataclass(frozen=True, slots=True)
class Remedy:
    """What was done about a difference: `words` for people, a sentence without codes."""

    ending: Ending
    words: str


def card_number(card_id: str) -> int:
    """The number under which a card is remembered as seen: Shopify's own."""
    return int(number_of(card_id))


def name_number(name: str) -> int:
    """The number under which something else is remembered as seen: a receipt's id, a row's name."""
    return int.from_bytes(blake2b(name.encode(), digest_size=NUMBER_BYTES).digest(), signed=True)
