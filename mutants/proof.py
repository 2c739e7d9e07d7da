"""`make proof`: run what proves the claims, record the last lines, and write `docs/proof.md`.

python -m mutants.proof                      the document anew, from what was recorded
python -m mutants.proof --run simulate,mutants,promises
python -m mutants.proof --run whole          only what has no record yet: hours
python -m mutants.proof --run promises       only of those mutants that have no record yet
"""

import argparse
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from mutants.catalogue import MUTANTS
from mutants.document import DOCUMENT, document
from mutants.mutant import PROJECT, Mutant
from mutants.promises import SECONDS, STORIES, broken_by
from mutants.recorded import Recorded
from mutants.whole import WHOLE
from mutants.workshop import WORKERS, WorkshopError, copied_tree, run_simulator

# As `make simulate` and `make mutants` have it; the simulator also shows what met what.
SIMULATE: Final = ("simulator", "--coverage")
MUTATE: Final = ("mutants",)

# Whoever is cut off loses no more than one of so many parts.
PARTS: Final = 8

ADDED: Final = ("histories", "days", "effects", "compared", "seconds", "processor_seconds")

# What a part was told with: once any of it changes, the parts do not make a whole. Of the sandbox
# that is what the simulator enters, and not its pages or how it is served.
TOLD_WITH: Final = (
    "functions",
    "layers/shared/giftcards",
    "sandbox/airtable",
    "sandbox/faults.py",
    "sandbox/klaviyo",
    "sandbox/shopify",
    "sandbox/wsgi.py",
    "simulator",
    "template.yaml",
    "tests/accounts.py",
    "tests/cloudformation.py",
    "tests/effects.py",
    "tests/handlers.py",
    "tests/snapshots.py",
    "tests/template_resources.py",
    "tests/web_spending.py",
    "tests/world.py",
    "tests/aws_in_memory",
)

# “prong: shopify debit_card (1,234): crash-before 5, throttled 7”
MET: Final = re.compile(r"^[a-z]+: (?P<effect>.+) \([0-9,]+\): (?P<met>[a-z]+(-[a-z]+)* [0-9].*)$")

# Of the calls of Shopify and Airtable, those that change something.
CHANGING: Final = re.compile(r" (debit_|credit_|create|deactivate_|tag_|update|delete)")
MAIL_AND_KEYS: Final = ("klaviyo ", "mail.", "code_maker.")


def main() -> int:
    """Run what was asked for, and write the document; 0 where all of it came out well."""
    parser = argparse.ArgumentParser(prog="python -m mutants.proof", description=__doc__)
    parser.add_argument("--run", default="", metavar="STEPS", help=", ".join(STEPS))
    steps = [step for step in parser.parse_args().run.split(",") if step]
    if strangers := set(steps) - STEPS.keys():
        parser.error(f"no such step: {', '.join(strangers)}")
    recorded = Recorded.read()
    went_well = True
    for step in steps:
        went_well &= STEPS[step](recorded)
        recorded.keep()
    DOCUMENT.write_text(document(MUTANTS, recorded), encoding="utf-8")
    return 0 if went_well else 1


def simulate(recorded: Recorded) -> bool:
    """Tell as many histories as `make simulate` does."""
    code, lines = run(SIMULATE)
    recorded.simulate = last_line(lines)
    recorded.coverage = coverage_in(lines)
    return code == 0


def tell_all(recorded: Recorded) -> bool:
    """Tell all doubles, triples and pairs that were not told with the code as it is.

    First those that never were. What broke a promise is not recorded.
    """
    names = {f"{kind} of {story}": (kind, story) for kind, story in WHOLE}
    recorded.whole = {name: told for name, told in recorded.whole.items() if name in names}
    code = digest()
    due = [name for name in names if recorded.whole.get(name, {}).get("told_with") != code]
    recorded.parts = {name: told for name, told in recorded.parts.items() if name.endswith(code)}
    for name in sorted(due, key=lambda name: name in recorded.whole):
        kind, story = names[name]
        if not tell_in_parts(recorded, kind, story, code=code):
            return False
    return True


def tell_in_parts(recorded: Recorded, kind: str, story: str, *, code: str) -> bool:
    """Tell one of them, and record each part; False where a promise was broken."""
    parts = {f"{kind} of {story}, {n}/{PARTS}, told with {code}": n for n in range(1, PARTS + 1)}
    for name, part in parts.items():
        if name not in recorded.parts:
            which = ("--stories", story, "--part", f"{part}/{PARTS}")
            status, lines = run(("simulator", "--all", kind, *which))
            if status != 0:
                return False
            recorded.parts[name] = last_line(lines)
            recorded.keep()
    told = together([recorded.parts.pop(name) for name in parts])
    recorded.whole[f"{kind} of {story}"] = told | {"told_with": code}
    recorded.keep()
    return True


def together(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The last line of a whole, from those of its parts; none of them broke a promise."""
    faults: Counter[str] = Counter()
    for line in lines:
        faults.update(line["faults"])
    added = {name: round(sum(line[name] for line in lines), 1) for name in ADDED}
    return {**lines[0], **added, "faults": dict(faults)}


def digest() -> str:
    """What the simulator runs, in a dozen letters and digits: code, queries, words of mails."""
    places = [PROJECT / place for place in TOLD_WITH]
    files = sorted(
        file
        for place in places
        for file in (place.rglob("*") if place.is_dir() else [place])
        if file.is_file() and file.suffix != ".pyc"
    )
    code = b"".join(str(f.relative_to(PROJECT)).encode() + f.read_bytes() for f in files)
    return sha256(code).hexdigest()[:12]


def mutate(recorded: Recorded) -> bool:
    """Break every guard once."""
    code, lines = run(MUTATE)
    recorded.mutants = last_line(lines)
    return code == 0


def find_promises(recorded: Recorded) -> bool:
    """Have the simulator look at each mutant of which it has a story, and no record yet."""
    known = {mutant.name for mutant in MUTANTS}
    recorded.promises = {name: told for name, told in recorded.promises.items() if name in known}
    due = [
        mutant
        for mutant in MUTANTS
        if mutant.guard in STORIES and mutant.name not in recorded.promises
    ]
    with copied_tree() as tree, ThreadPoolExecutor(max_workers=WORKERS) as pool:
        # A short story leaves the copy compiled.
        run_simulator(tree, stories="redeem-no-code", processor_seconds=SECONDS)
        came_to_an_end = True
        for mutant, told in zip(due, pool.map(partial(look, source=tree), due), strict=True):
            if isinstance(told, WorkshopError):
                came_to_an_end = False
                say(f"{mutant.name}: {told}")
                continue
            recorded.promises[mutant.name] = told
            recorded.keep()  # it takes long, and whoever is cut off goes on where he was
            say(f"{mutant.name}: {told or 'nothing broke'}")
    return came_to_an_end


def look(mutant: Mutant, source: Path) -> str | WorkshopError | None:
    """What the simulator finds; one that cannot be told holds up no other."""
    try:
        return broken_by(mutant, source)
    except WorkshopError as error:
        return error


STEPS: Final[Mapping[str, Callable[[Recorded], bool]]] = {
    "simulate": simulate,
    "whole": tell_all,
    "mutants": mutate,
    "promises": find_promises,
}


def run(command: Sequence[str]) -> tuple[int, list[str]]:
    """Run a module of ours, show what it says, and return how it ended and its lines."""
    lines = []
    with subprocess.Popen(  # noqa: S603 - one of the commands above, with nothing from outside
        [sys.executable, "-m", *command], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None:
            raise AssertionError("a pipe was asked for")
        for line in process.stdout:
            say(line.rstrip("\n"))
            lines.append(line.rstrip("\n"))
    return process.returncode, lines


def last_line(lines: Sequence[str]) -> dict[str, Any]:
    """The last line, which is JSON; raises `ValueError` where it is not."""
    told: dict[str, Any] = json.loads(lines[-1] if lines else "")
    return told


def coverage_in(lines: Iterable[str]) -> dict[str, dict[str, int]]:
    """How often each kind of accident met each group of effects, as the simulator's lines say."""
    met: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for effect, kind, count in accidents_in(lines):
        met[kind][group_of(effect)] += count
    return {kind: dict(sorted(counts.items())) for kind, counts in sorted(met.items())}


def accidents_in(lines: Iterable[str]) -> Iterator[tuple[str, str, int]]:
    """Which effect was met by which kind of accident, how often."""
    for line in lines:
        if match := MET.match(line):
            for told in match["met"].split(", "):
                kind, _, count = told.rpartition(" ")
                yield match["effect"], kind, int(count.replace(",", ""))


def group_of(effect: str) -> str:
    """Whom a call is to, and whether it asks or changes."""
    for vendor in ("Shopify", "Airtable"):
        if effect.startswith(vendor.lower()):
            return f"{vendor} changed" if CHANGING.search(effect) else f"{vendor} asked"
    if effect.startswith("queues."):
        return "queues"
    if effect.startswith(MAIL_AND_KEYS):
        return "mail and keys"
    return "DynamoDB read" if effect.endswith("(read)") else "DynamoDB written"


def say(text: str) -> None:
    """Tell the person at the terminal, at once."""
    print(text, flush=True)  # noqa: T201 - a program that speaks to people


if __name__ == "__main__":
    sys.exit(main())
