"""One story for each mail about a sale or a balance, and what each means to its reader.

Times are fixed: the form is filed at ten in New York, on 23 November 2026.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from sandbox.faults import Fault
from tests.cloudformation import TEMPLATE
from tests.documents.examples import CODE, UNKNOWN, Example
from tests.web_spending import known_card, rest
from tests.world import World

# These stories are about sales and checks, so each tick looks for them, too.
ALL_LOOKS: Final[Mapping[str, Any]] = {
    "sale_offsets_seconds": (0,),
    "check_offsets_seconds": (0,),
}


def _sell(world: World, **cells: object) -> str:
    row_id = world.sell(**cells)
    world.advance(8)
    world.serve()
    return row_id


def _refused(world: World) -> None:
    _sell(world, Amount=-3, Recipient_Email="rosa at example", Quantity=0)


def _held(world: World) -> None:
    _sell(world, Amount=400, Quantity=6)


def _scheduled(world: World) -> None:
    _sell(
        world,
        Send_On="2026-12-24",
        Is_Gift=True,
        Purchaser_Name="Tom",
        Purchaser_Email="tom@example.com",
    )


def _delivered(world: World) -> None:
    _sell(world, Quantity=3)


def _dead(world: World, *, how_many: int) -> None:
    _sell(world, Send_On="2026-11-24", Quantity=2)
    for card in list(world.shop.cards)[:how_many]:
        world.shop.deactivate(card.id)
    world.advance(86400)
    world.sweep()
    world.drain()


def _one_dead(world: World) -> None:
    _dead(world, how_many=1)


def _all_dead(world: World) -> None:
    _dead(world, how_many=2)


def _given_up(world: World) -> None:
    world.klaviyo.faults.add(Fault.FAIL_BEFORE, times=None)
    _sell(world)
    for _ in range(40):
        world.advance(3600)
        world.sweep()
        world.drain()


def _resend_refused(world: World) -> None:
    _sell(world)
    (record,) = world.base.table("Gift Cards").records()
    world.base.table("Gift Cards").update(record["id"], {"Resend": True, "Resend To": "rosa at"})
    world.advance(60)
    world.serve()


def _came_back(world: World) -> None:
    sample = (TEMPLATE.parent / "events" / "deliver_to_customer.bounce.json").read_text()
    world.sqs.send_message(
        QueueUrl=world.queue_urls["DeliverToCustomerQueue"],
        MessageBody=json.loads(sample)["Records"][0]["body"],
    )
    world.drain()


def _digest(world: World) -> None:
    world.sell(Amount=25, Quantity=2)
    _sell(world, Amount=10, Employee="Ben", Recipient_Email="x@example.com")
    world.advance(21 * 3600)
    world.sweep()
    world.drain()


def _changed(world: World) -> None:
    card = known_card(world)
    world.shop.debit(card.id, amount=Decimal(40), note="charged for a bag")
    rest(world)
    world.shop.credit(card.id, amount=Decimal(5), note="sorry for the wait")
    rest(world)
    world.advance(21 * 3600)
    world.sweep()
    world.drain()


def _check(world: World, code: str) -> None:
    world.check_balance(code)
    world.advance(8)
    world.serve()


def _found(world: World) -> None:
    world.shop.issue_card(code=CODE, amount=50)
    _check(world, CODE)


def _online_only(world: World) -> None:
    card = world.shop.issue_card(code=CODE, amount=50)
    card.created_at = world.config.live_from - timedelta(days=1)
    _check(world, CODE)


def _not_found(world: World) -> None:
    _check(world, UNKNOWN)


def _example(when: str, then: str, story: Any) -> Example:
    return Example(when, then, story, ALL_LOOKS)


TO_STORES: Final[Mapping[str, Example]] = {
    "`REFUSED`": _example(
        "Something in the form has to be mended: an address, an amount, a limit of Shopify's, a day"
        " in the past, more than `LargestQuantity`. Every mistake is named; nothing was made.",
        "It files the form again.",
        _refused,
    ),
    "`HELD`": _example(
        "The sale is above `CapPerCard`, `CapPerStoreAndDay` or `CapPerRecipientAndDay`. Not final:"
        " nothing was made.",
        "It calls the office, whose `Approved` releases the row; then another mail follows.",
        _held,
    ),
    "`ISSUED`, to be sent on a day": _example(
        "All cards are made, and the form names a day for them. A sale for now is told of once it"
        " is sent.",
        "Nothing. The purchaser of a gift is mailed at once where and when it goes.",
        _scheduled,
    ),
    "`DELIVERED`": _example(
        "Klaviyo took the event of which its flow makes the mail. Whether it sent the mail, it does"
        " not say: what it drops goes unnoticed here (`docs/klaviyo.md`, *What Klaviyo took and did"
        " not send*).",
        "Nothing. If the mail does not arrive, the office ticks `Resend` on the card, with another"
        " address in `Resend To` where the old one may be the reason.",
        _delivered,
    ),
    "`DELIVERED_IN_PART`": _example(
        "Some of the cards were deactivated or expired between their making and their day.",
        "It asks the office.",
        _one_dead,
    ),
    "`CARD_DEAD`": _example(
        "All of the cards were. Nothing was sent.",
        "It asks the office.",
        _all_dead,
    ),
}

TO_THE_OFFICE: Final[Mapping[str, Example]] = {
    "A customer's mail was given up": _example(
        "Klaviyo took it neither at once nor in a day of tries, or refused it for good. The"
        " delivery is parked, and a dead letter rings.",
        "The runbook's *A customer's mail gave up*.",
        _given_up,
    ),
    "A card was not sent again": _example(
        "The office ticked `Resend`, and the address is none, the card is not ours or is dead, or"
        " Klaviyo did not take it. The tick is gone.",
        "It mends `Resend To` and ticks again.",
        _resend_refused,
    ),
    "A mail came back": _example(
        "SES reports that a mail of ours bounced, was rejected or was called unwanted.",
        "It corrects the address in `Stores`, and tells the store.",
        _came_back,
    ),
    "The digest": _example(
        "`DigestHour`, on the morning after a day with sales.",
        "It looks twice at what it did not expect.",
        _digest,
    ),
    "What was changed at Shopify": _example(
        "`DigestHour`, on the morning after a day on which balances moved at Shopify and no order,"
        " store or operation of ours says why: as a rule staff did that in Shopify's admin.",
        "It looks twice at what it did not expect. `docs/reconcile.md` says what else is done.",
        _changed,
    ),
}

TO_CUSTOMERS: Final[Mapping[str, Example]] = {
    "`BALANCE_SENT`": _example(
        "A living card has the code that was typed.", "It knows what is on the card.", _found
    ),
    "`BALANCE_SENT`, for a card from before `LiveFrom`": _example(
        "The same, without `AcceptHistorical`.", "It spends the card on the web.", _online_only
    ),
    "`NO_BALANCE`": _example(
        "No card has the code, or it is expired or deactivated, or what was typed is no code: this"
        " mail is the same to the letter for all of them.",
        "It types the code again.",
        _not_found,
    ),
}
