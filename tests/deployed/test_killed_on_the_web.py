"""Workers of the web shop's side are really killed: while they take an order, and give money back.

    order read ── order entered in the log ── handed over: its cards, its tag
              ↑
              ORDER_READ

    card read ── SENT ── credit at the shop ── reply ── committed ── handed over
             ↑                             ↑
             CARD_READ                     CREDITED

(Between entered and handed over nothing waits for the shop: those deaths are told in
`tests/flows/test_purchase_crash.py`.) As in `test_killed_worker`, SIGKILL ends the Lambda worker's
process while the shop holds its call, and nobody cleans up after it.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from giftcards.flows.kinds import order_key, reversal_key
from giftcards.store.journal import State
from giftcards.wiring import Application
from sandbox.demo import Sandbox
from sandbox.inbox import ReceivedMail
from sandbox.shopify import CartLine, GiftCard, Order, OrderPlan, Pay
from sandbox.shopify.shop import Call, Stage
from tests.deployed.stack import Stack, wait_until
from tests.deployed.test_a_day_of_orders import TAG, cards_of, mailed
from tests.deployed.test_killed_worker import (
    check_worker,
    file,
    open_application,
    process_at,
)

pytestmark = [pytest.mark.deployed, pytest.mark.sockets]

# The seeded day may come first, and an order is looked for every 15 s.
HELD_SECONDS = 180

# The dead worker's lease and its messages' time come first (120 s), then the sweep (every 120 s);
# two writers share Airtable's few calls a second with all that other tests have left.
AT_REST_SECONDS = 400

# Two looks of each prong, after which whatever would happen twice has happened twice.
TWO_LOOKS_SECONDS = 35

UNITS, PRICE = 2, Decimal("25.00")
TAKEN, GIVEN_BACK, INITIAL = Decimal("12.34"), Decimal("5.67"), Decimal("50.00")


@dataclass
class Held:
    """Holds the first call that a given object reaches a place with, until it is let go."""

    call: str
    object_id: str
    stage: Stage
    is_held: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)
    port: int | None = None

    def witness(self, call: Call, stage: Stage) -> None:
        """Hold that call; later ones pass."""
        is_it = self.call in call.names and call.variables.get("id") == self.object_id
        if not is_it or stage is not self.stage or self.is_held.is_set():
            return
        self.port = call.port
        self.is_held.set()
        self.let_go.wait(HELD_SECONDS)

    def worker(self, sandbox: Sandbox, function: str) -> int:
        """The process whose call is held: a worker of that function of this sandbox."""
        assert self.is_held.wait(HELD_SECONDS), f"nobody came to {self.call}"
        assert self.port is not None
        worker = process_at(self.port)
        check_worker(worker, sandbox, function)
        return worker


@contextmanager
def held(sandbox: Sandbox, call: str, object_id: str, stage: Stage) -> Iterator[Held]:
    """Hold a call at the shop for as long as the block lasts."""
    ambush = Held(call, object_id, stage)
    sandbox.shop.witness = ambush.witness
    try:
        yield ambush
    finally:
        ambush.let_go.set()
        sandbox.shop.witness = None


def rows(sandbox: Sandbox, table: str, **cells: str) -> list[dict[str, Any]]:
    """The rows of a table that hold these cells."""
    wanted = {name.replace("_", " "): text for name, text in cells.items()}
    found = [record["fields"] for record in sandbox.base.table(table).records()]
    return [row for row in found if wanted.items() <= row.items()]


def wait_for_two_looks() -> None:
    over = time.monotonic() + TWO_LOOKS_SECONDS
    wait_until(lambda: time.monotonic() >= over, seconds=2 * TWO_LOOKS_SECONDS, what="two looks")


# ------------------------------------------------------------------------------ an order is taken


@pytest.fixture(scope="module")
def app(sandbox: Sandbox) -> Application:
    return open_application(sandbox)


def place(sandbox: Sandbox, customer: str) -> Order:
    email = f"{customer.lower().replace(' ', '.')}@customers.example.com"
    plan = OrderPlan(email=email, customer_name=customer)
    return sandbox.shop.orders.place([CartLine("GIFT-CARD-25", UNITS)], Pay(), plan=plan)


def state_of(app: Application, key: str) -> State | None:
    operation = app.journal.load(key)
    return None if operation is None else operation.state


def ring_for_orders(stack: Stack) -> None:
    """Send the purchases' prong a tick, without waiting for what becomes of it."""
    due = json.dumps({"due": datetime.now(UTC).isoformat(), "offset": 0})
    function = stack.outputs()["ShopifyPurchasesFunction"]
    stack.sandbox.aws.invoke(function, {"Records": [{"body": due}]})


def is_served(stack: Stack, order: Order) -> bool:
    sandbox = stack.sandbox
    codes = {code for _, code in mailed(sandbox)}
    made = cards_of(sandbox, order)
    return (
        len(made) == UNITS
        and {card.code for card in made} <= codes
        and TAG in order.tags
        and any(
            len(row.get("Gift Cards", ())) == UNITS
            for row in rows(sandbox, "Processed Orders", Order=order.name)
        )
        and stack.has_nothing_on_its_way()
    )


def check_order(sandbox: Sandbox, order: Order) -> None:
    """Each unit is one card, mailed once; the order is tagged and shown once."""
    made = cards_of(sandbox, order)
    assert [card.initial_value for card in made] == [PRICE] * UNITS
    codes = {card.code for card in made}
    sent = sorted((to, code) for to, code in mailed(sandbox) if code in codes)
    assert sent == sorted((str(order.email), code) for code in codes)
    assert list(order.tags) == [TAG]
    (row,) = rows(sandbox, "Processed Orders", Order=order.name)
    assert row["Status"] == "Processed"
    assert Decimal(str(row["Amount"])) == PRICE * UNITS
    for card in made:
        (receipt,) = rows(sandbox, "Receipts", Operation=str(card.note))
        assert (receipt["Action"], receipt["Outcome"]) == ("Sell on the web", "Done")


def test_an_order_whose_taker_died_before_it_was_entered_is_taken_once(
    sandbox: Sandbox, stack: Stack, app: Application
) -> None:
    order = place(sandbox, "Read Only")
    key = order_key(str(order.number))
    with held(sandbox, "ReadOrder", order.id, Stage.APPLIED) as ambush:
        ring_for_orders(stack)
        os.kill(ambush.worker(sandbox, "shopify-purchases"), signal.SIGKILL)
        assert state_of(app, key) is None

    wait_until(lambda: is_served(stack, order), seconds=AT_REST_SECONDS, what="the order")
    wait_for_two_looks()
    check_order(sandbox, order)


# ----------------------------------------------------------------------------- money is given back


@dataclass(frozen=True)
class Redeemed:
    """A card of which a store has taken something, and the row that says so."""

    card: GiftCard
    row_id: str
    store_email: str

    @property
    def key(self) -> str:
        return reversal_key(self.row_id, int(GIVEN_BACK * 100))

    def cells(self, sandbox: Sandbox) -> Mapping[str, Any]:
        return dict(sandbox.base.table("Redemptions").get(self.row_id)["fields"])

    def mails(self, sandbox: Sandbox) -> list[ReceivedMail]:
        line = f"Reference: {self.key}"
        return [mail for mail in sandbox.inbox.mails() if line in mail.text.splitlines()]


def redeem(sandbox: Sandbox) -> Redeemed:
    """A store takes something off a new card; wait until its row is processed."""
    store, card = sandbox.day.stores[1], sandbox.shop.issue_card(amount=INITIAL)
    row_id = file(sandbox, card, store).partition("#")[2]
    redeemed = Redeemed(card, row_id, store.email)
    wait_until(
        lambda: redeemed.cells(sandbox).get("Outcome") == "REDEEMED",
        seconds=HELD_SECONDS,
        what="the redemption",
    )
    assert sandbox.shop.card(card.id).balance == INITIAL - TAKEN
    return redeemed


def is_given_back(stack: Stack, redeemed: Redeemed) -> bool:
    sandbox = stack.sandbox
    return (
        "Reversed" in redeemed.cells(sandbox)
        and bool(redeemed.mails(sandbox))
        and any(
            Decimal(str(row["Balance"])) == INITIAL - TAKEN + GIVEN_BACK
            for row in rows(sandbox, "Gift Cards", Shopify_ID=redeemed.card.id)
        )
        and stack.has_nothing_on_its_way()
    )


@pytest.mark.parametrize(
    ("call", "left", "moved"),
    [
        pytest.param("ReadCard", State.CLAIMED, Decimal(0), id="CARD_READ"),
        pytest.param("giftCardCredit", State.SENT, GIVEN_BACK, id="CREDITED"),
    ],
)
def test_what_a_dead_worker_was_to_give_back_is_given_back_once(
    stack: Stack, app: Application, call: str, left: State, moved: Decimal
) -> None:
    sandbox = stack.sandbox
    redeemed = redeem(sandbox)
    card_id = redeemed.card.id
    with held(sandbox, call, card_id, Stage.APPLIED) as ambush:
        sandbox.base.table("Redemptions").update(
            redeemed.row_id, {"Reverse Amount": float(GIVEN_BACK)}
        )
        os.kill(ambush.worker(sandbox, "adjust-balance"), signal.SIGKILL)
        assert state_of(app, redeemed.key) is left
        assert sandbox.shop.card(card_id).balance == INITIAL - TAKEN + moved

    wait_until(
        lambda: is_given_back(stack, redeemed), seconds=AT_REST_SECONDS, what="the money is back"
    )
    wait_for_two_looks()

    card, cells = sandbox.shop.card(card_id), redeemed.cells(sandbox)
    assert [transaction.amount for transaction in card.transactions] == [-TAKEN, GIVEN_BACK]
    assert card.transactions[-1].note == redeemed.key
    assert card.balance == INITIAL - TAKEN + GIVEN_BACK
    assert Decimal(str(cells["Reversed"])) == GIVEN_BACK
    assert cells["Outcome"] == "REDEEMED"
    (mail,) = redeemed.mails(sandbox)
    assert mail.to == redeemed.store_email
    assert mail.subject.startswith(f"Given back: {GIVEN_BACK} USD")
    (receipt,) = rows(sandbox, "Receipts", Operation=redeemed.key)
    assert (receipt["Action"], receipt["Outcome"]) == ("Reverse redemption", "Done")
    assert state_of(app, redeemed.key) is State.SETTLED
