"""What nobody told us of is found by looking at the cards, and entered if it stays unexplained."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from giftcards.domain.money import Money
from giftcards.domain.outcomes import Outcome
from giftcards.errors import NeedsAPerson, VendorSurprise
from giftcards.flows.look_at_cards import CARDS_PER_PAGE, MOST_PAGES
from giftcards.flows.tell_of_changes import CHANGES_A_MAIL
from giftcards.metrics import Metric
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.journal import Operation, Result, State
from giftcards.store.table import LOOK_QUEUE
from giftcards.wiring import now
from ops.command_line import park_decide
from sandbox.faults import Fault
from sandbox.shopify.order_desk import CartLine
from sandbox.shopify.payments import Pay
from sandbox.shopify.shop import GiftCard
from tests.accounts import SentMail
from tests.web_spending import (
    CODE,
    OTHER,
    check_in_step,
    debit_given_up,
    known_card,
    load,
    look,
    native_sku,
    operations,
    order,
    receipts,
    rest,
)
from tests.world import OFFICE, START, When, World, running_world

PATIENCE_TICKS = 25  # longer than our patience of ten minutes, at two ticks a minute

WRITES = ("PutItem", "UpdateItem", "TransactWriteItems", "SendMessage")


def decide(world: World, key: str, decision: str) -> int:
    return park_decide(world.app, argparse.Namespace(key=key, decision=decision))


# ------------------------------------------------------------------------------ cards of Shopify's


def test_a_card_sold_as_shopifys_own_product_is_good_in_stores(world: World) -> None:
    world.shop.orders.place([CartLine(native_sku(world))], Pay())
    (card,) = world.shop.cards
    look(world)
    (mirror,) = world.cells("Gift Cards")
    assert mirror["Shopify ID"] == card.id
    assert mirror["Card"] == f"•••• {card.last_characters}"
    assert mirror["Source"] == "Shopify"
    (made,) = receipts(world, Action.MADE_AT_SHOPIFY)
    assert made["Amount"] == card.initial_value
    assert made["Balance After"] == card.balance
    row_id = world.ask(Gift_Card_Code=card.code, Amount=10)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    look(world, 3)
    rest(world)
    check_in_step(world, card)
    assert len(receipts(world)) == 2


def test_a_card_of_shopifys_that_a_store_redeemed_first_is_shown_as_such(world: World) -> None:
    card = load(world)
    world.ask(Gift_Card_Code=CODE, Amount=10)
    world.serve()
    look(world)
    rest(world)
    (made,) = receipts(world, Action.MADE_AT_SHOPIFY)
    assert (made["Amount"], made["Balance After"]) == (50, 40)
    check_in_step(world, card)


def test_a_card_that_a_store_sold_is_not_taken_for_shopifys(world: World) -> None:
    world.sell()
    world.serve()
    look(world, 3)
    rest(world)
    (mirror,) = world.cells("Gift Cards")
    assert mirror["Source"] == "Store"
    assert not operations(world, "mirrored")


def test_nor_is_one_that_was_made_a_moment_ago(world: World) -> None:
    world.sell()
    world.tick()
    world.effects.kill_on = {"CreateCard": "after"}  # it is made, and nothing of it is written
    world.drain()
    (card,) = world.shop.cards
    assert card.note is not None
    look(world)
    assert not operations(world, "mirrored")
    world.shop.issue_card(code=OTHER, amount=5, note="issue#recNobody#1")  # whoever wrote that
    look(world)
    assert len(operations(world, "mirrored")) == 1
    rest(world)
    assert world.cells("Creation Requests")[0]["Outcome"] == "ISSUED"


# ----------------------------------------------------------------------- what staff and tills do


@pytest.mark.parametrize("shown", [True, False])
def test_what_staff_put_onto_a_card_is_entered_once(world: World, *, shown: bool) -> None:
    world.shop.checkout_in_transactions = shown
    card = known_card(world)
    order(world, (CODE, 20))
    world.shop.credit(card.id, amount=Decimal(5), note=f"sorry for {CODE.upper()}")
    look(world)
    (mirror,) = world.cells("Gift Cards")
    assert mirror["Balance"] == 35  # at once, whatever it was
    assert not receipts(world, Action.RAISED_AT_SHOPIFY)
    look(world, PATIENCE_TICKS)
    (raised,) = receipts(world, Action.RAISED_AT_SHOPIFY)
    assert (raised["Amount"], raised["Balance After"]) == (5, 35)
    assert raised["Actor"] == "Shopify"
    assert "a credit of 5.00 USD (note: sorry for •••• 6789)" in raised["Details"]
    assert "no order and no store explains it" in raised["Details"]
    look(world, PATIENCE_TICKS)
    rest(world)
    check_in_step(world, card)
    assert len(operations(world, "adjusted")) == 1


def test_a_cash_out_at_a_till_is_called_so(world: World) -> None:
    card = known_card(world)
    world.shop.cash_out(card.id, Decimal("12.34"))
    rest(world)
    (lowered,) = receipts(world, Action.LOWERED_AT_SHOPIFY)
    assert lowered["Amount"] == 12.34
    assert "a cash-out at a till of 12.34 USD" in lowered["Details"]
    check_in_step(world, card)


def test_several_changes_are_entered_as_they_come(world: World) -> None:
    card = known_card(world)
    world.shop.debit(card.id, amount=Decimal(5), note="spilled coffee")
    rest(world)
    world.shop.debit(card.id, amount=Decimal(5), note="once more")
    rest(world)
    world.shop.credit(card.id, amount=Decimal(2))
    world.shop.credit(card.id, amount=Decimal(3))
    rest(world)
    told = [row["Details"] for row in receipts(world) if row["Operation"].startswith("adjusted")]
    assert ["spilled coffee" in details for details in told] == [True, False, False]
    assert ["once more" in details for details in told] == [False, True, False]
    assert "a credit of 3.00 USD, a credit of 2.00 USD" in told[2]
    check_in_step(world, card)


def test_where_shopify_does_not_tell_what_it_was_neither_do_we(world: World) -> None:
    card = known_card(world)
    world.shop.return_to_card(card.id, Decimal(4))  # leaves no movement
    rest(world)
    (raised,) = receipts(world, Action.RAISED_AT_SHOPIFY)
    assert "Shopify does not tell what it was." in raised["Details"]
    check_in_step(world, card)


def test_a_movement_is_told_of_once_and_an_orders_not_at_all(world: World) -> None:
    world.shop.checkout_in_transactions = True
    card = known_card(world)
    order(world, (CODE, 20))
    world.shop.debit(card.id, amount=Decimal(5), note="spilled coffee")
    rest(world)
    world.shop.checkout_in_transactions = False  # what comes now leaves no movement
    for cost in (5, 20):
        world.shop.spend_on_web(card.id, Decimal(cost))
        rest(world)
    told = [row["Details"] for row in receipts(world, Action.LOWERED_AT_SHOPIFY)]
    assert ["spilled coffee" in details for details in told] == [True, False, False]
    assert ["does not tell" in details for details in told] == [False, True, True]
    check_in_step(world, card)


def test_what_is_explained_in_time_is_never_entered(world: World) -> None:
    card = known_card(world)
    world.shop.set_search_lag(400)
    order(world, (CODE, 20))
    look(world)
    (mirror,) = world.cells("Gift Cards")
    assert mirror["Balance"] == 30  # it follows, although nobody knows of the order yet
    look(world, PATIENCE_TICKS)
    rest(world)
    assert not operations(world, "adjusted")
    assert len(receipts(world, Action.SPEND_ON_WEB)) == 1
    check_in_step(world, card)


def test_a_change_that_is_taken_back_leaves_nothing(world: World) -> None:
    card = known_card(world)
    world.shop.credit(card.id, amount=Decimal(5))
    look(world, 4)
    world.shop.debit(card.id, amount=Decimal(5))
    rest(world)
    assert not operations(world, "adjusted")
    check_in_step(world, card)


def test_what_is_over_at_the_last_moment_is_not_entered(world: World) -> None:
    """The card is read, and before it is judged staff take back what they did."""
    card = known_card(world)
    world.shop.debit(card.id, amount=Decimal(5))
    look(world)
    world.advance(world.config.explain_seconds)
    read: list[str] = []

    def take_back(name: str) -> None:
        if "ReadCards" in name:
            read.append(name)
        elif read == ["POST query ReadCards"] and "BatchGetItem" in name:
            read.append(name)
            world.shop.credit(card.id, amount=Decimal(5))

    world.effects.watch = take_back
    world.spend_tick()
    assert len(read) == 2
    world.effects.watch = None
    rest(world)
    assert not operations(world, "adjusted")
    check_in_step(world, card)


# ------------------------------------------------------------------------------ a card's state


def test_a_card_that_lives_longer_and_one_that_is_dead_are_told_of(world: World) -> None:
    card = known_card(world)
    world.shop.update(card.id, expires_on=date(2030, 12, 31))
    look(world)
    world.shop.update(card.id, expires_on=date(2031, 12, 31))
    look(world)
    world.shop.deactivate(card.id)
    look(world, 2)
    told = [row["Details"] for row in receipts(world, Action.CHANGED_AT_SHOPIFY)]
    assert [one.removeprefix("CHANGED_AT_SHOPIFY: ") for one in told] == [
        "Its last day is 2030-12-31; it was none.",
        "Its last day is 2031-12-31; it was 2030-12-31.",
        "The card was deactivated.",
    ]
    (mirror,) = world.cells("Gift Cards")
    assert (mirror["Status"], mirror["Expires On"]) == ("Disabled", "2031-12-31")
    assert all("Amount" not in row for row in receipts(world, Action.CHANGED_AT_SHOPIFY))
    rest(world)
    check_in_step(world, card)


def test_what_we_deactivate_ourselves_is_no_news(world: World) -> None:
    card = known_card(world)
    world.app.ledgers.note_deactivated_by_us(card.id)
    world.shop.deactivate(card.id)
    look(world, 3)
    rest(world)
    assert not receipts(world, Action.CHANGED_AT_SHOPIFY)
    world.shop.update(card.id, expires_on=date(2030, 12, 31))
    rest(world)
    (changed,) = receipts(world, Action.CHANGED_AT_SHOPIFY)
    assert "deactivated" not in changed["Details"]


def test_a_card_of_ours_that_was_dead_before_the_first_look_is_told_of(world: World) -> None:
    world.sell()
    world.serve()
    (card,) = world.shop.cards
    world.shop.deactivate(card.id)
    look(world, 2)
    assert len(receipts(world, Action.CHANGED_AT_SHOPIFY)) == 1


def test_another_note_or_theme_is_no_news(world: World) -> None:
    card = known_card(world)
    world.shop.update(card.id, note="for the window")
    rest(world)
    assert len(receipts(world)) == 1


# ------------------------------------------------------------------------------ our own movements


def test_a_store_debit_in_flight_is_never_taken_for_a_change_at_shopify(world: World) -> None:
    """Its reply is lost, and nobody asks what became of it for longer than our patience."""
    card = known_card(world)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    row_id = world.ask(Gift_Card_Code=CODE)
    world.tick()
    look(world, 2 * PATIENCE_TICKS)
    operation = world.journal.load(f"redemption#{row_id}")
    assert operation is not None
    assert operation.state is State.SENT
    assert world.cells("Gift Cards")[0]["Balance"] == 40
    assert not operations(world, "adjusted")
    rest(world)
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert not operations(world, "adjusted")
    assert not operations(world, "late")
    check_in_step(world, card)


def test_nor_is_one_whose_movement_shopify_does_not_show_yet(world: World) -> None:
    card = known_card(world)
    world.shop.set_transaction_lag(7200)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    world.ask(Gift_Card_Code=CODE)
    world.tick()
    look(world, 2 * PATIENCE_TICKS)
    assert not operations(world, "adjusted")
    assert world.shop.card(card.id).balance == 40


def give_up_and_apply_late(world: World) -> tuple[GiftCard, str]:
    """A redemption answered "not charged", and then Shopify applies its debit all the same."""
    card = known_card(world)
    world.shop.faults.add(Fault.APPLY_LATE, operation="giftCardDebit", seconds=1000)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    for _ in range(10):
        world.advance(60)
        world.tick()
        world.drain()
    assert world.row(row_id)["Outcome"] == Outcome.NOT_CHARGED
    world.advance(600)
    rest(world)
    return card, f"redemption#{row_id}"


def test_a_debit_that_turns_up_after_all_is_left_to_a_person(world: World) -> None:
    card, reference = give_up_and_apply_late(world)
    (parked,) = world.journal.parked(now=now(), limit=10)
    assert parked.key == f"owed#{reference}"
    assert not operations(world, "adjusted")
    (late,) = receipts(world, Action.LOWERED_AT_SHOPIFY)
    assert (late["Operation"], late["Amount"]) == (f"late#{reference}", 10)
    assert "although its outcome is NOT_CHARGED" in late["Details"]
    to_office = [mail for mail in world.mails() if OFFICE in mail.destinations["ToAddresses"]]
    assert [mail.subject for mail in to_office] == [
        "Money moved on a card although we had given that up"
    ]
    check_in_step(world, card)
    world.shop.credit(card.id, amount=Decimal(10), note="given back by hand")
    rest(world)
    assert decide(world, parked.key, "dismiss") == 0
    rest(world)
    assert world.journal.parked(now=now(), limit=10) == []
    assert world.shop.card(card.id).balance == 50
    check_in_step(world, card)
    assert len([mail for mail in world.mails() if OFFICE in mail.destinations["ToAddresses"]]) == 1


def test_what_is_put_onto_a_card_after_a_late_debit_is_entered_alone(world: World) -> None:
    card, _ = give_up_and_apply_late(world)
    world.shop.credit(card.id, amount=Decimal(5), note="sorry")
    look(world, PATIENCE_TICKS)
    rest(world)
    (raised,) = receipts(world, Action.RAISED_AT_SHOPIFY)
    assert raised["Amount"] == 5
    assert len(receipts(world, Action.LOWERED_AT_SHOPIFY)) == 1
    check_in_step(world, card)


def test_a_debit_that_turned_up_after_all_is_credited_back_once(world: World) -> None:
    card, reference = give_up_and_apply_late(world)
    (owed,) = world.journal.parked(now=now(), limit=10)
    assert decide(world, owed.key, "credit-back") == 0
    assert decide(world, owed.key, "credit-back") == 1
    assert decide(world, owed.key, "dismiss") == 1
    rest(world)
    assert world.shop.card(card.id).balance == 50
    (receipt,) = receipts(world, Action.PUT_RIGHT)
    assert (receipt["Operation"], receipt["Amount"]) == (f"repay#{reference}", 10)
    assert world.journal.parked(now=now(), limit=10) == []
    check_in_step(world, card)


def test_a_credit_that_turns_up_after_all_can_only_be_debited_by_hand(world: World) -> None:
    card = known_card(world)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    rest(world)
    world.shop.faults.add(Fault.APPLY_LATE, operation="giftCardCredit", seconds=2000)
    world.base.table("Redemptions").update(row_id, {"Reverse Amount": 10})
    rest(world)
    (unfound,) = world.journal.parked(now=now(), limit=10)
    assert decide(world, unfound.key, "not-credited") == 0
    world.advance(2000)
    rest(world)
    (owed,) = world.journal.parked(now=now(), limit=10)
    (late,) = receipts(world, Action.RAISED_AT_SHOPIFY)
    assert "has to debit 10.00 USD at Shopify, and then to dismiss owed#" in late["Details"]
    with pytest.raises(NeedsAPerson, match="took nothing off a card"):
        decide(world, owed.key, "credit-back")
    assert world.shop.card(card.id).balance == 50
    check_in_step(world, card)


@pytest.mark.parametrize("is_dismissed", [True, False])
def test_of_two_people_who_decide_at_once_only_the_first_is_heard(
    world: World, *, is_dismissed: bool
) -> None:
    card, _ = give_up_and_apply_late(world)
    (owed,) = world.journal.parked(now=now(), limit=10)
    decisions: list[Callable[..., Operation]] = [
        world.app.credit_back().begin,
        world.app.dismiss().dismiss,
    ]
    if is_dismissed:
        decisions.reverse()
    first, second = (decide_it(owed, by="somebody") for decide_it in decisions)
    assert first.result is not None
    assert second.result is not None
    assert second.result.outcome == first.result.outcome
    rest(world)
    assert world.shop.card(card.id).balance == (40 if is_dismissed else 50)
    assert len(receipts(world, Action.PUT_RIGHT)) == (0 if is_dismissed else 1)


def test_what_is_owed_waits_for_a_decision_and_not_for_another_try(world: World) -> None:
    card, _ = give_up_and_apply_late(world)
    (owed,) = world.journal.parked(now=now(), limit=10)
    assert decide(world, owed.key, "retry") == 1
    assert world.journal.parked(now=now(), limit=10) == [owed]
    assert world.shop.card(card.id).balance == 40


def test_a_card_that_takes_no_money_any_more_is_told_to_the_office(world: World) -> None:
    card, reference = give_up_and_apply_late(world)
    (owed,) = world.journal.parked(now=now(), limit=10)
    world.shop.deactivate(card.id)
    assert decide(world, owed.key, "credit-back") == 0
    rest(world)
    (receipt,) = receipts(world, Action.PUT_RIGHT)
    assert (receipt["Operation"], receipt["Outcome"]) == (f"repay#{reference}", "Failed")
    assert "was not given back to the card (the card was deactivated" in receipt["Details"]
    assert receipt["Gift Card"] == "•••• 6789"
    assert world.shop.card(card.id).balance == 40
    assert f"repay#{reference}" not in world.app.ledgers.of([card.id])[card.id].lines
    subject = "What a card was charged wrongly"
    (mail,) = [mail for mail in world.mails() if mail.subject == subject]
    assert mail.destinations["ToAddresses"] == [OFFICE]


@pytest.mark.parametrize(
    ("fault", "decision", "balance"),
    [(Fault.DROP_REPLY, None, 50), (Fault.FAIL_BEFORE, "not-credited", 40)],
)
def test_a_credit_back_that_nobody_answered_is_looked_for_and_never_sent_again(
    world: World, fault: Fault, decision: str | None, balance: int
) -> None:
    card, reference = give_up_and_apply_late(world)
    (owed,) = world.journal.parked(now=now(), limit=10)
    world.shop.faults.add(fault, operation="giftCardCredit")
    assert decide(world, owed.key, "credit-back") == 0
    for _ in range(6):  # the settling time passes
        rest(world)
    parked = world.journal.parked(now=now(), limit=10)
    assert [one.key for one in parked] == ([f"repay#{reference}"] if decision else [])
    if decision:
        assert decide(world, parked[0].key, decision) == 0
        rest(world)
    assert world.shop.card(card.id).balance == balance
    (receipt,) = receipts(world, Action.PUT_RIGHT)
    assert receipt["Outcome"] == ("Failed" if decision else "Done")
    check_in_step(world, card)


def test_a_debit_applied_twice_with_one_reference_is_left_to_a_person(world: World) -> None:
    card = known_card(world)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    world.shop.debit(card.id, amount=Decimal(10), note=f"redemption#{row_id}")
    rest(world)
    (parked,) = world.journal.parked(now=now(), limit=10)
    assert parked.key == f"owed#redemption#{row_id}"
    check_in_step(world, card)


# --------------------------------------------------------------------------- web, store and staff


def test_web_store_and_staff_on_one_card_at_once(world: World) -> None:
    card = known_card(world, 100)
    placed = order(world, (CODE, 20))
    row_id = world.ask(Gift_Card_Code=CODE, Amount=15)
    world.shop.credit(card.id, amount=Decimal("7.77"), note="sorry")
    world.tick()
    world.shop.orders.refund(placed.id, amount=Decimal("3.33"), units={})
    world.shop.cash_out(card.id, Decimal(1))
    world.spend_tick()
    world.drain()
    rest(world)
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert world.shop.card(card.id).balance == Decimal("75.10")
    check_in_step(world, card)
    (raised,) = receipts(world, Action.RAISED_AT_SHOPIFY)
    assert raised["Amount"] == 6.77
    assert (
        "a cash-out at a till of 1.00 USD, a credit of 7.77 USD (note: sorry)" in raised["Details"]
    )


def test_what_the_office_gives_back_is_explained_at_once(world: World) -> None:
    card = known_card(world)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=15)
    world.serve()
    world.base.table("Redemptions").update(row_id, {"Reverse Amount": 4.5})
    world.delayed_tick(late_by_seconds=0, offset_seconds=30)
    world.drain()
    look(world, PATIENCE_TICKS)
    rest(world)
    assert world.shop.card(card.id).balance == Decimal("39.50")
    assert [row["Amount"] for row in receipts(world, Action.REVERSE)] == [4.5]
    assert not operations(world, "adjusted")
    check_in_step(world, card)


# ------------------------------------------------------------------------------ old cards


def test_an_old_card_is_none_of_ours_but_what_airtable_shows_of_it_is_right(world: World) -> None:
    card = load(world, at=START - timedelta(days=3))
    hidden = load(world, code=OTHER, at=START - timedelta(days=3))
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.CARD_ONLINE_ONLY
    world.shop.credit(card.id, amount=Decimal(5))
    world.shop.credit(hidden.id, amount=Decimal(5))
    look(world, 2)
    (mirror,) = world.cells("Gift Cards")
    assert mirror["Balance"] == 55
    look(world, PATIENCE_TICKS)
    rest(world)
    assert not operations(world, "adjusted")
    assert not operations(world, "mirrored")


def test_an_old_card_that_is_accepted_begins_with_what_it_holds() -> None:
    with running_world(accept_historical=True) as world:
        card = load(world, 80, at=START - timedelta(days=3))
        world.shop.debit(card.id, amount=Decimal(30))  # whatever happened to it before
        world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
        row_id = world.ask(Gift_Card_Code=CODE)  # in flight at the first look
        world.tick()
        look(world, 2)
        rest(world)
        assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
        assert not operations(world, "adjusted")
        world.shop.credit(card.id, amount=Decimal(5))
        rest(world)
        (raised,) = receipts(world, Action.RAISED_AT_SHOPIFY)
        assert (raised["Amount"], raised["Balance After"]) == (5, 45)


# ------------------------------------------------------------------------------ many, and none


def test_a_look_at_what_is_known_writes_nothing(world: World) -> None:
    known_card(world)
    known_card(world, code=OTHER)
    rest(world)
    world.effects.forget()
    world.app.serve_spends().run(now() + timedelta(seconds=20))
    assert world.effects.seen
    assert not [name for name in world.effects.seen if any(word in name for word in WRITES)]


def test_more_changes_than_a_page_are_all_looked_at(world: World) -> None:
    known_card(world)
    for number in range(3 * CARDS_PER_PAGE):
        load(world, code=f"wxyz2345abcd{number:04}")
        world.advance(1)
    look(world, 2)
    assert len(operations(world, "mirrored")) == 3 * CARDS_PER_PAGE + 1


@pytest.mark.slow
def test_more_changes_than_one_look_reads_are_looked_at_by_the_next(world: World) -> None:
    known_card(world)
    many = (MOST_PAGES + 10) * CARDS_PER_PAGE
    for number in range(many):
        load(world, code=f"wxyz2345abcd{number:04}")
        if number % 10 == 0:
            world.advance(1)
    for _ in range(40):
        world.advance(30)
        world.spend_tick()
    assert len(operations(world, "mirrored")) == many + 1


def test_one_cards_trouble_leaves_the_others_alone(world: World) -> None:
    bad, good = known_card(world), known_card(world, code=OTHER)
    one = world.shop.credit(bad.id, amount=Decimal(1))
    # More movements than anybody reads, as a card that a script plays with would have.
    bad.transactions += [replace(one, id=f"{one.id}{number}") for number in range(5001)]
    world.shop.credit(good.id, amount=Decimal(2))
    rung = 0
    for _ in range(PATIENCE_TICKS):
        try:
            look(world)
        except VendorSurprise:
            rung += 1
            world.drain()
    assert rung == 1  # and the next time in an hour: each try costs as much as a hundred looks
    assert [row["Amount"] for row in receipts(world, Action.RAISED_AT_SHOPIFY)] == [2]
    queued = [item["key"] for item in world.items() if item.get("queue") == LOOK_QUEUE]
    assert queued == [f"ledger#{bad.id}"]


def test_a_paused_system_looks_at_nothing(world: World) -> None:
    load(world)
    world.app.control.throw_switch(run=False, by="tests", now=now())
    look(world, 3)
    assert not operations(world, "mirrored")


# -------------------------------------------------------- references where they do not belong


def another_cards(world: World, state: str) -> str:
    """The key of an operation of the known card, whose note anybody can read in the admin."""
    if state == "given up":
        return give_up_and_apply_late(world)[1]
    known_card(world)
    if state == "of an order":
        order(world, (CODE, 10))
        rest(world)
        return str(operations(world, "order-spend")[0]["key"]).removeprefix("op#")
    if state == "under way":
        world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    row_id = world.ask(Gift_Card_Code=CODE)
    world.tick()
    if state == "under way":
        return f"redemption#{row_id}"
    world.drain()
    rest(world)
    if state == "given back":
        world.base.table("Redemptions").update(row_id, {"Reverse Amount": 10})
        rest(world)
        return f"reverse#{row_id}#1000"
    return f"redemption#{row_id}"


@pytest.mark.parametrize("amount", [20, -20])
@pytest.mark.parametrize("state", ["settled", "given back", "given up", "under way", "of an order"])
def test_the_reference_of_another_cards_operation_explains_nothing(
    world: World, capsys: pytest.CaptureFixture[str], state: str, amount: int
) -> None:
    mine = load(world, code=OTHER)
    reference = another_cards(world, state)
    owed = [one.key for one in world.journal.parked(now=now(), limit=10)]
    rung(capsys)
    move = world.shop.credit if amount > 0 else world.shop.debit
    move(mine.id, amount=Decimal(abs(amount)), note=reference)
    look(world, PATIENCE_TICKS)
    (entered,) = operations(world, "adjusted")
    assert entered["key"] == f"op#adjusted#{mine.id.rpartition('/')[2]}#1"
    assert rung(capsys) == 1
    assert [one.key for one in world.journal.parked(now=now(), limit=10)] == owed
    look(world, PATIENCE_TICKS)
    assert len(operations(world, "adjusted")) == 1
    assert rung(capsys) == 0
    rest(world)
    check_in_step(world, *world.shop.cards)


def test_what_is_owed_for_a_card_is_given_back_once_whoever_uses_its_reference(
    world: World,
) -> None:
    mine = load(world, code=OTHER)
    card, reference = give_up_and_apply_late(world)
    world.shop.debit(mine.id, amount=Decimal(5), note=reference)
    look(world, PATIENCE_TICKS)
    (owed,) = world.journal.parked(now=now(), limit=10)
    assert decide(world, owed.key, "credit-back") == 0
    rest(world)
    assert world.shop.card(card.id).balance == 50
    assert world.shop.card(mine.id).balance == 45
    check_in_step(world, card, mine)


def test_a_reference_that_was_used_before_the_late_debit_holds_nothing_up(world: World) -> None:
    mine = load(world, code=OTHER)
    card = known_card(world)
    world.shop.faults.add(Fault.APPLY_LATE, operation="giftCardDebit", seconds=2000)
    reference = f"redemption#{world.ask(Gift_Card_Code=CODE)}"
    world.serve()
    rest(world)
    world.shop.debit(mine.id, amount=Decimal(5), note=reference)
    rest(world)
    world.advance(2000)
    rest(world)
    (owed,) = world.journal.parked(now=now(), limit=10)
    assert (owed.key, owed.snapshot["card_id"]) == (f"owed#{reference}", card.id)
    check_in_step(world, card, mine)


@pytest.mark.parametrize("kind", ["late", "owed"])
def test_what_staff_give_back_with_the_name_of_what_is_owed_is_a_change_like_any_other(
    world: World, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    card, reference = give_up_and_apply_late(world)
    rung(capsys)
    world.shop.credit(card.id, amount=Decimal(10), note=f"{kind}#{reference}")
    rest(world)
    assert len(operations(world, "adjusted")) == 1
    assert len(operations(world, "owed")) == 1
    assert rung(capsys) == 0
    check_in_step(world, card)


def test_more_that_moves_with_a_reference_after_a_worker_died_entering_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is owed stands as it was found first; the rest is entered as nobody's, once."""
    card = known_card(world)
    reference = debit_given_up(world, card)
    ten = Money(-1000, "USD")
    world.app.owe().owe(card_id=card.id, operation=reference, amount=ten)  # and died
    world.shop.debit(card.id, amount=Decimal(3), note=reference)
    rung(capsys)
    rest(world)
    moved = {
        one: world.app.ledgers.of([card.id])[card.id].lines[one]
        for one in (f"late#{reference}", f"adjusted#{card.id.rpartition('/')[2]}#1")
    }
    assert [amount.minor for amount in moved.values()] == [-1000, -300]
    assert rung(capsys) == 1
    (owed,) = world.journal.parked(now=now(), limit=10)
    assert decide(world, owed.key, "credit-back") == 0
    rest(world)
    assert world.shop.card(card.id).balance == 47
    check_in_step(world, card)


def test_what_is_owed_on_another_card_holds_nothing_up(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """An earlier version left to a person what had moved elsewhere with this reference."""
    mine = load(world, code=OTHER)
    card = known_card(world)
    reference = debit_given_up(world, card)
    five = Money(-500, "USD")
    world.app.owe().owe(card_id=mine.id, operation=reference, amount=five)
    rung(capsys)
    rest(world)
    (entered,) = operations(world, "adjusted")
    assert entered["result"]["moved"]["minor"] == -1000
    assert not operations(world, "late")
    assert rung(capsys) == 1
    (owed,) = world.journal.parked(now=now(), limit=10)
    assert owed.snapshot["card_id"] == mine.id
    check_in_step(world, card, mine)


# ------------------------------------------------------------------- who hears of what staff did


def to_the_office(world: World) -> list[SentMail]:
    return [mail for mail in world.mails() if OFFICE in mail.destinations["ToAddresses"]]


def the_next_morning(world: World) -> None:
    world.advance(21 * 3600)  # it is past seven in New York
    world.sweep()
    world.drain()


def rung(capsys: pytest.CaptureFixture[str]) -> int:
    return capsys.readouterr().out.count(f'"{Metric.UNEXPLAINED_MONEY}":')


def test_the_office_reads_next_morning_what_staff_changed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    card, other = known_card(world), load(world, code=OTHER)
    look(world)
    world.shop.debit(card.id, amount=Decimal(40), note=f"for me {CODE}")
    world.shop.credit(other.id, amount=Decimal(5))
    rest(world)
    world.sweep()
    world.drain()
    assert to_the_office(world) == []  # not yet
    the_next_morning(world)
    (mail,) = to_the_office(world)
    assert mail.subject == "2 changes of balances at Shopify on 23 November 2026"
    assert "•••• 6789, found at 10:" in mail.body
    assert "40.00 USD taken off, 10.00 USD left." in mail.body
    assert "a debit of 40.00 USD (note: for me •••• 6789)" in mail.body
    assert "5.00 USD put on, 55.00 USD left." in mail.body
    assert CODE not in mail.body
    for _ in range(2):
        the_next_morning(world)
    assert len(to_the_office(world)) == 1
    assert rung(capsys) == 0  # Shopify's timeline says who it was


def test_the_alarm_rings_where_shopify_shows_no_movement_either(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    card = known_card(world)
    world.shop.return_to_card(card.id, Decimal(4))  # leaves no movement
    rest(world)
    assert rung(capsys) == 1
    look(world, PATIENCE_TICKS)
    the_next_morning(world)
    assert rung(capsys) == 0
    (mail,) = to_the_office(world)
    assert "4.00 USD put on, 54.00 USD left. Shopify does not tell what it was." in mail.body


def test_it_does_not_ring_for_an_order_that_is_known_late(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The alarm has rung for what it took; that it is explained at last is no news."""
    known_card(world)
    world.shop.set_search_lag(3600)
    order(world, (CODE, 20))
    look(world, 2 * PATIENCE_TICKS)
    assert len(operations(world, "adjusted")) == 1
    assert rung(capsys) == 1
    world.shop.set_search_lag(0)
    world.advance(3600)
    rest(world)
    assert len(operations(world, "adjusted")) == 2
    assert rung(capsys) == 0


@pytest.mark.parametrize("when", ["before", "after"])
def test_of_a_change_whose_worker_died_entering_it_the_office_reads_once(
    world: World, when: When
) -> None:
    card = known_card(world)
    world.shop.debit(card.id, amount=Decimal(40))
    look(world)
    world.advance(world.config.explain_seconds)

    def die(_: str) -> None:
        """The pointer is written, the operation comes next."""
        if untold(world):
            world.effects.watch = None
            world.effects.kill_on = {"PutItem": when}

    world.effects.watch = die
    look(world)
    assert world.effects.deaths == 1
    rest(world)
    assert len(operations(world, "adjusted")) == 1
    for _ in range(2):
        the_next_morning(world)
    assert len(to_the_office(world)) == 1


def untold(world: World) -> list[str]:
    return [item["key"] for item in world.items() if item["key"].startswith("untold#")]


def test_more_changes_than_one_mail_holds_are_told_of_in_several(world: World) -> None:
    teller = world.app.tell_of_changes()
    known_card(world)
    look(world)
    names = [f"adjusted#1#{number}" for number in range(CHANGES_A_MAIL + 1)]
    for name in names:
        teller.remember(name)
        world.journal.record(
            name,
            kind="adjusted",
            snapshot={"movements": []},
            result=a_change(name),
            due_at=now() + timedelta(days=9),
        )
    for _ in range(3):
        the_next_morning(world)
    told = [mail.body.count("put on") for mail in to_the_office(world)]
    assert sorted(told) == [1, CHANGES_A_MAIL]


def a_change(name: str) -> Result:
    amount = Money(100, "USD")
    receipt = Receipt(
        id=f"{name}#1",
        at=now(),
        action=Action.RAISED_AT_SHOPIFY,
        actor="Shopify",
        card="•••• 6789",
        amount=amount,
        balance_after=amount,
        outcome=ReceiptOutcome.DONE,
        operation=name,
        details="RAISED_AT_SHOPIFY: by the hundred.",
    )
    return Result(
        outcome="RAISED_AT_SHOPIFY",
        decided_at=now(),
        balance=amount,
        moved=amount,
        receipts=(receipt,),
        reason="Nobody knows.",
    )
