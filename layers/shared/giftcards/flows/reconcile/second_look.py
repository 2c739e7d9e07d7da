"""Look a second time at every difference, some minutes later: only what is still so counts.

In a busy shop something is always on its way: a debit whose line is about to be written, a row in a
queue. None of that is there twice in the same words.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from giftcards.flows.reconcile.phase import Phase, Run, Step
from giftcards.store.bucket import Bucket
from giftcards.store.pieces import Kind, Pieces, Place


@dataclass(frozen=True, kw_only=True)
class SecondLook:
    """Judges a piece of differences a step, by the phase that found them."""

    bucket: Bucket
    phases: Mapping[str, Phase]

    name = "second look"

    def step(self, run: Run, cursor: str | None) -> Step:
        """Judge the piece behind `cursor`."""
        pieces = Pieces(self.bucket, run=run.id)
        place = next_place(pieces, Kind.FOUND, cursor)
        if place is None:
            return Step(next=None)
        found = pieces.differences(Kind.FOUND, place)
        again = self.phases[place.part].judge_again(run, found)
        stands = list(dict.fromkeys(one for one in found if one in again))
        if stands:
            pieces.put_differences(Kind.STANDS, place, stands)
        return Step(next=str(place), looked_at=len(found))


def next_place(pieces: Pieces, kind: Kind, cursor: str | None) -> Place | None:
    """Where the first piece of a kind stands behind the one that `cursor` names."""
    places = pieces.places(kind)
    if cursor is None:
        return places[0] if places else None
    behind = Place.read(cursor)
    return next((place for place in places if place > behind), None)
