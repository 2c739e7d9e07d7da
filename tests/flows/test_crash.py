"""A worker dies before or after any of its effects: one debit, one answer, one receipt, in step.

Nobody lists the effects. A first, undisturbed run shows them; then the same story is told again
once for each effect and each side of it, with the worker killed there. What comes after is what
would come anyway: ticks, sweeps, and messages that become visible again.
"""

from decimal import Decimal

import pytest

from giftcards.domain.outcomes import Outcome
from tests.world import When, World, running_world

pytestmark = pytest.mark.slow

CODE = "wxyz2345abcd6789"

STORIES = {
    "redeemed": ({"Gift_Card_Code": CODE, "Amount": 10}, Outcome.REDEEMED),
    "refused": ({"Gift_Card_Code": CODE, "Amount": 60}, Outcome.INSUFFICIENT_BALANCE),
    "mistyped": ({"Gift_Card_Code": "WXYZ", "Amount": 10}, Outcome.CODE_FORMAT_INCORRECT),
}


def tell(world: World, cells: dict[str, object]) -> tuple[str, str]:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(**cells)
    world.serve()
    return card.id, row_id


def effects_of(story: str) -> list[str]:
    with running_world() as world:
        tell(world, STORIES[story][0])
        return list(world.effects.seen)


def check(world: World, card_id: str, row_id: str, outcome: Outcome) -> None:
    """The promises that hold whatever died when."""
    card = world.shop.card(card_id)
    debits = [t for t in card.transactions if t.note == f"redemption#{row_id}"]
    charged = outcome is Outcome.REDEEMED
    assert len(debits) == (1 if charged else 0)
    assert card.balance == (40 if charged else 50)

    row = world.row(row_id)
    assert (row["Status"], row["Outcome"]) == ("Processed", outcome)
    assert CODE not in str(row["Gift Card Code"]).lower()

    subjects = [mail.subject for mail in world.mails()]
    mails = [subject for subject in subjects if not subject.startswith("Please wait")]
    assert mails, "the store was never answered"
    assert len(set(mails)) == 1, "the store read two different answers"
    assert not subjects[-1].startswith("Please wait"), "asked to wait after the answer"
    assert len(mails) <= 2  # killed between SES and our note, the same answer goes out again

    receipts = world.cells("Receipts")
    assert len(receipts) == 1
    assert receipts[0]["Operation"] == f"redemption#{row_id}"

    if outcome is not Outcome.CODE_FORMAT_INCORRECT:
        (mirror,) = world.cells("Gift Cards")
        assert Decimal(str(mirror["Balance"])) == card.balance
        assert row["Gift Card"]


def outcome_after(effects: list[str], place: int, when: When, outcome: Outcome) -> Outcome:
    """What the store reads when the worker died there.

    Dead after the SENT mark and before the debit, nobody can know that it was not sent: it is never
    sent again, and after the settling time the answer is "not charged". Everywhere else the
    customer gets what would have come without the crash.
    """
    moments = [(name, side) for name in effects for side in ("before", "after")]
    marked = [i for i, (name, side) in enumerate(moments) if "Transact" in name and side == "after"]
    sent = [i for i, (name, side) in enumerate(moments) if "DebitCard" in name and side == "before"]
    if not marked or not sent:
        return outcome
    moment = 2 * place + (when == "after")
    return Outcome.NOT_CHARGED if marked[0] <= moment <= sent[0] else outcome


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_dies_at_any_effect(story: str, when: When) -> None:
    cells, outcome = STORIES[story]
    effects = effects_of(story)
    assert len(effects) > 5
    for place, name in enumerate(effects):
        with running_world() as world:
            world.effects.kill_at = {place: when}
            card_id, row_id = tell(world, cells)
            world.come_to_rest()
            try:
                check(world, card_id, row_id, outcome_after(effects, place, when, outcome))
            except AssertionError as error:
                raise AssertionError(f"killed {when} effect {place}, {name}: {error}") from error
