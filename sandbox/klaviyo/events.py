"""What Klaviyo keeps of an event, and what it refuses.

An event belongs to a customer's profile and to a metric. Klaviyo takes each `unique_id` once for a
profile and metric: the first one wins, later ones are accepted and forgotten.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.faults import Fault, Faults

Json = Any  # what json.loads returns

# What makes a profile, any one of them (Klaviyo, "Create Event").
IDENTIFIERS = ("email", "phone_number", "external_id", "id", "anonymous_id")


class KlaviyoError(Exception):
    """A refusal: HTTP status, error code, sentence, and what in the request it is about."""

    def __init__(self, status: int, code: str, detail: str, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.pointer = pointer


@dataclass(frozen=True, slots=True)
class Event:
    """One event on a customer's timeline. `profile` is the first identifier that was given."""

    metric: str
    profile: str
    properties: Mapping[str, Json]
    unique_id: str
    time: datetime
    value: float | None
    value_currency: str | None


class Klaviyo:
    """One account. `version` grows with each event that is kept."""

    def __init__(
        self, *, clock: Callable[[], datetime] | None = None, key: str = "pk_sandbox"
    ) -> None:
        self.key = key
        self.faults = Faults(
            supported={
                Fault.DROP_REPLY,
                Fault.BREAK_CONNECTION,
                Fault.FAIL_BEFORE,
                Fault.REFUSE_CONNECTION,
                Fault.FAIL_AFTER,
                Fault.THROTTLE,
                Fault.THROTTLE_429,
                Fault.REFUSE_TOKEN,
            }
        )
        self.clock = clock or (lambda: datetime.now(UTC))
        self.version = 0
        self._lock = threading.Lock()
        self._events: dict[tuple[str, str, str], Event] = {}

    @property
    def events(self) -> list[Event]:
        """What the timelines hold, oldest first."""
        with self._lock:
            return list(self._events.values())

    def take_event(self, data: Json) -> None:
        """Keep one event, given as the `data` of a JSON:API request; raises `KlaviyoError`."""
        if _part(data, "type", str, "/data") != "event":
            raise _invalid("Only events are created here", "/data/type")
        attributes = _part(data, "attributes", dict, "/data")
        metric = _resource(attributes, "metric")
        profile = _resource(attributes, "profile")
        names = [str(profile[key]) for key in IDENTIFIERS if profile.get(key)]
        if not names:
            raise _invalid("A profile needs an email or another identifier", _at("profile"))
        now = self.clock()
        event = Event(
            metric=_part(metric, "name", str, _at("metric") + "/data/attributes"),
            profile=names[0],
            properties=_part(attributes, "properties", dict, "/data/attributes"),
            # Klaviyo, "Create Event": without a unique_id, the time to the second stands for it.
            unique_id=str(attributes.get("unique_id") or now.replace(microsecond=0).isoformat()),
            time=_moment(attributes.get("time"), now),
            value=attributes.get("value"),
            value_currency=attributes.get("value_currency"),
        )
        with self._lock:
            key = (event.profile, event.metric, event.unique_id)
            if key not in self._events:
                self._events[key] = event
                self.version += 1


def _invalid(detail: str, pointer: str) -> KlaviyoError:
    return KlaviyoError(400, "invalid", detail, pointer)


def _at(name: str) -> str:
    return f"/data/attributes/{name}"


def _part[T](whole: Json, name: str, kind: type[T], pointer: str) -> T:
    part = whole.get(name) if isinstance(whole, dict) else None
    if not isinstance(part, kind):
        raise _invalid(f"'{name}' is a required field for this resource.", f"{pointer}/{name}")
    return part


def _resource(attributes: Json, name: str) -> dict[str, Json]:
    """The attributes of a resource inside the event: `{"data": {"type": …, "attributes": …}}`."""
    data = _part(_part(attributes, name, dict, "/data/attributes"), "data", dict, _at(name))
    if data.get("type") != name:
        raise _invalid(f"The type has to be '{name}'", f"{_at(name)}/data/type")
    return _part(data, "attributes", dict, f"{_at(name)}/data")


def _moment(text: Json, now: datetime) -> datetime:
    if text is None:
        return now
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise _invalid("Invalid ISO 8601 time", _at("time")) from None
