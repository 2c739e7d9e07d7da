"""Deliver cards to their owners, and tell who bought a gift where it goes.

    claimed ─► due ─► is the card alive? ─► event(s) to Klaviyo ─► DELIVERED, the store is told
                         │ no                  │ not taken
                         └─► CARD_DEAD         └─► again, after seconds up to hours, for a day,
                                                   with an alarm after a quarter of an hour;
                                                   then PARKED, a dead letter, an alarm

A frozen card is not mailed: whoever has its code can spend it in the web shop. Its mail waits until
it is released, or dead.

A card whose unit of a web order was given back meanwhile is not sent: its return takes it out of
use, sooner or later.

Klaviyo takes each event once by its `unique_id`, so every step may be repeated. A delivery that is
due later waits in the journal and holds up nobody; the sweep begins it. Waits between tries are the
journal's as well: SQS knows none above fifteen minutes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import Any
from zoneinfo import ZoneInfo

from aws_lambda_powertools import Logger

from giftcards.clients.code_maker import CodeMaker
from giftcards.clients.klaviyo import Klaviyo
from giftcards.clients.shopify import Shopify
from giftcards.domain.cards import Card, ShopFacts
from giftcards.domain.deliveries import CardsDelivered, DeliveredCard, GiftConfirmed, Person
from giftcards.errors import (
    DeliveryRefused,
    GiftCardError,
    NeedsAPerson,
    TryAgain,
)
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import return_key
from giftcards.flows.messages import MAIL_WAITS
from giftcards.flows.park import Park
from giftcards.flows.sale import (
    CARD_DEAD,
    CONFIRMATION,
    DELIVERED,
    DELIVERED_IN_PART,
    DELIVERY,
    DROPPED,
    GIVEN_BACK_FIRST,
    GIVEN_UP_KIND,
    NOT_DELIVERED,
    RESEND,
    Sale,
    issue_key,
)
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.cards import Cards
from giftcards.store.control import Control
from giftcards.store.journal import Journal, Operation, Result, RowWrite, State
from giftcards.store.queues import LONGEST_DELAY_SECONDS, Queues

# So many cards stand in one mail: a longer one is cut off by mail programs (Gmail shows 102 KB).
CARDS_A_MAIL = 50

# How long to wait after each try that failed, in seconds: about a day in all, in which a person can
# mend a key, and Klaviyo itself.
WAITS = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 28800)

# The fifth try comes after twelve minutes, the one before it after two and a half: what Klaviyo, or
# Shopify, which is asked before, refuses by then is no hiccup, and the next tries are far apart.
LATE_TRIES = 5

# Where Klaviyo asks for longer waits than ours before that, the fifth try comes too late: with
# waits as long as this it would be after seventeen minutes.
LATE_WAIT_SECONDS = 150

# Klaviyo asks for seconds; a longer wait than this would be a mistake in its header.
LONGEST_RETRY_AFTER_SECONDS = 3600

PURCHASER_TOLD = "the purchaser was told"

# How soon a mail that waits for a frozen card is looked at again.
FROZEN_LOOK_SECONDS = 600

# When the sweep looks after a delivery whose worker died.
LOOK_AGAIN_SECONDS = 60


class _CardIsFrozen(Exception):
    """A card of a delivery is frozen, and so nothing of it is sent yet."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one delivery is made of: the sale it belongs to, and the operations of its cards.

    `given_back` are the keys of those whose units were given back, card or no card.
    """

    sale: Sale
    to: Person
    resend: int
    cards: Sequence[Operation]
    given_back: frozenset[str] = frozenset()

    @property
    def wanted(self) -> Sequence[Operation]:
        """The cards that are to be sent."""
        return [one for one in self.cards if one.key not in self.given_back]


@dataclass(frozen=True, kw_only=True)
class Deliver:
    """Sends what is due to customers; every method may be called again at any moment."""

    journal: Journal
    control: Control
    klaviyo: Klaviyo
    shopify: Shopify
    cards: Cards
    codes: CodeMaker
    queues: Queues
    follow_up: FollowUp
    park: Park
    logger: Logger
    clock: Callable[[], datetime]
    facts: ShopFacts
    shop_url: str
    office_email: str
    note_late: Callable[[], None]

    def deliver(self, key: str, *, again: bool = False) -> None:
        """Deliver, unless that was done before or is not due yet.

        `again` comes with a dead letter that a person has sent again: what was given up is tried
        anew.
        """
        operation = self.journal.load(key)
        if operation is None:
            raise NeedsAPerson(f"{key} is not in the journal")
        if operation.state is State.PARKED and again:
            operation = self.journal.unpark(operation, due_at=self._look_again_at())
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)
        if operation.state is not State.CLAIMED or not self.control.switch().is_running:
            return  # done, given up, or paused: the sweep comes back to what is left
        parcel = self._parcel(operation)
        if self._is_due(operation, parcel):
            self._try(operation, parcel)

    def _try(self, operation: Operation, parcel: Parcel) -> None:
        """Send once, and note what came of it."""
        try:
            result = self._send(operation, parcel)
        except TryAgain as error:
            asked = error.retry_after_seconds or 0
            if operation.tries + 1 >= LATE_TRIES or asked >= LATE_WAIT_SECONDS:
                self.note_late()
                self.logger.warning(
                    MAIL_WAITS, extra={"operation": operation.key, "reason": str(error)}
                )
            self._try_later(operation, parcel, error)
        except _CardIsFrozen:
            later = self.clock() + timedelta(seconds=FROZEN_LOOK_SECONDS)
            self.journal.postpone(operation, due_at=later)
            self.logger.info(
                "a delivery waits for a frozen card", extra={"operation": operation.key}
            )
        except DeliveryRefused as error:
            self._give_up(operation, parcel, because=str(error))
        except NeedsAPerson as error:
            # A key, a permission: a person may mend it within the day, and the alarm has to ring.
            self._try_later(operation, parcel, error)
            raise
        else:
            self._note_address(operation)
            done = self.journal.commit(operation, result, due_at=self._look_again_at())
            if done.state is State.COMMITTED:
                self.follow_up.hand_over(done)

    def _is_due(self, operation: Operation, parcel: Parcel) -> bool:
        """Whether its day has come; a message that came twice or early shortens no wait either."""
        now = self.clock()
        if operation.next_try_at is not None and operation.next_try_at > now:
            return False
        later = parcel.sale.send_at if operation.kind == DELIVERY else None
        return later is None or later <= now

    def _parcel(self, operation: Operation) -> Parcel:
        told = operation.snapshot
        sale_operation = self.journal.load(told["sale"])
        if sale_operation is None:
            raise NeedsAPerson(f"the sale of {operation.key} is not in the journal")
        sale = Sale.of(sale_operation)
        keys = [told["issue"]] if operation.kind == RESEND else sale.issue_keys
        known = self.journal.load_many(keys)
        return Parcel(
            sale=sale,
            to=Person(name=told["name"], email=told["email"]),
            resend=int(told["resend"]),
            # Nothing was made for a unit that was given back first.
            cards=[known[key] for key in keys if key in known and not _was_dropped(known[key])],
            given_back=self._given_back(sale),
        )

    def _given_back(self, sale: Sale) -> frozenset[str]:
        """The cards of a web order's units that were given back."""
        if sale.order is None:
            return frozenset()
        returns = {return_key(sale.line, unit): issue_key(sale.line, unit) for unit in sale.units}
        return frozenset(returns[key] for key in self.journal.load_many(returns))

    def _send(self, operation: Operation, parcel: Parcel) -> Result:
        """Hand over to Klaviyo; return what came of it. Raises what the client raises."""
        if not parcel.wanted and operation.kind == RESEND:
            return self._result(operation, parcel, CARD_DEAD, "the card was given back", [])
        if not parcel.wanted:
            reason = "given back before it was sent"
            return self._result(operation, parcel, GIVEN_BACK_FIRST, reason, [])
        if operation.kind == CONFIRMATION:
            self.klaviyo.send_event(self._confirmation(operation, parcel))
            return self._result(operation, parcel, DELIVERED, PURCHASER_TOLD, [])
        read = self.shopify.read_cards([_card_id(one) for one in parcel.wanted])
        living = [one for one in parcel.wanted if self._is_alive(read.get(_card_id(one)))]
        if not living:
            reason = "the card was deactivated or has expired, so it was not sent"
            return self._result(operation, parcel, CARD_DEAD, reason, [])
        if operation.kind == DELIVERY and self.cards.frozen(map(_card_id, living)):
            raise _CardIsFrozen  # a resend is the office's own word
        # A card has its mail by its place in the sale. If the living were counted, one that dies
        # between two tries would move the others into mails that Klaviyo has already.
        alive = {one.key for one in living}
        for part, places in enumerate(batched(parcel.cards, CARDS_A_MAIL, strict=False)):
            cards = [
                self._delivered_card(one, read[_card_id(one)]) for one in places if one.key in alive
            ]
            if cards:
                self.klaviyo.send_event(self._delivery(operation, parcel, part, cards))
        dead = len(parcel.wanted) - len(living)
        if not dead:
            return self._result(operation, parcel, DELIVERED, f"sent to {parcel.to.email}", living)
        reason = (
            f"of {len(parcel.wanted)} cards, {len(living)} went to {parcel.to.email}; deactivated"
            f" or expired by then: {dead}"
        )
        return self._result(operation, parcel, DELIVERED_IN_PART, reason, living)

    def _is_alive(self, card: Card | None) -> bool:
        if card is None or card.deactivated_at is not None or not card.enabled:
            return False
        today = self.clock().astimezone(ZoneInfo(self.facts.time_zone)).date()
        return card.expires_on is None or card.expires_on >= today

    def _delivered_card(self, operation: Operation, card: Card) -> DeliveredCard:
        code = self.codes.code_for(operation.key, operation.counter, operation.key_version or "")
        return DeliveredCard(code=code, amount=card.balance, expires_on=card.expires_on)

    def _delivery(
        self, operation: Operation, parcel: Parcel, part: int, cards: Sequence[DeliveredCard]
    ) -> CardsDelivered:
        sale = parcel.sale
        return CardsDelivered(
            operation=operation.key if part == 0 else f"{operation.key}/{part + 1}",
            resend=parcel.resend,
            to=parcel.to,
            cards=tuple(cards),
            giver=sale.purchaser_name if sale.is_gift else "",
            message=sale.message,
            theme=sale.theme,
            shop_name=self.facts.name,
            shop_url=self.shop_url,
        )

    def _confirmation(self, operation: Operation, parcel: Parcel) -> GiftConfirmed:
        sale = parcel.sale
        made_on = operation.claimed_at.astimezone(ZoneInfo(sale.time_zone)).date()
        return GiftConfirmed(
            operation=operation.key,
            resend=parcel.resend,
            to=parcel.to,
            recipient=Person(name=sale.recipient_name, email=sale.recipient_email),
            amount=sale.amount,
            quantity=len(parcel.wanted),
            send_on=sale.send_on or made_on,
            message=sale.message,
            theme=sale.theme,
            shop_name=self.facts.name,
            shop_url=self.shop_url,
        )

    def _result(
        self,
        operation: Operation,
        parcel: Parcel,
        outcome: str,
        reason: str,
        delivered: Sequence[Operation],
    ) -> Result:
        """The outcome and everything that follows from it: receipt, row, the store's mail."""
        now = self.clock()
        is_done = outcome in {DELIVERED, DELIVERED_IN_PART, GIVEN_BACK_FIRST}
        details = f"{outcome}: {reason}"
        if operation.kind == RESEND:
            details += f" (before: {operation.snapshot['before']})"
        receipt = Receipt(
            id=f"{operation.key}#1",
            at=now,
            action=_ACTIONS[operation.kind],
            actor="the office" if operation.kind == RESEND else parcel.sale.seller,
            card=_masked(delivered[0]) if len(delivered) == 1 else None,
            amount=None,
            balance_after=None,
            outcome=ReceiptOutcome.DONE if is_done else ReceiptOutcome.FAILED,
            operation=operation.key,
            details=details,
        )
        return Result(
            outcome=outcome,
            decided_at=now,
            reason=reason,
            receipts=(receipt,),
            row=_row(operation, parcel, reason),
            moved_card=operation.snapshot["card"] if operation.kind == RESEND else None,
            mail_to=self._told(operation, parcel, outcome),
            purchase=_order(operation, parcel),
        )

    def _told(self, operation: Operation, parcel: Parcel, outcome: str) -> str | None:
        """The store hears of what it sold, the office of what was not sent and has no store."""
        if operation.kind == DELIVERY and parcel.sale.order is None:
            return parcel.sale.store_email
        is_well = outcome in {DELIVERED, GIVEN_BACK_FIRST}
        return None if is_well else self.office_email

    def _try_later(self, operation: Operation, parcel: Parcel, error: GiftCardError) -> None:
        """Wait, the longer the more often it failed; after about a day, give up."""
        if operation.tries >= len(WAITS):
            self._give_up(operation, parcel, because=str(error))
            return
        told = error.retry_after_seconds if isinstance(error, TryAgain) else None
        asked = min(told or 0, LONGEST_RETRY_AFTER_SECONDS)
        wait = max(WAITS[operation.tries], asked)
        self.journal.note_try(operation, due_at=self.clock() + timedelta(seconds=wait))
        self.logger.warning(
            "a delivery waits for its next try",
            extra={"operation": operation.key, "reason": str(error), "seconds": wait},
        )
        if wait <= LONGEST_DELAY_SECONDS:
            self.queues.deliver(operation.key, delay_seconds=wait)

    def _give_up(self, operation: Operation, parcel: Parcel, *, because: str) -> None:
        """Nobody but a person can go on: receipt, row, office, dead letter and alarm say so."""
        now = self.clock()
        reason = f"could not be sent to {parcel.to.email}: {because}"
        if operation.kind == RESEND:  # the office can tick it again, with a better address
            result = self._result(operation, parcel, NOT_DELIVERED, reason, [])
            failed = self.journal.commit(operation, result, due_at=self._look_again_at())
            if failed.state is State.COMMITTED:
                self.follow_up.hand_over(failed)
            return
        key = f"{GIVEN_UP_KIND}#{operation.key}#{operation.retrials + 1}"
        receipt = Receipt(
            id=f"{key}#1",
            at=now,
            action=_ACTIONS[operation.kind],
            actor="the system",
            card=None,
            amount=None,
            balance_after=None,
            outcome=ReceiptOutcome.FAILED,
            operation=operation.key,
            details=f"{NOT_DELIVERED}: {reason}",
        )
        noted = self.journal.record(
            key,
            kind=GIVEN_UP_KIND,
            snapshot={"operation": operation.key, "row_id": parcel.sale.row_id},
            result=Result(
                outcome=NOT_DELIVERED,
                decided_at=now,
                reason=f"A customer's mail {reason}",
                receipts=(receipt,),
                row=_row(operation, parcel, f"The mail {reason}"),
                mail_to=self.office_email,
                purchase=_order(operation, parcel),
            ),
            due_at=self._look_again_at(),
        )
        if noted.state is State.COMMITTED:
            self.follow_up.hand_over(noted)
        self.queues.give_up_delivery(operation.key)
        self.park.park_operation(operation, because=reason)

    def _note_address(self, operation: Operation) -> None:
        """The office knew a better address: from now on it is the owner's."""
        if operation.kind != RESEND:
            return
        told = operation.snapshot
        if told["email"] != told["before"]:
            self.cards.note_owner_email(
                told["card"], email=told["email"], number=int(told["resend"])
            )

    def _look_again_at(self) -> datetime:
        return self.clock() + timedelta(seconds=LOOK_AGAIN_SECONDS)


_ACTIONS = {
    DELIVERY: Action.DELIVER,
    CONFIRMATION: Action.CONFIRM_GIFT,
    RESEND: Action.DELIVER_AGAIN,
}


def _row(operation: Operation, parcel: Parcel, reason: str) -> RowWrite | None:
    """What the office reads where it looks: on the request, or on the card it had sent again."""
    if operation.kind == RESEND:
        return RowWrite(
            table="Gift Cards", record_id=operation.snapshot["record"], cells={"Resend": False}
        )
    if parcel.sale.order is not None:
        return None  # the order's own row tells of it
    if operation.kind == CONFIRMATION and not operation.retrials and reason == PURCHASER_TOLD:
        return None  # the row tells of the cards; it told of the purchaser only if that failed
    message = f"{reason[:1].upper()}{reason[1:]}."
    cells: dict[str, Any] = {"Message": message}
    return RowWrite(table="Creation Requests", record_id=parcel.sale.row_id, cells=cells)


def _order(operation: Operation, parcel: Parcel) -> str | None:
    """The web order whose row shows what became of a delivery; a resend is shown on its card."""
    return None if operation.kind == RESEND else parcel.sale.order_number


def _was_dropped(operation: Operation) -> bool:
    return operation.result is not None and operation.result.outcome == DROPPED


def _card_id(operation: Operation) -> str:
    if operation.result is None or operation.result.moved_card is None:
        raise NeedsAPerson(f"{operation.key} has made no card that could be delivered")
    return operation.result.moved_card


def _masked(operation: Operation) -> str | None:
    return None if operation.result is None else operation.result.receipts[0].card
