"""The web site's own page for customers: ask what is left on a card, and be told by mail.

It stands where anybody can find it, so it says nothing about any card: whatever is asked, the page
reads the same. What is typed goes into `Balance Checks` and never into an address, which a browser
would keep and send on.
"""

from collections.abc import Mapping

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox.airtable import AirtableError
from sandbox.pages.forms import CODE_FIELD, Question, asked_fields, read_form
from sandbox.pages.shopify import NOT_DONE
from sandbox.pages.vendors import Vendors

TABLE = "Balance Checks"
EMAIL_FIELD = "Email"
QUESTIONS = {CODE_FIELD: Question(), EMAIL_FIELD: Question()}


def website_pages(vendors: Vendors) -> Blueprint:
    """The pages at `/gift-card-balance`."""
    pages = Blueprint("website", __name__)
    base = vendors.base

    def page(
        typed: Mapping[str, str], wrong: Mapping[str, str], *, is_refused: bool = False
    ) -> str:
        return render_template(
            "balance.html",
            code_field=CODE_FIELD,
            email_field=EMAIL_FIELD,
            typed=typed,
            wrong=wrong,
            is_refused=is_refused,
        )

    @pages.get("/gift-card-balance")
    def balance() -> str:
        return page({}, {})

    @pages.post("/gift-card-balance")
    def ask() -> Response | tuple[str, int]:
        cells, wrong = read_form(asked_fields(base, TABLE, QUESTIONS), QUESTIONS)
        if wrong:
            return page(request.form.to_dict(), wrong), NOT_DONE
        try:
            base.submit_form(TABLE, cells)
        except AirtableError:  # the base is full, which is nothing a customer can mend
            return page(request.form.to_dict(), {}, is_refused=True), NOT_DONE
        return redirect(url_for("website.asked"), code=303)

    @pages.get("/gift-card-balance/asked")
    def asked() -> str:
        return render_template("balance_asked.html")

    return pages
