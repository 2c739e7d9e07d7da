"""The events API in the box refuses and forgets what the real one does."""

from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from sandbox.klaviyo import Klaviyo, create_app
from sandbox.klaviyo.limits import EVENTS, Windows
from sandbox.wsgi import WsgiAdapter

URL = "https://klaviyo.test"


@pytest.fixture
def klaviyo() -> Klaviyo:
    return Klaviyo(key="pk_test")


@pytest.fixture
def session(klaviyo: Klaviyo) -> requests.Session:
    session = requests.Session()
    session.mount(URL, WsgiAdapter(create_app(klaviyo)))
    session.headers.update(
        {
            "Authorization": "Klaviyo-API-Key pk_test",
            "revision": "2026-07-15",
            "Content-Type": "application/vnd.api+json",
        }
    )
    return session


def event(unique_id: str = "one", *, metric: str = "Card", email: str = "a@b.test") -> Any:
    return {
        "data": {
            "type": "event",
            "attributes": {
                "properties": {"Amount": "12.50"},
                "unique_id": unique_id,
                "value": 12.5,
                "value_currency": "USD",
                "metric": {"data": {"type": "metric", "attributes": {"name": metric}}},
                "profile": {"data": {"type": "profile", "attributes": {"email": email}}},
            },
        }
    }


def post(session: requests.Session, body: object, **headers: str) -> requests.Response:
    return session.post(f"{URL}/api/events", json=body, headers=headers, timeout=5)


def test_an_event_is_taken_and_kept(session: requests.Session, klaviyo: Klaviyo) -> None:
    reply = post(session, event())
    assert (reply.status_code, reply.text) == (202, "")
    (kept,) = klaviyo.events
    assert (kept.metric, kept.profile, kept.properties) == ("Card", "a@b.test", {"Amount": "12.50"})
    assert klaviyo.version == 1


def test_the_first_of_a_profile_and_metric_wins(
    session: requests.Session, klaviyo: Klaviyo
) -> None:
    for body in (event(), event(metric="Other"), event(email="c@d.test"), event("two")):
        assert post(session, body).status_code == 202
    again = event()
    again["data"]["attributes"]["properties"] = {"Amount": "99"}
    assert post(session, again).status_code == 202
    assert len(klaviyo.events) == 4
    assert klaviyo.events[0].properties == {"Amount": "12.50"}


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": ""}, 401, "not_authenticated"),
        ({"Authorization": "Klaviyo-API-Key pk_other"}, 401, "authentication_failed"),
        ({"Authorization": "Bearer pk_test"}, 401, "authentication_failed"),
        ({"revision": ""}, 400, "invalid"),
        ({"revision": "2026-13-45"}, 400, "invalid"),
        ({"revision": "latest"}, 400, "invalid"),
        ({"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
    ],
)
def test_headers_are_checked(
    session: requests.Session, klaviyo: Klaviyo, headers: dict[str, str], status: int, code: str
) -> None:
    reply = post(session, event(), **headers)
    assert reply.status_code == status
    assert reply.json()["errors"][0]["code"] == code
    assert klaviyo.events == []


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        (("data", "type"), "/data/type"),
        (("data", "attributes"), "/data/attributes"),
        (("data", "attributes", "properties"), "/data/attributes/properties"),
        (("data", "attributes", "metric", "data"), "/data/attributes/metric/data"),
        (("data", "attributes", "profile", "data", "type"), "/data/attributes/profile/data/type"),
        (
            ("data", "attributes", "profile", "data", "attributes", "email"),
            "/data/attributes/profile",
        ),
    ],
)
def test_a_missing_part_is_pointed_at(
    session: requests.Session, path: tuple[str, ...], pointer: str
) -> None:
    body = event()
    part = body
    for name in path[:-1]:
        part = part[name]
    del part[path[-1]]
    reply = post(session, body)
    assert reply.status_code == 400
    assert reply.json()["errors"][0]["source"] == {"pointer": pointer}


PROPERTIES = "/data/attributes/properties"
EMAIL = "/data/attributes/profile/data/attributes/email"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"propertys": {}}, "/data/attributes/propertys"),
        ({"unique_id": 7}, "/data/attributes/unique_id"),
        ({"value": "12.50"}, "/data/attributes/value"),
        ({"value": True}, "/data/attributes/value"),
        ({"value_currency": 840}, "/data/attributes/value_currency"),
        ({"time": "yesterday"}, "/data/attributes/time"),
        ({"time": "1990-12-31T00:00:00Z"}, "/data/attributes/time"),
        ({"time": "2999-01-01T00:00:00Z"}, "/data/attributes/time"),
        ({"properties": {str(n): n for n in range(401)}}, PROPERTIES),
        ({"properties": {"long": "x" * 100_001}}, PROPERTIES),
        ({"properties": {"list": [0] * 4_001}}, PROPERTIES),
        ({"properties": {"a": [[[[[[[[[["deep"]]]]]]]]]]}}, PROPERTIES),
    ],
)
def test_what_klaviyo_does_not_take_is_pointed_at(
    session: requests.Session, klaviyo: Klaviyo, change: dict[str, Any], pointer: str
) -> None:
    body = event()
    body["data"]["attributes"].update(change)
    reply = post(session, body)
    assert reply.status_code == 400
    assert reply.json()["errors"][0]["source"] == {"pointer": pointer}
    assert klaviyo.events == []


@pytest.mark.parametrize(
    "change",
    [
        {"properties": {str(n): n for n in range(400)}},
        {"properties": {"long": "x" * 100_000, "list": [0] * 4_000}},
        {"properties": {"a": [[[[[[[["deep"]]]]]]]]}},
        {"time": "2026-11-23T12:00:00+01:00"},
        {"value": None, "value_currency": None, "time": None},
    ],
)
def test_what_is_just_within_the_limits_is_taken(
    session: requests.Session, klaviyo: Klaviyo, change: dict[str, Any]
) -> None:
    body = event()
    body["data"]["attributes"].update(change)
    assert post(session, body).status_code == 202
    assert len(klaviyo.events) == 1


@pytest.mark.parametrize("email", ["mia", "mia@b", "mia@b.c", "a b@c.test", "a@b@c.test", 7])
def test_an_address_has_to_be_one(session: requests.Session, email: Any) -> None:
    reply = post(session, event(email=email))
    assert reply.status_code == 400
    assert reply.json()["errors"][0]["source"] == {"pointer": EMAIL}


def test_an_account_has_its_limits_by_the_second_and_by_the_minute() -> None:
    moments = [datetime(2026, 11, 23, 17, 0, tzinfo=UTC)]
    windows = Windows(EVENTS, lambda: moments[0])
    for second in range(10):
        moments[0] = moments[0].replace(second=second)
        assert {windows.enter().wait_seconds for _ in range(350)} == {0}
        if second < 9:
            assert windows.enter().wait_seconds == 1
    moments[0] = moments[0].replace(second=30)
    assert windows.enter().wait_seconds == 30  # 3,500 in this minute: wait for the next
    moments[0] = moments[0].replace(minute=1, second=0)
    assert windows.enter().wait_seconds == 0


@pytest.mark.parametrize(("fault", "status"), [("throttle", 429), ("fail-before", 500)])
def test_faults_before(
    session: requests.Session, klaviyo: Klaviyo, fault: str, status: int
) -> None:
    session.post(f"{URL}/_sandbox/faults", json={"fault": fault}, timeout=5)
    reply = post(session, event())
    assert reply.status_code == status
    assert ("Retry-After" in reply.headers) == (status == 429)
    assert klaviyo.events == []
    assert post(session, event()).status_code == 202


def test_a_lost_reply_was_applied(session: requests.Session, klaviyo: Klaviyo) -> None:
    klaviyo.faults.add("drop-reply", operation="event")
    with pytest.raises(requests.ReadTimeout):
        post(session, event())
    assert len(klaviyo.events) == 1
    klaviyo.faults.add("refuse-connection")
    with pytest.raises(requests.ConnectionError):
        post(session, event("two"))
    assert len(klaviyo.events) == 1
