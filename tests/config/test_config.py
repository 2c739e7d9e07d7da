import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from giftcards.config import Config, Secrets, read_airtable_names
from giftcards.errors import ConfigurationError

GOOD = {
    "STAGE": "prod",
    "TABLE_NAME": "journal",
    "SHOPIFY_URL": "https://shop.myshopify.com/",
    "AIRTABLE_URL": "https://api.airtable.com",
    "AIRTABLE_BASE_ID": "app00000000000000",
    "KLAVIYO_URL": "https://a.klaviyo.com",
    "SECRETS_PREFIX": "/universal-gift-cards/prod/",
    "MAIL_FROM": "cards@shop.example",
    "OFFICE_EMAIL": "office@shop.example",
    "LIVE_FROM": "2026-11-30T09:00:00-05:00",
    "TICK_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/tick",
    "ANSWER_STORE_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/answer",
    "WRITE_AIRTABLE_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/write.fifo",
    "TICK_OFFSETS_SECONDS": "15,30,45",
    "TICK_TOLERANCE_SECONDS": "10",
    "LEASE_SECONDS": "30",
    "HTTP_TIMEOUT_SECONDS": "5",
    "SETTLING_SECONDS": "120",
    "ROWS_PER_RUN": "100",
    "PATIENCE_SECONDS": "900",
    "DUPLICATE_SECONDS": "600",
    "LOOK_AGAIN_SECONDS": "60",
    "MOST_MISSES": "20",
    "MISSES_SECONDS": "600",
    "ACCEPT_HISTORICAL": "no",
    "ISSUE_CARDS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/issue.fifo",
    "DELIVER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/deliver",
    "DELIVER_DEAD_LETTERS_URL": "https://sqs.us-east-1.amazonaws.com/1/dead",
    "MAIL_CONFIGURATION_SET": "universal-gift-cards",
    "CODE_KEY_IDS": "1234abcd-12ab-34cd-56ef-1234567890ab, 9876abcd-12ab-34cd-56ef-1234567890ab",
    "SALE_OFFSETS_SECONDS": "0,30",
    "CHECK_OFFSETS_SECONDS": "0",
    "THEMES": "Standard,Birthday",
    "LARGEST_QUANTITY": "500",
    "PROMOTIONAL_DAYS": "0",
    "PAID_YEARS": "5",
    "CAP_PER_CARD": "499.50",
    "CAP_PER_STORE_AND_DAY": "5000",
    "CAP_PER_RECIPIENT_AND_DAY": "0",
    "SEND_HOUR": "8",
    "DIGEST_HOUR": "0",
    "MOST_CHECKS": "5",
    "MOST_CHECK_MISSES": "10",
    "MOST_CHECK_MISSES_OF_ALL": "200",
    "ADJUST_BALANCE_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/adjust.fifo",
    "TAG_ORDER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/tag.fifo",
    "GIFT_CARD_SKUS": "GIFT-25, GIFT-50",
    "PROCESSED_TAG": "gift-cards-processed",
    "ORDER_PROPERTIES": '{"Gift Message": "Message"}',
    "RISK_PATIENCE_SECONDS": "0",
    "ISSUES_UNASSESSED": "yes",
    "ORDER_OVERLAP_SECONDS": "7200",
    "EXPLAIN_SECONDS": "600",
    "CAP_PER_REVERSAL": "199.50",
    "REVERSAL_OFFSETS_SECONDS": "0",
    "BUCKET": "books",
    "RECONCILE_HOUR": "3",
    "KEEP_DAYS": "400",
    "AIRTABLE_RECORDS": "50000",
    "SECOND_LOOK_SECONDS": "900",
}
PEPPER = "p" * 32


def test_good_settings_are_read() -> None:
    config = Config.from_environment(GOOD)
    assert config.live_from == datetime(2026, 11, 30, 14, tzinfo=UTC)
    assert config.tick_offsets_seconds == (15, 30, 45)
    assert config.shopify_url == "https://shop.myshopify.com"
    assert config.secrets_prefix == "/universal-gift-cards/prod"
    assert [key[:4] for key in config.code_key_ids] == ["1234", "9876"]
    assert config.themes == ("Standard", "Birthday")
    assert config.cap_per_card == Decimal("499.50")
    assert (config.sale_offsets_seconds, config.check_offsets_seconds) == ((0, 30), (0,))
    assert (config.send_hour, config.digest_hour) == (8, 0)
    assert config.gift_card_skus == ("GIFT-25", "GIFT-50")
    assert config.order_properties == {"Gift Message": "Message"}
    assert (config.risk_patience_seconds, config.issues_unassessed) == (0, True)
    assert config.cap_per_reversal == Decimal("199.50")
    assert (config.reconcile_hour, config.keep_days, config.airtable_records) == (3, 400, 50_000)


def test_a_shop_that_sells_no_cards_of_ours_says_so() -> None:
    config = Config.from_environment(GOOD | {"GIFT_CARD_SKUS": "none"})
    assert config.gift_card_skus == ()


def test_a_shop_may_keep_its_rows_for_ever() -> None:
    assert Config.from_environment(GOOD | {"KEEP_DAYS": "0"}).keep_days == 0


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Config.from_environment({})
    for name in GOOD:
        assert f"{name} is missing" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIVE_FROM", "2026-11-30T09:00:00"),  # whose nine o'clock?
        ("LIVE_FROM", "soon"),
        ("TICK_OFFSETS_SECONDS", "15,15"),
        ("TICK_OFFSETS_SECONDS", "45,30"),
        ("TICK_OFFSETS_SECONDS", "15,60"),
        ("TICK_OFFSETS_SECONDS", "15;30"),
        ("LEASE_SECONDS", "0"),
        ("LEASE_SECONDS", "30s"),
        ("SHOPIFY_URL", "shop.myshopify.com"),
        ("MAIL_FROM", "shop"),
        ("ACCEPT_HISTORICAL", "perhaps"),
        ("MAIL_FROM", "a b@shop.example"),
        ("GIFT_CARD_SKUS", "GIFT-25,GIFT-25"),
        ("GIFT_CARD_SKUS", ","),
        ("ORDER_PROPERTIES", "[]"),
        ("ORDER_PROPERTIES", '{"Gift Message": 1}'),
        ("RISK_PATIENCE_SECONDS", "-1"),
        ("ISSUES_UNASSESSED", "issue"),
        ("ORDER_OVERLAP_SECONDS", "0"),
        ("CAP_PER_REVERSAL", "a lot"),
        ("REVERSAL_OFFSETS_SECONDS", "60"),
        ("RECONCILE_HOUR", "24"),
        ("KEEP_DAYS", "29"),
        ("KEEP_DAYS", "-400"),
        ("AIRTABLE_RECORDS", "0"),
        ("SECOND_LOOK_SECONDS", "0"),
    ],
)
def test_a_malformed_setting_is_named_with_what_was_expected(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Config.from_environment(GOOD | {name: value})
    assert f"{name} is “{value}”, expected " in str(caught.value)


def test_a_second_look_that_comes_before_the_explanation_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"SECOND_LOOK_SECONDS \(600\)"):
        Config.from_environment(GOOD | {"SECOND_LOOK_SECONDS": "600"})


def test_looks_at_offsets_of_ticks_and_at_the_minute_are_taken() -> None:
    looks = {"SALE_OFFSETS_SECONDS": "0,15,45", "REVERSAL_OFFSETS_SECONDS": "30"}
    Config.from_environment(GOOD | looks).refuse_looks_of_no_tick()


def test_looks_at_offsets_of_no_tick_are_named_all_at_once() -> None:
    config = Config.from_environment(
        GOOD
        | {
            "TICK_OFFSETS_SECONDS": "20,40",
            "SALE_OFFSETS_SECONDS": "0,15,20,30",
            "CHECK_OFFSETS_SECONDS": "40",
            "REVERSAL_OFFSETS_SECONDS": "30",
        }
    )
    with pytest.raises(ConfigurationError) as caught:
        config.refuse_looks_of_no_tick()
    assert "SaleOffsetsSeconds (0,15,20,30) has 15,30; " in str(caught.value)
    assert "ReversalOffsetsSeconds (30) has 30: no tick" in str(caught.value)
    assert "TickOffsetsSeconds (20,40)" in str(caught.value)
    assert "CheckOffsetsSeconds" not in str(caught.value)


def test_a_shops_own_names_are_read() -> None:
    names = read_airtable_names('{"Redemptions": {"": "GC Redemptions", "Amount": "Value"}}')
    assert names["Redemptions"] == {"": "GC Redemptions", "Amount": "Value"}


@pytest.mark.parametrize(
    "text", ["[]", '{"Redemptions": "GC"}', '{"Redemptions": {"Amount": 1}}', "{", ""]
)
def test_malformed_names_are_shown_with_what_was_expected(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"AirtableNames is .* expected JSON"):
        read_airtable_names(text)


def test_two_wrong_settings_are_named_in_one_error() -> None:
    with pytest.raises(ConfigurationError, match=r"STAGE is missing.*LEASE_SECONDS is"):
        Config.from_environment(GOOD | {"STAGE": " ", "LEASE_SECONDS": "-1"})


def test_a_static_token_is_enough() -> None:
    secrets = Secrets.from_parameters(
        {
            "shopify-token": "shpat_1",
            "airtable-token": "pat1",
            "klaviyo-key": "pk_1",
            "code-pepper": PEPPER,
        },
        prefix="/x",
    )
    assert secrets.shopify_token == "shpat_1"
    assert secrets.peppers == (PEPPER.encode(),)


def test_client_credentials_are_enough_and_the_previous_pepper_is_tried_second() -> None:
    secrets = Secrets.from_parameters(
        {
            "shopify-client-id": "id",
            "shopify-client-secret": "secret",
            "airtable-token": "pat1",
            "klaviyo-key": "pk_1",
            "code-pepper": PEPPER,
            "code-pepper-previous": "q" * 40,
        },
        prefix="/x",
    )
    assert secrets.shopify_token is None
    assert secrets.peppers == (PEPPER.encode(), b"q" * 40)


def test_missing_secrets_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Secrets.from_parameters({"shopify-client-id": "id"}, prefix="/x")
    message = str(caught.value)
    assert "/x/airtable-token is missing" in message
    assert "/x/klaviyo-key is missing" in message
    assert "/x/code-pepper is missing" in message
    assert "/x/shopify-token is missing" in message


def test_a_short_pepper_is_refused_without_being_shown() -> None:
    parameters = {
        "shopify-token": "t",
        "airtable-token": "pat1",
        "klaviyo-key": "pk_1",
        "code-pepper": "short!",
    }
    with pytest.raises(ConfigurationError, match="shorter than 32") as caught:
        Secrets.from_parameters(parameters, prefix="/x")
    assert "short!" not in str(caught.value)


def test_secrets_never_show_in_a_representation() -> None:
    secrets = Secrets.from_parameters(
        {
            "shopify-token": "shpat_1",
            "airtable-token": "pat1",
            "klaviyo-key": "pk_1",
            "code-pepper": PEPPER,
        },
        prefix="/x",
    )
    shown = json.dumps(repr(secrets))
    assert not any(word in shown for word in ("shpat_1", "pat1", "pk_1", PEPPER))
