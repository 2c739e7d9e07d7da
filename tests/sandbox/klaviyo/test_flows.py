"""In the box a metric whose template was uploaded mails each new event, once."""

from typing import Any

import pytest

from sandbox.klaviyo import Klaviyo
from sandbox.klaviyo.language import BadTemplateError, check, fill_in_html, fill_in_text

HTML = "<title>{{ event.name|escape }}: {{ event.total }}</title><p>{{ event.name }}</p>"


@pytest.fixture
def klaviyo() -> Klaviyo:
    return Klaviyo(sender="shop@example.com")


def upload(klaviyo: Klaviyo, name: str, html: str = HTML, text: str = "{{ event.name }}") -> None:
    attributes = {"name": name, "editor_type": "CODE", "html": html, "text": text}
    klaviyo.create_template({"type": "template", "attributes": attributes})


def event(unique_id: str = "one", *, email: str | None = "mia@b.test", **properties: Any) -> Any:
    who = {"external_id": "42"} if email is None else {"email": email}
    return {
        "type": "event",
        "attributes": {
            "unique_id": unique_id,
            "properties": {"name": "Rosa & <Ben>", "total": "$5.00", **properties},
            "metric": {"data": {"type": "metric", "attributes": {"name": "Card"}}},
            "profile": {"data": {"type": "profile", "attributes": who}},
        },
    }


def test_a_new_event_is_mailed_once(klaviyo: Klaviyo) -> None:
    upload(klaviyo, "Card (standard)")
    for _ in range(2):
        klaviyo.take_event(event())
    (mail,) = klaviyo.mails
    assert (mail.to, mail.sender) == ("mia@b.test", "shop@example.com")
    assert mail.subject == "Rosa & <Ben>: $5.00"
    assert "<p>Rosa &amp; &lt;Ben&gt;</p>" in mail.html
    assert mail.text == "Rosa & <Ben>"


def test_the_theme_chooses_and_an_unknown_one_gets_the_standard(klaviyo: Klaviyo) -> None:
    upload(klaviyo, "Card (standard)", "<title>standard</title>")
    upload(klaviyo, "Card (wedding)", "<title>wedding</title>")
    upload(klaviyo, "Other (easter)", "<title>wrong</title>")
    for number, theme in enumerate(("wedding", "standard", "easter", "", None)):
        klaviyo.take_event(event(str(number), theme=theme))
    assert [mail.subject for mail in klaviyo.mails] == ["wedding"] + ["standard"] * 4


def test_what_came_before_its_template_is_never_mailed(klaviyo: Klaviyo) -> None:
    klaviyo.take_event(event())
    upload(klaviyo, "Card (standard)")
    klaviyo.take_event(event())
    assert klaviyo.mails == []


def test_nobody_to_mail_and_old_news_are_not_mailed(klaviyo: Klaviyo) -> None:
    upload(klaviyo, "Card (standard)")
    klaviyo.take_event(event(email=None))
    old = event("two")
    old["attributes"]["backfill"] = True
    klaviyo.take_event(old)
    assert len(klaviyo.events) == 2
    assert klaviyo.mails == []


def test_a_changed_template_changes_the_next_mail(klaviyo: Klaviyo) -> None:
    upload(klaviyo, "Card (standard)", "<title>before</title>")
    kept = klaviyo.templates.named("Card (standard)")
    assert kept is not None
    version = klaviyo.version
    change = {"type": "template", "id": kept.id, "attributes": {"html": "<title>after</title>"}}
    klaviyo.update_template(kept.id, change)
    assert klaviyo.version > version
    klaviyo.take_event(event())
    assert [mail.subject for mail in klaviyo.mails] == ["after"]


# ---- the language -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "filled_in"),
    [
        ("{{ event.n }}", "3"),
        ("{{ event.missing }}", ""),
        ('{{ event.missing|default:"nobody" }}', "nobody"),
        ('{{ event|lookup:"Card Code" }}', "wxyz"),
        ('{{ event|lookup:"Nothing" }}', ""),
        ("{% for each in event.list %}{{ forloop.counter }}{{ each.x }}{% endfor %}", "1a2b"),
        ("{% if event.n > 2 %}many{% else %}few{% endif %}", "many"),
        ("card{{ event.n|pluralize }}", "cards"),
        ("{% comment %}hidden{% endcomment %}", ""),
    ],
)
def test_what_klaviyo_documents_is_understood(source: str, filled_in: str) -> None:
    properties = {"n": 3, "Card Code": "wxyz", "list": [{"x": "a"}, {"x": "b"}]}
    assert fill_in_text(source, properties) == filled_in


@pytest.mark.parametrize(
    "source",
    [
        '{% include "other.html" %}',
        '{% extends "frame.html" %}',
        "{% load static %}",
        "{% autoescape off %}{% endautoescape %}",
        "{% csrf_token %}",
        "{{ event.x|escapejs }}",
        "{{ event.x|unheard_of }}",
        "{% if event.x %}",
    ],
)
def test_what_it_does_not_document_is_an_error(source: str) -> None:
    with pytest.raises(BadTemplateError):
        check(source)


def test_a_mail_is_plain_text_to_others_and_not_taken_for_safe_html() -> None:
    for rendered in (fill_in_html("<p>x</p>", {}), fill_in_text("<p>x</p>", {})):
        assert type(rendered) is str


def test_html_is_escaped_once_whether_or_not_the_template_asks_for_it() -> None:
    properties = {"x": "<b>&\n"}
    for source in ("{{ event.x|linebreaksbr }}", "{{ event.x|escape|linebreaksbr }}"):
        assert fill_in_html(source, properties) == "&lt;b&gt;&amp;<br>"
