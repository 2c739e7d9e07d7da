"""Compare the books, once a day and whenever somebody asks: part after part, step after step.

    every few minutes ─► is a run under way? is one wished for, or due? ─► no: nothing
                                     │ yes
                          take the lease; do steps while time lasts, each saved before the next
                                     │
    phases ─► some minutes later: the second look ─► putting right ─► what else ─► report

A worker holds the lease as long as it lives. Where it dies, the next one takes the run up from the
last step that was saved. A step that fails is tried again; after too many failures, or with more
differences than any shop can have, the run is given up, and its report says why. How full the base
is is counted all the same, unless something cannot be read at all.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import batched
from zoneinfo import ZoneInfo

from aws_lambda_powertools import Logger

from giftcards.domain.cards import ShopFacts
from giftcards.errors import GiftCardError, NeedsAPerson, PlaceLost, TryAgain
from giftcards.flows.kinds import reconcile_key
from giftcards.flows.reconcile.numbers import Numbers, pack
from giftcards.flows.reconcile.phase import STEP_SECONDS, Part, Run, Step, run_stamp
from giftcards.store.bucket import Bucket
from giftcards.store.control import Control, ProngState
from giftcards.store.journal import Journal
from giftcards.store.leases import Lease, Leases
from giftcards.store.pieces import Kind, Pieces, Place
from giftcards.store.queues import Queues
from giftcards.store.runs import LastRun, Runs, RunState, Standing

# More steps than a hundred thousand cards, and all that was ever done with them, have pages.
MOST_STEPS = 100_000

# Beyond this something is wrong with the books as a whole, and no list of it helps anybody.
MOST_DIFFERENCES = 10_000

# One card in a strange state is told of; so many are a vendor that has changed.
MOST_UNREAD = 100

# Each piece is judged again in one step: what reading the movements of so many cards takes.
DIFFERENCES_A_PIECE = 25

# After a failure a worker comes every five minutes: what fails for half an hour is no accident.
MOST_FAILURES = 6

# Airtable remembers a place in a list for minutes; a list that is lost so often cannot be read.
MOST_RESTARTS = 5

# A day, and the two hours that a run over the largest shop may take; the wait for the second look
# comes on top.
OVERDUE = timedelta(hours=26)

# What comes after the last part.
END = "end"

# The parts that are left out where nothing was found.
ABOUT_DIFFERENCES = frozenset({"second look", "putting right"})
SECOND_LOOK = "second look"
COUNTING = "archive"  # of a run that is given up it moves nothing
REPORT = "report"


class RunEnd(StrEnum):
    """How a worker's turn ended."""

    PAUSED = "paused"
    NOTHING_TO_DO = "nothing to do"
    HELD = "held"
    WAITS = "waits"  # for the second look
    GOES_ON = "goes on"  # with the next worker
    FINISHED = "finished"


@dataclass(frozen=True, kw_only=True)
class Reconcile:
    """Takes one worker's turn at comparing the books; `parts` come in their order.

    `hour` is the hour on the shop's clock after which the day's run begins. `second_look_seconds`
    are how long after the first look the second one begins.
    """

    prong: str
    runs: Runs
    leases: Leases
    control: Control
    bucket: Bucket
    parts: Callable[[], Sequence[Part]]
    journal: Journal
    queues: Queues
    facts: Callable[[], ShopFacts]
    logger: Logger
    clock: Callable[[], datetime]
    hour: int
    second_look_seconds: int
    most_differences: int = MOST_DIFFERENCES
    most_unread: int = MOST_UNREAD

    def run(self, deadline: datetime) -> RunEnd:
        """Do what can be done before `deadline`, and save how far that was.

        Raises what needs a person, and `NeedsAPerson` where no run was complete for too long.
        """
        switch = self.control.switch()
        if not switch.is_running:
            return RunEnd.PAUSED
        standing = self.runs.standing()
        end = self._take_turn(deadline) if self._has_work(standing) else RunEnd.NOTHING_TO_DO
        if end is RunEnd.FINISHED:
            return end
        running_since = switch.since or self.clock()
        self._complain_if_overdue(max(running_since, standing.since or running_since))
        return end

    def _has_work(self, standing: Standing) -> bool:
        return standing.under_way is not None or standing.is_wished or self._is_due(standing)

    def _is_due(self, standing: Standing) -> bool:
        """Whether the day's hour has struck since the last run began."""
        now = self.clock().astimezone(ZoneInfo(self.facts().time_zone))
        struck = now.replace(hour=self.hour, minute=0, second=0, microsecond=0)
        if struck > now:
            struck -= timedelta(days=1)
        return standing.last is None or standing.last.began_at < struck

    def _take_turn(self, deadline: datetime) -> RunEnd:
        lease = self.leases.acquire(self.runs.key, now=self.clock())
        if lease is None:
            return RunEnd.HELD
        try:
            standing = self.runs.held(lease)
            state = standing.under_way
            if state is None:
                if not self._has_work(standing):
                    return RunEnd.NOTHING_TO_DO  # another worker has just ended it
                state = self._begin(lease, standing)
            turn = Turn(self, lease, state, deadline)
            return turn.go()
        finally:
            self.leases.release(lease)

    def _begin(self, lease: Lease, standing: Standing) -> RunState:
        now = self.clock()
        granted_before = 0 if standing.last is None else standing.last.granted
        state = RunState(
            id=f"{run_stamp(now)}-{lease.fence}",
            began_at=now,
            since=standing.since,
            reads_all=standing.all_wished > granted_before,
            granted=standing.wishes,
            phase=self.parts()[0].name,
        )
        self.runs.save(lease, state)
        self.logger.info("the books are compared", extra={"run": state.id})
        return state

    def _complain_if_overdue(self, since: datetime) -> None:
        if self.clock() - since > OVERDUE + timedelta(seconds=self.second_look_seconds):
            raise NeedsAPerson(
                f"the books were not compared to the end since {since.isoformat()}: the log of this"
                " function says what stands in the way"
            )


class Turn:
    """One worker's turn at one run."""

    def __init__(self, flow: Reconcile, lease: Lease, state: RunState, deadline: datetime) -> None:
        self._flow = flow
        self._lease = lease
        self._state = state
        self._deadline = deadline
        self._pieces = Pieces(flow.bucket, run=state.id)
        self._parts = {part.name: part for part in flow.parts()}
        self._order = [*self._parts, END]
        self._numbers: dict[str, Numbers] = {}

    def go(self) -> RunEnd:
        """Step after step, until time or the run is over; the first one in any case.

        Whoever pauses the system waits for one step, and not for a turn.
        """
        for count in range(MOST_STEPS):
            now = self._flow.clock()
            if self._state.phase == END:
                self._end()
                return RunEnd.FINISHED
            if self._state.not_before is not None and now < self._state.not_before:
                return RunEnd.WAITS
            if count and now + timedelta(seconds=STEP_SECONDS) > self._deadline:
                return RunEnd.GOES_ON
            if count and not self._flow.control.switch().is_running:
                return RunEnd.PAUSED
            if not self._take_step():
                return RunEnd.GOES_ON
        return RunEnd.GOES_ON

    def _take_step(self) -> bool:
        """Do the next step, and save it; False where this worker has to stop."""
        part = self._parts[self._state.phase]
        try:
            step = part.step(self._run(), self._state.cursor)
            self._keep(step)
        except PlaceLost as lost:
            self._flow.logger.warning("a list is begun anew", extra={"reason": str(lost)})
            self._begin_anew()
        except TryAgain as error:
            self._flow.logger.warning(
                "comparing the books waits", extra={"part": part.name, "reason": str(error)}
            )
            return False
        except Exception as error:
            self._note_failure(error)
            raise
        else:
            self._state = self._after(step)
        return self._flow.runs.save(self._lease, self._state)

    def _keep(self, step: Step) -> None:
        """Write a step's pieces, before the state says that it is done."""
        state = self._state
        if step.seen:
            self._pieces.put_seen(state.phase, state.step, pack(step.seen))
            self._of(state.phase).add(step.seen)
            self._state = state = replace(self._state, has_seen=True)
        for number, some in enumerate(batched(step.found, DIFFERENCES_A_PIECE, strict=False)):
            place = Place.of(state.phase, state.step, number)
            self._pieces.put_differences(Kind.FOUND, place, some)
        notes = [*step.notes, *step.changed, *step.unread]
        if notes:
            self._pieces.put_notes(Place.of(state.phase, state.step), notes)
        if step.next is None and state.has_seen:
            packed = self._of(state.phase).packed()
            self._pieces.put_seen_before(state.phase, state.step + 1, packed)

    def _after(self, step: Step) -> RunState:
        """The state once a step is done."""
        state, looked_at = self._state, dict(self._state.looked_at)
        looked_at[state.phase] = looked_at.get(state.phase, 0) + step.looked_at
        state = replace(
            state,
            cursor=step.next,
            step=state.step + 1,
            failures=0,
            looked_at=looked_at,
            found=state.found + len(step.found),
            unread=state.unread + len(step.unread),
            changed=state.changed + len(step.changed),
        )
        trouble = self._too_much(state)
        if trouble is not None and state.trouble is None:
            return replace(state, trouble=trouble).enter(COUNTING)
        return state if step.next is not None else self._enter_next(state)

    def _too_much(self, state: RunState) -> str | None:
        """Why a run has found too much to go on, if it has."""
        flow = self._flow
        if state.unread > flow.most_unread:
            return f"more than {flow.most_unread:,} things could not be compared"
        if state.found > flow.most_differences:
            return f"there are more than {flow.most_differences:,} differences, too many to list"
        return None

    def _enter_next(self, state: RunState) -> RunState:
        """Go on to the next part; those about differences are left out where there is none."""
        following = self._order[self._order.index(state.phase) + 1 :]
        name = next(one for one in following if state.found or one not in ABOUT_DIFFERENCES)
        not_before = None
        if name == SECOND_LOOK:
            wait = timedelta(seconds=self._flow.second_look_seconds)
            not_before = self._flow.clock() + wait
        return state.enter(name, not_before=not_before)

    def _begin_anew(self) -> None:
        """The vendor has lost the place in its list: what was seen of it counts no more."""
        state = self._state
        if state.restarts >= MOST_RESTARTS:
            self._state = self._given_up(f"{state.phase} could not be read to the end")
            return
        self._numbers.pop(state.phase, None)
        looked_at = {name: n for name, n in state.looked_at.items() if name != state.phase}
        self._state = replace(
            state,
            cursor=None,
            step=0,
            folded=0,
            has_seen=False,
            restarts=state.restarts + 1,
            looked_at=looked_at,
        )

    def _note_failure(self, error: Exception) -> None:
        """Count a failure that does not pass by itself; give the run up after too many."""
        state = replace(self._state, failures=self._state.failures + 1)
        if state.failures >= MOST_FAILURES:
            told = str(error) if isinstance(error, GiftCardError) else type(error).__name__
            state = self._given_up(f"{state.phase} failed again and again: {told}")
        self._flow.runs.save(self._lease, state)

    def _given_up(self, trouble: str) -> RunState:
        """The run goes to its report at once; one that fails in there has none."""
        state = replace(self._state, trouble=self._state.trouble or trouble)
        return state.enter(END if state.phase == REPORT else REPORT)

    # ---------------------------------------------------------------------- what was seen so far

    def _run(self) -> Run:
        state = self._state
        return Run(
            id=state.id,
            began_at=state.began_at,
            since=state.since,
            reads_all=state.reads_all,
            deadline=self._deadline,
            seen=self._seen,
            looked_at=state.looked_at,
            unread=state.unread,
            changed=state.changed,
            trouble=state.trouble,
        )

    def _seen(self, part: str) -> Container[int]:
        return self._of(part)

    def _of(self, part: str) -> Numbers:
        """The numbers of a part, read once a turn."""
        if part not in self._numbers:
            self._numbers[part] = self._read(part)
        return self._numbers[part]

    def _read(self, part: str) -> Numbers:
        """The numbers of a part that is over, or of the steps so far of the one that is not.

        The latter are written together, so that the next worker reads only the steps behind.
        """
        state = self._state
        if part != state.phase:
            return Numbers(self._pieces.seen_before(part, state.steps.get(part, 0)))
        numbers = Numbers(self._pieces.seen_before(part, state.folded) if state.folded else b"")
        for step in range(state.folded, state.step):
            numbers.add_packed(self._pieces.seen(part, step))
        if state.step > state.folded:
            self._pieces.put_seen_before(part, state.step, numbers.packed())
            self._state = replace(state, folded=state.step)
        return numbers

    # ----------------------------------------------------------------------------------- the end

    def _end(self) -> None:
        """Show how the run ended, and make room for the next one."""
        flow, state, now = self._flow, self._state, self._flow.clock()
        entered = flow.journal.load(reconcile_key(state.id))
        told: Mapping[str, object] = {} if entered is None else entered.snapshot
        last = LastRun(
            id=state.id,
            began_at=state.began_at,
            ended_at=now,
            granted=state.granted,
            is_failed=bool(told.get("is_failed", True)),
            differences=int(str(told.get("differences", 0))),
            summary=str(told.get("summary", f"Without a report: {state.trouble}")),
            report=None if entered is None else str(told["report"]),
        )
        flow.control.note_run(self._state_of_prong(last))
        flow.queues.write_status(flow.prong)
        flow.logger.info("the books were compared", extra={"summary": last.summary})
        flow.runs.end(self._lease, last, is_complete=state.trouble is None)

    def _state_of_prong(self, last: LastRun) -> ProngState:
        flow = self._flow
        before = flow.control.prong(flow.prong)
        is_as_before = before is not None and before.is_failing == last.is_failed
        return ProngState(
            prong=flow.prong,
            is_failing=last.is_failed,
            since=before.since if before is not None and is_as_before else last.ended_at,
            last_finished=last.ended_at,
            last_error=last.summary if last.is_failed else None,
            told_at=last.ended_at,
            summary=last.summary,
        )
