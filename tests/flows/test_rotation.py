"""Keys are changed while cards live: what was sold before is still found, and still sent again."""

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.errors import ConfigurationError
from tests.world import World

CODE = "wxyz2345abcd6789"
OLD, NEW = b"the pepper of so many years, thirty-two", b"another pepper of thirty-two characters"


def codes_sent(world: World) -> list[str]:
    return [
        card["code"]
        for event in world.klaviyo.events
        if event.metric == "Gift Card Delivered"
        for card in event.properties["cards"]
    ]


def tick_resend(world: World) -> None:
    (record,) = world.base.table("Gift Cards").records()
    world.base.table("Gift Cards").update(record["id"], {"Resend": True})
    world.advance(60)
    world.serve()


def redeem(world: World) -> str:
    row_id = world.ask(Gift_Card_Code=CODE, Amount=10)
    world.serve()
    return str(world.row(row_id)["Outcome"])


def use_peppers(world: World, *peppers: bytes) -> None:
    """New peppers are in SSM, and workers have started anew."""
    world.peppers = peppers
    world.new_worker()


def test_a_card_is_found_by_the_previous_pepper_without_the_search(world: World) -> None:
    use_peppers(world, OLD)
    world.shop.issue_card(code=CODE, amount=50)
    assert redeem(world) == Outcome.REDEEMED
    world.advance(601)
    use_peppers(world, NEW, OLD)
    world.effects.forget()
    assert redeem(world) == Outcome.REDEEMED
    assert not [effect for effect in world.effects.seen if "FindCard" in effect]


def test_once_the_previous_pepper_is_gone_the_search_finds_the_card(world: World) -> None:
    use_peppers(world, OLD)
    world.shop.issue_card(code=CODE, amount=50)
    assert redeem(world) == Outcome.REDEEMED
    world.advance(601)
    use_peppers(world, NEW)
    world.effects.forget()
    assert redeem(world) == Outcome.REDEEMED
    assert [effect for effect in world.effects.seen if "FindCard" in effect]
    world.advance(601)
    world.effects.forget()
    assert redeem(world) == Outcome.REDEEMED
    assert not [effect for effect in world.effects.seen if "FindCard" in effect]


def test_a_card_of_an_older_key_is_sent_again_with_its_own_code(world: World) -> None:
    world.sell()
    world.serve()
    world.rotate_code_key()
    tick_resend(world)
    first, second = codes_sent(world)
    assert first == second


def test_a_new_card_comes_from_the_new_key(world: World) -> None:
    older = world.config.code_key_ids[0]
    world.rotate_code_key()
    asked: list[str] = []
    world.effects.watch_asked = lambda call, what: (
        asked.append(what["KeyId"]) if call.startswith("kms") else None
    )
    world.sell()
    world.serve()
    assert asked
    assert older not in asked


def test_a_key_that_left_the_list_is_named(world: World) -> None:
    older = world.config.code_key_ids[0]
    world.rotate_code_key()
    maker = world.app.codes
    assert len(maker.code_for("issue#rec1#1", 0, older).value) == 20
    with pytest.raises(ConfigurationError, match="not in CodeKeyIds"):
        maker.code_for("issue#rec1#1", 0, "a-key-that-is-gone")
