"""One story for each answer a store can get, and the mail that the real code wrote in it.

Times are fixed: the form is filed at ten in New York, on 23 November 2026.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, cast

from boto3.session import Session

from giftcards.domain.outcomes import Outcome
from giftcards.wiring import now
from sandbox.faults import Fault
from tests.world import World, running_world

CODE = "wxyz2345abcd6789"
UNKNOWN = "qqqq2345qqqq7777"

# The ticks of the stories look for redemptions only, as most ticks do.
REDEMPTIONS_ONLY: Final[dict[str, Any]] = {
    "sale_offsets_seconds": (30,),
    "check_offsets_seconds": (30,),
    "reversal_offsets_seconds": (30,),
}

# Names of the two mails that are no outcome.
PLEASE_WAIT = "Please wait"
NOTICE = "The office's notice"


class Post:
    """Stands between a worker and SES and keeps a copy of each mail, text and HTML."""

    def __init__(self, aws: Any) -> None:
        self._aws = aws
        self.mails: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._aws, name)

    def client(self, service: str, **options: Any) -> Any:
        client = self._aws.client(service, **options)
        return _Counter(client, self.mails) if service == "sesv2" else client


class _Counter:
    """The counter at which mails are handed in."""

    def __init__(self, ses: Any, mails: list[dict[str, Any]]) -> None:
        self._ses = ses
        self._mails = mails

    def send_email(self, **mail: Any) -> Any:
        reply = self._ses.send_email(**mail)
        self._mails.append(mail)
        return reply


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as SES took it."""

    to: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Example:
    """When this mail is written, what the store does next, and the story in which it is written."""

    when: str
    then: str
    story: Callable[[World], object]
    settings: Mapping[str, Any] | None = None

    def letter(self) -> Letter:
        """Live through the story; the last mail is the example."""
        settings = REDEMPTIONS_ONLY | dict(self.settings or {})
        with running_world(**settings) as world:
            post = Post(world.app.aws)
            world.app = replace(world.app, aws=cast("Session", post))
            self.story(world)
            mail = post.mails[-1]
        (to,) = mail["Destination"]["ToAddresses"]
        content = mail["Content"]["Simple"]
        return Letter(
            to=to,
            subject=content["Subject"]["Data"],
            text=content["Body"]["Text"]["Data"],
            html=content["Body"]["Html"]["Data"],
        )


def _serve(world: World, **cells: object) -> str:
    """File a form and serve it at the next tick."""
    filed = world.ask(**({"Gift_Card_Code": CODE, "Amount": 12.5} | cells))
    world.advance(8)
    world.serve()
    return filed


def _card(world: World, **facts: Any) -> str:
    known: dict[str, Any] = {"code": CODE, "amount": 50} | facts
    return world.shop.issue_card(**known).id


def _redeemed(world: World) -> None:
    _card(world)
    _serve(world)


def _bad_code(world: World) -> None:
    _serve(world, Gift_Card_Code="WXYZ 23")


def _bad_amount(world: World) -> None:
    _card(world)
    _serve(world, Amount=-5)


def _unknown_code(world: World) -> None:
    _card(world)
    _serve(world, Gift_Card_Code=UNKNOWN)


def _too_little(world: World) -> None:
    _card(world, amount=8)
    _serve(world)


def _expired(world: World) -> None:
    _card(world, expires_on=world.shop.today() - timedelta(days=1))
    _serve(world)


def _disabled(world: World) -> None:
    world.shop.deactivate(_card(world))
    _serve(world)


def _historical(world: World) -> None:
    _card(world, at=now() - timedelta(days=3))
    _serve(world)


def _filed_twice(world: World) -> None:
    _card(world)
    _serve(world)
    world.advance(60)
    _serve(world)


def _never_applied(world: World) -> None:
    _card(world)
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardDebit")
    _serve(world)
    world.advance(135)
    world.serve()


def _waited_too_long(world: World) -> None:
    _card(world)
    world.ask(Gift_Card_Code=CODE, Amount=12.5)
    world.advance(world.config.patience_seconds + 8)
    world.serve()


def _reply_lost(world: World) -> None:
    _card(world)
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    _serve(world)


def _no_store(world: World) -> None:
    _card(world)
    _serve(world, Store=None)


EXAMPLES: Final[Mapping[Outcome, Example]] = {
    Outcome.REDEEMED: Example(
        "Shopify answered that it debited the card, or we found our debit there afterwards.",
        "It hands over the goods. The receipt says `Done`, the card's row shows the new balance.",
        _redeemed,
    ),
    Outcome.CODE_FORMAT_INCORRECT: Example(
        "What was typed has not 8 to 20 letters and digits. No vendor was asked.",
        "It types the code again, in a new form.",
        _bad_code,
    ),
    Outcome.AMOUNT_INVALID: Example(
        "The amount is missing, no number, not above zero, or finer than the currency.",
        "It files a new form with a plain number.",
        _bad_amount,
    ),
    Outcome.CODE_NOT_FOUND: Example(
        "Neither our index nor Shopify's search knows the code or exactly one look-alike of it. If"
        " a card sold in the last ten minutes ends alike, we look again for a minute first.",
        "It compares code and card, and files a new form.",
        _unknown_code,
    ),
    Outcome.INSUFFICIENT_BALANCE: Example(
        "The card holds less than the amount: when we read it, or when Shopify refused the debit.",
        "It files a form with what is on the card, and takes the rest another way.",
        _too_little,
    ),
    Outcome.CARD_EXPIRED: Example(
        "The card's last day, in the shop's time zone, is over.",
        "It takes the payment another way.",
        _expired,
    ),
    Outcome.CARD_DISABLED: Example(
        "The card was deactivated at Shopify, which cannot be undone.",
        "It takes the payment another way.",
        _disabled,
    ),
    Outcome.CARD_ONLINE_ONLY: Example(
        "The card was made before `LiveFrom`, and `AcceptHistorical` is off.",
        "It takes the payment another way; the card stays good in the web shop.",
        _historical,
    ),
    Outcome.POSSIBLE_DUPLICATE: Example(
        "The same store filed the same amount for the same card within `DuplicateSeconds`, and"
        " that form was charged, or may have been. Judged under the card's lock.",
        "Nothing if it is the same sale. Otherwise it files a third time or ticks `Confirm"
        " Duplicate`, or the office ticks `Approved`.",
        _filed_twice,
    ),
    Outcome.NOT_CHARGED: Example(
        "A debit was sent, nobody answered, and Shopify did not show it within `SettlingSeconds`;"
        " or Shopify refused it for a reason that the card's facts don't explain; or a person"
        " decided so.",
        "It files a new form, or takes the payment another way. This one is never charged later.",
        _never_applied,
    ),
    Outcome.HELD: Example(
        "The row waited longer than `PatienceSeconds` and was never sent, or its store had more"
        " than `MostMisses` unknown codes within `MissesSeconds`. Not final: nothing was charged.",
        "It asks the office, whose `Approved` releases the row; then another mail follows.",
        _waited_too_long,
    ),
}

OTHER_MAILS: Final[Mapping[str, Example]] = {
    PLEASE_WAIT: Example(
        "Nobody knows the answer yet: Shopify is away, a reply was lost, or the row has to wait"
        " for another look. Sent once for a row, and dropped where a later word exists.",
        "It waits; the answer follows by itself.",
        _reply_lost,
    ),
    NOTICE: Example(
        "A row names no store that `Stores` knows with one mail address. Nobody could be answered,"
        " so no card is charged. The office is told once.",
        "The office chooses a store or completes `Stores`; the row is then served by itself.",
        _no_store,
    ),
}
