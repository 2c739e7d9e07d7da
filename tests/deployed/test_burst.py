"""A hundred customers at once, some filing twice, some without funds, and the web shop spends too.

Whatever the order in which all this happens, the sums are right to the cent.
"""

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import cycle
from typing import Any

import pytest
from botocore.config import Config

from giftcards.domain.outcomes import Outcome
from giftcards.flows.redeem import operation_key
from giftcards.wiring import Application
from ops.deployment import open_deployment
from sandbox.demo import Sandbox
from sandbox.inbox import ReceivedMail
from sandbox.seed import SeededStore
from sandbox.shopify import GiftCard, Refusal
from sandbox.shopify.shop import Call, Stage
from tests.deployed.stack import Stack, wait_until

pytestmark = [
    pytest.mark.deployed,
    pytest.mark.sockets,
    pytest.mark.usefixtures("day_is_over"),
]

CARDS = 100
ON_EACH_CARD = Decimal("40.00")
ON_THE_SHARED_CARD = Decimal("500.00")

# The web shop leaves enough on each card for what the stores are expected to get.
MOST_WEB_SPENDING = Decimal("20.00")
WEB_SPENDS_EVERY_SECONDS = 0.01

# Rows are answered within a run or two of at most 20 s each; this machine may be busy.
ANSWERED_SECONDS = 90
WRITTEN_SECONDS = 180

# Runs that find the lease taken cost this machine time that the one under way needs.
RING_EVERY_SECONDS = 1.0

PLEASE_WAIT = "Please wait"


@dataclass(frozen=True)
class Filed:
    """A row that a store filed, and what has to become of it."""

    row_id: str
    card: GiftCard = field(repr=False)
    store: SeededStore
    amount: Decimal
    expected: Outcome

    @property
    def key(self) -> str:
        return operation_key(self.row_id)


class Web:
    """Customers of the web shop, who spend from the same cards while the stores do."""

    def __init__(self, sandbox: Sandbox, cards: list[GiftCard], snatched: list[GiftCard]) -> None:
        self._shop = sandbox.shop
        self._cards = cards
        self._to_snatch = {card.id for card in snatched}
        self._turn = threading.Lock()
        self.spent: defaultdict[str, Decimal] = defaultdict(Decimal)

    def spend(self, card_id: str, amount: Decimal) -> None:
        with self._turn:
            try:
                self._shop.spend_on_web(card_id, amount)
            except Refusal:
                return
            self.spent[card_id] += amount

    def snatch(self, call: Call, stage: Stage) -> None:
        """Empty a card just after the application has read what is on it."""
        card_id = str(call.variables.get("id"))
        if stage is not Stage.APPLIED or "ReadCard" not in call.names:
            return
        with self._turn:
            due = card_id in self._to_snatch
            self._to_snatch.discard(card_id)
        if due:
            self.spend(card_id, self._shop.card(card_id).balance)

    @contextmanager
    def shopping(self) -> Iterator[None]:
        closed = threading.Event()

        def spend_here_and_there() -> None:
            for card, cents in zip(cycle(self._cards), cycle(range(1, 38)), strict=False):
                if closed.wait(WEB_SPENDS_EVERY_SECONDS):
                    return
                amount = Decimal(cents) / 100
                if self.spent[card.id] + amount <= MOST_WEB_SPENDING:
                    self.spend(card.id, amount)

        self._shop.witness = self.snatch
        thread = threading.Thread(target=spend_here_and_there)
        thread.start()
        try:
            yield
        finally:
            closed.set()
            thread.join()
            self._shop.witness = None


@dataclass
class Burst:
    """What was filed, who spent, and how the invocations ended."""

    rows: list[Filed]
    web: Web
    app: Application
    initial: dict[str, Decimal]
    ends: Counter[str]
    too_fast: dict[str, int]


def file(
    sandbox: Sandbox, card: GiftCard, store: SeededStore, amount: Decimal, expected: Outcome
) -> Filed:
    """File a row as a store does."""
    row = sandbox.base.submit_form(
        "Redemptions",
        {
            "Store": [store.id],
            "Employee": store.staff[0],
            "Gift Card Code": card.code,
            "Amount": float(amount),
        },
    )
    return Filed(row["id"], card, store, amount, expected)


def file_on_many_cards(
    sandbox: Sandbox, cards: list[GiftCard], snatched: list[GiftCard]
) -> list[Filed]:
    """One row on each card; every tenth asks for a cent more than was ever on it."""
    stores = sandbox.day.stores
    rows = []
    for number, card in enumerate(cards):
        too_dear = number % 10 == 9
        amount = ON_EACH_CARD + Decimal("0.01") if too_dear else Decimal(500 + number) / 100
        good = not too_dear and card not in snatched
        expected = Outcome.REDEEMED if good else Outcome.INSUFFICIENT_BALANCE
        rows.append(file(sandbox, card, stores[number % len(stores)], amount, expected))
    return rows


def file_on_one_card(sandbox: Sandbox, card: GiftCard) -> list[Filed]:
    """Twenty rows: two filed twice, one of them a third time, two without funds."""
    first, second, third, fourth = sandbox.day.stores
    seven, too_dear = Decimal("7.00"), ON_THE_SHARED_CARD + Decimal("0.01")
    asked = [
        (first, seven, Outcome.REDEEMED),
        (first, seven, Outcome.POSSIBLE_DUPLICATE),
        (first, seven, Outcome.REDEEMED),  # a third filing insists
        (second, seven, Outcome.REDEEMED),
        (second, seven, Outcome.POSSIBLE_DUPLICATE),
        (third, seven, Outcome.REDEEMED),  # another store's: nothing to do with those
        (fourth, too_dear, Outcome.INSUFFICIENT_BALANCE),
        (fourth, too_dear, Outcome.INSUFFICIENT_BALANCE),
        *((fourth, Decimal(800 + cents) / 100, Outcome.REDEEMED) for cents in range(12)),
    ]
    return [file(sandbox, card, store, amount, outcome) for store, amount, outcome in asked]


@pytest.fixture(scope="module")
def burst(sandbox: Sandbox, stack: Stack) -> Burst:
    """All of it at once, until every row has its outcome in the journal."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", sandbox.aws.url)
        app = open_deployment(sandbox.stack, sandbox.aws.session())
        assert app.journal.load("nobody") is None  # builds its client, while the address is set
        assert app.queues is not None
    shop = sandbox.shop
    cards = [shop.issue_card(amount=ON_EACH_CARD) for _ in range(CARDS)]
    shared = shop.issue_card(amount=ON_THE_SHARED_CARD)
    snatched = cards[6::10]
    web = Web(sandbox, [*cards, shared], snatched)
    refused_before = too_fast(sandbox)
    bell = Bell(stack)
    ends: Counter[str] = Counter()
    with web.shopping():
        rows = [
            *file_on_many_cards(sandbox, cards, snatched),
            *file_on_one_card(sandbox, shared),
        ]
        keys = [row.key for row in rows]

        def answered() -> bool:
            known = app.journal.load_many(keys)
            return len(known) == len(keys) and all(one.result for one in known.values())

        bell.ring(ends, until=answered)
    burst = Burst(
        rows=rows,
        web=web,
        app=app,
        initial={card.id: card.initial_value for card in [*cards, shared]},
        ends=ends,
        too_fast={},
    )
    wait_until(
        lambda: everything_followed(sandbox, burst),
        seconds=WRITTEN_SECONDS,
        what="every row is written, every store answered",
    )
    refused = too_fast(sandbox)
    burst.too_fast = {vendor: refused[vendor] - refused_before[vendor] for vendor in refused}
    return burst


def too_fast(sandbox: Sandbox) -> dict[str, int]:
    return {
        "Airtable": sandbox.base.refused_as_too_fast,
        "Shopify": sandbox.shop.refused_as_too_fast,
    }


class Bell:
    """Invokes the deployed functions, several at a time."""

    def __init__(self, stack: Stack) -> None:
        patient = Config(read_timeout=60, retries={"total_max_attempts": 1})
        aws = stack.sandbox.aws
        self._client: Any = aws.session().client("lambda", endpoint_url=aws.url, config=patient)
        outputs = stack.outputs()
        self._prong, self._sweep = outputs["StoreTransactionsFunction"], outputs["SweepFunction"]

    def ring(self, ends: Counter[str], *, until: Callable[[], bool]) -> None:
        """Invoke the stores' prong twice at a time, and the sweep with it, until all is answered.

        `ends` counts how the prong's ticks ended.
        """
        deadline = time.monotonic() + ANSWERED_SECONDS
        with ThreadPoolExecutor(max_workers=3) as hands:
            while not until():
                assert time.monotonic() < deadline, f"not all answered after {ends}"
                due = json.dumps({"due": datetime.now(UTC).isoformat()})
                event = {"Records": [{"body": due}]}
                ticks = [hands.submit(self._invoke, self._prong, event) for _ in range(2)]
                swept = hands.submit(self._invoke, self._sweep, {})
                ends.update(tick.result()["tick"] for tick in ticks)
                assert swept.result()["finished"] >= 0
                time.sleep(RING_EVERY_SECONDS)

    def _invoke(self, function: str, event: Mapping[str, object]) -> Any:
        reply = self._client.invoke(FunctionName=function, Payload=json.dumps(event))
        answer = json.loads(reply["Payload"].read())
        assert "FunctionError" not in reply, answer
        return answer


def receipts(sandbox: Sandbox, burst: Burst) -> dict[str, list[dict[str, Any]]]:
    """The receipts of each row of the burst, by its reference."""
    found: dict[str, list[dict[str, Any]]] = {row.key: [] for row in burst.rows}
    for record in sandbox.base.table("Receipts").records():
        cells = record["fields"]
        if cells["Operation"] in found:
            found[cells["Operation"]].append(cells)
    return found


def cells_of(sandbox: Sandbox, burst: Burst) -> dict[str, dict[str, Any]]:
    """What the base shows of each row of the burst, by its reference."""
    records = sandbox.base.table("Redemptions").records()
    rows = {record["id"]: record["fields"] for record in records}
    return {row.key: rows[row.row_id] for row in burst.rows}


def final_mails(sandbox: Sandbox, burst: Burst) -> dict[str, list[ReceivedMail]]:
    """The answers of each row of the burst; a request to wait is no answer."""
    found: dict[str, list[ReceivedMail]] = {row.key: [] for row in burst.rows}
    for mail in sandbox.inbox.mails():
        lines = mail.text.splitlines()
        references = [line.removeprefix("Reference: ") for line in lines if "Reference: " in line]
        for reference in references:
            if reference in found and not mail.subject.startswith(PLEASE_WAIT):
                found[reference].append(mail)
    return found


def everything_followed(sandbox: Sandbox, burst: Burst) -> bool:
    return (
        all({"Gift Card", "Outcome"} <= cells.keys() for cells in cells_of(sandbox, burst).values())
        and all(final_mails(sandbox, burst).values())
        and all(receipts(sandbox, burst).values())
    )


def redeemed(sandbox: Sandbox, burst: Burst) -> dict[str, Decimal]:
    """What the receipts say was taken off each card."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    written = receipts(sandbox, burst)
    for row in burst.rows:
        for receipt in written[row.key]:
            if receipt["Outcome"] == "Done":
                sums[row.card.id] += Decimal(str(receipt["Amount"]))
    return sums


def test_the_sums_are_right_to_the_cent(sandbox: Sandbox, burst: Burst) -> None:
    taken = redeemed(sandbox, burst)

    left = {card_id: sandbox.shop.card(card_id).balance for card_id in burst.initial}

    assert left == {
        card_id: initial - taken[card_id] - burst.web.spent[card_id]
        for card_id, initial in burst.initial.items()
    }
    assert all(burst.web.spent[card_id] for card_id in burst.initial), "the web spent from each"


def test_every_row_has_the_one_outcome_it_should(sandbox: Sandbox, burst: Burst) -> None:
    def tally(outcomes: Mapping[str, str]) -> Counter[tuple[str, str, Decimal, str]]:
        # Of rows that are alike in all, any may be the first.
        return Counter(
            (row.card.id, row.store.id, row.amount, outcomes[row.key]) for row in burst.rows
        )

    in_journal = {
        key: operation.result.outcome
        for key, operation in burst.app.journal.load_many(row.key for row in burst.rows).items()
        if operation.result is not None
    }
    shown = {key: cells["Outcome"] for key, cells in cells_of(sandbox, burst).items()}

    assert shown == in_journal
    assert tally(shown) == tally({row.key: str(row.expected) for row in burst.rows})
    for key, written in receipts(sandbox, burst).items():
        assert [receipt["Receipt"] for receipt in written] == [f"{key}#1"]
        assert written[0]["Outcome"] == ("Done" if shown[key] == "REDEEMED" else "Failed")


def test_each_redeemed_row_made_one_debit_and_no_other_row_any(
    sandbox: Sandbox, burst: Burst
) -> None:
    shown = {key: cells["Outcome"] for key, cells in cells_of(sandbox, burst).items()}

    debits = Counter(
        (card_id, transaction.note, -transaction.amount)
        for card_id in burst.initial
        for transaction in sandbox.shop.card(card_id).transactions
    )

    assert debits == Counter(
        (row.card.id, row.key, row.amount) for row in burst.rows if shown[row.key] == "REDEEMED"
    )


def test_every_store_got_one_answer_to_each_of_its_rows(sandbox: Sandbox, burst: Burst) -> None:
    answers = {
        key: [mail.to for mail in mails] for key, mails in final_mails(sandbox, burst).items()
    }

    assert answers == {row.key: [row.store.email] for row in burst.rows}


def test_the_mirror_shows_what_shopify_says(sandbox: Sandbox, burst: Burst) -> None:
    def mirrored() -> dict[str, Decimal]:
        cells = [record["fields"] for record in sandbox.base.table("Gift Cards").records()]
        shown = [card for card in cells if card["Shopify ID"] in burst.initial]
        assert len(shown) == len(burst.initial), "each card has one row"
        return {card["Shopify ID"]: Decimal(str(card["Balance"])) for card in shown}

    def behind() -> set[str]:
        shown = mirrored()
        return {id_ for id_ in shown if shown[id_] != sandbox.shop.card(id_).balance}

    # What the web shop spends after a store's charge was mirrored is seen at the next look.
    key_of = {row.card.id: row.key for row in burst.rows}
    for card_id in behind():
        burst.app.cards.note_move(card_id)
        burst.app.queues.write_records(key_of[card_id])
    wait_until(lambda: not behind(), seconds=60, what="the mirror is in step")


def test_runs_overlapped_and_one_went_home(burst: Burst) -> None:
    assert burst.ends["ran"]
    assert burst.ends["held"]


def test_no_vendor_was_asked_too_fast(burst: Burst) -> None:
    assert burst.too_fast == {"Airtable": 0, "Shopify": 0}
