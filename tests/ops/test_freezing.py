"""The engineer freezes a card, and decides what became of money that was to be given back."""

import argparse
from collections.abc import Iterator

import pytest

from giftcards.errors import NeedsAPerson
from giftcards.store.journal import State
from giftcards.wiring import now
from ops.command_line import FATES, freeze, main, park_decide, park_list, unfreeze
from sandbox.faults import Fault
from tests.flows.adjust_stories import operation_of, rest, undo
from tests.world import World, running_world

CODE = "wxyz2345abcd6789"


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as world:
        yield world


def card(which: str, because: str = "a chargeback") -> argparse.Namespace:
    return argparse.Namespace(card=which, because=because)


def decide(world: World, key: str, word: str) -> int:
    return park_decide(world.app, argparse.Namespace(key=key, decision=word))


def test_a_card_is_frozen_by_its_number_and_released_by_its_id(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    found = world.shop.issue_card(code=CODE, amount=50)
    assert freeze(world.app, card(found.id.rpartition("/")[2])) == 0
    assert f"{found.id} is frozen since" in capsys.readouterr().out
    assert world.app.cards.frozen([found.id]) == {found.id}
    assert freeze(world.app, card(found.id, "something else")) == 0
    assert "a chargeback" in capsys.readouterr().out  # as it was frozen first
    assert unfreeze(world.app, card(found.id, "it was won")) == 0
    assert "is free since" in capsys.readouterr().out
    assert world.app.cards.frozen([found.id]) == frozenset()


def test_a_card_that_was_never_frozen_cannot_be_released(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    found = world.shop.issue_card(code=CODE, amount=50)
    assert unfreeze(world.app, card(found.id)) == 1
    assert "never frozen" in capsys.readouterr().err


def test_a_code_is_no_name_of_a_card(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    with pytest.raises(NeedsAPerson, match="never by its code"):
        freeze(world.app, card(CODE))


def test_a_credit_is_decided_in_its_own_words(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    told = undo(world)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardCredit")
    for _ in range(10):
        world.advance(60)
        world.tick()
        world.sweep()
        world.drain()
    assert operation_of(world, told.key).state is State.PARKED
    park_list(world.app, argparse.Namespace())
    said = capsys.readouterr().out
    assert f"{told.key}  was SENT" in said
    assert "decide credited, not-credited or retry" in said
    assert decide(world, told.key, "charged") == 1
    assert "is decided as credited, not-credited or retry" in capsys.readouterr().err
    assert operation_of(world, told.key).state is State.PARKED
    assert decide(world, told.key, "retry") == 0
    rest(world)
    assert world.shop.cards[0].balance == 50


def test_a_redemption_is_not_decided_in_a_credits_words(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    world.tick()
    operation = operation_of(world, f"redemption#{row_id}")
    world.journal.park(operation, because="tests", now=now())
    assert decide(world, operation.key, "credited") == 1
    assert "is decided as charged, not-charged or retry" in capsys.readouterr().err
    assert decide(world, operation.key, "charged") == 0


def test_every_word_is_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["park", "decide", "--help"])
    said = capsys.readouterr().out
    assert all(word in said for word in FATES)
    for command in ("freeze", "unfreeze"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert "--because" in capsys.readouterr().out
