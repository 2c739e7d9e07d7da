"""What a row should read in Airtable waits for no receipt, no card's row and no link."""

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.store.control import ProngState
from tests.world import World

CODE = "wxyz2345abcd6789"

# More than one batch of the writer's queue takes: a group hands out its oldest messages first.
MORE_THAN_A_BATCH = 12


def test_receipts_that_airtable_refuses_hold_up_no_outcome(world: World) -> None:
    world.base.table("Receipts").delete_field("Details")
    for _ in range(MORE_THAN_A_BATCH):
        world.ask(Gift_Card_Code="WXYZ")
    world.serve()
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.advance(2)
    world.serve()
    assert world.cells("Receipts") == []
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert world.row(row_id)["Gift Card Code"] == "•••• 6789"


def test_receipts_that_airtable_refuses_keep_no_card_out_of_step(world: World) -> None:
    world.base.table("Receipts").delete_field("Details")
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    (record,) = world.base.table("Gift Cards").records()
    assert record["fields"]["Balance"] == 40
    assert world.row(row_id)["Gift Card"] == [record["id"]]


def test_what_fails_in_one_batch_with_an_outcome_does_not_bring_the_outcome_back(
    world: World,
) -> None:
    """SQS may hand out messages of both groups together."""
    world.base.table("Receipts").delete_field("Details")
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    waiting = [body for body in world.queued_bodies() if f"redemption#{row_id}" in body]
    assert waiting
    assert all('"records"' in body for body in waiting)


def test_an_outcome_waits_for_no_record_of_its_batch(world: World) -> None:
    """It is written first, and its group is free again before records are written."""
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.tick()
    url = world.queue_urls["WriteAirtableQueue"]
    world.sqs.purge_queue(QueueUrl=url)
    world.app.queues.write_records(f"redemption#{row_id}")
    world.app.queues.write_operation(f"redemption#{row_id}")
    seen = []

    def see(name: str) -> None:
        if name.startswith("POST /v0"):
            outcomes = [b for b in world.queued_in("WriteAirtableQueue") if '"operation"' in b]
            seen.append((world.row(row_id).get("Outcome"), outcomes))

    world.effects.watch = see
    world.drain()
    assert seen
    assert seen[0] == (Outcome.REDEEMED, [])


def test_a_word_that_comes_late_covers_no_newer_one(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.advance(world.config.patience_seconds + 1)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.HELD
    world.base.table("Redemptions").update(row_id, {"Approved": True})
    world.advance(60)
    world.serve()
    world.app.queues.write_operation(f"held#{row_id}")
    world.drain()
    assert world.row(row_id)["Status"] == "Processed"
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED


def test_a_card_is_shown_again_each_time_it_moves(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    for amount, left in ((10, 40), (15, 25)):
        world.ask(Gift_Card_Code=CODE, Amount=amount)
        world.advance(60)
        world.serve()
        (mirror,) = world.cells("Gift Cards")
        assert mirror["Balance"] == left


def test_a_card_that_moves_while_it_is_shown_is_shown_again(world: World) -> None:
    """It moves when its balance was read and is not written yet."""
    card = world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.tick()
    read: list[str] = []

    def move(name: str) -> None:
        if read:
            world.effects.watch = None
            world.shop.spend_on_web(card.id, 5)
            world.app.cards.note_move(card.id)
        elif "ReadCards" in name:
            read.append(name)

    world.effects.watch = move
    world.drain()
    assert world.shop.card(card.id).balance == 35
    (state,) = world.app.cards.mirror_states([card.id])
    assert state.is_behind


@pytest.mark.parametrize("field", ["Status", "Outcome"])
def test_a_select_without_our_word_holds_up_nobody(world: World, field: str) -> None:
    """The mail goes out, the code is masked, and the other cells and rows are written."""
    # Somebody tidied up the select's words after `ops resume` had looked at them.
    choices = world.base.table("Redemptions").field(field).options["choices"]
    choices[:] = [choice for choice in choices if choice["name"] == "REDEEMED"]
    world.shop.issue_card(code=CODE, amount=50)
    typo = world.ask(Gift_Card_Code="WXYZ")
    good = world.ask(Gift_Card_Code=CODE)
    world.serve()
    assert len(world.mails()) == 2
    assert world.row(typo)["Gift Card Code"] == "•••• ????"
    assert world.row(good)["Gift Card Code"] == "•••• 6789"
    other = "Outcome" if field == "Status" else "Status"
    assert other in world.row(typo)
    assert field not in world.row(typo)
    assert not [body for body in world.queued_bodies() if '"operation"' in body]


def test_a_frozen_card_says_so_until_it_is_released_or_out_of_use(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.serve()
    for frozen, expected in ((True, "Frozen"), (False, "Active"), (True, "Frozen")):
        assert _status_when(world, card.id, frozen=frozen) == expected
    world.shop.deactivate(card.id)
    assert _status_when(world, card.id, frozen=True) == "Disabled"


def _status_when(world: World, card_id: str, *, frozen: bool) -> str:
    """What the card's row reads once it is mirrored anew."""
    world.app.table.update(f"card#{card_id}", "SET #frozen = :frozen", values={"frozen": frozen})
    world.app.cards.note_move(card_id)
    (redemption,) = (
        str(item["key"]).removeprefix("op#")
        for item in world.items()
        if str(item["key"]).startswith("op#redemption#")
    )
    world.app.queues.write_records(redemption)
    world.drain()
    (row,) = world.cells("Gift Cards")
    return str(row["Status"])


@pytest.mark.parametrize("has_summary", [True, False])
def test_what_a_run_came_to_stands_in_its_status_where_the_base_has_a_field_for_it(
    world: World, *, has_summary: bool
) -> None:
    if not has_summary:
        world.base.table("Status").delete_field("Summary")
        world.resume()
    line = "0 drift over 12 cards at 03:10"
    now = world.app.clock()
    state = ProngState(
        "reconcile",
        is_failing=False,
        since=now,
        last_finished=now,
        last_error=None,
        told_at=now,
        summary=line,
    )
    world.app.control.note_run(state)
    world.app.queues.write_status("reconcile")
    world.drain()
    (row,) = [one for one in world.cells("Status") if one["Prong"] == "reconcile"]
    assert row["State"] == "Executing"
    assert row.get("Summary") == (line if has_summary else None)
