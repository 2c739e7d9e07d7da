"""What a retailer sets, how it is asked for, and that the application reads exactly that."""

import json
import re
import tomllib
from dataclasses import replace
from typing import Any

import pytest

from giftcards.config import Config
from giftcards.errors import ConfigurationError
from tests.cloudformation import TEMPLATE
from tests.template.reading import FUNCTION, ROLE, of_type, statements

# Read by Powertools, not by us.
POWERTOOLS = {"LOG_LEVEL", "POWERTOOLS_SERVICE_NAME"}

# What a retailer might answer.
ANSWERS = {
    "LiveFrom": "2026-11-30T09:00:00-05:00",
    "ShopifyUrl": "https://my-shop.myshopify.com",
    "AirtableBaseId": "appAbCdEfGhIjKlMn",
    "MailFrom": "gift-cards@example.com",
    "OfficeEmail": "office@example.com",
    "AlarmEmail": "engineer@example.com",
}

# AWS Lambda's quota for all of a function's environment variables together.
LAMBDA_ENVIRONMENT_BYTES = 4096

# A stack of a long name: CloudFormation cuts what it names after it, queues at 80 characters (SQS).
LONG_NAME = "universal-gift-cards-of-a-retailer-who-likes-a-long-name-for-everything-that-runs"

# Longer than any retailer's, of what has no length to be refused for.
LONGEST_ANSWERS = {
    "LiveFrom": "2026-11-30T09:00:00.123456-05:00",
    "ShopifyUrl": f"https://{'s' * 60}.myshopify.com",
    "AirtableBaseId": "app" + 14 * "x",
    "AirtableUrl": "https://api.airtable.com",
    "KlaviyoUrl": "https://a.klaviyo.com",
    "Stage": "s" * 20,
    "CapPerCard": "123456789.123",
    "CapPerStoreAndDay": "123456789.123",
    "CapPerRecipientAndDay": "123456789.123",
    "CapPerReversal": "123456789.123",
    "SweepSchedule": "rate(59 minutes)",
    "KeepDays": "9999",
    "ReconcileSchedule": "rate(59 minutes)",
}

REFUSED = {
    "LiveFrom": ["2026-11-30", "2026-11-30T09:00:00", "tomorrow", ""],
    "ShopifyUrl": [
        "https://my-shop.myshopify.com/",
        "my-shop.myshopify.com",
        "http://my-shop.myshopify.com",
        "https://my-shop.example.com",
        "https://my-shop.myshopify.com.example.com",
    ],
    "AirtableBaseId": ["tblAbCdEfGhIjKlMn", "appShort", ""],
    "AirtableUrl": ["http://api.airtable.com", "https://example.com"],
    "KlaviyoUrl": ["http://a.klaviyo.com", "https://a.klaviyo.com/", "https://example.com"],
    "AirtableNames": ["Redemptions", "[]"],
    "MailFrom": ["Gift cards <gift-cards@example.com>", "gift-cards", "a@b c.example"],
    "Stage": ["Prod", "", "prod/eu", "9lives"],
    "TickOffsetsSeconds": ["", "15;30", "75", "15,"],
    "GiftCardSkus": ["", "GIFT-25,", 'GIFT"25', "GIFT-*"],
    "ProcessedTag": ["", "gift cards", "a,b", "gift*"],
    "OrderProperties": ["Recipient", "[]"],
    "ShopifyEventBus": ["default", "aws.partner/shopify.com", "aws.partner/example.com/1/x"],
    "KeepDays": ["", "1", "29", "-1", "12345", "a year"],
    "ReconcileSchedule": ["rate(1 hour)", "rate(60 minutes)", "cron(0 3 * * ? *)"],
    "SweepSchedule": ["rate(1 minutes)", "rate(0 minutes)", "cron(0 3 * * ? *)", "rate(1 day)"],
}

ACCEPTED = {
    "LiveFrom": ["2026-11-30T14:00Z", "2026-11-30T14:00:00.123456+00:00"],
    "ShopifyUrl": ["http://127.0.0.1:40123"],
    "AirtableUrl": ["http://127.0.0.1:40123", "https://api.airtable.com"],
    "KlaviyoUrl": ["http://127.0.0.1:40123", "https://a.klaviyo.com"],
    "AirtableNames": ["{}", '{"Redemptions": {"": "GC Redemptions", "Amount": "Value"}}'],
    "TickOffsetsSeconds": ["15,30,45", "5"],
    "GiftCardSkus": ["none", "GIFT-25,GIFT 50 (EU)"],
    "OrderProperties": ["{}", '{"Recipient Email": "to"}'],
    "ShopifyEventBus": ["", "aws.partner/shopify.com/123456789/my-shop"],
    "KeepDays": ["0", "30", "99", "400", "3650"],
    "ReconcileSchedule": ["rate(1 minute)", "rate(5 minutes)"],
    "SweepSchedule": ["rate(1 minute)", "rate(10 minutes)"],
}


def _settings(
    template: dict[str, Any], answers: dict[str, str], variables: dict[str, Any] | None = None
) -> dict[str, str]:
    """The functions' environment as CloudFormation would fill it in."""
    parameters = {
        name: str(answers.get(name, parameter.get("Default", "")))
        for name, parameter in template["Parameters"].items()
    }
    variables = variables or template["Globals"]["Function"]["Environment"]["Variables"]
    return {name: _filled_in(template, parameters, value) for name, value in variables.items()}


def _filled_in(template: dict[str, Any], parameters: dict[str, str], value: Any) -> str:
    match value:
        case {"Ref": target}:
            return parameters.get(target) or _reference(target)
        case {"Fn::If": [condition, yes, no]}:
            holds = _holds(template["Conditions"][condition], parameters)
            return _filled_in(template, parameters, yes if holds else no)
        case {"Fn::Sub": text}:
            for name in re.findall(r"\$\{(\w+)\}", text):
                filled = _filled_in(template, parameters, {"Ref": name})
                text = text.replace(f"${{{name}}}", filled)
            return str(text)
        case _:
            return str(value)


def _reference(target: str) -> str:
    """What CloudFormation puts for `!Ref` of a resource."""
    if target in {"Journal", "MailConfigurationSet"}:
        return f"{LONG_NAME}-{target}"[:64]
    if target == "Books":
        return f"{LONG_NAME}-{target}".lower()[:63]
    if target == "CodeKey":
        return "1234abcd-12ab-34cd-56ef-1234567890ab"
    queue = f"{LONG_NAME}-{target}"[:80]
    return f"https://sqs.ap-southeast-1.amazonaws.com/123456789012/{queue}"


def _holds(condition: dict[str, Any], parameters: dict[str, str]) -> bool:
    match condition:
        case {"Fn::Not": [other]}:
            return not _holds(other, parameters)
        case {"Fn::Equals": [{"Ref": name}, wanted]}:
            return bool(parameters[name] == wanted)
        case _:
            raise TypeError(f"a condition of another kind: {condition}")


def test_every_function_gets_what_the_configuration_reads(template: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as everything_is_missing:
        Config.from_environment({})
    read = set(re.findall(r"([A-Z_]+) is missing", str(everything_is_missing.value)))
    given = set(template["Globals"]["Function"]["Environment"]["Variables"])

    assert given - POWERTOOLS == read


def test_the_defaults_and_a_retailers_answers_are_a_configuration(template: dict[str, Any]) -> None:
    config = Config.from_environment(_settings(template, ANSWERS))

    assert config.stage == "prod"
    assert config.secrets_prefix == "/universal-gift-cards/prod"
    assert config.live_from.isoformat() == "2026-11-30T09:00:00-05:00"
    assert config.tick_offsets_seconds == (15, 30, 45)
    assert config.lease_seconds == 30
    assert config.http_timeout_seconds == 5
    assert config.gift_card_skus == ()
    assert config.issues_unassessed is False
    assert (config.reconcile_hour, config.keep_days, config.airtable_records) == (3, 400, 50_000)
    assert config.second_look_seconds == 900


def test_each_default_look_has_its_tick(template: dict[str, Any]) -> None:
    config = Config.from_environment(_settings(template, ANSWERS))
    config.refuse_looks_of_no_tick()

    with pytest.raises(ConfigurationError) as refused:
        replace(config, tick_offsets_seconds=()).refuse_looks_of_no_tick()
    named = set(re.findall(r"\w+OffsetsSeconds", str(refused.value)))
    assert named == {"SaleOffsetsSeconds", "ReversalOffsetsSeconds", "TickOffsetsSeconds"}
    assert named <= set(template["Parameters"])
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    assert shared["TICK_OFFSETS_SECONDS"] == {"Ref": "TickOffsetsSeconds"}
    own = template["Resources"]["StoreTransactions"]["Properties"]["Environment"]["Variables"]
    assert "TICK_OFFSETS_SECONDS" not in own


def test_a_retailer_may_let_orders_pass_that_nobody_assessed(template: dict[str, Any]) -> None:
    answers = ANSWERS | {"WhenNotAssessed": "issue"}
    assert Config.from_environment(_settings(template, answers)).issues_unassessed is True


def test_an_older_key_stands_behind_the_stacks_own(template: dict[str, Any]) -> None:
    answers = ANSWERS | {"OlderCodeKeyIds": "an-older-key"}
    config = Config.from_environment(_settings(template, answers))
    assert config.code_key_ids == ("1234abcd-12ab-34cd-56ef-1234567890ab", "an-older-key")


def test_the_longest_settings_still_fit_into_a_functions_environment(
    template: dict[str, Any],
) -> None:
    longest = LONGEST_ANSWERS | {
        name: "x" * parameter["MaxLength"]
        for name, parameter in template["Parameters"].items()
        if "MaxLength" in parameter
    }
    in_doubt = [
        name
        for name, parameter in template["Parameters"].items()
        if parameter["Type"] == "String"
        and not {"MaxLength", "AllowedValues"} & set(parameter)
        and name not in longest
    ]
    assert not in_doubt, "how long may these get?"
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    for name, function in of_type(template, FUNCTION).items():
        own = function["Environment"]["Variables"]
        filled = _settings(template, longest, shared | own)
        # AWS measures them as JSON: its refusal shows what it measured.
        assert (
            len(json.dumps(filled, separators=(",", ":")).encode()) <= LAMBDA_ENVIRONMENT_BYTES
        ), name


def test_only_what_nobody_can_guess_is_asked_for(template: dict[str, Any]) -> None:
    asked = {name for name, each in template["Parameters"].items() if "Default" not in each}

    assert asked == set(ANSWERS)


def test_every_parameter_is_explained_and_bounded(template: dict[str, Any]) -> None:
    for name, parameter in template["Parameters"].items():
        assert parameter["Description"].endswith("."), name
        bounded = {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter)
        assert bounded, f"{name} takes anything"
        if parameter["Type"] == "Number" and "AllowedValues" not in parameter:
            assert parameter["MinValue"] <= parameter["Default"] <= parameter["MaxValue"], name
        if "AllowedPattern" in parameter:
            assert parameter["ConstraintDescription"], f"{name} would be refused without a reason"


def test_every_parameter_is_used(template: dict[str, Any]) -> None:
    text = TEMPLATE.read_text()
    for name in template["Parameters"]:
        assert re.search(rf"!Ref {name}\b|\$\{{{name}\}}", text), f"{name} sets nothing"


def test_the_console_shows_every_parameter_in_a_group(template: dict[str, Any]) -> None:
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]

    assert sorted(shown) == sorted(template["Parameters"])


def _takes(parameter: dict[str, Any], value: str) -> bool:
    return re.fullmatch(parameter["AllowedPattern"], value) is not None


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values]
)
def test_a_slip_is_refused_before_anything_is_deployed(
    template: dict[str, Any], name: str, value: str
) -> None:
    assert not _takes(template["Parameters"][name], value)


@pytest.mark.parametrize(
    ("name", "value"),
    [*ANSWERS.items(), *((name, value) for name, values in ACCEPTED.items() for value in values)],
)
def test_a_good_answer_is_taken(template: dict[str, Any], name: str, value: str) -> None:
    assert _takes(template["Parameters"][name], value)


def test_functions_may_read_the_secrets_they_look_for(template: dict[str, Any]) -> None:
    prefix = template["Globals"]["Function"]["Environment"]["Variables"]["SECRETS_PREFIX"][
        "Fn::Sub"
    ]
    arn = f"arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter{prefix}"
    for name, role in of_type(template, ROLE).items():
        (secrets,) = [each for each in statements(role) if each["Sid"] == "Secrets"]
        assert secrets["Resource"] == {"Fn::Sub": arn}, name
        assert secrets["Action"] == "ssm:GetParametersByPath", name
    assert template["Outputs"]["SecretsPrefix"]["Value"] == {"Fn::Sub": prefix}


def test_every_function_says_who_it_is(template: dict[str, Any]) -> None:
    for name, function in of_type(template, FUNCTION).items():
        service = function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        assert function["CodeUri"] == f"functions/{service}/", name


def test_the_command_line_finds_everything_among_the_outputs(template: dict[str, Any]) -> None:
    values = [output["Value"] for output in template["Outputs"].values()]
    for kind in (FUNCTION, "AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::S3::Bucket"):
        for name in of_type(template, kind):
            assert {"Ref": name} in values, name
    assert all(output["Description"] for output in template["Outputs"].values())


def test_production_asks_before_it_changes_anything() -> None:
    settings = tomllib.loads((TEMPLATE.parent / "samconfig.toml").read_text())

    assert settings["prod"]["deploy"]["parameters"]["confirm_changeset"] is True
    assert settings["default"]["deploy"]["parameters"]["confirm_changeset"] is False
    for name in ("default", "prod"):
        assert settings[name]["deploy"]["parameters"]["capabilities"] == "CAPABILITY_IAM"
