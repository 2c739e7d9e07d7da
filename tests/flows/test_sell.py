"""A store sells cards: made once, mailed to their owner, and told to the store."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from giftcards.wiring import Application
from sandbox.faults import Fault
from tests.world import MAIL_FROM, OFFICE, World, running_world

DELIVERED = "Gift Card Delivered"
CONFIRMED = "Gift Card Gift Confirmation"


def events(world: World, metric: str) -> list[Any]:
    return [event for event in world.klaviyo.events if event.metric == metric]


def sold(world: World) -> list[Any]:
    return [card for card in world.shop.cards if (card.note or "").startswith("issue#")]


def at_another_worker(world: World, word: str, work: Callable[[Application], object]) -> None:
    """Freeze the worker before the next call whose name holds `word`, while another one works."""

    def watch(name: str) -> None:
        if word in name:
            world.effects.watch = None
            frozen = world.app
            work(world.new_worker())
            world.app = frozen

    world.effects.watch = watch


def test_a_card_is_made_and_mailed_to_its_owner(world: World) -> None:
    row_id = world.sell(Amount=25)
    world.serve()
    (card,) = sold(world)
    assert (card.balance, card.note) == (25, f"issue#{row_id}#1")
    (event,) = events(world, DELIVERED)
    assert event.profile == "rosa@example.com"
    code = event.properties["cards"][0]["code"].replace(" ", "").lower()
    assert code == card.code
    assert event.properties["cards"][0]["amount"] == "$25.00"
    (mail,) = world.mails()
    assert mail.subject.startswith("Done: the card was sent")
    request = world.request(row_id)
    assert (request["Status"], request["Outcome"]) == ("Processed", "ISSUED")
    assert "rosa@example.com" in request["Message"]
    (mirror,) = world.cells("Gift Cards")
    assert (mirror["Owner"], mirror["Owner Email"], mirror["Balance"]) == (
        "Rosa",
        "rosa@example.com",
        25,
    )
    receipts = {receipt["Action"]: receipt for receipt in world.cells("Receipts")}
    assert receipts["Sell in store"]["Amount"] == 25
    assert receipts["Send to customer"]["Outcome"] == "Done"
    world.come_to_rest()
    assert len(events(world, DELIVERED)) == 1


def test_a_sold_card_can_be_spent_at_once_although_the_search_lags(world: World) -> None:
    world.shop.set_search_lag(600)
    world.sell(Amount=25)
    world.serve()
    (event,) = events(world, DELIVERED)
    row_id = world.ask(Gift_Card_Code=event.properties["cards"][0]["code"], Amount=10)
    world.serve()
    assert world.row(row_id)["Outcome"] == "REDEEMED"


def test_the_purchaser_of_a_gift_hears_where_it_goes_without_the_code(world: World) -> None:
    world.sell(
        Is_Gift=True,
        Purchaser_Name="Tom",
        Purchaser_Email="tom@example.com",
        Gift_Message="With love",
        Theme="Wedding",
    )
    world.serve()
    (confirmed,) = events(world, CONFIRMED)
    assert confirmed.profile == "tom@example.com"
    assert confirmed.properties["recipient_email"] == "rosa@example.com"
    (card,) = sold(world)
    assert card.code not in str(confirmed.properties).replace(" ", "").lower()
    (delivered,) = events(world, DELIVERED)
    assert (delivered.properties["giver"], delivered.properties["message"]) == ("Tom", "With love")
    assert delivered.properties["theme"] == "wedding"


def test_a_request_is_refused_as_a_whole_and_every_mistake_is_named(world: World) -> None:
    row_id = world.sell(Amount=-3, Recipient_Email="rosa at example", Quantity=0)
    world.serve()
    assert sold(world) == []
    (mail,) = world.mails()
    assert mail.subject.startswith("No card was made")
    for field in ("Amount", "Recipient Email", "Quantity"):
        assert field in mail.body
    assert world.request(row_id)["Outcome"] == "REFUSED"
    (receipt,) = world.cells("Receipts")
    assert receipt["Outcome"] == "Failed"


def test_many_cards_for_one_address_go_in_one_mail(world: World) -> None:
    row_id = world.sell(Quantity=12)
    world.serve()
    assert len(sold(world)) == 12
    assert len({card.code for card in sold(world)}) == 12
    (event,) = events(world, DELIVERED)
    assert len(event.properties["cards"]) == 12
    assert len(world.request(row_id)["Gift Cards"]) == 12
    (mail,) = world.mails()
    assert "12 cards" in mail.subject


def test_above_a_cap_the_office_has_to_approve(world: World) -> None:
    row_id = world.sell(Amount=501)
    world.serve()
    assert world.request(row_id)["Status"] == "Held"
    assert sold(world) == []
    (mail,) = world.mails()
    assert mail.subject == "Not made yet: the office has to approve this (501.00 USD)"
    assert "rosa@example.com" in mail.body
    world.base.table("Creation Requests").update(row_id, {"Approved": True})
    world.advance(60)
    world.serve()
    assert len(sold(world)) == 1
    assert world.request(row_id)["Outcome"] == "ISSUED"


def test_a_store_reads_every_reason_for_which_its_sale_waits(world: World) -> None:
    world.sell(Amount=5001, Recipient_Email="victor.lindgren@customers.example.com")
    world.serve()
    (mail,) = world.mails()
    for reason in ("for one card", "for the store", "for one recipient"):
        assert f"5,001.00 USD {reason}" in mail.body
    assert "…" not in mail.body


def test_held_is_dropped_where_the_office_was_quicker_than_the_mail(world: World) -> None:
    world.ses.delete_email_identity(EmailIdentity=MAIL_FROM)
    row_id = world.sell(Amount=501)
    world.serve()
    world.base.table("Creation Requests").update(row_id, {"Approved": True})
    world.advance(60)
    world.serve()
    assert len(sold(world)) == 1
    world.ses.create_email_identity(EmailIdentity=MAIL_FROM)
    for _ in range(20):
        world.advance(60)
        world.drain()
    assert [mail.subject.split(":")[0] for mail in world.mails()] == ["Done"]
    world.come_to_rest()


def test_a_stores_day_has_a_cap(world: World) -> None:
    rows = [
        world.sell(Amount=500, Quantity=4, Recipient_Email=f"r{n}@example.com") for n in range(3)
    ]
    world.serve()
    statuses = [world.request(row_id)["Status"] for row_id in rows]
    assert sorted(statuses) == ["Held", "Processed", "Processed"]


def test_two_sales_at_once_do_not_both_get_what_is_left(world: World) -> None:
    """One worker is about to claim what it saw to be left, and another one sells that meanwhile."""
    world.sell(Amount=500, Quantity=4, Recipient_Email="r0@example.com")
    world.serve()
    first, second = (
        world.sell(Amount=500, Quantity=4, Recipient_Email=f"r{n}@example.com") for n in (1, 2)
    )

    def take(app: Application, row_id: str) -> None:
        airtable = app.airtable(app.prong_pace)
        rows = airtable.waiting_creations(since=app.config.live_from)
        (row,) = (row for row in rows if row.id == row_id)
        store = app.store_book.find(row.store, read=airtable.stores)
        assert store is not None
        app.sell().take(row, store=store)

    at_another_worker(world, "TransactWriteItems", lambda app: take(app, second))
    take(world.app, first)
    assert world.effects.watch is None
    world.come_to_rest()
    assert world.request(first)["Status"] == "Held"
    assert world.request(second)["Status"] == "Processed"


def test_a_recipients_day_has_a_cap_whatever_the_spelling(world: World) -> None:
    spellings = ("rosa@example.com", "Rosa+shop@Example.com")
    rows = [world.sell(Amount=400, Quantity=4, Recipient_Email=typed) for typed in spellings]
    world.serve()
    statuses = [world.request(row_id)["Status"] for row_id in rows]
    assert sorted(statuses) == ["Held", "Processed"]


def test_a_card_for_later_is_made_now_and_sent_on_its_day(world: World) -> None:
    row_id = world.sell(Send_On="2026-11-26")
    world.serve()
    assert len(sold(world)) == 1
    assert events(world, DELIVERED) == []
    (mail,) = world.mails()
    assert "to be sent on 26 November 2026" in mail.subject
    assert world.request(row_id)["Message"] == (
        "The card is made. It goes to rosa@example.com on 2026-11-26."
    )
    world.advance(2 * 86400)  # 10:00 in New York on the 25th
    world.sweep()
    world.drain()
    assert events(world, DELIVERED) == []
    world.advance(22 * 3600 - 1800)
    world.sweep()
    world.drain()
    assert events(world, DELIVERED) == []  # 07:30
    world.advance(1800)
    world.sweep()
    world.drain()
    assert len(events(world, DELIVERED)) == 1
    assert len(world.mails()) >= 2


@pytest.mark.parametrize(
    ("dead", "told", "outcome"),
    [(1, "Sent in part", "DELIVERED_IN_PART"), (2, "Not sent", "CARD_DEAD")],
)
def test_a_card_that_died_before_its_day_is_not_sent(
    world: World, dead: int, told: str, outcome: str
) -> None:
    world.sell(Send_On="2026-11-24", Quantity=2)
    world.serve()
    cards = sold(world)
    for card in cards[:dead]:
        world.shop.deactivate(card.id)
    world.advance(86400)
    world.sweep()
    world.drain()
    sent = [
        card["code"].replace(" ", "").lower()
        for event in events(world, DELIVERED)
        for card in event.properties["cards"]
    ]
    assert sent == [card.code for card in cards[dead:]]
    mail = world.mails()[-1]
    assert mail.subject.startswith(told)
    assert "Done" not in mail.subject
    receipts = [line["Details"] for line in world.cells("Receipts")]
    assert any(line.startswith(outcome) for line in receipts)


def test_a_store_reads_the_day_as_people_write_it(world: World) -> None:
    world.sell(Send_On="2026-12-03")
    world.serve()
    (mail,) = world.mails()
    assert "to be sent on 3 December 2026" in mail.subject


def test_a_taken_code_is_ours_until_another_note_is_found(world: World) -> None:
    world.shop.set_search_lag(100)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardCreate")
    world.sell()
    world.serve()
    assert len(sold(world)) == 1
    assert events(world, DELIVERED) == []
    world.come_to_rest()
    (card,) = sold(world)
    (event,) = events(world, DELIVERED)
    assert event.properties["cards"][0]["code"].replace(" ", "").lower() == card.code


def test_a_delivery_that_klaviyo_refuses_is_given_up_and_everybody_hears(world: World) -> None:
    world.klaviyo.faults.add(Fault.FAIL_BEFORE, times=None)
    row_id = world.sell()
    for _ in range(40):
        world.advance(3600)
        world.tick()
        world.sweep()
        world.drain()
    operation = world.journal.load(f"delivery#{row_id}")
    assert operation is not None
    assert operation.state == "PARKED"
    assert "could not be sent" in world.request(row_id)["Message"]
    assert any(mail.destinations["ToAddresses"] == [OFFICE] for mail in world.mails())
    dead = world.sqs.receive_message(
        QueueUrl=world.queue_urls["DeliverToCustomerDeadLetters"], MaxNumberOfMessages=10
    )
    assert dead["Messages"]
    world.klaviyo.faults.clear()
    world.sqs.send_message(
        QueueUrl=world.queue_urls["DeliverToCustomerQueue"],
        MessageBody=dead["Messages"][0]["Body"],
    )
    world.drain()
    assert len(events(world, DELIVERED)) == 1


@pytest.mark.parametrize("corrected", [None, "rosa.new@example.com"])
def test_the_office_has_a_card_sent_again(world: World, corrected: str | None) -> None:
    world.sell()
    world.serve()
    (record,) = world.base.table("Gift Cards").records()
    cells = {"Resend": True} | ({"Resend To": corrected} if corrected else {})
    world.base.table("Gift Cards").update(record["id"], cells)
    world.advance(60)
    world.serve()
    first, second = events(world, DELIVERED)
    assert second.profile == (corrected or "rosa@example.com")
    assert world.cells("Gift Cards")[0]["Owner Email"] == second.profile
    resent = [line for line in world.cells("Receipts") if line["Action"].endswith("again")]
    assert "before: rosa@example.com" in resent[0]["Details"]
    assert first.properties["cards"][0]["code"] == second.properties["cards"][0]["code"]
    assert "Resend" not in world.cells("Gift Cards")[0]
    world.come_to_rest()
    assert len(events(world, DELIVERED)) == 2
    world.base.table("Gift Cards").update(record["id"], {"Resend": True})
    world.advance(60)
    world.serve()
    assert len(events(world, DELIVERED)) == 3


def test_a_tick_that_is_taken_away_at_that_moment_sends_nothing(world: World) -> None:
    """A worker has read the list of ticks, and freezes while another one serves the tick in it."""
    world.sell()
    world.serve()
    (record,) = world.base.table("Gift Cards").records()
    world.base.table("Gift Cards").update(record["id"], {"Resend": True})

    def send_again(app: Application) -> None:
        app.serve_sales(app.airtable(app.prong_pace)).resend.run()

    def serve_the_tick(app: Application) -> None:
        send_again(app)
        world.drain()

    at_another_worker(world, "BatchGetItem", serve_the_tick)
    send_again(world.app)
    assert world.effects.watch is None
    world.come_to_rest()
    assert len(events(world, DELIVERED)) == 2


def test_the_office_reads_each_morning_what_was_sold(world: World) -> None:
    world.sell(Amount=25, Quantity=2)
    world.sell(Amount=10, Employee="Ben", Recipient_Email="x@example.com")
    world.serve()
    world.advance(21 * 3600)  # 07:00 in New York
    world.sweep()
    world.drain()
    digests = [mail for mail in world.mails() if "sold on" in mail.subject]
    (digest,) = digests
    assert "60.00 USD" in digest.subject
    assert "Ana" in digest.body
    assert "Ben" in digest.body
    world.advance(600)
    world.sweep()
    world.drain()
    assert len([mail for mail in world.mails() if "sold on" in mail.subject]) == 1


def test_a_base_without_the_tables_still_redeems() -> None:
    with running_world(resumed=False) as world:
        world.base.delete_table("Creation Requests")
        world.base.delete_table("Balance Checks")
        world.resume()
        world.shop.issue_card(code="wxyz2345abcd6789", amount=50)
        row_id = world.ask(Gift_Card_Code="wxyz2345abcd6789")
        world.serve()
        assert world.row(row_id)["Outcome"] == "REDEEMED"


class Fails:
    """Fails a worker's calls of one kind, so many times, as it never should."""

    def __init__(self, call: str, error: Exception, *, times: int) -> None:
        self._call = call
        self._error = error
        self._times = times

    def __call__(self, name: str) -> None:
        if self._call in name and self._times:
            self._times -= 1
            raise self._error


def test_a_row_that_nobody_can_explain_stops_no_other(world: World) -> None:
    first = world.sell()
    world.advance(1)  # rows of one second are served in the order of their ids
    second = world.sell(Recipient_Email="x@example.com")
    world.effects.watch = Fails("TransactWriteItems", ZeroDivisionError("a bug"), times=1)
    world.serve()
    assert [world.request(row_id).get("Outcome") for row_id in (first, second)] == [None, "ISSUED"]
    world.advance(60)
    world.serve()
    assert world.request(first)["Outcome"] == "ISSUED"


def test_a_row_is_not_parked_because_aws_is_away(world: World) -> None:
    row_id = world.sell()
    busy = ClientError({"Error": {"Code": "RequestLimitExceeded"}}, "TransactWriteItems")
    world.effects.watch = Fails("TransactWriteItems", busy, times=5)
    for _ in range(5):
        with suppress(ClientError):
            world.tick()
        world.advance(60)
    world.serve()
    assert world.request(row_id)["Outcome"] == "ISSUED"
