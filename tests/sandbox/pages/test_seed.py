"""The seeded day: every row is what it says it is, judged by the application's own rules."""

from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from giftcards.domain.cards import CardLimits, ShopFacts
from giftcards.domain.codes import Code, FormatIncorrect, clean, look_alikes
from giftcards.domain.creation import (
    CardKind,
    CreationRequest,
    CreationRow,
    Refused,
    SellingRules,
    read_request,
)
from giftcards.domain.money import Money, MoneyError
from giftcards.domain.outcomes import Outcome, Store
from sandbox.airtable import Base, build_standard_base
from sandbox.airtable.standard_base import KINDS, THEMES
from sandbox.seed import (
    Day,
    Expected,
    ExpectedOfCheck,
    ExpectedOfSale,
    SeededRow,
    SeededSale,
    seed_a_day,
)
from sandbox.shopify import GiftCard, Shop
from tests.sandbox.pages.little_shop import LittleShop


@pytest.fixture
def day(little_shop: LittleShop) -> Day:
    return little_shop.day


def card_of(row: SeededRow, day: Day) -> GiftCard:
    (card,) = [card for card in day.cards.values() if card.code == row.code]
    return card


def rows_of(day: Day, *expected: Expected) -> list[SeededRow]:
    rows = [row for row in day.rows if row.expected in expected]
    assert rows
    return rows


def test_it_is_the_same_day_every_time(little_shop: LittleShop) -> None:
    shop, base = Shop(clock=little_shop.shop.now), Base(clock=little_shop.base.clock)
    build_standard_base(base)
    again = seed_a_day(shop, base)

    assert [card.code for card in shop.cards] == [card.code for card in little_shop.shop.cards]
    assert [(row.typed, row.amount, row.expected) for row in again.rows] == [
        (row.typed, row.amount, row.expected) for row in little_shop.day.rows
    ]
    for table in ("Creation Requests", "Balance Checks"):
        assert [row["createdTime"] for row in base.table(table).records()] == [
            row["createdTime"] for row in little_shop.base.table(table).records()
        ]


def test_every_expected_outcome_is_one_the_application_has() -> None:
    for expected in Expected:
        if expected.is_outcome:
            assert Outcome(expected).is_final == expected.is_final
        else:
            assert not expected.is_final


def test_every_outcome_that_a_row_can_bring_about_is_brought_about(day: Day) -> None:
    seeded = {row.expected for row in day.rows}
    # Nobody can type a row whose debit gets lost on the way: that takes a fault switch.
    assert {
        Expected(outcome) for outcome in Outcome if outcome is not Outcome.NOT_CHARGED
    } <= seeded


def test_codes_that_are_to_be_read_are_read_as_their_card_and_no_other(day: Day) -> None:
    codes = {card.code for card in day.cards.values()}
    for row in day.rows:
        if row.code is None:
            continue
        read = clean(row.typed)
        assert isinstance(read, Code), row.why
        candidates = [read.value, *(other.value for other in look_alikes(read))]
        assert [code for code in candidates if code in codes] == [row.code], row.why


def test_the_badly_typed_codes_are_badly_typed(day: Day) -> None:
    redeemed = rows_of(day, Expected.REDEEMED)
    assert sum(row.typed != row.code for row in redeemed) >= 5
    assert any(not row.typed.isascii() for row in redeemed)
    assert any("\n" in row.typed for row in redeemed)
    second_try = [row for row in redeemed if clean(row.typed) != Code(str(row.code))]
    assert len(second_try) == 1


def test_codes_that_are_refused_are_no_codes_or_no_cards(day: Day) -> None:
    for row in rows_of(day, Expected.CODE_FORMAT_INCORRECT):
        assert isinstance(clean(row.typed), FormatIncorrect), row.why
    codes = {card.code for card in day.cards.values()}
    for row in rows_of(day, Expected.CODE_NOT_FOUND):
        read = clean(row.typed)
        assert isinstance(read, Code)
        assert not codes & {read.value, *(other.value for other in look_alikes(read))}


def test_amounts_are_payable_exactly_where_the_row_says_so(day: Day) -> None:
    for row in rows_of(day, Expected.AMOUNT_INVALID):
        if row.amount is None:
            continue
        with suppress(MoneyError):
            assert Money.parse(row.amount, "USD") < Money.zero("USD"), row.why
    asked: dict[str, Decimal] = {}
    for row in rows_of(
        day,
        Expected.REDEEMED,
        Expected.CARD_EXPIRED,
        Expected.CARD_DISABLED,
        Expected.CARD_ONLINE_ONLY,
        Expected.POSSIBLE_DUPLICATE,
        Expected.HELD,
    ):
        assert row.amount is not None
        assert Money.zero("USD") < Money.parse(row.amount, "USD")
        card = card_of(row, day)
        # Where two rows name one card, it could pay both: money is not why one is refused.
        asked[card.id] = asked.get(card.id, Decimal(0)) + row.amount
        assert asked[card.id] <= card.balance, row.why
    for row in rows_of(day, Expected.INSUFFICIENT_BALANCE):
        assert row.amount is not None
        assert row.amount > card_of(row, day).balance


def created_at(little_shop: LittleShop, row: SeededRow) -> datetime:
    """When the base says that the row was filed."""
    record = little_shop.base.table("Redemptions").get(row.id)
    return datetime.fromisoformat(record["createdTime"])


def test_no_two_rows_share_a_card_but_those_filed_twice(day: Day) -> None:
    repeats = rows_of(day, Expected.POSSIBLE_DUPLICATE)
    meant = [row.code for row in day.rows if row.code is not None and row not in repeats]
    assert len(meant) == len(set(meant))


def test_what_was_filed_twice_is_one_form_filed_again_later(
    little_shop: LittleShop, day: Day
) -> None:
    for repeat in rows_of(day, Expected.POSSIBLE_DUPLICATE):
        (first,) = [row for row in day.rows if row.code == repeat.code and row is not repeat]
        assert first.expected is Expected.REDEEMED
        assert (first.store, first.amount, first.typed) == (
            repeat.store, repeat.amount, repeat.typed
        )  # fmt: skip
        # Airtable tells creation times to the second, and the first is served first.
        between = created_at(little_shop, repeat) - created_at(little_shop, first)
        assert timedelta(seconds=1) <= between < timedelta(minutes=1)
        employees = {
            little_shop.base.table("Redemptions").get(row.id)["fields"]["Employee"]
            for row in (first, repeat)
        }
        assert len(employees) == 1


def test_cards_are_older_than_the_go_live_exactly_where_the_row_says_so(day: Day) -> None:
    historical = {card.code for card in day.cards.values() if card.created_at < day.live_from}
    older = rows_of(day, Expected.CARD_ONLINE_ONLY, Expected.NEVER_TOUCHED)
    assert historical == {row.code for row in older}


def test_a_row_to_be_held_waited_longer_than_a_customer_and_no_other_did(
    little_shop: LittleShop, day: Day
) -> None:
    patience = timedelta(minutes=15)  # the application's own setting
    now = little_shop.base.clock()
    for row in day.rows:
        if row.expected is Expected.NEVER_TOUCHED:
            continue
        is_held = row.expected is Expected.HELD
        waited = now - created_at(little_shop, row)
        assert (waited > patience) == is_held, row.why
        # A demo and its deployment take their time: the others must not grow too old meanwhile.
        assert is_held or waited < patience / 2, row.why
        assert now - waited > day.live_from


def test_there_is_a_card_of_every_state(little_shop: LittleShop, day: Day) -> None:
    cards = day.cards
    assert cards["fresh"].balance == cards["fresh"].initial_value
    assert cards["partly spent"].balance == Decimal("41.20")
    assert cards["a few cents left"].balance == Decimal("0.35")
    assert cards["empty"].balance == 0
    assert little_shop.shop.is_expired(cards["expired"])
    assert not cards["deactivated"].enabled
    alive = [
        card for card in cards.values() if card.enabled and not little_shop.shop.is_expired(card)
    ]
    assert len(alive) == len(cards) - 2


def test_one_row_is_older_than_the_go_live_and_they_stand_in_their_order(
    little_shop: LittleShop, day: Day
) -> None:
    created = {
        row["id"]: row["createdTime"] for row in little_shop.base.table("Redemptions").records()
    }
    (old,) = rows_of(day, Expected.NEVER_TOUCHED)
    live_from = day.live_from.isoformat()[:19]
    assert [row.id for row in day.rows if created[row.id][:19] < live_from] == [old.id]
    # Oldest first, so that the list reads like the day.
    moments = [created[row.id] for row in day.rows]
    assert moments == sorted(moments)
    assert little_shop.base.clock() == little_shop.shop.now()


def test_the_rows_in_the_base_hold_what_the_day_says(little_shop: LittleShop, day: Day) -> None:
    for row in day.rows:
        cells = little_shop.base.table("Redemptions").get(row.id)["fields"]
        assert cells["Gift Card Code"] == row.typed
        assert cells.get("Store") == (None if row.store is None else [row.store.id])
        assert (row.amount is None) == ("Amount" not in cells)
        if row.amount is not None:
            assert Decimal(str(cells["Amount"])) == row.amount
        assert "Status" not in cells
    assert [row.expected for row in day.rows if row.store is None] == [Expected.WAITS_FOR_A_STORE]
    assert [store.email for store in day.stores] == [
        row["fields"]["Email"] for row in little_shop.base.table("Stores").records()
    ]


def test_what_was_seeded_does_not_show_codes_by_itself(day: Day) -> None:
    shown = repr(day) + "".join(repr(row) for row in day.rows)
    for card in day.cards.values():
        assert card.code not in shown


# ---- cards to sell ----


def sales_of(day: Day, expected: ExpectedOfSale) -> list[SeededSale]:
    sales = [sale for sale in day.sales if sale.expected is expected]
    assert sales
    return sales


def cells_of(little_shop: LittleShop, sale: SeededSale) -> dict[str, object]:
    cells: dict[str, object] = little_shop.base.table("Creation Requests").get(sale.id)["fields"]
    return cells


def test_the_requests_in_the_base_hold_what_the_day_says(little_shop: LittleShop, day: Day) -> None:
    assert [row["id"] for row in little_shop.base.table("Creation Requests").records()] == [
        sale.id for sale in day.sales
    ]
    asked = {"Store", "Employee", "Amount", "Quantity", "Theme", "Kind"}
    for sale in day.sales:
        cells = cells_of(little_shop, sale)
        assert set(cells) >= asked | {"Recipient Name", "Recipient Email"}
        assert cells["Store"] == [sale.store.id]
        assert cells["Employee"] in sale.store.staff
        assert Decimal(str(cells["Amount"])) == sale.amount
        assert cells["Quantity"] == sale.quantity
        assert cells["Recipient Email"] == sale.recipient
        assert cells.get("Purchaser Email") == sale.purchaser
        assert cells.get("Is Gift", False) == (sale.purchaser is not None)
        assert cells.get("Send On") == (None if sale.send_on is None else str(sale.send_on))
        # What the form does not ask is the application's and the office's.
        assert not {"Status", "Outcome", "Gift Cards", "Processed At", "Approved"} & set(cells)


def test_the_sales_cover_what_a_store_sells(little_shop: LittleShop, day: Day) -> None:
    issued = sales_of(day, ExpectedOfSale.ISSUED)
    themes = [cells_of(little_shop, sale)["Theme"] for sale in issued]
    assert sorted(map(str, themes)) == ["Birthday", "Holiday", "Standard", "Wedding"]
    gifts = [sale for sale in issued if sale.purchaser is not None]
    assert len(gifts) == 2
    for sale in gifts:
        assert sale.purchaser != sale.recipient
        assert cells_of(little_shop, sale)["Gift Message"]
    (later,) = [sale for sale in issued if sale.send_on is not None]
    assert later.send_on is not None
    assert later.send_on > little_shop.shop.today()
    assert [sale.quantity for sale in issued if sale.quantity > 1] == [12]


def as_application_reads(little_shop: LittleShop, sale: SeededSale) -> CreationRequest | Refused:
    shop, cells = little_shop.shop, cells_of(little_shop, sale)
    row = CreationRow(
        id=sale.id,
        created_at=shop.now(),
        store=sale.store.id,
        employee=str(cells["Employee"]),
        amount=str(cells["Amount"]),
        quantity=str(cells["Quantity"]),
        recipient_name=str(cells["Recipient Name"]),
        recipient_email=str(cells["Recipient Email"]),
        is_gift=bool(cells.get("Is Gift")),
        purchaser_name=str(cells.get("Purchaser Name", "")),
        purchaser_email=str(cells.get("Purchaser Email", "")),
        message=str(cells.get("Gift Message", "")),
        theme=str(cells["Theme"]),
        send_on=str(cells.get("Send On", "")),
        kind=str(cells["Kind"]),
    )
    return read_request(
        row,
        store=Store(sale.store.id, sale.store.name, sale.store.email),
        facts=ShopFacts(shop.name, shop.currency, str(shop.time_zone)),
        limits=CardLimits(issue=Money.parse(shop.issue_limit, shop.currency), purchase=None),
        rules=SellingRules(),
        today=shop.today(),
    )


def test_a_request_is_refused_exactly_for_its_mistakes(little_shop: LittleShop, day: Day) -> None:
    for sale in day.sales:
        read = as_application_reads(little_shop, sale)
        mistakes = {problem.field for problem in read.problems} if isinstance(read, Refused) else ()
        assert set(mistakes) == sale.mistakes, sale.why
        assert bool(mistakes) == (sale.expected is ExpectedOfSale.REFUSED)
        if isinstance(read, CreationRequest):
            assert (read.quantity, read.send_on) == (sale.quantity, sale.send_on)
            assert read.amount == Money.parse(sale.amount, "USD")
    assert [len(sale.mistakes) for sale in sales_of(day, ExpectedOfSale.REFUSED)] == [3]


def test_a_request_to_be_held_is_far_above_the_others_and_shopify_would_make_it(
    little_shop: LittleShop, day: Day
) -> None:
    (held,) = sales_of(day, ExpectedOfSale.HELD)
    most = max(sale.amount * sale.quantity for sale in sales_of(day, ExpectedOfSale.ISSUED))
    assert held.amount >= 10 * most
    assert held.amount <= little_shop.shop.issue_limit


def test_one_request_is_older_than_the_go_live_and_the_others_are_new(
    little_shop: LittleShop, day: Day
) -> None:
    created = {
        row["id"]: datetime.fromisoformat(row["createdTime"])
        for row in little_shop.base.table("Creation Requests").records()
    }
    (old,) = sales_of(day, ExpectedOfSale.NEVER_TOUCHED)
    assert [sale.id for sale in day.sales if created[sale.id] < day.live_from] == [old.id]
    moments = [created[sale.id] for sale in day.sales]
    assert moments == sorted(moments)
    now = little_shop.base.clock()
    assert all(now - at < timedelta(minutes=7) for at in moments[1:])


def test_the_base_offers_the_themes_and_kinds_that_the_application_knows() -> None:
    assert tuple(THEMES) == SellingRules().themes
    assert [str(kind) for kind in CardKind] == KINDS


# ---- questions for a balance ----


def test_a_balance_is_sent_for_a_living_card_and_for_no_other(
    little_shop: LittleShop, day: Day
) -> None:
    cards = {card.code: card for card in day.cards.values()}
    states = []
    for check in day.checks:
        cells = little_shop.base.table("Balance Checks").get(check.id)["fields"]
        assert cells == {"Gift Card Code": check.typed, "Email": check.email}
        read = clean(check.typed)
        assert isinstance(read, Code), check.why
        candidates = [read.value, *(other.value for other in look_alikes(read))]
        found = [code for code in candidates if code in cards]
        assert found == ([] if check.code is None else [check.code]), check.why
        card = cards[found[0]] if found else None
        alive = card is not None and card.enabled and not little_shop.shop.is_expired(card)
        assert alive == (check.expected is ExpectedOfCheck.BALANCE_SENT), check.why
        states.append((card is not None, card is not None and card.enabled, alive))
    # Good, unknown, expired, deactivated.
    assert sorted(states) == sorted(
        [(True, True, True), (False, False, False), (True, True, False), (True, False, False)]
    )
    assert len({check.email for check in day.checks}) == len(day.checks)


def test_no_redemption_moves_a_card_whose_balance_is_asked_for(day: Day) -> None:
    redeemed = {row.code for row in day.rows if row.expected is Expected.REDEEMED}
    assert not redeemed & {check.code for check in day.checks}


def test_what_customers_typed_does_not_show_by_itself(day: Day) -> None:
    shown = "".join(repr(check) for check in day.checks)
    for check in day.checks:
        assert check.typed not in shown
