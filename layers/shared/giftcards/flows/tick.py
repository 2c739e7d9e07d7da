"""Wake up every few seconds, although EventBridge counts in minutes.

    EventBridge, on the minute ─► prong ─► sends itself messages due in 15, 30 and 45 s ─► works
    SQS, when a message is due ─► prong ─► works, unless the message is late

One run at a time: a prong's lease. A tick that finds the lease held goes home; the run under way
is doing its work. A run that died leaves a lease that ends by itself.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from aws_lambda_powertools import Logger

from giftcards.errors import GiftCardError, TryAgain
from giftcards.flows.tally import Tally
from giftcards.store.control import Control, ProngState, lease_key
from giftcards.store.leases import Leases
from giftcards.store.queues import Queues

# The office reads the status table; it is told this often that all is well, and at once when not.
TELL_EVERY_SECONDS = 600


class TickEnd(StrEnum):
    """How a tick ended."""

    RAN = "ran"
    LATE = "late"
    PAUSED = "paused"
    HELD = "held"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Tick:
    """One prong's ticks: keeps them to one run at a time and notes how each run ended."""

    prong: str
    control: Control
    leases: Leases
    queues: Queues
    logger: Logger
    clock: Callable[[], datetime]
    offsets_seconds: Sequence[int]
    tolerance_seconds: int
    note_finished: Callable[[], None]

    def take(self, event: dict[str, Any], work: Callable[[int], Tally]) -> TickEnd:
        """Handle EventBridge's minute or one of our own delayed messages.

        `work` is told which tick it is: how many seconds after the minute, 0 for the minute itself.
        """
        ours = [json.loads(record["body"]) for record in event.get("Records", [])]
        due = [datetime.fromisoformat(body["due"]) for body in ours]
        if not due:
            self._send_ticks()
        elif max(due) + timedelta(seconds=self.tolerance_seconds) < self.clock():
            # A backlog of ticks after an outage must not become a burst of runs.
            self.logger.info("dropped a late tick", extra={"prong": self.prong})
            return TickEnd.LATE
        if not self.control.switch().is_running:
            self.logger.info("paused: nothing is processed until `ops resume`")
            return TickEnd.PAUSED
        offset = max((int(body.get("offset", 0)) for body in ours), default=0)
        return self._run(lambda: work(offset))

    def _send_ticks(self) -> None:
        for offset in self.offsets_seconds:
            due = self.clock() + timedelta(seconds=offset)
            self.queues.send_tick({"due": due.isoformat(), "offset": offset}, delay_seconds=offset)

    def _run(self, work: Callable[[], Tally]) -> TickEnd:
        lease = self.leases.acquire(lease_key(self.prong), now=self.clock())
        if lease is None:
            self.logger.info("another run is under way", extra={"prong": self.prong})
            return TickEnd.HELD
        try:
            tally = work()
            tally.raise_if_all_failed()
        except TryAgain as error:
            # A vendor is away: the next tick tries again by itself. When that lasts, the alarm on
            # runs that don't finish goes off.
            self.logger.warning("run not finished", extra={"reason": str(error)})
            self._note_end(error)
            return TickEnd.FAILED
        except Exception as error:
            self._note_end(error)
            raise
        else:
            self._note_end(None)
            self.note_finished()
            self.logger.info(
                "run finished",
                extra={
                    "prong": self.prong,
                    "answered": tally.answered,
                    "waiting": tally.waiting,
                    "failed": tally.failed,
                    "known": tally.known,
                },
            )
            return TickEnd.RAN
        finally:
            self.leases.release(lease)

    def _note_end(self, error: Exception | None) -> None:
        """Keep how the run ended; tell Airtable when that changed, or every ten minutes."""
        now = self.clock()
        failing = error is not None
        before = self.control.prong(self.prong) or ProngState(
            prong=self.prong,
            is_failing=not failing,  # the first run is news either way
            since=now,
            last_finished=None,
            last_error=None,
            told_at=None,
        )
        changed = before.is_failing != failing
        told_at = before.told_at
        tell = changed or told_at is None or now - told_at >= timedelta(seconds=TELL_EVERY_SECONDS)
        self.control.note_run(
            ProngState(
                prong=self.prong,
                is_failing=failing,
                since=now if changed else before.since,
                last_finished=before.last_finished if failing else now,
                last_error=before.last_error if error is None else _describe(error),
                told_at=now if tell else told_at,
            )
        )
        if tell:
            self.queues.write_status(self.prong)


def _describe(error: Exception) -> str:
    """The error for people. An unexpected one may hold anything, so only its kind is shown."""
    if isinstance(error, GiftCardError):
        return str(error)
    return f"unexpected {type(error).__name__}; the function's log has the details"
