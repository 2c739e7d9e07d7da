"""What the office wants given back for a redemption."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ReversalRow:
    """A redemption's row whose `Reverse Amount` is filled and not given back yet.

    `id` and `created_at` are the row's, `typed_total` is what the office typed: the total to be
    given back for the row, whatever was given back before. `is_approved` is its `Approved` tick.
    """

    id: str
    created_at: datetime
    typed_total: str
    is_approved: bool
