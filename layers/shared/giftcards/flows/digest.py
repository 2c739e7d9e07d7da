"""Tell the office each morning what the stores sold the day before, by store and employee."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from giftcards.domain.money import Money
from giftcards.flows.follow_up import FollowUp
from giftcards.store.issued import Issued, SoldLine
from giftcards.store.journal import Journal, Operation, Result, State
from giftcards.store.table import pack_money

DIGEST_KIND = "digest"

# More sales than this in a day come in several digests.
MOST_LINES = 1000

# A second one tells of what the index of the queue showed late; more than these are a mistake.
DIGESTS_A_DAY = 20

# How soon somebody looks after a digest whose worker died before handing it over.
LOOK_AGAIN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Digest:
    """Writes a day's digest once its morning has come."""

    journal: Journal
    issued: Issued
    follow_up: FollowUp
    clock: Callable[[], datetime]
    office_email: str

    def run(self) -> None:
        """Have the office mailed what it has not read of yet; a day without sales has no digest."""
        lines = self.issued.undigested(now=self.clock(), limit=MOST_LINES)
        for day, of_day in groupby(lines, key=lambda line: line.day):
            self._tell(day, list(of_day))

    def _tell(self, day: date, lines: Sequence[SoldLine]) -> None:
        """Tell of the sales of a day that none of its digests tells of yet.

        Each digest names its sales. A worker that died between the digest and its lines' leaving
        the queue, or in the middle of that, left lines behind that were told of all the same.
        """
        for number in range(1, DIGESTS_A_DAY + 1):
            key = f"{DIGEST_KIND}#{day.isoformat()}#{number}"
            told = self.journal.load(key) or self._record(key, day, lines)
            self.issued.note_digested([one for one in lines if one.sale in told.snapshot["sales"]])
            if told.state is State.COMMITTED:
                self.follow_up.hand_over(told)
            lines = [line for line in lines if line.sale not in told.snapshot["sales"]]
            if not lines:
                return

    def _record(self, key: str, day: date, lines: Sequence[SoldLine]) -> Operation:
        now = self.clock()
        return self.journal.record(
            key,
            kind=DIGEST_KIND,
            snapshot={
                "day": day.isoformat(),
                "sold": _by_employee(lines),
                "sales": [line.sale for line in lines],
            },
            result=Result(outcome="TOLD", decided_at=now, mail_to=self.office_email),
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )


def _by_employee(lines: Sequence[SoldLine]) -> list[dict[str, object]]:
    """A line for each employee of each store, as the journal keeps it."""
    totals: dict[tuple[str, str, str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for line in lines:
        who = (line.store_id, line.store_name, line.employee, line.total.currency)
        quantity, minor = totals[who]
        totals[who] = (quantity + line.quantity, minor + line.total.minor)
    return [
        {
            "store": store_name,
            "employee": employee,
            "quantity": quantity,
            "total": pack_money(Money(minor, currency)),
        }
        for (_, store_name, employee, currency), (quantity, minor) in totals.items()
    ]
