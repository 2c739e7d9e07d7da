"""A real browser: Debian's Chromium, driven by Playwright."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.server import serve
from tests.sandbox.pages.little_shop import LittleShop, open_little_shop

CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="session")
def base_url() -> str | None:
    """No common address: each test names its own. The plugin's fixture would warn of itself."""
    return None


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    # No sandbox: Chromium refuses its own where tests run as root, and the pages are ours alone.
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    return browser_type_launch_args | {"executable_path": CHROMIUM, "args": arguments}


@pytest.fixture
def little_shop() -> Iterator[LittleShop]:
    with open_little_shop(clock=lambda: datetime.now(UTC)) as opened:
        yield opened


@pytest.fixture
def address(little_shop: LittleShop) -> Iterator[str]:
    """Where the pages of `little_shop` are served."""
    with serve(little_shop.app) as url:
        yield url
