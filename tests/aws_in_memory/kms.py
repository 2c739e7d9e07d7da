"""KMS in memory: keys that never leave, and the MACs they make."""

import hashlib
import hmac
from threading import Lock
from typing import Any

from tests.aws_in_memory.errors import UnknownHereError, invalid, refusal
from tests.aws_in_memory.sqs import ACCOUNT, REGION

# KMS's bound for GenerateMac (API reference).
MOST_MESSAGE_BYTES = 4096


class Kms:
    """The KMS client, for HMAC keys. A key's secret follows from its number: nothing is random."""

    def __init__(self) -> None:
        self._secrets: dict[str, bytes] = {}
        self._lock = Lock()

    def create_key(self, *, KeySpec: str, KeyUsage: str) -> dict[str, Any]:
        """Make an HMAC key of 256 bits."""
        if (KeySpec, KeyUsage) != ("HMAC_256", "GENERATE_VERIFY_MAC"):
            raise UnknownHereError(f"a {KeySpec} key for {KeyUsage}")
        with self._lock:
            key_id = f"00000000-0000-4000-8000-{len(self._secrets) + 1:012x}"
            self._secrets[key_id] = hashlib.sha256(key_id.encode()).digest()
        return {"KeyMetadata": {"KeyId": key_id, "Arn": _arn(key_id)}}

    def generate_mac(self, *, KeyId: str, Message: bytes, MacAlgorithm: str) -> dict[str, Any]:
        """The MAC of a message by a key, which is named by its id or its ARN."""
        operation = "GenerateMac"
        if MacAlgorithm != "HMAC_SHA_256":
            raise UnknownHereError(MacAlgorithm)
        if not 1 <= len(Message) <= MOST_MESSAGE_BYTES:
            raise invalid(operation, "Message has to be 1 to 4096 bytes long")
        key_id = KeyId.rpartition("/")[2]
        with self._lock:
            secret = self._secrets.get(key_id)
        if secret is None or KeyId not in {key_id, _arn(key_id)}:
            message = f"Key '{KeyId}' does not exist"
            raise refusal(operation, "NotFoundException", message)
        mac = hmac.digest(secret, Message, "sha256")
        return {"Mac": mac, "MacAlgorithm": MacAlgorithm, "KeyId": _arn(key_id)}


def _arn(key_id: str) -> str:
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key_id}"
