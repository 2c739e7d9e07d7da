"""Rows about the web shop's orders: made once each by their names, with links to cards' rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from giftcards.domain.money import Money
from giftcards.errors import NeedsAPerson, NotSent, TryAgain, Unconfirmed, VendorSurprise
from giftcards.flows.kinds import spend_key
from giftcards.flows.write_airtable import WriteAirtable
from giftcards.receipts import Action, Receipt, ReceiptOutcome
from giftcards.store.journal import OrderRow, Result
from giftcards.wiring import now
from sandbox.faults import Fault
from sandbox.shopify import GiftCard
from tests.world import World

ORDER_ROWS = "Processed Orders"

# Writing one row about an order with one new card takes some twenty calls.
MORE_CALLS_THAN_A_WRITE = 40
CELLS: Mapping[str, Any] = {
    "Order": "#1001",
    "Kind": "Payment",
    "Status": "Processed",
    "Message": "Paid by gift card.",
}


@dataclass
class KnownPurchases:
    """What is known of the orders that sold cards, and how often somebody asked."""

    rows: dict[str, OrderRow | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    trouble: Exception | None = None

    def of(self, number: str) -> OrderRow | None:
        self.asked.append(number)
        if self.trouble is not None:
            raise self.trouble
        return self.rows.get(number)


@dataclass
class Office:
    """The writer, and operations for it to write."""

    world: World
    purchases: KnownPurchases

    @property
    def writer(self) -> WriteAirtable:
        return replace(self.world.app.write_airtable(), purchase_rows=self.purchases)

    def commit(self, number: int, **result: Any) -> str:
        """An operation that ended so; returns its key."""
        key = spend_key(str(number), gives_back=False)
        journal = self.world.app.journal
        claimed = journal.claim(key, kind="order-spend", snapshot={}, now=now(), due_at=now())
        ended = Result(outcome="SPENT", decided_at=now(), **result)
        journal.commit(claimed, ended, due_at=now() + timedelta(days=1))
        return key

    def note(self, number: int, *, cards: tuple[str, ...] = (), **cells: object) -> str:
        """An operation with a row about an order, `5001/<number>`."""
        row = OrderRow(f"5001/{number}", {**CELLS, **cells}, cards)
        return self.commit(number, order_row=row)

    def write(self, *keys: str) -> None:
        self.writer.write([{"records": list(keys)}])

    def rows(self) -> dict[str, dict[str, Any]]:
        """The rows about orders as Airtable shows them, by `Order ID`; each name stands once."""
        cells = self.world.cells(ORDER_ROWS)
        by_name = {row["Order ID"]: row for row in cells}
        assert len(by_name) == len(cells)
        return by_name

    def card_rows(self) -> dict[str, str]:
        """The record ids of the cards' rows, by Shopify id."""
        records = self.world.base.table("Gift Cards").records()
        by_id = {str(one["fields"]["Shopify ID"]): one["id"] for one in records}
        assert len(by_id) == len(records)
        return by_id

    def links(self, name: str) -> list[str]:
        return list(self.rows()[name].get("Gift Cards", []))


@pytest.fixture
def office(world: World) -> Office:
    return Office(world, KnownPurchases())


@pytest.fixture
def card(world: World) -> GiftCard:
    return world.shop.issue_card(code="wxyz2345abcd6789", amount=50)


# ---- made once, and brought up to date --------------------------------------------------------


def test_a_row_is_made_with_its_name_and_its_cells(office: Office) -> None:
    office.write(office.note(1, Amount=12))
    assert office.rows() == {"5001/1": {**CELLS, "Order ID": "5001/1", "Amount": 12}}


def test_a_row_that_is_written_again_is_the_same_row(office: Office) -> None:
    first = office.note(1, Status="Waiting")
    office.write(first)
    office.write(first)
    (record,) = office.world.base.table(ORDER_ROWS).records()
    later = OrderRow("5001/1", {**CELLS, "Message": "Issued after all."})
    office.write(office.commit(2, order_row=later))
    (again,) = office.world.base.table(ORDER_ROWS).records()
    assert again["id"] == record["id"]
    assert again["fields"]["Status"] == "Processed"
    assert again["fields"]["Message"] == "Issued after all."


def test_the_last_word_of_a_batch_counts(office: Office) -> None:
    words = [OrderRow("5001", {**CELLS, "Message": word}) for word in ("first", "last")]
    office.write(*(office.commit(n, order_row=row) for n, row in enumerate(words)))
    assert office.rows()["5001"]["Message"] == "last"


def test_rows_are_written_ten_a_call(office: Office) -> None:
    keys = [office.note(number) for number in range(23)]
    seen: list[str] = []
    office.world.effects.watch = seen.append
    office.write(*keys)
    office.world.effects.watch = None
    assert len(office.rows()) == 23
    assert len([one for one in seen if one.startswith("POST /v0")]) == 3


def test_what_the_office_ticked_stays(office: Office) -> None:
    key = office.note(1, Status="Held")
    office.write(key)
    table = office.world.base.table(ORDER_ROWS)
    table.update(table.records()[0]["id"], {"Release": True})
    office.write(key)
    assert office.rows()["5001/1"]["Release"] is True


# ---- links ------------------------------------------------------------------------------------


def test_the_cards_row_is_made_before_the_link_to_it(office: Office, card: GiftCard) -> None:
    office.write(office.note(1, cards=(card.id,)))
    assert office.links("5001/1") == [office.card_rows()[card.id]]


def test_a_row_links_to_several_cards_in_their_order(office: Office, card: GiftCard) -> None:
    other = office.world.shop.issue_card(code="wxyz2345abcd9999", amount=50)
    office.write(office.note(1, cards=(other.id, card.id)))
    rows = office.card_rows()
    assert office.links("5001/1") == [rows[other.id], rows[card.id]]


def test_a_card_that_shopify_does_not_know_keeps_no_other_from_its_link(
    office: Office, card: GiftCard
) -> None:
    office.write(office.note(1, cards=("gid://shopify/GiftCard/1", card.id)))
    assert office.links("5001/1") == [office.card_rows()[card.id]]


def test_a_card_that_moved_is_mirrored_and_linked(office: Office, card: GiftCard) -> None:
    office.world.shop.spend_on_web(card.id, 20)
    office.world.app.cards.note_move(card.id)
    row = OrderRow("5001/1", CELLS, (card.id,))
    office.write(office.commit(1, order_row=row, moved_card=card.id, moved=Money(-2_000, "USD")))
    (shown,) = office.world.cells("Gift Cards")
    assert shown["Balance"] == 30
    assert office.links("5001/1") == [office.card_rows()[card.id]]


def test_cells_wait_for_no_link(office: Office, card: GiftCard) -> None:
    """Shopify is away: the card's row cannot be made, but what became of the order is shown."""
    office.world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
    key = office.note(1, cards=(card.id,))
    with pytest.raises(NotSent):
        office.write(key)
    assert office.rows()["5001/1"]["Message"] == CELLS["Message"]
    assert office.links("5001/1") == []
    office.world.shop.faults.clear()
    office.world.advance(60)
    office.write(key)
    assert office.links("5001/1") == [office.card_rows()[card.id]]


# ---- accidents --------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.DROP_REPLY, Fault.BREAK_CONNECTION, Fault.FAIL_BEFORE])
def test_a_lost_reply_to_a_creation_makes_no_second_row(office: Office, fault: Fault) -> None:
    key = office.note(1)
    office.world.base.faults.add(fault, operation=f"create {ORDER_ROWS}")
    with pytest.raises(Unconfirmed):
        office.write(key)
    office.world.advance(60)
    office.write(key)
    assert list(office.rows()) == ["5001/1"]


def test_a_row_that_was_found_again_is_brought_up_to_date(office: Office) -> None:
    office.world.base.faults.add(Fault.DROP_REPLY, operation=f"create {ORDER_ROWS}")
    with pytest.raises(Unconfirmed):
        office.write(office.note(1, Status="Waiting"))
    row = OrderRow("5001/1", {**CELLS, "Status": "Processed"})
    office.write(office.commit(2, order_row=row))
    assert office.rows()["5001/1"]["Status"] == "Processed"


def test_a_row_that_somebody_deleted_is_made_anew_with_its_links(
    office: Office, card: GiftCard
) -> None:
    key = office.note(1, cards=(card.id,))
    office.write(key)
    table = office.world.base.table(ORDER_ROWS)
    (old,) = table.records()
    table.delete(old["id"])
    office.write(key)
    (new,) = table.records()
    assert new["id"] != old["id"]
    assert office.links("5001/1") == [office.card_rows()[card.id]]


@pytest.mark.parametrize("fault", [Fault.DROP_REPLY, Fault.BREAK_CONNECTION])
def test_a_row_that_was_deleted_and_made_anew_in_silence_stands_once(
    office: Office, fault: Fault
) -> None:
    key = office.note(1)
    office.write(key)
    table = office.world.base.table(ORDER_ROWS)
    table.delete(table.records()[0]["id"])
    office.world.base.faults.add(fault, operation=f"create {ORDER_ROWS}")
    with pytest.raises(Unconfirmed):
        office.write(key)
    office.world.advance(60)
    office.write(key)
    assert list(office.rows()) == ["5001/1"]


@pytest.mark.parametrize("moment", ["watch", "watch_end"])
def test_a_worker_that_dies_at_any_call_leaves_one_row(office: Office, moment: str) -> None:
    """It dies before, or after, each of its calls in turn; its message comes back."""
    deaths = 0
    for call in range(MORE_CALLS_THAN_A_WRITE):
        card = office.world.shop.issue_card(code=f"wxyz2345abcd{call:04}", amount=50)
        key = office.note(call, cards=(card.id,))
        setattr(office.world.effects, moment, _Death(call))
        try:
            office.write(key)
        except _Died:
            deaths += 1
        setattr(office.world.effects, moment, None)
        office.write(key)
        assert office.links(f"5001/{call}") == [office.card_rows()[card.id]]
    assert 10 < deaths < MORE_CALLS_THAN_A_WRITE


class _Died(BaseException):
    """A worker was killed."""


@dataclass
class _Death:
    """Kills the worker at one of its calls."""

    at_call: int
    seen: int = 0

    def __call__(self, _: str) -> None:
        self.seen += 1
        if self.seen > self.at_call:
            raise _Died


# ---- a base that lacks something --------------------------------------------------------------


def test_a_base_without_the_table_shows_no_orders_but_all_else(
    office: Office, card: GiftCard
) -> None:
    office.world.base.delete_table(ORDER_ROWS)
    office.world.resume()
    receipt = Receipt(
        id="order-spend#1", at=now(), action=Action.SPEND_ON_WEB, actor="Web shop",
        card="•••• 6789", amount=Money(2_000, "USD"), balance_after=None,
        outcome=ReceiptOutcome.DONE, operation="order-spend#1", details="",
    )  # fmt: skip
    row = OrderRow("5001/1", CELLS, (card.id,))
    office.write(office.commit(1, order_row=row, purchase="5001", receipts=(receipt,)))
    assert [one["Receipt"] for one in office.world.cells("Receipts")] == ["order-spend#1"]
    assert list(office.card_rows()) == [card.id]


def test_a_table_that_was_deleted_after_it_was_looked_up_holds_up_nothing_else(
    office: Office, card: GiftCard
) -> None:
    office.world.base.delete_table(ORDER_ROWS)
    with pytest.raises(NeedsAPerson, match=ORDER_ROWS):
        office.write(office.note(1, cards=(card.id,)))
    assert list(office.card_rows()) == [card.id]


def test_a_base_without_the_offices_tick_shows_orders(office: Office) -> None:
    office.world.base.table(ORDER_ROWS).delete_field("Release")
    office.world.resume()
    office.write(office.note(1))
    assert list(office.rows()) == ["5001/1"]


# ---- orders that sold cards -------------------------------------------------------------------


def test_the_row_of_an_order_is_put_together_anew_once_a_batch(
    office: Office, card: GiftCard
) -> None:
    office.purchases.rows["5001"] = OrderRow("5001", {**CELLS, "Kind": "Purchase"}, (card.id,))
    keys = [office.commit(number, purchase="5001") for number in range(3)]
    office.write(*keys, office.commit(9, purchase="5002"))
    assert office.purchases.asked == ["5001", "5002"]
    assert list(office.rows()) == ["5001"]
    assert office.rows()["5001"]["Kind"] == "Purchase"
    assert office.links("5001") == [office.card_rows()[card.id]]


def test_an_operation_may_leave_a_row_and_change_its_orders_row(office: Office) -> None:
    office.purchases.rows["5001"] = OrderRow("5001", CELLS)
    row = OrderRow("5001/return/1", {**CELLS, "Kind": "Return"})
    office.write(office.commit(1, order_row=row, purchase="5001"))
    assert sorted(office.rows()) == ["5001", "5001/return/1"]


@pytest.mark.parametrize("trouble", [TryAgain("busy"), VendorSurprise("odd")])
def test_an_order_that_cannot_be_told_holds_up_no_card(
    office: Office, card: GiftCard, trouble: Exception
) -> None:
    office.purchases.trouble = trouble
    office.world.app.cards.note_move(card.id)
    with pytest.raises(type(trouble)):
        office.write(office.commit(1, purchase="5001", moved_card=card.id))
    assert list(office.card_rows()) == [card.id]


def test_until_purchases_are_served_the_application_shows_none(world: World) -> None:
    office = Office(world, KnownPurchases())
    key = office.commit(1, purchase="5001")
    world.app.write_airtable().write([{"records": [key]}])
    assert office.rows() == {}
