"""Freeze a card: no store charges it until it is released.

Shopify knows no such thing: it can only deactivate a card, which cannot be undone, and stays the
office's decision. So a disputed or stolen card is frozen on our side, and the web shop still takes
it.

    freeze, or release ─► noted on the card ─► receipt, Airtable

Whoever is stopped in between does the same again: the card is not frozen twice, and what was noted
gets its receipt.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from giftcards.clients.shopify import Shopify
from giftcards.domain.codes import mask
from giftcards.domain.hiding import hide_codes
from giftcards.domain.orders import number_of
from giftcards.errors import NeedsAPerson
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import FREEZE, freeze_key
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.cards import Cards, Freezing
from giftcards.store.journal import Journal, Operation, Result, State

# How such an operation ends.
FROZEN = "FROZEN"
RELEASED = "RELEASED"

GIFT_CARD = "gid://shopify/GiftCard/"

# A receipt's details hold a sentence, not a file.
LONGEST_REASON = 200

# How soon somebody looks after a note whose worker died before handing it over.
LOOK_AGAIN_SECONDS = 15


def global_id(card: str) -> str:
    """Shopify's global id of a card that a person names by it, or by its number.

    Raises `NeedsAPerson` for anything else.
    """
    number = card.strip().removeprefix(GIFT_CARD)
    if not (number.isascii() and number.isdigit()):
        raise NeedsAPerson(
            "a card goes by Shopify's number, as in the address of its page in the admin and in"
            f" Airtable's Shopify ID ({GIFT_CARD}…): never by its code"
        )
    return f"{GIFT_CARD}{number}"


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """Freezes and releases cards. Doing it again changes nothing, and finishes what was begun."""

    shopify: Shopify
    journal: Journal
    cards: Cards
    follow_up: FollowUp
    clock: Callable[[], datetime]

    def freeze(self, card_id: str, *, by: str, because: str) -> Freezing:
        """Freeze a card; return how it stands, which may be as somebody froze it before.

        Raises `NeedsAPerson` where Shopify has no such card.
        """
        masked = self._begin(card_id)
        reason = _sentence(because)
        freezing = self.cards.freeze(card_id, by=by, because=reason, at=self.clock())
        self._record(card_id, masked, freezing)
        return freezing

    def release(self, card_id: str, *, by: str, because: str) -> Freezing | None:
        """Release a frozen card; return how it stands, `None` where it never was frozen."""
        masked = self._begin(card_id)
        reason = _sentence(because)
        freezing = self.cards.release(card_id, by=by, because=reason, at=self.clock())
        if freezing is not None:
            self._record(card_id, masked, freezing)
        return freezing

    def _begin(self, card_id: str) -> str:
        """The masked card. What was noted last, and whose worker died then, gets its receipt."""
        card = self.shopify.read_card(card_id)
        if card is None:
            raise NeedsAPerson(f"Shopify has no card {card_id}")
        masked = mask(card.last4)
        before = self.cards.freezing(card_id)
        if before is not None:
            self._record(card_id, masked, before)
        return masked

    def _record(self, card_id: str, masked: str, freezing: Freezing) -> Operation:
        """Leave its receipt, once, and have Airtable show the card as it is now."""
        key = freeze_key(number_of(card_id), freezing.number)
        outcome = FROZEN if freezing.is_frozen else RELEASED
        says = (
            "stores do not take the card until it is released"
            if freezing.is_frozen
            else "stores take the card again"
        )
        because = f" ({freezing.because})" if freezing.because else ""
        receipt = Receipt(
            id=f"{key}#1",
            at=freezing.at,
            action=Action.FREEZE if freezing.is_frozen else Action.RELEASE_CARD,
            actor=freezing.by,
            card=masked,
            amount=None,
            balance_after=None,
            outcome=ReceiptOutcome.DONE,
            operation=key,
            details=f"{outcome}: {says}{because}.",
        )
        operation = self.journal.record(
            key,
            kind=FREEZE,
            snapshot={"card": card_id},
            result=Result(
                outcome=outcome,
                decided_at=freezing.at,
                reason=freezing.because,
                receipts=(receipt,),
                moved_card=card_id,
            ),
            due_at=self.clock() + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)
        return operation


def _sentence(because: str) -> str:
    """A reason as people typed it, on one line, with no code in it."""
    return hide_codes(" ".join(because.split())[:LONGEST_REASON]).rstrip(".")
