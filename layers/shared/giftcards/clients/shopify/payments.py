"""How gift cards paid an order: the steps of its payments, and which card each is about.

Shopify names the card in a step's receipt alone, which is "not a stable contract" and comes as an
object or as its text. A refund's receipt may leave the card out: then the receipt of the payment it
follows tells, and the one that this followed.

What a step is about says its **own** gateway. A refund in cash follows the card's payment too, and
gives nothing back to the card.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from giftcards.clients.shopify import replies
from giftcards.clients.shopify.graphql import GraphQL
from giftcards.domain.orders import CardPayment, PaidOrder, PaymentKind, number_of
from giftcards.errors import VendorSurprise

GIFT_CARD = "gift_card"
CARD_PREFIX = "gid://shopify/GiftCard/"

# Shopify cuts the list of an order's payments without a word, so a full one is asked for again, and
# longer. Each costs three points in advance: 60, 300, and 750 of the 1,000 that a question may.
STEPS_ASKED_FOR = (20, 100, 250)

# A refund follows a capture, which follows an authorisation. More than that is none we know.
MOST_PARENTS = 5


def read_payments(graphql: GraphQL, order_id: str) -> PaidOrder | None:
    """The steps by gift card that succeeded; None where there is no such order for us."""
    order = all_steps(graphql, order_id)
    if order is None:
        return None
    steps = replies.parts(order, "transactions")
    card_ids, parents = _cards_named(steps), _parents(steps)
    found = [
        _step(step, card_ids, parents)
        for step in steps
        if replies.words_or_none(step, "gateway") == GIFT_CARD
        and replies.text(step, "status") == "SUCCESS"
    ]
    return PaidOrder(
        id=replies.text(order, "id"),
        name=replies.text(order, "name"),
        updated_at=replies.moment(order, "updatedAt"),
        is_test=replies.flag(order, "test"),
        steps=tuple(sorted(found, key=_place)),
    )


def all_steps(graphql: GraphQL, order_id: str) -> replies.Json | None:
    """An order with every step of its payments; raises `VendorSurprise` where there are too many.

    None where there is no such order for us.
    """
    for count in STEPS_ASKED_FOR:
        answer = graphql.ask("read_payments", {"id": order_id, "count": count})
        order = replies.part_or_none(answer.data, "order")
        if order is None or len(replies.entries(order, "transactions")) < count:
            return order
    raise VendorSurprise(
        f"{order_id} has {STEPS_ASKED_FOR[-1]} payments or more, and Shopify shows no more of them:"
        " look at it in Shopify's admin"
    )


def time_of(step: replies.Json) -> datetime:
    """When a step of a payment was made: Shopify may leave out when it was processed."""
    is_processed = step.get("processedAt") is not None
    return replies.moment(step, "processedAt" if is_processed else "createdAt")


def _step(
    step: replies.Json, card_ids: Mapping[str, str], parents: Mapping[str, str]
) -> CardPayment:
    step_id = replies.text(step, "id")
    return CardPayment(
        id=step_id,
        kind=_kind(step),
        amount=replies.money(replies.part(step, "amountSet"), "shopMoney"),
        processed_at=time_of(step),
        parent_id=parents.get(step_id),
        card_id=_card_of(step_id, card_ids, parents),
        is_test=replies.flag(step, "test"),
    )


def _kind(step: replies.Json) -> PaymentKind:
    word = replies.text(step, "kind")
    try:
        return PaymentKind(word)
    except ValueError:
        raise VendorSurprise(
            f"{replies.text(step, 'id')} is a {word} by gift card, which we don't know"
        ) from None


def _place(step: CardPayment) -> tuple[datetime, int, str]:
    """Steps of the same second go by their numbers, which grow."""
    number = number_of(step.id)
    return step.processed_at, int(number) if number.isdecimal() else 0, step.id


def _parents(steps: Sequence[replies.Json]) -> dict[str, str]:
    """Which step each step follows, by their ids."""
    return {
        replies.text(step, "id"): replies.text(parent, "id")
        for step in steps
        if (parent := replies.part_or_none(step, "parentTransaction")) is not None
    }


def _cards_named(steps: Sequence[replies.Json]) -> dict[str, str]:
    """The cards that receipts name, by the step: of the steps, and of those they follow."""
    named: dict[str, str] = {}
    for step in steps:
        for one in (step, replies.part_or_none(step, "parentTransaction")):
            if one is None or replies.words_or_none(one, "gateway") != GIFT_CARD:
                continue
            card_id = _card_in(one.get("receiptJson"))
            if card_id is not None:
                named[replies.text(one, "id")] = card_id
    return named


def _card_of(step_id: str, card_ids: Mapping[str, str], parents: Mapping[str, str]) -> str | None:
    """The card of a step: its own receipt first, then those of the steps it follows."""
    at: str | None = step_id
    for _ in range(MOST_PARENTS):
        if at is None or at in card_ids:
            break
        at = parents.get(at)
    return None if at is None else card_ids.get(at)


def _card_in(receipt: object) -> str | None:
    """The global id of the card in a receipt, an object or its text; None where it names none."""
    if isinstance(receipt, str):
        try:
            receipt = json.loads(receipt)
        except ValueError:
            return None
    number = receipt.get("gift_card_id") if isinstance(receipt, dict) else None
    if isinstance(number, bool) or not isinstance(number, int | str):
        return None
    text = str(number).removeprefix(CARD_PREFIX)
    return f"{CARD_PREFIX}{text}" if re.fullmatch(r"[1-9][0-9]*", text) else None
