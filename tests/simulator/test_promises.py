"""Each promise can be broken: where the application did not keep it, the simulator would say so."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from giftcards.clients.mail import Mailer
from giftcards.domain.outcomes import Outcome
from giftcards.flows import serve_checks
from giftcards.mails import Mail
from giftcards.metrics import Metric
from giftcards.store.leases import Lease, Leases
from giftcards.store.table import Table
from sandbox.airtable.fields import Json
from simulator.faults import MINUTE, SECOND, Kind, Planned
from simulator.history import Spec, tell
from simulator.mails import ANSWERS
from simulator.stories import redeeming
from simulator.worker import CountedMetrics
from simulator.world import World
from tests.aws_in_memory.errors import refusal
from tests.template_resources import BUCKET_NAME, TABLE_NAME

NOT_CHARGED = "NOT charged. Please take cash."


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def mails_read(monkeypatch: pytest.MonkeyPatch, change: Callable[[Mail], Mail]) -> None:
    """From now on each mail that is sent reads otherwise than it was composed."""
    send = Mailer.send

    def sent(mailer: Mailer, mail: Mail, *, operation: str) -> str:
        return send(mailer, change(mail), operation=operation)

    monkeypatch.setattr(Mailer, "send", sent)


def everywhere(old: str, new: str) -> Callable[[Mail], Mail]:
    def change(mail: Mail) -> Mail:
        subject, text, html = (
            part.replace(old, new) for part in (mail.subject, mail.text, mail.html)
        )
        return replace(mail, subject=subject, text=text, html=html)

    return change


@pytest.mark.parametrize(
    "story",
    [
        "redeem",
        "redeem-too-much",
        "redeem-no-code",
        "redeem-held",
        "redeem-unheard",
        "sell",
        "sell-held",
        "sell-for-tomorrow",
        "undo",
        "check",
        "check-nobodys",
        "buy-risky",
    ],
)
def test_a_mail_that_says_something_else_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch, story: str
) -> None:
    mails_read(
        monkeypatch,
        lambda mail: replace(
            mail, subject="Not charged", text=f"Not charged\n\n{NOT_CHARGED}", html=NOT_CHARGED
        ),
    )
    assert "ONE_ANSWER" in tell(world, Spec(story)).broken


@pytest.mark.parametrize(
    ("story", "change"),
    [
        ("redeem", lambda mail: replace(mail, html=NOT_CHARGED)),
        ("redeem", lambda mail: replace(mail, text=f"{mail.subject}\n\n{NOT_CHARGED}")),
        ("redeem", lambda mail: replace(mail, text=mail.text + NOT_CHARGED)),
        ("redeem", lambda mail: replace(mail, html=mail.html + NOT_CHARGED)),
        ("redeem", lambda mail: replace(mail, subject="Paid: 10.00 USD")),
        ("redeem", everywhere("10.00 USD", "1.00 USD")),
        ("redeem", everywhere("40.00 USD", "50.00 USD")),
        ("redeem", everywhere("6789", "6788")),
        ("redeem-too-much", everywhere("50.00 USD", "60.00 USD")),
        ("redeem-too-much", lambda mail: replace(mail, html=mail.html + "The customer has paid.")),
        ("redeem-unheard", everywhere("We cannot tell yet whether", "By now")),
        ("frozen", everywhere("out of use", "deactivated")),
        ("sell-gift", everywhere("2 × 25.00", "2 × 20.00")),
        ("sell-held", everywhere("No card was made so far.", "The card was made.")),
        ("sell-for-tomorrow", everywhere("Cards: 1", "Cards: 2")),
        ("undo", everywhere("10.00 USD", "1.00 USD")),
        ("check", everywhere("50.00 USD", "40.00 USD")),
        ("check-nobodys", lambda mail: replace(mail, text=mail.text + "On the card: 5.00 USD")),
        ("buy-risky", everywhere("no card was made", "all is well")),
    ],
)
def test_a_mail_that_is_wrong_in_one_place_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch, story: str, change: Callable[[Mail], Mail]
) -> None:
    assert tell(world, Spec(story)).violations == ()
    mails_read(monkeypatch, change)
    assert "ONE_ANSWER" in tell(world, Spec(story)).broken


def test_a_mail_about_nothing_that_was_decided_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Mailer.send

    def sent(mailer: Mailer, mail: Mail, *, operation: str) -> str:
        send(mailer, mail, operation=f"{operation}#2")
        return send(mailer, mail, operation=operation)

    monkeypatch.setattr(Mailer, "send", sent)
    assert "ONE_ANSWER" in tell(world, Spec("redeem")).broken


def test_there_are_words_for_every_answer_to_a_redemption() -> None:
    assert ANSWERS.keys() == set(Outcome)


DEBIT = "prong: shopify debit_card"
DEATHS = tuple(
    Planned("prong: attempts.begin", nth, Kind.CRASH_AFTER)
    for nth in range(serve_checks.DEATHS_TO_BE_PARKED)
)
# A history in which something rings, by what does.
RINGS = {
    Metric.PARKED: Spec("charged-twice"),
    Metric.MESSAGE_FAILED: Spec(
        "redeem", planned=(Planned("answer: mail.send", 0, Kind.TOKEN_REFUSED),)
    ),
    Metric.MAIL_WAITED: Spec(
        "redeem", planned=(Planned("answer: mail.send", 0, Kind.VENDOR_DOWN),)
    ),
    Metric.UNEXPLAINED_MONEY: Spec(
        "redeem", planned=(Planned(DEBIT, 0, Kind.APPLIED_TOO_LATE),), late=True
    ),
}
# Mail that waits for an hour, each by another way.
WAITING = {
    "an answer": RINGS[Metric.MAIL_WAITED],
    "a balance": Spec("check", planned=(Planned("deliver: mail.send", 0, Kind.VENDOR_DOWN),)),
    "a card": Spec("sell", planned=(Planned("deliver: klaviyo send_event", 0, Kind.VENDOR_DOWN),)),
}
# What is parked, each by another flow.
PARKED = {
    "an operation": RINGS[Metric.PARKED],
    "an order": Spec("buy-risky"),
    "a row": Spec("check", planned=DEATHS),
}


def silence(monkeypatch: pytest.MonkeyPatch, silent: Metric) -> None:
    """From now on this one of the alarms is never rung."""
    count = CountedMetrics.count

    def counted(metrics: CountedMetrics, metric: Metric) -> None:
        if metric is not silent:
            count(metrics, metric)

    monkeypatch.setattr(CountedMetrics, "count", counted)


@pytest.mark.parametrize("metric", RINGS)
def test_what_fails_without_an_alarm_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch, metric: Metric
) -> None:
    assert tell(world, RINGS[metric]).violations == ()
    assert world.counted[metric] >= 1
    silence(monkeypatch, metric)
    assert tell(world, RINGS[metric]).broken == {"NOTHING_LOST"}


@pytest.mark.parametrize("what", PARKED)
def test_what_is_parked_without_an_alarm_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    assert tell(world, PARKED[what]).violations == ()
    silence(monkeypatch, Metric.PARKED)
    assert tell(world, PARKED[what]).broken == {"NOTHING_LOST"}


@pytest.mark.parametrize("what", WAITING)
def test_mail_that_waits_in_silence_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    assert tell(world, WAITING[what]).violations == ()
    assert world.counted[Metric.MAIL_WAITED] >= 1
    silence(monkeypatch, Metric.MAIL_WAITED)
    assert tell(world, WAITING[what]).broken == {"NOTHING_LOST"}


@pytest.mark.parametrize("metric", RINGS)
def test_an_alarm_for_nothing_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch, metric: Metric
) -> None:
    send = Mailer.send

    def sent(mailer: Mailer, mail: Mail, *, operation: str) -> str:
        world.counted[metric] = world.counted.get(metric, 0) + 1
        return send(mailer, mail, operation=operation)

    monkeypatch.setattr(Mailer, "send", sent)
    assert tell(world, Spec("redeem")).broken == {"NOTHING_LOST"}


def test_a_function_that_fails_on_a_healthy_day_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def query(*_: object, **__: object) -> None:
        raise refusal("Query", "AccessDeniedException", "not authorized", status=403)

    monkeypatch.setattr(world.dynamodb, "query", query)
    told = tell(world, Spec("sell-for-tomorrow")).violations
    assert [words for name, words in told if name == "NOTHING_LOST" and "ended with" in words]


@pytest.mark.parametrize("kind", [Kind.CRASH_AFTER, Kind.REPLY_LOST])
@pytest.mark.parametrize(
    ("story", "before", "park"),
    [
        ("charged-twice", (), "spends: journal.park"),
        ("check", DEATHS, "prong: attempts.park"),
    ],
)
def test_whoever_dies_when_he_has_parked_something_has_rung(
    world: World, kind: Kind, story: str, before: tuple[Planned, ...], park: str
) -> None:
    told = tell(world, Spec(story, planned=(*before, Planned(park, 0, kind))))
    assert told.met[-1] == Planned(park, 0, kind)
    assert told.violations == ()
    assert len(world.dynamodb.parked) == 1


@pytest.mark.parametrize("late", [40 * SECOND, 2 * MINUTE, 17 * MINUTE])
@pytest.mark.parametrize("story", ["redeem", "redeem-too-much", "sell-and-redeem", "redeem-twice"])
def test_a_store_that_waits_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch, story: str, late: int
) -> None:
    monkeypatch.setattr("simulator.world.FIRST_MINUTE", late)
    assert tell(world, Spec(story)).broken == {"FIRST_COME"}


@pytest.mark.parametrize(
    ("planned", "broken"),
    [
        (Planned("write: airtable create Receipts", 0, Kind.CRASH_BEFORE), {"FIRST_COME"}),
        (Planned("write: records.known (read)", 0, Kind.PAUSED), {"FIRST_COME"}),
        (Planned(DEBIT, 0, Kind.WEB_SPENDS), {"FIRST_COME"}),
        (Planned(DEBIT, 0, Kind.REFUSED), set()),
        (Planned("answer: mail.send", 0, Kind.CRASH_BEFORE), set()),
        (Planned("write: airtable create Receipts", 0, Kind.VENDOR_AWAY), set()),
        (Planned("write: airtable create Receipts", 0, Kind.ROW_DELETED), set()),
    ],
)
def test_only_what_befalls_those_who_serve_it_may_hold_up_a_store(
    world: World, monkeypatch: pytest.MonkeyPatch, planned: Planned, broken: set[str]
) -> None:
    assert tell(world, Spec("redeem", planned=(planned,))).violations == ()
    monkeypatch.setattr("simulator.world.FIRST_MINUTE", 2 * MINUTE)
    told = tell(world, Spec("redeem", planned=(planned,)))
    assert told.met == (planned,)
    assert told.broken == broken


def test_a_wait_that_is_not_noted_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CountedMetrics, "note_seconds", lambda *_: None)
    assert tell(world, Spec("redeem")).broken == {"FIRST_COME"}


SPELLINGS = [
    redeeming.CODE,
    "WXYZ2345ABCD-6789",
    "WXYZ 2345 ABCD 6789",
    "Wxyz.2345.Abcd.6789",
    "wxyz2345\nabcd6789",
]


def plant_in_a_cell(world: World, code: str) -> None:
    table = world.base.table("Redemptions")
    table.update(world.filed[-1], {"Employee": f"Ana ({code})"})


def plant_in_our_table(world: World, code: str) -> None:
    table = world.base.table("Receipts")
    table.update(table.records()[0]["id"], {"Details": code})


def plant_in_an_item(world: World, code: str) -> None:
    world.dynamodb.put_item(TableName=TABLE_NAME, Item={"key": "a place", "details": [code]})


def plant_in_a_message(world: World, code: str) -> None:
    world.sqs.bodies.append(json.dumps({"code": code}))


def plant_in_the_text_of_a_mail(world: World, code: str) -> None:
    sent = world.ses._sent  # noqa: SLF001 - a mail that was sent stays as it is
    sent[0] = replace(sent[0], text=f"{sent[0].text}{code}")


def plant_in_the_html_of_a_mail(world: World, code: str) -> None:
    sent = world.ses._sent  # noqa: SLF001 - as above
    sent[0] = replace(sent[0], body=f"{sent[0].body}{code}")


def plant_in_the_bucket(world: World, code: str) -> None:
    world.s3.put_object(
        Bucket=BUCKET_NAME,
        Key="archive/a row",
        Body=json.dumps([code]).encode(),
        ContentType="application/json",
        ChecksumAlgorithm="SHA256",
    )


def plant_in_a_line_of_what_went_well(world: World, code: str) -> None:
    world.log.info("run finished", extra={"rows": [code]})


def plant_in_a_warning(world: World, code: str) -> None:
    message = f"the card {code} is put off"
    world.log.warning(message)


def plant_behind_an_error_that_is_logged(world: World, code: str) -> None:
    error = ValueError("no such card")
    error.__cause__ = KeyError(code)
    try:
        raise error
    except ValueError:
        world.log.exception("a look failed")


def plant_in_an_error_that_leaves_a_function(world: World, code: str) -> None:
    world.alarms.append(ValueError(code))


@pytest.mark.parametrize("code", SPELLINGS)
@pytest.mark.parametrize(
    "plant",
    [
        plant_in_a_cell,
        plant_in_our_table,
        plant_in_an_item,
        plant_in_a_message,
        plant_in_the_text_of_a_mail,
        plant_in_the_html_of_a_mail,
        plant_in_the_bucket,
        plant_in_a_line_of_what_went_well,
        plant_in_a_warning,
        plant_behind_an_error_that_is_logged,
        plant_in_an_error_that_leaves_a_function,
    ],
)
def test_a_code_anywhere_in_any_spelling_breaks_a_promise(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    plant: Callable[[World, str], None],
    code: str,
) -> None:
    look = World.look

    def plant_first(its: World) -> None:
        plant(its, code)
        look(its)

    monkeypatch.setattr(World, "look", plant_first)
    assert "NO_CODE" in tell(world, Spec("redeem")).broken


def test_a_row_that_waits_may_hold_what_was_typed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = World.look

    def file_first(its: World) -> None:
        redeeming.file(its)
        look(its)

    monkeypatch.setattr(World, "look", file_first)
    assert "NO_CODE" not in tell(world, Spec("redeem")).broken


def airtable_shows(monkeypatch: pytest.MonkeyPatch, table: str, wrong: Mapping[str, Json]) -> None:
    """When the promises are looked at, each row of this table reads otherwise in these fields."""
    look = World.look

    def write_over_first(its: World) -> None:
        rows = its.base.table(table)
        for row in rows.records():
            rows.update(row["id"], wrong, typecast=True)
        look(its)

    monkeypatch.setattr(World, "look", write_over_first)


@pytest.mark.parametrize("story", ["redeem", "sell", "undo", "spend"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"Amount": 999},
        {"Balance After": 0.01},
        {"Action": "Sell"},
        {"Actor": "nobody"},
        {"Gift Card": "•••• 6788"},
        {"Outcome": "Failed"},
        {"Operation": "redemption#another"},
        {"Details": "all is well"},
    ],
    ids=lambda wrong: str(*wrong),
)
def test_a_receipt_that_reads_otherwise_in_airtable_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch, story: str, wrong: dict[str, Json]
) -> None:
    airtable_shows(monkeypatch, "Receipts", wrong)
    assert "ONE_RECEIPT" in tell(world, Spec(story)).broken


@pytest.mark.parametrize(
    "wrong",
    [
        {"Balance After": 0.01},
        {"Gift Card": []},
    ],
    ids=["what is left", "which card"],
)
def test_a_row_that_says_otherwise_of_its_card_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Json]
) -> None:
    airtable_shows(monkeypatch, "Redemptions", wrong)
    assert "ONE_ANSWER" in tell(world, Spec("redeem")).broken


def test_a_lease_whose_fence_does_not_grow_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Table.update

    def without_growing(table: Table, key: str, change: str, **more: Any) -> Any:
        if more.get("values", {}).get("one") == 1 and "lease_fence" in change:
            change = change.replace("ADD #lease_fence :one", "")
            change = change.replace("SET ", "SET #lease_fence = :one, ")
        return update(table, key, change, **more)

    monkeypatch.setattr(Table, "update", without_growing)
    assert "LEASE_FREES" in tell(world, Spec("redeem-two-stores")).broken


def test_a_lease_that_lasts_too_long_breaks_a_promise(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Leases, "release", lambda *_: None)
    acquire = Leases.acquire

    def for_hours(leases: Leases, key: str, *, now: datetime) -> Lease | None:
        return acquire(leases, key, now=now + timedelta(hours=12))

    monkeypatch.setattr(Leases, "acquire", for_hours)
    assert "LEASE_FREES" in tell(world, Spec("redeem")).broken
