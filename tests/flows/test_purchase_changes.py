"""What happens to an order whose cards were taken: refunds, edits, cancellations, chargebacks."""

from datetime import timedelta
from decimal import Decimal

import pytest

from giftcards.flows.purchase import YOUNG_SECONDS
from giftcards.flows.sale import DROPPED, ISSUE
from giftcards.store.journal import Result, State
from giftcards.wiring import now
from sandbox.shopify import CartLine, Order, Pay
from sandbox.shopify.orders import CancelReason, DisputeStatus, Recommendation
from tests.flows.test_purchases import (
    CASEY,
    MINA,
    buy,
    cards_of,
    confirmed,
    delivered,
    gift,
    minutes,
    office_mails,
    operations,
    release,
    row_of,
)
from tests.world import World

LATER = {"Send on": "2026-11-30"}


def returned(world: World, order: Order) -> list[str]:
    """The units of an order's lines that were given back, as `<line>#<unit>`."""
    lines = {str(line.number) for line in order.lines}
    keys = [key.removeprefix("return#") for key in operations(world, "return#")]
    return sorted(key for key in keys if key.split("#")[0] in lines)


def give_back(world: World, order: Order, units: int, line: int = 0) -> None:
    """The office refunds units of a line."""
    world.shop.orders.refund(order.id, units={order.lines[line].id: units})


def drop(world: World, order: Order, unit: int, line: int = 0) -> None:
    """What a return does with a unit whose card is not made yet."""
    number = order.lines[line].number
    world.journal.record(
        f"issue#{number}#{unit}",
        kind=ISSUE,
        snapshot={"sale": f"sale#{number}+1"},
        result=Result(outcome=DROPPED, decided_at=now()),
        due_at=now() + timedelta(seconds=60),
    )


# ---------------------------------------------------------------------------------- given back


def test_a_refunded_unit_is_returned_and_never_its_neighbour(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-25", 3), CartLine("GIFT-CARD-100", 2))
    minutes(world, 2)
    give_back(world, order, 1)
    minutes(world, 3)
    line = order.lines[0].number
    assert returned(world, order) == [f"{line}#3"]
    snapshot = operations(world, f"return#{line}#3")[f"return#{line}#3"]["snapshot"]
    assert snapshot == {
        "order": str(order.number),
        "order_name": order.name,
        "line": str(line),
        "unit": 3,
        "issue": f"issue#{line}#3",
        "sale": f"sale#{line}+1",
        "because": "the unit was given back",
    }
    row = row_of(world, order)
    assert row["Amount"] == 250
    assert "Given back: 1 card." in row["Message"]
    assert len(row["Gift Cards"]) == 5


def test_the_unspent_card_is_returned_else_the_least_spent(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-50", 3))
    minutes(world, 2)
    line = order.lines[0].number
    cards = {card.note: card for card in world.shop.cards}
    world.shop.debit(cards[f"issue#{line}#3"].id, amount=Decimal(30), note="spent")
    world.shop.debit(cards[f"issue#{line}#1"].id, amount=Decimal(10), note="spent")
    give_back(world, order, 1)
    minutes(world, 2)
    assert returned(world, order) == [f"{line}#2"]
    give_back(world, order, 1)
    minutes(world, 2)
    assert returned(world, order) == [f"{line}#1", f"{line}#2"]


def test_of_two_batches_the_card_that_was_not_sent_is_returned(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-50", 2), CartLine("GIFT-CARD-25", 1, gift(**LATER)))
    minutes(world, 2)
    world.shop.orders.edit(order.id, units={order.lines[0].id: 3})
    world.shop.orders.pay(order.id, Pay())
    world.buy_tick()  # the third card is ordered, not made
    world.advance(1)
    give_back(world, order, 1)
    world.buy_tick()
    assert returned(world, order) == [f"{order.lines[0].number}#3"]


def test_a_unit_refunded_before_its_card_is_made_never_gets_one(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-50", 2))
    world.buy_tick()
    give_back(world, order, 1)
    world.buy_tick()
    assert returned(world, order) == [f"{order.lines[0].number}#2"]
    drop(world, order, 2)
    minutes(world, 3)
    assert list(cards_of(world, order)) == [f"issue#{order.lines[0].number}#1"]
    assert delivered(world) == {CASEY: ["50.00"]}
    row = row_of(world, order)
    assert row["Message"] == "1 card made. Sent: 1 card. Given back: 1 card."
    assert len(row["Gift Cards"]) == 1


def test_a_sale_all_of_whose_units_were_refunded_first_ends_without_a_delivery(
    world: World,
) -> None:
    order = buy(world, CartLine("GIFT-CARD-50", 2, gift()))
    world.buy_tick()
    world.shop.orders.refund(order.id)
    world.buy_tick()
    drop(world, order, 1)
    drop(world, order, 2)
    minutes(world, 3)
    assert not world.shop.cards
    assert not world.klaviyo.events
    assert not operations(world, "delivery#")
    sale = f"sale#{order.lines[0].number}+1"
    assert operations(world, sale)[sale]["result"]["outcome"] == DROPPED
    assert row_of(world, order)["Message"] == "Given back: 2 cards."
    assert row_of(world, order)["Amount"] == 0


def test_a_card_given_back_before_its_day_is_not_sent(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-25", 2, gift(**LATER)))
    minutes(world, 2)
    give_back(world, order, 1)
    minutes(world, 2)
    world.advance(7 * 24 * 3600)
    minutes(world, 2)
    assert delivered(world) == {MINA: ["25.00"]}
    assert confirmed(world) == [CASEY]
    assert not office_mails(world)


def test_cards_all_given_back_before_their_day_leave_a_receipt_and_no_mail(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-25", 2, gift(**LATER)))
    minutes(world, 2)
    world.shop.orders.refund(order.id)
    minutes(world, 2)
    world.advance(7 * 24 * 3600)
    minutes(world, 2)
    assert delivered(world) == {}
    delivery = f"delivery#{order.lines[0].number}+1"
    assert operations(world, delivery)[delivery]["result"]["outcome"] == "GIVEN_BACK"
    assert not office_mails(world)


def test_a_refund_within_the_second_in_which_the_order_was_read_is_seen(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-50", 2), minutes_ago=0)
    world.buy_tick()
    before = order.updated_at
    give_back(world, order, 1)
    assert order.updated_at == before  # no search can tell
    world.advance(YOUNG_SECONDS)
    world.buy_tick()
    assert returned(world, order) == [f"{order.lines[0].number}#2"]


def test_a_refund_of_all_the_money_takes_every_card_back(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-50", 2))
    minutes(world, 2)
    world.shop.orders.refund(order.id, units={}, amount=Decimal(100))
    minutes(world, 2)
    line = order.lines[0].number
    assert returned(world, order) == [f"{line}#1", f"{line}#2"]


def test_what_is_added_after_a_refund_of_all_the_money_waits_for_the_office(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-50"))
    minutes(world, 2)
    world.shop.orders.refund(order.id, units={}, amount=Decimal(50))
    minutes(world, 2)
    line = order.lines[0].number
    assert returned(world, order) == [f"{line}#1"]
    assert order.lines[0].current_quantity == 1, "no unit was named"
    # Something else is added, and paid: the unit of before reads like one that is paid.
    world.shop.orders.edit(order.id, add=[CartLine("LANTERN-S")])
    world.shop.orders.pay(order.id, Pay())
    assert str(order.status) == "PARTIALLY_REFUNDED"
    minutes(world, 2)
    assert list(cards_of(world, order)) == [f"issue#{line}#1"]
    assert row_of(world, order)["Status"] == "Held"
    (told,) = [mail for mail in office_mails(world) if "waits" in mail]
    assert "all its money was given back before" in told
    release(world, order)
    minutes(world, 2)
    assert list(cards_of(world, order)) == [f"issue#{line}#1", f"issue#{line}#2"]


def test_what_is_added_to_an_order_that_was_refunded_before_its_cards_waits_too(
    world: World,
) -> None:
    order = buy(world, CartLine("GIFT-CARD-50"))
    world.shop.orders.refund(order.id, units={}, amount=Decimal(50))
    minutes(world, 2)
    assert row_of(world, order)["Status"] == "No Card"
    world.shop.orders.edit(order.id, add=[CartLine("LANTERN-S")])
    world.shop.orders.pay(order.id, Pay())
    minutes(world, 2)
    assert not cards_of(world, order)
    assert row_of(world, order)["Status"] == "Held"


def test_a_refund_of_some_money_without_a_unit_takes_no_card_back(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-50", 2))
    minutes(world, 2)
    world.shop.orders.refund(order.id, units={}, amount=Decimal(10))
    minutes(world, 2)
    assert returned(world, order) == []


def test_a_cancellation_with_a_refund_takes_every_card_back(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-50", 2))
    minutes(world, 2)
    world.shop.orders.cancel(order.id, CancelReason.CUSTOMER)
    minutes(world, 2)
    assert len(returned(world, order)) == 2
    assert not [mail for mail in office_mails(world) if "they stay good" in mail]
    assert all(card.deactivated_at for card in world.shop.cards)


def test_a_cancellation_without_a_refund_leaves_the_cards_and_the_office_is_told_once(
    world: World,
) -> None:
    order = buy(world)
    minutes(world, 2)
    world.shop.orders.cancel(order.id, CancelReason.OTHER, is_refunded=False)
    minutes(world, 4)
    assert returned(world, order) == []
    (mail,) = office_mails(world)
    assert "cancelled without giving back its gift cards" in mail
    assert "they stay good" in row_of(world, order)["Message"]


def test_a_large_line_is_given_back_in_portions(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-25", 450))
    world.buy_tick()
    world.shop.orders.refund(order.id)
    world.buy_tick()
    assert len(returned(world, order)) == 450
    assert len(operations(world, f"order#{order.number}")) == 4


# -------------------------------------------------------------------------------------- added


def test_a_unit_added_by_an_edit_becomes_a_card_once_it_is_paid(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-25", 2))
    minutes(world, 2)
    world.shop.orders.edit(order.id, units={order.lines[0].id: 3})
    minutes(world, 2)
    assert len(cards_of(world, order)) == 2
    world.shop.orders.pay(order.id, Pay())
    minutes(world, 2)
    line = order.lines[0].number
    assert set(cards_of(world, order)) == {f"issue#{line}#{n}" for n in (1, 2, 3)}
    assert delivered(world) == {CASEY: ["25.00", "25.00", "25.00"]}
    assert operations(world, f"sale#{line}+3")
    assert row_of(world, order)["Amount"] == 75


def test_a_unit_added_to_a_partly_refunded_order_waits_for_its_money(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-25", 2))
    minutes(world, 2)
    give_back(world, order, 1)
    minutes(world, 2)
    world.shop.orders.edit(order.id, units={order.lines[0].id: 2})
    assert str(order.status) == "PARTIALLY_REFUNDED"
    minutes(world, 2)
    assert len(cards_of(world, order)) == 2
    world.shop.orders.pay(order.id, Pay())
    minutes(world, 2)
    line = order.lines[0].number
    assert f"issue#{line}#3" in cards_of(world, order)
    assert len(cards_of(world, order)) == 3


def test_a_line_added_by_an_edit_is_taken_as_well(world: World) -> None:
    order = buy(world)
    minutes(world, 2)
    world.shop.orders.edit(order.id, add=[CartLine("GIFT-CARD-100", 1, gift())])
    world.shop.orders.pay(order.id, Pay())
    minutes(world, 2)
    assert sorted(cards_of(world, order).values()) == [50, 100]
    assert delivered(world) == {CASEY: ["50.00"], MINA: ["100.00"]}


def test_a_card_added_to_an_order_that_made_none(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-50"), CartLine("LANTERN-S"))
    give_back(world, order, 1)
    minutes(world, 2)
    assert row_of(world, order)["Status"] == "No Card"
    world.shop.orders.edit(order.id, units={order.lines[0].id: 1})
    world.shop.orders.pay(order.id, Pay())
    minutes(world, 2)
    assert len(cards_of(world, order)) == 1
    assert row_of(world, order)["Status"] == "Processed"


def test_units_added_to_an_order_that_has_become_risky_are_held(world: World) -> None:
    order = buy(world)
    minutes(world, 2)
    world.shop.orders.assess(order.id, Recommendation.CANCEL)
    world.shop.orders.edit(order.id, units={order.lines[0].id: 2})
    world.shop.orders.pay(order.id, Pay())
    minutes(world, 2)
    assert len(cards_of(world, order)) == 1
    row = row_of(world, order)
    assert row["Status"] == "Held"
    assert "Units added to order" in row["Message"]
    world.advance(3 * 3600)  # the search that shows changes shows it no more
    release(world, order)
    minutes(world, 2)
    assert len(cards_of(world, order)) == 2
    assert row_of(world, order)["Status"] == "Processed"


@pytest.mark.parametrize("was_held", [True, False])
def test_a_tick_left_from_before_releases_no_unit_that_is_added(
    world: World, *, was_held: bool
) -> None:
    order = buy(world, risk=Recommendation.INVESTIGATE if was_held else Recommendation.ACCEPT)
    minutes(world, 2)
    release(world, order)  # and nobody takes the tick away
    minutes(world, 2)
    assert len(cards_of(world, order)) == 1
    world.shop.orders.edit(order.id, units={order.lines[0].id: 2})
    world.shop.orders.pay(order.id, Pay())
    world.shop.orders.charge_back(order.id)
    minutes(world, 10)
    row = row_of(world, order)
    assert row["Status"] == "Held"
    assert "Untick Release" in row["Message"]
    assert len(cards_of(world, order)) == 1
    (record,) = world.base.table("Processed Orders").records()
    world.base.table("Processed Orders").update(record["id"], {"Release": False})
    minutes(world, 2)
    assert len(cards_of(world, order)) == 1
    release(world, order)
    minutes(world, 2)
    assert len(cards_of(world, order)) == 2


def test_units_held_and_then_taken_off_are_held_no_more(world: World) -> None:
    order = buy(world)
    minutes(world, 2)
    world.shop.orders.assess(order.id, Recommendation.CANCEL)
    world.shop.orders.edit(order.id, units={order.lines[0].id: 2})
    world.shop.orders.pay(order.id, Pay())
    minutes(world, 2)
    assert row_of(world, order)["Status"] == "Held"
    give_back(world, order, 1)
    minutes(world, 2)
    assert row_of(world, order)["Status"] == "Processed"
    assert returned(world, order) == []


def test_what_the_office_let_through_needs_no_second_word_for_units_added(world: World) -> None:
    order = buy(world, risk=Recommendation.INVESTIGATE)
    minutes(world, 2)
    release(world, order)
    minutes(world, 2)
    world.shop.orders.edit(order.id, units={order.lines[0].id: 2})
    world.shop.orders.pay(order.id, Pay())
    minutes(world, 2)
    assert len(cards_of(world, order)) == 2
    assert len(office_mails(world)) == 1


# --------------------------------------------------------------------------------- chargebacks


def test_a_chargeback_freezes_the_cards_and_the_office_is_told_once(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-50", 2))
    other = buy(world)
    minutes(world, 2)
    world.shop.orders.charge_back(order.id)
    minutes(world, 3)
    ours = {card.id for card in world.shop.cards if card.note in cards_of(world, order)}
    assert world.app.cards.frozen(card.id for card in world.shop.cards) == ours
    (mail,) = office_mails(world)
    assert order.name in mail
    assert other.name not in mail
    assert "chargeback" in row_of(world, order)["Message"]
    assert returned(world, order) == []


def test_a_card_of_a_disputed_order_is_not_mailed_until_it_is_released(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-50", 1, gift(**LATER)))
    minutes(world, 2)
    (card,) = world.shop.cards
    world.shop.orders.charge_back(order.id)
    minutes(world, 2)
    world.advance(10 * 24 * 3600)
    minutes(world, 5)
    assert not delivered(world)
    world.app.freeze().release(card.id, by="the office", because="won")
    minutes(world, 15)
    assert delivered(world) == {MINA: ["50.00"]}


def test_a_dispute_that_is_won_releases_nothing_and_what_was_released_stays_so(
    world: World,
) -> None:
    order = buy(world)
    minutes(world, 2)
    world.shop.orders.charge_back(order.id)
    minutes(world, 2)
    (card,) = world.shop.cards
    world.shop.orders.decide_dispute(order.id, DisputeStatus.WON)
    minutes(world, 2)
    assert world.app.cards.frozen([card.id])
    world.app.freeze().release(card.id, by="the office", because="won")
    world.shop.orders.add_tags(order.id, ["touched"])
    minutes(world, 2)
    assert not world.app.cards.frozen([card.id])
    assert len(office_mails(world)) == 1


def test_cards_that_were_being_made_when_the_chargeback_came_are_frozen_too(
    world: World,
) -> None:
    order = buy(world, CartLine("GIFT-CARD-50", 2))
    world.buy_tick()
    world.shop.orders.charge_back(order.id)
    world.buy_tick()
    assert not world.shop.cards
    minutes(world, 4)
    assert len(world.app.cards.frozen(card.id for card in world.shop.cards)) == 2


def test_a_chargeback_that_the_office_let_through_freezes_nothing(world: World) -> None:
    order = buy(world)
    world.shop.orders.charge_back(order.id)
    minutes(world, 2)
    release(world, order)
    minutes(world, 4)
    (card,) = world.shop.cards
    assert not world.app.cards.frozen([card.id])
    assert len(office_mails(world)) == 1


# ------------------------------------------------------------------------------------- resends


def test_the_office_sends_a_web_card_again(world: World) -> None:
    buy(world, CartLine("GIFT-CARD-25", 2, gift()))
    minutes(world, 2)
    record = world.base.table("Gift Cards").records()[0]
    cells = {"Resend": True, "Resend To": "new@example.com"}
    world.base.table("Gift Cards").update(record["id"], cells)
    world.serve()
    world.drain()
    assert delivered(world)["new@example.com"] == ["25.00"]


def test_the_office_reads_of_every_inbox_that_has_the_code_of_a_card_given_back(
    world: World,
) -> None:
    order = buy(world, CartLine("GIFT-CARD-25", 1, gift()))
    minutes(world, 2)
    (record,) = world.base.table("Gift Cards").records()
    cells = {"Resend": True, "Resend To": "new@example.com"}
    world.base.table("Gift Cards").update(record["id"], cells)
    world.serve()
    assert "new@example.com" in delivered(world)
    world.shop.orders.refund(order.id)
    minutes(world, 3)
    assert f"{MINA} and new@example.com" in office_mails(world)[-1]


def test_a_card_that_shopify_refuses_to_make_is_dropped_once_its_unit_is_given_back(
    world: World,
) -> None:
    world.shop.issue_limit = Decimal(10)
    order = buy(world)
    minutes(world, 15)
    (key,) = operations(world, "issue#")
    parked = world.journal.load(key)
    assert parked is not None
    assert parked.state is State.PARKED
    world.shop.orders.refund(order.id)
    minutes(world, 2)
    world.journal.unpark(parked, due_at=now())  # a person has it tried again
    minutes(world, 10)
    (one,) = operations(world, "return#").values()
    assert one["result"]["outcome"] == DROPPED
    for start in ("sale#", "issue#", "return#"):
        assert {one["state"] for one in operations(world, start).values()} == {State.SETTLED}


def test_a_web_card_that_was_given_back_is_not_sent_again(world: World) -> None:
    order = buy(world, CartLine("GIFT-CARD-25", 2, gift()))
    minutes(world, 2)
    give_back(world, order, 1)
    minutes(world, 2)
    line = order.lines[0].number
    (card,) = [card for card in world.shop.cards if card.note == f"issue#{line}#2"]
    (record,) = [
        one
        for one in world.base.table("Gift Cards").records()
        if one["fields"]["Shopify ID"] == card.id
    ]
    cells = {"Resend": True, "Resend To": "new@example.com"}
    world.base.table("Gift Cards").update(record["id"], cells)
    world.serve()
    world.drain()
    assert "new@example.com" not in delivered(world)
    assert [mail for mail in office_mails(world) if "the card was given back" in mail]


def test_a_card_that_was_released_long_before_is_frozen_by_a_chargeback(world: World) -> None:
    order = buy(world)
    minutes(world, 2)
    (card,) = world.shop.cards
    world.app.freeze().freeze(card.id, by="the office", because="lost")
    world.app.freeze().release(card.id, by="the office", because="found again")
    world.shop.orders.charge_back(order.id)
    minutes(world, 2)
    assert world.app.cards.frozen([card.id])
