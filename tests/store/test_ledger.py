"""The lines of a card's movements: each stands there once, however often it is written."""

from datetime import UTC, date, datetime, timedelta

from giftcards.domain.explaining import Look
from giftcards.domain.money import Money
from giftcards.store.ledger import Ledgers
from giftcards.store.table import Table

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


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


def test_a_look_is_kept_unless_somebody_else_looked_meanwhile(table: Table) -> None:
    ledgers = Ledgers(table)
    card = "gid://shopify/GiftCard/43"
    ledgers.note(card, operation="redemption#rec1", amount=Money(-1000, "USD"))
    before = ledgers.of([card])[card]
    assert before.look is None
    look = Look(
        updated_at=NOON,
        balance=Money(4000, "USD"),
        is_disabled=True,
        expires_on=date(2030, 1, 31),
        changes=2,
        base=Money(5000, "USD"),
        open=Money(-7, "USD"),
        open_since=NOON,
    )
    assert ledgers.note_look(before, look, look_again_at=NOON)
    assert not ledgers.note_look(before, Look(), look_again_at=None)
    after = ledgers.of([card])[card]
    assert (after.look, after.looks, after.lines) == (look, 1, before.lines)
    assert card in ledgers.to_look_at(now=NOON, limit=10)
    assert ledgers.note_look(after, Look(), look_again_at=None)
    assert card not in ledgers.to_look_at(now=NOON, limit=10)
    assert not ledgers.note_look(after, look, look_again_at=None)
    found = ledgers.of([card])[card]
    assert (found.look, found.looks) == (Look(), 2)


def test_a_card_can_be_queued_for_a_look_and_taken_off(table: Table) -> None:
    ledgers = Ledgers(table)
    card = "gid://shopify/GiftCard/44"
    ledgers.look_again(card, at=NOON)
    assert card not in ledgers.to_look_at(now=NOON - timedelta(seconds=1), limit=10)
    assert card in ledgers.to_look_at(now=NOON, limit=10)
    ledgers.forget_look(card)
    assert card not in ledgers.to_look_at(now=NOON, limit=10)
