"""How many calls of Airtable a month go into looking for rows, before anything is written.

Airtable's plans cap calls a month, so how often each table is looked at is a parameter, and what a
choice costs is shown.
"""

from typing import Final

from giftcards.clients.airtable import Layout
from giftcards.config import Config

# Twelfths of a year of 365 days.
MINUTES_A_MONTH: Final = 365 * 24 * 60 // 12

REDEMPTIONS: Final = "redemptions"
SALES: Final = "sales"
RESENDS: Final = "cards to be sent again"
CHECKS: Final = "balance checks"
REVERSALS: Final = "what is to be given back"


def calls_a_month(config: Config, layout: Layout) -> dict[str, int]:
    """The calls a month by what is looked for; nothing is looked for in a table that is absent.

    An order that is held costs a call at each look for orders, until it is released.
    """
    ticks = {0, *config.tick_offsets_seconds}
    sale_looks = len(ticks & set(config.sale_offsets_seconds))
    check_looks = len(ticks & set(config.check_offsets_seconds))
    looks = {REDEMPTIONS: len(ticks)}
    if layout.has("Creation Requests"):
        looks[SALES] = sale_looks
        if layout.field_id("Gift Cards", "Resend") is not None:
            looks[RESENDS] = sale_looks
    if layout.has("Balance Checks"):
        looks[CHECKS] = check_looks
    if layout.field_id("Redemptions", "Reverse Amount") is not None:
        looks[REVERSALS] = len(ticks & set(config.reversal_offsets_seconds))
    return {name: count * MINUTES_A_MONTH for name, count in looks.items()}
