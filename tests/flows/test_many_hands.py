"""The web, a store, staff and a till use one card in any order: receipts come to its balance."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.faults import Fault
from sandbox.shopify.orders import CASH, TransactionKind
from sandbox.shopify.refusals import Refusal
from sandbox.shopify.shop import GiftCard
from tests.web_spending import CODE, check_in_step, load, look, operations, order, rest
from tests.world import World, running_world

pytestmark = pytest.mark.slow

LOADED = 200

# A history of so many acts has several of each kind, and is told in some tenths of a second.
MOST_ACTS = 14
HISTORIES = 50


@dataclass(frozen=True)
class Hands:
    """A card in a world, and what people do with it; what Shopify refuses did not happen."""

    world: World
    card: GiftCard

    def pay(self, cents: int) -> None:
        order(self.world, (CODE, _major(cents)))

    def authorise(self, cents: int) -> None:
        order(self.world, (CODE, _major(cents)), is_captured=False)

    def capture(self, cents: int) -> None:
        for placed in self.world.shop.orders.all:
            if placed.reserved > 0:
                amount = min(placed.reserved, Decimal(cents) / 100)
                self.world.shop.orders.capture(placed.id, amount)
                return

    def void(self, cents: int) -> None:
        for placed in self.world.shop.orders.all:
            if placed.reserved > 0:
                self.world.shop.orders.void(placed.id)
                if cents % 2:
                    return

    def refund(self, cents: int) -> None:
        placed = self.world.shop.orders.all[-1]
        self.world.shop.orders.refund(placed.id, units={}, amount=Decimal(cents) / 100)

    def refund_in_cash(self, cents: int) -> None:
        placed = self.world.shop.orders.all[-1]
        amount = Decimal(cents) / 100
        self.world.shop.orders.refund(placed.id, units={}, amount=amount, other_tender=CASH)

    def redeem(self, cents: int) -> None:
        self.world.ask(Gift_Card_Code=CODE, Amount=float(Decimal(cents) / 100))
        self.world.tick()

    def redeem_and_hear_nothing(self, cents: int) -> None:
        self.world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
        self.redeem(cents)

    def credit(self, cents: int) -> None:
        self.world.shop.credit(self.card.id, amount=Decimal(cents) / 100, note="sorry")

    def debit(self, cents: int) -> None:
        self.world.shop.debit(self.card.id, amount=Decimal(cents) / 100)

    def cash_out(self, cents: int) -> None:
        self.world.shop.cash_out(self.card.id, Decimal(cents) / 100)

    def look(self, cents: int) -> None:
        look(self.world, 1 + cents % 3)

    def wait(self, cents: int) -> None:
        self.world.advance(cents)


ACTS: tuple[Callable[[Hands, int], None], ...] = (
    Hands.pay,
    Hands.authorise,
    Hands.capture,
    Hands.void,
    Hands.refund,
    Hands.refund_in_cash,
    Hands.redeem,
    Hands.redeem_and_hear_nothing,
    Hands.credit,
    Hands.debit,
    Hands.cash_out,
    Hands.look,
    Hands.wait,
)


def _major(cents: int) -> str:
    return f"{Decimal(cents) / 100}"


@settings(
    max_examples=HISTORIES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    acts=st.lists(
        st.tuples(st.sampled_from(ACTS), st.integers(min_value=1, max_value=4000)),
        max_size=MOST_ACTS,
    ),
    shown=st.booleans(),
    are_text=st.booleans(),
    nameless=st.sampled_from([(), (TransactionKind.REFUND, TransactionKind.CAPTURE)]),
    search_lag=st.sampled_from([0, 400, 900]),
)
def test_receipts_come_to_the_balance_to_the_cent(
    *,
    acts: list[tuple[Callable[[Hands, int], None], int]],
    shown: bool,
    are_text: bool,
    nameless: tuple[TransactionKind, ...],
    search_lag: int,
) -> None:
    with running_world() as world:
        world.shop.checkout_in_transactions = shown
        world.shop.orders.receipts_are_text = are_text
        world.shop.orders.kinds_without_receipt = frozenset(nameless)
        world.shop.set_search_lag(search_lag)
        hands = Hands(world, load(world, LOADED))
        look(world)
        for act, cents in acts:
            with suppress(Refusal, IndexError):  # so much is not there, or no order at all
                act(hands, cents)
        rest(world)
        hands.void(0)  # what is only kept back is no receipt's
        world.advance(search_lag)
        rest(world)
        check_in_step(world, hands.card)
        assert not operations(world, "late")
