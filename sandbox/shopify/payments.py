"""How money gets onto an order and back: one transaction per payer and step, cards really moved.

A gift card is debited when it is authorised or sold; a capture only writes that down, and a void
gives back what was not captured. Whether the real Shopify debits at the authorisation is not
published; either way the card cannot be spent twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox.shopify.orders import (
    CREDIT_CARD,
    GIFT_CARD,
    ZERO,
    Order,
    OrderTransaction,
    TransactionKind,
    TransactionStatus,
)
from sandbox.shopify.refusals import Refusal

if TYPE_CHECKING:
    from sandbox.shopify.shop import GiftCard, Shop

FIRST_TRANSACTION_NUMBER = 6_900_100_000_001


@dataclass(frozen=True, slots=True)
class Pay:
    """How an order is paid: gift cards first, one after the other, and the rest by one gateway.

    `cards` are codes as customers type them, alone or with the amount to take; alone, a card pays
    as much as it can. `rest_by` None: the cards have to suffice. Not `is_captured`: everything is
    only authorised.
    """

    cards: Sequence[str | tuple[str, Decimal]] = ()
    rest_by: str | None = CREDIT_CARD
    is_captured: bool = True


class Payments:
    """The till of one shop: it writes transactions on orders and moves the cards behind them."""

    def __init__(self, shop: "Shop") -> None:
        self._shop = shop
        self._next = FIRST_TRANSACTION_NUMBER

    # ---- taking -----------------------------------------------------------------------------

    def take(
        self,
        order: Order,
        pay: Pay,
        rest_by: str | None,
        moment: datetime,
    ) -> None:
        """Pay what is outstanding; raises `Refusal` before anything has moved."""
        rest = order.outstanding
        shares: list[tuple[GiftCard, Decimal]] = []
        for given in pay.cards:
            code, amount = given if isinstance(given, tuple) else (given, None)
            card = self.find_card(code)
            if any(each is card for each, _ in shares):
                raise Refusal(None, "This gift card is applied already.", ["giftCardCode"])
            self._check_spendable(card)
            share = min(card.balance, rest) if amount is None else amount
            if not 0 < share <= min(card.balance, rest):
                raise Refusal(
                    "INSUFFICIENT_FUNDS", "The gift card has not enough for this.", ["amount"]
                )
            shares.append((card, share))
            rest -= share
        if rest > 0 and rest_by is None:
            raise Refusal(None, "The gift cards do not cover the order.", ["payment"])
        kind = TransactionKind.SALE if pay.is_captured else TransactionKind.AUTHORIZATION
        for card, share in shares:
            self._shop.spend_on_web(card.id, share)
            self.write(order, kind, share, moment, card=card)
        if rest > 0:
            self.write(order, kind, rest, moment, gateway=rest_by)

    def find_card(self, code: str) -> "GiftCard":
        """The card with that code, blanks and dashes and capitals as they come."""
        typed = "".join(code.split()).replace("-", "").lower()
        for card in self._shop.cards:
            if card.code == typed:
                return card
        raise Refusal(None, "Enter a valid gift card or discount code.", ["giftCardCode"])

    def _check_spendable(self, card: "GiftCard") -> None:
        if not card.enabled:
            raise Refusal(None, "This gift card is disabled.", ["giftCardCode"])
        if self._shop.is_expired(card):
            raise Refusal(None, "This gift card has expired.", ["giftCardCode"])
        if card.balance <= 0:
            raise Refusal(None, "This gift card is empty.", ["giftCardCode"])

    def capture(self, order: Order, amount: Decimal | None, moment: datetime) -> None:
        """Take what is authorised, or `amount` of it."""
        rest = order.reserved if amount is None else amount
        if not 0 < rest <= order.reserved:
            raise Refusal(None, "Cannot capture more than what is authorised.", ["amount"])
        for authorization in order.authorizations:
            share = min(rest, order.open_amount(authorization))
            if share > 0:
                self._follow(order, authorization, TransactionKind.CAPTURE, share, moment)
                rest -= share

    def void(self, order: Order, moment: datetime) -> None:
        """Let go of what is authorised and not captured; raises `Refusal` before it does."""
        for authorization in order.authorizations:
            if order.open_amount(authorization) > 0 and authorization.card_id is not None:
                self._check_takes_back(authorization.card_id)
        for authorization in order.authorizations:
            share = order.open_amount(authorization)
            if share > 0:
                if authorization.card_id is not None:
                    self._shop.return_to_card(authorization.card_id, share)
                self._follow(order, authorization, TransactionKind.VOID, share, moment)

    # ---- giving back ------------------------------------------------------------------------

    def give_back(
        self,
        order: Order,
        amount: Decimal,
        shares: Mapping[str, Decimal] | None,
        other_tender: str | None,
        moment: datetime,
    ) -> list[str]:
        """Give `amount` back; returns the new transactions' ids."""
        ids: list[str] = []
        for payment, share in self.check_give_back(order, amount, shares, other_tender):
            if other_tender is not None:
                written = self.write(
                    order,
                    TransactionKind.REFUND,
                    share,
                    moment,
                    gateway=other_tender,
                    parent=payment,
                )
            else:
                if payment.card_id is not None:
                    self._shop.return_to_card(payment.card_id, share)
                written = self._follow(order, payment, TransactionKind.REFUND, share, moment)
            ids.append(written.id)
        return ids

    def check_give_back(
        self,
        order: Order,
        amount: Decimal,
        shares: Mapping[str, Decimal] | None,
        other_tender: str | None,
    ) -> list[tuple[OrderTransaction, Decimal]]:
        """Which payment gives how much back; raises `Refusal` where one cannot."""
        rest = amount
        plan: list[tuple[OrderTransaction, Decimal]] = []
        for payment in order.payments:
            most = order.refundable(payment)
            share = min(rest, most) if shares is None else shares.get(payment.id, ZERO)
            if not 0 <= share <= most:
                raise Refusal(None, "Cannot refund more than this payment took.", ["transactions"])
            if share > 0:
                plan.append((payment, share))
                rest -= share
        if rest != 0:
            raise Refusal(None, "The shares do not add up to the refund.", ["transactions"])
        for payment, _ in plan:
            back_to = None if other_tender is not None else payment.card_id
            if back_to is not None:
                self._check_takes_back(back_to)
        return plan

    def _check_takes_back(self, card_id: str) -> None:
        if not self._shop.card(card_id).enabled:
            raise Refusal(None, "The gift card is deactivated.", ["transactions"])

    # ---- writing ----------------------------------------------------------------------------

    def _follow(
        self,
        order: Order,
        parent: OrderTransaction,
        kind: TransactionKind,
        amount: Decimal,
        moment: datetime,
    ) -> OrderTransaction:
        """One more step of a payment, by the same means."""
        card = None if parent.card_id is None else self._shop.card(parent.card_id)
        return self.write(
            order, kind, amount, moment, card=card, gateway=parent.gateway, parent=parent
        )

    def write(
        self,
        order: Order,
        kind: TransactionKind,
        amount: Decimal,
        moment: datetime,
        *,
        card: "GiftCard | None" = None,
        gateway: str | None = None,
        parent: OrderTransaction | None = None,
        status: TransactionStatus = TransactionStatus.SUCCESS,
    ) -> OrderTransaction:
        """Write one transaction onto an order. Moves nothing by itself."""
        names_card = card is not None and kind not in self._shop.orders.kinds_without_receipt
        number = self._next
        self._next += 1
        transaction = OrderTransaction(
            id=f"gid://shopify/OrderTransaction/{number}",
            number=number,
            kind=kind,
            status=status,
            gateway=GIFT_CARD if card is not None else (gateway or ""),
            amount=amount,
            processed_at=moment,
            parent_id=None if parent is None else parent.id,
            card_id=None if card is None else card.id,
            receipt=(
                {"gift_card_id": card.number, "gift_card_last_characters": card.last_characters}
                if card is not None and names_card
                else {}
            ),
        )
        order.transactions.append(transaction)
        return transaction
