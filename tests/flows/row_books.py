"""Compare the books of rows by their phases alone, as a run does it, in one go."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from giftcards.domain.drift import Difference
from giftcards.flows.reconcile.phase import Ending, Part, Phase, Run, Step, card_number
from giftcards.flows.write_again import WRITE_AGAIN_SECONDS
from giftcards.wiring import now
from tests.world import World

MOST_STEPS = 1_000


def let_it_be_old(world: World) -> None:
    """Let pass what the writer may be behind."""
    world.advance(WRITE_AGAIN_SECONDS + 1)


def compare(world: World, *, twice: bool = True) -> list[tuple[Phase, Difference]]:
    """Every difference of the phases about rows, with its phase; what a second look confirms."""
    seen: dict[str, set[int]] = {"rows of cards": set()}
    run = run_of(world, seen=seen)
    found = list[tuple[Phase, Difference]]()
    for phase in phases(world):
        steps = walk(phase, run)
        seen[phase.name] = {number for step in steps for number in step.seen}
        first = list(dict.fromkeys(one for step in steps for one in step.found))
        if twice and first:
            again = phase.judge_again(run, first)
            first = [one for one in first if one in again]
        found += [(phase, one) for one in first]
    return found


def phases(world: World) -> Sequence[Phase]:
    """The phases about rows."""
    return world.app.row_phases(world.app.airtable(world.app.reconcile_pace))


def run_of(world: World, *, seen: dict[str, set[int]] | None = None) -> Run:
    """A run that begins now; without `seen`, one whose phases have seen nothing."""
    cards = {card_number(card.id) for card in world.shop.cards}
    known: Callable[[str], set[int]] = lambda _: set()  # noqa: E731 - a run that saw nothing
    if seen is not None:
        seen["cards"] = cards
        known = seen.__getitem__
    return Run(
        id="20261123T1500Z-1",
        began_at=now(),
        since=None,
        reads_all=False,
        deadline=now() + timedelta(seconds=240),
        seen=known,
    )


def walk(phase: Part, run: Run) -> list[Step]:
    """All steps of a part."""
    steps, cursor = list[Step](), None
    for _ in range(MOST_STEPS):
        step = phase.step(run, cursor)
        steps.append(step)
        cursor = step.next
        if cursor is None:
            return steps
    raise AssertionError(f"{phase.name} never ends")


def differences(world: World, *, twice: bool = True) -> list[Difference]:
    """What `compare` finds, without the phases."""
    return [one for _, one in compare(world, twice=twice)]


def put_right(world: World) -> Sequence[Ending]:
    """Find all and put it right, with all that follows; how each ended."""
    endings = [phase.put_right(one).ending for phase, one in compare(world)]
    world.drain()
    return endings
