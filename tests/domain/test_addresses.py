"""Which addresses caps and locks count as one mailbox."""

import pytest

from giftcards.domain.addresses import mailbox_key, same_mailbox


@pytest.mark.parametrize(
    "other",
    ["Rosa@Example.com", " rosa@example.com ", "rosa+1@example.com", "rosa+a+b@example.com"],
)
def test_another_spelling_of_a_mailbox_is_counted_with_it(other: str) -> None:
    assert same_mailbox(other) == "rosa@example.com"
    assert mailbox_key(other) == mailbox_key("rosa@example.com")


@pytest.mark.parametrize("other", ["rosa.b@example.com", "rosa@example.org", "+1@example.com"])
def test_another_mailbox_is_counted_for_itself(other: str) -> None:
    assert mailbox_key(other) != mailbox_key("rosa@example.com")


def test_a_key_shows_no_address() -> None:
    assert "rosa" not in mailbox_key("rosa@example.com")
