"""Many numbers in little memory: eight bytes each, sorted, so that one is found among them."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable

# New numbers are sorted in when there are so many: a set of them takes some sixty bytes each.
NEW_NUMBERS = 5_000

SIGNED_64_BITS = "q"


class Numbers:
    """A set of signed 64-bit numbers that only grows."""

    def __init__(self, packed: bytes = b"") -> None:
        self._sorted = array(SIGNED_64_BITS)
        self._sorted.frombytes(packed)
        self._new: set[int] = set()

    def add(self, numbers: Iterable[int]) -> None:
        """Add numbers; one that is there already is harmless."""
        self._new.update(numbers)
        if len(self._new) >= NEW_NUMBERS:
            self._sort_in()

    def add_packed(self, packed: bytes) -> None:
        """Add numbers as `pack` wrote them."""
        some = array(SIGNED_64_BITS)
        some.frombytes(packed)
        self.add(some)

    def packed(self) -> bytes:
        """All of them, as `Numbers` reads them again."""
        self._sort_in()
        return self._sorted.tobytes()

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        if number in self._new:
            return True
        place = bisect_left(self._sorted, number)
        return place < len(self._sorted) and self._sorted[place] == number

    def _sort_in(self) -> None:
        fresh = sorted(number for number in self._new if not self._is_sorted_in(number))
        self._new = set()
        # Two sorted runs: sorting them together takes little more than reading them once.
        self._sorted.extend(fresh)
        self._sorted = array(SIGNED_64_BITS, sorted(self._sorted))

    def _is_sorted_in(self, number: int) -> bool:
        place = bisect_left(self._sorted, number)
        return place < len(self._sorted) and self._sorted[place] == number


def pack(numbers: Iterable[int]) -> bytes:
    """Numbers as bytes, on whatever machine of ours: all of them are little-endian."""
    return array(SIGNED_64_BITS, numbers).tobytes()
