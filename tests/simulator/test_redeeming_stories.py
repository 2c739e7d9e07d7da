"""Stories of redemptions: what is said to meet on a card does meet, and what is done is done."""

from datetime import timedelta
from decimal import Decimal

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.flows.redeem import KIND
from simulator.effects import LATENCIES
from simulator.explore import singles
from simulator.faults import HIDDEN_SECONDS, SECOND, Kind, Planned
from simulator.history import Spec, tell
from simulator.stories import STORIES
from simulator.stories.redeeming import JUST_CHARGED, UNSEEN_LOOKS
from simulator.web import spent_in_orders
from simulator.world import START, World

CLAIM = "prong: journal.claim"
COMMIT = "prong: journal.commit"


@pytest.fixture(scope="module")
def world() -> World:
    """What all of these tests tell their histories in, one after another."""
    return World()


@pytest.mark.parametrize(
    "planned", [(), (Planned("prong: shopify debit_card", 0, Kind.PREEMPTED),)], ids=str
)
def test_two_stores_charge_one_card_side_by_side(
    world: World, planned: tuple[Planned, ...]
) -> None:
    told = tell(world, Spec("redeem-two-stores", planned=planned))
    assert told.violations == ()
    steps = {(effect.label, nth): place for place, (effect, nth, _, _) in enumerate(told.trace)}
    assert steps[CLAIM, 1] < steps[COMMIT, 0]
    invocations = [step[3] for step in told.trace]
    assert invocations[steps[CLAIM, 0]] == invocations[steps[CLAIM, 1]]
    outcomes = [one.result.outcome for one in world.operations.values() if one.result is not None]
    assert sorted(outcomes) == [Outcome.INSUFFICIENT_BALANCE, Outcome.REDEEMED]


def test_a_debit_that_no_look_sees_at_first_is_waited_for_and_never_sent_again(
    world: World,
) -> None:
    told = tell(world, Spec("redeem-unseen"))
    assert told.violations == ()
    unheard, *unseen = told.met
    assert unheard.kind is Kind.REPLY_LOST
    assert [one.kind for one in unseen] == [Kind.MOVEMENT_HIDDEN] * UNSEEN_LOOKS
    (debit,) = world.shop.cards[0].transactions
    made_at = (debit.processed_at - START) / timedelta(microseconds=1)
    assert all(made_at < at < made_at + HIDDEN_SECONDS * SECOND for at in told.met_at[1:])
    labels = [effect.label for effect, _, _, _ in told.trace]
    assert labels.count("prong: shopify card_movements") == UNSEEN_LOOKS + 1
    assert labels.count("prong: shopify debit_card") == 1
    (redemption,) = [one for one in world.operations.values() if one.kind == KIND]
    assert redemption.result is not None
    assert redemption.result.outcome == Outcome.REDEEMED


def test_in_dozens_of_the_histories_that_are_told_by_make_test_a_movement_is_hidden(
    world: World,
) -> None:
    pieces = singles(world, 1, list(STORIES), wanted=30_000)
    its = [piece for piece in pieces if piece.story == "redeem-unseen"]
    hidden = sum(piece.tell(world).accidents[Kind.MOVEMENT_HIDDEN] for piece in its)
    assert hidden / UNSEEN_LOOKS > 2 * 12


def test_the_checkout_takes_what_a_debit_has_left_before_anybody_has_written_it_down(
    world: World,
) -> None:
    told = tell(world, Spec("redeem-and-web"))
    assert told.violations == ()
    (card,) = world.shop.cards
    assert world.web == {card.id: Decimal(40)}
    assert card.balance == 0
    (operation,) = world.operations.values()
    assert operation.result is not None
    assert operation.result.outcome == Outcome.REDEEMED
    (debit,) = card.transactions
    made_at = (debit.processed_at - START) / timedelta(microseconds=1)
    assert made_at < JUST_CHARGED < made_at + LATENCIES["dynamodb"]


@pytest.mark.parametrize("name", ["redeem", "undo"])
def test_what_is_spent_at_the_checkout_is_what_the_card_still_holds(
    world: World, name: str
) -> None:
    for label in ("prong: attempts.begin", "answer: journal.mark_answered"):
        told = tell(world, Spec(name, planned=(Planned(label, 0, Kind.WEB_SPENDS),)))
        assert told.violations == ()
        assert [one.kind for one in told.met] == [Kind.WEB_SPENDS]
        spent = sum(world.web.values()) + sum(spent_in_orders(world.shop).values())
        assert spent == (45 if label.startswith("prong") else 40)


@pytest.mark.parametrize(
    ("name", "effect", "kind"),
    [
        ("redeem-all", "answer: journal.mark_answered", Kind.WEB_SPENDS),
        ("spend", "write: airtable create Receipts", Kind.RECORD_DOUBLED),
    ],
)
def test_what_changes_nothing_has_not_happened(
    world: World, name: str, effect: str, kind: Kind
) -> None:
    told = tell(world, Spec(name, planned=(Planned(effect, 0, kind),)))
    assert (effect, 0) in {(step[0].label, step[1]) for step in told.trace}
    assert told.met == ()
    assert told.trace == tell(world, Spec(name)).trace
    assert not told.is_compared


@pytest.mark.parametrize("kind", [Kind.ROW_EDITED, Kind.ROW_DELETED])
@pytest.mark.parametrize("name", ["redeem", "sell"])
def test_nobody_edits_or_deletes_a_row_a_second_time(world: World, name: str, kind: Kind) -> None:
    first, second = (
        Planned(label, 0, kind) for label in ("prong: attempts.begin", "prong: leases.release")
    )
    assert tell(world, Spec(name, planned=(second,))).met == (second,)
    assert tell(world, Spec(name, planned=(first, second))).met == (first,)


def test_another_store_charges_the_card_that_the_story_is_about(world: World) -> None:
    planned = (Planned(CLAIM, 0, Kind.OTHER_STORE),)
    told = tell(world, Spec("redeem-two-stores", planned=planned))
    assert told.violations == ()
    redemptions = [one for one in world.operations.values() if one.kind == KIND]
    assert {one.snapshot["card_id"] for one in redemptions} == {world.shop.cards[0].id}
    assert len(redemptions) == 3
