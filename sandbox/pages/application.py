"""Puts the pages together into one web application, for people on this machine only."""

from datetime import datetime

from flask import Flask, Response, g, jsonify, render_template

from sandbox.airtable import Base
from sandbox.inbox import Inbox
from sandbox.klaviyo import Klaviyo
from sandbox.pages.faults import faults_pages
from sandbox.pages.forms import forms_pages
from sandbox.pages.inbox import inbox_pages
from sandbox.pages.orders import orders_pages
from sandbox.pages.reports import reports_pages
from sandbox.pages.shopify import shopify_pages
from sandbox.pages.start import start_pages
from sandbox.pages.storefront import storefront_pages
from sandbox.pages.switches import switches_pages
from sandbox.pages.tables import tables_pages
from sandbox.pages.vendors import Vendors
from sandbox.pages.website import website_pages
from sandbox.pages.wording import peek, write_moment
from sandbox.reports import Reports
from sandbox.shopify import Shop

# First pages first; each endpoint's blueprint lights up its entry.
NAVIGATION = (
    ("start.show", "Start"),
    ("forms.choose", "Forms"),
    ("tables.first", "Tables"),
    ("inbox.show_all", "Inbox"),
    ("shopify.show", "Cards"),
    ("orders.show", "Orders"),
    ("faults.show", "Faults"),
)

# Mails bring styles of their own, so styles may stand in the page; nothing comes from elsewhere.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " frame-ancestors 'none'; form-action 'self'; base-uri 'none'"
)

HEADINGS = {
    404: ("There is no such page", "Perhaps the address is mistyped."),
    410: ("This row is gone", "Somebody has deleted it meanwhile."),
}


def create_app(
    *, shop: Shop, base: Base, inbox: Inbox, klaviyo: Klaviyo, reports: Reports
) -> Flask:
    """The pages on these vendors. What Klaviyo's flows send is shown by the `inbox`."""
    vendors = Vendors(shop=shop, base=base, inbox=inbox, klaviyo=klaviyo, reports=reports)
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    for build in (
        start_pages,
        forms_pages,
        website_pages,
        tables_pages,
        inbox_pages,
        shopify_pages,
        orders_pages,
        storefront_pages,
        switches_pages,
        faults_pages,
        reports_pages,
    ):
        app.register_blueprint(build(vendors))
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.add_template_filter(peek)

    @app.template_filter("moment")
    def moment(at: datetime) -> str:
        return write_moment(at, shop.time_zone)

    @app.before_request
    def note_version() -> None:
        # Before anything is read: what changes meanwhile is then missing from the page at most
        # until its next look, never for good.
        g.version = vendors.version

    @app.context_processor
    def on_every_page() -> dict[str, object]:
        return {"shop_name": shop.name, "version": g.version, "navigation": NAVIGATION}

    @app.get("/version")
    def version() -> Response:
        return jsonify({"version": g.version})

    @app.after_request
    def keep_to_ourselves(reply: Response) -> Response:
        reply.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        reply.headers["X-Content-Type-Options"] = "nosniff"
        reply.headers.setdefault("Cache-Control", "no-store")
        return reply

    def explain(status: int) -> tuple[str, int]:
        heading, words = HEADINGS[status]
        return render_template("missing.html", heading=heading, words=words), status

    app.register_error_handler(404, lambda _: explain(404))
    app.register_error_handler(410, lambda _: explain(410))
    return app
