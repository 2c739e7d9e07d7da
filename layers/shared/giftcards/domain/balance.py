"""A customer asks what a card holds, in a public form."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """What a customer typed into the balance form, as Airtable holds it.

    The code opens the card and the address is somebody's own: both are left out of the
    representation.
    """

    id: str
    created_at: datetime
    typed_code: str = field(repr=False)
    email: str = field(repr=False)
