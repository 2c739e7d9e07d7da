"""Put right what is still wrong, each with a receipt; leave to a person what only one can tell.

    repaired                ─► drift#<what>#<subject>#<run>   committed, with a receipt; the next
                               one of its kind in the same run, with other money: `...#2`
    only a person can tell  ─► drift#<what>#<subject>         parked: `ops park` shows it

What was parked or decided before, with the same money on both sides, is known: it is neither parked
nor alarmed again. The same with other money is another difference, and counts on: `...#2`.

Without money the same may come again: a row that is there twice, whose copy is deleted, and another
one years later. So what was decided is known only as long as each run finds it, in the same words.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from giftcards.domain.drift import UNEXPLAINED_MONEY, Difference
from giftcards.domain.orders import number_of
from giftcards.errors import JournalConflict
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import DRIFT, drift_key
from giftcards.flows.park import Park
from giftcards.flows.reconcile.phase import (
    STEP_SECONDS,
    Ending,
    Phase,
    Remedy,
    Run,
    Step,
    run_stamp,
)
from giftcards.flows.reconcile.second_look import next_place
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.bucket import Bucket
from giftcards.store.journal import Journal, Operation, Result, State
from giftcards.store.pieces import Done, Kind, Pieces, Place
from giftcards.store.table import Item, pack_money

# How soon somebody looks after one whose worker died before parking it or handing it over.
LOOK_AGAIN_SECONDS = 60

# The same subject with other money each time: after so many a person has long been looking.
MOST_OF_ONE_SUBJECT = 20

# The dearest takes a few calls of Airtable, 2.2 seconds each: a receipt that is read, and written
# once whole, once without its choices, and then choice by choice, because the base lacks one.
SECONDS_FOR_ONE = 20

# What stands in a cursor before the number of those that are done of the piece before it.
WITHIN = ":"

# How an operation ended.
PUT_RIGHT = "PUT_RIGHT"

# Who acts here, as receipts name him.
ACTOR = "reconcile"

# What becomes of one that is beyond the most of its subject.
AGAIN_AND_AGAIN = Remedy(Ending.LATER, "it was found with other money again and again")


@dataclass(frozen=True, kw_only=True)
class PuttingRight:
    """Takes a piece of differences a step, or as much of it as a step has time for.

    Each is put right by the phase that found it.
    """

    bucket: Bucket
    phases: Mapping[str, Phase]
    journal: Journal
    follow_up: FollowUp
    park: Park
    logger: Logger
    clock: Callable[[], datetime]
    note_unexplained: Callable[[], None]

    name = "putting right"

    def step(self, run: Run, cursor: str | None) -> Step:
        """Put right the differences at `cursor`, as far as time allows; the first in any case."""
        pieces = Pieces(self.bucket, run=run.id)
        place, first = _place(pieces, cursor)
        if place is None:
            return Step(next=None)
        stands = pieces.differences(Kind.STANDS, place)[first:]
        ends_at = self.clock() + timedelta(seconds=STEP_SECONDS - SECONDS_FOR_ONE)
        done = list[Done]()
        for one in stands:
            if done and self.clock() > ends_at:
                break
            ending, words = self._put_right(run, self.phases[place.part], one)
            done.append(Done(one, ending.name, words))
        pieces.put_done(_part_of(place, first), done)
        is_whole = len(done) == len(stands)
        after = str(place) if is_whole else f"{place}{WITHIN}{first + len(done)}"
        return Step(next=after, looked_at=len(done))

    def _put_right(self, run: Run, phase: Phase, difference: Difference) -> tuple[Ending, str]:
        remedy = phase.put_right(difference)
        if remedy.ending is Ending.PUT_RIGHT:
            remedy = self._enter(run, difference, remedy)
        elif remedy.ending is Ending.LEFT:
            remedy = self._leave(run, difference, remedy)
        if remedy.ending is not Ending.KNOWN and difference.drift in UNEXPLAINED_MONEY:
            self.logger.error(
                "money is unexplained",
                extra={"drift": difference.drift, "subject": difference.subject},
            )
            self.note_unexplained()
        return remedy.ending, remedy.words

    def _enter(self, run: Run, difference: Difference, remedy: Remedy) -> Remedy:
        """Leave a receipt of what was repaired, once a run.

        Where another difference of its kind and subject was entered in this run, with other money,
        it has a number.
        """
        for key in _numbered(f"{_key(difference)}#{run.id}"):
            try:
                entered = self._record(key, run, difference, remedy)
            except JournalConflict:
                continue
            if entered.state is State.COMMITTED:
                self.follow_up.hand_over(entered)
            return remedy
        return AGAIN_AND_AGAIN

    def _record(self, key: str, run: Run, difference: Difference, remedy: Remedy) -> Operation:
        now = self.clock()
        receipt = Receipt(
            id=f"{key}#1",
            at=now,
            action=Action.RECONCILE,
            actor=ACTOR,
            card=None,
            amount=None,
            balance_after=None,
            outcome=ReceiptOutcome.DONE,
            operation=key,
            details=f"{describe(difference)} Now {remedy.words}.",
        )
        return self.journal.record(
            key,
            kind=DRIFT,
            snapshot=_snapshot(run, difference),
            result=Result(outcome=PUT_RIGHT, decided_at=now, receipts=(receipt,)),
            due_at=self._look_again_at(),
        )

    def _leave(self, run: Run, difference: Difference, remedy: Remedy) -> Remedy:
        """Park it, unless it stands from an earlier run, parked or decided."""
        key, standing = self._standing(run, difference)
        if key is None:
            return AGAIN_AND_AGAIN
        if standing is None:
            standing = self.journal.claim(
                key,
                kind=DRIFT,
                snapshot=_snapshot(run, difference)
                | {"because": describe(difference), "remedy": remedy.words},
                now=self.clock(),
                due_at=self._look_again_at(),
            )
        if standing.state is State.CLAIMED:
            self.leave_to_a_person(standing)
        if standing.snapshot["run"] != run.id:
            self.journal.note_found(standing, run=run.id)
            return Remedy(Ending.KNOWN, f"{standing.key} stands from before")
        return Remedy(Ending.LEFT, f"{standing.key} is parked: {remedy.words}")

    def leave_to_a_person(self, claimed: Operation) -> None:
        """Park what a worker claimed for a person, and died."""
        told = claimed.snapshot
        because = f"{told['because']} What to do: {told['remedy']}; then dismiss it."
        self.park.park_operation(claimed, because=because)

    def _standing(self, run: Run, difference: Difference) -> tuple[str | None, Operation | None]:
        """Under which key a difference stands, or is to stand; `None` where it has had too many."""
        for key in _numbered(_key(difference)):
            standing = self.journal.load(key)
            if standing is None or _is_about(standing, run, difference):
                return key, standing
        return None, None

    def _look_again_at(self) -> datetime:
        return self.clock() + timedelta(seconds=LOOK_AGAIN_SECONDS)


def describe(difference: Difference) -> str:
    """A difference in a sentence or two, for people."""
    about = difference.subject
    if difference.card_id is not None and difference.card_id != about:
        about += f" on {difference.card_id}"
    sides = ""
    if difference.expected is not None or difference.found is not None:
        expected, found = (
            "none" if one is None else str(one) for one in (difference.expected, difference.found)
        )
        sides = f" (should be {expected}, is {found})"
    return f"{difference.drift.capitalize()}, {about}{sides}: {difference.details}"


def _key(difference: Difference) -> str:
    """Its key; Shopify's ids go by their numbers."""
    subject = difference.subject
    if subject.startswith("gid://"):
        subject = number_of(subject)
    return drift_key(difference.drift.slug, subject)


def _place(pieces: Pieces, cursor: str | None) -> tuple[Place | None, int]:
    """The piece that a cursor leads to, and how many of its differences are done."""
    piece, is_within, number = (cursor or "").partition(WITHIN)
    if is_within:
        return Place.read(piece), int(number)
    return next_place(pieces, Kind.STANDS, cursor), 0


def _part_of(place: Place, first: int) -> Place:
    """Where it is kept what became of a piece from its `first` difference on."""
    return place if first == 0 else Place(place.part, f"{place.name}-{first}")


def _numbered(key: str) -> Iterator[str]:
    """The keys that several differences of one kind and subject may have, one after the other."""
    yield key
    for number in range(2, MOST_OF_ONE_SUBJECT + 1):
        yield f"{key}#{number}"


def _snapshot(run: Run, difference: Difference) -> Item:
    return {
        "run": run.id,
        "drift": str(difference.drift),
        "subject": difference.subject,
        "card_id": difference.card_id,
        "expected": pack_money(difference.expected),
        "found": pack_money(difference.found),
    }


def _is_about(standing: Operation, run: Run, difference: Difference) -> bool:
    """Whether this very difference was left to a person."""
    told = standing.snapshot
    if (told["expected"], told["found"]) != _sides(difference):
        return False
    if _sides(difference) != (None, None) or standing.state is State.PARKED:
        return True
    last_found = standing.found_in or told["run"]
    is_gone = run.since is not None and last_found < run_stamp(run.since)
    return not is_gone and told["because"] == describe(difference)


def _sides(difference: Difference) -> tuple[Item | None, Item | None]:
    return pack_money(difference.expected), pack_money(difference.found)
