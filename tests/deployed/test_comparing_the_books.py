"""The books are compared on the deployed stack, and the worker that does it is really killed.

    planted ── asked for ── rows of cards ── cards ┊ SIGKILL ┊ cards ── … ── second look ── report
                                                   ↑         ↑
                                 the shop holds its call     the next timer takes the run up

What is planted is found, once each, and put right or left to a person; nothing else is found. The
report is read as the office reads it, in a browser; pictures stand in `.sandbox/books/`.
"""

import csv
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from giftcards.domain.drift import Drift
from giftcards.flows.write_again import WRITE_AGAIN_SECONDS
from giftcards.store.control import lease_key
from giftcards.store.journal import OPERATION_PREFIX, State
from giftcards.store.runs import LastRun, RunState
from giftcards.store.table import pack_moment
from giftcards.wiring import RECONCILE_PRONG, Application
from ops.command_line import main
from ops.deployment import open_deployment
from sandbox.demo import Sandbox
from sandbox.embedded_aws import PROJECT
from sandbox.shopify import GiftCard
from sandbox.shopify.shop import Call, Stage
from tests.browser.launching import base_url, browser_type_launch_args
from tests.deployed.stack import Stack, wait_until
from tests.deployed.test_killed_worker import check_worker, day_is_over, file, process_at

__all__ = ["base_url", "browser_type_launch_args"]  # fixtures, found here by their names

pytestmark = [pytest.mark.deployed, pytest.mark.sockets]

PICTURES = PROJECT / ".sandbox" / "books"

INITIAL, TAKEN, FOREIGN = Decimal("50.00"), Decimal("12.34"), Decimal("1.00")
LEFT = INITIAL - TAKEN

# The seeded day may come first; then writers share Airtable's few calls a second.
QUIET_SECONDS = 300

# Its timer rings every minute here, and a comparison of the new stack may come first.
HELD_SECONDS = 420

# The timer's minute twice, the 75 s to the second look, and a page of Airtable every two seconds.
COMPARED_SECONDS = 600

# Repairs go through the writer's queue.
PUT_RIGHT_SECONDS = 120


@dataclass
class Ambush:
    """Holds the call for a page of all cards, until its worker is dead."""

    is_held: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)
    port: int | None = None

    def witness(self, call: Call, stage: Stage) -> None:
        if "AllCards" not in call.names or stage is not Stage.ARRIVED or self.is_held.is_set():
            return
        self.port = call.port
        self.is_held.set()
        self.let_go.wait(HELD_SECONDS)


@dataclass
class Books:
    """What was planted, how the worker died, and what the run that went on has found."""

    app: Application
    wrong_row: GiftCard
    no_row: GiftCard
    no_receipt: str
    other_receipt: str
    foreign: GiftCard
    at_death: RunState | None = None
    last: LastRun | None = None
    lines: list[dict[str, str]] = field(default_factory=list)
    told: str = ""

    def of(self, drift: Drift) -> list[dict[str, str]]:
        return [line for line in self.lines if line["Difference"] == drift]


def open_books(sandbox: Sandbox) -> Application:
    """The deployed application's parts, with its clients built while their address is known."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", sandbox.aws.url)
        app = open_deployment(sandbox.stack, sandbox.aws.session())
        assert app.runs is not None
        assert app.journal is not None
        assert app.bucket is not None
        return app


def ops(sandbox: Sandbox, *command: str) -> None:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in sandbox.aws.environment().items():
            environment.setenv(name, value)
        assert main([*command, "--stack", sandbox.stack]) == 0


def find(sandbox: Sandbox, table: str, **cells: object) -> list[dict[str, Any]]:
    """The records of a table that hold these cells."""
    wanted = {name.replace("_", " "): value for name, value in cells.items()}
    return [
        dict(record)
        for record in sandbox.base.table(table).records()
        if wanted.items() <= record["fields"].items()
    ]


def only(sandbox: Sandbox, table: str, **cells: object) -> dict[str, Any]:
    (record,) = find(sandbox, table, **cells)
    return record


def row_of(sandbox: Sandbox, card: GiftCard) -> dict[str, Any]:
    return only(sandbox, "Gift Cards", Shopify_ID=card.id)


def plant(sandbox: Sandbox, app: Application) -> Books:
    """Let stores charge some cards, and then have an office and a stranger spoil the books."""
    cards = [sandbox.shop.issue_card(amount=INITIAL) for _ in range(5)]
    store = sandbox.day.stores[0]
    with sandbox.base.lock:
        keys = [file(sandbox, card, store) for card in cards]

    def are_shown() -> bool:
        operations = app.journal.load_many(keys).values()
        return (
            all(one.state is State.SETTLED and one.answered_at is not None for one in operations)
            and all(find(sandbox, "Receipts", Operation=key) for key in keys)
            and all(
                find(sandbox, "Gift Cards", Shopify_ID=card.id, Balance=float(LEFT))
                for card in cards
            )
        )

    wait_until(are_shown, seconds=QUIET_SECONDS, what="what stores did is shown")
    rows, receipts = sandbox.base.table("Gift Cards"), sandbox.base.table("Receipts")
    rows.update(row_of(sandbox, cards[0])["id"], {"Balance": 99.0})
    rows.delete(row_of(sandbox, cards[1])["id"])
    receipts.delete(only(sandbox, "Receipts", Operation=keys[2])["id"])
    make_older(app, keys[2])
    receipts.update(only(sandbox, "Receipts", Operation=keys[3])["id"], {"Amount": 1.0})
    sandbox.shop.debit(cards[4].id, amount=FOREIGN, note="redemption#recNobodyFiled001")
    return Books(
        app=app,
        wrong_row=cards[0],
        no_row=cards[1],
        no_receipt=keys[2],
        other_receipt=keys[3],
        foreign=cards[4],
    )


def make_older(app: Application, key: str) -> None:
    """Make an operation so old that what follows from it should have been written long ago."""
    then = pack_moment(app.clock() - 2 * timedelta(seconds=WRITE_AGAIN_SECONDS))
    changed = app.table.update(
        OPERATION_PREFIX + key,
        "SET #settled_at = :then, #answered_at = :then",
        condition="#state = :settled",
        values={"then": then, "settled": State.SETTLED},
    )
    assert changed is not None, f"{key} is not settled"


@contextmanager
def ambush(sandbox: Sandbox) -> Iterator[Ambush]:
    waiting = Ambush()
    sandbox.shop.witness = waiting.witness
    try:
        yield waiting
    finally:
        waiting.let_go.set()
        sandbox.shop.witness = None


def kill_the_worker(sandbox: Sandbox, books: Books) -> None:
    """Kill the worker at a page of all cards, and make its lease as old as if its time was over."""
    with ambush(sandbox) as waiting:
        ops(sandbox, "reconcile", "--all")
        assert waiting.is_held.wait(HELD_SECONDS), "nobody compared the books"
        assert waiting.port is not None
        worker = process_at(waiting.port)
        check_worker(worker, sandbox, "reconcile")
        os.kill(worker, signal.SIGKILL)
    books.at_death = books.app.runs.standing().under_way
    books.app.table.update(
        lease_key(RECONCILE_PRONG), "SET #lease_until = :over", values={"over": 0}
    )


@pytest.fixture(scope="module")
def books(sandbox: Sandbox) -> Books:
    """What was planted is found and put right, by a run whose first worker was killed."""
    wait_until(lambda: day_is_over(sandbox), seconds=QUIET_SECONDS, what="the seeded day is over")
    app = open_books(sandbox)

    def has_compared() -> bool:
        standing = app.runs.standing()
        return standing.under_way is None and standing.last is not None

    # The new stack's own comparison comes first, and would find what is planted meanwhile.
    wait_until(has_compared, seconds=COMPARED_SECONDS, what="the first comparison is over")
    books = plant(sandbox, app)
    kill_the_worker(sandbox, books)
    wish = books.app.runs.standing().wishes

    def is_compared() -> bool:
        last = books.app.runs.standing().last
        return last is not None and last.granted >= wish

    wait_until(is_compared, seconds=COMPARED_SECONDS, what="the books are compared")
    books.last = books.app.runs.standing().last
    assert books.last is not None
    assert books.last.report is not None
    table = books.app.bucket.get(books.last.report.replace(".html", ".csv"))
    assert table is not None
    books.lines = list(csv.DictReader(StringIO(table.decode("utf-8-sig"), newline="")))
    return books


def test_the_run_that_was_under_way_was_finished_by_other_workers(books: Books) -> None:
    assert books.at_death is not None
    assert books.at_death.phase == "cards"
    assert books.at_death.looked_at["rows of cards"] > 0
    assert books.last is not None
    assert books.last.id == books.at_death.id


def test_what_was_planted_is_found_and_nothing_else(books: Books) -> None:
    assert sorted(line["Difference"] for line in books.lines) == sorted(
        [
            Drift.STALE_BALANCE,
            Drift.MISSING_ROW,
            Drift.RECEIPT_MISSING,
            Drift.RECEIPT_ALTERED,
            Drift.DEBIT_WITHOUT_OPERATION,
        ]
    )


def test_each_side_stands_in_the_report(books: Books) -> None:
    (stale,) = books.of(Drift.STALE_BALANCE)
    assert (stale["Should be"], stale["Is"]) == (f"{LEFT} USD", "99.00 USD")
    assert stale["Card"] == books.wrong_row.id
    (altered,) = books.of(Drift.RECEIPT_ALTERED)
    assert (altered["Should be"], altered["Is"]) == (f"{TAKEN} USD", "1.00 USD")


def test_what_is_certain_was_put_right(sandbox: Sandbox, books: Books) -> None:
    def is_right() -> bool:
        return (
            all(
                find(sandbox, "Gift Cards", Shopify_ID=card.id, Balance=float(LEFT))
                for card in (books.wrong_row, books.no_row)
            )
            and len(find(sandbox, "Receipts", Operation=books.no_receipt)) == 1
            and len(find(sandbox, "Receipts", Operation=books.other_receipt, Amount=12.34)) == 1
        )

    wait_until(is_right, seconds=PUT_RIGHT_SECONDS, what="what was planted is put right")


def test_what_nobody_can_explain_is_left_to_a_person_and_rings(
    sandbox: Sandbox, stack: Stack, books: Books
) -> None:
    (foreign,) = books.of(Drift.DEBIT_WITHOUT_OPERATION)
    assert foreign["Card"] == books.foreign.id
    parked = books.app.journal.parked(now=books.app.clock(), limit=100)
    assert [one.key for one in parked if one.key.startswith("drift#debit-without-operation#")]
    assert any('"UnexplainedMoney"' in line for line in stack.log_lines())
    # Nothing was moved at Shopify.
    assert sandbox.shop.card(books.foreign.id).balance == LEFT - FOREIGN


def test_the_office_reads_of_it_in_airtable(sandbox: Sandbox, books: Books) -> None:
    assert books.last is not None
    summary = books.last.summary
    assert re.match(r"5 drift over [\d,]+ cards at \d\d:\d\d: ", summary)

    def is_told() -> bool:
        return bool(find(sandbox, "Status", Prong=RECONCILE_PRONG, Summary=summary)) and bool(
            find(sandbox, "Receipts", Operation=f"reconcile#{books.last.id}")
            if books.last is not None
            else False
        )

    wait_until(is_told, seconds=PUT_RIGHT_SECONDS, what="Airtable tells of it")
    status = only(sandbox, "Status", Prong=RECONCILE_PRONG)["fields"]
    assert status["State"] == "Offline", "something is left to a person"
    receipt = only(sandbox, "Receipts", Operation=f"reconcile#{books.last.id}")["fields"]
    assert (receipt["Action"], receipt["Outcome"]) == ("Reconcile", "Failed")


def test_ops_tells_of_it(
    sandbox: Sandbox, books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    ops(sandbox, "status")
    said = capsys.readouterr().out
    assert books.last is not None
    assert f"Books: {books.last.summary}" in said
    assert f"s3://{books.app.config.bucket}/{books.last.report}" in said


def test_a_receipt_of_each_repair_is_in_the_journal(books: Books) -> None:
    assert books.last is not None
    entered = books.app.journal.load(f"reconcile#{books.last.id}")
    assert entered is not None
    assert entered.state is State.SETTLED or entered.result is not None


@pytest.mark.browser
def test_the_report_is_read_in_a_browser(page: Page, sandbox: Sandbox, books: Books) -> None:
    expect.set_options(timeout=10_000)
    assert books.last is not None
    assert books.last.report is not None
    name = books.last.report.removeprefix("reports/")

    page.goto(sandbox.pages_url)
    page.get_by_role("link", name="Comparing the books").click()
    page.screenshot(path=PICTURES / "reports.png", full_page=True, animations="disabled")
    page.get_by_role("link", name=name).click()

    expect(page.get_by_role("heading", level=1)).to_have_text(books.last.summary)
    for drift in {line["Difference"] for line in books.lines}:
        expect(page.get_by_role("cell", name=drift, exact=True)).to_have_count(1)
    for card in (books.wrong_row, books.no_row, books.foreign):
        expect(page.get_by_text(card.code)).to_have_count(0)
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0, "nothing is cut off at the right"
    page.screenshot(path=PICTURES / "report.png", full_page=True, animations="disabled")
    page.set_viewport_size({"width": 375, "height": 780})
    page.screenshot(path=PICTURES / "report-on-a-phone.png", full_page=True, animations="disabled")
