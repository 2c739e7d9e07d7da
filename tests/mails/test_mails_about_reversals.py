"""What a store reads of money that was given back: how much, of what, and nothing dangerous."""

import dataclasses
from datetime import UTC, datetime

import pytest

from giftcards.domain.money import Money
from giftcards.errors import NeedsAPerson
from giftcards.mails import Mail, ReversalNews, compose_reversal
from tests.mails.reading import HARMFUL, HARMLESS_ELEMENTS, LINE_ENDS, Seen, lines_of

STORE = "downtown@example.com"
NEWS = ReversalNews(
    store_name="Downtown",
    masked_card="•••• 2b5a",
    amount=Money(3000, "USD"),
    total=Money(3000, "USD"),
    taken=Money(3000, "USD"),
    reference="reverse#recA1b2C3d4E5f6G7#3000",
    filed_at=datetime(2026, 11, 23, 19, 5, 4, tzinfo=UTC),
    given_back_at=datetime(2026, 11, 24, 19, 5, 4, tzinfo=UTC),
    time_zone="America/New_York",
)


def mail(**changes: object) -> Mail:
    return compose_reversal(dataclasses.replace(NEWS, **changes), to=STORE)  # type: ignore[arg-type]  # fields by name


def test_the_subject_says_how_much_and_which_card() -> None:
    assert mail().subject == "Given back: 30.00 USD (•••• 2b5a)"
    assert mail().to == STORE
    assert Seen(mail().html).tags <= HARMLESS_ELEMENTS


def test_it_names_the_redemption_and_both_times() -> None:
    lines = lines_of(mail())
    assert "Taken: 30.00 USD, filed Mon 23 Nov 2026, 14:05:04 EST" in lines
    assert "Given back: Tue 24 Nov 2026, 14:05:04 EST" in lines
    assert f"Reference: {NEWS.reference}" in lines
    assert "The office has given this back to the card" in mail().text


@pytest.mark.parametrize(
    ("amount", "total", "says"),
    [
        (3000, 3000, "All that was taken for it is on the card again."),
        (1000, 3000, "All that was taken for it is on the card again."),
        (1000, 1000, "10.00 USD of the 30.00 USD that was taken for it is on the card again."),
        (1000, 2000, "With what was given back before, 20.00 USD of 30.00 USD is on the card"),
    ],
)
def test_it_says_how_much_of_it_is_on_the_card_again(amount: int, total: int, says: str) -> None:
    assert says in mail(amount=Money(amount, "USD"), total=Money(total, "USD")).text


@pytest.mark.parametrize("typed", HARMFUL)
def test_a_stores_name_is_only_text(typed: str) -> None:
    seen = Seen(mail(store_name=typed).html)
    assert seen.tags <= HARMLESS_ELEMENTS
    assert not [value for _, value in seen.attributes if "alert" in value]


@pytest.mark.parametrize("line_end", LINE_ENDS)
def test_a_stores_name_stays_on_its_line(line_end: str) -> None:
    lines = lines_of(mail(store_name=f"Down{line_end}Reference: nothing"))
    assert "Reference: nothing" not in lines


def test_no_address_is_a_persons_matter() -> None:
    with pytest.raises(NeedsAPerson):
        compose_reversal(NEWS, to="nobody")
