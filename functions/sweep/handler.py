"""Finishes what a crash left half done, every few minutes."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from giftcards.wiring import application


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:  # noqa: ARG001 - a timer has nothing to say
    """Go on with every operation that nobody finished."""
    app = application()
    return {"finished": app.sweep().run(app.deadline(context))}
