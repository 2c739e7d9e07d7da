"""What becomes of an order of the web shop that sells cards of ours: one decision at a time.

    new:        untouched · waits · held for the office · makes no card · its units are taken
    afterwards: units that were refunded are given back · something is noted for the office ·
                units that an edit added, and that are paid, are taken · settled

Everything is judged from the order as it was read by its id and from what we did before, never from
what a search said. What we did before is a list of changes, each of which adds units, gives some
back or notes something; units are numbered through for each line, and no number is used twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Final

from giftcards.domain.addresses import is_one_address, same_mailbox
from giftcards.domain.creation import (
    LONGEST_MESSAGE,
    LONGEST_NAME,
    LOOKED_AT_TIMES,
    SellingRules,
    read_day,
    theme_named,
)
from giftcards.domain.money import Money
from giftcards.domain.orders import Advice, OrderLine, WebOrder, number_of
from giftcards.domain.typed_text import clean_line, clean_lines

# Shopify's words (`displayFinancialStatus`). A partly refunded order was paid: what is left counts.
PAID: Final = "PAID"
PAID_STATUSES: Final = frozenset({PAID, "PARTIALLY_REFUNDED"})
REFUNDED: Final = "REFUNDED"

# How Shopify names a sale at a till, whose risk it never assesses: the customer stood there.
AT_A_TILL: Final = "pos"

# What a storefront asks a giver, by our names, and how the properties of a line are called unless
# the shop says otherwise: Shopify's own theme asks for its native card so, as far as it asks.
PROPERTY_NAMES: Final[Mapping[str, str]] = {
    "Recipient Name": "Recipient name",
    "Recipient Email": "Recipient email",
    "Gift Message": "Message",
    "Send On": "Send on",
    "Theme": "Theme",
}

# How many units of one decision are taken, or given back, at most, and of how many lines: the
# decision and all that follows from it stand in one item of DynamoDB, which holds 400 KB. A line
# with the longest texts in four-byte letters takes 5 KB, a unit given back half a KB. The rest is
# decided next.
LINES_A_DECISION: Final = 40
RETURNS_A_DECISION: Final = 200


class Reason(StrEnum):
    """Why an order waits for the office."""

    ADVICE = "ADVICE"
    UNASSESSED = "UNASSESSED"
    CHARGEBACK = "CHARGEBACK"
    PAID_BEFORE = "PAID_BEFORE"
    NO_ADDRESS = "NO_ADDRESS"
    TAGGED = "TAGGED"
    DISCOUNTED = "DISCOUNTED"
    OTHER_CURRENCY = "OTHER_CURRENCY"
    REFUNDED_BEFORE = "REFUNDED_BEFORE"


class Event(StrEnum):
    """What happened to an order after its cards were taken.

    REFUNDED: all its money was given back, while units of our cards still counted.
    """

    CHARGEBACK = "CHARGEBACK"
    CANCELLED = "CANCELLED"
    REFUNDED = "REFUNDED"


@dataclass(frozen=True, slots=True)
class Batch:
    """Units of one line that were taken together: the cards `first`, `first + 1` and so on.

    `line` is Shopify's number of the line, `price` what each card is worth.
    """

    line: str
    first: int
    quantity: int
    price: Money

    @property
    def units(self) -> range:
        """Their numbers."""
        return range(self.first, self.first + self.quantity)


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of a line, by its number."""

    line: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of what we did with an order. `let_through` are reasons the office has lifted."""

    added: tuple[Batch, ...] = ()
    returned: tuple[Unit, ...] = ()
    events: tuple[Event, ...] = ()
    let_through: tuple[Reason, ...] = ()


class Past:
    """What we did with an order so far: its changes, oldest first."""

    def __init__(self, changes: Iterable[Change] = ()) -> None:
        self.changes = tuple(changes)
        self.batches = tuple(batch for change in self.changes for batch in change.added)
        self.returned = frozenset(unit for change in self.changes for unit in change.returned)
        self.events = frozenset(event for change in self.changes for event in change.events)
        self.let_through = frozenset(
            reason for change in self.changes for reason in change.let_through
        )

    @property
    def is_new(self) -> bool:
        """Whether nothing was done yet."""
        return not self.changes

    @property
    def lines(self) -> tuple[str, ...]:
        """The numbers of the lines that cards were made for."""
        return tuple(dict.fromkeys(batch.line for batch in self.batches))

    def next_unit(self, line: str) -> int:
        """The lowest number that no unit of the line ever had."""
        return 1 + sum(batch.quantity for batch in self.batches if batch.line == line)

    def live_units(self, line: str) -> tuple[int, ...]:
        """The units that were taken and not given back."""
        return tuple(
            number
            for batch in self.batches
            if batch.line == line
            for number in batch.units
            if Unit(line, number) not in self.returned
        )

    def batch_of(self, unit: Unit) -> Batch:
        """The batch that a unit was taken with."""
        return next(
            batch
            for batch in self.batches
            if batch.line == unit.line and unit.number in batch.units
        )


@dataclass(frozen=True, slots=True)
class PurchaseRules:
    """What a shop sells as our cards, since when, and how long an assessment is waited for.

    `property_names` are the storefront's names for what it asks a giver, by ours. `tag` is what we
    give to an order that we have dealt with.
    """

    skus: frozenset[str]
    tag: str
    live_from: datetime
    risk_patience: timedelta
    issues_unassessed: bool
    property_names: Mapping[str, str]

    def sells(self, line: OrderLine) -> bool:
        """Whether cards of ours are made for a line: native ones are Shopify's to make.

        Shopify finds a SKU whatever its capitals. What costs nothing is worth nothing.
        """
        return (
            line.sku is not None
            and not line.is_native
            and line.sku.strip().casefold() in self.skus
            and line.price.minor > 0
        )

    def asked(self, line: OrderLine, what: str) -> str:
        """What the storefront was told, by our name for it; empty where it did not ask."""
        wanted = self.property_names[what].strip().casefold()
        return next(
            (told for name, told in line.properties.items() if name.strip().casefold() == wanted),
            "",
        )


def sku_set(skus: Iterable[str]) -> frozenset[str]:
    """SKUs as `PurchaseRules` compares them."""
    return frozenset(sku.strip().casefold() for sku in skus)


# ------------------------------------------------------------------------------- the decisions


@dataclass(frozen=True, slots=True)
class Untouched:
    """Paid before the go-live: somebody has dealt with it by hand. It is not even tagged."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Nothing can be decided yet. `looks_again`: nobody tells us when that changes."""

    because: str
    looks_again: bool


@dataclass(frozen=True, slots=True)
class Held:
    """The office has to look at it."""

    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class NoCard:
    """It makes no card."""

    because: str


@dataclass(frozen=True, slots=True)
class Take:
    """These units are paid. `let_through` are the reasons to hold them that the office lifted."""

    batches: tuple[Batch, ...]
    let_through: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class GiveBack:
    """So many units of each of these lines were refunded, or taken off the order; maybe none.

    `still_count`: all the money was given back, and Shopify still counts some of the units.
    """

    units: Mapping[str, int]
    still_count: bool = False


@dataclass(frozen=True, slots=True)
class Tell:
    """Something happened that the office has to know."""

    event: Event


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is left to do."""


Decision = Untouched | Waits | Held | NoCard | Take | GiveBack | Tell | Settled


def judge(
    order: WebOrder,
    *,
    past: Past,
    rules: PurchaseRules,
    now: datetime,
    waved_through: frozenset[Reason] = frozenset(),
) -> Decision:
    """What to do next with an order; done and judged again, it is `Settled` in the end.

    `waved_through` are the reasons to hold it that the office was told of and has lifted.
    """
    lines = [line for line in order.lines if rules.sells(line)]
    first = _without_card(order, lines, rules) if past.is_new else _afterwards(order, lines, past)
    if first is not None:
        return first
    added = _added(order, lines, past)
    if not added:
        return Settled()
    if (waiting := _waits(order, rules, now)) is not None:
        return waiting
    reasons = _reasons(order, lines, added, rules, past)
    lifted = (waved_through | past.let_through) - {Reason.NO_ADDRESS}
    if standing := tuple(reason for reason in reasons if reason not in lifted):
        return Held(standing)
    return Take(batches=added[:LINES_A_DECISION], let_through=reasons)


def _without_card(
    order: WebOrder, lines: Sequence[OrderLine], rules: PurchaseRules
) -> Untouched | Waits | NoCard | None:
    """Why a new order makes no card, or none yet; None where it may make some."""
    was_paid = order.status in PAID_STATUSES or order.last_paid_at is not None
    if not was_paid:
        return Waits("it is not paid yet", looks_again=False)
    if (order.last_paid_at or order.processed_at) < rules.live_from:
        return Untouched()
    if (because := _why_no_card(order, lines)) is not None:
        return NoCard(because)
    if order.status not in PAID_STATUSES:
        return Waits("it is not fully paid yet", looks_again=False)
    return None


def _why_no_card(order: WebOrder, lines: Sequence[OrderLine]) -> str | None:
    """Why an order makes no card at all; None where it may make some."""
    found = {
        "it is a test order": order.is_test,
        "it was cancelled before its cards were made": order.cancelled_at is not None,
        "it was refunded in full before its cards were made": order.status == REFUNDED,
        "none of its lines is a gift card that we make, or they cost nothing": not lines,
        "its gift cards were refunded or taken off it before they were made": not any(
            line.current_quantity for line in lines
        ),
    }
    return next((because for because, is_so in found.items() if is_so), None)


def _afterwards(order: WebOrder, lines: Sequence[OrderLine], past: Past) -> GiveBack | Tell | None:
    """What has to be done first with an order that was taken, or makes no card."""
    given_back = _given_back(order, past)
    still_count = order.status == REFUNDED and any(line.current_quantity for line in lines)
    if given_back or (still_count and Event.REFUNDED not in past.events):
        return GiveBack(given_back, still_count=still_count)
    event = _untold(order, past)
    return None if event is None else Tell(event)


def _waits(order: WebOrder, rules: PurchaseRules, now: datetime) -> Waits | None:
    """Why units that are there cannot be taken yet."""
    # Of a partly refunded order the status does not say whether a unit added later is paid.
    if order.status != PAID and not (order.status in PAID_STATUSES and order.is_fully_paid):
        return Waits("it is not fully paid yet", looks_again=False)
    if not _is_assessed(order) and now < _paid_at(order) + rules.risk_patience:
        return Waits("Shopify has not assessed its risk yet", looks_again=True)
    return None


def _reasons(
    order: WebOrder,
    lines: Sequence[OrderLine],
    added: Sequence[Batch],
    rules: PurchaseRules,
    past: Past,
) -> tuple[Reason, ...]:
    """Why the office has to look at an order that is paid."""
    numbers = {batch.line for batch in added}
    wanted = [line for line in lines if number_of(line.id) in numbers]
    found = {
        Reason.ADVICE: order.advice in {Advice.CANCEL, Advice.INVESTIGATE},
        Reason.UNASSESSED: not _is_assessed(order) and not rules.issues_unassessed,
        Reason.CHARGEBACK: order.has_chargeback,
        Reason.PAID_BEFORE: (order.first_paid_at or order.processed_at) < rules.live_from,
        Reason.NO_ADDRESS: not _has_address(order.email)
        and not all(
            is_one_address(rules.asked(line, "Recipient Email").strip()) for line in wanted
        ),
        # We tag what we have taken, and never before: so this was somebody else, or our journal
        # has lost what we did.
        Reason.TAGGED: past.is_new
        and rules.tag.casefold() in {tag.casefold() for tag in order.tags},
        Reason.DISCOUNTED: any(line.paid.minor < line.price.minor for line in wanted),
        Reason.OTHER_CURRENCY: any(line.sold_in != line.price.currency for line in wanted),
        # Units whose money was given back still count, and look like units that were added since.
        Reason.REFUNDED_BEFORE: Event.REFUNDED in past.events,
    }
    return tuple(reason for reason, is_so in found.items() if is_so)


def _given_back(order: WebOrder, past: Past) -> dict[str, int]:
    """How many units of each line were refunded or taken off since we looked."""
    left = {number_of(line.id): line.current_quantity for line in order.lines}
    given_back = {}
    for line in past.lines:
        # All the money is back, whichever units the refund named, if it named any.
        wanted = 0 if order.status == REFUNDED else left.get(line, 0)
        if (fewer := len(past.live_units(line)) - wanted) > 0:
            given_back[line] = fewer
    return given_back


def _untold(order: WebOrder, past: Past) -> Event | None:
    """What the office was not told of yet, as long as a card of the order lives."""
    if not any(past.live_units(line) for line in past.lines):
        return None
    was_known = Reason.CHARGEBACK in past.let_through
    if order.has_chargeback and Event.CHARGEBACK not in past.events and not was_known:
        return Event.CHARGEBACK
    if order.cancelled_at is not None and Event.CANCELLED not in past.events:
        return Event.CANCELLED
    return None


def _added(order: WebOrder, lines: Sequence[OrderLine], past: Past) -> tuple[Batch, ...]:
    """Units that are on the order and were not taken yet."""
    if order.is_test or order.cancelled_at is not None or order.status == REFUNDED:
        return ()
    batches = []
    for line in lines:
        number = number_of(line.id)
        more = line.current_quantity - len(past.live_units(number))
        if more > 0:
            batches.append(Batch(number, past.next_unit(number), more, line.price))
    return tuple(batches)


def _is_assessed(order: WebOrder) -> bool:
    return order.is_assessed or order.source_name == AT_A_TILL


def _paid_at(order: WebOrder) -> datetime:
    return order.last_paid_at or order.processed_at


def _has_address(email: str | None) -> bool:
    return email is not None and is_one_address(email.strip())


# --------------------------------------------------------------------- which units are given back


class Stage(IntEnum):
    """How far a unit's card got, the one first that is easiest to take back."""

    UNMADE = 0
    BEGUN = 1
    MADE = 2
    SENT = 3


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """One live unit: how far its card got, and how much of it was spent, in minor units."""

    unit: Unit
    stage: Stage
    spent_minor: int


def units_to_give_back(facts: Iterable[UnitFacts], count: int) -> tuple[Unit, ...]:
    """Which `count` of a line's live units were refunded: Shopify does not say.

    The ones that nobody misses: a card that is not made yet, else one that was not sent yet, else
    the one that was spent least; among equals the last one.
    """
    ranked = sorted(facts, key=lambda one: (one.stage, one.spent_minor, -one.unit.number))
    return tuple(one.unit for one in ranked[:count])


# ----------------------------------------------------------------------------- what a giver wishes


@dataclass(frozen=True, slots=True)
class Wishes:
    """Where the cards of a line go, and how. `remarks` are what the office should know of it."""

    recipient_name: str
    recipient_email: str
    is_gift: bool
    message: str
    theme: str
    send_on: date | None
    remarks: tuple[str, ...]


def purchaser_of(order: WebOrder) -> tuple[str, str]:
    """Name and mail address of whoever bought; each empty where Shopify does not know it."""
    email = (order.email or "").strip()
    return _cut_line(order.customer_name), email if is_one_address(email) else ""


def read_wishes(
    line: OrderLine,
    order: WebOrder,
    *,
    rules: PurchaseRules,
    selling: SellingRules,
    time_zone: str,
    today: date,
) -> Wishes:
    """What the storefront was told about a line. What is wrong in it keeps no card from its owner.

    Somebody has paid, so nothing is refused: the purchaser, the standard theme and now stand in for
    what cannot be read, and a remark says so.
    """
    remarks = []
    name, purchaser = purchaser_of(order)
    to, typed = purchaser, rules.asked(line, "Recipient Email").strip()
    if is_one_address(typed):
        name, to = _cut_line(rules.asked(line, "Recipient Name")), typed
    elif typed:
        remarks.append("A recipient's address is not one mail address: the purchaser gets the card")
    theme = theme_named(rules.asked(line, "Theme")[:LONGEST_NAME], selling.themes)
    message = rules.asked(line, "Gift Message")[: LONGEST_MESSAGE * LOOKED_AT_TIMES]
    asked_day = rules.asked(line, "Send On").strip()[:LONGEST_NAME]
    day = read_day(asked_day, time_zone)
    is_too_far = day is not None and (day - today).days > selling.furthest_days
    if asked_day and (day is None or is_too_far):
        remarks.append("A day to send on cannot be read or is too far ahead: the card goes now")
    return Wishes(
        recipient_name=name,
        recipient_email=to,
        is_gift=same_mailbox(to) != same_mailbox(purchaser),
        message=clean_lines(message)[:LONGEST_MESSAGE],
        theme=theme or selling.themes[0],
        send_on=day if day is not None and day > today and not is_too_far else None,
        remarks=tuple(remarks),
    )


def _cut_line(text: str) -> str:
    """A name as it is kept: on one line, no code, and no longer than a name."""
    return clean_line(text[: LONGEST_NAME * LOOKED_AT_TIMES])[:LONGEST_NAME].rstrip()
