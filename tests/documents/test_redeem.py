"""docs/redeem.md says what the code does: its drawing, its mails, its table of accidents."""

import argparse
import re
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import pytest
from werkzeug.wrappers import Response

from giftcards.errors import VendorSurprise
from giftcards.flows.park import FAILURES_TO_BE_PARKED
from giftcards.store.journal import OPERATION_PREFIX, State
from ops.command_line import park_decide
from sandbox.faults import Fault
from sandbox.wsgi import WsgiAdapter
from tests.documents.redeem import DOCUMENT
from tests.world import SHOP_URL, World, running_world

CODE = "wxyz2345abcd6789"

# Where an operation comes from before it is in the journal, and where it goes when nothing follows.
NOWHERE = "[*]"

ARROW = re.compile(r"^ {4}(\S+) --> (\S+?)(?:: (.+))?$", re.MULTILINE)

type Arrows = set[tuple[str, str]]


def drawn() -> dict[tuple[str, str], str]:
    """The drawing's arrows, with the condition that stands on each."""
    _, _, rest = DOCUMENT.text.partition("```mermaid\nstateDiagram-v2\n")
    drawing, _, _ = rest.partition("```")
    return {(begin, end): condition for begin, end, condition in ARROW.findall(drawing)}


class Witness:
    """Looks at the journal after each write of a worker and notes every state that changed."""

    WRITES = ("UpdateItem", "PutItem", "TransactWriteItems")

    def __init__(self, world: World) -> None:
        self.seen: Arrows = set()
        self._world = world
        self._states: dict[str, str] = {}
        self._was_written = False
        world.effects.watch = self._see

    def _see(self, name: str) -> None:
        """Told of each call before it happens: the last one was a write, or was not."""
        if self._was_written:
            self.look()
        self._was_written = any(write in name for write in self.WRITES)

    def look(self) -> None:
        for item in self._world.items():
            key = str(item["key"])
            if not key.startswith(OPERATION_PREFIX):
                continue
            before, after = self._states.get(key, NOWHERE), str(item["state"])
            if before != after:
                self.seen.add((before, after))
                self._states[key] = after


# --------------------------------------------------------- stories that walk along all the arrows


def charged(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.serve()


def refused_before_any_card(world: World) -> None:
    world.ask(Gift_Card_Code="WXYZ")
    world.serve()


def refused_under_the_lock(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=5)
    world.ask(Gift_Card_Code=CODE)
    world.serve()


def sent_again_because_it_did_not_run(world: World) -> None:
    world.shop.faults.add(Fault.THROTTLE, operation="giftCardDebit")
    charged(world)
    world.come_to_rest()


def held_and_approved(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="ReadCard", times=None)
    world.serve()
    world.shop.faults.clear()
    world.advance(world.config.patience_seconds + 1)
    world.serve()
    world.base.table("Redemptions").update(row_id, {"Approved": True})
    world.serve()


def _fail_until_parked(world: World) -> None:
    for _ in range(FAILURES_TO_BE_PARKED + 1):
        world.advance(120)
        with suppress(VendorSurprise):  # the run had nothing but this row, so it failed
            world.tick()
        world.sweep()


def _decide(world: World, row_id: str, decision: str) -> None:
    key = f"redemption#{row_id}"
    assert park_decide(world.app, argparse.Namespace(key=key, decision=decision)) == 0


def _park_sent(world: World) -> str:
    """Our reference stands on a debit of another amount: nobody can explain that."""
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.effects.kill_on = {"DebitCard": "before"}
    world.tick()
    world.shop.debit(card.id, amount=Decimal(7), note=f"redemption#{row_id}")
    _fail_until_parked(world)
    return row_id


def parked_when_sent_and_decided(world: World) -> None:
    _decide(world, _park_sent(world), "charged")
    world.drain()


def parked_when_sent_and_tried_again(world: World) -> None:
    _decide(world, _park_sent(world), "retry")


def parked_when_claimed_and_tried_again(world: World) -> None:
    """Shopify answers our questions in a way that it never should."""
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.effects.kill_on = {"ReadCard": "before"}
    world.tick()
    shopify = world.session.get_adapter(SHOP_URL)
    world.session.mount(SHOP_URL, WsgiAdapter(Response("What?", status=418)))
    _fail_until_parked(world)
    world.session.mount(SHOP_URL, shopify)
    _decide(world, row_id, "retry")


STORIES: tuple[Callable[[World], None], ...] = (
    charged,
    refused_before_any_card,
    refused_under_the_lock,
    sent_again_because_it_did_not_run,
    held_and_approved,
    parked_when_sent_and_decided,
    parked_when_sent_and_tried_again,
    parked_when_claimed_and_tried_again,
)


def walked() -> Arrows:
    """Every arrow that an operation was seen to take in the stories."""
    seen: Arrows = set()
    for story in STORIES:
        with running_world() as world:
            witness = Witness(world)
            story(world)
            witness.look()
            seen |= witness.seen
    return seen


def test_the_drawing_has_the_arrows_that_operations_take_and_no_others() -> None:
    arrows = {arrow for arrow in drawn() if arrow[1] != NOWHERE}
    assert walked() == arrows


def test_the_drawing_has_all_states_and_a_condition_on_every_arrow() -> None:
    arrows = drawn()
    states = {state for arrow in arrows for state in arrow} - {NOWHERE}
    assert states == set(State)
    assert [arrow for arrow, condition in arrows.items() if not condition] == [
        (State.SETTLED, NOWHERE)
    ]


# ------------------------------------------------------------------------- what `make docs` writes


@pytest.mark.parametrize(
    "name",
    [
        "outcomes",
        "other mails",
        pytest.param("accidents", marks=pytest.mark.slow),  # hours pass in it, second by second
    ],
)
def test_the_document_says_what_the_code_does(name: str) -> None:
    assert DOCUMENT.section(name) == DOCUMENT.sections[name](), "mend it with: make docs"
