from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from giftcards.store.leases import Lease, Leases
from giftcards.store.table import Table
from tests.store.conftest import Backend

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECONDS = 30


@pytest.fixture
def leases(table: Table) -> Leases:
    return Leases(table, seconds=SECONDS)


def acquire(leases: Leases, *, after_seconds: float = 0) -> Lease:
    lease = leases.acquire("card#1", now=NOW + timedelta(seconds=after_seconds))
    assert lease is not None
    return lease


def test_the_first_to_come_gets_the_lease(leases: Leases) -> None:
    lease = acquire(leases)
    assert lease.fence == 1
    assert lease.until == NOW + timedelta(seconds=SECONDS)


def test_a_held_lease_is_respected_to_its_last_millisecond(leases: Leases) -> None:
    acquire(leases)
    assert leases.acquire("card#1", now=NOW) is None
    assert leases.acquire("card#1", now=NOW + timedelta(seconds=SECONDS)) is None


def test_a_dead_workers_lease_is_taken_over_with_a_higher_fence(leases: Leases) -> None:
    dead = acquire(leases)
    heir = acquire(leases, after_seconds=SECONDS + 0.001)
    assert heir.fence == dead.fence + 1
    assert heir.owner != dead.owner


def test_a_released_lease_is_free_at_once_and_its_fence_goes_on(leases: Leases) -> None:
    first = acquire(leases)
    leases.release(first)
    assert acquire(leases).fence == first.fence + 1


def test_whoever_lost_the_lease_cannot_release_the_heirs(leases: Leases) -> None:
    dead = acquire(leases)
    acquire(leases, after_seconds=SECONDS + 1)
    leases.release(dead)
    assert leases.acquire("card#1", now=NOW + timedelta(seconds=SECONDS + 2)) is None


def test_leases_on_two_keys_know_nothing_of_each_other(leases: Leases) -> None:
    acquire(leases)
    assert leases.acquire("card#2", now=NOW) is not None


def test_a_lease_survives_what_else_stands_in_its_item(table: Table, leases: Leases) -> None:
    table.update("card#1", "ADD #wanted :one", values={"one": 1})
    assert acquire(leases).fence == 1
    item = table.get("card#1")
    assert item is not None
    assert item["wanted"] == 1


class TriesTwice:
    """A client whose first write is answered, and the answer lost: it makes the write again."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.lost = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **parameters: Any) -> Any:
        if not self.lost:
            self.lost += 1
            self._client.update_item(**parameters)
        return self._client.update_item(**parameters)  # the very same request


def test_a_write_whose_reply_was_lost_is_recognised_as_ours(backend: Backend, table: Table) -> None:
    """boto3 tries again when a reply is lost, and its second try finds our own first one."""
    client: Any = TriesTwice(backend.dynamodb)
    leases = Leases(Table(client, name=table.name), seconds=SECONDS)
    lease = leases.acquire("card#1", now=NOW)
    assert client.lost
    assert lease is not None
    assert lease.fence == 1
