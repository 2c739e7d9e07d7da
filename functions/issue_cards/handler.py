"""Makes the cards that stores have sold, a slice at a time."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from giftcards.flows.messages import take_each
from giftcards.wiring import application


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take a turn at each sale named in the batch; what fails comes back soon."""
    app = application()
    deadline = app.deadline(context)
    flow = app.issue_cards()
    return take_each(
        event,
        lambda message: flow.take_turn(message["operation"], deadline=deadline),
        retry_soon=app.queues.retry_issue_soon,
        logger=app.logger,
        note_failed=app.note_failed_message,
    )
