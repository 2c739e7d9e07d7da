"""Which mail tells a store, or the office, what an operation came to."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, assert_never

from giftcards.domain.codes import mask
from giftcards.domain.outcomes import Outcome
from giftcards.errors import NeedsAPerson
from giftcards.flows.digest import DIGEST_KIND
from giftcards.flows.kinds import (
    CHANGES_TOLD,
    HELD_ORDER,
    HELD_REVERSAL,
    LATE,
    ORDER,
    REFUSED_REVERSAL,
    REPAY,
    RETURN,
    REVERSAL,
)
from giftcards.flows.redeem import HELD_KIND, Asked
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.flows.reversal import REVERSED, Reversal
from giftcards.flows.sale import (
    BOUNCE_KIND,
    CARD_DEAD,
    DELIVERED,
    DELIVERED_IN_PART,
    DELIVERY,
    GIVEN_UP_KIND,
    HELD_SALE_KIND,
    REFUSED,
    RESEND,
    SALE,
    Sale,
)
from giftcards.flows.strays import NOTICE_KIND
from giftcards.mails import (
    Mail,
    ReversalNews,
    SaleAnswer,
    SaleNews,
    SoldBy,
    StoreAnswer,
    compose_digest,
    compose_office_notice,
    compose_reversal,
    compose_sale_answer,
    compose_store_answer,
)
from giftcards.store.journal import Journal, Operation, Result
from giftcards.store.table import unpack_moment, unpack_money

# What the office is told of, by kind: the headline of the notice, and what to do next; the reason
# is its text.
NOTICES: dict[str, tuple[str, tuple[str, ...]]] = {
    NOTICE_KIND: ("A row is waiting for the office", ()),
    GIVEN_UP_KIND: (
        "A customer's mail could not be sent",
        (
            (
                "If the address is wrong: find the request's cards in Gift Cards, write the right"
                " address into Resend To, and tick Resend."
            ),
            "If it is right: ask whoever looks after this system. The same mail can be sent again.",
        ),
    ),
    RESEND: (
        "A card could not be sent again",
        (
            (
                "Find the card in Gift Cards by the Shopify ID in the reference below, mend what is"
                " named above, and tick Resend again."
            ),
        ),
    ),
    HELD_REVERSAL: (
        "Money to be given back needs a second word",
        (
            "If it is right, tick Approved on the redemption's row: it is then given back.",
            "If it is not, correct Reverse Amount there, or empty it.",
        ),
    ),
    REFUSED_REVERSAL: (
        "Nothing was given back",
        (
            (
                "Correct Reverse Amount on the redemption's row: the total to be given back for it,"
                " from its first cent on."
            ),
        ),
    ),
    REVERSAL: (
        "Money could not be given back",
        (
            "Give it back another way: in the store, or as a new card.",
            "The same total is not tried again. Its row and a receipt say what became of it.",
        ),
    ),
    RETURN: (
        "A gift card was given back",
        (
            (
                "If part of it had been used, settle that with the customer: the refund was for the"
                " whole card."
            ),
            "If its code is in somebody's inbox, tell them that the card is no longer good.",
        ),
    ),
    HELD_ORDER: (
        "A web order waits for the office",
        (
            "Look at the order in Shopify.",
            (
                "To have its cards made all the same, tick Release on its row in Processed Orders."
                " Without a mail address it waits all the same."
            ),
            "To refuse it, cancel or refund it in Shopify: no card is made then.",
        ),
    ),
    ORDER: ("Something happened to a web order with gift cards", ()),
    REPAY: (
        "What a card was charged wrongly",
        ("Where it was not given back, give it back another way: in the store, or as a new card.",),
    ),
    LATE: (
        "Money moved on a card although we had given that up",
        (
            "Ask whoever looks after this system: it is parked, and an alarm has rung.",
            "Its store was told that nothing moved, and its customer may have paid otherwise.",
        ),
    ),
    BOUNCE_KIND: (
        "A mail came back",
        (
            (
                "Correct the address in Airtable, and tell its owner what became of the request:"
                " its row and the receipts say so."
            ),
        ),
    ),
}

# What the store is told of a delivery, by how it ended.
_DELIVERY_NEWS = {
    DELIVERED: SaleNews.DELIVERED,
    DELIVERED_IN_PART: SaleNews.DELIVERED_IN_PART,
    CARD_DEAD: SaleNews.CARD_DEAD,
}


def compose_answer(
    operation: Operation, result: Result, *, journal: Journal, now: datetime
) -> Mail:
    """The mail for an operation with an outcome. Raises `NeedsAPerson` for a kind without one."""
    to = result.mail_to
    if to is None:
        raise AssertionError(f"{operation.key} is to be mailed to nobody")
    match operation.kind:
        case kind if kind == REVERSAL and result.outcome == REVERSED:
            return _reversal(operation, result, to=to)
        case kind if kind in NOTICES:
            subject, next_steps = NOTICES[kind]
            return compose_office_notice(
                to=to,
                subject=subject,
                next_steps=next_steps,
                lines=[result.reason or result.outcome],
                reference=operation.key,
            )
        case kind if kind in {REDEMPTION, HELD_KIND}:
            return _redemption(operation, result, to=to, now=now)
        case kind if kind in {SALE, HELD_SALE_KIND}:
            return compose_sale_answer(_sale(operation, result, now=now), to=to)
        case kind if kind == DELIVERY:
            return _delivery(operation, result, to=to, journal=journal, now=now)
        case kind if kind in {DIGEST_KIND, CHANGES_TOLD}:
            of_the_day = _digest if kind == DIGEST_KIND else _changes
            return of_the_day(operation, to=to)
        case _:
            raise NeedsAPerson(f"nobody knows how to answer {operation.kind} ({operation.key})")


def _delivery(
    operation: Operation, result: Result, *, to: str, journal: Journal, now: datetime
) -> Mail:
    sale = journal.load(operation.snapshot["sale"])
    if sale is None:
        raise NeedsAPerson(f"the sale of {operation.key} is not in the journal")
    if Sale.of(sale).order is not None:
        return _web_delivery(operation, result, Sale.of(sale), to=to)
    news = _DELIVERY_NEWS[result.outcome]
    return compose_sale_answer(_about_sale(sale, news, reason=result.reason or "", now=now), to=to)


def _redemption(operation: Operation, result: Result, *, to: str, now: datetime) -> Mail:
    asked = Asked.unpack(operation.snapshot)
    outcome = Outcome(result.outcome)
    answer = StoreAnswer(
        outcome=outcome,
        store_name=asked.store.name,
        employee=asked.employee,
        masked_card=None if asked.last4 is None else mask(asked.last4),
        amount=asked.amount,
        typed_amount=None,
        balance=result.balance if _may_show_balance(outcome) else None,
        reason=result.reason,
        reference=operation.key,
        asked_at=asked.row_created_at,
        answered_at=now,
        time_zone=asked.time_zone,
    )
    return compose_store_answer(answer, to=to)


def _may_show_balance(outcome: Outcome) -> bool:
    """Whoever holds a working card may know what is on it; nobody learns it of a dead one."""
    match outcome:
        case Outcome.REDEEMED | Outcome.INSUFFICIENT_BALANCE:
            return True
        case (
            Outcome.CODE_FORMAT_INCORRECT
            | Outcome.CODE_NOT_FOUND
            | Outcome.AMOUNT_INVALID
            | Outcome.CARD_EXPIRED
            | Outcome.CARD_DISABLED
            | Outcome.CARD_ONLINE_ONLY
            | Outcome.POSSIBLE_DUPLICATE
            | Outcome.HELD
            | Outcome.NOT_CHARGED
        ):
            return False
        case _:
            assert_never(outcome)


def _reversal(operation: Operation, result: Result, *, to: str) -> Mail:
    reversal = Reversal.of(operation)
    news = ReversalNews(
        store_name=reversal.store.name,
        masked_card=mask(reversal.last4),
        amount=reversal.amount,
        total=reversal.total,
        taken=reversal.taken,
        reference=operation.key,
        filed_at=reversal.row_created_at,
        given_back_at=result.decided_at,
        time_zone=reversal.time_zone,
    )
    return compose_reversal(news, to=to)


def _sale(operation: Operation, result: Result, *, now: datetime) -> SaleAnswer:
    """A request that was refused or held has no sale in its snapshot, only who asked."""
    if operation.kind == SALE and result.outcome != REFUSED:
        return _about_sale(operation, SaleNews.SCHEDULED, now=now)
    told: Mapping[str, Any] = operation.snapshot
    is_refused = operation.kind == SALE
    return SaleAnswer(
        news=SaleNews.REFUSED if is_refused else SaleNews.HELD,
        store_name=told["store"]["name"],
        employee=told["employee"],
        amount=unpack_money(told.get("amount")),
        quantity=int(told.get("quantity", 1)),
        recipient=told.get("recipient_email", ""),
        problems=tuple((result.reason or "").splitlines()) if is_refused else (),
        reason="" if is_refused else result.reason or "",
        reference=operation.key,
        asked_at=unpack_moment(told["row_created_at"]),
        told_at=now,
        time_zone=told["time_zone"],
    )


def _about_sale(
    operation: Operation, news: SaleNews, *, now: datetime, reason: str = ""
) -> SaleAnswer:
    sale = Sale.of(operation)
    return SaleAnswer(
        news=news,
        store_name=sale.sold_by.name,
        employee=sale.employee,
        amount=sale.amount,
        quantity=sale.quantity,
        recipient=sale.recipient_email,
        is_gift=sale.is_gift,
        send_on=sale.send_on,
        reason=reason,
        reference=operation.key,
        asked_at=sale.row_created_at,
        told_at=now,
        time_zone=sale.time_zone,
    )


def _web_delivery(operation: Operation, result: Result, sale: Sale, *, to: str) -> Mail:
    """No store sold it, so the office hears of cards that were not sent."""
    return compose_office_notice(
        to=to,
        subject="A web order's cards were not all sent",
        lines=[f"{sale.seller}: {result.reason or result.outcome}."],
        next_steps=(
            (
                "Look at the order's cards in Gift Cards: their Status says which of them are"
                " disabled, Expires On which have expired."
            ),
        ),
        reference=operation.key,
    )


def _changes(operation: Operation, *, to: str) -> Mail:
    """Whose balances were changed at Shopify on a day."""
    lines = operation.snapshot["lines"]
    day = date.fromisoformat(operation.snapshot["day"])
    changes = "1 change of a balance" if len(lines) == 1 else f"{len(lines)} changes of balances"
    return compose_office_notice(
        to=to,
        subject=f"{changes} at Shopify on {day.day} {day:%B %Y}",
        lines=["No order, no store and nothing of ours explains what follows.", *lines],
        next_steps=(
            (
                "Look twice at whatever you did not expect: the card's timeline in Shopify's admin"
                " says who did it. Whoever may put money on a card can spend it."
            ),
            "Change back there what should not have been: that is told of in the same way.",
        ),
        reference=operation.key,
    )


def _digest(operation: Operation, *, to: str) -> Mail:
    sold = []
    for line in operation.snapshot["sold"]:
        total = unpack_money(line["total"])
        if total is None:
            raise AssertionError(f"{operation.key} tells of a sale without an amount")
        sold.append(
            SoldBy(
                store_name=line["store"],
                employee=line["employee"],
                quantity=int(line["quantity"]),
                total=total,
            )
        )
    day = date.fromisoformat(operation.snapshot["day"])
    return compose_digest(to=to, day=day, sold=sold, reference=operation.key)
