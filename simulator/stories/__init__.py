"""What people do in a history. A new kind of operation is one more module here, with its promises.

A module has `STORIES` by name, `PROMISES` by name (each a function that looks at a world at rest
and tells what is broken), and `SETTLERS`: what a person does at rest about an operation of a kind
that waits for a person.
"""

from collections.abc import Mapping

from simulator.stories import (
    asking,
    buying,
    comparing,
    everywhere,
    redeeming,
    selling,
    spending,
)
from simulator.stories.story import Promise, Settle, Story

MODULES = (redeeming, selling, asking, buying, spending, comparing, everywhere)

STORIES: Mapping[str, Story] = {
    name: story for module in MODULES for name, story in module.STORIES.items()
}
PROMISES: tuple[tuple[str, Promise], ...] = tuple(
    (name, promise) for module in MODULES for name, promise in module.PROMISES
)
SETTLERS: Mapping[str, Settle] = {
    kind: settle for module in MODULES for kind, settle in module.SETTLERS.items()
}
