"""What a store and the office read: the right words for each outcome, and nothing dangerous."""

import dataclasses
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from giftcards.domain.money import Money
from giftcards.domain.outcomes import Outcome
from giftcards.errors import NeedsAPerson
from giftcards.mails import (
    Interim,
    Mail,
    StoreAnswer,
    compose_interim,
    compose_office_notice,
    compose_store_answer,
    one_line,
)
from giftcards.mails.rendering import read_words
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
REFERENCE = "redemption#recA1b2C3d4E5f6G7"
ANSWER = StoreAnswer(
    outcome=Outcome.REDEEMED,
    store_name="Downtown",
    employee="Anna Müller",
    masked_card="•••• 2b5a",
    amount=Money(1250, "USD"),
    typed_amount=None,
    balance=Money(3750, "USD"),
    reason=None,
    reference=REFERENCE,
    asked_at=datetime(2026, 11, 23, 19, 5, 4, tzinfo=UTC),
    answered_at=datetime(2026, 11, 23, 19, 5, 12, tzinfo=UTC),
    time_zone="America/New_York",
)
NO_CODE_READ = dataclasses.replace(
    ANSWER,
    outcome=Outcome.CODE_FORMAT_INCORRECT,
    masked_card=None,
    amount=None,
    balance=None,
    reason="That is 23 letters and digits; a card code has 8 to 20. Is it two codes?",
)
INTERIM = Interim(
    store_name="Downtown",
    employee="Anna Müller",
    amount=Money(1250, "USD"),
    reference=REFERENCE,
    asked_at=datetime(2026, 11, 23, 19, 5, 4, tzinfo=UTC),
    told_at=datetime(2026, 11, 23, 19, 5, 32, tzinfo=UTC),
    time_zone="America/New_York",
)
EXPLAINED = "the charge was interrupted between us and Shopify"


def answer_with(outcome: Outcome, **changes: object) -> StoreAnswer:
    """The example answer with another outcome, and with whatever else is to differ."""
    return dataclasses.replace(ANSWER, outcome=outcome, **changes)  # type: ignore[arg-type]  # fields by name


# -------------------- each outcome has its own mail


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_mail_of_its_own(outcome: Outcome) -> None:
    mail = compose_store_answer(answer_with(outcome), to=STORE)
    others = {
        compose_store_answer(answer_with(other), to=STORE).subject
        for other in Outcome
        if other is not outcome
    }
    assert mail.to == STORE
    assert mail.subject not in others
    assert mail.subject.startswith("Paid:" if outcome.is_success else "Not paid:")
    assert f"Outcome: {outcome}" in mail.text
    assert f"Reference: {REFERENCE}" in mail.text
    assert "What to do next" in mail.text


@pytest.mark.parametrize("outcome", Outcome)
def test_the_outcome_is_the_first_that_is_read(outcome: Outcome) -> None:
    mail = compose_store_answer(answer_with(outcome), to=STORE)
    assert mail.text.splitlines()[0] == mail.subject
    first_seen = Seen(mail.html).texts[0]
    assert mail.subject.startswith(first_seen)


@pytest.mark.parametrize("outcome", [one for one in Outcome if not one.is_success])
def test_whoever_was_not_charged_is_told_that_no_money_was_taken(outcome: Outcome) -> None:
    mail = compose_store_answer(answer_with(outcome, balance=None), to=STORE)
    told = "no money was taken"
    assert told in mail.text.lower()
    assert told in " ".join(Seen(mail.html).texts).lower()


def test_a_redeemed_card_shows_what_was_charged_and_what_is_left() -> None:
    mail = compose_store_answer(ANSWER, to=STORE)
    assert mail.subject == "Paid: 12.50 USD (•••• 2b5a)"
    assert lines_of(mail)[1:3] == ["Charged: 12.50 USD", "Left on the card: 37.50 USD"]
    assert "tell the customer what is left" in mail.text


def test_an_emptied_card_is_called_empty() -> None:
    mail = compose_store_answer(answer_with(Outcome.REDEEMED, balance=Money(0, "USD")), to=STORE)
    assert "The card is empty now." in mail.text


def test_a_balance_that_nobody_knows_is_not_made_up() -> None:
    mail = compose_store_answer(answer_with(Outcome.REDEEMED, balance=None), to=STORE)
    assert "Left on the card" not in mail.text
    assert "hand over the goods" in mail.text


def test_too_little_on_the_card_shows_how_to_use_it_all_the_same() -> None:
    answer = answer_with(Outcome.INSUFFICIENT_BALANCE, balance=Money(750, "USD"))
    mail = compose_store_answer(answer, to=STORE)
    assert mail.subject == "Not paid: not enough money on the card (•••• 2b5a, 12.50 USD)"
    assert lines_of(mail)[1:3] == ["Asked for: 12.50 USD", "On the card: 7.50 USD"]
    assert "a new form with 7.50 USD and take the other 5.00 USD another way" in mail.text


def test_an_empty_card_cannot_be_used_for_a_part() -> None:
    answer = answer_with(Outcome.INSUFFICIENT_BALANCE, balance=Money(0, "USD"))
    mail = compose_store_answer(answer, to=STORE)
    assert "The card is empty: the customer has to pay another way." in mail.text
    assert "a new form with" not in mail.text


def test_too_little_on_the_card_without_knowing_how_much() -> None:
    mail = compose_store_answer(answer_with(Outcome.INSUFFICIENT_BALANCE, balance=None), to=STORE)
    assert "a smaller amount" in mail.text


def test_a_wrong_format_says_why() -> None:
    mail = compose_store_answer(NO_CODE_READ, to=STORE)
    assert mail.subject == "Not paid: this is not a card code"
    assert lines_of(mail)[1] == NO_CODE_READ.reason
    assert "••••" not in mail.text


def test_an_amount_that_cannot_be_charged_is_shown_with_the_reason_as_a_sentence() -> None:
    answer = answer_with(
        Outcome.AMOUNT_INVALID,
        amount=None,
        typed_amount="12.345",
        reason="12.345 has more than 2 decimals, which USD does not have",
    )
    mail = compose_store_answer(answer, to=STORE)
    assert "12.345 has more than 2 decimals, which USD does not have." in lines_of(mail)
    assert "Amount: 12.345" in lines_of(mail)


def test_a_reason_begins_with_a_capital() -> None:
    answer = answer_with(Outcome.AMOUNT_INVALID, amount=None, reason="the amount is missing")
    assert "The amount is missing." in lines_of(compose_store_answer(answer, to=STORE))


def test_not_charged_says_what_to_do_with_the_customer_and_why() -> None:
    mail = compose_store_answer(answer_with(Outcome.NOT_CHARGED, reason=EXPLAINED), to=STORE)
    assert "will not be charged for it later" in mail.text
    assert "take the payment another way, or file a new form" in mail.text
    assert "If the customer has paid another way meanwhile, nothing is left to do." in mail.text
    assert f"{EXPLAINED.capitalize().replace('shopify', 'Shopify')}." in lines_of(mail)


def test_a_card_from_before_our_stores_took_cards_is_still_good_on_the_web() -> None:
    mail = compose_store_answer(answer_with(Outcome.CARD_ONLINE_ONLY), to=STORE)
    assert mail.subject == (
        "Not paid: the card is good in the web shop only (•••• 2b5a, 12.50 USD)"
    )
    assert "can use the card in the web shop as before" in mail.text


def test_a_possible_duplicate_names_the_first_form_and_says_how_to_go_on() -> None:
    first = "redemption#recZ9y8X7w6V5u4T3#1"
    reason = f"the same amount was filed for this card at 14:05, receipt {first}"
    mail = compose_store_answer(answer_with(Outcome.POSSIBLE_DUPLICATE, reason=reason), to=STORE)
    assert mail.subject == "Not paid: this may have been filed twice (•••• 2b5a, 12.50 USD)"
    told = f"The same amount was filed for this card at 14:05, receipt {first}."
    assert told in lines_of(mail)
    assert "No money was taken for this form." in lines_of(mail)
    assert "If it is the same sale, do not file it again" in mail.text
    assert "If it is another sale of the same amount, file the form once more." in mail.text


def test_a_held_form_is_charged_only_if_the_office_says_so() -> None:
    mail = compose_store_answer(
        answer_with(Outcome.HELD, reason="it could not be served in time"), to=STORE
    )
    assert mail.subject == ("Not paid: the office has to look at this first (•••• 2b5a, 12.50 USD)")
    assert "It could not be served in time." in lines_of(mail)
    assert "No money was taken for this form." in lines_of(mail)
    assert "The card is charged only if the office approves this form" in mail.text


# -------------------- "please wait", before anybody knows


def test_whoever_has_to_wait_reads_so_first_and_for_which_amount() -> None:
    mail = compose_interim(INTERIM, to=STORE)
    assert mail.to == STORE
    assert mail.subject == "Please wait: not confirmed yet (12.50 USD)"
    assert mail.text.splitlines()[0] == mail.subject
    assert Seen(mail.html).texts[0] == "Please wait: not confirmed yet"
    assert lines_of(mail)[1] == "Not confirmed yet: 12.50 USD"
    assert "12.50 USD" in Seen(mail.html).texts


def test_whoever_has_to_wait_learns_which_form_it_is_about() -> None:
    lines = lines_of(compose_interim(INTERIM, to=STORE))
    assert {
        "Store: Downtown",
        "Filed by: Anna Müller",
        "Filed: Mon 23 Nov 2026, 14:05:04 EST",
        "As of: Mon 23 Nov 2026, 14:05:32 EST",
        f"Reference: {REFERENCE}",
    } <= set(lines)


def test_please_wait_claims_neither_that_money_moved_nor_that_none_did() -> None:
    mail = compose_interim(INTERIM, to=STORE)
    said = f"{mail.subject} {mail.text}".lower()
    assert "we cannot tell yet whether the card was charged" in said
    for claim in ("no money was taken", "nothing was charged", "not paid", "not charged", "paid:"):
        assert claim not in said
    assert "do not file the form again" in said
    assert "you get another mail" in said


def test_please_wait_does_not_need_an_amount_or_an_employee() -> None:
    mail = compose_interim(dataclasses.replace(INTERIM, amount=None, employee=" "), to=STORE)
    assert mail.subject == "Please wait: not confirmed yet"
    assert "Filed by" not in mail.text
    assert "USD" not in mail.text


def test_no_other_mail_can_be_taken_for_please_wait() -> None:
    for outcome in Outcome:
        answer = compose_store_answer(answer_with(outcome), to=STORE)
        assert "please wait" not in answer.subject.lower()


@pytest.mark.parametrize("outcome", Outcome)
def test_a_balance_is_shown_only_for_a_card_that_works(outcome: Outcome) -> None:
    shown = "7,654,321.09 USD"
    mail = compose_store_answer(answer_with(outcome, balance=Money(765432109, "USD")), to=STORE)
    may_be_shown = outcome in {Outcome.REDEEMED, Outcome.INSUFFICIENT_BALANCE}
    assert (shown in mail.text, shown in mail.html) == (may_be_shown, may_be_shown)


def test_words_that_lack_a_value_are_an_error_and_no_mail() -> None:
    with pytest.raises(UndefinedError, match="card"):
        read_words("store_answer/code_not_found.words", {})


# -------------------- times, currencies, names


def test_times_are_those_of_the_shop_s_clocks() -> None:
    lines = lines_of(compose_store_answer(ANSWER, to=STORE))
    assert "Filed: Mon 23 Nov 2026, 14:05:04 EST" in lines
    assert "Answered: Mon 23 Nov 2026, 14:05:12 EST" in lines
    tokyo = dataclasses.replace(ANSWER, time_zone="Asia/Tokyo")
    assert "Answered: Tue 24 Nov 2026, 04:05:12 JST" in lines_of(
        compose_store_answer(tokyo, to=STORE)
    )


def test_amounts_have_the_decimals_of_their_currency() -> None:
    yen = dataclasses.replace(ANSWER, amount=Money(1250, "JPY"), balance=Money(0, "JPY"))
    assert compose_store_answer(yen, to=STORE).subject == "Paid: 1,250 JPY (•••• 2b5a)"


def test_a_missing_employee_leaves_no_empty_line() -> None:
    mail = compose_store_answer(dataclasses.replace(ANSWER, employee=" "), to=STORE)
    assert "Filed by" not in mail.text
    assert "Filed by" not in mail.html


# -------------------- both parts say the same, and nothing can be clicked


def all_mails() -> list[Mail]:
    """One mail of every kind."""
    answers = [answer_with(outcome, reason=EXPLAINED) for outcome in Outcome]
    notice = compose_office_notice(
        to="office@example.com",
        subject="A redemption row is waiting for the office",
        lines=["Row 7 names no known store.", "Correct the cell Store."],
        reference=REFERENCE,
    )
    return [
        *(compose_store_answer(answer, to=STORE) for answer in answers),
        compose_interim(INTERIM, to=STORE),
        notice,
    ]


@pytest.mark.parametrize("mail", all_mails(), ids=lambda mail: mail.subject)
def test_plain_text_and_html_say_the_same(mail: Mail) -> None:
    seen = Seen(mail.html).texts
    in_both = [part for line in lines_of(mail)[1:] for part in (line, *line.split(": ", 1))]
    for line in lines_of(mail)[1:]:
        label, _, value = line.partition(": ")
        assert line in seen or (label in seen and value in seen), line
    assert set(seen[1:]) <= set(in_both)


@pytest.mark.parametrize("mail", all_mails(), ids=lambda mail: mail.subject)
def test_nothing_can_be_clicked_and_nothing_is_fetched(mail: Mail) -> None:
    seen = Seen(mail.html)
    assert seen.tags <= HARMLESS_ELEMENTS
    assert not {"href", "src", "srcset", "background", "action"} & {
        name for name, _ in seen.attributes
    }
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    assert "url(" not in mail.html
    assert "@import" not in mail.html
    assert "http" not in mail.html.lower()


@pytest.mark.parametrize("mail", all_mails(), ids=lambda mail: mail.subject)
def test_the_html_is_readable_on_a_phone_and_in_the_dark(mail: Mail) -> None:
    meta = Seen(mail.html).attributes
    assert ("content", "width=device-width, initial-scale=1") in meta
    assert meta.count(("content", "light dark")) == 2
    assert "prefers-color-scheme: dark" in mail.html
    assert "max-width:560px" in mail.html


# -------------------- what somebody typed does no harm


@pytest.mark.parametrize("typed", HARMFUL)
@pytest.mark.parametrize("outcome", Outcome)
def test_html_in_typed_text_stays_text(typed: str, outcome: Outcome) -> None:
    answer = answer_with(
        outcome, employee=typed, store_name=typed, typed_amount=typed, amount=None, reason=typed,
        masked_card=typed, reference=typed,
    )  # fmt: skip
    mail = compose_store_answer(answer, to=STORE)
    plain = compose_store_answer(
        dataclasses.replace(answer, employee="x", store_name="x", typed_amount="x", reason="x",
                            masked_card="x", reference="x"),
        to=STORE,
    )  # fmt: skip
    assert Seen(mail.html).tags == Seen(plain.html).tags
    assert len(Seen(mail.html).attributes) == len(Seen(plain.html).attributes)
    assert f"Filed by: {typed.strip()}" in lines_of(mail)
    assert typed.strip() in Seen(mail.html).texts


@pytest.mark.parametrize("typed", HARMFUL)
def test_html_in_a_notice_stays_text(typed: str) -> None:
    mail = compose_office_notice(to=STORE, subject=typed, lines=[typed], reference=typed)
    plain = compose_office_notice(to=STORE, subject="x", lines=["x"], reference="x")
    assert Seen(mail.html).tags == Seen(plain.html).tags
    assert typed.strip() in Seen(mail.html).texts


@pytest.mark.parametrize("typed", HARMFUL)
def test_html_in_please_wait_stays_text(typed: str) -> None:
    def interim(text: str) -> Mail:
        return compose_interim(
            dataclasses.replace(INTERIM, employee=text, store_name=text, reference=text), to=STORE
        )

    mail, plain = interim(typed), interim("x")
    assert Seen(mail.html).tags == Seen(plain.html).tags
    assert len(Seen(mail.html).attributes) == len(Seen(plain.html).attributes)
    assert f"Filed by: {typed.strip()}" in lines_of(mail)
    assert typed.strip() in Seen(mail.html).texts


@pytest.mark.parametrize("line_end", LINE_ENDS)
@pytest.mark.parametrize("outcome", Outcome)
def test_no_header_can_be_smuggled_into_a_subject(line_end: str, outcome: Outcome) -> None:
    smuggled = f"x{line_end}Bcc: thief@example.com"
    answer = answer_with(
        outcome, masked_card=smuggled, employee=smuggled, store_name=smuggled, reason=smuggled,
        reference=smuggled, typed_amount=smuggled,
    )  # fmt: skip
    subjects = [
        compose_store_answer(answer, to=STORE).subject,
        compose_office_notice(to=STORE, subject=smuggled, lines=[], reference=smuggled).subject,
        compose_interim(
            dataclasses.replace(
                INTERIM, employee=smuggled, store_name=smuggled, reference=smuggled
            ),
            to=STORE,
        ).subject,
    ]
    for subject in subjects:
        assert subject.splitlines() == [subject]
        assert subject.isprintable()


@pytest.mark.parametrize(
    "address",
    [
        "", "store", "a@b@c", "a@example.com,b@example.com", "a@example.com b@example.com",
        "a@example.com\r\nBcc: b@example.com", "a@example.com\n", "Anna <a@example.com>",
        "a@example.com;b@example.com", "a\x00@example.com ", f"{'a' * 320}@example.com",
    ],
)  # fmt: skip
def test_a_mail_goes_to_exactly_one_address(address: str) -> None:
    with pytest.raises(NeedsAPerson, match="one address"):
        compose_store_answer(ANSWER, to=address)
    with pytest.raises(NeedsAPerson, match="one address"):
        compose_office_notice(to=address, subject="x", lines=[], reference="x")
    with pytest.raises(NeedsAPerson, match="one address"):
        compose_interim(INTERIM, to=address)


def test_a_mail_cannot_be_made_with_a_subject_of_two_lines() -> None:
    with pytest.raises(ValueError, match="one line"):
        Mail(to=STORE, subject="Paid\r\nBcc: thief@example.com", text="", html="")


def test_invisible_characters_do_not_turn_a_text_around() -> None:
    mail = compose_store_answer(dataclasses.replace(ANSWER, employee="An\u202ena\u200b"), to=STORE)
    assert "Filed by: Anna" in lines_of(mail)


def test_a_whole_letter_in_a_cell_is_cut() -> None:
    answer = dataclasses.replace(ANSWER, employee="word " * 1000, store_name="word " * 1000)
    mail = compose_store_answer(answer, to=STORE)
    assert all(len(line) < 120 for line in lines_of(mail))
    assert "word…" in mail.text
    interim = dataclasses.replace(INTERIM, employee="word " * 1000, store_name="word " * 1000)
    assert compose_interim(interim, to=STORE).text.count("word…") == 2


anything = st.text(max_size=60)


@given(
    st.sampled_from(Outcome), anything, anything, st.none() | anything, st.none() | anything,
    st.none() | anything, st.none() | st.integers(-(10**12), 10**12),
    st.none() | st.integers(-(10**12), 10**12),
)  # fmt: skip
def test_whatever_is_typed_an_answer_goes_out(  # noqa: PLR0917 - Hypothesis fills them in by place
    outcome: Outcome,
    employee: str,
    store_name: str,
    masked_card: str | None,
    typed_amount: str | None,
    reason: str | None,
    amount: int | None,
    balance: int | None,
) -> None:
    answer = answer_with(
        outcome,
        employee=employee,
        store_name=store_name,
        masked_card=masked_card,
        typed_amount=typed_amount,
        reason=reason,
        amount=None if amount is None else Money(amount, "USD"),
        balance=None if balance is None else Money(balance, "USD"),
    )
    mail = compose_store_answer(answer, to=STORE)
    mail.text.encode()
    mail.html.encode()
    Seen(mail.html)
    assert mail.subject.isprintable()


# -------------------- no mail holds a code

SPELLINGS: list[Callable[[str], str]] = [
    lambda code: code,
    lambda code: code.upper(),
    lambda code: f"Anna {code}",
    lambda code: f"Code:{code.upper()}",
    lambda code: "-".join(code[at : at + 4] for at in range(0, len(code), 4)).upper(),
]


@given(mixed_codes, st.sampled_from(SPELLINGS), st.sampled_from(Outcome))
def test_no_answer_holds_more_than_four_characters_of_a_code(
    code: str, spell: Callable[[str], str], outcome: Outcome
) -> None:
    typed = spell(code)
    groups = re.findall("[a-z0-9]+", typed.removeprefix("Anna ").removeprefix("Code:").lower())
    assume(len(groups) == 1 or all(re.search(r"\d", g) and re.search("[a-z]", g) for g in groups))
    answer = answer_with(
        outcome, employee=typed, typed_amount=typed, amount=None, reason=typed, masked_card=code
    )
    without = answer_with(
        outcome, employee="", typed_amount=None, amount=None, reason=None, masked_card=None
    )
    harmless = squeezed(compose_store_answer(without, to=STORE))
    mail = squeezed(compose_store_answer(answer, to=STORE))
    assert [part for part in windows(code) if part in mail and part not in harmless] == []


@given(mixed_codes, st.sampled_from(SPELLINGS))
def test_please_wait_holds_no_more_than_four_characters_of_a_code(
    code: str, spell: Callable[[str], str]
) -> None:
    typed = spell(code)
    groups = re.findall("[a-z0-9]+", typed.removeprefix("Anna ").removeprefix("Code:").lower())
    assume(len(groups) == 1 or all(re.search(r"\d", g) and re.search("[a-z]", g) for g in groups))
    mail = squeezed(compose_interim(dataclasses.replace(INTERIM, employee=typed), to=STORE))
    harmless = squeezed(compose_interim(dataclasses.replace(INTERIM, employee=""), to=STORE))
    assert [part for part in windows(code) if part in mail and part not in harmless] == []


def test_a_code_is_not_cut_in_two_where_a_long_text_is_cut() -> None:
    for filling in range(50, 90):
        answer = dataclasses.replace(ANSWER, employee=f"{'x' * filling} ABCD1234EFGH5678")
        assert "ABCD" not in compose_store_answer(answer, to=STORE).text


@given(mixed_codes)
def test_no_notice_holds_more_than_four_characters_of_a_code(code: str) -> None:
    mail = compose_office_notice(
        to=STORE, subject=f"Row {code}", lines=[f"It says {code.upper()}."], reference=REFERENCE
    )
    without = compose_office_notice(to=STORE, subject="Row", lines=["It says"], reference=REFERENCE)
    known = squeezed(without)
    assert [part for part in windows(code) if part in squeezed(mail) and part not in known] == []


def test_the_reference_of_a_redemption_is_never_taken_for_a_code() -> None:
    for mail in all_mails():
        assert f"Reference: {REFERENCE}" in mail.text


@pytest.mark.parametrize("name", ["علی\u200cرضا", "ශ්\u200dරී", "👩\u200d👩\u200d👧 Weber", "नरेन्द्र"])
def test_a_line_keeps_what_scripts_are_joined_with(name: str) -> None:
    assert one_line(name) == name
    assert Mail(to="a@example.com", subject=name, text="", html="").subject == name


@pytest.mark.parametrize(
    "sign", ["\r", "\n", "\r\n", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x00"]
)
def test_no_sign_beside_a_joiner_begins_a_header(sign: str) -> None:
    line = one_line(f"Ana\u200d{sign}\u200cBcc: x@example.com\u202e\ufeff")
    assert line == "Ana\u200d \u200cBcc: x@example.com"
    with pytest.raises(ValueError, match="one line"):
        Mail(to="a@example.com", subject=f"Ana\u200d{sign}Bcc: x", text="", html="")
