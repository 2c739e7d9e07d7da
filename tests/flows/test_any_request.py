"""Whatever stands in a form's cells: taken, held or refused with words; never an accident."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from giftcards.store.journal import State
from tests.world import KeptMoment, World, running_world

CODE = "wxyz2345abcd6789"

# Field names as a store reads them: every problem begins with one of them.
FIELDS = (
    "Store", "Employee", "Amount", "Quantity", "Recipient Name", "Recipient Email",
    "Purchaser Name", "Purchaser Email", "Gift Message", "Theme", "Send On", "Kind",
)  # fmt: skip

# Each example is a world's minute; more find no more.
EXAMPLES = 60

texts = st.one_of(
    st.none(),
    st.sampled_from(
        ["", " ", CODE, CODE.upper(), "cdfh jkpr twxy cdfh jkpr", "\u202e", "x" * 5000]
    ),
    st.sampled_from(["Rosa", "علی\u200cرضا", "Ana\r\nBcc: a@example.com", "{{ event }}", "<b>"]),
    st.text(max_size=120),
)
addresses = st.one_of(
    st.sampled_from(["rosa@example.com", "ROSA@EXAMPLE.COM ", "a@b", "a@b.co, c@d.co", "@", CODE]),
    st.emails(),
    texts,
)
amounts = st.one_of(
    st.none(),
    st.sampled_from([25, 0, -1, 0.001, 1e9, 1e30, 19.99, 501, 2000.5]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(min_value=-(10**15), max_value=10**15),
)
rows = st.fixed_dictionaries(
    {
        "Employee": texts,
        "Amount": amounts,
        "Quantity": st.one_of(st.none(), st.integers(-5, 12), st.sampled_from([501, 10**9])),
        "Recipient Name": texts,
        "Recipient Email": addresses,
        "Is Gift": st.one_of(st.none(), st.booleans()),
        "Purchaser Name": texts,
        "Purchaser Email": addresses,
        "Gift Message": texts,
        "Theme": st.one_of(st.none(), st.sampled_from(["Standard", "Birthday", "Wedding"])),
        "Send On": st.one_of(st.none(), st.dates().map(str), st.just("2026-12-24")),
        "Kind": st.one_of(st.none(), st.sampled_from(["Paid", "Promotional"])),
        "Approved": st.one_of(st.none(), st.sampled_from([True])),
    }
)
# Most rows of rows that are all wrong are refused at once; these are nearly right.
nearly_right = st.fixed_dictionaries(
    {
        "Employee": st.just("Ana"),
        "Amount": st.sampled_from([25, 501, 19.99]),
        "Quantity": st.sampled_from([None, 1, 3]),
        "Recipient Name": st.sampled_from(["Rosa", "李小龍"]),
        "Recipient Email": st.just("rosa@example.com"),
        "Gift Message": st.one_of(st.none(), st.text(max_size=80), st.just(CODE)),
        "Send On": st.sampled_from([None, "2026-11-23", "2026-12-24"]),
        "Approved": st.one_of(st.none(), st.sampled_from([True])),
    }
)


@pytest.fixture(scope="module")
def kept() -> Iterator[tuple[World, KeptMoment]]:
    with running_world() as world:
        world.shop.issue_card(code=CODE, amount=50)
        yield world, world.keep()


def filled(cells: dict[str, Any]) -> dict[str, Any]:
    return {name: cell for name, cell in cells.items() if cell is not None}


def see_that_nothing_went_wrong(world: World) -> None:
    """No row killed its worker, nothing is half made, and no code stands where none may stand."""
    assert world.alarms == []
    for queue in ("AnswerStoreQueue", "WriteAirtableQueue", "IssueCardsQueue"):
        assert world.queued_in(queue) == []
    told = " ".join([*map(str, world.items()), *world.queued_bodies()]).lower()
    codes = [CODE, *(str(card.code) for card in world.shop.cards)]
    for code in codes:
        groups = " ".join(code[at : at + 4] for at in range(0, len(code), 4))
        assert code not in told
        assert groups not in told


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(cells=st.one_of(rows, nearly_right))
def test_any_creation_request_is_issued_held_or_refused_with_words(
    kept: tuple[World, KeptMoment], cells: dict[str, Any]
) -> None:
    world, moment = kept
    world.go_back(moment)
    before = len(world.shop.cards)
    typed = filled(cells) | {"Store": [world.store_id]}
    row_id = world.base.submit_form("Creation Requests", typed)["id"]
    world.serve()
    outcome = world.request(row_id).get("Outcome")
    made = [card for card in world.shop.cards if (card.note or "").startswith(f"issue#{row_id}")]
    sale = world.journal.load(f"sale#{row_id}")
    if outcome == "ISSUED":
        assert len(made) == (cells.get("Quantity") or 1)
        assert sale is not None
        assert sale.state is State.SETTLED
    else:
        assert outcome in {"REFUSED", "HELD"}
        assert made == []
        assert len(world.shop.cards) == before
    if outcome == "REFUSED":
        assert sale is not None
        assert sale.result is not None
        for problem in str(sale.result.reason).split("\n"):
            field, _, says = problem.partition(": ")
            assert field in FIELDS
            assert says.endswith(".")
            assert len(says) > len("Type it.")
    see_that_nothing_went_wrong(world)


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(code=st.one_of(texts, st.just(CODE)), email=addresses)
def test_any_balance_check_gets_one_of_its_answers(
    kept: tuple[World, KeptMoment], code: str | None, email: str | None
) -> None:
    world, moment = kept
    world.go_back(moment)
    typed = filled({"Gift Card Code": code, "Email": email})
    row_id = world.base.submit_form("Balance Checks", typed)["id"]
    world.serve()
    row = dict(world.base.table("Balance Checks").get(row_id)["fields"])
    assert row["Status"] == "Processed"
    assert row["Gift Card Code"].startswith("•••• ")
    check = world.journal.load(f"check#{row_id}")
    assert check is not None
    assert check.state is State.SETTLED
    assert check.result is not None
    assert check.result.outcome in {"BALANCE_SENT", "NO_BALANCE", "ADDRESS_INVALID"}
    assert len(world.mails()) == (check.result.outcome != "ADDRESS_INVALID")
    see_that_nothing_went_wrong(world)
