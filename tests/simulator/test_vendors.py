"""The simulator's way to the vendors is the product's: same calls, same answers, same errors.

Two worlds that are alike to the last id. In the one the product's clients speak HTTP to the served
vendors; in the other they reach the same state machines below it. Whatever is done in both comes to
the same, and so does whatever goes wrong.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from giftcards.clients.airtable import Airtable, Pace
from giftcards.clients.airtable.connection import SPACED_OUT
from giftcards.clients.klaviyo import Klaviyo
from giftcards.clients.shopify import Shopify, StaticToken, card_payments
from giftcards.clients.shopify.searching import changed_sales, unprocessed_orders
from giftcards.domain.codes import Code, clean
from giftcards.domain.deliveries import CardsDelivered, DeliveredCard, Person
from giftcards.domain.money import Money
from giftcards.errors import GiftCardError
from sandbox.airtable import create_app as airtable_app
from sandbox.faults import Fault, Faults
from sandbox.klaviyo import create_app as klaviyo_app
from sandbox.shopify import CartLine, OrderPlan, Pay
from sandbox.shopify import create_app as shopify_app
from sandbox.shopify.orders import Recommendation
from sandbox.wsgi import WsgiAdapter
from simulator.faults import Kind, Planned
from simulator.gate import PlannedOnes, Step
from simulator.history import Spec, tell
from simulator.stories import STORIES
from simulator.worker import SECRETS, Worker
from simulator.world import START, World
from tests.world import AIRTABLE_URL, KLAVIYO_URL, SHOP_URL

CODE = "wxyz2345abcd6789"
REFERENCE = "redemption#rec1"

# What the served vendors call an accident, and what the simulator does.
ALIKE = {
    Fault.DROP_REPLY: Kind.REPLY_LOST,
    Fault.REFUSE_CONNECTION: Kind.REFUSED,
    Fault.THROTTLE: Kind.THROTTLED,
    Fault.FAIL_BEFORE: Kind.FAILED_BEFORE,
    Fault.FAIL_AFTER: Kind.FAILED_AFTER,
    Fault.REFUSE_TOKEN: Kind.TOKEN_REFUSED,
}


@dataclass
class Side:
    """One of the two ways: the product's clients, and the world that they reach."""

    world: World
    worker: Worker
    shopify: Shopify
    airtable: Airtable
    klaviyo: Klaviyo


type Call = Callable[[Side], object]


@pytest.fixture(scope="module")
def worlds() -> tuple[World, World]:
    return World(), World()


@pytest.fixture
def sides(worlds: tuple[World, World]) -> Iterator[tuple[Side, Side]]:
    for world in worlds:
        _begin(world)
    served, below = worlds
    yield _served(served), _below(below)
    for world in worlds:
        world.end()


def _begin(world: World) -> None:
    """A world with three cards in it, in which nothing has been called yet."""
    world.begin(PlannedOnes(()), allowed=frozenset(Kind), jitter=None)
    world.base.faults.clear()  # the base outlives its histories
    world.shop.issue_card(code=CODE, amount=50)
    world.shop.issue_card(code="expired2345abcd", amount=50, expires_on=date(2026, 1, 1))
    world.shop.issue_card(code="zz" + CODE, amount=20)


def _served(world: World) -> Side:
    world.shop.add_static_token("shpat_simulated")
    world.base.token = SECRETS.airtable_token
    session = requests.Session()
    session.trust_env = False
    session.mount(SHOP_URL, WsgiAdapter(shopify_app(world.shop)))
    session.mount(AIRTABLE_URL, WsgiAdapter(airtable_app(world.base)))
    session.mount(KLAVIYO_URL, WsgiAdapter(klaviyo_app(world.klaviyo)))
    worker = Worker(world, "prong")
    return Side(
        world=world,
        worker=worker,
        shopify=Shopify(
            StaticToken("shpat_simulated"),
            base_url=SHOP_URL,
            session=session,
            timeout_seconds=5,
            clock=world.clock,
        ),
        airtable=Airtable(
            SECRETS.airtable_token,
            base_id=world.base.id,
            layout=worker.app.airtable(_pace(world))._layout,  # noqa: SLF001 - as both have it
            session=session,
            endpoint_url=AIRTABLE_URL,
            timeout_seconds=5,
            pace=_pace(world),
        ),
        klaviyo=Klaviyo(
            world.klaviyo.key, base_url=KLAVIYO_URL, session=session, timeout_seconds=5
        ),
    )


def _below(world: World) -> Side:
    worker = Worker(world, "prong")
    app = worker.app
    return Side(world, worker, app.shopify, app.airtable(_pace(world)), app.klaviyo)


def _pace(world: World) -> Pace:
    """A request each second, on the second: an answer's time on its way changes no record's."""

    def sleep(seconds: float) -> None:
        world.timeline.sleep(round(seconds * 1_000_000))

    return Pace(SPACED_OUT, sleep=sleep, monotonic=world.timeline.seconds)


def come_to(side: Side, call: Call) -> object:
    """What a call returned, or the kind of error it raised."""
    try:
        return call(side)
    except GiftCardError as error:
        return type(error)


def state(side: Side) -> object:
    """All that a call can have changed."""
    cards = [
        (card.id, card.code, card.balance, card.note, [t.amount for t in card.transactions])
        for card in side.world.shop.cards
    ]
    rows = {
        table.name: [record["fields"] for record in table.records()]
        for table in side.world.base.tables()
    }
    events = [(event.metric, event.email, event.properties) for event in side.world.klaviyo.events]
    orders = [(order.id, order.tags, order.status) for order in side.world.shop.orders.all]
    return cards, orders, rows, events


def code(text: str) -> Code:
    cleaned = clean(text)
    assert isinstance(cleaned, Code)
    return cleaned


def usd(amount: int) -> Money:
    return Money.parse(Decimal(amount), "USD")


def first(side: Side) -> str:
    return side.world.shop.cards[0].id


def debit(side: Side, amount: int = 10) -> object:
    return side.shopify.debit(first(side), amount=usd(amount), reference=REFERENCE)


def look_for_debit(side: Side, reference: str = REFERENCE, amount: int = 10) -> object:
    return side.shopify.find_movement(
        first(side), reference=reference, amount=usd(amount), since=START
    )


def spend_often(side: Side) -> object:
    """More movements than a page holds, ours the oldest."""
    debit(side, 1)
    for _ in range(120):
        side.world.shop.credit(first(side), amount=Decimal(1), note="goodwill")
    return look_for_debit(side, amount=1)


def create(side: Side, text: str = "newcard2345abcd", amount: int = 25) -> object:
    return side.shopify.create_card(
        code=code(text), amount=usd(amount), reference="issue#rec1#1", expires_on=date(2031, 1, 1)
    )


def order(side: Side, *, is_captured: bool = True) -> str:
    """Two of our cards and a lantern, paid with a gift card and a credit card."""
    gift = {"Recipient name": "Mina", "Recipient email": "mina@example.com", "Message": "Hi"}
    cart = [CartLine("GIFT-CARD-25", 2, gift), CartLine("GIFT-CARD-50")]
    pay = Pay(cards=[(CODE, Decimal(20))], is_captured=is_captured)
    plan = OrderPlan(email="casey@example.com", risk=Recommendation.INVESTIGATE)
    return side.world.shop.orders.place(cart, pay, plan=plan).id


def read_order(side: Side, order_id: str) -> object:
    return side.shopify.read_order(order_id), side.shopify.read_payments(order_id)


def refund(side: Side) -> object:
    """A unit is given back, an authorisation is taken in part and let go: both read by id."""
    orders = side.world.shop.orders
    first, second = order(side), order(side, is_captured=False)
    placed = orders.get(first)
    orders.refund(first, units={placed.lines[0].id: 1})
    orders.capture(second, Decimal(15))
    orders.void(second)
    orders.charge_back(first)
    return read_order(side, first), read_order(side, second)


def search_orders(side: Side) -> object:
    order(side)
    skus = ("GIFT-CARD-25", "GIFT-CARD-50")
    since = START - timedelta(hours=1)
    searches = (
        unprocessed_orders(skus, tag="done", since=since),
        changed_sales(skus, since=since),
        card_payments(since=since),
    )
    return [side.shopify.order_page(search, after=None) for search in searches]


SHOPIFY_CALLS: dict[str, Call] = {
    "an order, and how it was paid": lambda side: read_order(side, order(side)),
    "an order that is not there": lambda side: read_order(side, "gid://shopify/Order/1"),
    "an order given back, disputed, taken in part": refund,
    "searches for orders": search_orders,
    "a page behind a cursor that is none": lambda side: (
        order(side),
        side.shopify.order_page(card_payments(since=START), after="nonsense"),
    ),
    "a tag, twice": lambda side: [
        side.shopify.tag_order(order_id, "done") for order_id in [order(side)] * 2
    ],
    "a tag for no order": lambda side: side.shopify.tag_order("gid://shopify/Order/1", "done"),
    "cards that changed, page by page": lambda side: (
        debit(side),
        page := side.shopify.changed_cards(count=2),
        side.shopify.changed_cards(count=2, after=page.end_cursor),
    ),
    "a credit": lambda side: side.shopify.credit(
        first(side), amount=usd(7), reference="reverse#rec1#700"
    ),
    "a credit to an expired card": lambda side: side.shopify.credit(
        side.world.shop.cards[1].id, amount=usd(7), reference="reverse#rec1#700"
    ),
    "a card taken out of use, and a debit of it": lambda side: (
        side.shopify.deactivate(first(side)),
        debit(side),
    ),
    "no card taken out of use": lambda side: side.shopify.deactivate("gid://shopify/GiftCard/1"),
    "facts": lambda side: side.shopify.shop_facts(),
    "limits": lambda side: side.shopify.card_limits(),
    "a card by its code, which another one's holds": lambda side: side.shopify.find_card(
        code(CODE)
    ),
    "a card by a code of its own": lambda side: side.shopify.find_card(code("expired2345abcd")),
    "a code that no card has": lambda side: side.shopify.find_card(code("qqqq2345qqqq7777")),
    "a card by its id": lambda side: side.shopify.read_card(first(side)),
    "an id without a card": lambda side: side.shopify.read_card("gid://shopify/GiftCard/1"),
    "what is no id": lambda side: side.shopify.read_card("card 1"),
    "several cards": lambda side: side.shopify.read_cards(
        [card.id for card in side.world.shop.cards] + ["gid://shopify/GiftCard/1"]
    ),
    "all cards, a page at a time": lambda side: (
        page := side.shopify.all_cards(count=2),
        side.shopify.all_cards(count=2, after=page.end_cursor),
    ),
    "cards sold lately": lambda side: side.shopify.sold_lately(
        [code(CODE)], now=side.world.clock()
    ),
    "a debit": debit,
    "a debit of too much": lambda side: debit(side, 60),
    "a debit of an expired card": lambda side: side.shopify.debit(
        side.world.shop.cards[1].id, amount=usd(1), reference=REFERENCE
    ),
    "a debit of no card": lambda side: side.shopify.debit(
        "gid://shopify/GiftCard/1", amount=usd(1), reference=REFERENCE
    ),
    "a debit found again": lambda side: (debit(side), look_for_debit(side)),
    "a debit of another reference": lambda side: (debit(side), look_for_debit(side, "other")),
    "a debit of another amount": lambda side: (debit(side), look_for_debit(side, amount=11)),
    "a debit behind a page of others": spend_often,
    "a new card": create,
    "a new card with a code that is taken": lambda side: create(side, CODE),
    "a new card that is too dear": lambda side: create(side, amount=20_000),
    "a card that we made": lambda side: (
        create(side),
        side.shopify.find_created(code("newcard2345abcd")),
    ),
}


def file(side: Side, **cells: object) -> str:
    row = {"Store": [side.world.stores[0]], "Employee": "Ana", "Amount": 12.5}
    row |= {"Gift Card Code": CODE} | {n.replace("_", " "): value for n, value in cells.items()}
    return side.world.base.submit_form("Redemptions", row)["id"]


def answer(side: Side, record_id: str, **cells: object) -> object:
    written = {name.replace("_", " "): value for name, value in cells.items()}
    return side.airtable.update_rows("Redemptions", {record_id: written})


def receipts(side: Side, count: int) -> list[str]:
    rows = [{"Receipt": f"r{number}", "Amount": Decimal(number)} for number in range(count)]
    return side.airtable.create_rows("Receipts", rows)


def pages(side: Side, fields: tuple[str, ...] | None) -> object:
    """Every page's rows; where a page begins is called differently on the two sides."""
    read, offset = [], None
    while True:
        page = side.airtable.page("Receipts", fields, offset=offset)
        read.append(page.rows)
        if page.next is None:
            return read
        offset = page.next


def page_forgotten(side: Side) -> object:
    receipts(side, 130)
    first_page = side.airtable.page("Receipts", ("Receipt",), offset=None)
    side.world.base.forget_offsets()
    return side.airtable.page("Receipts", ("Receipt",), offset=first_page.next)


def deleted(side: Side, *batches: list[str]) -> object:
    for batch in batches:
        side.airtable.delete("Receipts", batch)
    return "deleted"


def card_rows(side: Side) -> list[str]:
    """Rows of two cards, the second one's in a store and ticked to be mailed again."""
    cells = {
        "Card": "•••• 6789",
        "Shopify ID": first(side),
        "Balance": Decimal("37.5"),
        "Initial Value": Decimal(50),
        "Currency": "USD",
        "Status": "Active",
        "Issued At": "2026-01-01T15:00:00.000Z",
        "Expires On": "2031-01-01",
    }
    sold = {"Shopify ID": "gid://shopify/GiftCard/1", "Store": [side.world.stores[0]]}
    resend = {"Resend": True, "Resend To": "mina@example.com"}
    return side.airtable.create_rows("Gift Cards", [cells, cells | sold | resend])


def change_card_rows(side: Side) -> object:
    """One row of a card is written over, another one was deleted, a third is written over in part.

    The tick by which a card is mailed again is taken away, as `None` takes away what a cell held.
    """
    spent, ticked = card_rows(side)
    seen = side.airtable.cards_to_resend()
    report = side.airtable.update_rows(
        "Gift Cards",
        {
            spent: {"Balance": Decimal(0), "Status": "Frozen"},
            "recAAAAAAAAAAAAAA": {"Balance": Decimal(1)},
            ticked: {"Resend": None, "Resend To": None},
        },
    )
    return seen, report, side.airtable.cards_to_resend()


def order_rows(side: Side) -> list[str]:
    """Rows of three orders: released by the office, done and with its cards, and still held."""
    released = {
        "Order": "#1001",
        "Order ID": "1001",
        "Kind": "purchase",
        "Status": "Held",
        "Amount": Decimal(50),
        "Message": "Waits for the office.",
        "Release": True,
    }
    done = {"Order ID": "1002", "Status": "Processed", "Gift Cards": card_rows(side)}
    held = {"Order ID": "1003", "Release": False}
    rows = [released, released | done, released | held]
    return side.airtable.create_rows("Processed Orders", rows)


def orders_that_wait(side: Side) -> object:
    """What the web shop's prong and a comparison ask: which are released, and which are there."""
    return (
        order_rows(side),
        side.airtable.released_orders(),
        [side.airtable.is_held_unticked(name) for name in ("1001", "1002", "1003")],
        side.airtable.find_rows("Processed Orders", "Order ID", ["1001", "1004"]),
        side.airtable.page("Processed Orders", ("Order ID",), offset=None).rows,
    )


def change_order_rows(side: Side) -> object:
    """A released order is done: what became of it, and the cards that were made."""
    released, _, _ = order_rows(side)
    cells = {"Status": "Processed", "Message": None, "Gift Cards": card_rows(side)}
    report = side.airtable.update_rows("Processed Orders", {released: cells})
    return report, side.airtable.released_orders()


def status_rows(side: Side) -> list[str]:
    well = {"State": "Executing", "Since": "2026-01-01T15:00:00.000Z", "Summary": "1 row"}
    rows = [well | {"Prong": prong} for prong in ("stores", "orders")]
    return side.airtable.create_rows("Status", rows)


def change_status_rows(side: Side) -> object:
    stores, _ = status_rows(side)
    cells = {"State": "Offline", "Last Error": "Shopify refused our access token", "Summary": None}
    return side.airtable.update_rows("Status", {stores: cells})


def ask_for_balance(side: Side) -> str:
    row = {"Gift Card Code": CODE, "Email": "rosa@example.com"}
    return side.world.base.submit_form("Balance Checks", row)["id"]


def checks_waiting(side: Side) -> object:
    return side.airtable.waiting_balance_checks(since=START - timedelta(hours=1))


def answer_checks(side: Side) -> object:
    """One of two questions is answered, and its code masked: the other one still waits."""
    answered, _ = ask_for_balance(side), ask_for_balance(side)
    cells = {
        "Status": "Processed",
        "Processed At": "2026-01-01T15:00:03.000Z",
        "Gift Card Code": "•••• 6789",
    }
    return side.airtable.update_rows("Balance Checks", {answered: cells}), checks_waiting(side)


def ask_for_cards(side: Side) -> str:
    row = {"Employee": "Ana", "Store": [side.world.stores[0]], "Amount": 25, "Quantity": 2}
    row |= {"Recipient Email": "mina@example.com", "Is Gift": True, "Send On": "2026-01-02"}
    return side.world.base.submit_form("Creation Requests", row)["id"]


def creations_waiting(side: Side) -> object:
    return side.airtable.waiting_creations(since=START - timedelta(hours=1))


def answer_creations(side: Side) -> object:
    """A sale goes on, one is done and has its cards, a third waits for the office."""
    begun, done, held = (ask_for_cards(side) for _ in range(3))
    answers: dict[str, dict[str, object]] = {
        begun: {"Status": "In Progress", "Message": "1 of 2 cards are made."},
        done: {"Status": "Processed", "Outcome": "ISSUED", "Gift Cards": card_rows(side)},
        held: {"Status": "Held", "Outcome": "HELD"},
    }
    report = side.airtable.update_rows("Creation Requests", answers)
    return report, creations_waiting(side), side.airtable.creation(done)


def waiting(side: Side) -> object:
    return side.airtable.waiting_redemptions(since=START - timedelta(hours=1))


AIRTABLE_CALLS: dict[str, Call] = {
    "stores": lambda side: side.airtable.stores(),
    "nobody waits": waiting,
    "rows wait": lambda side: (file(side), file(side, Confirm_Duplicate=True), waiting(side)),
    "a row that was held and approved waits": lambda side: (
        file(side, Status="Held", Approved=True),
        file(side, Status="Held"),
        waiting(side),
    ),
    "more rows than a page": lambda side: ([file(side) for _ in range(130)], waiting(side)),
    "requests for cards": lambda side: side.airtable.waiting_creations(since=START),
    "cards to mail again": lambda side: side.airtable.cards_to_resend(),
    "an answer": lambda side: answer(
        side, file(side), Status="Processed", Outcome="REDEEMED", Balance_After=Decimal("37.5")
    ),
    "an answer to a row that was deleted": lambda side: answer(
        side, "recAAAAAAAAAAAAAA", Status="Processed"
    ),
    "a word that a select lacks": lambda side: answer(
        side, file(side), Status="Nonsense", Message="Told"
    ),
    "a link to what was deleted": lambda side: answer(
        side, file(side), Gift_Card=["recAAAAAAAAAAAAAA"]
    ),
    "receipts": lambda side: receipts(side, 3),
    "more receipts than a call makes": lambda side: receipts(side, 13),
    "every receipt, page by page": lambda side: (receipts(side, 130), pages(side, ("Receipt",))),
    "all fields of a page": lambda side: (receipts(side, 3), pages(side, None)),
    "a page after its place was forgotten": page_forgotten,
    "receipts deleted": lambda side: deleted(side, receipts(side, 13)),
    "receipts deleted of which some are gone": lambda side: deleted(
        side, (made := receipts(side, 5))[1:3], made
    ),
    "receipts found again": lambda side: (
        receipts(side, 3),
        side.airtable.find_rows("Receipts", "Receipt", ["r0", "r2", "r9"]),
    ),
    "rows of cards": card_rows,
    "rows of cards, changed": change_card_rows,
    "rows of orders": orders_that_wait,
    "rows of orders, changed": change_order_rows,
    "the prongs' status": lambda side: (
        status_rows(side),
        side.airtable.find_rows("Status", "Prong", ["stores", "sweep"]),
    ),
    "the prongs' status, changed": change_status_rows,
    "customers' questions": lambda side: (ask_for_balance(side), checks_waiting(side)),
    "customers' questions, answered": answer_checks,
    "requests for cards that wait": lambda side: (ask_for_cards(side), creations_waiting(side)),
    "requests for cards, answered": answer_creations,
}


def deliver(side: Side, email: str = "rosa@example.com") -> object:
    side.klaviyo.send_event(
        CardsDelivered(
            operation="delivery#rec1",
            resend=0,
            to=Person(name="Rosa", email=email),
            cards=(DeliveredCard(code=code(CODE), amount=usd(25), expires_on=None),),
            giver="",
            message="",
            theme="Standard",
            shop_name="Corner Shop",
            shop_url="https://corner-shop.example",
        )
    )
    return "sent"


KLAVIYO_CALLS: dict[str, Call] = {
    "a delivery": deliver,
    "a delivery sent twice": lambda side: (deliver(side), deliver(side)),
    "an address that is none": lambda side: deliver(side, "nobody at all"),
}

CALLS = SHOPIFY_CALLS | AIRTABLE_CALLS | KLAVIYO_CALLS


@pytest.mark.parametrize("name", CALLS)
def test_a_call_comes_to_the_same(sides: tuple[Side, Side], name: str) -> None:
    served, below = sides
    assert come_to(served, CALLS[name]) == come_to(below, CALLS[name])
    assert state(served) == state(below)


VENDORS = {"shopify", "airtable", "klaviyo"}


def calls_at_vendors(trace: Iterable[Step]) -> set[str]:
    """The vendors' calls among the steps of a world, by name (`airtable create Receipts`)."""
    return {effect.name for effect, _, _, _ in trace if effect.vendor in VENDORS}


def test_every_call_that_a_story_makes_at_a_vendor_is_held_to_the_served_one(
    worlds: tuple[World, World],
) -> None:
    _, below = worlds
    held: set[str] = set()
    for call in CALLS.values():
        _begin(below)
        come_to(_below(below), call)
        held |= calls_at_vendors(below.gate.trace)
        below.end()
    made = set[str]().union(*(calls_at_vendors(tell(below, Spec(name)).trace) for name in STORIES))
    assert {call.partition(" ")[0] for call in made} == VENDORS
    assert made - held == set(), "give these a case in CALLS"


def faults_at(side: Side, vendor: str) -> Faults:
    vendors: dict[str, Any] = {
        "shopify": side.world.shop,
        "airtable": side.world.base,
        "klaviyo": side.world.klaviyo,
    }
    faults: Faults = vendors[vendor].faults
    return faults


STRUCK: dict[str, tuple[str, str, Call]] = {
    "a debit": ("shopify", "prong: shopify debit_card", debit),
    "a look at a card": (
        "shopify",
        "prong: shopify read_card",
        lambda side: side.shopify.read_card(first(side)),
    ),
    "a new card": ("shopify", "prong: shopify create_card", create),
    "a list": ("airtable", "prong: airtable list Stores", lambda side: side.airtable.stores()),
    "a receipt": ("airtable", "prong: airtable create Receipts", lambda side: receipts(side, 1)),
    "a delivery": ("klaviyo", "prong: klaviyo send_event", deliver),
}


QUESTIONS = {"a look at a card", "a list"}


@pytest.mark.parametrize("fault", ALIKE)
@pytest.mark.parametrize("name", STRUCK)
def test_an_accident_looks_the_same(sides: tuple[Side, Side], name: str, fault: Fault) -> None:
    served, below = sides
    vendor, effect, call = STRUCK[name]
    is_question = name in QUESTIONS
    # A question is asked once more by itself, and there is nothing that it could have applied.
    faults_at(served, vendor).add(fault, times=2 if is_question else 1)
    kind = ALIKE[fault]
    if is_question and kind is Kind.FAILED_AFTER:
        kind = Kind.FAILED_BEFORE
    below.world.gate.plan = PlannedOnes((Planned(effect, 0, kind),))
    seen = come_to(served, call)
    assert isinstance(seen, type)
    assert come_to(below, call) is seen
    assert below.world.gate.met
    assert state(served) == state(below)


def test_a_debit_that_is_applied_late_is_unknown_at_first(sides: tuple[Side, Side]) -> None:
    served, below = sides
    served.world.shop.faults.add(Fault.APPLY_LATE, seconds=60)
    below.world.gate.plan = PlannedOnes(
        (Planned("prong: shopify debit_card", 0, Kind.APPLIED_LATE),)
    )
    assert come_to(served, debit) is come_to(below, debit)
    assert state(served) == state(below)
    for side in sides:
        side.world.timeline.start(lambda side=side: side.world.timeline.sleep(70_000_000))  # type: ignore[misc]
        side.world.timeline.run(until=lambda: False)
        side.world.settle_clock()
        assert side.world.shop.cards[0].balance == 40
    assert state(served) == state(below)
