"""What we remember of cards, rows, stores, prongs and Airtable's records."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from giftcards.domain.cards import ShopFacts
from giftcards.domain.duplicates import RecentRedemption
from giftcards.domain.money import Money
from giftcards.store.attempts import Attempts
from giftcards.store.cards import Cards, MirrorState, lock_key, recent_of
from giftcards.store.control import Control, ProngState
from giftcards.store.leases import Leases
from giftcards.store.misses import Misses
from giftcards.store.records import Records
from giftcards.store.table import Table

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CARD = "gid://shopify/GiftCard/1"
SHOWN = Money(4000, "USD")


@pytest.fixture
def cards(table: Table) -> Cards:
    return Cards(table)


def test_a_code_leads_to_its_first_card_for_ever(cards: Cards) -> None:
    assert cards.find(["old", "new"]) is None
    cards.remember("old", card_id=CARD)
    cards.remember("old", card_id="another")
    assert cards.find(["new", "old"]) == CARD


def test_a_card_is_behind_until_its_last_move_is_mirrored(cards: Cards) -> None:
    cards.note_move(CARD)
    (before,) = cards.mirror_states([CARD, "unknown"])
    assert before == MirrorState(card_id=CARD, wanted=1, synced=0)
    cards.note_move(CARD)  # while it is being mirrored
    cards.note_mirrored(before, shown=SHOWN)
    (state,) = cards.mirror_states([CARD])
    assert (state.synced, state.is_behind) == (1, True)
    cards.note_mirrored(state, shown=SHOWN)
    cards.note_mirrored(before, shown=Money(1, "USD"))  # a late one takes nothing back
    (state,) = cards.mirror_states([CARD])
    assert (state.synced, state.is_behind) == (2, False)
    assert (state.is_shown, state.shown) == (True, SHOWN)


def test_recent_redemptions_stay_with_the_card_while_its_lock_is_ours(
    table: Table, cards: Cards
) -> None:
    leases = Leases(table, seconds=30)
    recent = RecentRedemption(
        operation="redemption#1",
        store_id="recStore",
        amount=Money(1000, "USD"),
        at=NOW,
        was_refused=False,
    )
    dead = leases.acquire(lock_key(CARD), now=NOW)
    assert dead is not None
    assert recent_of(dead) == []
    cards.leave_recent(dead, [recent])
    heir = leases.acquire(lock_key(CARD), now=NOW + timedelta(seconds=31))
    assert heir is not None
    assert recent_of(heir) == [recent]
    cards.leave_recent(dead, [])
    leases.release(heir)
    again = leases.acquire(lock_key(CARD), now=NOW + timedelta(seconds=32))
    assert again is not None
    assert recent_of(again) == [recent]


def test_the_switch_is_off_until_it_is_thrown_for_this_table(table: Table) -> None:
    control = Control(table)
    assert not control.switch().is_running
    control.throw_switch(run=True, by="Ana", now=NOW)
    assert (control.switch().is_running, control.switch().by) == (True, "Ana")
    control.throw_switch(run=False, by="Ben", now=NOW)
    assert not control.switch().is_running
    control.throw_switch(run=True, by="Ana", now=NOW)
    item = table.get("control")
    assert item is not None
    table.put(item | {"table": "restored under another name"})
    assert not control.switch().is_running


def test_layout_and_facts_are_kept(table: Table) -> None:
    control = Control(table)
    assert (control.layout(), control.facts()) == (None, None)
    facts = ShopFacts(name="Shop", currency="USD", time_zone="America/New_York")
    control.keep_layout('{"tables": {}}')
    control.keep_facts(facts)
    assert (control.layout(), control.facts()) == ('{"tables": {}}', facts)


def test_a_prongs_state_stands_beside_its_lease(table: Table) -> None:
    control = Control(table)
    lease = Leases(table, seconds=30).acquire("prong#stores", now=NOW)
    assert lease is not None
    assert control.prong("stores") is None
    state = ProngState(
        prong="stores",
        is_failing=True,
        since=NOW,
        last_finished=None,
        last_error="Shopify is away",
        told_at=NOW,
    )
    control.note_run(state)
    assert control.prong("stores") == state
    told = replace(state, summary="0 drift over 12 cards at 03:10")
    control.note_run(told)
    assert control.prong("stores") == told
    assert Leases(table, seconds=30).acquire("prong#stores", now=NOW) is None


def test_misses_are_counted_within_the_window(table: Table) -> None:
    misses = Misses(table, window=timedelta(minutes=10))
    assert misses.note("store", count=2, now=NOW) == 2
    assert misses.note("store", count=1, now=NOW + timedelta(minutes=9)) == 3
    assert misses.note("other", count=1, now=NOW) == 1
    assert misses.note("store", count=1, now=NOW + timedelta(minutes=11)) == 2


def test_attempts_are_forgotten_when_one_ends(table: Table) -> None:
    attempts = Attempts(table)
    assert attempts.of(["row"]) == {}
    attempts.begin("row")
    attempts.begin("row")
    assert attempts.of(["row"])["row"].unended == 2
    attempts.end("row")
    assert attempts.of(["row"])["row"].unended == 0


def test_a_row_is_parked_until_a_person_decides(table: Table) -> None:
    attempts = Attempts(table)
    attempts.begin("row")
    attempts.park("row", now=NOW)
    assert attempts.of(["row"])["row"].is_parked
    assert attempts.parked(now=NOW, limit=10) == ["row"]
    attempts.unpark("row")
    assert attempts.parked(now=NOW, limit=10) == []
    assert attempts.of(["row"])["row"].unended == 0


def test_an_intention_is_known_before_the_record_is(table: Table) -> None:
    records = Records(table)
    assert records.known("Receipts", ["r1"]) == {}
    records.note_intention("Receipts", "r1")
    assert records.known("Receipts", ["r1", "r2"]) == {"r1": None}
    records.remember("Receipts", "r1", record_id="rec1")
    records.note_intention("Receipts", "r1")  # a second try takes nothing away
    assert records.known("Receipts", ["r1"]) == {"r1": "rec1"}
    assert records.known("Gift Cards", ["r1"]) == {}


def test_a_record_that_is_gone_is_begun_anew_once(table: Table) -> None:
    records = Records(table)
    records.remember("Receipts", "r1", record_id="rec1")
    assert not records.begin_anew("Receipts", "r1", gone="rec0")  # another one is known by now
    assert records.known("Receipts", ["r1"]) == {"r1": "rec1"}
    assert records.begin_anew("Receipts", "r1", gone="rec1")
    assert records.known("Receipts", ["r1"]) == {"r1": None}
    assert not records.begin_anew("Receipts", "r1", gone="rec1")  # somebody may be creating it
    assert not records.begin_anew("Receipts", "r2", gone="rec1")
    assert records.known("Receipts", ["r2"]) == {}


def test_what_was_archived_is_known_until_it_is_made_anew(table: Table) -> None:
    records = Records(table)
    records.remember("Receipts", "r1", record_id="rec1")
    records.remember("Receipts", "r2", record_id="rec2")
    records.note_archived("Receipts", "r1", record_id="rec1", where="archive/Receipts/a")
    names = ["r1", "r2", "r3"]
    assert records.archived("Receipts", names) == {"r1": "archive/Receipts/a"}
    assert records.known("Receipts", names) == {"r1": "rec1", "r2": "rec2"}
    assert records.begin_anew("Receipts", "r1", gone="rec1")
    assert records.archived("Receipts", names) == {}
    assert records.known("Receipts", ["r1"]) == {"r1": None}
