"""Stories of the web shop's orders, to be told again with workers dying in them.

As `sale_stories`: each begins with what nobody disturbs, goes on with what would come anyway, and
ends at rest. What must hold then is one picture, and the undisturbed one is looked at closely.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from giftcards.store.journal import State
from sandbox.shopify import CartLine, Order, Pay
from sandbox.shopify.orders import CancelReason, Recommendation
from tests.flows.sale_stories import (
    CONFIRMED,
    DELIVERED,
    Step,
    check_no_code,
    check_receipts,
    codes_in,
    come_to_rest,
    to_of,
)
from tests.flows.test_purchases import CASEY, MINA, TAG, buy, gift, release
from tests.world import OFFICE, KeptMoment, World, running_world

WAITS = (OFFICE, "A web order waits for the office")
HAPPENED = (OFFICE, "Something happened to a web order")


@dataclass(frozen=True, kw_only=True)
class PurchaseStory:
    """A story, and what stands at its end.

    `units` are the cards that were sold, `sent` how often somebody was sent cards, `confirmed` the
    purchasers that were told, `status` what the order's row reads, `frozen` how many cards are.
    """

    begin: Callable[[World], object]
    steps: Sequence[Step]
    units: int = 0
    sent: Mapping[str, int] = field(default_factory=dict)
    confirmed: Sequence[str] = ()
    status: str = "Processed"
    mails: Sequence[tuple[str, str]] = ()
    frozen: int = 0
    is_tagged: bool = True

    def tell(self, world: World) -> None:
        """What happens, in its order."""
        for step in self.steps:
            step(world)


@contextmanager
def begun(story: PurchaseStory) -> Iterator[tuple[World, KeptMoment]]:
    """A world in which the story has begun, and that moment, to come back to it."""
    with running_world() as world:
        story.begin(world)
        world.effects.forget()
        yield world, world.keep()


# -------------------------------------------------------------------------------- the beginnings


def order(*lines: CartLine, **plan: Any) -> Step:
    """A customer buys."""
    return lambda world: buy(world, *lines, **plan)


def the_order(world: World) -> Order:
    """The one order of a story."""
    (found,) = world.shop.orders.all
    return found


def taken(then: Callable[[World, Order], object], *lines: CartLine) -> Step:
    """An order that was taken and has come to rest, and what happens to it then."""

    def begin(world: World) -> None:
        buy(world, *lines)
        minute(world)
        world.come_to_rest()
        then(world, the_order(world))

    return begin


def cancelled(world: World) -> None:
    """An order that was cancelled before anybody looked."""
    world.shop.orders.cancel(buy(world).id, CancelReason.CUSTOMER)


def add_a_unit(world: World, order: Order) -> None:
    """The office adds a unit, and the customer pays it."""
    world.shop.orders.edit(order.id, units={order.lines[0].id: 2})
    world.shop.orders.pay(order.id, Pay())


def give_one_back(world: World, order: Order) -> None:
    """The office refunds one unit."""
    world.shop.orders.refund(order.id, units={order.lines[0].id: 1})


def charge_back(world: World, order: Order) -> None:
    """The customer's bank disputes the payment."""
    world.shop.orders.charge_back(order.id)


# ------------------------------------------------------------------------------------ the steps


def minute(world: World) -> None:
    """A minute of a healthy web shop."""
    world.buy_tick()
    world.drain()


def release_it(world: World) -> None:
    """The office lets the order go on."""
    release(world, the_order(world))


def add_an_address(world: World) -> None:
    """The office adds the mail address that was missing."""
    found = the_order(world)
    found.email = CASEY
    world.shop.orders.add_tags(found.id, ["mended"])


STORIES = {
    "a card": PurchaseStory(begin=order(), steps=[minute], units=1, sent={CASEY: 1}),
    "a gift, and cards of one's own": PurchaseStory(
        begin=order(CartLine("GIFT-CARD-25", 2), CartLine("GIFT-CARD-100", 1, gift())),
        steps=[minute],
        units=3,
        sent={CASEY: 1, MINA: 1},
        confirmed=[CASEY],
    ),
    "cancelled first": PurchaseStory(begin=cancelled, steps=[minute], status="No Card"),
    "held, then released": PurchaseStory(
        begin=order(risk=Recommendation.CANCEL),
        steps=[minute, come_to_rest, release_it, minute],
        units=1,
        sent={CASEY: 1},
        mails=[WAITS],
    ),
    "held for an address": PurchaseStory(
        begin=order(email=None),
        steps=[minute, come_to_rest, add_an_address, minute],
        units=1,
        sent={CASEY: 1},
        mails=[WAITS],
    ),
    "held for ever": PurchaseStory(
        begin=order(risk=Recommendation.INVESTIGATE),
        steps=[minute],
        status="Held",
        mails=[WAITS],
        is_tagged=False,
    ),
    "a unit added": PurchaseStory(
        begin=taken(add_a_unit), steps=[minute], units=2, sent={CASEY: 2}
    ),
    "a unit given back": PurchaseStory(
        begin=taken(give_one_back, CartLine("GIFT-CARD-50", 2)),
        steps=[minute],
        units=2,
        sent={CASEY: 1},
        mails=[(OFFICE, "A gift card was given back")],
    ),
    "a chargeback": PurchaseStory(
        begin=taken(charge_back),
        steps=[minute],
        units=1,
        sent={CASEY: 1},
        mails=[HAPPENED],
        frozen=1,
    ),
}


# ------------------------------------------------------------------------------------ the promises


def check_promises(world: World, story: PurchaseStory) -> None:
    """What the undisturbed telling must have come to, looked at one by one."""
    cards = {card.id: card for card in world.shop.cards}
    assert len({card.note for card in cards.values()}) == len(cards) == story.units
    sent = [event for event in world.klaviyo.events if event.metric == DELIVERED]
    assert Counter(event.profile for event in sent) == Counter(story.sent)
    codes = [code for event in sent for code in codes_in(event)]
    assert sorted(codes) == sorted(str(card.code) for card in cards.values())
    confirmed = [event.profile for event in world.klaviyo.events if event.metric == CONFIRMED]
    assert confirmed == list(story.confirmed)
    assert (TAG in the_order(world).tags) == story.is_tagged
    (row,) = world.cells("Processed Orders")
    assert row["Status"] == story.status
    assert len(row.get("Gift Cards", [])) == story.units
    assert sum(item.get("frozen", False) for item in world.items()) == story.frozen
    for item in world.items():
        if item["key"].startswith("op#"):
            assert item["state"] == State.SETTLED, item["key"]
    check_receipts(world)
    check_no_code(world)
    told = {(to_of(mail), mail.subject) for mail in world.mails()}
    assert len(told) == len(story.mails)
    for to, subject in story.mails:
        assert [one for one in told if one[0] == to and one[1].startswith(subject)], told
