"""S3 in memory: buckets of whole objects. What was overwritten is gone."""

import base64
import hashlib
from io import BytesIO
from threading import Lock
from typing import Any

from botocore.exceptions import ClientError

from tests.aws_in_memory.errors import UnknownHereError, refusal

# S3's own bound (ListObjectsV2).
KEYS_PER_PAGE = 1000


class S3:
    """The S3 client."""

    def __init__(self) -> None:
        self._buckets: dict[str, dict[str, bytes]] = {}
        self._lock = Lock()

    def objects(self) -> list[bytes]:
        """What all buckets hold."""
        with self._lock:
            return [body for bucket in self._buckets.values() for body in bucket.values()]

    def create_bucket(self, *, Bucket: str) -> dict[str, Any]:
        """Make an empty bucket; one that is there stays as it is."""
        with self._lock:
            self._buckets.setdefault(Bucket, {})
        return {}

    def put_object(
        self, *, Bucket: str, Key: str, Body: bytes, ContentType: str, ChecksumAlgorithm: str
    ) -> dict[str, Any]:
        """Write an object, whatever stood there."""
        del ContentType
        if ChecksumAlgorithm != "SHA256":
            raise UnknownHereError(ChecksumAlgorithm)
        with self._lock:
            self._bucket("PutObject", Bucket)[Key] = bytes(Body)
        return {"ChecksumSHA256": base64.b64encode(hashlib.sha256(Body).digest()).decode()}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        """The object; `Body` is read like a file."""
        with self._lock:
            body = self._bucket("GetObject", Bucket).get(Key)
        if body is None:
            raise refusal("GetObject", "NoSuchKey", "The specified key does not exist.", status=404)
        return {"Body": BytesIO(body)}

    def list_objects_v2(
        self, *, Bucket: str, Prefix: str, StartAfter: str = "", ContinuationToken: str = ""
    ) -> dict[str, Any]:
        """A page of the objects whose keys begin so, in the order of their UTF-8 bytes."""
        after = max(StartAfter, ContinuationToken).encode()
        with self._lock:
            found = sorted(
                (key for key in self._bucket("ListObjectsV2", Bucket) if key.startswith(Prefix)),
                key=str.encode,
            )
        left = [key for key in found if key.encode() > after]
        page = left[:KEYS_PER_PAGE]
        reply: dict[str, Any] = {"IsTruncated": len(left) > len(page), "KeyCount": len(page)}
        if page:
            reply["Contents"] = [{"Key": key} for key in page]
        if reply["IsTruncated"]:
            reply["NextContinuationToken"] = page[-1]
        return reply

    def _bucket(self, operation: str, name: str) -> dict[str, bytes]:
        if name not in self._buckets:
            raise _no_bucket(operation)
        return self._buckets[name]


def _no_bucket(operation: str) -> ClientError:
    message = "The specified bucket does not exist"
    return refusal(operation, "NoSuchBucket", message, status=404)
