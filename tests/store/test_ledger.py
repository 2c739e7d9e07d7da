"""The lines of a card's movements: each stands there once, however often it is written."""

from giftcards.domain.money import Money
from giftcards.store.ledger import Ledgers
from giftcards.store.table import Table


def test_a_line_that_is_written_twice_stands_there_once(table: Table) -> None:
    ledgers = Ledgers(table)
    card = "gid://shopify/GiftCard/41"
    assert ledgers.of([card]) == {}

    for _ in range(2):
        ledgers.note(card, operation="redemption#rec1", amount=Money(-1000, "USD"))
    ledgers.note(card, operation="order-refund#77", amount=Money(1000, "USD"))
    ledgers.note_reserved(card, payment="78", amount=Money(500, "USD"))

    found = ledgers.of([card, "gid://shopify/GiftCard/0"])
    assert list(found) == [card]
    assert found[card].lines == {
        "redemption#rec1": Money(-1000, "USD"),
        "order-refund#77": Money(1000, "USD"),
    }
    assert found[card].reserved == {"78": Money(500, "USD")}
