"""A whole shop in one process: the vendors in a box, AWS by moto, and a clock that obeys.

Nothing here stands in for our own code. A *worker* is what Lambda would start: it takes a tick, a
message or a timer, and may be killed before or after any of its effects, that is every call it
makes to AWS or to a vendor.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock, get_ident
from typing import Any, Literal
from unittest.mock import patch
from uuid import uuid4

import boto3
import botocore.loaders
import botocore.session
import requests
import time_machine
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends
from moto.sqs.models import sqs_backends

from giftcards.clients.airtable import read_schema, resolve_layout
from giftcards.config import Config, Secrets
from giftcards.errors import NeedsAPerson
from giftcards.flows.messages import take_each, take_together
from giftcards.flows.tick import TickEnd
from giftcards.logs import build_logger
from giftcards.wiring import STORES_PRONG, Application, now
from sandbox.airtable import Base, build_standard_base
from sandbox.airtable import create_app as airtable_app
from sandbox.klaviyo import Klaviyo as KlaviyoAccount
from sandbox.klaviyo import create_app as klaviyo_app
from sandbox.shopify import Shop
from sandbox.shopify import create_app as shopify_app
from sandbox.wsgi import WsgiAdapter
from tests.cloudformation import load_template

REGION = "us-east-1"
START = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
SHOP_URL = "https://shop.test"
AIRTABLE_URL = "https://airtable.test"
KLAVIYO_URL = "https://klaviyo.test"
SHOP_TOKEN = "shpat_sandbox"
AIRTABLE_TOKEN = "patSandbox"
KLAVIYO_KEY = "pk_sandbox"
BASE_ID = "appSandbox0000000"
MAIL_FROM = "cards@shop.example"
OFFICE = "office@shop.example"
PEPPER = "a pepper of more than thirty-two characters"

# A worker's time, as in the template.
WORKER_SECONDS = 20

# Reading AWS's service descriptions takes longer than everything else in a world's beginning.
SERVICE_DESCRIPTIONS = botocore.loaders.create_loader()

# After this many rounds a shop that is not quiet never will be.
ROUNDS_TO_QUIET = 100

When = Literal["before", "after"]


class WorkerKilled(BaseException):
    """The worker's process is gone. Nothing of ours may catch this."""


@dataclass
class Effects:
    """Counts every call a worker makes to the outside, and kills it at the chosen ones.

    `kill_at` chooses by place, `kill_on` the next call whose name holds a word; `watch` is told of
    each call before it happens. A dead worker has no effects: whatever its `finally` blocks still
    try raises again.
    """

    seen: list[str] = field(default_factory=list)
    kill_at: dict[int, When] = field(default_factory=dict)
    kill_on: dict[str, When] = field(default_factory=dict)
    watch: Callable[[str], None] | None = None
    dead: bool = False
    deaths: int = 0
    turn: Lock = field(default_factory=Lock)

    def revive(self) -> None:
        """The next worker starts."""
        self.dead = False

    def begin(self, name: str) -> int:
        """An effect is about to happen; returns its place among all of them."""
        if self.dead:
            raise WorkerKilled(name)
        with self.turn:
            place = len(self.seen)
            self.seen.append(name)
        if self.watch is not None:
            self.watch(name)
        self._kill_if_due(place, "before")
        return place

    def end(self, place: int) -> None:
        """The effect has happened."""
        self._kill_if_due(place, "after")

    def _kill_if_due(self, place: int, when: When) -> None:
        name = self.seen[place]
        words = [word for word, at in self.kill_on.items() if at == when and word in name]
        for word in words:
            del self.kill_on[word]
        if words or self.kill_at.get(place) == when:
            self.dead = True
            self.deaths += 1
            raise WorkerKilled(f"{when} {name}")


class CountingSession(requests.Session):
    """A session whose every request is an effect of the worker that sends it."""

    def __init__(self, effects: Effects) -> None:
        super().__init__()
        self.effects = effects

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        place = self.effects.begin(f"{request.method} {_describe(request)}")
        try:
            return super().send(request, **kwargs)
        finally:
            self.effects.end(place)


def _describe(request: requests.PreparedRequest) -> str:
    """The request in words: a GraphQL operation's name, else the path."""
    if request.url and request.url.endswith("/graphql.json"):
        query = json.loads(request.body or "{}")["query"]
        return " ".join(query.split()[:2]).split("(")[0]
    return str(request.path_url).split("?")[0]


class World:
    """The shop, its base, its AWS, and the workers that serve it."""

    def __init__(self, traveller: time_machine.Traveller, **settings: Any) -> None:
        self._traveller = traveller
        self.effects = Effects()
        self.alarms: list[Exception] = []
        self.shop = Shop(clock=now, currency="USD", time_zone="America/New_York")
        self.shop.add_static_token(SHOP_TOKEN)
        self.base = Base(clock=now, token=AIRTABLE_TOKEN, base_id=BASE_ID)
        build_standard_base(self.base)
        self.klaviyo = KlaviyoAccount(clock=now, key=KLAVIYO_KEY)
        self.session = CountingSession(self.effects)
        self.session.mount(SHOP_URL, WsgiAdapter(shopify_app(self.shop)))
        self.session.mount(AIRTABLE_URL, WsgiAdapter(airtable_app(self.base)))
        self.session.mount(KLAVIYO_URL, WsgiAdapter(klaviyo_app(self.klaviyo)))
        self.aws = _session()
        self.sqs = self.aws.client("sqs")
        self.dynamodb = self.aws.client("dynamodb")
        self.queue_urls = _create_resources(self.aws)
        self.config = _config(self.queue_urls, settings)
        store = {"Name": "Main Street", "Email": "main@shop.example"}
        self.store_id = self.base.table("Stores").create(store)["id"]
        self.new_worker()

    def new_worker(self) -> Application:
        """A cold start: nothing is left of the last worker but what it wrote."""
        aws = _session()
        _count_calls(aws, self.effects)
        self.effects.revive()
        self.app = Application(
            config=self.config,
            secrets=Secrets(
                shopify_token=SHOP_TOKEN,
                shopify_client_id=None,
                shopify_client_secret=None,
                airtable_token=AIRTABLE_TOKEN,
                klaviyo_key=KLAVIYO_KEY,
                peppers=(PEPPER.encode(),),
            ),
            aws=aws,
            vendors=self.session,
            clock=now,
            logger=build_logger(f"tests-{uuid4().hex[:6]}"),  # a logger keeps its first stdout
            sleep=self.advance,
            monotonic=lambda: now().timestamp(),
        )
        return self.app

    def resume(self) -> None:
        """What `ops resume` does."""
        schema = read_schema(
            AIRTABLE_TOKEN,
            base_id=BASE_ID,
            session=self.session,
            endpoint_url=AIRTABLE_URL,
            timeout_seconds=5,
        )
        layout = resolve_layout(schema, self.config.airtable_names)
        self.app.control.keep_layout(layout.to_json())
        self.app.control.keep_facts(self.app.shopify.shop_facts())
        self.app.control.throw_switch(run=True, by="tests", now=now())

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._traveller.shift(timedelta(seconds=seconds))

    def ask(self, **cells: object) -> str:
        """A store files a redemption; returns the row's id. Field names with underscores."""
        row = {"Store": [self.store_id], "Employee": "Ana", "Amount": 10}
        row |= {name.replace("_", " "): value for name, value in cells.items()}
        typed = {name: value for name, value in row.items() if value is not None}
        return self.base.submit_form("Redemptions", typed)["id"]

    def row(self, row_id: str) -> dict[str, Any]:
        """The cells of a redemption row as Airtable shows them."""
        return dict(self.base.table("Redemptions").get(row_id)["fields"])

    def cells(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table."""
        return [dict(record["fields"]) for record in self.base.table(table).records()]

    # ------------------------------------------------------------------------------ the workers

    def tick(self) -> TickEnd | None:
        """EventBridge's minute reaches the stores' prong; `None` where its worker was killed."""
        return self._work(lambda app: self._tick(app, {"source": "aws.events"}))

    def _tick(self, app: Application, event: dict[str, Any]) -> TickEnd:
        deadline = now() + timedelta(seconds=WORKER_SECONDS)
        return app.tick(STORES_PRONG).take(event, lambda: app.serve_stores().run(deadline))

    def delayed_tick(self, *, late_by_seconds: int) -> TickEnd | None:
        """One of our own delayed messages arrives, later than it was meant to."""
        due = now() - timedelta(seconds=late_by_seconds)
        event = {"Records": [{"body": json.dumps({"due": due.isoformat()})}]}
        return self._work(lambda app: self._tick(app, event))

    def sweep(self) -> int | None:
        """The sweep's timer; an error it ends with rings an alarm, and the next timer comes."""
        try:
            return self._work(
                lambda app: app.sweep().run(now() + timedelta(seconds=WORKER_SECONDS))
            )
        except NeedsAPerson as error:
            self.alarms.append(error)
            return None

    def drain(self) -> None:
        """The one-offs take their messages, batch after batch, until none is visible."""
        for _ in range(ROUNDS_TO_QUIET):
            answers = self._receive("AnswerStoreQueue", 10)
            writes = self._receive("WriteAirtableQueue", 10)
            if not answers and not writes:
                return
            self._consume("AnswerStoreQueue", answers, self._answer)
            self._consume("WriteAirtableQueue", writes, self._write)
        raise AssertionError("the queues never ran dry")

    def serve(self) -> None:
        """One minute of a healthy shop: a tick, and all that follows from it."""
        self.tick()
        self.drain()

    def come_to_rest(self) -> None:
        """Let time, ticks and sweeps pass until nothing is left to do."""
        for _ in range(ROUNDS_TO_QUIET):
            deaths = self.effects.deaths
            self.advance(60)
            self.tick()
            self.sweep()
            self.drain()
            if deaths == self.effects.deaths and self._is_quiet():
                return
        raise AssertionError("the shop never came to rest")

    def _is_quiet(self) -> bool:
        items = self.dynamodb.scan(TableName=self.config.table_name, ConsistentRead=True)["Items"]
        unfinished = [item for item in items if "queue" in item]
        in_flight = sum(
            int(
                self.sqs.get_queue_attributes(
                    QueueUrl=self.queue_urls[name], AttributeNames=["All"]
                )["Attributes"][attribute]
            )
            for name in ("AnswerStoreQueue", "WriteAirtableQueue")
            for attribute in (
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
            )
        )
        return not unfinished and not in_flight

    def _answer(self, app: Application, event: Mapping[str, Any]) -> dict[str, Any]:
        flow = app.answer_store()
        return take_each(
            event,
            lambda message: flow.answer(message["operation"]),
            retry_soon=app.queues.retry_answer_soon,
            logger=app.logger,
        )

    def _write(self, app: Application, event: Mapping[str, Any]) -> dict[str, Any]:
        return take_together(
            event,
            app.write_airtable().write,
            retry_soon=app.queues.retry_write_soon,
            logger=app.logger,
        )

    def _work[Result](self, work: Callable[[Application], Result]) -> Result | None:
        try:
            return work(self.app)
        except WorkerKilled:
            self.new_worker()
            return None

    def _receive(self, queue: str, most: int) -> list[dict[str, Any]]:
        reply = self.sqs.receive_message(
            QueueUrl=self.queue_urls[queue], MaxNumberOfMessages=most, AttributeNames=["All"]
        )
        return [dict(message) for message in reply.get("Messages", [])]

    def _consume(
        self,
        queue: str,
        messages: list[dict[str, Any]],
        take: Callable[[Application, Mapping[str, Any]], dict[str, Any]],
    ) -> None:
        """What Lambda's event source does: invoke, then delete what did not fail."""
        if not messages:
            return
        event = {"Records": [_record(message) for message in messages]}
        report = self._work(lambda app: take(app, event))
        if report is None:
            return
        failed = {failure["itemIdentifier"] for failure in report["batchItemFailures"]}
        for message in messages:
            if message["MessageId"] not in failed:
                self.sqs.delete_message(
                    QueueUrl=self.queue_urls[queue], ReceiptHandle=message["ReceiptHandle"]
                )

    # --------------------------------------------------------------------------- what people see

    def mails(self) -> list[Any]:
        """All mail SES has sent."""
        return list(ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages)

    def items(self) -> list[dict[str, Any]]:
        """Everything in the journal's table."""
        table = self.aws.resource("dynamodb").Table(self.config.table_name)
        return list(table.scan(ConsistentRead=True)["Items"])

    def delayed_ticks(self) -> list[tuple[int, dict[str, Any]]]:
        """The ticks sent so far: delay in seconds and body."""
        queue = sqs_backends[DEFAULT_ACCOUNT_ID][REGION].queues["StoreTicksQueue"]
        return [
            (round(message.delayed_until / 1000 - now().timestamp()), json.loads(message.body))
            for message in queue._messages  # noqa: SLF001 - moto shows them nowhere else
        ]

    def queued_bodies(self) -> list[str]:
        """Every message body that is in a queue now."""
        return [
            message.body
            for queue in sqs_backends[DEFAULT_ACCOUNT_ID][REGION].queues.values()
            for message in queue._messages  # noqa: SLF001 - moto shows them nowhere else
        ]


@contextmanager
def _one_call_at_a_time() -> Iterator[None]:
    """moto's tables are not made for several threads; the workers' own threads go on side by side.

    What several writers do to one table at once is shown on the embedded AWS.
    """
    turn = Lock()
    answer = BotocoreStubber.__call__

    def in_turn(stubber: BotocoreStubber, *arguments: Any, **named: Any) -> Any:
        with turn:
            return answer(stubber, *arguments, **named)

    with patch.object(BotocoreStubber, "__call__", in_turn):
        yield


@contextmanager
def running_world(*, resumed: bool = True, **settings: Any) -> Iterator[World]:
    """A world whose time stands still until it is told to pass, resumed unless told otherwise."""
    with (
        time_machine.travel(START, tick=False) as traveller,
        mock_aws(),
        _one_call_at_a_time(),
    ):
        world = World(traveller, **settings)
        if resumed:
            world.resume()
        world.effects.seen.clear()
        yield world


def _session() -> boto3.session.Session:
    """A session of its own that reads AWS's service descriptions once for all of them."""
    inner = botocore.session.Session()
    inner.register_component("data_loader", SERVICE_DESCRIPTIONS)
    return boto3.session.Session(botocore_session=inner, region_name=REGION)


def _config(queue_urls: Mapping[str, str], settings: Mapping[str, Any]) -> Config:
    values: dict[str, Any] = {
        "stage": "test",
        "table_name": "journal",
        "shopify_url": SHOP_URL,
        "airtable_url": AIRTABLE_URL,
        "airtable_base_id": BASE_ID,
        "airtable_names": {},
        "klaviyo_url": KLAVIYO_URL,
        "secrets_prefix": "/universal-gift-cards/test",
        "mail_from": MAIL_FROM,
        "office_email": OFFICE,
        "live_from": START - timedelta(hours=1),
        "tick_queue_url": queue_urls["StoreTicksQueue"],
        "answer_store_queue_url": queue_urls["AnswerStoreQueue"],
        "write_airtable_queue_url": queue_urls["WriteAirtableQueue"],
        "tick_offsets_seconds": (15, 30, 45),
        "tick_tolerance_seconds": 10,
        "lease_seconds": 30,
        "http_timeout_seconds": 5,
        "settling_seconds": 120,
        "rows_per_run": 100,
        "patience_seconds": 900,
        "duplicate_seconds": 600,
        "look_again_seconds": 60,
        "most_misses": 20,
        "misses_seconds": 600,
        "accept_historical": False,
    }
    return Config(**(values | dict(settings)))


def _create_resources(aws: boto3.session.Session) -> dict[str, str]:
    """Table and queues as the template has them; returns the queues' addresses."""
    resources = load_template()["Resources"]
    journal = resources["Journal"]["Properties"]
    aws.client("dynamodb").create_table(
        TableName="journal",
        BillingMode=journal["BillingMode"],
        KeySchema=journal["KeySchema"],
        AttributeDefinitions=journal["AttributeDefinitions"],
        GlobalSecondaryIndexes=journal["GlobalSecondaryIndexes"],
    )
    urls = {}
    sqs = aws.client("sqs")
    for name, resource in resources.items():
        if resource["Type"] != "AWS::SQS::Queue":
            continue
        properties = resource["Properties"]
        fifo = bool(properties.get("FifoQueue"))
        attributes = {"VisibilityTimeout": str(properties.get("VisibilityTimeout", 30))}
        if fifo:
            attributes["FifoQueue"] = "true"
        urls[name] = sqs.create_queue(
            QueueName=f"{name}.fifo" if fifo else name,
            Attributes=attributes,  # type: ignore[arg-type] # a dict of the same keys
        )["QueueUrl"]
    aws.client("sesv2").create_email_identity(EmailIdentity=MAIL_FROM)
    return urls


def _count_calls(aws: boto3.session.Session, effects: Effects) -> None:
    """Make every call of this session's clients an effect."""

    running: dict[int, int] = {}

    def before(model: Any, **_: Any) -> None:
        name = f"{model.service_model.service_name} {model.name}"
        running[get_ident()] = effects.begin(name)

    def after(**_: Any) -> None:
        effects.end(running.pop(get_ident()))

    aws.events.register("before-call", before)
    aws.events.register("after-call", after)


def _record(message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
    }
