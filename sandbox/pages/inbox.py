"""The mail boxes of stores, office and customers, as pages and as `/inbox.json`."""

from dataclasses import dataclass

from flask import Blueprint, Response, jsonify, render_template, request, url_for

from sandbox.pages.tables import stores_of
from sandbox.pages.vendors import Vendors


@dataclass(frozen=True, slots=True)
class Box:
    """One mail box: whose it is, and how many mails are in it."""

    name: str
    address: str
    count: int


def boxes_of(vendors: Vendors) -> list[Box]:
    """The stores' boxes first, then those of everybody else who got mail: office, customers."""
    counts: dict[str, int] = {}
    for mail in vendors.inbox.mails():
        address = mail.to.casefold()
        counts[address] = counts.get(address, 0) + 1
    boxes = [
        Box(store.name, store.email, counts.pop(store.email.casefold(), 0))
        for store in stores_of(vendors.base)
        if store.email
    ]
    others = [Box(address, address, count) for address, count in sorted(counts.items())]
    return boxes + others


def inbox_pages(vendors: Vendors) -> Blueprint:
    """The pages at `/inbox`."""
    pages = Blueprint("inbox", __name__)

    def page(address: str | None) -> str:
        boxes = boxes_of(vendors)
        mails = vendors.inbox.mails(address)
        wanted = request.args.get("mail")
        reading = next((mail for mail in mails if mail.id == wanted), None)
        named = {box.address.casefold(): box.name for box in boxes}
        title = "All mail" if address is None else named.get(address.casefold(), address)

        def here(mail: str | None = None, part: str | None = None) -> str:
            if address is None:
                return url_for("inbox.show_all", mail=mail, part=part)
            return url_for("inbox.show", address=address, mail=mail, part=part)

        return render_template(
            "inbox.html",
            address=address,
            title=title,
            boxes=boxes,
            total=len(vendors.inbox.mails()),
            mails=mails,
            reading=reading,
            gone=wanted is not None and reading is None,
            part="text" if request.args.get("part") == "text" else "html",
            problem=vendors.inbox.problem,
            here=here,
        )

    @pages.get("/inbox")
    def show_all() -> str:
        return page(None)

    @pages.get("/inbox/<address>")
    def show(address: str) -> str:
        return page(address)

    @pages.get("/inbox.json")
    def as_json() -> Response:
        return jsonify([mail.to_json() for mail in vendors.inbox.mails()])

    return pages
