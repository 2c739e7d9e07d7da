"""docs/costs.md says what an idle month costs, and how far that is from what it was to cost."""

import re
from decimal import ROUND_HALF_UP, Decimal

import pytest

from tests.cloudformation import load_template
from tests.documents.costs import (
    DOCUMENT,
    MINUTES,
    Line,
    Work,
    idle_hour,
    reckon,
    total,
)
from tests.template.reading import FUNCTION, events, of_type

# What an idle month was to cost at most, in dollars: at list price, and beyond the free tier.
BUDGET = (Decimal(12), Decimal(5))


@pytest.fixture(scope="module")
def hour() -> dict[str, Work]:
    return idle_hour()


@pytest.mark.parametrize("name", DOCUMENT.sections)
def test_the_document_says_what_the_reckoning_does(name: str) -> None:
    assert DOCUMENT.section(name) == DOCUMENT.sections[name](), "`make docs` writes it anew"


def test_every_timer_rang_as_often_as_the_template_says(hour: dict[str, Work]) -> None:
    timed = {
        name: function
        for name, function in of_type(load_template(), FUNCTION).items()
        if events(function, "Schedule")
    }
    assert {name: hour[name].runs for name in timed} == {
        "StoreTransactions": 4 * MINUTES,
        "ShopifyPurchases": 2 * MINUTES,
        "ShopifyRedemptions": 2 * MINUTES,
        "Sweep": MINUTES // 2,
        "Reconcile": MINUTES // 5,
    }


def test_an_idle_hour_moves_nothing(hour: dict[str, Work]) -> None:
    at_rest = ("AnswerStore", "IssueCards", "DeliverToCustomer", "AdjustBalance", "TagOrder")
    assert not [name for name in at_rest if hour[name].runs]


def test_the_document_owns_up_to_what_the_budget_lacks(hour: dict[str, Work]) -> None:
    over = [
        (spent - wanted).quantize(Decimal(1), ROUND_HALF_UP)
        for spent, wanted in zip(total(reckon(hour)), BUDGET, strict=True)
    ]
    told = re.search(r"about (\d+) dollars over the one and about (\d+) over", DOCUMENT.text)
    assert told, "say how far from the budget it is"
    assert [Decimal(each) for each in told.groups()] == over


def test_what_is_free_costs_nothing_and_what_is_beyond_does() -> None:
    line = Line("alarms", Decimal(12), "", Decimal("0.10"), free=Decimal(10))
    assert (line.listed, line.paid) == (Decimal("1.20"), Decimal("0.20"))
    assert Line("alarms", Decimal(9), "", Decimal("0.10"), free=Decimal(10)).paid == 0
