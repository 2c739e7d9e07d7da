"""`ops redrive`: shows what gave up, asks, and sends it again or drops it."""

import argparse
import getpass
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from giftcards.wiring import Application
from ops.dead_letters import Prospect
from ops.redrive import DONE, MOST_MESSAGES, DeadLetters, Found, Redrive
from ops.saying import fail, say

# A screen of one queue; a queue with more is mostly of one kind.
MOST_SHOWN = 30

# What sending a message again leads to, in a word.
WORDS = {
    Prospect.GOES_ON: "goes on",
    Prospect.IS_DONE: "is done",
    Prospect.IS_STUCK: "is stuck",
}


def redrive(
    app: Application, queues: Mapping[str, DeadLetters], options: argparse.Namespace
) -> int:
    """Show what lies in the dead-letter queues, and deal with it as the options say."""
    if options.queue is not None and options.queue not in queues:
        return fail(f"There is no queue {options.queue}; there are: {', '.join(queues)}.")
    if options.drop and options.queue is None:
        return fail("Say from which queue: `ops redrive QUEUE --drop ID`.")
    work = Redrive(
        sqs=app.aws.client("sqs"),
        journal=app.journal,
        drop_message=app.drop_message(),
        clock=app.clock,
    )
    chosen = [queues[options.queue]] if options.queue is not None else list(queues.values())
    looked = {queue.name: work.look(queue) for queue in chosen if _say_count(work, queue)}
    for name, found in looked.items():
        _say_found(name, found, now=app.clock())
    if options.drop:
        return _drop(work, chosen[0], looked, options)
    if options.queue is None and not options.all:
        return 0
    return _move(work, [queue for queue in chosen if queue.name in looked], looked, options)


def _say_count(work: Redrive, queue: DeadLetters) -> int:
    count = work.count(queue)
    say(f"{queue.name}: {count or 'no'} messages gave up")
    return count


def _say_found(name: str, found: Found, *, now: datetime) -> None:
    say(f"\n{name}")
    for letter, judged in found.left[:MOST_SHOWN]:
        age = _age(now - letter.sent_at)
        say(f"  {letter.id}  {age:>9}  {WORDS[judged.prospect]}: {judged.about}")
    if len(found.left) > MOST_SHOWN:
        say(f"  and {len(found.left) - MOST_SHOWN} more")
    if not found.is_all:
        say("  and what stands behind them")
    elif not found.left:
        say("  somebody else has them just now")


def _move(
    work: Redrive,
    queues: Sequence[DeadLetters],
    looked: Mapping[str, Found],
    options: argparse.Namespace,
) -> int:
    going = sum(_count(looked[queue.name], Prospect.GOES_ON) for queue in queues)
    if not going and all(looked[queue.name].is_all for queue in queues):
        say("\nNothing to be sent again. What is done or stuck is dropped with --drop.")
        return 0
    if not _may(options, f"\nSend again what goes on ({going} of those shown)? Type yes: "):
        return 1
    code = 0
    for queue in queues:
        found = work.move(queue)
        say(f"{queue.name}: {len(found.moved)} sent again, {len(found.left)} left")
        if not found.is_all:
            code = fail(
                f"{queue.name}: some were not reached. In front of them stand ten that lead to"
                f" nothing: drop those, then give the command again. More than {MOST_MESSAGES}"
                " at a time are never moved."
            )
    return code


def _drop(
    work: Redrive,
    queue: DeadLetters,
    looked: Mapping[str, Found],
    options: argparse.Namespace,
) -> int:
    which = frozenset(options.drop)
    left = looked[queue.name].left if queue.name in looked else []
    there = {letter.id for letter, _ in left}
    unknown = which - there - {DONE}
    if unknown:
        return fail(f"Not seen in {queue.name}: {', '.join(sorted(unknown))}.")
    meant = [
        one
        for one, judged in left
        if one.id in which or (DONE in which and judged.prospect is Prospect.IS_DONE)
    ]
    if not meant:
        say("\nNothing of the kind is there.")
        return 0
    if not _may(options, f"\nDrop {len(meant)} messages for good? Type yes: "):
        return 1
    found = work.drop(queue, which, by=f"{getpass.getuser()}, by ops")
    say(f"{queue.name}: {len(found.dropped)} dropped, each with a receipt.")
    return 0


def _may(options: argparse.Namespace, question: str) -> bool:
    """Whether the person wants it, who may have said so before."""
    if options.yes or input(question).strip().lower() == "yes":
        return True
    say("Nothing was changed.")
    return False


def _count(found: Found, prospect: Prospect) -> int:
    return sum(judged.prospect is prospect for _, judged in found.left)


def _age(since: timedelta) -> str:
    """How long ago, as people say it."""
    minutes = int(since.total_seconds()) // 60
    hours, days = minutes // 60, minutes // 60 // 24
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} m" if hours else f"{minutes} min"
