"""Compares the journal, Shopify and Airtable, once a day and whenever somebody asks."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from giftcards.wiring import application


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:  # noqa: ARG001 - a timer has nothing to say
    """Take a turn at the comparison that is under way, or begin one if it is time."""
    app = application()
    return {"reconcile": app.reconcile().run(app.deadline(context))}
