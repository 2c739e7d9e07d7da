"""Is this the same redemption filed twice? Judged from what happened on the card recently."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from giftcards.domain.money import Money

# How long what happened on a card is remembered: a third filing within the hour goes through.
REMEMBERED = timedelta(hours=1)

# More redemptions of one card within an hour than this are no double clicks; the oldest are
# forgotten, so that the card's item stays small.
MOST_REMEMBERED = 50


@dataclass(frozen=True, slots=True)
class RecentRedemption:
    """One redemption of a card as its item remembers it: charged (or about to be), or refused."""

    operation: str
    store_id: str
    amount: Money
    at: datetime
    was_refused: bool


def still_remembered(
    recent: Iterable[RecentRedemption], *, now: datetime
) -> list[RecentRedemption]:
    """Those of the last hour, oldest first, at most `MOST_REMEMBERED`."""
    young = [one for one in recent if now - one.at < REMEMBERED]
    return sorted(young, key=lambda one: one.at)[-MOST_REMEMBERED:]


def alike(
    recent: Iterable[RecentRedemption], *, operation: str, store_id: str, amount: Money
) -> list[RecentRedemption]:
    """Other redemptions of the same amount by the same store, newest first."""
    others = [
        one
        for one in recent
        if one.operation != operation and one.store_id == store_id and one.amount == amount
    ]
    return sorted(others, key=lambda one: one.at, reverse=True)


def earlier_filing(
    like_it: Iterable[RecentRedemption], *, now: datetime, window: timedelta
) -> RecentRedemption | None:
    """The charge that a new filing may repeat, or `None` if it is a redemption of its own.

    `like_it` comes from `alike`, without charges known to have failed. A filing that was refused as
    a duplicate after that charge means that this is the third: the store insists, and it counts.
    """
    for one in like_it:
        if one.was_refused:
            return None
        if now - one.at < window:
            return one
    return None
