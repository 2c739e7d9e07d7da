"""`make mutants`: break every guard once, and see a test go red."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch

from mutants.catalogue import MUTANTS
from mutants.mutant import Mutant
from mutants.table import DOCUMENT, write_table
from mutants.verdict import why_not_green, why_not_killed
from mutants.workshop import WorkshopError, run_mutant, run_unbroken

# A laptop has two cores at least, and a mutant's tests are busy with one.
WORKERS = 2


def main() -> int:
    """Run the mutants, all or one; 0 where each was killed."""
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="run only these (code-*,cap-*)")
    parser.add_argument("--table", action="store_true", help=f"write the table in {DOCUMENT.name}")
    options = parser.parse_args()
    if options.table:
        write_table(MUTANTS)
        return 0
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
    unbroken = run_unbroken(tests)
    say(f"what they tested: {unbroken.code}")
    problem = why_not_green(tests, unbroken)
    if problem is not None:
        say(f"not green before anything is broken: {problem}")
        return 2
    survivors = []
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        for mutant, problem in zip(mutants, pool.map(_try, mutants), strict=True):
            if problem is None:
                say(f"killed    {mutant.name}")
            else:
                survivors.append(mutant.name)
                say(f"SURVIVED  {mutant.name}: {problem}")
    told = {
        "mutants": len(mutants),
        "killed": len(mutants) - len(survivors),
        "survivors": survivors,
        "seconds": round(time.monotonic() - began),
    }
    say(json.dumps(told))
    return 1 if survivors else 0


def _try(mutant: Mutant) -> str | None:
    try:
        return why_not_killed(mutant, run_mutant(mutant))
    except (ValueError, WorkshopError) as error:
        return str(error)


def say(text: str) -> None:
    """Tell the person at the terminal, at once."""
    print(text, flush=True)  # noqa: T201 - a program that speaks to people


if __name__ == "__main__":
    sys.exit(main())
