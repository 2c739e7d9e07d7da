"""`ops call-off` and `ops find-charged`: redemptions that were taken up, and not sent yet.

Such a one is charged as its row was first read, whatever becomes of the row: the store may have it
deleted, and nobody looks. So what a customer has paid otherwise, during an outage say, is called
off here, by its operation. And a journal that was restored to an earlier moment may hold some that
were charged since.
"""

import argparse
import getpass
from typing import assert_never

from giftcards.domain.outcomes import Outcome
from giftcards.errors import GiftCardError
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.flows.redeem import Charge, operation_key
from giftcards.store.journal import Operation, State
from giftcards.wiring import Application
from ops.saying import fail, say

# Everything that is unfinished is looked through, such as deliveries in an outage of Klaviyo. More
# of it than this would take minutes to read.
MOST_LOOKED_THROUGH = 5_000

# Workers may hold or release a claim at the very moment; each of them does so once.
TRIES = 3


def call_off(
    app: Application, options: argparse.Namespace, *, most: int = MOST_LOOKED_THROUGH
) -> int:
    """Let redemptions that were taken up never be charged; their stores are told so.

    Without a key it shows what is taken up and was never sent to Shopify. The key is the
    operation's (redemption#rec...) or the row's id in Airtable. A claim that is held can be called
    off as well, and then it is over: no approval charges it. (A row that was held at first sight
    was never taken up.) What was sent before cannot be called off.
    """
    if not options.keys:
        _say_taken_up(app, most=most)
        return 0
    if not options.because.strip():
        return fail("Say why, for the store's mail and the receipt: --because TEXT.")
    by = f"{getpass.getuser()}, by ops"
    return max(_call_off(app, key, because=options.because, by=by) for key in options.keys)


def find_charged(
    app: Application,
    options: argparse.Namespace,  # noqa: ARG001 - all commands alike
    *,
    most: int = MOST_LOOKED_THROUGH,
) -> int:
    """After the journal was restored: find what was taken up then, and has been charged since.

    Each redemption that is taken up, and was not sent by this journal, is looked for on its card.
    One that is there ends as charged; the others are served as usual. Give it before the prongs
    and the sweep run again: they would charge or hold what was charged already.
    """
    found, is_all = taken_up(app, most=most)
    say(f"Taken up, and not sent by this journal: {len(found)}")
    code = 0
    for operation in found:
        try:
            stands = app.redeem().find_forgotten(operation)
        except GiftCardError as error:  # the others are looked for all the same
            code = fail(f"  {operation.key}: {error}")
            continue
        was_charged = stands.result is not None
        say(f"  {operation.key}  {'was charged since' if was_charged else 'was not charged'}")
    if not is_all:
        return fail("Not all was looked through: give the command again when less is unfinished.")
    return code


def taken_up(app: Application, *, most: int = MOST_LOOKED_THROUGH) -> tuple[list[Operation], bool]:
    """Redemptions that are claimed and were never sent, without those that are held.

    And whether these are all: too much may be unfinished to look it through.
    """
    unfinished = app.journal.unfinished(limit=most)
    found = [one for one in unfinished if one.kind == REDEMPTION and one.state is State.CLAIMED]
    return found, len(unfinished) < most


def _say_taken_up(app: Application, *, most: int) -> None:
    found, is_all = taken_up(app, most=most)
    more = "" if is_all else " or more: not all was looked through"
    say(f"Taken up, and not sent to Shopify: {len(found)}{more}")
    for operation in found:
        charge = Charge.of(operation)
        asked = charge.asked
        say(
            f"  {operation.key}  {charge.amount} of •••• {asked.last4}, {asked.store.name},"
            f" filed {asked.row_created_at.isoformat()}"
        )


def _call_off(app: Application, key: str, *, because: str, by: str) -> int:
    name = operation_key(key) if key.startswith("rec") else key
    operation = app.journal.load(name)
    if operation is None or operation.kind != REDEMPTION:
        return fail(
            f"Nobody has taken up a redemption {name}. While nobody has, delete its row in Airtable"
            " or write anything into its Status."
        )
    for _ in range(TRIES):
        if too_late := _too_late(operation):
            return fail(too_late)
        operation = app.redeem().call_off(operation, because=because, by=by)
        if operation.result is not None and operation.result.outcome == Outcome.NOT_CHARGED:
            say(f"{name} is never charged; its store is told.")
            return 0
    return fail(_too_late(operation) or f"{name} was moved by others: give the command again.")


def _too_late(operation: Operation) -> str | None:
    """Why an operation cannot be called off any more; `None` where it can be."""
    match operation.state:
        case State.CLAIMED | State.HELD:
            return None
        case State.SENT:
            return (
                f"{operation.key} was sent to Shopify: it is too late to call it off. Its answer"
                " follows; if it says charged, give the money back by the row's Reverse Amount."
            )
        case State.PARKED:
            return f"{operation.key} is parked: `ops park decide` ends it, once you have looked."
        case State.COMMITTED | State.SETTLED:
            outcome = None if operation.result is None else operation.result.outcome
            return f"{operation.key} has its answer already: {outcome}."
        case _:
            assert_never(operation.state)
