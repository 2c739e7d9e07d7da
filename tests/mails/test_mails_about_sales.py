"""What people read of sales and balances: clear in every case, and nothing dangerous."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftcards.domain.money import Money
from giftcards.errors import NeedsAPerson
from giftcards.mails import (
    Mail,
    SaleAnswer,
    SaleNews,
    SoldBy,
    compose_balance_answer,
    compose_digest,
    compose_sale_answer,
)
from tests.mails.reading import (
    HARMFUL,
    HARMLESS_ELEMENTS,
    LINE_ENDS,
    Seen,
    lines_of,
    mixed_codes,
    squeezed,
    windows,
)

STORE = "downtown@example.com"
ROSA = "rosa@example.com"
MOMENT = datetime(2026, 11, 23, 19, 5, 4, tzinfo=UTC)
SALE = SaleAnswer(
    news=SaleNews.DELIVERED,
    store_name="Downtown",
    employee="Anna Müller",
    amount=Money(2500, "USD"),
    quantity=3,
    recipient=ROSA,
    is_gift=True,
    send_on=date(2026, 12, 24),
    problems=("Amount: it has to be more than zero.", "Quantity: type a whole number."),
    reason="of 3 cards, 2 went to rosa@example.com; deactivated or expired by then: 1",
    reference="sale#recA1b2C3d4E5f6G7",
    asked_at=MOMENT,
    told_at=MOMENT,
    time_zone="America/New_York",
)

# How each subject begins, so that whoever reads nothing else knows what came of it.
BEGINS = {
    SaleNews.REFUSED: "No card was made: ",
    SaleNews.HELD: "Not made yet: ",
    SaleNews.SCHEDULED: "3 cards are made, to be sent on 24 December 2026",
    SaleNews.DELIVERED: "Done: 3 cards were sent",
    SaleNews.DELIVERED_IN_PART: "Sent in part: ",
    SaleNews.CARD_DEAD: "Not sent: ",
}


def sale(news: SaleNews, **changes: object) -> Mail:
    if news is SaleNews.REFUSED:
        changes = {"amount": None} | changes
    answer = dataclasses.replace(SALE, news=news, **changes)  # type: ignore[arg-type]  # fields by name
    return compose_sale_answer(answer, to=STORE)


def balance(amount: Money | None, *, card: str | None = "•••• 2b5a", **changes: object) -> Mail:
    known: dict[str, object] = {
        "to": ROSA,
        "shop_name": "Corner Shop",
        "told_at": MOMENT,
        "time_zone": "America/New_York",
    }
    return compose_balance_answer(balance=amount, card=card, **(known | changes))  # type: ignore[arg-type]  # by name


def digest(*, store: str = "Downtown", employee: str = "Ana", reference: str = "digest#1") -> Mail:
    total = Money(5000, "USD")
    sold = [
        SoldBy(store_name=store, employee=employee, quantity=1, total=total),
        SoldBy(store_name="Uptown", employee="", quantity=2, total=Money(9000, "USD")),
    ]
    return compose_digest(to=STORE, day=date(2026, 11, 23), sold=sold, reference=reference)


def all_mails() -> list[Mail]:
    """One mail of every kind."""
    return [
        *(sale(news) for news in SaleNews),
        balance(Money(5000, "USD")),
        balance(Money(0, "USD")),
        balance(Money(5000, "USD"), is_online_only=True),
        balance(None, card=None),
        digest(),
    ]


every_mail = pytest.mark.parametrize("mail", all_mails(), ids=lambda mail: mail.subject)
every_news = pytest.mark.parametrize("news", SaleNews)


# -------------------- the outcome first, figures, what to do next


@every_news
def test_the_subject_and_the_first_line_say_what_came_of_it(news: SaleNews) -> None:
    mail = sale(news)
    assert mail.subject.startswith(BEGINS[news])
    assert mail.text.splitlines()[0] == mail.subject
    assert mail.subject.startswith(Seen(mail.html).texts[0])
    assert "What to do next" in mail.text
    assert f"Reference: {SALE.reference}" in lines_of(mail)


@pytest.mark.parametrize("news", [news for news in SaleNews if news is not SaleNews.REFUSED])
def test_a_sale_shows_for_whom_how_many_and_how_much(news: SaleNews) -> None:
    mail = sale(news)
    assert mail.subject.endswith("(3 × 25.00 USD)")
    assert lines_of(mail)[1] == "3 cards: 3 × 25.00 USD"
    assert f"For: {ROSA}" in lines_of(mail)
    single = sale(news, quantity=1)
    assert lines_of(single)[1] == "One card: 25.00 USD"


def test_a_refusal_names_every_mistake() -> None:
    assert set(SALE.problems) <= set(lines_of(sale(SaleNews.REFUSED)))


@pytest.mark.parametrize("news", [SaleNews.HELD, SaleNews.DELIVERED_IN_PART])
def test_why_a_sale_waits_or_was_cut_stands_in_the_mail(news: SaleNews) -> None:
    assert "deactivated or expired by then: 1." in sale(news).text


def test_only_what_went_out_whole_is_done() -> None:
    done = [news for news in SaleNews if "Done" in sale(news).subject]
    assert done == [SaleNews.DELIVERED]


def test_the_office_reads_the_largest_total_first_and_nobody_by_no_name() -> None:
    mail = digest()
    assert mail.subject == "Gift cards sold on 23 November 2026: 140.00 USD"
    lines = lines_of(mail)
    assert lines.index("Uptown, somebody: 90.00 USD (2 cards)") < lines.index(
        "Downtown, Ana: 50.00 USD (1 card)"
    )


# -------------------- a balance


def test_a_customer_reads_the_balance_in_the_subject_and_of_which_card() -> None:
    mail = balance(Money(5000, "USD"))
    assert mail.subject == "Your gift card holds 50.00 USD"
    assert "On the card: 50.00 USD" in lines_of(mail)
    assert "Card: •••• 2b5a" in lines_of(mail)
    assert "every one of our stores" in mail.text


def test_an_empty_card_cannot_be_spent() -> None:
    mail = balance(Money(0, "USD"))
    assert "Nothing is left to spend." in mail.text
    assert "stores" not in mail.text


def test_whoever_misses_reads_the_same_to_the_byte_whatever_is_known_of_the_card() -> None:
    assert balance(None, is_online_only=True) == balance(None, card=None)


# -------------------- nothing to click, nothing that harms


@every_mail
def test_plain_text_and_html_say_the_same(mail: Mail) -> None:
    seen = Seen(mail.html).texts
    in_both = [part for line in lines_of(mail)[1:] for part in (line, *line.split(": ", 1))]
    for line in lines_of(mail)[1:]:
        label, _, value = line.partition(": ")
        assert line in seen or (label in seen and value in seen), line
    assert set(seen[1:]) <= set(in_both)


@every_mail
def test_nothing_can_be_clicked_and_nothing_is_fetched(mail: Mail) -> None:
    seen = Seen(mail.html)
    assert seen.tags <= HARMLESS_ELEMENTS
    assert not {"href", "src", "srcset", "background", "action"} & {
        name for name, _ in seen.attributes
    }
    assert "url(" not in mail.html
    assert "http" not in mail.html.lower()


@pytest.mark.parametrize("typed", [*HARMFUL, "Ångström 张伟 עברית 🎁"])
@every_news
def test_what_is_typed_stays_text_in_any_script(news: SaleNews, typed: str) -> None:
    def written(text: str) -> Mail:
        return sale(news, employee=text, store_name=text, recipient=text, problems=(text,))

    mail, plain = written(typed), written("x")
    assert Seen(mail.html).tags == Seen(plain.html).tags
    assert len(Seen(mail.html).attributes) == len(Seen(plain.html).attributes)
    assert f"Filed by: {typed.strip()}" in lines_of(mail)
    assert typed.strip() in Seen(mail.html).texts


@pytest.mark.parametrize("typed", HARMFUL)
def test_html_in_a_digest_and_a_balance_stays_text(typed: str) -> None:
    for mail, plain in (
        (digest(store=typed, employee=typed), digest(store="x", employee="x")),
        (
            balance(Money(1, "USD"), shop_name=typed),
            balance(Money(1, "USD"), shop_name="x"),
        ),
    ):
        assert Seen(mail.html).tags == Seen(plain.html).tags
        assert len(Seen(mail.html).attributes) == len(Seen(plain.html).attributes)


@pytest.mark.parametrize("line_end", LINE_ENDS)
def test_no_header_can_be_smuggled_into_a_subject(line_end: str) -> None:
    smuggled = f"x{line_end}Bcc: thief@example.com"
    mails = [
        *(
            sale(
                news, employee=smuggled, store_name=smuggled, recipient=smuggled, reason=smuggled,
                problems=(smuggled,), reference=smuggled,
            )
            for news in SaleNews
        ),
        balance(Money(1, "USD"), card=smuggled, shop_name=smuggled),
        digest(store=smuggled, employee=smuggled, reference=smuggled),
    ]  # fmt: skip
    for mail in mails:
        assert mail.subject.splitlines() == [mail.subject]
        assert mail.subject.isprintable()
        assert not [line for line in mail.text.splitlines() if line.startswith("Bcc")]


@pytest.mark.parametrize(
    "address", ["", "rosa", "a@example.com,b@example.com", "a@example.com\r\nBcc: b@example.com"]
)
def test_a_mail_goes_to_exactly_one_address(address: str) -> None:
    with pytest.raises(NeedsAPerson, match="one address"):
        compose_sale_answer(SALE, to=address)
    with pytest.raises(NeedsAPerson, match="one address"):
        balance(None, to=address)


WRITERS: list[Callable[[str], Mail]] = [
    *(
        (
            lambda text, news=news: sale(
                news, employee=text, store_name="x", reason=text, problems=(text,)
            )
        )
        for news in SaleNews
    ),
    lambda text: digest(employee=text),
]


@given(mixed_codes, st.sampled_from(WRITERS))
def test_no_mail_holds_more_than_four_characters_of_a_code_that_somebody_typed(
    code: str, write: Callable[[str], Mail]
) -> None:
    harmless, mail = squeezed(write("")), squeezed(write(f"Anna {code.upper()}"))
    assert [part for part in windows(code) if part in mail and part not in harmless] == []
