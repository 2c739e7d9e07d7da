"""A real browser: Debian's Chromium, driven by Playwright."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sandbox.server import serve
from tests.browser.launching import base_url, browser_type_launch_args
from tests.sandbox.pages.little_shop import LittleShop, open_little_shop

__all__ = ["base_url", "browser_type_launch_args"]  # fixtures, found here by their names


@pytest.fixture
def little_shop() -> Iterator[LittleShop]:
    with open_little_shop(clock=lambda: datetime.now(UTC)) as opened:
        yield opened


@pytest.fixture
def address(little_shop: LittleShop) -> Iterator[str]:
    """Where the pages of `little_shop` are served."""
    with serve(little_shop.app) as url:
        yield url
