"""What one run of a prong did, in numbers."""

from dataclasses import dataclass
from typing import Self

from giftcards.errors import TryAgain


@dataclass(slots=True)
class Tally:
    """What one run did. `first_error` is the first thing that went wrong, if anything did.

    `known` counts what a list still showed although it was dealt with before.
    """

    answered: int = 0
    waiting: int = 0
    failed: int = 0
    unknown: int = 0
    known: int = 0
    first_error: Exception | None = None

    def add(self, part: Self) -> None:
        """Count a part of the run as well."""
        self.answered += part.answered
        self.waiting += part.waiting
        self.failed += part.failed
        self.unknown += part.unknown
        self.known += part.known
        self.first_error = self.first_error or part.first_error

    def note_failure(self, error: Exception) -> None:
        """One row could not be served now."""
        self.failed += 1
        self.first_error = self.first_error or error

    def raise_if_all_failed(self) -> None:
        """Raise what went wrong if nothing went right: then a vendor is down, and the run failed.

        One bad row among good ones is that row's matter: it stays waiting, and the log names it.
        """
        if self.answered:
            return
        if self.first_error is not None:
            raise self.first_error
        if self.unknown:
            raise TryAgain("Shopify did not say what became of what it was sent")
