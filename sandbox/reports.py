"""The reports of comparing the books, as they lie in the stack's bucket; and asking for one.

    reports/<day>/<run>.html     for people; beside it the same as .csv

The bucket is made with the stack, after the pages are open: until then there are no reports.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

PREFIX = "reports/"

# What may be read, by the end of its name. (A listing has a thousand names a page, and nobody
# compares the books of a sandbox five hundred times.)
KINDS = {".html": "text/html; charset=utf-8", ".csv": "text/csv; charset=utf-8"}


@dataclass(frozen=True, kw_only=True)
class Reports:
    """Reads the reports from `bucket()`, which is `None` before there is one.

    `compare` asks for a comparison and returns at once.
    """

    s3: "S3Client"
    bucket: Callable[[], str | None]
    compare: Callable[[], None]

    def newest_first(self) -> list[str]:
        """The names of the reports for people, such as `2026-11-29/20261129T081000Z-3.html`."""
        bucket = self.bucket()
        if bucket is None:
            return []
        try:
            listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=PREFIX)
        except (BotoCoreError, ClientError):
            return []  # the embedded AWS is away, and comes back
        keys = [one["Key"] for one in listed.get("Contents", ())]
        return sorted(key.removeprefix(PREFIX) for key in keys if key.endswith(".html"))[::-1]

    def read(self, name: str) -> tuple[bytes, str] | None:
        """A report and what kind of document it is; `None` where there is none of that name."""
        kind = next((kind for ending, kind in KINDS.items() if name.endswith(ending)), None)
        bucket = self.bucket()
        if kind is None or bucket is None:
            return None
        try:
            reply = self.s3.get_object(Bucket=bucket, Key=PREFIX + name)
        except (BotoCoreError, ClientError):
            return None
        return reply["Body"].read(), kind
