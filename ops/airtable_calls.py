"""How many calls of Airtable a month go into looking for rows and comparing the books.

What is written, row by row, comes on top.

Airtable's plans cap calls a month, so how often each table is looked at is a parameter, and what a
choice costs is shown.
"""

from typing import Final

from giftcards.clients.airtable import Layout
from giftcards.config import Config

# Twelfths of a year of 365 days.
MINUTES_A_MONTH: Final = 365 * 24 * 60 // 12

# Comparing the books and archiving read each record of a base, a page of a hundred at a time
# (Airtable, "List records"), and most tables have both done to them.
RECORDS_A_PAGE: Final = 100
READINGS_OF_A_RECORD: Final = 2

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


def comparing_calls_a_month(config: Config) -> int:
    """The calls a month of the nightly comparison, at most: in a base that is full."""
    pages_a_night = READINGS_OF_A_RECORD * config.airtable_records // RECORDS_A_PAGE
    return pages_a_night * MINUTES_A_MONTH // (24 * 60)
