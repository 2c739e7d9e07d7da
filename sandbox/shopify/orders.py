"""An order as the shop keeps it: its lines, its payments, what was given back, and its risk.

Only nouns, and the sums that follow from them. What happens to an order is in `order_desk`.

    due        what its lines cost, without the units that an edit removed
    received   what was taken: sales and captures that succeeded
    refunded   what was given back
    reserved   what is authorised and neither captured nor voided yet

An order's financial status is never stored: it follows from these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)

GIFT_CARD = "gift_card"
CREDIT_CARD = "shopify_payments"
TEST_GATEWAY = "bogus"
MANUAL = "manual"
CASH = "cash"


class FinancialStatus(StrEnum):
    """Shopify's `OrderDisplayFinancialStatus`, as far as an order here can come."""

    PENDING = "PENDING"
    AUTHORIZED = "AUTHORIZED"
    PARTIALLY_PAID = "PARTIALLY_PAID"
    PAID = "PAID"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    VOIDED = "VOIDED"


class TransactionKind(StrEnum):
    """Shopify's `OrderTransactionKind`, as far as it happens here."""

    AUTHORIZATION = "AUTHORIZATION"
    CAPTURE = "CAPTURE"
    SALE = "SALE"
    REFUND = "REFUND"
    VOID = "VOID"


TAKING = frozenset({TransactionKind.SALE, TransactionKind.CAPTURE})


class TransactionStatus(StrEnum):
    """Shopify's `OrderTransactionStatus`; only SUCCESS moved money."""

    SUCCESS = "SUCCESS"
    PENDING = "PENDING"
    FAILURE = "FAILURE"
    ERROR = "ERROR"


class Recommendation(StrEnum):
    """What Shopify advises once it has assessed an order.

    It has no word for "not yet": until then it reads NONE, and an assessment's level PENDING.
    """

    NONE = "NONE"
    ACCEPT = "ACCEPT"
    INVESTIGATE = "INVESTIGATE"
    CANCEL = "CANCEL"


class CancelReason(StrEnum):
    """Why an order was cancelled; Shopify's `OrderCancelReason`."""

    CUSTOMER = "CUSTOMER"
    DECLINED = "DECLINED"
    FRAUD = "FRAUD"
    INVENTORY = "INVENTORY"
    OTHER = "OTHER"
    STAFF = "STAFF"


class SourceName(StrEnum):
    """Where an order comes from, as `Order.sourceName` tells."""

    WEB = "web"
    POS = "pos"
    DRAFT = "shopify_draft_order"
    SUBSCRIPTION = "subscription_contract"


class DisputeStatus(StrEnum):
    """How a chargeback stands; Shopify's `DisputeStatus`, as far as it happens here."""

    NEEDS_RESPONSE = "NEEDS_RESPONSE"
    WON = "WON"
    LOST = "LOST"


@dataclass(frozen=True, slots=True)
class OrderTransaction:
    """One step of a payment; what happened later to it are transactions of their own.

    `card_id` is the gift card that paid, which only the shop's own database knows: the API shows
    `receipt`, and that may leave it out.
    """

    id: str
    number: int
    kind: TransactionKind
    status: TransactionStatus
    gateway: str
    amount: Decimal
    processed_at: datetime
    parent_id: str | None = None
    card_id: str | None = None
    receipt: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(slots=True)
class LineItem:
    """Some units of one variant. `quantity` counts those refunded and removed as well.

    `discount` is what is off each unit's price; `sold_in` the currency that the customer was shown,
    `None` for the shop's own.
    """

    id: str
    number: int
    product_id: str
    variant_id: str
    title: str
    variant_title: str
    sku: str | None
    price: Decimal
    quantity: int
    is_gift_card: bool
    discount: Decimal = ZERO
    sold_in: str | None = None
    properties: tuple[tuple[str, str], ...] = ()
    refunded: int = 0
    removed: int = 0
    native_card_ids: list[str] = field(default_factory=list)

    @property
    def paid_price(self) -> Decimal:
        """What one unit costs after its discount."""
        return self.price - self.discount

    @property
    def current_quantity(self) -> int:
        """The units that were neither refunded nor removed."""
        return self.quantity - self.refunded - self.removed


@dataclass(frozen=True, slots=True)
class RefundLine:
    """Units of one line that were given back, and what they had cost."""

    id: str
    line_id: str
    quantity: int
    subtotal: Decimal


@dataclass(frozen=True, slots=True)
class Refund:
    """Units or money given back, or both."""

    id: str
    number: int
    created_at: datetime
    note: str | None
    lines: tuple[RefundLine, ...]
    transaction_ids: tuple[str, ...]
    total: Decimal


@dataclass(slots=True)
class Risk:
    """What Shopify thinks of an order. An `exempt` one is never assessed (a sale at a till).

    Fraud apps add assessments of their own, which Shopify lists with its own.
    """

    recommendation: Recommendation
    is_assessed: bool
    exempt: bool = False
    levels_by_apps: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Dispute:
    """A chargeback: the customer's bank took the money back, or tries to."""

    id: str
    status: DisputeStatus


@dataclass(frozen=True, slots=True)
class OrderIndexEntry:
    """What the search index will know of an order once it has caught up with `written_at`."""

    written_at: datetime
    updated_at: datetime
    status: FinancialStatus
    tags: tuple[str, ...]
    skus: frozenset[str]
    gateways: frozenset[str]
    is_cancelled: bool
    is_closed: bool


@dataclass(slots=True)
class Order:
    """One order."""

    id: str
    number: int
    name: str
    created_at: datetime
    updated_at: datetime
    processed_at: datetime
    email: str | None
    customer_name: str | None
    source_name: SourceName
    is_test: bool
    risk: Risk
    lines: list[LineItem] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    transactions: list[OrderTransaction] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    index: list[OrderIndexEntry] = field(default_factory=list, repr=False)
    note: str | None = None
    cancelled_at: datetime | None = None
    cancel_reason: CancelReason | None = None
    is_edited: bool = False
    is_closed: bool = False

    def line(self, line_id: str) -> LineItem | None:
        """The line with that global id, or None."""
        return next((each for each in self.lines if each.id == line_id), None)

    def transaction(self, transaction_id: str | None) -> OrderTransaction | None:
        """The transaction with that global id, or None."""
        return next((each for each in self.transactions if each.id == transaction_id), None)

    @property
    def due(self) -> Decimal:
        """What the order costs."""
        return sum((line.paid_price * (line.quantity - line.removed) for line in self.lines), ZERO)

    @property
    def received(self) -> Decimal:
        """What was taken for it."""
        return self._sum_of(TAKING)

    @property
    def refunded(self) -> Decimal:
        """What was given back."""
        return self._sum_of({TransactionKind.REFUND})

    @property
    def outstanding(self) -> Decimal:
        """What is still to be paid and not reserved either; negative where too much was paid."""
        return self.due - self.received - self.reserved

    @property
    def reserved(self) -> Decimal:
        """What is authorised and neither captured nor voided."""
        return sum((self.open_amount(each) for each in self.authorizations), ZERO)

    @property
    def authorizations(self) -> list[OrderTransaction]:
        """The authorisations that succeeded, oldest first."""
        return [
            each
            for each in self.transactions
            if each.kind is TransactionKind.AUTHORIZATION
            and each.status is TransactionStatus.SUCCESS
        ]

    @property
    def payments(self) -> list[OrderTransaction]:
        """The sales and captures that succeeded, oldest first."""
        return [
            each
            for each in self.transactions
            if each.kind in TAKING and each.status is TransactionStatus.SUCCESS
        ]

    def open_amount(self, authorization: OrderTransaction) -> Decimal:
        """What of an authorisation is neither captured nor voided."""
        return authorization.amount - self._taken_from(
            authorization, {TransactionKind.CAPTURE, TransactionKind.VOID}
        )

    def refundable(self, payment: OrderTransaction) -> Decimal:
        """What of a payment was not given back yet."""
        return payment.amount - self._taken_from(payment, {TransactionKind.REFUND})

    @property
    def status(self) -> FinancialStatus:
        """How the order stands with money."""
        if self.refunded > 0:
            all_back = self.refunded >= self.received
            return FinancialStatus.REFUNDED if all_back else FinancialStatus.PARTIALLY_REFUNDED
        if self.received > 0:
            paid = self.received >= self.due
            return FinancialStatus.PAID if paid else FinancialStatus.PARTIALLY_PAID
        if self.due == 0 and any(line.quantity > line.removed for line in self.lines):
            return FinancialStatus.PAID  # nothing was to be paid
        if self.reserved > 0:
            return FinancialStatus.AUTHORIZED
        if self.cancelled_at is not None or self.authorizations:
            return FinancialStatus.VOIDED
        return FinancialStatus.PENDING

    def _sum_of(self, kinds: frozenset[TransactionKind] | set[TransactionKind]) -> Decimal:
        return sum(
            (
                each.amount
                for each in self.transactions
                if each.kind in kinds and each.status is TransactionStatus.SUCCESS
            ),
            ZERO,
        )

    def _taken_from(self, parent: OrderTransaction, kinds: set[TransactionKind]) -> Decimal:
        return sum(
            (
                each.amount
                for each in self.transactions
                if each.parent_id == parent.id
                and each.kind in kinds
                and each.status is TransactionStatus.SUCCESS
            ),
            ZERO,
        )
