"""What orders take off cards and give back to them: each step is noted once, and nothing else."""

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from giftcards.receipts import Action
from giftcards.store.journal import State
from giftcards.store.progress import Progress
from giftcards.wiring import now
from ops.command_line import park_decide, park_list
from sandbox.faults import Fault
from sandbox.shopify.order_desk import CartLine, OrderPlan
from sandbox.shopify.orders import CASH, Order, OrderTransaction, TransactionKind
from sandbox.shopify.payments import Pay
from tests.web_spending import (
    CODE,
    OTHER,
    check_in_step,
    goods,
    load,
    look,
    operations,
    order,
    receipts,
    rest,
)
from tests.world import START, WORKER_SECONDS, World, running_world

# As `find_orders.graphql` asks for.
ORDERS_A_PAGE = 50

# Parking takes six failures, which the sweep spaces out.
MINUTES_TO_PARK = 25


def steps(placed: Order, kind: TransactionKind) -> list[OrderTransaction]:
    return [one for one in placed.transactions if one.kind is kind and one.card_id is not None]


def decide(world: World, key: str, decision: str) -> int:
    return park_decide(world.app, argparse.Namespace(key=key, decision=decision))


# ------------------------------------------------------------------------------------- payments


def test_an_order_paid_by_card_leaves_a_receipt_a_row_and_the_balance(world: World) -> None:
    card = load(world)
    placed = order(world, (CODE, 20))
    look(world)
    (receipt,) = receipts(world, Action.SPEND_ON_WEB)
    assert receipt["Actor"] == f"web shop, order {placed.name}"
    assert receipt["Gift Card"] == f"•••• {CODE[-4:]}"
    assert (receipt["Amount"], receipt["Balance After"]) == (20, 30)
    assert receipt["Outcome"] == "Done"
    (row,) = world.cells("Processed Orders")
    (payment,) = steps(placed, TransactionKind.SALE)
    assert row["Order ID"] == f"{placed.number}/{payment.number}"
    assert (row["Order"], row["Kind"], row["Status"]) == (placed.name, "Payment", "Processed")
    assert row["Amount"] == 20
    (mirror,) = world.base.table("Gift Cards").records()
    assert row["Gift Cards"] == [mirror["id"]]
    rest(world)
    check_in_step(world, card)
    assert len(operations(world, "order-spend")) == 1
    assert world.shop.card(card.id).balance == Decimal(30)


@pytest.mark.parametrize("are_text", [True, False])
@pytest.mark.parametrize("shown", [True, False])
def test_two_cards_and_a_refund_to_each_are_told_apart(
    world: World, *, are_text: bool, shown: bool
) -> None:
    world.shop.orders.receipts_are_text = are_text
    world.shop.checkout_in_transactions = shown
    world.shop.orders.kinds_without_receipt = frozenset({TransactionKind.REFUND})
    first, second = load(world), load(world, code=OTHER)
    placed = order(world, (CODE, 20), (OTHER, 30))
    look(world)
    paid = steps(placed, TransactionKind.SALE)
    shares = {paid[0].id: Decimal("5.50"), paid[1].id: Decimal("7.25")}
    world.shop.orders.refund(placed.id, units={}, amount=Decimal("12.75"), shares=shares)
    rest(world)
    check_in_step(world, first, second)
    told = Counter((row["Action"], row["Gift Card"][-4:], row["Amount"]) for row in receipts(world))
    assert told == Counter(
        {
            ("Made at Shopify", CODE[-4:], 50): 1,
            ("Made at Shopify", OTHER[-4:], 50): 1,
            ("Pay on the web", CODE[-4:], 20): 1,
            ("Pay on the web", OTHER[-4:], 30): 1,
            ("Refund on the web", CODE[-4:], 5.5): 1,
            ("Refund on the web", OTHER[-4:], 7.25): 1,
        }
    )
    kinds = Counter(row["Kind"] for row in world.cells("Processed Orders"))
    assert kinds == Counter(Payment=2, Refund=2)


def test_a_refund_to_another_tender_gives_nothing_back_to_the_card(world: World) -> None:
    card = load(world)
    placed = order(world, (CODE, 20))
    look(world)
    (paid,) = steps(placed, TransactionKind.SALE)
    world.shop.orders.refund(
        placed.id, amount=Decimal(20), shares={paid.id: Decimal(20)}, other_tender=CASH
    )
    rest(world)
    check_in_step(world, card)
    assert not receipts(world, Action.REFUND_ON_WEB)
    assert world.shop.card(card.id).balance == 30


def test_what_failed_took_nothing(world: World) -> None:
    card = load(world)
    placed = order(world)
    world.shop.orders.note_failed_payment(placed.id, CODE, Decimal(10))
    rest(world)
    check_in_step(world, card)
    assert not operations(world, "order-spend")


def test_an_order_that_is_edited_tagged_and_cancelled_brings_nothing_twice(world: World) -> None:
    card = load(world)
    placed = order(world, (CODE, 20))
    look(world, 2)
    world.shop.orders.edit(placed.id, add=[CartLine(goods(world))])
    look(world, 2)
    world.shop.orders.add_tags(placed.id, ["vip"])
    look(world, 2)
    world.shop.orders.remove_tags(placed.id, ["vip"])
    look(world, 2)
    assert len(receipts(world, Action.SPEND_ON_WEB)) == 1
    world.shop.orders.cancel(placed.id)
    look(world, 2)
    rest(world)
    check_in_step(world, card)
    assert len(receipts(world, Action.SPEND_ON_WEB)) == 1
    assert len(receipts(world, Action.REFUND_ON_WEB)) == 1
    assert world.shop.card(card.id).balance == 50


def test_a_capture_in_parts_and_a_void_come_to_what_was_captured(world: World) -> None:
    card = load(world)
    placed = order(world, (CODE, 30), is_captured=False)
    look(world, 25)  # longer than our patience: it is kept back, and that explains it
    assert [row["Action"] for row in receipts(world)] == ["Made at Shopify"]
    (mirror,) = world.cells("Gift Cards")
    assert mirror["Balance"] == 20
    world.shop.orders.capture(placed.id, Decimal(10))
    look(world, 25)
    world.shop.orders.capture(placed.id, Decimal(5))
    look(world)
    world.shop.orders.void(placed.id)
    rest(world)
    check_in_step(world, card)
    assert [row["Amount"] for row in receipts(world, Action.SPEND_ON_WEB)] == [10, 5]
    assert not operations(world, "adjusted")
    assert world.shop.card(card.id).balance == 35


def test_a_shop_that_takes_the_money_at_the_capture_is_explained_as_well(world: World) -> None:
    """Nobody published when Shopify does it: here the debit is undone, and done later."""
    card = load(world)
    placed = order(world, (CODE, 30), is_captured=False)
    world.shop.return_to_card(card.id, Decimal(30))
    look(world, 25)
    world.shop.orders.capture(placed.id, Decimal(30))
    world.shop.spend_on_web(card.id, Decimal(30))
    rest(world)
    check_in_step(world, card)
    assert not operations(world, "adjusted")


# ---------------------------------------------------------------------------------- late and many


def test_orders_that_turn_up_late_in_the_search_are_found(world: World) -> None:
    card, other = load(world), load(world, code=OTHER)
    late = order(world, (CODE, 20))
    world.shop.set_search_lag(3600)
    look(world)
    assert not receipts(world, Action.SPEND_ON_WEB)
    world.advance(1800)
    world.shop.set_search_lag(0)
    late.index, hidden = [], late.index  # the search knows the younger order first
    younger = order(world, (OTHER, 5))
    look(world, 2)
    assert [row["Actor"] for row in receipts(world, Action.SPEND_ON_WEB)] == [
        f"web shop, order {younger.name}"
    ]
    world.advance(1800)
    late.index = hidden
    rest(world)
    check_in_step(world, card, other)
    assert len(receipts(world, Action.SPEND_ON_WEB)) == 2
    # Its money had been entered as a change that nothing explains; that is evened out.
    (raised,) = receipts(world, Action.RAISED_AT_SHOPIFY)
    assert "known late" in raised["Details"]


def test_an_order_paid_twice_within_a_second_is_read_to_its_end(world: World) -> None:
    card, other = load(world), load(world, code=OTHER)
    pay = Pay(cards=[(CODE, Decimal(5))], rest_by="manual")
    placed = world.shop.orders.place([CartLine(goods(world), quantity=9)], pay)
    world.spend_tick()
    world.advance(0.4)
    (paid,) = steps(placed, TransactionKind.SALE)
    world.shop.orders.refund(placed.id, units={}, amount=Decimal(2), shares={paid.id: Decimal(2)})
    look(world, 2)
    assert len(receipts(world, Action.REFUND_ON_WEB)) == 1
    rest(world)
    check_in_step(world, card, other)


def test_an_order_that_was_read_is_not_read_again(world: World) -> None:
    load(world)
    order(world, (CODE, 20))
    look(world, 2)
    world.effects.forget()
    look(world, 3)
    assert not [name for name in world.effects.seen if "ReadPayments" in name]


def test_more_orders_than_a_page_are_noted_once_each(world: World) -> None:
    cards = [load(world, 50, code=f"wxyz2345abcd{number:04}") for number in range(120)]
    for card in cards:
        order(world, (card.code, 5))
        world.advance(1)
    look(world, 3)
    rest(world)
    check_in_step(world, *cards)
    assert len(receipts(world, Action.SPEND_ON_WEB)) == 120


def test_a_backlog_that_no_run_can_read_is_worked_off(world_of_slow_calls: World) -> None:
    """A run lists three pages at most, and there are five: the next runs come to the others."""
    world = world_of_slow_calls
    cards = [load(world, code=f"wxyz2345abcd{number:04}") for number in range(220)]
    for card in cards:
        order(world, (card.code, 5))
        world.advance(60)
    for _ in range(40):
        began = now()
        world.spend_tick()
        assert (now() - began).total_seconds() < WORKER_SECONDS
        world.advance(30)
    spent = operations(world, "order-spend")
    assert len(spent) == len(cards)
    assert all(one["result"]["outcome"] == "SPENT" for one in spent)


def test_more_orders_at_once_than_a_run_can_list_hide_nothing(world_of_slow_calls: World) -> None:
    """All changed within the overlap, as when an app tags them: no run comes to the end of it."""
    world = world_of_slow_calls
    load(world, 400)
    for _ in range(240):
        order(world, (CODE, 1))
    for _ in range(40):
        world.spend_tick()
        world.advance(30)
    assert len(operations(world, "order-spend")) == 240
    order(world, (CODE, 1))
    for _ in range(10):
        world.spend_tick()
        world.advance(30)
    assert len(operations(world, "order-spend")) == 241


def test_what_changes_during_a_pass_and_shows_up_after_it_is_found_by_the_next(
    world_of_slow_calls: World,
) -> None:
    world = world_of_slow_calls
    load(world, 400)
    load(world, code=OTHER)
    placed = order(world, (OTHER, 20))
    look(world, 2)
    for _ in range(ORDERS_A_PAGE + 1):
        order(world, (CODE, 1))
    world.spend_tick()
    progress = Progress(world.app.table)
    assert progress.orders_place() is not None

    (paid,) = steps(placed, TransactionKind.SALE)
    world.shop.orders.refund(placed.id, units={}, amount=Decimal(2), shares={paid.id: Decimal(2)})
    placed.index, hidden = [], placed.index
    world.advance(world.config.order_overlap_seconds + 1)
    order(world, (CODE, 1))
    world.spend_tick()
    assert progress.orders_place() is None
    assert not operations(world, "order-refund")

    placed.index = hidden
    world.spend_tick()
    world.spend_tick()
    assert operations(world, "order-refund")


def test_a_pass_that_shopify_does_not_go_on_with_begins_anew(world_of_slow_calls: World) -> None:
    world = world_of_slow_calls
    load(world, 400)
    for _ in range(120):
        order(world, (CODE, 1))
    world.spend_tick()
    progress = Progress(world.app.table)
    place = progress.orders_place()
    assert place is not None
    progress.note_orders_place(replace(place, cursor="nowhere"))
    for _ in range(20):
        world.advance(30)
        world.spend_tick()
    assert len(operations(world, "order-spend")) == 120
    assert progress.orders_place() is None


@pytest.fixture
def world_of_slow_calls() -> Iterator[World]:
    """A world in which a page of orders takes Shopify two seconds, and an order a tenth."""
    with running_world(order_overlap_seconds=600) as world:

        def take_time(name: str) -> None:
            world.advance(2 if "FindOrders" in name else 0.1 if "ReadPayments" in name else 0)

        world.effects.watch = take_time
        yield world


def test_an_order_of_a_hundred_steps_is_read_to_its_end(world: World) -> None:
    card = load(world, 500)
    placed = order(world, (CODE, 240), is_captured=False)
    for _ in range(120):
        world.shop.orders.capture(placed.id, Decimal(2))
    look(world)
    rest(world)
    check_in_step(world, card)
    assert len(receipts(world, Action.SPEND_ON_WEB)) == 120


def test_an_order_with_more_steps_than_shopify_shows_is_left_to_a_person(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    load(world, 500)
    other = load(world, code=OTHER)
    placed = order(world, (CODE, 260), is_captured=False)
    for _ in range(255):
        world.shop.orders.capture(placed.id, Decimal(1))
    order(world, (OTHER, 5))
    for _ in range(MINUTES_TO_PARK):
        look(world, 2)
        world.sweep()
    assert world.alarms
    capsys.readouterr()
    park_list(world.app, argparse.Namespace())
    said = capsys.readouterr().out
    key = f"unread-order#{placed.number}#{int(placed.updated_at.timestamp())}"
    assert f"{key}  was CLAIMED" in said
    assert "payments or more" in said
    (receipt,) = receipts(world, Action.SPEND_ON_WEB)  # the other order went its way
    assert receipt["Amount"] == 5
    check_in_step(world, other)
    assert decide(world, key, "dismiss") == 0
    world.drain()
    assert world.journal.load(key).state is State.SETTLED  # type: ignore[union-attr] # it is there
    assert any("dismissed by" in row["Details"] for row in receipts(world))


def test_what_is_read_again_and_can_be_is_noted(world: World) -> None:
    card = load(world)
    placed = order(world, (CODE, 20))
    (paid,) = steps(placed, TransactionKind.SALE)
    kinds = placed.transactions
    odd = replace(paid, id=f"{paid.id}9", kind="CHANGE")  # type: ignore[arg-type] # none we know
    placed.transactions = [*kinds, odd]
    look(world)
    assert not receipts(world, Action.SPEND_ON_WEB)
    placed.transactions = kinds
    rest(world)
    check_in_step(world, card)
    assert len(receipts(world, Action.SPEND_ON_WEB)) == 1


# ------------------------------------------------------------------------- what is none of ours


def test_a_card_from_before_our_time_is_noted_once_and_left_alone(world: World) -> None:
    load(world, at=START - timedelta(days=3))
    order(world, (CODE, 20))
    look(world, 3)
    rest(world)
    (noted,) = operations(world, "order-spend")
    assert noted["result"]["outcome"] == "HISTORICAL"
    assert not receipts(world)
    assert not world.cells("Processed Orders")
    assert not world.cells("Gift Cards")
    assert not [item for item in world.items() if item["key"].startswith("ledger#")]


def test_where_old_cards_are_accepted_theirs_are_noted_like_all() -> None:
    with running_world(accept_historical=True) as world:
        card = load(world, at=START - timedelta(days=3))
        order(world, (CODE, 20))
        look(world, 3)
        rest(world)
        check_in_step(world, card)
        assert len(receipts(world, Action.SPEND_ON_WEB)) == 1


def test_steps_from_before_our_time_are_none_of_ours() -> None:
    with running_world(live_from=START + timedelta(minutes=5)) as world:
        load(world)
        placed = order(world, (CODE, 20))
        world.advance(600)
        world.shop.orders.add_tags(placed.id, ["vip"])
        look(world, 3)
        rest(world)
        assert not operations(world, "order-spend")
        assert not receipts(world)


def test_a_test_order_moves_a_cards_money_like_any_other(world: World) -> None:
    card = load(world)
    order(world, (CODE, 20), plan=OrderPlan(is_test=True))
    rest(world)
    (receipt,) = receipts(world, Action.SPEND_ON_WEB)
    assert receipt["Amount"] == 20
    assert "Test order #1001" in receipt["Details"]
    check_in_step(world, card)


# ----------------------------------------------------------------------------- what nobody can tell


def park_a_payment(world: World) -> tuple[Order, str]:
    """An order whose payment names no card."""
    world.shop.orders.kinds_without_receipt = frozenset({TransactionKind.SALE})
    load(world)
    placed = order(world, (CODE, 20))
    look(world, 2)
    (paid,) = steps(placed, TransactionKind.SALE)
    return placed, f"order-spend#{paid.number}"


def test_a_payment_that_names_no_card_is_left_to_a_person(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    _, key = park_a_payment(world)
    (parked,) = world.journal.parked(now=now(), limit=10)
    assert parked.key == key
    capsys.readouterr()
    park_list(world.app, argparse.Namespace())
    assert "does not tell which card" in capsys.readouterr().out
    assert not receipts(world, Action.SPEND_ON_WEB)


def test_it_can_be_tried_again_once_its_receipt_names_the_card(world: World) -> None:
    placed, key = park_a_payment(world)
    assert decide(world, key, "retry") == 0
    world.sweep()
    (parked,) = world.journal.parked(now=now(), limit=10)  # nothing is known yet
    assert parked.key == key
    place = placed.transactions.index(steps(placed, TransactionKind.SALE)[0])
    card = world.shop.cards[0]
    receipt = {"gift_card_id": card.number}
    placed.transactions[place] = replace(placed.transactions[place], receipt=receipt)
    assert decide(world, key, "retry") == 0
    rest(world)
    check_in_step(world, card)
    assert [row["Amount"] for row in receipts(world, Action.SPEND_ON_WEB)] == [20]


def test_it_can_be_dismissed_and_the_balance_is_explained_by_a_look(world: World) -> None:
    _, key = park_a_payment(world)
    assert decide(world, key, "charged") == 1
    assert decide(world, key, "dismiss") == 0
    rest(world)
    (dismissed,) = receipts(world, Action.SPEND_ON_WEB)
    assert dismissed["Outcome"] == "Failed"
    assert "dismissed by" in dismissed["Details"]
    (lowered,) = receipts(world, Action.LOWERED_AT_SHOPIFY)
    assert lowered["Amount"] == 20
    check_in_step(world, world.shop.cards[0])


def test_a_redemption_cannot_be_dismissed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    load(world)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.effects.kill_on = {"DebitCard": "before"}
    world.tick()
    operation = world.journal.load(f"redemption#{row_id}")
    assert operation is not None
    world.journal.park(operation, because="a test", now=now())
    assert decide(world, operation.key, "dismiss") == 1
    assert "cannot be dismissed" in capsys.readouterr().err


# ------------------------------------------------------------------------------------- outages


def test_an_order_that_shopify_does_not_show_now_stands_in_nobodys_way(world: World) -> None:
    card, other = load(world), load(world, code=OTHER)
    order(world, (CODE, 20))
    world.advance(1)
    order(world, (OTHER, 5))
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="ReadPayments")
    look(world)
    assert [row["Amount"] for row in receipts(world, Action.SPEND_ON_WEB)] == [5]
    rest(world)
    check_in_step(world, card, other)
    assert len(receipts(world, Action.SPEND_ON_WEB)) == 2


def test_two_such_orders_in_a_row_end_the_run(world: World) -> None:
    cards = [load(world, code=f"wxyz2345abcd{number:04}") for number in range(5)]
    for card in cards:
        order(world, (card.code, 5))
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="ReadPayments", times=None)
    world.advance(30)
    world.effects.forget()
    world.spend_tick()
    assert sum("ReadPayments" in name for name in world.effects.seen) == 2
    world.shop.faults.clear()
    rest(world)
    check_in_step(world, *cards)


def test_shopify_away_for_an_hour_loses_nothing(world: World) -> None:
    card = load(world)
    order(world, (CODE, 20))
    world.shop.faults.add(Fault.FAIL_BEFORE, times=None)
    look(world, 120)
    world.shop.faults.clear()
    rest(world)
    check_in_step(world, card)
    assert len(receipts(world, Action.SPEND_ON_WEB)) == 1
