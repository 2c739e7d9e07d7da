"""The books are compared while accidents go on, and what was wrong is put right all the same."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import pytest

from giftcards.domain.drift import Drift
from giftcards.domain.outcomes import Outcome
from giftcards.flows.kinds import DRIFT
from giftcards.flows.reconcile import cards as cards_compared
from giftcards.flows.reconcile.cards import CardsAtShopify
from giftcards.flows.reconcile.judge_card import JudgeCard
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.store.cards import lock_key
from giftcards.store.leases import Leases
from giftcards.store.table import Table
from simulator.faults import Kind, Planned
from simulator.history import Spec, tell
from simulator.stories.comparing import ASKED_AT
from simulator.world import World
from tests.template_resources import TABLE_NAME

DEBIT = "prong: shopify debit_card"


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def found_in(world: World) -> Counter[str]:
    return Counter(one.snapshot["drift"] for one in world.operations.values() if one.kind == DRIFT)


def test_a_comparison_finds_all_that_was_done_wrong_and_puts_it_right(world: World) -> None:
    told = tell(world, Spec("compare"))
    assert told.violations == ()
    assert world.planted == {
        Drift.UNEXPLAINED_MOVEMENT,
        Drift.STALE_BALANCE,
        Drift.DEBIT_WITHOUT_OPERATION,
        Drift.MISSING_ROW,
        Drift.RECEIPT_MISSING,
        Drift.DUPLICATE_ROWS,
    }
    assert found_in(world) == dict.fromkeys(world.planted, 1)
    raised, robbed, beside = world.shop.cards
    assert [one.balance for one in (raised, robbed, beside)] == [43, 32, 37]


def test_stores_redeem_beside_either_look_and_need_not_wait(world: World) -> None:
    told = tell(world, Spec("compare"))
    labels = [effect.label for effect, _, _, _ in told.trace]
    before_it, before_it_too, beside_first, beside_second = places(labels, DEBIT)
    begins, over = "reconcile: leases.acquire", "reconcile: leases.release"
    first_look = (places(labels, begins)[0], places(labels, over)[0])
    second_look = (places(labels, "reconcile: bucket.keys (read)")[0], places(labels, over)[-1])
    assert max(before_it, before_it_too) < told.prepared < first_look[0]
    assert first_look[0] < beside_first < first_look[1] < second_look[0]
    assert second_look[0] < beside_second < places(labels, "reconcile: runs.end")[0]
    assert over in labels[beside_second:]
    answered = [one for one in world.operations.values() if one.kind == REDEMPTION]
    assert [one.result.outcome for one in answered if one.result] == [Outcome.REDEEMED] * 4


def places(labels: Sequence[str], label: str) -> list[int]:
    """Where an effect comes in a history."""
    return [place for place, one in enumerate(labels) if one == label]


@pytest.mark.parametrize(
    "during",
    [
        "reconcile: shopify card_movements",  # what it compares is read
        "reconcile: airtable delete Receipts",  # and put right
    ],
)
def test_another_store_may_redeem_at_any_call_of_a_comparison(world: World, during: str) -> None:
    told = tell(world, Spec("compare", planned=(Planned(during, 0, Kind.OTHER_STORE),)))
    assert told.violations == ()
    assert [one.kind for one in told.met] == [Kind.OTHER_STORE]
    redeemed = [one for one in world.operations.values() if one.kind == REDEMPTION]
    assert len(redeemed) == 5
    # What a redemption writes may put a card's balance right before the comparison does.
    missed = world.planted - found_in(world).keys()
    assert missed <= {Drift.STALE_BALANCE}
    assert set(found_in(world).values()) == {1}


@pytest.mark.parametrize("look", ["step", "judge_again"])
def test_a_comparison_that_locks_the_cards_it_reads_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    """A redemption beside either look that waits for the comparison is seen to wait."""
    compare = getattr(CardsAtShopify, look)

    def lock_and_compare(self: CardsAtShopify, *given: Any) -> Any:
        locks = Leases(Table(cast("Any", world.dynamodb), name=TABLE_NAME), seconds=60)
        for card in world.shop.cards:
            locks.acquire(lock_key(card.id), now=world.clock())
        return compare(self, *given)

    monkeypatch.setattr(CardsAtShopify, look, lock_and_compare)
    told = tell(world, Spec("compare"))
    assert [name for name, _ in told.violations] == ["FIRST_COME"]


def test_what_compares_and_what_the_office_decides_of_it_can_meet_accidents(world: World) -> None:
    told = tell(world, Spec("compare"))
    behind = told.trace[told.prepared :]
    roles = Counter(effect.role for effect, _, _, _ in behind)
    assert roles["reconcile"] > 100
    assert {"write", "office"} < roles.keys()
    kinds = {kind for effect, _, kinds, _ in behind if effect.role == "reconcile" for kind in kinds}
    assert kinds >= {Kind.CRASH_BEFORE, Kind.PAUSED, Kind.OVERLAPPED, Kind.REPLY_LOST, Kind.ECHOED}
    assert {effect.label for effect, _, _, _ in behind} >= {
        "office: runs.wish",
        "office: journal.commit",
        "reconcile: airtable delete Receipts",
        "reconcile: bucket.put",
        "reconcile: bucket.get (read)",
        "reconcile: runs.save",
        "reconcile: runs.end",
    }
    assert told.seconds > ASKED_AT / 1_000_000


@pytest.mark.parametrize(
    ("effect", "kind"),
    [
        ("reconcile: bucket.put", Kind.REPLY_LOST),
        ("reconcile: journal.record", Kind.CRASH_AFTER),
        ("reconcile: runs.save", Kind.PAUSED),
        ("reconcile: control.switch (read)", Kind.OVERLAPPED),
        ("office: runs.wish", Kind.REFUSED),
        ("office: journal.commit", Kind.REPLY_LOST),
    ],
)
def test_each_difference_is_told_once_whatever_befalls_the_comparison(
    world: World, effect: str, kind: Kind
) -> None:
    told = tell(world, Spec("compare", planned=(Planned(effect, 0, kind),)))
    assert told.violations == ()
    assert [one.kind for one in told.met] == [kind]
    assert found_in(world) == dict.fromkeys(world.planted, 1)


def test_a_comparison_that_does_not_see_what_staff_did_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JudgeCard, "is_ours", lambda *_: False)
    assert tell(world, Spec("compare")).broken == {"ONE_RECEIPT"}


def test_a_comparison_that_does_not_miss_a_row_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards_compared, "_should_have_a_row", lambda _: False)
    assert tell(world, Spec("compare")).broken == {"IN_STEP"}
