from datetime import UTC, datetime, timedelta

from giftcards.domain.duplicates import RecentRedemption
from giftcards.domain.money import Money
from giftcards.store.cards import Cards, lock_key, recent_of
from giftcards.store.leases import Leases
from giftcards.store.table import Table

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = lock_key("gid://shopify/GiftCard/1")


def refused(operation: str) -> RecentRedemption:
    return RecentRedemption(
        operation=operation,
        store_id="rec1",
        amount=Money(1000, "USD"),
        at=NOW,
        was_refused=True,
    )


def test_what_is_left_on_a_card_is_handed_to_its_next_holder(table: Table) -> None:
    leases = Leases(table, seconds=30)
    lock = leases.acquire(KEY, now=NOW)
    assert lock is not None
    Cards(table).leave_recent(lock, [refused("redemption#rec1")])
    leases.release(lock)
    heir = leases.acquire(KEY, now=NOW)
    assert heir is not None
    assert recent_of(heir) == [refused("redemption#rec1")]


def test_whoever_lost_the_lock_leaves_nothing_on_the_card(table: Table) -> None:
    """What the card's holder has remembered meanwhile must not be overwritten."""
    leases = Leases(table, seconds=30)
    cards = Cards(table)
    lost = leases.acquire(KEY, now=NOW)
    heir = leases.acquire(KEY, now=NOW + timedelta(seconds=31))
    assert lost is not None
    assert heir is not None
    cards.leave_recent(heir, [refused("redemption#rec2")])
    cards.leave_recent(lost, [refused("redemption#rec1")])
    leases.release(heir)
    third = leases.acquire(KEY, now=NOW + timedelta(seconds=32))
    assert third is not None
    assert recent_of(third) == [refused("redemption#rec2")]
