"""What a mail has to say of an outcome, and may not say: in words of our own.

The application composes its mails from templates; these are not those. Whoever changes what a store
or a customer is told changes it in both places.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from markupsafe import escape

from giftcards.domain.outcomes import Outcome
from giftcards.flows.check_balance import CheckOutcome
from giftcards.flows.digest import DIGEST_KIND
from giftcards.flows.kinds import (
    HELD_ORDER,
    HELD_REVERSAL,
    LATE,
    ORDER,
    REFUSED_REVERSAL,
    REPAY,
    RETURN,
    REVERSAL,
)
from giftcards.flows.redeem import HELD_KIND
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.flows.reversal import REVERSED
from giftcards.flows.sale import (
    BOUNCE_KIND,
    CARD_DEAD,
    CHECK,
    DELIVERED,
    DELIVERED_IN_PART,
    DELIVERY,
    GIVEN_UP_KIND,
    HELD_SALE_KIND,
    REFUSED,
    RESEND,
    SALE,
)
from giftcards.flows.serve_stores import INTERIM_KIND
from giftcards.flows.strays import NOTICE_KIND
from giftcards.store.journal import Operation, Result
from giftcards.store.table import unpack_money
from tests.aws_in_memory.ses import SentMail

# For each answer to a redemption the headline, which the subject begins with, and the sentence that
# says whether money moved.
ANSWERS: Mapping[str, tuple[str, str]] = {
    Outcome.REDEEMED: ("Paid: ", "The card was charged. The customer has paid."),
    Outcome.CODE_FORMAT_INCORRECT: (
        "Not paid: this is not a card code",
        "No card was looked up, and no money was taken.",
    ),
    Outcome.CODE_NOT_FOUND: ("Not paid: no card has this code", "No money was taken."),
    Outcome.INSUFFICIENT_BALANCE: (
        "Not paid: not enough money on the card",
        "The card holds less than the amount. No money was taken.",
    ),
    Outcome.AMOUNT_INVALID: ("Not paid: this amount cannot be charged", "No money was taken."),
    Outcome.CARD_EXPIRED: ("Not paid: the card has expired", "No money was taken."),
    Outcome.CARD_DISABLED: ("Not paid: the card is ", "No money was taken."),
    Outcome.CARD_ONLINE_ONLY: (
        "Not paid: the card is good in the web shop only",
        "No money was taken.",
    ),
    Outcome.POSSIBLE_DUPLICATE: (
        "Not paid: this may have been filed twice",
        "No money was taken for this form.",
    ),
    Outcome.NOT_CHARGED: (
        "Not paid: no money was taken",
        "The card was not charged for this request, and it will not be charged for it later.",
    ),
    Outcome.HELD: (
        "Not paid: the office has to look at this first",
        "No money was taken for this form.",
    ),
}
WAIT = ("Please wait: not confirmed yet", "We cannot tell yet whether the card was charged.")

# What nobody is told whose card was not charged, and what nobody is told whose card was.
SAYS_PAID = ("the customer has paid.", "and over the goods")
SAYS_NOT_PAID = ("not paid", "not charged", "money was taken", "pay another way")

# What a store is told of cards that were sent to its customer, or not.
SENT: Mapping[str, tuple[str, str]] = {
    DELIVERED: ("Done: ", "on the way to "),
    DELIVERED_IN_PART: ("Sent in part: ", "The cards that were sent are good."),
    CARD_DEAD: ("Not sent: ", "deactivated or expired before "),
}

# What the office is told of, by kind; the reason stands in the text.
NOTICES: Mapping[str, str] = {
    NOTICE_KIND: "A row is waiting for the office",
    GIVEN_UP_KIND: "A customer's mail could not be sent",
    RESEND: "A card could not be sent again",
    HELD_REVERSAL: "Money to be given back needs a second word",
    REFUSED_REVERSAL: "Nothing was given back",
    REVERSAL: "Money could not be given back",
    RETURN: "A gift card was given back",
    HELD_ORDER: "A web order waits for the office",
    ORDER: "Something happened to a web order with gift cards",
    REPAY: "What a card was charged wrongly",
    LATE: "Money moved on a card although we had given that up",
    BOUNCE_KIND: "A mail came back",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """How a mail's subject begins and ends, what both of its halves say, and what neither does.

    `figures` are what is read at a glance, each with its label.
    """

    begins: str
    ends: str = ""
    says: tuple[str, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    never: tuple[str, ...] = ()


def wrong_in(mail: SentMail, words: Words) -> Iterator[str]:
    """What is not in a mail though it has to be, or is though it must not be."""
    subject = mail.subject
    if not (subject.startswith(words.begins) and subject.endswith(words.ends)):
        yield f"has the subject “{subject}”, not “{words.begins}…{words.ends}”"
    if (
        not mail.text.startswith(f"{subject}\n")
        or f"<title>{_html(subject)}</title>" not in mail.body
    ):
        yield f"begins with another line than “{subject}”"
    for said in words.says:
        if said not in mail.text or _html(said) not in mail.body:
            yield f"does not say “{said}”"
    for label, figure in words.figures:
        is_in_text = f"\n{label}: {figure}\n" in mail.text
        if (
            not is_in_text
            or f">{_html(label)}</p>" not in mail.body
            or f">{figure}</p>" not in mail.body
        ):
            yield f"does not show “{label}: {figure}”"
    if words.never:
        # As bytes: a text with a sign beyond Latin's in it is slow to make small.
        both = f"{mail.subject}\n{mail.text}\n{mail.body}".encode().lower()
        yield from (f"says “{said}”" for said in words.never if said.encode() in both)


@lru_cache(1024)
def _html(text: str) -> str:
    return str(escape(text))


def words_for(operation: Operation, others: Mapping[str, Operation]) -> Words | None:
    """What the mail about an operation with an outcome says; `None` where nobody knows that.

    `others` are all operations, by their keys.
    """
    result = operation.result
    if result is None:
        return None
    if operation.kind == REVERSAL and result.outcome == REVERSED:
        return _given_back(operation.snapshot)
    if operation.kind in NOTICES:
        return Words(begins=NOTICES[operation.kind], says=(result.reason or result.outcome,))
    if operation.kind == DELIVERY:
        return _sent(result, others[operation.snapshot["sale"]].snapshot)
    asked_for = BY_KIND.get(operation.kind)
    return None if asked_for is None else asked_for(operation.snapshot, result)


def _answer(asked: Mapping[str, Any], result: Result) -> Words:
    """The answer to a redemption: the card, the amount, and whether it was charged."""
    begins, says = ANSWERS[result.outcome]
    amount = unpack_money(asked["amount"])
    is_paid = result.outcome == Outcome.REDEEMED
    if is_paid:
        begins += f"{amount} "
    if result.outcome == Outcome.CARD_DISABLED:
        begins += "deactivated" if result.reason is None else "out of use"
    shown = {
        Outcome.REDEEMED: (("Charged", amount), ("Left on the card", result.balance)),
        Outcome.INSUFFICIENT_BALANCE: (("Asked for", amount), ("On the card", result.balance)),
    }.get(Outcome(result.outcome), (("Not charged", amount),))
    return Words(
        begins=begins,
        ends=_about(asked, has_amount=not is_paid),
        says=(says,),
        figures=tuple((label, str(money)) for label, money in shown if money is not None),
        never=SAYS_NOT_PAID if is_paid else SAYS_PAID,
    )


def _about(asked: Mapping[str, Any], *, has_amount: bool = True) -> str:
    """Which request a subject is about: the masked card and the amount, where they are known."""
    last4, amount = asked["last4"], unpack_money(asked["amount"])
    known = [] if last4 is None else [f"•••• {last4}"]
    known += [] if amount is None or not has_amount else [str(amount)]
    return f"({', '.join(known)})" if known else ""


def _wait(asked: Mapping[str, Any], result: Result) -> Words:
    """Between question and answer: nobody knows, so neither is said."""
    del result
    begins, says = WAIT
    never = (*SAYS_PAID, "not paid", "money was taken")
    return Words(begins=begins, ends=_about(asked), says=(says,), never=never)


def _balance(asked: Mapping[str, Any], result: Result) -> Words:
    """What a customer is told who asked for a balance: the same for every card that has none."""
    del asked
    if result.outcome == CheckOutcome.BALANCE_SENT:
        return Words(
            begins=f"Your gift card holds {result.balance}",
            figures=(("On the card", str(result.balance)),),
        )
    return Words(
        begins="We could not find a balance for this code",
        says=("No card that can be spent has the code that was typed.",),
        never=("your gift card holds", "on the card"),
    )


def _given_back(asked: Mapping[str, Any]) -> Words:
    """What a store is told when the office has given something back."""
    amount = str(unpack_money(asked["amount"]))
    return Words(
        begins=f"Given back: {amount} (•••• {asked['last4']})",
        says=("The office has given this back to the card",),
        figures=(("Given back", amount),),
    )


def _sale(sold: Mapping[str, Any], result: Result) -> Words:
    """What a store is told of its sale before its cards are sent."""
    if result.outcome == REFUSED:
        begins = "No card was made: please mend the form"
        return Words(begins=begins, says=("Nothing was sold by this form.",))
    many, worth = _worth(sold)
    made = "The card is made" if many == 1 else f"{many} cards are made"
    return Words(begins=f"{made}, to be sent on ", ends=f" ({worth})")


def _held_sale(sold: Mapping[str, Any], result: Result) -> Words:
    """What a store is told of a sale that waits for the office."""
    del result
    return Words(
        begins="Not made yet: the office has to approve this",
        ends=f" ({_worth(sold)[1]})",
        says=("No card was made so far.",),
    )


def _sent(result: Result, sold: Mapping[str, Any]) -> Words:
    """What a store is told of a delivery; of a web order's cards the office is."""
    if sold.get("order") is not None:
        return Words(
            begins="A web order's cards were not all sent", says=(result.reason or result.outcome,)
        )
    begins, says = SENT[result.outcome]
    many, worth = _worth(sold)
    if result.outcome == DELIVERED:
        begins += "the card was sent" if many == 1 else f"{many} cards were sent"
    return Words(begins=begins, ends=f" ({worth})", says=(says,))


def _worth(sold: Mapping[str, Any]) -> tuple[int, str]:
    """How many cards, and what they are worth."""
    many, amount = int(sold.get("quantity", 1)), unpack_money(sold.get("amount"))
    return many, str(amount) if many == 1 else f"{many} × {amount}"


def _digest(told: Mapping[str, Any], result: Result) -> Words:
    """What the office is told each day: how many cards the stores sold, and for how much."""
    del result
    totals = [unpack_money(line["total"]) for line in told["sold"]]
    together = sum((one.decimal() for one in totals if one is not None), Decimal(0))
    cards = sum(int(line["quantity"]) for line in told["sold"])
    return Words(
        begins="Gift cards sold on ", ends=f": {together:,f} USD", figures=(("Cards", str(cards)),)
    )


# By kind of operation, from what was asked and what came of it.
BY_KIND: Mapping[str, Callable[[Mapping[str, Any], Result], Words]] = {
    REDEMPTION: _answer,
    HELD_KIND: _answer,
    INTERIM_KIND: _wait,
    CHECK: _balance,
    SALE: _sale,
    HELD_SALE_KIND: _held_sale,
    DIGEST_KIND: _digest,
}
