"""What the runs of a proof came to: their last lines, kept in the repository."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mutants.mutant import PROJECT

FILE = PROJECT / "mutants" / "recorded.json"


@dataclass(slots=True)
class Recorded:
    """The last lines of `make simulate` and `make mutants`, and what stands beside them.

    `whole` has the last line of each run that told all doubles, triples or pairs of a story, by its
    name; `parts` those of the parts of one that is not told to its end. `coverage` is how often
    each kind of accident met each group of effects, `promises` what the simulator found broken by
    each mutant (`None`: nothing in its time).
    """

    simulate: dict[str, Any] = field(default_factory=dict)
    whole: dict[str, dict[str, Any]] = field(default_factory=dict)
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    mutants: dict[str, Any] = field(default_factory=dict)
    coverage: dict[str, dict[str, int]] = field(default_factory=dict)
    promises: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path = FILE) -> "Recorded":
        """What was recorded before; nothing where there is no file yet."""
        return cls(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else cls()

    def keep(self, file: Path = FILE) -> None:
        """Write it down."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True)
        file.write_text(text + "\n", encoding="utf-8")
