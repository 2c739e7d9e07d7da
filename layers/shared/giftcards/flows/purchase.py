"""Look at an order of the web shop that sells our cards, and do whatever it needs now.

    read it by id ─► judge it (domain/purchases) ─► do one thing about it, entered in its log
          ▲                                              │
          └──────────────────────────────────────────────┘  until nothing is left to do

What was done stands in the log, so a look may end at any moment, and the next one goes on. So it
ends where somebody else has entered something since the order was read: what a worker read that was
frozen meanwhile, and went on, may be long out of date.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol, assert_never

from aws_lambda_powertools import Logger

from giftcards.clients.shopify import Shopify
from giftcards.domain.orders import WebOrder, number_of
from giftcards.domain.purchases import (
    RETURNS_A_DECISION,
    Decision,
    Event,
    GiveBack,
    Held,
    NoCard,
    Past,
    PurchaseRules,
    Reason,
    Settled,
    Stage,
    Take,
    Tell,
    Unit,
    UnitFacts,
    Untouched,
    Waits,
    judge,
    units_to_give_back,
)
from giftcards.flows.kinds import freeze_key
from giftcards.flows.order_log import History, OrderLog
from giftcards.flows.purchase_entries import PurchaseEntries
from giftcards.flows.sale import delivery_key, issue_key, units_name
from giftcards.store.journal import Journal
from giftcards.store.orders import Seen

# Lines and returns of an order are decided on in portions: an order of 500 lines, every unit of
# which was given back, needs fewer steps than this. What is left goes on at the next look.
MOST_STEPS = 40

# Shopify does not touch `updatedAt` when it has assessed an order, nor when it thinks better of it:
# so an order that waits for that is read again this often, one that is held less often.
RISK_LOOK_SECONDS = 30
HELD_LOOK_SECONDS = 300

# Cards that are still being made when a chargeback comes are frozen once they are there.
FREEZE_LOOK_SECONDS = 60

# `updatedAt` counts whole seconds: a change within the second in which we read an order leaves no
# trace in it. So one that was changed so lately, on whichever clock, is read once more.
YOUNG_SECONDS = 20


# After a second notice the office's tick counts only once the row was seen without one: soon, so
# that whoever ticks it when he has read the mail need not do it twice.
UNTICKED_LOOK_SECONDS = 30


class Office(Protocol):
    """What the office says of one order in Airtable; both are no where Airtable is away."""

    def has_ticked(self) -> bool:
        """Whether the order's row reads held, with a tick at `Release`."""

    def has_unticked(self) -> bool:
        """Whether it reads held, without one."""


class Freezer(Protocol):
    """What has stores refuse a card until the office decides."""

    def freeze(self, card_id: str, *, by: str, because: str) -> object:
        """Freeze the card; one that is frozen stays so. May be called again at any moment."""


@dataclass(slots=True)
class Look:
    """What a look at an order came to, as far as it got.

    `again_after` is in how many seconds to look again, though nothing tells us to, `entered` are
    the keys of its own entries.
    """

    order: WebOrder
    began_at: datetime
    unticked: int
    has_changed: bool = False
    is_held: bool = False
    waits: bool = False
    again_after: int | None = None
    entered: set[str] = field(default_factory=set)

    @property
    def number(self) -> str:
        """Shopify's number of the order."""
        return number_of(self.order.id)

    @property
    def seen(self) -> Seen:
        """How the order looked."""
        after = self.again_after
        if after is None and self.began_at - self.order.updated_at < timedelta(
            seconds=YOUNG_SECONDS
        ):
            after = YOUNG_SECONDS
        return Seen(
            number=self.number,
            order_id=self.order.id,
            updated_at=self.order.updated_at,
            look_at=None if after is None else self.began_at + timedelta(seconds=after),
            is_held=self.is_held,
            unticked=self.unticked,
        )


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """Looks at one order at a time; may be called again at any moment."""

    shopify: Shopify
    journal: Journal
    log: OrderLog
    entries: PurchaseEntries
    freezer: Freezer
    logger: Logger
    clock: Callable[[], datetime]
    rules: PurchaseRules

    def look(self, order_id: str, before: Seen | None, *, office: Office) -> Look | None:
        """Do all that an order needs now; None where there is no such order any more.

        `before` is how it looked last time. The office is only asked where its word matters.
        """
        began_at = self.clock()
        order = self.shopify.read_order(order_id)
        if order is None:
            self.logger.warning("an order is gone from Shopify", extra={"order": order_id})
            return None
        look = Look(order, began_at, unticked=0 if before is None else before.unticked)
        for _ in range(MOST_STEPS):
            history = self.log.read(look.number)
            if history.was_entered_since(began_at, but_for=look.entered):
                break
            decision = self._decide(look, history, office)
            if not self._do(decision, look, history, office):
                return look
            look.has_changed = True
        look.again_after = 0
        return look

    def _decide(self, look: Look, history: History, office: Office) -> Decision:
        """What to do next. The office's tick counts for the reasons that it was told of.

        One that may be older than their notice does not: the row has to be seen without it first.
        """
        decision = self._judge(look.order, history)
        if not isinstance(decision, Held) or not _was_told(history, decision):
            return decision
        if _may_have_an_old_tick(history, look):
            if office.has_unticked():
                look.unticked = len(history.notices)
            return decision
        if not office.has_ticked():
            return decision
        return self._judge(look.order, history, waved_through=history.told)

    def _judge(
        self,
        order: WebOrder,
        history: History,
        *,
        waved_through: frozenset[Reason] = frozenset(),
    ) -> Decision:
        return judge(
            order,
            past=history.past,
            rules=self.rules,
            now=self.clock(),
            waved_through=waved_through,
        )

    def _do(self, decision: Decision, look: Look, history: History, office: Office) -> bool:
        """Do what was decided; False where nothing more can be done now."""
        order = look.order
        match decision:
            case Take():
                is_ours = self.entries.take(order, history, decision)
            case NoCard():
                is_ours = self.entries.refuse(order, history, decision.because)
            case GiveBack():
                is_ours = self._give_back(order, history, decision)
            case Tell():
                is_ours = self._tell(order, history, decision.event)
            case Held():
                self._hold(look, history, decision, office)
                return False
            case Waits():
                look.waits = True
                look.again_after = RISK_LOOK_SECONDS if decision.looks_again else None
                return False
            case Settled():
                return self._settle(look, history)
            case Untouched():
                return False
            case _:
                assert_never(decision)
        if is_ours:
            look.entered.add(history.next_key(look.number))
        return True

    def _hold(self, look: Look, history: History, decision: Held, office: Office) -> None:
        """Have the office told, unless it knows all of it."""
        look.is_held = look.waits = True
        look.again_after = HELD_LOOK_SECONDS
        if _was_told(history, decision):
            if _may_have_an_old_tick(history, look):
                look.again_after = UNTICKED_LOOK_SECONDS
            return
        # Of an order that has a row: nobody takes a tick away that has let something through.
        has_row = bool(history.notices or history.entries)
        was_ticked = has_row and not office.has_unticked()
        if was_ticked:
            look.again_after = UNTICKED_LOOK_SECONDS
        self.entries.hold(look.order, history, decision.reasons, was_ticked=was_ticked)
        look.has_changed = True

    def _settle(self, look: Look, history: History) -> bool:
        """Nothing is left to decide; an order that no longer waits says so, frozen cards stay so.

        True where that had to be noted.
        """
        if history.open_notice is not None:
            if self.entries.close_notice(look.order, history):
                look.entered.add(history.next_key(look.number))
            return True
        if Event.CHARGEBACK in history.past.events and self._freeze(
            look.order, history.past, only_new=True
        ):
            look.again_after = FREEZE_LOOK_SECONDS
        return False

    def _tell(self, order: WebOrder, history: History, event: Event) -> bool:
        if event is Event.CHARGEBACK:  # first the cards, then the news: they may be spent now
            self._freeze(order, history.past, only_new=False)
        return self.entries.tell(order, history, event)

    def _freeze(self, order: WebOrder, past: Past, *, only_new: bool) -> bool:
        """Freeze the order's living cards; True where some are still being made.

        `only_new`: one that was frozen before may be released since, which is the office's word.
        """
        keys = [issue_key(line, unit) for line in past.lines for unit in past.live_units(line)]
        made = self.journal.load_many(keys)
        results = [one.result for one in made.values()]
        cards = [result.moved_card for result in results if result and result.moved_card]
        firsts = {card: freeze_key(number_of(card), 1) for card in cards}
        known = self.journal.load_many(firsts.values()) if only_new else {}
        for card, first in firsts.items():
            if first not in known:
                because = f"a chargeback of order {order.name}"
                self.freezer.freeze(card, by="the system", because=because)
        return any(key not in made or made[key].result is None for key in keys)

    # ------------------------------------------------------------------------ units given back

    def _give_back(self, order: WebOrder, history: History, decision: GiveBack) -> bool:
        """Choose the units that were refunded, and enter them; False where somebody was first."""
        past, chosen = history.past, list[Unit]()
        for line, count in decision.units.items():
            facts = self._facts(line, past, count)
            chosen += units_to_give_back(facts, min(count, RETURNS_A_DECISION - len(chosen)))
        events = (Event.REFUNDED,) if decision.still_count else ()
        return self.entries.give_back(order, history, chosen, events=events)

    def _facts(self, line: str, past: Past, count: int) -> list[UnitFacts]:
        """How far the cards of a line's live units got, and what was spent of each."""
        live = [Unit(line, number) for number in past.live_units(line)]
        issued = self.journal.load_many(issue_key(line, unit.number) for unit in live)
        batches = {past.batch_of(unit).first for unit in live}
        keys = {first: delivery_key(units_name(line, first)) for first in batches}
        delivered = self.journal.load_many(keys.values())
        stages: dict[Unit, Stage] = {}
        cards: dict[Unit, str] = {}
        for unit in live:
            issue = issued.get(issue_key(line, unit.number))
            if issue is None:
                stages[unit] = Stage.UNMADE
            elif issue.result is None or issue.result.moved_card is None:
                stages[unit] = Stage.BEGUN
            else:
                delivery = delivered.get(keys[past.batch_of(unit).first])
                was_sent = delivery is not None and delivery.result is not None
                stages[unit] = Stage.SENT if was_sent else Stage.MADE
                cards[unit] = issue.result.moved_card
        spent = self._spent(cards) if len(live) - len(cards) < count < len(live) else {}
        return [UnitFacts(unit, stage, spent.get(unit, 0)) for unit, stage in stages.items()]

    def _spent(self, cards: dict[Unit, str]) -> dict[Unit, int]:
        """What was spent of each card, in minor units; asked only where it makes a difference."""
        read = self.shopify.read_cards(list(cards.values()))
        return {
            unit: max(0, read[card].initial_value.minor - read[card].balance.minor)
            for unit, card in cards.items()
            if card in read
        }


def _was_told(history: History, decision: Held) -> bool:
    """Whether the office knows that an order waits, and every reason for it."""
    return history.open_notice is not None and history.told.issuperset(decision.reasons)


def _may_have_an_old_tick(history: History, look: Look) -> bool:
    """Whether a tick may stand at the order's row since before the newest notice."""
    newest = history.notices[-1].snapshot
    return bool(newest["was_ticked"]) and look.unticked < len(history.notices)


def unseen(before: Seen | None, number: str, order_id: str, *, look_at: datetime) -> Seen:
    """An order that could not be looked at: it has to be, whatever a search says later."""
    if before is not None:
        return replace(before, look_at=look_at)
    never = datetime.fromtimestamp(0, look_at.tzinfo)
    return Seen(number=number, order_id=order_id, updated_at=never, look_at=look_at)
