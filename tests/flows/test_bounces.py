"""A mail that comes back: a receipt, the office in the reader's stead, and only once."""

import json
from typing import Any

from tests.cloudformation import TEMPLATE
from tests.world import OFFICE, World


def bounce(**mail: Any) -> dict[str, Any]:
    """SES's event, as the sample has it."""
    sample = (TEMPLATE.parent / "events" / "deliver_to_customer.bounce.json").read_text()
    event: dict[str, Any] = json.loads(json.loads(sample)["Records"][0]["body"])
    event["detail"]["mail"] |= mail
    return event


def send(world: World, event: dict[str, Any]) -> None:
    world.sqs.send_message(
        QueueUrl=world.queue_urls["DeliverToCustomerQueue"], MessageBody=json.dumps(event)
    )
    world.drain()


def test_the_office_reads_what_the_store_could_not(world: World) -> None:
    send(world, bounce())
    (mail,) = world.mails()
    assert mail.destinations["ToAddresses"] == [OFFICE]
    assert "main@shop.example" in mail.body
    assert "redemption.recA1b2C3d4E5f6G7" in mail.body
    (receipt,) = world.cells("Receipts")
    assert (receipt["Action"], receipt["Outcome"]) == ("Mail came back", "Failed")
    assert "Permanent" in receipt["Details"]


def test_the_same_event_twice_is_noted_once(world: World) -> None:
    send(world, bounce())
    send(world, bounce())
    assert len(world.mails()) == 1
    assert len(world.cells("Receipts")) == 1


def test_a_mail_to_the_office_that_comes_back_is_not_mailed_to_the_office(world: World) -> None:
    send(world, bounce(destination=[OFFICE]))
    assert world.mails() == []
    assert len(world.cells("Receipts")) == 1


def test_each_mail_names_its_operation_in_a_way_that_ses_takes(world: World) -> None:
    world.shop.issue_card(code="wxyz2345abcd6789", amount=50)
    row_id = world.ask(Gift_Card_Code="wxyz2345abcd6789")
    world.serve()
    (mail,) = world.mails()
    assert mail.tags == {"operation": f"redemption.{row_id}"}
