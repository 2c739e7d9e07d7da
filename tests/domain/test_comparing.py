"""What is wrong with one card: each kind by its example, and any history with what was planted."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftcards.domain.cards import Movement
from giftcards.domain.comparing import Books, Told, compare_card, unexplained_part
from giftcards.domain.drift import Drift
from giftcards.domain.money import Money

CARD = "gid://shopify/GiftCard/7"
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
REDEMPTION = "redemption#rec1"
ORDER = "order-spend#1"


def usd(cents: int) -> Money:
    return Money(cents, "USD")


def moved(number: int, cents: int, note: str | None = None) -> Movement:
    name = "Credit" if cents > 0 else "Debit"
    return Movement(f"gid://shopify/GiftCard{name}Transaction/{number}", usd(cents), note, AT)


def entered(cents: int | None, **about: bool) -> Told:
    return Told(entered=None if cents is None else usd(cents), **about)


def books(balance: int, *movements: Movement, **about: Any) -> Books:
    """A card that began with 50 dollars; amounts in cents."""
    lines = {key: usd(cents) for key, cents in about.pop("lines", {}).items()}
    reserved = {key: usd(cents) for key, cents in about.pop("reserved", {}).items()}
    facts: dict[str, Any] = {"began_with": usd(5000), "lines": lines, "reserved": reserved} | about
    return Books(
        card_id=CARD,
        balance=usd(balance),
        movements=movements,
        of_orders=("order-spend#", "order-refund#"),
        of_ours=("redemption#", "reverse#", "return#", "repay#"),
        **facts,
    )


def found(card: Books) -> list[tuple[Drift, str, int, int]]:
    return [
        (one.drift, one.subject, one.expected.minor, one.found.minor)
        for one in compare_card(card)
        if one.expected is not None and one.found is not None
    ]


OURS: dict[str, Any] = {"lines": {REDEMPTION: -1000}, "operations": {REDEMPTION: entered(-1000)}}

EXPLAINED = {
    "untouched": books(5000),
    "redeemed": books(4000, moved(1, -1000, REDEMPTION), **OURS),
    "an order that shows": books(3000, moved(1, -2000), lines={ORDER: -2000}),
    "an order that does not": books(3000, lines={ORDER: -2000}),
    "kept back, and off the balance": books(3000, moved(1, -2000), reserved={"9": 2000}),
    "kept back, and not off it": books(5000, reserved={"9": 2000}),
    "let go again": books(5000, moved(2, 2000), moved(1, -2000), reserved={"9": 2000, "10": -2000}),
    "staff, told of": books(
        4500, moved(1, -500), lines={"adjusted#7#1": -500}, told={moved(1, -500).id}
    ),
    "something, entered without saying what": books(
        4500, moved(1, -200), moved(2, -300), lines={"adjusted#7#1": -500}, untold=[usd(-500)]
    ),
    "late, and entered as such": books(
        4000,
        moved(1, -1000, REDEMPTION),
        lines={f"late#{REDEMPTION}": -1000},
        operations={REDEMPTION: entered(-1000)},
    ),
    "from before the ledger": books(
        4000, moved(1, -1000, REDEMPTION), operations={REDEMPTION: entered(None, is_older=True)}
    ),
    "under way": books(
        4000, moved(1, -1000, REDEMPTION), operations={REDEMPTION: entered(None, is_open=True)}
    ),
    "under way, and not to be seen": books(
        4000, operations={REDEMPTION: entered(None, is_open=True)}
    ),
    "entered, and its line on its way": books(
        4000, lines={REDEMPTION: -1000}, operations={REDEMPTION: entered(-1000, is_open=True)}
    ),
    "from before our time": books(4321, moved(1, -5), began_with=None),
    "of another currency once": books(4000, lines={ORDER: -2000}, reserved={}, began_with=None),
}

WRONG = {
    "nobody's debit": (
        books(4500, moved(1, -500)),
        [(Drift.UNEXPLAINED_MOVEMENT, CARD, 0, -500)],
    ),
    "a part that no movement shows": (books(4500), [(Drift.UNEXPLAINED_MOVEMENT, CARD, 0, -500)]),
    "there and back": (
        books(5000, moved(2, 500), moved(1, -500)),
        [(Drift.UNEXPLAINED_MOVEMENT, "2", 0, 500), (Drift.UNEXPLAINED_MOVEMENT, "1", 0, -500)],
    ),
    "there and back, beside what was entered without saying what": (
        books(
            4500,
            moved(3, 70),
            moved(2, -70),
            moved(1, -500),
            lines={"adjusted#7#1": -500},
            untold=[usd(-500)],
        ),
        [(Drift.UNEXPLAINED_MOVEMENT, "3", 0, 70), (Drift.UNEXPLAINED_MOVEMENT, "2", 0, -70)],
    ),
    "given up, applied": (
        books(4000, moved(1, -1000, REDEMPTION), operations={REDEMPTION: entered(None)}),
        [(Drift.LATE_DEBIT, REDEMPTION, 0, -1000)],
    ),
    "given up, applied, and evened out by staff": (
        books(
            5000,
            moved(2, 1000),
            moved(1, -1000, REDEMPTION),
            operations={REDEMPTION: entered(None)},
        ),
        [(Drift.LATE_DEBIT, REDEMPTION, 0, -1000), (Drift.UNEXPLAINED_MOVEMENT, "2", 0, 1000)],
    ),
    "twice": (
        books(3000, moved(2, -1000, REDEMPTION), moved(1, -1000, REDEMPTION), **OURS),
        [(Drift.DUPLICATE_DEBIT, REDEMPTION, -1000, -2000)],
    ),
    "more than it says": (
        books(3500, moved(1, -1500, REDEMPTION), **OURS),
        [(Drift.DUPLICATE_DEBIT, REDEMPTION, -1000, -1500)],
    ),
    "less than it says": (
        books(4600, moved(1, -400, REDEMPTION), **OURS),
        [(Drift.OPERATION_WITHOUT_DEBIT, REDEMPTION, -1000, -400)],
    ),
    "never": (books(5000, **OURS), [(Drift.OPERATION_WITHOUT_DEBIT, REDEMPTION, -1000, 0)]),
    "never, and entered by the looks meanwhile": (
        books(
            5000,
            lines={REDEMPTION: -1000, "adjusted#7#1": 1000},
            untold=[usd(1000)],
            operations={REDEMPTION: entered(-1000)},
        ),
        [(Drift.OPERATION_WITHOUT_DEBIT, REDEMPTION, -1000, 0)],
    ),
    "a reference that nobody has": (
        books(4200, moved(1, -800, "redemption#recX")),
        [(Drift.DEBIT_WITHOUT_OPERATION, "1", 0, -800)],
    ),
    "a reference that nobody has, told of": (
        books(
            4200,
            moved(1, -800, "redemption#recX"),
            lines={"adjusted#7#1": -800},
            told={moved(1, -800).id},
        ),
        [(Drift.DEBIT_WITHOUT_OPERATION, "1", 0, -800)],
    ),
    "a reference of another card's payment, told of": (
        books(
            4200,
            moved(1, -800, ORDER),
            foreign={ORDER},
            lines={"adjusted#7#1": -800},
            told={moved(1, -800).id},
        ),
        [(Drift.DEBIT_WITHOUT_OPERATION, "1", 0, -800)],
    ),
    "a note that is no reference": (
        books(4200, moved(1, -800, "redemption# of last week")),
        [(Drift.UNEXPLAINED_MOVEMENT, CARD, 0, -800)],
    ),
    "one late, one nobody's": (
        books(
            3500,
            moved(2, -500),
            moved(1, -1000, REDEMPTION),
            operations={REDEMPTION: entered(None)},
        ),
        [(Drift.LATE_DEBIT, REDEMPTION, 0, -1000), (Drift.UNEXPLAINED_MOVEMENT, CARD, 0, -500)],
    ),
    "one late while another is under way": (
        books(
            3500,
            moved(1, -1000, REDEMPTION),
            operations={
                REDEMPTION: entered(None),
                "redemption#rec2": entered(None, is_open=True),
            },
        ),
        [(Drift.LATE_DEBIT, REDEMPTION, 0, -1000)],
    ),
}


@pytest.mark.parametrize("name", EXPLAINED)
def test_what_is_explained_or_under_way_is_no_difference(name: str) -> None:
    if name == "of another currency once":
        other = replace(EXPLAINED[name], began_with=usd(5000), lines={ORDER: Money(-2000, "EUR")})
        assert (compare_card(other), unexplained_part(other)) == ([], None)
        return
    assert compare_card(EXPLAINED[name]) == []


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_called_by_its_name(name: str) -> None:
    card, differences = WRONG[name]
    assert found(card) == differences
    assert all(one.card_id == CARD for one in compare_card(card))


def test_a_balance_tells_by_itself_that_movements_have_to_be_read() -> None:
    assert unexplained_part(books(5000)) is None
    assert unexplained_part(books(4500)) == usd(-500)
    assert unexplained_part(books(4500, began_with=None)) is None
    assert unexplained_part(books(3000, reserved={"9": 2000})) is None
    assert unexplained_part(books(4000, reserved={"9": 2000})) == usd(-1000)


# ------------------------------------------------------------------------------ any history

amounts = st.integers(1, 400)


@st.composite
def healthy(draw: st.DrawFn) -> tuple[list[Movement], dict[str, int], dict[str, Told], set[str]]:
    """What stores, orders and staff did, and all of it is in the ledger."""
    movements: list[Movement] = []
    lines: dict[str, int] = {}
    operations: dict[str, Told] = {}
    told: set[str] = set()
    for number, kind in enumerate(draw(st.lists(st.sampled_from("rcosat"), max_size=8)), 1):
        cents = draw(amounts)
        match kind:
            case "r" | "c":  # a store took it, or it was given back
                key, cents = (
                    (f"redemption#{number}", -cents)
                    if kind == "r"
                    else (
                        f"reverse#{number}#1",
                        cents,
                    )
                )
                movements.insert(0, moved(number, cents, key))
                lines[key] = cents
                operations[key] = entered(cents)
            case "o" | "s":  # an order, with or without a movement
                if kind == "s":
                    movements.insert(0, moved(number, -cents))
                lines[f"order-spend#{number}"] = -cents
            case _:  # staff, entered
                movements.insert(0, moved(number, cents))
                lines[f"adjusted#7#{number}"] = cents
                told.add(movements[0].id)
    return movements, lines, operations, told


@given(healthy(), st.sampled_from([None, "late", "twice", "strange", "never", "nobody"]), amounts)
def test_any_history_has_what_was_planted_and_nothing_else(
    history: tuple[list[Movement], dict[str, int], dict[str, Told], set[str]],
    planted: str | None,
    cents: int,
) -> None:
    movements, lines, operations, told = history
    balance = 5000 + sum(lines.values())
    expected: list[tuple[Drift, str, int, int]] = []
    match planted:
        case "late":
            movements = [moved(90, -cents, "redemption#late"), *movements]
            operations = operations | {"redemption#late": entered(None)}
            expected = [(Drift.LATE_DEBIT, "redemption#late", 0, -cents)]
        case "twice":
            twice = moved(90, -cents, "redemption#twice"), moved(91, -cents, "redemption#twice")
            movements = [*twice, *movements]
            operations = operations | {"redemption#twice": entered(-cents)}
            lines = lines | {"redemption#twice": -cents}
            balance -= cents
            expected = [(Drift.DUPLICATE_DEBIT, "redemption#twice", -cents, -2 * cents)]
        case "strange":
            movements = [moved(90, -cents, "return#nobody#1"), *movements]
            expected = [(Drift.DEBIT_WITHOUT_OPERATION, "90", 0, -cents)]
        case "never":
            operations = operations | {"redemption#never": entered(-cents)}
            lines = lines | {"redemption#never": -cents}
            expected = [(Drift.OPERATION_WITHOUT_DEBIT, "redemption#never", -cents, 0)]
        case "nobody":
            movements = [moved(90, cents), *movements]
            balance += 2 * cents  # in all
            expected = [(Drift.UNEXPLAINED_MOVEMENT, CARD, 0, cents)]
        case _:
            pass
    if planted is not None and planted != "never":
        balance -= cents
    card = books(balance, *movements, lines=lines, operations=operations, told=told)
    assert found(card) == expected
