"""A wrong token, a missing field, a refused mail: who can mend it is told, and nothing is lost."""

import json
from typing import Any

import pytest
import requests

from giftcards.clients.airtable import expected_tables
from giftcards.clients.airtable.layout import Kind
from giftcards.domain.outcomes import Outcome
from giftcards.errors import AccessRefused, BaseMismatch
from giftcards.flows.serve_purchases import FAILURES_IN_A_ROW
from giftcards.receipts import Action
from sandbox.airtable import Base
from sandbox.airtable import create_app as airtable_app
from sandbox.shopify import CartLine, Pay
from sandbox.wsgi import WsgiAdapter
from tests.world import AIRTABLE_URL, World

CODE = "wxyz2345abcd6789"


def test_a_wrong_shopify_token_is_named_and_the_rows_wait(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.shop.revoke_tokens()
    with pytest.raises(AccessRefused, match="Shopify"):
        world.tick()
    world.drain()
    assert "Status" not in world.row(row_id)
    (status,) = world.cells("Status")
    assert status["State"] == "Offline"
    assert "Shopify" in status["Last Error"]
    world.shop.add_static_token("shpat_sandbox")
    world.advance(60)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert world.shop.card(card.id).balance == 40


@pytest.mark.parametrize("has_a_code", [False, True])
def test_customers_data_that_shopify_hides_from_our_app_is_named_and_the_orders_wait(
    world: World,
    has_a_code: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    """No outage: every run fails until a person opens the fields, then each order gets its card."""
    world.shop.shows_customer_data = False
    world.shop.hiding_has_a_code = has_a_code
    for _ in range(4):
        world.shop.orders.place([CartLine("GIFT-CARD-25")], Pay())
    for _ in range(3):
        world.advance(30)
        with pytest.raises(AccessRefused, match="protected customer data"):
            world.buy_tick()
    world.drain()
    (status,) = [one for one in world.cells("Status") if one["State"] == "Offline"]
    assert "order.email" in status["Last Error"]
    assert "Dev Dashboard" in status["Last Error"]
    assert world.shop.cards == []

    world.shop.shows_customer_data = True
    world.advance(60)
    world.come_to_rest()
    assert len(world.shop.cards) == 4
    assert {one["State"] for one in world.cells("Status")} == {"Executing"}


def test_what_fails_for_every_order_is_not_tried_with_each_of_them(world: World) -> None:
    world.shop.shows_customer_data = False
    for _ in range(9):
        world.shop.orders.place([CartLine("GIFT-CARD-25")], Pay())
    world.advance(30)
    world.effects.forget()
    with pytest.raises(AccessRefused):
        world.buy_tick()
    reads = [name for name in world.effects.seen if "ReadOrder" in name]
    assert len(reads) == FAILURES_IN_A_ROW


def test_a_form_field_that_was_deleted_stops_the_run_by_name(world: World) -> None:
    """Without the amount's field every row would look empty: nobody is to be told nonsense."""
    row_id = world.ask(Gift_Card_Code=CODE)
    world.base.table("Redemptions").delete_field("Amount")
    with pytest.raises(BaseMismatch, match="Amount"):
        world.tick()
    world.drain()
    assert "Status" not in world.row(row_id)
    (status,) = world.cells("Status")
    assert "Amount" in status["Last Error"]
    assert world.mails() == []


def test_an_answer_field_that_was_deleted_holds_up_nobody(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.base.table("Redemptions").delete_field("Message")
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert world.row(row_id)["Gift Card Code"] == "•••• 6789"
    assert world.shop.card(card.id).balance == 40
    assert len(world.mails()) == 1


def test_a_renamed_field_breaks_nothing(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.base.table("Redemptions").rename_field("Amount", "How much")
    row_id = world.base.submit_form(
        "Redemptions",
        {"Store": [world.store_id], "Employee": "Ana", "Gift Card Code": CODE, "How much": 10},
    )["id"]
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED


def test_one_row_that_cannot_be_served_does_not_stop_the_others(world: World) -> None:
    """One card's debit is throttled; the other customer is served meanwhile."""
    world.shop.issue_card(code=CODE, amount=50)
    world.shop.issue_card(code="mnpq2345mnpq6789", amount=50)
    first = world.ask(Gift_Card_Code=CODE)
    world.advance(1)
    second = world.ask(Gift_Card_Code="mnpq2345mnpq6789")
    world.shop.faults.add("throttle", operation="giftCardDebit", times=1)
    world.serve()
    waiting = [row_id for row_id in (first, second) if "Status" not in world.row(row_id)]
    assert len(waiting) == 1
    world.advance(15)
    world.serve()
    for row_id in (first, second):
        assert world.row(row_id)["Outcome"] == Outcome.REDEEMED


def test_a_receipt_whose_creation_got_no_reply_is_not_written_twice(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.base.faults.add("drop-reply", operation="create", times=1)
    world.serve()
    world.come_to_rest()
    assert len(world.redemption_receipts()) == 1
    assert len(world.cells("Gift Cards")) == 1


def test_a_card_row_that_somebody_deleted_is_made_again(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.serve()
    (record,) = world.base.table("Gift Cards").records()
    world.base.table("Gift Cards").delete(record["id"])
    row_id = world.ask(Gift_Card_Code=CODE, Confirm_Duplicate=True)
    world.serve()
    (record,) = world.base.table("Gift Cards").records()
    assert record["fields"]["Balance"] == 30
    assert world.row(row_id)["Gift Card"] == [record["id"]]


def test_single_selects_with_the_words_that_resume_asks_for_take_all_that_is_written(
    world: World,
) -> None:
    for table in expected_tables().values():
        for field in table.fields:
            if field.words:
                offered = {"choices": [{"name": word} for word in field.words]}
                select = {"name": field.name, "type": "singleSelect", "options": offered}
                world.base.table(table.name).delete_field(field.name)
                world.base.table(table.name).create_field(select)
    world.resume()
    written = NotedWrites(world.base)
    world.session.mount(AIRTABLE_URL, written)
    world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE)
    world.check_balance(CODE)
    sold, refused = world.sell(), world.sell(Amount=-3)
    held = world.sell(Amount=int(world.config.cap_per_card) + 1)
    world.serve()
    world.come_to_rest()
    outcomes = [world.request(row_id)["Outcome"] for row_id in (sold, refused, held)]
    assert outcomes == ["ISSUED", "REFUSED", "HELD"]
    assert all(row["Status"] for row in world.cells("Balance Checks"))
    assert {one["State"] for one in world.cells("Status")} == {"Executing"}
    actions = {receipt["Action"] for receipt in world.cells("Receipts")}
    assert actions > {Action.REDEEM_IN_STORE, Action.SELL_IN_STORE, Action.CHECK_BALANCE}
    assert {card["Status"] for card in world.cells("Gift Cards")} == {"Active"}
    assert written.cells > {("Gift Cards", "Store"), ("Gift Cards", "Owner Email")}
    kinds = {one: expected_tables()[one[0]].field(one[1]).kind for one in written.cells}
    assert [one for one, kind in kinds.items() if kind is Kind.TYPED] == []


class NotedWrites(WsgiAdapter):
    """Carries requests to a base and notes, by table and field, every cell that they write."""

    def __init__(self, base: Base) -> None:
        super().__init__(airtable_app(base))
        self.cells: set[tuple[str, str]] = set()
        self._fields = {
            base.table(table.name).field(field.name).id: (table.name, field.name)
            for table in expected_tables().values()
            for field in table.fields
        }

    def send(self, request: requests.PreparedRequest, **given: Any) -> requests.Response:  # type: ignore[override] # passes on what it is given
        if request.method in {"PATCH", "POST"}:
            body = json.loads(request.body or "{}")
            for record in body.get("records", [body]):
                self.cells |= {self._fields[cell] for cell in record.get("fields", {})}
        return super().send(request, **given)
