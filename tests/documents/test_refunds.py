"""docs/refunds.md: one test for each cell of the matrix, and the document says what they say.

What has to come of an order is written down here by hand, from what a retailer would expect; the
document shows what came of it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest

from tests.documents.refunds import (
    CARD,
    CARD_AND_CREDIT,
    CUSTOMER,
    DOCUMENT,
    EVENTS,
    HOLD,
    TWO_CARDS,
    WITH_NATIVE,
    live_through,
)
from tests.world import OFFICE

pytestmark = pytest.mark.slow

# The paying cards after 93.00 were paid, the first card first; after 34.00 came back, to the oldest
# payment first; and after everything did.
PAID: Mapping[str, Sequence[str]] = {
    CARD: ("7",),
    CARD_AND_CREDIT: ("0",),
    TWO_CARDS: ("0", "17"),
    WITH_NATIVE: ("0", "17"),
}
PARTLY_BACK: Mapping[str, Sequence[str]] = {
    CARD: ("41",),
    CARD_AND_CREDIT: ("34",),
    TWO_CARDS: ("34", "17"),
    WITH_NATIVE: ("34", "17"),
}

ACTIVE, DISABLED, FROZEN = "Active", "Disabled", "Frozen"
DELIVERED = "Gift Card Delivered"

PURCHASE, PAYMENT, REFUND = "Purchase", "Payment", "Refund"


@dataclass(frozen=True, slots=True)
class Expected:
    """What has to come of an order, whichever way it was paid.

    `bought` are the cards it bought, `status` is what the order's own row reads, `returned` and
    `frozen` count cards that were taken out of use; `refunds` says how much came back to the cards.
    """

    balances: Mapping[str, Sequence[str]]
    bought: Sequence[tuple[str, str]] = (("25", ACTIVE),)
    status: str = "Processed"
    refunds: Mapping[str, Sequence[str]] | None = None
    delivered: int = 1
    returned: int = 0
    frozen: int = 0
    office_mails: int = 0


def everything(payment: str) -> Sequence[str]:
    """What each paying card paid, and gets back when everything is given back."""
    return [
        str(Decimal(held) - Decimal(left))
        for held, left in zip(HOLD[payment], PAID[payment], strict=True)
    ]


ALL_BACK = {payment: everything(payment) for payment in HOLD}
ONE_BACK = dict.fromkeys(HOLD, ("34",))

EXPECTED: Mapping[str, Expected] = {
    "paid": Expected(PAID),
    "full refund": Expected(
        HOLD, bought=[("25", DISABLED)], refunds=ALL_BACK, returned=1, office_mails=1
    ),
    "partial refund": Expected(PARTLY_BACK, refunds=ONE_BACK),
    "other tender": Expected(PAID, bought=[("25", DISABLED)], returned=1, office_mails=1),
    "cancel before": Expected(HOLD, bought=(), status="No Card", refunds=ALL_BACK, delivered=0),
    "cancel after": Expected(
        HOLD, bought=[("25", DISABLED)], refunds=ALL_BACK, returned=1, office_mails=1
    ),
    "edit adds": Expected(PAID, bought=[("25", ACTIVE), ("25", ACTIVE)], delivered=2),
    "edit removes": Expected(PAID, bought=[("25", DISABLED)], returned=1, office_mails=1),
    "chargeback": Expected(PAID, bought=[("25", FROZEN)], frozen=1, office_mails=1),
    "subscription": Expected(PAID),
    "draft": Expected(PAID),
    "test": Expected(PAID, bought=(), status="No Card", delivered=0),
    "pos": Expected(PAID),
}


@pytest.mark.parametrize("payment", HOLD)
@pytest.mark.parametrize("event", EVENTS)
def test_cell(event: str, payment: str) -> None:
    cell = live_through(payment, EVENTS[event])
    expected = EXPECTED[event]
    refunds = [] if expected.refunds is None else list(expected.refunds[payment])

    assert cell.differences == ()
    assert list(cell.balances) == [Decimal(amount) for amount in expected.balances[payment]]
    assert sorted(cell.bought) == sorted(
        (Decimal(amount), stands) for amount, stands in expected.bought
    )
    assert Counter(cell.rows) == Counter(
        [
            (PURCHASE, expected.status, worth(expected)),
            *((PAYMENT, "Processed", Decimal(amount)) for amount in everything(payment)),
            *((REFUND, "Processed", Decimal(amount)) for amount in refunds),
        ]
    )
    cards = len(expected.bought)
    assert cell.receipts == Counter(
        {
            "Sell on the web, Done": cards,
            "Order without card, Done": int(expected.status == "No Card"),
            "Send to customer, Done": expected.delivered,
            "Pay on the web, Done": len(HOLD[payment]),
            "Refund on the web, Done": len(refunds),
            "Return card, Done": expected.returned,
            "Freeze card, Done": expected.frozen,
        }
    )
    assert Counter(to for to, _ in cell.mails.elements()) == Counter(
        {CUSTOMER: expected.delivered, OFFICE: expected.office_mails}
    )


def worth(expected: Expected) -> Decimal | None:
    """What the order's own row reads: what those of its cards are worth that were not returned."""
    if expected.status == "No Card":
        return None
    kept = [amount for amount, stands in expected.bought if stands != DISABLED]
    return sum(map(Decimal, kept), Decimal(0))


def test_the_document_says_so() -> None:
    assert DOCUMENT.section("matrix") == DOCUMENT.sections["matrix"]()
