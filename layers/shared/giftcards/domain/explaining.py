"""What of a card's balance is explained by what we know, and what is not.

    balance = what the card began with + every line of its ledger + what nobody explains

Lines are what stores took, what orders took and gave back, what the office gave back. Something can
be on its way, and then a part is unexplained for a while: a debit whose reply has not come, an
order that the search shows late. So only what stands unchanged for some minutes counts.

An order that is authorised and not captured keeps money back. Whether Shopify takes it off the card
then or at the capture is not published, so a balance is explained either way.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum, auto

from giftcards.domain.cards import Card, Movement
from giftcards.domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a card looked when it was last read, and what of its balance nothing explained then.

    `updated_at` is Shopify's. `changes` counts what somebody changed on the card besides its
    balance. `base` is what the card began with, where that is not its initial value: `None` until
    it is known. `open` is the unexplained part, and `open_since` when it was first seen as it is.
    """

    updated_at: datetime | None = None
    balance: Money | None = None
    is_disabled: bool = False
    expires_on: date | None = None
    changes: int = 0
    base: Money | None = None
    open: Money | None = None
    open_since: datetime | None = None


class Verdict(Enum):
    """What follows from a look at a balance."""

    EXPLAINED = auto()
    WAIT = auto()  # something may be on its way
    ENTER_BASE = auto()  # what stands is what the card began with
    ADJUST = auto()  # what stands is to be entered as a movement that nothing explains


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, and the look to be kept with it."""

    verdict: Verdict
    look: Look


def judge_balance(
    look: Look,
    balance: Money,
    *,
    began_with: Money | None,
    lines: Iterable[Money],
    reserved: Iterable[Money],
    now: datetime,
    patience: timedelta,
) -> Judged:
    """Judge a card's balance against its ledger.

    `began_with` is what a card is known to have begun with; `None` for one from before our time: it
    began with whatever stands unexplained for the length of our patience. `lines` and `reserved`
    are the ledger's. Raises `MoneyError` where a line is of another currency than the balance.
    """
    zero = Money.zero(balance.currency)
    kept_back = sum(reserved, zero)
    left = balance - sum(lines, zero)
    base = look.base if began_with is None else began_with
    if base is not None:
        left -= base
        if left in {zero, -kept_back}:
            return Judged(Verdict.EXPLAINED, replace(look, open=None, open_since=None))
    stands = look.open == left and look.open_since is not None
    since = look.open_since if stands and look.open_since is not None else now
    waiting = replace(look, open=left, open_since=since)
    if now - since < patience:
        return Judged(Verdict.WAIT, waiting)
    if base is not None:
        return Judged(Verdict.ADJUST, waiting)
    if kept_back != zero:  # how much of it is off the balance already cannot be told
        return Judged(Verdict.WAIT, waiting)
    return Judged(Verdict.ENTER_BASE, replace(look, base=left, open=None, open_since=None))


def movements_behind(
    unexplained: Money, movements: Iterable[Movement], *, told: Collection[str]
) -> tuple[Movement, ...]:
    """Which of a card's movements (the newest first) make up what nothing explains.

    `told` are the ids of those that were told of before. The newest that come to the amount, or
    none: then what it was cannot be told.
    """
    rest = unexplained
    found: list[Movement] = []
    for movement in movements:
        if movement.id in told or movement.amount.currency != rest.currency:
            continue
        found.append(movement)
        rest -= movement.amount
        if rest.minor == 0:
            return tuple(found)
    return ()


def without_orders(
    movements: Iterable[Movement], lines: Mapping[str, Money], *, of_orders: tuple[str, ...]
) -> list[Movement]:
    """The movements that are none of the orders' that the ledger knows.

    Whether the checkout writes movements at all is not published; those that it writes carry no
    note. `of_orders` are how the keys of orders' lines begin.
    """
    paid = [amount for key, amount in lines.items() if key.startswith(of_orders)]
    left = []
    for movement in movements:
        if not movement.note and movement.amount in paid:
            paid.remove(movement.amount)
        else:
            left.append(movement)
    return left


def what_changed(look: Look, card: Card) -> tuple[str, ...]:
    """What somebody changed on a card since the last look, besides its balance, in words."""
    found = []
    if is_disabled(card) != look.is_disabled:
        found.append(
            "The card was deactivated." if is_disabled(card) else "The card is active again."
        )
    if card.expires_on != look.expires_on:
        found.append(f"Its last day is {_day(card.expires_on)}; it was {_day(look.expires_on)}.")
    return tuple(found)


def is_as_seen(look: Look, card: Card, updated_at: datetime | None) -> bool:
    """Whether nothing has changed since the last look. Shopify's times are whole seconds.

    So two changes within one are told apart by what they changed.
    """
    seen = as_seen(look, card, updated_at)
    return seen == look


def as_seen(look: Look, card: Card, updated_at: datetime | None) -> Look:
    """The look with the card as it is now; `updated_at` is `None` where nobody told it."""
    return replace(
        look,
        updated_at=updated_at or look.updated_at,
        balance=card.balance,
        is_disabled=is_disabled(card),
        expires_on=card.expires_on,
    )


def is_disabled(card: Card) -> bool:
    """Whether a card is out of use, for ever."""
    return card.deactivated_at is not None or not card.enabled


def _day(day: date | None) -> str:
    return "none" if day is None else day.isoformat()
