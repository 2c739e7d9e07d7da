"""Builds everything from the configuration, once per cold start, each part when first used.

Nothing here happens at import. A function calls `application()` and gets the same one as long as
its worker lives; tests build an `Application` of their own, with their clock and their transports.
"""

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, cached_property, partial
from threading import Lock
from typing import TYPE_CHECKING

import boto3
import requests
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parameters import SSMProvider
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config as BotoConfig

from giftcards.clients.airtable import (
    OUTCOME_WRITER_REQUESTS_A_SECOND,
    PURCHASES_PRONG_REQUESTS_A_SECOND,
    RECONCILE_REQUESTS_A_SECOND,
    RECORD_WRITER_REQUESTS_A_SECOND,
    STORES_PRONG_REQUESTS_A_SECOND,
    Airtable,
    Layout,
    Pace,
)
from giftcards.clients.code_maker import CodeMaker
from giftcards.clients.klaviyo import Klaviyo
from giftcards.clients.mail import Mailer
from giftcards.clients.shopify import (
    MOST_WAIT_SECONDS,
    ClientCredentials,
    Shopify,
    StaticToken,
)
from giftcards.config import Config, Secrets
from giftcards.domain.cards import CardLimits, ShopFacts
from giftcards.domain.creation import Caps, SellingRules
from giftcards.domain.money import Money
from giftcards.domain.purchases import PROPERTY_NAMES, PurchaseRules, sku_set
from giftcards.errors import ConfigurationError
from giftcards.flows.adjust import AdjustBalance
from giftcards.flows.answer_check import AnswerCheck
from giftcards.flows.answer_store import AnswerStore
from giftcards.flows.archive import Archive
from giftcards.flows.check_balance import CheckBalance, CheckRules
from giftcards.flows.credit import CreditCards
from giftcards.flows.deliver import Deliver
from giftcards.flows.digest import Digest
from giftcards.flows.dismiss import Dismiss
from giftcards.flows.drop_message import DropMessage
from giftcards.flows.finished import Finished
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.freeze import Freeze
from giftcards.flows.issue import IssueCards
from giftcards.flows.look_at_cards import LookAtCards
from giftcards.flows.look_up import LookUp
from giftcards.flows.messages import Late
from giftcards.flows.money_moves import MoneyMoves
from giftcards.flows.note_bounce import NoteBounce
from giftcards.flows.note_payments import NotePayments
from giftcards.flows.order_log import OrderLog
from giftcards.flows.owe import CreditBack, Owe
from giftcards.flows.park import Park
from giftcards.flows.purchase import Purchase
from giftcards.flows.purchase_entries import PurchaseEntries
from giftcards.flows.purchase_row import PurchaseRow
from giftcards.flows.reconcile.cards import CardsAtShopify
from giftcards.flows.reconcile.journal import JournalPhase
from giftcards.flows.reconcile.judge_card import JudgeCard
from giftcards.flows.reconcile.named_rows import NamedRows
from giftcards.flows.reconcile.orders import OrdersPhase
from giftcards.flows.reconcile.phase import Part, Phase
from giftcards.flows.reconcile.put_rows_right import PutRowsRight
from giftcards.flows.reconcile.putting_right import PuttingRight
from giftcards.flows.reconcile.receipts import ReceiptsPhase
from giftcards.flows.reconcile.reconcile import Reconcile
from giftcards.flows.reconcile.report import Report
from giftcards.flows.reconcile.rows_of_cards import RowsOfCards
from giftcards.flows.reconcile.second_look import SecondLook
from giftcards.flows.redeem import Redeem, Rules
from giftcards.flows.repay import Repay
from giftcards.flows.resend import Resend
from giftcards.flows.return_card import ReturnCard
from giftcards.flows.reverse import Reverse
from giftcards.flows.sell import Sell
from giftcards.flows.serve_checks import ServeChecks
from giftcards.flows.serve_counter import ServeCounter
from giftcards.flows.serve_customers import ServeCustomers
from giftcards.flows.serve_purchases import ServePurchases
from giftcards.flows.serve_sales import ServeSales
from giftcards.flows.serve_spends import ServeSpends
from giftcards.flows.serve_stores import ServeStores
from giftcards.flows.store_book import StoreBook
from giftcards.flows.strays import Strays
from giftcards.flows.sweep import Sweep
from giftcards.flows.tag import TagOrder
from giftcards.flows.take_reversals import TakeReversals
from giftcards.flows.tell_of_changes import TellOfChanges
from giftcards.flows.tick import Tick
from giftcards.flows.write_airtable import WRITER_SECONDS, WriteAirtable
from giftcards.logs import build_logger
from giftcards.metrics import Metric, Metrics
from giftcards.store.archiving import ArchivingStates
from giftcards.store.attempts import Attempts
from giftcards.store.bucket import Bucket
from giftcards.store.cards import Cards
from giftcards.store.checks import CheckCounts
from giftcards.store.control import Control, lease_key
from giftcards.store.issued import Issued
from giftcards.store.journal import Journal
from giftcards.store.leases import Leases
from giftcards.store.ledger import Ledgers
from giftcards.store.misses import Misses
from giftcards.store.orders import Orders
from giftcards.store.progress import Progress
from giftcards.store.queues import ANSWER_LATE_RECEIVES, DELIVER_LATE_RECEIVES, Queues
from giftcards.store.records import Records
from giftcards.store.rewrites import Rewrites
from giftcards.store.runs import Runs
from giftcards.store.table import Table
from giftcards.store.untold import Untold

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

STORES_PRONG = "store_transactions"
PURCHASES_PRONG = "shopify_purchases"
REDEMPTIONS_PRONG = "shopify_redemptions"
RECONCILE_PRONG = "reconcile"

# Longer than its function may take (880 seconds) and one more request, so that a worker that lost
# its lease is dead; less than its timer's five minutes three times, so that the third one that
# rings after a worker died takes the run up.
RECONCILE_LEASE_SECONDS = 895

# What bulk work (mirroring, issuing hundreds of cards, comparing the books) leaves in Shopify's
# bucket of points for the stores. A tick with a hundred new cards asks for 2,400 (a search 4, a
# read 9, a debit 11 each) and takes ten seconds, in which Standard, the slowest plan, restores
# 1,000: with 1,400 there at its beginning no customer waits for points.
BULK_RESERVE_POINTS = 1_400

# From an empty bucket to that reserve it takes 14 seconds. A writer has 60; a message that comes
# back instead would hold up its queue as long.
BULK_MOST_WAIT_SECONDS = 15.0

# A run through orders has 20 seconds. One order may take this wait and the time-out of a call; with
# a longer wait a run would begin few orders, and the next run comes within seconds anyway.
ORDERS_MOST_WAIT_SECONDS = 3.0

# AWS answers within milliseconds or not at all; a worker has 20 seconds for everything.
AWS_CONNECT_SECONDS = 2
AWS_READ_SECONDS = 5
AWS_ATTEMPTS = 3


@dataclass(frozen=True)
class Application:
    """All the parts of one deployment, wired together; `vendors` carries requests to vendors.

    `airtable_names` are the shop's own names of our tables and fields: `ops resume` alone asks for
    fields by name, and functions are not told.
    """

    config: Config
    secrets: Secrets
    aws: boto3.session.Session
    vendors: requests.Session
    clock: Callable[[], datetime]
    logger: Logger
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    threads: Callable[[int], Executor] = ThreadPoolExecutor
    lock: Callable[[], AbstractContextManager[object]] = Lock
    airtable_names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def metrics(self) -> Metrics:
        """The numbers behind the alarms."""
        return Metrics(self.config.stage)

    def note_failed_message(self) -> None:
        """A message failed in a way that does not pass by itself."""
        self.metrics.count(Metric.MESSAGE_FAILED)

    def note_late_mail(self) -> None:
        """A mail has been tried for so long that nobody should wait for it to pass by itself."""
        self.metrics.count(Metric.MAIL_WAITED)

    @property
    def late_answers(self) -> Late:
        """What rings for mails to stores and to the office."""
        return Late(receives=ANSWER_LATE_RECEIVES, note=self.note_late_mail)

    @property
    def late_deliveries(self) -> Late:
        """What rings for mails to customers that wait in their queue, not in the journal."""
        return Late(receives=DELIVER_LATE_RECEIVES, note=self.note_late_mail)

    @cached_property
    def table(self) -> Table:
        """The one DynamoDB table."""
        resource = self.aws.resource("dynamodb", config=_aws_config(attempts=AWS_ATTEMPTS))
        client: DynamoDBClient = resource.meta.client
        return Table(client, name=self.config.table_name)

    @cached_property
    def journal(self) -> Journal:
        """The operations."""
        return Journal(self.table)

    @cached_property
    def control(self) -> Control:
        """The switch and the prongs' states."""
        return Control(self.table)

    @cached_property
    def leases(self) -> Leases:
        """Leases of prongs and cards."""
        return Leases(self.table, seconds=self.config.lease_seconds)

    @cached_property
    def runs(self) -> Runs:
        """How comparing the books stands."""
        return Runs(self.table, key=lease_key(RECONCILE_PRONG))

    @cached_property
    def cards(self) -> Cards:
        """The index of codes, and how far the mirror is behind."""
        return Cards(self.table)

    @cached_property
    def ledgers(self) -> Ledgers:
        """What moved on each card."""
        return Ledgers(self.table)

    @cached_property
    def bucket(self) -> Bucket:
        """What comparing the books works with, its reports, and the archive."""
        client = self.aws.client("s3", config=_aws_config(attempts=AWS_ATTEMPTS))
        return Bucket(client, name=self.config.bucket)

    @cached_property
    def queues(self) -> Queues:
        """The application's queues."""
        return Queues(
            self.aws.client("sqs", config=_aws_config(attempts=AWS_ATTEMPTS)),
            tick_url=self.config.tick_queue_url,
            answer_store_url=self.config.answer_store_queue_url,
            write_airtable_url=self.config.write_airtable_queue_url,
            issue_cards_url=self.config.issue_cards_queue_url,
            deliver_url=self.config.deliver_queue_url,
            deliver_dead_letters_url=self.config.deliver_dead_letters_url,
            adjust_balance_url=self.config.adjust_balance_queue_url,
            tag_order_url=self.config.tag_order_queue_url,
        )

    @cached_property
    def shopify(self) -> Shopify:
        """The web shop, for redemptions: a customer waits, so nothing is held back."""
        return self._shopify(reserve_points=0, most_wait_seconds=MOST_WAIT_SECONDS)

    @cached_property
    def shopify_for_bulk_work(self) -> Shopify:
        """The web shop, for what may wait: it leaves points for the redemptions."""
        return self._shopify(
            reserve_points=BULK_RESERVE_POINTS, most_wait_seconds=BULK_MOST_WAIT_SECONDS
        )

    @cached_property
    def shopify_for_adjusting(self) -> Shopify:
        """The web shop, for what may wait but holds a card's lock: a customer waits for that.

        So it leaves points for the redemptions, and comes back later where none are left for it.
        """
        return self._shopify(
            reserve_points=BULK_RESERVE_POINTS, most_wait_seconds=MOST_WAIT_SECONDS
        )

    @cached_property
    def shopify_for_orders(self) -> Shopify:
        """The web shop, for a run through its orders: it leaves points, and waits little."""
        return self._shopify(
            reserve_points=BULK_RESERVE_POINTS, most_wait_seconds=ORDERS_MOST_WAIT_SECONDS
        )

    def _shopify(self, *, reserve_points: int, most_wait_seconds: float) -> Shopify:
        token = self.secrets.shopify_token
        credentials: StaticToken | ClientCredentials
        if token is not None:
            credentials = StaticToken(token)
        else:
            credentials = ClientCredentials(
                client_id=self.secrets.shopify_client_id or "",
                client_secret=self.secrets.shopify_client_secret or "",
            )
        return Shopify(
            credentials,
            base_url=self.config.shopify_url,
            session=self.vendors,
            timeout_seconds=self.config.http_timeout_seconds,
            clock=self.clock,
            on_version_mismatch=self._note_version_mismatch,
            reserve_points=reserve_points,
            most_wait_seconds=most_wait_seconds,
            sleep=self.sleep,
            monotonic=self.monotonic,
        )

    def _note_version_mismatch(self, asked: str, answered: str) -> None:
        """Shopify retired the version we speak and answers by another one."""
        self.logger.error(
            "Shopify answers by another version of its API: this application needs an update",
            extra={"asked": asked, "answered": answered},
        )
        self.metrics.count(Metric.SHOPIFY_VERSION_CHANGED)

    @cached_property
    def klaviyo(self) -> Klaviyo:
        """The mail to customers."""
        return Klaviyo(
            self.secrets.klaviyo_key,
            base_url=self.config.klaviyo_url,
            session=self.vendors,
            timeout_seconds=self.config.http_timeout_seconds,
        )

    @cached_property
    def codes(self) -> CodeMaker:
        """What works out the codes of the cards we issue."""
        return CodeMaker(
            self.aws.client("kms", config=_aws_config(attempts=AWS_ATTEMPTS)),
            key_ids=self.config.code_key_ids,
            stage=self.config.stage,
            shop=self.config.shopify_url,
        )

    @cached_property
    def card_limits(self) -> CardLimits:
        """What Shopify lets a card hold, asked once for each worker that sells."""
        return self.shopify.card_limits()

    @cached_property
    def facts(self) -> ShopFacts:
        """The shop's currency and time zone, as `ops resume` kept them."""
        return self.control.facts() or self.shopify.shop_facts()

    @cached_property
    def store_book(self) -> StoreBook:
        """The stores, remembered as long as the worker lives."""
        return StoreBook(self.clock, turn=self.lock())

    @cached_property
    def prong_pace(self) -> Pace:
        """The prong's share of Airtable's requests; it outlives the client of one run."""
        return self._pace(STORES_PRONG_REQUESTS_A_SECOND)

    @cached_property
    def outcomes_pace(self) -> Pace:
        """The share of Airtable's requests for what rows should read."""
        return self._pace(OUTCOME_WRITER_REQUESTS_A_SECOND)

    @cached_property
    def records_pace(self) -> Pace:
        """The share of Airtable's requests for all else that is written."""
        return self._pace(RECORD_WRITER_REQUESTS_A_SECOND)

    @cached_property
    def purchases_pace(self) -> Pace:
        """The share of Airtable's requests for what the office says of orders."""
        return self._pace(PURCHASES_PRONG_REQUESTS_A_SECOND)

    @cached_property
    def reconcile_pace(self) -> Pace:
        """The share of Airtable's requests for comparing the books, and for the archive."""
        return self._pace(RECONCILE_REQUESTS_A_SECOND)

    def _pace(self, requests_a_second: float) -> Pace:
        return Pace(requests_a_second, sleep=self.sleep, monotonic=self.monotonic)

    def airtable(self, pace: Pace) -> Airtable:
        """The stores' base, with the layout as it is now: `ops resume` may have found a new one."""
        layout = self.control.layout()
        if layout is None:
            raise ConfigurationError(
                "Nobody has looked at the Airtable base yet: `ops resume` does, and maps its fields"
            )
        return Airtable(
            self.secrets.airtable_token,
            base_id=self.config.airtable_base_id,
            layout=Layout.from_json(layout),
            session=self.vendors,
            endpoint_url=self.config.airtable_url,
            timeout_seconds=self.config.http_timeout_seconds,
            pace=pace,
        )

    @cached_property
    def follow_up(self) -> FollowUp:
        """What hands over the follow-ups of an outcome."""
        return FollowUp(
            journal=self.journal,
            cards=self.cards,
            ledgers=self.ledgers,
            queues=self.queues,
            clock=self.clock,
        )

    def redeem(self) -> Redeem:
        """What serves one redemption."""
        return Redeem(
            shopify=self.shopify,
            journal=self.journal,
            cards=self.cards,
            locks=self.leases,
            misses=Misses(self.table, window=timedelta(seconds=self.config.misses_seconds)),
            follow_up=self.follow_up,
            look_up=self.look_up(self.shopify),
            moves=self.money_moves(self.shopify),
            facts=self.facts,
            clock=self.clock,
            rules=Rules(
                live_from=self.config.live_from,
                accept_historical=self.config.accept_historical,
                patience_seconds=self.config.patience_seconds,
                duplicate_seconds=self.config.duplicate_seconds,
                look_again_seconds=self.config.look_again_seconds,
                most_misses=self.config.most_misses,
            ),
        )

    def money_moves(self, shopify: Shopify) -> MoneyMoves:
        """What sends debits and credits."""
        return MoneyMoves(
            shopify=shopify,
            journal=self.journal,
            clock=self.clock,
            http_timeout_seconds=self.config.http_timeout_seconds,
            settling_seconds=self.config.settling_seconds,
        )

    def row_phases(self, airtable: Airtable) -> tuple[ReceiptsPhase, OrdersPhase, JournalPhase]:
        """The parts of comparing the books that are about rows of receipts and orders."""
        records = Records(self.table)
        rows = NamedRows(airtable=airtable, records=records)
        repairs = PutRowsRight(
            airtable=airtable, journal=self.journal, records=records, queues=self.queues, rows=rows
        )
        return (
            ReceiptsPhase(airtable=airtable, journal=self.journal, rows=rows, repairs=repairs),
            OrdersPhase(airtable=airtable, rows=rows, repairs=repairs),
            JournalPhase(
                table=self.table,
                journal=self.journal,
                records=records,
                airtable=airtable,
                shopify=self.shopify_for_bulk_work,
                rows=rows,
                repairs=repairs,
            ),
        )

    def look_up(self, shopify: Shopify) -> LookUp:
        """What finds a card by its code."""
        return LookUp(shopify=shopify, cards=self.cards, peppers=self.secrets.peppers)

    @cached_property
    def attempts(self) -> Attempts:
        """How often work on a row was begun and never ended."""
        return Attempts(self.table)

    def park(self) -> Park:
        """What sets aside what only a person can finish."""
        return Park(
            journal=self.journal,
            attempts=self.attempts,
            logger=self.logger,
            clock=self.clock,
            note_parked=lambda: self.metrics.count(Metric.PARKED),
        )

    def owe(self) -> Owe:
        """What leaves to a person what moved wrongly."""
        return Owe(journal=self.journal, park=self.park(), clock=self.clock)

    def credit_back(self) -> CreditBack:
        """What decides that a wrong debit is given back."""
        return CreditBack(journal=self.journal, follow_up=self.follow_up, clock=self.clock)

    def dismiss(self) -> Dismiss:
        """What closes what a person has seen to."""
        return Dismiss(journal=self.journal, follow_up=self.follow_up, clock=self.clock)

    def serve_counter(self) -> ServeCounter:
        """One run of the stores' prong: redemptions, then sales, then balance checks."""
        airtable = self.airtable(self.prong_pace)
        return ServeCounter(
            redemptions=self.serve_stores(airtable),
            sales=self.serve_sales(airtable),
            checks=self.serve_checks(airtable),
            reversals=self.take_reversals(airtable),
            sale_offsets_seconds=self.config.sale_offsets_seconds,
            check_offsets_seconds=self.config.check_offsets_seconds,
            reversal_offsets_seconds=self.config.reversal_offsets_seconds,
            refuse_settings=self.config.refuse_looks_of_no_tick,
            clock=self.clock,
            logger=self.logger,
        )

    @cached_property
    def strays(self) -> Strays:
        """What tells the office of rows without a store."""
        return Strays(
            journal=self.journal,
            follow_up=self.follow_up,
            clock=self.clock,
            office_email=self.config.office_email,
        )

    def serve_sales(self, airtable: Airtable) -> ServeSales:
        """One look at what stores want to sell."""
        return ServeSales(
            airtable=airtable,
            stores=self.store_book,
            journal=self.journal,
            attempts=self.attempts,
            park=self.park(),
            sell=self.sell(),
            resend=Resend(
                airtable=airtable,
                journal=self.journal,
                cards=self.cards,
                queues=self.queues,
                follow_up=self.follow_up,
                logger=self.logger,
                clock=self.clock,
                office_email=self.config.office_email,
            ),
            strays=self.strays,
            queues=self.queues,
            logger=self.logger,
            clock=self.clock,
            live_from=self.config.live_from,
        )

    @property
    def selling_rules(self) -> SellingRules:
        """What is sold, in stores and on the web."""
        config = self.config
        return SellingRules(
            themes=config.themes,
            largest_quantity=config.largest_quantity,
            promotional_days=config.promotional_days or None,
            paid_years=config.paid_years or None,
        )

    def sell(self) -> Sell:
        """What takes a sale."""
        config, currency = self.config, self.facts.currency
        return Sell(
            journal=self.journal,
            issued=Issued(self.table),
            queues=self.queues,
            follow_up=self.follow_up,
            facts=self.facts,
            limits=lambda: self.card_limits,
            rules=self.selling_rules,
            caps=Caps(
                per_card=_cap(config.cap_per_card, currency),
                per_store_and_day=_cap(config.cap_per_store_and_day, currency),
                per_recipient_and_day=_cap(config.cap_per_recipient_and_day, currency),
            ),
            clock=self.clock,
            send_hour=config.send_hour,
            digest_hour=config.digest_hour,
        )

    def serve_checks(self, airtable: Airtable) -> ServeChecks:
        """One look at what customers ask."""
        return ServeChecks(
            airtable=airtable,
            journal=self.journal,
            attempts=self.attempts,
            park=self.park(),
            check=CheckBalance(
                journal=self.journal,
                shopify=self.shopify_for_bulk_work,
                look_up=self.look_up(self.shopify_for_bulk_work),
                counts=CheckCounts(self.table),
                follow_up=self.follow_up,
                facts=self.facts,
                logger=self.logger,
                clock=self.clock,
                rules=CheckRules(
                    most_answers=self.config.most_checks,
                    most_misses=self.config.most_check_misses,
                    most_misses_of_all=self.config.most_check_misses_of_all,
                    live_from=self.config.live_from,
                    accept_historical=self.config.accept_historical,
                ),
                note_locked_out=lambda: self.metrics.count(Metric.CHECK_LOCKED_OUT),
            ),
            queues=self.queues,
            logger=self.logger,
            clock=self.clock,
            live_from=self.config.live_from,
            http_timeout_seconds=self.config.http_timeout_seconds,
        )

    def take_reversals(self, airtable: Airtable) -> TakeReversals:
        """One look at what the office wants given back."""
        return TakeReversals(
            airtable=airtable,
            journal=self.journal,
            records=Records(self.table),
            follow_up=self.follow_up,
            queues=self.queues,
            logger=self.logger,
            clock=self.clock,
            currency=self.facts.currency,
            live_from=self.config.live_from,
            cap=_cap(self.config.cap_per_reversal, self.facts.currency),
            office_email=self.config.office_email,
        )

    def adjust_balance(self) -> AdjustBalance:
        """What gives money back to cards, and takes returned cards out of use."""
        shopify = self.shopify_for_adjusting
        moves = self.money_moves(shopify)
        credit_cards = CreditCards(
            shopify=shopify,
            journal=self.journal,
            locks=self.leases,
            moves=moves,
            park=self.park(),
            facts=self.facts,
            clock=self.clock,
        )
        return AdjustBalance(
            journal=self.journal,
            control=self.control,
            reverse=Reverse(
                credits=credit_cards,
                journal=self.journal,
                clock=self.clock,
                office_email=self.config.office_email,
            ),
            repay=Repay(
                credits=credit_cards,
                journal=self.journal,
                clock=self.clock,
                office_email=self.config.office_email,
            ),
            return_card=ReturnCard(
                shopify=shopify,
                journal=self.journal,
                ledgers=self.ledgers,
                locks=self.leases,
                moves=moves,
                follow_up=self.follow_up,
                queues=self.queues,
                cards=self.cards,
                park=self.park(),
                facts=self.facts,
                clock=self.clock,
                office_email=self.config.office_email,
            ),
            follow_up=self.follow_up,
            park=self.park(),
            logger=self.logger,
            clock=self.clock,
        )

    def freeze(self) -> Freeze:
        """What freezes cards and releases them."""
        return Freeze(
            shopify=self.shopify,
            journal=self.journal,
            cards=self.cards,
            follow_up=self.follow_up,
            clock=self.clock,
        )

    def drop_message(self) -> DropMessage:
        """What notes that a person dropped a message."""
        return DropMessage(journal=self.journal, follow_up=self.follow_up, clock=self.clock)

    def serve_purchases(self) -> ServePurchases:
        """One run of the prong that has cards made for the web shop's orders."""
        config = self.config
        return ServePurchases(
            shopify=self.shopify_for_orders,
            airtable=lambda: self.airtable(self.purchases_pace),
            orders=Orders(self.table),
            attempts=self.attempts,
            park=self.park(),
            purchase=self.purchase(),
            logger=self.logger,
            clock=self.clock,
            skus=config.gift_card_skus,
            tag=config.processed_tag,
            live_from=config.live_from,
            overlap=timedelta(seconds=config.order_overlap_seconds),
            seconds_for_an_order=ORDERS_MOST_WAIT_SECONDS + config.http_timeout_seconds,
        )

    def purchase(self) -> Purchase:
        """What looks at one order that sells cards."""
        config = self.config
        rules = PurchaseRules(
            skus=sku_set(config.gift_card_skus),
            tag=config.processed_tag,
            live_from=config.live_from,
            risk_patience=timedelta(seconds=config.risk_patience_seconds),
            issues_unassessed=config.issues_unassessed,
            property_names={**PROPERTY_NAMES, **config.order_properties},
        )
        return Purchase(
            shopify=self.shopify_for_orders,
            journal=self.journal,
            log=OrderLog(self.journal),
            entries=PurchaseEntries(
                journal=self.journal,
                follow_up=self.follow_up,
                logger=self.logger,
                clock=self.clock,
                facts=self.facts,
                rules=rules,
                selling=self.selling_rules,
                send_hour=config.send_hour,
                tag=config.processed_tag,
                office_email=config.office_email,
                note_held=lambda: self.metrics.count(Metric.PARKED),
            ),
            freezer=self.freeze(),
            logger=self.logger,
            clock=self.clock,
            rules=rules,
        )

    def issue_cards(self) -> IssueCards:
        """What makes the cards of sales."""
        return IssueCards(
            journal=self.journal,
            control=self.control,
            shopify=self.shopify_for_bulk_work,
            cards=self.cards,
            codes=self.codes,
            look_up=self.look_up(self.shopify_for_bulk_work),
            follow_up=self.follow_up,
            queues=self.queues,
            park=self.park(),
            logger=self.logger,
            clock=self.clock,
        )

    def deliver(self) -> Deliver:
        """What sends cards to customers."""
        return Deliver(
            journal=self.journal,
            control=self.control,
            klaviyo=self.klaviyo,
            shopify=self.shopify_for_bulk_work,
            cards=self.cards,
            codes=self.codes,
            queues=self.queues,
            follow_up=self.follow_up,
            park=self.park(),
            logger=self.logger,
            clock=self.clock,
            facts=self.facts,
            shop_url=self.config.shopify_url,
            office_email=self.config.office_email,
            note_late=self.note_late_mail,
        )

    def serve_customers(self) -> ServeCustomers:
        """What takes the messages about customers' mail."""
        return ServeCustomers(
            journal=self.journal,
            deliver=self.deliver,
            answer_check=AnswerCheck(
                journal=self.journal,
                mailer=self.mailer,
                facts=self.facts,
                clock=self.clock,
            ),
            note_bounce=NoteBounce(
                journal=self.journal,
                follow_up=self.follow_up,
                clock=self.clock,
                office_email=self.config.office_email,
            ),
        )

    def serve_spends(self) -> ServeSpends:
        """One look at what the web shop charged."""
        return ServeSpends(
            shopify=self.shopify_for_orders,
            progress=Progress(self.table),
            payments=self.note_payments(self.shopify_for_orders),
            looks=self.look_at_cards(),
            logger=self.logger,
            clock=self.clock,
            live_from=self.config.live_from,
            overlap_seconds=self.config.order_overlap_seconds,
            http_timeout_seconds=self.config.http_timeout_seconds,
        )

    def note_payments(self, shopify: Shopify) -> NotePayments:
        """What notes what orders did to cards."""
        return NotePayments(
            shopify=shopify,
            journal=self.journal,
            ledgers=self.ledgers,
            follow_up=self.follow_up,
            park=self.park(),
            logger=self.logger,
            clock=self.clock,
            live_from=self.config.live_from,
            accept_historical=self.config.accept_historical,
        )

    def look_at_cards(self) -> LookAtCards:
        """What finds what nobody told us of."""
        return LookAtCards(
            shopify=self.shopify_for_orders,
            journal=self.journal,
            cards=self.cards,
            ledgers=self.ledgers,
            progress=Progress(self.table),
            queues=self.queues,
            follow_up=self.follow_up,
            owe=self.owe(),
            tell=self.tell_of_changes(),
            note_unexplained=lambda: self.metrics.count(Metric.UNEXPLAINED_MONEY),
            logger=self.logger,
            clock=self.clock,
            live_from=self.config.live_from,
            accept_historical=self.config.accept_historical,
            patience_seconds=self.config.explain_seconds,
            http_timeout_seconds=self.config.http_timeout_seconds,
            office_email=self.config.office_email,
        )

    def tell_of_changes(self) -> TellOfChanges:
        """What tells the office of balances that were changed at Shopify."""
        return TellOfChanges(
            journal=self.journal,
            untold=Untold(self.table),
            follow_up=self.follow_up,
            facts=lambda: self.facts,
            clock=self.clock,
            hour=self.config.digest_hour,
            office_email=self.config.office_email,
        )

    def serve_stores(self, airtable: Airtable) -> ServeStores:
        """The redemptions of one run."""
        return ServeStores(
            airtable=airtable,
            stores=self.store_book,
            strays=self.strays,
            journal=self.journal,
            attempts=self.attempts,
            park=self.park(),
            redeem=self.redeem(),
            follow_up=self.follow_up,
            logger=self.logger,
            clock=self.clock,
            live_from=self.config.live_from,
            rows_per_run=self.config.rows_per_run,
            http_timeout_seconds=self.config.http_timeout_seconds,
            threads=self.threads,
        )

    def tick(self, prong: str) -> Tick:
        """A prong's ticks."""
        return Tick(
            prong=prong,
            control=self.control,
            leases=self.leases,
            queues=self.queues,
            logger=self.logger,
            clock=self.clock,
            offsets_seconds=self.config.tick_offsets_seconds,
            tolerance_seconds=self.config.tick_tolerance_seconds,
            note_finished=lambda: self.metrics.count_finished_run(prong),
        )

    @cached_property
    def mailer(self) -> Mailer:
        """Mail by SES. Mails name the operation they belong to, so that one that comes back can."""
        # No retry inside boto3: after a time-out the mail may be on its way, and our own next try
        # looks into the journal first.
        return Mailer(
            self.aws.client("sesv2", config=_aws_config(attempts=1)),
            sender=self.config.mail_from,
            configuration_set=self.config.mail_configuration_set,
        )

    def answer_store(self) -> AnswerStore:
        """What mails an outcome to its store."""
        return AnswerStore(
            journal=self.journal,
            leases=self.leases,
            queues=self.queues,
            note_waited=partial(self.metrics.note_seconds, Metric.MAIL_WAITED),
            mailer=self.mailer,
            clock=self.clock,
        )

    def write_airtable(self) -> WriteAirtable:
        """What brings Airtable up to date."""
        return WriteAirtable(
            outcomes=self.airtable(self.outcomes_pace),
            airtable=self.airtable(self.records_pace),
            shopify=self.shopify_for_bulk_work,
            journal=self.journal,
            cards=self.cards,
            records=Records(self.table),
            rewrites=Rewrites(self.table),
            control=self.control,
            purchase_rows=PurchaseRow(journal=self.journal, log=OrderLog(self.journal)),
            logger=self.logger,
            clock=self.clock,
            late_for=timedelta(seconds=self.config.settling_seconds + WRITER_SECONDS),
        )

    def tag_orders(self) -> TagOrder:
        """What tags orders at Shopify."""
        return TagOrder(
            journal=self.journal,
            control=self.control,
            shopify=self.shopify_for_bulk_work,
            follow_up=self.follow_up,
            park=self.park(),
            logger=self.logger,
            clock=self.clock,
            longest_call_seconds=BULK_MOST_WAIT_SECONDS + self.config.http_timeout_seconds,
        )

    def sweep(self) -> Sweep:
        """What finishes the half-done."""
        return Sweep(
            journal=self.journal,
            control=self.control,
            follow_up=self.follow_up,
            redeem=self.redeem,
            payments=lambda: self.note_payments(self.shopify_for_bulk_work),
            looks=self.look_at_cards,
            putting_right=self.putting_right,
            park=self.park(),
            queues=self.queues,
            rewrites=Rewrites(self.table),
            digest=Digest(
                journal=self.journal,
                issued=Issued(self.table),
                follow_up=self.follow_up,
                clock=self.clock,
                office_email=self.config.office_email,
            ),
            changes=self.tell_of_changes(),
            http_timeout_seconds=self.config.http_timeout_seconds,
            logger=self.logger,
            clock=self.clock,
        )

    def reconcile(self) -> Reconcile:
        """What compares the books."""
        return Reconcile(
            prong=RECONCILE_PRONG,
            runs=self.runs,
            leases=Leases(self.table, seconds=RECONCILE_LEASE_SECONDS),
            control=self.control,
            bucket=self.bucket,
            parts=self._parts_of_a_run,
            journal=self.journal,
            queues=self.queues,
            facts=lambda: self.facts,
            logger=self.logger,
            clock=self.clock,
            hour=self.config.reconcile_hour,
            second_look_seconds=self.config.second_look_seconds,
        )

    def _parts_of_a_run(self) -> list[Part]:
        """The parts of comparing the books, in their order."""
        airtable = self.airtable(self.reconcile_pace)
        phases = self._phases(airtable)
        by_name = {phase.name: phase for phase in phases}
        return [
            *phases,
            SecondLook(bucket=self.bucket, phases=by_name),
            self.putting_right(by_name),
            self.archive(airtable),
            Report(
                bucket=self.bucket,
                journal=self.journal,
                follow_up=self.follow_up,
                facts=lambda: self.facts,
                clock=self.clock,
            ),
        ]

    def putting_right(self, phases: Mapping[str, Phase] | None = None) -> PuttingRight:
        """What puts right what was found, or leaves it to a person."""
        return PuttingRight(
            bucket=self.bucket,
            phases=phases or {},
            journal=self.journal,
            follow_up=self.follow_up,
            park=self.park(),
            logger=self.logger,
            clock=self.clock,
            note_unexplained=lambda: self.metrics.count(Metric.UNEXPLAINED_MONEY),
        )

    def archive(self, airtable: Airtable) -> Archive:
        """What moves rows that nobody needs any more to the bucket."""
        records = Records(self.table)
        return Archive(
            airtable=airtable,
            bucket=self.bucket,
            states=ArchivingStates(self.table),
            finished=Finished(
                journal=self.journal,
                log=OrderLog(self.journal),
                orders=Orders(self.table),
                attempts=self.attempts,
                records=records,
            ),
            records=records,
            journal=self.journal,
            follow_up=self.follow_up,
            logger=self.logger,
            clock=self.clock,
            keep_days=self.config.keep_days,
            records_allowed=self.config.airtable_records,
            note_base_fills=lambda: self.metrics.count(Metric.BASE_FILLS),
        )

    def _phases(self, airtable: Airtable) -> list[Phase]:
        """What is compared, in its order: later phases ask what earlier ones have seen."""
        shopify = self.shopify_for_bulk_work
        return [
            RowsOfCards(
                airtable=airtable,
                shopify=shopify,
                cards=self.cards,
                queues=self.queues,
                rows=NamedRows(airtable=airtable, records=Records(self.table)),
            ),
            CardsAtShopify(
                airtable=airtable,
                shopify=shopify,
                judge_card=JudgeCard(
                    shopify=shopify,
                    journal=self.journal,
                    cards=self.cards,
                    ledgers=self.ledgers,
                    live_from=self.config.live_from,
                    accept_historical=self.config.accept_historical,
                ),
                journal=self.journal,
                cards=self.cards,
                ledgers=self.ledgers,
                looks=replace(self.look_at_cards(), shopify=shopify),
                queues=self.queues,
            ),
            *self.row_phases(airtable),
        ]

    def deadline(self, context: LambdaContext) -> datetime:
        """When AWS ends this invocation."""
        return self.clock() + timedelta(milliseconds=context.get_remaining_time_in_millis())


@cache
def application() -> Application:
    """The application this worker serves, built at its first call."""
    config = Config.from_environment(os.environ)
    aws = boto3.session.Session()
    return Application(
        config=config,
        secrets=read_secrets(aws, prefix=config.secrets_prefix),
        aws=aws,
        vendors=requests.Session(),
        clock=now,
        logger=build_logger(os.environ["POWERTOOLS_SERVICE_NAME"]),
    )


def now() -> datetime:
    """The moment, aware, in UTC."""
    return datetime.now(UTC)


def read_secrets(aws: boto3.session.Session, *, prefix: str) -> Secrets:
    """The secrets below `prefix` in SSM Parameter Store, read once per cold start."""
    client = aws.client("ssm", config=_aws_config(attempts=AWS_ATTEMPTS))
    parameters = SSMProvider(boto3_client=client).get_multiple(prefix, decrypt=True) or {}
    texts = {name: str(value) for name, value in parameters.items()}
    return Secrets.from_parameters(texts, prefix=prefix)


@cache
def _aws_config(*, attempts: int) -> BotoConfig:
    return BotoConfig(
        connect_timeout=AWS_CONNECT_SECONDS,
        read_timeout=AWS_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )


def _cap(amount: Decimal, currency: str) -> Money | None:
    return Money.parse(amount, currency) if amount else None
