"""What no resource of the template may be: public, unencrypted, kept for ever or lost by mistake.

docs/decisions.md says why these rules stand here instead of in a scanner's catalogue.
"""

import re
from collections.abc import Iterator
from typing import Any

from tests.cloudformation import TEMPLATE
from tests.permissions import resource_name
from tests.template.reading import FUNCTION, LOG_GROUP, ROLE, as_list, of_type

# The kinds of resource that the rules below were written for; a new kind needs a look at them.
KNOWN_KINDS = {
    "AWS::CloudWatch::Alarm",
    "AWS::DynamoDB::Table",
    "AWS::Events::Rule",
    "AWS::IAM::Role",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SES::ConfigurationSet",
    "AWS::SES::ConfigurationSetEventDestination",
    "AWS::SES::EmailIdentity",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::Serverless::Function",
    "AWS::Serverless::LayerVersion",
}

# Kinds that hold what could not be made again, and so must outlive the stack.
MUST_OUTLIVE = {
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SES::EmailIdentity",
}

# A key's policy speaks of that key alone: its Resource can be nothing but a star (AWS KMS, key
# policies), and the account's root in it lets IAM decide, as KMS's own default policy does.
ACCOUNT = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}

EVENT_SOURCES = {"SQS", "Schedule"}

# The statements of resources' own policies that speak of everything, by the action: the account's
# administrators look after the key, as above; and everybody is kept out who comes without TLS.
STARS = {("CodeKey", "kms:*", "Allow"), ("BooksPolicy", "s3:*", "Deny")}


def policies(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of a resource's own policy: who may reach it from outside."""
    for name, resource in template["Resources"].items():
        for key in ("PolicyDocument", "KeyPolicy"):
            for statement in resource.get("Properties", {}).get(key, {}).get("Statement", ()):
                yield name, statement


def test_only_kinds_of_resource_that_these_rules_know(template: dict[str, Any]) -> None:
    kinds = {resource["Type"] for resource in template["Resources"].values()}

    assert kinds <= KNOWN_KINDS, "no API, no function URL, no permission to invoke among them"


def test_no_function_can_be_called_from_outside(template: dict[str, Any]) -> None:
    functions = of_type(template, FUNCTION)
    kinds = {
        event["Type"]
        for function in functions.values()
        for event in function.get("Events", {}).values()
    }

    assert kinds == EVENT_SOURCES
    assert not any("FunctionUrlConfig" in function for function in functions.values())
    assert "FunctionUrlConfig" not in template["Globals"]["Function"]
    assert not re.search(r"FunctionUrl|AWS::(Serverless::(Http)?Api|ApiGateway)", text())


def test_nobody_from_outside_is_let_in_without_a_condition(template: dict[str, Any]) -> None:
    seen = 0
    for name, statement in policies(template):
        seen += 1
        if statement["Effect"] == "Deny":
            continue
        principal = statement["Principal"]
        assert "*" not in str(principal), name
        assert principal == ACCOUNT or set(principal) == {"Service"}, name
        if principal != ACCOUNT:
            conditions = str(statement["Condition"])
            assert "aws:SourceArn" in conditions or "aws:SourceAccount" in conditions, name
            assert not any("*" in action for action in as_list(statement["Action"])), name
    assert seen


def test_only_two_policies_speak_of_everything(template: dict[str, Any]) -> None:
    found = {
        (name, action, statement["Effect"])
        for name, statement in policies(template)
        for action in as_list(statement["Action"])
        if "*" in action or statement["Resource"] == "*" or "*" in str(statement["Principal"])
    }

    assert found == STARS, "docs/security.md says why these may"


def test_roles_are_for_lambda_alone(template: dict[str, Any]) -> None:
    for name, role in of_type(template, ROLE).items():
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}, name
        assert trust["Action"] == "sts:AssumeRole", name


def test_what_cannot_be_made_again_outlives_the_stack(template: dict[str, Any]) -> None:
    kept = {
        name: resource
        for name, resource in template["Resources"].items()
        if resource["Type"] in MUST_OUTLIVE
    }

    assert {"Journal", "CodeKey", "Books", "MailIdentity"} <= set(kept)
    for name, resource in kept.items():
        # A deployment that fails at its first try leaves nothing behind but the journal, whose
        # protection would make its rollback fail.
        assert resource.get("DeletionPolicy") == (
            "Retain" if name == "Journal" else "RetainExceptOnCreate"
        ), name
        assert resource.get("UpdateReplacePolicy") == "Retain", name


def test_a_queues_policy_speaks_of_that_queue_alone(template: dict[str, Any]) -> None:
    """SQS takes no statement with several resources, nor with another queue's.

    Amazon SQS, "Limitations of custom policies"; it answers InvalidAttributeValue.
    """
    policies_of_queues = of_type(template, "AWS::SQS::QueuePolicy")
    queues = []
    for name, policy in policies_of_queues.items():
        (queue,) = policy["Queues"]
        queues.append(queue["Ref"])
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Resource"] == {"Fn::GetAtt": [queue["Ref"], "Arn"]}, name

    assert len(set(queues)) == len(queues) >= 3, "a queue has one policy: the last one counts"


def test_the_codes_key_cannot_be_deleted_in_a_hurry(template: dict[str, Any]) -> None:
    key = template["Resources"]["CodeKey"]["Properties"]

    assert key["PendingWindowInDays"] == 30, "the longest that KMS waits"
    assert key.get("Enabled", True) is True


def test_buckets_are_private_encrypted_and_reached_by_tls_only(template: dict[str, Any]) -> None:
    # A bucket without a policy is found by its name missing here.
    denied = {
        str(policy["Bucket"]["Ref"])
        for policy in of_type(template, "AWS::S3::BucketPolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Condition"].get("Bool", {}).get("aws:SecureTransport") in (False, "false")
        and (statement["Principal"], statement["Action"]) == ("*", "s3:*")
        and {resource_name(resource) for resource in statement["Resource"]}
        == {policy["Bucket"]["Ref"], f"{policy['Bucket']['Ref']}/*"}
    }
    assert set(of_type(template, "AWS::S3::Bucket")) == {"Books"}
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        access = bucket["PublicAccessBlockConfiguration"]
        assert len(access) == 4, name
        assert all(value is True for value in access.values()), name
        assert bucket["BucketEncryption"], name
        (ownership,) = bucket["OwnershipControls"]["Rules"]
        assert ownership == {"ObjectOwnership": "BucketOwnerEnforced"}, name
        assert "BucketName" not in bucket, (
            "a bucket with a name could not be retained and made anew"
        )
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}, name
        assert name in denied, name


def test_only_the_archive_is_kept_for_ever(template: dict[str, Any]) -> None:
    rules = {
        rule["Prefix"]: rule
        for rule in template["Resources"]["Books"]["Properties"]["LifecycleConfiguration"]["Rules"]
    }

    assert set(rules) == {"work/", "reports/"}, "a rule without a prefix would end the archive"
    assert {prefix: rule["ExpirationInDays"] for prefix, rule in rules.items()} == {
        "work/": 14,
        "reports/": 400,
    }
    assert all(rule["Status"] == "Enabled" for rule in rules.values())
    # What a version hides stays otherwise, and is paid for.
    assert all("NoncurrentVersionExpiration" in rule for rule in rules.values())


def test_no_log_is_kept_for_ever(template: dict[str, Any]) -> None:
    groups = of_type(template, LOG_GROUP)

    assert groups
    assert all("RetentionInDays" in group for group in groups.values())


def test_vendors_are_reached_by_https_or_on_this_machine(template: dict[str, Any]) -> None:
    for name in ("ShopifyUrl", "AirtableUrl", "KlaviyoUrl"):
        pattern = template["Parameters"][name]["AllowedPattern"]
        assert re.fullmatch(pattern, "http://127.0.0.1:4000"), name
        for foreign in ("http://my-shop.myshopify.com", "http://example.com:80", "https://a.test"):
            assert not re.fullmatch(pattern, foreign), (name, foreign)


def test_no_parameter_of_the_template_is_a_secret(template: dict[str, Any]) -> None:
    # Secrets are put into SSM by hand: whoever may describe a stack reads its parameters.
    assert not any(
        re.search(r"token|secret|pepper|password", name, re.IGNORECASE)
        for name in template["Parameters"]
    )


def text() -> str:
    return TEMPLATE.read_text()
