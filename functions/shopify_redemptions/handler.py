"""The prong of what the web shop charged: notes what orders took off cards and gave back."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from giftcards.wiring import REDEMPTIONS_PRONG, application


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """Take a tick: EventBridge's minute, or one of our own delayed messages."""
    app = application()
    deadline = app.deadline(context)
    end = app.tick(REDEMPTIONS_PRONG).take(
        event,
        lambda offset: app.serve_spends().run(deadline),  # noqa: ARG005 - each look is alike
    )
    return {"tick": end}
