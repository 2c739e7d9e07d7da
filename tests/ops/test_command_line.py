"""What the engineer reads, and what the switch does."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from giftcards.errors import AccessRefused, BaseMismatch, ConfigurationError
from giftcards.flows.tick import TickEnd
from giftcards.wiring import now
from ops.command_line import main, park_decide, park_list, pause, resume, show_status
from ops.shopify_access import missing_scopes
from sandbox.shopify import CartLine, Pay
from sandbox.shopify.shop import ALL_SCOPES
from tests.world import SHOP_TOKEN, World, running_world

YES = argparse.Namespace(yes=True)
ASK = argparse.Namespace(yes=False)


def decision(word: str, key: str) -> argparse.Namespace:
    return argparse.Namespace(key=key, decision=word)


@pytest.fixture
def world() -> Iterator[World]:
    """A world that nobody has resumed."""
    with running_world(resumed=False) as world:
        yield world


def test_resume_says_what_it_would_process_and_then_it_is_processed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    first = world.ask(Gift_Card_Code="WXYZ")
    world.advance(60)
    world.ask(Gift_Card_Code="WXYZ")
    assert world.tick() is TickEnd.PAUSED
    assert resume(world.app, YES) == 0
    said = capsys.readouterr().out
    assert "USD" in said
    assert "1 stores" in said
    assert "Would process 2 waiting redemption rows" in said
    assert "oldest filed 2026-11-23T15:00" in said
    world.serve()
    assert world.row(first)["Status"] == "Processed"


@pytest.mark.parametrize(("answer", "code", "end"), [("no", 1, "paused"), ("yes", 0, "ran")])
def test_resume_asks_first(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, end: str
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert resume(world.app, ASK) == code
    assert world.tick() == end


def test_resume_names_all_that_the_base_lacks(world: World) -> None:
    world.base.table("Redemptions").delete_field("Amount")
    world.base.delete_table("Receipts")
    with pytest.raises(BaseMismatch) as caught:
        resume(world.app, YES)
    assert "Amount" in str(caught.value)
    assert "Receipts" in str(caught.value)
    assert world.tick() is TickEnd.PAUSED


def test_resume_names_a_refused_token(world: World) -> None:
    world.shop.revoke_tokens()
    with pytest.raises(AccessRefused, match="Shopify"):
        resume(world.app, YES)


def test_resume_names_the_scopes_that_the_app_lacks(world: World) -> None:
    lacking = {"write_orders", "read_gift_cards", "write_gift_cards", "read_all_orders"}
    world.shop.add_static_token(SHOP_TOKEN, scopes=ALL_SCOPES - lacking)
    with pytest.raises(AccessRefused, match="write_orders") as caught:
        resume(world.app, YES)
    named = "the scopes read_gift_cards, write_gift_cards, read_all_orders, write_orders"
    assert named in str(caught.value)
    assert world.tick() is TickEnd.PAUSED


def test_a_scope_to_write_holds_the_one_to_read_and_not_the_other_way_round() -> None:
    assert missing_scopes(ALL_SCOPES) == ()
    assert missing_scopes(ALL_SCOPES - {"read_gift_cards", "read_orders"}) == ()
    assert missing_scopes(ALL_SCOPES - {"write_gift_cards"}) == ("write_gift_cards",)


def test_resume_says_what_an_app_cannot_see_without_read_all_orders(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.shop.add_static_token(SHOP_TOKEN, scopes=ALL_SCOPES - {"read_all_orders"})
    assert resume(world.app, YES) == 0
    assert "lacks read_all_orders: refunds of orders older than 60 days" in capsys.readouterr().out


@pytest.mark.parametrize("has_a_code", [False, True])
def test_resume_reads_an_order_in_full_and_names_what_shopify_hides(
    world: World,
    has_a_code: bool,  # noqa: FBT001 - a column of the table above
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The order needs none of our cards: what is hidden of one is hidden of all."""
    order = world.shop.orders.place([CartLine("THROW-SAND")], Pay())
    world.advance(60)
    world.shop.shows_customer_data = False
    world.shop.hiding_has_a_code = has_a_code
    with pytest.raises(AccessRefused, match=r"order\.email.*protected customer data"):
        resume(world.app, YES)
    assert world.tick() is TickEnd.PAUSED

    world.shop.shows_customer_data = True
    assert resume(world.app, YES) == 0
    assert f"order {order.name} can be read in full" in capsys.readouterr().out


def test_an_order_that_nobody_understands_keeps_no_shop_from_going_live(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    order = world.shop.orders.place([CartLine("THROW-SAND")], Pay())
    order.lines[0].price = Decimal("8.005")  # no dollars
    world.advance(60)
    assert resume(world.app, YES) == 0
    assert "an order cannot be understood: Shopify's shopMoney" in capsys.readouterr().out


def test_resume_says_that_nobody_knows_where_there_is_no_order_to_read(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.shop.shows_customer_data = False
    assert resume(world.app, YES) == 0
    assert "no order of the last 60 days" in capsys.readouterr().out


def test_resume_reads_no_customers_data_for_a_shop_that_sells_no_cards_on_the_web() -> None:
    with running_world(resumed=False, gift_card_skus=()) as world:
        world.shop.orders.place([CartLine("THROW-SAND")], Pay())
        world.advance(60)
        world.shop.shows_customer_data = False
        assert resume(world.app, YES) == 0


def test_resume_names_stores_that_cannot_be_answered(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.base.table("Stores").create({"Name": "Silent Street"})
    resume(world.app, YES)
    assert "Silent Street" in capsys.readouterr().out


def test_resume_names_what_is_off_for_want_of_a_table(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.base.delete_table("Creation Requests")
    assert resume(world.app, YES) == 0
    told = capsys.readouterr().out
    assert "off: selling cards in stores, because the base has no table Creation Requests" in told
    assert "off: balance checks" not in told
    assert "creation requests" not in told


def test_resume_counts_the_orders_it_would_process(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    orders = world.shop.orders
    tagged = orders.place([CartLine("GIFT-CARD-50")], Pay())
    orders.add_tags(tagged.id, [world.config.processed_tag])
    orders.place([CartLine("GIFT-CARD-50")])  # not paid yet
    orders.place([CartLine("THROW-SAND")], Pay())
    for _ in range(2):
        orders.place([CartLine("GIFT-CARD-25")], Pay())
    orders.place([CartLine("GIFT-CARD-25")], Pay(), at=world.config.live_from - timedelta(days=1))
    world.advance(60)

    assert resume(world.app, YES) == 0
    assert "Would process 2 paid orders of gift cards" in capsys.readouterr().out


def test_resume_says_what_the_calls_come_to_on_the_plan_team(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert resume(world.app, YES) == 0
    said = capsys.readouterr().out
    assert "the plan Team has 100,000 calls a month: used up on day 7" in said

    world.base.delete_table("Creation Requests")
    world.base.delete_table("Balance Checks")
    world.base.table("Redemptions").delete_field("Reverse Amount")
    world.config = replace(world.config, tick_offsets_seconds=(), sale_offsets_seconds=())
    assert resume(world.new_worker(), YES) == 0
    said = capsys.readouterr().out
    assert "the plan Team has 100,000 calls a month" in said
    assert "used up" not in said


def test_resume_refuses_what_no_tick_would_look_for_and_all_else_can_still_be_done(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.config = replace(world.config, reversal_offsets_seconds=(20,))
    app = world.new_worker()
    with pytest.raises(ConfigurationError, match=r"ReversalOffsetsSeconds \(20\) has 20"):
        resume(app, YES)
    assert not app.control.switch().is_running
    assert pause(app, YES) == 0
    show_status(app)
    assert "Paused" in capsys.readouterr().out


def test_resume_names_orders_among_what_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    with running_world(resumed=False, gift_card_skus=()) as world:
        assert resume(world.app, YES) == 0
    said = capsys.readouterr().out
    assert "off: our cards in the web shop, because GiftCardSkus is none" in said
    assert "orders" not in said


def test_resume_does_not_count_without_end(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(1001):
        world.shop.orders.place([CartLine("GIFT-CARD-25")], Pay())
    world.advance(60)
    assert resume(world.app, YES) == 0
    assert "Would process 1000 or more paid orders" in capsys.readouterr().out


def test_pause_holds_new_work_until_it_is_resumed(world: World) -> None:
    resume(world.app, YES)
    assert world.tick() is TickEnd.RAN
    assert pause(world.app, YES) == 0
    assert world.tick() is TickEnd.PAUSED
    resume(world.app, YES)
    assert world.tick() is TickEnd.RAN


def test_status_shows_the_switch_the_prong_and_what_is_unfinished(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    show_status(world.app)
    assert "Paused: never resumed" in capsys.readouterr().out
    resume(world.app, YES)
    world.shop.issue_card(code="wxyz2345abcd6789", amount=50)
    row_id = world.ask(Gift_Card_Code="wxyz2345abcd6789")
    world.effects.kill_on = {"DebitCard": "after"}
    world.tick()
    world.advance(60)
    capsys.readouterr()
    show_status(world.app)
    said = capsys.readouterr().out
    assert "Running since" in said
    assert f"redemption#{row_id}  SENT" in said
    world.come_to_rest()
    show_status(world.app)
    said = capsys.readouterr().out
    assert "store_transactions: well since" in said
    assert "Unfinished operations whose time has come: 0" in said


def test_a_command_without_its_stack_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["resume"])
    assert caught.value.code == 2
    assert "--stack" in capsys.readouterr().err


def park(world: World, row_id: str) -> None:
    """What the prong does to a row that killed six workers."""
    world.app.attempts.begin(row_id)
    world.app.attempts.park(row_id, now=now())


def test_a_parked_row_is_tried_again_when_a_person_says_so(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    resume(world.app, YES)
    row_id = world.ask(Gift_Card_Code="WXYZ")
    park(world, row_id)
    park_list(world.app, YES)
    assert f"row#{row_id}" in capsys.readouterr().out
    assert park_decide(world.app, decision("retry", f"row#{row_id}")) == 0
    park_list(world.app, YES)
    assert "0 operations, 0 rows" in capsys.readouterr().out
    world.serve()
    assert world.row(row_id)["Status"] == "Processed"


def test_a_row_that_is_not_parked_cannot_be_decided(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped key must not become an item of the journal."""
    before = world.items()
    assert park_decide(world.app, decision("retry", "row#recMistyped000000")) == 1
    assert "row#recMistyped000000 is not parked" in capsys.readouterr().err
    assert world.items() == before


def test_a_parked_row_that_was_answered_after_all_is_not_listed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sweep finished what the row's last worker had left behind."""
    resume(world.app, YES)
    world.shop.issue_card(code="wxyz2345abcd6789", amount=50)
    row_id = world.ask(Gift_Card_Code="wxyz2345abcd6789")
    world.effects.kill_on = {"DebitCard": "after"}
    world.tick()
    park(world, row_id)
    park_list(world.app, YES)
    assert f"row#{row_id}" in capsys.readouterr().out
    world.advance(60)
    world.sweep()
    world.drain()
    park_list(world.app, YES)
    assert "0 operations, 0 rows" in capsys.readouterr().out
    assert world.app.attempts.parked(now=now(), limit=10) == []
    assert world.row(row_id)["Outcome"] == "REDEEMED"


def test_resume_names_the_words_that_a_single_select_lacks(world: World) -> None:
    redemptions = world.base.table("Redemptions")
    redemptions.delete_field("Status")
    redemptions.create_field(
        {"name": "Status", "type": "singleSelect", "options": {"choices": [{"name": "Held"}]}}
    )
    with pytest.raises(BaseMismatch, match="“Status” lacks the choices “Processed”"):
        resume(world.app, YES)
    assert world.tick() is TickEnd.PAUSED
