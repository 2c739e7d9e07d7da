"""A shop for each test."""

import pytest

from tests.sandbox.shopify.harness import Caller, open_shop


@pytest.fixture
def caller() -> Caller:
    return open_shop()
