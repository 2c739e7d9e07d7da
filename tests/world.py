"""A whole shop in one process: the vendors in a box, AWS in memory, and a clock that obeys.

Nothing here stands in for our own code. A *worker* is what Lambda would start: it takes a tick, a
message or a timer, and may be killed before or after any of its effects, that is every call it
makes to AWS or to a vendor.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from threading import Lock, get_ident
from typing import Any
from uuid import uuid4

import requests
import time_machine

from giftcards.clients.airtable import read_schema, resolve_layout
from giftcards.config import Config, Secrets
from giftcards.errors import NeedsAPerson
from giftcards.flows.reconcile.reconcile import RunEnd
from giftcards.flows.tick import TickEnd
from giftcards.logs import build_logger
from giftcards.receipts import Action
from giftcards.store.journal import Journal
from giftcards.store.table import AGAIN_QUEUE, LOOK_QUEUE, OPEN_QUEUE, PARKED_QUEUE, Table
from giftcards.wiring import (
    Application,
    now,
)
from sandbox.airtable import Base, build_standard_base
from sandbox.airtable import create_app as airtable_app
from sandbox.klaviyo import Klaviyo as KlaviyoAccount
from sandbox.klaviyo import create_app as klaviyo_app
from sandbox.shopify import Shop
from sandbox.shopify import create_app as shopify_app
from sandbox.wsgi import WsgiAdapter
from tests.accounts import AccountInMemory, AccountKind, AwsAccount, SentMail, moto_account
from tests.aws_in_memory.dynamodb import DynamoDB
from tests.effects import Effects, When, WorkerKilled
from tests.handlers import handle
from tests.snapshots import Snapshot
from tests.template_resources import (
    BUCKET_NAME,
    TABLE_NAME,
    batch_size,
    create_bucket,
    create_journal,
    create_queues,
)

__all__ = ["WORKERS", "Effects", "When", "WorkerKilled", "World", "running_world"]

START = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
SHOP_URL = "https://shop.test"
AIRTABLE_URL = "https://airtable.test"
KLAVIYO_URL = "https://klaviyo.test"
SHOP_TOKEN = "shpat_sandbox"
AIRTABLE_TOKEN = "patSandbox"
KLAVIYO_KEY = "pk_sandbox"
BASE_ID = "appSandbox0000000"
CONFIGURATION_SET = "tests"
MAIL_FROM = "cards@shop.example"
OFFICE = "office@shop.example"
PEPPER = "a pepper of more than thirty-two characters"

# A worker's time, as in the template.
WORKER_SECONDS = 20

# What EventBridge says each minute.
TIMER_EVENT = {"source": "aws.events"}

# Which function of the template each of the world's workers is.
WORKERS = {
    "take_tick": "StoreTransactions",
    "take_buy_tick": "ShopifyPurchases",
    "take_spend_tick": "ShopifyRedemptions",
    "_answer": "AnswerStore",
    "_write": "WriteAirtable",
    "_issue": "IssueCards",
    "_adjust": "AdjustBalance",
    "_deliver": "DeliverToCustomer",
    "_tag": "TagOrder",
    "_sweep": "Sweep",
    "take_reconcile": "Reconcile",
}

# After this many rounds a shop that is not quiet never will be.
ROUNDS_TO_QUIET = 100

# The fullest test has two hundred orders, each with some ten messages, many of them alone in their
# batch; one that goes round in circles ends here.
BATCHES_TO_RUN_DRY = 2_000


@dataclass(frozen=True, slots=True)
class Standing:
    """What has happened and is left to do: the versions of what vendors hold, and what waits."""

    base: int
    shop: int
    due: Mapping[str, float]
    messages: Sequence[tuple[str, float]]
    accidents: int
    deaths: int


class CountingSession(requests.Session):
    """A session whose every request is an effect of the worker that sends it."""

    def __init__(self, effects: Effects) -> None:
        super().__init__()
        self.trust_env = False  # no proxy stands between us and ourselves
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


type Event = Mapping[str, Any]
type Report = dict[str, Any]
type Take = Callable[[Application, Event], Report]


@dataclass(frozen=True, slots=True)
class KeptMoment:
    """A moment of a world that it can go back to."""

    at: datetime
    snapshot: Snapshot


class World:
    """The shop, its base, its AWS, and the workers that serve it."""

    def __init__(
        self,
        traveller: time_machine.Traveller,
        account: AwsAccount,
        *,
        currency: str = "USD",
        time_zone: str = "America/New_York",
        **settings: Any,
    ) -> None:
        self._traveller = traveller
        self._account = account
        self._clock_read: dict[int, float] = {}
        self._sleeping = Lock()
        self.effects = Effects()
        self.alarms: list[Exception] = []
        self.peppers: tuple[bytes, ...] = (PEPPER.encode(),)
        self.shop = Shop(clock=now, currency=currency, time_zone=time_zone)
        self.shop.add_static_token(SHOP_TOKEN)
        chance = Random(BASE_ID)  # noqa: S311 - ids guard nothing, and are the same each time
        self.base = Base(clock=now, token=AIRTABLE_TOKEN, base_id=BASE_ID, chance=chance)
        build_standard_base(self.base)
        self.klaviyo = KlaviyoAccount(clock=now, key=KLAVIYO_KEY)
        self.session = CountingSession(self.effects)
        self.session.mount(SHOP_URL, WsgiAdapter(shopify_app(self.shop)))
        self.session.mount(AIRTABLE_URL, WsgiAdapter(airtable_app(self.base)))
        self.session.mount(KLAVIYO_URL, WsgiAdapter(klaviyo_app(self.klaviyo)))
        aws = account.session()
        self.sqs = aws.client("sqs")
        self.ses = aws.client("sesv2")
        self.dynamodb = aws.resource("dynamodb").meta.client
        create_journal(self.dynamodb)
        self.s3 = aws.client("s3")
        create_bucket(self.s3)
        self.queue_urls = create_queues(self.sqs)
        self.journal = Journal(Table(self.dynamodb, name=TABLE_NAME))  # looking has no effect
        self.ses.create_email_identity(EmailIdentity=MAIL_FROM)
        self.ses.create_configuration_set(ConfigurationSetName=CONFIGURATION_SET)
        self.kms = aws.client("kms")
        self.config = _config(self.queue_urls, self.make_code_key(), settings)
        store = {"Name": "Main Street", "Email": "main@shop.example"}
        self.store_id = self.base.table("Stores").create(store)["id"]
        self.logger = build_logger(f"tests-{uuid4().hex[:6]}")  # a logger keeps its first stdout
        self.new_worker()

    def make_code_key(self) -> str:
        """A new key for the codes of cards; returns its id."""
        key = self.kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        return key["KeyMetadata"]["KeyId"]

    def rotate_code_key(self) -> None:
        """What a retailer does: a new key in front, the old one behind it, and new workers."""
        newest = self.make_code_key()
        self.config = replace(self.config, code_key_ids=(newest, *self.config.code_key_ids))
        self.new_worker()

    def keep(self) -> "KeptMoment":
        """Keep this moment, to come back to it. No worker may be at work."""
        anchors = [self.shop, self.base, self.klaviyo, *self._account.parts()]
        return KeptMoment(at=now(), snapshot=Snapshot.of(anchors))

    def go_back(self, kept: "KeptMoment") -> None:
        """All is as it was at that moment, and a new worker starts; effects count from here."""
        kept.snapshot.restore()
        self._traveller.move_to(kept.at)
        self.effects.forget()
        self.alarms.clear()
        self.new_worker()

    def keep_journal(self) -> Snapshot:
        """What the journal holds now; its `restore()` brings that back, and nothing else."""
        return Snapshot.of([one for one in self._account.parts() if isinstance(one, DynamoDB)])

    def new_worker(self) -> Application:
        """A cold start: nothing is left of the last worker but what it wrote."""
        aws = self._account.session(self.effects)
        self.effects.revive()
        self.app = Application(
            config=self.config,
            secrets=Secrets(
                shopify_token=SHOP_TOKEN,
                shopify_client_id=None,
                shopify_client_secret=None,
                airtable_token=AIRTABLE_TOKEN,
                klaviyo_key=KLAVIYO_KEY,
                peppers=self.peppers,
            ),
            aws=aws,
            vendors=self.session,
            clock=now,
            logger=self.logger,
            sleep=self._sleep,
            monotonic=self._read_clock,
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
        layout = resolve_layout(schema, self.app.airtable_names)
        self.app.control.keep_layout(layout.to_json())
        self.app.control.keep_facts(self.app.shopify.shop_facts())
        self.app.control.throw_switch(run=True, by="tests", now=now())

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._traveller.shift(timedelta(seconds=seconds))

    def _read_clock(self) -> float:
        """The clock of a worker's thread; what it reads is where its next sleep begins."""
        self._clock_read[get_ident()] = now().timestamp()
        return self._clock_read[get_ident()]

    def _sleep(self, seconds: float) -> None:
        """Threads sleep side by side: time passes until the last of them wakes, not for each."""
        wakes_at = self._clock_read[get_ident()] + seconds
        with self._sleeping:
            self.advance(max(0.0, wakes_at - now().timestamp()))

    def ask(self, **cells: object) -> str:
        """A store files a redemption; returns the row's id. Field names with underscores."""
        row = {"Store": [self.store_id], "Employee": "Ana", "Amount": 10}
        row |= {name.replace("_", " "): value for name, value in cells.items()}
        typed = {name: value for name, value in row.items() if value is not None}
        return self.base.submit_form("Redemptions", typed)["id"]

    def sell(self, **cells: object) -> str:
        """A store files a creation request; returns the row's id. Field names with underscores."""
        row = {
            "Store": [self.store_id],
            "Employee": "Ana",
            "Amount": 25,
            "Recipient Name": "Rosa",
            "Recipient Email": "rosa@example.com",
        }
        row |= {name.replace("_", " "): value for name, value in cells.items()}
        typed = {name: value for name, value in row.items() if value is not None}
        return self.base.submit_form("Creation Requests", typed)["id"]

    def check_balance(self, code: str, email: str = "rosa@example.com") -> str:
        """A customer asks for a balance on the website; returns the row's id."""
        row = {"Gift Card Code": code, "Email": email}
        return self.base.submit_form("Balance Checks", row)["id"]

    def request(self, row_id: str) -> dict[str, Any]:
        """The cells of a creation request as Airtable shows them."""
        return dict(self.base.table("Creation Requests").get(row_id)["fields"])

    def row(self, row_id: str) -> dict[str, Any]:
        """The cells of a redemption row as Airtable shows them."""
        return dict(self.base.table("Redemptions").get(row_id)["fields"])

    def cells(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table."""
        return [dict(record["fields"]) for record in self.base.table(table).records()]

    def redemption_receipts(self) -> list[dict[str, Any]]:
        """The receipts of redemptions; cards that a test has Shopify make leave one, too."""
        return [row for row in self.cells("Receipts") if row["Action"] == Action.REDEEM_IN_STORE]

    # ------------------------------------------------------------------------------ the workers

    def tick(self) -> TickEnd | None:
        """EventBridge's minute reaches the stores' prong; `None` where its worker was killed."""
        return self.work(lambda app: self.take_tick(app, TIMER_EVENT))

    def buy_tick(self) -> TickEnd | None:
        """The same for the prong of the web shop's orders."""
        return self.work(self.take_buy_tick)

    def take_buy_tick(self, app: Application, event: dict[str, Any] | None = None) -> TickEnd:
        """What that prong's function does with a tick: a delayed one, which sends no others."""
        event = event or {
            "Records": [{"body": json.dumps({"due": now().isoformat(), "offset": 0})}]
        }
        return TickEnd(_invoke("ShopifyPurchases", app, event)["tick"])

    def take_tick(self, app: Application, event: dict[str, Any]) -> TickEnd:
        """What the prong's function does with a tick."""
        return TickEnd(_invoke("StoreTransactions", app, event)["tick"])

    def spend_tick(self) -> TickEnd | None:
        """EventBridge's minute reaches the prong of what the web shop charged; as `tick`."""
        return self.work(self.take_spend_tick)

    def take_spend_tick(self, app: Application) -> TickEnd:
        """What that prong's function does with EventBridge's minute."""
        return TickEnd(_invoke("ShopifyRedemptions", app, TIMER_EVENT)["tick"])

    def reconcile(self) -> RunEnd | None:
        """The timer of comparing the books; an error it ends with rings an alarm."""
        try:
            return self.work(self.take_reconcile)
        except NeedsAPerson as error:
            self.alarms.append(error)
            return None

    def take_reconcile(self, app: Application) -> RunEnd:
        """What that function does with its timer."""
        return RunEnd(_invoke("Reconcile", app, TIMER_EVENT)["reconcile"])

    def delayed_tick(self, *, late_by_seconds: int, offset_seconds: int = 0) -> TickEnd | None:
        """One of our own delayed messages arrives, later than it was meant to."""
        due = now() - timedelta(seconds=late_by_seconds)
        body = {"due": due.isoformat(), "offset": offset_seconds}
        event = {"Records": [{"body": json.dumps(body)}]}
        return self.work(lambda app: self.take_tick(app, event))

    def sweep(self) -> int | None:
        """The sweep's timer; an error it ends with rings an alarm, and the next timer comes."""
        try:
            return self.work(self._sweep)
        except NeedsAPerson as error:
            self.alarms.append(error)
            return None

    def _sweep(self, app: Application) -> int:
        finished: int = _invoke("Sweep", app, TIMER_EVENT)["finished"]
        return finished

    def drain(self) -> None:
        """The one-offs take their messages, batch after batch, until none is visible."""
        for _ in range(BATCHES_TO_RUN_DRY):
            if not any(self._consume(queue, take) for queue, take in self.one_offs()):
                return
        raise AssertionError("the queues never ran dry")

    def one_offs(self) -> list[tuple[str, Take]]:
        """The queues of the one-offs, stores first, each with what its function does."""
        return [
            ("AnswerStoreQueue", self._answer),
            ("WriteAirtableQueue", self._write),
            ("AdjustBalanceQueue", self._adjust),
            ("DeliverToCustomerQueue", self._deliver),
            ("IssueCardsQueue", self._issue),
            ("TagOrderQueue", self._tag),
        ]

    def ticks(self) -> list[Callable[[], object]]:
        """What EventBridge's minute starts: each prong's tick, the stores' first.

        That of orders that sell cards only where there are orders: else it just finds nothing.
        """
        buys = [self.buy_tick] if self.shop.orders.all else []
        return [self.tick, *buys, self.spend_tick]

    def serve(self) -> None:
        """One minute of a healthy shop: a tick, and all that follows from it."""
        self.tick()
        self.drain()

    def come_to_rest(self) -> None:
        """Let time, ticks and sweeps pass until nothing is left to do."""
        for _ in range(ROUNDS_TO_QUIET):
            deaths, standing = self.effects.deaths, self.standing()
            self.advance(60)
            for tick in self.ticks():
                try:
                    tick()
                except NeedsAPerson as error:  # an alarm rings, and the next minute comes
                    self.alarms.append(error)
            self.sweep()
            self.drain()
            if deaths == self.effects.deaths and self._is_quiet():
                return
            if standing == self.standing():
                self.let_idle_minutes_pass()
        raise AssertionError("the shop never came to rest")

    def standing(self) -> Standing:
        """How things stand: where a round of all workers leaves that alone, it found nothing."""
        return Standing(
            base=self.base.version,
            shop=self.shop.version,
            due={
                item["key"]: 0 if item["queue"] == LOOK_QUEUE else float(item["due_at"])
                for item in self.items()
                if "queue" in item
            },
            messages=[
                message
                for queue, _ in self.one_offs()
                for message in self._account.queued(self.queue_urls[queue])
            ],
            accidents=sum(
                len(vendor.faults.waiting()) for vendor in (self.base, self.shop, self.klaviyo)
            ),
            deaths=self.effects.deaths,
        )

    def let_idle_minutes_pass(self) -> None:
        """Let the minutes pass that would find what the last one found, which was nothing.

        That is until something is due or a message is to be seen; and not while an accident waits.
        A card whose balance is unexplained is looked at each minute: that counts as nothing.
        """
        standing, clock = self.standing(), now().timestamp()
        moments = [*standing.due.values(), *(visible_at for _, visible_at in standing.messages)]
        comes = min((at for at in moments if at > clock), default=clock)
        if not standing.accidents:
            self.advance(max(0, comes - clock - 60))

    def _is_quiet(self) -> bool:
        to_do = {OPEN_QUEUE, PARKED_QUEUE, AGAIN_QUEUE}
        unfinished = any(item.get("queue") in to_do for item in self.items())
        queued = any(self.queued_in(queue) for queue, _ in self.one_offs())
        return not unfinished and not queued

    def _answer(self, app: Application, event: Event) -> Report:
        return _invoke("AnswerStore", app, event)

    def _write(self, app: Application, event: Event) -> Report:
        return _invoke("WriteAirtable", app, event)

    def _issue(self, app: Application, event: Event) -> Report:
        return _invoke("IssueCards", app, event)

    def _deliver(self, app: Application, event: Event) -> Report:
        return _invoke("DeliverToCustomer", app, event)

    def _adjust(self, app: Application, event: Event) -> Report:
        return _invoke("AdjustBalance", app, event)

    def _tag(self, app: Application, event: Event) -> Report:
        return _invoke("TagOrder", app, event)

    def work[Result](self, work: Callable[[Application], Result]) -> Result | None:
        """A worker does this; `None` where it was killed, and the next one starts cold."""
        self.effects.workers += 1
        try:
            return work(self.app)
        except WorkerKilled:
            self.new_worker()
            return None

    def _consume(self, queue: str, take: Take) -> bool:
        """What Lambda's event source does: take a batch, invoke, delete what did not fail.

        False where no message was visible.
        """
        url = self.queue_urls[queue]
        reply = self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=batch_size(queue), AttributeNames=["All"]
        )
        messages = reply.get("Messages", [])
        if not messages:
            return False
        event = {"Records": [as_record(message) for message in messages]}
        report = self.work(lambda app: take(app, event))
        if report is None:
            return True
        failed = {failure["itemIdentifier"] for failure in report["batchItemFailures"]}
        for message in messages:
            if message["MessageId"] not in failed:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return True

    # --------------------------------------------------------------------------- what people see

    def mails(self) -> list[SentMail]:
        """All mail SES has sent."""
        return self._account.mails()

    def items(self) -> list[dict[str, Any]]:
        """Everything in the journal's table."""
        return list(self.dynamodb.scan(TableName=TABLE_NAME, ConsistentRead=True)["Items"])

    def delayed_ticks(self) -> list[tuple[int, dict[str, Any]]]:
        """The ticks sent so far: delay in seconds and body."""
        return [
            (round(visible_at - now().timestamp()), json.loads(body))
            for body, visible_at in self._account.queued(self.queue_urls["StoreTicksQueue"])
        ]

    def queued_bodies(self) -> list[str]:
        """Every message body that is in a queue now."""
        return [body for name in self.queue_urls for body in self.queued_in(name)]

    def queued_in(self, queue: str) -> list[str]:
        """The message bodies in one queue, visible or not."""
        return [body for body, _ in self._account.queued(self.queue_urls[queue])]


@contextmanager
def running_world(
    *,
    resumed: bool = True,
    account: AccountKind = "in memory",
    start: datetime = START,
    **settings: Any,
) -> Iterator[World]:
    """A world whose time stands still until it is told to pass, resumed unless told otherwise.

    Its shop's `currency` and `time_zone` are among the settings.
    """
    with ExitStack() as stack:
        traveller = stack.enter_context(time_machine.travel(start, tick=False))
        aws: AwsAccount = AccountInMemory(now)
        if account == "moto":
            aws = stack.enter_context(moto_account())
        world = World(traveller, aws, **settings)
        if resumed:
            world.resume()
        world.effects.forget()
        yield world


def _invoke(function: str, app: Application, event: Event) -> dict[str, Any]:
    """One of the template's functions takes an event."""
    return handle(function, app, event, clock=now)


def _config(queue_urls: Mapping[str, str], key_id: str, settings: Mapping[str, Any]) -> Config:
    values: dict[str, Any] = {
        "code_key_ids": (key_id,),
        "stage": "test",
        "table_name": TABLE_NAME,
        "shopify_url": SHOP_URL,
        "airtable_url": AIRTABLE_URL,
        "airtable_base_id": BASE_ID,
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
        "issue_cards_queue_url": queue_urls["IssueCardsQueue"],
        "deliver_queue_url": queue_urls["DeliverToCustomerQueue"],
        "deliver_dead_letters_url": queue_urls["DeliverToCustomerDeadLetters"],
        "mail_configuration_set": CONFIGURATION_SET,
        "sale_offsets_seconds": (0, 30),
        "check_offsets_seconds": (0,),
        "themes": ("Standard", "Birthday", "Wedding", "Holiday"),
        "largest_quantity": 500,
        "promotional_days": 0,
        "paid_years": 0,
        "cap_per_card": Decimal(500),
        "cap_per_store_and_day": Decimal(5000),
        "cap_per_recipient_and_day": Decimal(2000),
        "send_hour": 8,
        "digest_hour": 7,
        "most_checks": 5,
        "most_check_misses": 10,
        "most_check_misses_of_all": 200,
        "adjust_balance_queue_url": queue_urls["AdjustBalanceQueue"],
        "tag_order_queue_url": queue_urls["TagOrderQueue"],
        "gift_card_skus": ("GIFT-CARD-25", "GIFT-CARD-50", "GIFT-CARD-100"),
        "processed_tag": "gift-cards-processed",
        "order_properties": {},
        "risk_patience_seconds": 600,
        "issues_unassessed": False,
        "order_overlap_seconds": 7200,
        "explain_seconds": 600,
        "cap_per_reversal": Decimal(200),
        "reversal_offsets_seconds": (0,),
        "bucket": BUCKET_NAME,
        "reconcile_hour": 3,
        "keep_days": 400,
        "airtable_records": 50_000,
        "second_look_seconds": 900,
    }
    return Config(**(values | dict(settings)))


def as_record(message: Mapping[str, Any]) -> dict[str, Any]:
    """A received message as Lambda's event source hands it over."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
    }
