"""The mail templates of an account, as Klaviyo's templates API keeps them."""

import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sandbox.klaviyo.errors import KlaviyoError, invalid
from sandbox.klaviyo.language import BadTemplateError, check

Json = Any

# Klaviyo, "Create Template" and "Get Templates".
MOST_TEMPLATES = 1_000
PAGE_SIZE = 10
ATTRIBUTES = frozenset({"name", "editor_type", "html", "text", "amp"})
CHANGEABLE = ATTRIBUTES - {"editor_type"}
EDITOR_TYPES = ("CODE", "USER_DRAGGABLE")

FILTER = re.compile(r"(equals|contains)\(name,\s*\"((?:[^\"\\]|\\.)*)\"\)")

ID_CHARACTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class Template:
    """One template. `text` is empty where Klaviyo would make it from the HTML."""

    id: str
    name: str
    editor_type: str
    html: str
    text: str
    created: datetime
    updated: datetime

    def resource(self) -> dict[str, Json]:
        """The template as the API shows it."""
        return {
            "type": "template",
            "id": self.id,
            "attributes": {
                "name": self.name,
                "editor_type": self.editor_type,
                "html": self.html,
                "text": self.text,
                "amp": None,
                "created": self.created.isoformat(),
                "updated": self.updated.isoformat(),
            },
            "links": {"self": f"https://a.klaviyo.com/api/templates/{self.id}/"},
        }


class Templates:
    """Safe to use from several threads."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._templates: dict[str, Template] = {}

    def named(self, name: str) -> Template | None:
        """The template with this name that was made first."""
        with self._lock:
            return next((each for each in self._templates.values() if each.name == name), None)

    def get(self, template_id: str) -> Template:
        """One template; raises `KlaviyoError` (404)."""
        with self._lock:
            return self._get(template_id)

    def _get(self, template_id: str) -> Template:
        try:
            return self._templates[template_id]
        except KeyError:
            raise KlaviyoError(
                404, "not_found", f"A template with id {template_id} does not exist."
            ) from None

    def page(self, filter_text: str, cursor: str, size: str) -> tuple[list[Template], str | None]:
        """A page of the templates, oldest first, and the cursor of the next one."""
        wanted = _read_filter(filter_text)
        if not re.fullmatch(r"[1-9]|10", size or str(PAGE_SIZE)):
            raise invalid("Page size must be an integer between 1 and 10.", "page[size]")
        count = int(size or PAGE_SIZE)
        if not re.fullmatch(r"\d{0,9}", cursor):
            raise invalid("Invalid page cursor", "page[cursor]")
        begin = int(cursor or 0)
        with self._lock:
            found = [each for each in self._templates.values() if wanted(each)]
        following = begin + count
        return found[begin:following], str(following) if following < len(found) else None

    def create(self, data: Json) -> Template:
        """Make a template from the `data` of a JSON:API request; raises `KlaviyoError`."""
        attributes = _attributes(data, ATTRIBUTES)
        for name in ("name", "editor_type", "html"):
            if not attributes.get(name):
                raise invalid(
                    f"'{name}' is a required field for the resource 'template'.",
                    f"/data/attributes/{name}",
                )
        if attributes["editor_type"] not in EDITOR_TYPES:
            raise invalid("Not an editor type of HTML templates", "/data/attributes/editor_type")
        now = self._clock()
        with self._lock:
            if len(self._templates) >= MOST_TEMPLATES:
                raise invalid(f"An account has at most {MOST_TEMPLATES} templates", "/data")
            made = Template(
                id="".join(secrets.choice(ID_CHARACTERS) for _ in range(6)),
                name=attributes["name"],
                editor_type=attributes["editor_type"],
                html=attributes["html"],
                text=attributes.get("text") or "",
                created=now,
                updated=now,
            )
            self._templates[made.id] = made
            return made

    def update(self, template_id: str, data: Json) -> Template:
        """Change what `data` names; raises `KlaviyoError`."""
        changes = _attributes(data, CHANGEABLE)
        if data.get("id") != template_id:
            raise invalid("The id in the body has to be the one in the address", "/data/id")
        with self._lock:
            before = self._get(template_id)
            changed = replace(
                before,
                name=changes.get("name") or before.name,
                html=changes.get("html", before.html) or "",
                text=changes.get("text", before.text) or "",
                updated=self._clock(),
            )
            self._templates[template_id] = changed
            return changed


def _attributes(data: Json, known: frozenset[str]) -> dict[str, Json]:
    if not isinstance(data, dict) or data.get("type") != "template":
        raise invalid("The type has to be 'template'", "/data/type")
    attributes = data.get("attributes")
    if not isinstance(attributes, dict):
        raise invalid("'attributes' is a required field for this resource.", "/data/attributes")
    for name, value in attributes.items():
        if name not in known:
            raise invalid(
                f"'{name}' is not a valid field for the resource 'template'.",
                f"/data/attributes/{name}",
            )
        if value is not None and not isinstance(value, str):
            raise invalid(f"'{name}' has to be a string.", f"/data/attributes/{name}")
        if name in ("html", "text") and value:
            try:
                check(value)
            except BadTemplateError as problem:
                raise invalid(str(problem), f"/data/attributes/{name}") from None
    return attributes


def _read_filter(text: str) -> Callable[[Template], bool]:
    """What `equals(name,"…")` or `contains(name,"…")` lets through; nothing lets all through."""
    if not text:
        return lambda _: True
    read = FILTER.fullmatch(text)
    if read is None:
        raise invalid("Invalid filter provided.", "filter")
    operator, wanted = read[1], re.sub(r"\\(.)", r"\1", read[2])
    if operator == "equals":
        return lambda template: template.name == wanted
    return lambda template: wanted in template.name
