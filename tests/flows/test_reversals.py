"""The office gives back what a store took: once, in steps, and never more than was taken."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from giftcards.clients.airtable import MOST_REVERSALS
from giftcards.domain.outcomes import Outcome
from giftcards.errors import BaseMismatch
from giftcards.flows.reversal import NOT_REVERSED, REVERSED
from giftcards.flows.take_reversals import STEPS_A_RUN
from giftcards.store.cards import lock_key
from giftcards.store.journal import Operation, State
from giftcards.wiring import Application, now
from sandbox.faults import Fault
from tests.world import OFFICE, WORKER_SECONDS, World, running_world

CODE = "wxyz2345abcd6789"
LOADED = 50


def redeem(world: World, amount: float = 30, *, loaded: int = LOADED, code: str = CODE) -> str:
    """A store takes `amount` of a new card; returns the row's id."""
    world.shop.issue_card(code=code, amount=loaded)
    row_id = world.ask(Gift_Card_Code=code, Amount=amount)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    return row_id


def wish(world: World, row_id: str, total: object, **cells: object) -> None:
    """The office fills Reverse Amount."""
    world.base.table("Redemptions").update(row_id, {"Reverse Amount": total} | cells)


def minute(world: World) -> None:
    world.advance(60)
    world.serve()


def balance(world: World) -> Decimal:
    (card,) = world.shop.cards
    return card.balance


def credits_of(world: World) -> list[tuple[str | None, Decimal]]:
    """What was given back: each credit's note and amount."""
    (card,) = world.shop.cards
    return [(one.note, one.amount) for one in card.transactions if one.amount > 0]


def operation(world: World, key: str) -> Operation:
    found = world.journal.load(key)
    assert found is not None, key
    return found


def outcome(world: World, row_id: str, total_minor: int) -> str:
    result = operation(world, f"reverse#{row_id}#{total_minor}").result
    assert result is not None
    return result.outcome


def receipts(world: World) -> list[dict[str, Any]]:
    return [one for one in world.cells("Receipts") if one["Action"] == "Reverse redemption"]


def to_office(world: World) -> list[str]:
    """The subjects of the office's mails."""
    return [m.subject for m in world.mails() if m.destinations["ToAddresses"] == [OFFICE]]


# --------------------------------------------------------------------------------- it is given back


def test_what_was_taken_is_given_back_and_everybody_knows(world: World) -> None:
    row_id = redeem(world)
    wish(world, row_id, 30)
    minute(world)
    key = f"reverse#{row_id}#3000"
    assert credits_of(world) == [(key, Decimal(30))]
    assert balance(world) == LOADED
    row = world.row(row_id)
    assert row["Outcome"] == Outcome.REDEEMED  # what happened then stays so
    assert row["Message"] == "30.00 USD was given back to the card."
    assert row["Reversed"] == 30
    assert row["Balance After"] == 50
    assert row["Reverse Amount"] == 30  # the office's cells stay as they are
    (receipt,) = receipts(world)
    assert receipt["Outcome"] == "Done"
    assert receipt["Actor"] == "the office"
    assert (receipt["Amount"], receipt["Balance After"]) == (30, 50)
    assert receipt["Gift Card"] == "•••• 6789"
    mail = world.mails()[-1]
    assert mail.destinations["ToAddresses"] == ["main@shop.example"]
    assert mail.subject == "Given back: 30.00 USD (•••• 6789)"
    assert "All that was taken for it is on the card again." in mail.body
    assert "Mon 23 Nov 2026, 10:01:" in mail.body
    (mirror,) = world.cells("Gift Cards")
    assert mirror["Balance"] == 50
    ledger = world.app.ledgers.of(mirror["Shopify ID"] for _ in [0])[mirror["Shopify ID"]]
    assert {name: amount.minor for name, amount in ledger.lines.items()} == {
        f"redemption#{row_id}": -3000,
        key: 3000,
    }


def test_a_total_that_is_seen_again_and_again_is_given_back_once(world: World) -> None:
    row_id = redeem(world)
    wish(world, row_id, 30)
    for _ in range(3):
        minute(world)
    world.base.table("Redemptions").update(row_id, {"Reversed": None})
    for _ in range(12):
        minute(world)
    assert len(credits_of(world)) == 1
    assert len(receipts(world)) == 1
    assert len(world.mails()) == 2
    assert world.row(row_id)["Reversed"] == 30  # shown again


def test_a_raised_total_gives_back_what_is_missing(world: World) -> None:
    row_id = redeem(world)
    for total in (5, 12.5, 30):
        wish(world, row_id, total)
        minute(world)
        assert world.row(row_id)["Reversed"] == total
    assert [amount for _, amount in credits_of(world)] == [5, Decimal("7.5"), Decimal("17.5")]
    assert balance(world) == LOADED
    assert world.row(row_id)["Message"] == (
        "17.50 USD was given back to the card. With what was given back before that is 30.00 USD."
    )
    first, second, third = (mail.body for mail in world.mails()[1:])
    assert "5.00 USD of the 30.00 USD that was taken" in first
    assert "12.50 USD of 30.00 USD is on the card again" in second
    assert "All that was taken for it is on the card again." in third


@pytest.mark.parametrize(
    ("currency", "taken", "steps"),
    [("JPY", 3000, (1, 2999, 3000)), ("KWD", 30.125, (0.001, 30.124, 30.125))],
)
def test_other_currencies_to_their_last_unit(
    currency: str, taken: float, steps: tuple[float, ...]
) -> None:
    with running_world(currency=currency, cap_per_reversal=Decimal(0)) as world:
        row_id = redeem(world, taken, loaded=5000)
        for total in steps:
            wish(world, row_id, total)
            minute(world)
        assert len(credits_of(world)) == 3
        assert balance(world) == 5000
        assert world.row(row_id)["Reversed"] == taken


def test_a_card_is_charged_again_after_all_of_it_was_given_back(world: World) -> None:
    """A store's mistake that was put right is no earlier filing of the form that is right."""
    row_id = redeem(world)
    wish(world, row_id, 30)
    minute(world)
    again = world.ask(Gift_Card_Code=CODE, Amount=30)
    minute(world)
    assert world.row(again)["Outcome"] == Outcome.REDEEMED
    assert balance(world) == 20


def test_a_part_that_was_given_back_leaves_it_an_earlier_filing(world: World) -> None:
    row_id = redeem(world)
    wish(world, row_id, 29)
    minute(world)
    again = world.ask(Gift_Card_Code=CODE, Amount=30)
    minute(world)
    assert world.row(again)["Outcome"] == Outcome.POSSIBLE_DUPLICATE


# ----------------------------------------------------------------------------------- it is refused


@pytest.mark.parametrize(
    ("total", "says"),
    [
        (30.01, "30.01 USD is more than the 30.00 USD that was taken"),
        (-5, "it has to be more than zero"),
        (1.005, "has more than 2 decimals"),
    ],
)
def test_what_cannot_be_given_back_is_said_once(world: World, total: float, says: str) -> None:
    row_id = redeem(world)
    wish(world, row_id, total)
    for _ in range(3):
        minute(world)
    assert credits_of(world) == []
    row = world.row(row_id)
    assert row["Message"].startswith("Nothing was given back: ")
    assert says in row["Message"]
    assert "Reversed" not in row
    assert row["Reverse Amount"] == total
    (receipt,) = receipts(world)
    assert receipt["Outcome"] == "Failed"
    assert says in receipt["Details"]
    assert to_office(world) == ["Nothing was given back"]
    assert "30.00 USD of •••• 6789, filed by Main Street" in world.mails()[-1].body


def test_a_text_that_is_no_amount_is_refused_and_repeated_nowhere() -> None:
    with running_world(resumed=False) as world:
        table = world.base.table("Redemptions")
        table.delete_field("Reverse Amount")
        table.create_field({"name": "Reverse Amount", "type": "singleLineText"})
        world.resume()
        row_id = redeem(world)
        wish(world, row_id, CODE.upper())
        minute(world)
        assert "that is not a number" in world.row(row_id)["Message"]
        assert CODE.upper() not in str(world.items()) + str([m.body for m in world.mails()])
        wish(world, row_id, "five")  # another text is another mistake
        minute(world)
        assert len(receipts(world)) == 2
        wish(world, row_id, "5")
        minute(world)
        assert credits_of(world) == [(f"reverse#{row_id}#500", Decimal(5))]


def test_a_lowered_total_is_refused_once_and_can_be_raised_again(world: World) -> None:
    row_id = redeem(world)
    wish(world, row_id, 20)
    minute(world)
    for _ in range(2):
        wish(world, row_id, 12)
        minute(world)
    assert "20.00 USD was given back already" in world.row(row_id)["Message"]
    assert to_office(world) == ["Nothing was given back"]
    wish(world, row_id, 25)
    minute(world)
    assert balance(world) == 45
    assert world.row(row_id)["Reversed"] == 25


def test_what_was_never_taken_is_not_given_back(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=LOADED)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=60)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.INSUFFICIENT_BALANCE
    wish(world, row_id, 60)
    minute(world)
    assert "its outcome is INSUFFICIENT_BALANCE" in world.row(row_id)["Message"]
    assert credits_of(world) == []


def test_a_row_nobody_took_anything_for_yet_is_judged_anew_once_it_is_redeemed(
    world: World,
) -> None:
    world.shop.issue_card(code=CODE, amount=LOADED)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="FindCard", times=1)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=30, Reverse_Amount=30)
    world.serve()
    assert "nothing was taken for this row" in world.row(row_id)["Message"]
    minute(world)
    minute(world)
    assert [amount for _, amount in credits_of(world)] == [30]
    assert balance(world) == LOADED


def test_nothing_is_decided_while_a_redemption_is_open(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=LOADED)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    row_id = world.ask(Gift_Card_Code=CODE, Amount=30, Reverse_Amount=30)
    world.tick()
    world.drain()
    assert operation(world, f"redemption#{row_id}").state is State.SENT
    assert credits_of(world) == []
    assert receipts(world) == []
    world.come_to_rest()
    assert [amount for _, amount in credits_of(world)] == [30]
    assert world.row(row_id)["Message"] == "30.00 USD was given back to the card."


def test_a_row_of_before_the_cut_over_is_left_alone(world: World) -> None:
    world.advance(-7200)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=30, Reverse_Amount=30)
    world.advance(7200)
    minute(world)
    assert "Message" not in world.row(row_id)


# ------------------------------------------------------------------------------- above the cap


def test_more_than_the_cap_waits_for_the_second_word(world: World) -> None:
    row_id = redeem(world, 300, loaded=400)
    wish(world, row_id, 150)  # the cap is 200
    minute(world)
    assert balance(world) == 250
    wish(world, row_id, 200.01)  # the total counts, not the step
    for _ in range(2):
        minute(world)
    assert balance(world) == 250
    assert world.row(row_id)["Message"] == (
        "Not given back yet: 200.01 USD is more than 200.00 USD. If it is right, tick Approved on"
        " this row."
    )
    assert to_office(world) == ["Money to be given back needs a second word"]
    world.base.table("Redemptions").update(row_id, {"Approved": True})
    minute(world)
    assert balance(world) == Decimal("300.01")
    assert world.row(row_id)["Reversed"] == 200.01


def test_a_tick_that_let_the_redemption_through_is_no_word_about_giving_back(
    world: World,
) -> None:
    world.shop.issue_card(code=CODE, amount=400)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=300)
    world.advance(world.config.patience_seconds + 60)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.HELD
    world.base.table("Redemptions").update(row_id, {"Approved": True})
    minute(world)
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    wish(world, row_id, 300)
    for _ in range(3):
        minute(world)
    assert balance(world) == 100
    assert world.row(row_id)["Message"] == (
        "Not given back yet: 300.00 USD is more than 200.00 USD. If it is right, take the tick off"
        " Approved on this row, wait two minutes, and tick it again."
    )
    world.base.table("Redemptions").update(row_id, {"Approved": False})
    for _ in range(2):
        minute(world)
    assert balance(world) == 100
    world.base.table("Redemptions").update(row_id, {"Approved": True})
    minute(world)
    assert balance(world) == 400


def test_exactly_the_cap_needs_no_second_word(world: World) -> None:
    row_id = redeem(world, 300, loaded=400)
    wish(world, row_id, 200)
    minute(world)
    assert balance(world) == 300


def test_without_a_cap_nothing_waits() -> None:
    with running_world(cap_per_reversal=Decimal(0)) as world:
        row_id = redeem(world, 300, loaded=400)
        wish(world, row_id, 300)
        minute(world)
        assert balance(world) == 400


# -------------------------------------------------------------------------- the card takes no money


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("deactivate", "the card was deactivated"),
        ("expire", "the card has expired"),
    ],
)
def test_a_card_that_takes_no_money_is_the_offices_to_settle(
    world: World, spoil: str, says: str
) -> None:
    row_id = redeem(world)
    (card,) = world.shop.cards
    if spoil == "deactivate":
        world.shop.deactivate(card.id)
    else:
        world.shop.update(card.id, expires_on=now().date() - timedelta(days=2))
    wish(world, row_id, 30)
    for _ in range(2):
        minute(world)
    assert outcome(world, row_id, 3000) == NOT_REVERSED
    assert credits_of(world) == []
    row = world.row(row_id)
    assert says in row["Message"]
    assert "as a new card" in row["Message"]
    assert "Reversed" not in row
    (receipt,) = receipts(world)
    assert receipt["Outcome"] == "Failed"
    assert to_office(world) == ["Money could not be given back"]
    assert "30.00 USD of •••• 6789, filed by Main Street" in world.mails()[-1].body


def test_a_refusal_between_the_look_and_the_credit_is_final(world: World) -> None:
    row_id = redeem(world)
    (card,) = world.shop.cards
    wish(world, row_id, 30)

    def watch(name: str) -> None:
        if "CreditCard" in name:
            world.effects.watch = None
            world.shop.deactivate(card.id)

    world.effects.watch = watch
    minute(world)
    assert outcome(world, row_id, 3000) == NOT_REVERSED
    assert "the card was deactivated" in world.row(row_id)["Message"]
    assert operation(world, f"redemption#{row_id}").given_back == 0


def test_a_larger_total_is_tried_after_one_that_failed(world: World) -> None:
    """What failed gave nothing back, so the next step is the whole of it."""
    row_id = redeem(world)
    (card,) = world.shop.cards
    world.shop.update(card.id, expires_on=now().date() - timedelta(days=2))
    wish(world, row_id, 20)
    minute(world)
    assert outcome(world, row_id, 2000) == NOT_REVERSED
    world.shop.update(card.id, expires_on=None)
    wish(world, row_id, 25)
    minute(world)
    assert credits_of(world) == [(f"reverse#{row_id}#2500", Decimal(25))]
    assert operation(world, f"redemption#{row_id}").given_back == 2500


def test_a_total_that_failed_and_is_typed_again_after_another_is_refused_aloud(
    world: World,
) -> None:
    row_id = redeem(world)
    (card,) = world.shop.cards
    world.shop.update(card.id, expires_on=now().date() - timedelta(days=2))
    wish(world, row_id, 30)
    minute(world)
    assert outcome(world, row_id, 3000) == NOT_REVERSED
    minute(world)
    assert len(to_office(world)) == 1  # as long as it stands there, nothing more is said of it
    world.shop.update(card.id, expires_on=None)
    wish(world, row_id, 10)
    minute(world)
    wish(world, row_id, 30)
    for _ in range(3):
        minute(world)
    assert "was tried before and failed" in world.row(row_id)["Message"]
    assert to_office(world)[1:] == ["Nothing was given back"]
    wish(world, row_id, 29.99)
    minute(world)
    assert operation(world, f"redemption#{row_id}").given_back == 2999


def test_more_refused_rows_than_are_read_hide_no_new_one_without_a_word(world: World) -> None:
    table = world.base.table("Redemptions")
    refused = [
        table.create({"Store": [world.store_id], "Status": "Processed", "Reverse Amount": 5})["id"]
        for _ in range(MOST_REVERSALS)
    ]
    for _ in range(MOST_REVERSALS // STEPS_A_RUN - 1):
        minute(world)
    row_id = redeem(world)  # beside the last of them that are refused
    wish(world, row_id, 20)
    with pytest.raises(BaseMismatch, match="empty that cell"):
        minute(world)
    assert credits_of(world) == []
    table.update(refused[0], {"Reverse Amount": None})
    minute(world)
    assert [amount for _, amount in credits_of(world)] == [20]


# -------------------------------------------------------------------------------- two at a time


def run(app: Application) -> None:
    app.take_reversals(app.airtable(app.prong_pace)).run(now() + timedelta(seconds=WORKER_SECONDS))


def while_another_claims(world: World, work: Any) -> None:
    """Freeze the worker before its claim, while another one works."""

    def watch(name: str) -> None:
        if "TransactWriteItems" in name:
            world.effects.watch = None
            frozen = world.app
            work(world.new_worker())
            world.app = frozen

    world.effects.watch = watch


def test_two_looks_at_one_total_begin_it_once(world: World) -> None:
    row_id = redeem(world)
    wish(world, row_id, 30)
    while_another_claims(world, run)
    run(world.app)
    assert world.effects.watch is None
    world.drain()
    assert [amount for _, amount in credits_of(world)] == [30]


def test_of_two_looks_at_two_totals_only_one_begins(world: World) -> None:
    """The office raises the total between them: both steps together would be more than it."""
    row_id = redeem(world)
    wish(world, row_id, 20)

    def raise_total(app: Application) -> None:
        wish(world, row_id, 30)
        run(app)

    while_another_claims(world, raise_total)
    run(world.app)
    assert world.effects.watch is None
    assert world.journal.load(f"reverse#{row_id}#2000") is None
    world.drain()
    assert [amount for _, amount in credits_of(world)] == [30]
    world.come_to_rest()
    assert balance(world) == LOADED


def test_a_look_that_did_not_see_what_was_given_back_begins_nothing(world: World) -> None:
    """Between its look and its claim another step is begun and finished."""
    row_id = redeem(world)
    wish(world, row_id, 20)

    def give_back_all(app: Application) -> None:
        wish(world, row_id, 30)
        run(app)
        world.drain()

    while_another_claims(world, give_back_all)
    run(world.app)
    world.come_to_rest()
    assert [amount for _, amount in credits_of(world)] == [30]


def test_a_raised_total_waits_until_the_step_before_is_over(world: World) -> None:
    row_id = redeem(world)
    wish(world, row_id, 20)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardCredit")
    minute(world)
    assert operation(world, f"reverse#{row_id}#2000").state is State.SENT
    wish(world, row_id, 30)
    world.tick()
    assert world.journal.load(f"reverse#{row_id}#3000") is None
    world.come_to_rest()
    minute(world)
    assert [amount for _, amount in credits_of(world)] == [20, 10]
    assert (outcome(world, row_id, 2000), outcome(world, row_id, 3000)) == (REVERSED, REVERSED)


def test_a_redemption_that_moves_money_on_the_card_is_not_disturbed(world: World) -> None:
    row_id = redeem(world)
    (card,) = world.shop.cards
    wish(world, row_id, 30)
    lock = world.app.leases.acquire(lock_key(card.id), now=now())
    assert lock is not None
    world.serve()
    assert operation(world, f"reverse#{row_id}#3000").state is State.CLAIMED
    assert credits_of(world) == []
    world.app.leases.release(lock)
    world.come_to_rest()
    assert [amount for _, amount in credits_of(world)] == [30]


def test_many_wishes_are_taken_in_several_runs(world: World) -> None:
    """No customer waits for them: a run takes twenty."""
    world.shop.issue_card(code=CODE, amount=1000)
    rows = [world.ask(Gift_Card_Code=CODE, Amount=10 + place) for place in range(25)]
    world.serve()
    world.come_to_rest()
    for row_id in rows:
        wish(world, row_id, 10)
    minute(world)
    assert len(credits_of(world)) == 20
    minute(world)
    assert len(credits_of(world)) == 25


def test_a_base_without_the_fields_goes_on() -> None:
    with running_world(resumed=False) as world:
        for name in ("Reverse Amount", "Reversed"):
            world.base.table("Redemptions").delete_field(name)
        world.resume()
        row_id = redeem(world)
        minute(world)
        assert world.row(row_id)["Outcome"] == Outcome.REDEEMED


def test_a_base_without_reversed_says_it_by_its_message() -> None:
    with running_world(resumed=False) as world:
        world.base.table("Redemptions").delete_field("Reversed")
        world.resume()
        row_id = redeem(world)
        wish(world, row_id, 30)
        for _ in range(15):
            minute(world)
        assert world.row(row_id)["Message"] == "30.00 USD was given back to the card."
        assert len(credits_of(world)) == 1
        assert len(receipts(world)) == 1


# ------------------------------------------------------------------------- what the row says last


def test_an_older_word_never_covers_a_newer_one(world: World) -> None:
    """The writer may be late, and is asked again where somebody empties a Status."""
    row_id = redeem(world)
    for total in (10, 30):
        wish(world, row_id, total)
        minute(world)
    says = world.row(row_id)["Message"]
    world.base.table("Redemptions").update(row_id, {"Status": None, "Balance After": None})
    world.app.queues.write_operation(f"redemption#{row_id}")
    world.app.queues.write_operation(f"reverse#{row_id}#1000")
    minute(world)
    row = world.row(row_id)
    assert (row["Message"], row["Reversed"]) == (says, 30)
    assert row["Status"] == "Processed"  # what is the redemption's alone is written again
    assert "Balance After" not in row  # and what it said before is not true any more
