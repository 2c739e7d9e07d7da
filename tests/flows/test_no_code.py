"""No log line, receipt, queue message, table item or processed cell holds a full code."""

import json
import re

import pytest

from sandbox.faults import Fault
from tests.world import World, running_world

CODE = "wxyz2345abcd6789"
OTHER = "mnpq2345mnpq6789"
UNKNOWN = "qqqq2345qqqq6789"
CODES = (CODE, OTHER, UNKNOWN)


def holds_code(text: str) -> bool:
    """Whether a code stands in the text, with whatever blanks and dashes in between."""
    bare = re.sub(r"[\s\-.•]", "", text).lower()
    return any(code in bare for code in CODES)


def test_a_day_of_answers_and_accidents_leaves_no_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with running_world() as world:
        live_a_day(world)
    logged = capsys.readouterr().out
    assert "run finished" in logged
    assert not holds_code(logged)


def live_a_day(world: World) -> None:
    queued: list[str] = []
    world.shop.issue_card(code=CODE, amount=50)
    world.shop.issue_card(code=OTHER, amount=5)
    for typed in (CODE, CODE.upper(), "WXYZ-2345-ABCD-6789", f"Code: {CODE}", OTHER, UNKNOWN):
        world.ask(Gift_Card_Code=typed)
    world.ask(Gift_Card_Code=f"{CODE} {OTHER}")
    world.ask(Gift_Card_Code=f"{CODE}{OTHER}")
    world.ask(Gift_Card_Code=CODE, Amount=-1)
    world.ask(Gift_Card_Code=OTHER, Employee=f"Ana {OTHER}")
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    world.shop.faults.add(Fault.THROTTLE, operation="giftCardDebit")
    world.tick()
    queued += world.queued_bodies()
    world.drain()
    world.come_to_rest()
    world.come_to_rest()  # where the throttled debit left no points for a row, the next tick has it

    rows = world.cells("Redemptions")
    assert len(rows) == 10
    assert all(row["Status"] == "Processed" for row in rows)
    for row in rows:
        del row["Employee"]  # the form's own cell: we mask the code's cell and touch no other
    assert not holds_code(json.dumps(rows))
    for table in ("Gift Cards", "Receipts", "Status"):
        assert not holds_code(json.dumps(world.cells(table)))
    assert queued
    assert not holds_code(json.dumps(queued))
    items = world.items()
    assert len(items) > 10
    assert not holds_code(str(items))
    for mail in world.mails():
        assert not holds_code(mail.subject + mail.body)


def test_the_search_for_a_code_would_find_one() -> None:
    assert holds_code("typed WXYZ-2345 abcd 6789 twice")
