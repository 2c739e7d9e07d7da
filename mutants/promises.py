"""Which of the design's promises the simulator alone finds broken by a mutant, by name.

The tests named for a mutant were chosen by somebody who knew what was broken. The simulator does
not know: it tells the stories that the guard is for, with every single accident at every effect,
until a promise breaks. Where none broke, two accidents in one history might still break one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mutants.mutant import Guard, Mutant
from mutants.workshop import copied_tree, run_simulator

# The stories that a guard is for, by the simulator's names; the others have none.
STORIES: Final[Mapping[Guard, str]] = {
    Guard.CLAIM: "redeem-twice",
    Guard.LOCK: "redeem-two-stores",
    Guard.LEASE: "redeem-two-stores",
    Guard.DUPLICATES: "redeem-twice",
    Guard.FENCE: "redeem-two-stores",
    Guard.SENT: "redeem-all",
    Guard.DEADLINE: "redeem",
    Guard.NO_RETRY: "redeem",
    Guard.COMMIT: "redeem-held",
    Guard.BALANCE_LAST: "redeem-all",
    Guard.ALL_PAGES: "redeem",
    Guard.REFERENCE_AND_AMOUNT: "redeem-two-stores",
    Guard.SETTLING: "redeem",
    Guard.OUTBOX: "redeem",
    Guard.INTERIM: "redeem",
    Guard.ANSWER: "redeem,redeem-too-much",
    Guard.GIVING_BACK: "undo,undo-in-parts",
    Guard.RETURNING: "buy-returned-partly-spent",
    Guard.FREEZING: "frozen",
    Guard.CODES: "sell",
    Guard.CAPS: "sell-held",
    Guard.DELIVERY: "sell-for-tomorrow",
    Guard.ORDERS: "buy-risky",
    Guard.UNITS_BACK: "buy-two-one-returned",
    Guard.SPENDS: "spend",
    Guard.LOOKS: "charged-twice",
    Guard.OWED: "charged-twice",
    Guard.STRANGERS: "check",
    Guard.ROWS_ONCE: "redeem-held",
    Guard.LATE: "redeem-held",
    Guard.MIRROR: "redeem-two-stores",
    Guard.ALARMS: "charged-twice",
    Guard.BOOKS: "compare",
}

# Of a processor, for one mutant: several times what all singles of the longest story here take.
SECONDS: Final = 600


def broken_by(mutant: Mutant, source: Path) -> str | None:
    """The promises that the simulator finds broken, or `None` where it found none.

    Raises `WorkshopError` where it did not come to an end: then nobody knows.
    """
    with copied_tree(source) as tree:
        mutant.apply(tree)
        promises = run_simulator(tree, stories=STORIES[mutant.guard], processor_seconds=SECONDS)
    return ", ".join(promises) or None
