"""Cards are sold, mailed, asked for and spent on the deployed stack, the day's own among them."""

import json
import re
import uuid
from collections.abc import Callable
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox.demo import OFFICE_EMAIL, Sandbox
from sandbox.embedded_aws import PROJECT
from sandbox.inbox import ReceivedMail
from sandbox.seed import ExpectedOfCheck, ExpectedOfSale, SeededSale
from sandbox.shopify import GiftCard
from tests.deployed.stack import Stack, wait_until

pytestmark = [pytest.mark.deployed, pytest.mark.sockets]

# The sales of the day come after its redemptions, which take several runs.
DAY_SECONDS = 180

# A tick comes every 15 s and drops what is late; a machine busy with other things may miss two.
ANSWERED_SECONDS = 90

# The cards are mirrored by a single writer, which other tests may have given a hundred rows.
WRITTEN_SECONDS = 180

UNIFORM = "We could not find a balance for this code"


def rows_of(sandbox: Sandbox, table: str) -> dict[str, dict[str, Any]]:
    """What the base shows, by the rows' ids."""
    return {row["id"]: row["fields"] for row in sandbox.base.table(table).records()}


def cards_of(sandbox: Sandbox, sale_id: str) -> list[GiftCard]:
    """The cards at Shopify that were made for a sale: its notes name it."""
    note = re.compile(rf"issue#{sale_id}#\d+")
    return [card for card in sandbox.shop.cards if note.fullmatch(card.note or "")]


def mails_about(sandbox: Sandbox, reference: str) -> list[ReceivedMail]:
    """SES's mails that carry a reference, oldest first."""
    line = f"Reference: {reference}"
    return [mail for mail in reversed(sandbox.inbox.mails()) if line in mail.text.splitlines()]


def codes_mailed(sandbox: Sandbox, sale_id: str) -> list[tuple[str, str]]:
    """Whom Klaviyo was told to send which codes of a sale's cards, without their blanks."""
    own = {card.code for card in cards_of(sandbox, sale_id)}
    sent = [
        (event.profile, str(card["code"]).replace(" ", "").lower())
        for event in sandbox.klaviyo.events
        if event.metric == "Gift Card Delivered"
        for card in json.loads(json.dumps(event.properties["cards"]))
    ]
    return [(to, code) for to, code in sent if code in own]


def is_over(sandbox: Sandbox, sale: SeededSale) -> bool:
    """Whether all that follows from a seeded sale can be seen."""
    cells = rows_of(sandbox, "Creation Requests")[sale.id]
    if sale.expected is not ExpectedOfSale.ISSUED:
        return "Outcome" in cells
    is_sent_later = sale.send_on is not None
    mailed = len(codes_mailed(sandbox, sale.id))
    return len(cells.get("Gift Cards", ())) == sale.quantity and (
        is_sent_later or mailed == sale.quantity
    )


@pytest.fixture(scope="module")
def day_is_sold(sandbox: Sandbox, stack: Stack) -> None:
    """Every sale and every question of the seeded day is done with."""
    sales = [s for s in sandbox.day.sales if s.expected is not ExpectedOfSale.NEVER_TOUCHED]
    checks = [check.id for check in sandbox.day.checks]

    def done() -> bool:
        asked = rows_of(sandbox, "Balance Checks")
        return (
            all(is_over(sandbox, sale) for sale in sales)
            and all("Status" in asked[check_id] for check_id in checks)
            and stack.has_nothing_on_its_way()
        )

    wait_until(done, seconds=DAY_SECONDS, what="the day's sales and questions are done with")


@pytest.mark.usefixtures("day_is_sold")
def test_every_sale_of_the_day_comes_to_what_it_should(sandbox: Sandbox) -> None:
    rows = rows_of(sandbox, "Creation Requests")

    assert {sale.why: rows[sale.id].get("Outcome") for sale in sandbox.day.sales} == {
        sale.why: None if sale.expected is ExpectedOfSale.NEVER_TOUCHED else str(sale.expected)
        for sale in sandbox.day.sales
    }
    for sale in sandbox.day.sales:
        made = cards_of(sandbox, sale.id)
        issued = sale.expected is ExpectedOfSale.ISSUED
        assert len(made) == (sale.quantity if issued else 0), sale.why
        assert {card.initial_value for card in made} == ({sale.amount} if issued else set())
        for field in sale.mistakes:
            assert f"{field}: " in rows[sale.id]["Message"], sale.why


@pytest.mark.usefixtures("day_is_sold")
def test_every_card_of_the_day_is_mailed_once_and_to_its_owner(sandbox: Sandbox) -> None:
    for sale in sandbox.day.sales:
        due = [] if sale.send_on is not None else cards_of(sandbox, sale.id)
        assert sorted(codes_mailed(sandbox, sale.id)) == sorted(
            (sale.recipient, card.code) for card in due
        ), sale.why


@pytest.mark.usefixtures("day_is_sold")
def test_every_purchaser_of_the_day_is_told_once_and_without_a_code(sandbox: Sandbox) -> None:
    def confirmed() -> list[str]:
        mails = sandbox.inbox.mails()
        return sorted(m.to for m in mails if m.subject.startswith("Your ") and " for " in m.subject)

    purchasers = sorted(sale.purchaser for sale in sandbox.day.sales if sale.purchaser)
    wait_until(
        lambda: set(purchasers) <= set(confirmed()), seconds=30, what="the purchasers are told"
    )

    for sale in sandbox.day.sales:
        if sale.purchaser is None:
            continue
        (mail,) = [mail for mail in sandbox.inbox.mails() if mail.to == sale.purchaser]
        assert sale.recipient in mail.text
        bare = re.sub(r"[^a-z0-9]", "", (mail.subject + mail.text + mail.html).lower())
        assert not [card for card in cards_of(sandbox, sale.id) if card.code in bare]


@pytest.mark.usefixtures("day_is_sold")
def test_every_store_of_the_day_is_told_of_its_sale(sandbox: Sandbox) -> None:
    subjects = {
        ExpectedOfSale.ISSUED: ("sale", "Done: "),
        ExpectedOfSale.REFUSED: ("sale", "No card was made"),
        ExpectedOfSale.HELD: ("held", "Not made yet"),
    }
    for sale in sandbox.day.sales:
        if sale.expected is ExpectedOfSale.NEVER_TOUCHED:
            assert not mails_about(sandbox, f"sale#{sale.id}")
            continue
        kind, begins = subjects[sale.expected]
        begins = "The card is made, to be sent on" if sale.send_on and not sale.mistakes else begins
        reference = f"{kind}#{sale.id}"
        wait_for_mail(sandbox, reference)
        (mail,) = mails_about(sandbox, reference)
        assert mail.to == sale.store.email
        assert mail.subject.startswith(begins), sale.why


@pytest.mark.usefixtures("day_is_sold")
def test_every_question_of_the_day_is_answered_and_misses_read_alike(sandbox: Sandbox) -> None:
    def answers() -> dict[str, list[ReceivedMail]]:
        found = sandbox.inbox.mails()
        return {c.email: [mail for mail in found if mail.to == c.email] for c in sandbox.day.checks}

    wait_until(lambda: all(answers().values()), seconds=30, what="the questions are answered")

    uniform = set()
    rows = rows_of(sandbox, "Balance Checks")
    for check in sandbox.day.checks:
        (mail,) = answers()[check.email]
        if check.expected is ExpectedOfCheck.BALANCE_SENT:
            (card,) = [card for card in sandbox.day.cards.values() if card.code == check.code]
            assert mail.subject == f"Your gift card holds {card.balance:.2f} USD"
        else:
            assert mail.subject == UNIFORM
            uniform.add(re.sub(r"As of: .*", "", mail.text))
        assert rows[check.id]["Status"] == "Processed"
        assert rows[check.id]["Gift Card Code"] != check.typed
    assert len(uniform) == 1


def wait_for_mail(sandbox: Sandbox, reference: str) -> None:
    wait_until(
        lambda: bool(mails_about(sandbox, reference)),
        seconds=ANSWERED_SECONDS,
        what=f"a mail about {reference}",
    )


def sell(sandbox: Sandbox, **cells: object) -> tuple[str, dict[str, Any]]:
    """File a sale as a store does, to an address of its own; returns the row's id and cells."""
    somebody = uuid.uuid4().hex[:8]
    asked: dict[str, Any] = {
        "Store": [sandbox.day.stores[3].id],
        "Employee": "Aisha Bello",
        "Amount": 20.0,
        "Quantity": 1,
        "Recipient Name": "Zoë Ångström",
        "Recipient Email": f"zoe.{somebody}@customers.example.com",
        "Theme": "Standard",
        "Kind": "Paid",
    } | cells
    return sandbox.base.submit_form("Creation Requests", asked)["id"], asked


def wait_for(sandbox: Sandbox, table: str, row_id: str, cell: str) -> dict[str, Any]:
    """Wait until a row has a cell; return the row's cells."""
    wait_until(
        lambda: cell in rows_of(sandbox, table)[row_id],
        seconds=WRITTEN_SECONDS,
        what=f"{cell} of {row_id} in {table}",
    )
    return rows_of(sandbox, table)[row_id]


def in_step(sandbox: Sandbox, card: GiftCard) -> Callable[[], bool]:
    """Whether Airtable's one row of a card shows Shopify's balance."""

    def holds() -> bool:
        mirrored = rows_of(sandbox, "Gift Cards").values()
        shown = [row["Balance"] for row in mirrored if row["Shopify ID"] == card.id]
        return [Decimal(str(each)) for each in shown] == [sandbox.shop.card(card.id).balance]

    return holds


def test_a_wedding_gift_is_sold_asked_for_and_spent(sandbox: Sandbox, stack: Stack) -> None:
    store = sandbox.day.stores[3]
    purchaser = f"ingrid.{uuid.uuid4().hex[:8]}@customers.example.com"
    sale_id, asked = sell(
        sandbox,
        **{
            "Amount": 80.0,
            "Recipient Name": "Zoë & Björn",
            "Is Gift": True,
            "Purchaser Name": "Ingrid Solberg",
            "Purchaser Email": purchaser,
            "Gift Message": "May the roof never leak.",
            "Theme": "Wedding",
        },
    )
    recipient = asked["Recipient Email"]

    # The recipient's mail, in the theme's words, with the code that Shopify has.
    wait_for_mail(sandbox, f"sale#{sale_id}")
    (card,) = cards_of(sandbox, sale_id)
    (mail,) = sandbox.inbox.mails(recipient)
    assert mail.channel == "klaviyo"
    assert "wedding" in mail.subject
    assert "May the roof never leak." in mail.text
    (typed,) = re.findall(r"Code: +(\S+(?: \S+)*)", mail.text)
    assert typed.replace(" ", "").lower() == card.code

    # Purchaser and store are told, neither of them the code.
    wait_until(
        lambda: bool(sandbox.inbox.mails(purchaser)),
        seconds=ANSWERED_SECONDS,
        what="the purchaser is told",
    )
    (confirmation,) = sandbox.inbox.mails(purchaser)
    assert recipient in confirmation.text
    (told,) = mails_about(sandbox, f"sale#{sale_id}")
    assert (told.to, told.subject) == (store.email, "Done: the card was sent (80.00 USD)")
    for other in (confirmation, told):
        assert card.code not in re.sub(r"\s", "", other.text + other.html).lower()

    # The recipient asks what is on it, typing what the mail says.
    check = sandbox.base.submit_form(
        "Balance Checks", {"Gift Card Code": typed, "Email": recipient}
    )["id"]
    assert wait_for(sandbox, "Balance Checks", check, "Status")["Status"] == "Processed"
    wait_until(
        lambda: len(sandbox.inbox.mails(recipient)) == 2,
        seconds=ANSWERED_SECONDS,
        what="the balance is mailed",
    )
    assert sandbox.inbox.mails(recipient)[0].subject == "Your gift card holds 80.00 USD"

    # And spends a part of it in a store.
    row_id = sandbox.base.submit_form(
        "Redemptions",
        {
            "Store": [sandbox.day.stores[0].id],
            "Employee": "Maya Ortiz",
            "Gift Card Code": typed,
            "Amount": 31.5,
        },
    )["id"]
    wait_for(sandbox, "Redemptions", row_id, "Gift Card")
    wait_until(stack.has_nothing_on_its_way, seconds=WRITTEN_SECONDS, what="all is written")
    redeemed = rows_of(sandbox, "Redemptions")[row_id]
    assert redeemed["Outcome"] == "REDEEMED"
    assert Decimal(str(redeemed["Balance After"])) == Decimal("48.50")
    assert sandbox.shop.card(card.id).balance == Decimal("48.50")
    wait_until(in_step(sandbox, card), seconds=WRITTEN_SECONDS, what="the mirror is in step")

    sold = wait_for(sandbox, "Creation Requests", sale_id, "Gift Cards")
    assert sold["Gift Cards"] == redeemed["Gift Card"], "both rows are linked to the one card"
    mirror = rows_of(sandbox, "Gift Cards")[sold["Gift Cards"][0]]
    assert (mirror["Owner"], mirror["Owner Email"]) == ("Zoë & Björn", recipient)
    assert (mirror["Source"], mirror["Theme"]) == ("Store", "Wedding")
    receipts = [
        (receipt["Action"], receipt["Outcome"])
        for receipt in rows_of(sandbox, "Receipts").values()
        if any(row in receipt["Operation"] for row in (sale_id, check, row_id))
    ]
    assert sorted(receipts) == [
        ("Check balance", "Done"),
        ("Confirm gift to purchaser", "Done"),
        ("Redeem in store", "Done"),
        ("Sell in store", "Done"),
        ("Send to customer", "Done"),
    ]


def test_a_card_for_tomorrow_is_made_today_and_waits_in_the_journal(
    sandbox: Sandbox, stack: Stack
) -> None:
    tomorrow = sandbox.shop.today() + timedelta(days=1)
    sale_id, asked = sell(sandbox, **{"Send On": tomorrow.isoformat()})

    wait_for_mail(sandbox, f"sale#{sale_id}")
    sold = wait_for(sandbox, "Creation Requests", sale_id, "Gift Cards")

    (card,) = cards_of(sandbox, sale_id)
    assert sold["Message"] == (
        f"The card is made. It goes to {asked['Recipient Email']} on {tomorrow.isoformat()}."
    )
    assert not sandbox.inbox.mails(asked["Recipient Email"])
    table = stack.client("dynamodb")
    key = {"key": {"S": f"op#delivery#{sale_id}"}}
    waiting = table.get_item(TableName=stack.outputs()["TableName"], Key=key)["Item"]
    assert waiting["state"]["S"] == "CLAIMED"
    at_eight = datetime.combine(tomorrow, time(8), tzinfo=sandbox.shop.time_zone)
    assert float(waiting["due_at"]["N"]) == at_eight.timestamp(), "SendHour, by default"
    assert card.balance == 20


def bounced(stack: Stack, mail: ReceivedMail, reference: str) -> dict[str, Any]:
    """SES's event about a mail of this stack that came back, made from the sample."""
    sample = json.loads((PROJECT / "events" / "deliver_to_customer.bounce.json").read_text())
    event: dict[str, Any] = json.loads(sample["Records"][0]["body"])
    about = event["detail"]["mail"]
    about["messageId"] = mail.id.rpartition("-")[0]
    about["destination"] = [mail.to]
    about["tags"] = {
        "operation": [reference.replace("#", ".")],
        "ses:configuration-set": [stack.sandbox.stack],
    }
    return event


def test_a_mail_that_came_back_is_noted_and_told_to_the_office(
    sandbox: Sandbox, stack: Stack
) -> None:
    sale_id, _ = sell(sandbox, Amount=-1.0)
    reference = f"sale#{sale_id}"
    wait_for_mail(sandbox, reference)
    (mail,) = mails_about(sandbox, reference)
    event = bounced(stack, mail, reference)
    events = stack.client("events")

    # The configuration set that the mails name reports what comes back to EventBridge.
    (destination,) = stack.client("sesv2").get_configuration_set_event_destinations(
        ConfigurationSetName=sandbox.stack
    )["EventDestinations"]
    assert destination["Enabled"]
    assert set(destination["MatchingEventTypes"]) == {"BOUNCE", "COMPLAINT", "REJECT"}
    assert destination["EventBridgeDestination"]["EventBusArn"].endswith("event-bus/default")

    # The deployed rule takes this event, and no other configuration set's. As on AWS, nobody but
    # SES may put an event of SES's own, so from there on the test does what the rule would do.
    resources = stack.client("cloudformation").describe_stack_resource(
        StackName=sandbox.stack, LogicalResourceId="MailCameBack"
    )
    name = resources["StackResourceDetail"]["PhysicalResourceId"].rpartition("|")[2]
    pattern = events.describe_rule(Name=name)["EventPattern"]
    foreign = json.loads(json.dumps(event))
    foreign["detail"]["mail"]["tags"]["ses:configuration-set"] = ["another"]
    for sent, taken in ((event, True), (foreign, False)):
        answer = events.test_event_pattern(EventPattern=pattern, Event=json.dumps(sent))
        assert answer["Result"] is taken
    (target,) = events.list_targets_by_rule(Rule=name)["Targets"]
    queue_url = stack.outputs()["DeliverToCustomerQueueUrl"]
    queue = stack.client("sqs")
    about = queue.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn", "Policy"])
    assert target["Arn"] == about["Attributes"]["QueueArn"]
    queue.send_message(QueueUrl=queue_url, MessageBody=json.dumps(event))

    key = f"bounce#{event['detail']['mail']['messageId']}"
    wait_for_mail(sandbox, key)
    (notice,) = mails_about(sandbox, key)
    assert notice.to == OFFICE_EMAIL
    assert mail.to in notice.text

    def receipts() -> list[dict[str, Any]]:
        written = rows_of(sandbox, "Receipts").values()
        return [receipt for receipt in written if receipt["Operation"] == key]

    wait_until(lambda: bool(receipts()), seconds=WRITTEN_SECONDS, what="the receipt is written")
    (receipt,) = receipts()
    assert (receipt["Action"], receipt["Outcome"]) == ("Mail came back", "Failed")
    # The alarm hangs on what EventBridge counts under this name.
    (alarm,) = stack.client("cloudwatch").describe_alarms(
        AlarmNames=[f"{sandbox.stack}-mails-came-back"]
    )["MetricAlarms"]
    (watched,) = alarm["Dimensions"]
    assert (watched["Name"], watched["Value"].rpartition("|")[2]) == ("RuleName", name)
