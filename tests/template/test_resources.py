"""What stands in the template, resource by resource."""

from typing import Any

import pytest

from tests.cloudformation import TEMPLATE
from tests.template.reading import (
    FUNCTION,
    LOG_GROUP,
    QUEUE,
    ROLE,
    as_list,
    attribute_of,
    dead_letter_queue_of,
    events,
    of_type,
    reference_to,
    statements,
    work_queues,
)

FOURTEEN_DAYS = 14 * 24 * 3600

# Resources of which a name cannot stand, each with its reason.
WILDCARDS = {
    # SES asks for the identity it sends by (the address's or its domain's), in its sandbox for the
    # recipient's too, and for the identity's configuration set; the condition pins the sender.
    (role, "Mail"): {
        "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*",
        "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:configuration-set/*",
    }
    for role in ("AnswerStoreRole", "DeliverToCustomerRole")
} | {
    # Objects are called after the runs and rows that they are about; the bucket holds nothing else.
    ("ReconcileRole", "Pieces"): {"${Books.Arn}/*"},
}

# What a new account would have to ask AWS for, or what costs money while nothing happens.
NOT_FOR_A_NEW_ACCOUNT = {
    "ReservedConcurrentExecutions",
    "ProvisionedConcurrencyConfig",
    "VpcConfig",
}


def test_the_journal_outlives_mistakes(template: dict[str, Any]) -> None:
    resource = template["Resources"]["Journal"]
    journal = resource["Properties"]

    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"
    assert journal["DeletionProtectionEnabled"] is True
    assert journal["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert journal["SSESpecification"] == {"SSEEnabled": True}
    assert journal["BillingMode"] == "PAY_PER_REQUEST"
    assert "TableName" not in journal, "a table with a name could not be retained and made anew"
    # Counts of a day expire. Operations never do: they have no such attribute (test_no_expiry.py).
    assert journal["TimeToLiveSpecification"] == {"AttributeName": "forget_at", "Enabled": True}


def test_the_journal_has_the_keys_the_store_uses(template: dict[str, Any]) -> None:
    journal = template["Resources"]["Journal"]["Properties"]
    (index,) = journal["GlobalSecondaryIndexes"]

    assert journal["KeySchema"] == [{"AttributeName": "key", "KeyType": "HASH"}]
    assert index["IndexName"] == "due"
    assert index["KeySchema"] == [
        {"AttributeName": "queue", "KeyType": "HASH"},
        {"AttributeName": "due_at", "KeyType": "RANGE"},
    ]


def test_every_queue_is_encrypted(template: dict[str, Any]) -> None:
    queues = of_type(template, QUEUE)

    assert queues
    assert all(queue["SqsManagedSseEnabled"] is True for queue in queues.values())


def test_every_queue_is_read_by_a_function_or_keeps_dead_letters(template: dict[str, Any]) -> None:
    read = {
        attribute_of(event["Queue"])
        for function in of_type(template, FUNCTION).values()
        for event in events(function, "SQS")
    }
    dead_letters = {dead_letter_queue_of(queue) for queue in work_queues(template).values()}

    assert read == set(work_queues(template)), "a queue without dead letters, or without a reader"
    assert len(dead_letters) == len(read), "each queue has dead letters of its own"
    assert read | dead_letters == set(of_type(template, QUEUE))


def test_dead_letters_keep_as_long_as_sqs_can(template: dict[str, Any]) -> None:
    queues = of_type(template, QUEUE)
    for name, queue in work_queues(template).items():
        dead_letters = queues[dead_letter_queue_of(queue)]
        assert dead_letters["MessageRetentionPeriod"] == FOURTEEN_DAYS, name
        assert dead_letters.get("FifoQueue") == queue.get("FifoQueue"), name


def test_every_function_is_one_folder_with_one_file(template: dict[str, Any]) -> None:
    code = {function["CodeUri"] for function in of_type(template, FUNCTION).values()}
    folders = [
        folder
        for folder in (TEMPLATE.parent / "functions").iterdir()
        if folder.name != "__pycache__"
    ]

    assert code == {f"functions/{folder.name}/" for folder in folders}
    for folder in folders:
        files = [file.name for file in folder.iterdir() if file.name != "__pycache__"]
        assert files == ["handler.py"], folder


def test_every_function_logs_to_a_group_that_forgets(template: dict[str, Any]) -> None:
    groups = of_type(template, LOG_GROUP)
    for name, function in of_type(template, FUNCTION).items():
        group = groups.pop(reference_to(function["LoggingConfig"]["LogGroup"]))
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}, name
        # The embedded AWS, and many an eye, look for logs under the function's own name.
        expected = f"/aws/lambda/{function['FunctionName']['Fn::Sub']}"
        assert group["LogGroupName"] == {"Fn::Sub": expected}, name
    assert not groups, "a log that no function writes"


def test_heartbeats_are_never_filtered_out_of_the_log(template: dict[str, Any]) -> None:
    # Lambda counts a line without a level, as metrics are, as INFO (AWS Lambda, log levels).
    logging = template["Globals"]["Function"]["LoggingConfig"]

    assert logging["LogFormat"] == "JSON"
    assert logging["ApplicationLogLevel"] == {"Ref": "LogLevel"}
    assert set(template["Parameters"]["LogLevel"]["AllowedValues"]) == {"DEBUG", "INFO"}


def test_every_function_has_a_role_of_its_own(template: dict[str, Any]) -> None:
    functions, roles = of_type(template, FUNCTION), of_type(template, ROLE)

    assert {name: attribute_of(function["Role"]) for name, function in functions.items()} == {
        name: f"{name}Role" for name in functions
    }
    assert set(roles) == {f"{name}Role" for name in functions}
    # AWS's managed policies for Lambda name every log and every queue of the account.
    assert not any("ManagedPolicyArns" in role for role in roles.values())


def test_no_permission_names_everything(template: dict[str, Any]) -> None:
    found: dict[tuple[str, str], set[str]] = {}
    for name, role in of_type(template, ROLE).items():
        for statement in statements(role):
            assert statement["Effect"] == "Allow"
            assert not any("*" in action for action in as_list(statement["Action"])), name
            for resource in as_list(statement["Resource"]):
                text = resource if isinstance(resource, str) else resource.get("Fn::Sub", "")
                if "*" in text:
                    found.setdefault((name, statement["Sid"]), set()).add(text)

    assert found == WILDCARDS


def test_mail_goes_out_under_one_name_only(template: dict[str, Any]) -> None:
    senders = [
        statement
        for role in of_type(template, ROLE).values()
        for statement in statements(role)
        if any(action.startswith("ses:") for action in as_list(statement["Action"]))
    ]

    assert [sender["Condition"] for sender in senders] == [
        {"StringEquals": {"ses:FromAddress": {"Ref": "MailFrom"}}},
        {"StringEquals": {"ses:FromAddress": {"Ref": "MailFrom"}}},
    ]


def test_each_role_reads_its_own_queue_only(template: dict[str, Any]) -> None:
    for name, function in of_type(template, FUNCTION).items():
        own = {attribute_of(event["Queue"]) for event in events(function, "SQS")}
        role = template["Resources"][f"{name}Role"]["Properties"]
        received = {
            attribute_of(resource)
            for statement in statements(role)
            if "sqs:ReceiveMessage" in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
        }
        assert received == own, name


def test_one_offs_report_the_messages_that_failed(template: dict[str, Any]) -> None:
    # A one-off returns what failed, of a batch of one as well; without this SQS would lose it.
    one_offs = {
        name: function
        for name, function in of_type(template, FUNCTION).items()
        if not events(function, "Schedule")
    }

    assert len(one_offs) == 6
    for name, function in one_offs.items():
        (event,) = events(function, "SQS")
        assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"], name


def test_code_is_built_for_the_processor_it_runs_on(template: dict[str, Any]) -> None:
    layer = template["Resources"]["SharedLayer"]

    assert template["Globals"]["Function"]["Architectures"] == [{"Ref": "Arch"}]
    assert template["Globals"]["Function"]["Layers"] == [{"Ref": "SharedLayer"}]
    assert layer["Metadata"] == {"BuildMethod": "python3.13", "BuildArchitecture": {"Ref": "Arch"}}
    assert layer["Properties"]["CompatibleArchitectures"] == [{"Ref": "Arch"}]
    assert template["Parameters"]["Arch"]["Default"] == "arm64"
    assert not any("Architectures" in each for each in of_type(template, FUNCTION).values())


def test_a_failed_timer_is_not_repeated(template: dict[str, Any]) -> None:
    # The next one comes by itself; Lambda would otherwise try twice more, minutes late.
    for name, function in of_type(template, FUNCTION).items():
        for event in events(function, "Schedule"):
            assert event["RetryPolicy"]["MaximumRetryAttempts"] == 0, name
            assert function["EventInvokeConfig"]["MaximumRetryAttempts"] == 0, name


@pytest.mark.parametrize("word", sorted(NOT_FOR_A_NEW_ACCOUNT))
def test_nothing_needs_more_than_a_new_account_has(template: dict[str, Any], word: str) -> None:
    assert all(
        word not in resource.get("Properties", {}) for resource in template["Resources"].values()
    )
