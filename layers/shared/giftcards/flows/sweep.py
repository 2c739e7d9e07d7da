"""Sweep: finish what a crash left half done.

The prong sees a half-done redemption again while its row still waits in Airtable. The sweep sees it
whatever happened to the row, and hands over what an outcome still owes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from giftcards.errors import TryAgain, VendorSurprise
from giftcards.flows.digest import Digest
from giftcards.flows.follow_up import FollowUp, one_off_of
from giftcards.flows.kinds import DRIFT, GIVEN_BACK, OWED, SPEND, UNREAD_ORDER
from giftcards.flows.look_at_cards import LookAtCards
from giftcards.flows.note_payments import NotePayments
from giftcards.flows.park import Park
from giftcards.flows.reconcile.putting_right import PuttingRight
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.flows.redeem import Redeem
from giftcards.flows.tell_of_changes import TellOfChanges
from giftcards.store.control import Control
from giftcards.store.journal import Journal, Operation, State
from giftcards.store.queues import Queues
from giftcards.store.rewrites import ROW, Rewrites

# More than this is not what crashes leave behind but an outage; the next sweep takes the next ones.
OPERATIONS_PER_SWEEP = 50

# What one message of SQS holds easily, and the writer writes within its time at Airtable's pace.
REWRITES_PER_SWEEP = 50

# About two sweeps.
LOOK_LATER_SECONDS = 200


# Less than a sweep, so that the next one takes up what this one died of, behind all the others.
AFTER_A_DEATH_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Goes on with every unfinished operation whose time has come."""

    journal: Journal
    control: Control
    follow_up: FollowUp
    redeem: Callable[[], Redeem]
    payments: Callable[[], NotePayments]
    looks: Callable[[], LookAtCards]
    putting_right: Callable[[], PuttingRight]
    logger: Logger
    clock: Callable[[], datetime]
    park: Park
    queues: Queues
    rewrites: Rewrites
    digest: Digest
    changes: TellOfChanges
    http_timeout_seconds: int

    def run(self, deadline: datetime) -> int:
        """Finish what can be finished before `deadline`; return how many operations moved on.

        While the system is paused no new debit is sent; what was sent or decided before is still
        found out, answered and written.
        """
        finished = 0
        trouble: Exception | None = None
        running = self.control.switch().is_running
        reserve = timedelta(seconds=self.http_timeout_seconds)
        for operation in self.journal.due(now=self.clock(), limit=OPERATIONS_PER_SWEEP):
            if self.clock() + reserve >= deadline:
                break  # what is begun now could be cut off within one call of a vendor
            if operation.state is State.CLAIMED and not running:
                self._look_later(operation)
                continue
            # Before the work: what kills this worker must not stand in front of all others again.
            self._look_later(operation, seconds=AFTER_A_DEATH_SECONDS)
            try:
                self._finish(operation, deadline)
            except TryAgain as error:
                self.logger.warning(
                    "an operation waits for the next sweep",
                    extra={"operation": operation.key, "reason": str(error)},
                )
                self._look_later(operation)
            except Exception as error:  # the outer loop: other operations go on
                self.logger.exception(
                    "an operation cannot be finished", extra={"operation": operation.key}
                )
                self._look_later(operation)
                trouble = trouble or error
            else:
                finished += 1
        try:
            self.digest.run()
            self.changes.run()
        except TryAgain as error:
            self.logger.warning("what the office reads waits", extra={"reason": str(error)})
        self._write_again()
        if trouble is not None:
            raise trouble  # after all others: the alarm on this function's errors has to ring
        return finished

    def _write_again(self) -> None:
        """Have written once more what an earlier request to Airtable may have spoilt.

        Whoever has written it forgets it. Until then each sweep sends for the longest due ones, in
        one message a group, which finds nothing to do where an earlier one was quicker.
        """
        things = self.rewrites.due(now=self.clock(), limit=REWRITES_PER_SWEEP)
        rows = [thing for thing in things if thing.startswith(ROW)]
        others = [thing for thing in things if not thing.startswith(ROW)]
        self.queues.write_again(rows=rows, others=others)

    def _look_later(self, operation: Operation, *, seconds: int = LOOK_LATER_SECONDS) -> None:
        """Go to the end of the line, so that what cannot be finished hides nothing that can."""
        later = self.clock() + timedelta(seconds=seconds)
        self.journal.postpone(operation, due_at=later)

    def _finish(self, operation: Operation, deadline: datetime) -> None:
        if operation.state is State.COMMITTED:
            self.follow_up.hand_over(operation)
        elif operation.kind == REDEMPTION:
            try:
                self.redeem().finish(operation, deadline=deadline)
            except VendorSurprise as error:
                self.park.count_failure(operation, error)
                raise
        elif send := one_off_of(operation.kind, self.queues):
            send(operation.key)
            self._look_later(operation)
        elif operation.kind in {SPEND, GIVEN_BACK}:
            self.payments().finish(operation)
        elif operation.kind == UNREAD_ORDER:
            self.payments().read_again(operation)
        elif operation.kind == OWED:
            self.looks().leave_to_a_person(operation)
        elif operation.kind == DRIFT:
            self.putting_right().leave_to_a_person(operation)
