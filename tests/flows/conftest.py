"""A world for each test."""

from collections.abc import Iterator

import pytest

from tests.world import World, running_world


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as world:
        yield world


@pytest.fixture
def redemptions_only() -> Iterator[World]:
    """A world whose ticks on the minute look for redemptions only, as most ticks do."""
    with running_world(sale_offsets_seconds=(30,), check_offsets_seconds=(30,)) as world:
        yield world
