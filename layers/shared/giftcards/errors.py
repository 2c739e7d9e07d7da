"""What can go wrong, sorted by the one question a caller asks: may the next run try again?

    GiftCardError
    ├── TryAgain              nobody has to do anything; a later run may succeed
    │   ├── NotSent           the vendor did not run the call: sending it again is safe
    │   ├── SafeToRepeat      it may have run, but the vendor takes the same call only once
    │   ├── PlaceLost         a list has to be read again from its top
    │   └── Unconfirmed       a change was sent and nobody knows whether it was applied
    └── NeedsAPerson          trying again changes nothing until somebody mends something
        ├── ConfigurationError   a setting or a secret is missing or malformed
        ├── AccessRefused        a vendor refused our token or a permission is missing
        ├── BaseMismatch         the Airtable base lacks a table or a field we need
        ├── DeliveryRefused      a customer's mail cannot be sent as it is: mostly its address
        ├── VendorSurprise       a vendor answered something its documentation rules out
        └── JournalConflict      the same business key came back with other contents

Expected answers ("the card has not enough money") are values, never exceptions.
Messages say what to do and never hold a card code or a secret.
"""


class GiftCardError(Exception):
    """The root of every error this application raises on purpose."""


class TryAgain(GiftCardError):
    """Nobody has to do anything: a later run may succeed.

    `retry_after_seconds` is how long the vendor asked us to wait first, if it said so.
    """

    def __init__(self, message: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class NotSent(TryAgain):
    """The vendor did not run the call (no connection, 401, throttled): sending it again is safe."""


class SafeToRepeat(TryAgain):
    """Nobody knows whether it was applied, but the vendor takes the same call only once."""


class PlaceLost(TryAgain):
    """The vendor has forgotten where in its list we were: read the list again from its top."""


class Unconfirmed(TryAgain):
    """A change was sent and nobody knows whether it was applied: look before doing anything."""


class NeedsAPerson(GiftCardError):
    """Trying again changes nothing until somebody mends something; the message says what."""


class ConfigurationError(NeedsAPerson):
    """A setting or a secret is missing or malformed; the message names all of them."""


class AccessRefused(NeedsAPerson):
    """A vendor refused our token, or the token lacks a permission."""


class BaseMismatch(NeedsAPerson):
    """The Airtable base lacks a table or a field we need; the message names all of them."""


class DeliveryRefused(NeedsAPerson):
    """A customer's mail cannot be sent as it is; `pointers` name the parts that were refused.

    They are JSON pointers into the request (`/data/attributes/profile/data/attributes/email`), with
    names of ours only: never a value.
    """

    def __init__(self, message: str, *, pointers: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.pointers = pointers


class VendorSurprise(NeedsAPerson):
    """A vendor answered something its documentation rules out."""


class JournalConflict(NeedsAPerson):
    """The same business key came back with other contents: never a second operation."""
