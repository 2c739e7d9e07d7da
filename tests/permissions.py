"""What a call of AWS needs to be allowed, and what the template's roles allow: (action, resource).

A resource is written by the template's own name for it: `Journal`, `Journal/index/due`,
`AnswerStoreQueue`. A call that is not known here is an error: nothing is let through unseen.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.template.reading import as_list, statements

type Right = tuple[str, str]

# What SES asks for where a mail is sent (Service Authorization Reference, SES v2, SendEmail).
_ARN = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}"
SENDING_MAIL: frozenset[Right] = frozenset(
    ("ses:SendEmail", f"{_ARN}:{kind}/*") for kind in ("identity", "configuration-set")
)

# A parameter of SSM, which begins with a slash, as the template writes it.
PARAMETER = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter"

# A key that codes of earlier cards came from, as the template writes it.
OLDER_KEY = "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/${OlderKey}"

# IAM's names for the calls of S3 that it names otherwise (Service Authorization Reference, S3).
S3_NAMES = {
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
    "DeleteObjects": "DeleteObject",
    "HeadBucket": "ListBucket",
}

# Of a transaction's parts (Service Authorization Reference, DynamoDB, TransactWriteItems).
PART_OF_A_TRANSACTION = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}


@dataclass(frozen=True, kw_only=True)
class Names:
    """The template's names: of queues by their addresses, of tables, keys and buckets by theirs."""

    queues: Mapping[str, str]
    tables: Mapping[str, str]
    keys: Mapping[str, str]
    buckets: Mapping[str, str]

    def rights_for(self, call: str, parameters: Mapping[str, Any]) -> Iterator[Right]:
        """What a role needs for a call such as "dynamodb GetItem" with these parameters."""
        service, _, operation = call.partition(" ")
        needs: dict[str, Callable[[str, Mapping[str, Any]], Iterator[Right]]] = {
            "dynamodb": self._table_rights,
            "sqs": self._queue_rights,
            "kms": self._key_rights,
            "s3": self._bucket_rights,
            "sesv2": _mail_rights,
            "ssm": _secret_rights,
        }
        yield from needs[service](operation, parameters)

    def _table_rights(self, operation: str, parameters: Mapping[str, Any]) -> Iterator[Right]:
        match operation:
            case "TransactWriteItems":
                for part in parameters["TransactItems"]:
                    for kind, what in part.items():
                        yield PART_OF_A_TRANSACTION[kind], self.tables[what["TableName"]]
            case "BatchGetItem" | "BatchWriteItem":
                for table in parameters["RequestItems"]:
                    yield f"dynamodb:{operation}", self.tables[table]
            case _:
                table = self.tables[parameters["TableName"]]
                index = parameters.get("IndexName")
                yield f"dynamodb:{operation}", f"{table}/index/{index}" if index else table

    def _queue_rights(self, operation: str, parameters: Mapping[str, Any]) -> Iterator[Right]:
        yield f"sqs:{operation.removesuffix('Batch')}", self.queues[parameters["QueueUrl"]]

    def _key_rights(self, operation: str, parameters: Mapping[str, Any]) -> Iterator[Right]:
        yield f"kms:{operation}", self.keys[parameters["KeyId"]]

    def _bucket_rights(self, operation: str, parameters: Mapping[str, Any]) -> Iterator[Right]:
        bucket = self.buckets[parameters["Bucket"]]
        if operation == "GetObject":
            # Who may not list a bucket is told that an object is forbidden where it is not there
            # (Amazon S3, GetObject, "Permissions").
            yield "s3:ListBucket", bucket
        action = S3_NAMES.get(operation, operation)
        yield f"s3:{action}", bucket if action == "ListBucket" else f"{bucket}/*"


def _mail_rights(operation: str, _: Mapping[str, Any]) -> Iterator[Right]:
    if operation != "SendEmail":
        raise KeyError(operation)
    yield from SENDING_MAIL


def _secret_rights(operation: str, parameters: Mapping[str, Any]) -> Iterator[Right]:
    yield f"ssm:{operation}", f"{PARAMETER}{parameters['Path']}"


def allowed_by(role: Mapping[str, Any]) -> set[Right]:
    """Every action on every resource that a role's statements allow."""
    return {
        (action, resource_name(resource))
        for one in statements(dict(role))
        for action in as_list(one["Action"])
        for resource in as_list(one["Resource"])
    }


def resource_name(value: Any) -> str:
    """`!GetAtt Journal.Arn` is Journal; `!Sub ${Journal.Arn}/index/due` is Journal/index/due."""
    if isinstance(value, str):
        return value
    if "Fn::GetAtt" in value:
        return str(value["Fn::GetAtt"][0])
    text = str(as_list(value["Fn::Sub"])[0])
    if text.startswith("${") and ".Arn}" in text:
        return text.removeprefix("${").replace(".Arn}", "", 1)
    return text
