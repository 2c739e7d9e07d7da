"""The kinds of operations that orders, refunds and the office bring, and their business keys.

    key                          what it is
    ---------------------------  --------------------------------------------------------------
    order#<order>                an order was taken, or it was settled that it makes no card
    order#<order>#<k>            its k-th change, from 2: units that were added or given back
    held-order#<order>           it waits for the office
    held-order#<order>#<n>       it waits for another reason, of which the office is told anew
    tag#<order>                  its tag at Shopify
    sale#<line>+<first unit>     units of one line that were paid: a sale like a store's
    return#<line>#<unit>         a unit was given back, and its card is taken out of use
    order-spend#<payment>        an order took money off a card
    order-refund#<payment>       an order gave money back to a card
    unread-order#<order>#<time>  what an order took or gave back could not be read
    reverse#<row>#<total>        the office gives back what a store took
    held-reverse#<row>#<total>   it waits for the office's second word
    held-reverse#<row>#<total>#credited   likewise, because of a debit that was credited back
    unticked-reverse#<row>       a tick of before was taken off it: the next one is that word
    reverse-refused#<row>#<total>#<why>   it is not given back, and the office was told why
    freeze#<card>#<n>            the office, or a chargeback, freezes a card, or releases it
    adjusted#<card>#<n>          its balance changed at Shopify, and no order explains it
    changes-told#<day>#<first>   the office was mailed what was entered so on a day
    changed#<card>#<n>           it was deactivated at Shopify, or its last day was moved
    mirrored#<card>              Shopify made it: it is shown in Airtable
    late#<operation>             what was given up was applied at Shopify after all
    owed#<operation>             a person has to put that right
    repay#<operation>            what was applied too late, or twice, is given back to the card
    drift#<what>#<subject>       a difference that only a person can explain
    reconcile#<run>              the books were compared: what was found
    archive#<table>#<batch>      rows were moved from Airtable to the archive
    dropped#<message>            a person dropped a message that had given up

Orders, lines, payments and cards go by Shopify's numbers, units and changes count from 1, totals
are in minor units of the shop's currency.
"""

from datetime import date, datetime
from typing import Final

ORDER: Final = "order"
HELD_ORDER: Final = "held-order"
TAG: Final = "tag"
RETURN: Final = "return"
SPEND: Final = "order-spend"
GIVEN_BACK: Final = "order-refund"
REVERSAL: Final = "reverse"
HELD_REVERSAL: Final = "held-reverse"
UNTICKED_REVERSAL: Final = "unticked-reverse"
REFUSED_REVERSAL: Final = "reverse-refused"
FREEZE: Final = "freeze"
ADJUSTED: Final = "adjusted"
CHANGED: Final = "changed"
CHANGES_TOLD: Final = "changes-told"
MIRRORED: Final = "mirrored"
UNREAD_ORDER: Final = "unread-order"
LATE: Final = "late"
OWED: Final = "owed"
REPAY: Final = "repay"
DRIFT: Final = "drift"
RECONCILE: Final = "reconcile"
ARCHIVE: Final = "archive"
DROPPED_MESSAGE: Final = "dropped"


def order_key(order: str, change: int = 1) -> str:
    """The business key of taking an order (`change` 1), or of its later changes."""
    return f"{ORDER}#{order}" if change == 1 else f"{ORDER}#{order}#{change}"


def held_order_key(order: str, notice: int = 1) -> str:
    """The key under which it is noted that an order waits for the office; notices count from 1."""
    return f"{HELD_ORDER}#{order}" if notice == 1 else f"{HELD_ORDER}#{order}#{notice}"


def tag_key(order: str) -> str:
    """The business key of tagging an order."""
    return f"{TAG}#{order}"


def return_key(line: str, unit: int) -> str:
    """The business key of taking a unit's card out of use; also the reference of its debit."""
    return f"{RETURN}#{line}#{unit}"


def spend_key(payment: str, *, gives_back: bool) -> str:
    """The business key of one payment by card, or of one refund to a card."""
    return f"{GIVEN_BACK if gives_back else SPEND}#{payment}"


def reversal_key(row_id: str, total_minor: int) -> str:
    """The business key of giving back a total for a redemption; also the credit's reference."""
    return f"{REVERSAL}#{row_id}#{total_minor}"


def unticked_reversal_key(row_id: str) -> str:
    """The key under which it is noted that a tick of before was taken off a row."""
    return f"{UNTICKED_REVERSAL}#{row_id}"


def held_reversal_key(row_id: str, total_minor: int, *, is_credited: bool = False) -> str:
    """The key under which it is noted that a total waits for the office's second word.

    `is_credited`: because a debit that had been applied too often was credited back.
    """
    key = f"{HELD_REVERSAL}#{row_id}#{total_minor}"
    return f"{key}#credited" if is_credited else key


def refused_reversal_key(row_id: str, total_minor: int, why: str) -> str:
    """The key under which it is noted that a total is not given back, for one reason."""
    return f"{REFUSED_REVERSAL}#{row_id}#{total_minor}#{why}"


def freeze_key(card: str, number: int) -> str:
    """The business key of the `number`-th freezing or releasing of a card."""
    return f"{FREEZE}#{card}#{number}"


def adjusted_key(card: str, number: int) -> str:
    """The business key of the `number`-th change of a balance that nothing of ours explains."""
    return f"{ADJUSTED}#{card}#{number}"


def changed_key(card: str, number: int) -> str:
    """The business key of the `number`-th change of a card's state at Shopify."""
    return f"{CHANGED}#{card}#{number}"


def changes_told_key(day: date, first: str) -> str:
    """The key under which the office is told of a day's changes, `first` being the first one's."""
    return f"{CHANGES_TOLD}#{day.isoformat()}#{first}"


def mirrored_key(card: str) -> str:
    """The business key of showing a card that Shopify made."""
    return f"{MIRRORED}#{card}"


def unread_order_key(order: str, updated_at: datetime) -> str:
    """The business key of reading an order's payments again, as it was changed at that time."""
    return f"{UNREAD_ORDER}#{order}#{int(updated_at.timestamp())}"


def late_key(operation: str) -> str:
    """The business key of what was applied although its operation had been given up."""
    return f"{LATE}#{operation}"


def owed_key(operation: str) -> str:
    """The key under which a person puts that right."""
    return f"{OWED}#{operation}"


def repay_key(operation: str) -> str:
    """The business key of giving back what an operation took wrongly; the credit's reference."""
    return f"{REPAY}#{operation}"


def drift_key(what: str, subject: str) -> str:
    """The key under which a person explains a difference of this name about this subject."""
    return f"{DRIFT}#{what}#{subject}"


def reconcile_key(run: str) -> str:
    """The business key of one comparison of the books."""
    return f"{RECONCILE}#{run}"


def archive_key(table: str, batch: str) -> str:
    """The business key of moving some rows of a table to the archive."""
    return f"{ARCHIVE}#{table}#{batch}"


def dropped_message_key(message_id: str) -> str:
    """The key under which it is noted that a message of this id was dropped."""
    return f"{DROPPED_MESSAGE}#{message_id}"
