"""AWS Lambda, as far as the command line asks it: how many workers the account may run at once."""

from typing import Any

from tests.aws_in_memory.errors import refusal

# What an account has once it is no longer new (AWS Lambda quotas).
USUAL_WORKERS = 1000


class Functions:
    """The account's quota; `workers` is `None` where whoever asks may not know it."""

    def __init__(self) -> None:
        self.workers: int | None = USUAL_WORKERS

    def get_account_settings(self) -> dict[str, Any]:
        """Return the account's limits."""
        if self.workers is None:
            raise refusal(
                "GetAccountSettings",
                "AccessDeniedException",
                "not authorized to perform: lambda:GetAccountSettings",
                status=403,
            )
        return {"AccountLimit": {"UnreservedConcurrentExecutions": self.workers}}
