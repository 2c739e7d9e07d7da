"""The stores' redemption form, as Airtable shows it, with Airtable's own checks and no others.

A form refuses an empty required field and text in a currency field. It takes three decimals,
negative and huge numbers, any text for a code, and the same thing twice: what to make of that is
the application's part.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox.airtable import Field, RecordJson
from sandbox.inbox import ReceivedMail
from sandbox.pages.cells import CellView, NotAcceptedError, look_at_input, pill, read_cell
from sandbox.pages.shopify import NOT_DONE
from sandbox.pages.tables import choices_of, find_row, stores_of
from sandbox.pages.vendors import Vendors

TABLE = "Redemptions"
CODE_FIELD = "Gift Card Code"

# What the form asks, in its order, and the help under each label.
ASKED = {
    "Store": "Where is the customer paying?",
    "Employee": "Your name, so that a question finds you.",
    CODE_FIELD: "From the card or the customer's mail. Blanks and dashes do not matter.",
    "Amount": "What to take off the card, not what is on it.",
}

# Airtable fills a form in from its address: prefill_Amount=12.
PREFILL = "prefill_"


@dataclass(frozen=True, slots=True)
class Progress:
    """What has become of a filed row, as far as the row says."""

    status: str
    outcome: CellView | None
    message: str


def forms_pages(vendors: Vendors) -> Blueprint:
    """The pages at `/forms`."""
    pages = Blueprint("forms", __name__)
    base = vendors.base

    def asked_fields() -> list[Field]:
        known = {field.name: field for field in base.table(TABLE).fields()}
        return [known[name] for name in ASKED if name in known]

    def page(typed: Mapping[str, str], wrong: Mapping[str, str]) -> str:
        fields = asked_fields()
        return render_template(
            "redeem.html",
            fields=[
                look_at_input(field, help_text=ASKED[field.name], one_link=True) for field in fields
            ],
            typed=typed,
            choices={field.name: choices_of(field, base) for field in fields},
            wrong=wrong,
        )

    @pages.get("/forms/redeem")
    def redeem() -> str:
        typed = {
            name.removeprefix(PREFILL): text
            for name, text in request.args.items()
            if name.startswith(PREFILL)
        }
        return page(typed, {})

    @pages.post("/forms/redeem")
    def submit() -> Response | tuple[str, int]:
        cells, wrong = _read_form(asked_fields(), request.form)
        if wrong:
            return page(request.form.to_dict(), wrong), NOT_DONE
        row = base.submit_form(TABLE, cells)
        return redirect(url_for("forms.thanks", record_id=row["id"]), code=303)

    @pages.get("/forms/redeem/thanks/<record_id>")
    def thanks(record_id: str) -> str:
        row = find_row(base, TABLE, record_id)
        return render_template(
            "thanks.html",
            row=None if row is None else _progress(row),
            store_email=_email_of_store(vendors, row),
            mail=_answer_to(vendors, record_id),
        )

    return pages


def _read_form(
    fields: list[Field], form: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The new row's cells, and what is wrong with the form."""
    cells: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for field in fields:
        try:
            value = read_cell(field, [form.get(field.name, "")])
        except NotAcceptedError as problem:
            wrong[field.name] = str(problem)
            continue
        if value is None:
            wrong[field.name] = "This field is required."
        else:
            cells[field.name] = value
    return cells, wrong


def _email_of_store(vendors: Vendors, row: RecordJson | None) -> str | None:
    """Where the row's store is answered; None if nobody knows."""
    if row is None:
        return None
    named = row["fields"].get("Store") or []
    emails = {store.id: store.email for store in stores_of(vendors.base) if store.email}
    return next((emails[each] for each in named if each in emails), None)


def _progress(row: RecordJson) -> Progress:
    outcome = row["fields"].get("Outcome")
    return Progress(
        status=str(row["fields"].get("Status", "")),
        outcome=None if outcome is None else pill(str(outcome)),
        message=str(row["fields"].get("Message", "")),
    )


def _answer_to(vendors: Vendors, record_id: str) -> ReceivedMail | None:
    """The newest mail that names the row: an answer carries its reference, which holds the id."""
    return next((mail for mail in vendors.inbox.mails() if record_id in mail.text), None)
