"""Airtable in a box, asked by pyairtable as it is, in one process and without a socket."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from pyairtable import Api
from pyairtable.api.table import Table

from sandbox.airtable import Base, build_standard_base, create_app
from sandbox.wsgi import WsgiAdapter

URL = "https://airtable.test"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that goes on only when it is told to."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def base(clock: Clock) -> Base:
    base = Base(clock=clock, requests_a_second=None)
    build_standard_base(base)
    return base


@pytest.fixture
def api(base: Base) -> Api:
    return connect(base)


def connect(base: Base, token: str | None = None) -> Api:
    """pyairtable, told only another address."""
    api = Api(token or base.token, endpoint_url=URL, retry_strategy=None, timeout=(5, 5))
    api.session.mount(URL, WsgiAdapter(create_app(base)))
    return api


@pytest.fixture
def redemptions(api: Api, base: Base) -> Table:
    return api.table(base.id, "Redemptions")


@pytest.fixture
def receipts(api: Api, base: Base) -> Table:
    return api.table(base.id, "Receipts")
