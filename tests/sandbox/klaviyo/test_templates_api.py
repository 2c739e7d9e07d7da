"""The templates API in the box refuses and pages as the real one does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from sandbox.klaviyo import Klaviyo, create_app
from sandbox.wsgi import WsgiAdapter

URL = "https://klaviyo.test"
NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def klaviyo(clock: Clock) -> Klaviyo:
    return Klaviyo(key="pk_test", clock=clock)


@pytest.fixture
def session(klaviyo: Klaviyo) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.mount(URL, WsgiAdapter(create_app(klaviyo)))
        session.headers.update(
            {
                "Authorization": "Klaviyo-API-Key pk_test",
                "revision": "2026-07-15",
                "Content-Type": "application/vnd.api+json",
            }
        )
        yield session


def template(name: str = "Card", **attributes: Any) -> Any:
    given = {"name": name, "editor_type": "CODE", "html": "<p>Hello</p>", **attributes}
    return {"data": {"type": "template", "attributes": given}}


def post(session: requests.Session, body: object) -> requests.Response:
    return session.post(f"{URL}/api/templates", json=body, timeout=5)


def listed(session: requests.Session, **parameters: str) -> Any:
    return session.get(f"{URL}/api/templates", params=parameters, timeout=5).json()


def test_a_template_is_made_read_and_changed(session: requests.Session, clock: Clock) -> None:
    made = post(session, template(text="Hello"))
    assert made.status_code == 201
    assert made.headers["Content-Type"] == "application/vnd.api+json"
    template_id = made.json()["data"]["id"]
    clock.now += timedelta(minutes=5)
    change = {"data": {"type": "template", "id": template_id, "attributes": {"html": "<p>Bye</p>"}}}
    changed = session.patch(f"{URL}/api/templates/{template_id}", json=change, timeout=5)
    assert changed.status_code == 200
    read = session.get(f"{URL}/api/templates/{template_id}", timeout=5).json()["data"]
    assert read == changed.json()["data"]
    assert read["attributes"] == {
        "name": "Card",
        "editor_type": "CODE",
        "html": "<p>Bye</p>",
        "text": "Hello",
        "amp": None,
        "created": NOON.isoformat(),
        "updated": clock.now.isoformat(),
    }


def test_names_are_found_exactly_or_by_a_part(session: requests.Session) -> None:
    for name in ("Card", "Card (wedding)", 'Say "hi"'):
        post(session, template(name))

    def names(text: str) -> list[str]:
        return [each["attributes"]["name"] for each in listed(session, filter=text)["data"]]

    assert names('equals(name,"Card")') == ["Card"]
    assert names('contains(name,"Card")') == ["Card", "Card (wedding)"]
    assert names('equals(name,"Say \\"hi\\"")') == ['Say "hi"']
    assert names('equals(name,"Nobody")') == []


@pytest.mark.parametrize("text", ["name=Card", "equals(name,Card)", 'equals(color,"red")', "x"])
def test_a_malformed_filter_is_refused(session: requests.Session, text: str) -> None:
    reply = session.get(f"{URL}/api/templates", params={"filter": text}, timeout=5)
    assert reply.status_code == 400
    assert reply.json()["errors"][0]["source"] == {"parameter": "filter"}


def test_pages_hold_ten(session: requests.Session) -> None:
    for number in range(23):
        post(session, template(f"Card {number}"))
    seen: list[str] = []
    sizes = []
    address: str | None = f"{URL}/api/templates"
    while address:
        page = session.get(address, timeout=5).json()
        sizes.append(len(page["data"]))
        seen += [each["attributes"]["name"] for each in page["data"]]
        address = page["links"]["next"]
    assert sizes == [10, 10, 3]
    assert seen == [f"Card {number}" for number in range(23)]
    assert session.get(f"{URL}/api/templates?page[size]=11", timeout=5).status_code == 400


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"data": {"type": "event", "attributes": {}}}, "/data/type"),
        ({"data": {"type": "template"}}, "/data/attributes"),
        (template(name=""), "/data/attributes/name"),
        (template(editor_type=""), "/data/attributes/editor_type"),
        (template(editor_type="SYSTEM_DRAGGABLE"), "/data/attributes/editor_type"),
        (template(html=None), "/data/attributes/html"),
        (template(html="{% if event.x %}"), "/data/attributes/html"),
        (template(text="{{ event.x| }}"), "/data/attributes/text"),
        (template(subject="Hello"), "/data/attributes/subject"),
        (template(text=3), "/data/attributes/text"),
    ],
)
def test_what_is_wrong_is_pointed_at(session: requests.Session, body: object, pointer: str) -> None:
    reply = post(session, body)
    assert reply.status_code == 400
    assert reply.json()["errors"][0]["source"] == {"pointer": pointer}
    assert listed(session)["data"] == []


def test_an_unknown_template_is_not_found(session: requests.Session) -> None:
    change = {"data": {"type": "template", "id": "nobody", "attributes": {"html": "x"}}}
    assert session.get(f"{URL}/api/templates/nobody", timeout=5).status_code == 404
    reply = session.patch(f"{URL}/api/templates/nobody", json=change, timeout=5)
    assert reply.status_code == 404


def test_templates_have_limits_of_their_own(session: requests.Session, clock: Clock) -> None:
    for _ in range(75):
        assert session.get(f"{URL}/api/templates", timeout=5).status_code == 200
    refused = session.get(f"{URL}/api/templates", timeout=5)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "1"
    assert "RateLimit-Limit" not in refused.headers
    clock.now += timedelta(seconds=1)
    allowed = session.get(f"{URL}/api/templates", timeout=5)
    assert allowed.headers["RateLimit-Limit"] == "750"
    assert allowed.headers["RateLimit-Remaining"] == "674"
    assert allowed.headers["RateLimit-Reset"] == "59"
