"""What could keep a waiting customer from ever being served, and who is told."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from giftcards.domain.cards import Card
from giftcards.domain.hiding import hide_codes
from giftcards.domain.money import Money
from giftcards.domain.outcomes import Outcome
from giftcards.flows.redeem import judge
from giftcards.flows.tick import TickEnd
from giftcards.store.journal import State
from giftcards.wiring import now
from sandbox.faults import Fault
from tests.world import World, running_world

CODE = "wxyz2345abcd6789"


def is_answered(world: World, row_id: str) -> bool:
    operation = world.app.journal.load(f"redemption#{row_id}")
    return operation is not None and operation.result is not None


def several_minutes(world: World, minutes: int = 10) -> None:
    for _ in range(minutes):
        world.tick()
        world.drain()
        world.sweep()
        world.drain()
        world.advance(60)


def test_rows_that_wait_for_the_office_do_not_stop_all_other_stores(world: World) -> None:
    """As many rows without a known store as one run takes stand in front of a customer."""
    for _ in range(world.config.rows_per_run):
        world.ask(Store=None, Gift_Card_Code=CODE)
    world.advance(1)
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    several_minutes(world)
    assert is_answered(world, row_id)
    assert world.shop.card(card.id).balance == 40


def test_answered_rows_that_airtable_does_not_show_yet_do_not_stop_the_stores(
    world: World,
) -> None:
    """The writer is behind (a full base, a poison message): the store's prong goes on."""
    for _ in range(world.config.rows_per_run):
        world.ask(Gift_Card_Code="WXYZ")
    world.tick()  # answered, but `write_airtable` gets nowhere
    world.advance(15)
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    for _ in range(10):
        world.tick()
        world.advance(15)
    assert is_answered(world, row_id)
    assert world.shop.card(card.id).balance == 40


def test_many_waiting_rows_are_served_at_all(world: World) -> None:
    """After an outage 700 rows wait: reading them at one page a second eats the run's time."""
    rows = [world.ask(Gift_Card_Code="WXYZ") for _ in range(700)]
    several_minutes(world, 3)
    assert any(is_answered(world, row_id) for row_id in rows)


@pytest.mark.parametrize("seconds", [7, 8])
def test_every_http_timeout_the_template_allows_serves_rows(seconds: int) -> None:
    with running_world(http_timeout_seconds=seconds) as world:
        world.shop.issue_card(code=CODE, amount=50)
        row_id = world.ask(Gift_Card_Code=CODE)
        several_minutes(world, 5)
        assert is_answered(world, row_id)


def test_a_row_answered_before_does_not_hide_that_shopify_is_away(world: World) -> None:
    """A settled row still in the waiting list counts as "answered" and keeps the heart beating."""
    world.ask(Gift_Card_Code="WXYZ")
    world.tick()  # settled; its row is not written yet
    world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
    world.ask(Gift_Card_Code=CODE)
    world.advance(15)
    assert world.tick() is TickEnd.FAILED


def test_an_operation_nobody_can_finish_is_not_silent(world: World) -> None:
    """Sent, row deleted, and Shopify no longer knows the card: an alarm has to go off."""
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE)
    world.effects.kill_on = {"DebitCard": "before"}
    world.tick()
    world.base.table("Redemptions").delete(row_id)
    del world.shop._cards[card.id]  # noqa: SLF001 - nobody can delete a card otherwise
    world.advance(60)
    for _ in range(30):
        world.sweep()
        world.advance(120)
    assert state_of(world, row_id) is State.PARKED
    assert world.alarms
    (parked,) = world.app.journal.parked(now=now(), limit=10)
    assert parked.key == f"redemption#{row_id}"


def test_a_very_long_name_does_not_make_a_row_unanswerable(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Gift_Card_Code=CODE, Employee="€" * 99_000)
    world.tick()
    assert is_answered(world, row_id)


def test_a_store_whose_address_no_mail_can_reach_is_not_charged(world: World) -> None:
    """`resume` and the notice know only an empty address; this one debits and answers nobody."""
    store = {"Name": "Second", "Email": "a@shop.example, b@shop.example"}
    store_id = world.base.table("Stores").create(store)["id"]
    card = world.shop.issue_card(code=CODE, amount=50)
    world.ask(Gift_Card_Code=CODE, Store=[store_id])
    world.tick()
    assert world.shop.card(card.id).balance == 50


def test_a_card_of_another_currency_is_answered() -> None:
    """The shop changed its currency; a card of before is refused, not left for ever."""
    card = Card(
        id="gid://shopify/GiftCard/1",
        last4="6789",
        balance=Money(5000, "EUR"),
        initial_value=Money(5000, "EUR"),
        enabled=True,
        expires_on=None,
        deactivated_at=None,
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
    outcome = judge(card, Money(1000, "USD"), today=date(2026, 11, 23), universal_since=None)
    assert outcome is Outcome.NOT_CHARGED


def state_of(world: World, row_id: str) -> State:
    operation = world.app.journal.load(f"redemption#{row_id}")
    assert operation is not None
    return operation.state


def test_a_late_notice_does_not_overwrite_the_outcome(world: World) -> None:
    """A worker died between noting the notice and handing it over; then the store was mended."""
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Store=None, Gift_Card_Code=CODE)
    world.effects.kill_on = {"sqs SendMessage": "before"}
    # the ticks are sent before: let those pass
    world.delayed_tick(late_by_seconds=0)
    world.base.table("Redemptions").update(row_id, {"Store": [world.store_id]})
    world.advance(60)
    several_minutes(world, 20)
    assert world.shop.card(card.id).balance == 40
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    assert "No card was charged" not in world.row(row_id)["Message"]


def test_a_notice_that_airtable_failed_to_write_does_not_overwrite_the_outcome(
    world: World,
) -> None:
    """The notice's message waits in its queue (or comes twice); the row is served meanwhile."""
    card = world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Store=None, Gift_Card_Code=CODE)
    world.serve()
    world.base.table("Redemptions").update(row_id, {"Store": [world.store_id]})
    world.advance(60)
    world.serve()
    assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
    world.app.queues.write_operation(f"notice#{row_id}#store")  # at least once, says SQS
    world.drain()
    assert world.shop.card(card.id).balance == 40
    assert "No card was charged" not in world.row(row_id)["Message"]


def test_a_notice_and_an_outcome_in_one_batch_both_reach_the_row(world: World) -> None:
    """Taken together in the wrong order, the notice's cells stand in place of the outcome's."""
    world.shop.issue_card(code=CODE, amount=50)
    row_id = world.ask(Store=None, Gift_Card_Code=CODE)
    world.tick()
    world.base.table("Redemptions").update(row_id, {"Store": [world.store_id]})
    world.advance(60)
    world.tick()
    messages = [{"operation": f"redemption#{row_id}"}, {"operation": f"notice#{row_id}#store"}]
    world.app.write_airtable().write(messages)
    assert world.row(row_id).get("Outcome") == Outcome.REDEEMED


@pytest.mark.parametrize(
    ("code", "employee"),
    [
        ("2020202020202020202a", "%20" * 40),
        ("1111111111111111111a", "1  " * 40),
        ("1111111111111111111a", "1 - " * 40),
    ],
)
def test_no_name_can_keep_a_worker_busy_for_ever(code: str, employee: str) -> None:
    """Whoever has the form's link could stop every store with one row: this would never end."""
    assert len(hide_codes(employee * 10, known=[code])) > 0


def test_a_debit_is_not_sent_anew_after_a_refused_token_without_looking_at_the_clock() -> None:
    """SENT, 401 after 4.9 s, a new token after 4.9 s more: by now it may be too late to send."""
    with running_world(settling_seconds=30) as world:
        world.shop.add_app("client", "secret")
        secrets = replace(
            world.app.secrets,
            shopify_token=None,
            shopify_client_id="client",
            shopify_client_secret="secret",
        )
        world.app = replace(world.app, secrets=secrets)
        card = world.shop.issue_card(code=CODE, amount=50)
        row_id = world.ask(Gift_Card_Code=CODE)
        world.shop.faults.add(Fault.REFUSE_TOKEN, operation="giftCardDebit")
        world.tick()
        assert sum("DebitCard" in name for name in world.effects.seen) == 1
        assert state_of(world, row_id) is State.CLAIMED
        world.advance(15)
        world.serve()
        assert world.row(row_id)["Outcome"] == Outcome.REDEEMED
        assert world.shop.card(card.id).balance == 40
