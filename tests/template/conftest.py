from typing import Any

import pytest

from tests.cloudformation import load_template

Template = dict[str, Any]


@pytest.fixture(scope="session")
def template() -> Template:
    return load_template()
