"""Sales: a store asks for cards, they are made at Shopify and sent to whom they are for."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from giftcards.domain.deliveries import DeliveryKind
from giftcards.flows.kinds import RETURN
from giftcards.flows.sale import (
    CONFIRMATION,
    DELIVERY,
    DROPPED,
    ISSUE,
    ISSUED,
    SALE,
    Sale,
    sale_key,
)
from sandbox.shopify import GiftCard
from simulator.faults import HOUR, SECOND, Kind
from simulator.stories import redeeming
from simulator.stories.redeeming import double_records, void, write_over
from simulator.stories.story import Act, Promise, Settle, Story

if TYPE_CHECKING:
    from simulator.world import World

# The amount that somebody puts in the place of the first request's.
WRITTEN_OVER = 26

ROSA = "rosa@example.com"
TOM = "tom@example.com"


def sell(world: "World", **cells: object) -> str:
    """A store files a creation request now; returns the row's id."""
    row: dict[str, object] = {
        "Store": [world.stores[0]],
        "Employee": "Ana",
        "Amount": 25,
        "Recipient Name": "Rosa",
        "Recipient Email": ROSA,
    }
    row |= {name.replace("_", " "): value for name, value in cells.items()}
    row_id = world.base.submit_form("Creation Requests", row)["id"]
    world.requested.append(row_id)
    return row_id


def edit_request(world: "World") -> None:
    """Somebody corrects the amount of the first request, unless that was done before."""
    write_over(world.base.table("Creation Requests"), world.requested[:1], WRITTEN_OVER)


def delete_request(world: "World") -> None:
    """Somebody throws the first request away."""
    table = world.base.table("Creation Requests")
    if world.requested and world.requested[0] in table.record_ids():
        table.delete(world.requested[0])
        world.deleted.add(world.requested[0])


ACCIDENTS: dict[Kind, Act] = {
    Kind.ROW_EDITED: edit_request,
    Kind.ROW_DELETED: delete_request,
    Kind.RECORD_DOUBLED: double_records,
}

# ------------------------------------------------------------------------------------ the stories


def one_card(world: "World", chance: Random) -> None:
    """One card for Rosa."""
    del chance
    sell(world)


def a_gift_of_two(world: "World", chance: Random) -> None:
    """Two cards for Rosa, a gift of Tom's, who is told."""
    del chance
    sell(
        world,
        Quantity=2,
        Is_Gift=True,
        Purchaser_Name="Tom",
        Purchaser_Email=TOM,
        Gift_Message="With love",
        Theme="Wedding",
    )


def for_tomorrow(world: "World", chance: Random) -> None:
    """A card that is to be sent tomorrow."""
    del chance
    sell(world, Send_On="2026-11-24")


def too_dear(world: "World", chance: Random) -> None:
    """A card above the cap: the office approves it."""
    del chance
    sell(world, Amount=600)


def beside_a_redemption(world: "World", chance: Random) -> None:
    """Cards are made while a customer waits at a counter."""
    redeeming.issue(world)
    sell(world, Quantity=2, Amount=10)
    world.arrange(chance.randrange(8 * SECOND), lambda: void(redeeming.file(world)))


def a_day(world: "World", chance: Random) -> None:
    """An hour of sales and redemptions."""
    redeeming.a_day(world, chance)
    for number in range(chance.randint(3, 8)):
        at, quantity = chance.randrange(HOUR), chance.choice((1, 1, 2, 12))
        address = f"customer{number}@example.com"
        world.arrange(at, partial(sell, world, Quantity=quantity, Recipient_Email=address))


STORIES: Mapping[str, Story] = {
    "sell": Story(words="A store sells a card of 25 to Rosa.", begin=one_card, accidents=ACCIDENTS),
    "sell-gift": Story(
        words="A store sells two cards to Tom, as a gift for Rosa.",
        begin=a_gift_of_two,
        accidents=ACCIDENTS,
    ),
    "sell-for-tomorrow": Story(
        words="A store sells a card that is to be sent tomorrow.",
        begin=for_tomorrow,
        accidents=ACCIDENTS,
        longest=60 * HOUR,
    ),
    "sell-held": Story(
        words="A store sells a card above the cap; the office approves it.",
        begin=too_dear,
        accidents=ACCIDENTS,
        is_approved=True,
    ),
    "sell-and-redeem": Story(
        words="A store redeems 10 of a card while two cards are made for somebody else.",
        begin=beside_a_redemption,
        accidents=redeeming.ACCIDENTS,
        is_pair=True,
    ),
    "sell-day": Story(
        words="An hour in which two stores file dozens of redemptions, and sell some cards.",
        begin=a_day,
        is_day=True,
        longest=40 * HOUR,
    ),
}

# ---------------------------------------------------------------------------------- the promises


def one_card_a_unit(world: "World") -> Iterator[str]:
    """Every unit that was sold became one card of its value, sent to the address it was for."""
    made: dict[str, list[GiftCard]] = {}
    for card in world.shop.cards:
        if card.note is not None and card.note.startswith(f"{ISSUE}#"):
            made.setdefault(card.note, []).append(card)
            if card.note not in world.operations:
                yield f"{card.id} was made for {card.note}, of which the journal does not know"
    for operation in world.operations.values():
        result = operation.result
        if operation.kind == SALE and result is not None and result.outcome == ISSUED:
            for key in Sale.of(operation).issue_keys:
                yield from _is_one_card(world, Sale.of(operation), key, made.get(key, []))


def _is_one_card(world: "World", sale: Sale, key: str, cards: Sequence[GiftCard]) -> Iterator[str]:
    """A unit is one card that went to the right address; none where it was given back first."""
    if _was_dropped(world, key):
        if cards:
            yield f"{key} was given back before it was made, and was made"
        return
    if len(cards) != 1 or cards[0].initial_value != sale.amount.decimal():
        values = [card.initial_value for card in cards]
        yield f"{key} was sold once, for {sale.amount}, and became {values}"
    codes = [card.code for card in cards]
    yield from _is_delivered(world, sale, codes, is_needed=not _is_returned(world, key))


def receipts_of_sales(world: "World") -> Iterator[str]:
    """Every card that was made, and every mail that went out for it, has one receipt."""
    for operation in world.operations.values():
        if operation.kind in {ISSUE, DELIVERY, CONFIRMATION} and operation.result is not None:
            count = len(operation.result.receipts)
            # Of a unit that was given back before its card was made, its return tells.
            if count != (operation.result.outcome != DROPPED):
                yield f"{operation.key} is {operation.result.outcome} and has {count} receipts"


def _was_dropped(world: "World", key: str) -> bool:
    """Whether a unit was given back before anybody had begun to make its card."""
    issue = world.operations.get(key)
    return issue is not None and issue.result is not None and issue.result.outcome == DROPPED


def _is_returned(world: "World", key: str) -> bool:
    """Whether the unit of a card was given back, so that its card need not be sent any more."""
    return key.replace(f"{ISSUE}#", f"{RETURN}#", 1) in world.operations


def _is_delivered(
    world: "World", sale: Sale, codes: list[str], *, is_needed: bool
) -> Iterator[str]:
    """Each code went to the address it was for, once, and to nobody else."""
    told = [
        (event.email, _plain(repr(event.properties)))
        for event in world.klaviyo.events
        if event.metric == DeliveryKind.CARDS_DELIVERED.value
    ]
    again = set(world.sent_again.values())
    for code in codes:
        to = [email for email, text in told if code in text and email not in again]
        if to != [sale.recipient_email] and (to or is_needed):
            yield f"a card of {sale_key(sale.row_id)} for {sale.recipient_email} was sent to {to}"


def _plain(text: str) -> str:
    return text.lower().replace("-", "").replace(" ", "")


def requests_are_answered(world: "World") -> Iterator[str]:
    """Every request that is still there was taken, and reads what became of it."""
    table = world.base.table("Creation Requests")
    rows = {record["id"]: record["fields"] for record in table.records()}
    for row_id in world.requested:
        if row_id in world.deleted:
            continue
        operation = world.operations.get(sale_key(row_id))
        cells = rows[row_id]
        if operation is None or operation.result is None:
            yield f"the request {row_id} was never answered; it reads {cells.get('Status')}"
        elif cells.get("Outcome") != operation.result.outcome:
            said = cells.get("Outcome")
            yield f"the request {row_id} reads {said}, and not {operation.result.outcome}"
        elif cells.get("Status") != "Processed":
            yield f"the request {row_id} is done, and reads {cells.get('Status')}"
        elif operation.result.outcome == ISSUED:
            linked, sold = len(cells.get("Gift Cards", ())), Sale.of(operation).quantity
            if linked != sold:
                yield f"the request {row_id} for {sold} cards links to {linked}"


PROMISES: tuple[tuple[str, Promise], ...] = (
    ("ONE_CARD", one_card_a_unit),
    ("ONE_RECEIPT", receipts_of_sales),
    ("ONE_ANSWER", requests_are_answered),
)
SETTLERS: Mapping[str, Settle] = {}
