"""Note what an order took off gift cards, and what it gave back to them: each step once.

    an order's steps   SALE, CAPTURE ─► order-spend#<step>     money left the card
                       REFUND ────────► order-refund#<step>    money came back
                       AUTHORIZATION ─► money is kept back, until a CAPTURE or a VOID

Shopify moves the money at the checkout; nothing is sent here. A step has a number of its own for
ever, so an order that is edited, cancelled or tagged afterwards brings nothing twice. A test order
moves a card's money like any other, and its rows say that it was one. Steps of cards from before
our time are noted and nothing follows from them. Where nobody tells which card it was, a person has
to look.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from giftcards.clients.airtable import ORDER_IS_DONE
from giftcards.clients.shopify import Shopify
from giftcards.domain.cards import Card
from giftcards.domain.codes import mask
from giftcards.domain.money import MoneyError
from giftcards.domain.orders import CardPayment, PaidOrder, PaymentKind, number_of
from giftcards.errors import JournalConflict, VendorSurprise
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import GIVEN_BACK, SPEND, UNREAD_ORDER, spend_key, unread_order_key
from giftcards.flows.park import Park
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.journal import Journal, Operation, OrderRow, Result, State
from giftcards.store.ledger import Ledgers
from giftcards.store.table import pack_moment, pack_money

# How it ended with a step.
SPENT = "SPENT"
RETURNED = "GIVEN_BACK"
HISTORICAL = "HISTORICAL"

# How it ended with an order that could not be read at first.
READ = "READ"

TAKING = frozenset({PaymentKind.SALE, PaymentKind.CAPTURE})
MOVING = TAKING | {PaymentKind.REFUND}

# How soon somebody looks after a step whose worker died before handing it over.
LOOK_AGAIN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class NotePayments:
    """Notes the steps of orders; every method may be called again at any moment."""

    shopify: Shopify
    journal: Journal
    ledgers: Ledgers
    follow_up: FollowUp
    park: Park
    logger: Logger
    clock: Callable[[], datetime]
    live_from: datetime
    accept_historical: bool

    def note(self, order: PaidOrder) -> int:
        """Note the steps of an order that nobody has noted yet; return how many moved money."""
        steps = [step for step in order.steps if step.processed_at >= self.live_from]
        known = self.journal.load_many(_key(step) for step in steps if step.kind in MOVING)
        fresh = [step for step in steps if step.kind in MOVING and _key(step) not in known]
        reserving = self._reserving(order, steps)
        if not fresh and not reserving:
            return 0
        cards = self.shopify.read_cards(_cards_of([*fresh, *reserving]))
        for step in reserving:
            card = cards.get(step.card_id or "")
            if card is not None and self._is_ours(card):
                amount = step.amount if step.kind is PaymentKind.AUTHORIZATION else -step.amount
                self.ledgers.note_reserved(card.id, payment=number_of(step.id), amount=amount)
        self._have_looked_at([cards[one] for one in _cards_of(fresh) if one in cards])
        noted = [self._note(order, step, cards) for step in fresh]
        self._hand_over([one for one in noted if one.state is State.COMMITTED])
        return sum(one.result is not None and one.result.moved is not None for one in noted)

    def finish(self, operation: Operation) -> Operation:
        """Go on with a step that a person wants tried again, or that was left between two writes.

        Its receipt may name the card by now; where it does not, a person is asked again.
        """
        if operation.state is State.CLAIMED:
            order = self.shopify.read_payments(operation.snapshot["order_id"])
            steps = {step.id: step for step in (order.steps if order else ())}
            step = steps.get(operation.snapshot["payment"])
            if order is None or step is None:
                self.park.park_operation(operation, because="Shopify does not show it any more")
                return self.journal.load(operation.key) or operation
            cards = self.shopify.read_cards(_cards_of([step]))
            result = self._judge(order, step, cards)
            if isinstance(result, str):
                self.park.park_operation(operation, because=result)
                return self.journal.load(operation.key) or operation
            operation = self.journal.commit(operation, result, due_at=self._look_again_at())
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)
        return operation

    def read_later(self, order_id: str, *, updated_at: datetime) -> None:
        """An order's payments could not be noted: they are read again until they can."""
        number = number_of(order_id)
        self.journal.claim(
            unread_order_key(number, updated_at),
            kind=UNREAD_ORDER,
            snapshot={"order_id": order_id},
            now=self.clock(),
            due_at=self._look_again_at(),
        )

    def read_again(self, operation: Operation) -> Operation:
        """Read an order that could not be read; a person is asked after too many failures."""
        if operation.state is State.CLAIMED:
            try:
                order = self.shopify.read_payments(operation.snapshot["order_id"])
                if order is not None:
                    self.note(order)
            except (VendorSurprise, MoneyError, JournalConflict) as error:
                self.park.count_failure(operation, error)
                raise
            result = Result(outcome=READ, decided_at=self.clock())
            operation = self.journal.commit(operation, result, due_at=self._look_again_at())
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)
        return operation

    def _reserving(self, order: PaidOrder, steps: Sequence[CardPayment]) -> list[CardPayment]:
        """The steps that change what is kept back, and are not in a ledger yet."""
        kept = {step.id for step in order.steps if step.kind is PaymentKind.AUTHORIZATION}
        changing = [
            step
            for step in steps
            if step.card_id is not None
            and (
                step.kind in {PaymentKind.AUTHORIZATION, PaymentKind.VOID}
                or (step.kind is PaymentKind.CAPTURE and step.parent_id in kept)
            )
        ]
        ledgers = self.ledgers.of(_cards_of(changing))
        return [
            step
            for step in changing
            if step.card_id not in ledgers
            or number_of(step.id) not in ledgers[step.card_id].reserved
        ]

    def _have_looked_at(self, cards: Sequence[Card]) -> None:
        """Have cards looked at again whose balance had been accounted for without these steps.

        So it is with an order that turns up late: what it took was entered as a change that nobody
        explains, and that has to be evened out now.
        """
        soon = self.clock() + timedelta(seconds=LOOK_AGAIN_SECONDS)
        ledgers = self.ledgers.of(card.id for card in cards)
        for card in cards:
            look = ledgers[card.id].look if card.id in ledgers else None
            if look is not None and look.open is None and look.balance == card.balance:
                self.ledgers.look_again(card.id, at=soon)

    def _note(self, order: PaidOrder, step: CardPayment, cards: Mapping[str, Card]) -> Operation:
        """Note one step, or leave it to a person; return the operation that stands."""
        key, kind = _key(step), GIVEN_BACK if _gives_back(step) else SPEND
        snapshot = {
            "order_id": order.id,
            "order": order.name,
            "payment": step.id,
            "amount": pack_money(step.amount),
        }
        result = self._judge(order, step, cards)
        if isinstance(result, Result):
            return self.journal.record(
                key, kind=kind, snapshot=snapshot, result=result, due_at=self._look_again_at()
            )
        claimed = self.journal.claim(
            key, kind=kind, snapshot=snapshot, now=self.clock(), due_at=self._look_again_at()
        )
        if claimed.state is State.CLAIMED:
            self.park.park_operation(claimed, because=result)
        return self.journal.load(key) or claimed

    def _judge(
        self, order: PaidOrder, step: CardPayment, cards: Mapping[str, Card]
    ) -> Result | str:
        """What follows from a step, or why only a person can tell."""
        now = self.clock()
        what = f"{_what(step)} of {step.amount} in order {order.name}"
        if step.card_id is None:
            return f"Shopify does not tell which card the {what} is about"
        card = cards.get(step.card_id)
        if card is None:
            return f"Shopify does not know the card {step.card_id} of the {what}"
        if not self._is_ours(card):
            self.logger.info(
                "a card from before our time was used on the web",
                extra={"payment": step.id, "card": card.id},
            )
            return Result(outcome=HISTORICAL, decided_at=now)
        return self._result(order, step, card, now)

    def _result(self, order: PaidOrder, step: CardPayment, card: Card, now: datetime) -> Result:
        key, is_refund = _key(step), _gives_back(step)
        masked = mask(card.last4)
        name = (
            f"Test order {order.name}" if step.is_test or order.is_test else f"Order {order.name}"
        )
        if is_refund:
            outcome, action = RETURNED, Action.REFUND_ON_WEB
            message = f"{name} gave {step.amount} back to the card {masked}."
        else:
            outcome, action = SPENT, Action.SPEND_ON_WEB
            message = f"{name} was paid with {step.amount} of the card {masked}."
        receipt = Receipt(
            id=f"{key}#1",
            at=now,
            action=action,
            actor=f"web shop, order {order.name}",
            card=masked,
            amount=step.amount,
            balance_after=card.balance,
            outcome=ReceiptOutcome.DONE,
            operation=key,
            details=f"{outcome}: {message}",
        )
        row = OrderRow(
            name=f"{number_of(order.id)}/{number_of(step.id)}",
            cells={
                "Order": order.name,
                "Kind": "Refund" if is_refund else "Payment",
                "Status": ORDER_IS_DONE,
                "Amount": step.amount.decimal(),
                "Processed At": pack_moment(now),
                "Message": message,
            },
            cards=(card.id,),
        )
        return Result(
            outcome=outcome,
            decided_at=now,
            balance=card.balance,
            transaction_id=step.id,
            receipts=(receipt,),
            moved_card=card.id,
            moved=step.amount if is_refund else -step.amount,
            order_row=row,
        )

    def _hand_over(self, operations: Sequence[Operation]) -> None:
        """What leaves records goes to the writer in one message; the rest is only settled."""
        self.follow_up.hand_over_together([one for one in operations if _moved(one)])
        for one in operations:
            if not _moved(one):
                self.follow_up.hand_over(one)

    def _is_ours(self, card: Card) -> bool:
        return self.accept_historical or card.created_at >= self.live_from

    def _look_again_at(self) -> datetime:
        return self.clock() + timedelta(seconds=LOOK_AGAIN_SECONDS)


def _moved(operation: Operation) -> bool:
    return operation.result is not None and operation.result.moved_card is not None


def _gives_back(step: CardPayment) -> bool:
    return step.kind is PaymentKind.REFUND


def _what(step: CardPayment) -> str:
    return "refund" if _gives_back(step) else "payment"


def _key(step: CardPayment) -> str:
    return spend_key(number_of(step.id), gives_back=_gives_back(step))


def _cards_of(steps: Sequence[CardPayment]) -> list[str]:
    return list(dict.fromkeys(step.card_id for step in steps if step.card_id is not None))
