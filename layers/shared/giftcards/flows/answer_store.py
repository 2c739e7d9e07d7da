"""Answer a store: mail it the outcome of its request, once the outcome is final."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from giftcards.clients.mail import Mailer
from giftcards.domain.codes import mask
from giftcards.errors import NeedsAPerson, NotSent
from giftcards.flows.compose_answer import compose_answer
from giftcards.flows.redeem import HELD_KIND, Asked, held_key
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.flows.redeem import operation_key as operation_key_of
from giftcards.flows.sale import HELD_SALE_KIND, sale_key
from giftcards.flows.serve_stores import INTERIM_KIND, interim_key
from giftcards.mails import Interim, Mail, compose_interim
from giftcards.store.journal import Journal, Operation, Result
from giftcards.store.leases import Leases
from giftcards.store.queues import Queues
from giftcards.store.table import unpack_moment, unpack_money

# The lease under which mails about one row are sent one after the other.
ANSWERING_PREFIX = "answering#"

# What stands for the message id of a mail that was not sent because a later word was there first.
DROPPED = "dropped: the answer was there first"


@dataclass(frozen=True, kw_only=True)
class AnswerStore:
    """Mails what an operation came to; an operation that was answered is not answered again.

    SES takes no token that would make a second sending of the same mail harmless. A worker that
    dies between SES and our note sends the same answer twice: better than never.

    A word that is not the last must not arrive after a later one: "please wait" after "held" or the
    answer, "held" after the answer. Where there are several for one row, each is sent under the
    row's own lease, and looks for a later one once it has it.
    """

    journal: Journal
    leases: Leases
    mailer: Mailer
    queues: Queues
    clock: Callable[[], datetime]
    note_waited: Callable[[float], None]

    def answer(self, operation_key: str) -> None:
        """Mail the outcome of the operation, unless that was done before."""
        operation = self.journal.load(operation_key)
        if operation is None or operation.result is None:
            raise NeedsAPerson(f"{operation_key} has no outcome in the journal to be mailed")
        result = operation.result
        if result.mail_to is None:
            return
        if operation.answered_at is not None:
            # Whoever sent it may have died before he sent for the writer.
            self.queues.write_records(operation.key)
            return
        if operation.kind == INTERIM_KIND:
            self._in_turn(
                operation.snapshot["row_id"], lambda: self._ask_to_wait(operation, result)
            )
        elif operation.kind == HELD_KIND:
            self._in_turn(
                operation.snapshot["row_id"], lambda: self._tell_of_hold(operation, result)
            )
        elif operation.kind == HELD_SALE_KIND:
            self._tell_of_held_sale(operation, result)
        elif operation.kind == REDEMPTION:
            self._answer_row(operation, result)
        else:
            self._send(operation, self._compose(operation, result))

    def _answer_row(self, operation: Operation, result: Result) -> None:
        row_id = operation.snapshot["row_id"]
        if not self.journal.load_many([interim_key(row_id), held_key(row_id)]):
            # No earlier word exists; one that is written from now on finds this outcome.
            self._send(operation, self._compose(operation, result))
        else:
            self._in_turn(row_id, lambda: self._send(operation, self._compose(operation, result)))
        if operation.kind == HELD_KIND:
            return
        waited = self.clock() - Asked.unpack(operation.snapshot).row_created_at
        self.note_waited(waited.total_seconds())
        # The receipt says how long the store waited, so it is written from here.
        self.queues.write_records(operation.key)

    def _in_turn(self, row_id: str, send: Callable[[], None]) -> None:
        """Send while nobody else sends for this row."""
        lease = self.leases.acquire(f"{ANSWERING_PREFIX}{row_id}", now=self.clock())
        if lease is None:
            raise NotSent(f"another mail about row {row_id} is on its way")
        try:
            send()
        finally:
            self.leases.release(lease)

    def _ask_to_wait(self, interim: Operation, result: Result) -> None:
        row_id = interim.snapshot["row_id"]
        asked = self.journal.load(operation_key_of(row_id))
        held = self.journal.load(held_key(row_id))
        is_answered = asked is not None and asked.result is not None
        # A hold of before was lifted by the office; then the store may well be asked to wait.
        is_held = held is not None and held.claimed_at >= result.decided_at
        if is_answered or is_held:
            self.journal.mark_answered(interim, message_id=DROPPED, now=self.clock())
            return
        store, last4 = interim.snapshot["store"], interim.snapshot["last4"]
        mail = compose_interim(
            Interim(
                store_name=store["name"],
                employee=interim.snapshot["employee"],
                masked_card=None if last4 is None else mask(last4),
                amount=unpack_money(interim.snapshot["amount"]),
                reference=operation_key_of(row_id),
                asked_at=unpack_moment(interim.snapshot["row_created_at"]),
                told_at=self.clock(),
                time_zone=interim.snapshot["time_zone"],
            ),
            to=store["email"],
        )
        self._send(interim, mail)

    def _tell_of_hold(self, held: Operation, result: Result) -> None:
        asked = self.journal.load(operation_key_of(held.snapshot["row_id"]))
        if asked is not None and asked.result is not None:
            self.journal.mark_answered(held, message_id=DROPPED, now=self.clock())
            return
        self._send(held, self._compose(held, result))

    def _tell_of_held_sale(self, held: Operation, result: Result) -> None:
        """Told unless the office has approved it by now: the sale's own mail comes, or came."""
        if self.journal.load(sale_key(held.snapshot["row_id"])) is not None:
            self.journal.mark_answered(held, message_id=DROPPED, now=self.clock())
            return
        self._send(held, self._compose(held, result))

    def _send(self, operation: Operation, mail: Mail) -> None:
        message_id = self.mailer.send(mail, operation=operation.key)
        self.journal.mark_answered(operation, message_id=message_id, now=self.clock())

    def _compose(self, operation: Operation, result: Result) -> Mail:
        return compose_answer(operation, result, journal=self.journal, now=self.clock())
