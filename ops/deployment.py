"""Finds a deployed stack and speaks with its journal, its base and its shop as its functions do."""

from collections.abc import Mapping

import boto3
import requests
from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from giftcards.config import Config, read_airtable_names
from giftcards.errors import ConfigurationError
from giftcards.wiring import Application, now, read_secrets

# The stack's output that names the stores' prong; its settings are everybody's settings.
FUNCTION_OUTPUT = "StoreTransactionsFunction"
NAMES_OUTPUT = "AirtableNames"

# How the outputs end that name a dead-letter queue's address.
DEAD_LETTERS = "DeadLettersUrl"


def open_deployment(stack: str, aws: boto3.session.Session) -> Application:
    """The application as the stack's functions see it: same settings, same secrets.

    Raises `ConfigurationError` saying what to do where the stack cannot be found or read.
    """
    try:
        outputs = stack_outputs(stack, aws)
        names = read_airtable_names(outputs[NAMES_OUTPUT])
        reply = aws.client("lambda").get_function_configuration(
            FunctionName=outputs[FUNCTION_OUTPUT]
        )
    except KeyError as error:
        raise ConfigurationError(
            f"Stack {stack} has no output {error}: is it a stack of this application, and of"
            " this version?"
        ) from None
    except (ClientError, BotoCoreError) as error:
        raise ConfigurationError(
            f"Stack {stack} cannot be read ({error}). Check --stack, --region and --profile."
        ) from error
    config = Config.from_environment(reply["Environment"]["Variables"])
    return Application(
        config=config,
        secrets=read_secrets(aws, prefix=config.secrets_prefix),
        aws=aws,
        vendors=requests.Session(),
        clock=now,
        logger=Logger(service="ops", level="ERROR"),
        airtable_names=names,
    )


def stack_outputs(stack: str, aws: boto3.session.Session) -> dict[str, str]:
    """The stack's outputs by name."""
    reply = aws.client("cloudformation").describe_stacks(StackName=stack)
    outputs = reply["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def count_dead_letters(outputs: Mapping[str, str], aws: boto3.session.Session) -> dict[str, int]:
    """About how many messages gave up, by the queue they were in as the outputs call it."""
    sqs = aws.client("sqs")
    counts = {}
    for output, url in sorted(outputs.items()):
        if output.endswith(DEAD_LETTERS):
            about = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
            count = about["Attributes"]["ApproximateNumberOfMessages"]
            counts[output.removesuffix(DEAD_LETTERS)] = int(count)
    return counts
