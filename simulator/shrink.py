"""From a history that broke a promise to the smallest one that still does, told in plain words."""

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from simulator.faults import WORDS
from simulator.history import Spec, Told, tell
from simulator.stories import STORIES
from simulator.world import START

if TYPE_CHECKING:
    from simulator.world import World

# The interpreter of `make`, as seen from the project's folder.
PYTHON = ".venv/bin/python"

ROLES = {
    "prong": "the stores' prong",
    "orders": "the prong of the web shop's orders",
    "spends": "the prong of what the web shop charged",
    "answer": "the mailer of stores",
    "write": "the writer of Airtable",
    "issue": "the maker of cards",
    "deliver": "the sender of customers' mail",
    "adjust": "the adjuster of balances",
    "tag": "the tagger of orders",
    "sweep": "the sweep",
    "reconcile": "the comparer of the books",
    "office": "the office",
}


def shrink(world: "World", spec: Spec, broken: frozenset[str]) -> Told:
    """Leave out what is not needed: accidents one by one, then the unusual latencies."""
    best = tell(world, spec)
    if not best.broken & broken:
        return best
    for simpler in _simpler(best.spec):
        told = tell(world, simpler)
        if told.broken & broken:
            return shrink(world, told.spec, broken)
    return best


def _simpler(spec: Spec) -> list[Spec]:
    fewer = [
        replace(spec, planned=spec.planned[:place] + spec.planned[place + 1 :])
        for place in range(len(spec.planned))
    ]
    if spec.seed and not STORIES[spec.story].is_day:
        fewer.append(replace(spec, seed=0))
    return fewer


def in_words(told: Told) -> str:
    """What happened, and what was broken by it."""
    lines = [STORIES[told.spec.story].words]
    for one, us in zip(told.met, told.met_at, strict=True):
        role, _, what = one.effect.partition(": ")
        at = START + timedelta(microseconds=us)
        lines.append(f"  {at:%H:%M:%S}  {ROLES.get(role, role)}, at “{what}”, {WORDS[one.kind]}")
    lines += [f"  {name} is broken: {text}" for name, text in told.violations]
    lines.append(f"  to see it again, with {_seed_of(told.spec)}:")
    lines.append(f"  {PYTHON} -m simulator --replay '{told.spec}'")
    return "\n".join(lines)


def _seed_of(spec: Spec) -> str:
    return f"seed {spec.seed}" if spec.seed else "seed 0, by which nothing is left to chance"
