"""Mails stores how their requests ended."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from giftcards.flows.messages import take_each
from giftcards.wiring import application


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Answer each operation named in the batch; what fails comes back soon."""
    app = application()
    flow = app.answer_store()
    return take_each(
        event,
        lambda message: flow.answer(message["operation"]),
        retry_soon=app.queues.retry_answer_soon,
        logger=app.logger,
    )
