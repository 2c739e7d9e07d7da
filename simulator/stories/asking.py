"""What customers ask on the website, and what the office has sent to them once more."""

from collections import Counter
from collections.abc import Iterator, Mapping
from random import Random
from typing import TYPE_CHECKING

from giftcards.clients.mail import tag_of
from giftcards.domain.deliveries import DeliveryKind
from giftcards.flows.check_balance import CheckOutcome, check_key
from giftcards.flows.sale import DELIVERED, RESEND
from simulator.faults import MINUTE, Kind
from simulator.stories import redeeming, selling
from simulator.stories.redeeming import CODE, UNKNOWN
from simulator.stories.selling import ROSA, TOM
from simulator.stories.story import Act, Promise, Settle, Story

if TYPE_CHECKING:
    from simulator.world import World

# The first mail has gone out by then.
SENT_AGAIN = 3 * MINUTE


def ask(world: "World", code: str = CODE, email: str = ROSA) -> None:
    """A customer asks for the balance of a card."""
    row = {"Gift Card Code": code, "Email": email}
    world.asked[world.base.submit_form("Balance Checks", row)["id"]] = email


def send_again(world: "World", to: str = TOM) -> None:
    """The office has the first card sent once more, to a better address, if it stands there yet."""
    table = world.base.table("Gift Cards")
    for record in table.records()[:1]:
        table.update(record["id"], {"Resend": True, "Resend To": to})
        world.sent_again[record["fields"]["Shopify ID"]] = to


ACCIDENTS: dict[Kind, Act] = {
    Kind.OTHER_STORE: redeeming.ACCIDENTS[Kind.OTHER_STORE],
    Kind.WEB_SPENDS: redeeming.ACCIDENTS[Kind.WEB_SPENDS],
}

# ------------------------------------------------------------------------------------ the stories


def a_balance(world: "World", chance: Random) -> None:
    """Rosa asks what is left on her card."""
    del chance
    redeeming.issue(world)
    ask(world)


def nobodys_balance(world: "World", chance: Random) -> None:
    """Somebody asks for the balance of a code that no card has."""
    del chance
    redeeming.issue(world)
    ask(world, UNKNOWN)


def sent_again(world: "World", chance: Random) -> None:
    """A card was sent to an address that its owner has left; the office sends it to another."""
    del chance
    selling.sell(world)
    world.arrange(SENT_AGAIN, lambda: send_again(world))


STORIES: Mapping[str, Story] = {
    "check": Story(
        words="Rosa asks on the website what is left on her card.",
        begin=a_balance,
        accidents=ACCIDENTS,
    ),
    "check-nobodys": Story(
        words="Somebody asks for the balance of a code that no card has.",
        begin=nobodys_balance,
        accidents=ACCIDENTS,
    ),
    "resend": Story(
        words="A store sells a card to Rosa; the office has it sent again, to Tom.",
        begin=sent_again,
        own_from=SENT_AGAIN,
    ),
}

# ---------------------------------------------------------------------------------- the promises


def questions_are_answered(world: "World") -> Iterator[str]:
    """Each question was answered by mail to whoever asked, the same whenever there is no card."""
    rows = {one["id"]: one["fields"] for one in world.base.table("Balance Checks").records()}
    for row_id, email in world.asked.items():
        operation = world.operations.get(check_key(row_id))
        if operation is None or operation.result is None:
            yield f"the question {row_id} was never answered"
            continue
        mails = [one for one in world.ses.sent() if one.tags["operation"] == tag_of(operation.key)]
        to = {address for mail in mails for address in mail.destinations["ToAddresses"]}
        if to != {email} or len({mail.text for mail in mails}) != 1:
            yield f"the question {row_id} of {email} was answered to {to}"
        shows = operation.result.outcome == CheckOutcome.BALANCE_SENT
        if (operation.result.balance is not None) != shows:
            yield f"{operation.key} is {operation.result.outcome} and knows a balance"
        if rows[row_id].get("Status") != "Processed":
            yield f"the question {row_id} reads {rows[row_id].get('Status')}"


def sent_once_more(world: "World") -> Iterator[str]:
    """What the office wanted sent again went there, once for its tick, and the tick is gone."""
    done = Counter(
        one.snapshot["card"]
        for one in world.operations.values()
        if one.kind == RESEND and one.result is not None and one.result.outcome == DELIVERED
    )
    sent = Counter(
        event.email
        for event in world.klaviyo.events
        if event.metric == DeliveryKind.CARDS_DELIVERED.value
    )
    for card_id, to in world.sent_again.items():
        if done[card_id] != 1 or sent[to] != 1:
            yield f"{card_id} was to be sent to {to} again, and {sent[to]} mails went there"
    for row in world.rows("Gift Cards"):
        if row.get("Resend"):
            yield f"the tick at {row['Card']} is still there"


PROMISES: tuple[tuple[str, Promise], ...] = (
    ("ONE_ANSWER", questions_are_answered),
    ("ONE_CARD", sent_once_more),
)
SETTLERS: Mapping[str, Settle] = {}
