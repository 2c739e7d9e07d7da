"""What Klaviyo takes for an event, and what it refuses.

An event belongs to a customer's profile and to a metric. Field names, required parts and limits are
those of Klaviyo's own description of `create_event` (revision 2026-07-15) and of its events
overview, section "Limitations". Where in a refusal Klaviyo points for a bad address is not
published; here it points at the address.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.klaviyo.errors import invalid

Json = Any  # what json.loads returns

ATTRIBUTES = frozenset(
    {
        "properties",
        "time",
        "value",
        "value_currency",
        "unique_id",
        "backfill",
        "metric",
        "profile",
    }
)
METRIC_ATTRIBUTES = frozenset({"name", "service"})
PROFILE_ATTRIBUTES = frozenset(
    """
    email phone_number external_id anonymous_id _kx first_name last_name organization locale title
    image location properties meta
    """.split()  # noqa: SIM905 - a list of names reads better as words
)
# What makes a profile, any one of them; Klaviyo's own `id` stands beside the attributes.
IDENTIFIERS = ("email", "phone_number", "external_id", "anonymous_id", "_kx")

MOST_PROPERTIES = 400
LARGEST_STRING_BYTES = 100_000
LONGEST_LIST = 4000
DEEPEST_NESTING = 10
LONGEST_METRIC_NAME = 127
FIRST_YEAR = 1991
LATEST = timedelta(days=365)

ADDRESS = re.compile(r"[^@\s<>,;:\"]+@[^@\s<>,;:\"]+\.[^@\s<>,;:\".\d]{2,}")


@dataclass(frozen=True, slots=True)
class Event:
    """One event on a customer's timeline. `profile` is the first identifier that was given."""

    metric: str
    profile: str
    email: str | None
    properties: Mapping[str, Json]
    unique_id: str
    time: datetime
    value: float | None
    value_currency: str | None
    is_backfill: bool = False


def read_event(data: Json, now: datetime) -> Event:
    """The event in the `data` of a JSON:API request; raises `KlaviyoError`."""
    if not isinstance(data, dict) or data.get("type") != "event":
        raise invalid("Only events are created here", "/data/type")
    attributes = _part(data, "attributes", dict, "/data")
    _check_names(attributes, ATTRIBUTES, "event", "/data/attributes")
    metric = _resource(attributes, "metric", METRIC_ATTRIBUTES)
    name = _part(metric, "name", str, _at("metric") + "/data/attributes")
    if not 0 < len(name) <= LONGEST_METRIC_NAME:
        raise invalid("A metric's name is too long", _at("metric") + "/data/attributes/name")
    profile, email = _profile(attributes)
    properties = _part(attributes, "properties", dict, "/data/attributes")
    _check_properties(properties)
    moment = _moment(attributes.get("time"), now)
    return Event(
        metric=name,
        profile=profile,
        email=email,
        properties=properties,
        # Without a unique_id, the time to the second stands for it.
        unique_id=_optional(attributes, "unique_id", str)
        or moment.replace(microsecond=0).isoformat(),
        time=moment,
        value=_optional(attributes, "value", int, float),
        value_currency=_optional(attributes, "value_currency", str),
        is_backfill=bool(_optional(attributes, "backfill", bool)),
    )


def _at(name: str) -> str:
    return f"/data/attributes/{name}"


def _part[T](whole: Json, name: str, kind: type[T], pointer: str) -> T:
    part = whole.get(name) if isinstance(whole, dict) else None
    if not isinstance(part, kind):
        raise invalid(f"'{name}' is a required field for this resource.", f"{pointer}/{name}")
    return part


def _optional(attributes: Json, name: str, *kinds: type) -> Json:
    value = attributes.get(name)
    is_misused_choice = isinstance(value, bool) and bool not in kinds
    if value is not None and (is_misused_choice or not isinstance(value, kinds)):
        raise invalid(f"'{name}' is not of the right type.", _at(name))
    return value


def _check_names(given: Json, known: Collection[str], resource: str, pointer: str) -> None:
    for name in given:
        if name not in known:
            raise invalid(
                f"'{name}' is not a valid field for the resource '{resource}'.", f"{pointer}/{name}"
            )


def _resource(attributes: Json, name: str, known: Collection[str]) -> dict[str, Json]:
    """The attributes of a resource inside the event: `{"data": {"type": …, "attributes": …}}`."""
    data = _part(_part(attributes, name, dict, "/data/attributes"), "data", dict, _at(name))
    if data.get("type") != name:
        raise invalid(f"The type has to be '{name}'", f"{_at(name)}/data/type")
    inner = _part(data, "attributes", dict, f"{_at(name)}/data")
    _check_names(inner, known, name, f"{_at(name)}/data/attributes")
    return inner


def _profile(attributes: Json) -> tuple[str, str | None]:
    """By what the profile is known, and its address if it has one."""
    inner = _resource(attributes, "profile", PROFILE_ATTRIBUTES)
    pointer = f"{_at('profile')}/data/attributes"
    email = inner.get("email")
    if email is not None and not (isinstance(email, str) and ADDRESS.fullmatch(email)):
        raise invalid("Invalid email address", f"{pointer}/email")
    names = [str(inner[key]) for key in IDENTIFIERS if inner.get(key)]
    if own_id := attributes["profile"]["data"].get("id"):
        names.append(str(own_id))
    if not names:
        raise invalid("A profile needs an email or another identifier", _at("profile"))
    return names[0].casefold(), email


def _check_properties(properties: Mapping[str, Json]) -> None:
    pointer = _at("properties")
    if len(properties) > MOST_PROPERTIES:
        raise invalid(f"An event has at most {MOST_PROPERTIES} properties", pointer)
    for value, depth in _values(properties, 1):
        if depth > DEEPEST_NESTING:
            raise invalid(f"Properties nest at most {DEEPEST_NESTING} levels deep", pointer)
        if isinstance(value, str) and len(value.encode()) > LARGEST_STRING_BYTES:
            raise invalid("A string of the properties is larger than 100 KB", pointer)
        if isinstance(value, list) and len(value) > LONGEST_LIST:
            raise invalid(f"A list of the properties has more than {LONGEST_LIST} items", pointer)


def _values(value: Json, depth: int) -> Iterator[tuple[Json, int]]:
    """Every value inside, with the number of levels around it; stops below the deepest allowed."""
    yield value, depth
    if depth > DEEPEST_NESTING:
        return
    inside = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, Mapping | list):
        for each in inside:
            yield from _values(each, depth + isinstance(each, Mapping | list))


def _moment(text: Json, now: datetime) -> datetime:
    if text is None:
        return now
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise invalid("Invalid ISO 8601 time", _at("time")) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)
    if moment.year < FIRST_YEAR or moment > now + LATEST:
        raise invalid("The time is before 1990 or more than a year ahead", _at("time"))
    return moment
