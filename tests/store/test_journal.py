from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from giftcards.domain.money import Money
from giftcards.errors import JournalConflict
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.journal import Journal, Operation, Result, RowWrite, State
from giftcards.store.leases import Lease, Leases
from giftcards.store.table import Table

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)
KEY = "redemption#rec1"
SNAPSHOT: dict[str, Any] = {"amount": {"minor": 1000, "currency": "USD"}, "card_id": "card-1"}

RECEIPT = Receipt(
    id=f"{KEY}#1",
    at=NOW,
    action=Action.REDEEM_IN_STORE,
    actor="Ana, Main Street",
    card="•••• 2b5a",
    amount=Money(1000, "USD"),
    balance_after=Money(4000, "USD"),
    outcome=ReceiptOutcome.DONE,
    operation=KEY,
    details="REDEEMED: The card was charged.",
)
REDEEMED = Result(
    outcome="REDEEMED",
    decided_at=NOW,
    balance=Money(4000, "USD"),
    transaction_id="gid://shopify/GiftCardDebitTransaction/1",
    receipts=(RECEIPT,),
    row=RowWrite(
        table="Redemptions",
        record_id="rec1",
        cells={"Status": "Processed"},
        link_field="Gift Card",
        cards=("card-1",),
    ),
    mail_to="main@shop.example",
    moved_card="card-1",
)
NOT_CHARGED = Result(outcome="NOT_CHARGED", decided_at=NOW)


@pytest.fixture
def journal(table: Table) -> Journal:
    return Journal(table)


@pytest.fixture
def lock(table: Table) -> Lease:
    lease = Leases(table, seconds=30).acquire("card#card-1", now=NOW)
    assert lease is not None
    return lease


def claim(journal: Journal) -> Operation:
    return journal.claim(KEY, kind="redemption", snapshot=SNAPSHOT, now=NOW, due_at=LATER)


def send(journal: Journal, operation: Operation, lock: Lease) -> Operation:
    sent = journal.mark_sent(operation, lock=lock, recent=[], now=NOW, due_at=LATER)
    assert sent is not None
    return sent


def test_a_claim_keeps_the_snapshot(journal: Journal) -> None:
    claim(journal)
    operation = journal.load(KEY)
    assert operation is not None
    assert operation.state is State.CLAIMED
    assert operation.snapshot == SNAPSHOT


def test_the_same_claim_twice_is_one_operation(journal: Journal, lock: Lease) -> None:
    send(journal, claim(journal), lock)
    assert claim(journal).state is State.SENT


def test_other_contents_under_the_same_key_are_an_error(journal: Journal) -> None:
    claim(journal)
    with pytest.raises(JournalConflict, match="other contents"):
        journal.claim(
            KEY, kind="redemption", snapshot=SNAPSHOT | {"card_id": "2"}, now=NOW, due_at=LATER
        )


def test_sent_is_marked_once(journal: Journal, lock: Lease) -> None:
    operation = claim(journal)
    sent = send(journal, operation, lock)
    assert sent.sent_at == NOW
    heir = Lease(key=lock.key, owner="somebody else", fence=lock.fence, until=lock.until)
    assert journal.mark_sent(operation, lock=heir, recent=[], now=NOW, due_at=LATER) is None


def test_nobody_sends_without_the_cards_lock(journal: Journal, table: Table, lock: Lease) -> None:
    operation = claim(journal)
    heir = Leases(table, seconds=30).acquire(lock.key, now=NOW + timedelta(seconds=31))
    assert heir is not None
    late = NOW + timedelta(seconds=32)
    assert journal.mark_sent(operation, lock=lock, recent=[], now=late, due_at=LATER) is None
    standing = journal.load(KEY)
    assert standing is not None
    assert standing.state is State.CLAIMED
    assert journal.mark_sent(operation, lock=heir, recent=[], now=late, due_at=LATER) is not None


def test_nobody_sends_under_a_lock_that_is_over(journal: Journal, lock: Lease) -> None:
    late = NOW + timedelta(seconds=31)
    assert journal.mark_sent(claim(journal), lock=lock, recent=[], now=late, due_at=LATER) is None


def test_a_lower_fence_does_not_send(journal: Journal, lock: Lease) -> None:
    stale = Lease(key=lock.key, owner=lock.owner, fence=lock.fence - 1, until=lock.until)
    assert journal.mark_sent(claim(journal), lock=stale, recent=[], now=NOW, due_at=LATER) is None


def test_another_owner_of_the_same_fence_does_not_send(journal: Journal, lock: Lease) -> None:
    other = Lease(key=lock.key, owner="somebody else", fence=lock.fence, until=lock.until)
    assert journal.mark_sent(claim(journal), lock=other, recent=[], now=NOW, due_at=LATER) is None


def test_what_is_sent_is_not_marked_again_by_the_next_holder_of_the_lock(
    journal: Journal, table: Table, lock: Lease
) -> None:
    operation = claim(journal)
    sent = send(journal, operation, lock)
    late = NOW + timedelta(seconds=31)
    heir = Leases(table, seconds=30).acquire(lock.key, now=late)
    assert heir is not None
    assert journal.mark_sent(operation, lock=heir, recent=[], now=late, due_at=LATER) is None
    standing = journal.load(KEY)
    assert standing is not None
    assert (standing.sent_by, standing.sent_at) == (lock.owner, sent.sent_at)


def test_a_mark_whose_reply_was_lost_is_recognised_as_ours(journal: Journal, lock: Lease) -> None:
    operation = claim(journal)
    send(journal, operation, lock)
    again = journal.mark_sent(operation, lock=lock, recent=[], now=NOW, due_at=LATER)
    assert again is not None
    assert again.sent_by == lock.owner


def test_a_debit_that_did_not_run_can_be_taken_back_by_its_sender_only(
    journal: Journal, lock: Lease
) -> None:
    sent = send(journal, claim(journal), lock)
    stranger = Operation(
        key=sent.key,
        kind=sent.kind,
        state=sent.state,
        claimed_at=sent.claimed_at,
        snapshot=sent.snapshot,
        sent_at=sent.sent_at,
        sent_by="somebody else",
    )
    assert not journal.take_back_sent(stranger, due_at=LATER)
    assert journal.take_back_sent(sent, due_at=LATER)
    standing = journal.load(KEY)
    assert standing is not None
    assert (standing.state, standing.sent_at, standing.sent_by) == (State.CLAIMED, None, None)


def test_a_commit_holds_everything_that_follows(journal: Journal, lock: Lease) -> None:
    sent = send(journal, claim(journal), lock)
    committed = journal.commit(sent, REDEEMED, due_at=LATER)
    assert committed.state is State.COMMITTED
    assert committed.result == REDEEMED
    assert journal.load(KEY) == committed


def test_the_first_outcome_stands_for_ever(journal: Journal, lock: Lease) -> None:
    sent = send(journal, claim(journal), lock)
    journal.commit(sent, REDEEMED, due_at=LATER)
    standing = journal.commit(sent, NOT_CHARGED, due_at=LATER)
    assert standing.result == REDEEMED


def test_what_was_judged_before_a_debit_was_sent_is_not_committed_after(
    journal: Journal, lock: Lease
) -> None:
    operation = claim(journal)
    send(journal, operation, lock)
    standing = journal.commit(operation, NOT_CHARGED, due_at=LATER)
    assert standing.state is State.SENT
    assert standing.result is None


def test_an_outcome_judged_under_another_mark_is_not_committed(
    journal: Journal, table: Table, lock: Lease
) -> None:
    """The first mark was taken back, and another worker's debit is on its way."""
    operation = claim(journal)
    first = send(journal, operation, lock)
    journal.take_back_sent(first, due_at=LATER)
    late = NOW + timedelta(seconds=31)
    heir = Leases(table, seconds=30).acquire(lock.key, now=late)
    assert heir is not None
    assert journal.mark_sent(operation, lock=heir, recent=[], now=late, due_at=LATER) is not None
    standing = journal.commit(first, NOT_CHARGED, due_at=LATER)
    assert (standing.state, standing.sent_by, standing.result) == (State.SENT, heir.owner, None)


def test_a_refusal_without_a_card_is_claimed_and_committed_at_once(journal: Journal) -> None:
    first = journal.record(
        KEY, kind="redemption", snapshot=SNAPSHOT, result=NOT_CHARGED, due_at=LATER
    )
    assert first.state is State.COMMITTED
    again = journal.record(KEY, kind="redemption", snapshot=SNAPSHOT, result=REDEEMED, due_at=LATER)
    assert again.result == NOT_CHARGED


def test_what_is_unfinished_comes_due_and_what_is_settled_never_does(
    journal: Journal, lock: Lease
) -> None:
    sent = send(journal, claim(journal), lock)
    assert journal.due(now=NOW, limit=10) == []
    assert [operation.key for operation in journal.due(now=LATER, limit=10)] == [KEY]
    committed = journal.commit(sent, REDEEMED, due_at=LATER)
    journal.settle(committed, now=NOW)
    assert journal.due(now=LATER + timedelta(days=1), limit=10) == []
    settled = journal.load(KEY)
    assert settled is not None
    assert settled.state is State.SETTLED
    assert settled.settled_at == NOW
    assert settled.result == REDEEMED


def test_what_is_postponed_comes_due_later(journal: Journal) -> None:
    operation = claim(journal)
    journal.postpone(operation, due_at=LATER + timedelta(seconds=60))
    assert journal.due(now=LATER, limit=10) == []
    assert len(journal.due(now=LATER + timedelta(seconds=60), limit=10)) == 1


def test_nothing_settles_before_it_is_committed(journal: Journal) -> None:
    operation = claim(journal)
    journal.settle(operation, now=NOW)
    standing = journal.load(KEY)
    assert standing is not None
    assert standing.state is State.CLAIMED


def test_the_first_answer_is_the_one_that_is_noted(journal: Journal) -> None:
    operation = claim(journal)
    journal.mark_answered(operation, message_id="m1", now=NOW)
    journal.mark_answered(operation, message_id="m2", now=LATER)
    standing = journal.load(KEY)
    assert standing is not None
    assert standing.answered_at == NOW


def test_more_operations_are_read_than_dynamodb_gives_at_once(journal: Journal) -> None:
    keys = [f"redemption#rec{number}" for number in range(130)]
    for key in keys:
        journal.claim(key, kind="redemption", snapshot=SNAPSHOT, now=NOW, due_at=LATER)
    assert set(journal.load_many([*keys, "redemption#none"])) == set(keys)
