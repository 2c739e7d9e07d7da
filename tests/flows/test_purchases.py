"""The web shop's prong: paid orders become cards, once; the others wait, are held, or make none."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from giftcards.clients.shopify.orders import MOST_LINE_PAGES
from giftcards.errors import VendorSurprise
from giftcards.flows.park import FAILURES_TO_BE_PARKED
from giftcards.flows.serve_purchases import CHANGED, DEATHS_TO_BE_PARKED, UNPROCESSED
from giftcards.store.orders import Orders, Watermark
from giftcards.store.table import Table
from giftcards.wiring import PURCHASES_PRONG, now
from sandbox.faults import Fault
from sandbox.shopify import CartLine, Order, OrderPlan, Pay
from sandbox.shopify.orders import (
    CancelReason,
    DisputeStatus,
    Recommendation,
    SourceName,
)
from tests.template_resources import TABLE_NAME, function_seconds
from tests.world import OFFICE, World, running_world

CASEY = "customer@customers.example.com"
MINA = "mina@example.com"
TAG = "gift-cards-processed"

# As `read_order.graphql` and `order_lines.graphql` ask for.
LINES_A_PAGE = 50

# As `find_orders.graphql` asks for.
ORDERS_A_PAGE = 50

# The shortest that the template takes: a pass that goes over several runs is longer.
OVERLAP_SECONDS = 60


def gift(**more: str) -> dict[str, str]:
    """What the storefront asks of a giver."""
    told = {"Recipient name": "Mina", "Recipient email": MINA, "Message": "With love"}
    return told | {name.replace("_", " "): value for name, value in more.items()}


def buy(
    world: World,
    *lines: CartLine,
    pay: Pay | None = None,
    minutes_ago: float = 1,
    is_paid: bool = True,
    **plan: Any,
) -> Order:
    """A customer buys; one card of 50 unless told otherwise."""
    cart = lines or (CartLine("GIFT-CARD-50"),)
    return world.shop.orders.place(
        cart,
        (pay or Pay()) if is_paid else None,
        plan=OrderPlan(**plan),
        at=now() - timedelta(minutes=minutes_ago),
    )


def minutes(world: World, count: int = 1) -> None:
    """So many minutes of the web shop's prong, and all that follows."""
    for _ in range(count):
        world.buy_tick()
        world.drain()
        world.advance(60)
        world.sweep()
        world.drain()


def cards_of(world: World, order: Order) -> dict[str, Decimal]:
    """The cards that were made for an order: values by reference."""
    lines = {str(line.number) for line in order.lines}
    return {
        str(card.note): card.initial_value
        for card in world.shop.cards
        if card.note and card.note.split("#")[1] in lines
    }


def row_of(world: World, order: Order) -> dict[str, Any]:
    """The order's row in Processed Orders; empty where there is none."""
    rows = [row for row in world.cells("Processed Orders") if row["Order ID"] == str(order.number)]
    assert len(rows) <= 1
    return rows[0] if rows else {}


def delivered(world: World) -> dict[str, list[str]]:
    """The addresses that cards went to, each with the cards' values."""
    went: dict[str, list[str]] = {}
    for event in world.klaviyo.events:
        if event.metric == "Gift Card Delivered":
            went.setdefault(event.profile, []).extend(
                str(card["amount_plain"]) for card in event.properties["cards"]
            )
    return went


def confirmed(world: World) -> list[str]:
    """The purchasers who were told of a gift."""
    return [
        event.profile
        for event in world.klaviyo.events
        if event.metric == "Gift Card Gift Confirmation"
    ]


def office_mails(world: World) -> list[str]:
    """The bodies of the mails to the office."""
    return [mail.body for mail in world.mails() if mail.destinations["ToAddresses"] == [OFFICE]]


def receipts(world: World, action: str) -> list[dict[str, Any]]:
    """The receipts of one action."""
    return [row for row in world.cells("Receipts") if row["Action"] == action]


def operations(world: World, start: str) -> dict[str, Mapping[str, Any]]:
    """The journal's operations whose keys begin so."""
    return {
        str(item["key"]).removeprefix("op#"): item
        for item in world.items()
        if str(item["key"]).startswith(f"op#{start}")
    }


def release(world: World, order: Order) -> None:
    """The office ticks Release on the order's row."""
    (record,) = [
        record
        for record in world.base.table("Processed Orders").records()
        if record["fields"]["Order ID"] == str(order.number)
    ]
    world.base.table("Processed Orders").update(record["id"], {"Release": True})


# ------------------------------------------------------------------------------------ it is taken


def test_each_unit_of_each_line_becomes_a_card_that_is_sent_and_the_order_is_tagged(
    world: World,
) -> None:
    order = buy(
        world, CartLine("GIFT-CARD-25", 2), CartLine("LANTERN-S"), CartLine("GIFT-CARD-100")
    )
    minutes(world, 2)
    first, _, second = order.lines
    assert cards_of(world, order) == {
        f"issue#{first.number}#1": 25,
        f"issue#{first.number}#2": 25,
        f"issue#{second.number}#1": 100,
    }
    assert {address: sorted(values) for address, values in delivered(world).items()} == {
        CASEY: ["100.00", "25.00", "25.00"]
    }
    assert confirmed(world) == []
    assert order.tags == [TAG]
    row = row_of(world, order)
    assert row["Order"] == order.name
    assert row["Kind"] == "Purchase"
    assert row["Status"] == "Processed"
    assert row["Amount"] == 150
    assert row["Message"] == "3 cards made. Sent: 3 cards."
    assert len(row["Gift Cards"]) == 3
    assert not office_mails(world)


def test_a_web_card_says_where_it_comes_from(world: World) -> None:
    order = buy(world)
    minutes(world, 2)
    (receipt,) = receipts(world, "Sell on the web")
    assert receipt["Actor"] == f"Casey Customer, order {order.name}"
    assert receipt["Amount"] == 50
    assert receipt["Outcome"] == "Done"
    (card,) = world.cells("Gift Cards")
    assert card["Source"] == "Web"
    assert card["Owner Email"] == CASEY
    assert card["Kind"] == "Paid"
    assert "Store" not in card
    assert world.cells("Creation Requests") == []


def test_a_gift_goes_to_its_recipient_and_the_purchaser_is_told(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-100", 1, gift(Theme="birthday")))
    minutes(world, 2)
    assert delivered(world) == {MINA: ["100.00"]}
    assert confirmed(world) == [CASEY]
    (event,) = [one for one in world.klaviyo.events if one.profile == MINA]
    assert event.properties["message"] == "With love"
    assert event.properties["theme"] == "birthday"
    assert event.properties["giver"] == "Casey Customer"
    assert cards_of(world, order)


def test_a_gift_waits_for_its_day(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-25", 2, gift(Send_on="2026-11-26")))
    minutes(world, 2)
    assert delivered(world) == {}
    assert confirmed(world) == [CASEY]
    assert row_of(world, order)["Message"] == "2 cards made. To be sent on 2026-11-26: 2 cards."
    world.advance(3 * 24 * 3600)
    minutes(world, 2)
    assert delivered(world) == {MINA: ["25.00", "25.00"]}
    assert row_of(world, order)["Message"] == "2 cards made. Sent: 2 cards."


def test_what_a_giver_mistyped_keeps_no_card_from_its_owner(world: World) -> None:
    wrong = gift(Theme="Nonsense", Send_on="soon") | {"Recipient email": "mina at example"}
    order = buy(world, CartLine("GIFT-CARD-25", 1, wrong))
    minutes(world, 2)
    assert delivered(world) == {CASEY: ["25.00"]}
    assert confirmed(world) == []
    message = row_of(world, order)["Message"]
    assert "not one mail address: the purchaser gets the card" in message
    assert "the card goes now" in message
    assert "example" not in message


def test_a_code_in_a_gifts_message_is_hidden(world: World) -> None:
    world.shop.issue_card(code="wxyz2345abcd6789", amount=5)
    order = buy(world, CartLine("GIFT-CARD-25", 1, gift(Message="spend wxyz2345abcd6789 too")))
    minutes(world, 2)
    assert cards_of(world, order)
    assert "wxyz2345abcd6789" not in str(world.items())


def test_the_shops_own_names_for_what_it_asks() -> None:
    names = {"Recipient Email": "An wen?", "Gift Message": "Gruß"}
    with running_world(order_properties=names) as world:
        told = {"an wen?": MINA, "Gruß": "Alles Gute"}
        buy(world, CartLine("GIFT-CARD-25", 1, told))
        minutes(world, 2)
        assert delivered(world) == {MINA: ["25.00"]}
        assert world.klaviyo.events[0].properties["message"] == "Alles Gute"


def test_a_shop_without_skus_is_left_alone() -> None:
    with running_world(gift_card_skus=()) as world:
        buy(world)
        world.effects.forget()
        minutes(world)
        assert not [name for name in world.effects.seen if "query" in name]
        assert not world.shop.cards


def test_native_lines_are_shopifys(world: World) -> None:
    (native,) = [each for each in world.shop.orders.products if each.is_gift_card]
    order = buy(world, CartLine(native.variants[0].id), CartLine("GIFT-CARD-25"))
    minutes(world, 2)
    assert list(cards_of(world, order).values()) == [25]
    assert row_of(world, order)["Amount"] == 25


def test_a_sku_counts_whatever_its_capitals() -> None:
    with running_world(gift_card_skus=("gift-card-50",)) as world:
        order = buy(world)
        minutes(world)
        assert len(cards_of(world, order)) == 1


def test_a_large_order_fits(world: World) -> None:
    """Five hundred cards in a hundred lines, each with the longest texts."""
    told = gift(Message="\N{GRINNING FACE}" * 500) | {"Recipient name": "\N{GRINNING FACE}a" * 50}
    order = buy(world, *[CartLine("GIFT-CARD-25", 5, told) for _ in range(100)])
    world.buy_tick()
    entries = operations(world, f"order#{order.number}")
    assert len(entries) == 3
    assert sum(len(entry["snapshot"]["units"]) for entry in entries.values()) == 100
    # An item of DynamoDB holds 400 KB.
    assert all(len(str(entry).encode()) < 400_000 for entry in entries.values())
    assert len(operations(world, "sale#")) == 100
    assert len(operations(world, "tag#")) == 1


# -------------------------------------------------------------------------- it waits, or it is held


def test_an_order_that_is_not_paid_is_left_alone_until_it_is(world: World) -> None:
    order = buy(world, is_paid=False)
    minutes(world, 2)
    assert not cards_of(world, order)
    assert row_of(world, order) == {}
    assert order.tags == []
    world.shop.orders.pay(order.id, Pay())
    minutes(world, 2)
    assert len(cards_of(world, order)) == 1


def test_an_order_waits_for_its_assessment(world: World) -> None:
    order = buy(world, risk_after_seconds=300)
    minutes(world, 3)
    assert not cards_of(world, order)
    assert row_of(world, order) == {}
    world.advance(120)
    minutes(world, 2)
    assert len(cards_of(world, order)) == 1
    assert not office_mails(world)


def test_an_assessment_that_never_comes_is_waited_for_no_longer_than_the_patience(
    world: World,
) -> None:
    order = buy(world, risk_after_seconds=10**6, minutes_ago=8)
    minutes(world)
    assert row_of(world, order) == {}
    minutes(world, 3)
    assert row_of(world, order)["Status"] == "Held"
    assert not cards_of(world, order)
    assert "has not assessed" in office_mails(world)[0]


def test_a_shop_may_issue_what_was_never_assessed() -> None:
    with running_world(issues_unassessed=True) as world:
        order = buy(world, risk_after_seconds=10**6, minutes_ago=11)
        minutes(world)
        assert len(cards_of(world, order)) == 1


def test_an_order_of_a_till_is_never_assessed_and_goes_on_at_once(world: World) -> None:
    order = buy(world, source_name=SourceName.POS)
    minutes(world)
    assert len(cards_of(world, order)) == 1


@pytest.mark.parametrize("advice", [Recommendation.CANCEL, Recommendation.INVESTIGATE])
def test_a_risky_order_is_held_and_the_office_is_told_once(
    world: World, advice: Recommendation, capsys: pytest.CaptureFixture[str]
) -> None:
    order = buy(world, risk=advice)
    minutes(world, 12)
    assert not cards_of(world, order)
    assert order.tags == []
    row = row_of(world, order)
    assert row["Status"] == "Held"
    assert f"advises to {str(advice).lower()} it" in row["Message"]
    (mail,) = office_mails(world)
    assert order.name in mail
    (receipt,) = receipts(world, "Order without card")
    assert receipt["Outcome"] == "Failed"
    assert receipt["Details"].startswith("HELD: ")
    assert capsys.readouterr().out.count('"Parked":[1.0]') == 1


def test_the_office_releases_an_order(world: World) -> None:
    order = buy(world, risk=Recommendation.CANCEL)
    minutes(world, 2)
    release(world, order)
    minutes(world, 2)
    assert len(cards_of(world, order)) == 1
    assert order.tags == [TAG]
    assert row_of(world, order)["Status"] == "Processed"
    assert row_of(world, order)["Message"] == "1 card made. Sent: 1 card."
    assert len(office_mails(world)) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (CartLine("GIFT-CARD-50", discount=Decimal(5)), "sold below its value"),
        (CartLine("GIFT-CARD-50", discount=Decimal(50)), "sold below its value"),
        (CartLine("GIFT-CARD-50", sold_in="EUR"), "sold in another currency"),
    ],
)
def test_a_card_that_costs_less_than_it_is_worth_waits_for_the_office(
    world: World, line: CartLine, words: str
) -> None:
    order = buy(world, line)
    minutes(world, 12)
    assert not cards_of(world, order)
    assert row_of(world, order)["Status"] == "Held"
    assert words in row_of(world, order)["Message"]
    (mail,) = office_mails(world)
    assert words in mail
    release(world, order)
    minutes(world, 2)
    assert list(cards_of(world, order).values()) == [Decimal(50)]


def test_nobody_asks_airtable_while_nothing_is_held(world: World) -> None:
    buy(world)
    world.effects.forget()
    world.buy_tick()
    assert not [name for name in world.effects.seen if "/v0/" in name]


def test_shopify_thinks_better_of_it(world: World) -> None:
    order = buy(world, risk=Recommendation.INVESTIGATE)
    minutes(world, 2)
    world.shop.orders.assess(order.id, Recommendation.ACCEPT)
    minutes(world, 7)
    assert len(cards_of(world, order)) == 1
    assert row_of(world, order)["Status"] == "Processed"


def test_an_order_without_an_address_waits_for_one(world: World) -> None:
    order = buy(world, email=None)
    minutes(world, 2)
    assert row_of(world, order)["Status"] == "Held"
    assert "add one to the order in Shopify" in row_of(world, order)["Message"]
    release(world, order)  # a release makes no address
    minutes(world, 2)
    assert not cards_of(world, order)
    order.email = CASEY
    world.shop.orders.add_tags(order.id, ["touched"])
    minutes(world, 2)
    assert delivered(world) == {CASEY: ["50.00"]}


def test_a_gift_needs_no_address_of_its_purchaser(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-25", 1, gift()), email=None)
    minutes(world, 2)
    assert delivered(world) == {MINA: ["25.00"]}
    assert confirmed(world) == []
    assert row_of(world, order)["Status"] == "Processed"


def test_a_line_without_an_address_holds_the_order(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-25", 1, gift()), CartLine("GIFT-CARD-50"), email=None)
    minutes(world, 2)
    assert row_of(world, order)["Status"] == "Held"
    assert not cards_of(world, order)


def test_a_chargeback_before_the_cards_are_made_holds_the_order(world: World) -> None:
    order = buy(world)
    world.shop.orders.charge_back(order.id)
    minutes(world, 2)
    assert row_of(world, order)["Status"] == "Held"
    assert "chargeback" in row_of(world, order)["Message"]
    world.shop.orders.decide_dispute(order.id, DisputeStatus.WON)
    minutes(world, 2)
    assert len(cards_of(world, order)) == 1


def test_a_reason_of_which_the_office_was_not_told_is_not_released_by_an_old_tick(
    world: World,
) -> None:
    order = buy(world, email=None, risk=Recommendation.INVESTIGATE)
    minutes(world, 2)
    release(world, order)
    minutes(world, 2)
    world.shop.orders.charge_back(order.id)
    minutes(world, 2)
    assert len(office_mails(world)) == 2
    assert "Untick Release" in row_of(world, order)["Message"]
    order.email = CASEY
    world.shop.orders.add_tags(order.id, ["touched"])
    minutes(world, 2)
    assert not cards_of(world, order)
    (record,) = world.base.table("Processed Orders").records()
    world.base.table("Processed Orders").update(record["id"], {"Release": False})
    minutes(world, 7)
    assert not cards_of(world, order)
    release(world, order)
    minutes(world, 2)
    assert len(cards_of(world, order)) == 1


def test_a_tick_of_before_counts_for_nothing_new_while_airtable_is_away(world: World) -> None:
    order = buy(world, email=None, risk=Recommendation.INVESTIGATE)
    minutes(world, 2)
    release(world, order)
    minutes(world, 2)
    world.shop.orders.charge_back(order.id)
    world.base.faults.add(Fault.FAIL_BEFORE, times=None)
    world.buy_tick()  # the second notice is written, and nobody can see the tick
    world.advance(400)
    world.buy_tick()  # nor now
    world.base.faults.clear()
    order.email = CASEY
    world.shop.orders.add_tags(order.id, ["touched"])
    minutes(world, 8)
    assert "Untick Release" in row_of(world, order)["Message"]
    assert not cards_of(world, order)


def test_airtable_being_away_keeps_no_order_from_its_cards(world: World) -> None:
    buy(world, risk=Recommendation.CANCEL)
    minutes(world, 2)
    world.base.faults.add(Fault.FAIL_BEFORE, times=None)
    order = buy(world)
    world.buy_tick()
    assert len(operations(world, f"sale#{order.lines[0].number}")) == 1


# ----------------------------------------------------------------------------- around the go-live


def test_what_was_paid_before_the_go_live_is_never_touched(world: World) -> None:
    order = buy(world, minutes_ago=120)
    world.shop.orders.add_tags(order.id, ["touched by the office"])
    before = list(order.tags)
    minutes(world, 3)
    assert order.tags == before
    assert not cards_of(world, order)
    assert not operations(world, f"order#{order.number}")
    assert not operations(world, f"held-order#{order.number}")


def test_an_order_paid_in_part_before_the_go_live_is_held(world: World) -> None:
    order = buy(world, minutes_ago=120)
    world.shop.orders.edit(order.id, add=[CartLine("GIFT-CARD-25")])
    world.shop.orders.pay(order.id, Pay())
    minutes(world, 2)
    assert row_of(world, order)["Status"] == "Held"
    assert not cards_of(world, order)
    release(world, order)
    minutes(world, 2)
    assert len(cards_of(world, order)) == 2


# -------------------------------------------------------------------------------- it makes no card


@pytest.mark.parametrize("what", ["cancelled", "refunded", "test", "emptied"])
def test_an_order_that_makes_no_card_says_why_once(world: World, what: str) -> None:
    order = buy(world, CartLine("GIFT-CARD-50"), CartLine("LANTERN-S"), is_test=what == "test")
    if what == "cancelled":
        world.shop.orders.cancel(order.id, CancelReason.CUSTOMER)
    elif what == "refunded":
        world.shop.orders.refund(order.id)
    elif what == "emptied":
        world.shop.orders.refund(order.id, units={order.lines[0].id: 1})
    minutes(world, 3)
    assert not world.shop.cards
    assert order.tags == [TAG]
    (receipt,) = receipts(world, "Order without card")
    assert receipt["Outcome"] == "Done"
    assert receipt["Details"].startswith("NO_CARD: ")
    row = row_of(world, order)
    assert row["Status"] == "No Card"
    assert row["Message"].startswith("No card is made: ")
    assert "Amount" not in row
    assert not office_mails(world)


def test_an_order_held_and_then_cancelled_makes_no_card(world: World) -> None:
    order = buy(world, risk=Recommendation.CANCEL)
    minutes(world, 2)
    world.shop.orders.cancel(order.id, CancelReason.FRAUD)
    minutes(world, 2)
    assert not world.shop.cards
    assert row_of(world, order)["Status"] == "No Card"
    assert order.tags == [TAG]


def test_an_order_never_paid_and_cancelled_is_no_matter_of_ours(world: World) -> None:
    order = buy(world, is_paid=False)
    world.shop.orders.cancel(order.id)
    minutes(world, 2)
    assert order.tags == []
    assert row_of(world, order) == {}


def test_of_a_partly_refunded_order_what_is_left_counts(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-25", 3))
    world.shop.orders.refund(order.id, units={order.lines[0].id: 1})
    minutes(world, 2)
    assert len(cards_of(world, order)) == 2
    assert order.tags == [TAG]


# ----------------------------------------------------------------------------------- once, for ever


def test_a_tag_taken_away_makes_no_second_card(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    order = buy(world)
    minutes(world, 2)
    world.shop.orders.remove_tags(order.id, [TAG])
    minutes(world, 2)
    world.effects.forget()
    caplog.clear()
    world.buy_tick()
    # It is known: it costs neither a read by its id nor a write.
    assert not [name for name in world.effects.seen if "ReadOrder" in name]
    (noted,) = [one for one in caplog.records if "were dealt with" in one.message]
    assert vars(noted)["orders"] == 1
    assert len(cards_of(world, order)) == 1


def test_an_order_that_somebody_else_has_tagged_makes_no_card_without_the_offices_word(
    world: World,
) -> None:
    order = buy(world)
    world.shop.orders.add_tags(order.id, [TAG])
    minutes(world, 3)
    assert not cards_of(world, order)
    assert "has not processed it" in row_of(world, order)["Message"]
    release(world, order)
    minutes(world, 3)
    assert len(cards_of(world, order)) == 1


def test_a_run_with_nothing_new_writes_nothing_about_orders(world: World) -> None:
    buy(world)
    minutes(world, 3)
    before = [item for item in world.items() if str(item["key"]).startswith(("seen#", "water"))]
    world.buy_tick()
    after = [item for item in world.items() if str(item["key"]).startswith(("seen#", "water"))]
    assert after == before


def test_an_order_that_the_search_shows_late_is_found(world: World) -> None:
    world.shop.set_search_lag(1800)
    order = buy(world, minutes_ago=0)
    buy(world, minutes_ago=40)
    minutes(world, 3)
    assert not cards_of(world, order)
    world.advance(1800)
    minutes(world, 2)
    assert len(cards_of(world, order)) == 1


def test_one_order_that_cannot_be_read_stops_no_other(world: World) -> None:
    first, second = buy(world, minutes_ago=5), buy(world, minutes_ago=4)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="order", times=1)
    world.buy_tick()
    world.drain()
    assert not cards_of(world, first)
    assert len(cards_of(world, second)) == 1
    minutes(world, 3)
    assert len(cards_of(world, first)) == 1


def test_shopify_being_away_fails_the_run_and_the_next_one_goes_on(world: World) -> None:
    orders = [buy(world, minutes_ago=9 - n) for n in range(5)]
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="order", times=None)
    assert str(world.buy_tick()) == "failed"
    state = world.app.control.prong(PURCHASES_PRONG)
    assert state is not None
    assert state.is_failing
    world.shop.faults.clear()
    minutes(world, 3)
    assert all(len(cards_of(world, order)) == 1 for order in orders)


# ---------------------------------------------------------------------- how the searches are read


def watermarks(world: World) -> Orders:
    """What the prong remembers of orders; looking has no effect."""
    return Orders(Table(world.dynamodb, name=TABLE_NAME))


def test_a_change_that_shows_up_behind_a_newer_one_is_found_within_the_overlap(
    world: World,
) -> None:
    order = buy(world)
    minutes(world, 2)
    newest = now() + timedelta(seconds=world.config.order_overlap_seconds - 60)
    watermarks(world).keep_watermark(CHANGED, Watermark(newest=newest))
    world.shop.orders.refund(order.id)
    world.buy_tick()
    assert operations(world, f"return#{order.lines[0].number}#1")


def test_an_order_that_could_not_be_read_is_looked_at_again_whatever_a_search_says(
    world: World,
) -> None:
    order = buy(world)
    minutes(world, 2)
    world.shop.orders.refund(order.id)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="order", times=1)
    world.buy_tick()
    later = now() + timedelta(days=1)
    watermarks(world).keep_watermark(CHANGED, Watermark(newest=later))
    minutes(world, 2)
    assert operations(world, f"return#{order.lines[0].number}#1")


def test_a_cursor_that_shopify_takes_no_more_begins_the_pass_anew(world: World) -> None:
    order = buy(world)
    stale = Watermark(since=world.config.live_from, cursor="nonsense")
    watermarks(world).keep_watermark(UNPROCESSED, stale)
    watermarks(world).keep_watermark(CHANGED, stale)
    assert str(world.buy_tick()) == "ran"
    assert watermarks(world).watermark(UNPROCESSED).cursor is None
    minutes(world, 2)
    assert len(cards_of(world, order)) == 1


def test_a_pass_that_a_run_does_not_finish_is_gone_on_with(world: World) -> None:
    orders = [buy(world, risk=Recommendation.CANCEL, minutes_ago=30) for _ in range(150)]
    world.effects.watch = lambda _: world.advance(0.02)  # what a call takes
    cursors = []
    for _ in range(20):
        began = now()
        world.buy_tick()
        assert now() - began < timedelta(seconds=function_seconds("ShopifyPurchases"))
        cursors.append(watermarks(world).watermark(UNPROCESSED).cursor)
        world.advance(5)
    assert any(cursors)
    assert cursors[-1] is None
    assert len(operations(world, "held-order#")) == len(orders)


def began_by_an_earlier_version(world: World) -> None:
    """What is kept of the pass under way is as it was kept before its beginning was."""
    (item,) = [item for item in world.items() if item["key"] == f"watermark#{CHANGED}"]
    del item["began_at"]
    Table(world.dynamodb, name=TABLE_NAME).put(item)


@pytest.mark.parametrize("meanwhile", [lambda _: None, began_by_an_earlier_version])
def test_what_changes_during_a_pass_and_shows_up_after_it_is_found_by_the_next(
    meanwhile: Callable[[World], None],
) -> None:
    with running_world(order_overlap_seconds=OVERLAP_SECONDS) as world:
        order = buy(world)
        minutes(world, 2)
        for _ in range(ORDERS_A_PAGE + 1):
            buy(world, is_paid=False, minutes_ago=0)
        world.buy_tick()
        world.effects.watch = lambda name: world.advance(9 if "FindOrders" in name else 0)
        world.buy_tick()
        world.effects.watch = None
        assert watermarks(world).watermark(CHANGED).cursor is not None

        world.shop.orders.refund(order.id)
        order.index, hidden = [], order.index
        world.advance(OVERLAP_SECONDS + 1)
        buy(world, is_paid=False, minutes_ago=0)
        meanwhile(world)
        world.buy_tick()
        assert watermarks(world).watermark(CHANGED).cursor is None
        assert not operations(world, "return#")

        order.index = hidden
        world.buy_tick()
        assert operations(world, f"return#{order.lines[0].number}#1")


def test_an_order_that_kills_its_worker_is_parked_and_the_others_go_on(world: World) -> None:
    poison, other = buy(world, minutes_ago=5), buy(world, minutes_ago=4)
    for _ in range(DEATHS_TO_BE_PARKED):
        world.effects.kill_on = {"query ReadOrder": "after"}
        assert world.buy_tick() is None
        world.advance(world.config.lease_seconds + 1)
    minutes(world, 2)
    assert not cards_of(world, poison)
    assert len(cards_of(world, other)) == 1
    assert world.app.attempts.parked(now=now(), limit=5) == [f"order-{poison.number}"]
    world.app.attempts.unpark(f"order-{poison.number}")
    minutes(world, 7)
    assert len(cards_of(world, poison)) == 1


def test_an_order_that_nobody_can_read_is_parked_and_tried_again_on_a_persons_word(
    world: World,
) -> None:
    lines = LINES_A_PAGE * MOST_LINE_PAGES  # one more than we read
    strange = buy(world, CartLine("GIFT-CARD-50"), *[CartLine("LANTERN-S")] * lines)
    for _ in range(FAILURES_TO_BE_PARKED):
        assert not world.app.attempts.parked(now=now(), limit=5)
        with suppress(VendorSurprise):  # a run in which nothing else went well rings, too
            world.buy_tick()
        world.advance(70)
    assert world.app.attempts.parked(now=now(), limit=5) == [f"order-{strange.number}"]
    del strange.lines[1:]
    minutes(world, 7)
    assert not cards_of(world, strange)
    world.app.attempts.unpark(f"order-{strange.number}")
    minutes(world, 7)
    assert len(cards_of(world, strange)) == 1


def test_what_happened_to_a_parked_order_is_found_however_late_it_is_tried_again(
    world: World,
) -> None:
    order = buy(world)
    minutes(world, 2)
    world.shop.orders.refund(order.id)
    for _ in range(DEATHS_TO_BE_PARKED):
        world.effects.kill_on = {"query ReadOrder": "after"}
        assert world.buy_tick() is None
        world.advance(world.config.lease_seconds + 1)
    minutes(world, 2)
    world.advance(24 * 3600)  # the search that shows changes goes on with others'
    buy(world)
    minutes(world, 3)
    assert not operations(world, f"return#{order.lines[0].number}#1")
    world.app.attempts.unpark(f"order-{order.number}")
    minutes(world, 7)
    assert operations(world, f"return#{order.lines[0].number}#1")
