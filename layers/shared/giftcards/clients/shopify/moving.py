"""Move money on a card, find out afterwards whether it moved, and take a card out of use.

Debits and credits are not idempotent: each is sent once, with our reference as its note, and
`find_movement` tells afterwards whether it was applied. Taking a card out of use twice changes
nothing, so that may be repeated.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from giftcards.clients.shopify import replies
from giftcards.clients.shopify.graphql import GraphQL
from giftcards.clients.shopify.points import Room
from giftcards.domain.cards import (
    Credited,
    CreditRefused,
    CreditReply,
    Deactivated,
    DeactivateRefused,
    DeactivateReply,
    Debited,
    DebitRefused,
    DebitReply,
    InsufficientFunds,
    Movement,
)
from giftcards.domain.money import Money
from giftcards.errors import SafeToRepeat, Unconfirmed, VendorSurprise

# A page of transactions costs its size in points; few cards have moved more often than this.
MOVEMENTS_PER_PAGE = 100

# Far more than any card has (a staff card used daily for years); beyond it a person looks, because
# "not found" must never mean "not looked for".
MOST_MOVEMENT_PAGES = 50

# Our clock and Shopify's differ by seconds at the worst. A reference belongs to one operation, so
# looking back too far finds nothing wrong, while looking back too little would miss a movement.
CLOCK_SKEW_MARGIN = timedelta(minutes=10)

NOT_FOUND = "GIFT_CARD_NOT_FOUND"


def debit(
    graphql: GraphQL, card_id: str, *, amount: Money, reference: str, room: Room | None
) -> DebitReply:
    """Take `amount` (positive) off a card, once."""
    variables: Mapping[str, object] = {
        "id": card_id,
        "debit": {"debitAmount": _input(amount), "note": reference},
    }
    answer = graphql.change("debit_card", variables, room=room)
    try:
        payload = replies.part(answer.data, "giftCardDebit")
        return _read_debit(payload, amount)
    except VendorSurprise as surprise:
        raise Unconfirmed(f"A debit's answer cannot be read: {surprise}") from surprise


def credit(
    graphql: GraphQL, card_id: str, *, amount: Money, reference: str, room: Room | None
) -> CreditReply:
    """Put `amount` (positive) onto a card, once."""
    variables: Mapping[str, object] = {
        "id": card_id,
        "credit": {"creditAmount": _input(amount), "note": reference},
    }
    answer = graphql.change("credit_card", variables, room=room)
    try:
        payload = replies.part(answer.data, "giftCardCredit")
        return _read_credit(payload, amount)
    except VendorSurprise as surprise:
        raise Unconfirmed(f"A credit's answer cannot be read: {surprise}") from surprise


def find_movement(
    graphql: GraphQL, card_id: str, *, reference: str, amount: Money, since: datetime
) -> Movement | None:
    """The movement of `amount` (signed) with `reference` as its note since `since`, or None.

    A movement the other way is not looked at, and one of another amount is a `VendorSurprise`.
    """
    earliest = since - CLOCK_SKEW_MARGIN
    for page in _pages(graphql, card_id):
        for movement in page:
            is_ours = movement.note == reference and movement.processed_at >= earliest
            if not is_ours or movement.amount.minor * amount.minor <= 0:
                continue
            if movement.amount != amount:
                raise VendorSurprise(
                    f"{movement.id} carries our reference {reference}, but is {movement.amount}"
                    f" and not {amount}: compare it with the receipt"
                )
            return movement
    return None


def movements(graphql: GraphQL, card_id: str, *, since: datetime) -> list[Movement]:
    """What moved on a card at `since` or later, and in the ten minutes before; newest first.

    Whoever writes a movement may date it back, so reading ends behind a whole page of older ones.
    """
    earliest = since - CLOCK_SKEW_MARGIN
    found: list[Movement] = []
    for page in _pages(graphql, card_id):
        recent = [movement for movement in page if movement.processed_at >= earliest]
        found += recent
        if not recent:
            break
    return found


def deactivate(graphql: GraphQL, card_id: str, *, within_seconds: float) -> DeactivateReply:
    """Take a card out of use for ever; a card that is so already is left alone.

    What Shopify answers the second time was never seen, so the card is read first.
    """
    found = replies.part_or_none(graphql.ask("read_card", {"id": card_id}).data, "giftCard")
    if found is None:
        return DeactivateRefused(NOT_FOUND, "There is no such card.")
    card = replies.card(found)
    if card.deactivated_at is not None:
        return Deactivated(card)
    variables = {"id": card_id}
    try:
        with graphql.room_for("deactivate_card", variables, within_seconds=within_seconds) as room:
            answer = graphql.change("deactivate_card", variables, room=room)
    except Unconfirmed as unknown:
        raise SafeToRepeat(
            f"Nobody knows whether a card was taken out of use: {unknown}"
        ) from unknown
    try:
        return _read_deactivated(replies.part(answer.data, "giftCardDeactivate"))
    except VendorSurprise as surprise:
        # The next try reads the card first, and sees what came of this one.
        raise SafeToRepeat(f"The answer about a card cannot be read: {surprise}") from surprise


def _input(amount: Money) -> Mapping[str, str]:
    return {"amount": f"{amount.decimal():f}", "currencyCode": amount.currency}


def _pages(graphql: GraphQL, card_id: str) -> Iterator[list[Movement]]:
    """Every page of a card's transactions, the newest first in each."""
    before: str | None = None
    for _ in range(MOST_MOVEMENT_PAGES):
        variables = {"id": card_id, "pageSize": MOVEMENTS_PER_PAGE, "before": before}
        card = replies.part(graphql.ask("card_movements", variables).data, "giftCard")
        page = replies.part(card, "transactions")
        yield [replies.movement(node) for node in reversed(replies.parts(page, "nodes"))]
        place = replies.part(page, "pageInfo")
        if not replies.flag(place, "hasPreviousPage"):
            return
        before = replies.text(place, "startCursor")
    raise VendorSurprise(
        f"{card_id} has more than {MOST_MOVEMENT_PAGES * MOVEMENTS_PER_PAGE} transactions:"
        " look through them in Shopify's admin"
    )


def _read_debit(payload: replies.Json, amount: Money) -> DebitReply:
    """The third layer of errors, `userErrors`, or what the debit made."""
    refusals = replies.parts(payload, "userErrors")
    if refusals:
        refusal = refusals[0]
        code = replies.text_or_none(refusal, "code")
        if code == "INSUFFICIENT_FUNDS":
            return InsufficientFunds()
        if code is None or code == "INTERNAL_ERROR":
            raise Unconfirmed(f"Shopify failed inside while debiting ({code})")
        return DebitRefused(code=code, message=replies.text(refusal, "message"))
    made = replies.part(payload, "giftCardDebitTransaction")
    moved = replies.money(made, "amount")
    if moved != -amount:
        raise VendorSurprise(f"Shopify debited {moved} and not {-amount}")
    balance = replies.money(replies.part(made, "giftCard"), "balance")
    return Debited(transaction_id=replies.text(made, "id"), balance_after=balance)


def _read_deactivated(payload: replies.Json) -> DeactivateReply:
    """The third layer of errors, `userErrors`, or the card as it is now."""
    refusals = replies.parts(payload, "userErrors")
    if refusals:
        code = replies.text_or_none(refusals[0], "code")
        if code is None:
            raise VendorSurprise("Shopify refused without a code")
        return DeactivateRefused(code=code, message=replies.text(refusals[0], "message"))
    card = replies.card(replies.part(payload, "giftCard"))
    if card.deactivated_at is None:
        raise VendorSurprise(f"{card.id} reads as in use")
    return Deactivated(card)


def _read_credit(payload: replies.Json, amount: Money) -> CreditReply:
    """The third layer of errors, `userErrors`, or what the credit made."""
    refusals = replies.parts(payload, "userErrors")
    if refusals:
        refusal = refusals[0]
        code = replies.text_or_none(refusal, "code")
        if code is None or code == "INTERNAL_ERROR":
            raise Unconfirmed(f"Shopify failed inside while crediting ({code})")
        return CreditRefused(code=code, message=replies.text(refusal, "message"))
    made = replies.part(payload, "giftCardCreditTransaction")
    moved = replies.money(made, "amount")
    if moved != amount:
        raise VendorSurprise(f"Shopify credited {moved} and not {amount}")
    balance = replies.money(replies.part(made, "giftCard"), "balance")
    return Credited(transaction_id=replies.text(made, "id"), balance_after=balance)
