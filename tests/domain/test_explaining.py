"""What of a balance is explained: at once, after a while, or never."""

from datetime import UTC, date, datetime, timedelta

import pytest

from giftcards.domain.cards import Card, Movement
from giftcards.domain.explaining import (
    Look,
    Verdict,
    as_seen,
    is_as_seen,
    judge_balance,
    movements_behind,
    what_changed,
    without_orders,
)
from giftcards.domain.money import Money, MoneyError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PATIENCE = timedelta(minutes=10)


def usd(cents: int) -> Money:
    return Money(cents, "USD")


def judge(
    look: Look,
    balance: int,
    *lines: int,
    began_with: int | None = 5000,
    reserved: tuple[int, ...] = (),
    now: datetime = NOW,
) -> tuple[Verdict, Look]:
    judged = judge_balance(
        look,
        usd(balance),
        began_with=None if began_with is None else usd(began_with),
        lines=map(usd, lines),
        reserved=map(usd, reserved),
        now=now,
        patience=PATIENCE,
    )
    return judged.verdict, judged.look


@pytest.mark.parametrize(
    ("balance", "lines", "reserved"),
    [
        (5000, (), ()),
        (4000, (-1000,), ()),
        (4500, (-1000, 500), ()),
        (2000, (), (3000,)),  # kept back and off the balance
        (5000, (), (3000,)),  # kept back and not off it yet
        (2000, (-1000,), (3000, -1000)),  # the one,
        (4000, (-1000,), (3000, -1000)),  # and the other, a part of it captured
    ],
)
def test_a_balance_that_lines_come_to_is_explained(
    balance: int, lines: tuple[int, ...], reserved: tuple[int, ...]
) -> None:
    look = Look(open=usd(7), open_since=NOW - timedelta(days=1))
    assert judge(look, balance, *lines, reserved=reserved) == (Verdict.EXPLAINED, Look())


def test_what_is_unexplained_waits_and_is_entered_once_it_stood_long_enough() -> None:
    verdict, look = judge(Look(), 4500)
    assert (verdict, look) == (Verdict.WAIT, Look(open=usd(-500), open_since=NOW))
    verdict, look = judge(look, 4500, now=NOW + PATIENCE - timedelta(seconds=1))
    assert (verdict, look.open_since) == (Verdict.WAIT, NOW)
    assert judge(look, 4500, now=NOW + PATIENCE)[0] is Verdict.ADJUST


def test_another_amount_waits_anew() -> None:
    _, look = judge(Look(), 4500)
    later = NOW + PATIENCE
    verdict, look = judge(look, 4400, now=later)
    assert (verdict, look) == (Verdict.WAIT, Look(open=usd(-600), open_since=later))


def test_a_part_of_what_is_kept_back_explains_nothing() -> None:
    _, look = judge(Look(), 4000, reserved=(3000,))
    assert look.open == usd(-1000)


def test_an_old_card_begins_with_what_stood_long_enough() -> None:
    verdict, look = judge(Look(), 8000, -1000, began_with=None)
    assert (verdict, look.open) == (Verdict.WAIT, usd(9000))
    verdict, look = judge(look, 8000, -1000, began_with=None, now=NOW + PATIENCE)
    assert (verdict, look) == (Verdict.ENTER_BASE, Look(base=usd(9000)))
    assert judge(look, 7500, -1000, -500, began_with=None)[0] is Verdict.EXPLAINED
    assert judge(look, 8500, -1000, began_with=None)[1].open == usd(500)


def test_an_old_card_of_which_something_is_kept_back_waits() -> None:
    _, look = judge(Look(), 8000, began_with=None, reserved=(500,))
    verdict, _ = judge(look, 8000, began_with=None, reserved=(500,), now=NOW + PATIENCE)
    assert verdict is Verdict.WAIT


def test_two_currencies_are_never_reckoned_together() -> None:
    with pytest.raises(MoneyError):
        judge_balance(
            Look(),
            usd(5000),
            began_with=usd(5000),
            lines=[Money(-10, "JPY")],
            reserved=(),
            now=NOW,
            patience=PATIENCE,
        )


def movement(number: int, cents: int, note: str | None = None) -> Movement:
    return Movement(str(number), usd(cents), note, NOW)


NEWEST_FIRST = [movement(4, 300), movement(3, -500, "sorry"), movement(2, -500), movement(1, 200)]


@pytest.mark.parametrize(
    ("amount", "told", "behind"),
    [
        (300, set(), ["4"]),
        (-200, set(), ["4", "3"]),
        (-500, {"4"}, ["3"]),
        (-500, {"4", "3"}, ["2"]),
        (-500, set(), ["4", "3", "2", "1"]),
        (999, set(), []),
    ],
)
def test_the_newest_movements_that_come_to_the_amount_tell(
    amount: int, told: set[str], behind: list[str]
) -> None:
    found = movements_behind(usd(amount), NEWEST_FIRST, told=told)
    assert [one.id for one in found] == behind


def test_an_orders_movement_is_left_out_once_for_each_line() -> None:
    lines = {"order-spend#7": usd(-500), "redemption#rec1": usd(200)}
    left = without_orders(NEWEST_FIRST, lines, of_orders=("order-spend#",))
    assert [one.id for one in left] == ["4", "3", "1"]


def card(*, expires_on: date | None = None, deactivated_at: datetime | None = None) -> Card:
    return Card(
        id="gid://shopify/GiftCard/1",
        last4="6789",
        balance=usd(5000),
        initial_value=usd(5000),
        enabled=deactivated_at is None,
        expires_on=expires_on,
        deactivated_at=deactivated_at,
        created_at=NOW,
    )


def test_a_change_of_state_is_told_in_words() -> None:
    look = as_seen(Look(), card(), NOW)
    assert what_changed(look, card()) == ()
    assert what_changed(look, card(deactivated_at=NOW, expires_on=date(2030, 1, 31))) == (
        "The card was deactivated.",
        "Its last day is 2030-01-31; it was none.",
    )
    dead = as_seen(look, card(deactivated_at=NOW), None)
    assert what_changed(dead, card()) == ("The card is active again.",)


def test_a_card_that_changed_twice_within_a_second_is_not_as_it_was_seen() -> None:
    look = as_seen(Look(), card(), NOW)
    assert is_as_seen(look, card(), NOW)
    assert is_as_seen(look, card(), None)
    assert not is_as_seen(look, card(), NOW + timedelta(seconds=1))
    assert not is_as_seen(look, card(expires_on=date(2030, 1, 31)), NOW)
