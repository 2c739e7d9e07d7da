"""The stores' prong: answers what shops filed in Airtable, every few seconds."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from giftcards.wiring import STORES_PRONG, application


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """Take a tick: EventBridge's minute, or one of our own delayed messages."""
    app = application()
    deadline = app.deadline(context)
    end = app.tick(STORES_PRONG).take(
        event, lambda offset: app.serve_counter().run(deadline, offset_seconds=offset)
    )
    return {"tick": end}
