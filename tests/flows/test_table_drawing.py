"""The drawing of the table shows every kind of item that the flows write, and no other."""

import re
from decimal import Decimal

from giftcards.store import table
from sandbox.faults import Fault
from sandbox.shopify import CartLine, Pay
from tests.flows.reconcile_stories import compare
from tests.web_spending import rest
from tests.world import World

CODE = "wxyz2345abcd6789"


def drawn() -> set[str]:
    """The first words of the keys in the drawing, such as `card#`."""
    lines = (table.__doc__ or "").splitlines()
    begin = next(number for number, line in enumerate(lines) if "-----" in line)
    end = next(number for number, line in enumerate(lines) if "index `due`" in line)
    keys = (re.match(r" {4}([a-z]+#?)", line) for line in lines[begin + 1 : end])
    return {found[1] for found in keys if found}


def live_a_day(world: World) -> None:
    """A sale, a redemption, a lost reply, a miss, a question, a card bought and one spent.

    Staff put money on one, and in the night the books are compared.
    """
    card = world.shop.issue_card(code=CODE, amount=50)
    world.shop.orders.place([CartLine("GIFT-CARD-50")], Pay())
    world.shop.orders.place([CartLine("LANTERN-S")], Pay([CODE]))
    world.sell()
    world.ask(Gift_Card_Code=CODE)
    world.ask(Gift_Card_Code="qqqq2345qqqq7777")
    world.check_balance("zzzz9999zzzz9999")
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    world.base.faults.add(Fault.DROP_REPLY, operation="update Redemptions")
    world.serve()
    world.come_to_rest()
    world.shop.credit(card.id, amount=Decimal(5), note="sorry")
    rest(world)
    compare(world)


def test_the_drawing_shows_what_is_written_and_nothing_else(world: World) -> None:
    live_a_day(world)
    written = {re.split(r"(?<=#)", str(item["key"]))[0] for item in world.items()}
    assert written == drawn()
