"""The whole system on this machine, brought up once for all tests that need it."""

from collections.abc import Iterator

import pytest

from sandbox.demo import Sandbox, running_sandbox
from tests.deployed.stack import Stack


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A seeded, deployed and running sandbox; the waits are the production defaults, except that
    all there is to look for is looked for as often as redemptions."""
    with running_sandbox() as running:
        yield running


@pytest.fixture(scope="session")
def stack(sandbox: Sandbox) -> Stack:
    """The deployed stack, as an engineer sees it."""
    return Stack(sandbox)
