"""Enter into an order's log what was decided, in one write with all that follows from it.

    an order is taken       its sales, one a line, and its tag
    it makes no card        a receipt that says why, and its tag
    units are given back    their returns
    something happened      the office is told
    it has to wait          a notice: a receipt, the office's mail, an alarm

A worker that dies before the write has done nothing. One that dies after it leaves an outbox, which
the sweep empties. Where somebody else was first his entry stands, and False is returned: whoever
asked judges again behind it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aws_lambda_powertools import Logger

from giftcards.domain.cards import ShopFacts
from giftcards.domain.creation import CardKind, SellingRules, last_day, send_at
from giftcards.domain.hiding import hide_codes
from giftcards.domain.orders import Advice, WebOrder, number_of
from giftcards.domain.purchases import (
    Batch,
    Change,
    Event,
    PurchaseRules,
    Reason,
    Take,
    Unit,
    Wishes,
    purchaser_of,
    read_wishes,
)
from giftcards.errors import JournalConflict
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import (
    HELD_ORDER,
    ORDER,
    RETURN,
    TAG,
    held_order_key,
    return_key,
    tag_key,
)
from giftcards.flows.order_log import (
    NO_CARD,
    NO_LONGER_HELD,
    TAKEN,
    UNITS_RETURNED,
    History,
    pack_change,
)
from giftcards.flows.sale import HELD, SALE, Sale, SoldIn, issue_key, sale_key, units_name
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.journal import Journal, Next, Operation, Result, State

# When the sweep looks after an entry whose worker died before handing over what follows.
LOOK_AGAIN_SECONDS = 60

# Why an order waits, and what to do about it, as the office reads it.
WHY_HELD = {
    Reason.UNASSESSED: "Shopify has not assessed its risk, longer than we wait for that",
    Reason.CHARGEBACK: "the customer's bank disputes the payment (a chargeback)",
    Reason.PAID_BEFORE: (
        "a part of it was paid before this system went live, so nobody can tell which of its cards"
        " were made by hand: a release makes all of them"
    ),
    Reason.TAGGED: (
        "it has the tag of the orders that are processed, but this system has not processed it."
        " Somebody has tagged it, or what was done is lost: look whether its cards were made, for"
        " a release makes all of them"
    ),
    Reason.NO_ADDRESS: (
        "it has no mail address to send a card to: add one to the order in Shopify, it then goes on"
        " by itself"
    ),
    Reason.DISCOUNTED: (
        "a gift card was sold below its value, so whoever buys it makes money: leave gift cards out"
        " of every discount in Shopify. A release makes cards of the full value"
    ),
    Reason.OTHER_CURRENCY: (
        "it was sold in another currency than the shop's, so its card would be worth what Shopify"
        " converted the price to. A release makes it so"
    ),
    Reason.REFUNDED_BEFORE: (
        "all its money was given back before, and with it its cards, but Shopify still counts their"
        " units. Look which of them were paid for since: a release makes a card for each"
    ),
}

WHAT_HAPPENED = {
    Event.CHARGEBACK: (
        "the customer's bank disputes the payment (a chargeback). Its cards are frozen: stores"
        " refuse them until somebody releases them, and those that were not mailed yet wait for"
        " that, too. The web shop takes them as before: deactivate them in Shopify if you want to"
        " be sure, which cannot be undone"
    ),
    Event.CANCELLED: (
        "it was cancelled without giving back its gift cards, so they stay good. Refund the units"
        " in Shopify, and their cards are taken out of use"
    ),
}


@dataclass(frozen=True, kw_only=True)
class PurchaseEntries:
    """Writes entries; each method may be called again at any moment."""

    journal: Journal
    follow_up: FollowUp
    logger: Logger
    clock: Callable[[], datetime]
    facts: ShopFacts
    rules: PurchaseRules
    selling: SellingRules
    send_hour: int
    tag: str
    office_email: str
    note_held: Callable[[], None]

    def take(self, order: WebOrder, history: History, decision: Take) -> bool:
        """These units are ours to make cards for."""
        now = self.clock()
        lines = {number_of(line.id): line for line in order.lines}
        today = now.astimezone(ZoneInfo(self.facts.time_zone)).date()
        sales, remarks = list[Sale](), list[str]()
        for batch in decision.batches:
            wishes = read_wishes(
                lines[batch.line],
                order,
                rules=self.rules,
                selling=self.selling,
                time_zone=self.facts.time_zone,
                today=today,
            )
            remarks += wishes.remarks
            sales.append(self._sale(order, batch, wishes, today))
        change = Change(added=decision.batches, let_through=decision.let_through)
        follows = [
            Next(key=sale_key(sale.row_id), kind=SALE, snapshot=sale.pack(), due_at=now)
            for sale in sales
        ]
        return self._enter(
            order,
            history,
            change,
            Result(outcome=TAKEN, decided_at=now, follows=tuple(follows)),
            remarks=remarks,
        )

    def refuse(self, order: WebOrder, history: History, because: str) -> bool:
        """The order makes no card. A receipt says why, so that nobody looks for one."""
        now = self.clock()
        key = history.next_key(number_of(order.id))
        receipt = self._receipt(
            key, order, f"{NO_CARD}: {because}", outcome=ReceiptOutcome.DONE, at=now
        )
        result = Result(outcome=NO_CARD, decided_at=now, reason=because, receipts=(receipt,))
        return self._enter(order, history, Change(), result)

    def give_back(
        self,
        order: WebOrder,
        history: History,
        units: Sequence[Unit],
        *,
        events: Sequence[Event] = (),
    ) -> bool:
        """These units were refunded: their cards are taken out of use. `events` are noted, too."""
        now, number, past = self.clock(), number_of(order.id), history.past
        because = "the order was cancelled" if order.cancelled_at else "the unit was given back"
        follows = []
        for unit in units:
            batch = past.batch_of(unit)
            snapshot = {
                "order": number,
                "order_name": _name(order),
                "line": unit.line,
                "unit": unit.number,
                "issue": issue_key(unit.line, unit.number),
                "sale": sale_key(units_name(unit.line, batch.first)),
                "because": because,
            }
            key = return_key(unit.line, unit.number)
            follows.append(Next(key=key, kind=RETURN, snapshot=snapshot, due_at=now))
        result = Result(outcome=UNITS_RETURNED, decided_at=now, follows=tuple(follows))
        change = Change(returned=tuple(units), events=tuple(events))
        return self._enter(order, history, change, result)

    def tell(self, order: WebOrder, history: History, event: Event) -> bool:
        """Something happened to an order whose cards live: the office reads of it, once."""
        reason = f"Order {_name(order)}: {WHAT_HAPPENED[event]}."
        result = Result(
            outcome=str(event),
            decided_at=self.clock(),
            reason=reason,
            mail_to=self.office_email,
        )
        return self._enter(order, history, Change(events=(event,)), result)

    def close_notice(self, order: WebOrder, history: History) -> bool:
        """What an order was held for has been taken off it: its row need not say so any more."""
        result = Result(outcome=NO_LONGER_HELD, decided_at=self.clock())
        return self._enter(order, history, Change(), result)

    def hold(
        self,
        order: WebOrder,
        history: History,
        reasons: Sequence[Reason],
        *,
        was_ticked: bool,
    ) -> bool:
        """The order waits for the office, which is told of all `reasons`, and the alarm rings.

        `was_ticked`: a tick of before may stand in Airtable. It was not for these reasons.
        """
        now, number = self.clock(), number_of(order.id)
        key = held_order_key(number, len(history.notices) + 1)
        because = "; ".join(why_held(reason, order) for reason in reasons)
        what = (
            f"Order {_name(order)} waits,"
            if history.past.is_new
            else (f"Units added to order {_name(order)} wait, for them")
        )
        again = (
            " Untick Release if it is ticked from before, then tick it again if it is to go on."
            if was_ticked
            else ""
        )
        receipt = self._receipt(
            key, order, f"{HELD}: {because}", outcome=ReceiptOutcome.FAILED, at=now
        )
        # Before the write: rung twice is better than never.
        self.note_held()
        return self._record(
            key,
            kind=HELD_ORDER,
            snapshot=self._about(order)
            | {
                "reasons": [str(reason) for reason in reasons],
                "after": len(history.entries),
                "was_ticked": was_ticked,
            },
            result=Result(
                outcome=HELD,
                decided_at=now,
                reason=f"{what} no card was made: {because}.{again}",
                receipts=(receipt,),
                mail_to=self.office_email,
                purchase=number,
            ),
        )

    def _sale(self, order: WebOrder, batch: Batch, wishes: Wishes, today: date) -> Sale:
        name, email = purchaser_of(order)
        zone = self.facts.time_zone
        later = None
        if wishes.send_on is not None:
            later = send_at(wishes.send_on, time_zone=zone, hour=self.send_hour)
        return Sale(
            row_id=units_name(batch.line, batch.first),
            row_created_at=order.processed_at,
            store=None,
            employee="",
            amount=batch.price,
            quantity=batch.quantity,
            recipient_name=wishes.recipient_name,
            recipient_email=wishes.recipient_email,
            is_gift=wishes.is_gift,
            purchaser_name=name,
            purchaser_email=email,
            message=wishes.message,
            theme=wishes.theme,
            kind=str(CardKind.PAID),
            expires_on=last_day(
                CardKind.PAID, self.selling, issued_on=today, send_on=wishes.send_on
            ),
            send_on=wishes.send_on,
            send_at=later,
            time_zone=zone,
            order=SoldIn(number_of(order.id), _name(order)),
            first_unit=batch.first,
        )

    def _enter(
        self,
        order: WebOrder,
        history: History,
        change: Change,
        result: Result,
        *,
        remarks: Iterable[str] = (),
    ) -> bool:
        """The next entry of the order's log; the order's tag follows from the first."""
        number, place = number_of(order.id), len(history.entries) + 1
        follows = result.follows
        if place == 1:
            snapshot = {"order_id": order.id, "order": number, "tag": self.tag}
            follows += (
                Next(key=tag_key(number), kind=TAG, snapshot=snapshot, due_at=result.decided_at),
            )
        return self._record(
            history.next_key(number),
            kind=ORDER,
            snapshot=self._about(order)
            | pack_change(change)
            | {"remarks": list(dict.fromkeys(remarks))},
            result=Result(
                outcome=result.outcome,
                decided_at=result.decided_at,
                reason=result.reason,
                receipts=result.receipts,
                mail_to=result.mail_to,
                purchase=number,
                follows=follows,
            ),
        )

    def _record(self, key: str, *, kind: str, snapshot: dict[str, Any], result: Result) -> bool:
        due_at = result.decided_at + timedelta(seconds=LOOK_AGAIN_SECONDS)
        try:
            entry: Operation = self.journal.record(
                key, kind=kind, snapshot=snapshot, result=result, due_at=due_at
            )
        except JournalConflict:
            self.logger.info("somebody else has dealt with an order", extra={"operation": key})
            return False
        if entry.state is State.COMMITTED:
            self.follow_up.hand_over(entry)
        return True

    def _about(self, order: WebOrder) -> dict[str, Any]:
        """What each entry says of its order."""
        name, email = purchaser_of(order)
        return {
            "order": number_of(order.id),
            "order_id": order.id,
            "name": _name(order),
            "purchaser": name,
            "email": email,
        }

    def _receipt(
        self, key: str, order: WebOrder, details: str, *, outcome: ReceiptOutcome, at: datetime
    ) -> Receipt:
        name, _ = purchaser_of(order)
        return Receipt(
            id=f"{key}#1",
            at=at,
            action=Action.REFUSE_ORDER,
            actor=f"{name or 'a customer'}, order {_name(order)}",
            card=None,
            amount=None,
            balance_after=None,
            outcome=outcome,
            operation=key,
            details=details,
        )


def why_held(reason: Reason, order: WebOrder) -> str:
    """Why an order waits, in words."""
    if reason is Reason.ADVICE:
        advised = "cancel" if order.advice is Advice.CANCEL else "investigate"
        return f"Shopify takes it for risky and advises to {advised} it"
    return WHY_HELD[reason]


def _name(order: WebOrder) -> str:
    """The order as people call it. A shop may choose how its orders are numbered."""
    return hide_codes(order.name)
