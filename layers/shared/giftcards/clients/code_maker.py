"""Works out the codes of the cards we issue, with a key that never leaves Amazon's KMS.

`GenerateMac` gives the same digest for the same message and key, for ever, and leaves a line in
CloudTrail for each use. So a code is kept nowhere: who needs it once more asks once more. Asking
changes nothing, and every failure that a wait may mend is `NotSent`.

**Keys and their versions.** KMS does not rotate HMAC keys by itself. A new key is made, its id is
put in front of the list in the setting (`CodeKeyIds`, newest first), and new cards get their codes
from it. The version of a key is its key id; it is written into the operation with the counter,
before the first call. A card's code is derived again by the key it was made with, as long as that
key is in the list: the function may use no other key, and whoever takes one off the list gives up
mailing its cards again. An alias is refused as a key: it can be pointed at another key, and then
the same operation would have another code.

No code or digest is in a message, a log or the representation of anything in here. (botocore's own
debug log would hold the digest: nothing of ours turns it on.)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Never

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from giftcards.domain.codes import Code
from giftcards.domain.derived_codes import DIGEST_BYTES, code_message, derive_code
from giftcards.errors import (
    AccessRefused,
    ConfigurationError,
    NeedsAPerson,
    NotSent,
    VendorSurprise,
)

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient

MAC_ALGORITHM: Final = "HMAC_SHA_256"
FIRST_SERVER_ERROR: Final = 500
TOO_MANY_REQUESTS: Final = 429

# A wait may mend these. (KMS, GenerateMac, "Errors", and those that all AWS services share.)
A_WAIT_MENDS: Final = frozenset(
    """
    ThrottlingException Throttling LimitExceededException RequestLimitExceeded
    TooManyRequestsException KMSInternalException KeyUnavailableException
    DependencyTimeoutException InternalFailure ServiceUnavailable ServiceUnavailableException
    RequestTimeout RequestTimeoutException
    """.split()  # noqa: SIM905 - a list of names reads better as words
)
REFUSED: Final = frozenset(
    """
    AccessDenied AccessDeniedException UnrecognizedClientException InvalidClientTokenId
    InvalidSignatureException SignatureDoesNotMatch ExpiredToken ExpiredTokenException
    OptInRequired MissingAuthenticationToken MissingAuthenticationTokenException
    InvalidGrantTokenException
    """.split()  # noqa: SIM905 - likewise
)
# What a person has to do, by KMS's error code.
WHAT_TO_DO: Final = {
    "DisabledException": "enable the key again in KMS: cards made with it need it for their codes",
    "KMSInvalidStateException": (
        "the key is on its way to being deleted: cancel the deletion in KMS and enable the key,"
        " or no code made with it can ever be mailed again"
    ),
    "NotFoundException": (
        "there is no such key in this account and region: put the right id into CodeKeyIds"
    ),
    "InvalidKeyUsageException": (
        "the key is none for this: it has to be of the kind HMAC_256, made to generate and verify"
        " codes (GENERATE_VERIFY_MAC)"
    ),
}


class CodeMaker:
    """Codes by KMS. `key_ids` are ids or ARNs of HMAC_256 keys, newest first.

    `stage` and `shop` (the shop's own address) go into every code: a second stage or a second shop
    on the same key never makes the same one. Raises `ConfigurationError` where `key_ids` is empty,
    or names an alias or one key twice.
    """

    def __init__(
        self, client: "KMSClient", *, key_ids: Sequence[str], stage: str, shop: str
    ) -> None:
        self._client = client
        self._stage = stage
        self._shop = shop
        self._keys = {key_version(key_id): key_id for key_id in key_ids}
        if not key_ids:
            raise ConfigurationError("CodeKeyIds names no key: cards need one for their codes")
        if len(self._keys) != len(key_ids):
            raise ConfigurationError("CodeKeyIds names a key twice")
        self._newest = key_version(key_ids[0])

    @property
    def newest_key_version(self) -> str:
        """The version for new operations: write it into the operation before the first call."""
        return self._newest

    def __repr__(self) -> str:
        return f"CodeMaker({', '.join(self._keys)})"

    def code_for(self, operation: str, counter: int, key_version: str) -> Code:
        """The code of the card that `operation` makes; the same for the same arguments, for ever.

        Raises `NotSent` (throttled, no connection, no reply, KMS failed: ask again),
        `AccessRefused`, `ConfigurationError` for a version that is not in the list, and
        `NeedsAPerson` with what to do where the key cannot be used.
        """
        key_id = self._keys.get(key_version)
        if key_id is None:
            raise ConfigurationError(
                f"{operation} has its code from the key {key_version}, which is not in CodeKeyIds:"
                " add its id to the list again, behind the newest"
            )
        message = code_message(
            stage=self._stage, shop=self._shop, operation=operation, counter=counter
        )
        mac = self._mac(key_id, message)
        if len(mac) != DIGEST_BYTES:
            raise VendorSurprise(f"KMS answered a digest of {len(mac)} bytes")
        return derive_code(mac)

    def _mac(self, key_id: str, message: bytes) -> bytes:
        try:
            reply = self._client.generate_mac(
                KeyId=key_id, MacAlgorithm=MAC_ALGORITHM, Message=message
            )
        except ClientError as error:
            self._translate_answer(key_id, error)
        except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
            raise ConfigurationError(
                f"there are no AWS credentials to ask KMS with: {type(error).__name__}"
            ) from error
        except ParamValidationError as error:
            raise VendorSurprise("boto3 does not take a request for KMS of ours") from error
        except (BotoCoreError, ResponseParserError) as error:
            # Named and not chained: an answer that cannot be read stands in its message.
            raise NotSent(f"KMS did not answer ({type(error).__name__})") from None
        if key_version(reply["KeyId"]) != key_version(key_id):
            raise VendorSurprise(f"KMS used another key than {key_id}")
        return bytes(reply["Mac"])

    @staticmethod
    def _translate_answer(key_id: str, error: ClientError) -> Never:
        """Raise what KMS's refusal means for us."""
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        said = f"KMS answered {code} ({status}) for the key {key_id}"
        if code in WHAT_TO_DO:  # before the status: KMS says some of them with HTTP 5xx
            raise NeedsAPerson(f"{said}: {WHAT_TO_DO[code]}") from error
        if code in REFUSED:
            raise AccessRefused(
                f"{said}: the function's role needs kms:GenerateMac for this key"
            ) from error
        if code in A_WAIT_MENDS or status == TOO_MANY_REQUESTS or status >= FIRST_SERVER_ERROR:
            raise NotSent(said) from error
        raise VendorSurprise(f"{said}. This answer is in no documentation we know") from error


def key_version(key_id: str) -> str:
    """The version by which an operation remembers a key: its key id, without account and region.

    So a list that is rewritten from ids to ARNs finds its old operations. Raises
    `ConfigurationError` for an alias, and for nothing at all.
    """
    version = key_id.rpartition("key/")[2] if key_id.startswith("arn:") else key_id
    if not version or "alias/" in key_id:
        raise ConfigurationError(
            "CodeKeyIds takes key ids or ARNs of keys, and no alias: an alias can be pointed at"
            " another key, and every card would get another code"
        )
    return version
