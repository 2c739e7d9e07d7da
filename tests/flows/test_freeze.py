"""A frozen card is refused in stores until somebody releases it."""

from typing import Any

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.errors import NeedsAPerson
from giftcards.flows.freeze import global_id
from giftcards.store.journal import State
from giftcards.wiring import Application, now
from sandbox.faults import Fault
from tests.world import World

CODE = "wxyz2345abcd6789"


def freeze(world: World, card_id: str, because: str = "a chargeback") -> None:
    world.app.freeze().freeze(card_id, by="Ana", because=because)
    world.drain()


def release(world: World, card_id: str) -> None:
    world.app.freeze().release(card_id, by="Ben", because="the bank has decided")
    world.drain()


def receipts(world: World) -> list[dict[str, Any]]:
    return [one for one in world.cells("Receipts") if one["Operation"].startswith("freeze#")]


def number(card_id: str) -> str:
    return card_id.rpartition("/")[2]


def test_a_frozen_card_is_refused_until_it_is_released(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    freeze(world, card.id)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.serve()
    row = world.row(row_id)
    assert row["Outcome"] == Outcome.CARD_DISABLED
    assert row["Message"] == (
        "The card is out of use; nothing was charged. The office has frozen this card"
    )
    mail = world.mails()[-1]
    assert mail.subject.startswith("Not paid: the card is out of use")
    assert "The office has frozen this card." in mail.body
    (mirror,) = world.cells("Gift Cards")
    assert mirror["Status"] == "Frozen"
    assert world.shop.card(card.id).balance == 50

    release(world, card.id)
    again = world.ask(Gift_Card_Code=CODE)
    world.advance(60)
    world.serve()
    assert world.row(again)["Outcome"] == Outcome.REDEEMED
    (mirror,) = world.cells("Gift Cards")
    assert mirror["Status"] == "Active"


def test_it_is_read_from_the_lock_and_shopify_is_not_asked(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE, Amount=1)
    world.serve()  # the index knows it from now on
    freeze(world, card.id)
    world.ask(Gift_Card_Code=CODE)
    world.effects.seen.clear()
    world.tick()
    assert not [name for name in world.effects.seen if "Card" in name]


def test_a_card_frozen_after_the_look_at_its_lock_is_not_charged(world: World) -> None:
    """Between that look and the debit a worker may wait seconds for Shopify's points."""
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=30)

    def watch(name: str) -> None:
        if "TransactWriteItems" in name:
            world.effects.watch = None
            at_work = world.app
            world.new_worker().freeze().freeze(card.id, by="tests", because="stolen")
            world.app = at_work

    world.effects.watch = watch
    world.serve()
    assert "Outcome" not in world.row(row_id)
    world.advance(60)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.CARD_DISABLED
    assert world.shop.card(card.id).balance == 50


def test_approval_releases_no_card(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    freeze(world, card.id)
    row_id = world.ask(Gift_Card_Code=CODE, Approved=True, Confirm_Duplicate=True)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.CARD_DISABLED


def test_what_was_sent_before_is_still_found(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    row_id = world.ask(Gift_Card_Code=CODE)
    world.tick()
    freeze(world, card.id)
    world.come_to_rest()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED


def test_each_time_leaves_one_receipt_and_says_who_and_why(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    for _ in range(2):
        freeze(world, card.id)
        freeze(world, card.id, because="again")  # it is frozen: nothing happens
        release(world, card.id)
        release(world, card.id)
    found = receipts(world)
    assert [(one["Action"], one["Actor"], one["Outcome"]) for one in found] == [
        ("Freeze card", "Ana", "Done"),
        ("Release card", "Ben", "Done"),
        ("Freeze card", "Ana", "Done"),
        ("Release card", "Ben", "Done"),
    ]
    assert [one["Operation"] for one in found] == [
        f"freeze#{number(card.id)}#{k}" for k in (1, 2, 3, 4)
    ]
    assert found[0]["Details"] == (
        "FROZEN: stores do not take the card until it is released (a chargeback)."
    )
    assert found[1]["Details"] == "RELEASED: stores take the card again (the bank has decided)."
    assert found[0]["Gift Card"] == "•••• 6789"


def test_a_release_of_what_was_never_frozen_is_nothing(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    assert world.app.freeze().release(card.id, by="Ben", because="") is None
    assert world.journal.load(f"freeze#{number(card.id)}#1") is None


def test_a_code_typed_as_the_reason_is_hidden(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    freeze(world, card.id, because=f"stolen: {CODE.upper()}")
    assert CODE.upper() not in str(world.items()) + str(world.cells("Receipts"))


def test_a_card_shopify_does_not_know_is_not_frozen(world: World) -> None:
    with pytest.raises(NeedsAPerson, match="no card"):
        world.app.freeze().freeze("gid://shopify/GiftCard/1", by="Ana", because="")
    assert world.app.cards.frozen(["gid://shopify/GiftCard/1"]) == frozenset()


@pytest.mark.parametrize("typed", ["523", " gid://shopify/GiftCard/523 "])
def test_a_card_goes_by_its_number(typed: str) -> None:
    assert global_id(typed) == "gid://shopify/GiftCard/523"


@pytest.mark.parametrize("typed", [CODE, "", "gid://shopify/Order/5", "12 34", "٣"])
def test_and_by_nothing_else(typed: str) -> None:
    with pytest.raises(NeedsAPerson, match="never by its code"):
        global_id(typed)


def test_frozen_at_the_same_moment_by_two_it_is_frozen_once(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)

    def watch(name: str) -> None:
        if "UpdateItem" in name:
            world.effects.watch = None
            frozen = world.app
            world.new_worker().freeze().freeze(card.id, by="Ben", because="me too")
            world.app = frozen

    world.effects.watch = watch
    stands = world.app.freeze().freeze(card.id, by="Ana", because="a chargeback")
    assert (stands.number, stands.by) == (1, "Ben")
    world.drain()
    assert len(receipts(world)) == 1


def test_whoever_dies_of_it_does_it_again_and_nothing_is_missing(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    start = world.keep()

    def both(app: Application) -> None:
        app.freeze().freeze(card.id, by="Ana", because="a chargeback")
        app.freeze().release(card.id, by="Ana", because="it was won")

    world.work(both)
    effects = len(world.effects.seen)
    assert effects > 10
    for place in range(effects):
        for when in ("before", "after"):
            world.go_back(start)
            world.effects.kill_at = {place: when}
            assert world.work(both) is None
            world.work(both)
            world.come_to_rest()
            stands = world.app.cards.freezing(card.id)
            assert stands is not None
            # Dead after the release, it was frozen and released once more.
            assert (stands.number, stands.is_frozen) in {(2, False), (4, False)}
            assert len(receipts(world)) == stands.number, (place, when)
            (mirror,) = world.cells("Gift Cards")
            assert mirror["Status"] == "Active"


def test_its_record_is_settled(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    freeze(world, card.id)
    operation = world.journal.load(f"freeze#{number(card.id)}#1")
    assert operation is not None
    assert (operation.state, operation.kind) == (State.SETTLED, "freeze")
    assert operation.claimed_at <= now()
