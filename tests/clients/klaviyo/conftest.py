"""An account in a box and our client for it, in one process."""

import pytest

from tests.clients.klaviyo.desk import Desk, open_desk


@pytest.fixture
def desk() -> Desk:
    return open_desk()
