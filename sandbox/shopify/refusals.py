"""Shopify's "no" to a change."""

from collections.abc import Sequence


class Refusal(Exception):
    """Shopify's "no" to a change: the `userErrors` entry it answers with."""

    def __init__(self, code: str | None, message: str, at: Sequence[str]) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.at = list(at)
