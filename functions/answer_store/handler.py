"""Mails stores how their requests ended."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from giftcards.flows.messages import keep_while_alive, take_each
from giftcards.wiring import application


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer each operation named in the batch; what fails comes back soon."""
    app = application()
    keep_while_alive(
        event,
        app.queues.keep_answer,
        milliseconds_left=context.get_remaining_time_in_millis(),
        logger=app.logger,
    )
    flow = app.answer_store()
    return take_each(
        event,
        lambda message: flow.answer(message["operation"]),
        retry_soon=app.queues.retry_answer_soon,
        logger=app.logger,
        note_failed=app.note_failed_message,
        late=app.late_answers,
    )
