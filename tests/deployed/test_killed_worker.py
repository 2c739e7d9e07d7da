"""A worker is really killed while five redemptions are under way, each at another place.

    card read ── SENT ── debit at the shop ── debited ── reply ── COMMITTED ── handed over
             ↑           ↑                 ↑                      ↑
             BEFORE_     NEVER_APPLIED,    REPLY_LOST             COMMITTED
             THE_MARK    APPLIED_LATE

SIGKILL ends the Lambda worker's process while the shop holds its calls. Nobody cleans up after it:
its leases end by themselves, and later runs finish what it left.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from pathlib import Path
from typing import Any

import pytest

from giftcards.domain.outcomes import Outcome
from giftcards.flows.redeem import operation_key
from giftcards.store.journal import OPERATION_PREFIX, Operation, State
from giftcards.store.table import pack_moment
from giftcards.wiring import Application
from ops.deployment import open_deployment
from sandbox.demo import Sandbox
from sandbox.inbox import ReceivedMail
from sandbox.seed import SeededStore
from sandbox.shopify import GiftCard
from sandbox.shopify.shop import Call, CallLost, Stage
from tests.deployed.stack import Stack, wait_until

pytestmark = [pytest.mark.deployed, pytest.mark.sockets]

AMOUNT, INITIAL = Decimal("12.34"), Decimal("50.00")

# On a new stack the seeded day comes first.
QUIET_SECONDS = 180
# A run of somebody else may have to end before ours begins.
PICKED_UP_SECONDS = 60
# From the first call that is held to the kill: then the application would give that call up.
HTTP_TIMEOUT_SECONDS = 5
# The dead worker's lease lasts 30 s at most, the next tick is 15 s away at most; the mail follows.
TOLD_SECONDS = 45
MAIL_TAKES_SECONDS = 10
# Seconds, usually; on a busy machine a try of the writer may fail and wait for its next turn.
AT_REST_SECONDS = 180

# A call of the journal takes several times as long: the worker gets on by one step at a time.
STEP_SECONDS = 0.0005
LOWEST_PRIORITY = 19
PRONG = "store-transactions"

# One run serves ten rows side by side.
SPARES = 3

PLEASE_WAIT = "Please wait"

# Columns of /proc/net/tcp.
LOCAL_ADDRESS, INODE = 1, 9


class Place(Enum):
    """Where the worker is in a redemption when it is killed."""

    BEFORE_THE_MARK = auto()
    NEVER_APPLIED = auto()
    APPLIED_LATE = auto()
    REPLY_LOST = auto()
    COMMITTED = auto()

    def is_reached_by(self, call: Call, stage: Stage) -> bool:
        """Whether this is the call at the shop by which the worker is held there."""
        match self:
            case Place.BEFORE_THE_MARK:
                return "ReadCard" in call.names and stage is Stage.APPLIED
            case Place.NEVER_APPLIED | Place.APPLIED_LATE:
                return "giftCardDebit" in call.names and stage is Stage.ARRIVED
            case Place.REPLY_LOST | Place.COMMITTED:
                return "giftCardDebit" in call.names and stage is Stage.APPLIED


# What the journal says of each redemption when its worker is dead.
LEFT_AS = {
    Place.BEFORE_THE_MARK: State.CLAIMED,
    Place.NEVER_APPLIED: State.SENT,
    Place.APPLIED_LATE: State.SENT,
    Place.REPLY_LOST: State.SENT,
    Place.COMMITTED: State.COMMITTED,
}


class Ambush:
    """Holds calls at the shop, one for each card, until they are let go."""

    def __init__(self, place_of: Mapping[str, Place]) -> None:
        self._place_of = place_of
        self._held = {card_id: threading.Event() for card_id in place_of}
        self._let_go = {card_id: threading.Event() for card_id in place_of}
        self._first = threading.Event()
        self.ports: set[int] = set()

    def witness(self, call: Call, stage: Stage) -> None:
        """Hold the first call that reaches its card's place; later ones pass."""
        card_id = str(call.variables.get("id"))
        place = self._place_of.get(card_id)
        if place is None or self._held[card_id].is_set() or not place.is_reached_by(call, stage):
            return
        assert call.port is not None
        if PRONG not in command_of(process_at(call.port)):
            return  # the web shop's prong reads a card as well, to see what changed
        self.ports.add(call.port)
        self._first.set()
        self._held[card_id].set()
        self._let_go[card_id].wait(PICKED_UP_SECONDS + QUIET_SECONDS)
        if place is Place.NEVER_APPLIED:
            raise CallLost

    def wait(self) -> None:
        """Wait until the worker is at every place."""
        assert self._first.wait(PICKED_UP_SECONDS), "nobody took the rows on"
        deadline = time.monotonic() + HTTP_TIMEOUT_SECONDS - 1
        for card_id, held in self._held.items():
            left = max(0.0, deadline - time.monotonic())
            name = self._place_of[card_id].name
            assert held.wait(left), f"the worker never came to {name}"

    def let_go(self, card: GiftCard) -> None:
        self._let_go[card.id].set()

    def let_all_go(self, *, but: Collection[GiftCard] = ()) -> None:
        for card_id in self._let_go.keys() - {card.id for card in but}:
            self._let_go[card_id].set()


@dataclass
class Killed:
    """What was filed, by the place where its worker was killed, and when that was."""

    app: Application
    stores: dict[Place, SeededStore]
    cards: dict[Place, GiftCard] = field(repr=False)
    keys: dict[Place, str]
    left: dict[Place, State]
    at: datetime

    def operation(self, place: Place) -> Operation:
        operation = self.app.journal.load(self.keys[place])
        assert operation is not None
        return operation


@pytest.fixture(scope="module")
def killed(sandbox: Sandbox, stack: Stack) -> Killed:
    """A worker was killed, and all that it left has come to rest since."""
    wait_until(lambda: day_is_over(sandbox), seconds=QUIET_SECONDS, what="the seeded day is over")
    app = open_application(sandbox)
    cards = {place: sandbox.shop.issue_card(amount=INITIAL) for place in Place}
    spares = [sandbox.shop.issue_card(amount=INITIAL) for _ in range(SPARES)]
    stores = dict(zip(Place, [*sandbox.day.stores, sandbox.day.stores[0]], strict=True))
    ambush = Ambush(
        {card.id: place for place, card in cards.items()}
        | {card.id: Place.COMMITTED for card in spares}
    )
    sandbox.shop.witness = ambush.witness
    try:
        with sandbox.base.lock:  # no run sees some of them without the others
            keys = {place: file(sandbox, cards[place], stores[place]) for place in Place}
            committing = [
                (cards[Place.COMMITTED], keys[Place.COMMITTED]),
                *((card, file(sandbox, card, stores[Place.COMMITTED])) for card in spares),
            ]
        ring(stack)
        ambush.wait()
        last = kill(sandbox, ambush, app, committing)
        cards[Place.COMMITTED], keys[Place.COMMITTED] = last
        killed = Killed(app, stores, cards, keys, left={}, at=datetime.now(UTC))
        killed.left.update({place: killed.operation(place).state for place in Place})
        ambush.let_all_go(but=[cards[Place.APPLIED_LATE]])
        wait_until(
            lambda: all(waiting_mails(sandbox, killed, place) for place in UNKNOWN),
            seconds=TOLD_SECONDS + MAIL_TAKES_SECONDS,
            what="the stores are asked to wait",
        )
    finally:
        ambush.let_all_go()
        sandbox.shop.witness = None
    let_the_settling_time_pass(killed)
    ring(stack)
    wait_until(lambda: is_at_rest(stack, killed), seconds=AT_REST_SECONDS, what="rest")
    return killed


# Until somebody finds the debit, or the settling time is over, nobody can tell.
UNKNOWN = (Place.NEVER_APPLIED, Place.APPLIED_LATE)


def day_is_over(sandbox: Sandbox) -> bool:
    rows = {row["id"]: row["fields"] for row in sandbox.base.table("Redemptions").records()}
    return all("Outcome" in rows[row.id] for row in sandbox.day.rows if row.expected.is_outcome)


def open_application(sandbox: Sandbox) -> Application:
    """The deployed application's parts, with its clients built while their address is known."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", sandbox.aws.url)
        app = open_deployment(sandbox.stack, sandbox.aws.session())
        assert app.journal is not None
        return app


def file(sandbox: Sandbox, card: GiftCard, store: SeededStore) -> str:
    """File a row as a store does; return its reference."""
    row = sandbox.base.submit_form(
        "Redemptions",
        {
            "Store": [store.id],
            "Employee": store.staff[0],
            "Gift Card Code": card.code,
            "Amount": float(AMOUNT),
        },
    )
    return operation_key(row["id"])


def ring(stack: Stack) -> None:
    """Send the prong a tick, without waiting for what becomes of it."""
    due = json.dumps({"due": datetime.now(UTC).isoformat()})
    function = stack.outputs()["StoreTransactionsFunction"]
    stack.sandbox.aws.invoke(function, {"Records": [{"body": due}]})


def kill(
    sandbox: Sandbox, ambush: Ambush, app: Application, committing: Sequence[tuple[GiftCard, str]]
) -> tuple[GiftCard, str]:
    """Let a redemption go on until its outcome is committed; then kill the worker.

    Returns that redemption's card and key. On a busy machine the worker may get further within a
    step: then it is the next one's turn.
    """
    workers = {process_at(port) for port in ambush.ports}
    assert len(workers) == 1, "one run serves all rows"
    (worker,) = workers
    check_worker(worker, sandbox, PRONG)
    os.kill(worker, signal.SIGSTOP)
    try:
        with one_core_for_both(worker):
            for card, key in committing:
                ambush.let_go(card)
                if let_it_commit(worker, app, key) is State.COMMITTED:
                    return card, key
    finally:
        os.kill(worker, signal.SIGKILL)
    raise AssertionError("every time the worker handed over what it had just committed")


def let_it_commit(worker: int, app: Application, key: str) -> State:
    """Let the stopped worker get on, step by step, until the redemption is SENT no more."""
    deadline = time.monotonic() + HTTP_TIMEOUT_SECONDS
    while (state := state_of(app, key)) is State.SENT:
        assert time.monotonic() < deadline, "the worker never committed"
        os.kill(worker, signal.SIGCONT)
        time.sleep(STEP_SECONDS)
        os.kill(worker, signal.SIGSTOP)
    return state


@contextmanager
def one_core_for_both(worker: int) -> Iterator[None]:
    """Have the worker run where we do, and only while nobody else wants to run there.

    So it stands still when we wake from a step, however late others let us.
    """
    cores = os.sched_getaffinity(0)
    ours = {min(cores)}
    for thread in Path(f"/proc/{worker}/task").iterdir():  # Linux keeps both for each thread
        os.setpriority(os.PRIO_PROCESS, int(thread.name), LOWEST_PRIORITY)
        os.sched_setaffinity(int(thread.name), ours)
    os.sched_setaffinity(0, ours)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def state_of(app: Application, key: str) -> State:
    operation = app.journal.load(key)
    assert operation is not None
    return operation.state


def process_at(port: int) -> int:
    """The process on this machine whose end of a connection is at `port`."""
    local = f"0100007F:{port:04X}"  # 127.0.0.1, as the kernel writes it
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{line[INODE]}]" for line in lines if line[LOCAL_ADDRESS] == local}
    for place in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(place.readlink()) in sockets:
                return int(place.parts[2])
        except OSError:
            continue  # closed meanwhile, or another user's
    raise AssertionError(f"nobody is at port {port}")


def command_of(process: int) -> str:
    """How a process was called, in which a worker's function and sandbox are named."""
    return Path(f"/proc/{process}/cmdline").read_text()


def check_worker(process: int, sandbox: Sandbox, function: str) -> None:
    """Make sure that the process is a worker of this sandbox's function: nothing else is killed."""
    command = command_of(process)
    assert str(sandbox.aws.folder) in command, command
    assert function in command, command


def let_the_settling_time_pass(killed: Killed) -> None:
    """Make the mark of the debit that never came as old as if its two minutes were over."""
    over = datetime.now(UTC) - timedelta(seconds=killed.app.config.settling_seconds)
    aged = killed.app.table.update(
        OPERATION_PREFIX + killed.keys[Place.NEVER_APPLIED],
        "SET #sent_at = :over",
        condition="#state = :sent",
        values={"over": pack_moment(over), "sent": State.SENT},
    )
    assert aged is not None, "somebody gave it up before its time"


def is_at_rest(stack: Stack, killed: Killed) -> bool:
    return (
        all(killed.operation(place).state is State.SETTLED for place in Place)
        and all(answers(stack.sandbox, killed, place) for place in Place)
        and stack.has_nothing_on_its_way()
    )


def row_cells(sandbox: Sandbox, killed: Killed, place: Place) -> dict[str, Any]:
    row_id = killed.keys[place].partition("#")[2]
    return dict(sandbox.base.table("Redemptions").get(row_id)["fields"])


def receipts(sandbox: Sandbox, killed: Killed, place: Place) -> list[dict[str, Any]]:
    written = [record["fields"] for record in sandbox.base.table("Receipts").records()]
    return [cells for cells in written if cells["Operation"] == killed.keys[place]]


def mails(sandbox: Sandbox, killed: Killed, place: Place) -> list[ReceivedMail]:
    reference = f"Reference: {killed.keys[place]}"
    return [mail for mail in sandbox.inbox.mails() if reference in mail.text.splitlines()]


def waiting_mails(sandbox: Sandbox, killed: Killed, place: Place) -> list[ReceivedMail]:
    return [mail for mail in mails(sandbox, killed, place) if mail.subject.startswith(PLEASE_WAIT)]


def answers(sandbox: Sandbox, killed: Killed, place: Place) -> list[ReceivedMail]:
    return [
        mail for mail in mails(sandbox, killed, place) if not mail.subject.startswith(PLEASE_WAIT)
    ]


def test_the_worker_died_at_each_of_the_places(killed: Killed) -> None:
    assert killed.left == LEFT_AS


@pytest.mark.parametrize("place", Place, ids=lambda place: place.name)
def test_one_debit_or_none_and_all_tell_the_same(
    sandbox: Sandbox, killed: Killed, place: Place
) -> None:
    redeemed = place is not Place.NEVER_APPLIED
    outcome = Outcome.REDEEMED if redeemed else Outcome.NOT_CHARGED
    card, cells = sandbox.shop.card(killed.cards[place].id), row_cells(sandbox, killed, place)

    assert [(t.note, t.amount) for t in card.transactions] == (
        [(killed.keys[place], -AMOUNT)] if redeemed else []
    )
    assert card.balance == (INITIAL - AMOUNT if redeemed else INITIAL)
    result = killed.operation(place).result
    assert result is not None
    assert result.outcome == outcome
    assert (cells["Status"], cells["Outcome"]) == ("Processed", str(outcome))
    (receipt,) = receipts(sandbox, killed, place)
    assert receipt["Outcome"] == ("Done" if redeemed else "Failed")
    assert Decimal(str(receipt["Amount"])) == AMOUNT
    (answer,) = answers(sandbox, killed, place)
    assert answer.to == killed.stores[place].email
    assert f"Outcome: {outcome}" in answer.text
    (mirrored,) = [
        record["fields"]
        for record in sandbox.base.table("Gift Cards").records()
        if record["fields"]["Shopify ID"] == card.id
    ]
    assert Decimal(str(mirrored["Balance"])) == card.balance


@pytest.mark.parametrize("place", UNKNOWN, ids=lambda place: place.name)
def test_a_store_that_nobody_could_answer_was_asked_to_wait(
    sandbox: Sandbox, killed: Killed, place: Place
) -> None:
    (interim,) = waiting_mails(sandbox, killed, place)
    (answer,) = answers(sandbox, killed, place)

    assert interim.to == killed.stores[place].email
    assert (interim.at - killed.at).total_seconds() < TOLD_SECONDS
    assert interim.at < answer.at
