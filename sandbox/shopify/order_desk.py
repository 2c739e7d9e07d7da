"""What happens to orders: they are placed, paid, assessed, tagged, edited, refunded, cancelled.

`shop.orders` is the one desk of a shop. Everybody acts here as somebody real would: the customer at
the checkout, the clerk in the admin, the customer's bank. Gift cards that pay are really debited,
and never below nothing; a refund to one really raises its balance. Neither makes a transaction on
the card (see `checkout_in_transactions` of the shop).

Every change raises the order's `updated_at` and reaches the search index after its lag; the one
exception is the risk assessment, which arrives by itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from sandbox.shopify.catalog import Product, Variant, standard_products
from sandbox.shopify.native_cards import ShopifyMail, issue_native_cards
from sandbox.shopify.orders import (
    CREDIT_CARD,
    TEST_GATEWAY,
    ZERO,
    CancelReason,
    Dispute,
    DisputeStatus,
    FinancialStatus,
    LineItem,
    Order,
    OrderIndexEntry,
    Recommendation,
    Refund,
    RefundLine,
    Risk,
    SourceName,
    TransactionKind,
    TransactionStatus,
)
from sandbox.shopify.payments import Pay, Payments
from sandbox.shopify.refusals import Refusal

if TYPE_CHECKING:
    from sandbox.shopify.shop import Shop

FIRST_ORDER_NUMBER = 5_612_345_000_001
FIRST_ORDER_NAME = 1001
FIRST_LINE_NUMBER = 13_770_200_000_001
FIRST_REFUND_NUMBER = 929_361_000_001
FIRST_DISPUTE_NUMBER = 59_000_001

# Shopify's limits for tags of an order.
MOST_TAGS = 250
LONGEST_TAG = 40


@dataclass(frozen=True, slots=True)
class CartLine:
    """Some units of one variant, by its SKU or its global id, as a customer puts them in.

    `discount` is off each unit's price, `sold_in` the currency the customer was shown.
    """

    item: str
    quantity: int = 1
    properties: Mapping[str, str] = field(default_factory=dict)
    discount: Decimal = Decimal(0)
    sold_in: str | None = None


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """Everything about an order that is not its lines or its payment.

    `risk` is what Shopify will advise, `risk_after_seconds` when (None: the desk's own delay).
    """

    email: str | None = "customer@customers.example.com"
    customer_name: str | None = "Casey Customer"
    source_name: SourceName = SourceName.WEB
    is_test: bool = False
    risk: Recommendation = Recommendation.ACCEPT
    risk_after_seconds: float | None = None
    note: str | None = None


class Orders:
    """The orders of one shop, and its products.

    Switches, for what nobody could confirm or what really varies:

    risk_delay_seconds           how long Shopify takes to assess an order
    receipts_are_text            `receiptJson` is a string of JSON instead of an object
    kinds_without_receipt        receipts of these kinds of transactions don't name the gift card
    pending_risk_is_listed       an assessment not made yet shows as one of level PENDING
    """

    def __init__(self, shop: "Shop") -> None:
        self.products: tuple[Product, ...] = standard_products()
        self.risk_delay_seconds = 0.0
        self.receipts_are_text = True
        self.kinds_without_receipt: frozenset[TransactionKind] = frozenset()
        self.pending_risk_is_listed = True
        self._shop = shop
        self._payments = Payments(shop)
        self._orders: dict[str, Order] = {}
        self._mails: list[ShopifyMail] = []
        self._tag_lag = timedelta(0)
        self._next_line = FIRST_LINE_NUMBER
        self._next_refund = FIRST_REFUND_NUMBER
        self._next_dispute = FIRST_DISPUTE_NUMBER

    # ---- looking ----------------------------------------------------------------------------

    @property
    def all(self) -> list[Order]:
        """Every order, oldest first."""
        with self._shop.at_rest():
            return list(self._orders.values())

    def find(self, order_id: str) -> Order | None:
        """The order with that global id, or None."""
        with self._shop.at_rest():
            return self._orders.get(order_id)

    def get(self, order_id: str) -> Order:
        """The order with that global id; `KeyError` when there is none."""
        with self._shop.at_rest():
            return self._orders[order_id]

    @property
    def mails(self) -> list[ShopifyMail]:
        """The mails that Shopify itself has sent by now, oldest first."""
        with self._shop.at_rest():
            now = self._shop.now()
            return [mail for mail in self._mails if mail.at <= now]

    @property
    def tag_lag(self) -> timedelta:
        """How long a tag takes to reach the search index, at least."""
        return self._tag_lag

    def set_tag_lag(self, seconds: float) -> None:
        """How long a tag takes to reach the search index, where that is longer than the rest."""
        self._tag_lag = timedelta(seconds=seconds)

    def index_entry(self, order: Order, *, stale_seconds: float = 0.0) -> OrderIndexEntry | None:
        """What the search index knows of the order by now; None while it does not know it."""
        now = self._shop.now()
        lag = max(self._shop.search_lag, timedelta(seconds=stale_seconds))
        known = [each for each in order.index if each.written_at <= now - lag]
        if not known:
            return None
        newest = known[-1]
        tags_until = now - max(lag, self._tag_lag)
        tagged = [each for each in order.index if each.written_at <= tags_until]
        return replace(newest, tags=tagged[-1].tags if tagged else ())

    # ---- the customer -----------------------------------------------------------------------

    def place(
        self,
        cart: Sequence[CartLine],
        pay: Pay | None = None,
        *,
        plan: OrderPlan | None = None,
        at: datetime | None = None,
    ) -> Order:
        """Place an order; without `pay` it is left to be paid. `at` backdates it.

        Raises `Refusal`, and then nothing has happened: no order, nothing off any card.
        """
        plan = plan or OrderPlan()
        with self._shop.at_rest():
            moment = self._moment(at)
            if not cart:
                raise Refusal(None, "The cart is empty.", ["lines"])
            number = FIRST_ORDER_NUMBER + len(self._orders)
            order = Order(
                id=f"gid://shopify/Order/{number}",
                number=number,
                name=f"#{FIRST_ORDER_NAME + len(self._orders)}",
                created_at=moment,
                updated_at=moment,
                processed_at=moment,
                email=plan.email,
                customer_name=plan.customer_name,
                source_name=plan.source_name,
                is_test=plan.is_test,
                risk=Risk(
                    Recommendation.NONE,
                    is_assessed=False,
                    exempt=plan.source_name is SourceName.POS,
                ),
                note=plan.note,
            )
            order.lines = [self._new_line(line) for line in cart]
            if pay is not None:
                self._payments.take(order, pay, self._gateway(order, pay), moment)
            self._orders[order.id] = order
            self._expect_assessment(order, plan, moment)
            self._finish(order, FinancialStatus.PENDING, moment)
            return order

    def pay(self, order_id: str, pay: Pay, *, at: datetime | None = None) -> Order:
        """Pay what is outstanding: an invoice, a bank transfer, a unit added by an edit."""
        with self._changing(order_id, at) as (order, moment):
            if order.outstanding <= 0 or order.cancelled_at is not None:
                raise Refusal(None, "There is nothing to pay.", ["id"])
            self._payments.take(order, pay, self._gateway(order, pay), moment)
        return order

    def note_failed_payment(
        self,
        order_id: str,
        code: str,
        amount: Decimal,
        status: TransactionStatus = TransactionStatus.FAILURE,
    ) -> None:
        """A gift card did not pay: the order keeps a sale that moved nothing."""
        with self._changing(order_id, None) as (order, moment):
            card = self._payments.find_card(code)
            self._payments.write(
                order, TransactionKind.SALE, amount, moment, card=card, status=status
            )

    # ---- the office -------------------------------------------------------------------------

    def capture(
        self, order_id: str, amount: Decimal | None = None, *, at: datetime | None = None
    ) -> Order:
        """Take what is authorised, or `amount` of it, oldest authorisation first."""
        with self._changing(order_id, at) as (order, moment):
            self._payments.capture(order, amount, moment)
        return order

    def void(self, order_id: str, *, at: datetime | None = None) -> Order:
        """Let go of what is authorised and not captured; gift cards get it back."""
        with self._changing(order_id, at) as (order, moment):
            if order.reserved <= 0:
                raise Refusal(None, "Nothing is authorised.", ["id"])
            self._payments.void(order, moment)
        return order

    def refund(
        self,
        order_id: str,
        *,
        units: Mapping[str, int] | None = None,
        amount: Decimal | None = None,
        shares: Mapping[str, Decimal] | None = None,
        other_tender: str | None = None,
        note: str | None = None,
        at: datetime | None = None,
    ) -> Refund:
        """Give back `units` (by line id; None: all that are left) and `amount`.

        `amount` None is what the units cost, as far as it was not given back yet. It goes where it
        came from, oldest payment first, or as `shares` says (by the payment's transaction id); or
        to `other_tender`, a gateway such as `cash`. Raises `Refusal` before anything has happened.
        """
        with self._changing(order_id, at) as (order, moment):
            lines = self._refund_lines(order, self._units_left(order) if units is None else units)
            cost = sum((each.subtotal for each in lines), ZERO)
            left = order.received - order.refunded
            wanted = min(cost, left) if amount is None else amount
            if wanted < 0 or wanted > left:
                raise Refusal(None, "Cannot refund more than what was paid.", ["amount"])
            if not lines and wanted == 0:
                raise Refusal(None, "There is nothing to refund.", ["lines"])
            given = self._payments.give_back(order, wanted, shares, other_tender, moment)
            refund = Refund(
                id=f"gid://shopify/Refund/{self._next_refund}",
                number=self._next_refund,
                created_at=moment,
                note=note,
                lines=tuple(lines),
                transaction_ids=tuple(given),
                total=wanted,
            )
            self._write_refund(order, refund)
        self._shop.webhooks.tell_of_refund(self._shop, order, refund)
        return refund

    def cancel(
        self,
        order_id: str,
        reason: CancelReason = CancelReason.CUSTOMER,
        *,
        is_refunded: bool = True,
        at: datetime | None = None,
    ) -> Order:
        """Cancel an order: what is authorised is voided, and unless told otherwise all refunded.

        An order that nobody paid yet gives its units back without money. Without a refund the units
        stay counted, and only `cancelled_at` tells.
        """
        with self._shop.at_rest():
            with self._changing(order_id, at) as (order, moment):
                if order.cancelled_at is not None:
                    raise Refusal(None, "The order is cancelled already.", ["orderId"])
                left = order.received - order.refunded
                if is_refunded:
                    self._payments.check_give_back(order, left, None, None)
                self._payments.void(order, moment)
                order.cancelled_at = moment
                order.cancel_reason = reason
            units = self._units_left(order)
            if is_refunded and (units or left):
                self.refund(order_id, units=units, amount=left, note="Order cancelled", at=moment)
            return order

    def edit(
        self,
        order_id: str,
        *,
        add: Sequence[CartLine] = (),
        units: Mapping[str, int] | None = None,
        at: datetime | None = None,
    ) -> Order:
        """Edit an order: `add` lines, or set how many `units` of a line (by its id) there are.

        Money does not move: what is outstanding then is paid, or refunded, by itself.
        """
        with self._changing(order_id, at) as (order, _):
            if order.cancelled_at is not None:
                raise Refusal(None, "A cancelled order cannot be edited.", ["id"])
            new = [self._new_line(line) for line in add]
            for line_id, quantity in (units or {}).items():
                line = order.line(line_id)
                if line is None or quantity < 0:
                    raise Refusal(None, "There is no such line.", ["lineItemId"])
            for line_id, quantity in (units or {}).items():
                line = order.line(line_id)
                if line is not None:
                    more = quantity - line.current_quantity
                    line.quantity += max(0, more)
                    line.removed += max(0, -more)
            order.lines += new
            order.is_edited = True
        return order

    def archive(self, order_id: str) -> Order:
        """Close an order: nothing is left to do for it, and the admin's lists leave it out."""
        with self._changing(order_id, None) as (order, _):
            order.is_closed = True
        return order

    def add_tags(self, order_id: str, tags: Sequence[str]) -> Order:
        """Tag an order, as `tagsAdd` does; a tag that differs in capitals only is the same."""
        with self._changing(order_id, None) as (order, _):
            wanted = [tag.strip() for tag in tags if tag.strip()]
            if any(len(tag) > LONGEST_TAG for tag in wanted):
                raise Refusal(None, f"Tags can have at most {LONGEST_TAG} characters.", ["tags"])
            known = {tag.casefold() for tag in order.tags}
            for tag in wanted:
                if tag.casefold() not in known:
                    known.add(tag.casefold())
                    order.tags.append(tag)
            if len(order.tags) > MOST_TAGS:
                raise Refusal(None, f"An order can have at most {MOST_TAGS} tags.", ["tags"])
        return order

    def remove_tags(self, order_id: str, tags: Sequence[str]) -> Order:
        """Take tags off an order, as `tagsRemove` does; those it does not have are no matter."""
        with self._changing(order_id, None) as (order, _):
            gone = {tag.strip().casefold() for tag in tags}
            order.tags = [tag for tag in order.tags if tag.casefold() not in gone]
        return order

    # ---- the customer's bank, and Shopify itself --------------------------------------------

    def charge_back(self, order_id: str) -> Dispute:
        """The customer's bank disputes the payment: the order lists it, no transaction does."""
        with self._changing(order_id, None) as (order, _):
            dispute = Dispute(
                f"gid://shopify/OrderDisputeSummary/{self._next_dispute}",
                DisputeStatus.NEEDS_RESPONSE,
            )
            self._next_dispute += 1
            order.disputes.append(dispute)
        return dispute

    def decide_dispute(self, order_id: str, status: DisputeStatus) -> None:
        """The bank has decided the newest dispute of an order."""
        with self._changing(order_id, None) as (order, _):
            if not order.disputes:
                raise Refusal(None, "Nothing is disputed.", ["id"])
            order.disputes[-1].status = status

    def assess(self, order_id: str, recommendation: Recommendation) -> None:
        """Shopify has assessed an order, or thinks better of it. Does not touch `updated_at`."""
        with self._shop.at_rest():
            order = self._known(order_id)
            order.risk.recommendation = recommendation
            order.risk.is_assessed = True
            self._shop.note_change()

    # ---- inside -----------------------------------------------------------------------------

    def _moment(self, at: datetime | None) -> datetime:
        return (at or self._shop.now()).astimezone(UTC)

    def _known(self, order_id: str) -> Order:
        order = self._orders.get(order_id)
        if order is None:
            raise Refusal(None, "Order does not exist", ["id"])
        return order

    @contextmanager
    def _changing(self, order_id: str, at: datetime | None) -> Iterator[tuple[Order, datetime]]:
        """Hold everybody else off while an order changes, and draw the conclusions."""
        with self._shop.at_rest():
            order, moment = self._known(order_id), self._moment(at)
            before = order.status
            yield order, moment
            self._finish(order, before, moment)

    def _finish(self, order: Order, before: FinancialStatus, moment: datetime) -> None:
        order.updated_at = moment
        order.index.append(
            OrderIndexEntry(
                written_at=moment,
                updated_at=moment,
                status=order.status,
                tags=tuple(order.tags),
                skus=frozenset(line.sku for line in order.lines if line.sku is not None),
                gateways=frozenset(each.gateway for each in order.transactions),
                is_cancelled=order.cancelled_at is not None,
                is_closed=order.is_closed,
            )
        )
        self._shop.note_change()
        if order.status is FinancialStatus.PAID and before is not FinancialStatus.PAID:
            self._mails += issue_native_cards(self._shop, order, moment)
            self._shop.webhooks.tell_of_payment(self._shop, order)

    def _expect_assessment(self, order: Order, plan: OrderPlan, moment: datetime) -> None:
        if order.risk.exempt:
            return
        delay = plan.risk_after_seconds
        seconds = self.risk_delay_seconds if delay is None else delay
        wait = (moment + timedelta(seconds=seconds) - self._shop.now()).total_seconds()
        if wait <= 0:
            order.risk = replace(order.risk, recommendation=plan.risk, is_assessed=True)
        else:
            self._shop.apply_later(wait, partial(self.assess, order.id, plan.risk))

    def _gateway(self, order: Order, pay: Pay) -> str | None:
        """A test order is paid at the bogus gateway, whatever card was typed."""
        is_card = pay.rest_by == CREDIT_CARD
        return TEST_GATEWAY if order.is_test and is_card else pay.rest_by

    def _variant(self, item: str) -> tuple[Product, Variant]:
        for product in self.products:
            for variant in product.variants:
                if item in {variant.id, variant.sku}:
                    return product, variant
        raise Refusal(None, f"The shop does not sell {item!r}.", ["lines"])

    def _new_line(self, line: CartLine) -> LineItem:
        product, variant = self._variant(line.item)
        if line.quantity < 1:
            raise Refusal(None, "The quantity has to be 1 or more.", ["lines"])
        number = self._next_line
        self._next_line += 1
        return LineItem(
            id=f"gid://shopify/LineItem/{number}",
            number=number,
            product_id=product.id,
            variant_id=variant.id,
            title=product.title,
            variant_title=variant.title,
            sku=variant.sku,
            price=variant.price,
            quantity=line.quantity,
            is_gift_card=product.is_gift_card,
            discount=line.discount,
            sold_in=line.sold_in,
            properties=tuple(line.properties.items()),
        )

    def _units_left(self, order: Order) -> dict[str, int]:
        return {line.id: line.current_quantity for line in order.lines if line.current_quantity}

    def _refund_lines(self, order: Order, units: Mapping[str, int]) -> list[RefundLine]:
        lines: list[RefundLine] = []
        for line_id, quantity in units.items():
            line = order.line(line_id)
            if line is None or not 0 < quantity <= line.current_quantity:
                raise Refusal(
                    None, "Cannot refund more units than the line has.", ["refundLineItems"]
                )
            number = self._next_refund * 10 + len(lines)
            lines.append(
                RefundLine(
                    f"gid://shopify/RefundLineItem/{number}",
                    line_id,
                    quantity,
                    line.paid_price * quantity,
                )
            )
        return lines

    def _write_refund(self, order: Order, refund: Refund) -> None:
        for each in refund.lines:
            line = order.line(each.line_id)
            if line is not None:
                line.refunded += each.quantity
        self._next_refund += 1
        order.refunds.append(refund)
