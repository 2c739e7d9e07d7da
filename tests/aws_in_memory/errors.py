"""How AWS says no, and how this AWS says that it does not know."""

from typing import Any

from botocore.exceptions import ClientError


class UnknownHereError(NotImplementedError):
    """Nobody has taught the AWS in memory this yet: teach it, and the contract suite with it."""


def refusal(
    operation: str, code: str, message: str, *, status: int = 400, **details: Any
) -> ClientError:
    """AWS's refusal of `operation` as boto3 raises it."""
    reply: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": 0},
    } | details
    return ClientError(reply, operation)


def invalid(operation: str, message: str) -> ClientError:
    """DynamoDB's, SES's and KMS's word for a request that makes no sense."""
    return refusal(operation, "ValidationException", message)


def known_only(given: Any, known: set[str], what: str) -> None:
    """Raise `UnknownHereError` where a nested parameter has a part we would ignore."""
    if unknown := set(given) - known:
        raise UnknownHereError(f"{what} with {sorted(unknown)}")
