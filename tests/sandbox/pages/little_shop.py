"""A little shop for the tests of its pages: vendors in memory, a day seeded, no sockets."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import requests
from flask import Flask, jsonify
from flask.testing import FlaskClient
from flask.wrappers import Response

from sandbox.airtable import Base, build_standard_base
from sandbox.inbox import Inbox
from sandbox.klaviyo import Klaviyo
from sandbox.pages import create_app
from sandbox.reports import Reports
from sandbox.seed import Day, seed_a_day
from sandbox.shopify import Shop
from sandbox.wsgi import WsgiAdapter
from tests.aws_in_memory.s3 import S3
from tests.template_resources import BUCKET_NAME, create_bucket

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
AWS = "http://aws.test"


@dataclass
class LittleShop:
    """The vendors, what was seeded, the pages, and the mails the embedded AWS tells of.

    `s3` holds the reports, and `asked` how often somebody asked for one.
    """

    shop: Shop
    base: Base
    klaviyo: Klaviyo
    day: Day
    app: Flask
    client: FlaskClient
    s3: S3
    asked: list[str]
    sent: list[dict[str, object]] = field(default_factory=list)

    def mail(self, to: str, *, subject: str = "Paid", text: str = "Paid.", html: str = "") -> None:
        self.sent.append(
            {
                "MessageId": f"m{len(self.sent)}",
                "Source": "gift-cards@shop.example.com",
                "To": [to],
                "CC": [],
                "BCC": [],
                "Subject": subject,
                "BodyText": text,
                "BodyHtml": html,
                "Timestamp": NOON.timestamp() + len(self.sent),
            }
        )

    def customer_mail(self, to: str, *, subject: str = "A card", text: str = "Yours.") -> None:
        """Have a flow of Klaviyo mail a customer."""
        name = "Gift Card Delivered"
        if self.klaviyo.templates.named(f"{name} (standard)") is None:
            template = {
                "name": f"{name} (standard)",
                "editor_type": "CODE",
                "html": "<title>{{ event.subject }}</title><p>{{ event.text }}</p>",
                "text": "{{ event.text }}",
            }
            self.klaviyo.create_template({"type": "template", "attributes": template})
        self.klaviyo.take_event(
            {
                "type": "event",
                "attributes": {
                    "unique_id": str(len(self.klaviyo.events)),
                    "properties": {"subject": subject, "text": text},
                    "metric": {"data": {"type": "metric", "attributes": {"name": name}}},
                    "profile": {"data": {"type": "profile", "attributes": {"email": to}}},
                },
            }
        )

    def page(self, path: str) -> str:
        reply = self.client.get(path, follow_redirects=True)
        assert reply.status_code == 200, reply.text
        return reply.text

    def version(self) -> str:
        return str(self.client.get("/version").get_json()["version"])


class Watch:
    """Seconds that pass at every look, so that no reading of the mail is taken twice."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1.0
        return self.seconds


@contextmanager
def open_little_shop(clock: Callable[[], datetime] = lambda: NOON) -> Iterator[LittleShop]:
    """A seeded shop and its pages; the clock stands still unless one is given."""
    shop = Shop(clock=clock, name="Lantern & Loom")
    base = Base(clock=clock)
    build_standard_base(base)
    day = seed_a_day(shop, base)
    sent: list[dict[str, object]] = []

    aws = Flask("aws")

    @aws.get("/_ministack/ses/messages")
    def messages() -> Response:
        return jsonify({"messages": {"000000000000": sent}})

    with requests.Session() as session:
        session.mount(AWS, WsgiAdapter(aws))
        klaviyo = Klaviyo(clock=clock)
        inbox = Inbox(AWS, klaviyo=klaviyo, shop=shop, session=session, monotonic_seconds=Watch())
        s3 = S3()
        asked: list[str] = []
        create_bucket(s3)
        reports = Reports(
            s3=cast("S3Client", s3),
            bucket=lambda: BUCKET_NAME,
            compare=lambda: asked.append("compare"),
        )
        app = create_app(shop=shop, base=base, inbox=inbox, klaviyo=klaviyo, reports=reports)
        with app.test_client() as client:
            yield LittleShop(shop, base, klaviyo, day, app, client, s3, asked, sent)
