"""What Airtable's refusals mean for us: who has to mend what, or that a later run may succeed.

Airtable's own messages may quote a cell, and a cell may hold a card's code. So none of them is
repeated, only error types and the ids and names of tables and fields.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pydantic
import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from giftcards.clients.airtable.layout import Layout
from giftcards.errors import (
    AccessRefused,
    BaseMismatch,
    GiftCardError,
    NeedsAPerson,
    NotSent,
    PlaceLost,
    TryAgain,
    Unconfirmed,
    VendorSurprise,
)

RECORD_ID = re.compile(r"\brec[A-Za-z0-9]{14}\b")
FIELD_ID = re.compile(r"\bfld[A-Za-z0-9]{14}\b", re.IGNORECASE)

WHERE_TOKENS_ARE = (
    "Airtable's tokens are made at airtable.com/create/tokens; ours is kept in the parameter store "
    "as airtable-token"
)


@dataclass(frozen=True, slots=True)
class Call:
    """What we are about to do: in words, on which table of ours, and whether it changes a row."""

    doing: str
    table: str | None
    changes: bool

    @property
    def where(self) -> str:
        """The table in words."""
        return "the Airtable base" if self.table is None else f"the Airtable table “{self.table}”"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal as Airtable put it. `ids` are the record ids and field ids its message names."""

    status: int
    kind: str
    record_ids: tuple[str, ...]
    field_ids: tuple[str, ...]

    @classmethod
    def of(cls, response: requests.Response) -> "Refusal":
        """Read Airtable's error body, in any of the three shapes it is known to have."""
        try:
            body: Any = response.json()
        except ValueError:
            body = None
        error = body.get("error") if isinstance(body, dict) else None
        if error is None and isinstance(body, dict) and body.get("errors"):
            error = body["errors"][0]
        kind, message = "", ""
        match error:
            case str():
                kind = error
            case {"type": str() as kind, **rest} | {"error": str() as kind, **rest}:
                message = str(rest.get("message", ""))
            case _:
                pass
        return cls(
            status=response.status_code,
            kind=kind,
            record_ids=tuple(RECORD_ID.findall(message)),
            field_ids=tuple(FIELD_ID.findall(message)),
        )


class Refused(Exception):
    """Airtable refused a call, and whoever made it may know what to do (`error` if not)."""

    def __init__(self, refusal: Refusal, error: GiftCardError) -> None:
        super().__init__(str(error))
        self.refusal = refusal
        self.error = error


@contextmanager
def refusals_caught(call: Call, layout: Layout | None) -> Iterator[None]:
    """Turn whatever a call raises into `Refused` (Airtable said no) or one of our own errors."""
    try:
        yield
    except requests.HTTPError as error:
        refusal = Refusal.of(error.response)
        raise Refused(refusal, _meaning(refusal, call, layout)) from error
    except requests.RequestException as error:
        raise _without_a_reply(error, call) from error
    except (pydantic.ValidationError, AttributeError, LookupError, TypeError, ValueError) as error:
        # The text of these errors may hold cells: the cause is cut off on purpose.
        surprise = f"Airtable's reply to {call.doing} ({call.where}) has an unknown form"
        raise _unknown_form(surprise, error, call) from None


@contextmanager
def refusals_translated(call: Call, layout: Layout | None) -> Iterator[None]:
    """As `refusals_caught`, for calls after which a refusal leaves nothing to try."""
    try:
        with refusals_caught(call, layout):
            yield
    except Refused as refused:
        raise refused.error from refused.__cause__


def _unknown_form(message: str, error: Exception, call: Call) -> GiftCardError:
    """A change whose reply cannot be read was most likely applied."""
    message = f"{message}: {type(error).__name__}"
    return Unconfirmed(message) if call.changes else VendorSurprise(message)


def _without_a_reply(error: requests.RequestException, call: Call) -> TryAgain:
    if _never_connected(error):
        return NotSent(f"Airtable could not be reached for {call.doing} ({call.where})")
    if call.changes:
        return Unconfirmed(
            f"Airtable did not answer {call.doing} ({call.where}): it may be applied or not"
        )
    return TryAgain(f"Airtable did not answer {call.doing} ({call.where})")


def _never_connected(error: requests.RequestException) -> bool:
    """Whether there was no connection at all, so that nothing can have been applied."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return True
    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    return isinstance(cause, NewConnectionError | ConnectTimeoutError)


def _meaning(  # noqa: PLR0911 - one return for each HTTP status
    refusal: Refusal, call: Call, layout: Layout | None
) -> GiftCardError:
    match refusal.status:
        case 401:
            return AccessRefused(f"Airtable does not know our token. {WHERE_TOKENS_ARE}")
        case 403:
            return AccessRefused(
                f"Airtable lets our token do nothing with {call.where} ({call.doing}). Give it "
                "access to this base and the scopes data.records:read, data.records:write and "
                f"schema.bases:read. {WHERE_TOKENS_ARE}. Airtable says the same if the base id is "
                "wrong or the table was deleted"
            )
        case 404:
            return BaseMismatch(
                f"Airtable has no {call.where.removeprefix('the Airtable ')} (any more): check the "
                "base id, bring the table back, or run `ops resume` to look at the base again"
            )
        case 422:
            return _unfit(refusal, call, layout)
        case 429:
            return _too_much(refusal, call)
        case status if status >= 500:  # noqa: PLR2004 - HTTP: the server's own failures
            message = f"Airtable failed (HTTP {status}) at {call.doing} ({call.where})"
            return Unconfirmed(message) if call.changes else TryAgain(message)
        case status:
            return VendorSurprise(
                f"Airtable refused {call.doing} ({call.where}): HTTP {status} {refusal.kind}"
            )


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _too_much(refusal: Refusal, call: Call) -> GiftCardError:
    if refusal.kind == "PUBLIC_API_BILLING_LIMIT_EXCEEDED":
        return AccessRefused(
            "The calls of this month that the Airtable plan allows are used up: nothing is read or "
            "written until the plan is upgraded or the month is over"
        )
    return NotSent(f"Airtable is asked too often: {call.doing} ({call.where}) has to wait 30 s")


def _unfit(refusal: Refusal, call: Call, layout: Layout | None) -> GiftCardError:
    """The request contradicts the base as it is now."""
    names = [
        name
        for field_id in refusal.field_ids
        if layout is not None
        and call.table is not None
        and (name := layout.field_name(call.table, field_id)) is not None
    ]
    fields = ", ".join(f"“{name}”" for name in names) or "a field we use"
    lacks_field = refusal.kind == "UNKNOWN_FIELD_NAME" or (
        refusal.kind == "INVALID_FILTER_BY_FORMULA" and bool(names)
    )
    match refusal.kind:
        case _ if lacks_field:
            return BaseMismatch(
                f"{_capital(call.where)} does not have {fields} any more: add it again, or say "
                "which field to use in AirtableNames; then run `ops resume`"
            )
        case "INVALID_VALUE_FOR_COLUMN" | "INVALID_MULTIPLE_CHOICE_OPTIONS":
            return BaseMismatch(
                f"{_capital(call.where)} refuses a value ({call.doing}): a field changed its type, "
                "or a single select lacks one of our words. `ops resume` names fields of a wrong "
                "type; turning the select into a text field always helps"
            )
        # The second is not in the documentation; shops have had it for a place that had been good.
        case "LIST_RECORDS_ITERATOR_NOT_AVAILABLE" | "INVALID_OFFSET_VALUE":
            return PlaceLost(f"Airtable lost its place while reading {call.where}")
        case kind if "LIMIT" in kind:
            return NeedsAPerson(
                f"{_capital(call.where)} takes no more rows ({kind}): archive old ones, or upgrade "
                "the plan"
            )
        case kind:
            return VendorSurprise(f"Airtable refused {call.doing} ({call.where}): {kind}")
