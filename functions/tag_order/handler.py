"""Tags orders at Shopify whose cards are ordered, for eyes and for a shorter search."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from giftcards.flows.messages import take_each
from giftcards.wiring import application


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Tag each order named in the batch; what fails comes back soon."""
    app = application()
    deadline = app.deadline(context)
    flow = app.tag_orders()
    return take_each(
        event,
        lambda message: flow.tag(message["operation"], deadline=deadline),
        retry_soon=app.queues.retry_tag_soon,
        logger=app.logger,
        note_failed=app.note_failed_message,
    )
