"""What is given back for a redemption grows with the commit, and each step builds on the last."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from giftcards.domain.money import Money
from giftcards.errors import JournalConflict
from giftcards.store.cards import Cards
from giftcards.store.journal import Journal, Operation, Result, State
from giftcards.store.leases import Leases
from giftcards.store.ledger import Ledgers
from giftcards.store.table import Table

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)
REDEMPTION = "redemption#rec1"
CARD = "gid://shopify/GiftCard/41"
TAKEN: dict[str, Any] = {"row_id": "rec1"}
DONE = Result(outcome="REVERSED", decided_at=NOW)


@pytest.fixture
def journal(table: Table) -> Journal:
    return Journal(table)


@pytest.fixture
def redemption(journal: Journal) -> Operation:
    return journal.claim(REDEMPTION, kind="redemption", snapshot=TAKEN, now=NOW, due_at=LATER)


def load(journal: Journal, key: str = REDEMPTION) -> Operation:
    operation = journal.load(key)
    assert operation is not None
    return operation


def begin(journal: Journal, seen: Operation, total: int) -> Operation | None:
    key = f"reverse#rec1#{total}"
    return journal.claim_with(
        key,
        kind="reverse",
        snapshot={"total": total},
        now=NOW,
        due_at=LATER,
        also=[journal.reversal_begun(seen, by=key)],
    )


def finish(journal: Journal, operation: Operation, *, before: int, after: int) -> Operation:
    grows = journal.reversal_done(REDEMPTION, by=operation.key, before=before, after=after)
    return journal.commit(operation, DONE, due_at=LATER, also=[grows])


def begun(journal: Journal, total: int) -> Operation:
    operation = begin(journal, load(journal), total)
    assert operation is not None
    return operation


def test_steps_build_on_each_other(journal: Journal, redemption: Operation) -> None:
    assert (redemption.reversal, redemption.given_back) == (None, 0)
    first = begun(journal, 500)
    assert load(journal).reversal == first.key
    assert load(journal).given_back == 0  # it grows with the outcome only
    assert finish(journal, first, before=0, after=500).state is State.COMMITTED
    second = begun(journal, 800)
    finish(journal, second, before=500, after=800)
    assert (load(journal).reversal, load(journal).given_back) == (second.key, 800)


def test_of_two_that_saw_the_same_only_one_begins(journal: Journal, redemption: Operation) -> None:
    assert begin(journal, redemption, 500) is not None
    assert begin(journal, redemption, 800) is None
    assert journal.load("reverse#rec1#800") is None


@pytest.mark.usefixtures("redemption")
def test_whoever_did_not_see_what_was_given_back_begins_nothing(journal: Journal) -> None:
    first = begun(journal, 500)
    seen = load(journal)
    finish(journal, first, before=0, after=500)
    assert begin(journal, seen, 800) is None


def credit_back(table: Table, journal: Journal, seen: Operation, minor: int) -> bool:
    return table.update_together(journal.credited_back(seen, minor=minor))


def test_what_is_credited_back_adds_up(
    journal: Journal, table: Table, redemption: Operation
) -> None:
    assert credit_back(table, journal, redemption, 1000)
    assert credit_back(table, journal, load(journal), 500)
    assert (load(journal).credited_back, load(journal).given_back) == (1500, 0)


def test_whoever_did_not_see_what_was_credited_back_begins_nothing(
    journal: Journal, table: Table, redemption: Operation
) -> None:
    assert credit_back(table, journal, redemption, 1000)
    assert begin(journal, redemption, 500) is None
    seen = load(journal)
    assert credit_back(table, journal, seen, 500)
    assert begin(journal, seen, 500) is None
    assert begin(journal, load(journal), 500) is not None


def test_whoever_did_not_see_an_undo_credits_nothing_back(
    journal: Journal, table: Table, redemption: Operation
) -> None:
    first = begun(journal, 500)
    assert not credit_back(table, journal, redemption, 1000)
    seen = load(journal)
    finish(journal, first, before=0, after=500)
    assert not credit_back(table, journal, seen, 1000)
    assert load(journal).credited_back == 0
    assert credit_back(table, journal, load(journal), 1000)


def test_the_same_step_twice_is_one(journal: Journal, redemption: Operation) -> None:
    first = begin(journal, redemption, 500)
    assert begin(journal, redemption, 500) == first


@pytest.mark.usefixtures("redemption")
def test_a_second_outcome_changes_nothing(journal: Journal) -> None:
    first = begun(journal, 500)
    finish(journal, first, before=0, after=500)
    assert finish(journal, first, before=0, after=500).result == DONE
    assert load(journal).given_back == 500


@pytest.mark.usefixtures("redemption")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda journal: begin(journal, load(journal), 900),  # another step was begun since
        lambda journal: journal.commit(
            begun(journal, 700),
            DONE,
            due_at=LATER,
            also=[journal.reversal_done(REDEMPTION, by="reverse#rec1#700", before=0, after=700)],
        ),
    ],
)
def test_an_outcome_that_builds_on_something_else_is_an_error_and_moves_nothing(
    journal: Journal, spoil: Callable[[Journal], object]
) -> None:
    first = begun(journal, 500)
    spoil(journal)
    given_back = load(journal).given_back
    with pytest.raises(JournalConflict):
        finish(journal, first, before=0, after=500)
    assert load(journal, first.key).state is State.CLAIMED
    assert load(journal).given_back == given_back


@pytest.mark.usefixtures("redemption")
def test_an_outcome_that_saw_another_sum_is_an_error(journal: Journal) -> None:
    first = begun(journal, 500)
    with pytest.raises(JournalConflict):
        finish(journal, first, before=100, after=500)
    assert load(journal, first.key).result is None


@pytest.mark.usefixtures("redemption")
def test_what_somebody_has_parked_meanwhile_gets_no_outcome(journal: Journal) -> None:
    first = begun(journal, 500)
    journal.park(first, because="tests", now=NOW)
    assert finish(journal, first, before=0, after=500).state is State.PARKED
    assert load(journal).given_back == 0


# ------------------------------------------------------------------------------ sent once more


def send(journal: Journal, table: Table, operation: Operation) -> Operation:
    lock = Leases(table, seconds=30).acquire("card#1", now=NOW)
    assert lock is not None
    sent = journal.mark_sent(
        operation, lock=lock, recent=[], now=NOW, due_at=LATER, amount=Money(500, "USD")
    )
    assert sent is not None
    Leases(table, seconds=30).release(lock)
    return sent


@pytest.mark.usefixtures("redemption")
def test_what_was_sent_is_remembered_with_its_amount(journal: Journal, table: Table) -> None:
    sent = send(journal, table, begun(journal, 500))
    assert load(journal, sent.key) == sent
    assert sent.sent_amount == Money(500, "USD")


@pytest.mark.usefixtures("redemption")
def test_only_a_persons_word_lets_it_be_sent_again_and_once(journal: Journal, table: Table) -> None:
    sent = send(journal, table, begun(journal, 500))
    assert not journal.take_back_unfound(sent, due_at=LATER)
    journal.park(sent, because="tests", now=NOW)
    retried = journal.unpark(load(journal, sent.key), due_at=LATER)
    assert (retried.state, retried.may_send_again) == (State.SENT, True)
    assert journal.take_back_unfound(retried, due_at=LATER)
    assert not journal.take_back_unfound(retried, due_at=LATER)
    again = send(journal, table, load(journal, sent.key))
    assert load(journal, sent.key).may_send_again is False
    assert not journal.take_back_unfound(again, due_at=LATER)


@pytest.mark.usefixtures("redemption")
def test_a_word_about_what_was_never_sent_is_none(journal: Journal, table: Table) -> None:
    first = begun(journal, 500)
    journal.park(first, because="tests", now=NOW)
    retried = journal.unpark(load(journal, first.key), due_at=LATER)
    assert (retried.state, retried.may_send_again) == (State.CLAIMED, False)
    sent = send(journal, table, retried)
    assert not journal.take_back_unfound(sent, due_at=LATER)


@pytest.mark.usefixtures("redemption")
def test_a_word_about_what_was_sent_later_does_not_stand(journal: Journal, table: Table) -> None:
    """Retried, it turned out never to have run: what is sent then nobody has looked for."""
    sent = send(journal, table, begun(journal, 500))
    journal.park(sent, because="tests", now=NOW)
    retried = journal.unpark(load(journal, sent.key), due_at=LATER)
    assert journal.take_back_sent(retried, due_at=LATER)
    again = send(journal, table, load(journal, sent.key))
    assert not journal.take_back_unfound(again, due_at=LATER)


# ------------------------------------------------------------------------------------- cards


def test_a_card_is_frozen_and_released_in_turns(table: Table) -> None:
    cards = Cards(table)
    assert cards.release(CARD, by="Ben", because="", at=NOW) is None
    first = cards.freeze(CARD, by="Ana", because="theft", at=NOW)
    assert (first.number, first.is_frozen, first.by, first.at) == (1, True, "Ana", NOW)
    assert cards.freeze(CARD, by="Ben", because="too", at=LATER) == first
    assert cards.frozen([CARD, "gid://shopify/GiftCard/1"]) == {CARD}
    released = cards.release(CARD, by="Ben", because="found", at=LATER)
    assert released is not None
    assert (released.number, released.is_frozen) == (2, False)
    assert cards.release(CARD, by="Eve", because="", at=LATER) == released
    assert cards.frozen([CARD]) == frozenset()
    assert cards.freeze(CARD, by="Ana", because="theft", at=NOW).number == 3


def test_that_we_deactivate_a_card_is_noted_beside_its_lines(table: Table) -> None:
    ledgers = Ledgers(table)
    ledgers.note(CARD, operation="redemption#rec1", amount=Money(-1000, "USD"))
    assert ledgers.of([CARD])[CARD].is_deactivated_by_us is False
    for _ in range(2):
        ledgers.note_deactivated_by_us(CARD)
    found = ledgers.of([CARD])[CARD]
    assert found.is_deactivated_by_us is True
    assert found.lines == {"redemption#rec1": Money(-1000, "USD")}
