"""Look at the cards that changed at Shopify, and find what nobody told us of.

    the list of cards, newest change first ─► is it a new one?      mirrored#<card>
    cards that are to be looked at again   ─► is its state another? changed#<card>#<n>
                                              is its balance explained by what we know?
                                                  not yet ─► look again
                                                  never   ─► adjusted#<card>#<n>

Shopify tells nobody when staff credit a card, when a till pays it out in cash, when a card is
deactivated or lives longer. So what a card holds is compared with what we know of it, and what
stays unexplained for some minutes is entered as a movement, with a receipt that says so: the ledger
and the balance agree again. The office reads of it the next morning. Where Shopify does not even
show a movement, nobody can look up who it was, and the alarm rings.

One thing is never explained away so: a movement with the reference of an operation of this card. As
long as its operation is open, we wait. Where it was given up ("not charged"), the movement is
entered under its own name, the office is told, and a person has to put it right. The reference of
another card's operation explains nothing: what carries it is entered like anything else that nobody
explains, and the alarm rings, since somebody wrote it by hand.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from giftcards.clients.shopify import Shopify
from giftcards.domain.cards import Card, CardSight, Movement
from giftcards.domain.codes import mask
from giftcards.domain.explaining import (
    Look,
    Verdict,
    as_seen,
    is_as_seen,
    is_disabled,
    judge_balance,
    movements_behind,
    what_changed,
    without_orders,
)
from giftcards.domain.hiding import hide_codes
from giftcards.domain.money import Money
from giftcards.domain.orders import number_of
from giftcards.domain.outcomes import Outcome
from giftcards.errors import (
    AccessRefused,
    ConfigurationError,
    JournalConflict,
    TryAgain,
    VendorSurprise,
)
from giftcards.flows.follow_up import FollowUp
from giftcards.flows.kinds import (
    ADJUSTED,
    CHANGED,
    GIVEN_BACK,
    LATE,
    MIRRORED,
    SPEND,
    adjusted_key,
    changed_key,
    late_key,
    mirrored_key,
    owed_key,
)
from giftcards.flows.owe import Owe, owed_amount
from giftcards.flows.sale import ISSUE
from giftcards.flows.tally import Tally
from giftcards.flows.tell_of_changes import LONGEST_LINE, TellOfChanges
from giftcards.flows.whose import whose
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.cards import Cards, MirrorState
from giftcards.store.journal import Journal, Operation, Result, State
from giftcards.store.ledger import Ledger, Ledgers
from giftcards.store.progress import CardsPlace, Progress
from giftcards.store.queues import Queues
from giftcards.store.table import pack_money

# A page of the list of all cards costs a point for each card.
CARDS_PER_PAGE = 50

# A thousand cards that changed between two looks; more are read by the next look.
MOST_PAGES = 20

# Whether Shopify's list shows a change at once was never seen. On its first page, cards are looked
# at again that changed so long before the newest one; nothing is written for those we know.
LIST_LAG = timedelta(minutes=10)

# What is unexplained is mostly on its way; each look at it costs Shopify a point.
LOOK_AGAIN_SECONDS = 60

# What cannot be looked at will hardly be mended within the hour; until then each try rings.
TROUBLE_AGAIN_SECONDS = 3600

# So many of them are looked at in one run, in one question to Shopify.
CARDS_PER_RUN = 50

# A note at Shopify longer than this tells nobody more.
LONGEST_NOTE = 120

# How soon somebody looks after a finding whose worker died before handing it over.
HAND_OVER_AGAIN_SECONDS = 60

# How an operation ended.
MADE = "MADE_AT_SHOPIFY"
RAISED = "RAISED_AT_SHOPIFY"
LOWERED = "LOWERED_AT_SHOPIFY"
CHANGED_THERE = "CHANGED_AT_SHOPIFY"

# What Shopify calls the movements of a card, as their ids begin, and what they are for people.
MOVEMENT_NAMES = {
    "GiftCardCashOutTransaction": "a cash-out at a till",
    "GiftCardCreditTransaction": "a credit",
    "GiftCardDebitTransaction": "a debit",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A card as it was read, and all that we know of it."""

    card: Card
    ledger: Ledger
    mirror: MirrorState
    is_sold_by_us: bool
    updated_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class LookAtCards:
    """Looks at cards; every finding is entered once, however often it is found.

    Without patience, `agreed` is what alone may be entered of a balance: what else is unexplained
    by then may be a payment of this moment, of which its order tells later.
    """

    shopify: Shopify
    journal: Journal
    cards: Cards
    ledgers: Ledgers
    progress: Progress
    queues: Queues
    follow_up: FollowUp
    owe: Owe
    tell: TellOfChanges
    note_unexplained: Callable[[], None]
    logger: Logger
    clock: Callable[[], datetime]
    live_from: datetime
    accept_historical: bool
    patience_seconds: int
    http_timeout_seconds: int
    office_email: str
    agreed: Money | None = None

    def run(self, tally: Tally, deadline: datetime) -> None:
        """Look at what changed, then again at what was unexplained, until `deadline` nears.

        Raises `TryAgain` where Shopify is away.
        """
        self._look_at_changes(tally, deadline)
        due = self.ledgers.to_look_at(now=self.clock(), limit=CARDS_PER_RUN)
        if not due or not self._has_time(deadline):
            return
        read = self.shopify.read_cards(due)
        for card_id in due:
            if card_id not in read:
                self.logger.error("Shopify has no such card any more", extra={"card": card_id})
                self.ledgers.forget_look(card_id)
        self._look_at(list(read.values()), tally, deadline)

    def leave_to_a_person(self, operation: Operation) -> None:
        """Park what a worker claimed for a person, and died."""
        self.owe.leave_to_a_person(operation)

    def look_now(self, card_id: str, *, unexplained: Money, deadline: datetime) -> bool:
        """Enter what nobody explains of a card without waiting any longer; say whether any was.

        For what was looked at twice already, some minutes apart, and was `unexplained` both times.
        An operation that is under way may still explain it, and more may be unexplained by now:
        then nothing is entered, and the card is looked at again as ever.
        """
        card = self.shopify.read_card(card_id)
        if card is None:
            return False
        tally = Tally()
        impatient = replace(self, patience_seconds=0, agreed=unexplained)
        impatient._look_at([card], tally, deadline)  # noqa: SLF001 - it is one of us
        return tally.answered > 0

    def enter_late(self, card_id: str, operation: Operation) -> bool:
        """Have a person put right what moved with an operation's reference and should not have.

        False where something of that was entered before, or another amount was found before, or
        nothing is there (any more).
        """
        card = self.shopify.read_card(card_id)
        if card is None:
            return False
        movements = self.shopify.movements(card_id, since=self.live_from)
        ledger = self.ledgers.of([card_id]).get(card_id) or Ledger(card_id)
        late = _late(movements, {operation.key: operation}, ledger)
        if operation.key not in late or is_under_way(operation, ledger):
            return False
        return self._enter_late(card, operation, late[operation.key]) == late[operation.key]

    # ------------------------------------------------------------------------------- the list

    def _look_at_changes(self, tally: Tally, deadline: datetime) -> None:
        """Read the list from its top, and on until what the last look has seen.

        Where that is further than one look goes, the next one begins at the top again, and then
        goes on where this one stopped.
        """
        if not self._has_time(deadline):
            return
        place = self.progress.cards_place()
        seen = place.seen or self.live_from
        page = self.shopify.changed_cards(count=CARDS_PER_PAGE)
        if not page.cards:
            return
        recent = [one for one in page.cards if one.updated_at >= seen - LIST_LAG]
        if not self._look_at(recent, tally, deadline):
            return
        cursor, goal = place.cursor, place.goal or seen
        if cursor is None:
            goal = page.cards[0].updated_at
            cursor = page.end_cursor if page.cards[-1].updated_at >= seen else None
        try:
            cursor = self._read_on(cursor, seen, tally, deadline)
        except VendorSurprise:  # it may be the cursor, so the next look begins at the top
            self.progress.note_cards_place(CardsPlace(seen=seen))
            raise
        after = CardsPlace(seen=seen, cursor=cursor, goal=goal)
        if cursor is None:
            after = CardsPlace(seen=max(seen, goal))
        if after != place:
            self.progress.note_cards_place(after)

    def _read_on(
        self, cursor: str | None, seen: datetime, tally: Tally, deadline: datetime
    ) -> str | None:
        """Read the list on until what was seen; return where the next look goes on, if it must."""
        for _ in range(MOST_PAGES):
            if cursor is None or not self._has_time(deadline):
                break
            page = self.shopify.changed_cards(count=CARDS_PER_PAGE, after=cursor)
            fresh = [one for one in page.cards if one.updated_at >= seen]
            if not self._look_at(fresh, tally, deadline):
                break
            cursor = page.end_cursor if len(fresh) == len(page.cards) else None
        return cursor

    def _look_at(
        self, sights: Sequence[CardSight | Card], tally: Tally, deadline: datetime
    ) -> bool:
        """Look at cards that were read just now; False where time did not suffice for all.

        One card's trouble leaves the others alone; it is looked at again later.
        """
        read = [_as_read(sight) for sight in sights]
        ids = [card.id for card, _, _ in read]
        ledgers = self.ledgers.of(ids)
        mirrors = {state.card_id: state for state in self.cards.mirror_states(ids)}
        sold = self._sold_by_us({card.id: note for card, _, note in read})
        for card, updated_at, _ in read:
            if not self._has_time(deadline):
                return False
            seen = Seen(
                card=card,
                ledger=ledgers.get(card.id) or Ledger(card.id),
                mirror=mirrors.get(card.id) or MirrorState(card.id, 0, 0),
                is_sold_by_us=card.id in sold,
                updated_at=updated_at,
            )
            try:
                tally.answered += self._look(seen)
            except TryAgain:
                self._later(card.id)  # behind the others: it may be this one that takes too much
                raise
            except (AccessRefused, ConfigurationError):
                raise  # all other cards would fare alike
            except Exception as error:  # the outer loop: other cards go on
                self.logger.exception("a card cannot be looked at", extra={"card": card.id})
                tally.note_failure(error)
                self._later(card.id, seconds=TROUBLE_AGAIN_SECONDS)
        return True

    def _sold_by_us(self, notes: Mapping[str, str | None]) -> set[str]:
        """Which of these cards we made ourselves. A fresh one carries the key of its operation.

        What else is known of it may be written a moment later.
        """
        about = set(self.cards.about(notes))
        asked = {
            note: card_id
            for card_id, note in notes.items()
            if card_id not in about and note is not None and note.startswith(f"{ISSUE}#")
        }
        return about | {asked[key] for key in self.journal.load_many(asked)}

    # ------------------------------------------------------------------------------- one card

    def _look(self, seen: Seen) -> bool:
        """Look at one card; return whether anything was found."""
        card, ledger = seen.card, seen.ledger
        known = ledger.look
        is_queued = seen.updated_at is None
        if known is not None and not is_queued and is_as_seen(known, card, seen.updated_at):
            return False  # what may be unexplained of it has its time in the queue
        if not self.accept_historical and card.created_at < self.live_from:
            return self._follow_historical(seen)
        self._show_balance(seen)
        look, found = (known, False) if known is not None else self._first_look(seen)
        changes = look.changes
        look, is_current = self._note_change(seen, look)
        look, is_entered = self._explain(seen, look)
        if is_current:
            look = as_seen(look, card, seen.updated_at)
        self._note_look(seen, look, is_current=is_current)
        return found or is_entered or look.changes > changes

    def _first_look(self, seen: Seen) -> tuple[Look, bool]:
        """A card that was never looked at: as it is now, but for what we know better."""
        look = as_seen(Look(), seen.card, None)
        if seen.is_sold_by_us:
            return replace(look, is_disabled=False), False  # as we made it
        return look, self._mirror(seen.card)

    def _note_look(self, seen: Seen, look: Look, *, is_current: bool = True) -> None:
        """Keep the look, and whether it is to be taken again soon."""
        waits = look.open is not None or not is_current or self._may_be_shown_stale(seen)
        again = self.clock() + timedelta(seconds=LOOK_AGAIN_SECONDS) if waits else None
        if not self.ledgers.note_look(seen.ledger, look, look_again_at=again):
            self._later(seen.card.id)  # somebody else looked at it at this moment

    def _show_balance(self, seen: Seen) -> None:
        """Have Airtable follow a balance, whatever moved it and whether we know of that or not."""
        mirror = seen.mirror
        if mirror.is_shown and not mirror.is_behind and mirror.shown != seen.card.balance:
            self.queues.write_cards(seen.card.id)

    def _may_be_shown_stale(self, seen: Seen) -> bool:
        """Whether a writer is at work who may have read the card before it changed.

        What moved a card without us (an authorisation that was let go) sends for no writer.
        """
        return seen.mirror.is_behind and seen.mirror.shown != seen.card.balance

    def _follow_historical(self, seen: Seen) -> bool:
        """A card from before our time is none of ours, but what Airtable shows of it is right."""
        if not seen.mirror.is_shown:
            return False
        self.queues.write_cards(seen.card.id)
        look = as_seen(seen.ledger.look or Look(), seen.card, seen.updated_at)
        self.ledgers.note_look(seen.ledger, look, look_again_at=None)
        return False

    def _mirror(self, card: Card) -> bool:
        """Shopify made this card, and nobody told us: it is shown in Airtable from now on."""
        key = mirrored_key(number_of(card.id))
        return self._record(
            key,
            kind=MIRRORED,
            snapshot={"card_id": card.id},
            result=self._result(
                key,
                card,
                outcome=MADE,
                action=Action.MADE_AT_SHOPIFY,
                amount=card.initial_value,
                details=f"Shopify made a card of {card.initial_value}; from now on stores take it.",
            ),
        )

    def _note_change(self, seen: Seen, look: Look) -> tuple[Look, bool]:
        """Enter what somebody changed besides the balance; say whether the look is up to date.

        It is not where an earlier look entered another change and died before it noted that.
        """
        card = seen.card
        before = look
        if seen.ledger.is_deactivated_by_us and is_disabled(card):
            before = replace(look, is_disabled=True)
        changes = what_changed(before, card)
        if not changes:
            return as_seen(look, card, None), True
        number = look.changes + 1
        key = changed_key(number_of(card.id), number)
        after = None if card.expires_on is None else card.expires_on.isoformat()
        snapshot = {"card_id": card.id, "disabled": is_disabled(card), "expires_on": after}
        try:
            self._record(
                key,
                kind=CHANGED,
                snapshot=snapshot,
                result=self._result(
                    key,
                    card,
                    outcome=CHANGED_THERE,
                    action=Action.CHANGED_AT_SHOPIFY,
                    details=" ".join(changes),
                ),
            )
        except JournalConflict:
            told = self._standing(key).snapshot
            day = told["expires_on"]
            return (
                replace(
                    look,
                    changes=number,
                    is_disabled=told["disabled"],
                    expires_on=None if day is None else datetime.fromisoformat(day).date(),
                ),
                False,
            )
        return replace(as_seen(look, card, None), changes=number), True

    # ------------------------------------------------------------------------------- the balance

    def _explain(self, seen: Seen, look: Look) -> tuple[Look, bool]:
        """Judge the card's balance, and enter what nobody explains; say whether that was done."""
        card, ledger = seen.card, seen.ledger
        verdict, judged = self._judge(card, ledger, look)
        if verdict in {Verdict.EXPLAINED, Verdict.WAIT}:
            return judged, False
        # What was read some moments ago may be over: both are read once more, the card first.
        again = self.shopify.read_card(card.id)
        known = self.ledgers.of([card.id]).get(card.id, ledger)
        if again is None:
            return judged, False
        verdict, judged = self._judge(again, known, look)
        if verdict in {Verdict.EXPLAINED, Verdict.WAIT}:
            return judged, False
        return self._enter(again, known, judged, verdict)

    def _enter(self, card: Card, ledger: Ledger, look: Look, verdict: Verdict) -> tuple[Look, bool]:
        """Enter what stands unexplained, unless an operation of ours may still explain it."""
        movements = self.shopify.movements(card.id, since=self.live_from)
        references = {one.note for one in movements if one.note and may_be_ours(one.note)}
        recent = self.cards.recent_operations(card.id)
        loaded = self.journal.load_many({*references, *recent})
        named = whose(loaded.values(), ledger=ledger, journal=self.journal)
        operations = named.own
        if look.open is None or any(is_under_way(one, ledger) for one in operations.values()):
            return look, False
        rest = look.open
        late = _late(movements, operations, ledger)
        for reference, amount in late.items():
            rest -= self._enter_late(card, operations[reference], amount)
        settled = replace(look, open=None, open_since=None)
        if verdict is Verdict.ENTER_BASE:
            return replace(settled, base=rest), bool(late)
        if rest.minor:
            if self.agreed is not None and rest != self.agreed:
                return look, False
            others = [one for one in movements if one.note not in operations]
            if not self._enter_adjustment(card, ledger, rest, others, named.foreign):
                return look, False
        return settled, True

    def _judge(self, card: Card, ledger: Ledger, look: Look) -> tuple[Verdict, Look]:
        currency = card.balance.currency
        entries = [*ledger.lines.values(), *ledger.reserved.values()]
        if any(amount.currency != currency for amount in entries):
            # The shop's currency was changed: what was moved before cannot be reckoned with.
            self.logger.warning("a card has lines of two currencies", extra={"card": card.id})
            return Verdict.EXPLAINED, replace(look, open=None, open_since=None)
        judged = judge_balance(
            look,
            card.balance,
            began_with=card.initial_value if card.created_at >= self.live_from else None,
            lines=ledger.lines.values(),
            reserved=ledger.reserved.values(),
            now=self.clock(),
            patience=timedelta(seconds=self.patience_seconds),
        )
        return judged.verdict, judged.look

    def _enter_late(self, card: Card, operation: Operation, amount: Money) -> Money:
        """What we gave up was applied after all: a person has to put it right, once.

        Returns how much was entered: what was found first, which may be less. A redemption from
        before the ledger has no line yet; its own receipt tells of it.
        """
        result = operation.result
        if result is not None and result.outcome == Outcome.REDEEMED and result.moved is None:
            self.ledgers.note(card.id, operation=operation.key, amount=amount)
            return amount
        owed = self._owe(card, operation, amount)
        if owed is None:
            return Money.zero(amount.currency)
        amount = owed_amount(owed)
        what = f"A debit of {-amount}" if amount.minor < 0 else f"A credit of {amount}"
        ended = operation.state if result is None else result.outcome
        snapshot = {"card_id": card.id, "operation": operation.key, "amount": pack_money(amount)}
        key = late_key(operation.key)
        details = (
            f"{what} for {operation.key} was applied by Shopify although its outcome is {ended}."
            f" Whoever looks after the cards {_remedy(amount, owed.key)}."
        )
        self._record(
            key,
            kind=LATE,
            snapshot=snapshot,
            result=replace(
                self._result(
                    key,
                    card,
                    outcome=LOWERED if amount.minor < 0 else RAISED,
                    action=_action(amount),
                    amount=_positive(amount),
                    details=details,
                ),
                moved=amount,
                reason=f"Card {mask(card.last4)}: {details}",
                mail_to=self.office_email,
            ),
        )
        return amount

    def _owe(self, card: Card, operation: Operation, amount: Money) -> Operation | None:
        """What is owed for an operation, as it was found first; `None` where on another card.

        Whoever found less of it may have died before he entered that.
        """
        try:
            return self.owe.owe(card_id=card.id, operation=operation.key, amount=amount)
        except JournalConflict:
            standing = self._standing(owed_key(operation.key))
        if standing.snapshot["card_id"] != card.id:
            return None
        self.owe.leave_to_a_person(standing)
        return standing

    def _enter_adjustment(
        self,
        card: Card,
        ledger: Ledger,
        amount: Money,
        others: Sequence[Movement],
        foreign: Collection[str],
    ) -> bool:
        """Enter what nothing explains; False where an earlier entry has to be finished first.

        Whoever wrote a `foreign` reference did so by hand: the alarm rings.
        """
        number_of_card = number_of(card.id)
        prefix = f"{ADJUSTED}#{number_of_card}#"
        earlier = {key: line for key, line in ledger.lines.items() if key.startswith(prefix)}
        told = {
            movement
            for one in self.journal.load_many(earlier).values()
            for movement in one.snapshot["movements"]
        }
        left = without_orders(others, ledger.lines, of_orders=(f"{SPEND}#", f"{GIVEN_BACK}#"))
        behind = movements_behind(amount, left, told=told)
        key = adjusted_key(number_of_card, len(earlier) + 1)
        snapshot = {
            "card_id": card.id,
            "amount": pack_money(amount),
            "movements": [movement.id for movement in behind],
        }
        verb = "Raised" if amount.minor > 0 else "Lowered"
        told_by_shopify = _tell(behind)
        evened_out = [name for name, line in earlier.items() if line == -amount]
        if evened_out and not behind:
            told_by_shopify += f" It evens out {evened_out[-1]}, so that was something known late."
        details = f"{verb} at Shopify; no order and no store explains it. {told_by_shopify}"
        self.tell.remember(key)
        is_foreign = any(one.note in foreign for one in behind)
        if is_foreign or not (behind or evened_out):
            # Before it is entered: whoever died in between would have rung for nobody.
            self.logger.error("money is unexplained", extra={"operation": key})
            self.note_unexplained()
        try:
            self._record(
                key,
                kind=ADJUSTED,
                snapshot=snapshot,
                result=replace(
                    self._result(
                        key,
                        card,
                        outcome=LOWERED if amount.minor < 0 else RAISED,
                        action=_action(amount),
                        amount=_positive(amount),
                        details=details,
                    ),
                    moved=amount,
                    reason=told_by_shopify[:LONGEST_LINE],
                ),
            )
        except JournalConflict:
            # An earlier look entered another amount and died before the line: first that one.
            standing = self._standing(key)
            if standing.state is State.COMMITTED:
                self.follow_up.hand_over(standing)
            self.logger.info("an earlier adjustment comes first", extra={"card": card.id})
            return False
        return True

    # ------------------------------------------------------------------------------- the journal

    def _record(
        self, key: str, *, kind: str, snapshot: Mapping[str, object], result: Result
    ) -> bool:
        """Enter a finding, once; return whether it was entered by this call or a dead one's."""
        operation = self.journal.record(
            key,
            kind=kind,
            snapshot=snapshot,
            result=result,
            due_at=self._hand_over_again_at(),
        )
        if operation.state is not State.COMMITTED:
            return False
        self.follow_up.hand_over(operation)
        return True

    def _standing(self, key: str) -> Operation:
        operation = self.journal.load(key)
        if operation is None:
            raise JournalConflict(f"{key} was deleted from the journal; nothing may do that")
        return operation

    def _result(
        self,
        key: str,
        card: Card,
        *,
        outcome: str,
        action: Action,
        details: str,
        amount: Money | None = None,
    ) -> Result:
        now = self.clock()
        receipt = Receipt(
            id=f"{key}#1",
            at=now,
            action=action,
            actor="Shopify",
            card=mask(card.last4),
            amount=amount,
            balance_after=None if amount is None else card.balance,
            outcome=ReceiptOutcome.DONE,
            operation=key,
            details=f"{outcome}: {details}",
        )
        return Result(
            outcome=outcome,
            decided_at=now,
            balance=card.balance,
            receipts=(receipt,),
            moved_card=card.id,
        )

    def _later(self, card_id: str, *, seconds: int = LOOK_AGAIN_SECONDS) -> None:
        later = self.clock() + timedelta(seconds=seconds)
        self.ledgers.look_again(card_id, at=later)

    def _hand_over_again_at(self) -> datetime:
        return self.clock() + timedelta(seconds=HAND_OVER_AGAIN_SECONDS)

    def _has_time(self, deadline: datetime) -> bool:
        """Whether a call of Shopify's may begin: cut off in the middle it would harm nobody."""
        return self.clock() + timedelta(seconds=self.http_timeout_seconds) < deadline


def _as_read(sight: CardSight | Card) -> tuple[Card, datetime | None, str | None]:
    """The card, when it changed, and its note, as far as the list told."""
    if isinstance(sight, Card):
        return sight, None, None
    return sight.card, sight.updated_at, sight.note


def may_be_ours(note: str) -> bool:
    """Whether a note can be the key of an operation: they have no blanks, and are not long."""
    return "#" in note and len(note) <= LONGEST_NOTE and not any(map(str.isspace, note))


def is_under_way(operation: Operation, ledger: Ledger) -> bool:
    """Whether an operation of the card may still explain something: no outcome or no line yet."""
    if operation.result is None:
        return State.SENT in {operation.state, operation.parked_in} or (
            operation.state is State.CLAIMED
        )
    return operation.result.moved is not None and operation.key not in ledger.lines


def _late(
    movements: Iterable[Movement], operations: Mapping[str, Operation], ledger: Ledger
) -> dict[str, Money]:
    """What moved with our reference beyond what the ledger has of it, by reference.

    What was told before as late is not told again.
    """
    moved: defaultdict[str, list[Money]] = defaultdict(list)
    for movement in movements:
        if movement.note is not None and movement.note in operations:
            moved[movement.note].append(movement.amount)
    late = {}
    for reference, amounts in moved.items():
        known = ledger.lines.get(reference, Money.zero(amounts[0].currency))
        beyond = sum(amounts, -known)
        if beyond.minor and late_key(reference) not in ledger.lines:
            late[reference] = beyond
    return late


def _action(amount: Money) -> Action:
    return Action.LOWERED_AT_SHOPIFY if amount.minor < 0 else Action.RAISED_AT_SHOPIFY


def _positive(amount: Money) -> Money:
    return -amount if amount.minor < 0 else amount


def _remedy(amount: Money, owed: str) -> str:
    """What is to be done about what moved wrongly: what was taken can be given back by us."""
    if amount.minor < 0:
        return f"has {owed} credited back, or credits {-amount} at Shopify and then dismisses it"
    return f"has to debit {amount} at Shopify, and then to dismiss {owed}"


def _tell(movements: Sequence[Movement]) -> str:
    """What the movements were, for people; notes of others may hold anything."""
    if not movements:
        return "Shopify does not tell what it was."
    return "Shopify shows " + ", ".join(map(_tell_one, movements)) + "."


def _tell_one(movement: Movement) -> str:
    kind = movement.id.removeprefix("gid://shopify/").partition("/")[0]
    name = MOVEMENT_NAMES.get(kind, "a movement")
    note = hide_codes((movement.note or "")[:LONGEST_NOTE])
    return f"{name} of {_positive(movement.amount)}" + (f" (note: {note})" if note else "")
