"""Codes by KMS: the same one for ever, by the key it was first made with, and told to nobody."""

import hashlib
import hmac
import logging
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.kms.models import kms_backends

from giftcards.clients.code_maker import A_WAIT_MENDS, REFUSED, WHAT_TO_DO, CodeMaker, key_version
from giftcards.domain.codes import Code
from giftcards.domain.derived_codes import code_message, derive_code
from giftcards.errors import (
    AccessRefused,
    ConfigurationError,
    GiftCardError,
    NeedsAPerson,
    NotSent,
    VendorSurprise,
)

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient

REGION = "us-east-1"
OPERATION = "issue#rec1#1"
SOME_KEY = "11111111-2222-3333-4444-555555555555"
MAC = bytes(range(32))


@pytest.fixture
def kms() -> Iterator["KMSClient"]:
    with mock_aws():
        yield boto3.client("kms", region_name=REGION)


def hmac_key(kms: "KMSClient") -> str:
    made = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    return made["KeyMetadata"]["KeyId"]


def maker(kms: "KMSClient", *key_ids: str, stage: str = "test", shop: str = "shop") -> CodeMaker:
    return CodeMaker(kms, key_ids=key_ids, stage=stage, shop=shop)


# ---- the same code for ever -----------------------------------------------------------------


def test_a_code_is_the_keys_digest_of_the_whole_message(kms: "KMSClient") -> None:
    key = hmac_key(kms)
    material = kms_backends[DEFAULT_ACCOUNT_ID][REGION].keys[key].key_material
    message = code_message(stage="test", shop="shop", operation=OPERATION, counter=3)
    expected = derive_code(hmac.digest(material, message, hashlib.sha256))
    assert maker(kms, key).code_for(OPERATION, 3, key) == expected


def test_the_same_question_has_the_same_code_and_no_other_one_has(kms: "KMSClient") -> None:
    key, other_key = hmac_key(kms), hmac_key(kms)
    one = maker(kms, key, other_key)
    code = one.code_for(OPERATION, 0, key)
    assert maker(kms, key).code_for(OPERATION, 0, key) == code
    others = [
        one.code_for(OPERATION, 1, key),
        one.code_for("issue#rec1#2", 0, key),
        one.code_for(OPERATION, 0, other_key),
        maker(kms, key, stage="prod").code_for(OPERATION, 0, key),
        maker(kms, key, shop="other").code_for(OPERATION, 0, key),
    ]
    assert len({code, *others}) == 6


def test_after_a_rotation_old_cards_keep_their_codes(kms: "KMSClient") -> None:
    old = hmac_key(kms)
    before = maker(kms, old)
    version = before.newest_key_version
    code = before.code_for(OPERATION, 0, version)
    new = hmac_key(kms)
    after = maker(kms, new, old)
    assert after.newest_key_version == new
    assert after.code_for(OPERATION, 0, version) == code
    assert after.code_for(OPERATION, 0, after.newest_key_version) != code


def test_a_list_rewritten_from_ids_to_arns_finds_its_old_operations(kms: "KMSClient") -> None:
    key = hmac_key(kms)
    arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    assert key_version(arn) == key_version(key) == key
    code = maker(kms, key).code_for(OPERATION, 0, key)
    by_arn = maker(kms, arn)
    assert by_arn.newest_key_version == key
    assert by_arn.code_for(OPERATION, 0, key) == code


def test_a_key_that_left_the_list_is_not_used(kms: "KMSClient") -> None:
    gone, key = hmac_key(kms), hmac_key(kms)
    with pytest.raises(ConfigurationError, match=f"{gone}.*CodeKeyIds"):
        maker(kms, key).code_for(OPERATION, 0, gone)


@pytest.mark.parametrize(
    ("key_ids", "says"),
    [
        ([], "names no key"),
        ([""], "no alias"),
        (["alias/codes"], "no alias"),
        ([SOME_KEY, "arn:aws:kms:us-east-1:123456789012:alias/codes"], "no alias"),
        ([SOME_KEY, SOME_KEY], "twice"),
        ([SOME_KEY, f"arn:aws:kms:us-east-1:123456789012:key/{SOME_KEY}"], "twice"),
    ],
)
def test_a_list_that_would_change_codes_is_refused(
    kms: "KMSClient", key_ids: list[str], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        maker(kms, *key_ids)


# ---- what can go wrong ----------------------------------------------------------------------


def answered(error_code: str, status: int) -> GiftCardError:
    """What one answer of KMS is for us."""
    kms = boto3.client("kms", region_name=REGION)
    with Stubber(kms) as stubber:
        stubber.add_client_error(
            "generate_mac", service_error_code=error_code, http_status_code=status
        )
        with pytest.raises(GiftCardError) as caught:
            maker(kms, SOME_KEY).code_for(OPERATION, 0, SOME_KEY)
    assert SOME_KEY in str(caught.value)
    return caught.value


@pytest.mark.parametrize("error_code", sorted(A_WAIT_MENDS))
def test_what_a_wait_may_mend_is_not_sent(error_code: str) -> None:
    assert type(answered(error_code, 400)) is NotSent


@pytest.mark.parametrize(("error_code", "status"), [("New", 500), ("New", 503), ("New", 429)])
def test_a_failure_inside_kms_is_not_sent(error_code: str, status: int) -> None:
    assert type(answered(error_code, status)) is NotSent


@pytest.mark.parametrize("error_code", sorted(REFUSED))
def test_a_missing_permission_is_for_a_person(error_code: str) -> None:
    error = answered(error_code, 400)
    assert type(error) is AccessRefused
    assert "kms:GenerateMac" in str(error)


@pytest.mark.parametrize("error_code", sorted(WHAT_TO_DO))
@pytest.mark.parametrize("status", [400, 500])
def test_a_key_that_cannot_be_used_says_what_to_do(error_code: str, status: int) -> None:
    error = answered(error_code, status)
    assert type(error) is NeedsAPerson
    assert WHAT_TO_DO[error_code] in str(error)


def test_an_answer_that_nobody_knows_is_a_surprise() -> None:
    assert type(answered("Unheard", 400)) is VendorSurprise


def test_kms_itself_says_so_of_a_disabled_a_doomed_a_missing_and_a_wrong_key(
    kms: "KMSClient",
) -> None:
    missing, wrong = SOME_KEY, kms.create_key()["KeyMetadata"]["KeyId"]
    for key, says in ((missing, "no such key"), (wrong, "HMAC_256")):
        with pytest.raises(NeedsAPerson, match=says):
            maker(kms, key).code_for(OPERATION, 0, key)


@pytest.mark.parametrize(
    ("problem", "error"),
    [
        (EndpointConnectionError(endpoint_url="https://kms"), NotSent),
        (ConnectTimeoutError(endpoint_url="https://kms"), NotSent),
        (ReadTimeoutError(endpoint_url="https://kms"), NotSent),
        (ResponseParserError(f"invalid response: {MAC!r}"), NotSent),
        (NoCredentialsError(), ConfigurationError),
        (ParamValidationError(report="no"), VendorSurprise),
    ],
)
def test_no_answer_changes_nothing_and_shows_nothing(
    problem: Exception, error: type[GiftCardError]
) -> None:
    kms = boto3.client("kms", region_name=REGION)

    def fail(**_: Any) -> None:
        raise problem

    kms.meta.events.register("before-call.kms.GenerateMac", fail)
    with pytest.raises(error) as caught:
        maker(kms, SOME_KEY).code_for(OPERATION, 0, SOME_KEY)
    assert type(caught.value) is error
    assert repr(MAC) not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ({"Mac": MAC, "KeyId": "another"}, VendorSurprise),
        ({"Mac": MAC[:31], "KeyId": SOME_KEY}, VendorSurprise),
    ],
)
def test_a_digest_that_is_not_the_one_we_asked_for_makes_no_code(
    reply: dict[str, object], error: type[GiftCardError]
) -> None:
    kms = boto3.client("kms", region_name=REGION)
    with Stubber(kms) as stubber:
        stubber.add_response("generate_mac", reply)
        with pytest.raises(error):
            maker(kms, SOME_KEY).code_for(OPERATION, 0, SOME_KEY)


# ---- a code is told to nobody ---------------------------------------------------------------


def test_neither_code_nor_digest_is_shown_or_logged(
    kms: "KMSClient", caplog: pytest.LogCaptureFixture
) -> None:
    key = hmac_key(kms)
    one = maker(kms, key)
    with caplog.at_level(logging.INFO):
        code = one.code_for(OPERATION, 0, key)
    assert isinstance(code, Code)
    shown = f"{one!r} {one} {code!r} {code} {caplog.text} {vars(one)}"
    assert code.value not in shown.lower()
    assert key in repr(one)
