"""The paper trail: every action on any platform leaves one line, written once, never changed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from giftcards.domain.money import Money


class Action(StrEnum):
    """What was done. The list is closed: a new kind of action gets a name here first."""

    REDEEM_IN_STORE = "Redeem in store"
    SELL_IN_STORE = "Sell in store"
    DELIVER = "Send to customer"
    DELIVER_AGAIN = "Send to customer again"
    CONFIRM_GIFT = "Confirm gift to purchaser"
    CHECK_BALANCE = "Check balance"
    MAIL_BOUNCED = "Mail came back"
    SELL_ON_WEB = "Sell on the web"
    REFUSE_ORDER = "Order without card"
    SPEND_ON_WEB = "Pay on the web"
    REFUND_ON_WEB = "Refund on the web"
    MADE_AT_SHOPIFY = "Made at Shopify"
    RAISED_AT_SHOPIFY = "Raised at Shopify"
    LOWERED_AT_SHOPIFY = "Lowered at Shopify"
    CHANGED_AT_SHOPIFY = "Changed at Shopify"
    REVERSE = "Reverse redemption"
    RETURN_CARD = "Return card"
    FREEZE = "Freeze card"
    RELEASE_CARD = "Release card"
    RECONCILE = "Reconcile"
    PUT_RIGHT = "Put right"
    ARCHIVE = "Archive"
    DROP_MESSAGE = "Drop message"


class ReceiptOutcome(StrEnum):
    """Whether it was done. `Failed` never changes its name: offices hang automations on it."""

    DONE = "Done"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One line of the paper trail. `card` is masked; `id` is the operation's key and a number.

    `amount` is what was asked for, and moved exactly when `outcome` is DONE; both are `None` where
    no amount could be read. `balance_after` is `None` where the balance did not move.
    """

    id: str
    at: datetime
    action: Action
    actor: str
    card: str | None
    amount: Money | None
    balance_after: Money | None
    outcome: ReceiptOutcome
    operation: str
    details: str
