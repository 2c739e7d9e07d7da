"""The one table, as the template defines it."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from giftcards.store.table import Table
from tests.cloudformation import load_template


def create_journal(aws: boto3.session.Session, *, endpoint_url: str | None = None) -> Table:
    """Create the template's table and return ours on top of it."""
    journal = load_template()["Resources"]["Journal"]["Properties"]
    client = aws.resource("dynamodb", endpoint_url=endpoint_url).meta.client
    client.create_table(
        TableName="journal",
        BillingMode=journal["BillingMode"],
        KeySchema=journal["KeySchema"],
        AttributeDefinitions=journal["AttributeDefinitions"],
        GlobalSecondaryIndexes=journal["GlobalSecondaryIndexes"],
    )
    return Table(client, name="journal")


@pytest.fixture
def table() -> Iterator[Table]:
    with mock_aws():
        yield create_journal(boto3.session.Session(region_name="us-east-1"))
