"""Gives money back to cards, and takes returned cards out of use."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from giftcards.flows.messages import take_each
from giftcards.wiring import application


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Adjust the balance that each message of the batch names; what fails comes back soon."""
    app = application()
    deadline = app.deadline(context)
    flow = app.adjust_balance()
    return take_each(
        event,
        lambda message: flow.adjust(message["operation"], deadline=deadline),
        retry_soon=app.queues.retry_adjust_soon,
        logger=app.logger,
        note_failed=app.note_failed_message,
    )
