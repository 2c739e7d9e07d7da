"""A shop in full swing: its functions overlap as on Lambda, and every call takes its time.

Time is only reckoned (see `timeline`). Each function has workers of its own, which stay warm; an
event source takes messages with as many workers as the template lets it. What a call of a vendor or
of AWS takes is drawn from a seeded chance, half of it on the way there and half on the way back.
The vendors enforce their published limits: Shopify's bucket of points, Airtable's requests a
second.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from giftcards.flows.reconcile.reconcile import RunEnd
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.flows.tick import TickEnd
from giftcards.wiring import Application, now
from tests.template_resources import batch_size
from tests.timeline import Threads, Timeline, Turn
from tests.world import Take, World, as_record

# What calls take, in seconds, by a word of their names. Shopify's and Airtable's as seen on live
# stores, the others as AWS and Klaviyo take them within a region and across one.
LATENCIES = (
    ("dynamodb ", (0.005, 0.010)),
    ("sqs ", (0.005, 0.010)),
    ("kms ", (0.005, 0.010)),
    ("s3 ", (0.020, 0.050)),
    ("sesv2 ", (0.050, 0.150)),
    (" query ", (0.2, 0.5)),
    (" mutation ", (0.2, 0.5)),
    ("/v0/", (0.15, 0.30)),
    ("/api/events", (0.1, 0.3)),
)

# An event source polls all the time; a message is in a worker's hands after this at most.
POLL_SECONDS = 0.1

# As in the template (`ScalingConfig`): two workers for each queue.
WORKERS_A_QUEUE = 2

MINUTE_SECONDS = 60
SWEEP_SECONDS = 120

# As the template's default has it.
ORDER_SECONDS = 30

# The sweep's rule is not aligned with the minute's.
SWEEP_OFFSET_SECONDS = 7

# How often somebody looks whether all is done, and how long a shop may take for it.
LOOK_SECONDS = 5
LONGEST = timedelta(hours=1)


@dataclass
class Redemption:
    """A row that a store filed, and what became of it."""

    row_id: str
    asked_at: datetime
    answered_at: datetime | None = None
    shown_at: datetime | None = None

    @property
    def answered_after(self) -> float:
        """Seconds from the row's creation until SES had its answer."""
        assert self.answered_at is not None
        return (self.answered_at - self.asked_at).total_seconds()

    @property
    def shown_after(self) -> float:
        """Seconds from the row's creation until Airtable showed its outcome."""
        assert self.shown_at is not None
        return (self.shown_at - self.asked_at).total_seconds()


class BusyShop:
    """Lets stores ask, and the functions serve them, until all is done.

    The web shop's prongs join in where a test says so, each with a tick every `order_seconds`.
    """

    def __init__(
        self,
        world: World,
        *,
        seed: int,
        sells_on_the_web: bool = False,
        spends_on_the_web: bool = False,
        order_seconds: float = ORDER_SECONDS,
    ) -> None:
        self.world = world
        self._sells_on_the_web = sells_on_the_web
        self._spends_on_the_web = spends_on_the_web
        self._order_seconds = order_seconds
        self.spend_ends: list[TickEnd] = []
        self.buy_runs: list[tuple[TickEnd, float]] = []
        self.redemptions: dict[str, Redemption] = {}
        self.tick_ends: list[TickEnd] = []
        self._chance = Random(seed)  # noqa: S311 - latencies, no secrets
        self._timeline = Timeline(world.advance)
        self.at_work: Counter[str] = Counter()
        self._mails = 0
        self._closed = False
        self._began = now()
        self._warm: dict[str, list[Application]] = {}
        world.effects.watch = self._go_there
        world.effects.watch_end = self._come_back

    # ------------------------------------------------------------------------------ what happens

    def live(self, *tasks: Callable[[], None], until: Callable[[], bool]) -> None:
        """Do these things, which may `sleep`, and go on until they are done and `until` holds."""
        left = list(tasks)

        def do(task: Callable[[], None]) -> None:
            task()
            left.remove(task)

        def look() -> None:
            while left or not until() or not self._is_quiet():
                self.sleep(LOOK_SECONDS)
                assert now() - self._began < LONGEST, "the shop never came to rest"
            self._closed = True

        for task in tasks:
            self._timeline.start(partial(do, task))
        self._timeline.start(look)
        self._timeline.start(self._minutes)
        self._timeline.start(self._sweeps)
        if self._sells_on_the_web:
            self._timeline.start(self._looks_at_orders)
        if self._spends_on_the_web:
            self._timeline.start(self._looks_at_spends)
        sources: list[tuple[str, Take]] = [("StoreTicksQueue", self._tick), *self.world.one_offs()]
        for queue, take in sources:
            for _ in range(WORKERS_A_QUEUE):
                self._timeline.start(partial(self._poll, queue, take))
        self._timeline.run()

    def sleep(self, seconds: float) -> None:
        """Let others go on for so long."""
        self._timeline.sleep(seconds)

    def ask(self, code: str, *, amount: float) -> str:
        """A store files a redemption now; returns the row's id."""
        row_id = self.world.ask(Gift_Card_Code=code, Amount=amount)
        self.redemptions[row_id] = Redemption(row_id, now())
        return row_id

    def compare(self) -> RunEnd:
        """Somebody asks for a comparison of the books, and its function takes a turn at it."""
        self._invoke("office", lambda app: app.runs.wish(reads_all=False))
        return self._invoke("reconcile", self.world.take_reconcile)

    def _is_quiet(self) -> bool:
        queues = [queue for queue, _ in self.world.one_offs()]
        return not any(self.world.queued_in(queue) for queue in queues)

    # ----------------------------------------------------------------------------- the functions

    def _minutes(self) -> None:
        while not self._closed:
            self._timeline.start(self._minute)
            self.sleep(MINUTE_SECONDS)

    def _minute(self) -> None:
        self._invoke("ticks", lambda app: self._tick(app, {"source": "aws.events"}))

    def _looks_at_orders(self) -> None:
        """The ticks of the web shop's prong; one that finds a run under way goes home."""
        while not self._closed:
            self._timeline.start(partial(self._invoke, "orders", self._look_at_orders))
            self.sleep(self._order_seconds)

    def _look_at_orders(self, app: Application) -> None:
        began = now()
        end = self.world.take_buy_tick(app)
        self.buy_runs.append((end, (now() - began).total_seconds()))

    def _looks_at_spends(self) -> None:
        """The same for the prong of what the web shop charged."""
        while not self._closed:
            self._timeline.start(partial(self._invoke, "spends", self._look_at_spends))
            self.sleep(self._order_seconds)

    def _look_at_spends(self, app: Application) -> None:
        self.spend_ends.append(self.world.take_spend_tick(app))

    def _sweeps(self) -> None:
        self.sleep(SWEEP_OFFSET_SECONDS)
        while not self._closed:
            self._invoke("sweep", self.world._sweep)  # noqa: SLF001 - as its timer does
            self.sleep(SWEEP_SECONDS)

    def _tick(self, app: Application, event: Mapping[str, Any]) -> dict[str, Any]:
        self.tick_ends.append(self.world.take_tick(app, dict(event)))
        return {"batchItemFailures": []}

    def _poll(self, queue: str, take: Take) -> None:
        """What one of an event source's workers does."""
        url = self.world.queue_urls[queue]
        while not self._closed:
            messages = self.world.sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=batch_size(queue), AttributeNames=["All"]
            ).get("Messages", [])
            if not messages:
                self.sleep(POLL_SECONDS)
                continue
            event = {"Records": [as_record(message) for message in messages]}
            name = "ticks" if queue == "StoreTicksQueue" else queue
            report = self._invoke(name, partial(_take, take, event))
            failed = {failure["itemIdentifier"] for failure in report["batchItemFailures"]}
            for message in messages:
                if message["MessageId"] not in failed:
                    handle = message["ReceiptHandle"]
                    self.world.sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)

    def _invoke[Result](self, function: str, work: Callable[[Application], Result]) -> Result:
        """A warm worker of this function does it, or a new one where all are busy."""
        warm = self._warm.setdefault(function, [])
        app = warm.pop() if warm else self._cold_start()
        self.at_work[function] += 1
        try:
            return work(app)
        finally:
            self.at_work[function] -= 1
            warm.append(app)

    def _cold_start(self) -> Application:
        return replace(
            self.world.new_worker(),
            sleep=self.sleep,
            monotonic=lambda: now().timestamp(),
            threads=lambda most: Threads(self._timeline, most),
            lock=lambda: Turn(self._timeline),
        )

    # ------------------------------------------------------------------------------ what it takes

    def _go_there(self, name: str) -> None:
        self.sleep(self._half_of(name))

    def _come_back(self, name: str) -> None:
        self._note(name)
        self.sleep(self._half_of(name))

    def _half_of(self, name: str) -> float:
        least, most = next(latency for word, latency in LATENCIES if word in name)
        return self._chance.uniform(least, most) / 2

    def _note(self, name: str) -> None:
        """Note which rows were answered or shown by the call that has just been made."""
        if name.startswith("sesv2"):
            for mail in self.world.mails()[self._mails :]:
                self._mails += 1
                kind, _, row_id = mail.tags["operation"].partition(".")
                if kind == REDEMPTION and self.redemptions[row_id].answered_at is None:
                    self.redemptions[row_id].answered_at = now()
        elif name.startswith("PATCH"):
            for row in self.redemptions.values():
                if row.shown_at is None and "Outcome" in self.world.row(row.row_id):
                    row.shown_at = now()


def _take(take: Take, event: Mapping[str, Any], app: Application) -> dict[str, Any]:
    return take(app, event)
