"""The prong of the web shop's paid orders: has the cards made that customers bought there."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from giftcards.wiring import PURCHASES_PRONG, application


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """Take a tick: EventBridge's minute, or one of our own delayed messages."""
    app = application()
    deadline = app.deadline(context)
    end = app.tick(PURCHASES_PRONG).take(
        event,
        lambda offset: app.serve_purchases().run(deadline),  # noqa: ARG005 - each look is alike
    )
    return {"tick": end}
