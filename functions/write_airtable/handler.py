"""Brings Airtable up to date: rows, receipts, cards, links, status."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from giftcards.flows.messages import take_together
from giftcards.flows.write_airtable import FIRST_GROUP
from giftcards.wiring import application


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Write what the batch names, together; what fails comes back soon."""
    app = application()
    return take_together(
        event,
        app.write_airtable().write,
        first_group=FIRST_GROUP,
        free_soon=app.queues.written,
        retry_soon=app.queues.retry_write_soon,
        logger=app.logger,
        note_failed=app.note_failed_message,
    )
