"""docs/sell.md says what the code does: its drawings and its mails."""

import argparse
import re
from collections.abc import Callable, Mapping

import pytest

from giftcards.flows.sale import CONFIRMATION, DELIVERY, ISSUE, SALE
from giftcards.store.journal import OPERATION_PREFIX
from ops.command_line import park_decide
from sandbox.faults import Fault
from tests.documents.sell import DOCUMENT
from tests.world import World, running_world

NOWHERE = "[*]"
ARROW = re.compile(r"^ {4}(\S+) --> (\S+?)(?:: (.+))?$", re.MULTILINE)

# Which kinds of operation the drawings are of, in their order.
DRAWN: tuple[frozenset[str], ...] = (
    frozenset({SALE}),
    frozenset({ISSUE}),
    frozenset({DELIVERY, CONFIRMATION}),
)

type Arrows = set[tuple[str, str]]


def drawings() -> list[dict[tuple[str, str], str]]:
    """Each drawing's arrows, with the condition that stands on each."""
    parts = DOCUMENT.text.split("```mermaid\nstateDiagram-v2\n")[1:]
    return [
        {(begin, end): condition for begin, end, condition in ARROW.findall(part.split("```")[0])}
        for part in parts
    ]


class Witness:
    """Looks at the journal before each call of a worker, and notes every state that changed."""

    def __init__(self, world: World) -> None:
        self.seen: dict[str, Arrows] = {}
        self._world = world
        self._states: dict[str, str] = {}
        world.effects.watch = self.look

    def look(self, name: str = "") -> None:
        del name
        for item in self._world.items():
            key = str(item["key"])
            if key.startswith(OPERATION_PREFIX):
                before, after = self._states.get(key, NOWHERE), str(item["state"])
                if before != after:
                    self.seen.setdefault(str(item["kind"]), set()).add((before, after))
                    self._states[key] = after


# ---------------------------------------------------------- stories that walk along all the arrows


def sold_as_a_gift(world: World) -> None:
    world.sell(Is_Gift=True, Purchaser_Name="Tom", Purchaser_Email="tom@example.com")
    world.serve()


def refused(world: World) -> None:
    world.sell(Amount=-3)
    world.serve()


def _retry(world: World, key: str) -> None:
    options = argparse.Namespace(key=key, decision="retry")
    assert park_decide(world.app, options) == 0


def _live_on(world: World, *, hours: int) -> None:
    for _ in range(hours):
        world.advance(3600)
        world.sweep()
        world.drain()


def parked_card_that_is_tried_again(world: World) -> None:
    world.shop.set_search_lag(10 * 3600)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardCreate")
    row_id = world.sell()
    world.serve()
    _live_on(world, hours=2)
    _retry(world, f"issue#{row_id}#1")


def parked_mail_that_is_tried_again(world: World) -> None:
    world.klaviyo.faults.add(Fault.FAIL_BEFORE, times=None)
    row_id = world.sell()
    world.serve()
    _live_on(world, hours=40)
    _retry(world, f"delivery#{row_id}")


STORIES: tuple[Callable[[World], None], ...] = (
    sold_as_a_gift,
    refused,
    parked_card_that_is_tried_again,
    parked_mail_that_is_tried_again,
)


@pytest.fixture(scope="module")
def walked() -> Mapping[str, Arrows]:
    """Every arrow that an operation was seen to take in the stories, by kind."""
    seen: dict[str, Arrows] = {}
    for story in STORIES:
        with running_world() as world:
            witness = Witness(world)
            story(world)
            witness.look()
            for kind, arrows in witness.seen.items():
                seen.setdefault(kind, set()).update(arrows)
    return seen


@pytest.mark.parametrize(
    ("place", "kinds"), list(enumerate(DRAWN)), ids=["sale", "card", "delivery"]
)
def test_each_drawing_has_the_arrows_that_operations_take_and_no_others(
    place: int, kinds: frozenset[str], walked: Mapping[str, Arrows]
) -> None:
    drawn = {arrow for arrow in drawings()[place] if arrow[1] != NOWHERE}
    assert set().union(*(walked[kind] for kind in kinds)) == drawn


def test_every_arrow_has_its_condition() -> None:
    assert len(drawings()) == len(DRAWN)
    for arrows in drawings():
        assert [arrow for arrow, condition in arrows.items() if not condition] == [
            ("SETTLED", NOWHERE)
        ]


@pytest.mark.parametrize("name", list(DOCUMENT.sections))
def test_the_document_says_what_the_code_does(name: str) -> None:
    assert DOCUMENT.section(name) == DOCUMENT.sections[name](), "mend it with: make docs"
