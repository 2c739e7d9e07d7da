"""A world for each test."""

from collections.abc import Iterator

import pytest

from tests.world import World, running_world


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as world:
        yield world
