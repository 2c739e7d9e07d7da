"""Requests for cards: taken or refused as a whole, with every mistake named and nothing trusted."""

import unicodedata
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from giftcards.domain.cards import CardLimits, ShopFacts
from giftcards.domain.creation import (
    LONGEST_MESSAGE,
    LONGEST_NAME,
    Cap,
    CapExceeded,
    Caps,
    CardKind,
    CreationRequest,
    CreationRow,
    Person,
    Problem,
    Refused,
    SellingRules,
    caps_exceeded,
    last_day,
    read_request,
    send_at,
)
from giftcards.domain.money import Money
from giftcards.domain.outcomes import Store

TODAY = date(2026, 11, 23)
CODE = "ABCD1234EFGH5678"
STORE = Store(id="rec1", name="Main Street", email="main@shop.example")
FACTS = ShopFacts(name="Corner Shop", currency="USD", time_zone="America/New_York")
LIMITS = CardLimits(issue=Money(200_000, "USD"), purchase=None)
RULES = SellingRules(promotional_days=90)
ROW = CreationRow(
    id="recRow",
    created_at=datetime(2026, 11, 23, 17, tzinfo=UTC),
    store="rec1",
    employee="Ana",
    amount="25",
    quantity=None,
    recipient_name="Bea",
    recipient_email="bea@example.com",
    is_gift=False,
    purchaser_name="",
    purchaser_email="",
    message="",
    theme="",
    send_on="",
    kind="",
)
GIFT = replace(ROW, is_gift=True, purchaser_name="Cid", purchaser_email="cid@example.com")
FIELDS = {
    "Store", "Employee", "Amount", "Quantity", "Recipient Name", "Recipient Email",
    "Purchaser Name", "Purchaser Email", "Gift Message", "Theme", "Send On", "Kind",
}  # fmt: skip


def read(
    row: CreationRow = ROW,
    *,
    store: Store | None = STORE,
    facts: ShopFacts = FACTS,
    limits: CardLimits = LIMITS,
    rules: SellingRules = RULES,
    **cells: Any,
) -> CreationRequest | Refused:
    return read_request(
        replace(row, **cells), store=store, facts=facts, limits=limits, rules=rules, today=TODAY
    )


def accepted(row: CreationRow = ROW, **given_: Any) -> CreationRequest:
    request = read(row, **given_)
    assert isinstance(request, CreationRequest), request
    return request


def wrong(row: CreationRow = ROW, **given_: Any) -> dict[str, str]:
    """What is to be mended, by field."""
    refused = read(row, **given_)
    assert isinstance(refused, Refused), refused
    assert len({problem.field for problem in refused.problems}) == len(refused.problems)
    return {problem.field: problem.says for problem in refused.problems}


# ---- a request without mistakes ---------------------------------------------------------------


def test_what_is_left_empty_means_one_paid_card_with_the_standard_theme_now() -> None:
    assert accepted() == CreationRequest(
        row_id="recRow",
        store=STORE,
        employee="Ana",
        amount=Money(2_500, "USD"),
        quantity=1,
        recipient=Person("Bea", "bea@example.com"),
        purchaser=None,
        message="",
        theme="Standard",
        send_on=None,
        kind=CardKind.PAID,
    )


def test_a_gift_with_everything_filled_in() -> None:
    request = accepted(
        GIFT,
        quantity="3",
        message="All the best,\nCid",
        theme=" wedding ",
        send_on="2026-12-24",
        kind="promotional",
    )
    assert request.purchaser == Person("Cid", "cid@example.com")
    assert (request.quantity, request.total) == (3, Money(7_500, "USD"))
    assert (request.theme, request.send_on) == ("Wedding", date(2026, 12, 24))
    assert request.message == "All the best,\nCid"
    assert request.kind is CardKind.PROMOTIONAL


def test_who_is_no_gift_has_no_purchaser() -> None:
    assert accepted(purchaser_name="Cid", purchaser_email="nonsense").purchaser is None


@pytest.mark.parametrize(
    ("currency", "typed", "minor"), [("JPY", "500", 500), ("KWD", "1.005", 1_005)]
)
def test_amounts_have_the_decimals_of_their_currency(currency: str, typed: str, minor: int) -> None:
    facts = replace(FACTS, currency=currency)
    request = accepted(facts=facts, limits=CardLimits(None, None), amount=typed)
    assert request.amount == Money(minor, currency)


# ---- every mistake ----------------------------------------------------------------------------


def test_every_mistake_is_named_at_once_in_the_forms_order() -> None:
    refused = read(
        replace(GIFT, employee=" ", amount="-1", quantity="0", recipient_name="…"),
        store=None,
        recipient_email="bea@",
        purchaser_name="",
        purchaser_email="cid@example.com, ana@example.com",
        message="x" * 501,
        theme="Easter",
        send_on="2026-11-22",
        kind="free",
    )
    assert isinstance(refused, Refused)
    assert [problem.field for problem in refused.problems] == [
        "Store", "Employee", "Amount", "Quantity", "Recipient Name", "Recipient Email",
        "Purchaser Name", "Purchaser Email", "Gift Message", "Theme", "Send On", "Kind",
    ]  # fmt: skip
    assert all(
        len(problem.says) > 20 and problem.says.endswith(".") for problem in refused.problems
    )


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (None, "missing"),
        (" ", "missing"),
        ("0", "more than zero"),
        ("-5", "more than zero"),
        ("ten", "not a number"),
        ("NaN", "not a number"),
        ("12.345", "decimals"),
        ("1e9999999", "not a number"),
        ("9999999999999", "too large"),
        ("2000.01", "at most 2,000.00 USD"),
    ],
)
def test_an_amount_that_no_card_can_hold(typed: str | None, says: str) -> None:
    assert says in wrong(amount=typed)["Amount"]


def test_a_card_may_hold_just_the_limit() -> None:
    assert accepted(amount="2000").amount == LIMITS.issue


def test_yen_have_no_decimals() -> None:
    facts = replace(FACTS, currency="JPY")
    assert "decimals" in wrong(facts=facts, amount="500.5")["Amount"]


def test_a_limit_of_another_currency_is_left_to_shopify() -> None:
    facts = replace(FACTS, currency="CAD")
    assert accepted(facts=facts, amount="9000").amount == Money(900_000, "CAD")


@pytest.mark.parametrize("typed", ["0", "-1", "1.5", "two", "1e999999999", "NaN", "inf", "9" * 21])
def test_a_quantity_that_is_no_number_of_cards(typed: str) -> None:
    assert "whole number" in wrong(quantity=typed)["Quantity"]


def test_a_quantity_has_a_configured_maximum() -> None:
    rules = SellingRules(largest_quantity=7)
    assert accepted(rules=rules, quantity="7.0").quantity == 7
    assert "at most 7" in wrong(rules=rules, quantity="8")["Quantity"]
    assert "at most 7" in wrong(rules=rules, quantity="1e19")["Quantity"]


@pytest.mark.parametrize(
    "typed",
    [
        "", "bea", "bea@", "@example.com", "bea@example", "bea example@x.com", "a@b.com,c@d.com",
        "a@b.com; c@d.com", "Bea <bea@example.com>", "bea@@example.com", "bea@example..com",
        ".bea@example.com", "bea.@example.com", "bea@example.com\nBcc: x@y.com", "bea@exam_ple.com",
        "béa@example.com", "bea@exämple.com", "bea@example.com\u200b", f"{'x' * 65}@example.com",
        f"bea@{'x' * 250}.com", "bea@\u017fhop.com", 'be"a@example.com', "bea(x)@example.com",
    ],
)  # fmt: skip
def test_what_is_not_one_mail_address(typed: str) -> None:
    assert set(wrong(recipient_email=typed)) == {"Recipient Email"}
    assert set(wrong(GIFT, purchaser_email=typed)) == {"Purchaser Email"}


@pytest.mark.parametrize(
    "typed",
    [
        "bea@example.com", " Bea.O'Neil+cards@shop.Example.co.uk ", "x_y-z@a-b.museum", "1@2.de",
        "bea@xn--exmple-cua.com", f"{'x' * 64}@example.com",
    ],
)  # fmt: skip
def test_what_is_one_mail_address(typed: str) -> None:
    assert accepted(recipient_email=typed).recipient.email == typed.strip()


@pytest.mark.parametrize(
    "name",
    [
        "Bea", "Βασιλική", "Ольга Ивановна", "李小龍", "さくら", "محمد", "علی\u200cرضا", "שָׁלוֹם",
        "नरेन्द्र", "ශ්\u200dරී", "ประเสริฐ", "김민준", "Nguyễn Thị Ánh", "O’Neill-García", "ʻAkahi",
        "José", "Jose\u0301", "ᏣᎳᎩ", "𐐔𐐯𐑅𐐨𐑉𐐯𐐻", "Zoë & Max", "Anna 2", "👩\u200d👩\u200d👧 Weber",
    ],
)  # fmt: skip
def test_names_of_any_script_survive(name: str) -> None:
    request = accepted(GIFT, recipient_name=name, purchaser_name=name, employee=name, message=name)
    assert request.recipient.name == request.employee == request.message == name
    assert request.purchaser is not None
    assert request.purchaser.name == name


def test_names_are_lines_of_a_bounded_length() -> None:
    assert accepted(recipient_name=" Bea\t\n von\u00a0\u3000Ahn ").recipient.name == "Bea von Ahn"
    assert accepted(recipient_name="é" * LONGEST_NAME).recipient.name == "é" * LONGEST_NAME
    assert "shorter" in wrong(recipient_name="x" * (LONGEST_NAME + 1))["Recipient Name"]
    assert "far too long" in wrong(recipient_name="x" * 100_000)["Recipient Name"]


def test_signs_that_trick_the_eye_vanish() -> None:
    tricky = "Be\u202ea\x00\ud800\u2066\ue000 W\u200bay"
    assert accepted(recipient_name=tricky).recipient.name == "Bea Way"
    assert "name" in wrong(recipient_name="\u202e\u200d")["Recipient Name"]


def test_a_message_keeps_its_lines_and_has_a_bounded_length() -> None:
    typed = "  Dear Bea,\r\n\r\n\r\n\r\nall\tthe\u2028best \x07\n\n"
    assert accepted(message=typed).message == "Dear Bea,\n\nall the\nbest"
    assert accepted(message="祝" * LONGEST_MESSAGE).message == "祝" * LONGEST_MESSAGE
    says = wrong(message="祝" * (LONGEST_MESSAGE + 1))["Gift Message"]
    assert "at most 500" in says
    assert "it has 501" in says
    assert "at most 500" in wrong(message="x" * 100_000)["Gift Message"]


@pytest.mark.parametrize(
    "typed", [CODE, "ABCD 1234 EFGH 5678", "A\x00BCD1234EFG\u202eH5678", "ABCD-1234-EFGH-5678"]
)
def test_a_code_in_the_wrong_cell_is_masked(typed: str) -> None:
    text = f"for {typed}, ok"
    request = accepted(GIFT, employee=text, recipient_name=text, purchaser_name=text, message=text)
    assert request.employee == request.message == "for •••• 5678, ok"
    assert request.recipient.name == "for •••• 5678, ok"
    assert request.purchaser is not None
    assert request.purchaser.name == "for •••• 5678, ok"


@pytest.mark.parametrize(
    "field", ["amount", "quantity", "theme", "send_on", "kind", "recipient_email"]
)
def test_no_mistake_repeats_a_code(field: str) -> None:
    cells: dict[str, Any] = {field: CODE}
    assert CODE not in str(wrong(**cells))


def test_neither_row_nor_request_shows_what_people_wrote() -> None:
    shown = {"id", "created_at", "store", "is_gift", "is_approved", "amount", "quantity"}
    texts: dict[str, Any] = {
        one.name: "hello" for one in fields(CreationRow) if one.name not in shown
    }
    assert len(texts) == 9
    assert "hello" not in repr(replace(ROW, **texts))
    request = accepted(GIFT, employee="hello", recipient_name="hello", message="hello")
    assert "hello" not in repr(request)


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("2026-11-23", None),  # today is now
        ("2026-11-24", date(2026, 11, 24)),
        (" 2026-12-24 ", date(2026, 12, 24)),
        ("2027-11-24", date(2027, 11, 24)),  # the last of 366 days
        ("2026-12-24T03:00:00.000Z", date(2026, 12, 23)),  # still the evening before in New York
        ("2026-12-24T05:00:00.000Z", date(2026, 12, 24)),
    ],
)
def test_a_card_is_sent_on_a_day_of_the_shops_calendar(typed: str, day: date | None) -> None:
    assert accepted(send_on=typed).send_on == day


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("2026-11-22", "2026-11-23 or later"),
        ("0001-01-01", "or later"),
        ("2027-11-25", "next 366 days"),
        ("9999-12-31", "next 366 days"),
        ("2026-02-30", "Type a day"),
        ("24.12.2026", "Type a day"),
        ("20261224", "Type a day"),
        ("2026-W52-4", "Type a day"),
        ("２０２６-12-24", "Type a day"),
        ("tomorrow", "Type a day"),
        ("2026-12-24T05:00:00", "Type a day"),
        ("0001-01-01T00:00:00Z", "Type a day"),  # the day before has no name
    ],
)
def test_a_day_on_which_no_card_is_sent(typed: str, says: str) -> None:
    assert says in wrong(send_on=typed)["Send On"]


def test_themes_are_the_configured_ones() -> None:
    rules = SellingRules(themes=("Plain", "Mother’s Day"))
    assert accepted(rules=rules).theme == "Plain"
    assert accepted(rules=rules, theme="mother’s  DAY").theme == "Mother’s Day"
    assert "Plain, Mother’s Day" in wrong(rules=rules, theme="Wedding")["Theme"]


def test_a_kind_nobody_knows_is_a_mistake() -> None:
    assert "Paid or Promotional" in wrong(kind="gratis")["Kind"]
    assert accepted(kind="PAID").kind is CardKind.PAID


# ---- whatever is typed ------------------------------------------------------------------------

anything = st.text(max_size=40) | st.sampled_from(
    ["", "1", "2026-12-24", "Paid", "a@b.com", CODE, "\ud800", "1e9", "NaN", "-0", "x" * 6_000]
)
rows = st.builds(
    CreationRow,
    id=st.just("recRow"),
    created_at=st.just(ROW.created_at),
    store=st.none() | anything,
    employee=anything,
    amount=st.none() | anything,
    quantity=st.none() | anything,
    recipient_name=anything,
    recipient_email=anything,
    is_gift=st.booleans(),
    purchaser_name=anything,
    purchaser_email=anything,
    message=anything,
    theme=anything,
    send_on=anything,
    kind=anything,
)
currencies = st.sampled_from(["USD", "JPY", "KWD"])


@given(rows, st.none() | st.just(STORE), currencies, st.sampled_from(["Asia/Tokyo", "UTC"]))
@example(replace(GIFT, amount="1e-9999999"), STORE, "USD", "UTC")
@example(replace(GIFT, quantity="1e9999999999999"), STORE, "USD", "UTC")
def test_anything_is_a_request_or_a_list_of_mistakes(
    row: CreationRow, store: Store | None, currency: str, time_zone: str
) -> None:
    facts = ShopFacts("Shop", currency, time_zone)
    result = read_request(row, store=store, facts=facts, limits=LIMITS, rules=RULES, today=TODAY)
    match result:
        case Refused(problems):
            assert problems
            assert {problem.field for problem in problems} <= FIELDS
            assert all(problem.says.endswith(".") for problem in problems)
        case CreationRequest() as request:
            assert request.store is store is not None
            assert request.amount.currency == currency
            assert request.amount.minor > 0
            assert 1 <= request.quantity <= RULES.largest_quantity
            assert request.send_on is None or request.send_on > TODAY
            assert (request.purchaser is not None) is row.is_gift
            people = [request.recipient, *filter(None, [request.purchaser])]
            assert all(one.name and "@" in one.email for one in people)
            for text in (request.employee, request.message, *(one.name for one in people)):
                assert CODE not in text
                categories = {unicodedata.category(sign) for sign in text.replace("\n", "")}
                assert not categories & {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_each_mistake_alone_is_the_only_one() -> None:
    """So the property above cannot hold because something is always wrong."""
    accepted(GIFT)
    assert read(GIFT, kind="?") == Refused(
        (Problem("Kind", "Choose Paid or Promotional, or leave it empty for Paid."),)
    )


# ---- how long a card is good -----------------------------------------------------------------


def test_a_paid_card_never_expires_unless_a_policy_says_so() -> None:
    assert last_day(CardKind.PAID, RULES, issued_on=TODAY, send_on=None) is None
    assert last_day(CardKind.PROMOTIONAL, SellingRules(), issued_on=TODAY, send_on=None) is None


@given(
    st.dates(min_value=date(2000, 1, 1), max_value=date(2100, 1, 1)),
    st.none() | st.integers(-30, 366),
    st.integers(5, 10),
)
@example(date(2028, 2, 29), None, 5)
def test_a_paid_card_is_good_for_years_from_the_day_it_is_sent(
    issued_on: date, days: int | None, years: int
) -> None:
    send_on = None if days is None else issued_on + timedelta(days=days)
    rules = SellingRules(paid_years=years)
    last = last_day(CardKind.PAID, rules, issued_on=issued_on, send_on=send_on)
    first = max(issued_on, send_on or issued_on)
    assert last is not None
    # As many whole years: the same day of the calendar, or the one after a 29 February.
    assert last.year - first.year == years
    assert (last.month, last.day) in {(first.month, first.day), (3, 1)}
    assert (last.month, last.day) >= (first.month, first.day)


def test_a_promotional_card_is_good_for_days_from_the_day_it_is_sent() -> None:
    def last(send_on: date | None) -> date | None:
        return last_day(CardKind.PROMOTIONAL, RULES, issued_on=TODAY, send_on=send_on)

    assert last(None) == TODAY + timedelta(days=90)
    assert last(date(2026, 12, 24)) == date(2026, 12, 24) + timedelta(days=90)
    assert last(date(2026, 11, 1)) == TODAY + timedelta(days=90)  # made late, good no shorter


@pytest.mark.parametrize(
    "policy",
    [
        {"paid_years": 4},
        {"promotional_days": 0},
        {"themes": ()},
        {"themes": ("Wedding", "wedding ")},
        {"largest_quantity": 0},
        {"furthest_days": -1},
    ],
)
def test_a_policy_that_cannot_be_is_refused(policy: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"card|themes|request"):
        SellingRules(**policy)


# ---- who has to allow it ----------------------------------------------------------------------


def dollars(text: str) -> Money:
    return Money.parse(text, "USD")


CAPS = Caps(
    per_card=dollars("100"),
    per_store_and_day=dollars("500"),
    per_recipient_and_day=dollars("300"),
)


def exceeded(
    caps: Caps = CAPS, *, by_store: str = "0", to_recipient: str = "0", **cells: Any
) -> list[Cap]:
    found = caps_exceeded(
        accepted(**cells), caps, by_store=dollars(by_store), to_recipient=dollars(to_recipient)
    )
    return [one.cap for one in found]


def test_a_cap_may_be_reached_but_not_passed() -> None:
    assert exceeded(amount="100", quantity="3", by_store="200") == []
    assert exceeded(amount="100.01") == [Cap.CARD]
    assert exceeded(amount="100", by_store="400.01") == [Cap.STORE_AND_DAY]
    assert exceeded(amount="100", to_recipient="200.01") == [Cap.RECIPIENT_AND_DAY]


def test_all_cards_of_a_request_count_together() -> None:
    assert exceeded(amount="100", quantity="4") == [Cap.RECIPIENT_AND_DAY]
    assert exceeded(amount="100", quantity="6") == [Cap.STORE_AND_DAY, Cap.RECIPIENT_AND_DAY]
    assert exceeded(amount="600") == list(Cap)


def test_without_caps_nobody_has_to_allow_anything() -> None:
    assert exceeded(Caps(), amount="2000", quantity="50", by_store="1000000") == []


def test_the_office_reads_why_a_request_waits() -> None:
    found = caps_exceeded(
        accepted(amount="100", quantity="4"),
        CAPS,
        by_store=dollars("50"),
        to_recipient=dollars("0"),
    )
    assert found == (
        CapExceeded(
            Cap.RECIPIENT_AND_DAY,
            "400.00 USD for one recipient's cards of one day is above the 300.00 USD that need no"
            " approval",
        ),
    )


# ---- when a mail is due -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "day", "hour", "utc"),
    [
        ("America/New_York", "2026-12-24", 9, "2026-12-24T14:00"),
        ("America/New_York", "2026-07-04", 9, "2026-07-04T13:00"),
        ("America/New_York", "2027-03-14", 2, "2027-03-14T07:00"),  # does not exist: 03:00 EDT
        ("America/New_York", "2026-11-01", 1, "2026-11-01T05:00"),  # exists twice: the first
        ("Europe/Berlin", "2027-03-28", 9, "2027-03-28T07:00"),
        ("Europe/Berlin", "2026-10-25", 2, "2026-10-25T00:00"),
        ("Asia/Tokyo", "2026-12-24", 9, "2026-12-24T00:00"),
        ("Asia/Kolkata", "2026-12-24", 9, "2026-12-24T03:30"),
        ("America/Sao_Paulo", "2018-11-04", 0, "2018-11-04T03:00"),  # midnight does not exist
        ("Australia/Lord_Howe", "2026-10-04", 2, "2026-10-03T15:30"),  # half an hour is left out
        ("Pacific/Apia", "2011-12-30", 9, "2011-12-30T19:00"),  # the whole day does not exist
    ],
)
def test_a_mail_is_due_when_the_shops_clocks_show_the_hour(
    zone: str, day: str, hour: int, utc: str
) -> None:
    due = send_at(date.fromisoformat(day), time_zone=zone, hour=hour)
    assert due == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert due.utcoffset() == timedelta(0)


ZONES = sorted(available_timezones() - {"localtime", "Factory"})


@given(
    st.sampled_from(ZONES),
    st.dates(min_value=date(1990, 1, 1), max_value=date(2037, 12, 31)),
    st.integers(0, 23),
)
@example("Africa/Casablanca", date(2026, 2, 15), 3)
def test_the_clock_shows_the_hour_unless_it_was_left_out(zone: str, day: date, hour: int) -> None:
    due = send_at(day, time_zone=zone, hour=hour)
    shown = due.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    wanted = datetime.combine(day, datetime.min.time().replace(hour=hour))
    if shown == wanted:
        # And it is the first time that it shows it: an hour or a day earlier it shows another.
        for earlier in (timedelta(minutes=30), timedelta(hours=1), timedelta(hours=2)):
            before = (due - earlier).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
            assert before != wanted
        return
    assert shown > wanted  # never a day too early
    # It was left out: shortly before, the clock showed an earlier time than the wanted one.
    left_out = shown - wanted
    before = (due - left_out - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    assert before.replace(tzinfo=None) < wanted
