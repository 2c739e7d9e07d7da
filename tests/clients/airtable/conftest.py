"""The Airtable client against Airtable in a box, in one process, without a socket."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import requests

from giftcards.clients.airtable import Airtable, Layout, Pace, read_schema, resolve_layout
from sandbox.airtable import Base, build_standard_base, create_app
from sandbox.wsgi import WsgiAdapter

URL = "https://airtable.test"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that goes on only when it is told to, or when somebody sleeps by it."""

    now: datetime = NOON
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.go_on(seconds)

    def monotonic(self) -> float:
        return (self.now - NOON).total_seconds()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def base(clock: Clock) -> Base:
    base = Base(clock=clock, requests_a_second=None)
    build_standard_base(base)
    return base


@pytest.fixture
def session(base: Base) -> requests.Session:
    session = requests.Session()
    session.mount(URL, WsgiAdapter(create_app(base)))
    return session


@pytest.fixture
def layout(base: Base, session: requests.Session) -> Layout:
    schema = read_schema(
        base.token, base_id=base.id, session=session, endpoint_url=URL, timeout_seconds=5
    )
    return resolve_layout(schema, {})


@pytest.fixture
def connect(
    base: Base, session: requests.Session, layout: Layout, clock: Clock
) -> Callable[..., Airtable]:
    """Make a client; by default with the right token and no pace worth the name."""

    def make(*, token: str | None = None, requests_a_second: int = 1000) -> Airtable:
        return Airtable(
            token or base.token,
            base_id=base.id,
            layout=layout,
            session=session,
            endpoint_url=URL,
            timeout_seconds=5,
            pace=Pace(requests_a_second, sleep=clock.sleep, monotonic=clock.monotonic),
        )

    return make


@pytest.fixture
def airtable(connect: Callable[..., Airtable]) -> Airtable:
    return connect()
