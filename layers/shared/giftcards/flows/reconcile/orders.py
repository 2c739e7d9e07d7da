"""Look through the rows about the web shop's orders: each name has one row.

Whether a row is missing, the journal's phase tells, by what was seen here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from giftcards.clients.airtable import Airtable
from giftcards.domain.drift import Difference
from giftcards.flows.reconcile.named_rows import NamedRows, duplicate, is_named
from giftcards.flows.reconcile.phase import Remedy, Run, Step, name_number
from giftcards.flows.reconcile.put_rows_right import PutRowsRight
from giftcards.flows.write_airtable import NAMED_BY, ORDERS


@dataclass(frozen=True, kw_only=True)
class OrdersPhase:
    """Reads every row of the orders' table, a hundred a step; none where a base lacks it."""

    airtable: Airtable
    rows: NamedRows
    repairs: PutRowsRight

    @property
    def name(self) -> str:
        """See `Phase`."""
        return "orders"

    def step(self, run: Run, cursor: str | None) -> Step:
        """See `Phase`."""
        del run
        if not self.airtable.has_table(ORDERS):
            return Step(next=None)
        page = self.airtable.page(ORDERS, (NAMED_BY[ORDERS],), offset=cursor)
        read = {row.id: row.text(NAMED_BY[ORDERS]) for row in page.rows}
        names = {record_id: name for record_id, name in read.items() if is_named(ORDERS, name)}
        doubtful = self.rows.read(ORDERS, self.rows.doubtful(ORDERS, names))
        found = (
            duplicate(names[named.copies[0].id], named)
            for named in doubtful.values()
            if named.copies and named.copies[0].id in names  # told on the page of the first copy
        )
        return Step(
            next=page.next,
            looked_at=len(page.rows),
            found=tuple(one for one in found if one is not None),
            seen=tuple(name_number(name) for name in dict.fromkeys(names.values())),
        )

    def judge_again(self, run: Run, differences: Sequence[Difference]) -> list[Difference]:
        """See `Phase`."""
        del run
        if not self.airtable.has_table(ORDERS):
            return []
        named = self.rows.read(ORDERS, (one.subject for one in differences))
        told = (duplicate(name, rows) for name, rows in named.items())
        return [one for one in told if one is not None]

    def put_right(self, difference: Difference) -> Remedy:
        """See `Phase`."""
        return self.repairs.delete_copies(ORDERS, difference.subject)
