"""Tell the office each morning whose balances were changed at Shopify the day before.

Staff may put money on a card there, or take it off: a kindness, a correction, or a theft. Nothing
of ours explains it, so it is entered as it is, and here a person reads of it who can tell which it
was. A day without such changes has no mail.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from giftcards.domain.cards import ShopFacts
from giftcards.domain.creation import send_at
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import CHANGES_TOLD, changes_told_key
from giftcards.store.journal import Journal, Operation, Result, State
from giftcards.store.untold import Pointer, Untold

# So many are told of in one mail, whose operation stays below DynamoDB's 400 KB in any script; the
# next sweep tells of the next ones.
CHANGES_A_MAIL = 200

# What one line of the mail says at most: the receipt has all of it.
LONGEST_LINE = 300

# How soon somebody looks after a mail whose worker died before handing it over.
LOOK_AGAIN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class TellOfChanges:
    """Remembers what the office has to read of, and writes the mail once its morning has come.

    `hour` is the hour of the shop's day at which the office reads.
    """

    journal: Journal
    untold: Untold
    follow_up: FollowUp
    facts: Callable[[], ShopFacts]
    clock: Callable[[], datetime]
    hour: int
    office_email: str

    def remember(self, operation: str) -> None:
        """A change is about to be entered under this key."""
        zone = self.facts().time_zone
        today = self.clock().astimezone(ZoneInfo(zone)).date()
        morning = send_at(today + timedelta(days=1), time_zone=zone, hour=self.hour)
        self.untold.note(Pointer(operation, today), tell_at=morning)

    def run(self) -> None:
        """Have the office mailed what it has not read of yet."""
        pointers = self.untold.due(now=self.clock(), limit=CHANGES_A_MAIL)
        if not pointers:
            return
        known = self.journal.load_many(pointer.operation for pointer in pointers)
        # A worker died before it entered these, and another one entered what stood by then.
        self.untold.note_told(one.operation for one in pointers if one.operation not in known)
        for day, of_day in groupby(pointers, key=lambda pointer: pointer.day):
            changes = [known[one.operation] for one in of_day if one.operation in known]
            if changes:
                self._tell(day, changes)

    def _tell(self, day: date, changes: Sequence[Operation]) -> None:
        """Tell of these. The first one names the mail, so one is not begun twice.

        A worker that died in the middle of this left some behind that were told of; the mail says
        which those are.
        """
        key = changes_told_key(day, changes[0].key)
        told = self.journal.load(key) or self._record(key, day, changes)
        self.untold.note_told(told.snapshot["changes"])
        if told.state is State.COMMITTED:
            self.follow_up.hand_over(told)

    def _record(self, key: str, day: date, changes: Sequence[Operation]) -> Operation:
        now = self.clock()
        zone = ZoneInfo(self.facts().time_zone)
        return self.journal.record(
            key,
            kind=CHANGES_TOLD,
            snapshot={
                "day": day.isoformat(),
                "changes": [one.key for one in changes],
                "lines": [_line(one, zone) for one in changes],
            },
            result=Result(outcome="TOLD", decided_at=now, mail_to=self.office_email),
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )


def _line(change: Operation, zone: ZoneInfo) -> str:
    """A change in words. When it was found: Shopify's own moment is some minutes earlier."""
    result = change.result
    if result is None or result.moved is None:
        raise AssertionError(f"{change.key} moved nothing")
    (receipt,) = result.receipts
    moved = result.moved
    what = f"{-moved} taken off" if moved.minor < 0 else f"{moved} put on"
    at = result.decided_at.astimezone(zone)
    words = result.reason or receipt.details
    line = f"{receipt.card}, found at {at:%H:%M}: {what}, {result.balance} left. {words}"
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"
