"""The books are compared while accidents go on: what people and Shopify did wrong is put right.

Stores do not wait for that. A card with which nothing is wrong is redeemed beside each of the two
looks; one that is to be put right, as an accident, beside any call.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from giftcards.domain.drift import Drift
from giftcards.flows.kinds import ADJUSTED
from giftcards.flows.receipt_row import operation_of
from giftcards.flows.write_again import WRITE_AGAIN_SECONDS
from giftcards.store.table import LOOK_QUEUE
from sandbox.airtable import RecordJson
from simulator import books
from simulator.books import TIMER
from simulator.faults import MINUTE, SECOND, Kind
from simulator.stories import redeeming
from simulator.stories.story import Promise, Settle, Story

if TYPE_CHECKING:
    from simulator.world import World

OTHER = "wxyz2345abcd7777"
BESIDE = "wxyz2345abcd5555"

# When both redemptions are written on a good day, somebody does wrong. A receipt may be on its way
# for some time, before a comparison takes it for missing.
WRONG_AT = 2 * MINUTE
ASKED_AT = WRONG_AT + WRITE_AGAIN_SECONDS * SECOND

# On a good day the first look begins with the timer's first round, and the second one with its
# fifth, when fifteen minutes have passed. The prong's next tick comes a second after each of these.
BESIDE_THE_FIRST_LOOK = ASKED_AT + TIMER + SECOND
BESIDE_THE_SECOND_LOOK = ASKED_AT + 5 * TIMER + SECOND

# What staff put on the first card at Shopify, and what somebody takes off the other one with a
# reference that looks like ours.
PUT_ON = Decimal(3)
TAKEN_OFF = Decimal(8)
NOBODYS_REFERENCE = "return#1#1"


def all_wrong(world: "World", chance: Random) -> None:
    """Two redemptions; then staff move money, and somebody deletes and copies rows.

    A third card is redeemed twice while the books are compared: the first two would be put right by
    what a redemption has written, before anybody compares them.
    """
    del chance
    redeeming.issue(world)
    redeeming.issue(world, OTHER)
    redeeming.issue(world, BESIDE)
    redeeming.file(world)
    redeeming.file(world, code=OTHER, store=1, employee="Ben")
    world.arrange(WRONG_AT, partial(do_wrong, world))
    world.arrange(ASKED_AT, partial(books.begin_to_compare, world))
    for at, amount in ((BESIDE_THE_FIRST_LOOK, 6), (BESIDE_THE_SECOND_LOOK, 7)):
        world.arrange(at, partial(redeeming.file, world, code=BESIDE, amount=amount))


def do_wrong(world: "World") -> None:
    """Leave a difference of nearly each kind that one comparison can put right or ask about.

    A row is deleted, and another one copied, as far as they were written by then; a receipt only of
    what is done, since what was done lately is left to the next comparison.
    """
    raised, robbed, _ = world.shop.cards
    world.shop.credit(raised.id, amount=PUT_ON, note="goodwill")
    world.note_web(raised.id, -PUT_ON)
    world.shop.debit(robbed.id, amount=TAKEN_OFF, note=NOBODYS_REFERENCE)
    world.note_web(robbed.id, TAKEN_OFF)
    world.planted |= {
        Drift.UNEXPLAINED_MOVEMENT,
        Drift.STALE_BALANCE,
        Drift.DEBIT_WITHOUT_OPERATION,
        Drift.MISSING_ROW,
        Drift.RECEIPT_MISSING,
        Drift.DUPLICATE_ROWS,
    }
    cards, receipts = world.base.table("Gift Cards"), world.base.table("Receipts")
    for row in cards.records():
        if row["fields"]["Shopify ID"] == robbed.id:
            cards.delete(row["id"])
    for row in [one for one in receipts.records() if _is_done(world, one)][:1]:
        receipts.delete(row["id"])
    for row in receipts.records()[:1]:
        receipts.create(row["fields"])


def _is_done(world: "World", row: RecordJson) -> bool:
    """Whether all that follows from a receipt's operation is done: else a comparison waits."""
    item = world.items[f"op#{operation_of(str(row['fields']['Receipt']))}"]
    return "settled_at" in item and "answered_at" in item


STORIES: Mapping[str, Story] = {
    "compare": Story(
        words=(
            "Staff move money of two cards, delete rows and copy one; the books are compared while"
            " a third card is redeemed."
        ),
        begin=all_wrong,
        accidents={Kind.OTHER_STORE: redeeming.charge_elsewhere},
        own_from=ASKED_AT,
        is_approved=True,
    ),
}

# ---------------------------------------------------------------------------------- the promises


def all_is_shown(world: "World") -> Iterator[str]:
    """After a comparison each card shows the balance it has, also where it moved without us."""
    if not world.planted:
        return
    shown = {row["Shopify ID"]: Decimal(str(row["Balance"])) for row in world.rows("Gift Cards")}
    for card in world.shop.cards:
        if shown.get(card.id) != card.balance:
            yield f"{card.id} holds {card.balance}, and Airtable shows {shown.get(card.id)}"


def what_nobody_explains_is_entered(world: "World") -> Iterator[str]:
    """What staff put on a card is entered as a change of theirs, once.

    Or the web shop's prong, which is not at work here, is to look at the card again: where it could
    not be read then.
    """
    if not world.planted:
        return
    entered = [
        one.result.moved.decimal()
        for one in world.operations.values()
        if one.kind == ADJUSTED and one.result is not None and one.result.moved is not None
    ]
    is_left = any(queue == LOOK_QUEUE for queue, _ in world.dynamodb.queued.values())
    if entered != [PUT_ON] and not (is_left and not entered):
        yield f"staff put {PUT_ON} on a card, and {entered} were entered"


PROMISES: tuple[tuple[str, Promise], ...] = (
    ("IN_STEP", all_is_shown),
    ("ONE_RECEIPT", what_nobody_explains_is_entered),
)
SETTLERS: Mapping[str, Settle] = {}
