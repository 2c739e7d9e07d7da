"""Klaviyo's template language: Django's own engine, with what Klaviyo documents and nothing more.

A template sees one variable, `event`, with the event's properties. The tags and filters below are
those of Klaviyo's help pages that make sense in a mail about an event (its glossary promises most
of Django's filters); `lookup` is Klaviyo's own. Everything else is a syntax error, so that a
template which works here does not surprise anybody there.
"""

import html
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.conf import settings
from django.template import Context, Engine, Library, TemplateSyntaxError, defaultfilters
from django.template import Template as DjangoTemplate
from django.template.defaulttags import register as django_tags

TAGS = ("if", "for", "with", "comment")
FILTERS = (
    "add",
    "capfirst",
    "cut",
    "default",
    "default_if_none",
    "escape",
    "first",
    "force_escape",
    "join",
    "last",
    "length",
    "linebreaks",
    "linebreaksbr",
    "lower",
    "pluralize",
    "safe",
    "slice",
    "striptags",
    "title",
    "truncatechars",
    "upper",
    "urlencode",
)
TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL | re.IGNORECASE)


class BadTemplateError(ValueError):
    """The template cannot be understood; the message says where."""


def check(source: str) -> None:
    """Raise `BadTemplateError` unless `source` is a template."""
    _parse(source)


def fill_in_html(source: str, properties: Mapping[str, Any]) -> str:
    """The HTML of a mail about an event with these properties, everything in it escaped."""
    return _render(source, properties, autoescape=True)


def fill_in_text(source: str, properties: Mapping[str, Any]) -> str:
    """The plain text of a mail about an event with these properties: nothing is escaped."""
    return _render(source, properties, autoescape=False)


def subject_in(filled_in: str) -> str:
    """What the `<title>` of a filled-in HTML says, in one line."""
    found = TITLE.search(filled_in)
    return " ".join(html.unescape(found[1]).split()) if found else ""


def _render(source: str, properties: Mapping[str, Any], *, autoescape: bool) -> str:
    # Nothing is written the way of a country: amounts and days come as text.
    context = Context({"event": properties}, autoescape=autoescape, use_l10n=False, use_tz=False)
    # A plain string: Django's own says of itself that it is safe to put into any page.
    return "".join([_parse(source).render(context)])


@cache
def _parse(source: str) -> DjangoTemplate:
    try:
        return DjangoTemplate(source, engine=_engine())
    except TemplateSyntaxError as problem:
        raise BadTemplateError(str(problem)) from None


@cache
def _engine() -> Engine:
    if not settings.configured:
        settings.configure(USE_I18N=False, USE_TZ=False)  # what the engine asks for, no project
    language = Library()
    for tag in TAGS:
        language.tags[tag] = django_tags.tags[tag]
    for name in FILTERS:
        language.filters[name] = defaultfilters.register.filters[name]
    language.filter("lookup", _lookup)
    engine = Engine(autoescape=True)
    engine.template_builtins = [language]
    return engine


def _lookup(value: Any, name: str) -> Any:  # noqa: ANN401 - a property is any JSON
    """A property whose name is no word: `{{ event|lookup:"Card Code" }}`."""
    return value.get(name, "") if isinstance(value, Mapping) else ""
