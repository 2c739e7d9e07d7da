"""The stores' forms, as Airtable shows them, with Airtable's own checks and no others.

A form refuses an empty required field and text in a number field. It takes three decimals,
negative and huge numbers, any text for a code or an address, any day, and the same thing twice:
what to make of that is the application's part.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox.airtable import AirtableError, Base, Field, RecordJson
from sandbox.inbox import ReceivedMail
from sandbox.pages.cells import (
    CellView,
    InputView,
    NotAcceptedError,
    look_at_input,
    pill,
    read_cell,
)
from sandbox.pages.shopify import NOT_DONE
from sandbox.pages.tables import choices_of, find_row, stores_of
from sandbox.pages.vendors import Vendors

CODE_FIELD = "Gift Card Code"

# Airtable fills a form in from its address: prefill_Amount=12.
PREFILL = "prefill_"


@dataclass(frozen=True, slots=True)
class Question:
    """How a form asks for a field.

    `preset` stands in it when the form is opened. A question that is `asked_if` a tick is set is
    shown, and its answer submitted, only while it is.
    """

    help: str = ""
    is_required: bool = True
    preset: str = ""
    asked_if: str | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """A form for staff: the table it files into, its words, and what it asks, in its order."""

    slug: str
    table: str
    title: str
    intro: str
    questions: Mapping[str, Question]


REDEEM = Form(
    slug="redeem",
    table="Redemptions",
    title="Redeem a gift card",
    intro="For the staff of our stores. You get the answer by mail in less than a minute;"
    " please wait for it before the customer leaves.",
    questions={
        "Store": Question("Where is the customer paying?"),
        "Employee": Question("Your name, so that a question finds you."),
        CODE_FIELD: Question(
            "From the card or the customer's mail. Blanks and dashes do not matter."
        ),
        "Amount": Question("What to take off the card, not what is on it."),
    },
)

SELL = Form(
    slug="sell",
    table="Creation Requests",
    title="Sell a gift card",
    intro="For the staff of our stores. The card goes to the recipient by mail, never through your"
    " hands; you get a mail once it is delivered, or when something has to be mended.",
    questions={
        "Store": Question("Where did the customer pay?"),
        "Employee": Question("Your name, so that a question finds you."),
        "Amount": Question("What each card is worth."),
        "Quantity": Question("How many cards of that amount.", is_required=False, preset="1"),
        "Recipient Name": Question("Who will spend the card."),
        "Recipient Email": Question("The card goes there: please read it back to the customer."),
        "Is Gift": Question("Somebody else than the recipient pays for it.", is_required=False),
        "Purchaser Name": Question("Who gives it.", is_required=False, asked_if="Is Gift"),
        "Purchaser Email": Question(
            "Gets a confirmation, without the code.", is_required=False, asked_if="Is Gift"
        ),
        "Gift Message": Question(
            "Stands in the recipient's mail.", is_required=False, asked_if="Is Gift"
        ),
        "Theme": Question("How the mail looks.", is_required=False, preset="Standard"),
        "Send On": Question("Leave it empty to send it now.", is_required=False),
        "Kind": Question("Promotional: nobody has paid for it.", is_required=False, preset="Paid"),
    },
)

STAFF_FORMS = (REDEEM, SELL)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question on the page: its input, what it lets a person choose, and its conditions."""

    input: InputView
    choices: list[tuple[str, str]]
    is_required: bool
    asked_if: str | None


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
    forms = {form.slug: form for form in STAFF_FORMS}

    def find(slug: str) -> Form:
        return forms.get(slug) or abort(404)

    def page(
        form: Form, typed: Mapping[str, str], wrong: Mapping[str, str], refused: str | None = None
    ) -> str:
        return render_template(
            "form.html",
            form=form,
            asked=ask(base, form.table, form.questions),
            typed=typed,
            wrong=wrong,
            refused=refused,
        )

    @pages.get("/forms")
    def choose() -> str:
        return render_template("forms.html", forms=STAFF_FORMS)

    @pages.get("/forms/<slug>")
    def show(slug: str) -> str:
        form = find(slug)
        preset = {name: question.preset for name, question in form.questions.items()}
        prefilled = {
            name.removeprefix(PREFILL): text
            for name, text in request.args.items()
            if name.startswith(PREFILL)
        }
        return page(form, preset | prefilled, {})

    @pages.post("/forms/<slug>")
    def submit(slug: str) -> Response | tuple[str, int]:
        form = find(slug)
        cells, wrong = read_form(asked_fields(base, form.table, form.questions), form.questions)
        if wrong:
            return page(form, request.form.to_dict(), wrong), NOT_DONE
        try:
            row = base.submit_form(form.table, cells)
        except AirtableError as refusal:
            return page(form, request.form.to_dict(), {}, refusal.message or refusal.kind), NOT_DONE
        return redirect(url_for("forms.thanks", slug=slug, record_id=row["id"]), code=303)

    @pages.get("/forms/<slug>/thanks/<record_id>")
    def thanks(slug: str, record_id: str) -> str:
        form = find(slug)
        row = find_row(base, form.table, record_id)
        return render_template(
            "thanks.html",
            form=form,
            row=None if row is None else _progress(row),
            store_email=_email_of_store(vendors, row),
            mail=_answer_to(vendors, record_id),
        )

    return pages


def asked_fields(base: Base, table: str, questions: Mapping[str, Question]) -> list[Field]:
    """The fields a form asks for, in its order; what the base does not have is not asked."""
    known = {field.name: field for field in base.table(table).fields()}
    return [known[name] for name in questions if name in known]


def ask(base: Base, table: str, questions: Mapping[str, Question]) -> list[Asked]:
    """The questions as the page shows them."""
    return [
        Asked(
            input=look_at_input(field, help_text=questions[field.name].help, one_link=True),
            choices=choices_of(field, base),
            is_required=questions[field.name].is_required,
            asked_if=questions[field.name].asked_if,
        )
        for field in asked_fields(base, table, questions)
    ]


def read_form(
    fields: list[Field], questions: Mapping[str, Question]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The new row's cells out of the submitted form, and what is wrong with it."""
    cells: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for each in fields:
        question = questions[each.name]
        if question.asked_if is not None and not request.form.get(question.asked_if):
            continue
        try:
            value = read_cell(each, [request.form.get(each.name, "")])
        except NotAcceptedError as problem:
            wrong[each.name] = str(problem)
            continue
        if value is not None:
            cells[each.name] = value
        elif question.is_required:
            wrong[each.name] = "This field is required."
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
