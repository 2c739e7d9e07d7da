"""A delivery reaches Klaviyo once, whatever happens on the way, and nobody else hears of it."""

import json
import logging
import socket
import traceback
from collections.abc import Callable
from datetime import date

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from giftcards.clients.klaviyo import REVISION, Klaviyo
from giftcards.domain.codes import Code
from giftcards.domain.deliveries import CardsDelivered, DeliveredCard, GiftConfirmed, Person
from giftcards.domain.money import Money
from giftcards.errors import (
    AccessRefused,
    ConfigurationError,
    DeliveryRefused,
    GiftCardError,
    NotSent,
    SafeToRepeat,
    TryAgain,
    VendorSurprise,
)
from sandbox.faults import Fault
from tests.clients.klaviyo.desk import ADDRESS, KEY, Desk, open_desk

CODE = Code("wxyz2345abcd6789")
SPELLINGS = (CODE.value, "WXYZ 2345 ABCD 6789", "WXYZ2345ABCD6789")


def delivery(
    *, resend: int = 0, email: str = "mia@example.com", message: str = "Enjoy!"
) -> CardsDelivered:
    return CardsDelivered(
        operation="issue#recA#1",
        resend=resend,
        to=Person("Mia Ortiz", email),
        cards=(DeliveredCard(CODE, Money(5_000, "USD"), date(2031, 11, 23)),),
        giver="Rosa",
        message=message,
        theme="wedding",
        shop_name="Lantern & Loom",
        shop_url="https://lantern.example",
    )


CONFIRMATION = GiftConfirmed(
    operation="issue#recA#1",
    resend=0,
    to=Person("Rosa", "rosa@example.com"),
    recipient=Person("Mia Ortiz", "mia@example.com"),
    amount=Money(5_000, "USD"),
    quantity=1,
    send_on=date(2026, 12, 24),
    message="Enjoy!",
    theme="wedding",
    shop_name="Lantern & Loom",
    shop_url="https://lantern.example",
)


def test_a_delivery_becomes_an_event_on_the_recipients_timeline(desk: Desk) -> None:
    desk.client.send_event(delivery())
    (event,) = desk.account.events
    assert (event.metric, event.email) == ("Gift Card Delivered", "mia@example.com")
    assert event.unique_id == "issue#recA#1/0"
    assert event.properties == delivery().properties()
    assert (event.value, event.value_currency) == (None, None)  # it would count as revenue


def test_a_confirmation_becomes_one_on_the_purchasers_without_the_code(desk: Desk) -> None:
    desk.client.send_event(CONFIRMATION)
    (event,) = desk.account.events
    assert (event.metric, event.email) == ("Gift Card Gift Confirmation", "rosa@example.com")
    body = str(desk.adapter.sent[0].body)
    assert not any(spelling in body for spelling in SPELLINGS)
    assert "code" not in event.properties
    assert "cards" not in event.properties


def test_a_request_is_what_the_vendor_asks_for(desk: Desk) -> None:
    desk.client.send_event(delivery())
    (request,) = desk.adapter.sent
    assert (request.method, request.url) == ("POST", f"{ADDRESS}/api/events")
    assert request.headers["revision"] == REVISION == "2026-07-15"
    assert request.headers["Content-Type"] == "application/vnd.api+json"
    assert request.headers["Authorization"] == f"Klaviyo-API-Key {KEY}"
    assert desk.adapter.given[0]["timeout"].total == 5
    profile = json.loads(request.body or b"")["data"]["attributes"]["profile"]
    assert profile["data"]["attributes"] == {"email": "mia@example.com"}


def test_sent_again_it_is_taken_once_and_a_resend_is_another(desk: Desk) -> None:
    desk.client.send_event(delivery())
    desk.client.send_event(delivery(message="Another text changes nothing"))
    assert len(desk.account.events) == 1
    assert desk.account.events[0].properties["message"] == "Enjoy!"
    desk.client.send_event(delivery(resend=1))
    assert [event.unique_id for event in desk.account.events] == [
        "issue#recA#1/0",
        "issue#recA#1/1",
    ]


# ---- what may be tried again --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kept"),
    [
        (Fault.DROP_REPLY, 1),
        (Fault.BREAK_CONNECTION, 1),
        (Fault.FAIL_AFTER, 1),
        (Fault.FAIL_BEFORE, 0),
    ],
)
def test_after_an_unclear_reply_repeating_is_safe_and_completes(
    desk: Desk, fault: Fault, kept: int
) -> None:
    desk.account.faults.add(fault, operation="event")
    with pytest.raises(SafeToRepeat):
        desk.client.send_event(delivery())
    assert len(desk.account.events) == kept
    assert len(desk.adapter.sent) == 1  # nothing is repeated in here
    desk.client.send_event(delivery())
    assert len(desk.account.events) == 1


def test_without_a_connection_nothing_was_sent(desk: Desk) -> None:
    desk.account.faults.add(Fault.REFUSE_CONNECTION)
    with pytest.raises(NotSent, match="No connection"):
        desk.client.send_event(delivery())
    assert desk.account.events == []
    desk.adapter.canned.append(requests.exceptions.ConnectTimeout("slow"))
    with pytest.raises(NotSent, match="No connection"):
        desk.client.send_event(delivery())


def test_too_fast_says_how_long_to_wait(desk: Desk) -> None:
    desk.account.faults.add(Fault.THROTTLE)
    with pytest.raises(NotSent) as caught:
        desk.client.send_event(delivery())
    assert caught.value.retry_after_seconds == 10
    assert desk.account.events == []


def test_the_published_limit_is_told_with_the_rest_of_its_window(desk: Desk) -> None:
    desk.advance(0.25)
    for number in range(350):
        desk.client.send_event(delivery(resend=number))
    with pytest.raises(NotSent) as caught:
        desk.client.send_event(delivery(resend=350))
    assert caught.value.retry_after_seconds == 1
    desk.advance(1)
    desk.client.send_event(delivery(resend=350))
    assert len(desk.account.events) == 351


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("17", 17),
        (" 17 ", 17),
        ("999999", 43_200),
        ("99999999999999", None),
        ("-3", None),
        ("1.5", None),
        ("٣", None),
        ("Mon, 23 Nov 2026 17:00:10 GMT", None),
        ("", None),
    ],
)
def test_a_wait_is_read_only_where_it_is_one(desk: Desk, header: str, seconds: int | None) -> None:
    for status in (429, 503):
        desk.answer_with(status, b"", **{"Retry-After": header})
        with pytest.raises(TryAgain) as caught:
            desk.client.send_event(delivery())
        assert caught.value.retry_after_seconds == seconds


# ---- what needs a person ------------------------------------------------------------------------


@pytest.mark.parametrize("email", ["mia", "mia@example", "mia@@example.com", "mia ortiz@b.test"])
def test_a_bad_address_is_named_by_its_place_and_never_quoted(desk: Desk, email: str) -> None:
    with pytest.raises(DeliveryRefused) as caught:
        desk.client.send_event(delivery(email=email))
    assert caught.value.pointers == ("/data/attributes/profile/data/attributes/email",)
    assert "/data/attributes/profile/data/attributes/email" in str(caught.value)
    assert email not in str(caught.value)
    assert desk.account.events == []


def test_of_a_pointer_only_our_own_names_are_told(desk: Desk) -> None:
    errors = [
        {"source": {"pointer": f"/data/attributes/properties/cards/0/{CODE.value}"}},
        {"source": {"pointer": f"/data/attributes/{CODE.value}"}},
        {"source": {"pointer": f"/data/attributes/{KEY}"}},
        {"source": {"parameter": "filter"}},
        {"source": None},
        "nonsense",
    ]
    desk.answer_with(400, json.dumps({"errors": errors}).encode())
    with pytest.raises(DeliveryRefused) as caught:
        desk.client.send_event(delivery())
    assert caught.value.pointers == ("/data/attributes/properties/…/…/…", "/data/attributes/…")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"errors": 3}', b'{"errors": []}'])
def test_a_refusal_that_names_nothing_is_still_a_refusal(desk: Desk, body: bytes) -> None:
    desk.answer_with(400, body)
    with pytest.raises(DeliveryRefused, match="no part that it names") as caught:
        desk.client.send_event(delivery())
    assert caught.value.pointers == ()


def test_a_wrong_key_is_for_a_person() -> None:
    desk = open_desk(key="pk_wrong")
    with pytest.raises(AccessRefused, match="klaviyo-key"):
        desk.client.send_event(delivery())
    assert desk.account.events == []


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (200, VendorSurprise),  # not Klaviyo: its events API answers 202
        (204, VendorSurprise),
        (301, ConfigurationError),
        (307, ConfigurationError),
        (401, AccessRefused),
        (403, AccessRefused),
        (404, ConfigurationError),
        (408, SafeToRepeat),
        (410, ConfigurationError),
        (413, VendorSurprise),
        (415, VendorSurprise),
        (429, NotSent),
        (500, SafeToRepeat),
        (502, SafeToRepeat),
        (503, SafeToRepeat),
        (504, SafeToRepeat),
    ],
)
def test_what_a_status_means(desk: Desk, status: int, meaning: type[GiftCardError]) -> None:
    elsewhere = {"Location": "https://elsewhere.test/"} if 300 <= status < 400 else {}
    desk.answer_with(status, b"{}", **elsewhere)
    with pytest.raises(GiftCardError) as caught:
        desk.client.send_event(delivery())
    assert type(caught.value) is meaning
    assert len(desk.adapter.sent) == 1  # nobody followed, nobody repeated


# ---- secrets ------------------------------------------------------------------------------------


def failures(desk: Desk) -> list[Callable[[], None]]:
    """Every way a delivery can fail, one after the other."""

    def faulty(fault: Fault) -> Callable[[], None]:
        return lambda: desk.account.faults.add(fault, operation="event")

    def refused(status: int, body: str) -> Callable[[], None]:
        return lambda: desk.answer_with(status, body.encode())

    quoting = json.dumps({"errors": [{"detail": CODE.value, "source": {"pointer": CODE.value}}]})
    return [
        *(faulty(fault) for fault in Fault if fault not in {Fault.APPLY_LATE, Fault.STALE_SEARCH}),
        *(refused(status, quoting) for status in (200, 302, 400, 401, 404, 429, 500)),
    ]


def test_no_failure_tells_the_code_the_address_or_the_key(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    for arrange in failures(desk):
        arrange()
        with pytest.raises(GiftCardError) as failure:
            desk.client.send_event(delivery())
        told.append("".join(traceback.format_exception(failure.value)) + repr(failure.value))
    assert len(told) == 15
    for secret in (*SPELLINGS, KEY, "mia@example.com"):
        assert secret not in "".join(told)
        assert secret not in caplog.text


def test_the_client_does_not_show_its_key(desk: Desk) -> None:
    assert KEY not in repr(desk.client)
    assert KEY not in repr(vars(desk.client))
    assert KEY not in repr(vars(vars(desk.client)["_connection"]))
    desk.client.send_event(delivery())
    assert "Authorization" not in desk.session.headers  # other vendors use the session, too


# ---- over real sockets --------------------------------------------------------------------------


@pytest.mark.sockets
def test_over_the_network_a_silent_klaviyo_is_left_after_the_time_out_and_not_asked_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, requests.Session() as session:
        insistent = Retry(total=3, allowed_methods=None, backoff_factor=0)
        session.mount("http://", HTTPAdapter(max_retries=insistent))
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = Klaviyo(KEY, base_url=address, session=session, timeout_seconds=0.2)
        with pytest.raises(SafeToRepeat, match="ReadTimeout"):
            client.send_event(delivery())
        silent.settimeout(0.2)
        silent.accept()[0].close()
        with pytest.raises(TimeoutError):  # a second connection never came
            silent.accept()


@pytest.mark.sockets
def test_over_the_network_nobody_at_home_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with requests.Session() as session:
        client = Klaviyo(KEY, base_url=address, session=session, timeout_seconds=1)
        with pytest.raises(NotSent, match="No connection"):
            client.send_event(delivery())
