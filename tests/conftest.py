"""What holds for every test: no sockets unless it says so, and no stray AWS account."""

import pytest
from hypothesis import settings
from pytest_socket import disable_socket

# A slow machine is not a defect, so examples have no deadline.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")

MAY_OPEN_SOCKETS = {"sockets", "deployed", "browser"}


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not MAY_OPEN_SOCKETS & set(item.keywords):
        disable_socket(allow_unix_socket=True)


@pytest.fixture(autouse=True)
def aws_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that open nothing, so that a forgotten fake cannot reach a real account."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
