"""What we rely on in S3."""

from typing import Any

import pytest

from giftcards.errors import NeedsAPerson
from giftcards.store.bucket import MOST_PAGES, Bucket
from tests.store.conftest import Backend
from tests.store.refused import refusal_code
from tests.template_resources import create_bucket


@pytest.fixture
def bucket(backend: Backend) -> Bucket:
    name = f"{backend.mark}-books"
    create_bucket(backend.s3, name=name)
    return Bucket(backend.s3, name=name)


def put(bucket: Bucket, *keys: str) -> None:
    for key in keys:
        bucket.put(key, key.encode(), content_type="text/plain")


def test_an_object_is_read_as_it_was_written(bucket: Bucket) -> None:
    bucket.put("reports/a.csv", "“1”,2\n".encode(), content_type="text/csv")
    assert bucket.get("reports/a.csv") == "“1”,2\n".encode()


def test_writing_again_replaces_the_whole_object(bucket: Bucket) -> None:
    bucket.put("work/a", b"long ago", content_type="text/plain")
    bucket.put("work/a", b"now", content_type="text/plain")
    assert bucket.get("work/a") == b"now"
    assert list(bucket.keys("work/")) == ["work/a"]


def test_an_object_may_be_empty(bucket: Bucket) -> None:
    bucket.put("work/a", b"", content_type="text/plain")
    assert bucket.get("work/a") == b""


def test_what_is_not_there_is_nothing(bucket: Bucket) -> None:
    assert bucket.get("work/a") is None


def test_a_bucket_that_is_not_there_is_an_error(backend: Backend) -> None:
    nowhere = f"{backend.mark}-nowhere"
    code = refusal_code(backend.s3.get_object, Bucket=nowhere, Key="work/a")
    assert code == "NoSuchBucket"


def test_keys_come_in_order_and_only_those_that_begin_so(bucket: Bucket) -> None:
    put(bucket, "work/b/2", "work/b/10", "work/a/1", "reports/a", "work/ä", "work/a-1")
    assert list(bucket.keys("work/")) == [
        "work/a-1",
        "work/a/1",
        "work/b/10",
        "work/b/2",
        "work/ä",
    ]
    assert list(bucket.keys("work/b/")) == ["work/b/10", "work/b/2"]
    assert not list(bucket.keys("archive/"))


def test_more_keys_than_a_page_holds_are_all_found(bucket: Bucket) -> None:
    some = [f"work/{number:04}" for number in range(1001)]
    put(bucket, *some)
    assert list(bucket.keys("work/")) == some


def test_a_listing_that_does_not_end_is_not_taken_for_all() -> None:
    class Endless:
        """S3 as it would be with millions of objects."""

        def list_objects_v2(self, **_: object) -> dict[str, Any]:
            return {
                "Contents": [{"Key": "work/a"}],
                "IsTruncated": True,
                "NextContinuationToken": "more",
            }

    endless: Any = Endless()
    listed = Bucket(endless, name="books").keys("work/")
    for _ in range(MOST_PAGES):
        assert next(listed) == "work/a"
    with pytest.raises(NeedsAPerson, match="look what fills it"):
        next(listed)
