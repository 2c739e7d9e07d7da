"""Templates are brought up to date by name, and running it again changes nothing."""

from typing import Any

import pytest

from giftcards.clients.klaviyo import Template, TemplateChange
from giftcards.errors import (
    AccessRefused,
    NotSent,
    SafeToRepeat,
    TryAgain,
    Unconfirmed,
    VendorSurprise,
)
from sandbox.faults import Fault
from tests.clients.klaviyo.desk import Desk, open_desk

NAME = "Gift Card Delivered (wedding)"
FIRST = Template(NAME, "<p>{{ event.total }}</p>", "{{ event.total }}")
SECOND = Template(NAME, "<p>{{ event.total }}!</p>", "{{ event.total }}!")


def made(name: str) -> dict[str, Any]:
    attributes = {"name": name, "editor_type": "CODE", "html": "<p></p>"}
    return {"type": "template", "attributes": attributes}


def test_a_template_is_made_then_left_alone_then_changed(desk: Desk) -> None:
    assert desk.client.put_template(FIRST) is TemplateChange.CREATED
    assert desk.client.put_template(FIRST) is TemplateChange.UNCHANGED
    assert desk.client.put_template(SECOND) is TemplateChange.UPDATED
    kept = desk.account.templates.named(NAME)
    assert kept is not None
    assert (kept.html, kept.text, kept.editor_type) == (SECOND.html, SECOND.text, "CODE")
    methods = [request.method for request in desk.adapter.sent]
    assert methods == ["GET", "POST", "GET", "GET", "PATCH"]


def test_one_with_a_like_name_is_another(desk: Desk) -> None:
    desk.account.create_template(made(f"Copy of {NAME}"))
    assert desk.client.put_template(FIRST) is TemplateChange.CREATED


def test_two_of_the_name_are_for_a_person(desk: Desk) -> None:
    for _ in range(2):
        desk.account.create_template(made(NAME))
    with pytest.raises(VendorSurprise, match=r"2 templates named .*: delete all but one"):
        desk.client.put_template(FIRST)


@pytest.mark.parametrize(
    ("operation", "fault", "meaning"),
    [
        ("list templates", Fault.DROP_REPLY, SafeToRepeat),
        ("list templates", Fault.FAIL_BEFORE, SafeToRepeat),
        ("create template", Fault.DROP_REPLY, Unconfirmed),
        ("create template", Fault.FAIL_AFTER, Unconfirmed),
        ("create template", Fault.THROTTLE, NotSent),
        ("create template", Fault.REFUSE_CONNECTION, NotSent),
    ],
)
def test_after_a_failure_another_run_completes_and_makes_no_second_one(
    desk: Desk, operation: str, fault: Fault, meaning: type[TryAgain]
) -> None:
    desk.account.faults.add(fault, operation=operation)
    with pytest.raises(TryAgain) as caught:
        desk.client.put_template(FIRST)
    assert type(caught.value) is meaning
    desk.client.put_template(FIRST)
    page, following = desk.account.templates.page("", "", "")
    assert [template.name for template in page] == [NAME]
    assert following is None


def test_a_template_klaviyo_does_not_understand_is_for_a_person(desk: Desk) -> None:
    with pytest.raises(VendorSurprise, match="/data/attributes/html"):
        desk.client.put_template(Template(NAME, "{% if %}", "text"))


def test_a_wrong_key_is_for_a_person() -> None:
    with pytest.raises(AccessRefused, match="templates:write"):
        open_desk(key="pk_wrong").client.put_template(FIRST)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data": 1}', b'{"data": [{"id": "a"}]}'])
def test_an_unreadable_list_is_for_a_person(desk: Desk, body: bytes) -> None:
    desk.answer_with(200, body)
    with pytest.raises(VendorSurprise, match="cannot be read"):
        desk.client.put_template(FIRST)
