"""`ops call-off`: a redemption that was taken up, and that nobody may charge any more.

Such a one is charged as its row was first read, whatever becomes of the row: the store may have it
deleted, and nobody looks. So what a customer has paid otherwise, during an outage say, is called
off here, by its operation.
"""

import argparse
import getpass
import sys

from giftcards.domain.outcomes import Outcome
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.flows.redeem import Charge, operation_key
from giftcards.store.journal import Operation, State
from giftcards.wiring import Application

# More are taken up at once only while a vendor is away for long; the next ones show after these.
MOST_SHOWN = 100


def call_off(app: Application, options: argparse.Namespace) -> int:
    """Let redemptions that were taken up never be charged; their stores are told so.

    Without a key it shows what is taken up and was never sent to Shopify. The key is the
    operation's (redemption#rec...) or the row's id in Airtable; one that is held can be called off
    as well, and then it is over: no approval charges it. What was sent before cannot be called off.
    """
    if not options.keys:
        _say_taken_up(app)
        return 0
    if not options.because.strip():
        return _fail("Say why, for the store's mail and the receipt: --because TEXT.")
    by = f"{getpass.getuser()}, by ops"
    return max(_call_off(app, key, because=options.because, by=by) for key in options.keys)


def taken_up(app: Application) -> list[Operation]:
    """Redemptions that are claimed and were never sent; those that are held are not among them."""
    unfinished = app.journal.unfinished(limit=MOST_SHOWN)
    return [one for one in unfinished if one.kind == REDEMPTION and one.state is State.CLAIMED]


def _say_taken_up(app: Application) -> None:
    found = taken_up(app)
    _say(f"Taken up, and not sent to Shopify: {len(found)}")
    for operation in found:
        charge = Charge.of(operation)
        asked = charge.asked
        _say(
            f"  {operation.key}  {charge.amount} of •••• {asked.last4}, {asked.store.name},"
            f" filed {asked.row_created_at.isoformat()}"
        )


def _call_off(app: Application, key: str, *, because: str, by: str) -> int:
    name = operation_key(key) if key.startswith("rec") else key
    operation = app.journal.load(name)
    if operation is None or operation.kind != REDEMPTION:
        return _fail(
            f"Nobody has taken up a redemption {name}. While nobody has, delete its row in Airtable"
            " or write anything into its Status."
        )
    if too_late := _too_late(operation):
        return _fail(too_late)
    stands = app.redeem().call_off(operation, because=because, by=by)
    if stands.result is None or stands.result.outcome != Outcome.NOT_CHARGED:
        return _fail(_too_late(stands))  # another worker was quicker
    _say(f"{name} is never charged; its store is told.")
    return 0


def _too_late(operation: Operation) -> str:
    """Why an operation cannot be called off any more; empty where it can be."""
    if operation.result is not None:
        return f"{operation.key} has its answer already: {operation.result.outcome}."
    match operation.state:
        case State.SENT:
            return (
                f"{operation.key} was sent to Shopify: it is too late to call it off. Its answer"
                " follows; if it says charged, give the money back by the row's Reverse Amount."
            )
        case State.PARKED:
            return f"{operation.key} is parked: `ops park decide` ends it, once you have looked."
        case _:
            return ""


def _fail(words: str) -> int:
    _say(words, to_error=True)
    return 1


def _say(line: str, *, to_error: bool = False) -> None:
    sys.stdout.flush()
    print(line, file=sys.stderr if to_error else sys.stdout)
