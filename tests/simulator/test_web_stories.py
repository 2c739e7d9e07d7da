"""The stories of the web shop end as their words say, and their promises see what they are for."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from giftcards.flows.sale import DROPPED
from giftcards.receipts import Action
from sandbox.shopify import GiftCard
from simulator.history import Spec, Told, tell
from simulator.stories import PROMISES, STORIES
from simulator.world import World


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@dataclass(frozen=True, kw_only=True)
class End:
    """What is left of a story: the cards, oldest first, who was sent some, and the receipts."""

    balances: tuple[str, ...]
    sent: Mapping[str, int] = field(default_factory=dict)
    receipts: Mapping[Action, int] = field(default_factory=dict)
    disabled: int = 0


MADE, REDEEM, SPEND = Action.MADE_AT_SHOPIFY, Action.REDEEM_IN_STORE, Action.SPEND_ON_WEB
CASEY, MINA = "casey@example.com", "mina@example.com"

ENDS = {
    "buy": End(balances=("50",), sent={CASEY: 1}),
    "buy-gift": End(balances=("100", "25", "25"), sent={CASEY: 1, MINA: 1}),
    "buy-risky": End(balances=("50",), sent={CASEY: 1}, receipts={Action.SELL_ON_WEB: 1}),
    "buy-two-one-returned": End(balances=("50", "50"), sent={CASEY: 1}, disabled=1),
    "buy-returned": End(
        balances=("50",), sent={CASEY: 1}, receipts={Action.RETURN_CARD: 1}, disabled=1
    ),
    "buy-returned-partly-spent": End(
        balances=("0",), sent={CASEY: 1}, receipts={REDEEM: 1, Action.RETURN_CARD: 1}
    ),
    "buy-cancelled": End(balances=()),
    "buy-native": End(balances=("20",), receipts={MADE: 1, REDEEM: 1}),
    "buy-disputed": End(
        balances=("50",),
        sent={CASEY: 1},
        receipts={Action.FREEZE: 1, Action.RELEASE_CARD: 1, REDEEM: 1},
    ),
    "spend": End(balances=("30",), receipts={MADE: 1, SPEND: 1}),
    "spend-two": End(balances=("40", "20"), receipts={MADE: 2, SPEND: 2, Action.REFUND_ON_WEB: 2}),
    "spend-authorised": End(balances=("40",), receipts={MADE: 1, SPEND: 1}),
    "spend-and-redeem": End(balances=("5",), receipts={MADE: 1, SPEND: 1, REDEEM: 1}),
    "spend-by-staff": End(balances=("53",), receipts={MADE: 1, Action.RAISED_AT_SHOPIFY: 1}),
    "undo": End(balances=("50",), receipts={MADE: 1, REDEEM: 1, Action.REVERSE: 1}),
    "undo-in-parts": End(balances=("50",), receipts={MADE: 1, REDEEM: 1, Action.REVERSE: 2}),
    "undo-approved": End(balances=("300",), receipts={MADE: 1, REDEEM: 1, Action.REVERSE: 1}),
    "undo-and-spend": End(
        balances=("10",), receipts={MADE: 1, REDEEM: 1, Action.REVERSE: 1, SPEND: 1}
    ),
    "charged-twice": End(
        balances=("40",),
        receipts={MADE: 1, REDEEM: 1, Action.LOWERED_AT_SHOPIFY: 1, Action.PUT_RIGHT: 1},
    ),
    "frozen": End(
        balances=("50",),
        receipts={MADE: 1, REDEEM: 1, Action.FREEZE: 1, Action.RELEASE_CARD: 1},
    ),
}


def test_every_short_story_of_the_web_shop_has_its_end_here() -> None:
    assert ENDS.keys() == {
        name for name, story in STORIES.items() if story.is_on_web and not story.is_day
    }


@pytest.mark.parametrize("name", ENDS)
def test_a_story_comes_to_what_its_words_say(world: World, name: str) -> None:
    end = ENDS[name]
    assert tell(world, Spec(name)).violations == ()
    cards = world.shop.cards
    assert [card.balance for card in cards] == [Decimal(balance) for balance in end.balances]
    assert sum(not card.enabled for card in cards) == end.disabled
    sent = [event for event in world.klaviyo.events if event.metric == "Gift Card Delivered"]
    assert Counter(event.email for event in sent) == end.sent
    told = Counter(row["Action"] for row in world.rows("Receipts"))
    assert {action: told[action] for action in end.receipts} == end.receipts


# What an accident once broke, and what a person decides where a person is asked.
MET_BEFORE = {
    "an undo whose worker died after its mark: nobody knows whether it was credited": (
        "undo;0;in-time;0;adjust: journal.mark_sent*0=crash-after"
    ),
    "the row of an order that is made late, beside the one that was made again": (
        "buy-risky;0;in-time;0;write: airtable create Processed Orders*0=applied-late"
    ),
    "a worker that was frozen with an order in its hands, of which a unit was refunded since": (
        "buy-two-one-returned;0;in-time;0;orders: journal.claim*0=paused-past-lease"
    ),
    "a writer that was frozen with an old balance in its hands, which nobody of ours changed": (
        "spend-authorised;0;in-time;0;write: cards.note_mirrored*0=paused-past-lease"
    ),
    "an older balance that Airtable writes behind the newer one": (
        "spend-two;0;in-time;0;write: airtable update Gift Cards*0=applied-late"
    ),
    "a second step of an undo whose first one only a person can finish": (
        "undo-in-parts;0;in-time;0;adjust: shopify credit_card*0=failed-before"
    ),
    "an office that wants to release a card in the hour in which Shopify is away": (
        "buy-disputed;0;in-time;0;office: shopify changed_cards*0=vendor-down"
    ),
    "a credit that comes when the office has said that it did not": (
        "undo;0;late;0;adjust: shopify credit_card*0=applied-too-late"
    ),
}


@pytest.mark.parametrize("history", MET_BEFORE.values(), ids=MET_BEFORE)
def test_what_once_broke_a_promise_keeps_it(world: World, history: str) -> None:
    told = tell(world, Spec.read(history))
    assert len(told.met) == 1
    assert told.violations == ()


def test_an_order_that_killed_its_workers_is_decided_by_a_person_and_then_sold(
    world: World,
) -> None:
    history = (
        "buy-gift;713496045;in-time;0;orders: journal.load_many (read)*0=crash-after;"
        "orders: journal.load_many (read)*4=crash-after;issue: cards.remember*0=crash-before;"
        "orders: attempts.begin*2=paused-past-lease;orders: attempts.park*0=preempted"
    )
    told = tell(world, Spec.read(history))
    assert any(effect.label == "orders: attempts.park" for effect, *_ in told.trace)
    assert told.violations == ()
    assert len(world.shop.cards) == 3


def test_a_unit_that_is_given_back_first_leaves_the_receipt_of_its_return(world: World) -> None:
    history = "buy-two-one-returned;0;in-time;0;orders: journal.record*0=crash-after"
    assert tell(world, Spec.read(history)).violations == ()
    dropped = [
        one
        for one in world.operations.values()
        if one.result is not None and one.result.outcome == DROPPED
    ]
    assert {one.kind: len(one.result.receipts) for one in dropped if one.result} == {
        "issue": 0,
        "return": 1,
    }


def test_a_debit_that_comes_after_it_was_given_up_is_found_and_given_back(world: World) -> None:
    history = "undo;0;late;0;prong: shopify debit_card*0=applied-too-late"
    told = tell(world, Spec.read(history))
    assert told.violations == ()
    ends = {one.kind: one.result.outcome for one in world.operations.values() if one.result}
    assert ends["redemption"] == "NOT_CHARGED"
    assert ends["repay"] == "REPAID"
    assert the_card(world).balance == 50


# ----------------------------------------------------------------------- the promises see it


def broken(world: World) -> set[str]:
    """The promises that a world at rest breaks as it stands now."""
    return {name for name, promise in PROMISES for _ in promise(world)}


def told(world: World, name: str) -> Told:
    """A story without an accident, every promise of which is kept."""
    end = tell(world, Spec(name))
    assert end.violations == ()
    assert broken(world) == set()
    return end


def the_card(world: World) -> GiftCard:
    return world.shop.cards[0]


def test_a_second_card_for_one_unit_is_seen(world: World) -> None:
    told(world, "buy")
    world.shop.create(amount=Decimal(50), note=the_card(world).note)
    assert "ONE_CARD" in broken(world)


def test_a_card_of_another_value_is_seen(world: World) -> None:
    told(world, "buy")
    the_card(world).initial_value = Decimal(40)
    assert "ONE_CARD" in broken(world)


def test_a_returned_card_that_can_be_spent_is_seen(world: World) -> None:
    told(world, "buy-returned")
    the_card(world).deactivated_at = None
    assert "ONE_CARD" in broken(world)


def test_a_missing_row_and_a_missing_tag_of_an_order_are_seen(world: World) -> None:
    told(world, "buy")
    (order,) = world.shop.orders.all
    world.shop.orders.remove_tags(order.id, ["gift-cards-processed"])
    assert "NOTHING_LOST" in broken(world)
    told(world, "buy")
    table = world.base.table("Processed Orders")
    table.delete(next(iter(table.record_ids())))
    assert "NOTHING_LOST" in broken(world)


def test_a_payment_without_its_row_is_seen(world: World) -> None:
    told(world, "spend")
    table = world.base.table("Processed Orders")
    table.delete(next(iter(table.record_ids())))
    assert broken(world) == {"ONE_RECEIPT"}


def test_a_payment_that_nobody_noted_is_seen(world: World) -> None:
    told(world, "spend")
    (key,) = [key for key in world.operations if key.startswith("order-spend#")]
    del world.operations[key]
    assert "ONE_RECEIPT" in broken(world)


@pytest.mark.parametrize("name", ["undo", "charged-twice"])
def test_a_second_credit_is_seen(world: World, name: str) -> None:
    told(world, name)
    (credit,) = [one for one in the_card(world).transactions if one.amount > 0]
    world.shop.credit(the_card(world).id, amount=credit.amount, note=credit.note)
    assert {"ONE_DEBIT", "NO_OVERSPEND", "ONE_RECEIPT", "IN_STEP"} <= broken(world)


def test_money_that_moves_on_the_web_is_reckoned_with(world: World) -> None:
    told(world, "spend-and-redeem")
    world.shop.debit(the_card(world).id, amount=Decimal(1))
    assert {"NO_OVERSPEND", "ONE_RECEIPT", "IN_STEP"} <= broken(world)


def test_a_row_that_does_not_say_what_was_given_back_is_seen(world: World) -> None:
    told(world, "undo")
    world.base.table("Redemptions").update(world.filed[0], {"Reversed": 3})
    assert broken(world) == {"ONE_DEBIT"}
