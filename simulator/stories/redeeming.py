"""Redemptions: a store asks, a customer waits; alone, and beside what else moves on the card."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from giftcards.domain.drift import Drift
from giftcards.domain.outcomes import Outcome
from giftcards.flows.kinds import LATE, REPAY, RETURN, REVERSAL, repay_key
from giftcards.flows.redeem import KIND
from giftcards.receipts import ReceiptOutcome
from giftcards.store.journal import Operation, State
from giftcards.store.table import unpack_money
from giftcards.wiring import Application
from sandbox.airtable import Table
from sandbox.shopify import GiftCard, Refusal
from sandbox.shopify import Kind as Movement
from simulator.faults import MINUTE, SECOND, Kind, Planned
from simulator.stories.story import Act, Promise, Settle, Story
from simulator.web import spent_in_orders

if TYPE_CHECKING:
    from simulator.world import World

CODE = "wxyz2345abcd6789"
UNKNOWN = "qqqq2345qqqq7777"

# A code with a zero and a one in it, and how two people read it off the card who take one of them
# for a letter: two other codes, until the card is found that both are meant for.
MISREADABLE = "wxyz2345abcd6701"
MISREAD = ("WXYZ-2345-ABCD-67O1", "WXYZ-2345-ABCD-670L")
LOADED = 50

# What else of ours moves the money of a card, or is found to have moved it.
OTHER_MOVES = frozenset({REVERSAL, RETURN, REPAY, LATE})

# When the plain redemption has just made its debit, in microseconds: what happens then comes before
# the debit, or before the card is read, where the redemption is held up there.
JUST_CHARGED = 4_326_000

# What the web takes in one go where a card holds it: enough to leave too little for the store.
SPENT_ON_WEB = Decimal(45)


# So many looks of the prong for a debit that nobody heard of do not see it. They come 15 seconds
# after each other, so all of them within the time that a look can miss.
UNSEEN_LOOKS = 2

# The amount that somebody puts in the place of the first row's.
WRITTEN_OVER = 11


def issue(world: "World", code: str = CODE, amount: int = LOADED) -> GiftCard:
    """A card that the shop sold."""
    return world.shop.issue_card(code=code, amount=amount)


def file(
    world: "World", *, code: str = CODE, amount: int = 10, store: int = 0, employee: str = "Ana"
) -> str:
    """A store files a redemption now; returns the row's id."""
    row = {
        "Store": [world.stores[store]],
        "Employee": employee,
        "Amount": amount,
        "Gift Card Code": code,
    }
    row_id = world.base.submit_form("Redemptions", row)["id"]
    world.filed.append(row_id)
    return row_id


def spend_on_web(world: "World") -> None:
    """A customer pays with the first card at the checkout, 45 or all that is left."""
    card = world.shop.cards[0]
    amount = at_checkout(card)
    with suppress(Refusal):
        world.shop.spend_on_web(card.id, amount)
        world.note_web(card.id, amount)


def at_checkout(card: GiftCard) -> Decimal:
    """What a customer pays with a card: 45, or all that a store has left of it."""
    return min(SPENT_ON_WEB, card.balance)


def edit_row(world: "World") -> None:
    """Somebody corrects the amount of the first row, unless that was done before."""
    write_over(world.base.table("Redemptions"), world.filed[:1], WRITTEN_OVER)


def write_over(table: Table, row_ids: Sequence[str], amount: int) -> None:
    """Somebody types another amount into the rows that are still there."""
    for row_id in row_ids:
        if row_id in table.record_ids() and table.get(row_id)["fields"]["Amount"] != amount:
            table.update(row_id, {"Amount": amount})


def delete_row(world: "World") -> None:
    """Somebody throws the first row away."""
    table = world.base.table("Redemptions")
    if world.filed and world.filed[0] in table.record_ids():
        table.delete(world.filed[0])
        world.deleted.add(world.filed[0])


def charge_elsewhere(world: "World") -> None:
    """Another store files a redemption of the first card."""
    file(world, code=world.shop.cards[0].code, amount=20, store=1, employee="Ben")


def double_records(world: "World") -> None:
    """Somebody duplicates what we have written so far into our own tables."""
    for name in ("Receipts", "Gift Cards"):
        table = world.base.table(name)
        for record in table.records():
            table.create(record["fields"])


ACCIDENTS: dict[Kind, Act] = {
    Kind.ROW_EDITED: edit_row,
    Kind.ROW_DELETED: delete_row,
    Kind.WEB_SPENDS: spend_on_web,
    Kind.OTHER_STORE: charge_elsewhere,
    Kind.RECORD_DOUBLED: double_records,
}


def void(_: object) -> None:
    """What an act returns is nobody's concern."""


# ------------------------------------------------------------------------------------ the stories


def one_row(world: "World", chance: Random) -> None:
    """A card of 50 and a row that asks for 10 of it."""
    del chance
    issue(world)
    file(world)


def all_of_it(world: "World", chance: Random) -> None:
    """A row that asks for all that the card holds: afterwards it looks as if it held too little."""
    del chance
    issue(world)
    file(world, amount=LOADED)


def too_much(world: "World", chance: Random) -> None:
    """A row that asks for more than the card holds."""
    del chance
    issue(world)
    file(world, amount=60)


def nobodys_code(world: "World", chance: Random) -> None:
    """A code that no card has."""
    del chance
    issue(world)
    file(world, code=UNKNOWN)


def no_code_at_all(world: "World", chance: Random) -> None:
    """What was typed is no code."""
    del chance
    issue(world)
    file(world, code="WXYZ")


def after_an_outage(world: "World", chance: Random) -> None:
    """A row that has waited for longer than the patience: the office approves it later."""
    del chance
    issue(world)
    file(world)
    row = world.base.table("Redemptions")._records[world.filed[0]]  # noqa: SLF001 - it was filed earlier
    row.created_time -= (world.config.patience_seconds + 10) * timedelta(seconds=1)


def twice(world: "World", chance: Random) -> None:
    """The same form, sent twice within seconds."""
    issue(world)
    file(world)
    world.arrange(_moment(chance, 6 * SECOND), lambda: file(world))


def two_stores(world: "World", chance: Random) -> None:
    """Two stores charge one card at once, which holds enough for one of them."""
    issue(world, MISREADABLE)
    file(world, code=MISREAD[0], amount=30)
    # Rows of one code wait for each other in one worker; these meet only at the card.
    world.arrange(
        _moment(chance, 2 * SECOND),
        lambda: file(world, code=MISREAD[1], amount=30, store=1, employee="Ben"),
    )


def beside_the_web(world: "World", chance: Random) -> None:
    """A store charges the card while its owner is at the checkout."""
    issue(world)
    file(world)
    world.arrange(_meeting(chance), lambda: spend_on_web(world))


def beside_the_office(world: "World", chance: Random) -> None:
    """A store charges the card while the office deactivates it."""
    issue(world)
    file(world)
    card = world.shop.cards[0]
    world.arrange(_meeting(chance), lambda: world.shop.deactivate(card.id))


def beside_a_credit(world: "World", chance: Random) -> None:
    """A store charges the card while the office gives something back to it by hand."""
    issue(world)
    file(world, amount=55)
    card = world.shop.cards[0]

    def credit() -> None:
        world.shop.credit(card.id, amount=Decimal(7), note="goodwill")
        world.note_web(card.id, -7)

    world.arrange(_meeting(chance), credit)


def one_after_another(world: "World", chance: Random) -> None:
    """Three customers of a family spend one card within a minute: its row is written each time."""
    issue(world)
    file(world)
    for number, amount in ((1, 11), (2, 12)):
        at = number * 20 * SECOND + _moment(chance, 2 * SECOND)
        world.arrange(at, partial(file, world, amount=amount))


def a_day(world: "World", chance: Random) -> None:
    """A long day: dozens of redemptions of a few cards, the web beside them."""
    codes = [f"wxyz2345ab{a}{b}6789" for a in "cdef" for b in "gh"]
    for code in codes:
        issue(world, code, chance.choice((25, 50, 100)))
    for _ in range(chance.randint(20, 36)):
        at = chance.randrange(60 * MINUTE)
        code = chance.choice([*codes, *codes, UNKNOWN, "WXYZ"])
        amount, store = chance.choice((5, 10, 25, 60)), chance.randrange(2)
        world.arrange(at, partial(file, world, code=code, amount=amount, store=store))
    for _ in range(chance.randrange(6)):
        at, amount, place = (
            chance.randrange(60 * MINUTE),
            chance.choice((5, 20)),
            chance.randrange(8),
        )
        world.arrange(at, partial(_spend_there, world, place, amount))


def _spend_there(world: "World", place: int, amount: int) -> None:
    card = world.shop.cards[place]
    with suppress(Refusal):
        world.shop.spend_on_web(card.id, amount)
        world.note_web(card.id, amount)


def _moment(chance: Random, span: int) -> int:
    return chance.randrange(span)


def _meeting(chance: Random) -> int:
    """A moment of the first five seconds; of the plain story, when the card has been charged."""
    span = 5 * SECOND
    plain = Random("story 0").randrange(span)  # noqa: S311 - no secrets
    return (chance.randrange(span) - plain + JUST_CHARGED) % span


# The calls of a redemption from its claim to its commit, also where it is taken up again: by the
# prong while its row is there, else by the sweep. The lease that a tick of the prong takes first
# has the name of the card's, and so is among them.
WINDOW = tuple(
    f"{role}: {call}"
    for call in (
        "journal.claim",
        "leases.acquire",
        "shopify read_card",
        "journal.mark_sent",
        "shopify debit_card",
        "shopify card_movements",
        "journal.take_back_sent",
        "journal.commit",
    )
    for role in ("prong", "sweep")
)

# Nobody hears whether the debit was made, and the first looks for it do not see it.
UNHEARD = Planned("prong: shopify debit_card", 0, Kind.REPLY_LOST)
UNSEEN = tuple(
    Planned("prong: shopify card_movements", nth, Kind.MOVEMENT_HIDDEN)
    for nth in range(UNSEEN_LOOKS)
)

STORIES: Mapping[str, Story] = {
    "redeem": Story(
        words="A store redeems 10 of a card of 50.",
        begin=one_row,
        accidents=ACCIDENTS,
        window=WINDOW,
    ),
    "redeem-all": Story(
        words="A store redeems all of a card of 50.",
        begin=all_of_it,
        accidents=ACCIDENTS,
        window=WINDOW,
    ),
    "redeem-unheard": Story(
        words="A store redeems 10 of a card of 50, and Shopify's answer to the debit is lost.",
        begin=one_row,
        accidents=ACCIDENTS,
        given=(UNHEARD,),
    ),
    "redeem-unseen": Story(
        words=(
            "A store redeems 10 of a card of 50, Shopify's answer to the debit is lost, and two"
            " looks at what moved on the card do not see it yet."
        ),
        begin=one_row,
        accidents=ACCIDENTS,
        given=(UNHEARD, *UNSEEN),
    ),
    "redeem-too-much": Story(
        words="A store asks for 60 of a card of 50.", begin=too_much, accidents=ACCIDENTS
    ),
    "redeem-nobodys-code": Story(
        words="A store types a code that no card has.", begin=nobodys_code, accidents=ACCIDENTS
    ),
    "redeem-no-code": Story(
        words="A store types what is no code.", begin=no_code_at_all, accidents=ACCIDENTS
    ),
    "redeem-held": Story(
        words="A row waited for longer than the patience; the office approves it.",
        begin=after_an_outage,
        accidents=ACCIDENTS,
        is_approved=True,
    ),
    "redeem-twice": Story(
        words="A store sends the same form twice.", begin=twice, accidents=ACCIDENTS, is_pair=True
    ),
    "redeem-two-stores": Story(
        words="Two stores charge 30 each of one card of 50.",
        begin=two_stores,
        accidents=ACCIDENTS,
        window=WINDOW,
        is_pair=True,
    ),
    "redeem-and-web": Story(
        words="A store redeems 10 of a card while 45, or what is left, are paid at the checkout.",
        begin=beside_the_web,
        accidents=ACCIDENTS,
        window=WINDOW,
        is_pair=True,
    ),
    "redeem-and-deactivate": Story(
        words="A store redeems 10 of a card while the office deactivates it.",
        begin=beside_the_office,
        accidents=ACCIDENTS,
        window=WINDOW,
        is_pair=True,
    ),
    "redeem-and-credit": Story(
        words="A store redeems 55 of a card of 50 while the office puts 7 on it.",
        begin=beside_a_credit,
        accidents=ACCIDENTS,
        window=WINDOW,
        is_pair=True,
    ),
    "redeem-one-after-another": Story(
        words="A store redeems 10, 11 and 12 of a card of 50 within a minute.",
        begin=one_after_another,
        accidents=ACCIDENTS,
        is_pair=True,
    ),
    "redeem-day": Story(
        words="An hour in which two stores file dozens of redemptions of eight cards.",
        begin=a_day,
        is_day=True,
    ),
}

# ---------------------------------------------------------------------------------- the promises


def _redemptions(world: "World") -> list[Operation]:
    return [one for one in world.operations.values() if one.kind == KIND]


def one_debit(world: "World") -> Iterator[str]:
    """Answered with success: debited once, by that amount; any other answer: not at all.

    Where requests may be applied after the settling time, that is so net of what was given back: a
    debit that turns up on a redemption that was given up is found, by the web shop's prong or by
    one comparison of the books, and a person has it given back, once.
    """
    for operation in _redemptions(world):
        debits = [
            movement
            for card in world.shop.cards
            for movement in card.transactions
            if movement.kind is Movement.DEBIT and movement.note == operation.key
        ]
        outcome = None if operation.result is None else operation.result.outcome
        amount = unpack_money(operation.snapshot["amount"])
        if outcome == Outcome.REDEEMED:
            by_mistake = world.charged_by_mistake.get(operation.key, Decimal(0))
            if by_mistake and by_mistake == _credited_back(world, operation.key):
                debits = debits[:1]  # Shopify did that, and a person has had it put right
            if len(debits) != 1:
                yield f"{operation.key} is REDEEMED and was debited {len(debits)} times"
            elif amount is None or debits[0].amount != -amount.decimal():
                yield f"{operation.key} asked for {amount} and was debited {debits[0].amount}"
            elif debits[0].card_id != operation.snapshot["card_id"]:
                yield f"{operation.key} debited the card {debits[0].card_id}"
        elif debits:
            moved = sum(debit.amount for debit in debits)
            back = _credited_back(world, operation.key)
            if not (world.may_be_late and outcome == Outcome.NOT_CHARGED and back == -moved):
                times = f"{len(debits)} times, and {back} was given back"
                yield f"{operation.key} is {outcome} and was debited {times}"


def _credited_back(world: "World", key: str) -> Decimal:
    """What was given back for an operation that had been given up."""
    reference = repay_key(key)
    return sum(
        (
            movement.amount
            for card in world.shop.cards
            for movement in card.transactions
            if movement.note == reference
        ),
        Decimal(0),
    )


def no_overspend(world: "World") -> Iterator[str]:
    """What stores were told is paid, and what the web spent, is no more than was loaded."""
    spent: dict[str, Decimal] = {}
    for operation in _redemptions(world):
        if operation.result is not None and operation.result.outcome == Outcome.REDEEMED:
            amount = unpack_money(operation.snapshot["amount"])
            card_id = str(operation.snapshot["card_id"])
            if amount is not None:
                spent[card_id] = spent.get(card_id, Decimal(0)) + amount.decimal()
    for card_id, moved in moved_by_us(world):
        spent[card_id] = spent.get(card_id, Decimal(0)) - moved
    in_orders = spent_in_orders(world.shop)
    for card in world.shop.cards:
        by_web = world.web.get(card.id, 0) + in_orders.get(card.id, 0)
        together = spent.get(card.id, Decimal(0)) + by_web
        if together > card.initial_value or card.balance < 0:
            yield f"{card.id} was loaded with {card.initial_value}, and {together} were spent"
        if card.balance != card.initial_value - together:
            yield f"{card.id} holds {card.balance}: of {card.initial_value}, {together} were spent"


def moved_by_us(world: "World") -> Iterator[tuple[str, Decimal]]:
    """By how much we changed cards besides redemptions, as their operations say.

    What was applied although it had been given up is among it: it has an entry of its own.
    """
    for operation in world.operations.values():
        result = operation.result
        if operation.kind in OTHER_MOVES and result is not None and result.moved is not None:
            yield str(result.moved_card), result.moved.decimal()


def receipts_of_redemptions(world: "World") -> Iterator[str]:
    """Every answered redemption has one receipt, which says what was asked and whether it moved."""
    for operation in _redemptions(world):
        if operation.result is None:
            continue
        receipts, outcome = operation.result.receipts, operation.result.outcome
        if len(receipts) != 1:
            yield f"{operation.key} is {outcome} and has {len(receipts)} receipts"
        elif receipts[0].amount != unpack_money(operation.snapshot["amount"]):
            yield f"the receipt of {operation.key} names {receipts[0].amount}"
        elif (receipts[0].outcome is ReceiptOutcome.DONE) != (outcome == Outcome.REDEEMED):
            yield f"the receipt of {operation.key} says {receipts[0].outcome}, and it is {outcome}"


# After these Shopify has said, or nobody has asked it, so that a debit can be sent again.
CERTAIN = frozenset(Kind) - {
    Kind.CRASH_BEFORE,
    Kind.CRASH_AFTER,
    Kind.PAUSED,
    Kind.REPLY_LOST,
    Kind.APPLIED_LATE,
    Kind.APPLIED_TOO_LATE,
    Kind.FAILED_BEFORE,
    Kind.FAILED_AFTER,
    Kind.ECHOED,
}
# Whoever cannot write the mark, or take it back, or write down what Shopify said, does not know
# either.
MARKS = ("journal.mark_sent", "journal.take_back_sent", "journal.commit")


def not_in_vain(world: "World") -> Iterator[str]:
    """A redemption is given up only where nobody can know what became of its debit.

    Where Shopify refused the debit and then cannot be asked why, the answer has its words.
    """
    is_certain = all(
        one.kind in CERTAIN and not one.effect.endswith(MARKS) for one in world.gate.met
    )
    if not is_certain or world.deaths:
        return
    for operation in _redemptions(world):
        result = operation.result
        if result is not None and result.outcome == Outcome.NOT_CHARGED and result.reason is None:
            yield f"{operation.key} was given up, though Shopify was heard"


def filed_twice(world: "World") -> Iterator[str]:
    """The same form, sent twice within minutes, is charged once unless somebody says it is meant.

    Somebody says so by filing it a third time, after the second was refused.
    """
    window = timedelta(seconds=world.config.duplicate_seconds) / 2
    last: dict[tuple[str, object, str], Operation] = {}
    ended = [one for one in _redemptions(world) if one.result is not None and not one.is_released]
    for operation in sorted(ended, key=lambda one: one.sent_at or one.claimed_at):
        asked, result = operation.snapshot, operation.result
        if result is None or asked["approved"] or asked["confirmed"] or asked["card_id"] is None:
            continue
        key = (asked["card_id"], str(asked["amount"]), asked["store"]["id"])
        if result.outcome == Outcome.POSSIBLE_DUPLICATE:
            last.pop(key, None)
        elif result.outcome == Outcome.REDEEMED and operation.sent_at is not None:
            before = last.get(key)
            since = None if before is None else before.sent_at
            if before is not None and since is not None and operation.sent_at - since < window:
                yield f"{operation.key} was charged though {before.key} had been just before"
            last[key] = operation


def rows_are_answered(world: "World") -> Iterator[str]:
    """Every row that is still there reads the outcome that its store was mailed."""
    rows = {record["id"]: record["fields"] for record in world.base.table("Redemptions").records()}
    for row_id in world.filed:
        if row_id in world.deleted:
            continue
        operation = world.operations.get(f"{KIND}#{row_id}")
        cells = rows[row_id]
        if operation is None or operation.result is None:
            yield f"the row {row_id} was never answered; it reads {cells.get('Status')}"
        elif cells.get("Outcome") != operation.result.outcome:
            said = cells.get("Outcome")
            yield f"the row {row_id} reads {said}, and its outcome is {operation.result.outcome}"
        elif cells.get("Status") != "Processed":
            yield f"the row {row_id} is done, and reads {cells.get('Status')}"
        else:
            yield from _misread(world, row_id, cells, operation)
    for operation in _redemptions(world):
        is_open = operation.result is None and operation.state is not State.HELD
        if is_open and operation.snapshot["row_id"] in world.deleted:
            yield f"{operation.key}, whose row was deleted, stays {operation.state}"


def _misread(
    world: "World", row_id: str, cells: Mapping[str, Any], operation: Operation
) -> Iterator[str]:
    """What a row says of the card otherwise than the newest receipt about it, and of which card."""
    told = [
        one.result
        for one in world.operations.values()
        if one.result is not None and one.result.row is not None
        if one.result.row.record_id == row_id
    ]
    left = [
        receipt.balance_after.decimal()
        for result in sorted(told, key=lambda result: result.decided_at)
        for receipt in result.receipts
        if receipt.balance_after is not None
    ]
    shown = cells.get("Balance After")
    if (None if shown is None else Decimal(str(shown))) != (left[-1] if left else None):
        yield f"the row {row_id} shows {shown} as left on the card, and its receipts {left}"
    card_id = operation.snapshot["card_id"]
    linked = {
        record["fields"].get("Shopify ID")
        for record in world.base.table("Gift Cards").records()
        if record["id"] in cells.get("Gift Card", ())
    }
    # With the row of a card that somebody deletes its links go, too; the new one has none.
    is_cut = not linked and Drift.MISSING_ROW in world.planted
    if not is_cut and linked != ({card_id} if card_id is not None else set()):
        yield f"the row {row_id} links to {linked}, not to {card_id}"


PROMISES: tuple[tuple[str, Promise], ...] = (
    ("ONE_DEBIT", one_debit),
    ("NO_OVERSPEND", no_overspend),
    ("ONE_RECEIPT", receipts_of_redemptions),
    ("FILED_TWICE", filed_twice),
    ("NOT_IN_VAIN", not_in_vain),
    ("ONE_ANSWER", rows_are_answered),
)


def settle(world: "World", app: Application, operation: Operation) -> None:
    """A person looks at Shopify's page of the card, and decides."""
    card = world.shop.find(str(operation.snapshot["card_id"]))
    debits = [] if card is None else [t for t in card.transactions if t.note == operation.key]
    is_charged = bool(debits) and operation.parked_in is State.SENT
    app.redeem().decide(operation, charged=is_charged, by="the office")


SETTLERS: Mapping[str, Settle] = {KIND: settle}
