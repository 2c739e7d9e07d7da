"""Stories of money that is given back and of returned cards, to be told with workers dying in them.

As in `stories`: a beginning that nobody disturbs, steps in which a worker may die at any effect,
and promises that hold afterwards. What may have been sent and is not found waits for a person: he
has it tried again, and it is then looked for once more and sent once.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial

from giftcards.domain.money import Money
from giftcards.flows.kinds import RETURN, return_key
from giftcards.flows.repay import REPAID
from giftcards.flows.return_card import CARD_RETURNED, REST_TAKEN
from giftcards.flows.reversal import REVERSED
from giftcards.flows.sale import DROPPED
from giftcards.store.journal import Operation, State
from giftcards.wiring import now
from ops.command_line import park_decide
from tests.world import OFFICE, ROUNDS_TO_QUIET, KeptMoment, World, running_world

CODE = "wxyz2345abcd6789"
LOADED = 50
TAKEN = 30

# A person whose command was cut off tries again.
TRIES_TO_DECIDE = 3

type Step = Callable[[World], None]


@dataclass(frozen=True)
class Told:
    """The operation that is followed, the card it moves money on, and the row it is shown in."""

    key: str
    card_id: str | None = None
    row_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Story:
    """A story and its end: how much the operation has moved then, and what is on the card.

    `otherwise` is the end that a death may bring about instead.
    """

    begin: Callable[[World], Told]
    outcome: str
    moved: int = 0
    balance: int | None = None
    given_back: int = 0
    is_deactivated: bool = False
    steps: Sequence[Step] = ()
    to: tuple[str, ...] = ()
    otherwise: "Story | None" = None


@contextmanager
def begun(story: Story) -> Iterator[tuple[World, Told, KeptMoment]]:
    """A world in which the story has begun, and that moment, to come back to it."""
    with running_world() as world:
        told = story.begin(world)
        yield world, told, world.keep()


def tell(world: World, story: Story) -> int:
    """What happens, to its end; returns how often a person had to decide."""
    for step in story.steps:
        step(world)
    return rest(world)


# -------------------------------------------------------------------------------- the beginnings


def redeem(world: World) -> str:
    """A store takes 30 of a new card of 50; returns the row's id."""
    world.shop.issue_card(code=CODE, amount=LOADED)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=TAKEN)
    world.serve()
    world.come_to_rest()
    return row_id


def wish(world: World, row_id: str, total: object) -> Told:
    """The office fills Reverse Amount."""
    world.base.table("Redemptions").update(row_id, {"Reverse Amount": total})
    minor = int(Decimal(str(total)) * 100)
    return Told(f"reverse#{row_id}#{minor}", world.shop.cards[0].id, row_id)


def undo(world: World) -> Told:
    """All of it is to be given back."""
    return wish(world, redeem(world), TAKEN)


def undo_the_rest(world: World) -> Told:
    """A part was given back, and now the rest."""
    row_id = redeem(world)
    wish(world, row_id, 10)
    world.serve()
    world.come_to_rest()
    return wish(world, row_id, TAKEN)


def undo_above_the_cap(world: World) -> Told:
    """More than the cap."""
    card = world.shop.issue_card(code=CODE, amount=400)
    row_id = world.ask(Gift_Card_Code=CODE, Amount=300)
    world.serve()
    world.come_to_rest()
    world.base.table("Redemptions").update(row_id, {"Reverse Amount": 250})
    return Told(f"reverse#{row_id}#25000", card.id, row_id)


def approve(world: World) -> None:
    """The office's second word."""
    (row,) = world.base.table("Redemptions").records()
    world.base.table("Redemptions").update(row["id"], {"Approved": True})


def sell(world: World, **cells: object) -> str:
    """A card of 50 is sold, made, and mailed if it is to be mailed today; returns the row's id."""
    row_id = world.sell(Amount=LOADED, **cells)
    world.serve()
    world.come_to_rest()
    return row_id


def give_back(world: World, row_id: str, unit: int = 1) -> Told:
    """The web shop refunded that unit."""
    key = return_key(row_id, unit)
    world.journal.claim(
        key,
        kind=RETURN,
        snapshot={
            "order": "5001",
            "order_name": "#1001",
            "line": row_id,
            "unit": unit,
            "issue": f"issue#{row_id}#{unit}",
            "sale": f"sale#{row_id}",
            "because": "the unit was refunded",
        },
        now=now(),
        due_at=now() + timedelta(seconds=60),
    )
    world.app.queues.adjust_balance(key)
    issue = world.journal.load(f"issue#{row_id}#{unit}")
    result = None if issue is None else issue.result
    return Told(key, None if result is None else result.moved_card)


def return_untouched(world: World) -> Told:
    """Nobody has used the card."""
    return give_back(world, sell(world))


def return_partly_spent(world: World) -> Told:
    """The web shop has taken 10 off the card."""
    row_id = sell(world)
    world.shop.debit(world.shop.cards[0].id, amount=Decimal(10), note="checkout")
    return give_back(world, row_id)


def return_before_its_card_is_made(world: World) -> Told:
    """A sale of two is claimed, and its turn has not come: the second one is never made."""
    row_id = world.sell(Amount=LOADED, Quantity=2)
    world.tick()
    return give_back(world, row_id, unit=2)


def owe_a_duplicate(world: World) -> Told:
    """Shopify took 10 once more with a redemption's reference, and a person has to put it right."""
    reference = f"redemption#{redeem(world)}"
    (card,) = world.shop.cards
    world.shop.debit(card.id, amount=Decimal(10), note=reference)
    amount = Money.parse(Decimal(-10), "USD")
    world.app.owe().owe(card_id=card.id, operation=reference, amount=amount)
    return Told(f"repay#{reference}", card.id)


def credit_back(world: World) -> None:
    """The person has it given back; he decides again where his command was cut off."""
    assert decide_parked(world, "credit-back") == 1


STORIES = {
    "undone": Story(
        begin=undo, outcome=REVERSED, moved=30, balance=50, given_back=30, to=("main@shop.example",)
    ),
    "undone in two steps": Story(
        begin=undo_the_rest,
        outcome=REVERSED,
        moved=20,
        balance=50,
        given_back=30,
        to=("main@shop.example",),
    ),
    "held, then undone": Story(
        begin=undo_above_the_cap,
        steps=[World.serve, approve],
        outcome=REVERSED,
        moved=250,
        balance=350,
        given_back=250,
        to=("main@shop.example",),
    ),
    "debited twice, credited back": Story(
        begin=owe_a_duplicate,
        steps=[credit_back],
        outcome=REPAID,
        moved=10,
        balance=20,
        to=(OFFICE,),
    ),
    "returned untouched": Story(
        begin=return_untouched,
        outcome=CARD_RETURNED,
        balance=50,
        is_deactivated=True,
        to=(OFFICE,),
    ),
    "returned partly spent": Story(
        begin=return_partly_spent, outcome=REST_TAKEN, moved=-40, balance=0, to=(OFFICE,)
    ),
    "returned before its card was made": Story(
        begin=return_before_its_card_is_made,
        outcome=DROPPED,
        # The worker died before it had said so, and the card was made and mailed meanwhile.
        otherwise=Story(
            begin=return_before_its_card_is_made,
            outcome=CARD_RETURNED,
            balance=50,
            is_deactivated=True,
            to=(OFFICE,),
        ),
    ),
}


# ------------------------------------------------------------------------------- what time brings


def rest(world: World) -> int:
    """Ticks, sweeps, messages, and a person for what is parked, until nothing is left to do.

    The stores' prong begins an undo; the web shop's prongs are left out of these stories.
    """
    decisions = 0
    for _ in range(ROUNDS_TO_QUIET):
        deaths, standing = world.effects.deaths, world.standing()
        world.advance(60)
        world.tick()
        world.drain()
        world.sweep()
        world.drain()
        decisions += decide_parked(world, "retry")
        if deaths == world.effects.deaths and is_quiet(world):
            return decisions
        if standing == world.standing():
            world.let_idle_minutes_pass()
    raise AssertionError("the shop never came to rest")


def is_quiet(world: World) -> bool:
    """Whether nothing is unfinished, parked or queued."""
    unfinished = any(item.get("queue") in {"open", "parked"} for item in world.items())
    return not unfinished and not any(world.queued_in(queue) for queue, _ in world.one_offs())


def decide_parked(world: World, decision: str) -> int:
    """A person looks at what is parked; returns how much there was."""
    parked = world.journal.parked(now=now(), limit=10)
    for one in parked:
        wanted = argparse.Namespace(key=one.key, decision=decision)
        for _ in range(TRIES_TO_DECIDE):
            if world.work(partial(park_decide, options=wanted)) is not None:
                break
    return len(parked)


# ---------------------------------------------------------------------------------- the promises


def operation_of(world: World, key: str) -> Operation:
    """An operation as the journal has it."""
    operation = world.journal.load(key)
    assert operation is not None, f"the journal does not know {key}"
    return operation


def check(world: World, story: Story, told: Told) -> None:
    """The promises that hold whatever died when."""
    operation = operation_of(world, told.key)
    assert operation.result is not None
    if story.otherwise is not None and operation.result.outcome == story.otherwise.outcome:
        assert world.effects.deaths
        story, told = story.otherwise, Told(told.key, operation.result.moved_card)
    assert (operation.state, operation.result.outcome) == (State.SETTLED, story.outcome)
    check_card(world, story, told)
    check_airtable(world, story, told)
    check_mails(world, story, told)
    dead_letters = [name for name in world.queue_urls if name.endswith("DeadLetters")]
    assert not [body for name in dead_letters for body in world.queued_in(name)]


def check_card(world: World, story: Story, told: Told) -> None:
    """The money moved once, with our reference, and the ledger has a line for it.

    A unit without a card leaves its neighbour's alone.
    """
    if told.card_id is None:
        neighbour = told.key.replace("return#", "issue#").removesuffix("2") + "1"
        assert [card.note for card in world.shop.cards] == [neighbour]
        return
    card = world.shop.card(told.card_id)
    moved = [one.amount for one in card.transactions if one.note == told.key]
    assert moved == ([story.moved] if story.moved else [])
    assert card.balance == story.balance
    assert card.enabled is not story.is_deactivated
    ledger = world.app.ledgers.of([card.id]).get(card.id)
    lines = {} if ledger is None else {name: one.minor for name, one in ledger.lines.items()}
    assert lines.get(told.key, 0) == 100 * story.moved


def check_airtable(world: World, story: Story, told: Told) -> None:
    """One receipt, the card's mirror in step, and the row says what was given back in all."""
    receipts = [one for one in world.cells("Receipts") if one["Operation"] == told.key]
    assert len(receipts) == 1
    for mirror in world.cells("Gift Cards"):
        card = world.shop.card(mirror["Shopify ID"])
        assert Decimal(str(mirror["Balance"])) == card.balance
        assert mirror["Status"] == ("Active" if card.enabled else "Disabled")
    if told.row_id is not None:
        assert world.row(told.row_id)["Reversed"] == story.given_back
        redemption = operation_of(world, f"redemption#{told.row_id}")
        assert redemption.given_back == 100 * story.given_back


def check_mails(world: World, story: Story, told: Told) -> None:
    """Whoever has to know was told, the same each time."""
    tag = told.key.replace("#", ".")
    about_it = [mail for mail in world.mails() if mail.tags["operation"] == tag]
    assert {to for mail in about_it for to in mail.destinations["ToAddresses"]} == set(story.to)
    assert len({mail.subject for mail in about_it}) <= 1
    assert len(about_it) <= len(story.to) * (1 + world.effects.deaths)
