"""Prepares a Klaviyo account for the customers' mails: metrics, templates, and a list for people.

The order matters: the test events come before the templates, so that not even the sandbox, where a
template is as good as a flow, mails them. They are always the same events, so running this again
adds none.
"""

from collections.abc import Iterator
from datetime import date

from giftcards.clients.klaviyo import TemplateChange
from giftcards.domain.codes import Code
from giftcards.domain.deliveries import (
    STANDARD_THEME,
    CardsDelivered,
    DeliveredCard,
    Delivery,
    DeliveryKind,
    GiftConfirmed,
    Person,
)
from giftcards.domain.money import Money
from giftcards.wiring import Application
from ops.klaviyo_templates import read_templates

TEST_OPERATION = "ops-setup"
TEST_CODE = Code("testtesttesttest")
TEST_MINOR_UNITS = 5_000
# Any day that is a day in every calendar; nobody is mailed about it.
TEST_DAY = date(2030, 1, 1)

CHECKLIST = """
What only you can do, in Klaviyo:
  1. Ask Klaviyo's support to allow transactional mail, if your account has none yet.
  2. Build one flow for each metric below: Create flow, Build your own, trigger “Metric”.
  3. In the flow, add a trigger split by the property “theme”, and a mail in each branch with the
     template and the subject shown below. The last branch, for all other themes, is “standard”.
  4. In each mail: Smart Sending off (on, it drops a customer's second card within 16 hours), the
     mail marked as transactional, and a sender whose mailbox somebody reads.
  5. Let customers pass again and again: no flow filter, re-entry without a wait.
  6. Preview with the test event, then set every mail to Live.
  7. Sell yourself a card and read the mail: 202 from Klaviyo means taken, not sent."""


def introduce_metrics(app: Application) -> Iterator[DeliveryKind]:
    """Send the one event by which Klaviyo gets to know each metric; yields the metrics."""
    for delivery in sample_deliveries(app):
        app.klaviyo.send_event(delivery)
        yield delivery.kind


def upload_templates(app: Application) -> Iterator[tuple[str, TemplateChange]]:
    """Bring every template of `klaviyo/templates` up to date; yields names and what it took."""
    for mail in read_templates():
        yield mail.template.name, app.klaviyo.put_template(mail.template)


def branches() -> Iterator[str]:
    """The flows to build, with the template and the subject of each branch."""
    mails = read_templates()
    for kind in DeliveryKind:
        yield f"\n{kind.value}"
        ours = [mail for mail in mails if mail.kind is kind]
        for mail in sorted(ours, key=lambda mail: (mail.theme == STANDARD_THEME, mail.theme)):
            branch = "all others" if mail.theme == STANDARD_THEME else f"theme equals {mail.theme}"
            yield f"  {branch}: template “{mail.template.name}”, subject:"
            yield f"      {mail.subject}"


def sample_deliveries(app: Application) -> tuple[Delivery, ...]:
    """One delivery of each kind to the office, marked as a test; the code opens no card."""
    office = Person(name="Test", email=app.config.office_email)
    amount = Money(TEST_MINOR_UNITS, app.facts.currency)
    return (
        CardsDelivered(
            operation=TEST_OPERATION,
            resend=0,
            to=office,
            cards=(DeliveredCard(code=TEST_CODE, amount=amount, expires_on=TEST_DAY),),
            giver="Test",
            message="This is a test.",
            theme=STANDARD_THEME,
            shop_name=app.facts.name,
            shop_url="",
            is_test=True,
        ),
        GiftConfirmed(
            operation=TEST_OPERATION,
            resend=0,
            to=office,
            recipient=office,
            amount=amount,
            quantity=1,
            send_on=TEST_DAY,
            message="This is a test.",
            theme=STANDARD_THEME,
            shop_name=app.facts.name,
            shop_url="",
            is_test=True,
        ),
    )
