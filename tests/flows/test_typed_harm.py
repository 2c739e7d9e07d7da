"""What people may type into a form, to do harm or by chance, stays text and harms nobody else."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from giftcards.domain.codes import Code, clean
from giftcards.domain.outcomes import Outcome
from tests.world import World, running_world

CODE = "wxyz2345abcd6789"

HARMFUL = (
    '")) OR TRUE() OR ("',
    "{Status}='' OR 1=1",
    "code:* OR enabled:true",
    '"}) { giftCards { nodes { id } } } #',
    '=HYPERLINK("http://evil.example","x")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(A1:A9)",
    "<img src=x onerror=alert(1)>",
    "{{ 7*7 }}{% include 'x' %}",
    "Ana\r\nBcc: thief@example.com",
    "\u202eevil\u202c",
    "a\x00b",
    "x" * 10_000,
    "\\",
)


def rows_left(world: World) -> list[Any]:
    return [row for row in world.cells("Redemptions") if not row.get("Status")]


@pytest.mark.parametrize("typed", HARMFUL)
@pytest.mark.parametrize("field", ["Gift Card Code", "Employee"])
def test_a_typed_text_charges_no_other_card_and_stops_nobody(typed: str, field: str) -> None:
    with running_world() as world:
        card = world.shop.issue_card(code=CODE, amount=50)
        cells: dict[str, Any] = {"Gift Card Code": CODE} | {field: typed}
        row_id = world.ask(**{name.replace(" ", "_"): value for name, value in cells.items()})
        good = world.ask(Gift_Card_Code=CODE, Amount=5)
        world.serve()
        world.come_to_rest()
        assert world.row(good)["Outcome"] == Outcome.REDEEMED
        charged = 15 if field == "Employee" else 5
        assert world.shop.card(card.id).balance == 50 - charged, world.row(row_id)["Outcome"]
        assert not rows_left(world)
        assert {mail.destinations["ToAddresses"][0] for mail in world.mails()} <= {
            "main@shop.example",
            "office@shop.example",
        }
        assert all(mail.subject.isprintable() for mail in world.mails())


@pytest.mark.parametrize("typed", HARMFUL)
def test_a_typed_address_sends_no_mail_to_a_second_one(typed: str) -> None:
    with running_world() as world:
        world.shop.issue_card(code=CODE, amount=50)
        world.check_balance(CODE, email=f"rosa@example.com{typed}")
        world.sell(Recipient_Name=typed, Gift_Message=typed)
        world.serve()
        world.come_to_rest()
        told = {address for mail in world.mails() for address in mail.destinations["ToAddresses"]}
        assert "thief@example.com" not in told
        assert all(len(mail.destinations["ToAddresses"]) == 1 for mail in world.mails())
        assert {event.profile for event in world.klaviyo.events} <= {"rosa@example.com"}


@pytest.mark.parametrize("typed", HARMFUL)
def test_a_log_line_stays_one_line(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with running_world() as world:
        world.ask(Gift_Card_Code=typed, Employee=typed)
        world.serve()
        world.come_to_rest()
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.startswith("{") and line.endswith("}") for line in lines)


# What a code can be made of, what separates its groups, and what would mean something in a search.
PIECES = some.text("abWX0189\u0430\uff21", min_size=3, max_size=7)
BETWEEN = some.sampled_from(
    [" ", "-", "", ".", "\u200b", "\t", "*", ":", "'", '"', " OR ", "\\", "\u202e"]
)
LIKE_CODES = some.lists(some.tuples(BETWEEN, PIECES), max_size=6).map(
    lambda parts: "".join(between + piece for between, piece in parts)
)


def test_what_is_searched_for_is_letters_and_digits_whatever_was_typed() -> None:
    codes: set[str] = set()

    @given(LIKE_CODES | some.text(max_size=600))
    @settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def read(typed: str) -> None:
        code = clean(typed)
        if isinstance(code, Code):
            codes.add(code.value)

    read()
    assert len(codes) > 20, "hardly anything was read as a code, so nothing was shown"
    assert all(re.fullmatch("[a-z0-9]{8,20}", code) for code in codes)
