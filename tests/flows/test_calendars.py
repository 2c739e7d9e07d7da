"""Days are the shop's days: when a card is sent, when it expires, what counts as today."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from giftcards.wiring import now
from tests.world import World, running_world

CODE = "wxyz2345abcd6789"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wait_until(world: World, moment: datetime) -> None:
    world.advance((moment - now()).total_seconds())
    world.sweep()
    world.drain()


@pytest.mark.parametrize(
    ("zone", "day", "hour", "due"),
    [
        ("America/New_York", "2027-03-13", 8, "2027-03-13T13:00"),
        ("America/New_York", "2027-03-14", 8, "2027-03-14T12:00"),
        ("America/New_York", "2027-03-14", 2, "2027-03-14T07:00"),  # there is no two o'clock
        ("America/New_York", "2027-11-06", 8, "2027-11-06T12:00"),
        ("America/New_York", "2027-11-07", 8, "2027-11-07T13:00"),
        ("America/New_York", "2027-11-07", 1, "2027-11-07T05:00"),  # the first of two
        ("Europe/Berlin", "2027-03-28", 8, "2027-03-28T06:00"),
        ("Europe/Berlin", "2027-10-31", 8, "2027-10-31T07:00"),
        ("Australia/Lord_Howe", "2027-04-04", 8, "2027-04-03T21:30"),  # half an hour
        ("Australia/Lord_Howe", "2027-10-03", 8, "2027-10-02T21:00"),
        ("Pacific/Apia", "2011-12-29", 8, "2011-12-29T18:00"),
        ("Pacific/Apia", "2011-12-30", 8, "2011-12-30T18:00"),  # a day that never came
        ("Pacific/Apia", "2011-12-31", 8, "2011-12-30T18:00"),
    ],
)
def test_a_card_is_sent_at_its_hour_of_the_shops_day(
    zone: str, day: str, hour: int, due: str
) -> None:
    start = at(due) - timedelta(days=3)
    with running_world(
        time_zone=zone, start=start, live_from=start, send_hour=hour, paid_years=5
    ) as world:
        world.sell(Send_On=day)
        world.serve()
        (card,) = [card for card in world.shop.cards if card.note]
        sent_on = date.fromisoformat(day)
        assert card.expires_on == sent_on.replace(year=sent_on.year + 5)
        wait_until(world, at(due) - timedelta(seconds=1))
        assert world.klaviyo.events == []
        wait_until(world, at(due))
        assert len(world.klaviyo.events) == 1


def test_caps_and_digest_follow_the_shops_midnight() -> None:
    """In Auckland it is the 24th while UTC still has the 23rd."""
    with running_world(
        time_zone="Pacific/Auckland",
        start=at("2026-11-23T10:30"),
        live_from=at("2026-11-23T00:00"),
        cap_per_store_and_day=Decimal(100),
    ) as world:

        def sell(amount: int) -> Any:
            row_id = world.sell(Amount=amount)
            world.serve()
            world.advance(60)
            return world.request(row_id)["Status"]

        assert [sell(100), sell(1)] == ["Processed", "Held"]  # 23:30 and 23:31
        world.advance(1800)
        assert [sell(40), sell(61)] == ["Processed", "Held"]  # the 24th has begun
        assert now() < at("2026-11-23T12:00")
        wait_until(world, at("2026-11-23T17:59"))
        digests = [m.subject for m in world.mails() if "sold on" in m.subject]
        assert digests == []
        wait_until(world, at("2026-11-23T18:00"))
        wait_until(world, at("2026-11-24T18:00"))
        first, second = [m.subject for m in world.mails() if "sold on" in m.subject]
        assert ("23 November" in first, "100.00 USD" in first) == (True, True)
        assert ("24 November" in second, "40.00 USD" in second) == (True, True)


def test_a_promotional_card_counts_its_days_from_the_shops_today() -> None:
    with running_world(
        time_zone="Pacific/Auckland",
        start=at("2026-11-23T11:30"),
        live_from=at("2026-11-23T00:00"),
        promotional_days=1,
    ) as world:
        world.sell(Kind="Promotional")
        world.serve()
        (card,) = world.shop.cards
        assert card.expires_on == date(2026, 11, 25)


@pytest.mark.parametrize(
    ("zone", "last_minute"),
    [
        ("Pacific/Auckland", "2026-11-25T10:58"),
        ("America/Los_Angeles", "2026-11-26T07:58"),
    ],
)
def test_a_card_is_good_until_its_last_day_ends_in_the_shop(zone: str, last_minute: str) -> None:
    start = at(last_minute)
    with running_world(time_zone=zone, start=start, live_from=start) as world:
        world.shop.issue_card(code=CODE, amount=50, expires_on=date(2026, 11, 25))
        row_id = world.ask(Gift_Card_Code=CODE)
        world.check_balance(CODE)
        world.serve()
        assert world.row(row_id)["Outcome"] == "REDEEMED"
        assert world.mails()[-1].subject == "Your gift card holds 40.00 USD"
        world.advance(180)
        row_id = world.ask(Gift_Card_Code=CODE, Amount=11)
        world.check_balance(CODE)
        world.serve()
        assert world.row(row_id)["Outcome"] == "CARD_EXPIRED"
        assert "could not find a balance" in world.mails()[-1].subject
