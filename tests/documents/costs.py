"""docs/costs.md: what the stack costs a month while nobody does anything.

    python -m tests.documents.costs        one of those that `make docs` runs

How often each function runs, and what it calls, is not guessed: an hour of an idle shop is lived
through in the in-process world, by the template's own settings. What the world cannot know, how
long calls take and how Lambda polls queues, is assumed below, rather too dear than too cheap.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from giftcards.flows.reconcile.reconcile import RunEnd
from giftcards.metrics import Metric
from giftcards.wiring import now
from ops.airtable_calls import MINUTES_A_MONTH
from ops.command_line import PRONGS
from tests.cloudformation import load_template
from tests.documents.document import Document
from tests.template.reading import ALARM, FUNCTION, events, of_type, work_queues
from tests.world import WORKERS, World, running_world

MINUTES: Final = 60
HOURS_A_MONTH: Final = MINUTES_A_MONTH // MINUTES
MILLION: Final = Decimal(1_000_000)
TICKS: Final = "StoreTicksQueue"

# ---- prices: dollars, us-east-1, as AWS published them in 2025 (the pricing pages of each service)

LAMBDA_GB_SECOND: Final = Decimal("0.0000133334")  # arm64
LAMBDA_MILLION_RUNS: Final = Decimal("0.20")
SQS_MILLION_REQUESTS: Final = Decimal("0.40")
SQS_FIFO_MILLION_REQUESTS: Final = Decimal("0.50")
DYNAMODB_MILLION_WRITES: Final = Decimal("0.625")  # on demand
DYNAMODB_MILLION_READS: Final = Decimal("0.125")
ALARM_PRICE: Final = Decimal("0.10")
METRIC_PRICE: Final = Decimal("0.30")
LOG_GB: Final = Decimal("0.50")
KMS_KEY: Final = Decimal("1.00")

# ---- what AWS gives every account each month, and not for its first year only

FREE_GB_SECONDS: Final = Decimal(400_000)
FREE_MILLION_RUNS: Final = Decimal(1)
FREE_MILLION_SQS_REQUESTS: Final = Decimal(1)
FREE_ALARMS: Final = Decimal(10)
FREE_METRICS: Final = Decimal(10)
FREE_LOG_GB: Final = Decimal(5)

# ---- assumptions

# A call of Shopify or Airtable, one of an AWS service, and what Python itself needs for a run.
VENDOR_CALL_SECONDS: Final = Decimal("0.30")
AWS_CALL_SECONDS: Final = Decimal("0.010")
OWN_SECONDS: Final = Decimal("0.030")

# Lambda asks a queue by five pollers, each of which waits 20 s for a message; it makes do with two
# where traffic is low, but not where `MaximumConcurrency` is set, as it is here (AWS Lambda,
# "Configuring scaling behavior for SQS event source mappings").
POLLERS: Final = 5
POLL_SECONDS: Final = 20

# Lambda's own lines about a run as JSON, our line, and the heartbeat's.
LOG_BYTES_A_RUN: Final = Decimal(2_500)

# A transaction counts twice for each of its items, of which ours have two (DynamoDB).
UNITS: Final = {
    "GetItem": (1, 0),
    "BatchGetItem": (1, 0),
    "Query": (1, 0),
    "Scan": (1, 0),
    "PutItem": (0, 1),
    "UpdateItem": (0, 1),
    "DeleteItem": (0, 1),
    "TransactWriteItems": (0, 4),
}


@dataclass(slots=True)
class Work:
    """What one function did in the hour that was lived through.

    `sends` are messages it sent, its ticks to itself left out: in the world every prong has the
    stores' ticks.
    """

    runs: int = 0
    seconds: Decimal = Decimal(0)
    reads: int = 0
    writes: int = 0
    sends: int = 0

    def note(self, effects: Sequence[str], seconds: float, *, ticks: int) -> None:
        """Note a run: what it called, and how long it took; its ticks are reckoned apart."""
        self.runs += 1
        self.seconds += Decimal(str(seconds)) + OWN_SECONDS
        for effect in effects:
            service, _, call = effect.partition(" ")
            if service == "dynamodb":
                reads, writes = UNITS[call]
                self.reads += reads
                self.writes += writes
            elif service == "sqs":
                self.sends += 1
        self.sends -= ticks


def idle_hour() -> dict[str, Work]:
    """Live an hour in which nobody does anything; what each function did, by its name."""
    done: dict[str, Work] = defaultdict(Work)
    with running_world(
        tick_offsets_seconds=_offsets("TickOffsetsSeconds"),
        sale_offsets_seconds=_offsets("SaleOffsetsSeconds"),
        check_offsets_seconds=_offsets("CheckOffsetsSeconds"),
        reversal_offsets_seconds=_offsets("ReversalOffsetsSeconds"),
    ) as world:
        world.come_to_rest()
        while world.reconcile() is not RunEnd.NOTHING_TO_DO:  # the night's, which is told of apart
            world.advance(60)
            world.drain()
        world.effects.watch = lambda effect: world.advance(float(_seconds_of(effect)))
        for method, function in WORKERS.items():
            setattr(world, method, _measured(world, getattr(world, method), done[function]))
        for minute in range(MINUTES):
            _live_a_minute(world, minute)
    return done


def _live_a_minute(world: World, minute: int) -> None:
    """The ticks of a minute when they are due, the other timers when they are, what follows."""
    began = now()
    for offset in sorted({0, *_offsets("TickOffsetsSeconds"), *_offsets("OrderOffsetsSeconds")}):
        world.advance(max(0.0, offset - (now() - began).total_seconds()))
        _tick(world, offset)
        world.drain()
    if minute % _minutes("SweepSchedule") == 0:
        world.sweep()
    if minute % _minutes("ReconcileSchedule") == 0:
        world.reconcile()
    world.advance(max(0.0, 60 - (now() - began).total_seconds()))


def _tick(world: World, offset: int) -> None:
    # Each prong has a worker of its own: on AWS they run side by side, here one after the other.
    stores, web = world.tick, (world.buy_tick, world.spend_tick)
    if offset == 0:
        stores()
    elif offset in _offsets("TickOffsetsSeconds"):
        world.delayed_tick(late_by_seconds=0, offset_seconds=offset)
    if offset == 0 or offset in _offsets("OrderOffsetsSeconds"):
        for tick in web:
            tick()


def _measured(world: World, work: Callable[..., Any], done: Work) -> Callable[..., Any]:
    def measuring(*arguments: Any) -> Any:
        begun, began, ticks = len(world.effects.seen), now(), len(world.queued_in(TICKS))
        try:
            return work(*arguments)
        finally:
            done.note(
                world.effects.seen[begun:],
                (now() - began).total_seconds(),
                ticks=len(world.queued_in(TICKS)) - ticks,
            )

    return measuring


def _seconds_of(effect: str) -> Decimal:
    """How long a call is taken to last: the vendors' begin with the verb of HTTP."""
    return VENDOR_CALL_SECONDS if effect.split(maxsplit=1)[0].isupper() else AWS_CALL_SECONDS


def _default(parameter: str) -> str:
    return str(load_template()["Parameters"][parameter]["Default"])


def _minutes(parameter: str) -> int:
    """How many minutes lie between two rings of a timer: the number in `rate(2 minutes)`."""
    return int(_default(parameter).split("(")[1].split()[0])


def _minutes_of(schedule: str | dict[str, str]) -> int:
    return 1 if isinstance(schedule, str) else _minutes(schedule["Ref"])


def _offsets(parameter: str) -> tuple[int, ...]:
    return tuple(int(part) for part in _default(parameter).split(","))


# ------------------------------------------------------------------------------------ the reckoning


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill: so much of something, what it costs, and what is free of it."""

    what: str
    amount: Decimal
    unit: str
    price: Decimal
    free: Decimal = Decimal(0)

    @property
    def listed(self) -> Decimal:
        """Dollars a month at list price."""
        return self.amount * self.price

    @property
    def paid(self) -> Decimal:
        """Dollars a month beyond what every account has for nothing."""
        return max(Decimal(0), self.amount - self.free) * self.price


def reckon(hour: dict[str, Work]) -> list[Line]:
    """The bill of a month."""
    template = load_template()
    functions = of_type(template, FUNCTION)
    memory = Decimal(template["Globals"]["Function"]["MemorySize"]) / 1024
    month = Decimal(HOURS_A_MONTH)
    runs = month * sum(work.runs for work in hour.values())
    seconds = month * sum((work.seconds for work in hour.values()), Decimal(0))
    timers = sum(
        MINUTES_A_MONTH // _minutes_of(event["Schedule"])
        for function in functions.values()
        for event in events(function, "Schedule")
    )
    series = len(Metric) - 1 + len(PRONGS)
    return [
        Line("Lambda, time", seconds * memory, "GB-seconds", LAMBDA_GB_SECOND, FREE_GB_SECONDS),
        Line("Lambda, runs", runs / MILLION, "million", LAMBDA_MILLION_RUNS, FREE_MILLION_RUNS),
        *_queues(hour, runs - timers),
        Line(
            "DynamoDB, writes",
            month * sum(work.writes for work in hour.values()) / MILLION,
            "million",
            DYNAMODB_MILLION_WRITES,
        ),
        Line(
            "DynamoDB, reads",
            month * sum(work.reads for work in hour.values()) / MILLION,
            "million",
            DYNAMODB_MILLION_READS,
        ),
        Line(
            "CloudWatch, alarms",
            Decimal(len(of_type(template, ALARM))),
            "",
            ALARM_PRICE,
            FREE_ALARMS,
        ),
        Line("CloudWatch, metrics", Decimal(series), "", METRIC_PRICE, FREE_METRICS),
        Line("CloudWatch, logs", runs * LOG_BYTES_A_RUN / 1024**3, "GB", LOG_GB, FREE_LOG_GB),
        Line("KMS, the key of the codes", Decimal(1), "", KMS_KEY),
    ]


def _queues(hour: dict[str, Work], from_queues: Decimal) -> list[Line]:
    """Lambda asks each queue all the time; a message that is sent is also deleted."""
    queues = work_queues(load_template()).values()
    asks = Decimal(POLLERS * 60 // POLL_SECONDS * MINUTES_A_MONTH)
    fifo = sum(1 for queue in queues if queue.get("FifoQueue"))
    ticks = len(_offsets("TickOffsetsSeconds")) + 2 * len(_offsets("OrderOffsetsSeconds"))
    others = sum(work.sends for work in hour.values())
    sends = Decimal(ticks * MINUTES_A_MONTH + others * HOURS_A_MONTH)
    standard = asks * (len(queues) - fifo) + sends + from_queues
    return [
        Line(
            "SQS, standard queues",
            standard / MILLION,
            "million",
            SQS_MILLION_REQUESTS,
            FREE_MILLION_SQS_REQUESTS,
        ),
        Line("SQS, FIFO queues", asks * fifo / MILLION, "million", SQS_FIFO_MILLION_REQUESTS),
    ]


def total(lines: Sequence[Line]) -> tuple[Decimal, Decimal]:
    """Dollars a month at list price, and beyond what is free."""
    listed = sum((line.listed for line in lines), Decimal(0))
    return listed, sum((line.paid for line in lines), Decimal(0))


def dollars(amount: Decimal) -> str:
    """As on a bill."""
    return f"{amount.quantize(Decimal('0.01'), ROUND_HALF_UP)}"


def _bill() -> str:
    lines = reckon(idle_hour())
    listed, paid = total(lines)
    rows = ["| what | a month | at list price, $ | beyond the free tier, $ |", "|---|--:|--:|--:|"]
    for line in lines:
        amount = f"{line.amount:,.2f} {line.unit}" if line.unit else f"{line.amount:.0f}"
        rows.append(f"| {line.what} | {amount} | {dollars(line.listed)} | {dollars(line.paid)} |")
    rows.append(f"| **all of it** | | **{dollars(listed)}** | **{dollars(paid)}** |")
    return "\n".join(rows)


def _hour() -> str:
    rows = [
        "| function | runs | seconds a run | reads | writes | messages |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for function, work in idle_hour().items():
        if work.runs:
            a_run = f"{work.runs} | {work.seconds / work.runs:.2f}"
            rows.append(f"| {function} | {a_run} | {work.reads} | {work.writes} | {work.sends} |")
    return "\n".join(rows)


DOCUMENT = Document(name="costs.md", sections={"the bill": _bill, "an idle hour": _hour})


if __name__ == "__main__":
    DOCUMENT.write()
