from datetime import UTC, datetime, timedelta

import pytest

from giftcards.store.leases import Lease, Leases
from giftcards.store.table import Table

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


def test_a_write_whose_reply_was_lost_is_recognised_as_ours(table: Table, leases: Leases) -> None:
    """boto3 tries again when a reply is lost, and its second try finds our own first one."""
    client = table._client  # noqa: SLF001 - the network is what fails here, below our code
    lost: list[str] = []

    def try_twice(params: dict[str, object], **_: object) -> None:
        if not lost:
            lost.append("the first reply")
            client.update_item(**params)  # type: ignore[arg-type] # the very same request

    client.meta.events.register_first("provide-client-params.dynamodb.UpdateItem", try_twice)
    lease = leases.acquire("card#1", now=NOW)
    assert lost
    assert lease is not None
    assert lease.fence == 1
