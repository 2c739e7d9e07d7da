"""The bucket in S3: what a comparison of the books works with, its reports, and the archive.

    work/<run>/...               what the three sides said, in pieces; gone after some days
    reports/<day>/<run>.csv      what a run found, and the same as .html
    archive/<table>/...          rows that Airtable held no longer than KeepDays

Objects are written whole under names that follow from what they hold, so that writing one twice
changes nothing. None is ever deleted by us.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from giftcards.errors import NeedsAPerson

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# A listing has at most so many pages of a thousand: nothing of ours has a million pieces.
MOST_PAGES = 1000

# S3's word for an object that is not there. (Who may not list a bucket hears AccessDenied instead.)
NO_SUCH_KEY = "NoSuchKey"


class Bucket:
    """Reads and writes whole objects of one bucket."""

    def __init__(self, client: "S3Client", *, name: str) -> None:
        self._client = client
        self.name = name

    def put(self, key: str, body: bytes, *, content_type: str) -> None:
        """Write an object, whatever stood there. S3 checks that it arrived whole."""
        self._client.put_object(
            Bucket=self.name,
            Key=key,
            Body=body,
            ContentType=content_type,
            ChecksumAlgorithm="SHA256",
        )

    def get(self, key: str) -> bytes | None:
        """The object as it is now, or `None`."""
        try:
            reply = self._client.get_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] != NO_SUCH_KEY:
                raise
            return None
        return reply["Body"].read()

    def keys(self, prefix: str) -> Iterator[str]:
        """The names of the objects that begin so, in the order of their characters.

        Raises `NeedsAPerson` where there are more than a million: a part would look like all.
        """
        reply = self._client.list_objects_v2(Bucket=self.name, Prefix=prefix)
        for _ in range(MOST_PAGES):
            yield from (one["Key"] for one in reply.get("Contents", ()))
            if not reply["IsTruncated"]:
                return
            reply = self._client.list_objects_v2(
                Bucket=self.name, Prefix=prefix, ContinuationToken=reply["NextContinuationToken"]
            )
        raise NeedsAPerson(
            f"More than {MOST_PAGES} pages of objects begin with {prefix} in {self.name}:"
            " look what fills it"
        )
