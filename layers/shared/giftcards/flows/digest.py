"""Tell the office each morning what the stores sold the day before, by store and employee."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from giftcards.domain.money import Money
from giftcards.flows.follow_up import FollowUp
from giftcards.store.issued import Issued, SoldLine
from giftcards.store.journal import Journal, Result, State
from giftcards.store.table import pack_money

DIGEST_KIND = "digest"

# More sales than this in a day come in several digests.
MOST_LINES = 1000

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
        now = self.clock()
        # The same lines make the same key: a worker that died after this is not repeated.
        names = "\n".join(line.sale for line in lines)
        key = f"{DIGEST_KIND}#{day.isoformat()}#{hashlib.sha256(names.encode()).hexdigest()[:12]}"
        told = self.journal.record(
            key,
            kind=DIGEST_KIND,
            snapshot={"day": day.isoformat(), "sold": _by_employee(lines)},
            result=Result(outcome="TOLD", decided_at=now, mail_to=self.office_email),
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )
        self.issued.note_digested(lines)
        if told.state is State.COMMITTED:
            self.follow_up.hand_over(told)


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
