"""The books are compared: what is planted is found and put right, and nothing is invented."""

import argparse
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest

from giftcards.domain.drift import Drift
from giftcards.domain.money import Money
from giftcards.flows.reconcile.reconcile import RunEnd
from giftcards.metrics import Metric
from giftcards.receipts import Action
from giftcards.store.journal import State
from giftcards.wiring import now
from ops.command_line import park_decide
from sandbox.shopify.shop import GiftCard
from tests.flows.reconcile_stories import (
    TIMER_SECONDS,
    a_card,
    a_history,
    card_row,
    compare,
    late_debit,
    move_beyond_reading,
    redeem,
)
from tests.web_spending import (
    CODE,
    OTHER,
    check_in_step,
    known_card,
    load,
    look,
    operations,
    order,
    receipts,
    rest,
)
from tests.world import World, running_world


def decide(world: World, key: str, decision: str) -> int:
    return park_decide(world.app, argparse.Namespace(key=key, decision=decision))


def parked(world: World) -> list[str]:
    return sorted(one.key for one in world.journal.parked(now=now(), limit=20))


def written(world: World) -> Counter[str]:
    """What a comparison must leave alone where nothing is wrong: every card, every row."""
    seen = [repr((card.id, card.balance, card.note)) for card in world.shop.cards]
    for table in ("Gift Cards", "Redemptions", "Processed Orders", "Creation Requests"):
        seen += [repr(sorted(row.items(), key=str)) for row in world.cells(table)]
    return Counter(seen)


@pytest.mark.parametrize("shown", [True, False])
def test_a_healthy_shop_has_no_difference(world: World, *, shown: bool) -> None:
    a_history(world, shown=shown)
    before = written(world)
    receipts_before = len(receipts(world))
    compared = compare(world, reads_all=True)
    assert compared.lines == []
    assert compared.last.summary.startswith(f"0 drift over {len(world.shop.cards)} cards at ")
    assert not compared.last.is_failed
    assert written(world) == before
    assert len(receipts(world)) == receipts_before + 1
    (receipt,) = receipts(world, Action.RECONCILE)
    assert receipt["Outcome"] == "Done"
    assert compared.last.summary in receipt["Details"]
    (status,) = (row for row in world.cells("Status") if row["Prong"] == "reconcile")
    assert (status["State"], status["Summary"]) == ("Executing", compared.last.summary)
    assert compare(world).lines == []  # the next one reads what changed since


def test_movements_are_read_only_of_cards_that_changed_since(world: World) -> None:
    """Each card of them costs up to 111 points, and a hundred thousand cards are many."""
    first, second = known_card(world), load(world, code=OTHER)
    look(world)
    redeem(world, 10)
    rest(world)

    def read(*, reads_all: bool = False) -> int:
        world.advance(3600)  # clocks may differ by minutes
        before = len(world.effects.seen)
        assert compare(world, reads_all=reads_all).lines == []
        return sum("CardMovements" in name for name in world.effects.seen[before:])

    assert read() == 1  # the one with a line, as long as no run was complete
    assert read() == 0
    redeem(world, 10, code=OTHER)
    rest(world)
    assert read() == 1
    assert read() == 0
    assert read(reads_all=True) == 2
    check_in_step(world, first, second)


# ----------------------------------------------------------------------------- rows of cards


def test_a_row_that_somebody_deleted_is_made_anew(world: World) -> None:
    card = known_card(world)
    world.base.table("Gift Cards").delete(card_row(world, card)["id"])
    compared = compare(world)
    assert compared.kinds() == [Drift.MISSING_ROW]
    assert compared.lines[0]["What was done"] == "Put right: its row is written anew"
    check_in_step(world, card)
    assert len(world.cells("Gift Cards")) == 1
    assert compare(world).lines == []


def test_a_balance_that_somebody_typed_over_is_written_again(world: World) -> None:
    card = known_card(world)
    world.base.table("Gift Cards").update(card_row(world, card)["id"], {"Balance": 7})
    compared = compare(world)
    assert compared.kinds() == [Drift.STALE_BALANCE]
    (line,) = compared.lines
    assert (line["Should be"], line["Is"]) == ("50.00 USD", "7.00 USD")
    check_in_step(world, card)
    (receipt,) = (row for row in receipts(world, Action.RECONCILE) if "drift#" in row["Operation"])
    assert "Stale balance" in receipt["Details"]
    assert receipt["Outcome"] == "Done"
    assert not compared.last.is_failed
    assert compare(world).lines == []


def test_two_rows_of_one_card_are_left_to_a_person_once(world: World) -> None:
    card = known_card(world)
    copy = {"Shopify ID": card.id, "Balance": 50, "Card": "•••• 6789"}
    world.base.table("Gift Cards").create(copy)
    compared = compare(world)
    assert compared.kinds() == [Drift.DUPLICATE_ROWS]
    assert "in 2 rows" in compared.lines[0]["What it is"]
    (key,) = parked(world)
    assert key.startswith("drift#duplicate-rows#")
    assert compared.last.is_failed
    again = compare(world)
    assert again.lines[0]["What was done"].startswith("Known: ")
    assert not again.last.is_failed
    assert "1 known from before" in again.last.summary
    assert decide(world, key, "dismiss") == 0
    assert compare(world).lines[0]["What was done"].startswith("Known: ")
    assert parked(world) == []


def second_row(world: World, card: GiftCard) -> str:
    """Somebody makes one more row for the card; returns its id."""
    copy = {"Shopify ID": card.id, "Balance": 50, "Card": "•••• 6789"}
    return str(world.base.table("Gift Cards").create(copy)["id"])


def copy_the_row(world: World, balance: int) -> str:
    """The office duplicates the row of the card that shows so much; returns the copy's id."""
    table = world.base.table("Gift Cards")
    row = next(one for one in table.records() if one["fields"]["Balance"] == balance)
    return str(table.create(dict(row["fields"]))["id"])


def test_copies_of_a_row_with_other_balances_give_up_no_run(world: World) -> None:
    """Each copy reads as the card was when it was made; a redemption is written to one row only."""
    known_card(world)
    for balance in (50, 40):
        copy_the_row(world, balance)
        redeem(world, 10)
        rest(world)
    compared = compare(world)
    assert "Given up" not in compared.last.summary
    assert world.app.runs.standing().since is not None
    assert Drift.DUPLICATE_ROWS in compared.kinds()
    (key,) = parked(world)
    assert key.startswith("drift#duplicate-rows#")
    assert world.alarms == []


def copied_and_behind(world: World) -> tuple[GiftCard, str]:
    """A card of whose row the office has made a copy before a redemption; and the copy."""
    card = known_card(world)
    copy = copy_the_row(world, 50)
    redeem(world, 10)
    rest(world)
    return card, copy


def test_a_copy_that_is_behind_is_told_as_a_copy_alone(world: World) -> None:
    """The writer writes to its own row: of the copy nobody says that it was put right."""
    card, copy = copied_and_behind(world)
    for known in ("Left to a person: ", "Known: "):
        compared = compare(world)
        assert compared.kinds() == [Drift.DUPLICATE_ROWS]
        assert compared.lines[0]["What was done"].startswith(known)
    world.base.table("Gift Cards").delete(copy)
    assert compare(world).lines == []
    check_in_step(world, card)


def test_a_row_that_is_written_before_the_second_look_is_in_step_whatever_its_copy_reads(
    world: World,
) -> None:
    card, copy = copied_and_behind(world)
    table = world.base.table("Gift Cards")
    (row_id,) = (one for one in table.record_ids() if one != copy)
    table.update(row_id, {"Balance": 50})  # as long as the writer is behind
    compared = compare(world, meanwhile=lambda: table.update(row_id, {"Balance": 40}))
    assert compared.kinds() == [Drift.DUPLICATE_ROWS]
    table.delete(copy)
    check_in_step(world, card)


def test_the_row_that_is_written_to_is_put_right_beside_its_copy(world: World) -> None:
    card, copy = copied_and_behind(world)
    table = world.base.table("Gift Cards")
    (row_id,) = (one for one in table.record_ids() if one != copy)
    table.update(row_id, {"Balance": 7})
    compared = compare(world)
    assert compared.kinds() == [Drift.DUPLICATE_ROWS, Drift.STALE_BALANCE]
    told = next(line for line in compared.lines if line["Difference"] == Drift.STALE_BALANCE)
    assert (told["Is"], told["What was done"]) == ("7.00 USD", "Put right: its row is written anew")
    table.delete(copy)
    check_in_step(world, card)


def test_a_copy_whose_row_was_deleted_is_put_right(world: World) -> None:
    """It counts as the card's row then: the writer makes another, and the copy is told as one."""
    card, copy = copied_and_behind(world)
    table = world.base.table("Gift Cards")
    (row_id,) = (one for one in table.record_ids() if one != copy)
    table.delete(row_id)
    assert compare(world).kinds() == [Drift.STALE_BALANCE]
    assert compare(world).kinds() == [Drift.DUPLICATE_ROWS]
    table.delete(copy)
    check_in_step(world, card)


def dismissed_second_row(world: World, card: GiftCard) -> str:
    """A second row was found, deleted and dismissed; returns the key of its difference."""
    first = second_row(world, card)
    compare(world)
    (key,) = parked(world)
    world.base.table("Gift Cards").delete(first)
    assert decide(world, key, "dismiss") == 0
    return key


def test_rows_that_are_there_twice_again_are_told_of_again(world: World) -> None:
    """What was decided long ago was about another row."""
    card = known_card(world)
    key = dismissed_second_row(world, card)
    assert compare(world).lines == []
    world.advance(100 * 86_400)
    compare(world)
    second = second_row(world, card)
    compared = compare(world)
    assert second in compared.lines[0]["What it is"]
    assert compared.last.is_failed
    assert parked(world) == [f"{key}#2"]
    assert compare(world).lines[0]["What was done"] == f"Known: {key}#2 stands from before"


def test_another_row_on_the_day_after_is_told_of_too(world: World) -> None:
    card = known_card(world)
    key = dismissed_second_row(world, card)
    second_row(world, card)
    assert compare(world).last.is_failed
    assert parked(world) == [f"{key}#2"]


def test_a_card_that_is_gone_again_rings_again(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the same words as the first time: only that it was there meanwhile tells the two apart."""
    card = known_card(world)
    cards = world.shop._cards  # noqa: SLF001 - no shop does that
    rung = []
    for is_there in (False, False, False, True, False):
        if is_there:
            cards[card.id] = card
        else:
            cards.pop(card.id, None)
        capsys.readouterr()
        compare(world)
        rung.append(capsys.readouterr().out.count(f'"{Metric.UNEXPLAINED_MONEY}":'))
        for key in parked(world):
            assert decide(world, key, "dismiss") == 0
    assert rung == [1, 0, 0, 0, 1]


def test_a_card_that_shopify_does_not_know_any_more(world: World) -> None:
    card = known_card(world)
    world.shop._cards.pop(card.id)  # noqa: SLF001 - no shop does that
    compared = compare(world)
    assert compared.kinds() == [Drift.CARD_GONE]
    assert parked(world) == [f"drift#card-gone#{card.number}"]
    assert compared.last.is_failed


def test_what_the_office_typed_into_the_table_is_no_card(world: World) -> None:
    known_card(world)
    for typed in ("to be checked", "gid://shopify/GiftCard/x", ""):
        world.base.table("Gift Cards").create({"Shopify ID": typed, "Card": "?"})
    assert compare(world).lines == []


# ------------------------------------------------------------------------------------- money


def test_what_nobody_explains_is_entered_now(world: World) -> None:
    card = known_card(world)
    world.shop.debit(card.id, amount=Decimal(12), note="spilled coffee")
    compared = compare(world)
    assert compared.kinds() == [Drift.STALE_BALANCE, Drift.UNEXPLAINED_MOVEMENT]
    (line,) = (one for one in compared.lines if one["Difference"] == Drift.UNEXPLAINED_MOVEMENT)
    assert (line["What"], line["Is"]) == (card.id, "'-12.00 USD")
    assert compared.last.is_failed  # money that nobody explains, entered or not
    (lowered,) = receipts(world, Action.LOWERED_AT_SHOPIFY)
    assert "spilled coffee" in lowered["Details"]
    assert parked(world) == []
    rest(world)
    check_in_step(world, card)
    assert compare(world).lines == []
    assert len(operations(world, "adjusted")) == 1


def test_what_a_customer_pays_at_that_moment_is_not_entered_with_it(world: World) -> None:
    """Only what both looks have seen is nobody's; the order's payment is told of a minute later."""
    card = known_card(world)
    world.shop.debit(card.id, amount=Decimal(12), note="spilled coffee")
    paid = []

    def pay(_: str) -> None:
        world.effects.watch = None
        if is_at(world, "putting right"):
            paid.append(order(world, (CODE, 5)))
        else:
            world.effects.watch = pay

    world.effects.watch = pay
    compared = compare(world)
    assert len(paid) == 1
    assert receipts(world, Action.LOWERED_AT_SHOPIFY) == []
    (line,) = (one for one in compared.lines if one["Difference"] == Drift.UNEXPLAINED_MOVEMENT)
    assert line["What was done"].startswith("Not yet: ")
    rest(world)
    check_in_step(world, card)
    assert compare(world).lines == []
    (adjusted,) = operations(world, "adjusted")
    assert adjusted["snapshot"]["amount"]["minor"] == -1200


def is_at(world: World, phase: str) -> bool:
    """Whether the run under way is at this part."""
    under_way = world.app.runs.standing().under_way
    return under_way is not None and under_way.phase == phase


def test_what_staff_did_shortly_before_is_entered_by_the_looks_and_no_alarm(world: World) -> None:
    card = known_card(world)
    world.shop.credit(card.id, amount=Decimal(5))
    compared = compare(world, meanwhile=lambda: look(world, 22))
    assert compared.lines == []
    assert len(receipts(world, Action.RAISED_AT_SHOPIFY)) == 1
    assert "at Shopify" not in compared.last.summary
    told = compare(world)
    assert told.last.summary.endswith("; 1 change of a balance at Shopify")  # by the night after


def test_what_the_looks_entered_since_the_last_run_is_told_of_once(world: World) -> None:
    card = known_card(world)
    compare(world)
    world.shop.debit(card.id, amount=Decimal(40), note="for me")
    rest(world)
    world.shop.credit(card.id, amount=Decimal(5), note="sorry")
    rest(world)
    compared = compare(world)
    assert compared.last.summary.startswith("0 drift over 1 cards at ")
    assert compared.last.summary.endswith("; 2 changes of balances at Shopify")
    assert not compared.last.is_failed
    assert f"•••• 6789: 40.00 USD (adjusted#{card.number}#1)." in compared.page
    assert "a debit of 40.00 USD (note: for me)" in compared.page
    again = compare(world)
    assert "at Shopify" not in again.last.summary
    assert "adjusted#" not in again.page


def test_there_and_back_between_two_looks_is_left_to_a_person(world: World) -> None:
    card = known_card(world)
    there = world.shop.credit(card.id, amount=Decimal(5))
    back = world.shop.debit(card.id, amount=Decimal(5))
    compared = compare(world, reads_all=True)
    assert compared.kinds() == [Drift.UNEXPLAINED_MOVEMENT] * 2
    numbers = sorted(one.id.rpartition("/")[2] for one in (there, back))
    assert parked(world) == [f"drift#unexplained-movement#{number}" for number in numbers]
    for key in parked(world):
        decide(world, key, "dismiss")
    again = compare(world, reads_all=True)
    assert "0 drift" in again.last.summary
    assert parked(world) == []


def test_there_and_back_since_the_last_run_is_found_by_the_next(world: World) -> None:
    """Its balance is explained, so only that the card changed says that its movements are read."""
    card = known_card(world)
    assert compare(world).lines == []
    world.shop.credit(card.id, amount=Decimal(5))
    world.shop.debit(card.id, amount=Decimal(5))
    assert compare(world).kinds() == [Drift.UNEXPLAINED_MOVEMENT] * 2


def test_the_alarm_rings_for_what_is_new_and_not_for_what_is_known(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    card = known_card(world)
    world.shop.debit(card.id, amount=Decimal(8), note="redemption#recNobody0000000")
    capsys.readouterr()
    rung = []
    for _ in range(2):
        compare(world)
        rung.append(capsys.readouterr().out.count(f'"{Metric.UNEXPLAINED_MONEY}":'))
    assert rung == [1, 0]


def test_a_debit_with_a_reference_of_no_operation(world: World) -> None:
    card = known_card(world)
    moved = world.shop.debit(card.id, amount=Decimal(8), note="redemption#recNobody0000000")
    compared = compare(world)
    assert compared.kinds() == [Drift.DEBIT_WITHOUT_OPERATION, Drift.STALE_BALANCE]
    number = moved.id.rpartition("/")[2]
    assert parked(world) == [f"drift#debit-without-operation#{number}"]
    rest(world)
    check_in_step(world, card)  # the looks have entered it as nobody's
    again = compare(world, reads_all=True)
    assert [line["What was done"][:5] for line in again.lines] == ["Known"]


@pytest.mark.parametrize("amount", [20, -20])
@pytest.mark.parametrize("kind", ["redemption", "reverse", "order-spend"])
@pytest.mark.parametrize("looked", [True, False])
def test_the_reference_of_another_cards_operation_explains_no_movement(
    world: World, *, kind: str, amount: int, looked: bool
) -> None:
    known_card(world)
    mine = load(world, code=OTHER)
    look(world)
    order(world, (CODE, 5))
    row_id = redeem(world, 10)
    world.base.table("Redemptions").update(row_id, {"Reverse Amount": 10})
    rest(world)
    compare(world)
    (operation,) = operations(world, kind)
    move = world.shop.credit if amount > 0 else world.shop.debit
    moved = move(mine.id, amount=Decimal(abs(amount)), note=operation["key"].removeprefix("op#"))
    if looked:
        rest(world)
    compared = compare(world)
    assert Drift.DEBIT_WITHOUT_OPERATION in compared.kinds()
    assert not {Drift.UNEXPLAINED_MOVEMENT, Drift.LATE_DEBIT} & set(compared.kinds())
    assert parked(world) == [f"drift#debit-without-operation#{moved.id.rpartition('/')[2]}"]
    rest(world)
    check_in_step(world, *world.shop.cards)
    assert len(operations(world, "adjusted")) == 1
    again = compare(world, reads_all=True)
    assert [line["What was done"][:5] for line in again.lines] == ["Known"]


def test_an_operation_that_shopify_does_not_show(world: World) -> None:
    card = known_card(world)
    row_id = redeem(world, 10)
    rest(world)
    world.shop.card(card.id).transactions.clear()
    compared = compare(world)
    assert compared.kinds() == [Drift.OPERATION_WITHOUT_DEBIT]
    (line,) = compared.lines
    assert (line["What"], line["Should be"]) == (f"redemption#{row_id}", "'-10.00 USD")
    assert parked(world) == [f"drift#operation-without-debit#redemption#{row_id}"]


def test_a_debit_that_came_twice_is_owed_once(world: World) -> None:
    card = known_card(world)
    key = f"redemption#{redeem(world, 10)}"
    rest(world)
    world.shop.debit(card.id, amount=Decimal(10), note=key)
    compared = compare(world)
    assert compared.kinds() == [Drift.DUPLICATE_DEBIT, Drift.STALE_BALANCE]
    assert parked(world) == [f"owed#{key}"]
    assert decide(world, f"owed#{key}", "credit-back") == 0
    rest(world)
    check_in_step(world, card)
    assert world.shop.card(card.id).balance == 40
    assert compare(world, reads_all=True).lines == []


@pytest.mark.parametrize("looked", [False, True])
def test_a_late_debit_is_owed_once_whoever_finds_it_first(world: World, *, looked: bool) -> None:
    key = late_debit(world)
    if looked:
        rest(world)  # the looks find it
    compared = compare(world)
    assert compared.kinds() == ([] if looked else [Drift.LATE_DEBIT, Drift.STALE_BALANCE])
    assert parked(world) == [f"owed#{key}"]
    assert len(receipts(world, Action.LOWERED_AT_SHOPIFY)) == 1
    rest(world)
    check_in_step(world, a_card(world))
    assert compare(world, reads_all=True).lines == []
    assert decide(world, f"owed#{key}", "credit-back") == 0
    rest(world)
    assert world.shop.card(a_card(world).id).balance == 50
    assert compare(world, reads_all=True).lines == []
    assert len(operations(world, "owed")) == 1


def test_a_late_debit_that_staff_evened_out_is_found_all_the_same(world: World) -> None:
    key = late_debit(world)
    world.shop.credit(a_card(world).id, amount=Decimal(10), note="sorry")
    compared = compare(world, reads_all=True)
    assert Drift.LATE_DEBIT in compared.kinds()
    assert f"owed#{key}" in parked(world)
    rest(world)
    check_in_step(world, a_card(world))


def test_a_second_debit_of_an_operation_that_was_late_is_another_difference(world: World) -> None:
    key = late_debit(world)
    rest(world)
    world.shop.debit(a_card(world).id, amount=Decimal(10), note=key)
    compared = compare(world)
    assert compared.kinds() == [Drift.DUPLICATE_DEBIT, Drift.STALE_BALANCE]
    assert parked(world) == [f"drift#duplicate-debit#{key}", f"owed#{key}"]
    world.shop.debit(a_card(world).id, amount=Decimal(10), note=key)
    assert compare(world, reads_all=True).last.is_failed
    assert f"drift#duplicate-debit#{key}#2" in parked(world)


def test_more_than_what_is_owed_is_left_to_a_person(world: World) -> None:
    """A worker died once it was owed, and then more moved with the same reference."""
    key, card = late_debit(world), a_card(world)
    ten = Money(-1000, "USD")
    world.app.owe().owe(card_id=card.id, operation=key, amount=ten)
    world.shop.debit(card.id, amount=Decimal(3), note=key)
    compared = compare(world)
    assert compared.kinds() == [Drift.LATE_DEBIT, Drift.STALE_BALANCE]
    assert parked(world) == [f"drift#late-debit#{key}", f"owed#{key}"]
    rest(world)
    check_in_step(world, card)


def test_a_redemption_from_before_the_ledger_is_no_difference(world: World) -> None:
    card = known_card(world)
    row_id = redeem(world, 10)
    rest(world)
    forget_the_line(world, card.id, f"redemption#{row_id}")
    assert compare(world, reads_all=True).lines == []


def forget_the_line(world: World, card_id: str, key: str) -> None:
    """As a journal from before the ledger has it."""
    table = world.app.table
    operation = table.get(f"op#{key}")
    assert operation is not None
    operation["result"]["moved"] = None
    table.put(operation)
    table.update(f"ledger#{card_id}", "REMOVE #lines")


def test_an_operation_that_is_under_way_is_no_difference(world: World) -> None:
    card = known_card(world)
    world.ask(Gift_Card_Code=CODE)
    world.effects.kill_on = {"DebitCard": "after"}  # applied, and nobody knows
    world.tick()
    assert world.shop.card(card.id).balance == 40
    world.advance(20)
    run_until(world, RunEnd.WAITS, RunEnd.FINISHED)
    found = world.app.bucket.keys("work/")
    assert not [key for key in found if "/found/cards/" in key]


def run_until(world: World, *ends: RunEnd) -> RunEnd | None:
    world.app.runs.wish(reads_all=True)
    end = world.reconcile()
    assert end in ends
    return end


# --------------------------------------------------------------------------------- a busy shop


def test_a_busy_shop_invents_nothing(world: World) -> None:
    """Stores and the web move money between any two calls of a run."""
    a_history(world, shown=True)
    busy = world.shop.cards[1]
    world.app.runs.wish(reads_all=True)
    moves: list[Callable[[], object]] = [
        lambda: world.ask(Gift_Card_Code=busy.code, Amount=1, Confirm_Duplicate=True),
        lambda: order(world, (busy.code, 1)),
    ]
    turns = 0

    def move(name: str) -> None:
        nonlocal turns
        if "ReadCards" in name or "AllCards" in name or "BatchGetItem" in name:
            turns += 1
            if turns < 20:
                world.effects.watch = None
                moves[turns % 2]()
                world.effects.watch = move

    world.effects.watch = move
    compared = compare(world, reads_all=True, meanwhile=lambda: serve(world))
    world.effects.watch = None
    assert turns > 4
    assert compared.lines == []
    rest(world)
    check_in_step(world, *world.shop.cards)


def serve(world: World) -> None:
    for _ in range(4):
        world.advance(30)
        world.tick()
        world.spend_tick()
        world.drain()


# ------------------------------------------------------------------------------- when it runs


def test_it_runs_once_a_day_at_its_hour_and_when_somebody_asks(world: World) -> None:
    known_card(world)
    ends = []
    for _ in range(3 * 24 * 12):
        ends.append(world.reconcile())
        world.drain()
        world.advance(TIMER_SECONDS)
    assert Counter(ends)[RunEnd.FINISHED] == 4  # at once, and on three nights at three
    last = world.app.runs.standing().last
    assert last is not None
    assert last.summary.partition(" at ")[2] in {"03:00", "03:01"}  # it takes a minute or so
    number = world.app.runs.wish(reads_all=False)
    assert world.reconcile() is RunEnd.FINISHED
    last = world.app.runs.standing().last
    assert last is not None
    assert last.granted == number
    assert world.reconcile() is RunEnd.NOTHING_TO_DO


def test_a_paused_system_compares_nothing(world: World) -> None:
    world.app.control.throw_switch(run=False, by="tests", now=now())
    world.app.runs.wish(reads_all=False)
    assert world.reconcile() is RunEnd.PAUSED
    assert world.app.runs.standing().under_way is None


def test_a_run_stops_at_the_next_page_once_the_system_is_paused(world: World) -> None:
    """Whoever pauses is in a hurry, and a turn may last for minutes."""
    world.app.runs.wish(reads_all=False)

    def pause(_: str) -> None:
        world.effects.watch = None
        if is_at(world, "receipts"):
            world.app.control.throw_switch(run=False, by="tests", now=now())
        else:
            world.effects.watch = pause

    world.effects.watch = pause
    assert world.reconcile() is RunEnd.PAUSED
    under_way = world.app.runs.standing().under_way
    assert under_way is not None
    assert under_way.phase == "receipts"
    world.app.control.throw_switch(run=True, by="tests", now=now())
    assert world.reconcile() is RunEnd.FINISHED


def test_nobody_else_goes_on_with_a_run_meanwhile(world: World) -> None:
    lease = world.app.reconcile().leases.acquire("prong#reconcile", now=now())
    assert lease is not None
    assert world.reconcile() is RunEnd.HELD


def test_an_alarm_rings_where_no_run_was_complete_for_a_day(world: World) -> None:
    world.base.token = "patOther"
    for _ in range(27 * 12):
        world.reconcile()
        world.advance(TIMER_SECONDS)
        if any("were not compared" in str(alarm) for alarm in world.alarms):
            return
    raise AssertionError("nobody was told")


def test_who_has_differences_looked_at_late_hears_no_alarm_for_that() -> None:
    with running_world(second_look_seconds=6 * 3600) as world:
        table = world.base.table("Gift Cards")
        first, second = known_card(world), load(world, code=OTHER)
        look(world)
        for _ in range(3 * 24 * 12):
            for card in (first, second):  # one of the two is always wrong
                table.update(card_row(world, card)["id"], {"Balance": 1})
            world.reconcile()
            world.advance(TIMER_SECONDS)
        assert world.app.runs.standing().since is not None
        assert world.alarms == []


def test_a_decided_difference_leaves_a_receipt(world: World) -> None:
    card = known_card(world)
    world.shop.debit(card.id, amount=Decimal(8), note="redemption#recNobody0000000")
    compare(world)
    (key,) = parked(world)
    assert decide(world, key, "retry") == 1
    assert decide(world, key, "dismiss") == 0
    operation = world.journal.load(key)
    assert operation is not None
    assert operation.state is State.SETTLED
    world.drain()
    (receipt,) = (row for row in receipts(world, Action.RECONCILE) if row["Operation"] == key)
    assert "dismissed by" in receipt["Details"]


def test_several_cards_with_several_troubles_are_all_found(world: World) -> None:
    first = known_card(world)
    second = load(world, code=OTHER)
    look(world)
    world.base.table("Gift Cards").update(card_row(world, first)["id"], {"Balance": 1})
    world.base.table("Gift Cards").delete(card_row(world, second)["id"])
    world.shop.debit(first.id, amount=Decimal(3))
    world.shop.debit(second.id, amount=Decimal(2), note="return#1#1")
    compared = compare(world)
    assert compared.kinds() == [
        Drift.DEBIT_WITHOUT_OPERATION,
        Drift.MISSING_ROW,
        Drift.STALE_BALANCE,
        Drift.UNEXPLAINED_MOVEMENT,
    ]
    assert compared.last.differences == 4
    for name in compared.kinds():
        assert name in compared.page


def test_a_card_that_cannot_be_read_holds_up_no_other(world: World) -> None:
    strange, other = known_card(world), load(world, code=OTHER)
    look(world)
    move_beyond_reading(world, strange)
    world.shop.debit(other.id, amount=Decimal(3))
    compared = compare(world)
    assert Drift.UNEXPLAINED_MOVEMENT in compared.kinds()
    assert "; 1 could not be compared" in compared.last.summary
    assert compared.last.is_failed
    assert f"{strange.id} could not be compared" in compared.page
