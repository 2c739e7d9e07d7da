"""The answers a store can get, and what a typed row shows of itself."""

import dataclasses
from datetime import UTC, datetime

import pytest

from giftcards.domain.outcomes import EXPLANATIONS, Outcome, RedemptionRow, explain


def test_only_a_redeemed_card_is_a_success() -> None:
    assert [outcome for outcome in Outcome if outcome.is_success] == [Outcome.REDEEMED]


def test_the_office_reads_the_names_that_the_code_uses() -> None:
    """Offices build views and automations on these values: none may ever change."""
    assert [outcome.value for outcome in Outcome] == [
        "REDEEMED",
        "CODE_FORMAT_INCORRECT",
        "CODE_NOT_FOUND",
        "INSUFFICIENT_BALANCE",
        "AMOUNT_INVALID",
        "CARD_EXPIRED",
        "CARD_DISABLED",
        "CARD_ONLINE_ONLY",
        "POSSIBLE_DUPLICATE",
        "NOT_CHARGED",
        "HELD",
    ]


def test_only_what_the_office_may_still_release_is_not_final() -> None:
    assert [outcome for outcome in Outcome if not outcome.is_final] == [Outcome.HELD]


def test_every_outcome_has_its_explanation_and_there_are_no_others() -> None:
    assert list(EXPLANATIONS) == list(Outcome)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_explained_in_a_sentence_of_its_own(outcome: Outcome) -> None:
    sentence = explain(outcome)
    assert sentence.endswith(".")
    assert sentence not in {explain(other) for other in Outcome if other is not outcome}


def test_a_reason_follows_the_explanation_as_a_sentence() -> None:
    assert explain(Outcome.AMOUNT_INVALID, "the amount is missing") == (
        "The amount cannot be charged. The amount is missing"
    )


def test_a_row_does_not_show_the_code_that_was_typed() -> None:
    row = RedemptionRow(
        id="rec1",
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        store="Downtown",
        employee="Anna",
        typed_code="ABCD 1234 EFGH 5678",
        typed_amount="12.50",
    )
    assert "ABCD" not in repr(row)
    assert "5678" not in str(row)
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.typed_code = "other"  # type: ignore[misc]  # that it is refused is what is tried here
