"""Stories of one redemption, to be told again with workers dying in them, and what must hold then.

A story begins with what nobody disturbs: the card, the row, what went before. Then come its steps,
in which a worker may die at any effect; they are what would come anyway: ticks, sweeps, messages
that become visible again, a person's decision. At its end the shop comes to rest.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from giftcards.domain.outcomes import Outcome
from giftcards.errors import NeedsAPerson
from giftcards.store.journal import Operation, State
from giftcards.wiring import now
from ops.command_line import park_decide
from sandbox.faults import Fault
from tests.world import KeptMoment, When, World, running_world

CODE = "wxyz2345abcd6789"
UNKNOWN = "qqqq2345qqqq7777"
LOADED = 50

# Parking takes six failures about a minute apart; with a death in between, a few more.
MINUTES_TO_PARK = 15

# Three accidents in a row take three ticks, and a death in between one more.
MINUTES_OF_TROUBLE = 5

# A person whose command was cut off tries again.
TRIES_TO_DECIDE = 3

type Step = Callable[[World], None]
type Moment = tuple[int, When]

# What the calls are called that change nothing.
READS = ("dynamodb GetItem", "dynamodb BatchGetItem", "dynamodb Query", "GET ", "POST query ")


@dataclass(frozen=True)
class Told:
    """What a story is about: one card, and one row that is followed to its end."""

    card_id: str
    row_id: str

    @property
    def key(self) -> str:
        """The operation's key, which is also the reference of its debit."""
        return f"redemption#{self.row_id}"


@dataclass(frozen=True, kw_only=True)
class Story:
    """A story, the outcome it comes to undisturbed, and what is left on the card then.

    `also` are outcomes that a death can bring about instead; `debits` are the debits with our
    reference where the outcome is REDEEMED.
    """

    begin: Callable[[World], Told]
    steps: Sequence[Step]
    outcome: Outcome
    also: frozenset[Outcome] = frozenset()
    spent_before: int = 0
    amount: int = 10
    has_card: bool = True
    decided_by_a_person: bool = False

    def tell(self, world: World) -> None:
        """What happens, in its order."""
        for step in self.steps:
            step(world)


@contextmanager
def begun(story: Story) -> Iterator[tuple[World, Told, KeptMoment]]:
    """A world in which the story has begun, and that moment, to come back to it."""
    with running_world() as world:
        told = story.begin(world)
        yield world, told, world.keep()


def effects_of(world: World, tell: Callable[[World], None], start: KeptMoment) -> list[str]:
    """The effects of an undisturbed telling."""
    world.go_back(start)
    tell(world)
    return list(world.effects.seen)


def moments_that_differ(world: World) -> list[Moment]:
    """Every moment, of the telling that just ended, at which a death makes a difference.

    Between two effects of one worker nothing happens outside of it: dying after the one is dying
    before the next. Only after a worker's last effect something does: its message is deleted. And
    dying before a read is dying before what the same worker does next: nobody notices a read.
    """
    seen, workers = world.effects.seen, world.effects.worker_of
    moments: list[Moment] = []
    for place, worker in enumerate(workers):
        is_last = place + 1 == len(workers) or workers[place + 1] != worker
        if is_last or not seen[place].startswith(READS):
            moments.append((place, "before"))
        if is_last:
            moments.append((place, "after"))
    return moments


# -------------------------------------------------------------------------------- the beginnings


def file_redemption(world: World, **cells: object) -> Told:
    """A card of 50 and a row that asks for 10 of it, unless `cells` say otherwise."""
    card = world.shop.issue_card(code=CODE, amount=LOADED)
    row_id = world.ask(**({"Gift_Card_Code": CODE, "Amount": 10} | cells))
    return Told(card.id, row_id)


def file_twice(world: World) -> Told:
    """A redemption that was served, and the same form a minute later."""
    first = file_redemption(world)
    world.serve()
    world.come_to_rest()
    return Told(first.card_id, world.ask(Gift_Card_Code=CODE, Amount=10))


def file_before_an_outage(world: World) -> Told:
    """A row that waited longer than the patience."""
    told = file_redemption(world)
    world.advance(world.config.patience_seconds + 1)
    return told


def lose_reply(world: World) -> Told:
    """The debit will be applied, and its reply lost."""
    world.shop.faults.add(Fault.DROP_REPLY, operation="giftCardDebit")
    return file_redemption(world)


def fail_debit(world: World) -> Told:
    """The debit will not be applied, and nobody can know."""
    world.shop.faults.add(Fault.FAIL_BEFORE, operation="giftCardDebit")
    return file_redemption(world)


def nearly_park(world: World) -> Told:
    """Our reference stands on another amount, which nobody can explain; one failure to go."""
    told = file_redemption(world)
    world.effects.kill_on = {"DebitCard": "before"}
    world.tick()
    world.shop.debit(told.card_id, amount=Decimal(7), note=told.key)
    for _ in range(MINUTES_TO_PARK):
        if operation_of(world, told).failures == 5:
            return told
        a_minute(world)
    raise AssertionError("the operation never came near to being parked")


# ------------------------------------------------------------------------------------ the steps


def serve(world: World) -> None:
    """A minute of a healthy shop."""
    world.serve()


def a_minute(world: World) -> None:
    """A minute in which runs may fail for want of a person."""
    world.advance(60)
    with suppress(NeedsAPerson):
        world.tick()
    world.sweep()
    world.drain()


def some_minutes(world: World) -> None:
    """Minutes in which runs may fail for want of a person, each with all that follows from it."""
    for _ in range(MINUTES_OF_TROUBLE):
        with suppress(NeedsAPerson):
            world.tick()
        world.drain()
        world.advance(60)


def come_to_rest(world: World) -> None:
    """All that time brings."""
    world.come_to_rest()


def approve(world: World) -> None:
    """The office looks at the one row and approves it."""
    (row,) = world.base.table("Redemptions").records()
    world.base.table("Redemptions").update(row["id"], {"Approved": True})


def be_parked(world: World) -> None:
    """The last failure comes, and the operation is parked."""
    for _ in range(MINUTES_TO_PARK):
        a_minute(world)
        if world.journal.parked(now=now(), limit=1):
            return
    raise AssertionError("the operation was never parked")


def decide(decision: str) -> Step:
    """A person looks and decides; a command that was cut off is given again."""

    def step(world: World) -> None:
        (parked,) = world.journal.parked(now=now(), limit=2)
        wanted = argparse.Namespace(key=parked.key, decision=decision)
        for _ in range(TRIES_TO_DECIDE):
            if world.work(lambda app: park_decide(app, wanted)) is not None:
                world.drain()
                return
        raise AssertionError("nobody could decide")

    return step


STORIES = {
    "redeemed": Story(
        begin=file_redemption,
        steps=[serve],
        outcome=Outcome.REDEEMED,
        also=frozenset({Outcome.NOT_CHARGED}),
    ),
    "refused": Story(
        begin=lambda world: file_redemption(world, Amount=60),
        steps=[serve],
        outcome=Outcome.INSUFFICIENT_BALANCE,
    ),
    "mistyped": Story(
        begin=lambda world: file_redemption(world, Gift_Card_Code="WXYZ"),
        steps=[serve],
        outcome=Outcome.CODE_FORMAT_INCORRECT,
        has_card=False,
    ),
    "nobody's code": Story(
        begin=lambda world: file_redemption(world, Gift_Card_Code=UNKNOWN),
        steps=[serve],
        outcome=Outcome.CODE_NOT_FOUND,
        has_card=False,
    ),
    "filed twice": Story(
        begin=file_twice,
        steps=[serve],
        outcome=Outcome.POSSIBLE_DUPLICATE,
        spent_before=10,
    ),
    "held, then approved": Story(
        begin=file_before_an_outage,
        steps=[serve, come_to_rest, approve, serve],
        outcome=Outcome.REDEEMED,
        also=frozenset({Outcome.NOT_CHARGED}),
    ),
    "a lost reply, then found": Story(
        begin=lose_reply,
        steps=[serve, come_to_rest],
        outcome=Outcome.REDEEMED,
        also=frozenset({Outcome.NOT_CHARGED}),
    ),
    "a lost reply, then not charged": Story(
        begin=fail_debit, steps=[serve, come_to_rest], outcome=Outcome.NOT_CHARGED
    ),
    "parked, then decided as charged": Story(
        begin=nearly_park,
        steps=[be_parked, decide("charged")],
        outcome=Outcome.REDEEMED,
        amount=7,
        decided_by_a_person=True,
    ),
    "parked, then decided as not charged": Story(
        begin=nearly_park,
        steps=[be_parked, decide("not-charged")],
        outcome=Outcome.NOT_CHARGED,
        spent_before=7,  # by the debit that nobody could explain
        decided_by_a_person=True,
    ),
}


# ------------------------------------------------------------------------------------ the promises


def operation_of(world: World, told: Told) -> Operation:
    """The operation as the journal has it."""
    operation = world.journal.load(told.key)
    assert operation is not None, "the journal does not know the redemption"
    return operation


def check(world: World, story: Story, told: Told) -> Outcome:
    """The promises that hold whatever died when; returns the outcome."""
    answer = world.row(told.row_id).get("Outcome")
    assert answer, "the row was never answered"
    outcome = Outcome(answer)
    assert outcome is story.outcome or outcome in story.also, f"the store read {outcome}"
    check_journal(world, story, told, outcome)
    check_card(world, story, told, outcome)
    check_mails(world, told)
    check_airtable(world, story, told)
    return outcome


def check_journal(world: World, story: Story, told: Told, outcome: Outcome) -> None:
    """The operation is settled and answered, and nothing is left to do."""
    operation = operation_of(world, told)
    assert operation.state is State.SETTLED
    assert operation.answered_at is not None
    assert operation.result is not None
    assert operation.result.outcome == outcome
    if outcome is Outcome.NOT_CHARGED and not story.decided_by_a_person:
        # Said only where a debit may have been sent, and once it cannot be applied any more.
        assert operation.sent_at is not None
        settling = timedelta(seconds=world.config.settling_seconds)
        assert operation.result.decided_at - operation.sent_at >= settling
    dead_letters = [name for name in world.queue_urls if name.endswith("DeadLetters")]
    assert dead_letters
    assert not [body for name in dead_letters for body in world.queued_in(name)]


def check_card(world: World, story: Story, told: Told, outcome: Outcome) -> None:
    """One debit or none, and the balance that goes with it."""
    card = world.shop.card(told.card_id)
    debits = [t for t in card.transactions if t.note == told.key]
    if not story.decided_by_a_person:
        assert len(debits) == (1 if outcome is Outcome.REDEEMED else 0)
    taken = story.amount if outcome is Outcome.REDEEMED else 0
    assert card.balance == LOADED - story.spent_before - taken


def check_mails(world: World, told: Told) -> None:
    """One answer: mailed at least once, never another one, and no "please wait" after it."""
    about_it = [mail for mail in world.mails() if told.row_id in mail.body]
    waits = [i for i, mail in enumerate(about_it) if mail.subject.startswith("Please wait")]
    answers = [i for i, mail in enumerate(about_it) if told.key in mail.body and i not in waits]
    assert answers, "the store was never answered"
    subjects = {about_it[i].subject for i in answers}
    assert len(subjects) == 1, f"the store read different answers: {subjects}"
    assert all(wait < answers[0] for wait in waits), "asked to wait after the answer"
    # Killed between SES and our note, the same answer goes out again.
    assert len(answers) <= 1 + world.effects.deaths


def check_airtable(world: World, story: Story, told: Told) -> None:
    """The row is done and shows no code, there is one receipt, and the card's mirror is in step."""
    row = world.row(told.row_id)
    assert row["Status"] == "Processed"
    assert CODE not in str(row["Gift Card Code"]).lower()
    receipts = [one for one in world.cells("Receipts") if one["Operation"] == told.key]
    assert len(receipts) == 1
    assert "Answered after" in receipts[0]["Details"]
    if story.has_card:
        (mirror,) = world.cells("Gift Cards")
        assert Decimal(str(mirror["Balance"])) == world.shop.card(told.card_id).balance
        assert row["Gift Card"]
