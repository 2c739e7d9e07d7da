"""The web shop's part of the seeded day on the deployed stack: each order ends as it is to."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from giftcards.flows.kinds import held_order_key
from giftcards.flows.sale import issue_key
from sandbox.demo import OFFICE_EMAIL, Sandbox
from sandbox.inbox import ReceivedMail
from sandbox.seed_orders import ExpectedOfOrder, SeededOrder
from sandbox.shopify import GiftCard, Order
from sandbox.shopify.catalog import RECIPIENT_EMAIL, SEND_ON
from sandbox.shopify.orders import LineItem
from tests.cloudformation import load_template
from tests.deployed.stack import Stack, wait_until

pytestmark = [pytest.mark.deployed, pytest.mark.sockets]

# Two writers share Airtable's few calls a second with the day's redemptions and sales, and whoever
# is too quick for Airtable waits for half a minute.
DAY_SECONDS = 300

# Two looks, after which whatever would happen twice has happened twice.
TWO_LOOKS_SECONDS = 35

TAG = "gift-cards-processed"

# A row of an order that was paid by card, or gave something back to one: which way it went.
SIGNS = {"Payment": -1, "Refund": 1}

HISTORICAL = "a card from before our time was used on the web"


def orders_of(sandbox: Sandbox, *expected: ExpectedOfOrder) -> Iterator[tuple[SeededOrder, Order]]:
    """The seeded orders that are to end so, with the shop's own view of each."""
    for seeded in sandbox.day.orders:
        order = sandbox.shop.orders.find(seeded.id)
        assert order is not None
        if seeded.expected in expected:
            yield seeded, order


def number_of(seeded: SeededOrder) -> str:
    return seeded.id.rpartition("/")[2]


def rows_of(sandbox: Sandbox, seeded: SeededOrder) -> list[dict[str, Any]]:
    """The rows about an order in `Processed Orders`, that of what it sold first."""
    number = number_of(seeded)
    rows = [record["fields"] for record in sandbox.base.table("Processed Orders").records()]
    return [row for row in rows if row["Order ID"].partition("/")[0] == number]


def mirror(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """The rows of `Gift Cards`, by the cards' ids at Shopify; `id` is the row's own."""
    records = sandbox.base.table("Gift Cards").records()
    return {row["fields"]["Shopify ID"]: row["fields"] | {"id": row["id"]} for row in records}


def receipts_of(sandbox: Sandbox, action: str, *, about: str) -> list[dict[str, Any]]:
    """The receipts of an action whose actor, operation or details name something."""
    rows = [record["fields"] for record in sandbox.base.table("Receipts").records()]
    return [
        row
        for row in rows
        if row["Action"] == action
        and any(about in row.get(cell, "") for cell in ("Actor", "Operation", "Details"))
    ]


def cards_of_line(sandbox: Sandbox, line: LineItem) -> list[GiftCard]:
    """The cards at Shopify that were made for a line: their notes name it and the unit."""
    notes = {issue_key(str(line.number), unit) for unit in range(1, line.quantity + 1)}
    return [card for card in sandbox.shop.cards if (card.note or "") in notes]


def cards_of(sandbox: Sandbox, order: Order) -> list[GiftCard]:
    return [card for line in order.lines for card in cards_of_line(sandbox, line)]


def is_sent_later(line: LineItem) -> bool:
    return SEND_ON in dict(line.properties)


def mailed(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Whom Klaviyo was told to send which codes, without their blanks."""
    return [
        (event.profile, str(card["code"]).replace(" ", "").lower())
        for event in sandbox.klaviyo.events
        if event.metric == "Gift Card Delivered"
        for card in json.loads(json.dumps(event.properties["cards"]))
    ]


def held_mails(sandbox: Sandbox, seeded: SeededOrder) -> list[ReceivedMail]:
    line = f"Reference: {held_order_key(number_of(seeded))}"
    return [mail for mail in sandbox.inbox.mails() if line in mail.text.splitlines()]


def is_over(sandbox: Sandbox, seeded: SeededOrder, order: Order) -> bool:
    """Whether all that follows from an order can be seen."""
    rows = rows_of(sandbox, seeded)
    match seeded.expected:
        case ExpectedOfOrder.ISSUED:
            due = [line for line in order.lines if not is_sent_later(line)]
            codes = {code for _, code in mailed(sandbox)}
            made = [card for line in due for card in cards_of_line(sandbox, line)]
            return (
                TAG in order.tags
                and len(rows) == 1
                and len(rows[0].get("Gift Cards", ())) == seeded.cards_to_make
                and {card.code for card in made} <= codes
                and "Sent: " in rows[0].get("Message", "")
            )
        case ExpectedOfOrder.NO_CARD:
            return TAG in order.tags and bool(rows)
        case ExpectedOfOrder.HELD:
            return bool(rows) and bool(held_mails(sandbox, seeded))
        case ExpectedOfOrder.SPENT:
            return moved_by_rows(sandbox, seeded) == dict(seeded.moved)
        case ExpectedOfOrder.MIRRORED:
            (card_id,) = order.lines[0].native_card_ids
            return card_id in mirror(sandbox)
        case _:
            return True


def moved_by_rows(sandbox: Sandbox, seeded: SeededOrder) -> dict[str, Decimal]:
    """What an order did to cards, as its rows say, by the cards' ids at Shopify."""
    names = {row["id"]: card_id for card_id, row in mirror(sandbox).items()}
    moved: dict[str, Decimal] = {}
    for row in rows_of(sandbox, seeded):
        for card in row.get("Gift Cards", ()) if row["Kind"] in SIGNS else ():
            amount = SIGNS[row["Kind"]] * Decimal(str(row["Amount"]))
            moved[names[card]] = moved.get(names[card], Decimal(0)) + amount
    return moved


def worth(rows: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(str(row["Amount"])) for row in rows), Decimal(0))


@pytest.fixture(scope="module")
def day_is_over(sandbox: Sandbox, stack: Stack) -> None:
    """All that is to follow from the day's orders has followed, and nothing follows again."""

    def unfinished() -> list[str]:
        everything = orders_of(sandbox, *ExpectedOfOrder)
        return [each.why for each, order in everything if not is_over(sandbox, each, order)]

    wait_until(
        lambda: not unfinished() and stack.has_nothing_on_its_way(),
        seconds=DAY_SECONDS,
        what="the day's orders are done with",
    )
    over = datetime.now(UTC) + timedelta(seconds=TWO_LOOKS_SECONDS)
    wait_until(
        lambda: datetime.now(UTC) >= over, seconds=2 * TWO_LOOKS_SECONDS, what="two more looks"
    )


@pytest.mark.usefixtures("day_is_over")
def test_every_unit_that_was_paid_is_one_card_and_the_order_is_tagged(sandbox: Sandbox) -> None:
    for seeded, order in orders_of(sandbox, ExpectedOfOrder.ISSUED):
        made = cards_of(sandbox, order)
        (row,) = rows_of(sandbox, seeded)
        mirrored = mirror(sandbox)

        assert len(made) == seeded.cards_to_make, seeded.why
        assert len({card.note for card in made}) == len(made)
        prices = [line.price for line in order.lines for _ in cards_of_line(sandbox, line)]
        assert [card.initial_value for card in made] == prices
        assert list(order.tags) == [TAG], seeded.why
        assert (row["Kind"], row["Status"]) == ("Purchase", "Processed")
        assert Decimal(str(row["Amount"])) == sum(prices)
        assert sorted(row["Gift Cards"]) == sorted(mirrored[card.id]["id"] for card in made)
        for card in made:
            assert Decimal(str(mirrored[card.id]["Balance"])) == card.balance
            assert mirrored[card.id]["Source"] == "Web"
            (receipt,) = receipts_of(sandbox, "Sell on the web", about=str(card.note))
            assert Decimal(str(receipt["Amount"])) == card.initial_value


@pytest.mark.usefixtures("day_is_over")
def test_every_card_is_mailed_once_to_its_recipient_and_not_before_its_day(
    sandbox: Sandbox,
) -> None:
    sent = Counter(mailed(sandbox))
    for seeded, order in orders_of(sandbox, ExpectedOfOrder.ISSUED):
        recipients = set()
        for line in order.lines:
            recipient = dict(line.properties).get(RECIPIENT_EMAIL, order.email)
            for card in cards_of_line(sandbox, line):
                assert recipient is not None
                recipients.add(recipient)
                assert mirror(sandbox)[card.id]["Owner Email"] == recipient
                to = {who: count for (who, code), count in sent.items() if code == card.code}
                assert to == ({} if is_sent_later(line) else {recipient: 1}), seeded.why
        assert recipients == seeded.recipients, seeded.why
        later = [line for line in order.lines if is_sent_later(line)]
        (row,) = rows_of(sandbox, seeded)
        assert ("To be sent on" in row["Message"]) == bool(later)


@pytest.mark.usefixtures("day_is_over")
def test_what_orders_took_off_cards_is_shown_to_the_cent(sandbox: Sandbox) -> None:
    for seeded, order in orders_of(sandbox, ExpectedOfOrder.SPENT):
        steps = [each for each in order.transactions if each.card_id is not None]
        moving = [each for each in steps if each.kind != "AUTHORIZATION"]

        assert moved_by_rows(sandbox, seeded) == dict(seeded.moved), seeded.why
        assert len(rows_of(sandbox, seeded)) == len(moving) > 0
        # The order sold no card of ours, so nothing of it is ours to tag.
        assert order.tags == []
        paid = receipts_of(sandbox, "Pay on the web", about=f"order {order.name}")
        back = receipts_of(sandbox, "Refund on the web", about=f"order {order.name}")
        assert len(paid) + len(back) == len(moving)
        assert worth(back) - worth(paid) == sum(seeded.moved.values())
        for card_id in seeded.moved:
            balance = mirror(sandbox)[card_id]["Balance"]
            assert Decimal(str(balance)) == sandbox.shop.card(card_id).balance


@pytest.mark.usefixtures("day_is_over")
def test_the_office_is_told_once_of_what_is_held_and_no_card_is_made(sandbox: Sandbox) -> None:
    for seeded, order in orders_of(sandbox, ExpectedOfOrder.HELD):
        (row,) = rows_of(sandbox, seeded)
        (mail,) = held_mails(sandbox, seeded)
        (receipt,) = receipts_of(sandbox, "Order without card", about=f"order {order.name}")

        assert (row["Kind"], row["Status"]) == ("Purchase", "Held"), seeded.why
        assert "Gift Cards" not in row
        assert mail.to == OFFICE_EMAIL
        assert mail.subject == "A web order waits for the office"
        assert order.name in mail.text
        assert receipt["Outcome"] == "Failed"
        assert cards_of(sandbox, order) == []
        assert order.tags == []


@pytest.mark.usefixtures("day_is_over")
def test_an_order_that_is_worth_no_card_says_why(sandbox: Sandbox) -> None:
    for seeded, order in orders_of(sandbox, ExpectedOfOrder.NO_CARD):
        (row,) = rows_of(sandbox, seeded)
        (receipt,) = receipts_of(sandbox, "Order without card", about=f"order {order.name}")

        assert (row["Kind"], row["Status"]) == ("Purchase", "No Card"), seeded.why
        assert row["Message"].startswith("No card is made: ")
        assert receipt["Outcome"] == "Done"
        assert cards_of(sandbox, order) == []
        assert list(order.tags) == [TAG]


@pytest.mark.usefixtures("day_is_over")
def test_an_order_that_nobody_has_assessed_or_paid_waits(sandbox: Sandbox) -> None:
    patience = load_template()["Parameters"]["RiskPatienceSeconds"]["Default"]
    for seeded, order in orders_of(sandbox, ExpectedOfOrder.WAITS):
        assert cards_of(sandbox, order) == [], seeded.why
        assert order.tags == []
        age = sandbox.shop.now() - order.processed_at
        if rows := rows_of(sandbox, seeded):
            # Shopify was waited for long enough: the office is asked.
            assert not order.risk.is_assessed
            assert age >= timedelta(seconds=patience)
            assert [row["Status"] for row in rows] == ["Held"]
        else:
            assert held_mails(sandbox, seeded) == []


@pytest.mark.usefixtures("day_is_over")
def test_a_card_that_shopify_made_is_shown_and_neither_made_nor_mailed_again(
    sandbox: Sandbox,
) -> None:
    for _, order in orders_of(sandbox, ExpectedOfOrder.MIRRORED):
        (card_id,) = order.lines[0].native_card_ids
        card, row = sandbox.shop.card(card_id), mirror(sandbox)[card_id]
        (receipt,) = receipts_of(sandbox, "Made at Shopify", about=card_id.rpartition("/")[2])

        assert Decimal(str(row["Balance"])) == card.balance == card.initial_value
        assert (row["Card"], row["Source"]) == (f"•••• {card.code[-4:]}", "Shopify")
        assert Decimal(str(receipt["Amount"])) == card.initial_value
        assert card.code not in {code for _, code in mailed(sandbox)}
        (mail,) = [mail for mail in sandbox.inbox.mails() if mail.to == order.email]
        assert mail.channel == "shopify"
        assert order.tags == []


@pytest.mark.usefixtures("day_is_over")
def test_a_card_from_before_the_go_live_is_noted_once_and_skipped(
    sandbox: Sandbox, stack: Stack
) -> None:
    for seeded, order in orders_of(sandbox, ExpectedOfOrder.SKIPPED):
        (payment,) = [each for each in order.transactions if each.card_id is not None]
        logged = [json.loads(line) for line in stack.log_lines() if HISTORICAL in line]

        assert [each["payment"] for each in logged] == [payment.id]
        assert rows_of(sandbox, seeded) == []
        assert receipts_of(sandbox, "Pay on the web", about=f"order {order.name}") == []
        assert not set(seeded.moved) & set(mirror(sandbox))


@pytest.mark.usefixtures("day_is_over")
def test_nothing_is_done_about_orders_without_gift_cards_or_from_before(sandbox: Sandbox) -> None:
    untouched = (ExpectedOfOrder.NOTHING, ExpectedOfOrder.NEVER_TOUCHED)
    for seeded, order in orders_of(sandbox, *untouched):
        assert rows_of(sandbox, seeded) == [], seeded.why
        assert cards_of(sandbox, order) == []
        assert order.tags == []
        assert [mail for mail in sandbox.inbox.mails() if mail.to == order.email] == []
        for record in sandbox.base.table("Receipts").records():
            assert order.name not in str(record["fields"]), seeded.why


@pytest.mark.usefixtures("day_is_over")
def test_all_prongs_fare_well(sandbox: Sandbox) -> None:
    def states() -> dict[str, str]:
        rows = [record["fields"] for record in sandbox.base.table("Status").records()]
        return {row["Prong"]: row["State"] for row in rows}

    prongs = {"store_transactions", "shopify_purchases", "shopify_redemptions"}
    wait_until(
        lambda: prongs <= states().keys(), seconds=DAY_SECONDS, what="all prongs have reported"
    )

    assert set(states().values()) == {"Executing"}
