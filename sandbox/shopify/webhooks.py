"""What the shop tells others by itself: an order is paid, something is refunded.

Off until somebody gives an address:

    shop.webhooks.send_to("http://127.0.0.1:4001/shopify", secret="…")
    with delivering(shop): ...                    # in the background; or, in a test:
    deliver_due(shop, session)                    # what is due now, once

As the real ones, notices are signed, come at least once, and promise neither order nor arrival: a
receiver has five seconds; what fails is sent again eight times over four hours, the body as it was.
The accidents (`shop.webhooks.order_accident`):

    duplicate   the notice is sent twice, under one event id
    delay       it is sent `seconds` later
    reorder     it is sent after the next one (which is given time to come)
    lose        it is never sent
"""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import requests

from sandbox.shopify.notices import order_json, refund_json

if TYPE_CHECKING:
    from sandbox.shopify.orders import Order, Refund
    from sandbox.shopify.shop import Shop

PAID_TOPIC = "orders/paid"
REFUND_TOPIC = "refunds/create"
API_VERSION = "2026-10"

# Shopify waits five seconds in all for an answer.
TIMEOUT_SECONDS = 5.0

# Shopify tries again eight times over four hours. How it spreads them is not published: the waits
# here grow, and add up to four hours.
RETRY_AFTER_SECONDS = (10, 60, 300, 900, 1800, 2700, 3600, 5030)

# A notice that is to be overtaken waits this long for another one.
OVERTAKEN_WITHIN = timedelta(minutes=10)

# How often the background looks for what is due.
LOOK_EVERY_SECONDS = 0.2

# A stop waits for the delivery that is under way, and no longer than one can take.
STOP_SECONDS = TIMEOUT_SECONDS + 1


class Accident(StrEnum):
    """What can happen to a notice; the module's docstring says what each does."""

    DUPLICATE = "duplicate"
    DELAY = "delay"
    REORDER = "reorder"
    LOSE = "lose"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to send: its body is written once and stays."""

    event_id: str
    webhook_id: str
    topic: str
    body: bytes
    triggered_at: datetime
    due_at: datetime
    tries: int = 0
    is_overtaken: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt, as the shop remembers it; `status` None where nobody answered in time."""

    event_id: str
    topic: str
    at: datetime
    status: int | None


@dataclass(slots=True)
class _Order:
    accident: Accident
    times: int
    seconds: float


@dataclass(slots=True)
class Webhooks:
    """The notices of one shop that wait to be sent. Safe to use from several threads."""

    address: str | None = None
    secret: str = field(default="", repr=False)
    deliveries: list[Delivery] = field(default_factory=list)
    _waiting: list[Notice] = field(default_factory=list, repr=False)
    _accidents: list[_Order] = field(default_factory=list)
    _count: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def send_to(self, address: str | None, *, secret: str = "") -> None:
        """Send what happens from now on to `address`, signed with `secret`; None: to nobody."""
        with self._lock:
            self.address, self.secret = address, secret
            if address is None:
                self._waiting.clear()

    def order_accident(self, accident: Accident, *, times: int = 1, seconds: float = 0.0) -> None:
        """Have `accident` happen to the next `times` notices, after those ordered before."""
        if times < 1 or (accident is Accident.DELAY and seconds <= 0):
            raise ValueError("an accident happens 1 or more times, and a delay needs seconds")
        with self._lock:
            self._accidents.append(_Order(accident, times, seconds))

    @property
    def waiting(self) -> list[Notice]:
        """What is still to be sent, in its order."""
        with self._lock:
            return list(self._waiting)

    def tell_of_payment(self, shop: "Shop", order: "Order") -> None:
        """An order has been paid in full."""
        self._tell(shop, PAID_TOPIC, order_json(shop, order))

    def tell_of_refund(self, shop: "Shop", order: "Order", refund: "Refund") -> None:
        """Something was refunded."""
        self._tell(shop, REFUND_TOPIC, refund_json(shop, order, refund))

    def _tell(self, shop: "Shop", topic: str, body: dict[str, object]) -> None:
        with self._lock:
            if self.address is None:
                return
            now = shop.now()
            self._count += 1
            notice = Notice(
                event_id=f"00000000-0000-4000-8000-{self._count:012d}",
                webhook_id=f"00000000-0000-4000-9000-{self._count:012d}",
                topic=topic,
                body=json.dumps(body, separators=(",", ":")).encode(),
                triggered_at=now,
                due_at=now,
            )
            overtaken = [each for each in self._waiting if each.is_overtaken]
            self._waiting = [each for each in self._waiting if not each.is_overtaken]
            self._waiting += self._suffer(notice)
            self._waiting += [replace(each, due_at=now, is_overtaken=False) for each in overtaken]

    def _suffer(self, notice: Notice) -> list[Notice]:
        """What becomes of a notice, if an accident was ordered."""
        if not self._accidents:
            return [notice]
        order = self._accidents[0]
        order.times -= 1
        if order.times == 0:
            del self._accidents[0]
        match order.accident:
            case Accident.DUPLICATE:
                return [notice, notice]
            case Accident.DELAY:
                return [replace(notice, due_at=notice.due_at + timedelta(seconds=order.seconds))]
            case Accident.REORDER:
                return [replace(notice, due_at=notice.due_at + OVERTAKEN_WITHIN, is_overtaken=True)]
            case Accident.LOSE:
                return []

    def take_due(self, now: datetime) -> list[Notice]:
        """What is to be sent by now; whoever takes it sends it, or puts it back."""
        with self._lock:
            due = [each for each in self._waiting if each.due_at <= now]
            self._waiting = [each for each in self._waiting if each.due_at > now]
            return due

    def note_delivery(self, notice: Notice, status: int | None, now: datetime) -> None:
        """Remember an attempt; what was not taken is tried again later, so many times."""
        with self._lock:
            self.deliveries.append(Delivery(notice.event_id, notice.topic, now, status))
            is_taken = status is not None and 200 <= status < 300  # noqa: PLR2004 - HTTP's "done"
            if is_taken or notice.tries == len(RETRY_AFTER_SECONDS):
                return
            wait = timedelta(seconds=RETRY_AFTER_SECONDS[notice.tries])
            self._waiting.append(replace(notice, due_at=now + wait, tries=notice.tries + 1))


def sign(body: bytes, secret: str) -> str:
    """What stands in `X-Shopify-Hmac-Sha256`."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def deliver_due(shop: "Shop", session: requests.Session) -> int:
    """Send what is due now, one after the other; returns how many attempts that were."""
    webhooks = shop.webhooks
    address, secret = webhooks.address, webhooks.secret
    if address is None:
        return 0
    due = webhooks.take_due(shop.now())
    for notice in due:
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": notice.topic,
            "X-Shopify-Hmac-Sha256": sign(notice.body, secret),
            "X-Shopify-Shop-Domain": shop.domain,
            "X-Shopify-API-Version": API_VERSION,
            "X-Shopify-Webhook-Id": notice.webhook_id,
            "X-Shopify-Event-Id": notice.event_id,
            "X-Shopify-Triggered-At": notice.triggered_at.isoformat(),
        }
        try:
            reply = session.post(
                address,
                data=notice.body,
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException:
            status = None
        else:
            status = reply.status_code
        webhooks.note_delivery(notice, status, shop.now())
        shop.note_change()
    return len(due)


@contextmanager
def delivering(shop: "Shop") -> Iterator[None]:
    """Send in the background what becomes due, until the end; nothing while no address is given."""
    stop = threading.Event()

    def run() -> None:
        with requests.Session() as session:
            session.trust_env = False  # the receiver is on this machine: no proxy in between
            while not stop.wait(LOOK_EVERY_SECONDS):
                deliver_due(shop, session)

    thread = threading.Thread(target=run, name="shopify webhooks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(STOP_SECONDS)
