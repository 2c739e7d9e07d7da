"""Take what the office wants given back for redemptions: note it, and hand it on.

    Reverse Amount ─► judge ─┬─► claim, with the redemption's own item ─► adjust_balance
                             ├─► held: above the cap, or something was credited back for the
                             │   row before, until Approved is ticked for it
                             ├─► refused: the row, a receipt and a mail say why, once
                             └─► wait: the redemption, or an earlier reversal, is not over yet

The office types the *total* to be given back for the row, and may raise it later: what is credited
is the total less what was given back already. So nobody has to clear the cell, and a total that is
seen again asks for nothing. A tick that let the redemption through is no word about giving it back:
it has to be taken away, and set again. Two looks at the same time, or at two totals, cannot both
begin: the claim stands only if the redemption's item is as it was judged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from aws_lambda_powertools import Logger

from giftcards.clients.airtable import MOST_REVERSALS, Airtable
from giftcards.domain.codes import mask
from giftcards.domain.money import Money, MoneyError, read_amount
from giftcards.domain.outcomes import Outcome
from giftcards.domain.reversals import ReversalRow
from giftcards.errors import BaseMismatch, GiftCardError, JournalConflict
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import (
    HELD_REVERSAL,
    REFUSED_REVERSAL,
    REVERSAL,
    UNTICKED_REVERSAL,
    held_reversal_key,
    owed_key,
    refused_reversal_key,
    reversal_key,
    unticked_reversal_key,
)
from giftcards.flows.redeem import Asked, operation_key
from giftcards.flows.reversal import OFFICE, Reversal
from giftcards.flows.tally import Tally
from giftcards.flows.write_again import write_again
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.journal import Journal, Operation, Result, RowWrite, State
from giftcards.store.queues import Queues
from giftcards.store.records import Records
from giftcards.store.table import pack_moment

# How a look at a row ends that begins nothing.
HELD = "HELD"
REFUSED = "REFUSED"
UNTICKED = "UNTICKED"

# So much is begun, held or refused in one run: about a second of work, so that the next redemption,
# which waits for this run to end, hardly waits.
STEPS_A_RUN = 20

# When the sweep begins what was claimed by a worker that died before saying so.
LOOK_AGAIN_SECONDS = 60

# Enough of a fingerprint to tell two typings of one row apart.
FINGERPRINT_SIGNS = 8


# Why what was taken so long ago is not given back by us, in words for the office.
ARCHIVED = (
    "this row was moved to the archive long ago, and what stands there is not given back from here:"
    " credit the card in Shopify's admin"
)


@dataclass(frozen=True, slots=True)
class Begin:
    """It can be given back now."""

    reversal: Reversal
    redemption: Operation


@dataclass(frozen=True, slots=True)
class Hold:
    """It is not given back without the office's second word.

    It is more than the `cap`, or a debit that had been applied too often was `credited` back for
    the same row. `tick_is_old`: the row's tick is one of before, which let the redemption through.
    """

    total: Money
    cap: Money | None
    credited: Money | None
    tick_is_old: bool


@dataclass(frozen=True, slots=True)
class Refuse:
    """It cannot be given back. `name` goes into the key, `reason` is in words for the office."""

    name: str
    reason: str
    total: Money | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The total was given back; Airtable should say so."""

    total: Money


@dataclass(frozen=True, slots=True)
class Wait:
    """Something that it builds on is not over yet."""


Judgement = Begin | Hold | Refuse | Done | Wait


def judge(
    row: ReversalRow,
    redemption: Operation | None,
    last: Operation | None,
    *,
    owed: Operation | None,
    currency: str,
    cap: Money | None,
    was_unticked: bool,
    is_archived: bool,
) -> Judgement:
    """What becomes of a row whose `Reverse Amount` is filled.

    `last` is the reversal that was begun last for this redemption. Nothing is decided while that
    has no outcome: until then nobody knows what was given back. `owed` is what the redemption took
    too often, if it did: as long as nobody has decided about that, nobody knows which of the two
    is meant. `was_unticked`: a tick that had let the redemption through was seen gone.
    `is_archived`: the row is in the archive, and somebody has brought it back.
    """
    try:
        total = read_amount(row.typed_total, currency=currency)
    except MoneyError as error:
        typed = sha256(row.typed_total.encode()).hexdigest()[:FINGERPRINT_SIGNS]
        return Refuse(f"unreadable-{typed}", f"Reverse Amount cannot be read: {error}")
    is_open = redemption is not None and redemption.result is None
    if is_open or (last is not None and last.result is None):
        return Wait()
    outcome = None if redemption is None or redemption.result is None else redemption.result.outcome
    if redemption is None or outcome != Outcome.REDEEMED:
        its_outcome = "" if outcome is None else f", its outcome is {outcome}"
        return Refuse("not-redeemed", f"nothing was taken for this row{its_outcome}", total)
    wanted = _wanted(row, redemption, total)
    if is_archived and wanted.total != wanted.before:
        return Refuse("archived", ARCHIVED, total)
    tick_is_old = row.is_approved and _has_old_tick(redemption) and not was_unticked
    return _judge_step(
        wanted,
        redemption,
        owed=owed,
        cap=cap,
        has_word=row.is_approved and not tick_is_old,
        tick_is_old=tick_is_old,
    )


def _has_old_tick(redemption: Operation) -> bool:
    """Whether `Approved` was ticked on the row before, to let the redemption through."""
    return redemption.is_released or Asked.unpack(redemption.snapshot).is_approved


def _judge_step(
    wanted: Reversal,
    redemption: Operation,
    *,
    owed: Operation | None,
    cap: Money | None,
    has_word: bool,
    tick_is_old: bool,
) -> Judgement:
    """What becomes of a step of which nothing but its amounts has to be judged any more.

    `has_word`: the office has ticked `Approved` for it.
    """
    refusal = _refusal(wanted)
    if refusal is not None:
        return refusal
    if wanted.total == wanted.before:
        return Done(wanted.total)
    if owed is not None and owed.result is None:
        reason = (
            "the card was charged too often for this row, and whoever looks after the system has"
            f" to decide about that first ({owed.key}). It is looked at again then"
        )
        return Refuse("owed", reason, wanted.total)
    credited = None
    if redemption.credited_back:
        credited = Money(redemption.credited_back, wanted.total.currency)
    is_above = cap is not None and wanted.total > cap
    if (is_above or credited is not None) and not has_word:
        return Hold(wanted.total, cap if is_above else None, credited, tick_is_old)
    return Begin(wanted, redemption)


def _wanted(row: ReversalRow, redemption: Operation, total: Money) -> Reversal:
    """The step from what was given back to the total, whether it can be made or not."""
    asked = Asked.unpack(redemption.snapshot)
    if asked.amount is None or asked.card_id is None or asked.last4 is None:
        raise AssertionError(f"{redemption.key} was redeemed without a card or an amount")
    return Reversal(
        row_id=row.id,
        row_created_at=asked.row_created_at,
        store=asked.store,
        employee=OFFICE,
        card_id=asked.card_id,
        last4=asked.last4,
        amount=total - Money(redemption.given_back, total.currency),
        total=total,
        taken=asked.amount,
        time_zone=asked.time_zone,
    )


def _refusal(wanted: Reversal) -> Refuse | None:
    """Why so much cannot be given back, if it cannot: never more than was taken, never less."""
    taken, total, before = wanted.taken, wanted.total, wanted.before
    if taken.currency != total.currency:
        reason = f"{taken} was taken, and the shop's currency is {total.currency} now"
        return Refuse("currency", reason, total)
    if total > taken:
        return Refuse("too-much", f"{total} is more than the {taken} that was taken", total)
    if total < before:
        reason = (
            f"{before} was given back already, and {total} is less: Reverse Amount is the total to"
            " be given back for this row, which can only grow"
        )
        return Refuse("less", reason, total)
    return None


@dataclass(frozen=True, kw_only=True)
class TakeReversals:
    """One look at what the office wants given back; `cap` bounds what needs no second word."""

    airtable: Airtable
    journal: Journal
    records: Records
    follow_up: FollowUp
    queues: Queues
    logger: Logger
    clock: Callable[[], datetime]
    currency: str
    live_from: datetime
    cap: Money | None
    office_email: str

    def run(self, deadline: datetime) -> Tally:
        """Take what can be taken until `deadline`; one row's trouble never stops the others."""
        tally = Tally()
        rows = self.airtable.reversals(since=self.live_from)
        if not rows:
            return tally
        redemptions = self.journal.load_many(operation_key(row.id) for row in rows)
        begun = [one.reversal for one in redemptions.values() if one.reversal is not None]
        lasts = self.journal.load_many(begun)
        unticked = self.journal.load_many(unticked_reversal_key(row.id) for row in rows)
        owed = self.journal.load_many(owed_key(operation_key(row.id)) for row in rows)
        beside = {**lasts, **owed}
        archived = self.records.archived("Redemptions", (row.id for row in rows))
        judged = [
            (row, self._judge(row, redemptions, beside, unticked, is_archived=row.id in archived))
            for row in rows
        ]
        keys = [key for row, judgement in judged if (key := _key(row, judgement)) is not None]
        known = self.journal.load_many(keys)
        steps = 0
        for row, judged_first in judged:
            redemption = redemptions.get(operation_key(row.id))
            judgement = self._judge_again(row, judged_first, redemption, known)
            key = _key(row, judgement)
            if key is None:
                tally.waiting += 1
            elif key in known:
                self._show_again(known[key], judgement)
                if isinstance(judgement, Hold) and unticked_reversal_key(row.id) not in unticked:
                    self._note_unticked(row, redemption)
            elif steps < STEPS_A_RUN and self.clock() < deadline:
                steps += 1
                self._try(row, judgement, key, redemption, tally)
            else:
                tally.waiting += 1
        if not steps and len(rows) >= MOST_REVERSALS:
            raise BaseMismatch(
                f"The Airtable table “Redemptions” has {len(rows)} rows or more whose “Reverse"
                " Amount” was refused or waits, and no more are read: empty that cell where"
                " nothing is to be given back any more"
            )
        return tally

    def _judge(
        self,
        row: ReversalRow,
        redemptions: Mapping[str, Operation],
        beside: Mapping[str, Operation],
        unticked: Mapping[str, Operation],
        *,
        is_archived: bool,
    ) -> Judgement:
        """`beside` are the last reversals of the redemptions, and what these took too often."""
        redemption = redemptions.get(operation_key(row.id))
        last = None
        if redemption is not None and redemption.reversal is not None:
            last = beside.get(redemption.reversal)
        return judge(
            row,
            redemption,
            last,
            owed=beside.get(owed_key(operation_key(row.id))),
            currency=self.currency,
            cap=self.cap,
            was_unticked=unticked_reversal_key(row.id) in unticked,
            is_archived=is_archived,
        )

    def _judge_again(
        self,
        row: ReversalRow,
        judgement: Judgement,
        redemption: Operation | None,
        known: dict[str, Operation],
    ) -> Judgement:
        """Refuse a total that failed, and is typed anew after another one: it has no second try.

        As long as it is the last one, the row says what became of it. `known` learns of the
        refusal.
        """
        if not isinstance(judgement, Begin) or redemption is None:
            return judgement
        before = known.get(reversal_key(row.id, judgement.reversal.total.minor))
        if before is None or before.result is None or redemption.reversal == before.key:
            return judgement
        refuse = Refuse(
            "failed-before",
            f"to give back {judgement.reversal.total} in all was tried before and failed, and each"
            " total is tried once; type another one, or give it back another way",
            judgement.reversal.total,
        )
        key = refused_reversal_key(row.id, judgement.reversal.total.minor, refuse.name)
        known |= self.journal.load_many([key])
        return refuse

    def _note_unticked(self, row: ReversalRow, redemption: Operation | None) -> None:
        """A tick of before is gone from a held row: the next one is about giving back."""
        if row.is_approved or redemption is None or not _has_old_tick(redemption):
            return
        now = self.clock()
        noted = self.journal.record(
            unticked_reversal_key(row.id),
            kind=UNTICKED_REVERSAL,
            snapshot={"row_id": row.id, "row_created_at": pack_moment(row.created_at)},
            result=Result(outcome=UNTICKED, decided_at=now),
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )
        if noted.state is State.COMMITTED:
            self.follow_up.hand_over(noted)

    def _show_again(self, operation: Operation, judgement: Judgement) -> None:
        """What was given back is still listed: after a while, have its row written once more.

        A base without `Reversed` lists each for ever, and nothing is missing from its rows.
        """
        if isinstance(judgement, Done) and self.airtable.has_field("Redemptions", "Reversed"):
            write_again(
                operation,
                journal=self.journal,
                queues=self.queues,
                logger=self.logger,
                now=self.clock(),
            )

    def _try(
        self,
        row: ReversalRow,
        judgement: Judgement,
        key: str,
        redemption: Operation | None,
        tally: Tally,
    ) -> None:
        try:
            match judgement:
                case Begin():
                    self._begin(judgement, key)
                case Hold():
                    self._hold(row, judgement, key, redemption)
                case Refuse():
                    self._refuse(row, judgement, key, redemption)
                case Done() | Wait():
                    return
        except Exception as error:
            tally.note_failure(error)
            self.logger.warning(
                "a reversal could not be taken now",
                exc_info=not isinstance(error, GiftCardError),
                extra={"operation": key, "reason": str(error)},
            )
        else:
            tally.answered += 1

    def _begin(self, begin: Begin, key: str) -> None:
        """Claim it. Where somebody else was quicker, the next look judges anew."""
        now = self.clock()
        try:
            operation = self.journal.claim_with(
                key,
                kind=REVERSAL,
                snapshot=begin.reversal.pack(),
                now=now,
                due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
                also=[self.journal.reversal_begun(begin.redemption, by=key)],
            )
        except JournalConflict:
            operation = None
        if operation is None:
            self.logger.info("another look was quicker", extra={"operation": key})
            return
        self.queues.adjust_balance(operation.key)

    def _hold(self, row: ReversalRow, hold: Hold, key: str, redemption: Operation | None) -> None:
        tick = "tick Approved on this row"
        if hold.tick_is_old:
            tick = "take the tick off Approved on this row, wait two minutes, and tick it again"
        reasons = [f"{hold.total} is more than {hold.cap}"] if hold.cap is not None else []
        if hold.credited is not None:
            reasons.append(
                f"{hold.credited} was credited back for this row before, because its card had been"
                " charged too often. This would undo the sale as well"
            )
        message = f"Not given back yet: {'; '.join(reasons)}. If it is right, {tick}."
        self._record(row, HELD_REVERSAL, key, message, _about(redemption))

    def _refuse(
        self, row: ReversalRow, refuse: Refuse, key: str, redemption: Operation | None
    ) -> None:
        message = f"Nothing was given back: {refuse.reason}."
        last4 = None if redemption is None else redemption.snapshot["last4"]
        receipt = Receipt(
            id=f"{key}#1",
            at=self.clock(),
            action=Action.REVERSE,
            actor=OFFICE,
            card=None if last4 is None else mask(last4),
            amount=refuse.total,
            balance_after=None,
            outcome=ReceiptOutcome.FAILED,
            operation=key,
            details=f"{REFUSED}: {message}",
        )
        self._record(row, REFUSED_REVERSAL, key, message, _about(redemption), receipt)

    def _record(
        self, row: ReversalRow, kind: str, key: str, message: str, about: str, *receipts: Receipt
    ) -> None:
        """Say on the row and to the office what became of it, once."""
        now = self.clock()
        noted = self.journal.record(
            key,
            kind=kind,
            snapshot={"row_id": row.id, "row_created_at": pack_moment(row.created_at)},
            result=Result(
                outcome=HELD if kind == HELD_REVERSAL else REFUSED,
                decided_at=now,
                reason=f"{message}{about}",
                receipts=receipts,
                row=RowWrite(table="Redemptions", record_id=row.id, cells={"Message": message}),
                mail_to=self.office_email,
            ),
            due_at=now + timedelta(seconds=LOOK_AGAIN_SECONDS),
        )
        if noted.state is State.COMMITTED:
            self.follow_up.hand_over(noted)


def _key(row: ReversalRow, judgement: Judgement) -> str | None:
    """What is noted under which key, or was; `None` where nothing is."""
    match judgement:
        case Begin():
            return reversal_key(row.id, judgement.reversal.total.minor)
        case Done():
            return reversal_key(row.id, judgement.total.minor)
        case Hold():
            is_credited = judgement.credited is not None
            return held_reversal_key(row.id, judgement.total.minor, is_credited=is_credited)
        case Refuse():
            total = 0 if judgement.total is None else judgement.total.minor
            return refused_reversal_key(row.id, total, judgement.name)
        case Wait():
            return None


def _about(redemption: Operation | None) -> str:
    """Which redemption it is about, for whoever reads it without the row in front of him."""
    if redemption is None:
        return ""
    asked = Asked.unpack(redemption.snapshot)
    card = "no card" if asked.last4 is None else mask(asked.last4)
    return f" (It is about {asked.amount or 'no amount'} of {card}, filed by {asked.store.name}.)"
