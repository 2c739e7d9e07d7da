"""The template's table, queues and bucket, made in whatever AWS account a test has."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from tests.cloudformation import load_template

TABLE_NAME = "journal"
BUCKET_NAME = "books"


def create_journal(client: Any, *, name: str = TABLE_NAME) -> None:
    """Create the template's table."""
    journal = load_template()["Resources"]["Journal"]["Properties"]
    client.create_table(
        TableName=name,
        BillingMode=journal["BillingMode"],
        KeySchema=journal["KeySchema"],
        AttributeDefinitions=journal["AttributeDefinitions"],
        GlobalSecondaryIndexes=journal["GlobalSecondaryIndexes"],
    )


def create_bucket(client: Any, *, name: str = BUCKET_NAME) -> None:
    """Create a bucket as the template's is for whoever reads and writes whole objects."""
    client.create_bucket(Bucket=name)


def create_queues(client: Any, *, prefix: str = "") -> dict[str, str]:
    """Create the template's queues; return their addresses by the template's names."""
    described = {
        name: resource["Properties"]
        for name, resource in load_template()["Resources"].items()
        if resource["Type"] == "AWS::SQS::Queue"
    }
    urls: dict[str, str] = {}
    # Dead-letter queues have none of their own, and have to be there first.
    for name, properties in sorted(described.items(), key=lambda one: "RedrivePolicy" in one[1]):
        attributes = {
            attribute: str(properties[attribute])
            for attribute in ("VisibilityTimeout", "MessageRetentionPeriod")
            if attribute in properties
        }
        suffix = ""
        if properties.get("FifoQueue"):
            suffix = ".fifo"
            attributes["FifoQueue"] = "true"
        if "RedrivePolicy" in properties:
            attributes["RedrivePolicy"] = _redrive(client, properties["RedrivePolicy"], urls)
        reply = client.create_queue(QueueName=f"{prefix}{name}{suffix}", Attributes=attributes)
        urls[name] = reply["QueueUrl"]
    return urls


@cache
def batch_size(queue: str) -> int:
    """How many messages of a queue the template hands a function at most."""
    functions = [
        resource["Properties"]
        for resource in load_template()["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    sources = [event for one in functions for event in one.get("Events", {}).values()]
    (found,) = [
        int(source["Properties"]["BatchSize"])
        for source in sources
        if source["Type"] == "SQS"
        and source["Properties"]["Queue"] == {"Fn::GetAtt": [queue, "Arn"]}
    ]
    return found


@cache
def function_seconds(function: str) -> int:
    """How long the template lets a function run."""
    return int(load_template()["Resources"][function]["Properties"]["Timeout"])


def _redrive(client: Any, policy: Mapping[str, Any], urls: Mapping[str, str]) -> str:
    dead_letters, _ = policy["deadLetterTargetArn"]["Fn::GetAtt"]
    found = client.get_queue_attributes(QueueUrl=urls[dead_letters], AttributeNames=["All"])
    arn = found["Attributes"]["QueueArn"]
    return json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": policy["maxReceiveCount"]})
