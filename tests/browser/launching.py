"""Fixtures that let Playwright's plugin drive the Chromium of this machine."""

from typing import Any

import pytest

from sandbox.chromium import find_chromium

# No sandbox: Chromium refuses its own where tests run as root, and the pages are ours alone.
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


@pytest.fixture(scope="session")
def base_url() -> str | None:
    """No common address: each test names its own. The plugin's fixture would warn of itself."""
    return None


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return browser_type_launch_args | {"executable_path": find_chromium(), "args": ARGUMENTS}
