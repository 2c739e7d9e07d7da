"""Issue the cards of a sale: a slice at a time, each card once, whatever stops a worker.

    sale CLAIMED ─► its next cards, up to a slice ─► to the end of the line ─► … ─► sale COMMITTED
                         │
        claim ─► create at Shopify ─► index, mirror ─► commit

A unit of a web order that is refunded before its card is made never gets one: its operation ends
without a card, and the sale goes on without it.

Making a card can be repeated safely, because its code is worked out from the operation and a code
exists once for ever: the second try gets the same card or hears that the code is taken. "Taken" is
ours until a card with *another* note is found; while the search finds nothing it lags, and another
code would be a second card. Only for a foreign card the next counter is noted, before its code is
tried. What is not found within the hour is left to a person.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import assert_never

from aws_lambda_powertools import Logger

from giftcards.clients.airtable import ROW_IS_DONE
from giftcards.clients.code_maker import CodeMaker
from giftcards.clients.shopify import Shopify
from giftcards.domain.cards import Card, CodeTaken, Created, CreateRefused, NotedCard
from giftcards.domain.codes import mask
from giftcards.errors import GiftCardError, NeedsAPerson, VendorSurprise
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import return_key
from giftcards.flows.look_up import LookUp
from giftcards.flows.park import FAILURES_TO_BE_PARKED, Park
from giftcards.flows.sale import (
    CONFIRMATION,
    DELIVERY,
    DROPPED,
    ISSUE,
    ISSUED,
    SALE,
    Sale,
    confirmation_key,
    delivery_key,
)
from giftcards.receipts import Receipt, ReceiptOutcome
from giftcards.store.cards import About, Cards
from giftcards.store.control import Control
from giftcards.store.journal import Journal, Next, Operation, Result, RowWrite, State
from giftcards.store.queues import Queues
from giftcards.store.table import pack_moment

# So many cards are made before the next sale has its turn: some seconds of work.
CARDS_A_TURN = 10

# A sale that is being worked on is not taken for left behind; its turns come seconds apart.
LOOK_AGAIN_SECONDS = 300

# A code that is taken and not found: how soon the search is asked again, and for how long at most.
SEARCH_AGAIN_SECONDS = 30
SEARCH_FOR = timedelta(hours=1)

# The queue has one line for all sales, and while a turn that failed stays away (2, 5, 15 s), so do
# the others. After so many failures in a row the sweep takes the card up again.
FAILURES_IN_A_ROW = 4
FAILED_AGAIN_SECONDS = 60

# Two foreign cards with codes of ours in a row would be a wonder; three are a broken key.
MOST_FOREIGN_CODES = 3

# A card's creation may wait 15 s for Shopify's points and takes up to the time-out of a call; a
# search may follow it. With less time left, the next turn goes on.
SECONDS_FOR_A_CARD = 30


@dataclass(frozen=True, kw_only=True)
class IssueCards:
    """Makes the cards of sales; every method may be called again at any moment."""

    journal: Journal
    control: Control
    shopify: Shopify
    cards: Cards
    codes: CodeMaker
    look_up: LookUp
    follow_up: FollowUp
    queues: Queues
    park: Park
    logger: Logger
    clock: Callable[[], datetime]

    def take_turn(self, key: str, *, deadline: datetime) -> None:
        """Make the next cards of a sale, or go on with one card; close a sale once all are there.

        Raises `TryAgain` where Shopify could not be reached: the turn is then taken again.
        """
        operation = self.journal.load(key)
        if operation is None:
            raise NeedsAPerson(f"{key} is not in the journal")
        if operation.kind == ISSUE:
            if self.control.switch().is_running:
                self.finish(operation)
            return
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)
        if operation.state is not State.CLAIMED or not self.control.switch().is_running:
            return  # closed, parked, or paused: the sweep comes back to what is left
        self.journal.postpone(
            operation, due_at=self.clock() + timedelta(seconds=LOOK_AGAIN_SECONDS)
        )
        self._take_turn(operation, Sale.of(operation), deadline)

    def finish(self, operation: Operation) -> Operation:
        """Go on with one card that was left half made; the sale is looked at once it is there."""
        if operation.state is State.CLAIMED:
            sale_operation = self.journal.load(operation.snapshot["sale"])
            if sale_operation is None:
                raise NeedsAPerson(f"the sale of {operation.key} is not in the journal")
            operation = self._try_to_make(operation, Sale.of(sale_operation))
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)
            self.queues.issue_cards(operation.snapshot["sale"])
        return operation

    def _take_turn(self, operation: Operation, sale: Sale, deadline: datetime) -> None:
        known = self.journal.load_many(sale.issue_keys)
        finished = {one.key for one in known.values() if one.result is not None}
        # Whoever died after the outcome and before handing it over left it to the next turn.
        made = [one for one in known.values() if one.state is State.COMMITTED]
        # Those that were begun and wait for the search come last, so that they hold up nobody.
        fresh = [key for key in sale.issue_keys if key not in known]
        begun = [one.key for one in known.values() if one.state is State.CLAIMED]
        reserve = timedelta(seconds=SECONDS_FOR_A_CARD)
        tried = 0
        try:
            for key in [*fresh, *begun][:CARDS_A_TURN]:
                if self.clock() + reserve >= deadline:
                    break
                tried += 1
                card = self._try_to_make(self._claim(key, operation, known), sale)
                if card.result is not None:
                    finished.add(key)
                if card.state is State.COMMITTED:
                    made.append(card)
        finally:
            self.follow_up.hand_over_together(made)
        count = len(finished)
        if self.journal.note_progress(operation, made=count) and sale.order is None:
            self.queues.write_operation(operation.key)
        if count == sale.quantity:
            self._close(operation, sale)
        elif len(fresh) > tried:
            self.queues.issue_cards(operation.key)

    def _claim(
        self, key: str, sale_operation: Operation, known: Mapping[str, Operation]
    ) -> Operation:
        if key in known:
            return known[key]
        now = self.clock()
        return self.journal.claim(
            key,
            kind=ISSUE,
            snapshot={"sale": sale_operation.key},
            now=now,
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )

    def _try_to_make(self, operation: Operation, sale: Sale) -> Operation:
        """Make one card; let one that cannot be made hold up the other sales only for a while.

        Raises what went wrong, so that the turn is taken again soon; but after some failures in a
        row the card is left to the sweep. One of which Shopify said what nobody can explain is left
        to a person in the end.
        """
        try:
            return self._make(operation, sale)
        except GiftCardError as error:
            later = self.clock() + timedelta(seconds=FAILED_AGAIN_SECONDS)
            failures = self.journal.note_failure(operation, due_at=later)
            if isinstance(error, VendorSurprise) and failures >= FAILURES_TO_BE_PARKED:
                self.park.park_operation(operation, because=str(error))
            elif failures % FAILURES_IN_A_ROW:
                raise
            self.logger.exception(
                "a card cannot be made now",
                extra={"operation": operation.key, "failures": failures},
            )
            return self.journal.load(operation.key) or operation

    def _make(self, operation: Operation, sale: Sale) -> Operation:
        """Make one card, or find the one that an earlier try has made."""
        operation = self._with_key(operation)
        for _ in range(MOST_FOREIGN_CODES):
            if operation.state is not State.CLAIMED:
                return operation  # somebody else was first
            code = self.codes.code_for(
                operation.key, operation.counter, operation.key_version or ""
            )
            reply = self.shopify.create_card(
                code=code,
                amount=sale.amount,
                reference=operation.key,
                expires_on=sale.expires_on,
            )
            match reply:
                case Created():
                    card: Card | None = reply.card
                case CodeTaken():
                    noted = self.shopify.find_created(code)
                    if noted is None or _was_renamed(noted, operation):
                        return self._make_none_yet(operation, noted)
                    card = _if_ours(noted, operation, sale)
                case CreateRefused() if self._is_given_back(operation, sale):
                    return self._drop(operation)
                case CreateRefused():
                    self.park.park_operation(
                        operation,
                        because=f"Shopify made no card: {reply.message} ({reply.code})",
                    )
                    return self.journal.load(operation.key) or operation
                case _:
                    assert_never(reply)
            if card is not None:
                self.look_up.remember(code, card_id=card.id)
                return self._commit(operation, sale, card)
            self.logger.warning("a code is a foreign card's", extra={"operation": operation.key})
            operation = self.journal.next_counter(operation)
        self.park.park_operation(operation, because="code after code belongs to foreign cards")
        return self.journal.load(operation.key) or operation

    def _make_none_yet(self, operation: Operation, noted: NotedCard | None) -> Operation:
        """The code is taken by a card that cannot be found yet, or is ours as far as we can tell.

        Another card would be one too many.
        """
        if noted is None:
            return self._search_later(operation)
        self.park.park_operation(
            operation,
            because=(
                f"the card {noted.card.id} has the code of this one and was made since, but its"
                f" note is not {operation.key}: if somebody changed the note in Shopify's admin,"
                " write that there again, then retry"
            ),
        )
        return self.journal.load(operation.key) or operation

    def _is_given_back(self, operation: Operation, sale: Sale) -> bool:
        """Whether the unit of a web order is refunded, so that nobody waits for its card."""
        if sale.order is None:
            return False
        unit = int(operation.key.rpartition("#")[2])
        return self.journal.load(return_key(sale.line, unit)) is not None

    def _drop(self, operation: Operation) -> Operation:
        """No card was made, and none is wanted any more."""
        now = self.clock()
        return self.journal.commit(
            operation,
            Result(outcome=DROPPED, decided_at=now),
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )

    def _with_key(self, operation: Operation) -> Operation:
        """Note by which key the card's code is worked out, before it is: a later key changes it."""
        if operation.key_version is not None or operation.state is not State.CLAIMED:
            return operation
        return self.journal.note_key_version(operation, self.codes.newest_key_version)

    def _search_later(self, operation: Operation) -> Operation:
        now = self.clock()
        if now - operation.claimed_at < SEARCH_FOR:
            self.journal.postpone(operation, due_at=now + timedelta(seconds=SEARCH_AGAIN_SECONDS))
            return operation
        self.park.park_operation(
            operation,
            because="Shopify says that the card's code is taken, and finds no such card",
        )
        return self.journal.load(operation.key) or operation

    def _commit(self, operation: Operation, sale: Sale, card: Card) -> Operation:
        now = self.clock()
        self.cards.describe(
            card.id,
            About(
                operation=operation.key,
                owner=sale.recipient_name,
                owner_email=sale.recipient_email,
                source=sale.source,
                store_id="" if sale.store is None else sale.store.id,
                theme=sale.theme,
                kind=sale.kind,
            ),
        )
        receipt = Receipt(
            id=f"{operation.key}#1",
            at=now,
            action=sale.action,
            actor=sale.seller,
            card=mask(card.last4),
            amount=sale.amount,
            balance_after=sale.amount,
            outcome=ReceiptOutcome.DONE,
            operation=operation.key,
            details=f"{ISSUED}: a card was made ({sale.kind}).",
        )
        result = Result(
            outcome=ISSUED,
            decided_at=now,
            balance=sale.amount,
            receipts=(receipt,),
            moved_card=card.id,
        )
        return self.journal.commit(
            operation, result, due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS)
        )

    def _close(self, operation: Operation, sale: Sale) -> None:
        """All cards are there: the row says so, and they are on their way to their owners."""
        now = self.clock()
        known = self.journal.load_many(sale.issue_keys)
        results = [known[key].result for key in sale.issue_keys]
        cards = tuple(result.moved_card for result in results if result and result.moved_card)
        is_for_later = sale.send_at is not None and sale.send_at > now
        result = Result(
            outcome=ISSUED if cards else DROPPED,
            decided_at=now,
            row=_row(sale, cards, now) if sale.order is None else None,
            # A mail that has to wait is told of now; one that goes out at once is told of after it.
            mail_to=sale.store_email if is_for_later else None,
            purchase=sale.order_number,
            follows=_what_follows(sale, now) if cards else (),
        )
        closed = self.journal.commit(
            operation, result, due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS)
        )
        if closed.state is State.COMMITTED:
            self.follow_up.hand_over(closed)


def _was_renamed(noted: NotedCard, operation: Operation) -> bool:
    """Whether an earlier try made this card, though its note says something else.

    Nobody else hits on our code once we have worked it out. Shopify tells when a card was made to
    the second.
    """
    since = operation.claimed_at.replace(microsecond=0)
    return noted.note != operation.key and noted.card.created_at >= since


def _if_ours(noted: NotedCard, operation: Operation, sale: Sale) -> Card | None:
    """The card that an earlier try has made; `None` for somebody else's.

    Raises `VendorSurprise` where Shopify made another one than that try asked for.
    """
    if noted.note != operation.key:
        return None
    card = noted.card
    if card.initial_value != sale.amount or card.expires_on != sale.expires_on:
        raise VendorSurprise(
            f"Shopify made the card {card.id} for {operation.key} with another value or last day"
            " than we asked for: look at it in Shopify's admin before anybody gets it"
        )
    return card


def _row(sale: Sale, cards: tuple[str, ...], now: datetime) -> RowWrite:
    """How the row of a store's request reads once its cards are made."""
    is_for_later = sale.send_at is not None and sale.send_at > now
    return RowWrite(
        table="Creation Requests",
        record_id=sale.row_id,
        cells={
            "Status": ROW_IS_DONE,
            "Outcome": ISSUED,
            "Processed At": pack_moment(now),
            "Message": _made(sale, send_on=sale.send_on if is_for_later else None),
        },
        link_field="Gift Cards",
        cards=cards,
    )


def _made(sale: Sale, *, send_on: date | None) -> str:
    """What the row says; `send_on` is the day that the mail waits for, if it does."""
    to = sale.recipient_email
    if sale.quantity == 1:
        made, goes, is_going = "The card is made.", "It goes", "It is on its way"
    else:
        made, goes, is_going = (
            f"All {sale.quantity} cards are made.",
            "They go",
            "They are on their way",
        )
    if send_on is None:
        return f"{made} {is_going} to {to}."
    return f"{made} {goes} to {to} on {send_on.isoformat()}."


def _what_follows(sale: Sale, now: datetime) -> tuple[Next, ...]:
    """The cards go to their recipient, and whoever bought a gift hears where it goes, at once."""
    sale_ref = {"sale": f"{SALE}#{sale.row_id}", "row_id": sale.row_id, "resend": 0}
    to_recipient = Next(
        key=delivery_key(sale.row_id),
        kind=DELIVERY,
        snapshot=sale_ref | {"name": sale.recipient_name, "email": sale.recipient_email},
        due_at=sale.send_at or now,
    )
    if not sale.is_gift or not sale.purchaser_email:
        return (to_recipient,)
    to_purchaser = Next(
        key=confirmation_key(sale.row_id),
        kind=CONFIRMATION,
        snapshot=sale_ref | {"name": sale.purchaser_name, "email": sale.purchaser_email},
        due_at=now,
    )
    return (to_recipient, to_purchaser)
