"""The whole system on this machine, brought up once for all tests that need it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.demo import Sandbox, running_sandbox
from sandbox.seed import Expected
from tests.deployed.stack import Stack, wait_until

HERE = Path(__file__).parent

# The rows of the day take several runs, and Airtable makes whoever is too quick wait for 30 s; what
# follows from them is written at five requests a second.
DAY_SECONDS = 240


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one stack in the order of their files.

    Pytest draws together all that share the browser, out of the middle of their modules. What a
    module has set up once would be set up twice, and what it does to the stack would come before
    the modules that look at a day in which nothing is wrong.
    """
    places = [place for place, item in enumerate(items) if HERE in item.path.parents]
    in_order = sorted((items[place] for place in places), key=lambda item: item.location[:2])
    for place, item in zip(places, in_order, strict=True):
        items[place] = item


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


@pytest.fixture(scope="session")
def day_is_over(sandbox: Sandbox, stack: Stack) -> None:
    """Every seeded row that gets an outcome has it, and all that follows from it is done.

    What is tried before that meets the day: Airtable takes five requests a second and refuses what
    comes on top, and AWS runs ten workers at once.
    """
    answered = [row.id for row in sandbox.day.rows if row.expected.is_outcome]
    redeemed = [row.id for row in sandbox.day.rows if row.expected is Expected.REDEEMED]

    def is_over() -> bool:
        rows = {row["id"]: row["fields"] for row in sandbox.base.table("Redemptions").records()}
        return (
            all("Outcome" in rows[row_id] for row_id in answered)
            and all("Gift Card" in rows[row_id] for row_id in redeemed)
            and stack.has_nothing_on_its_way()
        )

    wait_until(is_over, seconds=DAY_SECONDS, what="all rows of the day are processed")
