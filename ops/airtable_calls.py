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

# Of a workspace on the plan Team; Business has no cap (Airtable, "Managing API call limits").
CALLS_OF_TEAM: Final = 100_000

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


def describe_plan(calls: int) -> str:
    """What so many calls a month mean on Airtable's plan Team, whose number is shared by all.

    Beyond it Airtable goes on answering, slowed down: so Softr, a customer of its API, says
    ("Troubleshooting Airtable API call limit exceeded"); Airtable's own page does not say.
    """
    plan = f"the plan Team has {CALLS_OF_TEAM:,} calls a month"
    if calls <= CALLS_OF_TEAM:
        return f"{plan}, for all that uses the workspace; what is written comes on top"
    day = 1 + CALLS_OF_TEAM * MINUTES_A_MONTH // (calls * 24 * 60)
    return (
        f"{plan}: used up on day {day} of it, and from then on Airtable answers 2 requests a"
        " second at most, so that answers come late until the month is over. Look less often"
        " (TickOffsetsSeconds, and SaleOffsetsSeconds, ReversalOffsetsSeconds and"
        " CheckOffsetsSeconds with it), or take the plan Business, which has no cap"
    )
