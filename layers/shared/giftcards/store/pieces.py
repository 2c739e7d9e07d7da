"""What a run has come to so far, in pieces in the bucket: each step writes its own, whole.

    work/<run>/seen/<part>/<step>          the numbers of what a step has seen, packed
    work/<run>/seen/<part>/to-<step>       those of all steps before that one together
    work/<run>/found/<part>/<step>-<n>     differences that a step has found, some in each piece
    work/<run>/stands/<part>/<step>-<n>    those of them that a second look has found again
    work/<run>/done/<part>/<step>-<n>      the same, each with what became of it; from the i-th on
                                           in `...-<i>`, where a step had no time for all
    work/<run>/notes/<part>/<step>-<n>     lines for the report

A step that is done twice writes its pieces over its own; a step without anything writes none. Where
a part is begun anew, pieces of before stay: numbers of steps that were not done again are read by
nobody, and differences are judged anew in any case.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from giftcards.domain.drift import Difference, Drift
from giftcards.store.bucket import Bucket
from giftcards.store.table import Item, pack_money, unpack_money

# So many digits have steps in names, so that the names sort as the steps: more than the run allows.
STEP_DIGITS = 6

NUMBERS = "application/octet-stream"
JSON = "application/json"


class Kind(StrEnum):
    """What stands in a piece."""

    SEEN = "seen"
    FOUND = "found"
    STANDS = "stands"
    DONE = "done"
    NOTES = "notes"


@dataclass(frozen=True, slots=True)
class Done:
    """A difference, and what became of it: how that is called, and in words."""

    difference: Difference
    ending: str
    words: str


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a piece belongs: to a step of a part, and the how many-th of its pieces it is."""

    part: str
    name: str

    @classmethod
    def of(cls, part: str, step: int, number: int = 0) -> Self:
        """The place of that piece."""
        return cls(part, f"{_number(step)}-{number}")

    @classmethod
    def read(cls, text: str) -> Self:
        """The place that `str` wrote."""
        part, _, name = text.rpartition("/")
        return cls(part, name)

    def __str__(self) -> str:
        return f"{self.part}/{self.name}"


class Pieces:
    """Reads and writes the pieces of one run."""

    def __init__(self, bucket: Bucket, *, run: str) -> None:
        self._bucket = bucket
        self._run = run

    def put_seen(self, part: str, step: int, packed: bytes) -> None:
        """What a step has seen."""
        self._bucket.put(self._key(Kind.SEEN, part, _number(step)), packed, content_type=NUMBERS)

    def seen(self, part: str, step: int) -> bytes:
        """What a step has seen; nothing where it saw nothing."""
        return self._bucket.get(self._key(Kind.SEEN, part, _number(step))) or b""

    def put_seen_before(self, part: str, step: int, packed: bytes) -> None:
        """What all steps before this one have seen."""
        key = self._key(Kind.SEEN, part, f"to-{_number(step)}")
        self._bucket.put(key, packed, content_type=NUMBERS)

    def seen_before(self, part: str, step: int) -> bytes:
        """What all steps before this one have seen."""
        return self._bucket.get(self._key(Kind.SEEN, part, f"to-{_number(step)}")) or b""

    def put_differences(self, kind: Kind, place: Place, differences: Sequence[Difference]) -> None:
        """Differences that were found, or that still stand."""
        self._put_json(kind, place, [_pack(one) for one in differences])

    def differences(self, kind: Kind, place: Place) -> list[Difference]:
        """Those that were put there."""
        return [_unpack(item) for item in self._json(kind, place)]

    def put_done(self, place: Place, done: Sequence[Done]) -> None:
        """What became of differences."""
        packed = [
            {**_pack(one.difference), "ending": one.ending, "words": one.words} for one in done
        ]
        self._put_json(Kind.DONE, place, packed)

    def done(self, place: Place) -> list[Done]:
        """What became of them."""
        items = self._json(Kind.DONE, place)
        return [Done(_unpack(item), item["ending"], item["words"]) for item in items]

    def put_notes(self, place: Place, notes: Sequence[str]) -> None:
        """Lines for the report."""
        self._put_json(Kind.NOTES, place, list(notes))

    def notes(self, place: Place) -> list[str]:
        """Those lines."""
        return list(self._json(Kind.NOTES, place))

    def places(self, kind: Kind) -> list[Place]:
        """Where pieces of a kind stand, in the order of their names."""
        prefix = f"work/{self._run}/{kind}/"
        keys = (key.removeprefix(prefix) for key in self._bucket.keys(prefix))
        return sorted(Place.read(key) for key in keys)

    def _put_json(self, kind: Kind, place: Place, content: Sequence[object]) -> None:
        body = json.dumps(content, ensure_ascii=False).encode()
        self._bucket.put(self._key(kind, place.part, place.name), body, content_type=JSON)

    def _json(self, kind: Kind, place: Place) -> list[Any]:
        body = self._bucket.get(self._key(kind, place.part, place.name))
        content: list[Any] = [] if body is None else json.loads(body)
        return content

    def _key(self, kind: Kind, part: str, name: str) -> str:
        return f"work/{self._run}/{kind}/{part}/{name}"


def _number(step: int) -> str:
    return str(step).zfill(STEP_DIGITS)


def _pack(difference: Difference) -> Item:
    return {
        "drift": difference.drift,
        "subject": difference.subject,
        "card": difference.card_id,
        "expected": pack_money(difference.expected),
        "found": pack_money(difference.found),
        "details": difference.details,
    }


def _unpack(item: Item) -> Difference:
    return Difference(
        drift=Drift(item["drift"]),
        subject=item["subject"],
        card_id=item["card"],
        expected=unpack_money(item["expected"]),
        found=unpack_money(item["found"]),
        details=item["details"],
    )
