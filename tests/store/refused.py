"""What AWS answered instead of yes."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def refusal(call: Callable[..., object], **parameters: Any) -> Any:
    """Make the call, which has to be refused; return AWS's answer."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response


def refusal_code(call: Callable[..., object], **parameters: Any) -> str:
    """The code of the refusal."""
    return str(refusal(call, **parameters)["Error"]["Code"])
