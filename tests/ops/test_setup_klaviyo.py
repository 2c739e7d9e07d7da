"""`ops setup klaviyo` leaves an account that only lacks what people have to build by hand."""

import argparse
from collections.abc import Iterator

import pytest

from giftcards.domain.deliveries import DeliveryKind
from giftcards.errors import AccessRefused, NotSent
from ops.command_line import main, setup_klaviyo
from ops.klaviyo_templates import read_templates
from sandbox.faults import Fault
from tests.klaviyo.samples import delivered
from tests.world import OFFICE, World, running_world

NOTHING = argparse.Namespace()


@pytest.fixture
def world() -> Iterator[World]:
    with running_world(resumed=False) as world:
        yield world


def uploaded(world: World) -> dict[str, str]:
    found = {}
    for mail in read_templates():
        kept = world.klaviyo.templates.named(mail.template.name)
        if kept is not None:
            found[kept.name] = kept.html
    return found


def test_every_template_is_there_and_every_metric_known(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert setup_klaviyo(world.app, NOTHING) == 0
    assert uploaded(world) == {mail.template.name: mail.template.html for mail in read_templates()}
    assert {event.metric for event in world.klaviyo.events} == set(DeliveryKind)
    said = capsys.readouterr().out
    assert "Template  Gift Card Delivered (wedding): created" in said
    assert f"Metric    Gift Card Delivered: Klaviyo knows it, by a test event of {OFFICE}" in said


def test_the_test_events_are_the_offices_marked_and_of_no_real_card(world: World) -> None:
    setup_klaviyo(world.app, NOTHING)
    assert len(world.klaviyo.events) == 2
    for event in world.klaviyo.events:
        assert event.email == OFFICE
        assert event.properties["is_test"] is True
        assert event.properties["shop_name"] == world.shop.name
        for card in event.properties.get("cards", ()):
            assert card["code"] == "TEST TEST TEST TEST"
    assert world.klaviyo.mails == []  # nobody is mailed about a test


def test_a_second_time_changes_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    setup_klaviyo(world.app, NOTHING)
    version = world.klaviyo.version
    capsys.readouterr()
    assert setup_klaviyo(world.app, NOTHING) == 0
    assert world.klaviyo.version == version
    said = capsys.readouterr().out
    assert said.count(": unchanged") == len(read_templates())
    assert ": created" not in said
    assert "anew" not in said


def test_a_template_somebody_changed_is_put_right(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    setup_klaviyo(world.app, NOTHING)
    name = "Gift Card Delivered (holiday)"
    kept = world.klaviyo.templates.named(name)
    assert kept is not None
    change = {"type": "template", "id": kept.id, "attributes": {"html": "<p>oops</p>"}}
    world.klaviyo.update_template(kept.id, change)
    capsys.readouterr()
    setup_klaviyo(world.app, NOTHING)
    said = capsys.readouterr().out
    assert f"Template  {name}: updated in the library" in said
    assert said.count("choose it anew in the flow's mail") == 1
    assert "approval again" in said.partition("Changed above")[2]
    assert name in said.partition("Changed above")[2]
    assert said.count(": unchanged") == len(read_templates()) - 1
    assert "oops" not in uploaded(world)[name]


def test_what_only_people_can_do_is_listed_with_every_subject(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    setup_klaviyo(world.app, NOTHING)
    said = capsys.readouterr().out
    for words in (
        "paid account",
        "transactional",
        "Smart Sending off",
        "trigger",
        "Live",
        "theme equals wedding",
        "“Dropped Email”",
    ):
        assert words in said
    for mail in read_templates():
        assert f"“{mail.template.name}”" in said
        assert mail.subject in said
    assert "|escape" not in said  # a subject is no HTML


def test_after_it_a_delivery_is_mailed_in_its_theme(world: World) -> None:
    setup_klaviyo(world.app, NOTHING)
    world.app.klaviyo.send_event(delivered(theme="Wedding"))
    world.app.klaviyo.send_event(delivered(theme="Moon landing", resend=1))
    wedding, other = world.klaviyo.mails
    assert wedding.to == "mia@example.com"
    assert wedding.subject == "With all good wishes for your wedding: $50.00 for Lantern & Loom"
    assert "WXYZ 2345 BCDF 6789 HJKM" in wedding.text
    assert other.subject == "Rosa sent you $50.00 for Lantern & Loom"


def test_cut_off_halfway_it_completes_the_next_time(world: World) -> None:
    world.klaviyo.faults.add(Fault.THROTTLE, operation="create template")
    with pytest.raises(NotSent):
        setup_klaviyo(world.app, NOTHING)
    assert setup_klaviyo(world.app, NOTHING) == 0
    assert len(uploaded(world)) == len(read_templates())


def test_cut_off_halfway_it_still_says_which_mails_are_old_now(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next time the template reads as it should, and nobody would hear of the flow's copy."""
    setup_klaviyo(world.app, NOTHING)
    changes = {
        "Gift Card Delivered (birthday)": {"html": "<p>oops</p>"},
        "Gift Card Delivered (holiday)": {"name": "mislaid"},
    }
    for name, attributes in changes.items():
        kept = world.klaviyo.templates.named(name)
        assert kept is not None
        change = {"type": "template", "id": kept.id, "attributes": attributes}
        world.klaviyo.update_template(kept.id, change)
    world.klaviyo.faults.add(Fault.THROTTLE, operation="create template")
    capsys.readouterr()
    with pytest.raises(NotSent):
        setup_klaviyo(world.app, NOTHING)
    assert "choose it anew in the flow's mail" in capsys.readouterr().out


def test_a_refused_key_is_named(world: World) -> None:
    world.klaviyo.key = "pk_another"
    with pytest.raises(AccessRefused, match="klaviyo-key"):
        setup_klaviyo(world.app, NOTHING)


def test_the_command_needs_its_stack(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["setup", "klaviyo"])
    assert caught.value.code == 2
    assert "--stack" in capsys.readouterr().err
