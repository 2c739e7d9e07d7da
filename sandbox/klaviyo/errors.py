"""How Klaviyo says no."""


class KlaviyoError(Exception):
    """A refusal: HTTP status, error code, sentence, and what in the request it is about.

    `retry_after` is the wait in seconds that a caller who was too fast is told.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        pointer: str | None = None,
        *,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.pointer = pointer
        self.retry_after = retry_after


def invalid(detail: str, pointer: str) -> KlaviyoError:
    """The refusal of one part of a request."""
    return KlaviyoError(400, "invalid", detail, pointer)
