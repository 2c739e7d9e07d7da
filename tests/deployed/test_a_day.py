"""A seeded day on the deployed stack: what waits is answered, mailed, written and mirrored."""

import re
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import requests

from sandbox.demo import OFFICE_EMAIL, Sandbox
from sandbox.embedded_aws import PROJECT, WORKERS_OF_A_NEW_ACCOUNT, architecture
from sandbox.seed import Expected
from tests.cloudformation import load_template
from tests.deployed.stack import Stack, wait_until
from tests.template.reading import FUNCTION, of_type

pytestmark = [pytest.mark.deployed, pytest.mark.sockets]

# EventBridge rings a minute after it was told to, and the run takes a moment.
FIRST_MINUTE_SECONDS = 90

# The last tick of a minute is due after 45 s and dropped if it comes later than 10 s after that.
TICKS_END_SECONDS = 57

# Runs follow each other by 15 s; a busy machine and a cold start may double that.
LONGEST_GAP_SECONDS = 30


def _rows(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    return {row["id"]: row["fields"] for row in sandbox.base.table("Redemptions").records()}


@pytest.mark.usefixtures("day_is_over")
def test_every_row_comes_to_what_it_should(sandbox: Sandbox) -> None:
    rows = _rows(sandbox)

    outcomes = {row.why: rows[row.id].get("Outcome") for row in sandbox.day.rows}

    assert outcomes == {
        row.why: str(row.expected) if row.expected.is_outcome else None for row in sandbox.day.rows
    }


@pytest.mark.usefixtures("day_is_over")
def test_a_row_from_before_the_go_live_is_left_as_it_was(sandbox: Sandbox) -> None:
    (old,) = [row for row in sandbox.day.rows if row.expected is Expected.NEVER_TOUCHED]

    cells = _rows(sandbox)[old.id]

    assert cells["Gift Card Code"] == old.typed
    assert not {"Status", "Outcome", "Message", "Processed At"} & set(cells)


@pytest.mark.usefixtures("day_is_over")
def test_a_row_that_is_over_shows_no_code_and_a_held_one_keeps_it(sandbox: Sandbox) -> None:
    rows = _rows(sandbox)

    for row in sandbox.day.rows:
        if not row.expected.is_outcome:
            continue
        cells = rows[row.id]
        # The office may still release a held row, and the card is then looked for by its code.
        assert cells["Status"] == ("Processed" if row.expected.is_final else "Held"), row.why
        assert (cells["Gift Card Code"] == row.typed) != row.expected.is_final, row.why
        assert ("Processed At" in cells) == row.expected.is_final, row.why


@pytest.mark.usefixtures("day_is_over")
def test_every_row_of_the_day_is_answered_once_to_its_own_store(sandbox: Sandbox) -> None:
    expected = {
        # A held row may still be released, so its answer is not yet the redemption's own.
        f"{'redemption' if row.expected.is_final else 'held'}#{row.id}": [row.store.email]
        for row in sandbox.day.rows
        if row.store is not None and row.expected.is_outcome
    }
    waiting = [row for row in sandbox.day.rows if row.expected is Expected.WAITS_FOR_A_STORE]
    expected |= {f"notice#{row.id}#store": [OFFICE_EMAIL] for row in waiting}

    def answers() -> dict[str, list[str]]:
        # By its own line: the mail about a form filed twice names the first one's receipt as well.
        mails = [(mail.to, mail.text.splitlines()) for mail in sandbox.inbox.mails()]
        return {
            ref: [to for to, lines in mails if f"Reference: {ref}" in lines] for ref in expected
        }

    wait_until(lambda: all(answers().values()), seconds=30, what="all mails are out")

    assert answers() == expected


@pytest.mark.usefixtures("day_is_over")
def test_the_mirror_shows_shopifys_balances(sandbox: Sandbox) -> None:
    def mirrored() -> dict[str, Decimal]:
        cells = [record["fields"] for record in sandbox.base.table("Gift Cards").records()]
        return {card["Shopify ID"]: Decimal(str(card["Balance"])) for card in cells}

    assert len(mirrored()) >= len([r for r in sandbox.day.rows if r.expected is Expected.REDEEMED])
    # Once things are quiet: another test on this stack may just have charged a card.
    wait_until(
        lambda: all(sandbox.shop.card(id_).balance == shown for id_, shown in mirrored().items()),
        seconds=60,
        what="the mirror is in step",
    )


@pytest.mark.usefixtures("day_is_over")
def test_no_full_code_is_in_any_log(sandbox: Sandbox, stack: Stack) -> None:
    lines = [re.sub(r"[^a-z0-9]", "", line.lower()) for line in stack.log_lines()]

    assert len(lines) > len(sandbox.day.rows), "each answer alone makes several lines"
    for card in sandbox.day.cards.values():
        assert not [line for line in lines if card.code in line]


@pytest.mark.usefixtures("day_is_over")
def test_the_roles_allow_everything_the_functions_did(sandbox: Sandbox, stack: Stack) -> None:
    health = requests.get(f"{sandbox.aws.url}/_ministack/health", timeout=5).json()

    assert health["auth"] == "enabled", "without it this test would prove nothing"
    assert not [line for line in stack.log_lines() if "AccessDenied" in line]


def test_eventbridge_rings_and_sqs_wakes_the_prong_in_between(stack: Stack) -> None:
    # The first minute was rung by hand before `stack.since`: what runs after its last tick is
    # EventBridge's doing, and what runs between two minutes is SQS's.
    wait_until(
        lambda: any(
            (run - stack.since).total_seconds() > TICKS_END_SECONDS for run in stack.finished_runs()
        ),
        seconds=TICKS_END_SECONDS + FIRST_MINUTE_SECONDS,
        what="the prong runs on after the first minute",
    )

    runs = stack.finished_runs()
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(runs)]
    assert sorted(gaps)[len(gaps) // 2] < LONGEST_GAP_SECONDS


def test_the_layer_brings_what_lambda_does_not(sandbox: Sandbox) -> None:
    # The emulator's own environment holds pydantic as well, so a missing one would not show.
    layer = PROJECT / ".aws-sam" / "build" / "SharedLayer" / "python"
    machine = {"arm64": "aarch64", "x86_64": "x86_64"}[architecture()]

    assert sandbox.aws.is_running()
    assert (layer / "giftcards" / "wiring.py").exists()
    assert list(layer.glob(f"pydantic_core/_pydantic_core.cpython-313-{machine}-linux-gnu.so"))
    for package in ("aws_lambda_powertools", "jinja2", "pyairtable", "requests", "tzdata"):
        assert (layer / package / "__init__.py").exists(), package
    assert not (layer / "boto3").exists(), "the Lambda runtime brings it"
    assert not (layer / "python").exists(), "the layer's folder is put below python/ by itself"


def test_what_is_deployed_is_what_the_template_says(sandbox: Sandbox, stack: Stack) -> None:
    template = load_template()
    deployed = stack.client("lambda")

    for name, function in of_type(template, FUNCTION).items():
        found = deployed.get_function_configuration(FunctionName=stack.outputs()[f"{name}Function"])
        assert found["Timeout"] == function["Timeout"], name
        assert found["Architectures"] == [architecture()], name
        assert found["LoggingConfig"]["LogFormat"] == "JSON", name
    account = deployed.get_account_settings()
    assert account["AccountLimit"]["ConcurrentExecutions"] >= WORKERS_OF_A_NEW_ACCOUNT
    assert sandbox.stack in deployed.list_functions()["Functions"][0]["FunctionName"]
