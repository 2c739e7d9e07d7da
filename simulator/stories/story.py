"""What a story is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from giftcards.store.journal import Operation
from giftcards.wiring import Application
from simulator.faults import HOUR, Kind, Planned

if TYPE_CHECKING:
    from simulator.world import World

type Promise = Callable[["World"], Iterator[str]]
type Act = Callable[["World"], None]
type Settle = Callable[["World", Application, Operation], None]


@dataclass(frozen=True, kw_only=True)
class Story:
    """What people do: at the beginning, as accidents, and once all is at rest.

    `begin` may draw from the history's chance. `accidents` are what people can do at an effect.
    `window` has the effects at which accidents come in threes, or of a pair in fours, from the
    first of them that comes to the last. `given` are accidents that belong to the story, unless
    another comes in their place. `own_from` is the moment, in microseconds, at which what the story
    is about begins: all doubles come from there on, since what was before has stories of its own.
    `is_approved`: the office has its word in the story, so accidents go on behind it; `is_pair`
    that two operations meet on one card; `is_day` that it is a long one; `is_on_web` that the web
    shop's two prongs are at work, too.
    """

    words: str
    begin: Callable[["World", Random], None]
    accidents: dict[Kind, Act] = field(default_factory=dict)
    given: tuple[Planned, ...] = ()
    own_from: int = 0
    longest: int = 4 * HOUR
    window: tuple[str, ...] | None = None
    is_approved: bool = False
    is_pair: bool = False
    is_day: bool = False
    is_on_web: bool = False

    def happen(self, world: "World", kind: Kind) -> None:
        """Somebody does what people do in this story."""
        self.accidents[kind](world)
