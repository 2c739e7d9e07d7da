"""What is to be written again is noted until it was, and no longer."""

from datetime import UTC, datetime, timedelta

import pytest

from giftcards.store.rewrites import Rewrites
from giftcards.store.table import Table

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SOON = NOW + timedelta(minutes=3)
LATER = NOW + timedelta(minutes=5)
ROW = "row#rec1"
CARD = "card#gid://shopify/GiftCard/41"


@pytest.fixture
def rewrites(table: Table) -> Rewrites:
    return Rewrites(table)


def test_what_is_due_is_told_the_longest_due_first(rewrites: Rewrites) -> None:
    rewrites.note(CARD, due_at=LATER)
    rewrites.note(ROW, due_at=SOON, operations=["redemption#rec1"])
    assert rewrites.due(now=NOW, limit=10) == []
    assert rewrites.due(now=SOON, limit=10) == [ROW]
    assert rewrites.due(now=LATER, limit=10) == [ROW, CARD]
    assert rewrites.due(now=LATER, limit=1) == [ROW]


def test_a_later_time_counts_and_without_one_the_old_one_stays(rewrites: Rewrites) -> None:
    rewrites.note(ROW, due_at=SOON, operations=["held#rec1"])
    rewrites.note(ROW, due_at=None, operations=["held#rec1", "redemption#rec1"])
    assert rewrites.standing([ROW, CARD]) == {ROW: ("held#rec1", "redemption#rec1")}
    assert rewrites.due(now=SOON, limit=10) == [ROW]
    rewrites.note(ROW, due_at=LATER, operations=["redemption#rec1"])
    assert rewrites.due(now=SOON, limit=10) == []
    assert rewrites.standing([ROW]) == {ROW: ("redemption#rec1",)}


def test_what_was_written_again_is_noted_no_more(rewrites: Rewrites) -> None:
    rewrites.note(ROW, due_at=SOON, operations=["redemption#rec1"])
    rewrites.forget(ROW, now=SOON)
    assert rewrites.standing([ROW]) == {}
    assert rewrites.due(now=LATER, limit=10) == []
    rewrites.note(ROW, due_at=LATER, operations=["reverse#rec1#500"])
    assert rewrites.standing([ROW]) == {ROW: ("reverse#rec1#500",)}


def test_what_was_put_off_since_is_not_forgotten(rewrites: Rewrites) -> None:
    rewrites.note(CARD, due_at=SOON)
    rewrites.note(CARD, due_at=LATER)
    rewrites.forget(CARD, now=SOON)
    assert rewrites.standing([CARD]) == {CARD: ()}
    assert rewrites.due(now=LATER, limit=10) == [CARD]
