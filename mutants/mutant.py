"""What a mutant is: one guard, what was done to it, and the tests that have to notice."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PROJECT = Path(__file__).parent.parent


class Guard(StrEnum):
    """The guards: a redemption's in the order in which it meets them, then all others."""

    SEARCH = "strict search rule"
    CLAIM = "claim"
    LOCK = "card lock"
    LEASE = "lease beyond every time-out"
    DUPLICATES = "duplicate rule under the lock"
    FENCE = "fence"
    SENT = "SENT mark"
    DEADLINE = "deadline check"
    NO_RETRY = "no client retry"
    COMMIT = "commit on condition"
    BALANCE_LAST = "transactions before balance"
    ALL_PAGES = "all pages"
    REFERENCE_AND_AMOUNT = "reference *and* amount"
    SETTLING = "settling time"
    OUTBOX = "follow-ups in the commit"
    INTERIM = "interim check"
    ANSWER = "the mail says what was decided"
    GIVING_BACK = "given back once, and never more than was taken"
    RETURNING = "returned cards"
    FREEZING = "frozen cards"
    CODES = "one code for each card, for ever"
    CAPS = "caps, counted with the claim"
    DELIVERY = "mailed once, on its day, to living cards"
    ORDERS = "each paid unit of an order once"
    UNITS_BACK = "a refunded unit's card, and no other"
    SPENDS = "each step of an order's payment once"
    LOOKS = "what nobody explains, entered once"
    OWED = "what is owed, credited back once"
    TWO_WORDS = "undone and credited back by two words only"
    ROWS_ONCE = "a row once, and its last word"
    LATE = "what Airtable carries out late, put right"
    MIRROR = "balances as Shopify has them"
    ARCHIVE = "rows moved to the archive"
    BOOKS = "the books compared"
    ALARMS = "what waits for a person rings"
    DEAD_LETTERS = "what gave up, sent again and never lost"
    STRANGERS = "what a stranger learns"


def named(file: str, *tests: str) -> tuple[str, ...]:
    """Pytest's ids of these tests, which stand in one file below `tests/`."""
    return tuple(f"tests/{file}::{test}" for test in tests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One guard broken in one way.

    `breaks` says in a sentence what no longer holds. `old` occurs exactly once in `file` (a path
    inside the project) and is replaced by `new`. Each of `tests` (pytest's ids, without
    parameters) has to go red. `may_hang`: a run that does not end counts as noticed.
    """

    name: str
    guard: Guard
    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    may_hang: bool = False

    def apply(self, tree: Path) -> None:
        """Break the guard in a copy of the project; raises `ValueError` where the list is stale."""
        file = tree / self.file
        text = file.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.name}: its old text occurs {text.count(self.old)} times in {self.file},"
                " not once: bring the list up to date"
            )
        file.write_text(text.replace(self.old, self.new), encoding="utf-8")
