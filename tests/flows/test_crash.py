"""A worker dies before or after any of its effects: one debit, one answer, one receipt, in step.

Nobody lists the effects. A first, undisturbed run shows them; then the same story is told again
once for each effect and each side of it, with the worker killed there. What comes after is what
would come anyway: ticks, sweeps, and messages that become visible again.
"""

from contextlib import suppress
from decimal import Decimal

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.errors import NeedsAPerson
from sandbox.faults import Fault
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


# ------------------------------------------------------------------------------- twice in a row


# The second worker dies at every ninth of its effects, beginning one further for each effect of the
# first: neighbours together meet all of them, in a ninth of the time.
STRIDE = 9


@pytest.mark.parametrize("part", [0, 1])
def test_a_worker_dies_between_claim_and_handing_over_and_so_does_the_next(part: int) -> None:
    """The second one dies at its own effects, wherever the first one left off.

    Dying after an effect is dying before the next one, so one side shows both.
    """
    effects = effects_of("redeemed")
    begin = next(i for i, name in enumerate(effects) if "FindCard" in name)
    end = next(i for i, name in enumerate(effects) if "SendEmail" in name)
    twice = 0
    for first in range(begin + part, end, 2):
        second = first + 1 + first % STRIDE
        while tell_with_deaths(first, second) > 1:
            twice += 1
            second += STRIDE
    assert twice > end - begin


def tell_with_deaths(first: int, second: int) -> int:
    """Tell the story with workers dying before these effects; return how many did."""
    with running_world() as world:
        world.effects.kill_at = {first: "before", second: "before"}
        card_id, row_id = tell(world, STORIES["redeemed"][0])
        world.come_to_rest()
        check_whatever_happened(world, card_id, row_id)
        return world.effects.deaths


# --------------------------------------------------------------- every accident at every question

ACCIDENTS = [fault for fault in Fault if fault is not Fault.STALE_SEARCH]


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("times", [1, 3])
def test_shopify_has_an_accident_at_every_call(accident: Fault, times: int) -> None:
    """Each kind of accident, once and three times in a row, at each call a redemption makes."""
    seconds = 90.0 if accident is Fault.APPLY_LATE else 0.0
    for operation in ("FindCard", "ReadCard", "giftCardDebit", "ReadCards"):
        if accident is Fault.APPLY_LATE and operation != "giftCardDebit":
            continue  # only a change can be applied later
        with running_world() as world:
            world.shop.faults.add(accident, operation=operation, times=times, seconds=seconds)
            card_id, row_id = tell_through_errors(world)
            assert [order.times for order in world.shop.faults.waiting()] != [times], operation
            check_whatever_happened(world, card_id, row_id)


def tell_through_errors(world: World) -> tuple[str, str]:
    """The story of a redemption where runs may fail for want of a person."""
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=10)
    for _ in range(5):
        with suppress(NeedsAPerson):
            world.tick()
        world.drain()
        world.advance(60)
    world.come_to_rest()
    return card.id, row_id


def check_whatever_happened(world: World, card_id: str, row_id: str) -> None:
    """The promises, with whatever outcome the story came to."""
    outcome = Outcome(world.row(row_id)["Outcome"])
    assert outcome in {Outcome.REDEEMED, Outcome.NOT_CHARGED}
    check(world, card_id, row_id, outcome)
