"""Currencies without decimals and with three, from what a store types to what everybody reads."""

from dataclasses import dataclass
from decimal import Decimal

import pytest

from tests.world import World, running_world


@dataclass(frozen=True)
class Case:
    """Two cards of `each` are sold; of one, `spent` is spent and `left` is left."""

    currency: str
    each: str
    spent: str
    left: str
    in_mail: str
    total: str
    too_fine: float


YEN = Case("JPY", "2500", "1200", "1300", "1,300 JPY", "5,000 JPY", 12.5)
DINAR = Case("KWD", "12.345", "2.005", "10.340", "10.340 KWD", "24.690 KWD", 1.2345)
each_currency = pytest.mark.parametrize("case", [YEN, DINAR], ids=lambda case: case.currency)


def number(text: str) -> float:
    """A cell as Airtable holds it."""
    return float(text)


def receipts(world: World, action: str) -> list[dict[str, object]]:
    return [line for line in world.cells("Receipts") if line["Action"] == action]


@each_currency
def test_money_of_any_exponent_goes_through_every_hand(case: Case) -> None:
    with running_world(
        currency=case.currency,
        cap_per_card=Decimal(case.each),
        cap_per_store_and_day=Decimal(case.each) * 2,
        cap_per_recipient_and_day=Decimal(0),
    ) as world:
        row_id = world.sell(Amount=number(case.each), Quantity=2)
        world.serve()
        assert world.request(row_id)["Status"] == "Processed"  # a cap may be reached
        cards = world.shop.cards
        assert [str(card.balance.normalize()) for card in cards] == [
            str(Decimal(case.each).normalize())
        ] * 2
        (event,) = world.klaviyo.events
        digits = case.each.replace(".", "")
        assert all(
            digits in "".join(filter(str.isdigit, card["amount"]))
            for card in event.properties["cards"]
        )
        assert [line["Amount"] for line in receipts(world, "Sell in store")] == [
            number(case.each)
        ] * 2
        above = world.sell(Amount=number(case.each))
        world.advance(60)
        world.serve()
        assert world.request(above)["Status"] == "Held"
        assert case.currency in world.request(above)["Message"]

        code = event.properties["cards"][0]["code"]
        spend = world.ask(Gift_Card_Code=code, Amount=number(case.spent))
        world.check_balance(code)
        world.serve()
        row = world.row(spend)
        assert (row["Outcome"], row["Balance After"]) == ("REDEEMED", number(case.left))
        assert any(case.in_mail in mail.body for mail in world.mails() if "Paid" in mail.subject)
        assert world.mails()[-1].subject == f"Your gift card holds {case.in_mail}"
        (line,) = receipts(world, "Redeem in store")
        assert line["Balance After"] == number(case.left)
        mirrored = {cells["Balance"] for cells in world.cells("Gift Cards")}
        assert mirrored == {number(case.left), number(case.each)}
        assert {cells["Currency"] for cells in world.cells("Gift Cards")} == {case.currency}
        world.advance(22 * 3600)
        world.sweep()
        world.drain()
        (digest,) = [mail for mail in world.mails() if "sold on" in mail.subject]
        assert case.total in digest.subject


@each_currency
def test_an_amount_finer_than_the_currency_is_refused_with_words(case: Case) -> None:
    with running_world(currency=case.currency) as world:
        world.shop.issue_card(code="wxyz2345abcd6789", amount=50)
        sale = world.sell(Amount=case.too_fine)
        spend = world.ask(Gift_Card_Code="wxyz2345abcd6789", Amount=case.too_fine)
        world.serve()
        assert world.request(sale)["Outcome"] == "REFUSED"
        assert "Amount" in world.request(sale)["Message"]
        assert "decimals" in world.request(sale)["Message"]
        assert world.row(spend)["Outcome"] == "AMOUNT_INVALID"
        assert len(world.shop.cards) == 1
        assert world.shop.cards[0].balance == 50
