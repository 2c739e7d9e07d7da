"""Tokens, retries, versions and secrets: what happens around each request."""

import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import flask
import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from werkzeug.serving import make_server

from giftcards.clients.shopify import ClientCredentials, Shopify, StaticToken
from giftcards.domain.cards import Debited
from giftcards.domain.codes import Code
from giftcards.errors import (
    AccessRefused,
    ConfigurationError,
    GiftCardError,
    NotSent,
    Unconfirmed,
    VendorSurprise,
)
from sandbox.faults import Fault
from sandbox.shopify import create_app
from sandbox.wsgi import WsgiAdapter
from tests.clients.shopify.counter import (
    ADDRESS,
    CODE,
    REFERENCE,
    START,
    TOKEN,
    Counter,
    dollars,
    open_counter,
)

APP = ClientCredentials("app", "app_secret")
UNKNOWN = "gid://shopify/GiftCard/1"


def paths(counter: Counter) -> list[str]:
    return [str(request.path_url).rpartition("/")[2] for request in counter.adapter.sent]


# ---- tokens ---------------------------------------------------------------------------------


def test_an_app_fetches_its_token_once_and_renews_it_early() -> None:
    counter = open_counter(APP)
    counter.client.shop_facts()
    counter.advance(22 * 3600)
    counter.client.shop_facts()
    assert paths(counter) == ["access_token", "graphql.json", "graphql.json"]
    counter.advance(3600)  # the token would still live for an hour
    counter.client.shop_facts()
    assert paths(counter)[3:] == ["access_token", "graphql.json"]
    counter.advance(23 * 3600)
    counter.client.shop_facts()
    assert counter.shop.faults.waiting() == []


def test_a_refused_token_is_renewed_but_the_debit_is_for_the_caller_to_send_again() -> None:
    """The renewal took time: whether there is still enough, only the caller knows."""
    counter = open_counter(APP)
    card = counter.card("25")
    counter.client.shop_facts()
    counter.shop.revoke_tokens()
    with pytest.raises(NotSent):
        counter.client.debit(card.id, amount=dollars("3"), reference=REFERENCE)
    assert counter.shop.card(card.id).transactions == []
    reply = counter.client.debit(card.id, amount=dollars("3"), reference=REFERENCE)
    assert isinstance(reply, Debited)
    assert len(counter.shop.card(card.id).transactions) == 1
    assert paths(counter)[2:] == ["graphql.json", "access_token", "graphql.json"]


def test_a_token_refused_again_after_renewing_is_for_a_person() -> None:
    counter = open_counter(APP)
    counter.shop.faults.add(Fault.REFUSE_TOKEN, operation="shop", times=2)
    with pytest.raises(AccessRefused):
        counter.client.shop_facts()
    assert paths(counter) == ["access_token", "graphql.json"] * 2
    counter.client.shop_facts()  # the next run tries again


def test_wrong_credentials_are_for_a_person() -> None:
    counter = open_counter(ClientCredentials("app", "wrong"))
    with pytest.raises(AccessRefused, match="client id or secret"):
        counter.client.debit(UNKNOWN, amount=dollars("3"), reference=REFERENCE)
    assert paths(counter) == ["access_token"]


@pytest.mark.parametrize(
    "fault",
    [Fault.FAIL_BEFORE, Fault.DROP_REPLY, Fault.REFUSE_CONNECTION, Fault.THROTTLE],
)
def test_without_a_token_nothing_was_sent(fault: Fault) -> None:
    counter = open_counter(APP)
    counter.shop.faults.add(fault, operation="access_token")
    with pytest.raises(NotSent):
        counter.client.debit(UNKNOWN, amount=dollars("3"), reference=REFERENCE)


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"access_token": "", "expires_in": 5}'])
def test_an_answer_without_a_token_is_not_sent(body: str) -> None:
    counter = open_counter(APP)
    counter.answer_text(body)
    with pytest.raises(NotSent):
        counter.client.shop_facts()


def test_a_short_lived_token_is_kept_for_half_its_life() -> None:
    counter = open_counter(APP)
    token = counter.shop.grant_token("app", "app_secret")
    assert token is not None
    counter.answer_json({"access_token": token[0], "expires_in": 600})
    counter.client.shop_facts()
    counter.advance(299)
    counter.client.shop_facts()
    assert paths(counter).count("access_token") == 1
    counter.advance(1)
    counter.client.shop_facts()
    assert paths(counter).count("access_token") == 2


def test_threads_fetch_one_token_together() -> None:
    counter = open_counter(APP)
    counter.adapter.pause_seconds = 0.02  # long enough for the other threads to get there
    threads = [threading.Thread(target=counter.client.shop_facts) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths(counter).count("access_token") == 1


# ---- questions may be asked again, changes may not --------------------------------------------


@pytest.mark.parametrize("fault", [Fault.BREAK_CONNECTION, Fault.REFUSE_CONNECTION])
def test_a_question_is_asked_again_when_its_connection_breaks(
    counter: Counter, fault: Fault
) -> None:
    counter.shop.faults.add(fault, operation="shop")
    assert counter.client.shop_facts().currency == "USD"
    assert len(counter.adapter.sent) == 2
    counter.shop.faults.add(fault, operation="shop", times=2)
    with pytest.raises(NotSent):
        counter.client.shop_facts()
    assert len(counter.adapter.sent) == 4


@pytest.mark.parametrize(
    "fault",
    [
        Fault.DROP_REPLY,
        Fault.FAIL_BEFORE,
        Fault.FAIL_AFTER,
        Fault.THROTTLE,
        Fault.THROTTLE_429,
    ],
)
def test_a_question_that_failed_otherwise_waits_for_the_next_run(
    counter: Counter, fault: Fault
) -> None:
    counter.shop.faults.add(fault, operation="giftCard")
    with pytest.raises(NotSent):
        counter.client.read_card(UNKNOWN)
    assert len(counter.adapter.sent) == 1
    assert counter.client.read_card(UNKNOWN) is None


def test_a_question_that_took_too_long_to_connect_has_no_time_for_another(
    counter: Counter,
) -> None:
    counter.adapter.canned.append(requests.exceptions.ConnectTimeout("slow"))
    with pytest.raises(NotSent, match="No connection"):
        counter.client.shop_facts()
    assert len(counter.adapter.sent) == 1


def test_another_vendors_retries_never_reach_a_debit() -> None:
    session = requests.Session()
    insistent = Retry(total=5, allowed_methods=None, status_forcelist=[500])
    session.mount("https://", HTTPAdapter(max_retries=insistent))

    def open_client() -> None:
        Shopify(
            StaticToken(TOKEN),
            base_url=ADDRESS,
            session=session,
            timeout_seconds=1,
            clock=lambda: START,
        )

    open_client()
    used = session.get_adapter(ADDRESS + "/admin/api")
    assert isinstance(used, HTTPAdapter)
    assert used.max_retries.total == 0
    other = session.get_adapter("https://api.airtable.com")
    assert isinstance(other, HTTPAdapter)
    assert other.max_retries is insistent
    session.mount("https://", HTTPAdapter(max_retries=insistent))  # mounted afterwards
    assert session.get_adapter(ADDRESS + "/admin/api") is used
    stubborn = WsgiAdapter(create_app(open_counter().shop))
    stubborn.max_retries = insistent
    session.mount(ADDRESS, stubborn)
    with pytest.raises(ConfigurationError, match="twice"):
        open_client()


# ---- what the status says -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "question", "change"),
    [
        (301, ConfigurationError, ConfigurationError),
        (307, ConfigurationError, ConfigurationError),
        (400, VendorSurprise, VendorSurprise),
        (402, AccessRefused, AccessRefused),
        (403, AccessRefused, AccessRefused),
        (404, ConfigurationError, ConfigurationError),
        (408, NotSent, Unconfirmed),
        (423, AccessRefused, AccessRefused),
        (429, NotSent, NotSent),
        (430, NotSent, NotSent),
        (500, NotSent, Unconfirmed),
        (502, NotSent, Unconfirmed),
        (503, NotSent, Unconfirmed),
        (504, NotSent, Unconfirmed),
    ],
)
def test_what_a_status_means_for_a_question_and_for_a_change(
    counter: Counter, status: int, question: type[Exception], change: type[Exception]
) -> None:
    elsewhere = {"Location": "https://elsewhere.test/"} if 300 <= status < 400 else {}
    counter.answer_with(status, b"{}", **elsewhere)
    with pytest.raises(question):
        counter.client.read_card(UNKNOWN)
    counter.answer_with(status, b"{}", **elsewhere)
    with pytest.raises(change):
        counter.client.debit(UNKNOWN, amount=dollars("3"), reference=REFERENCE)
    assert len(counter.adapter.sent) == 2  # nobody followed, nobody repeated


@pytest.mark.parametrize("code", ["undefinedField", "INVALID_VARIABLE", "MAX_COST_EXCEEDED"])
def test_a_request_shopify_does_not_understand_is_for_a_person(counter: Counter, code: str) -> None:
    counter.answer_json({"errors": [{"message": "?", "extensions": {"code": code}}]})
    with pytest.raises(VendorSurprise, match=code):
        counter.client.shop_facts()


def test_a_malformed_id_is_for_a_person(counter: Counter) -> None:
    with pytest.raises(VendorSurprise, match="argumentLiteralsIncompatible"):
        counter.client.read_card("7")


def test_an_answer_by_another_version_is_told_once_and_used(counter: Counter) -> None:
    counter.client.shop_facts()
    assert counter.mismatches == []
    counter.shop.oldest_api_version = "2027-10"
    counter.client.shop_facts()
    counter.client.shop_facts()
    assert counter.mismatches == [("2026-10", "2027-10")]


# ---- secrets --------------------------------------------------------------------------------


def test_credentials_do_not_show_themselves() -> None:
    assert "shpat" not in repr(StaticToken("shpat_1"))
    assert "hidden" not in repr(ClientCredentials("app", "hidden"))
    counter = open_counter(APP)
    counter.client.shop_facts()
    assert "secret" not in repr(vars(counter.client))


def failures(counter: Counter) -> Iterator[Callable[[], object]]:
    """Every way a search for a code can fail, one after the other."""
    for fault in (
        Fault.DROP_REPLY,
        Fault.FAIL_BEFORE,
        Fault.FAIL_AFTER,
        Fault.THROTTLE,
        Fault.REFUSE_TOKEN,
    ):
        counter.shop.faults.clear()
        counter.shop.faults.add(fault, operation="giftCards")
        yield lambda: counter.client.find_card(Code(CODE))
    counter.shop.faults.add(Fault.BREAK_CONNECTION, operation="giftCards", times=2)
    yield lambda: counter.client.find_card(Code(CODE))
    for body in (
        f'{{"errors": [{{"message": "no {CODE}", "extensions": {{"code": "BAD_REQUEST"}}}}]}}',
        f'{{"errors": "{CODE}"}}',
        f"<{CODE}>",
        f'{{"data": {{"giftCards": "{CODE}"}}}}',
        f'{{"data": {{"giftCards": {{"nodes": [{{"id": "x", "lastCharacters": "{CODE}"}}]}}}}}}',
    ):
        counter.answer_text(body)
        yield lambda: counter.client.find_card(Code(CODE))


def test_no_failure_tells_the_code_or_the_token(
    counter: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    counter.card()
    count = 0
    for fail in failures(counter):
        with pytest.raises(GiftCardError) as failure:
            fail()
        told = "".join(traceback.format_exception(failure.value)) + repr(failure.value)
        assert CODE not in told
        assert TOKEN not in told
        count += 1
    assert count == 11
    assert CODE not in caplog.text
    assert TOKEN not in caplog.text


# ---- over real sockets ------------------------------------------------------------------------


@contextmanager
def served(counter: Counter) -> Iterator[tuple[str, list[str]]]:
    """The shop on a free port of the loopback interface, and the requests that reached it."""
    reached: list[str] = []
    app = create_app(counter.shop)

    @app.before_request
    def note() -> None:
        reached.append(flask.request.path.rpartition("/")[2])

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", reached
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def client_for(address: str, session: requests.Session, seconds: float = 5) -> Shopify:
    return Shopify(
        StaticToken(TOKEN),
        base_url=address,
        session=session,
        timeout_seconds=seconds,
        clock=lambda: START,
    )


@pytest.mark.sockets
def test_over_the_network_a_lost_debit_is_unconfirmed_and_sent_once() -> None:
    counter = open_counter()
    card = counter.card("25")
    counter.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    with served(counter) as (address, reached), requests.Session() as session:
        insistent = Retry(total=3, allowed_methods=None, backoff_factor=0)
        session.mount("http://", HTTPAdapter(max_retries=insistent))
        client = client_for(address, session)
        with pytest.raises(Unconfirmed):
            client.debit(card.id, amount=dollars("3"), reference=REFERENCE)
        assert reached == ["graphql.json"]
        found = client.find_movement(card.id, reference=REFERENCE, amount=dollars("3"), since=START)
        assert found is not None
    assert len(counter.shop.card(card.id).transactions) == 1


@pytest.mark.sockets
def test_over_the_network_nobody_at_home_is_not_sent() -> None:
    counter = open_counter()
    with served(counter) as (address, _):
        pass  # the port is free again, and nobody listens there
    with requests.Session() as session, pytest.raises(NotSent, match="No connection"):
        client_for(address, session).debit(UNKNOWN, amount=dollars("3"), reference=REFERENCE)


@pytest.mark.sockets
def test_over_the_network_no_such_name_is_not_sent() -> None:
    with requests.Session() as session, pytest.raises(NotSent, match="No connection"):
        client_for("https://shop.invalid", session).debit(
            UNKNOWN, amount=dollars("3"), reference=REFERENCE
        )


@pytest.mark.sockets
def test_over_the_network_a_silent_shop_is_unconfirmed_after_the_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, requests.Session() as session:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = client_for(address, session, seconds=0.2)
        with pytest.raises(Unconfirmed, match="ReadTimeout"):
            client.debit(UNKNOWN, amount=dollars("3"), reference=REFERENCE)
