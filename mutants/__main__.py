"""`make mutants`: break every guard once, and see a test go red."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

from mutants.catalogue import MUTANTS
from mutants.mutant import Mutant
from mutants.verdict import why_not_green, why_not_killed
from mutants.workshop import WORKERS, WorkshopError, copied_tree, run_mutant, run_unbroken


def main() -> int:
    """Run the mutants, all or one; 0 where each was killed."""
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="run only these (code-*,cap-*)")
    options = parser.parse_args()
    chosen = chosen_by(options.only or "*")
    if not chosen:
        say("no such mutant; there are: " + ", ".join(mutant.name for mutant in MUTANTS))
        return 2
    return run(chosen)


def chosen_by(patterns: str) -> list[Mutant]:
    """The mutants of these names; `code-*` are all that begin so."""
    return [
        mutant
        for mutant in MUTANTS
        if any(fnmatch(mutant.name, pattern) for pattern in patterns.split(","))
    ]


def run(mutants: Sequence[Mutant]) -> int:
    """Make sure that the tests are green on the code as it is, then break it, one by one."""
    began = time.monotonic()
    tests = list(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
    say(f"{len(tests)} tests on the code as it is")
    with copied_tree() as tree:
        unbroken = run_unbroken(tree, tests)
        say(f"what they tested: {unbroken.code}")
        problem = why_not_green(tests, unbroken)
        if problem is not None:
            say(f"not green before anything is broken: {problem}")
            return 2
        tried = _try_all(mutants, tree)
    survivors = [one.name for one in tried if one.problem is not None]
    told = {
        "mutants": len(mutants),
        "killed": len(mutants) - len(survivors),
        "survivors": survivors,
        "seconds": round(time.monotonic() - began),
        "processor_seconds": round(
            unbroken.processor_seconds + sum(one.processor_seconds for one in tried)
        ),
    }
    say(json.dumps(told))
    return 1 if survivors else 0


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one mutant; `problem` says why it counts as not noticed."""

    name: str
    problem: str | None
    processor_seconds: float = 0.0


def _try_all(mutants: Sequence[Mutant], tree: Path) -> list[Tried]:
    """Try each in a copy of `tree`, and say of each what became of it."""
    tried = []
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        for one in pool.map(partial(_try, source=tree), mutants):
            if one.problem is None:
                say(f"killed    {one.name}")
            else:
                say(f"SURVIVED  {one.name}: {one.problem}")
            tried.append(one)
    return tried


def _try(mutant: Mutant, source: Path) -> Tried:
    try:
        ran = run_mutant(mutant, source)
    except (ValueError, WorkshopError) as error:
        return Tried(mutant.name, str(error))
    return Tried(mutant.name, why_not_killed(mutant, ran), ran.processor_seconds)


def say(text: str) -> None:
    """Tell the person at the terminal, at once."""
    print(text, flush=True)  # noqa: T201 - a program that speaks to people


if __name__ == "__main__":
    sys.exit(main())
