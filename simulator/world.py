"""One shop, its base, its AWS and its functions, in time that is only reckoned.

A world is built once and begun anew for each history: the base as `ops resume` found it, a new
shop, empty queues. Then time passes: EventBridge's minute, queues whose messages become visible,
the sweep's timer. A tick or a sweep that would find nothing to do is left out; all else happens as
the template has it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, cast, override

import requests
from botocore.exceptions import BotoCoreError, ClientError

from giftcards.clients.airtable import resolve_layout
from giftcards.clients.airtable.layout import BaseField, BaseTable
from giftcards.domain.cards import ShopFacts
from giftcards.domain.drift import Drift
from giftcards.errors import GiftCardError
from giftcards.flows.kinds import (
    REFUSED_REVERSAL,
    REVERSAL,
    held_reversal_key,
    reversal_key,
)
from giftcards.flows.tick import TickEnd
from giftcards.store.attempts import ROW_PREFIX
from giftcards.store.journal import OPERATION_PREFIX, Journal, Operation, State
from giftcards.store.table import AGAIN_QUEUE, OPEN_QUEUE, PARKED_QUEUE, Table
from giftcards.wiring import Application
from sandbox.airtable import Base, build_standard_base
from sandbox.klaviyo import Klaviyo as KlaviyoAccount
from sandbox.shopify import Shop
from simulator.books import COMPARES
from simulator.effects import OFFICE, Effect
from simulator.faults import MINUTE, SECOND, Kind
from simulator.gate import Gate, Plan, PlannedOnes, WorkerKilled
from simulator.stories.story import Settle, Story
from simulator.timeline import Timeline, Timer
from simulator.web import ORDERS, QUEUES, SPENDS, WEB_ROLES, WebProngs
from simulator.worker import Log, Worker
from tests.aws_in_memory.dynamodb import KEYS_PER_BATCH_GET, DynamoDB
from tests.aws_in_memory.kms import Kms
from tests.aws_in_memory.s3 import S3
from tests.aws_in_memory.ses import Ses
from tests.aws_in_memory.sqs import Message, Queue, Sqs
from tests.handlers import handle
from tests.template_resources import (
    TABLE_NAME,
    batch_size,
    create_bucket,
    create_journal,
    create_queues,
    function_seconds,
)
from tests.world import CONFIGURATION_SET, MAIL_FROM, TIMER_EVENT, _config, as_record

if TYPE_CHECKING:
    from simulator.history import Spec, Told

START = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
BASE_ID = "appSimulated00000"

# Of the two workers that an event source may have (`ScalingConfig` in the template).
WORKERS_A_QUEUE = 2

# EventBridge's minute comes a moment after the row; the sweep's rule is not aligned with it.
FIRST_MINUTE = 2 * SECOND
SWEEP_EVERY = 2 * MINUTE
FIRST_SWEEP = 67 * SECOND

# A person gives up after so many tries of a command; what it was about then stays as it is.
TRIES_OF_THE_OFFICE = 5

# An event source looks all the time; a message is in a worker's hands after this.
POLLED_AFTER = SECOND // 20

type Kinds = tuple[Kind, ...]
type Event = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Function:
    """A function of the template: who it is, and whose messages it takes."""

    role: str
    resource: str
    queue: str | None

    @property
    def seconds(self) -> int:
        """How long it may run."""
        return function_seconds(self.resource)


class WatchedTable(DynamoDB):
    """The journal's table; it notices at once what no write may ever do."""

    def __init__(self) -> None:
        super().__init__()
        self.results: dict[str, Any] = {}
        self.fences: dict[str, tuple[int, str | None]] = {}
        self.broken: list[tuple[str, str]] = []
        self.parked: list[str] = []
        self._name = TABLE_NAME
        self.queued: dict[str, tuple[str, int]] = {}

    @property
    def items(self) -> dict[str, Any]:
        """What the table holds, as it holds it."""
        return self._tables[self._name].items

    @override
    def create_table(self, **given: Any) -> dict[str, Any]:
        self._name = given["TableName"]
        return super().create_table(**given)

    def begin(self, items: Mapping[str, Any]) -> None:
        """Hold these items, and have seen nothing yet."""
        self._tables[self._name].items = dict(items)
        self.queued.clear()
        for key, item in items.items():
            self._note_queued(key, item)
        self.results.clear()
        self.fences.clear()
        self.broken.clear()
        self.parked.clear()

    @override
    def get_item(self, **given: Any) -> dict[str, Any]:
        if given["TableName"] != self._name:
            return super().get_item(**given)
        item = self.items.get(given["Key"]["key"])
        return {} if item is None else {"Item": _read(item)}

    @override
    def batch_get_item(self, **given: Any) -> dict[str, Any]:
        ((name, asked),) = given["RequestItems"].items()
        keys = [one["key"] for one in asked["Keys"]]
        if name != self._name or not 0 < len(set(keys)) == len(keys) <= KEYS_PER_BATCH_GET:
            return super().batch_get_item(**given)
        items = self.items
        found = [_read(items[key]) for key in keys if key in items]
        return {"Responses": {name: found}, "UnprocessedKeys": {}}

    @override
    def put_item(self, **given: Any) -> dict[str, Any]:
        reply = super().put_item(**given)
        self._look(given["Item"]["key"])
        return reply

    @override
    def update_item(self, **given: Any) -> dict[str, Any]:
        reply = super().update_item(**given)
        self._look(given["Key"]["key"])
        return reply

    @override
    def transact_write_items(self, **given: Any) -> dict[str, Any]:
        reply = super().transact_write_items(**given)
        for one in given["TransactItems"]:
            self._look(one["Update"]["Key"]["key"])
        return reply

    @property
    def next_due(self) -> int | None:
        """When the sweep is needed next, in epoch seconds; None where nothing is left to do."""
        return min((at for queue, at in self.queued.values() if queue in SWEPT), default=None)

    def _note_queued(self, key: str, item: Mapping[str, Any]) -> None:
        """Whatever waits for a time stands in one of the table's queues."""
        if "queue" in item and "due_at" in item:
            if item["queue"] == PARKED_QUEUE and self.queued.get(key, NOWHERE)[0] != PARKED_QUEUE:
                self.parked.append(key)
            self.queued[key] = (item["queue"], int(item["due_at"]))
        else:
            self.queued.pop(key, None)

    def _look(self, key: str) -> None:
        item = self.items[key]
        self._note_queued(key, item)
        if "result" in item or key in self.results:
            known = self.results.setdefault(key, item.get("result"))
            if item.get("result") != known:
                self.broken.append(("ONE_ANSWER", f"the outcome of {key} was changed"))
        if "lease_owner" in item or key in self.fences:
            fence, owner = int(item.get("lease_fence", 0)), item.get("lease_owner")
            last, known = self.fences.get(key, (0, None))
            if fence < last or (fence == last and owner != known):
                text = f"{key} went from {known} to {owner}, and its fence from {last} to {fence}"
                self.broken.append(("LEASE_FREES", text))
            self.fences[key] = fence, owner


class WatchedQueues(Sqs):
    """The queues; they tell the event sources, and a message may come late or twice."""

    def __init__(self, world: "World") -> None:
        super().__init__(world.clock)
        self._world = world
        self.bodies: list[str] = []
        self.deliver_twice = False
        self.delayed_by = 0

    def queue(self, url: str) -> Queue:
        """A queue by its address."""
        return self._queues[url]

    def begin(self) -> None:
        """Every queue is empty."""
        for queue in self._queues.values():
            queue.messages.clear()
            queue.sent_lately.clear()
        self.bodies.clear()
        self.deliver_twice, self.delayed_by = False, 0

    @override
    def send_message(self, **given: Any) -> dict[str, Any]:
        url = given["QueueUrl"]
        messages = self._queue("SendMessage", url).messages
        self.bodies.append(given["MessageBody"])
        before = len(messages)
        reply = super().send_message(**given)
        if len(messages) > before:
            if self.delayed_by:
                messages[-1].visible_at += self.delayed_by / SECOND
            if self.deliver_twice and "MessageDeduplicationId" in given:
                super().send_message(**given | {"MessageDeduplicationId": f"twice {before}"})
            elif self.deliver_twice:
                super().send_message(**given)
        self.deliver_twice, self.delayed_by = False, 0
        self._world.look_at(url)
        return reply

    @override
    def change_message_visibility(self, **given: Any) -> dict[str, Any]:
        reply = super().change_message_visibility(**given)
        self._world.look_at(given["QueueUrl"])
        return reply


class World:
    """Everything there is; `begin` makes it new."""

    def __init__(self) -> None:
        self.timeline = Timeline(START - timedelta(hours=1))
        self.is_over = False
        self.allowed: frozenset[Kind] = frozenset()
        self.kinds_at: dict[frozenset[Kind], tuple[dict[Effect, Kinds], dict[Effect, Kinds]]] = {}
        self.session = requests.Session()
        self.dynamodb = WatchedTable()
        self.sqs = WatchedQueues(self)
        self.ses = Ses()
        self.kms = Kms()
        create_journal(self.dynamodb)
        self.urls = create_queues(self.sqs)
        key = self.kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        self.config = _config(self.urls, key["KeyMetadata"]["KeyId"], {})
        self.web_prongs = WebProngs(self)
        self._chance = Random(BASE_ID)  # noqa: S311 - ids guard nothing
        self.base = Base(clock=self.clock, base_id=BASE_ID, chance=self._chance)
        build_standard_base(self.base)
        self.functions = {one.role: one for one in FUNCTIONS}
        self._of_queue = {
            self.urls[one.queue]: one for one in self.functions.values() if one.queue is not None
        }
        self._status_fields = {
            name: self.base.table(name).field("Status").id for name in WAITING_TABLES
        }
        self._resend_field = self.base.table("Gift Cards").field("Resend").id
        self.told_plainly: dict[Spec, Told] = {}
        self.story: Story | None = None
        self.workers: list[Worker] = []
        self._waited_at = -1
        self._waiting: Sequence[str] = ()
        self._begin(PlannedOnes(()), jitter=None)
        self.stores = [self._make_store(name) for name in ("Main Street", "Market Hall")]
        self._resume()
        self._kept_items = dict(self.dynamodb.items)
        self._kept_records = {
            table.name: {key: _copy(record) for key, record in table._records.items()}  # noqa: SLF001 - the base has no other way back
            for table in self.base.tables()
        }

    def clock(self) -> datetime:
        """The moment."""
        return self.timeline.now()

    # -------------------------------------------------------------------------- a new history

    def begin(self, plan: Plan, *, allowed: frozenset[Kind], jitter: Random | None) -> None:
        """Begin a history: all is as it was, and nothing has happened."""
        self.timeline.forget()
        self.timeline = Timeline(START)
        self.allowed = allowed
        self.dynamodb.begin(self._kept_items)
        self.sqs.begin()
        for table in self.base.tables():
            kept = self._kept_records[table.name]
            table._records = {key: _copy(one) for key, one in kept.items()}  # noqa: SLF001 - as above
        self.base._late.clear()  # noqa: SLF001 - as above
        self.base._recent.clear()  # noqa: SLF001 - as above
        self.base._penalty_until = None  # noqa: SLF001 - as above
        self._chance.seed(BASE_ID)
        self._waited_at = -1
        self._begin(plan, jitter=jitter)

    def _begin(self, plan: Plan, *, jitter: Random | None) -> None:
        self.is_over = False
        self.shop = Shop(clock=self.clock)
        self.klaviyo = KlaviyoAccount(clock=self.clock)
        self.ses = Ses()
        self.ses.create_email_identity(EmailIdentity=MAIL_FROM)
        self.ses.create_configuration_set(ConfigurationSetName=CONFIGURATION_SET)
        self.s3 = S3()
        create_bucket(self.s3)
        self.services = {
            "dynamodb": self.dynamodb,
            "sqs": self.sqs,
            "ses": self.ses,
            "kms": self.kms,
            "s3": self.s3,
        }
        self.log = Log()
        self.gate = Gate(self, plan, jitter=jitter)
        self.counted: dict[Any, int] = {}
        self.noted: list[tuple[Any, float]] = []
        self.alarms: list[Exception] = []
        self.deaths = 0
        self.running = 0
        self._invocations = 0
        self._busy: dict[str, int] = {}
        self._looking: dict[str, int] = {}
        self._warm: dict[str, list[Worker]] = {}
        self._late_until = 0
        self.web_prongs.begin()
        self.filed: list[str] = []
        self.requested: list[str] = []
        self.asked: dict[str, str] = {}
        self.sent_again: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.web: dict[str, Decimal] = {}
        self.charged_by_mistake: dict[str, Decimal] = {}
        self.reversals: dict[str, Decimal | int] = {}
        self.planted: set[Drift] = set()
        self.is_compared = False
        self.may_be_late = False
        self.is_restless = False
        self.operations: dict[str, Operation] = {}

    def _make_store(self, name: str) -> str:
        address = f"{name.split(maxsplit=1)[0].lower()}@shop.example"
        return self.base.table("Stores").create({"Name": name, "Email": address})["id"]

    def _resume(self) -> None:
        """What `ops resume` does, and the first run of the prong, which Airtable is told of."""
        tables = [_base_table(table.schema()) for table in self.base.tables()]
        layout = resolve_layout(tables, {})

        def resume() -> None:
            app = Worker(self, OFFICE).app
            app.control.keep_layout(layout.to_json())
            shop = self.shop
            app.control.keep_facts(ShopFacts(shop.name, shop.currency, shop.time_zone.key))
            app.control.throw_switch(run=True, by="the simulator", now=self.clock())

        self.timeline.start(resume)
        self.timeline.run(until=lambda: False)
        self.invoke(STORES, TIMER_EVENT)
        for role in WEB_ROLES:
            self._tick(role, 0)
        self.timeline.run(until=self.is_quiet)
        self.sqs.begin()

    # ------------------------------------------------------------------------------ time passes

    def live(self, *, at_most: int) -> bool:
        """Let time pass until all is at rest; False where that takes longer than `at_most` µs."""
        end = self.timeline.us + at_most
        self._minute(FIRST_MINUTE)
        self._sweep(FIRST_SWEEP)
        is_quiet = self.is_quiet
        self.timeline.run(until=lambda: is_quiet() or self.timeline.us > end)
        return self.timeline.us <= end

    def go_on(self, *, at_most: int) -> bool:
        """The same, after somebody did something at rest."""
        end = self.timeline.us + at_most
        self.timeline.run(until=lambda: self.is_quiet() or self.timeline.us > end)
        return self.timeline.us <= end

    def end(self) -> None:
        """The history is over: whatever still sleeps never wakes."""
        self.is_over = True
        self.timeline.forget()
        for worker in self.workers:
            worker.forget()
        self.workers.clear()

    def note_late(self, us: int) -> None:
        """Something happens so much later: before that, nothing is at rest."""
        self._late_until = max(self._late_until, self.timeline.us + us)

    def arrange(self, at: int, act: Callable[[], object]) -> None:
        """Somebody does something at that moment; before that, nothing is at rest."""
        self.timeline.at(at, act)
        self._late_until = max(self._late_until, at)

    def _minute(self, at: int) -> None:
        def minute() -> None:
            now, idle = self.timeline.us, self._idle_for()
            if self.waits():
                self.invoke(STORES, TIMER_EVENT)
            elif idle < MINUTE:  # its own messages would come, too
                self._tick_later(STORES)
            if self.is_on_web:
                for role in WEB_ROLES:
                    self._tick_if_needed(role, 0)
                    if idle < MINUTE:
                        self._tick_later(role)
            self._minute(now + MINUTE * max(1, idle // MINUTE))

        self.timeline.at(at, Timer(minute))

    def _tick_later(self, role: str) -> None:
        for offset in self.config.tick_offsets_seconds:
            at = self.timeline.us + offset * SECOND
            self.timeline.at(at, Timer(self._tick_if_needed, role, offset))

    def _tick_if_needed(self, role: str, offset: int) -> None:
        if self.waits() if role == STORES else self.web_prongs.waits(role):
            self._tick(role, offset)

    def _tick(self, role: str, offset: int) -> None:
        """A message that a prong has sent itself; how those are sent, the stores' prong shows."""
        body = json.dumps({"due": self.clock().isoformat(), "offset": offset})
        self.invoke(role, {"Records": [{"body": body}]})

    @property
    def is_on_web(self) -> bool:
        """Whether the web shop's two prongs are at work in this story."""
        return self.story is not None and self.story.is_on_web

    def _sweep(self, at: int) -> None:
        def sweep() -> None:
            due = self.dynamodb.next_due
            if due is not None and due <= self.clock().timestamp():
                self.invoke("sweep", {})
            self._sweep(self.timeline.us + SWEEP_EVERY * max(1, self._idle_for() // SWEEP_EVERY))

        self.timeline.at(at, Timer(sweep))

    def _idle_for(self) -> int:
        """How long nothing can come up: until then, timers would look in vain."""
        if self.running or self.waits():
            return 0
        if self.is_on_web and any(map(self.web_prongs.waits, WEB_ROLES)):
            return 0
        now, due = self.timeline.us, self.dynamodb.next_due
        moments = [at for queue, at in self.dynamodb.queued.values() if queue in QUEUES.values()]
        if due is not None:
            moments.append(due)
        comes = [int((at - self.timeline.began) * SECOND) for at in moments]
        comes += [at for at in (self._late_until, self.timeline.next_but_timers()) if at > now]
        return max(0, min(comes, default=now) - now)

    def is_quiet(self) -> bool:
        """Whether nobody works, and nothing is left to be done."""
        if self.running or self.timeline.us < self._late_until:
            return False
        if any(self.sqs.queue(url).messages for url in self._one_offs()):
            return False
        if self.dynamodb.next_due is not None or self.waits():
            return False
        return not self.is_on_web or self.web_prongs.are_quiet

    def _one_offs(self) -> list[str]:
        return [url for url, one in self._of_queue.items() if one.role != STORES]

    def waits(self) -> bool:
        """Whether a row in the tables that people fill in waits for us, and not for a person."""
        if self._waited_at != self.base.version:
            self._waited_at = self.base.version
            self._waiting = self._look_for_rows()
        if not all(map(self._is_parked, self._waiting)):
            return True
        return any(map(self._is_to_be_given_back, self.reversals))

    def _is_parked(self, row_id: str) -> bool:
        """Whether it is left to a person, who has not decided yet."""
        return self.dynamodb.queued.get(ROW_PREFIX + row_id, NOWHERE)[0] == PARKED_QUEUE

    def _is_to_be_given_back(self, row_id: str) -> bool:
        """Whether the stores' prong has something to do about what the office wants given back."""
        if row_id in self.deleted:
            return False
        cells = self.base.table("Redemptions").get(row_id)["fields"]
        total = int(Decimal(str(cells["Reverse Amount"])) * 100)
        if f"op#{reversal_key(row_id, total)}" in self.items:
            return False  # from now on it is an operation like any other
        held, approved = f"op#{held_reversal_key(row_id, total)}", cells.get("Approved", False)
        if held in self.items and not approved:
            return False
        refused = f"op#{REFUSED_REVERSAL}#{row_id}#{total}#"
        if any(key.startswith(refused) for key in self.items):
            return False
        # What builds on a total that is parked waits for a person.
        earlier = f"op#{REVERSAL}#{row_id}#"
        queued = self.dynamodb.queued
        return not any(queued[key][0] == PARKED_QUEUE for key in queued if key.startswith(earlier))

    def _look_for_rows(self) -> list[str]:
        """The ids of the rows that are not done, or are to be done again."""
        cards = self.base.table("Gift Cards")._records.values()  # noqa: SLF001 - as below
        rows = [record.id for record in cards if record.cells.get(self._resend_field)]
        for name, status in self._status_fields.items():
            table = self.base.table(name)
            for record in table._records.values():  # noqa: SLF001 - asked at every step
                word = record.cells.get(status)
                if word is None or (word == "Held" and _is_approved(table, record)):
                    rows.append(record.id)
        return rows

    # ----------------------------------------------------------------------------- the functions

    def look_at(self, url: str) -> None:
        """A queue has changed: its event source looks as soon as something is visible."""
        if url in self._of_queue:
            self._look_at(url, self.sqs.queue(url).messages)

    def _look_at(self, url: str, messages: Sequence[Message]) -> None:
        if not messages:
            return
        function = self._of_queue[url]
        first = min(message.visible_at for message in messages)
        us = int((first - self.timeline.began) * SECOND) + POLLED_AFTER
        us = max(us, self.timeline.us + POLLED_AFTER)
        known = self._looking.get(url)
        if known is not None and self.timeline.us <= known <= us:
            return
        self._looking[url] = us
        self.timeline.at(us, partial(self._poll, url, function))

    def _poll(self, url: str, function: Function) -> None:
        self._looking.pop(url, None)
        if self._busy.get(url, 0) >= WORKERS_A_QUEUE:
            return  # it looks again when one of them is done
        if function.role == STORES and not self.waits():
            self._drop_idle_ticks(url)
            return
        messages = self.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=batch_size(function.queue or ""),
            AttributeNames=["All"],
        ).get("Messages", [])
        if messages:
            self._busy[url] = self._busy.get(url, 0) + 1
            event = {"Records": [as_record(message) for message in messages]}
            self.invoke(function.role, event, url=url)
        # What is visible and was not given waits for whoever has a message of its group.
        now = self.clock().timestamp()
        self._look_at(url, [one for one in self.sqs.queue(url).messages if one.visible_at > now])

    def _drop_idle_ticks(self, url: str) -> None:
        """Ticks that would find nothing to do."""
        now = self.clock().timestamp()
        messages = self.sqs.queue(url).messages
        messages[:] = [one for one in messages if one.visible_at > now]
        self._look_at(url, messages)

    def invoke(self, role: str, event: Event, *, url: str | None = None) -> None:
        """Lambda runs the function: a warm worker takes the event, or a new one."""
        self.running += 1
        self.timeline.start(lambda: self._run(self.functions[role], event, url))

    def _run(self, function: Function, event: Event, url: str | None) -> None:
        warm = self._warm.setdefault(function.role, [])
        worker = warm.pop() if warm else Worker(self, function.role)
        self._invocations += 1
        worker.is_fresh, worker.event, worker.invocation = True, event, self._invocations
        worker.ends_at = self.timeline.us + function.seconds * SECOND
        report: Mapping[str, Any] | None = None
        try:
            report = self._take(function, worker, event)
        except WorkerKilled:
            worker.is_dead = True
        except Exception as error:  # noqa: BLE001 - Lambda's own outer loop: the alarm rings
            self.alarms.append(error)
        if self.is_over:
            return
        if not worker.is_dead:
            warm.append(worker)
        self.running -= 1
        if url is not None:
            self._busy[url] -= 1
            self._delete(url, event, report)
            self.look_at(url)

    def _take(self, function: Function, worker: Worker, event: Event) -> Mapping[str, Any]:
        invoke = partial(handle, function.resource, worker.app, event, clock=self.clock)
        if function.role not in WEB_ROLES:
            return invoke()
        with self.web_prongs.looking(function.role) as look:
            report = invoke()
            look.end = TickEnd(report["tick"])
        return report

    def _delete(self, url: str, event: Event, report: Mapping[str, Any] | None) -> None:
        if report is None:
            return  # the messages come back in their own time
        failed = {failure["itemIdentifier"] for failure in report.get("batchItemFailures", ())}
        for record in event["Records"]:
            if record["messageId"] in failed:
                continue
            try:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])
            except Exception:  # noqa: BLE001, S112 - its time was over: it is delivered once more
                continue

    # --------------------------------------------------------------------- what others do meanwhile

    def happen(self, kind: Kind, worker: Worker) -> bool:
        """Somebody else does something at this moment; False where that changed nothing."""
        if kind is Kind.OVERLAPPED:
            self.invoke(worker.role, worker.event)
            return True
        before = (self.base.version, self.shop.version)
        if self.story is not None:
            self.story.happen(self, kind)
        return (self.base.version, self.shop.version) != before

    def note_web(self, card_id: str, amount: Decimal | int) -> None:
        """Something moved on a card without us, and in no order: positive where it was spent."""
        self.web[card_id] = self.web.get(card_id, Decimal(0)) + amount

    def is_behind_by_right(self, card_id: str) -> bool:
        """Whether a card moved without us, so that only the web shop's prong can show it."""
        return not self.is_on_web and card_id in self.web

    # ------------------------------------------------------------------------------------- at rest

    def let_people_decide(self, settlers: Mapping[str, Settle]) -> bool:
        """What waits for a person is decided, and dead letters are sent again; False if none is."""
        did = self._redrive()
        parked = [key for key, item in self.items.items() if item.get("queue") == PARKED_QUEUE]
        for key in parked:
            self.ask_office(partial(self._decide_one, key, settlers))
            did = True
        for name in ("Redemptions", "Creation Requests"):
            table = self.base.table(name)
            for record in table.records():
                cells = record["fields"]
                if cells.get("Status") == "Held" and "Approved" not in cells:
                    table.update(record["id"], {"Approved": True})
                    did = True
        for row_id in self.reversals:
            did = self._approve_reversal(row_id) or did
        return self._release_orders() or did

    def _approve_reversal(self, row_id: str) -> bool:
        """The office says once more that so much is to be given back."""
        table = self.base.table("Redemptions")
        cells = table.get(row_id)["fields"]
        total = int(Decimal(str(cells["Reverse Amount"])) * 100)
        is_held = f"op#{held_reversal_key(row_id, total)}" in self.items
        if not is_held or f"op#{reversal_key(row_id, total)}" in self.items:
            return False
        table.update(row_id, {"Approved": not cells.get("Approved", False)})
        return True

    def _release_orders(self) -> bool:
        """The office ticks what is held, and takes a tick away that had no effect."""
        did = False
        table = self.base.table("Processed Orders")
        for record in table.records() if self.is_on_web else ():
            if record["fields"].get("Status") == "Held":
                table.update(record["id"], {"Release": not record["fields"].get("Release", False)})
                self.web_prongs.releases += 1
                did = True
        return did

    def _decide_one(self, key: str, settlers: Mapping[str, Settle], app: Application) -> None:
        if not key.startswith(OPERATION_PREFIX):
            app.attempts.unpark(key.removeprefix(ROW_PREFIX))
            return
        operation = app.journal.load(key.removeprefix(OPERATION_PREFIX))
        if operation is None or operation.state is not State.PARKED:
            return  # the try before this one was heard
        if operation.kind in settlers:
            settlers[operation.kind](self, app, operation)
        else:
            app.journal.unpark(operation, due_at=self.clock())

    def ask_office(self, command: Callable[[Application], object]) -> None:
        """Somebody in the office types a command."""
        self.running += 1

        def work() -> None:
            self._as_office(command)
            self.running -= 1

        self.timeline.start(work)

    def _as_office(self, command: Callable[[Application], object]) -> None:
        """Whoever typed a command that was cut off, or failed, types it again."""
        for _ in range(TRIES_OF_THE_OFFICE):
            worker = Worker(self, OFFICE)
            try:
                command(worker.app)
                break
            except WorkerKilled:
                if self.is_over:
                    return
            except (GiftCardError, BotoCoreError, ClientError) as error:
                self.alarms.append(error)
            self.timeline.sleep(MINUTE)

    def _redrive(self) -> bool:
        did = False
        for url in self._of_queue:
            queue = self.sqs.queue(url)
            dead = queue.dead_letters
            if dead is None or not dead.messages:
                continue
            for message in dead.messages:
                message.visible_at = self.clock().timestamp()
                message.receives, message.handle = 0, None
            queue.messages += dead.messages
            dead.messages.clear()
            self.look_at(url)
            did = True
        return did

    @property
    def items(self) -> dict[str, Any]:
        """What the table holds."""
        return self.dynamodb.items

    @property
    def new_items(self) -> list[Mapping[str, Any]]:
        """What it holds that was written in this history."""
        kept = self._kept_items
        return [item for key, item in self.items.items() if item is not kept.get(key)]

    @property
    def done_cells(self) -> list[Mapping[str, Any]]:
        """The cells of all rows, by field ids; but not of what people filled in and is not done."""
        done: list[Mapping[str, Any]] = []
        for table in self.base.tables():
            status = self._status_fields.get(table.name)
            done.extend(
                record.cells
                for record in table._records.values()  # noqa: SLF001 - asked of every history
                if status is None or record.cells.get(status) not in NOT_DONE
            )
        return done

    @property
    def may_be_doubled(self) -> bool:
        """Whether our records in Airtable may stand there twice.

        Somebody duplicated them, or a creation was applied after we had looked for it in vain:
        Airtable cannot say "unless it is there". Comparing the books finds those.
        """
        return any(
            one.kind is Kind.RECORD_DOUBLED
            or (one.kind is Kind.APPLIED_LATE and "airtable create" in one.effect)
            for one in self.gate.met
        )

    def look(self) -> None:
        """Read the journal as it stands now."""
        keys = [key.removeprefix(OPERATION_PREFIX) for key in self.items if key.startswith("op#")]
        self.operations = Journal(Table(cast("Any", self.dynamodb), name=TABLE_NAME)).load_many(
            keys
        )

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table, by field names."""
        return [dict(record["fields"]) for record in self.base.table(table).records()]

    def settle_clock(self) -> None:
        """Have the vendors apply what was to be applied late and is due."""
        with self.shop.at_rest():
            self.base.settle()


# The queues of the due index that the sweep reads.
SWEPT = frozenset({OPEN_QUEUE, AGAIN_QUEUE})

# A row that people filled in keeps its code until it is done.
NOT_DONE = frozenset({None, "In Progress", "Held"})

# What stands in no queue.
NOWHERE = ("", 0)

# What an item holds that nobody can change.
PLAIN = frozenset({str, Decimal, bool, type(None)})

STORES = "prong"

WAITING_TABLES = ("Redemptions", "Creation Requests", "Balance Checks")


def _is_approved(table: Any, record: Any) -> bool:  # noqa: ANN401 - the base's own records
    return any(
        one.name == "Approved" and record.cells.get(one.id) is True for one in table.fields()
    )


def _read(value: dict[str, Any]) -> dict[str, Any]:
    """A copy of an item, as quick as the most frequent thing in a history has to be."""
    return {name: part if type(part) in PLAIN else _part(part) for name, part in value.items()}


def _part(value: Any) -> Any:  # noqa: ANN401 - whatever stands in an item
    kind = type(value)
    if kind is dict:
        return _read(value)
    if kind is list:
        return [part if type(part) in PLAIN else _part(part) for part in value]
    return set(value) if kind is frozenset else value


def _copy(record: Any) -> Any:  # noqa: ANN401 - the base's own records
    return type(record)(record.id, record.created_time, dict(record.cells))


def _base_table(schema: Mapping[str, Any]) -> BaseTable:
    return BaseTable(
        id=schema["id"],
        name=schema["name"],
        fields=tuple(
            BaseField(
                id=one["id"],
                name=one["name"],
                type=one["type"],
                choices=frozenset(c["name"] for c in one["options"]["choices"])
                if one["type"] == "singleSelect"
                else frozenset(),
            )
            for one in schema["fields"]
        ),
    )


FUNCTIONS = (
    Function(STORES, "StoreTransactions", "StoreTicksQueue"),
    Function(ORDERS, "ShopifyPurchases", None),
    Function(SPENDS, "ShopifyRedemptions", None),
    Function("answer", "AnswerStore", "AnswerStoreQueue"),
    Function("write", "WriteAirtable", "WriteAirtableQueue"),
    Function("issue", "IssueCards", "IssueCardsQueue"),
    Function("deliver", "DeliverToCustomer", "DeliverToCustomerQueue"),
    Function("adjust", "AdjustBalance", "AdjustBalanceQueue"),
    Function("tag", "TagOrder", "TagOrderQueue"),
    Function("sweep", "Sweep", None),
    Function(COMPARES, "Reconcile", None),
)
