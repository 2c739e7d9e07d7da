"""What a run came to, in one line of JSON for machines: the last line that it prints."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from simulator.explore import Tally
from simulator.faults import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLine:
    """The facts of a run.

    histories              told to the end, long days apart
    days                   long days
    effects                calls to the outside in all of them, while accidents could happen
    faults                 how often each kind of accident happened; 0 for one that never did
    violations             how many histories broke each promise, by its name; empty is good
    compared               histories at whose end the books were compared, since only that can find
                           what went wrong in them
    effects_never_struck   the effects that no accident ever met
    kinds_never_met        the kinds of accidents that met no effect, where all stories were told
    seconds                from the beginning to the end, by the clock on the wall
    processor_seconds      of all processes together, telling
    seed                   the one that tells the same histories again
    """

    histories: int
    days: int
    effects: int
    faults: Mapping[str, int]
    violations: Mapping[str, int]
    compared: int
    effects_never_struck: Sequence[str]
    kinds_never_met: Sequence[str]
    seconds: float
    processor_seconds: float
    seed: int

    @property
    def is_good(self) -> bool:
        """Whether no promise was broken, and nothing went by without an accident."""
        return not (self.violations or self.effects_never_struck or self.kinds_never_met)

    def __str__(self) -> str:
        return json.dumps(asdict(self))


def last_line(tally: Tally, *, needs_all_kinds: bool, seconds: float, seed: int) -> LastLine:
    """The facts of what was told."""
    return LastLine(
        histories=tally.total,
        days=tally.histories["days"],
        effects=tally.effects,
        faults={kind.value: tally.accidents[kind] for kind in sorted(Kind)},
        violations=dict(sorted(tally.broken.items())),
        compared=tally.compared,
        effects_never_struck=tally.unstruck,
        kinds_never_met=tally.never_met if needs_all_kinds else (),
        seconds=round(seconds, 1),
        processor_seconds=round(sum(tally.processor_seconds.values()), 1),
        seed=seed,
    )
