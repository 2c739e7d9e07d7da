"""What the store read, and when: each accident is lived through on a clock that obeys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from giftcards.wiring import now
from sandbox.faults import Fault
from tests.documents.day import Day
from tests.world import MAIL_FROM, World, running_world

CODE = "wxyz2345abcd6789"
HOUR = 3600

# The form comes a second after a tick: nobody waits longer for the next one.
AFTER_A_TICK = 1

# How long a caller waits for a reply that never comes (`HttpTimeoutSeconds`).
HTTP_TIMEOUT = 5


@dataclass
class Shop:
    """One card of 50.00, one form for 10.00, and the day it is filed on."""

    world: World
    day: Day
    card_id: str
    row_id: str = ""
    filed_at: datetime = field(default_factory=now)

    def file(self) -> None:
        """The clerk sends the form, a second after a tick."""
        self.filed_at = now()
        self.row_id = self.world.ask(Gift_Card_Code=CODE)

    def lose_replies(self) -> None:
        """The debit's reply does not come: the worker waits until its time-out is over."""
        waiting = False

        def accident(name: str) -> None:
            nonlocal waiting
            if waiting:
                waiting = False
                self.world.advance(HTTP_TIMEOUT)
            waiting = "DebitCard" in name

        self.day.accident = accident


@dataclass(frozen=True, slots=True)
class Accident:
    """What happens, told to people, and the story that makes it happen."""

    what: str
    story: Callable[[Shop], None]


@dataclass(frozen=True, slots=True)
class Experience:
    """What came of it: mails with their seconds since the form, the debits, the row."""

    mails: Sequence[tuple[float, str, str]]
    debits: int
    outcome: str


def live_through(accident: Accident) -> Experience:
    """Live through an accident in a world of its own."""
    with running_world() as world:
        day = Day(world)
        day.pass_by(60)
        card = world.shop.issue_card(code=CODE, amount=50)
        day.pass_by(AFTER_A_TICK)
        shop = Shop(world=world, day=day, card_id=card.id)
        shop.file()
        accident.story(shop)
        row = world.row(shop.row_id)
        return Experience(
            mails=[
                ((mail.at - shop.filed_at).total_seconds(), mail.to, mail.subject)
                for mail in day.read
            ],
            debits=len(world.shop.card(card.id).transactions),
            outcome=str(row.get("Outcome", "")),
        )


# ------------------------------------------------------------------------------------ the stories


def _nothing(shop: Shop) -> None:
    shop.day.pass_by(60)


def _lost_reply(applied_after: float) -> Callable[[Shop], None]:
    def story(shop: Shop) -> None:
        shop.world.shop.faults.add(
            Fault.APPLY_LATE, operation="giftCardDebit", seconds=applied_after
        )
        shop.lose_replies()
        shop.day.pass_by(600)

    return story


def _never_applied(shop: Shop) -> None:
    shop.world.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardDebit")
    shop.day.pass_by(600)


def _dies(call: str, when: Any) -> Callable[[Shop], None]:
    def story(shop: Shop) -> None:
        shop.world.effects.kill_on = {call: when}
        shop.day.pass_by(600)

    return story


def _freezes(call: str, seconds: int) -> Callable[[Shop], None]:
    """A worker stands still before one of its calls; the others go on; then it goes on as well."""

    def story(shop: Shop) -> None:
        def accident(name: str) -> None:
            if call in name:
                shop.day.accident = None
                frozen = shop.world.app
                shop.world.new_worker()
                shop.day.pass_by(seconds)
                shop.world.app = frozen

        shop.day.accident = accident
        shop.day.pass_by(600)

    return story


def _shopify_is_away(seconds: int) -> Callable[[Shop], None]:
    def story(shop: Shop) -> None:
        shop.world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
        shop.day.pass_by(seconds)
        shop.world.shop.faults.clear()
        shop.day.pass_by(300)

    return story


def _shopify_goes_away_with_the_debit(shop: Shop) -> None:
    shop.lose_replies()
    shop.world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    shop.day.pass_by(20)
    shop.world.shop.faults.add(Fault.REFUSE_CONNECTION, times=None)
    shop.day.pass_by(HOUR)
    shop.world.shop.faults.clear()
    shop.day.pass_by(300)


def _airtable_is_away(shop: Shop) -> None:
    shop.world.base.is_down = True
    shop.day.pass_by(HOUR)
    shop.world.base.is_down = False
    shop.day.pass_by(300)


def _airtable_goes_away_after_the_debit(shop: Shop) -> None:
    def accident(name: str) -> None:
        shop.world.base.is_down = shop.world.base.is_down or "DebitCard" in name

    shop.day.accident = accident
    shop.day.pass_by(HOUR)
    shop.day.accident = None
    shop.world.base.is_down = False
    shop.day.pass_by(300)


def _ses_refuses(seconds: int) -> Callable[[Shop], None]:
    def story(shop: Shop) -> None:
        ses = shop.world.ses
        ses.delete_email_identity(EmailIdentity=MAIL_FROM)
        shop.day.pass_by(seconds)
        ses.create_email_identity(EmailIdentity=MAIL_FROM)
        shop.day.pass_by(900)

    return story


def _ses_refuses_while_nobody_knows(shop: Shop) -> None:
    shop.world.shop.faults.add(Fault.APPLY_LATE, operation="giftCardDebit", seconds=20)
    shop.lose_replies()
    _ses_refuses(600)(shop)


def _held_and_approved(shop: Shop) -> None:
    _shopify_is_away(1000)(shop)
    shop.world.base.table("Redemptions").update(shop.row_id, {"Approved": True})
    shop.day.pass_by(120)


ACCIDENTS = (
    Accident("Nothing: a healthy day", _nothing),
    Accident(
        "The worker dies just before it sends the debit; it was never sent",
        _dies("DebitCard", "before"),
    ),
    Accident("The worker dies just after Shopify has debited", _dies("DebitCard", "after")),
    Accident("The worker that mails the answer dies first", _dies("SendEmail", "before")),
    Accident(
        "The worker freezes for 40 s before it marks SENT, past its lease of 30 s, then goes on",
        _freezes("Transact", 40),
    ),
    Accident(
        "The worker freezes for 40 s between SENT and the debit, then sends it",
        _freezes("DebitCard", 40),
    ),
    Accident("The debit's reply is lost; Shopify applies it 1 s later", _lost_reply(1)),
    Accident("The debit's reply is lost; Shopify applies it 20 s later", _lost_reply(20)),
    Accident(
        "The debit's reply is lost; Shopify applies it 200 s later, beyond the settling time",
        _lost_reply(200),
    ),
    Accident("Shopify fails on the debit and never applies it", _never_applied),
    Accident("Shopify is down for an hour, from before the form", _shopify_is_away(HOUR)),
    Accident(
        "Shopify is down for an hour, from the debit on, whose reply is lost",
        _shopify_goes_away_with_the_debit,
    ),
    Accident("Airtable is down for an hour, from before anybody saw the row", _airtable_is_away),
    Accident(
        "Airtable is down for an hour, from the debit on", _airtable_goes_away_after_the_debit
    ),
    Accident("SES refuses for ten minutes", _ses_refuses(600)),
    Accident(
        "SES refuses for ten minutes, and the debit's reply is lost",
        _ses_refuses_while_nobody_knows,
    ),
    Accident(
        "Shopify is down for longer than the patience of 900 s; then the office approves",
        _held_and_approved,
    ),
)
