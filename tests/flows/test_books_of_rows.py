"""Receipts and rows of orders: each planted difference is found and put right, none invented."""

from decimal import Decimal
from typing import Any

import pytest

from giftcards.domain.drift import Difference, Drift
from giftcards.domain.money import Money
from giftcards.flows.reconcile.phase import Ending
from giftcards.flows.reconcile.putting_right import MOST_OF_ONE_SUBJECT
from giftcards.receipts import Action
from giftcards.store.pieces import Kind, Pieces, Place
from sandbox.shopify import CartLine, OrderPlan, Pay
from tests.flows import adjust_stories, purchase_stories, sale_stories, spend_stories
from tests.flows.reconcile_stories import compare as reconcile
from tests.flows.row_books import (
    compare,
    differences,
    let_it_be_old,
    phases,
    put_right,
    run_of,
    walk,
)
from tests.flows.stories import STORIES, begun
from tests.flows.test_roles import give_back, live, shop_on_the_web
from tests.web_spending import CODE
from tests.world import When, World, running_world

OTHER_STORIES: dict[str, Any] = {
    f"{group.__name__.rpartition('.')[2]}: {name}": story
    for group in (sale_stories, purchase_stories, spend_stories, adjust_stories)
    for name, story in group.STORIES.items()
}


@pytest.fixture
def shop(world: World) -> World:
    """A shop with a redemption, a sale, an order that sold a card, a payment and a reversal."""
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=10)
    world.sell()
    world.shop.orders.place([CartLine("GIFT-CARD-50")], Pay())
    world.shop.orders.place([CartLine("LANTERN-S")], Pay([CODE]))
    world.come_to_rest()
    world.base.table("Redemptions").update(row_id, {"Reverse Amount": 4})
    world.come_to_rest()
    let_it_be_old(world)
    assert not differences(world)
    return world


def only(found: list[Difference]) -> Difference:
    (one,) = found
    return one


def receipt_row(world: World, action: Action) -> str:
    """The record id of a receipt of this action."""
    return next(
        record["id"]
        for record in world.base.table("Receipts").records()
        if record["fields"]["Action"] == action
    )


def cells(world: World, table: str, record_id: str) -> dict[str, Any]:
    return dict(world.base.table(table).get(record_id)["fields"])


class TestNoneIsInvented:
    @pytest.mark.parametrize("story", STORIES)
    def test_after_each_story_of_a_redemption(self, story: str) -> None:
        with begun(STORIES[story]) as (world, _, start):
            world.go_back(start)
            STORIES[story].tell(world)
            world.come_to_rest()
            self.check(world)

    @pytest.mark.parametrize("story", OTHER_STORIES)
    def test_after_each_other_story(self, story: str) -> None:
        told = OTHER_STORIES[story]
        with running_world(**(getattr(told, "settings", None) or {})) as world:
            told.begin(world)
            for step in told.steps:
                step(world)
            live(world)
            self.check(world)

    def test_after_a_day_on_the_web(self, world: World) -> None:
        shop_on_the_web(world)
        world.come_to_rest()
        self.check(world)

    def test_after_all_was_given_back(self, world: World) -> None:
        give_back(world)
        world.come_to_rest()
        self.check(world)

    def check(self, world: World) -> None:
        """At once, when much may not be written yet, and later, when all is."""
        assert differences(world) == []
        let_it_be_old(world)
        assert differences(world) == []
        assert world.cells("Receipts")  # there was something to compare

    def test_with_nothing_written_yet_by_a_writer_that_is_behind(self, world: World) -> None:
        world.shop.issue_card(code=CODE, amount=50)
        world.shop.orders.place([CartLine("LANTERN-S")], Pay([CODE]))
        world.spend_tick()
        assert world.cells("Receipts") == []
        assert differences(world, twice=False) == []
        let_it_be_old(world)
        assert len(differences(world, twice=False)) >= 2  # now it is late, and would be told

    def test_with_rows_that_people_made(self, shop: World) -> None:
        shop.base.table("Receipts").create({"Receipt": "A note of the office", "Amount": 5})
        shop.base.table("Receipts").create({"Details": "no name"})
        shop.base.table("Receipts").create({"Receipt": "a#" + "x" * 20_000 + "#1"})
        shop.base.table("Processed Orders").create({"Order": "By hand", "Order ID": "#1001"})
        assert differences(shop) == []

    def test_in_a_base_without_rows_about_orders(self, world: World) -> None:
        world.base.delete_table("Processed Orders")
        world.resume()
        shop_on_the_web(world)
        world.come_to_rest()
        self.check(world)


class TestReceipts:
    @pytest.mark.parametrize(
        ("field", "value", "expected", "found"),
        [
            ("Amount", 99, "10.00 USD", "99.00 USD"),
            ("Amount", None, "10.00 USD", "None"),
            ("Amount", 1.001, "10.00 USD", "None"),
            ("Balance After", 1, "6.00 USD", "1.00 USD"),
            ("Outcome", "Failed", "None", "None"),
            ("Action", "Deliver", "None", "None"),
            ("Gift Card", "•••• 0000", "None", "None"),
            ("Operation", "redemption#another", "None", "None"),
            ("Actor", "Somebody else", "None", "None"),
            ("Details", CODE, "None", "None"),
            ("At", "2020-01-01T00:00:00.000Z", "None", "None"),
        ],
    )
    def test_an_altered_one_is_found_and_written_as_it_was(
        self, shop: World, field: str, value: object, expected: str, found: str
    ) -> None:
        record_id = receipt_row(shop, Action.REDEEM_IN_STORE)
        before = cells(shop, "Receipts", record_id)
        table = shop.base.table("Receipts")
        if field == "Action":
            table.field("Action").type = "singleLineText"
        table.update(record_id, {field: value})
        one = only(differences(shop))
        assert (one.drift, one.subject) == (Drift.RECEIPT_ALTERED, before["Receipt"])
        assert (str(one.expected), str(one.found)) == (expected, found)
        assert one.details == f"Airtable shows another {field} than the journal."
        assert put_right(shop) == [Ending.PUT_RIGHT]
        assert cells(shop, "Receipts", record_id) == before
        assert differences(shop) == []

    def test_a_cell_that_should_be_empty_is_emptied(self, shop: World) -> None:
        record_id = receipt_row(shop, Action.DELIVER)
        assert "Balance After" not in cells(shop, "Receipts", record_id)
        shop.base.table("Receipts").update(record_id, {"Balance After": 7})
        assert only(differences(shop)).drift is Drift.RECEIPT_ALTERED
        assert put_right(shop) == [Ending.PUT_RIGHT]
        assert "Balance After" not in cells(shop, "Receipts", record_id)

    def test_a_select_that_lacks_our_word_is_left_to_a_person(self, shop: World) -> None:
        record_id = receipt_row(shop, Action.REDEEM_IN_STORE)
        table = shop.base.table("Receipts")
        table.update(record_id, {"Outcome": None})
        table.field("Outcome").type = "singleSelect"
        table.field("Outcome").options["choices"] = [{"name": "Failed"}]
        assert put_right(shop) == [Ending.LEFT]

    def test_one_that_the_journal_does_not_have_is_left_to_a_person(self, shop: World) -> None:
        made_up = {"Receipt": "redemption#recAAAAAAAAAAAAAA#1", "Amount": 500, "Outcome": "Done"}
        shop.base.table("Receipts").create(made_up)
        one = only(differences(shop))
        assert (one.drift, one.subject) == (Drift.RECEIPT_ALTERED, made_up["Receipt"])
        assert one.details == "Airtable shows it, and the journal has no such receipt."
        assert put_right(shop) == [Ending.LEFT]

    def test_a_missing_one_is_found_and_written_again_once(self, shop: World) -> None:
        record_id = receipt_row(shop, Action.REDEEM_IN_STORE)
        before = cells(shop, "Receipts", record_id)
        shop.base.table("Receipts").delete(record_id)
        one = only(differences(shop))
        assert (one.drift, one.subject) == (Drift.RECEIPT_MISSING, before["Receipt"])
        assert str(one.expected) == "10.00 USD"
        assert put_right(shop) == [Ending.PUT_RIGHT]
        assert [row for row in shop.cells("Receipts") if row == before] == [before]
        assert differences(shop) == []

    def test_all_of_them_missing(self, shop: World) -> None:
        before = sorted(shop.cells("Receipts"), key=str)
        for record_id in list(shop.base.table("Receipts").record_ids()):
            shop.base.table("Receipts").delete(record_id)
        endings = put_right(shop)
        assert endings == [Ending.PUT_RIGHT] * len(before)
        assert sorted(shop.cells("Receipts"), key=str) == before

    def test_one_put_right_twice_stands_there_once(self, shop: World) -> None:
        shop.base.table("Receipts").delete(receipt_row(shop, Action.REDEEM_IN_STORE))
        ((phase, one),) = compare(shop)
        phase.put_right(one)
        phase.put_right(one)
        shop.drain()
        phase.put_right(one)
        shop.drain()
        assert len(shop.redemption_receipts()) == 1

    def test_one_that_is_written_before_the_second_look_counts_for_nothing(
        self, shop: World
    ) -> None:
        record_id = receipt_row(shop, Action.REDEEM_IN_STORE)
        before = cells(shop, "Receipts", record_id)
        shop.base.table("Receipts").delete(record_id)
        ((phase, one),) = compare(shop, twice=False)
        shop.base.table("Receipts").create(before)
        assert phase.judge_again(run_of(shop), [one]) == []


class TestDuplicates:
    @pytest.mark.parametrize("table", ["Receipts", "Processed Orders"])
    def test_copies_that_say_the_same_are_deleted(self, shop: World, table: str) -> None:
        record_id = next(iter(shop.base.table(table).record_ids()))
        before = cells(shop, table, record_id)
        for _ in range(2):
            shop.base.table(table).create(before)
        one = only(differences(shop))
        name = before["Receipt" if table == "Receipts" else "Order ID"]
        assert (one.drift, one.subject) == (Drift.DUPLICATE_ROWS, name)
        assert one.details.startswith("Airtable shows it in 3 rows: ")
        assert record_id in one.details
        assert put_right(shop) == [Ending.PUT_RIGHT]
        assert record_id in shop.base.table(table).record_ids()
        assert shop.cells(table).count(before) == 1
        assert differences(shop) == []

    def test_a_copy_far_behind_is_told_once(self, shop: World) -> None:
        """On another page than its row."""
        table = shop.base.table("Receipts")
        record_id = receipt_row(shop, Action.REDEEM_IN_STORE)
        for number in range(250):
            table.create({"Receipt": f"note {number}"})
        table.create(cells(shop, "Receipts", record_id))
        receipts, *_ = phases(shop)
        steps = walk(receipts, run_of(shop))
        assert len(steps) > 2
        assert only([one for step in steps for one in step.found]).drift is Drift.DUPLICATE_ROWS

    def test_two_copies_on_one_page_are_told_once(self, shop: World) -> None:
        record_id = receipt_row(shop, Action.REDEEM_IN_STORE)
        for _ in range(2):
            shop.base.table("Receipts").create(cells(shop, "Receipts", record_id))
        receipts, *_ = phases(shop)
        (step,) = walk(receipts, run_of(shop))
        assert only(list(step.found)).details.startswith("Airtable shows it in 3 rows: ")

    def test_one_of_which_no_record_is_known_keeps_the_oldest(self, shop: World) -> None:
        table = shop.base.table("Receipts")
        record_id = receipt_row(shop, Action.REDEEM_IN_STORE)
        before = cells(shop, "Receipts", record_id)
        name = before["Receipt"]
        shop.advance(60)
        table.create(before)
        shop.dynamodb.delete_item(
            TableName=shop.config.table_name, Key={"key": f"record#Receipts#{name}"}
        )
        assert only(differences(shop)).drift is Drift.DUPLICATE_ROWS
        assert put_right(shop) == [Ending.PUT_RIGHT]
        assert record_id in table.record_ids()
        assert differences(shop) == []
        (item,) = [one for one in shop.items() if one["key"] == f"record#Receipts#{name}"]
        assert item["record_id"] == record_id

    def test_an_older_telling_of_an_order_is_deleted(self, shop: World) -> None:
        """What a creation leaves behind that Airtable applied late."""
        table = shop.base.table("Processed Orders")
        record = next(one for one in table.records() if one["fields"]["Kind"] == "Purchase")
        older = record["fields"] | {"Message": "0 of 1 card made.", "Amount": 0}
        older.pop("Gift Cards")
        table.create(older)
        assert put_right(shop) == [Ending.PUT_RIGHT]
        assert [one for one in table.records() if one["fields"].get("Kind") == "Purchase"] == [
            record
        ]

    def test_a_copy_with_the_offices_tick_is_left_to_a_person(self, shop: World) -> None:
        table = shop.base.table("Processed Orders")
        record_id = next(iter(table.record_ids()))
        table.create(cells(shop, "Processed Orders", record_id) | {"Release": True})
        count = len(table.record_ids())
        assert put_right(shop) == [Ending.LEFT]
        assert len(table.record_ids()) == count

    @pytest.mark.parametrize("table", ["Receipts", "Processed Orders"])
    def test_a_copy_with_a_note_in_a_field_of_the_office_is_left_to_a_person(
        self, shop: World, table: str
    ) -> None:
        there = shop.base.table(table)
        there.create_field({"name": "Seen by", "type": "singleLineText"})
        record_id = next(iter(there.record_ids()))
        copy = there.create(cells(shop, table, record_id) | {"Seen by": "Ana"})["id"]
        assert put_right(shop) == [Ending.LEFT]
        assert copy in there.record_ids()
        there.update(record_id, {"Seen by": "Ana"})  # now nothing is lost with the copy
        assert put_right(shop) == [Ending.PUT_RIGHT]
        assert copy not in there.record_ids()

    def test_a_copy_of_a_receipt_with_other_money_is_left_to_a_person(self, shop: World) -> None:
        table = shop.base.table("Receipts")
        record_id = receipt_row(shop, Action.REDEEM_IN_STORE)
        copy = table.create(cells(shop, "Receipts", record_id) | {"Amount": 99})["id"]
        assert put_right(shop) == [Ending.LEFT]
        assert copy in table.record_ids()

    def test_the_writer_goes_on_with_the_row_that_is_kept(self, shop: World) -> None:
        table = shop.base.table("Processed Orders")
        record = next(one for one in table.records() if one["fields"]["Kind"] == "Purchase")
        table.create(record["fields"])
        assert put_right(shop) == [Ending.PUT_RIGHT]
        (order,) = [one for one in shop.shop.orders.all if one.name == record["fields"]["Order"]]
        shop.shop.orders.refund(order.id, units={order.lines[0].id: 1})
        shop.come_to_rest()
        rows = [one for one in table.records() if one["fields"]["Kind"] == "Purchase"]
        assert [one["id"] for one in rows] == [record["id"]]
        assert "Given back" in str(rows[0]["fields"]["Message"])


class TestOrders:
    @pytest.mark.parametrize("kind", ["Purchase", "Payment"])
    def test_a_missing_row_is_found_and_written_again_once(self, shop: World, kind: str) -> None:
        table = shop.base.table("Processed Orders")
        record = next(one for one in table.records() if one["fields"]["Kind"] == kind)
        before = record["fields"]
        table.delete(record["id"])
        one = only(differences(shop))
        assert (one.drift, one.subject) == (Drift.MISSING_ROW, before["Order ID"])
        assert put_right(shop) == [Ending.PUT_RIGHT]
        assert [row for row in shop.cells("Processed Orders") if row["Kind"] == kind] == [before]
        assert differences(shop) == []

    def test_a_refund_of_a_payment_and_an_order_that_is_held(self, world: World) -> None:
        card = world.shop.issue_card(code=CODE, amount=500)
        paid = world.shop.orders.place([CartLine("LANTERN-S")], Pay([CODE]))
        world.come_to_rest()
        payment = next(one for one in paid.transactions if one.card_id == card.id)
        world.shop.orders.refund(
            paid.id, units={}, amount=Decimal(1), shares={payment.id: Decimal(1)}
        )
        world.shop.orders.place([CartLine("GIFT-CARD-25")], Pay(), plan=OrderPlan(email=None))
        world.come_to_rest()
        let_it_be_old(world)
        rows = sorted(world.cells("Processed Orders"), key=str)
        assert {row["Kind"] for row in rows} == {"Payment", "Refund", "Purchase"}
        assert "Held" in {row["Status"] for row in rows}
        for record_id in list(world.base.table("Processed Orders").record_ids()):
            world.base.table("Processed Orders").delete(record_id)
        assert {one.drift for one in differences(world)} == {Drift.MISSING_ROW}
        assert put_right(world) == [Ending.PUT_RIGHT] * len(rows)
        assert sorted(world.cells("Processed Orders"), key=str) == rows


class TestCards:
    def test_a_card_that_shopify_does_not_know_any_more(self, shop: World) -> None:
        card = shop.shop.cards[0]
        del shop.shop._cards[card.id]  # noqa: SLF001 - nothing of Shopify's deletes a card
        one = only(differences(shop))
        assert (one.drift, one.subject, one.card_id) == (Drift.CARD_GONE, card.id, card.id)
        assert put_right(shop) == [Ending.LEFT]

    def test_a_card_made_after_all_were_listed_is_none(self, shop: World) -> None:
        shop.shop.issue_card(code="qrst2345abcd6789", amount=50)
        _, _, journal = phases(shop)
        found = [one for step in walk(journal, run_of(shop)) for one in step.found]
        assert Drift.CARD_GONE not in {one.drift for one in found}


def plant_one_of_each(world: World) -> None:
    """A receipt is missing, one is altered, one is doubled; so are rows of orders."""
    receipts, orders = world.base.table("Receipts"), world.base.table("Processed Orders")
    receipts.delete(receipt_row(world, Action.REDEEM_IN_STORE))
    receipts.update(receipt_row(world, Action.DELIVER), {"Amount": 99})
    receipts.create(cells(world, "Receipts", receipt_row(world, Action.REVERSE)))
    missing, doubled = list(orders.record_ids())
    orders.create(cells(world, "Processed Orders", doubled))
    orders.delete(missing)


def shown(world: World) -> list[str]:
    return sorted(str(sorted(row.items())) for name in TABLES for row in world.cells(name))


TABLES = ("Receipts", "Processed Orders")


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_whoever_dies_of_it_does_it_again_and_nothing_is_doubled(shop: World, when: When) -> None:
    before = shown(shop)
    plant_one_of_each(shop)
    start = shop.keep()
    shop.effects.forget()
    assert shop.work(lambda _: put_right(shop)) == [Ending.PUT_RIGHT] * 5
    effects = list(shop.effects.seen)
    assert shown(shop) == before
    assert len(effects) > 30
    for place, name in enumerate(effects):
        shop.go_back(start)
        shop.effects.kill_at = {place: when}
        shop.work(lambda _: put_right(shop))
        assert shop.effects.deaths == 1
        shop.come_to_rest()
        shop.work(lambda _: put_right(shop))
        shop.come_to_rest()
        assert shown(shop) == before, f"killed {when} effect {place}, {name}"
        assert differences(shop) == []


class TestAWholeRun:
    def test_each_difference_leaves_one_receipt_and_one_line(self, shop: World) -> None:
        before = shown(shop)
        plant_one_of_each(shop)
        compared = reconcile(shop)
        assert compared.kinds() == [
            Drift.DUPLICATE_ROWS,
            Drift.DUPLICATE_ROWS,
            Drift.MISSING_ROW,
            Drift.RECEIPT_ALTERED,
            Drift.RECEIPT_MISSING,
        ]
        assert {line["What was done"].partition(":")[0] for line in compared.lines} == {"Put right"}
        told = [row for row in shop.cells("Receipts") if row["Action"] == Action.RECONCILE]
        assert len(told) == 5 + 1  # and one of the run itself
        assert set(before) <= set(shown(shop))
        assert not compared.last.is_failed
        assert reconcile(shop).lines == []

    def test_two_differences_of_one_kind_about_one_thing_leave_a_receipt_each(
        self, shop: World
    ) -> None:
        """And a worker that does the step again, because another one died of it, leaves none."""
        for _ in range(2):
            assert endings_of_one_receipt(shop, 2) == ["PUT_RIGHT"] * 2
            shop.come_to_rest()
        told = [row for row in shop.cells("Receipts") if row["Action"] == Action.RECONCILE]
        assert sorted(row["Details"].partition(" is ")[2][:4] for row in told) == ["1.00", "2.00"]
        first, second = sorted(row["Operation"] for row in told)
        assert second == f"{first}#2"

    def test_more_of_one_kind_about_one_thing_than_any_shop_has_are_left_to_the_next_run(
        self, shop: World
    ) -> None:
        endings = endings_of_one_receipt(shop, MOST_OF_ONE_SUBJECT + 1)
        assert endings == ["PUT_RIGHT"] * MOST_OF_ONE_SUBJECT + ["LATER"]

    def test_a_writer_that_stands_still_does_not_double_what_is_missing_each_night(
        self, shop: World
    ) -> None:
        for record_id in list(shop.base.table("Receipts").record_ids())[:3]:
            shop.base.table("Receipts").delete(record_id)
        counts = []
        for _ in range(4):
            shop.app.runs.wish(reads_all=False)
            for _ in range(12):
                shop.reconcile()
                shop.advance(300)
            last = shop.app.runs.standing().last
            assert last is not None
            counts.append(last.differences)
        assert counts == [3, 4, 5, 6]  # the runs' own receipts are missing as well


def endings_of_one_receipt(world: World, differences: int) -> list[str]:
    """Put right so many differences about one receipt, with other money each, in one run."""
    receipts, *_ = phases(world)
    name = cells(world, "Receipts", receipt_row(world, Action.REDEEM_IN_STORE))["Receipt"]
    stands = [
        Difference(Drift.RECEIPT_ALTERED, name, None, None, Money(100 * one, "USD"), "Altered.")
        for one in range(1, differences + 1)
    ]
    run, place = run_of(world), Place.of(receipts.name, 0)
    pieces = Pieces(world.app.bucket, run=run.id)
    pieces.put_differences(Kind.STANDS, place, stands)
    walk(world.app.putting_right({receipts.name: receipts}), run)
    return [one.ending for part in pieces.places(Kind.DONE) for one in pieces.done(part)]
