"""Write Airtable: rows, receipts, cards, links and status. Nobody else writes there but people.

    "this operation" ─► outcome, mask and message of its row, in a group of its own
    "its records"    ─► receipts; rows about orders; the card's row, then the links that need it
    "these cards"    ─► the cards' rows
    "this prong"     ─► the prong's status
    "these, again"   ─► what an earlier request may have spoilt (`store/rewrites.py`)

A message says what to look at; what to write stands in the journal. Whatever of our own records
cannot be written holds up neither the rows nor the other kinds of records. Everything may be
written twice: rows by their id, records of our own by the id we remember.

What a message names that comes again may be carried out by Airtable late, over something newer: it
is noted before it is written, and written once more when nothing can be under way any more. A
prong's status is written every ten minutes anyway; a receipt is written once and never changed; and
the office's tick on a card that was sent again is taken away once, because the next tick is a new
wish.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, Self

from aws_lambda_powertools import Logger

from giftcards.clients.airtable import (
    CARD_IS_ACTIVE,
    CARD_IS_DISABLED,
    CARD_IS_FROZEN,
    PRONG_IS_FAILING,
    PRONG_IS_WELL,
    ROW_IS_IN_PROGRESS,
    Airtable,
)
from giftcards.clients.shopify import Shopify
from giftcards.domain.cards import Card
from giftcards.domain.codes import mask
from giftcards.errors import GiftCardError, NeedsAPerson, Unconfirmed
from giftcards.flows.kinds import HELD_REVERSAL, REFUSED_REVERSAL, REVERSAL
from giftcards.flows.messages import CAME_AGAIN
from giftcards.flows.receipt_row import due_receipts, receipt_cells
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.flows.redeem import operation_key as redemption_key
from giftcards.flows.reversal import Reversal
from giftcards.flows.sale import (
    CHECK,
    CONFIRMATION,
    DELIVERY,
    GIVEN_UP_KIND,
    RESEND,
    SALE,
    Sale,
    delivery_key,
    sale_key,
)
from giftcards.store.cards import About, Cards, MirrorState
from giftcards.store.control import Control, ProngState
from giftcards.store.journal import Journal, Operation, OrderRow, RowWrite
from giftcards.store.queues import OUTCOMES_GROUP
from giftcards.store.records import Records
from giftcards.store.rewrites import CARD, ORDER, ROW, Rewrites
from giftcards.store.table import pack_moment

# What of a row is a later operation's word: of a sale whose cards were delivered, and of a
# redemption that was given back.
LATER_CELLS = {SALE: {"Message"}, REDEMPTION: {"Message", "Balance After"}}

# What these say of a row, nobody says better later.
LAST_WORDS = {DELIVERY, CONFIRMATION, CHECK, HELD_REVERSAL, REFUSED_REVERSAL}

# What a row of a shop's base may lack.
MAY_LACK = {"Reversed"}

# How long a worker may write, as in the template: so long after it began, its last request is sent.
WRITER_SECONDS = 60

# Where both groups come in one batch, what rows should read is written first.
FIRST_GROUP = OUTCOMES_GROUP

GIFT_CARDS = "Gift Cards"
ORDERS = "Processed Orders"
RECEIPTS = "Receipts"
STATUS = "Status"

# The field by which a record of ours is found again when Airtable's reply to its creation was lost.
NAMED_BY = {
    GIFT_CARDS: "Shopify ID",
    ORDERS: "Order ID",
    RECEIPTS: "Receipt",
    STATUS: "Prong",
}

# `Source` of a card that none of our sales made.
MADE_BY_SHOPIFY = "Shopify"

# The field of a row about an order that points to the rows of its cards.
CARDS_OF_AN_ORDER = "Gift Cards"


class PurchaseRows(Protocol):
    """Tells how the row of an order that sold cards should read, as the journal has it now."""

    def of(self, number: str) -> OrderRow | None:
        """The row of the order of that number; `None` where there is nothing to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What the messages of a batch name, each once.

    `again` are things as `Rewrites` names them. `late` is what messages name that came before:
    things, and by their bare keys the operations whose rows are to be written.
    """

    operations: list[str]
    records: list[str]
    cards: list[str]
    prongs: list[str]
    again: list[str]
    late: frozenset[str]

    @classmethod
    def of(cls, messages: Sequence[Mapping[str, Any]]) -> Self:
        """What these messages name."""
        late: set[str] = set()
        for message in messages:
            if message.get(CAME_AGAIN, False):
                late |= {str(message["operation"])} if "operation" in message else set()
                late |= {ORDER + str(key) for key in message.get("records", ())}
                late |= {CARD + str(card_id) for card_id in message.get("cards", ())}
                late |= {str(thing) for thing in message.get("again", ())}
        return cls(
            operations=_unique([str(m["operation"]) for m in messages if "operation" in m]),
            records=_unique([str(key) for m in messages for key in m.get("records", ())]),
            cards=_unique([str(card_id) for m in messages for card_id in m.get("cards", ())]),
            prongs=_unique([str(m["prong"]) for m in messages if "prong" in m]),
            again=_unique([str(thing) for m in messages for thing in m.get("again", ())]),
            late=frozenset(late),
        )

    def is_late(self, kind: str, name: str) -> bool:
        """Whether a message names it that came before."""
        return kind + name in self.late


@dataclass(frozen=True, kw_only=True)
class WriteAirtable:
    """Brings Airtable up to date with the journal and with Shopify's balances."""

    outcomes: Airtable
    airtable: Airtable
    shopify: Shopify
    journal: Journal
    cards: Cards
    records: Records
    rewrites: Rewrites
    control: Control
    purchase_rows: PurchaseRows
    logger: Logger
    clock: Callable[[], datetime]
    late_for: timedelta

    def write(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Write what these messages name, in as few calls as Airtable's ten records allow.

        Raises the first trouble, after all that can be written was.
        """
        batch = Batch.of(messages)
        standing = self.rewrites.standing(batch.again)
        recorded = self._load(_unique([*_named(ORDER, standing), *batch.records]))
        cards = _unique([*_named(CARD, standing), *batch.cards])
        self._note_late(batch, recorded, cards)
        orders: dict[str, OrderRow] = {}
        trouble: GiftCardError | None = None
        writes: Sequence[Callable[[], None]] = (
            lambda: self._show_outcomes(batch, standing),
            lambda: self._write_receipts(recorded),
            lambda: orders.update(self._order_rows(recorded)),
            lambda: self._write_orders(orders),
            lambda: self._show_cards(recorded, orders, also=cards),
            lambda: self._write_status(batch.prongs),
        )
        for write in writes:
            try:
                write()
            except GiftCardError as error:
                # What may yet be carried out has to come again, so that it is noted as late.
                if trouble is None or isinstance(error, Unconfirmed):
                    trouble = error
        # Another worker may take this group next, and begins at once.
        self.outcomes.rest()
        self.airtable.rest()
        if trouble is not None:
            raise trouble
        for thing in standing:
            self.rewrites.forget(thing, now=self.clock())

    def _note_late(
        self, batch: "Batch", recorded: Sequence[Operation], cards: Sequence[str]
    ) -> None:
        """Of messages that came again, have the rows of orders and cards written once more."""
        results = {one.key: one.result for one in recorded if one.result is not None}
        for key, result in results.items():
            if not batch.is_late(ORDER, key):
                continue
            if result.order_row is not None or result.purchase is not None:
                self.rewrites.note(ORDER + key, due_at=self._once_settled())
            if result.moved_card is not None:
                self.rewrites.note(CARD + result.moved_card, due_at=self._once_settled())
        for card_id in cards:
            if batch.is_late(CARD, card_id):
                self.rewrites.note(CARD + card_id, due_at=self._once_settled())

    def _once_settled(self) -> datetime:
        """When nothing that was sent before now, or by this worker, can be carried out any more."""
        return self.clock() + self.late_for

    def _show_outcomes(self, batch: "Batch", standing: Mapping[str, Sequence[str]]) -> None:
        """Write what rows should read; a resend counts as done once its tick is gone."""
        earlier = [key for row in _named(ROW, standing) for key in standing[ROW + row]]
        operations = self._load(_unique([*earlier, *batch.operations]))
        rows = self._rows(operations)
        self._note_late_rows(rows, batch)
        self._write_rows([row for _, row in rows])
        for operation in operations:
            if operation.kind == RESEND and operation.result is not None:
                told = operation.snapshot
                self.cards.note_resent(told["card"], number=int(told["resend"]))

    def _note_late_rows(self, rows: Sequence[tuple[str, RowWrite]], batch: "Batch") -> None:
        """Have rows written once more of which a message came again, with all their words.

        Where a row is noted, what is written to it now comes behind what was written before.
        """
        written: dict[str, list[str]] = {}
        for key, row in rows:
            if row.table != GIFT_CARDS:
                written.setdefault(ROW + row.record_id, []).append(key)
        standing = self.rewrites.standing(written)
        for thing, keys in written.items():
            is_late = thing in batch.late or any(batch.is_late("", key) for key in keys)
            if not is_late and thing not in standing:
                continue
            before = standing.get(thing, ())
            after = (*(key for key in before if key not in keys), *keys)
            if is_late or after != before:
                due_at = self._once_settled() if is_late else None
                self.rewrites.note(thing, due_at=due_at, operations=after)

    def _order_rows(self, operations: Sequence[Operation]) -> dict[str, OrderRow]:
        """How rows about orders should read, by their names; the last word about one counts.

        What an order sold is read anew for each: several operations may have changed it.
        """
        results = [op.result for op in operations if op.result is not None]
        rows = [result.order_row for result in results if result.order_row is not None]
        for number in dict.fromkeys(r.purchase for r in results if r.purchase is not None):
            row = self.purchase_rows.of(number)
            if row is not None:
                rows.append(row)
        return {row.name: row for row in rows}

    def _write_orders(self, orders: Mapping[str, OrderRow]) -> None:
        """Write rows about orders, without their links: a link may have to wait."""
        if orders and self.airtable.has_table(ORDERS):
            name = NAMED_BY[ORDERS]
            self._put(ORDERS, {row.name: {name: row.name, **row.cells} for row in orders.values()})

    def _show_cards(
        self,
        operations: Sequence[Operation],
        orders: Mapping[str, OrderRow],
        *,
        also: Sequence[str],
    ) -> None:
        """Mirror the cards that moved, and `also` those; then link the rows to their cards."""
        results = [op.result for op in operations if op.result is not None]
        rows = [result.row for result in results if result.row is not None]
        of_rows = [row.cards for row in rows] + [row.cards for row in orders.values()]
        linked = dict.fromkeys(card_id for cards in of_rows for card_id in cards)
        known = self.records.known(GIFT_CARDS, linked)
        to_make = [card_id for card_id in linked if known.get(card_id) is None]
        moved = dict.fromkeys(r.moved_card for r in results if r.moved_card is not None)
        self._mirror_cards(list(moved), also=[*also, *to_make])
        self._link_cards([*rows, *self._rows_about(orders)])

    def _rows_about(self, orders: Mapping[str, OrderRow]) -> list[RowWrite]:
        """The rows about orders that have a record by now, as rows with links to cards."""
        if not orders or not self.airtable.has_table(ORDERS):
            return []
        return [
            RowWrite(
                table=ORDERS,
                record_id=record_id,
                cells={},
                link_field=CARDS_OF_AN_ORDER,
                cards=orders[name].cards,
            )
            for name, record_id in self.records.known(ORDERS, orders).items()
            if record_id is not None
        ]

    def _load(self, keys: Sequence[str]) -> list[Operation]:
        operations = self.journal.load_many(keys)
        missing = [key for key in keys if key not in operations]
        if missing:
            raise NeedsAPerson(f"not in the journal: {', '.join(missing)}")
        return [operations[key] for key in keys]

    def _rows(self, operations: Sequence[Operation]) -> list[tuple[str, RowWrite]]:
        """What rows should read, and by whose word.

        A word about a row that comes after a later one is dropped.
        """
        later = self.journal.load_many(key for op in operations for key in _later_keys(op))
        rows = []
        for operation in operations:
            key = operation.key
            if operation.kind == SALE and operation.result is None:
                # A store's: nobody sends for us for a web sale.
                rows.append((key, _progress(operation)))
            if operation.result is None or operation.result.row is None:
                continue
            row = operation.result.row
            known = [later[key] for key in _later_keys(operation) if key in later]
            if not _is_overtaken(operation, known):
                rows.append((key, row))
            elif operation.kind in LATER_CELLS:
                of_later = LATER_CELLS[operation.kind]
                cells = {name: cell for name, cell in row.cells.items() if name not in of_later}
                rows.append((key, replace(row, cells=cells)))
        return rows

    def _write_rows(self, rows: Sequence[RowWrite]) -> None:
        """Outcome, mask and message of the rows, without their links: a link may have to wait."""
        by_table: dict[str, dict[str, Mapping[str, object]]] = {}
        for row in rows:
            changes = by_table.setdefault(row.table, {})
            cells = {
                name: cell
                for name, cell in row.cells.items()
                if name not in MAY_LACK or self.outcomes.has_field(row.table, name)
            }
            changes[row.record_id] = dict(changes.get(row.record_id, {})) | cells
        for table, changes in by_table.items():
            self._update(table, changes, through=self.outcomes)

    def _update(
        self,
        table: str,
        changes: Mapping[str, Mapping[str, object]],
        *,
        through: Airtable | None = None,
    ) -> set[str]:
        """Update rows; return those that Airtable no longer has. They hold nobody up."""
        if not changes:
            return set()
        report = (through or self.airtable).update_rows(table, changes)
        if report.missing_rows:
            self.logger.warning(
                "rows were deleted in Airtable",
                extra={"table": table, "rows": sorted(report.missing_rows)},
            )
        if report.missing_fields:
            self.logger.error(
                "fields are missing in Airtable: add them again and run `ops resume`",
                extra={"table": table, "fields": sorted(report.missing_fields)},
            )
        if report.refused_choices:
            self.logger.error(
                "single selects in Airtable lack one of our words: add it as a choice",
                extra={"table": table, "fields": sorted(report.refused_choices)},
            )
        return set(report.missing_rows)

    def _write_receipts(self, operations: Sequence[Operation]) -> None:
        """Receipts are written once and never changed, so one that has a record is left alone."""
        due = {
            receipt.id: receipt_cells(receipt, waited)
            for operation in operations
            for receipt, waited in due_receipts(operation)
        }
        known = self.records.known(RECEIPTS, due)
        fresh = {name: cells for name, cells in due.items() if known.get(name) is None}
        self._create(RECEIPTS, fresh, begun={name for name in known if name in fresh})

    def _create(
        self, table: str, rows: Mapping[str, Mapping[str, object]], *, begun: set[str]
    ) -> dict[str, str]:
        """Create rows by our names for them, each once; return their record ids by name.

        `begun` are the names whose creation was begun before, with its reply lost.
        """
        made: dict[str, str] = {}
        if begun:
            found = self.airtable.find_rows(table, NAMED_BY[table], sorted(begun))
            made = {name: record_ids[0] for name, record_ids in found.items() if record_ids}
        to_make = [name for name in rows if name not in made]
        for name in to_make:
            self.records.note_intention(table, name)
        if to_make:
            record_ids = self.airtable.create_rows(table, [rows[name] for name in to_make])
            made |= dict(zip(to_make, record_ids, strict=True))
        for name, record_id in made.items():
            self.records.remember(table, name, record_id=record_id)
        return made

    def _put(self, table: str, rows: Mapping[str, Mapping[str, object]]) -> None:
        """Create or update rows by our names for them."""
        known = self.records.known(table, rows)
        begun = {name for name, record_id in known.items() if record_id is None}
        fresh = {name: cells for name, cells in rows.items() if known.get(name) is None}
        made = self._create(table, fresh, begun=begun)
        there = {name: record_id for name, record_id in known.items() if record_id is not None}
        there |= {name: made[name] for name in begun}  # found again: written before, maybe older
        gone = self._update(table, {record_id: rows[name] for name, record_id in there.items()})
        # Somebody deleted a record of ours: it is made anew.
        lost = {name: record_id for name, record_id in there.items() if record_id in gone}
        # Else a reply that is lost now would leave the old id, and a second record be made.
        begun = {
            name
            for name, record_id in lost.items()
            if not self.records.begin_anew(table, name, gone=record_id)
        }
        self._create(table, {name: rows[name] for name in lost}, begun=begun)

    def _mirror_cards(self, card_ids: Sequence[str], *, also: Sequence[str] = ()) -> None:
        """Show the balances of cards that moved, as Shopify has them now, and `also` those others.

        How often a card moved is noted before its balance is read. If it moves meanwhile, `synced`
        stays behind `wanted`, and the message of that move mirrors it once more.
        """
        states = self.cards.mirror_states(dict.fromkeys([*card_ids, *also]))
        known = {state.card_id for state in states}
        # A card of which we have noted nothing yet, and that a row is about.
        states += [MirrorState(one, wanted=0, synced=0) for one in also if one not in known]
        due = [state for state in states if state.is_behind or state.card_id in also]
        if not due:
            return
        read = self.shopify.read_cards([state.card_id for state in due])
        about = self.cards.about(read)
        frozen = self.cards.frozen(read)
        now = self.clock()
        self._put(
            GIFT_CARDS,
            {
                card.id: self._card_cells(
                    card, about.get(card.id), now, is_frozen=card.id in frozen
                )
                for card in read.values()
            },
        )
        for state in due:
            self._note_mirrored(state, read)

    def _card_cells(
        self, card: Card, about: About | None, now: datetime, *, is_frozen: bool
    ) -> dict[str, object]:
        cells = _card_cells(card, now, is_frozen=is_frozen)
        known = {"Source": MADE_BY_SHOPIFY} if about is None else _about_cells(about)
        return cells | {
            name: cell for name, cell in known.items() if self.airtable.has_field(GIFT_CARDS, name)
        }

    def _note_mirrored(self, state: MirrorState, read: Mapping[str, Card]) -> None:
        if state.card_id not in read:
            self.logger.error("Shopify has no such card", extra={"card": state.card_id})
        card = read.get(state.card_id)
        self.cards.note_mirrored(state, shown=None if card is None else card.balance)

    def _link_cards(self, rows: Sequence[RowWrite]) -> None:
        """Link rows to their cards' rows, which are there by now."""
        linking = [row for row in rows if row.link_field is not None and row.cards]
        known = self.records.known(GIFT_CARDS, {card for row in linking for card in row.cards})
        by_table: dict[str, dict[str, dict[str, object]]] = {}
        for row in linking:
            record_ids = [record_id for card in row.cards if (record_id := known.get(card))]
            if record_ids:
                cells: dict[str, object] = {str(row.link_field): record_ids}
                by_table.setdefault(row.table, {})[row.record_id] = cells
        for table, changes in by_table.items():
            self._update(table, changes)

    def _write_status(self, prongs: Sequence[str]) -> None:
        states = [state for prong in prongs if (state := self.control.prong(prong)) is not None]
        if states:
            self._put(STATUS, {state.prong: _status_cells(state) for state in states})


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _named(kind: str, things: Iterable[str]) -> list[str]:
    """The ids of those things that are of this kind."""
    return [thing.removeprefix(kind) for thing in things if thing.startswith(kind)]


def _later_keys(operation: Operation) -> list[str]:
    """The operations whose word about the same row is a later one than this operation's."""
    row_id = operation.snapshot.get("row_id")
    if row_id is None or operation.kind in LAST_WORDS:
        return []
    if operation.kind == REDEMPTION:
        return [] if operation.reversal is None else [operation.reversal]
    if operation.kind == REVERSAL:
        return [redemption_key(row_id)]
    if operation.kind == SALE:
        return [delivery_key(row_id)]
    if operation.kind == GIVEN_UP_KIND:  # a person had it tried again, and then it worked
        return [operation.snapshot["operation"]]
    return [redemption_key(row_id), sale_key(row_id)]


def _is_overtaken(operation: Operation, known: Sequence[Operation]) -> bool:
    """Whether one of those that may have a later word has it."""
    if operation.kind == REVERSAL:  # more of the redemption was given back since
        total = Reversal.of(operation).total
        return any(redemption.given_back > total.minor for redemption in known)
    if operation.kind == REDEMPTION and operation.given_back:
        return True
    return any(one.result is not None or one.kind == SALE for one in known)


def _progress(operation: Operation) -> RowWrite:
    """A sale whose cards are being made."""
    sale = Sale.of(operation)
    return RowWrite(
        table="Creation Requests",
        record_id=sale.row_id,
        cells={
            "Status": ROW_IS_IN_PROGRESS,
            "Message": f"{operation.progress} of {sale.quantity} cards are made.",
        },
    )


def _about_cells(about: About) -> dict[str, object]:
    cells: dict[str, object] = {
        "Owner": about.owner,
        "Owner Email": about.owner_email,
        "Source": about.source,
        "Theme": about.theme,
        "Kind": about.kind,
    }
    if about.store_id:  # the web shop is none of the stores
        cells["Store"] = [about.store_id]
    return cells


def _card_cells(card: Card, now: datetime, *, is_frozen: bool) -> dict[str, object]:
    status = CARD_IS_FROZEN if is_frozen else CARD_IS_ACTIVE
    if card.deactivated_at or not card.enabled:  # for ever, and so the stronger word
        status = CARD_IS_DISABLED
    cells: dict[str, object] = {
        "Card": mask(card.last4),
        "Shopify ID": card.id,
        "Balance": card.balance.decimal(),
        "Initial Value": card.initial_value.decimal(),
        "Currency": card.balance.currency,
        "Status": status,
        "Issued At": pack_moment(card.created_at),
        "Last Synced": pack_moment(now),
    }
    if card.expires_on is not None:
        cells["Expires On"] = card.expires_on.isoformat()
    return cells


def _status_cells(state: ProngState) -> dict[str, object]:
    cells: dict[str, object] = {
        "Prong": state.prong,
        "State": PRONG_IS_FAILING if state.is_failing else PRONG_IS_WELL,
        "Since": pack_moment(state.since),
    }
    if state.last_finished is not None:
        cells["Last Finished"] = pack_moment(state.last_finished)
    if state.last_error is not None:
        cells["Last Error"] = state.last_error
    if state.summary is not None:
        cells["Summary"] = state.summary
    return cells
