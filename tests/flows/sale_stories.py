"""Stories of sales, deliveries and balance checks, to be told again with workers dying in them.

Each begins with what nobody disturbs (a form, a card, an accident in store), goes on with what
would come anyway, and ends at rest. What must hold then is one *picture*: every card at Shopify,
every event at Klaviyo, every mail, row, receipt and operation, without the times and ids that
chance or a crash may change. Told with a death in it, a story must come to the picture that it
comes to undisturbed, and that one is looked at closely.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from giftcards.errors import NeedsAPerson
from giftcards.flows.deliver import WAITS
from giftcards.store.journal import State
from giftcards.wiring import now
from sandbox.faults import Fault
from tests.flows.test_bounces import bounce
from tests.world import OFFICE, KeptMoment, World, running_world

CODE = "wxyz2345abcd6789"
UNKNOWN = "qqqq2345qqqq7777"
ROSA = "rosa@example.com"
TOM = "tom@example.com"
NEW_ADDRESS = "rosa.new@example.com"

DELIVERED = "Gift Card Delivered"
CONFIRMED = "Gift Card Gift Confirmation"

# Klaviyo's first waits are 5, 30 and 120 s; with a death in between, the sweep takes longer.
MINUTES_OF_TROUBLE = 12

# A search that lags by 100 s is asked again every half minute, by the sweep.
MINUTES_OF_LAG = 8

SECONDS_A_DAY = 86400

# A worker that died is noticed by the sweep after a minute or so.
MINUTES_OF_A_DEATH = 8

# The waits between a delivery's tries come to a day.
HOURS_TO_GIVE_UP = 36

type Step = Callable[[World], object]


@dataclass(frozen=True, kw_only=True)
class SaleStory:
    """A story, and what stands at its end.

    `units` are the cards that were sold, `delivered` how often each of them was sent to whom,
    `confirmed` the purchasers that were told, `outcomes` what the requests' rows read.
    """

    begin: Callable[[World], object]
    steps: Sequence[Step]
    units: int = 0
    delivered: Mapping[str, int]
    confirmed: Sequence[str] = ()
    outcomes: Sequence[str] = ()
    settings: Mapping[str, Any] | None = None
    others_cards: int = 0
    mails: Sequence[tuple[str, str]]

    def tell(self, world: World) -> None:
        """What happens, in its order."""
        for step in self.steps:
            step(world)


@contextmanager
def begun(story: SaleStory) -> Iterator[tuple[World, KeptMoment]]:
    """A world in which the story has begun, and that moment, to come back to it."""
    with running_world(**(story.settings or {})) as world:
        story.begin(world)
        world.effects.forget()
        yield world, world.keep()


# -------------------------------------------------------------------------------- the beginnings


def sell(**cells: object) -> Step:
    """A store files one request."""
    return lambda world: world.sell(**cells)


def sell_gift(world: World) -> None:
    """A gift: the purchaser is somebody else."""
    world.sell(
        Is_Gift=True,
        Purchaser_Name="Tom",
        Purchaser_Email=TOM,
        Gift_Message="With love",
        Theme="Wedding",
    )


def sell_and_tick_resend(world: World) -> None:
    """A card that was sold and sent; the office knows a better address."""
    world.sell()
    world.serve()
    world.come_to_rest()
    (record,) = world.base.table("Gift Cards").records()
    cells = {"Resend": True, "Resend To": NEW_ADDRESS}
    world.base.table("Gift Cards").update(record["id"], cells)


def tick_resend_of_a_foreign_card(world: World) -> None:
    """The office ticks a card whose code only Shopify knows."""
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE, Amount=10)
    world.serve()
    world.come_to_rest()
    (record,) = world.base.table("Gift Cards").records()
    world.base.table("Gift Cards").update(record["id"], {"Resend": True})


def ask_for_a_balance(world: World) -> None:
    """A customer asks for the balance of a living card."""
    world.shop.issue_card(code=CODE, amount=50)
    world.check_balance(CODE)


def ask_when_locked_out(world: World) -> None:
    """An address that guessed too often asks for a card that exists."""
    world.shop.issue_card(code=CODE, amount=50)
    for _ in range(3):
        world.check_balance(UNKNOWN)
        world.serve()
        world.come_to_rest()
    world.check_balance(CODE)


def lose_the_creations_reply(world: World) -> None:
    """The card is made, the reply is lost, and the search does not know the card for a while."""
    world.shop.set_search_lag(100)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardCreate")
    world.sell()


def make_a_foreign_card(world: World) -> None:
    """Somebody else's card has the very code that the sale's card would have."""
    row_id = world.sell()
    codes = world.app.issue_cards().codes
    code = codes.code_for(f"issue#{row_id}#1", 0, codes.newest_key_version)
    world.shop.issue_card(code=code.value, amount=7, note="made by hand")


def have_klaviyo_refuse(world: World) -> None:
    """Klaviyo is away for three calls, with a wait to be obeyed."""
    world.klaviyo.faults.add(Fault.THROTTLE, operation="event", times=3)
    world.sell()


def nearly_give_up(world: World) -> None:
    """Klaviyo has been away for a day; one try to go."""
    world.klaviyo.faults.add(Fault.FAIL_BEFORE, operation="event", times=None)
    row_id = world.sell()
    world.serve()
    for _ in range(HOURS_TO_GIVE_UP):
        delivery = world.journal.load(f"delivery#{row_id}")
        assert delivery is not None
        if delivery.tries == len(WAITS):
            world.advance(WAITS[-1])
            return
        world.advance(3600)
        world.sweep()
        world.drain()
    raise AssertionError("the delivery was never nearly given up")


def have_a_mail_bounce(world: World) -> None:
    """SES tells of a mail that came back."""
    world.sqs.send_message(
        QueueUrl=world.queue_urls["DeliverToCustomerQueue"], MessageBody=json.dumps(bounce())
    )


def sell_twice_before_the_morning(world: World) -> None:
    """Two sales of yesterday, of which the office has not read."""
    world.sell(Quantity=2)
    world.sell(Amount=10, Employee="Ben", Recipient_Email=TOM)
    world.serve()
    world.come_to_rest()
    world.advance(21 * 3600)  # 07:00 in New York


# ------------------------------------------------------------------------------------ the steps


def serve(world: World) -> None:
    """A minute of a healthy shop."""
    world.serve()


def a_minute(world: World) -> None:
    """A minute in which runs may fail for want of a person."""
    world.advance(60)
    with suppress(NeedsAPerson):
        world.tick()
    world.sweep()
    world.drain()


def minutes(count: int) -> Step:
    """Minutes in which runs may fail for want of a person."""

    def step(world: World) -> None:
        for _ in range(count):
            a_minute(world)

    return step


def drain(world: World) -> None:
    """The messages that are there are taken."""
    world.drain()


def come_to_rest(world: World) -> None:
    """All that time brings."""
    world.come_to_rest()


def approve(world: World) -> None:
    """The office looks at the one request and approves it."""
    (row,) = world.base.table("Creation Requests").records()
    world.base.table("Creation Requests").update(row["id"], {"Approved": True})


def let_days_pass(days: int) -> Step:
    """Days on which nothing happens here."""
    return lambda world: world.advance(days * SECONDS_A_DAY)


def send_dead_letters_again(world: World) -> None:
    """The delivery is given up; a person mends what is wrong and sends the dead letters again."""
    dead = world.queue_urls["DeliverToCustomerDeadLetters"]
    for _ in range(MINUTES_OF_TROUBLE):
        if world.queued_in("DeliverToCustomerDeadLetters") and world.journal.parked(
            now=now(), limit=1
        ):
            break
        a_minute(world)
    else:
        raise AssertionError("the delivery was never given up")
    world.klaviyo.faults.clear()
    while letters := world.sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10).get(
        "Messages", []
    ):
        for letter in letters:
            world.sqs.send_message(
                QueueUrl=world.queue_urls["DeliverToCustomerQueue"], MessageBody=letter["Body"]
            )
            world.sqs.delete_message(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"])
    world.drain()


STORE = "main@shop.example"
DONE = (STORE, "Done: the card was sent")

STORIES = {
    "one card": SaleStory(
        begin=sell(),
        steps=[serve],
        units=1,
        delivered={ROSA: 1},
        outcomes=["ISSUED"],
        mails=[DONE],
    ),
    "a gift": SaleStory(
        begin=sell_gift,
        steps=[serve],
        units=1,
        delivered={ROSA: 1},
        confirmed=[TOM],
        outcomes=["ISSUED"],
        mails=[DONE],
    ),
    "three cards": SaleStory(
        begin=sell(Quantity=3),
        steps=[serve],
        units=3,
        delivered={ROSA: 1},
        outcomes=["ISSUED"],
        mails=[(STORE, "Done: 3 cards were sent")],
    ),
    "held, then approved": SaleStory(
        begin=sell(Amount=501),
        steps=[serve, come_to_rest, approve, serve],
        units=1,
        delivered={ROSA: 1},
        outcomes=["ISSUED"],
        mails=[(STORE, "Not made yet"), DONE],
    ),
    "refused": SaleStory(
        begin=sell(Amount=-3, Quantity=0),
        steps=[serve],
        delivered={},
        outcomes=["REFUSED"],
        mails=[(STORE, "No card was made")],
    ),
    "sent on a later day": SaleStory(
        begin=sell(Send_On="2026-11-26"),
        steps=[serve, minutes(MINUTES_OF_A_DEATH), let_days_pass(3), come_to_rest],
        units=1,
        delivered={ROSA: 1},
        outcomes=["ISSUED"],
        mails=[(STORE, "The card is made, to be sent"), DONE, (OFFICE, "Gift cards sold on")],
    ),
    "sent again to a better address": SaleStory(
        begin=sell_and_tick_resend,
        steps=[serve],
        units=1,
        delivered={ROSA: 1, NEW_ADDRESS: 1},
        outcomes=["ISSUED"],
        mails=[DONE],
    ),
    "a foreign card cannot be sent again": SaleStory(
        begin=tick_resend_of_a_foreign_card,
        steps=[serve],
        delivered={},
        others_cards=1,
        mails=[(STORE, "Paid"), (OFFICE, "A card could not be sent again")],
    ),
    "a balance": SaleStory(
        begin=ask_for_a_balance,
        steps=[serve],
        delivered={},
        others_cards=1,
        mails=[(ROSA, "Your gift card holds 50.00 USD")],
    ),
    "no balance": SaleStory(
        begin=lambda world: world.check_balance(UNKNOWN),
        steps=[serve],
        delivered={},
        mails=[(ROSA, "We could not find a balance")],
    ),
    "locked out": SaleStory(
        begin=ask_when_locked_out,
        steps=[serve],
        delivered={},
        others_cards=1,
        settings={"most_check_misses": 3},
        mails=[(ROSA, "We could not find a balance")],
    ),
    "a lost reply, and a search that lags": SaleStory(
        begin=lose_the_creations_reply,
        steps=[serve, minutes(MINUTES_OF_LAG)],
        units=1,
        delivered={ROSA: 1},
        outcomes=["ISSUED"],
        mails=[DONE],
    ),
    "a code that is a foreign card's": SaleStory(
        begin=make_a_foreign_card,
        steps=[serve],
        units=1,
        delivered={ROSA: 1},
        outcomes=["ISSUED"],
        others_cards=1,
        mails=[DONE],
    ),
    "Klaviyo is too busy for a while": SaleStory(
        begin=have_klaviyo_refuse,
        steps=[serve, minutes(MINUTES_OF_TROUBLE)],
        units=1,
        delivered={ROSA: 1},
        outcomes=["ISSUED"],
        mails=[DONE],
    ),
    "given up, then sent again": SaleStory(
        begin=nearly_give_up,
        steps=[send_dead_letters_again],
        units=1,
        delivered={ROSA: 1},
        outcomes=["ISSUED"],
        mails=[
            (OFFICE, "A customer's mail could not be sent"),
            (OFFICE, "Gift cards sold on"),
            DONE,
        ],
    ),
    "a mail came back": SaleStory(
        begin=have_a_mail_bounce,
        steps=[drain],
        delivered={},
        mails=[(OFFICE, "A mail came back")],
    ),
    "the morning's digest": SaleStory(
        begin=sell_twice_before_the_morning,
        steps=[come_to_rest],
        units=3,
        delivered={ROSA: 1, TOM: 1},
        outcomes=["ISSUED", "ISSUED"],
        mails=[(OFFICE, "Gift cards sold on"), DONE, (STORE, "Done: 2 cards were sent")],
    ),
}


# ------------------------------------------------------------------------------------ the picture

# The tables that people look at.
TABLES = ("Creation Requests", "Balance Checks", "Gift Cards", "Processed Orders")

TIMES = {"Processed At", "Last Synced", "At", "Issued At"}

# What a crash may change: how long something took, and which of several clocks read it.
type Picture = dict[str, Any]


def picture(world: World) -> Picture:
    """Everything that may be told of the world, without times and chance's ids."""
    names = {card.id: card.note or card.code for card in world.shop.cards}
    shown = {
        table: sorted(_row(world, row, names) for row in world.cells(table))
        for table in (*TABLES, "Receipts")
    }
    items = {str(item["key"]): item for item in world.items()}
    return {
        "cards": sorted(
            (card.note or "", card.code, str(card.balance), str(card.expires_on))
            for card in world.shop.cards
        ),
        "tags": sorted((order.name, tuple(order.tags)) for order in world.shop.orders.all),
        "events": sorted(
            (event.metric, event.profile, event.unique_id, sorted(codes_in(event)))
            for event in world.klaviyo.events
        ),
        "mails": sorted({(to_of(mail), mail.subject) for mail in world.mails()}),
        "operations": sorted(
            (key, item["state"], item.get("result", {}).get("outcome"), int(item.get("counter", 0)))
            for key, item in items.items()
            if key.startswith("op#")
        ),
        "progress": sorted(
            (key, int(item["progress"])) for key, item in items.items() if "progress" in item
        ),
        "counts": sorted(
            (key, int(item["total"])) for key, item in items.items() if key.startswith("issued#")
        ),
        "cards known": sorted(
            (
                names.get(key.removeprefix("card#"), ""),
                str(item.get("owner_email")),
                int(item.get("resends", 0)),
                str(item.get("about")),
            )
            for key, item in items.items()
            if key.startswith("card#")
        ),
        "codes known": sorted(key for key in items if key.startswith("code#")),
        "dead letters": sorted(
            body
            for name in world.queue_urls
            if name.endswith("DeadLetters")
            for body in world.queued_in(name)
        ),
        "parked rows": sorted(
            key for key, item in items.items() if key.startswith("row#") and "queue" in item
        ),
        **shown,
    }


def _row(world: World, row: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """A row's cells as text; cards by what they were made for: their ids come in any order."""
    cells = {name: cell for name, cell in row.items() if name not in TIMES}
    for name in ("Gift Cards", "Gift Card"):
        if isinstance(cells.get(name), list):
            table = world.base.table("Gift Cards")
            cells[name] = sorted(
                names[table.get(one)["fields"]["Shopify ID"]] for one in cells[name]
            )
    if "Shopify ID" in cells:
        cells["Shopify ID"] = names[cells["Shopify ID"]]
    # A receipt tells how long the store waited: that a crash may change.
    if "Details" in cells:
        cells["Details"] = re.sub(r" Answered after \d+ s\.", "", cells["Details"])
    return json.dumps(cells, sort_keys=True, default=str)


def to_of(mail: Any) -> str:
    """Whom a mail was sent to."""
    (to,) = mail.destinations["ToAddresses"]
    return str(to)


def codes_in(event: Any) -> list[str]:
    """The codes that an event delivers."""
    return [bare(card["code"]) for card in event.properties.get("cards", ())]


def bare(text: str) -> str:
    """A text without what people put between the groups of a code."""
    return re.sub(r"[\s\-.•]", "", text).lower()


# ------------------------------------------------------------------------------------ the promises


def check_promises(world: World, story: SaleStory) -> None:
    """What the undisturbed telling must have come to, looked at one by one."""
    check_cards(world, story)
    check_deliveries(world, story)
    check_journal(world)
    check_rows(world, story)
    check_receipts(world)
    check_no_code(world)
    told = {(to_of(mail), mail.subject) for mail in world.mails()}
    for to, subject in story.mails:
        assert [one for one in told if one[0] == to and one[1].startswith(subject)], told
    for to, subject in told:
        assert [one for one in story.mails if one[0] == to and subject.startswith(one[1])], told


def units_of(world: World) -> list[str]:
    """The reference of every card that was sold, by the journal."""
    keys = []
    for item in world.items():
        if item.get("kind") == "sale" and item.get("result", {}).get("outcome") == "ISSUED":
            row_id = item["snapshot"]["row_id"]
            keys += [f"issue#{row_id}#{n}" for n in range(1, int(item["snapshot"]["quantity"]) + 1)]
    return keys


def check_cards(world: World, story: SaleStory) -> None:
    """One card a unit, with our note, and none besides."""
    notes = Counter(card.note for card in world.shop.cards if (card.note or "").startswith("issue"))
    assert notes == Counter(units_of(world))
    assert notes.total() == story.units
    assert len(world.shop.cards) == story.units + story.others_cards


def check_deliveries(world: World, story: SaleStory) -> None:
    """Every card's code, the same as Shopify's, in one event for each address and resend."""
    delivered = [event for event in world.klaviyo.events if event.metric == DELIVERED]
    assert Counter(event.profile for event in delivered) == Counter(story.delivered)
    assert len({event.unique_id for event in delivered}) == len(delivered)
    sold = {card.code for card in world.shop.cards if (card.note or "").startswith("issue")}
    assert {code for event in delivered for code in codes_in(event)} == sold
    for event in delivered:
        assert len(set(codes_in(event))) == len(codes_in(event))
    confirmed = [event.profile for event in world.klaviyo.events if event.metric == CONFIRMED]
    assert confirmed == list(story.confirmed)


def check_journal(world: World) -> None:
    """All is settled, progress is right, and each sale is counted once."""
    totals: Counter[str] = Counter()
    for item in world.items():
        if item["key"].startswith("op#"):
            assert item["state"] == State.SETTLED, item["key"]
        if item.get("kind") == "sale" and item["result"]["outcome"] == "ISSUED":
            told = item["snapshot"]
            assert item["progress"] == told["quantity"]
            totals[told["store"]["id"]] += int(told["amount"]["minor"]) * int(told["quantity"])
    counted: Counter[str] = Counter()
    for item in world.items():
        if item["key"].startswith("issued#") and "#to#" not in item["key"]:
            counted[item["key"].split("#")[2]] += int(item["total"])
    assert counted == totals


def check_rows(world: World, story: SaleStory) -> None:
    """Requests say how they ended, and are linked to their cards, which show their owner."""
    requests = world.cells("Creation Requests")
    assert [row["Outcome"] for row in requests] == list(story.outcomes)
    for row in requests:
        assert row["Status"] == "Processed"
        if row["Outcome"] == "ISSUED":
            assert len(row["Gift Cards"]) == row.get("Quantity", 1)
    mirrored = {row["Shopify ID"]: row for row in world.cells("Gift Cards")}
    for card in world.shop.cards:
        if (card.note or "").startswith("issue"):
            assert mirrored[card.id]["Balance"] == card.balance
            assert mirrored[card.id]["Owner"] == "Rosa"
            assert mirrored[card.id]["Owner Email"] in {ROSA, TOM, NEW_ADDRESS}
    assert all(row["Status"] == "Processed" for row in world.cells("Balance Checks"))


def check_receipts(world: World) -> None:
    """Each receipt of the journal stands in Airtable, once."""
    ours = Counter(
        str(receipt["id"])
        for item in world.items()
        for receipt in item.get("result", {}).get("receipts", ())
    )
    assert all(count == 1 for count in ours.values())
    assert Counter(row["Receipt"] for row in world.cells("Receipts")) == ours


def codes_of(world: World) -> list[str]:
    """Every code there is."""
    return [CODE, UNKNOWN, *(card.code for card in world.shop.cards)]


def check_no_code(world: World) -> None:
    """A full code is at Shopify and in Klaviyo's deliveries, and nowhere else."""
    tables = ("Creation Requests", "Balance Checks", "Redemptions", "Gift Cards", "Receipts")
    told = [str(world.items()), str(world.queued_bodies())]
    told += [str(world.cells(table)) for table in (*tables, "Status")]
    told += [mail.subject + mail.body for mail in world.mails()]
    told += [str(event) for event in world.klaviyo.events if event.metric != DELIVERED]
    for text in map(bare, told):
        assert not [code for code in codes_of(world) if code in text]
