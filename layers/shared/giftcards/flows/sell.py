"""Sell cards in a store: take a request or refuse it as a whole; its cards are made elsewhere.

    read the request ─► mistakes? ─► REFUSED, every mistake named
                           │ none
                           ▼
                   above a cap, and not approved? ─► HELD for the office
                           │ no
                           ▼
         claim the sale and count it against its caps, in one write ─► `issue_cards`

A store's limit for a day is counted in the same transaction as the claim: two workers that take two
requests at once cannot both have what is left, and a worker that dies has either done both or none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from giftcards.clients.airtable import ROW_IS_DONE, ROW_IS_HELD
from giftcards.domain.addresses import mailbox_key
from giftcards.domain.cards import CardLimits, ShopFacts
from giftcards.domain.creation import (
    Caps,
    CreationRequest,
    CreationRow,
    Refused,
    SellingRules,
    caps_exceeded,
    last_day,
    read_request,
    send_at,
)
from giftcards.domain.hiding import hide_codes
from giftcards.domain.outcomes import Store
from giftcards.errors import JournalConflict, NotSent
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.sale import (
    HELD,
    HELD_SALE_KIND,
    REFUSED,
    SALE,
    Sale,
    held_sale_key,
    sale_key,
)
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.issued import DayCaps, Issued, SoldLine
from giftcards.store.journal import Journal, Operation, Result, RowWrite, State
from giftcards.store.queues import Queues
from giftcards.store.table import pack_moment, pack_money

# When somebody looks at a sale again whose worker died before saying so.
LOOK_AGAIN_SECONDS = 60

# Another worker counted at the same moment; the second look sees what he left.
CLAIM_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class Sell:
    """Takes one creation request at a time; every method may be called again at any moment.

    `send_hour` is the hour of the shop's day at which what was to be sent on a day is sent,
    `digest_hour` the one at which the office reads what was sold the day before.
    """

    journal: Journal
    issued: Issued
    queues: Queues
    follow_up: FollowUp
    facts: ShopFacts
    limits: Callable[[], CardLimits]
    rules: SellingRules
    caps: Caps
    clock: Callable[[], datetime]
    send_hour: int
    digest_hour: int

    def take(self, row: CreationRow, *, store: Store) -> Operation:
        """Take, hold or refuse a request that nobody has looked at yet."""
        today = self._today()
        request = read_request(
            row,
            store=store,
            facts=self.facts,
            limits=self.limits(),
            rules=self.rules,
            today=today,
        )
        if isinstance(request, Refused):
            return self._refuse(row, store, request)
        sale = self._sale(row, request, today)
        for _ in range(CLAIM_ATTEMPTS):
            if not row.is_approved and (reasons := self._above_caps(request, today)):
                return self._hold(row, store, request, reasons)
            claimed = self._claim(sale, today, is_approved=row.is_approved)
            if claimed is not None:
                if claimed.state is State.CLAIMED:
                    self.queues.issue_cards(claimed.key)
                return claimed
        raise NotSent(f"what {store.name} sells today is being counted; the next look goes on")

    def _sale(self, row: CreationRow, request: CreationRequest, today: date) -> Sale:
        purchaser = request.purchaser
        later = None
        if request.send_on is not None:
            later = send_at(request.send_on, time_zone=self.facts.time_zone, hour=self.send_hour)
        return Sale(
            row_id=row.id,
            row_created_at=row.created_at,
            store=request.store,
            employee=request.employee,
            amount=request.amount,
            quantity=request.quantity,
            recipient_name=request.recipient.name,
            recipient_email=request.recipient.email,
            is_gift=purchaser is not None,
            purchaser_name="" if purchaser is None else purchaser.name,
            purchaser_email="" if purchaser is None else purchaser.email,
            message=request.message,
            theme=request.theme,
            kind=str(request.kind),
            expires_on=last_day(request.kind, self.rules, issued_on=today, send_on=request.send_on),
            send_on=request.send_on,
            send_at=later,
            time_zone=self.facts.time_zone,
        )

    def _above_caps(self, request: CreationRequest, today: date) -> list[str]:
        currency = self.facts.currency
        by_store, to_recipient = self.issued.on_day(
            today,
            store_id=request.store.id,
            recipient=mailbox_key(request.recipient.email),
            currency=currency,
        )
        exceeded = caps_exceeded(request, self.caps, by_store=by_store, to_recipient=to_recipient)
        return [one.says for one in exceeded]

    def _claim(self, sale: Sale, today: date, *, is_approved: bool) -> Operation | None:
        """The sale, claimed and counted; `None` where the counts have moved meanwhile."""
        now = self.clock()
        line = SoldLine(
            sale=sale_key(sale.row_id),
            day=today,
            store_id=sale.sold_by.id,
            store_name=sale.sold_by.name,
            employee=sale.employee,
            quantity=sale.quantity,
            total=sale.total,
        )
        counts = self.issued.changes(
            line,
            recipient=mailbox_key(sale.recipient_email),
            caps=DayCaps(
                by_store=None if is_approved else self.caps.per_store_and_day,
                to_recipient=None if is_approved else self.caps.per_recipient_and_day,
            ),
            digest_at=self._digest_at(today),
        )
        try:
            return self.journal.claim_with(
                sale_key(sale.row_id),
                kind=SALE,
                snapshot=sale.pack(),
                now=now,
                due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
                also=counts,
            )
        except JournalConflict:
            # Somebody took the row before it was edited, or before midnight: his sight counts.
            standing = self.journal.load(sale_key(sale.row_id))
            if standing is None:
                raise
            return standing

    def _digest_at(self, today: date) -> datetime:
        """When the office reads of what was sold on this day."""
        return send_at(
            today + timedelta(days=1), time_zone=self.facts.time_zone, hour=self.digest_hour
        )

    def _refuse(self, row: CreationRow, store: Store, refused: Refused) -> Operation:
        """Name every mistake to the store; nothing was made."""
        now = self.clock()
        key = sale_key(row.id)
        employee = hide_codes(row.employee[:200])
        problems = [f"{one.field}: {one.says}" for one in refused.problems]
        message = " ".join(problems)
        receipt = Receipt(
            id=f"{key}#1",
            at=now,
            action=Action.SELL_IN_STORE,
            actor=f"{employee or 'somebody'}, {store.name}",
            card=None,
            amount=None,
            balance_after=None,
            outcome=ReceiptOutcome.FAILED,
            operation=key,
            details=f"{REFUSED}: {message}",
        )
        result = Result(
            outcome=REFUSED,
            decided_at=now,
            reason="\n".join(problems),
            receipts=(receipt,),
            row=_row(
                row.id,
                {
                    "Status": ROW_IS_DONE,
                    "Outcome": REFUSED,
                    "Processed At": pack_moment(now),
                    "Message": message,
                },
            ),
            mail_to=store.email,
        )
        return self._record(key, SALE, row, store=store, employee=employee, result=result)

    def _hold(
        self, row: CreationRow, store: Store, request: CreationRequest, reasons: Sequence[str]
    ) -> Operation:
        """Above a cap: nothing is made until the office ticks `Approved`."""
        now = self.clock()
        message = f"Waits for the office: {'; '.join(reasons)}."
        result = Result(
            outcome=HELD,
            decided_at=now,
            reason="; ".join(reasons),
            row=_row(row.id, {"Status": ROW_IS_HELD, "Outcome": HELD, "Message": message}),
            mail_to=store.email,
        )
        return self._record(
            held_sale_key(row.id),
            HELD_SALE_KIND,
            row,
            store=store,
            employee=request.employee,
            result=result,
            request=request,
        )

    def _record(
        self,
        key: str,
        kind: str,
        row: CreationRow,
        *,
        store: Store,
        employee: str,
        result: Result,
        request: CreationRequest | None = None,
    ) -> Operation:
        snapshot: dict[str, Any] = {
            "row_id": row.id,
            "row_created_at": pack_moment(row.created_at),
            "store": {"id": store.id, "name": store.name, "email": store.email},
            "employee": employee,
            "time_zone": self.facts.time_zone,
        }
        if request is not None:
            snapshot |= {
                "amount": pack_money(request.amount),
                "quantity": request.quantity,
                "recipient_email": request.recipient.email,
            }
        due_at = self.clock() + timedelta(seconds=LOOK_AGAIN_SECONDS)
        try:
            operation = self.journal.record(
                key, kind=kind, snapshot=snapshot, result=result, due_at=due_at
            )
        except JournalConflict:
            # Somebody looked before the row, or the store's own one, was edited: his sight counts.
            standing = self.journal.load(key)
            if standing is None:
                raise
            operation = standing
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)
        return operation

    def _today(self) -> date:
        return self.clock().astimezone(ZoneInfo(self.facts.time_zone)).date()


def _row(row_id: str, cells: dict[str, Any]) -> RowWrite:
    return RowWrite(table="Creation Requests", record_id=row_id, cells=cells)
