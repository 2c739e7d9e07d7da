"""A set of numbers in eight bytes each."""

from hypothesis import given
from hypothesis import strategies as st

from giftcards.flows.reconcile.numbers import NEW_NUMBERS, Numbers, pack
from giftcards.flows.reconcile.phase import card_number, name_number

numbers = st.integers(-(2**63), 2**63 - 1)


@given(st.sets(numbers), st.sets(numbers), numbers)
def test_what_was_added_is_in_it_and_nothing_else(
    first: set[int], second: set[int], other: int
) -> None:
    seen = Numbers(pack(sorted(first)))
    seen.add_packed(pack(second))
    again = Numbers(seen.packed())
    for some in (seen, again):
        assert all(number in some for number in first | second)
        assert (other in some) is (other in first | second)
    assert len(again.packed()) == 8 * len(first | second)


def test_many_are_sorted_in_as_they_come() -> None:
    seen = Numbers()
    for number in range(3 * NEW_NUMBERS):
        seen.add([number * 7, number * 7])
    assert len(seen._new) < NEW_NUMBERS  # noqa: SLF001 - a set of them takes much room
    assert 7 * NEW_NUMBERS in seen
    assert 7 * NEW_NUMBERS + 1 not in seen
    assert "a card" not in seen


def test_cards_go_by_their_numbers_and_names_by_eight_bytes() -> None:
    assert card_number("gid://shopify/GiftCard/523564253315") == 523564253315
    assert name_number("redemption#rec1#1") == name_number("redemption#rec1#1")
    assert name_number("redemption#rec1#1") != name_number("redemption#rec1#2")
    assert -(2**63) <= name_number("x") < 2**63
