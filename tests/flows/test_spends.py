"""What orders take off cards and give back to them: each step is noted once, and nothing else."""

from decimal import Decimal

from giftcards.receipts import Action
from tests.web_spending import CODE, check_in_step, load, look, operations, order, receipts, rest
from tests.world import World


def test_an_order_paid_by_card_leaves_a_receipt_a_row_and_the_balance(world: World) -> None:
    card = load(world)
    placed = order(world, (CODE, 20))
    look(world)
    (receipt,) = receipts(world, Action.SPEND_ON_WEB)
    assert receipt["Actor"] == f"web shop, order {placed.name}"
    assert receipt["Gift Card"] == f"•••• {CODE[-4:]}"
    assert (receipt["Amount"], receipt["Balance After"]) == (20, 30)
    assert receipt["Outcome"] == "Done"
    (row,) = world.cells("Processed Orders")
    payment = next(step for step in placed.transactions if step.gateway == "gift_card")
    assert row["Order ID"] == f"{placed.number}/{payment.number}"
    assert (row["Order"], row["Kind"], row["Status"]) == (placed.name, "Payment", "Processed")
    assert row["Amount"] == 20
    (mirror,) = world.base.table("Gift Cards").records()
    assert row["Gift Cards"] == [mirror["id"]]
    rest(world)
    check_in_step(world, card)
    assert len(operations(world, "order-spend")) == 1
    assert world.shop.card(card.id).balance == Decimal(30)
