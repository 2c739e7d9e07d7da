"""A store redeems a card: what the store reads, what Airtable shows, what moved."""

from datetime import timedelta
from decimal import Decimal

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.flows.redeem import operation_key
from giftcards.store.journal import State
from giftcards.wiring import BULK_RESERVE_POINTS, now
from tests.world import World

CODE = "wxyz2345abcd6789"


def test_a_card_is_redeemed_and_everybody_knows(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code="WXYZ 2345 ABCD 6789", Amount=12.5)
    world.serve()

    assert world.shop.card(card.id).balance == Decimal("37.5")
    (debit,) = world.shop.card(card.id).transactions
    assert (debit.amount, debit.note) == (Decimal("-12.5"), f"redemption#{row_id}")

    row = world.row(row_id)
    (card_record,) = world.base.table("Gift Cards").records()
    assert row["Status"] == "Processed"
    assert row["Outcome"] == Outcome.REDEEMED
    assert row["Gift Card Code"] == "•••• 6789"
    assert row["Balance After"] == 37.5
    assert row["Gift Card"] == [card_record["id"]]
    assert card_record["fields"]["Balance"] == 37.5
    assert card_record["fields"]["Shopify ID"] == card.id

    (receipt,) = world.redemption_receipts()
    assert receipt["Outcome"] == "Done"
    assert receipt["Amount"] == 12.5
    assert receipt["Balance After"] == 37.5
    assert receipt["Gift Card"] == "•••• 6789"
    assert receipt["Actor"] == "Ana, Main Street"

    (mail,) = world.mails()
    assert mail.destinations["ToAddresses"] == ["main@shop.example"]
    assert mail.subject == "Paid: 12.50 USD (•••• 6789)"
    assert ">12.50 USD<" in mail.body
    assert ">37.50 USD<" in mail.body


def test_a_second_look_changes_nothing(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.serve()
    world.come_to_rest()
    assert world.shop.card(card.id).balance == 40
    assert len(world.mails()) == 1
    assert len(world.redemption_receipts()) == 1


@pytest.mark.parametrize(
    ("cells", "outcome", "in_mail"),
    [
        ({"Gift_Card_Code": "WXYZ"}, Outcome.CODE_FORMAT_INCORRECT, "8 to 20"),
        ({"Gift_Card_Code": None}, Outcome.CODE_FORMAT_INCORRECT, ""),
        ({"Gift_Card_Code": "qqqq2345qqqq7777"}, Outcome.CODE_NOT_FOUND, "7777"),
        ({"Amount": 50.01}, Outcome.INSUFFICIENT_BALANCE, "50.00"),
        ({"Amount": None}, Outcome.AMOUNT_INVALID, "missing"),
        ({"Amount": 0}, Outcome.AMOUNT_INVALID, "more than zero"),
        ({"Amount": -5}, Outcome.AMOUNT_INVALID, "more than zero"),
        ({"Amount": 1.005}, Outcome.AMOUNT_INVALID, "more than 2 decimals"),
        ({"Amount": 1e15}, Outcome.AMOUNT_INVALID, "too large"),
    ],
)
def test_a_refused_redemption_says_why_and_moves_nothing(
    world: World, cells: dict[str, object], outcome: Outcome, in_mail: str
) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(**({"Gift_Card_Code": CODE} | cells))
    world.serve()

    assert world.shop.card(card.id).transactions == []
    row = world.row(row_id)
    assert (row["Status"], row["Outcome"]) == ("Processed", outcome)
    assert "Balance After" not in row
    (receipt,) = world.redemption_receipts()
    assert receipt["Outcome"] == "Failed"
    assert outcome in receipt["Details"]
    (mail,) = world.mails()
    assert in_mail in mail.body


def test_a_card_that_is_dead_is_not_charged(world: World) -> None:
    deactivated = world.shop.issue_card(code=CODE, amount=50)
    world.shop.deactivate(deactivated.id)
    expired = world.shop.issue_card(
        code="mnpq2345mnpq6789", amount=50, expires_on=world.shop.today()
    )
    first = world.ask(Gift_Card_Code=CODE)
    second = world.ask(Gift_Card_Code="mnpq2345mnpq6789")
    world.serve()
    assert world.row(first)["Outcome"] == Outcome.CARD_DISABLED
    assert world.row(second)["Outcome"] == Outcome.REDEEMED  # its last day is not over yet
    world.advance(24 * 3600)
    third = world.ask(Gift_Card_Code="mnpq2345mnpq6789")
    world.serve()
    assert world.row(third)["Outcome"] == Outcome.CARD_EXPIRED
    assert world.shop.card(expired.id).balance == 40


def test_letters_that_look_alike_find_the_card(world: World) -> None:
    card = world.shop.issue_card(code="abcd0123abcd4567", amount=50)
    row_id = world.ask(Gift_Card_Code="ABCDO123ABCD4567")
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert world.shop.card(card.id).balance == 40


def test_look_alikes_are_never_somebody_elses_card(world: World) -> None:
    """Both cards exist: what was typed as it stands is meant, the other one is a stranger's."""
    typed = world.shop.issue_card(code="abcdo123abcd4567", amount=50)
    stranger = world.shop.issue_card(code="abcd0123abcd4567", amount=50)
    world.ask(Gift_Card_Code="ABCDO123ABCD4567")
    world.serve()
    assert world.shop.card(typed.id).balance == 40
    assert world.shop.card(stranger.id).balance == 50


def test_two_cards_that_both_look_alike_are_both_left_alone(world: World) -> None:
    cards = [
        world.shop.issue_card(code="abcdi234abcd5678", amount=50),
        world.shop.issue_card(code="abcd1234abcd5678", amount=50),
    ]
    row_id = world.ask(Gift_Card_Code="abcdl234abcd5678")
    world.advance(61)  # by then nobody waits any more for the search to learn of a new card
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.CODE_NOT_FOUND
    assert [world.shop.card(card.id).balance for card in cards] == [50, 50]


def test_a_fragment_of_a_code_finds_nobody(world: World) -> None:
    """Shopify's search matches fragments; eight characters of a code are a legal code."""
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE[:8])
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.CODE_NOT_FOUND
    assert world.shop.card(card.id).balance == 50


def test_a_known_card_costs_one_read_and_one_debit(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.serve()
    world.ask(Gift_Card_Code=CODE, Amount=11)
    world.effects.seen.clear()
    world.tick()
    calls = [name for name in world.effects.seen if "query" in name or "mutation" in name]
    assert len(calls) == 2
    assert "mutation" in calls[1]


def test_a_debit_waits_for_its_points_before_it_is_marked_sent(world: World) -> None:
    """After the mark nothing may stand between the last look at the clock and the call."""
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    debited_at = []

    def watch(name: str) -> None:
        if "query ReadCard" in name:  # just enough is left to read the card
            left = world.shop.throttle_status().currently_available
            assert world.shop.spend_points(left - 9)
        if "mutation DebitCard" in name:
            debited_at.append(now())

    begun = now()
    world.effects.watch = watch
    world.tick()
    operation = world.app.journal.load(operation_key(row_id))
    assert operation is not None
    assert operation.result is not None
    assert operation.result.outcome == Outcome.REDEEMED
    assert debited_at == [operation.sent_at]
    assert debited_at[0] - begun >= timedelta(seconds=0.11)
    assert world.shop.refused_as_too_fast == 0


def test_the_stores_hold_nothing_back_and_mirroring_does(redemptions_only: World) -> None:
    world = redemptions_only
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    assert world.shop.spend_points(1_900)
    begun = now()
    world.tick()
    assert (now() - begun).total_seconds() < 2  # Airtable's pace, not Shopify's
    world.drain()
    assert (now() - begun).total_seconds() > 10  # until the reserve is there again
    assert world.shop.throttle_status().currently_available >= BULK_RESERVE_POINTS
    assert world.shop.refused_as_too_fast == 0


def test_a_known_card_is_found_while_the_search_lags(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.serve()
    world.shop.set_search_lag(10**9)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=11)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED


def test_rows_of_before_the_cut_over_are_never_touched(world: World) -> None:
    """The world goes live an hour before it starts, so this row is moved back two."""
    world.shop.issue_card(code=CODE, amount=50)
    world.advance(-2 * 3600)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.advance(2 * 3600)
    world.serve()
    assert "Status" not in world.row(row_id)
    assert world.mails() == []


def test_the_oldest_row_is_served_first(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=15)
    first = world.ask(Gift_Card_Code=CODE)
    world.advance(1)
    second = world.ask(Gift_Card_Code=CODE)
    world.serve()
    assert world.row(first)["Outcome"] == Outcome.REDEEMED
    assert world.row(second)["Outcome"] == Outcome.INSUFFICIENT_BALANCE


def test_a_row_without_a_store_waits_and_the_office_is_told_once(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE, Store=None)
    other = world.ask(Gift_Card_Code=CODE, Amount=11)
    world.serve()
    world.serve()
    assert world.row(other)["Outcome"] == Outcome.REDEEMED
    row = world.row(row_id)
    assert "Status" not in row
    assert "names no store" in row["Message"]
    to_office = [m for m in world.mails() if "office@shop.example" in str(m.destinations)]
    assert len(to_office) == 1
    assert world.shop.card(card.id).balance == 39

    world.base.table("Redemptions").update(row_id, {"Store": [world.store_id]})
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert world.shop.card(card.id).balance == 29


def test_a_store_without_an_address_is_told_to_the_office(world: World) -> None:
    world.base.table("Stores").update(world.store_id, {"Email": None})
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    assert "without one mail address" in world.row(row_id)["Message"]


def test_a_row_edited_after_its_claim_keeps_its_first_contents(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=10)
    world.effects.kill_on = {"ReadCard": "before"}
    world.tick()
    world.base.table("Redemptions").update(row_id, {"Amount": 45})
    world.come_to_rest()
    assert world.shop.card(card.id).balance == 40
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert world.redemption_receipts()[0]["Amount"] == 10


def test_a_row_deleted_after_its_claim_is_still_answered(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.advance(1)
    other = world.ask(Gift_Card_Code=CODE, Amount=11)
    world.effects.kill_on = {"DebitCard": "after"}
    world.tick()
    world.base.table("Redemptions").delete(row_id)
    world.come_to_rest()
    assert world.shop.card(card.id).balance == 29
    assert len(world.mails()) == 2
    assert len(world.redemption_receipts()) == 2
    assert world.row(other)["Outcome"] == Outcome.REDEEMED


def test_an_answered_row_that_somebody_empties_is_written_again_not_charged_again(
    world: World,
) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    world.base.table("Redemptions").update(row_id, {"Status": None})
    world.advance(601)
    world.serve()
    assert world.row(row_id)["Status"] == "Processed"
    assert world.shop.card(card.id).balance == 40
    operation = world.app.journal.load(f"redemption#{row_id}")
    assert operation is not None
    assert operation.state is State.SETTLED


def test_an_answered_row_that_still_waits_is_sent_for_now_and_then(world: World) -> None:
    """Not while the writer may just be behind, and not by each tick of a base that refuses it."""
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    world.base.table("Redemptions").update(row_id, {"Status": None})
    sent = []
    for seconds in (590, 20, 300, 300):
        world.advance(seconds)
        world.tick()
        sent.append(len([body for body in world.queued_in("WriteAirtableQueue") if row_id in body]))
    assert sent == [0, 1, 1, 2]
