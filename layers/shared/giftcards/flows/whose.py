"""Whose movement it is: of the operations that a card's movements name, which may have moved it.

A movement carries our reference in its note, and whoever may change balances at Shopify can read
that and write it again, also on another card. An operation moves money on one card only, so on any
other its reference explains nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from giftcards.flows.kinds import REPAY, RETURN, REVERSAL, late_key
from giftcards.flows.redeem import KIND as REDEMPTION
from giftcards.store.journal import Journal, Operation
from giftcards.store.ledger import Ledger

# The kinds of operations that send something to Shopify with their key as its reference.
KINDS_THAT_MOVE = frozenset({REDEMPTION, REVERSAL, RETURN, REPAY})

# How the keys of these begin.
OF_OURS = (f"{REDEMPTION}#", f"{REVERSAL}#", f"{RETURN}#", f"{REPAY}#")


@dataclass(frozen=True, slots=True)
class Named:
    """The operations that may have moved a card, and the keys of those that never did.

    `foreign` are the keys of other cards' operations, and of ours that never reached a card. What
    moves nothing by its key, such as `owed#redemption#rec1`, is in neither: people may note it.
    """

    own: Mapping[str, Operation]
    foreign: frozenset[str]


def whose(operations: Iterable[Operation], *, ledger: Ledger, journal: Journal) -> Named:
    """Tell the operations that may have moved the ledger's card from those that never did."""
    cards = _cards_of(operations, journal)
    own, foreign = {}, set()
    for operation, card_id in cards:
        is_here = card_id == ledger.card_id or _has_line(operation.key, ledger)
        if operation.kind in KINDS_THAT_MOVE and is_here:
            own[operation.key] = operation
        elif operation.kind in KINDS_THAT_MOVE or (card_id is not None and not is_here):
            foreign.add(operation.key)
    return Named(own=own, foreign=frozenset(foreign))


def _cards_of(
    operations: Iterable[Operation], journal: Journal
) -> list[tuple[Operation, str | None]]:
    """Each operation with the card that it is about; `None` where it is about none.

    A return knows its card before its end only by the operation that made it.
    """
    known = [(operation, _card_of(operation)) for operation in operations]
    open_returns = [one for one, card_id in known if one.kind == RETURN and card_id is None]
    made = journal.load_many(str(one.snapshot["issue"]) for one in open_returns)
    cards = {
        one.key: _card_of(made[str(one.snapshot["issue"])])
        for one in open_returns
        if str(one.snapshot["issue"]) in made
    }
    return [(one, card_id or cards.get(one.key)) for one, card_id in known]


def _card_of(operation: Operation) -> str | None:
    """The card that an operation is about, as far as it says so itself."""
    card_id: str | None = operation.snapshot.get("card_id")
    if card_id is None and operation.result is not None:
        return operation.result.moved_card
    return card_id


def _has_line(key: str, ledger: Ledger) -> bool:
    """Whether something was entered for an operation on this card."""
    return key in ledger.lines or late_key(key) in ledger.lines
