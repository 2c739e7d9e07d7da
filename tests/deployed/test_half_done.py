"""The sweep finishes what a crash left behind, with the permissions of its own role."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from giftcards.domain.money import Money
from giftcards.domain.outcomes import Outcome, Store
from giftcards.flows.redeem import KIND, Asked, operation_key
from giftcards.store.journal import Operation
from ops.deployment import open_deployment
from sandbox.demo import Sandbox
from tests.deployed.stack import Stack, wait_until

pytestmark = [pytest.mark.deployed, pytest.mark.sockets]

# No such row is in Airtable, so nobody but the sweep will ever look at this operation.
ROW_ID = "recLeftHalfDone00"


def test_a_claim_that_its_worker_left_is_charged_and_answered(
    sandbox: Sandbox, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.aws.url)
    app = open_deployment(sandbox.stack, sandbox.aws.session())
    card, store = sandbox.day.cards["generous"], sandbox.day.stores[0]
    before, now = sandbox.shop.card(card.id).balance, datetime.now(UTC)
    asked = Asked(
        row_id=ROW_ID,
        row_created_at=now,
        store=Store(id=store.id, name=store.name, email=store.email),
        employee="Maya Ortiz",
        amount=Money(125, "USD"),
        card_id=card.id,
        last4=card.last_characters,
        time_zone="America/New_York",
        is_approved=False,
        is_confirmed=False,
    )
    key = operation_key(ROW_ID)
    app.journal.claim(key, kind=KIND, snapshot=asked.pack(), now=now, due_at=now)

    def left() -> Operation:
        operation = app.journal.load(key)
        assert operation is not None
        return operation

    def sweep_has_finished_it() -> bool:
        reply = stack.client("lambda").invoke(FunctionName=stack.outputs()["SweepFunction"])
        assert "FunctionError" not in reply, json.loads(reply["Payload"].read())
        return left().settled_at is not None

    wait_until(sweep_has_finished_it, seconds=30, what="the sweep settles the operation")

    result = left().result
    assert result is not None
    assert result.outcome == Outcome.REDEEMED
    assert sandbox.shop.card(card.id).balance == before - Decimal("1.25")
    wait_until(lambda: left().answered_at is not None, seconds=30, what="the store is answered")
    assert [mail.to for mail in sandbox.inbox.mails() if key in mail.text] == [store.email]
