"""What the nightly comparison of the books has found, for whoever would open the bucket in S3."""

from flask import Blueprint, Response, abort, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from sandbox.pages.vendors import Vendors


def reports_pages(vendors: Vendors) -> Blueprint:
    """The pages below `/reports`."""
    pages = Blueprint("reports", __name__)
    reports = vendors.reports

    @pages.get("/reports")
    def show() -> str:
        return render_template("reports.html", reports=reports.newest_first())

    @pages.post("/reports")
    def compare() -> AnyResponse:
        reports.compare()
        return redirect(url_for("reports.show", asked=1), code=303)

    @pages.get("/reports/<path:name>")
    def read(name: str) -> Response:
        found = reports.read(name)
        if found is None:
            abort(404)
        body, kind = found
        return Response(body, content_type=kind)

    return pages
