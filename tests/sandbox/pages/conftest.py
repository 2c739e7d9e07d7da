"""Every test of the pages gets a little shop of its own."""

from collections.abc import Iterator

import pytest

from tests.sandbox.pages.little_shop import LittleShop, open_little_shop


@pytest.fixture
def little_shop() -> Iterator[LittleShop]:
    with open_little_shop() as opened:
        yield opened
