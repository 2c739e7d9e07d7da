"""Finds things in the template by what they are, so that a new one is checked unasked."""

from collections.abc import Mapping
from typing import Any

Resource = dict[str, Any]

FUNCTION = "AWS::Serverless::Function"
QUEUE = "AWS::SQS::Queue"
ALARM = "AWS::CloudWatch::Alarm"
ROLE = "AWS::IAM::Role"
LOG_GROUP = "AWS::Logs::LogGroup"


def of_type(template: Mapping[str, Any], kind: str) -> dict[str, Resource]:
    """The properties of all resources of one type, by logical id."""
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def attribute_of(value: Any) -> str:
    """The logical id in `!GetAtt X.Arn`."""
    return str(value["Fn::GetAtt"][0])


def reference_to(value: Any) -> str:
    """The logical id in `!Ref X`."""
    return str(value["Ref"])


def work_queues(template: Mapping[str, Any]) -> dict[str, Resource]:
    """The queues that functions read, by logical id."""
    return {
        name: queue for name, queue in of_type(template, QUEUE).items() if "RedrivePolicy" in queue
    }


def dead_letter_queue_of(queue: Resource) -> str:
    """The logical id of the queue's dead-letter queue."""
    return attribute_of(queue["RedrivePolicy"]["deadLetterTargetArn"])


def events(function: Resource, kind: str) -> list[Resource]:
    """The properties of a function's event sources of one kind, such as `SQS`."""
    return [
        event["Properties"]
        for event in function.get("Events", {}).values()
        if event["Type"] == kind
    ]


def statements(role: Resource) -> list[Resource]:
    """All statements of a role's policies, those that stand under a condition as well."""
    return [
        statement["Fn::If"][1] if "Fn::If" in statement else statement
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def as_list(value: Any) -> list[Any]:
    """What CloudFormation lets one write as one thing or as several."""
    return value if isinstance(value, list) else [value]
