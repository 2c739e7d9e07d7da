"""The books are compared while accidents go on, and what was wrong is put right all the same."""

from collections import Counter
from decimal import Decimal

import pytest

from giftcards.domain.drift import Drift
from giftcards.flows.kinds import DRIFT
from giftcards.flows.reconcile import cards as cards_compared
from giftcards.flows.reconcile.judge_card import JudgeCard
from simulator.faults import Kind, Planned
from simulator.history import Spec, tell
from simulator.stories.comparing import ASKED_AT
from simulator.world import World


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
    raised, robbed = world.shop.cards
    assert (raised.balance, robbed.balance) == (Decimal(43), Decimal(32))


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
