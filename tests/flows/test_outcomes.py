"""The answers of real life: online-only cards, forms filed twice, rows that waited too long."""

from datetime import timedelta

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.store.journal import State
from giftcards.wiring import now
from sandbox.faults import Fault
from tests.world import World, running_world

CODE = "wxyz2345abcd6789"
UNKNOWN = "qqqq2345qqqq7777"


def outcome(world: World, row_id: str) -> str | None:
    return world.row(row_id).get("Outcome")


def file(world: World, **cells: object) -> str:
    """File a form for the card and serve it, a minute after the last one."""
    world.advance(60)
    row_id = world.ask(**({"Gift_Card_Code": CODE} | cells))
    world.serve()
    return row_id


# ------------------------------------------------------------------------------- historical cards


def test_a_card_of_before_the_cut_over_is_good_online_only(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50, at=now() - timedelta(days=3))
    assert outcome(world, file(world)) == Outcome.CARD_ONLINE_ONLY
    assert world.shop.card(card.id).balance == 50


def test_a_retailer_may_accept_them() -> None:
    with running_world(accept_historical=True) as world:
        world.shop.issue_card(code=CODE, amount=50, at=now() - timedelta(days=3))
        assert outcome(world, file(world)) == Outcome.REDEEMED


# ------------------------------------------------------------------------------------- duplicates


def test_the_same_form_filed_twice_is_charged_once_and_names_the_first(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    first = file(world)
    second = file(world)
    assert outcome(world, second) == Outcome.POSSIBLE_DUPLICATE
    assert f"redemption#{first}" in world.row(second)["Message"]
    assert f"redemption#{first}" in world.mails()[-1].body
    assert world.shop.card(card.id).balance == 40


def test_two_forms_filed_at_once_are_charged_once(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    rows = [world.ask(Gift_Card_Code=CODE), world.ask(Gift_Card_Code=CODE)]
    world.serve()
    assert sorted(str(outcome(world, row_id)) for row_id in rows) == [
        Outcome.POSSIBLE_DUPLICATE,
        Outcome.REDEEMED,
    ]
    assert world.shop.card(card.id).balance == 40


def test_a_store_may_confirm_that_it_is_another_sale(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    file(world)
    assert outcome(world, file(world, Confirm_Duplicate=True)) == Outcome.REDEEMED


def test_the_office_may_approve_it(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    file(world)
    assert outcome(world, file(world, Approved=True)) == Outcome.REDEEMED


def test_a_third_filing_goes_through_and_a_fourth_is_refused_again(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    outcomes = [outcome(world, file(world)) for _ in range(4)]
    assert outcomes == [
        Outcome.REDEEMED,
        Outcome.POSSIBLE_DUPLICATE,
        Outcome.REDEEMED,
        Outcome.POSSIBLE_DUPLICATE,
    ]
    assert world.shop.card(card.id).balance == 30


@pytest.mark.parametrize("cells", [{"Amount": 10.01}, {"Store": None}])
def test_another_amount_or_store_is_another_sale(world: World, cells: dict[str, object]) -> None:
    other = world.base.table("Stores").create({"Name": "Elm", "Email": "elm@shop.example"})["id"]
    world.shop.issue_card(code=CODE, amount=50)
    file(world)
    if "Store" in cells:
        cells = {"Store": [other]}
    assert outcome(world, file(world, **cells)) == Outcome.REDEEMED


def test_what_happened_long_ago_is_no_duplicate(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    file(world)
    world.advance(600)
    assert outcome(world, file(world)) == Outcome.REDEEMED


def test_what_was_not_charged_is_no_duplicate(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardDebit")
    first = file(world)
    world.advance(130)
    world.serve()
    assert outcome(world, first) == Outcome.NOT_CHARGED
    assert outcome(world, file(world)) == Outcome.REDEEMED


def test_what_is_held_is_no_duplicate(world: World) -> None:
    """The store has read that nothing was taken for the first form, and files it again."""
    card = world.shop.issue_card(code=CODE, amount=50)
    first = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.REFUSE_CONNECTION, operation="giftCardDebit", times=None)
    for _ in range(9):
        world.advance(110)
        world.tick()
    world.shop.faults.clear()
    world.serve()
    assert world.row(first)["Status"] == "Held"
    assert outcome(world, file(world)) == Outcome.REDEEMED
    world.come_to_rest()
    assert world.shop.card(card.id).balance == 40


def test_what_may_have_been_charged_is_a_possible_duplicate(world: World) -> None:
    """Nobody knows yet whether the first went through; the balance does not tell."""
    card = world.shop.issue_card(code=CODE, amount=50)
    world.shop.faults.add(Fault.APPLY_LATE, operation="giftCardDebit", seconds=100)
    first = file(world)
    second = file(world)
    assert outcome(world, second) == Outcome.POSSIBLE_DUPLICATE
    world.come_to_rest()
    assert outcome(world, first) == Outcome.REDEEMED
    assert world.shop.card(card.id).balance == 40


def test_a_worker_that_dies_while_refusing_a_duplicate_does_not_let_it_through(
    world: World,
) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    file(world)
    second = world.ask(Gift_Card_Code=CODE)
    world.advance(60)
    world.effects.watch = _kill_third_update(world)
    world.tick()
    world.effects.watch = None
    world.come_to_rest()
    assert outcome(world, second) == Outcome.POSSIBLE_DUPLICATE
    assert world.shop.card(card.id).balance == 40


def _kill_third_update(world: World) -> "Kill":
    return Kill(world)


class Kill:
    """Kills the worker right after it has left the refusal on the card, before the commit."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._read = False
        self._updates = 0

    def __call__(self, name: str) -> None:
        self._read = self._read or "ReadCard" in name
        if self._read and "UpdateItem" in name:
            self._updates += 1
            if self._updates == 2:
                self._world.effects.kill_on = {"UpdateItem": "before"}


# ------------------------------------------------------------------------------- rows that waited


def test_a_row_that_waited_too_long_is_held_and_the_store_is_told(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.advance(901)
    world.serve()
    world.serve()
    row = world.row(row_id)
    assert (row["Status"], row["Outcome"]) == ("Held", Outcome.HELD)
    assert row["Gift Card Code"] == CODE  # it is still needed
    (mail,) = world.mails()
    assert "office" in mail.subject
    assert world.shop.card(card.id).balance == 50


def test_the_office_releases_a_held_row(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.advance(901)
    world.serve()
    world.advance(3600)
    world.base.table("Redemptions").update(row_id, {"Approved": True})
    world.serve()
    assert outcome(world, row_id) == Outcome.REDEEMED
    assert world.row(row_id)["Status"] == "Processed"
    assert world.shop.card(card.id).balance == 40


def test_a_claim_that_waited_too_long_is_held_too(world: World) -> None:
    """The row was claimed in time, then Shopify was away for longer than the customer waits."""
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="ReadCard", times=None)
    world.serve()
    world.advance(901)
    world.shop.faults.clear()
    world.serve()
    world.come_to_rest()
    assert world.row(row_id)["Status"] == "Held"
    assert world.shop.card(card.id).balance == 50
    world.base.table("Redemptions").update(row_id, {"Approved": True})
    world.serve()
    assert outcome(world, row_id) == Outcome.REDEEMED
    assert world.shop.card(card.id).balance == 40


def test_a_debit_that_was_sent_in_time_is_found_out_however_long_it_takes(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    world.serve()
    world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
    for _ in range(60):
        world.advance(60)
        world.serve()
    world.shop.faults.clear()
    world.come_to_rest()
    assert outcome(world, row_id) == Outcome.REDEEMED
    assert world.shop.card(card.id).balance == 40


# ------------------------------------------------------------------------------------- many misses


def miss(world: World, number: int, **cells: object) -> str:
    row_id = world.ask(**({"Gift_Card_Code": f"qqqq2345qqqq{number:04d}"} | cells))
    world.advance(61)
    world.serve()
    return row_id


def test_too_many_misses_of_one_store_wait_for_the_office() -> None:
    with running_world(most_misses=8, misses_seconds=600) as world:
        other = world.base.table("Stores").create({"Name": "Elm", "Email": "elm@shop.example"})
        outcomes = [outcome(world, miss(world, 2200 + n)) for n in range(12)]
        assert outcomes[0] == Outcome.CODE_NOT_FOUND
        assert outcomes[-1] == Outcome.HELD
        assert outcome(world, miss(world, 7777, Store=[other["id"]])) == Outcome.CODE_NOT_FOUND
        card = world.shop.issue_card(code=CODE, amount=50)
        assert outcome(world, file(world)) == Outcome.REDEEMED  # a hit of that store is no miss
        assert world.shop.card(card.id).balance == 40


def test_the_office_may_let_a_miss_be_answered() -> None:
    with running_world(most_misses=4, misses_seconds=6000) as world:
        for number in range(6):
            held = miss(world, 2200 + number)
        assert outcome(world, held) == Outcome.HELD
        world.base.table("Redemptions").update(held, {"Approved": True})
        world.serve()
        assert outcome(world, held) == Outcome.CODE_NOT_FOUND


# ------------------------------------------------------------------------------------- fresh cards


def test_a_card_sold_moments_ago_is_looked_for_again(world: World) -> None:
    world.shop.set_search_lag(40)
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    assert outcome(world, row_id) is None
    world.advance(30)
    world.serve()
    assert outcome(world, row_id) is None
    world.advance(15)
    world.serve()
    assert outcome(world, row_id) == Outcome.REDEEMED


def test_it_is_looked_for_for_a_minute_and_no_longer(world: World) -> None:
    world.shop.set_search_lag(10_000)
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.advance(61)
    world.serve()
    assert outcome(world, row_id) == Outcome.CODE_NOT_FOUND


def test_a_code_that_no_new_card_ends_with_is_answered_at_once(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=UNKNOWN)
    world.serve()
    assert outcome(world, row_id) == Outcome.CODE_NOT_FOUND


def test_a_held_row_stays_out_of_the_journal_of_money(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.advance(901)
    world.serve()
    assert world.app.journal.load(f"redemption#{row_id}") is None
    held = world.app.journal.load(f"held#{row_id}")
    assert held is not None
    assert held.state is State.SETTLED
