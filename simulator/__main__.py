"""`make simulate`: tell histories, and look at every promise at the end of each."""

import argparse
import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch

from simulator import explore
from simulator.explore import SHARES, Piece, Strikes, Tally
from simulator.history import Spec, tell
from simulator.last_line import last_line
from simulator.shrink import PYTHON, in_words, shrink
from simulator.stories import STORIES
from simulator.world import World

HISTORIES = 100_000
DAYS = 500

# Somebody who waits for a million histories wants to see that they go on.
SAYS_EVERY_SECONDS = 60

type Work = Callable[[Sequence[Piece | Strikes]], None]

# A world is made once for each process.
_worlds: list[World] = []


def main() -> int:
    """Run it; 0 where no promise was broken, and every effect and every kind of accident struck."""
    parser = argparse.ArgumentParser(prog=f"{PYTHON} -m simulator", description=__doc__)
    parser.add_argument("--histories", type=int, default=HISTORIES)
    parser.add_argument("--days", type=int, default=DAYS, help="long days, counted apart")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--stories", default="*", help="only these (redeem,sell-*)")
    parser.add_argument(
        "--all",
        choices=("singles", "doubles", "triples", "pairs"),
        help="of the stories, nothing else",
    )
    parser.add_argument(
        "--part", type=a_part, default=(1, 1), help="of --all: 2/5 is the second fifth"
    )
    parser.add_argument("--first", action="store_true", help="stop at the first broken promise")
    parser.add_argument("--replay", metavar="HISTORY", help="tell this one again, in words")
    parser.add_argument("--coverage", action="store_true", help="show which accident met what")
    options = parser.parse_args()
    if options.replay:
        told = tell(world(), Spec.read(options.replay))
        say(in_words(told))
        return 1 if told.violations else 0
    return run(options)


def run(options: argparse.Namespace) -> int:
    """Tell what is asked for, and say what came of it."""
    began = time.monotonic()
    tally = Tally()
    names = chosen(options.stories)
    with side_by_side(options.processes) as tell_all:

        def work(pieces: Sequence[Piece | Strikes]) -> None:
            if options.first and tally.broken:
                return
            said = time.monotonic()
            for part in tell_all(pieces):
                tally.add(part)
                if options.first and tally.broken:
                    return
                if time.monotonic() - said > SAYS_EVERY_SECONDS:
                    said = time.monotonic()
                    say(f"{said - began:6.0f} s  {tally.total:,} histories")
            if pieces:
                passed = time.monotonic() - began
                say(f"{passed:6.0f} s  {tally.total:,} histories, {pieces[-1].kind} are told")

        if options.all:
            tell_every_one(options, names, work)
        else:
            tell_some(options, names, work, tally)
        explore.strike(tally, work)
    return report(tally, options, seconds=time.monotonic() - began)


def tell_some(options: argparse.Namespace, names: Sequence[str], work: Work, tally: Tally) -> None:
    """Tell so many histories: singles first, and the others on top of them."""
    wanted, seed = options.histories, options.seed
    work(explore.singles(world(), seed, names, wanted=wanted))
    left = max(0, wanted - tally.total)
    pieces: list[Piece] = []
    for kind in ("doubles", "triples"):
        budget = round(left * SHARES[kind])
        pieces += explore.sampled(kind, world(), names, seed=seed, budget=budget)
    work(pieces + explore.pairs(world(), seed, names, round(left * SHARES["pairs"])))
    work(explore.by_chance(world(), seed, names, max(0, wanted - tally.total)))
    work(explore.days(seed, names, options.days))


def tell_every_one(options: argparse.Namespace, names: Sequence[str], work: Work) -> None:
    """Tell all singles, doubles, triples or pairs of some stories, or the given part of them."""
    part, parts = options.part
    pieces = {name: explore.every(options.all, world(), name, seed=options.seed) for name in names}
    if not any(pieces.values()):
        raise SystemExit(f"none of these stories has {options.all} that can all be told")
    for some in pieces.values():
        work(some[part - 1 :: parts])


def a_part(text: str) -> tuple[int, int]:
    """`2/5` is the second of five parts."""
    part, parts = map(int, text.split("/"))
    if not 1 <= part <= parts:
        raise argparse.ArgumentTypeError(f"{text} is no part of anything")
    return part, parts


def chosen(patterns: str) -> list[str]:
    """The stories of these names; `redeem*` are all that begin so."""
    names = [name for name in STORIES if any(fnmatch(name, p) for p in patterns.split(","))]
    if not names:
        raise SystemExit(f"no such story; there are: {', '.join(STORIES)}")
    return names


@contextmanager
def side_by_side(
    processes: int,
) -> Iterator[Callable[[Iterable[Piece | Strikes]], Iterator[Tally]]]:
    """What tells pieces in so many processes, in whatever order they end."""
    if processes == 1:
        yield lambda pieces: map(tell_piece, pieces)
        return
    with multiprocessing.get_context("fork").Pool(processes, initializer=prepare) as pool:
        yield lambda pieces: pool.imap_unordered(tell_piece, pieces)


def prepare() -> None:
    """Make this process's world before its first piece of work."""
    world()


def world() -> World:
    """This process's world; what it is made of never goes away, so nobody has to look for it."""
    if not _worlds:
        _worlds.append(World())
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
    return _worlds[0]


def tell_piece(piece: Piece | Strikes) -> Tally:
    """Do one piece of work."""
    return piece.tell(world())


def report(tally: Tally, options: argparse.Namespace, *, seconds: float) -> int:
    """Say what was found; the last line is JSON."""
    for line in coverage(tally) if options.coverage else ():
        say(line)
    for kind, count in sorted(tally.histories.items()):
        of = f" of about {tally.possible[kind]:,}" if kind in tally.possible else ""
        each = 1000 * tally.processor_seconds.get(kind, 0.0) / count
        say(f"{kind}: {count:,}{of}, {each:.1f} ms of processor each")
    shown: set[frozenset[str]] = set()
    for text, violations in tally.violations:
        broken = frozenset(name for name, _ in violations)
        if broken not in shown:
            shown.add(broken)
            say(in_words(shrink(world(), Spec.read(text), broken)))
    for effect in tally.unstruck:
        say(f"no accident ever met “{effect}”")
    # A few stories need not have room for every kind.
    is_whole = not options.all and chosen(options.stories) == list(STORIES)
    facts = last_line(tally, needs_all_kinds=is_whole, seconds=seconds, seed=options.seed)
    for kind in facts.kinds_never_met:
        say(f"“{kind}” never met anything")
    say(str(facts))
    return 0 if facts.is_good else 1


def coverage(tally: Tally) -> Iterator[str]:
    """How often each kind of accident met each effect."""
    for effect in sorted(tally.seen):
        met = {kind: n for (where, kind), n in sorted(tally.struck.items()) if where == effect}
        told = ", ".join(f"{kind} {n}" for kind, n in met.items())
        yield f"{effect} ({tally.seen[effect]}): {told or 'never struck'}"


def say(text: str) -> None:
    """Tell the person at the terminal, at once."""
    print(text, flush=True)  # noqa: T201 - a program that speaks to people


if __name__ == "__main__":
    sys.exit(main())
