"""Every accident that can be ordered really happens, and only as often as ordered."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import flask
import pytest
import requests
from werkzeug.serving import make_server

from sandbox.faults import Fault, FaultOrder, FaultOrderError, Faults
from sandbox.shopify import create_app
from sandbox.wsgi import Loss, WsgiAdapter, lose_reply
from tests.sandbox.shopify.harness import ADDRESS, TOKEN, Caller


@pytest.fixture
def card_id(caller: Caller) -> str:
    return caller.shop.issue_card(amount=25, code="abcdefgh12342b5a").id


def balance(caller: Caller, card_id: str) -> Decimal:
    return caller.shop.card(card_id).balance


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (Fault.DROP_REPLY, requests.exceptions.ReadTimeout),
        (Fault.BREAK_CONNECTION, requests.exceptions.ConnectionError),
    ],
)
def test_a_lost_reply_was_applied(
    caller: Caller, card_id: str, fault: Fault, raised: type[Exception]
) -> None:
    caller.shop.faults.add(fault, operation="giftCardDebit")
    with pytest.raises(raised):
        caller.debit(card_id, "1")
    assert balance(caller, card_id) == 24
    assert caller.debit(card_id, "1")["userErrors"] == []  # once, and no more


def test_failing_before_applies_nothing(caller: Caller, card_id: str) -> None:
    caller.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardDebit")
    caller.shop.faults.add(Fault.REFUSE_CONNECTION, operation="giftCardDebit")
    caller.shop.faults.add(Fault.REFUSE_TOKEN, operation="giftCardDebit")
    caller.send("mutation { " + debit_text(card_id) + " }")
    assert caller.last.status_code == 500
    with pytest.raises(requests.exceptions.ConnectionError, match="refused"):
        caller.debit(card_id, "1")
    caller.send("mutation { " + debit_text(card_id) + " }")
    assert caller.last.status_code == 401
    assert balance(caller, card_id) == 25


def debit_text(card_id: str) -> str:
    return f"""giftCardDebit(id: "{card_id}", debitInput: {{debitAmount:
        {{amount: "1", currencyCode: USD}}}}) {{ userErrors {{ message }} }}"""


def test_failing_after_was_applied_and_answers_200(caller: Caller, card_id: str) -> None:
    caller.shop.faults.add(Fault.FAIL_AFTER, operation="giftCardDebit")
    body = caller.send("mutation { " + debit_text(card_id) + " }")
    assert caller.last.status_code == 200
    assert body["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert balance(caller, card_id) == 24


def test_applying_late_happens_when_its_time_has_come(caller: Caller, card_id: str) -> None:
    caller.shop.faults.add(Fault.APPLY_LATE, operation="giftCardDebit", seconds=40)
    with pytest.raises(requests.exceptions.ReadTimeout):
        caller.debit(card_id, "1", note="late")
    version = caller.shop.version
    caller.clock.advance(39)
    assert caller.transactions(card_id, first=5)["nodes"] == []
    assert caller.shop.version == version
    caller.clock.advance(10)
    (node,) = caller.transactions(card_id, first=5)["nodes"]
    assert node["note"] == "late"
    assert node["processedAt"] == "2026-11-23T17:00:40Z"  # its own time, not the look's
    assert balance(caller, card_id) == 24
    assert caller.shop.version > version


def test_late_changes_happen_in_their_order_and_are_judged_then(
    caller: Caller, card_id: str
) -> None:
    caller.shop.faults.add(Fault.APPLY_LATE, seconds=20)
    caller.shop.faults.add(Fault.APPLY_LATE, seconds=10)
    for amount in ("20", "15"):
        with pytest.raises(requests.exceptions.ReadTimeout):
            caller.debit(card_id, amount)
    caller.clock.advance(30)
    assert balance(caller, card_id) == 10  # 15 came first, and left too little for 20


@pytest.mark.parametrize(("fault", "status"), [(Fault.THROTTLE, 200), (Fault.THROTTLE_429, 429)])
def test_throttling_applies_nothing(
    caller: Caller, card_id: str, fault: Fault, status: int
) -> None:
    caller.shop.faults.add(fault, operation="giftCardDebit")
    body = caller.send("mutation { " + debit_text(card_id) + " }")
    assert caller.last.status_code == status
    assert body["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert balance(caller, card_id) == 25


def test_a_search_can_be_stale_while_reads_by_id_are_not(caller: Caller, card_id: str) -> None:
    caller.shop.faults.add(Fault.STALE_SEARCH, seconds=60, times=2)
    assert caller.transactions(card_id, first=1)["nodes"] == []  # no search: leaves the order be
    assert [order.times for order in caller.shop.faults.waiting()] == [2]
    assert caller.found("2b5a") == []
    caller.clock.advance(60)
    assert caller.found("2b5a") == ["2b5a"]
    assert caller.shop.faults.waiting() == []


def test_a_fault_waits_for_its_operation_by_either_name(caller: Caller, card_id: str) -> None:
    caller.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardCreate")
    caller.shop.faults.add(Fault.FAIL_BEFORE, operation="DebitCard")
    with pytest.raises(AssertionError):
        caller.debit(card_id, "1")  # the document's own name
    caller.debit(card_id, "1")
    assert caller.shop.faults.waiting() == [FaultOrder(Fault.FAIL_BEFORE, "giftCardCreate", 1, 0.0)]


@pytest.mark.parametrize("fault", [Fault.FAIL_BEFORE, Fault.THROTTLE, Fault.REFUSE_TOKEN])
def test_the_token_endpoint_can_fail(caller: Caller, fault: Fault) -> None:
    caller.shop.add_app("app", "secret")
    caller.shop.faults.add(fault, operation="access_token")
    given = {"grant_type": "client_credentials", "client_id": "app", "client_secret": "secret"}
    url = f"{ADDRESS}/admin/oauth/access_token"
    assert caller.session.post(url, json=given, timeout=1).status_code in {401, 429, 500}
    assert caller.session.post(url, json=given, timeout=1).status_code == 200


# ---- the switches themselves ----------------------------------------------------------------


def test_orders_count_down_and_may_last_for_ever() -> None:
    faults = Faults()
    faults.add("drop-reply", operation="a", times=2)
    faults.add(Fault.THROTTLE, operation="a", times=None)
    taken = [faults.take(["a", "b"]) for _ in range(4)]
    assert [order.fault for order in taken if order] == [
        Fault.DROP_REPLY,
        Fault.DROP_REPLY,
        Fault.THROTTLE,
        Fault.THROTTLE,
    ]
    assert faults.take(["c"]) is None
    faults.clear()
    assert faults.take(["a"]) is None


@pytest.mark.parametrize(
    "order",
    [
        {"fault": "explode"},
        {"fault": "stale-search"},
        {"fault": "apply-late", "seconds": 0},
        {"fault": "drop-reply", "times": 0},
        {"fault": "drop-reply", "times": "two"},
        {"fault": "drop-reply", "seconds": "ten"},
        {"fault": "drop-reply", "operation": 7},
        {"fault": "drop-reply", "often": 1},
        ["drop-reply"],
        {},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(caller: Caller, order: object) -> None:
    reply = caller.session.post(f"{ADDRESS}/_sandbox/faults", json=order, timeout=1)
    assert reply.status_code == 400
    assert reply.json()["error"]
    assert caller.shop.faults.waiting() == []


def test_a_fault_the_vendor_cannot_suffer_is_refused() -> None:
    with pytest.raises(FaultOrderError, match="known are: throttle"):
        Faults(supported={Fault.THROTTLE}).add(Fault.STALE_SEARCH, seconds=1)


def test_the_switches_work_over_http(caller: Caller, card_id: str) -> None:
    url = f"{ADDRESS}/_sandbox/faults"
    order = {"fault": "throttle", "operation": "giftCardDebit", "times": 3}
    listed = caller.session.post(url, json=order, timeout=1).json()
    assert listed == {"faults": [{**order, "seconds": 0.0}]}
    caller.send("mutation { " + debit_text(card_id) + " }")
    assert caller.session.get(url, timeout=1).json()["faults"][0]["times"] == 2
    assert caller.session.delete(url, timeout=1).json() == {"faults": []}
    assert caller.debit(card_id, "1")["userErrors"] == []


def test_threads_share_an_order_without_using_it_twice() -> None:
    faults = Faults()
    faults.add(Fault.DROP_REPLY, times=50)
    taken: list[FaultOrder | None] = []

    def take() -> None:
        taken.extend(faults.take(["any"]) for _ in range(40))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(order is not None for order in taken) == 50


# ---- the wire -------------------------------------------------------------------------------


def test_the_adapter_carries_method_path_query_headers_and_body() -> None:
    app = flask.Flask("mirror")

    @app.route("/deep/<path:rest>", methods=["PATCH"])
    def mirror(rest: str) -> flask.Response:
        reply = flask.jsonify(
            rest=rest,
            query=flask.request.args.to_dict(flat=False),
            header=flask.request.headers["X-Thing"],
            body=flask.request.get_data(as_text=True),
            host=flask.request.host,
            secure=flask.request.is_secure,
        )
        reply.headers["X-Reply"] = "yes"
        reply.status_code = 207
        return reply

    session = requests.Session()
    session.mount("https://mirror.test", WsgiAdapter(app))
    reply = session.patch(
        "https://mirror.test/deep/a%20b/ü?x=1&x=2&y=%26",
        data="ä".encode(),
        headers={"X-Thing": "t"},
        timeout=1,
    )
    assert reply.status_code == 207
    assert reply.headers["x-reply"] == "yes"
    assert reply.json() == {
        "rest": "a b/ü",
        "query": {"x": ["1", "2"], "y": ["&"]},
        "header": "t",
        "body": "ä",
        "host": "mirror.test",
        "secure": True,
    }


def test_a_reply_can_only_be_lost_where_somebody_loses_it() -> None:
    with pytest.raises(TypeError, match="LossyConnections"):
        lose_reply({}, Loss.RESET)


def test_a_server_that_cannot_drop_a_reply_says_so(caller: Caller, card_id: str) -> None:
    caller.shop.faults.add(Fault.DROP_REPLY)
    client = create_app(caller.shop).test_client()
    with pytest.raises(TypeError, match="werkzeug"):
        client.post(
            "/admin/api/2026-10/graphql.json",
            json={"query": "mutation { " + debit_text(card_id) + " }"},
            headers={"X-Shopify-Access-Token": TOKEN},
        )


@contextmanager
def served(caller: Caller) -> Iterator[str]:
    """The shop over real HTTP, on a free port of the loopback interface."""
    server = make_server("127.0.0.1", 0, create_app(caller.shop), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.sockets
@pytest.mark.parametrize(
    ("fault", "seconds", "left"),
    [
        (Fault.DROP_REPLY, 0, 24),
        (Fault.BREAK_CONNECTION, 0, 24),
        (Fault.REFUSE_CONNECTION, 0, 25),
        (Fault.APPLY_LATE, 60, 25),
    ],
)
def test_over_real_http_the_connection_is_closed_without_a_reply(
    caller: Caller, card_id: str, fault: Fault, seconds: float, left: int
) -> None:
    caller.shop.faults.add(fault, operation="giftCardDebit", seconds=seconds)
    with served(caller) as address, requests.Session() as session:
        url = f"{address}/admin/api/2026-10/graphql.json"
        body = {"query": "mutation { " + debit_text(card_id) + " }"}
        headers = {"X-Shopify-Access-Token": TOKEN}
        with pytest.raises(requests.exceptions.ConnectionError):
            session.post(url, json=body, headers=headers, timeout=5)
        assert balance(caller, card_id) == left
        assert session.post(url, json=body, headers=headers, timeout=5).status_code == 200
    assert balance(caller, card_id) == left - 1
