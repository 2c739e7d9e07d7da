"""The reports of comparing the books, as people find them."""

import re
from typing import TYPE_CHECKING, cast

from sandbox.reports import Reports
from tests.sandbox.pages.little_shop import LittleShop
from tests.template_resources import BUCKET_NAME

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def put(little_shop: LittleShop, key: str, body: str) -> None:
    little_shop.s3.put_object(
        Bucket=BUCKET_NAME,
        Key=key,
        Body=body.encode(),
        ContentType="text/html",
        ChecksumAlgorithm="SHA256",
    )


def test_the_start_leads_to_the_reports(little_shop: LittleShop) -> None:
    assert 'href="/reports"' in little_shop.page("/")
    assert "There is none yet" in little_shop.page("/reports")


def test_the_newest_report_stands_first_and_can_be_read(little_shop: LittleShop) -> None:
    for day in ("2026-11-22", "2026-11-23"):
        put(little_shop, f"reports/{day}/run.html", f"<h1>0 drift on {day}</h1>")
        put(little_shop, f"reports/{day}/run.csv", "Difference,What")
    page = little_shop.page("/reports")
    links = re.findall(r'href="(/reports/[^"]+)"', page)
    assert links == [
        "/reports/2026-11-23/run.html",
        "/reports/2026-11-23/run.csv",
        "/reports/2026-11-22/run.html",
        "/reports/2026-11-22/run.csv",
    ]
    assert little_shop.page(links[0]) == "<h1>0 drift on 2026-11-23</h1>"
    spreadsheet = little_shop.client.get(links[1])
    assert (spreadsheet.text, spreadsheet.mimetype) == ("Difference,What", "text/csv")


def test_nothing_but_reports_can_be_read(little_shop: LittleShop) -> None:
    put(little_shop, "archive/Redemptions/2026/run.jsonl", "{}")
    put(little_shop, "reports/2026-11-23/run.jsonl", "{}")
    for name in ("2026-11-23/run.jsonl", "2026-11-23/none.html", "../archive/x.html"):
        assert little_shop.client.get(f"/reports/{name}").status_code == 404


def test_a_comparison_is_asked_for(little_shop: LittleShop) -> None:
    reply = little_shop.client.post("/reports", follow_redirects=True)
    assert little_shop.asked == ["compare"]
    assert "Asked for" in reply.text


def test_a_stack_that_is_not_deployed_yet_has_no_reports(little_shop: LittleShop) -> None:
    s3 = cast("S3Client", little_shop.s3)
    reports = Reports(s3=s3, bucket=lambda: None, compare=lambda: None)
    assert reports.newest_first() == []
    assert reports.read("2026-11-23/run.html") is None
