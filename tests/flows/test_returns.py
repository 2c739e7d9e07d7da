"""A unit whose purchase was refunded: its card goes out of use, and its neighbours stay."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from giftcards.domain.money import Money
from giftcards.domain.outcomes import Outcome
from giftcards.flows.return_card import (
    ALREADY_SPENT,
    CARD_RETURNED,
    NOT_RETURNED,
    REST_TAKEN,
)
from giftcards.flows.sale import CARD_DEAD, DROPPED
from giftcards.store.cards import lock_key
from giftcards.store.journal import Operation, State
from giftcards.wiring import now
from sandbox.faults import Fault
from tests.flows.adjust_stories import decide_parked, give_back, operation_of, rest, sell
from tests.world import OFFICE, World

LATER = "2026-12-24"


def only_card(world: World) -> Any:
    (card,) = world.shop.cards
    return card


def returned(world: World, key: str) -> str:
    """How it ended, once time has brought all it brings."""
    rest(world)
    result = operation_of(world, key).result
    assert result is not None
    return result.outcome


def receipt(world: World, key: str) -> dict[str, Any]:
    (one,) = [one for one in world.cells("Receipts") if one["Operation"] == key]
    return one


def office(world: World) -> list[str]:
    return [m.body for m in world.mails() if m.destinations["ToAddresses"] == [OFFICE]]


def at(world: World, word: str, do: Any) -> None:
    """Have something happen before the next call whose name holds `word`."""

    def watch(name: str) -> None:
        if word in name:
            world.effects.watch = None
            do()

    world.effects.watch = watch


def sell_for_later(world: World) -> str:
    """A card is made, and mailed in a month: nobody can wait for that to be done."""
    row_id = world.sell(Amount=50, Send_On=LATER)
    world.serve()
    return row_id


def serve_return(world: World, key: str) -> Operation:
    world.drain()
    operation = operation_of(world, key)
    assert operation.state is State.SETTLED
    return operation


# ------------------------------------------------------------------------------ nobody has used it


def test_an_untouched_card_is_deactivated_and_its_mail_is_not_sent(world: World) -> None:
    told = give_back(world, sell_for_later(world))
    result = serve_return(world, told.key).result
    assert result is not None
    assert (result.outcome, result.purchase) == (CARD_RETURNED, "5001")
    assert (result.moved_card, result.moved) == (told.card_id, None)
    assert only_card(world).enabled is False
    assert office(world) == []  # nothing was used, and nobody has the code
    (row,) = world.cells("Gift Cards")
    assert row["Status"] == "Disabled"
    line = receipt(world, told.key)
    assert (line["Action"], line["Outcome"]) == ("Return card", "Done")
    assert "Amount" not in line  # no money moved
    assert line["Details"] == (
        "CARD_RETURNED: Order #1001: the unit was refunded; the card was deactivated with"
        " 50.00 USD on it."
    )
    world.advance(40 * 24 * 3600)
    world.come_to_rest()
    assert world.klaviyo.events == []
    ledger = world.app.ledgers.of([only_card(world).id])[only_card(world).id]
    assert ledger.is_deactivated_by_us


def test_whoever_has_the_mail_has_a_card_no_more_and_the_office_hears_it(world: World) -> None:
    told = give_back(world, sell(world))
    assert returned(world, told.key) == CARD_RETURNED
    (mail,) = office(world)
    assert "rosa@example.com" in mail
    assert "the card is no longer good" in mail


def test_only_the_unit_that_was_given_back(world: World) -> None:
    row_id = sell(world, Quantity=3)
    told = give_back(world, row_id, unit=2)
    assert returned(world, told.key) == CARD_RETURNED
    assert [(card.note, card.enabled) for card in world.shop.cards] == [
        (f"issue#{row_id}#1", True),
        (f"issue#{row_id}#2", False),
        (f"issue#{row_id}#3", True),
    ]


def test_a_card_spent_from_at_that_moment_is_told_of(world: World) -> None:
    told = give_back(world, sell_for_later(world))
    card = only_card(world)
    at(world, "Deactivate", lambda: world.shop.debit(card.id, amount=Decimal(15), note="checkout"))
    serve_return(world, told.key)
    assert world.effects.watch is None
    assert only_card(world).enabled is False
    (mail,) = office(world)
    assert "deactivated with 35.00 USD on it. 15.00 USD of it had been used." in mail


def test_it_is_looked_at_under_the_cards_lock(world: World) -> None:
    told = give_back(world, sell_for_later(world))
    lock = world.app.leases.acquire(lock_key(only_card(world).id), now=now())
    assert lock is not None
    world.drain()
    assert only_card(world).enabled is True
    world.app.leases.release(lock)
    world.advance(5)
    serve_return(world, told.key)
    assert only_card(world).enabled is False


@pytest.mark.parametrize(
    "fault", [Fault.DROP_REPLY, Fault.FAIL_BEFORE, Fault.FAIL_AFTER, Fault.THROTTLE]
)
def test_a_deactivation_is_repeated_until_it_is_known(world: World, fault: Fault) -> None:
    told = give_back(world, sell(world))
    world.shop.faults.add(fault, operation="giftCardDeactivate", times=2)
    assert returned(world, told.key) == CARD_RETURNED
    assert only_card(world).enabled is False


# ----------------------------------------------------------------------------------- it was used


def test_the_rest_is_taken_off_a_card_that_was_used(world: World) -> None:
    row_id = sell(world)
    card = only_card(world)
    world.shop.debit(card.id, amount=Decimal("12.5"), note="checkout")
    told = give_back(world, row_id)
    assert returned(world, told.key) == REST_TAKEN
    assert only_card(world).balance == 0
    assert [(one.note, one.amount) for one in only_card(world).transactions][1:] == [
        (told.key, Decimal("-37.5"))
    ]
    line = receipt(world, told.key)
    assert (line["Amount"], line["Balance After"], line["Outcome"]) == (37.5, 0, "Done")
    (mail,) = office(world)
    assert "37.50 USD was taken off the card. 12.50 USD of it had been used." in mail
    lines = world.app.ledgers.of([card.id])[card.id].lines
    assert lines[told.key].minor == -3750


def test_a_card_that_was_used_and_filled_again_is_not_untouched(world: World) -> None:
    """An order that is refunded to it later would find it deactivated."""
    row_id = sell(world)
    card = only_card(world)
    world.shop.debit(card.id, amount=Decimal(20), note="checkout")
    world.shop.credit(card.id, amount=Decimal(20), note="refund")
    for operation, minor in (("order-spend#1", -2000), ("order-refund#2", 2000)):
        world.app.ledgers.note(card.id, operation=operation, amount=Money(minor, "USD"))
    told = give_back(world, row_id)
    assert returned(world, told.key) == REST_TAKEN
    assert (only_card(world).balance, only_card(world).enabled) == (0, True)


def test_what_the_web_shop_keeps_back_leaves_it_in_use(world: World) -> None:
    row_id = sell(world)
    card = only_card(world)
    world.app.ledgers.note_reserved(card.id, payment="1", amount=Money(500, "USD"))
    told = give_back(world, row_id)
    assert returned(world, told.key) == REST_TAKEN
    assert only_card(world).enabled is True


def test_what_was_added_to_a_card_is_not_taken_off(world: World) -> None:
    row_id = sell(world)
    world.shop.credit(only_card(world).id, amount=Decimal(7), note="for the trouble")
    told = give_back(world, row_id)
    assert returned(world, told.key) == REST_TAKEN
    assert only_card(world).balance == 7


def test_a_card_that_is_spent_says_so(world: World) -> None:
    row_id = sell(world)
    world.shop.debit(only_card(world).id, amount=Decimal(50), note="checkout")
    told = give_back(world, row_id)
    assert returned(world, told.key) == ALREADY_SPENT
    assert receipt(world, told.key)["Outcome"] == "Failed"
    (mail,) = office(world)
    assert "nothing was left on the card. 50.00 USD of it had been used." in mail


def test_a_checkout_at_the_same_moment_leaves_less_to_take(world: World) -> None:
    row_id = sell(world)
    card = only_card(world)
    world.shop.debit(card.id, amount=Decimal(10), note="checkout")
    told = give_back(world, row_id)
    at(world, "DebitCard", lambda: world.shop.debit(card.id, amount=Decimal(5), note="checkout 2"))
    assert returned(world, told.key) == REST_TAKEN
    assert world.effects.watch is None
    assert only_card(world).balance == 0
    assert only_card(world).transactions[-1].amount == -35
    assert "15.00 USD of it had been used" in office(world)[0]


def test_a_refusal_that_nobody_can_explain_is_left_to_a_person(world: World) -> None:
    """Shopify takes the debit for an expired card's, and shows the card as good."""
    row_id = sell(world)
    card = only_card(world)
    world.shop.debit(card.id, amount=Decimal(10), note="checkout")
    told = give_back(world, row_id)

    def expire_while_debiting(name: str) -> None:
        if "DebitCard" in name:
            world.shop.update(card.id, expires_on=now().date() - timedelta(days=2))
        elif "ReadCard" in name:
            world.shop.update(card.id, expires_on=None)

    world.effects.watch = expire_while_debiting
    for _ in range(30):
        world.advance(60)
        world.sweep()
        world.drain()
    assert operation_of(world, told.key).state is State.PARKED
    world.effects.watch = None
    world.shop.update(card.id, expires_on=None)
    decide_parked(world, "retry")
    assert returned(world, told.key) == REST_TAKEN
    assert only_card(world).balance == 0


def test_a_debit_without_an_answer_is_found(world: World) -> None:
    row_id = sell(world)
    world.shop.debit(only_card(world).id, amount=Decimal(10), note="checkout")
    told = give_back(world, row_id)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    assert returned(world, told.key) == REST_TAKEN
    assert only_card(world).balance == 0
    assert "40.00 USD was taken off the card. 10.00 USD of it had been used." in office(world)[0]


@pytest.mark.parametrize(
    ("word", "outcome", "balance"), [("charged", REST_TAKEN, 40), ("not-charged", NOT_RETURNED, 40)]
)
def test_a_debit_that_is_not_found_is_decided_by_a_person(
    world: World, word: str, outcome: str, balance: int
) -> None:
    row_id = sell(world)
    world.shop.debit(only_card(world).id, amount=Decimal(10), note="checkout")
    told = give_back(world, row_id)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardDebit")
    for _ in range(10):
        world.advance(60)
        world.sweep()
        world.drain()
    assert operation_of(world, told.key).state is State.PARKED
    assert decide_parked(world, word) == 1
    assert returned(world, told.key) == outcome
    assert only_card(world).balance == balance
    assert "decided by" in receipt(world, told.key)["Details"]


# ------------------------------------------------------------------------------- it is dead already


@pytest.mark.parametrize("spoil", ["deactivate", "expire"])
def test_a_card_that_is_dead_is_only_told_of(world: World, spoil: str) -> None:
    row_id = sell(world)
    card = only_card(world)
    if spoil == "deactivate":
        world.shop.deactivate(card.id)
    else:
        world.shop.update(card.id, expires_on=now().date() - timedelta(days=2))
    told = give_back(world, row_id)
    assert returned(world, told.key) == CARD_DEAD
    assert only_card(world).balance == 50
    assert only_card(world).transactions == []
    (mail,) = office(world)
    assert ("deactivated before" if spoil == "deactivate" else "expired before") in mail


def test_a_frozen_card_is_taken_out_of_use_all_the_same(world: World) -> None:
    row_id = sell(world)
    world.app.freeze().freeze(only_card(world).id, by="Ana", because="chargeback")
    told = give_back(world, row_id)
    assert returned(world, told.key) == CARD_RETURNED
    (row,) = world.cells("Gift Cards")
    assert row["Status"] == "Disabled"


# ------------------------------------------------------------------------------ it is not made yet


def test_a_card_that_is_not_begun_is_never_made(world: World) -> None:
    row_id = world.sell(Amount=50, Quantity=2)
    world.tick()
    told = give_back(world, row_id, unit=2)
    assert returned(world, told.key) == DROPPED
    assert [card.note for card in world.shop.cards] == [f"issue#{row_id}#1"]
    issue = operation_of(world, f"issue#{row_id}#2")
    assert issue.result is not None
    assert (issue.result.outcome, issue.result.receipts) == (DROPPED, ())
    assert office(world) == []
    assert receipt(world, told.key)["Outcome"] == "Done"


def test_a_card_that_is_being_made_is_waited_for(world: World) -> None:
    row_id = world.sell(Amount=50)
    world.tick()
    world.app.journal.claim(
        f"issue#{row_id}#1",
        kind="issue",
        snapshot={"sale": f"sale#{row_id}"},
        now=now(),
        due_at=now() + timedelta(seconds=300),
    )
    told = give_back(world, row_id)
    world.app.adjust_balance().adjust(told.key, deadline=now() + timedelta(seconds=20))
    assert operation_of(world, told.key).state is State.CLAIMED
    assert world.shop.cards == []
    assert returned(world, told.key) == CARD_RETURNED
    assert only_card(world).enabled is False


def test_a_store_is_refused_the_card_of_a_return(world: World) -> None:
    told = give_back(world, sell(world))
    assert returned(world, told.key) == CARD_RETURNED
    code = only_card(world).code
    row_id = world.ask(Gift_Card_Code=code, Amount=5)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.CARD_DISABLED
