"""A shop in a box and our client for it, in one process."""

import pytest

from tests.clients.shopify.counter import Counter, open_counter


@pytest.fixture
def counter() -> Counter:
    return open_counter()
