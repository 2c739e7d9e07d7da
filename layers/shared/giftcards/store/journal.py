"""The journal: what was asked, how far we got, and what still has to follow.

An operation goes one way:

    CLAIMED ──► SENT ──► COMMITTED ──► SETTLED
       │  ▲       │           ▲
       │  └───────┘           │       HELD     a claim that waits for the office's word
       │   did not run        │       PARKED   what nobody but a person can finish
       └── no debit needed ───┘

    CLAIMED    the request is ours, its snapshot is kept for ever          put, key does not exist
    SENT       a debit may be at Shopify from now on                       state is CLAIMED, and the
                                                                           card's lock has our fence
    COMMITTED  the outcome is final; receipt, mail, row and sync stand     no outcome yet
               in the same item: the item is the outbox
    SETTLED    everything that follows was handed to its queue             state is COMMITTED
    HELD       the row grew too old to be charged unasked                  state is CLAIMED
    PARKED     the alarm has rung; `ops park` shows and decides it         no outcome yet

Each line's right half is the condition of its write. Money operations are never deleted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from giftcards.domain.money import Money
from giftcards.errors import JournalConflict
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.leases import Lease
from giftcards.store.table import (
    OPEN_QUEUE,
    PARKED_QUEUE,
    Change,
    Item,
    Table,
    epoch_milliseconds,
    pack_moment,
    pack_money,
    unpack_moment,
    unpack_money,
)

OPERATION_PREFIX = "op#"

# Later than anything is due.
END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)


class State(StrEnum):
    """How far an operation got."""

    CLAIMED = "CLAIMED"
    SENT = "SENT"
    COMMITTED = "COMMITTED"
    SETTLED = "SETTLED"
    HELD = "HELD"
    PARKED = "PARKED"


@dataclass(frozen=True, slots=True)
class RowWrite:
    """How a row of an Airtable table should read: canonical table and field names.

    `link_field` is the field that should point to the rows of `cards` (Shopify ids).
    """

    table: str
    record_id: str
    cells: Mapping[str, Any]
    link_field: str | None = None
    cards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderRow:
    """How a row of ours in Airtable's `Processed Orders` should read, links to cards included.

    `name` is its `Order ID`: the order's number, and what of the order it is about behind a slash.
    """

    name: str
    cells: Mapping[str, Any]
    cards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Next:
    """An operation that follows from another one: it is claimed when that one is handed over."""

    key: str
    kind: str
    snapshot: Mapping[str, Any]
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Result:
    """What an operation came to, and everything that follows from it, committed together.

    `outcome` is the domain's name for it. `mail` holds what `answer_store` needs to write the mail.
    `moved_card` is the Shopify id of the card whose balance changed, to be mirrored again, and
    `moved` by how much it did, as far as that is known: signed, with a line in the card's ledger.
    `order_row` is a row in `Processed Orders` that says what became of a part of an order;
    `purchase` is the number of an order whose own row there has to be shown anew.
    `follows` are the operations that begin where this one ends.
    """

    outcome: str
    decided_at: datetime
    balance: Money | None = None
    transaction_id: str | None = None
    reason: str | None = None
    receipts: tuple[Receipt, ...] = ()
    row: RowWrite | None = None
    mail_to: str | None = None
    moved_card: str | None = None
    moved: Money | None = None
    order_row: OrderRow | None = None
    purchase: str | None = None
    follows: tuple[Next, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as the journal holds it; `key` is the business key, say `redemption#rec1`.

    `tries` counts deliveries that failed, `next_try_at` is before when no other may be made, and
    `retrials` how often a person had one tried anew. `progress` counts a sale's cards. A card's
    code is worked out from the key of the operation, `counter` (how many of its codes were found to
    be foreign cards') and the secret key named by `key_version`.

    `sent_amount` is what was sent with the SENT mark. `may_send_again` says that a person had it
    tried again after it had been parked SENT. Of a redemption, `reversal` is the last operation
    that gives back what it took, and `given_back` how much was, in minor units; `credited_back` is
    how much of a debit that was applied too often was, which is another matter.

    Of a difference that was left to a person, `found_in` is the last comparison of the books, after
    the first one, that found it.
    """

    key: str
    kind: str
    state: State
    claimed_at: datetime
    snapshot: Mapping[str, Any]
    sent_at: datetime | None = None
    sent_by: str | None = None
    sent_amount: Money | None = None
    may_send_again: bool = False
    reversal: str | None = None
    given_back: int = 0
    credited_back: int = 0
    result: Result | None = None
    answered_at: datetime | None = None
    settled_at: datetime | None = None
    written_again_at: datetime | None = None
    failures: int = 0
    tries: int = 0
    next_try_at: datetime | None = None
    retrials: int = 0
    counter: int = 0
    key_version: str | None = None
    progress: int = 0
    is_released: bool = False
    parked_in: State | None = None
    parked_because: str | None = None
    found_in: str | None = None


class Journal:
    """Reads and writes operations; every write names its condition above."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def load(self, key: str) -> Operation | None:
        """The operation with this business key as it is now."""
        item = self._table.get(OPERATION_PREFIX + key)
        return None if item is None else _unpack(item)

    def load_many(self, keys: Iterable[str]) -> dict[str, Operation]:
        """The operations that exist among these business keys, by key."""
        items = self._table.get_many(OPERATION_PREFIX + key for key in keys)
        operations = map(_unpack, items.values())
        return {operation.key: operation for operation in operations}

    def parked(self, *, now: datetime, limit: int) -> list[Operation]:
        """Operations that wait for a person, the longest parked first."""
        keys = self._table.queued(PARKED_QUEUE, until=now, limit=limit)
        operations = [
            _unpack(item)
            for key, item in self._table.get_many(keys).items()
            if key.startswith(OPERATION_PREFIX)
        ]
        return sorted(operations, key=lambda operation: operation.claimed_at)

    def due(self, *, now: datetime, limit: int) -> list[Operation]:
        """Unfinished operations whose time to be looked at has come."""
        keys = self._table.queued(OPEN_QUEUE, until=now, limit=limit)
        return [_unpack(item) for item in self._table.get_many(keys).values()]

    def unfinished(self, *, limit: int) -> list[Operation]:
        """Unfinished operations, also those whose time has not come; the next ones first."""
        keys = self._table.queued(OPEN_QUEUE, until=END_OF_TIME, limit=limit)
        items = self._table.get_many(keys)
        return [_unpack(items[key]) for key in keys if key in items]

    def claim(
        self, key: str, *, kind: str, snapshot: Mapping[str, Any], now: datetime, due_at: datetime
    ) -> Operation:
        """Make the request ours, or return the operation that did so before.

        Raises `JournalConflict` where the key exists with another snapshot: the row was changed
        after its first sight, and the first sight counts.
        """
        item = _new_item(key, kind=kind, snapshot=snapshot, now=now)
        item |= {"state": State.CLAIMED, "queue": OPEN_QUEUE, "due_at": _due(due_at)}
        return self._put_new(item)

    def claim_with(
        self,
        key: str,
        *,
        kind: str,
        snapshot: Mapping[str, Any],
        now: datetime,
        due_at: datetime,
        also: Sequence[Change],
    ) -> Operation | None:
        """Claim, and make other changes at the same moment; `None` where one of those is refused.

        For what has to be counted once for a request, such as what a store may sell in a day.
        Returns the operation that stands, whoever claimed it; raises `JournalConflict` as `claim`.
        """
        item = _new_item(key, kind=kind, snapshot=snapshot, now=now)
        item |= {"state": State.CLAIMED, "queue": OPEN_QUEUE, "due_at": _due(due_at)}
        fresh = {name: value for name, value in item.items() if name != "key"}
        claim = Change(
            item["key"],
            "SET " + ", ".join(f"#{name} = :{name}" for name in fresh),
            condition="attribute_not_exists(#key)",
            values=fresh,
        )
        if self._table.update_together(claim, *also):
            return _unpack(item)
        if self._table.get(item["key"]) is None:
            return None
        return self._put_new(item)

    def record(
        self, key: str, *, kind: str, snapshot: Mapping[str, Any], result: Result, due_at: datetime
    ) -> Operation:
        """Claim and commit in one write, for a request that is answered without touching a card.

        Where the operation exists already, that one is returned and this result is dropped.
        """
        item = _new_item(key, kind=kind, snapshot=snapshot, now=result.decided_at)
        item |= {"state": State.COMMITTED, "queue": OPEN_QUEUE, "due_at": _due(due_at)}
        item |= {"result": _pack_result(result)}
        return self._put_new(item)

    def _put_new(self, item: Item) -> Operation:
        if self._table.put_if_absent(item):
            return _unpack(item)
        standing = self._table.get(item["key"])
        if standing is None:
            raise JournalConflict(
                f"{item['key']} was deleted from the journal; nothing may do that"
            )
        if standing["snapshot"] != item["snapshot"]:
            raise JournalConflict(
                f"{item['key']} was asked for before with other contents; the first ones count"
            )
        return _unpack(standing)

    def mark_sent(
        self,
        operation: Operation,
        *,
        lock: Lease,
        recent: Sequence[Item],
        now: datetime,
        due_at: datetime,
        amount: Money | None = None,
        unless_frozen: bool = False,
    ) -> Operation | None:
        """Note that `amount` may be at Shopify from now on; `None` where we may not send it.

        One transaction: the operation is CLAIMED, and the card's lock is ours (owner and fence) and
        lasts. With `unless_frozen` the card is not frozen either, which somebody may do any moment.
        `None` means that somebody else moved the operation or has or froze the card: look again.
        The same transaction leaves `recent` on the card: its redemptions, this one included.
        """
        key = OPERATION_PREFIX + operation.key
        marked = self._table.update_together(
            Change(
                key,
                "SET #state = :sent, #sent_at = :now, #sent_by = :me, #due_at = :due,"
                " #sent_amount = :amount REMOVE #send_again",
                condition="#state = :claimed",
                values={
                    "sent": State.SENT,
                    "claimed": State.CLAIMED,
                    "now": pack_moment(now),
                    "me": lock.owner,
                    "due": _due(due_at),
                    "amount": pack_money(amount),
                },
            ),
            Change(
                lock.key,
                "SET #recent = :recent",
                condition="#lease_owner = :owner AND #lease_fence = :fence AND #lease_until > :now"
                + (
                    " AND (attribute_not_exists(#frozen) OR #frozen = :no)" if unless_frozen else ""
                ),
                values={
                    "recent": list(recent),
                    "owner": lock.owner,
                    "fence": lock.fence,
                    "now": epoch_milliseconds(now),
                }
                | ({"no": False} if unless_frozen else {}),
            ),
        )
        if marked:
            sent_at = unpack_moment(pack_moment(now))  # to the millisecond, as the item has it
            return replace(
                operation,
                state=State.SENT,
                sent_at=sent_at,
                sent_by=lock.owner,
                sent_amount=amount,
                may_send_again=False,
            )
        # A "no" may be the echo of our own first try whose reply was lost: the item tells.
        standing = self._table.get(key)
        if standing is None or standing["state"] != State.SENT:
            return None
        return _unpack(standing) if standing["sent_by"] == lock.owner else None

    def take_back_sent(self, operation: Operation, *, due_at: datetime) -> bool:
        """Back to CLAIMED, where it is certain that the debit did not run.

        Condition: the SENT mark is ours.
        """
        item = self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #state = :claimed, #due_at = :due REMOVE #sent_at, #sent_by",
            condition="#state = :sent AND #sent_by = :me",
            values={
                "claimed": State.CLAIMED,
                "sent": State.SENT,
                "me": operation.sent_by,
                "due": _due(due_at),
            },
        )
        return item is not None

    def take_back_unfound(self, operation: Operation, *, due_at: datetime) -> bool:
        """Back to CLAIMED, where a person had it tried again and it was looked for in vain.

        Condition: the SENT mark is the one that was looked for, and the person's word stands. It
        is good for one more sending.
        """
        item = self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #state = :claimed, #due_at = :due REMOVE #sent_at, #sent_by, #send_again",
            condition="#state = :sent AND #sent_by = :mark AND #send_again = :true",
            values={
                "claimed": State.CLAIMED,
                "sent": State.SENT,
                "mark": operation.sent_by,
                "true": True,
                "due": _due(due_at),
            },
        )
        return item is not None

    def reversal_begun(self, redemption: Operation, *, by: str) -> Change:
        """The redemption's part in claiming the operation `by`, which gives back more of it.

        Condition: it is as it was judged. No other operation was begun for it since, and nothing
        more was given back or credited back.
        """
        condition, values = _as_judged(redemption)
        return Change(
            OPERATION_PREFIX + redemption.key,
            "SET #reversal = :by",
            condition=condition,
            values={"by": by} | values,
        )

    def credited_back(self, redemption: Operation, *, minor: int) -> Change:
        """The redemption's part in deciding that what it took too often is given back, once.

        Condition: it is as it was judged, as for `reversal_begun`: either of the two is seen by
        whoever decides about the other.
        """
        condition, values = _as_judged(redemption)
        return Change(
            OPERATION_PREFIX + redemption.key,
            "SET #credited_back = :minor",
            condition=condition,
            values={"minor": redemption.credited_back + minor} | values,
        )

    def reversal_done(self, redemption_key: str, *, by: str, before: int, after: int) -> Change:
        """The redemption's part in committing that the operation `by` gave back some of it.

        `before` and `after` are what was given back in all, in minor units. Condition: it was
        `before`, and `by` is the operation that was begun last.
        """
        return Change(
            OPERATION_PREFIX + redemption_key,
            "SET #given_back = :after",
            condition=f"#reversal = :by AND {_given_back(before)}",
            values={"by": by, "before": before, "after": after},
        )

    def commit(
        self,
        operation: Operation,
        result: Result,
        *,
        due_at: datetime,
        also: Sequence[Change] = (),
    ) -> Operation:
        """Make the outcome final together with all that follows; return the operation that stands.

        Condition: the operation is in the state in which the result was judged, with the same SENT
        mark. Where it is not, somebody else was first or has to finish it, and his version is
        returned: look at its `result`. `also` are changes made at the same moment; raises
        `JournalConflict` where one of these is refused.
        """
        condition = "#state = :judged_in AND attribute_not_exists(#result)"
        values: dict[str, Any] = {
            "committed": State.COMMITTED,
            "open": OPEN_QUEUE,
            "judged_in": operation.state,
            "result": _pack_result(result),
            "due": _due(due_at),
        }
        if operation.sent_by is not None:
            condition += " AND #sent_by = :sent_by"
            values["sent_by"] = operation.sent_by
        change = "SET #state = :committed, #result = :result, #queue = :open, #due_at = :due"
        key = OPERATION_PREFIX + operation.key
        if not also:
            item = self._table.update(key, change, condition=condition, values=values)
            return self._standing(operation.key, item)
        is_done = self._table.update_together(Change(key, change, condition, values), *also)
        standing = self._standing(operation.key, None)
        has_moved = standing.state is not operation.state or standing.sent_by != operation.sent_by
        if not is_done and not has_moved:
            raise JournalConflict(
                f"{operation.key} cannot be finished: what it builds on is not as it was judged"
            )
        return standing

    def settle(self, operation: Operation, *, now: datetime) -> None:
        """Note that everything that follows was handed over.

        Condition: COMMITTED; a second time is harmless.
        """
        self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #state = :settled, #settled_at = :now REMOVE #queue, #due_at",
            condition="#state = :committed",
            values={
                "settled": State.SETTLED,
                "committed": State.COMMITTED,
                "now": pack_moment(now),
            },
        )

    def postpone(self, operation: Operation, *, due_at: datetime) -> None:
        """Look at an unfinished operation later. Condition: it has not moved since."""
        self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #due_at = :due",
            condition="#state = :state",
            values={"due": _due(due_at), "state": operation.state},
        )

    def mark_answered(self, operation: Operation, *, message_id: str, now: datetime) -> None:
        """Note that the mail was handed to SES; the first time stays."""
        self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #answered_at = :now, #message_id = :message_id",
            condition="attribute_exists(#key) AND attribute_not_exists(#answered_at)",
            values={"now": pack_moment(now), "message_id": message_id},
        )

    def hold(self, operation: Operation) -> Operation:
        """Let a claim wait for the office's word; return the operation that stands.

        Condition: CLAIMED. It stays unfinished until it is `set_aside`, once the store was told.
        """
        item = self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #state = :held",
            condition="#state = :claimed",
            values={"held": State.HELD, "claimed": State.CLAIMED},
        )
        return self._standing(operation.key, item)

    def set_aside(self, operation: Operation) -> None:
        """Nothing is left to do for a held operation but to wait. Condition: HELD."""
        self._table.update(
            OPERATION_PREFIX + operation.key,
            "REMOVE #queue, #due_at",
            condition="#state = :held",
            values={"held": State.HELD},
        )

    def release(self, operation: Operation, *, due_at: datetime) -> Operation:
        """The office's word is there: the claim goes on. Condition: HELD."""
        item = self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #state = :claimed, #queue = :open, #due_at = :due, #released = :true",
            condition="#state = :held",
            values={
                "true": True,
                "held": State.HELD,
                "claimed": State.CLAIMED,
                "open": OPEN_QUEUE,
                "due": _due(due_at),
            },
        )
        return self._standing(operation.key, item)

    def note_failure(self, operation: Operation, *, due_at: datetime) -> int:
        """Note that an operation could not be finished; return how often that was by now."""
        item = self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #due_at = :due ADD #failures :one",
            condition="attribute_not_exists(#result) AND attribute_exists(#due_at)",
            values={"due": _due(due_at), "one": 1},
        )
        return 0 if item is None else int(item["failures"])

    def note_key_version(self, operation: Operation, version: str) -> Operation:
        """Note by which key a card's code is worked out. Condition: none was noted before."""
        item = self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #key_version = :version",
            condition="#state = :claimed AND attribute_not_exists(#key_version)",
            values={"version": version, "claimed": State.CLAIMED},
        )
        return self._standing(operation.key, item)

    def next_counter(self, operation: Operation) -> Operation:
        """The code of this counter is somebody else's card: the next one is tried.

        Condition: the counter is the one that was tried, and there is no outcome.
        """
        item = self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #counter = :next",
            condition="#state = :claimed AND (attribute_not_exists(#counter) OR #counter = :tried)"
            if operation.counter == 0
            else "#state = :claimed AND #counter = :tried",
            values={
                "next": operation.counter + 1,
                "tried": operation.counter,
                "claimed": State.CLAIMED,
            },
        )
        return self._standing(operation.key, item)

    def note_progress(self, operation: Operation, *, made: int) -> bool:
        """Note how many cards of a sale are made; False where that many were noted before."""
        item = self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #progress = :made",
            condition="attribute_exists(#key)"
            " AND (attribute_not_exists(#progress) OR #progress < :made)",
            values={"made": made},
        )
        return item is not None

    def note_try(self, operation: Operation, *, due_at: datetime) -> int:
        """Note a delivery that failed, and when to try again; return how many did by now.

        Condition: CLAIMED.
        """
        item = self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #due_at = :due, #next_try_at = :next ADD #tries :one",
            condition="#state = :claimed",
            values={
                "due": _due(due_at),
                "next": pack_moment(due_at),
                "claimed": State.CLAIMED,
                "one": 1,
            },
        )
        return operation.tries if item is None else int(item["tries"])

    def park(self, operation: Operation, *, because: str, now: datetime) -> None:
        """Leave an operation to a person. Condition: it has not moved and has no outcome."""
        self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #state = :parked, #parked_in = :state, #parked_because = :because,"
            " #queue = :queue, #due_at = :now",
            condition="#state = :state AND attribute_not_exists(#result)",
            values={
                "parked": State.PARKED,
                "state": operation.state,
                "because": because,
                "queue": PARKED_QUEUE,
                "now": _due(now),
            },
        )

    def unpark(self, operation: Operation, *, due_at: datetime) -> Operation:
        """A person has decided to have it tried again: it goes on where it was parked.

        Condition: PARKED. Its failures are counted anew. What was parked SENT may be sent again,
        once, if its kind allows that and it is looked for in vain.
        """
        item = self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #state = :before, #queue = :open, #due_at = :due, #send_again = :again"
            " ADD #retrials :one"
            " REMOVE #failures, #tries, #next_try_at, #parked_in, #parked_because",
            condition="#state = :parked",
            values={
                "one": 1,
                "before": operation.parked_in,
                "again": operation.parked_in is State.SENT,
                "parked": State.PARKED,
                "open": OPEN_QUEUE,
                "due": _due(due_at),
            },
        )
        return self._standing(operation.key, item)

    def _standing(self, key: str, item: Item | None) -> Operation:
        """The operation after a write: as the write left it, or as somebody else did."""
        if item is None:
            item = self._table.get(OPERATION_PREFIX + key)
        if item is None:
            raise JournalConflict(f"{key} was deleted from the journal: nothing may do that")
        return _unpack(item)

    def note_written_again(self, operation: Operation, *, now: datetime) -> None:
        """Note that Airtable was asked once more to show a settled operation."""
        self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #written_again_at = :now",
            condition="attribute_exists(#key)",
            values={"now": pack_moment(now)},
        )

    def note_found(self, operation: Operation, *, run: str) -> None:
        """Note that a comparison of the books found again what it was left to a person for."""
        self._table.update(
            OPERATION_PREFIX + operation.key,
            "SET #found_in = :run",
            condition="attribute_exists(#key)",
            values={"run": run},
        )


def operations_in(items: Iterable[Item]) -> list[Operation]:
    """The operations that these items of the table are."""
    return [_unpack(item) for item in items]


def _as_judged(redemption: Operation) -> tuple[str, dict[str, Any]]:
    """The condition that what was given back of a redemption, and is to be, is as it was read."""
    values: dict[str, Any] = {"before": redemption.given_back}
    parts = [_given_back(redemption.given_back)]
    if redemption.reversal is None:
        parts.append("attribute_not_exists(#reversal)")
    else:
        parts.append("#reversal = :last")
        values["last"] = redemption.reversal
    if redemption.credited_back:
        parts.append("#credited_back = :credited")
        values["credited"] = redemption.credited_back
    else:
        parts.append("attribute_not_exists(#credited_back)")
    return " AND ".join(parts), values


def _given_back(minor: int) -> str:
    """The condition that so much of a redemption was given back, `minor` being `:before`."""
    return (
        "#given_back = :before"
        if minor
        else "(attribute_not_exists(#given_back) OR #given_back = :before)"
    )


def _due(moment: datetime) -> int:
    return int(moment.timestamp())


def _new_item(key: str, *, kind: str, snapshot: Mapping[str, Any], now: datetime) -> Item:
    return {
        "key": OPERATION_PREFIX + key,
        "kind": kind,
        "claimed_at": pack_moment(now),
        "snapshot": dict(snapshot),
    }


def _unpack(item: Item) -> Operation:
    sent_at, answered_at, settled_at, written_again_at, next_try_at = (
        unpack_moment(item[name]) if name in item else None
        for name in ("sent_at", "answered_at", "settled_at", "written_again_at", "next_try_at")
    )
    return Operation(
        key=str(item["key"]).removeprefix(OPERATION_PREFIX),
        kind=item["kind"],
        state=State(item["state"]),
        claimed_at=unpack_moment(item["claimed_at"]),
        snapshot=item["snapshot"],
        sent_at=sent_at,
        sent_by=item.get("sent_by"),
        sent_amount=unpack_money(item.get("sent_amount")),
        may_send_again=item.get("send_again", False),
        reversal=item.get("reversal"),
        given_back=int(item.get("given_back", 0)),
        credited_back=int(item.get("credited_back", 0)),
        result=_unpack_result(item["result"]) if "result" in item else None,
        answered_at=answered_at,
        settled_at=settled_at,
        written_again_at=written_again_at,
        failures=int(item.get("failures", 0)),
        tries=int(item.get("tries", 0)),
        next_try_at=next_try_at,
        retrials=int(item.get("retrials", 0)),
        counter=int(item.get("counter", 0)),
        key_version=item.get("key_version"),
        progress=int(item.get("progress", 0)),
        is_released=item.get("released", False),
        parked_in=State(item["parked_in"]) if "parked_in" in item else None,
        parked_because=item.get("parked_because"),
        found_in=item.get("found_in"),
    )


def _pack_result(result: Result) -> Item:
    return {
        "outcome": result.outcome,
        "decided_at": pack_moment(result.decided_at),
        "balance": pack_money(result.balance),
        "transaction_id": result.transaction_id,
        "reason": result.reason,
        "receipts": [_pack_receipt(receipt) for receipt in result.receipts],
        "row": _pack_row(result.row),
        "mail_to": result.mail_to,
        "moved_card": result.moved_card,
        "moved": pack_money(result.moved),
        "order_row": _pack_order_row(result.order_row),
        "purchase": result.purchase,
        "follows": [_pack_next(one) for one in result.follows],
    }


def _unpack_result(item: Item) -> Result:
    return Result(
        outcome=item["outcome"],
        decided_at=unpack_moment(item["decided_at"]),
        balance=unpack_money(item["balance"]),
        transaction_id=item["transaction_id"],
        reason=item["reason"],
        receipts=tuple(map(_unpack_receipt, item["receipts"])),
        row=_unpack_row(item["row"]),
        mail_to=item["mail_to"],
        moved_card=item["moved_card"],
        moved=unpack_money(item.get("moved")),
        order_row=_unpack_order_row(item.get("order_row")),
        purchase=item.get("purchase"),
        follows=tuple(map(_unpack_next, item.get("follows", ()))),
    )


def _pack_next(one: Next) -> Item:
    return {
        "key": one.key,
        "kind": one.kind,
        "snapshot": dict(one.snapshot),
        "due_at": pack_moment(one.due_at),
    }


def _unpack_next(item: Item) -> Next:
    return Next(
        key=item["key"],
        kind=item["kind"],
        snapshot=item["snapshot"],
        due_at=unpack_moment(item["due_at"]),
    )


def _pack_row(row: RowWrite | None) -> Item | None:
    if row is None:
        return None
    return {
        "table": row.table,
        "record_id": row.record_id,
        "cells": dict(row.cells),
        "link_field": row.link_field,
        "cards": list(row.cards),
    }


def _unpack_row(item: Item | None) -> RowWrite | None:
    if item is None:
        return None
    return RowWrite(
        table=item["table"],
        record_id=item["record_id"],
        cells=item["cells"],
        link_field=item["link_field"],
        cards=tuple(item["cards"]),
    )


def _pack_order_row(row: OrderRow | None) -> Item | None:
    if row is None:
        return None
    return {"name": row.name, "cells": dict(row.cells), "cards": list(row.cards)}


def _unpack_order_row(item: Item | None) -> OrderRow | None:
    if item is None:
        return None
    return OrderRow(name=item["name"], cells=item["cells"], cards=tuple(item["cards"]))


def _pack_receipt(receipt: Receipt) -> Item:
    return {
        "id": receipt.id,
        "at": pack_moment(receipt.at),
        "action": receipt.action,
        "actor": receipt.actor,
        "card": receipt.card,
        "amount": pack_money(receipt.amount),
        "balance_after": pack_money(receipt.balance_after),
        "outcome": receipt.outcome,
        "operation": receipt.operation,
        "details": receipt.details,
    }


def _unpack_receipt(item: Item) -> Receipt:
    return Receipt(
        id=item["id"],
        at=unpack_moment(item["at"]),
        action=Action(item["action"]),
        actor=item["actor"],
        card=item["card"],
        amount=unpack_money(item["amount"]),
        balance_after=unpack_money(item["balance_after"]),
        outcome=ReceiptOutcome(item["outcome"]),
        operation=item["operation"],
        details=item["details"],
    )
