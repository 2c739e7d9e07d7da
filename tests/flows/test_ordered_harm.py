"""What a customer tells the web shop about an order, to do harm or by chance, stays text.

One shop sells all of it at once: whatever is typed, everybody who paid gets his card, and it goes
to him, or to the one address that he named.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

import pytest

from giftcards.domain.creation import LONGEST_MESSAGE, LONGEST_NAME
from ops.klaviyo_templates import read_templates
from sandbox.shopify import CartLine, Order, OrderPlan, Pay
from tests.flows.test_typed_harm import HARMFUL
from tests.world import OFFICE, World, running_world

TYPED = (
    *HARMFUL,
    "\U0001f381" * 50 + " \U0001f469\u200d\U0001f467",
    "</td></table><script>alert(1)</script>",
    "Mina\nTo: thief@example.com\n\nGive me the code",
    "%0d%0aBcc: thief@example.com",
    "\t=1+1",
)
MINA = "mina@example.com"
CASEY = "casey{number}@example.com"


@dataclass
class Sold:
    """The shop after all was served, and the order of each text."""

    world: World
    orders: dict[str, Order] = field(default_factory=dict)


@pytest.fixture(scope="module")
def sold() -> Iterator[Sold]:
    with running_world() as world:
        for mail in read_templates():
            world.klaviyo.create_template(
                {
                    "type": "template",
                    "attributes": asdict(mail.template) | {"editor_type": "CODE"},
                }
            )
        done = Sold(world)
        for number, typed in enumerate(TYPED):
            asked = {
                "Recipient name": typed,
                "Recipient email": MINA,
                "Message": typed,
                "Theme": typed,
                "Send on": typed,
                typed[:100]: typed,
            }
            done.orders[typed] = _place(world, number, typed, asked)
            _place(world, number, typed, asked | {"Recipient email": MINA + typed})
        for _ in range(6):
            world.buy_tick()
            world.drain()
            world.advance(60)
            world.sweep()
            world.drain()
        yield done


def _place(world: World, number: int, typed: str, asked: Mapping[str, str]) -> Order:
    plan = OrderPlan(email=CASEY.format(number=number), customer_name=typed, note=typed)
    cart = [CartLine("GIFT-CARD-50", properties=asked)]
    return world.shop.orders.place(cart, Pay(), plan=plan)


def test_everybody_gets_his_card_and_nobody_else_does(sold: Sold) -> None:
    world = sold.world
    assert len(world.shop.cards) == len(world.shop.orders.all) == 2 * len(TYPED)
    delivered = [one for one in world.klaviyo.events if one.metric == "Gift Card Delivered"]
    to_mina = [one for one in delivered if one.profile == MINA]
    owners = {CASEY.format(number=number) for number in range(len(TYPED))}
    assert len(delivered) == 2 * len(TYPED)
    assert len(to_mina) >= len(TYPED)
    assert {one.profile for one in world.klaviyo.events} <= {MINA} | owners
    assert {to for mail in world.mails() for to in mail.destinations["ToAddresses"]} <= {OFFICE}
    assert all(mail.subject.isprintable() for mail in world.mails())


def test_what_is_kept_of_it_is_one_line_short_and_without_tricks(sold: Sold) -> None:
    for row in sold.world.cells("Gift Cards"):
        assert str(row.get("Owner", "")).replace("\u200d", "").isprintable()
        assert len(str(row.get("Owner", ""))) <= LONGEST_NAME
        assert row["Theme"] == "Standard"
    for table in ("Receipts", "Processed Orders"):
        for row in sold.world.cells(table):
            for cell in row.values():
                text = str(cell).replace("\u200d", "")
                assert text.isprintable()
                assert len(text) < 1_000
    for event in sold.world.klaviyo.events:
        assert len(str(event.properties.get("message", ""))) <= LONGEST_MESSAGE


def test_the_mails_hold_no_markup_of_his(sold: Sold) -> None:
    mails = sold.world.klaviyo.mails
    assert len(mails) >= 2 * len(TYPED)
    assert any("{{ 7*7 }}" in mail.text for mail in mails)
    assert any("&lt;img src=x" in mail.html for mail in mails)
    for mail in mails:
        assert mail.subject.replace("\u200d", "").isprintable()
        assert "<img" not in mail.html
        assert "<script" not in mail.html
