"""The whole system on one machine: vendors in a box, an AWS account in a box, and the real thing.

    python -m sandbox.demo        what `make demo` runs: until Ctrl-C

`running_sandbox()` is the same for tests. The template is the one that goes to AWS, built with
`sam build` and deployed with `sam deploy`; only the addresses among its parameters differ.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from botocore.exceptions import ClientError

from sandbox import airtable, klaviyo, pages, shopify
from sandbox.embedded_aws import (
    PROJECT,
    TOOLS,
    EmbeddedAws,
    SandboxError,
    check_machine,
    only_one,
    running_aws,
    try_lock,
)
from sandbox.inbox import Inbox
from sandbox.reports import Reports
from sandbox.seed import Day, seed_a_day
from sandbox.server import serve
from sandbox.shopify.webhooks import delivering

STACK = "universal-gift-cards"
STAGE = "sandbox"

PLACE = PROJECT / ".sandbox"
ENDPOINTS = PLACE / "endpoints.json"
RUN_PREFIX = "run-"

# Tokens of vendors that exist on this machine only.
SHOPIFY_TOKEN = "shpat_sandbox"  # noqa: S105 - opens a sandbox, nothing else
KLAVIYO_KEY = "pk_sandbox"

MAIL_FROM = "gift-cards@shop.example.com"
OFFICE_EMAIL = "office@shop.example.com"
ALARM_EMAIL = "engineer@shop.example.com"

# Sales, balance checks and what is to be given back are looked for whenever redemptions are, and
# orders as often, so that nobody who tries them waits longer. A real shop saves calls of Airtable;
# here they cost nothing.
EVERY_LOOK = "0,15,30,45"
BETWEEN_MINUTES = "15,30,45"

# Whoever changes a balance here, or compares the books, wants to read about it soon. The least that
# the template takes, and somewhat more than that.
EXPLAIN_SECONDS = "60"
SECOND_LOOK_SECONDS = "75"

# The stack's outputs that name the prongs, the stores' first.
PRONGS = ("StoreTransactionsFunction", "ShopifyPurchasesFunction", "ShopifyRedemptionsFunction")

# `ops resume` asks both vendors and the journal, `ops setup klaviyo` uploads templates: seconds.
OPS_SECONDS = 60

# How often to look whether the embedded AWS is still there while people play.
WATCH_EVERY_SECONDS = 1.0

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """A running sandbox: where everything is, and the vendors' own state for whoever looks inside.

    `stack` is the name of the deployed stack, `day` what was seeded.
    """

    aws: EmbeddedAws
    stack: str
    shop: shopify.Shop
    base: airtable.Base
    klaviyo: klaviyo.Klaviyo
    inbox: Inbox
    day: Day
    shopify_url: str
    airtable_url: str
    klaviyo_url: str
    pages_url: str

    def endpoints(self) -> dict[str, Any]:
        """What programs need to find everything, as `.sandbox/endpoints.json` holds it."""
        return {
            "aws": self.aws.url,
            "stack": self.stack,
            "shopify": {
                "url": self.shopify_url,
                "shop": self.shop.domain,
                "token": SHOPIFY_TOKEN,
            },
            "airtable": {
                "url": self.airtable_url,
                "token": self.base.token,
                "base": self.base.id,
            },
            "klaviyo": {"url": self.klaviyo_url, "key": KLAVIYO_KEY},
            "pages": self.pages_url,
        }


@contextmanager
def running_sandbox(
    *, parameters: Mapping[str, str] | None = None, say: Say = lambda _: None
) -> Iterator[Sandbox]:
    """Bring everything up, seeded and running; take everything away at the end.

    `parameters` override the template's. `say` hears of each step that is done, and how long it
    took. Raises `SandboxError` where something does not come up.
    """
    check_machine()
    with ExitStack() as stack:
        folder = stack.enter_context(_run_folder())
        with _step("the embedded AWS is running", say):
            aws = stack.enter_context(running_aws(folder))
        with _step("vendors are open, a day is seeded", say):
            sandbox = _open_vendors(stack, aws)
        with only_one(PLACE / "build.lock"):
            with _step("template.yaml is built (sam build)", say):
                aws.build()
            with _step("and deployed (sam deploy)", say):
                aws.deploy(STACK, _parameters(sandbox) | dict(parameters or {}))
        with _step("secrets are in SSM, the sender is verified in SES", say):
            outputs = aws.outputs(STACK)
            _put_secrets(aws, outputs["SecretsPrefix"], sandbox)
            aws.check_sender(MAIL_FROM)
        with _step("customers' mails are at Klaviyo (ops setup klaviyo)", say):
            _run_ops(aws, "setup", "klaviyo")
        with _step("resumed (ops resume)", say):
            _run_ops(aws, "resume", "--yes")
            for prong in PRONGS:
                _ring_first_minute(aws, outputs[prong])
        yield sandbox


def _open_vendors(stack: ExitStack, aws: EmbeddedAws) -> Sandbox:
    """Open the vendors on ports of their own and seed them."""
    shop = shopify.Shop()
    shop.add_static_token(SHOPIFY_TOKEN)
    base = airtable.Base()
    airtable.build_standard_base(base)
    mailer = klaviyo.Klaviyo(key=KLAVIYO_KEY)
    inbox = Inbox(aws.url, klaviyo=mailer, shop=shop)
    reports = _open_reports(aws)
    people = pages.create_app(shop=shop, base=base, klaviyo=mailer, inbox=inbox, reports=reports)
    stack.enter_context(delivering(shop))  # nothing is sent until somebody gives an address
    return Sandbox(
        aws=aws,
        stack=STACK,
        shop=shop,
        base=base,
        klaviyo=mailer,
        inbox=inbox,
        day=seed_a_day(shop, base),
        shopify_url=stack.enter_context(serve(shopify.create_app(shop))),
        airtable_url=stack.enter_context(serve(airtable.create_app(base))),
        klaviyo_url=stack.enter_context(serve(klaviyo.create_app(mailer))),
        pages_url=stack.enter_context(serve(people)),
    )


def _open_reports(aws: EmbeddedAws) -> Reports:
    """What the deployed stack's bucket holds of reports."""

    def bucket() -> str | None:
        try:
            return aws.outputs(STACK).get("BucketName")
        except ClientError:
            return None  # the stack is not deployed yet

    return Reports(
        s3=aws.session().client("s3", endpoint_url=aws.url),
        bucket=bucket,
        compare=lambda: _run_ops(aws, "reconcile"),
    )


def _parameters(sandbox: Sandbox) -> dict[str, str]:
    """What a retailer would answer to `sam deploy --guided`."""
    return {
        "Stage": STAGE,
        "LiveFrom": sandbox.day.live_from.isoformat(),
        "ShopifyUrl": sandbox.shopify_url,
        "AirtableUrl": sandbox.airtable_url,
        "AirtableBaseId": sandbox.base.id,
        "KlaviyoUrl": sandbox.klaviyo_url,
        "MailFrom": MAIL_FROM,
        "OfficeEmail": OFFICE_EMAIL,
        "AlarmEmail": ALARM_EMAIL,
        "SaleOffsetsSeconds": EVERY_LOOK,
        "CheckOffsetsSeconds": EVERY_LOOK,
        "ReversalOffsetsSeconds": EVERY_LOOK,
        "OrderOffsetsSeconds": BETWEEN_MINUTES,
        "ReconcileSchedule": "rate(1 minute)",
        "ExplainSeconds": EXPLAIN_SECONDS,
        "SecondLookSeconds": SECOND_LOOK_SECONDS,
        "GiftCardSkus": ",".join(_our_skus(sandbox.shop)),
    }


def _our_skus(shop: shopify.Shop) -> list[str]:
    """The SKUs of the web shop's gift cards that are ours to make: the native one is Shopify's."""
    return [
        variant.sku
        for product in shop.orders.products
        for variant in product.variants
        if product.asks_for_recipient and not product.is_gift_card and variant.sku
    ]


def _put_secrets(aws: EmbeddedAws, prefix: str, sandbox: Sandbox) -> None:
    aws.put_secret(f"{prefix}/shopify-token", SHOPIFY_TOKEN)
    aws.put_secret(f"{prefix}/airtable-token", sandbox.base.token)
    aws.put_secret(f"{prefix}/klaviyo-key", KLAVIYO_KEY)
    aws.put_secret(f"{prefix}/code-pepper", secrets.token_urlsafe(48))


def _run_ops(aws: EmbeddedAws, *command: str) -> None:
    """Use the engineer's own commands."""
    whole = [str(TOOLS / "ops"), *command, "--stack", STACK]
    aws.run(whole, seconds=OPS_SECONDS, doing=f"ops {command[0]}")


def _ring_first_minute(aws: EmbeddedAws, function: str) -> None:
    """EventBridge first rings a minute after the deployment; nobody should have to wait for it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    aws.invoke(function, {"source": "aws.events", "detail-type": "Scheduled Event", "time": now})


@contextmanager
def _step(what: str, say: Say) -> Iterator[None]:
    began = time.monotonic()
    yield
    say(f"{time.monotonic() - began:5.1f} s  {what}")


@contextmanager
def _run_folder() -> Iterator[Path]:
    """A folder for this run's files; those that a killed run left behind are removed first."""
    with only_one(PLACE / "runs.lock"):  # a folder without its lock would look left behind
        for left in PLACE.glob(f"{RUN_PREFIX}*"):
            with contextlib.suppress(FileNotFoundError):  # its own run is removing it right now
                if held := try_lock(left / "lock"):
                    shutil.rmtree(left, ignore_errors=True)
                    held.close()
        folder = Path(tempfile.mkdtemp(prefix=RUN_PREFIX, dir=PLACE))
        held = try_lock(folder / "lock")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if held:
            held.close()


@contextmanager
def _published(sandbox: Sandbox) -> Iterator[None]:
    """Tell other programs where everything is, for as long as it is there."""
    text = json.dumps(sandbox.endpoints(), indent=2) + "\n"
    fresh = ENDPOINTS.with_suffix(f".{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(ENDPOINTS)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            if ENDPOINTS.read_text() == text:  # a later run may have put its own there
                ENDPOINTS.unlink()


def main() -> int:
    """Show the system at work until somebody stops it; return the exit code."""
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, _stop_like_ctrl_c)
    began = time.monotonic()
    _tell("── universal gift cards, all of it on this machine")
    try:
        with running_sandbox(say=_tell_step) as sandbox, _published(sandbox):
            _tell(_welcome(sandbox, seconds=time.monotonic() - began))
            _wait_until_stopped(sandbox)
    except KeyboardInterrupt:
        _tell("\n── taken away again")
        return 0
    except SandboxError as problem:
        _tell(f"\n{problem}")
        return 1
    return 0


def _tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a program that speaks to people


def _tell_step(line: str) -> None:
    _tell(f"   {line}")


def _stop_like_ctrl_c(signal_number: int, frame: FrameType | None) -> None:
    del signal_number, frame
    raise KeyboardInterrupt


def _wait_until_stopped(sandbox: Sandbox) -> None:
    while sandbox.aws.is_running():
        time.sleep(WATCH_EVERY_SECONDS)
    raise SandboxError("The embedded AWS has ended by itself.")


def _welcome(sandbox: Sandbox, *, seconds: float) -> str:
    places = {
        "Start here": sandbox.pages_url,
        "Shopify's API": sandbox.shopify_url,
        "Airtable's API": sandbox.airtable_url,
        "Klaviyo's API": sandbox.klaviyo_url,
        "the embedded AWS": sandbox.aws.url,
    }
    lines = [f"── ready after {seconds:.0f} s"]
    lines += [f"   {name + ':':18}{url}" for name, url in places.items()]
    lines += [
        "   The first rows are being answered right now. For programs: .sandbox/endpoints.json",
        "   Stop with Ctrl-C.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
