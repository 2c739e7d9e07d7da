"""What Lambda would start: one environment of one function, with the product wired inside it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast, override

import requests
from aws_lambda_powertools import Logger

from giftcards.clients.airtable import Airtable, Layout, Pace
from giftcards.clients.klaviyo import Klaviyo
from giftcards.clients.shopify import Shopify
from giftcards.config import Secrets
from giftcards.errors import ConfigurationError
from giftcards.metrics import Metric, Metrics
from giftcards.wiring import Application
from simulator.clients import (
    AirtableBelowHttp,
    GatedSession,
    KlaviyoSession,
    ShopifyBelowHttp,
)
from simulator.gate import Gate
from simulator.timeline import Pool, Turn

if TYPE_CHECKING:
    import boto3

    from simulator.world import World

# An error has another one behind it, and that one perhaps; longer chains are a loop.
MOST_ERRORS = 10

SECRETS = Secrets(
    shopify_token="shpat_simulated",  # noqa: S106 - opens nothing
    shopify_client_id=None,
    shopify_client_secret=None,
    airtable_token="patSimulated",  # noqa: S106 - likewise
    klaviyo_key="pk_simulated",
    peppers=(b"a pepper of more than thirty-two characters",),
)


@dataclass(eq=False)
class Worker:
    """One environment: warm between invocations, and gone for good once it is dead."""

    world: "World"
    role: str
    is_dead: bool = False
    is_fresh: bool = True
    ends_at: int = 1 << 60
    skew: int = 0
    invocation: int = 0
    event: Mapping[str, Any] = field(default_factory=dict)
    app: "ApplicationBelowHttp" = field(init=False)

    def __post_init__(self) -> None:
        self.world.workers.append(self)
        timeline = self.world.timeline
        self.app = ApplicationBelowHttp(
            config=self.world.config,
            secrets=SECRETS,
            aws=cast("boto3.session.Session", GatedSession(self, self.world.services)),
            vendors=self.world.session,
            clock=self.clock,
            logger=cast("Logger", self.world.log),
            sleep=self._sleep,
            monotonic=timeline.seconds,
            threads=lambda most: cast("Any", Pool(timeline, most)),
            lock=lambda: Turn(timeline),
            worker=self,
        )

    @property
    def gate(self) -> Gate:
        """Where its effects pass."""
        return self.world.gate

    def clock(self) -> datetime:
        """The time by this worker's clock."""
        now = self.world.timeline.now()
        return now + timedelta(microseconds=self.skew) if self.skew else now

    def die(self) -> None:
        """The process is gone; whatever of it still sleeps finds that out when it wakes."""
        self.is_dead = True
        self.world.deaths += 1

    def forget(self) -> None:
        """The history is over: without its wiring, nothing of it has to be searched for."""
        del self.app

    def _sleep(self, seconds: float) -> None:
        self.world.timeline.sleep(round(seconds * 1_000_000))


@dataclass(frozen=True)
class ApplicationBelowHttp(Application):
    """The product's wiring, with clients that reach the vendors below HTTP."""

    worker: Worker | None = None

    @property
    def _its(self) -> Worker:
        if self.worker is None:
            raise AssertionError("an application of the simulator belongs to a worker")
        return self.worker

    @override
    @cached_property
    def metrics(self) -> Metrics:
        return cast("Metrics", CountedMetrics(self._its.world))

    @override
    def _shopify(self, *, reserve_points: int, most_wait_seconds: float) -> Shopify:
        del reserve_points
        return ShopifyBelowHttp(
            self._its, self._its.world.shop, most_wait_seconds=most_wait_seconds
        )

    @override
    @cached_property
    def klaviyo(self) -> Klaviyo:
        session = KlaviyoSession(self._its, self._its.world.klaviyo)
        return Klaviyo(
            self.secrets.klaviyo_key,
            base_url=self.config.klaviyo_url,
            session=cast("requests.Session", session),
            timeout_seconds=self.config.http_timeout_seconds,
        )

    @override
    def airtable(self, pace: Pace) -> Airtable:
        layout = self.control.layout()
        if layout is None:
            raise ConfigurationError("Nobody has looked at the Airtable base yet")
        return AirtableBelowHttp(self._its, self._its.world.base, layout=_layout(layout), pace=pace)


@lru_cache
def _layout(text: str) -> Layout:
    """A layout that was read before: it is read at every tick."""
    return Layout.from_json(text)


class CountedMetrics:
    """The numbers behind the alarms, kept for the promises to look at."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def count(self, metric: Metric) -> None:
        """Count one more."""
        self._world.counted[metric] = self._world.counted.get(metric, 0) + 1

    def count_finished_run(self, prong: str) -> None:
        """The heartbeat of one prong."""
        del prong

    def note_seconds(self, metric: Metric, seconds: float) -> None:
        """Note how long something took."""
        self._world.noted.append((metric, seconds))


class Log:
    """Stands where the functions' logger stands: keeps what was said, without writing it out."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Mapping[str, Any]]] = []

    def info(self, message: str, **more: object) -> None:
        """Something went well."""
        self.lines.append((message, more))

    warning = error = info

    def exception(self, message: str, **more: object) -> None:
        """Something went wrong; the logger writes down the error that is being handled, too."""
        self.lines.append((message, more | {"error": told_of(sys.exception())}))


def told_of(error: BaseException | None) -> list[str]:
    """What a traceback says of an error and of those behind it."""
    told: list[str] = []
    while error is not None and len(told) < MOST_ERRORS:
        told.append(f"{type(error).__name__}: {error}")
        error = error.__cause__ or error.__context__
    return told
