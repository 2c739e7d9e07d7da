"""Stories of cards that are used on the web, to be told again with workers dying in them.

Each begins with what nobody disturbs, goes on with what would come anyway (ticks, sweeps, messages,
a person's decision), and ends at rest. What must hold then is one *picture*: every balance, row,
receipt and line of a ledger, without the times and ids that a crash may change.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from giftcards.receipts import Action
from giftcards.wiring import now
from ops.command_line import park_decide
from sandbox.shopify.order_desk import CartLine
from sandbox.shopify.orders import TransactionKind
from sandbox.shopify.payments import Pay
from tests.web_spending import (
    CODE,
    OTHER,
    check_in_step,
    debit_given_up,
    known_card,
    load,
    look,
    native_sku,
    order,
    rest,
)
from tests.world import OFFICE, World

# Short, so that a story has few ticks; still longer than what one of them has on its way.
EXPLAIN_SECONDS = 70

# A person whose command was cut off tries again.
TRIES_TO_DECIDE = 3

type Step = Callable[[World], object]
type Picture = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class SpendStory:
    """A story, the receipts that stand at its end by action, and what waits for a person then."""

    begin: Step
    steps: Sequence[Step]
    receipts: Mapping[Action, int]
    parked: Sequence[str] = ()
    office_mails: int = 0

    def tell(self, world: World) -> None:
        """What happens, in its order."""
        for step in self.steps:
            step(world)


# -------------------------------------------------------------------------------- the beginnings


def pay_with_two_cards(world: World) -> None:
    """An order paid by two cards, and already partly refunded to one of them."""
    load(world)
    load(world, code=OTHER)
    placed = order(world, (CODE, 20), (OTHER, 30))
    paid = next(one for one in placed.transactions if one.card_id is not None)
    shares = {paid.id: Decimal("5.50")}
    world.shop.orders.refund(placed.id, units={}, amount=Decimal("5.50"), shares=shares)


def authorise(world: World) -> None:
    """An order that is authorised, and taken in parts."""
    known_card(world)
    placed = order(world, (CODE, 30), is_captured=False)
    world.shop.orders.capture(placed.id, Decimal(10))


def buy_a_native_card(world: World) -> None:
    """Shopify makes a card and mails it; a store has it in its hands at once."""
    world.shop.orders.place([CartLine(native_sku(world))], Pay())
    (card,) = world.shop.cards
    world.ask(Gift_Card_Code=card.code, Amount=10)
    world.tick()  # how a death in it ends is told elsewhere


def change_a_card(world: World) -> None:
    """Staff credit a card and have it live longer, and a till pays a part of it in cash."""
    card = known_card(world)
    world.shop.credit(card.id, amount=Decimal(5), note="sorry")
    world.shop.cash_out(card.id, Decimal(2))
    world.shop.update(card.id, expires_on=date(2031, 12, 31))


def pay_without_a_name(world: World) -> None:
    """A payment that names no card."""
    world.shop.orders.kinds_without_receipt = frozenset({TransactionKind.SALE})
    known_card(world)
    order(world, (CODE, 20))


def give_up_a_debit(world: World) -> None:
    """A debit that was answered as not charged is applied all the same."""
    debit_given_up(world, known_card(world))


# ------------------------------------------------------------------------------------ the steps


def void(world: World) -> None:
    """What is left of the authorisation is let go."""
    (placed,) = world.shop.orders.all
    world.shop.orders.void(placed.id)


def deactivate(world: World) -> None:
    """Staff end the card."""
    world.shop.deactivate(world.shop.cards[0].id)


def dismiss(world: World) -> None:
    """A person looks and dismisses what is parked."""
    (parked,) = world.journal.parked(now=now(), limit=2)
    wanted = argparse.Namespace(key=parked.key, decision="dismiss")
    for _ in range(TRIES_TO_DECIDE):
        if world.work(lambda app: park_decide(app, wanted)) is not None:
            return
    raise AssertionError("nobody could decide")


STORIES = {
    "two cards and a refund": SpendStory(
        begin=pay_with_two_cards,
        steps=[look, rest],
        receipts={Action.MADE_AT_SHOPIFY: 2, Action.SPEND_ON_WEB: 2, Action.REFUND_ON_WEB: 1},
    ),
    "authorised, taken in part, let go": SpendStory(
        begin=authorise,
        steps=[look, void, look, rest],
        receipts={Action.SPEND_ON_WEB: 1},
    ),
    "a native card in a store": SpendStory(
        begin=buy_a_native_card,
        steps=[look, rest],
        receipts={Action.MADE_AT_SHOPIFY: 1, Action.REDEEM_IN_STORE: 1},
    ),
    "what staff and a till did": SpendStory(
        begin=change_a_card,
        steps=[look, look, look, deactivate, look, rest],
        receipts={Action.CHANGED_AT_SHOPIFY: 2, Action.RAISED_AT_SHOPIFY: 1},
    ),
    "a payment without a name": SpendStory(
        begin=pay_without_a_name,
        steps=[look, rest, dismiss, rest],
        receipts={Action.SPEND_ON_WEB: 1, Action.LOWERED_AT_SHOPIFY: 1},
    ),
    "a debit after all": SpendStory(
        begin=give_up_a_debit,
        steps=[look, rest],
        receipts={Action.LOWERED_AT_SHOPIFY: 1},
        parked=("owed",),
        office_mails=1,
    ),
}


# ------------------------------------------------------------------------------------ the promises


def picture(world: World) -> Picture:
    """What is to be the same whoever died when."""
    lines = {
        item["key"]: sorted(item.get("lines", ())) + sorted(item.get("reserved", ()))
        for item in world.items()
        if item["key"].startswith("ledger#")
    }
    return {
        "balances": {card.id: card.balance for card in world.shop.cards},
        "mirrors": {
            row["Shopify ID"]: (row["Balance"], row["Status"], row.get("Expires On"))
            for row in world.cells("Gift Cards")
        },
        "receipts": Counter(
            (row["Receipt"], row["Action"], row.get("Amount"), row["Outcome"])
            for row in world.cells("Receipts")
            if row["Action"] != Action.REDEEM_IN_STORE
        ),
        "rows": Counter(
            (row["Order ID"], row["Kind"], row["Amount"], len(row["Gift Cards"]))
            for row in world.cells("Processed Orders")
        ),
        "ledgers": lines,
        "parked": sorted(one.key for one in world.journal.parked(now=now(), limit=10)),
    }


def check_promises(world: World, story: SpendStory) -> None:
    """What holds at the end of a story, died or not."""
    check_in_step(world, *world.shop.cards)
    told = Counter(
        row["Action"]
        for row in world.cells("Receipts")
        if Action(row["Action"]) in story.receipts or row["Action"] != Action.MADE_AT_SHOPIFY
    )
    begun = {Action.REDEEM_IN_STORE} - set(story.receipts)
    assert {name: count for name, count in told.items() if name not in begun} == story.receipts
    parked = world.journal.parked(now=now(), limit=10)
    assert [one.kind for one in parked] == list(story.parked)
    to_office = [mail for mail in world.mails() if OFFICE in mail.destinations["ToAddresses"]]
    # Killed between SES and our note, the same mail goes out again.
    assert story.office_mails <= len(to_office) <= story.office_mails * (1 + world.effects.deaths)
    assert not [
        body
        for name in world.queue_urls
        if name.endswith("DeadLetters")
        for body in world.queued_in(name)
    ]
