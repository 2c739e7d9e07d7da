"""Prepares a Klaviyo account for the customers' mails: metrics, templates, and a list for people.

The order matters: the test events come before the templates, so that not even the sandbox, where a
template is as good as a flow, mails them. They are always the same events, so running this again
adds none.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import assert_never

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
  1. Have a paid account: a free one cannot send transactional mail.
  2. Build one flow for each metric below: Create flow, Build your own, trigger “Metric”.
  3. In the flow, add a trigger split by the property “theme”, and a mail in each branch with the
     template and the subject shown below. The last branch, for all other themes, is “standard”.
     Klaviyo copies a template where it is chosen: what changes in the library later changes no
     flow's mail.
  4. In each mail: Smart Sending off (on, it drops a customer's second card within 16 hours), and a
     sender whose mailbox somebody reads.
  5. Let customers pass again and again: no flow filter, re-entry without a wait.
  6. Preview with the test event. Then have each mail approved as transactional, which takes Klaviyo
     up to a business day. Editing the mail takes that away again.
  7. Set every mail to Live: a draft sends nothing to anybody.
  8. Sell yourself a card and read the mail: Klaviyo took the event, but nothing tells us whether
     it sent the mail. Look at the metrics “Dropped Email” and “Bounced Email” now and then."""


def introduce_metrics(app: Application) -> Iterator[DeliveryKind]:
    """Send the one event by which Klaviyo gets to know each metric; yields the metrics."""
    for delivery in sample_deliveries(app):
        app.klaviyo.send_event(delivery)
        yield delivery.kind


def upload_templates(app: Application) -> Iterator[tuple[str, TemplateChange]]:
    """Bring every template of `klaviyo/templates` up to date; yields names and what it took."""
    for mail in read_templates():
        yield mail.template.name, app.klaviyo.put_template(mail.template)


def describe_change(change: TemplateChange) -> str:
    """What it took to bring a template up to date, and what a person has to do about it.

    Said with each of them at once: when the rest cannot be uploaded, this one reads as it should
    the next time.
    """
    match change:
        case TemplateChange.UPDATED:
            return f"{change} in the library; choose it anew in the flow's mail"
        case TemplateChange.CREATED | TemplateChange.UNCHANGED:
            return str(change)
        case _:
            assert_never(change)


def renewals(updated: Sequence[str]) -> Iterator[str]:
    """What is left to do in the flows for templates that were updated."""
    if not updated:
        return
    yield "\nChanged above, and old in your flows, whose mails are copies. For each of these:"
    yield "  choose the template anew in its branch's mail, look at its subject, and ask for"
    yield "  transactional approval again. Until Klaviyo gives it, whoever unsubscribed from"
    yield "  marketing mail gets no card."
    for name in updated:
        yield f"      {name}"


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
