"""What becomes of an order that sells cards: each rule by itself, and any history of one order."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftcards.domain.creation import SellingRules
from giftcards.domain.money import Money
from giftcards.domain.orders import Advice, OrderLine, WebOrder
from giftcards.domain.purchases import (
    LINES_A_DECISION,
    PROPERTY_NAMES,
    Batch,
    Change,
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
    read_wishes,
    sku_set,
    units_to_give_back,
)

LIVE_FROM = datetime(2026, 11, 1, tzinfo=UTC)
PAID_AT = LIVE_FROM + timedelta(days=1)
NOW = PAID_AT + timedelta(minutes=5)
PRICE = Money(2500, "USD")
RULES = PurchaseRules(
    skus=sku_set(["CARD"]),
    tag="done",
    live_from=LIVE_FROM,
    risk_patience=timedelta(minutes=10),
    issues_unassessed=False,
    property_names=PROPERTY_NAMES,
)


def line(number: int = 1, quantity: int = 1, **more: Any) -> OrderLine:
    values: dict[str, Any] = {
        "id": f"gid://shopify/LineItem/{number}",
        "title": "Gift card",
        "sku": "CARD",
        "is_native": False,
        "quantity": quantity,
        "current_quantity": quantity,
        "price": PRICE,
        "paid": PRICE,
        "sold_in": "USD",
    }
    return OrderLine(**(values | more))


def order(*lines: OrderLine, **more: Any) -> WebOrder:
    values: dict[str, Any] = {
        "id": "gid://shopify/Order/9",
        "name": "#1001",
        "email": "casey@example.com",
        "customer_name": "Casey",
        "is_test": False,
        "source_name": "web",
        "created_at": PAID_AT,
        "processed_at": PAID_AT,
        "updated_at": PAID_AT,
        "cancelled_at": None,
        "status": "PAID",
        "is_fully_paid": True,
        "tags": frozenset(),
        "advice": Advice.ACCEPT,
        "is_assessed": True,
        "has_chargeback": False,
        "first_paid_at": PAID_AT,
        "last_paid_at": PAID_AT,
        "lines": lines or (line(),),
    }
    return WebOrder(**(values | more))


PARTLY_PAID: Mapping[str, Any] = {"status": "PARTIALLY_PAID"}
TAKEN = Past([Change(added=(Batch("1", 1, 1, PRICE),))])
TWO_TAKEN = Past([Change(added=(Batch("1", 1, 2, PRICE),))])


def decide(order: WebOrder, past: Past | None = None, **more: Any) -> object:
    return judge(order, past=past or Past(), rules=RULES, now=NOW, **more)


def test_a_paid_order_is_taken() -> None:
    assert decide(order(line(1, 2), line(2, 1))) == Take(
        (Batch("1", 1, 2, PRICE), Batch("2", 1, 1, PRICE))
    )


def test_lines_that_are_not_ours_are_no_matter() -> None:
    lines = (
        line(1, sku="LANTERN"),
        line(2, sku=None),
        line(3, is_native=True),
        line(4, price=Money.zero("USD")),
        line(5, sku=" card "),
    )
    assert decide(order(*lines)) == Take((Batch("5", 1, 1, PRICE),))


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        ({"status": "PENDING", "last_paid_at": None, "first_paid_at": None}, Waits),
        ({"status": "AUTHORIZED", "last_paid_at": None, "first_paid_at": None}, Waits),
        ({"status": "PARTIALLY_PAID"}, Waits),
        ({"status": "PARTIALLY_REFUNDED", "is_fully_paid": False}, Waits),
        ({"status": "PARTIALLY_REFUNDED"}, Take),
        ({"is_fully_paid": False}, Take),
        ({"status": "REFUNDED"}, NoCard),
        ({"status": "VOIDED", "last_paid_at": None, "first_paid_at": None}, Waits),
        ({"cancelled_at": NOW}, NoCard),
        ({"is_test": True}, NoCard),
        ({"last_paid_at": None, "first_paid_at": None}, Take),
        ({"lines": (line(1, 2, current_quantity=0),)}, NoCard),
        ({"is_assessed": False}, Waits),
        ({"is_assessed": False, "source_name": "pos"}, Take),
        ({"advice": Advice.NONE}, Take),
    ],
)
def test_a_new_order(changes: Mapping[str, Any], decision: type) -> None:
    assert isinstance(decide(order(**changes)), decision)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"advice": Advice.CANCEL}, Reason.ADVICE),
        ({"advice": Advice.INVESTIGATE}, Reason.ADVICE),
        ({"has_chargeback": True}, Reason.CHARGEBACK),
        ({"first_paid_at": LIVE_FROM - timedelta(days=1)}, Reason.PAID_BEFORE),
        ({"tags": frozenset({"Done"})}, Reason.TAGGED),
        ({"lines": (line(1), line(2, paid=Money(2499, "USD")))}, Reason.DISCOUNTED),
        ({"lines": (line(1, paid=Money(0, "USD")),)}, Reason.DISCOUNTED),
        ({"lines": (line(1), line(2, sold_in="EUR"))}, Reason.OTHER_CURRENCY),
        ({"email": None}, Reason.NO_ADDRESS),
        ({"email": "casey"}, Reason.NO_ADDRESS),
    ],
)
def test_it_is_held_until_the_office_lifts_the_reason(
    changes: Mapping[str, Any], reason: Reason
) -> None:
    risky = order(**changes)
    assert decide(risky) == Held((reason,))
    lifted = decide(risky, waved_through=frozenset(Reason))
    if reason is Reason.NO_ADDRESS:
        assert lifted == Held((reason,))
    else:
        assert isinstance(lifted, Take)
        assert lifted.let_through == (reason,)


def test_what_else_is_on_the_order_may_be_discounted_and_sold_in_any_currency() -> None:
    cheaper = line(2, sku="LANTERN", paid=Money(1, "USD"), sold_in="EUR")
    gone = line(3, current_quantity=0, paid=Money(1, "USD"), sold_in="EUR")
    assert isinstance(decide(order(line(1), cheaper, gone)), Take)


def test_what_was_paid_before_the_go_live_is_untouched_whatever_else_it_is() -> None:
    long_ago = LIVE_FROM - timedelta(seconds=1)
    for changes in ({}, {"is_test": True}, {"cancelled_at": NOW}, {"advice": Advice.CANCEL}):
        old = order(first_paid_at=long_ago, last_paid_at=long_ago, **changes)
        assert decide(old) == Untouched()
    free = order(processed_at=long_ago, first_paid_at=None, last_paid_at=None)
    assert decide(free) == Untouched()


def test_the_patience_for_an_assessment_counts_from_the_last_payment() -> None:
    pending = order(is_assessed=False, first_paid_at=PAID_AT - timedelta(hours=1))
    end = PAID_AT + RULES.risk_patience
    waits = judge(pending, past=Past(), rules=RULES, now=end - timedelta(seconds=1))
    assert isinstance(waits, Waits)
    assert waits.looks_again
    assert judge(pending, past=Past(), rules=RULES, now=end) == Held((Reason.UNASSESSED,))
    generous = replace(RULES, issues_unassessed=True)
    assert isinstance(judge(pending, past=Past(), rules=generous, now=end), Take)


def test_many_lines_are_taken_in_portions() -> None:
    lines = [line(number) for number in range(1, LINES_A_DECISION + 3)]
    first = decide(order(*lines))
    assert isinstance(first, Take)
    assert len(first.batches) == LINES_A_DECISION
    rest = decide(order(*lines), Past([Change(added=first.batches)]))
    assert isinstance(rest, Take)
    assert {batch.line for batch in rest.batches} == {
        str(LINES_A_DECISION + 1),
        str(LINES_A_DECISION + 2),
    }


@pytest.mark.parametrize(
    "changes",
    [{"status": "PARTIALLY_REFUNDED", "is_fully_paid": True}, {"status": "PAID"}],
    ids=["something else was added and paid", "the refund failed"],
)
def test_units_whose_money_was_given_back_are_not_taken_for_new_ones(changes: Any) -> None:
    back = Change(returned=(Unit("1", 1),), events=(Event.REFUNDED,))
    past = Past([*TAKEN.changes, back])
    assert decide(order(line(1), status="REFUNDED"), past) == Settled()
    added = order(line(1), line(2, sku="LANTERN"), **changes)
    assert decide(added, past) == Held((Reason.REFUNDED_BEFORE,))
    released = decide(added, past, waved_through=frozenset({Reason.REFUNDED_BEFORE}))
    assert released == Take((Batch("1", 2, 1, PRICE),), (Reason.REFUNDED_BEFORE,))


def test_units_that_never_were_taken_are_noted_as_well_once_their_money_is_back() -> None:
    made_none = Past([Change()])
    refunded = order(line(1), status="REFUNDED")
    assert decide(refunded, made_none) == GiveBack({}, still_count=True)
    noted = Past([*made_none.changes, Change(events=(Event.REFUNDED,))])
    assert decide(refunded, noted) == Settled()
    added = order(line(1), line(2, sku="LANTERN"), status="PARTIALLY_REFUNDED", is_fully_paid=True)
    assert decide(added, noted) == Held((Reason.REFUNDED_BEFORE,))
    of_others = order(line(1, sku="LANTERN"), status="REFUNDED")
    assert decide(of_others, made_none) == Settled()


def test_a_unit_added_behind_one_that_was_refunded_by_itself_is_taken() -> None:
    back = Past([*TAKEN.changes, Change(returned=(Unit("1", 1),))])
    assert decide(order(line(1)), back) == Take((Batch("1", 2, 1, PRICE),))


def test_afterwards() -> None:
    one, two = line(1, 1), line(1, 2)
    assert decide(order(one), TAKEN) == Settled()
    assert decide(order(two), TAKEN) == Take((Batch("1", 2, 1, PRICE),))
    assert decide(order(one), TWO_TAKEN) == GiveBack({"1": 1})
    assert decide(order(one, status="REFUNDED"), TAKEN) == GiveBack({"1": 1}, still_count=True)
    assert decide(order(two, status="REFUNDED"), TWO_TAKEN) == GiveBack({"1": 2}, still_count=True)
    none_left = line(1, 1, current_quantity=0)
    assert decide(order(none_left, status="REFUNDED"), TAKEN) == GiveBack({"1": 1})
    assert decide(order(line(2)), TAKEN) == GiveBack({"1": 1})
    assert decide(order(one, has_chargeback=True), TAKEN) == Tell(Event.CHARGEBACK)
    assert decide(order(one, cancelled_at=NOW), TAKEN) == Tell(Event.CANCELLED)
    for unpaid in ({"status": "PARTIALLY_REFUNDED", "is_fully_paid": False}, PARTLY_PAID):
        assert decide(order(two, **unpaid), TAKEN) == Waits(
            "it is not fully paid yet", looks_again=False
        )
    told = Past([*TAKEN.changes, Change(events=tuple(Event))])
    assert decide(order(one, has_chargeback=True, cancelled_at=NOW), told) == Settled()
    assert decide(order(two, cancelled_at=NOW), told) == Settled()


def test_a_card_that_shopify_sells_no_more_as_ours_can_still_be_given_back() -> None:
    renamed = line(1, 2, sku="OLD", current_quantity=1)
    assert decide(order(renamed), TWO_TAKEN) == GiveBack({"1": 1})


# ---------------------------------------------------------------------- which units are given back


def test_the_unit_that_nobody_misses_is_given_back() -> None:
    def fact(number: int, stage: Stage, spent: int = 0) -> UnitFacts:
        return UnitFacts(Unit("1", number), stage, spent)

    facts = [
        fact(1, Stage.SENT, 500),
        fact(2, Stage.SENT),
        fact(3, Stage.SENT),
        fact(4, Stage.MADE),
        fact(5, Stage.BEGUN),
        fact(6, Stage.UNMADE),
        fact(7, Stage.UNMADE),
        fact(8, Stage.SENT, 2500),
    ]
    chosen = [unit.number for unit in units_to_give_back(facts, 8)]
    assert chosen == [7, 6, 5, 4, 3, 2, 1, 8]


@given(
    st.lists(st.tuples(st.sampled_from(Stage), st.integers(0, 3)), max_size=12),
    st.integers(0, 15),
)
def test_never_more_are_given_back_than_asked_nor_one_twice(
    rows: list[tuple[Stage, int]], count: int
) -> None:
    facts = [UnitFacts(Unit("1", n), stage, spent) for n, (stage, spent) in enumerate(rows, 1)]
    chosen = units_to_give_back(facts, count)
    assert len(chosen) == len(set(chosen)) == min(count, len(facts))
    kept = [one for one in facts if one.unit not in chosen]
    taken = [one for one in facts if one.unit in chosen]
    for one in taken:
        for other in kept:
            assert (one.stage, one.spent_minor) <= (other.stage, other.spent_minor)


# --------------------------------------------------------------------- any history of one order


@dataclass
class Story:
    """An order whose lines go up and down, and what we have done with it."""

    quantities: dict[int, int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    is_paid: bool = True

    def order(self) -> WebOrder:
        return order(
            *(line(n, max(1, q), current_quantity=q) for n, q in self.quantities.items()),
            status="PAID" if self.is_paid else "PARTIALLY_PAID",
        )

    def catch_up(self) -> None:
        """Do what is decided until nothing is left to do."""
        for _ in range(100):
            past = Past(self.changes)
            decision = judge(self.order(), past=past, rules=RULES, now=NOW)
            if isinstance(decision, Take):
                self.changes.append(Change(added=decision.batches))
            elif isinstance(decision, GiveBack):
                chosen: list[Unit] = []
                for number, count in decision.units.items():
                    facts = [
                        UnitFacts(Unit(number, unit), Stage.SENT, 0)
                        for unit in past.live_units(number)
                    ]
                    chosen += units_to_give_back(facts, count)
                self.changes.append(Change(returned=tuple(chosen)))
            elif isinstance(decision, NoCard):
                self.changes.append(Change())
            else:
                assert isinstance(decision, Settled | Waits)
                return
        raise AssertionError("it never settled")


STEPS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 5), st.booleans()), min_size=1, max_size=12
)


@given(STEPS)
def test_whatever_happens_to_an_order_its_live_units_follow_and_no_number_is_used_twice(
    steps: list[tuple[int, int, bool]],
) -> None:
    story = Story()
    for number, quantity, is_paid in steps:
        story.quantities[number] = quantity
        story.is_paid = is_paid
        before = Past(story.changes)
        live_before = {n: set(before.live_units(str(n))) for n in story.quantities}
        story.catch_up()
        past = Past(story.changes)
        units = [
            (batch.line, unit)
            for change in story.changes
            for batch in change.added
            for unit in batch.units
        ]
        assert len(units) == len(set(units))
        assert [unit for change in story.changes for unit in change.returned] == list(
            dict.fromkeys(unit for change in story.changes for unit in change.returned)
        )
        for n, wanted in story.quantities.items():
            live = set(past.live_units(str(n)))
            # What is on the order lives; what was added and is not paid does not yet.
            assert len(live) == wanted or (not is_paid and len(live) < wanted)
            if len(live) >= len(live_before[n]):
                assert live >= live_before[n]  # nobody's neighbour was touched
            else:
                assert live < live_before[n]
                assert min(live_before[n] - live) > max(live, default=0)


# --------------------------------------------------------------------------------- what givers wish

SELLING = SellingRules()
TODAY = date(2026, 11, 24)


def wishes(properties: Mapping[str, str], **more: Any) -> Any:
    return read_wishes(
        line(properties=properties),
        order(**more),
        rules=RULES,
        selling=SELLING,
        time_zone="America/New_York",
        today=TODAY,
    )


def test_without_wishes_the_purchaser_gets_the_card_now() -> None:
    plain = wishes({})
    assert (plain.recipient_name, plain.recipient_email) == ("Casey", "casey@example.com")
    assert not plain.is_gift
    assert plain.theme == "Standard"
    assert plain.send_on is None
    assert plain.remarks == ()


def test_a_gift_to_oneself_is_none() -> None:
    assert not wishes({"Recipient email": "Casey+1@EXAMPLE.com"}).is_gift
    assert wishes({"Recipient email": "mina@example.com"}).is_gift


@pytest.mark.parametrize(
    ("typed", "day", "remarks"),
    [
        ("2026-12-24", date(2026, 12, 24), 0),
        ("2026-11-24", None, 0),
        ("2026-11-01", None, 0),
        ("24.12.", None, 1),
        ("2031-01-01", None, 1),
        ("", None, 0),
        ("2026-12-24T02:00:00Z", date(2026, 12, 23), 0),
    ],
)
def test_the_day_to_send_on(typed: str, day: date | None, remarks: int) -> None:
    wished = wishes({"Send on": typed})
    assert wished.send_on == day
    assert len(wished.remarks) == remarks


@given(
    st.dictionaries(
        st.sampled_from([*PROPERTY_NAMES.values(), "Engraving"]), st.text(max_size=3000)
    )
)
def test_whatever_is_typed_somebody_gets_the_card(properties: Mapping[str, str]) -> None:
    wished = wishes(properties)
    assert wished.recipient_email
    assert len(wished.recipient_name) <= 100
    assert len(wished.message) <= 500
    assert wished.theme in SELLING.themes
    assert "\n" not in wished.recipient_name
