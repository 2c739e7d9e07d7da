"""A world for each test."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.world import World, running_world

# At another look than the minute's.
NOTHING_ELSE: dict[str, Any] = {
    "sale_offsets_seconds": (30,),
    "check_offsets_seconds": (30,),
    "reversal_offsets_seconds": (30,),
}


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as world:
        yield world


@pytest.fixture
def redemptions_only() -> Iterator[World]:
    """A world whose ticks on the minute look for redemptions only, as most ticks do."""
    with running_world(**NOTHING_ELSE) as world:
        yield world
