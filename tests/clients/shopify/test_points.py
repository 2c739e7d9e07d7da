"""Never throttled: the client waits for Shopify's points, and bulk work leaves some for stores."""

import heapq
import random
import threading
from collections import Counter as Counts
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

import giftcards.clients.shopify
from giftcards.clients.shopify import Shopify, StaticToken
from giftcards.clients.shopify.documents import document
from giftcards.clients.shopify.points import (
    ASSUMED_POINTS,
    BELIEVED_SECONDS,
    MOST_WAIT_SECONDS,
    REQUESTED_POINTS,
    WAKE_LATE_SECONDS,
    Bucket,
    ThrottleStatus,
)
from giftcards.domain.cards import Debited
from giftcards.domain.codes import Code
from giftcards.errors import NotSent
from giftcards.wiring import BULK_MOST_WAIT_SECONDS, BULK_RESERVE_POINTS
from sandbox.faults import Fault
from sandbox.shopify import Shop
from tests.clients.shopify.counter import (
    ADDRESS,
    REFERENCE,
    START,
    TOKEN,
    Counter,
    CountingAdapter,
    dollars,
)

TICK_SECONDS = 15
THREADS = 10


class SharedTime:
    """Seconds that pass only while every thread sleeps; then the next one wakes."""

    def __init__(self) -> None:
        self.now = 0.0
        self._turn = threading.Condition()
        self._sleepers: list[float] = []
        self._awake = 1  # the test itself

    def clock(self) -> datetime:
        return START + timedelta(seconds=self.now)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._turn:
            wakes_at = self.now + seconds
            heapq.heappush(self._sleepers, wakes_at)
            self._fall_asleep()
            self._turn.wait_for(lambda: self.now >= wakes_at)

    def run(self, work: Sequence[Callable[[], None]]) -> None:
        """Do all of it side by side; a failure in a thread fails the test."""
        self._awake = len(work)
        failures: list[BaseException] = []

        def begin(one: Callable[[], None]) -> None:
            try:
                one()
            except BaseException as failure:  # noqa: BLE001 - told below, in the test's thread
                failures.append(failure)
            finally:
                with self._turn:
                    self._fall_asleep()

        threads = [threading.Thread(target=begin, args=(one,)) for one in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._awake = 1
        assert failures == []

    def _fall_asleep(self) -> None:
        self._awake -= 1
        if self._awake == 0 and self._sleepers:
            self.now = max(self.now, self._sleepers[0])
            while self._sleepers and self._sleepers[0] <= self.now:
                heapq.heappop(self._sleepers)
                self._awake += 1
            self._turn.notify_all()


class SlowAdapter(CountingAdapter):
    """Answers after 0.2 to 0.5 seconds, and notes how full the bucket was left by each request."""

    def __init__(self, shop: Shop, time: SharedTime) -> None:
        super().__init__(shop)
        self.shop = shop
        self.time = time
        self.chance = random.Random(7)  # noqa: S311 - latencies, no secrets
        self.left: list[tuple[str, float]] = []
        self.statuses: Counts[int] = Counts()

    def send(self, request: requests.PreparedRequest, **given: Any) -> requests.Response:  # type: ignore[override] # passes on what it is given
        half = self.chance.uniform(0.1, 0.25)
        self.time.sleep(half)
        reply = super().send(request, **given)
        self.statuses[reply.status_code] += 1
        query = str(request.body)
        name = next(name for name in ("Find", "Read", "Debit", "Shop") if name in query)
        self.left.append((name, self.shop.throttle_status().currently_available))
        self.time.sleep(half)
        return reply


class Street:
    """A shop with real limits and latencies, and clients for it that live in one time."""

    def __init__(self, *, cards: int) -> None:
        self.time = SharedTime()
        self.shop = Shop(clock=self.time.clock)
        self.shop.add_static_token(TOKEN)
        self.codes = [Code(f"abcdefgh{number:04}") for number in range(cards)]
        self.ids = [self.shop.issue_card(amount="25", code=code.value).id for code in self.codes]

    def client(self, **given: Any) -> tuple[Shopify, SlowAdapter]:
        adapter = SlowAdapter(self.shop, self.time)
        session = requests.Session()
        session.mount(ADDRESS, adapter)
        client = Shopify(
            StaticToken(TOKEN),
            base_url=ADDRESS,
            session=session,
            timeout_seconds=5,
            clock=self.time.clock,
            sleep=self.time.sleep,
            monotonic=self.time.monotonic,
            **given,
        )
        return client, adapter

    def bulk_client(self) -> tuple[Shopify, SlowAdapter]:
        return self.client(
            reserve_points=BULK_RESERVE_POINTS, most_wait_seconds=BULK_MOST_WAIT_SECONDS
        )

    def worker(self, client: Shopify, waiting: list[Code], *, until: float) -> Callable[[], None]:
        """One thread of the stores' prong: a row that could not be served goes back."""

        def serve() -> None:
            later = []
            while waiting and self.time.now < until:
                code = waiting.pop(0)
                try:
                    self.redeem(client, code)
                except NotSent:
                    later.append(code)
            waiting.extend(later)

        return serve

    def redeem(self, client: Shopify, code: Code) -> None:
        found = client.find_card(code)
        assert found is not None
        assert client.read_card(found.id) is not None
        with client.room_to_debit(within_seconds=5) as room:
            reply = client.debit(found.id, amount=dollars("1"), reference=REFERENCE, room=room)
        assert isinstance(reply, Debited)

    def debited(self) -> Counts[int]:
        return Counts(len(card.transactions) for card in self.shop.cards)


def calls(adapter: SlowAdapter) -> Counts[str]:
    return Counts(name for name, _ in adapter.left)


# ---- at published limits ----------------------------------------------------------------------


def test_a_hundred_new_cards_are_served_in_one_tick_and_nothing_is_throttled() -> None:
    street = Street(cards=100)
    client, adapter = street.client()
    waiting = list(street.codes)
    street.time.run([street.worker(client, waiting, until=TICK_SECONDS)] * THREADS)
    assert street.time.now < TICK_SECONDS
    assert street.debited() == {1: 100}
    assert calls(adapter) == {"Find": 100, "Read": 100, "Debit": 100}
    assert street.shop.refused_as_too_fast == 0
    assert adapter.statuses == {200: 300}


def test_a_bucket_nearly_empty_serves_all_over_the_next_ticks_and_throttles_nobody() -> None:
    street = Street(cards=100)
    client, adapter = street.client()
    assert street.shop.spend_points(2_000 - 60)
    waiting = list(street.codes)
    ticks = 0
    while waiting:
        ticks += 1
        street.time.run([street.worker(client, waiting, until=ticks * TICK_SECONDS)] * THREADS)
        street.time.sleep(max(0.0, ticks * TICK_SECONDS - street.time.now))
    assert ticks == 2  # 2,400 points at 100 a second
    assert street.debited() == {1: 100}
    assert street.shop.refused_as_too_fast == 0
    assert adapter.statuses == {200: 300}


def test_bulk_work_leaves_the_reserve_alone() -> None:
    street = Street(cards=100)
    client, adapter = street.bulk_client()
    for _ in range(20):
        client.read_cards(street.ids)
    assert calls(adapter) == {"Shop": 1, "Read": 20}
    assert min(left for _, left in adapter.left) >= BULK_RESERVE_POINTS
    assert min(left for _, left in adapter.left) < BULK_RESERVE_POINTS + 100  # it does use the rest
    assert street.shop.refused_as_too_fast == 0


def test_bulk_work_that_finds_the_reserve_taken_looks_and_waits() -> None:
    street = Street(cards=100)
    client, adapter = street.bulk_client()
    street.shop.spend_points(1_000)
    client.read_cards(street.ids)
    assert [name for name, _ in adapter.left] == ["Shop", "Read"]
    assert adapter.left[-1][1] >= BULK_RESERVE_POINTS
    assert street.time.now >= 4.9


def test_a_burst_beside_bulk_work_is_served_in_its_tick() -> None:
    street = Street(cards=100)
    stores, of_stores = street.client()
    bulk, of_bulk = street.bulk_client()
    while street.shop.throttle_status().currently_available > BULK_RESERVE_POINTS + 100:
        bulk.read_cards(street.ids)
    begun = street.time.now
    waiting = list(street.codes)
    finished: list[float] = []

    def mirror() -> None:
        while len(finished) < THREADS:
            try:
                bulk.read_cards(street.ids)
            except NotSent:
                street.time.sleep(2)

    def serve() -> None:
        street.worker(stores, waiting, until=begun + TICK_SECONDS)()
        finished.append(street.time.now)

    street.time.run([mirror, *[serve] * THREADS])
    assert max(finished) - begun < TICK_SECONDS
    assert street.debited() == {1: 100}
    assert street.shop.refused_as_too_fast == 0
    assert of_stores.statuses == {200: 300}
    assert set(of_bulk.statuses) == {200}


# ---- what requests cost -----------------------------------------------------------------------

SOME_CARD = "gid://shopify/GiftCard/1"
SOME_ORDER = "gid://shopify/Order/1"
VARIABLES: dict[str, dict[str, Any]] = {
    "card_limits": {},
    "create_card": {"input": {"initialAmount": {"amount": "5", "currencyCode": "USD"}}},
    "find_created": {"code": "abcdefgh0000"},
    "card_movements": {"id": SOME_CARD, "pageSize": 100, "before": None},
    "debit_card": {
        "id": SOME_CARD,
        "debit": {"debitAmount": {"amount": "1", "currencyCode": "USD"}, "note": "n"},
    },
    "find_card": {"code": "abcdefgh0000"},
    "all_cards": {"count": 40, "after": None},
    "changed_cards": {"count": 40, "after": None},
    "credit_card": {
        "id": SOME_CARD,
        "credit": {"creditAmount": {"amount": "1", "currencyCode": "USD"}, "note": "n"},
    },
    "deactivate_card": {"id": SOME_CARD},
    "find_orders": {"search": "gateway:gift_card", "after": None},
    "granted_scopes": {},
    "newest_cards": {"count": 50},
    "order_lines": {"id": SOME_ORDER, "after": "x"},
    "read_order": {"id": SOME_ORDER},
    "read_payments": {"id": SOME_ORDER, "count": 100},
    "tag_order": {"id": SOME_ORDER, "tags": ["t"]},
    "read_card": {"id": SOME_CARD},
    "read_cards": {"ids": [SOME_CARD] * 30},
    "shop_facts": {},
}


def test_every_document_has_its_price() -> None:
    folder = Path(giftcards.clients.shopify.__file__).parent
    assert {file.stem for file in folder.glob("*.graphql")} == set(REQUESTED_POINTS)


@pytest.mark.parametrize("name", sorted(REQUESTED_POINTS))
def test_each_document_costs_what_we_reckon(counter: Counter, name: str) -> None:
    reply = counter.session.post(
        f"{ADDRESS}/admin/api/2026-10/graphql.json",
        json={"query": document(name), "variables": VARIABLES[name]},
        headers={"X-Shopify-Access-Token": TOKEN},
        timeout=1,
    )
    requested = reply.json()["extensions"]["cost"]["requestedQueryCost"]
    assert Bucket().points_of(name, VARIABLES[name]) == requested


def test_a_price_that_shopify_changed_is_learnt_from_the_first_reply() -> None:
    bucket = Bucket()
    bucket.learn("read_card", {"id": SOME_CARD}, 20)
    bucket.learn("read_cards", {"ids": ["a", "b"]}, 40)
    assert bucket.points_of("read_card", {"id": SOME_CARD}) == 20
    assert bucket.points_of("read_cards", {"ids": ["c", "d"]}) == 40
    assert bucket.points_of("read_cards", {"ids": ["c"]}) == 1


# ---- one request ------------------------------------------------------------------------------


def empty_but_for(counter: Counter, points: float) -> None:
    """Other functions of ours leave so little, and our client has just seen it."""
    left = counter.shop.throttle_status().currently_available
    assert counter.shop.spend_points(left - points - 1)
    counter.client.shop_facts()  # one point
    counter.adapter.sent.clear()


def test_a_question_waits_just_as_long_as_it_has_to(counter: Counter) -> None:
    card = counter.card()
    empty_but_for(counter, 2)
    assert counter.client.read_card(card.id) is not None
    assert (counter.now - START).total_seconds() == pytest.approx(0.07 + WAKE_LATE_SECONDS)
    assert counter.shop.refused_as_too_fast == 0


def test_a_question_that_would_wait_too_long_is_not_sent(counter: Counter) -> None:
    card = counter.card()
    left = counter.shop.throttle_status().currently_available
    assert counter.shop.spend_points(left)
    slow = {"maximumAvailable": 2000.0, "currentlyAvailable": 0, "restoreRate": 50.0}
    counter.answer_json(
        {"data": {"giftCard": None}, "extensions": {"cost": {"throttleStatus": slow}}}
    )
    assert counter.client.read_card(SOME_CARD) is None
    counter.adapter.sent.clear()
    assert MOST_WAIT_SECONDS < 111 / 50
    with pytest.raises(NotSent, match="bucket"):
        counter.client.find_movement(
            card.id, reference=REFERENCE, amount=dollars("3"), since=counter.now
        )
    assert counter.adapter.sent == []
    assert counter.now == START


def test_a_debit_is_refused_rather_than_kept_waiting(counter: Counter) -> None:
    card = counter.card()
    empty_but_for(counter, 10)
    with pytest.raises(NotSent, match="bucket"):
        counter.client.debit(card.id, amount=dollars("3"), reference=REFERENCE)
    assert counter.adapter.sent == []
    assert counter.now == START
    with counter.client.room_to_debit(within_seconds=1) as room:
        waited = counter.now
        counter.client.debit(card.id, amount=dollars("3"), reference=REFERENCE, room=room)
    assert waited > START
    assert counter.now == waited
    assert counter.shop.refused_as_too_fast == 0


def test_room_for_a_debit_is_not_waited_for_beyond_the_deadline(counter: Counter) -> None:
    empty_but_for(counter, 1)
    with pytest.raises(NotSent), counter.client.room_to_debit(within_seconds=0.09):
        raise AssertionError("there was no room")
    assert counter.now == START
    with counter.client.room_to_debit(within_seconds=0.12):
        pass


# ---- what is known of the bucket ----------------------------------------------------------------


def bucket_of(moments: list[float], **given: Any) -> Bucket:
    def sleep(seconds: float) -> None:
        moments[0] += seconds

    return Bucket(sleep=sleep, monotonic=lambda: moments[0], **given)


def refuses(bucket: Bucket, points: float) -> bool:
    try:
        with bucket.room(points, within_seconds=0):
            return False
    except NotSent:
        return True


def status(available: float, *, maximum: float = 2_000) -> ThrottleStatus:
    return ThrottleStatus(maximum, available, 100)


def told(bucket: Bucket, available: float, *, maximum: float = 2_000) -> None:
    with bucket.room(1) as room:
        room.was_sent = True
        bucket.note(room, status(available, maximum=maximum))


def test_what_is_under_way_is_not_promised_again() -> None:
    bucket = bucket_of([0.0])
    told(bucket, 20)
    with bucket.room(11):
        assert refuses(bucket, 11)
        assert not refuses(bucket, 9)
    assert not refuses(bucket, 11)


def test_a_reply_that_was_overtaken_shows_no_points_that_are_spent() -> None:
    bucket = bucket_of([0.0])
    told(bucket, 31)
    with bucket.room(11) as slow:
        with bucket.room(11) as quick:
            bucket.note(quick, status(9))
        bucket.note(slow, status(20))  # answered before the other, arrived after it
    assert refuses(bucket, 11)
    told(bucket, 20)  # alone: believed
    assert not refuses(bucket, 11)


def test_a_request_without_a_reply_has_cost_what_it_may_cost() -> None:
    bucket = bucket_of([0.0])
    told(bucket, 20)
    with bucket.room(11):
        pass  # never sent
    with bucket.room(11) as room:
        room.was_sent = True
    assert refuses(bucket, 11)


def test_after_a_silence_one_goes_ahead_and_few_follow() -> None:
    moments = [0.0]
    bucket = bucket_of(moments)
    told(bucket, 2_000)
    moments[0] += BELIEVED_SECONDS + 1
    assert not refuses(bucket, 111)
    with bucket.room(11):
        assert not refuses(bucket, ASSUMED_POINTS - 11)
        assert refuses(bucket, ASSUMED_POINTS - 10)


def test_a_reserve_larger_than_the_bucket_means_a_full_bucket() -> None:
    bucket = bucket_of([0.0], reserve_points=BULK_RESERVE_POINTS)
    told(bucket, 999, maximum=1_000)
    assert refuses(bucket, 100)
    bucket = bucket_of([0.0], reserve_points=BULK_RESERVE_POINTS)
    with bucket.room(1) as room:
        bucket.note(room, status(1_000, maximum=1_000))
    assert not refuses(bucket, 100)


@pytest.mark.parametrize(
    "cost",
    [None, [], {}, {"throttleStatus": None}, {"throttleStatus": {"maximumAvailable": "x"}}],
)
def test_an_answer_without_a_cost_is_an_answer(counter: Counter, cost: object) -> None:
    counter.answer_json({"data": {"giftCard": None}, "extensions": {"cost": cost}})
    assert counter.client.read_card(SOME_CARD) is None


def test_a_throttled_reply_tells_how_empty_the_bucket_is(counter: Counter) -> None:
    """What another function of ours has spent is learnt at the latest from the refusal."""
    card = counter.card()
    counter.client.shop_facts()
    counter.shop.spend_points(counter.shop.throttle_status().currently_available)
    with pytest.raises(NotSent, match="THROTTLED"):
        counter.client.read_card(card.id)
    assert counter.shop.refused_as_too_fast == 1
    assert counter.client.read_card(card.id) is not None  # after a wait
    assert counter.shop.refused_as_too_fast == 1
    counter.shop.faults.add(Fault.DROP_REPLY, operation="giftCard")
    with pytest.raises(NotSent):
        counter.client.read_card(card.id)
    assert counter.client.read_card(card.id) is not None
    assert counter.shop.refused_as_too_fast == 1
