"""Sends customers what they wait for (cards, news, balances), and notes mails that came back."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from giftcards.flows.messages import take_each
from giftcards.wiring import application


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Deliver each thing named in the batch; what fails comes back soon."""
    app = application()
    return take_each(
        event,
        app.serve_customers().take,
        retry_soon=app.queues.retry_delivery_soon,
        logger=app.logger,
        note_failed=app.note_failed_message,
        late=app.late_deliveries,
    )
